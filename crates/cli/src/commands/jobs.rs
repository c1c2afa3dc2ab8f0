//! `clockwright job list`: a line for each job: how it is, how it ended last, when it fires next.

use super::Global;
use crate::fleet::{Fleet, Line};
use crate::output::{Failure, day_or_time, now, or_dash, show, table};
use clockwright_model::Millis;

pub(super) async fn list(global: &Global, fleet: &dyn Fleet) -> Result<(), Failure> {
    let at = now();
    show(global.output, &fleet.jobs().await?, |jobs| text(jobs, at))
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
