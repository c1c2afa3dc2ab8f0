//! One engine in its shell: what the real shell does around the core, with a network and processes that fail.
//!
//! A process may stand still ([`Engine::paused`]): messages wait, nothing is sent, and its client does not ping; but the
//! supervisors of its runs go on and end them at the lease's end. A process may crash: all that it knew is gone, and its
//! runs end with it.

use super::net::{Ask, Connection};
use super::scenario::Seam;
use super::world::{Event, LAST_CRASH, Sim};
use clockwright_engine::core::{Core, CoreOptions, Effect, Firing, Given, Input, Now, OnRegistryLoss};
use clockwright_model::{Event as Record, FailureKind, InstanceId, JobName, Millis, RunId, Settlement};
use clockwright_registry::{Commit, Error, Hint, Op, Path};
use clockwright_runtime::{RunEnd, RunResult, StopReason};
use clockwright_testkit::sim::EPOCH;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// An instant that is at most this late counts as on time, milliseconds.
pub const TOLERANCE: Millis = 1_000;

/// What reaches a process.
#[derive(Debug)]
pub enum Message {
    Input(Input),
    /// The session is over.
    Lost {
        connection: u64,
    },
    /// An answer to a transaction of the shell's own making.
    Batch {
        groups: Vec<(u64, Vec<Op>)>,
        result: Result<Commit, Error>,
    },
    Hints {
        paths: Vec<Path>,
    },
}

struct Run {
    job: JobName,
    item: u32,
    run_id: RunId,
    strict: bool,
    end: RunResult,
    /// Until when the lease of its session reaches (mono).
    lease: Rc<Cell<Millis>>,
}

pub struct Engine {
    pub number: usize,
    pub id: InstanceId,
    pub life: u64,
    pub core: Option<Core>,
    /// The jobs that it has, by their numbers.
    pub jobs: Vec<Option<JobName>>,
    pub offset: Millis,
    pub paused: bool,
    inbox: VecDeque<Message>,
    pub connection: Option<Connection>,
    settle_at: Option<Millis>,
    wake_at: Option<Millis>,
    pub waiting: VecDeque<(u64, Vec<Op>)>,
    pub flying: bool,
    /// Until when the lease of the session reaches (mono).
    pub lease: Rc<Cell<Millis>>,
    runs: BTreeMap<u64, Run>,
    /// Outcomes that were put on record and are on their way to a disk, in order, and how many have arrived in this life.
    pub recorded: VecDeque<Settlement>,
    pub stored: u64,
    durable_at: Millis,
    /// Every session that this engine ever had, and under which id.
    pub sessions: BTreeMap<i64, InstanceId>,
    pub leaving: bool,
    pub dialing: bool,
    /// When it last began to catch up with what it missed.
    pub unsteady_at: Millis,
    /// The network around this engine is cut.
    pub partitioned: bool,
    /// Job indexes that were shut down by command.
    pub shut: bool,
    /// When its session last ended before its time.
    pub expired_at: Option<Millis>,
    /// An access list keeps it from writing.
    pub denied: bool,
    /// It has had a session in this life, under an id that is its own.
    pub named: bool,
    /// Which of its own transactions it knew of when it sent each commit.
    pub knew: BTreeMap<u64, i64>,
    heard: i64,
    processes: u32,
}

impl Engine {
    pub fn new(number: usize, offset: Millis) -> Self {
        Self {
            number,
            id: InstanceId::of_process(&format!("10.0.0.{}", number + 1), 100, 0),
            life: 0,
            core: None,
            jobs: Vec::new(),
            offset,
            paused: false,
            inbox: VecDeque::new(),
            connection: None,
            settle_at: None,
            wake_at: None,
            waiting: VecDeque::new(),
            flying: false,
            lease: Rc::default(),
            runs: BTreeMap::new(),
            recorded: VecDeque::new(),
            stored: 0,
            durable_at: 0,
            sessions: BTreeMap::new(),
            leaving: false,
            dialing: false,
            unsteady_at: 0,
            partitioned: false,
            shut: false,
            expired_at: None,
            denied: false,
            named: false,
            knew: BTreeMap::new(),
            heard: 0,
            processes: 100,
        }
    }

    /// The next process gets another id.
    pub fn rename(&mut self) {
        self.processes += 1;
        self.id = InstanceId::of_process(&format!("10.0.0.{}", self.number + 1), self.processes, 0);
    }

    pub fn now(&self, now: Millis) -> Now {
        Now { wall: EPOCH + now + self.offset, mono: 1_000_000 + now }
    }

