//! The engine's brain: a state machine without IO.
//!
//! ```text
//!   hints, answers, commit results, run ends, session changes, time
//!                               │ Input
//!                               ▼
//!        step: take it in, mark jobs dirty       settle: for each dirty job decide what is missing
//!                               │ Effect
//!                               ▼
//!   reads, commits, run starts and stops, records
//! ```
//!
//! # How it decides
//! By level, not by edge. [`Core::settle`] looks at what is believed ([`mirror`]) and at what this process is doing, and
//! proposes the next commit for whatever differs from what should be: a missing registration, a missing leader, a plan that
//! does not fit its members, an orphaned item, a due instant, an outcome that is not written yet. Losing a hint delays a
//! decision until the next hint or the next full reading; it never changes one. The edge-triggered flags of Elastic-Job
//! (`necessary`, `processing`) are written and honoured for its instances' sake, but nothing here depends on seeing them change.
//!
//! # Time
//! [`Now::wall`] is the calendar: which instants are due. [`Now::mono`] is `CLOCK_BOOTTIME`: leases, waits and backoff. The two
//! are never mixed, so that setting the clock neither ends nor prolongs a lease.

mod claim;
mod coordinate;
mod failover;
mod firing;
mod job;
mod lease;
mod marks;
pub(crate) mod mirror;
mod mixed;
mod outcome;
mod records;
#[cfg(test)]
mod tests;
mod trigger;

pub use job::JobStatus;

use crate::keys::{Key, Keys};
use crate::layout::Layout;
use clockwright_model::{Event, InstanceId, JobName, JobSettings, Millis, ShardContext};
use clockwright_registry::{Commit, Error, Hint, Node, Op, Path};
use clockwright_runtime::{RunEnd, StopReason};
use job::Job;
use lease::Lease;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

/// What the clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Calendar time.
    pub wall: Millis,
    /// Milliseconds of a clock that only goes forward and counts suspended time too.
    pub mono: Millis,
}

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A new session is there, its lease node was written with a request sent at `lease_sent` (mono), and hints flow.
    Connected {
        /// The session's id.
        session: i64,
        /// Its negotiated timeout, milliseconds.
        timeout: Millis,
        /// When the request that wrote the lease was sent (mono).
        lease_sent: Millis,
        /// The layout of the namespace's jobs, if it has any.
        layout: Option<Layout>,
    },
    /// The session is over.
    SessionLost,
    /// Something may have changed.
    Hint(Hint),
    /// The answer to [`Effect::Read`].
    Nodes {
        /// Its id.
        id: u64,
        /// What was read, or why nothing was.
        nodes: Result<Vec<(Path, Option<Node>)>, Error>,
        /// What was asked for.
        paths: Vec<Path>,
    },
    /// The answer to [`Effect::Tree`].
    Tree {
        /// Its id.
        id: u64,
        /// The root that was asked for.
        root: Path,
        /// What was read, or why nothing was.
        nodes: Result<Vec<(Path, Node)>, Error>,
    },
    /// The answer to [`Effect::Commit`].
    Committed {
        /// Its id.
        id: u64,
        /// What became of it.
        result: Result<Commit, Error>,
    },
    /// The answer to [`Effect::Renew`].
    Renewed {
        /// When the request was sent (mono).
        sent: Millis,
        /// What became of it.
        result: Result<(), Error>,
    },
    /// A run ended; nothing of it is left.
    RunEnded {
        /// Its number.
        run: u64,
        /// How.
        end: RunEnd,
    },
    /// Read this job anew, whatever the hints say; job 0 stands for the leases too.
    Refresh(usize),
    /// Finish what runs, start nothing more, and leave.
    Shutdown,
    /// Runs that still go on are to be stopped.
    ShutdownNow,
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Read these nodes.
    Read {
        /// Comes back with the answer.
        id: u64,
        /// Which nodes.
        paths: Vec<Path>,
    },
    /// Read a subtree.
    Tree {
        /// Comes back with the answer.
        id: u64,
        /// Its root.
        root: Path,
    },
    /// Carry out these operations, all or none; they may share a transaction with others.
    Commit {
        /// Comes back with the answer.
        id: u64,
        /// What to do.
        ops: Vec<Op>,
    },
    /// Write the lease node, apart from other commits.
    Renew,
    /// The lease now reaches until this (mono); exclusive runs must be gone by then.
    LeaseUntil(Millis),
    /// Start the runs of one firing.
    Start(Box<Firing>),
    /// Stop a run.
    Stop {
        /// Its number.
        run: u64,
        /// Why.
        reason: StopReason,
    },
    /// Streams of this job should, or need not, come to an end by themselves.
    WindDown {
        /// The job's index.
        job: usize,
        /// True: they should.
        on: bool,
    },
    /// Put this on record.
    Record(Event),
    /// Tell the operator.
    Tell(Notice),
    /// Everything has ended and was left; the session can be closed.
    Left,
}

