//! What is tried against such servers, by the numbers of the list of it; those that belong to a resource are told with it.

use crate::bad::{fill, paths};
use crate::stage::{Caller, On, PASSWORD, Reply, Stage, link_path, on_each_database};
use clockwright_server::config::read::read;
use clockwright_server::config::table::{Form, KEYS};
use clockwright_server::config::{Config, Sources};
use clockwright_server::decide::chain::sha256;
use http::Method;
use serde_json::{Value, json};

on_each_database! {
    s01_nothing_is_seeded
    s05_a_token_is_shown_once_and_kept_as_its_hash
    s07_other_tenants_ids_open_nothing_anywhere
    s25_no_text_of_a_request_is_taken_for_sql
    s28_the_journal_can_be_had_as_csv_without_formulas_and_as_lines
    s29_a_jobs_name_is_no_path
    a_rescue_lets_somebody_in_as_an_administrator_for_an_hour
}

async fn s01_nothing_is_seeded(stage: &Stage) {
    assert!(stage.app.store.nobody_exists().await.unwrap());
    assert!(stage.app.store.users(true, "", 10).await.unwrap().is_empty(), "no service account");
    assert!(stage.app.store.members().await.unwrap().is_empty());
    for (login, password) in [("admin", "admin"), ("root", "root"), ("admin", "123456"), ("guest", "guest")] {
        let body = json!({ "login": login, "password": password });
        stage.post(&Caller::default(), "/session", body).await.refused("sign-in-failed");
    }
}

