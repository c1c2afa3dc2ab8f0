//! Jobs come and go while an instance serves them: each case of the essay in `core/roster.rs`.

use super::stage::{Code, Desk, EACH_SECOND, NEVER, SESSION, STOP_GRACE, Who, job};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{FailureKind, Fire, JobName, JobSettings, Outcome, Reason, Retry};
use clockwright_registry::{Error, Op};
use clockwright_runtime::RunResult;
use clockwright_testkit::sim::{EPOCH, subtree};
use std::collections::BTreeSet;

const GRACE: i64 = 3_000;

/// The nodes of a job that end with an instance's session.
fn nodes_of(desk: &Desk, who: Who, job: &str) -> Vec<String> {
    let session = desk.instances[who.0].session.expect("it has a session");
    let root = desk.keys.job(&JobName::new(job).unwrap());
    let nodes = subtree(&desk.registry.lock().leader.tree, &root);
    let ours = nodes.iter().filter(|(_, node)| node.stat.owner == session);
    ours.map(|(path, _)| path.to_string()).collect()
}

/// Each second since `from` has one outcome for each of two items.
fn nothing_is_missing(desk: &Desk, job: &str, from: i64) {
    for at in (EPOCH + from..EPOCH + desk.now - 500).filter(|at| at % 1_000 == 0) {
        for item in 0..2 {
            assert!(
                desk.outcome(job, item, &Fire::Scheduled(at)).is_some(),
                "{} of {job}/{item}",
                at - EPOCH
            );
        }
    }
}

fn cancelled(desk: &Desk, job: &str) -> Vec<Reason> {
    let reason = |outcome: Outcome| match outcome {
        Outcome::Cancelled { reason } => Some(reason),
        _ => None,
    };
    desk.outcomes(job).into_iter().filter_map(|settled| reason(settled.outcome)).collect()
}

#[test]
fn a_job_that_is_added_is_served_and_the_others_go_on() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    let who = desk.start();
    desk.pass(1_500);
    desk.add(who, &job("b", EACH_SECOND, 2));
    assert!(desk.status(who, "b").registered && desk.status(who, "b").leader);
    desk.pass(5_000);
    nothing_is_missing(&desk, "a", 1_000);
    nothing_is_missing(&desk, "b", 2_000);
}

#[test]
fn an_idle_job_that_is_removed_leaves_config_and_cursors_and_nothing_of_the_instance() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2), job("b", NEVER, 1)]);
    let who = desk.start();
    desk.pass(2_500);
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a") && desk.has(who, "b"));
    assert_eq!(nodes_of(&desk, who, "a"), Vec::<String>::new());
    assert!(desk.text("a", &Key::Config).is_some() && desk.cursor("a", 1).is_some());
    let before = desk.ran("a").len();
    desk.pass(5_000);
    assert_eq!(desk.ran("a").len(), before, "nothing of it starts any more");
    desk.add(who, &job("a", EACH_SECOND, 2));
    desk.pass(3_000);
    assert!(desk.status(who, "a").leader && desk.status(who, "b").leader);
    nothing_is_missing(&desk, "a", 1_000);
}

#[test]
fn the_leader_that_leaves_a_job_passes_it_on_and_its_items_move_at_once() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    let two = [desk.start(), desk.start()];
    desk.pass(1_500);
    let (leader, other) = if desk.status(two[0], "a").leader { (two[0], two[1]) } else { (two[1], two[0]) };
    desk.remove(leader, "a", GRACE);
    assert!(!desk.has(leader, "a") && desk.status(other, "a").leader);
    assert_eq!(desk.owns(other, "a"), [0, 1]);
    desk.pass(3_000);
    desk.add(leader, &job("a", EACH_SECOND, 2));
    assert_eq!((desk.owns(leader, "a").len(), desk.owns(other, "a").len()), (1, 1));
    desk.pass(3_000);
    nothing_is_missing(&desk, "a", 1_000);
    assert!(desk.outcomes("a").iter().all(|settled| settled.outcome == Outcome::Succeeded));
}

