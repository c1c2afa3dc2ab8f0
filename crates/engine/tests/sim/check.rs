//! The invariants, checked on every transaction and every start of a run. Names are those of the project's reliability notes.

use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::{Claim, Cursor, Gap};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{
    Exclusive, Fire, Item, JobSettings, Millis, Misfire, Outcome, RunId, Settlement, Source,
};
use clockwright_planner::Schedule;
use clockwright_registry::Node;
use clockwright_testkit::sim::{Tree, Txn};
use std::collections::{BTreeMap, BTreeSet};

type Place = (String, Item);

/// A fire is given up after this many attempts whose owners were lost.
const LOST_ATTEMPTS: u32 = 5;
/// How far a claim may be ahead of the registry's time, milliseconds: clocks differ, and are set.
const MOST_AHEAD: Millis = 10_000;

/// A version of a job's settings.
struct Config {
    schedule: Schedule,
    hash: u32,
    written_at: Millis,
    settings: JobSettings,
}

/// What is known of one item since its node was made.
#[derive(Default)]
struct ItemHistory {
    born: Option<Millis>,
    runs: BTreeMap<Fire, u32>,
    misfires_in_a_row: u32,
}

/// How a fire, or a range of fires, of an item ended, as the cursors said.
struct Disposition {
    key: String,
    word: &'static str,
    zxid: i64,
}

/// One run that goes on.
pub struct LiveRun {
    pub engine: usize,
    pub run_id: RunId,
}

pub struct Checker {
    keys: Keys,
    jobs: BTreeMap<String, JobSettings>,
    configs: BTreeMap<String, Vec<Config>>,
    items: BTreeMap<Place, ItemHistory>,
    /// Who owned each item when the transaction that is looked at was carried out; the tree may be further by then.
    owners: BTreeMap<Place, Bytes>,
    claims: BTreeMap<RunId, i64>,
    started: BTreeSet<RunId>,
    live: BTreeMap<Place, Vec<LiveRun>>,
    dispositions: BTreeMap<Place, Vec<Disposition>>,
    records: BTreeMap<String, Vec<Settlement>>,
    triggers: BTreeMap<(String, Item, String), RunId>,
    pub completions: u64,
    pub starts: u64,
    /// The claimer of the transaction that is looked at has been connected for a while, and loses no hints.
    pub steady: bool,
    wall: Millis,
    violation: Option<String>,
}

impl Checker {
    pub fn new(keys: Keys, jobs: &[JobSettings]) -> Self {
        Self {
            keys,
            jobs: jobs.iter().map(|job| (job.name.as_str().to_owned(), job.clone())).collect(),
            configs: BTreeMap::new(),
            items: BTreeMap::new(),
            owners: BTreeMap::new(),
            claims: BTreeMap::new(),
            started: BTreeSet::new(),
            live: BTreeMap::new(),
            dispositions: BTreeMap::new(),
            records: BTreeMap::new(),
            triggers: BTreeMap::new(),
            completions: 0,
            starts: 0,
            steady: false,
            wall: 0,
            violation: None,
        }
    }

    pub fn fail(&mut self, invariant: &str, words: String) {
        if self.violation.is_none() {
            self.violation = Some(format!("{invariant}: {words}"));
        }
    }

    pub fn violation(&mut self) -> Option<String> {
        self.violation.take()
    }

    /// A transaction was carried out; `tree` is what it left, `instance` who asked.
    pub fn observe(&mut self, txn: &Txn, tree: &Tree, instance: &str, wall: Millis) {
        self.wall = wall;
        for change in &txn.changes {
            let Some((job, Key::Owner(item))) = self.keys.parse(&change.path) else { continue };
            let place = (job.to_owned(), item);
            match &change.after {
                Some(node) => drop(self.owners.insert(place, node.data.clone())),
                None => drop(self.owners.remove(&place)),
            }
        }
        for change in &txn.changes {
            let Some((job, key)) = self.keys.parse(&change.path) else { continue };
            let job = job.to_owned();
            match key {
                Key::Config => {
                    let name = clockwright_model::JobName::new(&job).expect("a job's name");
                    let root = tree.get(&self.keys.job(&name)).map(|node| node.data.clone());
                    self.config(&job, change.after.as_ref(), &root.unwrap_or_default(), wall);
                }
                Key::Epoch => self.epoch(txn, tree, &job, change.before.as_ref(), change.after.as_ref()),
                Key::Item(item) if change.after.is_none() => drop(self.items.remove(&(job, item))),
                Key::Owner(item) if change.after.is_some() => {
                    self.items.entry((job, item)).or_default().born.get_or_insert(wall);
                }
                Key::Cursor(item) => {
                    let read = |node: &Option<Node>| {
                        node.as_ref().map(|node| Cursor::from_bytes(&node.data).expect("a cursor of ours"))
                    };
                    let (before, after) = (read(&change.before), read(&change.after));
                    if let (Some(before), None) = (&before, &after)
                        && let Some(open) = before.running()
                    {
                        self.fail(
                            "C1",
                            format!(
                                "the cursor of {job}/{item} was deleted while {} had no outcome",
                                open.fire
                            ),
                        );
                    }
                    if let Some(after) = after {
                        self.cursor(txn, tree, &(job, item), before, &after, instance);
                    }
                }
                _ => {}
            }
        }
    }

