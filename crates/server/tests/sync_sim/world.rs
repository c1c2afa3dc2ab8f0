//! Servers, an editor and the network between them and the registry.

use super::check::Check;
use super::database::{Database, cron, name, settings};
use bytes::Bytes;
use clockwright_api::projects::Outside;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{JobName, Millis};
use clockwright_registry::{Error, Op, Path};
use clockwright_server::decide::group::{Committed, Frame, Group, Looked, Mutation, News, Step, Stop, Word};
use clockwright_server::decide::sync::Access;
use clockwright_server::sync::control;
use clockwright_testkit::sim::{Leader, Replica, Rng, World};
use std::collections::{BTreeMap, VecDeque};

/// How long there are faults, and how long things may take to settle then.
const FAULTS: Millis = 40_000;
/// A fight is left alone for half an hour at most.
const SETTLE: Millis = 40 * 60_000;
const JOBS: i64 = 2;
const SERVERS: usize = 3;

enum Event {
    /// Somebody saves a job at a server.
    Save(usize),
    /// Somebody edits the registry.
    Edit,
    /// A server that believes to lead looks at all jobs, or at what is due.
    Chores(usize),
    /// The other server that may lead begins a term.
    Takeover,
    /// A group's step is carried out.
    Step(u64),
    /// What came of it is told.
    Tell(u64, News),
    /// A commit whose answer was lost is carried out after all.
    Late(usize),
}

struct Process {
    group: Group,
    step: Option<Step>,
    server: usize,
    frame: Frame,
}

/// What came of a history.
pub struct Verdict {
    pub violation: Option<String>,
    pub trace: VecDeque<String>,
    pub hash: u64,
    pub commits: u64,
    pub repairs: u64,
    pub adoptions: u64,
}

pub struct Sim {
    world: World<Event>,
    registry: Leader,
    database: Database,
    check: Check,
    keys: Keys,
    /// What each server's session has seen.
    replicas: Vec<Replica>,
    /// Commits on their way although their answers are lost, of each server.
    late: Vec<VecDeque<(Vec<Op>, Option<i64>)>>,
    processes: BTreeMap<u64, Process>,
    /// The terms that the two servers believe in.
    terms: [Option<i64>; 2],
    leader: usize,
    mutation: Option<Mutation>,
    commits: u64,
    adoptions: u64,
    repairs: u64,
}

impl Sim {
    pub fn new(seed: u64, mutation: Option<Mutation>, trace: usize) -> Self {
        let mut world = World::new(Rng::new(seed), trace);
        let outside = world.rng.pick(&[Outside::Repair, Outside::Repair, Outside::Report, Outside::Adopt]);
        let keys = Keys::new("billing").unwrap();
        let mut registry = Leader::default();
        let stranger = keys.job(&JobName::new("stranger").unwrap());
        for path in [keys.root().clone(), keys.own_root().clone(), stranger.clone(), stranger.join("config")]
        {
            registry.commit(0, &[Op::create(path, "")], 0).unwrap();
        }
        let mut sim = Self {
            registry,
            database: Database::new(outside),
            check: Check::default(),
            keys,
            replicas: vec![Replica::default(); SERVERS],
            late: (0..SERVERS).map(|_| VecDeque::new()).collect(),
            processes: BTreeMap::new(),
            terms: [None; 2],
            leader: 0,
            mutation,
            commits: 0,
            adoptions: 0,
            repairs: 0,
            world,
        };
        for job in 1..=JOBS {
            let number = sim.world.number();
            sim.database.save(job, &cron(number), 0);
        }
        sim.world.at(0, Event::Takeover);
        for server in 0..SERVERS {
            let wait = sim.world.rng.range(1, 8_000);
            sim.world.after(wait, Event::Save(server));
        }
        for leader in 0..2 {
            sim.world.after(10 + leader as Millis, Event::Chores(leader));
        }
        sim.world.after(2_000, Event::Edit);
        sim
    }

