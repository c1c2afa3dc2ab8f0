//! How the registry agrees with the database, and what others wrote there.

use super::{Answered, Job, Project};
use crate::sync::{Adopt, Adopted, DriftAsk, DriftView, JobSync, ProjectSync, Resolve, Side, Unmanaged};
use crate::{List, Page, paths};

impl Job<'_> {
    /// How the registry agrees with it now.
    ///
    /// # Errors
    /// `registry-away`, `registry-denied`, `registry-of-another-plane`, `registry-regressed`.
    pub async fn sync(&self) -> Answered<JobSync> {
        self.client.get(paths::JOB_SYNC, &self.names).json().await
    }

    /// Looks at it in the registry, and puts right what is to be.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn sync_now(&self) -> Answered<JobSync> {
        self.client.post(paths::JOB_SYNC, &self.names).json().await
    }

    /// Says which of the two is right.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn resolve(&self, take: Side) -> Answered<JobSync> {
        self.client.post(paths::JOB_SYNC_RESOLVE, &self.names).body(&Resolve { take }).json().await
    }
}

impl Project<'_> {
    /// How the registry agrees with its jobs.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn sync(&self) -> Answered<ProjectSync> {
        self.client.get(paths::PROJECT_SYNC, &[self.name]).json().await
    }

    /// Looks at all of its jobs in the registry, and puts right what is to be.
    ///
    /// # Errors
    /// `registry-away`, `registry-denied`, `registry-of-another-plane`, `registry-regressed`.
    pub async fn sync_now(&self) -> Answered<ProjectSync> {
        self.client.post(paths::PROJECT_SYNC, &[self.name]).json().await
    }

    /// Says that the registry is the right one: what the guard held is written.
    ///
    /// # Errors
    /// As [`sync_now`](Self::sync_now).
    pub async fn confirm(&self) -> Answered<ProjectSync> {
        self.client.post(paths::PROJECT_SYNC_CONFIRM, &[self.name]).json().await
    }

    /// A page of what others wrote into its registry.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub async fn drifts(&self, ask: &DriftAsk) -> Answered<Page<DriftView>> {
        self.client.get(paths::DRIFTS, &[self.name]).query(ask).json().await
    }

    /// One thing that somebody else wrote.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn drift(&self, id: &str) -> Answered<DriftView> {
        self.client.get(paths::DRIFT, &[self.name, id]).json().await
    }

    /// Jobs that only the registry has.
    ///
    /// # Errors
    /// As [`sync_now`](Self::sync_now).
    pub async fn unmanaged(&self) -> Answered<List<Unmanaged>> {
        self.client.get(paths::PROJECT_UNMANAGED, &[self.name]).json().await
    }

    /// Takes jobs over that only the registry has.
    ///
    /// # Errors
    /// As [`sync_now`](Self::sync_now).
    pub async fn adopt(&self, ask: &Adopt) -> Answered<Adopted> {
        self.client.post(paths::PROJECT_UNMANAGED_ADOPT, &[self.name]).body(ask).json().await
    }
}
