//! One engine: the loop that owns the state, and the handle that its users hold.
//!
//! The loop takes in whatever has happened, lets [`Core`] decide once for all of it, and carries the
//! effects out ([`apply`](crate::apply)). Nothing in it blocks: reads, commits, runs and listeners are tasks that report back
//! through one channel. Inputs that belong to an earlier session are dropped at the door.

use crate::apply::Shell;
use crate::clock;
use crate::core::{Core, CoreOptions, Input, ServedJob};
use crate::departure::{Departure, NotGivenBack};
use crate::message::Message;
use crate::options::{AddError, EngineOptions, JobDefinition, RemoveError, StartError, check, in_one_line};
use crate::session;
use clockwright_events::Bus;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::view::{self, ViewError};
use clockwright_model::{InstanceId, JobName, Millis, Settlement};
use clockwright_registry::{Connect, Path, Registry};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Starts engines.
pub struct Engine;

impl Engine {
    /// Connects, and runs the jobs until the handle is shut down. Jobs whose registered settings cannot be used are degraded,
    /// not fatal; see [`EngineHandle::status`].
    ///
    /// # Errors
    /// Nothing was started: two jobs of one name, settings that cannot be used, or no registry.
    pub async fn start(
        connect: Connect,
        jobs: Vec<JobDefinition>,
        bus: Bus,
        options: EngineOptions,
    ) -> Result<EngineHandle, StartError> {
        let mut names = HashSet::new();
        for JobDefinition { job, .. } in &jobs {
            check(job).map_err(|problems| StartError::Settings {
                job: job.name().clone(),
                error: in_one_line(&problems),
            })?;
            if !names.insert(job.name().clone()) {
                return Err(StartError::Twice(job.name().clone()));
            }
        }
        let (inputs, received) = mpsc::unbounded_channel();
        let run_hints = Arc::new(AtomicBool::new(true));
        let (keeper, first) = session::keep(&connect, &options, &inputs, &run_hints).await?;
        if let Err(error) = all_registered(&*first.registry, &options.keys, &jobs).await {
            // Nothing was done in it; where it cannot be closed it ends by its timeout.
            let _late = first.registry.close().await;
            return Err(error);
        }
        let options = EngineOptions { instance: first.ready.instance.clone(), ..options };
        let core = Core::new(
            CoreOptions {
                keys: options.keys.clone(),
                instance: options.instance.clone(),
                hostname: options.hostname.clone(),
                seed: options.seed,
                tolerance: options.tolerance,
                layout: options.layout,
                on_registry_loss: options.on_registry_loss,
                #[cfg(feature = "mutations")]
                mutation: None,
            },
            jobs.iter().map(|job| job.job.clone()).collect(),
        );
        let instance = options.instance.clone();
        let shell = Shell::new(keeper, jobs, bus, options, first, inputs.clone(), run_hints);
        let outcomes = shell.outcomes.downgrade();
        let task = tokio::spawn(Loop { core, shell, received, status: Vec::new() }.run());
        Ok(EngineHandle { inputs, task, instance, outcomes })
    }
}

/// Jobs that were given by their names alone must have settings in the registry when an engine starts: a name that was mistyped would
/// wait for ever.
async fn all_registered(
    registry: &dyn Registry,
    keys: &Keys,
    jobs: &[JobDefinition],
) -> Result<(), StartError> {
    let named = jobs.iter().filter(|job| job.job.settings().is_none()).map(|job| job.job.name());
    let named: Vec<&JobName> = named.collect();
    let configs: Vec<Path> = named.iter().map(|name| keys.of(name, &Key::Config)).collect();
    let nodes = registry.read(&configs).await?;
    for (name, _) in named.into_iter().zip(nodes).filter(|(_, node)| node.is_none()) {
        // Asked once more, for the name that comes nearest.
        view::find(registry, keys, name.as_str()).await.map_err(|error| match error {
            ViewError::NoSuchJob { namespace, nearest, .. } => {
                StartError::NoSettings { job: name.clone(), namespace, nearest }
            }
            ViewError::Registry(error) => StartError::Registry(error),
            error @ ViewError::Degraded { .. } => {
                StartError::Settings { job: name.clone(), error: error.to_string() }
            }
        })?;
    }
    Ok(())
}

