//! What comes, what a schedule would be, and who is there in all projects.

use crate::fleet::{Fleet, HERE, JOB, THERE};
use crate::history::project;
use crate::stage::{Stage, on_each_database};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_server::mirror;
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_schedule_is_previewed_with_its_mistakes_where_they_stand
    what_comes_is_counted_by_minute_without_what_stands_still
    jobs_that_fire_soon_are_listed_for_who_may_see_them
    processes_and_hosts_of_all_projects_come_in_pages
    what_if_tells_moves_and_interruptions_and_writes_nothing
}

const PREVIEW: &str = "/schedules/preview";

async fn a_schedule_is_previewed_with_its_mistakes_where_they_stand(stage: &Stage) {
    let root = stage.admin().await;
    let preview = async |body: Value| stage.post(&root, PREVIEW, body).await.is(200);
    let told = preview(json!({ "cron": "0 30 2 * * ?", "zone": "Europe/Berlin", "n": 3 })).await;
    assert_eq!((&told["problems"], told["fires"].as_array().unwrap().len()), (&json!([]), 3));
    assert_eq!(told["fires"][0], "2027-01-16T01:30:00.000Z");
    assert_eq!(told["sentence"]["en"], "Every day at 02:30", "{told:#}");
    let changes = told["clockChanges"].as_array().unwrap();
    assert_eq!(changes.iter().map(|one| &one["kind"]).collect::<Vec<_>>(), ["gap", "overlap"]);
    assert_eq!((&changes[0]["at"], &changes[0]["affected"]), (&json!("2027-03-28T01:00:00.000Z"), &json!(1)));
    assert!(changes[0]["sentence"]["zh"].as_str().unwrap().contains("不存在"), "{told:#}");

    let wrong = preview(json!({ "cron": "0 0/75 2 * * ?" })).await;
    let problem = &wrong["problems"][0];
    assert_eq!((&problem["field"], &wrong["fires"]), (&json!("minute"), &json!([])), "{wrong:#}");
    assert!(problem["from"].as_u64() >= Some(2) && problem["to"].as_u64() <= Some(6), "{wrong:#}");
    let unix = preview(json!({ "cron": "30 2 * * *" })).await;
    assert!(unix["problems"][0]["from"].is_null() && unix["asUnix"]["en"].is_string(), "{unix:#}");
    let zone = preview(json!({ "cron": "0 0 2 * * ?", "zone": "Mars/Olympus" })).await;
    assert_eq!(zone["problems"][0]["field"], "time zone");
    let once = preview(json!({ "cron": "@once 2027-02-01T00:00:00Z" })).await;
    assert_eq!(
        (&once["fires"], &once["lastFireAt"]),
        (&json!(["2027-02-01T00:00:00.000Z"]), &json!("2027-02-01T00:00:00.000Z"))
    );
    stage.post(&root, PREVIEW, json!({ "cron": "", "n": 1_001 })).await.refused("invalid");
    stage.post(&root, PREVIEW, json!({ "corn": "" })).await.refused("unknown-field");
}

async fn what_comes_is_counted_by_minute_without_what_stands_still(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    let often = json!({ "elasticJobClass": "com.example.Job", "cron": "0/20 * * * * ?", "timeZone": "UTC", "shardingTotalCount": 4 });
    stage.post(&root, "/projects/billing/jobs", json!({ "name": "often", "settings": often })).await.is(201);
    let sums = async |query: &str| {
        let told = stage.get(&root, &format!("/upcoming{query}")).await.is(200);
        let sum =
            |key: &str| told[key].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).sum::<u64>();
        (told["items"].as_array().unwrap().len(), sum("fires"), sum("items"), told["from"].clone())
    };
    let minutes = 24 * 60;
    let eight = json!("2027-01-15T08:00:00.000Z");
    assert_eq!(sums("").await, (24 * 60, 24 + 3 * minutes, 24 + 12 * minutes, eight.clone()));
    assert_eq!(sums("?by=hour").await, (24, 24 + 3 * minutes, 24 + 12 * minutes, eight));
    // Time passes, and the last minutes are new.
    stage.pass(90 * 60_000);
    let root = stage.sign_in("root").await;
    let told = stage.get(&root, "/upcoming").await.is(200);
    assert_eq!(
        (&told["from"], &told["fires"][0], &told["fires"][30]),
        (&json!("2027-01-15T09:30:00.000Z"), &json!(3), &json!(4))
    );
    assert_eq!((&told["fires"][1_439], &told["fires"][1_410]), (&json!(3), &json!(4)));
    stage.post(&root, "/projects/billing/jobs/often/pause", json!({})).await.is(200);
    let told = stage.get(&root, "/upcoming?project=billing").await.is(200);
    assert_eq!((&told["fires"][0], &told["fires"][30]), (&json!(0), &json!(1)), "{told:#}");
    stage.get(&root, "/upcoming?project=elsewhere").await.refused("not-found");
    stage.get(&root, "/upcoming?by=second").await.refused("invalid");
}

