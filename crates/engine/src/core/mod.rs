//! The engine's brain: a state machine without IO.
//!
//! ```text
//!   hints, answers, commit results, run ends, session changes, time
//!                               │ Input
//!                               ▼
//!        step: take it in, mark jobs dirty       decide: for each dirty job what is missing
//!                               │ Effect
//!                               ▼
//!   reads, commits, run starts and stops, records
//! ```
//!
//! # How it decides
//! By level, not by edge. [`Core::decide`] looks at what is believed ([`clockwright_fleet::mirror`]) and at what this process is doing, and
//! proposes the next commit for whatever differs from what should be: a missing registration, a missing leader, a plan that
//! does not fit its members, an orphaned item, a due instant, an outcome that is not written yet. Losing a hint delays a
//! decision until the next hint or the next full reading; it never changes one. The edge-triggered flags of Elastic-Job
//! (`necessary`, `processing`) are written and honoured for its instances' sake, but nothing here depends on seeing them change.
//!
//! # Time
//! [`Now::wall`] is the calendar: which instants are due. [`Now::mono`] is `CLOCK_BOOTTIME`: leases, waits and backoff. The two
//! are never mixed, so that setting the clock neither ends nor prolongs a lease.

mod change;
mod claim;
mod coordinate;
mod effective;
mod election;
mod failover;
mod firing;
mod group;
mod held;
mod history;
mod job;
mod lease;
mod marks;
mod membership;
mod mixed;
mod outcome;
mod plan;
mod port;
mod proof;
mod reading;
mod records;
mod roster;
mod surplus;
#[cfg(test)]
mod tests;
mod time;
mod trigger;
mod trouble;
mod turn;
mod us;

pub use job::ServedJob;
pub use port::{CoreOptions, Effect, Firing, Given, Input, Mutation, Notice, Now, OnRegistryLoss, RunStart};
pub use roster::Place;

use clockwright_fleet::Layout;
use clockwright_fleet::write::Write;
use clockwright_model::{Event, Item, JobName, Millis};
use clockwright_registry::{Commit, Error};
use clockwright_runtime::{RunEnd, StopReason};
use job::Job;
use std::cmp::Reverse;
use std::collections::HashMap;
use turn::Turn;
use us::Us;

/// One engine's state.
pub struct Core {
    us: Us,
    /// The jobs by their numbers. A job keeps its number; one that was removed leaves its place empty for another.
    jobs: Vec<Option<Job>>,
    by_name: HashMap<JobName, usize>,
    left: bool,
}

/// Full readings of jobs under way at once: enough to keep a registry busy.
const LOADS_AT_ONCE: usize = 64;

/// What an in-flight commit is for.
struct Pending {
    job: usize,
    purpose: Purpose,
    writes: Vec<Write>,
}

/// See [`Pending`].
enum Purpose {
    /// One of the job's coordination steps; a conflict leads to a fresh reading of the whole job.
    Coordinate(group::Step),
    /// Claims of items; with them the place in a latch's queue is left, if this instance had one.
    Claim { consequences: Vec<change::Consequence>, leaves_latch: bool },
    /// Outcomes of items.
    Complete(Vec<Item>),
    /// Cursors move on without a run.
    Advance(Vec<change::Consequence>),
    /// A misfire mark.
    Mark(Item),
}

impl Core {
    /// An engine that will run these jobs. Their numbers are their positions.
    #[must_use]
    pub fn new(options: CoreOptions, jobs: Vec<Given>) -> Self {
        let by_name = jobs.iter().enumerate().map(|(number, given)| (given.name().clone(), number)).collect();
        let jobs = jobs.into_iter().enumerate().map(|(number, given)| Some(Job::new(number, given, 0)));
        Self { us: Us::new(options), jobs: jobs.collect(), by_name, left: false }
    }

