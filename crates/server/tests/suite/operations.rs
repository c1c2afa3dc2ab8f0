//! What operators do: refused, begun, carried out, told; once by a key, and once though a server dies in the middle.

use crate::fleet::{Code, Fleet, HERE, JOB, THERE};
use crate::stage::{Stage, on_each_database};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{JobName, Outcome, Reason};
use clockwright_registry::{CommitFuture, Op, SharedRegistry};
use clockwright_server::fail::Point;
use clockwright_server::ops::resume;
use clockwright_server::sync::control;
use clockwright_testkit::faulty::Fault;
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

on_each_database! {
    a_held_item_goes_on_from_where_somebody_says
    a_disable_is_followed_in_the_layout_of_2x
    a_disable_is_followed_in_the_layout_of_3x
    what_is_done_again_because_control_changed_is_counted_once_and_whole
    who_may_operate_and_who_may_not
    a_pause_and_a_drain_end_with_a_resume
    java_instances_are_told_of_and_are_disabled_by_a_drain
    offline_is_a_version_and_a_hold_and_online_keeps_what_others_hold
    an_item_is_left_out_and_taken_in_again
    a_dry_run_tells_the_nodes_and_writes_nothing
    a_wish_waits_for_its_registry_and_an_act_does_not
    a_trigger_fires_once_by_its_key_in_2x
    a_trigger_fires_once_by_its_key_in_3x
    a_trigger_is_refused_for_what_stands_against_it
    a_triggers_mark_names_the_trace_of_whoever_asked_where_none_is_sent
    a_drain_waits_for_what_runs_and_can_be_ended
    instances_give_a_job_up_and_a_plan_is_made_anew
    a_job_is_removed_when_nothing_of_it_runs
    a_removal_that_stops_at_what_runs_leaves_all_as_it_was
    a_removal_can_stop_what_runs
    a_crash_at_any_step_is_made_good_once
    the_same_request_is_carried_out_once
    a_job_is_triggered_once_a_second_after_a_burst
}

async fn a_disable_is_followed_in_the_layout_of_2x(stage: &Stage) {
    disable(&Fleet::new(stage, Layout::V2).await).await;
}

async fn a_disable_is_followed_in_the_layout_of_3x(stage: &Stage) {
    disable(&Fleet::new(stage, Layout::V3).await).await;
}

async fn disable(fleet: &Fleet<'_>) {
    fleet.host(HERE).await;
    fleet.host(THERE).await;
    let done = fleet.done("disable", json!({ "reason": "audit" })).await;
    assert_eq!(done["changed"], 2);
    assert!(fleet.is_disabled(HERE).await && fleet.is_disabled(THERE).await);
    let again = fleet.done("disable", json!({})).await;
    assert_eq!(again["changed"], 0, "it is so already");
    fleet.done("disable", json!({ "host": HERE })).await;
    assert_eq!(fleet.holds().await, ["disable host 10.0.0.1 operator", "disable job operator"]);
    let enabled = fleet.done("enable", json!({})).await;
    assert_eq!((&enabled["changed"], &enabled["stillHeld"][0]["target"]), (&json!(1), &json!(HERE)));
    assert!(fleet.is_disabled(HERE).await && !fleet.is_disabled(THERE).await);
    fleet.done("enable", json!({ "host": HERE })).await;
    let says = fleet.node(Key::Server(HERE.into())).await;
    assert_eq!(says.as_deref(), Some(fleet.layout.server(false)));
    let none = fleet.operate("disable", json!({ "host": "10.0.0.3" })).await.refused("no-such-host");
    assert!(none["fix"].as_str().unwrap().contains("10.0.0."), "{none:#}");
    assert_eq!(fleet.told("job.disable").await[..3], ["refused", "done", "begun"]);
    // In all jobs, also one that meets the host later.
    let path = format!("/projects/billing/hosts/{THERE}/disable");
    let done = fleet.stage.post(&fleet.root, &path, json!({ "reason": "it smokes" })).await.is(200);
    assert_eq!(done["result"]["changed"], 1);
    assert!(fleet.is_disabled(THERE).await && !fleet.is_disabled(HERE).await);
    let held = fleet.done("enable", json!({ "host": THERE })).await;
    assert_eq!(held["stillHeld"][0]["reason"], "it smokes");
    assert!(fleet.is_disabled(THERE).await);
}

