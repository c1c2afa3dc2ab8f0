//! The journal.

use super::{Answered, Client, Project};
use crate::journal::{JournalAsk, JournalRecord, Verified};
use crate::{Page, paths};

impl Client {
    /// A page of the journal, the newest first.
    ///
    /// # Errors
    /// `not-allowed`, `bad-cursor`.
    pub async fn journal(&self, ask: &JournalAsk) -> Answered<Page<JournalRecord>> {
        self.get(paths::JOURNAL, &[]).query(ask).json().await
    }

    /// Whether the journal's chain holds.
    ///
    /// # Errors
    /// `not-allowed`.
    pub async fn verify_journal(&self) -> Answered<Verified> {
        self.get(paths::JOURNAL_VERIFY, &[]).json().await
    }
}

impl Project<'_> {
    /// A page of its journal, the newest first.
    ///
    /// # Errors
    /// `not-allowed`, `bad-cursor`.
    pub async fn journal(&self, ask: &JournalAsk) -> Answered<Page<JournalRecord>> {
        self.client.get(paths::PROJECT_JOURNAL, &[self.name]).query(ask).json().await
    }
}