    /// Takes in what happened. Call [`decide`](Self::decide) when no more inputs are at hand.
    pub fn step(&mut self, input: Input, now: Now) {
        let now = self.us.time(now);
        match input {
            Input::Connected { session, timeout, generation, lease_sent, layout, managed } => {
                self.us.managed = managed;
                self.connected(us::Terms { session, timeout, generation }, lease_sent, layout, now);
            }
            Input::SessionLost => self.session_lost(now),
            Input::Hint(hint) => self.hint(hint, now),
            Input::Nodes { id, nodes, paths } => self.nodes(id, nodes, &paths, now),
            Input::Tree { id, root, nodes } => self.tree(id, &root, nodes, now),
            Input::Committed { id, result } => self.committed(id, result, now),
            Input::Renewed { sent, result } => self.renewed(sent, &result, now),
            Input::Timeout(timeout) => self.timeout_changed(timeout),
            Input::RunEnded { run, end } => self.run_ended(run, end, now),
            Input::Stored { settlements } => self.us.stored = self.us.stored.max(settlements),
            Input::Refresh(job) => self.refresh(job, now),
            Input::Add { job, given } => self.add(job, given, now),
            Input::Remove { job, until } => self.remove(job, until, now),
            Input::Shutdown => self.shutdown(now),
            Input::ShutdownNow => self.shutdown_now(now),
        }
    }

    /// Decides for all that changed or whose time has come, and returns what is to be done, in order.
    pub fn decide(&mut self, now: Now) -> Vec<Effect> {
        let now = self.us.time(now);
        self.keep_lease(now);
        while self.us.wall_timers.peek().is_some_and(|entry| entry.0.0 <= now.wall) {
            let Some(Reverse((_, job))) = self.us.wall_timers.pop() else { break };
            if let Some(mut turn) = self.turn(job as usize, now) {
                turn.job.armed_wall = None;
                turn.touch();
            }
        }
        while self.us.mono_timers.peek().is_some_and(|entry| entry.0.0 <= now.mono) {
            let Some(Reverse((_, job))) = self.us.mono_timers.pop() else { break };
            if let Some(mut turn) = self.turn(job as usize, now) {
                turn.job.armed_mono = None;
                turn.touch();
            }
        }
        let mut dirty = std::mem::take(&mut self.us.dirty);
        for job in dirty.drain(..) {
            if let Some(mut turn) = self.turn(job, now) {
                turn.job.dirty = false;
                turn.stop_overdue();
                turn.decide();
                turn.count_watches();
            }
            self.forget_if_gone(job, now);
        }
        if self.us.dirty.is_empty() {
            self.us.dirty = dirty;
        }
        self.start_loads();
        self.leave_if_done();
        std::mem::take(&mut self.us.out)
    }

    /// When [`decide`](Self::decide) wants to be called again at the latest, in milliseconds from `now`.
    #[must_use]
    pub fn next_wake(&self, now: Now) -> Millis {
        let us = &self.us;
        let now = us.time(now);
        let mut wait = us.lease.next_wake().map_or(30_000, |at| at - now.mono);
        if !us.dirty.is_empty() {
            return 0;
        }
        if let Some(Reverse((at, _))) = us.wall_timers.peek() {
            wait = wait.min(at - now.wall);
        }
        if let Some(Reverse((at, _))) = us.mono_timers.peek() {
            wait = wait.min(at - now.mono);
        }
        wait.clamp(0, 30_000)
    }

    /// Whether hints about `running` marks and cursors matter now. They change with every run, and matter only while somebody
    /// else's run is waited for; a shell need not pass them on otherwise. It must ask after each [`decide`](Self::decide) and
    /// before it carries out the effects: the reading that begins a wait is among them.
    #[must_use]
    pub fn wants_run_hints(&self) -> bool {
        self.us.watching_jobs > 0
    }

    /// What this engine says of each of its jobs.
    #[must_use]
    pub fn status(&self) -> Vec<ServedJob> {
        self.jobs.iter().flatten().map(|job| job.status(&self.us)).collect()
    }