#[test]
fn s01_no_key_of_the_configuration_has_a_default_secret_and_an_empty_one_is_refused() {
    for key in KEYS.iter().filter(|key| key.form == Form::Secret) {
        let is_place = ["sqlite:", "embedded:"].iter().any(|place| key.default.starts_with(place));
        assert!(key.default.is_empty() || is_place, "{}", key.name);
    }
    let text = "oidc: {issuer: 'https://id.example.com', client: clockwright, secret: ''}\n";
    let file = Some(("clockwright.yaml".into(), text.into()));
    let refused = read(&Sources { file, ..Sources::default() }).unwrap_err().to_string();
    assert!(refused.contains("oidc.secret is missing"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s04_a_session_is_a_cookie_that_no_script_reads_and_is_new_at_each_sign_in() {
    let config = Config { public_url: "https://jobs.example.com".into(), ..Config::default() };
    let stage = Stage::with(On::Sqlite, config).await;
    let link = clockwright_server::setup_link(&stage.app).await.unwrap().unwrap();
    let nobody = Caller::default();
    let me = json!({ "login": "root", "password": PASSWORD });
    let begun = stage.post(&nobody, &link_path(&link.url), me.clone()).await;
    begun.is(200);
    let cookie = begun.headers["set-cookie"].to_str().unwrap().to_owned();
    let (secret, attributes) = cookie.split_once(';').unwrap();
    assert!(secret.starts_with("__Host-clockwright=") && secret.len() >= "__Host-clockwright=".len() + 43);
    for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=43200"] {
        assert!(attributes.split(';').any(|there| there.trim() == attribute), "{attribute}: {cookie}");
    }
    // Who comes with a secret that somebody else has fixed gets another one, and that of before opens nothing.
    let again = stage.post(&Caller::of_cookie(&begun), "/session", me).await;
    let renewed = again.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_ne!(renewed, secret);
    stage.get(&nobody.with("cookie", secret), "/me").await.refused("session-over");
    stage.get(&nobody.with("cookie", &renewed), "/me").await.is(200);
    assert!(
        stage.app.store.session(renewed.split_once('=').unwrap().1).await.unwrap().is_none(),
        "only its hash is kept"
    );
}

async fn s05_a_token_is_shown_once_and_kept_as_its_hash(stage: &Stage) {
    let root = stage.admin().await;
    let keyed = root.with("idempotency-key", "one");
    let ask = json!({ "name": "ci", "scopes": ["read"] });
    let made = stage.post(&keyed, "/me/tokens", ask.clone()).await;
    let secret = made.is(201)["secret"].as_str().unwrap().to_owned();
    let again = stage.post(&keyed, "/me/tokens", ask).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!again.body.to_string().contains(&secret), "who asks again is not shown it");
    let row = stage.app.store.token_of(&sha256(secret.as_bytes())).await.unwrap().unwrap();
    assert!(!format!("{row:?}").contains(&secret));
    let tomorrow = row.expires - stage.app.now();
    assert_eq!(tomorrow, 90 * 86_400_000, "it ends by itself");
    for path in ["/me/tokens", "/journal"] {
        assert!(!stage.get(&root, path).await.is(200).to_string().contains(&secret), "{path}");
    }
}

fn refused(reply: &Reply) -> bool {
    ["not-found", "not-allowed", "invalid"].iter().any(|code| reply.body["code"] == *code)
}

async fn s07_other_tenants_ids_open_nothing_anywhere(stage: &Stage) {
    let root = stage.admin().await;
    for project in ["own", "other"] {
        stage.post(&root, "/projects", json!({ "name": project })).await.is(201);
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 3 * * ?" });
        let name = if project == "own" { "report" } else { "hidden-report" };
        let job = json!({ "name": name, "settings": settings });
        stage.post(&root, &format!("/projects/{project}/jobs"), job).await.is(201);
    }
    let theirs = stage.post(&root, "/projects/other/jobs/hidden-report/pause", json!({})).await.is(200);
    let operation = theirs["id"].as_str().unwrap().to_owned();
    let lina = stage.somebody(&root, "lina", None).await;
    stage.put(&root, "/projects/own/members/user/lina", json!({ "role": "projectAdmin" })).await.is(200);
    // In an address, by name and by id.
    for path in [
        "/projects/other/jobs/hidden-report".to_owned(),
        "/projects/other/journal".to_owned(),
        format!("/operations/{operation}"),
    ] {
        let reply = stage.get(&lina, &path).await;
        assert!(refused(&reply), "{path}: {reply:?}");
    }
    let cancel = stage.post(&lina, &format!("/operations/{operation}/cancel"), json!({})).await;
    assert!(refused(&cancel), "{cancel:?}");
    // In a body, nested and in a list.
    let token = json!({ "name": "ci", "scopes": ["read"], "projects": ["other"] });
    let made = stage.post(&lina, "/me/tokens", token).await;
    assert!(refused(&made), "{made:?}");
    let job = json!({ "project": "other", "name": "hidden-report" });
    let bulk = json!({ "action": "resume", "select": { "jobs": [job] }, "reason": "mine", "dryRun": true });
    let bulk = stage.post(&lina, "/bulk", bulk).await.is(200);
    assert_eq!(bulk["result"]["bulk"]["codes"], json!({ "not-found": 1 }), "{bulk:#}");
    // Behind the `?`, and in what is found, listed or streamed.
    let stream = stage.listen(&lina, "/stream?project=other").await;
    assert!(stream.is_err_and(|reply| refused(&reply)));
    for path in [
        "/jobs",
        "/jobs?q=hidden",
        "/jobs?q=project:other",
        "/search?q=hidden",
        "/overview",
        "/operations",
        "/projects",
        "/runs",
    ] {
        let reply = stage.get(&lina, path).await;
        let text = reply.body.to_string();
        assert!(!text.contains("hidden") && !text.contains("\"other\""), "{path}: {text}");
    }
    assert_eq!(stage.get(&root, "/projects/other/holds").await.is(200).as_array().unwrap().len(), 1);
}

/// What is tried against parsers, shells, templates and databases.
const EVIL: &[&str] = &[
    "'",
    "''",
    "' OR '1'='1",
    "'; DROP TABLE CLOCKWRIGHT_USER; --",
    "\\'; DROP TABLE CLOCKWRIGHT_USER; --",
    "\" OR \"\"=\"",
    "%",
    "_",
    "%_%",
    "\\",
    "$1",
    "?",
    ":name",
    "/* */",
    "`id`",
    "$(id)",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "日报' --",
    "\u{202e}evil",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn s25_no_text_of_a_request_is_taken_for_sql(stage: &Stage) {
    let root = stage.admin().await;
    for (number, evil) in EVIL.iter().enumerate() {
        stage.pass(1_000);
        let name = format!("p{number}");
        let body = json!({ "name": name, "title": evil, "note": evil });
        let made = stage.post(&root, "/projects", body).await;
        // Some are refused as titles; those that are taken are kept as they are.
        if made.status == 201 {
            assert_eq!(stage.get(&root, &format!("/projects/{name}")).await.is(200)["title"], *evil);
        }
        let settings =
            json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 3 * * ?", "description": evil });
        let job = json!({ "name": format!("job{number}"), "owner": evil, "settings": settings });
        let made = stage.post(&root, "/projects/p0/jobs", job).await;
        assert!([201, 400, 422].contains(&made.status.as_u16()), "{evil:?}: {made:?}");
        let encoded = encoded(evil);
        for path in [
            format!("/jobs?q={encoded}"),
            format!("/jobs?sort={encoded}"),
            format!("/jobs?after={encoded}"),
            format!("/search?q={encoded}"),
            format!("/journal?action={encoded}"),
            format!("/journal?target={encoded}"),
            format!("/journal?actor={encoded}"),
            format!("/users?after={encoded}"),
            format!("/operations?after={encoded}"),
            format!("/runs?job={encoded}"),
            format!("/users/{encoded}"),
            format!("/projects/p0/jobs/{encoded}"),
            format!("/projects/p0/drift/{encoded}"),
        ] {
            stage.pass(100);
            let reply = stage.get(&root, &path).await;
            assert!(reply.status.as_u16() < 500, "{path}: {reply:?}");
            for word in ["syntax", "SELECT", "CLOCKWRIGHT_"] {
                let text = reply.body["detail"].as_str().unwrap_or_default();
                assert!(!text.contains(word) || evil.contains(word), "{path}: {text}");
            }
        }
        let journal = stage.get(&root, &format!("/journal?action={encoded}")).await.is(200);
        assert_eq!(journal["items"], json!([]), "{evil:?} is no action, and no pattern of one");
    }
    assert!(!stage.app.store.nobody_exists().await.unwrap(), "the table is there");
    stage.get(&root, "/journal/verify").await.is(200);
}

async fn s28_the_journal_can_be_had_as_csv_without_formulas_and_as_lines(stage: &Stage) {
    let root = stage.admin().await;
    let body = json!({ "name": "billing", "title": "=cmd|' /C calc'!A0" });
    stage.post(&root, "/projects", body).await.is(201);
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 3 * * ?" });
    let reason = "=HYPERLINK(\"https://evil.example.com\")";
    let job = json!({ "name": "report", "settings": settings, "reason": reason });
    stage.post(&root, "/projects/billing/jobs", job).await.is(201);
    let seen = stage.get(&root, "/journal?limit=1000").await.is(200)["items"].as_array().unwrap().len();
    let csv = stage.text(&root.with("accept", "text/csv"), "/journal").await;
    let rows: Vec<&str> = csv.split("\r\n").filter(|row| !row.is_empty()).collect();
    assert!(rows[0].starts_with("seq,at,actorKind,actor,"), "{}", rows[0]);
    assert_eq!(rows.len(), seen + 1, "{csv}");
    for row in &rows[1..] {
        for mark in ["=", "+", "-", "@"] {
            assert!(!row.contains(&format!("\"{mark}")) || row.contains(&format!("\"\"{mark}")), "{row}");
        }
    }
    assert!(csv.contains("\"'=HYPERLINK(\"\"https://evil.example.com\"\")\""), "{csv}");
    let lines = stage.text(&root.with("accept", "application/x-ndjson"), "/journal").await;
    assert_eq!(lines.lines().count(), seen);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["seq"], seen);
    let of_project = stage.text(&root.with("accept", "text/csv"), "/projects/billing/journal").await;
    assert!(
        of_project.lines().count() < rows.len() && of_project.contains("\"project.create\""),
        "{of_project}"
    );
}

async fn s29_a_jobs_name_is_no_path(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let long = "x".repeat(101);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "/x",
        "a\u{0}b",
        "a\nb",
        "a\u{200b}b",
        "a\u{202e}b",
        " a",
        "a@-@b",
        &long,
    ] {
        stage.pass(200);
        let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 3 * * ?" });
        let reply =
            stage.post(&root, "/projects/billing/jobs", json!({ "name": name, "settings": settings })).await;
        assert_eq!(reply.status, 422, "{name:?}: {reply:?}");
        assert_eq!(reply.body["errors"][0]["pointer"], "/name", "{name:?}: {reply:?}");
    }
    for namespace in ["a/../b", "..", "", "/", "a//b", "a\u{0}b", "zookeeper/quota\n"] {
        stage.pass(200);
        let body = json!({ "name": "other", "namespace": namespace });
        let reply = stage.post(&root, "/projects", body).await;
        assert_eq!(reply.status, 422, "{namespace:?}: {reply:?}");
    }
    assert!(stage.app.catalogue.jobs(stage.app.catalogue.project("billing").unwrap().id).is_empty());
}

