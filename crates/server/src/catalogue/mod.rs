//! The catalogue: projects, members and jobs in memory, the same on every database, so that lists and rights cost no question to it.
//!
//! It is loaded once and then *follows the journal*: at once after a commit of this server, which waits for it, and every half second for
//! those of others. It asks the head for its number, reads the records behind the last one that it has, and loads what they name. A reader
//! that has seen number *n* here sees all changes up to *n*.
//!
//! Projects and members are few and are loaded whole when one of them changed. Jobs are loaded one by one.

pub mod grams;
pub mod index;
pub mod pool;

use crate::decide::chain::Link;
use crate::decide::hold::Hold;
use crate::decide::query::text_of;
use crate::store::{
    JobRow, JournalFilter, MemberKind, MemberRow, ProjectRow, Store, StoreError, SyncState, Timing,
};
use clockwright_api::Role;
use index::Texts;
use pool::Pool;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{broadcast, watch};

/// Everything that lists need, in memory.
#[derive(Debug)]
pub struct Catalogue {
    rows: RwLock<Rows>,
    seq: watch::Sender<i64>,
    /// Hands records on whose changes are in here.
    feed: broadcast::Sender<Arc<Link>>,
}

#[derive(Debug, Default)]
struct Rows {
    projects: BTreeMap<i64, Arc<ProjectRow>>,
    project_names: HashMap<String, i64>,
    members: Vec<MemberRow>,
    jobs: BTreeMap<i64, Arc<JobRow>>,
    /// When jobs fire, and words that many of them have.
    timings: Pool<Timing>,
    words: Pool<str>,
    job_names: BTreeMap<(i64, String), i64>,
    texts: Texts,
    /// What stands still by somebody's wish, by job.
    holds: HashMap<i64, Arc<[Hold]>>,
    /// The same of hosts in all jobs, by project.
    host_holds: HashMap<i64, Arc<[Hold]>>,
    /// The jobs that the registry does not have as the database says. No journal tells that: it is looked at now and then.
    unwritten: HashMap<i64, SyncState>,
}

/// How many records wait for whoever listens; who is slower is told that there were more.
pub const FEED: usize = 256;
/// How many rows are loaded at once.
const BATCH: u32 = 2_000;

impl Default for Catalogue {
    fn default() -> Self {
        Self { rows: RwLock::default(), seq: watch::Sender::new(0), feed: broadcast::Sender::new(FEED) }
    }
}

