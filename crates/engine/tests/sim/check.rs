//! What is checked while a simulation runs: the invariants, shown to them by a [`Witness`], and what one sees only from around
//! the cores: what they put on record, how often they ask, and whether what should end ends.

use super::beside::Beside;
use super::witness::Witness;
use clockwright_engine::core::Firing;
use clockwright_fleet::keys::Keys;
use clockwright_model::{Event as Record, Item, JobName, JobSettings, Millis, RunId, Settlement, TaskState};
use clockwright_planner::invariants::Violation;
use clockwright_testkit::sim::Txn;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A process: the engine's number and which of its lives it is.
pub type Life = (usize, u64);

pub struct Checker {
    pub witness: Witness,
    /// What is promised beside Java peers.
    pub beside: Beside,
    pub starts: u64,
    /// After how long the writer of the transaction that is looked at has heard of a change, if it loses no hints.
    pub hears: Option<Millis>,
    violation: Option<String>,
    lost_data: bool,
    /// The last run of each item that was over, and when.
    over: BTreeMap<(JobName, Item), (RunId, Millis)>,
    /// Firings that a process put on record as begun and not as ended, by task, and since when.
    firings: BTreeMap<(Life, Arc<str>), Vec<Millis>>,
    /// Runs whose begin, and whose end, is on record.
    begun: HashSet<RunId>,
    ended: HashSet<RunId>,
    /// Transactions that a process heard to be carried out.
    heard: BTreeSet<i64>,
    /// How often each process wrote the settings of a job.
    configured: BTreeMap<(Life, JobName), u32>,
    /// How many commits of a process were denied in a row.
    denied: BTreeMap<Life, u32>,
}

impl Checker {
    pub fn new(keys: Keys, jobs: &[JobSettings]) -> Self {
        Self {
            witness: Witness::new(keys, jobs, super::shell::TOLERANCE),
            beside: Beside::default(),
            starts: 0,
            hears: None,
            violation: None,
            lost_data: false,
            over: BTreeMap::new(),
            firings: BTreeMap::new(),
            begun: HashSet::new(),
            ended: HashSet::new(),
            heard: BTreeSet::new(),
            configured: BTreeMap::new(),
            denied: BTreeMap::new(),
        }
    }

