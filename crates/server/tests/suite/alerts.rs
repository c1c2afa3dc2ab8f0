//! What is the matter, who is told, and that they are.

use crate::receivers::Receiver;
use crate::stage::{Caller, On, Stage, on_each_database};
use aws_lc_rs::hmac;
use clockwright_events::{Loss, Sink, testing};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{
    Event, FailureKind, Fire, InstanceId, JobName, Millis, Outcome, Reason, RunId, Settlement,
};
use clockwright_registry::{ConnectOptions, Op, Registry};
use clockwright_server::alerts::{Watch, send};
use clockwright_server::chores::{Term, now};
use clockwright_server::config::Config;
use clockwright_server::decide::alerts::notify::Kind;
use clockwright_server::decide::chain::{Actor, Outcome as Ending, Record, Target};
use clockwright_server::mirror::State;
use clockwright_server::store::{DeliveryRow, DeliveryState};
use clockwright_server::{mirror, observe, outcomes};
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_job_that_fails_is_told_on_a_signed_webhook_and_told_to_be_over
    what_is_taken_up_or_silenced_is_not_told_again
    a_job_that_was_due_and_did_not_run_is_told_and_one_without_an_instance_once
    a_registry_that_is_away_is_told_once_and_freezes_what_its_jobs_do
    what_others_wrote_is_told_for_an_hour
    lost_events_are_told_still_while_nobody_can_be_asked_for_them
    a_leader_that_dies_after_sending_leaves_the_message_to_the_next_one_with_the_same_id
    a_message_that_is_not_taken_comes_again_ever_later_and_is_dead_at_last
    a_receiver_that_refuses_without_a_word_is_told_as_it_answered
    a_channel_with_much_to_send_leaves_the_others_their_turn
    rules_are_there_from_the_beginning_and_a_project_may_have_its_own
    alerts_are_seen_and_taken_up_by_those_who_may
    alerts_are_told_by_the_stream
}

pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const MINUTE: Millis = 60_000;
pub(crate) const NOW: Millis = 1_800_000_000_000;
pub(crate) const A: &str = "10.0.0.1@-@7";

/// A project with an hourly job of one item, which an instance of ours serves; its live state is followed.
pub(crate) async fn serve(stage: &Stage, root: &Caller) -> (Arc<dyn Registry>, tokio::task::JoinHandle<()>) {
    stage.post(root, "/projects", json!({ "name": "billing" })).await.is(201);
    make_job(stage, root, "report").await;
    let ours = join(stage, "report").await;
    let (keys, id) = (Keys::new("billing").unwrap(), InstanceId::from_wire(A));
    for op in [Op::create(keys.leases(), ""), Op::create_ephemeral(keys.lease(&id), "{}")] {
        ours.commit(vec![op]).await.ok();
    }
    let follows = follow(stage).await;
    (ours, follows)
}

/// The project's live state is followed.
pub(crate) async fn follow(stage: &Stage) -> tokio::task::JoinHandle<()> {
    let follows = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let project = stage.app.catalogue.project("billing").unwrap().id;
    soon("the registry is followed", async || stage.app.mirrors.of(project).read().state == State::Following)
        .await;
    outcomes::look(&stage.app).await;
    follows
}

/// An instance that serves a job; without a lease it is one of Elastic-Job. It is there as long as its session.
pub(crate) async fn join(stage: &Stage, job: &str) -> Arc<dyn Registry> {
    let session: Arc<dyn Registry> = stage.registry.connect(ConnectOptions::default()).unwrap();
    let (keys, job) = (Keys::new("billing").unwrap(), JobName::new(job).unwrap());
    soon("the job is written", async || session.read(&[keys.job(&job)]).await.unwrap()[0].is_some()).await;
    let nodes = [Key::Instances, Key::Servers, Key::Server("10.0.0.1".into()), Key::Items, Key::Item(0)];
    for key in nodes {
        session.commit(vec![Op::create(keys.of(&job, &key), "")]).await.ok();
    }
    let there = Op::create_ephemeral(keys.of(&job, &Key::Instance(InstanceId::from_wire(A))), "");
    session.commit(vec![there]).await.unwrap();
    session
}

