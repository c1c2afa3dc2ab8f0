//! One job in one engine: what is believed about it, and what it does here.

use super::Given;
use super::effective::Effective;
use super::held::Seen;
use super::trouble::Trouble;
use super::us::Us;
use clockwright_fleet::cursor::{Kept, Rule};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::{CursorNode, ItemNodes, Mirror};
use clockwright_model::{Exclusive, Fire, InstanceId, Item, JobName, JobSettings, Millis, Outcome, Reason};
use clockwright_planner::Schedule;
use clockwright_planner::lifecycle::{Event, State};
use clockwright_registry::Node;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A job.
pub(crate) struct Job {
    /// Its number in this engine; it stays the same while the job is here.
    pub(crate) number: usize,
    pub(crate) name: JobName,
    /// What this process has of it.
    pub(crate) given: Given,
    /// Sequence number at which it came: what was asked for before may be about another job of its name.
    since: u64,
    pub(crate) mirror: Mirror,
    /// The id of the full reading under way.
    pub(crate) loading: Option<u64>,
    /// A full reading will be asked for when its turn comes.
    pub(crate) load_waits: bool,
    /// Another full reading is wanted after the one under way.
    pub(crate) reload: bool,
    /// A full reading came in since the session began.
    pub(crate) is_loaded: bool,
    /// Another session led the job when it was last read as a whole, or was seen to lead it since then.
    pub(crate) led: bool,
    /// How many leases had gone when that reading was asked for.
    pub(crate) losses: u64,
    /// Sequence number at which a coordination commit of ours last changed the mirror.
    pub(crate) touched: u64,
    pub(crate) effective: Option<Arc<Effective>>,
    /// The config that was last read with success: the transaction that made it, and its version.
    pub(super) counted: Option<(i64, i32)>,
    /// The generation of the registry's data in which that was.
    pub(super) generation: i64,
    /// The schedule that was replaced last, as far as a cursor asked for it.
    former: Option<(Arc<Rule>, Arc<Schedule>)>,
    /// Why the job does not fire here although it is registered.
    pub(crate) degraded: Option<String>,
    /// What the registry keeps refusing.
    pub(crate) troubles: Vec<Trouble>,
    /// The registry has had this process's settings, written or found, since it started.
    pub(crate) has_configured: bool,
    /// That the layout is not the one that was asked for was told.
    pub(crate) layout_told: bool,
    pub(crate) phase: Phase,
    /// This engine leaves the job; see [`super::roster`].
    pub(crate) leaving: Option<Leaving>,
    /// A commit of ours went out in this session, so something of ours may be in the job's nodes.
    pub(crate) wrote: bool,
    /// Sequence numbers of the last answer of a commit that was unclear, and of the last full reading that was taken in.
    pub(crate) unclear: u64,
    looked: u64,
    /// Our instance node was seen in this session.
    pub(crate) registered: bool,
    /// The coordination commit under way.
    pub(crate) op: Option<u64>,
    /// No coordination before this (mono), after a failure.
    pub(crate) op_after: Millis,
    pub(crate) latch: Option<Latch>,
    /// Leader: which plan batches are still to be written.
    pub(crate) plan: Option<super::plan::PlanInProgress>,
    /// How the owners are beside who should own what, as long as nothing has changed that this depends on.
    pub(crate) compared: Option<super::plan::Compared>,
    /// When this instance last wrote a plan in this session (mono), and how many instances the job had then.
    pub(crate) planned: Option<(Millis, usize)>,
    pub(crate) items: Vec<ItemState>,
    /// The plan whose owners the mirror has: they were read no earlier than this version of the epoch node.
    pub(crate) epoch: Option<i32>,
    /// The reading of epoch and owners under way, and the last one that was taken in.
    pub(crate) plan_reading: Option<u64>,
    pub(crate) plan_read: u64,
    /// Instances without a lease, by creation: asked about (false), or known to be of another kind (true).
    pub(crate) foreign: BTreeMap<i64, bool>,
    /// The instances of ours that were seen in the job and hold their leases, as last looked at, ascending.
    pub(crate) peers: Vec<InstanceId>,
    /// What was there when `peers` was last looked at: the number of changes of leases, and how many instances.
    pub(crate) peers_seen: (u64, usize),
    /// The transaction that made the config, when our instance node was seen last.
    pub(crate) served: Option<i64>,
    /// Our instance node or the config is gone since then (mono), and it is not clear yet why.
    pub(crate) vanished: Option<Millis>,
    /// One of `peers` is gone, and its cursors were not read since.
    pub(crate) bereaved: bool,
    /// Our instance node is gone, and this reading will tell whether that was a command.
    pub(crate) command: Option<u64>,
    /// The trigger for which what holds the job was read once more.
    pub(crate) off_read: i64,
    /// What ran before this was told to stop, when a pause said so.
    pub(crate) killed_to: u64,
    /// Why the job is off on this instance now (paused, server disabled).
    pub(crate) off: Option<Reason>,
    /// Why it was off the last time.
    pub(crate) was_off: Option<Reason>,
    pub(crate) winding: bool,
    pub(crate) dirty: bool,
    /// Some item waits for somebody else's run, as last counted.
    pub(crate) watches: bool,
    pub(crate) armed_wall: Option<Millis>,
    pub(crate) armed_mono: Option<Millis>,
    /// The items into whose cursors a trigger was put already, and the trigger's transaction.
    pub(crate) triggered: (i64, Vec<Item>),
    /// The clocks differ by more than the job allows, and that was told.
    pub(crate) clock_differs: bool,
    /// How the plans came about; see [`super::mixed`].
    pub(crate) plans: super::mixed::Plans,
    /// When an orphan mark was first seen here, by item (mono).
    pub(crate) marks_seen: Vec<(Item, Millis)>,
    /// What changes are told against.
    pub(crate) seen: super::history::Seen,
}

