//! Lists of jobs: what narrows them, in which orders they come, and how they are written; and what is looked at first.

use crate::stage::{Caller, Stage, on_each_database};
use clockwright_events::{Sink, testing};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{
    Event, FailureKind, Fire, InstanceId, JobName, Millis, Outcome, Reason, RunId, Settlement,
};
use clockwright_registry::{ConnectOptions, Op, Registry};
use clockwright_server::{mirror, outcomes};
use clockwright_testkit::patience::soon;
use serde_json::{Value, json};
use std::sync::Arc;

on_each_database! {
    a_list_is_ordered_and_narrowed_by_what_lives_and_by_what_happened
    a_list_can_be_had_as_lines
    a_list_is_begun_to_read_at_each_of_its_anchors
    what_a_search_finds_is_counted_by_kind_and_by_what_one_may_see
    what_was_found_before_is_found_again_as_it_is_by_then_and_by_those_who_may_see_it
    what_is_looked_at_first_shows_what_one_may_see
    what_somebody_types_is_completed_by_what_they_may_see
    what_nothing_accounts_for_is_the_first_thing_that_needs_somebody
    the_next_instants_of_a_schedule_are_told
    a_row_says_what_holds_it_how_far_the_registry_is_and_who_changed_it
}

const NOW: Millis = 1_800_000_000_000;
const JOBS: &str = "/projects/billing/jobs";

/// Three jobs: `noon` is served and well, `night` is served and failed twice, `ämter-日报` is served by nobody.
async fn project(stage: &Stage) -> (Caller, Arc<dyn Registry>) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    for (name, cron) in [("night", "0 0 2 * * ?"), ("noon", "0 30 8 * * ?"), ("ämter-日报", "0 0 12 * * ?")]
    {
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": cron, "timeZone": "UTC" });
        stage
            .post(&root, JOBS, json!({ "name": name, "settings": settings, "tags": ["month_end"] }))
            .await
            .is(201);
    }
    let java: Arc<dyn Registry> = stage.registry.connect(ConnectOptions::default()).unwrap();
    let (keys, id) = (Keys::new("billing").unwrap(), "10.0.0.1@-@7");
    for name in ["night", "noon"] {
        let job = JobName::new(name).unwrap();
        let of = |key: Key| keys.of(&job, &key);
        let ops = vec![
            Op::create(of(Key::Instances), ""),
            Op::create_ephemeral(of(Key::Instance(InstanceId::from_wire(id))), ""),
            Op::create(of(Key::Servers), ""),
            Op::create(of(Key::Server("10.0.0.1".into())), ""),
            Op::create(of(Key::Items), ""),
            Op::create(of(Key::Item(0)), ""),
            Op::create(of(Key::Owner(0)), id),
        ];
        java.commit(ops).await.unwrap();
    }
    let settled = |job: &str, fire: Millis, outcome: Outcome| {
        Event::from(Settlement {
            namespace: "billing".into(),
            job: JobName::new(job).unwrap(),
            fire: Fire::Scheduled(fire),
            run_id: Some(RunId::new(fire, job.len() as u128)),
            start: Some(fire),
            at: fire + 2_000,
            outcome,
            ..testing::settlement(1)
        })
    };
    let failed = || Outcome::Failed { kind: FailureKind::Job, reason: Reason::stored(None, None, "full") };
    let events = [
        settled("night", NOW - 9_000, failed()),
        settled("night", NOW - 8_000, failed()),
        settled("noon", NOW - 7_000, Outcome::Succeeded),
    ];
    stage.history().await.store(&events).await.unwrap();
    tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    tokio::spawn(outcomes::watch(Arc::clone(&stage.app)));
    soon("all of it is known", async || {
        let page = stage.get(&root, &format!("{JOBS}?q=noon")).await.is(200);
        page["items"][0]["status"] == "OK" && page["items"][0]["last"].is_object()
    })
    .await;
    (root, java)
}

