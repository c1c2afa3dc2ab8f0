//! What a run prints: a stream of bytes, handed on as it comes.
//!
//! A runtime gives each piece to the run's [`Output`], and whoever wants it hangs a [`Sink`] there: the log that is kept of the run
//! ([`Logged`](crate::Logged)), a terminal ([`Shown`]), a test. Bytes stay as they came; what they mean is for those to judge who show
//! them. The one place that bounds what is kept of a run is [`Kept`]: its first and its last bytes, whatever its lines are like.

use crate::{Control, RunEnd, RunSpec, Runtime, SharedRuntime};
use async_trait::async_trait;
use clockwright_model::ShardContext;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where something was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or the answer to a request.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Both, in the order of their [`index`](Self::index).
    pub(crate) const BOTH: [Stream; 2] = [Stream::Out, Stream::Err];

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Takes what one run prints. It is called from the task that runs the item and must not block.
pub trait Sink: Send + Sync + 'static {
    /// The run printed these bytes: whole lines with their ends, or a piece of a line that is long or slow to come.
    fn print(&self, stream: Stream, bytes: &[u8]);

    /// So many bytes that the run printed here are lost: they came faster than anybody took them.
    fn lose(&self, bytes: u64);
}

/// Where a run prints: to its sinks, in their order. Without any, nowhere.
#[derive(Clone, Default)]
pub struct Output(Vec<Arc<dyn Sink>>);

impl Output {
    /// This output, with one more sink.
    #[must_use]
    pub fn and(mut self, sink: Arc<dyn Sink>) -> Self {
        self.0.push(sink);
        self
    }

    /// Hands on what was printed.
    pub fn print(&self, stream: Stream, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.iter().for_each(|sink| sink.print(stream, bytes));
        }
    }

    /// Says that so many bytes were lost.
    pub fn lose(&self, bytes: u64) {
        if bytes > 0 {
            self.0.iter().for_each(|sink| sink.lose(bytes));
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({} sinks)", self.0.len())
    }
}

/// How much is kept of the beginning of what a run prints, bytes.
pub const HEAD: usize = 64 << 10;
/// How much is kept of its end, bytes.
pub const TAIL: usize = 64 << 10;

/// The first bytes and the last bytes of a stream, and how many there were between them.
#[derive(Debug, Clone)]
pub struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How long the head may become; what it is once it has ended.
    head_room: usize,
    tail_room: usize,
    lost: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self::new(HEAD, TAIL)
    }
}

impl Kept {
    /// Keeps up to so many of the first bytes, and of the last.
    #[must_use]
    pub fn new(head_room: usize, tail_room: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), head_room, tail_room, lost: 0 }
    }

    /// What comes next.
    pub fn print(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_room - self.head.len()));
        self.head.extend_from_slice(head);
        let last = &rest[rest.len().saturating_sub(self.tail_room)..];
        let over = (self.tail.len() + last.len()).saturating_sub(self.tail_room);
        self.tail.drain(..over);
        self.tail.extend(last);
        self.lost += (over + rest.len() - last.len()) as u64;
    }

    /// So many bytes never came. There is one gap only, so what stood behind the first one goes too.
    pub fn lose(&mut self, bytes: u64) {
        self.head_room = self.head.len();
        self.lost += bytes + self.tail.len() as u64;
        self.tail.clear();
    }

    /// The first bytes.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How many bytes are missing behind the first ones.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The last bytes.
    #[must_use]
    pub fn tail(&mut self) -> &[u8] {
        self.tail.make_contiguous()
    }

    /// How many bytes there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.head.len() as u64 + self.lost + self.tail.len() as u64
    }
}

/// Is given each line as it is printed: the run, which stream, and the line as text without its end. It is called from the
/// task that runs the item and must not block.
pub type LineSink = Arc<dyn Fn(&ShardContext, Stream, &str) + Send + Sync>;

/// A runtime whose runs' output is shown line by line, as it comes.
pub struct Shown {
    runtime: SharedRuntime,
    lines: LineSink,
}

impl Shown {
    /// Runs by another runtime.
    #[must_use]
    pub fn new(runtime: SharedRuntime, lines: LineSink) -> Self {
        Self { runtime, lines }
    }
}

#[async_trait]
impl Runtime for Shown {
    async fn run(&self, spec: RunSpec, mut control: Control) -> RunEnd {
        let lines = Arc::new(Lines {
            context: spec.context.clone(),
            sink: Arc::clone(&self.lines),
            partial: Mutex::default(),
        });
        control.output = control.output.and(lines.clone());
        let end = self.runtime.run(spec, control).await;
        Stream::BOTH.into_iter().for_each(|stream| lines.end_line(stream));
        end
    }
}

/// A line that is longer is shown in pieces, bytes.
const LONGEST: usize = 8 << 10;

/// Cuts each stream of a run into lines.
struct Lines {
    context: ShardContext,
    sink: LineSink,
    /// What came of a line of each stream that has not ended.
    partial: Mutex<[Vec<u8>; 2]>,
}

impl Lines {
    fn show(&self, stream: Stream, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (self.sink)(&self.context, stream, &String::from_utf8_lossy(line));
    }

    fn end_line(&self, stream: Stream) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let line = std::mem::take(&mut partial[stream.index()]);
        if !line.is_empty() {
            self.show(stream, &line);
        }
    }
}

impl Sink for Lines {
    fn print(&self, stream: Stream, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let partial = &mut partial[stream.index()];
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if partial.is_empty() && piece.ends_with(b"\n") {
                self.show(stream, piece);
                continue;
            }
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LONGEST {
                self.show(stream, partial);
                partial.clear();
            }
        }
    }

    fn lose(&self, bytes: u64) {
        Stream::BOTH.into_iter().for_each(|stream| self.end_line(stream));
        (self.sink)(&self.context, Stream::Out, &gap(bytes));
    }
}

/// What stands in the place of bytes that are not there.
pub(crate) fn gap(bytes: u64) -> String {
    format!("[… {bytes} bytes not kept …]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_bytes_are_kept_whatever_the_lines_and_those_between_are_counted() {
        let mut kept = Kept::new(4, 3);
        for piece in ["a", "bcdef\n", "", "gh", "ijklmno"] {
            kept.print(piece.as_bytes());
        }
        assert_eq!((kept.head(), kept.lost(), kept.total()), (b"abcd".as_slice(), 9, 16));
        assert_eq!(kept.tail(), b"mno");
    }

    #[test]
    fn nothing_is_missing_of_what_fits() {
        let mut kept = Kept::new(4, 3);
        kept.print(b"abcdef");
        assert_eq!((kept.lost(), kept.total()), (0, 6));
        assert_eq!([kept.head().to_vec(), kept.tail().to_vec()].concat(), b"abcdef");
    }

    #[test]
    fn bytes_that_never_came_make_one_gap_with_what_stood_between_two() {
        let mut kept = Kept::new(4, 3);
        kept.print(b"ab");
        kept.lose(10);
        kept.print(b"cde");
        kept.lose(20);
        kept.print(b"fg");
        assert_eq!((kept.head(), kept.lost(), kept.total()), (b"ab".as_slice(), 33, 37));
        assert_eq!(kept.tail(), b"fg");
    }
}
