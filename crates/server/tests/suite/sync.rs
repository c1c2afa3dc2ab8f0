//! The registry follows what is saved, and what others write there is seen, kept, and put right.

use crate::stage::{Caller, Stage, on_each_database, record};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{ConnectOptions, Op, Path, Registry};
use clockwright_server::chores::lead::Lead;
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::store::{NewJob, ProjectRow, SyncState};
use clockwright_server::sync;
use clockwright_testkit::faulty::Fault;
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_save_is_in_the_registry_when_it_is_answered
    what_somebody_else_wrote_is_kept_and_put_right
    a_project_that_only_reports_leaves_what_others_wrote_and_tells_it_once
    a_look_at_what_is_as_it_should_be_writes_nothing
    another_databases_namespace_is_not_touched
    a_registry_that_went_back_is_held_until_somebody_confirms
    a_database_that_went_back_is_held_until_somebody_confirms
    a_fight_is_told_once_and_its_repairs_come_ever_later
    what_was_saved_and_not_written_is_written_by_the_server_that_leads
    what_a_server_wrote_that_died_before_it_was_noted_is_nobody_elses
    a_job_that_the_registry_has_already_is_a_conflict
    a_change_from_outside_is_healed_without_anybody_asking
    a_person_decides_between_what_is_wished_and_what_is_there
    a_project_that_adopts_makes_a_version_of_what_others_write
    jobs_that_only_the_registry_has_are_listed_and_taken_over
    a_config_that_may_not_be_read_is_told_and_keeps_no_other_from_being_taken_over
    a_wiped_namespace_is_not_written_until_somebody_confirms
    what_somebody_confirms_or_decides_is_done_once_for_its_key
}

const CRON: &str = "0 0 1 * * ?";

fn config_path(job: &str) -> Path {
    Keys::new("billing").unwrap().of(&JobName::new(job).unwrap(), &Key::Config)
}

/// Somebody else's session with the registry.
fn outsider(stage: &Stage) -> Arc<dyn Registry> {
    stage.registry.connect(ConnectOptions::default()).unwrap()
}

async fn project(stage: &Stage, policy: &str) -> (Caller, Arc<ProjectRow>) {
    let root = stage.admin().await;
    let ask = json!({ "name": "billing", "policy": { "settings": policy } });
    stage.post(&root, "/projects", ask).await.is(201);
    (root, stage.app.catalogue.project("billing").unwrap())
}

async fn make(stage: &Stage, who: &Caller) -> i64 {
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": CRON } });
    let made = stage.post(who, "/projects/billing/jobs", job).await.is(201);
    assert_eq!(made["sync"]["state"], "written", "{made:#}");
    made["id"].as_i64().unwrap()
}

async fn config(stage: &Stage) -> (Value, i32) {
    let node = outsider(stage).read(&[config_path("report")]).await.unwrap().pop().flatten().unwrap();
    (serde_json::from_slice(&node.data).unwrap(), node.stat.version)
}

/// Somebody else edits the config as Java's console does.
async fn edit(stage: &Stage, key: &str, value: Value) {
    let (mut json, _) = config(stage).await;
    json[key] = value;
    outsider(stage).commit(vec![Op::set(config_path("report"), json.to_string())]).await.unwrap();
}

async fn a_save_is_in_the_registry_when_it_is_answered(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    make(stage, &root).await;
    assert_eq!(config(stage).await.0["cron"], CRON);
    let patch = json!({ "settings": { "cron": "0 0 2 * * ?" } });
    let saved = stage.patch(&root.at(1), "/projects/billing/jobs/report", patch).await.is(200);
    assert_eq!(saved["sync"]["state"], "written");
    assert_eq!(config(stage).await.0["cron"], "0 0 2 * * ?");
    assert_eq!(stage.get(&root, "/projects/billing/jobs/report").await.is(200)["sync"]["state"], "written");
}

