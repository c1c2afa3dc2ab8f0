//! Opening a registry session for an engine: parents, the lease node, the watches.

use crate::clock;
use crate::core::Input;
use crate::node::{Connect, EngineOptions, Message};
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
    pub(crate) lease_sent: Millis,
    /// The layout of the namespace's jobs, if it has any.
    pub(crate) layout: Option<Layout>,
}

/// Opens a session: connects, makes what every engine needs, writes the lease, and forwards hints and the session's end.
pub(crate) async fn open(
    connect: &Connect,
    options: &EngineOptions,
    number: u64,
    inputs: &UnboundedSender<Message>,
    run_hints: &Arc<AtomicBool>,
) -> Result<Opened, Error> {
    let registry = connect().await?;
    match prepare(&registry, &options.keys, &options.instance).await {
        Ok(lease_sent) => {
            let hints =
                [registry.watch(options.keys.root()).await?, registry.watch(&options.keys.leases()).await?];
            for hints in hints {
                tokio::spawn(forward_hints(hints, number, inputs.clone(), run_hints.clone()));
            }
            tokio::spawn(forward_end(registry.clone(), number, inputs.clone()));
            let layout = layout(&*registry, &options.keys).await?;
            Ok(Opened { registry, number, lease_sent, layout })
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
async fn prepare(registry: &SharedRegistry, keys: &Keys, me: &InstanceId) -> Result<Millis, Error> {
    for path in [keys.root().clone(), keys.leases(), keys.beats()] {
        ensure(registry, &path).await?;
    }
    let nodes = [keys.lease(me), keys.beat(me)];
    for _ in 0..20 {
        let found = registry.read(&nodes).await?;
        let mut ops = Vec::new();
        for (path, node) in nodes.iter().zip(found) {
            if node.is_some() {
                // An earlier session of this very process, which is over or about to be.
                ops.push(Op::delete(path.clone()));
            }
            ops.push(Op::create_ephemeral(path.clone(), Bytes::new()));
        }
        let sent = clock::mono();
        match registry.commit(ops).await {
            Ok(_) => return Ok(sent),
            Err(Error::Conflict { .. } | Error::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Unavailable("the lease node could not be written in 20 attempts".into()))
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
