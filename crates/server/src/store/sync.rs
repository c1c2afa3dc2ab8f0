//! How far the registry has followed, and what others wrote there.
//!
//! What is kept here is bookkeeping: lost, it would be found again by looking. Only what others wrote is kept for people, and is on record
//! before it is overwritten.

use super::jobs::{JobRow, JobState, VersionRow, job, unknown, version};
use super::{Change, Store, StoreError};
use crate::decide::chain::{sha256, words};
use crate::decide::group::Notes;
use crate::decide::pace::Repeats;
use clockwright_model::Millis;
use clockwright_sql::{Row, Sql, Tx, Value};
use std::collections::{BTreeMap, HashMap};

words! {
    /// How far the registry has followed a job.
    SyncState {
        /// It says what the database says.
        Written "written",
        /// It does not yet, and will.
        Pending "pending",
        /// More would be written than the guard allows, or the registry is an older one: a person confirms.
        Held "held",
        /// A person decides between two settings.
        Conflict "conflict",
        /// It says something else, and the project only reports.
        Reported "reported",
        /// The server may not write there.
        Denied "denied",
        /// It was overwritten by somebody again and again.
        Contended "contended",
    }
}

/// How far the registry has followed one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRow {
    /// The job.
    pub job: i64,
    /// How far.
    pub state: SyncState,
    /// The version that was last written or adopted; 0 for none.
    pub base_version: i64,
    /// Its settings, as JSON; `None` when nothing was written yet.
    pub base: Option<String>,
    /// The digest of the exact bytes.
    pub wire_digest: String,
    /// The layout, `2` or `3`.
    pub layout: String,
    /// The digest of what was last seen there.
    pub seen: String,
    /// When the registry was last known to say what the database says.
    pub synced: Millis,
    /// Why it does not, in words.
    pub error: String,
    /// What was overwritten last.
    pub over: Repeats,
    /// When it is tried again by itself; 0 for not before something happens.
    pub next_try: Millis,
}

impl SyncRow {
    /// Of a job that nothing was written of yet.
    #[must_use]
    pub fn first(job: i64, state: SyncState) -> Self {
        Self {
            job,
            state,
            base_version: 0,
            base: None,
            wire_digest: String::new(),
            layout: String::new(),
            seen: String::new(),
            synced: 0,
            error: String::new(),
            over: Repeats::default(),
            next_try: 0,
        }
    }
}

/// What the database wishes of one job, and how far the registry has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wished {
    /// The job.
    pub job: JobRow,
    /// Its version.
    pub version: VersionRow,
    /// How far; `None` when nothing was tried yet.
    pub sync: Option<SyncRow>,
    /// Its versions between what was last written, as far as that was noted, and this one: a server may have written one and died.
    pub since: Vec<VersionRow>,
}

/// What somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is told where it is shown; the rest is below")]
pub struct DriftRow {
    pub id: String,
    pub project: i64,
    pub job: i64,
    pub name: String,
    pub found: Millis,
    /// `changed`, `both`, `broken`, `foreign`, `missing`, `open` or `denied`.
    pub kind: String,
    /// `repaired`, `reported` or `adopted`.
    pub verdict: String,
    /// The bytes, as text; cut when they are long.
    pub had: String,
    /// The settings that were wished, as JSON.
    pub wanted: String,
    /// Which settings differ, as JSON.
    pub changes: String,
    /// Who it may have been, as JSON.
    pub author: String,
    /// When it was dealt with; `None` while it stands.
    pub done: Option<Millis>,
}

/// How long whoever saved a job has to write it, before the server that leads does.
const SAVED: Millis = 5_000;
/// How many jobs are asked for at once.
const AT_ONCE: usize = 500;
/// At most so many bytes of what others wrote are kept as text.
const LONGEST: usize = 64 * 1024;

/// What others wrote, as it is kept: as text, or its head with the hash of all of it.
#[must_use]
pub fn kept(bytes: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    match bytes.get(..LONGEST) {
        Some(head) if bytes.len() > LONGEST => {
            format!("{}\n… {} bytes, SHA-256 {}", text(head), bytes.len(), sha256(bytes))
        }
        _ => text(bytes),
    }
}

const SYNC: &str = "SELECT job, state, base_version, base, wire_digest, layout, seen, synced, error, over_digest, repeats, over_at, next_try \
                    FROM CLOCKWRIGHT_SYNC";
const DRIFT: &str = "SELECT id, project, job, name, found, kind, verdict, had, wanted, changes, author, done FROM CLOCKWRIGHT_DRIFT";

