//! What a server says of itself: metrics and health.

use crate::stage::{Caller, On, Stage, on_each_database, record, server};
use clockwright_api::system::Gravity;
use clockwright_events::EventStore;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::leases::Lease;
use clockwright_model::{InstanceId, JobKind, JobName, JobSettings};
use clockwright_registry::{ConnectOptions, Error, Op, Path, Registry};
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::histories::{Histories, History, OpenHistory};
use clockwright_server::http::reference::openapi;
use clockwright_server::mirror;
use clockwright_server::observe::doctor::{Patient, examine};
use clockwright_server::observe::names::{HTTP_REQUESTS, HTTP_SECONDS, SYNC_WRITES};
use clockwright_server::observe::pulse::LIMIT;
use clockwright_server::store::{DatabaseKind, MemberKind, NewJob, OpenError, ServerRow};
use clockwright_server::sync::control;
use clockwright_testkit::faulty::Fault;
use clockwright_testkit::patience::soon;
use clockwright_testkit::sql::{Kind, shared};
use clockwright_testkit::zookeeper::shared_server;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_each_database! {
    metrics_tell_what_happened_to_who_may_read_them
    a_server_is_ready_and_healthy_while_all_is_well
    a_registry_that_is_away_degrades_a_server
    a_database_that_is_away_degrades_a_server
    a_doctor_names_what_is_wrong_where_and_what_to_do
    a_doctor_says_which_database_it_is_and_how_it_is_set_up
    a_doctor_looks_into_the_namespaces_of_projects
    the_servers_and_the_configuration_are_told_to_administrators
}

async fn page(stage: &Stage, who: &Caller) -> String {
    let response = stage.response(who, Method::GET, "/metrics", None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn are_lines(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|there| there == *line), "{line} is not in\n{page}");
    }
}

async fn metrics_tell_what_happened_to_who_may_read_them(stage: &Stage) {
    let root = stage.admin().await;
    let viewer = stage.somebody(&root, "lina", Some("viewer")).await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?" });
    let job = json!({ "name": "quarterly", "settings": settings });
    stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    stage.post(&root, "/projects/billing/jobs/quarterly/pause", json!({})).await.is(200);
    let wrong = json!({ "login": "lina", "password": "wrong wrong wrong" });
    stage.post(&Caller::default(), "/session", wrong).await.refused("sign-in-failed");

    let (status, body) = stage.look(&viewer, Method::GET, "/metrics", None).await;
    assert_eq!((status, &body["code"]), (403, &json!("not-allowed")));
    assert_eq!(stage.look(&Caller::default(), Method::GET, "/metrics", None).await.0, 401);
    let token = json!({ "name": "prometheus", "scopes": ["metrics.read"] });
    let made = stage.post(&root, "/me/tokens", token).await.is(201);
    let page = page(stage, &Caller::of_token(made["secret"].as_str().unwrap())).await;
    let lines = [
        "clockwright_http_requests_total{route=\"/api/v1/projects\",method=\"POST\",code=\"201\"} 1",
        "clockwright_http_requests_total{route=\"/metrics\",method=\"GET\",code=\"403\"} 1",
        "clockwright_http_request_seconds_count{route=\"/api/v1/projects\"} 1",
        "clockwright_sign_ins_total{way=\"link\",result=\"done\"} 2",
        "clockwright_sign_ins_total{way=\"password\",result=\"refused\"} 1",
        "clockwright_catalogue_jobs{state=\"online\"} 1",
        "clockwright_sync_jobs{project=\"billing\",state=\"written\"} 1",
        "clockwright_sync_writes_total{project=\"billing\",verdict=\"create\"} 1",
        "clockwright_holds{kind=\"pause\",origin=\"operator\"} 1",
        "clockwright_operation_seconds_count{kind=\"pause\"} 1",
        "clockwright_registry_session{registry=\"home\",state=\"open\"} 1",
        "clockwright_registry_session{registry=\"far\",state=\"unasked\"} 1",
        "clockwright_leader 0",
    ];
    are_lines(&page, &lines);
    let value = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().unwrap()
    };
    let head = stage.app.store.head().await.unwrap().0;
    assert_eq!(value("clockwright_journal_seq"), head as f64);
    assert!(value("clockwright_journal_append_seconds_count") >= 5.0);
    assert!(value("clockwright_database_seconds_count{store=\"control\",what=\"commit\"}") >= 5.0);
    assert!(value("clockwright_registry_requests_total{registry=\"home\",result=\"ok\"}") >= 2.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    for secret in [made["secret"].as_str().unwrap(), "lina", "quarterly"] {
        assert!(!page.contains(secret), "{secret} is in\n{page}");
    }
}

