//! Who may call which route: every row of the table, by every kind of caller, on every kind of project. What is expected is computed by `permit` from the
//! row; what is answered is the server's. So a route that is added is here by itself.

use crate::stage::{Caller, On, PASSWORD, Stage, record};
use clockwright_api::{Permission, Role};
use clockwright_server::decide::chain::{Actor, Target, sha256};
use clockwright_server::decide::permit::{Answer, Place, Principal, Scope, permit};
use clockwright_server::http::openapi::Described;
use clockwright_server::http::routes;
use clockwright_server::store::SessionRow;
use http::Method;
use serde_json::json;
use std::collections::BTreeMap;

/// Somebody who asks.
struct Kind {
    name: &'static str,
    /// Their id, for whom a session is made for each request; without one `fixed` is who asks.
    id: Option<String>,
    fixed: Caller,
    /// What they hold; or the code by which all doors but open ones are shut to them.
    holds: Result<Principal, &'static str>,
}

/// What is to be answered.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Refused(&'static str),
    /// As if there were no such project.
    Hidden,
    /// The handler decides.
    Passes,
}

#[tokio::test(flavor = "multi_thread")]
async fn s06_every_route_answers_every_kind_of_caller_as_the_table_of_roles_says() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let mut ids = BTreeMap::new();
    for project in ["own", "other"] {
        let made = stage.post(&root, "/projects", json!({ "name": project })).await.is(201);
        ids.insert(project, made["id"].as_i64().unwrap());
        let settings = json!({ "elasticJobType": "SCRIPT", "cron": "0 0 3 * * ?", "props": { "script.command.line": "true" } });
        let job = json!({ "name": "report", "settings": settings });
        stage.post(&root, &format!("/projects/{project}/jobs"), job).await.is(201);
    }
    let kinds = kinds(&stage, &root, &ids).await;
    let (_, rows) = routes::router();
    let mut asked = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        let places: &[&str] =
            if row.path.contains("{project}") { &["own", "other", "missing"] } else { &[""] };
        for kind in &kinds {
            for project in places {
                stage.pass(150);
                let caller = match &kind.id {
                    Some(id) => session(&stage, id, None).await,
                    None => kind.fixed.clone(),
                };
                let said = ask(&stage, &caller, row, project).await;
                let expected = expected(row, kind, ids.get(project).copied(), !project.is_empty());
                asked += 1;
                if said != expected {
                    wrong.push(format!(
                        "{} {} by {} on `{project}`: {said:?}, not {expected:?}",
                        row.method, row.path, kind.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > rows.len() * kinds.len(), "{asked}");
}

fn expected(row: &Described, kind: &Kind, project: Option<i64>, names_one: bool) -> Expected {
    let Some(needs) = row.needs else { return Expected::Passes };
    let principal = match &kind.holds {
        Err(code) => return Expected::Refused(code),
        Ok(principal) => principal,
    };
    if row.asks {
        return Expected::Passes;
    }
    let place = match project {
        Some(id) => Place::Project(id),
        None if names_one => return Expected::Hidden,
        None => Place::Everywhere,
    };
    match permit(principal, needs, place) {
        Answer::Allowed => Expected::Passes,
        Answer::Hidden => Expected::Hidden,
        Answer::Denied(_) => Expected::Refused("not-allowed"),
    }
}

async fn ask(stage: &Stage, caller: &Caller, row: &Described, project: &str) -> Expected {
    let path = row.path.replace("{project}", project).replace("{job}", "report");
    let path = path.replace("{kind}", "user").replace("{n}", "1").replace("{m}", "1");
    let path = path
        .split('/')
        .map(|part| if part.starts_with('{') { "none" } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let (status, body) = stage.look(caller, row.method.clone(), &path, None).await;
    let code = body["code"].as_str().unwrap_or_default();
    let hidden = body["detail"].as_str().unwrap_or_default().starts_with("there is no project `");
    match (status, code) {
        (401, "not-signed-in") => Expected::Refused("not-signed-in"),
        (401, "token-expired") => Expected::Refused("token-expired"),
        (401, "session-over") => Expected::Refused("session-over"),
        (403, "not-allowed") => Expected::Refused("not-allowed"),
        (404, "not-found") if hidden => Expected::Hidden,
        (500, _) => panic!("{} {path}: {body:#}", row.method),
        (429, _) => panic!("{} {path}: {body:#}", row.method),
        _ => Expected::Passes,
    }
}

/// Every kind of caller.
async fn kinds(stage: &Stage, root: &Caller, ids: &BTreeMap<&'static str, i64>) -> Vec<Kind> {
    let mut kinds =
        vec![Kind { name: "anonymous", id: None, fixed: Caller::default(), holds: Err("not-signed-in") }];
    let id_of =
        async |caller: &Caller| stage.get(caller, "/me").await.is(200)["id"].as_str().unwrap().to_owned();
    for (name, on, role) in [
        ("nobody", "", None),
        ("viewer", "own", Some(Role::Viewer)),
        ("operator", "own", Some(Role::Operator)),
        ("developer", "own", Some(Role::Developer)),
        ("project-admin", "own", Some(Role::ProjectAdmin)),
        ("developer-elsewhere", "other", Some(Role::Developer)),
        ("admin", "all", Some(Role::Admin)),
    ] {
        let everywhere = role.filter(|_| on == "all");
        let somebody = stage.somebody(root, name, everywhere.map(Role::name)).await;
        let mut holds = Principal { everywhere, ..Principal::default() };
        if let (Some(role), Some(project)) = (role, ids.get(on)) {
            let path = format!("/projects/{on}/members/user/{name}");
            stage.put(root, &path, json!({ "role": role })).await.is(200);
            holds.projects.insert(*project, role);
        }
        let id = id_of(&somebody).await;
        kinds.push(Kind { name, id: Some(id), fixed: Caller::default(), holds: Ok(holds) });
    }
    let again = stage
        .post(&Caller::default(), "/session", json!({ "login": "developer", "password": PASSWORD }))
        .await;
    let developer = Caller::of_cookie(&again);
    let scoped =
        json!({ "name": "scoped", "scopes": ["project.read", "job.read", "sync.run"], "projects": ["own"] });
    let made = stage.post(&developer, "/me/tokens", scoped).await.is(201);
    let scope = Scope {
        permissions: vec![Permission::ProjectRead, Permission::JobRead, Permission::SyncRun],
        projects: vec![ids["own"]],
    };
    let holds = Principal {
        projects: [(ids["own"], Role::Developer)].into(),
        scope: Some(scope),
        ..Principal::default()
    };
    let fixed = Caller::of_token(made["secret"].as_str().unwrap());
    kinds.push(Kind { name: "scoped token", id: None, fixed, holds: Ok(holds) });

    let short = json!({ "name": "short", "scopes": ["write"], "expiresAt": clockwright_api::At(stage.app.now() + 1_000) });
    let made = stage.post(&developer, "/me/tokens", short).await.is(201);
    let fixed = Caller::of_token(made["secret"].as_str().unwrap());
    stage.pass(10_000);
    kinds.push(Kind { name: "expired token", id: None, fixed, holds: Err("token-expired") });

    let gone = stage.somebody(root, "gone", Some("admin")).await;
    let id = id_of(&gone).await;
    stage.post(root, &format!("/users/{id}/disable"), json!({})).await.is(204);
    let fixed = session(stage, &id, None).await;
    kinds.push(Kind { name: "disabled person", id: None, fixed, holds: Err("session-over") });
    let admin = kinds[7].id.clone().unwrap();
    let fixed = session(stage, &admin, Some(stage.app.now())).await;
    kinds.push(Kind { name: "ended session", id: None, fixed, holds: Err("session-over") });
    kinds
}

/// A session of somebody, made by hand, so that no request ends that of another.
async fn session(stage: &Stage, who: &str, ended: Option<i64>) -> Caller {
    let secret = uuid::Uuid::new_v4().to_string();
    let now = stage.app.now();
    let mut change = stage.app.store.begin(Actor::server("test"), now).await.unwrap();
    let row = SessionRow {
        hash: sha256(secret.as_bytes()),
        who: who.to_owned(),
        at: now,
        seen: now,
        ends: now + 3_600_000,
        auth_at: now,
        via: "local".into(),
        ip: String::new(),
        agent: String::new(),
        groups: Vec::new(),
        ended,
    };
    change.insert_session(&row).await.unwrap();
    let target = Target { kind: "user", id: who.to_owned(), name: String::new() };
    change.record(record("session.begin", 0, target));
    change.commit().await.unwrap();
    Caller::default()
        .with("cookie", &format!("clockwright-http={secret}"))
        .with("sec-fetch-site", "same-origin")
        .with("clockwright-request", "1")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_page_of_each_problem_are_served() {
    let stage = Stage::new(On::Sqlite).await;
    let nobody = Caller::default();
    let (status, document) = stage.look(&nobody, Method::GET, "/openapi.json", None).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    for code in clockwright_api::Code::ALL {
        let (status, _) = stage.look(&nobody, Method::GET, &format!("/problems/{code}"), None).await;
        assert_eq!(status, 200, "{code}");
    }
    assert_eq!(stage.look(&nobody, Method::GET, "/problems/none", None).await.0, 404);
}
