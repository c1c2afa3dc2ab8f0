//! Each rule accepts a good history, and names itself when that history is broken.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{
    FailureKind, Fire, InstanceId, JobName, Misfire, Outcome, Reason, RunId, Settlement, Source,
};
use clockwright_planner::invariants::{
    ClaimObserved, CursorObserved, Dispositions, History, ObservedRun, Policy, Scope, Violation, Write,
    m_s4_one_unfenced_run, m_s5_plan_total, m_s6_attempts_grow, m_s9_no_work_without_lease,
    m_s15_whole_first_attempts, m_s16_unknown_is_read_back,
};
use clockwright_planner::lifecycle::{Event, State};
use clockwright_planner::{Range, Schedule};

/// The sessions of the two instances.
const A: i64 = 0xa;
const B: i64 = 0xb;

fn job() -> JobName {
    JobName::new("job").unwrap()
}

fn id(name: &str) -> InstanceId {
    InstanceId::from_wire(&format!("{name}@-@1"))
}

fn write(session: i64, transaction: i64) -> Write {
    Write { session, transaction, wall: 1_000_000, hears: Some(0) }
}

fn policy(misfire: Misfire) -> Policy {
    Policy {
        schedule: Schedule::parse("@every 10ms", None).unwrap(),
        id: 1,
        since: 0,
        items: 2,
        misfire,
        failover: false,
        strict: true,
        lost_attempts: 5,
        tolerance: 5,
    }
}

/// The run with this number.
fn run(number: u128) -> RunId {
    RunId::new(1, number)
}

fn claim(at: i64, number: u128, owner: &str, source: Source) -> ClaimObserved {
    ClaimObserved {
        fire: Fire::Scheduled(at),
        attempt: 1,
        run: run(number),
        owner: id(owner),
        session: if owner == "a" { A } else { B },
        source,
        decided_at: at + 2,
        outcome: None,
    }
}

fn cursor(settled: i64, run: Option<ClaimObserved>, gap: &[(i64, i64, u64)]) -> CursorObserved {
    let outcome = Outcome::Missed { reason: Reason::NoInstance {} };
    let gap = gap.iter().map(|(from, to, count)| Range {
        from: *from,
        to: *to,
        count: *count,
        outcome: outcome.clone(),
    });
    CursorObserved { settled, schedule: 1, run, pending: None, gap: gap.collect(), kept: Vec::new() }
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
        instance: id("a"),
        claimed: None,
        start: None,
        at: fire,
        log: None,
    }
}

/// Instants at the multiples of 10; item 0 belongs to `a`, item 1 to `b`; nothing ran yet, and all up to 100 is settled.
fn begun(misfire: Misfire) -> History {
    let mut history = History::new();
    for (instance, session) in [("a", A), ("b", B)] {
        history.lease(&id(instance), Some(session));
    }
    history.leader(&job(), Some(A));
    history.policy(&job(), policy(misfire));
    history.owner(&job(), 0, Some(id("a")), 100);
    history.owner(&job(), 1, Some(id("b")), 100);
    history.cursor(&job(), 0, write(A, 1), Some(cursor(100, None, &[]))).unwrap();
    history
}

/// As [`begun`], and fire 110 of item 0 runs on `a` with token 7.
fn running() -> History {
    let mut history = begun(Misfire::Skip);
    history
        .cursor(&job(), 0, write(A, 7), Some(cursor(110, Some(claim(110, 7, "a", Source::Schedule)), &[])))
        .unwrap();
    history.started(&job(), 0, run(7), 7).unwrap();
    history
}

fn ended(outcome: Outcome) -> CursorObserved {
    cursor(110, Some(ClaimObserved { outcome: Some(outcome), ..claim(110, 7, "a", Source::Schedule) }), &[])
}

fn second_attempt(number: u128, source: Source) -> CursorObserved {
    cursor(110, Some(ClaimObserved { attempt: 2, ..claim(110, number, "b", source) }), &[])
}

#[track_caller]
fn breaks(rule: &str, result: Result<(), Violation>) {
    let violation = result.expect_err("the rule is broken");
    assert_eq!(violation.id, rule, "{violation}");
}

