//! Decisions at a desk: several cores, one registry without latency, one clock that the test moves.
//!
//! Nothing here runs for real, so that a test reads as what happens and what must come of it, and takes milliseconds. What
//! networks, replicas and chance add is the simulation's business (`tests/sim.rs`).
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "one test, several files, and a stage that offers more than is used today"
)]

mod basics;
mod crowd;
mod election;
mod faults;
mod held;
mod held_count;
mod history;
mod instance;
mod jobs;
mod named;
mod operations;
mod operator;
mod roster;
mod stage;
