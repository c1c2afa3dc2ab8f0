//! The spool, before a sink that is away, slow or picky. Time is paused: it moves only when nothing else can.
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use clockwright_events::{Bus, BusOptions, Loss, Sink, SinkError, Spool, SpoolOptions, testing};
use clockwright_model::{Event, Execution, FailureKind, Outcome, RunId, Settlement, StatusTrace};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn status(n: u128) -> Event {
    Event::Status(StatusTrace { message: "m".repeat(300), ..testing::status(n) })
}

fn execution(n: u128) -> Event {
    Event::Execution(testing::execution(n))
}

fn failure(n: u128) -> Event {
    let failure_cause = Some("x\n\0😀".into());
    Event::Execution(Execution { complete: Some(1), failure_cause, ..testing::execution(n) })
}

fn settlement(n: u128) -> Event {
    let outcome = Outcome::Failed { kind: FailureKind::Job, reason: "because".into() };
    Event::Settlement(Settlement { outcome, ..testing::settlement(n) })
}

/// A sink that can be away, or slow.
#[derive(Default)]
struct Door {
    shut: AtomicBool,
    slow: AtomicBool,
    tries: AtomicUsize,
    stored: Mutex<Vec<Event>>,
    losses: Mutex<Vec<Loss>>,
}

impl Door {
    fn new(shut: bool) -> Arc<Self> {
        Arc::new(Self { shut: shut.into(), ..Self::default() })
    }

    fn set(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }

    fn stored(&self) -> Vec<Event> {
        self.stored.lock().unwrap().clone()
    }
}

#[async_trait]
impl Sink for Door {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        if self.shut.load(Ordering::SeqCst) {
            return Err(SinkError("shut".into()));
        }
        self.stored.lock().unwrap().extend_from_slice(batch);
        Ok(())
    }

    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        if self.shut.load(Ordering::SeqCst) {
            return Err(SinkError("shut".into()));
        }
        self.losses.lock().unwrap().push(loss.clone());
        Ok(())
    }
}

fn open(folder: &Path, sink: &Arc<Door>) -> Arc<Spool> {
    Spool::open(folder, Arc::clone(sink) as Arc<dyn Sink>, SpoolOptions::default()).unwrap()
}

/// What the folder holds besides its lock.
fn files(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn while_all_is_well_nothing_touches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(false);
    let spool = open(folder.path(), &door);
    let events = [status(1), execution(2), settlement(3)];
    spool.store(&events).await.unwrap();
    assert_eq!(door.stored(), events);
    assert_eq!((files(folder.path()).len(), spool.stats().spooled), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_refuses_waits_on_disk_and_arrives_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(true);
    let spool = open(folder.path(), &door);
    let events: Vec<Event> =
        (0..900).map(|n| [status, execution, failure, settlement][n as usize % 4](n)).collect();
    for batch in events.chunks(100) {
        spool.store(batch).await.unwrap();
    }
    assert_eq!((spool.stats().waiting, spool.stats().dropped), (900, 0));
    assert_eq!(spool.stats().last_error.as_deref(), Some("shut"));
    assert!(!spool.drained(Duration::from_secs(60)).await);
    assert_eq!(files(folder.path()).len(), 1);
    door.set(false);
    // What comes while the spool drains goes behind what waits.
    spool.store(&[execution(900)]).await.unwrap();
    assert!(spool.drained(LONG).await);
    spool.store(&[execution(901)]).await.unwrap();
    let expected: Vec<Event> = events.into_iter().chain([execution(900), execution(901)]).collect();
    assert_eq!(door.stored(), expected);
    let stats = spool.stats();
    assert_eq!((stats.spooled, stats.drained, stats.dropped, stats.bytes), (901, 901, 0, 0));
    assert_eq!((stats.last_error, files(folder.path())), (None, vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_goes_to_the_disk_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(false);
    door.slow.store(true, Ordering::SeqCst);
    let spool = open(folder.path(), &door);
    let start = tokio::time::Instant::now();
    for n in 0..100 {
        spool.store(&[execution(n)]).await.unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 2, "only the first batch waited");
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored(), (0..100).map(execution).collect::<Vec<_>>());
    // All that waited went in a few batches, since a slow database is mostly slow to commit.
    assert!(door.tries.load(Ordering::SeqCst) <= 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_survives_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), &Door::new(true));
    spool.store(&[execution(0), failure(1)]).await.unwrap();
    drop(spool);
    let door = Door::new(true);
    let spool = reopened(folder.path(), &door).await;
    assert_eq!(spool.stats().waiting, 2);
    spool.store(&[status(2)]).await.unwrap();
    door.set(false);
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored(), [execution(0), failure(1), status(2)]);
}

