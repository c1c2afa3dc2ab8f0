//! Jobs files: exported, planned, applied; who owns a job; and settings that are looked at before they are saved.

use crate::fleet::{Fleet, HERE, THERE};
use crate::stage::{Caller, Reply, Stage, on_each_database, record};
use crate::sync::{Closed, stranger};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{ConnectOptions, Op, Registry};
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::mirror;
use clockwright_testkit::patience::soon;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    files_make_jobs_change_them_and_leave_them_when_they_say_the_same
    a_plan_writes_nothing_and_only_that_plan_is_applied
    the_export_of_a_project_changes_nothing_when_it_is_applied
    a_change_by_hand_is_told_and_stands_against_its_file
    whose_a_job_is_stands_against_other_files
    a_job_that_only_the_registry_has_is_adopted_and_then_as_its_file_says
    a_job_whose_config_may_not_be_read_stands_against_its_own_file_alone
    what_no_file_has_any_more_is_orphaned_and_pruned
    an_offline_job_is_changed_and_stays_offline
    what_is_wrong_with_files_is_told_with_its_line
    who_may_apply_what
    a_plan_shows_what_moves_what_java_refuses_and_what_runs
    a_preview_tells_what_settings_do_or_what_is_wrong_with_them
    a_form_of_several_files_is_one_apply
    what_a_person_takes_from_the_registry_differs_from_their_files
    an_apply_of_more_than_one_transaction_stops_where_somebody_was_faster_and_goes_on
}

const P: &str = "/projects/billing";

async fn project(stage: &Stage) -> Caller {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing", "codeEdit": false })).await.is(201);
    root
}

/// A file of jobs of a class, each with its cron's hour.
fn file(jobs: &[(&str, u32)]) -> String {
    let job = |(name, hour): &(&str, u32)| {
        format!(
            "  # {name}\n  {name}:\n    elasticJobClass: com.example.Job\n    cron: 0 0 {hour} * * ?\n    shardingTotalCount: 3\n"
        )
    };
    format!("jobs:\n{}", jobs.iter().map(job).collect::<String>())
}

async fn send(stage: &Stage, who: &Caller, path: &str, kind: &str, text: &str) -> Reply {
    let path = format!("/api/v1{P}/{path}");
    let body = Some((Some(kind), text.as_bytes().to_vec()));
    Reply::of(stage.response(who, Method::POST, &path, body).await).await
}

async fn plan(stage: &Stage, who: &Caller, flags: &str, text: &str) -> Value {
    send(stage, who, &format!("plan?source=git{flags}"), "application/yaml", text).await.is(200)
}

async fn apply(stage: &Stage, who: &Caller, flags: &str, text: &str) -> Reply {
    send(stage, who, &format!("apply?source=git{flags}"), "application/yaml", text).await
}

/// What is to be done about each job: `report: update`.
fn does(plan: &Value) -> Vec<String> {
    let line = |change: &Value| {
        let code = change["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{}: {}{code}", change["job"].as_str().unwrap(), change["do"].as_str().unwrap())
    };
    plan["changes"].as_array().unwrap().iter().map(line).collect()
}

async fn job(stage: &Stage, who: &Caller, name: &str) -> Value {
    stage.get(who, &format!("{P}/jobs/{name}")).await.is(200)
}

async fn by_hand(stage: &Stage, who: &Caller, name: &str, version: i64, hour: u32) -> Value {
    let patch =
        json!({ "settings": { "cron": format!("0 0 {hour} * * ?") }, "override": true, "reason": "tonight" });
    stage.patch(&who.at(version), &format!("{P}/jobs/{name}"), patch).await.is(200)
}

