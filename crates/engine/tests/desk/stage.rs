//! The stage: instances around their cores, a registry without latency, a clock that only [`Desk::pass`] moves.
//!
//! What the engine's shell does is done here at once and in order, so that a test sees decisions and nothing else. A few
//! things that decisions depend on are modelled as they are: the event bus keeps what is recorded for [`STORED_AFTER`] before
//! it is safe from a crash; a run holds the lease of the session that it was started in, and a stubborn one ends by that
//! alone; each job is read anew once in [`REFRESH`], whatever the hints said; hints about marks and cursors are passed on only
//! while the core asks for them. At every instant no item of a strict job may run twice ([`Desk::pass`] panics).

mod told;

use super::instance::Instance;
pub use super::jobs::{EACH_SECOND, EVERY_TWO_MINUTES, NEVER, job};
use clockwright_engine::core::Core;
use clockwright_engine::core::{CoreOptions, Effect, Firing, Given, Input, Now, OnRegistryLoss};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Keys;
use clockwright_model::{
    Event, FailureKind, Fire, InstanceId, Item, JobName, JobSettings, Millis, RunId, Source,
};
use clockwright_registry::{Error, Hint, Op, Path};
use clockwright_runtime::{RunEnd, RunResult, StopReason};
use clockwright_testkit::sim::{EPOCH, Shared, subtree};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How long an event is lost with its process, milliseconds: the bus stores a batch that often.
pub const STORED_AFTER: Millis = 50;
/// How often each job is read anew, milliseconds.
pub const REFRESH: Millis = 60_000;
/// What sessions are given, milliseconds.
pub const SESSION: Millis = 6_000;
/// How long a run gets between being asked to stop and being killed, milliseconds.
pub const STOP_GRACE: Millis = 5_000;
/// Rounds at one instant that are a loop without end.
const MOST_ROUNDS: usize = 2_000;

/// An instance on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who(pub usize);

/// What a job's code does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// It takes this long and succeeds.
    Succeeds(Millis),
    /// It takes this long and fails.
    Fails(Millis),
    /// It goes on until the test ends it ([`Desk::end`]).
    Waits,
    /// As `Waits`, and it does not end when it is asked to: only when it is killed.
    Stubborn,
}

/// A run that goes on now.
#[derive(Debug, Clone)]
pub struct Live {
    pub who: Who,
    pub run: u64,
    pub job: String,
    pub item: Item,
    pub fire: Fire,
    pub source: Source,
    pub attempt: u32,
    pub run_id: RunId,
    pub token: i64,
    pub since: Millis,
    /// What the core says of its firing.
    pub whole: bool,
    strict: bool,
    stubborn: bool,
    ends: Option<(Millis, RunResult)>,
    /// Asked to stop: killed at this time, at the latest.
    stopped: Option<(Millis, StopReason)>,
    /// Until when its session's lease reaches (mono).
    lease: Rc<Cell<Millis>>,
}

/// A run's whole life, as the test may want to look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub who: Who,
    pub item: Item,
    pub fire: Fire,
    pub source: Source,
    pub attempt: u32,
    pub token: i64,
    pub from: Millis,
    pub to: Option<Millis>,
}

/// Refuses some commits.
type Guard = Box<dyn Fn(&[Op]) -> Option<Error>>;

/// Which commits' answers get lost, or are late.
type Deaf = Box<dyn Fn(&[Op]) -> bool>;

/// Which hints are late.
type Late = Box<dyn Fn(&Path) -> bool>;

pub struct Desk {
    pub now: Millis,
    pub keys: Keys,
    pub registry: Shared,
    /// What jobs that instances start with are made in.
    pub layout: Option<Layout>,
    /// What instances that are started do with what a registry lost.
    pub on_registry_loss: OnRegistryLoss,
    /// The generation of the registry's data.
    pub(super) generation: i64,
    jobs: Vec<JobSettings>,
    code: BTreeMap<String, Code>,
    pub(super) instances: Vec<Instance>,
    live: Vec<Live>,
    runs: Vec<(String, RunId, Ran)>,
    /// What is stored for good.
    pub(super) stored: Vec<Event>,
    /// What subscribers hear of.
    pub(super) heard: Vec<Event>,
    guard: Option<Guard>,
    deaf: Option<Deaf>,
    slow: Option<Deaf>,
    blind: Option<Error>,
    late: Option<Late>,
    /// Instances decide after each single thing that they hear.
    hasty: bool,
    /// Commits that were sent, by when, and what became of them where that is not well.
    commits: Vec<(Millis, Who, Option<Error>)>,
    seen: usize,
    /// Steps without time going by.
    moves: usize,
}

