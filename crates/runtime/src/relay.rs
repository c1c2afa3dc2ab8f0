//! Passing output on without ever holding up who prints it, and without ever growing.
//!
//! Bytes come in as fast as the program prints and go out, as lines, as fast as the reader takes them and at most at
//! [`LIVE_RATE`]. Between the two is a queue; when it is full, its *oldest* bytes are dropped, in the pieces in which they
//! came, uninspected: that is what makes a gigabyte cost a memory copy. The first `head` bytes are always passed on, and
//! when the program ends, what is in the queue is, too; so the reader gets the beginning, samples while it lasts, and the
//! end. A line with a hole in it is cut at the hole.

use crate::output::Stream;
use crate::wire;
use clockwright_model::Millis;
use std::collections::VecDeque;
use std::io::BufRead;

/// After the head, at most this many bytes a second are passed on while the program runs.
const LIVE_RATE: usize = 256 << 10;
/// No more is passed on while this much waits for the reader.
const MAX_WAITING: usize = 64 << 10;
/// What a piece costs in the queue besides its bytes.
const PIECE_COST: usize = 64;
/// Small pieces are put together up to this size.
const PIECE: usize = 4 << 10;

/// See the module's text.
pub(crate) struct Relay {
    queue: VecDeque<(Stream, Vec<u8>)>,
    queued: usize,
    tail: usize,
    head_left: usize,
    credit: usize,
    credited: Millis,
    lines: [Lines; 2],
    dropped: u64,
    /// Frames for the reader.
    out: Vec<u8>,
    sent: usize,
}

