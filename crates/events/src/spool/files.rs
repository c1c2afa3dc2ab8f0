//! The spool's files: segments of lines, written at the end, read at the beginning, thinned when there are too many.

use super::SpoolStats;
use crate::json::{from_json, to_short_json};
use crate::{Loss, Worth, worth};
use clockwright_model::{Event, Millis, RunId};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const LOSS: &str = "dropped";
const ENDING: &str = "events";

/// A segment is this part of the spool's bound.
const SEGMENTS: u64 = 16;

/// An overflow is thinned to three quarters of the bound.
const ROOM: (u64, u64) = (3, 4);

/// Most bytes that are read at once.
const CHUNK: u64 = 4 << 20;

/// An event as a line.
pub(super) struct Line {
    worth: Worth,
    text: String,
}

/// Events on their way from the disk to the sink.
pub(super) struct Chunk {
    pub(super) events: Vec<Event>,
    pub(super) place: Place,
}

/// Where a chunk ends.
#[derive(Clone, Copy)]
pub(super) struct Place {
    segment: u64,
    end: u64,
    lines: [u64; 4],
    unreadable: [u64; 4],
}

struct Segment {
    number: u64,
    bytes: u64,
    /// How much of it is drained.
    done: u64,
    /// Lines that are not drained, by what they are worth.
    lines: [u64; 4],
}

pub(super) struct Files {
    folder: PathBuf,
    max_bytes: u64,
    segments: VecDeque<Segment>,
    /// The last segment, open for writing; `None` until something is written.
    writing: Option<File>,
    /// True while a chunk of the first segment is with the sink.
    busy: bool,
    pub(super) loss: Option<Loss>,
    pub(super) stats: SpoolStats,
    /// Held for its lock.
    _lock: File,
}

impl Line {
    pub(super) fn of(event: &Event) -> Self {
        let worth = worth(event);
        let json = to_short_json(event);
        Self { worth, text: format!("{}{:08x} {json}\n", worth as usize, checksum(json.as_bytes())) }
    }
}

/// Fowler, Noll and Vo's 32-bit hash 1a: against torn and rotten lines, not against people.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What a line is worth; a line that says nothing sensible is worth least.
fn worth_of(line: &[u8]) -> usize {
    line.first().map_or(0, |digit| usize::from(digit.wrapping_sub(b'0'))).min(3)
}