async fn a_list_is_begun_to_read_at_each_of_its_anchors(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    for number in 0..7 {
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 2 * * ?" });
        let job = json!({ "name": format!("job-{number}"), "settings": settings });
        stage.post(&root, JOBS, job).await.is(201);
    }
    for list in ["sort=name", "sort=-name", "sort=-changed", "q=job-&sort=name", "q=-job:job-3"] {
        let whole = stage.get(&root, &format!("/jobs?{list}")).await.is(200);
        let whole = names(&whole);
        for every in 1..=8 {
            let anchors = stage.get(&root, &format!("/jobs/anchors?every={every}&{list}")).await.is(200);
            assert_eq!(anchors["count"], whole.len(), "{list}");
            let mut rows = vec![stage.get(&root, &format!("/jobs?limit={every}&{list}")).await.is(200)];
            for after in anchors["after"].as_array().unwrap() {
                let after = after.as_str().unwrap();
                let page = format!("/jobs?limit={every}&after={after}&{list}");
                rows.push(stage.get(&root, &page).await.is(200));
            }
            let read: Vec<&str> = rows.iter().flat_map(names).collect();
            assert_eq!(read, whole, "{list}, every {every}");
        }
    }
    let wrong = stage.get(&root, "/jobs/anchors?every=0").await.refused("invalid");
    assert_eq!(wrong["errors"][0]["pointer"], "/every", "{wrong:#}");
}

async fn what_somebody_types_is_completed_by_what_they_may_see(stage: &Stage) {
    let (root, _java) = project(stage).await;
    let offered = async |who: &Caller, ask: &str| -> Vec<(String, String)> {
        let told = stage.get(who, &format!("/suggest?text={ask}")).await.is(200);
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        told.as_array().unwrap().iter().map(|one| (text(one, "kind"), text(one, "text"))).collect()
    };
    let pair = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
    assert_eq!(offered(&root, "ni").await, [pair("job", "night")]);
    assert_eq!(offered(&root, "tag").await, [pair("qualifier", "tag:")]);
    assert_eq!(offered(&root, "-tag:x,mon").await, [pair("value", "-tag:x,month_end")]);
    assert_eq!(offered(&root, "status:o").await[0], pair("value", "status:ok"));
    assert_eq!(offered(&root, "host:").await, [pair("value", "host:10.0.0.1")]);
    assert_eq!(offered(&root, "job:n").await[..2], [pair("value", "job:night"), pair("value", "job:noon")]);
    assert_eq!(offered(&root, "10.0.0.1@-@7").await[0], pair("instance", "10.0.0.1@-@7"));
    assert_eq!(offered(&root, "source:tri&for=runs").await, [pair("value", "source:trigger")]);
    let tags = stage.get(&root, "/suggest?text=tag:").await.is(200);
    assert_eq!(tags[0]["count"], 3, "{tags:#}");
    stage.get(&root, "/suggest?text=a&for=hosts").await.refused("invalid");
    let nobody = stage.somebody(&root, "lina", None).await;
    for ask in ["ni", "tag:", "host:", "project:"] {
        assert!(offered(&nobody, ask).await.is_empty(), "{ask}");
    }
}

async fn what_a_search_finds_is_counted_by_kind_and_by_what_one_may_see(stage: &Stage) {
    let (root, _java) = project(stage).await;
    stage.post(&root, "/projects", json!({ "name": "other" })).await.is(201);
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 2 * * ?" });
    let lone = json!({ "name": "lone", "settings": settings, "tags": ["month_end", "money"] });
    stage.post(&root, "/projects/other/jobs", lone).await.is(201);
    stage.post(&root, "/projects/other/jobs/lone/offline", json!({})).await.is(200);
    soon("the new job is seen too", async || {
        stage.get(&root, "/jobs/facets").await.is(200)["statuses"].get("ABSENT").is_none()
    })
    .await;
    let all = stage.get(&root, "/jobs/facets").await.is(200);
    assert_eq!(all["count"], 4);
    for kind in ["statuses", "states", "modes", "projects"] {
        let counts = all[kind].as_object().unwrap().values();
        assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 4, "{kind}: {all:#}");
    }
    assert_eq!(all["states"], json!({ "online": 3, "offline": 1 }));
    assert_eq!(all["projects"], json!({ "billing": 3, "other": 1 }));
    assert_eq!(all["modes"], json!({ "elastic": 4 }));
    assert_eq!(all["tags"], json!({ "month_end": 4, "money": 1 }));

    // What else there would be to choose from, besides what is chosen.
    let narrowed = stage.get(&root, "/jobs/facets?q=project:billing%20status:OK").await.is(200);
    assert_eq!((&narrowed["count"], &narrowed["statuses"]), (&json!(2), &json!({ "OK": 2 })));
    let besides = stage.get(&root, "/jobs/facets?q=project:billing%20status:OK&without=status").await.is(200);
    assert_eq!((&besides["count"], &besides["statuses"]), (&json!(3), &json!({ "OK": 2, "CRASHED": 1 })));
    stage.get(&root, "/jobs/facets?without=colour").await.refused("invalid");
    stage.get(&root, "/jobs/facets?q=took:soon").await.refused("bad-filter");

    let viewer = stage.somebody(&root, "lina", None).await;
    assert_eq!(stage.get(&viewer, "/jobs/facets").await.is(200)["count"], 0);
    stage.put(&root, "/projects/other/members/user/lina", json!({ "role": "viewer" })).await.is(200);
    assert_eq!(stage.get(&viewer, "/jobs/facets").await.is(200)["projects"], json!({ "other": 1 }));
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

