//! The laws of the registry port, one function each, run by every backend through [`crate::registry_suite!`].
//!
//! A law knows nothing of the backend: it has sessions on one registry, and a node of its own to work below. Reads of
//! another session than the writing one may be stale, so laws wait for what they expect, woken by hints. Nothing here
//! sleeps; what does not come within [`PATIENCE`] fails.

mod sessions;
mod tools;

pub use sessions::*;

use async_trait::async_trait;
use clockwright_registry::{Access, Conflict, Error, Op, OpResult, Path, SharedRegistry};
use std::time::Duration;
use tools::{commit, conflict, get, hinted, read, until, within};

/// How long anything may take that a law waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a backend gives the suite: sessions on one registry, and a place in it for one test.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens another session on the same registry. Panics when it cannot.
    async fn connect(&self) -> SharedRegistry;

    /// A persistent node that exists, is empty and is used by this test alone.
    fn root(&self) -> Path;

    /// Ends a session as its timeout would; false when this backend cannot be told to. Need not wait for the effects.
    async fn expire(&self, session: &SharedRegistry) -> bool;
}

/// Makes one named test of each law. The argument is an expression for a future of a [`Fixture`], used once per test:
/// `clockwright_testkit::registry_suite!(MyFixture::new());`. With a reason in
/// brackets before it, the tests are ignored unless they are asked for: `registry_suite!(["needs a server"] MyFixture::new());`
#[macro_export]
macro_rules! registry_suite {
    ([$ignored:literal] $fixture:expr) => {
        $crate::registry_suite! { @all [#[ignore = $ignored]] $fixture }
    };
    ($fixture:expr) => {
        $crate::registry_suite! { @all [] $fixture }
    };
    (@all $attributes:tt $fixture:expr) => {
        $crate::registry_suite! { @laws $attributes $fixture;
            a_commit_is_all_or_nothing
            operations_see_earlier_ones_of_the_same_commit
            transaction_numbers_grow_across_sessions
            created_and_set_nodes_carry_the_number_of_their_transaction
            versions_count_sets_and_start_again_at_each_creation
            a_stale_version_is_refused
            creating_what_exists_is_a_conflict
            creating_without_a_parent_is_a_conflict
            changing_or_checking_what_is_missing_is_a_conflict
            deleting_a_node_with_children_is_a_conflict
            an_ephemeral_node_has_no_children
            a_conflict_names_the_operation_and_its_node
            ephemeral_nodes_name_their_session_and_die_when_it_is_closed
            ephemeral_nodes_die_when_their_session_expires
            nodes_that_die_with_their_session_change_their_parents_in_one_transaction
            an_ended_session_is_lost_and_its_commits_fail
            an_expired_session_is_told_and_its_commits_fail
            the_session_says_what_it_was_given
            sequential_names_grow
            own_commits_are_readable_at_once
            commits_take_effect_in_the_order_of_the_calls_polled_or_not
            concurrent_conditional_sets_lose_nothing
            ten_thousand_nodes_are_read_in_the_order_asked
            a_commit_may_be_as_large_as_the_terms_allow
            a_commit_beyond_the_terms_is_refused
            a_tree_lists_parents_before_children
            several_trees_are_read_in_the_order_asked
            children_are_listed_in_byte_order_and_absence_is_no_error
            the_children_of_thousands_of_nodes_are_listed_in_the_order_asked
            who_may_change_a_node_is_told
            data_may_be_any_bytes_empty_or_large
            names_may_be_in_any_script
            hints_follow_creations_sets_and_deletions_at_any_depth
            hints_come_to_every_watch_and_a_dropped_one_harms_nobody
            hints_tell_of_ephemeral_nodes_that_died
            hints_end_with_the_session
            hints_of_earlier_transactions_are_there_before_the_answer_of_a_later_commit
        }
    };
    (@laws $attributes:tt $fixture:expr; $($law:ident)*) => {
        $($crate::registry_suite! { @law $attributes $fixture; $law })*
    };
    (@law [$(#[$attribute:meta])*] $fixture:expr; $law:ident) => {
        #[test]
        $(#[$attribute])*
        fn $law() {
            $crate::registry_suite::run(async {
                let fixture = $fixture.await;
                $crate::registry_suite::$law(&fixture).await;
            });
        }
    };
}

/// Runs a law on a small runtime of its own.
pub fn run(law: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(law);
}

/// Law 1.
pub async fn a_commit_is_all_or_nothing(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    commit(&one, vec![Op::create(root.join("a"), "1"), Op::create(root.join("b"), "1")]).await;
    let before = one.tree(&root).await.expect("tree");
    let ops = vec![
        Op::create(root.join("c"), ""),
        Op::set(root.join("a"), "2"),
        Op::delete(root.join("b")),
        Op::create_ephemeral(root.join("d"), ""),
        Op::check(root.join("missing")),
    ];
    conflict(&one, ops, 4, Conflict::Missing).await;
    assert_eq!(one.tree(&root).await.expect("tree"), before);
}

/// Law 1.
pub async fn operations_see_earlier_ones_of_the_same_commit(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let a = root.join("a");
    let ops = vec![
        Op::create(a.clone(), "1"),
        Op::create(a.join("b"), ""),
        Op::check_if(a.clone(), 0),
        Op::set_if(a.clone(), "2", 0),
        Op::check_if(a.clone(), 1),
        Op::delete(a.join("b")),
        Op::set_if(a.clone(), "3", 1),
    ];
    let done = commit(&one, ops).await;
    let expected = [
        OpResult::Created(a.clone()),
        OpResult::Created(a.join("b")),
        OpResult::Checked,
        OpResult::Set { version: 1 },
        OpResult::Checked,
        OpResult::Deleted,
        OpResult::Set { version: 2 },
    ];
    assert_eq!(done.results, expected);
    let node = get(&one, &a).await.expect("it was created");
    assert_eq!((&node.data[..], node.stat.version, node.stat.children), (&b"3"[..], 2, 0));
    conflict(&one, vec![Op::delete(a.clone()), Op::check(a.clone())], 1, Conflict::Missing).await;
    commit(&one, vec![Op::delete(a.clone()), Op::create(a.clone(), "new")]).await;
    assert_eq!(get(&one, &a).await.expect("it was created again").stat.version, 0);
}

/// Law 2.
pub async fn transaction_numbers_grow_across_sessions(fixture: &dyn Fixture) {
    let sessions = [fixture.connect().await, fixture.connect().await];
    let root = fixture.root();
    let mut last = 0;
    for n in 0..20 {
        let op =
            if n % 3 == 0 { Op::create(root.join(&n.to_string()), "") } else { Op::set(root.clone(), "") };
        let number = commit(&sessions[n % 2], vec![op]).await.transaction;
        assert!(number > last, "{number} came after {last}");
        last = number;
    }
}

/// Law 2.
pub async fn created_and_set_nodes_carry_the_number_of_their_transaction(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let (a, b) = (root.join("a"), root.join("b"));
    let first = commit(&one, vec![Op::create(a.clone(), ""), Op::create_ephemeral(b.clone(), "")]).await;
    let second = commit(&one, vec![Op::set(a.clone(), "2"), Op::check(b.clone())]).await;
    let third = commit(&one, vec![Op::create(a.join("child"), "")]).await;
    let stats: Vec<_> =
        read(&one, &[a, b]).await.into_iter().map(|node| node.expect("it was created").stat).collect();
    assert_eq!((stats[0].created, stats[0].modified), (first.transaction, second.transaction));
    assert_eq!((stats[1].created, stats[1].modified), (first.transaction, first.transaction));
    assert!(third.transaction > second.transaction);
    assert_eq!((stats[0].owner, stats[0].children), (0, 1));
    assert!(stats[0].created_at > 0 && stats[0].modified_at >= stats[0].created_at);
}

/// Law 3.
pub async fn versions_count_sets_and_start_again_at_each_creation(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let a = root.join("a");
    commit(&one, vec![Op::create(a.clone(), "")]).await;
    for version in 1..4 {
        let done = commit(&one, vec![Op::set(a.clone(), "same")]).await;
        assert_eq!(done.results, [OpResult::Set { version }]);
        assert_eq!(get(&one, &a).await.expect("it exists").stat.version, version);
    }
    commit(&one, vec![Op::delete(a.clone())]).await;
    commit(&one, vec![Op::create(a.clone(), "")]).await;
    assert_eq!(get(&one, &a).await.expect("it exists").stat.version, 0);
}

/// Law 3.
pub async fn a_stale_version_is_refused(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let a = root.join("a");
    commit(&one, vec![Op::create(a.clone(), "")]).await;
    commit(&two, vec![Op::set_if(a.clone(), "two", 0)]).await;
    for op in [
        Op::set_if(a.clone(), "one", 0),
        Op::Delete { path: a.clone(), version: Some(0) },
        Op::check_if(a.clone(), 0),
        Op::check_if(a.clone(), 2),
    ] {
        conflict(&one, vec![op], 0, Conflict::Version).await;
    }
    commit(&one, vec![Op::check_if(a.clone(), 1), Op::Delete { path: a.clone(), version: Some(1) }]).await;
}

/// Conflict [`Conflict::Exists`].
pub async fn creating_what_exists_is_a_conflict(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let (a, e) = (root.join("a"), root.join("e"));
    commit(&one, vec![Op::create(a.clone(), "1"), Op::create_ephemeral(e.clone(), "")]).await;
    for path in [&a, &e] {
        conflict(&one, vec![Op::create(path.clone(), "2")], 0, Conflict::Exists).await;
        conflict(&one, vec![Op::create_ephemeral(path.clone(), "2")], 0, Conflict::Exists).await;
    }
    assert_eq!(get(&one, &a).await.expect("it exists").data, "1");
}

/// Conflict [`Conflict::Missing`].
pub async fn creating_without_a_parent_is_a_conflict(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let below = root.join("missing").join("child");
    conflict(&one, vec![Op::create(below.clone(), "")], 0, Conflict::Missing).await;
    conflict(&one, vec![Op::create_ephemeral(below, "")], 0, Conflict::Missing).await;
}

/// Conflict [`Conflict::Missing`].
pub async fn changing_or_checking_what_is_missing_is_a_conflict(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let missing = root.join("missing");
    for op in [
        Op::set(missing.clone(), ""),
        Op::set_if(missing.clone(), "", 0),
        Op::delete(missing.clone()),
        Op::check(missing.clone()),
        Op::check_if(missing.clone(), 0),
    ] {
        conflict(&one, vec![op], 0, Conflict::Missing).await;
    }
}

/// Conflict [`Conflict::HasChildren`].
pub async fn deleting_a_node_with_children_is_a_conflict(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let a = root.join("a");
    commit(&one, vec![Op::create(a.clone(), ""), Op::create_ephemeral(a.join("b"), "")]).await;
    conflict(&one, vec![Op::delete(a.clone())], 0, Conflict::HasChildren).await;
    commit(&one, vec![Op::delete(a.join("b")), Op::delete(a)]).await;
}

/// Law 7: the caller learns which condition did not hold.
pub async fn a_conflict_names_the_operation_and_its_node(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    commit(&one, vec![Op::create(root.join("a"), "")]).await;
    let ops = |wrong: Op| {
        vec![Op::check(root.clone()), Op::create(root.join("b"), ""), wrong, Op::check(root.join("x"))]
    };
    conflict(&one, ops(Op::create(root.join("a"), "")), 2, Conflict::Exists).await;
    conflict(&one, ops(Op::set_if(root.join("a"), "", 7)), 2, Conflict::Version).await;
    conflict(&one, ops(Op::check(root.join("c"))), 2, Conflict::Missing).await;
    conflict(&one, ops(Op::delete(root.clone())), 2, Conflict::HasChildren).await;
    conflict(&one, ops(Op::check(root.join("b"))), 3, Conflict::Missing).await;
}

/// Law 5.
pub async fn own_commits_are_readable_at_once(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    for n in 0..50 {
        let path = root.join(&format!("n{n:02}"));
        commit(&one, vec![Op::create(path.clone(), ""), Op::set(root.clone(), n.to_string())]).await;
        assert_eq!(get(&one, &root).await.expect("the root exists").data, n.to_string());
        assert_eq!(one.list(&root).await.expect("list").len(), n + 1);
        assert_eq!(one.tree(&path).await.expect("tree").len(), 1);
    }
}

/// [`clockwright_registry::Registry::commit`].
pub async fn commits_take_effect_in_the_order_of_the_calls_polled_or_not(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let a = root.join("a");
    let first = one.commit(vec![Op::create(a.clone(), "0")]);
    let sets: Vec<_> =
        (0..100).map(|n| one.commit(vec![Op::set_if(a.clone(), (n + 1).to_string(), n)])).collect();
    let last = commit(&one, vec![Op::check_if(a.clone(), 100)]).await;
    let mut numbers = Vec::new();
    for set in sets.into_iter().rev() {
        numbers.push(within(set).await.expect("in order, each version is right").transaction);
    }
    numbers.push(within(first).await.expect("nobody was there before").transaction);
    assert!(numbers.is_sorted_by(|later, earlier| later > earlier), "{numbers:?}");
    assert!(last.transaction > numbers[0]);
    assert_eq!(get(&one, &a).await.expect("it exists").data, "100");
}

/// Law 2: conditional sets of several sessions are linearizable.
pub async fn concurrent_conditional_sets_lose_nothing(fixture: &dyn Fixture) {
    const SESSIONS: usize = 4;
    const EACH: usize = 25;
    let (one, root) = (fixture.connect().await, fixture.root());
    let counter = root.join("counter");
    commit(&one, vec![Op::create(counter.clone(), "0")]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..SESSIONS {
        let (session, counter) = (fixture.connect().await, counter.clone());
        tasks.spawn(async move {
            let mut done = 0;
            while done < EACH {
                let Some(node) = get(&session, &counter).await else { continue };
                let value: usize = std::str::from_utf8(&node.data).expect("digits").parse().expect("digits");
                let set = Op::set_if(counter.clone(), (value + 1).to_string(), node.stat.version);
                match within(session.commit(vec![set])).await {
                    Ok(_) => done += 1,
                    Err(Error::Conflict { conflict: Conflict::Version, .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("a task panicked");
    }
    let last = until(&one, &counter, |node| node.as_ref().is_some_and(|node| node.stat.version == 100)).await;
    assert_eq!(last.expect("it exists").data, (SESSIONS * EACH).to_string());
}

/// [`clockwright_registry::Registry::read`] of a long list.
pub async fn ten_thousand_nodes_are_read_in_the_order_asked(fixture: &dyn Fixture) {
    const NODES: usize = 10_000;
    let (one, root) = (fixture.connect().await, fixture.root());
    let path = |n: usize| root.join(&format!("node-{n:05}"));
    let batch = one.terms().max_ops.min(1_000);
    for start in (0..NODES).step_by(batch) {
        let ops = (start..NODES.min(start + batch)).map(|n| Op::create(path(n), n.to_string())).collect();
        commit(&one, ops).await;
    }
    // Backwards, and every other one is missing.
    let asked: Vec<Path> =
        (0..NODES).rev().flat_map(|n| [path(n), root.join(&format!("missing-{n}"))]).take(NODES).collect();
    let nodes = read(&one, &asked).await;
    assert_eq!(nodes.len(), NODES);
    for (index, node) in nodes.into_iter().enumerate() {
        let expected = (index % 2 == 0).then(|| (NODES - 1 - index / 2).to_string());
        assert_eq!(node.map(|node| String::from_utf8(node.data.to_vec()).expect("digits")), expected);
    }
    assert_eq!(one.list(&root).await.expect("list").len(), NODES);
    assert_eq!(one.tree(&root).await.expect("tree").len(), NODES + 1);
}

/// [`clockwright_registry::Terms`]: the limits can be used to the full.
pub async fn a_commit_may_be_as_large_as_the_terms_allow(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let terms = one.terms();
    let many =
        vec![Op::check(root.clone()); terms.max_ops.min(terms.max_bytes / Op::check(root.clone()).weight())];
    assert_eq!(commit(&one, many.clone()).await.results.len(), many.len());
    let mut large = Vec::new();
    let mut left = terms.max_bytes;
    for n in 0..terms.max_ops {
        let empty = Op::create(root.join(&format!("n{n}")), "").weight();
        let Some(room) = left.checked_sub(empty) else { break };
        let op = Op::create(root.join(&format!("n{n}")), vec![b'x'; room.min(1_000)]);
        left -= op.weight();
        large.push(op);
    }
    let count = large.len();
    assert_eq!(commit(&one, large).await.results.len(), count);
    assert_eq!(one.list(&root).await.expect("list").len(), count);
}

/// Law 7: refused is not unknown, and the session lives on.
pub async fn a_commit_beyond_the_terms_is_refused(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let terms = one.terms();
    for ops in [
        vec![Op::check(root.clone()); terms.max_ops + 1],
        vec![Op::create(root.join("a"), vec![0_u8; terms.max_bytes])],
    ] {
        let error = within(one.commit(ops)).await.expect_err("it is too large");
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
    commit(&one, vec![Op::create(root.join("a"), "")]).await;
}

/// [`clockwright_registry::Registry::tree`].
pub async fn a_tree_lists_parents_before_children(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let names = ["a", "a/b", "a/b/c", "a/b/c/d", "ab", "b", "b/e"];
    let ops = names.iter().map(|name| Op::create(root.join(name), name.to_string())).collect();
    commit(&one, ops).await;
    // Neighbours whose names start alike are not part of it.
    for (top, count) in [("a", 4), ("ab", 1), ("b", 2), ("missing", 0)] {
        let tree = one.tree(&root.join(top)).await.expect("tree");
        assert_eq!(tree.len(), count, "{top}");
        for (index, (path, node)) in tree.iter().enumerate() {
            assert_eq!(node.data, path.below(&root).expect("it is below").to_owned());
            let parent = path.parent().expect("it has a parent");
            assert!(path.name() == top || tree[..index].iter().any(|(path, _)| *path == parent), "{path}");
        }
    }
    assert_eq!(one.tree(&root).await.expect("tree").len(), names.len() + 1);
}

/// [`clockwright_registry::Registry::trees`].
pub async fn several_trees_are_read_in_the_order_asked(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let names = ["a", "a/b", "a/b/c", "b", "b/a", "b/c", "c"];
    let ops = names.iter().map(|name| Op::create(root.join(name), name.to_string())).collect();
    commit(&one, ops).await;
    // One inside another, one twice, one that is not there.
    let tops = ["b", "missing", "a/b", "a", "b", "c"].map(|top| root.join(top));
    let mut each = Vec::new();
    for top in &tops {
        each.push(one.tree(top).await.expect("tree"));
    }
    let together = one.trees(&tops).await.expect("trees");
    assert_eq!(together.iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 2, 3, 3, 1]);
    assert_eq!(together, each);
    assert_eq!(one.trees(&[]).await.expect("trees"), Vec::<Vec<_>>::new());
}

/// [`Registry::list`](clockwright_registry::Registry::list) and [`Registry::read`](clockwright_registry::Registry::read).
pub async fn children_are_listed_in_byte_order_and_absence_is_no_error(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let names = ["b", "B", "a-", "a", "10", "9", "ä", "a@-@b", "中"];
    commit(&one, names.iter().map(|name| Op::create(root.join(name), "")).collect()).await;
    commit(&one, vec![Op::create(root.join("a").join("grandchild"), "")]).await;
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort_unstable();
    assert_eq!(one.list(&root).await.expect("list"), expected);
    assert_eq!(one.list(&root.join("missing")).await.expect("list"), [""; 0]);
    assert_eq!(one.list(&root.join("b")).await.expect("list"), [""; 0]);
    assert_eq!(read(&one, &[root.join("missing"), root.join("x").join("y")]).await, [None, None]);
    assert_eq!(read(&one, &[]).await, []);
}

/// [`Registry::lists`](clockwright_registry::Registry::lists).
pub async fn the_children_of_thousands_of_nodes_are_listed_in_the_order_asked(fixture: &dyn Fixture) {
    const NODES: usize = 3_000;
    let (one, root) = (fixture.connect().await, fixture.root());
    let path = |n: usize| root.join(&format!("node-{n:05}"));
    for start in (0..NODES).step_by(500) {
        let ops = (start..NODES.min(start + 500)).flat_map(|n| {
            let child = n.is_multiple_of(2).then(|| Op::create(path(n).join(&format!("child-{n}")), ""));
            [Some(Op::create(path(n), "")), child].into_iter().flatten()
        });
        commit(&one, ops.collect()).await;
    }
    let asked: Vec<Path> =
        (0..NODES).rev().flat_map(|n| [path(n), root.join(&format!("missing-{n}"))]).collect();
    let lists = within(one.lists(&asked)).await.expect("lists");
    assert_eq!(lists.len(), asked.len());
    for (index, names) in lists.into_iter().enumerate() {
        let n = NODES - 1 - index / 2;
        let expected = (index.is_multiple_of(2) && n.is_multiple_of(2)).then(|| format!("child-{n}"));
        assert_eq!(names, Vec::from_iter(expected));
    }
    assert_eq!(within(one.lists(&[])).await.expect("lists"), Vec::<Vec<String>>::new());
}

/// [`Registry::access`](clockwright_registry::Registry::access): what this session made is its own, or open.
pub async fn who_may_change_a_node_is_told(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    commit(&one, vec![Op::create(root.join("a"), "")]).await;
    let asked = [root.join("missing"), root.join("a"), root.join("a").join("missing")];
    let told = within(one.access(&asked)).await.expect("access");
    assert!(matches!(told[..], [Access::Missing, Access::Ours | Access::Open, Access::Missing]), "{told:?}");
    assert_eq!(within(one.access(&[])).await.expect("access"), []);
}

/// Data is bytes.
pub async fn data_may_be_any_bytes_empty_or_large(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let every: Vec<u8> = (0..=255).cycle().take(1_024).collect();
    let large: Vec<u8> = every.iter().copied().cycle().take(500 * 1024).collect();
    for (n, data) in [Vec::new(), vec![0], vec![0xff, 0xfe, 0], every, large].into_iter().enumerate() {
        let path = root.join(&n.to_string());
        commit(&one, vec![Op::create(path.clone(), data.clone())]).await;
        assert!(get(&one, &path).await.expect("it exists").data == data);
        commit(&one, vec![Op::set(path.clone(), "")]).await;
        assert!(get(&one, &path).await.expect("it exists").data.is_empty());
        commit(&one, vec![Op::set(path.clone(), data.clone())]).await;
        let node = until(&two, &path, |node| node.as_ref().is_some_and(|node| node.stat.version == 2)).await;
        assert!(node.expect("it exists").data == data);
    }
}

/// Names are Unicode; characters of four bytes need not be taken.
pub async fn names_may_be_in_any_script(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    // All of Unicode's first plane: ZooKeeper takes no name with a character beyond it.
    let names = ["作业", "job ⏰\u{fe0f}", "पाली", "ñ%20?*'\"", "10.0.0.1@-@77"];
    let mut hints = one.watch(&root).await.expect("watch");
    for name in names {
        let path = root.join(name);
        commit(&one, vec![Op::create(path.clone(), name), Op::create(path.join("child"), "")]).await;
        hinted(&mut hints, &path).await;
        assert_eq!(get(&one, &path).await.expect("it exists").data, name);
        assert_eq!(one.list(&path).await.expect("list"), ["child"]);
    }
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort_unstable();
    assert_eq!(one.list(&root).await.expect("list"), expected);
}
