//! One job's record: its ledger with the balance, its fires, and what changed around it.

use crate::fleet::{Code, Fleet, HERE, JOB};
use crate::history::{HOUR, NOW, failed, project, put, settled};
use crate::stage::{Caller, Stage, on_each_database};
use clockwright_events::testing;
use clockwright_fleet::Layout;
use clockwright_model::{Change, ChangeKind, Execution, JobName, Millis, Outcome, RunId, Settlement};
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};

on_each_database! {
    a_ledger_shows_each_due_instant_and_its_balance_adds_up
    before_a_schedule_was_changed_nothing_is_due_by_the_new_one
    without_its_registry_there_is_no_balance_of_what_may_run
    a_fire_shows_its_items_their_attempts_and_what_runs
    a_fire_shows_the_attempts_before_the_one_that_decided
    items_of_a_fire_come_in_pages_with_how_long_they_usually_take
    who_came_and_went_is_told_in_pages
}

/// A job that fires each hour, made at the beginning; by now it is six hours and half a minute later.
async fn six_hours(stage: &Stage) -> Caller {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    later(stage, 6 * HOUR + 30_000).await
}

/// The administrator, some time later: their session is over by then.
async fn later(stage: &Stage, time: Millis) -> Caller {
    stage.pass(time);
    stage.sign_in("root").await
}

/// The outcome of the fire of so many hours after the beginning.
fn after(hours: Millis, outcome: Outcome) -> Settlement {
    settled("billing", -hours, outcome)
}

async fn ledger(stage: &Stage, who: &Caller, query: &str) -> Value {
    stage.get(who, &format!("{JOB}/ledger{query}")).await.is(200)
}

/// From which hour to which one there are no outcomes, and why.
fn gaps(ledger: &Value) -> Vec<(&str, &str, &str)> {
    let rows = ledger["open"].as_array().unwrap().iter();
    rows.map(|open| {
        let [from, to, gap] = ["from", "to", "gap"].map(|key| open[key].as_str().unwrap());
        (&from[11..13], &to[11..13], gap)
    })
    .collect()
}

async fn a_ledger_shows_each_due_instant_and_its_balance_adds_up(stage: &Stage) {
    let root = six_hours(stage).await;
    let settlements = [1, 2, 5].map(|hours| after(hours, Outcome::Succeeded));
    put(stage, settlements.into()).await;
    let all = ledger(stage, &root, "").await;
    assert_eq!(all["settled"].as_array().unwrap().len(), 3);
    assert_eq!(gaps(&all), [("11", "12", "open"), ("14", "14", "due")]);
    assert_eq!((&all["open"][0]["count"], &all["beginsAt"]), (&json!(2), &json!("2027-01-15T09:00:00.000Z")));
    let balance = json!({
        "due": 6, "succeeded": 3, "failed": 0, "skipped": 0, "coalesced": 0, "missed": 0, "cancelled": 0,
        "running": 1, "unaccounted": 2,
    });
    assert_eq!(all["balance"], balance);
    // A part of it has a balance of its own.
    let part = ledger(stage, &root, "?from=2027-01-15T10:00:00Z&to=2027-01-15T12:00:00Z").await;
    assert_eq!((&part["balance"]["due"], &part["balance"]["unaccounted"]), (&json!(2), &json!(1)));
    stage.get(&root, &format!("{JOB}/ledger?item=7")).await.refused("no-such-item");
    let empty = format!("{JOB}/ledger?from=2027-01-15T05:00:00Z&to=2027-01-15T05:00:00Z");
    stage.get(&root, &empty).await.refused("invalid");
}

async fn before_a_schedule_was_changed_nothing_is_due_by_the_new_one(stage: &Stage) {
    let root = six_hours(stage).await;
    let change = async |who: &Caller, settings: Value, version: i64| {
        stage.patch(&who.at(version), JOB, json!({ "settings": settings })).await.is(200);
    };
    change(&root, json!({ "cron": "0 0/30 * * * ?" }), 1).await;
    let root = later(stage, HOUR).await;
    // What is no matter of the schedule changes nothing about what was due.
    change(&root, json!({ "description": "half-hourly" }), 2).await;
    put(stage, vec![after(1, Outcome::Succeeded)]).await;
    let all = ledger(stage, &root, "").await;
    let expected = [("09", "14", "beforeChange"), ("14", "14", "open"), ("15", "15", "due")];
    assert_eq!(gaps(&all), expected, "{all:#}");
    assert_eq!(all["balance"]["due"], 3);
}

