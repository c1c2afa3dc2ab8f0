#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::{v2, v3};
use clockwright_model::JobKind;
use clockwright_registry::{
    Commit, CommitFuture, ConnectOptions, Embedded, EmbeddedSession, Hint, Session, SharedRegistry, Terms,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

const A: &str = "10.0.0.1@-@7";
const B: &str = "10.0.0.2@-@8";

struct Stage {
    session: Arc<EmbeddedSession>,
    keys: Keys,
    job: JobName,
}

impl Stage {
    async fn new() -> Self {
        let session = Embedded::in_memory().connect(ConnectOptions::default()).unwrap();
        let stage = Self { session, keys: Keys::new("ns").unwrap(), job: JobName::new("myJob").unwrap() };
        stage.session.commit(vec![Op::create(stage.keys.root().clone(), "")]).await.unwrap();
        let settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
        for (key, data) in [
            (Key::Job, String::new()),
            (Key::Config, v2::write(&settings)),
            (Key::Instances, String::new()),
            (Key::Servers, String::new()),
            (Key::Server("10.0.0.1".into()), String::new()),
            (Key::Server("10.0.0.2".into()), String::new()),
        ] {
            stage.session.commit(vec![Op::create(stage.path(&key), data)]).await.unwrap();
        }
        for id in [A, B] {
            let op = Op::create_ephemeral(stage.path(&Key::Instance(InstanceId::from_wire(id))), "");
            stage.session.commit(vec![op]).await.unwrap();
        }
        stage
    }

    fn path(&self, key: &Key) -> Path {
        self.keys.of(&self.job, key)
    }

    fn admin(&self) -> Admin<'_> {
        Admin::new(&*self.session, &self.keys)
    }

    async fn data(&self, key: &Key) -> Option<String> {
        let node = self.session.read(&[self.path(key)]).await.unwrap().remove(0)?;
        Some(String::from_utf8(node.data.to_vec()).unwrap())
    }

    async fn instance(&self, id: &str) -> Option<String> {
        self.data(&Key::Instance(InstanceId::from_wire(id))).await
    }
}

const fn did(changed: usize, unchanged: usize) -> Done {
    Done { changed, unchanged }
}

#[tokio::test]
async fn a_trigger_reaches_each_live_instance_once() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().trigger("myJob").await, Ok(did(2, 0)));
    assert_eq!(stage.instance(A).await.as_deref(), Some("TRIGGER"));
    assert_eq!(stage.admin().trigger("myJob").await, Ok(did(0, 2)));
}

#[tokio::test]
async fn a_trigger_never_makes_an_instance() {
    let stage = Stage::new().await;
    stage
        .session
        .commit(vec![Op::delete(stage.path(&Key::Instance(InstanceId::from_wire(B))))])
        .await
        .unwrap();
    assert_eq!(stage.admin().trigger("myJob").await, Ok(did(1, 0)));
    assert_eq!(stage.instance(B).await, None);
}

#[tokio::test]
async fn a_job_is_disabled_on_one_server_or_on_all() {
    let stage = Stage::new().await;
    let server = |ip: &str| Key::Server(ip.into());
    assert_eq!(stage.admin().set_job_disabled("myJob", Some("10.0.0.1"), true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server("10.0.0.1")).await.as_deref(), Some("DISABLED"));
    assert_eq!(stage.data(&server("10.0.0.2")).await.as_deref(), Some(""));
    assert_eq!(stage.admin().set_job_disabled("myJob", None, true).await, Ok(did(1, 1)));
    assert_eq!(stage.admin().set_server_disabled("10.0.0.2", false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server("10.0.0.2")).await.as_deref(), Some(""));
    let error = stage.admin().set_job_disabled("myJob", Some("10.0.0.3"), true).await.unwrap_err();
    assert_eq!(error.to_string(), "job `myJob` has no server `10.0.0.3`; did you mean `10.0.0.1`?");
}

#[tokio::test]
async fn an_item_is_disabled_before_the_first_plan_too_and_enabled_again() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&Key::Disabled(2)).await.as_deref(), Some(""));
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, true).await, Ok(did(0, 1)));
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&Key::Disabled(2)).await, None);
    let error = stage.admin().set_item_disabled("myJob", 3, true).await.unwrap_err();
    assert_eq!(error.to_string(), "job `myJob` has no item 3; its items are 0 to 2");
}

