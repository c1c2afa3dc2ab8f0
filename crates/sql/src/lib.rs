//! Three databases behind one face: SQLite in a file, PostgreSQL, and MySQL or MariaDB.
//!
//! ```text
//! Schema ──▶ file::open(path) · server::Opening::connect(address) ──▶ Db ──begin──▶ Tx ──execute, fetch, commit
//!                                                                      └──fetch(Sql) ──▶ Row
//! ```
//!
//! - A [`Schema`] says what a store of its own is: its steps for each database, where it notes how many of them are done, the lock under
//!   which they are taken, and what every session says first. Stores of several schemas may live in one server's database.
//! - A statement is an [`Sql`]: text that is always our own, values that are always bound.
//! - [`text`] has the forms of texts and times that every database takes.
//! - [`faults`] lets a test fail a commit, or lose its answer, at a named point.
//!
//! What is asked here of a database is what all three can do. No word of what is stored is in this crate.

pub mod address;
pub mod db;
pub mod faults;
pub mod file;
mod retry;
mod schema;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub mod server;
pub mod statement;
pub mod text;

pub use address::{Address, connect, connect_read_only, look};
pub use db::{Db, Ready, Row, Tx};
pub use retry::RetryClass;
pub use schema::{Least, Noted, OpenError, Schema, Sessions};
pub use sqlx::Error;
pub use sqlx::error::DatabaseError;
pub use statement::{Dialect, Sql, Value};

/// Milliseconds since the epoch.
pub type Millis = i64;
