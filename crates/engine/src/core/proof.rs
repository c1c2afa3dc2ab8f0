//! What debug builds check of each step that the core takes: the table of [`lifecycle`], and the invariants that cost little.
//!
//! Nothing here changes anything, and in release builds nothing is computed.

use super::Turn;
use super::change::CursorChange;
use super::effective::Effective;
use super::job::{Job, Local};
use clockwright_fleet::mirror::CursorNode;
use clockwright_model::Item;
use clockwright_planner::invariants::{m_s2_grows, m_s7_each_instant_once};
use clockwright_planner::lifecycle::{self, Event, State};

impl Job {
    /// Where an item is in the table of [`lifecycle`].
    pub(super) fn life(&self, item: Item) -> State {
        let unread = self.mirror.item(item).is_none_or(|nodes| matches!(nodes.cursor, CursorNode::Unread));
        match self.items.get(item as usize).map(|state| &state.local) {
            Some(Local::Claiming) => State::Claiming,
            Some(Local::Running(_)) => State::Running,
            Some(Local::Backoff { .. }) => State::Backoff,
            Some(Local::Ended { committing: true, .. }) => State::Completing,
            Some(Local::Ended { .. }) if unread => State::CompletionUnclear,
            Some(Local::Ended { .. }) => State::Ended,
            Some(Local::Idle) | None if unread => State::ClaimUnclear,
            Some(Local::Idle) | None => State::Free,
        }
    }

    /// An item went from a state by an event to where it is now: a step of the table. What the cursor says may have become
    /// doubtful besides.
    #[track_caller]
    pub(super) fn stepped(&self, item: Item, from: State, event: Event) {
        if !cfg!(debug_assertions) {
            return;
        }
        let now = self.life(item);
        match lifecycle::next(from, event) {
            Ok(to) => {
                assert!(
                    now == to || now == to.doubted(),
                    "{}/{item}: {from:?} became {now:?} by {event:?}",
                    self.name
                );
            }
            Err(illegal) => panic!("{}/{item}: {illegal}", self.name),
        }
    }
}

impl Turn<'_> {
    /// A cursor that is to be written passes no instant over.
    #[track_caller]
    pub(super) fn passes_nothing(&self, claim: &CursorChange, effective: &Effective) {
        if !cfg!(debug_assertions) || self.us.is_mutated() {
            return;
        }
        let before = self.job.mirror.item(claim.item).and_then(|nodes| nodes.cursor.cursor());
        let Some(before) = before.filter(|before| before.schedule == effective.schedule_hash) else { return };
        if claim.cursor.settled == before.settled || self.has_foreign_peers() {
            return;
        }
        let stretch = (&effective.schedule, before.settled, claim.cursor.settled);
        if let Err(violation) = m_s7_each_instant_once(&[stretch], &claim.cursor.observed()) {
            panic!("{}/{}: {violation}", self.job.name, claim.item);
        }
    }

    /// A claim's token is above all that the item had.
    #[track_caller]
    pub(super) fn token_grows(&self, item: Item, token: i64) {
        if !cfg!(debug_assertions) || self.us.is_mutated() {
            return;
        }
        let before = match self.job.mirror.item(item).map(|nodes| &nodes.cursor) {
            // Read before the answer came, it is this very claim.
            Some(CursorNode::Known { modified, .. }) if *modified != token => Some(*modified),
            _ => None,
        };
        if let Err(violation) = m_s2_grows("the token", before, token) {
            panic!("{}/{item}: {violation}", self.job.name);
        }
    }
}