#[test]
fn a_fire_that_runs_is_taken_over_and_completed_breaks_nothing() {
    let mut history = running();
    history.lease(&id("a"), None);
    history.stopped(&job(), 0, run(7));
    history.expired(A).unwrap();
    history.cursor(&job(), 0, write(B, 9), Some(second_attempt(9, Source::Failover))).unwrap();
    history.started(&job(), 0, run(9), 9).unwrap();
    history.stopped(&job(), 0, run(9));
    let mut done = second_attempt(9, Source::Failover);
    done.run.as_mut().unwrap().outcome = Some(Outcome::Succeeded);
    history.cursor(&job(), 0, write(B, 10), Some(done)).unwrap();
    history.complete().unwrap();
    history.owner(&job(), 0, Some(id("b")), 150);
    let next = cursor(140, Some(claim(140, 12, "b", Source::Schedule)), &[(120, 130, 2)]);
    history.cursor(&job(), 0, write(B, 12), Some(next)).unwrap();
    breaks("M-S7", history.complete());
    let first = Settlement { attempt: 2, run_id: Some(run(9)), ..settlement(110, None, Outcome::Succeeded) };
    history.recorded(&first).unwrap();
    history.recorded(&first).unwrap();
    history.complete().unwrap();
}

#[test]
fn a_plan_by_somebody_who_does_not_lead_breaks_m_s1() {
    let mut history = begun(Misfire::Skip);
    history.epoch(&job(), write(A, 2), 0, Some(1)).unwrap();
    history.epoch(&job(), write(0, 3), 1, Some(2)).unwrap();
    breaks("M-S1", history.epoch(&job(), write(B, 4), 2, Some(3)));
    history.leader(&job(), None);
    breaks("M-S1", history.epoch(&job(), write(A, 4), 2, Some(3)));
}

#[test]
fn what_goes_back_breaks_m_s2() {
    breaks("M-S2", begun(Misfire::Skip).epoch(&job(), write(A, 2), 1, Some(1)));
    breaks("M-S2", begun(Misfire::Skip).epoch(&job(), write(A, 2), 1, None));
    breaks("M-S2", begun(Misfire::Skip).cursor(&job(), 0, write(A, 2), Some(cursor(90, None, &[]))));
    let mut history = running();
    history.cursor(&job(), 0, write(A, 8), Some(ended(Outcome::Succeeded))).unwrap();
    let again = cursor(120, Some(claim(120, 7, "a", Source::Schedule)), &[]);
    // A claim with the id of an earlier one: the change looks like one of that claim.
    breaks("M-S7", history.cursor(&job(), 0, write(A, 9), Some(again)));
    breaks("M-S2", m_s6_attempts_grow(&[observed(2, 0, 5), observed(2, 6, 9)]).into_iter().try_for_each(Err));
}

#[test]
fn a_claim_by_somebody_else_than_the_owner_breaks_m_s3() {
    let by = |owner: &str| Some(cursor(110, Some(claim(110, 7, owner, Source::Schedule)), &[]));
    breaks("M-S3", begun(Misfire::Skip).cursor(&job(), 0, write(B, 7), by("b")));
    breaks("M-S3", begun(Misfire::Skip).cursor(&job(), 0, write(B, 7), by("a")));
    let mut history = begun(Misfire::Skip);
    history.lease(&id("a"), None);
    breaks("M-S3", history.cursor(&job(), 0, write(A, 7), by("a")));
    let mut history = begun(Misfire::Skip);
    history.owner(&job(), 0, None, 120);
    breaks("M-S3", history.cursor(&job(), 0, write(A, 7), by("a")));
}

fn observed(token: i64, start: u64, end: u64) -> ObservedRun {
    ObservedRun { name: format!("run {token}"), fire: Fire::Scheduled(token), attempt: 1, token, start, end }
}

#[test]
fn runs_that_overlap_break_m_s4() {
    assert_eq!(m_s4_one_unfenced_run(&[observed(2, 20, u64::MAX), observed(1, 10, 20)]), []);
    let found = m_s4_one_unfenced_run(&[observed(1, 10, 21), observed(2, 20, 30)]);
    assert_eq!(found.iter().map(|violation| violation.id).collect::<Vec<_>>(), ["M-S4"]);
    // A short run in between does not hide that the first still goes on.
    let found = m_s4_one_unfenced_run(&[observed(1, 10, 50), observed(2, 20, 21), observed(3, 30, 40)]);
    assert_eq!(found.len(), 2, "{found:?}");

    let mut history = running();
    history.lease(&id("a"), None);
    history.cursor(&job(), 0, write(B, 9), Some(second_attempt(9, Source::Failover))).unwrap();
    breaks("M-S4", history.started(&job(), 0, run(9), 9));
    let mut history = running();
    history.stopped(&job(), 0, run(7));
    breaks("M-S4", history.started(&job(), 0, run(7), 7));
}

