//! What is promised beside Java peers, and checked: the left column of the table in `docs/guides/from-elastic-job.md`.
//!
//! Java claims nothing and reads no cursor, so the rules about cursors that cover every instant hold among ours only, and "never twice
//! at once" is best effort. What is left of the promises is more than nothing:
//!
//! | rule | in words |
//! |---|---|
//! | J1 | who owns which item is what the strategy says, whoever leads (L2, with Java's instances among the members) |
//! | J2 | while nobody comes or goes, every instant of every item runs once, be it here or there |
//! | J3 | no plan of ours is made while something of Java's runs that it could know of |
//! | J4 | nothing is put on record as missed, skipped or made up for that Java ran to its end, while none of ours was out of the way |
//! | J5 | with failover and marks, what a dead Java peer left running runs again |
//! | J6 | nobody of ours takes the lead past a Java peer that is queueing for it |
//!
//! All other rules of [`clockwright_planner::invariants`] hold of what ours do: no two runs of ours overlap, tokens grow, whoever
//! claims holds its lease, what ends is on record.

use super::world::{Event, Sim};
use clockwright_fleet::keys::Key;
use clockwright_model::{Fire, InstanceId, Item, JobName, Millis, Reason, Settlement, ShardContext, Source};
use clockwright_planner::Schedule;
use clockwright_testkit::sim::{EPOCH, subtree};
use std::collections::BTreeMap;

/// How long after a run of Java's everybody of ours knows of it, milliseconds: longer than sessions last.
const KNOWN: Millis = 7_000;

/// How long ago a run of Java's began that a leader of ours must have seen before it plans, milliseconds.
const SEEN: Millis = 3_000;
/// How long an instance waits at most in the queue for the lead, milliseconds.
const QUEUED: Millis = 4_800;

/// A run of an item, whoever ran it.
#[derive(Debug)]
struct Ran {
    /// Of which instant it is the regular run; `None` for triggers, takeovers, repetitions and what makes up for others.
    instant: Option<Millis>,
    by: InstanceId,
    java: bool,
    begin: Millis,
    end: Option<Millis>,
    /// Its process died over it.
    died: bool,
}

/// All runs of the job in which Java peers take part.
#[derive(Default)]
pub struct Beside {
    runs: BTreeMap<Item, Vec<Ran>>,
    /// Since when nothing is in the way of any of ours, epoch milliseconds; `None` while something is.
    pub steady_since: Option<Millis>,
    /// When items were last marked as orphans.
    marked: BTreeMap<Item, Millis>,
}

impl Beside {
    pub fn java_begins(&mut self, item: Item, instant: Option<Millis>, by: &InstanceId, wall: Millis) {
        let run = Ran { instant, by: by.clone(), java: true, begin: wall, end: None, died: false };
        self.runs.entry(item).or_default().push(run);
    }

    pub fn java_ends(&mut self, item: Item, by: &InstanceId, wall: Millis) {
        self.live(by).filter(|(at, _)| **at == item).for_each(|(_, run)| run.end = Some(wall));
    }

    pub fn java_dies(&mut self, by: &InstanceId, wall: Millis) {
        self.live(by).for_each(|(_, run)| (run.end, run.died) = (Some(wall), true));
    }

