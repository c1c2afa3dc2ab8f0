//! The world: one queue of events, engines in their shells, links that fail, operators that interfere.
//!
//! [`Sim::run`] takes the next event until the end of the scenario. Everything that may differ between two histories is
//! asked of the one [`Rng`], so a seed replays exactly.

use super::check::Checker;
use super::java::Peer;
use super::scenario::Scenario;
use super::shell::{Engine, Message};
use clockwright_engine::core::Input;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{InstanceId, JobName, Millis};
use clockwright_registry::{Op, Path};
use clockwright_testkit::sim::{Change, Leader, Rng, World};
use std::collections::{BTreeMap, VecDeque};

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// An engine's process starts.
    Boot {
        engine: usize,
    },
    /// A job that an engine left is added again.
    Rejoin {
        engine: usize,
        life: u64,
        job: JobName,
    },
    /// A message reaches a process.
    Deliver {
        engine: usize,
        life: u64,
        message: super::shell::Message,
    },
    /// The core decides.
    Settle {
        engine: usize,
        life: u64,
    },
    /// The core wanted to be woken.
    Wake {
        engine: usize,
        life: u64,
    },
    /// A session is asked for, is there.
    Dial {
        engine: usize,
        life: u64,
    },
    Greet {
        engine: usize,
        life: u64,
        session: i64,
        sent: Millis,
    },
    /// A request reaches its server, goes on there, is answered.
    Arrive {
        request: u64,
    },
    Continue {
        request: u64,
    },
    Answer {
        request: u64,
    },
    /// A commit whose answer was given up reaches the quorum all the same.
    Straggler {
        session: i64,
        ops: Vec<Op>,
        instance: String,
    },
    /// The client notices that its server is gone; it finds another.
    Notice {
        engine: usize,
        connection: u64,
    },
    Reconnect {
        engine: usize,
        connection: u64,
    },
    /// The client pings, the shell reads everything again.
    Ping {
        engine: usize,
        connection: u64,
    },
    Resync {
        engine: usize,
        life: u64,
    },
    /// The leader looks for sessions whose time is up.
    Expire,
    /// A run's code comes to its end, or meets the end of the lease.
    RunOver {
        engine: usize,
        life: u64,
        run: u64,
    },
    RunDeadline {
        engine: usize,
        life: u64,
        run: u64,
    },
    /// A record becomes durable.
    Durable {
        engine: usize,
        life: u64,
    },
    /// A fault begins; one ends.
    Fault,
    Undo {
        what: Undo,
    },
    Heal,
    /// The last crash, after everything was healed, and the time by which what it left must have been seen to.
    LastCrash,
    /// Something happens to a Java peer.
    Java {
        peer: usize,
        life: u64,
        what: super::java::What,
    },
    /// The registry loses data.
    Loss(super::scenario::Loss),
    Bereaved {
        dead: InstanceId,
        session: i64,
        /// It still lived when this was looked at last.
        lived: bool,
    },
}

/// How long after the healing the last crash comes, milliseconds: all have joined by then.
pub const LAST_CRASH: Millis = 5_000;
/// How long it may take from the end of a session until its orphans were noticed, marked and taken, milliseconds: of a job of a few
/// items, and of hundreds, whose commits may all be refused, one by one, because of a plan.
const PATIENCE: (Millis, Millis) = (5_000, 9_000);

/// How long it may take until everybody has left who was asked to, milliseconds.
const LEAVING: Millis = 10_000;

/// The end of a fault.
#[derive(Debug)]
pub enum Undo {
    Resume(usize),
    Link(usize),
    Cut(usize, u64),
    Outage,
    Server(Path),
    Node(Path),
    Denied(usize),
    JavaResume(usize),
    JavaLink(usize),
}

/// A simulation that ran.
pub struct Verdict {
    pub violation: Option<String>,
    pub hash: u64,
    pub trace: VecDeque<String>,
    pub events: u64,
    pub starts: u64,
    pub completions: u64,
}

pub struct Sim {
    pub world: World<Event>,
    pub scenario: Scenario,
    pub keys: Keys,
    pub leader: Leader,
    pub outage: bool,
    pub engines: Vec<Engine>,
    /// The Java peers of the first job.
    pub peers: Vec<Peer>,
    pub requests: BTreeMap<u64, super::net::Request>,
    pub check: Checker,
    pub healed: bool,
    /// All engines were asked to leave; none starts again.
    pub closing: bool,
    /// When the quorum was last back.
    pub back_at: Millis,
    /// The transaction that is no transaction, but the loss of data.
    pub lost_in: Option<usize>,
    pub observed: usize,
}

