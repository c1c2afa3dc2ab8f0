//! Passing output on without ever holding up who prints it, and without ever growing.
//!
//! Bytes come in as fast as the program prints and go out, cut behind the end of a line, as fast as the reader takes them and at most
//! at [`LIVE_RATE`]. Between the two is a queue; when it is full, its *oldest* bytes are dropped, in the pieces in which they
//! came, uninspected: that is what makes a gigabyte cost a memory copy. The first `head` bytes are always passed on, and
//! when the program ends, what is in the queue is, too; so the reader gets the beginning, samples while it lasts, and the
//! end, and between them how many bytes are missing. The two streams do not mix within a line, except where one is longer than
//! [`LONGEST`] or does not go on for [`SLOW`]: then what there is of it goes out as it is.

use crate::output::Stream;
use crate::wire;
use clockwright_model::Millis;
use std::collections::VecDeque;

/// After the head, at most this many bytes a second are passed on while the program runs.
const LIVE_RATE: usize = 256 << 10;
/// No more is passed on while this much waits for the reader.
const MAX_WAITING: usize = 64 << 10;
/// What a piece costs in the queue besides its bytes.
const PIECE_COST: usize = 64;
/// Small pieces are put together up to this size.
const PIECE: usize = 4 << 10;
/// No more of a line is held back until its end comes, bytes.
const LONGEST: usize = 8 << 10;
/// For so long is the beginning of a line held back until its end comes, milliseconds.
const SLOW: Millis = 300;

/// See the module's text.
pub(crate) struct Relay {
    queue: VecDeque<(Stream, Vec<u8>)>,
    queued: usize,
    tail: usize,
    head_left: usize,
    credit: usize,
    credited: Millis,
    /// What came of a line of each stream that has not ended.
    partial: [Vec<u8>; 2],
    /// Since when there is such a line, once that was looked at.
    partial_since: Option<Millis>,
    /// How many bytes were dropped since something was last passed on.
    lost: u64,
    /// Frames for the reader.
    out: Vec<u8>,
    sent: usize,
}

impl Relay {
    pub(crate) fn new(head: usize, tail: usize, now: Millis) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            tail,
            head_left: head,
            credit: 0,
            credited: now,
            partial: [Vec::new(), Vec::new()],
            partial_since: None,
            lost: 0,
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
            && let Some((_, piece)) = self.pop()
        {
            // What was passed on so far stands before the gap.
            self.end_lines();
            self.lost += piece.len() as u64;
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
        self.partial_since = match self.partial_since {
            _ if self.partial.iter().all(Vec::is_empty) => None,
            Some(since) if now >= since + SLOW => {
                self.end_lines();
                None
            }
            since => since.or(Some(now)),
        };
    }

    /// When [`pump`](Self::pump) has something to do again, if nothing else happens.
    pub(crate) fn wake(&self, now: Millis) -> Option<Millis> {
        let more = (!self.queue.is_empty() && self.waiting().len() < MAX_WAITING).then_some(now + 50);
        more.into_iter().chain(self.partial_since.map(|since| since + SLOW)).min()
    }

