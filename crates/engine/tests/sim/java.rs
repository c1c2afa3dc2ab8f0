//! Java peers: instances of Elastic-Job 2.1.5 in the same job, with their own links, pauses and deaths.
//!
//! What they do is in [`code`]; here are the time that their requests take, their connections and sessions, and what goes wrong with
//! them. A request that meets no connection is repeated as Curator does, three times, and then given up; one whose answer is lost was
//! carried out, and is repeated. A session that has ended while its process lived is followed by a new one, in which what was on its way
//! goes on. Readings show the truth; the cache, by which Java knows settings, owners and leader, lags behind it.

#[path = "java/code.rs"]
mod code;
#[path = "java/jvm.rs"]
mod jvm;

use super::scenario::Fault;
use super::world::{Event, Sim, Undo};
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Item, Millis};
use clockwright_registry::{Error, Mode, Op};
use clockwright_testkit::sim::Replica;
use code::Code;
use jvm::{Answer, Call, Jvm, Line};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How often a request is repeated that finds no connection, and after how long, milliseconds.
const REPEATED: (u32, Millis) = (3, 1_000);

/// What happens to a peer.
#[derive(Debug)]
pub enum What {
    Boot,
    /// What a thread waits for is there.
    Step {
        thread: u64,
    },
    /// Changes up to this place of the log reach the cache.
    See {
        to: usize,
    },
    Ping,
    /// The client notices that its server is gone, or that its session is over; it looks for another.
    Suspend,
    Reconnect,
}

struct Thread {
    number: u64,
    line: Rc<Line>,
    code: Pin<Box<dyn Future<Output = ()>>>,
    call: Option<Call>,
    repeated: u32,
}

/// A Java process, or the place of one.
pub struct Peer {
    pub id: InstanceId,
    life: u64,
    jvm: Option<Rc<Jvm>>,
    threads: Vec<Thread>,
    session: i64,
    /// Every session that it ever had.
    pub sessions: BTreeSet<i64>,
    connected: bool,
    /// The cache hears of changes.
    watches: bool,
    last_seen: Millis,
    paused: bool,
    /// What came up while the process stood still.
    waiting: Vec<What>,
    partitioned: bool,
    /// A request of its was given up: it may have left marks that nobody else may take down, and for which everybody waits.
    gave_up: bool,
    processes: u32,
}

impl Peer {
    /// Number `number`; it may share the address of an engine.
    pub fn new(number: usize, shares_address: bool) -> Self {
        let ip = if shares_address { "10.0.0.1".to_owned() } else { format!("10.9.0.{}", number + 1) };
        Self {
            id: InstanceId::of_process(&ip, 7_000 + 100 * number as u32, 0),
            life: 0,
            jvm: None,
            threads: Vec::new(),
            session: 0,
            sessions: BTreeSet::new(),
            connected: false,
            watches: false,
            last_seen: 0,
            paused: false,
            waiting: Vec::new(),
            partitioned: false,
            gave_up: false,
            processes: 7_000 + 100 * number as u32,
        }
    }

    /// Whether it takes part in its job.
    pub fn serves(&self) -> bool {
        self.jvm.as_ref().is_some_and(|jvm| !jvm.shut.get() && !jvm.leaving.get())
    }

    /// Whether the process is there.
    pub fn is_there(&self) -> bool {
        self.jvm.is_some()
    }

    /// Its session.
    pub fn session(&self) -> i64 {
        self.session
    }
}

impl Sim {
    /// Whether a session is that of a Java process.
    pub fn is_of_java(&self, session: i64) -> bool {
        self.peers.iter().any(|peer| peer.sessions.contains(&session))
    }

    pub fn java(&mut self, peer: usize, life: u64, what: What) {
        if self.peers[peer].life != life {
            return;
        }
        if self.peers[peer].paused && !matches!(what, What::Ping) {
            self.peers[peer].waiting.push(what);
            return;
        }
        match what {
            What::Boot => self.boot_java(peer),
            What::Step { thread } => self.step_java(peer, thread),
            What::See { to } => self.show_java(peer, to),
            What::Ping => self.ping_java(peer),
            What::Suspend => self.suspend_java(peer),
            What::Reconnect => self.reconnect_java(peer),
        }
    }

