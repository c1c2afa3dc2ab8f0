//! What happened, from the event stores, for those who may see it.

use crate::stage::{Caller, Stage, on_each_database};
use clockwright_events::{Loss, Sink, testing};
use clockwright_model::{
    Event, Execution, ExecutionSource, FailureKind, Fire, JobName, Millis, Outcome, Reason, RunId, Settlement,
};
use serde_json::{Value, json};

on_each_database! {
    outcomes_come_in_pages_and_what_is_asked_for_narrows
    of_a_store_that_projects_share_each_sees_their_own
    attempts_of_a_project_are_those_at_its_own_jobs
    a_search_finds_outcomes_by_what_became_of_them_and_names_each_mistake
    fires_are_counted_and_what_could_not_be_kept_is_told
}

pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const NOW: Millis = 1_800_000_000_000;
const J: &str = "/projects/billing/jobs/report";

pub(crate) async fn project(stage: &Stage, root: &Caller, name: &str) {
    stage.post(root, "/projects", json!({ "name": name })).await.is(201);
    let settings = json!({ "elasticJobClass": "com.example.Job", "cron": "0 0 * * * ?", "timeZone": "UTC" });
    let job = json!({ "name": "report", "settings": settings });
    stage.post(root, &format!("/projects/{name}/jobs"), job).await.is(201);
}

/// The fire of so many hours ago.
pub(crate) fn settled(namespace: &str, hours: Millis, outcome: Outcome) -> Settlement {
    let fire = NOW - hours * HOUR;
    Settlement {
        namespace: namespace.into(),
        job: JobName::new("report").unwrap(),
        fire: Fire::Scheduled(fire),
        run_id: Some(RunId::new(fire, namespace.len() as u128)),
        start: Some(fire + 5),
        at: fire + 1_000,
        outcome,
        ..testing::settlement(1)
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed { kind: FailureKind::Job, reason: Reason::stored(None, None, "the disk is full") }
}

pub(crate) async fn put<E: Into<Event>>(stage: &Stage, events: Vec<E>) {
    let events: Vec<Event> = events.into_iter().map(Into::into).collect();
    stage.history().await.store(&events).await.unwrap();
}

fn fires(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["fireAt"].as_str().unwrap()).collect()
}