    fn config(&mut self, job: &str, node: Option<&Node>, root: &[u8], wall: Millis) {
        let Some(node) = node else { return };
        let Some(layout) = Layout::of(&node.data) else { return };
        let Ok(settings) = layout.read(&node.data, root, self.jobs.get(job)) else { return };
        let schedule =
            Schedule::parse(&settings.cron, settings.time_zone.as_deref()).expect("a good schedule");
        let hash = schedule_hash(&settings.cron, settings.time_zone.as_deref().unwrap_or(""));
        self.configs.entry(job.to_owned()).or_default().push(Config {
            schedule,
            hash,
            written_at: wall,
            settings,
        });
    }

    /// M-S1, M-S2: a plan is written by the session that leads, and its number grows.
    fn epoch(&mut self, txn: &Txn, tree: &Tree, job: &str, before: Option<&Node>, after: Option<&Node>) {
        let (Some(before), Some(after)) = (before, after) else {
            if after.is_none() {
                self.fail("M-S2", format!("the epoch of {job} was deleted"));
            }
            return;
        };
        if after.stat.version != before.stat.version + 1 {
            self.fail(
                "M-S2",
                format!("the epoch of {job} went from {} to {}", before.stat.version, after.stat.version),
            );
        }
        let name = clockwright_model::JobName::new(job).expect("a job's name");
        let leader = tree.get(&self.keys.of(&name, &Key::ElectionInstance));
        if leader.is_none_or(|leader| leader.stat.owner != txn.session) {
            self.fail("M-S1", format!("session {:x} wrote a plan of {job} without leading it", txn.session));
        }
    }

    fn cursor(
        &mut self,
        txn: &Txn,
        tree: &Tree,
        place: &Place,
        before: Option<Cursor>,
        after: &Cursor,
        instance: &str,
    ) {
        let name = format!("{}/{}", place.0, place.1);
        let old_run = before.as_ref().and_then(|cursor| cursor.run.clone());
        if let Some(before) = &before
            && after.settled < before.settled
        {
            self.fail(
                "M-S2",
                format!("the cursor of {name} went back from {} to {}", before.settled, after.settled),
            );
        }
        match (&old_run, &after.run) {
            (Some(old), Some(new)) if old.run_id == new.run_id => {
                self.ended(txn, place, old, new, instance);
            }
            (Some(_), None) => self.fail("M-S7", format!("the cursor of {name} forgot its run")),
            (old, Some(new)) => self.claimed(txn, tree, place, old.as_ref(), new, instance),
            (None, None) => {}
        }
        self.covers(txn, place, before.as_ref(), after);
    }

    fn ended(&mut self, txn: &Txn, place: &Place, old: &Claim, new: &Claim, instance: &str) {
        let name = format!("{}/{}", place.0, place.1);
        match (&old.outcome, &new.outcome) {
            (None, Some(outcome)) => {
                self.completions += 1;
                if matches!(outcome, Outcome::Failed { kind: clockwright_model::FailureKind::OwnerLost, .. })
                    && old.attempt < LOST_ATTEMPTS
                    && self.settings(&place.0).is_some_and(|(settings, _)| {
                        settings.failover && place.1 < settings.sharding_total_count
                    })
                {
                    self.fail(
                        "M-S6",
                        format!(
                            "{} of {name} was given up after attempt {}, though failover is on",
                            new.fire, old.attempt
                        ),
                    );
                }
                let by_rule = matches!(
                    outcome,
                    Outcome::Failed { kind: clockwright_model::FailureKind::OwnerLost, .. }
                );
                if old.owner.as_str() != instance && !by_rule {
                    self.fail(
                        "M-S8",
                        format!("{instance} completed {} of {name}, which {} runs", new.fire, old.owner),
                    );
                }
                self.disposed(place, new.fire.to_string(), outcome.word(), txn.zxid);
            }
            (Some(a), b) if Some(a) != b.as_ref() => {
                self.fail(
                    "M-S7",
                    format!("the outcome of {} of {name} changed from {a:?} to {b:?}", new.fire),
                );
            }
            _ => {}
        }
    }