async fn without_its_registry_there_is_no_balance_of_what_may_run(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing", "registry": "far" })).await.is(201);
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 * * * ?", "timeZone": "UTC" });
    stage
        .post(&root, "/projects/billing/jobs", json!({ "name": "report", "settings": settings }))
        .await
        .is(201);
    let root = later(stage, 2 * HOUR + 1).await;
    put(stage, vec![after(1, Outcome::Succeeded)]).await;
    let settled = ledger(stage, &root, "?to=2027-01-15T09:00:01Z").await;
    assert_eq!(settled["balance"]["due"], 1, "there is nothing that could run");
    let open = ledger(stage, &root, "?to=2027-01-15T10:00:00.001Z").await;
    assert_eq!((&open["balance"], gaps(&open)), (&Value::Null, vec![("10", "10", "due")]), "{open:#}");
}

async fn a_fire_shows_its_items_their_attempts_and_what_runs(stage: &Stage) {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let code = Code::waiting();
    let instance = fleet.engine(HERE, &code).await;
    fleet.done("trigger", json!({})).await;
    soon("all items run", async || instance.running().await == 3).await;
    // The engine goes by the true time, of which the server's clock is ahead.
    let open = ledger(stage, &fleet.root, "?from=2020-01-01T00:00:00Z").await;
    assert_eq!((&open["balance"]["due"], &open["balance"]["running"]), (&json!(3), &json!(3)), "{open:#}");
    let (at, trigger) = (&open["open"][0]["from"], open["open"][0]["trigger"].as_str().unwrap());
    let at: jiff::Timestamp = at.as_str().unwrap().parse().unwrap();
    let path = format!("{JOB}/fires/{}", at.as_millisecond());
    let fire =
        async |query: &str| stage.get(&fleet.root, &format!("{path}?trigger={trigger}{query}")).await.is(200);
    let running = fire("").await;
    assert_eq!((running["items"].as_array().unwrap().len(), &running["balance"]["running"]), (3, &json!(3)));
    let attempt = &running["items"][2]["attempts"][0];
    assert_eq!((&running["items"][2]["gap"], &attempt["state"]), (&json!("running"), &json!("running")));
    assert_eq!(attempt["instance"], format!("{HERE}@-@7"));

    code.finish();
    soon("all items ended", async || instance.outcomes().len() == 3).await;
    put(stage, instance.seen.events()).await;
    let ended = fire("&limit=2").await;
    assert_eq!((&ended["balance"]["succeeded"], &ended["balance"]["due"]), (&json!(3), &json!(3)));
    assert_eq!((ended["items"].as_array().unwrap().len(), &ended["next"]), (2, &json!(1)));
    let rest = fire("&after=1").await;
    let attempt = &rest["items"][0]["attempts"][0];
    assert_eq!((&rest["items"][0]["item"], &rest["next"]), (&json!(2), &Value::Null));
    assert_eq!((&attempt["state"], &attempt["ip"]), (&json!("succeeded"), &json!(HERE)), "{rest:#}");
    assert_eq!(rest["items"][0]["outcome"]["run"], attempt["run"]);
    assert!(attempt["claimedAt"].is_string() && attempt["endedAt"].is_string(), "{rest:#}");
    // It is no fire of the schedule, nor of another trigger.
    stage.get(&fleet.root, &path).await.refused("not-found");
    stage.get(&fleet.root, &format!("{path}?trigger=other")).await.refused("not-found");
    stage.get(&fleet.root, &format!("{JOB}/fires/noon")).await.refused("not-found");
    stage.get(&fleet.root, &format!("{path}?limit=201")).await.refused("invalid");
    instance.handle.shutdown().await;
}

