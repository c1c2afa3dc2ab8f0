//! See and steer jobs from a program: [`Registry::jobs`] and [`Registry::job`].
//!
//! Whether this program has the code of a job does not matter, nor whether its instances are Clockwright's or Java's.

use crate::Registry;
use clockwright_fleet::admin::{Admin, AdminError, Done, Triggered};
use clockwright_fleet::view::{self, JobBrief, JobView};
use clockwright_model::{Item, JobName, JobSettings, Millis};
use clockwright_registry::SharedRegistry;
use clockwright_settings::table;
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

/// A job of a namespace, to look at and to steer.
///
/// Each operation is one request to the registry, and is carried out when it returns: instances that have not heard of it yet are refused
/// their next claim. Asked for what is the case already it changes nothing, which is no error ([`Done::unchanged`]). It fails when there is no
/// such job, saying which name comes nearest, and when the registry did not answer.
///
/// | operation | due instants from then on | what runs | who has the items | Java instances |
/// |---|---|---|---|---|
/// | [`pause`](Self::pause) | are recorded as skipped, with who paused it and why | goes on | no change | do not know it, and fire on |
/// | [`drain`](Self::drain) | likewise | is waited for; a retry that waits is given up | no change | likewise; what they run is waited for |
/// | [`resume`](Self::resume) | fire again; those of the pause do not | | no change | |
/// | [`disable`](Self::disable) on a server | fire elsewhere | goes on | its items go to the other servers | obey |
/// | [`disable`](Self::disable) on all | are recorded as skipped | goes on | nobody | obey |
/// | [`disable_item`](Self::disable_item) | of this item: are recorded as skipped | goes on | no change | obey |
/// | [`shutdown`](Self::shutdown) | fire on the instances that are left, or are missed | goes on to its end | the instances that are left | obey |
/// | [`remove`](Self::remove) | are nobody's | is none: it is refused while processes serve the job | | |
///
/// These are independent of each other: a paused job that is disabled and then enabled is still paused. What holds a job is
/// in [`get`](Self::get), and the outcomes say it of each fire.
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

    /// Everything about the job: settings, items, servers, instances, who paused it and why, and when it fires next.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// let report = registry.job("report").get().await?;
    /// for item in report.items {
    ///     println!("{} on {:?}, last: {:?}", item.item, item.owner, item.last);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn get(&self) -> Result<JobView, AdminError> {
        let session = self.registry.operator().await?;
        Ok(view::job(&*session, self.registry.keys(), self.name, now()).await?)
    }

    /// Fires the job now, on every instance, and says what each item will do. An item that runs is not started a second time: it runs when it
    /// is free. Where the job is paused or disabled nothing runs, the answer says so, and each item has an outcome that says why. Each trigger
    /// is a fire of its own; two that nobody has answered yet are one.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// let told = registry.job("report").by("ann").trigger().await?;
    /// let idle = told.items.iter().filter(|item| !item.answer.runs()).count();
    /// println!("fire {}, of which {idle} item(s) do not run", told.fire);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Stops the job from firing until it is [resumed](Self::resume). What runs, goes on; an attempt that waits to be made again is given up.
    /// A job that is paused already keeps its note. Java instances do not know it.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// registry.job("report").by("ann").pause("the warehouse is closed").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn pause(&self, reason: &str) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).pause(self.name, reason).await
    }

    /// Lets a paused job fire again, from its next due instant on. What was due meanwhile has its outcome.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn resume(&self) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).resume(self.name).await
    }

    /// Pauses the job and waits until none of its items runs, at most for `longest`. For what must not run beside the job, such as a
    /// migration of its tables.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// let report = registry.job("report").by("deploy");
    /// report.drain("new schema", Duration::from_secs(600)).await?;
    /// // … nothing of it runs …
    /// report.resume().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As said at [`JobHandle`], and items still run at the end of that time; the job then stays paused.
    pub async fn drain(&self, reason: &str, longest: Duration) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).drain(self.name, reason, longest).await
    }

    /// Keeps the job off a server, or with `None` off all that it knows; its items move to the others. What runs there goes on.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// registry.job("report").disable(Some("10.0.0.7")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As said at [`JobHandle`], and no instance was ever on that server.
    pub async fn disable(&self, server: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_job_disabled(self.name, server, true).await
    }

    /// Lets the job onto a server again, or with `None` onto all of them. A pause and disabled items stay.
    ///
    /// # Errors
    /// As [`disable`](Self::disable).
    pub async fn enable(&self, server: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).set_job_disabled(self.name, server, false).await
    }

    /// Leaves an item out until it is enabled again; its owner keeps it, and records its due instants as skipped.
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

    /// Sets settings in the registry by their keys in a jobs file, all of them or none; every instance follows without a restart, also one
    /// whose own settings are others.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// let report = registry.job("report").by("ann");
    /// report.set(&[("cron", "0 30 6 * * ?"), ("retry.maxAttempts", "3")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As said at [`JobHandle`]; and there is no such key, its text is not in the setting's form, or the settings could not be used then.
    pub async fn set(&self, settings: &[(&str, &str)]) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        let values: Result<Vec<_>, _> = settings.iter().map(|(key, text)| table::read(key, text)).collect();
        match (values, JobName::new(self.name)) {
            (Err(error), Ok(job)) => Err(AdminError::Settings { job, error }),
            // A name that cannot be one is told as a job that is not there.
            (values, _) => self.admin(&session).set(self.name, None, &values.unwrap_or_default()).await,
        }
    }

    /// Edits the settings in the registry; every instance follows without a restart, also one whose own settings are others. With
    /// `if_version`, only those that a picture showed ([`JobView::settings_version`]). Another `cron` counts from now on: what was due before has its
    /// outcome by the former one. `edit` is called again where somebody else was faster.
    ///
    /// ```no_run
    /// # async fn example(registry: clockwright::Registry) -> Result<(), clockwright::AdminError> {
    /// let report = registry.job("report").by("ann");
    /// let seen = report.get().await?.settings_version;
    /// report.update(Some(seen), |settings| settings.cron = "0 30 6 * * ?".into()).await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Tells the instances of the job to serve it no more, or only the one of this id, or those of this server. Their processes go on, finish
    /// what they run, and serve the job again when they are restarted.
    ///
    /// # Errors
    /// As said at [`JobHandle`].
    pub async fn shutdown(&self, target: Option<&str>) -> Result<Done, AdminError> {
        let session = self.registry.operator().await?;
        self.admin(&session).shutdown(Some(self.name), target).await
    }

    /// Removes the job with everything below it in the registry; its history stays. A job whose processes still live is not removed: they
    /// would make it again.
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
