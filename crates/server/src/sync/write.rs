//! One group of jobs of one project: looked at, decided, written.
//!
//! # The order, and why it is safe
//! 1. `control`, and the root and config of each job, are read from the registry.
//! 2. **Then** what is wished and what was last written are read from the database. Whoever wrote a newer version to the registry had
//!    committed it to the database before. So a writer that has seen their `control` also sees their wish; one that has not is refused by its
//!    version in step 5.
//! 3. Each job is decided, purely.
//! 4. What will be overwritten is put on record, with the journal.
//! 5. One commit: `control` is set if it has the version of step 1, each config is set if it has the version of step 1, or made.
//! 6. How far the registry has followed is noted.
//!
//! | what happens | effect |
//! |---|---|
//! | a crash before 4 | nothing |
//! | a crash between 4 and 5 | a record of something that still stands; the next look decides anew |
//! | a crash between 5 and 6, or the answer of 5 is lost | the next look finds copy and wish equal, and notes it |
//! | two servers write two jobs | `control` orders them; the loser begins again at 1 |
//! | somebody else writes between 1 and 5 | the config's version is another one; the loser begins again at 1 and finds it |
//! | the registry is away | nothing; the jobs are `pending` |
//! | the database is away | nothing is written: a copy of the wish is no wish |

use super::control::{self, Control, Ours, Standing};
use crate::app::App;
use crate::chores::Term;
use crate::decide::chain::{Actor, Outcome, Record, Target, sha256, told};
use crate::decide::sync::{
    Access, Base, Conflict, Copy, Drift, DriftKind, Verdict, Wish, decide, without_overwrite,
};
use crate::registries::NoSession;
use crate::store::{
    Change, DriftRow, JobState, Managed, NewJob, ProjectRow, StoreError, SyncRow, SyncState, Wished,
};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{Access as NodeAccess, Error, Node, Op, Path, Registry, SharedRegistry};
use serde_json::{Value, json};

/// How often a group begins again after somebody else was faster.
const ATTEMPTS: usize = 10;
/// How many jobs are written in one commit at most.
pub const GROUP: usize = 64;

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The job.
    pub job: i64,
    /// How far the registry has followed.
    pub state: SyncState,
    /// The verdict, for reports.
    pub verdict: Verdict,
    /// True when all is as it should be and was noted so before: there is nothing to do.
    pub settled: bool,
}

/// Why a group was not looked at, or not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// There is no session with the registry.
    #[error(transparent)]
    NoSession(#[from] NoSession),
    /// The registry did not answer, or refuses.
    #[error("the registry: {0}")]
    Registry(#[from] Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another database manages the namespace.
    #[error("the namespace is managed by another database: {0}")]
    AnotherPlane(String),
    /// The registry is older than what was written there.
    #[error(
        "the registry is older than what was written: version {found} of `control`, and {known} was seen"
    )]
    Older {
        /// What it has.
        found: i32,
        /// What was seen there once.
        known: i64,
    },
    /// Others were faster, again and again.
    #[error("others write there all the time")]
    Contended,
    /// A greater term wrote there.
    #[error("another server leads by now")]
    TermOver,
    /// The project's namespace is no path.
    #[error("the namespace `{0}` is no path")]
    Namespace(String),
}

/// One job, with what was found in the registry.
struct Looked {
    name: JobName,
    paths: (Path, Path),
    root: Option<Node>,
    config: Option<Node>,
    access: Access,
}

impl Looked {
    fn root_data(&self) -> &[u8] {
        self.root.as_ref().map_or(&[], |root| &root.data)
    }
}

/// One job, decided.
struct Decided {
    wished: Wished,
    looked: Looked,
    verdict: Verdict,
    /// What is written, where the verdict writes.
    text: Option<Text>,
}

/// A job's two nodes, as they are written.
struct Text {
    layout: Layout,
    root: String,
    config: String,
}

impl Decided {
    /// All is as it should be, and was noted so before.
    fn is_settled(&self) -> bool {
        let noted = self.wished.sync.as_ref().map(|sync| sync.state);
        self.verdict == Verdict::Nothing && noted == Some(state(&self.verdict))
    }

    fn synced(self) -> Synced {
        let settled = self.is_settled();
        Synced { job: self.wished.job.id, state: state(&self.verdict), verdict: self.verdict, settled }
    }
}

/// Whose word counts where a person has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nobody has decided: what is told to a person stays.
    Policy,
    /// A person has said that the database is right.
    Database,
}

