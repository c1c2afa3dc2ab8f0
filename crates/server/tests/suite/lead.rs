//! Of several servers one leads, and what an older term does comes to nothing.

use crate::fleet::{Fleet, HERE};
use crate::stage::{Stage, on_each_database, on_each_shared_database, record, server};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{CommitFuture, ConnectOptions, Op, Path, Registry, SharedRegistry};
use clockwright_server::app::App;
use clockwright_server::chores::lead::Lead;
use clockwright_server::chores::{Term, now};
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::ops;
use clockwright_server::store::{Guess, StoreError};
use clockwright_server::sync::{self, By, Word};
use clockwright_testkit::faulty::Fault;
use clockwright_testkit::patience::{PATIENCE, soon};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::time::timeout;

on_each_database! {
    one_of_two_servers_leads_and_the_other_takes_over
    a_leader_that_wakes_up_in_a_later_term_writes_nothing
    what_a_leader_was_about_to_stop_comes_to_nothing_once_a_later_term_has_begun
    a_database_is_led_from_one_registry_only
    a_registry_that_lost_its_id_elects_again_once_somebody_confirms
    what_is_over_is_removed_and_what_lives_stays
    the_mark_of_a_request_goes_a_day_after_it_was_carried_out
}

// Of a file only one server writes.
on_each_shared_database! {
    a_change_that_stands_still_holds_others_up_for_seconds_only
}

async fn a_change_that_stands_still_holds_others_up_for_seconds_only(stage: &Stage) {
    let other = stage.another().await;
    let target = || Target { kind: "job", id: "1".to_owned(), name: "report".to_owned() };
    let record = || record("job.update", 0, target());
    let mut frozen = stage.app.store.begin(Actor::server("frozen"), 1).await.unwrap();
    let number = frozen.number().await.unwrap();
    let mut change = other.store.begin(Actor::server("other"), 2).await.unwrap();
    // The databases' own patience for a row that another one holds is longer, or has no end.
    let got = timeout(PATIENCE, change.number()).await.expect("what the other one had is taken back");
    assert_eq!(got.unwrap(), number);
    change.record(record());
    assert_eq!(change.commit().await.unwrap(), number);
    frozen.record(record());
    assert!(frozen.commit().await.is_err(), "it comes too late");
    assert_eq!(stage.app.store.head().await.unwrap().0, number);
}

async fn holder(app: &App) -> (i64, String) {
    let row = app.store.term().await.unwrap();
    (row.term, row.holder)
}

async fn read(stage: &Stage, path: &Path) -> Option<(Value, i64)> {
    let registry = stage.registry.connect(ConnectOptions::default()).unwrap();
    let node = registry.read(std::slice::from_ref(path)).await.unwrap().pop().flatten()?;
    Some((serde_json::from_slice(&node.data).unwrap(), node.stat.owner))
}

fn seat() -> Path {
    Path::new("/clockwright-server/leader").unwrap()
}

async fn one_of_two_servers_leads_and_the_other_takes_over(stage: &Stage) {
    let (first, second) = (Arc::clone(&stage.app), stage.another().await);
    let one = Lead::start(Arc::clone(&first));
    soon("the first leads", async || holder(&first).await == (1, first.id.clone())).await;
    let other = Lead::start(Arc::clone(&second));
    // Its session ends as it would if it stood still or died.
    let (words, session) = read(stage, &seat()).await.unwrap();
    assert_eq!(words["server"], first.id);
    first.registries.session("home").await.unwrap().close().await.unwrap();
    stage.registry.expire(session);
    soon("another term began", async || holder(&second).await.0 >= 2).await;
    soon("whoever leads has the seat", async || {
        let (_, holder) = holder(&second).await;
        read(stage, &seat()).await.is_some_and(|(words, _)| words["server"] == holder)
    })
    .await;
    // Who stops in order leaves the seat at once.
    let (term, leader) = holder(&second).await;
    let (leaves, stays, left) = if leader == first.id { (one, other, &second) } else { (other, one, &first) };
    leaves.stop().await;
    soon("the one that is left leads", async || holder(left).await == (term + 1, left.id.clone())).await;
    stays.stop().await;
    assert_eq!(read(stage, &seat()).await, None);
}

