//! What other settings of a job do to what is there: when it fires, which items there are and who has them, which Java instances refuse them, and
//! what a removal waits for. Told before anything is written.
//!
//! Owners are those of the mirror; who gets an item is what the strategy says for the instances that are there now. Nobody moves where neither
//! the number of items nor the strategy changes.

use crate::mirror::Picture;
use crate::mirror::row::{Names, Row};
use clockwright_api::At;
use clockwright_api::plan::{Effects, FiresThen, ItemsThen, Move, Span};
use clockwright_fleet::Layout;
use clockwright_model::{InstanceId, Item, JobSettings, Millis};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::{Strategy, descending};
use clockwright_settings::own;

/// How many instants are told.
const FIRES: usize = 20;
/// How many moves are told.
const MOVES: usize = 100;

/// What is there of a job, as far as its settings concern it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whose layout its nodes have.
    pub layout: Option<Layout>,
    /// The instances that take part, in the order of the strategies.
    pub available: Vec<InstanceId>,
    /// By item: whose it is.
    pub owners: Vec<Option<InstanceId>>,
    /// The instances that are no processes of ours.
    pub java: Vec<InstanceId>,
    /// The items that run.
    pub running: Vec<Item>,
}

impl Seen {
    /// What the mirror shows of a job.
    #[must_use]
    pub fn of(picture: &Picture, name: &str) -> Self {
        picture.job(name).map(|row| Self::of_row(picture, row)).unwrap_or_default()
    }

    fn of_row(picture: &Picture, row: &Row) -> Self {
        let Picture { names, leases, .. } = picture;
        let members: Vec<_> = row.members().map(|one| (id(names, one.id), one.host)).collect();
        let taking_part = members.iter().filter(|(_, host)| !row.is_kept_off(*host));
        let mut available: Vec<InstanceId> = taking_part.map(|(id, _)| id.clone()).collect();
        descending(&mut available);
        let owner = |number| (number != 0).then(|| id(names, number));
        Self {
            layout: row.config.as_ref().map(|config| config.layout),
            available,
            owners: row.all_items().map(|(_, item)| owner(item.owner)).collect(),
            java: members.into_iter().map(|(id, _)| id).filter(|id| !leases.holds(id)).collect(),
            running: row
                .all_items()
                .filter(|(_, item)| row.is_running(*item, names, leases))
                .map(|(number, _)| number)
                .collect(),
        }
    }
}

fn id(names: &Names, number: u32) -> InstanceId {
    InstanceId::from_wire(names.text(number))
}

/// What becomes of a job's fires, items and instances; `before` is absent for one that is made, `after` for one that is removed.
#[must_use]
pub fn effects(
    before: Option<&JobSettings>,
    after: Option<&JobSettings>,
    seen: &Seen,
    now: Millis,
) -> Effects {
    let mut effects = Effects { fires: fires(before, after, now), ..Effects::default() };
    let Some(after) = after else {
        effects.interrupts.clone_from(&seen.running);
        return effects;
    };
    if seen.layout == Some(Layout::V3) {
        effects.not_carried = own::only_local(after).into_iter().map(str::to_owned).collect();
    }
    let Some(before) = before else { return effects };
    effects.items = items(before.sharding_total_count, after.sharding_total_count);
    let moves = moves(before, after, seen);
    effects.moved = moves.len() as u64;
    effects.moves = moves.into_iter().take(MOVES).collect();
    if before.class != after.class || before.kind.word() != after.kind.word() {
        effects.refusing = seen.java.iter().map(|id| id.as_str().to_owned()).collect();
    }
    effects
}

/// What should be looked at of a change, or of a removal, whose effects these are.
#[must_use]
pub fn warnings(effects: &Effects, is_removal: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if !effects.refusing.is_empty() {
        let ids = effects.refusing.join(", ");
        warnings.push(format!("Java instances refuse to start again, since the class changes: {ids}"));
    }
    if !effects.not_carried.is_empty() {
        let keys = effects.not_carried.join("`, `");
        warnings.push(format!(
            "a config of ElasticJob 3.x has no place for `{keys}`: each instance has them from its own file"
        ));
    }
    if !effects.interrupts.is_empty() {
        let items: Vec<String> = effects.interrupts.iter().map(ToString::to_string).collect();
        warnings.push(format!("the removal waits for what runs: item {}", items.join(", ")));
    }
    let ends = |fires: &FiresThen| !fires.before.is_empty() && fires.after.is_empty();
    if !is_removal && effects.fires.as_ref().is_some_and(ends) {
        warnings.push("it does not fire by itself any more".to_owned());
    }
    warnings
}

fn fires(before: Option<&JobSettings>, after: Option<&JobSettings>, now: Millis) -> Option<FiresThen> {
    let when = |job: &JobSettings| (job.cron.clone(), job.time_zone.clone());
    if before.map(when) == after.map(when) {
        return None;
    }
    let next = |job: Option<&JobSettings>| next(job, now);
    Some(FiresThen { before: next(before), after: next(after) })
}

fn next(job: Option<&JobSettings>, now: Millis) -> Vec<At> {
    let schedule = job.and_then(|job| Schedule::parse(&job.cron, job.time_zone.as_deref()).ok());
    let Some(schedule) = schedule else { return Vec::new() };
    let fires = std::iter::successors(schedule.next_after(now), |at| schedule.next_after(*at));
    fires.take(FIRES).map(At).collect()
}