    pub fn run(mut self) -> Verdict {
        while self.check.violation.is_none() {
            let Some(event) = self.world.take(FAULTS + SETTLE) else { break };
            self.step(event);
        }
        if self.check.violation.is_none() {
            self.check.end(&self.keys, &self.registry.tree, &self.database);
        }
        Verdict {
            violation: self.check.violation,
            hash: self.world.hash(),
            commits: self.commits,
            repairs: self.repairs,
            adoptions: self.adoptions,
            trace: self.world.into_trace(),
        }
    }

    fn has_faults(&self) -> bool {
        self.world.now < FAULTS
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        // The number is taken in any case, so that a history is the same up to the end of the faults.
        self.world.rng.chance(per_mille) && self.has_faults()
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Save(server) => self.save(server),
            Event::Edit => self.edit(),
            Event::Chores(leader) => self.chores(leader),
            Event::Takeover => self.takeover(),
            Event::Step(id) => self.carry_out(id),
            Event::Tell(id, news) => self.tell(id, news),
            Event::Late(server) => {
                if let Some((ops, term)) = self.late[server].pop_front() {
                    let result = self.apply(&ops, term);
                    self.world.note(|| format!("a late commit of server {server}: {result:?}"));
                }
            }
        }
    }

    fn save(&mut self, server: usize) {
        if !self.has_faults() {
            return;
        }
        let job = self.world.rng.range(1, JOBS + 1);
        let number = self.world.number();
        self.database.save(job, &cron(number), self.world.now);
        self.world.note(|| format!("server {server} saves job {job}: {}", cron(number)));
        self.begin(server, vec![job], None);
        // Now and then two save the same job at the same time.
        let wait = if self.world.rng.chance(300) { 5 } else { self.world.rng.range(500, 12_000) };
        self.world.after(wait, Event::Save(server));
    }

    fn edit(&mut self) {
        if !self.has_faults() {
            return;
        }
        let job = self.world.rng.range(1, JOBS + 1);
        let (root, config) = (self.keys.job(&name(job)), self.keys.of(&name(job), &Key::Config));
        let number = self.world.number();
        let text = match self.world.rng.below(6) {
            0 => None,
            1 => Some("{ cut off".to_owned()),
            2 => Some(Layout::V2.write(&settings(99, &cron(number)))),
            _ => Some(Layout::V2.write(&settings(job, &cron(number)))),
        };
        let gone = text.is_none();
        let ops = match text {
            Some(text) => vec![Op::set(config, text)],
            None if self.world.rng.chance(500) => vec![Op::delete(config), Op::delete(root)],
            None => vec![Op::delete(config)],
        };
        let result = self.registry.commit(0, &ops, self.world.wall());
        self.world.note(|| format!("somebody edits job {job} ({number}): {:?}", result.is_ok()));
        // Who deletes is often there just when something is on its way.
        let wait = if gone { self.world.rng.range(20, 400) } else { self.world.rng.range(100, 6_000) };
        self.world.after(wait, Event::Edit);
    }

    fn takeover(&mut self) {
        self.leader = 1 - self.leader;
        self.database.term += 1;
        self.terms[self.leader] = Some(self.database.term);
        let (leader, term) = (self.leader, self.database.term);
        self.world.note(|| format!("leader {leader} begins term {term}"));
        if self.has_faults() {
            let wait = self.world.rng.range(3_000, 15_000);
            self.world.after(wait, Event::Takeover);
        }
    }

    fn chores(&mut self, leader: usize) {
        let wait = self.world.rng.range(1_000, 5_000);
        let slower = if self.has_faults() { 1 } else { 60 };
        self.world.after(wait * slower, Event::Chores(leader));
        let Some(term) = self.terms[leader] else { return };
        let due = self.database.due(self.world.now);
        let jobs = if due.is_empty() || self.world.rng.chance(500) { self.database.ids() } else { due };
        self.begin(leader, jobs, Some(term));
    }

    fn begin(&mut self, server: usize, jobs: Vec<i64>, term: Option<i64>) {
        let frame = Frame {
            project: self.database.project.clone(),
            keys: self.keys.clone(),
            plane: ("plane".to_owned(), "https://here".to_owned()),
            names: jobs.into_iter().map(|job| (job, name(job))).collect(),
            word: Word::Policy,
            term,
            looks_only: false,
            mutation: self.mutation,
        };
        self.start(server, frame);
    }

    fn start(&mut self, server: usize, frame: Frame) {
        let (group, step) = Group::begin(frame.clone());
        let id = self.world.number();
        self.processes.insert(id, Process { group, step: Some(step), server, frame });
        self.send(id);
    }

    /// The step takes its way; sometimes its server stands still before.
    fn send(&mut self, id: u64) {
        let mut latency = self.world.latency() * 5;
        if self.chance(20) {
            latency += self.world.rng.range(1_000, 20_000);
        }
        self.world.after(latency, Event::Step(id));
    }

    fn tell(&mut self, id: u64, news: News) {
        let now = self.world.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.step = Some(process.group.told(news, now));
        self.send(id);
    }

    fn carry_out(&mut self, id: u64) {
        if self.chance(10) {
            self.processes.remove(&id);
            return self.world.note(|| format!("{id}: its server dies"));
        }
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(step) = process.step.take() else { return };
        let (server, term) = (process.server, process.frame.term);
        let names = process.frame.names.clone();
        self.world.note(|| format!("{id} (server {server}, term {term:?}): {}", words(&step)));
        self.world.mix(words(&step).as_bytes());
        let news = match step {
            Step::Look => self.look(server, &names),
            Step::Ask => News::Asked(self.database.known(names.iter().map(|(id, _)| *id))),
            Step::Prove => {
                self.replicas[server].advance(&self.registry.log, self.registry.log.len());
                News::Again
            }
            Step::Make(control) => {
                let op = Op::create(control::path(&self.keys), control.bytes());
                let _ = self.registry.commit(0, &[op], self.world.wall());
                News::Again
            }
            Step::Adopt(_) | Step::Record(_) | Step::Note(_) if !self.is_term(term) => {
                return self.over(id);
            }
            Step::Adopt(adoptions) => {
                self.check.effect(term);
                self.adoptions += self.database.adopt(adoptions, self.world.now);
                News::Again
            }
            Step::Record(found) => {
                self.check.effect(term);
                self.database.record(found);
                News::Recorded
            }
            Step::Commit(ops) => News::Committed(self.commit(server, ops, term)),
            Step::Note(notes) => {
                self.check.effect(term);
                self.database.note(notes, self.world.now);
                News::Noted
            }
            Step::Done(synced) => {
                self.repairs += synced.iter().filter(|synced| synced.mended.is_some()).count() as u64;
                self.processes.remove(&id);
                return;
            }
            Step::Stop(stop) => return self.stop(id, &stop),
        };
        let latency = self.world.latency() * 5;
        self.world.after(latency, Event::Tell(id, news));
    }

    /// What every transaction of a chore asks first.
    fn is_term(&self, term: Option<i64>) -> bool {
        term.is_none_or(|term| term == self.database.term)
            || self.mutation == Some(Mutation::ChoresWithoutTerm)
    }

    fn over(&mut self, id: u64) {
        if let Some(process) = self.processes.remove(&id) {
            for term in self.terms.iter_mut().filter(|term| **term == process.frame.term) {
                *term = None;
            }
        }
    }

    fn stop(&mut self, id: u64, stop: &Stop) {
        match stop {
            Stop::Split => {
                let Some(Process { frame, server, .. }) = self.processes.remove(&id) else { return };
                let (one, other) = frame.names.split_at(frame.names.len() / 2);
                for names in [one.to_vec(), other.to_vec()] {
                    self.start(server, Frame { names, ..frame.clone() });
                }
            }
            Stop::TermOver => self.over(id),
            Stop::Contended => drop(self.processes.remove(&id)),
            Stop::AnotherPlane(_) | Stop::Older { .. } | Stop::Behind { .. } => {
                let words = format!("I7: held although nobody else is here and nothing went back: {stop:?}");
                self.check.violation.get_or_insert(words);
            }
        }
    }

    /// What the server's session shows: some state between what it saw before and the truth.
    fn look(&mut self, server: usize, names: &[(i64, JobName)]) -> News {
        let truth = self.registry.log.len();
        let seen = self.replicas[server].applied;
        let is_stale = self.chance(300);
        let to = if is_stale && seen < truth {
            self.world.rng.range(seen as i64, truth as i64 + 1) as usize
        } else {
            truth
        };
        self.replicas[server].advance(&self.registry.log, to);
        let tree = &self.replicas[server].tree;
        let node = |path: Path| tree.get(&path).cloned();
        let looked = names.iter().map(|(_, name)| Looked {
            root: node(self.keys.job(name)),
            config: node(self.keys.of(name, &Key::Config)),
            access: Access::Ours,
        });
        News::Looked(node(control::path(&self.keys)), looked.collect())
    }

    fn commit(&mut self, server: usize, ops: Vec<Op>, term: Option<i64>) -> Committed {
        // What a session sends takes effect in the order in which it was sent.
        while let Some((late, term)) = self.late[server].pop_front() {
            let _ = self.apply(&late, term);
        }
        let lost = self.chance(80);
        match (lost, self.world.rng.below(3)) {
            (true, 0) => Committed::Unclear,
            (true, 1) => {
                self.late[server].push_back((ops, term));
                let wait = self.world.rng.range(10, 3_000);
                self.world.after(wait, Event::Late(server));
                Committed::Unclear
            }
            (is_lost, _) => {
                let result = self.apply(&ops, term);
                self.replicas[server].advance(&self.registry.log, self.registry.log.len());
                match result {
                    _ if is_lost => Committed::Unclear,
                    Ok(()) => Committed::Done,
                    Err(_) => Committed::Conflict,
                }
            }
        }
    }

    fn apply(&mut self, ops: &[Op], term: Option<i64>) -> Result<(), Error> {
        let before = self.registry.tree.clone();
        self.registry.commit(0, ops, self.world.wall())?;
        self.commits += 1;
        self.check.commit(&self.keys, &before, ops, term, &self.database);
        for op in ops {
            self.world.mix(op.path().as_str().as_bytes());
        }
        Ok(())
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::Commit(ops) => {
            let data = |op: &Op| match op {
                Op::Create { data, .. } | Op::Set { data, .. } => cron_of(data),
                Op::Delete { .. } | Op::Check { .. } => String::new(),
            };
            let ops: Vec<String> = ops.iter().map(|op| format!("{} {}", op.path(), data(op))).collect();
            format!("commits {}", ops.join(", "))
        }
        Step::Record(found) => {
            let found: Vec<_> = found.iter().map(|finding| (finding.job.0, finding.kind)).collect();
            format!("records {found:?}")
        }
        Step::Note(notes) => {
            let rows: Vec<_> = notes.rows.iter().map(|(row, _)| (row.job, row.state)).collect();
            format!("notes {rows:?}")
        }
        Step::Done(synced) => {
            let jobs: Vec<_> = synced.iter().map(|synced| (synced.job, synced.state)).collect();
            format!("done {jobs:?}")
        }
        Step::Look => "looks".to_owned(),
        Step::Ask => "asks".to_owned(),
        Step::Prove => "proves".to_owned(),
        Step::Make(_) => "makes `control`".to_owned(),
        Step::Adopt(adoptions) => format!("adopts {}", adoptions.len()),
        Step::Stop(stop) => format!("stops: {stop:?}"),
    }
}

fn cron_of(data: &Bytes) -> String {
    let json: serde_json::Value = serde_json::from_slice(data).unwrap_or_default();
    json["cron"].as_str().unwrap_or_default().to_owned()
}
