//! What runs printed, kept on disk until it is too old or too much.
//!
//! A folder holds a folder for each day, and that a file for each hour or, where much is printed, several: `2026-11-27/13.log`, then
//! `2026-11-27/13-1.log`, in UTC. When a run has ended, its record is appended in one piece: a line that begins with the run's id, and
//! behind it each line that it printed, after a space. So a file reads well without any program, the record of a run is found by
//! its [`LogPosition`], and without one by looking for its id from the file of the hour on in which it began.
//!
//! Several processes may keep logs in one folder: what is appended to a file lands in one piece behind what is there. When
//! a process goes on to its next file, it deletes what is older than [`KeepLogs::age`], and then the oldest files while all of them together
//! hold more than [`KeepLogs::bytes`].
//!
//! Keeping logs never holds up a run for long: a disk that hangs is waited for once, for [`PATIENCE`], and not at all until it has
//! answered. What could not be kept is lost and told; the run and its outcome are not concerned.

use crate::{Control, Output, RunEnd, RunSpec, Runtime, SharedRuntime};
use async_trait::async_trait;
use clockwright_model::{Millis, RunId, ShardContext};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A folder of logs.
#[derive(Debug)]
pub struct RunLogs {
    folder: PathBuf,
    keep: KeepLogs,
    /// Where the last record went.
    current: Mutex<Option<Current>>,
    /// One record is written at a time; whoever waits for its turn does not hold up a thread.
    turn: Arc<Semaphore>,
    /// The last record did not get onto the disk in time.
    late: AtomicBool,
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
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a run printed, line by line; `None` when it is not (or no longer) here. A position makes this quick; without one, or
    /// with one that is of no use, all that was kept since the run began is looked through. It reads files: not for a thread that others wait for.
    ///
    /// # Errors
    /// What the file system says, except that there is no such file.
    pub fn read(&self, run: RunId, position: Option<&LogPosition>) -> io::Result<Option<String>> {
        if let Some(position) = position
            && let Some(text) = self.record_at(run, position)?
        {
            return Ok(Some(text));
        }
        for (name, _) in self.files()?.into_iter().filter(|(name, _)| name.end() > run.time()) {
            if let Some(text) = self.record_in(run, name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn record_at(&self, run: RunId, position: &LogPosition) -> io::Result<Option<String>> {
        let Some(mut file) = found(File::open(self.path(position.file)))? else { return Ok(None) };
        if file.seek(SeekFrom::Start(position.offset)).is_err() {
            // No file can be that long.
            return Ok(None);
        }
        let mut bytes = Vec::new();
        // Whatever the position says, a file is no longer than it is, and a record ends where the next one begins.
        file.take(position.length).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split_inclusive('\n');
        let is_it = lines.next().is_some_and(|head| is_head_of(run, head.as_bytes()));
        Ok(is_it.then(|| lines.map_while(|line| line.strip_prefix(' ')).collect()))
    }

    fn record_in(&self, run: RunId, name: LogFile) -> io::Result<Option<String>> {
        let Some(file) = found(File::open(self.path(name)))? else { return Ok(None) };
        let mut file = BufReader::with_capacity(64 << 10, file);
        let (mut line, mut record) = (Vec::new(), None::<String>);
        loop {
            line.clear();
            let is_end = file.read_until(b'\n', &mut line)? == 0;
            match (&mut record, line.strip_prefix(b" ")) {
                (Some(text), Some(line)) => text.push_str(&String::from_utf8_lossy(line)),
                (Some(_), None) => return Ok(record),
                (None, _) if is_head_of(run, &line) => record = Some(String::new()),
                (None, _) if is_end => return Ok(None),
                (None, _) => {}
            }
        }
    }

    /// Keeps what a run printed, and says where. Nothing is kept of a run that printed nothing.
    async fn keep(self: &Arc<Self>, context: ShardContext, output: Output) -> Option<LogPosition> {
        if output.lines.is_empty() {
            return None;
        }
        let this = Arc::clone(self);
        let keep = async move {
            let turn = Arc::clone(&this.turn).acquire_owned().await.map_err(io::Error::other)?;
            let work = move || {
                let _turn = turn;
                this.append(&context, &output, jiff::Timestamp::now().as_millisecond())
            };
            tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
        };
        let patience = if self.late.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
        let (kept, late) = match tokio::time::timeout(patience, keep).await {
            Ok(Ok(position)) => (Ok(position), false),
            Ok(Err(error)) => (Err(error.to_string()), false),
            Err(_) => (Err("the disk does not answer".to_owned()), true),
        };
        // Told once, until it is well again: a full disk must not fill the program's own log.
        let was_late = self.late.swap(late, Ordering::Relaxed);
        match kept {
            Ok(position) => Some(position),
            Err(reason) => {
                if !(late && was_late) {
                    let folder = self.folder.display();
                    tracing::warn!("cannot keep what runs print in {folder}: {reason}; they go on without");
                }
                None
            }
        }
    }

    fn append(&self, context: &ShardContext, output: &Output, now: Millis) -> io::Result<LogPosition> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current(&mut current, now)?;
        let record = record(context, output, now);
        let begin = if std::mem::take(&mut current.torn) { "\n" } else { "" };
        let bytes = [begin.as_bytes(), record.as_bytes()].concat();
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

/// A run's line and those that it printed.
fn record(context: &ShardContext, output: &Output, now: Millis) -> String {
    let ShardContext { job, item, fire, attempt, run_id, .. } = context;
    let ended = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let size: usize = output.lines.iter().map(|line| line.len() + 2).sum();
    let mut text = String::with_capacity(size + 256);
    writeln!(text, "{run_id} {job}/{item} fire {fire} attempt {attempt}, ended {ended}")
        .expect("a string takes everything");
    for line in output.lines.iter().flat_map(|line| line.split('\n')) {
        text.extend([" ", line, "\n"]);
    }
    text
}

/// True for the line that a run's record begins with.
fn is_head_of(run: RunId, line: &[u8]) -> bool {
    line.strip_prefix(run.to_string().as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// Where a run's record is: which file of a folder of logs, from which byte, how many bytes. Written `2026-11-27/13-1.log:4096+512`.
///
/// It may come from a database that others write to, so it can name nothing but a file that a folder of logs holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    file: LogFile,
    offset: u64,
    length: u64,
}

impl LogPosition {
    /// Reads the written form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (file, place) = text.split_once(':')?;
        let (offset, length) = place.split_once('+')?;
        let position =
            Self { file: LogFile::parse(file)?, offset: offset.parse().ok()?, length: length.parse().ok()? };
        (position.to_string() == text).then_some(position)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{}", self.file, self.offset, self.length)
    }
}

/// A file: the hour in which its runs ended, and which one of that hour. Older ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LogFile {
    /// When its hour begins, epoch milliseconds.
    begin: Millis,
    number: u32,
}

const HOUR: Millis = 3_600_000;

impl LogFile {
    fn of(at: Millis, number: u32) -> Self {
        // What no calendar holds counts as its ends.
        let (min, max) = (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
        Self { begin: at.clamp(min + HOUR, max).div_euclid(HOUR) * HOUR, number }
    }

    fn end(self) -> Millis {
        self.begin + HOUR
    }

    fn parse(text: &str) -> Option<Self> {
        let (day, file) = text.split_once('/')?;
        let stem = file.strip_suffix(".log")?;
        let (hour, number) = stem.split_once('-').unwrap_or((stem, "0"));
        let begin: jiff::civil::DateTime = format!("{day}T{hour}:00:00").parse().ok()?;
        let begin = jiff::tz::Offset::UTC.to_timestamp(begin).ok()?.as_millisecond();
        let file = Self::of(begin, number.parse().ok()?);
        // What we would write otherwise is no name of ours.
        (file.to_string() == text).then_some(file)
    }

    fn time(self) -> jiff::civil::DateTime {
        let at = jiff::Timestamp::from_millisecond(self.begin).unwrap_or_default();
        jiff::tz::Offset::UTC.to_datetime(at)
    }

    fn day(self) -> String {
        self.time().date().to_string()
    }
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:02}", self.day(), self.time().hour())?;
        if self.number > 0 {
            write!(f, "-{}", self.number)?;
        }
        f.write_str(".log")
    }
}

/// A runtime that keeps what its runs print in a folder of logs.
pub struct Logged {
    runtime: SharedRuntime,
    logs: Arc<RunLogs>,
}

impl Logged {
    /// Runs by another runtime.
    #[must_use]
    pub fn new(runtime: SharedRuntime, logs: Arc<RunLogs>) -> Self {
        Self { runtime, logs }
    }
}

#[async_trait]
impl Runtime for Logged {
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd {
        let context = spec.context.clone();
        let mut end = self.runtime.run(spec, control).await;
        end.log = self.logs.keep(context, std::mem::take(&mut end.output)).await;
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clockwright_model::{Fire, JobName, Source};

    const NOON: Millis = 1_700_049_600_000;

    fn context(run: u128, at: Millis) -> ShardContext {
        ShardContext {
            job: JobName::new("j").unwrap(),
            task_id: "t".into(),
            sharding_total_count: 1,
            job_parameter: "".into(),
            item: 0,
            sharding_parameter: None,
            fire: Fire::Scheduled(at),
            source: Source::Schedule,
            attempt: 1,
            run_id: RunId::new(at, run),
            token: 1,
        }
    }

    fn output(lines: &[&str]) -> Output {
        Output { lines: lines.iter().map(ToString::to_string).collect(), dropped_bytes: 0 }
    }

    fn logs(keep: KeepLogs) -> (RunLogs, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (RunLogs::new(folder.path().join("logs"), keep), folder)
    }

    fn names(logs: &RunLogs) -> Vec<String> {
        logs.files().unwrap().into_iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn what_a_run_printed_reads_back_by_its_position_and_by_its_id_alone() {
        let (logs, folder) = logs(KeepLogs::default());
        let other = RunLogs::new(folder.path().join("logs"), KeepLogs::default());
        let mut kept = Vec::new();
        for n in 0..20 {
            // Two processes in turn, in the same file; lines of all kinds, one that looks like the head of a record too.
            let head = format!("{} j/0", RunId::new(NOON, 3));
            let lines = ["one", "", " 日本 ", &head, &n.to_string()];
            let writer = if n % 2 == 0 { &logs } else { &other };
            let position = writer.append(&context(n, NOON), &output(&lines), NOON + 5).unwrap();
            assert_eq!(LogPosition::parse(&position.to_string()), Some(position.clone()));
            kept.push((n, position, lines.join("\n") + "\n"));
        }
        assert_eq!(names(&logs), ["2023-11-15/12.log"]);
        for (n, position, text) in &kept {
            let run = RunId::new(NOON, *n);
            for position in [Some(position), None, Some(&kept[(*n as usize + 1) % 20].1)] {
                assert_eq!(logs.read(run, position).unwrap().as_ref(), Some(text), "{position:?}");
            }
        }
        assert_eq!(logs.read(RunId::new(NOON, 99), Some(&kept[0].1)).unwrap(), None);
    }

    #[test]
    fn a_run_that_ended_hours_later_is_found_without_a_position() {
        let (logs, _folder) = logs(KeepLogs::default());
        logs.append(&context(1, NOON), &output(&["x"]), NOON + 30 * HOUR).unwrap();
        logs.append(&context(2, NOON), &output(&["y"]), NOON + 31 * HOUR).unwrap();
        assert_eq!(names(&logs), ["2023-11-16/18.log", "2023-11-16/19.log"]);
        assert_eq!(logs.read(RunId::new(NOON, 2), None).unwrap().unwrap(), "y\n");
    }

    #[test]
    fn the_oldest_files_go_when_it_is_too_much_or_they_are_too_old() {
        let keep = KeepLogs { age: Duration::from_secs(10 * 3600), bytes: 16_000 };
        let (logs, _folder) = logs(keep);
        let line = "x".repeat(900);
        let put = |n: i64, at| logs.append(&context(n as u128, at), &output(&[&line]), at).unwrap();
        // Each record fills a file, and sixteen of them are all that may be kept.
        for n in 0..40 {
            put(n, NOON + n);
        }
        let kept = names(&logs);
        assert!(kept.len() >= 15 && kept.len() <= 17, "{kept:?}");
        assert_eq!(kept.last().unwrap(), "2023-11-15/12-39.log");
        assert_eq!(logs.read(RunId::new(NOON, 0), None).unwrap(), None);
        // A day later nothing of it is left but what is new, and the folder of the day before is gone.
        put(41, NOON + 24 * HOUR);
        put(42, NOON + 25 * HOUR);
        assert_eq!(names(&logs), ["2023-11-16/12.log", "2023-11-16/13.log"]);
        assert!(!logs.folder().join("2023-11-15").exists());
    }

    #[test]
    fn a_file_that_was_deleted_beneath_is_made_again() {
        let (logs, _folder) = logs(KeepLogs::default());
        let first = logs.append(&context(1, NOON), &output(&["x"]), NOON).unwrap();
        std::fs::remove_dir_all(logs.folder()).unwrap();
        assert_eq!(logs.read(RunId::new(NOON, 1), Some(&first)).unwrap(), None);
        let second = logs.append(&context(2, NOON), &output(&["y"]), NOON).unwrap();
        assert_eq!(logs.read(RunId::new(NOON, 2), Some(&second)).unwrap().unwrap(), "y\n");
    }

    #[test]
    fn a_position_names_nothing_but_a_log_file() {
        let good = "2023-11-15/12-3.log:4096+512";
        assert_eq!(LogPosition::parse(good).unwrap().to_string(), good);
        for bad in [
            "",
            "../../etc/passwd:0+9",
            "/etc/passwd:0+9",
            "2023-11-15/../../x.log:0+9",
            "2023-11-15/12.log",
            "2023-11-15/12.log:0",
            "2023-11-15/12.log:-1+9",
            "2023-11-15/12.log:+1+9",
            "2023-11-15/12.log: 1+9",
            "2023-11-15/12.log:01+9",
            "2023-11-15/12-0.log:0+9",
            "2023-11-15/12-01.log:0+9",
            "2023-11-15/24.log:0+9",
            "2023-02-30/12.log:0+9",
            "2023-11-15/12.log\0:0+9",
            "2023-11-15/12.log:0+99999999999999999999",
        ] {
            assert_eq!(LogPosition::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_position_beyond_the_end_of_its_file_finds_nothing_and_takes_no_memory() {
        let (logs, _folder) = logs(KeepLogs::default());
        logs.append(&context(1, NOON), &output(&["x"]), NOON).unwrap();
        let beyond = LogPosition::parse(&format!("2023-11-15/12.log:{}+{}", u64::MAX / 2, u64::MAX)).unwrap();
        assert_eq!(logs.read(RunId::new(NOON, 2), Some(&beyond)).unwrap(), None);
        assert!(logs.read(RunId::new(NOON, 1), Some(&beyond)).unwrap().is_some(), "by its id");
    }

    #[test]
    fn only_the_owner_may_read_what_runs_print() {
        let (logs, _folder) = logs(KeepLogs::default());
        let position = logs.append(&context(1, NOON), &output(&["secret"]), NOON).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&logs.path(position.file)), 0o600);
        assert_eq!((mode(logs.folder()), mode(&logs.folder().join("2023-11-15"))), (0o700, 0o700));
    }

    #[tokio::test]
    async fn a_run_that_printed_nothing_leaves_no_record_and_a_folder_that_cannot_be_written_no_failure() {
        let (logs, folder) = logs(KeepLogs::default());
        let logs = Arc::new(logs);
        assert_eq!(logs.keep(context(1, NOON), Output::default()).await, None);
        assert!(!logs.folder().exists());
        let blocked = Arc::new(RunLogs::new(folder.path().join("file/logs"), KeepLogs::default()));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(blocked.keep(context(1, NOON), output(&["x"])).await, None);
        assert!(logs.keep(context(1, NOON), output(&["x"])).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_once() {
        let (logs, _folder) = logs(KeepLogs::default());
        let logs = Arc::new(logs);
        // Whoever has the turn does not come back.
        let hung = Arc::clone(&logs.turn).acquire_owned().await.unwrap();
        let begin = tokio::time::Instant::now();
        assert_eq!(logs.keep(context(1, NOON), output(&["x"])).await, None);
        assert_eq!(begin.elapsed(), PATIENCE);
        for n in 2..100 {
            assert_eq!(logs.keep(context(n, NOON), output(&["x"])).await, None);
        }
        assert_eq!(begin.elapsed(), PATIENCE);
        drop(hung);
        assert_eq!(logs.turn.available_permits(), 1);
    }
}