    fn claimed(
        &mut self,
        txn: &Txn,
        tree: &Tree,
        place: &Place,
        old: Option<&Claim>,
        new: &Claim,
        instance: &str,
    ) {
        let name = format!("{}/{}", place.0, place.1);
        if let Fire::Scheduled(at) = new.fire
            && at > self.wall + MOST_AHEAD
        {
            self.fail(
                "C7",
                format!("{instance} claimed {} of {name}, {} ms before its time", new.fire, at - self.wall),
            );
        }
        if self.claims.insert(new.run_id, txn.zxid).is_some() {
            self.fail("M-S2", format!("run {} of {name} was claimed twice", new.run_id));
        }
        if new.owner.as_str() != instance || new.session != txn.session {
            self.fail("M-S3", format!("{instance} claimed {name} in the name of {}", new.owner));
        }
        let lease = tree.get(&self.keys.lease(&new.owner));
        if lease.is_none_or(|lease| lease.stat.owner != txn.session) {
            self.fail("M-S3", format!("{instance} claimed {name} without a lease"));
        }
        let job = clockwright_model::JobName::new(&place.0).expect("a job's name");
        let path = self.keys.of(&job, &Key::Owner(place.1));
        let owned = self.owners.get(place).is_some_and(|owner| owner[..] == *instance.as_bytes());
        let before = |node: &Node| &node.data[..] == instance.as_bytes();
        let within = txn
            .changes
            .iter()
            .any(|change| change.path == path && change.before.as_ref().is_some_and(before));
        if new.attempt == 1 && new.source != Source::Failover && !owned && !within {
            self.fail("M-S3", format!("{instance} claimed {} of {name}, which it does not own", new.fire));
        }
        if new.attempt == 1 && self.steady {
            let stops = [Key::Paused, Key::Disabled(place.1), Key::Server(new.owner.ip().to_owned())];
            for key in stops {
                let node = tree.get(&self.keys.of(&job, &key));
                let stops = node.is_some_and(|node| match key {
                    Key::Server(_) => &node.data[..] == b"DISABLED",
                    _ => true,
                });
                let since = node.map_or(0, |node| node.stat.modified_at);
                if stops && self.wall - since > 2_000 {
                    self.fail(
                        "M-S10",
                        format!("{instance} claimed {} of {name}, {key:?} since {since}", new.fire),
                    );
                }
            }
        }
        let history = self.items.entry(place.clone()).or_default();
        let attempts = history.runs.entry(new.fire.clone()).or_default();
        let expected = *attempts + 1;
        *attempts = new.attempt;
        if new.attempt != expected {
            self.fail(
                "M-S6",
                format!("attempt {} at {} of {name} follows attempt {}", new.attempt, new.fire, expected - 1),
            );
        }
        let history = self.items.entry(place.clone()).or_default();
        history.misfires_in_a_row =
            if new.source == Source::Misfire { history.misfires_in_a_row + 1 } else { 0 };
        let streak = history.misfires_in_a_row;
        if let Some(Misfire::FireAll { cap, .. }) = self.jobs.get(&place.0).map(|job| job.misfire)
            && streak > cap * 40
        {
            self.fail("M-S13", format!("{name} has caught up {streak} instants in a row"));
        }
        if let Fire::Trigger { id, .. } = &new.fire
            && new.attempt == 1
            && self.triggers.insert((place.0.clone(), place.1, id.clone()), new.run_id).is_some()
        {
            self.fail("M-S14", format!("trigger {id} of {name} was executed twice"));
        }
        let Some(old) = old.filter(|old| old.outcome.is_none()) else { return };
        if old.owner != new.owner && self.strict(&place.0) {
            let lease = tree.get(&self.keys.lease(&old.owner));
            if lease.is_some_and(|lease| lease.stat.owner == old.session) {
                self.fail(
                    "M-S6",
                    format!("{instance} passed over {} of {name}, whose owner {} lives", old.fire, old.owner),
                );
            }
        }
        if old.fire != new.fire {
            self.fail(
                "M-S7",
                format!("{instance} claimed {} of {name} while {} has no outcome", new.fire, old.fire),
            );
        }
    }