#[test]
fn what_runs_when_its_job_is_removed_ends_here_while_the_new_owner_waits() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.code("a", Code::Waits);
    let two = [desk.start(), desk.start()];
    desk.pass(500);
    desk.trigger("a");
    let run = desk.running("a").into_iter().find(|run| run.who == two[0]).unwrap();
    desk.remove(two[0], "a", GRACE);
    assert!(desk.status(two[0], "a").leaving && !desk.status(two[0], "a").registered);
    assert_eq!(desk.owns(two[1], "a"), [0, 1]);
    desk.trigger("a");
    assert_eq!(desk.running("a").iter().filter(|live| live.item == run.item).count(), 1, "it waits");
    desk.pass(GRACE - 1_000);
    desk.end(&run, RunResult::Succeeded);
    assert!(!desk.has(two[0], "a"));
    assert_eq!(nodes_of(&desk, two[0], "a"), Vec::<String>::new());
    desk.pass(500);
    assert_eq!(desk.outcome("a", run.item, &run.fire), Some(Outcome::Succeeded));
    assert!(
        desk.running("a").iter().any(|live| live.item == run.item && live.who == two[1]),
        "the next fire"
    );
}

#[test]
fn what_still_runs_when_the_grace_is_over_is_stopped_and_cancelled() {
    for code in [Code::Waits, Code::Stubborn] {
        let mut desk = Desk::new(&[job("a", NEVER, 2), job("b", NEVER, 1)]);
        let longest = if code == Code::Stubborn { GRACE + STOP_GRACE } else { GRACE };
        desk.code("a", code);
        desk.code("b", Code::Waits);
        let who = desk.start();
        desk.pass(500);
        desk.trigger("a");
        desk.trigger("b");
        desk.remove(who, "a", GRACE);
        desk.pass(GRACE - 1);
        assert_eq!(desk.running("a").len(), 2);
        desk.pass_until(longest, "it is left", |desk| !desk.has(who, "a"));
        desk.pass(500);
        assert_eq!(cancelled(&desk, "a"), [Reason::JobLeft {}, Reason::JobLeft {}]);
        assert_eq!(desk.running("b").len(), 1, "other jobs run on");
    }
}

#[test]
fn a_retry_that_waits_when_its_job_is_removed_is_given_up_with_the_reason() {
    let retry = Retry { max_attempts: 2, backoff: 10_000, max_backoff: 10_000 };
    let mut desk = Desk::new(&[JobSettings { retry, ..job("a", NEVER, 1) }]);
    desk.code("a", Code::Fails(100));
    let who = desk.start();
    desk.pass(500);
    desk.trigger("a");
    desk.pass(500);
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a") && !desk.is_claimed("a", 0));
    desk.pass(500);
    let failed = Outcome::Failed { kind: FailureKind::Job, reason: Reason::LeftBeforeRetry {} };
    assert_eq!(desk.outcomes("a").into_iter().map(|settled| settled.outcome).collect::<Vec<_>>(), [failed]);
}

#[test]
fn a_trigger_that_meets_a_job_about_to_be_left_runs_at_the_next_owner() {
    let (mut desk, who) = Desk::triggered(job("a", NEVER, 1), Code::Waits);
    desk.pass(500);
    let first = desk.running("a").remove(0);
    desk.delay_hints(|_| true);
    desk.trigger("a");
    desk.remove(who, "a", GRACE);
    desk.deliver_hints();
    desk.pass(200);
    desk.end(&first, RunResult::Succeeded);
    assert!(!desk.has(who, "a"));
    let next = desk.start();
    desk.pass(1_000);
    assert!(desk.running("a").iter().any(|run| run.who == next && run.fire != first.fire));
}

#[test]
fn a_claim_whose_answer_got_lost_while_its_job_was_removed_is_cancelled_and_holds_nobody_up() {
    for failover in [false, true] {
        let mut desk = Desk::new(&[JobSettings { failover, ..job("a", EACH_SECOND, 1) }]);
        let who = desk.start();
        desk.pass(2_900);
        desk.lose_answers(|ops| ops.iter().any(|op| op.path().name() == "cursor"));
        desk.hide(Error::Unavailable("not now".to_owned()));
        desk.pass(200);
        assert!(desk.is_claimed("a", 0), "it was carried out");
        assert!(desk.running("a").is_empty());
        let fire = desk.cursor("a", 0).unwrap().run.unwrap().fire;
        desk.remove(who, "a", GRACE);
        assert!(desk.has(who, "a"), "what became of the claim is not known");
        desk.allow();
        desk.pass(1_000);
        assert!(!desk.has(who, "a") && !desk.is_claimed("a", 0), "{}", desk.told());
        let next = desk.start();
        desk.pass(3_000);
        assert_eq!(desk.outcome("a", 0, &fire), Some(Outcome::Cancelled { reason: Reason::JobLeft {} }));
        assert!(desk.ran("a").iter().any(|run| run.who == next), "the item is free");
    }
}

