//! Jobs and their versions.
//!
//! A change of a job's settings inserts a full version and moves the job to it, in one transaction; a change that changes nothing makes
//! none. Versions are never changed. A job that was removed keeps its row, its versions and its history; a new one of its name has another
//! id.

use super::{Change, Store, StoreError, Timing};
use crate::decide::chain::{sha256, words};
use clockwright_model::{JobName, JobSettings, Millis};
use clockwright_planner::Schedule;
use clockwright_settings::canonical;
use clockwright_sql::{Row, Value};
use std::sync::Arc;

pub(super) const COLUMNS: &str = "SELECT id, project, mode, name, version, state, managed, source, diverged, kind, cron, zone, items, title, \
                       tags, owner, digest, run_min, run_max, changed, (SELECT v.author_name FROM CLOCKWRIGHT_JOB_VERSION v WHERE \
                       v.job = CLOCKWRIGHT_JOB.id AND v.version = CLOCKWRIGHT_JOB.version) FROM CLOCKWRIGHT_JOB";
pub(super) const VERSIONS: &str = "SELECT job, version, settings, digest, source_text, author, author_name, at, reason, origin, based_on FROM \
                        CLOCKWRIGHT_JOB_VERSION";

words! {
    /// Whether a job may run.
    JobState {
        /// It may.
        Online "online",
        /// It may not, until somebody puts it online.
        Offline "offline",
        /// Its removal is under way.
        Removing "removing",
        /// It is gone from the registry; what is known of it stays.
        Removed "removed",
    }
}

words! {
    /// Who defines a job.
    Managed {
        /// People, one change at a time.
        Console "console",
        /// Files, as a whole.
        Files "files",
    }
}

words! {
    /// Where a version came from.
    Origin {
        /// The console.
        Console "console",
        /// The interface.
        Api "api",
        /// Files.
        Files "files",
        /// The registry: somebody adopted what was found there.
        Adopt "adopt",
        /// An earlier version.
        Rollback "rollback",
        /// Another scheduler.
        Import "import",
    }
}

/// A job, as lists know it: everything but its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its id: the number of the record that made it.
    pub id: i64,
    /// Its project.
    pub project: i64,
    /// `elastic`, `transient` or `daemon`.
    pub mode: Arc<str>,
    /// Its name, unique among the project's jobs that are not removed.
    pub name: String,
    /// Its version, from 1.
    pub version: i64,
    /// Whether it may run.
    pub state: JobState,
    /// Who defines it.
    pub managed: Managed,
    /// The source of the files that define it; empty otherwise.
    pub source: Arc<str>,
    /// True when it was changed by hand although files define it.
    pub diverged: bool,
    /// What it runs, as `elasticJobType` says it.
    pub kind: Arc<str>,
    /// When it fires.
    pub timing: Arc<Timing>,
    /// How many items it has.
    pub items: i64,
    /// For people.
    pub title: String,
    /// Words to find it by, separated by spaces.
    pub tags: Arc<str>,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// The digest of its settings.
    pub digest: String,
    /// A success that took less is told, milliseconds; 0 for none.
    pub run_min: i64,
    /// A run that takes longer is told, milliseconds; 0 for none.
    pub run_max: i64,
    /// When it last changed.
    pub changed: Millis,
    /// Who made its version, by the name of that time.
    pub changed_by: Arc<str>,
}

impl JobRow {
    /// When it fires; `None` for one whose cron cannot be read.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        self.timing.schedule()
    }

    /// Whether files of this source define it.
    #[must_use]
    pub fn is_of_files(&self, source: &str) -> bool {
        self.managed == Managed::Files && &*self.source == source
    }
}