    /// True once a shutdown has come to its end.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// The turn of the job with this number, if there still is one.
    fn turn(&mut self, number: usize, now: Now) -> Option<Turn<'_>> {
        let job = self.jobs.get_mut(number)?.as_mut()?;
        Some(Turn { job, us: &mut self.us, now })
    }

    /// The turn of the job with this name, if this engine has it.
    fn turn_named(&mut self, name: &str, now: Now) -> Option<Turn<'_>> {
        let number = *self.by_name.get(name)?;
        self.turn(number, now)
    }

    /// Gives each job its turn.
    fn each(&mut self, now: Now, mut act: impl FnMut(&mut Turn<'_>)) {
        for job in self.jobs.iter_mut().flatten() {
            act(&mut Turn { job, us: &mut self.us, now });
        }
    }

    fn connected(&mut self, terms: us::Terms, lease_sent: Millis, found: Option<Layout>, now: Now) {
        let us = &mut self.us;
        us.session = Some(terms);
        us.leases.clear();
        us.lease_read.clear();
        us.lease_asked.clear();
        us.loads = 0;
        us.waiting_loads.clear();
        us.lease.start(lease_sent, terms.timeout);
        us.out.push(Effect::LeaseUntil(us.lease.until()));
        us.forget_clocks();
        us.compare_clocks(lease_sent, now);
        us.load_leases();
        us.others = found;
        let layout = self.layout_of_new();
        self.each(now, |turn| {
            if turn.job.effective.is_none() {
                turn.job.mirror.layout = layout;
            }
            turn.job.session_changed();
            turn.job.enter_generation(terms.generation);
            turn.load();
        });
    }

    fn session_lost(&mut self, now: Now) {
        if self.us.session.take().is_none() {
            return;
        }
        self.us.commits.clear();
        self.us.lease.end();
        // Others may take over from now on. The lease of the next session is no concern of runs that were claimed in this one.
        self.us.out.push(Effect::LeaseUntil(now.mono));
        self.each(now, |turn| {
            turn.job.session_changed();
            if turn.us.mutated(Mutation::ReconnectIsShutdown) {
                turn.job.phase = job::Phase::ShutDown;
            }
            turn.stop_strict_runs();
            if turn.is_leaving() {
                turn.touch();
            }
        });
        let text = "the registry session is over; exclusive runs were stopped, connecting again";
        self.us.tell(None, true, text.into());
    }

    fn committed(&mut self, id: u64, result: Result<Commit, Error>, now: Now) {
        let Some(Pending { job, purpose, writes }) = self.us.commits.remove(&id) else { return };
        let Some(mut turn) = self.turn(job, now) else { return };
        turn.touch();
        if result.as_ref().is_err_and(Error::is_unknown) {
            turn.job.unclear = turn.us.next();
        }
        match purpose {
            Purpose::Coordinate(step) => turn.coordinated(step, writes, result),
            Purpose::Claim { consequences, leaves_latch } => {
                turn.claimed(consequences, leaves_latch, writes, result);
            }
            Purpose::Complete(items) => turn.completed(&items, writes, result),
            Purpose::Advance(consequences) => turn.advanced(consequences, writes, result),
            Purpose::Mark(item) => turn.marked(item, writes, result),
        }
    }

    fn run_ended(&mut self, run: u64, end: RunEnd, now: Now) {
        let Some((job, item)) = self.us.runs.remove(&run) else { return };
        if let Some(mut turn) = self.turn(job, now) {
            turn.run_ended(item, run, end);
        }
    }

    fn refresh(&mut self, number: usize, now: Now) {
        if self.us.session.is_none() || number >= self.jobs.len() {
            return;
        }
        if number == 0 {
            self.us.load_leases();
        }
        if let Some(mut turn) = self.turn(number, now) {
            turn.load();
        }
    }

    fn shutdown(&mut self, now: Now) {
        self.us.leaving = true;
        self.each(now, |turn| {
            turn.touch();
        });
    }

    fn shutdown_now(&mut self, now: Now) {
        let mut runs: Vec<u64> = self.us.runs.keys().copied().collect();
        runs.sort_unstable();
        self.us.out.extend(runs.into_iter().map(|run| Effect::Stop { run, reason: StopReason::Shutdown }));
        self.shutdown(now);
    }

    fn leave_if_done(&mut self) {
        if !self.us.leaving || self.left {
            return;
        }
        let offline = self.us.session.is_none();
        if self.jobs.iter().flatten().all(|job| job.is_done(offline)) {
            self.left = true;
            self.us.out.push(Effect::Left);
        }
    }
}
