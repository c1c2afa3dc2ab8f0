//! A simulated ZooKeeper: one linear log of transactions, sessions that end at the leader's time, replicas that lag.
//!
//! The leader's tree is the truth. A [`Replica`] is what one server has applied: any prefix of the log. Requests, answers,
//! delays and losses are the business of the world around it; here everything is instant and exact.

use clockwright_model::Millis;
use clockwright_registry::{Commit, Conflict, Error, Mode, Node, Op, OpResult, Path, Stat};
use std::collections::BTreeMap;

/// Nodes by path.
pub type Tree = BTreeMap<Path, Node>;

/// One node before and after a transaction.
pub struct Change {
    /// Where.
    pub path: Path,
    /// The node before; `None` when it was created.
    pub before: Option<Node>,
    /// The node after; `None` when it was deleted.
    pub after: Option<Node>,
}

/// One transaction that was carried out.
pub struct Txn {
    /// Its number, from 1 on without gaps.
    pub zxid: i64,
    /// The session that asked for it; 0 for operators.
    pub session: i64,
    /// What it changed, in order.
    pub changes: Vec<Change>,
}

struct SessionState {
    timeout: Millis,
    touched: Millis,
}

/// The quorum.
#[derive(Default)]
pub struct Leader {
    /// The truth.
    pub tree: Tree,
    /// All transactions, in order.
    pub log: Vec<Txn>,
    sessions: BTreeMap<i64, SessionState>,
    last_session: i64,
    counters: BTreeMap<Path, u32>,
}

/// How far one server is.
#[derive(Clone, Default)]
pub struct Replica {
    /// What it shows.
    pub tree: Tree,
    /// How many transactions of the log it has applied.
    pub applied: usize,
}

impl Replica {
    /// Applies the log up to and without `to`.
    pub fn advance(&mut self, log: &[Txn], to: usize) {
        while self.applied < to {
            for change in &log[self.applied].changes {
                match &change.after {
                    Some(node) => {
                        let mut node = node.clone();
                        if let Some(known) = self.tree.get(&change.path) {
                            // Its children are counted here, by what happened to them.
                            node.stat.children = known.stat.children;
                            node.stat.children_changed = known.stat.children_changed;
                        }
                        self.tree.insert(change.path.clone(), node);
                    }
                    None => drop(self.tree.remove(&change.path)),
                }
            }
            let txn = &log[self.applied];
            count_children(&mut self.tree, &txn.changes, txn.zxid);
            self.applied += 1;
        }
    }
}

/// Notes at parents which children came and went in a transaction.
fn count_children(tree: &mut Tree, changes: &[Change], zxid: i64) {
    for change in changes {
        let more = match (&change.before, &change.after) {
            (None, Some(_)) => 1_i32,
            (Some(_), None) => -1,
            _ => continue,
        };
        if let Some(parent) = change.path.parent().and_then(|parent| tree.get_mut(&parent)) {
            parent.stat.children = parent.stat.children.saturating_add_signed(more);
            parent.stat.children_changed = zxid;
        }
    }
}

/// The nodes at and below a path.
#[must_use]
pub fn subtree(tree: &Tree, root: &Path) -> Vec<(Path, Node)> {
    let below = format!("{root}/");
    let own = tree.get_key_value(root).into_iter();
    own.chain(strictly_below(tree, root, &below)).map(|(path, node)| (path.clone(), node.clone())).collect()
}

/// `below` is the root with a slash. Names like `a-b` sort between `a` and `a/b`.
fn strictly_below<'a>(
    tree: &'a Tree,
    root: &Path,
    below: &'a str,
) -> impl Iterator<Item = (&'a Path, &'a Node)> {
    tree.range((std::ops::Bound::Excluded(root.clone()), std::ops::Bound::Unbounded))
        .skip_while(move |(path, _)| path.as_str() < below)
        .take_while(move |(path, _)| path.as_str().starts_with(below))
}

impl Leader {
    /// Opens a session with this timeout (milliseconds) and returns its id.
    pub fn open_session(&mut self, timeout: Millis, now: Millis) -> i64 {
        // Ids that grow by more than one look like real ones, and cannot be mistaken for indexes.
        self.last_session += 0x1001;
        self.sessions.insert(self.last_session, SessionState { timeout, touched: now });
        self.last_session
    }

    /// True when the session is there; operators (0) always are.
    #[must_use]
    pub fn lives(&self, session: i64) -> bool {
        session == 0 || self.sessions.contains_key(&session)
    }