/// The runs of one firing, to be started together.
#[derive(Debug)]
pub struct Firing {
    /// The job's index.
    pub job: usize,
    /// The runs.
    pub runs: Vec<RunStart>,
    /// True when the runs must be gone before the lease ends.
    pub strict: bool,
    /// Longest time of each, milliseconds.
    pub timeout: Option<Millis>,
}

/// One run to start.
#[derive(Debug)]
pub struct RunStart {
    /// Its number in this engine.
    pub run: u64,
    /// What its code is told.
    pub context: ShardContext,
}

/// Something an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The job it is about.
    pub job: Option<JobName>,
    /// True when somebody should look.
    pub warning: bool,
    /// In words.
    pub text: String,
}

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct CoreOptions {
    /// The namespace's paths.
    pub keys: Keys,
    /// Who this is.
    pub instance: InstanceId,
    /// The host's name, for records.
    pub hostname: String,
    /// Seed of run ids and latch names.
    pub seed: u64,
    /// An instant that is at most this late counts as on time, milliseconds.
    pub tolerance: Millis,
    /// The layout that a job without a config gets; `None`: that of the namespace's other jobs.
    pub layout: Option<Layout>,
    /// Defects put back on purpose, to prove that the simulation finds them.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

/// A defect of a peer, put back on purpose. Numbers are those of the project's list of Elastic-Job defects.
#[doc(hidden)]
#[allow(missing_docs, reason = "each name says what it breaks")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    NonLeaderWaitsForever,      // E1
    NewLeaderTrustsOldPlan,     // E2
    StaleRunningBlocksReshard,  // E3
    FailedItemStaysRunning,     // E4
    LatchNeverReleased,         // E5
    HintsAreTrusted,            // E6
    ReconnectIsShutdown,        // E7
    ReconnectClearsRunning,     // E8
    UnknownIsIgnored,           // E9: what became of a write is not asked
    ClaimIgnoresPlan,           // E10
    NoFireIdentity,             // E11
    FailoverNeedsOwnerAlive,    // E12
    FailoverOfFinishedWork,     // E13
    MisfireRunsTwice,           // E16
    MisfireForgottenOnTakeover, // E17
    LeaseFromNow,               // lease = answer + T instead of request + 2T/3
    CompletionIgnoresToken,     // a stale owner's completion counts
}

/// One engine's state.
pub struct Core {
    pub(crate) options: CoreOptions,
    pub(crate) keys: Keys,
    pub(crate) me: InstanceId,
    session: Option<Terms>,
    pub(crate) jobs: Vec<Job>,
    by_name: HashMap<JobName, usize>,
    /// Sessions of the processes that hold a lease.
    leases: BTreeMap<InstanceId, i64>,
    /// The layout of the namespace's jobs when the session began.
    others: Option<Layout>,
    lease: Lease,
    /// Grows with every effect that gets an answer and with every answer that changes the mirror.
    sequence: u64,
    commits: HashMap<u64, Pending>,
    runs: HashMap<u64, (usize, u32)>,
    firings: HashMap<u64, records::OpenFiring>,
    pub(crate) hostname: Arc<str>,
    pub(crate) ip: Arc<str>,
    wall_timers: Timers,
    mono_timers: Timers,
    dirty: Vec<usize>,
    /// Full readings of jobs under way, and the jobs that wait for theirs.
    loads: usize,
    waiting_loads: VecDeque<usize>,
    /// How many jobs wait for somebody else's runs.
    watching_jobs: usize,
    random: u64,
    leaving: bool,
    left: bool,
    out: Vec<Effect>,
}

/// Full readings of jobs under way at once: enough to keep a registry busy.
const LOADS_AT_ONCE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    session: i64,
    timeout: Millis,
}

/// Jobs by when they want to be looked at again. An entry may be outdated; looking at a job too early does no harm.
type Timers = BinaryHeap<Reverse<(Millis, u32)>>;