impl Relay {
    pub(crate) fn new(head: usize, tail: usize, max_line: usize, now: Millis) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            tail,
            head_left: head,
            credit: 0,
            credited: now,
            lines: [Lines::new(max_line), Lines::new(max_line)],
            dropped: 0,
            out: Vec::new(),
            sent: 0,
        }
    }

    /// The program printed something.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        match self.queue.back_mut() {
            Some((last, piece)) if *last == stream && piece.len() + bytes.len() <= PIECE => {
                piece.extend_from_slice(bytes);
                self.queued += bytes.len();
            }
            _ => {
                self.queue.push_back((stream, bytes.to_vec()));
                self.queued += bytes.len() + PIECE_COST;
            }
        }
        while self.head_left > 0 && !self.queue.is_empty() {
            self.pass(self.head_left);
        }
        while let Some((_, piece)) = self.queue.front()
            && self.queued - piece.len() - PIECE_COST >= self.tail
            && let Some((stream, piece)) = self.pop()
        {
            self.dropped += piece.len() as u64;
            let cut = self.lines[stream.index()].hole(piece.ends_with(b"\n"));
            if let Some(cut) = cut {
                wire::line(&mut self.out, stream, true, &cut);
            }
        }
    }

    /// Passes on what may be passed on by now.
    pub(crate) fn pump(&mut self, now: Millis) {
        let earned = LIVE_RATE as u64 * (now - self.credited).clamp(0, 1_000).unsigned_abs() / 1_000;
        self.credit = (self.credit + earned as usize).min(LIVE_RATE);
        self.credited = now;
        while self.credit > 0 && self.waiting().len() < MAX_WAITING && !self.queue.is_empty() {
            self.pass(self.credit);
        }
    }

    /// When [`pump`](Self::pump) has something to do again, if nothing else happens.
    pub(crate) fn wake(&self, now: Millis) -> Option<Millis> {
        (!self.queue.is_empty() && self.waiting().len() < MAX_WAITING).then_some(now + 50)
    }

    /// No more will be printed: everything still here goes out. Says how many bytes were dropped in all.
    pub(crate) fn finish(&mut self) -> u64 {
        while !self.queue.is_empty() {
            self.pass(usize::MAX);
        }
        for stream in Stream::BOTH {
            if let Some(rest) = self.lines[stream.index()].rest() {
                wire::line(&mut self.out, stream, false, &rest);
            }
        }
        self.dropped
    }

    /// Appends a frame of another kind.
    pub(crate) fn report(&mut self, report: &wire::Report) {
        report.encode(&mut self.out);
    }

    /// What waits for the reader.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// The reader took this many bytes of [`waiting`](Self::waiting).
    pub(crate) fn taken(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > MAX_WAITING {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Moves the oldest piece, or as much of it as is allowed, to the reader.
    fn pass(&mut self, allowed: usize) {
        let Some((stream, mut piece)) = self.pop() else { return };
        let rest = if piece.len() > allowed { piece.split_off(allowed) } else { Vec::new() };
        self.head_left = self.head_left.saturating_sub(piece.len());
        self.credit = self.credit.saturating_sub(piece.len());
        let out = &mut self.out;
        self.dropped +=
            self.lines[stream.index()].take(&piece, |cut, text| wire::line(out, stream, cut, text));
        if !rest.is_empty() {
            self.queued += rest.len() + PIECE_COST;
            self.queue.push_front((stream, rest));
        }
    }

    fn pop(&mut self) -> Option<(Stream, Vec<u8>)> {
        let (stream, piece) = self.queue.pop_front()?;
        self.queued -= piece.len() + PIECE_COST;
        Some((stream, piece))
    }
}

/// Puts one stream's bytes together to lines.
struct Lines {
    max: usize,
    partial: Vec<u8>,
    /// Everything up to the next line end is dropped.
    skipping: bool,
}

impl Lines {
    fn new(max: usize) -> Self {
        Self { max, partial: Vec::new(), skipping: false }
    }

    /// Takes more bytes, emits each line that they complete or that has become too long (then as cut), and says how many
    /// bytes were dropped.
    fn take(&mut self, mut bytes: &[u8], mut emit: impl FnMut(bool, &[u8])) -> u64 {
        let mut dropped = 0;
        while !bytes.is_empty() {
            let all = bytes;
            // The standard library's search for one byte is the C library's, which is far faster than a plain loop.
            let length = bytes.skip_until(b'\n').expect("reading from memory does not fail");
            let (piece, ends) = match &all[..length] {
                [piece @ .., b'\n'] => (piece, true),
                piece => (piece, false),
            };
            if self.skipping {
                dropped += length as u64;
                self.skipping = !ends;
                continue;
            }
            let room = self.max - self.partial.len();
            if piece.len() > room {
                self.partial.extend_from_slice(&piece[..room]);
                emit(true, &self.partial);
                self.partial.clear();
                dropped += (piece.len() - room) as u64;
                self.skipping = !ends;
            } else if !ends {
                self.partial.extend_from_slice(piece);
            } else if self.partial.is_empty() {
                emit(false, piece);
            } else {
                self.partial.extend_from_slice(piece);
                emit(false, &self.partial);
                self.partial.clear();
            }
        }
        dropped
    }

    /// Bytes were lost that should have come next. Gives the beginning of the line that they cut.
    fn hole(&mut self, ended_with_the_line: bool) -> Option<Vec<u8>> {
        self.skipping = !ended_with_the_line;
        self.rest()
    }

    /// What is left of a line that never ended.
    fn rest(&mut self) -> Option<Vec<u8>> {
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::wire::{Frames, Report};

    /// What the reader gets: each line, with a `~` behind a cut one.
    fn lines(relay: &mut Relay) -> Vec<String> {
        let mut frames = Frames::default();
        frames.bytes.extend_from_slice(relay.waiting());
        relay.taken(relay.waiting().len());
        let mut lines = Vec::new();
        while let Some((kind, payload)) = frames.next().unwrap() {
            if let Report::Line { cut, text, .. } = Report::decode(kind, payload).unwrap() {
                lines.push(String::from_utf8(text).unwrap() + if cut { "~" } else { "" });
            }
        }
        lines
    }

    #[test]
    fn pieces_become_lines_and_the_streams_do_not_mix() {
        let mut relay = Relay::new(1 << 20, 1 << 20, 100, 0);
        relay.push(Stream::Out, b"one\ntw");
        relay.push(Stream::Err, b"problem\n");
        relay.push(Stream::Out, b"o\n\nthree");
        assert_eq!(lines(&mut relay), ["one", "problem", "two", ""]);
        assert_eq!(relay.finish(), 0);
        assert_eq!(lines(&mut relay), ["three"]);
    }

    #[test]
    fn a_line_longer_than_allowed_is_cut_once_and_the_rest_of_it_is_counted() {
        let mut relay = Relay::new(1 << 20, 1 << 20, 4, 0);
        for piece in ["abc", "def", "ghi\nnext\n", "12345\n", "x\n"] {
            relay.push(Stream::Out, piece.as_bytes());
        }
        assert_eq!(relay.finish(), 6 + 1);
        assert_eq!(lines(&mut relay), ["abcd~", "next", "1234~", "x"]);
    }

    #[test]
    fn the_head_goes_out_at_once_then_the_oldest_gives_way() {
        let mut relay = Relay::new(8, 2_000, 100, 0);
        for n in 0..1_000 {
            relay.push(
                Stream::Out,
                format!("line {n:04}, and some more text to fill it\n").as_bytes().repeat(100).as_slice(),
            );
        }
        let head = lines(&mut relay);
        assert_eq!(head, ["line 000~"], "the first 8 bytes, cut where the first hole is");
        let dropped = relay.finish();
        let tail = lines(&mut relay);
        let kept: usize = head.iter().chain(&tail).map(|line| line.trim_end_matches('~').len() + 1).sum();
        assert_eq!(tail.last().unwrap(), "line 0999, and some more text to fill it");
        assert_eq!(kept as u64 - 1 + dropped, 1_000 * 100 * 41);
        assert!(tail.iter().all(|line| line.len() == 40), "no half lines: {tail:?}");
    }

    #[test]
    fn memory_stays_bounded_while_the_reader_is_away_even_for_single_bytes() {
        let mut relay = Relay::new(1_000, 10_000, 100, 0);
        for n in 0..200_000 {
            relay.push(Stream::BOTH[n % 2], b"\n");
            relay.pump(n as Millis);
        }
        let held = relay.queued + relay.out.len() + relay.queue.len() * size_of::<(Stream, Vec<u8>)>();
        assert!(held < 200_000, "{held} bytes held");
    }

    #[test]
    fn a_slow_talker_is_heard_at_once() {
        let mut relay = Relay::new(4, 1_000, 100, 0);
        relay.push(Stream::Out, b"abc\n");
        relay.push(Stream::Out, b"later\n");
        assert_eq!(lines(&mut relay), ["abc"]);
        assert!(relay.wake(0).is_some());
        relay.pump(50);
        assert_eq!(lines(&mut relay), ["later"]);
        assert_eq!(relay.wake(50), None);
    }
}