async fn outcomes_come_in_pages_and_what_is_asked_for_narrows(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    let mut all: Vec<_> = (1..=5).map(|hours| settled("billing", hours, Outcome::Succeeded)).collect();
    all[2].outcome = failed();
    put(stage, all).await;
    for place in ["/runs", "/projects/billing/runs", &format!("{J}/runs")] {
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let page = stage.get(&root, &format!("{place}?limit=2{after}")).await.is(200);
            seen.extend(fires(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let expected: Vec<_> = (3..=7).rev().map(|hour| format!("2027-01-15T0{hour}:00:00.000Z")).collect();
        assert_eq!(seen, expected, "{place}");
    }
    let one = stage.get(&root, "/runs?outcome=failed&text=DISK").await.is(200);
    let row = &one["items"][0];
    assert_eq!((&row["project"], &row["outcome"]), (&json!("billing"), &json!("failed")));
    assert_eq!((&row["reason"], &row["failure"]), (&json!("the disk is full"), &json!("job")));
    let span = "/runs?from=2027-01-15T05:00:00Z&to=2027-01-15T06:00:00Z";
    assert_eq!(fires(&stage.get(&root, span).await.is(200)), ["2027-01-15T05:00:00.000Z"]);
    let run = stage.get(&root, &format!("/runs/{}", row["run"].as_str().unwrap())).await.is(200);
    assert_eq!(run["outcome"]["reason"], "the disk is full");
    let wrong = stage.get(&root, "/runs?outcome=lost").await.refused("invalid");
    assert!(wrong["errors"][0]["message"].as_str().unwrap().contains("succeeded"), "{wrong:#}");
    stage.get(&root, "/runs?after=rubbish").await.refused("bad-cursor");
    stage.get(&root, &format!("{J}/runs?job=other")).await.refused("unknown-parameter");
    stage.get(&root, "/runs/none").await.refused("not-found");
}

async fn of_a_store_that_projects_share_each_sees_their_own(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    project(stage, &root, "payroll").await;
    let viewer = stage.somebody(&root, "vera", None).await;
    stage.put(&root, "/projects/billing/members/user/vera", json!({ "role": "viewer" })).await.is(200);
    let theirs = settled("payroll", 1, failed());
    let run = theirs.run_id.unwrap();
    // What kept no namespace may be anybody's of the two.
    put(stage, vec![theirs, settled("billing", 2, Outcome::Succeeded), settled("", 3, Outcome::Succeeded)])
        .await;
    put(stage, vec![settled("gone", 4, Outcome::Succeeded)]).await;
    assert_eq!(fires(&stage.get(&viewer, "/runs").await.is(200)), ["2027-01-15T06:00:00.000Z"]);
    assert_eq!(fires(&stage.get(&root, "/runs").await.is(200)).len(), 3);
    stage.get(&viewer, &format!("/runs/{run}")).await.refused("not-found");
    stage.get(&root, &format!("/runs/{run}")).await.is(200);
    for place in [
        "runs",
        "attempts",
        "stats",
        "losses",
        "jobs/report/runs",
        "jobs/report/ledger",
        "jobs/report/attempts",
        "jobs/report/changes",
    ] {
        stage.get(&viewer, &format!("/projects/payroll/{place}")).await.refused("not-found");
        stage.get(&viewer, &format!("/projects/billing/{place}")).await.is(200);
    }
    let attempts = stage.get(&viewer, &format!("{J}/attempts")).await.is(200);
    assert_eq!(attempts["shared"], true, "the tables of attempts know no project");
}

async fn fires_are_counted_and_what_could_not_be_kept_is_told(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    put(stage, vec![settled("billing", 2, Outcome::Succeeded), settled("billing", 1, failed())]).await;
    for place in ["/projects/billing/stats", &format!("{J}/stats")] {
        let counts = stage.get(&root, place).await.is(200);
        assert_eq!(counts[0]["at"], "2027-01-15T06:00:00.000Z", "{place}: {counts:#}");
        assert_eq!((&counts[0]["succeeded"], &counts[1]["failed"]), (&json!(1), &json!(1)));
        let days = stage.get(&root, &format!("{place}?width=day")).await.is(200);
        assert_eq!((&days[0]["succeeded"], &days[0]["failed"]), (&json!(1), &json!(1)));
        stage.get(&root, &format!("{place}?width=minute")).await.refused("invalid");
    }
    let loss = Loss {
        id: RunId(7),
        from: NOW - HOUR,
        to: NOW - HOUR + 1,
        statuses: 1,
        executions: 2,
        settlements: 3,
        failures: 4,
        reason: "the queue was full".into(),
    };
    stage.history().await.record_loss(&loss).await.unwrap();
    let losses = stage.get(&root, "/projects/billing/losses").await.is(200);
    assert_eq!((&losses[0]["failures"], &losses[0]["reason"]), (&json!(4), &json!("the queue was full")));
}

async fn attempts_of_a_project_are_those_at_its_own_jobs(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    let at = |job: &str, number: u128, source| Execution {
        id: RunId::new(NOW, number),
        job: JobName::new(job).unwrap(),
        start: NOW + number as Millis,
        source,
        ..testing::execution(0)
    };
    // Between two of its own lie more of others than a page has.
    let foreign = (1..40).map(|number| at("elsewhere", number, ExecutionSource::NormalTrigger));
    let own = [at("report", 0, ExecutionSource::Misfire), at("report", 99, ExecutionSource::NormalTrigger)];
    put(stage, foreign.chain(own).collect()).await;
    let runs = async |query: &str| {
        let page = stage.get(&root, &format!("/projects/billing/attempts{query}")).await.is(200);
        let began: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["startedAt"].as_str().unwrap().to_owned())
            .collect();
        (began, page["next"].as_str().map(str::to_owned))
    };
    let [first, last] = ["2027-01-15T08:00:00.099Z", "2027-01-15T08:00:00.000Z"].map(str::to_owned);
    assert_eq!(runs("").await.0, [first.clone(), last.clone()]);
    let (page, next) = runs("?limit=1").await;
    assert_eq!(page, [first]);
    // What follows is looked for a few pages far at a time.
    let (mut next, mut found) = (next, Vec::new());
    while let Some(after) = next {
        let (page, more) = runs(&format!("?limit=1&after={after}")).await;
        found.extend(page);
        next = more;
    }
    assert_eq!(found, std::slice::from_ref(&last));
    assert_eq!(runs("?source=MISFIRE&instance=10.0.0.1@-@7").await.0, [last]);
    assert!(runs("?instance=10.0.0.2@-@7").await.0.is_empty());
    let wrong = stage.get(&root, "/projects/billing/attempts?source=RETRY").await.refused("invalid");
    assert!(wrong["errors"][0]["message"].as_str().unwrap().contains("FAILOVER"), "{wrong:#}");
}

async fn a_search_finds_outcomes_by_what_became_of_them_and_names_each_mistake(stage: &Stage) {
    let root = stage.admin().await;
    project(stage, &root, "billing").await;
    project(stage, &root, "payroll").await;
    let long = Settlement { at: NOW - 2 * HOUR + 600_000, ..settled("billing", 2, Outcome::Succeeded) };
    let mut all: Vec<_> = (3..10).map(|hours| settled("billing", hours, Outcome::Succeeded)).collect();
    all.extend([settled("billing", 1, failed()), long, settled("payroll", 1, failed())]);
    put(stage, all).await;
    // How long runs usually take is added up every few seconds.
    stage.history().await.fold().await.unwrap();
    let found = async |place: &str, q: &str| {
        let page = stage.get(&root, &format!("{place}?limit=1000&q={q}")).await.is(200);
        fires(&page).into_iter().map(|at| at[11..13].parse::<i64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found("/runs", "outcome:failed").await, [7, 7]);
    assert_eq!(found("/runs", "outcome:failed,missed%20project:pay*").await, [7]);
    assert_eq!(found("/runs", "DISK%20-project:payroll").await, [7]);
    assert_eq!(found("/projects/billing/runs", "took:%3E5m").await, [6]);
    assert_eq!(found(&format!("{J}/runs"), "took:%3Ep50%20took:%3E10s%20-late:%3E1s").await, [6]);
    assert!(found(&format!("{J}/runs"), "took:%3Cp50%20took:%3E10s").await.is_empty());
    assert_eq!(found("/runs", "due:%3C90m%20kind:job").await.len(), 2);
    assert!(found("/runs", "outcome:failed%20-kind:job").await.is_empty());
    // A page is as long as was asked for, also of what is looked for row by row.
    let page = stage.get(&root, "/projects/billing/runs?limit=3&q=late:%3C1s").await.is(200);
    assert_eq!((fires(&page).len(), page["next"].is_string()), (3, true));
    let next = page["next"].as_str().unwrap();
    let rest = stage
        .get(&root, &format!("/projects/billing/runs?limit=100&q=late:%3C1s&after={next}"))
        .await
        .is(200);
    assert_eq!((fires(&rest).len(), rest["next"].is_string()), (6, false));
    let wrong = stage.get(&root, "/runs?q=outcome:lost%20%E6%97%A5%20next:1h").await.refused("bad-filter");
    let places: Vec<_> =
        wrong["mistakes"].as_array().unwrap().iter().map(|one| (&one["from"], &one["to"])).collect();
    assert_eq!(places, [(&json!(8), &json!(12)), (&json!(15), &json!(19))], "{wrong:#}");
    assert!(wrong["errors"][0]["message"].as_str().unwrap().contains("coalesced"), "{wrong:#}");
}
