//! Carrying effects out: the only IO of an engine.

use crate::core::{Effect, Firing, Input, Notice, Now};
use crate::listeners::{self, RunReport};
use crate::message::{Message, Ready, Removed};
use crate::options::{Code, EngineOptions, JobDefinition};
use bytes::Bytes;
use clockwright_events::Bus;
use clockwright_fleet::keys::Keys;
use clockwright_model::{Event, FailureKind, JobSettings, Millis, Reason, Settlement, ShardContext};
use clockwright_registry::keeper::Opened;
use clockwright_registry::{Batcher, Error, Hint, Keeper, Node, Op, Path, Session, SharedRegistry};
use clockwright_runtime::{Control, Output, RunEnd, RunResult, RunSpec, Stop};
use futures::FutureExt;
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long closing the session may take at the end: when the registry is reached, and when it is not.
const FAREWELL: (Duration, Duration) = (Duration::from_secs(9), Duration::from_secs(1));
/// How long a shutdown goes on trying to write the last outcomes after everything was stopped, milliseconds.
const LAST_WORD: Millis = 5_000;
/// The same where all has to be over at a given time, and what is left after it for closing the session: at most so many milliseconds,
/// and a quarter of the time.
const SHORT_WORD: Millis = 1_000;
/// How long runs that were dropped may take to be gone.
const GOING: Duration = Duration::from_secs(1);
/// Outcomes that wait for a subscriber who does not keep up.
const OUTCOMES: usize = 1_024;
/// Transactions on their way at once.
const COMMITS_IN_FLIGHT: usize = 8;
/// Jobs read anew in a second at most, so that the backstop against lost hints stays cheap with thousands of jobs.
const REFRESHES_PER_SECOND: usize = 30;
/// Subtrees that are read together, and such readings on their way at once.
const TREES_AT_ONCE: usize = 32;
const TREES_IN_FLIGHT: usize = 4;

/// Everything that an engine does to the world.
pub(crate) struct Shell {
    keeper: Arc<Keeper>,
    /// The jobs by their numbers.
    jobs: Vec<Option<Served>>,
    bus: Bus,
    options: EngineOptions,
    session: Live,
    inputs: UnboundedSender<Message>,
    /// Until when the exclusive runs of this session may go on.
    lease: watch::Sender<Millis>,
    stops: HashMap<u64, watch::Sender<Stop>>,
    /// Whether hints about marks and cursors are passed on.
    run_hints: Arc<AtomicBool>,
    /// The places at the bus of the outcomes that are not known to be stored yet, and how many are.
    storing: VecDeque<u64>,
    stored: u64,
    trees: Arc<Semaphore>,
    /// Runs with what is called around them. They end with the shell.
    tasks: JoinSet<()>,
    /// Where outcomes are told to whoever subscribed.
    pub(crate) outcomes: broadcast::Sender<Arc<Settlement>>,
    /// The core has nothing left to do.
    pub(crate) left: bool,
    leave_by: Option<Millis>,
    /// When the engine must have ended, if that was said, and how long before that it begins to close the session.
    end_by: Millis,
    closing: Millis,
    hurried: bool,
    /// Which job is read anew next, and when (mono).
    refresh: (usize, Millis),
}

/// A job that this engine has.
struct Served {
    job: Arc<JobDefinition>,
    /// Whether its streams should come to an end by themselves; `None` as long as nothing of it has run: that is so of most jobs.
    wind_down: Option<watch::Sender<bool>>,
    /// Who waits for it to be left.
    waiting: Vec<Removed>,
}

impl Served {
    fn new(job: JobDefinition) -> Self {
        Self { job: Arc::new(job), wind_down: None, waiting: Vec::new() }
    }

    fn wind_down(&mut self) -> &watch::Sender<bool> {
        self.wind_down.get_or_insert_with(|| watch::Sender::new(false))
    }
}

struct Live {
    /// Its number; `None` when it is over and there is no other one yet.
    number: Option<u64>,
    registry: SharedRegistry,
    batcher: Arc<Batcher>,
}

impl Live {
    fn new(opened: Opened<Ready>) -> (Self, Input) {
        let Opened { registry, number, generation, ready } = opened;
        let Ready { lease_sent, layout, managed, .. } = ready;
        let batcher = Arc::new(Batcher::new(registry.clone(), COMMITS_IN_FLIGHT));
        let terms = registry.terms();
        let connected = Input::Connected {
            session: terms.session,
            timeout: terms.timeout,
            generation,
            lease_sent,
            layout,
            managed,
        };
        (Self { number: Some(number), registry, batcher }, connected)
    }
}