/// A running engine. Dropping it, or a shutdown under way, ends the engine as a crash would: the loop stops, runs are dropped
/// (processes are killed), nothing more is recorded, and the session is over as soon as none of the runs is left. In-process code that blocks its
/// thread goes on until its next `await`, and the session with it. Others take over when the session has ended.
pub struct EngineHandle {
    inputs: mpsc::UnboundedSender<Message>,
    task: JoinHandle<Departure>,
    instance: InstanceId,
    outcomes: broadcast::WeakSender<Arc<Settlement>>,
}

impl EngineHandle {
    /// Who it is.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// What it says of its jobs now, in the order they were given, where one that was added may have the place of one that was
    /// removed; empty when it has ended.
    pub async fn status(&self) -> Vec<ServedJob> {
        let (answer, status) = oneshot::channel();
        if self.inputs.send(Message::Status(answer)).is_err() {
            return Vec::new();
        }
        status.await.unwrap_or_default()
    }

    /// Serves one more job from now on: it is registered as soon as there is a session, and its items are shared out anew.
    ///
    /// # Errors
    /// The job is not served: its name is taken, or its settings cannot be used, or the engine shuts down.
    pub async fn add(&self, job: JobDefinition) -> Result<(), AddError> {
        if let Err(problems) = check(&job.job) {
            return Err(AddError::Settings { job: job.job.name().to_string(), problems });
        }
        let (answer, added) = oneshot::channel();
        let _ = self.inputs.send(Message::Add { job: Box::new(job), answer });
        added.await.unwrap_or(Err(AddError::ShuttingDown))
    }

    /// Leaves a job: nothing of it starts here any more, its items go to others at once, and what runs may end within the grace period
    /// of a shutdown, and is stopped then. Returns when it was left and its outcomes are written, which waits for the registry if that
    /// is away. The job stays in the registry. Whoever stops waiting changes nothing; several may wait.
    ///
    /// # Errors
    /// No such job is served here, or the engine ended first.
    pub async fn remove(&self, job: &str) -> Result<(), RemoveError> {
        let Ok(job) = JobName::new(job) else { return Err(RemoveError::NotServed(job.to_owned())) };
        let (answer, removed) = oneshot::channel();
        let _ = self.inputs.send(Message::Remove { job, answer });
        removed.await.unwrap_or(Err(RemoveError::ShuttingDown))
    }

