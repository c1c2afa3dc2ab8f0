//! The event store: rows a second through the bus into SQLite, beside bare multi-row inserts into the same tables.
//!
//! Both arms write finished executions of the same content into a file with the same schema and the same settings (write-ahead
//! log, `synchronous = NORMAL`). The bare arm inserts 500 rows by a statement, a transaction for each; the product is
//! measured from the first `publish` until a flush says that all is stored. What a publisher pays is measured call by call.

use crate::Scale;
use crate::fleet::Store;
use crate::report::Row;
use crate::stats::{SPREAD, Spread, median};
use anyhow::ensure;
use clockwright_events::{Bus, BusOptions};
use clockwright_model::{Event, Execution, ExecutionSource, JobName, RunId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, QueryBuilder, Sqlite};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of one bare insert; the bus's batches have as many.
const BATCH: usize = 500;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let rows = scale.pick(50_000, 50_000, 1_000);
    let product = Store::open().await?;
    let bare = Store::open().await?;
    bare.store.close().await;
    let options = SqliteConnectOptions::new()
        .filename(bare.directory.path().join("events.db"))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let bus = Bus::start(vec![product.store.clone()], BusOptions::default());
    let (mut through, mut floor, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..scale.pick(9, 5, 1) {
        let events = executions(pair, rows)?;
        let texts = texts(&events);
        floor.push(insert(&mut connection, &texts).await?);
        let (rate, cost) = publish(&bus, events).await?;
        through.push(rate);
        costs.push(cost);
    }
    ensure!(bus.close(Duration::from_secs(30)).await, "the bus did not store everything");
    let ratio = median(through.iter().zip(&floor).map(|(through, floor)| through / floor));
    Ok(vec![
        Row::new("rows/s from publish to stored", "SQLite", "/s")
            .product([median(through)])
            .floor([median(floor)])
            .ratio(ratio)
            .note("floor: bare inserts of 500 rows"),
        Row::new("cost of one publish", "SQLite", "µs").parts(SPREAD).product(Spread::over(&costs).values()),
    ])
}

fn executions(pair: usize, rows: usize) -> anyhow::Result<Vec<Execution>> {
    let (job, host): (_, Arc<str>) = (JobName::new("bench-events")?, "bench-host".into());
    let ip: Arc<str> = "127.0.0.1".into();
    let task: Arc<str> = "bench-events@-@0,1,2,3,4,5,6,7,8,9@-@READY@-@127.0.0.1@-@4711".into();
    let start = 1_700_000_000_000 + (pair * rows) as i64;
    let row = |number: usize| Execution {
        id: RunId::new(start + number as i64, 1 << 60 | number as u128),
        job: job.clone(),
        task_id: task.clone(),
        hostname: host.clone(),
        ip: ip.clone(),
        item: number as u32 % 10,
        source: ExecutionSource::NormalTrigger,
        start: start + number as i64,
        complete: Some(start + number as i64 + 3),
        success: true,
        failure_cause: None,
    };
    Ok((0..rows).map(row).collect())
}

async fn publish(bus: &Bus, events: Vec<Execution>) -> anyhow::Result<(f64, Spread)> {
    let rows = events.len();
    let mut costs = Vec::with_capacity(rows);
    let began = Instant::now();
    for event in events {
        let call = Instant::now();
        bus.publish(Event::Execution(event));
        costs.push(call.elapsed().as_secs_f64() * 1e6);
    }
    ensure!(bus.flush(Duration::from_secs(60)).await, "the events were not stored within a minute");
    let rate = rows as f64 / began.elapsed().as_secs_f64();
    let dropped: u64 = bus.stats().iter().map(|sink| sink.dropped).sum();
    ensure!(dropped == 0, "{dropped} events were dropped");
    Ok((rate, Spread::of(&mut costs)))
}

/// A row as text, made beforehand: the floor is the database, not the writing of numbers.
struct Text {
    id: String,
    item: i64,
    start: String,
    complete: String,
}

fn texts(events: &[Execution]) -> Vec<Text> {
    let time = |at: i64| {
        let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
        format!("{at:.3}").replace('T', " ").trim_end_matches('Z').to_owned()
    };
    let text = |event: &Execution| Text {
        id: event.id.to_string(),
        item: i64::from(event.item),
        start: time(event.start),
        complete: time(event.complete.unwrap_or_default()),
    };
    events.iter().map(text).collect()
}

async fn insert(connection: &mut SqliteConnection, rows: &[Text]) -> anyhow::Result<f64> {
    let task = "bench-events@-@0,1,2,3,4,5,6,7,8,9@-@READY@-@127.0.0.1@-@4711";
    let began = Instant::now();
    for batch in rows.chunks(BATCH) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, \
             failure_cause, is_success, start_time, complete_time) ",
        );
        sql.push_values(batch, |mut row, text| {
            row.push_bind(text.id.as_str());
            row.push_bind("bench-events");
            row.push_bind(task);
            row.push_bind("bench-host");
            row.push_bind("127.0.0.1");
            row.push_bind(text.item);
            row.push_bind("NORMAL_TRIGGER");
            row.push_bind(None::<&str>);
            row.push_bind(1_i64);
            row.push_bind(text.start.as_str());
            row.push_bind(text.complete.as_str());
        });
        sql.build().execute(&mut *connection).await?;
    }
    Ok(rows.len() as f64 / began.elapsed().as_secs_f64())
}
