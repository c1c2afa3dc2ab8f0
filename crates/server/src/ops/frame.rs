//! T1: what is asked is looked at, refused or begun; then it is waited for, for a while.

use super::look::Site;
use super::{Ask, Operated, Place, Progress, action, key_of, run, view};
use crate::app::App;
use crate::decide::chain::{Outcome as Ending, Record, Target};
use crate::decide::hold::{Found, Hold, Key, Origin, still_held};
use crate::decide::ops::{About, Act, Seen, Wishes, refuse, warning, wishes};
use crate::http::grant::Asker;
use crate::http::refusal::Answered;
use crate::store::{Change, JobRow, JobState, NewJob, OperationRow, OperationState, ProjectRow, VersionRow};
use crate::sync::Failed;
use clockwright_api::operations::{Operation, Outcome};
use clockwright_api::{At, Code, Problem};
use clockwright_model::JobName;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of an operation is waited for, unless told.
const USUAL_WAIT: Duration = Duration::from_secs(10);

/// What is asked for, of whom.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The project.
    pub project: Arc<ProjectRow>,
    /// The job; `None` for a host in all jobs.
    pub job: Option<Arc<JobRow>>,
    /// What.
    pub act: Act,
    /// Why.
    pub reason: String,
    /// Nothing is to be done.
    pub dry_run: bool,
    /// How long its end is waited for, if that was told.
    pub wait: Option<Duration>,
}

impl Asked {
    fn job_id(&self) -> i64 {
        self.job.as_ref().map_or(0, |job| job.id)
    }

    /// What the journal calls what it is about.
    fn target(&self) -> Target {
        match &self.job {
            Some(job) => Target { kind: "job", id: job.id.to_string(), name: job.name.clone() },
            None => Target {
                kind: "host",
                id: String::new(),
                name: self.act.host().unwrap_or_default().to_owned(),
            },
        }
    }
}

/// What was seen before it was begun.
struct Before {
    /// The jobs that it concerns.
    places: Vec<Place>,
    /// `None` when the registry is away.
    seen: Option<Seen>,
    /// The job's version, where the act changes it or asks it.
    version: Option<VersionRow>,
    is_static: bool,
}

/// Does it, or says why not.
///
/// # Errors
/// It is refused, which is on record; or it was tried and not done.
pub async fn carry_out(app: &Arc<App>, asker: &Asker, asked: Asked) -> Answered<Operated> {
    let before = look(app, &asked).await?;
    if asked.dry_run {
        return plan(app, asker, &asked, &before).await;
    }
    if let (Act::Trigger, Some(job)) = (&asked.act, &asked.job) {
        app.limits.trigger(job.id, &job.name, app.now())?;
    }
    let id = uuid::Uuid::now_v7().to_string();
    // Should whoever asks go away before it runs, it is found by whoever looks for what was left.
    let live = app.ops.claim(&id);
    let row = begin(app, asker, &asked, &before, &id).await?;
    let work = tokio::spawn(run::run(Arc::clone(app), row, live));
    let usual = if asked.act.is_long() { Duration::ZERO } else { USUAL_WAIT };
    let finished = tokio::time::timeout(asked.wait.unwrap_or(usual), work).await.is_ok();
    let missing = || Problem::new(Code::UnknownOutcome, "the operation is not found any more");
    let row = app.store.operation(&id).await?.ok_or_else(missing)?;
    tracing::debug!(operation = id, state = row.state.word(), finished, "an operation");
    view::told(app, &row)
}

async fn look(app: &App, asked: &Asked) -> Answered<Before> {
    let seen = match see(app, asked).await {
        Ok((places, seen)) => Some((places, seen)),
        Err(failed) if asked.act.is_wish() && super::look::is_away(&failed) => None,
        Err(failed) => return Err(failed.problem().into()),
    };
    let (places, seen) = seen.map_or((Vec::new(), None), |(places, seen)| (places, Some(seen)));
    let (mut version, mut is_static) = (None, false);
    if let Some(job) = &asked.job
        && matches!(asked.act, Act::Offline | Act::Online | Act::Rebalance)
    {
        let row = app.store.version(job.id, job.version).await?;
        let settings = row.as_ref().and_then(|row| row.read(&JobName::new(&job.name).ok()?).ok());
        is_static = settings.is_some_and(|settings| settings.static_sharding);
        version = row;
    }
    Ok(Before { places, seen, version, is_static })
}

async fn see(app: &App, asked: &Asked) -> Result<(Vec<Place>, Seen), Failed> {
    let site = Site::open(app, &asked.project).await?;
    let Some(job) = &asked.job else {
        let ip = asked.act.host().unwrap_or_default();
        let places = site.jobs_of(app, asked.project.id, ip).await?;
        let seen = site.host(&places, ip).await?;
        return Ok((places, seen));
    };
    let Ok(name) = JobName::new(&job.name) else { return Ok(Default::default()) };
    let seen = site.job(&name).await?.map(|(mirror, leases)| Seen::of(&mirror, &leases));
    Ok((vec![Place { name, id: job.id }], seen.unwrap_or_default()))
}

