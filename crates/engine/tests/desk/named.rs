//! Jobs that an instance knows by their names alone: their settings are the registry's, and none are ever made.

use super::stage::{Desk, EACH_SECOND, Who, job};
use clockwright_fleet::keys::Key;
use clockwright_model::Outcome;

/// A job of so many items that another instance has made and left, and one that knows it by its name alone.
fn alone(items: u32) -> (Desk, Who) {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, items)]);
    let other = desk.start();
    desk.pass(500);
    let named = desk.start_naming("a");
    desk.leave(other);
    (desk, named)
}

#[test]
fn a_job_that_is_known_by_its_name_is_served_as_the_registry_says() {
    let (mut desk, named) = alone(4);
    assert_eq!(desk.owns(named, "a"), [0, 1, 2, 3]);
    desk.pass(3_000);
    let outcomes = desk.outcomes("a");
    assert!(outcomes.len() >= 12 && outcomes.iter().all(|settled| settled.outcome == Outcome::Succeeded));
    desk.edit("a", |settings| settings.sharding_total_count = 2);
    desk.pass(1_000);
    assert_eq!(desk.owns(named, "a"), [0, 1]);
}

#[test]
fn without_settings_in_the_registry_it_waits_for_them_and_makes_nothing() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    let named = desk.start_naming("a");
    desk.pass(5_000);
    assert!(desk.status(named, "a").degraded.unwrap().contains("waits for them"));
    assert_eq!(desk.text("a", &Key::Job), None, "nothing of it was made");
    let settings = job("a", EACH_SECOND, 2);
    desk.write("a", &Key::Job, "");
    desk.write("a", &Key::Config, &clockwright_fleet::Layout::V2.write(&settings));
    desk.pass(2_500);
    assert_eq!(desk.status(named, "a").degraded, None);
    assert_eq!(desk.owns(named, "a"), [0, 1]);
    assert!(!desk.outcomes("a").is_empty());
}

#[test]
fn a_job_that_is_deleted_under_those_who_know_it_by_its_name_is_waited_for() {
    let (mut desk, named) = alone(2);
    desk.pass(1_500);
    assert_eq!(desk.owns(named, "a"), [0, 1]);
    desk.delete_job("a");
    desk.pass(5_000);
    assert_eq!(desk.text("a", &Key::Config), None, "nothing of it was made");
    assert!(desk.status(named, "a").degraded.unwrap().contains("waits for them"));
}
