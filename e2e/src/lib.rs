//! Real processes on real services: a job that records what it does, a checker that judges the records, and a harness
//! that starts, kills, freezes and heals.

pub mod checker;
pub mod harness;
pub mod java;
pub mod ledger;
pub mod record;
