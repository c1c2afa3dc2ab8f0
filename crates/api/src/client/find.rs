//! What is looked at first.

use super::{Answered, Client};
use crate::find::{Hit, NextAsk, NextFires, Overview, SearchAsk};
use crate::{List, paths};

impl Client {
    /// How everything stands that one may see.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn overview(&self) -> Answered<Overview> {
        self.get(paths::OVERVIEW, &[]).json().await
    }

    /// Projects, jobs and hosts by some letters.
    ///
    /// # Errors
    /// `bad-filter`.
    pub async fn search(&self, q: impl Into<String>) -> Answered<List<Hit>> {
        self.get(paths::SEARCH, &[]).query(&SearchAsk { q: q.into() }).json().await
    }

    /// When a schedule fires.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn next_fires(&self, ask: &NextAsk) -> Answered<NextFires> {
        self.get(paths::SCHEDULES_NEXT, &[]).query(ask).json().await
    }
}
