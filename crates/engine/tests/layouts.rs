//! Jobs in the layout of 3.x, and how a job gets its layout: engines on the embedded registry.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_engine::{Connect, Engine, EngineHandle, EngineOptions, JobDefinition};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_fleet::Layout;
use clockwright_fleet::admin::Admin;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{Event, Fire, InstanceId, Item, JobKind, JobName, JobSettings, Settlement, Source};
use clockwright_registry::{ConnectOptions, Embedded, EmbeddedSession, Op, SharedRegistry};
use clockwright_runtime::SimpleFn;
use clockwright_testkit::patience::soon;
use std::sync::Arc;

/// A schedule that no test lives to see.
const NEVER: &str = "0 0 0 1 1 ? 2099";

/// A registry, and an operator who looks at it.
struct Stage {
    embedded: Embedded,
    session: Arc<EmbeddedSession>,
    keys: Keys,
}

impl Stage {
    async fn new() -> Self {
        let embedded = Embedded::in_memory();
        let session = embedded.connect(ConnectOptions::default()).unwrap();
        let keys = Keys::new("ns").unwrap();
        let stage = Self { embedded, session, keys };
        stage.commit(Op::create(stage.keys.root().clone(), "")).await;
        stage
    }

    async fn commit(&self, op: Op) {
        use clockwright_registry::Registry as _;
        self.session.commit(vec![op]).await.unwrap();
    }

    async fn put(&self, job: &str, key: &Key, data: &str) {
        self.commit(Op::create(self.keys.of(&JobName::new(job).unwrap(), key), data.to_owned())).await;
    }

    async fn get(&self, job: &str, key: &Key) -> Option<String> {
        use clockwright_registry::Registry as _;
        let path = self.keys.of(&JobName::new(job).unwrap(), key);
        let node = self.session.read(&[path]).await.unwrap().remove(0)?;
        Some(String::from_utf8(node.data.to_vec()).unwrap())
    }

    /// How many plans were made for a job.
    async fn plans(&self, job: &str) -> i32 {
        use clockwright_registry::Registry as _;
        let path = self.keys.of(&JobName::new(job).unwrap(), &Key::Epoch);
        self.session.read(&[path]).await.unwrap().remove(0).unwrap().stat.version
    }

    /// A job that is there already, with nobody behind it.
    async fn job(&self, settings: &JobSettings, layout: Layout) {
        let name = settings.name.as_str();
        self.put(name, &Key::Job, layout.root(settings)).await;
        self.put(name, &Key::Config, &layout.write(settings)).await;
    }

    async fn engine(
        &self,
        number: u32,
        jobs: &[JobSettings],
        layout: Option<Layout>,
    ) -> (EngineHandle, Arc<Recorder>) {
        let recorder = Recorder::new();
        let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
        let mut options =
            EngineOptions::new(self.keys.clone(), InstanceId::of_process("127.0.0.1", 7, number));
        options.layout = layout;
        let embedded = self.embedded.clone();
        let connect: Connect = Arc::new(move || {
            let session = embedded.connect(ConnectOptions { session_timeout: 6_000 });
            Box::pin(async move { session.map(|session| session as SharedRegistry) })
        });
        let code = Arc::new(SimpleFn::new(|_, _| async { Ok::<(), String>(()) }));
        let jobs = jobs.iter().map(|settings| JobDefinition::new(settings.clone(), code.clone())).collect();
        (Engine::start(connect, jobs, bus, options).await.unwrap(), recorder)
    }
}

fn settings(name: &str, cron: &str, items: Item) -> JobSettings {
    JobSettings::new(JobName::new(name).unwrap(), JobKind::Simple, cron, items)
}

