//! Jobs files, planned and applied.
//!
//! ```text
//! files ─ read ─▶ settings by name ─ draw ─▶ plan ─ the same again, compared by its basis ─▶ transactions ─▶ removals ─▶ registry ─▶ answer
//!                                     │
//!              database: versions, sync · registry: jobs that only it has · mirror: owners, instances, runs
//! ```
//!
//! # Identities
//! A **source** owns the jobs that its files define: a name such as a repository's. A **basis** names a plan: the digest of the files, of
//! how they are to be applied, and of each touched job's id, version and state of sync. No plan is stored: an apply draws it again, and where
//! it has another basis by then it is refused with the new plan.
//!
//! # An apply
//! | step | what | when it fails |
//! |---|---|---|
//! | 1 | the plan is drawn; a conflict, a basis of another plan, a key that needs `job.code` refuse it | nothing has changed |
//! | 2 | transactions of [`BATCH`] jobs in the order of their names, each with its records; a job that somebody changed meanwhile stops it | what was committed stays, and the answer says where it stopped; the same files again find it unchanged and go on |
//! | 3 | removals are begun, each an operation of its own that goes on by itself | as 2 |
//! | 4 | the registry is written, for a while | the server that leads writes the rest |
//! | 5 | one transaction: the record `project.apply`, and the answer of the request's key | as 2: the key is free again |
//!
//! Whoever asks may go away: what has begun is carried to its end.
//!
//! # What belongs to no file
//! Tags, owner and usual times of a job are what people say of it here; an apply leaves them as they are. So does it with *offline*, which is
//! an operator's wish. [`decide::apply`](crate::decide::apply) has the table.

mod carry;

pub use carry::{Applying, apply};

use crate::app::App;
use crate::decide::apply::{Conflict, Decision, Here, with_file, without_file};
use crate::decide::chain::sha256;
use crate::decide::code;
use crate::decide::effects::{Seen, effects, warnings};
use crate::http::files::File;
use crate::http::json::escaped;
use crate::http::refusal::Answered;
use crate::http::v1::jobs::differences_of;
use crate::mirror::Picture;
use crate::store::{JobRow, JobState, Managed, Origin, ProjectRow, SyncRow, Wished};
use crate::sync::{Failed, Found, found};
use clockwright_api::plan::{Do, JobPlan, Plan, PlanAsk};
use clockwright_api::problem::Detail;
use clockwright_api::{At, Code, Problem};
use clockwright_fleet::Layout;
use clockwright_model::{JobName, JobSettings, Millis};
use clockwright_settings::jobs_file::{self, Options};
use clockwright_settings::{canonical, yaml};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// How many jobs are written in one transaction.
const BATCH: usize = 500;
/// How many jobs are asked for at once.
const AT_ONCE: usize = 500;
/// How far back it is looked for since when a job was changed by hand.
const VERSIONS: u32 = 50;

/// What files say.
#[derive(Debug, Clone, Default)]
pub struct Said {
    jobs: BTreeMap<String, Job>,
    notes: Vec<String>,
    digest: String,
}

/// What a file says of a job.
#[derive(Debug, Clone)]
struct Job {
    settings: JobSettings,
    /// Its part of the file.
    text: Option<String>,
    notes: Vec<String>,
}

impl Said {
    /// Reads files.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(files: &[File], now: Millis) -> Result<Self, Problem> {
        let mut said = Self::default();
        let mut errors = Vec::new();
        let mut of = BTreeMap::new();
        let digests: Vec<String> = files.iter().map(|file| sha256(file.text.as_bytes())).collect();
        for file in files {
            let options = Options { now: Some(now), code: true, ..Options::default() };
            let read = match jobs_file::parse(&file.name, &file.text, &options) {
                Ok(read) => read,
                Err(error) => {
                    if let Err(broken) = yaml::documents(&file.text) {
                        return Err(no_yaml(file, &broken));
                    }
                    errors.extend(error.problems.iter().map(|problem| detail(file, problem)));
                    continue;
                }
            };
            let mut texts = jobs_file::excerpts(&file.text, &read.lines);
            for settings in read.jobs {
                let name = settings.name.as_str().to_owned();
                if let Some(other) = of.insert(name.clone(), &file.name) {
                    let message = format!("{} has a job of this name, and so has {other}", file.name);
                    errors.push(Detail { pointer: pointer(&name, None), line: None, message });
                }
                let text = texts.remove(&name);
                said.jobs.insert(name, Job { settings, text, notes: Vec::new() });
            }
            for note in &read.notes {
                let text = format!("{}{note}", file.name);
                match note.job.as_ref().and_then(|job| said.jobs.get_mut(job)) {
                    Some(job) => job.notes.push(text),
                    None => said.notes.push(text),
                }
            }
        }
        if !errors.is_empty() {
            let mut problem = Problem::new(Code::Invalid, "the files cannot be used");
            problem.errors = errors;
            return Err(problem);
        }
        said.digest = sha256(digests.join(",").as_bytes());
        Ok(said)
    }
}

