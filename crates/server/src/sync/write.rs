//! One group of jobs of one project: what [`decide::group`](crate::decide::group) asks for is read and written here. The protocol is told there.

use super::control;
use super::held::hold;
use crate::app::App;
use crate::chores::{self, Term};
use crate::decide::author::{Author, Written, guess, overwrites};
use crate::decide::chain::{Actor, Record, done, target, told};
use crate::decide::group::{
    Adoption, Committed, Finding, Frame, Group, Known, Looked, News, Step, Stop, Synced, Word,
};
use crate::decide::sync::Access;
use crate::fail::Point;
use crate::observe::names::{DRIFT, SYNC_WRITES};
use crate::registries::NoSession;
use crate::store::{Change, DriftRow, NewJob, ProjectRow, RESTORED, StoreError, kept};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobName;
use clockwright_registry::{
    Access as NodeAccess, Error, Node, Op, Path, Readable, Registry, SharedRegistry, read_each,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// An instance that overwrites writes first and appears then: so often, in so long, it is looked for, for all jobs of a group together.
const APPEARS: usize = 15;
const LOOK: Duration = Duration::from_millis(200);

/// How many jobs are written in one commit at most.
pub const GROUP: usize = 64;

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
    /// The database comes from a backup, and nobody has said yet that the registry belongs to it.
    #[error("the database was restored from a backup: its settings may be older than those of the registry")]
    Restored,
    /// The database is older than what was written to the registry.
    #[error("the database is older than what was written: its journal ends at {head}, and {seq} was written")]
    Behind {
        /// The number that the registry remembers.
        seq: i64,
        /// The journal's number.
        head: i64,
    },
    /// Others were faster, again and again.
    #[error("others write there all the time")]
    Contended,
    /// The namespace's `control` changed meanwhile: another server wrote settings, or leads.
    #[error("another server wrote there meanwhile")]
    Fenced,
    /// A greater term wrote there.
    #[error("another server leads by now")]
    TermOver,
    /// The project's namespace is no path.
    #[error("the namespace `{0}` is no path")]
    Namespace(String),
}

impl Failed {
    /// True when nothing is written before a person confirms.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self, Failed::Older { .. } | Failed::Restored | Failed::Behind { .. })
    }

    /// The registry is older than what the database has seen there.
    pub(crate) fn older(found: i32, known: i64) -> Self {
        if known == RESTORED { Failed::Restored } else { Failed::Older { found, known } }
    }
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

    /// A change, within the term if there is one.
    pub(super) async fn begin(self, app: &App) -> Result<Change, StoreError> {
        chores::begin(app, self.term, Actor::server("sync")).await
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
    let done = in_parts(app, project, jobs, by).await;
    if let Err(failed) = &done
        && failed.holds()
    {
        hold(app, project, jobs, &failed.to_string(), by).await?;
    }
    done
}

/// The whole group, or its halves where it asks for that.
fn in_parts<'a>(
    app: &'a App,
    project: &'a ProjectRow,
    jobs: &'a [i64],
    by: By<'a>,
) -> BoxFuture<'a, Result<Vec<Synced>, Failed>> {
    async move {
        if let Some(synced) = Desk::open(app, project, jobs, by).await?.run(false).await? {
            return Ok(synced);
        }
        let (one, other) = jobs.split_at(jobs.len() / 2);
        let mut synced = in_parts(app, project, one, by).await?;
        synced.extend(in_parts(app, project, other, by).await?);
        Ok(synced)
    }
    .boxed()
}

/// Looks at jobs of one project and writes nothing, here or there.
///
/// # Errors
/// The registry or the database is away, or the namespace is not ours.
pub async fn look_only(app: &App, project: &ProjectRow, jobs: &[i64]) -> Result<Vec<Synced>, Failed> {
    let desk = Desk::open(app, project, jobs, By::REQUEST).await?;
    Ok(desk.run(true).await?.unwrap_or_default())
}