/// The lock goes with the last of the spool's work, which may still be on its way out.
async fn reopened(folder: &Path, door: &Arc<Door>) -> Arc<Spool> {
    loop {
        match Spool::open(folder, Arc::clone(door) as Arc<dyn Sink>, SpoolOptions::default()) {
            Ok(spool) => return spool,
            Err(error) if error.to_string().contains("another process") => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(false);
    let _spool = open(folder.path(), &door);
    let error = Spool::open(folder.path(), door, SpoolOptions::default()).err().unwrap().to_string();
    assert!(error.contains("another process uses it"), "{error}");
}

/// A spool with room for so many bytes, before a door that is shut.
fn small(max_bytes: u64) -> (tempfile::TempDir, Arc<Door>, Arc<Spool>) {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(true);
    let options = SpoolOptions { max_bytes, ..SpoolOptions::default() };
    let spool = Spool::open(folder.path(), door.clone() as Arc<dyn Sink>, options).unwrap();
    (folder, door, spool)
}

#[tokio::test(start_paused = true)]
async fn a_full_spool_drops_the_oldest_states_first_and_says_so() {
    let (folder, door, spool) = small(256 << 10);
    let kinds = [status, execution, failure];
    // About 170 KB of states, which all go before the first of the others does; and then more than there is room for.
    let count = 1800u128;
    for n in 0..count {
        spool.store(&[kinds[n as usize % 3](n)]).await.unwrap();
        assert!(spool.stats().bytes <= 256 << 10);
    }
    let stats = spool.stats();
    assert!(stats.dropped > 0 && stats.waiting + stats.dropped == count as u64, "{stats:?}");
    door.set(false);
    assert!(spool.drained(LONG).await);
    while door.losses.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stored = door.stored();
    let of = |test: fn(&Event) -> bool| stored.iter().filter(|event| test(event)).count() as u64;
    let failures = of(|event| matches!(event, Event::Execution(run) if run.complete.is_some()));
    let executions = of(|event| matches!(event, Event::Execution(run) if run.complete.is_none()));
    let states = of(|event| matches!(event, Event::Status(_)));
    assert_eq!(failures, 600, "there was room for all failures");
    let loss = door.losses.lock().unwrap()[0].clone();
    assert_eq!((loss.failures, loss.executions, loss.statuses), (0, 600 - executions, 600 - states));
    assert_eq!(loss.statuses + loss.executions, stats.dropped);
    assert!(loss.statuses > loss.executions && loss.reason.contains("full"), "{loss:?}");
    // Of the states the oldest went: those that are left are the newest ones.
    let numbers: Vec<u128> = stored
        .iter()
        .filter_map(|event| if let Event::Status(state) = event { Some(state.id.0) } else { None })
        .collect();
    assert!(numbers.is_sorted() && numbers.last() == Some(&(count - 3)), "{numbers:?}");
    assert_eq!(numbers.last().unwrap() - numbers[0], (numbers.len() as u128 - 1) * 3);
    assert_eq!((door.losses.lock().unwrap().len(), files(folder.path())), (1, vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_is_told_after_a_restart_too() {
    let (folder, door, spool) = small(64 << 10);
    for n in 0..300 {
        spool.store(&[status(n)]).await.unwrap();
    }
    let (dropped, waiting) = (spool.stats().dropped, spool.stats().waiting);
    assert!(dropped > 0 && dropped + waiting == 300);
    drop(spool);
    let spool = reopened(folder.path(), &door).await;
    door.set(false);
    assert!(spool.drained(LONG).await);
    while door.losses.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(door.losses.lock().unwrap()[0].statuses, dropped);
    assert_eq!(door.stored().len() as u64, waiting);
}

#[tokio::test(start_paused = true)]
async fn a_torn_line_is_passed_over_and_a_rotten_one_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), &Door::new(true));
    spool.store(&[execution(0), execution(1), execution(2)]).await.unwrap();
    drop(spool);
    let file = folder.path().join(&files(folder.path())[0]);
    let text = std::fs::read_to_string(&file).unwrap();
    let rotten = text.replacen(&RunId(1).to_string(), &RunId(9).to_string(), 1);
    assert_ne!(text, rotten);
    std::fs::write(&file, format!("{rotten}{}", &text[..40])).unwrap();
    let door = Door::new(false);
    let spool = reopened(folder.path(), &door).await;
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored(), [execution(0), execution(2)]);
    assert_eq!(spool.stats().dropped, 1);
    while door.losses.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(door.losses.lock().unwrap()[0].executions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_longer_than_a_chunk_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(true);
    let spool = open(folder.path(), &door);
    // Texts are cut before they are written, so it takes a very long list.
    let Event::Status(state) = status(0) else { unreachable!() };
    let items = (0..1_500_000).collect();
    let long = Event::Status(StatusTrace { items, ..state });
    spool.store(&[execution(1), long.clone(), execution(2)]).await.unwrap();
    door.set(false);
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored(), [execution(1), long, execution(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_bus_is_not_held_up_by_a_sink_behind_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(true);
    let spool = open(folder.path(), &door);
    let bus = Bus::start(vec![spool.clone()], BusOptions { max_events: 1000, ..BusOptions::default() });
    for n in 0..20_000 {
        bus.publish(execution(n));
        if n % 500 == 499 {
            assert!(bus.flush(LONG).await, "what is on disk is safe");
        }
    }
    assert!(bus.flush(LONG).await);
    assert_eq!((bus.stats()[0].dropped, spool.stats().waiting), (0, 20_000));
    door.set(false);
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored().len(), 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_closed_spool_gives_its_folder_back_with_what_waits_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(true);
    for n in 0..5 {
        // At once, in the same process: nothing of the one before holds the lock any more.
        let spool = Spool::open(folder.path(), door.clone(), SpoolOptions::default()).unwrap();
        let bus = Bus::start(vec![spool.clone()], BusOptions::default());
        bus.publish(settlement(n));
        assert!(bus.close(LONG).await);
        drop(bus);
        assert_eq!(spool.stats().waiting, n as u64 + 1);
    }
    door.set(false);
    let spool = Spool::open(folder.path(), door.clone(), SpoolOptions::default()).unwrap();
    assert!(spool.drained(LONG).await);
    assert_eq!(door.stored().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn processes_that_share_a_folder_have_spools_of_their_own_and_drain_what_others_left() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("spool");
    let door = Door::new(true);
    let inner: Arc<dyn Sink> = door.clone();
    let open = || Spool::open_first(&base, &inner, &SpoolOptions::default()).unwrap();
    let (first, second) = (open(), open());
    first.store(&[settlement(1)]).await.unwrap();
    second.store(&[settlement(2)]).await.unwrap();
    first.close().await;
    second.close().await;
    assert!(base.exists() && folder.path().join("spool-2").exists());
    door.set(false);
    let _one = open();
    while door.stored().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
