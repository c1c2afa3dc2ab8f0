//! What happened.

use super::{Answered, Client, Job, Project};
use crate::history::{
    Attempts, AttemptsAsk, ChangesAsk, Counts, FireAsk, FirePage, HistoryChanges, Ledger, LedgerAsk, Lost,
    Run, RunPage, RunsAsk, SpanAsk, StatsAsk,
};
use crate::{At, List, Page, paths};

/// See [`Client::history`].
#[derive(Debug, Clone, Copy)]
pub struct History<'a>(&'a Client);

impl Client {
    /// What happened in all projects that one may see.
    #[must_use]
    pub fn history(&self) -> History<'_> {
        History(self)
    }
}

impl History<'_> {
    /// A page of outcomes, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn runs(&self, ask: &RunsAsk) -> Answered<Page<Run>> {
        self.0.get(paths::RUNS, &[]).query(ask).json().await
    }

    /// All that is known of one run.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn run(&self, id: &str) -> Answered<RunPage> {
        self.0.get(paths::RUN, &[id]).json().await
    }
}

impl Project<'_> {
    /// A page of its outcomes, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn runs(&self, ask: &RunsAsk) -> Answered<Page<Run>> {
        self.client.get(paths::PROJECT_RUNS, &[self.name]).query(ask).json().await
    }

    /// A page of attempts at its jobs, those of Elastic-Job's instances too.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn attempts(&self, ask: &AttemptsAsk) -> Answered<Attempts> {
        self.client.get(paths::PROJECT_ATTEMPTS, &[self.name]).query(ask).json().await
    }

    /// How its fires ended, counted.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn stats(&self, ask: &StatsAsk) -> Answered<List<Counts>> {
        self.client.get(paths::PROJECT_STATS, &[self.name]).query(ask).json().await
    }

    /// What could not be kept of its history.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn losses(&self, ask: &SpanAsk) -> Answered<List<Lost>> {
        self.client.get(paths::PROJECT_LOSSES, &[self.name]).query(ask).json().await
    }
}

impl Job<'_> {
    /// A page of its outcomes, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn runs(&self, ask: &RunsAsk) -> Answered<Page<Run>> {
        self.client.get(paths::JOB_RUNS, &self.names).query(ask).json().await
    }

    /// A page of attempts at it, those of Elastic-Job's instances too.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn attempts(&self, ask: &AttemptsAsk) -> Answered<Attempts> {
        self.client.get(paths::JOB_ATTEMPTS, &self.names).query(ask).json().await
    }

    /// Every due instant of it with its one outcome, and those that have none.
    ///
    /// # Errors
    /// `invalid`, `no-such-item`.
    pub async fn ledger(&self, ask: &LedgerAsk) -> Answered<Ledger> {
        self.client.get(paths::JOB_LEDGER, &self.names).query(ask).json().await
    }

    /// How its fires ended, counted.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn stats(&self, ask: &StatsAsk) -> Answered<List<Counts>> {
        self.client.get(paths::JOB_STATS, &self.names).query(ask).json().await
    }

    /// One fire of it: what became of each item, by which attempts.
    ///
    /// # Errors
    /// `not-found`, `invalid`.
    pub async fn fire(&self, at: At, ask: &FireAsk) -> Answered<FirePage> {
        let [project, job] = self.names;
        self.client.get(paths::JOB_FIRE, &[project, job, &at.0.to_string()]).query(ask).json().await
    }

    /// Who came and went, and who held it, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub async fn changes(&self, ask: &ChangesAsk) -> Answered<HistoryChanges> {
        self.client.get(paths::JOB_CHANGES, &self.names).query(ask).json().await
    }
}
