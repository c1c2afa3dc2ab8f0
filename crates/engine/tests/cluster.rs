//! Engines on the embedded registry, with real time and in-process jobs: that the loop, its sessions and its listeners do what the
//! core says. What the core says is tested at a desk (`tests/desk`).
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_engine::{
    Code, Connect, Engine, EngineHandle, EngineOptions, JobDefinition, JobListener, ListenerError,
    OnceListener, RunReport, SharedListener, StartError,
};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{
    Event, InstanceId, Item, JobKind, JobName, JobSettings, Outcome, Reason, Retry, Settlement, ShardContext,
};
use clockwright_registry::{ConnectOptions, Embedded, SharedRegistry};
use clockwright_runtime::{SharedRuntime, SimpleFn};
use clockwright_testkit::patience::soon;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

async fn owns(engine: &EngineHandle, items: usize) {
    let what = format!("{} owns {items} items", engine.instance());
    soon(&what, async || engine.status().await.first().is_some_and(|job| job.items.len() == items)).await;
}

/// A session of an operator, and the namespace's paths.
fn operator(embedded: &Embedded) -> (SharedRegistry, Keys) {
    (embedded.connect(ConnectOptions::default()).unwrap(), Keys::new("ns").unwrap())
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
    Admin::new(&*registry, &keys).trigger("a", None).await.unwrap();
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

struct Counter {
    before: AtomicU32,
    after: AtomicU32,
}

impl JobListener for Counter {
    async fn before(&self, _: &[ShardContext]) -> Result<(), ListenerError> {
        self.before.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn after(&self, _: &[RunReport]) -> Result<(), ListenerError> {
        self.after.fetch_add(1, Ordering::SeqCst);
        panic!("a listener that panics harms nobody")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_once_per_fire_listener_is_called_once_for_all_instances() {
    let embedded = Embedded::in_memory();
    let counter = Arc::new(Counter { before: AtomicU32::new(0), after: AtomicU32::new(0) });
    let patience = Duration::from_secs(5);
    let once = OnceListener::new(counter.clone()).start_timeout(patience).complete_timeout(patience);
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

fn options(number: u32) -> EngineOptions {
    EngineOptions::new(Keys::new("ns").unwrap(), InstanceId::of_process("127.0.0.1", 7, number))
}

async fn start(embedded: &Embedded, options: EngineOptions) -> Result<EngineHandle, StartError> {
    let jobs = vec![JobDefinition::new(job("a", "0 0 0 1 1 ? 2099", 4), no_op())];
    Engine::start(connector(embedded), jobs, Bus::silent(), options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_with_the_same_address_and_process_id_takes_an_id_of_its_own() {
    let embedded = Embedded::in_memory();
    let (first, second) =
        (start(&embedded, options(0)).await.unwrap(), start(&embedded, options(0)).await.unwrap());
    assert_eq!(first.instance().as_str(), "127.0.0.1@-@7");
    assert!(second.instance().as_str().starts_with("127.0.0.1@-@7-"), "{}", second.instance());
    owns(&first, 2).await;
    owns(&second, 2).await;
    first.shutdown().await;
    owns(&second, 4).await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_was_chosen_by_hand_is_waited_for_while_a_dead_process_may_hold_it_and_then_refused() {
    let embedded = Embedded::in_memory();
    let named = || EngineOptions { fixed_instance: true, ..options(0) };
    let first = start(&embedded, named()).await.unwrap();
    let (session, keys) = operator(&embedded);
    let lease = async || session.read(&[keys.lease(first.instance())]).await.unwrap().remove(0).unwrap();
    let held = lease().await;
    let error = start(&embedded, named()).await.err().unwrap();
    assert!(matches!(&error, StartError::Taken(id) if id == first.instance()), "{error}");
    assert_eq!(lease().await, held, "the first one's lease is as it was");
    let waits = tokio::spawn({
        let (embedded, options) = (embedded.clone(), named());
        async move { start(&embedded, options).await }
    });
    first.shutdown().await;
    let second = waits.await.unwrap().unwrap();
    owns(&second, 4).await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_does_not_start_with_a_name_that_the_registry_has_no_settings_of() {
    let embedded = Embedded::in_memory();
    let maker = start(&embedded, options(0)).await.unwrap();
    owns(&maker, 4).await;
    let named = |name: &str, number| {
        let job = JobDefinition::named(JobName::new(name).unwrap(), Code::Here(no_op()));
        Engine::start(connector(&embedded), vec![job], Bus::silent(), options(number))
    };
    let error = named("aa", 1).await.err().unwrap();
    assert_eq!(error.to_string(), "job `aa` is not in /ns; did you mean `a`?");
    let second = named("a", 2).await.unwrap();
    owns(&second, 2).await;
    maker.shutdown().await;
    owns(&second, 4).await;
    second.shutdown().await;
}

/// Listeners on a job of one instance; `before` of each call waits for ever, or not.
struct Hangs(bool);

impl JobListener for Hangs {
    fn limit(&self) -> Duration {
        Duration::from_millis(100)
    }

    async fn before(&self, _: &[ShardContext]) -> Result<(), ListenerError> {
        if self.0 { std::future::pending().await } else { Ok(()) }
    }

    async fn after(&self, _: &[RunReport]) -> Result<(), ListenerError> {
        if self.0 { std::future::pending().await } else { Ok(()) }
    }
}

/// The outcomes of one trigger of a job with these listeners, whose item 0 fails at first.
async fn triggered(definition: JobDefinition) -> Vec<Settlement> {
    let embedded = Embedded::in_memory();
    let recorder = Recorder::new();
    let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
    let items = definition.job.settings().unwrap().sharding_total_count as usize;
    let engine = Engine::start(connector(&embedded), vec![definition], bus, options(0)).await.unwrap();
    owns(&engine, items).await;
    let (registry, keys) = operator(&embedded);
    Admin::new(&*registry, &keys).trigger("a", None).await.unwrap();
    let events = recorder.wait_for(|events| settlements(events).len() == items).await;
    engine.shutdown().await;
    settlements(&events)
}

fn fails_at_first() -> JobDefinition {
    let code = SimpleFn::new(|context: ShardContext, _| async move {
        if context.attempt == 1 && context.item == 0 { Err("no luck") } else { Ok(()) }
    });
    let retry = Retry { max_attempts: 2, backoff: 10, max_backoff: 10 };
    let settings = JobSettings { retry, ..job("a", "0 0 0 1 1 ? 2099", 2) };
    JobDefinition::new(settings, Arc::new(code))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_does_not_wait_for_the_listener_of_the_whole_firing() {
    let mut definition = fails_at_first();
    let longest = Duration::from_secs(3_600);
    definition.once.push(OnceListener::new(Hangs(false)).start_timeout(longest).complete_timeout(longest));
    for settled in triggered(definition).await {
        assert_eq!((settled.outcome, settled.attempt), (Outcome::Succeeded, 2 - settled.item));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_hangs_is_given_up_at_its_limit_and_the_firing_goes_on() {
    let mut definition = fails_at_first();
    definition.listeners.push(SharedListener::new(Hangs(true)));
    for settled in triggered(definition).await {
        assert_eq!((settled.outcome, settled.attempt), (Outcome::Succeeded, 2 - settled.item));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_code_cannot_be_made_of_the_settings_has_failed_and_holds_nothing() {
    for is_listened_to in [false, true] {
        let mut definition = fails_at_first();
        definition.code = Code::Registered(Arc::new(|_| panic!("there is no such code")));
        if is_listened_to {
            definition.listeners.push(SharedListener::new(Hangs(false)));
        }
        for settled in triggered(definition).await {
            let reason = Reason::RuntimePanicked {};
            assert!(
                matches!(&settled.outcome, Outcome::Failed { reason: told, .. } if *told == reason),
                "{settled:?}"
            );
        }
    }
}
