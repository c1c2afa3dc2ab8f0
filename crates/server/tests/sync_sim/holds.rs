//! The same world for holds: operators who stop and start a job's hosts, somebody else who does so in the registry, two servers that lead one after the
//! other and look at the holds, sessions that lag behind, and answers that get lost.
//!
//! The steps are those of `ops::sweep` and `ops::hold`, each one instant; what they decide is decided by the code itself.

use clockwright_api::projects::Holds;
use clockwright_fleet::admin::Hold as Step;
use clockwright_fleet::keys::{Key as At, Keys};
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_fleet::{Layout, config};
use clockwright_model::{JobKind, JobName, JobSettings, Millis};
use clockwright_registry::{Error, Op, Path};
use clockwright_server::decide::hold::{
    Found, Hold, Key, Kind, Origin, Outside, outside, starts, stopped_by, stops,
};
use clockwright_testkit::sim::{Leader, Replica, Rng, Tree, World};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const FAULTS: Millis = 40_000;
const SETTLE: Millis = 120_000;
/// How long a look that has begun to stop something counts as under way.
const UNDER_WAY: Millis = 60_000;
const SERVERS: usize = 3;
const JOB: i64 = 1;
const HOSTS: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

/// A defect put back on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// What others start against a wish is taken over, though the project keeps its wishes.
    AdoptsEnables,
    /// A write of holds does not demand that `control` is as it was.
    NoFence,
    /// What a session shows is believed, however old it may be.
    BelievesTheSession,
    /// A look takes over what stands still although another one is in the middle of stopping something.
    TakesFromOthers,
}

enum Event {
    Operate,
    Edit,
    Chores(usize),
    Takeover,
    Go(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Read `control`, and write the term into it.
    Open,
    /// Read the wishes.
    Ask,
    /// Read the nodes.
    Look,
    /// Put on record what is to be done.
    Record,
    /// Write the next node.
    Write,
}

struct Process {
    id: u64,
    server: usize,
    /// The term of a look at all; none for an operation.
    term: Option<i64>,
    /// What an operation lifts.
    lift: Option<Vec<Key>>,
    stage: Stage,
    rounds: usize,
    control: i32,
    seq: i64,
    open: bool,
    holds: Vec<Hold>,
    outside: Outside,
    todo: VecDeque<Step>,
    stopped: BTreeSet<Key>,
}

pub struct Sim {
    world: World<Event>,
    registry: Leader,
    replicas: Vec<Replica>,
    keys: Keys,
    policy: Holds,
    defect: Option<Defect>,
    holds: Vec<Hold>,
    /// The journal's number.
    head: i64,
    /// Operations that are not over.
    open: usize,
    term: i64,
    terms: [Option<i64>; 2],
    leader: usize,
    processes: BTreeMap<u64, Process>,
    /// The keys that operators hold, as they were told.
    wished: BTreeSet<Key>,
    /// The nodes that somebody else wrote last. What a look stopped for a wish that went meanwhile counts as such once that look is cut off by a later
    /// term: then nobody can tell the two apart.
    foreign: BTreeSet<Path>,
    /// Looks that have begun to stop something, and when.
    under_way: BTreeMap<u64, Millis>,
    /// The greatest term that wrote a node of a hold.
    wrote: i64,
    violation: Option<String>,
    pub restored: u64,
    pub taken: u64,
}

pub struct Verdict {
    pub violation: Option<String>,
    pub trace: VecDeque<String>,
    pub restored: u64,
    pub taken: u64,
}

fn name() -> JobName {
    JobName::new("report").unwrap()
}

impl Sim {
    pub fn new(seed: u64, defect: Option<Defect>, trace: usize) -> Self {
        let mut world = World::new(Rng::new(seed), trace);
        let policy = world.rng.pick(&[Holds::Keep, Holds::Keep, Holds::Follow]);
        let keys = Keys::new("billing").unwrap();
        let mut settings = JobSettings::new(name(), JobKind::Simple, "0 0 1 * * ?", 2);
        settings.class = "com.example.Report".into();
        config::usable(&settings, &name()).unwrap();
        let mut registry = Leader::default();
        let mut make = |path: Path, data: String| {
            registry.commit(0, &[Op::create(path, data)], 0).unwrap();
        };
        for path in [keys.root().clone(), keys.own_root().clone(), keys.job(&name())] {
            make(path, String::new());
        }
        make(keys.control(), "0".into());
        make(keys.of(&name(), &At::Config), Layout::V2.write(&settings));
        for key in [At::Servers, At::Items, At::Item(0), At::Item(1)] {
            make(keys.of(&name(), &key), String::new());
        }
        for ip in HOSTS {
            make(keys.of(&name(), &At::Server(ip.into())), String::new());
        }
        let mut replica = Replica::default();
        replica.advance(&registry.log, registry.log.len());
        let mut sim = Self {
            registry,
            replicas: vec![replica; SERVERS],
            keys,
            policy,
            defect,
            holds: Vec::new(),
            head: 1,
            open: 0,
            term: 0,
            terms: [None; 2],
            leader: 1,
            processes: BTreeMap::new(),
            wished: BTreeSet::new(),
            foreign: BTreeSet::new(),
            under_way: BTreeMap::new(),
            wrote: 0,
            violation: None,
            restored: 0,
            taken: 0,
            world,
        };
        sim.world.at(0, Event::Takeover);
        for leader in 0..2 {
            sim.world.after(10 + leader as Millis, Event::Chores(leader));
        }
        sim.world.after(1_000, Event::Operate);
        sim.world.after(1_500, Event::Edit);
        sim
    }

