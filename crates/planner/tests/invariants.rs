//! Each rule accepts a good history, and names itself when that history is broken.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{Fire, InstanceId, JobName, Misfire, Outcome, Settlement, Source};
use clockwright_planner::Schedule;
use clockwright_planner::invariants::{
    ClaimObserved, CompletionObserved, CursorObserved, GapObserved, History, ObservedRun, PlanObserved,
    Scope, Violation, m_s1_one_leader_per_epoch, m_s4_one_unfenced_run, m_s9_no_work_without_lease,
    m_s14_triggers_once, m_s15_once_per_fire, m_s16_unknown_is_read_back,
};
use clockwright_planner::lifecycle::{Event, State, TABLE};
use std::collections::HashMap;

fn job() -> JobName {
    JobName::new("job").unwrap()
}

fn id(name: &str) -> InstanceId {
    InstanceId::from_wire(name)
}

fn plan(epoch: i64, owners: &[Option<&str>]) -> PlanObserved {
    PlanObserved {
        job: job(),
        epoch,
        leader: id("a@-@1"),
        assignment: owners.iter().map(|owner| owner.map(id)).collect(),
        members: vec![id("a@-@1"), id("b@-@1")],
    }
}

fn claim(at: i64, attempt: u32, token: i64, instance: &str, source: Source) -> ClaimObserved {
    ClaimObserved {
        job: job(),
        item: 0,
        fire: Fire::Scheduled(at),
        attempt,
        token,
        instance: id(instance),
        source,
        decided_at: at + 2,
    }
}

fn completion(at: i64, attempt: u32, token: i64) -> CompletionObserved {
    let (accepted, last) = (true, true);
    CompletionObserved { job: job(), item: 0, fire: Fire::Scheduled(at), attempt, token, accepted, last }
}

fn cursor(version: i64, settled: i64, run: Option<i64>, gap: &[(i64, i64, u64)]) -> CursorObserved {
    let gap =
        gap.iter().map(|(from, to, count)| GapObserved { from: *from, to: *to, count: *count }).collect();
    CursorObserved { job: job(), item: 0, version, settled, schedule: 1, run: run.map(Fire::Scheduled), gap }
}

fn settlement(fire: i64, range: Option<(i64, u64)>, outcome: Outcome) -> Settlement {
    Settlement {
        namespace: "".into(),
        job: job(),
        item: 0,
        fire: Fire::Scheduled(fire),
        range,
        outcome,
        attempt: 1,
        run_id: None,
        token: 1,
        source: Source::Schedule,
        instance: id("a@-@1"),
        claimed: None,
        start: None,
        at: fire,
        log: None,
    }
}

/// Instants at the multiples of 10; item 0 belongs to `a`, item 1 to `b`.
fn begun(misfire: Misfire) -> History {
    let mut history = History::new();
    history.schedule(&job(), 1, Schedule::parse("@every 10ms", None).unwrap(), misfire, 5);
    history.plan(plan(1, &[Some("a@-@1"), Some("b@-@1")])).unwrap();
    history
}

/// As [`begun`], and fire 110 of item 0 runs on `a` with token 7.
fn running() -> History {
    let mut history = begun(Misfire::FireOnce);
    history.cursor(cursor(1, 100, None, &[])).unwrap();
    history.claim(claim(110, 1, 7, "a@-@1", Source::Schedule)).unwrap();
    history.cursor(cursor(2, 110, Some(110), &[])).unwrap();
    history.started(&job(), 0, 7, &id("a@-@1")).unwrap();
    history
}

/// As [`running`], and `a` is gone and `b` has taken the item over with token 9.
fn taken_over() -> History {
    let mut history = running();
    history.departed(&id("a@-@1"));
    history.ended(&job(), 0, 7);
    history.claim(claim(110, 2, 9, "b@-@1", Source::Failover)).unwrap();
    history
}

#[track_caller]
fn breaks(rule: &str, result: Result<(), Violation>) {
    assert_eq!(result.expect_err("the rule is broken").id, rule);
}