async fn told(stage: &Stage, path: &str) -> (u16, Value) {
    stage.look(&Caller::default(), Method::GET, path, None).await
}

fn codes(health: &Value) -> Vec<&str> {
    let troubles = health["troubles"].as_array().map(Vec::as_slice).unwrap_or_default();
    troubles.iter().map(|trouble| trouble["code"].as_str().unwrap()).collect()
}

async fn a_server_is_ready_and_healthy_while_all_is_well(stage: &Stage) {
    for (path, status) in
        [("/livez", "alive"), ("/readyz", "ready"), ("/healthz", "healthy"), ("/health", "healthy")]
    {
        assert_eq!(told(stage, path).await, (200, json!({ "status": status })), "{path}");
    }
    stage.app.leave();
    assert_eq!(told(stage, "/livez").await.0, 200);
    let (status, health) = told(stage, "/readyz").await;
    assert_eq!((status, &health["status"], codes(&health)), (503, &json!("notReady"), vec!["leaving"]));
    assert_eq!(told(stage, "/healthz").await.0, 503);
}

async fn a_registry_that_is_away_degrades_a_server(stage: &Stage) {
    let root = stage.admin().await;
    let _mirrors = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let project = json!({ "name": "remote", "registry": "far", "namespace": "remote" });
    stage.post(&root, "/projects", project).await.is(201);
    soon("the registry and its live state are away", async || {
        codes(&told(stage, "/healthz").await.1) == ["registry-away", "live-old"]
    })
    .await;
    let (status, health) = told(stage, "/readyz").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert_eq!(told(stage, "/healthz").await.0, 503);
    assert_eq!(told(stage, "/livez").await.0, 200);
    let page = page(stage, &root).await;
    let lines = [
        "clockwright_registry_session{registry=\"far\",state=\"away\"} 1",
        "clockwright_mirror_state{project=\"remote\",state=\"away\"} 1",
    ];
    are_lines(&page, &lines);
    stage.far.store(true, std::sync::atomic::Ordering::SeqCst);
    soon("it is well again when that is back", async || told(stage, "/healthz").await.0 == 200).await;
}

async fn a_database_that_is_away_degrades_a_server(stage: &Stage) {
    let root = stage.admin().await;
    stage.app.store.close().await;
    soon("the database is away", async || codes(&told(stage, "/healthz").await.1) == ["database-away"]).await;
    let (status, health) = told(stage, "/readyz").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert_eq!(told(stage, "/livez").await.0, 200);
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.refused("database-away");
}

/// What is told of every stage: its clock is of another time than those of databases, and servers of tests need not outlive a crash of the machine.
fn is_of_stages(code: &str) -> bool {
    ["clock-skew", "database-forgets"].contains(&code)
}

/// What a doctor finds: code and place.
async fn found(stage: &Stage, who: &Caller) -> Vec<(String, String)> {
    let told = stage.get(who, "/system/doctor").await.is(200);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    for finding in told.as_array().unwrap() {
        for key in ["severity", "what", "fix"] {
            assert!(!text(finding, key).is_empty(), "{finding}");
        }
    }
    let wrong = told.as_array().unwrap().iter().filter(|one| one["severity"] != "fact");
    let pairs = wrong.map(|one| (text(one, "code"), text(one, "where")));
    pairs.filter(|(code, _)| !is_of_stages(code)).collect()
}

