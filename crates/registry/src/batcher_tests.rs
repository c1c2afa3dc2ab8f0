//! The batcher over a tree in memory whose answers come late, out of order, lost or refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    Access, CommitFuture, Conflict, ConnectOptions, Embedded, Hint, Node, OpResult, Path, Registry, Session,
};
use async_trait::async_trait;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Decides what becomes of a commit.
type Script = Box<dyn Fn(&[Op]) -> Fate + Send + Sync>;

struct Fate {
    delay: Duration,
    /// Instead of carrying it out.
    refuse: Option<Error>,
    /// After carrying it out.
    lose: bool,
}

const FINE: Fate = Fate { delay: Duration::from_millis(1), refuse: None, lose: false };

/// A registry whose commits meet the fate that a script chooses, and are counted.
struct Faulty {
    inner: SharedRegistry,
    script: Script,
    commits: Mutex<Vec<usize>>,
}

impl Faulty {
    fn new(script: impl Fn(&[Op]) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        let inner = Embedded::in_memory().connect(ConnectOptions::default()).unwrap();
        Arc::new(Self { inner, script: Box::new(script), commits: Mutex::default() })
    }

    /// How many operations each commit had so far.
    fn sizes(&self) -> Vec<usize> {
        self.commits.lock().unwrap().clone()
    }
}

#[async_trait]
impl Registry for Faulty {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        self.inner.read(paths).await
    }
    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        self.inner.lists(paths).await
    }
    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        self.inner.access(paths).await
    }
    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        self.inner.tree(path).await
    }
    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        self.commits.lock().unwrap().push(ops.len());
        let fate = (self.script)(&ops);
        let answer = match fate.refuse {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.commit(ops),
        };
        Box::pin(async move {
            let answer = answer.await;
            tokio::time::sleep(fate.delay).await;
            if fate.lose { Err(Error::Unknown("the answer was lost".to_owned())) } else { answer }
        })
    }
    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        self.inner.watch(root).await
    }
    fn session(&self) -> tokio::sync::watch::Receiver<Session> {
        self.inner.session()
    }
    fn terms(&self) -> Terms {
        self.inner.terms()
    }
    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn numbered(prefix: &str, number: usize) -> Path {
    path(&format!("/{prefix}{number}"))
}

