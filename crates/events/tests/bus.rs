//! The bus, under sinks that are slow, failing, panicking or away. Time is paused: it moves only when nothing else can.
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use clockwright_events::testing::{self, Recorder};
use clockwright_events::{Bus, BusOptions, Sampling, Sink, SinkError};
use clockwright_model::{Event, Execution};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(3600);

fn status(n: u128) -> Event {
    Event::Status(testing::status(n))
}

fn execution(n: u128) -> Event {
    execution_with(n, None)
}

fn execution_with(n: u128, failure_cause: Option<String>) -> Event {
    Event::Execution(Execution { failure_cause, ..testing::execution(n) })
}

fn settlement(n: u128) -> Event {
    Event::Settlement(testing::settlement(n))
}

fn number(event: &Event) -> u128 {
    match event {
        Event::Execution(e) => e.id.0,
        Event::Status(e) => e.id.0,
        Event::Settlement(e) => e.run_id.unwrap().0,
        Event::Change(e) => e.transaction as u128,
    }
}

fn numbers(events: &[Event]) -> Vec<u128> {
    events.iter().map(number).collect()
}

/// Records batches; each call first needs a permit.
struct Gate {
    open: Semaphore,
    calls: AtomicUsize,
    batches: Mutex<Vec<Vec<u128>>>,
}

impl Gate {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Semaphore::new(permits),
            calls: AtomicUsize::new(0),
            batches: Mutex::default(),
        })
    }

    fn batches(&self) -> Vec<Vec<u128>> {
        self.batches.lock().unwrap().clone()
    }

    /// Lets the bus's task run until it stands at the gate.
    async fn reached(&self, calls: usize) {
        while self.calls.load(Ordering::SeqCst) < calls {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Sink for Gate {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        self.batches.lock().unwrap().push(numbers(batch));
        Ok(())
    }
}

/// Fails the first tries, and records when each try came and what was stored.
#[derive(Default)]
struct Flaky {
    failures: usize,
    tries: Mutex<Vec<Instant>>,
    stored: Mutex<Vec<u128>>,
}

#[async_trait]
impl Sink for Flaky {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let mut tries = self.tries.lock().unwrap();
        tries.push(Instant::now());
        if tries.len() <= self.failures {
            return Err(SinkError("the database is away".into()));
        }
        self.stored.lock().unwrap().extend(numbers(batch));
        Ok(())
    }

    fn name(&self) -> &str {
        "flaky"
    }
}

/// Panics on one event.
struct Allergic {
    to: u128,
    stored: Mutex<Vec<u128>>,
}

#[async_trait]
impl Sink for Allergic {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        assert!(batch.iter().all(|event| number(event) != self.to), "event {} again", self.to);
        self.stored.lock().unwrap().extend(numbers(batch));
        Ok(())
    }
}

/// A bus that keeps everything in memory.
fn recorded() -> (Arc<Recorder>, Bus) {
    let recorder = Recorder::new();
    let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
    (recorder, bus)
}