/// The session with a project's registry, and the project's paths there.
///
/// # Errors
/// There is no session now, or the namespace is no path.
pub async fn registry_of(app: &App, project: &ProjectRow) -> Result<(SharedRegistry, Keys), Failed> {
    let keys = Keys::new(&project.namespace).map_err(|_| Failed::Namespace(project.namespace.clone()))?;
    Ok((app.registries.session(&project.registry).await?, keys))
}

/// Sees to it that what a session reads from now on is no older than what is known by now: it may lag behind, but not behind its own write.
///
/// # Errors
/// The registry is away.
pub(crate) async fn prove(registry: &dyn Registry) -> Result<(), Error> {
    registry.commit(vec![Op::check(Path::root())]).await.map(drop)
}

/// Where a group is carried out.
struct Desk<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    by: By<'a>,
    registry: SharedRegistry,
    keys: Keys,
    jobs: &'a [i64],
    names: Vec<(i64, JobName)>,
}

impl<'a> Desk<'a> {
    async fn open(
        app: &'a App,
        project: &'a ProjectRow,
        jobs: &'a [i64],
        by: By<'a>,
    ) -> Result<Self, Failed> {
        let (registry, keys) = registry_of(app, project).await?;
        let names = app.store.names(jobs).await?;
        let names = names.iter().filter_map(|(id, name)| Some((*id, JobName::new(name).ok()?))).collect();
        Ok(Self { app, project, by, registry, keys, jobs, names })
    }

    /// Step by step; `None` when it is to be done in halves.
    async fn run(&self, looks_only: bool) -> Result<Option<Vec<Synced>>, Failed> {
        let (mut group, mut step) = Group::begin(Frame {
            project: self.project.clone(),
            keys: self.keys.clone(),
            plane: (self.app.store.plane().to_owned(), self.app.config.public_url.clone()),
            names: self.names.clone(),
            word: self.by.word,
            term: self.by.number(),
            looks_only,
            #[cfg(feature = "mutations")]
            mutation: None,
        });
        loop {
            let news = match step {
                Step::Look => self.look().await?,
                Step::Ask => News::Asked(self.ask().await?),
                Step::Prove => {
                    prove(&*self.registry).await?;
                    News::Again
                }
                Step::Make(control) => {
                    control::make(self.registry.as_ref(), &self.keys, &control).await?;
                    News::Again
                }
                Step::Adopt(adoptions) => self.adopt(adoptions).await?,
                Step::Record(found) => self.record(found).await?,
                Step::Commit(ops) => News::Committed(match self.registry.commit(ops).await {
                    Ok(_) => Committed::Done,
                    Err(Error::Conflict { .. }) => Committed::Conflict,
                    Err(Error::Unknown(_)) => Committed::Unclear,
                    Err(Error::Denied(_)) => Committed::Denied,
                    Err(error) => return Err(error.into()),
                }),
                Step::Note(notes) => {
                    let (store, now) = (&self.app.store, self.app.now());
                    self.by.note(store.noted(self.by.number(), self.project.id, &notes, now)).await?;
                    News::Noted
                }
                Step::Done(synced) => {
                    if !looks_only {
                        self.count(&synced);
                    }
                    return Ok(Some(synced));
                }
                Step::Stop(Stop::Split) => return Ok(None),
                Step::Stop(stop) => return Err(self.failed(stop)),
            };
            self.reached(&news);
            step = group.told(news, self.app.now());
        }
    }

    fn count(&self, synced: &[Synced]) {
        let metrics = &self.app.metrics;
        let project = metrics.project(&self.project.name, self.app.catalogue.count_projects());
        for word in synced.iter().filter_map(|synced| synced.verdict.counts_as()) {
            metrics.count(&SYNC_WRITES, &[project, word]);
        }
    }

