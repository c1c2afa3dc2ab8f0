//! Clients that change things all the time, and the judge of what came of it.

use super::PATIENCE;
use super::jobs::{CRON, JOBS, config, settings};
use clockwright_e2e::harness::{Client, Plane, Reply, eventually};
use clockwright_e2e::record::Kind;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// What jobs are changed to.
const AFTER: &str = "0 0 0 2 1 ? 2099";
/// The job that instances serve.
const WITNESS: &str = "witness";

/// What is open, not written, or stands still.
const LEFT: &str = "
    SELECT 'operation ' || kind || ' ' || state || ' ' || id || ' ' || ask FROM CLOCKWRIGHT_OPERATION
        WHERE state IN ('running', 'pending')
    UNION ALL SELECT 'sync ' || job || ' ' || state || ' ' || next_try || ' ' || error FROM CLOCKWRIGHT_SYNC
        WHERE state <> 'written'
    UNION ALL SELECT 'hold ' || kind || ' ' || job || ' ' || origin FROM CLOCKWRIGHT_HOLD";

/// Something that was acknowledged, so it has to be there, once.
#[derive(Debug)]
pub(crate) struct Deed {
    action: &'static str,
    /// Its reason, which no other one has.
    reason: String,
}

/// What goes on.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    deeds: Deeds,
}

/// All that was acknowledged so far.
type Deeds = Arc<Mutex<Vec<Deed>>>;

impl Load {
    /// Some clients begin to make, change, pause and resume jobs of their own, one to stop and start several at once, and one to trigger
    /// the witness if there is one.
    pub(crate) fn start(plane: &Plane, witness: bool) -> Self {
        let (stop, stopped) = watch::channel(false);
        let deeds = Deeds::default();
        let worker = |name| Worker {
            client: plane.program(name),
            name,
            stop: stopped.clone(),
            deeds: Arc::clone(&deeds),
        };
        let runtime = plane.runtime();
        let mut workers: Vec<_> =
            ["ada", "bob"].map(|name| runtime.spawn(worker(name).keep_jobs())).into_iter().collect();
        workers.push(runtime.spawn(worker("cyd").keep_many()));
        if witness {
            workers.push(runtime.spawn(worker("dan").keep_triggering()));
        }
        Self { stop, workers, deeds }
    }

    /// Waits until so much was acknowledged that it is seen to go on.
    pub(crate) fn goes_on(&self) {
        let count = || self.deeds.lock().unwrap().len();
        let before = count();
        eventually(PATIENCE, "the clients' work goes on", || {
            assert!(!self.workers.iter().any(JoinHandle::is_finished), "an answer was wrong");
            count() >= before + 10
        });
    }

    /// Ends, and tells all that was acknowledged.
    pub(crate) fn stop(self, plane: &Plane) -> Vec<Deed> {
        self.stop.send_replace(true);
        for worker in self.workers {
            let ended = plane.wait(async { timeout(2 * PATIENCE, worker).await });
            ended.expect("what was begun comes to an end").expect("no answer was wrong");
        }
        std::mem::take(&mut self.deeds.lock().unwrap())
    }
}

struct Worker {
    client: Client,
    name: &'static str,
    stop: watch::Receiver<bool>,
    deeds: Deeds,
}

