//! What goes on record of who comes and goes, and of who holds a job.

use super::stage::{Desk, NEVER, Who, job};
use clockwright_model::{Change, ChangeKind, Event};
use std::collections::BTreeMap;

use ChangeKind::*;

impl Desk {
    /// What is on record, each change once and as its subject tells it, in the order of its first telling: what, about whom.
    fn changes(&self) -> Vec<(ChangeKind, String)> {
        self.whole_changes().into_iter().map(|change| (change.kind, change.subject.to_string())).collect()
    }

    fn whole_changes(&self) -> Vec<Change> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut told: Vec<Change> = Vec::new();
        for event in &self.stored {
            let Event::Change(change) = event else { continue };
            let place = *places.entry(change.key()).or_insert(told.len());
            match told.get_mut(place) {
                None => told.push(change.clone()),
                Some(first) if change.is_own() && !first.is_own() => *first = change.clone(),
                Some(_) => {}
            }
        }
        told
    }

    /// How often changes are told.
    fn tellings(&self) -> usize {
        self.stored.iter().filter(|event| matches!(event, Event::Change(_))).count()
    }
}

fn of(kind: ChangeKind, subject: &str) -> (ChangeKind, String) {
    (kind, subject.to_owned())
}

fn id(number: u32) -> String {
    format!("10.0.0.{number}@-@100")
}

#[test]
fn an_instance_that_comes_and_leaves_tells_so_itself() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.start();
    let second = desk.start();
    desk.pass(1_000);
    assert_eq!(desk.changes(), [of(Joined, &id(1)), of(Joined, &id(2))]);
    desk.leave(second);
    desk.pass(10_000);
    assert_eq!(desk.changes()[2..], [of(Left, &id(2))]);
}

#[test]
fn who_is_killed_is_told_by_two_that_live_and_is_one_change() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    let all = [desk.start(), desk.start(), desk.start(), desk.start()];
    desk.pass(1_000);
    let before = desk.tellings();
    desk.kill(all[0]);
    desk.pass(20_000);
    assert_eq!(desk.changes()[4..], [of(Lost, &id(1))]);
    assert_eq!(
        desk.tellings() - before,
        2,
        "one witness may die at the same moment, and a third is too many"
    );
}

/// Two instances of one job that have come together, and the first of them.
fn two() -> (Desk, Who) {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    let first = desk.start();
    desk.start();
    desk.pass(1_000);
    (desk, first)
}

#[test]
fn who_was_cut_off_tells_so_when_it_is_back() {
    let (mut desk, first) = two();
    desk.cut(first);
    desk.pass(20_000);
    assert_eq!(desk.changes()[2..], [of(Lost, &id(1))]);
    desk.mend(first);
    desk.pass(20_000);
    assert_eq!(desk.changes()[2..], [of(CutOff, &id(1)), of(Joined, &id(1))]);
}

#[test]
fn a_shutdown_by_command_is_told_by_who_obeys_it() {
    let (mut desk, first) = two();
    let target = desk.id(first);
    desk.shut_down("a", &target);
    desk.pass(5_000);
    assert_eq!(desk.changes()[2..], [of(ShutDown, &id(1))]);
}

#[test]
fn holds_are_told_with_who_and_why_and_their_ends() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.start();
    desk.pass(1_000);
    desk.pause("a");
    desk.pass(1_000);
    desk.disable_item("a", 1, true);
    desk.disable("a", true);
    desk.drain_host("a", "10.0.0.1", true);
    desk.pass(1_000);
    desk.resume("a");
    desk.disable_item("a", 1, false);
    desk.disable("a", false);
    desk.drain_host("a", "10.0.0.1", false);
    desk.pass(1_000);
    let host = "10.0.0.1";
    let begun = [of(Paused, ""), of(ItemDisabled, "1"), of(HostDisabled, host), of(HostDrained, host)];
    let ended = [of(Resumed, ""), of(ItemEnabled, "1"), of(HostEnabled, host), of(HostUndrained, host)];
    let changes = desk.changes();
    let sorted = |part: &[(ChangeKind, String)]| {
        let mut part = part.to_vec();
        part.sort_by_key(|(kind, _)| kind.as_str());
        part
    };
    assert_eq!(sorted(&changes[1..5]), sorted(&begun));
    assert_eq!(sorted(&changes[5..]), sorted(&ended));
    let paused = desk.whole_changes().into_iter().find(|change| change.kind == Paused).unwrap();
    assert_eq!((&*paused.by, &*paused.reason), ("ops", "audit"));
}

#[test]
fn a_hold_that_began_before_anybody_was_there_is_told_by_who_comes_and_once() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    let first = desk.start();
    desk.pass(1_000);
    desk.leave(first);
    desk.pass(10_000);
    desk.pause("a");
    desk.pass(5_000);
    let paused_at = desk.now - 5_000;
    desk.start();
    desk.pass(1_000);
    desk.start();
    desk.pass(70_000);
    let paused: Vec<_> = desk.whole_changes().into_iter().filter(|change| change.kind == Paused).collect();
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].at, clockwright_testkit::sim::EPOCH + paused_at);
}

#[test]
fn a_java_instance_is_told_by_witnesses() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    desk.start();
    desk.pass(1_000);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass(2_000);
    desk.java_dies(java);
    desk.pass(2_000);
    assert_eq!(desk.changes()[1..], [of(Joined, "10.9.9.9@-@1"), of(Gone, "10.9.9.9@-@1")]);
}

#[test]
fn a_clock_that_is_ahead_is_on_record_for_all_jobs() {
    let mut desk = Desk::new(&[job("a", NEVER, 1)]);
    desk.start_with_clock(3_600_000);
    desk.pass(1_000);
    let ahead = desk.whole_changes().into_iter().find(|change| change.kind == ClockAhead).unwrap();
    assert_eq!((ahead.job, &*ahead.subject, &*ahead.reason), (None, &*id(1), "3600 s"));
}

#[test]
fn an_instance_that_no_longer_has_a_job_tells_that_it_left() {
    let mut desk = Desk::new(&[job("a", NEVER, 2), job("b", NEVER, 2)]);
    let first = desk.start();
    desk.start();
    desk.pass(1_000);
    let before = desk.changes().len();
    desk.remove(first, "a", 1_000);
    desk.pass(5_000);
    assert_eq!(desk.changes()[before..], [of(Left, &id(1))]);
    assert_eq!(desk.whole_changes().last().unwrap().job.as_ref().unwrap().as_str(), "a");
}
