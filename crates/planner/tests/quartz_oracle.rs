//! Cron answers what Quartz 2.3.2 itself answered: `quartz/answers.txt`, recorded by `quartz/generate.sh`.
//!
//! Where the two differ on purpose, the reason stands in one of the lists below. The test also fails when a listed
//! difference is no longer one, so that the lists stay true.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_planner::Schedule;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Quartz takes these, reading something else than they say, or dropping a part. They are refused here.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "characters after a value are dropped without a word",
        &[
            "5x * * * * ?",
            "5 5x * * * ?",
            "*5 * * * * ?",
            "1-2-3 * * * * ?",
            "0 0 0 1.5 * ?",
            "0 0 0 1-5W * ?",
            "0 0 0 *W * ?",
            "0 0 0 1 JANX ?",
            "0 0 0 ? * FRIX",
            "0 0 0 ? * LW",
            "0 0 0 ? * L-3",
            "0 0 0 ? * 2-4L",
            "0 0 0 ? * 1-7L",
        ],
    ),
    (
        "a name is three letters; the rest is dropped, so that MONDAY-FRIDAY means Monday",
        &["* * * * JANUARY ?", "0 0 0 1 FEBRUARY ?", "0 0 0 ? * MONDAY", "0 0 0 ? * MONDAY-FRIDAY"],
    ),
    ("an eighth field is dropped", &["0 0 0 * * ? 2020 2021"]),
    ("empty entries of a list are dropped", &["1,,2 * * * * ?", "1, * * * * ?"]),
    (
        "a step of 0 is read as 1 after `*`, and drops the end of a range",
        &["*/0 * * * * ?", "0-10/0 * * * * ?"],
    ),
    ("of several `W` days only the lowest counts", &["0 0 0 1W,15W * ?", "0 0 0 1W,15 * ?"]),
    ("with `#` in a list only the lowest weekday counts", &["0 0 0 ? * 6#3,2", "0 0 0 ? * 2,6#3"]),
    (
        "there is no such day, or no such thing in this field",
        &["0 0 0 0W * ?", "0 0 0 ? * 9#1", "L * * * * ?"],
    ),
    ("these years are outside of what is supported", &["0 0 0 1 1 ? 1969", "0 0 0 1 1 ? 2300"]),
];

/// Both take these, and Quartz answers some questions wrongly.
const WRONG_IN_QUARTZ: &[(&str, &[&str])] = &[
    (
        "the step after a name or a range of names is dropped",
        &["0 0 0 1 JAN-DEC/2 ?", "0 0 0 ? * MON-FRI/2", "0 0 0 ? * MON/2"],
    ),
    ("`L-nW` fires in months that are too short to have that day", &["0 0 0 L-28W * ?"]),
    ("`nW` fires at the end of a shorter month, sometimes", &["0 0 0 29W 2 ?", "0 0 0 31W * ?"]),
];

/// The zone data of Java 17 and ours disagree about these zones from these instants on: Morocco's law changed in between.
const OTHER_ZONE_DATA: &[(&str, &str)] = &[("Africa/Casablanca", "2026-01-01T00:00:00Z")];

fn listed(lists: &[(&str, &[&str])], expression: &str) -> bool {
    lists.iter().any(|(_, expressions)| expressions.contains(&expression))
}

fn from_base_36(text: &str) -> i64 {
    i64::from_str_radix(text, 36).unwrap()
}

/// The end of the overlap in whose first pass an instant lies, in milliseconds: the local times there come again.
fn first_pass_until(zone: &TimeZone, second: i64) -> Option<i64> {
    let at = Timestamp::from_second(second).unwrap();
    let change = zone.following(at).next()?;
    let shrinks = i64::from(zone.to_offset(at).seconds() - change.offset().seconds());
    (shrinks > 0 && change.timestamp().as_second() - second <= shrinks)
        .then(|| change.timestamp().as_millisecond())
}