    pub fn run(mut self) -> Verdict {
        while self.violation.is_none() {
            let Some(event) = self.world.take(FAULTS + SETTLE) else { break };
            match event {
                Event::Operate => self.operate(),
                Event::Edit => self.edit(),
                Event::Chores(leader) => self.chores(leader),
                Event::Takeover => self.takeover(),
                Event::Go(id) => self.go(id),
            }
        }
        self.end();
        Verdict {
            violation: self.violation,
            restored: self.restored,
            taken: self.taken,
            trace: self.world.into_trace(),
        }
    }

    fn has_faults(&self) -> bool {
        self.world.now < FAULTS
    }

    fn demand(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(words());
        }
    }

    fn found(&self, tree: &Tree) -> Found {
        let mut mirror = Mirror::default();
        for (path, node) in tree {
            if let Some((_, key)) = self.keys.parse(path) {
                mirror.put(&key, Some(node));
            }
        }
        Found::of(&mirror, &Leases::default())
    }

    /// An operator stops what goes, or starts what he stopped.
    fn operate(&mut self) {
        if !self.has_faults() {
            return;
        }
        let ip = self.world.rng.pick(&HOSTS);
        let item = self.world.rng.below(2) as u32;
        let key = match self.world.rng.below(4) {
            0 => Key::of_job(JOB, Kind::Pause, Origin::Operator),
            1 => Key::of_item(JOB, item),
            _ => Key::of_host(JOB, ip, Kind::Disable),
        };
        self.head += 1;
        self.open += 1;
        let stands = self.holds.iter().any(|hold| hold.key == key);
        let lift = if stands {
            self.holds.retain(|hold| hold.key != key);
            self.wished.remove(&key);
            vec![key.clone()]
        } else {
            self.holds.push(hold(key.clone(), Origin::Operator));
            self.wished.insert(key.clone());
            Vec::new()
        };
        self.world.note(|| format!("an operator {} {key:?}", if stands { "lifts" } else { "holds" }));
        self.begin(SERVERS - 1, None, Some(lift));
        let wait = self.world.rng.range(500, 6_000);
        self.world.after(wait, Event::Operate);
    }

