//! `clockwright job list`: a line for each job: how it is, how it ended last, when it fires next.

use super::Global;
use crate::output::{Failure, day_or_time, now, or_dash, show, table};
use clockwright_fleet::keys::Keys;
use clockwright_fleet::view::{self, JobBrief, JobStatus, JobView, LastRun, ViewError};
use clockwright_model::{Item, Millis};
use clockwright_registry::Registry;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

/// How many jobs are looked at together.
const TOGETHER: usize = 16;

/// How a job is, in one word for people. Elastic-Job's own word is beside it, as `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Condition {
    Ok,
    /// Instances are there, and the last run of every item that ever ran failed.
    Failing,
    /// Some of its items wait until an operator says from where they go on.
    Held,
    Paused,
    Disabled,
    /// Elastic-Job says CRASHED, also after a clean stop.
    NoInstances,
    ShardingFlag,
    Degraded,
}

impl Condition {
    pub(super) fn of(job: &JobView) -> Self {
        match job.brief.status {
            JobStatus::Ok | JobStatus::ShardingFlag if job.items.iter().any(|item| item.held.is_some()) => {
                Condition::Held
            }
            JobStatus::Ok if is_failing(job) => Condition::Failing,
            JobStatus::Ok => Condition::Ok,
            JobStatus::Paused => Condition::Paused,
            JobStatus::Disabled => Condition::Disabled,
            JobStatus::Crashed => Condition::NoInstances,
            JobStatus::ShardingFlag => Condition::ShardingFlag,
            JobStatus::Degraded => Condition::Degraded,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Condition::Ok => "OK",
            Condition::Failing => "FAILING",
            Condition::Held => "HELD",
            Condition::Paused => "PAUSED",
            Condition::Disabled => "DISABLED",
            Condition::NoInstances => "no instances",
            Condition::ShardingFlag => "SHARDING_FLAG",
            Condition::Degraded => "DEGRADED",
        }
    }

    /// Whether the schedule's next instant will be fired, as far as this shows.
    pub(super) fn fires(self) -> bool {
        matches!(self, Condition::Ok | Condition::Failing | Condition::Held | Condition::ShardingFlag)
    }
}

fn is_failing(job: &JobView) -> bool {
    let mut outcomes = job.items.iter().filter_map(|item| item.last.as_ref()?.outcome).peekable();
    outcomes.peek().is_some() && outcomes.all(|outcome| outcome == "failed")
}

/// When the job fires next, if anybody will fire it.
pub(super) fn next_fire(job: &JobView) -> Option<Millis> {
    job.next_fire.filter(|_| Condition::of(job).fires())
}

/// The outcome of the newest fire that has one; of several items, a failure first.
fn last(job: &JobView) -> Option<(Item, &LastRun)> {
    let ended = job.items.iter().filter_map(|item| Some((item.item, item.last.as_ref()?)));
    let ended = ended.filter(|(_, last)| last.outcome.is_some());
    ended.max_by_key(|(item, last)| (last.fire, last.outcome == Some("failed"), std::cmp::Reverse(*item)))
}

/// One job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    brief: JobBrief,
    condition: Condition,
    last: Option<Last>,
    /// Epoch milliseconds; `None`: never, or nobody would fire it.
    next_fire: Option<Millis>,
}

/// How it ended last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Last {
    outcome: &'static str,
    /// The instant, epoch milliseconds.
    fire: Millis,
    item: Item,
    reason: String,
}

impl Line {
    fn of(job: JobView) -> Self {
        let last = last(&job).and_then(|(item, last)| {
            Some(Last { outcome: last.outcome?, fire: last.fire, item, reason: last.reason.clone() })
        });
        Self { condition: Condition::of(&job), last, next_fire: next_fire(&job), brief: job.brief }
    }
}