pub(crate) async fn make_job(stage: &Stage, root: &Caller, name: &str) {
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 * * * ?", "timeZone": "UTC" });
    stage.post(root, "/projects/billing/jobs", json!({ "name": name, "settings": settings })).await.is(201);
}

/// The next term, and whoever leads in it.
pub(crate) async fn lead(stage: &Stage) -> Watch {
    Watch::begin(&stage.app, term(stage).await).await.unwrap()
}

pub(crate) async fn term(stage: &Stage) -> Term {
    assert!(stage.app.store.has_home("here").await.unwrap());
    let number = stage.app.store.take_term("here", "somebody", 1).await.unwrap().unwrap();
    Term::new(number, now() + 1_000_000)
}

/// Turns off what this test is not about.
pub(crate) async fn only(stage: &Stage, root: &Caller, conditions: &[&str]) {
    for rule in stage.get(root, "/rules").await.is(200).as_array().unwrap() {
        let id = rule["id"].as_str().unwrap();
        if conditions.contains(&id) {
            continue;
        }
        let ask = json!({ "name": rule["name"], "condition": id, "enabled": false });
        stage.put(&root.at(1), &format!("/rules/{id}"), ask).await.is(200);
        stage.pass(100);
    }
}

pub(crate) async fn settle(stage: &Stage, fire: Millis, outcome: Outcome) {
    let settlement = Settlement {
        namespace: "billing".into(),
        job: JobName::new("report").unwrap(),
        fire: Fire::Scheduled(fire),
        run_id: Some(RunId::new(fire, 1)),
        start: Some(fire + 5),
        at: fire + 1_000,
        outcome,
        ..testing::settlement(1)
    };
    stage.history().await.store(&[Event::from(settlement)]).await.unwrap();
    outcomes::look(&stage.app).await;
}

fn failed() -> Outcome {
    Outcome::Failed { kind: FailureKind::Job, reason: Reason::stored(None, None, "the disk is full") }
}

/// A session does not live as long as these tests let time pass.
pub(crate) async fn root_again(stage: &Stage) -> Caller {
    let ask = json!({ "login": "root", "password": crate::stage::PASSWORD });
    Caller::of_cookie(&stage.post(&Caller::default(), "/session", ask).await)
}

pub(crate) async fn fail(stage: &Stage, times: i64) {
    for back in (1..=times).rev() {
        settle(stage, NOW - back * HOUR, failed()).await;
    }
}

pub(crate) async fn open(stage: &Stage, root: &Caller) -> Vec<(String, String)> {
    let page = stage.get(root, "/alerts?state=open").await.is(200);
    let rows = page["items"].as_array().unwrap();
    let row =
        |row: &Value| (row["condition"].as_str().unwrap().to_owned(), row["id"].as_str().unwrap().to_owned());
    let mut open: Vec<_> = rows.iter().map(row).collect();
    open.sort();
    open
}

pub(crate) fn conditions(open: &[(String, String)]) -> Vec<&str> {
    open.iter().map(|(condition, _)| condition.as_str()).collect()
}

/// The metrics say this, once what the database counts has been counted again.
async fn counts(stage: &Stage, lines: &[&str]) {
    stage.app.counted.renew(&stage.app).await;
    let page = observe::page::page(&stage.app).await;
    for line in lines {
        assert!(page.lines().any(|there| there == *line), "{line} is not in\n{page}");
    }
}

