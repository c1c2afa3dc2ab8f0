//! The log of one run, as it is read, and its record, as it is written once the run has ended.
//!
//! A record is a line that begins with the run's id and ends with how much the run printed, and behind it each line that it printed, after
//! a space. Where bytes are missing, a line says so; it is no part of what the run printed, and the first line says where it stands:
//!
//! ```text
//! 0196a1b2-… report/0 fire 2026-11-27T13:00:00Z attempt 1, ended 2026-11-27T13:00:09Z, 200000 bytes, 68928 not kept from byte 65536 on
//! ```

use crate::output::{Kept, gap};
use clockwright_model::{Millis, RunId, ShardContext};

/// What is known of what a run printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLog {
    /// Pieces of it, each behind the number of bytes that were printed before it.
    pub(super) pieces: Vec<(u64, Vec<u8>)>,
    pub(super) total: u64,
    pub(super) state: LogState,
}

/// Whether more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogState {
    /// The run goes on.
    Running,
    /// The run has ended.
    Ended,
    /// The process that kept the log died before the run's end, and the run with it.
    CutOff,
}

impl RunLog {
    /// How many bytes the run has printed so far, as far as is known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether more will come.
    #[must_use]
    pub fn state(&self) -> LogState {
        self.state
    }

    /// What the run printed, from this byte on, as it came. A line of its own stands for bytes that were not kept.
    #[must_use]
    pub fn after(&self, from: u64) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = from;
        let end: (u64, &[u8]) = (self.total, &[]);
        for (start, bytes) in self.pieces.iter().map(|(start, bytes)| (*start, bytes.as_slice())).chain([end])
        {
            if start > at {
                push_gap(&mut text, start - at);
                at = start;
            }
            let known = usize::try_from(at - start).ok().and_then(|known| bytes.get(known..));
            if let Some(new) = known {
                text.extend_from_slice(new);
                at += new.len() as u64;
            }
        }
        text
    }
}

fn push_gap(text: &mut Vec<u8>, bytes: u64) {
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(gap(bytes).as_bytes());
    text.push(b'\n');
}

/// The record of a run that has ended.
pub(super) fn write(context: &ShardContext, kept: &mut Kept, now: Millis) -> Vec<u8> {
    let ShardContext { job, item, fire, attempt, run_id, .. } = context;
    let ended = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let (total, lost, begin) = (kept.total(), kept.lost(), kept.head().len());
    let mut text = kept.head().to_vec();
    if lost > 0 {
        push_gap(&mut text, lost);
    }
    text.extend_from_slice(kept.tail());
    let mut record =
        format!("{run_id} {job}/{item} fire {fire} attempt {attempt}, ended {ended}, {total} bytes")
            .into_bytes();
    if lost > 0 {
        record.extend_from_slice(format!(", {lost} not kept from byte {begin} on").as_bytes());
    }
    record.push(b'\n');
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        record.push(b' ');
        record.extend_from_slice(line);
    }
    if !record.ends_with(b"\n") {
        record.push(b'\n');
    }
    record
}

/// True for the line that a run's record begins with.
pub(super) fn is_head_of(run: RunId, line: &[u8]) -> bool {
    line.strip_prefix(run.to_string().as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// Reads a record back: its first line, and its others without their spaces.
pub(super) fn read(head: &[u8], mut text: Vec<u8>) -> RunLog {
    let (total, lost) = extent(&String::from_utf8_lossy(head)).unwrap_or((text.len() as u64, None));
    let whole =
        |text: Vec<u8>| RunLog { total: text.len() as u64, pieces: vec![(0, text)], state: LogState::Ended };
    let Some((lost, begin)) = lost else {
        text.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        return whole(text);
    };
    let mut first = text.get(..begin).unwrap_or_default().to_vec();
    let end = first.len();
    push_gap(&mut first, lost);
    let Some(tail) = text.strip_prefix(first.as_slice()) else { return whole(text) };
    let start = begin as u64 + lost;
    let length = usize::try_from(total.saturating_sub(start)).unwrap_or(usize::MAX);
    let tail = tail[..tail.len().min(length)].to_vec();
    first.truncate(end);
    RunLog { pieces: vec![(0, first), (start, tail)], total, state: LogState::Ended }
}

/// How many bytes the run printed, how many of them are missing, and from which on.
fn extent(head: &str) -> Option<(u64, Option<(u64, usize)>)> {
    let (rest, last) = head.trim_end().rsplit_once(", ")?;
    if let Some(total) = last.strip_suffix(" bytes") {
        return Some((total.parse().ok()?, None));
    }
    let (lost, begin) = last.strip_suffix(" on")?.split_once(" not kept from byte ")?;
    let total = rest.rsplit_once(", ")?.1.strip_suffix(" bytes")?;
    Some((total.parse().ok()?, Some((lost.parse().ok()?, begin.parse().ok()?))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::JobName;

    fn context() -> ShardContext {
        let example = ShardContext::example(JobName::new("odd, 7 bytes").unwrap());
        ShardContext { run_id: RunId::new(0, 1), ..example }
    }

    fn back(record: &[u8]) -> RunLog {
        let mut lines = record.split_inclusive(|byte| *byte == b'\n');
        let head = lines.next().unwrap();
        read(head, lines.map(|line| line.strip_prefix(b" ").unwrap()).collect::<Vec<_>>().concat())
    }

    #[test]
    fn bytes_read_back_as_they_came() {
        for text in ["", "one\n", "no end", "\n\n", " a\r\n\tb", "[… 3 bytes not kept …]\n"] {
            let mut kept = Kept::new(100, 100);
            kept.print(text.as_bytes());
            let log = back(&write(&context(), &mut kept, 0));
            assert_eq!(
                (log.after(0), log.total()),
                (text.as_bytes().to_vec(), text.len() as u64),
                "{text:?}"
            );
        }
        let mut kept = Kept::new(100, 100);
        kept.print(b"\xff\xfe\n");
        assert_eq!(back(&write(&context(), &mut kept, 0)).after(0), b"\xff\xfe\n");
    }

    #[test]
    fn a_gap_is_shown_as_a_line_and_counts_for_those_who_have_read_up_to_it() {
        for text in ["abc\n0123456789xyz", "abcd0123456789xy\n"] {
            let mut kept = Kept::new(4, 3);
            kept.print(text.as_bytes());
            let log = back(&write(&context(), &mut kept, 0));
            let (head, tail) = (text[..4].trim_end(), &text[text.len() - 3..]);
            let shown = |log: &RunLog, from| String::from_utf8(log.after(from)).unwrap();
            assert_eq!(shown(&log, 0), format!("{head}\n[… 10 bytes not kept …]\n{tail}"));
            assert_eq!(shown(&log, 6), format!("[… 8 bytes not kept …]\n{tail}"));
            assert_eq!(shown(&log, 15), &tail[1..]);
            assert_eq!((shown(&log, 17), log.total()), (String::new(), 17));
        }
    }
}