    /// C1, M-S7, M-S13: from the old cursor to the new one every instant has exactly one disposition.
    fn covers(&mut self, txn: &Txn, place: &Place, before: Option<&Cursor>, after: &Cursor) {
        let name = format!("{}/{}", place.0, place.1);
        if before.is_some_and(|before| before.settled == after.settled && before.schedule == after.schedule) {
            return;
        }
        let job = clockwright_model::JobName::new(&place.0).expect("a job's name");
        let item = self.keys.of(&job, &Key::Item(place.1));
        if before.is_none() && txn.changes.iter().any(|change| change.path == item && change.before.is_none())
        {
            return;
        }
        let configs = self.configs.get(&place.0).map_or(&[][..], Vec::as_slice);
        let born = self.items.get(place).and_then(|item| item.born).unwrap_or(0);
        let same = before.filter(|before| before.schedule == after.schedule);
        let starts: Vec<(&Schedule, Millis)> = match same {
            Some(before) => configs
                .iter()
                .filter(|c| c.hash == after.schedule)
                .take(1)
                .map(|c| (&c.schedule, before.settled))
                .collect(),
            None => {
                let least = before.map_or(born, |before| before.settled);
                let since = |c: &Config| least.max(c.written_at);
                configs.iter().filter(|c| c.hash == after.schedule).map(|c| (&c.schedule, since(c))).collect()
            }
        };
        let mut problem = format!("its schedule {} is none of the job's", after.schedule);
        for (schedule, start) in starts {
            match walk(schedule, start, after) {
                Ok(()) => {
                    problem.clear();
                    break;
                }
                Err(why) => problem = why,
            }
        }
        if !problem.is_empty() {
            let words = format!(
                "the cursor of {name} moved from {:?} to {}: {problem}",
                before.map(|b| b.settled),
                after.settled
            );
            self.fail("C1/M-S7", words);
            return;
        }
        let old_gap = before.map_or(&[][..], |before| &before.gap);
        let fresh: Vec<Gap> = after.gap.iter().filter(|gap| !old_gap.contains(gap)).cloned().collect();
        for gap in fresh {
            if let Outcome::Coalesced { into } = &gap.outcome
                && after.run.as_ref().is_none_or(|run| run.fire != *into)
            {
                self.fail(
                    "M-S13",
                    format!(
                        "{name}: {}..{} was coalesced into {into}, which was not claimed",
                        gap.from, gap.to
                    ),
                );
            }
            if let (Outcome::Missed { .. }, Some(Misfire::FireOnce)) =
                (&gap.outcome, self.jobs.get(&place.0).map(|job| job.misfire))
            {
                self.fail(
                    "M-S13",
                    format!(
                        "{name}: {}..{} was missed, though misfires are to be made up for",
                        gap.from, gap.to
                    ),
                );
            }
            let key = if gap.count > 1 { format!("{}..{}", gap.from, gap.to) } else { gap.to.to_string() };
            self.disposed(place, key, gap.outcome.word(), txn.zxid);
        }
    }

    fn disposed(&mut self, place: &Place, key: String, word: &'static str, zxid: i64) {
        let list = self.dispositions.entry(place.clone()).or_default();
        if let Some(earlier) = list.iter().find(|earlier| earlier.key == key) {
            let words = format!(
                "{}/{} {key} is {word}, and was {} at {}",
                place.0, place.1, earlier.word, earlier.zxid
            );
            self.fail("M-S7", words);
            return;
        }
        list.push(Disposition { key, word, zxid });
    }

    pub fn strict(&self, job: &str) -> bool {
        self.jobs.get(job).is_some_and(|job| job.exclusive == Exclusive::Strict)
    }

    /// A run's code begins.
    pub fn start(&mut self, engine: usize, job: &str, item: Item, run_id: RunId, token: i64) {
        self.starts += 1;
        if self.claims.get(&run_id) != Some(&token) {
            let claimed = self.claims.get(&run_id).copied();
            self.fail(
                "M-S16",
                format!(
                    "run {run_id} of {job}/{item} starts with token {token}; it was claimed at {claimed:?}"
                ),
            );
        }
        if !self.started.insert(run_id) {
            self.fail("M-S4", format!("run {run_id} of {job}/{item} starts twice"));
        }
        let strict = self.strict(job);
        let live = self.live.entry((job.to_owned(), item)).or_default();
        let other = live.first().map(|other| (other.engine, other.run_id));
        live.push(LiveRun { engine, run_id });
        if let (Some((other, earlier)), true) = (other, strict) {
            self.fail("M-S4/C5", format!("{job}/{item}: engine {engine} starts run {run_id} while engine {other} still runs {earlier}"));
        }
    }

