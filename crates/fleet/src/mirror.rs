//! What is believed about one job's nodes: the last answer to each read, and the effects of own commits.
//!
//! The mirror may be stale; nothing is decided by it alone. Every decision ends in a commit whose conditions the registry
//! checks, and a conflict leads to a fresh read.
//!
//! There are two ways in. [`Mirror::put`] takes what was read, [`Mirror::take_in`] what was written by this process itself, so that
//! nobody has to wait for the hints about that. [`Mirror::forget_cursor`] is the way back: what is not certain is read again.

use crate::cursor::{Cursor, Rule};
use crate::keys::{Key, Keys};
use crate::layout::Layout;
use crate::pause::PauseNote;
use crate::sorted::SortedMap;
use crate::write::{Change, Value, Write};
use bytes::Bytes;
use clockwright_model::{InstanceId, Item, JobSettings, Millis, Reason, SettingsError};
use clockwright_registry::{Commit, Mode, Node, OpResult, Path, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One job's nodes.
#[derive(Debug, Default)]
pub struct Mirror {
    /// Parents that are known to exist, so that a commit need not create them.
    pub parents: Parents,
    /// What the last config that was seen is of; before that, what was expected.
    pub layout: Layout,
    /// What the job's root node says.
    pub root: Option<Bytes>,
    /// Its settings as they are written.
    pub config: Option<(Bytes, Stat)>,
    /// By address.
    pub servers: SortedMap<String, ServerNode>,
    /// Addresses whose instances begin nothing.
    pub drained: BTreeSet<String>,
    /// By id.
    pub instances: SortedMap<InstanceId, InstanceNode>,
    /// 3.x: instances that are to fire now.
    pub triggers: BTreeMap<InstanceId, Stat>,
    /// Who leads.
    pub leader: Option<LeaderNode>,
    /// Places in the queue, with the sessions they belong to.
    pub election_latch: BTreeMap<String, i64>,
    /// Places in the queue of those who take items over.
    pub failover_latch: BTreeMap<String, i64>,
    /// A reason to plan waits for the leader.
    pub necessary: bool,
    /// The flag's transaction, and when it was raised, while it is up.
    pub asked: Option<(i64, Millis)>,
    /// The session of the leader that writes a plan.
    pub processing: Option<i64>,
    /// Version of the plan's epoch node; `None` when there is none.
    pub epoch: Option<i32>,
    /// Who paused the job, when and why.
    pub paused: Option<PauseNote>,
    /// Items that wait for a taker.
    pub failover_items: BTreeMap<Item, OrphanMark>,
    /// The node that is touched to read the registry's clock is there.
    pub current_time: bool,
    /// By number.
    pub items: Vec<ItemNodes>,
    /// The nodes by which operators hold something, where they are there: `paused`, servers and their `smoothstop`, `disabled` of items.
    pub operators: SortedMap<Key, Stat>,
    /// An instance or one of `operators` was put in since whoever looks at them took this away.
    pub changed: bool,
    /// That of the last cursor that came in; cursors with the same one share it.
    rule: Option<Arc<Rule>>,
}

/// Which of a job's parents are known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parents(u16);

impl Parents {
    const ALL: [Key; 13] = [
        Key::Job,
        Key::Servers,
        Key::Instances,
        Key::Leader,
        Key::Election,
        Key::ElectionLatch,
        Key::Sharding,
        Key::Failover,
        Key::FailoverItems,
        Key::FailoverLatch,
        Key::Items,
        Key::SystemTime,
        Key::Triggers,
    ];

    fn bit(key: &Key) -> u16 {
        Self::ALL.iter().position(|parent| parent == key).map_or(0, |place| 1 << place)
    }

    /// Whether this one is.
    #[must_use]
    pub fn contains(self, key: &Key) -> bool {
        self.0 & Self::bit(key) != 0
    }

    fn put(&mut self, key: &Key, is_there: bool) {
        let bit = Self::bit(key);
        self.0 = if is_there { self.0 | bit } else { self.0 & !bit };
    }
}

/// The node of a server.
#[derive(Debug, Clone)]
pub struct ServerNode {
    /// What it says.
    pub data: Bytes,
}

/// The node of an instance.
#[derive(Debug, Clone)]
pub struct InstanceNode {
    /// Since when it is there, and whose session it belongs to.
    pub stat: Stat,
    /// What it says.
    pub data: Bytes,
}

/// A request to fire now.
#[derive(Debug, Clone)]
pub struct TriggerNode {
    /// When, by the registry's clock.
    pub at: Millis,
    /// Its transaction.
    pub transaction: i64,
    /// To delete or reset exactly this one.
    pub version: i32,
}

/// The mark of an item that waits for a taker.
#[derive(Debug, Clone, Copy)]
pub struct OrphanMark {
    /// Its transaction.
    pub transaction: i64,
    /// One of ours says that a Java instance died over the item; see `crates/engine/src/core/marks.rs`.
    pub java_died: bool,
}

/// A `running` mark.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The session that it ends with; 0: it does not.
    pub session: i64,
    /// 3.x: the runner.
    pub id: Option<InstanceId>,
}