#[tokio::test]
async fn a_pause_keeps_its_first_note_until_it_is_resumed() {
    let stage = Stage::new().await;
    let note = |by: &str| PauseNote { at: 9, by: by.into(), reason: "why".into() };
    assert_eq!(stage.admin().pause("myJob", &note("ann")).await, Ok(did(1, 0)));
    assert_eq!(stage.admin().pause("myJob", &note("bob")).await, Ok(did(0, 1)));
    let data = stage.data(&Key::Paused).await.unwrap();
    assert_eq!(PauseNote::read(data.as_bytes()), note("ann"));
    assert_eq!(stage.admin().resume("myJob").await, Ok(did(1, 0)));
    assert_eq!(stage.admin().resume("myJob").await, Ok(did(0, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_runs_and_says_what_still_does() {
    let stage = Stage::new().await;
    let running = stage.path(&Key::Running(1));
    for op in [
        Op::create(stage.path(&Key::Items), ""),
        Op::create(stage.path(&Key::Item(1)), ""),
        Op::create_ephemeral(running.clone(), ""),
    ] {
        stage.session.commit(vec![op]).await.unwrap();
    }
    let note = PauseNote::default();
    let error = stage.admin().drain("myJob", &note, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.to_string(), "after 3 s, item(s) 1 of job `myJob` still run; the job stays paused");
    assert!(stage.data(&Key::Paused).await.is_some());
    let session = Arc::clone(&stage.session);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        session.commit(vec![Op::delete(running)]).await.unwrap();
    });
    let started = Instant::now();
    assert_eq!(stage.admin().drain("myJob", &note, Duration::from_secs(600)).await, Ok(did(0, 1)));
    assert!(started.elapsed() >= Duration::from_secs(60));
}

#[tokio::test]
async fn a_shutdown_deletes_the_nodes_of_the_instances_it_names() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().shutdown(Some("myJob"), Some("10.0.0.2")).await, Ok(did(1, 0)));
    assert_eq!((stage.instance(A).await.as_deref(), stage.instance(B).await), (Some(""), None));
    assert_eq!(stage.admin().shutdown(None, Some(A)).await, Ok(did(1, 0)));
    assert_eq!(stage.instance(A).await, None);
}

#[tokio::test]
async fn a_job_is_removed_whole_but_not_under_a_live_instance() {
    let stage = Stage::new().await;
    let error = stage.admin().remove("myJob").await.unwrap_err();
    assert!(matches!(error, AdminError::StillServed { instances: 2, .. }), "{error}");
    stage.admin().shutdown(Some("myJob"), None).await.unwrap();
    assert_eq!(stage.admin().remove("myJob").await, Ok(did(6, 0)));
    assert_eq!(stage.session.list(stage.keys.root()).await, Ok(vec![]));
}

#[test]
fn a_removal_is_cut_into_batches_within_the_limits() {
    let paths: Vec<Path> = (0..10).map(|i| Path::new(&format!("/a/{i}")).unwrap()).collect();
    let weight = Op::delete(paths[0].clone()).weight();
    assert_eq!(batches(paths.clone(), 4, 1_000_000).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(
        batches(paths.clone(), 100, 3 * weight).iter().map(Vec::len).collect::<Vec<_>>(),
        [3, 3, 3, 1]
    );
    let all: Vec<Path> = batches(paths.clone(), 3, 1).iter().flatten().map(|op| op.path().clone()).collect();
    assert_eq!(all, paths);
}

#[tokio::test]
async fn an_edit_is_checked_before_it_is_written() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.admin().update("myJob", |settings| settings.sharding_total_count = 5).await,
        Ok(did(1, 0))
    );
    let stored = v2::read(stage.data(&Key::Config).await.unwrap().as_bytes(), None).unwrap();
    assert_eq!(stored.sharding_total_count, 5);
    assert_eq!(
        stage.admin().update("myJob", |settings| settings.sharding_total_count = 5).await,
        Ok(did(0, 1))
    );
    let error =
        stage.admin().update("myJob", |settings| settings.cron = "nonsense".into()).await.unwrap_err();
    assert!(error.to_string().starts_with("the settings of job `myJob` cannot be used: cron: "), "{error}");
    let stored = v2::read(stage.data(&Key::Config).await.unwrap().as_bytes(), None).unwrap();
    assert_eq!(stored.cron, "0 0 12 * * ?");
}

/// A session whose next commits lose their answers, after or before they took effect.
struct Lossy {
    inner: Arc<EmbeddedSession>,
    losses: Mutex<VecDeque<Loss>>,
}

#[derive(Clone, Copy)]
enum Loss {
    AfterEffect,
    BeforeEffect,
}

