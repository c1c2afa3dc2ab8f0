//! Java peers in a job: what they leave unsaid, and how it is found out.
//!
//! A Java instance writes no cursor and holds no lease, so that an instance without a lease is a Java peer
//! ([`Turn::has_foreign_peers`]). Three things that cursors tell among ourselves have to be inferred beside one.
//!
//! # Which instants a plan covers
//! Java plans *while it fires*: every instance whose instant comes while `necessary` is up waits for the plan, and then runs
//! its items by the new plan, for that very instant. So the instants between the raising of the flag and the plan are still
//! to be run, by the new owners, and those before the flag were run by the old ones. [`Plans`] remembers when the flag that
//! a plan answers was raised; if the flag was never seen, the plan's own time has to do, and an instant between the two
//! is lost here.
//!
//! # What a cursor says of an item that Java ran
//! Nothing: it still shows the time before Java had the item, and once Java is gone, all that Java ran would seem to be
//! missed. So one of ours (the one that also marks orphans) deletes the cursor of an item once it is [`OUTDATED`] behind its
//! living Java owner. The next of ours to own the item begins with its plan. The marker follows only the cursors of what is its own, so it reads
//! those of Java's items after each plan, and again while they tell of a run that has not ended: its owner has still to write how it ended.
//!
//! # An orphan that Java takes over
//! Java takes a marked item by `sharding/{i}/failover` and leaves the cursor as it is, so that the dead claim in it would be marked
//! and run again once Java is through. The marker settles the claim as lost as soon as it sees a Java taker. Where there is to be no
//! other attempt, the item's next owner settles such a claim; if that is a Java peer, the marker does.
//!
//! # What a dead Java instance left running
//! Java instances mark what a dead one had, and then all of it, if some instance of any kind is still there whose id begins with
//! its IP address. Two markers would make items run twice, so that is left to them. Where they do not, or are none, one of ours
//! marks, and only what ran: the `running` marks of a session that ends go in one transaction with
//! its instance node, so that their parents carry one number ([`Stat::children_changed`](clockwright_registry::Stat)). An item
//! whose run ended before, or whose instance was stopped in an orderly way, has another number. The numbers are read as soon as
//! the instance is missed, and our leader plans only after that; marks and cursors are read with them, since what was known of those of
//! an item that Java had may be of any time. If something else changed below `instances` in between, the proof is lost, and nothing is
//! marked. In the layout of 3.x the marks themselves stay; see [`marks`](super::marks).
//!
//! # When our leader may plan
//! *When nothing runs*, by a reading that was asked for after the plan became due: marks are not watched otherwise.
//! With `monitorExecution` off Java does not wait either. While anything runs the flag is up: streams end by it. *Not
//! just before an instant* ([`QUIET`]): Java reads the flag from the registry but its owners from a cache that lags, so
//! that an instance that fires at once after the plan may still run what it had. Before an instant the flag is raised
//! and the plan made just after: all who fire wait for it, as they do under a Java leader. *Not at once after an
//! instance died*, with failover ([`MARKING`]): Java looks up in the plan what the dead one had, and marks that.
//!
//! # Failures
//! All of this is inference, and Java's own steps are not conditional, so beside a Java peer an instant may be run twice
//! or not at all while a plan changes. A Java peer that is cut off longer than its requests are repeated leaves marks up of what has
//! ended, for as long as its session lives: whoever plans waits for them, be it Java or ours. And one of ours that is cut off for
//! all the time that a Java peer had an item finds the item's cursor gone, and holds it, as it would after a loss. Nothing of this is used in jobs without
//! Java peers.

use super::change::{CursorChange, owner_lost};
use super::effective::Effective;
use super::failover::MARK_BATCH;
use super::firing::{STORING, most_attempts};
use super::group::{Builder, Step};
use super::job::Local;
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::Claim;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::{CursorNode, ItemNodes, Mirror, OwnerNode};
use clockwright_fleet::write::Write;
use clockwright_model::{InstanceId, Item, Millis, Outcome, Reason};
use clockwright_registry::{Node, Path};
use std::collections::{BTreeMap, BTreeSet};

