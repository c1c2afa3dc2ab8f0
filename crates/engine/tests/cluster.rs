//! Engines on the embedded registry, with real time and in-process jobs.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_engine::keys::Keys;
use clockwright_engine::{Connect, Engine, EngineHandle, EngineOptions, JobDefinition};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_model::{Event, InstanceId, Item, JobKind, JobName, JobSettings, Outcome, Settlement};
use clockwright_registry::{ConnectOptions, Embedded, SharedRegistry};
use clockwright_runtime::{SharedRuntime, SimpleFn};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while engine.status().await.first().is_none_or(|job| job.items.len() != items) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} does not own {items} items within 10 s",
            engine.instance()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
