//! What runs print, kept on disk until it is too old or too much.
//!
//! A folder holds a folder for each day, and that a file for each hour or, where much is printed, several: `2026-11-27/13.log`, then
//! `2026-11-27/13-1.log`, in UTC. When a run has ended, its record is appended in one piece (see [`record`]). So a file reads well
//! without any program, the record of a run is found by its [`LogPosition`], and without one by looking for its id from the file of the hour
//! on in which it began.
//!
//! Until then what it prints stands in a folder of its own (see [`live`]), a moment after it was printed: that is what shows it while the
//! run lasts, and all that is left of it should its process die. Runs that end sooner than that moment never have one.
//!
//! Several processes may keep logs in one folder: what is appended to a file lands in one piece behind what is there. When
//! a process goes on to its next file, it deletes what is older than [`KeepLogs::age`], and then the oldest files while all of them together
//! hold more than [`KeepLogs::bytes`].
//!
//! Keeping logs never holds up a run for long: a disk that hangs is waited for once, for [`PATIENCE`], and not at all until it has
//! answered. What could not be kept is lost and told; the run and its outcome are not concerned.

use crate::output::Kept;
use async_trait::async_trait;
use clockwright_model::{Millis, RunId, ShardContext};
use live::Live;
use position::LogFile;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

mod live;
mod logged;
mod position;
mod record;
#[cfg(test)]
mod tests;

pub use logged::{LogStore, LogWriter, Logged};
pub use position::LogPosition;
pub use record::{LogState, RunLog};

/// A folder of logs.
#[derive(Debug)]
pub struct RunLogs {
    folder: PathBuf,
    keep: KeepLogs,
    /// Where the last record went.
    current: Mutex<Option<Current>>,
    /// One record is written at a time; whoever waits for its turn does not hold up a thread.
    turn: Arc<Semaphore>,
    /// The last thing did not get onto the disk in time.
    late: AtomicBool,
    /// The last thing did not get onto the disk.
    failing: AtomicBool,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepLogs {
    /// Files of hours longer ago than this go. Default 30 days.
    pub age: Duration,
    /// The oldest files go while all of them together have more bytes than this. The newest one stays. Default 1 GiB.
    pub bytes: u64,
}

impl Default for KeepLogs {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 86_400), bytes: 1 << 30 }
    }
}

/// How long the disk may take for a record before its run is over without it.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// A file takes no more records once it holds so much of all that may be kept, so that little goes when the oldest one does.
const SHARE_OF_A_FILE: u64 = 16;

#[derive(Debug)]
struct Current {
    name: LogFile,
    file: File,
    /// The last record is there in part; the next one has to begin a line.
    torn: bool,
}

impl RunLogs {
    /// Logs in a folder, which is made when the first run has printed something.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, keep: KeepLogs) -> Self {
        Self {
            folder: folder.into(),
            keep,
            current: Mutex::new(None),
            turn: Arc::new(Semaphore::new(1)),
            late: AtomicBool::new(false),
            failing: AtomicBool::new(false),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a run printed, or has printed so far; `None` when it is not (or no longer) here. A position makes this quick for a run that has
    /// ended; without one, or with one that is of no use, all that was kept since the run began is looked through. It reads files: not
    /// for a thread that others wait for.
    ///
    /// # Errors
    /// What the file system says, except that there is no such file.
    pub fn read(&self, run: RunId, position: Option<&LogPosition>) -> io::Result<Option<RunLog>> {
        if let Some(position) = position
            && let Some(log) = self.record_at(run, position)?
        {
            return Ok(Some(log));
        }
        if let Some(log) = self.running(run)? {
            return Ok(Some(log));
        }
        for (name, _) in self.files()?.into_iter().filter(|(name, _)| name.end() > run.time()) {
            if let Some(log) = self.record_in(run, name)? {
                return Ok(Some(log));
            }
        }
        Ok(None)
    }

    /// What a run has printed so far that still runs, or printed that ended with its process; quick. `None` also as long as it
    /// has printed nothing.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn running(&self, run: RunId) -> io::Result<Option<RunLog>> {
        Ok(found(live::read(&self.live(), run))?.flatten())
    }

