//! Carries a plan out.

use super::{BATCH, Drawn, Said, Step, draw};
use crate::app::{App, Told};
use crate::decide::chain::{done, target, told};
use crate::decide::ops::{Act, Mode};
use crate::http::answer::Found;
use crate::http::grant::Asker;
use crate::http::refusal::{Answered, Refusal};
use crate::ops::{Asked, carry_out};
use crate::store::{Change, JobRow, Managed, NewJob, Origin, ProjectRow, StoreError, SyncRow, SyncState};
use crate::sync::{self, write::GROUP};
use clockwright_api::operations::Operation;
use clockwright_api::plan::{Applied, ApplyAsk, Do, JobApplied};
use clockwright_api::{Code, Permission, Problem};
use clockwright_model::{JobSettings, Millis};
use clockwright_settings::canonical;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long what runs of a job that is removed is waited for.
const DRAIN: Millis = 600_000;
/// How long the registry is written before the server that leads goes on with it.
const FOLLOWS: Duration = Duration::from_secs(10);

/// An apply, and who asks for it.
#[derive(Debug)]
pub struct Applying {
    /// Who.
    pub asker: Asker,
    /// The project.
    pub project: Arc<ProjectRow>,
    /// How.
    pub ask: ApplyAsk,
    /// What the files say.
    pub said: Said,
    /// Of what else may be needed, what they may not.
    pub denied: Vec<Permission>,
}

/// Applies files.
///
/// # Errors
/// What stands against it, before anything was changed; or where it stopped.
pub async fn apply(app: Arc<App>, applying: Applying) -> Answered<Told<Found<Applied>>> {
    let slot = app.large_slot(&applying.asker.principal.id)?;
    let work = tokio::spawn(async move {
        let _slot = slot;
        let drawn = draw(&app, &applying.project, &applying.ask.plan(), &applying.said).await?;
        applying.refuse(&app, &drawn).await?;
        applying.carry(&app, drawn).await
    });
    // What has begun is carried to its end, though whoever asks goes away.
    work.await.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the apply failed").into()))
}

impl Applying {
    /// Step 1.
    async fn refuse(&self, app: &App, drawn: &Drawn) -> Answered<()> {
        let plan = async || drawn.plan(app, &self.project, &self.ask.plan(), &self.said).await;
        if self.ask.basis.as_ref().is_some_and(|basis| *basis != drawn.basis) {
            let detail = "the files, or a job that they touch, are not as they were when the plan was made";
            return Err(Problem::new(Code::PlanStale, detail).with("plan", plan().await?).into());
        }
        let steps = &drawn.steps;
        let conflicts: Vec<_> =
            steps.iter().filter_map(|step| step.decision.conflict.as_ref().map(|it| (step, it))).collect();
        if let Some((step, first)) = conflicts.first() {
            let more = match conflicts.len() {
                1 => String::new(),
                count => format!(", and {} more jobs are in conflict", count - 1),
            };
            let detail = format!("{}{more}; nothing was applied", first.why(&step.name));
            return Err(Problem::new(first.code(), detail).with("plan", plan().await?).into());
        }
        self.allow(steps)
    }

    /// What needs more than to change jobs.
    fn allow(&self, steps: &[Step]) -> Answered<()> {
        let denies = |permission| self.denied.contains(&permission);
        if denies(Permission::JobCode) {
            let keys: BTreeMap<&str, Vec<&str>> = steps
                .iter()
                .map(|step| (step.name.as_str(), step.needs_code()))
                .filter(|(_, keys)| !keys.is_empty())
                .collect();
            if !keys.is_empty() {
                let names: Vec<&str> = keys.keys().copied().collect();
                let detail = format!("what `{}` run would change, which needs job.code", names.join("`, `"));
                return Err(Problem::new(Code::CodeNotAllowed, detail).with("keys", keys).into());
            }
        }
        for (what, needs) in [(Do::Remove, Permission::JobRemove), (Do::Adopt, Permission::SyncAdopt)] {
            if denies(needs)
                && let Some(step) = steps.iter().find(|step| step.decision.what == what)
            {
                let detail = format!("`{needs}` is needed to {} `{}`", what.word(), step.name);
                return Err(Problem::new(Code::NotAllowed, detail).with("permission", needs.name()).into());
            }
        }
        Ok(())
    }

