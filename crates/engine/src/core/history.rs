//! Who comes and goes, and who holds the job: put on record, so that it can be told later why nothing ran.
//!
//! # Who tells
//! An instance tells of itself: that it joined, that it left, that it was shut down by command, and, once it is back, that it was cut off.
//! What has no voice is told by witnesses: an instance that was killed, a Java instance, an operator's hold. Witnesses are the first two of our
//! living instances, by id, so that a fleet of hundreds does not tell everything hundreds of times, and one that dies at the same
//! moment leaves another. What is told twice has one key, the transaction of the node in question, and is on record once; and what an
//! instance says of itself stands above what a witness thinks. See [`Change`].
//!
//! # When
//! By level: what the mirror has is compared with what it had when it was last compared, also across sessions. So what happened while
//! nobody looked is told late, by what is left of it, and a hold that began before all of us is told by whoever comes first. What
//! came and went again unseen is not told; nor is the death of the last instance, until it is missed by who reads the record.
//!
//! An instance node that is gone while its lease is there says nothing yet: its instance leaves, or is being shut down by command, and
//! tells so; or it died, and its lease is about to go too. So it is looked at again when a lease changes.

use super::job::Phase;
use super::{Event, Turn, Us};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::Mirror;
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::sorted::SortedMap;
use clockwright_model::{Change, ChangeKind, InstanceId, Item, Millis};
use std::collections::BTreeMap;

/// How many instances tell what has no voice.
const WITNESSES: usize = 2;

/// What was there when it was last looked.
#[derive(Default)]
pub(crate) struct Seen {
    instances: SortedMap<InstanceId, Member>,
    /// By the node that says so, with the transaction that began it.
    holds: BTreeMap<Key, i64>,
    /// Somebody is gone of whom it is not known how; and the number of changes of leases when that was last looked at.
    open: Option<u64>,
}

/// An incarnation of an instance.
#[derive(Clone, Copy)]
struct Member {
    session: i64,
    /// The transaction of its node.
    created: i64,
}

/// A hold, as a node says it.
struct Hold {
    transaction: i64,
    at: Millis,
    note: PauseNote,
}

