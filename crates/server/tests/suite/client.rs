//! The client: every route of the table is called through it, over a socket; and it says so when one is not.

use crate::stage::{On, PASSWORD, Stage};
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use clockwright_api::alerts::{Ack, AlertsAsk, ChannelAsk, DeliveriesAsk, RuleAsk, SilenceAsk};
use clockwright_api::client::{Answered, Client, Credential, Error, Event};
use clockwright_api::find::{ComingJobsAsk, NextAsk, OverviewAsk, PreviewSchedule, SuggestAsk, UpcomingAsk};
use clockwright_api::history::{AttemptsAsk, ChangesAsk, FireAsk, LedgerAsk, RunsAsk, SpanAsk, StatsAsk};
use clockwright_api::jobs::{AnchorsAsk, FacetsAsk, JobChange, JobsAsk, Rollback, WholeJob};
use clockwright_api::journal::JournalAsk;
use clockwright_api::live::{DumpAsk, FleetAsk};
use clockwright_api::operations::{
    Action, Bulk, Drain, DrainHost, Operate, OperateHost, Removal, ResumeItem, Select, Shutdown,
};
use clockwright_api::page::Paging;
use clockwright_api::people::{NewPerson, NewToken, Password, PersonChange, SignIn, UseLink};
use clockwright_api::plan::{ApplyAsk, PreviewAsk, WhatIfAsk};
use clockwright_api::projects::{NewProject, ProjectChange};
use clockwright_api::stream::StreamAsk;
use clockwright_api::sync::{Adopt, DriftAsk, Side};
use clockwright_api::text::{Login, Name, ProjectName, Reason, Title};
use clockwright_api::{At, Code, Etag, Role};
use clockwright_server::http::routes;
use clockwright_server::mirror;
use clockwright_server::observe::pulse::LIMIT;
use clockwright_testkit::patience::soon;
use futures::TryStreamExt;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which routes were asked, each with its method.
type Asked = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Serves a stage on a port, and notes which routes are asked.
async fn serve(stage: &Stage) -> (String, Asked) {
    let asked = Asked::default();
    let notes = Arc::clone(&asked);
    let router = stage.router().layer(from_fn(move |request: Request, next: Next| {
        let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        if let Some(path) = path {
            let row = (request.method().to_string(), path);
            notes.lock().unwrap_or_else(PoisonError::into_inner).insert(row);
        }
        next.run(request)
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

/// Refused with this code, or done: the route was asked in either case.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answered<T>, code: Code) {
    match answer {
        Err(error) => assert_eq!(error.code(), Some(code), "{error}"),
        Ok(answer) => panic!("it is done: {answer:?}"),
    }
}

fn person(login: &str) -> NewPerson {
    let empty = || Title::new("").unwrap();
    NewPerson { login: Login::new(login).unwrap(), name: empty(), mail: empty(), role: None }
}

fn token(name: &str, scopes: &[&str]) -> NewToken {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    NewToken { name: Name::new(name).unwrap(), scopes, projects: Vec::new(), expires_at: None }
}

fn whole(name: Option<&str>, cron: &str) -> WholeJob {
    let settings =
        json!({ "elasticJobType": "SCRIPT", "cron": cron, "props": { "script.command.line": "true" } });
    serde_json::from_value(json!({ "name": name, "settings": settings })).unwrap()
}

fn secret(url: &str) -> &str {
    url.split_once('#').unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_table_is_called_through_the_client() {
    let stage = Stage::new(On::Sqlite).await;
    let _watching = tokio::spawn(mirror::watch(Arc::clone(&stage.app)));
    let (address, asked) = serve(&stage).await;
    let nobody = Client::new(&address, Credential::None).unwrap();
    doors(&nobody).await;
    let client = first(&stage, &nobody).await;
    people(&stage, &client, &nobody).await;
    projects(&client).await;
    jobs(&client).await;
    plans(&client).await;
    now(&stage, &client).await;
    history(&client).await;
    operations(&stage, &client).await;
    alerts(&client).await;
    sync(&client).await;
    client.journal(&JournalAsk::default()).await.unwrap();
    client.project("billing").journal(&JournalAsk::default()).await.unwrap();
    assert!(client.verify_journal().await.unwrap().holds);
    system(&stage, &client).await;
    ends(&client).await;
    let (_, rows) = routes::router();
    let table: BTreeSet<_> = rows.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let left: Vec<_> = table.difference(&asked).collect();
    assert!(left.is_empty(), "the client has no call for {left:?}, or this test does not call it");
}

async fn doors(nobody: &Client) {
    assert_eq!(nobody.alive().await.unwrap().status, "alive");
    assert_eq!(nobody.ready().await.unwrap().status, "ready");
    assert_eq!(nobody.health().await.unwrap().status, "healthy");
    assert_eq!(nobody.health_too().await.unwrap().status, "healthy");
    nobody.version().await.unwrap();
    assert_eq!(nobody.document().await.unwrap()["openapi"], "3.1.0");
    assert!(nobody.problem(Code::Invalid).await.unwrap().contains("invalid"));
    refused(nobody.account().provider(true).await, Code::NotFound);
    refused(nobody.account().back("a", "b").await, Code::NotFound);
}

/// The first administrator, by the link of the start; then by their password.
async fn first(stage: &Stage, nobody: &Client) -> Client {
    let link = clockwright_server::setup_link(&stage.app).await.unwrap().unwrap();
    let ask = UseLink { login: Some(Login::new("root").unwrap()), password: Some(Password::new(PASSWORD)) };
    nobody.account().use_link(secret(&link.url), &ask).await.unwrap();
    let ask = SignIn { login: Login::new("root").unwrap(), password: Password::new(PASSWORD) };
    let signed_in = nobody.account().sign_in(&ask).await.unwrap();
    assert_eq!(signed_in.session.role, Some(Role::Admin));
    let client = signed_in.client;
    let account = client.account();
    account.who().await.unwrap();
    account.profile().await.unwrap();
    let change = PersonChange { name: Some(Title::new("Root").unwrap()), mail: None };
    assert_eq!(account.change(&change).await.unwrap().name, "Root");
    account.step_up(Password::new(PASSWORD)).await.unwrap();
    account
        .set_password(Password::new(PASSWORD), Password::new("another horse, another battery"))
        .await
        .unwrap();
    let sessions = account.sessions().await.unwrap();
    assert!(sessions.0.iter().any(|session| session.current));
    refused(account.end_session("none").await, Code::NotFound);
    account.end_sessions().await.unwrap();
    account.step_up(Password::new("another horse, another battery")).await.unwrap();
    let made = account.make_token(&token("laptop", &["read"])).await.unwrap();
    assert_eq!(account.tokens().await.unwrap().0.len(), 1);
    let by_token = client.with(Credential::Token(made.secret.clone()));
    assert_eq!(by_token.account().who().await.unwrap().person.login, "root");
    account.end_token(&made.token.id).await.unwrap();
    client
}

async fn people(stage: &Stage, client: &Client, nobody: &Client) {
    let people = client.people();
    let invited = people.invite(&person("wei")).await.unwrap();
    let ask = UseLink { login: None, password: Some(Password::new(PASSWORD)) };
    nobody.account().use_link(secret(&invited.link.url), &ask).await.unwrap();
    let id = invited.person.id.clone();
    assert_eq!(people.list(&Paging::default()).await.unwrap().items.len(), 2);
    let wei = people.show(&id).await.unwrap();
    let change = PersonChange { name: Some(Title::new("Li Wei").unwrap()), mail: None };
    let changed = people.change(&id, wei.etag().unwrap(), &change).await.unwrap();
    refused(people.change(&id, wei.etag().unwrap(), &change).await, Code::VersionConflict);
    people.link(&id).await.unwrap();
    people.disable(&id).await.unwrap();
    people.enable(&id).await.unwrap();
    people.end_sessions(&id).await.unwrap();
    assert_eq!(client.set_member("user", "wei", Role::Viewer).await.unwrap().role, Role::Viewer);
    assert_eq!(client.members().await.unwrap().0.len(), 2);
    client.drop_member("user", "wei").await.unwrap();
    let version = people.show(&id).await.unwrap().etag().unwrap();
    assert!(version >= changed.etag().unwrap());
    people.remove(&id, version).await.unwrap();
    stage.pass(10_000);

    let services = client.services();
    let deploy = services.make(&person("deploy")).await.unwrap();
    assert_eq!(services.list(&Paging::default()).await.unwrap().items.len(), 1);
    let made = services.make_token(&deploy.id, &token("pipeline", &["write"])).await.unwrap();
    assert_eq!(services.tokens(&deploy.id).await.unwrap().0.len(), 1);
    services.end_token(&deploy.id, &made.token.id).await.unwrap();
    services.remove(&deploy.id, Etag(deploy.version)).await.unwrap();
}

async fn projects(client: &Client) {
    for name in ["billing", "other"] {
        let new: NewProject =
            serde_json::from_value(json!({ "name": ProjectName::new(name).unwrap() })).unwrap();
        client.make_project(&new).await.unwrap();
    }
    assert_eq!(client.projects().await.unwrap().0.len(), 2);
    let (billing, other) = (client.project("billing"), client.project("other"));
    let change = ProjectChange { title: Some(Title::new("Billing").unwrap()), ..ProjectChange::default() };
    let before = billing.show().await.unwrap();
    assert_eq!(billing.change(before.etag().unwrap(), &change).await.unwrap().title, "Billing");
    client.people().invite(&person("lin")).await.unwrap();
    billing.set_member("user", "lin", Role::Operator).await.unwrap();
    assert_eq!(billing.members().await.unwrap().0.len(), 1);
    billing.drop_member("user", "lin").await.unwrap();
    other.remove(other.show().await.unwrap().etag().unwrap(), true).await.unwrap();
}

async fn jobs(client: &Client) {
    let billing = client.project("billing");
    // The same key: made once, and answered again as it was then.
    let once = client.keyed("make-report");
    let made = once.project("billing").make_job(&whole(Some("report"), "0 0 3 * * ?")).await.unwrap();
    let again = once.project("billing").make_job(&whole(Some("report"), "0 0 3 * * ?")).await.unwrap();
    assert!(!made.is_replayed() && again.is_replayed() && made.value.id == again.value.id);
    billing.make_job(&whole(Some("日报 #1?"), "0 0 4 * * ?")).await.unwrap();
    let odd = billing.job("日报 #1?").definition().await.unwrap();
    assert_eq!(odd.name, "日报 #1?", "its name is one part of an address");

    let report = billing.job("report");
    let first = report.definition().await.unwrap().etag().unwrap();
    let change: JobChange =
        serde_json::from_value(json!({ "settings": { "description": "daily" } })).unwrap();
    let second = report.change(first, &change).await.unwrap();
    let stale = report.change(first, &change).await.unwrap_err();
    assert!(matches!(&stale, Error::Problem(problem) if problem.facts["current"] == 2), "{stale}");
    let third = report.replace(second.etag().unwrap(), &whole(None, "0 0 5 * * ?")).await.unwrap();
    let back: Rollback = serde_json::from_value(json!({ "version": 1 })).unwrap();
    let fourth = report.roll_back(third.etag().unwrap(), &back).await.unwrap();
    assert_eq!(fourth.version, 4);
    assert_eq!(report.versions(&Paging::default()).await.unwrap().items.len(), 4);
    assert!(report.version(2).await.unwrap().settings.is_some());
    assert_eq!(report.differences(1, 2).await.unwrap().0[0].key, "description");
    assert_eq!(client.facets(&FacetsAsk::default()).await.unwrap().count, 2);
    let anchors = client.anchors(&AnchorsAsk { every: Some(1), ..AnchorsAsk::default() }).await.unwrap();
    assert_eq!((anchors.count, anchors.after.len()), (2, 1));
    let page = client.jobs(&JobsAsk { limit: Some(1), ..JobsAsk::default() }).await.unwrap();
    let rest = JobsAsk { after: page.next.clone(), ..JobsAsk::default() };
    assert_eq!((page.items.len(), client.jobs(&rest).await.unwrap().items.len()), (1, 1));
    assert_eq!(billing.jobs(&JobsAsk::default()).await.unwrap().count, Some(2));
    let all: Vec<_> = client.every_job(&JobsAsk::default()).await.unwrap().try_collect().await.unwrap();
    let own: Vec<_> = billing.every_job(&JobsAsk::default()).await.unwrap().try_collect().await.unwrap();
    assert_eq!((all.len(), own.len()), (2, 2));
}

async fn plans(client: &Client) {
    let billing = client.project("billing");
    let files = billing.export().await.unwrap();
    assert!(files.contains("report") && billing.job("report").yaml().await.unwrap().contains("report"));
    let ask: ApplyAsk = serde_json::from_value(json!({ "source": "repository", "takeOver": true })).unwrap();
    let plan = billing.plan(&ask.plan(), &files).await.unwrap();
    assert_eq!(plan.changes.len(), 2, "{plan:?}");
    let stale = ApplyAsk { basis: Some("another".into()), ..ask };
    refused(billing.apply(&stale, &files).await, Code::PlanStale);
    let preview = PreviewAsk { settings: whole(None, "0 0 9 * * ?").settings };
    assert!(!billing.job("report").preview(&preview).await.unwrap().diff.is_empty());
    assert!(billing.job("report").dump(&DumpAsk::default()).await.unwrap().masked);
}

async fn now(stage: &Stage, client: &Client) {
    let billing = client.project("billing");
    let report = billing.job("report");
    client.overview(&OverviewAsk::default()).await.unwrap();
    assert!(!client.search("report").await.unwrap().0.is_empty());
    let ask = SuggestAsk { text: "job:rep".to_owned(), of: None };
    assert_eq!(client.suggest(&ask).await.unwrap().0[0].text, "job:report");
    let next = NextAsk { cron: "0 0 3 * * ?".into(), zone: None, from: None, n: Some(2) };
    assert_eq!(client.next_fires(&next).await.unwrap().fires.len(), 2);
    let schedule = PreviewSchedule { cron: "0 0 3 * * ?".into(), zone: None, from: None, n: None };
    assert_eq!(client.preview_schedule(&schedule).await.unwrap().fires.len(), 20);
    assert_eq!(client.upcoming(&UpcomingAsk::default()).await.unwrap().fires.len(), 24 * 60);
    client.upcoming_jobs(&ComingJobsAsk::default()).await.unwrap();
    client.instances(&FleetAsk::default()).await.unwrap();
    client.hosts(&FleetAsk::default()).await.unwrap();
    refused(client.instance("10.0.0.1@-@7").await, Code::NotFound);
    assert_eq!(report.live().await.unwrap().name, "report");
    // The mirror has it in a moment.
    soon("the mirror has it", async || {
        // By the clock of the limits, so that asking is never too much.
        stage.pass(100);
        report.items().await.is_ok()
    })
    .await;
    report.instances().await.unwrap();
    assert_eq!(report.what_if(&WhatIfAsk::default()).await.unwrap().moved, 0);
    billing.hosts().await.unwrap();
    refused(billing.host("10.0.0.1").await, Code::NoSuchHost);
    let ask = StreamAsk { project: Some("billing".into()), ..StreamAsk::default() };
    let mut stream = Box::pin(client.listen(&ask, None).await.unwrap());
    let hello = stream.try_next().await.unwrap().unwrap();
    let Event::Hello(hello) = hello.event else { panic!("{hello:?}") };
    let rows = [stream.try_next().await.unwrap().unwrap(), stream.try_next().await.unwrap().unwrap()];
    assert!(rows.iter().all(|row| matches!(row.event, Event::Live(_))), "{rows:?}");
    drop(stream);
    // From the beginning: what was missed is told, each with its number.
    let mut stream = Box::pin(client.listen(&ask, Some(hello.seq - 1)).await.unwrap());
    let told = [stream.try_next().await.unwrap().unwrap(), stream.try_next().await.unwrap().unwrap()];
    assert!(matches!(&told[1].event, Event::Journal(_)) && told[1].id == Some(hello.seq), "{told:?}");
}

async fn history(client: &Client) {
    let billing = client.project("billing");
    let report = billing.job("report");
    client.history().runs(&RunsAsk::default()).await.unwrap();
    refused(client.history().run("0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b").await, Code::NotFound);
    billing.runs(&RunsAsk::default()).await.unwrap();
    report.runs(&RunsAsk { outcome: Some("failed,missed".into()), ..RunsAsk::default() }).await.unwrap();
    report.attempts(&AttemptsAsk::default()).await.unwrap();
    billing.attempts(&AttemptsAsk::default()).await.unwrap();
    report.ledger(&LedgerAsk::default()).await.unwrap();
    refused(report.fire(At(1), &FireAsk::default()).await, Code::NotFound);
    report.changes(&ChangesAsk::default()).await.unwrap();
    billing.stats(&StatsAsk::default()).await.unwrap();
    report.stats(&StatsAsk::default()).await.unwrap();
    billing.losses(&SpanAsk::default()).await.unwrap();
}

async fn operations(stage: &Stage, client: &Client) {
    let waiting = client.waiting(Duration::from_secs(5));
    let billing = waiting.project("billing");
    let report = billing.job("report").operate();
    let ask = Operate::because(Reason::new("tests").unwrap());
    let on = OperateHost::default();
    let paused = report.pause(&ask).await.unwrap();
    assert_eq!((paused.state.as_str(), paused.result.news), ("done", true));
    assert_eq!(billing.holds().await.unwrap().0.len(), 1);
    report.resume(&on).await.unwrap();
    let far = Some("10.0.0.1".to_owned());
    report.offline(&ask).await.unwrap();
    refused(report.trigger(&ask).await, Code::JobOffline);
    report.online(&ask).await.unwrap();
    refused(report.rebalance(&ask).await, Code::NoLiveInstance);
    refused(report.drain(&Drain { host: far.clone(), ..Drain::default() }).await, Code::NoSuchHost);
    report.disable(&on).await.unwrap();
    report.enable(&on).await.unwrap();
    refused(report.shutdown(&Shutdown { target: far, ..Shutdown::default() }).await, Code::NoSuchHost);
    report.disable_item(0, &ask).await.unwrap();
    report.enable_item(0, &ask).await.unwrap();
    refused(report.enable_item(9, &ask).await, Code::NoSuchItem);
    let resume = ResumeItem { from: "now".to_owned(), reason: None, dry_run: false };
    assert_eq!(report.resume_item(0, &resume).await.unwrap().result.changed, 0, "it is not held");
    stage.pass(10_000);
    let host = billing.operate("10.0.0.1");
    refused(host.disable(&ask).await, Code::NoSuchHost);
    refused(host.enable(&ask).await, Code::NoSuchHost);
    refused(host.drain(&DrainHost::default()).await, Code::NoSuchHost);
    assert!(!host.resume(&ask).await.unwrap().result.news, "what is not drained is resumed already");
    refused(host.shutdown(&ask).await, Code::NoSuchHost);
    let bulk = Bulk {
        action: Action::Pause,
        select: Select::Q("report".into()),
        reason: Reason::new("tests").unwrap(),
        dry_run: true,
        expect: None,
    };
    assert_eq!(waiting.bulk(&bulk).await.unwrap().result.bulk.as_ref().unwrap().count, 1);
    assert!(!client.operations(&Paging::default()).await.unwrap().items.is_empty());
    client.operation(&paused.id).await.unwrap();
    client.cancel(&paused.id).await.unwrap();
}

async fn alerts(client: &Client) {
    let billing = client.project("billing");
    let rule: RuleAsk = serde_json::from_value(json!({ "name": "failing", "condition": "failing" })).unwrap();
    for rules in [client.rules(), billing.rules()] {
        let made = rules.make(&rule).await.unwrap();
        assert!(rules.list().await.unwrap().0.iter().any(|rule| rule.id == made.id));
        let shown = rules.show(&made.id).await.unwrap();
        let changed = rules.change(&made.id, shown.etag().unwrap(), &rule).await.unwrap();
        rules.remove(&made.id, changed.etag().unwrap()).await.unwrap();
    }
    let channel: ChannelAsk =
        serde_json::from_value(json!({ "name": "ops", "kind": "webhook", "url": "http://127.0.0.1:9/hook" }))
            .unwrap();
    for channels in [client.channels(), billing.channels()] {
        let made = channels.make(&channel).await.unwrap();
        assert!(channels.list().await.unwrap().0.iter().any(|channel| channel.id == made.id));
        let changed = channels.change(&made.id, made.etag().unwrap(), &channel).await.unwrap();
        // Nobody listens at that port.
        assert!(!channels.test(&made.id).await.unwrap().sent);
        channels.remove(&made.id, changed.etag().unwrap()).await.unwrap();
        refused(channels.change("none", Etag(1), &channel).await, Code::NotFound);
        refused(channels.test("none").await, Code::NotFound);
        refused(channels.remove("none", Etag(1)).await, Code::NotFound);
    }
    let alerts = client.alerts();
    alerts.list(&AlertsAsk::default()).await.unwrap();
    refused(alerts.show("none").await, Code::NotFound);
    refused(alerts.ack("none", &Ack::default()).await, Code::NotFound);
    refused(alerts.unack("none").await, Code::NotFound);
    let until = json!({ "endsAt": At(1_800_010_000_000), "reason": "tests" });
    let silence: SilenceAsk = serde_json::from_value(until).unwrap();
    let made = alerts.make_silence(&silence).await.unwrap();
    assert_eq!(alerts.silences().await.unwrap().0.len(), 1);
    let changed = alerts.change_silence(&made.id, made.etag().unwrap(), &silence).await.unwrap();
    alerts.end_silence(&made.id, changed.etag().unwrap()).await.unwrap();
    alerts.deliveries(&DeliveriesAsk::default()).await.unwrap();
    refused(alerts.send_again("none").await, Code::NotFound);
}

async fn sync(client: &Client) {
    let billing = client.project("billing");
    let report = billing.job("report");
    assert_eq!(report.sync().await.unwrap().state, "written");
    report.sync_now().await.unwrap();
    report.resolve(Side::Database).await.unwrap();
    billing.sync().await.unwrap();
    billing.sync_now().await.unwrap();
    billing.confirm().await.unwrap();
    billing.drifts(&DriftAsk::default()).await.unwrap();
    refused(billing.drift("none").await, Code::NotFound);
    billing.unmanaged().await.unwrap();
    billing.adopt(&Adopt { jobs: None, dry_run: true }).await.unwrap();
}

async fn system(stage: &Stage, client: &Client) {
    assert!(client.metrics().await.unwrap().contains("clockwright_build_info"));
    assert_eq!(client.system().await.unwrap().seq, stage.app.catalogue.seq());
    assert!(client.configuration().await.unwrap().0.iter().any(|setting| setting.key == "listen"));
    client.doctor().await.unwrap();
    let pulse = stage.app.pulses.begin("mirrors");
    pulse.turned_at(Instant::now() - LIMIT);
    let stuck = client.alive().await.unwrap();
    assert_eq!((stuck.status.as_str(), stuck.troubles[0].code.as_str()), ("stuck", "loop-still"));
}

async fn ends(client: &Client) {
    let billing = client.project("billing");
    let removal = Removal { mode: Some("stop".into()), reason: Some("tests".into()), ..Removal::default() };
    let removed = billing.job("日报 #1?").remove(&removal).await.unwrap();
    assert_eq!(removed.kind, "remove");
    client.account().sign_out().await.unwrap();
    refused(client.account().who().await, Code::SessionOver);
}
