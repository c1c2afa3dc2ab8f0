//! The tree itself: nodes, their numbers, and transactions that happen wholly or not at all. No IO, no clock, no lock.
//!
//! A transaction is applied in place, operation by operation, so that each sees the earlier ones; what it changes goes
//! into an undo list, which is played backwards when an operation's condition does not hold.
//!
//! Sequential names are numbered by the count of children ever created below the parent. The count is part of what is
//! saved whenever a sequential name was made from it; creations with plain names alone do not save it. A number that was
//! given out therefore never comes again while the parent lives, also after a restart.

use crate::{Conflict, Error, Mode, Node, Op, OpResult, Path, Stat};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};

/// All nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: HashMap<Path, Slot>,
    /// The ephemeral nodes of each session that has any, in order, so that a session's end is the same each time.
    ephemerals: HashMap<i64, BTreeSet<Path>>,
    /// Number of the latest transaction.
    transaction: i64,
}

/// One node, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Slot {
    data: Bytes,
    /// Its numbers; `children` is filled in when it is read.
    stat: Stat,
    /// How many children were ever created below it.
    sequence: u32,
    /// Full paths; they share the parent's path as a prefix, so their order is that of the names.
    children: BTreeSet<Path>,
    /// Transaction that last created or deleted a child.
    children_changed: i64,
}

/// What is saved of a persistent node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) data: Bytes,
    pub(super) stat: Stat,
    pub(super) sequence: u32,
}

/// What a transaction did.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) transaction: i64,
    pub(super) results: Vec<OpResult>,
    /// Nodes created, set or deleted, each once.
    pub(super) changed: Vec<Path>,
    /// Persistent nodes whose saved form changed; those that do not exist any more, too.
    pub(super) unsaved: Vec<Path>,
}

/// Something read, and the latest transaction that made it so.
pub(super) struct Seen<T> {
    pub(super) value: T,
    pub(super) since: i64,
}

/// How to take one change back.
enum Undo {
    Created { path: Path, parent_changed: i64 },
    Set { path: Path, data: Bytes, stat: Stat },
    Deleted { path: Path, slot: Slot, parent_changed: i64 },
}

impl Tree {
    /// A tree with nothing but the root, or with the saved nodes of an earlier one.
    pub(super) fn new(rows: Vec<(Path, Row)>, transaction: i64) -> Self {
        let mut nodes = HashMap::with_capacity(rows.len() + 1);
        nodes.insert(Path::root(), Slot::default());
        let paths: Vec<Path> = rows.iter().map(|(path, _)| path.clone()).collect();
        for (path, row) in rows {
            nodes.insert(
                path,
                Slot { data: row.data, stat: row.stat, sequence: row.sequence, ..Slot::default() },
            );
        }
        for path in paths {
            if let Some(parent) = path.parent().and_then(|parent| nodes.get_mut(&parent)) {
                parent.children.insert(path);
            }
        }
        for slot in nodes.values_mut() {
            slot.sequence = slot.sequence.max(u32::try_from(slot.children.len()).unwrap_or(u32::MAX));
        }
        Self { nodes, ephemerals: HashMap::new(), transaction }
    }

    /// Carries out all operations or none, for a session, at a time in epoch milliseconds.
    pub(super) fn apply(&mut self, session: i64, now: i64, ops: Vec<Op>) -> Result<Applied, Error> {
        let mut undo = Vec::with_capacity(ops.len());
        let mut results = Vec::with_capacity(ops.len());
        let mut sequences = Vec::new();
        let transaction = self.transaction + 1;
        for (index, op) in ops.into_iter().enumerate() {
            let path = op.path().clone();
            match self.apply_one(session, transaction, now, op, &mut undo, &mut sequences) {
                Ok(result) => results.push(result),
                Err(conflict) => {
                    self.take_back(undo);
                    return Err(Error::Conflict { index, path, conflict });
                }
            }
        }
        Ok(self.finish(transaction, results, undo, sequences))
    }