async fn what_somebody_else_wrote_is_kept_and_put_right(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    let job = make(stage, &root).await;
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    edit(stage, "forkOnly", json!(7)).await;
    sync::write(&stage.app, &project, &[job]).await.unwrap();
    let (now, _) = config(stage).await;
    assert_eq!((&now["cron"], &now["forkOnly"]), (&json!(CRON), &json!(7)), "what only others know stays");
    let drifts = stage.app.store.drifts(project.id, Some(job), i64::MAX, 10).await.unwrap();
    assert_eq!(drifts.len(), 1);
    assert!(drifts[0].had.contains("0 0 9 * * ?") && drifts[0].done.is_some(), "{drifts:?}");
    let journal = stage.get(&root, "/projects/billing/journal?action=sync.repair").await.is(200);
    assert_eq!(journal["items"][0]["changes"]["settings"], json!({ "cron": [CRON, "0 0 9 * * ?"] }));
    outsider(stage).commit(vec![Op::delete(config_path("report"))]).await.unwrap();
    sync::write(&stage.app, &project, &[job]).await.unwrap();
    assert_eq!(config(stage).await.0["cron"], CRON, "a deleted config is made again");
    outsider(stage).commit(vec![Op::set(config_path("report"), "{ cut off")]).await.unwrap();
    sync::write(&stage.app, &project, &[job]).await.unwrap();
    assert_eq!(config(stage).await.0["cron"], CRON, "text that is no config is replaced");
}

async fn a_project_that_only_reports_leaves_what_others_wrote_and_tells_it_once(stage: &Stage) {
    let (root, project) = project(stage, "report").await;
    let job = make(stage, &root).await;
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    for _ in 0..3 {
        let synced = sync::write(&stage.app, &project, &[job]).await.unwrap();
        assert_eq!(synced[0].state, SyncState::Reported);
    }
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?");
    assert_eq!(stage.app.store.drifts(project.id, None, i64::MAX, 10).await.unwrap().len(), 1);
}

async fn a_look_at_what_is_as_it_should_be_writes_nothing(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    let job = make(stage, &root).await;
    let before = config(stage).await;
    for _ in 0..3 {
        let synced = sync::write(&stage.app, &project, &[job]).await.unwrap();
        assert_eq!(synced[0].state, SyncState::Written);
    }
    assert_eq!(config(stage).await, before);
}

async fn another_databases_namespace_is_not_touched(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    let keys = Keys::new("billing").unwrap();
    let other = json!({ "plane": "another", "url": "https://other.example.com", "term": 1, "seq": 1 });
    let ops = vec![
        Op::create(keys.own_root().clone(), ""),
        Op::create(sync::control::path(&keys), other.to_string()),
    ];
    outsider(stage).commit(ops).await.unwrap();
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": CRON } });
    let made = stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    assert_eq!(made["sync"]["state"], "pending");
    assert!(made["sync"]["why"].as_str().unwrap().contains("https://other.example.com"), "{made:#}");
    assert_eq!(outsider(stage).read(&[config_path("report")]).await.unwrap(), [None]);
    let failed = sync::write(&stage.app, &project, &[made["id"].as_i64().unwrap()]).await;
    assert_eq!(failed, Err(sync::Failed::AnotherPlane("https://other.example.com".into())));
}

async fn a_registry_that_went_back_is_held_until_somebody_confirms(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    make(stage, &root).await;
    // As if an older copy of the data had been put in its place.
    stage.app.store.set_control(project.id, 1_000).await.unwrap();
    is_held_until_somebody_confirms(stage, &root).await;
}

async fn a_database_that_went_back_is_held_until_somebody_confirms(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    make(stage, &root).await;
    let control = sync::control::path(&Keys::new("billing").unwrap());
    let node = outsider(stage).read(std::slice::from_ref(&control)).await.unwrap().pop().flatten().unwrap();
    let mut json: Value = serde_json::from_slice(&node.data).unwrap();
    // As if the journal had gone on from here once.
    json["seq"] = json!(1_000_000);
    outsider(stage).commit(vec![Op::set(control, json.to_string())]).await.unwrap();
    is_held_until_somebody_confirms(stage, &root).await;
}