/// What an in-flight commit is for.
struct Pending {
    job: usize,
    purpose: Purpose,
}

/// See [`Pending`].
enum Purpose {
    /// One of the job's coordination steps; a conflict leads to a fresh reading of the whole job.
    Coordinate(coordinate::Step),
    /// Claims of items.
    Claim(Vec<claim::ItemClaim>),
    /// Outcomes of items.
    Complete(Vec<u32>),
    /// A cursor moved on without a run.
    Settle(Vec<claim::ItemClaim>),
    /// A misfire mark.
    Mark(u32),
}

impl Core {
    /// An engine that will run these jobs. Their indexes are their positions.
    #[must_use]
    pub fn new(options: CoreOptions, jobs: Vec<JobSettings>) -> Self {
        let jobs: Vec<Job> = jobs.into_iter().map(Job::new).collect();
        let by_name = jobs.iter().enumerate().map(|(index, job)| (job.name.clone(), index)).collect();
        Self {
            keys: options.keys.clone(),
            me: options.instance.clone(),
            random: options.seed ^ 0x9e37_79b9_7f4a_7c15,
            hostname: options.hostname.as_str().into(),
            ip: options.instance.ip().into(),
            options,
            session: None,
            jobs,
            by_name,
            leases: BTreeMap::new(),
            others: None,
            lease: Lease::default(),
            sequence: 0,
            commits: HashMap::new(),
            runs: HashMap::new(),
            firings: HashMap::new(),
            wall_timers: Timers::new(),
            mono_timers: Timers::new(),
            dirty: Vec::new(),
            loads: 0,
            waiting_loads: VecDeque::new(),
            watching_jobs: 0,
            leaving: false,
            left: false,
            out: Vec::new(),
        }
    }

    /// Takes in what happened. Call [`settle`](Self::settle) when no more inputs are at hand.
    pub fn step(&mut self, input: Input, now: Now) {
        match input {
            Input::Connected { session, timeout, lease_sent, layout } => {
                self.connected(session, timeout, lease_sent, layout);
            }
            Input::SessionLost => self.session_lost(),
            Input::Hint(hint) => self.hint(hint),
            Input::Nodes { id, nodes, paths } => self.nodes(id, nodes, &paths),
            Input::Tree { id, root, nodes } => self.tree(id, &root, nodes, now),
            Input::Committed { id, result } => self.committed(id, result, now),
            Input::Renewed { sent, result } => self.renewed(sent, &result, now),
            Input::RunEnded { run, end } => self.run_ended(run, end, now),
            Input::Refresh(index) => self.refresh(index),
            Input::Shutdown => self.shutdown(),
            Input::ShutdownNow => self.shutdown_now(),
        }
    }

    /// Decides for all that changed or whose time has come, and returns what is to be done, in order.
    pub fn settle(&mut self, now: Now) -> Vec<Effect> {
        self.keep_lease(now);
        while self.wall_timers.peek().is_some_and(|entry| entry.0.0 <= now.wall) {
            let Some(Reverse((_, job))) = self.wall_timers.pop() else { break };
            self.jobs[job as usize].armed_wall = None;
            self.touch(job as usize);
        }
        while self.mono_timers.peek().is_some_and(|entry| entry.0.0 <= now.mono) {
            let Some(Reverse((_, job))) = self.mono_timers.pop() else { break };
            self.jobs[job as usize].armed_mono = None;
            self.touch(job as usize);
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            self.jobs[index].dirty = false;
            self.decide(index, now);
            self.count_watches(index);
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        self.leave_if_done();
        std::mem::take(&mut self.out)
    }

    /// When [`settle`](Self::settle) wants to be called again at the latest, in milliseconds from `now`.
    #[must_use]
    pub fn next_wake(&self, now: Now) -> Millis {
        let mut wait = self.lease.next_wake().map_or(30_000, |at| at - now.mono);
        if !self.dirty.is_empty() {
            return 0;
        }
        if let Some(Reverse((at, _))) = self.wall_timers.peek() {
            wait = wait.min(at - now.wall);
        }
        if let Some(Reverse((at, _))) = self.mono_timers.peek() {
            wait = wait.min(at - now.mono);
        }
        wait.clamp(0, 30_000)
    }

    /// Whether hints about `running` marks and cursors matter now. They change with every run, and matter only while somebody
    /// else's run is waited for; a shell need not pass them on otherwise. It must ask after each [`settle`](Self::settle) and
    /// before it carries out the effects: the reading that begins a wait is among them.
    #[must_use]
    pub fn wants_run_hints(&self) -> bool {
        self.watching_jobs > 0
    }

    fn count_watches(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        let watches = job.items.iter().any(|item| item.watching);
        if watches != job.watches {
            job.watches = watches;
            self.watching_jobs = if watches { self.watching_jobs + 1 } else { self.watching_jobs - 1 };
        }
    }

    /// True once a shutdown has come to its end.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left
    }