    /// Where a test may let the server die.
    fn reached(&self, news: &News) {
        let point = match news {
            News::Looked(..) => Point::SyncLooked,
            News::Asked(_) => Point::SyncAsked,
            News::Recorded => Point::SyncRecorded,
            News::Committed(_) => Point::SyncCommitted,
            News::Noted => Point::SyncNoted,
            News::Again => return,
        };
        self.app.failpoints.reach(point);
    }

    fn failed(&self, stop: Stop) -> Failed {
        match stop {
            Stop::AnotherPlane(url) => Failed::AnotherPlane(url),
            Stop::Older { found, known } => Failed::older(found, known),
            Stop::Behind { seq, head } => Failed::Behind { seq, head },
            Stop::TermOver => {
                if let Some(term) = self.by.term {
                    term.end();
                }
                Failed::TermOver
            }
            Stop::Contended | Stop::Split => Failed::Contended,
        }
    }

    async fn look(&self) -> Result<News, Error> {
        let pairs: Vec<(Path, Path)> = self
            .names
            .iter()
            .map(|(_, name)| (self.keys.job(name), self.keys.of(name, &Key::Config)))
            .collect();
        let paths: Vec<Path> = std::iter::once(control::path(&self.keys))
            .chain(pairs.iter().flat_map(|(root, config)| [root.clone(), config.clone()]))
            .collect();
        let mut nodes = read_each(&*self.registry, &paths).await?.into_iter();
        let Some(Readable::Found(control)) = nodes.next() else {
            return Err(Error::Denied(format!("{}: the session's user may not read it", paths[0])));
        };
        let access = if self.app.registries.has_credential(&self.project.registry) {
            let configs: Vec<Path> = pairs.into_iter().map(|(_, config)| config).collect();
            self.registry.access(&configs).await?
        } else {
            Vec::new()
        };
        let mut access = access.into_iter();
        let looked = self.names.iter().map(|_| {
            let (root, config) = (nodes.next(), nodes.next());
            let access = match access.next() {
                _ if matches!(config, Some(Readable::Denied)) => Access::Denied,
                Some(NodeAccess::Open) => Access::Open,
                Some(NodeAccess::Foreign) => Access::Denied,
                _ => Access::Ours,
            };
            let found = |node: Option<Readable>| node.and_then(Readable::found);
            Looked { root: found(root), config: found(config), access }
        });
        Ok(News::Looked(control, looked.collect()))
    }

    async fn ask(&self) -> Result<Known, StoreError> {
        let store = &self.app.store;
        let mark = store.control_mark(self.project.id).await?;
        let wished = store.wished(self.jobs).await?;
        let standing = store.standing(self.jobs).await?;
        let (head, _) = store.head().await?;
        Ok(Known { wished, standing, head, mark })
    }

    /// Takes over what the registry has.
    async fn adopt(&self, adoptions: Vec<Adoption>) -> Result<News, Failed> {
        for Adoption { job, settings, changes } in adoptions {
            let mut change = self.by.begin(self.app).await?;
            let new = NewJob::adopted(&job, settings, String::new());
            if change.update_job(&job, &new).await?.is_none() {
                // Somebody saved meanwhile: that is looked at next.
                continue;
            }
            change.record(self.entry("sync.adopt", (job.id, &job.name), told(&changes), String::new()));
            change.commit().await?;
            self.app.changed();
        }
        Ok(News::Again)
    }