/// In whose name a group is written.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Whose word counts.
    pub word: Word,
    /// The term of whoever leads; `None` for a request.
    pub term: Option<&'a Term>,
}

impl By<'_> {
    /// A request, which decides nothing.
    pub const REQUEST: Self = Self { word: Word::Policy, term: None };
    /// A person who says that the database is right.
    pub const PERSON: Self = Self { word: Word::Database, term: None };

    async fn begin(self, app: &App) -> Result<Change, StoreError> {
        let actor = Actor::server("sync");
        match self.term {
            Some(term) => term.begin(app, actor).await,
            None => app.store.begin(actor, app.now()).await,
        }
    }

    /// Bookkeeping, within the term if there is one.
    pub(super) async fn note<T>(
        self,
        what: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.term {
            Some(term) => term.check(what).await,
            None => what.await,
        }
    }

    pub(super) fn number(self) -> Option<i64> {
        self.term.map(Term::number)
    }
}

/// Looks at jobs of one project and writes what is to be written, at most [`GROUP`] of them.
///
/// # Errors
/// Nothing was written, or nobody knows: the next look finds it.
pub async fn write(app: &App, project: &ProjectRow, jobs: &[i64]) -> Result<Vec<Synced>, Failed> {
    write_by(app, project, jobs, By::REQUEST).await
}