    /// What it writes into its lease, so that it knows its own.
    pub fn mark(&self) -> String {
        format!("{}.{}", self.number, self.life)
    }

    /// Nothing was in its way for a while.
    pub fn is_steady(&self, now: Millis) -> bool {
        let connected = self.connection.as_ref().is_some_and(|c| c.up && !c.noticed && !c.cut);
        self.serves() && connected && !self.paused && !self.denied && now - self.unsteady_at > 3_000
    }

    /// Its session is this one.
    pub fn holds(&self, session: i64) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.session == session)
    }

    /// The process is there and works.
    pub fn serves(&self) -> bool {
        self.core.is_some() && !self.leaving
    }
}

impl Sim {
    pub fn boot(&mut self, engine: usize) {
        if self.engines[engine].core.is_some() {
            return;
        }
        self.engines[engine].core = Some(self.new_core(engine));
        let each = &mut self.engines[engine];
        each.life += 1;
        each.jobs = self.scenario.jobs.iter().map(|job| Some(job.name.clone())).collect();
        each.named = false;
        each.denied = false;
        each.knew.clear();
        each.heard = 0;
        each.paused = false;
        each.leaving = false;
        each.shut = false;
        each.inbox.clear();
        each.waiting.clear();
        each.flying = false;
        each.settle_at = None;
        each.wake_at = None;
        each.lease = Rc::default();
        each.dialing = true;
        let (life, id) = (each.life, each.id.clone());
        self.note(|| format!("engine {engine} starts as {id}"));
        let wait = self.world.rng.range(1, 200);
        self.after(wait, Event::Dial { engine, life });
        let wait = self.world.rng.range(1, 30_000);
        self.after(wait, Event::Resync { engine, life });
    }

    fn new_core(&mut self, engine: usize) -> Core {
        let options = CoreOptions {
            keys: self.keys.clone(),
            instance: self.engines[engine].id.clone(),
            hostname: format!("host{engine}"),
            seed: self.world.rng.next(),
            tolerance: TOLERANCE,
            layout: self.scenario.layout,
            on_registry_loss: OnRegistryLoss::Continue,
            mutation: self.scenario.mutation,
        };
        Core::new(options, self.scenario.jobs.iter().cloned().map(Given::from).collect())
    }

    /// Whether nobody else has the engine's id. At its start it takes one of its own when somebody has.
    pub fn has_an_id_of_its_own(&mut self, engine: usize) -> bool {
        let each = &self.engines[engine];
        let lease = self.leader.tree.get(&self.keys.lease(&each.id));
        let taken = lease.is_some_and(|lease| lease.data[..] != *each.mark().as_bytes());
        if !taken || self.scenario.seam == Some(Seam::TwinIsOurselves) {
            return true;
        }
        if each.named {
            return false;
        }
        let id = each.id.with_suffix(&format!("{}x{}", each.number, each.life));
        self.note(|| format!("engine {engine} finds its id taken, and calls itself {id}"));
        self.engines[engine].id = id;
        self.engines[engine].core = Some(self.new_core(engine));
        true
    }

    /// The process is gone, with all it knew and ran.
    pub fn kill(&mut self, engine: usize) {
        self.note(|| format!("engine {engine} dies"));
        let each = &mut self.engines[engine];
        each.life += 1;
        each.core = None;
        each.connection = None;
        each.inbox.clear();
        (each.stored, each.durable_at) = (0, 0);
        each.recorded.clear();
        let runs = std::mem::take(&mut each.runs);
        let wall = self.world.wall();
        for run in runs.into_values() {
            self.check.stop(&run.job, run.item, run.run_id, wall);
        }
        // What is on its way arrives or does not; nobody hears of it.
        let gone: Vec<u64> =
            self.requests.iter().filter(|(_, request)| request.engine == engine).map(|(id, _)| *id).collect();
        for id in gone {
            if self.world.rng.chance(500) {
                self.requests.remove(&id);
            }
        }
    }

    pub fn deliver(&mut self, engine: usize, life: u64, message: Message) {
        let each = &mut self.engines[engine];
        if each.life != life || each.core.is_none() {
            return;
        }
        if each.paused {
            each.inbox.push_back(message);
            return;
        }
        self.take(engine, message);
        self.settle_soon(engine);
    }

    pub fn settle_soon(&mut self, engine: usize) {
        let wait = if self.world.rng.chance(300) { self.world.rng.range(0, 3) } else { 0 };
        let at = self.world.now + wait;
        let each = &mut self.engines[engine];
        if each.settle_at.is_none_or(|settle| settle > at) {
            each.settle_at = Some(at);
            let life = each.life;
            self.at(at, Event::Settle { engine, life });
        }
    }

