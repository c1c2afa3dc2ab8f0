//! What others stop becomes a wish; what they start against a wish is stopped again.

use crate::fleet::{Fleet, HERE, JOB, THERE};
use crate::stage::{Stage, on_each_database};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_server::chores::lead::Lead;
use clockwright_server::fail::Point;
use clockwright_server::ops;
use clockwright_server::ops::resume;
use clockwright_testkit::patience::soon;
use serde_json::json;

on_each_database! {
    what_somebody_else_stopped_becomes_a_wish_in_2x
    what_somebody_else_stopped_becomes_a_wish_in_3x
    what_somebody_else_started_is_stopped_again
    a_host_that_is_disabled_in_all_jobs_is_so_in_a_job_that_meets_it_later
    a_project_that_follows_gives_up_what_others_lift
    what_an_operation_is_at_is_left_to_it
    what_others_change_is_noticed_without_anybody_asking
}

async fn sweep(fleet: &Fleet<'_>) {
    let project = fleet.stage.app.catalogue.project("billing").unwrap();
    let jobs = fleet.stage.app.catalogue.jobs(project.id);
    ops::sweep(&fleet.stage.app, &project, &jobs, None).await.unwrap();
}

async fn what_somebody_else_stopped_becomes_a_wish_in_2x(stage: &Stage) {
    taken(&Fleet::new(stage, Layout::V2).await).await;
}

async fn what_somebody_else_stopped_becomes_a_wish_in_3x(stage: &Stage) {
    taken(&Fleet::new(stage, Layout::V3).await).await;
}

async fn taken(fleet: &Fleet<'_>) {
    fleet.host(HERE).await;
    fleet.host(THERE).await;
    sweep(fleet).await;
    assert_eq!(fleet.holds().await, [""; 0]);
    fleet.write(Key::Server(HERE.into()), "DISABLED").await;
    fleet.write(Key::Disabled(1), "").await;
    fleet.write(Key::Paused, r#"{"at":1,"by":"chen","reason":"fire"}"#).await;
    for _ in 0..2 {
        sweep(fleet).await;
    }
    let expected = ["disable host 10.0.0.1 outside", "disable item 1 outside", "pause job outside"];
    assert_eq!(fleet.holds().await, expected);
    let holds = fleet.stage.get(&fleet.root, "/projects/billing/holds").await.is(200);
    assert_eq!((&holds[2]["by"], &holds[2]["reason"]), (&json!("chen"), &json!("fire")));
    assert_eq!(fleet.told("hold.outside").await.len(), 1, "it is told once");
    // It is lifted like any other, and the job's own enabling lifts what others disabled on its hosts.
    fleet.done("enable", json!({})).await;
    fleet.done("resume", json!({})).await;
    fleet.done("items/1/enable", json!({})).await;
    assert!(!fleet.is_disabled(HERE).await && fleet.node(Key::Paused).await.is_none());
    sweep(fleet).await;
    assert_eq!(fleet.holds().await, [""; 0]);
}

async fn what_somebody_else_started_is_stopped_again(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.done("disable", json!({})).await;
    fleet.done("pause", json!({ "reason": "audit" })).await;
    fleet.done("items/0/disable", json!({})).await;
    // A Java instance starts again and writes its host anew; a console resumes the job.
    fleet.host(HERE).await;
    fleet.delete(Key::Paused).await;
    fleet.delete(Key::Disabled(0)).await;
    assert!(!fleet.is_disabled(HERE).await);
    sweep(&fleet).await;
    assert!(fleet.is_disabled(HERE).await && fleet.node(Key::Disabled(0)).await.is_some());
    assert!(fleet.node(Key::Paused).await.unwrap().contains("audit"));
    assert_eq!(fleet.holds().await.len(), 3, "the wishes are as they were");
    assert_eq!(fleet.told("hold.restore").await, ["done", "begun"]);
    sweep(&fleet).await;
    assert_eq!(
        fleet.told("hold.restore").await,
        ["done", "begun"],
        "nothing is written when all is as it shall be"
    );
}

async fn a_host_that_is_disabled_in_all_jobs_is_so_in_a_job_that_meets_it_later(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V3).await;
    fleet.host(HERE).await;
    let path = format!("/projects/billing/hosts/{HERE}/disable");
    stage.post(&fleet.root, &path, json!({})).await.is(200);
    let job = json!({ "name": "other", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" } });
    stage.post(&fleet.root, "/projects/billing/jobs", job).await.is(201);
    let name = clockwright_model::JobName::new("other").unwrap();
    let host = fleet.keys.of(&name, &Key::Server(HERE.into()));
    let parent = fleet.keys.of(&name, &Key::Servers);
    let make = clockwright_registry::Op::create;
    fleet.outside.commit(vec![make(parent, ""), make(host.clone(), "ENABLED")]).await.unwrap();
    sweep(&fleet).await;
    let node = fleet.outside.read(&[host]).await.unwrap().pop().flatten().unwrap();
    assert_eq!(&node.data[..], b"DISABLED");
}

async fn a_project_that_follows_gives_up_what_others_lift(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let policy = json!({ "policy": { "holds": "follow" } });
    stage.patch(&fleet.root.at(1), "/projects/billing", policy).await.is(200);
    fleet.host(HERE).await;
    fleet.done("disable", json!({ "host": HERE })).await;
    fleet.host(HERE).await;
    sweep(&fleet).await;
    assert!(!fleet.is_disabled(HERE).await);
    assert_eq!(fleet.holds().await, [""; 0]);
    assert_eq!(fleet.told("hold.follow").await, ["done"]);
}

async fn what_an_operation_is_at_is_left_to_it(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.done("disable", json!({})).await;
    let other = stage.another().await;
    // It has lifted the wish, and dies before it has enabled the host.
    stage.app.failpoints.crash_at(Point::OperationBegun);
    let begun = fleet.operate("enable", json!({})).await.is(202);
    sweep(&fleet).await;
    assert_eq!(fleet.holds().await, [""; 0], "what it has left disabled is nobody else's wish");
    stage.pass(resume::SILENT + 1_000);
    resume::of_the_dead(&other).await.unwrap();
    let place = format!("/operations/{}", begun["id"].as_str().unwrap());
    soon("it goes on", async || fleet.look(&place).await["state"] == "done").await;
    assert!(!fleet.is_disabled(HERE).await);
    sweep(&fleet).await;
    assert_eq!(fleet.holds().await, [""; 0]);
    stage.get(&fleet.root, JOB).await.is(200);
}

async fn what_others_change_is_noticed_without_anybody_asking(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.host(HERE).await;
    fleet.done("disable", json!({})).await;
    let lead = Lead::start(std::sync::Arc::clone(&stage.app));
    fleet.host(HERE).await;
    soon("it is stopped again", async || fleet.is_disabled(HERE).await).await;
    fleet.write(Key::Paused, "{}").await;
    soon("it is a wish", async || {
        stage.pass(20);
        fleet.holds().await.contains(&"pause job outside".to_owned())
    })
    .await;
    lead.stop().await;
}
