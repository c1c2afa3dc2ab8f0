//! Who is told what, and when: alerts are gathered by channel and project.
//!
//! The first message of a group goes `first` after the oldest thing that is to be told, so that what breaks together is told together; further
//! ones at least `every` apart; only what is `at_once` waits for nothing, and takes the others with it; what stays open is told again each `repeat`, unless somebody has taken it up. What was told stands in the
//! database as deliveries, each once by a unique key: so two leaders tell nothing twice, and another one goes on where the last one
//! stopped.

use crate::decide::chain::words;
use clockwright_model::Millis;
use std::collections::BTreeMap;

words! {
    /// What is told of an alert.
    Kind {
        /// It is open.
        Opened "opened",
        /// It is open still.
        Again "again",
        /// It is over.
        Ended "ended",
    }
}

/// How alerts are gathered, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long the first message of a group waits for others.
    pub first: Millis,
    /// How long between two messages of a group.
    pub every: Millis,
    /// How long until what is open is told again.
    pub repeat: Millis,
}

/// An alert, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its project; 0 for none.
    pub project: i64,
    /// When it opened.
    pub at: Millis,
    /// When it was over.
    pub ended: Option<Millis>,
    /// Somebody has taken it up.
    pub acked: bool,
    /// It does not wait for others.
    pub at_once: bool,
    /// It is not to be sent now.
    pub silent: bool,
    /// The channels that are told of it.
    pub channels: Vec<String>,
}

/// Something that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// On which channel.
    pub channel: String,
    /// Of which alert.
    pub alert: String,
    /// What.
    pub kind: Kind,
    /// How many times before.
    pub number: i64,
    /// When.
    pub at: Millis,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// On which channel.
    pub channel: String,
    /// Of which project.
    pub project: i64,
    /// What it tells: the alert, what of it, and how many times that was told before.
    pub parts: Vec<(String, Kind, i64)>,
}

/// A group in the making.
#[derive(Default)]
struct Group {
    parts: Vec<(String, Kind, i64)>,
    /// Since when the oldest thing waits that was never told.
    waits: Option<Millis>,
    /// When it was told something last.
    last: Option<Millis>,
    /// Something is to be told again.
    repeats: bool,
    /// Something does not wait.
    at_once: bool,
}

/// The messages that are due.
#[must_use]
pub fn due(alerts: &[Known], told: &[Told], timing: Timing, now: Millis) -> Vec<Message> {
    let mut by_alert: BTreeMap<(&str, &str), Vec<&Told>> = BTreeMap::new();
    for one in told {
        by_alert.entry((one.alert.as_str(), one.channel.as_str())).or_default().push(one);
    }
    let mut groups: BTreeMap<(&str, i64), Group> = BTreeMap::new();
    for alert in alerts {
        let listening = alert.channels.iter().map(String::as_str);
        let knowing = by_alert.range((alert.id.as_str(), "")..).take_while(|((id, _), _)| *id == alert.id);
        let mut channels: Vec<&str> = listening.chain(knowing.map(|((_, channel), _)| *channel)).collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in channels {
            let before = by_alert.get(&(alert.id.as_str(), channel)).map(Vec::as_slice).unwrap_or_default();
            let group = groups.entry((channel, alert.project)).or_default();
            group.last = group.last.max(before.iter().map(|told| told.at).max());
            let listens = alert.channels.iter().any(|known| known == channel);
            if listens && !alert.silent {
                group.take(alert, before, timing, now);
            }
        }
    }
    let is_due = |group: &Group| {
        let free = group.last.is_none_or(|last| now >= last + timing.every);
        let waited = group.waits.is_some_and(|since| now >= since + timing.first);
        group.at_once || free && (waited || group.repeats)
    };
    groups
        .into_iter()
        .filter(|(_, group)| is_due(group))
        .map(|((channel, project), group)| Message {
            channel: channel.to_owned(),
            project,
            parts: group.parts,
        })
        .collect()
}

impl Group {
    fn take(&mut self, alert: &Known, before: &[&Told], timing: Timing, now: Millis) {
        let has = |kind: Kind| before.iter().any(|told| told.kind == kind);
        let mut tell = |kind: Kind, number: i64| self.parts.push((alert.id.clone(), kind, number));
        match alert.ended {
            // What was over before anybody was told of it is told to nobody.
            Some(_) if !has(Kind::Opened) || has(Kind::Ended) => {}
            Some(ended) => {
                tell(Kind::Ended, 0);
                self.waits = Some(self.waits.map_or(ended, |since| since.min(ended)));
            }
            None if !has(Kind::Opened) => {
                tell(Kind::Opened, 0);
                self.at_once |= alert.at_once;
                self.waits = Some(self.waits.map_or(alert.at, |since| since.min(alert.at)));
            }
            None if !alert.acked => {
                let last = before.iter().map(|told| told.at).max().unwrap_or(alert.at);
                if now >= last + timing.repeat {
                    let number = before.iter().filter(|told| told.kind == Kind::Again).count();
                    tell(Kind::Again, i64::try_from(number).unwrap_or_default());
                    self.repeats = true;
                }
            }
            None => {}
        }
    }
}

