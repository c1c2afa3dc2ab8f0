//! Projects, members, the journal.

use crate::stage::{Caller, Stage, on_each_database, record};
use clockwright_server::decide::chain::{Actor, Target};
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    s07_a_project_of_others_does_not_exist_for_who_may_not_see_it
    s16_a_stale_change_is_told_and_changes_nothing
    names_and_places_of_projects_are_unique_among_those_that_live
    what_is_wrong_with_a_body_is_told_with_its_place
    s35_the_journal_says_who_did_what_and_its_chain_holds
    s35_many_writers_leave_no_gap_in_the_journal
}

async fn s07_a_project_of_others_does_not_exist_for_who_may_not_see_it(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    stage.post(&root, "/projects", json!({ "name": "reports" })).await.is(201);
    let lina = stage.somebody(&root, "lina", None).await;
    stage.put(&root, "/projects/reports/members/user/lina", json!({ "role": "operator" })).await.is(200);
    let seen = stage.get(&lina, "/projects").await.is(200);
    assert_eq!(
        seen.as_array().unwrap().iter().map(|project| &project["name"]).collect::<Vec<_>>(),
        ["reports"]
    );
    let hidden = stage.get(&lina, "/projects/billing").await.refused("not-found");
    let missing = stage.get(&lina, "/projects/nothing").await.refused("not-found");
    assert_eq!(
        hidden["detail"].as_str().unwrap().replace("billing", "nothing"),
        missing["detail"].as_str().unwrap()
    );
    let denied =
        stage.patch(&lina.at(1), "/projects/reports", json!({ "title": "x" })).await.refused("not-allowed");
    assert_eq!((&denied["permission"], &denied["role"]), (&json!("project.write"), &json!("projectAdmin")));
    let near = stage.get(&lina, "/projects/report").await.refused("not-found");
    assert_eq!(near["fix"], "did you mean `reports`?");
}

async fn s16_a_stale_change_is_told_and_changes_nothing(stage: &Stage) {
    let root = stage.admin().await;
    let made = stage.post(&root, "/projects", json!({ "name": "billing" })).await;
    assert_eq!(made.headers["etag"], "\"v1\"");
    assert_eq!(made.headers["location"], "/api/v1/projects/billing");
    stage.patch(&root, "/projects/billing", json!({ "title": "a" })).await.refused("precondition-required");
    stage.patch(&root.at(1), "/projects/billing", json!({ "title": "a" })).await.is(200);
    let stale = stage
        .patch(&root.at(1), "/projects/billing", json!({ "title": "b" }))
        .await
        .refused("version-conflict");
    assert_eq!(stale["current"], 2);
    let now = stage.get(&root, "/projects/billing").await.is(200);
    assert_eq!((&now["title"], &now["version"]), (&json!("a"), &json!(2)));
}

async fn names_and_places_of_projects_are_unique_among_those_that_live(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.refused("name-taken");
    let same = json!({ "name": "other", "namespace": "billing" });
    stage.post(&root, "/projects", same.clone()).await.refused("namespace-taken");
    stage.delete(&root.at(1), "/projects/billing").await.is(204);
    stage.get(&root, "/projects/billing").await.refused("not-found");
    stage.post(&root, "/projects", same).await.is(201);
    let again = stage.post(&root, "/projects", json!({ "name": "billing", "namespace": "b2" })).await.is(201);
    assert!(again["id"].as_i64().unwrap() > 1);
}

async fn what_is_wrong_with_a_body_is_told_with_its_place(stage: &Stage) {
    let root = stage.admin().await;
    let refused = stage.post(&root, "/projects", json!({ "name": "Billing" })).await.refused("invalid");
    assert_eq!(refused["errors"][0]["pointer"], "/name");
    let refused =
        stage.post(&root, "/projects", json!({ "name": "a", "titel": "x" })).await.refused("unknown-field");
    assert_eq!(refused["fix"], "did you mean `title`?");
    let refused =
        stage.post(&root, "/projects", json!({ "name": "a", "registry": "hom" })).await.refused("invalid");
    assert_eq!(refused["errors"][0]["pointer"], "/registry");
    stage.get(&root, "/projects?limitt=3").await.refused("unknown-parameter");
    stage.get(&root, "/nothing").await.refused("not-found");
    stage.put(&root, "/projects", json!({})).await.refused("method-not-allowed");
}

async fn s35_the_journal_says_who_did_what_and_its_chain_holds(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    stage.patch(&root.at(1), "/projects/billing", json!({ "title": "Bills" })).await.is(200);
    let journal = stage.get(&root, "/projects/billing/journal").await.is(200);
    let actions: Vec<&Value> =
        journal["items"].as_array().unwrap().iter().map(|record| &record["action"]).collect();
    assert_eq!(actions, ["project.update", "project.create"]);
    assert_eq!(journal["items"][0]["changes"], json!({ "title": ["", "Bills"] }));
    assert_eq!(journal["items"][0]["actor"]["name"], "root");
    let verified = stage.get(&root, "/journal/verify").await.is(200);
    assert_eq!(verified["holds"], true, "{verified:#}");
    let first = stage.get(&root, "/journal?limit=2").await.is(200);
    let next = first["next"].as_str().unwrap();
    let second = stage.get(&root, &format!("/journal?limit=2&after={next}")).await.is(200);
    assert!(second["items"][0]["seq"].as_i64() < first["items"][1]["seq"].as_i64());
    let operator = stage.somebody(&root, "lina", Some("operator")).await;
    stage.get(&operator, "/journal").await.refused("not-allowed");
    stage.get(&operator, "/projects/billing/journal").await.is(200);
    stage.get(&Caller::default(), "/journal").await.refused("not-signed-in");
}

async fn s35_many_writers_leave_no_gap_in_the_journal(stage: &Stage) {
    let root = stage.admin().await;
    let (before, _) = stage.app.store.head().await.unwrap();
    let writers = (0..32).map(|writer| {
        let app = Arc::clone(&stage.app);
        tokio::spawn(async move {
            for turn in 0..5 {
                let mut change = app.store.begin(Actor::server(format!("w{writer}")), turn).await.unwrap();
                let target = Target { kind: "test", id: String::new(), name: format!("{writer}/{turn}") };
                let record = record("test", 0, target);
                change.record(record.clone());
                change.record(record);
                change.commit().await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (after, _) = stage.app.store.head().await.unwrap();
    assert_eq!(after - before, 32 * 5 * 2);
    let verified = stage.get(&root, "/journal/verify").await.is(200);
    assert_eq!(verified["holds"], true, "{verified:#}");
}