async fn is_held_until_somebody_confirms(stage: &Stage, root: &Caller) {
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    let patch = json!({ "settings": { "cron": "0 0 2 * * ?" } });
    let saved = stage.patch(&root.at(1), "/projects/billing/jobs/report", patch).await.is(200);
    assert_eq!(saved["sync"]["state"], "held", "{saved:#}");
    for _ in 0..2 {
        stage.post(root, "/projects/billing/sync", json!({})).await.refused("registry-regressed");
    }
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?");
    assert_eq!(stage.get(root, "/projects/billing/sync").await.is(200)["held"], true);
    stage.app.counted.renew(&stage.app).await;
    let (status, health) = stage.look(&Caller::default(), http::Method::GET, "/healthz", None).await;
    assert_eq!((status, &health["troubles"][0]), (503, &json!({ "code": "sync-held", "count": 1 })));
    let told = stage.get(root, "/projects/billing/journal?action=sync.held").await.is(200);
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "it is told once: {told:#}");
    let confirmed = stage.post(root, "/projects/billing/sync/confirm", json!({})).await.is(200);
    assert_eq!(confirmed["counts"], json!({ "written": 1 }), "{confirmed:#}");
    assert_eq!(config(stage).await.0["cron"], "0 0 2 * * ?");
    let swept = stage.post(root, "/projects/billing/sync", json!({})).await.is(200);
    assert_eq!((&swept["held"], &swept["counts"]), (&json!(false), &json!({ "written": 1 })));
}

async fn a_fight_is_told_once_and_its_repairs_come_ever_later(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    let job = make(stage, &root).await;
    let ours = config(stage).await.0;
    let fight = async || {
        edit(stage, "cron", json!("0 0 9 * * ?")).await;
        sync::write(&stage.app, &project, &[job]).await.unwrap()[0].state
    };
    for state in [SyncState::Written, SyncState::Written, SyncState::Contended, SyncState::Contended] {
        assert_eq!(fight().await, state);
        stage.pass(1_000);
    }
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?", "the fourth time waits");
    let shown = stage.get(&root, "/projects/billing/jobs/report/sync").await.is(200);
    assert_eq!((&shown["state"], &shown["differences"][0]["key"]), (&json!("contended"), &json!("cron")));
    let told = stage.get(&root, "/projects/billing/journal?action=sync.contended").await.is(200);
    let told = told["items"].as_array().unwrap();
    assert_eq!((told.len(), &told[0]["changes"]["author"]["guess"]), (1, &json!("command")), "{told:#?}");
    assert_eq!(stage.app.store.drifts(project.id, Some(job), i64::MAX, 10).await.unwrap().len(), 3);
    // Nobody asks: the server that leads knows when it is time.
    let lead = Lead::start(Arc::clone(&stage.app));
    stage.pass(60_000);
    soon("it is put right again", async || config(stage).await.0 == ours).await;
    lead.stop().await;
    // After a long peace it is no fight any more.
    stage.pass(61 * 60_000);
    assert_eq!(sync::write(&stage.app, &project, &[job]).await.unwrap()[0].state, SyncState::Written);
    assert_eq!(fight().await, SyncState::Written);
}

async fn what_was_saved_and_not_written_is_written_by_the_server_that_leads(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    make(stage, &root).await;
    let lead = Lead::start(Arc::clone(&stage.app));
    soon("it leads", async || stage.app.store.term().await.unwrap().term == 1).await;
    let job = save_and_die(stage, &project, "0 0 2 * * ?").await;
    stage.pass(6_000);
    soon("it is written", async || config(stage).await.0["cron"] == "0 0 2 * * ?").await;
    soon("it is noted", async || stage.app.store.syncs(&[job]).await.unwrap()[0].state == SyncState::Written)
        .await;
    lead.stop().await;
}