    /// Deletes a session's ephemeral nodes, as one transaction.
    pub(super) fn end_session(&mut self, session: i64) -> Applied {
        let mut undo = Vec::new();
        let transaction = self.transaction + 1;
        for path in self.ephemerals.get(&session).cloned().unwrap_or_default() {
            self.remove(path, transaction, &mut undo);
        }
        self.finish(transaction, Vec::new(), undo, Vec::new())
    }

    /// A node, or that there is none.
    pub(super) fn get(&self, path: &Path) -> Seen<Option<Node>> {
        match self.nodes.get(path) {
            Some(slot) => {
                Seen { since: slot.stat.modified.max(slot.children_changed), value: Some(slot.node()) }
            }
            None => Seen { since: self.absent_since(path), value: None },
        }
    }

    /// The full paths of a node's children, in order.
    pub(super) fn children(&self, path: &Path) -> Seen<Vec<Path>> {
        match self.nodes.get(path) {
            Some(slot) => {
                Seen { since: slot.children_changed, value: slot.children.iter().cloned().collect() }
            }
            None => Seen { since: self.absent_since(path), value: Vec::new() },
        }
    }

    /// What is to be saved of a node; `None` when there is no persistent node.
    pub(super) fn row(&self, path: &Path) -> Option<Row> {
        let slot = self.nodes.get(path).filter(|slot| slot.stat.owner == 0)?;
        Some(Row { data: slot.data.clone(), stat: slot.stat, sequence: slot.sequence })
    }

