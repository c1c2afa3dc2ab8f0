//! Crashes, lost sessions and clocks that are wrong: what must come of them.

use super::stage::{Code, Desk, EACH_SECOND, EVERY_TWO_MINUTES, Live, NEVER, REFRESH, SESSION, Who, job};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{
    Event, Exclusive, Fire, JobSettings, Millis, Misfire, Outcome, Reason, Retry, Source,
};
use clockwright_registry::Op;
use clockwright_testkit::sim::EPOCH;
use std::collections::BTreeSet;

fn with_failover(job: JobSettings) -> JobSettings {
    JobSettings { failover: true, ..job }
}

/// Whoever leads the job, and whoever else there is.
fn leader_and_others(desk: &Desk, job: &str, all: &[Who]) -> (Who, Vec<Who>) {
    let leader = *all.iter().find(|who| desk.status(**who, job).leader).expect("somebody leads");
    (leader, all.iter().copied().filter(|who| *who != leader).collect())
}

#[test]
fn what_a_dead_instance_ran_is_taken_over_though_a_plan_has_moved_the_item_before_its_session_ended() {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 6))]);
    desk.code("a", Code::Waits);
    let two = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (leader, others) = leader_and_others(&desk, "a", &two);
    desk.trigger("a");
    let orphans: Vec<u32> =
        desk.running("a").into_iter().filter(|run| run.who == others[0]).map(|run| run.item).collect();
    desk.kill(others[0]);
    let third = desk.start();
    desk.pass(1_000);
    let moved = |item: &u32| desk.owns(leader, "a").contains(item) || desk.owns(third, "a").contains(item);
    assert!(orphans.iter().any(moved), "no item of {orphans:?} has moved");
    desk.pass_until(SESSION + 3_000, "every orphan runs again", |desk| {
        let running = desk.running("a");
        orphans.iter().all(|item| running.iter().any(|run| run.item == *item && run.attempt == 2))
    });
}

#[test]
fn what_the_taker_of_an_orphan_leaves_is_taken_over_again_in_whatever_order_its_nodes_are_seen_to_go() {
    for late in [None, Some("/instances"), Some("/failover"), Some("/leases"), Some("/ns/a/")] {
        let mut desk = Desk::new(&[with_failover(job("a", NEVER, 12))]);
        desk.code("a", Code::Waits);
        let all = [desk.start(), desk.start(), desk.start(), desk.start()];
        desk.pass(1_000);
        let (leader, others) = leader_and_others(&desk, "a", &all);
        desk.trigger("a");
        let orphans: Vec<u32> = desk.owns(others[0], "a");
        desk.kill(others[0]);
        let again = |desk: &Desk, attempt: u32| -> Vec<Live> {
            let is_it = |run: &Live| orphans.contains(&run.item) && run.attempt == attempt;
            desk.running("a").into_iter().filter(is_it).collect()
        };
        desk.pass_until(2 * SESSION, "it is taken over", |desk| again(desk, 2).len() == orphans.len());
        // By then everybody has read all anew.
        desk.pass(REFRESH);
        let taken = again(&desk, 2).into_iter().find(|run| run.who != leader).expect("not all by the leader");
        if let Some(late) = late {
            desk.delay_hints(move |path| path.as_str().contains(late));
        }
        desk.kill(taken.who);
        desk.pass(SESSION + 500);
        desk.deliver_hints();
        desk.pass_until(2 * SESSION, "it is taken over again", |desk| {
            again(desk, 3).iter().any(|run| run.item == taken.item)
        });
        desk.end_all("a");
        desk.pass(1_000);
        assert_eq!(desk.outcome("a", taken.item, &taken.fire), Some(Outcome::Succeeded), "{late:?}");
        assert!(!desk.told().contains("Java"), "there is none:\n{}", desk.told());
    }
}

#[test]
fn an_outcome_survives_its_process_though_the_next_claim_followed_at_once() {
    let mut desk = Desk::new(&[JobSettings { misfire: Misfire::FireOnce, ..job("a", EACH_SECOND, 1) }]);
    desk.code("a", Code::Waits);
    let first = desk.start();
    desk.pass_until(3_000, "it runs", |desk| !desk.running("a").is_empty());
    desk.pass(2_500);
    let ended = desk.running("a").remove(0);
    desk.end_all("a");
    assert_ne!(desk.running("a")[0].fire, ended.fire, "the next claim is there already");
    desk.pass(20);
    desk.kill(first);
    desk.code("a", Code::Succeeds(100));
    desk.start();
    desk.pass(2 * SESSION);
    assert_eq!(desk.outcome("a", 0, &ended.fire), Some(Outcome::Succeeded));
}

