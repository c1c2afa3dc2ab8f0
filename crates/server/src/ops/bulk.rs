//! One operation on many jobs.
//!
//! # How it goes
//! A selection is by search words or by name. Whoever asks is asked for their permission on each job; one that they may not operate is refused singly.
//! The dry run tells how many there are, and `expect`: the digest of the jobs and their versions. Above [`LOOKED_AT`] jobs the real call has to
//! send it, and is refused when the selection is another one by now.
//!
//! It is an operation itself: its row has the jobs, and each job's own operation is begun with a key made of both ids. So whoever carries the
//! whole on after a crash finds what was done of each job by its key, and does no job twice. A few jobs are worked on at once.
//!
//! `undo` of its end is the body that takes back what it did: the opposite, of the jobs that it changed.

use super::frame::{Asked, carry_out};
use super::run::{keep_answer, took};
use super::view::told;
use super::{Live, Operated, Who, key_of};
use crate::app::App;
use crate::decide::chain::{Outcome as Ending, Record, Target, sha256};
use crate::decide::ops::Act;
use crate::decide::permit::{self, Place as Where, Principal};
use crate::decide::query::Query as Search;
use crate::fail::Point;
use crate::http::grant::{Asker, Key};
use crate::http::refusal::{Answered, Refusal};
use crate::http::v1::lists::finds;
use crate::store::{JobRow, OperationRow, OperationState, StoreError};
use clockwright_api::operations::{
    Action, Bulk, BulkOutcome, NamedJob as Named, Operation, Outcome, PerJob, Select,
};
use clockwright_api::{At, Code, Permission, Problem};
use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What the operation on many jobs is called.
pub(super) const KIND: &str = "bulk";
/// How many jobs are worked on at once.
const AT_ONCE: usize = 8;
/// The most jobs of one call.
const MOST: usize = 10_000;
/// Up to so many jobs are believed to have been looked at.
const LOOKED_AT: usize = 20;
/// So many names are told of a dry run.
const NAMES: usize = 100;
/// How often what was done is noted.
const NOTED: usize = 64;
/// How long one job's operation is waited for.
const EACH: Duration = Duration::from_secs(20);

/// How often it is looked whether what was begun before has ended.
const AGAIN: Duration = Duration::from_millis(200);

/// What was asked, as it is stored with the operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Whole {
    action: Action,
    reason: String,
    who: Who,
    key: Option<(String, String)>,
    /// The ids of the jobs that may be operated.
    jobs: Vec<i64>,
    /// What was refused from the beginning.
    refused: Vec<PerJob>,
    /// The trace that the request belongs to.
    #[serde(rename = "traceparent", default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

fn act(action: Action) -> Act {
    match action {
        Action::Disable => Act::Disable { host: None },
        Action::Enable => Act::Enable { host: None },
        Action::Pause => Act::Pause,
        Action::Resume => Act::Resume { host: None },
        Action::Offline => Act::Offline,
        Action::Online => Act::Online,
        Action::Trigger => Act::Trigger,
        Action::Rebalance => Act::Rebalance,
    }
}

/// What takes it back.
fn opposite(action: Action) -> Option<Action> {
    Some(match action {
        Action::Disable => Action::Enable,
        Action::Enable => Action::Disable,
        Action::Pause => Action::Resume,
        Action::Offline => Action::Online,
        Action::Online => Action::Offline,
        Action::Resume | Action::Trigger | Action::Rebalance => return None,
    })
}

/// The jobs that are meant, with the names of their projects, in the order of their ids; and what is not there.
fn select(app: &App, asker: &Asker, select: &Select) -> Answered<(Vec<Arc<JobRow>>, Vec<PerJob>)> {
    let (mut jobs, mut missing) = (Vec::new(), Vec::new());
    let sees = |project: i64| may(&asker.principal, Permission::JobRead, project);
    match select {
        Select::Q(q) => {
            let search =
                Search::parse(q).map_err(|bad| crate::http::v1::lists::unreadable("/select/q", bad))?;
            for project in app.catalogue.projects().into_iter().filter(|project| sees(project.id)) {
                let all = app.catalogue.jobs(project.id).into_iter();
                jobs.extend(all.filter(|job| finds(app, &search, &project, job)));
            }
        }
        Select::Jobs(names) => {
            for name in names {
                let project = app.catalogue.project(&name.project).filter(|project| sees(project.id));
                match project.and_then(|project| app.catalogue.job(project.id, &name.name)) {
                    Some(job) => jobs.push(job),
                    None => missing.push(PerJob::refused(name.clone(), Code::NotFound)),
                }
            }
        }
    }
    jobs.sort_by_key(|job| job.id);
    jobs.dedup_by_key(|job| job.id);
    if jobs.len() > MOST {
        let detail = format!("{} jobs are selected, and {MOST} are the most", jobs.len());
        return Err(Problem::new(Code::TooLarge, detail).with("limit", MOST).into());
    }
    Ok((jobs, missing))
}

