//! What a run printed, kept within bounds: its beginning and its end.

use crate::Output;
use std::collections::VecDeque;

/// Where a line was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
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

/// What one kept line costs besides its bytes, so that a million empty lines are bounded too.
const LINE_COST: usize = size_of::<String>();

/// Collects lines: the first ones up to `head` bytes, and of the rest the last ones up to `tail` bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    first: Vec<String>,
    last: VecDeque<String>,
    head: usize,
    tail: usize,
    tail_used: usize,
    dropped: u64,
}

impl Kept {
    pub(crate) fn new(head: usize, tail: usize) -> Self {
        Self { first: Vec::new(), last: VecDeque::new(), head, tail, tail_used: 0, dropped: 0 }
    }

    pub(crate) fn push(&mut self, line: String) {
        let cost = line.len() + LINE_COST;
        if self.last.is_empty() && cost <= self.head {
            self.head -= cost;
            self.first.push(line);
            return;
        }
        self.head = 0;
        self.tail_used += cost;
        self.last.push_back(line);
        while self.tail_used > self.tail
            && let Some(oldest) = self.last.pop_front()
        {
            self.tail_used -= oldest.len() + LINE_COST;
            self.dropped += oldest.len() as u64 + 1;
        }
    }

    /// What was kept. `dropped` bytes more were lost on the way here; a line in the gap tells how much is missing.
    pub(crate) fn finish(self, dropped: u64) -> Output {
        let dropped_bytes = self.dropped + dropped;
        let mut lines = self.first;
        if dropped_bytes > 0 {
            lines.push(format!("[… {dropped_bytes} bytes not kept …]"));
        }
        lines.extend(self.last);
        Output { lines, dropped_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_gap_is_counted() {
        let cost = 1 + LINE_COST;
        let mut kept = Kept::new(2 * cost, 3 * cost);
        for n in 0..10 {
            kept.push(n.to_string());
        }
        let output = kept.finish(0);
        assert_eq!(output.lines, ["0", "1", "[… 10 bytes not kept …]", "7", "8", "9"]);
        assert_eq!(output.dropped_bytes, 10);
    }

    #[test]
    fn a_line_greater_than_the_whole_end_leaves_only_its_count() {
        let mut kept = Kept::new(0, 10);
        kept.push("x".repeat(100));
        assert_eq!(
            kept.finish(7),
            Output { lines: vec!["[… 108 bytes not kept …]".into()], dropped_bytes: 108 }
        );
    }
}
