//! What operators do, and what must come of it.

use super::stage::{Code, Desk, EACH_SECOND, NEVER, SESSION, job};
use clockwright_fleet::admin::Hold;
use clockwright_fleet::keys::Key;
use clockwright_fleet::pause::PauseNote;
use clockwright_model::{
    FailureKind, Fire, Item, JobSettings, Millis, Misfire, Outcome, Reason, Retry, Settlement, TaskState,
};
use clockwright_registry::Error;
use clockwright_runtime::RunResult;
use clockwright_testkit::sim::EPOCH;
use std::collections::{BTreeMap, BTreeSet};

fn of_triggers(desk: &Desk, job: &str) -> Vec<Settlement> {
    let is_trigger = |settled: &Settlement| matches!(settled.fire, Fire::Trigger { .. });
    desk.outcomes(job).into_iter().filter(is_trigger).collect()
}

#[test]
fn a_drain_ends_though_a_retry_waits() {
    let retry = Retry { max_attempts: 2, backoff: 10_000, max_backoff: 10_000 };
    let (mut desk, _) = Desk::triggered(JobSettings { retry, ..job("a", NEVER, 1) }, Code::Fails(100));
    desk.pass(500);
    desk.pause("a");
    desk.pass(30_000);
    assert!(!desk.is_claimed("a", 0), "its item is still claimed, for a retry that never comes");
    assert_eq!(desk.outcomes("a").len(), 1, "and how it ended is on record");
}

#[test]
fn nothing_is_claimed_after_a_pause_or_a_disabling_whose_hints_got_lost() {
    let stop: [fn(&mut Desk); 4] = [
        |desk| desk.pause("a"),
        |desk| desk.drain_host("a", "10.0.0.1", true),
        |desk| desk.disable("a", true),
        |desk| (0..2).for_each(|item| desk.disable_item("a", item, true)),
    ];
    for stop in stop {
        let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
        desk.start();
        desk.pass(2_500);
        desk.delay_hints(|_| true);
        stop(&mut desk);
        let before = desk.ran("a").len();
        assert!(before > 0);
        desk.pass(3_000);
        assert_eq!(desk.ran("a").len(), before);
    }
}

#[test]
fn a_trigger_of_a_paused_job_is_skipped_with_the_reason_and_fires_nothing_later() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.start();
    desk.pass(500);
    desk.pause("a");
    desk.trigger("a");
    desk.pass(1_000);
    let skipped = of_triggers(&desk, "a");
    assert_eq!(skipped.len(), 2, "each item's fire has an outcome");
    for settled in skipped {
        assert!(
            matches!(&settled.outcome, Outcome::Skipped { reason } if reason.to_string().contains("audit")),
            "{settled:?}"
        );
    }
    desk.resume("a");
    desk.pass(5_000);
    assert_eq!(desk.ran("a"), []);
}

#[test]
fn instances_of_a_drained_host_finish_what_they_run_and_begin_nothing_until_that_is_over() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass(1_500);
    assert_eq!(desk.running("a").len(), 2);
    desk.drain_host("a", "10.0.0.1", true);
    desk.pass(2_000);
    assert_eq!(desk.running("a").len(), 2, "what runs goes on");
    desk.code("a", Code::Succeeds(0));
    desk.end_all("a");
    let before = desk.ran("a").len();
    desk.pass(3_000);
    desk.trigger("a");
    desk.pass(1_000);
    assert_eq!(desk.ran("a").len(), before, "nothing begins");
    let drained = Outcome::Skipped { reason: Reason::HostDrained {} };
    let triggers = of_triggers(&desk, "a");
    assert!(triggers.len() == 2 && triggers.iter().all(|one| one.outcome == drained), "{triggers:?}");
    desk.drain_host("a", "10.0.0.1", false);
    desk.pass(2_500);
    assert!(desk.ran("a").len() > before, "it goes on with the schedule");
    let skipped = desk.outcomes("a").into_iter().filter(|one| one.outcome == drained).count();
    assert!(skipped > 2, "what was due meanwhile is on record as skipped, and why");
}