impl Sim {
    pub fn new(rng: Rng, scenario: Scenario, trace_limit: usize) -> Self {
        let keys = Keys::new("ns").unwrap();
        let check = Checker::new(keys.clone(), &scenario.jobs);
        let mut sim = Self {
            world: World::new(rng, trace_limit),
            keys,
            leader: Leader::default(),
            outage: false,
            engines: Vec::new(),
            peers: Vec::new(),
            requests: BTreeMap::new(),
            check,
            healed: false,
            closing: false,
            back_at: 0,
            lost_in: None,
            observed: 0,
            scenario,
        };
        for engine in 0..sim.scenario.engines {
            let offset = sim.scenario.clock_offset;
            let offset = if offset > 0 { sim.world.rng.range(-offset, offset + 1) } else { 0 };
            let offset = if engine == 0 { offset + sim.scenario.clock_ahead } else { offset };
            sim.engines.push(Engine::new(engine, offset));
            let at = sim.world.rng.range(0, 3_000);
            sim.at(at, Event::Boot { engine });
        }
        for peer in 0..sim.scenario.java {
            let shares_address = sim.world.rng.chance(300);
            sim.peers.push(Peer::new(peer, shares_address));
            let at = sim.world.rng.range(0, 9_000);
            sim.boot_java_after(at, peer);
        }
        if sim.scenario.twins {
            sim.engines[1].id = sim.engines[0].id.clone();
        }
        if let Some(loss) = sim.scenario.loss {
            sim.at(sim.scenario.heal_at - 8_000, Event::Loss(loss));
        }
        sim.at(50, Event::Expire);
        if !sim.scenario.faults.is_empty() {
            sim.at(4_000, Event::Fault);
        }
        let heal_at = sim.scenario.heal_at;
        sim.at(heal_at, Event::Heal);
        if sim.scenario.last_crash {
            sim.at(heal_at + LAST_CRASH, Event::LastCrash);
        }
        sim
    }

    /// Runs to the end, or to the first violation.
    pub fn run(mut self) -> Verdict {
        let mut violation = self.pass(self.scenario.end_at);
        if violation.is_none() {
            self.converged();
            violation = self.check.violation();
        }
        if violation.is_none() {
            self.close();
            violation = self.pass(self.scenario.end_at + LEAVING);
        }
        if violation.is_none() {
            self.all_have_left();
            violation = self.check.violation();
        }
        if let Some(words) = &violation {
            let words = words.clone();
            self.note(|| format!("VIOLATION {words}"));
        }
        Verdict {
            violation,
            hash: self.world.hash(),
            events: self.world.events(),
            trace: self.world.into_trace(),
            starts: self.check.starts,
            completions: self.check.witness.completions,
        }
    }

    /// Lets time go by until then, or until the first violation.
    fn pass(&mut self, until: Millis) -> Option<String> {
        while let Some(event) = self.world.take(until) {
            if self.world.spins() {
                return Some("L0: the engines spin without time going by".to_owned());
            }
            self.handle(event);
            self.observe();
            let violation = self.check.violation();
            if violation.is_some() {
                return violation;
            }
        }
        None
    }

    pub fn at(&mut self, at: Millis, event: Event) {
        self.world.at(at, event);
    }

    pub fn after(&mut self, wait: Millis, event: Event) {
        self.world.after(wait, event);
    }

