//! Reads ZooKeeper's transaction log: what clients really wrote, byte for byte.
//!
//! A log file is a header (`ZKLG`, version, database id) and entries: a checksum, the transaction as a length and bytes,
//! the byte `B`. Files are padded with zeros. A transaction is a header (session, request id, number, time, type) and a
//! record by type; a multi's record is a list of types and records. Newer servers add a digest of the tree at the end.

use anyhow::{Context, bail, ensure};
use std::path::Path;

/// A transaction that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub number: i64,
    /// Whose it was.
    pub session: i64,
    /// When the server took it up, epoch milliseconds.
    pub at: i64,
    /// What it did, in order.
    pub ops: Vec<LoggedOp>,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedOp {
    /// A node was created.
    Create {
        /// Where.
        path: String,
        /// With which data.
        data: Vec<u8>,
        /// Bound to the session.
        ephemeral: bool,
    },
    /// A node's data was set.
    Set {
        /// Which.
        path: String,
        /// The new data.
        data: Vec<u8>,
        /// The version it got.
        version: i32,
    },
    /// A node was deleted.
    Delete {
        /// Which.
        path: String,
    },
    /// A node's version was checked.
    Check {
        /// Which.
        path: String,
        /// What it had to be; −1 is any.
        version: i32,
    },
    /// A session began.
    OpenSession,
    /// A session ended, and its ephemeral nodes with it.
    CloseSession,
    /// Something else, by ZooKeeper's number for it.
    Other(i32),
}

/// All transactions in a log directory, in order.
pub(super) fn read(directory: &Path) -> anyhow::Result<Vec<Transaction>> {
    let mut transactions = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| format!("no log in {}", directory.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log.") {
            let bytes = std::fs::read(entry.path())?;
            read_file(&bytes, &mut transactions).with_context(|| format!("in {}", entry.path().display()))?;
        }
    }
    transactions.sort_by_key(|transaction| transaction.number);
    Ok(transactions)
}

fn read_file(bytes: &[u8], transactions: &mut Vec<Transaction>) -> anyhow::Result<()> {
    let mut input = Input(bytes);
    ensure!(input.take(4)? == b"ZKLG", "it is no transaction log");
    input.take(12)?;
    // The rest may be padding, or an entry that is being written.
    while input.0.len() > 12 {
        let _checksum = input.long()?;
        let body = match input.buffer() {
            Ok(body) if !body.is_empty() => body,
            _ => return Ok(()),
        };
        if input.take(1).ok() != Some(b"B") {
            return Ok(());
        }
        transactions.extend(read_transaction(Input(body))?);
    }
    Ok(())
}

/// `None` for a transaction that failed.
fn read_transaction(mut input: Input<'_>) -> anyhow::Result<Option<Transaction>> {
    let session = input.long()?;
    let _request = input.int()?;
    let number = input.long()?;
    let at = input.long()?;
    let kind = input.int()?;
    let mut ops = Vec::new();
    match kind {
        MULTI => {
            for _ in 0..input.int()? {
                let kind = input.int()?;
                let mut record = Input(input.buffer()?);
                match record.op(kind)? {
                    Some(op) => ops.push(op),
                    None => return Ok(None),
                }
            }
        }
        kind => match input.op(kind)? {
            Some(op) => ops.push(op),
            None => return Ok(None),
        },
    }
    Ok(Some(Transaction { number, session, at, ops }))
}

const MULTI: i32 = 14;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let Some((head, tail)) = self.0.split_at_checked(count) else { bail!("it ends early") };
        self.0 = tail;
        Ok(head)
    }

    fn int(&mut self) -> anyhow::Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    fn long(&mut self) -> anyhow::Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }

    fn buffer(&mut self) -> anyhow::Result<&'a [u8]> {
        let length = usize::try_from(self.int()?).unwrap_or(0);
        self.take(length)
    }

    fn text(&mut self) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.buffer()?.to_vec())?)
    }

    /// `None` for the record of an operation that failed.
    fn op(&mut self, kind: i32) -> anyhow::Result<Option<LoggedOp>> {
        Ok(Some(match kind {
            // create, create with stat, container, with time to live: their records start alike.
            1 | 15 | 19 | 21 => {
                let (path, data) = (self.text()?, self.buffer()?.to_vec());
                for _ in 0..self.int()? {
                    self.int()?;
                    self.buffer()?;
                    self.buffer()?;
                }
                let ephemeral = matches!(kind, 1 | 15) && self.take(1)? != [0];
                LoggedOp::Create { path, data, ephemeral }
            }
            2 | 20 => LoggedOp::Delete { path: self.text()? },
            5 => LoggedOp::Set { path: self.text()?, data: self.buffer()?.to_vec(), version: self.int()? },
            13 => LoggedOp::Check { path: self.text()?, version: self.int()? },
            -1 => return Ok(None),
            -10 => LoggedOp::OpenSession,
            -11 => LoggedOp::CloseSession,
            other => LoggedOp::Other(other),
        }))
    }
}
