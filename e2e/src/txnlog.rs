//! Reads what a ZooKeeper server wrote down: its transaction log (`{dataDir}/version-2/log.*`).
//!
//! The log is the exact order of all changes, seen by no client and changed by none; Appendix A of the Elastic-Job
//! specification was taken from it too. The format (servers 3.4 to 3.9): a header of 16 bytes, then for each transaction an
//! 8-byte checksum, a 4-byte length, so many bytes, and the letter `B`. The file is padded with zeros. Inside, numbers are
//! big-endian, and strings, buffers and lists carry a 4-byte length (-1 is none).

use clockwright_model::Millis;
use std::io;
use std::path::Path;

/// One transaction that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub zxid: i64,
    /// The session that asked for it.
    pub session: i64,
    /// When, by the server's clock.
    pub at: Millis,
    /// What it changed; more than one for a multi.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A node was made.
    Create {
        /// Its path.
        path: String,
        /// Its data.
        data: Vec<u8>,
        /// It lives as long as its session.
        ephemeral: bool,
    },
    /// A node's data was set.
    Set {
        /// Its path.
        path: String,
        /// The new data.
        data: Vec<u8>,
    },
    /// A node was deleted.
    Delete {
        /// Its path.
        path: String,
    },
    /// A multi required that the node exists, or has a version.
    Check {
        /// Its path.
        path: String,
    },
    /// A session began.
    SessionOpened,
    /// A session ended, and its ephemeral nodes with it; servers before 3.6 do not name them.
    SessionClosed {
        /// The nodes that went with it.
        paths: Vec<String>,
    },
}

impl Change {
    /// The node that it is about, if it is about just one.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Change::Create { path, .. }
            | Change::Set { path, .. }
            | Change::Delete { path }
            | Change::Check { path } => Some(path),
            Change::SessionOpened | Change::SessionClosed { .. } => None,
        }
    }
}

/// All transactions in a server's log folder (`version-2` itself or the folder above it), in their order.
///
/// # Errors
/// When a file cannot be read, or holds something else.
pub fn read(dir: &Path) -> io::Result<Vec<Transaction>> {
    let inner = dir.join("version-2");
    let dir = if inner.is_dir() { inner } else { dir.to_owned() };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            let bytes = std::fs::read(&path)?;
            let read = parse(&bytes).map_err(|why| io::Error::other(format!("{}: {why}", path.display())))?;
            all.extend(read);
        }
    }
    // A restarted server may have begun a new file; a follower that was ahead may have written a transaction again.
    all.sort_by_key(|transaction| transaction.zxid);
    all.dedup_by_key(|transaction| transaction.zxid);
    Ok(all)
}

/// The transactions of one file. One that was cut off by a crash, and all behind it, are not there.
///
/// # Errors
/// What was found in place of a transaction.
pub fn parse(bytes: &[u8]) -> Result<Vec<Transaction>, String> {
    let mut file = Reader(bytes);
    match (file.take(4), file.take(12)) {
        (Some(b"ZKLG"), Some(_version_and_database)) => {}
        _ if bytes.iter().all(|byte| *byte == 0) => return Ok(Vec::new()),
        _ => return Err("not a transaction log of ZooKeeper".into()),
    }
    let mut all = Vec::new();
    loop {
        let entry = file.take(8).and_then(|_checksum| file.buffer()).filter(|entry| !entry.is_empty());
        let (Some(entry), Some(b"B")) = (entry, file.take(1)) else { return Ok(all) };
        let number = all.len();
        all.extend(
            transaction(entry).ok_or_else(|| format!("transaction {number} of the file is not readable"))?,
        );
    }
}

/// `Some(None)` for one that failed: it is in the log and changed nothing.
fn transaction(entry: &[u8]) -> Option<Option<Transaction>> {
    let mut reader = Reader(entry);
    let (session, _cxid, zxid, at) = (reader.long()?, reader.int()?, reader.long()?, reader.long()?);
    let mut changes = Vec::new();
    let kind = reader.int()?;
    let took_effect = change(kind, &mut reader, &mut changes)?;
    Some(took_effect.then_some(Transaction { zxid, session, at, changes }))
}