/// One zone's line of answers: compares each, and counts those that were comparable and those that differ.
fn compare(expression: &str, schedule: &Schedule, line: &str, counts: &mut Counts) {
    let (name, answers) = line.split_once(' ').unwrap();
    let zone = TimeZone::get(name).unwrap();
    let data_until = OTHER_ZONE_DATA.iter().find(|(zone, _)| *zone == name);
    let data_until =
        data_until.map_or(i64::MAX, |(_, until)| until.parse::<Timestamp>().unwrap().as_second());
    for answer in answers.split(' ') {
        let (after, wait) = answer.split_once('+').unwrap();
        let after = from_base_36(after);
        let expected = match wait {
            "!" => {
                counts.unanswered += 1;
                continue;
            }
            "-" => None,
            wait => Some(after + from_base_36(wait)),
        };
        if expected.unwrap_or(after) >= data_until || after >= data_until {
            counts.other_data += 1;
            continue;
        }
        counts.compared += 1;
        let expected = expected.map(|second| second * 1000);
        let found = schedule.next_after(after * 1000);
        if found == expected {
            continue;
        }
        if listed(WRONG_IN_QUARTZ, expression) {
            *counts.wrong_in_quartz.entry(expression.to_owned()).or_default() += 1;
            continue;
        }
        if let Some(overlap) = first_pass_until(&zone, after) {
            // Asked in the first pass of an overlap, Quartz forgets the instants of the second pass whose local time lies
            // before that of the question. We do not: a schedule is a set of instants, whoever asks when.
            let found = found.unwrap();
            assert!(
                found >= overlap && Some(found) < expected,
                "{expression:?} {name} after {after}: {found}"
            );
            let mut at = found;
            while Some(at) < expected {
                at = schedule.next_after(at).unwrap();
            }
            assert_eq!(Some(at), expected, "{expression:?} {name} after {after}");
            counts.first_pass += 1;
            continue;
        }
        let shown = |at: Option<i64>| {
            at.map_or("never".to_owned(), |at| {
                Timestamp::from_millisecond(at).unwrap().to_zoned(zone.clone()).to_string()
            })
        };
        panic!(
            "{expression:?} after {}: Quartz {}, we {}",
            shown(Some(after * 1000)),
            shown(expected),
            shown(found)
        );
    }
}

#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    /// Quartz ran into an endless loop.
    unanswered: usize,
    other_data: usize,
    first_pass: usize,
    wrong_in_quartz: BTreeMap<String, usize>,
    refused: usize,
}

#[test]
fn cron_answers_what_quartz_answers() {
    let mut counts = Counts::default();
    for block in include_str!("quartz/answers.txt").split("E ").skip(1) {
        let mut lines = block.lines();
        let expression = lines.next().unwrap().replace("\\t", "\t");
        for line in lines {
            match line.strip_prefix("Z ") {
                None => {
                    assert_eq!(line, "R");
                    let accepted = Schedule::parse(&expression, Some("UTC"));
                    if expression.trim().is_empty() {
                        // No cron at all: to Quartz a mistake, here and to ElasticJob 3.x a one-off job.
                        assert_eq!(accepted.unwrap().next_after(0), None);
                        continue;
                    }
                    assert!(accepted.is_err(), "Quartz rejects {expression:?}, we read {accepted:?}");
                    counts.compared += 1;
                }
                Some(answers) => {
                    let zone = answers.split(' ').next();
                    match Schedule::parse(&expression, zone) {
                        Ok(schedule) => {
                            assert!(!listed(REFUSED, &expression), "{expression:?} is accepted after all");
                            compare(&expression, &schedule, answers, &mut counts);
                        }
                        Err(error) => {
                            assert!(listed(REFUSED, &expression), "{expression:?} is refused: {error}");
                            counts.refused += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(counts.compared >= 20_000, "{counts:?}");
    let listed: usize = WRONG_IN_QUARTZ.iter().map(|(_, expressions)| expressions.len()).sum();
    assert_eq!(counts.wrong_in_quartz.len(), listed, "a listed difference is none: {counts:?}");
    assert!(counts.first_pass > 0 && counts.first_pass < 200, "{counts:?}");
    assert!(counts.unanswered < 300, "{counts:?}");
}