pub(crate) async fn webhook(stage: &Stage, root: &Caller, receiver: &Receiver) -> String {
    let ask = json!({ "name": "ops", "kind": "webhook", "url": receiver.url, "secret": "open sesame" });
    let made = stage.post(root, "/channels", ask).await.is(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn a_job_that_fails_is_told_on_a_signed_webhook_and_told_to_be_over(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    webhook(stage, &root, &receiver).await;
    let (_ours, _follows) = serve(stage, &root).await;
    let term = term(stage).await;
    let mut watch = Watch::begin(&stage.app, term.clone()).await.unwrap();
    only(stage, &root, &["failing"]).await;
    fail(stage, 2).await;
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty(), "two are not three");
    settle(stage, NOW, failed()).await;
    watch.turn(&stage.app).await.unwrap();
    let id = open(stage, &root).await[0].1.clone();
    let alert = stage.get(&root, &format!("/alerts/{id}")).await.is(200);
    assert_eq!(alert["text"], "item 0 of report failed 3 times in a row");
    assert_eq!(
        (&alert["project"], &alert["job"], &alert["item"]),
        (&json!("billing"), &json!("report"), &json!(0))
    );
    send::turn(&stage.app, &term).await.unwrap();
    assert!(receiver.take().is_empty(), "what breaks with it is waited for");
    stage.pass(30_000);
    watch.turn(&stage.app).await.unwrap();
    send::turn(&stage.app, &term).await.unwrap();
    let received = receiver.take();
    assert_eq!(received.len(), 1);
    let told = received[0].json();
    assert_eq!(told["alerts"][0]["text"], alert["text"]);
    assert_eq!((&told["alerts"][0]["event"], &told["alerts"][0]["alert"]), (&json!("opened"), &json!(id)));
    assert_eq!(received[0].header("clockwright-delivery"), told["delivery"].as_str().unwrap());
    let signature = received[0].header("clockwright-signature");
    let (at, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"open sesame");
    hmac::verify(&key, format!("{at}.{}", received[0].text).as_bytes(), &bytes).unwrap();
    // Once more it only counts; it is over by a success, which is told after the group's pause.
    settle(stage, NOW + 1, failed()).await;
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(stage.get(&root, &format!("/alerts/{id}")).await.is(200)["count"], 2);
    settle(stage, NOW + 2, Outcome::Succeeded).await;
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty());
    assert_eq!(stage.get(&root, &format!("/alerts/{id}")).await.is(200)["state"], "resolved");
    stage.pass(5 * MINUTE);
    watch.turn(&stage.app).await.unwrap();
    send::turn(&stage.app, &term).await.unwrap();
    let told = receiver.take();
    assert_eq!(told[0].json()["alerts"][0]["event"], "ended");
    let page = stage.get(&root, "/deliveries?state=sent").await.is(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
}

async fn what_is_taken_up_or_silenced_is_not_told_again(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    webhook(stage, &root, &receiver).await;
    let (_ours, _follows) = serve(stage, &root).await;
    let term = term(stage).await;
    let mut watch = Watch::begin(&stage.app, term.clone()).await.unwrap();
    only(stage, &root, &["failing"]).await;
    let ends = clockwright_api::At(stage.app.now() + HOUR);
    let silence =
        json!({ "project": "billing", "jobs": "rep*", "endsAt": ends, "reason": "the disk is changed" });
    let silence = stage.post(&root, "/silences", silence).await.is(201);
    assert_eq!((&silence["active"], &silence["by"]), (&json!(true), &json!("root")));
    fail(stage, 3).await;
    let mut tell = async |passes: Millis| {
        stage.pass(passes);
        watch.turn(&stage.app).await.unwrap();
        send::turn(&stage.app, &term).await.unwrap();
        receiver.take().len()
    };
    assert_eq!(tell(0).await, 0);
    assert_eq!(tell(MINUTE).await, 0, "it is silent");
    let id = open(stage, &root).await[0].1.clone();
    let path = format!("/silences/{}", silence["id"].as_str().unwrap());
    stage.delete(&root.at(7), &path).await.refused("version-conflict");
    stage.delete(&root.at(1), &path).await.is(204);
    assert_eq!(tell(0).await, 1, "it is open still");
    assert_eq!(tell(4 * HOUR).await, 1, "it is told again after four hours");
    // The session is old by now.
    let root = root_again(stage).await;
    let acked = stage.post(&root, &format!("/alerts/{id}/ack"), json!({ "note": "mine" })).await.is(200);
    assert_eq!(
        (&acked["state"], &acked["ack"]["by"], &acked["ack"]["note"]),
        (&json!("acked"), &json!("root"), &json!("mine"))
    );
    counts(
        stage,
        &[
            "clockwright_alerts{condition=\"failing\",state=\"acked\"} 1",
            "clockwright_deliveries_total{kind=\"webhook\",result=\"sent\"} 2",
        ],
    )
    .await;
    assert_eq!(tell(4 * HOUR).await, 0);
    let root = root_again(stage).await;
    stage.post(&root, &format!("/alerts/{id}/unack"), json!({})).await.is(200);
    assert_eq!(tell(0).await, 1);
    settle(stage, NOW + 20 * HOUR, Outcome::Succeeded).await;
    assert_eq!(tell(0).await, 0, "what is over with it is waited for");
    assert_eq!(tell(5 * MINUTE).await, 1);
    stage.post(&root, &format!("/alerts/{id}/ack"), json!({})).await.refused("gone");
}

async fn a_job_that_was_due_and_did_not_run_is_told_and_one_without_an_instance_once(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    make_job(stage, &root, "orphan").await;
    let project = stage.app.catalogue.project("billing").unwrap().id;
    soon("the new job is seen", async || stage.app.mirrors.of(project).read().job("orphan").is_some()).await;
    let mut watch = lead(stage).await;
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty());
    stage.pass(HOUR + MINUTE);
    let root = root_again(stage).await;
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["no_instance"], "its grace is not over");
    stage.pass(MINUTE);
    watch.turn(&stage.app).await.unwrap();
    let now_open = open(stage, &root).await;
    assert_eq!(conditions(&now_open), ["no_instance", "overdue"]);
    let of = async |condition: &str| {
        let page = stage.get(&root, &format!("/alerts?condition={condition}")).await.is(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        page["items"][0]["job"].as_str().unwrap().to_owned()
    };
    assert_eq!((of("no_instance").await, of("overdue").await), ("orphan".to_owned(), "report".to_owned()));
    settle(stage, NOW + HOUR, Outcome::Succeeded).await;
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["no_instance"]);
}