/// Once, somebody else sets `control` when a host has been written.
#[derive(Clone)]
struct Meddler {
    control: clockwright_registry::Path,
    is_done: Arc<AtomicBool>,
}

impl Fault for Meddler {
    fn commit(&self, inner: &SharedRegistry, ops: Vec<Op>) -> CommitFuture {
        let writes = ops.iter().any(|op| op.path().as_str().contains("/servers/"));
        let (inner, done) = (Arc::clone(inner), inner.commit(ops));
        if !writes || self.is_done.swap(true, Ordering::SeqCst) {
            return done;
        }
        let control = self.control.clone();
        Box::pin(async move {
            let done = done.await?;
            let node = inner.read(std::slice::from_ref(&control)).await?.remove(0).unwrap();
            inner.commit(vec![Op::set(control, node.data)]).await?;
            Ok(done)
        })
    }
}

async fn what_is_done_again_because_control_changed_is_counted_once_and_whole(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    let job = json!({ "name": "other", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" } });
    stage.post(&fleet.root, "/projects/billing/jobs", job).await.is(201);
    let other = JobName::new("other").unwrap();
    let host = fleet.keys.of(&other, &Key::Server(HERE.into()));
    let above = Op::create(fleet.keys.of(&other, &Key::Servers), "");
    fleet.outside.commit(vec![above, Op::create(host.clone(), fleet.layout.server(false))]).await.unwrap();
    let is_done = Arc::new(AtomicBool::new(false));
    let meddler = Meddler { control: control::path(&fleet.keys), is_done: Arc::clone(&is_done) };
    let meddled = stage.with_fault(meddler).await;
    let path = format!("/projects/billing/hosts/{HERE}/disable");
    let done = meddled.post(&fleet.root, &path, json!({})).await.is(200);
    assert!(is_done.load(Ordering::SeqCst));
    assert_eq!((&done["state"], &done["result"]["changed"]), (&json!("done"), &json!(2)), "{done:#}");
    let node = fleet.outside.read(&[host]).await.unwrap().remove(0).unwrap();
    assert!(fleet.is_disabled(HERE).await && node.data == "DISABLED");
}

async fn who_may_operate_and_who_may_not(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let viewer = stage.somebody(&fleet.root, "vera", Some("viewer")).await;
    let operator = stage.somebody(&fleet.root, "olga", Some("operator")).await;
    let nobody = stage.somebody(&fleet.root, "nora", None).await;
    let pause = format!("{JOB}/pause");
    stage.post(&viewer, &pause, json!({})).await.refused("not-allowed");
    stage.post(&nobody, &pause, json!({})).await.refused("not-found");
    let paused = stage.post(&operator, &pause, json!({ "reason": "audit" })).await.is(200);
    assert_eq!((&paused["by"], &paused["reason"]), (&json!("olga"), &json!("audit")));
    let id = paused["id"].as_str().unwrap();
    let shown = stage.get(&viewer, &format!("/operations/{id}")).await.is(200);
    assert_eq!(shown, paused);
    stage.get(&nobody, &format!("/operations/{id}")).await.refused("not-found");
    assert_eq!(stage.get(&nobody, "/operations").await.is(200)["items"], json!([]));
    assert_eq!(stage.get(&viewer, "/operations").await.is(200)["items"][0]["id"], id);
    stage.post(&viewer, &format!("/operations/{id}/cancel"), json!({})).await.refused("not-allowed");
    stage.delete(&operator, &format!("{JOB}?mode=stop&reason=old")).await.refused("not-allowed");
    stage.delete(&fleet.root, JOB).await.refused("invalid");
    stage.delete(&fleet.root, &format!("{JOB}?mode=stop")).await.refused("invalid");
    let long = json!({ "timeout": 90_000_000 });
    stage.post(&operator, &format!("{JOB}/drain"), long).await.refused("invalid");
}

async fn a_pause_and_a_drain_end_with_a_resume(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.done("pause", json!({ "reason": "audit" })).await;
    let note: Value = serde_json::from_str(&fleet.node(Key::Paused).await.unwrap()).unwrap();
    assert_eq!((&note["by"], &note["reason"]), (&json!("root"), &json!("audit")));
    let drain = fleet.operate("drain", json!({ "host": HERE })).await;
    let place = drain.headers["location"].to_str().unwrap().trim_start_matches("/api/v1").to_owned();
    drain.is(202);
    soon("it is drained", async || fleet.look(&place).await["state"] == "done").await;
    assert!(fleet.is_drained(HERE).await);
    let resumed = fleet.done("resume", json!({})).await;
    assert_eq!(resumed["stillHeld"][0]["kind"], "drain");
    assert!(fleet.node(Key::Paused).await.is_none() && fleet.is_drained(HERE).await);
    fleet.done("resume", json!({ "host": HERE })).await;
    assert!(!fleet.is_drained(HERE).await);
    assert_eq!(fleet.holds().await, [""; 0]);
    let waited = fleet.root.with("prefer", "wait=20");
    let drained = stage.post(&waited, &format!("{JOB}/drain"), json!({})).await.is(200);
    assert_eq!(drained["state"], "done");
    let note: Value = serde_json::from_str(&fleet.node(Key::Paused).await.unwrap()).unwrap();
    assert_eq!(note["drain"], true);
}

async fn java_instances_are_told_of_and_are_disabled_by_a_drain(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V3).await;
    fleet.host(HERE).await;
    fleet.java(THERE, 0).await;
    let paused = fleet.done("pause", json!({})).await;
    assert!(paused["warnings"][0].as_str().unwrap().contains("1 Java instance"), "{paused:#}");
    fleet.done("resume", json!({})).await;
    let waited = fleet.root.with("prefer", "wait=20");
    stage.post(&waited, &format!("{JOB}/drain"), json!({})).await.is(200);
    assert!(fleet.is_disabled(THERE).await && !fleet.is_disabled(HERE).await, "Java knows no pause");
    fleet.done("resume", json!({})).await;
    assert!(!fleet.is_disabled(THERE).await);
}

async fn offline_is_a_version_and_a_hold_and_online_keeps_what_others_hold(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.host(THERE).await;
    fleet.done("disable", json!({ "host": THERE })).await;
    let off = fleet.done("offline", json!({ "reason": "retired" })).await;
    assert_eq!((&off["version"], &off["sync"]["state"]), (&json!(2), &json!("written")));
    let job = stage.get(&fleet.root, JOB).await.is(200);
    assert_eq!((&job["state"], &job["settings"]["disabled"]), (&json!("offline"), &json!(true)));
    let config: Value = serde_json::from_str(&fleet.node(Key::Config).await.unwrap()).unwrap();
    assert_eq!(config["disabled"], true);
    assert!(fleet.is_disabled(HERE).await && fleet.is_disabled(THERE).await);
    let again = fleet.done("offline", json!({})).await;
    assert_eq!((&again["changed"], &again["version"]), (&json!(0), &Value::Null), "it is offline already");
    fleet.operate("trigger", json!({})).await.refused("job-offline");
    let on = fleet.done("online", json!({})).await;
    assert_eq!((&on["version"], &on["stillHeld"][0]["target"]), (&json!(3), &json!(THERE)));
    assert!(!fleet.is_disabled(HERE).await && fleet.is_disabled(THERE).await);
    let job = stage.get(&fleet.root, JOB).await.is(200);
    assert_eq!((&job["state"], &job["settings"]["disabled"]), (&json!("online"), &Value::Null));
}

async fn an_item_is_left_out_and_taken_in_again(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.done("items/2/disable", json!({})).await;
    assert!(fleet.node(Key::Disabled(2)).await.is_some());
    assert_eq!(fleet.holds().await, ["disable item 2 operator"]);
    fleet.operate("items/3/disable", json!({})).await.refused("no-such-item");
    assert_eq!(fleet.done("items/2/enable", json!({})).await["changed"], 1);
    assert_eq!((fleet.node(Key::Disabled(2)).await, fleet.holds().await.len()), (None, 0));
}

async fn a_dry_run_tells_the_nodes_and_writes_nothing(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    let plan = fleet.operate("disable", json!({ "dryRun": true })).await.is(200);
    assert_eq!((&plan["state"], &plan["id"]), (&json!("dry-run"), &json!("")));
    assert_eq!(plan["result"]["nodes"], json!(["report: servers/10.0.0.1 := DISABLED"]));
    assert!(!fleet.is_disabled(HERE).await && fleet.holds().await.is_empty());
    assert_eq!(fleet.told("job.disable").await, [""; 0]);
    fleet.operate("trigger", json!({ "dryRun": true })).await.refused("no-live-instance");
    let removal = stage.delete(&fleet.root, &format!("{JOB}?mode=stop&reason=old&dryRun=true")).await.is(200);
    assert!(removal["result"]["nodes"].as_array().unwrap().contains(&json!("report: all nodes := deleted")));
    assert_eq!(stage.get(&fleet.root, JOB).await.is(200)["state"], "online");
}

async fn a_wish_waits_for_its_registry_and_an_act_does_not(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    let project = json!({ "name": "remote", "registry": "far", "namespace": "remote" });
    stage.post(&fleet.root, "/projects", project).await.is(201);
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" } });
    stage.post(&fleet.root, "/projects/remote/jobs", job).await.is(201);
    let far = "/projects/remote/jobs/report";
    stage.post(&fleet.root, &format!("{far}/trigger"), json!({})).await.refused("registry-away");
    let paused = stage.post(&fleet.root, &format!("{far}/pause"), json!({})).await.is(202);
    assert_eq!(paused["state"], "pending", "{paused:#}");
    let place = format!("/operations/{}", paused["id"].as_str().unwrap());
    resume::own(&stage.app).await.unwrap();
    stage.far.store(true, Ordering::SeqCst);
    let sync = stage.post(&fleet.root, &format!("{far}/sync"), json!({})).await.is(200);
    assert_eq!(sync["state"], "written");
    soon("it is done when the registry is back", async || {
        resume::own(&stage.app).await.unwrap();
        fleet.look(&place).await["state"] == "done"
    })
    .await;
    let keys = clockwright_fleet::keys::Keys::new("remote").unwrap();
    let paused = fleet.outside.read(&[keys.of(&fleet.name(), &Key::Paused)]).await.unwrap();
    assert!(paused[0].is_some());
}

async fn a_trigger_fires_once_by_its_key_in_2x(stage: &Stage) {
    trigger(&Fleet::new(stage, Layout::V2).await).await;
}

async fn a_trigger_fires_once_by_its_key_in_3x(stage: &Stage) {
    trigger(&Fleet::new(stage, Layout::V3).await).await;
}

async fn trigger(fleet: &Fleet<'_>) {
    let engine = fleet.engine(HERE, &Code::quick()).await;
    let waited = fleet.root.with("prefer", "wait=20");
    fleet.stage.post(&waited, &format!("{JOB}/drain"), json!({})).await.is(200);
    let keyed = fleet.root.with("idempotency-key", "one");
    let fired = fleet.stage.post(&keyed, &format!("{JOB}/trigger"), json!({})).await.is(200);
    let result = &fired["result"];
    assert_eq!(result["proof"], "commit", "{fired:#}");
    assert_eq!(result["instances"][0]["answer"], "accepted", "{fired:#}");
    soon("each item has its outcome", async || engine.outcomes().len() == 3).await;
    assert!(engine.outcomes().iter().all(|settled| settled.outcome == Outcome::Succeeded));
    let fire = format!("{:?}", engine.outcomes()[0].fire);
    assert!(fire.contains(result["fire"].as_str().unwrap()), "{fire} {result:#}");
    assert_eq!(fleet.holds().await, [""; 0], "a trigger ends a drain");
    assert!(fleet.node(Key::Paused).await.is_none());
    let again = fleet.stage.post(&keyed, &format!("{JOB}/trigger"), json!({})).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.is(200)["result"]["fire"], result["fire"]);
    let mismatch = json!({ "reason": "another" });
    fleet.stage.post(&keyed, &format!("{JOB}/trigger"), mismatch).await.refused("idempotency-mismatch");
    let other = fleet.done("trigger", json!({})).await;
    assert_ne!(other["fire"], result["fire"]);
    soon("it fires again", async || engine.outcomes().len() == 6).await;
    engine.handle.shutdown().await;
}