/// How long until a message that was not taken is sent again, by how often it was tried; `None`: never.
#[must_use]
pub fn again(tries: i64) -> Option<Millis> {
    const LADDER: [Millis; 6] = [10_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000];
    LADDER.get(usize::try_from(tries - 1).unwrap_or_default()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { first: 30, every: 300, repeat: 14_400 };

    fn alert(id: &str, at: Millis) -> Known {
        Known {
            id: id.into(),
            project: 1,
            at,
            ended: None,
            acked: false,
            at_once: false,
            silent: false,
            channels: vec!["ops".into()],
        }
    }

    /// A world in which what is due is told at once.
    #[derive(Default)]
    struct World(Vec<Told>);

    impl World {
        fn tick(&mut self, alerts: &[Known], now: Millis) -> Vec<String> {
            let messages = due(alerts, &self.0, TIMING, now);
            let mut said = Vec::new();
            for message in messages {
                let words = message
                    .parts
                    .iter()
                    .map(|(alert, kind, number)| format!("{alert} {}{number}", kind.word()));
                said.push(format!("{}: {}", message.channel, words.collect::<Vec<_>>().join(", ")));
                self.0.extend(message.parts.into_iter().map(|(alert, kind, number)| Told {
                    channel: message.channel.clone(),
                    alert,
                    kind,
                    number,
                    at: now,
                }));
            }
            said
        }
    }

    #[test]
    fn what_breaks_together_is_told_together_and_further_news_five_minutes_later() {
        let mut world = World::default();
        let mut alerts = vec![alert("a", 0), alert("b", 20)];
        assert!(world.tick(&alerts, 29).is_empty());
        assert_eq!(world.tick(&alerts, 30), ["ops: a opened0, b opened0"]);
        alerts.push(alert("c", 31));
        alerts[0].ended = Some(40);
        assert!(world.tick(&alerts, 329).is_empty());
        assert_eq!(world.tick(&alerts, 330), ["ops: a ended0, c opened0"]);
        assert!(world.tick(&alerts, 10_000).is_empty());
    }

    #[test]
    fn what_stays_open_is_told_again_unless_somebody_has_taken_it_up() {
        let mut world = World::default();
        let mut alerts = vec![alert("a", 0), alert("b", 0)];
        world.tick(&alerts, 30);
        alerts[1].acked = true;
        assert!(world.tick(&alerts, 14_429).is_empty());
        assert_eq!(world.tick(&alerts, 14_430), ["ops: a again0"]);
        assert_eq!(world.tick(&alerts, 28_830), ["ops: a again1"]);
        alerts[1].ended = Some(28_831);
        assert_eq!(world.tick(&alerts, 29_131), ["ops: b ended0"]);
    }

    #[test]
    fn what_is_silent_is_told_when_it_is_not_any_more_and_what_is_over_by_then_never() {
        let mut world = World::default();
        let mut alerts = vec![alert("a", 0), alert("b", 0)];
        alerts.iter_mut().for_each(|alert| alert.silent = true);
        assert!(world.tick(&alerts, 1_000).is_empty());
        alerts[1].ended = Some(1_001);
        alerts.iter_mut().for_each(|alert| alert.silent = false);
        assert_eq!(world.tick(&alerts, 1_100), ["ops: a opened0"]);
        assert!(world.tick(&alerts, 5_000).is_empty());
    }

    #[test]
    fn what_does_not_wait_is_told_at_once_with_what_waits() {
        let mut world = World::default();
        let mut alerts = vec![alert("a", 0)];
        world.tick(&alerts, 30);
        alerts.push(alert("b", 31));
        assert!(world.tick(&alerts, 32).is_empty());
        alerts.push(Known { at_once: true, ..alert("c", 32) });
        assert_eq!(world.tick(&alerts, 32), ["ops: b opened0, c opened0"]);
        alerts[2].ended = Some(33);
        assert!(world.tick(&alerts, 34).is_empty(), "that it is over waits");
    }

    #[test]
    fn each_channel_and_each_project_has_messages_of_its_own() {
        let mut alerts = vec![alert("a", 0), Known { project: 2, ..alert("b", 0) }];
        alerts[0].channels.push("all".into());
        let said = World::default().tick(&alerts, 30);
        assert_eq!(said, ["all: a opened0", "ops: a opened0", "ops: b opened0"]);
    }

    #[test]
    fn a_message_is_tried_seven_times_in_seven_hours() {
        let waits: Vec<_> = (1..=8).map(again).collect();
        assert_eq!(waits[..3], [Some(10_000), Some(30_000), Some(120_000)]);
        assert_eq!(waits[5..], [Some(21_600_000), None, None]);
    }
}
