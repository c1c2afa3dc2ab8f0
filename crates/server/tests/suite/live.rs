//! What jobs and hosts do now, as the registry has it, and how old that is.

use crate::stage::{Caller, Stage, on_each_database};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{ConnectOptions, Op, Registry};
use clockwright_server::mirror;
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_job_is_shown_as_the_registry_has_it_now
    items_instances_and_hosts_are_answered_from_the_mirror
    nobody_sees_what_lives_in_a_project_of_others
    a_dump_masks_addresses_and_who_sees_them_is_on_record
}

const A: &str = "10.0.0.1@-@7";
const J: &str = "/projects/billing/jobs/report";

/// A job of two items, which an instance of Elastic-Job owns; one of them runs.
async fn serve(stage: &Stage) -> (Caller, Arc<dyn Registry>) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let settings =
        json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?", "shardingTotalCount": 2 });
    stage
        .post(&root, "/projects/billing/jobs", json!({ "name": "report", "settings": settings }))
        .await
        .is(201);
    let java: Arc<dyn Registry> = stage.registry.connect(ConnectOptions::default()).unwrap();
    let (keys, job) = (Keys::new("billing").unwrap(), JobName::new("report").unwrap());
    let id = InstanceId::from_wire(A);
    let nodes = [
        (Key::Instances, "", false),
        (Key::Instance(id), "", true),
        (Key::Servers, "", false),
        (Key::Server("10.0.0.1".into()), "", false),
        (Key::Items, "", false),
        (Key::Item(0), "", false),
        (Key::Owner(0), A, false),
        (Key::Running(0), "", true),
        (Key::Item(1), "", false),
        (Key::Owner(1), A, false),
    ];
    let ops = nodes.map(|(key, data, ephemeral)| {
        let path = keys.of(&job, &key);
        if ephemeral { Op::create_ephemeral(path, data) } else { Op::create(path, data) }
    });
    java.commit(ops.into()).await.unwrap();
    (root, java)
}

async fn a_job_is_shown_as_the_registry_has_it_now(stage: &Stage) {
    let (root, java) = serve(stage).await;
    let live = stage.get(&root, &format!("{J}/live")).await.is(200);
    assert_eq!((&live["status"], &live["layout"]), (&json!("OK"), &json!("2.x")));
    assert_eq!(live["items"][0]["status"], "RUNNING");
    assert_eq!(live["instances"][0]["kind"], "java");
    assert_eq!(live["hosts"], json!([{ "ip": "10.0.0.1", "enabled": true, "instances": 1 }]));
    assert_eq!(live["asOf"], "2027-01-15T08:00:00.000Z");
    let keys = Keys::new("billing").unwrap();
    java.commit(vec![Op::delete(keys.of(&JobName::new("report").unwrap(), &Key::Config))]).await.unwrap();
    let gone = stage.get(&root, &format!("{J}/live")).await.refused("not-found");
    assert!(gone["fix"].as_str().unwrap().contains("sync"), "{gone:#}");
}

async fn items_instances_and_hosts_are_answered_from_the_mirror(stage: &Stage) {
    let (root, java) = serve(stage).await;
    stage.get(&root, &format!("{J}/items")).await.refused("starting");
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let get = async |path: &str| stage.get(&root, path).await;
    soon("it is read", async || get(&format!("{J}/items")).await.status == 200).await;
    let items = get(&format!("{J}/items")).await.is(200);
    assert_eq!(items["asOf"], "2027-01-15T08:00:00.000Z");
    let of = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (of(&items["items"][0], "status"), of(&items["items"][0], "runner")),
        ("RUNNING".into(), A.into())
    );
    assert_eq!(
        (of(&items["items"][1], "status"), of(&items["items"][1], "owner")),
        ("PENDING".into(), A.into())
    );
    let instances = get(&format!("{J}/instances")).await.is(200);
    assert_eq!((&instances["items"][0]["id"], &instances["items"][0]["items"]), (&json!(A), &json!(2)));
    let hosts = get("/projects/billing/hosts").await.is(200);
    let host = json!({ "ip": "10.0.0.1", "instances": 1, "java": 1, "jobs": 1, "disabledJobs": 0, "items": 2, "running": 1 });
    assert_eq!(hosts["items"], json!([host]));
    let page = get("/projects/billing/hosts/10.0.0.1").await.is(200);
    assert_eq!((&page["host"], &page["jobs"][0]["name"]), (&host, &json!("report")));
    let near = get("/projects/billing/hosts/10.0.0.2").await.refused("no-such-host");
    assert_eq!(near["fix"], "did you mean `10.0.0.1`?");
    let live = &get("/projects/billing").await.is(200)["live"];
    assert_eq!((&live["state"], &live["jobs"]), (&json!("following"), &json!({ "OK": 1 })));
    assert_eq!((&live["hosts"], &live["instances"], &live["running"]), (&json!(1), &json!(1), &json!(1)));

    java.close().await.unwrap();
    soon("the instance is gone", async || get(&format!("{J}/instances")).await.is(200)["items"] == json!([]))
        .await;
    assert_eq!(get(&format!("{J}/items")).await.is(200)["items"][0]["status"], "SHARDING_FLAG");
}

async fn nobody_sees_what_lives_in_a_project_of_others(stage: &Stage) {
    let (root, _java) = serve(stage).await;
    let stranger = stage.somebody(&root, "stranger", None).await;
    for path in [
        "/jobs/report/dump",
        "/jobs/report/live",
        "/jobs/report/items",
        "/jobs/report/instances",
        "/hosts",
        "/hosts/10.0.0.1",
    ] {
        stage.get(&stranger, &format!("/projects/billing{path}")).await.refused("not-found");
    }
}

async fn a_dump_masks_addresses_and_who_sees_them_is_on_record(stage: &Stage) {
    let (root, _java) = serve(stage).await;
    let viewer = stage.somebody(&root, "vera", Some("viewer")).await;
    let dump = stage.get(&viewer, &format!("{J}/dump")).await.is(200);
    let text = dump["text"].as_str().unwrap();
    assert_eq!(dump["masked"], true);
    assert!(text.contains("/report/servers/ip1 | \n") && !text.contains("10.0.0.1"), "{text}");
    let refused = stage.get(&viewer, &format!("{J}/dump?unmasked=true")).await.refused("not-allowed");
    assert_eq!(refused["permission"], "dump.unmasked");
    let told = async || {
        stage.get(&root, "/projects/billing/journal?action=job.dumped").await.is(200)["items"].clone()
    };
    assert_eq!(told().await, json!([]));
    let dump = stage.get(&root, &format!("{J}/dump?unmasked=true")).await.is(200);
    assert!(dump["text"].as_str().unwrap().contains("/report/servers/10.0.0.1 | \n"), "{dump:#}");
    assert_eq!(
        (&told().await[0]["actor"]["name"], &told().await[0]["target"]["name"]),
        (&json!("root"), &json!("report"))
    );
}
