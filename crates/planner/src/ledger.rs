//! What a ledger lacks: due instants that no outcome on record covers.
//!
//! Promise 1 is that each due instant ends in one outcome. Whoever shows a ledger must also show where the promise is not kept
//! yet: instants that have just passed, instants of a job that nobody runs, and what went with old history. Outcomes name
//! instants, or ranges of them from the first to the last; between those, the schedule says what was due.

use crate::Schedule;
use clockwright_model::{Millis, OutcomeKind};

/// Due instants in a row without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// The first of them.
    pub from: Millis,
    /// The last of them.
    pub to: Millis,
    /// How many they are.
    pub count: u64,
}

/// Why instants have no outcome, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Their run goes on.
    Running,
    /// They came due only a moment ago, so that their claim or their outcome may be under way.
    Due,
    /// They are inside the record, and nothing accounts for them.
    Open,
    /// Nothing of the item is on record at all.
    NoRecord,
    /// The record begins later: the job is younger, or what was older has been deleted.
    BeforeRecord,
    /// They lie before the last change of when the job is due: nobody says that they were due then.
    BeforeChange,
    /// Instances of Elastic-Job serve the job, which put no outcomes on record.
    Peers,
}

impl Gap {
    /// All of them with their words.
    const WORDS: [(Gap, &'static str); 7] = [
        (Gap::Running, "running"),
        (Gap::Due, "due"),
        (Gap::Open, "open"),
        (Gap::NoRecord, "noRecord"),
        (Gap::BeforeRecord, "beforeRecord"),
        (Gap::BeforeChange, "beforeChange"),
        (Gap::Peers, "peers"),
    ];

    /// What kind of gap ends with this instant, in a record of the item that begins at `begin`.
    #[must_use]
    pub fn of(last: Millis, begin: Option<Millis>) -> Self {
        match begin {
            None => Gap::NoRecord,
            Some(begin) if last < begin => Gap::BeforeRecord,
            Some(_) => Gap::Open,
        }
    }

    /// The word in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(gap, _)| *gap == self).map_or("", |(_, word)| word)
    }

    /// Reads [`word`](Self::word) back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(gap, _)| *gap)
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Gap::Running => "it runs",
            Gap::Due => "no outcome yet",
            Gap::Open => "no outcome on record",
            Gap::NoRecord => "nothing of this item is on record",
            Gap::BeforeRecord => "before the first outcome of this item on record",
            Gap::BeforeChange => "before the last change of the job's schedule or items",
            Gap::Peers => "Elastic-Job's instances put no outcomes on record",
        }
    }
}

/// How the fires of a ledger are accounted for: what was due is the sum of what became of it, so that a list of it can be held against
/// the schedule, and nothing is missing without being named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were deliberately not run.
    pub skipped: u64,
    /// Those that another one ran for.
    pub coalesced: u64,
    /// Those that nobody could run.
    pub missed: u64,
    /// Those that were stopped.
    pub cancelled: u64,
    /// Those that run, or came due only a moment ago.
    pub running: u64,
    /// Those that nothing accounts for.
    pub unaccounted: u64,
}

impl Balance {
    /// Counts fires with this outcome.
    pub fn settled(&mut self, outcome: OutcomeKind, count: u64) {
        let sum = match outcome {
            OutcomeKind::Succeeded => &mut self.succeeded,
            OutcomeKind::Failed => &mut self.failed,
            OutcomeKind::Skipped => &mut self.skipped,
            OutcomeKind::Coalesced => &mut self.coalesced,
            OutcomeKind::Missed => &mut self.missed,
            OutcomeKind::Cancelled => &mut self.cancelled,
        };
        *sum = sum.saturating_add(count);
    }

    /// Counts instants without an outcome. Those of which nobody says that they were due are passed over.
    pub fn open(&mut self, gap: Gap, count: u64) {
        let sum = match gap {
            Gap::Running | Gap::Due => &mut self.running,
            Gap::Open | Gap::NoRecord => &mut self.unaccounted,
            Gap::BeforeRecord | Gap::BeforeChange | Gap::Peers => return,
        };
        *sum = sum.saturating_add(count);
    }

    /// The terms by their names, in the order in which they are told.
    #[must_use]
    pub fn terms(&self) -> [(&'static str, u64); 8] {
        [
            ("succeeded", self.succeeded),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("coalesced", self.coalesced),
            ("missed", self.missed),
            ("cancelled", self.cancelled),
            ("running", self.running),
            ("unaccounted", self.unaccounted),
        ]
    }

    /// How many were due: the sum of all terms.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.terms().iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// The instants of the schedule from `from` to before `to` that lie in none of the item's settled ranges, ascending; each
/// range is its first and its last instant, in whatever order. Instants in a row are one entry. The work grows with the number
/// of ranges and not with that of instants.
#[must_use]
pub fn unsettled(
    schedule: &Schedule,
    from: Millis,
    to: Millis,
    settled: impl IntoIterator<Item = (Millis, Millis)>,
) -> Vec<Unsettled> {
    let mut settled: Vec<_> = settled.into_iter().collect();
    settled.sort_unstable();
    let end = to.saturating_sub(1);
    let mut found = Vec::new();
    // The last instant that is dealt with.
    let mut cursor = from.saturating_sub(1);
    for (first, last) in settled.into_iter().chain([(to, to)]) {
        let before = first.saturating_sub(1).min(end);
        let count = schedule.count(cursor, before, u64::MAX);
        if count > 0
            && let (Some(from), Some(to)) = (schedule.next_after(cursor), schedule.latest_until(before))
        {
            found.push(Unsettled { from, to, count });
        }
        cursor = cursor.max(last);
    }
    found
}
