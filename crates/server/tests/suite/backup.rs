//! A backup has all there is, and can be restored into an empty database of any kind, which then waits for a person.

use crate::stage::{Caller, On, Stage, on_each_database};
use clockwright_server::backup::{BackupError, backup, restore};
use clockwright_server::ops::resume;
use clockwright_server::store::{Store, Table, tables};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

on_each_database! {
    what_was_saved_from_one_database_is_restored_into_each
    a_restored_project_is_held_until_somebody_confirms
    what_is_not_whole_is_not_restored
    nothing_is_restored_over_what_is_there
}

const CRON: &str = "0 0 1 * * ?";

/// Something in many tables, more than one page of it, with what is hard to keep: other scripts, quotes, nothing at all.
async fn fill(stage: &Stage) -> Caller {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing", "title": "账单 \"Ω\" \\ 'q'" })).await.is(201);
    let job = json!({ "name": "report", "settings": { "elasticJobClass": "com.example.Job", "cron": CRON, "description": "日报\n两行" } });
    stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    stage.somebody(&root, "lina", None).await;
    stage.put(&root, "/projects/billing/members/user/lina", json!({ "role": "operator" })).await.is(200);
    stage
        .post(&root, "/projects/billing/jobs/report/pause", json!({ "reason": "the printer is away" }))
        .await
        .is(200);
    for hour in 2..20 {
        let patch = json!({ "settings": { "cron": format!("0 0 {hour} * * ?") } });
        stage.patch(&root.at(hour - 1), "/projects/billing/jobs/report", patch).await.is(200);
    }
    root
}

async fn saved(stage: &Stage) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.backup");
    let (seq, hash) = stage.app.store.head().await.unwrap();
    let done = backup(&stage.app.store, &path, stage.app.now()).await.unwrap();
    assert_eq!((done.header.seq, done.header.hash), (seq, hash));
    (folder, path)
}

/// All rows of a table, three at a time.
async fn rows(store: &Store, table: &Table) -> Vec<Vec<Value>> {
    let mut snapshot = store.snapshot().await.unwrap();
    let mut all: Vec<Vec<Value>> = Vec::new();
    loop {
        let page = snapshot.rows(table, all.last().map(Vec::as_slice), 3).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn what_was_saved_from_one_database_is_restored_into_each(stage: &Stage) {
    let root = fill(stage).await;
    let (_folder, path) = saved(stage).await;
    let seq = stage.app.store.head().await.unwrap().0;
    for on in [On::Sqlite, On::Postgres, On::MariaDb] {
        let restored = stage.restored(on, &path).await;
        for table in tables() {
            let (mut before, mut after) =
                (rows(&stage.app.store, &table).await, rows(&restored.app.store, &table).await);
            match table.name {
                // They say that this is a copy.
                "CLOCKWRIGHT_HEAD" | "CLOCKWRIGHT_TERM" => {
                    assert_eq!(before.len(), after.len(), "{}", table.name);
                    continue;
                }
                "CLOCKWRIGHT_PROJECT" => {
                    let mark = table.columns.iter().position(|column| column.name == "control_mark").unwrap();
                    for row in before.iter_mut().chain(&mut after) {
                        row[mark] = Value::Null;
                    }
                }
                "CLOCKWRIGHT_JOURNAL" => {
                    let last = after.pop().unwrap();
                    assert_eq!((&last[0], &last[8]), (&json!(seq + 1), &json!("store.restored")));
                }
                _ => {}
            }
            assert_eq!(before, after, "{} on {on:?}", table.name);
        }
        assert_eq!(restored.app.store.plane(), stage.app.store.plane(), "the registry knows it by this");
        restored.get(&root, "/projects").await.refused("session-over");
        let root = restored.sign_in("root").await;
        let job = restored.get(&root, "/projects/billing/jobs/report").await.is(200);
        assert_eq!((&job["version"], &job["settings"]["description"]), (&json!(19), &json!("日报\n两行")));
        let verified = restored.get(&root, "/journal/verify").await.is(200);
        assert_eq!(verified["holds"], true, "{verified:#}");
        let made = json!({ "name": "another" });
        restored.post(&root, "/projects", made).await.is(201);
    }
}

async fn a_restored_project_is_held_until_somebody_confirms(stage: &Stage) {
    fill(stage).await;
    let (_folder, path) = saved(stage).await;
    let restored = stage.restored(On::Sqlite, &path).await;
    let root = restored.sign_in("root").await;
    let patch = json!({ "settings": { "cron": CRON } });
    let job = "/projects/billing/jobs/report";
    let changed = restored.patch(&root.at(19), job, patch).await.is(200);
    assert_eq!(changed["sync"]["state"], "held", "{changed:#}");
    assert!(changed["sync"]["why"].as_str().unwrap().contains("restored"), "{changed:#}");
    restored.post(&root, "/projects/billing/sync/confirm", json!({})).await.is(200);
    restored.post(&root, &format!("{job}/sync"), json!({})).await.is(200);
    let job = restored.get(&root, job).await.is(200);
    assert_eq!(job["sync"]["state"], "written", "{job:#}");
}

/// Tries to restore into a store of its own.
async fn refused(path: &Path, now: i64) -> BackupError {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("control.db").display())).await.unwrap();
    let error = restore(&store, path, now).await.unwrap_err();
    assert_eq!(store.head().await.unwrap().0, 0, "nothing of it is there");
    assert_eq!(rows(&store, &tables()[0]).await.len(), 1);
    error
}

async fn what_is_not_whole_is_not_restored(stage: &Stage) {
    fill(stage).await;
    let (folder, path) = saved(stage).await;
    let now = stage.app.now();
    let text = std::fs::read_to_string(&path).unwrap();
    let other = folder.path().join("other");
    let lines: Vec<&str> = text.lines().collect();
    let without_last = lines[..lines.len() - 1].join("\n") + "\n";
    for (what, damaged) in [
        ("cut in the middle", text[..text.len() / 2].rsplit_once('\n').unwrap().0.to_owned() + "\n"),
        ("without its end", without_last),
        ("in the middle of a line", text[..text.len() - 5].to_owned()),
        ("changed", text.replacen("printer", "plotter", 1)),
        ("something else", "jobs: {}\n".to_owned()),
        ("empty", String::new()),
    ] {
        std::fs::write(&other, damaged).unwrap();
        let error = refused(&other, now).await;
        assert!(matches!(error, BackupError::Damaged { .. }), "{what}: {error}");
    }
    std::fs::write(&other, text.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    assert!(matches!(refused(&other, now).await, BackupError::Newer { .. }));
    assert!(matches!(refused(&folder.path().join("missing"), now).await, BackupError::File { .. }));
    let error = backup(&stage.app.store, &path, now).await.unwrap_err();
    assert!(matches!(error, BackupError::File { .. }), "no backup is overwritten: {error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn nothing_is_restored_over_what_is_there(stage: &Stage) {
    fill(stage).await;
    let (_folder, path) = saved(stage).await;
    let before = stage.app.store.head().await.unwrap();
    // The server that filled it has ended.
    stage.pass(resume::SILENT + 1);
    let error = restore(&stage.app.store, &path, stage.app.now()).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(records) if records == before.0), "{error}");
    assert_eq!(stage.app.store.head().await.unwrap(), before);
}
