//! Elastic-Job 2.1.5's own event listener beside ours: the same events, into the same MariaDB, in turns.
//!
//! Both store the start and the end of each run. Java posts to its own event bus, as published, with two threads for each
//! core and a pooled connection for each thread; the clock runs from the first post until a count says that all is there,
//! after a warm-up of a tenth. Needs a JDK and Maven, see `e2e/java-peer`.

use super::{Database, Home, starts_and_ends};
use crate::Scale;
use crate::report::Row;
use crate::stats::median;
use anyhow::{Context as _, ensure};
use clockwright_events::{Bus, BusOptions, Spool, SpoolOptions};
use clockwright_model::Event;
use clockwright_testkit::sql::{PASSWORD, USER};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let runs = scale.pick(20_000, 10_000, 100);
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/java-peer");
    let built = Command::new("sh").arg(peer.join("build.sh")).stdout(Stdio::null()).status().await?;
    ensure!(built.success(), "the Java peer does not build; see above");
    let home = Home::open(Database::MariaDb).await?;
    let spool = Spool::open(home.folder.path().join("spool"), home.store.clone(), SpoolOptions::default())?;
    let bus = Bus::start(vec![spool], BusOptions::default());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for pair in 0..scale.pick(5, 3, 1) {
        theirs.push(java(&peer, &home, runs).await?);
        let events = starts_and_ends(pair * runs, runs)?;
        let count = events.len();
        let began = Instant::now();
        events.into_iter().for_each(|event| bus.publish(Event::Execution(event)));
        ensure!(bus.flush(Duration::from_secs(60)).await, "the events were not stored within a minute");
        ours.push(count as f64 / began.elapsed().as_secs_f64());
    }
    bus.close(Duration::from_secs(10)).await;
    let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs));
    Ok(vec![
        Row::new("events/s, start and end of each run", "MariaDB", "/s")
            .product([median(ours)])
            .floor([median(theirs)])
            .ratio(ratio)
            .aim("≥ 10 × Elastic-Job's", ratio >= 10.0)
            .note("floor: Elastic-Job 2.1.5's own listener"),
    ])
}

/// Events a second of Java's listener, in a database of its own on the same server.
async fn java(peer: &Path, home: &Home, runs: usize) -> anyhow::Result<f64> {
    let address = home.empty("java").await?;
    let place = address.split_once('@').context("the address names a user")?.1;
    let target = peer.join("target");
    let mut java = Command::new("java");
    java.arg("-cp").arg(format!("{0}/java-peer.jar:{0}/lib/*", target.display())).arg("peer.Trace");
    java.arg("--url").arg(format!("jdbc:mysql://{place}?useSSL=false"));
    java.args(["--user", USER, "--password", PASSWORD, "--runs", &runs.to_string()]);
    let output = java.kill_on_drop(true).stderr(Stdio::piped()).output().await?;
    let (said, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "Elastic-Job's listener failed: {talk}");
    let line = said.lines().last().with_context(|| format!("Elastic-Job's listener said nothing: {talk}"))?;
    let (events, seconds) = line.split_once(' ').context("two numbers")?;
    Ok(events.parse::<f64>()? / seconds.parse::<f64>()?)
}
