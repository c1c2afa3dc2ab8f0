//! Silences: when it is quiet, and about what.

use super::fits;
use clockwright_api::alerts::{Condition, Day, Severity, Weekly};
use clockwright_model::Millis;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// The project; 0 for all.
    pub project: i64,
    /// The pattern of the jobs' names; empty for all.
    pub jobs: String,
    /// The conditions; empty for all.
    pub conditions: Vec<Condition>,
    /// The severities; empty for all.
    pub severities: Vec<Severity>,
    /// From when on.
    pub starts: Millis,
    /// Until when.
    pub ends: Millis,
    /// Only at these times of the week.
    pub weekly: Option<Weekly>,
}

impl Quiet {
    /// Is it quiet now?
    #[must_use]
    pub fn holds(&self, now: Millis) -> bool {
        (self.starts..self.ends).contains(&now)
            && self.weekly.as_ref().is_none_or(|weekly| is_within(weekly, now))
    }

    /// Is it about this?
    #[must_use]
    pub fn is_about(&self, project: i64, job: &str, condition: Condition, severity: Severity) -> bool {
        (self.project == 0 || self.project == project)
            && fits(&self.jobs, job)
            && (self.conditions.is_empty() || self.conditions.contains(&condition))
            && (self.severities.is_empty() || self.severities.contains(&severity))
    }
}

/// What is wrong with times of a week, and which key has it.
///
/// # Errors
/// The key, and what would be right.
pub fn check(weekly: &Weekly) -> Result<(), (&'static str, String)> {
    if weekly.days.is_empty() {
        return Err(("days", "is to name a day".to_owned()));
    }
    for (key, text) in [("from", &weekly.from), ("to", &weekly.to)] {
        time(text).ok_or_else(|| (key, format!("`{text}` is no time of a day such as `22:00`")))?;
    }
    TimeZone::get(&weekly.zone)
        .map_err(|_| ("zone", format!("`{}` is no zone such as `Asia/Shanghai`", weekly.zone)))?;
    Ok(())
}

fn time(text: &str) -> Option<Time> {
    Time::strptime("%H:%M", text).ok()
}

fn is_within(weekly: &Weekly, now: Millis) -> bool {
    let within = || {
        let zone = TimeZone::get(&weekly.zone).ok()?;
        let now = Timestamp::from_millisecond(now).ok()?.to_zoned(zone).datetime();
        let (from, to) = (time(&weekly.from)?, time(&weekly.to)?);
        let begins = |day: Weekday| weekly.days.iter().any(|asked| weekday(*asked) == day);
        let yesterday = now.date().checked_sub(1.day()).ok()?.weekday();
        let today = now.date().weekday();
        Some(if from < to {
            begins(today) && (from..to).contains(&now.time())
        } else {
            begins(today) && now.time() >= from || begins(yesterday) && now.time() < to
        })
    };
    within().unwrap_or(false)
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn quiet(weekly: Option<Weekly>) -> Quiet {
        Quiet {
            project: 0,
            jobs: String::new(),
            conditions: Vec::new(),
            severities: Vec::new(),
            starts: 0,
            ends: Millis::MAX,
            weekly,
        }
    }

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn it_is_quiet_from_its_start_to_before_its_end() {
        let once = Quiet { starts: 10, ends: 20, ..quiet(None) };
        assert_eq!([9, 10, 19, 20].map(|now| once.holds(now)), [false, true, true, false]);
    }

    #[test]
    fn a_night_of_a_week_ends_on_the_next_morning_in_its_zone() {
        let night = Weekly {
            days: vec![Day::Fri],
            from: "22:00".into(),
            to: "06:00".into(),
            zone: "Asia/Shanghai".into(),
        };
        check(&night).unwrap();
        let night = quiet(Some(night));
        // 2027-01-15 is a Friday; Shanghai is eight hours ahead.
        for (text, holds) in [
            ("2027-01-15T13:59:00Z", false),
            ("2027-01-15T14:00:00Z", true),
            ("2027-01-15T21:59:00Z", true),
            ("2027-01-15T22:00:00Z", false),
            ("2027-01-14T14:00:00Z", false),
        ] {
            assert_eq!(night.holds(at(text)), holds, "{text}");
        }
    }

    #[test]
    fn a_day_of_a_week_lasts_from_its_hour_to_its_hour() {
        let noon = Weekly {
            days: vec![Day::Fri, Day::Sat],
            from: "11:00".into(),
            to: "13:00".into(),
            zone: "UTC".into(),
        };
        let noon = quiet(Some(noon));
        assert!(noon.holds(at("2027-01-15T11:00:00Z")) && noon.holds(at("2027-01-16T12:59:00Z")));
        assert!(!noon.holds(at("2027-01-15T13:00:00Z")) && !noon.holds(at("2027-01-17T12:00:00Z")));
    }

    #[test]
    fn times_of_a_week_that_cannot_be_are_told() {
        let right =
            Weekly { days: vec![Day::Mon], from: "22:00".into(), to: "06:00".into(), zone: "UTC".into() };
        for (wrong, key) in [
            (Weekly { days: Vec::new(), ..right.clone() }, "days"),
            (Weekly { from: "25:00".into(), ..right.clone() }, "from"),
            (Weekly { to: "late".into(), ..right.clone() }, "to"),
            (Weekly { zone: "Mars/Olympus".into(), ..right.clone() }, "zone"),
        ] {
            assert_eq!(check(&wrong).unwrap_err().0, key);
        }
    }

    #[test]
    fn it_is_about_what_all_of_its_parts_name() {
        let about = Quiet {
            project: 1,
            jobs: "bill-*".into(),
            conditions: vec![Condition::Failing],
            severities: vec![Severity::Critical],
            ..quiet(None)
        };
        assert!(about.is_about(1, "bill-a", Condition::Failing, Severity::Critical));
        assert!(!about.is_about(2, "bill-a", Condition::Failing, Severity::Critical));
        assert!(!about.is_about(1, "a", Condition::Failing, Severity::Critical));
        assert!(!about.is_about(1, "bill-a", Condition::Missed, Severity::Critical));
        assert!(!about.is_about(1, "bill-a", Condition::Failing, Severity::Info));
        assert!(quiet(None).is_about(9, "", Condition::KeyOld, Severity::Info));
    }
}
