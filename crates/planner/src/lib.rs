//! Pure decisions: when a job is due, what happens to missed instants, who runs which item, and what must always hold.
//!
//! Nothing here does IO, knows a clock, waits or keeps state behind the caller's back: a function takes what is known and a
//! time, and returns a value. That is what lets one piece of code serve the engine, its simulation and its tests.
//!
//! - [`Schedule`]: the instants of a job (Quartz cron, fixed interval, one instant).
//! - [`due`](due()): which instants of an item have to be run or settled now.
//! - [`sharding`]: who owns which item; [`failover`]: who takes over an item whose owner died.
//! - [`lease`]: how long a process may believe that what it claimed is still its own.
//! - [`lifecycle`]: the states of one run, as one table.
//! - [`ledger`]: which due instants have no outcome on record.
//! - [`invariants`]: the named rules that tests, simulation and debug builds check.

pub mod due;
pub mod failover;
pub mod invariants;
pub mod lease;
pub mod ledger;
pub mod lifecycle;
pub mod schedule;
pub mod sharding;

pub use due::{Blocked, Due, DueInput, RANGE_COUNT_CAP, Range, due};
pub use lease::Lease;
pub use schedule::{ClockChange, Schedule, ScheduleError};
