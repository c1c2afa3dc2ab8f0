//! The checker's own test: a good history passes, and each way to spoil it is caught by the check that is there for it.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::record::Kind;
use clockwright_model::{FailureKind, Fire, InstanceId, JobName, Outcome, RunId, Source, Token};

/// The instant of fire 0.
const T0: Millis = 1_700_000_000_000;
/// `CLOCK_MONOTONIC` at `T0`.
const MONO0: u64 = 5_000_000_000;
/// Fires per item.
const FIRES: Millis = 40;
/// The fire whose first run is killed, and the ones that its item then has to make up for.
const KILLED: Millis = 20;

/// Builds histories.
struct Builder {
    history: History,
    token: Token,
}

impl Builder {
    fn run(
        &mut self,
        job: &str,
        item: Item,
        fire: &Fire,
        attempt: u32,
        start: Millis,
        code: Option<i32>,
    ) -> RunId {
        self.token += 1;
        let id = RunId::new(start, self.token as u128);
        let mut record = Record {
            kind: Kind::Start,
            job: job.into(),
            item,
            fire: fire.time().to_string(),
            attempt,
            token: self.token,
            run: id.to_string(),
            pid: self.token as u32,
            ppid: 1,
            mono_ns: 0,
            wall_ms: 0,
            instance: None,
            code: None,
        };
        for (kind, after) in [(Kind::Start, 0), (Kind::Beat, 20), (Kind::Beat, 40), (Kind::End, 50)] {
            if kind == Kind::End && code.is_none() {
                break;
            }
            record.kind = kind;
            record.wall_ms = start + after;
            record.mono_ns = MONO0 + (record.wall_ms - T0) as u64 * 1_000_000;
            record.code = code.filter(|_| kind == Kind::End);
            self.history.records.push(record.clone());
        }
        id
    }

    fn settle(&mut self, job: &str, item: Item, fire: Fire, outcome: Outcome, run: Option<(RunId, u32)>) {
        self.history.settlements.push(Settlement {
            namespace: "".into(),
            job: JobName::new(job).unwrap(),
            item,
            at: fire.time() + 60,
            log: None,
            claimed: None,
            fire,
            range: None,
            outcome,
            attempt: run.map_or(0, |(_, attempt)| attempt),
            run_id: run.map(|(id, _)| id),
            token: if run.is_some() { self.token } else { 0 },
            source: Source::Schedule,
            instance: InstanceId::of_process("10.0.0.1", 7, 0),
            start: None,
        });
    }

    fn success(&mut self, job: &str, item: Item, fire: &Fire, attempt: u32, start: Millis) {
        let id = self.run(job, item, fire, attempt, start, Some(0));
        self.settle(job, item, fire.clone(), Outcome::Succeeded, Some((id, attempt)));
    }
}