async fn a_list_is_ordered_and_narrowed_by_what_lives_and_by_what_happened(stage: &Stage) {
    let (root, _java) = project(stage).await;
    let get = async |rest: &str| stage.get(&root, &format!("{JOBS}?{rest}")).await.is(200);
    for (sort, expected) in [
        ("name", ["night", "noon", "ämter-日报"]),
        ("-name", ["ämter-日报", "noon", "night"]),
        ("next", ["noon", "ämter-日报", "night"]),
        ("status", ["ämter-日报", "night", "noon"]),
        ("-last", ["noon", "night", "ämter-日报"]),
    ] {
        assert_eq!(names(&get(&format!("sort={sort}")).await), expected, "{sort}");
        // The same, a page of one row each.
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&format!("sort={sort}&limit=1{after}")).await;
            assert_eq!(page["count"], 3);
            seen.extend(names(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, expected, "{sort}, by pages");
    }
    for (query, expected) in [
        ("status:crashed", &["ämter-日报"][..]),
        ("-status:crashed host:10.0.0.1", &["night", "noon"]),
        ("server:10.0.0.2", &[]),
        ("outcome:failed", &["night"]),
        ("next:<1h", &["noon"]),
        ("next:>1h -%E6%97%A5%E6%8A%A5", &["night"]),
        ("month_", &["night", "noon", "ämter-日报"]),
        ("%C3%84MTER", &["ämter-日报"]),
    ] {
        let query = query.replace(' ', "+").replace('<', "%3C").replace('>', "%3E");
        assert_eq!(names(&get(&format!("q={query}")).await), expected, "{query}");
    }
    let night = get("q=night").await["items"][0].clone();
    assert_eq!((&night["last"]["outcome"], &night["last"]["streak"]), (&json!("failed"), &json!(2)));
    assert_eq!((&night["items"]["total"], &night["items"]["unowned"]), (&json!(1), &json!(0)));
    assert_eq!((&night["instances"], &night["hosts"]), (&json!(1), &json!(1)));
    assert_eq!(night.get("outcomes"), None, "nobody asked for them");
    let with = get("include=outcomes").await;
    assert_eq!(with["items"][0]["outcomes"], json!(["failed", "failed"]));
    assert_eq!(with["items"][2]["outcomes"], json!([]));
    stage.get(&root, &format!("{JOBS}?include=everything")).await.refused("invalid");
    let items = stage.get(&root, &format!("{JOBS}/noon/items")).await.is(200);
    assert_eq!(items["items"][0]["last"]["took"], 2_000);
    stage.get(&root, &format!("{JOBS}?sort=size")).await.refused("invalid");
    let place = get("sort=next&limit=1").await["next"].as_str().unwrap().to_owned();
    stage.get(&root, &format!("{JOBS}?sort=status&after={place}")).await.refused("bad-cursor");
    stage.get(&root, &format!("{JOBS}?q=next:soon")).await.refused("bad-filter");
}

async fn a_list_can_be_had_as_lines(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    for number in 0..3 {
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" });
        stage
            .post(&root, JOBS, json!({ "name": format!("job{number}"), "settings": settings }))
            .await
            .is(201);
    }
    let lines = stage.text(&root.with("accept", "application/x-ndjson"), "/jobs?limit=1&q=-job1").await;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["job0", "job2"], "all of them, whatever the length of a page");
}

