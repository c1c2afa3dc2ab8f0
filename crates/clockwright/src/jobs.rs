//! See and steer jobs from a program: [`Registry::jobs`] and [`Registry::job`].
//!
//! Whether this program has the code of a job does not matter, nor whether its instances are Clockwright's or Java's.

use crate::Registry;
use clockwright_fleet::admin::{Admin, AdminError, Done, Triggered};
use clockwright_fleet::view::{self, JobBrief, JobView};
use clockwright_model::{Item, JobSettings, Millis};
use clockwright_registry::SharedRegistry;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Registry {
    /// A line about every job of the namespace, by name.
    ///
    /// # Errors
    /// The registry did not answer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = clockwright::Registry::in_memory("jobs")?;
    /// for job in registry.jobs().await? {
    ///     println!("{} {} {}", job.job_name, job.status.as_str(), job.cron);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn jobs(&self) -> Result<Vec<JobBrief>, AdminError> {
        let session = self.operator().await?;
        Ok(view::jobs(&*session, self.keys()).await?)
    }

    /// A job of the namespace. Nothing is asked before one of its operations is called.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = registry.job("report").by("ann");
    /// report.pause("the warehouse is closed").await?;
    /// // …
    /// report.resume().await?;
    /// let triggered = report.trigger_once("2026-11-29").await?;
    /// println!("fire {}", triggered.fire);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn job<'a>(&'a self, name: &'a str) -> JobHandle<'a> {
        JobHandle { registry: self, name, actor: "" }
    }
}

/// A job of a namespace, to look at and to steer. Each operation fails when there is no such job, saying which name comes nearest, and
/// when the registry did not answer.
#[derive(Clone, Copy)]
pub struct JobHandle<'a> {
    registry: &'a Registry,
    name: &'a str,
    actor: &'a str,
}

impl<'a> JobHandle<'a> {
    /// Says who operates: it is shown beside what was done.
    #[must_use]
    pub fn by(self, actor: &'a str) -> Self {
        Self { actor, ..self }
    }

    /// Everything about the job: settings, items, servers, instances, and when it fires next.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn get(&self) -> Result<JobView, AdminError> {
        let session = self.registry.operator().await?;
        Ok(view::job(&*session, self.registry.keys(), self.name, now()).await?)
    }

    /// Fires the job now, on every instance, and says what each item will do. An item that runs is not started a second time.
    ///
    /// # Errors
    /// As said at [`JobHandle`], and no instance is there.
    pub async fn trigger(&self) -> Result<Triggered, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).trigger(self.name, None).await
    }

    /// As [`trigger`](Self::trigger), at most once a day for each `id`: given again, it fires nothing and names the fire of the first
    /// time. So a program that does not know whether its call got through may call again.
    ///
    /// # Errors
    /// As [`trigger`](Self::trigger), and the id has other characters than letters, digits, `-`, `_` and `.`, or is another job's.
    pub async fn trigger_once(&self, id: &str) -> Result<Triggered, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).trigger(self.name, Some(id)).await
    }

    /// Stops the job from firing until it is [resumed](Self::resume). What runs, goes on. Java instances do not know it.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn pause(&self, reason: &str) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).pause(self.name, reason).await
    }

    /// Lets a paused job fire again.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn resume(&self) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).resume(self.name).await
    }

    /// Pauses the job and waits until none of its items runs, at most for `longest`.
    ///
    /// # Errors
    /// As said at [`JobHandle`], and items still run at the end of that time; the job then stays paused.
    pub async fn drain(&self, reason: &str, longest: Duration) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).drain(self.name, reason, longest).await
    }

    /// Keeps the job off a server, or off all of them; its items move to the others.
    ///
    /// # Errors
    /// As said at [`JobHandle`], and no instance was ever on that server.
    pub async fn disable(&self, server: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_job_disabled(self.name, server, true).await
    }

    /// Lets the job onto a server again, or onto all of them.
    ///
    /// # Errors
    /// As [`disable`](Self::disable).
    pub async fn enable(&self, server: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_job_disabled(self.name, server, false).await
    }

    /// Leaves an item out until it is enabled again.
    ///
    /// # Errors
    /// As said at [`JobHandle`], and the job has no such item.
    pub async fn disable_item(&self, item: Item) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_item_disabled(self.name, item, true).await
    }

    /// Lets an item fire again.
    ///
    /// # Errors
    /// As [`disable_item`](Self::disable_item).
    pub async fn enable_item(&self, item: Item) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_item_disabled(self.name, item, false).await
    }

    /// Edits the settings in the registry; every instance follows without a restart. With `if_version`, only those that a picture
    /// showed ([`JobView::settings_version`]).
    ///
    /// # Errors
    /// As said at [`JobHandle`], and the settings could not be used, or were changed since.
    pub async fn update(
        &self,
        if_version: Option<i32>,
        edit: impl Fn(&mut JobSettings),
    ) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).update(self.name, if_version, edit).await
    }

    /// Tells the instances of the job to serve it no more, or only one, or those of one server. Their processes go on.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn shutdown(&self, target: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).shutdown(Some(self.name), target).await
    }

    /// Removes the job with everything below it in the registry.
    ///
    /// # Errors
    /// As said at [`JobHandle`], and processes still serve it: the error says which, and what they run.
    pub async fn remove(&self) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).remove(self.name).await
    }

    fn admin<'s>(&'s self, session: &'s SharedRegistry) -> Admin<'s> {
        Admin::new(&**session, self.registry.keys()).by(self.actor)
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