#[test]
fn a_fire_that_runs_is_taken_over_and_completed_breaks_nothing() {
    let mut history = taken_over();
    history.started(&job(), 0, 9, &id("b@-@1")).unwrap();
    history.ended(&job(), 0, 9);
    history.completion(&completion(110, 2, 9)).unwrap();
    history.settlement(&settlement(110, None, Outcome::Succeeded)).unwrap();
    history.settlement(&settlement(110, None, Outcome::Succeeded)).unwrap();
    history.arrived(&id("a@-@1"));
    history.claim(claim(140, 1, 12, "a@-@1", Source::Misfire)).unwrap();
    history.cursor(cursor(3, 140, Some(140), &[(120, 130, 2)])).unwrap();
    history.started(&job(), 0, 12, &id("a@-@1")).unwrap();
    history.ended(&job(), 0, 12);
    history.completion(&completion(140, 1, 12)).unwrap();
    history
        .settlement(&settlement(130, Some((120, 2)), Outcome::Coalesced { into: Fire::Scheduled(140) }))
        .unwrap();
    history.settlement(&settlement(140, None, Outcome::Succeeded)).unwrap();
    history.all_settled(&job(), 0, 100, 149).unwrap();
    breaks("M-S7", history.all_settled(&job(), 0, 100, 150));
    breaks("M-S7", history.all_settled(&job(), 0, 90, 149));
}

#[test]
fn two_leaders_of_one_epoch_break_m_s1() {
    let mut other = plan(1, &[Some("a@-@1")]);
    other.leader = id("b@-@1");
    breaks("M-S1", begun(Misfire::Skip).plan(other.clone()));
    breaks("M-S1", m_s1_one_leader_per_epoch(&[plan(1, &[]), plan(2, &[]), other.clone()]));
    other.epoch = 3;
    m_s1_one_leader_per_epoch(&[plan(1, &[]), other]).unwrap();
}

#[test]
fn what_goes_back_breaks_m_s2() {
    breaks("M-S2", begun(Misfire::Skip).plan(plan(0, &[Some("a@-@1")])));
    breaks("M-S2", running().claim(claim(110, 2, 7, "a@-@1", Source::Retry)));
    breaks("M-S2", running().cursor(cursor(2, 110, Some(110), &[])));
    breaks("M-S2", running().cursor(cursor(3, 100, None, &[])));
}

#[test]
fn a_claim_by_somebody_else_than_the_owner_breaks_m_s3() {
    breaks("M-S3", begun(Misfire::Skip).claim(claim(110, 1, 7, "b@-@1", Source::Schedule)));
    breaks("M-S3", begun(Misfire::Skip).claim(claim(110, 1, 7, "b@-@1", Source::Failover)));
    breaks("M-S3", History::new().claim(claim(110, 1, 7, "a@-@1", Source::Schedule)));
    let mut moved = running();
    moved.plan(plan(2, &[Some("b@-@1")])).unwrap();
    breaks("M-S3", moved.claim(claim(120, 1, 8, "a@-@1", Source::Schedule)));
}

#[test]
fn runs_that_overlap_break_m_s4_unless_the_first_is_fenced() {
    let run = |token: i64, start: i64, end: Option<i64>, fenced: Option<i64>| ObservedRun {
        job: job(),
        item: 0,
        fire: Fire::Scheduled(110),
        attempt: 1,
        token,
        instance: id("a@-@1"),
        start,
        end,
        fenced,
    };
    m_s4_one_unfenced_run(&[run(2, 20, None, None), run(1, 10, Some(20), None)]).unwrap();
    m_s4_one_unfenced_run(&[run(1, 10, Some(50), Some(19)), run(2, 20, Some(30), None)]).unwrap();
    breaks("M-S4", m_s4_one_unfenced_run(&[run(1, 10, Some(21), None), run(2, 20, None, None)]));
    // A short run in between does not hide that the first still goes on.
    let hidden = [run(1, 10, Some(50), None), run(2, 20, Some(21), Some(5)), run(3, 30, None, None)];
    breaks("M-S4", m_s4_one_unfenced_run(&hidden));
    let mut other = run(2, 15, None, None);
    other.item = 1;
    m_s4_one_unfenced_run(&[run(1, 10, None, None), other]).unwrap();

    let mut history = running();
    history.departed(&id("a@-@1"));
    history.claim(claim(110, 2, 9, "b@-@1", Source::Failover)).unwrap();
    breaks("M-S4", history.started(&job(), 0, 9, &id("b@-@1")));
}