/// Saves the job's second version, as a server does that dies between the database and the registry.
async fn save_and_die(stage: &Stage, project: &ProjectRow, cron: &str) -> i64 {
    let job = stage.app.catalogue.job(project.id, "report").unwrap();
    let version = stage.app.store.version(job.id, 1).await.unwrap().unwrap();
    let mut settings = version.read(&JobName::new("report").unwrap()).unwrap();
    settings.cron = cron.into();
    let mut change = stage.app.store.begin(Actor::server("test"), stage.app.now()).await.unwrap();
    let saved = change.update_job(&job, &NewJob::adopted(&job, settings, String::new())).await.unwrap();
    assert_eq!(saved.unwrap().version, 2);
    let target = Target { kind: "job", id: job.id.to_string(), name: job.name.clone() };
    change.record(record("job.update", project.id, target));
    let seq = change.commit().await.unwrap();
    stage.app.changed();
    stage.app.catalogue.reached(seq).await;
    job.id
}

async fn what_a_server_wrote_that_died_before_it_was_noted_is_nobody_elses(stage: &Stage) {
    let (root, project) = project(stage, "report").await;
    make(stage, &root).await;
    let job = save_and_die(stage, &project, "0 0 2 * * ?").await;
    // It wrote it, too.
    edit(stage, "cron", json!("0 0 2 * * ?")).await;
    let ask = json!({ "settings": { "cron": "0 0 3 * * ?" } });
    let saved = stage.patch(&root.at(2), "/projects/billing/jobs/report", ask).await.is(200);
    assert_eq!(saved["sync"]["state"], "written", "{saved:#}");
    assert_eq!(config(stage).await.0["cron"], "0 0 3 * * ?");
    assert!(stage.app.store.drifts(project.id, Some(job), i64::MAX, 10).await.unwrap().is_empty());
}

async fn a_job_that_the_registry_has_already_is_a_conflict(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    let name = JobName::new("report").unwrap();
    let theirs = clockwright_model::JobSettings::new(
        name.clone(),
        clockwright_model::JobKind::Simple,
        "0 0 9 * * ?",
        3,
    );
    let keys = Keys::new("billing").unwrap();
    let ops = vec![
        Op::create(keys.root().clone(), ""),
        Op::create(keys.job(&name), ""),
        Op::create(config_path("report"), Layout::V2.write(&theirs)),
    ];
    outsider(stage).commit(ops).await.unwrap();
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": CRON } });
    let made = stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    assert_eq!(made["sync"]["state"], "conflict", "{made:#}");
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?");
}

async fn a_change_from_outside_is_healed_without_anybody_asking(stage: &Stage) {
    let (root, project) = project(stage, "repair").await;
    let job = make(stage, &root).await;
    let lead = Lead::start(Arc::clone(&stage.app));
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    soon("it is healed", async || config(stage).await.0["cron"] == CRON).await;
    lead.stop().await;
    assert_eq!(stage.app.store.drifts(project.id, Some(job), i64::MAX, 10).await.unwrap().len(), 1);
}

async fn a_person_decides_between_what_is_wished_and_what_is_there(stage: &Stage) {
    let (root, _) = project(stage, "report").await;
    make(stage, &root).await;
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    let shown = stage.get(&root, "/projects/billing/jobs/report/sync").await.is(200);
    assert_eq!(shown["state"], "reported");
    assert_eq!(shown["differences"][0], json!({ "key": "cron", "before": CRON, "after": "0 0 9 * * ?" }));
    let operator = stage.somebody(&root, "lina", Some("operator")).await;
    stage
        .post(&operator, "/projects/billing/jobs/report/sync/resolve", json!({ "take": "registry" }))
        .await
        .refused("not-allowed");
    let taken = stage
        .post(&root, "/projects/billing/jobs/report/sync/resolve", json!({ "take": "registry" }))
        .await
        .is(200);
    assert_eq!((&taken["state"], &taken["differences"]), (&json!("written"), &json!([])));
    let job = stage.get(&root, "/projects/billing/jobs/report").await.is(200);
    assert_eq!((&job["version"], &job["settings"]["cron"]), (&json!(2), &json!("0 0 9 * * ?")));
    edit(stage, "cron", json!("0 0 10 * * ?")).await;
    stage
        .post(&root, "/projects/billing/jobs/report/sync/resolve", json!({ "take": "database" }))
        .await
        .is(200);
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?");
    let drifts = stage.get(&root, "/projects/billing/drift?job=report").await.is(200);
    for list in ["drift", "jobs/report/versions"] {
        stage.get(&root, &format!("/projects/billing/{list}?limit=1001")).await.refused("invalid");
    }
    let id = drifts["items"][0]["id"].as_str().unwrap();
    let drift = stage.get(&root, &format!("/projects/billing/drift/{id}")).await.is(200);
    assert!(drift["had"].as_str().unwrap().contains("0 0 10 * * ?"), "{drift:#}");
}