/// One version of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// The job.
    pub job: i64,
    /// Which, from 1.
    pub version: i64,
    /// The settings in canonical form, as JSON.
    pub settings: String,
    /// Their digest.
    pub digest: String,
    /// The YAML as it was given, with its comments.
    pub source_text: Option<String>,
    /// Who made it, by id.
    pub author: String,
    /// Who made it, by the name of that time.
    pub author_name: String,
    /// When.
    pub at: Millis,
    /// Why.
    pub reason: String,
    /// Where it came from.
    pub origin: Origin,
    /// The version that it was made from.
    pub based_on: Option<i64>,
}

impl VersionRow {
    /// The settings, for the job of that name.
    ///
    /// # Errors
    /// A version that this program cannot read; says which.
    pub fn read(&self, name: &JobName) -> Result<JobSettings, StoreError> {
        let unreadable = |why: String| {
            StoreError::Refused(format!("version {} of `{name}` cannot be read: {why}", self.version))
        };
        let json = serde_json::from_str(&self.settings).map_err(|error| unreadable(error.to_string()))?;
        canonical::from_json(name.clone(), &json).map_err(|problems| {
            unreadable(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })
    }
}

/// A job to be made, or what a job is to be from its next version on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What it is to be. Its name is the job's.
    pub settings: JobSettings,
    /// The YAML as it was given.
    pub source_text: Option<String>,
    /// Who defines it.
    pub managed: Managed,
    /// The source of the files that define it.
    pub source: String,
    /// True when this is by hand although files define it.
    pub diverged: bool,
    /// Words to find it by.
    pub tags: String,
    /// Who answers for it.
    pub owner: String,
    /// A success that took less is told, milliseconds; 0 for none.
    pub run_min: i64,
    /// A run that takes longer is told, milliseconds; 0 for none.
    pub run_max: i64,
    /// Where it comes from.
    pub origin: Origin,
    /// Why.
    pub reason: String,
    /// The version that it was made from.
    pub based_on: Option<i64>,
}

impl NewJob {
    /// What a job is to be when the registry's settings are taken over.
    #[must_use]
    pub fn adopted(job: &JobRow, settings: JobSettings, reason: String) -> Self {
        Self {
            settings,
            source_text: None,
            managed: job.managed,
            source: job.source.to_string(),
            diverged: job.diverged,
            tags: job.tags.to_string(),
            owner: job.owner.to_string(),
            run_min: job.run_min,
            run_max: job.run_max,
            origin: Origin::Adopt,
            reason,
            based_on: Some(job.version),
        }
    }

    /// What a job is to be when only its settings change, by an operation.
    #[must_use]
    pub fn again(job: &JobRow, settings: JobSettings, reason: String) -> Self {
        Self { origin: Origin::Api, ..Self::adopted(job, settings, reason) }
    }

    /// A job that the registry has, to be taken over as a new one.
    #[must_use]
    pub fn found(settings: JobSettings, reason: String) -> Self {
        Self {
            settings,
            source_text: None,
            managed: Managed::Console,
            source: String::new(),
            diverged: false,
            tags: String::new(),
            owner: String::new(),
            run_min: 0,
            run_max: 0,
            origin: Origin::Adopt,
            reason,
            based_on: None,
        }
    }
}

/// The canonical form of settings as it is stored, and its digest.
pub(super) fn stored(settings: &JobSettings) -> (String, String) {
    let text = canonical::to_json(settings).to_string();
    let digest = sha256(text.as_bytes());
    (text, digest)
}

impl Store {
    /// Jobs that are not removed, in the order of their ids, behind the one of this id; for whoever loads them all.
    ///
    /// # Errors
    /// The database is away.
    pub async fn jobs_behind(&self, id: i64, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.is("id > ", id);
        sql.must("alive = ''");
        sql.text(" ORDER BY id LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(job).collect()
    }

    /// These jobs, removed ones too.
    ///
    /// # Errors
    /// The database is away.
    pub async fn jobs_of(&self, ids: impl IntoIterator<Item = i64>) -> Result<Vec<JobRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.must("id IN (");
        sql.list(ids);
        self.fetch(sql).await?.iter().map(job).collect()
    }