/// How long before an instant no plan is made beside Java peers, milliseconds. Covers what Java's cache lags behind.
const QUIET: Millis = 300;
/// How long after an instant a plan may be made beside Java peers, milliseconds: by then the others have seen the flag.
const AFTER: Millis = 50;
/// How long the plan of an instance that vanished is kept for Java peers with failover to read, milliseconds.
const MARKING: Millis = 1_000;
/// How far a cursor must be behind its living Java owner until it is deleted, milliseconds.
const OUTDATED: Millis = 1_000;
/// How long the plan of a Java leader must have been wrong until we raise its flag, milliseconds. It raises the flag itself for
/// all that it sees; and a reading in the middle of its plan, which is no single commit, shows owners of two plans.
const WRONG: Millis = 3_000;
/// How many plans are remembered.
const REMEMBERED: usize = 4;

/// When the flags were raised that the last plans answered.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    /// The flag that waits for its plan: its transaction, and when it was raised.
    asked: Option<(i64, Millis)>,
    /// The transactions of plans, and when their flags were raised.
    answered: Vec<(i64, Millis)>,
    /// Sequence number of the last full reading.
    looked: u64,
    /// A plan is due beside Java peers since this sequence number.
    due_since: Option<u64>,
    /// An owner is gone since this (mono).
    gone_since: Option<Millis>,
    /// The plan of a Java leader is wrong since this (mono).
    wrong_since: Option<Millis>,
    /// The Java peers that were seen.
    java: BTreeSet<InstanceId>,
    /// The readings under way of the numbers that tell what dead Java peers left running, and of which items.
    numbers: BTreeMap<u64, Vec<Item>>,
    /// What they left running, until it is marked.
    left: BTreeSet<Item>,
    /// When the cursors of Java's items were read, as far as this instance marks.
    cursors_read: BTreeMap<Item, CursorRead>,
}

/// After which plan, and when by the steady clock, a cursor was read.
#[derive(Debug, Clone, Copy)]
struct CursorRead {
    plan: i64,
    at: Millis,
}

impl Plans {
    /// Takes in what the mirror shows now.
    pub(crate) fn note(&mut self, mirror: &Mirror) {
        if mirror.asked.is_some() {
            self.asked = mirror.asked;
            return;
        }
        let Some((flag, at)) = self.asked else { return };
        let owners = mirror.items.iter().filter_map(|nodes| nodes.owner.as_ref());
        if let Some(plan) = owners.map(|owner| owner.planned).filter(|planned| *planned > flag).min() {
            self.asked = None;
            self.answered.push((plan, at));
            if self.answered.len() > REMEMBERED {
                self.answered.remove(0);
            }
        }
    }

    /// A full reading with this sequence number came in.
    pub(crate) fn looked(&mut self, id: u64) {
        self.looked = id;
    }

    /// Whether an instance is one of Java's.
    pub(super) fn is_known_java(&self, id: &InstanceId) -> bool {
        self.java.contains(id)
    }

    /// An instance was found to be a Java peer.
    pub(crate) fn know_java(&mut self, id: InstanceId) {
        self.java.insert(id);
    }

    /// Forgets what belonged to the session before.
    pub(crate) fn session_changed(&mut self) {
        *self = Self { asked: self.asked, answered: std::mem::take(&mut self.answered), ..Self::default() };
    }

    /// A reading with this sequence number failed.
    pub(crate) fn not_read(&mut self, id: u64) {
        self.numbers.remove(&id);
    }

    /// Whether it is still to be found out, or to be marked, what a dead Java peer left running.
    pub(crate) fn mourns(&self) -> bool {
        !self.numbers.is_empty() || !self.left.is_empty()
    }

    /// Our leader has no plan to make.
    pub(crate) fn not_due(&mut self) {
        self.due_since = None;
        self.gone_since = None;
    }

    /// From when on the instants of an item are its owner's to run.
    pub(crate) fn covers_from(&self, owner: &OwnerNode) -> Millis {
        let answer = self.answered.iter().find(|(plan, _)| *plan == owner.planned);
        answer.map_or(owner.planned_at, |(_, raised)| (*raised).min(owner.planned_at))
    }
}