async fn a_registry_that_is_away_is_told_once_and_freezes_what_its_jobs_do(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    fail(stage, 3).await;
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["failing"]);
    stage.post(&root, "/projects", json!({ "name": "remote", "registry": "far" })).await.is(201);
    let remote = stage.app.catalogue.project("remote").unwrap().id;
    soon("the far registry is away", async || {
        matches!(stage.app.mirrors.of(remote).read().state, State::Away(_))
    })
    .await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(MINUTE);
    watch.turn(&stage.app).await.unwrap();
    let page = stage.get(&root, "/alerts?condition=registry_away").await.is(200);
    assert_eq!((&page["items"][0]["thing"], page["items"].as_array().unwrap().len()), (&json!("far"), 1));
    assert_eq!(conditions(&open(stage, &root).await), ["failing", "registry_away"]);
    stage.far.store(true, std::sync::atomic::Ordering::SeqCst);
    soon("the far registry is back", async || stage.app.mirrors.of(remote).read().state == State::Following)
        .await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(MINUTE);
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["failing"]);
}

async fn what_others_wrote_is_told_for_an_hour(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["drift"]).await;
    let job = stage.app.catalogue.job(stage.app.catalogue.project("billing").unwrap().id, "report").unwrap();
    let mut change = stage.app.store.begin(Actor::server("sync"), stage.app.now()).await.unwrap();
    change.record(Record {
        action: "sync.repair",
        project: job.project,
        target: Target { kind: "job", id: job.id.to_string(), name: job.name.clone() },
        outcome: Ending::Done,
        code: "",
        changes: json!({ "kind": "changed" }),
        reason: String::new(),
    });
    change.commit().await.unwrap();
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["drift"]);
    // Another leader knows it by the same record.
    let mut watch = lead(stage).await;
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["drift"]);
    stage.pass(HOUR);
    let root = root_again(stage).await;
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty());
}

pub(crate) fn loss(stage: &Stage) -> Loss {
    Loss {
        id: RunId(7),
        from: stage.app.now() - 1_000,
        to: stage.app.now(),
        statuses: 1,
        executions: 0,
        settlements: 0,
        failures: 0,
        reason: "the queue was full".into(),
    }
}

async fn lost_events_are_told_still_while_nobody_can_be_asked_for_them(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["events_lost"]).await;
    stage.history().await.record_loss(&loss(stage)).await.unwrap();
    watch.turn(&stage.app).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["events_lost"]);
    stage.pass(MINUTE);
    let blind = stage.another_without_history().await;
    watch.turn(&blind).await.unwrap();
    assert_eq!(conditions(&open(stage, &root).await), ["events_lost"]);
}