async fn a_triggers_mark_names_the_trace_of_whoever_asked_where_none_is_sent(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.java(HERE, 0).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let asks = fleet.root.with("traceparent", trace);
    let fired = stage.post(&asks, &format!("{JOB}/trigger"), json!({})).await.is(200);
    let (made, mark) = fleet.mark().await;
    assert_eq!((&mark["traceparent"], &fired["result"]["fire"]), (&json!(trace), &json!(made)));
}

async fn a_trigger_is_refused_for_what_stands_against_it(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let nobody = fleet.operate("trigger", json!({})).await.refused("no-live-instance");
    assert_eq!(nobody["status"], 409);
    let code = Code::waiting();
    let engine = fleet.engine(HERE, &code).await;
    fleet.done("pause", json!({ "reason": "audit" })).await;
    let paused = fleet.operate("trigger", json!({})).await.refused("job-paused");
    assert_eq!((&paused["hold"]["by"], &paused["hold"]["reason"]), (&json!("root"), &json!("audit")));
    fleet.done("resume", json!({})).await;
    fleet.done("trigger", json!({})).await;
    soon("its items run", async || engine.running().await == 3).await;
    let busy = fleet.operate("trigger", json!({})).await.refused("items-running");
    let items = busy["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(
        items[0]["instance"].as_str().unwrap().starts_with(HERE) && items[0]["since"].is_i64(),
        "{busy:#}"
    );
    code.finish();
    soon("they end", async || engine.running().await == 0).await;
    soon("what was refused fired nothing", async || engine.outcomes().len() == 3).await;
    engine.handle.shutdown().await;
    // Java's mark counts too.
    fleet.java(THERE, 1).await;
    let mark = fleet.keys.of(&fleet.name(), &Key::Running(1));
    fleet.outside.commit(vec![Op::create_ephemeral(mark, "")]).await.unwrap();
    let marked = fleet.operate("trigger", json!({})).await.refused("items-running");
    assert_eq!(marked["items"][0]["item"], 1);
}