    fn live(&self) -> PathBuf {
        self.folder.join("live")
    }

    fn record_at(&self, run: RunId, position: &LogPosition) -> io::Result<Option<RunLog>> {
        let Some(mut file) = found(File::open(self.path(position.file)))? else { return Ok(None) };
        if file.seek(SeekFrom::Start(position.offset)).is_err() {
            // No file can be that long.
            return Ok(None);
        }
        // Whatever the position says, a file is no longer than it is, and a record ends where the next one begins.
        record_of(run, BufReader::new(file.take(position.length)))
    }

    fn record_in(&self, run: RunId, name: LogFile) -> io::Result<Option<RunLog>> {
        let Some(file) = found(File::open(self.path(name)))? else { return Ok(None) };
        let mut file = BufReader::with_capacity(64 << 10, file);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 {
            if record::is_head_of(run, &line) {
                return record_of(run, (&line[..]).chain(file));
            }
            line.clear();
        }
        Ok(None)
    }

    /// Does something on the disk in its turn, if that takes no longer than [`PATIENCE`].
    async fn on_disk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let this = Arc::clone(self);
        let done = async move {
            let turn = Arc::clone(&this.turn).acquire_owned().await.map_err(io::Error::other)?;
            let work = move || {
                let _turn = turn;
                let done = work(&this);
                // It has answered, be it after nobody waited any more.
                this.late.store(false, Ordering::Relaxed);
                done
            };
            tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
        };
        let patience = if self.late.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
        let done = tokio::time::timeout(patience, done).await;
        if done.is_err() {
            self.late.store(true, Ordering::Relaxed);
        }
        let done = done
            .map_err(|_| "the disk does not answer".to_owned())
            .and_then(|done| done.map_err(|error| error.to_string()));
        // Told once, until it is well again: a full disk must not fill the program's own log.
        let failed = done.is_err();
        let told = self.failing.swap(failed, Ordering::Relaxed);
        if let Err(reason) = &done
            && !told
        {
            let folder = self.folder.display();
            tracing::warn!("cannot keep what runs print in {folder}: {reason}; they go on without");
        }
        done.ok()
    }

    fn append(&self, context: &ShardContext, kept: &mut Kept, now: Millis) -> io::Result<LogPosition> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current(&mut current, now)?;
        let record = record::write(context, kept, now);
        let begin: &[u8] = if std::mem::take(&mut current.torn) { b"\n" } else { b"" };
        let bytes = [begin, &record].concat();
        // One call, so that what other processes append lands before or behind it.
        let written = current.file.write(&bytes)?;
        if written < bytes.len() {
            current.torn = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        // After it has appended, a file's own place is behind what it appended.
        let offset = current.file.stream_position()? - record.len() as u64;
        Ok(LogPosition { file: current.name, offset, length: record.len() as u64 })
    }

    /// The file for a record that is written now.
    fn current<'a>(&self, current: &'a mut Option<Current>, now: Millis) -> io::Result<&'a mut Current> {
        let most = (self.keep.bytes / SHARE_OF_A_FILE).max(1);
        let fits = |current: &Current| -> io::Result<bool> {
            let metadata = current.file.metadata()?;
            // Another process may have deleted it.
            Ok(current.name.begin == LogFile::of(now, 0).begin
                && metadata.len() < most
                && metadata.nlink() > 0)
        };
        if !current.as_ref().map_or(Ok(false), fits)? {
            let files = self.prune(now)?;
            let hour = LogFile::of(now, 0);
            let name = match files.last() {
                Some((last, size)) if last.begin == hour.begin => {
                    LogFile { number: last.number + u32::from(*size >= most), ..*last }
                }
                _ => hour,
            };
            let mut folders = std::fs::DirBuilder::new();
            folders.recursive(true).mode(0o700).create(self.folder.join(name.day()))?;
            let file = File::options().append(true).create(true).mode(0o600).open(self.path(name))?;
            *current = Some(Current { name, file, torn: false });
        }
        Ok(current.as_mut().expect("it was made above"))
    }

    /// Deletes what is too old or too much, and returns what stays, oldest first.
    fn prune(&self, now: Millis) -> io::Result<Vec<(LogFile, u64)>> {
        let most = self.keep.bytes / SHARE_OF_A_FILE;
        live::prune(
            &self.live(),
            SystemTime::now().checked_sub(self.keep.age).unwrap_or(SystemTime::UNIX_EPOCH),
            most,
        )?;
        let mut files = self.files()?;
        let age = Millis::try_from(self.keep.age.as_millis()).unwrap_or(Millis::MAX);
        let mut total: u64 = files.iter().map(|(_, size)| size).sum();
        let mut go = 0;
        for (name, size) in files.iter().take(files.len().saturating_sub(1)) {
            let is_old = name.end() < now.saturating_sub(age);
            if !is_old && total <= self.keep.bytes {
                break;
            }
            total -= size;
            go += 1;
        }
        for (name, _) in files.drain(..go) {
            found(std::fs::remove_file(self.path(name)))?;
            // Fails, as it should, while there are other files in it.
            let _ = std::fs::remove_dir(self.folder.join(name.day()));
        }
        Ok(files)
    }

    /// All files with their sizes, oldest first. What is not ours is passed over.
    fn files(&self) -> io::Result<Vec<(LogFile, u64)>> {
        let mut files = Vec::new();
        let Some(days) = found(std::fs::read_dir(&self.folder))? else { return Ok(files) };
        for day in days {
            let day = day?;
            if !day.file_type()?.is_dir() {
                continue;
            }
            let Some(entries) = found(std::fs::read_dir(day.path()))? else { continue };
            for entry in entries {
                let entry = entry?;
                let name = [day.file_name().to_string_lossy(), entry.file_name().to_string_lossy()].join("/");
                if let Some(name) = LogFile::parse(&name)
                    && let Some(metadata) = found(entry.metadata())?
                {
                    files.push((name, metadata.len()));
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn path(&self, name: LogFile) -> PathBuf {
        self.folder.join(name.to_string())
    }
}

/// `None` for what is not there.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The record that begins here, if it is that of this run.
fn record_of(run: RunId, mut from: impl BufRead) -> io::Result<Option<RunLog>> {
    let (mut head, mut line, mut text) = (Vec::new(), Vec::new(), Vec::new());
    from.read_until(b'\n', &mut head)?;
    if !record::is_head_of(run, &head) {
        return Ok(None);
    }
    while from.read_until(b'\n', &mut line)? > 0
        && let Some(printed) = line.strip_prefix(b" ")
    {
        text.extend_from_slice(printed);
        line.clear();
    }
    Ok(Some(record::read(&head, text)))
}

impl LogStore for RunLogs {
    fn begin(self: Arc<Self>, context: &ShardContext) -> Box<dyn LogWriter> {
        Box::new(Writer { logs: self, context: context.clone(), live: Arc::default() })
    }
}

/// The log of one run of this process.
struct Writer {
    logs: Arc<RunLogs>,
    context: ShardContext,
    /// Made when the run has printed something and goes on.
    live: Arc<Mutex<Option<Live>>>,
}

#[async_trait]
impl LogWriter for Writer {
    async fn append(&mut self, at: u64, bytes: Vec<u8>) {
        let (live, run) = (Arc::clone(&self.live), self.context.run_id);
        let append = move |logs: &RunLogs| {
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            if live.is_none() {
                *live = Some(Live::create(&logs.live(), run)?);
            }
            live.as_mut().expect("it was made above").append(at, &bytes)
        };
        self.logs.on_disk(append).await;
    }

    async fn end(self: Box<Self>, mut kept: Kept) -> Option<LogPosition> {
        if kept.total() == 0 {
            return None;
        }
        let Self { logs, context, live } = *self;
        let end = move |logs: &RunLogs| {
            let position = logs.append(&context, &mut kept, jiff::Timestamp::now().as_millisecond())?;
            if let Some(live) = live.lock().unwrap_or_else(PoisonError::into_inner).take() {
                live.remove()?;
            }
            Ok(position)
        };
        logs.on_disk(end).await
    }
}