#[test]
fn every_outcome_survives_its_process_though_many_followed_each_other_at_once() {
    let fire_all = Misfire::FireAll { cap: 100, window: 60_000 };
    let mut desk = Desk::new(&[JobSettings { misfire: fire_all, ..job("a", EACH_SECOND, 1) }]);
    desk.code("a", Code::Waits);
    let first = desk.start();
    desk.pass_until(3_000, "it runs", |desk| !desk.running("a").is_empty());
    desk.pass(5_500);
    let mut ended = Vec::new();
    for _ in 0..4 {
        ended.push(desk.running("a").remove(0).fire);
        desk.end_all("a");
        desk.pass(10);
    }
    desk.kill(first);
    desk.code("a", Code::Succeeds(100));
    desk.start();
    desk.pass(2 * SESSION);
    for fire in ended {
        assert_eq!(desk.outcome("a", 0, &fire), Some(Outcome::Succeeded), "{fire}");
        let of_fire = |event: &&Event| matches!(event, Event::Settlement(settled) if settled.fire == fire);
        assert_eq!(desk.heard.iter().filter(of_fire).count(), 1, "it is put on record again, and heard once");
    }
}

/// The latest instant that any run of the job was for, less the registry's time then.
fn ahead(desk: &Desk) -> i64 {
    let of = |run: super::stage::Ran| match run.fire {
        Fire::Scheduled(at) => at - (EPOCH + run.from),
        Fire::Trigger { .. } => 0,
    };
    desk.ran("a").into_iter().map(of).max().unwrap_or(0)
}

#[test]
fn a_machine_whose_clock_is_an_hour_ahead_runs_nothing_ahead_of_its_time() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.start_with_clock(3_600_000);
    desk.pass(10_000);
    assert!(ahead(&desk) < 60_000, "a run is {} ms ahead", ahead(&desk));
    assert!(desk.told().contains("clock"), "nobody says why:\n{}", desk.told());
}

#[test]
fn a_schedule_counts_since_the_registry_has_it_whatever_the_clock_of_who_wrote_it_says() {
    let overwrite = |cron: &str| JobSettings { overwrite: true, ..job("a", cron, 2) };
    let mut desk = Desk::new(&[overwrite(EACH_SECOND)]);
    let first = desk.start_serving(&[overwrite(NEVER)], 0);
    desk.pass(2_500);
    let since = desk.now;
    desk.start_with_clock(4_000);
    desk.pass(500);
    desk.leave(first);
    desk.pass(15_000);
    for item in 0..2 {
        for second in since / 1_000 + 1..desk.now / 1_000 {
            let fire = Fire::Scheduled(EPOCH + second * 1_000);
            assert!(desk.outcome("a", item, &fire).is_some(), "nothing says what became of {fire} of {item}");
        }
    }
}

#[test]
fn a_clock_that_differs_by_more_than_a_job_allows_is_told_once_though_it_does_no_harm() {
    for (behind, allowed, told) in [(4_000, 3, 1), (4_000, 5, 0), (4_000, -1, 0), (-4_000, 3, 1)] {
        let mut desk =
            Desk::new(&[JobSettings { max_time_diff_seconds: allowed, ..job("a", EACH_SECOND, 1) }]);
        desk.start_with_clock(-behind);
        desk.pass(150_000);
        let times = desk.told().matches("(maxTimeDiffSeconds)").count();
        assert_eq!(times, told, "{behind} ms behind, {allowed} s allowed:\n{}", desk.told());
    }
}

#[test]
fn items_go_on_when_an_instance_whose_clock_was_ahead_has_left() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    let ahead = desk.start_with_clock(3_600_000);
    desk.pass(5_000);
    desk.leave(ahead);
    desk.pass_until(5_000, "it leaves", |desk| desk.is_gone(ahead));
    let since = desk.now;
    desk.start();
    desk.pass(10_000);
    for item in 0..2 {
        let ran = desk.ran("a").into_iter().filter(|run| run.item == item && run.from > since).count();
        assert!(ran >= 8, "item {item} ran {ran} times in 10 s:\n{}", desk.told());
    }
}

