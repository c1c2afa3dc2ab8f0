//! Plans: which instance owns which item.
//!
//! # A plan
//! ```text
//! whole { missing items, check and bump the epoch, owners that change, delete necessary }
//! ```
//! is one commit where every member is ours and it fits into one. Nobody ever sees a part of it, so nothing says that it is under
//! way. Beside Java peers, and for very large jobs, it is written in steps, with Java's flags up meanwhile:
//! ```text
//! begin { necessary, processing (ephemeral), missing items }        claims are held while `processing` exists
//!   ► first batch { check and bump the epoch, owners… }             claims made under the plan before now fail
//!   ► … more batches of owners …
//!   ► last batch { …, delete necessary, delete processing }
//! ```
//! The epoch's version is checked by the bump, so two leaders can never both write a plan; every claim checks it too, so a
//! claim succeeds only under the plan that the claimer has seen. If the leader dies in between, `processing` vanishes with
//! its session, `necessary` stays, and the next leader makes the plan from what it finds.
//!
//! A plan that answers a flag writes all owners, also those that stay: [`Plans`](super::mixed::Plans) tells by that which plan it was.
//!
//! A plan is due when the owners are not what the strategy says for the available instances and the item count, or when
//! `necessary` exists. Items that run are not waited for when every member is ours: the next owner sees the claim and waits for
//! its end. With a Java peer in the job the leader waits until nothing runs, as Java does.
//!
//! # A crowd that comes
//! A plan is heard by every instance, and each of them reads its owners: a plan for each of *n* instances that come together costs
//! *n²*, for each job. A plan that is only for newcomers is never urgent, as each item has an owner that runs it. So after a plan
//! such a one waits, the longer the more instances there were ([`SPACING`]), and is for all who have come until then. One that comes by
//! itself, or as one of a few, waits for nothing that anybody would notice; of many, the first plans are soon, and there are few.
//!
//! | what happens meanwhile | the plan |
//! |---|---|
//! | an owner leaves, dies, or its host is disabled; items are added or taken away | is made at once, for all |
//! | somebody asks for one (`necessary`), or a Java peer is there | is made at once, by their rules |
//! | the leader goes | its successor does not know when the last one was, and makes it at once |
//! | others keep coming | is not put off any further |

use super::group::{Builder, Group, Step};
use super::job::Job;
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::ItemNodes;
use clockwright_fleet::write::Write;
use clockwright_model::{InstanceId, Item, Millis};
use std::collections::{HashSet, VecDeque};

/// Owners written in one commit of a plan.
const PLAN_BATCH: usize = 200;
/// How long after a plan another one that is only for newcomers waits, for each instance that the job had then, and at most,
/// milliseconds.
const SPACING: (Millis, Millis) = (50, 5_000);

/// A plan that is being written.
pub(crate) struct PlanInProgress {
    batches: VecDeque<Vec<Write>>,
}

/// Who should own what.
struct Target {
    /// Whom the items are shared out among, in the order of the strategies.
    available: Vec<InstanceId>,
    /// By item: its owner's place among them.
    owners: Vec<Option<usize>>,
}

impl Target {
    fn owner(&self, item: Item) -> Option<&InstanceId> {
        let place = self.owners.get(item as usize).copied().flatten()?;
        self.available.get(place)
    }
}

/// How the owners are beside who should own what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    /// There is nobody who could own anything.
    nobody: bool,
    /// Somebody owns an item who should not, or nobody does who should.
    differs: bool,
    /// An item has no owner who takes part, or one has an owner that the job does not have.
    urgent: bool,
}

impl Job {
    /// How the owners are. They are compared when that is asked for, and it is remembered: with thousands of items that is much for each
    /// look.
    fn compared(&mut self) -> Option<Compared> {
        if self.compared.is_none() {
            self.compared = self.compare();
        }
        self.compared
    }

    fn compare(&self) -> Option<Compared> {
        let (target, count) = (self.target()?, self.count());
        let is_static = self.effective.as_ref()?.settings.static_sharding;
        let has_none = |item| self.mirror.owner(item).is_none();
        let surplus = (count..self.mirror.items.len() as Item).any(|item| !has_none(item));
        let stays = is_static && !(0..count).any(has_none);
        let moves = || (0..count).any(|item| self.mirror.owner(item) != target.owner(item));
        let differs = surplus || (!stays && moves());
        let unowned = || {
            let there: HashSet<&InstanceId> = target.available.iter().collect();
            (0..count).any(|item| self.mirror.owner(item).is_none_or(|owner| !there.contains(owner)))
        };
        let urgent = surplus || (differs && unowned());
        Some(Compared { nobody: target.available.is_empty(), differs, urgent })
    }

    fn target(&self) -> Option<Target> {
        let strategy = &self.effective.as_ref()?.strategy;
        let (count, available) = (self.count(), self.mirror.available());
        let previous: Vec<Option<InstanceId>> =
            (0..count).map(|item| self.mirror.owner(item).cloned()).collect();
        let owners = strategy.assign(self.name.as_str(), &available, count, &previous);
        Some(Target { available, owners })
    }

