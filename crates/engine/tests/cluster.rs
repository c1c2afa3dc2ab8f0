//! Engines on the embedded registry, with real time and in-process jobs.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_engine::{
    Connect, Engine, EngineHandle, EngineOptions, JobDefinition, JobListener, OnceListener,
};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::view::PauseNote;
use clockwright_model::{
    Event, FailureKind, Fire, InstanceId, Item, JobKind, JobName, JobSettings, Misfire, Outcome, Reason,
    Retry, Settlement, ShardContext, Source,
};
use clockwright_registry::{ConnectOptions, Embedded, Op, SharedRegistry};
use clockwright_runtime::{SharedRuntime, SimpleFn};
use clockwright_testkit::patience::soon;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

fn no_op() -> SharedRuntime {
    Arc::new(SimpleFn::new(|_, _| async { Ok::<(), String>(()) }))
}

fn connector(embedded: &Embedded) -> Connect {
    let embedded = embedded.clone();
    Arc::new(move || {
        let session = embedded.connect(ConnectOptions { session_timeout: 6_000 });
        Box::pin(async move { session.map(|session| session as SharedRegistry) })
    })
}

fn job(name: &str, cron: &str, items: Item) -> JobSettings {
    JobSettings::new(JobName::new(name).unwrap(), JobKind::Simple, cron, items)
}

async fn engine(
    embedded: &Embedded,
    number: u32,
    jobs: &[JobSettings],
    runtime: &SharedRuntime,
) -> (EngineHandle, Arc<Recorder>) {
    let recorder = Recorder::new();
    let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
    let options =
        EngineOptions::new(Keys::new("ns").unwrap(), InstanceId::of_process("127.0.0.1", 7, number));
    let jobs = jobs.iter().map(|settings| JobDefinition::new(settings.clone(), runtime.clone())).collect();
    (Engine::start(connector(embedded), jobs, bus, options).await.unwrap(), recorder)
}