impl Shell {
    pub(crate) fn new(
        keeper: Keeper,
        jobs: Vec<JobDefinition>,
        bus: Bus,
        options: EngineOptions,
        first: Opened<Ready>,
        inputs: UnboundedSender<Message>,
        run_hints: Arc<AtomicBool>,
    ) -> Self {
        let number = first.number;
        let (session, connected) = Live::new(first);
        let _ = inputs.send(Message::Session { session: number, input: connected });
        Self {
            keeper: Arc::new(keeper),
            jobs: jobs.into_iter().map(|job| Some(Served::new(job))).collect(),
            bus,
            options,
            session,
            inputs,
            lease: watch::Sender::new(0),
            stops: HashMap::new(),
            run_hints,
            storing: VecDeque::new(),
            stored: 0,
            trees: Arc::new(Semaphore::new(TREES_IN_FLIGHT)),
            tasks: JoinSet::new(),
            outcomes: broadcast::channel(OUTCOMES).0,
            left: false,
            leave_by: None,
            end_by: Millis::MAX,
            closing: 0,
            hurried: false,
            refresh: (0, crate::clock::mono() + 1_000),
        }
    }

    pub(crate) fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Takes in the code of one more job; returns its number.
    pub(crate) fn admit(&mut self, job: JobDefinition) -> usize {
        let number = self.jobs.iter().position(Option::is_none).unwrap_or(self.jobs.len());
        if number == self.jobs.len() {
            self.jobs.push(None);
        }
        self.jobs[number] = Some(Served::new(job));
        number
    }

    /// Somebody waits for a job to be left. Returns until when what it runs may go on (mono).
    pub(crate) fn removing(&mut self, job: usize, answer: Removed, now: Now) -> Millis {
        if let Some(served) = &mut self.jobs[job] {
            served.waiting.push(answer);
        }
        now.mono + self.options.shutdown_grace
    }