pub(super) async fn list(global: &Global, registry: &dyn Registry, keys: &Keys) -> Result<(), Failure> {
    let at = now();
    let names: Vec<String> = view::jobs(registry, keys).await?.into_iter().map(|job| job.job_name).collect();
    let looks = names.iter().map(|name| view::job(registry, keys, name, at));
    let jobs = futures::stream::iter(looks).buffered(TOGETHER).filter_map(|job| async {
        match job {
            Ok(job) => Some(Ok(Line::of(job))),
            // It was removed in this moment.
            Err(ViewError::NoSuchJob { .. }) => None,
            Err(error) => Some(Err(error)),
        }
    });
    let jobs: Vec<Line> = jobs.try_collect().await?;
    show(global.output, &jobs, |jobs| text(jobs, at))
}

fn text(jobs: &[Line], at: Millis) -> String {
    if jobs.is_empty() {
        return "no jobs\n".into();
    }
    let header = ["JOB", "STATUS", "LAST", "NEXT", "INSTANCES", "ITEMS", "SCHEDULE", "ABOUT"];
    table(
        header,
        jobs.iter().map(|job| {
            let last =
                job.last.as_ref().map(|last| format!("{} {}", last.outcome, day_or_time(last.fire, at)));
            let brief = &job.brief;
            [
                brief.job_name.clone(),
                job.condition.word().into(),
                or_dash(last),
                or_dash(job.next_fire.map(|next| day_or_time(next, at))),
                brief.instance_count.to_string(),
                brief.sharding_total_count.to_string(),
                brief.cron.clone(),
                brief.reason.clone().unwrap_or_else(|| brief.description.clone()),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright::{Job, Registry, Scheduler};
    use std::time::Duration;

    async fn until(registry: &Registry, name: &str, wanted: impl Fn(&JobView) -> bool) -> JobView {
        let session = registry.session().await.unwrap();
        let mut hints = session.watch(registry.keys().root()).await.unwrap();
        let look = async {
            loop {
                match view::job(&*session, registry.keys(), name, now()).await {
                    Ok(job) if wanted(&job) => return job,
                    _ => drop(tokio::time::timeout(Duration::from_millis(100), hints.recv()).await),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_fails_at_every_fire_is_not_ok_and_one_that_was_stopped_has_no_instances() {
        let registry = Registry::in_memory("jobs").unwrap();
        let job = Job::simple("fails", "@every 1s", |_| async { Err::<(), _>("no disk") }).sharding(2);
        let scheduler = Scheduler::start(&registry, vec![job]).await.unwrap();
        let failing = until(&registry, "fails", |job| {
            job.items.len() == 2
                && job.items.iter().all(|item| item.last.as_ref().is_some_and(|last| last.outcome.is_some()))
                && job.brief.status == JobStatus::Ok
        })
        .await;
        let line = Line::of(failing);
        assert_eq!((line.condition, line.last.unwrap().outcome), (Condition::Failing, "failed"));
        assert!(line.next_fire.is_some());
        scheduler.shutdown().await;
        let left = Line::of(until(&registry, "fails", |job| job.instances.is_empty()).await);
        assert_eq!((left.condition.word(), left.next_fire), ("no instances", None));
        assert!(text(&[left], now()).contains("no instances"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disabled_job_shows_no_next_fire() {
        let registry = Registry::in_memory("jobs").unwrap();
        let job = Job::simple("off", "@every 1h", |_| async { Ok::<(), String>(()) });
        let scheduler = Scheduler::start(&registry, vec![job]).await.unwrap();
        let on = until(&registry, "off", |job| job.brief.status == JobStatus::Ok).await;
        assert!(next_fire(&on).is_some());
        let session = registry.session().await.unwrap();
        let admin = clockwright_fleet::admin::Admin::new(&*session, registry.keys());
        admin.set_job_disabled("off", None, true).await.unwrap();
        let off = until(&registry, "off", |job| job.brief.status == JobStatus::Disabled).await;
        assert_eq!(next_fire(&off), None);
        scheduler.shutdown().await;
    }
}
