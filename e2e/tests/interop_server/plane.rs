//! A control server in this process, and an administrator who asks it over HTTP.

use crate::stage::{PATIENCE, SESSION, Stage};
use clockwright_e2e::harness::{Client, Reply, eventually, now};
use clockwright_registry::{Connect, SharedRegistry};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_server::config::Config;
use clockwright_server::registries::{Registries, Source};
use clockwright_server::{Server, sealing, setup_link};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The project, whose namespace is the stage's.
pub(crate) const PROJECT: &str = "/projects/attached";

pub(crate) struct Plane {
    runtime: Runtime,
    server: Option<Server>,
    root: Client,
    _folder: tempfile::TempDir,
}

impl Plane {
    /// Starts a server and attaches a project to the stage's namespace: all jobs that are there are taken over.
    pub(crate) fn attach(stage: &Stage) -> Self {
        let plane = Self::start(stage);
        let project = json!({ "name": "attached", "namespace": stage.namespace.name });
        let _made = plane.post("/projects", project).is(201);
        let adopted = plane.post(&format!("{PROJECT}/unmanaged/adopt"), json!({})).is(200);
        assert_eq!(adopted["refused"], json!([]), "{adopted:#}");
        let all = adopted["jobs"].as_array().map_or(0, Vec::len);
        eventually(PATIENCE, "what was taken over is noted", || {
            plane.get(&format!("{PROJECT}/sync"))["counts"] == json!({ "written": all })
        });
        plane
    }

    fn start(stage: &Stage) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (runtime, folder) = (runtime.unwrap(), tempfile::tempdir().unwrap());
        let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display()).into();
        let key_file = folder.path().join("control.key");
        sealing::make(&key_file).unwrap();
        let config = Config {
            key_file,
            listen: ([127, 0, 0, 1], 0).into(),
            data: folder.path().to_owned(),
            database: file("control.db"),
            store: file("events.db"),
            ..Config::default()
        };
        let options = Options {
            session_timeout: SESSION,
            user: stage.namespace.digest.clone(),
            ..Options::new(stage.namespace.hosts.clone())
        };
        let credential = options.user.is_some();
        let connect: Connect = Arc::new(move || {
            let options = options.clone();
            Box::pin(async move { Ok(ZooKeeper::connect(options).await? as SharedRegistry) })
        });
        let registries = Registries::new([("home".to_owned(), Source { connect, credential })].into());
        let server = runtime.block_on(Server::start(config, None, registries, Arc::new(now))).unwrap();
        let link = runtime.block_on(setup_link(server.app())).unwrap().unwrap();
        let (_, secret) = link.url.split_once('#').unwrap();
        let base = format!("http://{}", server.address());
        let root = runtime.block_on(Client::first_administrator(&base, secret));
        Self { runtime, server: Some(server), root, _folder: folder }
    }

    /// Asks, and again after a moment when it asked too often.
    #[track_caller]
    fn ask(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Reply {
        let mut last = None;
        eventually(PATIENCE, "what is asked is answered", || {
            let asked = self.root.ask(method.clone(), path, headers, body);
            let reply = last.insert(self.runtime.block_on(asked).unwrap());
            reply.status != 429
        });
        last.unwrap()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None, &[]).is(200)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, Some(&body), &[])
    }

    /// A change of a version.
    #[track_caller]
    pub(crate) fn post_at(&self, path: &str, version: i64, body: Value) -> Value {
        let version = format!("\"v{version}\"");
        self.ask(Method::POST, path, Some(&body), &[("if-match", &version)]).is(200)
    }

    /// As [`post_at`](Self::post_at), of some settings.
    #[track_caller]
    pub(crate) fn patch(&self, path: &str, version: i64, body: Value) -> Value {
        let version = format!("\"v{version}\"");
        self.ask(Method::PATCH, path, Some(&body), &[("if-match", &version)]).is(200)
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.ask(Method::DELETE, path, None, &[])
    }

    /// An operation on a job, which is waited for; its end.
    #[track_caller]
    pub(crate) fn operate(&self, job: &str, verb: &str, body: Value) -> Value {
        self.ended(self.post(&format!("{PROJECT}/jobs/{job}/{verb}"), body))
    }

    /// The end of an operation.
    #[track_caller]
    pub(crate) fn ended(&self, reply: Reply) -> Value {
        let mut operation = begun(reply);
        let path = format!("/operations/{}", operation["id"].as_str().unwrap());
        eventually(PATIENCE, "the operation ends", || {
            let open = matches!(operation["state"].as_str(), Some("running" | "pending" | "begun"));
            if open {
                operation = begun(self.ask(Method::GET, &path, None, &[]));
            }
            !open
        });
        operation
    }

    /// The newest records of an action.
    pub(crate) fn told(&self, action: &str) -> Vec<Value> {
        let page = self.get(&format!("{PROJECT}/journal?action={action}"));
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// The holds that stand: job, kind, scope, target and origin.
    pub(crate) fn holds(&self) -> Vec<String> {
        let text = |hold: &Value, key: &str| hold[key].as_str().unwrap_or_default().to_owned();
        let holds = self.get(&format!("{PROJECT}/holds"));
        let line = |hold: &Value| {
            ["job", "kind", "scope", "target", "origin"]
                .map(|key| text(hold, key))
                .join(" ")
                .replace("  ", " ")
        };
        holds.as_array().unwrap().iter().map(line).collect()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// The answer is an operation, over or not.
#[track_caller]
fn begun(reply: Reply) -> Value {
    assert!(matches!(reply.status, 200 | 202), "{} {:#}", reply.status, reply.body);
    reply.body
}