async fn a_leader_that_wakes_up_in_a_later_term_writes_nothing(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let job = json!({
        "name": "report",
        "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" },
    });
    let made = stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    let ids = [made["id"].as_i64().unwrap()];
    let project = stage.app.catalogue.project("billing").unwrap();
    assert!(stage.app.store.has_home("here").await.unwrap());
    let store = &stage.app.store;
    let old = store.take_term("here", "the old one", 1).await.unwrap().unwrap();
    // It believes in its term, since it stood still and has not looked at anything.
    let old = Term::new(old, now() + 1_000_000);
    let keys = Keys::new("billing").unwrap();
    let (job, control) = (JobName::new("report").unwrap(), sync::control::path(&keys));
    let config = keys.of(&job, &Key::Config);
    let outsider = stage.registry.connect(ConnectOptions::default()).unwrap();
    let edit = async || {
        let mut json = read(stage, &config).await.unwrap().0;
        json["cron"] = json!("0 0 9 * * ?");
        outsider.commit(vec![Op::set(config.clone(), json.to_string())]).await.unwrap();
    };
    edit().await;
    sync::write_by(&stage.app, &project, &ids, By { word: Word::Policy, term: Some(&old) }).await.unwrap();
    assert_eq!(read(stage, &control).await.unwrap().0["term"], old.number(), "a term writes itself in");
    let new = store.take_term("here", "the new one", 2).await.unwrap().unwrap();
    let new = Term::new(new, now() + 1_000_000);
    edit().await;
    let head = store.head().await.unwrap();
    let before = read(stage, &config).await;
    let refused =
        sync::write_by(&stage.app, &project, &ids, By { word: Word::Policy, term: Some(&old) }).await;
    assert!(matches!(refused, Err(sync::Failed::Store(StoreError::TermOver))), "{refused:?}");
    assert!(!old.holds(), "it knows now");
    assert_eq!((store.head().await.unwrap(), read(stage, &config).await), (head, before), "I6");
    sync::write_by(&stage.app, &project, &ids, By { word: Word::Policy, term: Some(&new) }).await.unwrap();
    assert_eq!(read(stage, &control).await.unwrap().0["term"], new.number());
    // The namespace itself is a fence too, where the database cannot be asked.
    let revived = Term::new(old.number(), now() + 1_000_000);
    let refused =
        sync::write_by(&stage.app, &project, &ids, By { word: Word::Policy, term: Some(&revived) }).await;
    assert_eq!(refused, Err(sync::Failed::TermOver));
    assert!(matches!(revived.begin(&stage.app, Actor::server("sync")).await, Err(StoreError::TermOver)));
}

/// Commits that change something wait while it is shut.
#[derive(Clone, Default)]
struct Gate {
    shut: watch::Sender<bool>,
    waiting: Arc<AtomicUsize>,
}

impl Fault for Gate {
    fn commit(&self, inner: &SharedRegistry, ops: Vec<Op>) -> CommitFuture {
        if ops.iter().all(|op| matches!(op, Op::Check { .. })) {
            return inner.commit(ops);
        }
        let (inner, waiting) = (Arc::clone(inner), Arc::clone(&self.waiting));
        let mut shut = self.shut.subscribe();
        Box::pin(async move {
            waiting.fetch_add(1, Ordering::SeqCst);
            shut.wait_for(|shut| !shut).await.unwrap();
            waiting.fetch_sub(1, Ordering::SeqCst);
            inner.commit(ops).await
        })
    }
}

async fn what_a_leader_was_about_to_stop_comes_to_nothing_once_a_later_term_has_begun(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.done("disable", json!({ "host": HERE })).await;
    let gate = Gate::default();
    let sleeper = stage.with_fault(gate.clone()).await.app;
    let store = &stage.app.store;
    assert!(store.has_home("here").await.unwrap());
    let take = async |who: &str| {
        Term::new(store.take_term("here", who, 1).await.unwrap().unwrap(), now() + 1_000_000)
    };
    let project = stage.app.catalogue.project("billing").unwrap();
    let jobs = stage.app.catalogue.jobs(project.id);
    let old = take("the old one").await;
    ops::sweep(&sleeper, &project, &jobs, Some(&old)).await.unwrap();
    let control = sync::control::path(&fleet.keys);
    assert_eq!(read(stage, &control).await.unwrap().0["term"], old.number(), "a term writes itself in");
    // Somebody enables the host; the old leader sees it, and stands still in the middle of putting it right.
    fleet.host(HERE).await;
    gate.shut.send_replace(true);
    let sweep = {
        let (sleeper, project, jobs, old) =
            (Arc::clone(&sleeper), project.clone(), jobs.clone(), old.clone());
        tokio::spawn(async move { ops::sweep(&sleeper, &project, &jobs, Some(&old)).await })
    };
    soon("its write is on its way", async || gate.waiting.load(Ordering::SeqCst) > 0).await;
    let new = take("the new one").await;
    ops::sweep(&stage.app, &project, &jobs, Some(&new)).await.unwrap();
    assert!(fleet.is_disabled(HERE).await);
    fleet.done("enable", json!({ "host": HERE })).await;
    let host = fleet.keys.of(&fleet.name(), &Key::Server(HERE.into()));
    let before = fleet.outside.read(std::slice::from_ref(&host)).await.unwrap();
    gate.shut.send_replace(false);
    assert_eq!(sweep.await.unwrap(), Err(sync::Failed::TermOver));
    assert_eq!(fleet.outside.read(std::slice::from_ref(&host)).await.unwrap(), before, "I6");
    assert!(!fleet.is_disabled(HERE).await && !old.holds());
}