    /// What others wrote is kept before it is overwritten, and told once where it is only reported.
    async fn record(&self, found: Vec<Finding>) -> Result<News, Failed> {
        let authors = self.authors(&found).await?;
        let mut change = self.by.begin(self.app).await?;
        let ids: Vec<i64> = found.iter().map(|finding| finding.job.0).collect();
        let known = change.standing_drifts(&ids).await?;
        let (mut any, mut kinds) = (false, Vec::new());
        for (finding, author) in found.into_iter().zip(authors) {
            let row = self.drift_row(&finding, &author);
            let is_known = known.iter().any(|there| {
                (there.job, &there.kind, &there.verdict, &there.had)
                    == (row.job, &row.kind, &row.verdict, &row.had)
            });
            if is_known {
                continue;
            }
            any = true;
            if finding.is_drift {
                kinds.push(finding.kind);
                change.insert_drift(&row).await?;
            }
            let action = if finding.repaired { "sync.repair" } else { "sync.drift" };
            let facts = json!({
                "kind": finding.kind, "drift": row.id, "settings": told(&finding.changes), "author": author,
            });
            let job = (row.job, row.name.as_str());
            change.record(self.entry(action, job, facts, finding.why));
            if finding.fight {
                let words = format!("{} writes the same thing again and again", author.words());
                change.record(self.entry("sync.contended", job, json!({ "author": author }), words));
            }
        }
        if any {
            change.commit().await?;
            kinds.into_iter().for_each(|kind| self.app.metrics.count(&DRIFT, &[kind]));
            self.app.changed();
        }
        Ok(News::Recorded)
    }

    fn entry(
        &self,
        action: &'static str,
        (id, name): (i64, &str),
        changes: serde_json::Value,
        reason: String,
    ) -> Record {
        done(action, self.project.id, target("job", id, name), changes, &reason)
    }

    /// Who may have written each of these.
    async fn authors(&self, found: &[Finding]) -> Result<Vec<Author>, Error> {
        let names: Vec<JobName> = found.iter().filter_map(|one| JobName::new(&one.job.1).ok()).collect();
        let parents: Vec<Path> = names.iter().map(|name| self.keys.of(name, &Key::Instances)).collect();
        let mut authors = Vec::with_capacity(found.len());
        let mut looks = APPEARS;
        for (finding, parent) in found.iter().zip(parents) {
            // Who deletes a node, or gives it to others, leaves no hand in its text.
            let written = finding.had.as_ref().filter(|_| !matches!(finding.kind, "open" | "denied"));
            let Some(config) = written else {
                authors.push(Author::Unknown);
                continue;
            };
            let root_at = finding.root.as_ref().map_or(0, |root| root.stat.modified_at);
            let written = Written { config: &config.data, config_at: config.stat.modified_at, root_at };
            let author = loop {
                let instances = self.instances(&parent).await?;
                let author = guess(&written, &instances);
                let is_known = matches!(author, Author::Instance { .. }) || !overwrites(&config.data);
                if is_known || looks == 0 {
                    break author;
                }
                looks -= 1;
                sleep(LOOK).await;
            };
            authors.push(author);
        }
        Ok(authors)
    }

    /// A job's instances, each with the time when it appeared.
    async fn instances(&self, parent: &Path) -> Result<Vec<(String, i64)>, Error> {
        let ids = self.registry.list(parent).await?;
        let paths: Vec<Path> = ids.iter().map(|id| parent.join(id)).collect();
        let nodes = self.registry.read(&paths).await?;
        let times = nodes.into_iter().map(|node: Option<Node>| node.map(|node| node.stat.created_at));
        Ok(ids.into_iter().zip(times).filter_map(|(id, time)| Some((id, time?))).collect())
    }

    fn drift_row(&self, finding: &Finding, author: &Author) -> DriftRow {
        DriftRow {
            id: uuid::Uuid::now_v7().to_string(),
            project: self.project.id,
            job: finding.job.0,
            name: finding.job.1.clone(),
            found: self.app.now(),
            kind: finding.kind.to_owned(),
            verdict: if finding.repaired { "repaired" } else { "reported" }.to_owned(),
            had: finding.had.as_ref().map(|node| kept(&node.data)).unwrap_or_default(),
            wanted: finding.wanted.clone(),
            changes: told(&finding.changes).to_string(),
            author: json!({
                "author": author, "root": kept(finding.root.as_ref().map_or(&[][..], |root| &root.data)),
                "at": finding.had.as_ref().map(|node| node.stat.modified_at),
            })
            .to_string(),
            done: None,
        }
    }
}