    /// A job, removed ones too.
    ///
    /// # Errors
    /// The database is away.
    pub async fn job(&self, id: i64) -> Result<Option<JobRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.is("id = ", id);
        self.fetch(sql).await?.first().map(job).transpose()
    }

    /// One version of a job.
    ///
    /// # Errors
    /// The database is away.
    pub async fn version(&self, job: i64, number: i64) -> Result<Option<VersionRow>, StoreError> {
        let mut sql = self.sql(VERSIONS);
        sql.is("job = ", job);
        sql.is("version = ", number);
        self.fetch(sql).await?.first().map(version).transpose()
    }

    /// A job's versions before this one, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn versions(&self, job: i64, before: i64, limit: u32) -> Result<Vec<VersionRow>, StoreError> {
        let mut sql = self.sql(VERSIONS);
        sql.is("job = ", job);
        sql.is("version < ", before);
        sql.text(" ORDER BY version DESC LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(version).collect()
    }
}

impl Change {
    /// Makes an elastic job with its first version; its id is the number of the record that comes next.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: the project has a job of that name.
    pub async fn insert_job(&mut self, project: i64, new: &NewJob) -> Result<JobRow, StoreError> {
        let id = self.number().await?;
        let row = self.row(id, project, 1, JobState::Online, new);
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_JOB (id, project, mode, name, alive, version, state, managed, source, diverged, kind, cron, \
             zone, items, title, tags, owner, digest, run_min, run_max, changed)",
        );
        let values: [Value<'_>; 21] = [
            row.id.into(),
            row.project.into(),
            (&*row.mode).into(),
            row.name.as_str().into(),
            "".into(),
            row.version.into(),
            row.state.word().into(),
            row.managed.word().into(),
            (&*row.source).into(),
            i64::from(row.diverged).into(),
            (&*row.kind).into(),
            row.timing.cron().into(),
            row.timing.zone().into(),
            row.items.into(),
            row.title.as_str().into(),
            (&*row.tags).into(),
            (&*row.owner).into(),
            row.digest.as_str().into(),
            row.run_min.into(),
            row.run_max.into(),
            row.changed.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        self.insert_version(&row, new).await?;
        self.is_pending(row.id).await?;
        Ok(row)
    }

