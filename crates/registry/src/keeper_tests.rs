//! The keeper over registries in memory whose sessions end, fail to begin, or come back with less.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{ConnectOptions, Embedded, Op};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a test's keeper connects to; it may be exchanged.
#[derive(Clone)]
struct Place(Arc<Mutex<Embedded>>);

impl Place {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Embedded::in_memory())))
    }

    fn registry(&self) -> Embedded {
        self.0.lock().unwrap().clone()
    }

    fn session(&self) -> SharedRegistry {
        self.registry().connect(ConnectOptions::default()).unwrap()
    }

    fn connect(&self) -> Connect {
        let place = self.clone();
        Arc::new(move || {
            let session = place.registry().connect(ConnectOptions::default());
            Box::pin(async move { session.map(|session| session as SharedRegistry) })
        })
    }

    /// Another registry answers from now on, which has nothing.
    async fn empty(&self) {
        let old = std::mem::replace(&mut *self.0.lock().unwrap(), Embedded::in_memory());
        old.close().await.unwrap();
    }
}

/// Makes an ephemeral node, as a lease; the first attempts fail after that.
struct Lease {
    failures: AtomicUsize,
}

fn lease() -> Path {
    Path::root().join("lease")
}

#[async_trait]
impl Begin for Lease {
    type Ready = i64;
    type Error = Error;

    async fn begin(&self, registry: &SharedRegistry) -> Result<i64, Error> {
        if registry.read(&[lease()]).await?[0].is_some() {
            registry.commit(vec![Op::delete(lease())]).await?;
        }
        let transaction = registry.commit(vec![Op::create_ephemeral(lease(), "")]).await?.transaction;
        let failed =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match failed {
            Ok(_) => Err(Error::Unavailable("not today".to_owned())),
            Err(_) => Ok(transaction),
        }
    }
}

type Told1 = mpsc::UnboundedReceiver<Told<i64>>;

async fn keep(place: &Place, failures: usize, options: KeeperOptions) -> (Keeper, Opened<i64>, Told1) {
    let (sender, told) = mpsc::unbounded_channel();
    let begin = Lease { failures: AtomicUsize::new(0) };
    let reopens = Arc::new(begin);
    let start = Keeper::start(place.connect(), Shared(Arc::clone(&reopens)), options, move |told| {
        let _ = sender.send(told);
    });
    let (keeper, opened) = start.await.unwrap();
    reopens.failures.store(failures, Ordering::SeqCst);
    (keeper, opened, told)
}

struct Shared(Arc<Lease>);

#[async_trait]
impl Begin for Shared {
    type Ready = i64;
    type Error = Error;

    async fn begin(&self, registry: &SharedRegistry) -> Result<i64, Error> {
        self.0.begin(registry).await
    }
}