    fn java_after(&mut self, wait: Millis, peer: usize, what: What) {
        let life = self.peers[peer].life;
        self.after(wait, Event::Java { peer, life, what });
    }

    /// A process starts, if none is there.
    pub fn boot_java_after(&mut self, wait: Millis, peer: usize) {
        self.java_after(wait, peer, What::Boot);
    }

    fn boot_java(&mut self, peer: usize) {
        if self.peers[peer].jvm.is_some() {
            return;
        }
        if self.outage || self.peers[peer].partitioned {
            return self.java_after(500, peer, What::Boot);
        }
        let process = self.world.number();
        let local = self.scenario.jobs[0].clone();
        let jvm = Rc::new(Jvm::new(self.keys.clone(), local, self.peers[peer].id.clone(), process));
        self.peers[peer].jvm = Some(Rc::clone(&jvm));
        self.peers[peer].watches = false;
        self.open_java_session(peer);
        let id = self.peers[peer].id.clone();
        self.note(|| format!("java {id} starts"));
        self.spawn_java(peer, |code| Box::pin(code.work()));
        self.ping_java(peer);
    }

    fn open_java_session(&mut self, peer: usize) {
        let session = self.leader.open_session(self.scenario.timeout, self.world.now);
        let each = &mut self.peers[peer];
        each.session = session;
        each.sessions.insert(session);
        each.connected = true;
        let job = self.scenario.jobs[0].name.clone();
        self.check.java_connects(session, &job);
        let id = self.peers[peer].id.clone();
        self.note(|| format!("java {id} gets session {session:x}"));
    }

    fn spawn_java(&mut self, peer: usize, code: fn(Code) -> Pin<Box<dyn Future<Output = ()>>>) {
        let Some(jvm) = self.peers[peer].jvm.clone() else { return };
        let (number, line) = (self.world.number(), Rc::new(Line::default()));
        let code = code(Code { jvm, line: Rc::clone(&line) });
        self.peers[peer].threads.push(Thread { number, line, code, call: None, repeated: 0 });
        self.resume_thread(peer, number);
    }

    /// Lets a thread go on until it waits again.
    fn resume_thread(&mut self, peer: usize, number: u64) {
        let wall = self.world.wall();
        let each = &mut self.peers[peer];
        let Some(jvm) = each.jvm.clone() else { return };
        let Some(place) = each.threads.iter().position(|thread| thread.number == number) else { return };
        jvm.now.set(wall);
        let thread = &mut each.threads[place];
        let ended = thread.code.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(());
        thread.call = thread.line.taken();
        thread.repeated = 0;
        if ended {
            drop(each.threads.remove(place));
            return;
        }
        let wait = match &each.threads[place].call {
            Some(Call::Sleep(wait)) => *wait,
            Some(Call::Run { items, instant }) => {
                let (items, instant) = (items.clone(), *instant);
                self.java_runs(peer, &items, instant)
            }
            // A calm network is quick: Java's firings are long rows of requests.
            Some(_) if self.healed => self.world.rng.range(1, 4),
            Some(_) => self.world.latency(),
            None => unreachable!("a thread that has not ended waits for something"),
        };
        self.java_after(wait, peer, What::Step { thread: number });
    }

    /// The job's code begins; after how long it ends.
    fn java_runs(&mut self, peer: usize, items: &[Item], instant: Option<Millis>) -> Millis {
        let id = self.peers[peer].id.clone();
        let job = self.scenario.jobs[0].name.clone();
        self.note(|| format!("java {id} RUNS {job}/{items:?} of {instant:?}"));
        let wall = self.world.wall();
        for item in items {
            self.check.beside.java_begins(*item, instant, &id, wall);
        }
        self.run_length()
    }