    pub fn input(&mut self, engine: usize, input: Input) {
        if !matches!(input, Input::Hint(_) | Input::Nodes { .. } | Input::Tree { .. } | Input::Renewed { .. })
        {
            self.note(|| {
                let words = format!("{input:?}");
                format!("engine {engine} hears {}", words.chars().take(300).collect::<String>())
            });
        }
        let now = self.engines[engine].now(self.world.now);
        if let Some(core) = &mut self.engines[engine].core {
            core.step(input, now);
        }
    }

    fn take(&mut self, engine: usize, message: Message) {
        match message {
            Message::Input(Input::Renewed { sent, result }) => {
                let given_up = matches!(result, Err(Error::Conflict { .. }));
                self.input(engine, Input::Renewed { sent, result });
                if given_up && let Some(connection) = &self.engines[engine].connection {
                    let number = connection.number;
                    self.leader.end_session(connection.session);
                    self.lost(engine, number);
                }
            }
            Message::Input(input) => self.input(engine, input),
            Message::Lost { connection } => self.lost(engine, connection),
            Message::Hints { paths } => {
                for path in paths {
                    self.input(engine, Input::Hint(Hint::Path(path)));
                }
            }
            Message::Batch { groups, result } => self.batch(engine, groups, result),
        }
    }

    /// The session is over: everything that belonged to it is dropped, and the shell connects anew.
    pub fn lost(&mut self, engine: usize, connection: u64) {
        let each = &mut self.engines[engine];
        if each.connection.as_ref().is_none_or(|current| current.number != connection) {
            return;
        }
        each.connection = None;
        each.waiting.clear();
        each.flying = false;
        self.requests.retain(|_, request| request.engine != engine || request.connection != connection);
        self.input(engine, Input::SessionLost);
        let each = &mut self.engines[engine];
        each.dialing = true;
        let life = each.life;
        let wait = self.world.rng.range(20, 800);
        self.after(wait, Event::Dial { engine, life });
    }

    /// The answer to a transaction, taken apart: a conflict is that of the group it names, the others go again, in order.
    fn batch(&mut self, engine: usize, groups: Vec<(u64, Vec<Op>)>, result: Result<Commit, Error>) {
        self.engines[engine].flying = false;
        match result {
            Ok(commit) => {
                let mut results = commit.results.into_iter();
                let life = (engine, self.engines[engine].life);
                self.check.heard(life, commit.transaction);
                self.engines[engine].heard = commit.transaction;
                for (id, ops) in groups {
                    let results = results.by_ref().take(ops.len()).collect();
                    let commit = Commit { transaction: commit.transaction, results };
                    self.input(engine, Input::Committed { id, result: Ok(commit) });
                }
            }
            Err(Error::Conflict { index, path, conflict }) => {
                let mut first = 0;
                let mut again = Vec::new();
                for (id, ops) in groups {
                    let within = index.wrapping_sub(first);
                    first += ops.len();
                    if within < ops.len() {
                        let error = Error::Conflict { index: within, path: path.clone(), conflict };
                        self.input(engine, Input::Committed { id, result: Err(error) });
                    } else {
                        again.push((id, ops));
                    }
                }
                for group in again.into_iter().rev() {
                    self.engines[engine].waiting.push_front(group);
                }
            }
            Err(error) => {
                for (id, _) in groups {
                    self.input(engine, Input::Committed { id, result: Err(error.clone()) });
                }
            }
        }
    }

    pub fn settle(&mut self, engine: usize, life: u64) {
        let now = self.world.now;
        let each = &mut self.engines[engine];
        if each.life != life || each.settle_at != Some(now) || each.paused {
            return;
        }
        each.settle_at = None;
        let clock = each.now(now);
        let Some(core) = &mut each.core else { return };
        let effects = core.decide(clock);
        for effect in effects {
            self.carry_out(engine, effect);
            if self.engines[engine].core.is_none() {
                return;
            }
        }
        self.send_waiting(engine);
        let each = &mut self.engines[engine];
        let Some(core) = &each.core else { return };
        let at = now + core.next_wake(clock);
        if each.wake_at.is_none_or(|wake| wake > at || wake <= now) {
            each.wake_at = Some(at);
            self.at(at, Event::Wake { engine, life });
        }
    }

    pub fn wake(&mut self, engine: usize, life: u64) {
        let now = self.world.now;
        let each = &mut self.engines[engine];
        if each.life != life || each.wake_at != Some(now) {
            return;
        }
        each.wake_at = None;
        if !each.paused && each.core.is_some() {
            if each.settle_at != Some(now) {
                each.settle_at = Some(now);
            }
            self.settle(engine, life);
        }
    }