/// Three jobs with one policy each; 40 fires of 2 items, 1 s apart. At fire 20 the owner dies in the middle of a run and
/// the item is back 4 s later: `all` runs everything late, `once` coalesces, `skip` misses. `all` is triggered once too.
fn good() -> History {
    let due = Plan::every(1_000, T0, T0 + (FIRES - 1) * 1_000);
    let plan = |job: &str, misfire| Plan {
        job: job.into(),
        items: 2,
        misfire,
        due: due.clone(),
        required: (due[0], due[due.len() - 1]),
    };
    let history = History {
        plans: vec![
            plan("all", Misfire::FIRE_ALL),
            plan("once", Misfire::FireOnce),
            plan("skip", Misfire::Skip),
        ],
        nemesis: vec![Nemesis { what: "kill".into(), from: T0 + 20_030, to: T0 + 24_000 }],
        triggers: vec![Triggers { job: "all".into(), acknowledged: 1, unclear: 0 }],
        healed: Some((T0 + 24_000, 3_000)),
        lateness_limit: Some(500),
        aftermath: 4_000,
        ..History::default()
    };
    let mut builder = Builder { history, token: 100 };
    for (item, job) in [(0, "all"), (1, "all"), (0, "once"), (1, "once"), (0, "skip"), (1, "skip")] {
        let mut busy_until = 0;
        for n in 0..FIRES {
            let at = T0 + n * 1_000;
            let fire = Fire::Scheduled(at);
            let start = (at + 7).max(busy_until);
            match (job, n) {
                (_, KILLED) => {
                    builder.run(job, item, &fire, 1, start, None);
                    busy_until = T0 + 24_100;
                    if job == "skip" {
                        let lost = Outcome::Failed { kind: FailureKind::OwnerLost, reason: "died".into() };
                        builder.settle(job, item, fire, lost, None);
                    } else {
                        builder.success(job, item, &fire, 2, busy_until);
                        busy_until += 60;
                    }
                }
                ("once", 21..=23) | ("skip", 21..=24) if n < 23 => {}
                ("once", 23) | ("skip", 24) => {
                    let outcome = match job {
                        "once" => Outcome::Coalesced { into: Fire::Scheduled(T0 + 24_000) },
                        _ => Outcome::Missed { reason: "nobody there".into() },
                    };
                    builder.settle(job, item, fire, outcome, None);
                    let count = u64::try_from(n - 20).unwrap();
                    builder.history.settlements.last_mut().unwrap().range = Some((T0 + 21_000, count));
                }
                ("skip", 23) => {}
                _ => {
                    builder.success(job, item, &fire, 1, start);
                    busy_until = start + 60;
                }
            }
            if (job, n) == ("all", 30) {
                let trigger = Fire::Trigger { at: at + 400, id: "t".into() };
                builder.success(job, item, &trigger, 1, at + 410);
            }
        }
    }
    // The store of a second node knows some of the same settlements, and one node died at the end with what it had not stored yet.
    let again: Vec<_> = builder.history.settlements.iter().step_by(7).cloned().collect();
    builder.history.settlements.extend(again);
    let unstored = format!("all/1/{}", T0 + (FIRES - 1) * 1_000);
    builder.history.settlements.retain(|settlement| settlement.key() != unstored);
    builder.history
}

/// Positions to spoil, spread by the seed: any fire that nothing disturbs.
fn calm_fire(seed: u64) -> Fire {
    Fire::Scheduled(T0 + 1_000 * (1 + (seed * 5 + 2) % 17) as Millis)
}

/// The records of a fire of an item.
fn records<'a>(
    history: &'a mut History,
    job: &'a str,
    item: Item,
    fire: &Fire,
) -> impl Iterator<Item = &'a mut Record> {
    let fire = fire.to_string();
    history.records.iter_mut().filter(move |r| r.job == job && r.item == item && r.fire == fire)
}

/// The settlement of a fire of an item.
fn settlement<'a>(history: &'a mut History, job: &str, item: Item, fire: &Fire) -> &'a mut Settlement {
    history
        .settlements
        .iter_mut()
        .find(|s| s.job.as_str() == job && s.item == item && s.fire == *fire)
        .unwrap()
}

fn unsettle(history: &mut History, job: &str, item: Item, fire: &Fire) {
    history.settlements.retain(|s| s.job.as_str() != job || s.item != item || s.fire != *fire);
}

/// A copy of the run of a fire, with another id, starting so many milliseconds later.
fn second_run(history: &mut History, job: &str, fire: &Fire, later: Millis, attempt: u32) {
    let mut copy: Vec<_> = records(history, job, 0, fire).map(|record| record.clone()).collect();
    for record in &mut copy {
        record.run = RunId(7).to_string();
        record.attempt = attempt;
        record.wall_ms += later;
        record.mono_ns += later as u64 * 1_000_000;
    }
    history.records.extend(copy);
}

/// Whether a run was made by the one trigger, 400 ms after a due instant.
fn triggered(record: &Record) -> bool {
    record.fire.ends_with("400")
}

type Spoil = fn(&mut History, Fire);

