//! Runs: put together from their records, and judged among themselves.

use super::{Check, History, Lateness, Report, Violation};
use crate::record::{Kind, Record};
use clockwright_model::{Fire, Item, Millis, RunId, Token};
use clockwright_planner::invariants::{ObservedRun, m_s4_one_unfenced_run, m_s6_attempts_grow};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One run, as its own records tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, as written.
    pub id: String,
    /// Its fire.
    pub fire: Fire,
    /// Its attempt.
    pub attempt: u32,
    /// Its token.
    pub token: Token,
    /// Its start: `CLOCK_MONOTONIC`, nanoseconds.
    pub start_ns: u64,
    /// Its last sign of life, its descendants' included: `CLOCK_MONOTONIC`, nanoseconds.
    pub last_ns: u64,
    /// Its start, epoch milliseconds.
    pub start: Millis,
    /// Its last sign of life, epoch milliseconds.
    pub last: Millis,
    /// Its exit code, when it came to its end.
    pub code: Option<i32>,
    /// It found the lock of its item held by another live process.
    pub overlap: bool,
}

impl Run {
    /// True when it came to its end and that was good.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// True when this is the run that a settlement names.
    #[must_use]
    pub fn is(&self, id: RunId) -> bool {
        RunId::parse(&self.id) == Some(id)
    }
}

/// The runs of each item in the order of their start.
pub(super) type Runs = BTreeMap<(String, Item), Vec<Run>>;

/// Puts the records of each run together. Records that belong to no started run are violations.
///
/// A program is told the instant of its fire and not the id of a trigger, so a run at an instant at which a trigger of
/// its item is settled is taken for that trigger's, unless the instant was due as well.
pub(super) fn collect(history: &History) -> (Runs, Vec<Violation>) {
    let triggers = triggers(history);
    let mut order: Vec<&Record> = history.records.iter().collect();
    // A start sorts before other records of the same instant, so that a clock tick cannot make a run look headless; the
    // rest makes the order one, whatever order the lines had.
    order.sort_by_key(|r| (r.mono_ns, r.kind != Kind::Start, &r.job, r.item, &r.run));
    let mut runs = Runs::new();
    let mut started = HashSet::new();
    let mut places = HashMap::<(&str, Item, &str), usize>::new();
    let mut strays = Vec::new();
    let mut stray = |record: &Record, check, text: String| {
        strays.push(Violation { check, job: record.job.clone(), item: record.item, text });
    };
    for record in order {
        let Ok(fire) = record.fire() else {
            stray(record, Check::Phantom, format!("run {} has the fire `{}`", record.run, record.fire));
            continue;
        };
        let fire = match (&fire, triggers.get(&(record.job.as_str(), record.item, fire.time()))) {
            (Fire::Scheduled(_), Some(trigger)) => (*trigger).clone(),
            _ => fire,
        };
        let runs = runs.entry((record.job.clone(), record.item)).or_default();
        let key = (record.job.as_str(), record.item, record.run.as_str());
        match (record.kind, places.get(&key)) {
            (Kind::Start, _) if !started.insert(&record.run) => {
                stray(record, Check::Phantom, format!("run {} started twice", record.run));
            }
            (Kind::Start, _) => {
                places.insert(key, runs.len());
                runs.push(begun(record, fire));
            }
            (_, Some(&place)) => {
                let run = &mut runs[place];
                run.last_ns = run.last_ns.max(record.mono_ns);
                run.last = run.last.max(record.wall_ms);
                run.code = run.code.or(record.code);
                run.overlap |= record.kind == Kind::Overlap;
            }
            (_, None) => stray(record, Check::Phantom, format!("run {} never started", record.run)),
        }
    }
    runs.retain(|_, runs| !runs.is_empty());
    (runs, strays)
}

/// The settled triggers by job, item and instant, without those at due instants.
fn triggers(history: &History) -> HashMap<(&str, Item, Millis), &Fire> {
    let due = |job: &str, at| {
        history.plans.iter().any(|plan| plan.job == job && plan.due.binary_search(&at).is_ok())
    };
    let settled = history.settlements.iter().map(|s| ((s.job.as_str(), s.item, s.fire.time()), &s.fire));
    let triggers = settled.filter(|(_, fire)| matches!(fire, Fire::Trigger { .. }));
    triggers.filter(|((job, _, at), _)| !due(job, *at)).collect()
}

fn begun(record: &Record, fire: Fire) -> Run {
    Run {
        id: record.run.clone(),
        fire,
        attempt: record.attempt,
        token: record.token,
        start_ns: record.mono_ns,
        last_ns: record.mono_ns,
        start: record.wall_ms,
        last: record.wall_ms,
        code: None,
        overlap: false,
    }
}

/// C5 and C6: no two of an item's runs overlap, and their tokens and attempts grow; M-S2, M-S4 and M-S6 of the invariants.
pub(super) fn check_among_themselves(report: &mut Report, job: &str, item: Item, runs: &[Run]) {
    let seen: Vec<ObservedRun> = runs.iter().map(observed).collect();
    for violation in m_s4_one_unfenced_run(&seen) {
        report.violation(Check::Overlap, job, item, violation.message);
    }
    for run in runs.iter().filter(|run| run.overlap) {
        let text = format!("{} found the item's lock held by a live process", name(run));
        report.violation(Check::Overlap, job, item, text);
    }
    for violation in m_s6_attempts_grow(&seen) {
        report.violation(Check::Token, job, item, violation.message);
    }
}

fn observed(run: &Run) -> ObservedRun {
    ObservedRun {
        name: name(run),
        fire: run.fire.clone(),
        attempt: run.attempt,
        token: run.token,
        start: run.start_ns,
        end: run.last_ns,
    }
}

/// C3, and the numbers of the report.
pub(super) fn measure_lateness(report: &mut Report, history: &History, runs: &Runs) {
    let (mut calm, mut all) = (Vec::new(), Vec::new());
    for ((job, item), runs) in runs {
        for run in runs.iter().filter(|run| run.attempt == 1) {
            let Fire::Scheduled(due) = run.fire else { continue };
            let late = run.start - due;
            all.push(late);
            let shaken =
                history.nemesis.iter().any(|n| n.from <= run.start && due <= n.to + history.aftermath);
            if shaken {
                continue;
            }
            calm.push(late);
            if let Some(limit) = history.lateness_limit.filter(|limit| late > *limit) {
                let text = format!("{} started {late} ms late, more than {limit} ms", name(run));
                report.violation(Check::Lateness, job, *item, text);
            }
        }
    }
    report.calm = Lateness::of(calm);
    report.all = Lateness::of(all);
}

/// How a run is named in words.
pub(super) fn name(run: &Run) -> String {
    format!("run {} (fire {}, attempt {})", run.id, run.fire, run.attempt)
}
