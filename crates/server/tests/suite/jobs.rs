//! Jobs and their versions.

use crate::stage::{Caller, Stage, on_each_database};
use serde_json::{Value, json};

on_each_database! {
    a_job_is_made_read_and_changed_by_versions
    s16_a_change_of_an_old_version_is_told_what_changed_since_and_by_whom
    a_change_that_changes_nothing_makes_no_version
    an_earlier_versions_settings_come_back_as_a_new_version
    all_that_is_wrong_with_settings_is_told_at_once
    what_the_registrys_layout_has_no_place_for_is_refused
    s26_code_keys_need_a_permission_of_their_own
    pages_neither_repeat_nor_skip_a_row_while_others_change
    a_search_finds_what_a_naive_one_finds
}

const CRON: &str = "0 0 1 * * ?";

async fn project(stage: &Stage) -> Caller {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing", "codeEdit": false })).await.is(201);
    root
}

fn simple(name: &str, cron: &str) -> Value {
    json!({ "name": name, "settings": { "elasticJobClass": "com.example.Job", "cron": cron, "shardingTotalCount": 2 } })
}

async fn a_job_is_made_read_and_changed_by_versions(stage: &Stage) {
    let root = project(stage).await;
    let made = stage.post(&root, "/projects/billing/jobs", simple("report", CRON)).await;
    assert_eq!(made.headers["location"], "/api/v1/projects/billing/jobs/report");
    assert_eq!(made.headers["etag"], "\"v1\"");
    made.is(201);
    stage.post(&root, "/projects/billing/jobs", simple("report", CRON)).await.refused("name-taken");
    let patch = json!({ "settings": { "cron": "0 0 2 * * ?", "shardingTotalCount": null, "retry": { "maxAttempts": 3 } }, "reason": "later" });
    let changed = stage.patch(&root.at(1), "/projects/billing/jobs/report", patch).await.is(200);
    assert_eq!(changed["version"], 2);
    let job = stage.get(&root, "/projects/billing/jobs/report").await.is(200);
    assert_eq!(job["settings"]["cron"], "0 0 2 * * ?");
    assert_eq!(job["settings"]["retry"], json!({ "maxAttempts": 3 }));
    assert_eq!(job["changedBy"], "root");
    let versions = stage.get(&root, "/projects/billing/jobs/report/versions").await.is(200);
    assert_eq!(versions["items"][0]["reason"], "later");
    let diff = stage.get(&root, "/projects/billing/jobs/report/versions/1/diff/2").await.is(200);
    let keys: Vec<&Value> = diff.as_array().unwrap().iter().map(|difference| &difference["key"]).collect();
    assert_eq!(keys, ["cron", "shardingTotalCount", "retry.maxAttempts"]);
    stage.get(&root, "/projects/billing/jobs/report/versions/9").await.refused("not-found");
    let near = stage.get(&root, "/projects/billing/jobs/reprot").await.refused("not-found");
    assert_eq!(near["fix"], "did you mean `report`?");
}

async fn s16_a_change_of_an_old_version_is_told_what_changed_since_and_by_whom(stage: &Stage) {
    let root = project(stage).await;
    stage.post(&root, "/projects/billing/jobs", simple("report", CRON)).await.is(201);
    let lina = stage.somebody(&root, "lina", Some("developer")).await;
    let patch = |cron: &str| json!({ "settings": { "cron": cron } });
    stage.patch(&lina.at(1), "/projects/billing/jobs/report", patch("0 0 2 * * ?")).await.is(200);
    let stale = stage
        .patch(&root.at(1), "/projects/billing/jobs/report", patch("0 0 3 * * ?"))
        .await
        .refused("version-conflict");
    assert_eq!((&stale["current"], &stale["by"]), (&json!(2), &json!("lina")));
    let change = &stale["changes"][0];
    assert_eq!(
        (&change["base"], &change["theirs"], &change["yours"]),
        (&json!(CRON), &json!("0 0 2 * * ?"), &json!("0 0 3 * * ?"))
    );
    stage
        .put(&root, "/projects/billing/jobs/report", simple("report", CRON))
        .await
        .refused("precondition-required");
}