#[test]
fn a_job_is_not_gone_while_the_registry_refuses_to_end_its_claim() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    let who = desk.start();
    desk.pass(2_900);
    let is_cursor = |ops: &[Op]| ops.iter().any(|op| op.path().name() == "cursor");
    desk.lose_answers(is_cursor);
    desk.hide(Error::Unavailable("not now".to_owned()));
    desk.pass(200);
    desk.remove(who, "a", GRACE);
    desk.allow();
    desk.refuse(move |ops| is_cursor(ops).then(|| Error::Denied("no".to_owned())));
    desk.pass(2 * GRACE);
    assert!(desk.has(who, "a") && desk.is_claimed("a", 0));
    assert!(desk.status(who, "a").degraded.is_some(), "and it says why");
    desk.allow();
    desk.pass_until(60_000, "it is left", |desk| !desk.has(who, "a"));
    assert!(!desk.is_claimed("a", 0));
}

#[test]
fn a_run_whose_lease_was_lost_before_its_job_was_removed_has_an_outcome_too() {
    let mut desk = Desk::new(&[JobSettings { failover: true, ..job("a", NEVER, 1) }]);
    desk.code("a", Code::Waits);
    let who = desk.start();
    desk.pass(500);
    desk.trigger("a");
    desk.cut(who);
    desk.pass(SESSION - 1_000);
    assert!(desk.running("a").is_empty(), "stopped at two thirds of the timeout");
    desk.remove(who, "a", GRACE);
    desk.mend(who);
    desk.pass(1_000);
    assert!(!desk.has(who, "a"));
    assert_eq!(cancelled(&desk, "a"), [Reason::JobLeft {}]);
}

/// Answers that got lost come to light, and nothing of the job is left of whoever served it.
#[track_caller]
fn is_removed_without_a_trace(desk: &mut Desk, who: Who) {
    desk.remove(who, "a", GRACE);
    desk.allow();
    desk.pass(1_000);
    assert!(!desk.has(who, "a"));
    assert_eq!(nodes_of(desk, who, "a"), Vec::<String>::new());
}

#[test]
fn a_registration_whose_answer_got_lost_does_not_stay_behind() {
    for layout in [Layout::V2, Layout::V3] {
        let mut desk = Desk::new(&[job("b", NEVER, 1)]);
        desk.layout = Some(layout);
        let who = desk.start();
        let other = desk.start();
        desk.add(other, &job("a", NEVER, 1));
        desk.pass(500);
        desk.lose_answers(|ops| ops.iter().any(|op| op.path().as_str().contains("instances/")));
        desk.add(who, &job("a", NEVER, 1));
        assert_eq!(nodes_of(&desk, who, "a").len(), 1, "it is registered, and does not know");
        is_removed_without_a_trace(&mut desk, who);
    }
}

#[test]
fn a_place_at_a_latch_whose_answer_got_lost_does_not_stay_behind() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    let (leads, who) = (desk.start(), desk.start_serving(&[job("b", NEVER, 1)], 0));
    desk.pass(500);
    // Beside a Java peer, who wants to lead queues.
    desk.java_joins("a", "10.9.9.9@-@1");
    desk.leave(leads);
    desk.pass(500);
    desk.lose_answers(|ops| ops.iter().any(|op| op.path().as_str().contains("latch")));
    desk.add(who, &job("a", NEVER, 1));
    assert_eq!(nodes_of(&desk, who, "a").len(), 1, "it queues, and does not know");
    is_removed_without_a_trace(&mut desk, who);
}

#[test]
fn a_job_that_is_removed_while_there_is_no_session_is_gone_at_once_unless_an_outcome_waits() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1), job("b", NEVER, 1)]);
    desk.code("b", Code::Waits);
    let who = desk.start();
    desk.pass(1_500);
    desk.trigger("b");
    let run = desk.running("b").remove(0);
    desk.cut(who);
    desk.pass(SESSION);
    desk.hear_of_loss(who);
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a"));
    desk.add(who, &job("a", EACH_SECOND, 1));
    desk.mend(who);
    desk.pass(1_500);
    assert!(desk.status(who, "a").registered);
    assert!(desk.ran("b").iter().any(|ran| ran.fire == run.fire));
}