fn may(principal: &Principal, permission: Permission, project: i64) -> bool {
    permit::permit(principal, permission, Where::Project(project)) == permit::Answer::Allowed
}

fn named(app: &App, job: &JobRow) -> Named {
    let project = app.catalogue.project_of(job.project);
    Named { project: project.map(|project| project.name.clone()).unwrap_or_default(), name: job.name.clone() }
}

/// The digest of a selection.
fn digest(jobs: &[Arc<JobRow>]) -> String {
    let text: Vec<String> = jobs.iter().map(|job| format!("{}:{}", job.id, job.version)).collect();
    sha256(text.join(",").as_bytes())
}

/// Does it, or says what it would do.
///
/// # Errors
/// The selection cannot be read, is another one than was looked at, or has too many jobs.
pub async fn bulk(app: &Arc<App>, asker: &Asker, ask: Bulk, wait: Option<Duration>) -> Answered<Operated> {
    let slot = app.large_slot(&asker.principal.id)?;
    let (jobs, mut refused) = select(app, asker, &ask.select)?;
    let expect = digest(&jobs);
    let (allowed, denied): (Vec<_>, Vec<_>) =
        jobs.iter().partition(|job| may(&asker.principal, Permission::JobOperate, job.project));
    refused.extend(denied.into_iter().map(|job| PerJob::refused(named(app, job), Code::NotAllowed)));
    if ask.dry_run {
        return plan(app, asker, &ask, &allowed, refused, expect).await;
    }
    let reason = String::from(ask.reason);
    if reason.trim().is_empty() {
        return Err(Problem::new(Code::Invalid, "many jobs need a reason").at("/reason", "is empty").into());
    }
    match &ask.expect {
        None if jobs.len() > LOOKED_AT => {
            let detail = format!("{} jobs are selected: what the dry run answered is to be sent", jobs.len());
            let fix = "send `dryRun: true`, look, and send its `expect`";
            return Err(Problem::new(Code::PreconditionRequired, detail).fix(fix).into());
        }
        Some(sent) if *sent != expect => {
            let detail = "other jobs are selected, or one has changed, since the dry run";
            return Err(Problem::new(Code::SelectionChanged, detail).with("expect", expect).into());
        }
        _ => {}
    }
    let projects: Vec<i64> = jobs.iter().map(|job| job.project).collect();
    let one = projects.first().copied().filter(|first| projects.iter().all(|project| project == first));
    let whole = Whole {
        action: ask.action,
        reason,
        who: (&asker.actor).into(),
        trace: asker.trace.clone(),
        key: key_of(asker),
        jobs: allowed.iter().map(|job| job.id).collect(),
        refused,
    };
    let row = begin(app, asker, &whole, one.unwrap_or_default()).await?;
    let (id, live) = (row.id.clone(), app.ops.claim(&row.id));
    let run = run(Arc::clone(app), row, live);
    let work = tokio::spawn(async move {
        let _slot = slot;
        run.await;
    });
    let _ = tokio::time::timeout(wait.unwrap_or_default(), work).await;
    let missing = || Problem::new(Code::UnknownOutcome, "the operation is not found any more");
    told(app, &app.store.operation(&id).await?.ok_or_else(missing)?)
}

async fn plan(
    app: &Arc<App>,
    asker: &Asker,
    ask: &Bulk,
    allowed: &[&Arc<JobRow>],
    mut refused: Vec<PerJob>,
    expect: String,
) -> Answered<Operated> {
    let mut warnings = BTreeMap::new();
    let jobs: Vec<Arc<JobRow>> = allowed.iter().map(|job| Arc::clone(job)).collect();
    let each = stream::iter(jobs.into_iter().map(|job| dry(app, asker, ask, job))).buffered(AT_ONCE);
    let mut each = std::pin::pin!(each);
    while let Some(told) = each.next().await {
        match told {
            Ok(operated) => {
                for warning in operated.operation().result.warnings.clone() {
                    *warnings.entry(warning).or_insert(0u64) += 1;
                }
            }
            Err((name, code)) => refused.push(PerJob::refused(name, code)),
        }
    }
    let bulk = BulkOutcome {
        count: allowed.len() as u64,
        jobs: allowed.iter().take(NAMES).map(|job| named(app, job)).collect(),
        codes: codes(&refused),
        expect: Some(expect),
        ..BulkOutcome::default()
    };
    let told = |(text, jobs): (String, u64)| if jobs == 1 { text } else { format!("{text} ({jobs} jobs)") };
    let warnings = warnings.into_iter().map(told).collect();
    Ok(Operated::of(Operation {
        id: String::new(),
        kind: KIND.to_owned(),
        project: String::new(),
        job: None,
        state: "dry-run".to_owned(),
        by: asker.principal.name.clone(),
        reason: String::new(),
        at: At(app.now()),
        ended_at: None,
        result: Outcome { warnings, bulk: Some(bulk), ..Outcome::default() },
    }))
}

