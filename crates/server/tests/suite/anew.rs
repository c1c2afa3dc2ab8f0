//! What is told when another server begins to lead: nothing a second time, and nothing less.

use crate::alerts::{
    HOUR, MINUTE, NOW, conditions, fail, lead, loss, only, open, root_again, serve, settle, term,
};
use crate::stage::{Stage, on_each_database};
use clockwright_events::Sink;
use clockwright_model::Outcome;
use clockwright_server::alerts::Watch;
use serde_json::json;

on_each_database! {
    another_leader_opens_nothing_a_second_time
    what_was_due_long_before_another_leader_came_is_told_until_it_is_over
    what_another_leader_cannot_know_stays_open
}

async fn another_leader_opens_nothing_a_second_time(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut old = lead(stage).await;
    only(stage, &root, &["failing"]).await;
    fail(stage, 3).await;
    let mut new = lead(stage).await;
    assert!(old.turn(&stage.app).await.is_err(), "its term is over");
    new.turn(&stage.app).await.unwrap();
    let mut third = lead(stage).await;
    third.turn(&stage.app).await.unwrap();
    assert_eq!(open(stage, &root).await.len(), 1);
    let page = stage.get(&root, "/alerts").await.is(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

async fn what_was_due_long_before_another_leader_came_is_told_until_it_is_over(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let daily = json!({ "cron": "0 0 9 * * ?" });
    let job = "/projects/billing/jobs/report";
    stage.patch(&root.at(1), job, json!({ "settings": daily })).await.is(200);
    let mut watch = lead(stage).await;
    only(stage, &root, &["overdue"]).await;
    stage.pass(HOUR + 2 * MINUTE);
    watch.turn(&stage.app).await.unwrap();
    let root = root_again(stage).await;
    assert_eq!(conditions(&open(stage, &root).await), ["overdue"]);
    let told = open(stage, &root).await;
    stage.pass(5 * HOUR);
    let mut watch = lead(stage).await;
    for _ in 0..2 {
        watch.turn(&stage.app).await.unwrap();
        stage.pass(5 * MINUTE);
    }
    let root = root_again(stage).await;
    assert_eq!(open(stage, &root).await, told);
    settle(stage, NOW + HOUR, Outcome::Succeeded).await;
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty());
}

async fn what_another_leader_cannot_know_stays_open(stage: &Stage) {
    let root = stage.admin().await;
    let (_ours, _follows) = serve(stage, &root).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["events_lost"]).await;
    stage.history().await.record_loss(&loss(stage)).await.unwrap();
    watch.turn(&stage.app).await.unwrap();
    let told = open(stage, &root).await;
    assert_eq!(conditions(&told), ["events_lost"]);
    let blind = stage.another_without_history().await;
    let mut watch = Watch::begin(&blind, term(stage).await).await.unwrap();
    for _ in 0..2 {
        stage.pass(MINUTE);
        watch.turn(&blind).await.unwrap();
    }
    assert_eq!(open(stage, &root).await, told);
    // One who can ask says when it is over.
    stage.pass(HOUR);
    let mut watch = lead(stage).await;
    let root = root_again(stage).await;
    for _ in 0..2 {
        watch.turn(&stage.app).await.unwrap();
        stage.pass(MINUTE);
    }
    assert!(open(stage, &root).await.is_empty());
}
