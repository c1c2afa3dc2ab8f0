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
    schedule: Option<Schedule>,
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
        schedule: impl FnOnce() -> Option<Schedule>,
        grace: Millis,
        now: Millis,
    ) -> Option<Millis> {
        let until = now - grace;
        let there = self.jobs.remove(&(job, grace)).filter(|there| there.version == version);
        let mut deadline = there.unwrap_or_else(|| {
            let schedule = schedule();
            let due = schedule.as_ref().and_then(|schedule| schedule.latest_until(until));
            let next = schedule.as_ref().and_then(|schedule| schedule.next_after(until));
            Deadline { version, schedule, due, next }
        });
        if let (Some(schedule), Some(next)) = (&deadline.schedule, deadline.next)
            && next <= until
        {
            deadline.due = schedule.latest_until(until);
            deadline.next = schedule.next_after(until);
        }
        let due = deadline.due;
        self.jobs.insert((job, grace), deadline);
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
    use std::cell::Cell;

    const MINUTE: Millis = 60_000;
    const HOUR: Millis = 60 * MINUTE;

    fn hourly() -> Option<Schedule> {
        Schedule::parse("0 0 * * * ?", Some("UTC")).ok()
    }

    #[test]
    fn an_instant_is_due_once_its_grace_has_passed_and_until_the_next_one_is() {
        let mut deadlines = Deadlines::default();
        let mut due = |now| deadlines.due(7, 1, hourly, 2 * MINUTE, now);
        assert_eq!(due(10 * HOUR + MINUTE), Some(9 * HOUR));
        assert_eq!(due(10 * HOUR + 2 * MINUTE), Some(10 * HOUR));
        assert_eq!(due(13 * HOUR), Some(12 * HOUR));
    }

    #[test]
    fn what_was_due_while_a_job_stood_still_is_explained() {
        let mut deadlines = Deadlines::default();
        deadlines.explain(7, 10 * HOUR);
        deadlines.explain(7, HOUR);
        let mut due = |now| deadlines.due(7, 1, hourly, MINUTE, now);
        assert_eq!(due(10 * HOUR + MINUTE), None);
        assert_eq!(due(11 * HOUR + MINUTE), Some(11 * HOUR));
    }

    #[test]
    fn a_schedule_is_read_once_a_version() {
        let mut deadlines = Deadlines::default();
        let read = Cell::new(0);
        let schedule = || {
            read.set(read.get() + 1);
            hourly()
        };
        for now in [10 * HOUR, 11 * HOUR, 12 * HOUR] {
            deadlines.due(7, 1, schedule, MINUTE, now);
        }
        assert_eq!(read.get(), 1);
        deadlines.due(7, 2, schedule, MINUTE, 12 * HOUR);
        assert_eq!(read.get(), 2);
        deadlines.keep(|_| false);
        deadlines.due(7, 2, schedule, MINUTE, 12 * HOUR);
        assert_eq!(read.get(), 3);
    }
}