async fn a_change_that_changes_nothing_makes_no_version(stage: &Stage) {
    let root = project(stage).await;
    stage.post(&root, "/projects/billing/jobs", simple("report", CRON)).await.is(201);
    let same = stage.put(&root.at(1), "/projects/billing/jobs/report", simple("report", CRON)).await.is(200);
    assert_eq!(same["version"], 1);
}

async fn an_earlier_versions_settings_come_back_as_a_new_version(stage: &Stage) {
    let root = project(stage).await;
    stage.post(&root, "/projects/billing/jobs", simple("report", CRON)).await.is(201);
    let patch = json!({ "settings": { "cron": "0 0 2 * * ?" } });
    stage.patch(&root.at(1), "/projects/billing/jobs/report", patch).await.is(200);
    let back = json!({ "version": 1, "reason": "too late" });
    let job = stage.post(&root.at(2), "/projects/billing/jobs/report/rollback", back).await.is(200);
    assert_eq!((&job["version"], &job["settings"]["cron"]), (&json!(3), &json!(CRON)));
    let version = stage.get(&root, "/projects/billing/jobs/report/versions/3").await.is(200);
    assert_eq!((&version["origin"], &version["basedOn"]), (&json!("rollback"), &json!(1)));
    let missing = json!({ "version": 8 });
    stage.post(&root.at(3), "/projects/billing/jobs/report/rollback", missing).await.refused("not-found");
}

async fn all_that_is_wrong_with_settings_is_told_at_once(stage: &Stage) {
    let root = project(stage).await;
    let bad = json!({ "name": "bad", "settings": {
        "elasticJobClass": "com.example.Job", "cron": "0 61 * * * ?", "timeZone": "Europe/Atlantis", "shardingTotalCount": 0
    } });
    let refused = stage.post(&root, "/projects/billing/jobs", bad).await.refused("invalid");
    let pointers: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert!(pointers.contains(&"/settings/shardingTotalCount"), "{refused:#}");
    assert!(pointers.iter().any(|pointer| pointer.starts_with("/settings/cron") || pointer.starts_with("/settings/timeZone")));
    let unknown =
        json!({ "name": "bad", "settings": { "elasticJobClass": "a", "cron": CRON, "failovr": true } });
    let refused = stage.post(&root, "/projects/billing/jobs", unknown).await.refused("invalid");
    assert!(
        refused["errors"][0]["message"].as_str().unwrap().contains("did you mean `failover`?"),
        "{refused:#}"
    );
    for name in ["", "a/b", "..", "x\u{200b}"] {
        let refused =
            stage.post(&root, "/projects/billing/jobs", simple(name, CRON)).await.refused("invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/name", "{name}");
    }
}

async fn s26_code_keys_need_a_permission_of_their_own(stage: &Stage) {
    let root = project(stage).await;
    let lina = stage.somebody(&root, "lina", Some("developer")).await;
    let script = json!({ "name": "script", "settings": {
        "elasticJobType": "SCRIPT", "cron": CRON, "props": { "script.command.line": "/opt/a.sh" }
    } });
    stage.post(&lina, "/projects/billing/jobs", script.clone()).await.refused("code-not-allowed");
    stage.post(&root, "/projects/billing/jobs", script).await.is(201);
    let code = json!({ "settings": { "props": { "script.command.line": "/opt/b.sh" } } });
    let refused =
        stage.patch(&lina.at(1), "/projects/billing/jobs/script", code).await.refused("code-not-allowed");
    assert!(refused["keys"].as_array().unwrap().iter().any(|key| key == "props"), "{refused:#}");
    let when = json!({ "settings": { "cron": "0 0 2 * * ?" } });
    stage.patch(&lina.at(1), "/projects/billing/jobs/script", when).await.is(200);
    stage.post(&lina, "/projects/billing/jobs", simple("plain", CRON)).await.is(201);
}

