//! Judges a history: what the jobs wrote about themselves, beside what the schedulers recorded as outcomes.
//!
//! Pure and deterministic; O(n log n) in the number of records, settlements and due instants.
//!
//! # What is compared
//! * **Due instants** come from the planner (or from arithmetic), never from the history: a lost fire leaves no trace.
//! * **Runs** come from the job programs' own log. A run is the records that share a run id. Its interval goes from its
//!   start record to its last sign of life: the end record, or for a killed run its last beat. That is a lower bound for
//!   the true end, so an overlap that is found is real. Descendants of a run belong to it.
//! * **The rules** are those of `clockwright_planner::invariants` wherever one of them says it; what is compared here is what only
//!   real processes have: their own witness, clocks, and what is on disk after they were killed.
//! * **Settlements** come from the event stores of all nodes. The same settlement in several stores is one.
//! * **Nemesis** intervals say when something was broken on purpose, and excuse lateness and a second attempt at a fire
//!   that had ended without being reported. They excuse nothing else.
//!
//! # What is proved
//! See [`Check`]; each has its own words for what is wrong, and each is itself tested with histories that are wrong in
//! just one way.

mod outcomes;
mod runs;
#[cfg(test)]
mod tests;

use crate::record::Record;
use clockwright_model::{Item, Millis, Misfire, Settlement};
use clockwright_planner::invariants::Dispositions;
use std::collections::BTreeMap;
use std::fmt;

pub use runs::Run;

/// Judges a history.
#[must_use]
pub fn check(history: &History) -> Report {
    let mut report = Report::default();
    let (runs, strays) = runs::collect(history);
    report.violations.extend(strays);
    for run in runs.values().flatten() {
        report.runs += 1;
        report.completed += u64::from(run.code.is_some());
    }
    let known: BTreeMap<&str, &Plan> = history.plans.iter().map(|plan| (plan.job.as_str(), plan)).collect();
    for ((job, item), runs) in &runs {
        match known.get(job.as_str()) {
            Some(plan) if *item < plan.items => {}
            _ => report.violation(
                Check::Phantom,
                job,
                *item,
                format!("{} runs of an unknown item", runs.len()),
            ),
        }
        runs::check_among_themselves(&mut report, job, *item, runs);
    }
    let none = Vec::new();
    let nothing = Dispositions::default();
    let settled = outcomes::by_item(history, &known, &mut report);
    for plan in &history.plans {
        for item in 0..plan.items {
            let key = (plan.job.clone(), item);
            let runs = runs.get(&key).unwrap_or(&none);
            outcomes::check(&mut report, history, plan, item, runs, settled.get(&key).unwrap_or(&nothing));
            outcomes::check_convergence(&mut report, history, plan, item, runs);
        }
    }
    runs::measure_lateness(&mut report, history, &runs);
    report
        .violations
        .sort_by(|a, b| (a.check, &a.job, a.item, &a.text).cmp(&(b.check, &b.job, b.item, &b.text)));
    report
}

/// Everything that is known about one scenario.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What should have happened.
    pub plans: Vec<Plan>,
    /// What the jobs wrote.
    pub records: Vec<Record>,
    /// What the nodes recorded, of all stores together.
    pub settlements: Vec<Settlement>,
    /// When something was broken on purpose.
    pub nemesis: Vec<Nemesis>,
    /// The manual triggers.
    pub triggers: Vec<Triggers>,
    /// When everything was whole again, and how long each item may then take until it completes a run; epoch
    /// milliseconds and milliseconds. `None` when the scenario has no such moment.
    pub healed: Option<(Millis, Millis)>,
    /// The greatest lateness of a fire that no nemesis touches, milliseconds; `None` is no limit.
    pub lateness_limit: Option<Millis>,
    /// How long after a nemesis interval lateness is still its effect, milliseconds.
    pub aftermath: Millis,
}

/// What one job should have done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The job's name.
    pub job: String,
    /// How many items it has.
    pub items: u32,
    /// What happens to late fires.
    pub misfire: Misfire,
    /// Each instant at which it may fire, ascending, epoch milliseconds.
    pub due: Vec<Millis>,
    /// First and last instant that must have an outcome; those of `due` outside may have one (they are too close to the
    /// job's start or stop).
    pub required: (Millis, Millis),
}

impl Plan {
    /// The due instants of a cron like `0/N * * * * ?`: each multiple of `period` from `from` to `to`, both included.
    #[must_use]
    pub fn every(period: Millis, from: Millis, to: Millis) -> Vec<Millis> {
        (from.div_euclid(period)..=to.div_euclid(period))
            .map(|n| n * period)
            .filter(|at| (from..=to).contains(at))
            .collect()
    }
}

