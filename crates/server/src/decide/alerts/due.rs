//! The instants that must have their outcomes by now: one number a job is compared at each look, and a schedule asked only when an instant
//! has passed.

use clockwright_model::Millis;
use clockwright_planner::Schedule;
use std::collections::HashMap;

/// The deadlines of all jobs, by (job, grace).
#[derive(Debug, Default)]
pub struct Deadlines {
    jobs: HashMap<(i64, Millis), Deadline>,
    /// Up to when nothing that a job was due for is told, by job.
    explained: HashMap<i64, Millis>,
}

#[derive(Debug)]
struct Deadline {
    version: i64,
    /// The newest instant whose grace has passed.
    due: Option<Millis>,
    /// The one after it.
    next: Option<Millis>,
}

impl Deadlines {
    /// What was due up to this instant is explained: the job stood still by somebody's wish, or was another one.
    pub fn explain(&mut self, job: i64, until: Millis) {
        let there = self.explained.entry(job).or_insert(until);
        *there = until.max(*there);
    }

    /// The newest instant of a job that has passed for this long and is not explained.
    pub fn due(
        &mut self,
        job: i64,
        version: i64,
        schedule: Option<&Schedule>,
        grace: Millis,
        now: Millis,
    ) -> Option<Millis> {
        let until = now - grace;
        let compute = || Deadline {
            version,
            due: schedule.and_then(|schedule| schedule.latest_until(until)),
            next: schedule.and_then(|schedule| schedule.next_after(until)),
        };
        let deadline = self.jobs.entry((job, grace)).or_insert_with(compute);
        if deadline.version != version || deadline.next.is_some_and(|next| next <= until) {
            *deadline = compute();
        }
        let due = deadline.due;
        due.filter(|due| self.explained.get(&job).is_none_or(|explained| due > explained))
    }

    /// Forgets jobs that are not there any more.
    pub fn keep(&mut self, is_there: impl Fn(i64) -> bool) {
        self.jobs.retain(|(job, _), _| is_there(*job));
        self.explained.retain(|job, _| is_there(*job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;
    const HOUR: Millis = 60 * MINUTE;

    fn hourly() -> Option<Schedule> {
        Schedule::parse("0 0 * * * ?", Some("UTC")).ok()
    }

    #[test]
    fn an_instant_is_due_once_its_grace_has_passed_and_until_the_next_one_is() {
        let mut deadlines = Deadlines::default();
        let hourly = hourly();
        let mut due = |now| deadlines.due(7, 1, hourly.as_ref(), 2 * MINUTE, now);
        assert_eq!(due(10 * HOUR + MINUTE), Some(9 * HOUR));
        assert_eq!(due(10 * HOUR + 2 * MINUTE), Some(10 * HOUR));
        assert_eq!(due(13 * HOUR), Some(12 * HOUR));
    }

    #[test]
    fn what_was_due_while_a_job_stood_still_is_explained() {
        let mut deadlines = Deadlines::default();
        deadlines.explain(7, 10 * HOUR);
        deadlines.explain(7, HOUR);
        let hourly = hourly();
        let mut due = |now| deadlines.due(7, 1, hourly.as_ref(), MINUTE, now);
        assert_eq!(due(10 * HOUR + MINUTE), None);
        assert_eq!(due(11 * HOUR + MINUTE), Some(11 * HOUR));
    }

    #[test]
    fn another_version_and_a_job_that_was_gone_are_due_by_their_schedule_of_now() {
        let mut deadlines = Deadlines::default();
        let (hourly, daily) = (hourly(), Schedule::parse("0 0 8 * * ?", Some("UTC")).ok());
        assert_eq!(deadlines.due(7, 1, hourly.as_ref(), MINUTE, 10 * HOUR + MINUTE), Some(10 * HOUR));
        assert_eq!(deadlines.due(7, 2, daily.as_ref(), MINUTE, 10 * HOUR + MINUTE), Some(8 * HOUR));
        assert_eq!(deadlines.due(7, 3, None, MINUTE, 10 * HOUR + MINUTE), None, "it cannot be read");
        deadlines.keep(|_| false);
        assert!(deadlines.jobs.is_empty());
        assert_eq!(deadlines.due(7, 3, hourly.as_ref(), MINUTE, 11 * HOUR + MINUTE), Some(11 * HOUR));
    }
}
