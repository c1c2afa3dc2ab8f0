//! The database as the protocol of a group sees it: wishes, bases, records, the term. Each question and each change is one instant.

use clockwright_api::projects::{Holds, Outside, Policy};
use clockwright_model::{JobKind, JobName, JobSettings, Millis};
use clockwright_server::decide::group::{Adoption, Finding, Known, Notes};
use clockwright_server::store::{
    JobRow, JobState, Managed, Origin, ProjectRow, SyncRow, SyncState, Timing, VersionRow, Wished,
};
use clockwright_settings::canonical;
use std::collections::BTreeMap;

/// Somebody else's config that was put on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnRecord {
    pub job: i64,
    pub kind: &'static str,
    pub had: Vec<u8>,
    pub is_open: bool,
}

struct Job {
    row: JobRow,
    version: VersionRow,
    sync: Option<SyncRow>,
}

pub struct Database {
    jobs: BTreeMap<i64, Job>,
    pub records: Vec<OnRecord>,
    pub project: ProjectRow,
    /// The journal's number.
    head: i64,
    mark: i64,
    pub term: i64,
    /// The versions of each job, by the schedule that only this one has.
    pub versions: BTreeMap<(i64, String), i64>,
}

/// A schedule that no other number has.
pub fn cron(number: u64) -> String {
    format!("{} {} {} * * ?", number % 60, number / 60 % 60, number / 3_600 % 24)
}

pub fn settings(job: i64, cron: &str) -> JobSettings {
    let mut settings = JobSettings::new(name(job), JobKind::Simple, cron, 2);
    settings.class = "com.example.Job".into();
    settings
}

pub fn name(job: i64) -> JobName {
    JobName::new(&format!("job-{job}")).unwrap()
}

impl Database {
    pub fn new(outside: Outside) -> Self {
        let project = ProjectRow {
            id: 1,
            name: "billing".into(),
            title: String::new(),
            note: String::new(),
            registry: "home".into(),
            namespace: "billing".into(),
            store: "home".into(),
            layout: String::new(),
            policy: Policy { settings: outside, holds: Holds::Keep },
            code_edit: false,
            control_mark: 0,
            version: 1,
            created: 0,
        };
        Self {
            jobs: BTreeMap::new(),
            records: Vec::new(),
            project,
            head: 10,
            mark: 0,
            term: 0,
            versions: BTreeMap::new(),
        }
    }

    pub fn ids(&self) -> Vec<i64> {
        self.jobs.keys().copied().collect()
    }

    /// Somebody saves a job, with a schedule that no version had before.
    pub fn save(&mut self, id: i64, cron: &str, now: Millis) {
        let number = self.jobs.get(&id).map_or(0, |job| job.version.version) + 1;
        self.put(id, number, &settings(id, cron), now);
    }

    fn put(&mut self, id: i64, number: i64, settings: &JobSettings, now: Millis) {
        self.head += 1;
        self.versions.insert((id, settings.cron.clone()), number);
        let row = JobRow {
            id,
            project: 1,
            mode: "elastic".into(),
            name: settings.name.as_str().into(),
            version: number,
            state: JobState::Online,
            managed: Managed::Console,
            source: "".into(),
            diverged: false,
            kind: "SIMPLE".into(),
            timing: Timing::new(&settings.cron, ""),
            items: 2,
            title: String::new(),
            tags: "".into(),
            owner: "".into(),
            digest: String::new(),
            run_min: 0,
            run_max: 0,
            changed: now,
            changed_by: "".into(),
        };
        let version = VersionRow {
            job: id,
            version: number,
            settings: canonical::to_json(settings).to_string(),
            digest: String::new(),
            source_text: None,
            author: String::new(),
            author_name: String::new(),
            at: now,
            reason: String::new(),
            origin: Origin::Console,
            based_on: None,
        };
        let sync = self.jobs.remove(&id).and_then(|job| job.sync);
        let sync = sync.unwrap_or_else(|| SyncRow::first(id, SyncState::Pending));
        let sync = SyncRow { state: SyncState::Pending, next_try: now + 5_000, ..sync };
        self.jobs.insert(id, Job { row, version, sync: Some(sync) });
    }

    pub fn known(&self, ids: impl Iterator<Item = i64>) -> Known {
        let wished = ids.filter_map(|id| {
            let Job { row, version, sync } = self.jobs.get(&id)?;
            Some(Wished { job: row.clone(), version: version.clone(), sync: sync.clone(), since: Vec::new() })
        });
        let standing = self.records.iter().filter(|record| record.is_open).map(|record| record.job);
        Known { wished: wished.collect(), standing: standing.collect(), head: self.head, mark: self.mark }
    }

    pub fn wish(&self, id: i64) -> JobSettings {
        self.jobs[&id].version.read(&name(id)).unwrap()
    }

    pub fn sync(&self, id: i64) -> Option<&SyncRow> {
        self.jobs[&id].sync.as_ref()
    }

    /// Jobs whose time has come.
    pub fn due(&self, now: Millis) -> Vec<i64> {
        let is_due = |sync: &SyncRow| {
            matches!(sync.state, SyncState::Pending | SyncState::Contended)
                && sync.next_try > 0
                && sync.next_try <= now
        };
        let due = self.jobs.iter().filter(|(_, job)| job.sync.as_ref().is_some_and(is_due));
        due.map(|(id, _)| *id).collect()
    }

    /// What was found becomes a version, unless somebody saved meanwhile; how often.
    pub fn adopt(&mut self, adoptions: Vec<Adoption>, now: Millis) -> u64 {
        let mut adopted = 0;
        for adoption in adoptions {
            let id = adoption.job.id;
            if self.jobs[&id].version.version == adoption.job.version {
                self.put(id, adoption.job.version + 1, &adoption.settings, now);
                adopted += 1;
            }
        }
        adopted
    }

    pub fn record(&mut self, found: Vec<Finding>) {
        self.head += 1;
        for finding in found.into_iter().filter(|finding| finding.is_drift) {
            let had = finding.had.map(|node| node.data.to_vec()).unwrap_or_default();
            let row = OnRecord { job: finding.job.0, kind: finding.kind, had, is_open: true };
            if !self.records.contains(&row) {
                self.records.push(row);
            }
        }
    }

    pub fn note(&mut self, notes: Notes, now: Millis) {
        for (row, wished) in notes.rows {
            let job = self.jobs.get_mut(&row.job).unwrap();
            let row = if job.version.version == wished {
                row
            } else {
                SyncRow { state: SyncState::Pending, next_try: now, ..row }
            };
            let is_done = matches!(row.state, SyncState::Written | SyncState::Contended) && row.next_try == 0;
            for record in self.records.iter_mut().filter(|record| is_done && record.job == row.job) {
                record.is_open = false;
            }
            job.sync = Some(row);
        }
        self.mark = self.mark.max(notes.mark);
    }
}