/// Something that was broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nemesis {
    /// In words.
    pub what: String,
    /// From when, epoch milliseconds.
    pub from: Millis,
    /// Until when it was mended, epoch milliseconds.
    pub to: Millis,
}

/// The manual triggers of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggers {
    /// The job's name.
    pub job: String,
    /// How many were acknowledged: each runs once on each item.
    pub acknowledged: usize,
    /// How many may or may not have happened.
    pub unclear: usize,
}

/// What is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// C1: each due fire of each item has exactly one outcome.
    Disposition,
    /// C2: an outcome says what happened: a success has a completed run, a policy is kept.
    Truth,
    /// C3: a fire that nothing disturbs starts in time.
    Lateness,
    /// C4: a fire succeeds once, unless a fault hid the first success.
    Twice,
    /// C5: runs of one item never overlap.
    Overlap,
    /// C6: tokens and attempts only grow.
    Token,
    /// C7: nothing runs that was not due.
    Phantom,
    /// C9: after healing each item fires again.
    Convergence,
}

impl Check {
    /// Its number in the reliability specification.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Check::Disposition => "C1",
            Check::Truth => "C2",
            Check::Lateness => "C3",
            Check::Twice => "C4",
            Check::Overlap => "C5",
            Check::Token => "C6",
            Check::Phantom => "C7",
            Check::Convergence => "C9",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise it breaks.
    pub check: Check,
    /// Whose.
    pub job: String,
    /// Which item's.
    pub item: Item,
    /// In words.
    pub text: String,
}

/// The judgement.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is wrong, by check.
    pub violations: Vec<Violation>,
    /// Fires of items that had to have an outcome.
    pub fires: u64,
    /// Runs that began.
    pub runs: u64,
    /// Runs that came to an end by themselves.
    pub completed: u64,
    /// Required fires by the word of their outcome. `unrecorded` is a completed run without a settlement: its node died
    /// before it could store one, and nobody has claimed the item since.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Lateness of first attempts that no nemesis touches.
    pub calm: Lateness,
    /// Lateness of all first attempts.
    pub all: Lateness,
}

/// How late fires started, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// How many were measured.
    pub count: usize,
    /// Half were at most this late.
    pub p50: Millis,
    /// 99 of 100 were at most this late.
    pub p99: Millis,
    /// None was later.
    pub max: Millis,
}

impl Lateness {
    /// Of these measurements.
    #[must_use]
    pub fn of(mut late: Vec<Millis>) -> Self {
        late.sort_unstable();
        let at = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1)));
        let (p50, p99, max) = (at(50), at(99), late.last());
        Self {
            count: late.len(),
            p50: p50.copied().unwrap_or(0),
            p99: p99.copied().unwrap_or(0),
            max: max.copied().unwrap_or(0),
        }
    }
}

impl Report {
    pub(crate) fn violation(&mut self, check: Check, job: &str, item: Item, text: String) {
        self.violations.push(Violation { check, job: job.to_owned(), item, text });
    }

    /// True when nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations a check found.
    #[must_use]
    pub fn count(&self, check: Check) -> usize {
        self.violations.iter().filter(|violation| violation.check == check).count()
    }
}

/// How many violations of each check are spelled out.
const SHOWN: usize = 8;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} required fires, {} runs, {} completed", self.fires, self.runs, self.completed)?;
        for (word, count) in &self.outcomes {
            writeln!(f, "  {word}: {count}")?;
        }
        for (name, late) in [("undisturbed", self.calm), ("all", self.all)] {
            let Lateness { count, p50, p99, max } = late;
            writeln!(
                f,
                "lateness of {count} {name} first attempts: p50 {p50} ms, p99 {p99} ms, max {max} ms"
            )?;
        }
        let mut shown = BTreeMap::<Check, usize>::new();
        for Violation { check, job, item, text } in &self.violations {
            let shown = shown.entry(*check).or_default();
            *shown += 1;
            match *shown {
                n if n <= SHOWN => writeln!(f, "{} {check:?}: {job}/{item}: {text}", check.number())?,
                n if n == SHOWN + 1 => writeln!(f, "{}: {} in all", check.number(), self.count(*check))?,
                _ => {}
            }
        }
        write!(f, "{}", if self.passed() { "passed" } else { "FAILED" })
    }
}