fn read_line(line: &[u8]) -> Option<Event> {
    let (head, json) = (line.get(..10)?, line.get(10..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(&head[1..9]).ok()?, 16).ok()?;
    if head[9] != b' ' || sum != checksum(json) {
        return None;
    }
    from_json(std::str::from_utf8(json).ok()?)
}

fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

impl Files {
    pub(super) fn open(folder: PathBuf, max_bytes: u64) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(folder.join(LOCK))?;
        lock.try_lock().map_err(Error::from)?;
        let mut numbers: Vec<u64> = std::fs::read_dir(&folder)?
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(ENDING)?.strip_suffix('.')?.parse().ok()
            })
            .collect();
        numbers.sort_unstable();
        let loss = std::fs::read_to_string(folder.join(LOSS)).ok().and_then(|text| read_loss(&text));
        let mut files = Self {
            folder,
            max_bytes,
            segments: VecDeque::new(),
            writing: None,
            busy: false,
            loss,
            stats: SpoolStats::default(),
            _lock: lock,
        };
        for number in numbers {
            let text = std::fs::read(files.path(number))?;
            let mut lines = [0; 4];
            let whole = whole_lines(&text);
            for line in lines_of(&text[..whole]) {
                lines[worth_of(line)] += 1;
            }
            if whole < text.len() {
                // The process ended while it wrote: nobody was told that this line was taken.
                OpenOptions::new().write(true).open(files.path(number))?.set_len(whole as u64)?;
            }
            files.segments.push_back(Segment { number, bytes: whole as u64, done: 0, lines });
        }
        files.count();
        Ok(files)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016}.{ENDING}"))
    }

    /// Writes lines at the end, all or none, and makes room if need be.
    pub(super) fn append(&mut self, lines: &[Line]) -> Result<()> {
        let text: String = lines.iter().map(|line| line.text.as_str()).collect();
        if self.writing.is_none()
            || self.segments.back().is_none_or(|last| last.bytes >= self.max_bytes / SEGMENTS)
        {
            let number = self.segments.back().map_or(1, |last| last.number + 1);
            let file = OpenOptions::new().create(true).write(true).truncate(true).open(self.path(number))?;
            self.writing = Some(file);
            self.segments.push_back(Segment { number, bytes: 0, done: 0, lines: [0; 4] });
        }
        let last = self.segments.back_mut().expect("there is the segment that is being written");
        let file = self.writing.as_mut().expect("it was opened above");
        if let Err(error) = file.write_all(text.as_bytes()) {
            // Cut off what a full disk has taken of it. The next line must begin a line, so if even that fails, the next
            // batch begins a segment.
            if file.set_len(last.bytes).and_then(|()| file.seek(SeekFrom::Start(last.bytes))).is_err() {
                self.writing = None;
            }
            return Err(error);
        }
        last.bytes += text.len() as u64;
        for line in lines {
            last.lines[line.worth as usize] += 1;
        }
        self.stats.spooled += lines.len() as u64;
        let made = if self.bytes() > self.max_bytes { self.thin() } else { Ok(()) };
        self.count();
        if let Err(error) = made {
            tracing::error!(%error, "cannot make room in the spool");
        }
        Ok(())
    }

    /// The next lines to store; they stay on disk until [`settle`](Self::settle).
    pub(super) fn next_chunk(&mut self, most: usize) -> Result<Option<Chunk>> {
        loop {
            let Some(first) = self.segments.front() else { return Ok(None) };
            if first.done < first.bytes {
                break;
            }
            let number = first.number;
            if self.segments.len() == 1 {
                self.writing = None;
            }
            std::fs::remove_file(self.path(number))?;
            self.segments.pop_front();
            self.count();
        }
        let first = &self.segments[0];
        let (segment, done, bytes) = (first.number, first.done, first.bytes);
        let mut file = File::open(self.path(segment))?;
        file.seek(SeekFrom::Start(done))?;
        let mut text = Vec::new();
        // A line may be longer than what is read at once; then it is read alone.
        let mut size = CHUNK;
        while whole_lines(&text) == 0 && text.len() as u64 != bytes - done {
            file.seek(SeekFrom::Start(done))?;
            text.clear();
            (&mut file).take(size.min(bytes - done)).read_to_end(&mut text)?;
            if text.len() as u64 == bytes - done || size > bytes {
                break;
            }
            size *= 2;
        }
        let whole = whole_lines(&text);
        if whole == 0 {
            // Nothing of what should be there is: somebody else has changed the file.
            return Ok(Some(self.lost_rest(segment, bytes)));
        }
        let mut events = Vec::new();
        let mut place = Place { segment, end: done, lines: [0; 4], unreadable: [0; 4] };
        for line in lines_of(&text[..whole]).take(most) {
            place.end += line.len() as u64 + 1;
            place.lines[worth_of(line)] += 1;
            match read_line(line) {
                Some(event) => events.push(event),
                None => place.unreadable[worth_of(line)] += 1,
            }
        }
        self.busy = true;
        Ok(Some(Chunk { events, place }))
    }

    fn lost_rest(&mut self, segment: u64, bytes: u64) -> Chunk {
        let lines = self.segments[0].lines;
        self.busy = true;
        Chunk { events: Vec::new(), place: Place { segment, end: bytes, lines, unreadable: lines } }
    }

    /// The chunk was not stored.
    pub(super) fn put_back(&mut self) {
        self.busy = false;
    }

    /// The chunk is stored: its lines are done with.
    pub(super) fn settle(&mut self, place: Place) -> Result<()> {
        self.busy = false;
        let unreadable: u64 = place.unreadable.iter().sum();
        if unreadable > 0 {
            self.lose(place.unreadable, "lines of the spool could not be read");
            self.save_loss()?;
        }
        let Some(first) = self.segments.front_mut().filter(|first| first.number == place.segment) else {
            return Ok(());
        };
        first.done = place.end;
        for (left, done) in first.lines.iter_mut().zip(place.lines) {
            *left = left.saturating_sub(done);
        }
        self.stats.drained += place.lines.iter().sum::<u64>() - unreadable;
        if self.segments.len() == 1 && self.segments[0].done == self.segments[0].bytes {
            let number = self.segments[0].number;
            self.writing = None;
            self.segments.clear();
            std::fs::remove_file(self.path(number))?;
        }
        self.count();
        Ok(())
    }

    /// Drops lines, those worth least first and of those the oldest first, until a quarter of the bound is free.
    fn thin(&mut self) -> Result<()> {
        let target = self.max_bytes / ROOM.1 * ROOM.0;
        let mut dropped = [0; 4];
        let mut result = Ok(());
        // The first segment stays as it is while a chunk of it is on its way, and the last one while it is written.
        let from = usize::from(self.busy);
        'thinning: for (worth, dropped) in dropped.iter_mut().enumerate() {
            for at in from..self.segments.len().saturating_sub(1) {
                if self.bytes() <= target {
                    break 'thinning;
                }
                if self.segments[at].lines[worth] == 0 {
                    continue;
                }
                match self.without(at, worth) {
                    Ok(()) => *dropped += std::mem::take(&mut self.segments[at].lines[worth]),
                    Err(error) => {
                        result = Err(error);
                        break 'thinning;
                    }
                }
            }
        }
        if dropped.iter().sum::<u64>() > 0 {
            tracing::warn!(
                ?dropped,
                "the spool is full: dropped states, runs, outcomes and failures, the oldest first"
            );
            self.lose(dropped, "the spool was full while the database was slow or away");
            self.save_loss()?;
        }
        result
    }

    /// Rewrites a segment without the lines of one worth, and without what is drained.
    fn without(&mut self, at: usize, worth: usize) -> Result<()> {
        let path = self.path(self.segments[at].number);
        let text = std::fs::read(&path)?;
        let done = usize::try_from(self.segments[at].done).unwrap_or(usize::MAX).min(text.len());
        let mut kept = Vec::with_capacity(text.len() - done);
        for line in lines_of(&text[done..]).filter(|line| worth_of(line) != worth) {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
        // The new file needs less room than the old one frees, but needs it first; a full disk says no here.
        replace(&path, &kept)?;
        self.segments[at].bytes = kept.len() as u64;
        self.segments[at].done = 0;
        Ok(())
    }

    fn lose(&mut self, counts: [u64; 4], reason: &str) {
        let at = now();
        self.stats.dropped += counts.iter().sum::<u64>();
        let loss = self.loss.get_or_insert_with(|| Loss {
            id: RunId::new(at, u128::from(RandomState::new().hash_one(at))),
            from: at,
            to: at,
            statuses: 0,
            executions: 0,
            settlements: 0,
            failures: 0,
            reason: reason.to_owned(),
        });
        loss.to = at;
        loss.statuses += counts[0];
        loss.executions += counts[1];
        loss.settlements += counts[2];
        loss.failures += counts[3];
    }

    fn save_loss(&self) -> Result<()> {
        let Some(loss) = &self.loss else { return Ok(()) };
        let text = format!(
            "{} {} {} {} {} {} {} {}\n",
            loss.id,
            loss.from,
            loss.to,
            loss.statuses,
            loss.executions,
            loss.settlements,
            loss.failures,
            loss.reason
        );
        replace(&self.folder.join(LOSS), text.as_bytes())
    }

    /// The loss is on record, if it is still the same one.
    pub(super) fn forget_loss(&mut self, told: &Loss) -> Result<()> {
        if self.loss.as_ref() != Some(told) {
            // More was dropped in the meantime; it gets a record of its own, for what came on top.
            if let Some(loss) = &mut self.loss {
                loss.id = RunId::new(loss.to, u128::from(RandomState::new().hash_one(loss.to)));
                loss.from = told.to;
                loss.statuses -= told.statuses;
                loss.executions -= told.executions;
                loss.settlements -= told.settlements;
                loss.failures -= told.failures;
            }
            return self.save_loss();
        }
        self.loss = None;
        std::fs::remove_file(self.folder.join(LOSS))
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn count(&mut self) {
        self.stats.waiting = self.segments.iter().flat_map(|segment| segment.lines).sum();
        self.stats.bytes = self.bytes();
    }
}

fn read_loss(text: &str) -> Option<Loss> {
    let mut words = text.trim_end().splitn(8, ' ');
    let id = RunId::parse(words.next()?)?;
    let (from, to) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut count = || words.next()?.parse::<u64>().ok();
    let (statuses, executions, settlements, failures) = (count()?, count()?, count()?, count()?);
    let reason = words.next().unwrap_or_default().to_owned();
    Some(Loss { id, from, to, statuses, executions, settlements, failures, reason })
}

/// Puts a new file in the place of an old one, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    let written = std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// How many bytes end with a line's end.
fn whole_lines(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}
