//! What an idle job costs: resident memory, threads, CPU.
//!
//! A process of its own holds 1,000 and 11,000 jobs on ZooKeeper (an embedded registry would count as the job's) whose next
//! instant is decades away; the difference is what 10,000 jobs cost, whatever the process costs without them. Memory that was
//! needed for loading and is not given back to the system counts. There is no floor arm: the aim is one.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::child::{self, Jobs, Place, Ready, Wishes};
use crate::report::Row;
use anyhow::Context as _;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (few, many) = scale.pick((1_000, 11_000), (1_000, 11_000), (10, 30));
    let mut rows = Vec::new();
    let base = idle(1, 1).await?;
    rows.push(Row::new("resident, 1 job", "ZooKeeper", "MiB").product([mebibytes(base.resident)]));
    for items in [1, 10] {
        let (small, large) = (idle(few, items).await?, idle(many, items).await?);
        let each = (large.resident.saturating_sub(small.resident)) as f64 / (many - few) as f64 / 1_024.0;
        let row = Row::new(format!("resident per idle job of {items} items"), "ZooKeeper", "KiB")
            .product([each])
            .note(format!(
                "{:.1} MiB with {few} jobs, {:.1} MiB with {many}",
                mebibytes(small.resident),
                mebibytes(large.resident)
            ));
        rows.push(row.aim("≤ 10 KiB", each <= 10.0));
        let cores = std::thread::available_parallelism()?.get() as f64;
        let (threads, more) = (small.threads as f64, large.threads as f64);
        rows.push(
            Row::new(format!("threads, {few} and {many} jobs of {items} items"), "ZooKeeper", "")
                .product([threads, more])
                .aim("the same, ≤ cores + 8", (threads - more).abs() < 0.5 && more <= cores + 8.0),
        );
        let row = Row::new(format!("CPU of {many} idle jobs of {items} items"), "ZooKeeper", "% of a core");
        rows.push(
            row.product([large.idle_percent])
                .note(format!("over 5 s, once calm: {:.0} s after all items were owned", large.calm_after)),
        );
    }
    Ok(rows)
}

async fn idle(jobs: usize, items: u32) -> anyhow::Result<Ready> {
    let backend = Backend::open(Kind::ZooKeeper).await?;
    let wishes = Wishes {
        place: Place {
            address: backend.server().context("the backend is ZooKeeper")?.address(),
            namespace: backend.namespace("bench"),
            session_timeout: crate::fleet::SESSION,
        },
        prefix: "idle".to_owned(),
        number: 0,
        jobs: Jobs { jobs, items, cron: "0 0 0 1 1 ? 2099".to_owned() },
        failover: false,
        owned: jobs * items as usize,
        running: 0,
    };
    Ok(child::start(&wishes).await?.ready)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
