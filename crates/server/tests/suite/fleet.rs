//! A project with one job, whose hosts and instances are nodes that a test writes as Java does, or engines that run in the process.

use crate::stage::{Caller, Reply, Stage};
use clockwright_engine::{Engine, EngineHandle, EngineOptions, JobDefinition};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{Event, InstanceId, JobName, Settlement};
use clockwright_registry::{Connect, ConnectOptions, Op, SharedRegistry};
use clockwright_runtime::{SharedRuntime, SimpleFn};
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) const HERE: &str = "10.0.0.1";
pub(crate) const THERE: &str = "10.0.0.2";
pub(crate) const JOB: &str = "/projects/billing/jobs/report";

pub(crate) struct Fleet<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) root: Caller,
    pub(crate) layout: Layout,
    pub(crate) keys: Keys,
    /// Somebody else's session, by which nodes are written and ephemeral ones live.
    pub(crate) outside: SharedRegistry,
}

/// What every item of an engine's job does.
pub(crate) struct Code {
    go_on: watch::Sender<bool>,
    pub(crate) runtime: SharedRuntime,
}

impl Code {
    /// Waits until the test lets it end.
    pub(crate) fn waiting() -> Self {
        let go_on = watch::Sender::new(false);
        let sender = go_on.clone();
        let runtime = Arc::new(SimpleFn::new(move |_, _| {
            let mut seen = sender.subscribe();
            async move { seen.wait_for(|go| *go).await.map(drop).map_err(|error| error.to_string()) }
        }));
        Self { go_on, runtime }
    }

    /// Ends at once.
    pub(crate) fn quick() -> Self {
        let code = Self::waiting();
        code.finish();
        code
    }

    /// Lets all that runs end, and all that begins.
    pub(crate) fn finish(&self) {
        self.go_on.send_replace(true);
    }
}

/// An engine that serves the job.
pub(crate) struct Instance {
    pub(crate) handle: EngineHandle,
    pub(crate) seen: Arc<Recorder>,
}

impl Instance {
    pub(crate) fn outcomes(&self) -> Vec<Settlement> {
        let of = |event: Event| match event {
            Event::Settlement(settlement) => Some(settlement),
            _ => None,
        };
        self.seen.events().into_iter().filter_map(of).collect()
    }

    pub(crate) async fn running(&self) -> usize {
        self.handle.status().await.first().map_or(0, |job| job.running.len())
    }
}

impl<'a> Fleet<'a> {
    /// A job of three items that only fires when it is asked to.
    pub(crate) async fn new(stage: &'a Stage, layout: Layout) -> Self {
        let root = stage.admin().await;
        let project = json!({ "name": "billing", "layout": layout.number() });
        stage.post(&root, "/projects", project).await.is(201);
        let settings = json!({
            "elasticJobClass": "com.example.Job", "cron": "0 0 0 1 1 ? 2099", "shardingTotalCount": 3,
        });
        let job = json!({ "name": "report", "settings": settings });
        let made = stage.post(&root, "/projects/billing/jobs", job).await.is(201);
        assert_eq!(made["sync"]["state"], "written", "{made:#}");
        let keys = Keys::new("billing").unwrap();
        let outside = stage.registry.connect(ConnectOptions::default()).unwrap();
        Self { stage, root, layout, keys, outside }
    }

    pub(crate) fn name(&self) -> JobName {
        JobName::new("report").unwrap()
    }

    /// Writes a node of the job, made with what is above it when it is missing.
    pub(crate) async fn write(&self, key: Key, data: &str) {
        let path = self.keys.of(&self.name(), &key);
        if self.outside.read(std::slice::from_ref(&path)).await.unwrap()[0].is_some() {
            self.outside.commit(vec![Op::set(path, data.to_owned())]).await.unwrap();
            return;
        }
        let relative = key.to_string();
        let ends = relative.match_indices('/').map(|(end, _)| end);
        for end in ends {
            let parent = self.keys.job(&self.name()).join(&relative[..end]);
            let _ = self.outside.commit(vec![Op::create(parent, "")]).await;
        }
        self.outside.commit(vec![Op::create(path, data.to_owned())]).await.unwrap();
    }

    pub(crate) async fn delete(&self, key: Key) {
        let path = self.keys.of(&self.name(), &key);
        self.outside.commit(vec![Op::delete(path)]).await.unwrap();
    }

    /// What a node of the job says.
    pub(crate) async fn node(&self, key: Key) -> Option<String> {
        let path = self.keys.of(&self.name(), &key);
        let node = self.outside.read(&[path]).await.unwrap().pop().flatten()?;
        Some(String::from_utf8(node.data.to_vec()).unwrap())
    }