    fn live<'a>(&'a mut self, by: &'a InstanceId) -> impl Iterator<Item = (&'a Item, &'a mut Ran)> {
        let runs = self.runs.iter_mut().flat_map(|(item, runs)| runs.iter_mut().map(move |run| (item, run)));
        runs.filter(move |(_, run)| run.java && run.by == *by && run.end.is_none())
    }

    /// A run of ours begins.
    pub fn begins(&mut self, context: &ShardContext, by: &InstanceId, wall: Millis) {
        let regular = context.attempt == 1 && context.source != Source::Failover;
        let instant = match context.fire {
            Fire::Scheduled(at) if regular => Some(at),
            _ => None,
        };
        let run = Ran { instant, by: by.clone(), java: false, begin: wall, end: None, died: false };
        self.runs.entry(context.item).or_default().push(run);
    }

    /// J2, of the instants in `(after, until]`.
    pub fn each_instant_ran_once(
        &self,
        schedule: &Schedule,
        count: Item,
        (after, until): (Millis, Millis),
    ) -> Result<(), String> {
        for item in 0..count {
            let runs = self.runs.get(&item).map_or(&[][..], Vec::as_slice);
            let mut at = after;
            while let Some(next) = schedule.next_after(at).filter(|next| *next <= until) {
                let of: Vec<String> = (runs.iter().filter(|run| run.instant == Some(next)))
                    .map(|run| format!("{} at {}", run.by, run.begin))
                    .collect();
                if of.len() != 1 {
                    return Err(format!("item {item} ran {} times for {next}: {of:?}", of.len()));
                }
                at = next;
            }
        }
        Ok(())
    }

    /// J4, of an outcome that no run of ours led to.
    pub fn says_nothing_of_java(&self, settlement: &Settlement, schedule: &Schedule) -> Result<(), String> {
        let Fire::Scheduled(last) = settlement.fire else { return Ok(()) };
        let unknown =
            matches!(settlement.outcome.why(), Some(Reason::CursorGone {} | Reason::CursorWentBack {}));
        let Some(steady) = self.steady_since.filter(|_| settlement.run_id.is_none() && !unknown) else {
            return Ok(());
        };
        let first = settlement.range.map_or(last, |(first, _)| first);
        let runs = self.runs.get(&settlement.item).map_or(&[][..], Vec::as_slice);
        let is_known =
            |run: &&Ran| run.java && !run.died && (steady..settlement.at - KNOWN).contains(&run.begin);
        let mut javas = runs.iter().filter(is_known);
        let lies = javas.find(|run| {
            run.instant
                .is_some_and(|at| (first..=last).contains(&at) && schedule.next_after(at - 1) == Some(at))
        });
        match lies {
            None => Ok(()),
            Some(run) => Err(format!(
                "item {}'s instants from {first} to {last} are on record as {:?}, and {} ran {:?}",
                settlement.item, settlement.outcome, run.by, run.instant
            )),
        }
    }

    /// J5: what a dead Java peer was running is marked, or has begun again since, not only for its next instant. Where that comes before
    /// a taker does, there is nothing more to be taken.
    pub fn ran_again(&self, dead: &InstanceId) -> Result<(), String> {
        for (item, runs) in &self.runs {
            let Some(left) = runs.iter().rfind(|run| run.died && run.by == *dead) else { continue };
            let died = left.end.unwrap_or(left.begin);
            let is_marked = self.marked.get(item).is_some_and(|at| *at > died);
            if !is_marked && !runs.iter().any(|run| run.instant.is_none() && run.begin > died) {
                return Err(format!("{dead} died over item {item} at {died}, and nobody ran it again"));
            }
        }
        Ok(())
    }
}

impl Sim {
    /// Whether Java peers take part in a job.
    pub fn has_java(&self, job: &JobName) -> bool {
        !self.peers.is_empty() && self.scenario.jobs[0].name == *job
    }

    /// Since when nothing is in the way of any of ours, for J4.
    pub fn note_steadiness(&mut self) {
        let now = self.world.now;
        let there = self.engines.iter().filter(|engine| engine.core.is_some());
        let steady = there.clone().all(|engine| engine.is_steady(now) || engine.leaving) && !self.outage;
        let last = there.map(|engine| engine.unsteady_at).max().unwrap_or(0).max(self.back_at);
        self.check.beside.steady_since = steady.then_some(EPOCH + last + 3_000);
    }