    /// Somebody else writes a node.
    fn edit(&mut self) {
        if !self.has_faults() {
            return;
        }
        let ip = self.world.rng.pick(&HOSTS);
        let key = match self.world.rng.below(4) {
            0 => At::Paused,
            1 => At::Disabled(0),
            _ => At::Server(ip.to_owned()),
        };
        let path = self.keys.of(&name(), &key);
        let is_there = self.registry.tree.contains_key(&path);
        let stops = self.world.rng.chance(500);
        let op = match (&key, is_there, stops) {
            (At::Server(_), true, _) if self.world.rng.chance(200) => Op::delete(path.clone()),
            (At::Server(_), true, stops) => Op::set(path.clone(), if stops { "DISABLED" } else { "" }),
            (At::Server(_), false, stops) => Op::create(path.clone(), if stops { "DISABLED" } else { "" }),
            (_, true, _) => Op::delete(path.clone()),
            (_, false, _) => Op::create(path.clone(), "{}"),
        };
        self.world.note(|| format!("somebody writes {op:?}"));
        self.registry.commit(0, &[op], self.world.wall()).unwrap();
        self.foreign.insert(path);
        let wait = self.world.rng.range(100, 5_000);
        self.world.after(wait, Event::Edit);
    }

    fn takeover(&mut self) {
        self.leader = 1 - self.leader;
        self.term += 1;
        self.terms[self.leader] = Some(self.term);
        if self.has_faults() {
            let wait = self.world.rng.range(3_000, 15_000);
            self.world.after(wait, Event::Takeover);
        }
    }

    fn chores(&mut self, leader: usize) {
        let wait = self.world.rng.range(300, 2_000);
        self.world.after(wait, Event::Chores(leader));
        if let Some(term) = self.terms[leader] {
            self.begin(leader, Some(term), None);
        }
    }

    fn begin(&mut self, server: usize, term: Option<i64>, lift: Option<Vec<Key>>) {
        let id = self.world.number();
        let process = Process {
            id,
            server,
            term,
            lift,
            stage: Stage::Open,
            rounds: 0,
            control: 0,
            seq: 0,
            open: false,
            holds: Vec::new(),
            outside: Outside::default(),
            todo: VecDeque::new(),
            stopped: BTreeSet::new(),
        };
        self.processes.insert(id, process);
        self.send(id);
    }

    /// The next step takes its way; sometimes its server stands still before.
    fn send(&mut self, id: u64) {
        let mut latency = self.world.latency() * 5;
        if self.world.rng.chance(30) && self.has_faults() {
            latency += self.world.rng.range(1_000, 20_000);
        }
        self.world.after(latency, Event::Go(id));
    }

    fn go(&mut self, id: u64) {
        let Some(mut process) = self.processes.remove(&id) else { return };
        let next = match process.stage {
            Stage::Open => self.open(&mut process),
            Stage::Ask => self.ask(&mut process),
            Stage::Look => self.look(&mut process),
            Stage::Record => self.record(&mut process),
            Stage::Write => self.write(&mut process),
        };
        self.world.note(|| format!("{id} (server {}): {:?} to {next:?}", process.server, process.stage));
        match next {
            Some(stage) => {
                process.stage = stage;
                self.processes.insert(id, process);
                self.send(id);
            }
            None if process.lift.is_some() => {
                self.head += 1;
                self.open -= 1;
            }
            None => self.ended(&process),
        }
    }

    /// A look is over: that is on record, unless a later term has begun.
    fn ended(&mut self, process: &Process) {
        if process.term != Some(self.term) {
            let left: Vec<Path> = process.stopped.iter().map(|key| self.node_of(key)).collect();
            self.foreign.extend(left);
        } else if self.under_way.remove(&process.id).is_some() {
            self.head += 1;
        }
    }

    fn open(&mut self, process: &mut Process) -> Option<Stage> {
        self.catch_up(process.server, true);
        let node = &self.replicas[process.server].tree[&self.keys.control()];
        let found: i64 = std::str::from_utf8(&node.data).unwrap().parse().unwrap();
        process.control = node.stat.version;
        match process.term {
            Some(term) if term < found => {
                self.terms.iter_mut().filter(|mine| **mine == Some(term)).for_each(|mine| *mine = None);
                None
            }
            Some(term) if term > found => {
                let set = Op::set_if(self.keys.control(), term.to_string(), process.control);
                let _ = self.registry.commit(0, &[set], self.world.wall());
                self.catch_up(process.server, false);
                Some(Stage::Open)
            }
            _ => Some(Stage::Ask),
        }
    }

