//! Group commit: many callers' groups of operations travel in shared transactions.
//!
//! A caller submits a *group*, which is all or nothing by itself and knows nothing of its fellow travellers.
//!
//! # Protocol
//! One task owns everything. While fewer transactions than allowed are on their way, waiting groups leave at once; while
//! the pipe is full they gather, and leave together in one transaction of at most [`TARGET_OPS`] operations and
//! [`TARGET_BYTES`] bytes, less where the backend's [`Terms`] ask for less. So a lone group pays no delay, and a crowd
//! shares. A group larger than the target travels alone; one larger than the terms is refused.
//!
//! **Conflict.** The transaction did nothing. The group whose operation is named gets the conflict, with the operation's
//! index within the group. The others leave again at once, in their order. From the second conflict among the same groups
//! on, what remains is also halved, so that many conflicts among many groups cost few rounds.
//!
//! **Refused or denied.** The transaction did nothing, and the answer names no group: it is halved until the group that
//! cannot be carried out stands alone. Any other error is every group's: *unknown* for each when it is unknown.
//!
//! **Order.** Groups that touch the same node take effect in the order in which they were submitted. Transactions of one
//! session take effect in order, but the remains of one with a conflict leave again behind later ones. So two groups that
//! touch the same node are never on their way in two transactions: the later one waits, and so does every group behind it
//! that touches what it touches, while groups in between go on. *Touching* means: creating, setting and deleting write a
//! node; creating and deleting read its parent (which must exist, and must not be deleted below them); checking reads.
//! Readers share, so any number of transactions may check the same node. A sequential creation writes its prefix: numbers
//! of one prefix grow in the order of submission. The halves of a transaction travel at the same time only when neither
//! touches what the other writes; otherwise the second one waits for the first.
//!
//! **End.** When the batcher is dropped, what was submitted still travels, and every group gets its result.

use crate::{Commit, Error, Op, SharedRegistry, Terms};
use futures::stream::{FuturesUnordered, StreamExt as _};
use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::mpsc;

/// Most operations that groups share one transaction for.
const TARGET_OPS: usize = 500;
/// Most bytes that groups share one transaction for.
const TARGET_BYTES: usize = 256 * 1024;
/// How many groups are held back before no more are looked at: what bounds the cost when many wait for one node.
const WINDOW: usize = 4_096;

/// Shares transactions among groups.
pub struct Batcher {
    groups: mpsc::UnboundedSender<Group>,
    terms: Terms,
}

type Done = Box<dyn FnOnce(Result<Commit, Error>) + Send>;

struct Group {
    ops: Vec<Op>,
    weight: usize,
    touches: Vec<Touch>,
    done: Done,
}

/// One node that a group depends on.
struct Touch {
    node: Place,
    writes: bool,
}

/// Stands for a node's path: two nodes that have the same one by chance wait for each other without need.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place(u64);

