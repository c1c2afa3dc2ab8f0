//! Backups of the control store, and what comes of them.
//!
//! A backup is one file of lines of JSON, the same for every database, so that what was saved from one can be restored into another:
//!
//! ```text
//! {"clockwright":"backup","format":1,"program":"0.1.0","at":1790000000000,"seq":4711,"hash":"…"}
//! {"table":"CLOCKWRIGHT_PROJECT","columns":["id","name",…]}
//! [12,"billing",…]
//! …
//! {"end":true,"rows":10342,"digest":"…"}
//! ```
//!
//! - It is **one moment**: all of it is read in one snapshot, table by table in the order of their keys, beside servers that go on.
//! - It is **whole or refused**: the last line has the number of rows and the SHA-256 of all before it, and the file gets its name when it is
//!   complete and on the disk.
//! - It holds password hashes and what is sealed, but **no key**: the key file is to be kept apart. Without it what is sealed stays so.
//! - `seq:hash` is the journal's end. Kept elsewhere it proves later that nobody has cut the journal (`audit verify --expect`).
//!
//! **Restoring** is one change of an empty store, so it is done or not done at all. A restored store is an older one than the registry
//! remembers, and what it says may be long undone: so every project is held, nothing is written to any registry before a person confirms
//! it; a term begins that no server had; operations that were under way and messages that were still to be sent are over; nobody is signed in.
//! API tokens that were withdrawn after the backup are back.

use crate::decide::chain::{Actor, done, hex, target};
use crate::disk::put_in_place;
use crate::ops::resume::SILENT;
use crate::store::{Change, Column, Store, StoreError, Table, tables};
use aws_lc_rs::digest::{Context, SHA256};
use clockwright_model::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The format that this program writes, and the latest that it reads.
const FORMAT: u32 = 1;

/// How many rows are asked for, and put in, at once.
const PAGE: u32 = 500;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    clockwright: String,
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When.
    pub at: Millis,
    /// The number of the journal's last record.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

#[derive(Serialize, Deserialize)]
struct Begin {
    table: String,
    columns: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: bool,
    rows: u64,
    digest: String,
}

/// A backup that was made or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What it says of itself.
    pub header: Header,
    /// How many rows it has.
    pub rows: u64,
}

/// Why there is no backup, or why it was not restored. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be written or read.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is none, or damaged.
    #[error("{} is no whole backup: {why}", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A later program made it.
    #[error("{} was made by Clockwright {program}: restore it with that, or a later one", .path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// The version of that program.
        program: String,
    },
    /// The store that it was to be restored into has something.
    #[error(
        "the database is not empty, its journal has {0} record(s): restore into a fresh one (of SQLite, move the file away)"
    )]
    NotEmpty(i64),
    /// A server runs on it.
    #[error("a server runs on the database ({0}): end it first")]
    Served(String),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a backup of a store into a file, which must not be there.
