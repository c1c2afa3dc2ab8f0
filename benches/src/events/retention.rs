//! What events wait for while a million old rows are deleted beneath them.
//!
//! Half a million outcomes and as many executions are 31 days old; a thousand events a second arrive through a bus, whose
//! sink notes how long each batch took to store. First without deleting, then while the product's retention deletes all that
//! is old, with its default batches and pauses.

use super::Home;
use crate::Scale;
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread};
use anyhow::ensure;
use async_trait::async_trait;
use clockwright_events::{Bus, BusOptions, EventStore, Retention, Sink, SinkError};
use clockwright_model::{Event, Fire, InstanceId, JobName, Millis, Outcome, RunId, Settlement, Source};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let old = scale.pick(500_000, 100_000, 2_000);
    let mut rows = Vec::new();
    for database in scale.databases() {
        let home = Home::open(database).await?;
        let now = jiff::Timestamp::now().as_millisecond();
        fill(&home, old, now - 31 * 86_400_000).await?;
        let sink = Arc::new(Timed { store: home.store.clone(), waits: Mutex::default() });
        let bus = Bus::start(vec![sink.clone()], BusOptions::default());
        publish_during(&bus, now, tokio::time::sleep(scale.pick(10, 5, 1) * Duration::from_secs(1))).await?;
        let mut without = sink.take();
        let (keep, began) = (Retention::default(), Instant::now());
        let deleted = publish_during(&bus, now + 10_000_000, home.store.prune(&keep, now)).await??;
        let took = began.elapsed().as_secs_f64();
        ensure!(bus.close(Duration::from_secs(30)).await, "the bus did not store everything");
        ensure!(deleted == 2 * old, "{deleted} rows were deleted");
        let mut with = sink.take();
        let (with, without) = (Spread::of(&mut with), Spread::of(&mut without));
        let new = vec![
            Row::new("a batch of inserts while old rows are deleted", database.name(), "ms")
                .parts(SPREAD)
                .product(with.values())
                .floor(without.values())
                .aim("max ≤ 100 ms", with.max <= 100.0)
                .note("1,000 events/s; floor: without deleting"),
            Row::new("rows deleted a second", database.name(), "/s")
                .product([deleted as f64 / took])
                .note(format!("{deleted} rows in {took:.1} s, 1,000 at a time with rests of 10 ms")),
        ];
        tell(&mut rows, new);
    }
    Ok(rows)
}

async fn fill(home: &Home, count: u64, at: Millis) -> anyhow::Result<()> {
    let (numbers, n) = (home.numbers(count), "n");
    let fire = format!("({at} - {n} * 10)");
    let key = home.concat(&["'old/0/'", &home.text(&fire)]);
    let id = home.concat(&["'0196a1b2-0000-7000-8000-'", &home.padded(n)]);
    let success = if home.database == super::Database::Postgres { "TRUE" } else { "1" };
    let mut raw = home.raw().await?;
    raw.run(&format!(
        "INSERT INTO CLOCKWRIGHT_RUN (run_key, job_name, sharding_item, fire, fire_time, range_count, outcome, reason, attempt, \
         run_id, token, source, instance, start_ms, decided_ms, batch) SELECT {key}, 'old', 0, {}, {fire}, 1, 'succeeded', '', 1, \
         {id}, {n}, 'schedule', '10.0.0.1@-@7', {fire}, {fire}, 0 FROM {numbers}",
        home.text(&fire)
    ))
    .await?;
    raw.run(&format!(
        "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, is_success, \
         start_time, complete_time) SELECT {id}, 'old', 'old@-@0@-@READY@-@10.0.0.1@-@7', 'host', '10.0.0.1', 0, \
         'NORMAL_TRIGGER', {success}, {}, {} FROM {numbers}",
        home.time(&fire),
        home.time(&fire)
    ))
    .await?;
    home.analyze(&["CLOCKWRIGHT_RUN", "JOB_EXECUTION_LOG"]).await
}

/// Publishes 1,000 outcomes a second until the work is done.
async fn publish_during<T>(bus: &Bus, first: Millis, work: impl Future<Output = T>) -> anyhow::Result<T> {
    let job = JobName::new("now")?;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let mut work = std::pin::pin!(work);
    let mut next = first;
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = tick.tick() => {}
        }
        for _ in 0..10 {
            next += 1;
            bus.publish(Event::Settlement(Settlement {
                namespace: "".into(),
                job: job.clone(),
                item: 0,
                fire: Fire::Scheduled(next),
                range: None,
                outcome: Outcome::Succeeded,
                attempt: 1,
                run_id: Some(RunId::new(next, 1)),
                token: next,
                source: Source::Schedule,
                instance: InstanceId::from_wire("10.0.0.1@-@7"),
                claimed: None,
                start: Some(next),
                at: next,
                log: None,
            }));
        }
    }
}

/// The store, with a note of how long each batch took, in milliseconds.
struct Timed {
    store: Arc<EventStore>,
    waits: Mutex<Vec<f64>>,
}

impl Timed {
    fn take(&self) -> Vec<f64> {
        std::mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Sink for Timed {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let began = Instant::now();
        let stored = self.store.store(batch).await;
        let took = began.elapsed().as_secs_f64() * 1e3;
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        stored
    }
}