async fn a_leader_that_dies_after_sending_leaves_the_message_to_the_next_one_with_the_same_id(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    webhook(stage, &root, &receiver).await;
    let (_ours, _follows) = serve(stage, &root).await;
    let old = term(stage).await;
    let mut watch = Watch::begin(&stage.app, old.clone()).await.unwrap();
    fail(stage, 3).await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(30_000);
    watch.turn(&stage.app).await.unwrap();
    // While it is being sent, another one begins to lead.
    let app = Arc::clone(&stage.app);
    receiver.meanwhile(move || {
        let app = Arc::clone(&app);
        Box::pin(async move { drop(app.store.take_term("here", "another", 2).await) })
    });
    assert!(send::turn(&stage.app, &old).await.is_err(), "what came of it cannot be noted");
    let waiting = stage.get(&root, "/deliveries").await.is(200);
    assert_eq!(waiting["items"][0]["state"], "waiting");
    stage.pass(1_000);
    assert!(send::turn(&stage.app, &old).await.is_err(), "who leads no more does not speak");
    let first = receiver.take();
    receiver.meanwhile(|| Box::pin(async {}));
    let new = term(stage).await;
    stage.pass(1_000);
    send::turn(&stage.app, &new).await.unwrap();
    let second = receiver.take();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].header("clockwright-delivery"), second[0].header("clockwright-delivery"));
    stage.pass(1_000);
    send::turn(&stage.app, &new).await.unwrap();
    assert!(receiver.take().is_empty());
    assert_eq!(stage.get(&root, "/deliveries").await.is(200)["items"][0]["state"], "sent");
}

async fn a_message_that_is_not_taken_comes_again_ever_later_and_is_dead_at_last(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    webhook(stage, &root, &receiver).await;
    let (_ours, _follows) = serve(stage, &root).await;
    let term = term(stage).await;
    let mut watch = Watch::begin(&stage.app, term.clone()).await.unwrap();
    only(stage, &root, &["failing", "delivery_dead"]).await;
    fail(stage, 3).await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(30_000);
    watch.turn(&stage.app).await.unwrap();
    counts(
        stage,
        &["clockwright_alerts{condition=\"failing\",state=\"firing\"} 1", "clockwright_deliveries_waiting 1"],
    )
    .await;
    receiver.answers(500, "the cat sat on it");
    for wait in [0, 10_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000] {
        stage.pass(wait - 1);
        send::turn(&stage.app, &term).await.unwrap();
        assert!(receiver.take().is_empty(), "not before {wait}");
        stage.pass(1);
        send::turn(&stage.app, &term).await.unwrap();
        assert_eq!(receiver.take().len(), 1, "after {wait}");
    }
    counts(
        stage,
        &[
            "clockwright_deliveries_total{kind=\"webhook\",result=\"waiting\"} 6",
            "clockwright_deliveries_total{kind=\"webhook\",result=\"dead\"} 1",
            "clockwright_deliveries_waiting 0",
        ],
    )
    .await;
    stage.pass(30 * HOUR);
    send::turn(&stage.app, &term).await.unwrap();
    assert!(receiver.take().is_empty());
    let root = root_again(stage).await;
    let dead = stage.get(&root, "/deliveries?state=dead").await.is(200);
    assert_eq!(dead["items"][0]["tries"], 7);
    assert!(dead["items"][0]["error"].as_str().unwrap().contains("500: the cat sat on it"));
    watch.turn(&stage.app).await.unwrap();
    assert!(conditions(&open(stage, &root).await).contains(&"delivery_dead"));
    receiver.answers(200, "");
    let path = format!("/deliveries/{}/again", dead["items"][0]["id"].as_str().unwrap());
    stage.post(&root, &path, json!({})).await.is(200);
    send::turn(&stage.app, &term).await.unwrap();
    assert!(
        receiver
            .take()
            .iter()
            .any(|received| received.header("clockwright-delivery") == dead["items"][0]["id"])
    );
}

/// A message of one alert on a channel, due now.
fn due(stage: &Stage, channel: &str, number: i64) -> DeliveryRow {
    DeliveryRow {
        id: format!("{channel:.30}-{number}"),
        message: format!("{number}-{channel:.30}"),
        channel: channel.to_owned(),
        project: 0,
        alert: number.to_string(),
        kind: Kind::Opened,
        number: 0,
        at: stage.app.now(),
        state: DeliveryState::Waiting,
        tries: 0,
        next: stage.app.now() + number,
        body: String::new(),
        error: String::new(),
        sent: None,
    }
}

