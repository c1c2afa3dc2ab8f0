//! Promise 1 on the stores: a day of every kind of job, through the planner, has exactly one outcome for each due instant.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

use clockwright_events::{Bus, BusOptions, EventStore, Page, Query, Store, Width};
use clockwright_model::{
    Event, FailureKind, Fire, InstanceId, JobName, Millis, Misfire, Outcome, OutcomeKind, Reason, RunId,
    Settlement, Source,
};
use clockwright_planner::{Blocked, DueInput, Schedule, due};
use clockwright_testkit::sql::{Kind, shared};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
/// 2023-11-15 00:00 UTC.
const START: Millis = 1_700_006_400_000;

struct Job {
    name: &'static str,
    cron: &'static str,
    misfire: Misfire,
    /// How long a run takes: more than the interval makes misfires.
    takes: Millis,
}

const JOBS: [Job; 6] = [
    Job { name: "steady", cron: "0 * * * * ?", misfire: Misfire::FireOnce, takes: 5_000 },
    Job { name: "overlong", cron: "0 * * * * ?", misfire: Misfire::FireOnce, takes: 150_000 },
    Job { name: "skipping", cron: "0/30 * * * * ?", misfire: Misfire::Skip, takes: 100_000 },
    Job {
        name: "catching up",
        cron: "0 0/5 * * * ?",
        misfire: Misfire::FireAll { cap: 10, window: 2 * HOUR },
        takes: 20_000,
    },
    Job { name: "brisk", cron: "0/15 * * * * ?", misfire: Misfire::Skip, takes: 1_000 },
    Job { name: "hourly", cron: "0 0 * * * ?", misfire: Misfire::FireOnce, takes: 2 * HOUR + MINUTE },
];

/// What the day has in store, besides.
fn why_blocked(at: Millis) -> Option<Blocked<'static>> {
    match (at - START) / MINUTE {
        // All processes are down for a while in the night, and shortly at noon.
        180..=290 | 720..=721 => Some(Blocked::Unowned),
        // Somebody switches it off in the afternoon.
        900..=959 => Some(Blocked::Off(&Reason::ItemDisabled {})),
        _ => None,
    }
}

/// Runs one item through the day, as an engine does, and returns what it records.
fn live(job: &Job, item: u32) -> Vec<Settlement> {
    let schedule = Schedule::parse(job.cron, None).unwrap();
    let (mut settled, mut blocked_until, mut blocked_by) = (START - 1, START - 1, Blocked::Busy);
    let (mut now, mut runs, mut records) = (START, 0u64, Vec::new());
    let record = |fire, range, outcome, at, source, run: Option<u64>| Settlement {
        namespace: "".into(),
        job: JobName::new(job.name).unwrap(),
        item,
        fire: Fire::Scheduled(fire),
        range,
        outcome,
        attempt: u32::from(run.is_some()),
        run_id: run.map(|n| RunId::new(at, u128::from(n) << 64 | u128::from(item))),
        token: run.map_or(0, |n| n as i64),
        source,
        instance: InstanceId::from_wire("10.0.0.1@-@7"),
        claimed: None,
        start: run.map(|_| at),
        at,
        log: None,
    };
    while now < START + DAY + 6 * HOUR {
        if let Some(reason) = why_blocked(now) {
            (blocked_until, blocked_by) = (now, reason);
            now += MINUTE;
            continue;
        }
        let input = DueInput {
            schedule: &schedule,
            settled,
            now,
            until: now,
            blocked_until,
            blocked_by,
            misfire: job.misfire,
            tolerance: 2_000,
        };
        let plan = due(&input);
        for range in plan.settled {
            settled = range.to;
            let many = (range.count > 1).then_some((range.from, range.count));
            records.push(record(range.to, many, range.outcome, now, Source::Schedule, None));
        }
        match plan.run {
            Some((at, source)) => {
                settled = at;
                runs += 1;
                let end = now + job.takes;
                let outcome = match runs % 7 {
                    3 => Outcome::Failed { kind: FailureKind::Job, reason: "exit 1".into() },
                    5 => Outcome::Cancelled { reason: "stopped by hand".into() },
                    _ => Outcome::Succeeded,
                };
                records.push(record(at, None, outcome, end, source, Some(runs)));
                (blocked_until, blocked_by, now) = (end, Blocked::Busy, end);
            }
            None => now = plan.next.unwrap().min(now + MINUTE).max(now + 1),
        }
    }
    records
}