impl Place {
    fn of(path: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A [`Place`] is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Known = BuildHasherDefault<Hashed>;

impl Batcher {
    /// A batcher that keeps at most `in_flight` transactions (at least 1) on their way at once. It starts a task, so it must
    /// be called within a tokio runtime; when that runtime ends, groups on their way are dropped with their `done`.
    #[must_use]
    pub fn new(registry: SharedRegistry, in_flight: usize) -> Self {
        let terms = registry.terms();
        let (groups, receiver) = mpsc::unbounded_channel();
        let worker = Worker {
            registry,
            room: in_flight.max(1),
            target: (TARGET_OPS.min(terms.max_ops), TARGET_BYTES.min(terms.max_bytes)),
            waiting: VecDeque::new(),
            parked: VecDeque::new(),
            ahead: Holds::default(),
            again: VecDeque::new(),
            held: Holds::default(),
        };
        tokio::spawn(worker.run(receiver));
        Self { groups, terms }
    }

    /// Queues a group. The result comes to `done`, which runs in the batcher's task, must not block, and must not panic: a
    /// panic is caught and logged. The [`Commit`] has the number of the shared transaction and the results of this
    /// group's operations alone; the index of a conflict is that within the group.
    pub fn submit(&self, ops: Vec<Op>, done: impl FnOnce(Result<Commit, Error>) + Send + 'static) {
        let group = Group::new(ops, Box::new(done));
        let Terms { max_ops, max_bytes, .. } = self.terms;
        let (count, weight) = (group.ops.len(), group.weight);
        if count == 0 {
            group.finish(Err(Error::Refused("a group without operations".to_owned())));
        } else if count > max_ops || weight > max_bytes {
            group.finish(Err(Error::Refused(format!(
                "a group of {count} operations and {weight} bytes; the registry takes at most {max_ops} operations and \
                 {max_bytes} bytes at once"
            ))));
        } else if let Err(mpsc::error::SendError(group)) = self.groups.send(group) {
            group.finish(Err(Error::Unavailable("the batcher has ended".to_owned())));
        }
    }
}

/// Groups that travel as one transaction, and parts that follow it because they touch what it touches.
struct Flight {
    groups: Vec<Group>,
    then: VecDeque<Vec<Group>>,
    /// How often these groups have met a conflict.
    conflicts: u32,
}

struct Worker {
    registry: SharedRegistry,
    /// How many more transactions may be on their way.
    room: usize,
    /// Operations and bytes to fill a transaction with.
    target: (usize, usize),
    waiting: VecDeque<Group>,
    /// Groups that wait for others on their way, until the next one arrives. They are older than all in `waiting`.
    parked: VecDeque<Group>,
    /// What parked groups touch: whoever touches it too stays behind them.
    ahead: Holds,
    /// Flights to start again. Their groups are in `held` already.
    again: VecDeque<Flight>,
    held: Holds,
}

impl Worker {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Group>) {
        let mut flying = FuturesUnordered::new();
        let mut open = true;
        loop {
            for _ in 0..WINDOW {
                let Ok(group) = receiver.try_recv() else { break };
                self.waiting.push_back(group);
            }
            while let Some(flight) = self.next_flight() {
                let ops = flight.groups.iter().flat_map(|group| group.ops.iter().cloned()).collect();
                let commit = self.registry.commit(ops);
                flying.push(async move { (flight, commit.await) });
            }
            if !open && flying.is_empty() {
                break;
            }
            tokio::select! {
                Some((flight, answer)) = flying.next() => self.landed(flight, answer),
                group = receiver.recv(), if open => match group {
                    Some(group) => self.waiting.push_back(group),
                    None => open = false,
                },
            }
        }
        debug_assert!(self.waiting.is_empty(), "with nothing on its way nothing can be held back");
    }

    fn next_flight(&mut self) -> Option<Flight> {
        self.room.checked_sub(1)?;
        let flight = match self.again.pop_front() {
            Some(flight) => flight,
            None => {
                let groups = self.board();
                if groups.is_empty() {
                    return None;
                }
                for group in &groups {
                    self.held.add(group);
                }
                Flight { groups, then: VecDeque::new(), conflicts: 0 }
            }
        };
        self.room -= 1;
        Some(flight)
    }

    /// Takes the groups of the next transaction out of the waiting ones.
    fn board(&mut self) -> Vec<Group> {
        let mut boarded = Vec::new();
        let (mut ops, mut bytes) = (0, 0);
        while self.parked.len() < WINDOW
            && let Some(group) = self.waiting.pop_front()
        {
            if self.held.blocks(&group) || self.ahead.blocks(&group) {
                self.ahead.add(&group);
                self.parked.push_back(group);
                continue;
            }
            ops += group.ops.len();
            bytes += group.weight;
            if !boarded.is_empty() && (ops > self.target.0 || bytes > self.target.1) {
                self.waiting.push_front(group);
                break;
            }
            boarded.push(group);
        }
        boarded
    }

    fn landed(&mut self, flight: Flight, answer: Result<Commit, Error>) {
        self.room += 1;
        // What the parked groups wait for may have arrived: look at them again, in their place before all others.
        while let Some(group) = self.parked.pop_back() {
            self.waiting.push_front(group);
        }
        self.ahead = Holds::default();
        let Flight { mut groups, then, mut conflicts } = flight;
        match answer {
            Ok(commit) => {
                self.arrived(groups, commit);
                self.relaunch(Vec::new(), then, conflicts);
            }
            Err(Error::Conflict { index, path, conflict }) => {
                if let Some((position, index)) = locate(&groups, index) {
                    let group = groups.remove(position);
                    self.held.remove(&group);
                    group.finish(Err(Error::Conflict { index, path, conflict }));
                    conflicts += 1;
                    let parts = if conflicts > 1 { halve(groups) } else { vec![groups] };
                    self.relaunch(parts, then, conflicts);
                } else {
                    // An index of no operation names nobody: find the group as for a refusal.
                    self.divide(groups, then, conflicts, Error::Conflict { index, path, conflict });
                }
            }
            Err(error @ (Error::Refused(_) | Error::Denied(_))) => {
                self.divide(groups, then, conflicts, error);
            }
            Err(error) => {
                self.fail(groups, &error);
                self.relaunch(Vec::new(), then, conflicts);
            }
        }
    }

    /// Nothing happened, for a reason that lies in one of the groups.
    fn divide(&mut self, groups: Vec<Group>, then: VecDeque<Vec<Group>>, conflicts: u32, error: Error) {
        if groups.len() > 1 {
            self.relaunch(halve(groups), then, conflicts);
        } else {
            self.fail(groups, &error);
            self.relaunch(Vec::new(), then, conflicts);
        }
    }

    /// Puts parts in front of what has to follow them, and starts them as soon as there is room: independent parts each
    /// for itself, others in their order.
    fn relaunch(&mut self, parts: Vec<Vec<Group>>, then: VecDeque<Vec<Group>>, conflicts: u32) {
        let mut parts: VecDeque<Vec<Group>> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if then.is_empty() && parts.len() == 2 && independent(&parts[0], &parts[1]) {
            for groups in parts {
                self.again.push_back(Flight { groups, then: VecDeque::new(), conflicts });
            }
            return;
        }
        parts.extend(then);
        if let Some(groups) = parts.pop_front() {
            self.again.push_back(Flight { groups, then: parts, conflicts });
        }
    }

    fn arrived(&mut self, groups: Vec<Group>, commit: Commit) {
        let expected: usize = groups.iter().map(|group| group.ops.len()).sum();
        if commit.results.len() != expected {
            let why = format!("the registry gave {} results for {expected} operations", commit.results.len());
            return self.fail(groups, &Error::Unknown(why));
        }
        let mut results = commit.results.into_iter();
        for group in groups {
            self.held.remove(&group);
            let results = results.by_ref().take(group.ops.len()).collect();
            group.finish(Ok(Commit { transaction: commit.transaction, results }));
        }
    }

    fn fail(&mut self, groups: Vec<Group>, error: &Error) {
        for group in groups {
            self.held.remove(&group);
            group.finish(Err(error.clone()));
        }
    }
}

impl Group {
    fn new(ops: Vec<Op>, done: Done) -> Self {
        let weight = ops.iter().map(Op::weight).sum();
        let mut touches = Vec::with_capacity(2 * ops.len());
        for op in &ops {
            let writes = !matches!(op, Op::Check { .. });
            touches.push(Touch { node: Place::of(op.path().as_str()), writes });
            if let Op::Create { path, .. } | Op::Delete { path, .. } = op
                && let Some(parent) = path.parent_text()
            {
                touches.push(Touch { node: Place::of(parent), writes: false });
            }
        }
        Self { ops, weight, touches, done }
    }

