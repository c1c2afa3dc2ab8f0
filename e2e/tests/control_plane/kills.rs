//! A server dies (SIGKILL) between any two steps of what it does.

use super::jobs::{JOBS, disturb, job};
use super::load::{Load, judge, witness};
use super::{PATIENCE, TAKEOVER};
use clockwright_e2e::harness::{Plane, Setup, eventually};
use clockwright_server::fail::Point;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

/// A job whose config somebody else changes over and over.
const VICTIM: &str = "victim";

#[test]
fn a_leader_that_dies_in_the_middle_loses_nothing_and_does_nothing_twice() {
    die_at(&[Point::OperationWritten, Point::SyncCommitted, Point::LeadTook], PATIENCE);
}

#[test]
#[ignore = "part of make test-faults"]
fn wherever_a_leader_dies_nothing_is_lost_and_nothing_done_twice() {
    die_at(Point::ALL, TAKEOVER);
}

/// The chores go on within `limit` each time.
fn die_at(points: &[Point], limit: Duration) {
    let mut plane = Plane::start(&Setup { registries: 3, ..Setup::default() });
    let node = witness(&plane);
    let _made = plane.wait(plane.root.post(VICTIM, JOBS, &job(VICTIM))).is(201);
    let load = Load::start(&plane, true);
    for point in points {
        die(&mut plane, *point, limit);
        load.goes_on();
    }
    let deeds = load.stop(&plane);
    judge(&plane, &deeds);
    drop(node);
}

fn die(plane: &mut Plane, point: Point, limit: Duration) {
    let (leader, term) = (plane.leader(), plane.term());
    // What happens at a takeover happens to the other one.
    let in_takeover = matches!(point, Point::LeadSeated | Point::LeadTook | Point::LeadBegan);
    let dying = if in_takeover { 1 - leader } else { leader };
    plane.desks[dying].dies_at(point);
    if in_takeover {
        plane.desks[leader].node.kill();
    }
    let mut edited = Instant::now();
    eventually(PATIENCE, &format!("a server comes to {point:?}"), || {
        if point == Point::SyncRecorded && edited.elapsed() > Duration::from_millis(500) {
            edited = Instant::now();
            disturb(plane, VICTIM);
        }
        plane.desks[dying].is_dead()
    });
    let status = plane.desks[dying].node.status().unwrap();
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{}", plane.desks[dying].node.talk());
    if in_takeover {
        // Nobody is left; the session of the dead one is over as late as if somebody were.
        plane.restart(leader);
    }
    let died = Instant::now();
    let term = if point == Point::LeadTook || point == Point::LeadBegan { plane.term() } else { term };
    let took = plane.takeover(term, died);
    println!("after a death at {point:?} the chores went on after {took:?}");
    assert!(took <= limit, "after a death at {point:?} the chores went on after {took:?}, not {limit:?}");
    plane.restart(dying);
}