    /// The outcomes that this engine decides from now on. It never waits for whoever does not keep up: they are told how many they
    /// missed. The channel is closed when the engine has ended.
    #[must_use]
    pub fn outcomes(&self) -> broadcast::Receiver<Arc<Settlement>> {
        match self.outcomes.upgrade() {
            Some(outcomes) => outcomes.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// Waits until the engine has ended: after a shutdown, or by itself because another process has its id.
    pub async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// Starts nothing more, gives its shards back at once, waits for what runs up to the grace period, stops the rest, writes
    /// the outcomes, waits for what listeners do after the runs, and closes the session. When the registry cannot be reached it ends
    /// all the same: at most [`EngineOptions::stop_grace`] and some seconds after the grace period.
    pub async fn shutdown(mut self) -> Departure {
        self.leave(None).await
    }

    /// As [`shutdown`](Self::shutdown), and it is over after `limit` in any case. Runs are asked to stop early enough to be killed and
    /// recorded before that, if there is time for it.
    pub async fn shutdown_within(mut self, limit: Duration) -> Departure {
        let limit = Millis::try_from(limit.as_millis()).unwrap_or(Millis::MAX);
        self.leave(Some(clock::mono().saturating_add(limit))).await
    }

    async fn leave(&mut self, by: Option<Millis>) -> Departure {
        let _ = self.inputs.send(Message::Shutdown { now: false, by });
        // A loop that panicked has closed nothing.
        (&mut self.task).await.unwrap_or_default()
    }

    /// As a [`shutdown`](Self::shutdown) whose grace period is over. May be called while a shutdown waits.
    pub fn hurry(&self) -> impl Fn() + Send + Sync + 'static {
        let inputs = self.inputs.clone();
        move || {
            let _ = inputs.send(Message::Shutdown { now: true, by: None });
        }
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The loop.
struct Loop {
    core: Core,
    shell: Shell,
    received: mpsc::UnboundedReceiver<Message>,
    status: Vec<oneshot::Sender<Vec<ServedJob>>>,
}

/// How many messages are taken in before the next decision.
const BATCH: usize = 4_096;

impl Loop {
    async fn run(mut self) -> Departure {
        let mut messages = Vec::with_capacity(256);
        loop {
            let now = clock::now();
            let wait = self.core.next_wake(now).min(self.shell.next_wake(now));
            tokio::select! {
                biased;
                _ = self.received.recv_many(&mut messages, BATCH) => {}
                () = self.shell.task_ended(), if self.shell.left => {}
                () = tokio::time::sleep(Duration::from_millis(wait.max(0) as u64)), if messages.is_empty() => {}
            }
            let now = clock::now();
            for message in messages.drain(..) {
                self.take_in(message, now);
            }
            for input in self.shell.due(now) {
                self.core.step(input, now);
            }
            if let Some(stored) = self.shell.stored() {
                self.core.step(stored, now);
            }
            let effects = self.core.decide(now);
            self.shell.pass_run_hints(self.core.wants_run_hints());
            self.shell.apply(effects);
            for answer in self.status.drain(..) {
                let _ = answer.send(self.core.status());
            }
            if self.shell.is_done(now) {
                return self.end(Vec::new()).await;
            }
            if !self.shell.left && self.shell.must_end(now) {
                let kept = self.abandoned();
                return self.end(kept).await;
            }
        }
    }

    async fn end(&mut self, not_given_back: Vec<NotGivenBack>) -> Departure {
        let session_closed = self.shell.close().await;
        if !not_given_back.is_empty() {
            let instance = &self.shell.options().instance;
            let kept: Vec<String> = not_given_back.iter().map(ToString::to_string).collect();
            tracing::warn!(
                %instance,
                "the shutdown ends before its work is done. Not given back: {}. Others take over when the session has ended; what ended \
                 here meanwhile is not recorded, and may run once more",
                kept.join(", ")
            );
        }
        Departure { not_given_back, session_closed }
    }

    /// What a shutdown that cannot go on leaves as it is.
    fn abandoned(&self) -> Vec<NotGivenBack> {
        let left = self.core.status().into_iter().filter(|job| job.registered || !job.running.is_empty());
        left.map(|job| NotGivenBack { job: job.job, running: job.running }).collect()
    }

    fn add(&mut self, job: JobDefinition, now: crate::core::Now) -> Result<(), AddError> {
        let name = job.job.name().clone();
        match self.core.place(&name) {
            _ if self.shell.is_leaving() => Err(AddError::ShuttingDown),
            Some(place) if place.leaving => Err(AddError::Leaving(name)),
            Some(_) => Err(AddError::Taken(name)),
            None => {
                let given = job.job.clone();
                let job = self.shell.admit(job);
                self.core.step(Input::Add { job, given }, now);
                Ok(())
            }
        }
    }

    fn take_in(&mut self, message: Message, now: crate::core::Now) {
        match message {
            Message::Session { session, input } => {
                if self.shell.is_in(session) {
                    match &input {
                        Input::SessionLost => self.shell.lost(now),
                        Input::Hint(hint) => self.shell.look_at_lease(hint),
                        _ => {}
                    }
                    self.core.step(input, now);
                }
            }
            Message::Input(input) => {
                if let Input::RunEnded { run, .. } = &input {
                    self.shell.forget(*run);
                }
                self.core.step(input, now);
            }
            Message::Opened(opened) => {
                let connected = self.shell.opened(*opened);
                self.core.step(connected, now);
            }
            Message::Add { job, answer } => {
                let _ = answer.send(self.add(*job, now));
            }
            Message::Remove { job, answer } => match self.core.place(&job) {
                Some(place) => {
                    let until = self.shell.removing(place.number, answer, now);
                    if !place.leaving {
                        self.core.step(Input::Remove { job: place.number, until }, now);
                    }
                }
                None => {
                    let _ = answer.send(Err(RemoveError::NotServed(job.to_string())));
                }
            },
            Message::Status(answer) => self.status.push(answer),
            Message::Taken => {
                let instance = &self.shell.options().instance;
                tracing::error!(%instance, "another process has this instance's id; this instance ends, and nothing of it runs on");
                self.take_in(Message::Shutdown { now: true, by: None }, now);
            }
            Message::Shutdown { now: at_once, by } => {
                self.shell.leaving(at_once, by, now);
                self.core.step(if at_once { Input::ShutdownNow } else { Input::Shutdown }, now);
            }
        }
    }
}