/// Where a job is in its life in this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It runs here.
    Active,
    /// Its instance node was deleted by somebody: Elastic-Job's shutdown command. What runs goes on, nothing new starts.
    ShutDown,
    /// This engine is leaving, and has no node there.
    Left,
}

/// A job that this engine leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    /// Until when what runs may go on (mono).
    pub(crate) until: Millis,
    /// Runs up to this number were stopped.
    pub(crate) stopped_to: u64,
}

/// A place in the queue of a latch; see [`super::election`].
#[derive(Debug, Clone)]
pub(crate) struct Latch {
    pub(crate) kind: LatchKind,
    /// `_c_{uuid}-latch-`: finds our node after a lost answer.
    pub(crate) prefix: String,
    /// The node's full name, once known.
    pub(crate) name: Option<String>,
    /// A listing that was asked for after the node was made has come in.
    pub(crate) listed: bool,
    /// When we began to wait (mono).
    pub(crate) since: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LatchKind {
    Election,
    Failover(Item),
}

/// One item in this engine. There are ten thousands of them: what is rarely there has a place of its own.
#[derive(Default)]
pub(crate) struct ItemState {
    pub(crate) local: Local,
    /// Instants up to this passed while the item could not run here, and why.
    pub(crate) blocked_until: Millis,
    pub(crate) blocked_by: BlockedBy,
    /// Sequence number at which a commit of ours last changed this item's nodes.
    pub(crate) touched: u64,
    /// A reading of the cursor is under way.
    pub(crate) reading: Option<u64>,
    /// Somebody else's run is waited for; hints about the cursor matter.
    pub(crate) watching: bool,
    /// The claim was seen without a living owner.
    pub(crate) orphan: Option<Box<Orphan>>,
    /// Sequence number of the reading or commit that the cursor's state comes from.
    pub(crate) cursor_sequence: u64,
    /// The item is ours by the plan that we last acted on.
    pub(crate) was_mine: bool,
    /// No claim before this (mono), after a failure.
    pub(crate) claim_after: Millis,
    /// The attempt that was stopped here because the lease ran out.
    pub(crate) lost: Option<Box<clockwright_model::RunId>>,
    /// A claim of ours may be open in the cursor though nothing of it runs here: its answer was unclear, or the lease ran out.
    /// As long as this session lives nobody else may end it.
    pub(crate) loose: bool,
    /// The transaction of the cursor whose outcomes are on record here, as far as it is known.
    pub(crate) recorded: i64,
    /// The item is disabled by an operator, as last acted on.
    pub(crate) was_disabled: bool,
    /// The cursor lies in the future, and that was told.
    pub(crate) is_future: bool,
    /// How far its cursor had come, as far as this process ever saw; see [`super::held`].
    pub(crate) seen: Option<Seen>,
    /// That is of an earlier generation of the registry, and no cursor of this one has come as far.
    pub(crate) seen_before_loss: bool,
    /// That it is held was told.
    pub(crate) hold_told: bool,
    /// A change of the cursor is on its way though the item is busy; nothing else is written into it meanwhile.
    pub(crate) is_advancing: bool,
    /// Java's misfire mark is on its way up, or being looked at.
    pub(crate) is_marking: bool,
    /// The outcomes that were put on record here and may not be stored yet, by their numbers; see [`clockwright_fleet::cursor`].
    #[allow(
        clippy::box_collection,
        reason = "most items never have any, and there are ten thousands of them"
    )]
    pub(crate) kept: Option<Box<VecDeque<(u64, Kept)>>>,
}