    fn step_java(&mut self, peer: usize, number: u64) {
        let each = &mut self.peers[peer];
        let Some(place) = each.threads.iter().position(|thread| thread.number == number) else { return };
        let Some(call) = each.threads[place].call.take() else { return };
        let answer = match &call {
            Call::Sleep(_) => Some(Answer::GoOn),
            Call::Run { items, .. } => {
                let (id, items, wall) = (each.id.clone(), items.clone(), self.world.wall());
                self.note(|| format!("java {id}: {items:?} are over"));
                items.iter().for_each(|item| self.check.beside.java_ends(*item, &id, wall));
                Some(Answer::GoOn)
            }
            Call::Watch => {
                let tree = self.leader.tree.clone();
                let applied = self.leader.log.len();
                if let Some(jvm) = self.peers[peer].jvm.clone() {
                    jvm.cache.replace(Replica { tree, applied });
                }
                self.peers[peer].watches = true;
                self.spawn_java(peer, |code| Box::pin(code.listen()));
                Some(Answer::GoOn)
            }
            Call::Left => {
                let session = self.peers[peer].session;
                self.leader.end_session(session);
                self.kill_java(peer);
                if !self.closing {
                    let wait = self.world.rng.range(300, 8_000);
                    self.boot_java_after(wait, peer);
                }
                return;
            }
            Call::Commit(_) | Call::Get(_) | Call::Children(_) => self.ask_registry(peer, place, &call),
        };
        // Other threads may have begun meanwhile.
        let Some(thread) = self.peers[peer].threads.iter_mut().find(|thread| thread.number == number) else {
            return;
        };
        match answer {
            Some(answer) => {
                thread.line.answer(answer);
                self.resume_thread(peer, number);
            }
            None => {
                thread.call = Some(call);
                thread.repeated += 1;
                self.java_after(REPEATED.1, peer, What::Step { thread: number });
            }
        }
    }

    /// What the registry answers; `None` when it is asked again, since nobody answers.
    fn ask_registry(&mut self, peer: usize, place: usize, call: &Call) -> Option<Answer> {
        let each = &self.peers[peer];
        let session = each.session;
        if !each.connected || self.outage || each.partitioned || !self.leader.lives(session) {
            if each.threads[place].repeated < REPEATED.0 {
                return None;
            }
            self.peers[peer].gave_up = true;
            return Some(match call {
                Call::Commit(_) => Answer::Committed(Err(Error::Unavailable("not connected".to_owned()))),
                Call::Get(_) => Answer::Node(None),
                _ => Answer::Names(Vec::new()),
            });
        }
        self.leader.touch(session, self.world.now);
        Some(match call {
            Call::Commit(ops) => {
                let lost = self.scenario.lost_answers;
                // A place in a queue is looked for before another one is made.
                let is_place = |op: &Op| matches!(op, Op::Create { mode: Mode::EphemeralSequential, .. });
                if !self.healed && self.world.rng.chance(lost) && !ops.iter().any(is_place) {
                    // Carried out, and repeated since nobody said so.
                    let _ = self.java_commits(session, ops);
                }
                Answer::Committed(self.java_commits(session, ops))
            }
            Call::Get(path) => Answer::Node(self.leader.tree.get(path).cloned()),
            Call::Children(path) => {
                let below = clockwright_testkit::sim::subtree(&self.leader.tree, path);
                let child = |at: &clockwright_registry::Path| at.parent().as_ref() == Some(path);
                let mut names: Vec<String> =
                    below.iter().filter(|(at, _)| child(at)).map(|(at, _)| at.name().to_owned()).collect();
                names.sort_unstable_by(|a, b| b.cmp(a));
                Answer::Names(names)
            }
            _ => unreachable!("not for the registry"),
        })
    }

    fn java_commits(&mut self, session: i64, ops: &[Op]) -> Result<clockwright_registry::Commit, Error> {
        let wall = self.world.wall();
        self.leader.commit(session, ops, wall)
    }

