//! Laws of sessions: ephemeral nodes, the end, hints.

use super::tools::{commit, conflict, get, hinted, lost, until, within};
use super::{Fixture, PATIENCE};
use clockwright_registry::{Conflict, Error, Hint, Mode, Op, OpResult, Session};
use tokio::time::timeout;

/// Law 4 and conflict [`Conflict::EphemeralParent`].
pub async fn an_ephemeral_node_has_no_children(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let e = root.join("e");
    commit(&one, vec![Op::create_ephemeral(e.clone(), "")]).await;
    conflict(&one, vec![Op::create(e.join("child"), "")], 0, Conflict::EphemeralParent).await;
    conflict(&one, vec![Op::create_ephemeral(e.join("child"), "")], 0, Conflict::EphemeralParent).await;
}

/// Law 4.
pub async fn ephemeral_nodes_name_their_session_and_die_when_it_is_closed(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let e = root.join("e");
    commit(&one, vec![Op::create_ephemeral(e.clone(), "x"), Op::create(root.join("p"), "")]).await;
    let node = until(&two, &e, Option::is_some).await.expect("it is there");
    assert_eq!((node.stat.owner, &node.data[..]), (one.terms().session, &b"x"[..]));
    one.close().await.expect("close");
    until(&two, &e, Option::is_none).await;
    assert!(get(&two, &root.join("p")).await.is_some());
    // A session that is not told to end ends when nobody holds it any more, at the latest by its timeout.
    let three = fixture.connect().await;
    commit(&three, vec![Op::create_ephemeral(e.clone(), "")]).await;
    until(&two, &e, Option::is_some).await;
    drop(three);
    until(&two, &e, Option::is_none).await;
}

/// Law 4.
pub async fn ephemeral_nodes_die_when_their_session_expires(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let (e, other) = (root.join("e"), root.join("other"));
    commit(&one, vec![Op::create_ephemeral(e.clone(), "")]).await;
    commit(&two, vec![Op::create_ephemeral(other.clone(), "")]).await;
    until(&two, &e, Option::is_some).await;
    if fixture.expire(&one).await {
        until(&two, &e, Option::is_none).await;
        assert!(get(&two, &other).await.is_some(), "the other session lives");
        commit(&two, vec![Op::create_ephemeral(e.clone(), "")]).await;
    }
}

/// Laws 2 and 4.
pub async fn nodes_that_die_with_their_session_change_their_parents_in_one_transaction(
    fixture: &dyn Fixture,
) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let (p, q, r) = (root.join("p"), root.join("q"), root.join("r"));
    commit(&one, [&p, &q, &r].map(|parent| Op::create(parent.clone(), "")).into()).await;
    commit(&one, [&p, &q].map(|parent| Op::create_ephemeral(parent.join("e"), "")).into()).await;
    commit(&two, vec![Op::create_ephemeral(r.join("e"), ""), Op::delete(r.join("e"))]).await;
    one.close().await.expect("close");
    until(&two, &q.join("e"), Option::is_none).await;
    let changed = async |path| get(&two, path).await.expect("it is there").stat.children_changed;
    assert_ne!(changed(&p).await, 0);
    assert_eq!(changed(&p).await, changed(&q).await);
    assert!(changed(&r).await < changed(&q).await, "another session's change is another transaction");
}

/// Laws 4 and 8.
pub async fn an_ended_session_is_lost_and_its_commits_fail(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    commit(&one, vec![Op::create(root.join("a"), "")]).await;
    one.close().await.expect("close");
    lost(&one).await;
    let error =
        within(one.commit(vec![Op::set(root.join("a"), "late")])).await.expect_err("the session is over");
    assert_eq!(error, Error::SessionLost);
    let two = fixture.connect().await;
    assert_eq!(until(&two, &root.join("a"), Option::is_some).await.expect("it is there").data, "");
}

/// Laws 4, 7 and 8.
pub async fn an_expired_session_is_told_and_its_commits_fail(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let a = root.join("a");
    commit(&one, vec![Op::create(a.clone(), "")]).await;
    if !fixture.expire(&one).await {
        return;
    }
    lost(&one).await;
    let error = within(one.commit(vec![Op::set(a.clone(), "late")])).await.expect_err("the session is over");
    assert_eq!(error, Error::SessionLost);
    assert_eq!(*one.session().borrow(), Session::Lost, "the end is final");
    assert_eq!(*two.session().borrow(), Session::Connected);
    commit(&two, vec![Op::set_if(a, "still version 0", 0)]).await;
}

/// Law 8 and [`clockwright_registry::Terms`].
pub async fn the_session_says_what_it_was_given(fixture: &dyn Fixture) {
    let (one, two) = (fixture.connect().await, fixture.connect().await);
    assert_eq!(*one.session().borrow(), Session::Connected);
    let terms = one.terms();
    assert_ne!(terms.session, 0, "0 stands for a persistent node");
    assert_ne!(terms.session, two.terms().session);
    assert!(terms.timeout > 0 && terms.max_ops >= 100 && terms.max_bytes >= 512 * 1024, "{terms:?}");
}