    fn reason(&self) -> String {
        match &self.ask.reason {
            Some(reason) => reason.to_string(),
            None => format!("files of {}", self.ask.source),
        }
    }

    /// Steps 2 to 5.
    async fn carry(&self, app: &Arc<App>, drawn: Drawn) -> Answered<Told<Found<Applied>>> {
        let counts = drawn.counts();
        let Drawn { basis, notes, steps } = drawn;
        let writes: Vec<&Step> = steps.iter().filter(|step| step.decision.writes()).collect();
        let mut changed: Vec<(Do, JobRow)> = Vec::new();
        for batch in writes.chunks(BATCH) {
            let done = self
                .batch(app, batch)
                .await
                .map_err(|refusal| stopped(refusal, changed.len(), writes.len()))?;
            changed.extend(done);
        }
        let gone = steps.iter().filter(|step| step.decision.what == Do::Remove);
        let mut removals = Vec::new();
        for job in gone.filter_map(|step| step.before.as_ref()).map(|wished| wished.job.clone()) {
            let removal = self.remove(app, job).await;
            removals.push(removal.map_err(|refusal| stopped(refusal, changed.len(), writes.len()))?);
        }
        let ids: Vec<i64> = changed.iter().map(|(_, job)| job.id).collect();
        let sync = follow(app, &self.project, &ids).await;
        let mut changes: Vec<JobApplied> = changed
            .into_iter()
            .map(|(what, job)| JobApplied { job: job.name, what, version: job.version })
            .collect();
        changes.sort_by(|one, other| one.job.cmp(&other.job));
        let source = self.ask.source.to_string();
        let applied = Applied { source, changes, counts, sync, removals, notes };
        let mut change = app.begin(&self.asker).await?;
        let facts = json!({ "source": applied.source, "counts": applied.counts, "basis": basis });
        let about = target("project", self.project.id, &self.project.name);
        change.record(done("project.apply", self.project.id, about, facts, &self.reason()));
        app.finish(change, &self.asker, Found::new(applied)).await
    }

    /// One transaction of step 2.
    async fn batch(&self, app: &App, steps: &[&Step]) -> Answered<Vec<(Do, JobRow)>> {
        let mut change = app.begin_as(self.asker.actor.clone()).await?;
        let mut all = Vec::with_capacity(steps.len());
        // Rows that others may hold are locked in the order of their ids, before the journal's head is.
        let mut there: Vec<(&JobRow, &Step)> =
            steps.iter().filter_map(|step| Some((&step.before.as_ref()?.job, *step))).collect();
        there.sort_by_key(|(job, _)| job.id);
        for (job, step) in there {
            all.push((step.decision.what, self.update(&mut change, job, step).await?));
        }
        for step in steps.iter().filter(|step| step.before.is_none()) {
            all.push((step.decision.what, self.make(&mut change, step).await?));
        }
        app.commit(change).await?;
        Ok(all)
    }

    async fn update(&self, change: &mut Change, job: &JobRow, step: &Step) -> Answered<JobRow> {
        let about = target("job", job.id, &job.name);
        if step.decision.agrees {
            if !change.agree(job).await? {
                return Err(meanwhile(&job.name));
            }
            change.record(done("job.agree", self.project.id, about, json!(null), &self.reason()));
            return Ok(JobRow { diverged: false, ..job.clone() });
        }
        let new = self.version(step, Some(job));
        let after = change.update_job(job, &new).await?.ok_or_else(|| meanwhile(&job.name))?;
        let mut changes = told(&step.decision.diff);
        if let Value::Object(map) = &mut changes
            && (job.managed, &*job.source) != (after.managed, &*after.source)
        {
            map.insert("managed".to_owned(), json!([owner(job), owner(&after)]));
        }
        change.record(done("job.update", self.project.id, about, changes, &self.reason()));
        Ok(after)
    }