    /// Tells connected caches of a transaction, some time later.
    pub fn send_java_hints(&mut self, index: usize) {
        for peer in 0..self.peers.len() {
            let latency = self.world.latency();
            let each = &mut self.peers[peer];
            if each.jvm.is_none() || !each.watches || !each.connected || each.partitioned {
                continue;
            }
            each.last_seen = each.last_seen.max(self.world.now + latency);
            let wait = each.last_seen - self.world.now;
            self.java_after(wait, peer, What::See { to: index + 1 });
        }
    }

    fn show_java(&mut self, peer: usize, to: usize) {
        let each = &self.peers[peer];
        let Some(jvm) = each.jvm.clone().filter(|_| each.connected) else { return };
        jvm.hears(&self.leader.log, to);
    }

    fn ping_java(&mut self, peer: usize) {
        let each = &self.peers[peer];
        if each.connected && !each.partitioned && !each.paused && !self.outage {
            let session = each.session;
            self.leader.touch(session, self.world.now);
        }
        let wait = self.scenario.timeout / 6;
        self.java_after(wait, peer, What::Ping);
    }

    /// The session of a peer has ended; it is told if it can be.
    pub fn java_session_expired(&mut self, session: i64) {
        for peer in 0..self.peers.len() {
            let each = &self.peers[peer];
            if each.session == session && each.jvm.is_some() && each.connected && !each.partitioned {
                let wait = self.world.latency();
                self.java_after(wait, peer, What::Suspend);
            }
        }
    }

    /// Servers without a quorum send their clients away.
    pub fn java_loses_quorum(&mut self) {
        for peer in 0..self.peers.len() {
            let wait = self.world.latency();
            self.java_after(wait, peer, What::Suspend);
        }
    }

    fn suspend_java(&mut self, peer: usize) {
        let each = &mut self.peers[peer];
        let Some(jvm) = each.jvm.clone().filter(|_| each.connected) else { return };
        if self.leader.lives(each.session) && !each.partitioned && !self.outage {
            // It was a moment only.
            return;
        }
        each.connected = false;
        jvm.suspended.set(true);
        let id = each.id.clone();
        self.note(|| format!("java {id} notices that it is disconnected"));
        self.java_after(100, peer, What::Reconnect);
    }

    fn reconnect_java(&mut self, peer: usize) {
        let each = &self.peers[peer];
        if each.jvm.is_none() || each.connected {
            return;
        }
        if self.outage || each.partitioned {
            let wait = self.world.rng.range(50, 400);
            return self.java_after(wait, peer, What::Reconnect);
        }
        let session = each.session;
        if self.leader.lives(session) {
            self.leader.touch(session, self.world.now);
            let granted = self.scenario.timeout;
            self.leader.grant(session, granted);
            self.peers[peer].connected = true;
        } else {
            self.open_java_session(peer);
        }
        let applied = self.leader.log.len();
        if let Some(jvm) = self.peers[peer].jvm.clone().filter(|_| self.peers[peer].watches) {
            jvm.sees(&self.leader.tree, applied);
        }
        self.spawn_java(peer, |code| Box::pin(code.reconnected()));
    }

    /// The process is gone, with all it knew and ran.
    pub fn kill_java(&mut self, peer: usize) {
        let wall = self.world.wall();
        let each = &mut self.peers[peer];
        let id = each.id.clone();
        each.life += 1;
        each.jvm = None;
        each.threads.clear();
        each.waiting.clear();
        (each.connected, each.paused, each.watches) = (false, false, false);
        each.gave_up = false;
        each.processes += 1;
        each.id = InstanceId::of_process(id.ip(), each.processes, 0);
        self.check.beside.java_dies(&id, wall);
        self.note(|| format!("java {id} is gone"));
    }

    pub fn java_leaves(&mut self, peer: usize) {
        if self.peers[peer].serves() {
            self.spawn_java(peer, |code| Box::pin(code.leave()));
        } else if self.peers[peer].is_there() {
            let session = self.peers[peer].session;
            self.kill_java(peer);
            self.leader.end_session(session);
        }
    }