impl Mark {
    /// Whether this process made it; one that outlives its session may be of an earlier one.
    pub fn is_of(&self, me: &InstanceId, session: i64) -> bool {
        if self.session == 0 { self.id.as_ref() == Some(me) } else { self.session == session }
    }
}

/// The node of the leader.
#[derive(Debug, Clone)]
pub struct LeaderNode {
    /// Its id.
    pub id: InstanceId,
    /// The session that its node ends with.
    pub session: i64,
}

/// Who made a commit that is [taken in](Mirror::take_in).
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// The session that its ephemeral nodes belong to.
    pub session: i64,
    /// When, by this process's calendar: the registry's own time comes with the next reading.
    pub now: Millis,
}

/// One item's nodes.
#[derive(Debug, Default)]
pub struct ItemNodes {
    /// Its own node is there.
    pub exists: bool,
    /// Whom the plan gives it to.
    pub owner: Option<OwnerNode>,
    /// It runs, as Java sees it.
    pub running: Option<Mark>,
    /// An instant passed while it ran.
    pub misfire: bool,
    /// An operator disabled it.
    pub disabled: bool,
    /// Who took it over, while that goes on.
    pub taken: Option<InstanceId>,
    /// 3.x: who took the item over, whether or not that goes on.
    pub failovering: Option<InstanceId>,
    /// Who runs which fire, and how the last one ended.
    pub cursor: CursorNode,
}

/// Whom the plan gives an item to.
#[derive(Debug, Clone)]
pub struct OwnerNode {
    /// The owner.
    pub id: InstanceId,
    /// The transaction of the plan that last wrote it, or of its batch.
    pub planned: i64,
    /// When, by the registry's clock.
    pub planned_at: Millis,
}

/// The item's cursor.
#[derive(Debug, Default)]
pub enum CursorNode {
    /// Not read since the item became interesting.
    #[default]
    Unread,
    /// Read, and there is none.
    Absent,
    /// Read, and it makes no sense: somebody else wrote it.
    Damaged {
        /// Its version.
        version: i32,
        /// What makes no sense about it.
        reason: String,
    },
    /// Read.
    Known {
        /// Its version.
        version: i32,
        /// The transaction that wrote it.
        modified: i64,
        /// What it says.
        cursor: Box<Cursor>,
    },
}

impl CursorNode {
    /// A cursor as its node has it. An open claim that does not say its token was made by the node's last transaction.
    pub fn known(mut cursor: Box<Cursor>, version: i32, modified: i64) -> Self {
        if let Some(claim) = cursor.run.as_mut().filter(|claim| claim.token == 0) {
            claim.token = modified;
        }
        CursorNode::Known { version, modified, cursor }
    }

    /// What it says, if that is known.
    pub fn cursor(&self) -> Option<&Cursor> {
        match self {
            CursorNode::Known { cursor, .. } => Some(cursor),
            _ => None,
        }
    }

    /// Why the item is held, if it is and nobody has said yet from where it is to go on; see [`crate::held`].
    pub fn held(&self) -> Option<Reason> {
        match self {
            CursorNode::Damaged { reason, .. } => Some(Reason::CursorUnreadable { text: reason.clone() }),
            CursorNode::Known { cursor, .. } => {
                let held = cursor.held.as_ref().filter(|held| held.resume.is_none());
                held.map(|held| held.reason.clone())
            }
            CursorNode::Unread | CursorNode::Absent => None,
        }
    }