#[test]
fn an_item_without_an_owner_or_with_a_stranger_breaks_m_s5() {
    let members = [id("a"), id("b")];
    m_s5_plan_total(&[Some(id("a")), Some(id("b"))], &members).unwrap();
    m_s5_plan_total(&[None], &[]).unwrap();
    breaks("M-S5", m_s5_plan_total(&[Some(id("a")), None], &members));
    breaks("M-S5", m_s5_plan_total(&[Some(id("c"))], &members));
}

#[test]
fn holes_in_attempts_and_claims_of_what_lives_break_m_s6() {
    let third = ClaimObserved { attempt: 3, ..claim(110, 9, "a", Source::Retry) };
    breaks("M-S6", running().cursor(&job(), 0, write(A, 9), Some(cursor(110, Some(third), &[]))));
    // The owner of the first attempt lives.
    breaks("M-S6", running().cursor(&job(), 0, write(B, 9), Some(second_attempt(9, Source::Failover))));
    let first = ClaimObserved { attempt: 2, ..observed_claim() };
    breaks("M-S6", begun(Misfire::Skip).cursor(&job(), 0, write(A, 9), Some(cursor(110, Some(first), &[]))));
    let mut history = running();
    history.policy(&job(), Policy { failover: true, ..policy(Misfire::Skip) });
    let lost = Outcome::Failed { kind: FailureKind::OwnerLost, reason: Reason::LeaseLost {} };
    breaks("M-S6", history.cursor(&job(), 0, write(B, 9), Some(ended(lost))));
    let attempts = [
        ObservedRun { attempt: 2, ..observed(1, 0, 5) },
        ObservedRun { fire: Fire::Scheduled(1), ..observed(2, 6, 9) },
    ];
    breaks("M-S6", m_s6_attempts_grow(&attempts).into_iter().try_for_each(Err));
}

fn observed_claim() -> ClaimObserved {
    claim(110, 9, "a", Source::Schedule)
}

#[test]
fn a_cursor_that_passes_an_instant_or_tells_it_twice_breaks_m_s7() {
    let begin = || {
        let mut history = running();
        history.cursor(&job(), 0, write(A, 8), Some(ended(Outcome::Succeeded))).unwrap();
        history
    };
    let next = |settled, run: Option<i64>, gap: &[(i64, i64, u64)]| {
        cursor(
            settled,
            Some(run.map_or_else(
                || claim(110, 7, "a", Source::Schedule),
                |at| claim(at, 9, "a", Source::Schedule),
            )),
            gap,
        )
    };
    for (settled, run, gap) in [
        (130, Some(130), &[][..]),
        (130, Some(130), &[(120, 130, 2)]),
        (140, Some(140), &[(120, 120, 1)]),
        (140, Some(140), &[(130, 130, 1)]),
        (140, Some(140), &[(120, 130, 3)]),
        (140, Some(140), &[(120, 135, 2)]),
        (130, Some(120), &[(120, 140, 3)]),
    ] {
        breaks("M-S7", begin().cursor(&job(), 0, write(A, 9), Some(next(settled, run, gap))));
    }
    begin().cursor(&job(), 0, write(A, 9), Some(next(140, Some(140), &[(120, 130, 2)]))).unwrap();
    breaks("M-S7", running().cursor(&job(), 0, write(A, 9), None));
    breaks("M-S7", running().cursor(&job(), 0, write(A, 9), Some(cursor(110, None, &[]))));
    breaks("M-S7", running().cursor(&job(), 0, write(A, 9), Some(next(120, Some(120), &[]))));
    let other = CursorObserved { schedule: 9, ..next(120, Some(120), &[]) };
    breaks("M-S7", begin().cursor(&job(), 0, write(A, 9), Some(other)));
}

