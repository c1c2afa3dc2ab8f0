//! The file of a store that is locked, full or taken away while it is in use.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_events::{
    Bus, BusOptions, EventStore, LateStore, Page, Query, RunFilter, Sink, Spool, SpoolOptions, StoreError,
    testing,
};
use clockwright_model::Event;
use sqlx::{Connection, Executor, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn settlement(n: u128) -> Event {
    Event::Settlement(testing::settlement(n))
}

async fn spooled(folder: &Path) -> (Arc<Spool>, Bus) {
    let store: Arc<dyn Sink> = LateStore::file(&folder.join("events.db")).await.unwrap();
    let options = SpoolOptions { patience: Duration::from_millis(200), ..SpoolOptions::default() };
    let spool = Spool::open_first(folder.join("spool"), &store, &options).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    (spool, bus)
}

async fn stored(folder: &Path) -> usize {
    let store = EventStore::open_read_only(folder.join("events.db")).await.unwrap();
    let rows = store.runs(&RunFilter::default(), &Page::first(1000)).await.unwrap().rows.len();
    store.close().await;
    rows
}

#[tokio::test]
async fn a_restart_while_the_file_is_locked_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, bus) = spooled(folder).await;
    bus.publish(settlement(1));
    assert!(bus.flush(Duration::from_secs(20)).await);
    let mut other =
        SqliteConnection::connect(&format!("sqlite:{}", folder.join("events.db").display())).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    (2..=40).for_each(|n| bus.publish(settlement(n)));
    assert!(bus.close(Duration::from_secs(20)).await, "{bus:?}");
    assert_eq!(bus.lost(), 0);
    // The next process starts while it is locked still, and its jobs' outcomes wait with the others.
    let (spool, bus) = spooled(folder).await;
    bus.publish(settlement(41));
    assert!(bus.flush(Duration::from_secs(20)).await, "{bus:?}");
    assert!(spool.stats().waiting >= 40, "{:?}", spool.stats());
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    assert!(spool.drained(Duration::from_secs(60)).await, "{:?}", spool.stats());
    assert!(bus.close(Duration::from_secs(20)).await);
    assert_eq!(stored(folder).await, 41);
}

#[tokio::test]
async fn a_file_that_is_deleted_or_replaced_while_it_is_in_use_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (spool, bus) = spooled(folder).await;
    for (round, replaced) in [(1, false), (2, true), (3, false)] {
        bus.publish(settlement(round * 10));
        assert!(bus.flush(Duration::from_secs(20)).await, "{bus:?}");
        assert!(spool.drained(Duration::from_secs(60)).await, "{:?}", spool.stats());
        std::fs::remove_file(folder.join("events.db")).unwrap();
        if replaced {
            // An empty file is what `touch` leaves; it becomes a store.
            std::fs::write(folder.join("events.db"), "").unwrap();
        }
        bus.publish(settlement(round * 10 + 1));
        assert!(bus.flush(Duration::from_secs(20)).await, "{bus:?}");
        assert!(spool.drained(Duration::from_secs(60)).await, "{:?}", spool.stats());
        // Another process finds what came after, while this one still has it open.
        assert_eq!(stored(folder).await, 1, "round {round}");
    }
    assert!(bus.close(Duration::from_secs(20)).await);
    assert_eq!(stored(folder).await, 1);
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("text"),
        "this is no database, but it is long enough to be read as one".repeat(99),
    )
    .unwrap();
    let open = async |name: &str| LateStore::file(&folder.path().join(name)).await.err();
    assert!(matches!(open("text").await, Some(StoreError::Foreign(_))));
    assert!(matches!(open("no/folder").await, Some(StoreError::Open { .. })));
    std::fs::create_dir(folder.path().join("a-folder")).unwrap();
    assert!(matches!(open("a-folder").await, Some(StoreError::Open { .. })));
}