async fn a_drain_waits_for_what_runs_and_can_be_ended(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let code = Code::waiting();
    let engine = fleet.engine(HERE, &code).await;
    fleet.done("trigger", json!({})).await;
    soon("its items run", async || engine.running().await == 3).await;
    let state = async |id: &str| fleet.look(&format!("/operations/{id}")).await;
    let begun = fleet.operate("drain", json!({ "host": HERE })).await.is(202);
    let id = begun["id"].as_str().unwrap();
    assert_eq!(begun["state"], "running");
    let keyed = fleet.root.with("idempotency-key", "enough");
    for times in 0..2 {
        let asked = stage.post(&keyed, &format!("/operations/{id}/cancel"), json!({})).await;
        assert!(asked.status.is_success(), "{:#}", asked.body);
        assert_eq!(asked.headers.contains_key("idempotency-replayed"), times == 1);
    }
    soon("somebody ended the waiting", async || state(id).await["state"] == "cancelled").await;
    assert_eq!(state(id).await["result"]["running"], json!([0, 1, 2]));
    assert!(fleet.is_drained(HERE).await, "it stays drained");
    let timed = fleet.operate("drain", json!({ "timeout": 1_000 })).await.is(202);
    stage.pass(2_000);
    let id = timed["id"].as_str().unwrap();
    soon("the time is up", async || state(id).await["state"] == "partial").await;
    assert_eq!(state(id).await["result"]["running"], json!([0, 1, 2]));
    let last = fleet.operate("drain", json!({})).await.is(202);
    code.finish();
    let id = last["id"].as_str().unwrap();
    soon("nothing runs", async || state(id).await["state"] == "done").await;
    engine.handle.shutdown().await;
}