/// Submits all groups in their order and waits for all their results.
async fn submit_all(batcher: &Batcher, groups: Vec<Vec<Op>>) -> Vec<Result<Commit, Error>> {
    let answers = groups.into_iter().map(|ops| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        batcher.submit(ops, move |result| sender.send(result).unwrap());
        receiver
    });
    let answers: Vec<_> = answers.collect();
    futures::future::join_all(answers)
        .await
        .into_iter()
        .map(|answer| answer.expect("no group is lost"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn groups_that_wait_leave_together_and_each_gets_its_own_results() {
    let registry = Faulty::new(|_| FINE);
    let batcher = Batcher::new(registry.clone(), 1);
    let groups =
        (0..1_200).map(|n| vec![Op::create(numbered("a", n), ""), Op::set(numbered("a", n), "x")]).collect();
    let answers = submit_all(&batcher, groups).await;
    for (n, answer) in answers.iter().enumerate() {
        let results = &answer.as_ref().unwrap().results;
        assert_eq!(results[..], [OpResult::Created(numbered("a", n)), OpResult::Set { version: 1 }]);
    }
    assert!(registry.sizes().len() <= 6, "{:?}", registry.sizes());
    assert!(registry.sizes().iter().all(|size| *size <= TARGET_OPS));
    assert!(
        answers
            .windows(2)
            .all(|pair| pair[0].as_ref().unwrap().transaction <= pair[1].as_ref().unwrap().transaction)
    );
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_bounded_in_bytes_and_a_large_group_travels_alone() {
    let registry = Faulty::new(|_| FINE);
    let batcher = Batcher::new(registry.clone(), 1);
    let data = |size: usize| vec![0_u8; size];
    let mut groups: Vec<_> = (0..10).map(|n| vec![Op::create(numbered("a", n), data(100_000))]).collect();
    groups.push(vec![Op::create(path("/large"), data(900_000))]);
    for answer in submit_all(&batcher, groups).await {
        answer.unwrap();
    }
    assert!(registry.sizes().iter().all(|size| *size <= 2), "{:?}", registry.sizes());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_can_never_travel_is_refused_with_the_limits() {
    let batcher = Batcher::new(Faulty::new(|_| FINE), 1);
    let groups =
        vec![vec![Op::create(path("/a"), vec![0_u8; 2_000_000])], vec![Op::check(path("/")); 10_001], vec![]];
    for (answer, expected) in
        submit_all(&batcher, groups).await.into_iter().zip(["1000000 bytes", "10001 operations", "without"])
    {
        let error = answer.unwrap_err();
        assert!(matches!(&error, Error::Refused(why) if why.contains(expected)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_comes_to_its_group_alone_with_the_index_inside_the_group() {
    let registry = Faulty::new(|_| FINE);
    let batcher = Batcher::new(registry.clone(), 1);
    let mut groups: Vec<_> =
        (0..100).map(|n| vec![Op::check(path("/")), Op::create(numbered("a", n), "")]).collect();
    groups[40].push(Op::check(path("/missing")));
    let answers = submit_all(&batcher, groups).await;
    for (n, answer) in answers.into_iter().enumerate() {
        if n == 40 {
            let conflict = Error::Conflict { index: 2, path: path("/missing"), conflict: Conflict::Missing };
            assert_eq!(answer.unwrap_err(), conflict);
        } else {
            answer.unwrap();
        }
    }
    assert_eq!(registry.list(&Path::root()).await.unwrap().len(), 99);
}

#[tokio::test(start_paused = true)]
async fn many_conflicts_among_many_groups_cost_few_rounds() {
    let registry = Faulty::new(|_| FINE);
    let batcher = Batcher::new(registry.clone(), 4);
    let groups = (0..400).map(|n| vec![Op::check(numbered("missing", n))]).collect();
    let before = tokio::time::Instant::now();
    let answers = submit_all(&batcher, groups).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Conflict { index: 0, .. }))));
    assert!(before.elapsed() < Duration::from_millis(150), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn groups_of_one_node_keep_their_order_when_an_earlier_transaction_has_a_conflict() {
    // The first transaction carries a conflict and is slow; the second set of /a must not overtake the first.
    let registry =
        Faulty::new(|ops| Fate { delay: Duration::from_millis(if ops.len() > 1 { 50 } else { 1 }), ..FINE });
    registry.commit(vec![Op::create(path("/a"), ""), Op::create(path("/b"), "")]).await.unwrap();
    let batcher = Batcher::new(registry.clone(), 4);
    let groups = vec![
        vec![Op::set_if(path("/a"), "first", 0), Op::check(path("/b"))],
        vec![Op::check(path("/missing"))],
        vec![Op::set_if(path("/a"), "second", 1)],
        vec![Op::create(path("/c"), "")],
        vec![Op::create(path("/c/d"), "")],
        vec![Op::delete(path("/c/d")), Op::delete(path("/c"))],
        vec![Op::set_if(path("/a"), "third", 2)],
    ];
    let mut groups = groups.into_iter();
    let together = submit_all(&batcher, groups.by_ref().take(2).collect());
    let alone = groups.map(|group| submit_all(&batcher, vec![group]));
    // Each of these is polled, and so submitted, after the worker has sent off the one before.
    let alone = futures::future::join_all(alone.map(|answer| async move { answer.await.remove(0) }));
    let (mut answers, later) = tokio::join!(together, async {
        tokio::task::yield_now().await;
        alone.await
    });
    answers.extend(later);
    let failed: Vec<_> = (0..answers.len()).filter(|n| answers[*n].is_err()).collect();
    assert_eq!(failed, [1]);
    assert_eq!(registry.read(&[path("/a")]).await.unwrap()[0].as_ref().unwrap().data, "third");
}

#[tokio::test(start_paused = true)]
async fn groups_that_only_check_one_node_travel_side_by_side() {
    let registry = Faulty::new(|_| Fate { delay: Duration::from_millis(100), ..FINE });
    let batcher = Batcher::new(registry.clone(), 3);
    let before = tokio::time::Instant::now();
    let mut answers = Vec::new();
    for n in 0..3 {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        batcher.submit(vec![Op::check(path("/")), Op::create(numbered("a", n), "")], move |result| {
            sender.send(result).unwrap();
        });
        answers.push(receiver);
        tokio::task::yield_now().await;
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(registry.sizes(), [2, 2, 2]);
    assert!(before.elapsed() < Duration::from_millis(150));
}

#[tokio::test(start_paused = true)]
async fn unknown_comes_to_every_group_of_the_transaction_and_to_no_other() {
    let registry = Faulty::new(|ops| Fate { lose: ops.iter().any(|op| op.path().as_str() == "/a7"), ..FINE });
    let batcher = Batcher::new(registry.clone(), 1);
    let answers =
        submit_all(&batcher, (0..1_000).map(|n| vec![Op::create(numbered("a", n), "")]).collect()).await;
    let unknown = answers.iter().filter(|answer| answer.as_ref().is_err_and(Error::is_unknown)).count();
    let size = registry.sizes().into_iter().max().unwrap();
    assert!(unknown > 0 && unknown <= size, "{unknown} of {size}");
    assert!(answers[7].as_ref().is_err_and(Error::is_unknown));
    assert!(answers[999].is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_no_group_is_brought_home_to_the_right_one() {
    let refuse = |ops: &[Op]| {
        ops.iter().any(|op| op.path().as_str() == "/a17").then(|| Error::Denied("no".to_owned()))
    };
    let registry = Faulty::new(move |ops| Fate { refuse: refuse(ops), ..FINE });
    let batcher = Batcher::new(registry.clone(), 2);
    let answers =
        submit_all(&batcher, (0..50).map(|n| vec![Op::create(numbered("a", n), "")]).collect()).await;
    let failed: Vec<_> = (0..50).filter(|n| answers[*n].is_err()).collect();
    assert_eq!(failed, [17]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_panics_harms_nobody_and_a_dropped_batcher_finishes_its_work() {
    let registry = Faulty::new(|_| FINE);
    let batcher = Batcher::new(registry.clone(), 1);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    batcher.submit(vec![Op::create(path("/a"), "")], |_| panic!("this panic is part of the test"));
    batcher.submit(vec![Op::create(path("/b"), "")], move |result| sender.send(result).unwrap());
    drop(batcher);
    receiver.await.unwrap().unwrap();
    assert_eq!(registry.list(&Path::root()).await.unwrap(), ["a", "b"]);
}

fn any_op() -> impl Strategy<Value = Op> {
    let names = prop::sample::select(vec!["/a", "/b", "/c", "/a/x", "/a/y", "/b/x", "/a/x/z"]);
    let version = prop::option::weighted(0.4, 0..3_i32);
    (names, version, 0..8_u8, any::<u8>()).prop_map(|(name, version, kind, data)| {
        let (path, data) = (path(name), vec![data]);
        match kind {
            0..3 => Op::create(path, data),
            3..5 => Op::Set { path, data: data.into(), version },
            5..7 => Op::Delete { path, version },
            _ => Op::Check { path, version },
        }
    })
}

/// What is comparable between two registries: everything but transaction numbers and times.
async fn contents(registry: &dyn Registry) -> Vec<(Path, bytes::Bytes, i32, u32)> {
    let nodes = registry.tree(&Path::root()).await.unwrap();
    nodes.into_iter().map(|(path, node)| (path, node.data, node.stat.version, node.stat.children)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_groups_ends_as_if_each_had_gone_alone_in_the_order_of_submission(
        groups in prop::collection::vec(prop::collection::vec(any_op(), 1..4), 1..40),
        delays in prop::collection::vec(0..20_u64, 1..8),
        pauses in prop::collection::vec(0..6_u64, 1..8),
        in_flight in 1..5_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let next = std::sync::atomic::AtomicUsize::new(0);
            let registry = Faulty::new(move |_| {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Fate { delay: Duration::from_millis(delays[n % delays.len()]), ..FINE }
            });
            let alone = Embedded::in_memory().connect(ConnectOptions::default()).unwrap();
            let batcher = Batcher::new(registry.clone(), in_flight);
            let mut answers = Vec::new();
            for (n, ops) in groups.iter().enumerate() {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                batcher.submit(ops.clone(), move |result| sender.send(result).unwrap());
                answers.push(receiver);
                tokio::time::sleep(Duration::from_millis(pauses[n % pauses.len()])).await;
            }
            for (ops, answer) in groups.into_iter().zip(answers) {
                let expected = alone.commit(ops).await.map(|commit| commit.results);
                assert_eq!(answer.await.expect("no group is lost").map(|commit| commit.results), expected);
            }
            assert_eq!(contents(&*registry).await, contents(&*alone).await);
        });
    }
}