    /// Whether a shutdown began.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leave_by.is_some()
    }

    /// Whether hints about marks and cursors matter now.
    pub(crate) fn pass_run_hints(&self, pass: bool) {
        self.run_hints.store(pass, Ordering::Release);
    }

    /// Whether the session of this number is the present one.
    pub(crate) fn is_in(&self, session: u64) -> bool {
        self.session.number == Some(session)
    }

    /// The session is over; the keeper opens another one. What it started must be gone now, and that is said before anything of
    /// the next session, whose lease is another one.
    pub(crate) fn lost(&mut self, now: Now) {
        self.lease.send_replace(now.mono);
        // Whatever still arrives from the old session has a number that nobody listens to.
        self.session.number = None;
        if self.leave_by.is_some() {
            let keeper = Arc::clone(&self.keeper);
            tokio::spawn(async move { keeper.stop(FAREWELL.1).await });
        }
    }

    /// Another session is open.
    pub(crate) fn opened(&mut self, opened: Opened<Ready>) -> Input {
        let (session, connected) = Live::new(opened);
        self.session = session;
        // What was started in the session before keeps the deadline that its end was.
        self.lease = watch::Sender::new(0);
        connected
    }

    /// A shutdown began, or is to be over sooner.
    pub(crate) fn leaving(&mut self, at_once: bool, end_by: Option<Millis>, now: Now) {
        if let Some(end_by) = end_by.filter(|end_by| *end_by < self.end_by) {
            self.end_by = end_by;
            self.closing = ((end_by - now.mono) / 4).clamp(0, SHORT_WORD);
        }
        let grace = if at_once { 0 } else { self.options.shutdown_grace };
        let latest = self.end_by - self.options.stop_grace - 2 * self.closing;
        let by = now.mono.saturating_add(grace).min(latest.max(now.mono));
        self.leave_by = Some(self.leave_by.map_or(by, |earlier| earlier.min(by)));
        self.hurried |= at_once;
    }

    /// When [`due`](Self::due) has something at the latest, milliseconds from now.
    pub(crate) fn next_wake(&self, now: Now) -> Millis {
        let leave = self.leave_by.filter(|_| !self.hurried).unwrap_or(Millis::MAX);
        let end = if self.left { self.patience_until() } else { self.abandon_at() };
        self.refresh.1.min(leave).min(end) - now.mono
    }

    /// Whether a shutdown must end now, whatever is not written yet: the registry does not let us finish, or there is no more time.
    pub(crate) fn must_end(&self, now: Now) -> bool {
        now.mono >= self.abandon_at()
    }

    /// By then the grace is over, the last run was killed, and its outcome could have been written.
    fn abandon_at(&self) -> Millis {
        self.patience_until().saturating_add(LAST_WORD).min(self.end_by - self.closing)
    }

    /// By then the last run was killed, and whatever is called after runs is waited for no longer.
    fn patience_until(&self) -> Millis {
        let last = self.leave_by.map_or(Millis::MAX, |by| by.saturating_add(self.options.stop_grace));
        last.min(self.end_by - self.closing)
    }

    /// Whether all is done that a shutdown does before it closes the session.
    pub(crate) fn is_done(&mut self, now: Now) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.left && (self.tasks.is_empty() || now.mono >= self.patience_until())
    }

    /// Returns when one more of the tasks has ended; never when there is none.
    pub(crate) async fn task_ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Inputs whose time has come: jobs to be read anew, the end of the grace period.
    pub(crate) fn due(&mut self, now: Now) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.leave_by.is_some_and(|by| now.mono >= by) && !self.hurried {
            self.hurried = true;
            inputs.push(Input::ShutdownNow);
        }
        if now.mono >= self.refresh.1 {
            let count = self.jobs.len();
            let rounds =
                (self.options.refresh.as_secs().max(1) as usize).max(count.div_ceil(REFRESHES_PER_SECOND));
            let share = count.div_ceil(rounds);
            for _ in 0..share {
                inputs.push(Input::Refresh(self.refresh.0));
                self.refresh.0 = (self.refresh.0 + 1) % count.max(1);
            }
            // Fewer jobs than seconds in the period: one job now and then.
            let pause =
                if count == 0 { 1_000 * rounds } else { (1_000 * rounds * share.max(1)).div_ceil(count) };
            self.refresh.1 = now.mono + (pause as Millis).max(1_000);
        }
        inputs
    }

    pub(crate) fn forget(&mut self, run: u64) {
        self.stops.remove(&run);
    }

    /// Ends what still runs, and then the session; true if that is over for sure.
    pub(crate) async fn close(&mut self) -> bool {
        let left = Duration::from_millis((self.end_by - crate::clock::mono()).max(0).unsigned_abs());
        let (instance, given_up) = (&self.options.instance, self.tasks.len());
        if given_up > 0 {
            tracing::warn!(%instance, "{given_up} run(s) and calls of listeners have not ended in time, and are given up");
        }
        if tokio::time::timeout(GOING.min(left), self.tasks.shutdown()).await.is_err() {
            tracing::warn!(%instance, "code that blocks its thread goes on; the session ends with it, and others take over then");
            return false;
        }
        let reached = *self.session.registry.session().borrow() == Session::Connected;
        let limit = if reached { FAREWELL.0 } else { FAREWELL.1 };
        let closed = self.keeper.stop(limit.min(left)).await;
        if let Err(error) = &closed {
            tracing::warn!(%instance, %error, "others take over when the registry session has timed out");
        }
        closed.is_ok()
    }

    /// Carries effects out, in order.
    pub(crate) fn apply(&mut self, effects: Vec<Effect>) {
        let mut reads: Vec<(u64, Vec<Path>)> = Vec::new();
        let mut trees: Vec<(u64, Path)> = Vec::new();
        for effect in effects {
            match effect {
                Effect::Read { id, paths } => reads.push((id, paths)),
                Effect::Tree { id, root } => trees.push((id, root)),
                Effect::Commit { id, ops } => self.commit(id, ops),
                Effect::Renew => self.renew(),
                Effect::LeaseUntil(until) => drop(self.lease.send_replace(until)),
                Effect::Start(firing) => self.start(*firing),
                Effect::Stop { run, reason } => {
                    if let Some(stop) = self.stops.get(&run) {
                        stop.send_replace(Stop::Now(reason));
                    }
                }
                Effect::WindDown { job, on } => {
                    if let Some(served) = &mut self.jobs[job]
                        && (on || served.wind_down.is_some())
                    {
                        served.wind_down().send_replace(on);
                    }
                }
                Effect::Removed { job } => {
                    for answer in self.jobs[job].take().map(|served| served.waiting).into_iter().flatten() {
                        let _ = answer.send(Ok(()));
                    }
                }
                Effect::Record(event) => {
                    self.tell_subscribers(&event);
                    self.record(event);
                }
                Effect::RecordAgain(event) => self.record(event),
                Effect::Tell(notice) => tell(&self.options.instance, &notice),
                Effect::Left => self.left = true,
            }
        }
        if !reads.is_empty() {
            self.read(reads);
        }
        while !trees.is_empty() {
            let rest = trees.split_off(trees.len().min(TREES_AT_ONCE));
            self.trees(std::mem::replace(&mut trees, rest));
        }
    }

    /// Costs nothing where nobody has subscribed.
    fn tell_subscribers(&self, event: &Event) {
        if let Event::Settlement(settlement) = event
            && self.outcomes.receiver_count() > 0
        {
            let _ = self.outcomes.send(Arc::new(settlement.clone()));
        }
    }

    fn record(&mut self, event: Event) {
        let is_outcome = matches!(event, Event::Settlement(_));
        let place = self.bus.publish_numbered(event);
        if is_outcome {
            self.storing.push_back(place);
        }
    }

    /// How many of the outcomes that were put on record are stored, if there are more than when it was asked last.
    pub(crate) fn stored(&mut self) -> Option<Input> {
        let first = *self.storing.front()?;
        let to = self.bus.stored_to();
        if first > to {
            return None;
        }
        let count = self.storing.iter().take_while(|place| **place <= to).count();
        self.storing.drain(..count);
        self.stored += count as u64;
        Some(Input::Stored { settlements: self.stored })
    }

    fn reply(&self) -> impl Fn(Input) + Send + Sync + 'static {
        let (inputs, session) = (self.inputs.clone(), self.session.number);
        move |input| {
            if let Some(session) = session {
                let _ = inputs.send(Message::Session { session, input });
            }
        }
    }

    fn commit(&self, id: u64, ops: Vec<Op>) {
        let reply = self.reply();
        self.session.batcher.submit(ops, move |result| reply(Input::Committed { id, result }));
    }

    /// All readings of one decision travel together.
    fn read(&self, reads: Vec<(u64, Vec<Path>)>) {
        let (registry, reply) = (self.session.registry.clone(), self.reply());
        tokio::spawn(async move {
            let all: Vec<Path> = reads.iter().flat_map(|(_, paths)| paths.iter().cloned()).collect();
            let answer = registry.read(&all).await;
            let mut nodes = answer.map(Vec::into_iter);
            for (id, paths) in reads {
                let nodes: Result<Vec<(Path, Option<Node>)>, Error> = match &mut nodes {
                    Ok(nodes) => Ok(paths.iter().cloned().zip(nodes.by_ref().take(paths.len())).collect()),
                    Err(error) => Err(error.clone()),
                };
                reply(Input::Nodes { id, nodes, paths });
            }
        });
    }

    /// Reads subtrees together. One that cannot be read does not stand in the way of the others.
    fn trees(&self, trees: Vec<(u64, Path)>) {
        let (registry, reply, room) = (self.session.registry.clone(), self.reply(), self.trees.clone());
        tokio::spawn(async move {
            let Ok(_permit) = room.acquire_owned().await else { return };
            let roots: Vec<Path> = trees.iter().map(|(_, root)| root.clone()).collect();
            let mut together = registry.trees(&roots).await.map(Vec::into_iter);
            for (id, root) in trees {
                let nodes = match &mut together {
                    Ok(found) => match found.next() {
                        Some(nodes) => Ok(nodes),
                        None => return,
                    },
                    Err(_) if roots.len() > 1 => registry.tree(&root).await,
                    Err(error) => Err(error.clone()),
                };
                reply(Input::Tree { id, root, nodes });
            }
        });
    }

    /// The lease travels alone: it must not wait behind a full pipe of claims.
    fn renew(&self) {
        let sent = crate::clock::mono();
        let (keys, me) = (&self.options.keys, &self.options.instance);
        let ops = vec![Op::check(keys.lease(me)), Op::set(keys.beat(me), Bytes::new())];
        let done = self.session.registry.commit(ops);
        let (keeper, session, reply) = (self.keeper.clone(), self.session.number, self.reply());
        tokio::spawn(async move {
            let result = done.await.map(drop);
            if let (Err(Error::Conflict { .. }), Some(session)) = (&result, session) {
                // Somebody deleted the lease of a living process; nothing can be proved with this session any more.
                keeper.give_up(session);
            }
            reply(Input::Renewed { sent, result });
        });
    }

    /// Something happened to this process's own lease node: whether it is still there is found out at once.
    pub(crate) fn look_at_lease(&self, hint: &Hint) {
        if matches!(hint, Hint::Path(path) if *path == self.options.keys.lease(&self.options.instance)) {
            self.renew();
        }
    }

    fn start(&mut self, firing: Firing) {
        let Some(served) = &mut self.jobs[firing.job] else { return };
        let (job, wind_down) = (Arc::clone(&served.job), served.wind_down().clone());
        let mut runs = Vec::with_capacity(firing.runs.len());
        for run in firing.runs {
            let (stop, stopped) = watch::channel(Stop::No);
            self.stops.insert(run.run, stop);
            let control = Control {
                stop: stopped,
                lease: firing.strict.then(|| self.lease.subscribe()),
                wind_down: wind_down.subscribe(),
                output: Output::default(),
            };
            let spec =
                RunSpec { context: run.context, timeout: firing.timeout, grace: self.options.stop_grace };
            runs.push((run.run, spec, control));
        }
        let (inputs, session) = (self.inputs.clone(), self.session.registry.clone());
        let settings = firing.settings;
        if !job.is_listened_to() {
            for (run, spec, control) in runs {
                let (job, settings) = (Arc::clone(&job), Arc::clone(&settings));
                let (inputs, session) = (inputs.clone(), session.clone());
                self.tasks.spawn(async move {
                    drop(run_one(&job.code, &settings, (run, spec, control), &inputs, session).await);
                });
            }
            return;
        }
        let keys = self.options.keys.clone();
        self.tasks.spawn(run_listened(job, settings, runs, firing.whole, inputs, session, keys));
    }
}