async fn files_make_jobs_change_them_and_leave_them_when_they_say_the_same(stage: &Stage) {
    let root = project(stage).await;
    let done = apply(stage, &root, "", &file(&[("a", 1), ("b", 1)])).await.is(200);
    assert_eq!(
        (&done["counts"], &done["sync"]),
        (&json!({ "create": 2 }), &json!({ "written": 2 })),
        "{done:#}"
    );
    let made = job(stage, &root, "a").await;
    assert_eq!(
        (&made["managed"], &made["source"], &made["diverged"]),
        (&json!("files"), &json!("git"), &json!(false))
    );
    let done = apply(stage, &root, "&reason=later", &file(&[("a", 2), ("b", 1)])).await.is(200);
    assert_eq!(done["changes"], json!([{ "job": "a", "do": "update", "version": 2 }]));
    assert_eq!(done["counts"], json!({ "update": 1, "unchanged": 1 }));
    let version = stage.get(&root, &format!("{P}/jobs/a/versions/2")).await.is(200);
    assert_eq!((&version["origin"], &version["reason"]), (&json!("files"), &json!("later")));
    assert!(version["yaml"].as_str().unwrap().starts_with("# a\na:\n"), "{version:#}");
    let again = apply(stage, &root, "", &file(&[("a", 2), ("b", 1)])).await.is(200);
    assert_eq!((&again["changes"], &again["counts"]), (&json!([]), &json!({ "unchanged": 2 })));
    let told = stage.get(&root, &format!("{P}/journal?action=project.apply")).await.is(200);
    assert_eq!(told["items"].as_array().unwrap().len(), 3);
    // A key that a file leaves out is its default.
    let bare = file(&[("a", 2), ("b", 1)]).replacen("    shardingTotalCount: 3\n", "", 1);
    apply(stage, &root, "", &bare).await.is(200);
    assert_eq!(job(stage, &root, "a").await["settings"].get("shardingTotalCount"), None);
    // The same request is carried out once.
    let keyed = root.with("idempotency-key", "once");
    apply(stage, &keyed, "", &file(&[("c", 1)])).await.is(200);
    let replayed = apply(stage, &keyed, "", &file(&[("c", 1)])).await;
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
    assert_eq!(replayed.is(200)["counts"]["create"], 1);
}

async fn a_plan_writes_nothing_and_only_that_plan_is_applied(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    let text = file(&[("a", 2), ("b", 1)]);
    let planned = plan(stage, &root, "", &text).await;
    assert_eq!(does(&planned), ["a: update", "b: create"]);
    let change = &planned["changes"][0];
    assert_eq!(change["diff"], json!([{ "key": "cron", "before": "0 0 1 * * ?", "after": "0 0 2 * * ?" }]));
    let fires = &change["effects"]["fires"];
    assert_eq!(
        (fires["before"].as_array().unwrap().len(), fires["after"].as_array().unwrap().len()),
        (20, 20)
    );
    assert_eq!(stage.get(&root, &format!("{P}/jobs")).await.is(200)["count"], 1, "nothing was written");
    let basis = planned["basis"].as_str().unwrap().to_owned();
    assert_eq!(plan(stage, &root, "", &text).await["basis"], json!(basis), "the same is the same plan");
    let other = format!("&basis={basis}");
    apply(stage, &root, &other, &file(&[("a", 3), ("b", 1)])).await.refused("plan-stale");
    apply(stage, &root, &format!("{other}&force=true"), &text).await.refused("plan-stale");
    by_hand(stage, &root, "a", 1, 9).await;
    let stale = apply(stage, &root, &other, &text).await.refused("plan-stale");
    assert_eq!(does(&stale["plan"]), ["a: conflict diverged", "b: create"], "the new plan is in the answer");
    let planned = plan(stage, &root, "&force=true", &text).await;
    let flags = format!("&force=true&basis={}", planned["basis"].as_str().unwrap());
    assert_eq!(
        apply(stage, &root, &flags, &text).await.is(200)["counts"],
        json!({ "update": 1, "create": 1 })
    );
}