async fn instances_give_a_job_up_and_a_plan_is_made_anew(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.operate("rebalance", json!({})).await.refused("no-live-instance");
    let engine = fleet.engine(HERE, &Code::quick()).await;
    let plan = &fleet.done("rebalance", json!({})).await["plan"];
    assert!(plan["after"].as_i64() > plan["before"].as_i64(), "{plan:#}");
    fleet.operate("shutdown", json!({ "target": "10.0.0.9" })).await.refused("no-such-host");
    let done = fleet.done("shutdown", json!({ "target": HERE })).await;
    assert_eq!(done["changed"], 1);
    soon("it has left", async || !engine.handle.status().await[0].registered).await;
    engine.handle.shutdown().await;
}

async fn a_job_is_removed_when_nothing_of_it_runs(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let code = Code::waiting();
    let engine = fleet.engine(HERE, &code).await;
    fleet.done("trigger", json!({})).await;
    soon("its items run", async || engine.running().await == 3).await;
    let begun = stage.delete(&fleet.root, &format!("{JOB}?mode=drain&reason=old")).await.is(202);
    assert_eq!(stage.get(&fleet.root, JOB).await.is(200)["state"], "removing");
    fleet.operate("resume", json!({})).await.refused("job-removing");
    code.finish();
    let id = begun["id"].as_str().unwrap();
    let place = format!("/operations/{id}");
    soon("it is gone", async || fleet.look(&place).await["state"] == "done").await;
    soon("nobody finds it", async || fleet.look(JOB).await["code"] == "not-found").await;
    assert!(fleet.node(Key::Job).await.is_none() && fleet.holds().await.is_empty());
    assert!(engine.outcomes().iter().all(|settled| settled.outcome == Outcome::Succeeded));
    // Its name is free, and a new one is another job.
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" } });
    let made = stage.post(&fleet.root, "/projects/billing/jobs", job).await.is(201);
    assert_eq!(made["version"], 1);
    engine.handle.shutdown().await;
}