    /// What is to be saved of all persistent nodes.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Path, Row)> {
        // A root that nobody has set is there by itself.
        let known =
            self.nodes.iter().filter(|(path, slot)| slot.stat.modified != 0 || path.parent().is_some());
        known.filter_map(|(path, _)| Some((path.clone(), self.row(path)?)))
    }

    /// Number of the latest transaction.
    pub(super) fn transaction(&self) -> i64 {
        self.transaction
    }

    fn apply_one(
        &mut self,
        session: i64,
        transaction: i64,
        now: i64,
        op: Op,
        undo: &mut Vec<Undo>,
        sequences: &mut Vec<Path>,
    ) -> Result<OpResult, Conflict> {
        match op {
            Op::Create { path, data, mode } => {
                // The root always exists, so every other path has a parent.
                let parent = path.parent().ok_or(Conflict::Exists)?;
                let above = self.nodes.get(&parent).ok_or(Conflict::Missing)?;
                if above.stat.owner != 0 {
                    return Err(Conflict::EphemeralParent);
                }
                let path = match mode {
                    Mode::EphemeralSequential => {
                        sequences.push(parent.clone());
                        parent.join(&format!("{}{:010}", path.name(), above.sequence))
                    }
                    Mode::Persistent | Mode::Ephemeral => path,
                };
                if self.nodes.contains_key(&path) {
                    return Err(Conflict::Exists);
                }
                let owner = if mode == Mode::Persistent { 0 } else { session };
                let stat = Stat {
                    created: transaction,
                    modified: transaction,
                    created_at: now,
                    modified_at: now,
                    owner,
                    ..Stat::default()
                };
                self.insert(&path, &parent, Slot { data, stat, ..Slot::default() }, transaction, undo);
                Ok(OpResult::Created(path))
            }
            Op::Set { path, data, version } => {
                let slot = self.nodes.get_mut(&path).ok_or(Conflict::Missing)?;
                check_version(slot, version)?;
                let old = slot.stat;
                slot.stat.version = old.version.wrapping_add(1);
                slot.stat.modified = transaction;
                slot.stat.modified_at = now;
                let version = slot.stat.version;
                let data = std::mem::replace(&mut slot.data, data);
                undo.push(Undo::Set { path, data, stat: old });
                Ok(OpResult::Set { version })
            }
            Op::Delete { path, version } => {
                let slot = self.nodes.get(&path).ok_or(Conflict::Missing)?;
                check_version(slot, version)?;
                if !slot.children.is_empty() {
                    return Err(Conflict::HasChildren);
                }
                self.remove(path, transaction, undo);
                Ok(OpResult::Deleted)
            }
            Op::Check { path, version } => {
                check_version(self.nodes.get(&path).ok_or(Conflict::Missing)?, version)?;
                Ok(OpResult::Checked)
            }
        }
    }

    fn insert(&mut self, path: &Path, parent: &Path, slot: Slot, transaction: i64, undo: &mut Vec<Undo>) {
        let above = self.nodes.get_mut(parent).expect("the caller has seen the parent");
        let parent_changed = std::mem::replace(&mut above.children_changed, transaction);
        above.children.insert(path.clone());
        above.sequence = above.sequence.wrapping_add(1);
        if slot.stat.owner != 0 {
            self.ephemerals.entry(slot.stat.owner).or_default().insert(path.clone());
        }
        self.nodes.insert(path.clone(), slot);
        undo.push(Undo::Created { path: path.clone(), parent_changed });
    }

    fn remove(&mut self, path: Path, transaction: i64, undo: &mut Vec<Undo>) {
        let slot = self.detach(&path).expect("the caller has seen the node");
        let above = self.parent_of(&path);
        above.children.remove(&path);
        let parent_changed = std::mem::replace(&mut above.children_changed, transaction);
        undo.push(Undo::Deleted { path, slot, parent_changed });
    }

    /// Takes a node out of the map and out of its session's list; its parent still names it.
    fn detach(&mut self, path: &Path) -> Option<Slot> {
        let slot = self.nodes.remove(path)?;
        if let Some(paths) = self.ephemerals.get_mut(&slot.stat.owner) {
            paths.remove(path);
            if paths.is_empty() {
                self.ephemerals.remove(&slot.stat.owner);
            }
        }
        Some(slot)
    }

    fn parent_of(&mut self, path: &Path) -> &mut Slot {
        let parent = path.parent().expect("only the root has no parent, and it is never created or deleted");
        self.nodes.get_mut(&parent).expect("a node that exists has a parent that exists")
    }

    fn take_back(&mut self, undo: Vec<Undo>) {
        for change in undo.into_iter().rev() {
            match change {
                Undo::Created { path, parent_changed } => {
                    self.detach(&path);
                    let above = self.parent_of(&path);
                    above.children.remove(&path);
                    above.sequence = above.sequence.wrapping_sub(1);
                    above.children_changed = parent_changed;
                }
                Undo::Set { path, data, stat } => {
                    let slot =
                        self.nodes.get_mut(&path).expect("later changes of this node were taken back before");
                    slot.data = data;
                    slot.stat = stat;
                }
                Undo::Deleted { path, slot, parent_changed } => {
                    let above = self.parent_of(&path);
                    above.children.insert(path.clone());
                    above.children_changed = parent_changed;
                    if slot.stat.owner != 0 {
                        self.ephemerals.entry(slot.stat.owner).or_default().insert(path.clone());
                    }
                    self.nodes.insert(path, slot);
                }
            }
        }
    }

    fn finish(
        &mut self,
        transaction: i64,
        results: Vec<OpResult>,
        undo: Vec<Undo>,
        sequences: Vec<Path>,
    ) -> Applied {
        self.transaction = transaction;
        let mut unsaved = sequences;
        let mut changed = Vec::with_capacity(undo.len());
        for change in undo {
            let (path, owner) = match change {
                Undo::Created { path, .. } => {
                    // When it is gone again, its deletion is in the list too.
                    let owner = self.nodes.get(&path).map_or(0, |slot| slot.stat.owner);
                    (path, owner)
                }
                Undo::Set { path, stat, .. } => (path, stat.owner),
                Undo::Deleted { path, slot, .. } => (path, slot.stat.owner),
            };
            if owner == 0 {
                unsaved.push(path.clone());
            }
            changed.push(path);
        }
        changed.sort_unstable();
        changed.dedup();
        Applied { transaction, results, changed, unsaved }
    }

    /// A node can be absent only since the last change among the children of its nearest ancestor that exists.
    fn absent_since(&self, path: &Path) -> i64 {
        let mut above = path.parent();
        while let Some(path) = above {
            if let Some(slot) = self.nodes.get(&path) {
                return slot.children_changed;
            }
            above = path.parent();
        }
        0
    }
}