    /// What goes wrong with a Java peer; false if this kind of fault is none of those.
    pub fn inflict_java(&mut self, kind: Fault) -> bool {
        let peer = self.world.rng.below(self.peers.len());
        let timeout = self.scenario.timeout;
        let each = &mut self.peers[peer];
        let back = self.world.rng.range(300, 8_000);
        if each.jvm.is_none() {
            return true;
        }
        match kind {
            Fault::Crash => {
                self.kill_java(peer);
                self.boot_java_after(back, peer);
            }
            Fault::Pause if !each.paused => {
                each.paused = true;
                let wait = self.world.rng.range(timeout / 4, timeout * 5 / 2);
                self.after(wait, Event::Undo { what: Undo::JavaResume(peer) });
            }
            Fault::Partition | Fault::FollowerCut | Fault::Blip if !each.partitioned => {
                each.partitioned = true;
                let longest = if kind == Fault::Blip { timeout / 3 } else { timeout * 5 / 2 };
                let wait = self.world.rng.range(timeout / 5, longest);
                self.after(wait, Event::Undo { what: Undo::JavaLink(peer) });
                let noticed = self.world.rng.range(1, timeout * 2 / 5);
                self.java_after(noticed, peer, What::Suspend);
            }
            Fault::Leave if each.serves() => self.java_leaves(peer),
            Fault::Expiry if !each.paused && each.connected && !each.partitioned && !self.outage => {
                let session = each.session;
                self.leader.end_session(session);
                self.java_session_expired(session);
            }
            Fault::ConsoleShutdown => {
                let job = self.scenario.jobs[0].name.clone();
                let path = self.keys.of(&job, &Key::Instance(each.id.clone()));
                self.operator_does(vec![Op::delete(path)]);
            }
            Fault::DisableServer => {
                let job = self.scenario.jobs[0].name.clone();
                let path = self.keys.of(&job, &Key::Server(each.id.ip().to_owned()));
                self.disable_server(path);
            }
            Fault::Pause
            | Fault::Partition
            | Fault::FollowerCut
            | Fault::Blip
            | Fault::Expiry
            | Fault::Leave => {}
            _ => return false,
        }
        let id = self.peers[peer].id.clone();
        self.note(|| format!("FAULT {kind:?} (java {id})"));
        true
    }

    /// A process that stood still goes on: what waited for it comes first, in order.
    pub fn resume_java(&mut self, peer: usize) {
        if !std::mem::take(&mut self.peers[peer].paused) {
            return;
        }
        let life = self.peers[peer].life;
        let id = self.peers[peer].id.clone();
        self.note(|| format!("java {id} goes on"));
        for what in std::mem::take(&mut self.peers[peer].waiting) {
            self.java(peer, life, what);
        }
        let session = self.peers[peer].session;
        if !self.leader.lives(session) {
            self.java_after(5, peer, What::Suspend);
        }
    }

    /// Its network works again. Where nobody noticed that it did not, what happened meanwhile is heard now.
    pub fn link_java(&mut self, peer: usize) {
        self.peers[peer].partitioned = false;
        let to = self.leader.log.len();
        if self.peers[peer].connected && self.peers[peer].watches {
            self.java_after(1, peer, What::See { to });
            let session = self.peers[peer].session;
            if !self.leader.lives(session) {
                self.java_after(5, peer, What::Suspend);
            }
        }
    }

    /// Ends every fault of the Java peers. Whoever was shut down by command is started again, and so is whoever is dead, or has given up
    /// on a request.
    pub fn heal_java(&mut self) {
        for peer in 0..self.peers.len() {
            self.link_java(peer);
            self.resume_java(peer);
            if self.peers[peer].is_there() && (!self.peers[peer].serves() || self.peers[peer].gave_up) {
                let session = self.peers[peer].session;
                self.kill_java(peer);
                self.leader.end_session(session);
            }
            if !self.peers[peer].is_there() {
                self.boot_java_after(1_000, peer);
            }
        }
    }
}