    fn carry_out(&mut self, engine: usize, effect: Effect) {
        match effect {
            Effect::Read { id, paths } => self.ask(engine, Ask::Read { id, paths }),
            Effect::Tree { id, root } => self.ask(engine, Ask::Tree { id, root, first: Vec::new() }),
            Effect::Commit { id, ops } => {
                self.note(|| format!("engine {engine} sends {id}: {}", super::net::words(&ops)));
                let each = &mut self.engines[engine];
                each.knew.insert(id, each.heard);
                each.waiting.push_back((id, ops));
            }
            Effect::Renew => {
                let sent = self.engines[engine].now(self.world.now).mono;
                self.ask(engine, Ask::Renew { sent });
            }
            Effect::LeaseUntil(until) => self.lease_until(engine, until),
            Effect::Start(firing) => self.start(engine, *firing),
            Effect::Stop { run, reason } => {
                let life = self.engines[engine].life;
                self.note(|| format!("engine {engine} stops run {run}: {reason:?}"));
                let longest = self.scenario.longest_stop;
                let wait = self.world.rng.range(0, longest);
                if let Some(state) = self.engines[engine].runs.get_mut(&run) {
                    state.end = RunResult::Stopped(reason);
                    self.after(wait, Event::RunOver { engine, life, run });
                }
            }
            Effect::WindDown { .. } => {}
            Effect::Record(Record::Settlement(settlement))
            | Effect::RecordAgain(Record::Settlement(settlement)) => {
                self.note(|| {
                    format!("engine {engine} records {} {:?}", settlement.key(), settlement.outcome)
                });
                let wait = match self.world.rng.range(0, 1_000) {
                    0..700 => 0,
                    700..990 => self.world.rng.range(0, 60),
                    _ => self.world.rng.range(0, 3_000),
                };
                let each = &mut self.engines[engine];
                let life = each.life;
                each.recorded.push_back(settlement);
                if self.scenario.seam == Some(Seam::StoredBeforeItIs) {
                    let settlements = each.stored + each.recorded.len() as u64;
                    self.after(
                        0,
                        Event::Deliver {
                            engine,
                            life,
                            message: Message::Input(Input::Stored { settlements }),
                        },
                    );
                }
                let each = &mut self.engines[engine];
                each.durable_at = each.durable_at.max(self.world.now + wait);
                let wait = each.durable_at - self.world.now;
                self.after(wait, Event::Durable { engine, life });
            }
            Effect::Record(record) | Effect::RecordAgain(record) => {
                let life = (engine, self.engines[engine].life);
                self.check.trace(life, &record);
            }
            Effect::Tell(notice) => {
                self.note(|| format!("engine {engine} says: {:?} {}", notice.job, notice.text));
            }
            Effect::Removed { job } => self.removed(engine, job),
            Effect::Left => self.left(engine),
        }
    }

    /// Everything was finished and left: the session is closed, the process ends.
    fn left(&mut self, engine: usize) {
        self.note(|| format!("engine {engine} has left"));
        if let Some(connection) = &self.engines[engine].connection
            && connection.up
            && !connection.cut
            && !self.outage
        {
            let session = connection.session;
            self.leader.end_session(session);
        }
        for settlement in std::mem::take(&mut self.engines[engine].recorded) {
            self.check.record(&settlement);
        }
        let wait = self.world.rng.range(200, 3_000);
        self.kill(engine);
        if !self.closing {
            self.engines[engine].rename();
            self.after(wait, Event::Boot { engine });
        }
    }

    /// The lease of the session reaches until this, perhaps earlier than before.
    fn lease_until(&mut self, engine: usize, until: Millis) {
        let each = &mut self.engines[engine];
        let (mono, before) = (each.now(self.world.now).mono, each.lease.get());
        if self.scenario.seam == Some(Seam::OneLeaseForAllSessions) {
            each.lease.set(before.max(until));
            return;
        }
        each.lease.set(until);
        if until >= before {
            return;
        }
        let life = each.life;
        let guarded: Vec<u64> = each
            .runs
            .iter()
            .filter(|(_, state)| Rc::ptr_eq(&state.lease, &each.lease))
            .map(|(run, _)| *run)
            .collect();
        for run in guarded {
            self.after((until - mono).max(0), Event::RunDeadline { engine, life, run });
        }
    }