#[test]
fn a_drain_of_another_host_concerns_nobody_here() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    desk.start();
    desk.pass(500);
    desk.write("a", &Key::Server("10.0.0.9".into()), "");
    desk.drain_host("a", "10.0.0.9", true);
    desk.pass(3_000);
    assert!(desk.ran("a").len() > 2);
}

#[test]
fn a_pause_that_says_so_ends_what_runs_and_that_is_on_record() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass(1_500);
    assert_eq!(desk.running("a").len(), 2);
    let note = PauseNote { reason: "removal".into(), ..PauseNote::default() };
    desk.hold("a", &Hold::Paused(Some(note.clone())));
    desk.pass(2_000);
    assert_eq!(desk.running("a").len(), 2, "a pause alone ends nothing");
    desk.hold("a", &Hold::Paused(Some(PauseNote { kill: true, ..note })));
    desk.pass(2_000);
    assert_eq!(desk.running("a").len(), 0);
    let killed = desk
        .outcomes("a")
        .into_iter()
        .filter(|one| one.outcome == Outcome::Cancelled { reason: Reason::StoppedByHand {} });
    assert_eq!(killed.count(), 2);
    assert!(!desk.is_claimed("a", 0) && !desk.is_claimed("a", 1));
}

#[test]
fn a_trigger_that_ends_a_drain_in_its_own_commit_fires_though_only_its_own_hint_has_come() {
    let holds: [fn(&mut Desk); 2] = [
        |desk| {
            let note = PauseNote { drain: true, ..PauseNote::default() };
            desk.hold("a", &Hold::Paused(Some(note)));
        },
        |desk| desk.drain_host("a", "10.0.0.1", true),
    ];
    for hold in holds {
        let mut desk = Desk::new(&[job("a", NEVER, 2)]);
        desk.start();
        desk.pass(500);
        hold(&mut desk);
        desk.pass(1_000);
        desk.delay_hints(|path| !path.as_str().contains("/instances/"));
        desk.trigger_idle("a", "one");
        desk.pass(1_000);
        assert_eq!(desk.ran("a").len(), 2);
        desk.trigger_idle("a", "one");
        desk.pass(1_000);
        assert_eq!(desk.ran("a").len(), 2, "once by its id");
    }
}

#[test]
fn a_trigger_of_a_disabled_item_is_skipped_with_the_reason() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.start();
    desk.pass(500);
    desk.disable_item("a", 1, true);
    desk.trigger("a");
    desk.pass(1_000);
    let outcomes: BTreeMap<u32, Outcome> =
        of_triggers(&desk, "a").into_iter().map(|settled| (settled.item, settled.outcome)).collect();
    assert_eq!(outcomes.get(&0), Some(&Outcome::Succeeded));
    assert!(
        matches!(outcomes.get(&1), Some(Outcome::Skipped { reason }) if reason.to_string().contains("disabled")),
        "{outcomes:?}"
    );
}

#[test]
fn a_trigger_of_a_disabled_job_is_skipped_with_the_reason_and_fires_nothing_when_it_is_enabled() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    desk.start();
    desk.pass(500);
    desk.disable("a", true);
    desk.pass(1_000);
    desk.trigger("a");
    desk.pass(1_000);
    let outcomes = of_triggers(&desk, "a");
    assert!(
        matches!(&outcomes[..], [one] if matches!(&one.outcome, Outcome::Skipped { .. })),
        "{outcomes:?}"
    );
    desk.disable("a", false);
    desk.pass(5_000);
    assert_eq!(desk.ran("a"), []);
}

#[test]
fn each_of_four_triggers_of_a_busy_item_has_an_outcome() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass(500);
    for _ in 0..4 {
        desk.trigger("a");
        desk.pass(200);
    }
    for _ in 0..4 {
        desk.end_all("a");
        desk.pass(200);
    }
    let fires: BTreeSet<String> =
        of_triggers(&desk, "a").iter().map(|settled| settled.fire.to_string()).collect();
    assert_eq!(fires.len(), 4, "{:?}", desk.outcomes("a"));
}