    /// No more will be printed: everything still here goes out.
    pub(crate) fn finish(&mut self) {
        while !self.queue.is_empty() {
            self.pass(usize::MAX);
        }
        self.end_lines();
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
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            wire::Report::Lost(lost).encode(&mut self.out);
        }
        let partial = &mut self.partial[stream.index()];
        let ended = piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (lines, begun) = piece.split_at(ended);
        if !lines.is_empty() {
            wire::printed(&mut self.out, stream, &[partial, lines]);
            partial.clear();
        }
        partial.extend_from_slice(begun);
        if partial.len() >= LONGEST {
            wire::printed(&mut self.out, stream, &[partial]);
            partial.clear();
        }
        if !rest.is_empty() {
            self.queued += rest.len() + PIECE_COST;
            self.queue.push_front((stream, rest));
        }
    }

    /// Passes on what there is of lines that have not ended.
    fn end_lines(&mut self) {
        for stream in Stream::BOTH {
            let partial = std::mem::take(&mut self.partial[stream.index()]);
            if !partial.is_empty() {
                wire::printed(&mut self.out, stream, &[&partial]);
            }
        }
    }

    fn pop(&mut self) -> Option<(Stream, Vec<u8>)> {
        let (stream, piece) = self.queue.pop_front()?;
        self.queued -= piece.len() + PIECE_COST;
        Some((stream, piece))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::wire::{Frames, Report};

    /// What the reader gets, piece by piece, with `<n>` for bytes that are missing.
    fn pieces(relay: &mut Relay) -> Vec<String> {
        let mut frames = Frames::default();
        frames.bytes.extend_from_slice(relay.waiting());
        relay.taken(relay.waiting().len());
        let mut pieces = Vec::new();
        while let Some((kind, payload)) = frames.next().unwrap() {
            match Report::decode(kind, payload).unwrap() {
                Report::Printed { bytes, .. } => pieces.push(String::from_utf8(bytes).unwrap()),
                Report::Lost(bytes) => pieces.push(format!("<{bytes}>")),
                other => panic!("{other:?}"),
            }
        }
        pieces
    }

    #[test]
    fn lines_go_out_whole_and_the_streams_do_not_mix() {
        let mut relay = Relay::new(1 << 20, 1 << 20, 0);
        relay.push(Stream::Out, b"one\ntw");
        relay.push(Stream::Err, b"problem\n");
        relay.push(Stream::Out, b"o\n\nthree");
        assert_eq!(pieces(&mut relay), ["one\n", "problem\n", "two\n\n"]);
        relay.finish();
        assert_eq!(pieces(&mut relay), ["three"]);
    }

    #[test]
    fn nothing_of_a_long_line_is_lost() {
        let mut relay = Relay::new(1 << 20, 1 << 20, 0);
        let line = "0123456789".repeat(2_000) + "\rthe end\n";
        for piece in line.as_bytes().chunks(999) {
            relay.push(Stream::Out, piece);
        }
        relay.finish();
        let pieces = pieces(&mut relay);
        assert!(pieces.len() > 2 && pieces[0].len() < LONGEST + 1_000, "{}", pieces[0].len());
        assert_eq!(pieces.concat(), line);
    }

    #[test]
    fn a_line_that_does_not_go_on_is_shown_as_far_as_it_came() {
        let mut relay = Relay::new(1 << 20, 1 << 20, 0);
        relay.push(Stream::Out, b"are you sure? ");
        relay.pump(10);
        assert_eq!((pieces(&mut relay), relay.wake(10)), (vec![], Some(310)));
        relay.pump(310);
        assert_eq!((pieces(&mut relay), relay.wake(310)), (vec!["are you sure? ".to_owned()], None));
        relay.push(Stream::Out, b"yes\n");
        assert_eq!(pieces(&mut relay), ["yes\n"]);
    }

    #[test]
    fn the_head_goes_out_at_once_then_the_oldest_gives_way_and_the_gap_is_counted() {
        let mut relay = Relay::new(8, 2_000, 0);
        for n in 0..1_000 {
            relay.push(
                Stream::Out,
                format!("line {n:04}, and some more text to fill it\n").as_bytes().repeat(100).as_slice(),
            );
        }
        relay.finish();
        let pieces = pieces(&mut relay);
        assert_eq!(pieces[0], "line 000", "the first 8 bytes");
        let lost: usize = pieces[1].trim_matches(['<', '>']).parse().unwrap();
        let tail = pieces[2..].concat();
        assert!(tail.ends_with("line 0999, and some more text to fill it\n"));
        assert_eq!(pieces[0].len() + lost + tail.len(), 1_000 * 100 * 41);
    }

    #[test]
    fn memory_stays_bounded_while_the_reader_is_away_even_for_single_bytes() {
        let mut relay = Relay::new(1_000, 10_000, 0);
        for n in 0..200_000 {
            relay.push(Stream::BOTH[n % 2], b"\n");
            relay.pump(n as Millis);
        }
        let held = relay.queued + relay.out.len() + relay.queue.len() * size_of::<(Stream, Vec<u8>)>();
        assert!(held < 200_000, "{held} bytes held");
    }

    #[test]
    fn a_slow_talker_is_heard_at_once() {
        let mut relay = Relay::new(4, 1_000, 0);
        relay.push(Stream::Out, b"abc\n");
        relay.push(Stream::Out, b"later\n");
        assert_eq!(pieces(&mut relay), ["abc\n"]);
        assert!(relay.wake(0).is_some());
        relay.pump(50);
        assert_eq!(pieces(&mut relay), ["later\n"]);
        assert_eq!(relay.wake(50), None);
    }
}