async fn a_receiver_that_refuses_without_a_word_is_told_as_it_answered(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    let channel = webhook(stage, &root, &receiver).await;
    let term = term(stage).await;
    stage.app.store.insert_deliveries(term.number(), &[due(stage, &channel, 0)]).await.unwrap();
    receiver.answers(503, "");
    send::turn(&stage.app, &term).await.unwrap();
    let waiting = stage.get(&root, "/deliveries").await.is(200);
    assert_eq!(waiting["items"][0]["error"].as_str().unwrap().trim_end(), "answered 503:");
    // It waits already, and goes on doing so.
    let path = format!("/deliveries/{}/again", waiting["items"][0]["id"].as_str().unwrap());
    let again = stage.post(&root, &path, json!({})).await.is(200);
    assert_eq!((&again["tries"], &again["nextAt"]), (&json!(1), &waiting["items"][0]["nextAt"]));
}

async fn a_channel_with_much_to_send_leaves_the_others_their_turn(stage: &Stage) {
    let root = stage.admin().await;
    let (busy, quiet) = (Receiver::start().await, Receiver::start().await);
    let channel = webhook(stage, &root, &busy).await;
    let ask = json!({ "name": "team", "kind": "webhook", "url": quiet.url });
    let other = stage.post(&root, "/channels", ask).await.is(201);
    let term = term(stage).await;
    let mut rows: Vec<DeliveryRow> = (0..150).map(|number| due(stage, &channel, number)).collect();
    rows.push(due(stage, other["id"].as_str().unwrap(), 150));
    stage.app.store.insert_deliveries(term.number(), &rows).await.unwrap();
    stage.pass(150);
    send::turn(&stage.app, &term).await.unwrap();
    assert_eq!((busy.take().len(), quiet.take().len()), (1, 1));
}