impl Turn<'_> {
    /// Puts on record what has changed around the job.
    pub(super) fn notice_changes(&mut self) {
        if !self.job.registered && self.job.phase == Phase::Active && !self.is_leaving() {
            // Who is not there yet is no witness.
            return;
        }
        let changed = std::mem::take(&mut self.job.mirror.changed);
        if changed || self.job.seen.open.is_some_and(|seen| seen != self.us.lease_changes) {
            self.notice_members();
        }
        if changed {
            self.notice_holds();
        }
    }

    fn notice_members(&mut self) {
        let witness = self.is_witness();
        let mut seen = std::mem::take(&mut self.job.seen.instances);
        self.job.seen.open = None;
        let present = self.job.mirror.instances.iter();
        let present = present.map(|(id, node)| (id.clone(), node.stat)).filter(|(_, stat)| stat.owner != 0);
        for (id, stat) in present.collect::<Vec<_>>() {
            let member = Member { session: stat.owner, created: stat.created };
            let before = seen.remove(&id).filter(|before| {
                let same = before.session == member.session;
                if !same {
                    self.ended(&id, *before, witness);
                }
                same
            });
            let is_mute = !self.us.leases.contains_key(&id);
            if before.is_none() && (id == self.us.me || (is_mute && witness)) {
                self.put_change(ChangeKind::Joined, id.as_str(), stat.created, stat.created_at, None);
            }
            self.job.seen.instances.insert(id, before.unwrap_or(member));
        }
        for (id, member) in seen {
            if !self.ended(&id, member, witness) {
                self.job.seen.open = Some(self.us.lease_changes);
                self.job.seen.instances.insert(id, member);
            }
        }
    }

    /// Tells how an instance ended, if that is known and ours to tell; false when it is to be looked at again.
    fn ended(&mut self, id: &InstanceId, member: Member, witness: bool) -> bool {
        let kind = if *id == self.us.me {
            if member.session != self.us.session_id() {
                ChangeKind::CutOff
            } else if self.is_leaving() || self.job.phase == Phase::Left {
                ChangeKind::Left
            } else if self.job.phase == Phase::ShutDown {
                ChangeKind::ShutDown
            } else {
                return false;
            }
        } else if self.us.alive(id, member.session) {
            return false;
        } else if !witness {
            return true;
        } else if self.job.plans.is_known_java(id) {
            ChangeKind::Gone
        } else {
            ChangeKind::Lost
        };
        self.put_change(kind, id.as_str(), member.created, self.now.wall, None);
        true
    }

    fn notice_holds(&mut self) {
        let holds = holds(&self.job.mirror);
        let now = holds.iter().map(|(key, hold)| (key.clone(), hold.transaction)).collect();
        let before = std::mem::replace(&mut self.job.seen.holds, now);
        if !self.is_witness() {
            return;
        }
        for (key, began) in &before {
            // A host that is disabled once more has been so all the time; the other nodes are made anew.
            let goes_on = holds
                .get(key)
                .is_some_and(|hold| hold.transaction == *began || matches!(key, Key::Server(_)));
            if !goes_on {
                let (_, end, subject) = kinds(key);
                self.put_change(end, &subject, *began, self.now.wall, None);
            }
        }
        for (key, hold) in &holds {
            let goes_on = before
                .get(key)
                .is_some_and(|began| *began == hold.transaction || matches!(key, Key::Server(_)));
            if !goes_on {
                let (begin, _, subject) = kinds(key);
                self.put_change(begin, &subject, hold.transaction, hold.at, Some(&hold.note));
            }
        }
    }

    /// Whether this instance tells what nobody else can.
    fn is_witness(&self) -> bool {
        let instances = self.job.mirror.instances.iter();
        let ours = instances.filter(|(id, node)| self.us.alive(id, node.stat.owner)).map(|(id, _)| id);
        ours.take(WITNESSES).any(|id| *id == self.us.me)
    }

    /// An item stands still: its cursor lies so many seconds in the future.
    pub(super) fn put_cursor_ahead(&mut self, item: Item, seconds: Millis) {
        let node = self.job.mirror.item(item).and_then(|nodes| nodes.cursor.modified());
        let note = PauseNote { reason: format!("{seconds} s"), ..PauseNote::default() };
        let (subject, at) = (item.to_string(), self.now.wall);
        self.put_change(ChangeKind::CursorAhead, &subject, node.unwrap_or(0), at, Some(&note));
    }

    fn put_change(
        &mut self,
        kind: ChangeKind,
        subject: &str,
        transaction: i64,
        at: Millis,
        note: Option<&PauseNote>,
    ) {
        let (by, reason) = note.map_or(("", ""), |note| (&note.by, &note.reason));
        let change = Change {
            job: Some(self.job.name.clone()),
            subject: subject.into(),
            by: by.into(),
            reason: reason.into(),
            ..self.us.change(kind, transaction, at)
        };
        self.us.record(Event::Change(change));
    }
}

impl Us {
    /// A change of this instance's own, for all its jobs.
    pub(super) fn change(&self, kind: ChangeKind, transaction: i64, at: Millis) -> Change {
        Change {
            namespace: self.keys.namespace().into(),
            job: None,
            kind,
            subject: self.me.as_str().into(),
            transaction,
            by: "".into(),
            reason: "".into(),
            at,
            witness: self.me.clone(),
        }
    }
}

/// What operators hold, by the node that says so.
fn holds(mirror: &Mirror) -> BTreeMap<Key, Hold> {
    let hold = |(key, stat): (&Key, &clockwright_registry::Stat)| {
        let (holds, transaction) = match key {
            Key::Server(ip) => (mirror.is_kept_off(ip), stat.modified),
            _ => (true, stat.created),
        };
        let note = mirror.paused.clone().filter(|_| *key == Key::Paused).unwrap_or_default();
        holds.then(|| (key.clone(), Hold { transaction, at: stat.modified_at, note }))
    };
    mirror.operators.iter().filter_map(hold).collect()
}

/// How a hold's beginning and end are called, and what it is about.
fn kinds(key: &Key) -> (ChangeKind, ChangeKind, String) {
    match key {
        Key::Server(ip) => (ChangeKind::HostDisabled, ChangeKind::HostEnabled, ip.clone()),
        Key::SmoothStop(ip) => (ChangeKind::HostDrained, ChangeKind::HostUndrained, ip.clone()),
        Key::Disabled(item) => (ChangeKind::ItemDisabled, ChangeKind::ItemEnabled, item.to_string()),
        _ => (ChangeKind::Paused, ChangeKind::Resumed, String::new()),
    }
}
