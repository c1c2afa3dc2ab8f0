//! What an engine does when its session ends early, or when the registry cannot be reached at the end.
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use clockwright_engine::{Connect, Engine, EngineHandle, EngineOptions, JobDefinition};
use clockwright_events::Bus;
use clockwright_fleet::admin::Admin;
use clockwright_fleet::keys::Keys;
use clockwright_model::{InstanceId, JobKind, JobName, JobSettings, Millis};
use clockwright_registry::{ConnectOptions, Embedded, Error, Op, SharedRegistry};
use clockwright_runtime::{Control, RunEnd, RunSpec, Runtime, boottime};
use clockwright_testkit::faulty::{Fault, Faulty};
use clockwright_testkit::patience::{PATIENCE, soon};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A session that can be cut off: nothing reaches the registry, and nobody says that it is over.
struct Cut(Arc<AtomicBool>);

impl Fault for Cut {
    fn check(&self) -> Result<(), Error> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Error::Unavailable("the cable was pulled".to_owned())),
            false => Ok(()),
        }
    }
}

/// Never ends by itself, and shows the lease of each run.
#[derive(Default)]
struct Endless(Mutex<Vec<watch::Receiver<Millis>>>);

#[async_trait]
impl Runtime for Endless {
    async fn run(&self, _: RunSpec, control: Control) -> RunEnd {
        self.0.lock().unwrap().extend(control.lease);
        std::future::pending().await
    }
}

struct Stage {
    embedded: Embedded,
    engine: EngineHandle,
    runtime: Arc<Endless>,
    away: Arc<AtomicBool>,
    operator: SharedRegistry,
    keys: Keys,
}

/// One engine whose one item runs.
async fn stage() -> Stage {
    stage_with(6_000).await
}

/// The same, with sessions of this timeout, milliseconds.
async fn stage_with(session_timeout: i64) -> Stage {
    let embedded = Embedded::in_memory();
    let away = Arc::new(AtomicBool::new(false));
    let (place, cut) = (embedded.clone(), away.clone());
    let connect: Connect = Arc::new(move || {
        let session = place.connect(ConnectOptions { session_timeout });
        let away = cut.clone();
        Box::pin(async move { Ok(Arc::new(Faulty { inner: session?, fault: Cut(away) }) as SharedRegistry) })
    });
    let keys = Keys::new("ns").unwrap();
    let mut options = EngineOptions::new(keys.clone(), InstanceId::of_process("127.0.0.1", 7, 0));
    (options.shutdown_grace, options.stop_grace) = (100, 100);
    let runtime = Arc::new(Endless::default());
    let settings = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "0 0 0 1 1 ? 2099", 1);
    let jobs = vec![JobDefinition::new(settings, runtime.clone())];
    let engine = Engine::start(connect, jobs, Bus::silent(), options).await.unwrap();
    let operator: SharedRegistry = embedded.connect(ConnectOptions::default()).unwrap();
    soon("it owns the item", async || engine.status().await[0].items == [0]).await;
    Admin::new(&*operator, &keys).trigger("a", None).await.unwrap();
    soon("the item runs", async || !runtime.0.lock().unwrap().is_empty()).await;
    Stage { embedded, engine, runtime, away, operator, keys }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_though_the_registry_cannot_be_reached() {
    let stage = stage().await;
    stage.away.store(true, Ordering::SeqCst);
    let end = tokio::time::timeout(Duration::from_secs(20), stage.engine.shutdown()).await;
    end.expect("a shutdown has an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_within_a_limit_names_what_it_could_not_give_back_to_a_registry_that_is_away() {
    let stage = stage().await;
    stage.away.store(true, Ordering::SeqCst);
    let begun = tokio::time::Instant::now();
    let departure = stage.engine.shutdown_within(Duration::from_millis(800)).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(!departure.session_closed);
    let left = &departure.not_given_back[..];
    assert!(left.len() == 1 && left[0].running == [0] && left[0].to_string() == "1 item of `a`", "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_a_session_that_ended_are_over_and_the_next_session_does_not_prolong_them() {
    let stage = stage().await;
    let lease = stage.runtime.0.lock().unwrap()[0].clone();
    assert!(*lease.borrow() > boottime(), "it may go on as long as the session lives");
    let node = stage.keys.lease(stage.engine.instance());
    let first = stage.operator.read(std::slice::from_ref(&node)).await.unwrap().remove(0).unwrap();
    stage.embedded.expire(first.stat.owner);
    soon("there is another session", async || {
        let found = stage.operator.read(std::slice::from_ref(&node)).await.unwrap().remove(0);
        found.is_some_and(|found| found.stat.owner != first.stat.owner)
            && stage.engine.status().await[0].registered
    })
    .await;
    assert!(*lease.borrow() <= boottime(), "what the first session started is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_node_that_is_deleted_ends_the_runs_at_once_and_not_at_the_next_renewal() {
    let stage = stage().await;
    let lease = stage.runtime.0.lock().unwrap()[0].clone();
    let before = *lease.borrow();
    stage.operator.commit(vec![Op::delete(stage.keys.lease(stage.engine.instance()))]).await.unwrap();
    soon("the runs are over", async || *lease.borrow() <= boottime()).await;
    // The next renewal of a timeout of 6 s would have been a second later; what was proven before held for longer.
    assert!(boottime() < before, "nobody waited for what was proven before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_id_another_process_took_ends_with_its_runs_and_does_not_idle() {
    let stage = stage_with(2_000).await;
    let run = stage.runtime.0.lock().unwrap()[0].clone();
    let lease = stage.keys.lease(stage.engine.instance());
    let node = stage.operator.read(std::slice::from_ref(&lease)).await.unwrap().remove(0).unwrap();
    // It loses its session, and another process is faster.
    stage.away.store(true, Ordering::SeqCst);
    assert!(stage.embedded.expire(node.stat.owner));
    stage.operator.commit(vec![Op::create_ephemeral(lease, "another process")]).await.unwrap();
    stage.away.store(false, Ordering::SeqCst);
    tokio::time::timeout(PATIENCE, stage.engine.ended()).await.expect("it ends by itself");
    assert!(*run.borrow() <= boottime(), "nothing of it runs on");
}
