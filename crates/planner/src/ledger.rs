//! What a ledger lacks: due instants that no outcome on record covers.
//!
//! Promise 1 is that each due instant ends in one outcome. Whoever shows a ledger must also show where the promise is not kept
//! yet: instants that have just passed, instants of a job that nobody runs, and what went with old history. Outcomes name
//! instants, or ranges of them from the first to the last; between those, the schedule says what was due.

use crate::Schedule;
use clockwright_model::Millis;

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

/// Why instants have no outcome, as far as a record can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing of the item is on record at all.
    NoRecord,
    /// The record begins later: the job is younger, or what was older has been deleted.
    BeforeRecord,
    /// They are inside the record: they have just passed, or nobody ran the item.
    Open,
}

impl Gap {
    /// What kind of gap ends with this instant, in a record of the item that begins at `begin`.
    #[must_use]
    pub fn of(last: Millis, begin: Option<Millis>) -> Self {
        match begin {
            None => Gap::NoRecord,
            Some(begin) if last < begin => Gap::BeforeRecord,
            Some(_) => Gap::Open,
        }
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Gap::NoRecord => "nothing of this item is on record",
            Gap::BeforeRecord => "before the first outcome of this item on record",
            Gap::Open => "no outcome yet",
        }
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