async fn dry(app: &Arc<App>, asker: &Asker, ask: &Bulk, job: Arc<JobRow>) -> Result<Operated, (Named, Code)> {
    let named = named(app, &job);
    let gone = || (named.clone(), Code::NotFound);
    let project = app.catalogue.project_of(job.project).ok_or_else(gone)?;
    let asked = Asked {
        project,
        job: Some(job),
        act: act(ask.action),
        reason: String::new(),
        dry_run: true,
        wait: None,
    };
    carry_out(app, asker, asked).await.map_err(|refusal| (named, code_of(&refusal)))
}

fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Problem(problem) => problem.kind().unwrap_or(Code::Internal),
        Refusal::Replay(_) => Code::RequestInProgress,
    }
}

fn codes(refused: &[PerJob]) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for code in refused.iter().filter(|job| !job.code.is_empty()).map(|job| job.code.clone()) {
        *codes.entry(code).or_default() += 1;
    }
    codes
}

/// T1.
async fn begin(app: &App, asker: &Asker, whole: &Whole, project: i64) -> Answered<OperationRow> {
    let mut change = app.begin(asker).await?;
    let row = OperationRow {
        id: uuid::Uuid::now_v7().to_string(),
        kind: KIND.to_owned(),
        project,
        job: 0,
        ask: serde_json::to_string(whole).unwrap_or_default(),
        state: OperationState::Running,
        cancelled: false,
        done: "[]".to_owned(),
        server: app.id.clone(),
        by: asker.principal.id.clone(),
        at: change.now(),
        ended: None,
        answer: None,
    };
    let key = whole.key.as_ref().map(|(who, key)| (who.as_str(), key.as_str()));
    change.insert_operation(&row, key).await?;
    let told = json!({ "action": whole.action, "jobs": whole.jobs.len(), "refused": whole.refused.len() });
    change.record(record(&row, Ending::Begun, told, &whole.reason));
    app.commit(change).await?;
    Ok(row)
}

fn record(row: &OperationRow, outcome: Ending, changes: Value, reason: &str) -> Record {
    Record {
        action: "job.bulk",
        project: row.project,
        target: Target { kind: "operation", id: row.id.clone(), name: KIND.to_owned() },
        outcome,
        code: "",
        changes,
        reason: reason.to_owned(),
    }
}