async fn a_project_that_adopts_makes_a_version_of_what_others_write(stage: &Stage) {
    let (root, _) = project(stage, "adopt").await;
    make(stage, &root).await;
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    let synced = stage.post(&root, "/projects/billing/jobs/report/sync", json!({})).await.is(200);
    assert_eq!(synced["state"], "written", "{synced:#}");
    let version = stage.get(&root, "/projects/billing/jobs/report/versions/2").await.is(200);
    assert_eq!((&version["origin"], &version["settings"]["cron"]), (&json!("adopt"), &json!("0 0 9 * * ?")));
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?");
}

async fn jobs_that_only_the_registry_has_are_listed_and_taken_over(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    let keys = Keys::new("billing").unwrap();
    let broken = JobName::new("broken").unwrap();
    make(stage, &root).await;
    for name in ["one", "two"] {
        stranger(stage, name).await;
    }
    let broken = [Op::create(keys.job(&broken), ""), Op::create(config_path("broken"), "{")];
    outsider(stage).commit(broken.into()).await.unwrap();
    let found = stage.get(&root, "/projects/billing/unmanaged").await.is(200);
    let names: Vec<&Value> = found.as_array().unwrap().iter().map(|job| &job["name"]).collect();
    assert_eq!(names, ["broken", "one", "two"]);
    let dry = stage.post(&root, "/projects/billing/unmanaged/adopt", json!({ "dryRun": true })).await.is(200);
    assert_eq!(dry["jobs"], json!(["one", "two"]));
    assert_eq!(dry["refused"][0]["name"], "broken");
    stage.get(&root, "/projects/billing/jobs/one").await.refused("not-found");
    let done = stage
        .post(&root, "/projects/billing/unmanaged/adopt", json!({ "jobs": ["one", "none"] }))
        .await
        .is(200);
    assert_eq!((&done["jobs"], &done["refused"][0]["name"]), (&json!(["one"]), &json!("none")));
    let job = stage.get(&root, "/projects/billing/jobs/one").await.is(200);
    assert_eq!(
        (&job["settings"]["elasticJobClass"], &job["sync"]["state"]),
        (&json!("com.example.Theirs"), &json!("written"))
    );
}

/// The config of the job `closed` may not be read.
#[derive(Clone)]
pub(crate) struct Closed;

impl Fault for Closed {
    fn is_closed(&self, path: &Path) -> bool {
        *path == config_path("closed")
    }
}

/// Makes a job that only the registry has.
pub(crate) async fn stranger(stage: &Stage, name: &str) {
    let (keys, name) = (Keys::new("billing").unwrap(), JobName::new(name).unwrap());
    let mut theirs =
        clockwright_model::JobSettings::new(name.clone(), clockwright_model::JobKind::Simple, CRON, 3);
    theirs.class = "com.example.Theirs".into();
    let config = Op::create(keys.of(&name, &Key::Config), Layout::V2.write(&theirs));
    outsider(stage).commit(vec![Op::create(keys.job(&name), ""), config]).await.unwrap();
}

async fn a_config_that_may_not_be_read_is_told_and_keeps_no_other_from_being_taken_over(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    make(stage, &root).await;
    for name in ["closed", "one"] {
        stranger(stage, name).await;
    }
    let stage = stage.with_fault(Closed).await;
    let found = stage.get(&root, "/projects/billing/unmanaged").await.is(200);
    assert_eq!((&found[0]["name"], &found[1]["name"]), (&json!("closed"), &json!("one")));
    assert!(found[0]["why"].as_str().unwrap().contains("may not be read"), "{found:#}");
    let done = stage.post(&root, "/projects/billing/unmanaged/adopt", json!({})).await.is(200);
    assert_eq!((&done["jobs"], &done["refused"][0]["name"]), (&json!(["one"]), &json!("closed")));
}