/// The ways to spoil a history, and the check that has to see each.
const SPOILED: &[(&str, Check, Spoil)] = &[
    ("a fire that nobody ran or recorded", Check::Disposition, |h, fire| {
        unsettle(h, "once", 0, &fire);
        h.records.retain(|r| r.job != "once" || r.item != 0 || r.fire != fire.to_string());
    }),
    ("a run that never ended and that nobody recorded", Check::Disposition, |h, fire| {
        unsettle(h, "all", 0, &fire);
        h.records
            .retain(|r| r.kind != Kind::End || r.job != "all" || r.item != 0 || r.fire != fire.to_string());
    }),
    ("a gap in a range of coalesced fires", Check::Disposition, |h, _| {
        let range = settlement(h, "once", 0, &Fire::Scheduled(T0 + 23_000));
        range.range = Some((T0 + 22_000, 2));
    }),
    ("a range that counts wrongly", Check::Disposition, |h, _| {
        settlement(h, "skip", 1, &Fire::Scheduled(T0 + 24_000)).range = Some((T0 + 21_000, 3));
    }),
    ("a range that was due to hold fires that ran", Check::Disposition, |h, _| {
        settlement(h, "once", 0, &Fire::Scheduled(T0 + 23_000)).range = Some((T0 + 19_000, 5));
    }),
    ("two nodes that record different outcomes of one fire", Check::Disposition, |h, fire| {
        let mut other = settlement(h, "skip", 0, &fire).clone();
        other.outcome = Outcome::Skipped { reason: "busy".into() };
        h.settlements.push(other);
    }),
    ("two successes of different runs recorded for one fire", Check::Disposition, |h, fire| {
        let mut other = settlement(h, "all", 0, &fire).clone();
        other.run_id = Some(RunId(9));
        h.settlements.push(other);
    }),
    ("a fire recorded as missed that ran to its end", Check::Disposition, |h, fire| {
        let missed = settlement(h, "skip", 1, &fire);
        missed.outcome = Outcome::Missed { reason: "nobody there".into() };
        missed.run_id = None;
    }),
    ("an acknowledged trigger that was lost", Check::Disposition, |h, _| {
        h.settlements.retain(|s| !matches!(s.fire, Fire::Trigger { .. }) || s.item != 1);
        h.records.retain(|r| !triggered(r) || r.item != 1);
    }),
    ("a success without a run", Check::Truth, |h, fire| {
        h.records.retain(|r| r.job != "once" || r.item != 1 || r.fire != fire.to_string());
    }),
    ("a success of a run that failed", Check::Truth, |h, fire| {
        records(h, "all", 0, &fire).filter(|r| r.kind == Kind::End).for_each(|r| r.code = Some(3));
    }),
    ("a success of a run that was killed", Check::Truth, |h, fire| {
        h.records
            .retain(|r| r.kind != Kind::End || r.job != "skip" || r.item != 0 || r.fire != fire.to_string());
    }),
    ("a failure of a run that succeeded", Check::Truth, |h, fire| {
        settlement(h, "once", 0, &fire).outcome =
            Outcome::Failed { kind: FailureKind::Job, reason: "exit code 1".into() };
    }),
    ("a timeout without a run", Check::Truth, |h, fire| {
        settlement(h, "once", 1, &fire).outcome =
            Outcome::Failed { kind: FailureKind::Timeout, reason: "too long".into() };
        h.records.retain(|r| r.job != "once" || r.item != 1 || r.fire != fire.to_string());
    }),
    ("a coalesced fire of a job that runs all", Check::Truth, |h, fire| {
        let coalesced = settlement(h, "all", 0, &fire);
        coalesced.outcome = Outcome::Coalesced { into: Fire::Scheduled(fire.time() + 1_000) };
        coalesced.run_id = None;
        h.records.retain(|r| r.job != "all" || r.item != 0 || r.fire != fire.to_string());
    }),
    ("a fire missed for no reason by a job that runs all", Check::Truth, |h, fire| {
        let missed = settlement(h, "all", 0, &fire);
        missed.outcome = Outcome::Missed { reason: "tired".into() };
        missed.run_id = None;
        h.records.retain(|r| r.job != "all" || r.item != 0 || r.fire != fire.to_string());
    }),
    ("a fire coalesced into an earlier one", Check::Truth, |h, _| {
        settlement(h, "once", 1, &Fire::Scheduled(T0 + 23_000)).outcome =
            Outcome::Coalesced { into: Fire::Scheduled(T0 + 20_000) };
    }),
    ("a start that is too late", Check::Lateness, |h, fire| {
        for record in records(h, "once", 0, &fire) {
            record.wall_ms += 800;
            record.mono_ns += 800_000_000;
        }
    }),
    ("a fire that succeeds twice without a fault", Check::Twice, |h, fire| {
        second_run(h, "all", &fire, 300, 2);
    }),
    ("two runs of an item at once", Check::Overlap, |h, fire| second_run(h, "once", &fire, 30, 2)),
    ("a killed run whose process lives on beside its successor", Check::Overlap, |h, _| {
        let mut beat = records(h, "all", 1, &Fire::Scheduled(T0 + 20_000)).nth(1).unwrap().clone();
        beat.mono_ns = MONO0 + 24_110 * 1_000_000;
        beat.wall_ms = T0 + 24_110;
        h.records.push(beat);
    }),
    ("a descendant that outlives its run", Check::Overlap, |h, fire| {
        let mut child = records(h, "skip", 0, &fire).last().unwrap().clone();
        child.kind = Kind::Child;
        child.code = None;
        child.mono_ns += 1_500_000_000;
        h.records.push(child);
    }),
    ("a run that found its item's lock taken", Check::Overlap, |h, fire| {
        let mut overlap = records(h, "skip", 1, &fire).next().unwrap().clone();
        overlap.kind = Kind::Overlap;
        h.records.push(overlap);
    }),
    ("a token that goes down", Check::Token, |h, fire| {
        records(h, "once", 0, &fire).for_each(|r| r.token = 1);
        settlement(h, "once", 0, &fire).token = 1;
    }),
    ("a token that is used twice", Check::Token, |h, _| {
        let first = records(h, "all", 0, &Fire::Scheduled(T0)).next().unwrap().token;
        records(h, "all", 0, &Fire::Scheduled(T0 + 1_000)).for_each(|r| r.token = first);
        settlement(h, "all", 0, &Fire::Scheduled(T0 + 1_000)).token = first;
    }),
    ("an attempt whose number does not grow", Check::Token, |h, _| {
        let fire = Fire::Scheduled(T0 + 20_000);
        records(h, "all", 0, &fire).for_each(|r| r.attempt = 1);
        settlement(h, "all", 0, &fire).attempt = 1;
    }),
    ("a settlement with the token of another claim", Check::Token, |h, fire| {
        settlement(h, "skip", 0, &fire).token += 1;
    }),
    ("a run that was not due", Check::Phantom, |h, fire| {
        records(h, "once", 1, &fire).for_each(|r| r.fire = (fire.time() - 1).to_string());
    }),
    ("a run before its instant", Check::Phantom, |h, fire| {
        for record in records(h, "once", 1, &fire) {
            record.wall_ms -= 100;
            record.mono_ns -= 100_000_000;
        }
    }),
    ("a run of an item that the job does not have", Check::Phantom, |h, fire| {
        let mut copy: Vec<_> = records(h, "once", 1, &fire).map(|record| record.clone()).collect();
        copy.iter_mut().for_each(|r| r.item = 2);
        h.records.extend(copy);
    }),
    ("a run that starts twice", Check::Phantom, |h, fire| {
        let mut start = records(h, "all", 0, &fire).next().unwrap().clone();
        start.mono_ns += 1;
        h.records.push(start);
    }),
    ("a trigger that nobody asked for", Check::Phantom, |h, _| h.triggers.clear()),
    ("a trigger that ran twice", Check::Phantom, |h, _| {
        let mut copy: Vec<_> = h.records.iter().filter(|r| triggered(r) && r.item == 0).cloned().collect();
        for record in &mut copy {
            record.fire.push_str("/x");
            record.run = RunId(3).to_string();
            record.mono_ns += 100_000_000;
            record.wall_ms += 100;
        }
        h.records.extend(copy);
    }),
    ("a run that ended and is nowhere on record though its item went on", Check::Disposition, |h, fire| {
        let missing = format!("all/0/{}", fire.time());
        h.settlements.retain(|settlement| settlement.key() != missing);
    }),
    ("a settled instant that was not due", Check::Phantom, |h, fire| {
        let mut odd = settlement(h, "skip", 0, &fire).clone();
        odd.fire = Fire::Scheduled(fire.time() + 500);
        odd.outcome = Outcome::Skipped { reason: "busy".into() };
        h.settlements.push(odd);
    }),
    ("an item that stays dead after healing", Check::Convergence, |h, _| {
        h.records.retain(|r| r.job != "skip" || r.item != 1 || r.wall_ms < T0 + 24_000);
    }),
    ("an item that comes back too late after healing", Check::Convergence, |h, _| {
        h.healed = Some((T0 + 24_500, 400));
    }),
];