#[test]
fn a_cursor_that_lies_in_the_future_is_told() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 1)]);
    let first = desk.start();
    desk.pass(2_500);
    desk.leave(first);
    desk.pass(1_000);
    let key = Key::Cursor(0);
    let mut cursor = desk.cursor("a", 0).unwrap();
    cursor.settled += 3_600_000;
    desk.write("a", &key, &String::from_utf8(cursor.to_bytes()).unwrap());
    desk.start();
    desk.pass(10_000);
    assert!(desk.told().contains("future"), "nobody says that item 0 stands still:\n{}", desk.told());
}

/// A run of an instance that is not asked twice, and another instance that would take over.
fn stubborn_run() -> (Desk, Who) {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 2))]);
    desk.code("a", Code::Stubborn);
    let all = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (_, others) = leader_and_others(&desk, "a", &all);
    desk.trigger("a");
    desk.pass(1_500);
    (desk, others[0])
}

#[test]
fn an_exclusive_run_is_over_before_others_take_its_item_when_the_session_ends_before_its_time() {
    let (mut desk, who) = stubborn_run();
    desk.expire(who);
    // Nothing runs twice meanwhile: the stage sees to that.
    desk.pass(2 * SESSION);
    assert_eq!(desk.running("a").len(), 2);
}

#[test]
fn an_exclusive_run_is_over_before_others_take_its_item_when_the_lease_was_deleted_by_hand() {
    let (mut desk, who) = stubborn_run();
    desk.delete_lease(who);
    desk.pass(2 * SESSION);
    assert_eq!(desk.running("a").len(), 2);
}

/// One of two instances whose run was stopped since its lease ran out, and which has its session still.
fn interrupted() -> (Desk, Who, u32) {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 2))]);
    desk.code("a", Code::Waits);
    let all = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (_, others) = leader_and_others(&desk, "a", &all);
    desk.trigger("a");
    let item = desk.owns(others[0], "a")[0];
    desk.cut(others[0]);
    desk.pass_until(SESSION, "its lease is over", |desk| desk.running("a").len() == 1);
    (desk, others[0], item)
}

#[test]
fn a_claim_of_which_nothing_runs_is_ended_by_its_owner_though_nothing_may_begin() {
    let stop: [fn(&mut Desk, Who, u32); 4] = [
        |desk, _, _| desk.pause("a"),
        |desk, _, item| desk.disable_item("a", item, true),
        |desk, _, _| desk.disable("a", true),
        |desk, who, _| desk.shut_down("a", &desk.id(who)),
    ];
    for (case, stop) in stop.into_iter().enumerate() {
        let (mut desk, who, item) = interrupted();
        stop(&mut desk, who, item);
        desk.mend(who);
        desk.pass(SESSION);
        assert!(!desk.is_claimed("a", item), "case {case}: whoever waits for the item waits for ever");
        let outcomes: Vec<_> =
            desk.outcomes("a").into_iter().filter(|settled| settled.item == item).collect();
        assert_eq!(outcomes.len(), 1, "case {case}: {outcomes:?}");
        let what = &outcomes[0].outcome;
        assert!(matches!(what, Outcome::Failed { reason: Reason::InterruptedWhileOff {}, .. }), "{what:?}");
    }
}

#[test]
fn a_drain_ends_though_an_instance_died_while_it_ran_an_item() {
    for disabled in [false, true] {
        let mut desk = Desk::new(&[with_failover(job("a", NEVER, 2))]);
        desk.code("a", Code::Waits);
        let all = [desk.start(), desk.start()];
        desk.pass(1_000);
        let (_, others) = leader_and_others(&desk, "a", &all);
        desk.trigger("a");
        let item = desk.owns(others[0], "a")[0];
        if disabled {
            desk.disable_item("a", item, true);
        } else {
            desk.pause("a");
        }
        desk.kill(others[0]);
        desk.pass_until(3 * SESSION, "its claim is ended", |desk| !desk.is_claimed("a", item));
        desk.end_all("a");
        desk.disable_item("a", item, false);
        if !disabled {
            desk.resume("a");
        }
        desk.pass(SESSION);
        assert_eq!(desk.ran("a").len(), 2, "what was given up does not run again");
        assert_eq!(desk.text("a", &Key::FailoverItem(item)), None);
    }
}

