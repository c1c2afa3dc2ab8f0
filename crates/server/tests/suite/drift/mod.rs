//! Whatever a foreign hand does to a job in a real ZooKeeper is as the database says after one sync, or is told; and nothing else is touched.

mod table;

use crate::stage::{Caller, Stage};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{Access, Node, Op, Path, Registry, read_each};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::shared_server;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use table::{Before, HOST, Hand, Row, Then, rows, settings};

/// Whose nodes they are.
const DIGEST: &str = "team:secret";
const CLASS: &str = "peer.Jobs$Simple";
/// Jobs that nobody touches.
const QUIET: [&str; 3] = ["quiet-1", "quiet-2", "quiet-3"];

#[tokio::test(flavor = "multi_thread")]
async fn after_one_sync_every_kind_of_drift_is_put_right_or_told_in_2x() {
    every_kind(Layout::V2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_sync_every_kind_of_drift_is_put_right_or_told_in_3x() {
    every_kind(Layout::V3).await;
}

/// A project whose jobs are those of the table, and somebody else who is logged in as its owner is.
struct Site {
    stage: Stage,
    root: Caller,
    layout: Layout,
    keys: Keys,
    hand: Arc<ZooKeeper>,
}

async fn every_kind(layout: Layout) {
    let site = Site::new(layout).await;
    let rows = rows(layout);
    assert!(rows.len() >= 40, "{} rows", rows.len());
    for row in &rows {
        site.make(row).await;
    }
    for name in QUIET {
        site.save(name).await;
    }
    let before = site.quiet().await;
    let mut access = String::new();
    for row in &rows {
        access += &site.drift(row).await;
    }
    shared_server().command_line(&format!("addauth digest {DIGEST}\n{access}")).unwrap();
    let touched = site.modified().await;
    site.stage.pass(2_000);
    let report = site.post("/projects/drift/sync", json!({})).await.is(200);
    assert_eq!(report["held"], false, "{report:#}");
    let drifts = site.drifts().await;
    let holds = site.holds().await;
    let mut faults = Vec::new();
    for row in &rows {
        if let Err(why) = site.check(row, &report, &drifts, &holds, &touched).await {
            faults.push(format!("{}: {why}", row.name));
        }
    }
    assert!(faults.is_empty(), "{layout}: {} faults\n{}\n{report:#}", faults.len(), faults.join("\n"));
    assert_eq!(site.quiet().await, before, "nobody touched these");
    for name in QUIET {
        assert!(!report.to_string().contains(name) && !drifts.contains_key(name), "{report:#}");
    }
    // What is put right is not put right again, and what is told is told once.
    let settled = site.modified().await;
    site.stage.pass(2_000);
    let again = site.post("/projects/drift/sync", json!({})).await.is(200);
    assert!(again.get("mended").is_none(), "{again:#}");
    assert_eq!(site.modified().await, settled);
    assert_eq!(site.drifts().await, drifts);
}

impl Site {
    async fn new(layout: Layout) -> Self {
        let server = shared_server();
        let stage = Stage::on_zookeeper(&server.address(), DIGEST).await;
        let root = stage.admin().await;
        let namespace = format!("drift-{}", layout.number());
        let project = json!({ "name": "drift", "namespace": namespace, "layout": layout.number() });
        stage.post(&root, "/projects", project).await.is(201);
        let options = Options { user: Some(DIGEST.to_owned()), ..Options::new(server.address()) };
        let hand = ZooKeeper::connect(options).await.unwrap();
        Self { stage, root, layout, keys: Keys::new(&namespace).unwrap(), hand }
    }

    /// As somebody who takes a second for it.
    async fn post(&self, path: &str, body: Value) -> crate::stage::Reply {
        self.stage.pass(1_000);
        self.stage.post(&self.root, path, body).await
    }

    async fn save(&self, name: &str) {
        let job = json!({ "name": name, "settings": settings(name, self.layout, CLASS) });
        let made = self.post("/projects/drift/jobs", job).await.is(201);
        assert_eq!(made["sync"]["state"], "written", "{made:#}");
    }

    /// The job of a row, as it is before the foreign hand comes.
    async fn make(&self, row: &Row) {
        self.save(&row.name).await;
        let name = table::name(row);
        for (key, data) in [
            (Key::Servers, ""),
            (Key::Server(HOST.into()), self.layout.server(false)),
            (Key::Items, ""),
            (Key::Item(1), ""),
        ] {
            self.put(Op::create(self.keys.of(&name, &key), data)).await;
        }
        if let Some((verb, body)) = &row.asked {
            let done = self.post(&format!("/projects/drift/jobs/{name}/{verb}"), body.clone()).await.is(200);
            assert_eq!(done["state"], "done", "{done:#}");
        }
    }

    async fn put(&self, op: Op) {
        self.hand.commit(vec![op]).await.unwrap();
    }

    async fn node(&self, path: &Path) -> Option<Node> {
        read_each(&*self.hand, std::slice::from_ref(path)).await.unwrap().remove(0).found()
    }

    async fn before(&self, name: &JobName) -> Before {
        let root = self.node(&self.keys.job(name)).await.unwrap();
        let node = self.node(&self.keys.of(name, &Key::Config)).await.unwrap();
        let settings = self.layout.read(&node.data, &root.data, None).unwrap();
        Before { layout: self.layout, settings, config: String::from_utf8(node.data.to_vec()).unwrap() }
    }

    /// The foreign hand comes. What it does by ZooKeeper's own command line is given back.
    async fn drift(&self, row: &Row) -> String {
        let name = table::name(row);
        let config = self.keys.of(&name, &Key::Config);
        match &row.hand {
            Hand::Config(edit) => {
                let before = self.before(&name).await;
                let edited = edit(&before);
                assert_ne!(edited, before.config.into_bytes(), "{name} is changed");
                self.put(Op::set(config, edited)).await;
            }
            Hand::Huge(text) => return format!("set {config} '{}'\n", text(&self.before(&name).await)),
            Hand::Nodes(nodes) => {
                for (key, data) in nodes {
                    let path = self.keys.of(&name, key);
                    match data {
                        None => {
                            let tree = self.hand.tree(&path).await.unwrap();
                            let ops = tree.into_iter().rev().map(|(path, _)| Op::delete(path));
                            self.hand.commit(ops.collect()).await.unwrap();
                        }
                        Some(data) if self.node(&path).await.is_some() => {
                            self.put(Op::set(path, *data)).await;
                        }
                        Some(data) => self.put(Op::create(path, *data)).await,
                    }
                }
            }
            Hand::Access(list) => return format!("setAcl {config} {list}\n"),
        }
        String::new()
    }

    /// The transaction that wrote each node of the namespace last, as far as they may be read.
    async fn modified(&self) -> BTreeMap<String, i64> {
        let jobs = self.hand.list(self.keys.root()).await.unwrap();
        let mut all = BTreeMap::new();
        for job in jobs.iter().filter(|job| *job != "access-closed") {
            for (path, node) in self.hand.tree(&self.keys.root().join(job)).await.unwrap() {
                all.insert(path.to_string(), node.stat.modified);
            }
        }
        all
    }

    async fn quiet(&self) -> BTreeMap<String, i64> {
        let quiet = |path: &String| QUIET.iter().any(|name| path.contains(name));
        self.modified().await.into_iter().filter(|(path, _)| quiet(path)).collect()
    }

    /// What is on record of each job: kind, verdict, the keys that differed, and who may have written it.
    async fn drifts(&self) -> BTreeMap<String, Vec<[String; 4]>> {
        let page = self.stage.get(&self.root, "/projects/drift/drift?limit=1000").await.is(200);
        let mut all: BTreeMap<String, Vec<[String; 4]>> = BTreeMap::new();
        for item in page["items"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let keys: Vec<&str> = item["changes"].as_object().unwrap().keys().map(String::as_str).collect();
            let record = [
                text(&item["kind"]),
                text(&item["verdict"]),
                keys.join(","),
                text(&item["author"]["author"]["guess"]),
            ];
            all.entry(text(&item["job"])).or_default().push(record);
        }
        all
    }

    /// The holds of each job.
    async fn holds(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for hold in self.stage.get(&self.root, "/projects/drift/holds").await.is(200).as_array().unwrap() {
            let text = |key: &str| hold[key].as_str().unwrap_or_default();
            let line = ["kind", "scope", "target", "origin"].map(text).join(" ").replace("  ", " ");
            all.entry(text("job").to_owned()).or_default().insert(line);
        }
        all
    }

    async fn check(
        &self,
        row: &Row,
        report: &Value,
        drifts: &BTreeMap<String, Vec<[String; 4]>>,
        holds: &BTreeMap<String, BTreeSet<String>>,
        touched: &BTreeMap<String, i64>,
    ) -> Result<(), String> {
        let name = &table::name(row);
        let in_list = |list: &str| {
            let rows = report[list].as_array().into_iter().flatten().filter(|one| one["name"] == row.name);
            rows.map(|one| one["state"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let (mended, told) = (in_list("mended"), in_list("jobs"));
        let found = drifts.get(&row.name).cloned().unwrap_or_default();
        let (expected_mended, expected_told, expected_drift) = match &row.then {
            Then::Mended { kind, keys, author } => {
                let verdict = if *kind == "denied" { "reported" } else { "repaired" };
                let record = [*kind, verdict, &keys.join(","), *author].map(str::to_owned);
                (vec![*kind], Vec::new(), vec![record])
            }
            Then::Restored { kind } => (vec![*kind], Vec::new(), Vec::new()),
            Then::Same => (Vec::new(), Vec::new(), Vec::new()),
            Then::Told { state, kind, author } => {
                let record = [*kind, "reported", "", *author].map(str::to_owned);
                (Vec::new(), vec![*state], vec![record])
            }
            Then::Held { state, .. } => (vec![*state], Vec::new(), Vec::new()),
        };
        equal("mended", &mended, &expected_mended)?;
        equal("told", &told, &expected_told)?;
        equal("on record", &found, &expected_drift)?;
        if let Then::Held { node: (key, data), hold, .. } = &row.then {
            equal(
                "holds",
                &holds.get(&row.name).cloned().unwrap_or_default(),
                &BTreeSet::from([(*hold).to_owned()]),
            )?;
            let there = self.node(&self.keys.of(name, key)).await;
            match (key, data) {
                // The note of a pause is its own text.
                (Key::Paused, None) => equal("paused", &there.is_some(), &true)?,
                _ => equal("the node", &there.map(|node| node.data.to_vec()), &data.map(Into::into))?,
            }
        } else {
            equal("holds", &holds.get(&row.name).cloned().unwrap_or_default(), &BTreeSet::new())?;
        }
        let config = self.keys.of(name, &Key::Config);
        let modified = self.node(&config).await.map(|node| node.stat.modified);
        let as_before = modified == touched.get(&config.to_string()).copied();
        match &row.then {
            Then::Same | Then::Told { .. } | Then::Held { .. } => equal("left alone", &as_before, &true)?,
            Then::Mended { .. } | Then::Restored { .. } => equal("left alone", &as_before, &false)?,
        }
        if matches!(row.then, Then::Told { .. }) {
            return Ok(());
        }
        let shown = self.stage.get(&self.root, &format!("/projects/drift/jobs/{name}/sync")).await.is(200);
        equal("state", &shown["state"], &json!("written"))?;
        equal("differences", &shown["differences"], &json!([]))?;
        self.says_what_the_database_says(name).await?;
        equal("access", &self.hand.access(&[config]).await.unwrap(), &vec![Access::Ours])
    }

    /// By its own reading, not the server's.
    async fn says_what_the_database_says(&self, name: &JobName) -> Result<(), String> {
        let root = self.node(&self.keys.job(name)).await.ok_or("it has no root")?;
        let config = self.node(&self.keys.of(name, &Key::Config)).await.ok_or("it has no config")?;
        let there = self.layout.read(&config.data, &root.data, None).map_err(|error| error.to_string())?;
        let wished = settings(name.as_str(), self.layout, CLASS);
        let wished = clockwright_settings::canonical::from_json(name.clone(), &wished).unwrap();
        let there = clockwright_model::JobSettings { overwrite: false, ..there };
        let differs = clockwright_settings::canonical::diff(&wished, &there);
        equal("the nodes against the database", &differs, &Vec::new())
    }
}

fn equal<A: std::fmt::Debug + PartialEq<B>, B: std::fmt::Debug>(
    what: &str,
    found: &A,
    expected: &B,
) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}
