//! What the jobs of a scenario write about themselves: one JSON object a line, each line one atomic append.
//!
//! The file is the only witness that the scheduler cannot influence: a job program writes it, not the program under
//! test. All processes of a scenario share one machine, so `CLOCK_MONOTONIC` orders their records in real time.

use clockwright_model::{Fire, Item, Millis, Token};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What happened.
    pub kind: Kind,
    /// The job's name.
    pub job: String,
    /// The item.
    pub item: Item,
    /// The fire, as `CLOCKWRIGHT_FIRE_TIME` gave it; [`Record::fire`] reads it.
    pub fire: String,
    /// Which attempt at the fire, from 1.
    pub attempt: u32,
    /// The fencing token of the attempt.
    pub token: Token,
    /// The run's id.
    pub run: String,
    /// The process that wrote the line.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub mono_ns: u64,
    /// Wall clock, epoch milliseconds.
    pub wall_ms: Millis,
    /// The instance, from the task id of the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Exit code; only in an end record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
}

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The run began.
    Start,
    /// It was still alive.
    Beat,
    /// It is about to exit by itself, with `code`.
    End,
    /// At its start another live process held the lock of its item: two runs of one item at once, seen by the kernel.
    Overlap,
    /// A descendant that left the process group and session of the run was still alive.
    Child,
}

impl Record {
    /// The fire: an instant in epoch milliseconds or RFC 3339, with `/{id}` after it for a trigger.
    ///
    /// # Errors
    /// The text, when it is none of these.
    pub fn fire(&self) -> Result<Fire, String> {
        parse_fire(&self.fire)
    }
}

/// Reads a fire as [`Record::fire`] does.
///
/// # Errors
/// The text, when it is no fire.
pub fn parse_fire(text: &str) -> Result<Fire, String> {
    let (at, id) = match text.split_once('/') {
        Some((at, id)) => (at, Some(id)),
        None => (text, None),
    };
    let at = match at.parse::<Millis>() {
        Ok(at) => at,
        Err(_) => at.parse::<jiff::Timestamp>().map_err(|_| format!("`{text}` is no fire"))?.as_millisecond(),
    };
    Ok(match id {
        None => Fire::Scheduled(at),
        Some(id) => Fire::Trigger { at, id: id.to_owned() },
    })
}

/// Opens a log for appending.
///
/// # Errors
/// When the file cannot be created or opened.
pub fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Appends a record with a single write, so that lines of several processes never mix.
///
/// # Errors
/// When the file system refuses it, or takes only part of it.
pub fn append(log: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    match log.write(&line)? {
        written if written == line.len() => Ok(()),
        _ => Err(io::Error::other("a record was written in part")),
    }
}

/// Reads a whole log. An absent file is an empty log: no job has started yet. A last line without its end is still being
/// written, and not there yet.
///
/// # Errors
/// The number and text of the first line that is no record.
pub fn read_log(path: &Path) -> Result<Vec<Record>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("{}:{}: {error}: {line}", path.display(), at + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fires_are_read_in_each_of_their_spellings() {
        assert_eq!(parse_fire("1700000000000"), Ok(Fire::Scheduled(1_700_000_000_000)));
        assert_eq!(parse_fire("2023-11-14T22:13:20Z"), Ok(Fire::Scheduled(1_700_000_000_000)));
        assert_eq!(parse_fire("2023-11-14T22:13:20.5+00:00"), Ok(Fire::Scheduled(1_700_000_000_500)));
        assert_eq!(
            parse_fire("1700000000000/abc"),
            Ok(Fire::Trigger { at: 1_700_000_000_000, id: "abc".into() })
        );
        assert!(parse_fire("soon").is_err());
    }

    #[test]
    fn a_log_reads_back_what_was_appended_and_names_a_broken_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert_eq!(read_log(&path), Ok(Vec::new()));
        let record = Record {
            kind: Kind::End,
            job: "a".into(),
            item: 1,
            fire: "5".into(),
            attempt: 2,
            token: 3,
            run: "r".into(),
            pid: 4,
            ppid: 5,
            mono_ns: 6,
            wall_ms: 7,
            instance: None,
            code: Some(8),
        };
        append(&mut open_log(&path).unwrap(), &record).unwrap();
        std::io::Write::write_all(&mut open_log(&path).unwrap(), b"{\"kind\":").unwrap();
        assert_eq!(read_log(&path), Ok(vec![record]));
        std::fs::write(&path, "{}\n").unwrap();
        assert!(read_log(&path).unwrap_err().contains("log:1:"));
    }
}