fn items(before: u32, after: u32) -> Option<ItemsThen> {
    let span = |from: u32, to: u32| (from < to).then(|| Span { from, to: to - 1 });
    (before != after).then(|| ItemsThen {
        before,
        after,
        added: span(before, after),
        gone: span(after, before),
    })
}

/// The items that somebody has and another one gets.
fn moves(before: &JobSettings, after: &JobSettings, seen: &Seen) -> Vec<Move> {
    let same = before.sharding_total_count == after.sharding_total_count
        && before.sharding_strategy == after.sharding_strategy;
    let (Ok(strategy), false) = (Strategy::parse(&after.sharding_strategy), same) else { return Vec::new() };
    let count = after.sharding_total_count;
    let owner = |item: u32| seen.owners.get(item as usize).and_then(Option::as_ref);
    // Whose items are given to fixed instances keeps them while each has one.
    if after.static_sharding && (0..count).all(|item| owner(item).is_some()) {
        return Vec::new();
    }
    let then = strategy.assign(after.name.as_str(), &seen.available, count, &seen.owners);
    let moved = then.into_iter().zip(0..).filter_map(|(place, item)| {
        let (from, to) = (owner(item)?, place.and_then(|place| seen.available.get(place)));
        let text = |id: &InstanceId| id.as_str().to_owned();
        (to != Some(from)).then(|| Move { item, from: text(from), to: to.map(text) })
    });
    moved.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{JobKind, JobName};

    const NOW: Millis = 1_800_000_000_000;

    fn job(cron: &str, items: u32) -> JobSettings {
        let mut job = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, cron, items);
        job.time_zone = Some("UTC".into());
        job
    }

    fn seen(owners: &[&str]) -> Seen {
        let id = |text: &str| InstanceId::from_wire(text);
        Seen {
            layout: Some(Layout::V2),
            available: vec![id("b"), id("a")],
            owners: owners.iter().map(|owner| (!owner.is_empty()).then(|| id(owner))).collect(),
            java: vec![id("a")],
            running: vec![1],
        }
    }

    #[test]
    fn the_next_twenty_instants_are_told_when_they_change() {
        let (before, after) = (job("0 0 1 * * ?", 1), job("0 0 2 * * ?", 1));
        let effects = |after: &JobSettings| effects(Some(&before), Some(after), &Seen::default(), NOW).fires;
        let told = effects(&after).unwrap();
        assert_eq!((told.before.len(), told.after.len()), (20, 20));
        assert_eq!(told.after[0].0 - told.before[0].0, 3_600_000);
        assert_eq!(effects(&before), None);
        let once = JobSettings { cron: "@once 2027-02-01T00:00:00Z".into(), ..after.clone() };
        assert_eq!(effects(&once).unwrap().after.len(), 1);
    }

    #[test]
    fn items_that_come_and_go_and_owners_that_move_are_told() {
        let effects = |before, after| {
            effects(
                Some(&job("0 0 1 * * ?", before)),
                Some(&job("0 0 1 * * ?", after)),
                &seen(&["b", "b", "a", "a"]),
                NOW,
            )
        };
        let more = effects(4, 6);
        assert_eq!(more.items.unwrap().added, Some(Span { from: 4, to: 5 }));
        // Three each: 0 to 2 are b's, 3 to 5 are a's.
        assert_eq!(more.moves, [Move { item: 2, from: "a".into(), to: Some("b".into()) }]);
        let less = effects(4, 2);
        assert_eq!(less.items.unwrap().gone, Some(Span { from: 2, to: 3 }));
        assert_eq!(less.moves, [Move { item: 1, from: "b".into(), to: Some("a".into()) }]);
        assert!(effects(4, 4).moves.is_empty(), "nothing moves that is not asked to");
    }

    #[test]
    fn a_strategy_moves_items_and_fixed_ones_stay() {
        let before = job("0 0 1 * * ?", 4);
        let mut after = JobSettings { sharding_strategy: "ODEVITY".into(), ..before.clone() };
        after.name = JobName::new("b").unwrap();
        let there = seen(&["b", "b", "a", "a"]);
        assert_eq!(effects(Some(&before), Some(&after), &there, NOW).moved, 4);
        after.static_sharding = true;
        assert_eq!(effects(Some(&before), Some(&after), &there, NOW).moved, 0);
    }

    #[test]
    fn java_refuses_another_class_and_3x_has_no_place_for_our_keys() {
        let before = job("0 0 1 * * ?", 1);
        let mut after = JobSettings { class: "com.example.Other".into(), ..before.clone() };
        after.retry.max_attempts = 3;
        let told = effects(Some(&before), Some(&after), &seen(&["a"]), NOW);
        assert_eq!((&told.refusing[..], told.not_carried.len()), (&["a".to_owned()][..], 0));
        let there = Seen { layout: Some(Layout::V3), ..seen(&["a"]) };
        let told = effects(Some(&before), Some(&after), &there, NOW);
        assert!(told.not_carried.contains(&"retry.maxAttempts".to_owned()), "{told:?}");
        assert_eq!(warnings(&told, false).len(), 2, "{:?}", warnings(&told, false));
    }

    #[test]
    fn a_removal_tells_what_runs() {
        let told = effects(Some(&job("0 0 1 * * ?", 2)), None, &seen(&["a", "b"]), NOW);
        assert_eq!(told.interrupts, [1]);
        assert!(told.fires.as_ref().unwrap().after.is_empty());
        assert_eq!(warnings(&told, true), ["the removal waits for what runs: item 1"]);
    }
}