impl Catalogue {
    /// Loads everything.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(&self, store: &Store) -> Result<(), StoreError> {
        // What is committed while it loads has a greater number, and is read again.
        let (seq, _) = store.head().await?;
        self.load_projects(store).await?;
        let mut last = 0;
        loop {
            let jobs = store.jobs_behind(last, BATCH).await?;
            let Some(job) = jobs.last() else { break };
            last = job.id;
            let mut rows = self.write();
            jobs.into_iter().for_each(|job| rows.put_job(job));
        }
        let holds = store.all_holds().await?;
        let (of_hosts, of_jobs): (Vec<Hold>, Vec<Hold>) =
            holds.into_iter().partition(|hold| hold.key.job == 0);
        {
            let mut rows = self.write();
            rows.holds = grouped(of_jobs, |hold| hold.key.job);
            rows.host_holds = grouped(of_hosts, |hold| hold.project);
        }
        self.look_at_sync(store).await?;
        self.seq.send_replace(seq);
        Ok(())
    }

    /// Reads what happened since.
    ///
    /// # Errors
    /// The database is away.
    pub async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let (head, _) = store.head().await?;
        while self.seq() < head {
            let filter = JournalFilter { after: Some(self.seq()), limit: BATCH, ..JournalFilter::default() };
            let records = store.journal(&filter).await?;
            let Some(last) = records.last().map(|record| record.seq) else {
                // Retention took them, or the database is an older one: everything is read anew.
                *self.write() = Rows::default();
                self.load(store).await?;
                break;
            };
            let named: BTreeSet<i64> = records
                .iter()
                .filter(|record| record.fields.target_kind == "job")
                .filter_map(|record| record.fields.target.parse().ok())
                .collect();
            if records.iter().any(|record| matches!(record.fields.target_kind.as_str(), "project" | "member"))
            {
                self.load_projects(store).await?;
            }
            if !named.is_empty() {
                self.follow_jobs(store, &named).await?;
            }
            self.follow_hosts(store, &records).await?;
            self.reach(last);
            for record in records {
                // Nobody may be listening.
                let _ = self.feed.send(Arc::new(record));
            }
        }
        Ok(())
    }

    /// Loads jobs, and what stands still of them.
    async fn follow_jobs(&self, store: &Store, named: &BTreeSet<i64>) -> Result<(), StoreError> {
        let jobs = store.jobs_of(named.iter().copied()).await?;
        let mut holds = grouped(store.holds_of(named.iter().copied()).await?, |hold| hold.key.job);
        let mut rows = self.write();
        jobs.into_iter().for_each(|job| rows.put_job(job));
        for job in named {
            match holds.remove(job) {
                Some(holds) => drop(rows.holds.insert(*job, holds)),
                None => drop(rows.holds.remove(job)),
            }
        }
        Ok(())
    }

    /// Loads what stands still of hosts in all jobs, where a record is about one.
    async fn follow_hosts(&self, store: &Store, records: &[Link]) -> Result<(), StoreError> {
        let of_hosts = records.iter().filter(|record| record.fields.target_kind == "host");
        let projects: BTreeSet<i64> = of_hosts.map(|record| record.fields.project).collect();
        for project in projects {
            let holds = store.holds(project, Some(0)).await?;
            self.write().host_holds.insert(project, holds.into());
        }
        Ok(())
    }

    /// Looks at how far the registry has followed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn look_at_sync(&self, store: &Store) -> Result<(), StoreError> {
        let unwritten = store.unwritten().await?.into_iter().collect();
        self.write().unwritten = unwritten;
        Ok(())
    }

    async fn load_projects(&self, store: &Store) -> Result<(), StoreError> {
        let (projects, members) = (store.projects().await?, store.members().await?);
        let mut rows = self.write();
        rows.project_names = projects.iter().map(|project| (project.name.clone(), project.id)).collect();
        rows.projects = projects.into_iter().map(|project| (project.id, Arc::new(project))).collect();
        rows.members = members;
        Ok(())
    }

    fn reach(&self, seq: i64) {
        self.seq.send_if_modified(|there| std::mem::replace(there, seq.max(*there)) != seq.max(*there));
    }

    /// The records that are followed from now on.
    #[must_use]
    pub fn records(&self) -> broadcast::Receiver<Arc<Link>> {
        self.feed.subscribe()
    }

    /// The number of the last record whose change is in here.
    #[must_use]
    pub fn seq(&self) -> i64 {
        *self.seq.borrow()
    }

    /// Waits until that record's change is in here.
    pub async fn reached(&self, seq: i64) {
        // The sender is ours, so it cannot be gone.
        let _ = self.seq.subscribe().wait_for(|there| *there >= seq).await;
    }

    /// The project of that name.
    #[must_use]
    pub fn project(&self, name: &str) -> Option<Arc<ProjectRow>> {
        let rows = self.read();
        rows.projects.get(rows.project_names.get(name)?).cloned()
    }

    /// The project of that id.
    #[must_use]
    pub fn project_of(&self, id: i64) -> Option<Arc<ProjectRow>> {
        self.read().projects.get(&id).cloned()
    }

    /// All projects, by name.
    #[must_use]
    pub fn projects(&self) -> Vec<Arc<ProjectRow>> {
        let mut all: Vec<_> = self.read().projects.values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Who belongs to a project; 0 for those who belong to all.
    #[must_use]
    pub fn members(&self, project: i64) -> Vec<MemberRow> {
        self.read().members.iter().filter(|member| member.project == project).cloned().collect()
    }

    /// The roles of a person and their groups: the greatest on all projects, and the greatest on each.
    #[must_use]
    pub fn roles(&self, user: &str, groups: &[String]) -> (Option<Role>, BTreeMap<i64, Role>) {
        let mut everywhere = None;
        let mut each: BTreeMap<i64, Role> = BTreeMap::new();
        for member in &self.read().members {
            let is_theirs = match member.kind {
                MemberKind::User => member.who == user,
                MemberKind::Group => groups.contains(&member.who),
            };
            if !is_theirs {
                continue;
            }
            if member.project == 0 {
                everywhere = everywhere.max(Some(member.role));
            } else {
                let role = each.entry(member.project).or_insert(member.role);
                *role = member.role.max(*role);
            }
        }
        (everywhere, each)
    }

    /// The job of that name.
    #[must_use]
    pub fn job(&self, project: i64, name: &str) -> Option<Arc<JobRow>> {
        let rows = self.read();
        rows.jobs.get(rows.job_names.get(&(project, name.to_owned()))?).cloned()
    }

    /// The job of that id.
    #[must_use]
    pub fn job_of(&self, id: i64) -> Option<Arc<JobRow>> {
        self.read().jobs.get(&id).cloned()
    }

    /// The jobs of a project, by name.
    #[must_use]
    pub fn jobs(&self, project: i64) -> Vec<Arc<JobRow>> {
        let rows = self.read();
        let names = rows.job_names.range((project, String::new())..(project + 1, String::new()));
        names.filter_map(|(_, id)| rows.jobs.get(id).cloned()).collect()
    }

    /// What stands still of a job by somebody's wish, and what of hosts in all jobs of its project.
    #[must_use]
    pub fn holds(&self, job: &JobRow) -> (Arc<[Hold]>, Arc<[Hold]>) {
        let rows = self.read();
        let found = |map: &HashMap<i64, Arc<[Hold]>>, key: i64| map.get(&key).cloned().unwrap_or_default();
        (found(&rows.holds, job.id), found(&rows.host_holds, job.project))
    }

    /// How far the registry has followed a job, as of a moment ago.
    #[must_use]
    pub fn sync(&self, job: i64) -> SyncState {
        self.read().unwritten.get(&job).copied().unwrap_or(SyncState::Written)
    }

    /// True when a job is held until somebody confirms, as of a moment ago.
    #[must_use]
    pub fn has_held(&self) -> bool {
        self.read().unwritten.values().any(|state| *state == SyncState::Held)
    }

    /// The jobs of a project, by name, each with the text that it is searched by.
    #[must_use]
    pub fn jobs_with_texts(&self, project: i64) -> Vec<(Arc<JobRow>, Arc<str>)> {
        let rows = self.read();
        let names = rows.job_names.range((project, String::new())..(project + 1, String::new()));
        let found = names
            .filter_map(|(_, id)| Some((Arc::clone(rows.jobs.get(id)?), Arc::clone(rows.texts.of(*id)?))));
        found.collect()
    }

    /// The text that a job is searched by.
    #[must_use]
    pub fn text(&self, job: i64) -> Option<Arc<str>> {
        self.read().texts.of(job).cloned()
    }

    /// The jobs whose texts may contain a word; `None` when all are to be looked at.
    #[must_use]
    pub fn may_contain(&self, word: &str) -> Option<HashSet<i64>> {
        self.read().texts.may_contain(word)
    }

    /// Makes the index of texts anew, aside, if it is time to.
    pub async fn index(&self) {
        let Some(order) = self.write().texts.order(std::time::Instant::now()) else { return };
        if let Ok((grams, number)) = tokio::task::spawn_blocking(move || order.make()).await {
            self.write().texts.made(grams, number);
        }
    }

    /// How many projects there are.
    #[must_use]
    pub fn count_projects(&self) -> usize {
        self.read().projects.len()
    }

    /// How many jobs are in each state.
    #[must_use]
    pub fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for job in self.read().jobs.values() {
            *states.entry(job.state.word()).or_default() += 1;
        }
        states
    }

    /// The names of a project's jobs.
    #[must_use]
    pub fn job_names(&self, project: &str) -> Vec<String> {
        let id = self.project(project).map(|project| project.id);
        id.map(|id| self.jobs(id).iter().map(|job| job.name.clone()).collect()).unwrap_or_default()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Rows> {
        // Nothing in here panics half way through a change.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn grouped(holds: Vec<Hold>, key: impl Fn(&Hold) -> i64) -> HashMap<i64, Arc<[Hold]>> {
    let mut groups: HashMap<i64, Vec<Hold>> = HashMap::new();
    for hold in holds {
        groups.entry(key(&hold)).or_default().push(hold);
    }
    groups.into_iter().map(|(key, holds)| (key, holds.into())).collect()
}

impl Rows {
    fn put_job(&mut self, mut job: JobRow) {
        if job.state == crate::store::JobState::Removed {
            self.jobs.remove(&job.id);
            self.texts.drop(job.id);
            let name = (job.project, job.name);
            if self.job_names.get(&name) == Some(&job.id) {
                self.job_names.remove(&name);
            }
            return;
        }
        job.timing = self.timings.share(&job.timing);
        let JobRow { mode, source, kind, tags, owner, changed_by, .. } = &mut job;
        for word in [mode, source, kind, tags, owner, changed_by] {
            *word = self.words.share(word);
        }
        self.job_names.insert((job.project, job.name.clone()), job.id);
        self.texts.put(job.id, text_of(&job).into());
        self.jobs.insert(job.id, Arc::new(job));
    }
}