#[test]
fn a_takeover_of_several_items_at_once_knows_the_versions_of_all_their_cursors_in_the_layout_of_3x() {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 6))]);
    desk.layout = Some(Layout::V3);
    desk.code("a", Code::Waits);
    let all = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (leader, others) = leader_and_others(&desk, "a", &all);
    desk.trigger("a");
    assert_eq!(desk.running("a").len(), 6);
    desk.kill(leader);
    // The first taker leaves its name at what it took, and dies too.
    desk.pass_until(2 * SESSION, "it is taken over", |desk| {
        desk.running("a").iter().filter(|run| run.who == others[0]).count() == 6
    });
    let last = desk.start();
    desk.pass(1_000);
    desk.kill(others[0]);
    desk.pass_until(2 * SESSION, "it is taken over again", |desk| {
        desk.running("a").iter().filter(|run| run.who == last).count() == 6
    });
    let since = desk.now;
    desk.end_all("a");
    desk.pass(1_000);
    assert_eq!(desk.refusals_since(last, since), [], "what it wrote is what it believes");
    assert_eq!(desk.outcomes("a").len(), 6);
}

#[test]
fn an_instance_can_leave_though_an_item_that_it_ran_was_removed_while_it_had_no_session() {
    let mut desk = Desk::new(&[JobSettings { exclusive: Exclusive::BestEffort, ..job("a", NEVER, 4) }]);
    desk.code("a", Code::Waits);
    let all = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (leader, others) = leader_and_others(&desk, "a", &all);
    desk.trigger("a");
    desk.cut(others[0]);
    for run in desk.running("a").into_iter().filter(|run| run.who == leader) {
        desk.end(&run, clockwright_runtime::RunResult::Succeeded);
    }
    desk.pass(SESSION + 1_000);
    desk.edit("a", |settings| settings.sharding_total_count = 1);
    desk.pass_until(10_000, "the surplus items are gone", |desk| {
        desk.cursor("a", 3).is_none() && desk.cursor("a", 2).is_none()
    });
    desk.mend(others[0]);
    desk.pass(1_000);
    desk.end_all("a");
    desk.leave(others[0]);
    desk.pass_until(10_000, "it leaves", |desk| desk.is_gone(others[0]));
}

#[test]
fn a_run_that_failed_is_tried_again_with_a_higher_token_until_its_attempts_are_used_up() {
    let retry = Retry { max_attempts: 3, backoff: 1_000, max_backoff: 2_000 };
    let (mut desk, _) = Desk::triggered(JobSettings { retry, ..job("a", NEVER, 1) }, Code::Fails(100));
    desk.pass(10_000);
    let ran = desk.ran("a");
    assert_eq!(ran.iter().map(|run| run.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(ran.windows(2).all(|pair| pair[0].fire == pair[1].fire && pair[0].token < pair[1].token));
    let outcomes = desk.outcomes("a");
    assert_eq!(outcomes.len(), 1);
    assert!(
        matches!(&outcomes[0].outcome, Outcome::Failed { reason, .. } if reason.to_string() == "no luck")
    );
    assert_eq!(outcomes[0].attempt, 3);
}

#[test]
fn what_a_lost_session_left_running_is_taken_over_once_with_a_higher_token() {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 2))]);
    desk.code("a", Code::Waits);
    let all = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (_, others) = leader_and_others(&desk, "a", &all);
    desk.trigger("a");
    desk.cut(others[0]);
    desk.pass(SESSION + 3_000);
    desk.code("a", Code::Succeeds(100));
    desk.end_all("a");
    desk.pass(1_000);
    let orphan = desk.ran("a").into_iter().find(|run| run.who == others[0]).unwrap();
    let runs: Vec<_> = desk.ran("a").into_iter().filter(|run| run.item == orphan.item).collect();
    assert_eq!(runs.iter().map(|run| run.attempt).collect::<Vec<_>>(), [1, 2]);
    assert!(runs[0].fire == runs[1].fire && runs[0].token < runs[1].token, "{runs:?}");
    assert_eq!(desk.outcomes("a").len(), 2);
}

#[test]
fn what_the_only_java_instance_ran_when_its_session_ended_runs_again_and_nothing_else() {
    lone_java_dies(0);
}

#[test]
fn what_the_only_java_instance_ran_runs_again_though_all_was_read_anew_while_it_ran() {
    lone_java_dies(REFRESH + 1_000);
}

