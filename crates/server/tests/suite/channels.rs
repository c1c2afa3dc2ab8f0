//! Channels: their secrets go in and never come out, and each kind is spoken to as it wants to be.

use crate::alerts::{HOUR, term, webhook};
use crate::receivers::{MailServer, Receiver};
use crate::stage::{Caller, On, Stage, on_each_database, on_each_shared_database, record, way};
use clockwright_server::alerts::own::Own;
use clockwright_server::alerts::{Watch, send};
use clockwright_server::config::{Config, Smtp};
use clockwright_server::decide::chain::{Actor, Target};
use clockwright_server::store::{Change, Store, tables};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

on_each_database! {
    the_secrets_of_a_channel_go_in_and_never_come_out
    a_channel_is_made_and_changed_by_those_who_may
    s17_a_channel_names_no_address_of_the_servers_own_network
    a_rescue_is_told_on_every_channel_at_once_whatever_is_silenced
}

on_each_shared_database! {
    a_secret_that_is_changed_while_all_are_sealed_anew_stays
}

async fn the_secrets_of_a_channel_go_in_and_never_come_out(stage: &Stage) {
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    let url = format!("{}?access_token=SESAME", receiver.url);
    let ask = json!({ "name": "ops", "kind": "webhook", "url": url, "secret": "SESAME-1" });
    let reply = stage.post(&root, "/channels", ask).await;
    let made = reply.is(201);
    assert_eq!((&made["secrets"], &made["host"]), (&json!(["url", "secret"]), &json!("127.0.0.1")));
    let path = format!("/channels/{}", made["id"].as_str().unwrap());
    let ask = json!({ "name": "ops", "kind": "webhook", "secondSecret": "SESAME-2", "language": "zh" });
    let changed = stage.put(&root.at(1), &path, ask).await.is(200);
    assert_eq!(changed["secrets"], json!(["url", "secret", "secondSecret"]));
    let tested = stage.post(&root, &format!("{path}/test"), json!({})).await.is(200);
    assert_eq!(tested["sent"], true);
    let received = &receiver.take()[0];
    assert!(received.path.ends_with("access_token=SESAME"), "what was left out stays");
    assert_eq!(received.header("clockwright-signature").matches("v1=").count(), 2);
    assert_eq!(
        (&received.json()["test"], &received.json()["title"]),
        (&json!(true), &json!("[测试] clockwright"))
    );
    let rows = stage.app.store.channels().await.unwrap();
    let everything = format!(
        "{made} {changed} {tested} {rows:?} {} {}",
        stage.get(&root, "/channels").await.is(200),
        stage.get(&root, "/journal").await.is(200),
    );
    assert!(!everything.contains("SESAME"), "{everything}");
    let record = stage.get(&root, "/journal?action=channel.update").await.is(200);
    let marks = &record["items"][0]["changes"];
    assert_eq!(marks[0]["url"], marks[1]["url"]);
    assert!(marks[1]["secondSecret"].as_str().unwrap().starts_with("sealed:"), "{marks}");
    let ask = json!({ "name": "ops", "kind": "webhook", "secondSecret": "" });
    assert_eq!(stage.put(&root.at(2), &path, ask).await.is(200)["secrets"], json!(["url", "secret"]));
}