async fn a_database_is_led_from_one_registry_only(stage: &Stage) {
    let store = &stage.app.store;
    assert!(store.has_home("here").await.unwrap() && store.has_home("here").await.unwrap());
    assert!(!store.has_home("there").await.unwrap());
    assert_eq!(store.take_term("there", "a stranger", 1).await.unwrap(), None);
    assert_eq!(store.term().await.unwrap().term, 0);
}

async fn a_registry_that_lost_its_id_elects_again_once_somebody_confirms(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    // It had another one.
    assert!(stage.app.store.has_home("before").await.unwrap());
    let lead = Lead::start(Arc::clone(&stage.app));
    let home = Path::new("/clockwright-server/home").unwrap();
    soon("it looks at the registry", async || read(stage, &home).await.is_some()).await;
    assert_eq!(holder(&stage.app).await, (0, String::new()));
    // It elects the leader of all projects, so one project's administrator does not say so.
    let lina = stage.somebody(&root, "lina", None).await;
    stage.put(&root, "/projects/billing/members/user/lina", json!({ "role": "projectAdmin" })).await.is(200);
    let refused = stage.post(&lina, "/projects/billing/sync/confirm", json!({})).await.refused("not-allowed");
    assert_eq!(refused["permission"], "system.write");
    assert_eq!(holder(&stage.app).await, (0, String::new()));
    stage.post(&root, "/projects/billing/sync/confirm", json!({})).await.is(200);
    stage.post(&lina, "/projects/billing/sync/confirm", json!({})).await.is(200);
    soon("it leads", async || holder(&stage.app).await == (1, stage.app.id.clone())).await;
    lead.stop().await;
}

async fn what_is_over_is_removed_and_what_lives_stays(stage: &Stage) {
    let (store, time) = (&stage.app.store, stage.app.now());
    let root = stage.admin().await;
    store.server_seen(&server("old", 1)).await.unwrap();
    store.server_seen(&server("young", time)).await.unwrap();
    store.has_home("here").await.unwrap();
    let term = store.take_term("here", "one", 1).await.unwrap().unwrap();
    let guess = Guess { user: "", login: "nobody", place: "somewhere", now: time };
    let counted = async || {
        let charged = store.charge(guess, 5, |_| 0).await.unwrap();
        (charged.of_login, charged.of_place)
    };
    assert_eq!(counted().await, (1, 1));
    assert_eq!(store.expire(term + 1, time).await, Err(StoreError::TermOver));
    store.expire(term, time - 1).await.unwrap();
    assert_eq!(counted().await, (2, 2));
    stage.get(&root, "/me").await.is(200);
    let ids: Vec<String> = store.servers(0).await.unwrap().into_iter().map(|server| server.id).collect();
    assert_eq!(ids, ["young"]);
    stage.pass(31 * 24 * 3_600_000);
    store.expire(term, stage.app.now()).await.unwrap();
    assert!(store.servers(0).await.unwrap().is_empty());
    assert_eq!(counted().await, (1, 1));
    stage.get(&root, "/me").await.refused("session-over");
}

async fn the_mark_of_a_request_goes_a_day_after_it_was_carried_out(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let keys = Keys::new("billing").unwrap();
    let registry = stage.registry.connect(ConnectOptions::default()).unwrap();
    for path in [keys.own_root().clone(), keys.requests(), keys.request("monday-1")] {
        // Some of them may be there already.
        let _ = registry.commit(vec![Op::create(path, "{}")]).await;
    }
    let made = registry.read(&[keys.request("monday-1")]).await.unwrap().pop().flatten().unwrap();
    let day = 24 * 3_600_000;
    stage.pass((made.stat.created_at + day - stage.app.now()).max(0));
    let lead = Lead::start(Arc::clone(&stage.app));
    soon("the mark is gone", async || registry.list(&keys.requests()).await.unwrap().is_empty()).await;
    lead.stop().await;
}