async fn the_export_of_a_project_changes_nothing_when_it_is_applied(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1), ("b", 1)])).await.is(200);
    by_hand(stage, &root, "b", 1, 9).await;
    let script = json!({ "elasticJobType": "SCRIPT", "every": "90s", "description": "a: b # c, #{d}", "props": { "script.command.line": "sh -c 'echo ${HOME}'", "x": "${y} ##{z}" } });
    stage
        .post(&root, &format!("{P}/jobs"), json!({ "name": "日报 1", "settings": script, "tags": ["x"] }))
        .await
        .is(201);
    let http = json!({ "elasticJobType": "HTTP", "cron": "0 0 3 L * ?", "timeZone": "Asia/Shanghai", "misfire": "fire_all", "misfireCap": 7, "retry": { "maxAttempts": 3 },
        "props": { "http.uri": "http://localhost/", "http.method": "GET" } });
    stage.post(&root, &format!("{P}/jobs"), json!({ "name": "h", "settings": http })).await.is(201);
    stage.post(&root, &format!("{P}/jobs/h/offline"), json!({})).await.is(200);
    let text = stage.text(&root, &format!("{P}/export")).await;
    let planned = plan(stage, &root, "&prune=true", &text).await;
    assert_eq!(planned["counts"], json!({ "unchanged": 4 }), "{text}\n{planned:#}");
    assert_eq!(apply(stage, &root, "&prune=true", &text).await.is(200)["counts"], json!({ "unchanged": 4 }));
    assert_eq!(
        job(stage, &root, "%E6%97%A5%E6%8A%A5%201").await["tags"],
        json!(["x"]),
        "what people say of it stays"
    );
    let one = stage.text(&root, &format!("{P}/jobs/h/yaml")).await;
    assert!(
        one.starts_with("jobs:\n  h:\n") && one.contains("cron: 0 0 3 L * ?") && !one.contains("failover"),
        "{one}"
    );
    assert!(!one.contains("disabled"), "that it is offline is no part of its file: {one}");
}