impl Desk {
    /// A stage on which one instance has served one job with this code for half a second when it is triggered.
    pub fn triggered(job: JobSettings, code: Code) -> (Self, Who) {
        let name = job.name.as_str().to_owned();
        let mut desk = Self::new(&[job]);
        desk.code(&name, code);
        let who = desk.start();
        desk.pass(500);
        desk.trigger(&name);
        (desk, who)
    }

    /// A stage on which every instance serves these jobs. Their code succeeds after 100 ms, where nothing else is said.
    pub fn new(jobs: &[JobSettings]) -> Self {
        let registry = Shared::default();
        registry.lock().wall = EPOCH;
        Self {
            now: 0,
            keys: Keys::new("ns").unwrap(),
            registry,
            layout: None,
            on_registry_loss: OnRegistryLoss::default(),
            generation: 0,
            jobs: jobs.to_vec(),
            code: BTreeMap::new(),
            instances: Vec::new(),
            live: Vec::new(),
            runs: Vec::new(),
            stored: Vec::new(),
            heard: Vec::new(),
            guard: None,
            deaf: None,
            slow: None,
            blind: None,
            late: None,
            hasty: false,
            commits: Vec::new(),
            seen: 0,
            moves: 0,
        }
    }

    /// What a job's code does from now on; runs that go on are not changed.
    pub fn code(&mut self, job: &str, code: Code) {
        self.code.insert(job.to_owned(), code);
    }

    /// A new process, which connects at once.
    pub fn start(&mut self) -> Who {
        self.start_with_clock(0)
    }

    /// A new process on a machine whose clock is wrong by this much, milliseconds.
    pub fn start_with_clock(&mut self, offset: Millis) -> Who {
        let jobs = self.jobs.clone();
        self.start_serving(&jobs, offset)
    }

    /// A new process with settings of its own for its jobs.
    pub fn start_serving(&mut self, jobs: &[JobSettings], offset: Millis) -> Who {
        self.start_given(jobs.iter().cloned().map(Given::from).collect(), offset)
    }

    /// A new process that knows a job by its name alone.
    pub fn start_naming(&mut self, job: &str) -> Who {
        self.start_given(vec![Given::Name(JobName::new(job).unwrap())], 0)
    }

    fn start_given(&mut self, jobs: Vec<Given>, offset: Millis) -> Who {
        let number = self.instances.len();
        let id = InstanceId::of_process(&format!("10.0.0.{}", number + 1), 100, 0);
        let options = CoreOptions {
            keys: self.keys.clone(),
            instance: id.clone(),
            hostname: format!("host{number}"),
            seed: number as u64 + 1,
            tolerance: 1_000,
            layout: self.layout,
            on_registry_loss: self.on_registry_loss,
            #[cfg(feature = "mutations")]
            mutation: None,
        };
        let names = jobs.iter().map(|job| Some(job.name().as_str().to_owned())).collect();
        let core = Core::new(options, jobs);
        let who = Who(number);
        self.instances.push(Instance::new(id, core, names, offset, self.now));
        self.connect(who);
        self.quiesce();
        who
    }

    pub fn id(&self, who: Who) -> InstanceId {
        self.instances[who.0].id.clone()
    }

    /// Lets time go by.
    pub fn pass(&mut self, wait: Millis) {
        let end = self.now + wait;
        loop {
            self.quiesce();
            match self.next_event() {
                Some(at) if at <= end => self.move_to(at),
                _ => break,
            }
        }
        self.move_to(end);
        self.quiesce();
    }

