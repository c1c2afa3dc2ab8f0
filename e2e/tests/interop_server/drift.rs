//! The kinds of drift of the server's own table, beside a live Java instance that serves every job of it, with Java's console as the foreign
//! hand where that can do it.

use crate::plane::{PROJECT, Plane};
use crate::stage::{PATIENCE, Setup, Stage};
use clockwright_e2e::java::{Generation, console};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::Path;
use clockwright_testkit::patience::eventually_or;
use clockwright_testkit::zookeeper::LoggedOp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use table::{Before, HOST, Hand, Row, Then};

#[allow(dead_code, reason = "each of its users uses a part")]
#[path = "../../../crates/server/tests/suite/drift/table.rs"]
mod table;

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn every_kind_of_drift_is_put_right_or_told_beside_a_java_2x_instance() {
    every_kind(Generation::Two);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn every_kind_of_drift_is_put_right_or_told_beside_a_java_3x_instance() {
    every_kind(Generation::Three);
}

/// Jobs that nobody touches.
const QUIET: [&str; 3] = ["quiet-1", "quiet-2", "quiet-3"];

/// A namespace whose jobs are those of the table, served by Java.
struct Site {
    stage: Stage,
    layout: Layout,
    keys: Keys,
}

fn every_kind(generation: Generation) {
    let layout = if generation == Generation::Two { Layout::V2 } else { Layout::V3 };
    let setup = Setup { generation, items: 3, ..Setup::default() };
    let stage = Stage::new(&format!("server-drift-{layout}").replace('.', "-"), setup);
    let keys = Keys::new(&stage.namespace.name).unwrap();
    let site = Site { stage, layout, keys };
    // Java has no key of ours that could get lost, and access lists are another test's.
    let rows = table::rows(layout);
    let rows: Vec<&Row> = rows
        .iter()
        .filter(|row| row.name != "lost-clockwright" && !matches!(row.hand, Hand::Access(_) | Hand::Huge(_)))
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).chain(QUIET).collect();
    let java = site.stage.java_with(
        "J0",
        &[
            "--job",
            &names.join(","),
            "--type",
            "simple",
            "--cron",
            "0 0 1 1 1 ? 2099",
            "--job-parameter",
            "p",
            "--item-parameters",
            "0=a,1=b",
            "--failover",
            "--max-time-diff",
            "60",
        ],
    );
    let plane = Plane::attach(&site.stage);
    for row in &rows {
        site.prepare(row, &plane);
    }
    let before = site.quiet();
    let mut by_console = BTreeSet::new();
    for row in &rows {
        if let Some(command) = command(row) {
            site.ask_console(row, &command);
            by_console.insert(row.name.as_str());
        } else {
            site.write(row);
        }
    }
    let faults = RefCell::new(Vec::new());
    let is_settled = || {
        let drifts = drifts(&plane);
        let holds = plane.holds();
        let wrong = |row: &&&Row| {
            let by_console = by_console.contains(row.name.as_str());
            site.check(row, &plane, &drifts, &holds, by_console).err()
        };
        let found = rows.iter().filter_map(|row| Some((row.name.clone(), wrong(&row)?))).collect();
        *faults.borrow_mut() = found;
        faults.borrow().is_empty()
    };
    eventually_or(PATIENCE * 2, is_settled, || format!("not put right or told: {:#?}", faults.borrow()));
    assert_eq!(site.quiet(), before, "nobody touched these");
    assert!(QUIET.iter().all(|name| !drifts(&plane).contains_key(*name)));
    drop(java);
}

/// How Java's console does the same thing, where it can.
fn command(row: &Row) -> Option<Vec<&'static str>> {
    Some(match row.name.as_str() {
        "key-cron" => vec!["update", "--cron", "0 0 9 1 1 ? 2099"],
        "key-shardingTotalCount" => vec!["update", "--items", "7"],
        "key-jobParameter" => vec!["update", "--job-parameter", "another"],
        "key-failover" => vec!["update", "--failover", "false"],
        "key-monitorExecution" => vec!["update", "--monitor", "false"],
        "host-enabled" => vec!["enable", "--ip", HOST],
        "host-disabled" => vec!["disable", "--ip", HOST],
        "host-gone" => vec!["remove", "--ip", HOST],
        "item-enabled" => vec!["shard-enable", "--item", "1"],
        "item-disabled" => vec!["shard-disable", "--item", "1"],
        "gone" => vec!["remove-settings"],
        _ => return None,
    })
}

fn drifts(plane: &Plane) -> BTreeMap<String, Vec<Value>> {
    let page = plane.get(&format!("{PROJECT}/drift?limit=1000"));
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in page["items"].as_array().unwrap() {
        all.entry(item["job"].as_str().unwrap().to_owned()).or_default().push(item.clone());
    }
    all
}

impl Site {
    fn at(&self, name: &JobName, key: &Key) -> String {
        self.keys.of(name, key).as_str().to_owned()
    }

