//! Opening a registry session for an engine: parents, the lease node, the watches.
//!
//! # Whose lease
//! An instance's id should be its own, and often is not: two containers with one address are both process 1. So each engine
//! writes a mark of its own, made at its start, into its lease node, and only a lease with that mark is an earlier session of its
//! own, which it may end. One with another mark belongs to another process, and is left alone whatever it does:
//!
//! | when | the id was made | the id was chosen by hand |
//! |---|---|---|
//! | at the start | it takes an id of its own, the same with a suffix | it waits as long as a session of a process that died may last, then does not start |
//! | with a new session | it tries again: its id was taken while it had none | likewise |

use crate::clock;
use crate::core::Input;
use crate::node::{Connect, EngineOptions, Message, StartError};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{InstanceId, JobName, Millis};
use clockwright_registry::{Conflict, Error, Hint, Op, Path, Registry, Session, SharedRegistry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// A session that is ready to be used.
pub(crate) struct Opened {
    pub(crate) registry: SharedRegistry,
    pub(crate) number: u64,
    /// Who this engine is.
    pub(crate) instance: InstanceId,
    pub(crate) lease_sent: Millis,
    /// The layout of the namespace's jobs, if it has any.
    pub(crate) layout: Option<Layout>,
}

/// Opens an engine's first session, in which it gets its id.
pub(crate) async fn open_first(
    connect: &Connect,
    options: &EngineOptions,
    inputs: &UnboundedSender<Message>,
    run_hints: &Arc<AtomicBool>,
) -> Result<Opened, StartError> {
    let mut options = options.clone();
    let begun = tokio::time::Instant::now();
    loop {
        match open(connect, &options, 1, inputs, run_hints).await {
            Ok(opened) => return Ok(opened),
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
                let longest = Duration::from_millis(timeout.max(0).unsigned_abs()) + Duration::from_secs(2);
                if begun.elapsed() > longest {
                    return Err(StartError::Taken(options.instance));
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Registry(#[from] Error),
    /// Another process has the id; its session lasts at most `timeout` milliseconds when it is dead.
    #[error(
        "another process has this instance's id by now; this one does nothing until that has left. Give each its own address \
         (--instance-ip) or id (--instance-id)"
    )]
    Taken { timeout: Millis },
}

/// Opens a session: connects, makes what every engine needs, writes the lease, and forwards hints and the session's end.
async fn open(
    connect: &Connect,
    options: &EngineOptions,
    number: u64,
    inputs: &UnboundedSender<Message>,
    run_hints: &Arc<AtomicBool>,
) -> Result<Opened, OpenError> {
    let registry = connect().await?;
    match prepare(&registry, options).await {
        Ok(lease_sent) => {
            let hints =
                [registry.watch(options.keys.root()).await?, registry.watch(&options.keys.leases()).await?];
            for hints in hints {
                tokio::spawn(forward_hints(hints, number, inputs.clone(), run_hints.clone()));
            }
            tokio::spawn(forward_end(registry.clone(), number, inputs.clone()));
            let layout = layout(&*registry, &options.keys).await?;
            let instance = options.instance.clone();
            Ok(Opened { registry, number, instance, lease_sent, layout })
        }
        Err(error) => {
            let _ = registry.close().await;
            Err(error)
        }
    }
}

/// Opens a session, trying again until it works.
pub(crate) async fn reopen(
    connect: Connect,
    options: EngineOptions,
    number: u64,
    inputs: UnboundedSender<Message>,
    run_hints: Arc<AtomicBool>,
) {
    let mut wait = Duration::from_millis(100);
    loop {
        match open(&connect, &options, number, &inputs, &run_hints).await {
            Ok(opened) => {
                let _ = inputs.send(Message::Opened(Box::new(opened)));
                return;
            }
            Err(error) => tracing::warn!(%error, "cannot open a registry session, trying again"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(2));
    }
}

/// Makes the namespace's parents and this process's lease node; returns when the request that wrote the lease was sent.
async fn prepare(registry: &SharedRegistry, options: &EngineOptions) -> Result<Millis, OpenError> {
    let (keys, me) = (&options.keys, &options.instance);
    for path in [keys.root().clone(), keys.leases(), keys.beats()] {
        ensure(registry, &path).await?;
    }
    let mark = Bytes::from(format!("{:016x}", options.seed));
    let (lease, beat) = (keys.lease(me), keys.beat(me));
    for _ in 0..20 {
        let found = registry.read(&[lease.clone(), beat.clone()]).await?;
        let mut ops = Vec::new();
        if let Some(node) = &found[0] {
            if node.data != mark {
                return Err(OpenError::Taken { timeout: registry.terms().timeout });
            }
            // An earlier session of this very process, which is over or about to be.
            ops.push(Op::delete(lease.clone()));
        }
        ops.push(Op::create_ephemeral(lease.clone(), mark.clone()));
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
    Err(Error::Unavailable("the lease node could not be written in 20 attempts".into()).into())
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

async fn ensure(registry: &SharedRegistry, path: &Path) -> Result<(), Error> {
    let mut missing = vec![path.clone()];
    while let Some(parent) = missing.last().and_then(Path::parent) {
        missing.push(parent);
    }
    missing.pop();
    for path in missing.into_iter().rev() {
        match registry.commit(vec![Op::create(path, Bytes::new())]).await {
            Ok(_) | Err(Error::Conflict { conflict: Conflict::Exists, .. } | Error::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Passes hints on. Those about marks and cursors change with every run and are dropped here unless `run_hints` says that
/// somebody waits for one; see [`Core::wants_run_hints`](crate::core::Core::wants_run_hints).
async fn forward_hints(
    mut hints: UnboundedReceiver<Hint>,
    session: u64,
    inputs: UnboundedSender<Message>,
    run_hints: Arc<AtomicBool>,
) {
    while let Some(hint) = hints.recv().await {
        if let Hint::Path(path) = &hint
            && matches!(path.name(), "running" | "cursor")
            && !run_hints.load(Ordering::Acquire)
        {
            continue;
        }
        if inputs.send(Message::Session { session, input: Input::Hint(hint) }).is_err() {
            return;
        }
    }
}

async fn forward_end(registry: SharedRegistry, number: u64, inputs: UnboundedSender<Message>) {
    let mut session = registry.session();
    // Not to keep the session alive when its owner drops it.
    let registry = std::sync::Arc::downgrade(&registry);
    let mut suspended = false;
    loop {
        let state = *session.borrow_and_update();
        match state {
            Session::Lost => break,
            Session::Suspended if !suspended => tracing::warn!("the registry cannot be reached, waiting"),
            Session::Connected if suspended => tracing::info!("the registry is reached again"),
            Session::Suspended | Session::Connected => {}
        }
        if suspended
            && state == Session::Connected
            && let Some(timeout) = registry.upgrade().map(|registry| registry.terms().timeout)
        {
            let _ = inputs.send(Message::Session { session: number, input: Input::Timeout(timeout) });
        }
        suspended = state == Session::Suspended;
        if session.changed().await.is_err() {
            break;
        }
    }
    let _ = inputs.send(Message::Session { session: number, input: Input::SessionLost });
}
