//! The roster: which jobs this engine serves. They come and go while it runs.
//!
//! # What it means
//! Removing a job from an engine is *leaving that job*: a shutdown of one job, while the engine and its session live on. It is no
//! deletion: config, cursors, items and hosts stay in the registry, and whoever serves the job next, here or elsewhere, goes on from
//! the cursors. Adding a job is what an engine's start does for each of its jobs.
//!
//! ```text
//!   add ──► loads ──► joins ──► serves ──► remove: leaves ──► what runs ends, is stopped at `until` ──► gone ──► the name is free
//! ```
//!
//! # What it means when
//! | the engine | a job added | a job removed |
//! |---|---|---|
//! | has no session yet, or lost it | loads when there is one | is gone at once, unless an outcome is still to be written: that waits for the next session |
//! | is connected | loads, and joins | as below |
//! | is shutting down | refused by the shell; it would never join | leaves with the others |
//!
//! | the job | when it is removed |
//! |---|---|
//! | was never loaded in this session | is gone at once: nothing of this session is in its nodes |
//! | is idle | its instance node goes, and a place at a latch; others plan, and own its items |
//! | is led by this engine | the leader node goes in the same commit; a plan that is being written is finished before |
//! | runs items | it leaves at once, so that others get its items; the new owners wait for the end of what runs, as at a shutdown |
//! | has a claim on its way | once it is carried out, the claim's run is one of those that go on |
//! | has a retry that waits | the retry is given up: failed, `left_before_retry` |
//! | takes an item over | as what runs; the marks of the takeover go with its outcome |
//! | has a trigger that waits in its node | the trigger is put into the cursors first, and runs at their next owners |
//! | has a claim of which nothing runs here | it is cancelled, `job_left`; see below |
//! | has a config that differs, or cannot be used | nothing is read from or written to it |
//! | was shut down by command | there is nothing left to leave; added again, it joins again |
//!
//! What still runs at `until` is stopped: cancelled, `job_left`. So every instant has its one outcome: from a run that ended here, from
//! the rows above, or from whoever owns the item next, by the job's misfire policy.
//!
//! # Claims must not stay
//! At a shutdown the session ends, and whatever was forgotten ends with it, or becomes an orphan that others see. Here it lives
//! on: an ephemeral node that stays makes others wait for nobody, and so does a claim in a cursor, which nobody else may end while its
//! session lives ([`ItemState::loose`](super::job::ItemState)). So a job is gone only when a look at its nodes finds nothing of ours:
//! no item that runs or waits, no claim that may be open, nothing that [`leave`](Turn::leave) would delete, and no reading under way
//! that could show more. There is no deadline for it: a registry that refuses the last writes is asked on, ever less often.
//!
//! # Its name
//! It is taken until the job is gone: the old claims are of the same instance and session as the new ones would be, and nothing could
//! tell a run that goes on from one that was forgotten. So a job of a name that is being left is refused; whoever wants to exchange
//! one waits for its end first. Numbers of jobs are free again with their names. An answer that was asked for before a job came is
//! not taken in for it: it may tell of the one before.

use super::job::{Job, Leaving, Local, Phase};
use super::{Core, Effect, Given, Now, Turn};
use clockwright_fleet::Layout;
use clockwright_model::{JobName, Millis};
use clockwright_runtime::StopReason;

/// How an engine has a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The job's number.
    pub number: usize,
    /// It is being left.
    pub leaving: bool,
}

impl Core {
    /// How this engine has the job of this name, if it does.
    #[must_use]
    pub fn place(&self, job: &JobName) -> Option<Place> {
        let number = *self.by_name.get(job)?;
        let leaving = self.jobs[number].as_ref()?.leaving.is_some();
        Some(Place { number, leaving })
    }

    /// Serves one more job. Its number and its name are free.
    pub(super) fn add(&mut self, number: usize, given: Given, now: Now) {
        let since = self.us.next();
        self.by_name.insert(given.name().clone(), number);
        let layout = self.layout_of_new();
        if number >= self.jobs.len() {
            self.jobs.resize_with(number + 1, || None);
        }
        let job = self.jobs[number].insert(Job::new(number, given, since));
        job.mirror.layout = layout;
        if let Some(mut turn) = self.turn(number, now) {
            turn.load();
        }
    }

    /// Leaves a job. What it runs may go on until `until` (mono).
    pub(super) fn remove(&mut self, number: usize, until: Millis, now: Now) {
        let Some(mut turn) = self.turn(number, now) else { return };
        let leaving = turn.job.leaving.get_or_insert(Leaving { until, stopped_to: 0 });
        leaving.until = leaving.until.min(until);
        turn.touch();
    }

    /// The layout of a job that has no config yet.
    pub(super) fn layout_of_new(&self) -> Layout {
        self.us.options.layout.or(self.us.others).unwrap_or_default()
    }

    /// Forgets a job that was left, if nothing of it is ours any more.
    pub(super) fn forget_if_gone(&mut self, number: usize, now: Now) {
        if !self.turn(number, now).is_some_and(|turn| turn.is_gone()) {
            return;
        }
        let Some(job) = self.jobs[number].take() else { return };
        self.by_name.remove(&job.name);
        let us = &mut self.us;
        us.commits.retain(|_, pending| pending.job != number);
        us.waiting_loads.retain(|waits| *waits != number);
        us.loads -= usize::from(job.loading.is_some());
        us.watching_jobs -= usize::from(job.watches);
        us.out.push(Effect::Removed { job: number });
    }
}

impl Turn<'_> {
    /// Whether nothing new begins here, since this engine leaves the job or all jobs.
    pub(super) fn is_leaving(&self) -> bool {
        self.us.leaving || self.job.leaving.is_some()
    }

    /// Stops what still runs of a job whose time is over.
    pub(super) fn stop_overdue(&mut self) {
        let Some(leaving) = &mut self.job.leaving else { return };
        let until = leaving.until;
        if self.now.mono < until {
            return self.wake_at_mono(until);
        }
        let stopped_to = std::mem::replace(&mut leaving.stopped_to, self.us.sequence);
        for run in self.job.live_runs().into_iter().filter(|run| *run > stopped_to) {
            self.us.out.push(Effect::Stop { run, reason: StopReason::Shutdown });
        }
    }

    /// Whether the job was left, and nothing of ours is in its nodes.
    fn is_gone(&self) -> bool {
        let job = &*self.job;
        let quiet = job.items.iter().all(|item| matches!(item.local, Local::Idle));
        if job.leaving.is_none() || !quiet {
            return false;
        }
        let claimed = job.items.iter().any(|item| item.loose);
        let left = job.phase == Phase::Left && job.op.is_none() && job.op_after <= self.now.mono;
        !job.wrote || (left && job.is_clear() && !claimed)
    }
}