async fn what_was_found_before_is_found_again_as_it_is_by_then_and_by_those_who_may_see_it(stage: &Stage) {
    let root = stage.admin().await;
    let lina = stage.somebody(&root, "lina", None).await;
    for project in ["billing", "stock"] {
        stage.post(&root, "/projects", json!({ "name": project })).await.is(201);
        for number in 0..2 {
            let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" });
            let ask = json!({ "name": format!("{project}-{number}"), "settings": settings, "tags": ["old"] });
            stage.post(&root, &format!("/projects/{project}/jobs"), ask).await.is(201);
        }
    }
    let place = "/projects/stock/members/user/lina";
    stage.put(&root, place, json!({ "role": "viewer" })).await.is(200);
    let all = ["billing-0", "billing-1", "stock-0", "stock-1"];
    for sort in ["name", "next"] {
        for query in ["", "&q=tag:old"] {
            let list = format!("/jobs?sort={sort}{query}");
            for _ in 0..2 {
                assert_eq!(names(&stage.get(&root, &list).await.is(200)), all, "{list}");
                assert_eq!(names(&stage.get(&lina, &list).await.is(200)), all[2..], "{list}");
            }
        }
    }
    let of_project = "/projects/stock/jobs?sort=-name";
    assert_eq!(names(&stage.get(&root, of_project).await.is(200)), ["stock-1", "stock-0"]);
    stage.patch(&root.at(1), "/projects/stock/jobs/stock-0", json!({ "tags": ["new"] })).await.is(200);
    for (query, expected) in [("tag:old", &all[3..]), ("tag:new", &all[2..3]), ("-tag:old", &all[2..3])] {
        let page = stage.get(&lina, &format!("/jobs?sort=next&q={query}")).await.is(200);
        assert_eq!((names(&page), &page["count"]), (expected.to_vec(), &json!(1)), "{query}");
    }
    stage.delete(&root, place).await.is(204);
    assert_eq!(stage.get(&lina, "/jobs?q=tag:old").await.is(200)["count"], 0);
}

async fn what_is_looked_at_first_shows_what_one_may_see(stage: &Stage) {
    let (root, _java) = project(stage).await;
    let overview = stage.get(&root, "/overview").await.is(200);
    assert_eq!(overview["statuses"], json!({ "CRASHED": 1, "OK": 2 }));
    assert_eq!((&overview["jobs"], &overview["states"]), (&json!(3), &json!({ "online": 3 })));
    assert_eq!(overview["crashed"][0]["name"], "ämter-日报");
    assert_eq!(overview["failing"], json!([]), "two in a row are not three");
    assert_eq!(overview["asOf"], "2027-01-15T08:00:00.000Z");
    assert_eq!((&overview["balance"]["due"], &overview["balance"]["failed"]), (&json!(3), &json!(2)));
    assert_eq!(
        (&overview["attentionCount"], &overview["attention"][0]["kind"]),
        (&json!(1), &json!("noInstance"))
    );
    let before =
        stage.get(&root, "/overview?from=2027-01-14T00:00:00Z&to=2027-01-15T00:00:00Z").await.is(200);
    assert_eq!((&before["balance"]["due"], &before["from"]), (&json!(0), &json!("2027-01-14T00:00:00.000Z")));
    stage.get(&root, "/overview?from=2027-01-14T00:00:00Z&to=2027-01-14T00:00:00Z").await.refused("invalid");
    let hits = stage.get(&root, "/search?q=n").await.is(200);
    let kinds: Vec<_> = hits.as_array().unwrap().iter().map(|hit| (&hit["kind"], &hit["name"])).collect();
    let job = json!("job");
    assert_eq!(kinds[..2], [(&json!("project"), &json!("billing")), (&job, &json!("night"))]);
    let hosts = stage.get(&root, "/search?q=10.0").await.is(200);
    assert_eq!((&hosts[0]["kind"], &hosts[0]["name"]), (&json!("host"), &json!("10.0.0.1")));
    let stranger = stage.somebody(&root, "vera", None).await;
    assert_eq!(stage.get(&stranger, "/search?q=n").await.is(200), json!([]));
    assert_eq!(stage.get(&stranger, "/overview").await.is(200)["jobs"], 0);
}