fn no_yaml(file: &File, broken: &yaml::Broken) -> Problem {
    let message = format!("{} {}", file.name, broken.message);
    let mut problem = Problem::new(Code::BadYaml, message.clone());
    problem.errors.push(Detail { pointer: String::new(), line: u32::try_from(broken.line).ok(), message });
    problem
}

fn detail(file: &File, problem: &jobs_file::Problem) -> Detail {
    let pointer = problem.job.as_ref().map_or(String::new(), |job| pointer(job, problem.field.as_deref()));
    let line = problem.line.and_then(|line| u32::try_from(line).ok());
    Detail { pointer, line, message: format!("{}{problem}", file.name) }
}

fn pointer(job: &str, field: Option<&str>) -> String {
    let job = escaped(job);
    match field {
        Some(field) => format!("/jobs/{job}/{}", field.replace('.', "/")),
        None => format!("/jobs/{job}"),
    }
}

/// What is to be done about one job, and what that takes.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    /// The job, as the database has it.
    before: Option<Wished>,
    /// Its settings there, or in the registry.
    old: Option<JobSettings>,
    /// The layout of its nodes, or the one that they will have.
    layout: Layout,
    decision: Decision,
    text: Option<String>,
}

impl Step {
    /// The keys for which `job.code` is needed.
    fn needs_code(&self) -> Vec<&'static str> {
        match &self.decision.settings {
            Some(after) if self.decision.makes_version() => code::touched(self.old.as_ref(), after),
            _ => Vec::new(),
        }
    }
}

/// What is to be done, as far as carrying it out takes it. What else people are shown of it is found out when they are: [`Drawn::plan`].
#[derive(Debug, Clone)]
struct Drawn {
    basis: String,
    notes: Vec<String>,
    steps: Vec<Step>,
}

/// The plan of files in a project.
///
/// # Errors
/// The database is away. A registry that is away is a note of the plan.
pub async fn plan(app: &App, project: &ProjectRow, ask: &PlanAsk, said: &Said) -> Answered<Plan> {
    draw(app, project, ask, said).await?.plan(app, project, ask, said).await
}

/// Draws what is to be done.
async fn draw(app: &App, project: &ProjectRow, ask: &PlanAsk, said: &Said) -> Answered<Drawn> {
    let source = ask.source.as_str();
    let jobs = app.catalogue.jobs(project.id);
    let touched = jobs.iter().filter(|job| said.jobs.contains_key(&job.name) || job.is_of_files(source));
    let ids: Vec<i64> = touched.map(|job| job.id).collect();
    let there = app.store.there(&ids).await?.into_iter();
    let wished: BTreeMap<String, Wished> = there.map(|wished| (wished.job.name.clone(), wished)).collect();
    let mut notes = said.notes.clone();
    let strangers = strangers(app, project, said, &wished, &mut notes).await;
    let mut steps = Vec::new();
    let names: BTreeSet<&String> = said.jobs.keys().chain(wished.keys()).collect();
    let mirror = app.mirrors.of(project.id);
    if mirror.read().as_of.is_none() {
        notes.push("the registry was not seen yet: what moves and what runs is not known".to_owned());
    }
    for name in names {
        let sync = wished.get(name).and_then(|wished| wished.sync.as_ref());
        // News of the registry waits while its picture is looked at: not for the differences of thousands of jobs.
        let layout = layout_of(project, sync, &mirror.read(), name);
        steps.extend(step(name, ask, said.jobs.get(name), wished.get(name), strangers.get(name), layout)?);
    }
    Ok(Drawn { basis: basis(ask, said, &steps), notes, steps })
}