    pub fn fail(&mut self, invariant: &str, words: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(format!("{invariant}: {}", words.into()));
        }
    }

    fn see(&mut self, seen: Result<(), Violation>) {
        if let Err(violation) = seen
            // Once the registry has forgotten, nobody can know what had happened already. Tokens grow on, and nothing overlaps.
            && (!self.lost_data
                || matches!(violation.id, "M-S4" | "M-S9")
                || violation.message.contains("the token"))
        {
            self.fail(violation.id, violation.message);
        }
    }

    pub fn violation(&mut self) -> Option<String> {
        self.violation.take()
    }

    /// A transaction was carried out.
    pub fn observe(&mut self, txn: &Txn, wall: Millis) {
        let seen = self.witness.observe(txn, wall, self.hears);
        self.see(seen);
    }

    /// A Java process has this session, and takes part in a job.
    pub fn java_connects(&mut self, session: i64, job: &JobName) {
        self.witness.java.insert(session);
        self.witness.history.shared(job);
    }

    /// The registry lost data: what came of it before may come again.
    pub fn data_lost(&mut self, txn: &Txn, wall: Millis) {
        self.lost_data = true;
        self.witness.data_lost(txn, wall);
    }

    /// A firing begins.
    pub fn begin(&mut self, firing: &Firing) {
        let runs: Vec<_> = firing.runs.iter().map(|run| &run.context).collect();
        let runs: Vec<_> = runs.iter().map(|run| (run.item, &run.fire, run.attempt, run.source)).collect();
        let seen = self.witness.history.begun(firing.whole, &runs);
        self.see(seen);
    }

    /// A run's code begins.
    pub fn start(&mut self, job: &JobName, item: Item, run_id: RunId, token: i64) {
        self.starts += 1;
        let seen = self.witness.history.started(job, item, run_id, token);
        self.see(seen);
    }

    /// A run's code is over.
    pub fn stop(&mut self, job: &JobName, item: Item, run_id: RunId, wall: Millis) {
        self.over.insert((job.clone(), item), (run_id, wall));
        self.witness.history.stopped(job, item, run_id);
    }

    /// A session has ended by its timeout.
    pub fn expired(&mut self, session: i64) {
        let seen = self.witness.history.expired(session);
        self.see(seen);
    }

    /// A settlement became durable.
    pub fn record(&mut self, settlement: &Settlement) {
        if let Some(policy) = self.witness.history.settings(&settlement.job)
            && self.witness.history.is_shared(&settlement.job)
            && let Err(words) = self.beside.says_nothing_of_java(settlement, &policy.schedule)
        {
            self.fail("J4", words);
        }
        let seen = self.witness.history.recorded(settlement);
        self.see(seen);
    }

    /// A process put something else on record.
    pub fn trace(&mut self, life: Life, record: &Record) {
        match record {
            Record::Execution(run) => {
                let which = if run.complete.is_some() { &mut self.ended } else { &mut self.begun };
                which.insert(run.id);
            }
            Record::Status(status) => {
                let open = self.firings.entry((life, status.task_id.clone())).or_default();
                match status.state {
                    TaskState::Staging => open.push(status.at),
                    TaskState::Running => {}
                    // The latest: one that nobody ever ends is not hidden by others of its task.
                    _ => drop(open.pop()),
                }
            }
            Record::Settlement(_) | Record::Change(_) => {}
        }
    }

    /// A process learned that its transaction was carried out.
    pub fn heard(&mut self, life: Life, transaction: i64) {
        self.heard.insert(transaction);
        self.denied.remove(&life);
    }

    /// Whether the process that asked for a transaction learned that it was carried out.
    pub fn was_heard(&self, transaction: i64) -> bool {
        self.heard.contains(&transaction)
    }

    /// Where the registry denies, asking again at once does not help: each further try waits longer.
    pub fn denied(&mut self, life: Life, jobs: usize) {
        let times = self.denied.entry(life).or_default();
        *times += 1;
        // Each item may have a commit of its own, with waits that double from 200 ms on, for some seconds.
        if *times > jobs as u32 * 60 {
            let words = format!("engine {} was denied {times} times in a row, and goes on asking", life.0);
            self.fail("L7", words);
        }
    }

    /// A process serves a job again: that is another start of it.
    pub fn adds(&mut self, life: Life, job: &JobName) {
        self.configured.remove(&(life, job.clone()));
    }

    /// A process wrote the settings of a job.
    pub fn configures(&mut self, life: Life, job: &JobName) {
        let times = self.configured.entry((life, job.clone())).or_default();
        *times += 1;
        if *times > 1 && !self.lost_data {
            self.fail("L8", format!("engine {} wrote the settings of {job} more than once", life.0));
        }
    }

    /// The run was over at least so long ago, and was the item's last.
    pub fn rests(&self, job: &JobName, item: Item, run: RunId, wall: Millis, least: Millis) -> bool {
        self.over.get(&(job.clone(), item)).is_some_and(|(last, at)| *last == run && *at < wall - least)
    }

    /// What is on record at the end is whole; `lives` are the processes that are there.
    pub fn records_are_complete(&mut self, lives: &[Life], wall: Millis) {
        let seen = self.witness.history.complete();
        self.see(seen);
        for ((life, task), open) in self.firings.iter().filter(|((life, _), _)| lives.contains(life)) {
            if let Some(since) = open.iter().find(|since| **since < wall - 8_000) {
                let words = format!("a firing of {task} at engine {} is open since {since}", life.0);
                return self.fail("L9", words);
            }
        }
        if self.lost_data {
            return;
        }
        let forgotten = |(run, by): &&(RunId, i64)| {
            self.heard.contains(by) && self.begun.contains(run) && !self.ended.contains(run)
        };
        let forgotten = self.witness.passed_over.iter().find(forgotten);
        if let Some((run, by)) = forgotten {
            let words = format!("run {run} was passed over by {by}, and nobody put its end on record");
            self.fail("L9", words);
        }
    }
}
