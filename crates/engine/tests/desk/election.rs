//! Who leads: decided by one commit where nobody queues, and at Java's latch where somebody does.

use super::stage::{Desk, NEVER, SESSION, Who, job};
use clockwright_fleet::keys::Key;
use clockwright_model::JobName;
use clockwright_registry::{Mode, Op};

const PLACE: &str = "_c_936ce2d9-957f-4315-8cb9-abcd10086328-latch-";

/// How often somebody came to the election's latch.
fn came_to_the_latch(desk: &Desk) -> usize {
    let latch = desk.keys.of(&JobName::new("a").unwrap(), &Key::ElectionLatch);
    let inner = desk.registry.lock();
    let changes =
        inner.leader.log.iter().flat_map(|txn| &txn.changes).filter(|change| change.before.is_none());
    changes.filter(|change| change.path.below(&latch).is_some_and(|name| !name.is_empty())).count()
}

/// Two instances, of which the first leads, and a Java peer that has come to the latch and is not listed yet; its session.
fn java_queues(desk: &mut Desk) -> ([Who; 2], i64) {
    let two = [desk.start(), desk.start()];
    desk.pass(500);
    assert!(desk.status(two[0], "a").leader);
    let session = desk.registry.lock().leader.open_session(SESSION, 500);
    let place = desk.keys.of(&JobName::new("a").unwrap(), &Key::ElectionLatchNode(PLACE.to_owned()));
    desk.java_does(
        session,
        vec![Op::Create { path: place, data: "".into(), mode: Mode::EphemeralSequential }],
    );
    (two, session)
}

#[test]
fn among_ourselves_a_leader_is_elected_without_a_queue() {
    let mut desk = Desk::new(&[job("a", NEVER, 4)]);
    let all = [desk.start(), desk.start(), desk.start()];
    desk.pass(500);
    desk.leave(all[0]);
    assert!(
        desk.status(all[1], "a").leader != desk.status(all[2], "a").leader,
        "one of the two leads, at once"
    );
    desk.kill(if desk.status(all[1], "a").leader { all[1] } else { all[2] });
    desk.pass(SESSION + 1_000);
    let last = if desk.is_gone(all[1]) { all[2] } else { all[1] };
    assert!(desk.status(last, "a").leader);
    assert_eq!(desk.owns(last, "a"), [0, 1, 2, 3]);
    assert_eq!(came_to_the_latch(&desk), 0);
}

#[test]
fn a_java_peer_that_queues_is_waited_for_though_it_is_not_listed_yet() {
    let mut desk = Desk::new(&[job("a", NEVER, 4)]);
    let (two, java) = java_queues(&mut desk);
    desk.leave(two[0]);
    desk.pass(1_000);
    assert_eq!((desk.text("a", &Key::ElectionInstance), came_to_the_latch(&desk)), (None, 2));
    desk.java_dies(java);
    assert!(desk.status(two[1], "a").leader, "its turn has come");
}

#[test]
fn a_java_peer_that_came_to_the_queue_unseen_is_not_passed_over() {
    let mut desk = Desk::new(&[job("a", NEVER, 4)]);
    desk.delay_hints(|path| path.as_str().contains("latch"));
    let (two, java) = java_queues(&mut desk);
    desk.leave(two[0]);
    desk.pass(1_000);
    assert_eq!((desk.text("a", &Key::ElectionInstance), came_to_the_latch(&desk)), (None, 2));
    desk.java_dies(java);
    desk.deliver_hints();
    desk.pass(100);
    assert!(desk.status(two[1], "a").leader, "its turn has come");
}

#[test]
fn who_joins_a_job_of_javas_makes_the_number_of_its_plan_so_that_claims_can_check_it() {
    let mut desk = Desk::new(&[job("a", NEVER, 4)]);
    let first = desk.start();
    desk.pass(500);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    desk.leave(first);
    let key = |key: Key| desk.keys.of(&JobName::new("a").unwrap(), &key);
    let (leads, epoch) = (key(Key::ElectionInstance), key(Key::Epoch));
    desk.java_does(java, vec![Op::create_ephemeral(leads, "10.9.9.9@-@1"), Op::delete(epoch)]);
    desk.start();
    desk.pass(500);
    assert_eq!(desk.text("a", &Key::ElectionInstance).as_deref(), Some("10.9.9.9@-@1"));
    assert!(desk.text("a", &Key::Epoch).is_some());
}