impl Store {
    /// What is wished of these jobs, removed ones too, in the order of their ids.
    ///
    /// # Errors
    /// The database is away.
    pub async fn wished(&self, ids: &[i64]) -> Result<Vec<Wished>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql(super::jobs::COLUMNS);
        sql.must("id IN (");
        sql.list(ids.iter().copied());
        sql.text(" ORDER BY id");
        let jobs = self.fetch(sql).await?.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let mut sql = self.sql(super::jobs::VERSIONS);
        sql.text(" v WHERE EXISTS (SELECT 1 FROM CLOCKWRIGHT_JOB j WHERE j.id = v.job AND j.version = v.version AND j.id IN (");
        sql.list(ids.iter().copied());
        sql.text(")");
        let versions = self.fetch(sql).await?.iter().map(version).collect::<Result<Vec<_>, _>>()?;
        let mut versions: HashMap<i64, _> = versions.into_iter().map(|row| (row.job, row)).collect();
        let mut syncs: HashMap<i64, _> =
            self.syncs(ids).await?.into_iter().map(|row| (row.job, row)).collect();
        let mut since = self.since(&jobs, &syncs).await?;
        // A job that got another version between the two questions is read again by whoever made it.
        let wished = jobs.into_iter().filter_map(|job| {
            let (version, sync) = (versions.remove(&job.id)?, syncs.remove(&job.id));
            let since = since.remove(&job.id).unwrap_or_default();
            Some(Wished { job, version, sync, since })
        });
        Ok(wished.collect())
    }

    /// The versions of these jobs that came after what was last noted and before the newest; of most there is none, which needs no question.
    async fn since(
        &self,
        jobs: &[JobRow],
        syncs: &HashMap<i64, SyncRow>,
    ) -> Result<HashMap<i64, Vec<VersionRow>>, StoreError> {
        let base = |job: i64| syncs.get(&job).map_or(0, |sync| sync.base_version);
        let behind: Vec<i64> =
            jobs.iter().filter(|job| job.version > base(job.id) + 1).map(|job| job.id).collect();
        let mut since: HashMap<i64, Vec<VersionRow>> = HashMap::new();
        if behind.is_empty() {
            return Ok(since);
        }
        let mut sql = self.sql(super::jobs::VERSIONS);
        sql.text(
            " v WHERE EXISTS (SELECT 1 FROM CLOCKWRIGHT_JOB j LEFT JOIN CLOCKWRIGHT_SYNC s ON s.job = j.id ",
        );
        sql.text("WHERE j.id = v.job AND v.version < j.version AND v.version > COALESCE(s.base_version, 0) AND j.id IN (");
        sql.list(behind);
        sql.text(")");
        for row in self.fetch(sql).await? {
            let row = version(&row)?;
            since.entry(row.job).or_default().push(row);
        }
        Ok(since)
    }

    /// What is wished of those of these jobs that were not removed, however many they are.
    ///
    /// # Errors
    /// The database is away.
    pub async fn there(&self, ids: &[i64]) -> Result<Vec<Wished>, StoreError> {
        let mut there = Vec::with_capacity(ids.len());
        for ids in ids.chunks(AT_ONCE) {
            let wished = self.wished(ids).await?.into_iter();
            there.extend(wished.filter(|wished| wished.job.state != JobState::Removed));
        }
        Ok(there)
    }

    /// The names of these jobs, removed ones too, in the order of their ids. They never change.
    ///
    /// # Errors
    /// The database is away.
    pub async fn names(&self, ids: &[i64]) -> Result<Vec<(i64, String)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql("SELECT id, name FROM CLOCKWRIGHT_JOB");
        sql.must("id IN (");
        sql.list(ids.iter().copied());
        sql.text(" ORDER BY id");
        self.fetch(sql).await?.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
    }

    /// How far the registry has followed these jobs.
    ///
    /// # Errors
    /// The database is away.
    pub async fn syncs(&self, ids: &[i64]) -> Result<Vec<SyncRow>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql(SYNC);
        sql.must("job IN (");
        sql.list(ids.iter().copied());
        self.fetch(sql).await?.iter().map(sync).collect()
    }

    /// Notes how far the registry has followed: a job that got another version meanwhile is still to be written, and what is written closes what
    /// was on record of it.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn noted(
        &self,
        term: Option<i64>,
        project: i64,
        notes: &Notes,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut tx = self.write_in(term).await?;
        let mut sql = self.sql("SELECT id, version FROM CLOCKWRIGHT_JOB");
        sql.must("id IN (");
        sql.list(notes.rows.iter().map(|(row, _)| row.job));
        sql.text(" ORDER BY id");
        if sql.dialect.is_postgres() || sql.dialect.is_mysql() {
            // Who saves waits here, and finds what is noted.
            sql.text(" FOR UPDATE");
        }
        let mut versions = BTreeMap::new();
        for row in tx.fetch(sql).await? {
            versions.insert(row.int(0)?, row.int(1)?);
        }
        let row = |(row, wished): &(SyncRow, i64)| match versions.get(&row.job) {
            Some(version) if version == wished => row.clone(),
            _ => SyncRow { state: SyncState::Pending, next_try: now, ..row.clone() },
        };
        let rows: Vec<SyncRow> = notes.rows.iter().map(row).collect();
        put(&mut tx, &rows).await?;
        let done = rows.iter().filter(|row| matches!(row.state, SyncState::Written | SyncState::Contended));
        let done: Vec<i64> = done.filter(|row| row.next_try == 0).map(|row| row.job).collect();
        if !done.is_empty() {
            let mut sql = self.sql("UPDATE CLOCKWRIGHT_DRIFT SET done = ");
            sql.bind(now);
            sql.must("done IS NULL AND job IN (");
            sql.list(done);
            tx.execute(sql).await?;
        }
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_PROJECT SET control_mark = ");
        sql.bind(notes.mark);
        sql.is("id = ", project);
        sql.is("control_mark < ", notes.mark);
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// Those of these jobs of which something is on record that is not dealt with.
    ///
    /// # Errors
    /// The database is away.
    pub async fn standing(&self, jobs: &[i64]) -> Result<Vec<i64>, StoreError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql("SELECT DISTINCT job FROM CLOCKWRIGHT_DRIFT");
        sql.must("done IS NULL AND job IN (");
        sql.list(jobs.iter().copied());
        self.fetch(sql).await?.iter().map(|row| Ok(row.int(0)?)).collect()
    }

    /// Jobs that are to be written now, each with its project: saved and not written yet, or in a fight whose pause is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn due(&self, now: Millis, limit: u32) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut sql = self
            .sql("SELECT j.project, s.job FROM CLOCKWRIGHT_SYNC s JOIN CLOCKWRIGHT_JOB j ON j.id = s.job");
        sql.must("s.state IN ('pending', 'contended')");
        sql.must("s.next_try > 0");
        sql.is("s.next_try <= ", now);
        sql.text(" ORDER BY s.next_try LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// These jobs could not be written; each is tried again later, the longer the oftener it failed.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn later(&self, term: i64, jobs: &[i64], why: &str, now: Millis) -> Result<(), StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        for (condition, wait) in [("tries < ", 6), ("tries >= ", 60)] {
            let mut sql = self.sql("UPDATE CLOCKWRIGHT_SYNC SET error = ");
            sql.bind(why.chars().take(500).collect::<String>());
            sql.text(", next_try = ");
            sql.bind(now + wait * 1_000);
            sql.is(condition, 6i64);
            sql.must("job IN (");
            sql.list(jobs.iter().copied());
            tx.execute(sql).await?;
        }
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SYNC SET tries = tries + 1");
        sql.must("job IN (");
        sql.list(jobs.iter().copied());
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// The jobs that the registry does not have as the database says, and how far it is with each.
    ///
    /// # Errors
    /// The database is away.
    pub async fn unwritten(&self) -> Result<Vec<(i64, SyncState)>, StoreError> {
        let mut sql = self.sql("SELECT job, state FROM CLOCKWRIGHT_SYNC");
        // By name, which the index knows; unlike `<>`.
        sql.must("state IN (");
        sql.list(
            [
                SyncState::Pending,
                SyncState::Held,
                SyncState::Conflict,
                SyncState::Reported,
                SyncState::Denied,
                SyncState::Contended,
            ]
            .map(SyncState::word),
        );
        let state = |row: &Row| {
            let word = row.text(1)?;
            let state = SyncState::of(&word).ok_or_else(|| unknown("state of sync", &word))?;
            Ok((row.int(0)?, state))
        };
        self.fetch(sql).await?.iter().map(state).collect()
    }

    /// The greatest version of a namespace's `control` node that was seen.
    ///
    /// # Errors
    /// The database is away.
    pub async fn control_mark(&self, project: i64) -> Result<i64, StoreError> {
        let mut sql = self.sql("SELECT control_mark FROM CLOCKWRIGHT_PROJECT");
        sql.is("id = ", project);
        Ok(self.fetch(sql).await?.first().map(|row| row.int(0)).transpose()?.unwrap_or_default())
    }

    /// A person has said that the registry is the right one, whose `control` node has this version now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_control(&self, project: i64, version: i64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_PROJECT SET control_mark = ");
        sql.bind(version);
        sql.is("id = ", project);
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// What somebody else wrote, by its id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drift(&self, project: i64, id: &str) -> Result<Option<DriftRow>, StoreError> {
        let mut sql = self.sql(DRIFT);
        sql.is("project = ", project);
        sql.is("id = ", id.to_owned());
        self.fetch(sql).await?.first().map(drift).transpose()
    }

    /// What others wrote in a project, or in one job of it, before this instant, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drifts(
        &self,
        project: i64,
        job: Option<i64>,
        before: Millis,
        limit: u32,
    ) -> Result<Vec<DriftRow>, StoreError> {
        let mut sql = self.sql(DRIFT);
        sql.is("project = ", project);
        sql.may("job = ", job);
        sql.is("found < ", before);
        sql.text(" ORDER BY found DESC, id DESC LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(drift).collect()
    }
}