#[test]
fn a_trigger_that_waits_for_an_item_which_the_job_loses_is_skipped_with_the_reason() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass(500);
    desk.trigger("a");
    desk.pass(500);
    desk.trigger("a");
    desk.pass(500);
    desk.edit("a", |settings| settings.sharding_total_count = 1);
    desk.pass(500);
    desk.end_all("a");
    desk.pass(2_000);
    let of_the_gone = of_triggers(&desk, "a").into_iter().filter(|settled| settled.item == 1);
    let outcomes: Vec<Outcome> = of_the_gone.map(|settled| settled.outcome).collect();
    assert_eq!(outcomes, [Outcome::Succeeded, Outcome::Skipped { reason: Reason::ItemGone {} }]);
}

#[test]
fn a_trigger_waits_for_an_item_that_another_instance_has_taken_over() {
    let mut desk = Desk::new(&[JobSettings { failover: true, ..job("a", NEVER, 6) }]);
    desk.code("a", Code::Waits);
    let (_first, second) = (desk.start(), desk.start());
    desk.pass(1_000);
    desk.trigger("a");
    let orphans = desk.owns(second, "a");
    desk.kill(second);
    let again = |desk: &Desk| desk.running("a").into_iter().filter(|run| run.attempt == 2).count();
    desk.pass_until(3 * SESSION, "all are taken over", |desk| again(desk) == orphans.len());
    let third = desk.start();
    desk.pass(1_000);
    let moved: Vec<Item> = orphans.into_iter().filter(|item| desk.owns(third, "a").contains(item)).collect();
    assert!(!moved.is_empty(), "no item that was taken over belongs to somebody else");
    desk.trigger("a");
    desk.pass(1_000);
    desk.code("a", Code::Succeeds(100));
    desk.end_all("a");
    desk.pass(5_000);
    for item in moved {
        let outcomes: Vec<Settlement> =
            of_triggers(&desk, "a").into_iter().filter(|settled| settled.item == item).collect();
        assert_eq!(outcomes.len(), 2, "item {item}: {outcomes:?}");
    }
}

#[test]
fn a_trigger_that_meets_an_instance_about_to_leave_has_an_outcome() {
    let (mut desk, leaving) = Desk::triggered(job("a", NEVER, 1), Code::Waits);
    desk.pass(200);
    desk.trigger("a");
    desk.leave(leaving);
    desk.pass(500);
    desk.end_all("a");
    desk.pass_until(10_000, "it leaves", |desk| desk.is_gone(leaving));
    desk.code("a", Code::Succeeds(100));
    desk.start();
    desk.pass(10_000);
    assert_eq!(of_triggers(&desk, "a").len(), 2, "{:?}", desk.outcomes("a"));
}

#[test]
fn every_firing_reaches_an_end_though_its_runs_are_tried_again() {
    let retry = Retry { max_attempts: 3, backoff: 500, max_backoff: 500 };
    let (mut desk, _) = Desk::triggered(JobSettings { retry, ..job("a", NEVER, 2) }, Code::Fails(100));
    desk.pass(10_000);
    let mut states: BTreeMap<String, Vec<TaskState>> = BTreeMap::new();
    for trace in desk.states("a") {
        states.entry(trace.task_id.to_string()).or_default().push(trace.state);
    }
    let firings = desk.states("a").iter().filter(|trace| trace.state == TaskState::Running).count();
    let ends = desk.states("a").iter().filter(|trace| trace.state == TaskState::Error).count();
    assert_eq!(firings, ends, "{states:?}");
}