#[track_caller]
fn are_found(told: &[(String, String)], wanted: &[(&str, &str)]) {
    for (code, place) in wanted {
        let is_told = told.iter().any(|(there, at)| (there.as_str(), at.as_str()) == (*code, *place));
        assert!(is_told, "{code} at {place} is not in {told:?}");
    }
}

async fn a_doctor_names_what_is_wrong_where_and_what_to_do(stage: &Stage) {
    let patient = Patient::of_app(&stage.app);
    let codes = async |patient: &Patient<'_>| -> Vec<String> {
        examine(patient)
            .await
            .into_iter()
            .filter(|finding| finding.severity != Gravity::Fact)
            .map(|finding| finding.code)
            .filter(|code| !is_of_stages(code))
            .collect()
    };
    assert_eq!(codes(&patient).await, ["nobody-yet"]);
    assert_eq!(stage.app.store.lock_holds().await, Ok(Some(true)), "the second connection waits");
    let root = stage.admin().await;
    assert!(found(stage, &root).await.is_empty());

    let token = json!({ "name": "ci", "scopes": ["read"], "expiresAt": clockwright_api::At(stage.app.now() + 86_400_000) });
    stage.post(&root, "/me/tokens", token).await.is(201);
    let project = json!({ "name": "remote", "registry": "far", "namespace": "remote" });
    stage.post(&root, "/projects", project).await.is(201);
    stage.patch(&root.at(1), "/projects/remote", json!({ "codeEdit": true })).await.is(200);
    for (id, version) in [("one", "1.0.0"), ("two", "2.0.0")] {
        let row = ServerRow { version: version.into(), ..server(id, stage.app.now()) };
        stage.app.store.server_seen(&row).await.unwrap();
    }
    let wanted = [
        ("token-ends-soon", "root"),
        ("registry-away", "far"),
        ("code-edit", "remote"),
        ("versions-differ", "servers"),
        ("nobody-leads", "servers"),
    ];
    are_found(&found(stage, &root).await, &wanted);
    let viewer = stage.somebody(&root, "lina", Some("viewer")).await;
    stage.get(&viewer, "/system/doctor").await.refused("not-allowed");

    // A database that is to be migrated.
    for (goes_on, fate) in [(true, "servers of before go on"), (false, "servers of before end")] {
        let behind = OpenError::Behind { path: "control.db".into(), version: 1, goes_on };
        let told = examine(&Patient { store: Err(behind), ..Patient::of_app(&stage.app) }).await;
        let finding = told.iter().find(|finding| finding.code == "database-behind").unwrap();
        assert!(finding.fix.contains(fate), "{finding:?}");
    }

    // A store that does not open.
    let away: clockwright_server::histories::OpenHistory =
        Arc::new(|| Box::pin(async { Err(clockwright_events::StoreError::Missing("it is away".into())) }));
    let histories = Histories::new([("home".to_owned(), away)].into());
    let told = codes(&Patient { histories: &histories, ..Patient::of_app(&stage.app) }).await;
    assert!(told.contains(&"store-away".to_owned()), "{told:?}");

    // The only administrator was not here for long, and then is none any more; nor did anybody make another key.
    stage.pass(91 * 86_400_000);
    let told = codes(&Patient::of_app(&stage.app)).await;
    assert!(told.contains(&"idle-administrator".to_owned()), "{told:?}");
    assert!(!told.contains(&"key-old".to_owned()), "{told:?}");
    stage.pass(310 * 86_400_000);
    let told = codes(&Patient::of_app(&stage.app)).await;
    assert!(told.contains(&"key-old".to_owned()), "{told:?}");
    let id = stage.app.store.user_of_login("root").await.unwrap().unwrap().id;
    let mut change = stage.app.store.begin(Actor::server("test"), stage.app.now()).await.unwrap();
    change.drop_member(0, MemberKind::User, &id).await.unwrap();
    change.record(record("member.drop", 0, Target { kind: "member", id, name: "root".into() }));
    change.commit().await.unwrap();
    let told = codes(&Patient::of_app(&stage.app)).await;
    assert!(told.contains(&"no-administrator".to_owned()), "{told:?}");
}