#[async_trait::async_trait]
impl Registry for Lossy {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        self.inner.read(paths).await
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        self.inner.lists(paths).await
    }

    async fn access(&self, paths: &[Path]) -> Result<Vec<clockwright_registry::Access>, Error> {
        self.inner.access(paths).await
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        self.inner.tree(path).await
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        let loss = self.losses.lock().unwrap().pop_front();
        let lost = |_: Result<Commit, Error>| Err(Error::Unknown("the answer got lost".into()));
        match loss {
            None => self.inner.commit(ops),
            Some(Loss::BeforeEffect) => Box::pin(async move { lost(Err(Error::SessionLost)) }),
            Some(Loss::AfterEffect) => {
                let commit = self.inner.commit(ops);
                Box::pin(async move { lost(commit.await) })
            }
        }
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        self.inner.watch(root).await
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.inner.session()
    }

    fn terms(&self) -> Terms {
        self.inner.terms()
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_and_nothing_is_done_twice() {
    use Loss::{AfterEffect, BeforeEffect};
    for losses in [
        vec![AfterEffect],
        vec![BeforeEffect],
        vec![BeforeEffect, AfterEffect],
        vec![AfterEffect, BeforeEffect],
    ] {
        let stage = Stage::new().await;
        let inner = Arc::clone(&stage.session);
        let lossy: SharedRegistry = Arc::new(Lossy { inner, losses: Mutex::new(losses.into()) });
        let admin = Admin::new(&*lossy, &stage.keys);
        assert_eq!(admin.trigger("myJob").await, Ok(did(2, 0)));
        let node = stage
            .session
            .read(&[stage.path(&Key::Instance(InstanceId::from_wire(A)))])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(node.unwrap().stat.version, 1, "set once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_pause_or_a_resume_counts_once() {
    let stage = Stage::new().await;
    let losses = VecDeque::from([Loss::AfterEffect]);
    let lossy = Lossy { inner: Arc::clone(&stage.session), losses: Mutex::new(losses) };
    let admin = Admin::new(&lossy, &stage.keys);
    assert_eq!(admin.pause("myJob", &PauseNote::default()).await, Ok(did(1, 0)));
    lossy.losses.lock().unwrap().push_back(Loss::AfterEffect);
    assert_eq!(admin.resume("myJob").await, Ok(did(1, 0)));
}

#[tokio::test]
async fn a_job_of_3x_is_steered_by_its_own_nodes() {
    let stage = Stage::new().await;
    let settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
    let config = format!(
        "{}label: blue\n",
        v3::write(&settings).replace("jobName", "jobListenerTypes:\n- audit\njobName")
    );
    for (key, data) in
        [(Key::Job, "com.example.Job"), (Key::Config, &config), (Key::Server("10.0.0.2".into()), "ENABLED")]
    {
        stage.session.commit(vec![Op::set(stage.path(&key), data.to_owned())]).await.unwrap();
    }
    assert_eq!(stage.admin().trigger("myJob").await, Ok(did(2, 0)));
    assert_eq!(stage.admin().trigger("myJob").await, Ok(did(0, 2)));
    assert_eq!(stage.data(&Key::Trigger(InstanceId::from_wire(A))).await.as_deref(), Some(""));
    assert_eq!(stage.instance(A).await.as_deref(), Some(""), "the instance node is left alone");

    let server = Key::Server("10.0.0.1".into());
    assert_eq!(stage.admin().set_job_disabled("myJob", Some("10.0.0.1"), true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server).await.as_deref(), Some("DISABLED"));
    assert_eq!(stage.admin().set_server_disabled("10.0.0.1", false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server).await.as_deref(), Some("ENABLED"));

    assert_eq!(stage.admin().update("myJob", |settings| settings.cron = String::new()).await, Ok(did(1, 0)));
    let expected = config.replace("cron: 0 0 12 * * ?\n", "");
    assert_eq!(stage.data(&Key::Config).await, Some(expected), "only the changed key is touched");

    stage.admin().shutdown(Some("myJob"), None).await.unwrap();
    stage.admin().remove("myJob").await.unwrap();
    assert_eq!(stage.session.list(stage.keys.root()).await, Ok(vec![]));
}

#[tokio::test]
async fn a_job_of_2x_cannot_be_made_a_one_off_job() {
    let stage = Stage::new().await;
    let error = stage.admin().update("myJob", |settings| settings.cron = String::new()).await.unwrap_err();
    assert!(error.to_string().contains("cron: must not be empty"), "{error}");
}