    /// Lets time go by until something is so; panics when that takes longer than `longest`.
    #[track_caller]
    pub fn pass_until(&mut self, longest: Millis, what: &str, so: impl Fn(&Self) -> bool) {
        let end = self.now + longest;
        self.quiesce();
        while !so(self) {
            let next = self.next_event().filter(|at| *at <= end);
            let Some(at) = next else { panic!("not within {longest} ms: {what}\n{}", self.told()) };
            self.move_to(at);
            self.quiesce();
        }
    }

    /// The runs of a job that go on now, by item.
    pub fn running(&self, job: &str) -> Vec<Live> {
        let mut running: Vec<Live> = self.live.iter().filter(|run| run.job == job).cloned().collect();
        running.sort_by_key(|run| (run.item, run.since));
        running
    }

    /// All runs that a job ever had, in the order of their starts.
    pub fn ran(&self, job: &str) -> Vec<Ran> {
        self.runs.iter().filter(|(name, ..)| name == job).map(|(_, _, ran)| ran.clone()).collect()
    }

    /// Ends a run that goes on.
    pub fn end(&mut self, run: &Live, result: RunResult) {
        let found = self.live.iter_mut().find(|live| live.run_id == run.run_id);
        found.expect("it goes on").ends = Some((self.now, result));
        self.quiesce();
    }

    /// Ends all runs of a job that go on.
    pub fn end_all(&mut self, job: &str) {
        for run in self.running(job) {
            self.end(&run, RunResult::Succeeded);
        }
    }

    /// From now on the registry refuses what this says.
    pub fn refuse(&mut self, guard: impl Fn(&[Op]) -> Option<Error> + 'static) {
        self.guard = Some(Box::new(guard));
    }

    /// From now on the answers to these commits get lost, after they were carried out.
    pub fn lose_answers(&mut self, to: impl Fn(&[Op]) -> bool + 'static) {
        self.deaf = Some(Box::new(to));
    }

    /// From now on the answers to these commits come only when [`deliver_answers`](Self::deliver_answers) is called: what is read meanwhile
    /// overtakes them.
    pub fn delay_answers(&mut self, to: impl Fn(&[Op]) -> bool + 'static) {
        self.slow = Some(Box::new(to));
    }

    /// All answers that were late arrive, and none is late any more.
    pub fn deliver_answers(&mut self) {
        self.slow = None;
        for instance in &mut self.instances {
            instance.inbox.append(&mut instance.unanswered);
        }
        self.quiesce();
    }

    /// From now on nothing can be read.
    pub fn hide(&mut self, error: Error) {
        self.blind = Some(error);
    }

    /// From now on the registry refuses nothing, and no answer gets lost.
    pub fn allow(&mut self) {
        self.guard = None;
        self.deaf = None;
        self.blind = None;
    }

    /// From now on instances decide after each single hint and answer, as on a machine that is busy with other things.
    pub fn decide_in_haste(&mut self) {
        self.hasty = true;
    }

    /// From now on hints about some nodes come only when [`deliver_hints`](Self::deliver_hints) is called: nodes are read at
    /// different times.
    pub fn delay_hints(&mut self, of: impl Fn(&Path) -> bool + 'static) {
        self.late = Some(Box::new(of));
    }

    /// All hints that were late arrive, and none is late any more.
    pub fn deliver_hints(&mut self) {
        self.late = None;
        for instance in &mut self.instances {
            let late = std::mem::take(&mut instance.late);
            instance.inbox.extend(late.into_iter().map(|path| Input::Hint(Hint::Path(path))));
        }
        self.quiesce();
    }

    fn move_to(&mut self, at: Millis) {
        self.moves = if at > self.now { 0 } else { self.moves + 1 };
        assert!(self.moves < MOST_ROUNDS, "time stands still at {}\n{}", self.now, self.told());
        self.now = self.now.max(at);
        self.registry.lock().wall = EPOCH + self.now;
    }

    /// When the next thing happens by itself.
    fn next_event(&self) -> Option<Millis> {
        let runs = self.live.iter().filter_map(Live::next);
        let instances = self.instances.iter().filter_map(Instance::next);
        runs.chain(instances).min()
    }

