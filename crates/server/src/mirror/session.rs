//! One session of a mirror with a registry: watches, readings and proofs, as [`follow`](super::follow) decides.

use super::follow::{Effect, Follow, Input, Phase};
use super::load::{self, concerned};
use super::{Mirror, State};
use crate::observe::Pulse;
use clockwright_fleet::keys::Keys;
use clockwright_model::{JobName, Millis};
use clockwright_registry::{Error, Hint, Op, Path, Readable, Registry, Session, SharedRegistry, read_each};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// How long the answer to a commit may take, before another one is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits at most before it looks around, milliseconds.
const TURN: Millis = 5_000;

/// Something that was under way has ended.
enum Done {
    Read(Vec<Path>, Result<(), Error>, bool),
    Loaded(Result<Millis, Error>),
    Answered(Option<Millis>),
}

/// Follows a namespace until the session is over; why it is.
pub async fn follow(
    mirror: &Mirror,
    registry: SharedRegistry,
    keys: &Keys,
    now: &(dyn Fn() -> Millis + Send + Sync),
    pulse: &Pulse,
) -> String {
    let terms = registry.terms();
    let mut hints = if terms.recursive_watch {
        match pulse.during(watches(&*registry, keys)).await {
            Ok(hints) => Some(hints),
            Err(error) => return error.to_string(),
        }
    } else {
        None
    };
    let began = Instant::now();
    let at = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    let mut state = Follow::new(at(), terms.timeout, hints.is_some());
    let mut session = registry.session();
    // Jobs that a hint made while everything was read: the reading may not have found them yet.
    let seen: std::sync::Mutex<BTreeSet<JobName>> = std::sync::Mutex::default();
    let mut under_way: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
    let mut effects = state.step(Input::Wake, at());
    loop {
        pulse.beat();
        for effect in effects.drain(..) {
            under_way.push(begin(effect, mirror, &*registry, keys, now, &seen));
        }
        let wait = (state.wakes() - at()).clamp(0, TURN).unsigned_abs();
        let wake = Instant::now() + Duration::from_millis(wait);
        tokio::select! {
            biased;
            hint = next(&mut hints) => match hint {
                Some(hint) => {
                    mirror.hinted();
                    effects = state.step(noted(keys, hint, &seen), at());
                }
                None => return "its session is over".to_owned(),
            },
            changed = session.changed() => {
                if changed.is_err() || *session.borrow() == Session::Lost {
                    return "its session is over".to_owned();
                }
            }
            Some(done) = under_way.next() => {
                if matches!(done, Done::Answered(Some(_))) {
                    // All hints from before the answer are in the receivers by now, and count before it.
                    while let Some(hint) = there(&mut hints) {
                        mirror.hinted();
                        effects.extend(state.step(noted(keys, hint, &seen), at()));
                    }
                }
                for input in inputs(done) {
                    effects.extend(state.step(input, at()));
                }
            }
            () = tokio::time::sleep_until(wake) => effects = state.step(Input::Wake, at()),
        }
        mirror.stand(shown(state.phase()), state.as_of(), hints.is_some().then(now));
    }
}

fn shown(phase: Phase) -> State {
    match phase {
        Phase::Loading => State::Loading,
        Phase::Following => State::Following,
        Phase::CatchingUp => State::CatchingUp,
    }
}

type Hints = [UnboundedReceiver<Hint>; 2];

async fn watches(registry: &dyn Registry, keys: &Keys) -> Result<Hints, Error> {
    Ok([registry.watch(keys.root()).await?, registry.watch(&keys.leases()).await?])
}

async fn next(hints: &mut Option<Hints>) -> Option<Hint> {
    let Some([jobs, leases]) = hints else { return std::future::pending().await };
    tokio::select! {
        hint = jobs.recv() => hint,
        hint = leases.recv() => hint,
    }
}

fn there(hints: &mut Option<Hints>) -> Option<Hint> {
    hints.iter_mut().flatten().find_map(|hints| hints.try_recv().ok())
}

fn noted(keys: &Keys, hint: Hint, seen: &std::sync::Mutex<BTreeSet<JobName>>) -> Input {
    match hint {
        Hint::Everything => Input::Everything,
        Hint::Path(path) => {
            let paths = concerned(keys, &path);
            if let Some(job) =
                keys.parse(&path).filter(|_| !paths.is_empty()).and_then(|(name, _)| JobName::new(name).ok())
            {
                let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                seen.insert(job);
            }
            Input::Hint(paths)
        }
    }
}

fn inputs(done: Done) -> Vec<Input> {
    match done {
        Done::Read(_, Ok(()), true) => vec![Input::Read],
        Done::Read(_, Ok(()), false) => vec![Input::Read, Input::Everything],
        Done::Read(paths, Err(_), _) => vec![Input::ReadFailed(paths)],
        Done::Loaded(Ok(sent)) => vec![Input::Loaded(sent)],
        Done::Loaded(Err(_)) => vec![Input::LoadFailed],
        Done::Answered(Some(sent)) => vec![Input::Answered(sent)],
        Done::Answered(None) => vec![Input::NotAnswered],
    }
}

fn begin<'a>(
    effect: Effect,
    mirror: &'a Mirror,
    registry: &'a dyn Registry,
    keys: &'a Keys,
    now: &'a (dyn Fn() -> Millis + Send + Sync),
    seen: &'a std::sync::Mutex<BTreeSet<JobName>>,
) -> BoxFuture<'a, Done> {
    match effect {
        Effect::Read(paths) => Box::pin(async move {
            match read_each(registry, &paths).await {
                Ok(nodes) => {
                    let nodes: Vec<_> = nodes.into_iter().map(Readable::found).collect();
                    let holds = mirror.take_in(keys, &paths, &nodes, now());
                    Done::Read(paths, Ok(()), holds)
                }
                Err(error) => Done::Read(paths, Err(error), true),
            }
        }),
        Effect::Load => Box::pin(async move {
            seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
            Done::Loaded(load_whole(mirror, registry, keys, now, seen).await)
        }),
        Effect::Prove => Box::pin(async move {
            let sent = now();
            Done::Answered(prove(registry, keys).await.ok().map(|()| sent))
        }),
    }
}

async fn load_whole(
    mirror: &Mirror,
    registry: &dyn Registry,
    keys: &Keys,
    now: &(dyn Fn() -> Millis + Send + Sync),
    seen: &std::sync::Mutex<BTreeSet<JobName>>,
) -> Result<Millis, Error> {
    let sent = now();
    prove(registry, keys).await?;
    let (leases, there) = load::load(registry, keys, |jobs| mirror.put(jobs)).await?;
    let hinted = std::mem::take(&mut *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    mirror.whole(leases, &there, &hinted);
    Ok(sent)
}

/// Sends a commit that changes nothing, and waits for its answer; see [`super::age`]. That the root is missing is an answer too.
///
/// # Errors
/// The registry did not answer.
pub async fn prove(registry: &dyn Registry, keys: &Keys) -> Result<(), Error> {
    let answer = tokio::time::timeout(PATIENCE, registry.commit(vec![Op::check(keys.root().clone())])).await;
    match answer {
        Ok(Ok(_) | Err(Error::Conflict { .. })) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::Unavailable("it did not answer in time".to_owned())),
    }
}
