//! What a supervisor and the process that started it say to each other, over the supervisor's stdin and stdout.
//!
//! A frame is one byte that names its kind, the length of what follows as four bytes (little end first), and that many
//! bytes. Both ends are always the same binary, so there is no version.

use crate::output::Stream;
use clockwright_model::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// No frame is longer: the kernel gives a program at most a few MiB of arguments.
const MAX_FRAME: usize = 16 << 20;

/// Says what to run; the first frame that a supervisor gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// Added to the inherited environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs; inherited if not given.
    pub(crate) directory: Option<PathBuf>,
    /// How many files it may have open; inherited if not given.
    pub(crate) open_files: Option<u64>,
    /// The longest it may take, milliseconds.
    pub(crate) timeout: Option<Millis>,
    /// From SIGTERM to SIGKILL, milliseconds.
    pub(crate) grace: Millis,
    /// Until when it may run, milliseconds of `CLOCK_BOOTTIME`.
    pub(crate) lease: Option<Millis>,
    /// How much of its first output is passed on in any case, bytes.
    pub(crate) head: usize,
    /// How much of its last output is passed on in any case, bytes.
    pub(crate) tail: usize,
}

/// To a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Run this. First, and only once.
    Run(Box<Request>),
    /// The lease was renewed and now lasts until then.
    Lease(Millis),
    /// End the run.
    Stop,
}

/// From a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// The program runs, as this process and process group.
    Started(i32),
    /// It printed something.
    Printed { stream: Stream, bytes: Vec<u8> },
    /// It printed so many bytes here that are not passed on.
    Lost(u64),
    /// Nothing of it is left. Last.
    Ended(End),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// What the supervisor ended it for, unless it ended by itself.
    pub(crate) cause: Option<Cause>,
    /// What became of the program.
    pub(crate) status: Status,
}

/// What became of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It never ran, and why.
    NotStarted(String),
    /// The system has no room for it now, and nothing was started: this text says of what.
    NoRoom(String),
}

/// Why a supervisor ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// It took too long.
    Timeout,
    /// It was told to.
    Stop,
    /// The lease passed.
    Lease,
    /// The process that started the supervisor is gone; nobody reads this.
    Orphaned,
}

/// A frame that cannot be understood: the other side is not a Clockwright of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frame of kind {kind} and {length} bytes is not one that this version knows")]
pub(crate) struct WireError {
    kind: u8,
    length: usize,
}

impl Order {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Order::Run(request) => frame(&mut out, 1, &[&json(request)]),
            Order::Lease(until) => frame(&mut out, 2, &[&until.to_le_bytes()]),
            Order::Stop => frame(&mut out, 3, &[]),
        }
        out
    }

    pub(crate) fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let order = match kind {
            1 => serde_json::from_slice(payload).ok().map(Order::Run),
            2 => payload.try_into().ok().map(|bytes| Order::Lease(Millis::from_le_bytes(bytes))),
            3 => Some(Order::Stop),
            _ => None,
        };
        order.ok_or(WireError { kind, length: payload.len() })
    }
}

impl Report {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Report::Started(pid) => frame(out, 1, &[&pid.to_le_bytes()]),
            Report::Printed { stream, bytes } => printed(out, *stream, &[bytes]),
            Report::Lost(bytes) => frame(out, 4, &[&bytes.to_le_bytes()]),
            Report::Ended(end) => frame(out, 3, &[&json(end)]),
        }
    }

    pub(crate) fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let report = match (kind, payload) {
            (1, payload) => payload.try_into().ok().map(|bytes| Report::Started(i32::from_le_bytes(bytes))),
            (2, [stream, bytes @ ..]) => Stream::BOTH
                .get(usize::from(*stream))
                .map(|stream| Report::Printed { stream: *stream, bytes: bytes.to_vec() }),
            (4, payload) => payload.try_into().ok().map(|bytes| Report::Lost(u64::from_le_bytes(bytes))),
            (3, payload) => serde_json::from_slice(payload).ok().map(Report::Ended),
            _ => None,
        };
        report.ok_or(WireError { kind, length: payload.len() })
    }
}

/// Appends a [`Report::Printed`] of these parts without owning them.
pub(crate) fn printed(out: &mut Vec<u8>, stream: Stream, parts: &[&[u8]]) {
    let stream = [stream.index() as u8];
    frame(out, 2, &[&[&stream[..]], parts].concat());
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("text keys and plain values always make JSON")
}

fn frame(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(kind);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Bytes received; append here.
    pub(crate) bytes: Vec<u8>,
    read: usize,
}

impl Frames {
    /// The next whole frame, as its kind and payload.
    pub(crate) fn next(&mut self) -> Result<Option<(u8, &[u8])>, WireError> {
        let rest = &self.bytes[self.read..];
        let Some((header, payload)) = rest.split_first_chunk::<5>() else {
            self.forget();
            return Ok(None);
        };
        let [kind, length @ ..] = *header;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_FRAME {
            return Err(WireError { kind, length });
        }
        if payload.len() < length {
            self.forget();
            return Ok(None);
        }
        let start = self.read + header.len();
        self.read = start + length;
        Ok(Some((kind, &self.bytes[start..self.read])))
    }

    fn forget(&mut self) {
        self.bytes.drain(..self.read);
        self.read = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let reports = [
            Report::Started(7),
            Report::Printed { stream: Stream::Err, bytes: b"a\xff".to_vec() },
            Report::Lost(3),
            Report::Ended(End { cause: Some(Cause::Lease), status: Status::Killed(9) }),
        ];
        let mut bytes = Vec::new();
        reports.iter().for_each(|report| report.encode(&mut bytes));
        for size in 1..bytes.len() {
            let mut frames = Frames::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                frames.bytes.extend_from_slice(piece);
                while let Some((kind, payload)) = frames.next().unwrap() {
                    got.push(Report::decode(kind, payload).unwrap());
                }
            }
            assert_eq!(got, reports, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_memory_is_taken_for_it() {
        let mut frames = Frames { bytes: b"GET / HTTP/1.1".to_vec(), read: 0 };
        assert!(frames.next().is_err());
        assert!(Order::decode(9, &[]).is_err());
        assert!(Order::decode(2, &[1, 2]).is_err());
    }
}
