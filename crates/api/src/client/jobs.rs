//! Jobs: what they are, what they were, and what they do now.

use super::{Answered, Client, Error, Project};
use crate::jobs::{
    Anchors, AnchorsAsk, Definition, Difference, Facets, FacetsAsk, JobChange, JobRow, JobsAsk, Rollback,
    Version, WholeJob,
};
use crate::live::{Host, HostPage, ItemCell, LiveInstance, LiveJob, Now};
use crate::page::Paging;
use crate::plan::{WhatIf, WhatIfAsk};
use crate::{Etag, List, Page, paths};
use futures::Stream;
use reqwest::Method;

/// A job by its name.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub(super) client: &'a Client,
    pub(super) names: [&'a str; 2],
}

impl Client {
    /// A page of the jobs of all projects that one may see.
    ///
    /// # Errors
    /// `bad-filter`, `bad-cursor`, `invalid`.
    pub async fn jobs(&self, ask: &JobsAsk) -> Answered<Page<JobRow>> {
        self.get(paths::JOBS, &[]).query(ask).json().await
    }

    /// How many jobs a search finds of each kind.
    ///
    /// # Errors
    /// `bad-filter`, `invalid`.
    pub async fn facets(&self, ask: &FacetsAsk) -> Answered<Facets> {
        self.get(paths::JOBS_FACETS, &[]).query(ask).json().await
    }

    /// Places in the list of jobs.
    ///
    /// # Errors
    /// `bad-filter`, `invalid`.
    pub async fn anchors(&self, ask: &AnchorsAsk) -> Answered<Anchors> {
        self.get(paths::JOBS_ANCHORS, &[]).query(ask).json().await
    }

    /// All those that a search finds, as they come.
    ///
    /// # Errors
    /// `bad-filter`, `invalid`; later, that the answer broke off.
    pub async fn every_job(
        &self,
        ask: &JobsAsk,
    ) -> Result<impl Stream<Item = Result<JobRow, Error>> + use<>, Error> {
        self.get(paths::JOBS, &[]).query(ask).lines().await
    }
}

impl<'a> Project<'a> {
    /// The job of this name. Nothing is asked yet.
    #[must_use]
    pub fn job(&self, name: &'a str) -> Job<'a> {
        Job { client: self.client, names: [self.name, name] }
    }

    /// A page of its jobs.
    ///
    /// # Errors
    /// `bad-filter`, `bad-cursor`, `invalid`.
    pub async fn jobs(&self, ask: &JobsAsk) -> Answered<Page<JobRow>> {
        self.client.get(paths::PROJECT_JOBS, &[self.name]).query(ask).json().await
    }

    /// All of its jobs that a search finds, as they come.
    ///
    /// # Errors
    /// `bad-filter`, `invalid`; later, that the answer broke off.
    pub async fn every_job(
        &self,
        ask: &JobsAsk,
    ) -> Result<impl Stream<Item = Result<JobRow, Error>> + use<>, Error> {
        self.client.get(paths::PROJECT_JOBS, &[self.name]).query(ask).lines().await
    }

    /// Makes a job.
    ///
    /// # Errors
    /// `name-taken`, `job-exists-in-registry`, `code-not-allowed`, `invalid`.
    pub async fn make_job(&self, new: &WholeJob) -> Answered<Definition> {
        self.client.post(paths::PROJECT_JOBS, &[self.name]).body(new).json().await
    }

    /// Its hosts.
    ///
    /// # Errors
    /// `registry-away`.
    pub async fn hosts(&self) -> Answered<Now<Host>> {
        self.client.get(paths::HOSTS, &[self.name]).json().await
    }

    /// One of its hosts, by its address.
    ///
    /// # Errors
    /// `no-such-host`, `registry-away`.
    pub async fn host(&self, ip: &str) -> Answered<HostPage> {
        self.client.get(paths::HOST, &[self.name, ip]).json().await
    }
}

impl Job<'_> {
    /// What it is, as the database has it.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn definition(&self) -> Answered<Definition> {
        self.client.get(paths::JOB, &self.names).json().await
    }

    /// Says what it is, as a whole.
    ///
    /// # Errors
    /// `version-conflict`, `code-not-allowed`, `managed-by-files`, `job-removing`, `invalid`.
    pub async fn replace(&self, version: Etag, whole: &WholeJob) -> Answered<Definition> {
        self.client.call(Method::PUT, paths::JOB, &self.names).at(version).body(whole).json().await
    }

    /// Changes some of its settings.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub async fn change(&self, version: Etag, change: &JobChange) -> Answered<Definition> {
        self.client.call(Method::PATCH, paths::JOB, &self.names).at(version).body(change).json().await
    }

    /// Goes back to an earlier version's settings.
    ///
    /// # Errors
    /// As [`replace`](Self::replace); `not-found`: there is no such version.
    pub async fn roll_back(&self, version: Etag, to: &Rollback) -> Answered<Definition> {
        self.client.post(paths::JOB_ROLLBACK, &self.names).at(version).body(to).json().await
    }

    /// A page of its versions, the newest first.
    ///
    /// # Errors
    /// `not-found`, `bad-cursor`.
    pub async fn versions(&self, ask: &Paging) -> Answered<Page<Version>> {
        self.client.get(paths::JOB_VERSIONS, &self.names).query(ask).json().await
    }

    /// One of its versions.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn version(&self, number: i64) -> Answered<Version> {
        let [project, job] = self.names;
        self.client.get(paths::JOB_VERSION, &[project, job, &number.to_string()]).json().await
    }

    /// Which settings differ from one version to another.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn differences(&self, from: i64, to: i64) -> Answered<List<Difference>> {
        let ([project, job], from, to) = (self.names, from.to_string(), to.to_string());
        self.client.get(paths::JOB_VERSION_DIFF, &[project, job, &from, &to]).json().await
    }

    /// Everything about it as the registry has it now.
    ///
    /// # Errors
    /// `not-found`, `registry-away`, `registry-denied`.
    pub async fn live(&self) -> Answered<LiveJob> {
        self.client.get(paths::JOB_LIVE, &self.names).json().await
    }

    /// Where its items are, and which of them run.
    ///
    /// # Errors
    /// `not-found`, `registry-away`.
    pub async fn items(&self) -> Answered<Now<ItemCell>> {
        self.client.get(paths::JOB_ITEMS, &self.names).json().await
    }

    /// Who serves it.
    ///
    /// # Errors
    /// `not-found`, `registry-away`.
    pub async fn instances(&self) -> Answered<Now<LiveInstance>> {
        self.client.get(paths::JOB_INSTANCES, &self.names).json().await
    }

    /// What would become of its items; nothing is written.
    ///
    /// # Errors
    /// `invalid`, `not-found`, `registry-away`.
    pub async fn what_if(&self, ask: &WhatIfAsk) -> Answered<WhatIf> {
        self.client.post(paths::JOB_WHAT_IF, &self.names).body(ask).json().await
    }
}
