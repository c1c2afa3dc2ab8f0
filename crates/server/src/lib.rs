//! The control plane: settings as the truth in a database, the registry kept equal to it, one interface for people and programs, nobody in
//! who should not be.
//!
//! ```text
//!            http/routes ── grant ── handler ──▶ decide/ (pure) ──▶ store::Change ── journal
//!                                        │                              │
//!            catalogue ◀── follows the journal ◀────────────────────────┘
//! ```
//!
//! - [`decide`]: values in, values out.
//! - [`backup`]: the database as a file, and back.
//! - [`store`]: the database, and the journal that numbers what happens.
//! - [`catalogue`]: projects, members and jobs in memory.
//! - [`mirror`]: the live state of all jobs in memory.
//! - [`outcomes`]: how jobs last ended, in memory.
//! - [`registries`]: one session with each of the operator's registries.
//! - [`chores`]: what one server does for all.
//! - [`sync`]: the registry is kept equal to the database.
//! - [`histories`]: the event stores, which have what happened.
//! - [`ledger`]: every due instant of a job, and what became of it.
//! - [`ops`]: what operators do.
//! - [`sealing`]: secrets at rest.
//! - [`alerts`]: what is the matter, and who is told.
//! - [`local`]: the server of one process that runs jobs from a file.
//! - [`fail`]: where tests let it die.
//! - [`identity`]: who comes in.
//! - [`http`]: the interface.
//! - [`listen`]: the sockets, and TLS.
//! - [`observe`]: metrics, and how the server is.

pub mod alerts;
pub mod app;
pub mod apply;
pub mod backup;
pub mod catalogue;
pub mod chores;
pub mod config;
pub mod decide;
mod disk;
pub mod fail;
pub mod histories;
pub mod http;
pub mod identity;
pub mod ledger;
pub mod listen;
pub mod local;
pub mod mirror;
pub mod observe;
pub mod ops;
pub mod outcomes;
pub mod registries;
mod rescue;
pub(crate) mod room;
pub mod sealing;
pub mod server;
pub mod store;
pub mod sync;

pub use rescue::{NoRescue, rescue};
pub use server::{Server, Setup, StartError, setup, setup_link, tls};
