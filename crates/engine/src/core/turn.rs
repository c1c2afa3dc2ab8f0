//! One job's turn: the job, what all jobs share, and the time. Everything that is decided for a job is decided here.

use super::Now;
use super::job::Job;
use super::us::Us;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Millis};
use clockwright_registry::Path;
use std::cmp::Reverse;

/// A job's turn.
pub(super) struct Turn<'a> {
    pub(crate) job: &'a mut Job,
    pub(super) us: &'a mut Us,
    pub(crate) now: Now,
}

impl Turn<'_> {
    /// Marks the job for the next decision.
    pub(crate) fn touch(&mut self) {
        if !self.job.dirty {
            self.job.dirty = true;
            self.us.dirty.push(self.job.number);
        }
    }

    /// Asks for a fresh reading of the whole job, once. With thousands of jobs it waits for its turn, and it does so here: an
    /// answer is as old as its question, and one that was asked long before it is read would be too old to be taken in.
    pub(crate) fn load(&mut self) {
        if self.us.session.is_none() || self.job.load_waits {
            return;
        }
        if self.job.loading.is_some() {
            self.job.reload = true;
            return;
        }
        self.job.load_waits = true;
        self.us.waiting_loads.push_back(self.job.number);
    }

    pub(crate) fn path(&self, key: &Key) -> Path {
        self.us.keys.of(&self.job.name, key)
    }

    /// Looks at the job again at this calendar time.
    pub(crate) fn wake_at_wall(&mut self, at: Millis) {
        let armed = &mut self.job.armed_wall;
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.us.wall_timers.push(Reverse((at, self.job.number as u32)));
        }
    }

    /// Looks at the job again at this monotonic time.
    pub(crate) fn wake_at_mono(&mut self, at: Millis) {
        let armed = &mut self.job.armed_mono;
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.us.mono_timers.push(Reverse((at, self.job.number as u32)));
        }
    }

    pub(crate) fn tell(&mut self, warning: bool, text: String) {
        self.us.tell(Some(self.job.name.clone()), warning, text);
    }

    /// Whether an instance is there as far as can be seen: it holds a lease, or it is listed in the job.
    pub(crate) fn is_there(&self, id: &InstanceId) -> bool {
        self.us.leases.contains_key(id) || self.job.mirror.instances.contains_key(id)
    }

    /// Whether the job has Java peers.
    pub(crate) fn has_foreign_peers(&self) -> bool {
        self.job.mirror.instances.keys().any(|id| self.is_java(id))
    }

    /// Whether the job may have Java peers: an instance is listed of which no lease is known.
    pub(crate) fn may_have_java(&self) -> bool {
        let ours = |id: &InstanceId| *id == self.us.me || self.us.leases.contains_key(id);
        !self.job.mirror.instances.keys().all(ours)
    }

    /// Whether an instance of the job is known to be a Java peer: it was seen to hold no lease while it was there. That an instance
    /// is listed and its lease is not says little: of one of ours that dies, the two vanish together and are read one by one.
    pub(crate) fn is_java(&self, id: &InstanceId) -> bool {
        let Some(node) = self.job.mirror.instances.get(id) else { return false };
        !self.us.leases.contains_key(id)
            && (self.us.mutated(super::Mutation::DyingTakerIsJava)
                || self.job.foreign.get(&node.stat.created).is_some_and(|foreign| *foreign))
    }

    /// Whether this engine's current session leads the job.
    pub(crate) fn leads(&self) -> bool {
        self.us.leads(self.job)
    }

    /// Keeps count of the jobs that wait for somebody else's runs.
    pub(super) fn count_watches(&mut self) {
        let watches = self.job.items.iter().any(|item| item.watching);
        if watches != self.job.watches {
            self.job.watches = watches;
            self.us.watching_jobs =
                if watches { self.us.watching_jobs + 1 } else { self.us.watching_jobs - 1 };
        }
    }
}