    fn connected(&mut self, session: i64, timeout: Millis, lease_sent: Millis, found: Option<Layout>) {
        self.session = Some(Terms { session, timeout });
        self.leases.clear();
        self.loads = 0;
        self.waiting_loads.clear();
        self.lease.start(lease_sent, timeout);
        self.out.push(Effect::LeaseUntil(self.lease.until()));
        self.load_leases();
        self.others = found;
        let layout = self.options.layout.or(found).unwrap_or_default();
        for index in 0..self.jobs.len() {
            if self.jobs[index].effective.is_none() {
                self.jobs[index].mirror.layout = layout;
            }
            self.jobs[index].session_changed();
            self.load(index);
        }
    }

    fn session_lost(&mut self) {
        if self.session.take().is_none() {
            return;
        }
        self.commits.clear();
        self.lease.end();
        for index in 0..self.jobs.len() {
            self.jobs[index].session_changed();
            if self.mutated(Mutation::ReconnectIsShutdown) {
                self.jobs[index].phase = job::Phase::ShutDown;
            }
            self.stop_strict_runs(index);
        }
        self.tell(
            None,
            true,
            "the registry session is over; exclusive runs were stopped, connecting again".into(),
        );
        if self.leaving {
            for index in 0..self.jobs.len() {
                self.touch(index);
            }
        }
    }

    fn hint(&mut self, hint: Hint) {
        let path = match hint {
            Hint::Everything if self.mutated(Mutation::HintsAreTrusted) => return,
            Hint::Everything => {
                if self.mutated(Mutation::ReconnectClearsRunning) {
                    (0..self.jobs.len()).for_each(|index| self.forget_runs(index));
                }
                self.load_leases();
                for index in 0..self.jobs.len() {
                    self.load(index);
                }
                return;
            }
            Hint::Path(path) => path,
        };
        if let Some((job, key)) = self.keys.parse(&path) {
            let Some(&index) = self.by_name.get(job) else { return };
            if self.jobs[index].wants(&key) {
                self.read(vec![path]);
            }
        } else if path.below(&self.keys.leases()).is_some_and(|name| !name.is_empty()) {
            self.read_lease(path);
        }
    }

    /// A hint about this process's own lease is its own renewal; only the others' coming and going matters, which shows in
    /// whether the node exists. A renewal of a lease that is known needs no reading.
    fn read_lease(&mut self, path: Path) {
        if path.name() != self.me.as_str() {
            self.read(vec![path]);
        }
    }

    fn nodes(&mut self, id: u64, nodes: Result<Vec<(Path, Option<Node>)>, Error>, paths: &[Path]) {
        let Ok(nodes) = nodes else {
            for path in paths {
                if let Some(&index) = self.keys.parse(path).and_then(|(job, _)| self.by_name.get(job)) {
                    self.jobs[index].plan_reading =
                        self.jobs[index].plan_reading.filter(|reading| *reading != id);
                    self.jobs[index].plans.not_read(id);
                    self.jobs[index].foreign.retain(|_, foreign| *foreign);
                    self.load(index);
                }
            }
            return;
        };
        if let [lease, instance] = &nodes[..]
            && lease.0.below(&self.keys.leases()).is_some()
        {
            self.know_foreign_peer(lease, instance);
        }
        self.plan_was_read(id, &nodes);
        self.numbers_were_read(id, &nodes);
        for (path, node) in nodes {
            if let Some((job, key)) = self.keys.parse(&path) {
                let Some(&index) = self.by_name.get(job) else { continue };
                if self.jobs[index].put(id, &key, node.as_ref()) {
                    if key == Key::CurrentTime {
                        self.check_clock(index);
                    }
                    self.touch(index);
                } else {
                    self.read(vec![path]);
                }
            } else if path.below(&self.keys.leases()).is_some() {
                self.put_lease(&path, node.as_ref());
            }
        }
    }