impl Worker {
    async fn keep_jobs(self) {
        for n in 0.. {
            if *self.stop.borrow() {
                break;
            }
            let job = format!("{}-{n}", self.name);
            self.make(&job).await;
            self.edit(&job).await;
            for (action, verb) in [("job.pause", "pause"), ("job.resume", "resume")] {
                let reason = format!("{job} {verb}");
                let ask = json!({ "reason": reason });
                let key = format!("{job}-{verb}");
                let reply = self.client.post(&key, &format!("{JOBS}/{job}/{verb}"), &ask).await;
                assert_eq!(self.end_of(reply).await, "done", "{reason}");
                self.was_done(action, reason);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn was_done(&self, action: &'static str, reason: String) {
        self.deeds.lock().unwrap().push(Deed { action, reason });
    }

    async fn make(&self, job: &str) {
        let reason = format!("{job} make");
        let ask = json!({ "name": job, "settings": settings(CRON), "reason": reason });
        let made = self.client.post(&format!("{job}-make"), JOBS, &ask).await.is(201);
        assert_eq!(made["name"], job);
        self.was_done("job.create", reason);
    }

    /// A change that names its version needs no key: whether it was carried out is seen by the version.
    async fn edit(&self, job: &str) {
        let (path, reason) = (format!("{JOBS}/{job}"), format!("{job} edit"));
        let ask = json!({ "settings": { "cron": AFTER }, "reason": reason });
        loop {
            let sent = self.client.ask(Method::PATCH, &path, &[("if-match", "\"v1\"")], Some(&ask)).await;
            match sent {
                Ok(reply) if reply.status == 200 => break,
                Ok(reply) => assert!(reply.is_unclear() || reply.status == 412, "{reason}: {reply:?}"),
                Err(_) => {}
            }
            if self.client.get(&path).await.is(200)["version"] == 2 {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        self.was_done("job.update", reason);
    }

    async fn keep_many(self) {
        let jobs: Vec<String> = (0..12).map(|n| format!("{}-{n}", self.name)).collect();
        for job in &jobs {
            self.make(job).await;
        }
        let jobs: Vec<Value> = jobs.iter().map(|job| json!({ "project": "billing", "name": job })).collect();
        for n in 0.. {
            if *self.stop.borrow() {
                break;
            }
            for action in ["disable", "enable"] {
                // While the registry is away, what is asked of some jobs waits for it: those are asked again.
                for attempt in 0.. {
                    let reason = format!("many {n} {action} {attempt}");
                    let ask = json!({ "action": action, "select": { "jobs": jobs }, "reason": reason });
                    let reply = self.client.post(&reason.replace(' ', "-"), "/bulk", &ask).await;
                    let end = self.end_of(reply).await;
                    if end == "done" {
                        self.was_done("job.bulk", reason);
                        break;
                    }
                    assert_eq!(end, "partial", "{reason}");
                }
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    async fn keep_triggering(self) {
        for n in 0.. {
            if *self.stop.borrow() {
                break;
            }
            let (key, reason) = (format!("trigger-{n}"), format!("trigger {n}"));
            let path = format!("{JOBS}/{WITNESS}/trigger");
            let reply = self.client.post(&key, &path, &json!({ "reason": reason })).await;
            // An item that runs still refuses it; what the registry refuses is not done later either.
            if reply.status < 300 && self.end_of(reply).await == "done" {
                self.was_done("job.trigger", reason);
            }
            sleep(Duration::from_millis(700)).await;
        }
    }

    /// How an operation ended.
    async fn end_of(&self, mut reply: Reply) -> String {
        while reply.status == 202 {
            sleep(Duration::from_millis(100)).await;
            reply = self.client.get(&format!("/operations/{}", reply.body["id"].as_str().unwrap())).await;
        }
        reply.is(200)["state"].as_str().unwrap_or_default().to_owned()
    }
}

/// Makes the job that is triggered, and starts an instance that serves it.
pub(crate) fn witness(plane: &Plane) -> clockwright_e2e::harness::Node {
    let scene = plane.scene();
    let line = scene.command_line("--run-ms 20");
    let made = json!({ "name": WITNESS, "settings": {
        "elasticJobType": "SCRIPT", "cron": CRON, "shardingTotalCount": 2, "props": { "script.command.line": line }
    } });
    let _made = plane.wait(plane.root.post("witness", JOBS, &made)).is(201);
    let file = scene.file(
        "jobs.yaml",
        &format!(
            "jobs:\n  {WITNESS}:\n    elasticJobType: SCRIPT\n    cron: '{CRON}'\n    shardingTotalCount: 2\n    \
             props: {{script.command.line: '{line}'}}\n"
        ),
    );
    scene.node("node", &file, &[])
}

/// All that was acknowledged is there, once, and everything is as it should be.
#[track_caller]
pub(crate) fn judge(plane: &Plane, deeds: &[Deed]) {
    let verified = plane.wait(plane.root.get("/journal/verify")).is(200);
    assert_eq!(verified["holds"], true, "{verified:#}");
    let told = journal(plane);
    let count = |action: &str, outcome: &str, reason: &str| {
        let key = (action.to_owned(), outcome.to_owned(), reason.to_owned());
        told.get(&key).copied().unwrap_or(0)
    };
    for Deed { action, reason } in deeds {
        let is_operation = !matches!(*action, "job.create" | "job.update");
        let times = (count(action, "begun", reason), count(action, "done", reason));
        assert_eq!(times, (u64::from(is_operation), 1), "{action} `{reason}`: how often begun and done");
    }
    let mut left = Vec::new();
    eventually(PATIENCE, "nothing is open, everything is written, and nothing stands still", || {
        let now = plane.texts(LEFT);
        if now != left {
            println!("left: {now:?}");
        }
        left = now;
        left.is_empty()
    });
    for reason in deeds.iter().filter(|deed| deed.action == "job.update").map(|deed| &deed.reason) {
        let job = reason.split(' ').next().unwrap();
        let config = config(plane, job);
        assert!(config.contains(AFTER), "the registry has `{job}` as it was changed: {config}");
    }
    let triggered = deeds.iter().filter(|deed| deed.action == "job.trigger").count();
    let records = plane.scene().records();
    let starts = || records.iter().filter(|record| record.kind == Kind::Start);
    let fires: BTreeSet<&str> = starts().map(|record| record.fire.as_str()).collect();
    assert_eq!(
        (fires.len(), starts().count()),
        (triggered, 2 * triggered),
        "each trigger fired once: {fires:?}"
    );
}

/// How often each action ended how, for which reason.
fn journal(plane: &Plane) -> BTreeMap<(String, String, String), u64> {
    let (mut told, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = plane.wait(plane.root.get(&format!("/journal?limit=1000{after}"))).is(200);
        for record in page["items"].as_array().unwrap() {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            *told.entry((text("action"), text("outcome"), text("reason"))).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return told,
        }
    }
}