#[test]
fn a_run_that_ends_without_a_session_keeps_its_removed_job_until_its_outcome_is_written() {
    let job = JobSettings { exclusive: clockwright_model::Exclusive::BestEffort, ..job("a", NEVER, 1) };
    let mut desk = Desk::new(&[job]);
    desk.code("a", Code::Waits);
    let who = desk.start();
    desk.pass(500);
    desk.trigger("a");
    let run = desk.running("a").remove(0);
    desk.cut(who);
    desk.pass(SESSION);
    desk.hear_of_loss(who);
    desk.remove(who, "a", 60_000);
    desk.end(&run, RunResult::Succeeded);
    assert!(desk.has(who, "a"));
    desk.mend(who);
    desk.pass(500);
    assert!(!desk.has(who, "a"));
    assert_eq!(desk.outcome("a", 0, &run.fire), Some(Outcome::Succeeded));
}

#[test]
fn a_job_that_cannot_be_read_can_be_removed_at_once() {
    let mut desk = Desk::new(&[job("b", NEVER, 1)]);
    let who = desk.start();
    desk.pass(500);
    desk.hide(Error::Denied("no".to_owned()));
    desk.add(who, &job("a", NEVER, 1));
    desk.pass(1_000);
    assert!(desk.status(who, "a").degraded.is_some());
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a"));
}

#[test]
fn a_takeover_goes_on_when_its_job_is_removed() {
    let mut desk = Desk::new(&[JobSettings { failover: true, ..job("a", NEVER, 2) }]);
    desk.code("a", Code::Waits);
    let two = [desk.start(), desk.start()];
    desk.pass(1_000);
    desk.trigger("a");
    let orphan = desk.running("a").into_iter().find(|run| run.who == two[0]).unwrap();
    desk.kill(two[0]);
    desk.pass_until(2 * SESSION, "it is taken over", |desk| desk.running("a").len() == 2);
    desk.remove(two[1], "a", GRACE);
    desk.pass(500);
    desk.end_all("a");
    assert!(!desk.has(two[1], "a"));
    assert_eq!(nodes_of(&desk, two[1], "a"), Vec::<String>::new());
    desk.pass(500);
    assert_eq!(desk.outcome("a", orphan.item, &orphan.fire), Some(Outcome::Succeeded));
}

#[test]
fn a_job_that_was_shut_down_by_command_joins_again_when_it_is_removed_and_added() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    let who = desk.start();
    desk.pass(500);
    let id = desk.id(who);
    desk.shut_down("a", &id);
    desk.pass(500);
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a"));
    desk.add(who, &job("a", EACH_SECOND, 1));
    desk.pass(2_000);
    assert!(desk.status(who, "a").registered && !desk.ran("a").is_empty());
}

#[test]
fn the_registry_s_config_wins_over_that_of_a_job_that_is_added_unless_it_overwrites() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    let who = desk.start();
    desk.pass(500);
    desk.remove(who, "a", GRACE);
    desk.add(who, &job("a", NEVER, 3));
    assert_eq!(desk.settings("a").sharding_total_count, 1);
    desk.remove(who, "a", GRACE);
    desk.add(who, &JobSettings { overwrite: true, ..job("a", NEVER, 3) });
    assert_eq!((desk.settings("a").sharding_total_count, desk.owns(who, "a")), (3, vec![0, 1, 2]));
}

#[test]
fn a_config_that_cannot_be_used_is_left_as_it_is() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    let who = desk.start();
    desk.pass(500);
    desk.write("a", &Key::Config, "not a config");
    desk.remove(who, "a", GRACE);
    assert!(!desk.has(who, "a"));
    assert_eq!(nodes_of(&desk, who, "a"), Vec::<String>::new());
    assert_eq!(desk.text("a", &Key::Config).as_deref(), Some("not a config"));
}

#[test]
fn a_shutdown_ends_though_a_job_is_just_being_removed() {
    let mut desk = Desk::new(&[job("a", NEVER, 1), job("b", NEVER, 1)]);
    desk.code("a", Code::Waits);
    let who = desk.start();
    desk.pass(500);
    desk.trigger("a");
    desk.remove(who, "a", GRACE);
    desk.leave(who);
    assert!(!desk.is_gone(who), "it waits for what runs");
    desk.pass_until(GRACE, "it leaves", |desk| desk.is_gone(who));
    assert_eq!(cancelled(&desk, "a").len(), 1);
}

#[test]
fn a_job_that_comes_and_goes_again_and_again_loses_nothing() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2), job("b", NEVER, 1)]);
    let who = desk.start();
    desk.pass(1_500);
    for _ in 0..5 {
        desk.remove(who, "a", GRACE);
        desk.add(who, &job("a", EACH_SECOND, 2));
        desk.pass(1_000);
    }
    nothing_is_missing(&desk, "a", 1_000);
    let tokens: BTreeSet<i64> = desk.ran("a").iter().map(|run| run.token).collect();
    assert!(tokens.len() >= 5);
}