    /// Gives a job its next version; `None` when it has another one by now than `before` says.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_job(&mut self, before: &JobRow, new: &NewJob) -> Result<Option<JobRow>, StoreError> {
        let row = self.row(before.id, before.project, before.version + 1, before.state, new);
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_JOB SET version = version + 1, managed = ");
        sql.bind(row.managed.word());
        for (column, value) in [
            (", source = ", Value::from(&*row.source)),
            (", diverged = ", i64::from(row.diverged).into()),
            (", kind = ", (&*row.kind).into()),
            (", cron = ", row.timing.cron().into()),
            (", zone = ", row.timing.zone().into()),
            (", items = ", row.items.into()),
            (", title = ", row.title.as_str().into()),
            (", tags = ", (&*row.tags).into()),
            (", owner = ", (&*row.owner).into()),
            (", digest = ", row.digest.as_str().into()),
            (", run_min = ", row.run_min.into()),
            (", run_max = ", row.run_max.into()),
            (", changed = ", row.changed.into()),
        ] {
            sql.text(column);
            sql.bind(value);
        }
        sql.is("id = ", row.id);
        sql.is("version = ", before.version);
        sql.must("alive = ''");
        if self.execute(sql).await? != 1 {
            return Ok(None);
        }
        self.insert_version(&row, new).await?;
        self.is_pending(row.id).await?;
        Ok(Some(row))
    }

    /// A job that was changed by hand is as its file says again; false when it has another version by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn agree(&mut self, job: &JobRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_JOB SET diverged = 0, changed = ");
        sql.bind(self.now());
        sql.is("id = ", job.id);
        sql.is("version = ", job.version);
        sql.must("alive = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Moves a job from one state to another; false when it is not in that one. One that is removed leaves its name to others.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_job_state(&mut self, id: i64, from: JobState, to: JobState) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_JOB SET state = ");
        sql.bind(to.word());
        sql.text(", alive = ");
        sql.bind(if to == JobState::Removed { id.to_string() } else { String::new() });
        sql.text(", changed = ");
        sql.bind(self.now());
        sql.is("id = ", id);
        sql.is("state = ", from.word());
        Ok(self.execute(sql).await? == 1)
    }

    fn row(&self, id: i64, project: i64, version: i64, state: JobState, new: &NewJob) -> JobRow {
        let settings = &new.settings;
        JobRow {
            id,
            project,
            mode: "elastic".into(),
            name: settings.name.as_str().to_owned(),
            version,
            state,
            managed: new.managed,
            source: new.source.as_str().into(),
            diverged: new.diverged,
            kind: settings.kind.word().into(),
            timing: Timing::new(&settings.cron, settings.time_zone.as_deref().unwrap_or_default()),
            items: settings.sharding_total_count.into(),
            title: settings.description.chars().take(300).collect(),
            tags: new.tags.as_str().into(),
            owner: new.owner.as_str().into(),
            digest: stored(settings).1,
            run_min: new.run_min,
            run_max: new.run_max,
            changed: self.now(),
            changed_by: self.actor().name.as_str().into(),
        }
    }

    async fn insert_version(&mut self, row: &JobRow, new: &NewJob) -> Result<(), StoreError> {
        let (settings, digest) = stored(&new.settings);
        let (author, author_name) = (self.actor().id.clone(), self.actor().name.clone());
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_JOB_VERSION (job, version, settings, digest, source_text, author, author_name, at, reason, \
             origin, based_on)",
        );
        let values: [Value<'_>; 11] = [
            row.id.into(),
            row.version.into(),
            settings.into(),
            digest.into(),
            Value::Text(new.source_text.as_deref().map(Into::into)),
            author.into(),
            author_name.into(),
            self.now().into(),
            new.reason.as_str().into(),
            new.origin.word().into(),
            new.based_on.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }
}

pub(super) fn job(row: &Row) -> Result<JobRow, StoreError> {
    let (state, managed) = (row.text(5)?, row.text(6)?);
    Ok(JobRow {
        id: row.int(0)?,
        project: row.int(1)?,
        mode: row.text(2)?.into(),
        name: row.text(3)?,
        version: row.int(4)?,
        state: JobState::of(&state).ok_or_else(|| unknown("state of a job", &state))?,
        managed: Managed::of(&managed).ok_or_else(|| unknown("way to define a job", &managed))?,
        source: row.text(7)?.into(),
        diverged: row.int(8)? != 0,
        kind: row.text(9)?.into(),
        timing: Timing::new(&row.text(10)?, &row.text(11)?),
        items: row.int(12)?,
        title: row.text(13)?,
        tags: row.text(14)?.into(),
        owner: row.text(15)?.into(),
        digest: row.text(16)?,
        run_min: row.int(17)?,
        run_max: row.int(18)?,
        changed: row.int(19)?,
        changed_by: row.maybe_text(20)?.unwrap_or_default().into(),
    })
}

pub(super) fn version(row: &Row) -> Result<VersionRow, StoreError> {
    let origin = row.text(9)?;
    Ok(VersionRow {
        job: row.int(0)?,
        version: row.int(1)?,
        settings: row.text(2)?,
        digest: row.text(3)?,
        source_text: row.maybe_text(4)?,
        author: row.text(5)?,
        author_name: row.text(6)?,
        at: row.int(7)?,
        reason: row.text(8)?,
        origin: Origin::of(&origin).ok_or_else(|| unknown("origin of a version", &origin))?,
        based_on: row.maybe_int(10)?,
    })
}

/// A word of a column that this program does not know.
pub(super) fn unknown(what: &str, word: &str) -> StoreError {
    StoreError::Refused(format!("`{word}` is no {what}: a later program wrote it"))
}
