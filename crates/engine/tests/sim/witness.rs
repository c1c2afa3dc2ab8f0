//! Shows the invariants what a simulated registry does: each transaction, taken apart into plain observations.
//!
//! The rules themselves are in [`clockwright_planner::invariants`]; nothing is judged here.

use clockwright_fleet::Layout;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{Exclusive, InstanceId, Item, JobName, JobSettings, Millis};
use clockwright_planner::Schedule;
use clockwright_planner::invariants::{CursorObserved, History, Policy, Scope, Violation, Write};
use clockwright_registry::Node;
use clockwright_testkit::sim::{Change, Txn};
use std::collections::{BTreeMap, BTreeSet};

/// A fire is given up after this many attempts whose owners were lost.
const LOST_ATTEMPTS: u32 = 5;

/// See the module.
pub struct Witness {
    keys: Keys,
    /// The settings that instances start with: keys that a layout does not keep are theirs.
    local: BTreeMap<JobName, JobSettings>,
    roots: BTreeMap<JobName, Node>,
    tolerance: Millis,
    pub history: History,
    /// The sessions of Java processes.
    pub java: BTreeSet<i64>,
    /// How many claims got their outcome.
    pub completions: u64,
    /// Claims that passed over an open one: the run that was lost, and the transaction that did it.
    pub passed_over: Vec<(clockwright_model::RunId, i64)>,
}

impl Witness {
    pub fn new(keys: Keys, jobs: &[JobSettings], tolerance: Millis) -> Self {
        Self {
            keys,
            local: jobs.iter().map(|job| (job.name.clone(), job.clone())).collect(),
            roots: BTreeMap::new(),
            tolerance,
            history: History::new(),
            java: BTreeSet::new(),
            completions: 0,
            passed_over: Vec::new(),
        }
    }

    /// A transaction was carried out. `hears`: see [`Write::hears`].
    pub fn observe(&mut self, txn: &Txn, wall: Millis, hears: Option<Millis>) -> Result<(), Violation> {
        let write = Write { session: txn.session, transaction: txn.zxid, wall, hears };
        for change in &txn.changes {
            if let Some(name) = change.path.below(&self.keys.leases()) {
                let holder = change.after.as_ref().map(|node| node.stat.owner);
                self.history.lease(&InstanceId::from_wire(name), holder);
            }
        }
        // All of it is seen, whatever is wrong with a part: a rule that does not hold after a loss hides nothing else.
        let mut seen = Ok(());
        for change in &txn.changes {
            seen = seen.and(self.change(write, change));
        }
        seen
    }

    /// The registry lost data: these changes are what it does not know any more.
    pub fn data_lost(&mut self, txn: &Txn, wall: Millis) {
        let is_kept = |job: &&JobName| {
            let config = self.keys.of(job, &Key::Config);
            txn.changes.iter().all(|change| change.path != config)
        };
        let kept: Vec<_> = (self.local.keys().filter(is_kept))
            .filter_map(|job| Some((job.clone(), self.history.settings(job)?.clone())))
            .collect();
        self.history.forgotten();
        // Settings that an older state of the registry has too are no change.
        kept.into_iter().for_each(|(job, policy)| self.history.policy(&job, policy));
        let write = Write { session: 0, transaction: txn.zxid, wall, hears: None };
        for change in &txn.changes {
            // None of the rules holds of this.
            let _ = self.change(write, change);
        }
    }