async fn pages_neither_repeat_nor_skip_a_row_while_others_change(stage: &Stage) {
    let root = project(stage).await;
    for number in 0..12 {
        stage.post(&root, "/projects/billing/jobs", simple(&format!("job-{number:02}"), CRON)).await.is(201);
    }
    for sort in ["name", "-name"] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page =
                stage.get(&root, &format!("/projects/billing/jobs?limit=5&sort={sort}{after}")).await.is(200);
            seen.extend(
                page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()),
            );
            let name = format!("new{}{}", sort.len(), seen.len());
            stage.post(&root, "/projects/billing/jobs", simple(&name, CRON)).await.is(201);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let old: Vec<_> = seen.iter().filter(|name| name.starts_with("job-")).collect();
        assert_eq!(old.len(), 12, "{sort}: {seen:?}");
        let unique: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "{sort}: {seen:?}");
    }
    stage.get(&root, "/projects/billing/jobs?after=rubbish").await.refused("bad-cursor");
    stage.get(&root, "/projects/billing/jobs?q=stat:x").await.refused("bad-filter");
}

async fn a_search_finds_what_a_naive_one_finds(stage: &Stage) {
    let root = project(stage).await;
    let names = ["billing-日报", "Daily%Bill", "a_b", "weekly"];
    for name in names {
        stage.post(&root, "/projects/billing/jobs", simple(name, CRON)).await.is(201);
    }
    for word in ["bill", "日报", "%", "_", "BILL", "xyz", "ly"] {
        let query: String = url::form_urlencoded::byte_serialize(word.as_bytes()).collect();
        let page = stage.get(&root, &format!("/jobs?q={query}")).await.is(200);
        let mut found: Vec<&str> =
            page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        let mut naive: Vec<&str> =
            names.iter().copied().filter(|name| name.to_lowercase().contains(&word.to_lowercase())).collect();
        found.sort_unstable();
        naive.sort_unstable();
        assert_eq!(found, naive, "{word}");
        assert_eq!(page["count"].as_u64().unwrap() as usize, naive.len());
    }
}

async fn what_the_registrys_layout_has_no_place_for_is_refused(stage: &Stage) {
    let root = stage.admin().await;
    let retry = json!({ "settings": { "retry": { "maxAttempts": 3 } } });
    let one_off = json!({ "settings": { "cron": "" } });
    for (layout, project, fits, lost, key) in [
        ("2", "two", &retry, &one_off, "/settings/cron"),
        ("3", "three", &one_off, &retry, "/settings/retry/maxAttempts"),
    ] {
        stage.post(&root, "/projects", json!({ "name": project, "layout": layout })).await.is(201);
        let jobs = format!("/projects/{project}/jobs");
        let mut job = simple("report", CRON);
        for (setting, value) in lost["settings"].as_object().unwrap() {
            job["settings"][setting] = value.clone();
        }
        let refused = stage.post(&root, &jobs, job).await.refused("layout-cannot");
        assert_eq!((&refused["layout"], &refused["errors"][0]["pointer"]), (&json!(layout), &json!(key)));
        stage.post(&root, &jobs, simple("report", CRON)).await.is(201);
        let path = format!("{jobs}/report");
        let refused = stage.patch(&root.at(1), &path, lost.clone()).await.refused("layout-cannot");
        assert_eq!(refused["errors"][0]["pointer"], key, "{refused:#}");
        let now = stage.patch(&root.at(1), &path, fits.clone()).await.is(200);
        let mut whole = json!({ "settings": now["settings"] });
        for (setting, value) in lost["settings"].as_object().unwrap() {
            whole["settings"][setting] = value.clone();
        }
        stage.put(&root.at(2), &path, whole).await.refused("layout-cannot");
        let back = stage.post(&root.at(2), &format!("{path}/rollback"), json!({ "version": 1 })).await;
        assert_eq!(back.is(200)["version"], 3, "what was there before is no hindrance");
    }
    // What is in the registry counts, and not what the project says of jobs to come.
    let two = stage.get(&root, "/projects/two").await.is(200);
    let other = root.at(two["version"].as_i64().unwrap());
    stage.patch(&other, "/projects/two", json!({ "layout": "3" })).await.is(200);
    stage.patch(&root.at(3), "/projects/two/jobs/report", retry).await.is(200);
}