impl Change {
    /// Notes how far the registry has followed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_syncs(&mut self, rows: &[SyncRow]) -> Result<(), StoreError> {
        put(&mut self.tx, rows).await
    }

    /// A job has a version that the registry has not: whoever saves it writes it at once, and where that comes to nothing the server that leads does.
    pub(super) async fn is_pending(&mut self, job: i64) -> Result<(), StoreError> {
        let next_try = self.now() + SAVED;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SYNC SET state = 'pending', tries = 0, next_try = ");
        sql.bind(next_try);
        sql.is("job = ", job);
        if self.execute(sql).await? == 0 {
            let row = SyncRow { next_try, ..SyncRow::first(job, SyncState::Pending) };
            put(&mut self.tx, &[row]).await?;
        }
        Ok(())
    }

    /// What is on record of these jobs and not dealt with.
    ///
    /// # Errors
    /// The database is away.
    pub async fn standing_drifts(&mut self, jobs: &[i64]) -> Result<Vec<DriftRow>, StoreError> {
        let mut sql = self.sql(DRIFT);
        sql.must("done IS NULL AND job IN (");
        sql.list(jobs.iter().copied());
        self.fetch(sql).await?.iter().map(drift).collect()
    }

    /// Keeps what somebody else wrote.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_drift(&mut self, row: &DriftRow) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_DRIFT (id, project, job, name, found, kind, verdict, had, wanted, changes, author, done, seq)",
        );
        let values: [Value<'_>; 13] = [
            row.id.as_str().into(),
            row.project.into(),
            row.job.into(),
            row.name.as_str().into(),
            row.found.into(),
            row.kind.as_str().into(),
            row.verdict.as_str().into(),
            row.had.as_str().into(),
            row.wanted.as_str().into(),
            row.changes.as_str().into(),
            row.author.as_str().into(),
            row.done.into(),
            Value::Int(None),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }
}