    /// A host that the job knows, enabled.
    pub(crate) async fn host(&self, ip: &str) {
        self.write(Key::Server(ip.to_owned()), self.layout.server(false)).await;
    }

    pub(crate) async fn is_disabled(&self, ip: &str) -> bool {
        self.node(Key::Server(ip.to_owned())).await.as_deref() == Some("DISABLED")
    }

    pub(crate) async fn is_drained(&self, ip: &str) -> bool {
        self.node(Key::SmoothStop(ip.to_owned())).await.is_some()
    }

    /// A Java instance on a host, which owns an item.
    pub(crate) async fn java(&self, ip: &str, item: u32) -> InstanceId {
        self.host(ip).await;
        let id = InstanceId::from_wire(&format!("{ip}@-@99"));
        let _ = self.write(Key::Instances, "").await;
        let path = self.keys.of(&self.name(), &Key::Instance(id.clone()));
        let node = Op::create_ephemeral(path, self.layout.instance(&id));
        self.outside.commit(vec![node]).await.unwrap();
        self.write(Key::Owner(item), id.as_str()).await;
        id
    }

    /// An engine that serves the job on a host, and owns all its items.
    pub(crate) async fn engine(&self, ip: &str, code: &Code) -> Instance {
        let registry = self.stage.registry.clone();
        let connect: Connect = Arc::new(move || {
            let session = registry.connect(ConnectOptions { session_timeout: 6_000 });
            Box::pin(async move { Ok(session? as SharedRegistry) })
        });
        let seen = Recorder::new();
        let bus = Bus::start(vec![seen.clone()], BusOptions::default());
        let options = EngineOptions::new(self.keys.clone(), InstanceId::of_process(ip, 7, 0));
        let config = self.node(Key::Config).await.unwrap();
        let root = self.node(Key::Job).await.unwrap();
        let settings = self.layout.read(config.as_bytes(), root.as_bytes(), None).unwrap();
        let job = JobDefinition::new(settings, code.runtime.clone());
        let handle = Engine::start(connect, vec![job], bus, options).await.unwrap();
        soon("the engine owns all items", async || {
            handle.status().await.first().is_some_and(|job| job.items.len() == 3)
        })
        .await;
        Instance { handle, seen }
    }

    /// An operation on the job.
    pub(crate) async fn operate(&self, verb: &str, body: Value) -> Reply {
        self.stage.post(&self.root, &format!("{JOB}/{verb}"), body).await
    }

    /// An operation on the job that is done at once; its result.
    pub(crate) async fn done(&self, verb: &str, body: Value) -> Value {
        let done = self.operate(verb, body).await.is(200);
        assert_eq!(done["state"], "done", "{done:#}");
        done["result"].clone()
    }

    /// What is there now, for whoever looks again and again: time passes, so that they may.
    pub(crate) async fn look(&self, path: &str) -> Value {
        self.stage.pass(20);
        self.stage.get(&self.root, path).await.body
    }

    /// The one trigger's mark: the transaction that made it, as a fire is named by it, and what it says.
    pub(crate) async fn mark(&self) -> (String, Value) {
        let ids = self.outside.list(&self.keys.requests()).await.unwrap();
        let [id] = &ids[..] else { panic!("{ids:?}") };
        let mark = self.outside.read(&[self.keys.request(id)]).await.unwrap().pop().flatten().unwrap();
        (format!("{:x}", mark.stat.created), serde_json::from_slice(&mark.data).unwrap())
    }

    /// What stands still by somebody's wish: kind, scope, target and origin.
    pub(crate) async fn holds(&self) -> Vec<String> {
        let holds = self.stage.get(&self.root, "/projects/billing/holds").await.is(200);
        let text = |hold: &Value, key: &str| hold[key].as_str().unwrap_or_default().to_owned();
        let line = |hold: &Value| {
            let parts = ["kind", "scope", "target", "origin"].map(|key| text(hold, key));
            parts.join(" ").replace("  ", " ")
        };
        holds.as_array().unwrap().iter().map(line).collect()
    }

    /// The outcomes of the newest records of an action.
    pub(crate) async fn told(&self, action: &str) -> Vec<String> {
        let path = format!("/projects/billing/journal?action={action}");
        let records = self.stage.get(&self.root, &path).await.is(200);
        let items = records["items"].as_array().unwrap();
        items.iter().map(|record| record["outcome"].as_str().unwrap().to_owned()).collect()
    }
}