    /// Something was heard of a session.
    pub fn touch(&mut self, session: i64, now: Millis) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.touched = state.touched.max(now);
        }
    }

    /// What a new leader of the quorum does: every session gets its whole timeout again.
    pub fn touch_all(&mut self, now: Millis) {
        for state in self.sessions.values_mut() {
            state.touched = now;
        }
    }

    /// The sessions whose time is up.
    #[must_use]
    pub fn overdue(&self, now: Millis) -> Vec<i64> {
        let over = |state: &SessionState| now - state.touched > state.timeout;
        self.sessions.iter().filter(|(_, state)| over(state)).map(|(id, _)| *id).collect()
    }

    /// Grants a session this timeout (milliseconds) from now on; true when that is another one than before.
    pub fn grant(&mut self, session: i64, timeout: Millis) -> bool {
        let Some(state) = self.sessions.get_mut(&session) else { return false };
        std::mem::replace(&mut state.timeout, timeout) != timeout
    }

    /// Loses what came after the first `transactions`: the tree is as it was then, without what belonged to sessions, and there is
    /// no session any more. The log goes on, with one transaction that undoes the others, as clients see numbers go on whose base
    /// was raised.
    pub fn go_back_to(&mut self, transactions: usize) {
        let mut then = Replica::default();
        then.advance(&self.log, transactions);
        then.tree.retain(|_, node| node.stat.owner == 0);
        let now = std::mem::replace(&mut self.tree, then.tree.clone());
        let mut changes = Vec::new();
        for (path, before) in now.iter().rev() {
            if !then.tree.contains_key(path) {
                changes.push(Change { path: path.clone(), before: Some(before.clone()), after: None });
            }
        }
        for (path, after) in then.tree {
            let before = now.get(&path).cloned();
            changes.push(Change { path, before, after: Some(after) });
        }
        self.sessions.clear();
        self.log.push(Txn { zxid: self.log.len() as i64 + 1, session: 0, changes });
    }

    /// Ends a session: its ephemeral nodes go in one transaction.
    pub fn end_session(&mut self, session: i64) {
        if self.sessions.remove(&session).is_none() {
            return;
        }
        let gone: Vec<Path> = self
            .tree
            .iter()
            .filter(|(_, node)| node.stat.owner == session)
            .map(|(path, _)| path.clone())
            .collect();
        let mut changes = Vec::new();
        for path in gone {
            let before = self.tree.remove(&path);
            changes.push(Change { path, before, after: None });
        }
        let zxid = self.log.len() as i64 + 1;
        count_children(&mut self.tree, &changes, zxid);
        self.log.push(Txn { zxid, session, changes });
    }

    /// Carries out all operations or none. `wall` becomes the time of what is written.
    ///
    /// # Errors
    /// `SessionLost` when there is no such session, or the conflict of the first operation that has one.
    pub fn commit(&mut self, session: i64, ops: &[Op], wall: Millis) -> Result<Commit, Error> {
        if !self.lives(session) {
            return Err(Error::SessionLost);
        }
        let zxid = self.log.len() as i64 + 1;
        let mut changes = Vec::new();
        let mut results = Vec::with_capacity(ops.len());
        for (index, op) in ops.iter().enumerate() {
            match self.apply(session, op, zxid, wall, &mut changes) {
                Ok(result) => results.push(result),
                Err(conflict) => {
                    for change in changes.into_iter().rev() {
                        match change.before {
                            Some(node) => drop(self.tree.insert(change.path, node)),
                            None => drop(self.tree.remove(&change.path)),
                        }
                    }
                    return Err(Error::Conflict { index, path: op.path().clone(), conflict });
                }
            }
        }
        count_children(&mut self.tree, &changes, zxid);
        self.log.push(Txn { zxid, session, changes });
        Ok(Commit { transaction: zxid, results })
    }

    fn has_children(&self, path: &Path) -> bool {
        let below = format!("{path}/");
        strictly_below(&self.tree, path, &below).next().is_some()
    }

    fn found(&self, path: &Path, version: Option<i32>) -> Result<Node, Conflict> {
        let node = self.tree.get(path).ok_or(Conflict::Missing)?;
        if version.is_some_and(|version| version != node.stat.version) {
            return Err(Conflict::Version);
        }
        Ok(node.clone())
    }

    fn apply(
        &mut self,
        session: i64,
        op: &Op,
        zxid: i64,
        wall: Millis,
        changes: &mut Vec<Change>,
    ) -> Result<OpResult, Conflict> {
        match op {
            Op::Create { path, data, mode } => {
                let parent = path.parent().ok_or(Conflict::Exists)?;
                if parent != Path::root() {
                    let parent = self.tree.get(&parent).ok_or(Conflict::Missing)?;
                    if parent.stat.owner != 0 {
                        return Err(Conflict::EphemeralParent);
                    }
                }
                let path = if *mode == Mode::EphemeralSequential {
                    let counter = self.counters.entry(parent).or_default();
                    *counter += 1;
                    Path::new(&format!("{path}{:010}", *counter - 1)).expect("a sequential name")
                } else {
                    path.clone()
                };
                if self.tree.contains_key(&path) {
                    return Err(Conflict::Exists);
                }
                let owner = if *mode == Mode::Persistent { 0 } else { session };
                let stat = Stat {
                    version: 0,
                    created: zxid,
                    modified: zxid,
                    created_at: wall,
                    modified_at: wall,
                    owner,
                    children: 0,
                    children_changed: 0,
                };
                let node = Node { data: data.clone(), stat };
                self.tree.insert(path.clone(), node.clone());
                changes.push(Change { path: path.clone(), before: None, after: Some(node) });
                Ok(OpResult::Created(path))
            }
            Op::Set { path, data, version } => {
                let before = self.found(path, *version)?;
                let stat = Stat {
                    version: before.stat.version + 1,
                    modified: zxid,
                    modified_at: wall,
                    ..before.stat
                };
                let node = Node { data: data.clone(), stat };
                self.tree.insert(path.clone(), node.clone());
                changes.push(Change { path: path.clone(), before: Some(before), after: Some(node) });
                Ok(OpResult::Set { version: stat.version })
            }
            Op::Delete { path, version } => {
                let before = self.found(path, *version)?;
                if self.has_children(path) {
                    return Err(Conflict::HasChildren);
                }
                self.tree.remove(path);
                changes.push(Change { path: path.clone(), before: Some(before), after: None });
                Ok(OpResult::Deleted)
            }
            Op::Check { path, version } => {
                self.found(path, *version)?;
                Ok(OpResult::Checked)
            }
        }
    }
}
