//! A fleet in its registry.

use super::{Act, Fleet, Last, Line};
use crate::output::{Failure, now};
use async_trait::async_trait;
use clockwright::Registry;
use clockwright_fleet::admin::{Admin, Done, Triggered};
use clockwright_fleet::keys::Keys;
use clockwright_fleet::view::{self, JobView, ServerBrief, ViewError};
use clockwright_registry::SharedRegistry;
use clockwright_server::sync::control;
use futures::{StreamExt as _, TryStreamExt as _};

/// How many jobs are looked at together.
const TOGETHER: usize = 16;

/// See [`Fleet`].
pub(crate) struct Direct {
    registry: Registry,
    session: SharedRegistry,
    actor: String,
}

impl Direct {
    pub(crate) fn new(registry: Registry, session: SharedRegistry, actor: String) -> Self {
        Self { registry, session, actor }
    }

    fn keys(&self) -> &Keys {
        self.registry.keys()
    }

    fn admin(&self) -> Admin<'_> {
        Admin::new(&*self.session, self.keys()).by(&self.actor)
    }
}

fn line(job: JobView) -> Line {
    let last = job.last_ended().and_then(|(item, last)| {
        let outcome = last.outcome?.to_owned();
        Some(Last { outcome, fire: last.fire, item, reason: last.reason.clone() })
    });
    Line { condition: job.condition(), last, next_fire: job.fires_next(), brief: job.brief }
}

#[async_trait(?Send)]
impl Fleet for Direct {
    async fn managed_by(&self) -> Result<Option<String>, Failure> {
        let node = self.session.read(&[control::path(self.keys())]).await?.pop().flatten();
        let control = node.and_then(|node| serde_json::from_slice::<control::Control>(&node.data).ok());
        // Where what others write is taken over, nobody has to ask first.
        Ok(control.filter(|control| !control.follows).map(|control| control.url))
    }

    async fn java_instances(&self, job: Option<&str>) -> Result<usize, Failure> {
        Ok(view::java_instances(&*self.session, self.keys(), job).await?)
    }

    async fn jobs(&self) -> Result<Vec<Line>, Failure> {
        let (registry, keys, at) = (&*self.session, self.keys(), now());
        let names: Vec<String> =
            view::jobs(registry, keys).await?.into_iter().map(|job| job.job_name).collect();
        let looks = names.iter().map(|name| view::job(registry, keys, name, at));
        let jobs = futures::stream::iter(looks).buffered(TOGETHER).filter_map(|job| async {
            match job {
                Ok(job) => Some(Ok(line(job))),
                // It was removed in this moment.
                Err(ViewError::NoSuchJob { .. }) => None,
                Err(error) => Some(Err(error)),
            }
        });
        Ok(jobs.try_collect().await?)
    }

    async fn job(&self, name: &str) -> Result<JobView, Failure> {
        Ok(view::job(&*self.session, self.keys(), name, now()).await?)
    }

    async fn dump(&self, name: &str, mask: bool) -> Result<String, Failure> {
        Ok(view::dump(&*self.session, self.keys(), name, mask).await?)
    }

    async fn hosts(&self) -> Result<Vec<ServerBrief>, Failure> {
        Ok(view::servers(&*self.session, self.keys()).await?)
    }

    async fn trigger(&self, job: &str, id: Option<&str>) -> Result<Triggered, Failure> {
        Ok(self.admin().trigger(job, id).await?)
    }

    async fn carry_out(&self, job: Option<&str>, act: &Act) -> Result<Done, Failure> {
        let admin = self.admin();
        let Some(name) = job else { return on_host(&admin, act).await };
        let done = match act {
            Act::Pause { reason } => admin.pause(name, reason).await,
            Act::Resume => admin.resume(name).await,
            Act::Drain { reason, timeout } => admin.drain(name, reason, *timeout).await,
            Act::Disable { host } => admin.set_job_disabled(name, host.as_deref(), true).await,
            Act::Enable { host } => admin.set_job_disabled(name, host.as_deref(), false).await,
            Act::DisableItem(item) => admin.set_item_disabled(name, *item, true).await,
            Act::EnableItem(item) => admin.set_item_disabled(name, *item, false).await,
            Act::ResumeItem { item, from } => admin.resume_item(name, *item, *from, None).await,
            Act::Set(values) => admin.set(name, None, values).await,
            Act::Shutdown { target } => admin.shutdown(Some(name), target.as_deref()).await,
            Act::Remove { mode: Some(_), .. } => {
                let why =
                    "--mode is for a server: directly, a job is removed that no instance serves any more";
                return Err(Failure::Usage(why.into()));
            }
            Act::Remove { mode: None, .. } => admin.remove(name).await,
        };
        Ok(done?)
    }

    async fn close(&self) {
        // A clean end frees the session at once.
        let _late = self.session.close().await;
    }
}

async fn on_host(admin: &Admin<'_>, act: &Act) -> Result<Done, Failure> {
    match act {
        Act::Disable { host: Some(host) } => Ok(admin.set_server_disabled(host, true).await?),
        Act::Enable { host: Some(host) } => Ok(admin.set_server_disabled(host, false).await?),
        Act::Shutdown { target: Some(host) } => Ok(admin.shutdown(None, Some(host)).await?),
        _ => Err(Failure::Usage("name a job".into())),
    }
}