/// Every answer of every route, and of what is none, as a browser would take it.
#[tokio::test(flavor = "multi_thread")]
async fn s12_no_answer_is_a_page_that_runs_what_somebody_wrote() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let script = "<script>alert(1)</script>";
    let corpus =
        [script, "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "</title><svg/onload=alert(1)>"];
    stage
        .post(&root, "/projects", json!({ "name": "billing", "title": script, "note": corpus[1] }))
        .await
        .is(201);
    let mut asked = paths();
    asked.extend(["/nowhere".into(), "/api/v1/none".into()]);
    for evil in corpus {
        let encoded = encoded(evil);
        for path in &asked {
            stage.pass(100);
            let path = path.replace("{project}", "billing");
            let path = path.split('/').map(|part| if part.starts_with('{') { &encoded } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let response = stage.response(&root, Method::GET, &path, None).await;
            let header = |name: &str| {
                response
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .to_owned()
            };
            assert_eq!(header("content-security-policy"), clockwright_server::http::frame::POLICY, "{path}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
            assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
            assert!(header("cache-control").contains("no-store"), "{path}");
            if header("content-type").starts_with("text/html") {
                let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
                let page = String::from_utf8(bytes.to_vec()).unwrap();
                assert!(!page.contains("<script") && !page.contains("onerror"), "{path}: {page}");
            }
        }
    }
    // The console's page has nobody's words: all that runs in it are files of its own.
    let response = stage.response(&root, Method::GET, "/", None).await;
    assert_eq!(response.headers()["content-security-policy"], clockwright_server::http::frame::POLICY);
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    for rest in page.split("<script").skip(1) {
        let (tag, inside) = rest.split_once('>').unwrap();
        assert!(tag.contains(" src=\"./assets/") && inside.starts_with("</script>"), "{page}");
    }
    assert!(!page.contains(script) && !page.contains("onerror"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_no_address_of_a_request_sends_a_browser_anywhere() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    for path in paths() {
        let path = fill(&path, "none", "none");
        for parameter in ["next", "return", "redirect", "redirect_uri", "url", "to", "continue"] {
            stage.pass(50);
            let path = format!("{path}?{parameter}=https%3A%2F%2Fevil.example.com%2F");
            let response = stage.response(&root, Method::GET, &path, None).await;
            let to = response.headers().get("location").and_then(|value| value.to_str().ok());
            assert!(to.is_none_or(|to| !to.contains("evil")), "{path}: {to:?}");
            assert!(
                !response.status().is_success() || response.status() == 405,
                "{path}: {}",
                response.status()
            );
        }
    }
    for path in ["//evil.example.com", "/%2f%2fevil.example.com", "/\\evil.example.com"] {
        let uri = path.replace('\\', "%5C");
        let response = stage.response(&root, Method::GET, &uri, None).await;
        assert!(response.headers().get("location").is_none() && response.status() == 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_but_for_streams_and_what_holds_a_secret() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let note = "all work and no play ".repeat(100);
    stage.post(&root, "/projects", json!({ "name": "billing", "note": note })).await.is(201);
    let coding = async |caller: &Caller, method: Method, path: &str, body: Option<Value>| {
        let body = body.map(|body| (Some("application/json"), body.to_string().into_bytes()));
        let response = stage.response(caller, method, path, body).await;
        assert!(response.status().is_success(), "{path}: {response:?}");
        response.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned())
    };
    let project = "/api/v1/projects/billing";
    for (accepts, coded) in
        [("gzip, br", Some("br")), ("gzip", Some("gzip")), ("identity", None), ("zstd", None)]
    {
        let caller = root.with("accept-encoding", accepts);
        assert_eq!(coding(&caller, Method::GET, project, None).await.as_deref(), coded, "{accepts}");
    }
    let caller = root.with("accept-encoding", "gzip, br");
    assert_eq!(coding(&caller, Method::GET, "/openapi.json", None).await.as_deref(), Some("br"));
    assert_eq!(coding(&caller, Method::GET, "/livez", None).await, None, "small ones gain nothing");
    assert_eq!(coding(&caller, Method::GET, "/api/v1/stream", None).await, None);
    let lines = caller.with("accept", "application/x-ndjson");
    assert_eq!(coding(&lines, Method::GET, "/api/v1/jobs", None).await, None);
    // Large enough, so that only the secret keeps it as it is.
    let scopes: Vec<&str> = clockwright_api::Permission::ALL
        .iter()
        .map(|permission| permission.name())
        .filter(|name| *name != "token.own")
        .collect();
    let token = json!({ "name": "x".repeat(100), "scopes": scopes, "projects": ["billing"] });
    let made = coding(&caller, Method::POST, "/api/v1/me/tokens", Some(token)).await;
    assert_eq!(made, None, "a secret is not compressed beside what others choose");
    let listed = coding(&caller, Method::GET, "/api/v1/me/tokens", None).await;
    assert_eq!(listed, None, "it is short");
}

async fn a_rescue_lets_somebody_in_as_an_administrator_for_an_hour(stage: &Stage) {
    let facts = json!({ "host": "here" });
    let early = clockwright_server::rescue(&stage.app, None, facts.clone()).await;
    assert_eq!(early, Err(clockwright_server::NoRescue::NobodyYet));
    let root = stage.admin().await;
    stage.somebody(&root, "lina", Some("viewer")).await;
    let link = clockwright_server::rescue(&stage.app, None, facts.clone()).await.unwrap();
    let nobody = Caller::default();
    let path = link_path(&link.url);
    let opened = stage.post(&nobody, &path, json!({})).await;
    let session = opened.is(200);
    assert_eq!(
        (&session["person"]["login"], &session["role"]),
        (&json!("rescue"), &json!("admin")),
        "{session:#}"
    );
    let rescued = Caller::of_cookie(&opened);
    stage.post(&nobody, &path, json!({})).await.refused("link-used");
    // What needs a fresh proof is not shut to who has no password to prove it by.
    stage.pass(20 * 60_000);
    stage.put(&rescued, "/members/user/lina", json!({ "role": "admin" })).await.is(200);
    assert_eq!(stage.get(&rescued, "/session").await.is(200)["role"], "admin");
    stage.pass(41 * 60_000);
    stage.get(&rescued, "/session").await.refused("session-over");
    let again = stage.sign_in("lina").await;
    let told = stage.get(&again, "/journal?limit=100").await.is(200);
    let told: Vec<&str> =
        told["items"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    let place = |action: &str| told.iter().rposition(|there| *there == action);
    assert!(place("rescue.made") > place("rescue.used") && place("rescue.used").is_some(), "{told:?}");

    let late = clockwright_server::rescue(&stage.app, Some("lina"), facts.clone()).await.unwrap();
    stage.pass(61 * 60_000);
    stage.post(&nobody, &link_path(&late.url), json!({})).await.refused("link-used");
    let unknown = clockwright_server::rescue(&stage.app, Some("nobody"), facts).await;
    assert_eq!(unknown, Err(clockwright_server::NoRescue::Nobody("nobody".into())));
}