/// What is known of a claim without a living owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orphan {
    /// Since when it was seen so (mono).
    pub(crate) since: Millis,
    /// Sequence number when it was noticed; the cursor must have been read after it.
    pub(crate) sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BlockedBy {
    #[default]
    Unowned,
    Busy,
    Paused,
    Disabled,
}

/// What an item does in this engine.
#[derive(Default)]
pub(crate) enum Local {
    #[default]
    Idle,
    /// A claim is on its way; for a retry the attempt before it.
    Claiming,
    /// Its code runs.
    Running(Box<Active>),
    /// Its code failed; the next attempt follows at `until` (mono).
    Backoff { active: Box<Active>, until: Millis },
    /// It ended; the outcome is on its way to the cursor, or waits for that.
    Ended { active: Box<Active>, outcome: Box<Outcome>, committing: bool },
}

/// A claim of ours that was carried out.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) run: u64,
    pub(crate) claim: clockwright_fleet::cursor::Claim,
    pub(crate) version: i32,
    pub(crate) task_id: Arc<str>,
    pub(crate) start: Millis,
    /// We hold `sharding/{i}/failover`.
    pub(crate) taken: bool,
    pub(crate) firing: u64,
    /// Where its log is, once it has ended and if it left one.
    pub(crate) log: Option<Arc<str>>,
}

/// What an engine says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedJob {
    /// The job.
    pub job: JobName,
    /// Registered in the current session.
    pub registered: bool,
    /// It was removed from this engine, and is still being left: something of it runs, or is to be written.
    pub leaving: bool,
    /// Why it does not fire here, if so.
    pub degraded: Option<String>,
    /// This engine leads the job.
    pub leader: bool,
    /// The items this engine owns, ascending.
    pub items: Vec<Item>,
    /// The items that run here now, ascending.
    pub running: Vec<Item>,
}

impl Job {
    pub(crate) fn new(number: usize, given: Given, since: u64) -> Self {
        Self {
            number,
            name: given.name().clone(),
            given,
            since,
            mirror: Mirror::default(),
            loading: None,
            load_waits: false,
            reload: false,
            is_loaded: false,
            led: false,
            losses: 0,
            touched: 0,
            effective: None,
            counted: None,
            generation: 0,
            former: None,
            degraded: None,
            troubles: Vec::new(),
            has_configured: false,
            layout_told: false,
            phase: Phase::Active,
            leaving: None,
            wrote: false,
            unclear: 0,
            looked: 0,
            registered: false,
            op: None,
            op_after: 0,
            latch: None,
            plan: None,
            compared: None,
            planned: None,
            items: Vec::new(),
            epoch: None,
            plan_reading: None,
            plan_read: 0,
            foreign: BTreeMap::new(),
            peers: Vec::new(),
            peers_seen: (0, 0),
            served: None,
            vanished: None,
            command: None,
            bereaved: false,
            off_read: 0,
            killed_to: 0,
            off: None,
            was_off: None,
            winding: false,
            dirty: false,
            watches: false,
            armed_wall: None,
            armed_mono: None,
            triggered: (0, Vec::new()),
            clock_differs: false,
            plans: super::mixed::Plans::default(),
            marks_seen: Vec::new(),
            seen: super::history::Seen::default(),
        }
    }