async fn opened(told: &mut Told1) -> Opened<i64> {
    loop {
        if let Told::Opened(opened) = told.recv().await.unwrap() {
            return opened;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_is_told_and_followed_by_another_one() {
    let place = Place::new();
    let (_keeper, first, mut told) = keep(&place, 0, KeeperOptions::default()).await;
    place.registry().expire(first.registry.terms().session);
    assert!(matches!(told.recv().await, Some(Told::Lost { session: 1 })));
    let second = opened(&mut told).await;
    assert_eq!(second.number, 2);
    assert_eq!(*second.registry.session().borrow(), Session::Connected);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_leave_nothing_behind_and_are_never_two_at_once() {
    let place = Place::new();
    let watches = vec![lease()];
    let (_keeper, first, mut told) =
        keep(&place, 5, KeeperOptions { watches, ..KeeperOptions::default() }).await;
    place.registry().expire(first.registry.terms().session);
    let mut kinds = Vec::new();
    let second = loop {
        match told.recv().await.unwrap() {
            Told::Opened(opened) => break opened,
            Told::Lost { session } => kinds.push(format!("lost {session}")),
            Told::Hint { session, .. } => assert_eq!(session, 1, "nothing of an attempt that failed is told"),
            Told::Timeout { .. } => kinds.push("timeout".to_owned()),
        }
    };
    assert_eq!(kinds, ["lost 1"], "failed attempts are no sessions");
    let node = second.registry.read(&[lease()]).await.unwrap().remove(0).unwrap();
    assert_eq!(node.stat.owner, second.registry.terms().session, "nobody else holds the lease");
    // Nor does anybody come for it later.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*second.registry.session().borrow(), Session::Connected);
    let again = second.registry.read(&[lease()]).await.unwrap().remove(0).unwrap();
    assert_eq!(again.stat.created, node.stat.created);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_given_up_is_closed_before_the_next_one_begins() {
    let place = Place::new();
    let (keeper, first, mut told) = keep(&place, 0, KeeperOptions::default()).await;
    keeper.give_up(7);
    keeper.give_up(1);
    assert!(matches!(told.recv().await, Some(Told::Lost { session: 1 })));
    let second = opened(&mut told).await;
    assert_eq!(*first.registry.session().borrow(), Session::Lost);
    assert_eq!(second.number, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_an_attempt_under_way_and_nothing_is_opened_after_it() {
    let place = Place::new();
    let (keeper, first, mut told) = keep(&place, usize::MAX, KeeperOptions::default()).await;
    place.registry().expire(first.registry.terms().session);
    assert!(matches!(told.recv().await, Some(Told::Lost { session: 1 })));
    tokio::time::sleep(Duration::from_secs(5)).await;
    keeper.stop(Duration::from_secs(1)).await.unwrap();
    assert!(told.recv().await.is_none(), "the keeper's task is gone");
    let operator = place.session();
    assert_eq!(operator.read(&[lease()]).await.unwrap(), [None], "no session is left");
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_the_session() {
    let place = Place::new();
    let (keeper, first, _told) = keep(&place, 0, KeeperOptions::default()).await;
    keeper.stop(Duration::from_secs(1)).await.unwrap();
    assert_eq!(*first.registry.session().borrow(), Session::Lost);
}

fn generation() -> KeeperOptions {
    KeeperOptions {
        generation: Some(Path::root().join("own").join("generation")),
        ..KeeperOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_grow_on_when_the_registry_comes_back_with_nothing() {
    let place = Place::new();
    let (_keeper, first, mut told) = keep(&place, 0, generation()).await;
    let mut before = first.ready;
    for _ in 0..100 {
        before = first.registry.commit(vec![Op::set(lease(), "")]).await.unwrap().transaction;
    }
    place.empty().await;
    let second = opened(&mut told).await;
    assert!(second.ready > before, "{} after {before}", second.ready);
    let later = second.registry.commit(vec![Op::set(lease(), "")]).await.unwrap().transaction;
    let node = second.registry.read(&[lease()]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (node.stat.modified, node.stat.created),
        (later, second.ready),
        "readings say the same numbers"
    );
    // Somebody who never saw the old registry is in the same generation.
    let (_other, third, _) = keep(&place, 0, generation()).await;
    assert!(third.ready > later);
}

#[tokio::test(start_paused = true)]
async fn numbers_are_above_what_was_known_at_the_start() {
    let place = Place::new();
    let highest = Highest::at_least(1 << 40);
    let (_keeper, first, _) = keep(&place, 0, KeeperOptions { highest, ..generation() }).await;
    assert!(first.ready > 1 << 40);
}

#[tokio::test(start_paused = true)]
async fn whoever_did_not_see_the_registry_go_back_changes_nothing_under_the_old_count() {
    let place = Place::new();
    let (_innocent, old, mut told) = keep(&place, 0, generation()).await;
    let highest = Highest::at_least(1 << 40);
    let (_keeper, knows, _) = keep(&place, 0, KeeperOptions { highest, ..generation() }).await;
    let refused = old.registry.commit(vec![Op::create(Path::root().join("x"), "")]).await;
    assert_eq!(refused, Err(Error::SessionLost));
    let new = opened(&mut told).await;
    assert!(new.ready > knows.ready, "it is in the new generation: {} after {}", new.ready, knows.ready);
    assert_eq!(new.registry.read(&[Path::root().join("x")]).await.unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_of_the_users_own_is_none_of_the_generation() {
    let place = Place::new();
    let (_keeper, first, _) = keep(&place, 0, generation()).await;
    let missing = Path::root().join("missing");
    let refused = first.registry.commit(vec![Op::check(lease()), Op::check(missing.clone())]).await;
    let expected = Error::Conflict { index: 1, path: missing, conflict: crate::Conflict::Missing };
    assert_eq!(refused, Err(expected));
    let done = first.registry.commit(vec![Op::check(lease())]).await.unwrap();
    assert_eq!(done.results, [crate::OpResult::Checked], "one result for one operation");
}
