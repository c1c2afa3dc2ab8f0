//! What Elastic-Job's instances run: what is told of it.

use crate::alerts::{A, HOUR, MINUTE, NOW, conditions, follow, join, lead, make_job, only, open, root_again};
use crate::stage::{Stage, on_each_database};
use clockwright_events::{Sink, testing};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{Event, Execution, JobName, Millis, RunId};
use clockwright_registry::Op;
use clockwright_server::outcomes;
use clockwright_testkit::patience::soon;
use serde_json::json;

on_each_database! {
    what_java_ran_is_told_by_its_history
    what_java_ran_without_a_history_is_told_by_its_marks
    what_another_leader_did_not_see_java_run_stays_open
}

/// Writes as Elastic-Job does: a row as the run begins, which is completed at its end.
async fn java_runs(stage: &Stage, start: Millis, ends: Option<bool>) -> Execution {
    let begun = Execution {
        id: RunId(uuid::Uuid::new_v4().as_u128()),
        job: JobName::new("report").unwrap(),
        task_id: format!("report@-@0@-@READY@-@{A}").into(),
        start,
        ..testing::execution(0)
    };
    stage.history().await.store(&[Event::from(begun.clone())]).await.unwrap();
    if let Some(success) = ends {
        java_ends(stage, &begun, success).await;
    }
    outcomes::look(&stage.app).await;
    begun
}

async fn java_ends(stage: &Stage, begun: &Execution, success: bool) {
    let failure_cause = (!success).then(|| "java.lang.RuntimeException: the disk is full".into());
    let ended = Execution { complete: Some(begun.start + 9_000), success, failure_cause, ..begun.clone() };
    stage.history().await.store(&[Event::from(ended)]).await.unwrap();
}

async fn what_java_ran_is_told_by_its_history(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    make_job(stage, &root, "report").await;
    // Before this server knew of it.
    for back in [4, 3, 2] {
        java_runs(stage, NOW - back * HOUR + 20, Some(false)).await;
    }
    let _java = join(stage, "report").await;
    let _follows = follow(stage).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["failing", "overdue"]).await;
    watch.turn(&stage.app).await.unwrap();
    let told = open(stage, &root).await;
    assert_eq!(conditions(&told), ["failing"]);
    let alert = stage.get(&root, &format!("/alerts/{}", told[0].1)).await.is(200);
    assert_eq!(alert["text"], "item 0 of report failed 3 times in a row");
    let row = stage.get(&root, "/projects/billing/jobs").await.is(200)["items"][0].clone();
    assert_eq!((&row["last"]["outcome"], &row["last"]["streak"]), (&json!("failed"), &json!(3)), "{row:#}");

    // It ran in time, and again an hour later for so long that its end is asked for by itself.
    stage.pass(30_000);
    java_runs(stage, NOW + 20, Some(true)).await;
    stage.pass(HOUR);
    let long = java_runs(stage, NOW + HOUR + 20, None).await;
    let root = root_again(stage).await;
    for _ in 0..3 {
        stage.pass(10 * MINUTE);
        outcomes::look(&stage.app).await;
        watch.turn(&stage.app).await.unwrap();
        assert!(open(stage, &root).await.is_empty(), "it succeeded, and runs");
    }
    java_ends(stage, &long, false).await;
    stage.pass(MINUTE);
    outcomes::look(&stage.app).await;
    let row = stage.get(&root, "/projects/billing/jobs").await.is(200)["items"][0].clone();
    assert_eq!((&row["last"]["outcome"], &row["last"]["streak"]), (&json!("failed"), &json!(1)), "{row:#}");
    // What ours write into the table is settled elsewhere, and says nothing of Java's.
    let ours = Execution { id: RunId::new(NOW + 2 * HOUR, 7), ..testing::execution(0) };
    let ours = Execution { job: JobName::new("report").unwrap(), start: NOW + 2 * HOUR, ..ours };
    stage.history().await.store(&[Event::from(ours)]).await.unwrap();
    stage.pass(HOUR);
    outcomes::look(&stage.app).await;
    watch.turn(&stage.app).await.unwrap();
    let root = root_again(stage).await;
    assert_eq!(conditions(&open(stage, &root).await), ["overdue"], "it did not begin for the last hour");
    java_runs(stage, stage.app.now(), None).await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(2 * MINUTE);
    watch.turn(&stage.app).await.unwrap();
    assert!(open(stage, &root).await.is_empty());
}

async fn what_java_ran_without_a_history_is_told_by_its_marks(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    make_job(stage, &root, "report").await;
    let settings = json!({
        "elasticJobClass": "com.example.Job", "cron": "0 0 * * * ?", "timeZone": "UTC", "monitorExecution": false,
    });
    stage
        .post(&root, "/projects/billing/jobs", json!({ "name": "silent", "settings": settings }))
        .await
        .is(201);
    let java = join(stage, "report").await;
    let _silent = join(stage, "silent").await;
    let _follows = follow(stage).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["failing", "overdue"]).await;
    stage.pass(HOUR + MINUTE);
    let (keys, job) = (Keys::new("billing").unwrap(), JobName::new("report").unwrap());
    let mark = keys.of(&job, &Key::Running(0));
    java.commit(vec![Op::create_ephemeral(mark.clone(), "")]).await.unwrap();
    java.commit(vec![Op::delete(mark)]).await.unwrap();
    let mirror = stage.app.mirrors.of(stage.app.catalogue.project("billing").unwrap().id);
    soon("the mark was seen, or that it was there", async || {
        mirror.read().job("report").is_some_and(|row| row.items[0].since > NOW + HOUR)
    })
    .await;
    stage.pass(2 * MINUTE);
    outcomes::look(&stage.app).await;
    watch.turn(&stage.app).await.unwrap();
    let root = root_again(stage).await;
    assert!(open(stage, &root).await.is_empty(), "it ran");
    stage.pass(HOUR);
    outcomes::look(&stage.app).await;
    watch.turn(&stage.app).await.unwrap();
    let root = root_again(stage).await;
    let page = stage.get(&root, "/alerts?state=open").await.is(200);
    let told: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|row| (&row["condition"], &row["job"])).collect();
    assert_eq!(told, [(&json!("overdue"), &json!("report"))], "of the other one nobody can say so");
}

async fn what_another_leader_did_not_see_java_run_stays_open(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    for name in ["report", "silent"] {
        make_job(stage, &root, name).await;
    }
    for back in [4, 3, 2] {
        java_runs(stage, NOW - back * HOUR + 20, Some(false)).await;
    }
    let (gone, _there) = (join(stage, "report").await, join(stage, "silent").await);
    let _follows = follow(stage).await;
    let mut watch = lead(stage).await;
    only(stage, &root, &["failing", "overdue"]).await;
    watch.turn(&stage.app).await.unwrap();
    stage.pass(HOUR + 2 * MINUTE);
    watch.turn(&stage.app).await.unwrap();
    let root = root_again(stage).await;
    let told = open(stage, &root).await;
    assert_eq!(conditions(&told), ["failing", "overdue", "overdue"]);

    // The next leader begins when no instance serves the one job any more, and did not see the other one not run.
    gone.close().await.unwrap();
    let beside = stage.beside().await;
    let _follows_too = follow(&beside).await;
    let mut watch = lead(&beside).await;
    for _ in 0..3 {
        watch.turn(&beside.app).await.unwrap();
        stage.pass(2 * MINUTE);
    }
    assert_eq!(open(stage, &root).await, told);
}