#[test]
fn a_trigger_that_is_taken_in_the_instant_of_a_retry_lets_no_item_run_twice() {
    let retry = Retry { max_attempts: 3, backoff: 1_000, max_backoff: 1_000 };
    let mut desk = Desk::new(&[JobSettings { retry, ..job("a", NEVER, 2) }]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass(500);
    desk.trigger("a");
    desk.pass(100);
    let run_of = |desk: &Desk, item| desk.running("a").into_iter().find(|run| run.item == item).unwrap();
    let failed = RunResult::Failed { kind: FailureKind::Job, reason: Reason::Other { text: "so".into() } };
    desk.end(&run_of(&desk, 0), failed);
    desk.pass(900);
    // For a moment nothing may be written, so that the trigger and the retry come due together.
    desk.refuse(|ops| ops.iter().any(|op| op.path().as_str().ends_with("/1/cursor")).then(denied));
    desk.end(&run_of(&desk, 1), RunResult::Succeeded);
    desk.pass(50);
    desk.trigger("a");
    desk.pass(100);
    desk.allow();
    desk.pass(2_000);
    let mut running: Vec<(Item, u32)> =
        desk.running("a").into_iter().map(|run| (run.item, run.attempt)).collect();
    running.sort_unstable();
    assert_eq!(running, [(0, 2), (1, 1)], "the second attempt of item 0, and what was triggered of item 1");
}

fn denied() -> Error {
    Error::Denied("no permission below /ns/a".to_owned())
}

#[test]
fn a_job_whose_nodes_may_not_be_written_is_degraded_with_the_reason_and_tried_ever_less_often() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    desk.refuse(|ops| ops.iter().any(|op| op.path().as_str().starts_with("/ns/")).then(denied));
    let who = desk.start();
    desk.pass(60_000);
    assert!(desk.commits_since(who, 0) < 60, "{} commits in a minute", desk.commits_since(who, 0));
    assert!(desk.told().lines().count() < 20, "{}", desk.told());
    let degraded = desk.status(who, "a").degraded;
    assert!(degraded.as_ref().is_some_and(|why| why.contains("no permission")), "{degraded:?}");
    desk.allow();
    desk.pass_until(120_000, "it works once it is allowed", |desk| !desk.outcomes("a").is_empty());
    assert_eq!(desk.status(who, "a").degraded, None);
}

#[test]
fn a_job_whose_claims_are_refused_is_degraded_with_the_reason_and_tried_ever_less_often() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    let who = desk.start();
    desk.pass(2_500);
    desk.refuse(|ops| ops.iter().any(|op| op.path().as_str().ends_with("/cursor")).then(denied));
    let since = desk.now;
    desk.pass(60_000);
    assert!(desk.commits_since(who, since) < 60, "{} commits in a minute", desk.commits_since(who, since));
    let degraded = desk.status(who, "a").degraded;
    assert!(degraded.as_ref().is_some_and(|why| why.contains("no permission")), "{degraded:?}");
    desk.allow();
    desk.pass_until(120_000, "it works once it is allowed", |desk| desk.status(who, "a").degraded.is_none());
}

#[test]
fn a_job_that_may_not_be_read_is_degraded_with_the_reason() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    desk.hide(denied());
    let who = desk.start();
    desk.pass(60_000);
    let degraded = desk.status(who, "a").degraded;
    assert!(degraded.as_ref().is_some_and(|why| why.contains("no permission")), "{degraded:?}");
    desk.allow();
    desk.pass_until(120_000, "it works once it is allowed", |desk| !desk.outcomes("a").is_empty());
}

/// The instants of whole seconds in a time of the stage.
fn seconds(from: Millis, to: Millis) -> impl Iterator<Item = Fire> {
    let first = (EPOCH + from).div_euclid(1_000) + 1;
    (first..=(EPOCH + to).div_euclid(1_000)).map(|second| Fire::Scheduled(second * 1_000))
}