#[test]
fn instants_of_a_schedule_that_was_replaced_break_m_s7_when_nobody_says_what_became_of_them() {
    let mut history = begun(Misfire::Skip);
    let schedule = Schedule::parse("@every 100ms", None).unwrap();
    history.policy(&job(), Policy { schedule, id: 2, since: 125, ..policy(Misfire::Skip) });
    let next = |gap: &[(i64, i64, u64)]| CursorObserved {
        schedule: 2,
        ..cursor(200, Some(claim(200, 9, "a", Source::Schedule)), gap)
    };
    breaks("M-S7", history.cursor(&job(), 0, write(A, 9), Some(next(&[]))));
    let mut history = begun(Misfire::Skip);
    let schedule = Schedule::parse("@every 100ms", None).unwrap();
    history.policy(&job(), Policy { schedule, id: 2, since: 125, ..policy(Misfire::Skip) });
    history.cursor(&job(), 0, write(A, 9), Some(next(&[(110, 120, 2)]))).unwrap();
}

#[test]
fn a_second_disposition_breaks_m_s7() {
    let missed = || Outcome::Missed { reason: "late".into() };
    let mut all = Dispositions::default();
    all.add(&settlement(130, Some((110, 3)), missed())).unwrap();
    all.add(&settlement(130, Some((110, 3)), missed())).unwrap();
    breaks("M-S7", all.add(&settlement(120, None, Outcome::Succeeded)));
    breaks("M-S7", all.add(&settlement(140, Some((130, 2)), missed())));
    breaks("M-S7", all.add(&settlement(130, Some((110, 3)), Outcome::Succeeded)));
    all.add(&settlement(140, None, Outcome::Succeeded)).unwrap();
    let schedule = policy(Misfire::Skip).schedule;
    all.cover(&schedule, 100, 149).unwrap();
    breaks("M-S7", all.cover(&schedule, 100, 150));
    breaks("M-S7", all.cover(&schedule, 90, 149));
    let mut history = running();
    history.cursor(&job(), 0, write(A, 8), Some(ended(Outcome::Succeeded))).unwrap();
    let failed = Outcome::Failed { kind: FailureKind::Job, reason: "no".into() };
    breaks("M-S7", history.cursor(&job(), 0, write(A, 9), Some(ended(failed))));
}

#[test]
fn a_completion_by_somebody_else_breaks_m_s8() {
    breaks("M-S8", running().cursor(&job(), 0, write(B, 9), Some(ended(Outcome::Succeeded))));
    let mut history = running();
    history.lease(&id("a"), None);
    breaks("M-S8", history.cursor(&job(), 0, write(A, 9), Some(ended(Outcome::Succeeded))));
}

#[test]
fn work_without_a_lease_breaks_m_s9() {
    m_s9_no_work_without_lease(&id("a"), &[]).unwrap();
    breaks("M-S9", running().expired(A));
    running().expired(B).unwrap();
}

#[test]
fn a_claim_of_what_is_switched_off_breaks_m_s10() {
    for scope in [Scope::Job(job()), Scope::Item(job(), 0), Scope::Host(job(), "a".into())] {
        let mut history = begun(Misfire::Skip);
        history.switched(scope.clone(), Some(999_999));
        let next = || Some(cursor(110, Some(claim(110, 7, "a", Source::Schedule)), &[]));
        breaks("M-S10", history.cursor(&job(), 0, write(A, 7), next()));
        let mut history = begun(Misfire::Skip);
        history.switched(scope.clone(), Some(999_999));
        history.switched(scope, None);
        history.cursor(&job(), 0, write(A, 7), next()).unwrap();
    }
}

#[test]
fn a_claim_beyond_the_count_breaks_m_s12() {
    let mut history = begun(Misfire::Skip);
    history.owner(&job(), 2, Some(id("a")), 100);
    let next = cursor(110, Some(claim(110, 7, "a", Source::Schedule)), &[]);
    breaks("M-S12", history.cursor(&job(), 2, write(A, 7), Some(next)));
}