    fn ask(&mut self, process: &mut Process) -> Option<Stage> {
        process.seq = self.head;
        process.open = self.open > 0;
        process.holds.clone_from(&self.holds);
        Some(Stage::Look)
    }

    fn look(&mut self, process: &mut Process) -> Option<Stage> {
        let Some(lift) = process.lift.clone() else { return self.look_at_all(process) };
        // An operation is read back until there is nothing left to do.
        self.catch_up(process.server, false);
        let found = self.found(&self.replicas[process.server].tree);
        let lift: Vec<Key> = lift.into_iter().chain(process.stopped.iter().cloned()).collect();
        let mut steps = stops(&process.holds, &found);
        steps.extend(starts(&process.holds, &lift, &found));
        process.todo = steps.into();
        (!process.todo.is_empty()).then_some(Stage::Write)
    }

    fn look_at_all(&mut self, process: &mut Process) -> Option<Stage> {
        process.rounds += 1;
        if process.open || process.rounds > 5 {
            return None;
        }
        let policy = match self.defect {
            Some(Defect::AdoptsEnables) => Holds::Follow,
            _ => self.policy,
        };
        self.catch_up(process.server, true);
        let decide = |sim: &Self, holds: &[Hold]| {
            outside(policy, JOB, holds, &sim.found(&sim.replicas[process.server].tree))
        };
        let mut decided = decide(self, &process.holds);
        if decided != Outside::default() && self.defect != Some(Defect::BelievesTheSession) {
            // What is read after a commit is no older than it.
            self.catch_up(process.server, false);
            decided = decide(self, &process.holds);
        }
        let (mine, theirs): (Vec<Key>, Vec<Key>) =
            decided.taken.iter().cloned().partition(|key| process.stopped.contains(key));
        let found = self.found(&self.replicas[process.server].tree);
        process.todo = starts(&self.holds, &mine, &found).into();
        process.outside = Outside { taken: theirs, ..decided };
        if process.outside != Outside::default() {
            Some(Stage::Record)
        } else {
            (!process.todo.is_empty()).then_some(Stage::Write)
        }
    }

    fn record(&mut self, process: &mut Process) -> Option<Stage> {
        if process.term != Some(self.term) {
            return None;
        }
        if self.open > 0 || self.head != process.seq {
            return Some(Stage::Ask);
        }
        let others = self.under_way.iter().filter(|(id, _)| **id != process.id);
        let is_under_way = others.clone().any(|(_, at)| self.world.now - at < UNDER_WAY);
        if is_under_way && !process.outside.taken.is_empty() && self.defect != Some(Defect::TakesFromOthers) {
            return Some(Stage::Ask);
        }
        self.head += 1;
        let Outside { back, taken, lifted } = std::mem::take(&mut process.outside);
        if !back.is_empty() {
            self.under_way.insert(process.id, self.world.now);
        }
        let keeps = self.policy == Holds::Keep;
        for key in lifted {
            let is_wished = self.wished.remove(&key);
            self.demand(!(keeps && is_wished), || format!("I8: {key:?} is lifted by nobody who may"));
            self.holds.retain(|hold| hold.key != key);
        }
        for key in taken {
            let path = self.node_of(&key);
            let is_theirs = self.foreign.contains(&path);
            self.demand(is_theirs, || format!("I8: {key:?} is held, and nobody stopped it"));
            self.holds.push(hold(key, Origin::Outside));
            self.taken += 1;
        }
        self.restored += back.len() as u64;
        process.todo.extend(back);
        Some(if process.todo.is_empty() { Stage::Ask } else { Stage::Write })
    }

