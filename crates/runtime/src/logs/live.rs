//! The log of a run that still runs: a folder of its own, `live/{run id}`, of files that are named by how many bytes the run had
//! printed before the first of theirs.
//!
//! New bytes are appended to the last file, and a new one is begun once that has [`SEGMENT`] bytes, or where bytes are missing. The first
//! [`HEAD`] bytes stay, and of what follows the last [`TAIL`] at least; files between are deleted. So a reader that knows how far it has
//! read finds what is new, and sees how much it missed.
//!
//! The folder is locked by the process that writes it, from before it has its name. A folder that can be locked belongs to a run whose
//! process died: such a log is all that there will be of it, and stays until it is too old.

use super::found;
use super::record::{LogState, RunLog};
use crate::output::{HEAD, TAIL};
use clockwright_model::RunId;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file takes no more bytes once it has so many.
const SEGMENT: u64 = 32 << 10;

/// The log of a run of this process.
#[derive(Debug)]
pub(super) struct Live {
    folder: PathBuf,
    /// Keeps the lock.
    _lock: File,
    /// From which byte on each file goes, and how many it has.
    segments: Vec<(u64, u64)>,
}

impl Live {
    pub(super) fn create(live: &Path, run: RunId) -> io::Result<Self> {
        let folder = live.join(run.to_string());
        let unnamed = live.join(format!(".{run}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&unnamed)?;
        let lock = File::open(&unnamed)?;
        lock.lock()?;
        fs::rename(&unnamed, &folder)?;
        Ok(Self { folder, _lock: lock, segments: Vec::new() })
    }

    /// Keeps what was printed behind the first `at` bytes.
    pub(super) fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let goes_on =
            self.segments.last().is_some_and(|(start, length)| start + length == at && *length < SEGMENT);
        if !goes_on {
            self.segments.push((at, 0));
            self.thin()?;
        }
        let (start, length) = self.segments.last_mut().expect("there is one by now");
        let file = self.folder.join(start.to_string());
        let written = File::options().append(true).create(true).mode(0o600).open(file)?.write_all(bytes);
        // After a failure in the middle nobody knows how long the file is, so it takes no more.
        *length = if written.is_ok() { *length + bytes.len() as u64 } else { SEGMENT };
        written
    }

    /// Deletes what is neither of the beginning nor of the end.
    fn thin(&mut self) -> io::Result<()> {
        let mut behind = 0;
        for at in (0..self.segments.len()).rev() {
            let (start, length) = self.segments[at];
            if behind >= TAIL as u64 && start >= HEAD as u64 {
                found(fs::remove_file(self.folder.join(start.to_string())))?;
                self.segments.remove(at);
            }
            behind += length;
        }
        Ok(())
    }

    /// Deletes it: the run has ended, and its record stands elsewhere.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }
}

/// What a run printed that still runs, or that ended with its process.
pub(super) fn read(live: &Path, run: RunId) -> io::Result<Option<RunLog>> {
    let folder = live.join(run.to_string());
    let Some(lock) = found(File::open(&folder))? else { return Ok(None) };
    let state = if lock.try_lock_shared().is_ok() { LogState::CutOff } else { LogState::Running };
    let mut pieces = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let Some(entry) = found(entry)? else { continue };
        if let Some(start) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(bytes) = found(fs::read(entry.path()))?
        {
            pieces.push((start, bytes));
        }
    }
    if !folder.exists() {
        // It ended meanwhile.
        return Ok(None);
    }
    pieces.sort_unstable();
    let total = pieces.last().map_or(0, |(start, bytes)| start + bytes.len() as u64);
    Ok(Some(RunLog { pieces, total, state }))
}

/// Deletes what runs left that ended with their processes: all that was last written before `before`, and of the rest the oldest while
/// they are more than `most` bytes together.
pub(super) fn prune(live: &Path, before: SystemTime, most: u64) -> io::Result<()> {
    let Some(entries) = found(fs::read_dir(live))? else { return Ok(()) };
    let mut left = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let Some(lock) = found(File::open(&folder))? else { continue };
        if lock.try_lock().is_ok() {
            let sizes = fs::read_dir(&folder)?.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
            left.push((lock.metadata()?.modified()?, folder, sizes.sum::<u64>()));
        }
    }
    left.sort_unstable();
    let mut total: u64 = left.iter().map(|(.., size)| size).sum();
    for (written, folder, size) in left {
        if written >= before && total <= most {
            break;
        }
        found(fs::remove_dir_all(folder))?;
        total -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::time::Duration;

    fn text(log: &RunLog, from: u64) -> String {
        String::from_utf8(log.after(from)).unwrap()
    }

    #[test]
    fn a_reader_sees_what_is_new_while_the_run_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new(1, 1);
        assert_eq!(read(folder.path(), run).unwrap(), None);
        let mut live = Live::create(folder.path(), run).unwrap();
        live.append(0, b"one\n").unwrap();
        let log = read(folder.path(), run).unwrap().unwrap();
        assert_eq!((text(&log, 0).as_str(), log.state(), log.total()), ("one\n", LogState::Running, 4));
        live.append(4, b"two\n").unwrap();
        live.append(20, b"three\n").unwrap();
        let log = read(folder.path(), run).unwrap().unwrap();
        assert_eq!(text(&log, 4), "two\n[… 12 bytes not kept …]\nthree\n");
        live.remove().unwrap();
        assert_eq!(read(folder.path(), run).unwrap(), None);
    }

    #[test]
    fn what_a_run_left_that_died_with_its_process_says_so_and_goes_by_age_and_by_size() {
        let folder = tempfile::tempdir().unwrap();
        let runs: Vec<_> = (1..4).map(|n| RunId::new(n, 1)).collect();
        let mut kept: Vec<_> = runs.iter().map(|run| Live::create(folder.path(), *run).unwrap()).collect();
        kept.iter_mut().for_each(|live| live.append(0, &[b'x'; 100]).unwrap());
        drop(kept.drain(..2));
        let state = |run: RunId| read(folder.path(), run).unwrap().map(|log| log.state());
        let all = || runs.iter().map(|run| state(*run)).collect::<Vec<_>>();
        use LogState::{CutOff, Running};
        assert_eq!(all(), [Some(CutOff), Some(CutOff), Some(Running)]);
        let past = SystemTime::now() - Duration::from_secs(60);
        prune(folder.path(), past, 150).unwrap();
        assert_eq!(all(), [None, Some(CutOff), Some(Running)]);
        prune(folder.path(), SystemTime::now() + Duration::from_secs(60), 150).unwrap();
        assert_eq!(all(), [None, None, Some(Running)], "one that still runs stays");
    }

    #[test]
    fn the_beginning_and_the_end_stay_of_a_run_that_prints_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new(1, 1);
        let mut live = Live::create(folder.path(), run).unwrap();
        let line = [b'x'; 999];
        for n in 0..10_000 {
            live.append(n * 999, &line).unwrap();
        }
        let log = read(folder.path(), run).unwrap().unwrap();
        assert_eq!(log.total(), 9_990_000);
        let kept: usize = log.pieces.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!((HEAD + TAIL..300 << 10).contains(&kept), "{kept}");
        assert!(log.pieces[0].0 == 0 && log.after(9_990_000 - TAIL as u64) == vec![b'x'; TAIL]);
    }
}