impl Turn<'_> {
    /// Whether our leader may begin a plan now although there are Java peers. If not, it is asked again in time.
    pub(super) fn may_plan_beside_java(&mut self) -> bool {
        let Some(effective) = self.job.effective.clone() else { return false };
        if self.us.mutated(Mutation::PlansWhileJavaRuns) {
            return true;
        }
        if effective.settings.failover && self.leaves_marks() {
            return false;
        }
        if effective.settings.monitor_execution {
            let due_since = *self.job.plans.due_since.get_or_insert(self.us.sequence);
            if self.job.plans.looked <= due_since {
                if self.job.loading.is_none_or(|id| id <= due_since) {
                    self.load();
                }
                return false;
            }
            if self.something_runs() {
                // Streams go on until the flag is up. Whoever came has raised it, but a plan that did not know of them may have lowered it.
                self.raise_flag();
                return false;
            }
        }
        if let Some(next) = effective.schedule.next_after(self.now.wall)
            && next - self.now.wall < QUIET
        {
            let wait = next - self.now.wall + AFTER;
            self.job.plans.due_since = None;
            self.job.op_after = self.now.mono + wait;
            self.wake_at_mono(self.now.mono + wait);
            self.raise_flag();
            return false;
        }
        self.job.plans.due_since = None;
        true
    }

    /// Asks for a plan, unless somebody has.
    pub(super) fn raise_flag(&mut self) {
        if self.job.mirror.necessary {
            return;
        }
        let mut builder = Builder::new(self.us, self.job);
        builder.create(Key::Necessary, Bytes::new());
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
    }

    /// Misses Java peers that are gone, and asks for the numbers that tell what they left running.
    pub(super) fn miss_java(&mut self) {
        let job = &mut *self.job;
        let gone: Vec<InstanceId> =
            job.plans.java.iter().filter(|id| !job.mirror.instances.contains_key(*id)).cloned().collect();
        if gone.is_empty() {
            return;
        }
        job.plans.java.retain(|id| !gone.contains(id));
        if !job.has_java() {
            job.forget_idle();
        }
        if job.mirror.layout == Layout::V3 {
            // Its marks stay, and say whose they are.
            return;
        }
        let settings = job.effective.as_ref().map(|effective| &effective.settings);
        if settings.is_none_or(|settings| !settings.failover || !settings.monitor_execution) {
            return;
        }
        let java_marks = |dead: &InstanceId| {
            let at_its_address = |id: &InstanceId| id.as_str().starts_with(dead.ip());
            !job.plans.java.is_empty() && job.mirror.instances.keys().any(at_its_address)
        };
        let had = |item: &Item| {
            let owner = job.mirror.item(*item).and_then(|nodes| nodes.owner.as_ref());
            owner.is_some_and(|owner| gone.contains(&owner.id) && !java_marks(&owner.id))
        };
        let items: Vec<Item> = (0..job.count()).filter(had).collect();
        if items.is_empty() {
            return;
        }
        let mut keys = vec![Key::Instances];
        keys.extend(items.iter().map(|item| Key::Item(*item)));
        // What is known of these may be of the time when Java ran the item: nobody has followed it.
        keys.extend(items.iter().flat_map(|item| [Key::Running(*item), Key::Cursor(*item)]));
        let paths = keys.iter().map(|key| self.path(key)).collect();
        let id = self.us.next();
        self.job.plans.numbers.insert(id, items);
        self.us.out.push(super::Effect::Read { id, paths });
    }

    /// Takes in the numbers that [`miss_java`](Self::miss_java) asked for.
    pub(super) fn numbers_were_read(&mut self, id: u64, nodes: &[(Path, Option<Node>)]) {
        let Some((instances, rest)) = nodes.split_first() else { return };
        let Some(items) = self.job.plans.numbers.remove(&id) else { return };
        let changed = |node: &Option<Node>| node.as_ref().map_or(0, |node| node.stat.children_changed);
        let together = changed(&instances.1);
        let left = items.into_iter().zip(rest).filter(|(_, (_, node))| changed(node) == together);
        if together != 0 {
            self.job.plans.left.extend(left.map(|(item, _)| item));
        }
        self.touch();
    }

    /// Marks what dead Java peers left running, as far as nobody has marked or taken it.
    pub(super) fn mark_left(&mut self) {
        let job = &mut *self.job;
        let (count, mirror) = (job.count(), &job.mirror);
        job.plans.left.retain(|item| {
            let handled = |nodes: &ItemNodes| {
                nodes.taken.is_some()
                    || nodes.running.is_some()
                    || nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_some())
            };
            *item < count
                && !mirror.failover_items.contains_key(item)
                && mirror.item(*item).is_some_and(|nodes| !handled(nodes))
        });
        if job.plans.left.is_empty()
            || job.op.is_some()
            || !self.is_marker()
            || self.us.mutated(Mutation::JavasRunsAreLeft)
        {
            return;
        }
        let mut builder = Builder::new(self.us, self.job);
        for item in self.job.plans.left.iter().take(MARK_BATCH) {
            builder.create(Key::FailoverItem(*item), Bytes::new());
        }
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
    }

    /// Gives up the claims of dead instances of ours that nobody else will end: a Java peer has taken the item over, or owns it by now
    /// and there is to be no other attempt.
    pub(super) fn yield_to_java(&mut self, effective: &Effective) {
        let mut yielded = Vec::new();
        for item in 0..self.job.count() {
            let job = &*self.job;
            let (Some(nodes), Some(state)) = (job.mirror.item(item), job.items.get(item as usize)) else {
                continue;
            };
            let CursorNode::Known { version, cursor, .. } = &nodes.cursor else { continue };
            let (version, cursor) = (*version, cursor.clone());
            let Some(claim) = cursor.running().cloned() else { continue };
            let dead = claim.owner != self.us.me && !self.us.alive(&claim.owner, claim.session);
            if !dead || !matches!(state.local, Local::Idle) {
                continue;
            }
            if let Some(reason) = self.why_to_yield(item, &claim, effective) {
                yielded.push(self.give_up(item, cursor, Some(version), owner_lost(reason)));
            }
        }
        self.advance_each(yielded);
    }

    /// Why the claim of a dead instance of ours is given up because of a Java peer, if it is.
    fn why_to_yield(&mut self, item: Item, claim: &Claim, effective: &Effective) -> Option<Reason> {
        let nodes = self.job.mirror.item(item)?;
        let owner = claim.owner.to_string();
        // One of ours that takes an item claims it in the same commit; it may be dead by now, and look like Java for a moment.
        let taker = nodes.taken.as_ref().filter(|id| self.is_java(id) && **id != claim.owner);
        if let Some(taker) = taker {
            return Some(Reason::TakenByJava { owner, taker: taker.to_string() });
        }
        let is_javas = nodes.owner.as_ref().is_some_and(|owner| self.is_java(&owner.id));
        let off = self.is_off(item, claim);
        let failover = effective.settings.failover;
        let again = failover && claim.attempt < most_attempts(effective) && !off;
        // The next owner gives it up, and a Java peer knows of no claims.
        if !is_javas || again || !self.orphaned_long_enough(item) || !self.lease_is_known(item, claim) {
            return None;
        }
        Some(match failover {
            _ if off => Reason::InterruptedWhileOff {},
            true => Reason::OwnerDiedForGood { owner },
            false => Reason::OwnerDied { owner },
        })
    }

    /// Whether Java peers may still have to mark what an instance that vanished had.
    fn leaves_marks(&mut self) -> bool {
        let job = &mut *self.job;
        let owners = job.mirror.items.iter().filter_map(|nodes| nodes.owner.as_ref());
        if !owners.map(|owner| &owner.id).any(|id| !job.mirror.instances.contains_key(id)) {
            job.plans.gone_since = None;
            return false;
        }
        let until = *job.plans.gone_since.get_or_insert(self.now.mono) + MARKING;
        if self.now.mono < until {
            self.wake_at_mono(until);
            return true;
        }
        false
    }

    /// Whether a plan that a Java leader should make has been due long enough to remind it, by a fresh reading.
    pub(super) fn has_been_due(&mut self, due: bool) -> bool {
        let plans = &mut self.job.plans;
        if !due {
            plans.wrong_since = None;
            return false;
        }
        let since = *plans.wrong_since.get_or_insert(self.now.mono);
        if since == self.now.mono {
            self.load();
        }
        if self.now.mono < since + WRONG {
            self.wake_at_mono(since + WRONG);
            return false;
        }
        self.job.plans.wrong_since = None;
        true
    }

    /// Reads the cursors of items that a plan gave to Java peers: whoever had them before has written there, and nobody else followed that. One that
    /// tells of an open run is read again, for its owner has still to write how that ended.
    fn read_cursors_of_java(&mut self) {
        let (job, now) = (&*self.job, self.now.mono);
        let (mut cursors_read, mut reads, mut wake) = (BTreeMap::new(), Vec::new(), None);
        for item in 0..job.count() {
            let Some(nodes) = job.mirror.item(item) else { continue };
            let Some(owner) = nodes.owner.as_ref().filter(|owner| self.is_java(&owner.id)) else { continue };
            let is_open =
                matches!(&nodes.cursor, CursorNode::Known { cursor, .. } if cursor.running().is_some());
            let read = match job.plans.cursors_read.get(&item) {
                Some(read) if read.plan == owner.planned && !(is_open && read.at + OUTDATED <= now) => *read,
                _ => {
                    reads.push(item);
                    CursorRead { plan: owner.planned, at: now }
                }
            };
            if is_open {
                wake = Some(wake.map_or(read.at, |other: Millis| other.min(read.at)));
            }
            cursors_read.insert(item, read);
        }
        self.job.plans.cursors_read = cursors_read;
        if let Some(first) = wake {
            self.wake_at_mono(first + OUTDATED);
        }
        self.read_items(&reads);
    }

    /// Settles a trigger that waits for an item which is Java's by now; true while one does.
    fn skip_waiting_trigger(&mut self, item: Item) -> bool {
        let Some(nodes) = self.job.mirror.item(item) else { return false };
        let CursorNode::Known { version, cursor, .. } = &nodes.cursor else { return false };
        let (version, mut cursor) = (*version, cursor.clone());
        let Some(waits) = cursor.pending.take() else { return false };
        if !self.job.items.get(item as usize).is_some_and(|state| matches!(state.local, Local::Idle)) {
            return true;
        }
        let skipped = self.never_ran(item, waits, Outcome::Skipped { reason: Reason::NoInstance {} });
        self.advance_each(vec![CursorChange::new(item, cursor, Some(version)).telling(vec![skipped])]);
        true
    }

    /// Deletes the cursors that fell behind living Java owners.
    pub(super) fn drop_outdated_cursors(&mut self) {
        let rests = self.job.op.is_some() || self.now.mono < self.job.op_after;
        if rests
            || !self.has_foreign_peers()
            || !self.is_marker()
            || self.us.mutated(Mutation::CursorsOutliveJava)
        {
            return;
        }
        self.read_cursors_of_java();
        let job = &*self.job;
        let Some(effective) = job.effective.clone() else { return };
        let mut outdated = Vec::new();
        let mut wake = None;
        for item in 0..job.count() {
            let Some(nodes) = job.mirror.item(item) else { continue };
            let (CursorNode::Known { version, cursor, .. }, Some(owner)) = (&nodes.cursor, &nodes.owner)
            else {
                continue;
            };
            if !self.is_java(&owner.id) || cursor.running().is_some() {
                continue;
            }
            let begun = cursor.settled.max(job.plans.covers_from(owner));
            match effective.schedule.next_after(begun) {
                Some(first) if first + OUTDATED <= self.now.wall => outdated.push((item, *version)),
                Some(first) => wake = Some(wake.map_or(first, |other: Millis| other.min(first))),
                None => {}
            }
        }
        if let Some(first) = wake {
            self.wake_at_wall(first + OUTDATED);
        }
        let mut writes = Vec::new();
        for (item, version) in outdated {
            if self.skip_waiting_trigger(item) {
                continue;
            }
            // Nobody could find the outcomes that it tells once it is gone.
            self.record_inherited(item);
            if self.all_stored(item) {
                writes.push(Write::delete_if(Key::Cursor(item), version));
            } else {
                self.wake_at_mono(self.now.mono + STORING);
            }
        }
        self.coordinate_with(Step::Other, writes);
    }
}