async fn complete(store: Arc<EventStore>) {
    let bus = Bus::start(vec![store.clone()], BusOptions { max_events: 1_000_000, ..BusOptions::default() });
    for job in &JOBS {
        for item in 0..2 {
            for (n, settlement) in live(job, item).into_iter().enumerate() {
                // A crash before the acknowledgement has some of them recorded again.
                if n % 10 == 0 {
                    bus.publish(Event::Settlement(settlement.clone()));
                }
                bus.publish(Event::Settlement(settlement));
            }
        }
    }
    assert!(bus.close(Duration::from_secs(120)).await, "{bus:?}");
    assert_eq!((store.conflicts(), bus.stats()[0].dropped), (0, 0));
    let mut seen: BTreeMap<OutcomeKind, u64> = BTreeMap::new();
    for job in &JOBS {
        for item in 0..2 {
            covers(&store, job, item, &mut seen).await;
        }
    }
    for outcome in OutcomeKind::ALL {
        assert!(seen.contains_key(&outcome), "the day has some that are {outcome}: {seen:?}");
    }
    // The counts say the same as the rows, beyond the day as well.
    let counts = store.statistics(None, None, Width::Day, 0, i64::MAX).await.unwrap();
    assert_eq!(counts.iter().map(|row| row.failed).sum::<u64>(), all(&store, OutcomeKind::Failed).await);
    assert_eq!(counts.iter().map(|row| row.missed).sum::<u64>(), all(&store, OutcomeKind::Missed).await);
}

/// How many fires have an outcome, from the rows.
async fn all(store: &EventStore, outcome: OutcomeKind) -> u64 {
    let filter = clockwright_events::RunFilter { outcomes: vec![outcome], ..Default::default() };
    let (mut sum, mut page) = (0, Page::first(1000));
    loop {
        let answer = store.runs(&filter, &page).await.unwrap();
        sum += answer.rows.iter().map(|row| row.range_count).sum::<u64>();
        let Some(next) = answer.next else { return sum };
        page = Page::after(1000, next);
    }
}

/// Each instant that the schedule names within the day lies in exactly one row.
async fn covers(store: &EventStore, job: &Job, item: u32, seen: &mut BTreeMap<OutcomeKind, u64>) {
    let schedule = Schedule::parse(job.cron, None).unwrap();
    let mut instants = Vec::new();
    let mut at = START - 1;
    while let Some(next) = schedule.next_after(at).filter(|next| *next < START + DAY) {
        instants.push(next);
        at = next;
    }
    let (mut rows, mut page) = (Vec::new(), Page::first(500));
    loop {
        let answer = store.ledger(None, job.name, Some(item), START, START + DAY, &page).await.unwrap();
        rows.extend(answer.rows);
        let Some(next) = answer.next else { break };
        page = Page::after(500, next);
    }
    let mut rows = rows.into_iter().peekable();
    let mut within = 0;
    for instant in instants {
        let row = rows.peek().unwrap_or_else(|| panic!("{} {instant} has no outcome", job.name));
        let from = row.range_from.unwrap_or(row.fire_time);
        assert!(
            from <= instant && instant <= row.fire_time,
            "{} {instant} has no outcome: {row:?}",
            job.name
        );
        *seen.entry(row.outcome).or_default() += 1;
        assert_eq!(row.reason.is_empty(), row.outcome == OutcomeKind::Succeeded, "{row:?}");
        within += 1;
        if row.fire_time == instant {
            assert_eq!(row.range_count, within, "{row:?}");
            within = 0;
            rows.next();
        }
    }
    // The last row may be a range that reaches into the next day.
    assert!(rows.nth(usize::from(within > 0)).is_none(), "{} has outcomes for what was never due", job.name);
}

#[tokio::test]
async fn a_day_has_one_outcome_for_each_due_instant_in_sqlite() {
    complete(EventStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn a_day_has_one_outcome_for_each_due_instant_in_postgres() {
    complete(EventStore::connect(&shared(Kind::Postgres).database().await.unwrap()).await.unwrap()).await;
}

#[tokio::test]
async fn a_day_has_one_outcome_for_each_due_instant_in_mariadb() {
    complete(EventStore::connect(&shared(Kind::MariaDb).database().await.unwrap()).await.unwrap()).await;
}