/// What would be done.
async fn plan(app: &App, asker: &Asker, asked: &Asked, before: &Before) -> Answered<Operated> {
    let holds = app.store.holds(asked.project.id, asked.job.as_ref().map(|job| job.id)).await?;
    refuse(&asked.act, about(asked, before, &holds))?;
    let wishes = wishes(&asked.act, asked.job_id(), &holds);
    let then = apply(asker, asked, &holds, &wishes, app.now());
    let mut outcome = Outcome {
        still_held: told(app, asked, &then, &wishes),
        warnings: warnings(asked, before),
        ..Outcome::default()
    };
    if let Some(seen) = &before.seen {
        // A host in all jobs is planned by its own line; each job has the same.
        let all: Vec<Hold> = then.iter().filter(|hold| concerns(hold, asked)).cloned().collect();
        let found = Found { hosts: seen.found.hosts.clone(), ..seen.found.clone() };
        let mut steps = crate::decide::hold::stops(&all, &found);
        steps.extend(crate::decide::hold::starts(&all, &wishes.lift, &found));
        for place in &before.places {
            outcome.nodes.extend(steps.iter().map(|step| view::node(place, step)));
        }
        outcome.nodes.extend(super::acts::planned(&asked.act, &before.places, seen));
    }
    outcome.changed = outcome.nodes.len() as u64;
    Ok(Operated::of(Operation {
        id: String::new(),
        kind: asked.act.word().to_owned(),
        project: asked.project.name.clone(),
        job: asked.job.as_ref().map(|job| job.name.clone()),
        state: "dry-run".to_owned(),
        by: asker.principal.name.clone(),
        reason: asked.reason.clone(),
        at: At(app.now()),
        ended_at: None,
        result: outcome,
    }))
}

fn concerns(hold: &Hold, asked: &Asked) -> bool {
    hold.key.job == 0 || hold.key.job == asked.job_id()
}

fn about<'a>(asked: &'a Asked, before: &'a Before, holds: &'a [Hold]) -> About<'a> {
    About { job: asked.job.as_deref(), holds, seen: before.seen.as_ref(), is_static: before.is_static }
}

fn warnings(asked: &Asked, before: &Before) -> Vec<String> {
    let java = before.seen.as_ref().map_or(0, Seen::java);
    warning(&asked.act, java).into_iter().collect()
}

/// The wishes as they stand afterwards.
fn apply(asker: &Asker, asked: &Asked, holds: &[Hold], wishes: &Wishes, now: i64) -> Vec<Hold> {
    let mut then: Vec<Hold> = match asked.act {
        // Of a trigger they go with its end.
        Act::Trigger => holds.to_vec(),
        _ => holds.iter().filter(|hold| !wishes.lift.contains(&hold.key)).cloned().collect(),
    };
    for (key, origin) in &wishes.make {
        if !then.iter().any(|hold| hold.key == *key) {
            then.push(made(asker, asked, key.clone(), *origin, now));
        }
    }
    then
}

fn made(asker: &Asker, asked: &Asked, key: Key, origin: Origin, now: i64) -> Hold {
    Hold {
        project: asked.project.id,
        key,
        origin,
        by: asker.principal.id.clone(),
        by_name: asker.principal.name.clone(),
        at: now,
        reason: asked.reason.clone(),
    }
}

fn told(
    app: &App,
    asked: &Asked,
    then: &[Hold],
    wishes: &Wishes,
) -> Vec<clockwright_api::operations::HoldView> {
    if matches!(asked.act, Act::Trigger) {
        return Vec::new();
    }
    let still = still_held(then, &wishes.lift);
    still.into_iter().map(|hold| view::hold_view(app, hold)).collect()
}

