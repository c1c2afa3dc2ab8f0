//! Where tests let a control server crash in the middle of an operation.

use std::sync::{Mutex, PoisonError};

/// The places between the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// T1 is committed.
    Begun,
    /// The registry is written.
    Written,
    /// What was written is read back.
    Checked,
    /// Of many jobs a group is done, which is not noted yet.
    Grouped,
}

/// The place where the next operation ends as if its control server had died; set by tests alone.
#[derive(Debug, Default)]
pub struct Failpoints(Mutex<Option<Point>>);

/// The control server is dead, as far as the operation is concerned.
#[derive(Debug)]
pub(super) struct Crashed;

impl Failpoints {
    /// The next operation that comes there ends there.
    pub fn crash_at(&self, point: Point) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
    }

    /// Goes on, unless this is the place.
    pub(super) fn pass(&self, point: Point) -> Result<(), Crashed> {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match set.take_if(|set| *set == point) {
            Some(_) => Err(Crashed),
            None => Ok(()),
        }
    }
}