#[test]
fn a_good_history_passes_and_is_counted() {
    let report = check(&good());
    assert!(report.passed(), "{report}");
    assert_eq!((report.fires, report.outcomes["coalesced"], report.outcomes["missed"]), (240, 6, 8));
    assert_eq!((report.outcomes["failed"], report.outcomes["unrecorded"]), (2, 1));
    assert_eq!((report.runs, report.runs - report.completed), (6 * 40 - 6 - 8 + 4 + 2, 6));
    assert_eq!(report.calm, Lateness { count: report.calm.count, p50: 7, p99: 7, max: 7 });
}

#[test]
fn each_way_to_spoil_a_history_is_seen_by_its_check() {
    for (what, expected, spoil) in SPOILED {
        for seed in 0..8 {
            let mut history = good();
            spoil(&mut history, calm_fire(seed));
            let report = check(&history);
            assert!(report.count(*expected) > 0, "{what} (seed {seed}) is not seen:\n{report}");
        }
    }
}

#[test]
fn the_order_of_records_and_settlements_in_the_files_changes_nothing() {
    for (what, _, spoil) in SPOILED {
        let mut history = good();
        spoil(&mut history, calm_fire(1));
        let forward = check(&history);
        history.records.reverse();
        history.records.sort_by_key(|record| record.run.clone());
        let sorted = check(&history);
        let kinds = |report: &Report| report.violations.iter().map(|v| (v.check, v.item)).collect::<Vec<_>>();
        assert_eq!(kinds(&forward), kinds(&sorted), "{what}");
    }
}

#[test]
fn a_success_that_a_fault_hid_may_be_followed_by_another() {
    let mut history = good();
    let fire = Fire::Scheduled(T0 + 20_000);
    let end = records(&mut history, "all", 0, &fire).nth(2).unwrap().clone();
    history.records.push(Record { kind: Kind::End, code: Some(0), mono_ns: end.mono_ns + 1, ..end });
    let report = check(&history);
    assert!(report.passed(), "{report}");
}

#[test]
fn a_report_says_in_words_what_is_wrong_and_does_not_drown_the_reader() {
    let mut history = good();
    history.settlements.retain(|settlement| matches!(settlement.fire, Fire::Trigger { .. }));
    history.records.retain(|record| record.job != "once");
    let text = check(&history).to_string();
    assert!(
        text.contains("C1 Disposition: once/0: fire 1700000000000 has no outcome; it never ran"),
        "{text}"
    );
    assert!(text.contains("C1: 90 in all") && text.ends_with("FAILED"), "{text}");
    assert!(text.lines().count() < 40, "{text}");
}