#[tokio::test(start_paused = true)]
async fn events_arrive_in_order_in_batches_of_the_set_size() {
    let sink = Gate::new(100);
    let bus = Bus::start(vec![sink.clone()], BusOptions { batch_events: 10, ..BusOptions::default() });
    for n in 0..25 {
        // All three kinds, so that the order holds across them.
        bus.publish([status, execution, settlement][n as usize % 3](n));
    }
    assert!(bus.flush(LONG).await);
    let batches = sink.batches();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(batches.concat(), (0..25).collect::<Vec<_>>());
    let stats = &bus.stats()[0];
    assert_eq!((stats.stored, stats.dropped, stats.queued, stats.queued_bytes), (25, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lonely_event_waits_for_company_no_longer_than_the_delay() {
    let (recorder, bus) = recorded();
    tokio::time::advance(Duration::from_secs(1)).await;
    let start = Instant::now();
    bus.publish(execution(1));
    recorder.wait_for(|events| events.len() == 1).await;
    let waited = start.elapsed();
    assert!((Duration::from_millis(50)..Duration::from_millis(53)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait() {
    let recorder = Recorder::new();
    let bus = Bus::start(vec![recorder.clone()], BusOptions { batch_events: 3, ..BusOptions::default() });
    let start = Instant::now();
    (0..3).for_each(|n| bus.publish(execution(n)));
    recorder.wait_for(|events| events.len() == 3).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_tried_again_with_growing_waits_and_keeps_its_place() {
    let sink = Arc::new(Flaky { failures: 8, ..Flaky::default() });
    let bus = Bus::start(vec![sink.clone()], BusOptions { batch_events: 2, ..BusOptions::default() });
    (0..6).for_each(|n| bus.publish(execution(n)));
    while sink.stored.lock().unwrap().len() < 6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tries = sink.tries.lock().unwrap().clone();
    let waits: Vec<u128> = tries.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (wait, expected) in waits.iter().zip([100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
        assert!((expected..expected + 3).contains(wait), "{waits:?}");
    }
    assert_eq!(*sink.stored.lock().unwrap(), (0..6).collect::<Vec<_>>());
    let stats = &bus.stats()[0];
    assert_eq!((stats.sink.as_str(), stats.stored, stats.retries, stats.failing), ("flaky", 6, 8, false));
    assert_eq!(stats.last_error.as_deref(), Some("the database is away"));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_fails_or_panics_harms_no_other() {
    let recorder = Recorder::new();
    let hanging = Gate::new(0);
    let failing = Arc::new(Flaky { failures: usize::MAX, ..Flaky::default() });
    let panicking = Arc::new(Allergic { to: 0, stored: Mutex::default() });
    let bus = Bus::start(vec![hanging, failing, panicking, recorder.clone()], BusOptions::default());
    (0..1000).for_each(|n| bus.publish(execution(n)));
    let events = recorder.wait_for(|events| events.len() == 1000).await;
    assert_eq!(numbers(&events), (0..1000).collect::<Vec<_>>());
    let stored: Vec<u64> = bus.stats().iter().map(|stats| stats.stored).collect();
    assert_eq!((stored[0], stored[1], stored[3]), (0, 0, 1000));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_makes_a_sink_panic_is_the_only_one_lost() {
    for poison in [0, 1, 137, 498, 499] {
        let sink = Arc::new(Allergic { to: poison, stored: Mutex::default() });
        let bus = Bus::start(vec![sink.clone()], BusOptions::default());
        (0..700).for_each(|n| bus.publish(execution(n)));
        assert!(bus.flush(LONG).await);
        assert_eq!(*sink.stored.lock().unwrap(), (0..700).filter(|n| *n != poison).collect::<Vec<_>>());
        let stats = &bus.stats()[0];
        assert_eq!((stats.stored, stats.dropped), (699, 1));
        assert!(stats.last_error.as_ref().unwrap().contains(&format!("event {poison} again")), "{stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_status_traces_first_and_settlements_last() {
    let sink = Gate::new(0);
    let options = BusOptions { max_events: 4, batch_events: 1, ..BusOptions::default() };
    let bus = Bus::start(vec![sink.clone()], options);
    bus.publish(status(0));
    sink.reached(1).await; // Event 0 is on its way and counts; three more fit.
    bus.publish(settlement(1));
    bus.publish(status(2));
    bus.publish(execution(3));
    bus.publish(status(4)); // Drops 2.
    bus.publish(execution(5)); // Drops 4.
    bus.publish(execution(6)); // Drops 3, the oldest execution.
    bus.publish(settlement(7)); // Drops 5.
    bus.publish(settlement(8)); // Drops 6.
    bus.publish(settlement(9)); // Drops 1.
    bus.publish(status(10)); // Is worth less than all that wait: drops itself.
    let stats = &bus.stats()[0];
    assert_eq!((stats.queued, stats.dropped), (4, 7));
    sink.open.add_permits(100);
    assert!(bus.flush(LONG).await);
    assert_eq!(sink.batches().concat(), [0, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_bounded_in_bytes_too() {
    let sink = Gate::new(0);
    let bus = Bus::start(
        vec![sink.clone()],
        BusOptions { max_bytes: 10 << 20, batch_events: 1, ..BusOptions::default() },
    );
    bus.publish(execution(0));
    sink.reached(1).await;
    for n in 1..=100 {
        bus.publish(execution_with(n, Some("x".repeat(1 << 20))));
        assert!(bus.stats()[0].queued_bytes <= 10 << 20);
    }
    assert_eq!((bus.stats()[0].queued, bus.stats()[0].dropped), (10, 91));
    sink.open.add_permits(100);
    assert!(bus.flush(LONG).await);
    assert_eq!(sink.batches().concat(), [vec![0], (92..=100).collect()].concat());
    assert_eq!(bus.stats()[0].queued_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_a_batch_to_fill() {
    let (recorder, bus) = recorded();
    let start = Instant::now();
    (0..3).for_each(|n| bus.publish(execution(n)));
    assert!(bus.flush(LONG).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(recorder.events().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_flush_cuts_the_wait_between_two_tries_short() {
    let sink = Arc::new(Flaky { failures: 7, ..Flaky::default() });
    let bus = Bus::start(vec![sink.clone()], BusOptions::default());
    bus.publish(execution(1));
    while sink.tries.lock().unwrap().len() < 7 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let start = Instant::now(); // The next try would come in five seconds.
    assert!(bus.flush(LONG).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_flush_gives_up_at_its_deadline() {
    let sink = Gate::new(0);
    let bus = Bus::start(vec![sink.clone()], BusOptions::default());
    bus.publish(execution(1));
    let start = Instant::now();
    assert!(!bus.flush(Duration::from_secs(3)).await);
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(bus.stats()[0].queued, 1, "a flush that gave up has dropped nothing");
    sink.open.add_permits(1);
    assert!(bus.flush(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_closed_bus_has_stored_everything_and_counts_what_comes_later() {
    let (recorder, bus) = recorded();
    let clone = bus.clone();
    (0..10).for_each(|n| bus.publish(execution(n)));
    assert!(bus.close(LONG).await);
    clone.publish(execution(10));
    assert!(clone.close(LONG).await, "closing again does nothing");
    assert_eq!(numbers(&recorder.events()), (0..10).collect::<Vec<_>>());
    let stats = &clone.stats()[0];
    assert_eq!((stats.stored, stats.dropped, stats.queued), (10, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_close_past_its_deadline_counts_what_was_not_stored() {
    let sink = Gate::new(1);
    let bus = Bus::start(vec![sink.clone()], BusOptions { batch_events: 4, ..BusOptions::default() });
    (0..10).for_each(|n| bus.publish(execution(n)));
    assert!(!bus.close(Duration::from_secs(2)).await);
    let stats = &bus.stats()[0];
    assert_eq!((stats.stored, stats.dropped, stats.queued, stats.queued_bytes), (4, 6, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_dropped_still_stores_what_it_took() {
    let (recorder, bus) = recorded();
    (0..1200).for_each(|n| bus.publish(execution(n)));
    drop(bus);
    let events = recorder.wait_for(|events| events.len() == 1200).await;
    assert_eq!(numbers(&events), (0..1200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_task_of_a_dropped_bus_ends_even_if_its_sink_fails() {
    let sink = Arc::new(Flaky { failures: usize::MAX, ..Flaky::default() });
    let bus = Bus::start(vec![sink.clone()], BusOptions::default());
    bus.publish(execution(1));
    while sink.tries.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(bus);
    // The task holds the other reference.
    while Arc::strong_count(&sink) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_a_sink_nothing_is_made_or_waited_for() {
    let bus = Bus::start(Vec::new(), BusOptions::default());
    bus.publish_with(|| panic!("nobody wants this event"));
    bus.publish(execution(1));
    assert!(bus.flush(Duration::ZERO).await && bus.close(Duration::ZERO).await);
    assert!(bus.stats().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_on_many_threads_lose_nothing_and_keep_their_own_order() {
    let (recorder, bus) = recorded();
    let threads: Vec<_> = (0..4u128)
        .map(|thread| {
            let bus = bus.clone();
            std::thread::spawn(move || (0..2000).for_each(|n| bus.publish(execution(thread * 10_000 + n))))
        })
        .collect();
    let events = recorder.wait_for(|events| events.len() == 8000).await;
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for thread in 0..4u128 {
        let own: Vec<u128> = numbers(&events).into_iter().filter(|n| n / 10_000 == thread).collect();
        assert_eq!(own, (0..2000).map(|n| thread * 10_000 + n).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sampled_out_is_counted_and_reaches_no_sink() {
    let recorder = Recorder::new();
    let sampling = Sampling { default: u32::MAX, jobs: [("other".to_owned(), 1)].into() };
    let bus = Bus::start(vec![recorder.clone()], BusOptions { sampling, ..BusOptions::default() });
    (0..10).for_each(|n| bus.publish(execution(n)));
    bus.publish(settlement(10));
    assert!(bus.close(LONG).await);
    assert_eq!((numbers(&recorder.events()), bus.sampled_out()), (vec![10], 10));
}

#[tokio::test(start_paused = true)]
async fn the_place_of_an_event_tells_when_every_sink_has_stored_it() {
    let (slow, quick) = (Gate::new(0), Recorder::new());
    let sampling = Sampling { default: u32::MAX, ..Sampling::default() };
    let bus = Bus::start(vec![slow.clone(), quick.clone()], BusOptions { sampling, ..BusOptions::default() });
    let places: Vec<u64> = (0..3).map(|n| bus.publish_numbered(settlement(n))).collect();
    assert_eq!((places, bus.stored_to()), (vec![1, 2, 3], 0));
    assert_eq!(bus.publish_numbered(execution(7)), 0, "what is sampled away has no place");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((quick.events().len(), bus.stored_to()), (3, 0), "one sink of two has them");
    slow.open.add_permits(1);
    assert!(bus.flush(LONG).await);
    assert_eq!(bus.stored_to(), 3);
    assert_eq!(bus.publish_numbered(settlement(3)), 4);
    assert_eq!((bus.stored_to(), Bus::silent().stored_to()), (3, u64::MAX));
}

/// Says in which order it is used, and holds something until it is closed.
#[derive(Default)]
struct Closing {
    said: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Sink for Closing {
    async fn store(&self, _: &[Event]) -> Result<(), SinkError> {
        self.said.lock().unwrap().push("store");
        Ok(())
    }

    async fn close(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.said.lock().unwrap().push("closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_bus_has_waited_for_its_sinks_to_let_go() {
    let sink = Arc::new(Closing::default());
    let bus = Bus::start(vec![sink.clone()], BusOptions::default());
    bus.publish(execution(1));
    assert!(bus.close(Duration::from_secs(5)).await);
    assert_eq!(*sink.said.lock().unwrap(), ["store", "closed"]);
    assert_eq!(bus.lost(), 0);
    bus.publish(execution(2));
    assert!(bus.close(Duration::from_secs(5)).await);
    assert_eq!((bus.lost(), sink.said.lock().unwrap().len()), (1, 2));
}
