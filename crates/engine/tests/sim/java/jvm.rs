//! What the threads of one Java process share, and the line on which a thread asks the world for something and waits for it.

use bytes::Bytes;
use clockwright_fleet::keys::Keys;
use clockwright_model::{InstanceId, Item, JobName, JobSettings, Millis};
use clockwright_planner::Schedule;
use clockwright_registry::{Commit, Error, Node, Op, Path};
use clockwright_testkit::sim::{Replica, Tree, Txn};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

/// What a thread waits for.
pub enum Call {
    Commit(Vec<Op>),
    Get(Path),
    Children(Path),
    /// The cache is filled; from now on changes are heard.
    Watch,
    Sleep(Millis),
    /// The job's code runs for these items, of this instant of the cron if it is one.
    Run {
        items: Vec<Item>,
        instant: Option<Millis>,
    },
    /// Everything was left.
    Left,
}

/// What came of it. Without a connection Java's own code goes on as if nothing were there.
pub enum Answer {
    Committed(Result<Commit, Error>),
    Node(Option<Node>),
    Names(Vec<String>),
    GoOn,
}

/// Between a thread and the world.
#[derive(Default)]
pub struct Line {
    call: Cell<Option<Call>>,
    answer: Cell<Option<Answer>>,
}

impl Line {
    /// Asks, and waits for the answer.
    pub async fn ask(&self, call: Call) -> Answer {
        self.call.set(Some(call));
        poll_fn(|_| self.answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// What the thread waits for.
    pub fn taken(&self) -> Option<Call> {
        self.call.take()
    }

    pub fn answer(&self, answer: Answer) {
        self.answer.set(Some(answer));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Updated,
    Removed,
}

/// What the cache tells its listeners.
pub struct Change {
    pub path: Path,
    pub kind: Kind,
    /// What the node says; of one that is gone, what it said last.
    pub data: Bytes,
}

/// One process.
pub struct Jvm {
    pub keys: Keys,
    pub job: JobName,
    pub local: JobSettings,
    pub id: InstanceId,
    /// The calendar when the process was last at work, epoch milliseconds.
    pub now: Cell<Millis>,
    /// The tree as the cache has it.
    pub cache: RefCell<Replica>,
    /// Changes that wait for the listeners' thread.
    pub changes: RefCell<VecDeque<Change>>,
    /// How many firings were asked for besides the cron's.
    pub triggers: Cell<u32>,
    pub schedule: RefCell<Option<Schedule>>,
    pub cron: RefCell<String>,
    pub count: Cell<Item>,
    /// The cron's next instant.
    pub next: Cell<Option<Millis>>,
    /// It has fired before.
    pub fired: Cell<bool>,
    /// The job's code runs.
    pub runs: Cell<bool>,
    /// The connection is not there: nothing fires.
    pub suspended: Cell<bool>,
    /// The instance serves no more.
    pub shut: Cell<bool>,
    /// The process ends once the worker is through.
    pub leaving: Cell<bool>,
    /// The worker is through.
    pub idle: Cell<bool>,
    places: Cell<u32>,
    /// Tells processes apart.
    process: u64,
}

impl Jvm {
    pub fn new(keys: Keys, local: JobSettings, id: InstanceId, process: u64) -> Self {
        Self {
            keys,
            job: local.name.clone(),
            count: Cell::new(local.sharding_total_count),
            local,
            id,
            now: Cell::new(0),
            cache: RefCell::default(),
            changes: RefCell::default(),
            triggers: Cell::new(0),
            schedule: RefCell::default(),
            cron: RefCell::default(),
            next: Cell::new(None),
            fired: Cell::new(false),
            runs: Cell::new(false),
            suspended: Cell::new(false),
            shut: Cell::new(false),
            leaving: Cell::new(false),
            idle: Cell::new(false),
            places: Cell::new(0),
            process,
        }
    }

    /// What the name of a new place in a queue begins with.
    pub fn latch_prefix(&self) -> String {
        let place = self.places.get();
        self.places.set(place + 1);
        format!("_c_{:08x}-0000-4000-8000-{place:012x}-latch-", self.process)
    }

    /// The cache takes in the log up to this place, one transaction after the other.
    pub fn hears(&self, log: &[Txn], to: usize) {
        let mut cache = self.cache.borrow_mut();
        while cache.applied < to {
            for change in &log[cache.applied].changes {
                let (kind, node) = match (&change.before, &change.after) {
                    (None, Some(node)) => (Kind::Added, node),
                    (Some(_), Some(node)) => (Kind::Updated, node),
                    (Some(node), None) => (Kind::Removed, node),
                    (None, None) => continue,
                };
                self.tell(&change.path, kind, node);
            }
            let next = cache.applied + 1;
            cache.advance(log, next);
        }
    }

    fn tell(&self, path: &Path, kind: Kind, node: &Node) {
        if self.keys.parse(path).is_some_and(|(job, _)| job == self.job.as_str()) {
            let change = Change { path: path.clone(), kind, data: node.data.clone() };
            self.changes.borrow_mut().push_back(change);
        }
    }

    /// The cache is read anew, and tells its listeners how it differs.
    pub fn sees(&self, tree: &Tree, applied: usize) {
        let mut cache = self.cache.borrow_mut();
        for (path, node) in cache.tree.iter().filter(|(path, _)| !tree.contains_key(*path)) {
            self.tell(path, Kind::Removed, node);
        }
        for (path, node) in tree {
            match cache.tree.get(path) {
                None => self.tell(path, Kind::Added, node),
                Some(known) if known.stat.created != node.stat.created => {
                    self.tell(path, Kind::Removed, known);
                    self.tell(path, Kind::Added, node);
                }
                Some(known) if known.stat.modified != node.stat.modified => {
                    self.tell(path, Kind::Updated, node);
                }
                Some(_) => {}
            }
        }
        *cache = Replica { tree: tree.clone(), applied };
    }
}