    /// Says what happens, when somebody wants to know.
    pub fn note(&mut self, words: impl FnOnce() -> String) {
        self.world.note(words);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Boot { engine } => self.boot(engine),
            Event::Rejoin { engine, life, job } => self.rejoin(engine, life, &job),
            Event::Deliver { engine, life, message } => self.deliver(engine, life, message),
            Event::Settle { engine, life } => self.settle(engine, life),
            Event::Wake { engine, life } => self.wake(engine, life),
            Event::Dial { engine, life } => self.dial(engine, life),
            Event::Greet { engine, life, session, sent } => self.greet(engine, life, session, sent),
            Event::Arrive { request } => self.arrive(request),
            Event::Continue { request } => self.go_on(request),
            Event::Answer { request } => self.answer(request),
            Event::Straggler { session, ops, instance } => {
                if !self.outage {
                    let wall = self.world.wall();
                    let done = self.leader.commit(session, &ops, wall).is_ok();
                    self.note(|| {
                        format!("a late commit of {instance} {}", if done { "was done" } else { "failed" })
                    });
                }
            }
            Event::Notice { engine, connection } => self.notice(engine, connection),
            Event::Reconnect { engine, connection } => self.reconnect(engine, connection),
            Event::Ping { engine, connection } => self.ping(engine, connection),
            Event::Resync { engine, life } => self.resync(engine, life),
            Event::Expire => self.expire(),
            Event::RunOver { engine, life, run } => self.run_over(engine, life, run),
            Event::RunDeadline { engine, life, run } => self.run_deadline(engine, life, run),
            Event::Durable { engine, life } => {
                let each = &mut self.engines[engine];
                if each.life == life
                    && let Some(settlement) = each.recorded.pop_front()
                {
                    each.stored += 1;
                    let settlements = each.stored;
                    self.note_steadiness();
                    self.check.record(&settlement);
                    self.deliver(engine, life, Message::Input(Input::Stored { settlements }));
                }
            }
            Event::Fault => self.fault(),
            Event::Undo { what } => self.undo(what),
            Event::Heal => self.heal(),
            Event::LastCrash => self.last_crash(),
            Event::Java { peer, life, what } => self.java(peer, life, what),
            Event::Loss(loss) => self.lose_data(loss),
            Event::Bereaved { dead, session, lived } if lived || self.leader.lives(session) => {
                // A quorum that has come back gave it its whole time once more; how long ago it ended is not known.
                let lived = self.leader.lives(session);
                let (few, many) = PATIENCE;
                self.after(
                    if self.scenario.is_large() { many } else { few },
                    Event::Bereaved { dead, session, lived },
                );
            }
            Event::Bereaved { dead, .. } => self.nothing_is_orphaned(&dead),
        }
    }

    /// Tells the checker who writes settings.
    fn count_settings(&mut self, index: usize, life: Option<(usize, u64)>) {
        let Some(life) = life else { return };
        for change in &self.leader.log[index].changes {
            if let Some((job, Key::Config)) = self.keys.parse(&change.path)
                && change.after.is_some()
            {
                let job = JobName::new(job).expect("the name of a job");
                self.check.configures(life, &job);
            }
        }
    }

    /// Shows new transactions to the checker, and their hints to the engines.
    fn observe(&mut self) {
        while self.observed < self.leader.log.len() {
            let index = self.observed;
            self.observed += 1;
            let wall = self.world.wall();
            let session = self.leader.log[index].session;
            let owner = self.engines.iter().find(|engine| engine.sessions.contains_key(&session));
            let instance =
                owner.map_or("java or operators", |engine| engine.sessions[&session].as_str()).to_owned();
            let steady = owner.is_some_and(|engine| self.world.now - engine.unsteady_at > 2_000);
            self.check.hears = (steady && self.scenario.lost_hints == 0).then_some(2_000);
            let life = owner.map(|engine| (engine.number, engine.life));
            if self.lost_in == Some(index) {
                self.check.data_lost(&self.leader.log[index], wall);
            } else {
                self.check.observe(&self.leader.log[index], wall);
            }
            self.count_settings(index, life);
            self.beside_java(index);
            let mut mixed = Vec::new();
            for change in &self.leader.log[index].changes {
                mixed.extend_from_slice(change.path.as_str().as_bytes());
                if let Some(node) = &change.after {
                    mixed.extend_from_slice(&node.data);
                }
            }
            let now = self.world.now;
            self.world.mix(&now.to_le_bytes());
            self.world.mix(&mixed);
            if self.world.is_traced() {
                let txn = &self.leader.log[index];
                let show = |change: &Change| match &change.after {
                    None => format!("-{}", change.path),
                    Some(node) => format!("{}={}", change.path, String::from_utf8_lossy(&node.data)),
                };
                let beats = self.keys.beats();
                let loud = txn
                    .changes
                    .iter()
                    .any(|c| c.path.below(&beats).is_none() || c.before.is_none() || c.after.is_none());
                let changes: Vec<String> = txn.changes.iter().map(show).collect();
                let words = format!("#{} by {instance} ({session:x}): {}", txn.zxid, changes.join(" "));
                if loud {
                    self.note(|| words);
                }
            }
            self.send_hints(index);
            self.send_java_hints(index);
        }
    }

    fn expire(&mut self) {
        if !self.outage {
            for session in self.leader.overdue(self.world.now) {
                self.note(|| format!("session {session:x} expires"));
                self.check.expired(session);
                self.leader.end_session(session);
                self.session_expired(session);
                self.java_session_expired(session);
            }
        }
        self.after(50, Event::Expire);
    }

    /// An operator's write; nothing when it does not apply.
    pub fn operate(&mut self, ops: &[Op]) -> bool {
        let wall = self.world.wall();
        !self.outage && self.leader.commit(0, ops, wall).is_ok()
    }
}