/// The layout of a job's nodes, or the one that they will have: that of what was written there, of what is there, of the project.
pub(crate) fn layout_of(
    project: &ProjectRow,
    sync: Option<&SyncRow>,
    picture: &Picture,
    name: &str,
) -> Layout {
    let there = || picture.job(name).and_then(|row| row.config.as_ref().map(|config| config.layout));
    let written = sync.and_then(|sync| Layout::numbered(&sync.layout));
    written.or_else(there).or_else(|| Layout::numbered(&project.layout)).unwrap_or_default()
}

impl Drawn {
    /// How many jobs, by what is to be done.
    fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.decision.what.word().to_owned()).or_default() += 1;
        }
        counts
    }

    /// As people are shown it.
    async fn plan(&self, app: &App, project: &ProjectRow, ask: &PlanAsk, said: &Said) -> Answered<Plan> {
        let since = since(app, &self.steps).await?;
        let mirror = app.mirrors.of(project.id);
        // Here too, what takes long comes after.
        let (as_of, seen) = {
            let picture = mirror.read();
            let seen: Vec<Seen> = self.steps.iter().map(|step| Seen::of(&picture, &step.name)).collect();
            (picture.as_of.map(At), seen)
        };
        let changes = self.steps.iter().zip(&seen).map(|(step, seen)| {
            let notes = said.jobs.get(&step.name).map(|job| &job.notes[..]).unwrap_or_default();
            let planned = planned(step, seen, notes, app.now());
            let why = match since.get(&step.name) {
                Some(since) => format!("{}, {since}", planned.why),
                None => planned.why,
            };
            JobPlan { why, ..planned }
        });
        Ok(Plan {
            basis: self.basis.clone(),
            source: ask.source.to_string(),
            changes: changes.collect(),
            counts: self.counts(),
            notes: self.notes.clone(),
            as_of,
        })
    }
}

/// What only the registry has of the jobs that the files have.
async fn strangers(
    app: &App,
    project: &ProjectRow,
    said: &Said,
    wished: &BTreeMap<String, Wished>,
    notes: &mut Vec<String>,
) -> BTreeMap<String, Found> {
    let unknown = said.jobs.iter().filter(|(name, _)| !wished.contains_key(*name));
    let names: Vec<JobName> = unknown.map(|(_, job)| job.settings.name.clone()).collect();
    let mut strangers = BTreeMap::new();
    for names in names.chunks(AT_ONCE) {
        match found(app, project, names).await {
            Ok(found) => {
                strangers.extend(found.into_iter().map(|found| (found.name.as_str().to_owned(), found)));
            }
            Err(failed) => {
                tracing::debug!(%failed, "a plan is drawn without its registry");
                let why = if matches!(failed, Failed::NoSession(_)) { "is away" } else { "does not answer" };
                notes.push(format!(
                    "the registry {why}: nobody knows whether it has jobs of these names already"
                ));
                break;
            }
        }
    }
    strangers
}

/// What is to be done about one job; `None`: it is none of theirs.
fn step(
    name: &str,
    ask: &PlanAsk,
    file: Option<&Job>,
    before: Option<&Wished>,
    stranger: Option<&Found>,
    layout: Layout,
) -> Answered<Option<Step>> {
    let old = match (before, stranger) {
        (Some(wished), _) => {
            let name = JobName::new(name).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
            Some(wished.version.read(&name)?)
        }
        (None, Some(found)) => found.settings.clone().ok(),
        (None, None) => None,
    };
    let here = match (before, stranger, &old) {
        (Some(wished), _, Some(settings)) => Here::Managed { job: &wished.job, settings },
        (None, Some(found), _) => Here::Registry(found.settings.as_ref().map_err(String::as_str)),
        _ => Here::Nowhere,
    };
    let layout = stranger.map_or(layout, |found| found.layout);
    let decision = match (file, before) {
        (Some(file), _) => Some(with_file(ask, here, layout, &file.settings)),
        (None, Some(wished)) => without_file(ask, &wished.job),
        (None, None) => None,
    };
    let text = file.and_then(|file| file.text.clone());
    Ok(decision.map(|decision| Step {
        name: name.to_owned(),
        before: before.cloned(),
        old,
        layout,
        decision,
        text,
    }))
}

