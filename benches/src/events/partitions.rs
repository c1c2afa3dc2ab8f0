//! Whether partitions by month would pay for `CLOCKWRIGHT_RUN`: deleting a month in batches, as retention does, beside dropping
//! its partition; and what each way costs inserts meanwhile, and pages afterwards.
//!
//! Both arms hold the same rows of six months with the same indexes; in the partitioned one the primary key has to hold the
//! time as well. One connection inserts a row each millisecond or as often as it can, and notes its longest wait.

use super::{Database, Home};
use crate::Scale;
use crate::report::{Row, tell};
use crate::stats::percentile;
use clockwright_testkit::sql::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MONTH: i64 = 30 * 86_400_000;
const MONTHS: i64 = 6;
const JOBS: i64 = 1_000;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let each = scale.pick(1_000_000, 100_000, 2_000);
    let mut rows = Vec::new();
    for database in scale.databases().into_iter().filter(|database| *database != Database::Sqlite) {
        let home = Home::open(database).await?;
        let mut raw = home.raw().await?;
        for statement in tables(&home) {
            raw.run(&statement).await?;
        }
        for table in ["ONE", "PARTED"] {
            for month in 0..MONTHS {
                raw.run(&month_of(&home, table, month, each)).await?;
            }
        }
        home.analyze(&["ONE", "PARTED"]).await?;
        let batches = during(&home, "ONE", async |raw: &mut Session| {
            let (mut left, batch) = (each, 1_000);
            while left > 0 {
                raw.run(&match home.database {
                    Database::MariaDb => {
                        format!("DELETE FROM ONE WHERE fire_time < {MONTH} ORDER BY fire_time LIMIT {batch}")
                    }
                    _ => format!(
                        "DELETE FROM ONE WHERE ctid IN (SELECT ctid FROM ONE WHERE fire_time < {MONTH} ORDER BY fire_time \
                         LIMIT {batch})"
                    ),
                })
                .await?;
                left -= batch;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
        .await?;
        let dropping = during(&home, "PARTED", async |raw: &mut Session| {
            raw.run(match home.database {
                Database::MariaDb => "ALTER TABLE PARTED DROP PARTITION m0",
                _ => "DROP TABLE PARTED_0",
            })
            .await
        })
        .await?;
        let name = database.name();
        let (one, parted) = (pages(&home, "ONE", scale).await?, pages(&home, "PARTED", scale).await?);
        let new = vec![
            Row::new("a month of rows goes: in batches, by partition", name, "s")
                .product([batches.0])
                .floor([dropping.0])
                .note(format!("{each} of {} rows; floor: a partition is dropped", each * MONTHS)),
            Row::new("the longest wait of an insert meanwhile", name, "ms")
                .product([batches.1])
                .floor([dropping.1])
                .note("floor: while and a second after a partition is dropped"),
            Row::new("a page of one job", name, "ms")
                .parts(&["p50", "p95"])
                .product(one)
                .floor(parted)
                .note("floor: from the table in partitions"),
        ];
        tell(&mut rows, new);
    }
    Ok(rows)
}

const COLUMNS: &str = "run_key VARCHAR(255) NOT NULL, job_name VARCHAR(100) NOT NULL, sharding_item BIGINT NOT NULL, \
     fire VARCHAR(255) NOT NULL, fire_time BIGINT NOT NULL, outcome VARCHAR(20) NOT NULL, reason VARCHAR(4000) NOT NULL, \
     run_id VARCHAR(40) NULL, instance VARCHAR(255) NOT NULL, decided_ms BIGINT NOT NULL";

fn tables(home: &Home) -> Vec<String> {
    let mut made = vec![format!("CREATE TABLE ONE ({COLUMNS}, PRIMARY KEY (run_key))")];
    let parted = format!(
        "CREATE TABLE PARTED ({COLUMNS}, PRIMARY KEY (run_key, fire_time)) PARTITION BY RANGE (fire_time)"
    );
    // One more than is filled, for the inserts.
    if home.database == Database::MariaDb {
        let parts: Vec<String> = (0..=MONTHS)
            .map(|month| format!("PARTITION m{month} VALUES LESS THAN ({})", (month + 1) * MONTH))
            .collect();
        made.push(format!("{parted} ({})", parts.join(", ")));
    } else {
        made.push(parted);
        made.extend((0..=MONTHS).map(|month| {
            format!(
                "CREATE TABLE PARTED_{month} PARTITION OF PARTED FOR VALUES FROM ({}) TO ({})",
                month * MONTH,
                (month + 1) * MONTH
            )
        }));
    }
    for table in ["ONE", "PARTED"] {
        for (n, columns) in [
            "fire_time, run_key",
            "job_name, fire_time, run_key",
            "job_name, sharding_item, fire_time, run_key",
            "run_id",
        ]
        .into_iter()
        .enumerate()
        {
            made.push(format!("CREATE INDEX {table}_I{n} ON {table} ({columns})"));
        }
    }
    made
}

fn month_of(home: &Home, table: &str, month: i64, each: i64) -> String {
    let fire = format!("({} + n * {})", month * MONTH, MONTH / (each + 1));
    let job = home.concat(&["'job-'", &home.text(&format!("n % {JOBS}"))]);
    let key = home.concat(&[&job, "'/0/'", &home.text(&fire)]);
    let id = home.concat(&[&format!("'0196a1b2-0000-7000-80{month:02}-'"), &home.padded("n")]);
    format!(
        "INSERT INTO {table} SELECT {key}, {job}, 0, {}, {fire}, 'succeeded', '', {id}, '10.0.0.1@-@7', {fire} FROM {}",
        home.text(&fire),
        home.numbers(each as u64)
    )
}

/// Does the work while another connection inserts, and a second more; returns how long it took, in seconds, and the
/// longest wait of an insert, in milliseconds.
async fn during(
    home: &Home,
    table: &'static str,
    work: impl AsyncFnOnce(&mut Session) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, f64)> {
    let end = Arc::new(AtomicBool::new(false));
    let (mut inserter, mut worker) = (home.raw().await?, home.raw().await?);
    let inserting = {
        let end = Arc::clone(&end);
        tokio::spawn(async move {
            let (mut longest, mut n) = (0.0_f64, 0_i64);
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !end.load(Ordering::SeqCst) {
                tick.tick().await;
                n += 1;
                let fire = MONTHS * MONTH + n;
                let sql = format!(
                    "INSERT INTO {table} VALUES ('now/0/{fire}', 'now', 0, '{fire}', {fire}, 'succeeded', '', NULL, \
                     '10.0.0.1@-@7', {fire})"
                );
                let began = Instant::now();
                inserter.run(&sql).await?;
                longest = longest.max(began.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<f64, anyhow::Error>(longest)
        })
    };
    let began = Instant::now();
    let done = work(&mut worker).await;
    let took = began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(1)).await;
    end.store(true, Ordering::SeqCst);
    let longest = inserting.await??;
    done?;
    Ok((took, longest))
}

async fn pages(home: &Home, table: &str, scale: Scale) -> anyhow::Result<[f64; 2]> {
    let mut raw = home.raw().await?;
    let mut times = Vec::new();
    for n in 0..scale.pick(200, 100, 2) {
        let job = n * 37 % JOBS;
        let sql = format!(
            "SELECT * FROM {table} WHERE job_name = 'job-{job}' ORDER BY fire_time DESC, run_key DESC LIMIT 20"
        );
        let began = Instant::now();
        raw.run(&sql).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok([50.0, 95.0].map(|percent| percentile(&mut times, percent)))
}