    /// Starts the runs of a firing. The supervisor of an exclusive run refuses when the lease is over already.
    fn start(&mut self, engine: usize, mut firing: Firing) {
        firing.whole |= self.scenario.seam == Some(Seam::EveryFiringIsWhole);
        self.check.begin(&firing);
        let life = self.engines[engine].life;
        let mono = self.engines[engine].now(self.world.now).mono;
        for start in firing.runs {
            let context = start.context;
            let run = start.run;
            let lease = self.engines[engine].lease.clone();
            let end_of_lease = lease.get();
            if firing.strict && mono >= end_of_lease {
                let end = RunEnd::silent(RunResult::Stopped(StopReason::LeaseLost));
                let message = Message::Input(Input::RunEnded { run, end });
                self.after(0, Event::Deliver { engine, life, message });
                continue;
            }
            if self.has_java(&context.job) {
                let (id, wall) = (self.engines[engine].id.clone(), self.world.wall());
                self.check.beside.begins(&context, &id, wall);
            }
            let job = context.job;
            self.note(|| {
                format!(
                    "engine {engine} RUNS {job}/{} {} attempt {}",
                    context.item, context.fire, context.attempt
                )
            });
            self.check.start(&job, context.item, context.run_id, context.token);
            let takes = self.run_length();
            let failures = if self.healed { 0 } else { self.scenario.failures };
            let end = if self.world.rng.chance(failures) {
                let kind = if self.world.rng.chance(200) { FailureKind::Panic } else { FailureKind::Job };
                RunResult::Failed { kind, reason: "it failed on purpose".into() }
            } else {
                RunResult::Succeeded
            };
            let state =
                Run { job, item: context.item, run_id: context.run_id, strict: firing.strict, end, lease };
            self.engines[engine].runs.insert(run, state);
            self.after(takes, Event::RunOver { engine, life, run });
            if firing.strict {
                self.after(end_of_lease - mono, Event::RunDeadline { engine, life, run });
            }
        }
    }

    /// How long a run takes that begins now.
    pub fn run_length(&mut self) -> Millis {
        let longest = if self.healed { 150 } else { self.scenario.longest_run };
        let long = if self.world.rng.chance(800) { longest / 5 + 2 } else { longest };
        let takes = self.world.rng.range(1, long + 1);
        // Those that the last crash is to meet go on for a while.
        let crash = self.scenario.heal_at + LAST_CRASH;
        let is_met = self.scenario.last_crash && (crash - 2_000..=crash).contains(&self.world.now);
        if is_met { 2_500 } else { takes }
    }

    pub fn run_over(&mut self, engine: usize, life: u64, run: u64) {
        let each = &mut self.engines[engine];
        if each.life != life {
            return;
        }
        let Some(state) = each.runs.remove(&run) else { return };
        let wall = self.world.wall();
        self.check.stop(&state.job, state.item, state.run_id, wall);
        self.note(|| format!("engine {engine}: {}/{} is over: {:?}", state.job, state.item, state.end));
        let message = Message::Input(Input::RunEnded { run, end: RunEnd::silent(state.end) });
        self.deliver(engine, life, message);
    }

    /// The supervisor looks at the lease, whether the engine stands still or not.
    pub fn run_deadline(&mut self, engine: usize, life: u64, run: u64) {
        let each = &mut self.engines[engine];
        let mono = each.now(self.world.now).mono;
        let Some(state) = each.runs.get(&run).filter(|state| each.life == life && state.strict) else {
            return;
        };
        if state.lease.get() > mono {
            let wait = state.lease.get() - mono;
            self.after(wait, Event::RunDeadline { engine, life, run });
            return;
        }
        if let Some(state) = each.runs.get_mut(&run) {
            state.end = RunResult::Stopped(StopReason::LeaseLost);
        }
        self.run_over(engine, life, run);
    }

    /// A full reading now and then, whatever the hints said.
    pub fn resync(&mut self, engine: usize, life: u64) {
        if self.engines[engine].life != life {
            return;
        }
        if self.engines[engine].connection.as_ref().is_some_and(|connection| !connection.noticed) {
            self.deliver(engine, life, Message::Input(Input::Hint(Hint::Everything)));
        }
        self.after(30_000, Event::Resync { engine, life });
    }

    /// A process that stood still goes on: what waited for it comes first, in order.
    pub fn resume(&mut self, engine: usize) {
        if !self.engines[engine].paused {
            return;
        }
        self.note(|| format!("engine {engine} goes on"));
        self.engines[engine].paused = false;
        self.engines[engine].unsteady_at = self.world.now;
        while let Some(message) = self.engines[engine].inbox.pop_front() {
            self.take(engine, message);
        }
        self.engines[engine].settle_at = None;
        self.engines[engine].wake_at = None;
        if self.engines[engine].core.is_some() {
            self.settle_soon(engine);
        }
    }
}