#[test]
fn an_item_without_an_owner_or_with_a_stranger_breaks_m_s5() {
    breaks("M-S5", History::new().plan(plan(1, &[Some("a@-@1"), None])));
    breaks("M-S5", History::new().plan(plan(1, &[Some("c@-@1")])));
    let mut empty = plan(1, &[None]);
    empty.members.clear();
    History::new().plan(empty).unwrap();
}

#[test]
fn holes_in_attempts_and_second_completions_break_m_s6() {
    breaks("M-S6", begun(Misfire::Skip).claim(claim(110, 2, 7, "a@-@1", Source::Schedule)));
    breaks("M-S6", running().claim(claim(120, 1, 8, "a@-@1", Source::Schedule)));
    breaks("M-S6", running().claim(claim(110, 2, 8, "a@-@1", Source::Retry)));
    let mut history = running();
    history.completion(&completion(110, 1, 7)).unwrap();
    breaks("M-S6", history.completion(&completion(110, 1, 7)));
    breaks("M-S6", history.claim(claim(110, 2, 8, "a@-@1", Source::Retry)));
}

#[test]
fn a_cursor_that_passes_an_instant_or_tells_it_twice_breaks_m_s7() {
    for (settled, run, gap) in [
        (130, Some(130), &[][..]),
        (130, Some(130), &[(120, 130, 2)]),
        (140, Some(140), &[(120, 120, 1)]),
        (140, Some(140), &[(130, 130, 1)]),
        (140, Some(140), &[(120, 130, 3)]),
        (140, None, &[(120, 130, 2)]),
        (140, Some(140), &[(120, 135, 2)]),
        (130, None, &[(120, 140, 3)]),
    ] {
        breaks("M-S7", running().cursor(cursor(3, settled, run, gap)));
    }
    running().cursor(cursor(3, 140, Some(140), &[(120, 130, 2)])).unwrap();
    running().cursor(cursor(3, 140, Some(110), &[(120, 120, 1), (130, 140, 2)])).unwrap();
}

#[test]
fn a_second_disposition_breaks_m_s7() {
    let missed = || Outcome::Missed { reason: "late".into() };
    let mut history = begun(Misfire::Skip);
    history.settlement(&settlement(130, Some((110, 3)), missed())).unwrap();
    history.settlement(&settlement(130, Some((110, 3)), missed())).unwrap();
    breaks("M-S7", history.settlement(&settlement(120, None, Outcome::Succeeded)));
    breaks("M-S7", history.settlement(&settlement(140, Some((130, 2)), missed())));
    breaks("M-S7", history.settlement(&settlement(130, Some((110, 3)), Outcome::Succeeded)));
    history.settlement(&settlement(140, None, Outcome::Succeeded)).unwrap();
}

#[test]
fn a_stale_completion_that_is_accepted_breaks_m_s8() {
    let mut history = taken_over();
    history.completion(&CompletionObserved { accepted: false, ..completion(110, 1, 7) }).unwrap();
    breaks("M-S8", history.completion(&completion(110, 1, 7)));
    breaks("M-S8", history.started(&job(), 0, 7, &id("a@-@1")));
}

#[test]
fn work_without_a_lease_breaks_m_s9() {
    let run = ObservedRun {
        job: job(),
        item: 0,
        fire: Fire::Scheduled(110),
        attempt: 1,
        token: 1,
        instance: id("a@-@1"),
        start: 10,
        end: Some(30),
        fenced: None,
    };
    let leases = HashMap::from([(id("a@-@1"), 20)]);
    m_s9_no_work_without_lease(std::slice::from_ref(&run), &leases, 20).unwrap();
    breaks("M-S9", m_s9_no_work_without_lease(std::slice::from_ref(&run), &leases, 21));
    m_s9_no_work_without_lease(&[run], &leases, 30).unwrap();
}