    /// A run's code is over.
    pub fn stop(&mut self, job: &str, item: Item, run_id: RunId) {
        if let Some(live) = self.live.get_mut(&(job.to_owned(), item)) {
            live.retain(|run| run.run_id != run_id);
        }
    }

    /// A settlement became durable.
    pub fn record(&mut self, settlement: Settlement) {
        // All jobs of a simulation are in one namespace.
        let key = Settlement { namespace: "".into(), ..settlement.clone() }.key();
        let list = self.records.entry(key.clone()).or_default();
        if let Some(first) = list.first()
            && first.outcome.word() != settlement.outcome.word()
        {
            let words = format!(
                "{key} was recorded as {:?} by {} and as {:?} by {}",
                first.outcome, first.instance, settlement.outcome, settlement.instance
            );
            list.push(settlement);
            self.fail("M-S7", words);
            return;
        }
        list.push(settlement);
    }

    /// C1: what the cursors said is on record, or still in the cursor.
    pub fn records_are_complete(&mut self, cursors: &BTreeMap<Place, Cursor>) {
        let mut missing = None;
        for (place, list) in &self.dispositions {
            let cursor = cursors.get(place);
            for disposition in list {
                let key = format!("{}/{}/{}", place.0, place.1, disposition.key);
                match self.records.get(&key).and_then(|records| records.first()) {
                    Some(record) if record.outcome.word() == disposition.word => {}
                    Some(record) => {
                        missing = Some(format!(
                            "{key} ended as {} and is recorded as {:?}",
                            disposition.word, record.outcome
                        ));
                    }
                    None => {
                        let in_run = cursor
                            .and_then(|c| c.run.as_ref())
                            .is_some_and(|run| run.fire.to_string() == disposition.key);
                        let in_gap = cursor.is_some_and(|c| {
                            c.gap.iter().any(|gap| disposition.key.ends_with(&gap.to.to_string()))
                        });
                        let in_kept = cursor.is_some_and(|c| {
                            c.kept.iter().any(|kept| {
                                let job = clockwright_model::JobName::new(&place.0)
                                    .expect("it is the name of a job");
                                kept.clone().settlement("", job, place.1).key() == key
                            })
                        });
                        if !in_run && !in_gap && !in_kept {
                            missing = Some(format!(
                                "{key} ended as {} at {} and is nowhere on record",
                                disposition.word, disposition.zxid
                            ));
                        }
                    }
                }
                if missing.is_some() {
                    break;
                }
            }
        }
        if let Some(words) = missing {
            self.fail("C1", words);
        }
    }

    /// The settings of a job now.
    pub fn settings(&self, job: &str) -> Option<(&JobSettings, &Schedule)> {
        self.configs.get(job)?.last().map(|config| (&config.settings, &config.schedule))
    }

    pub fn live_runs(&self, job: &str, item: Item) -> usize {
        self.live.get(&(job.to_owned(), item)).map_or(0, Vec::len)
    }
}

/// Whether the gaps and the run of a cursor hold every instant after `start` up to its end.
fn walk(schedule: &Schedule, start: Millis, after: &Cursor) -> Result<(), String> {
    let mut at = start;
    for gap in after.gap.iter().filter(|gap| gap.to > start) {
        if schedule.next_after(at) != Some(gap.from) {
            return Err(format!(
                "after {at} comes {:?}, but the gap begins with {}",
                schedule.next_after(at),
                gap.from
            ));
        }
        if schedule.count(at, gap.to, 1_000_000) != gap.count {
            return Err(format!("{} to {} are not {} instants", gap.from, gap.to, gap.count));
        }
        at = gap.to;
    }
    if let Some(run) = &after.run
        && run.fire == Fire::Scheduled(after.settled)
        && after.settled > at
    {
        if schedule.next_after(at) != Some(after.settled) {
            return Err(format!(
                "after {at} comes {:?}, but {} was claimed",
                schedule.next_after(at),
                after.settled
            ));
        }
        at = after.settled;
    }
    match schedule.next_after(at) {
        Some(next) if next <= after.settled => Err(format!("nothing says what became of {next}")),
        _ => Ok(()),
    }
}

fn schedule_hash(cron: &str, zone: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in [cron.as_bytes(), zone.as_bytes()].into_iter().flat_map(|part| part.iter().chain(&[0xff])) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}