/// Since which version, and by whom, jobs were changed by hand that stand against the plan.
async fn since(app: &App, steps: &[Step]) -> Answered<BTreeMap<String, String>> {
    let mut since = BTreeMap::new();
    for step in steps.iter().filter(|step| step.decision.conflict == Some(Conflict::Diverged)) {
        let Some(wished) = &step.before else { continue };
        let versions = app.store.versions(wished.job.id, i64::MAX, VERSIONS).await?;
        let by_hand = versions.iter().take_while(|version| version.origin != Origin::Files);
        // Whether it is offline is no edit of a person's.
        let edits = by_hand.filter(|version| version.origin != Origin::Api || !version.reason.is_empty());
        if let Some(first) = edits.last() {
            let (version, by) = (first.version, &first.author_name);
            since.insert(
                step.name.clone(),
                format!("since version {version} of {}, by {by}", String::from(At(first.at))),
            );
        }
    }
    Ok(since)
}

/// The digest of all that a plan is made of.
fn basis(ask: &PlanAsk, said: &Said, steps: &[Step]) -> String {
    let PlanAsk { source, prune, force, take_over, adopt } = ask;
    let mut text = format!("{source}\n{prune} {force} {take_over} {adopt}\n{}\n", said.digest);
    for step in steps {
        let (id, version, sync) = match (&step.before, &step.old) {
            (Some(wished), _) => {
                let sync = wished.sync.as_ref().map_or("", |sync| sync.state.word());
                (wished.job.id, wished.job.version, sync.to_owned())
            }
            (None, Some(found)) => (0, 0, sha256(canonical::to_json(found).to_string().as_bytes())),
            (None, None) => (0, 0, String::new()),
        };
        // A text cannot fail to be written to.
        let _ = writeln!(text, "{}\0{id}:{version}:{sync}", step.name);
    }
    sha256(text.as_bytes())
}

fn planned(step: &Step, seen: &Seen, notes: &[String], now: Millis) -> JobPlan {
    let Step { decision, before, old, .. } = step;
    let job = before.as_ref().map(|wished| &wished.job);
    let told = match decision.what {
        Do::Unchanged | Do::Orphaned => Default::default(),
        Do::Remove => effects(old.as_ref(), None, seen, now),
        _ => effects(old.as_ref(), decision.settings.as_ref(), seen, now),
    };
    let mut all = warnings(&told, decision.what == Do::Remove);
    if decision.agrees {
        all.push("it was changed by hand, and is as the file says again".to_owned());
    }
    if let (Some(job), Do::Update) = (job, decision.what) {
        all.extend(from_whom(job, decision.diff.is_empty()));
        if job.state == JobState::Offline {
            all.push("it is offline, and stays so".to_owned());
        }
    }
    all.extend(code::warning(&step.needs_code()));
    all.extend(notes.iter().cloned());
    let conflict = decision.conflict.as_ref();
    JobPlan {
        job: step.name.clone(),
        what: decision.what,
        version: job.map(|job| job.version),
        code: conflict.map(|conflict| conflict.code().name().to_owned()),
        why: conflict.map(|conflict| conflict.why(&step.name)).unwrap_or_default(),
        diff: decision.diff.iter().cloned().map(differences_of).collect(),
        effects: told,
        warnings: all,
    }
}

/// What a job is taken from that is taken over.
fn from_whom(job: &JobRow, is_same: bool) -> Option<String> {
    match job.managed {
        Managed::Console => Some("it is defined here, and by files from then on".to_owned()),
        Managed::Files if is_same => Some(format!("it is taken over from files of `{}`", job.source)),
        Managed::Files if job.diverged => Some("what was changed by hand is replaced".to_owned()),
        Managed::Files => None,
    }
}
