//! What a store is, and why it does not open.

use crate::RetryClass;
use crate::file::Synchronous;

/// A set of tables and how it is kept up to date. A database at version n has had the first n steps; steps are only ever added.
///
/// In a file the version is SQLite's own `user_version`, so a file holds one schema. On a server it is a row of
/// [`version_table`](Self::version_table), and one process migrates at a time, under a lock of the database.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The steps for SQLite, each of them SQL text. All steps that a file lacks are one transaction.
    pub sqlite: &'static [&'static str],
    /// The steps for PostgreSQL; all that are lacking are one transaction.
    pub postgres: &'static [&'static str],
    /// The steps for MySQL and MariaDB, statements that end in `;` and a line break. MySQL commits each by itself, so they are written to be
    /// run again; a column or an index that is there already is passed over.
    pub mysql: &'static [&'static str],
    /// The table of the version on a server, made where it is not.
    pub version_table: &'static str,
    /// The name of the lock on MySQL.
    pub lock_name: &'static str,
    /// The name of the lock on PostgreSQL.
    pub lock_number: i64,
    /// What every session says first.
    pub sessions: Sessions,
    /// What a power cut may take from a file: `Normal` the last moments, `Full` nothing. A killed process loses nothing in either.
    pub synchronous: Synchronous,
    /// The beginning of the names of threads that work on a file.
    pub threads: &'static str,
}

/// The first words of every session with a server, one statement each.
#[derive(Debug, Clone, Copy)]
pub struct Sessions {
    /// PostgreSQL's.
    pub postgres: &'static str,
    /// MySQL's.
    pub mysql: &'static str,
    /// MariaDB's.
    pub mariadb: &'static str,
}

/// Why a store cannot be opened. None of them shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no such store to read.
    #[error("there is no store at `{0}`")]
    Missing(String),
    /// The file is something else.
    #[error("`{0}` is a file of something else")]
    Foreign(String),
    /// It was made by a later program.
    #[error("`{path}` has version {found}, this program knows versions up to {known}")]
    Newer {
        /// Where.
        path: String,
        /// Its version.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// A reader found tables that are to be migrated, which readers do not do.
    #[error("`{path}` has version {version}, which a writer migrates")]
    Behind {
        /// Where.
        path: String,
        /// Its version.
        version: usize,
    },
    /// The address cannot be read.
    #[error("{0}")]
    Address(String),
    /// The database says no, or nothing.
    #[error("cannot open `{path}`: {reason}")]
    Failed {
        /// Where.
        path: String,
        /// What the system says.
        reason: String,
        /// Whether it may open later: a server that is away, a file that is locked or on a full disk.
        retry: RetryClass,
    },
}
