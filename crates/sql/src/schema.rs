//! What a store is, and why it does not open.

use crate::file::Synchronous;
use crate::{Dialect, RetryClass};

/// A set of tables and how it is kept up to date. A database at version n has had the first n steps; steps are only ever added.
///
/// In a file the version is in SQLite's own `user_version`, so a file holds one schema. On a server it is a row of
/// [`version_table`](Self::version_table), and one process migrates at a time, under a lock of the database.
///
/// # Programs of the release before
/// A program notes beside the version which is the [`least`](Self::least) that can go on by then. A program that finds a later version than it knows
/// works with the tables as they are if it is not below that; else it refuses them. So a release that only adds to the tables names the version of
/// the release before, and both work side by side until each server is replaced, or somebody goes back; a step that takes something away comes one
/// release after nobody uses it any more, and names itself.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The steps for SQLite, each of them SQL text. All steps that a file lacks are one transaction.
    pub sqlite: &'static [&'static str],
    /// The steps for PostgreSQL; all that are lacking are one transaction.
    pub postgres: &'static [&'static str],
    /// The steps for MySQL and MariaDB, statements that end in `;` and a line break. MySQL commits each by itself, so they are written to be
    /// run again; a column or an index that is there already is passed over.
    pub mysql: &'static [&'static str],
    /// The oldest version whose programs can work with the tables once all steps are done.
    pub least: Least,
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

/// A version for each kind of database: they have numbers of steps of their own.
#[derive(Debug, Clone, Copy)]
pub struct Least {
    /// SQLite's.
    pub sqlite: u16,
    /// PostgreSQL's.
    pub postgres: u16,
    /// MySQL's and MariaDB's.
    pub mysql: u16,
}

/// What a database notes of its steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many it has had.
    pub version: i64,
    /// The least version whose programs can go on; 0 where nobody said so, which is that version alone.
    pub least: i64,
}

impl Noted {
    /// How many of the `known` steps are done. Those of a later program, which this one can do without, count as none.
    ///
    /// # Errors
    /// [`OpenError::Newer`]: this one cannot do without them. `place` is where.
    pub fn done(self, place: &str, known: usize) -> Result<usize, OpenError> {
        let version = usize::try_from(self.version).ok();
        let least = usize::try_from(self.least).ok().filter(|least| *least > 0);
        match (version, least) {
            (Some(done), _) if done <= known => Ok(done),
            (Some(_), Some(least)) if least <= known => Ok(known),
            _ => Err(OpenError::Newer { path: place.to_owned(), found: self.version, known: known as i64 }),
        }
    }
}

/// Lets a reader have a database that has had `done` of the `known` steps: all of them, since it makes none. `place` is where, and `least` the version
/// whose programs can go on after the last one.
pub(crate) fn readable(place: &str, done: usize, known: usize, least: u16) -> Result<(), OpenError> {
    match done {
        0 => Err(OpenError::Missing(place.to_owned())),
        done if done < known => {
            let goes_on = done >= usize::from(least);
            Err(OpenError::Behind { path: place.to_owned(), version: done, goes_on })
        }
        _ => Ok(()),
    }
}

impl Schema {
    /// How many steps there are for this kind of database.
    #[must_use]
    pub fn steps(&self, dialect: Dialect) -> usize {
        match dialect {
            Dialect::Sqlite => self.sqlite.len(),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.postgres.len(),
            #[cfg(feature = "mysql")]
            Dialect::MySql => self.mysql.len(),
        }
    }
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
    /// It was migrated by a later program, beside which this one cannot work.
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
        /// Whether programs of that version can go on afterwards.
        goes_on: bool,
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