/// As [`write()`], in somebody's name.
///
/// # Errors
/// As `write`.
pub async fn write_by(
    app: &App,
    project: &ProjectRow,
    jobs: &[i64],
    by: By<'_>,
) -> Result<Vec<Synced>, Failed> {
    let desk = Desk::open(app, project, jobs).await?;
    for _ in 0..ATTEMPTS {
        let Some((found, looked)) = desk.control().await? else { continue };
        let mine = desk.mine(found.term, by)?;
        let decided = desk.decide(looked, by.word).await?;
        if adopt(app, project, &decided, by).await? {
            // What the registry has is the wish now, which the next look finds.
            continue;
        }
        let drifts = record(app, project, &decided, by).await?;
        let ops = operations(&decided);
        if !ops.is_empty() {
            let set = Op::set_if(control::path(&desk.keys), mine.bytes(), found.version);
            match desk.registry.commit(std::iter::once(set).chain(ops).collect()).await {
                Ok(_) => {
                    let mark = app.store.mark_control(by.number(), project.id, i64::from(found.version) + 1);
                    by.note(mark).await?;
                }
                Err(Error::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        by.note(app.store.drift_done(by.number(), &drifts, app.now())).await?;
        return note(app, project, decided, by).await;
    }
    Err(Failed::Contended)
}

/// Looks at jobs of one project and writes nothing, here or there.
///
/// # Errors
/// The registry or the database is away, or the namespace is not ours.
pub async fn look_only(app: &App, project: &ProjectRow, jobs: &[i64]) -> Result<Vec<Synced>, Failed> {
    let desk = Desk::open(app, project, jobs).await?;
    for _ in 0..ATTEMPTS {
        let Some((_, looked)) = desk.control().await? else { continue };
        let decided = desk.decide(looked, Word::Policy).await?;
        return Ok(decided.into_iter().map(Decided::synced).collect());
    }
    Err(Failed::Contended)
}

/// What a look and a write have in common.
struct Desk<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    registry: SharedRegistry,
    keys: Keys,
    /// The greatest version of `control` that was seen.
    known: i64,
    jobs: &'a [i64],
    /// Names never change, so they may be older than all that is read later.
    names: Vec<(i64, JobName)>,
}

/// The session with a project's registry, and the project's paths there.
///
/// # Errors
/// There is no session now, or the namespace is no path.
pub async fn registry_of(app: &App, project: &ProjectRow) -> Result<(SharedRegistry, Keys), Failed> {
    let keys = Keys::new(&project.namespace).map_err(|_| Failed::Namespace(project.namespace.clone()))?;
    Ok((app.registries.session(&project.registry).await?, keys))
}

impl<'a> Desk<'a> {
    async fn open(app: &'a App, project: &'a ProjectRow, jobs: &'a [i64]) -> Result<Self, Failed> {
        let (registry, keys) = registry_of(app, project).await?;
        let known = app.store.control_mark(project.id).await?;
        let names = app.store.names(jobs).await?;
        let names = names.iter().filter_map(|(id, name)| Some((*id, JobName::new(name).ok()?))).collect();
        Ok(Self { app, project, registry, keys, known, jobs, names })
    }

    /// What is written into `control` where it says `found` as the term: a term writes itself in, and stops where it finds a greater one.
    fn mine(&self, found: i64, by: By<'_>) -> Result<Control, Failed> {
        if let Some(term) = by.term.filter(|term| term.number() < found) {
            term.end();
            return Err(Failed::TermOver);
        }
        Ok(Control {
            plane: self.app.store.plane().to_owned(),
            url: self.app.config.public_url.clone(),
            term: by.number().unwrap_or(found),
            seq: self.app.catalogue.seq(),
        })
    }

    /// Step 1: `control`, and what was found beside it; `None` when the node was made just now, and is to be read.
    async fn control(&self) -> Result<Option<(Ours, Vec<(i64, Looked)>)>, Failed> {
        let (node, looked) =
            look(self.app, self.project, self.registry.as_ref(), &self.keys, &self.names).await?;
        match control::standing(node.as_ref(), self.app.store.plane(), self.known) {
            Standing::Ours(found) => Ok(Some((found, looked))),
            Standing::None => {
                control::make(self.registry.as_ref(), &self.keys, &self.mine(0, By::REQUEST)?).await?;
                Ok(None)
            }
            Standing::Another(url) => Err(Failed::AnotherPlane(url)),
            Standing::Older { found, known } => Err(Failed::Older { found, known }),
        }
    }

    /// Steps 2 and 3.
    async fn decide(&self, looked: Vec<(i64, Looked)>, word: Word) -> Result<Vec<Decided>, Failed> {
        let wished = self.app.store.wished(self.jobs).await?;
        Ok(pair(wished, looked).map(|(wished, looked)| judge(self.project, word, wished, looked)).collect())
    }
}

/// What a person's word makes of a verdict.
fn by_word(word: Word, verdict: Verdict) -> Verdict {
    let overwrite = |changes| Verdict::Overwrite(Drift { kind: DriftKind::Both, changes, unreadable: None });
    match (word, verdict) {
        (Word::Policy, verdict) => verdict,
        (Word::Database, Verdict::Conflict(Conflict::FirstContact(changes) | Conflict::Both(changes))) => {
            overwrite(changes)
        }
        (Word::Database, Verdict::Adopt { changes, .. }) => overwrite(changes),
        (Word::Database, Verdict::Report(drift)) => Verdict::Overwrite(drift),
        (Word::Database, Verdict::Missing) => Verdict::Recreate,
        (Word::Database, verdict) => verdict,
    }
}

/// Takes over what the registry has, where the project wants that; true when anything was.
async fn adopt(app: &App, project: &ProjectRow, decided: &[Decided], by: By<'_>) -> Result<bool, Failed> {
    let mut any = false;
    for Decided { wished, verdict, .. } in decided {
        let Verdict::Adopt { settings, changes } = verdict else { continue };
        let mut change = by.begin(app).await?;
        let new = NewJob::adopted(&wished.job, settings.as_ref().clone(), String::new());
        if change.update_job(&wished.job, &new).await?.is_none() {
            // Somebody saved meanwhile: that is looked at next.
            any = true;
            continue;
        }
        change.record(Record {
            action: "sync.adopt",
            project: project.id,
            target: Target { kind: "job", id: wished.job.id.to_string(), name: wished.job.name.clone() },
            outcome: Outcome::Done,
            code: "",
            changes: told(changes),
            reason: String::new(),
        });
        change.commit().await?;
        app.changed();
        any = true;
    }
    Ok(any)
}

/// Step 1.
async fn look(
    app: &App,
    project: &ProjectRow,
    registry: &dyn Registry,
    keys: &Keys,
    names: &[(i64, JobName)],
) -> Result<(Option<Node>, Vec<(i64, Looked)>), Error> {
    let pairs: Vec<(Path, Path)> =
        names.iter().map(|(_, name)| (keys.job(name), keys.of(name, &Key::Config))).collect();
    let paths: Vec<Path> = std::iter::once(control::path(keys))
        .chain(pairs.iter().flat_map(|(root, config)| [root.clone(), config.clone()]))
        .collect();
    let mut nodes = registry.read(&paths).await?.into_iter();
    let control = nodes.next().flatten();
    let configs: Vec<Path> = pairs.iter().map(|(_, config)| config.clone()).collect();
    let access = if app.registries.has_credential(&project.registry) {
        registry.access(&configs).await?
    } else {
        Vec::new()
    };
    let mut access = access.into_iter();
    let looked = names.iter().zip(pairs).map(|((id, name), paths)| {
        let (root, config) = (nodes.next().flatten(), nodes.next().flatten());
        let access = match access.next() {
            Some(NodeAccess::Open) => Access::Open,
            Some(NodeAccess::Foreign) => Access::Denied,
            _ => Access::Ours,
        };
        (*id, Looked { name: name.clone(), paths, root, config, access })
    });
    Ok((control, looked.collect()))
}

fn pair(wished: Vec<Wished>, looked: Vec<(i64, Looked)>) -> impl Iterator<Item = (Wished, Looked)> {
    let mut looked = looked.into_iter();
    // Both are in the order of ids, and a job that is wished was looked at.
    wished.into_iter().filter_map(move |wished| {
        let found = looked.by_ref().find(|(id, _)| *id == wished.job.id)?;
        Some((wished, found.1))
    })
}

/// Step 3.
fn judge(project: &ProjectRow, word: Word, wished: Wished, looked: Looked) -> Decided {
    let Ok(settings) = wished.version.read(&looked.name) else {
        return Decided { wished, looked, verdict: Verdict::Nothing, text: None };
    };
    let wish = Wish {
        settings: without_overwrite(settings),
        removed: wished.job.state == JobState::Removed,
        by_files: wished.job.managed == Managed::Files,
    };
    let copy = match &looked.config {
        None => Copy::None,
        Some(node) => Copy::There {
            config: node.data.to_vec(),
            digest: sha256(&node.data),
            root: looked.root_data().to_vec(),
            access: looked.access,
        },
    };
    let base = base(&wished, &looked.name);
    let verdict = by_word(word, decide(project.policy.settings, base.as_ref(), &wish, &copy));
    let text = verdict.writes().then(|| {
        let layout = layout_of(project, &wished, &looked);
        let config = match &looked.config {
            None => layout.write(&wish.settings),
            Some(node) => layout.rewrite(&node.data, looked.root_data(), &wish.settings),
        };
        Text { layout, root: layout.root(&wish.settings).to_owned(), config }
    });
    Decided { wished, looked, verdict, text }
}

fn base(wished: &Wished, name: &JobName) -> Option<Base> {
    let sync = wished.sync.as_ref()?;
    let json: Value = serde_json::from_str(sync.base.as_deref()?).ok()?;
    let settings = clockwright_settings::canonical::from_json(name.clone(), &json).ok()?;
    let layout = Layout::numbered(&sync.layout).unwrap_or_default();
    Some(Base { settings, wire_digest: sync.wire_digest.clone(), layout })
}

/// Step 4: what others wrote is kept before it is overwritten, and told once where it is only reported.
async fn record(
    app: &App,
    project: &ProjectRow,
    decided: &[Decided],
    by: By<'_>,
) -> Result<Vec<String>, Failed> {
    let mut ids = Vec::new();
    let found: Vec<_> = decided
        .iter()
        .filter_map(|Decided { wished, looked, verdict, .. }| match verdict {
            Verdict::Overwrite(drift) => Some((wished, looked, drift, "repaired")),
            Verdict::Report(drift) if is_new(wished, looked) => Some((wished, looked, drift, "reported")),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Ok(ids);
    }
    let mut change = by.begin(app).await?;
    for (wished, looked, drift, verdict) in found {
        let row = drift_row(app, project, wished, looked, drift, verdict);
        change.insert_drift(&row).await?;
        if verdict == "repaired" {
            ids.push(row.id.clone());
        }
        change.record(Record {
            action: if verdict == "repaired" { "sync.repair" } else { "sync.drift" },
            project: project.id,
            target: Target { kind: "job", id: wished.job.id.to_string(), name: wished.job.name.clone() },
            outcome: Outcome::Done,
            code: "",
            changes: json!({ "kind": drift.kind.word(), "drift": row.id, "settings": told(&drift.changes) }),
            reason: drift.unreadable.clone().unwrap_or_default(),
        });
    }
    change.commit().await?;
    app.changed();
    Ok(ids)
}

/// True when what is there is not what was seen there before.
fn is_new(wished: &Wished, looked: &Looked) -> bool {
    let seen = wished.sync.as_ref().map_or("", |sync| sync.seen.as_str());
    looked.config.as_ref().is_some_and(|node| sha256(&node.data) != seen)
}

fn drift_row(
    app: &App,
    project: &ProjectRow,
    wished: &Wished,
    looked: &Looked,
    drift: &Drift,
    verdict: &str,
) -> DriftRow {
    let had = looked
        .config
        .as_ref()
        .map(|node| String::from_utf8_lossy(&node.data).replace('\0', "\u{fffd}"))
        .unwrap_or_default();
    DriftRow {
        id: uuid::Uuid::now_v7().to_string(),
        project: project.id,
        job: wished.job.id,
        name: wished.job.name.clone(),
        found: app.now(),
        kind: drift.kind.word().to_owned(),
        verdict: verdict.to_owned(),
        had,
        wanted: wished.version.settings.clone(),
        changes: told(&drift.changes).to_string(),
        author: "{}".to_owned(),
        done: None,
    }
}

/// Step 5, without `control`.
fn operations(decided: &[Decided]) -> Vec<Op> {
    let mut ops = Vec::new();
    for Decided { looked, text, .. } in decided {
        let Some(Text { layout, root, config }) = text else { continue };
        let (root_path, config_path) = looked.paths.clone();
        match &looked.root {
            None => ops.push(Op::create(root_path, root.clone())),
            Some(node) if node.data != *root && (*layout == Layout::V3 || looked.config.is_none()) => {
                ops.push(Op::set_if(root_path, root.clone(), node.stat.version));
            }
            Some(_) => {}
        }
        ops.push(match &looked.config {
            None => Op::create(config_path, config.clone()),
            Some(node) => Op::set_if(config_path, config.clone(), node.stat.version),
        });
    }
    ops
}

/// The layout that a job is written in: the one that it was written in before, the one that it has, the project's, 2.x.
fn layout_of(project: &ProjectRow, wished: &Wished, looked: &Looked) -> Layout {
    let before = wished.sync.as_ref().filter(|sync| sync.base.is_some());
    let before = before.and_then(|sync| Layout::numbered(&sync.layout));
    before
        .or_else(|| looked.config.as_ref().and_then(|node| Layout::of(&node.data)))
        .or_else(|| Layout::numbered(&project.layout))
        .unwrap_or_default()
}

/// Step 6.
async fn note(
    app: &App,
    project: &ProjectRow,
    decided: Vec<Decided>,
    by: By<'_>,
) -> Result<Vec<Synced>, Failed> {
    let now = app.now();
    let news = decided.iter().filter(|decided| !decided.is_settled());
    let rows: Vec<SyncRow> = news.map(|decided| row(project, decided, now)).collect();
    by.note(app.store.put_syncs(by.number(), &rows)).await?;
    Ok(decided.into_iter().map(Decided::synced).collect())
}

fn state(verdict: &Verdict) -> SyncState {
    match verdict {
        Verdict::Report(_) | Verdict::Missing | Verdict::CameBack => SyncState::Reported,
        Verdict::Conflict(Conflict::FirstContact(_) | Conflict::LayoutChanged(_) | Conflict::Both(_)) => {
            SyncState::Conflict
        }
        Verdict::Protect(_) => SyncState::Denied,
        Verdict::Adopt { .. } => SyncState::Pending,
        _ => SyncState::Written,
    }
}

fn row(project: &ProjectRow, decided: &Decided, now: i64) -> SyncRow {
    let Decided { wished, looked, verdict, text } = decided;
    let state = state(verdict);
    let seen = looked.config.as_ref().map(|node| sha256(&node.data)).unwrap_or_default();
    let before = wished.sync.clone().unwrap_or(SyncRow {
        job: wished.job.id,
        state,
        base_version: 0,
        base: None,
        wire_digest: String::new(),
        layout: String::new(),
        seen: String::new(),
        synced: 0,
        error: String::new(),
        repeats: 0,
    });
    let (wire_digest, layout) = match text {
        Some(text) => (sha256(text.config.as_bytes()), text.layout),
        None if *verdict == Verdict::Record => (seen, layout_of(project, wished, looked)),
        None => return SyncRow { state, seen, ..before },
    };
    SyncRow {
        state,
        base_version: wished.version.version,
        base: Some(wished.version.settings.clone()),
        seen: wire_digest.clone(),
        wire_digest,
        layout: layout.number().to_owned(),
        synced: now,
        error: String::new(),
        ..before
    }
}