/// The transaction that begins it.
async fn begin(app: &App, asker: &Asker, asked: &Asked, before: &Before, id: &str) -> Answered<OperationRow> {
    let mut change = app.begin(asker).await?;
    let mut progress = Progress { warnings: warnings(asked, before), ..Progress::default() };
    // The job's row is locked before the journal's head, as by everybody.
    let state = job_change(&mut change, asked, before, &mut progress).await?;
    change.number().await?;
    let holds = change.holds(asked.project.id, asked.job.as_ref().map(|job| job.id)).await?;
    if let Err(problem) = refuse(&asked.act, about(asked, before, &holds)) {
        drop(change);
        refused(app, asker, asked, &problem).await?;
        return Err(problem.into());
    }
    let wishes = wishes(&asked.act, asked.job_id(), &holds);
    let then = apply(asker, asked, &holds, &wishes, change.now());
    for hold in then.iter().filter(|hold| !holds.contains(hold)) {
        change.insert_hold(hold).await?;
        progress.made.push(hold.key.clone());
    }
    for gone in holds.iter().filter(|hold| !then.contains(hold)) {
        change.delete_hold(asked.project.id, &gone.key).await?;
    }
    progress.news = state.is_some() || then != holds;
    progress.still_held = told(app, asked, &then, &wishes);
    progress.lift.clone_from(&wishes.lift);
    let row = OperationRow { id: id.to_owned(), ..operation(app, asker, asked, &progress, change.now()) };
    let key = key_of(asker);
    change.insert_operation(&row, key.as_ref().map(|(who, key)| (who.as_str(), key.as_str()))).await?;
    let keys = |keys: Vec<&Key>| keys.iter().map(|key| view::key_text(key)).collect::<Vec<_>>();
    let lifted = holds.iter().filter(|hold| !then.contains(hold)).map(|hold| &hold.key).collect();
    change.record(Record {
        action: action(&asked.act, asked.job.is_none()),
        project: asked.project.id,
        target: asked.target(),
        outcome: Ending::Begun,
        code: "",
        changes: json!({
            "operation": row.id,
            "made": keys(progress.made.iter().collect()),
            "lifted": keys(lifted),
            "state": state.map(|(before, after)| [before, after]),
        }),
        reason: asked.reason.clone(),
    });
    app.commit(change).await?;
    Ok(row)
}

fn operation(app: &App, asker: &Asker, asked: &Asked, progress: &Progress, now: i64) -> OperationRow {
    let ask = Ask {
        act: asked.act.clone(),
        reason: asked.reason.clone(),
        who: (&asker.actor).into(),
        key: key_of(asker),
        job: asked.job.as_ref().map(|job| job.name.clone()).unwrap_or_default(),
        trace: asker.trace.clone(),
    };
    OperationRow {
        id: String::new(),
        kind: asked.act.word().to_owned(),
        project: asked.project.id,
        job: asked.job_id(),
        ask: serde_json::to_string(&ask).unwrap_or_default(),
        state: OperationState::Running,
        cancelled: false,
        done: serde_json::to_string(progress).unwrap_or_default(),
        server: app.id.clone(),
        by: asker.principal.id.clone(),
        at: now,
        ended: None,
        answer: None,
    }
}

/// What of the job itself changes with it: its state, and for offline and online its settings too; from what to what.
async fn job_change(
    change: &mut Change,
    asked: &Asked,
    before: &Before,
    progress: &mut Progress,
) -> Answered<Option<(&'static str, &'static str)>> {
    let Some(job) = &asked.job else { return Ok(None) };
    let to = match asked.act {
        Act::Offline if job.state == JobState::Online => JobState::Offline,
        Act::Online if job.state == JobState::Offline => JobState::Online,
        Act::Remove { .. } if job.state != JobState::Removing => JobState::Removing,
        _ => return Ok(None),
    };
    if let Act::Offline | Act::Online = asked.act {
        let unusable = |why: String| Problem::new(Code::Invalid, why).at("", "its settings cannot be used");
        let version = before.version.as_ref().ok_or_else(|| unusable("its version is missing".to_owned()))?;
        let name = JobName::new(&job.name).map_err(|error| unusable(error.to_string()))?;
        let mut settings = version.read(&name).map_err(|error| unusable(error.to_string()))?;
        settings.disabled = to == JobState::Offline;
        let new = NewJob::again(job, settings, asked.reason.clone());
        let row = change.update_job(job, &new).await?;
        let row = row.ok_or_else(|| changed_meanwhile(job))?;
        progress.version = Some(row.version);
    }
    if !change.set_job_state(job.id, job.state, to).await? {
        return Err(changed_meanwhile(job).into());
    }
    progress.state_before = Some(job.state.word().to_owned());
    Ok(Some((job.state.word(), to.word())))
}

fn changed_meanwhile(job: &JobRow) -> Problem {
    Problem::new(Code::VersionConflict, format!("`{}` was changed meanwhile", job.name)).fix("send it again")
}

/// A refusal is on record.
async fn refused(app: &App, asker: &Asker, asked: &Asked, problem: &Problem) -> Answered<()> {
    let mut change = app.begin_as(asker.actor.clone()).await?;
    change.record(Record {
        action: action(&asked.act, asked.job.is_none()),
        project: asked.project.id,
        target: asked.target(),
        outcome: Ending::Refused,
        code: problem.kind().map_or("", Code::name),
        changes: json!({ "detail": problem.detail }),
        reason: asked.reason.clone(),
    });
    app.commit(change).await?;
    Ok(())
}
