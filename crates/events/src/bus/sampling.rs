//! Sampling: jobs that fire so often that every hundredth firing on record is enough.
//!
//! Whether a firing is kept is decided by its task id, so all its events are kept or none, in every process and after every
//! restart alike. Failures are always kept: a failed run has its row whatever the sample says, since its end makes it. And
//! so are outcomes of fires, because each fire has exactly one on record.

use clockwright_model::Event;
use std::collections::BTreeMap;

/// Which firings leave a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Of jobs that are not named below, about one of so many firings; 0 and 1 are all of them. Default 0.
    pub default: u32,
    /// The same for single jobs, by name.
    pub jobs: BTreeMap<String, u32>,
}

impl Sampling {
    /// True when every event is kept.
    pub(super) fn is_off(&self) -> bool {
        self.default <= 1 && self.jobs.values().all(|of| *of <= 1)
    }

    pub(super) fn keeps(&self, event: &Event) -> bool {
        let (job, task) = match event {
            Event::Settlement(_) | Event::Change(_) => return true,
            Event::Execution(run) if run.complete.is_some() && !run.success => return true,
            Event::Status(state) if state.state.is_failure() => return true,
            Event::Execution(run) => (&run.job, &run.task_id),
            Event::Status(state) => (&state.job, &state.task_id),
        };
        let of = self.jobs.get(job.as_str()).copied().unwrap_or(self.default);
        of <= 1 || hash(task).is_multiple_of(u64::from(of))
    }
}

/// Fowler, Noll and Vo's 64-bit hash 1a, with its high bits mixed into the low ones that the remainder looks at.
fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing;
    use clockwright_model::{Execution, JobName, Settlement, StatusTrace, TaskState};

    fn events(job: &str, n: u32, fails: bool) -> Vec<Event> {
        let (job, task) = (JobName::new(job).unwrap(), format!("{job}@-@0@-@READY@-@10.0.0.1@-@{n}"));
        let run =
            Execution { job: job.clone(), task_id: task.as_str().into(), ..testing::execution(n.into()) };
        let state = |state| {
            let (job, task_id) = (job.clone(), task.as_str().into());
            Event::Status(StatusTrace { job, task_id, state, ..testing::status(n.into()) })
        };
        let outcome = Settlement { job: job.clone(), ..testing::settlement(n.into()) };
        vec![
            state(TaskState::Staging),
            state(TaskState::Running),
            Event::Execution(run.clone()),
            Event::Execution(Execution { complete: Some(1), success: !fails, ..run }),
            state(if fails { TaskState::Error } else { TaskState::Finished }),
            Event::Settlement(outcome),
        ]
    }

    fn kept(sampling: &Sampling, job: &str, n: u32, fails: bool) -> Vec<bool> {
        events(job, n, fails).iter().map(|event| sampling.keeps(event)).collect()
    }

    #[test]
    fn a_firing_is_kept_as_a_whole_or_but_for_its_outcome() {
        let sampling = Sampling { default: 10, jobs: [("all".to_owned(), 1)].into() };
        assert!(!sampling.is_off() && Sampling::default().is_off());
        let mut whole = 0;
        for n in 0..1000 {
            let one = kept(&sampling, "j", n, false);
            assert!(one == [true; 6] || one == [false, false, false, false, false, true], "{one:?}");
            whole += u32::from(one[0]);
            assert_eq!(one, kept(&sampling, "j", n, false));
            assert_eq!(kept(&sampling, "all", n, false), [true; 6]);
        }
        assert!((60..150).contains(&whole), "about a tenth: {whole}");
    }

    #[test]
    fn failures_are_never_sampled_away() {
        let sampling = Sampling { default: u32::MAX, jobs: BTreeMap::new() };
        for n in 0..100 {
            assert_eq!(kept(&sampling, "j", n, true)[3..], [true; 3]);
        }
    }
}