async fn a_change_by_hand_is_told_and_stands_against_its_file(stage: &Stage) {
    let root = project(stage).await;
    let text = file(&[("a", 1)]);
    apply(stage, &root, "", &text).await.is(200);
    let patch = |more: Value| {
        let mut body = json!({ "settings": { "cron": "0 0 9 * * ?" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let path = format!("{P}/jobs/a");
    let refused =
        stage.patch(&root.at(1), &path, patch(json!({ "reason": "x" }))).await.refused("managed-by-files");
    assert_eq!(refused["source"], "git");
    stage.patch(&root.at(1), &path, patch(json!({ "override": true }))).await.refused("managed-by-files");
    let edited = by_hand(stage, &root, "a", 1, 9).await;
    assert_eq!(
        (&edited["diverged"], &edited["managed"], &edited["version"]),
        (&json!(true), &json!("files"), &json!(2))
    );
    let listed = stage.get(&root, &format!("{P}/jobs")).await.is(200);
    assert_eq!(listed["items"][0]["diverged"], true);
    let refused = apply(stage, &root, "", &text).await.refused("diverged");
    let change = &refused["plan"]["changes"][0];
    assert!(
        change["why"].as_str().unwrap().contains("since version 2 of 2027-")
            && change["why"].as_str().unwrap().ends_with("by root"),
        "{change:#}"
    );
    // A file that agrees ends it without a version; force takes it back.
    let agreed = apply(stage, &root, "", &file(&[("a", 9)])).await.is(200);
    assert_eq!(agreed["changes"], json!([{ "job": "a", "do": "unchanged", "version": 2 }]));
    assert_eq!(job(stage, &root, "a").await["diverged"], false);
    by_hand(stage, &root, "a", 2, 10).await;
    apply(stage, &root, "&force=true", &text).await.is(200);
    let back = job(stage, &root, "a").await;
    assert_eq!((&back["diverged"], &back["settings"]["cron"]), (&json!(false), &json!("0 0 1 * * ?")));
}

async fn whose_a_job_is_stands_against_other_files(stage: &Stage) {
    let root = project(stage).await;
    let here =
        json!({ "name": "a", "settings": { "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" } });
    stage.post(&root, &format!("{P}/jobs"), here).await.is(201);
    let text = file(&[("a", 2), ("b", 1)]);
    assert_eq!(does(&plan(stage, &root, "", &text).await), ["a: conflict managed-by-console", "b: create"]);
    apply(stage, &root, "", &text).await.refused("managed-by-console");
    stage.get(&root, &format!("{P}/jobs/b")).await.refused("not-found");
    apply(stage, &root, "&takeOver=true", &text).await.is(200);
    let told = stage.get(&root, &format!("{P}/journal?action=job.update")).await.is(200);
    assert_eq!(told["items"][0]["changes"]["managed"], json!(["console", "files of git"]));
    let other = send(stage, &root, "apply?source=other", "application/yaml", &file(&[("a", 3)])).await;
    let refused = other.refused("owned-by");
    assert!(refused["detail"].as_str().unwrap().contains("`git`"), "{refused:#}");
    send(stage, &root, "apply?source=other&takeOver=true", "application/yaml", &file(&[("a", 3)]))
        .await
        .is(200);
    assert_eq!(job(stage, &root, "a").await["source"], "other");
    assert_eq!(
        does(&plan(stage, &root, "", &file(&[("b", 1)])).await),
        ["b: unchanged"],
        "a is none of theirs any more"
    );
}

async fn a_job_that_only_the_registry_has_is_adopted_and_then_as_its_file_says(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    let outside = stage.registry.connect(ConnectOptions::default()).unwrap();
    let keys = Keys::new("billing").unwrap();
    let config = |name: &str| keys.of(&JobName::new(name).unwrap(), &Key::Config);
    let node = outside.read(&[config("a")]).await.unwrap().pop().flatten().unwrap();
    let text = String::from_utf8(node.data.to_vec()).unwrap().replace("\"a\"", "\"old\"");
    let path = keys.job(&JobName::new("old").unwrap());
    outside.commit(vec![Op::create(path, ""), Op::create(config("old"), text)]).await.unwrap();
    let both = file(&[("a", 1), ("old", 2)]);
    assert_eq!(
        does(&plan(stage, &root, "", &both).await),
        ["a: unchanged", "old: conflict job-exists-in-registry"]
    );
    apply(stage, &root, "", &both).await.refused("job-exists-in-registry");
    assert_eq!(does(&plan(stage, &root, "&adopt=true", &both).await), ["a: unchanged", "old: adopt"]);
    let done = apply(stage, &root, "&adopt=true", &both).await.is(200);
    assert_eq!(
        (&done["changes"], &done["sync"]),
        (&json!([{ "job": "old", "do": "adopt", "version": 2 }]), &json!({ "written": 1 }))
    );
    let versions = stage.get(&root, &format!("{P}/jobs/old/versions")).await.is(200);
    let origins: Vec<&Value> =
        versions["items"].as_array().unwrap().iter().map(|version| &version["origin"]).collect();
    assert_eq!(origins, ["files", "adopt"]);
    let node = outside.read(&[config("old")]).await.unwrap().pop().flatten().unwrap();
    assert!(String::from_utf8_lossy(&node.data).contains("0 0 2 * * ?"));
}

async fn a_job_whose_config_may_not_be_read_stands_against_its_own_file_alone(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    for name in ["closed", "old"] {
        stranger(stage, name).await;
    }
    let stage = &stage.with_fault(Closed).await;
    let plan = plan(stage, &root, "&adopt=true", &file(&[("a", 1), ("closed", 2), ("old", 2)])).await;
    assert_eq!(does(&plan), ["a: unchanged", "closed: conflict job-exists-in-registry", "old: adopt"]);
    assert!(plan["changes"][1]["why"].as_str().unwrap().ends_with("may not be read"), "{plan:#}");
}

async fn what_no_file_has_any_more_is_orphaned_and_pruned(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1), ("b", 1)])).await.is(200);
    let rest = file(&[("a", 1)]);
    assert_eq!(does(&plan(stage, &root, "", &rest).await), ["a: unchanged", "b: orphaned"]);
    apply(stage, &root, "", &rest).await.is(200);
    job(stage, &root, "b").await;
    assert_eq!(does(&plan(stage, &root, "&prune=true", &rest).await), ["a: unchanged", "b: remove"]);
    let done = apply(stage, &root, "&prune=true", &rest).await.is(200);
    assert_eq!(
        (&done["counts"], &done["removals"][0]["job"]),
        (&json!({ "unchanged": 1, "remove": 1 }), &json!("b"))
    );
    soon("it is removed", async || {
        stage.pass(20);
        stage.get(&root, &format!("{P}/jobs/b")).await.status == 404
    })
    .await;
    stage.pass(60_000);
    assert_eq!(does(&plan(stage, &root, "&prune=true", &rest).await), ["a: unchanged"]);
}