    /// Notes which plan the owners of this answer belong to.
    fn plan_was_read(&mut self, id: u64, nodes: &[(Path, Option<Node>)]) {
        let Some((path, epoch)) = nodes.first() else { return };
        let Some((job, Key::Epoch)) = self.keys.parse(path) else { return };
        let Some(&index) = self.by_name.get(job) else { return };
        let job = &mut self.jobs[index];
        if job.plan_reading != Some(id) {
            return;
        }
        job.plan_reading = None;
        // An own plan that was written meanwhile is newer than this answer, and known.
        if id >= job.touched {
            job.epoch = epoch.as_ref().map(|node| node.stat.version);
            job.plan_read = id;
        }
        self.touch(index);
    }

    fn tree(&mut self, id: u64, root: &Path, nodes: Result<Vec<(Path, Node)>, Error>, now: Now) {
        if *root == self.keys.leases() {
            if let Ok(nodes) = nodes {
                let present: Vec<_> = nodes.iter().map(|(path, _)| path.name().to_owned()).collect();
                let gone: Vec<_> = self
                    .leases
                    .keys()
                    .filter(|id| !present.iter().any(|p| p == id.as_str()))
                    .cloned()
                    .collect();
                for instance in gone {
                    self.put_lease(&self.keys.lease(&instance), None);
                }
                for (path, node) in &nodes {
                    if path != root {
                        self.put_lease(path, Some(node));
                    }
                }
            }
            return;
        }
        let Some((job, key)) = self.keys.parse(root) else { return };
        let Some(&index) = self.by_name.get(job) else { return };
        let keys = self.keys.clone();
        let job = &mut self.jobs[index];
        if job.loading == Some(id) {
            self.loads -= 1;
        }
        let taken_in = match nodes {
            Err(_) => {
                job.load_failed(id, now);
                true
            }
            Ok(nodes) => {
                let parsed = nodes.iter().filter_map(|(path, node)| Some((keys.parse(path)?.1, node)));
                job.loaded(id, &key, parsed)
            }
        };
        if taken_in {
            self.touch(index);
        } else {
            self.load(index);
        }
        self.start_loads();
    }

    fn put_lease(&mut self, path: &Path, node: Option<&Node>) {
        let instance = InstanceId::from_wire(path.name());
        let session = node.map(|node| node.stat.owner);
        if self.leases.get(&instance).copied() == session {
            return;
        }
        match session {
            Some(session) => drop(self.leases.insert(instance, session)),
            None => drop(self.leases.remove(&instance)),
        }
        for index in 0..self.jobs.len() {
            self.touch(index);
        }
    }

    /// Whether this incarnation of a process still holds its lease, as far as is known.
    pub(crate) fn alive(&self, owner: &InstanceId, session: i64) -> bool {
        self.leases.get(owner) == Some(&session)
    }

    /// Whether a job has instances that hold no lease: Java peers.
    pub(crate) fn has_foreign_peers(&self, index: usize) -> bool {
        let job = &self.jobs[index];
        let foreign = |created| job.foreign.get(created).is_some_and(|foreign| *foreign);
        job.mirror
            .instances
            .iter()
            .any(|(id, node)| !self.leases.contains_key(id) && foreign(&node.stat.created))
    }

    /// Takes in an answer to the question whether an instance is of another kind: its lease, then its instance node.
    fn know_foreign_peer(&mut self, lease: &(Path, Option<Node>), instance: &(Path, Option<Node>)) {
        let (None, Some(node)) = (&lease.1, &instance.1) else { return };
        let Some((job, Key::Instance(id))) = self.keys.parse(&instance.0) else { return };
        let Some(&index) = self.by_name.get(job) else { return };
        if let Some(foreign) = self.jobs[index].foreign.get_mut(&node.stat.created) {
            *foreign = true;
            self.jobs[index].plans.know_java(id);
        }
    }

    fn refresh(&mut self, index: usize) {
        if self.session.is_none() || index >= self.jobs.len() {
            return;
        }
        if index == 0 {
            self.load_leases();
        }
        self.load(index);
    }

    fn load_leases(&mut self) {
        let id = self.next();
        self.out.push(Effect::Tree { id, root: self.keys.leases() });
    }

    fn shutdown(&mut self) {
        self.leaving = true;
        for index in 0..self.jobs.len() {
            self.touch(index);
        }
    }

