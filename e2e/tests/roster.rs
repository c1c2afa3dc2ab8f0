//! A job is removed from a scheduler and added again, over and over, while another one serves it too: on ZooKeeper, with real sessions.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright::{Events, Exclusive, Job, Registry, Scheduler, SchedulerOptions};
use clockwright_events::testing::Recorder;
use clockwright_events::{Bus, BusOptions};
use clockwright_model::{Event, Fire, Item, Millis, Outcome, Settlement};
use clockwright_testkit::patience::soon;
use clockwright_testkit::zookeeper::ZkServer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ITEMS: Item = 4;
const ROUNDS: usize = 6;
/// How long a run takes, so that each removal meets some.
const RUN: Duration = Duration::from_millis(400);

/// What ran, by who runs it: the item, the instant, and whether another run of the item went on when it began.
type Runs = Arc<Mutex<Vec<(&'static str, Item, Fire, bool)>>>;

fn job(who: &'static str, runs: &Runs, live: &Arc<Mutex<BTreeSet<Item>>>) -> Job {
    let (runs, live) = (runs.clone(), live.clone());
    let code = move |context: clockwright::ShardContext| {
        let (runs, live) = (runs.clone(), live.clone());
        async move {
            let twice = !live.lock().unwrap().insert(context.item);
            runs.lock().unwrap().push((who, context.item, context.fire.clone(), twice));
            tokio::time::sleep(RUN).await;
            live.lock().unwrap().remove(&context.item);
            Ok::<(), String>(())
        }
    };
    Job::simple("work", "* * * * * ?", code).sharding(ITEMS).exclusive(Exclusive::Strict).time_zone("UTC")
}

fn outcomes(recorder: &Recorder) -> Vec<Settlement> {
    let of = |event: Event| match event {
        Event::Settlement(settlement) => Some(settlement),
        _ => None,
    };
    recorder.events().into_iter().filter_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_instant_is_lost_or_doubled_while_a_job_comes_and_goes_on_one_of_its_instances() {
    let server = ZkServer::start().unwrap();
    let registry = Registry::connect(&format!("zookeeper://{}/roster", server.address())).await.unwrap();
    let (runs, live, recorder) = (Runs::default(), Arc::default(), Recorder::new());
    let bus = Bus::start(vec![recorder.clone()], BusOptions::default());
    let options = || SchedulerOptions::default().events(Events::Bus(bus.clone()));
    let stays = Scheduler::start_with(&registry, vec![job("stays", &runs, &live)], options()).await.unwrap();
    let moves = Scheduler::start_with(&registry, vec![], options()).await.unwrap();
    let count = |who: &str| runs.lock().unwrap().iter().filter(|(by, ..)| *by == who).count();
    soon("it fires", async || count("stays") > 0).await;
    for _ in 0..ROUNDS {
        moves.add(job("moves", &runs, &live)).await.unwrap();
        let before = count("moves");
        soon("it has its share, and runs it", async || count("moves") > before).await;
        moves.remove("work").await.unwrap();
        let after = count("moves");
        let seen = registry.job("work").get().await.unwrap();
        assert_eq!(seen.instances.len(), 1, "{seen:?}");
        let before = count("stays");
        soon("all is the other's", async || count("stays") >= before + 2 * ITEMS as usize).await;
        assert_eq!(count("moves"), after, "nothing started after it was left");
    }
    stays.shutdown().await;
    moves.shutdown().await;
    bus.close(Duration::from_secs(10)).await;

    let runs = runs.lock().unwrap();
    let twice: Vec<_> = runs.iter().filter(|(.., twice)| *twice).collect();
    assert!(twice.is_empty(), "an item ran twice at once: {twice:?}");
    let mut started: BTreeMap<(Item, Millis), usize> = BTreeMap::new();
    runs.iter().for_each(|(_, item, fire, _)| *started.entry((*item, fire.time())).or_default() += 1);
    assert!(started.values().all(|times| *times == 1), "an instant ran twice: {started:?}");
    let mut ended: BTreeMap<(Item, Millis), Outcome> = BTreeMap::new();
    for settlement in outcomes(&recorder) {
        let from = settlement.range.map_or(settlement.fire.time(), |(from, _)| from);
        for at in (from..=settlement.fire.time()).step_by(1_000) {
            let before = ended.insert((settlement.item, at), settlement.outcome.clone());
            assert!(before.is_none_or(|before| before.word() == settlement.outcome.word()), "{settlement:?}");
        }
    }
    assert!(started.keys().all(|key| ended.get(key) == Some(&Outcome::Succeeded)), "{ended:?}");
    for item in 0..ITEMS {
        let instants: Vec<Millis> = ended.keys().filter(|(of, _)| *of == item).map(|(_, at)| *at).collect();
        assert!(instants.windows(2).all(|pair| pair[1] == pair[0] + 1_000), "a gap: {instants:?}");
    }
}
