//! What is looked at first.

use super::{Answered, Client};
use crate::find::{
    Coming, ComingJobs, ComingJobsAsk, Hit, NextAsk, NextFires, Overview, OverviewAsk, PreviewSchedule,
    SchedulePreview, SearchAsk, SuggestAsk, Suggestion, UpcomingAsk,
};
use crate::live::{FleetAsk, FleetHosts, FleetInstances, FleetPage};
use crate::{List, paths};

impl Client {
    /// How everything stands that one may see.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn overview(&self, ask: &OverviewAsk) -> Answered<Overview> {
        self.get(paths::OVERVIEW, &[]).query(ask).json().await
    }

    /// Projects, jobs and hosts by some letters.
    ///
    /// # Errors
    /// `bad-filter`.
    pub async fn search(&self, q: impl Into<String>) -> Answered<List<Hit>> {
        self.get(paths::SEARCH, &[]).query(&SearchAsk { q: q.into() }).json().await
    }

    /// What a word of a search may become.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn suggest(&self, ask: &SuggestAsk) -> Answered<List<Suggestion>> {
        self.get(paths::SUGGEST, &[]).query(ask).json().await
    }

    /// When a schedule fires.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn next_fires(&self, ask: &NextAsk) -> Answered<NextFires> {
        self.get(paths::SCHEDULES_NEXT, &[]).query(ask).json().await
    }

    /// What a schedule would be that somebody is writing.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn preview_schedule(&self, schedule: &PreviewSchedule) -> Answered<SchedulePreview> {
        self.post(paths::SCHEDULES_PREVIEW, &[]).body(schedule).json().await
    }

    /// How much is due in the next 24 hours.
    ///
    /// # Errors
    /// `invalid`, `not-found`.
    pub async fn upcoming(&self, ask: &UpcomingAsk) -> Answered<Coming> {
        self.get(paths::UPCOMING, &[]).query(ask).json().await
    }

    /// Which jobs fire soon.
    ///
    /// # Errors
    /// `invalid`, `not-found`.
    pub async fn upcoming_jobs(&self, ask: &ComingJobsAsk) -> Answered<ComingJobs> {
        self.get(paths::UPCOMING_LIST, &[]).query(ask).json().await
    }

    /// Processes of all projects that one may see.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn instances(&self, ask: &FleetAsk) -> Answered<FleetInstances> {
        self.get(paths::FLEET_INSTANCES, &[]).query(ask).json().await
    }

    /// A process, with its jobs.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn instance(&self, id: &str) -> Answered<FleetPage> {
        self.get(paths::FLEET_INSTANCE, &[id]).json().await
    }

    /// Hosts of all projects that one may see.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn hosts(&self, ask: &FleetAsk) -> Answered<FleetHosts> {
        self.get(paths::FLEET_HOSTS, &[]).query(ask).json().await
    }
}