/// Runs one item and reports its end; a panic of the runtime itself, or of what makes it, is a failure of the run. The session lives at least as long as the
/// run: nobody may take the item over before nothing of it is left, also where the run is dropped.
async fn run_one(
    code: &Code,
    settings: &JobSettings,
    (run, spec, control): (u64, RunSpec, Control),
    inputs: &UnboundedSender<Message>,
    session: SharedRegistry,
) -> RunResult {
    let work = async { code.runtime(settings).run(spec, control).await };
    let end = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        let reason = Reason::RuntimePanicked {};
        RunEnd::silent(RunResult::Failed { kind: FailureKind::Panic, reason })
    });
    let result = end.result.clone();
    let _ = inputs.send(Message::Input(Input::RunEnded { run, end }));
    drop(session);
    result
}

/// Runs a firing between its listeners, and tells the handlers of each failure as it comes.
async fn run_listened(
    job: Arc<JobDefinition>,
    settings: Arc<JobSettings>,
    runs: Vec<(u64, RunSpec, Control)>,
    whole: bool,
    inputs: UnboundedSender<Message>,
    registry: SharedRegistry,
    keys: Keys,
) {
    let contexts: Vec<ShardContext> = runs.iter().map(|(_, spec, _)| spec.context.clone()).collect();
    let mut stops: Vec<_> = runs.iter().map(|(_, _, control)| control.stop.clone()).collect();
    let all_stopped = futures::future::join_all(stops.iter_mut().map(stopped));
    tokio::select! {
        () = listeners::before(job.listeners(), &contexts, whole, &registry, &keys) => {}
        _ = all_stopped => {
            tracing::warn!(job = job.job.name().as_str(), "a listener was given up: what it comes before is to stop");
        }
    }
    let mut running = JoinSet::new();
    for (run, spec, control) in runs {
        let (job, settings) = (Arc::clone(&job), Arc::clone(&settings));
        let (inputs, session) = (inputs.clone(), registry.clone());
        running.spawn(async move {
            let (context, began) = (spec.context.clone(), Instant::now());
            let result = run_one(&job.code, &settings, (run, spec, control), &inputs, session).await;
            RunReport::new(context, result.outcome(), began.elapsed())
        });
    }
    let mut handling = JoinSet::new();
    let mut reports = Vec::with_capacity(contexts.len());
    while let Some(ended) = running.join_next().await {
        let Ok(report) = ended else { continue };
        if report.is_failure() && !job.on_failure.is_empty() {
            let (job, report) = (job.clone(), report.clone());
            handling.spawn(async move { listeners::failed(job.job.name(), &job.on_failure, &report).await });
        }
        reports.push(report);
    }
    reports.sort_by_key(|report| report.context.item);
    listeners::after(job.listeners(), &reports, whole, &registry, &keys).await;
    handling.join_all().await;
}

/// Waits until a run is to stop; for ever when nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<Stop>) {
    if stop.wait_for(|stop| *stop != Stop::No).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn tell(instance: &clockwright_model::InstanceId, notice: &Notice) {
    let job = notice.job.as_ref().map_or("-", |job| job.as_str());
    if notice.warning {
        tracing::warn!(%instance, job, "{}", notice.text);
    } else {
        tracing::info!(%instance, job, "{}", notice.text);
    }
}