/// [`Mode::EphemeralSequential`].
pub async fn sequential_names_grow(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let op = || Op::Create { path: root.join("n-"), data: "x".into(), mode: Mode::EphemeralSequential };
    let mut names = Vec::new();
    for session in [&one, &two, &one] {
        let done = commit(session, vec![op(), op()]).await;
        for result in done.results {
            let OpResult::Created(path) = result else { panic!("not created: {result:?}") };
            let digits = path.name().strip_prefix("n-").expect("the name starts with the given one");
            assert!(digits.len() == 10 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{path}");
            names.push(path.name().to_owned());
        }
        // What was deleted does not come again.
        let last = root.join(names.last().expect("two were made"));
        commit(session, vec![Op::delete(last)]).await;
    }
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let node = get(&one, &root.join(&names[0])).await.expect("it was created");
    assert_eq!((node.stat.owner, &node.data[..]), (one.terms().session, &b"x"[..]));
}

/// Law 6.
pub async fn hints_follow_creations_sets_and_deletions_at_any_depth(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let mut hints = one.watch(&root).await.expect("watch");
    let mut path = root.clone();
    for depth in 0..5 {
        path = path.join(&format!("d{depth}"));
        commit(&two, vec![Op::create(path.clone(), "")]).await;
        hinted(&mut hints, &path).await;
        commit(&two, vec![Op::set(path.clone(), "x")]).await;
        hinted(&mut hints, &path).await;
    }
    commit(&two, vec![Op::set(root.clone(), "the watched node itself")]).await;
    hinted(&mut hints, &root).await;
    while path != root {
        commit(&two, vec![Op::delete(path.clone())]).await;
        hinted(&mut hints, &path).await;
        path = path.parent().expect("it is below the root");
    }
    let ops = vec![
        Op::create(root.join("a"), ""),
        Op::create(root.join("a").join("b"), ""),
        Op::set(root.clone(), ""),
    ];
    commit(&one, ops).await;
    hinted(&mut hints, &root.join("a").join("b")).await;
}

/// Law 6.
pub async fn hints_come_to_every_watch_and_a_dropped_one_harms_nobody(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let a = root.join("a");
    commit(&one, vec![Op::create(a.clone(), ""), Op::create(root.join("b"), "")]).await;
    let mut wide = one.watch(&root).await.expect("watch");
    let mut narrow = one.watch(&a).await.expect("watch");
    let mut other = two.watch(&a).await.expect("watch");
    let dropped = one.watch(&a).await.expect("watch");
    drop(dropped);
    commit(&one, vec![Op::set(a.clone(), "1")]).await;
    for hints in [&mut wide, &mut narrow, &mut other] {
        hinted(hints, &a).await;
    }
    drop(narrow);
    commit(&one, vec![Op::set(a.clone(), "2")]).await;
    hinted(&mut wide, &a).await;
    let mut again = one.watch(&a).await.expect("watch");
    commit(&two, vec![Op::create(a.join("c"), "")]).await;
    for hints in [&mut wide, &mut again, &mut other] {
        hinted(hints, &a.join("c")).await;
    }
}

/// Laws 4 and 6.
pub async fn hints_tell_of_ephemeral_nodes_that_died(fixture: &dyn Fixture) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let mut hints = two.watch(&root).await.expect("watch");
    let e = root.join("e");
    commit(&one, vec![Op::create_ephemeral(e.clone(), "")]).await;
    hinted(&mut hints, &e).await;
    until(&two, &e, Option::is_some).await;
    one.close().await.expect("close");
    hinted(&mut hints, &e).await;
    until(&two, &e, Option::is_none).await;
}

/// Laws 6 and 8.
pub async fn hints_end_with_the_session(fixture: &dyn Fixture) {
    let (one, root) = (fixture.connect().await, fixture.root());
    let mut hints = one.watch(&root).await.expect("watch");
    one.close().await.expect("close");
    let end = async { while hints.recv().await.is_some() {} };
    timeout(PATIENCE, end).await.expect("the hints end when the session does");
}

/// Law 9.
pub async fn hints_of_earlier_transactions_are_there_before_the_answer_of_a_later_commit(
    fixture: &dyn Fixture,
) {
    let (one, two, root) = (fixture.connect().await, fixture.connect().await, fixture.root());
    let (seen, beat) = (root.join("seen"), root.join("beat"));
    commit(&one, vec![Op::create(seen.clone(), ""), Op::create(beat.clone(), "")]).await;
    let mut hints = one.watch(&seen).await.expect("watch");
    let mut others = one.watch(&root).await.expect("watch");
    for round in 0..100 {
        // New nodes in new nodes, and a node that was there before.
        let new = seen.join(&format!("n{round}"));
        let mut expected = vec![seen.clone(), new.clone(), new.join("child")];
        commit(&two, vec![Op::set(seen.clone(), round.to_string())]).await;
        commit(&two, vec![Op::create(new.clone(), "")]).await;
        commit(&two, vec![Op::create(new.join("child"), "")]).await;
        commit(&one, vec![Op::set(beat.clone(), "")]).await;
        for hints in [&mut hints, &mut others] {
            let mut missing = expected.clone();
            while let Ok(hint) = hints.try_recv() {
                match hint {
                    Hint::Everything => missing.clear(),
                    Hint::Path(path) => missing.retain(|expected| *expected != path),
                }
            }
            assert_eq!(missing, [], "round {round}: the answer came before these hints");
        }
        // What this session does itself is no exception.
        expected = vec![new.join("child")];
        commit(&one, vec![Op::delete(new.join("child"))]).await;
        while let Ok(hint) = hints.try_recv() {
            expected.retain(|expected| hint != Hint::Everything && hint != Hint::Path(expected.clone()));
        }
        assert_eq!(expected, [], "round {round}: the answer came before the hint of its own commit");
    }
}