impl Slot {
    fn node(&self) -> Node {
        let children = u32::try_from(self.children.len()).unwrap_or(u32::MAX);
        let stat = Stat { children, children_changed: self.children_changed, ..self.stat };
        Node { data: self.data.clone(), stat }
    }
}

fn check_version(slot: &Slot, version: Option<i32>) -> Result<(), Conflict> {
    match version {
        Some(version) if version != slot.stat.version => Err(Conflict::Version),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn any_op() -> impl Strategy<Value = Op> {
        let names = prop::sample::select(vec!["/", "/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z"]);
        let mode = prop::sample::select(vec![
            Mode::Persistent,
            Mode::Persistent,
            Mode::Ephemeral,
            Mode::EphemeralSequential,
        ]);
        let version = prop::option::weighted(0.2, 0..3_i32);
        (names, mode, version, 0..8_u8, any::<u8>()).prop_map(|(name, mode, version, kind, data)| {
            let (path, data) = (Path::new(name).unwrap(), vec![data].into());
            match kind {
                0..4 => Op::Create { path, data, mode },
                4..6 => Op::Set { path, data, version },
                // The root is never deleted: callers are refused before.
                6 if name != "/" => Op::Delete { path, version },
                _ => Op::Check { path, version },
            }
        })
    }

    /// A transaction of one of two sessions, or the end of one.
    fn any_transaction() -> impl Strategy<Value = (i64, Option<Vec<Op>>)> {
        (1..3_i64, prop::option::weighted(0.9, prop::collection::vec(any_op(), 1..5)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_transaction_that_fails_leaves_no_trace_and_what_is_to_be_saved_is_all_that_persists(
            transactions in prop::collection::vec(any_transaction(), 1..30),
        ) {
            let mut tree = Tree::new(Vec::new(), 0);
            let mut saved: HashMap<Path, Row> = HashMap::new();
            // The next number below each node that gave one out.
            let mut numbers: HashMap<Path, u32> = HashMap::new();
            for (session, ops) in transactions {
                let before = tree.clone();
                let applied = match ops {
                    Some(ops) => tree.apply(session, 5, ops.clone()).map(|applied| (applied, ops)),
                    None => Ok((tree.end_session(session), Vec::new())),
                };
                let Ok((applied, ops)) = applied else {
                    prop_assert_eq!(&tree, &before);
                    continue;
                };
                prop_assert_eq!(applied.transaction, before.transaction + 1);
                for path in applied.unsaved {
                    match tree.row(&path) {
                        Some(row) => saved.insert(path, row),
                        None => saved.remove(&path),
                    };
                }
                for op in ops {
                    if let Op::Create { path, mode: Mode::EphemeralSequential, .. } = op {
                        let parent = path.parent().unwrap();
                        numbers.insert(parent.clone(), tree.nodes.get(&parent).map_or(0, |slot| slot.sequence));
                    }
                }
                numbers.retain(|path, _| saved.get(path).is_some_and(|row| row.stat.created < applied.transaction));
                let again = Tree::new(saved.clone().into_iter().collect(), applied.transaction);
                for (path, slot) in tree.nodes.iter().filter(|(_, slot)| slot.stat.owner == 0) {
                    let found = &again.nodes[path];
                    if *path != Path::root() || saved.contains_key(path) {
                        prop_assert_eq!((&found.data, found.stat), (&slot.data, slot.stat));
                    }
                    prop_assert!(found.sequence >= numbers.get(path).copied().unwrap_or(0).min(slot.sequence));
                    let persistent = slot.children.iter().filter(|child| tree.nodes[*child].stat.owner == 0);
                    prop_assert!(found.children.iter().eq(persistent));
                }
                let persistent = tree.nodes.values().filter(|slot| slot.stat.owner == 0).count();
                prop_assert_eq!(again.nodes.len(), persistent);
            }
            tree.end_session(1);
            tree.end_session(2);
            prop_assert!(tree.ephemerals.is_empty());
        }
    }
}