async fn a_fire_shows_the_attempts_before_the_one_that_decided(stage: &Stage) {
    let root = six_hours(stage).await;
    let fire = NOW + HOUR;
    let trace = |number: u128, start: Millis, ip: &str| Execution {
        id: RunId::new(fire, number),
        job: JobName::new("report").unwrap(),
        task_id: format!("report@-@0@-@READY@-@{ip}@-@7").as_str().into(),
        ip: ip.into(),
        start: fire + start,
        complete: Some(fire + start + 1),
        failure_cause: Some("it fell over".into()),
        ..testing::execution(0)
    };
    // Before it ran, the item made up for an earlier instant.
    let earlier = Settlement { run_id: Some(RunId::new(fire, 1)), ..after(0, failed()) };
    let decided = Settlement {
        run_id: Some(RunId::new(fire, 4)),
        attempt: 4,
        start: Some(fire + 40),
        claimed: Some(fire + 39),
        at: fire + 45,
        ..after(1, failed())
    };
    put(stage, vec![earlier, decided]).await;
    // Of the first attempt no trace is kept.
    let traces = [(1, 10, "10.0.0.9"), (2, 20, "10.0.0.1"), (3, 30, "10.0.0.2"), (4, 40, "10.0.0.3")];
    put(stage, traces.map(|(number, start, ip)| trace(number, start, ip)).into()).await;
    let page = stage.get(&root, &format!("{JOB}/fires/{fire}")).await.is(200);
    let attempts = page["items"][0]["attempts"].as_array().unwrap();
    let told: Vec<(i64, &str)> = attempts
        .iter()
        .map(|one| (one["attempt"].as_i64().unwrap(), one["instance"].as_str().unwrap()))
        .collect();
    assert_eq!(told[..2], [(2, "10.0.0.1@-@7"), (3, "10.0.0.2@-@7")], "{page:#}");
    assert_eq!((told.len(), told[2].0, &attempts[2]["ip"]), (3, 4, &json!("10.0.0.3")), "{page:#}");
    assert_eq!((&attempts[0]["cause"], &attempts[0]["state"]), (&json!("it fell over"), &json!("failed")));
    assert_eq!(
        (&attempts[2]["claimedAt"], &page["balance"]["failed"]),
        (&json!("2027-01-15T09:00:00.039Z"), &json!(1))
    );
    let later = stage.get(&root, &format!("{JOB}/fires/{}", NOW + 9 * HOUR)).await.refused("not-found");
    assert!(later["detail"].as_str().unwrap().contains("2027-01-15T17:00:00.000Z"), "{later:#}");
}

async fn items_of_a_fire_come_in_pages_with_how_long_they_usually_take(stage: &Stage) {
    let root = six_hours(stage).await;
    let usual = async || {
        // What is counted is added up every few seconds.
        stage.history().await.fold().await.unwrap();
        let page = stage.get(&root, &format!("{JOB}/fires/{}", NOW + HOUR)).await.is(200);
        page["items"][0]["usual"].clone()
    };
    put(stage, (1..5).map(|hours| after(hours, Outcome::Succeeded)).collect()).await;
    assert_eq!(usual().await, Value::Null, "four tell nothing");
    put(stage, vec![after(5, Outcome::Succeeded)]).await;
    let usual = usual().await;
    // Each took 995 milliseconds.
    assert_eq!(usual["count"], 5);
    assert!((900..1_100).contains(&usual["p95"].as_i64().unwrap()), "{usual:#}");
}

async fn who_came_and_went_is_told_in_pages(stage: &Stage) {
    let root = six_hours(stage).await;
    let change = |number: i64, kind, namespace: &str| Change {
        namespace: namespace.into(),
        job: Some(JobName::new("report").unwrap()),
        kind,
        at: NOW + number,
        ..testing::change(number)
    };
    let paused = Change {
        subject: "".into(),
        by: "anna".into(),
        reason: "a release".into(),
        ..change(3, ChangeKind::Paused, "billing")
    };
    let all = vec![
        change(1, ChangeKind::Joined, "billing"),
        change(2, ChangeKind::Lost, "billing"),
        paused,
        change(4, ChangeKind::Joined, "elsewhere"),
    ];
    put(stage, all).await;
    let page = stage.get(&root, &format!("{JOB}/changes?limit=2")).await.is(200);
    let row = &page["items"][0];
    assert_eq!(
        (&row["kind"], &row["by"], &row["reason"]),
        (&json!("paused"), &json!("anna"), &json!("a release"))
    );
    assert_eq!(row["sentence"], json!({ "en": "the job was paused", "zh": "作业被暂停" }));
    assert_eq!(page["items"][1]["kind"], "lost");
    let next = page["next"].as_str().unwrap();
    let rest = stage.get(&root, &format!("{JOB}/changes?after={next}")).await.is(200);
    assert_eq!((&rest["items"][0]["kind"], &rest["next"]), (&json!("joined"), &Value::Null));
    stage.get(&root, &format!("{JOB}/changes?after=rubbish")).await.refused("bad-cursor");
}