/// The only Java instance of its address dies this long after its runs began, one of which has ended.
fn lone_java_dies(runs_for: Millis) {
    let mut desk = Desk::new(&[with_failover(job("a", EVERY_TWO_MINUTES, 4))]);
    let ours = desk.start();
    desk.pass(121_500);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass_until(5_000, "it has its share", |desk| desk.owns(ours, "a").len() == 2);
    let of_java: Vec<u32> = (0..4).filter(|item| !desk.owns(ours, "a").contains(item)).collect();
    let gone =
        |desk: &Desk, key: fn(u32) -> Key| of_java.iter().all(|item| desk.text("a", &key(*item)).is_none());
    desk.pass_until(130_000, "what Java runs is not followed by cursors", |desk| gone(desk, Key::Cursor));
    let running = |item: u32| desk_path(&desk, &Key::Running(item));
    let (begins, ends): (Vec<Op>, Op) = (
        of_java.iter().map(|item| Op::create_ephemeral(running(*item), "")).collect(),
        Op::delete(running(of_java[0])),
    );
    desk.decide_in_haste();
    desk.java_does(java, begins);
    desk.java_does(java, vec![ends]);
    desk.pass(runs_for);
    desk.java_dies(java);
    desk.pass_until(10_000, "all is ours again", |desk| desk.owns(ours, "a").len() == 4);
    desk.pass(10_000);
    let failed_over: Vec<u32> =
        desk.ran("a").iter().filter(|run| run.source == Source::Failover).map(|run| run.item).collect();
    assert_eq!(failed_over, [of_java[1]], "item {} had ended", of_java[0]);
    assert!(gone(&desk, Key::FailoverItem) && gone(&desk, Key::Taken), "no mark is left");
}

#[test]
fn what_a_dead_instance_ran_gets_its_outcome_though_a_java_peer_owns_the_item_by_now() {
    let mut desk = Desk::new(&[job("a", NEVER, 4)]);
    desk.code("a", Code::Waits);
    let two = [desk.start(), desk.start()];
    desk.pass(1_000);
    let (_, others) = leader_and_others(&desk, "a", &two);
    desk.trigger("a");
    let orphans = desk.owns(others[0], "a");
    desk.java_joins("a", "10.9.9.9@-@1");
    desk.kill(others[0]);
    desk.code("a", Code::Succeeds(10));
    desk.end_all("a");
    desk.pass_until(SESSION + 10_000, "each has its outcome", |desk| {
        let outcomes = desk.outcomes("a");
        let lost = outcomes.iter().filter(|one| one.outcome.is_owner_lost()).map(|one| one.item);
        lost.collect::<BTreeSet<u32>>().is_superset(&orphans.iter().copied().collect())
    });
    let javas = |item: &u32| desk.text("a", &Key::Owner(*item)).as_deref() == Some("10.9.9.9@-@1");
    assert!(orphans.iter().any(javas), "none of {orphans:?} is Java's");
}

#[test]
fn the_cursors_of_what_java_runs_go_also_while_a_plan_waits_for_it() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 4)]);
    let ours = desk.start();
    desk.pass(1_500);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass_until(5_000, "it has its share", |desk| desk.owns(ours, "a").len() == 2);
    let of_java: Vec<u32> = (0..4).filter(|item| !desk.owns(ours, "a").contains(item)).collect();
    let running = |item: &u32| Op::create_ephemeral(desk_path(&desk, &Key::Running(*item)), "");
    let begins = of_java.iter().map(running).collect();
    desk.java_does(java, begins);
    desk.java_joins("a", "10.9.9.9@-@2");
    desk.pass(4_000);
    assert_eq!(desk.owns(ours, "a").len(), 2, "the plan waits");
    for item in of_java {
        assert_eq!(desk.text("a", &Key::Cursor(item)), None, "of item {item}");
    }
}

#[test]
fn the_cursor_of_an_item_that_java_has_once_more_goes_once_more() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 4)]);
    let two = [desk.start(), desk.start()];
    desk.pass(1_500);
    let of_java = |desk: &Desk| -> Vec<u32> {
        let ours: Vec<u32> = two.iter().flat_map(|who| desk.owns(*who, "a")).collect();
        (0..4).filter(|item| !ours.contains(item)).collect()
    };
    for round in 0..2 {
        let java = desk.java_joins("a", "10.9.9.9@-@1");
        desk.pass_until(5_000, "it has its share", |desk| !of_java(desk).is_empty());
        desk.pass(5_000);
        for item in of_java(&desk) {
            assert_eq!(desk.text("a", &Key::Cursor(item)), None, "of item {item} in round {round}");
        }
        desk.java_dies(java);
        desk.pass_until(5_000, "all is ours again", |desk| of_java(desk).is_empty());
        desk.pass(2_500);
    }
}

