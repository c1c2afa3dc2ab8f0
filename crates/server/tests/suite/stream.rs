//! The live stream: what is told, to whom, and where it goes on.

use crate::stage::{Caller, Listening, Stage, on_each_database, record};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{ConnectOptions, Op, Registry};
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::mirror;
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_stream_goes_on_behind_each_number
    a_number_that_is_none_or_too_much_that_was_missed_has_the_page_loaded_anew
    a_job_is_told_as_it_is_and_as_it_becomes
    rights_are_asked_before_each_event
    a_stream_ends_with_its_session_and_with_the_server
    so_many_streams_and_no_more
}

const JOBS: &str = "/projects/billing/jobs";

async fn project(stage: &Stage) -> Caller {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    root
}

async fn make(stage: &Stage, who: &Caller, name: &str) {
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" });
    stage.post(who, JOBS, json!({ "name": name, "settings": settings })).await.is(201);
}

async fn listen(stage: &Stage, who: &Caller, path: &str) -> Listening {
    match stage.listen(who, path).await {
        Ok(mut listening) => {
            assert_eq!(listening.next().await.unwrap().name, "hello");
            listening
        }
        Err(reply) => panic!("{} {:#}", reply.status, reply.body),
    }
}

async fn a_stream_goes_on_behind_each_number(stage: &Stage) {
    let root = project(stage).await;
    let begin = stage.app.catalogue.seq();
    let mut live = listen(stage, &root, "/stream?kinds=journal").await;
    for name in ["a", "b", "c"] {
        make(stage, &root, name).await;
    }
    let last = stage.app.catalogue.seq();
    let mut all = Vec::new();
    while all.last().is_none_or(|(id, _)| *id < last) {
        let event = live.until("journal").await;
        assert_eq!(event.data["seq"].as_i64(), event.id);
        all.push((event.id.unwrap(), event.data));
    }
    let made: Vec<&Value> =
        all.iter().filter(|(_, data)| data["action"] == "job.create").map(|(_, data)| data).collect();
    assert_eq!(
        (&made[0]["job"], &made[0]["project"], &made[0]["by"]),
        (&json!("a"), &json!("billing"), &json!("root"))
    );
    assert_eq!(made.len(), 3);
    for from in begin..last {
        let again = root.with("last-event-id", &from.to_string());
        let mut live = listen(stage, &again, "/stream?kinds=journal").await;
        for (id, data) in all.iter().filter(|(id, _)| *id > from) {
            let event = live.until("journal").await;
            assert_eq!((event.id, &event.data), (Some(*id), data), "from {from}");
        }
    }
}

async fn a_number_that_is_none_or_too_much_that_was_missed_has_the_page_loaded_anew(stage: &Stage) {
    let root = project(stage).await;
    let ahead = root.with("last-event-id", &(stage.app.catalogue.seq() + 1).to_string());
    let told = listen(stage, &ahead, "/stream").await.next().await.unwrap();
    assert_eq!((told.name.as_str(), &told.data["why"]), ("resync", &json!("restart")));
    let refused = stage.listen(&root.with("last-event-id", "x"), "/stream").await;
    refused.err().unwrap().refused("bad-cursor");

    // Nobody reads while more happens than is kept for a reader.
    let mut slow = listen(stage, &root, "/stream?kinds=journal").await;
    let mut change = stage.app.begin_as(Actor::server("test")).await.unwrap();
    for number in 0..300 {
        let target = Target { kind: "test", id: number.to_string(), name: String::new() };
        change.record(record("test.flood", 0, target));
    }
    let mut records = stage.app.catalogue.records();
    let seq = stage.app.commit(change).await.unwrap();
    // A receiver that lags is told so once, and then has the newest.
    while !matches!(records.recv().await, Ok(record) if record.seq == seq) {}
    let told = slow.next().await.unwrap();
    assert_eq!((told.name.as_str(), &told.data), ("resync", &json!({ "why": "overflow", "seq": seq })));
    make(stage, &root, "after").await;
    assert_eq!(slow.until("journal").await.data["job"], "after", "it goes on");
}

