//! What the simulation is too small to show: thousands of jobs, and answers that come when nobody waits for them any more.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{InstanceId, JobKind, JobSettings};
use clockwright_registry::Path;

const NOW: Now = Now { wall: 1_000_000, mono: 1_000 };

fn core(jobs: usize) -> Core {
    let settings = |number: usize| {
        let name = JobName::new(&format!("job-{number}")).unwrap();
        JobSettings::new(name, JobKind::Simple, "0 0 0 1 1 ? 2099", 1)
    };
    let options = CoreOptions {
        keys: Keys::new("jobs").unwrap(),
        instance: InstanceId::of_process("127.0.0.1", 1, 0),
        hostname: "here".to_owned(),
        seed: 1,
        tolerance: 1_000,
        layout: None,
        on_registry_loss: super::OnRegistryLoss::Continue,
        #[cfg(feature = "mutations")]
        mutation: None,
    };
    let mut core = Core::new(options, (0..jobs).map(settings).map(Given::from).collect());
    core.step(
        Input::Connected {
            session: 1,
            timeout: 10_000,
            generation: 0,
            lease_sent: NOW.mono,
            layout: None,
            managed: false,
        },
        NOW,
    );
    core
}

/// The jobs that are to be read whole.
fn loads(effects: Vec<Effect>) -> Vec<(u64, Path)> {
    let keys = Keys::new("jobs").unwrap();
    let load = |effect| match effect {
        Effect::Tree { id, root } if matches!(keys.parse(&root), Some((_, Key::Job))) => Some((id, root)),
        _ => None,
    };
    effects.into_iter().filter_map(load).collect()
}

#[test]
fn many_jobs_are_read_so_many_at_once_until_all_are_read() {
    let jobs = 3 * LOADS_AT_ONCE;
    let mut core = core(jobs);
    let mut under_way = loads(core.decide(NOW));
    let mut read = Vec::new();
    while let Some((id, root)) = under_way.pop() {
        assert!(under_way.len() < LOADS_AT_ONCE);
        read.push(root.clone());
        core.step(Input::Tree { id, root, nodes: Ok(Vec::new()) }, NOW);
        under_way.extend(loads(core.decide(NOW)));
    }
    read.sort_unstable();
    let once = read.len();
    read.dedup();
    assert_eq!((read.len(), once), (jobs, jobs), "each job was read, and once");
}

#[test]
fn a_reading_that_waits_for_its_turn_is_as_new_as_its_turn() {
    let mut core = core(LOADS_AT_ONCE + 1);
    let under_way = loads(core.decide(NOW));
    assert_eq!(under_way.len(), LOADS_AT_ONCE);
    // Whatever is asked for or committed meanwhile has a number, and what is older than it is not believed.
    let meanwhile = core.us.next();
    core.step(Input::Refresh(LOADS_AT_ONCE), NOW);
    assert!(loads(core.decide(NOW)).is_empty(), "it waits already, and its turn has not come");
    let (id, root) = under_way[0].clone();
    core.step(Input::Tree { id, root, nodes: Err(Error::Unavailable("away".into())) }, NOW);
    let last = loads(core.decide(NOW)).remove(0);
    assert!(last.0 > meanwhile);
    assert!(last.1.as_str().ends_with(&format!("job-{LOADS_AT_ONCE}")), "{last:?}");
}

#[test]
fn a_new_session_reads_all_anew_whatever_was_under_way() {
    let mut core = core(2 * LOADS_AT_ONCE);
    assert_eq!(loads(core.decide(NOW)).len(), LOADS_AT_ONCE);
    core.step(Input::SessionLost, NOW);
    core.step(
        Input::Connected {
            session: 2,
            timeout: 10_000,
            generation: 0,
            lease_sent: NOW.mono,
            layout: None,
            managed: false,
        },
        NOW,
    );
    assert_eq!(loads(core.decide(NOW)).len(), LOADS_AT_ONCE);
}

#[test]
fn an_answer_that_was_asked_for_before_a_job_came_back_is_not_taken_for_its_own() {
    let mut core = core(1);
    let given = core.jobs[0].as_ref().unwrap().given.clone();
    let (former, root) = loads(core.decide(NOW)).remove(0);
    core.step(Input::Remove { job: 0, until: NOW.mono }, NOW);
    assert!(matches!(core.decide(NOW)[..], [Effect::Removed { job: 0 }]));
    core.step(Input::Add { job: 0, given }, NOW);
    let (own, _) = loads(core.decide(NOW)).remove(0);
    let mut answer = |id| {
        core.step(Input::Tree { id, root: root.clone(), nodes: Ok(Vec::new()) }, NOW);
        core.decide(NOW).iter().any(|effect| matches!(effect, Effect::Commit { .. }))
    };
    assert!(!answer(former), "nothing is decided on what was read for the job before");
    assert!(answer(own));
}
