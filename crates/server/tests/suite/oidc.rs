//! Signing in at a real OpenID Connect issuer: `oidc-provider`, which `scripts/install-oidc.sh` installs.

use clockwright_registry::{Connect, ConnectOptions, Embedded, SharedRegistry};
use clockwright_server::config::{Sources, read};
use clockwright_server::registries::{Registries, Source};
use clockwright_server::{Server, setup_link};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/oidc");

/// The issuer; it ends with the test.
struct Issuer {
    process: Child,
    address: String,
}

impl Issuer {
    fn start(redirect: &str) -> Self {
        let there = std::path::Path::new(SCRIPTS).join("node_modules/oidc-provider").is_dir();
        assert!(there, "this test needs a real OpenID Connect issuer; run scripts/install-oidc.sh");
        let port = free_port();
        let mut process = Command::new("node")
            .arg("issuer.mjs")
            .args([&port.to_string(), redirect])
            .current_dir(SCRIPTS)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts; run scripts/install-oidc.sh");
        let said = std::io::BufReader::new(process.stdout.take().unwrap());
        assert!(said.lines().map_while(Result::ok).any(|line| line == "listening"), "the issuer listens");
        Self { process, address: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A browser: it keeps cookies, and goes where it is sent when it is told to.
struct Browser {
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

struct Page {
    status: u16,
    location: String,
    body: Value,
}

impl Browser {
    fn new() -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { client, cookies: BTreeMap::new() }
    }

    async fn ask(&mut self, method: reqwest::Method, url: &str, body: Option<Value>) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self
            .client
            .request(method, url)
            .header("cookie", cookies.join("; "))
            .header("sec-fetch-site", "same-origin");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = response.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Page { status, location: location.unwrap_or_default(), body }
    }

    async fn get(&mut self, url: &str) -> Page {
        self.ask(reqwest::Method::GET, url, None).await
    }

    /// Goes to the issuer as somebody, up to where the issuer sends them back; the address of that.
    async fn visit(&mut self, server: &str, begin: &str, who: &str) -> String {
        let sent = self.get(&format!("{server}/api/v1/oidc/begin{begin}")).await;
        assert_eq!(sent.status, 302, "{:#}", sent.body);
        let mut place = url::Url::parse(&sent.location).unwrap();
        place.query_pairs_mut().append_pair("login_hint", who);
        for _ in 0..10 {
            let page = self.get(place.as_str()).await;
            assert!((300..400).contains(&page.status), "{place}: {} {:#}", page.status, page.body);
            place = place.join(&page.location).unwrap();
            if place.as_str().starts_with(server) {
                return place.into();
            }
        }
        panic!("nobody comes back: {place}");
    }
}

struct House {
    server: Server,
    address: String,
    issuer: Issuer,
    later: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("http://127.0.0.1:{}", free_port());
    let issuer = Issuer::start(&format!("{address}/api/v1/oidc/callback"));
    let text = format!(
        "listen: {}\ndata: {}\noidc: {{issuer: '{}', client: clockwright, secret: a secret of the client, scopes: openid profile email groups}}\n",
        address.trim_start_matches("http://"),
        folder.path().display(),
        issuer.address
    );
    let file = Some(("clockwright.yaml".into(), text));
    let config = read(&Sources { file, ..Sources::default() }).unwrap();
    let later = Arc::new(AtomicI64::new(0));
    let clock = {
        let later = Arc::clone(&later);
        Arc::new(move || jiff::Timestamp::now().as_millisecond() + later.load(Ordering::SeqCst))
    };
    let registry = Embedded::in_memory();
    let connect: Connect = Arc::new(move || {
        let session = registry.connect(ConnectOptions::default());
        Box::pin(async move { Ok(session? as SharedRegistry) })
    });
    let registries = Registries::new([("home".to_owned(), Source { connect, credential: false })].into());
    let server = Server::start(config, None, registries, clock).await.unwrap();
    House { server, address, issuer, later, _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_at_the_issuer_has_the_roles_of_their_groups_and_passwords_are_closed() {
    let house = house().await;
    let at = |path: &str| format!("{}/api/v1{path}", house.address);
    let (post, put) = (reqwest::Method::POST, reqwest::Method::PUT);
    let link = setup_link(house.server.app()).await.unwrap().unwrap();
    let mut root = Browser::new();
    let me = json!({ "login": "root", "password": crate::stage::PASSWORD });
    let used = root
        .ask(post.clone(), &at(&format!("/links/{}", link.url.split_once('#').unwrap().1)), Some(me.clone()))
        .await;
    assert_eq!(used.status, 200, "the first administrator comes in all the same: {:#}", used.body);
    assert_eq!(
        root.ask(post.clone(), &at("/projects"), Some(json!({ "name": "billing" }))).await.status,
        201
    );
    let given =
        root.ask(put, &at("/projects/billing/members/group/ops"), Some(json!({ "role": "developer" }))).await;
    assert_eq!(given.status, 200, "{:#}", given.body);
    let refused = Browser::new().ask(post.clone(), &at("/session"), Some(me)).await;
    assert_eq!((refused.status, &refused.body["code"]), (401, &json!("sign-in-failed")));

    let mut lina = Browser::new();
    let back = lina.visit(&house.address, "", "lina").await;
    let entered = lina.get(&back).await;
    assert_eq!((entered.status, entered.location.as_str()), (302, "/"), "{:#}", entered.body);
    let session = lina.get(&at("/session")).await.body;
    let person = &session["person"];
    assert_eq!(
        (&person["login"], &person["name"], &person["kind"]),
        (&json!("lina"), &json!("Li Na"), &json!("oidc")),
        "{session:#}"
    );
    assert_eq!(session["projects"], json!({ "billing": "developer" }));
    assert_ne!(lina.get(&back).await.status, 302, "a code is used once");

    let mut max = Browser::new();
    let back = max.visit(&house.address, "", "max").await;
    assert_eq!(
        Browser::new().get(&back).await.body["code"],
        "sign-in-failed",
        "another browser did not ask for it"
    );
    assert_eq!(max.get(&back).await.status, 302);
    assert_eq!(max.get(&at("/session")).await.body["projects"], json!({}));

    let token = json!({ "name": "ci", "scopes": ["read"] });
    let early = lina.ask(post.clone(), &at("/me/tokens"), Some(token.clone())).await;
    assert_eq!(early.body["code"], "step-up-needed", "{:#}", early.body);
    let back = lina.visit(&house.address, "?fresh=true", "lina").await;
    assert_eq!(lina.get(&back).await.status, 302);
    assert_eq!(lina.ask(post.clone(), &at("/me/tokens"), Some(token)).await.status, 201);
    let again = lina.get(&at("/session")).await.body;
    assert_eq!(again["person"]["id"], person["id"], "it is the same person");

    let id = person["id"].as_str().unwrap();
    assert_eq!(root.ask(post, &at(&format!("/users/{id}/disable")), Some(json!({}))).await.status, 204);
    let back = lina.visit(&house.address, "", "lina").await;
    assert_eq!(lina.get(&back).await.body["code"], "sign-in-failed");
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_what_brought_somebody_in_brings_nobody_in_again() {
    let house = house().await;
    let mut lina = Browser::new();
    let back = lina.visit(&house.address, "", "lina").await;
    assert_eq!(lina.get(&back).await.status, 302);
    assert_eq!(lina.get(&back).await.body["code"], "sign-in-failed", "her own errand is over");
    let mut thief = Browser::new();
    let theirs = thief.visit(&house.address, "", "max").await;
    assert_eq!(thief.get(&back).await.body["code"], "sign-in-failed", "of another errand");
    assert_eq!(thief.get(&theirs).await.status, 302);
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_may_change_its_keys_and_what_is_of_another_errand_is_refused() {
    let house = house().await;
    let mut lina = Browser::new();
    let back = lina.visit(&house.address, "", "lina").await;
    let mut forged = url::Url::parse(&back).unwrap();
    let code = forged.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    forged.query_pairs_mut().clear().append_pair("code", &code).append_pair("state", "mine");
    assert_eq!(lina.get(forged.as_str()).await.body["code"], "sign-in-failed");
    assert_eq!(lina.get(&back).await.status, 302, "what was meant for them still is");

    assert_eq!(lina.get(&format!("{}/forget", house.issuer.address)).await.status, 200);
    let mut max = Browser::new();
    let back = max.visit(&house.address, "", "max").await;
    assert_eq!(max.get(&back).await.body["code"], "sign-in-failed", "keys are read once a minute");
    house.later.fetch_add(61_000, Ordering::SeqCst);
    let back = max.visit(&house.address, "", "max").await;
    let entered = max.get(&back).await;
    assert_eq!(entered.status, 302, "{:#}", entered.body);
    house.server.stop().await;
}