async fn a_doctor_looks_into_the_namespaces_of_projects(stage: &Stage) {
    let root = stage.admin().await;
    for name in ["billing", "taken"] {
        stage.post(&root, "/projects", json!({ "name": name })).await.is(201);
    }
    let settings =
        json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 1 * * ?", "shardingTotalCount": 1 });
    let job = json!({ "name": "report", "settings": settings });
    stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    assert!(found(stage, &root).await.is_empty());
    let project = stage.app.catalogue.project("billing").unwrap().id;
    let mut settings = JobSettings::new(JobName::new("tides").unwrap(), JobKind::Simple, "0 0 1 * * ?", 1);
    settings.time_zone = Some("Mars/Olympus_Mons".into());
    let mut change = stage.app.store.begin(Actor::server("test"), stage.app.now()).await.unwrap();
    let job = change.insert_job(project, &NewJob::found(settings, String::new())).await.unwrap();
    change.record(record(
        "job.create",
        project,
        Target { kind: "job", id: job.id.to_string(), name: job.name },
    ));
    change.commit().await.unwrap();

    let outside = stage.registry.connect(ConnectOptions::default()).unwrap();
    let (keys, name) = (Keys::new("billing").unwrap(), JobName::new("report").unwrap());
    let put = |key: Key, data: &str| Op::create(keys.of(&name, &key), data.to_owned());
    let mut ops: Vec<Op> = vec![
        put(Key::Servers, ""),
        put(Key::Items, ""),
        put(Key::Item(0), ""),
        put(Key::Owner(0), "10.0.0.1@-@7"),
        // It outlived its maker: no session holds it.
        put(Key::Running(0), ""),
    ];
    ops.extend((0..60).map(|host| put(Key::Server(format!("10.0.1.{host}")), "")));
    outside.commit(ops).await.unwrap();
    // A process of before does not say which release it is of; and a job that only the registry has.
    let told = Lease { mark: "1".into(), history: None, version: Some("1.2.3".into()) };
    let (new, old) = (InstanceId::from_wire("10.0.0.8@-@1"), InstanceId::from_wire("10.0.0.9@-@1"));
    let stray = JobName::new("stray").unwrap();
    for op in [
        Op::create(keys.own_root().clone(), ""),
        Op::create(keys.leases(), ""),
        Op::create_ephemeral(keys.lease(&new), told.data()),
        Op::create_ephemeral(keys.lease(&old), "{\"mark\":\"2\"}"),
        Op::create(keys.job(&stray), ""),
    ] {
        let made = outside.commit(vec![op]).await;
        assert!(made.is_ok() || matches!(made, Err(Error::Conflict { .. })), "{made:?}");
    }
    let theirs = control::Control {
        plane: "another".into(),
        url: "https://other.example.com".into(),
        term: 1,
        seq: 1,
        follows: false,
    };
    let taken = Keys::new("taken").unwrap();
    let made = control::make(outside.as_ref(), &taken, &theirs).await;
    made.unwrap();
    stage.app.store.set_control(stage.app.catalogue.project("billing").unwrap().id, 1_000).await.unwrap();
    let wanted = [
        ("running-of-the-dead", "billing"),
        ("hosts-forgotten", "billing"),
        ("instances-differ", "billing"),
        ("jobs-unmanaged", "billing"),
        ("zone-unknown", "Mars/Olympus_Mons"),
        ("registry-regressed", "billing"),
        ("registry-of-another-plane", "taken"),
    ];
    are_found(&found(stage, &root).await, &wanted);

    // A namespace that cannot be read hides no other.
    let told = found(&stage.with_fault(Closed).await, &root).await;
    are_found(&told, &[("not-looked-at", "taken"), ("hosts-forgotten", "billing")]);
}