async fn a_removal_that_stops_at_what_runs_leaves_all_as_it_was(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let code = Code::waiting();
    let engine = fleet.engine(HERE, &code).await;
    fleet.done("trigger", json!({})).await;
    soon("its items run", async || engine.running().await == 3).await;
    stage.delete(&fleet.root, &format!("{JOB}?mode=stop&reason=old")).await.refused("items-running");
    let path = format!("{JOB}?mode=drain&reason=old&timeout=1000");
    let begun = stage.delete(&fleet.root, &path).await.is(202);
    stage.pass(2_000);
    let place = format!("/operations/{}", begun["id"].as_str().unwrap());
    soon("it is given up", async || fleet.look(&place).await["state"] == "failed").await;
    let ended = stage.get(&fleet.root, &place).await.is(200);
    assert_eq!(ended["result"]["problem"]["code"], "items-running");
    soon("it is as before", async || fleet.look(JOB).await["state"] == "online").await;
    assert!(fleet.node(Key::Paused).await.is_none() && !fleet.is_disabled(HERE).await);
    assert!(fleet.holds().await.is_empty());
    code.finish();
    engine.handle.shutdown().await;
}

async fn a_removal_can_stop_what_runs(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V3).await;
    let engine = fleet.engine(HERE, &Code::waiting()).await;
    fleet.done("trigger", json!({})).await;
    soon("its items run", async || engine.running().await == 3).await;
    let waited = fleet.root.with("prefer", "wait=25");
    let removed = stage.delete(&waited, &format!("{JOB}?mode=kill&reason=old")).await.is(200);
    assert_eq!(removed["state"], "done", "{removed:#}");
    let by_hand = Outcome::Cancelled { reason: Reason::StoppedByHand {} };
    soon("that is on record", async || engine.outcomes().len() == 3).await;
    assert!(engine.outcomes().iter().all(|settled| settled.outcome == by_hand), "{:?}", engine.outcomes());
    assert!(fleet.node(Key::Job).await.is_none());
    engine.handle.shutdown().await;
}