async fn what_nothing_accounts_for_is_the_first_thing_that_needs_somebody(stage: &Stage) {
    let root = stage.admin().await;
    crate::history::project(stage, &root, "billing").await;
    crate::history::project(stage, &root, "payroll").await;
    let mut settled = crate::history::settled("payroll", -2, Outcome::Succeeded);
    settled.at = NOW + 2 * 3_600_000;
    crate::history::put(stage, vec![settled]).await;
    stage.pass(3 * 3_600_000 + 120_000);
    let root = stage.sign_in("root").await;
    stage.post(&root, "/projects/payroll/jobs/report/pause", json!({})).await.is(200);
    tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    tokio::spawn(outcomes::watch(Arc::clone(&stage.app)));
    let look = async || {
        stage.pass(20);
        stage.get(&root, "/overview").await.is(200)
    };
    soon("both projects are seen", async || {
        let overview = look().await;
        overview["balance"].is_object() && overview["asOf"].is_string()
    })
    .await;
    let overview = look().await;
    let told: Vec<_> =
        overview["attention"].as_array().unwrap().iter().map(|one| (&one["kind"], &one["count"])).collect();
    // What somebody stopped explains itself.
    assert_eq!(told, [(&json!("unaccounted"), &json!(3)), (&json!("noInstance"), &json!(1))], "{overview:#}");
    assert_eq!(overview["attention"][1]["sentence"]["zh"], "没有实例，一小时内将触发");
    let balance = &overview["balance"];
    assert_eq!(
        (&balance["due"], &balance["succeeded"], &balance["unaccounted"]),
        (&json!(4), &json!(1), &json!(3))
    );
}

async fn the_next_instants_of_a_schedule_are_told(stage: &Stage) {
    let root = stage.admin().await;
    let ask = "/schedules/next?cron=0+0+2+*+*+%3F&zone=Asia/Shanghai&n=2&from=2027-01-15T00:00:00Z";
    let next = stage.get(&root, ask).await.is(200);
    assert_eq!(next["fires"], json!(["2027-01-15T18:00:00.000Z", "2027-01-16T18:00:00.000Z"]));
    assert_eq!(next["sentence"], json!({ "en": "Every day at 02:00", "zh": "每天 02:00" }));
    stage.get(&root, "/schedules/next?cron=0+61+*+*+*+%3F").await.refused("invalid");
    stage.get(&root, "/schedules/next?cron=0+0+2+*+*+%3F&n=1001").await.refused("invalid");
    stage.get(&Caller::default(), ask).await.refused("not-signed-in");
}

async fn a_row_says_what_holds_it_how_far_the_registry_is_and_who_changed_it(stage: &Stage) {
    let root = stage.admin().await;
    for (project, registry) in [("billing", "home"), ("away", "far")] {
        let ask = json!({ "name": project, "registry": registry });
        stage.post(&root, "/projects", ask).await.is(201);
        let settings =
            json!({ "elasticJobClass": "com.example.Job", "cron": "0 30 2 * * ?", "timeZone": "UTC" });
        let job = json!({ "name": "night", "settings": settings });
        stage.post(&root, &format!("/projects/{project}/jobs"), job).await.is(201);
    }
    let lina = stage.somebody(&root, "lina", Some("developer")).await;
    let patch = json!({ "settings": { "description": "x" } });
    stage.patch(&lina.at(1), &format!("{JOBS}/night"), patch).await.is(200);
    stage.post(&root, &format!("{JOBS}/night/pause"), json!({ "reason": "audit" })).await.is(200);
    let row = async |path: &str| stage.get(&root, path).await.is(200)["items"][0].clone();
    let here = row(JOBS).await;
    assert_eq!(here["schedule"]["sentence"], json!({ "en": "Every day at 02:30", "zh": "每天 02:30" }));
    assert_eq!(
        (&here["changedBy"], &here["managed"], &here["diverged"]),
        (&json!("lina"), &json!("console"), &json!(false))
    );
    let hold = &here["holds"][0];
    assert_eq!(
        (&hold["kind"], &hold["by"], &hold["reason"]),
        (&json!("pause"), &json!("root"), &json!("audit"))
    );
    soon("what is written is known", async || {
        stage.pass(20);
        row(JOBS).await["sync"] == "written"
    })
    .await;
    stage.post(&root, &format!("{JOBS}/night/resume"), json!({})).await.is(200);
    assert_eq!(row(JOBS).await.get("holds"), None);
    soon("what waits for its registry is found", async || {
        stage.pass(20);
        let page = stage.get(&root, "/jobs?q=sync:pending").await.is(200);
        page["count"] == 1 && page["items"][0]["project"] == "away" && page["items"][0]["sync"] == "pending"
    })
    .await;
    let written = stage.get(&root, "/jobs?q=sync:written").await.is(200);
    assert_eq!(written["items"][0]["project"], "billing");
}