    fn shutdown_now(&mut self) {
        self.leaving = true;
        let mut runs: Vec<u64> = self.runs.keys().copied().collect();
        runs.sort_unstable();
        for run in runs {
            self.out.push(Effect::Stop { run, reason: StopReason::Shutdown });
        }
        self.shutdown();
    }

    fn leave_if_done(&mut self) {
        if !self.leaving || self.left {
            return;
        }
        let offline = self.session.is_none();
        if self.jobs.iter().all(|job| job.is_done(offline)) {
            self.left = true;
            self.out.push(Effect::Left);
        }
    }

    /// Marks a job for the next [`settle`](Self::settle).
    pub(crate) fn touch(&mut self, index: usize) {
        if !self.jobs[index].dirty {
            self.jobs[index].dirty = true;
            self.dirty.push(index);
        }
    }

    /// Asks for a fresh reading of a whole job, once. With thousands of jobs it waits for its turn, and it does so here: an
    /// answer is as old as its question, and one that was asked long before it is read would be too old to be taken in.
    pub(crate) fn load(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        if self.session.is_none() || job.load_waits {
            return;
        }
        if job.loading.is_some() {
            job.reload = true;
            return;
        }
        job.load_waits = true;
        self.waiting_loads.push_back(index);
        self.start_loads();
    }

    fn start_loads(&mut self) {
        while self.loads < LOADS_AT_ONCE
            && let Some(index) = self.waiting_loads.pop_front()
        {
            self.loads += 1;
            let id = self.next();
            let job = &mut self.jobs[index];
            job.load_waits = false;
            job.loading = Some(id);
            let root = self.keys.job(&job.name);
            self.out.push(Effect::Tree { id, root });
        }
    }

    pub(crate) fn read(&mut self, paths: Vec<Path>) {
        if self.session.is_some() && !paths.is_empty() {
            let id = self.next();
            self.out.push(Effect::Read { id, paths });
        }
    }

    pub(crate) fn path(&self, index: usize, key: &Key) -> Path {
        self.keys.of(&self.jobs[index].name, key)
    }

    fn commit(&mut self, job: usize, purpose: Purpose, ops: Vec<Op>) -> u64 {
        let id = self.next();
        self.commits.insert(id, Pending { job, purpose });
        self.out.push(Effect::Commit { id, ops });
        id
    }

    fn committed(&mut self, id: u64, result: Result<Commit, Error>, now: Now) {
        let Some(Pending { job, purpose }) = self.commits.remove(&id) else { return };
        self.touch(job);
        match purpose {
            Purpose::Coordinate(step) => self.coordinated(job, step, result, now),
            Purpose::Claim(claims) => self.claimed(job, claims, result, now),
            Purpose::Complete(items) => self.completed(job, &items, result, now),
            Purpose::Settle(claims) => self.settled(job, claims, result, now),
            Purpose::Mark(item) => self.marked(job, item, result),
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Looks at the job again at this calendar time.
    pub(crate) fn wake_at_wall(&mut self, index: usize, at: Millis) {
        let armed = &mut self.jobs[index].armed_wall;
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.wall_timers.push(Reverse((at, index as u32)));
        }
    }

    /// Looks at the job again at this monotonic time.
    pub(crate) fn wake_at_mono(&mut self, index: usize, at: Millis) {
        let armed = &mut self.jobs[index].armed_mono;
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.mono_timers.push(Reverse((at, index as u32)));
        }
    }

    pub(crate) fn tell(&mut self, job: Option<usize>, warning: bool, text: String) {
        let job = job.map(|index| self.jobs[index].name.clone());
        self.out.push(Effect::Tell(Notice { job, warning, text }));
    }

    /// The next 128 pseudo-random bits (splitmix64): ids must be unique, not secret, and a seed must replay.
    pub(crate) fn random(&mut self) -> u128 {
        let mut half = || {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        u128::from(half()) << 64 | u128::from(half())
    }

    /// Whether a defect is put back; never outside the simulation's own build.
    #[cfg(feature = "mutations")]
    pub(crate) fn mutated(&self, mutation: Mutation) -> bool {
        self.options.mutation == Some(mutation)
    }

    /// Whether a defect is put back; never outside the simulation's own build.
    #[cfg(not(feature = "mutations"))]
    #[allow(clippy::unused_self, reason = "the simulation's build has a state to ask")]
    pub(crate) const fn mutated(&self, _: Mutation) -> bool {
        false
    }
}