/// Carries it out, from where it is.
pub(super) async fn run(app: Arc<App>, row: OperationRow, _live: Option<Live>) {
    let Ok(whole) = serde_json::from_str::<Whole>(&row.ask) else {
        tracing::error!(operation = row.id, "an operation of a later program is left alone");
        return;
    };
    match carry(&app, &row, &whole).await {
        Ok(Some((state, results))) => {
            if let Err(error) = end(&app, &row, &whole, state, results).await {
                tracing::warn!(
                    operation = row.id,
                    ?error,
                    "an operation's end cannot be written: it is made again"
                );
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(operation = row.id, %error, "an operation rests: the database is away"),
    }
}

/// Works on each job that was not worked on yet; `None` when it is another server's by now, or a test lets this one crash.
async fn carry(
    app: &Arc<App>,
    row: &OperationRow,
    whole: &Whole,
) -> Result<Option<(OperationState, Vec<PerJob>)>, StoreError> {
    let mut results: Vec<PerJob> = serde_json::from_str(&row.done).unwrap_or_default();
    let mut rest = whole.jobs.get(results.len()..).unwrap_or_default();
    while !rest.is_empty() {
        let Some(now) = app.store.operation(&row.id).await? else { return Ok(None) };
        if now.server != row.server {
            return Ok(None);
        }
        if now.cancelled {
            return Ok(Some((OperationState::Cancelled, results)));
        }
        let (group, after) = rest.split_at(rest.len().min(NOTED));
        let done: Vec<PerJob> = stream::iter(group.iter().copied().map(|job| one(app, row, whole, job)))
            .buffered(AT_ONCE)
            .collect()
            .await;
        if app.failpoints.pass(Point::OperationGrouped).is_err() {
            return Ok(None);
        }
        results.extend(done);
        app.store
            .remember(&row.id, &row.server, &serde_json::to_string(&results).unwrap_or_default())
            .await?;
        rest = after;
    }
    let failed = results.iter().any(|job| job.state != "done");
    let state =
        if failed || !whole.refused.is_empty() { OperationState::Partial } else { OperationState::Done };
    Ok(Some((state, results)))
}

/// One job; what was done of it before is found by the key.
async fn one(app: &Arc<App>, row: &OperationRow, whole: &Whole, id: i64) -> PerJob {
    let gone = |name: Named| PerJob::refused(name, Code::NotFound);
    let nobody = Named { project: String::new(), name: id.to_string() };
    let job = match app.store.job(id).await {
        Ok(Some(job)) => Arc::new(job),
        Ok(None) => return gone(nobody),
        Err(_) => return PerJob::refused(nobody, Code::DatabaseAway),
    };
    let name = named(app, &job);
    let Some(project) = app.catalogue.project_of(job.project) else { return gone(name) };
    let key =
        Key { text: format!("{}:{id}", row.id), route: "bulk".to_owned(), body: sha256(row.id.as_bytes()) };
    let actor = whole.who.actor();
    let principal = Principal { id: actor.id.clone(), name: actor.name.clone(), ..Principal::default() };
    let asker = Asker {
        principal: Arc::new(principal),
        actor,
        key: Some(key.clone()),
        proved_at: None,
        trace: whole.trace.clone(),
    };
    let asked = Asked {
        project,
        job: Some(job),
        act: act(whole.action),
        reason: whole.reason.clone(),
        dry_run: false,
        wait: Some(EACH),
    };
    let begun = Instant::now();
    let told = loop {
        let told = match app.replay(&asker.principal.id, &key).await {
            Ok(()) => carry_out(app, &asker, asked.clone()).await,
            Err(refusal) => Err(refusal),
        };
        // What was begun before goes on by itself.
        let goes_on = told.as_ref().is_err_and(|refusal| code_of(refusal) == Code::RequestInProgress);
        let is_kept = matches!(told, Err(Refusal::Replay(_)));
        if !goes_on || is_kept || begun.elapsed() >= EACH {
            break told;
        }
        sleep(AGAIN).await;
    };
    match told {
        Ok(operated) => PerJob::of(name, operated.operation()),
        Err(Refusal::Replay(kept)) => match serde_json::from_str::<Operation>(&kept.body) {
            Ok(operation) => PerJob::of(name, &operation),
            Err(_) => PerJob::refused(name, kept_code(&kept.body)),
        },
        Err(Refusal::Problem(problem)) => {
            let code = problem.kind().unwrap_or(Code::Internal);
            // Its own operation goes on by itself.
            let state = if code == Code::RequestInProgress { "running" } else { "refused" };
            PerJob { state: state.to_owned(), ..PerJob::refused(name, code) }
        }
    }
}

/// The code of a problem that was kept.
fn kept_code(body: &str) -> Code {
    let problem: Option<Problem> = serde_json::from_str(body).ok();
    problem.and_then(|problem| problem.kind()).unwrap_or(Code::Internal)
}

/// T2.
async fn end(
    app: &App,
    row: &OperationRow,
    whole: &Whole,
    state: OperationState,
    results: Vec<PerJob>,
) -> Answered<()> {
    let changed: Vec<Named> = results.iter().filter(|job| job.news).map(|job| job.job.clone()).collect();
    let undo = opposite(whole.action).filter(|_| !changed.is_empty()).map(|action| {
        json!({ "action": action, "select": { "jobs": changed }, "reason": format!("undo of {}", row.id) })
    });
    let all: Vec<PerJob> = whole.refused.iter().cloned().chain(results).collect();
    let done = all.iter().filter(|job| job.state == "done").count() as u64;
    let bulk = BulkOutcome {
        count: whole.jobs.len() as u64,
        done,
        codes: codes(&all),
        undo,
        results: all,
        ..BulkOutcome::default()
    };
    let outcome = Outcome { changed: done, bulk: Some(bulk), ..Outcome::default() };
    let answer = serde_json::to_string(&outcome).unwrap_or_default();
    let mut change = app.begin_as(whole.who.actor()).await?;
    if !change.end_operation(&row.id, &row.server, state, &answer).await? {
        return Ok(());
    }
    let shown = OperationRow { state, answer: Some(answer), ended: Some(change.now()), ..row.clone() };
    if let Some((who, key)) = &whole.key {
        keep_answer(app, &mut change, &shown, who, key).await?;
    }
    let ending = if state == OperationState::Done { Ending::Done } else { Ending::Partial };
    let told = json!({ "action": whole.action, "jobs": whole.jobs.len(), "done": done });
    change.record(record(row, ending, told, &whole.reason));
    app.commit(change).await?;
    took(app, row);
    Ok(())
}