    /// The items that the job should have and that are not there.
    fn missing_items(&self) -> impl Iterator<Item = Item> + use<'_> {
        (0..self.count()).filter(|item| self.mirror.item(*item).is_none_or(|nodes| !nodes.exists))
    }

    /// Gives an item to this owner.
    fn give(&self, item: Item, owner: Option<&InstanceId>) -> Option<Write> {
        let (key, text) = (Key::Owner(item), owner.map(|owner| owner.as_str().to_owned()));
        match (text, self.mirror.owner(item)) {
            (Some(text), None) => Some(Write::create(key, text)),
            (Some(text), Some(_)) => Some(Write::set(key, text)),
            (None, Some(_)) => Some(Write::delete(key)),
            (None, None) => None,
        }
    }

    /// Something has changed, and who should own what may depend on it.
    pub(super) fn forget_comparison(&mut self, key: &Key) {
        let counts = matches!(
            key,
            Key::Server(_) | Key::Instance(_) | Key::Item(_) | Key::Owner(_) | Key::Config | Key::Job
        );
        if counts {
            self.compared = None;
        }
    }
}

impl Turn<'_> {
    /// What the leader does: keeps the plan right, and removes items that the job no longer has.
    pub(super) fn lead(&mut self) {
        if self.plan_is_due() {
            if self.waits_for_more() {
                return;
            }
            // The plan says what a dead Java peer had; it is not overwritten before that is used. Without failover nobody uses it.
            let job = &*self.job;
            let failover = job.effective.as_ref().is_some_and(|effective| effective.settings.failover);
            if !(failover && job.plans.mourns()) {
                self.begin_plan();
            }
        } else {
            self.job.plans.not_due();
            self.remove_surplus_items();
            self.remove_dead_triggers();
        }
    }

    /// What a member does that does not lead: under a leader of the other kind, it raises Java's flag.
    pub(super) fn follow(&mut self) {
        let job = &*self.job;
        let Some(leader) = &job.mirror.leader else { return };
        let ours = self.us.leases.contains_key(&leader.id);
        let asked = job.mirror.necessary || job.mirror.processing.is_some();
        let due = !ours && !asked && self.plan_is_due();
        if self.has_been_due(due) {
            self.raise_flag();
        }
    }

    /// Whether the owners differ from what the strategy says, or somebody asks for a plan.
    pub(super) fn plan_is_due(&mut self) -> bool {
        let Some(compared) = self.job.compared().filter(|compared| !compared.nobody) else { return false };
        let job = &*self.job;
        if job.mirror.processing.is_some_and(|session| self.us.is_our_session(session)) {
            // A plan of ours was begun, though the answer to that was unclear; claims are held until it is made.
            return true;
        }
        if job.mirror.necessary && !self.us.mutated(Mutation::NonLeaderWaitsForever) {
            return true;
        }
        if self.us.mutated(Mutation::NewLeaderTrustsOldPlan) {
            return false;
        }
        compared.differs
    }

    /// Whether a plan that is due is only for instances that have come, and was preceded by one a moment ago.
    fn waits_for_more(&mut self) -> bool {
        let (Some(compared), Some((planned, instances))) = (self.job.compared(), self.job.planned) else {
            return false;
        };
        let mirror = &self.job.mirror;
        if compared.urgent || mirror.necessary || mirror.processing.is_some() || self.has_foreign_peers() {
            return false;
        }
        let (each, most) = SPACING;
        let until = planned + (each * instances as Millis).min(most);
        if self.now.mono < until {
            self.wake_at_mono(until);
            return true;
        }
        false
    }

    pub(super) fn begin_plan(&mut self) {
        let session = self.us.session_id();
        let foreign = self.has_foreign_peers();
        let job = &mut *self.job;
        if let Some(owner) = job.mirror.processing
            && owner != session
        {
            // Left by a leader that is going or gone; the node vanishes with its session.
            job.op_after = self.now.mono + 200;
            self.load();
            let at = self.now.mono + 200;
            self.wake_at_mono(at);
            return;
        }
        let stale_blocks = self.us.mutated(Mutation::StaleRunningBlocksReshard);
        if (foreign && !self.may_plan_beside_java()) || (stale_blocks && self.something_runs()) {
            return;
        }
        if !foreign
            && self.job.mirror.processing.is_none()
            && let Some(group) = self.whole_plan()
        {
            self.coordinate_with(Step::Plan, group);
            return;
        }
        let job = &*self.job;
        let mut builder = Builder::new(self.us, self.job);
        if !job.mirror.necessary {
            builder.create(Key::Necessary, Bytes::new());
        }
        if job.mirror.processing.is_none() {
            builder.create_ephemeral(Key::Processing, Bytes::new());
        }
        if job.mirror.epoch.is_none() {
            builder.create(Key::Epoch, Bytes::new());
        }
        let mut batches = VecDeque::new();
        for item in job.missing_items() {
            self.create_item(&mut builder, item);
            if builder.len() >= PLAN_BATCH * 2 {
                batches.push_back(builder.take().writes);
            }
        }
        if builder.len() > 0 {
            batches.push_back(builder.take().writes);
        }
        self.job.plan = Some(PlanInProgress { batches });
        self.continue_plan();
    }

    /// The plan as one commit; `None` when that is too large, or there is no epoch to bump: one that came together with its owners
    /// might be read after them.
    fn whole_plan(&mut self) -> Option<Group> {
        let target = self.job.target()?;
        let job = &*self.job;
        let epoch = job.mirror.epoch?;
        let mut builder = Builder::new(self.us, self.job);
        for item in job.missing_items() {
            self.create_item(&mut builder, item);
            if builder.len() >= PLAN_BATCH * 2 {
                return None;
            }
        }
        builder.push(Write::set_if(Key::Epoch, self.us.me.as_str().to_owned(), epoch));
        for item in 0..(job.count().max(job.mirror.items.len() as Item)) {
            let owner = target.owner(item);
            if job.mirror.necessary || owner != job.mirror.owner(item) {
                job.give(item, owner).into_iter().for_each(|write| builder.push(write));
            }
            if builder.len() >= PLAN_BATCH * 2 {
                return None;
            }
        }
        if job.mirror.necessary {
            builder.delete(Key::Necessary);
        }
        Some(builder.build())
    }

    fn create_item(&self, builder: &mut Builder<'_>, item: Item) {
        builder.create(Key::Item(item), Bytes::new());
        // The item's schedule counts from its birth, however long it takes until somebody can run it.
        let effective = self.job.effective.as_ref();
        let remembered = effective.and_then(|effective| self.remembered(item, effective));
        if remembered.is_some() {
            builder.check_settings();
        }
        let cursor = remembered.unwrap_or_else(|| {
            let (hash, rule) = effective
                .map_or((0, None), |effective| (effective.schedule_hash, Some(effective.rule.clone())));
            let generation = self.us.generation();
            Box::new(Cursor { generation, ..Cursor::starting(self.now.wall, hash, rule) })
        });
        builder.push(Write::cursor(item, cursor, None));
    }

    /// Sends the next batch of the plan under way.
    pub(super) fn continue_plan(&mut self) {
        let Some(plan) = &mut self.job.plan else { return };
        if let Some(writes) = plan.batches.pop_front() {
            self.coordinate_with(Step::Plan, writes);
            return;
        }
        self.job.plan = None;
        let job = &*self.job;
        if job.mirror.processing.is_none() {
            return;
        }
        let mut batches = self.owner_batches();
        if let Some(first) = batches.pop_front() {
            self.job.plan = (!batches.is_empty()).then_some(PlanInProgress { batches });
            self.coordinate_with(Step::Plan, first);
        }
    }

    /// What flips the plan, in batches; the first bumps the epoch, the last lowers the flags.
    fn owner_batches(&mut self) -> VecDeque<Vec<Write>> {
        let mut batches = VecDeque::new();
        let (Some(target), Some(epoch)) = (self.job.target(), self.job.mirror.epoch) else { return batches };
        let job = &*self.job;
        let count = job.count();
        let bump = |epoch: i32| Write::set_if(Key::Epoch, self.us.me.as_str().to_owned(), epoch);
        let mut writes = vec![bump(epoch)];
        for item in 0..(count.max(job.mirror.items.len() as Item)) {
            writes.extend(job.give(item, target.owner(item)));
            if writes.len() >= PLAN_BATCH * 2 {
                batches.push_back(std::mem::take(&mut writes));
            }
        }
        if !batches.is_empty() {
            // Whoever read the owners between two batches must read them again.
            writes.push(bump(epoch + 1));
        }
        writes.push(Write::delete(Key::Necessary));
        writes.push(Write::delete(Key::Processing));
        batches.push_back(writes);
        batches
    }

    /// Java's leader waits until nothing runs; so does ours while a Java peer is in the job.
    pub(super) fn something_runs(&mut self) -> bool {
        let stale_blocks = self.us.mutated(Mutation::StaleRunningBlocksReshard);
        let job = &*self.job;
        let claimed =
            |nodes: &ItemNodes| nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_some());
        let runs = |nodes: &ItemNodes| {
            nodes.running.as_ref().is_some_and(|mark| !self.is_left(mark)) || (stale_blocks && claimed(nodes))
        };
        if !job.mirror.items.iter().any(runs) {
            return false;
        }
        let job = &mut *self.job;
        for state in &mut job.items {
            state.watching = true;
        }
        job.op_after = self.now.mono + 100;
        let at = job.op_after;
        self.load();
        self.wake_at_mono(at);
        true
    }

    /// Our `processing` while we do not lead: nobody may claim while it is there, and nobody else may delete it.
    pub(super) fn stray_processing(&self) -> Option<Key> {
        let job = &*self.job;
        let ours = job.mirror.processing.is_some_and(|session| self.us.is_our_session(session));
        (ours && !self.us.leads(job)).then_some(Key::Processing)
    }
}