fn settlements(events: &[Event]) -> Vec<Settlement> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Settlement(settlement) => Some(settlement.clone()),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance_fires_every_item_of_every_instant_once() {
    let embedded = Embedded::in_memory();
    let (engine, recorder) = engine(&embedded, 0, &[job("a", "* * * * * ?", 4)], &no_op()).await;
    let events = recorder.wait_for(|events| settlements(events).len() >= 12).await;
    let mut by_fire: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for settlement in settlements(&events) {
        assert_eq!(settlement.outcome, Outcome::Succeeded);
        by_fire.entry(settlement.fire.to_string()).or_default().push(settlement.item);
    }
    for items in by_fire.values_mut().take(3) {
        items.sort_unstable();
        assert_eq!(*items, [0, 1, 2, 3]);
    }
    let status = engine.status().await;
    assert!(status[0].leader && status[0].registered);
    assert_eq!(status[0].items, [0, 1, 2, 3]);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_share_the_items_and_a_leaving_one_gives_its_items_back() {
    let embedded = Embedded::in_memory();
    let jobs = [job("a", "* * * * * ?", 6)];
    let (first, seen) = engine(&embedded, 0, &jobs, &no_op()).await;
    let (second, _) = engine(&embedded, 1, &jobs, &no_op()).await;
    let (third, _) = engine(&embedded, 2, &jobs, &no_op()).await;
    owns(&first, 2).await;
    owns(&third, 2).await;
    third.shutdown().await;
    owns(&first, 3).await;
    second.shutdown().await;
    owns(&first, 6).await;
    let before = settlements(&seen.events()).len();
    seen.wait_for(|events| settlements(events).len() >= before + 6).await;
    first.shutdown().await;
}

async fn owns(engine: &EngineHandle, items: usize) {
    let what = format!("{} owns {items} items", engine.instance());
    soon(&what, async || engine.status().await.first().is_some_and(|job| job.items.len() == items)).await;
}

/// A session of an operator, and the namespace's paths.
fn operator(embedded: &Embedded) -> (SharedRegistry, Keys) {
    (embedded.connect(ConnectOptions::default()).unwrap(), Keys::new("ns").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_runs_every_item_once_and_is_not_lost_when_an_item_is_busy() {
    let embedded = Embedded::in_memory();
    let release = Arc::new(Notify::new());
    let gate = release.clone();
    let runtime: SharedRuntime = Arc::new(SimpleFn::new(move |context: ShardContext, _| {
        let gate = gate.clone();
        async move {
            if context.item == 0 && context.source == Source::Trigger {
                gate.notified().await;
            }
            Ok::<(), String>(())
        }
    }));
    let (engine, seen) = engine(&embedded, 0, &[job("a", "0 0 0 1 1 ? 2099", 2)], &runtime).await;
    owns(&engine, 2).await;
    let (registry, keys) = operator(&embedded);
    let admin = Admin::new(&*registry, &keys);
    admin.trigger("a").await.unwrap();
    seen.wait_for(|events| settlements(events).len() == 1).await;
    // Item 0 is busy now; the second trigger waits for it.
    admin.trigger("a").await.unwrap();
    seen.wait_for(|events| settlements(events).len() == 2).await;
    release.notify_one();
    seen.wait_for(|events| settlements(events).len() == 3).await;
    release.notify_one();
    let events = seen.wait_for(|events| settlements(events).len() == 4).await;
    for item in 0..2 {
        let fires: Vec<_> = settlements(&events).into_iter().filter(|s| s.item == item).collect();
        assert_eq!(fires.len(), 2, "{fires:?}");
        assert!(
            fires.iter().all(|s| matches!(s.fire, Fire::Trigger { .. }) && s.outcome == Outcome::Succeeded)
        );
        assert!(fires[0].fire != fires[1].fire && fires[0].token < fires[1].token);
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_item_and_a_paused_job_do_not_run_and_their_instants_are_skipped() {
    let embedded = Embedded::in_memory();
    let jobs = [job("a", "* * * * * ?", 2), job("witness", "* * * * * ?", 1)];
    let (engine, seen) = engine(&embedded, 0, &jobs, &no_op()).await;
    soon("it runs", async || count(&seen, "a") >= 2).await;
    let (registry, keys) = operator(&embedded);
    let admin = Admin::new(&*registry, &keys);
    admin.set_item_disabled("a", 1, true).await.unwrap();
    let witnessed = count(&seen, "witness");
    soon("the others go on", async || count(&seen, "witness") >= witnessed + 3).await;
    admin.set_item_disabled("a", 1, false).await.unwrap();
    let skipped = |s: &Settlement| {
        s.item == 1
            && matches!(&s.outcome, Outcome::Skipped { reason } if reason.to_string().contains("disabled"))
    };
    seen.wait_for(|events| settlements(events).iter().any(skipped)).await;
    admin.pause("a", &PauseNote { at: 0, by: "ops".into(), reason: "audit".into() }).await.unwrap();
    let (before, witnessed) = (count(&seen, "a"), count(&seen, "witness"));
    soon("the others go on", async || count(&seen, "witness") >= witnessed + 3).await;
    assert!(count(&seen, "a") <= before + 2, "a paused job went on");
    admin.resume("a").await.unwrap();
    let paused = |s: &Settlement| matches!(&s.outcome, Outcome::Skipped { reason } if reason.to_string().contains("paused"));
    seen.wait_for(|events| settlements(events).iter().any(paused)).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_items_are_shared_out_and_fewer_leave_nothing_behind() {
    let embedded = Embedded::in_memory();
    let (engine, seen) = engine(&embedded, 0, &[job("a", "* * * * * ?", 3)], &no_op()).await;
    owns(&engine, 3).await;
    let (registry, keys) = operator(&embedded);
    let admin = Admin::new(&*registry, &keys);
    admin.update("a", |settings| settings.sharding_total_count = 5).await.unwrap();
    owns(&engine, 5).await;
    seen.wait_for(|events| settlements(events).iter().any(|s| s.item == 4)).await;
    admin.update("a", |settings| settings.sharding_total_count = 2).await.unwrap();
    owns(&engine, 2).await;
    let items = keys.of(&JobName::new("a").unwrap(), &Key::Items);
    soon("the surplus items are gone", async || registry.list(&items).await.unwrap() == ["0", "1"]).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_config_node_degrades_its_job_alone_and_heals_when_mended() {
    let embedded = Embedded::in_memory();
    let jobs = [job("good", "* * * * * ?", 1), job("bad", "* * * * * ?", 1)];
    let (engine, seen) = engine(&embedded, 0, &jobs, &no_op()).await;
    seen.wait_for(|events| settlements(events).len() >= 2).await;
    let (registry, keys) = operator(&embedded);
    let config = keys.of(&JobName::new("bad").unwrap(), &Key::Config);
    let good = registry.read(std::slice::from_ref(&config)).await.unwrap().remove(0).unwrap().data;
    registry.commit(vec![Op::set(config.clone(), "{broken")]).await.unwrap();
    soon("the job is degraded", async || engine.status().await[1].degraded.is_some()).await;
    assert!(engine.status().await[0].degraded.is_none());
    let (of_good, of_bad) = (count(&seen, "good"), count(&seen, "bad"));
    soon("the good job goes on", async || count(&seen, "good") >= of_good + 2).await;
    assert!(count(&seen, "bad") <= of_bad + 1);
    registry.commit(vec![Op::set(config, good)]).await.unwrap();
    soon("the job is healed", async || count(&seen, "bad") > of_bad + 1).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_tried_again_with_a_higher_token_until_its_attempts_are_used_up() {
    let embedded = Embedded::in_memory();
    let tries = Arc::new(Mutex::new(Vec::new()));
    let log = tries.clone();
    let runtime: SharedRuntime = Arc::new(SimpleFn::new(move |context: ShardContext, _| {
        log.lock().unwrap().push((context.fire.clone(), context.attempt, context.token));
        async { Err::<(), _>("no luck") }
    }));
    let mut settings = job("a", "0 0 0 1 1 ? 2099", 1);
    settings.retry = Retry { max_attempts: 3, backoff: 10, max_backoff: 20 };
    let (engine, seen) = engine(&embedded, 0, &[settings], &runtime).await;
    owns(&engine, 1).await;
    let (registry, keys) = operator(&embedded);
    Admin::new(&*registry, &keys).trigger("a").await.unwrap();
    let events = seen.wait_for(|events| !settlements(events).is_empty()).await;
    let settled = &settlements(&events)[0];
    assert_eq!(
        settled.outcome,
        Outcome::Failed { kind: FailureKind::Job, reason: Reason::JobSaid { text: "no luck".into() } }
    );
    assert_eq!(settled.attempt, 3);
    let tries = tries.lock().unwrap().clone();
    assert_eq!(tries.iter().map(|(_, attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(tries.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].2 < pair[1].2), "{tries:?}");
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_longer_than_its_period_is_made_up_for_once() {
    let embedded = Embedded::in_memory();
    let runtime: SharedRuntime = Arc::new(SimpleFn::new(|_, _| async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        Ok::<(), String>(())
    }));
    let mut settings = job("a", "* * * * * ?", 1);
    settings.misfire = Misfire::FireOnce;
    let (engine, seen) = engine(&embedded, 0, &[settings], &runtime).await;
    let events =
        seen.wait_for(|events| settlements(events).iter().filter(|s| s.outcome.ran()).count() >= 2).await;
    let settled = settlements(&events);
    let ran: Vec<_> = settled.iter().filter(|s| s.outcome.ran()).collect();
    assert_eq!((ran[0].source, ran[1].source), (Source::Schedule, Source::Misfire));
    assert!(
        settled.iter().any(|s| s.outcome == Outcome::Coalesced { into: ran[1].fire.clone() }),
        "{settled:?}"
    );
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_session_left_running_is_taken_over_once_with_a_higher_token() {
    let embedded = Embedded::in_memory();
    let started = Arc::new(Mutex::new(Vec::new()));
    let runtime = |name: &'static str| -> SharedRuntime {
        let started = started.clone();
        Arc::new(SimpleFn::new(move |context: ShardContext, _| {
            started.lock().unwrap().push((name, context.fire.clone(), context.attempt, context.token));
            async move {
                if context.attempt == 1 {
                    std::future::pending::<()>().await;
                }
                Ok::<(), String>(())
            }
        }))
    };
    let mut settings = job("a", "0 0 0 1 1 ? 2099", 1);
    settings.failover = true;
    let (first, seen_first) = engine(&embedded, 0, &[settings.clone()], &runtime("first")).await;
    owns(&first, 1).await;
    let (second, seen_second) = engine(&embedded, 1, &[settings], &runtime("second")).await;
    let (registry, keys) = operator(&embedded);
    let necessary = keys.of(&JobName::new("a").unwrap(), &Key::Necessary);
    let planned = async || registry.read(std::slice::from_ref(&necessary)).await.unwrap()[0].is_none();
    soon("both are in the plan", async || second.status().await[0].registered && planned().await).await;
    Admin::new(&*registry, &keys).trigger("a").await.unwrap();
    soon("the item runs", async || started.lock().unwrap().len() == 1).await;
    let owner =
        if started.lock().unwrap()[0].0 == "first" { first.instance() } else { second.instance() }.clone();
    let lease = registry.read(&[keys.lease(&owner)]).await.unwrap().remove(0).unwrap();
    embedded.expire(lease.stat.owner);
    let done =
        |seen: &Recorder| settlements(&seen.events()).into_iter().find(|s| s.outcome == Outcome::Succeeded);
    soon("the fire has its outcome", async || done(&seen_first).or(done(&seen_second)).is_some()).await;
    let runs = started.lock().unwrap().clone();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].1 == runs[1].1 && runs[1].2 == 2 && runs[0].3 < runs[1].3, "{runs:?}");
    first.shutdown().await;
    second.shutdown().await;
}

/// An instance of Elastic-Job as its nodes show it: it is there, and holds no lease.
async fn java_peer(embedded: &Embedded, id: &str) -> SharedRegistry {
    let (session, keys) = operator(embedded);
    let instance = keys.of(&JobName::new("a").unwrap(), &Key::Instance(InstanceId::from_wire(id)));
    session.commit(vec![Op::create_ephemeral(instance, "")]).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_only_java_instance_ran_when_its_session_ended_runs_again_and_nothing_else() {
    let embedded = Embedded::in_memory();
    let settings = JobSettings { failover: true, ..job("a", "* * * * * ?", 4) };
    let (ours, seen) = engine(&embedded, 0, &[settings], &no_op()).await;
    owns(&ours, 4).await;
    let java = java_peer(&embedded, "10.9.9.9@-@1").await;
    owns(&ours, 2).await;
    let (registry, keys) = operator(&embedded);
    let key = |key: &Key| keys.of(&JobName::new("a").unwrap(), key);
    let gone = async |key_of: fn(Item) -> Key| {
        let paths: Vec<_> = [2, 3].map(|item| key(&key_of(item))).into();
        registry.read(&paths).await.unwrap().iter().all(Option::is_none)
    };
    soon("what Java runs is not followed by cursors", async || gone(Key::Cursor).await).await;
    java.commit([2, 3].map(|item| Op::create_ephemeral(key(&Key::Running(item)), "")).into()).await.unwrap();
    java.commit(vec![Op::delete(key(&Key::Running(2)))]).await.unwrap();
    embedded.expire(java.terms().session);
    owns(&ours, 4).await;
    let failed_over = |events: &[Event]| -> Vec<Item> {
        let all = settlements(events).into_iter().filter(|s| s.source == Source::Failover);
        all.map(|settlement| settlement.item).collect()
    };
    let events = seen.wait_for(|events| !failed_over(events).is_empty()).await;
    let at_the_end = settlements(&events).len();
    let events = seen.wait_for(|events| settlements(events).len() >= at_the_end + 8).await;
    assert_eq!(failed_over(&events), [3], "item 2 had ended");
    soon("no mark is left", async || gone(Key::FailoverItem).await && gone(Key::Taken).await).await;
    ours.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_an_instance_node_shuts_the_job_down_there_and_nowhere_else() {
    let embedded = Embedded::in_memory();
    let jobs = [job("a", "* * * * * ?", 2)];
    let (first, _) = engine(&embedded, 0, &jobs, &no_op()).await;
    let (second, _) = engine(&embedded, 1, &jobs, &no_op()).await;
    owns(&first, 1).await;
    let (registry, keys) = operator(&embedded);
    Admin::new(&*registry, &keys).shutdown(Some("a"), Some(first.instance().as_str())).await.unwrap();
    owns(&second, 2).await;
    assert!(!first.status().await[0].registered);
    first.shutdown().await;
    second.shutdown().await;
}

struct Counter {
    before: AtomicU32,
    after: AtomicU32,
}

#[async_trait::async_trait]
impl JobListener for Counter {
    async fn before(&self, _: &[ShardContext]) -> Result<(), String> {
        self.before.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn after(&self, _: &[ShardContext]) -> Result<(), String> {
        self.after.fetch_add(1, Ordering::SeqCst);
        panic!("a listener that panics harms nobody")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_once_per_fire_listener_is_called_once_for_all_instances() {
    let embedded = Embedded::in_memory();
    let counter = Arc::new(Counter { before: AtomicU32::new(0), after: AtomicU32::new(0) });
    let once = OnceListener {
        listener: counter.clone(),
        start_timeout: Duration::from_secs(5),
        complete_timeout: Duration::from_secs(5),
    };
    let mut engines = Vec::new();
    for number in 0..2 {
        let recorder = Recorder::new();
        let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
        let options =
            EngineOptions::new(Keys::new("ns").unwrap(), InstanceId::of_process("127.0.0.1", 7, number));
        let mut definition = JobDefinition::new(job("a", "0/3 * * * * ?", 4), no_op());
        definition.once.push(once.clone());
        let engine = Engine::start(connector(&embedded), vec![definition], bus, options).await.unwrap();
        engines.push((engine, recorder));
    }
    owns(&engines[0].0, 2).await;
    let all = |engines: &[(EngineHandle, Arc<Recorder>)]| -> Vec<Settlement> {
        engines.iter().flat_map(|(_, seen)| settlements(&seen.events())).collect()
    };
    let full = |settled: &[Settlement]| {
        let mut fires: BTreeMap<String, usize> = BTreeMap::new();
        settled.iter().for_each(|s| *fires.entry(s.fire.to_string()).or_default() += 1);
        fires.values().filter(|items| **items == 4).count()
    };
    let target = full(&all(&engines)) + 2;
    soon("two more fires are complete", async || full(&all(&engines)) >= target).await;
    let fires = full(&all(&engines)) as u32;
    soon("each fire was announced once", async || counter.after.load(Ordering::SeqCst) >= fires).await;
    let calls = counter.before.load(Ordering::SeqCst);
    assert!(calls >= fires && calls <= fires + 2, "{calls} calls for {fires} fires");
    for (engine, _) in engines {
        engine.shutdown().await;
    }
}

fn count(seen: &Recorder, job: &str) -> usize {
    settlements(&seen.events()).iter().filter(|s| s.job.as_str() == job).count()
}