async fn a_doctor_says_which_database_it_is_and_how_it_is_set_up(stage: &Stage) {
    let told = examine(&Patient::of_app(&stage.app)).await;
    let fact = told.iter().find(|finding| finding.code == "database-version").unwrap();
    assert_eq!((fact.severity, fact.place.as_str()), (Gravity::Fact, "database"));
    let kind = stage.app.store.settings().await.unwrap().kind;
    let (name, says): (&str, &[&str]) = match kind {
        DatabaseKind::Sqlite => ("SQLite 3.", &["journal_mode wal", "synchronous 2"]),
        DatabaseKind::Postgres => {
            ("PostgreSQL ", &["transaction_isolation read committed", "synchronous_commit "])
        }
        DatabaseKind::MySql | DatabaseKind::MariaDb => {
            ("MariaDB ", &["sql_mode STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "isolation READ-COMMITTED"])
        }
    };
    assert!(fact.what.starts_with(name), "{fact:?}");
    assert!(says.iter().all(|said| fact.what.contains(said)), "{fact:?}");
    let codes: Vec<&str> = told.iter().map(|finding| finding.code.as_str()).collect();
    // Servers of tests do not wait for the disk.
    assert_eq!(codes.contains(&"database-forgets"), kind != DatabaseKind::Sqlite, "{told:#?}");
    for wrong in ["database-old", "database-lenient", "database-isolation", "not-looked-at"] {
        assert!(!codes.contains(&wrong), "{told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_says_of_which_release_a_registry_is_and_of_which_server_that_is_not_known() {
    let there = shared_server().address();
    let stage = Stage::on_zookeeper(&format!("{there},127.0.0.1:1"), "somebody:secret").await;
    let root = stage.admin().await;
    let told = stage.get(&root, "/system/doctor").await.is(200);
    let of = |code: &str| {
        let found = told.as_array().unwrap().iter().find(|one| one["code"] == code);
        found.unwrap_or_else(|| panic!("no {code} in {told:#}")).clone()
    };
    let version = of("registry-version");
    assert_eq!((&version["severity"], &version["where"]), (&json!("fact"), &json!("home")));
    let what = version["what"].as_str().unwrap();
    assert!(what.starts_with("ZooKeeper 3.") && what.ends_with(&format!(" at {there}")), "{what}");
    let unknown = of("registry-version-unknown");
    assert_eq!(unknown["severity"], "note");
    assert!(unknown["what"].as_str().unwrap().starts_with("127.0.0.1:1 does not say"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_tells_of_a_history_in_which_texts_are_found_slowly() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let server = shared(Kind::Postgres);
    let address = server.database().await.unwrap();
    let name = address.rsplit('/').next().unwrap();
    server.admin(&format!("REVOKE CREATE ON DATABASE {name} FROM tester")).await.unwrap();
    let codes = async || -> Vec<String> {
        let store = EventStore::connect(&address).await.unwrap();
        let open: OpenHistory = Arc::new(move || {
            let store = Arc::clone(&store) as History;
            Box::pin(async move { Ok(store) })
        });
        let histories = Histories::new([("home".to_owned(), open)].into());
        let found = examine(&Patient { histories: &histories, ..Patient::of_app(&stage.app) }).await;
        found.into_iter().map(|finding| finding.code).collect()
    };
    let slow = "no-trigram-index".to_owned();
    assert!(codes().await.contains(&slow));
    server.admin(&format!("GRANT CREATE ON DATABASE {name} TO tester")).await.unwrap();
    assert!(!codes().await.contains(&slow), "the next start makes it");
}

/// A namespace of which the server may not read what it keeps there.
#[derive(Clone, Copy)]
struct Closed;

impl Fault for Closed {
    fn is_closed(&self, path: &Path) -> bool {
        path.below(Keys::new("taken").unwrap().own_root()).is_some()
    }
}

async fn the_servers_and_the_configuration_are_told_to_administrators(stage: &Stage) {
    let root = stage.admin().await;
    let row = ServerRow { host: "here".into(), ..server(&stage.app.id, stage.app.now()) };
    stage.app.store.server_seen(&row).await.unwrap();
    let system = stage.get(&root, "/system").await.is(200);
    let server = &system["servers"][0];
    assert_eq!(
        (&server["host"], &server["answers"], &server["leads"]),
        (&json!("here"), &json!(true), &json!(false))
    );
    let config = stage.get(&root, "/system/config").await.is(200);
    let value = |key: &str| {
        let rows = config.as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{config:#}")).clone()
    };
    assert_eq!(value("auth.idle"), json!({ "key": "auth.idle", "value": "30m", "origin": "default" }));
    let viewer = stage.somebody(&root, "lina", Some("viewer")).await;
    for path in ["/system", "/system/config"] {
        stage.get(&viewer, path).await.refused("not-allowed");
    }
    // Which program it is, in general and to those who are signed in.
    assert_eq!(told(stage, "/version").await, (200, json!({ "name": "clockwright" })));
    let (_, known) = stage.look(&viewer, Method::GET, "/version", None).await;
    assert_eq!(
        (&known["version"], &known["databases"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(["sqlite", "postgresql", "mysql"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_that_does_not_turn_has_the_server_started_anew() {
    let stage = Stage::new(On::Sqlite).await;
    let pulse = stage.app.pulses.begin("mirrors");
    assert_eq!(told(&stage, "/livez").await.0, 200);
    pulse.turned_at(Instant::now() - LIMIT);
    for path in ["/livez", "/readyz", "/healthz"] {
        let (status, health) = told(&stage, path).await;
        assert_eq!((status, codes(&health)), (503, vec!["loop-still"]), "{path}");
    }
    pulse.beat();
    assert_eq!(told(&stage, "/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_at_most_5000_series_with_1000_projects_and_every_answer_of_every_route() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "pattern" })).await.is(201);
    let pattern = stage.app.catalogue.project("pattern").unwrap();
    let mut change = stage.app.store.begin(Actor::server("test"), stage.app.now()).await.unwrap();
    for number in 0..1_000 {
        let name = format!("p{number}");
        let mut row = clockwright_server::store::ProjectRow::clone(&pattern);
        (row.name, row.namespace) = (name.clone(), name.clone());
        let made = change.insert_project(row).await.unwrap();
        let target = Target { kind: "project", id: made.id.to_string(), name };
        change.record(record("project.create", made.id, target));
    }
    change.commit().await.unwrap();
    stage.app.changed();
    soon("they are all there", async || stage.app.catalogue.count_projects() == 1_001).await;
    let metrics = &stage.app.metrics;
    for number in 0..1_000 {
        let project = format!("p{number}");
        let label = metrics.project(&project, stage.app.catalogue.count_projects());
        metrics.count(&SYNC_WRITES, &[label, "write"]);
    }
    let document: Value = serde_json::from_str(openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        metrics.took(&HTTP_SECONDS, &[path], Duration::from_millis(3));
        for (method, operation) in item.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                metrics.count(&HTTP_REQUESTS, &[path, &method.to_uppercase(), status]);
            }
        }
    }
    let page = page(&stage, &root).await;
    let series = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    assert!((1_000..=5_000).contains(&series), "{series} series");
    assert!(page.contains("project=\"other\"") && !page.contains("project=\"p7\""), "{page}");
}