    fn finish(self, result: Result<Commit, Error>) {
        let done = self.done;
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a receiver of a commit's result panicked; the other groups are not concerned");
        }
    }
}

/// Which nodes are touched, and how often.
#[derive(Default)]
struct Holds {
    nodes: HashMap<Place, Hold, Known>,
}

#[derive(Default, PartialEq, Eq)]
struct Hold {
    readers: u32,
    writers: u32,
}

impl Holds {
    fn blocks(&self, group: &Group) -> bool {
        !self.nodes.is_empty()
            && group
                .touches
                .iter()
                .any(|touch| self.nodes.get(&touch.node).is_some_and(|hold| touch.writes || hold.writers > 0))
    }

    fn add(&mut self, group: &Group) {
        for touch in &group.touches {
            let hold = self.nodes.entry(touch.node).or_default();
            *hold.side(touch) += 1;
        }
    }

    fn remove(&mut self, group: &Group) {
        for touch in &group.touches {
            let Entry::Occupied(mut hold) = self.nodes.entry(touch.node) else { continue };
            *hold.get_mut().side(touch) -= 1;
            if *hold.get() == Hold::default() {
                hold.remove();
            }
        }
    }
}

impl Hold {
    fn side(&mut self, touch: &Touch) -> &mut u32 {
        if touch.writes { &mut self.writers } else { &mut self.readers }
    }
}

/// The group of an operation, and the operation's index within it.
fn locate(groups: &[Group], mut index: usize) -> Option<(usize, usize)> {
    for (position, group) in groups.iter().enumerate() {
        match index.checked_sub(group.ops.len()) {
            None => return Some((position, index)),
            Some(rest) => index = rest,
        }
    }
    None
}

fn halve(mut groups: Vec<Group>) -> Vec<Vec<Group>> {
    let second = groups.split_off(groups.len() / 2);
    vec![groups, second]
}

/// True when neither part touches what the other one writes.
fn independent(one: &[Group], other: &[Group]) -> bool {
    let written: HashSet<Place, Known> = writes(one).collect();
    let written_by_other: HashSet<Place, Known> = writes(other).collect();
    touched(one).all(|node| !written_by_other.contains(&node))
        && touched(other).all(|node| !written.contains(&node))
}

fn writes(groups: &[Group]) -> impl Iterator<Item = Place> {
    groups.iter().flat_map(|group| &group.touches).filter(|touch| touch.writes).map(|touch| touch.node)
}

fn touched(groups: &[Group]) -> impl Iterator<Item = Place> {
    groups.iter().flat_map(|group| &group.touches).map(|touch| touch.node)
}

#[cfg(test)]
#[path = "batcher_tests.rs"]
mod tests;