async fn a_crash_at_any_step_is_made_good_once(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let engine = fleet.engine(HERE, &Code::quick()).await;
    let other = stage.another().await;
    let state = async |id: &str| fleet.look(&format!("/operations/{id}")).await;
    for (fires, point) in
        [(1, Point::OperationBegun), (2, Point::OperationWritten), (3, Point::OperationChecked)]
    {
        stage.app.failpoints.crash_at(point);
        let begun = fleet.operate("trigger", json!({})).await.is(202);
        let id = begun["id"].as_str().unwrap();
        // As long as its server lives, it is nobody else's.
        Stage::lives(&stage.app).await;
        resume::of_the_dead(&other).await.unwrap();
        assert_eq!(state(id).await["state"], "running");
        stage.pass(resume::SILENT + 1_000);
        resume::of_the_dead(&other).await.unwrap();
        soon("it goes on elsewhere", async || state(id).await["state"] == "done").await;
        soon("it fires once", async || engine.outcomes().len() == 3 * fires).await;
        assert_eq!(fleet.told("job.trigger").await[..2], ["done", "begun"], "{point:?}");
        assert_eq!(fleet.told("job.trigger").await.len(), 2 * fires);
        stage.app.failpoints.crash_at(point);
        let begun = fleet.operate("disable", json!({})).await.is(202);
        let id = begun["id"].as_str().unwrap();
        stage.pass(resume::SILENT + 1_000);
        resume::of_the_dead(&other).await.unwrap();
        soon("it goes on elsewhere", async || state(id).await["state"] == "done").await;
        assert!(fleet.is_disabled(HERE).await);
        fleet.done("enable", json!({})).await;
    }
    assert_eq!(engine.outcomes().len(), 9);
    engine.handle.shutdown().await;
}