/// Adds the changes of a record; false when it failed.
fn change(kind: i32, reader: &mut Reader<'_>, changes: &mut Vec<Change>) -> Option<bool> {
    const CREATES: [i32; 4] = [1, 15, 19, 21];
    match kind {
        kind if CREATES.contains(&kind) => {
            let (path, data) = (reader.string()?, reader.buffer()?.to_vec());
            for _ in 0..reader.int()? {
                let (_permissions, _scheme, _id) = (reader.int()?, reader.string()?, reader.string()?);
            }
            // Containers and nodes with a time to live have no such flag: they are persistent.
            let ephemeral = matches!(kind, 1 | 15) && reader.take(1)? == [1];
            changes.push(Change::Create { path, data, ephemeral });
        }
        2 | 20 => changes.push(Change::Delete { path: reader.string()? }),
        5 => changes.push(Change::Set { path: reader.string()?, data: reader.buffer()?.to_vec() }),
        13 => changes.push(Change::Check { path: reader.string()? }),
        14 => {
            for _ in 0..reader.int()? {
                let kind = reader.int()?;
                let record = reader.buffer()?;
                if !change(kind, &mut Reader(record), changes)? {
                    return Some(false);
                }
            }
        }
        -1 => return Some(false),
        -10 => changes.push(Change::SessionOpened),
        -11 => {
            let count = reader.int().unwrap_or(0).max(0);
            let paths = (0..count).map(|_| reader.string()).collect::<Option<_>>()?;
            changes.push(Change::SessionClosed { paths });
        }
        // Permissions and reconfiguration: no node is made, set or deleted.
        _ => {}
    }
    Some(true)
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn buffer(&mut self) -> Option<&'a [u8]> {
        // -1 says that there is none, which is the same as an empty one to everybody here.
        let count = usize::try_from(self.int()?).unwrap_or(0);
        self.take(count)
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.buffer()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut out = (text.len() as u32).to_be_bytes().to_vec();
        out.extend(text.as_bytes());
        out
    }

    fn create(path: &str, data: &str, ephemeral: bool) -> Vec<u8> {
        let acl = [1u32.to_be_bytes().to_vec(), 31u32.to_be_bytes().to_vec(), text("world"), text("anyone")];
        [text(path), text(data), acl.concat(), vec![u8::from(ephemeral)], 1u32.to_be_bytes().to_vec()]
            .concat()
    }

    fn entry(zxid: i64, kind: i32, record: &[u8]) -> Vec<u8> {
        let head =
            [7i64.to_be_bytes().to_vec(), 1i32.to_be_bytes().to_vec(), zxid.to_be_bytes().to_vec()].concat();
        let body =
            [head, 1_700_000_000_000i64.to_be_bytes().to_vec(), kind.to_be_bytes().to_vec(), record.to_vec()]
                .concat();
        [vec![0; 8], (body.len() as u32).to_be_bytes().to_vec(), body, b"B".to_vec()].concat()
    }

    fn log(entries: &[Vec<u8>]) -> Vec<u8> {
        [b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec(), entries.concat(), vec![0; 64]].concat()
    }

    #[test]
    fn each_kind_of_transaction_is_read_and_failed_ones_are_left_out() {
        let part = |kind: i32, record: Vec<u8>| {
            [kind.to_be_bytes().to_vec(), (record.len() as u32).to_be_bytes().to_vec(), record].concat()
        };
        let check = [text("/ns"), (-1i32).to_be_bytes().to_vec()].concat();
        let multi =
            [2i32.to_be_bytes().to_vec(), part(13, check), part(1, create("/ns/a", "x", true))].concat();
        let failed = [1i32.to_be_bytes().to_vec(), part(-1, (-110i32).to_be_bytes().to_vec())].concat();
        let close = [1i32.to_be_bytes().to_vec(), text("/ns/a")].concat();
        let bytes = log(&[
            entry(1, -10, &30_000i32.to_be_bytes()),
            entry(2, 1, &create("/ns", "", false)),
            entry(3, 14, &multi),
            entry(4, 14, &failed),
            entry(5, -1, &(-101i32).to_be_bytes()),
            entry(6, 5, &[text("/ns"), text("v"), 1i32.to_be_bytes().to_vec()].concat()),
            entry(7, 2, &text("/ns/b")),
            entry(8, -11, &close),
        ]);
        let all = parse(&bytes).expect("a log");
        assert_eq!(all.iter().map(|transaction| transaction.zxid).collect::<Vec<_>>(), [1, 2, 3, 6, 7, 8]);
        let made = |path: &str, data: &str, ephemeral| Change::Create {
            path: path.into(),
            data: data.into(),
            ephemeral,
        };
        assert_eq!(all[1].changes, [made("/ns", "", false)]);
        assert_eq!(all[2].changes, [Change::Check { path: "/ns".into() }, made("/ns/a", "x", true)]);
        assert_eq!(all[3].changes, [Change::Set { path: "/ns".into(), data: b"v".to_vec() }]);
        assert_eq!(all[4].changes, [Change::Delete { path: "/ns/b".into() }]);
        assert_eq!(all[5].changes, [Change::SessionClosed { paths: vec!["/ns/a".into()] }]);
    }

    #[test]
    fn a_log_that_was_cut_off_ends_with_its_last_whole_transaction() {
        let whole = log(&[entry(1, 1, &create("/a", "", false)), entry(2, 1, &create("/b", "", false))]);
        let cut = &whole[..whole.len() - 64 - 5];
        assert_eq!(parse(cut).expect("a log").len(), 1);
        assert_eq!(parse(&[0; 16]), Ok(Vec::new()));
        assert!(parse(b"something else entirely").is_err());
    }
}
