#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use clockwright_events::{EventStore, Sink, testing};
use clockwright_model::{Event, JobName, Outcome, OutcomeKind, Reason, Settlement};

const HOUR: Millis = 3_600_000;
const NOW: Millis = 10 * HOUR + 30_000;

fn settled(item: Item, at: Millis, outcome: Outcome) -> Settlement {
    Settlement {
        namespace: "n".into(),
        job: JobName::new("j").unwrap(),
        item,
        fire: Fire::Scheduled(at),
        at: at + 1,
        outcome,
        ..testing::settlement(1)
    }
}

fn hourly(items: Item, since: Millis) -> Due {
    Due { schedule: Schedule::parse("0 0 * * * ?", Some("UTC")).ok(), items, since }
}

fn runs(item: Item, fire: Millis, trigger: Option<&str>) -> UnderWay {
    let claim = LastRun {
        fire,
        trigger: trigger.map(str::to_owned),
        source: "schedule",
        attempt: 1,
        run_id: "r".into(),
        instance: "i".into(),
        claimed_at: fire,
        outcome: None,
        reason: String::new(),
    };
    UnderWay { item, claim }
}

/// The ledger of all hours until now.
async fn ledger(settlements: Vec<Settlement>, due: &Due, now: Option<Now>) -> Ledger {
    ledger_of(settlements, due, now, 0..NOW).await
}

async fn ledger_of(settlements: Vec<Settlement>, due: &Due, now: Option<Now>, span: Range<Millis>) -> Ledger {
    let store = EventStore::in_memory().await.unwrap();
    store.store(&settlements.into_iter().map(Event::from).collect::<Vec<_>>()).await.unwrap();
    let record = JobRecord { store: &*store, namespace: Some("n"), job: "j" };
    let wanted = Wanted { item: None, from: span.start, to: span.end, limit: 100, now: NOW };
    Ledger::read(&record, Some(due), &wanted, std::future::ready(now)).await.unwrap()
}

fn gaps(ledger: &Ledger) -> Vec<(Item, Millis, Millis, Gap)> {
    ledger.open.iter().map(|open| (open.item, open.from / HOUR, open.to / HOUR, open.gap)).collect()
}

#[tokio::test]
async fn every_due_instant_is_in_the_balance_once_by_what_became_of_it() {
    let missed = Outcome::Missed { reason: Reason::stored(None, None, "nobody was there") };
    let settlements = vec![
        settled(0, HOUR, Outcome::Succeeded),
        // Three that never ran are one row.
        Settlement { range: Some((2 * HOUR, 3)), ..settled(0, 4 * HOUR, missed) },
        settled(0, 7 * HOUR, Outcome::Succeeded),
        settled(1, 5 * HOUR, Outcome::Succeeded),
    ];
    let now =
        Now { under_way: vec![runs(1, 8 * HOUR, None), runs(0, 9 * HOUR + 5, Some("t"))], has_peers: false };
    let ledger = ledger(settlements, &hourly(2, 0), Some(now)).await;
    assert_eq!(
        gaps(&ledger),
        [
            (0, 5, 6, Gap::Open),
            (0, 8, 9, Gap::Open),
            (0, 9, 9, Gap::Running),
            (0, 10, 10, Gap::Due),
            (1, 1, 4, Gap::BeforeRecord),
            (1, 6, 7, Gap::Open),
            (1, 8, 8, Gap::Running),
            (1, 9, 9, Gap::Open),
            (1, 10, 10, Gap::Due),
        ]
    );
    let balance = ledger.balance.unwrap();
    let expected = Balance { succeeded: 3, missed: 3, running: 4, unaccounted: 7, ..Balance::default() };
    assert_eq!(balance, expected);
    // Item 0 was due ten times, item 1 six times since its record begins, and there is a trigger.
    assert_eq!(balance.due(), 10 + 6 + 1);
}

#[tokio::test]
async fn before_the_last_change_of_the_schedule_nobody_says_that_an_instant_was_due() {
    let settlements = || vec![settled(0, HOUR, Outcome::Succeeded)];
    let ledger = ledger(settlements(), &hourly(1, 8 * HOUR), Some(Now::default())).await;
    assert_eq!(gaps(&ledger), [(0, 2, 7, Gap::BeforeChange), (0, 8, 9, Gap::Open), (0, 10, 10, Gap::Due)]);
    assert_eq!((ledger.balance.unwrap().due(), ledger.balance.unwrap().unaccounted), (4, 2));
}

#[tokio::test]
async fn of_a_job_of_which_nothing_is_on_record_all_since_its_last_change_is_unaccounted_for() {
    let ledger = ledger(Vec::new(), &hourly(1, 8 * HOUR), Some(Now::default())).await;
    assert_eq!(
        gaps(&ledger),
        [(0, 0, 7, Gap::BeforeChange), (0, 8, 9, Gap::NoRecord), (0, 10, 10, Gap::Due)]
    );
    assert_eq!(ledger.balance.unwrap().unaccounted, 2);
}

#[tokio::test]
async fn what_instances_of_elastic_job_may_have_run_is_not_called_unaccounted_for() {
    let now = Now { has_peers: true, ..Now::default() };
    let ledger = ledger(vec![settled(0, 8 * HOUR, Outcome::Succeeded)], &hourly(1, 0), Some(now)).await;
    assert_eq!(gaps(&ledger), [(0, 9, 9, Gap::Peers), (0, 10, 10, Gap::Peers)]);
    assert_eq!(ledger.balance.unwrap().due(), 1);
}

#[tokio::test]
async fn while_the_registry_is_away_there_is_a_balance_only_where_nothing_could_run() {
    let all = |last: Millis| (1..=last).map(|hour| settled(0, hour * HOUR, Outcome::Succeeded)).collect();
    assert_eq!(ledger(all(10), &hourly(1, 0), None).await.balance.unwrap().due(), 10);
    let one_open = ledger(all(9), &hourly(1, 0), None).await;
    assert_eq!((gaps(&one_open), one_open.balance), (vec![(0, 10, 10, Gap::Due)], None));
}

#[tokio::test]
async fn what_is_still_to_come_is_not_due() {
    let due = hourly(1, 0);
    let later = ledger_of(Vec::new(), &due, Some(Now::default()), NOW + HOUR..NOW + 9 * HOUR).await;
    assert_eq!((gaps(&later), later.balance.unwrap().due()), (vec![], 0));
    // Nor is what lies before the first outcome on record.
    let settlements = vec![settled(0, 9 * HOUR, Outcome::Succeeded)];
    let before = ledger_of(settlements, &due, Some(Now::default()), 0..5 * HOUR).await;
    assert_eq!((gaps(&before), before.balance.unwrap().due()), (vec![], 0));
}

#[tokio::test]
async fn a_range_that_reaches_over_the_ends_of_a_span_counts_by_what_lies_inside() {
    let skipped = Outcome::Skipped { reason: Reason::PreviousRunning {} };
    let range = Settlement { range: Some((2 * HOUR, 6)), ..settled(0, 7 * HOUR, skipped) };
    for (span, inside) in [(0..NOW, 6), (4 * HOUR..6 * HOUR, 2), (5 * HOUR..NOW, 3), (0..3 * HOUR, 1)] {
        let ledger = ledger_of(vec![range.clone()], &hourly(1, 0), Some(Now::default()), span.clone()).await;
        assert_eq!(ledger.balance.unwrap().skipped, inside, "{span:?}");
        assert_eq!(ledger.rows[0].outcome, OutcomeKind::Skipped);
    }
}