#[test]
fn a_claim_of_what_is_disabled_breaks_m_s10() {
    for scope in [Scope::Job(job()), Scope::Item(job(), 0), Scope::Server(job(), "a".into())] {
        let mut history = begun(Misfire::Skip);
        history.switched(scope.clone(), false);
        breaks("M-S10", history.claim(claim(110, 1, 7, "a@-@1", Source::Schedule)));
        history.switched(scope, true);
        history.claim(claim(110, 1, 7, "a@-@1", Source::Schedule)).unwrap();
    }
}

#[test]
fn a_claim_beyond_the_plan_breaks_m_s12() {
    let mut history = begun(Misfire::Skip);
    let beyond = ClaimObserved { item: 2, ..claim(110, 1, 7, "a@-@1", Source::Schedule) };
    breaks("M-S12", history.claim(beyond));
}

#[test]
fn catching_up_more_than_the_policy_allows_breaks_m_s13() {
    let late = |decided_at| ClaimObserved { decided_at, ..claim(110, 1, 7, "a@-@1", Source::Misfire) };
    breaks("M-S13", begun(Misfire::Skip).claim(late(118)));
    begun(Misfire::FireOnce).claim(late(118)).unwrap();
    breaks("M-S13", begun(Misfire::FireOnce).claim(late(128)));
    let few = Misfire::FireAll { cap: 2, window: 1000 };
    begun(few).claim(late(128)).unwrap();
    breaks("M-S13", begun(few).claim(late(138)));
    let short = Misfire::FireAll { cap: 100, window: 20 };
    begun(short).claim(late(130)).unwrap();
    breaks("M-S13", begun(short).claim(late(131)));

    let mut history = begun(Misfire::FireOnce);
    history.settlement(&settlement(110, None, Outcome::Coalesced { into: Fire::Scheduled(120) })).unwrap();
    history.settlement(&settlement(120, None, Outcome::Skipped { reason: "off".into() })).unwrap();
    breaks("M-S13", history.all_settled(&job(), 0, 100, 120));
}

#[test]
fn a_trigger_that_runs_twice_breaks_m_s14() {
    let trigger = |token, id: &str| ClaimObserved {
        fire: Fire::Trigger { at: 5, id: id.into() },
        ..claim(0, 1, token, "a@-@1", Source::Trigger)
    };
    m_s14_triggers_once(&[trigger(1, "x"), trigger(2, "y"), ClaimObserved { attempt: 2, ..trigger(3, "x") }])
        .unwrap();
    breaks("M-S14", m_s14_triggers_once(&[trigger(1, "x"), trigger(2, "x")]));
    let mut history = begun(Misfire::Skip);
    history.claim(trigger(1, "x")).unwrap();
    history.completion(&CompletionObserved { fire: trigger(1, "x").fire, ..completion(0, 1, 1) }).unwrap();
    breaks("M-S14", history.claim(trigger(2, "x")));
}

#[test]
fn a_once_listener_called_twice_or_too_early_breaks_m_s15() {
    let fire = Fire::Scheduled(110);
    m_s15_once_per_fire(&[(fire.clone(), "started", 0), (fire.clone(), "completed", 0)]).unwrap();
    breaks("M-S15", m_s15_once_per_fire(&[(fire.clone(), "started", 0), (fire.clone(), "started", 0)]));
    breaks("M-S15", m_s15_once_per_fire(&[(fire, "started", 1)]));
}

#[test]
fn the_lifecycle_keeps_m_s16_and_a_shortcut_breaks_it() {
    for (before, event, after) in TABLE {
        m_s16_unknown_is_read_back(*before, *event, *after).unwrap();
    }
    breaks("M-S16", m_s16_unknown_is_read_back(State::Claiming, Event::WriteUnknown, State::Running));
    breaks("M-S16", m_s16_unknown_is_read_back(State::CompletionUnclear, Event::WriteDone, State::Recorded));
}