async fn an_offline_job_is_changed_and_stays_offline(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    stage.post(&root, &format!("{P}/jobs/a/offline"), json!({})).await.is(200);
    assert_eq!(does(&plan(stage, &root, "", &file(&[("a", 1)])).await), ["a: unchanged"]);
    apply(stage, &root, "", &file(&[("a", 2)])).await.is(200);
    let changed = job(stage, &root, "a").await;
    assert_eq!(
        (&changed["state"], &changed["settings"]["disabled"], &changed["settings"]["cron"]),
        (&json!("offline"), &json!(true), &json!("0 0 2 * * ?"))
    );
    stage.post(&root, &format!("{P}/jobs/a/online"), json!({})).await.is(200);
    assert_eq!(does(&plan(stage, &root, "", &file(&[("a", 2)])).await), ["a: unchanged"]);
}

async fn what_is_wrong_with_files_is_told_with_its_line(stage: &Stage) {
    let root = project(stage).await;
    let broken =
        send(stage, &root, "plan?source=git", "application/yaml", "jobs: [").await.refused("bad-yaml");
    assert!(broken["errors"][0]["line"].is_u64(), "{broken:#}");
    let bad = "jobs:\n  a:\n    elasticJobClass: A\n    cron: 0 61 * * * ?\n    failovr: true\n  b:\n    cron: 0 0 1 * * ?\n";
    let refused = apply(stage, &root, "", bad).await.refused("invalid");
    let told: Vec<(&str, u64)> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["line"].as_u64().unwrap()))
        .collect();
    assert!(
        told.contains(&("/jobs/a", 5))
            && told.iter().any(|(pointer, line)| *pointer == "/jobs/b/elasticJobType" && *line == 6),
        "{refused:#}"
    );
    send(stage, &root, "plan?source=git", "application/json", "{}").await.refused("unsupported-type");
    send(stage, &root, "plan", "application/yaml", &file(&[("a", 1)])).await.refused("invalid");
    send(stage, &root, "plan?source=git&prun=true", "application/yaml", &file(&[("a", 1)]))
        .await
        .refused("unknown-parameter");
    send(stage, &root, "plan?source=git", "multipart/form-data", "x").await.refused("bad-request");
    let large = format!("jobs:\n{}", " ".repeat((16 << 20) + 1));
    apply(stage, &root, "", &large).await.refused("too-large");
    assert_eq!(stage.get(&root, &format!("{P}/jobs")).await.is(200)["count"], 0);
}

async fn who_may_apply_what(stage: &Stage) {
    let root = project(stage).await;
    let viewer = stage.somebody(&root, "vera", Some("viewer")).await;
    let developer = stage.somebody(&root, "dora", Some("developer")).await;
    let text = file(&[("a", 1)]);
    assert_eq!(does(&plan(stage, &viewer, "", &text).await), ["a: create"]);
    apply(stage, &viewer, "", &text).await.refused("not-allowed");
    apply(stage, &developer, "", &text).await.is(200);
    let code = "jobs:\n  s:\n    elasticJobType: SCRIPT\n    cron: 0 0 1 * * ?\n    props: {script.command.line: 'true'}\n";
    let planned = plan(stage, &developer, "", code).await;
    assert!(planned["changes"][1]["warnings"].to_string().contains("needs job.code"), "{planned:#}");
    let refused = apply(stage, &developer, "", code).await.refused("code-not-allowed");
    assert_eq!(refused["keys"]["s"], json!(["elasticJobType", "props"]));
    apply(stage, &root, "", code).await.is(200);
    let class = "jobs:\n  s:\n    elasticJobType: SCRIPT\n    cron: 0 0 2 * * ?\n    props: {script.command.line: 'true'}\n";
    apply(stage, &developer, "", class).await.is(200);
    let token = json!({ "name": "ci", "scopes": ["job.read", "job.write"] });
    let made = stage.post(&developer, "/me/tokens", token).await.is(201);
    let ci = Caller::of_token(made["secret"].as_str().unwrap());
    let refused = apply(stage, &ci, "&prune=true", &text).await.refused("not-allowed");
    assert_eq!(refused["permission"], "job.remove");
}