    /// The transaction that wrote it, if that is known.
    pub fn modified(&self) -> Option<i64> {
        match self {
            CursorNode::Known { modified, .. } => Some(*modified),
            _ => None,
        }
    }

    /// Its version, if it was read and is there.
    pub fn version(&self) -> Option<i32> {
        match self {
            CursorNode::Known { version, .. } | CursorNode::Damaged { version, .. } => Some(*version),
            _ => None,
        }
    }
}

impl Mirror {
    /// Nothing yet, but what layout is expected.
    pub fn new(layout: Layout) -> Self {
        Self { layout, changed: true, ..Self::default() }
    }

    /// What these nodes say; those that are not below the job of `keys` are left out.
    pub fn of<'a>(keys: &Keys, nodes: impl IntoIterator<Item = (&'a Path, &'a Node)>) -> Self {
        let mut mirror = Self::default();
        for (path, node) in nodes {
            if let Some((_, key)) = keys.parse(path) {
                mirror.put(&key, Some(node));
            }
        }
        mirror
    }

    /// The nodes of an item, made when missing.
    pub fn item_mut(&mut self, item: Item) -> &mut ItemNodes {
        let index = item as usize;
        if index >= self.items.len() {
            self.items.resize_with(index + 1, ItemNodes::default);
        }
        &mut self.items[index]
    }

    /// The nodes of an item, if any was seen.
    pub fn item(&self, item: Item) -> Option<&ItemNodes> {
        self.items.get(item as usize)
    }

    /// The owner of an item by the current plan.
    pub fn owner(&self, item: Item) -> Option<&InstanceId> {
        self.item(item)?.owner.as_ref().map(|owner| &owner.id)
    }

    /// Takes in what a node is now.
    pub fn put(&mut self, key: &Key, node: Option<&Node>) {
        self.parents.put(key, node.is_some());
        let is_hold = matches!(key, Key::Paused | Key::Server(_) | Key::SmoothStop(_) | Key::Disabled(_));
        self.changed |= is_hold || matches!(key, Key::Instance(_));
        if is_hold {
            match node {
                Some(node) => self.operators.insert(key.clone(), node.stat),
                None => drop(self.operators.remove(key)),
            }
        }
        match key {
            Key::Job => self.root = node.map(|node| node.data.clone()),
            Key::Config => {
                self.config = node.map(|node| (node.data.clone(), node.stat));
                let found = self.config.as_ref().and_then(|(data, _)| Layout::of(data));
                self.layout = found.unwrap_or(self.layout);
            }
            Key::Server(ip) => match node {
                Some(node) => {
                    self.servers.insert(ip.clone(), ServerNode { data: node.data.clone() });
                }
                None => drop(self.servers.remove(ip)),
            },
            Key::SmoothStop(ip) => match node {
                Some(_) => drop(self.drained.insert(ip.clone())),
                None => drop(self.drained.remove(ip)),
            },
            Key::Instance(id) => match node {
                Some(node) => {
                    let instance = InstanceNode { stat: node.stat, data: node.data.clone() };
                    self.instances.insert(id.clone(), instance);
                }
                None => drop(self.instances.remove(id)),
            },
            Key::Trigger(id) => match node {
                Some(node) => drop(self.triggers.insert(id.clone(), node.stat)),
                None => drop(self.triggers.remove(id)),
            },
            Key::ElectionInstance => {
                self.leader =
                    node.map(|node| LeaderNode { id: instance_of(&node.data), session: node.stat.owner });
            }
            Key::ElectionLatchNode(name) => put_name(&mut self.election_latch, name, node),
            Key::FailoverLatchNode(name) => put_name(&mut self.failover_latch, name, node),
            Key::Necessary => {
                self.necessary = node.is_some();
                self.asked = node.map(|node| (node.stat.created, node.stat.created_at));
            }
            Key::Processing => self.processing = node.map(|node| node.stat.owner),
            Key::Epoch => self.epoch = node.map(|node| node.stat.version),
            Key::Paused => self.paused = node.map(|node| PauseNote::read(&node.data)),
            Key::FailoverItem(item) => {
                if let Some(node) = node {
                    let (transaction, java_died) = (node.stat.created, !node.data.is_empty());
                    self.failover_items.insert(*item, OrphanMark { transaction, java_died });
                } else {
                    self.failover_items.remove(item);
                }
            }
            Key::CurrentTime => self.current_time = node.is_some(),
            Key::Item(item) => {
                if node.is_some() {
                    self.item_mut(*item).exists = true;
                } else if let Some(nodes) = self.items.get_mut(*item as usize) {
                    *nodes = ItemNodes { cursor: CursorNode::Absent, ..ItemNodes::default() };
                    self.changed |= self.operators.remove(&Key::Disabled(*item)).is_some();
                }
            }
            _ => self.put_item(key, node),
        }
    }

    fn put_item(&mut self, key: &Key, node: Option<&Node>) {
        match key {
            Key::Owner(item) => {
                let owner = node.map(|node| OwnerNode {
                    id: self.shared(instance_of(&node.data)),
                    planned: node.stat.modified,
                    planned_at: node.stat.modified_at,
                });
                self.item_mut(*item).owner = owner;
            }
            Key::Running(item) => {
                self.item_mut(*item).running = node.map(|node| Mark {
                    session: node.stat.owner,
                    id: (!node.data.is_empty()).then(|| instance_of(&node.data)),
                });
            }
            Key::Misfire(item) => self.item_mut(*item).misfire = node.is_some(),
            Key::Disabled(item) => self.item_mut(*item).disabled = node.is_some(),
            Key::Taken(item) => self.item_mut(*item).taken = node.map(|node| instance_of(&node.data)),
            Key::Failovering(item) => {
                self.item_mut(*item).failovering = node.map(|node| instance_of(&node.data));
            }
            Key::Cursor(item) => {
                let cursor = match node {
                    None => CursorNode::Absent,
                    Some(node) => match Cursor::from_bytes(&node.data) {
                        Err(error) => {
                            CursorNode::Damaged { version: node.stat.version, reason: error.to_string() }
                        }
                        Ok(mut cursor) => {
                            self.share_rule(&mut cursor);
                            CursorNode::known(Box::new(cursor), node.stat.version, node.stat.modified)
                        }
                    },
                };
                self.item_mut(*item).cursor = cursor;
            }
            _ => {}
        }
    }

    /// Takes in what a commit of this process did. The results are those of the writes, in their order; what follows them is about
    /// other nodes.
    pub fn take_in(&mut self, writes: Vec<Write>, commit: &Commit, writer: Writer) {
        for (write, result) in writes.into_iter().zip(&commit.results) {
            let Write { key, change } = write;
            match change {
                Change::Check(_) => {}
                Change::Delete(_) => self.put(&key, None),
                Change::Create(value, mode) => {
                    let owner = if mode == Mode::Persistent { 0 } else { writer.session };
                    let stat = Stat {
                        created: commit.transaction,
                        created_at: writer.now,
                        owner,
                        ..Stat::default()
                    };
                    let key = match result {
                        OpResult::Created(path) if mode == Mode::EphemeralSequential => {
                            key.named(path.name())
                        }
                        _ => key,
                    };
                    self.wrote(&key, value, stat, commit, writer);
                }
                Change::Set(value, _) => {
                    let version = if let OpResult::Set { version } = result { *version } else { 0 };
                    let stat = Stat { version, ..self.stat(&key).unwrap_or_default() };
                    self.wrote(&key, value, stat, commit, writer);
                }
            }
        }
    }

    fn wrote(&mut self, key: &Key, value: Value, stat: Stat, commit: &Commit, writer: Writer) {
        match (key, value) {
            (Key::Cursor(item), Value::Cursor(mut cursor)) => {
                self.share_rule(&mut cursor);
                self.item_mut(*item).cursor = CursorNode::known(cursor, stat.version, commit.transaction);
            }
            (key, value) => {
                let stat = Stat { modified: commit.transaction, modified_at: writer.now, ..stat };
                self.put(key, Some(&Node { data: value.encode(), stat }));
            }
        }
    }

    /// The numbers of a node, where they are kept.
    fn stat(&self, key: &Key) -> Option<Stat> {
        match key {
            Key::Config => self.config.as_ref().map(|(_, stat)| *stat),
            Key::Instance(id) => self.instances.get(id).map(|node| node.stat),
            key => self.operators.get(key).copied(),
        }
    }

    /// Believes nothing of an item's cursor any more, until it is read again.
    pub fn forget_cursor(&mut self, item: Item) {
        self.item_mut(item).cursor = CursorNode::Unread;
    }

    /// The same id, as an instance of the job has it.
    fn shared(&self, id: InstanceId) -> InstanceId {
        self.instances.get_key_value(&id).map_or(id, |(known, _)| known.clone())
    }

    fn share_rule(&mut self, cursor: &mut Cursor) {
        if self.rule == cursor.rule {
            cursor.rule.clone_from(&self.rule);
        } else {
            self.rule.clone_from(&cursor.rule);
        }
    }

    /// Forgets everything below a node, before a fresh reading of that subtree is put in. Cursors that are known stay
    /// until their own answer comes, since a cursor never goes back.
    pub fn forget(&mut self, root: &Key) {
        match root {
            Key::Job => *self = Mirror::new(self.layout),
            Key::ElectionLatch => self.election_latch.clear(),
            Key::FailoverLatch => self.failover_latch.clear(),
            _ => {}
        }
    }

    /// The ids of instances whose server is not disabled, in the descending order that the strategies expect.
    pub fn available(&self) -> Vec<InstanceId> {
        let takes_part = |(id, node): &(&InstanceId, &InstanceNode)| {
            self.layout.address(id, &node.data).is_some_and(|ip| self.server_enabled(&ip))
        };
        let mut ids: Vec<InstanceId> =
            self.instances.iter().filter(takes_part).map(|(id, _)| id.clone()).collect();
        clockwright_planner::sharding::descending(&mut ids);
        ids
    }

    /// Whether the instances of a server take part.
    pub fn server_enabled(&self, ip: &str) -> bool {
        self.layout.is_enabled(self.servers.get(ip).map(|server| &server.data[..]))
    }

    /// Whether an operator keeps the job off a server. One whose node is missing is kept off by nobody.
    #[must_use]
    pub fn is_kept_off(&self, ip: &str) -> bool {
        self.servers.get(ip).is_some_and(|server| !self.layout.is_enabled(Some(&server.data)))
    }

    /// The members of the job that a session stands for, with their addresses. A persistent node is what is left of a race between a
    /// Java console's trigger and an instance's end; nobody is behind it. Neither is anybody behind an empty one of 3.x.
    pub fn members(&self) -> impl Iterator<Item = (&InstanceId, &InstanceNode, String)> {
        self.instances
            .iter()
            .filter(|(_, node)| node.stat.owner != 0)
            .filter_map(|(id, node)| Some((id, node, self.layout.address(id, &node.data)?)))
    }

    /// The settings that the job's nodes say; `None` when it has no config. What its layout has no key for comes from `local`.
    pub fn settings(&self, local: Option<&JobSettings>) -> Option<Result<JobSettings, SettingsError>> {
        let (config, _) = self.config.as_ref()?;
        Some(self.layout.read(config, self.root.as_deref().unwrap_or_default(), local))
    }

    /// Whether an instance is asked to fire now.
    pub fn trigger(&self, id: &InstanceId) -> Option<TriggerNode> {
        match self.layout {
            Layout::V2 => {
                let InstanceNode { stat, data } = self.instances.get(id)?;
                (&data[..] == b"TRIGGER").then_some(TriggerNode {
                    at: stat.modified_at,
                    transaction: stat.modified,
                    version: stat.version,
                })
            }
            Layout::V3 => self.triggers.get(id).map(|stat| TriggerNode {
                at: stat.created_at,
                transaction: stat.created,
                version: stat.version,
            }),
        }
    }
}

fn put_name(names: &mut BTreeMap<String, i64>, name: &str, node: Option<&Node>) {
    match node {
        Some(node) => drop(names.insert(name.to_owned(), node.stat.owner)),
        None => drop(names.remove(name)),
    }
}

fn instance_of(data: &[u8]) -> InstanceId {
    InstanceId::from_wire(&String::from_utf8_lossy(data))
}

#[cfg(test)]
mod tests;
