//! Rows a second through the bus into each database, beside bare multi-row inserts of the same rows into the same tables.
//!
//! The product is a bus with its sink as `node` has it (a spool before a server), measured from the first `publish` until a
//! flush says that all is stored. The bare arm inserts 500 rows by a statement, which is a transaction, on one connection
//! with prepared statements; its values are made beforehand. What a publisher pays is measured call by call.

use super::{Database, Home, JOB, TASK, executions};
use crate::Scale;
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread, median};
use anyhow::ensure;
use clockwright_events::{Bus, BusOptions, EventStore, Sink, Spool, SpoolOptions};
use clockwright_model::{Event, Execution};
use sqlx::{Connection as _, MySql, Postgres, QueryBuilder, Sqlite};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of one bare insert; the bus's batches have as many.
const BATCH: usize = 500;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for database in scale.databases() {
        tell(&mut rows, on(scale, database).await?);
    }
    Ok(rows)
}

async fn on(scale: Scale, database: Database) -> anyhow::Result<Vec<Row>> {
    let rows = scale.pick(100_000, 50_000, 1_000);
    let home = Home::open(database).await?;
    let mut bare = Bare::open(&home).await?;
    let sink: Arc<dyn Sink> = match database {
        Database::Sqlite => home.store.clone(),
        _ => {
            // Patience enough that nothing takes the way over the disk, which is another measurement.
            let options = SpoolOptions { patience: Duration::from_secs(60), ..SpoolOptions::default() };
            Spool::open(home.folder.path().join("spool"), home.store.clone(), options)?
        }
    };
    let bus = Bus::start(vec![sink], BusOptions::default());
    let (mut through, mut floor, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..scale.pick(9, 5, 1) {
        let events = executions(pair * rows, rows)?;
        let texts = texts(&events);
        let began = Instant::now();
        bare.insert(&texts).await?;
        floor.push(rows as f64 / began.elapsed().as_secs_f64());
        let (rate, cost) = publish(&bus, events).await?;
        through.push(rate);
        costs.push(cost);
    }
    ensure!(bus.close(Duration::from_secs(30)).await, "the bus did not store everything");
    let ratio = median(through.iter().zip(&floor).map(|(through, floor)| through / floor));
    Ok(vec![
        Row::new("rows/s from publish to stored", database.name(), "/s")
            .product([median(through)])
            .floor([median(floor)])
            .ratio(ratio)
            .aim("≥ 0.8 of bare inserts", ratio >= 0.8)
            .note("floor: bare inserts of 500 rows"),
        Row::new("cost of one publish", database.name(), "µs")
            .parts(SPREAD)
            .product(Spread::over(&costs).values()),
    ])
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
    item: i32,
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
        item: event.item as i32,
        start: time(event.start),
        complete: time(event.complete.unwrap_or_default()),
    };
    events.iter().map(text).collect()
}

/// One connection to a database of its own with the same tables.
enum Bare {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
    MariaDb(sqlx::MySqlConnection),
}

/// Inserts the rows through one connection; `$success` and `$time` are what the columns of those kinds take.
macro_rules! insert {
    ($database:ident, $connection:ident, $rows:ident, $success:expr, $time:expr) => {
        for batch in $rows.chunks(BATCH) {
            let mut sql = QueryBuilder::<$database>::new(
                "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, \
                 failure_cause, is_success, start_time, complete_time) ",
            );
            sql.push_values(batch, |mut row, text| {
                row.push_bind(text.id.as_str());
                row.push_bind(JOB);
                row.push_bind(TASK);
                row.push_bind("bench-host");
                row.push_bind("127.0.0.1");
                row.push_bind(text.item);
                row.push_bind("NORMAL_TRIGGER");
                row.push_bind(None::<&str>);
                row.push_bind($success);
                row.push_bind(text.start.as_str()).push_unseparated($time);
                row.push_bind(text.complete.as_str()).push_unseparated($time);
            });
            sql.build().execute(&mut *$connection).await?;
        }
    };
}

impl Bare {
    async fn open(home: &Home) -> anyhow::Result<Self> {
        let address = home.empty("bare.db").await?;
        EventStore::connect(&address).await?.close().await;
        Ok(match home.database {
            Database::Sqlite => {
                let options = address.parse::<sqlx::sqlite::SqliteConnectOptions>()?;
                let options = options.synchronous(sqlx::sqlite::SqliteSynchronous::Normal);
                Bare::Sqlite(sqlx::SqliteConnection::connect_with(&options).await?)
            }
            Database::Postgres => Bare::Postgres(sqlx::PgConnection::connect(&address).await?),
            Database::MariaDb => {
                let mut connection = sqlx::MySqlConnection::connect(&address).await?;
                sqlx::Executor::execute(&mut connection, "SET time_zone = '+00:00'").await?;
                Bare::MariaDb(connection)
            }
        })
    }

    async fn insert(&mut self, rows: &[Text]) -> anyhow::Result<()> {
        match self {
            Bare::Sqlite(connection) => insert!(Sqlite, connection, rows, 1, ""),
            Bare::Postgres(connection) => insert!(Postgres, connection, rows, true, "::timestamp"),
            Bare::MariaDb(connection) => insert!(MySql, connection, rows, 1, ""),
        }
        Ok(())
    }
}