    /// Forgets what belonged to the session before: the mirror, the registration and all commits under way. What runs, runs on.
    pub(crate) fn session_changed(&mut self) {
        self.remember();
        self.mirror = Mirror::new(self.mirror.layout);
        self.loading = None;
        self.load_waits = false;
        self.reload = false;
        self.is_loaded = false;
        self.registered = false;
        self.wrote = false;
        self.op = None;
        self.op_after = 0;
        self.latch = None;
        self.plan = None;
        self.compared = None;
        self.planned = None;
        self.epoch = None;
        self.plan_reading = None;
        self.foreign.clear();
        self.peers.clear();
        self.command = None;
        self.vanished = None;
        self.bereaved = false;
        self.plans.session_changed();
        self.marks_seen.clear();
        for number in 0..self.items.len() as Item {
            let from = self.life(number);
            let item = &mut self.items[number as usize];
            item.reading = None;
            item.orphan = None;
            item.was_mine = false;
            item.watching = false;
            item.lost = None;
            item.loose = false;
            item.is_marking = false;
            item.is_advancing = false;
            match &mut item.local {
                local @ Local::Claiming => *local = Local::Idle,
                Local::Ended { committing, .. } => *committing = false,
                Local::Idle | Local::Running(_) | Local::Backoff { .. } => {}
            }
            if matches!(from, State::Claiming | State::Completing) {
                self.stepped(number, from, Event::SessionLost);
            }
        }
    }

    /// Whether a hint about this node is worth a reading. Marks and cursors change with every run, and matter only where
    /// somebody waits for them.
    pub(crate) fn wants(&self, key: &Key) -> bool {
        match key {
            Key::Running(item) | Key::Cursor(item) => {
                self.items.get(*item as usize).is_some_and(|state| state.watching)
            }
            Key::Other
            | Key::StartedItem(_)
            | Key::CompletedItem(_)
            | Key::Started
            | Key::Completed
            | Key::Guarantee
            | Key::CurrentTime => false,
            _ => true,
        }
    }

    /// Takes in one answer; false when it may be older than what a commit of ours did meanwhile, and must be asked again.
    pub(crate) fn put(&mut self, id: u64, key: &Key, node: Option<&Node>) -> bool {
        if id < self.since {
            return true;
        }
        let item = item_of(key);
        let touched = item.map_or(self.touched, |item| self.item_mut(item).touched);
        if id < touched && (item.is_none() || !matches!(key, Key::Owner(_) | Key::Disabled(_))) {
            return false;
        }
        if matches!(key, Key::Owner(_)) && id < self.plan_read {
            return true;
        }
        if let Key::Cursor(item) = key {
            let state = self.item_mut(*item);
            if id < state.cursor_sequence {
                // An answer that is late: what is known was asked for after it.
                state.reading = state.reading.filter(|reading| *reading != id);
                return true;
            }
            state.cursor_sequence = id;
            state.reading = None;
            let has_java = self.has_java();
            if let Some(nodes) = self.mirror.items.get(*item as usize).filter(|_| !has_java) {
                self.items[*item as usize].remember(&nodes.cursor);
            }
        }
        if let Key::Misfire(item) = key {
            self.item_mut(*item).is_marking = false;
        }
        self.mirror.put(key, node);
        self.forget_comparison(key);
        if matches!(key, Key::Config | Key::Job) {
            self.read_settings();
        }
        if matches!(key, Key::Necessary | Key::Owner(_)) {
            self.plans.note(&self.mirror);
        }
        true
    }