async fn a_plan_shows_what_moves_what_java_refuses_and_what_runs(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    fleet.java(HERE, 0).await;
    fleet.java(THERE, 1).await;
    fleet.write(Key::Owner(2), &format!("{THERE}@-@99")).await;
    let running = fleet.keys.of(&fleet.name(), &Key::Running(2));
    fleet.outside.commit(vec![Op::create_ephemeral(running, "")]).await.unwrap();
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    soon("the mirror shows them", async || {
        let live = fleet.look(&format!("{P}/jobs/report/items")).await;
        live["items"]
            .as_array()
            .is_some_and(|items| items.len() == 3 && items.iter().all(|item| item["owner"].is_string()))
    })
    .await;
    let text = "jobs:\n  report:\n    elasticJobClass: com.example.Other\n    cron: 0 0 0 1 1 ? 2099\n    shardingTotalCount: 4\n";
    let planned = plan(stage, &fleet.root, "&takeOver=true", text).await;
    let effects = &planned["changes"][0]["effects"];
    assert_eq!(
        effects["items"],
        json!({ "before": 3, "after": 4, "added": { "from": 3, "to": 3 } }),
        "{planned:#}"
    );
    // Elastic-Job lists instances backwards: two items each, the first two to the greater id.
    assert_eq!(
        effects["moves"],
        json!([
            { "item": 0, "from": format!("{HERE}@-@99"), "to": format!("{THERE}@-@99") },
            { "item": 2, "from": format!("{THERE}@-@99"), "to": format!("{HERE}@-@99") },
        ])
    );
    assert_eq!(effects["refusing"].as_array().unwrap().len(), 2);
    assert!(planned["changes"][0]["warnings"].to_string().contains("refuse to start again"), "{planned:#}");
    apply(stage, &fleet.root, "&takeOver=true", text).await.is(200);
    let gone = plan(stage, &fleet.root, "&prune=true", &file(&[("other", 1)])).await;
    assert_eq!(does(&gone), ["other: create", "report: remove"]);
    let told = &gone["changes"][1];
    assert_eq!(told["effects"]["interrupts"], json!([2]), "{gone:#}");
}

async fn a_preview_tells_what_settings_do_or_what_is_wrong_with_them(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    let viewer = stage.somebody(&root, "vera", Some("viewer")).await;
    let path = format!("{P}/jobs/a/preview");
    let good = json!({ "settings": { "elasticJobClass": "com.example.Other", "cron": "0 30 2 ? * MON-FRI", "shardingTotalCount": 5 } });
    let told = stage.post(&viewer, &path, good).await.is(200);
    let keys: Vec<&Value> =
        told["diff"].as_array().unwrap().iter().map(|difference| &difference["key"]).collect();
    assert_eq!(keys, ["elasticJobClass", "cron", "shardingTotalCount"], "{told:#}");
    assert_eq!(told["sentence"], json!({ "en": "Monday to Friday at 02:30", "zh": "周一至周五 02:30" }));
    assert_eq!(told["effects"]["items"]["added"], json!({ "from": 3, "to": 4 }));
    assert!(told["warnings"].to_string().contains("`elasticJobClass` decide what it runs"), "{told:#}");
    let bad = json!({ "settings": { "elasticJobClass": "A", "cron": "0 61 * * * ?" } });
    let told = stage.post(&viewer, &path, bad).await.is(200);
    assert_eq!(told["problems"][0]["pointer"], "/settings/cron", "{told:#}");
    assert_eq!(job(stage, &root, "a").await["version"], 1);
}