async fn jobs_that_fire_soon_are_listed_for_who_may_see_them(stage: &Stage) {
    let root = stage.admin().await;
    for name in ["billing", "payroll"] {
        project(stage, &root, name).await;
    }
    let viewer = stage.somebody(&root, "vera", None).await;
    stage.put(&root, "/projects/payroll/members/user/vera", json!({ "role": "viewer" })).await.is(200);
    let all = stage.get(&root, "/upcoming/list").await.is(200);
    assert_eq!((&all["count"], &all["items"][1]["project"]), (&json!(2), &json!("payroll")), "{all:#}");
    let own =
        stage.get(&viewer, "/upcoming/list?from=2027-01-15T08:00:00Z&to=2027-01-15T10:00:00Z").await.is(200);
    let row = json!({ "project": "payroll", "job": "report", "fireAt": "2027-01-15T08:00:00.000Z", "fires": 2, "items": 1 });
    assert_eq!(own, json!({ "items": [row], "count": 1 }));
    let none =
        stage.get(&viewer, "/upcoming/list?from=2027-01-15T08:00:01Z&to=2027-01-15T09:00:00Z").await.is(200);
    assert_eq!(none["count"], 0);
    let one = stage.get(&root, "/upcoming/list?limit=1").await.is(200);
    assert_eq!((one["items"].as_array().unwrap().len(), &one["count"]), (1, &json!(2)));
    let counted = stage.get(&viewer, "/upcoming?by=hour").await.is(200);
    assert_eq!(counted["fires"], json!(vec![1; 24]), "one project's");
    stage.get(&root, "/upcoming/list?limit=201").await.refused("invalid");
    stage
        .get(&root, "/upcoming/list?from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z")
        .await
        .refused("invalid");
}

/// A job of three items: two of one Java instance, of which one runs, and one of another one.
async fn served(stage: &Stage) -> Fleet<'_> {
    let fleet = Fleet::new(stage, Layout::V2).await;
    let here = fleet.java(HERE, 0).await;
    fleet.write(Key::Owner(1), here.as_str()).await;
    fleet.java(THERE, 2).await;
    fleet.write(Key::ElectionInstance, here.as_str()).await;
    fleet
}

async fn processes_and_hosts_of_all_projects_come_in_pages(stage: &Stage) {
    let fleet = served(stage).await;
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let list = async |query: &str| fleet.look(&format!("/fleet/instances{query}")).await;
    soon("both are seen", async || list("").await["count"] == 2).await;
    soon("the leader is seen", async || list("").await["items"][0]["leads"] == 1).await;
    let all = list("").await;
    let row = &all["items"][0];
    assert_eq!(
        (&row["project"], &row["id"], &row["ip"]),
        (&json!("billing"), &json!("10.0.0.1@-@99"), &json!(HERE))
    );
    assert_eq!((&row["kind"], &row["jobs"], &row["items"]), (&json!("java"), &json!(1), &json!(2)));
    assert_eq!(list("?q=0.0.2").await["items"][0]["ip"], THERE);
    let first = list("?limit=1").await;
    let next = first["next"].as_str().unwrap().replace(' ', "%20");
    let rest = list(&format!("?limit=1&after={next}")).await;
    assert_eq!((&rest["items"][0]["ip"], &rest["next"]), (&json!(THERE), &Value::Null));
    let one = fleet.look("/fleet/instances/10.0.0.1@-@99").await;
    assert_eq!(
        one["jobs"],
        json!([{ "project": "billing", "job": "report", "leader": true, "items": [0, 1], "running": [] }])
    );
    let hosts = fleet.look("/fleet/hosts?q=10.0.0.1").await;
    assert_eq!((&hosts["count"], &hosts["items"][0]["host"]["items"]), (&json!(1), &json!(2)), "{hosts:#}");
    let near = stage.get(&fleet.root, "/fleet/instances/10.0.0.1@-@98").await.refused("not-found");
    assert!(near["fix"].as_str().unwrap().contains("10.0.0.1@-@99"), "{near:#}");
    let stranger = stage.somebody(&fleet.root, "nora", None).await;
    assert_eq!(stage.get(&stranger, "/fleet/instances").await.is(200)["count"], 0);
    stage.get(&stranger, "/fleet/instances/10.0.0.1@-@99").await.refused("not-found");
}

async fn what_if_tells_moves_and_interruptions_and_writes_nothing(stage: &Stage) {
    let fleet = served(stage).await;
    let path = format!("{JOB}/what-if");
    stage.post(&fleet.root, &path, json!({})).await.refused("starting");
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let ask = async |body: Value| {
        stage.pass(20);
        stage.post(&fleet.root, &path, body).await
    };
    soon("all is seen", async || {
        ask(json!({})).await.body["shares"]
            == json!([
                { "instance": "10.0.0.2@-@99", "items": 2 }, { "instance": "10.0.0.1@-@99", "items": 1 }
            ])
    })
    .await;
    let leave = ask(json!({ "leave": ["10.0.0.2@-@99"] })).await.is(200);
    assert_eq!(
        (&leave["moved"], &leave["moves"][0]["to"]),
        (&json!(1), &json!("10.0.0.1@-@99")),
        "{leave:#}"
    );
    let grown = ask(json!({ "join": 1, "items": 6, "strategy": "MINIMAL_MOVES" })).await.is(200);
    assert_eq!((&grown["moved"], grown["compared"].as_array().unwrap().len()), (&json!(0), 4), "{grown:#}");
    let wrong =
        ask(json!({ "leave": ["10.0.0.9@-@1"], "join": 1_001, "items": 0, "strategy": "BEST" })).await;
    let wrong = wrong.refused("invalid");
    let pointers: Vec<_> = wrong["errors"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
    assert_eq!(pointers, ["/strategy", "/join", "/items", "/leave/0"], "{wrong:#}");
    assert_eq!(fleet.node(Key::Owner(0)).await.as_deref(), Some("10.0.0.1@-@99"), "nothing is written");
}
