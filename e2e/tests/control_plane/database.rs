//! What befalls the database.

use super::load::{Load, judge};
use clockwright_e2e::harness::{Plane, Setup, now, pass_time};

/// Lets each commit of a change take so many seconds more.
pub(crate) fn be_slow(plane: &Plane, seconds: f64) {
    plane.sql(&format!(
        "CREATE FUNCTION be_slow() RETURNS TRIGGER LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER slow AFTER UPDATE OF hash ON CLOCKWRIGHT_HEAD
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION be_slow()"
    ));
}

/// Ends that.
pub(crate) fn be_quick(plane: &Plane) {
    plane.sql("DROP FUNCTION be_slow() CASCADE");
}

/// Clients work before, while and after something befalls the database, and all that was acknowledged is there, once.
fn survives(begin: impl FnOnce(&Plane), end: impl FnOnce(&Plane)) {
    let plane = Plane::start(&Setup { registries: 1, ..Setup::default() });
    let _leads = plane.leader();
    let load = Load::start(&plane, false);
    load.goes_on();
    begin(&plane);
    pass_time(now() + 6_000);
    end(&plane);
    load.goes_on();
    let deeds = load.stop(&plane);
    judge(&plane, &deeds);
    let _leads = plane.leader();
}

#[test]
#[ignore = "part of make test-faults"]
fn a_database_that_is_killed_and_comes_back_has_all_that_was_acknowledged_once() {
    survives(|plane| plane.sql.kill(), |plane| plane.sql.restart().unwrap());
}

#[test]
#[ignore = "part of make test-faults"]
fn a_database_that_says_nothing_for_a_while_has_all_that_was_acknowledged_once() {
    survives(|plane| plane.sql.pause().unwrap(), |plane| plane.sql.resume().unwrap());
}

#[test]
#[ignore = "part of make test-faults"]
fn a_database_that_is_read_only_for_a_while_has_all_that_was_acknowledged_once() {
    survives(
        |plane| plane.wait(plane.sql.set_read_only(true)).unwrap(),
        |plane| plane.wait(plane.sql.set_read_only(false)).unwrap(),
    );
}

#[test]
#[ignore = "part of make test-faults"]
fn a_database_that_is_slow_to_commit_has_all_that_was_acknowledged_once() {
    survives(|plane| be_slow(plane, 1.0), be_quick);
}
