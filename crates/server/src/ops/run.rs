//! R, C and T2: what was begun is carried out and ended.

use super::look::{ATTEMPTS, Site, is_away};
use super::{Ask, Ended, Live, Place, Progress, Then, action, acts, hold, remove, trigger, view};
use crate::app::App;
use crate::decide::chain::{Outcome as Ending, Record, Target};
use crate::decide::ops::Act;
use crate::fail::{Crashed, Point};
use crate::http::answer::Rendered;
use crate::http::refusal::Answered;
use crate::observe::names::OPERATION_SECONDS;
use crate::observe::trace::{self, TARGET};
use crate::store::{Change, JobState, OperationRow, OperationState, ProjectRow, StoreError};
use crate::sync::{self, Failed};
use clockwright_api::operations::Outcome;
use clockwright_model::JobName;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument, trace_span};

/// An operation that is being carried out.
pub(super) struct Work<'a> {
    pub(super) app: &'a App,
    pub(super) project: &'a ProjectRow,
    pub(super) row: &'a OperationRow,
    pub(super) ask: &'a Ask,
    pub(super) progress: Progress,
    /// How many nodes were changed to hold or to let go, over all attempts.
    pub(super) changed: u64,
}

/// Why it did not come to an end here.
pub(super) enum Stopped {
    /// The registry is away.
    Away(Failed),
    /// The database is, or the test lets the server crash: somebody takes it over.
    Left,
}

impl From<Crashed> for Stopped {
    fn from(_: Crashed) -> Self {
        Stopped::Left
    }
}

impl From<Failed> for Stopped {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Store(error) => {
                tracing::warn!(%error, "an operation rests: the database is away");
                Stopped::Left
            }
            failed => Stopped::Away(failed),
        }
    }
}

impl Work<'_> {
    /// Whether somebody asked for its end before the time. It may also be another server's by now.
    pub(super) async fn is_cancelled(&self) -> Result<bool, Stopped> {
        match self.app.store.operation(&self.row.id).await {
            Ok(Some(row)) if row.server == self.row.server => Ok(row.cancelled),
            Ok(_) => Err(Stopped::Left),
            Err(_) => Ok(false),
        }
    }

    pub(super) fn pass(&self, point: Point) -> Result<(), Stopped> {
        Ok(self.app.failpoints.pass(point)?)
    }

    /// The job that it is about.
    pub(super) fn place(&self) -> Option<Place> {
        Some(Place { name: JobName::new(&self.ask.job).ok()?, id: self.row.job })
    }

    /// The jobs that it is about.
    pub(super) async fn places(&self, site: &Site) -> Result<Vec<Place>, Failed> {
        if self.row.job != 0 {
            return Ok(self.place().into_iter().collect());
        }
        site.jobs_of(self.app, self.project.id, self.ask.act.host().unwrap_or_default()).await
    }

    /// What is told in any case.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome {
            changed: self.changed,
            still_held: self.progress.still_held.clone(),
            warnings: self.progress.warnings.clone(),
            news: self.progress.news,
            version: self.progress.version,
            ..Outcome::default()
        }
    }
}

/// Carries an operation of this control server out, as far as that is possible now.
pub(super) async fn run(app: Arc<App>, row: OperationRow, _live: Option<Live>) {
    let Ok(ask) = serde_json::from_str::<Ask>(&row.ask) else {
        tracing::error!(operation = row.id, "an operation of a later program is left alone");
        return;
    };
    let Some(project) = app.catalogue.project_of(row.project) else {
        tracing::warn!(operation = row.id, "an operation's project is gone");
        return;
    };
    let progress = serde_json::from_str(&row.done).unwrap_or_default();
    let mut work = Work { app: &app, project: &project, row: &row, ask: &ask, progress, changed: 0 };
    let span = trace_span!(
        target: TARGET,
        "operation",
        clockwright.operation = row.id,
        clockwright.kind = row.kind,
        clockwright.fire = Empty,
        clockwright.state = Empty,
    );
    trace::follow(&span, ask.trace.as_deref());
    let ended = match carry(&mut work).instrument(span.clone()).await {
        Ok(ended) => ended,
        Err(Stopped::Left) => return,
        Err(Stopped::Away(failed)) if ask.act.is_wish() && is_away(&failed) => {
            tracing::info!(operation = row.id, error = %failed, "an operation waits for its registry");
            if let Err(error) = app.store.put_off(&row.id, &row.server).await {
                tracing::warn!(%error, "an operation rests: the database is away");
            }
            return;
        }
        Err(Stopped::Away(failed)) => Ended::failed(&failed.problem(), work.outcome()),
    };
    span.record("clockwright.state", ended.state.word());
    if let Some(fire) = &ended.outcome.fire {
        span.record("clockwright.fire", fire);
    }
    match end(&app, &work, ended).instrument(span).await {
        Ok(()) => app.failpoints.reach(Point::OperationEnded),
        Err(error) => {
            tracing::warn!(
                operation = row.id,
                ?error,
                "an operation's end cannot be written: it is made again"
            );
        }
    }
}

/// Each step is safe to repeat: it is done anew when the namespace's `control` changed under it.
async fn carry(work: &mut Work<'_>) -> Result<Ended, Stopped> {
    for _ in 0..ATTEMPTS {
        match once(work).await {
            Err(Stopped::Away(Failed::Fenced)) => {}
            done => return done,
        }
    }
    Err(Failed::Contended.into())
}