    fn node_of(&self, key: &Key) -> Path {
        let at = match (key.kind, key.target.parse()) {
            (Kind::Pause | Kind::Drain, _) => At::Paused,
            (Kind::Disable, Ok(item)) => At::Disabled(item),
            (Kind::Disable, Err(_)) => At::Server(key.target.clone()),
        };
        self.keys.of(&name(), &at)
    }

    fn write(&mut self, process: &mut Process) -> Option<Stage> {
        let Some(step) = process.todo.pop_front() else { return Some(Stage::Ask) };
        self.catch_up(process.server, true);
        let path = self.keys.of(&name(), &step.key());
        let there = self.replicas[process.server].tree.get(&path);
        let version = there.map(|node| node.stat.version);
        let delete = || version.map(|version| Op::Delete { path: path.clone(), version: Some(version) });
        let put = |data: &'static str| {
            if there.is_some_and(|node| node.data[..] == *data.as_bytes()) {
                return None;
            }
            Some(match version {
                Some(version) => Op::set_if(path.clone(), data, version),
                None => Op::create(path.clone(), data),
            })
        };
        let op = match &step {
            Step::Host { disabled: true, .. } => put("DISABLED"),
            Step::Host { .. } if there.is_none() => None,
            Step::Host { .. } => put(""),
            Step::Paused(None) | Step::Item { disabled: false, .. } => delete(),
            _ => put("{}"),
        };
        if step.stops() {
            process.stopped.insert(stopped_by(JOB, &step));
        }
        let Some(op) = op else { return Some(Stage::Write) };
        let mut ops = vec![Op::check_if(self.keys.control(), process.control), op];
        if self.defect == Some(Defect::NoFence) {
            ops.remove(0);
        }
        let is_lost = self.world.rng.chance(80) && self.has_faults();
        if is_lost && self.world.rng.chance(500) {
            process.todo.push_front(step);
            return Some(Stage::Write);
        }
        let answer = self.registry.commit(0, &ops, self.world.wall());
        self.catch_up(process.server, false);
        match answer {
            Ok(_) => {
                if process.term.is_none() || step.stops() {
                    self.foreign.remove(&path);
                }
                let (term, before) = (process.term.unwrap_or(self.wrote), self.wrote);
                self.demand(term >= before, || format!("I6: a write of term {term} after one of {before}"));
                self.wrote = self.wrote.max(term);
                if is_lost {
                    process.todo.push_front(step);
                }
                Some(Stage::Write)
            }
            // What was to be done is asked anew.
            Err(Error::Conflict { path, .. }) if path == self.keys.control() => Some(Stage::Open),
            Err(_) => {
                process.todo.push_front(step);
                Some(Stage::Write)
            }
        }
    }

    /// What the server's session shows next: the truth, or something between that and what it showed before.
    fn catch_up(&mut self, server: usize, may_lag: bool) {
        let (truth, seen) = (self.registry.log.len(), self.replicas[server].applied);
        let lags = may_lag && self.has_faults() && seen < truth && self.world.rng.chance(300);
        let to = if lags { self.world.rng.range(seen as i64, truth as i64 + 1) as usize } else { truth };
        self.replicas[server].advance(&self.registry.log, to);
    }

    /// All parts are back, and there was time.
    fn end(&mut self) {
        let found = self.found(&self.registry.tree);
        let left = outside(self.policy, JOB, &self.holds, &found);
        let open = self.open;
        self.demand(open == 0, || format!("I7: {open} operations are under way in the end"));
        self.demand(left == Outside::default(), || format!("I7: {left:?} is left in the end"));
        if self.policy == Holds::Keep {
            let stand: BTreeSet<Key> = self.holds.iter().map(|hold| hold.key.clone()).collect();
            let lost: Vec<Key> = self.wished.difference(&stand).cloned().collect();
            self.demand(lost.is_empty(), || format!("I8: {lost:?} do not stand in the end"));
        }
    }
}

fn hold(key: Key, origin: Origin) -> Hold {
    Hold { project: 1, key, origin, by: String::new(), by_name: String::new(), at: 0, reason: String::new() }
}