async fn the_same_request_is_carried_out_once(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    let keyed = fleet.root.with("idempotency-key", "pause-1");
    let path = format!("{JOB}/pause");
    stage.pass(60_000);
    let all = (0..50).map(|_| stage.post(&keyed, &path, json!({ "reason": "audit" })));
    let replies = futures::future::join_all(all).await;
    let carried = replies
        .iter()
        .filter(|reply| reply.status == 200 && !reply.headers.contains_key("idempotency-replayed"));
    assert_eq!(carried.count(), 1);
    for reply in &replies {
        let in_progress = reply.body["code"] == "request-in-progress";
        assert!(reply.status == 200 || in_progress, "{} {:#}", reply.status, reply.body);
    }
    assert_eq!(fleet.told("job.pause").await, ["done", "begun"]);
    stage.pass(60_000);
    let again = stage.post(&keyed, &path, json!({ "reason": "audit" })).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.is(200)["kind"], "pause");
    let other = stage.post(&keyed, &path, json!({ "reason": "other" })).await;
    assert_eq!(other.refused("idempotency-mismatch")["status"], 422);
    let elsewhere = stage.post(&keyed, &format!("{JOB}/resume"), json!({ "reason": "audit" })).await;
    elsewhere.refused("idempotency-mismatch");
    // What is under way is asked for again later.
    let keyed = fleet.root.with("idempotency-key", "drain-1");
    fleet.java(THERE, 0).await;
    let mark = fleet.keys.of(&fleet.name(), &Key::Running(0));
    fleet.outside.commit(vec![Op::create_ephemeral(mark, "")]).await.unwrap();
    let begun = stage.post(&keyed, &format!("{JOB}/drain"), json!({})).await.is(202);
    let busy = stage.post(&keyed, &format!("{JOB}/drain"), json!({})).await;
    let retry = busy.headers["retry-after"].clone();
    let busy = busy.refused("request-in-progress");
    assert_eq!((&busy["operation"], retry.to_str().unwrap()), (&begun["id"], "1"));
    fleet.delete(Key::Running(0)).await;
    soon("its end is its answer", async || {
        stage.pass(200);
        let reply = stage.post(&keyed, &format!("{JOB}/drain"), json!({})).await;
        reply.status == 200 && reply.body["id"] == begun["id"]
    })
    .await;
}

async fn a_job_is_triggered_once_a_second_after_a_burst(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    // Nobody serves it, so each is refused; that counts as well.
    for _ in 0..5 {
        fleet.operate("trigger", json!({})).await.refused("no-live-instance");
    }
    let limited = fleet.operate("trigger", json!({})).await;
    assert_eq!(limited.headers["retry-after"], "1");
    limited.refused("rate-limited");
    fleet.operate("trigger", json!({ "dryRun": true })).await.refused("no-live-instance");
    fleet.operate("pause", json!({})).await.is(200);
    fleet.operate("resume", json!({})).await.is(200);
    stage.pass(1_000);
    fleet.operate("trigger", json!({})).await.refused("no-live-instance");
    fleet.operate("trigger", json!({})).await.refused("rate-limited");
}

async fn a_held_item_goes_on_from_where_somebody_says(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    // Nobody can read how far the item has come.
    fleet.write(Key::Cursor(1), "spoilt").await;
    let cursor = async || fleet.node(Key::Cursor(1)).await.unwrap();
    let dry = fleet.operate("items/1/resume", json!({ "from": "now", "dryRun": true })).await.is(200);
    assert_eq!((&dry["state"], &dry["result"]["changed"]), (&json!("dry-run"), &json!(1)), "{dry:#}");
    assert_eq!(cursor().await, "spoilt");
    fleet.operate("items/1/resume", json!({ "from": "last" })).await.refused("invalid");
    let done =
        fleet.done("items/1/resume", json!({ "from": "2027-01-15T07:00:00Z", "reason": "I looked" })).await;
    assert_eq!(done["changed"], 1);
    let said: Value = serde_json::from_str(&cursor().await).unwrap();
    assert!(said.to_string().contains("1799996400000") && said.to_string().contains("root"), "{said:#}");
    assert_eq!(fleet.done("items/0/resume", json!({ "from": "now" })).await["changed"], 0, "it is not held");
    fleet.operate("items/3/resume", json!({ "from": "now" })).await.refused("no-such-item");
    for wrong in ["2100-01-01T00:00:00Z", "soon"] {
        fleet.operate("items/1/resume", json!({ "from": wrong })).await.refused("invalid");
    }
    assert_eq!(fleet.told("job.item-resume").await[..3], ["refused", "done", "begun"]);
}