#[test]
fn what_java_ran_is_not_held_by_who_read_its_cursors_before_java_had_it() {
    let mut desk = Desk::new(&[with_failover(job("a", EACH_SECOND, 6))]);
    let two = [desk.start(), desk.start()];
    desk.pass(2_500);
    // Each knows all cursors, also those of items that it does not own.
    desk.hear_everything(two[0]);
    desk.hear_everything(two[1]);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    let ours = |desk: &Desk| two.iter().flat_map(|who| desk.owns(*who, "a")).collect::<Vec<u32>>();
    desk.pass_until(5_000, "it has its share", |desk| ours(desk).len() == 4);
    desk.pass(5_000);
    desk.java_dies(java);
    desk.pass_until(10_000, "all is ours again", |desk| ours(desk).len() == 6);
    let since = desk.now;
    desk.pass(5_000);
    assert!(!desk.told().contains("held"), "{}", desk.told());
    for item in 0..6 {
        let runs = desk.ran("a").iter().filter(|run| run.item == item && run.from > since).count();
        assert!(runs >= 4, "item {item} ran {runs} times\n{}", desk.told());
    }
}

fn desk_path(desk: &Desk, key: &Key) -> clockwright_registry::Path {
    desk.keys.of(&clockwright_model::JobName::new("a").unwrap(), key)
}

#[test]
fn a_session_whose_nodes_are_seen_to_go_before_its_end_is_heard_of_is_no_command_to_shut_down() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    let who = desk.start();
    desk.pass(2_500);
    desk.expire_unheard(who, 10);
    desk.pass(2_000);
    assert!(desk.status(who, "a").registered, "{}", desk.told());
    assert_eq!(desk.owns(who, "a"), [0, 1]);
}

#[test]
fn a_claim_that_is_read_before_its_answer_came_starts_its_run_once() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.start();
    desk.pass(2_500);
    let before = desk.ran("a").len();
    assert!(before > 0, "{}", desk.told());
    desk.delay_answers(|ops| ops.iter().any(|op| op.path().name() == "cursor"));
    // Answers of reads come by another way than those of commits: all is read anew by now.
    desk.pass(REFRESH + 1_000);
    assert!(desk.running("a").is_empty(), "nothing is started on a guess");
    assert_eq!(desk.ran("a").len(), before, "{}", desk.told());
    desk.deliver_answers();
    desk.pass(2_000);
    let ran = desk.ran("a");
    assert!(ran.len() >= before + 2, "{}", desk.told());
    let once: BTreeSet<(u32, String)> = ran.iter().map(|ran| (ran.item, ran.fire.to_string())).collect();
    assert_eq!(once.len(), ran.len(), "{}", desk.told());
}

#[test]
fn the_mark_of_a_dead_taker_goes_with_the_claim_that_is_given_up_and_nobody_takes_it_for_javas() {
    let mut desk = Desk::new(&[with_failover(job("a", NEVER, 1))]);
    desk.layout = Some(Layout::V3);
    desk.code("a", Code::Waits);
    for _ in 0..4 {
        desk.start();
    }
    desk.pass(1_000);
    desk.trigger("a");
    for attempt in [1, 2] {
        desk.pass_until(3 * SESSION, "it runs", |desk| !desk.running("a").is_empty());
        let run = desk.running("a")[0].clone();
        assert_eq!(run.attempt, attempt);
        let taker = (attempt == 2).then(|| desk.id(run.who).as_str().to_owned());
        assert_eq!(desk.text("a", &Key::Failovering(0)), taker);
        desk.kill(run.who);
    }
    desk.pause("a");
    desk.pass(3 * SESSION);
    let why = desk.outcomes("a")[0].outcome.why().cloned();
    assert_eq!(why, Some(Reason::InterruptedWhileOff {}), "{}", desk.told());
    let marks = [Key::Failovering(0), Key::Taken(0), Key::Running(0), Key::FailoverItem(0)];
    for mark in &marks {
        assert_eq!(desk.text("a", mark), None, "{mark:?}");
    }
    desk.resume("a");
    desk.pass(3 * SESSION);
    assert_eq!(desk.ran("a").len(), 2, "nothing of it runs again");
}
