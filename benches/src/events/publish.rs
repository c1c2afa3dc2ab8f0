//! What publishing costs while the database is stopped, and how much memory and disk the waiting events take.
//!
//! The server is killed, then far more events are published than the bus's queue and the spool hold together: first evenly,
//! as jobs do, then as fast as a loop goes. The bounds must hold in both, and the caller must not notice.

use super::{Database, Home, executions};
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread};
use crate::{Scale, machine};
use clockwright_events::{Bus, BusOptions, Spool, SpoolOptions};
use clockwright_model::{Event, Execution};
use std::time::{Duration, Instant};

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for database in scale.databases().into_iter().filter(|database| *database != Database::Sqlite) {
        tell(&mut rows, on(scale, database).await?);
    }
    Ok(rows)
}

async fn on(scale: Scale, database: Database) -> anyhow::Result<Vec<Row>> {
    let (paced, burst) = scale.pick((100_000, 1_000_000), (50_000, 400_000), (500, 1_000));
    let home = Home::open(database).await?;
    let spool = Spool::open(home.folder.path().join("spool"), home.store.clone(), SpoolOptions::default())?;
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    if let Some(server) = &home.server {
        server.kill();
    }
    // Made beforehand and in place for all of the measurement, so that what grows is what waits.
    let events = executions(0, paced + burst)?;
    let mut costs = Vec::with_capacity(paced + burst);
    costs.resize(paced + burst, 0.0);
    let before = machine::usage(std::process::id())?.resident;
    let mut greatest = before;
    let publish = |event: &Execution| {
        let event = Event::Execution(event.clone());
        let call = Instant::now();
        bus.publish(event);
        call.elapsed().as_secs_f64() * 1e6
    };
    // 10,000 a second, ten every millisecond.
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    for (events, costs) in events[..paced].chunks(10).zip(costs[..paced].chunks_mut(10)) {
        tick.tick().await;
        for (event, cost) in events.iter().zip(costs) {
            *cost = publish(event);
        }
    }
    greatest = greatest.max(machine::usage(std::process::id())?.resident);
    for (events, costs) in events[paced..].chunks(10_000).zip(costs[paced..].chunks_mut(10_000)) {
        for (event, cost) in events.iter().zip(costs) {
            *cost = publish(event);
        }
        greatest = greatest.max(machine::usage(std::process::id())?.resident);
        tokio::task::yield_now().await;
    }
    let (stats, spooled) = (bus.stats(), spool.stats());
    bus.close(Duration::ZERO).await;
    let grown = greatest.saturating_sub(before) as f64 / f64::from(1 << 20);
    let evenly = Spread::of(&mut costs[..paced]);
    let at_once = Spread::of(&mut costs[paced..]);
    let queue = stats.first().map_or(0, |stats| stats.queued_bytes) as f64 / f64::from(1 << 20);
    let on_disk = spooled.bytes as f64 / f64::from(1 << 20);
    let dropped: u64 = stats.iter().map(|stats| stats.dropped).sum::<u64>() + spooled.dropped;
    Ok(vec![
        Row::new("cost of one publish, stopped, 10,000/s", database.name(), "µs")
            .parts(SPREAD)
            .product(evenly.values())
            .aim("p99 ≤ 5 µs", evenly.p99 <= 5.0),
        Row::new("cost of one publish, stopped, in a loop", database.name(), "µs")
            .parts(SPREAD)
            .product(at_once.values())
            .aim("p99 ≤ 5 µs", at_once.p99 <= 5.0),
        Row::new("memory that waiting events took", database.name(), "MiB")
            .product([grown])
            .aim("≤ 192 MiB: a queue of 64, and what moves to the disk", grown <= 192.0)
            .note(format!(
                "{} published; in the queue {queue:.1} MiB, on disk {on_disk:.1} MiB; {dropped} dropped and counted",
                paced + burst
            )),
    ])
}