async fn a_wiped_namespace_is_not_written_until_somebody_confirms(stage: &Stage) {
    let (root, _) = project(stage, "repair").await;
    let names: Vec<String> = (0..60).map(|number| format!("job-{number:02}")).collect();
    for name in &names {
        let job = json!({ "name": name, "settings": { "elasticJobClass": "com.example.Job", "cron": CRON } });
        stage.pass(1_000);
        stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    }
    let keys = Keys::new("billing").unwrap();
    let mut ops = Vec::new();
    for name in &names {
        let name = JobName::new(name).unwrap();
        ops.push(Op::delete(keys.of(&name, &Key::Config)));
        ops.push(Op::delete(keys.job(&name)));
    }
    outsider(stage).commit(ops).await.unwrap();
    let swept = stage.post(&root, "/projects/billing/sync", json!({})).await.is(200);
    assert_eq!((&swept["held"], &swept["counts"]["held"]), (&json!(true), &json!(60)), "{swept:#}");
    assert!(outsider(stage).list(keys.root()).await.unwrap().is_empty());
    assert_eq!(stage.get(&root, "/projects/billing/sync").await.is(200)["held"], true);
    let confirmed = stage.post(&root, "/projects/billing/sync/confirm", json!({})).await.is(200);
    assert_eq!(confirmed["counts"]["written"], 60, "{confirmed:#}");
    assert_eq!(outsider(stage).list(keys.root()).await.unwrap().len(), 60);
}

async fn what_somebody_confirms_or_decides_is_done_once_for_its_key(stage: &Stage) {
    let (root, project) = project(stage, "report").await;
    make(stage, &root).await;
    let job = "/projects/billing/jobs/report";
    let ask = async |key: &str, path: &str, body: Value| {
        let reply = stage.post(&root.with("idempotency-key", key), path, body).await;
        reply.is(200);
        reply.headers.contains_key("idempotency-replayed")
    };
    let resolve = format!("{job}/sync/resolve");
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    assert!(!ask("database", &resolve, json!({ "take": "database" })).await);
    assert_eq!(config(stage).await.0["cron"], CRON);
    edit(stage, "cron", json!("0 0 9 * * ?")).await;
    assert!(ask("database", &resolve, json!({ "take": "database" })).await);
    assert_eq!(config(stage).await.0["cron"], "0 0 9 * * ?", "what came later was not decided");
    assert!(!ask("registry", &resolve, json!({ "take": "registry" })).await);
    edit(stage, "cron", json!("0 0 10 * * ?")).await;
    assert!(ask("registry", &resolve, json!({ "take": "registry" })).await);
    assert_eq!(stage.get(&root, job).await.is(200)["version"], 2);
    for path in [format!("{job}/sync"), "/projects/billing/sync".to_owned()] {
        assert!(!ask(&path, &path, json!({})).await);
        assert!(ask(&path, &path, json!({})).await);
    }
    let confirm = "/projects/billing/sync/confirm";
    stage.app.store.set_control(project.id, 1_000).await.unwrap();
    assert!(!ask("confirm", confirm, json!({})).await);
    stage.app.store.set_control(project.id, 1_000_000).await.unwrap();
    assert!(ask("confirm", confirm, json!({})).await);
    stage.post(&root, "/projects/billing/sync", json!({})).await.refused("registry-regressed");
    let told = stage.get(&root, "/projects/billing/journal?limit=100").await.is(200);
    let told = told["items"].as_array().unwrap().iter().rev().map(|record| {
        format!("{} {}", record["action"].as_str().unwrap(), record["outcome"].as_str().unwrap())
    });
    let asked: Vec<String> = told
        .filter(|told| {
            told.starts_with("sync.run") || told.starts_with("sync.confirm") || told.starts_with("sync.take")
        })
        .collect();
    let expected = [
        "sync.take-database begun",
        "sync.take-database done",
        "sync.run done",
        "sync.run done",
        "sync.confirm begun",
        "sync.confirm done",
    ];
    assert_eq!(asked, expected);
}