    fn change(&mut self, write: Write, change: &Change) -> Result<(), Violation> {
        let Some((job, key)) = self.keys.parse(&change.path) else { return Ok(()) };
        let job = JobName::new(job).expect("the name of a job");
        let of_java = self.java.contains(&write.session);
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let since = after.map(|node| node.stat.modified_at);
        match key {
            Key::Job => match after {
                Some(node) => drop(self.roots.insert(job, node.clone())),
                None => drop(self.roots.remove(&job)),
            },
            Key::Config => self.config(&job, after, write.wall),
            Key::ElectionInstance => self.history.leader(&job, after.map(|node| node.stat.owner)),
            Key::Epoch => {
                let version = |node: &Node| i64::from(node.stat.version);
                if let Some(before) = before {
                    self.history.epoch(&job, write, version(before), after.map(version))?;
                }
            }
            Key::Item(item) if after.is_none() => self.history.removed(&job, item),
            Key::Owner(item) => {
                let owner = after.map(|node| InstanceId::from_wire(&String::from_utf8_lossy(&node.data)));
                self.history.owner(&job, item, owner, write.wall);
            }
            Key::Paused => self.history.switched(Scope::Job(job), since),
            Key::Disabled(item) => self.history.switched(Scope::Item(job, item), since),
            Key::Server(ip) => {
                let off = after.is_some_and(|node| &node.data[..] == b"DISABLED");
                self.history.switched(Scope::Host(job, ip), since.filter(|_| off));
            }
            Key::Instance(id) if !of_java => {
                let asked = before.filter(|node| &node.data[..] == b"TRIGGER");
                let reset = after.is_some_and(|node| &node.data[..] != b"TRIGGER");
                if let Some(asked) = asked.filter(|asked| reset && asked.stat.owner == write.session) {
                    self.history.trigger_taken(&job, &format!("{:x}", asked.stat.modified), &id)?;
                }
            }
            // A Java leader deletes whole items, and knows no cursor.
            Key::Cursor(item) if of_java => drop(self.cursor(&job, item, write, after)),
            Key::Cursor(item) => self.cursor(&job, item, write, after)?,
            _ => {}
        }
        Ok(())
    }

    fn config(&mut self, job: &JobName, node: Option<&Node>, wall: Millis) {
        let Some(node) = node else { return };
        let Some(layout) = Layout::of(&node.data) else { return };
        let root = self.roots.get(job).map(|root| root.data.clone()).unwrap_or_default();
        let Ok(settings) = layout.read(&node.data, &root, self.local.get(job)) else { return };
        let zone = settings.time_zone.as_deref();
        let Ok(schedule) = Schedule::parse(&settings.cron, zone) else { return };
        let policy = Policy {
            schedule,
            id: schedule_hash(&settings.cron, zone.unwrap_or("")),
            since: wall,
            items: settings.sharding_total_count,
            misfire: settings.misfire,
            failover: settings.failover,
            strict: settings.exclusive == Exclusive::Strict,
            lost_attempts: LOST_ATTEMPTS.max(settings.retry.max_attempts),
            tolerance: self.tolerance,
        };
        self.history.policy(job, policy);
    }

    fn cursor(
        &mut self,
        job: &JobName,
        item: Item,
        write: Write,
        node: Option<&Node>,
    ) -> Result<(), Violation> {
        // One that was spoilt by hand says nothing.
        let after = node
            .and_then(|node| Cursor::from_bytes(&node.data).ok())
            .map(|cursor| self.read(job, item, &cursor));
        let open = self.history.cursor_of(job, item).and_then(CursorObserved::running);
        if let (Some(open), Some(now)) = (open, after.as_ref().and_then(|after| after.run.as_ref())) {
            if open.run != now.run {
                self.passed_over.push((open.run, write.transaction));
            } else if now.outcome.is_some() {
                self.completions += 1;
            }
        }
        self.history.cursor(job, item, write, after)
    }

    fn read(&self, job: &JobName, item: Item, cursor: &Cursor) -> CursorObserved {
        let kept =
            cursor.kept.iter().map(|kept| kept.clone().settlement(self.keys.namespace(), job.clone(), item));
        CursorObserved { kept: kept.collect(), ..cursor.observed() }
    }
}

fn schedule_hash(cron: &str, zone: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in [cron.as_bytes(), zone.as_bytes()].into_iter().flat_map(|part| part.iter().chain(&[0xff])) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}