async fn a_form_of_several_files_is_one_apply(stage: &Stage) {
    let root = project(stage).await;
    let part = |name: &str, text: &str| {
        format!(
            "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n"
        )
    };
    let form = |parts: &[String]| format!("{}--cut--\r\n", parts.concat());
    let kind = "multipart/form-data; boundary=cut";
    let two = form(&[part("one.yaml", &file(&[("a", 1)])), part("two.yaml", &file(&[("b", 1)]))]);
    let done = send(stage, &root, "apply?source=git", kind, &two).await.is(200);
    assert_eq!(done["counts"], json!({ "create": 2 }));
    let twice = form(&[part("one.yaml", &file(&[("a", 1)])), part("two.yaml", &file(&[("a", 2)]))]);
    let refused = send(stage, &root, "plan?source=git", kind, &twice).await.refused("invalid");
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("one.yaml"), "{refused:#}");
    let documents = format!("{}---\n{}", file(&[("a", 1)]), file(&[("b", 1)]));
    assert_eq!(plan(stage, &root, "", &documents).await["counts"], json!({ "unchanged": 2 }));
    send(stage, &root, "plan?source=git", kind, "--cut\r\nhalf").await.refused("bad-request");
}

async fn what_a_person_takes_from_the_registry_differs_from_their_files(stage: &Stage) {
    let root = project(stage).await;
    apply(stage, &root, "", &file(&[("a", 1)])).await.is(200);
    let outside = stage.registry.connect(ConnectOptions::default()).unwrap();
    let path = Keys::new("billing").unwrap().of(&JobName::new("a").unwrap(), &Key::Config);
    let node = outside.read(std::slice::from_ref(&path)).await.unwrap().pop().flatten().unwrap();
    let text = String::from_utf8(node.data.to_vec()).unwrap().replace("0 0 1 * * ?", "0 0 7 * * ?");
    outside.commit(vec![Op::set(path, text)]).await.unwrap();
    stage.post(&root, &format!("{P}/jobs/a/sync/resolve"), json!({ "take": "registry" })).await.is(200);
    let taken = job(stage, &root, "a").await;
    assert_eq!((&taken["settings"]["cron"], &taken["diverged"]), (&json!("0 0 7 * * ?"), &json!(true)));
    apply(stage, &root, "", &file(&[("a", 1)])).await.refused("diverged");
}

async fn an_apply_of_more_than_one_transaction_stops_where_somebody_was_faster_and_goes_on(stage: &Stage) {
    let root = project(stage).await;
    let names: Vec<String> = (0..520).map(|number| format!("job-{number:03}")).collect();
    let all = |hour: u32| file(&names.iter().map(|name| (name.as_str(), hour)).collect::<Vec<_>>());
    // Another server makes one of the second transaction, which this one has not seen when it draws its plan.
    let another = stage.another().await;
    let project = another.catalogue.project("billing").unwrap();
    let mut change = another.store.begin(Actor::server("test"), another.now()).await.unwrap();
    let name = JobName::new("job-510").unwrap();
    let settings =
        clockwright_model::JobSettings::new(name, clockwright_model::JobKind::Simple, "0 0 1 * * ?", 1);
    let made = change
        .insert_job(project.id, &clockwright_server::store::NewJob::found(settings, String::new()))
        .await
        .unwrap();
    // Its record names no job, so that the catalogue does not load it: as if it came a moment later.
    let target = Target { kind: "test", id: made.id.to_string(), name: String::new() };
    change.record(record("test", project.id, target));
    change.commit().await.unwrap();
    let stopped = apply(stage, &root, "", &all(1)).await.refused("plan-stale");
    assert_eq!((&stopped["job"], &stopped["applied"]), (&json!("job-510"), &json!(500)), "{stopped:#}");
    soon("the first transaction is listed, and nothing of the second", async || {
        stage.pass(20);
        stage.get(&root, &format!("{P}/jobs?limit=1")).await.is(200)["count"] == 500
    })
    .await;
    let mut change = another.store.begin(Actor::server("test"), another.now()).await.unwrap();
    let target = Target { kind: "job", id: made.id.to_string(), name: "job-510".into() };
    change.record(record("test", project.id, target));
    let seq = change.commit().await.unwrap();
    stage.app.catalogue.reached(seq).await;
    let done = apply(stage, &root, "&takeOver=true", &all(1)).await.is(200);
    assert_eq!(done["counts"], json!({ "unchanged": 500, "create": 19, "update": 1 }));
}
