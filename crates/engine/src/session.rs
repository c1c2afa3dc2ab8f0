//! What a registry session of an engine begins with: whose lease it writes, and the layout that is found.
//!
//! # Whose lease
//! An instance's id should be its own, and often is not: two containers with one address are both process 1. So each engine
//! writes a mark of its own, made at its start, into its lease node, and only a lease with that mark is an earlier session of its
//! own, which it may end. One with another mark belongs to another process, and is left alone whatever it does:
//!
//! | when | the id was made | the id was chosen by hand |
//! |---|---|---|
//! | at the start | it takes an id of its own, the same with a suffix | it waits as long as a session of a process that died may last, then does not start |
//! | with a new session | it tries as long as a session of a process that died may last, then ends: its id was taken while it had none, and it cannot become somebody else in the middle of its work. Whoever started it starts it anew | likewise |

use crate::clock;
use crate::core::Input;
use crate::message::{Message, Ready};
use crate::options::{EngineOptions, StartError};
use async_trait::async_trait;
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::leases::Lease;
use clockwright_model::{InstanceId, JobName, Millis};
use clockwright_registry::generation::{Highest, ensure};
use clockwright_registry::keeper::{Begin, KeeperOptions, Opened, Told};
use clockwright_registry::{
    Connect, Error, Hint, Keeper, Op, Path, Readable, Registry, SharedRegistry, read_each,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// Opens an engine's first session, in which it gets its id, and keeps one open from then on: hints and the ends of sessions go
/// to the loop.
pub(crate) async fn keep(
    connect: &Connect,
    options: &EngineOptions,
    inputs: &UnboundedSender<Message>,
    run_hints: &Arc<AtomicBool>,
) -> Result<(Keeper, Opened<Ready>), StartError> {
    let mut options = options.clone();
    let begun = Instant::now();
    loop {
        match keep_as(connect, &options, inputs, run_hints).await {
            Ok(kept) => return Ok(kept),
            Err(OpenError::Registry(error)) => return Err(error.into()),
            Err(OpenError::Taken { .. }) if !options.fixed_instance => {
                let own = options.instance.with_suffix(&format!("{:06x}", options.seed & 0xff_ffff));
                tracing::info!(
                    taken = %options.instance,
                    instance = %own,
                    "another process has this id, or had it a moment ago; containers often share an address and a process id. This \
                     instance takes one of its own"
                );
                // A second conflict is none by chance.
                options.fixed_instance = true;
                options.instance = own;
            }
            Err(OpenError::Taken { timeout }) => {
                // A process that died holds its id until its session ends.
                if begun.elapsed() > last_session(timeout) {
                    return Err(StartError::Taken(options.instance));
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// How long a process that died may hold its id, if its session has this timeout in milliseconds.
fn last_session(timeout: Millis) -> Duration {
    Duration::from_millis(timeout.max(0).unsigned_abs()) + Duration::from_secs(2)
}

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Registry(#[from] Error),
    /// Another process has the id; its session lasts at most `timeout` milliseconds when it is dead.
    #[error(
        "another process has this instance's id by now; this one ends unless that leaves at once. Give each its own address \
         (--instance-ip) or id (--instance-id)"
    )]
    Taken { timeout: Millis },
}

async fn keep_as(
    connect: &Connect,
    options: &EngineOptions,
    inputs: &UnboundedSender<Message>,
    run_hints: &Arc<AtomicBool>,
) -> Result<(Keeper, Opened<Ready>), OpenError> {
    let entry = Entry {
        keys: options.keys.clone(),
        me: options.instance.clone(),
        lease: Lease {
            mark: format!("{:016x}", options.seed),
            history: options.history.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
        .data(),
        taken: Mutex::new(None),
        inputs: inputs.clone(),
    };
    let keeper = KeeperOptions {
        watches: vec![options.keys.root().clone(), options.keys.leases()],
        generation: Some(options.keys.generation()),
        highest: Highest::at_least(options.tokens_above),
        meter: options.meter.clone(),
    };
    let (inputs, run_hints) = (inputs.clone(), Arc::clone(run_hints));
    Keeper::start(Arc::clone(connect), entry, keeper, move |told| {
        let message = match told {
            // Those about marks and cursors change with every run and are dropped here unless somebody waits for one; see
            // [`Core::wants_run_hints`](crate::core::Core::wants_run_hints).
            Told::Hint { hint: Hint::Path(path), .. }
                if matches!(path.name(), "running" | "cursor") && !run_hints.load(Ordering::Acquire) =>
            {
                return;
            }
            Told::Hint { session, hint } => Message::Session { session, input: Input::Hint(hint) },
            Told::Timeout { session, timeout } => {
                Message::Session { session, input: Input::Timeout(timeout) }
            }
            Told::Lost { session } => Message::Session { session, input: Input::SessionLost },
            Told::Opened(opened) => Message::Opened(Box::new(opened)),
        };
        let _ = inputs.send(message);
    })
    .await
}

/// How an engine begins a session.
struct Entry {
    keys: Keys,
    me: InstanceId,
    /// What stands in its lease node, by which it knows its own.
    lease: Bytes,
    /// Since when another process has the id.
    taken: Mutex<Option<Instant>>,
    inputs: UnboundedSender<Message>,
}

#[async_trait]
impl Begin for Entry {
    type Ready = Ready;
    type Error = OpenError;

    async fn begin(&self, registry: &SharedRegistry) -> Result<Ready, OpenError> {
        for path in [self.keys.root().clone(), self.keys.leases(), self.keys.beats()] {
            ensure(registry, &path).await?;
        }
        let layout = layout(&**registry, &self.keys).await?;
        let control = read_each(&**registry, &[self.keys.control()]).await?;
        // One that may not be read is there.
        let managed = !matches!(control[..], [Readable::Found(None)]);
        let lease_sent = self.write_lease(registry).await.inspect_err(|error| self.refused(error))?;
        *self.taken() = None;
        Ok(Ready { instance: self.me.clone(), lease_sent, layout, managed })
    }
}

impl Entry {
    fn taken(&self) -> MutexGuard<'_, Option<Instant>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the loop when the id is somebody else's for good.
    fn refused(&self, error: &OpenError) {
        let OpenError::Taken { timeout } = error else { return };
        if self.taken().get_or_insert_with(Instant::now).elapsed() > last_session(*timeout) {
            let _ = self.inputs.send(Message::Taken);
        }
    }

    /// Makes this process's lease node; returns when the request that wrote it was sent.
    async fn write_lease(&self, registry: &SharedRegistry) -> Result<Millis, OpenError> {
        let (lease, beat) = (self.keys.lease(&self.me), self.keys.beat(&self.me));
        for _ in 0..20 {
            let found = registry.read(&[lease.clone(), beat.clone()]).await?;
            let mut ops = Vec::new();
            if let Some(node) = &found[0] {
                if node.data != self.lease {
                    return Err(OpenError::Taken { timeout: registry.terms().timeout });
                }
                // An earlier session of this very process, which is over or about to be.
                ops.push(Op::delete(lease.clone()));
            }
            ops.push(Op::create_ephemeral(lease.clone(), self.lease.clone()));
            if found[1].is_some() {
                ops.push(Op::delete(beat.clone()));
            }
            ops.push(Op::create_ephemeral(beat.clone(), Bytes::new()));
            let sent = clock::mono();
            match registry.commit(ops).await {
                Ok(_) => return Ok(sent),
                Err(Error::Conflict { .. } | Error::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unavailable(format!(
            "{lease} could not be written in 20 attempts: others write it all the time, or answers get lost"
        ))
        .into())
    }
}

/// Configs that are looked at together, until one says its layout.
const LOOK: usize = 50;

/// The layout of the first of the namespace's jobs that has one.
async fn layout(registry: &dyn Registry, keys: &Keys) -> Result<Option<Layout>, Error> {
    let names = registry.list(keys.root()).await?;
    let names: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
    for names in names.chunks(LOOK) {
        let paths: Vec<Path> = names.iter().map(|job| keys.of(job, &Key::Config)).collect();
        let found = registry.read(&paths).await?;
        if let Some(layout) = found.into_iter().flatten().find_map(|node| Layout::of(&node.data)) {
            return Ok(Some(layout));
        }
    }
    Ok(None)
}