fn settlements(events: &[Event]) -> Vec<Settlement> {
    let of = |event: &Event| match event {
        Event::Settlement(settlement) => Some(settlement.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

async fn owns(engine: &EngineHandle, items: usize) {
    soon("it owns its items", async || engine.status().await[0].items.len() == items).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_job_gets_the_layout_that_others_of_its_namespace_have() {
    let stage = Stage::new().await;
    stage.job(&settings("old", NEVER, 1), Layout::V3).await;
    let (engine, _) = stage.engine(0, &[settings("new", NEVER, 2)], None).await;
    owns(&engine, 2).await;
    let me = engine.instance().clone();
    assert!(stage.get("new", &Key::Config).await.unwrap().starts_with("cron: "));
    assert_eq!(stage.get("new", &Key::Job).await.as_deref(), Some("new"));
    assert_eq!(stage.get("new", &Key::Server("127.0.0.1".into())).await.as_deref(), Some("ENABLED"));
    let node = stage.get("new", &Key::Instance(me.clone())).await.unwrap();
    assert_eq!(node, format!("jobInstanceId: {me}\nserverIp: 127.0.0.1\n"));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_chooses_the_layout_of_new_jobs_and_of_no_others() {
    let stage = Stage::new().await;
    stage.job(&settings("old", NEVER, 1), Layout::V2).await;
    let jobs = [settings("new", NEVER, 1), settings("old", NEVER, 1)];
    let (engine, _) = stage.engine(0, &jobs, Some(Layout::V3)).await;
    soon("both are owned", async || engine.status().await.iter().all(|job| job.items == [0])).await;
    let config = async |job| Layout::of(stage.get(job, &Key::Config).await.unwrap().as_bytes());
    assert_eq!((config("new").await, config("old").await), (Some(Layout::V3), Some(Layout::V2)));
    assert_eq!(stage.get("old", &Key::Server("127.0.0.1".into())).await.as_deref(), Some(""));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_off_job_runs_once_for_each_trigger_and_its_node_goes() {
    let stage = Stage::new().await;
    let (engine, seen) = stage.engine(0, &[settings("once", "", 2)], Some(Layout::V3)).await;
    owns(&engine, 2).await;
    let admin = Admin::new(&*stage.session, &stage.keys);
    for round in 1..=2 {
        assert!(!admin.trigger("once", None).await.unwrap().repeated);
        let events = seen.wait_for(|events| settlements(events).len() == 2 * round).await;
        assert!(settlements(&events).iter().all(|s| matches!(s.fire, Fire::Trigger { .. })));
        let node = Key::Trigger(engine.instance().clone());
        soon("the node goes", async || stage.get("once", &node).await.is_none()).await;
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_off_job_is_refused_in_the_layout_of_2x_with_the_reason() {
    let stage = Stage::new().await;
    let (engine, _) = stage.engine(0, &[settings("once", "", 2)], None).await;
    soon("it is degraded", async || engine.status().await[0].degraded.is_some()).await;
    let reason = engine.status().await[0].degraded.clone().unwrap();
    assert!(reason.contains("layout of Elastic-Job 2.x: cron: must not be empty"), "{reason}");
    assert_eq!(stage.get("once", &Key::Config).await, None);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_static_sharding_items_stay_until_their_number_changes() {
    let stage = Stage::new().await;
    let mut job = settings("static", NEVER, 2);
    job.static_sharding = true;
    let (first, _) = stage.engine(0, &[job.clone()], Some(Layout::V3)).await;
    owns(&first, 2).await;
    let (second, _) = stage.engine(1, &[job], None).await;
    soon("the second one is there", async || second.status().await[0].registered).await;
    let admin = Admin::new(&*stage.session, &stage.keys);
    admin.update("static", None, |settings| settings.sharding_total_count = 4).await.unwrap();
    owns(&first, 2).await;
    owns(&second, 2).await;
    assert_eq!(stage.plans("static").await, 2, "one at the beginning, one for the new number");
    second.shutdown().await;
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_java_instance_left_running_is_cleared_and_runs_again() {
    let stage = Stage::new().await;
    let mut job = settings("once", "", 3);
    job.failover = true;
    stage.job(&job, Layout::V3).await;
    let dead = "10.9.9.9@-@1";
    stage.put("once", &Key::Items, "").await;
    for (item, keys) in
        [(0, vec![Key::Running(0)]), (1, vec![Key::Running(1), Key::Failovering(1)]), (2, vec![])]
    {
        stage.put("once", &Key::Item(item), "").await;
        stage.put("once", &Key::Owner(item), dead).await;
        for key in keys {
            stage.put("once", &key, dead).await;
        }
    }
    stage.put("once", &Key::Triggers, "").await;
    stage.put("once", &Key::Trigger(InstanceId::from_wire(dead)), "").await;
    let (engine, seen) = stage.engine(0, &[job], None).await;
    let events = seen.wait_for(|events| settlements(events).len() == 2).await;
    let mut ran: Vec<_> = settlements(&events).iter().map(|s| (s.item, s.source)).collect();
    ran.sort_by_key(|(item, _)| *item);
    assert_eq!(ran, [(0, Source::Failover), (1, Source::Failover)]);
    let left =
        [Key::Running(0), Key::Running(1), Key::Failovering(1), Key::FailoverItem(0), Key::FailoverItem(1)];
    for key in
        left.into_iter().chain([Key::Taken(0), Key::Taken(1), Key::Trigger(InstanceId::from_wire(dead))])
    {
        soon(&format!("{key:?} goes"), async || stage.get("once", &key).await.is_none()).await;
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_failover_what_the_dead_left_is_cleared_and_the_schedule_goes_on() {
    let stage = Stage::new().await;
    let job = settings("brisk", "* * * * * ?", 1);
    stage.job(&job, Layout::V3).await;
    stage.put("brisk", &Key::Items, "").await;
    stage.put("brisk", &Key::Item(0), "").await;
    stage.put("brisk", &Key::Running(0), "10.9.9.9@-@1").await;
    let (engine, seen) = stage.engine(0, &[job], None).await;
    seen.wait_for(|events| settlements(events).len() >= 2).await;
    engine.shutdown().await;
    assert_eq!(stage.get("brisk", &Key::Running(0)).await, None);
}