    /// A job that the database does not have; one that the registry has gets its settings there as the first version.
    async fn make(&self, change: &mut Change, step: &Step) -> Answered<JobRow> {
        let found = step.old.as_ref().filter(|_| step.decision.what == Do::Adopt);
        let whole = self.version(step, None);
        let first = match found {
            Some(found) => {
                NewJob { settings: found.clone(), source_text: None, origin: Origin::Adopt, ..whole }
            }
            None => whole,
        };
        let job = match change.insert_job(self.project.id, &first).await {
            Err(StoreError::Taken) => return Err(meanwhile(&step.name)),
            other => other?,
        };
        let action = if found.is_some() { "job.adopt" } else { "job.create" };
        let facts = json!({ "settings": [null, canonical::to_json(&first.settings)] });
        let about = target("job", job.id, &job.name);
        change.record(done(action, self.project.id, about, facts, &self.reason()));
        match found {
            Some(found) if !step.decision.diff.is_empty() => {
                // What the registry has is what it is changed from: nobody has to decide between the two.
                let base = Some(canonical::to_json(found).to_string());
                let layout = step.layout.number().to_owned();
                let sync = SyncRow {
                    base_version: job.version,
                    base,
                    layout,
                    ..SyncRow::first(job.id, SyncState::Pending)
                };
                change.put_syncs(&[sync]).await?;
                self.update(change, &job, step).await
            }
            _ => Ok(job),
        }
    }

    /// What a job is to be by its file. What people say of it here stays.
    fn version(&self, step: &Step, job: Option<&JobRow>) -> NewJob {
        let empty = || NewJob::found(self.settings(step), self.reason());
        let of = |job: &JobRow| NewJob::again(job, self.settings(step), self.reason());
        NewJob {
            source_text: step.text.clone(),
            managed: Managed::Files,
            source: self.ask.source.to_string(),
            diverged: false,
            origin: Origin::Files,
            ..job.map_or_else(empty, of)
        }
    }

    fn settings(&self, step: &Step) -> JobSettings {
        step.decision.settings.clone().expect("what writes has settings")
    }

    /// One removal of step 3.
    async fn remove(&self, app: &Arc<App>, job: JobRow) -> Answered<Operation> {
        // The request's key is the apply's.
        let asker = Asker { key: None, ..self.asker.clone() };
        let asked = Asked {
            project: Arc::clone(&self.project),
            job: Some(Arc::new(job)),
            act: Act::Remove { mode: Mode::Drain, wait: DRAIN, take_over: true },
            reason: self.reason(),
            dry_run: false,
            wait: Some(Duration::ZERO),
        };
        Ok(carry_out(app, &asker, asked).await?.operation().clone())
    }
}

fn owner(job: &JobRow) -> String {
    match job.managed {
        Managed::Console => job.managed.word().to_owned(),
        Managed::Files => format!("files of {}", job.source),
    }
}

/// Somebody was faster with this job.
fn meanwhile(job: &str) -> Refusal {
    Problem::new(Code::PlanStale, format!("`{job}` was changed meanwhile")).with("job", job).into()
}

/// Where it stopped.
fn stopped(refusal: Refusal, done: usize, all: usize) -> Refusal {
    match refusal {
        Refusal::Problem(mut problem) => {
            problem.detail = format!("{}; {done} of {all} changes were made before", problem.detail);
            let problem = problem.with("applied", done);
            problem.fix("apply the same files again: what was changed is unchanged then").into()
        }
        replay => replay,
    }
}

/// Step 4: how many jobs, by how far the registry has followed.
async fn follow(app: &App, project: &ProjectRow, jobs: &[i64]) -> BTreeMap<String, u64> {
    let until = Instant::now() + FOLLOWS;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |state: SyncState, many: usize| {
        if many > 0 {
            *counts.entry(state.word().to_owned()).or_default() += many as u64;
        }
    };
    let mut groups = jobs.chunks(GROUP);
    for group in groups.by_ref() {
        match tokio::time::timeout_at(until, sync::write(app, project, group)).await {
            Ok(Ok(synced)) => {
                count(SyncState::Pending, group.len().saturating_sub(synced.len()));
                synced.iter().for_each(|synced| count(synced.state, 1));
            }
            Ok(Err(failed)) => {
                let state = if failed.holds() { SyncState::Held } else { SyncState::Pending };
                tracing::debug!(%failed, "what was applied is written later");
                count(state, group.len());
                break;
            }
            Err(_) => {
                count(SyncState::Pending, group.len());
                break;
            }
        }
    }
    count(SyncState::Pending, groups.map(<[i64]>::len).sum());
    counts
}