async fn a_job_is_told_as_it_is_and_as_it_becomes(stage: &Stage) {
    let root = project(stage).await;
    make(stage, &root, "report").await;
    make(stage, &root, "other").await;
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    soon("the registry is read", async || {
        stage.get(&root, JOBS).await.is(200)["items"][0]["status"] == "CRASHED"
    })
    .await;
    let mut live = listen(stage, &root, "/stream?project=billing&q=report&kinds=live").await;
    let told = live.next().await.unwrap();
    assert_eq!((told.name.as_str(), told.id), ("live", None));
    assert_eq!((&told.data["name"], &told.data["status"]), (&json!("report"), &json!("CRASHED")));
    let (keys, outsider) =
        (Keys::new("billing").unwrap(), stage.registry.connect(ConnectOptions::default()).unwrap());
    for name in ["other", "report"] {
        let config = keys.of(&JobName::new(name).unwrap(), &Key::Config);
        outsider.commit(vec![Op::set(config, "{ cut off")]).await.unwrap();
    }
    let told = live.until("live").await;
    assert_eq!((&told.data["name"], &told.data["status"]), (&json!("report"), &json!("DEGRADED")));
    assert_eq!(live.until("asof").await.data["billing"]["state"], "following");
}

/// The next job that a journal's event is about.
async fn job(live: &mut Listening) -> Value {
    loop {
        let event = live.until("journal").await;
        if let Some(job) = event.data.get("job") {
            return job.clone();
        }
    }
}

async fn rights_are_asked_before_each_event(stage: &Stage) {
    let root = project(stage).await;
    stage.post(&root, "/projects", json!({ "name": "open" })).await.is(201);
    let viewer = stage.somebody(&root, "vera", None).await;
    let stranger = stage.listen(&viewer, "/stream?project=billing").await;
    stranger.err().unwrap().refused("not-found");
    let member = "/projects/billing/members/user/vera";
    for place in [member, "/projects/open/members/user/vera"] {
        stage.put(&root, place, json!({ "role": "viewer" })).await.is(200);
    }
    let mut all = listen(stage, &viewer, "/stream?kinds=journal").await;
    let mut of_project = listen(stage, &viewer, "/stream?project=billing&kinds=journal").await;
    make(stage, &root, "first").await;
    assert_eq!((job(&mut all).await, job(&mut of_project).await), (json!("first"), json!("first")));
    stage.delete(&root, member).await.is(204);
    make(stage, &root, "second").await;
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" });
    let third = json!({ "name": "third", "settings": settings });
    stage.post(&root, "/projects/open/jobs", third).await.is(201);
    assert_eq!(job(&mut all).await, "third", "nothing of the other project is told any more");
    assert_eq!(of_project.until("bye").await.data["why"], "notAllowed");
    assert!(of_project.next().await.is_none());
}

async fn a_stream_ends_with_its_session_and_with_the_server(stage: &Stage) {
    let root = project(stage).await;
    let viewer = stage.somebody(&root, "vera", Some("viewer")).await;
    let mut theirs = listen(stage, &viewer, "/stream").await;
    let mut ours = listen(stage, &root, "/stream").await;
    stage.delete(&viewer, "/session").await.is(204);
    assert_eq!(theirs.until("bye").await.data["why"], "signedOut");
    assert!(theirs.next().await.is_none());
    stage.app.leave();
    assert_eq!(ours.until("bye").await.data["why"], "shutdown");
    assert!(ours.next().await.is_none());
}

async fn so_many_streams_and_no_more(stage: &Stage) {
    let root = project(stage).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(listen(stage, &root, "/stream").await);
    }
    stage.listen(&root, "/stream").await.err().unwrap().refused("too-many-streams");
    open.pop();
    listen(stage, &root, "/stream").await;
    stage.listen(&root, "/stream?kinds=gossip").await.err().unwrap().refused("invalid");
    stage.listen(&root, "/stream?q=stat:x").await.err().unwrap().refused("bad-filter");
    stage.listen(&Caller::default(), "/stream").await.err().unwrap().refused("not-signed-in");
}