async fn put(tx: &mut Tx, rows: &[SyncRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(tx.dialect(), "DELETE FROM CLOCKWRIGHT_SYNC");
    sql.must("job IN (");
    sql.list(rows.iter().map(|row| row.job));
    tx.execute(sql).await?;
    let mut sql = Sql::new(
        tx.dialect(),
        "INSERT INTO CLOCKWRIGHT_SYNC (job, state, base_version, base, wire_digest, layout, seen, synced, tries, next_try, error, \
         repeats, over_digest, over_at)",
    );
    sql.rows(rows.iter().map(|row| -> [Value<'_>; 14] {
        [
            row.job.into(),
            row.state.word().into(),
            row.base_version.into(),
            Value::Text(row.base.as_deref().map(Into::into)),
            row.wire_digest.as_str().into(),
            row.layout.as_str().into(),
            row.seen.as_str().into(),
            row.synced.into(),
            0i64.into(),
            row.next_try.into(),
            row.error.chars().take(500).collect::<String>().into(),
            row.over.count.into(),
            row.over.digest.as_str().into(),
            row.over.at.into(),
        ]
    }));
    tx.execute(sql).await?;
    Ok(())
}

fn sync(row: &Row) -> Result<SyncRow, StoreError> {
    let state = row.text(1)?;
    Ok(SyncRow {
        job: row.int(0)?,
        state: SyncState::of(&state).ok_or_else(|| unknown("state of sync", &state))?,
        base_version: row.int(2)?,
        base: row.maybe_text(3)?,
        wire_digest: row.text(4)?,
        layout: row.text(5)?,
        seen: row.text(6)?,
        synced: row.int(7)?,
        error: row.text(8)?,
        over: Repeats { digest: row.text(9)?, count: row.int(10)?, at: row.int(11)? },
        next_try: row.int(12)?,
    })
}

fn drift(row: &Row) -> Result<DriftRow, StoreError> {
    Ok(DriftRow {
        id: row.text(0)?,
        project: row.int(1)?,
        job: row.int(2)?,
        name: row.text(3)?,
        found: row.int(4)?,
        kind: row.text(5)?,
        verdict: row.text(6)?,
        had: row.text(7)?,
        wanted: row.text(8)?,
        changes: row.text(9)?,
        author: row.text(10)?,
        done: row.maybe_int(11)?,
    })
}