async fn once(work: &mut Work<'_>) -> Result<Ended, Stopped> {
    work.pass(Point::OperationBegun)?;
    let ended = match &work.ask.act {
        Act::Trigger => trigger::carry(work).await?,
        Act::Shutdown { target } => acts::shutdown(work, target.as_deref()).await?,
        Act::Rebalance => acts::rebalance(work).await?,
        Act::ResumeItem { item, from } => acts::resume_item(work, *item, *from).await?,
        Act::Remove { mode, wait, .. } => remove::carry(work, *mode, *wait).await?,
        Act::Drain { host, wait } => {
            let held = hold::carry(work).await?;
            acts::wait_for_idleness(work, held, host.as_deref(), *wait).await?
        }
        Act::Offline => {
            let held = hold::carry(work).await?;
            settings(work, held).await?
        }
        Act::Online => {
            // Settings first: hosts that are enabled before would be disabled again by whoever starts meanwhile.
            let synced = settings(work, Ended::done(Outcome::default())).await?;
            let held = hold::carry(work).await?;
            Ended { outcome: Outcome { sync: synced.outcome.sync, ..held.outcome }, ..held }
        }
        _ => hold::carry(work).await?,
    };
    work.pass(Point::OperationChecked)?;
    Ok(ended)
}

/// Has the registry follow the job's settings.
async fn settings(work: &Work<'_>, ended: Ended) -> Result<Ended, Stopped> {
    let sync = sync::follow(work.app, work.project, work.row.job).await;
    Ok(Ended { outcome: Outcome { sync: Some(sync), ..ended.outcome }, ..ended })
}

/// T2.
async fn end(app: &App, work: &Work<'_>, ended: Ended) -> Answered<()> {
    let (row, ask) = (work.row, work.ask);
    let mut change = app.begin_as(ask.who.actor()).await?;
    let answer = serde_json::to_string(&ended.outcome).unwrap_or_default();
    if !change.end_operation(&row.id, &row.server, ended.state, &answer).await? {
        return Ok(());
    }
    match ended.then {
        Then::Nothing => {}
        Then::Gone => drop(change.set_job_state(row.job, JobState::Removing, JobState::Removed).await?),
        Then::Restore => {
            let before = work.progress.state_before.as_deref().and_then(JobState::of);
            let before = before.unwrap_or(JobState::Online);
            change.set_job_state(row.job, JobState::Removing, before).await?;
        }
        Then::Lift => {}
    }
    change.number().await?;
    match ended.then {
        Then::Nothing => {}
        Then::Gone => change.delete_holds(row.project, row.job).await?,
        Then::Lift => {
            for key in &work.progress.lift {
                change.delete_hold(row.project, key).await?;
            }
        }
        Then::Restore => {
            for key in &work.progress.made {
                change.delete_hold(row.project, key).await?;
            }
        }
    }
    if let Some((who, key)) = &ask.key {
        let ended_row = OperationRow {
            state: ended.state,
            answer: Some(answer.clone()),
            ended: Some(change.now()),
            ..row.clone()
        };
        keep_answer(app, &mut change, &ended_row, who, key).await?;
    }
    let (target, is_host) = if row.job == 0 {
        let ip = ask.act.host().unwrap_or_default().to_owned();
        (Target { kind: "host", id: String::new(), name: ip }, true)
    } else {
        (Target { kind: "job", id: row.job.to_string(), name: ask.job.clone() }, false)
    };
    let problem = ended.outcome.problem.as_ref();
    change.record(Record {
        action: action(&ask.act, is_host),
        project: row.project,
        target,
        outcome: match ended.state {
            OperationState::Partial | OperationState::Cancelled => Ending::Partial,
            OperationState::Failed => Ending::Failed,
            _ => Ending::Done,
        },
        code: problem
            .and_then(|body| clockwright_api::Code::named(&body.code))
            .map_or("", |code| code.name()),
        changes: json!({ "operation": row.id, "changed": ended.outcome.changed, "fire": ended.outcome.fire }),
        reason: ask.reason.clone(),
    });
    app.commit(change).await?;
    took(app, row);
    Ok(())
}

/// An operation has ended.
pub(super) fn took(app: &App, row: &OperationRow) {
    let time = Duration::from_millis((app.now() - row.at).max(0).unsigned_abs());
    app.metrics.took(&OPERATION_SECONDS, &[&row.kind], time);
}

/// Keeps the answer for whoever asks again by the same key.
pub(super) async fn keep_answer(
    app: &App,
    change: &mut Change,
    row: &OperationRow,
    who: &str,
    key: &str,
) -> Result<(), StoreError> {
    use crate::http::answer::Answer;
    let value = view(app, row);
    let rendered = match &value.result.problem {
        Some(body) => {
            let status = http::StatusCode::from_u16(body.status).unwrap_or_default();
            Rendered { kind: "application/problem+json".to_owned(), ..Rendered::json(status, body) }
        }
        None => super::Operated::of(value).render(),
    };
    let text = serde_json::to_string(&rendered).unwrap_or_default();
    change.answer_request(who, key, rendered.status, &text).await
}