    /// Takes in a full reading of a subtree; false when it must be asked again.
    pub(crate) fn loaded<'a>(
        &mut self,
        id: u64,
        root: &Key,
        nodes: impl Iterator<Item = (Key, &'a Node)>,
    ) -> bool {
        if id < self.since {
            return true;
        }
        if *root != Key::Job {
            self.mirror.forget(root);
            for (key, node) in nodes {
                self.mirror.put(&key, Some(node));
            }
            if let Some(latch) = &mut self.latch {
                latch.listed = true;
            }
            return true;
        }
        if self.loading == Some(id) {
            self.loading = None;
        }
        if id < self.touched || self.reload {
            self.reload = false;
            return false;
        }
        self.remember();
        let fresh = Mirror::new(self.mirror.layout);
        let mut old = std::mem::replace(&mut self.mirror, fresh);
        for (key, node) in nodes {
            self.mirror.put(&key, Some(node));
        }
        let count = self.mirror.items.len().max(old.items.len());
        for index in 0..count {
            self.keep_newer(id, index as Item, old.items.get_mut(index));
        }
        self.mirror.items.shrink_to_fit();
        self.is_loaded = true;
        if let Some(latch) = self.latch.as_mut().filter(|latch| latch.name.is_some()) {
            // What is read whole is newer than the place in the queue.
            latch.listed = true;
        }
        self.looked = id;
        self.compared = None;
        self.plans.note(&self.mirror);
        self.plans.looked(id);
        // A tree is no snapshot: its owners may be those of the plan before its epoch.
        self.epoch = None;
        self.read_settings();
        true
    }

    /// Whether the mirror shows what became of every commit of ours.
    pub(crate) fn is_clear(&self) -> bool {
        self.looked >= self.unclear && self.is_loaded && self.loading.is_none() && !self.load_waits
    }

    /// Keeps what was known of an item, where that is newer than a full reading.
    fn keep_newer(&mut self, id: u64, item: Item, old: Option<&mut ItemNodes>) {
        self.item_mut(item);
        let state = &mut self.items[item as usize];
        let nodes = self.mirror.item_mut(item);
        if state.touched <= id {
            state.is_marking = false;
            if matches!(nodes.cursor, CursorNode::Unread) {
                nodes.cursor = CursorNode::Absent;
            }
            if state.cursor_sequence <= id {
                state.cursor_sequence = id;
                state.reading = None;
                return;
            }
        }
        let Some(old) = old else { return };
        nodes.cursor = std::mem::take(&mut old.cursor);
        if state.touched > id {
            // A commit of ours changed this item after the reading began; only what others write is taken from it.
            nodes.running = old.running.take();
            nodes.taken = old.taken.take();
            nodes.failovering = old.failovering.take();
            nodes.misfire = old.misfire;
        }
    }

    /// Whether the owners in the mirror may be older than its epoch, so that a claim would prove nothing.
    pub(crate) fn plan_is_stale(&self) -> bool {
        self.epoch != self.mirror.epoch
    }

    /// A full reading failed; another one follows from `again` (mono) on.
    pub(crate) fn load_failed(&mut self, id: u64, again: Millis) {
        if self.loading == Some(id) {
            self.loading = None;
            self.reload = false;
            self.is_loaded = false;
            self.op_after = again;
        }
        for item in &mut self.items {
            item.reading = None;
        }
    }

    /// Reads the settings again when the config node changed.
    pub(super) fn read_settings(&mut self) {
        let Some((data, stat)) = self.mirror.config.clone() else { return };
        let root = self.mirror.root.clone().unwrap_or_default();
        let known = |effective: &Arc<Effective>| {
            (effective.modified, effective.changed_at) == (stat.modified, stat.modified_at)
                && effective.root == root
        };
        if self.effective.as_ref().is_some_and(known) {
            return;
        }
        match Effective::read(self.mirror.layout, &data, stat, root, &self.given) {
            Ok(mut effective) => {
                // A change of something else is none of the schedule.
                let before = self.effective.as_ref().filter(|before| before.rule == effective.rule);
                // Unless it is what this process wrote, and was dated by its own clock until now.
                let redated = |before: &&Arc<Effective>| {
                    before.modified == effective.modified && before.changed_at != effective.changed_at
                };
                if let Some(before) = before.filter(|before| !redated(before)) {
                    effective.schedule_since = before.schedule_since;
                }
                let count = effective.settings.sharding_total_count as usize;
                self.forget_removed(stat, count);
                if self.items.len() < count {
                    self.items.reserve_exact(count - self.items.len());
                    self.items.resize_with(count, ItemState::default);
                }
                let nodes = &mut self.mirror.items;
                nodes.reserve_exact(count.saturating_sub(nodes.len()));
                self.effective = Some(Arc::new(effective));
                self.degraded = None;
            }
            Err(reason) => self.degraded = Some(reason),
        }
    }

