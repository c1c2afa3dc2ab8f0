//! Two control servers behind nginx, on PostgreSQL and ZooKeeper, while they, their registry, their database and what is between them
//! fail. What was acknowledged is there, once; the journal's chain holds; and the one that leads is replaced in time.
//!
//! What is not ignored stands for the rest in every run; `make test-faults` runs all of it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod between;
mod database;
mod frozen;
mod jobs;
mod kills;
mod load;
mod registry;

use clockwright_e2e::harness::SESSION;
use std::time::Duration;

/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long nobody may lead at most: the timeout of a session, and three seconds. It is asked for where nothing else runs beside.
const TAKEOVER: Duration = Duration::from_millis(SESSION as u64 + 3_000);