    /// Looks at a transaction: plans of ours (J3), and who of ours takes the lead (J6).
    pub fn beside_java(&mut self, index: usize) {
        let Some(job) =
            self.scenario.jobs.first().map(|job| job.name.clone()).filter(|job| self.has_java(job))
        else {
            return;
        };
        let wall = self.world.wall();
        let txn = &self.leader.log[index];
        for change in txn.changes.iter().filter(|change| change.before.is_none()) {
            if let Some((of, Key::FailoverItem(item))) = self.keys.parse(&change.path)
                && of == job.as_str()
            {
                self.check.beside.marked.insert(item, wall);
            }
        }
        if txn.session == 0 || self.is_of_java(txn.session) {
            return;
        }
        let [epoch, lead] = [Key::Epoch, Key::ElectionInstance].map(|key| self.keys.of(&job, &key));
        let (mut plans, mut leads) = (false, false);
        for change in &txn.changes {
            plans |= change.path == epoch && change.before.is_some();
            leads |= change.path == lead && change.before.is_none();
        }
        if plans && self.check.hears.is_some() {
            self.plans_beside_java(&job);
        }
        if leads {
            self.leads_beside_java(&job, index);
        }
    }

    fn plans_beside_java(&mut self, job: &JobName) {
        let monitored = self.scenario.jobs[0].monitor_execution;
        let wall = self.world.wall();
        let member = |id: &InstanceId| {
            let node = self.leader.tree.get(&self.keys.of(job, &Key::Instance(id.clone())));
            node.is_some_and(|node| node.stat.created_at < wall - SEEN)
        };
        if !self.peers.iter().any(|peer| member(&peer.id)) {
            return;
        }
        let running =
            subtree(&self.leader.tree, &self.keys.of(job, &Key::Items)).into_iter().find(|(path, node)| {
                matches!(self.keys.parse(path), Some((_, Key::Running(_))))
                    && self.is_of_java(node.stat.owner)
                    && node.stat.created_at < wall - SEEN
            });
        if let Some((path, node)) = running.filter(|_| monitored) {
            let words = format!("a plan is made while Java runs {path} since {}", node.stat.created_at);
            self.check.fail("J3", words);
        }
    }

    fn leads_beside_java(&mut self, job: &JobName, index: usize) {
        let number = |name: &str| name.rsplit_once("latch-").map_or(name, |(_, number)| number).to_owned();
        let place = |path: &clockwright_registry::Path| match self.keys.parse(path) {
            Some((_, Key::ElectionLatchNode(name))) => Some(number(&name)),
            _ => None,
        };
        let txn = &self.leader.log[index];
        let mine =
            txn.changes.iter().filter(|change| change.after.is_none()).find_map(|change| place(&change.path));
        let wall = self.world.wall();
        let queue = subtree(&self.leader.tree, &self.keys.of(job, &Key::ElectionLatch));
        let passed = queue.into_iter().find(|(path, node)| {
            self.is_of_java(node.stat.owner)
                && node.stat.created_at > wall - QUEUED
                && place(path).is_some_and(|theirs| mine.as_ref().is_none_or(|mine| theirs < *mine))
        });
        if let Some((path, _)) = passed {
            self.check.fail("J6", format!("the lead is taken past {path}"));
        }
    }

    /// A Java peer dies over what it runs, and none comes in its place.
    pub fn last_java_crash(&mut self) {
        let peer = self.world.rng.below(self.peers.len());
        let (dead, session) = (self.peers[peer].id.clone(), self.peers[peer].session());
        self.kill_java(peer);
        let wait = self.scenario.timeout + 1_000;
        self.after(wait, Event::Bereaved { dead, session, lived: true });
    }

    /// J5.
    pub fn javas_work_ran_again(&mut self, dead: &InstanceId) {
        let job = &self.scenario.jobs[0];
        if job.failover && job.monitor_execution && self.has_java(&job.name) {
            let seen = self.check.beside.ran_again(dead);
            seen.unwrap_or_else(|words| self.check.fail("J5", words));
        }
    }
}
