//! Where tests let a control server die. In a program that is handed out there is nothing of this: the feature `failpoints` is off, and
//! [`Failpoints`] is empty.
//!
//! A test within the process says where the next *operation* ends as if its server had died ([`Failpoints::crash_at`]). A test with real processes
//! starts each with [`FILE`] in its environment: a path. Once that file is there and names a [`Point`], the process that comes there removes
//! the file and kills itself (SIGKILL), so that the test can tell a death there from any other.

use crate::decide::chain::words;

/// The variable that names the file.
pub const FILE: &str = "CLOCKWRIGHT_FAILPOINT";

/// What stands behind the point's name where the process is to stand still (SIGSTOP) there instead.
pub const STOP: &str = "stop";

words! {
    /// The places between the steps.
    Point {
        /// Any change: all its rows are written, and nothing is committed.
        Written "written",
        /// Any change: it is committed, and nobody knows.
        Committed "committed",
        /// An operation: T1 is committed.
        OperationBegun "operation.begun",
        /// An operation: the registry is written.
        OperationWritten "operation.written",
        /// An operation: what was written is read back.
        OperationChecked "operation.checked",
        /// An operation: T2 is committed, and nobody is told.
        OperationEnded "operation.ended",
        /// An operation of many jobs: of these a group is done, which is not noted yet.
        OperationGrouped "operation.grouped",
        /// Settings sync: the registry is read.
        SyncLooked "sync.looked",
        /// Settings sync: the database is read too.
        SyncAsked "sync.asked",
        /// Settings sync: what is to be overwritten is kept.
        SyncRecorded "sync.recorded",
        /// Settings sync: the registry is written.
        SyncCommitted "sync.committed",
        /// Settings sync: what was written is noted.
        SyncNoted "sync.noted",
        /// Election: the seat is ours, and there is no term yet.
        LeadSeated "lead.seated",
        /// Election: the term is begun, and no chore is.
        LeadTook "lead.took",
        /// Election: the chores are at work.
        LeadBegan "lead.began",
        /// Election: the seat was proved to be ours once more.
        LeadProved "lead.proved",
    }
}

#[cfg(not(feature = "failpoints"))]
mod set {
    use super::Point;

    /// Nothing.
    #[derive(Debug, Default)]
    pub struct Failpoints(());

    /// What never happens.
    #[derive(Debug)]
    pub(crate) enum Crashed {}

    impl Failpoints {
        #[allow(clippy::unused_self, reason = "with the feature it looks")]
        pub(crate) fn reach(&self, _point: Point) {}

        #[allow(clippy::unused_self, reason = "with the feature it looks")]
        pub(crate) fn pass(&self, _point: Point) -> Result<(), Crashed> {
            Ok(())
        }
    }
}

#[cfg(feature = "failpoints")]
mod set {
    use super::{FILE, Point, STOP};
    use rustix::process::{Signal, getpid, kill_process};
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    /// Where this server dies.
    #[derive(Debug)]
    pub struct Failpoints {
        next: Mutex<Option<Point>>,
        file: Option<PathBuf>,
    }

    /// The control server is dead, as far as the operation is concerned.
    #[derive(Debug)]
    pub(crate) struct Crashed;

    impl Default for Failpoints {
        fn default() -> Self {
            Self { next: Mutex::default(), file: std::env::var_os(FILE).map(Into::into) }
        }
    }

    impl Failpoints {
        /// The next operation that comes there ends there.
        pub fn crash_at(&self, point: Point) {
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
        }

        /// Goes on, unless the process is to die here.
        pub(crate) fn reach(&self, point: Point) {
            let Some(file) = &self.file else { return };
            let Ok(text) = std::fs::read_to_string(file) else { return };
            let mut words = text.split_whitespace();
            // Of two that come here at once, the one that removes the file dies.
            if words.next() == Some(point.word()) && std::fs::remove_file(file).is_ok() {
                let signal = if words.next() == Some(STOP) { Signal::STOP } else { Signal::KILL };
                tracing::warn!(point = point.word(), ?signal, "this server does as it was told here");
                // Our own process is there to be signalled.
                let _there = kill_process(getpid(), signal);
            }
        }

        /// Goes on, unless the process or the operation is to die here.
        pub(crate) fn pass(&self, point: Point) -> Result<(), Crashed> {
            self.reach(point);
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            match next.take_if(|next| *next == point) {
                Some(_) => Err(Crashed),
                None => Ok(()),
            }
        }
    }
}

pub(crate) use set::Crashed;
pub use set::Failpoints;
