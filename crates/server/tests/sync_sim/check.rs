//! What always holds, looked at with each commit and at the end.

use super::database::{Database, name};
use clockwright_api::projects::Outside;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::JobSettings;
use clockwright_registry::{Node, Op, Path};
use clockwright_server::decide::sync::without_overwrite;
use clockwright_server::store::SyncState;
use clockwright_server::sync::control::Control;
use clockwright_settings::canonical;
use clockwright_testkit::sim::Tree;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Check {
    /// The greatest version of each job that was written.
    written: BTreeMap<i64, i64>,
    /// What we wrote, to tell it from what others did.
    ours: BTreeSet<Vec<u8>>,
    /// The versions of `control` that commits carried.
    controls: BTreeSet<i32>,
    /// The greatest term whose chore wrote to the registry, and to the database.
    terms: (i64, i64),
    pub violation: Option<String>,
}

fn read(job: i64, config: &[u8]) -> Option<JobSettings> {
    let settings = Layout::of(config)?.read(config, b"", None).ok()?;
    (settings.name == name(job)).then(|| without_overwrite(settings))
}

fn same(one: &JobSettings, other: &JobSettings) -> bool {
    canonical::diff(one, other).is_empty()
}

impl Check {
    fn hold(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(words());
        }
    }

    /// A chore of this term has an effect in the database.
    pub fn effect(&mut self, term: Option<i64>) {
        let Some(term) = term else { return };
        let before = self.terms.1;
        self.hold(term >= before, || format!("I6: a record of term {term} after one of {before}"));
        self.terms.1 = term.max(before);
    }

    /// A commit is about to be carried out on this tree.
    pub fn commit(&mut self, keys: &Keys, tree: &Tree, ops: &[Op], term: Option<i64>, database: &Database) {
        if let Some(term) = term {
            let before = self.terms.0;
            self.hold(term >= before, || format!("I6: a commit of term {term} after one of {before}"));
            self.terms.0 = term.max(before);
        }
        for op in ops {
            let path = op.path();
            if *path == clockwright_server::sync::control::path(keys) {
                self.control(tree.get(path), op);
                continue;
            }
            let job = database
                .ids()
                .into_iter()
                .find(|job| *path == keys.job(&name(*job)) || *path == keys.of(&name(*job), &Key::Config));
            self.hold(job.is_some(), || format!("I9: {path} is of no managed job"));
            let (Some(job), true) = (job, path.as_str().ends_with("/config")) else { continue };
            if let Op::Create { data, .. } | Op::Set { data, .. } = op {
                self.config(job, tree.get(path), data, database);
            }
        }
    }

    fn control(&mut self, before: Option<&Node>, op: &Op) {
        let Op::Set { data, version: Some(version), .. } = op else {
            return self.hold(false, || "I5: `control` is not set by its version".to_owned());
        };
        let is_first = self.controls.insert(*version);
        self.hold(is_first, || format!("I5: two commits carry version {version} of `control`"));
        let term = |data: &[u8]| serde_json::from_slice::<Control>(data).unwrap().term;
        let (found, now) = (before.map_or(0, |node| term(&node.data)), term(data));
        self.hold(now >= found, || format!("I6: `control` goes back from term {found} to {now}"));
    }

    fn config(&mut self, job: i64, before: Option<&Node>, data: &[u8], database: &Database) {
        let settings = read(job, data);
        let Some(settings) = settings else {
            return self.hold(false, || format!("I10: job {job} is written as another one"));
        };
        let version = database.versions.get(&(job, settings.cron.clone())).copied();
        let Some(version) = version else {
            return self.hold(false, || format!("I4: {} is no version of job {job}", settings.cron));
        };
        let greatest = self.written.get(&job).copied().unwrap_or(0);
        self.hold(version >= greatest, || {
            format!("I1: job {job} is written in version {version} after {greatest}")
        });
        self.written.insert(job, version.max(greatest));
        if let Some(before) = before {
            let was = read(job, &before.data);
            // What was adopted, or saved as well, is a version: nothing of it is lost.
            let is_version =
                was.as_ref().is_some_and(|was| database.versions.contains_key(&(job, was.cron.clone())));
            self.hold(!was.is_some_and(|was| same(&was, &settings)), || {
                format!("I2: job {job} is written although it says the same")
            });
            let is_ours = self.ours.contains(&before.data.to_vec());
            let is_recorded =
                database.records.iter().any(|record| record.job == job && *record.had == *before.data);
            self.hold(is_ours || is_version || is_recorded, || {
                format!("I3: what somebody wrote of job {job} is overwritten and not on record")
            });
        }
        self.ours.insert(data.to_vec());
    }

    /// All parts are back, and there was time.
    pub fn end(&mut self, keys: &Keys, tree: &Tree, database: &Database) {
        for job in database.ids() {
            let path = keys.of(&name(job), &Key::Config);
            let there = tree.get(&path).and_then(|node| read(job, &node.data));
            let is_wished = there.is_some_and(|there| same(&there, &database.wish(job)));
            let state = database.sync(job).map(|sync| sync.state);
            let waits = matches!(state, Some(SyncState::Reported | SyncState::Conflict));
            let is_written = matches!(state, Some(SyncState::Written | SyncState::Contended));
            let may_wait = database.project.policy.settings != Outside::Repair;
            self.hold(is_written && is_wished || waits && may_wait, || {
                format!("I7: job {job} is {state:?} in the end, as wished: {is_wished}")
            });
            let open = database.records.iter().filter(|record| record.job == job && record.is_open).count();
            self.hold(!is_written || open == 0, || format!("I7: {open} records of job {job} stay open"));
        }
        let stranger = Path::new("/billing/stranger/config").unwrap();
        let untouched = tree.get(&stranger).is_some_and(|node| node.stat.version == 0);
        self.hold(untouched, || "I9: a job that nobody manages was touched".to_owned());
    }
}