#[test]
fn instants_that_passed_while_the_item_was_busy_have_outcomes_though_the_schedule_was_changed_since() {
    let mut desk = Desk::new(&[JobSettings { misfire: Misfire::Skip, ..job("a", EACH_SECOND, 1) }]);
    desk.code("a", Code::Waits);
    desk.start();
    desk.pass_until(3_000, "it runs", |desk| !desk.running("a").is_empty());
    let begun = desk.now;
    desk.pass(4_500);
    let edited = desk.now;
    desk.edit("a", |settings| settings.cron = "0/20 * * * * ?".into());
    desk.pass(500);
    desk.code("a", Code::Succeeds(100));
    desk.end_all("a");
    desk.pass(60_000);
    for fire in seconds(begun, edited) {
        assert!(desk.outcome("a", 0, &fire).is_some(), "nothing says what became of {fire}");
    }
}

#[test]
fn instants_that_passed_while_nobody_was_there_have_outcomes_though_the_schedule_was_changed_since() {
    let mut desk = Desk::new(&[JobSettings { misfire: Misfire::Skip, ..job("a", EACH_SECOND, 1) }]);
    let first = desk.start();
    desk.pass(3_500);
    desk.leave(first);
    desk.pass_until(5_000, "it leaves", |desk| desk.is_gone(first));
    let gone = desk.now;
    desk.pass(10_000);
    let edited = desk.now;
    desk.edit("a", |settings| settings.cron = "0/20 * * * * ?".into());
    desk.pass(3_000);
    desk.start();
    desk.pass(60_000);
    for fire in seconds(gone, edited) {
        assert!(desk.outcome("a", 0, &fire).is_some(), "nothing says what became of {fire}");
    }
}

#[test]
fn a_trigger_runs_every_item_once_and_is_not_lost_when_an_item_is_busy() {
    let (mut desk, _) = Desk::triggered(job("a", NEVER, 2), Code::Waits);
    let first = desk.running("a");
    desk.end(&first[1], RunResult::Succeeded);
    // Item 0 is busy now; the second trigger waits for it.
    desk.trigger("a");
    assert_eq!(desk.running("a").iter().map(|run| run.item).collect::<Vec<_>>(), [0, 1]);
    desk.end(&first[0], RunResult::Succeeded);
    desk.end_all("a");
    desk.pass(500);
    for item in 0..2 {
        let fires: Vec<_> = desk.outcomes("a").into_iter().filter(|settled| settled.item == item).collect();
        assert_eq!(fires.len(), 2, "{fires:?}");
        assert!(fires.iter().all(|settled| settled.outcome == Outcome::Succeeded));
        assert!(fires[0].fire != fires[1].fire && fires[0].token < fires[1].token);
    }
}

#[test]
fn a_disabled_item_and_a_paused_job_do_not_run_and_their_instants_are_skipped() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.start();
    desk.pass(2_500);
    let (off, before) = (desk.now, desk.ran("a").len());
    desk.disable_item("a", 1, true);
    desk.pass(3_000);
    assert_eq!(desk.ran("a").len(), before + 3, "only item 0 goes on");
    desk.disable_item("a", 1, false);
    desk.pass(2_000);
    let skipped = |desk: &Desk, item: u32, from: Millis, to: Millis, why: &str| {
        for fire in seconds(from, to) {
            let outcome = desk.outcome("a", item, &fire);
            let is_it =
                matches!(&outcome, Some(Outcome::Skipped { reason }) if reason.to_string().contains(why));
            assert!(is_it, "{fire}: {outcome:?}");
        }
    };
    skipped(&desk, 1, off, off + 3_000, "disabled");
    let (off, before) = (desk.now, desk.ran("a").len());
    desk.pause("a");
    desk.pass(3_000);
    assert_eq!(desk.ran("a").len(), before, "a paused job went on");
    desk.resume("a");
    desk.pass(2_000);
    skipped(&desk, 0, off, off + 3_000, "paused");
}

#[test]
fn a_broken_config_node_degrades_its_job_alone_and_heals_when_mended() {
    let mut desk = Desk::new(&[job("good", EACH_SECOND, 1), job("bad", EACH_SECOND, 1)]);
    let who = desk.start();
    desk.pass(2_500);
    let good = desk.text("bad", &Key::Config).unwrap();
    desk.write("bad", &Key::Config, "{broken");
    assert!(desk.status(who, "bad").degraded.is_some());
    assert!(desk.status(who, "good").degraded.is_none());
    let before = (desk.ran("good").len(), desk.ran("bad").len());
    desk.pass(3_000);
    assert_eq!((desk.ran("good").len(), desk.ran("bad").len()), (before.0 + 3, before.1));
    desk.write("bad", &Key::Config, &good);
    desk.pass(3_000);
    assert!(desk.ran("bad").len() > before.1);
}