    /// The schedule that a cursor was written under, if that says which and it can be read.
    pub(crate) fn former_schedule(&mut self, rule: Option<&Arc<Rule>>) -> Option<Arc<Schedule>> {
        let rule = rule?;
        if let Some((known, schedule)) = &self.former
            && known == rule
        {
            return Some(schedule.clone());
        }
        let schedule = Arc::new(Schedule::parse(&rule.cron, rule.zone.as_deref()).ok()?);
        self.former = Some((rule.clone(), schedule.clone()));
        Some(schedule)
    }

    pub(crate) fn item_mut(&mut self, item: Item) -> &mut ItemState {
        let index = item as usize;
        if index >= self.items.len() {
            self.items.resize_with(index + 1, ItemState::default);
        }
        &mut self.items[index]
    }

    /// How many items the job has by its settings.
    pub(crate) fn count(&self) -> Item {
        self.effective.as_ref().map_or(0, |effective| effective.settings.sharding_total_count)
    }

    pub(crate) fn exclusive(&self) -> Exclusive {
        self.settings().map_or_else(Exclusive::default, |settings| settings.exclusive)
    }

    /// Its settings as they count, or before they were read those of this process, if it has some.
    pub(crate) fn settings(&self) -> Option<&Arc<JobSettings>> {
        let effective = self.effective.as_ref().map(|effective| &effective.settings);
        effective.or_else(|| self.given.settings())
    }

    /// What the engine says of it.
    pub(crate) fn status(&self, us: &Us) -> ServedJob {
        ServedJob {
            job: self.name.clone(),
            registered: self.registered,
            leaving: self.leaving.is_some(),
            degraded: self.reason_degraded(),
            leader: us.leads(self),
            items: (0..self.count()).filter(|item| self.owns(*item, &us.me)).collect(),
            running: (0..)
                .zip(&self.items)
                .filter(|(_, item)| matches!(item.local, Local::Running(_)))
                .map(|(item, _)| item)
                .collect(),
        }
    }

    /// The runs that go on here.
    pub(crate) fn live_runs(&self) -> Vec<u64> {
        self.items
            .iter()
            .filter_map(|item| match &item.local {
                Local::Running(active) => Some(active.run),
                _ => None,
            })
            .collect()
    }

    /// Nothing of the job is left to be done here, for an engine that leaves. Without a session outcomes cannot be
    /// written any more; the next owner finds the claims.
    pub(crate) fn is_done(&self, offline: bool) -> bool {
        let quiet = self.items.iter().all(|item| match item.local {
            Local::Idle => true,
            Local::Claiming | Local::Backoff { .. } | Local::Ended { .. } => offline,
            Local::Running(_) => false,
        });
        quiet && (offline || self.phase != Phase::Active) && (offline || self.op.is_none())
    }

    /// Whether an item is this instance's to run by the current plan.
    pub(crate) fn owns(&self, item: Item, me: &InstanceId) -> bool {
        self.mirror.owner(item) == Some(me)
    }
}

/// The item a key is about.
pub(crate) fn item_of(key: &Key) -> Option<Item> {
    match key {
        Key::Item(item)
        | Key::Owner(item)
        | Key::Running(item)
        | Key::Misfire(item)
        | Key::Disabled(item)
        | Key::Taken(item)
        | Key::Failovering(item)
        | Key::Cursor(item) => Some(*item),
        _ => None,
    }
}

impl Us {
    /// Whether this engine's current session leads a job.
    pub(crate) fn leads(&self, job: &Job) -> bool {
        let leader = job.mirror.leader.as_ref();
        leader.is_some_and(|leader| leader.id == self.me && self.is_our_session(leader.session))
    }
}

/// The words of a fire for a person.
pub(crate) fn fire_words(fire: &Fire) -> String {
    match fire {
        Fire::Scheduled(at) => format!("fire {at}"),
        Fire::Trigger { id, .. } => format!("trigger {id}"),
    }
}