    /// Every write of the settings and holds of the jobs that nobody touches, as ZooKeeper's own log has them.
    fn quiet(&self) -> Vec<LoggedOp> {
        let is_quiet = |op: &LoggedOp| {
            let (LoggedOp::Create { path, .. } | LoggedOp::Set { path, .. } | LoggedOp::Delete { path }) = op
            else {
                return false;
            };
            let path = Path::new(path).unwrap();
            self.keys.parse(&path).is_some_and(|(job, key)| {
                let is_followed = matches!(
                    key,
                    Key::Job
                        | Key::Config
                        | Key::Paused
                        | Key::Server(_)
                        | Key::SmoothStop(_)
                        | Key::Disabled(_)
                );
                QUIET.contains(&job) && is_followed
            })
        };
        self.stage.servers.changes().into_iter().filter(is_quiet).collect()
    }

    /// The nodes that a row needs, and what an operator asked for before.
    fn prepare(&self, row: &Row, plane: &Plane) {
        let name = table::name(row);
        let servers = &self.stage.servers;
        servers.create(&self.at(&name, &Key::Server(HOST.into())), self.layout.server(false).as_bytes());
        for key in [Key::Items, Key::Item(1)] {
            if servers.get(&self.at(&name, &key)).is_none() {
                servers.create(&self.at(&name, &key), b"");
            }
        }
        if let Some((verb, body)) = &row.asked {
            assert_eq!(plane.operate(&row.name, verb, body.clone())["state"], "done");
        }
    }

    fn ask_console(&self, row: &Row, command: &[&str]) {
        let options = [&["--job", &row.name], &command[1..]].concat();
        console(&self.stage.namespace, command[0], &options);
    }

    fn write(&self, row: &Row) {
        let name = table::name(row);
        let servers = &self.stage.servers;
        match &row.hand {
            Hand::Config(edit) => {
                let at = self.at(&name, &Key::Config);
                let root = servers.get(&self.at(&name, &Key::Job)).unwrap();
                let config = servers.get(&at).unwrap();
                let settings = self.layout.read(&config, &root, None).unwrap();
                let config = String::from_utf8(config).unwrap();
                servers.set(&at, &edit(&Before { layout: self.layout, settings, config }));
            }
            Hand::Nodes(nodes) => {
                for (key, data) in nodes {
                    let at = self.at(&name, key);
                    match data {
                        None => servers.tree(&at).iter().rev().for_each(|path| servers.delete(path)),
                        Some(data) if servers.get(&at).is_some() => servers.set(&at, data.as_bytes()),
                        Some(data) => servers.create(&at, data.as_bytes()),
                    }
                }
            }
            Hand::Access(_) | Hand::Huge(_) => unreachable!("such rows are left out"),
        }
    }

    fn check(
        &self,
        row: &Row,
        plane: &Plane,
        drifts: &BTreeMap<String, Vec<Value>>,
        holds: &[String],
        by_console: bool,
    ) -> Result<(), String> {
        let name = &table::name(row);
        let found = drifts.get(&row.name).cloned().unwrap_or_default();
        let records: Vec<[&str; 2]> =
            found.iter().map(|one| ["kind", "verdict"].map(|key| one[key].as_str().unwrap())).collect();
        let expected = match &row.then {
            Then::Mended { kind, .. } => vec![[*kind, "repaired"]],
            Then::Told { kind, .. } => vec![[*kind, "reported"]],
            Then::Restored { .. } | Then::Same | Then::Held { .. } => Vec::new(),
        };
        // What is written in several steps may be met in the middle of them.
        if expected.is_empty() != records.is_empty() || !expected.iter().all(|one| records.contains(one)) {
            return Err(format!("on record: {records:?} instead of {expected:?}"));
        }
        if let Then::Mended { keys, author, .. } = &row.then {
            let is_known = by_console && self.layout == Layout::V2 && !keys.is_empty();
            let author = if is_known { "console" } else { *author };
            let says = |one: &Value| {
                let differed = one["changes"].as_object().unwrap();
                let differed: Vec<&str> = differed.keys().map(String::as_str).collect();
                differed == *keys && one["author"]["author"]["guess"] == author
            };
            if !found.iter().any(says) {
                return Err(format!("{found:?} instead of {keys:?} by {author}"));
            }
        }
        if let Then::Held { node: (key, data), hold, .. } = &row.then {
            if !holds.contains(&format!("{} {hold}", row.name)) {
                return Err(format!("no hold `{hold}`"));
            }
            let there = self.stage.servers.get(&self.at(name, key));
            let is_so = if *key == Key::Paused {
                there.is_some()
            } else {
                there.as_deref() == data.map(str::as_bytes)
            };
            return if is_so { Ok(()) } else { Err(format!("{key} is {there:?}")) };
        }
        if matches!(row.then, Then::Told { .. }) {
            return Ok(());
        }
        let shown = plane.get(&format!("{PROJECT}/jobs/{name}/sync"));
        if shown["state"] == "written" && shown["differences"] == json!([]) {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    }
}