async fn rules_are_there_from_the_beginning_and_a_project_may_have_its_own(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    let rules = stage.get(&root, "/rules").await.is(200);
    assert_eq!(rules.as_array().unwrap().len(), clockwright_api::alerts::Condition::ALL.len());
    let failing = stage.get(&root, "/rules/failing").await.is(200);
    assert_eq!(
        (&failing["threshold"], &failing["severity"], &failing["enabled"]),
        (&json!(3), &json!("critical"), &json!(true))
    );
    stage.delete(&root.at(1), "/rules/failing").await.refused("invalid");
    let own = json!({ "name": "at once", "condition": "failing", "threshold": 1, "jobs": "rep*" });
    let own = stage.post(&root, "/projects/billing/rules", own).await.is(201);
    let path = format!("/projects/billing/rules/{}", own["id"].as_str().unwrap());
    for (wrong, pointer) in [
        (json!({ "name": "x", "condition": "missed", "threshold": 2 }), "/threshold"),
        (json!({ "name": "x", "condition": "registry_away" }), "/condition"),
        (json!({ "name": "x", "condition": "failing", "wait": 604_801 }), "/wait"),
        (json!({ "name": "x", "condition": "sync_held", "jobs": "a" }), "/jobs"),
        (json!({ "name": "x", "condition": "failing", "channels": ["none"] }), "/channels/0"),
    ] {
        let refused = stage.post(&root, "/projects/billing/rules", wrong).await.refused("invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    fail(stage, 1).await;
    watch.turn(&stage.app).await.unwrap();
    let page = stage.get(&root, "/alerts").await.is(200);
    assert_eq!((&page["items"][0]["rule"], page["items"].as_array().unwrap().len()), (&own["id"], 1));
    let off = json!({ "name": "never", "condition": "failing", "enabled": false });
    stage.put(&root.at(9), &path, off.clone()).await.refused("version-conflict");
    let changed = stage.put(&root.at(1), &path, off).await.is(200);
    assert_eq!((&changed["version"], &changed["name"]), (&json!(2), &json!("never")));
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty(), "a rule that is off keeps nothing open");
    stage.delete(&root.at(2), &path).await.is(204);
    stage.get(&root, &path).await.refused("not-found");
}

async fn alerts_are_seen_and_taken_up_by_those_who_may(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    fail(stage, 3).await;
    watch.turn(&stage.app).await.unwrap();
    let id = open(stage, &root).await[0].1.clone();
    let somebody = stage.somebody(&root, "stranger", None).await;
    let viewer = stage.somebody(&root, "viewer", None).await;
    stage.put(&root, "/projects/billing/members/user/viewer", json!({ "role": "viewer" })).await.is(200);
    assert!(open(stage, &somebody).await.is_empty());
    stage.get(&somebody, &format!("/alerts/{id}")).await.refused("not-found");
    stage.get(&somebody, "/alerts?project=billing").await.refused("not-found");
    assert_eq!(open(stage, &viewer).await.len(), 1);
    stage.post(&viewer, &format!("/alerts/{id}/ack"), json!({})).await.refused("not-allowed");
    let silence =
        json!({ "project": "billing", "endsAt": clockwright_api::At(stage.app.now() + HOUR), "reason": "x" });
    stage.post(&viewer, "/silences", silence.clone()).await.refused("not-allowed");
    stage
        .post(&viewer, "/rules", json!({ "name": "x", "condition": "failing" }))
        .await
        .refused("not-allowed");
    stage.put(&root, "/projects/billing/members/user/viewer", json!({ "role": "operator" })).await.is(200);
    stage.post(&viewer, &format!("/alerts/{id}/ack"), json!({})).await.is(200);
    stage.post(&viewer, "/silences", silence).await.is(201);
    let late = json!({ "project": "billing", "endsAt": clockwright_api::At(stage.app.now()), "reason": "x" });
    let refused = stage.post(&viewer, "/silences", late).await.refused("invalid");
    assert_eq!(refused["errors"][0]["pointer"], "/endsAt");
}

async fn alerts_are_told_by_the_stream(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    let mut stream = stage.listen(&root, "/stream?kinds=alert").await.unwrap();
    stream.until("hello").await;
    fail(stage, 3).await;
    watch.turn(&stage.app).await.unwrap();
    let opened = stream.until("alert").await;
    assert_eq!((&opened.data["what"], &opened.data["condition"]), (&json!("opened"), &json!("failing")));
    assert_eq!((&opened.data["project"], &opened.data["job"]), (&json!("billing"), &json!("report")));
    let id = opened.data["id"].as_str().unwrap().to_owned();
    stage.post(&root, &format!("/alerts/{id}/ack"), json!({})).await.is(200);
    assert_eq!(stream.until("alert").await.data["what"], "changed");
    settle(stage, NOW, Outcome::Succeeded).await;
    watch.turn(&stage.app).await.unwrap();
    let over = stream.until("alert").await;
    assert_eq!((&over.data["what"], &over.data["id"]), (&json!("resolved"), &json!(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_told_until_another_one_is_read() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let mut watch = lead(&stage).await;
    only(&stage, &root, &["certificate"]).await;
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let certify = |(year, month, day)| {
        let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, month, day);
        let secret = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&cert, wanted.self_signed(&secret).unwrap().pem()).unwrap();
        std::fs::write(&key, secret.serialize_pem()).unwrap();
    };
    // In fifteen days.
    certify((2027, 1, 30));
    let config = Config { tls_cert: Some(cert.clone()), tls_key: Some(key.clone()), ..Config::default() };
    let tls = clockwright_server::tls(&config).unwrap().unwrap();
    stage.app.serves_with(Arc::clone(&tls));
    watch.turn(&stage.app).await.unwrap();
    assert!(open(&stage, &root).await.is_empty());
    certify((2027, 1, 28));
    tls.read_again().unwrap();
    watch.turn(&stage.app).await.unwrap();
    let told = stage.get(&root, "/alerts?state=open").await.is(200)["items"].clone();
    assert_eq!(told[0]["params"]["until"], "2027-01-28T00:00:00.000Z", "{told:#}");
    certify((2028, 1, 30));
    tls.read_again().unwrap();
    for _ in 0..2 {
        watch.turn(&stage.app).await.unwrap();
    }
    assert!(open(&stage, &root).await.is_empty());
}
