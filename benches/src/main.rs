//! Measurements of Clockwright beside the limits of what it stands on.
//!
//! Absolute figures of one machine say little: they move by a factor of two from run to run on a shared one. So every
//! measurement has a *floor* arm that does the same work without Clockwright (bare timers, the bare transactions, bare
//! inserts), and both arms alternate within one run, A B A B. The verdict is the median of the ratios of the pairs. What noise
//! cannot touch is counted instead: registry requests, CPU time, bytes, threads.
//!
//! `README.md` beside this crate says how to run it, what each row means and what was measured last.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod backend;
mod child;
mod events;
mod fleet;
mod herd;
mod lateness;
mod machine;
mod memory;
mod peers;
mod raw;
mod report;
mod server;
mod start;
mod stats;
mod takeover;
mod throughput;

use backend::Kind;
use events::Database;
use futures::future::BoxFuture;
use report::Row;
use std::process::ExitCode;

/// How much is measured, and on which registries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    size: Size,
    only: Option<Kind>,
    only_database: Option<Database>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// For figures to be published.
    Full,
    /// For a look: fewer pairs.
    Quick,
    /// Tiny: only shows that every measurement still works.
    Smoke,
}

impl Scale {
    /// One of three sizes.
    pub(crate) fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self.size {
            Size::Full => full,
            Size::Quick => quick,
            Size::Smoke => smoke,
        }
    }

    /// Those of these registries that were asked for.
    pub(crate) fn on(self, kinds: &[Kind]) -> Vec<Kind> {
        kinds.iter().copied().filter(|kind| self.only.is_none_or(|only| only == *kind)).collect()
    }

    /// The databases that were asked for.
    pub(crate) fn databases(self) -> Vec<Database> {
        let asked = |database: &Database| self.only_database.is_none_or(|only| only == *database);
        Database::ALL.into_iter().filter(asked).collect()
    }

    pub(crate) fn is_smoke(self) -> bool {
        self.size == Size::Smoke
    }
}

type Run = fn(Scale) -> BoxFuture<'static, anyhow::Result<Vec<Row>>>;

/// All measurements, by name.
const MEASUREMENTS: [(&str, Run); 19] = [
    ("lateness", |scale| Box::pin(lateness::run(scale))),
    ("throughput", |scale| Box::pin(throughput::run(scale))),
    ("takeover", |scale| Box::pin(takeover::run(scale))),
    ("memory", |scale| Box::pin(memory::run(scale))),
    ("start", |scale| Box::pin(start::run(scale))),
    ("herd", |scale| Box::pin(herd::run(scale))),
    ("events", |scale| Box::pin(events::ingest::run(scale))),
    ("events-publish", |scale| Box::pin(events::publish::run(scale))),
    ("events-java", |scale| Box::pin(events::java::run(scale))),
    ("events-retention", |scale| Box::pin(events::retention::run(scale))),
    ("events-partitions", |scale| Box::pin(events::partitions::run(scale))),
    ("events-queries", |scale| Box::pin(events::queries::run(scale))),
    ("server-lists", |scale| Box::pin(server::lists::run(scale))),
    ("server-history", |scale| Box::pin(server::history::run(scale))),
    ("server-sync", |scale| Box::pin(server::sync::run(scale))),
    ("server-mirror", |scale| Box::pin(server::mirror::run(scale))),
    ("server-changes", |scale| Box::pin(server::changes::run(scale))),
    ("server-takeover", |scale| Box::pin(server::takeover::run(scale))),
    ("peers", |scale| Box::pin(peers::run(scale))),
];

/// What begins the names of those that are taken only when they are named: they need more than the others, and take long.
const ONLY_NAMED: [&str; 3] = ["events", "server", "peers"];

const USAGE: &str =
    "usage: clockwright-benches [--quick | --smoke] [--on PLACE] [--output table|json] [NAME…]

names: lateness throughput takeover memory start herd; all of these without a name
       events events-publish events-java events-retention events-partitions events-queries: the event store
       server-lists server-history server-sync server-mirror server-changes server-takeover: the control plane
       peers: beside Java Elastic-Job, needs a JDK and what e2e/java-peer/build.sh makes
--quick          fewer pairs, shorter samples and less history
--smoke          a tiny size that only shows that everything still works
--on PLACE       only on this registry (memory, disk, zookeeper) or database (sqlite, postgresql, mariadb); default: each
                 measurement on all that it knows
--output FORMAT  what goes to standard output: table (default) or json";

struct Arguments {
    scale: Scale,
    json: bool,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, what, details] = &arguments[..]
        && word == "child"
    {
        return ended(child::main(what, details));
    }
    match parse(&arguments) {
        Ok(arguments) => ended(measure(&arguments)),
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let scale = Scale { size: Size::Full, only: None, only_database: None };
    let mut arguments = Arguments { scale, json: false, names: Vec::new() };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--quick" => arguments.scale.size = Size::Quick,
            "--smoke" => arguments.scale.size = Size::Smoke,
            "--on" => {
                let name = words.next().unwrap_or("");
                let scale = &mut arguments.scale;
                scale.only = Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
                scale.only_database =
                    Database::ALL.into_iter().find(|database| database.name().eq_ignore_ascii_case(name));
                if scale.only.is_none() && scale.only_database.is_none() {
                    return Err(format!("there is no registry or database `{name}` to measure on"));
                }
            }
            "--output" => {
                arguments.json = match words.next() {
                    Some("json") => true,
                    Some("table") => false,
                    other => {
                        return Err(format!("--output is `table` or `json`, not `{}`", other.unwrap_or("")));
                    }
                }
            }
            name if MEASUREMENTS.iter().any(|(known, _)| *known == name) => {
                arguments.names.push(name.to_owned());
            }
            other => return Err(format!("there is no measurement or option `{other}`")),
        }
    }
    Ok(arguments)
}

fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let before = machine::facts()?;
    let mut rows = Vec::new();
    for (name, run) in MEASUREMENTS {
        let usual = arguments.names.is_empty() && !ONLY_NAMED.iter().any(|begin| name.starts_with(begin));
        if usual || arguments.names.iter().any(|asked| asked == name) {
            eprintln!("measuring {name} …");
            // Each measurement has a runtime of its own, so that nothing of one is left in the next.
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let measured = runtime.block_on(run(arguments.scale));
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
            let mut measured = measured.map_err(|error| error.context(format!("measuring {name}")))?;
            measured.iter_mut().for_each(|row| row.measurement = name);
            rows.extend(measured);
        }
    }
    let after = machine::facts()?;
    if arguments.json {
        println!("{}", report::json(&before, &after, &rows)?);
    } else {
        print!("{}", report::table(&before, &after, &rows));
    }
    Ok(())
}