async fn a_channel_is_made_and_changed_by_those_who_may(stage: &Stage) {
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let owner = stage.somebody(&root, "owner", None).await;
    stage.put(&root, "/projects/billing/members/user/owner", json!({ "role": "projectAdmin" })).await.is(200);
    let ask = json!({ "name": "team", "kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/x" });
    stage.post(&owner, "/channels", ask.clone()).await.refused("not-allowed");
    let made = stage.post(&owner, "/projects/billing/channels", ask.clone()).await.is(201);
    stage.post(&owner, "/projects/billing/channels", ask.clone()).await.refused("name-taken");
    let path = format!("/projects/billing/channels/{}", made["id"].as_str().unwrap());
    stage
        .put(&owner.at(1), &format!("/channels/{}", made["id"].as_str().unwrap()), ask.clone())
        .await
        .refused("not-allowed");
    stage.put(&owner.at(5), &path, ask.clone()).await.refused("version-conflict");
    for (wrong, pointer) in [
        (json!({ "name": "team", "kind": "wecom", "url": "https://x.example.com" }), "/kind"),
        (json!({ "name": "team", "kind": "slack", "secret": "x" }), "/secret"),
        (json!({ "name": "team", "kind": "slack", "to": ["a@example.com"] }), "/to"),
        (json!({ "name": "team", "kind": "slack", "url": "" }), "/url"),
        (json!({ "name": "team", "kind": "slack", "url": "ftp://x.example.com" }), "/url"),
    ] {
        let refused = stage.put(&owner.at(1), &path, wrong).await.refused("invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    let mail = json!({ "name": "post", "kind": "mail", "to": ["ops@example.com"] });
    let refused = stage.post(&owner, "/projects/billing/channels", mail).await.refused("invalid");
    assert_eq!(refused["errors"][0]["pointer"], "/kind", "the server sends no mail");
    stage.pass(6 * 60_000);
    stage.put(&owner.at(1), &path, ask).await.refused("step-up-needed");
    stage.delete(&owner.at(1), &path).await.is(204);
}

async fn s17_a_channel_names_no_address_of_the_servers_own_network(stage: &Stage) {
    let root = stage.admin().await;
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://2852039166/",
        "http://[::ffff:a9fe:a9fe]/",
        "https://user:word@hooks.example.com/",
    ] {
        let ask = json!({ "name": "x", "kind": "webhook", "url": url });
        let refused = stage.post(&root, "/channels", ask).await.refused("invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/url", "{url}");
    }
}

async fn made(stage: &Stage, root: &Caller, ask: Value) -> String {
    format!("/channels/{}", stage.post(root, "/channels", ask).await.is(201)["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_robot_is_spoken_to_as_it_wants_and_its_own_word_counts() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    for (kind, secret, yes, no) in [
        ("dingtalk", Some("SEC"), r#"{"errcode":0}"#, r#"{"errcode":310000,"errmsg":"sign not match"}"#),
        ("wecom", None, r#"{"errcode":0}"#, r#"{"errcode":93000}"#),
        ("lark", Some("SEC"), r#"{"code":0}"#, r#"{"code":19021}"#),
    ] {
        let path =
            made(&stage, &root, json!({ "name": kind, "kind": kind, "url": receiver.url, "secret": secret }))
                .await;
        receiver.answers(200, no);
        let tested = stage.post(&root, &format!("{path}/test"), json!({})).await.is(200);
        assert_eq!(tested["sent"], false, "{kind}: {tested}");
        receiver.answers(200, yes);
        assert_eq!(
            stage.post(&root, &format!("{path}/test"), json!({})).await.is(200)["sent"],
            true,
            "{kind}"
        );
        let received = receiver.take().pop().unwrap();
        let body = received.json();
        match kind {
            "dingtalk" => assert!(
                received.path.contains("timestamp=") && received.path.contains("sign="),
                "{received:?}"
            ),
            "wecom" => assert_eq!(body["msgtype"], "text"),
            _ => assert!(body["sign"].is_string() && body["msg_type"] == "text", "{body}"),
        }
    }
    let path = made(&stage, &root, json!({ "name": "slack", "kind": "slack", "url": receiver.url })).await;
    receiver.answers(404, "no_service");
    let tested = stage.post(&root, &format!("{path}/test"), json!({})).await.is(200);
    assert_eq!((&tested["sent"], &tested["answer"]), (&json!(false), &json!("answered 404: no_service")));
}

fn smtp(server: &MailServer, ca: &std::path::Path) -> Config {
    std::fs::write(ca, &server.certificate).unwrap();
    let smtp = Smtp {
        host: "localhost".into(),
        port: server.port,
        at_once: false,
        ca: ca.display().to_string(),
        from: "clockwright@example.com".into(),
        user: "clockwright".into(),
        password: "open sesame".to_owned().into(),
    };
    Config { smtp: Some(smtp), ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ask = || json!({ "name": "post", "kind": "mail", "to": ["ops@example.com", "lina@example.com"], "language": "zh" });
    let server = MailServer::start(true).await;
    let stage = Stage::with(On::Sqlite, smtp(&server, &folder.path().join("ca.pem"))).await;
    let root = stage.admin().await;
    let path = made(&stage, &root, ask()).await;
    let tested = stage.post(&root, &format!("{path}/test"), json!({})).await.is(200);
    assert_eq!(tested["sent"], true, "{tested}");
    let mail = server.take().pop().unwrap();
    for part in ["RCPT TO:<ops@example.com>", "RCPT TO:<lina@example.com>", "Message-ID: <", "AUTH PLAIN"] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    let plain = MailServer::start(false).await;
    let stage = Stage::with(On::Sqlite, smtp(&plain, &folder.path().join("other.pem"))).await;
    let root = stage.admin().await;
    let path = made(&stage, &root, ask()).await;
    let tested = stage.post(&root, &format!("{path}/test"), json!({})).await.is(200);
    assert_eq!(tested["sent"], false, "{tested}");
    assert!(plain.take().is_empty());
}

/// Somebody, and who is told what is the matter.
async fn told() -> (Stage, Caller, Receiver) {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let receiver = Receiver::start().await;
    made(&stage, &root, json!({ "name": "ops", "kind": "webhook", "url": receiver.url })).await;
    crate::alerts::lead(&stage).await;
    (stage, root, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_told_by_the_server_itself_once() {
    let (stage, _, receiver) = told().await;
    let mut own = Own::default();
    own.turn(&stage.app).await;
    stage.app.store.close().await;
    own.turn(&stage.app).await;
    assert!(receiver.take().is_empty(), "it may be back in a moment");
    stage.pass(60_000);
    own.turn(&stage.app).await;
    own.turn(&stage.app).await;
    let received = receiver.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].json()["alerts"][0]["condition"], "database_away");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_that_elects_is_told_to_be_away_by_the_server_itself_once_and_to_be_back() {
    let (stage, root, receiver) = told().await;
    let is_there = Arc::new(AtomicBool::new(false));
    let server = stage.another_by(way(&stage.registry, &is_there)).await;
    let mut own = Own::default();
    own.turn(&server).await;
    stage.pass(60_000);
    let quiet =
        json!({ "conditions": ["registry_away"], "endsAt": "2027-01-15T08:02:00Z", "reason": "it is moved" });
    let made = stage.post(&root, "/silences", quiet).await.is(201);
    own.turn(&server).await;
    assert!(receiver.take().is_empty(), "somebody wants to hear nothing of it");
    let silence = format!("/silences/{}", made["id"].as_str().unwrap());
    stage.delete(&root.at(1), &silence).await.is(204);
    own.turn(&server).await;
    own.turn(&server).await;
    is_there.store(true, Ordering::SeqCst);
    own.turn(&server).await;
    own.turn(&server).await;
    let told = receiver.take().into_iter().map(|message| {
        let alert = &message.json()["alerts"][0];
        json!([alert["condition"], alert["event"], alert["params"]["thing"]])
    });
    let expected = [json!(["registry_away", "opened", "home"]), json!(["registry_away", "ended", "home"])];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let record = stage.get(&root, "/journal?action=alert.sent-alone").await.is(200)["items"][0].clone();
    assert_eq!(record["target"]["id"], "registry_away", "{record:#}");
}

async fn begin(store: &Store) -> Change {
    store.begin(Actor::server("another"), 1_800_000_000_000).await.unwrap()
}

async fn commit(mut change: Change) {
    let target = Target { kind: "channel", id: String::new(), name: String::new() };
    change.record(record("channel.update", 0, target));
    change.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_answers_what_nobody_understands_is_not_away() {
    let (stage, _, receiver) = told().await;
    let mut own = Own::default();
    own.turn(&stage.app).await;
    let table = tables().into_iter().find(|table| table.name == "CLOCKWRIGHT_CHANNEL").unwrap();
    let of_later = ["x", "", "pigeons", "pigeon", "{}", "", "on", ""];
    let row = of_later.iter().zip(&table.columns);
    let row = row.map(|(text, column)| if column.is_text { json!(text) } else { json!(1) }).collect();
    let mut change = begin(&stage.app.store).await;
    change.put_rows(&table, &table.columns, &[row]).await.unwrap();
    commit(change).await;
    assert!(stage.app.store.channels().await.is_err());
    own.turn(&stage.app).await;
    stage.pass(60_000);
    own.turn(&stage.app).await;
    assert!(receiver.take().is_empty());
}

async fn a_secret_that_is_changed_while_all_are_sealed_anew_stays(stage: &Stage) {
    let root = stage.admin().await;
    made(stage, &root, json!({ "name": "ops", "kind": "webhook", "url": "http://127.0.0.1:1/" })).await;
    let row = stage.app.store.channels().await.unwrap().remove(0);
    let mut sealing = begin(&stage.app.store).await;
    let read = sealing.sealed_channels().await.unwrap();
    let mut changing = begin(&stage.app.store).await;
    let changed = clockwright_server::store::ChannelRow { sealed: "new".to_owned(), ..row };
    assert!(changing.update_channel(&changed).await.unwrap());
    commit(changing).await;
    let (id, was) = &read[0];
    assert!(!sealing.seal_channel(id, was, "old").await.unwrap());
    drop(sealing);
    assert_eq!(stage.app.store.channels().await.unwrap()[0].sealed, "new");
}

async fn a_rescue_is_told_on_every_channel_at_once_whatever_is_silenced(stage: &Stage) {
    let root = stage.admin().await;
    let (everybody, theirs) = (Receiver::start().await, Receiver::start().await);
    webhook(stage, &root, &everybody).await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let ask = json!({ "name": "theirs", "kind": "webhook", "url": theirs.url, "secret": "open sesame" });
    stage.post(&root, "/projects/billing/channels", ask).await.is(201);
    let silence =
        json!({ "endsAt": clockwright_api::At(stage.app.now() + HOUR), "reason": "it is to be quiet" });
    stage.post(&root, "/silences", silence).await.is(201);
    let term = term(stage).await;
    let mut watch = Watch::begin(&stage.app, term.clone()).await.unwrap();
    let mut told = async || {
        watch.turn(&stage.app).await.unwrap();
        send::turn(&stage.app, &term).await.unwrap();
        let texts = |receiver: &Receiver| -> Vec<String> {
            let told = receiver.take();
            told.iter().map(|one| one.json()["alerts"][0]["text"].as_str().unwrap().to_owned()).collect()
        };
        let (all, of_project) = (texts(&everybody), texts(&theirs));
        assert_eq!(all, of_project);
        stage.pass(1_000);
        all
    };
    assert!(told().await.is_empty());
    let link = clockwright_server::rescue(&stage.app, None, json!({})).await.unwrap();
    let made = told().await;
    let begins = "a link was made that lets rescue in as an administrator for an hour: record ";
    assert!(made.len() == 1 && made[0].starts_with(begins), "{made:?}");
    stage.open_link(&link.url, None).await;
    let used = told().await;
    assert!(used.len() == 1 && used[0].starts_with("somebody came in as rescue"), "{used:?}");
    assert!(told().await.is_empty());
}