    /// Does all that is to be done at this instant.
    pub(super) fn quiesce(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let mut busy = self.expire_sessions();
            busy |= self.end_runs();
            self.pass_hints();
            for number in 0..self.instances.len() {
                busy |= self.decide(Who(number));
            }
            self.pass_hints();
            self.no_item_runs_twice();
            if !busy && self.instances.iter().all(Instance::is_quiet) {
                return;
            }
        }
        panic!("the instances spin at {} without time going by\n{}", self.now, self.told());
    }

    #[track_caller]
    fn no_item_runs_twice(&self) {
        for (place, run) in self.live.iter().enumerate() {
            let other =
                self.live[..place].iter().find(|other| (&other.job, other.item) == (&run.job, run.item));
            if let Some(other) = other.filter(|_| run.strict) {
                panic!(
                    "item {} of {} runs twice at {}: {other:?} and {run:?}\n{}",
                    run.item,
                    run.job,
                    self.now,
                    self.told()
                );
            }
        }
    }

    /// Ends the runs whose time has come.
    fn end_runs(&mut self) -> bool {
        let now = self.now;
        let (over, live): (Vec<Live>, Vec<Live>) = std::mem::take(&mut self.live)
            .into_iter()
            .partition(|run| run.next().is_some_and(|at| at <= now));
        self.live = live;
        for run in &over {
            let result = run.result(now);
            if let Some((_, _, ran)) = self.runs.iter_mut().find(|(_, id, _)| *id == run.run_id) {
                ran.to = Some(now);
            }
            let input = Input::RunEnded { run: run.run, end: RunEnd::silent(result) };
            self.instances[run.who.0].inbox.push_back(input);
        }
        !over.is_empty()
    }

    /// Sessions that nothing was heard of for their timeout end.
    fn expire_sessions(&mut self) -> bool {
        let mut expired = false;
        for number in 0..self.instances.len() {
            let instance = &self.instances[number];
            let Some(session) = instance.session else { continue };
            if instance.silent_since.is_some_and(|since| self.now - since >= SESSION)
                && self.registry.lock().leader.lives(session)
            {
                self.registry.lock().leader.end_session(session);
                self.instances[number].silent_since = None;
                expired = true;
            }
        }
        expired
    }

    /// Tells everybody who is connected what has changed.
    fn pass_hints(&mut self) {
        let inner = self.registry.lock();
        let paths: Vec<Path> = inner.leader.log[self.seen..]
            .iter()
            .flat_map(|txn| txn.changes.iter().map(|change| change.path.clone()))
            .collect();
        self.seen = inner.leader.log.len();
        drop(inner);
        for instance in self.instances.iter_mut().filter(|instance| instance.hears()) {
            for path in &paths {
                let watched =
                    path.below(self.keys.root()).is_some() || path.below(&self.keys.leases()).is_some();
                let of_runs = matches!(path.name(), "running" | "cursor");
                if !watched || (of_runs && !instance.run_hints) {
                    continue;
                }
                if self.late.as_ref().is_some_and(|late| late(path)) {
                    instance.late.push(path.clone());
                } else {
                    instance.inbox.push_back(Input::Hint(Hint::Path(path.clone())));
                }
            }
        }
    }

    /// Lets one instance take in what waits for it, decide, and do what it decided. True when there was anything.
    fn decide(&mut self, who: Who) -> bool {
        let now = self.now;
        let instance = &mut self.instances[who.0];
        instance.store(now, &mut self.stored);
        if !instance.works() {
            return false;
        }
        let clock = instance.clock(now);
        let refreshed = instance.refresh(now);
        let due = instance.wake_at <= now || refreshed;
        if instance.inbox.is_empty() && !due {
            return false;
        }
        let mut lost = false;
        while let Some(input) = instance.inbox.pop_front() {
            lost |= matches!(input, Input::SessionLost);
            if let Some(core) = &mut instance.core {
                core.step(input, clock);
            }
            if self.hasty {
                break;
            }
        }
        let Some(core) = &mut instance.core else { return false };
        let effects = core.decide(clock);
        instance.run_hints = core.wants_run_hints();
        instance.wake_at = now + core.next_wake(clock).max(0);
        for effect in effects {
            self.carry_out(who, effect, clock);
        }
        if lost {
            self.connect(who);
        }
        true
    }

    fn carry_out(&mut self, who: Who, effect: Effect, clock: Now) {
        let at = self.now;
        match effect {
            Effect::Read { id, paths } => {
                let nodes = self.sees(who).map(|()| {
                    paths.iter().map(|path| (path.clone(), self.registry.node(path))).collect::<Vec<_>>()
                });
                self.instances[who.0].inbox.push_back(Input::Nodes { id, nodes, paths });
            }
            Effect::Tree { id, root } => {
                let nodes = self.sees(who).map(|()| subtree(&self.registry.lock().leader.tree, &root));
                self.instances[who.0].inbox.push_back(Input::Tree { id, root, nodes });
            }
            Effect::Commit { id, ops } => {
                let result = self.commit(who, &ops);
                self.commits.push((at, who, result.as_ref().err().cloned()));
                let late = self.slow.as_ref().is_some_and(|slow| slow(&ops));
                let instance = &mut self.instances[who.0];
                let answers = if late { &mut instance.unanswered } else { &mut instance.inbox };
                answers.push_back(Input::Committed { id, result });
            }
            Effect::Renew => {
                let id = self.instances[who.0].id.clone();
                let ops = [Op::check(self.keys.lease(&id)), Op::set(self.keys.beat(&id), "")];
                let result = self.commit(who, &ops).map(drop);
                if matches!(result, Err(Error::Conflict { .. })) {
                    // Somebody deleted the lease: the shell gives the session up.
                    if let Some(session) = self.instances[who.0].session.take() {
                        self.registry.lock().leader.end_session(session);
                    }
                    self.instances[who.0].inbox.push_back(Input::SessionLost);
                }
                self.instances[who.0].inbox.push_back(Input::Renewed { sent: clock.mono, result });
            }
            Effect::LeaseUntil(until) => self.instances[who.0].lease.set(until),
            Effect::Start(firing) => self.start_runs(who, *firing, clock),
            Effect::Stop { run, reason } => {
                let grace = self.now + STOP_GRACE;
                let live = self.live.iter_mut().find(|live| live.who == who && live.run == run);
                if let Some(live) = live {
                    let by = if live.stubborn { grace } else { at };
                    live.stopped.get_or_insert((by, reason));
                }
            }
            Effect::WindDown { .. } => {}
            Effect::Record(event) => {
                self.heard.push(event.clone());
                self.instances[who.0].bus.push_back((at + STORED_AFTER, event));
            }
            Effect::RecordAgain(event) => self.instances[who.0].bus.push_back((at + STORED_AFTER, event)),
            Effect::Tell(notice) => self.instances[who.0].told.push((at, notice.text)),
            Effect::Removed { job } => self.instances[who.0].jobs[job] = None,
            Effect::Left => {
                let instance = &mut self.instances[who.0];
                self.stored.extend(instance.bus.drain(..).map(|(_, event)| event));
                instance.core = None;
                if let Some(session) = instance.session.take() {
                    self.registry.lock().leader.end_session(session);
                }
            }
        }
    }

    fn start_runs(&mut self, who: Who, firing: Firing, clock: Now) {
        for start in firing.runs {
            let context = start.context;
            let job = context.job.as_str().to_owned();
            let code = self.code.get(&job).cloned().unwrap_or(Code::Succeeds(100));
            let ends = match code {
                Code::Succeeds(takes) => Some((self.now + takes, RunResult::Succeeded)),
                Code::Fails(takes) => {
                    let reason = "no luck".into();
                    Some((self.now + takes, RunResult::Failed { kind: FailureKind::Job, reason }))
                }
                Code::Waits | Code::Stubborn => None,
            };
            let lease = self.instances[who.0].lease.clone();
            if firing.strict && clock.mono >= lease.get() {
                let end = RunEnd::silent(RunResult::Stopped(StopReason::LeaseLost));
                self.instances[who.0].inbox.push_back(Input::RunEnded { run: start.run, end });
                continue;
            }
            let ran = Ran {
                who,
                item: context.item,
                fire: context.fire.clone(),
                source: context.source,
                attempt: context.attempt,
                token: context.token,
                from: self.now,
                to: None,
            };
            self.runs.push((job.clone(), context.run_id, ran));
            self.live.push(Live {
                who,
                run: start.run,
                job,
                item: context.item,
                fire: context.fire,
                source: context.source,
                attempt: context.attempt,
                run_id: context.run_id,
                token: context.token,
                since: self.now,
                whole: firing.whole,
                strict: firing.strict,
                stubborn: code == Code::Stubborn,
                ends,
                stopped: None,
                lease,
            });
        }
    }

    /// Whether an instance reaches the registry.
    fn reached(&self, who: Who) -> Result<(), Error> {
        let instance = &self.instances[who.0];
        match instance.session {
            Some(_) if instance.cut => Err(Error::Unavailable("not connected".to_owned())),
            Some(session) if !self.registry.lock().leader.lives(session) => Err(Error::SessionLost),
            Some(_) => Ok(()),
            None => Err(Error::SessionLost),
        }
    }

    fn sees(&self, who: Who) -> Result<(), Error> {
        self.reached(who)?;
        self.blind.clone().map_or(Ok(()), Err)
    }

    fn commit(&mut self, who: Who, ops: &[Op]) -> Result<clockwright_registry::Commit, Error> {
        self.reached(who)?;
        if let Some(error) = self.guard.as_ref().and_then(|guard| guard(ops)) {
            return Err(error);
        }
        let session = self.instances[who.0].session.unwrap_or_default();
        let result = self.registry.commit(session, ops);
        let lost = self.deaf.as_ref().is_some_and(|deaf| deaf(ops));
        if std::mem::take(&mut self.instances[who.0].loses_answer) || lost {
            return Err(Error::Unknown("the answer was lost".to_owned()));
        }
        result
    }

    /// What the shell does to open a session: parents, lease and beat, and its input to the core.
    pub(super) fn connect(&mut self, who: Who) {
        if self.instances[who.0].cut || self.instances[who.0].core.is_none() {
            return;
        }
        let id = self.instances[who.0].id.clone();
        let session = {
            let mut inner = self.registry.lock();
            let now = self.now;
            inner.leader.open_session(SESSION, now)
        };
        for path in
            [self.keys.root().clone(), self.keys.own_root().clone(), self.keys.leases(), self.keys.beats()]
        {
            // It may be there already.
            let _ = self.registry.commit(session, &[Op::create(path, "")]);
        }
        for path in [self.keys.lease(&id), self.keys.beat(&id)] {
            // Of an earlier session of this process.
            let _ = self.registry.commit(session, &[Op::delete(path.clone())]);
            self.registry.commit(session, &[Op::create_ephemeral(path, "")]).unwrap();
        }
        let instance = &mut self.instances[who.0];
        instance.session = Some(session);
        instance.silent_since = None;
        instance.lease = Rc::default();
        instance.refreshed = self.now;
        let lease_sent = instance.clock(self.now).mono;
        let (generation, layout) = (self.generation, self.layout);
        let managed = self.registry.node(&self.keys.control()).is_some();
        let connected =
            Input::Connected { session, timeout: SESSION, generation, lease_sent, layout, managed };
        instance.inbox.push_back(connected);
    }

    /// Takes the runs of a dead process away.
    pub(super) fn bury(&mut self, who: Who) {
        for run in self.live.iter().filter(|run| run.who == who) {
            if let Some((_, _, ran)) = self.runs.iter_mut().find(|(_, id, _)| *id == run.run_id) {
                ran.to = Some(self.now);
            }
        }
        self.live.retain(|run| run.who != who);
    }
}

impl Live {
    /// When it ends.
    fn next(&self) -> Option<Millis> {
        let ends = self.ends.as_ref().map(|(at, _)| *at);
        let stopped = self.stopped.map(|(at, _)| at);
        let lease = self.strict.then(|| self.lease.get() - super::instance::MONO);
        [ends, stopped, lease].into_iter().flatten().min()
    }

    fn result(&self, now: Millis) -> RunResult {
        match (&self.ends, self.stopped) {
            (Some((at, result)), _) if *at <= now => result.clone(),
            (_, Some((_, reason))) => RunResult::Stopped(reason),
            _ => RunResult::Stopped(StopReason::LeaseLost),
        }
    }
}
