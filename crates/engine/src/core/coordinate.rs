//! Coordination of one job: its config node, its leader, its members, its plan, and leaving it.
//!
//! # Identities
//! An instance is its id; its incarnation is the registry session that owns its ephemeral nodes. The leader is the instance
//! whose id is in `leader/election/instance` *and* whose session owns that node: a name alone may belong to a session that
//! is gone. A plan is a version of `leader/sharding/epoch`.
//!
//! # Rooms
//! [`election`](super::election) says who leads, [`plan`](super::plan) who owns what, [`membership`](super::membership) who takes
//! part, [`surplus`](super::surplus) what goes; a [`group`](super::group) is one commit of any of them. One is under way at a time.

use super::Turn;
use super::group::Step;
use super::job::Phase;
use clockwright_fleet::write::Write;

impl Turn<'_> {
    /// Decides what is missing in one job and starts it.
    pub(super) fn decide(&mut self) {
        if self.us.session.is_none() {
            return;
        }
        if !self.job.is_loaded {
            if self.job.loading.is_none() && !self.coordination_rests() {
                self.load();
            }
            return;
        }
        self.tell_layout();
        self.compare_with_limit();
        self.notice_shutdown_command();
        self.notice_changes();
        self.read_plan();
        self.look_for_foreign_peers();
        self.miss_java();
        self.track_off();
        // Before a plan, which may wait for long for what Java runs.
        self.drop_outdated_cursors();
        self.coordinate();
        self.failover();
        self.clear_own_marks();
        self.fire();
        self.wind_down();
    }

    /// One coordination step at a time, the first that is missing.
    fn coordinate(&mut self) {
        let job = &*self.job;
        if job.op.is_some() || (job.vanished.is_some() && !self.is_leaving()) {
            return;
        }
        if self.coordination_rests() {
            return;
        }
        let job = &*self.job;
        if job.plan.is_some() {
            self.continue_plan();
        } else if let Some(stray) = self.stray_latch().or_else(|| self.stray_processing()) {
            self.coordinate_with(Step::Other, Write::delete(stray));
        } else if self.is_leaving() || job.phase != Phase::Active {
            if self.waiting_trigger().is_none() {
                self.leave();
            }
        } else if !self.configure() && self.job.effective.is_some() {
            self.join_and_lead();
        }
    }
}
