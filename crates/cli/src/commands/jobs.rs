//! `clockwright job list`: a line for each job: how it is, how it ended last, when it fires next.

use super::Global;
use crate::output::{Failure, day_or_time, now, or_dash, show, table};
use clockwright_fleet::keys::Keys;
use clockwright_fleet::view::{self, Condition, JobBrief, JobView, ViewError};
use clockwright_model::{Item, Millis};
use clockwright_registry::Registry;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

/// How many jobs are looked at together.
const TOGETHER: usize = 16;

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
        let last = job.last_ended().and_then(|(item, last)| {
            Some(Last { outcome: last.outcome?, fire: last.fire, item, reason: last.reason.clone() })
        });
        Self { condition: job.condition(), last, next_fire: job.fires_next(), brief: job.brief }
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