#[test]
fn settings_that_are_to_be_overwritten_are_so_once_at_the_start_of_each_instance() {
    let of = |cron: &str| JobSettings { overwrite: true, cron: cron.into(), ..job("a", NEVER, 1) };
    let mut desk = Desk::new(&[of("0 0 1 * * ?")]);
    let first = desk.start();
    desk.pass(1_000);
    // Another version of the program rolls over it.
    let second = desk.start_serving(&[of("0 0 2 * * ?")], 0);
    desk.pass(1_000);
    assert_eq!(desk.settings("a").cron, "0 0 2 * * ?");
    let since = desk.now;
    desk.edit("a", |settings| settings.cron = "0 0 3 * * ?".into());
    desk.pass(120_000);
    assert_eq!(desk.settings("a").cron, "0 0 3 * * ?", "what an operator changes stays");
    let writes = desk.commits_since(first, since) + desk.commits_since(second, since);
    assert!(writes < 5, "{writes} commits");
}

#[test]
fn settings_that_a_control_server_manages_are_not_overwritten_which_is_said_once() {
    let of = |cron: &str| JobSettings { overwrite: true, cron: cron.into(), ..job("a", NEVER, 1) };
    let mut desk = Desk::new(&[of("0 0 1 * * ?")]);
    desk.start();
    desk.pass(1_000);
    desk.manage();
    // One that comes later, and one whose session begins anew.
    let second = desk.start_serving(&[of("0 0 2 * * ?")], 0);
    desk.pass(1_000);
    assert_eq!(desk.settings("a").cron, "0 0 1 * * ?");
    desk.expire(second);
    desk.pass(5_000);
    desk.edit("a", |settings| settings.cron = "0 0 3 * * ?".into());
    desk.pass(60_000);
    assert_eq!(desk.settings("a").cron, "0 0 3 * * ?");
    assert_eq!(desk.told().matches("`overwrite`").count(), 1, "{}", desk.told());
}

#[test]
fn an_attempt_whose_instance_died_has_an_end_on_record() {
    for failover in [true, false] {
        let mut desk = Desk::new(&[JobSettings { failover, ..job("a", NEVER, 1) }]);
        desk.code("a", Code::Waits);
        let first = desk.start();
        desk.pass(500);
        desk.trigger("a");
        desk.pass(500);
        let lost = desk.running("a")[0].run_id;
        desk.kill(first);
        desk.start();
        desk.pass(20_000);
        let ends: Vec<_> = (desk.executions("a").into_iter())
            .filter(|execution| execution.id == lost && execution.complete.is_some())
            .collect();
        assert_eq!(ends.len(), 1, "failover {failover}: {ends:?}");
        assert!(!ends[0].success && ends[0].failure_cause.as_ref().is_some_and(|why| why.contains("died")));
    }
}

#[test]
fn a_trigger_of_a_job_that_was_disabled_from_the_beginning_is_skipped_too() {
    let mut desk = Desk::new(&[JobSettings { disabled: true, ..job("a", NEVER, 2) }]);
    desk.start();
    desk.start();
    desk.pass(1_000);
    desk.trigger("a");
    desk.pass(1_000);
    let outcomes: Vec<_> = of_triggers(&desk, "a").into_iter().map(|one| (one.item, one.outcome)).collect();
    let skipped = |item| (item, Outcome::Skipped { reason: Reason::HostDisabled {} });
    assert_eq!(outcomes, [skipped(0), skipped(1)]);
    desk.disable("a", false);
    desk.pass(5_000);
    assert_eq!(desk.ran("a"), []);
}