#[test]
fn catching_up_more_than_the_policy_allows_breaks_m_s13() {
    let late = |misfire, decided_at| {
        let claim = ClaimObserved { decided_at, ..claim(110, 7, "a", Source::Misfire) };
        begun(misfire).cursor(&job(), 0, write(A, 7), Some(cursor(110, Some(claim), &[])))
    };
    breaks("M-S13", late(Misfire::Skip, 118));
    late(Misfire::FireOnce, 118).unwrap();
    breaks("M-S13", late(Misfire::FireOnce, 128));
    let few = Misfire::FireAll { cap: 2, window: 1000 };
    late(few, 128).unwrap();
    breaks("M-S13", late(few, 138));
    let short = Misfire::FireAll { cap: 100, window: 20 };
    late(short, 130).unwrap();
    breaks("M-S13", late(short, 131));

    let coalesced = |into, misfire| {
        let mut next = cursor(120, Some(claim(120, 7, "a", Source::Schedule)), &[(110, 110, 1)]);
        next.gap[0].outcome = Outcome::Coalesced { into: Fire::Scheduled(into) };
        begun(misfire).cursor(&job(), 0, write(A, 7), Some(next))
    };
    coalesced(120, Misfire::FireOnce).unwrap();
    breaks("M-S13", coalesced(130, Misfire::FireOnce));
    breaks("M-S13", coalesced(120, Misfire::Skip));
    let early = cursor(2_000_000, Some(claim(2_000_000, 7, "a", Source::Schedule)), &[]);
    breaks("M-S13", begun(Misfire::Skip).cursor(&job(), 0, write(A, 7), Some(early)));
}

#[test]
fn a_trigger_that_runs_twice_or_is_lost_breaks_m_s14() {
    let trigger = Fire::Trigger { at: 5, id: "x".into() };
    let waiting = || CursorObserved { pending: Some(trigger.clone()), ..cursor(100, None, &[]) };
    let claim = |number| ClaimObserved { fire: trigger.clone(), ..claim(0, number, "a", Source::Trigger) };
    let mut history = begun(Misfire::Skip);
    breaks("M-S14", history.trigger_taken(&job(), "x", &id("a")));
    history.cursor(&job(), 0, write(A, 5), Some(waiting())).unwrap();
    history.trigger_taken(&job(), "x", &id("a")).unwrap();
    history.complete().unwrap();
    breaks("M-S14", history.cursor(&job(), 0, write(A, 6), Some(cursor(100, None, &[]))));
    let mut history = begun(Misfire::Skip);
    history.cursor(&job(), 0, write(A, 5), Some(waiting())).unwrap();
    history.cursor(&job(), 0, write(A, 7), Some(cursor(100, Some(claim(7)), &[]))).unwrap();
    let done = ClaimObserved { outcome: Some(Outcome::Succeeded), ..claim(7) };
    history.cursor(&job(), 0, write(A, 8), Some(cursor(100, Some(done), &[]))).unwrap();
    breaks("M-S14", history.cursor(&job(), 0, write(A, 9), Some(cursor(100, Some(claim(9)), &[]))));
    // One that waited and was coalesced into another has its outcome in what the cursor carries.
    let mut history = begun(Misfire::Skip);
    history.cursor(&job(), 0, write(A, 5), Some(waiting())).unwrap();
    let other = Fire::Trigger { at: 6, id: "y".into() };
    let kept = Settlement {
        fire: trigger.clone(),
        ..settlement(0, None, Outcome::Coalesced { into: other.clone() })
    };
    let carried = CursorObserved { pending: Some(other), kept: vec![kept], ..cursor(100, None, &[]) };
    history.cursor(&job(), 0, write(A, 6), Some(carried)).unwrap();
}

#[test]
fn a_whole_firing_with_a_retry_or_a_takeover_breaks_m_s15() {
    let (one, other) = (Fire::Scheduled(110), Fire::Scheduled(120));
    m_s15_whole_first_attempts(&[(0, &one, 1, Source::Schedule), (1, &one, 1, Source::Schedule)]).unwrap();
    breaks("M-S15", m_s15_whole_first_attempts(&[(0, &one, 2, Source::Retry)]));
    breaks("M-S15", m_s15_whole_first_attempts(&[(0, &one, 1, Source::Failover)]));
    breaks(
        "M-S15",
        m_s15_whole_first_attempts(&[(0, &one, 1, Source::Schedule), (1, &other, 1, Source::Schedule)]),
    );
    breaks("M-S15", History::new().begun(true, &[(0, &one, 2, Source::Retry)]));
    History::new().begun(false, &[(0, &one, 2, Source::Retry)]).unwrap();
}

#[test]
fn a_conclusion_from_an_unknown_write_breaks_m_s16() {
    breaks("M-S16", m_s16_unknown_is_read_back(State::Claiming, Event::WriteUnknown, State::Running));
    breaks("M-S16", m_s16_unknown_is_read_back(State::CompletionUnclear, Event::WriteDone, State::Free));
    breaks("M-S16", begun(Misfire::Skip).started(&job(), 0, run(1), 0));
}
