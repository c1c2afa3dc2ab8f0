//! What the interface does, on each of the three databases: every test is run on SQLite, PostgreSQL and MariaDB.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod alerts;
mod anew;
mod backup;
mod bad;
mod bulk;
mod channels;
mod client;
mod coming;
mod drift;
mod fleet;
mod history;
mod holds;
mod identity;
mod java;
mod jobs;
mod lead;
mod ledger;
mod listen;
mod lists;
mod live;
mod matrix;
mod observe;
mod oidc;
mod operations;
mod plans;
mod projects;
mod receivers;
mod security;
mod stage;
mod stream;
mod sync;
mod upgrade;
