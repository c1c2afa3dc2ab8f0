#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use clockwright_fleet::Layout;
use clockwright_fleet::view::JobStatus;
use clockwright_model::{InstanceId, JobKind, JobSettings};
use clockwright_registry::{ConnectOptions, Embedded, EmbeddedSession, Op, Registry};
use clockwright_testkit::patience::soon;
use std::sync::atomic::{AtomicI64, Ordering};

const A: &str = "10.0.0.1@-@7";

/// A namespace in a registry in memory, and the mirror of it.
struct Stage {
    registry: Embedded,
    outsider: Arc<EmbeddedSession>,
    keys: Keys,
    mirrors: Mirrors,
    time: Arc<AtomicI64>,
}

impl Stage {
    async fn new() -> Self {
        let registry = Embedded::in_memory();
        let outsider = registry.connect(ConnectOptions::default()).unwrap();
        let keys = Keys::new("ns").unwrap();
        let ops =
            [keys.root().clone(), keys.own_root().clone(), keys.leases()].map(|path| Op::create(path, ""));
        outsider.commit(ops.into()).await.unwrap();
        Self { registry, outsider, keys, mirrors: Mirrors::default(), time: Arc::new(AtomicI64::new(1_000)) }
    }

    async fn commit(&self, job: &str, ops: impl IntoIterator<Item = (Key, Option<String>)>) {
        let job = JobName::new(job).unwrap();
        let ops = ops.into_iter().map(|(key, data)| {
            let path = self.keys.of(&job, &key);
            match (key, data) {
                (_, None) => Op::delete(path),
                (Key::Instance(_) | Key::Running(_), Some(data)) => Op::create_ephemeral(path, data),
                (_, Some(data)) => Op::create(path, data),
            }
        });
        self.outsider.commit(ops.collect()).await.unwrap();
    }

    /// A job of one item, which an instance owns.
    async fn register(&self, job: &str) {
        let name = JobName::new(job).unwrap();
        let settings = JobSettings::new(name, JobKind::Simple, "0 0 1 * * ?", 1);
        let id = InstanceId::from_wire(A);
        let nodes = [
            (Key::Job, String::new()),
            (Key::Config, Layout::V2.write(&settings)),
            (Key::Instances, String::new()),
            (Key::Instance(id), String::new()),
            (Key::Items, String::new()),
            (Key::Item(0), String::new()),
            (Key::Owner(0), A.to_owned()),
        ];
        self.commit(job, nodes.map(|(key, data)| (key, Some(data)))).await;
    }

    fn mirror(&self) -> Arc<Mirror> {
        self.mirrors.of(1)
    }

    fn begin(&self) -> tokio::task::JoinHandle<String> {
        let session = self.registry.connect(ConnectOptions::default()).unwrap();
        self.begin_with(session)
    }

    fn begin_with(&self, session: clockwright_registry::SharedRegistry) -> tokio::task::JoinHandle<String> {
        let (mirror, keys, time) = (self.mirror(), self.keys.clone(), Arc::clone(&self.time));
        tokio::spawn(async move {
            let pulse = crate::observe::Pulses::default().begin("mirror");
            session::follow(&mirror, session, &keys, &move || time.load(Ordering::SeqCst), &pulse).await
        })
    }

    fn status(&self, job: &str) -> Option<JobStatus> {
        self.mirror().read().job(job).map(|row| row.status().0)
    }

    async fn shows(&self, job: &str, status: Option<JobStatus>) {
        soon(&format!("{job} is {status:?}"), async || self.status(job) == status).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_the_registry_shows_in_the_row() {
    let stage = Stage::new().await;
    stage.register("report").await;
    let _following = stage.begin();
    stage.shows("report", Some(JobStatus::Ok)).await;
    let mut moved = stage.mirrors.changes();
    stage.commit("report", [(Key::Paused, Some("{}".into()))]).await;
    stage.shows("report", Some(JobStatus::Paused)).await;
    assert_eq!(moved.recv().await.unwrap().jobs[..], [JobName::new("report").unwrap()]);
    stage.commit("report", [(Key::Paused, None), (Key::Instance(InstanceId::from_wire(A)), None)]).await;
    stage.shows("report", Some(JobStatus::Crashed)).await;
    stage.register("bill").await;
    stage.shows("bill", Some(JobStatus::Ok)).await;
    let gone = [Key::Owner(0), Key::Item(0), Key::Items, Key::Instances, Key::Config, Key::Job];
    stage.commit("report", gone.map(|key| (key, None))).await;
    stage.shows("report", None).await;
}

#[tokio::test(start_paused = true)]
async fn what_changed_between_two_sessions_is_found_by_the_second() {
    let stage = Stage::new().await;
    stage.register("report").await;
    let session = stage.registry.connect(ConnectOptions::default()).unwrap();
    let following = stage.begin_with(Arc::clone(&session) as _);
    stage.shows("report", Some(JobStatus::Ok)).await;
    session.close().await.unwrap();
    assert_eq!(following.await.unwrap(), "its session is over");
    stage.commit("report", [(Key::Paused, Some("{}".into()))]).await;
    stage.register("bill").await;
    assert_eq!(stage.status("report"), Some(JobStatus::Ok), "what is known stays");
    let _following = stage.begin();
    stage.shows("report", Some(JobStatus::Paused)).await;
    stage.shows("bill", Some(JobStatus::Ok)).await;
}

#[tokio::test(start_paused = true)]
async fn the_age_goes_on_while_commits_are_answered_although_nothing_changes() {
    let stage = Stage::new().await;
    let _following = stage.begin();
    soon("it is read", async || stage.mirror().read().as_of == Some(1_000)).await;
    assert_eq!(stage.mirror().read().state, State::Following);
    stage.time.store(60_000, Ordering::SeqCst);
    soon("it is proved anew", async || stage.mirror().read().as_of == Some(60_000)).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_there_yet_is_followed_until_it_is() {
    let registry = Embedded::in_memory();
    let outsider = registry.connect(ConnectOptions::default()).unwrap();
    let stage = Stage {
        registry,
        outsider,
        keys: Keys::new("ns").unwrap(),
        mirrors: Mirrors::default(),
        time: Arc::new(AtomicI64::new(1_000)),
    };
    let _following = stage.begin();
    soon("it is read", async || stage.mirror().read().as_of.is_some()).await;
    stage.outsider.commit(vec![Op::create(stage.keys.root().clone(), "")]).await.unwrap();
    stage.register("report").await;
    stage.shows("report", Some(JobStatus::Ok)).await;
}
