//! One operation on many jobs.

use crate::stage::{Caller, Reply, Stage, on_each_database};
use clockwright_server::fail::Point;
use clockwright_server::ops::resume;
use clockwright_testkit::patience::soon;
use http::Method;
use serde_json::{Value, json};

on_each_database! {
    many_jobs_are_paused_as_the_dry_run_said_and_taken_back
    jobs_that_one_may_not_operate_are_refused_singly
    a_selection_that_changed_is_refused
    so_many_large_changes_of_one_person_go_on_at_once
    a_crash_in_the_middle_is_made_good_and_no_job_is_done_twice
}

async fn jobs(stage: &Stage, count: usize) -> Caller {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    for number in 0..count {
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" });
        let job = json!({ "name": format!("job-{number:02}"), "settings": settings, "tags": ["nightly"] });
        stage.pass(1_000);
        stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    }
    root
}

fn all(action: &str) -> Value {
    json!({ "action": action, "select": { "q": "tag:nightly" }, "reason": "audit" })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

async fn holds(stage: &Stage, root: &Caller) -> usize {
    stage.get(root, "/projects/billing/holds").await.is(200).as_array().unwrap().len()
}

async fn many_jobs_are_paused_as_the_dry_run_said_and_taken_back(stage: &Stage) {
    let root = jobs(stage, 24).await;
    stage.post(&root, "/projects/billing/jobs/job-03/pause", json!({ "reason": "mine" })).await.is(200);
    let dry = stage.post(&root, "/bulk", with(all("pause"), "dryRun", json!(true))).await.is(200);
    let plan = &dry["result"]["bulk"];
    assert_eq!((&dry["state"], &plan["count"]), (&json!("dry-run"), &json!(24)), "{dry:#}");
    assert_eq!(plan["jobs"][0], json!({ "project": "billing", "name": "job-00" }));
    assert_eq!(holds(stage, &root).await, 1);
    stage.post(&root, "/bulk", all("pause")).await.refused("precondition-required");
    let waited = root.with("prefer", "wait=25");
    let body = with(all("pause"), "expect", plan["expect"].clone());
    let done = stage.post(&waited, "/bulk", body).await.is(200);
    assert_eq!((&done["state"], &done["result"]["bulk"]["done"]), (&json!("done"), &json!(24)), "{done:#}");
    assert_eq!([&done["by"], &done["reason"]], ["root", "audit"]);
    assert_eq!(holds(stage, &root).await, 24);
    let undo = done["result"]["bulk"]["undo"].clone();
    let names = undo["select"]["jobs"].as_array().unwrap().clone();
    assert_eq!((&undo["action"], names.len()), (&json!("resume"), 23), "job-03 was paused before");
    let dry = stage.post(&root, "/bulk", with(undo.clone(), "dryRun", json!(true))).await.is(200);
    let body = with(undo, "expect", dry["result"]["bulk"]["expect"].clone());
    let undone = stage.post(&waited, "/bulk", body).await.is(200);
    assert_eq!(undone["result"]["bulk"]["done"], 23);
    assert_eq!(holds(stage, &root).await, 1);
    let trigger = with(all("trigger"), "dryRun", json!(true));
    let dry = stage.post(&root, "/bulk", trigger).await.is(200);
    assert_eq!(dry["result"]["bulk"]["codes"], json!({ "no-live-instance": 23, "job-paused": 1 }));
    stage.post(&root, "/bulk", with(all("pause"), "reason", json!(""))).await.refused("invalid");
}

async fn jobs_that_one_may_not_operate_are_refused_singly(stage: &Stage) {
    let root = jobs(stage, 2).await;
    stage.post(&root, "/projects", json!({ "name": "other" })).await.is(201);
    let job = json!({ "name": "job-00", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 1 1 ?" } });
    stage.post(&root, "/projects/other/jobs", job).await.is(201);
    let lina = stage.somebody(&root, "lina", Some("viewer")).await;
    let role = json!({ "role": "operator" });
    stage.put(&root, "/projects/billing/members/user/lina", role).await;
    let of = |project: &str, name: &str| json!({ "project": project, "name": name });
    let select = [of("billing", "job-00"), of("other", "job-00"), of("billing", "none")];
    let body = json!({ "action": "pause", "select": { "jobs": select }, "reason": "audit" });
    let done = stage.post(&lina.with("prefer", "wait=25"), "/bulk", body).await.is(200);
    let bulk = &done["result"]["bulk"];
    assert_eq!((&done["state"], &bulk["done"]), (&json!("partial"), &json!(1)), "{done:#}");
    assert_eq!(bulk["codes"], json!({ "not-allowed": 1, "not-found": 1 }));
    assert_eq!(holds(stage, &root).await, 1);
    let id = done["id"].as_str().unwrap();
    assert_eq!(stage.get(&lina, &format!("/operations/{id}")).await.is(200), done);
}

async fn a_selection_that_changed_is_refused(stage: &Stage) {
    let root = jobs(stage, 2).await;
    let dry = stage.post(&root, "/bulk", with(all("pause"), "dryRun", json!(true))).await.is(200);
    let expect = dry["result"]["bulk"]["expect"].clone();
    let change = json!({ "owner": "lina" });
    stage.patch(&root.at(1), "/projects/billing/jobs/job-00", change).await.is(200);
    let body = with(all("pause"), "expect", expect.clone());
    let other = stage.post(&root, "/bulk", body).await.refused("selection-changed");
    assert_ne!(other["expect"], expect);
    stage.post(&root, "/bulk", with(all("pause"), "expect", other["expect"].clone())).await.is(202);
    let bad = json!({ "action": "pause", "select": { "q": "nope:x" }, "reason": "audit" });
    stage.post(&root, "/bulk", bad).await.refused("bad-filter");
}

async fn so_many_large_changes_of_one_person_go_on_at_once(stage: &Stage) {
    let root = jobs(stage, 2).await;
    let lina = stage.somebody(&root, "lina", Some("admin")).await;
    let me = stage.get(&root, "/me").await.is(200)["id"].as_str().unwrap().to_owned();
    let first = stage.app.large_slot(&me).unwrap();
    stage.post(&root, "/bulk", with(all("pause"), "dryRun", json!(true))).await.is(200);
    let second = stage.app.large_slot(&me).unwrap();
    let refused = stage.post(&root, "/bulk", all("pause")).await;
    assert_eq!(refused.headers["retry-after"], "1");
    refused.refused("rate-limited");
    let file = b"jobs: {a: {elasticJobClass: com.example.Job, cron: 0 0 1 * * ?}}".to_vec();
    let apply = async |who: &Caller| {
        let path = "/api/v1/projects/billing/apply?source=git";
        let body = Some((Some("application/yaml"), file.clone()));
        Reply::of(stage.response(who, Method::POST, path, body).await).await
    };
    apply(&root).await.refused("rate-limited");
    apply(&lina).await.is(200);
    drop(first);
    apply(&root).await.is(200);
    let waited = root.with("prefer", "wait=25");
    stage.post(&waited, "/bulk", all("pause")).await.is(200);
    drop(second);
    // What is over has given its place back, also where nobody waited for it.
    let begun = stage.post(&root, "/bulk", all("resume")).await;
    let place = format!("/operations/{}", begun.body["id"].as_str().unwrap());
    soon("it is over", async || stage.get(&root, &place).await.body["state"] == "done").await;
    soon("both places are free", async || {
        stage.app.large_slot(&me).is_ok_and(|_one| stage.app.large_slot(&me).is_ok())
    })
    .await;
}

async fn a_crash_in_the_middle_is_made_good_and_no_job_is_done_twice(stage: &Stage) {
    let root = jobs(stage, 12).await;
    let other = stage.another().await;
    let keyed = root.with("idempotency-key", "all");
    // It dies when the jobs are paused, and before that is noted.
    stage.app.failpoints.crash_at(Point::OperationGrouped);
    let begun = stage.post(&keyed, "/bulk", all("pause")).await.is(202);
    let id = begun["id"].as_str().unwrap().to_owned();
    soon("all are paused", async || {
        stage.pass(20);
        holds(stage, &root).await == 12
    })
    .await;
    stage.pass(resume::SILENT + 1_000);
    resume::of_the_dead(&other).await.unwrap();
    let place = format!("/operations/{id}");
    soon("it goes on", async || {
        stage.pass(20);
        stage.get(&root, &place).await.body["state"] == "done"
    })
    .await;
    let journal = stage.get(&root, "/projects/billing/journal?action=job.pause&limit=100").await.is(200);
    assert_eq!(journal["items"].as_array().unwrap().len(), 24, "each has begun and ended once");
    let again = stage.post(&keyed, "/bulk", all("pause")).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.is(200)["id"], json!(id));
}