///
/// # Errors
/// Those of [`BackupError`]; there is no such file then.
pub async fn backup(store: &Store, path: &Path, now: Millis) -> Result<Done, BackupError> {
    let of = |error| BackupError::File { path: path.to_owned(), error };
    if path.exists() {
        return Err(of(std::io::Error::from(std::io::ErrorKind::AlreadyExists)));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    // Nobody else's business: it has the hashes of passwords.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let written = write(store, file.map_err(of)?, now, path).await;
    let named = written.and_then(|done| {
        put_in_place(&part, path).map_err(of)?;
        Ok(done)
    });
    if named.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    named
}

async fn write(store: &Store, file: File, now: Millis, path: &Path) -> Result<Done, BackupError> {
    let of = |error| BackupError::File { path: path.to_owned(), error };
    let mut snapshot = store.snapshot().await?;
    let (seq, hash) = snapshot.head().await?;
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let header = Header { clockwright: "backup".into(), format: FORMAT, program, at: now, seq, hash };
    let mut lines = Lines { out: BufWriter::new(file), context: Context::new(&SHA256) };
    lines.put(&header).map_err(of)?;
    let mut count = 0;
    for table in tables() {
        let columns = table.columns.iter().map(|column| column.name.to_owned()).collect();
        lines.put(&Begin { table: table.name.to_owned(), columns }).map_err(of)?;
        let mut last: Option<Vec<Json>> = None;
        loop {
            let rows = snapshot.rows(&table, last.as_deref(), PAGE).await?;
            for row in &rows {
                lines.put(row).map_err(of)?;
            }
            count += rows.len() as u64;
            match rows.into_iter().last() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
    }
    let end = End { end: true, rows: count, digest: hex(lines.context.clone().finish().as_ref()) };
    lines.put(&end).map_err(of)?;
    let file = lines.out.into_inner().map_err(|error| of(error.into_error()))?;
    file.sync_all().map_err(of)?;
    Ok(Done { header, rows: count })
}

/// Lines, and the digest of what was written.
struct Lines {
    out: BufWriter<File>,
    context: Context,
}

impl Lines {
    fn put(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.context.update(&text);
        self.out.write_all(&text)
    }
}

/// Puts a backup into an empty store.
///
/// # Errors
/// Those of [`BackupError`].
pub async fn restore(store: &Store, path: &Path, now: Millis) -> Result<Done, BackupError> {
    let served = store.servers(now - SILENT).await?;
    if let Some(server) = served.first() {
        return Err(BackupError::Served(server.address.clone()));
    }
    let mut reading = Reading::open(path)?;
    let mut change = store.begin(Actor::server("restore"), now).await?;
    let head = change.lock_head().await?;
    if head != 0 {
        return Err(BackupError::NotEmpty(head));
    }
    change.clear_roots().await?;
    while let Some(part) = reading.next()? {
        let (table, columns, rows) = part;
        change.put_rows(&table, &columns, &rows).await?;
    }
    let Header { seq, hash, .. } = reading.header.clone();
    if change.lock_head().await? != seq {
        return Err(reading.damaged("its journal does not end where it says"));
    }
    change.settle_copy(now).await?;
    record(&mut change, &reading);
    change.commit().await?;
    tracing::info!(seq, hash, rows = reading.rows, "the store was restored");
    Ok(Done { header: reading.header, rows: reading.rows })
}

fn record(change: &mut Change, reading: &Reading) {
    let Header { seq, hash, at, program, .. } = &reading.header;
    let facts = json!({ "seq": seq, "hash": hash, "madeAt": at, "program": program, "rows": reading.rows });
    change.record(done("store.restored", 0, target("store", "", "control"), facts, ""));
}

/// A backup that is being read.
struct Reading {
    path: PathBuf,
    lines: BufReader<File>,
    header: Header,
    context: Context,
    known: Vec<Table>,
    /// The table whose rows come now, and the columns of it that they have.
    table: Option<(Table, Vec<Column>)>,
    rows: u64,
    is_over: bool,
}

impl Reading {
    fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(|error| BackupError::File { path: path.to_owned(), error })?;
        let header = Header {
            clockwright: String::new(),
            format: 0,
            program: String::new(),
            at: 0,
            seq: 0,
            hash: String::new(),
        };
        let mut reading = Self {
            path: path.to_owned(),
            lines: BufReader::new(file),
            header,
            context: Context::new(&SHA256),
            known: tables(),
            table: None,
            rows: 0,
            is_over: false,
        };
        let first = reading.line()?;
        reading.context.update(&first);
        let first: Json = serde_json::from_slice(&first).unwrap_or_default();
        if first["clockwright"] != "backup" {
            return Err(reading.damaged("it does not begin as one"));
        }
        if first["format"].as_u64().is_none_or(|format| format > FORMAT.into()) {
            let program = first["program"].as_str().unwrap_or("of a later version").to_owned();
            return Err(BackupError::Newer { path: path.to_owned(), program });
        }
        reading.header =
            serde_json::from_value(first).map_err(|error| reading.damaged(&error.to_string()))?;
        Ok(reading)
    }

    /// The next line, which is a part of the digest.
    fn line(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut line = Vec::new();
        let read = self.lines.read_until(b'\n', &mut line);
        read.map_err(|error| BackupError::File { path: self.path.clone(), error })?;
        if line.last() != Some(&b'\n') {
            return Err(self.damaged("its end is missing"));
        }
        Ok(line)
    }

    /// Some rows of a table; `None` at the end, which was as it should be.
    #[allow(clippy::type_complexity, reason = "it is taken apart where it is asked for")]
    fn next(&mut self) -> Result<Option<(Table, Vec<Column>, Vec<Vec<Json>>)>, BackupError> {
        let mut rows: Vec<Vec<Json>> = Vec::new();
        while !self.is_over && rows.len() < PAGE as usize {
            let line = self.line()?;
            if line.starts_with(b"[") {
                self.context.update(&line);
                let row: Vec<Json> =
                    serde_json::from_slice(&line).map_err(|error| self.damaged(&error.to_string()))?;
                if self.table.as_ref().is_none_or(|(_, columns)| columns.len() != row.len()) {
                    return Err(self.damaged("a row has another number of values than its table has columns"));
                }
                self.rows += 1;
                rows.push(row);
                continue;
            }
            // The last line tells what all before it give.
            let at_end = hex(self.context.clone().finish().as_ref());
            self.context.update(&line);
            let before = self.table.clone();
            if let Ok(end) = serde_json::from_slice::<End>(&line) {
                if end.digest != at_end || end.rows != self.rows {
                    return Err(self.damaged("what it has is not what was written"));
                }
                self.is_over = true;
            } else {
                let begin: Begin =
                    serde_json::from_slice(&line).map_err(|error| self.damaged(&error.to_string()))?;
                self.table = Some(self.begin(&begin)?);
            }
            if let (Some((table, columns)), false) = (before, rows.is_empty()) {
                return Ok(Some((table, columns, rows)));
            }
        }
        match &self.table {
            Some((table, columns)) if !rows.is_empty() => Ok(Some((table.clone(), columns.clone(), rows))),
            _ => Ok(None),
        }
    }

    fn begin(&self, begin: &Begin) -> Result<(Table, Vec<Column>), BackupError> {
        let newer = || BackupError::Newer { path: self.path.clone(), program: self.header.program.clone() };
        let table = self.known.iter().find(|table| table.name == begin.table).ok_or_else(newer)?;
        let column = |name: &String| table.columns.iter().find(|column| column.name == name).copied();
        let columns: Option<Vec<Column>> = begin.columns.iter().map(column).collect();
        Ok((table.clone(), columns.ok_or_else(newer)?))
    }

    fn damaged(&self, why: &str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), why: why.to_owned() }
    }
}
