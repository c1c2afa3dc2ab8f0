//! A server stands still (SIGSTOP) and goes on later.

use super::PATIENCE;
use super::jobs::{CRON, JOBS, config, disturb, job};
use clockwright_e2e::harness::{Plane, Setup, eventually, now, pass_time};
use clockwright_server::fail::Point;
use clockwright_testkit::zookeeper::LoggedOp;
use rustix::process::Signal;
use serde_json::Value;
use std::time::Instant;

/// Notes who writes which table; of the term's row only what a term writes.
const WITNESS: &str = "
    CREATE TABLE seen (n BIGSERIAL PRIMARY KEY, who TEXT NOT NULL, what TEXT NOT NULL);
    CREATE FUNCTION see() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO seen (who, what) VALUES (session_user, TG_TABLE_NAME); RETURN NULL; END';
    DO $$ DECLARE name TEXT; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE tablename LIKE 'clockwright\\_%' LOOP
            EXECUTE format('CREATE TRIGGER see AFTER INSERT OR DELETE OR UPDATE %s ON %I FOR EACH ROW EXECUTE FUNCTION see()',
                CASE name WHEN 'clockwright_term' THEN 'OF term, beats, batch' ELSE '' END, name);
        END LOOP;
    END $$";

fn are_repaired(plane: &Plane, jobs: &[String]) -> bool {
    jobs.iter().all(|job| config(plane, job).contains(CRON))
}

#[test]
fn a_leader_that_stood_still_writes_nothing_of_its_term_when_it_goes_on() {
    let plane = Plane::start(&Setup { registries: 1, ..Setup::default() });
    let jobs: Vec<String> = (0..3).map(|n| format!("job-{n}")).collect();
    for name in &jobs {
        let _made = plane.wait(plane.root.post(name, JOBS, &job(name))).is(201);
    }
    let (leader, term) = (plane.leader(), plane.term());
    plane.sql(WITNESS);

    // It is about to repair these when it stands still.
    jobs.iter().for_each(|job| disturb(&plane, job));
    let stopped = Instant::now();
    plane.desks[leader].node.signal(Signal::STOP);
    let took = plane.takeover(term, stopped);
    println!("the other one led after {took:?}");
    eventually(PATIENCE, "the other one repairs", || are_repaired(&plane, &jobs));

    let last = plane.registry.transactions().last().unwrap().number;
    let seen = plane.number("SELECT COALESCE(MAX(n), 0) FROM seen");
    jobs.iter().for_each(|job| disturb(&plane, job));
    plane.desks[leader].node.signal(Signal::CONT);
    eventually(PATIENCE, "it knows that it leads no more", || plane.desks[leader].leads().is_none());
    eventually(PATIENCE, "the other one repairs again", || are_repaired(&plane, &jobs));
    pass_time(now() + 3_000);

    let led = plane.term();
    assert_eq!(plane.leader(), 1 - leader);
    let controls = plane.registry.transactions().into_iter().filter(|done| done.number > last);
    let controls = controls.flat_map(|done| done.ops).filter_map(|op| match op {
        LoggedOp::Set { path, data, .. } if path == "/billing-clockwright/control" => Some(data),
        _ => None,
    });
    let terms: Vec<i64> = controls
        .map(|data| serde_json::from_slice::<Value>(&data).unwrap()["term"].as_i64().unwrap())
        .collect();
    assert!(
        !terms.is_empty() && terms.iter().all(|term| *term == led),
        "terms that wrote: {terms:?}, led: {led}"
    );
    let who = ["tester", "second"][leader];
    let wrote = plane.texts(&format!(
        "SELECT DISTINCT what FROM seen WHERE n > {seen} AND who = '{who}' AND what <> 'clockwright_control_server'"
    ));
    assert!(wrote.is_empty(), "the old leader wrote {wrote:?}");
    let others = plane.texts(&format!("SELECT DISTINCT what FROM seen WHERE n > {seen} AND who <> '{who}'"));
    assert!(
        others.iter().any(|what| what == "clockwright_drift"),
        "what the new one wrote is seen: {others:?}"
    );
}

#[test]
#[ignore = "part of make test-faults"]
fn a_server_that_stands_still_within_a_change_holds_the_other_one_up_for_seconds_only() {
    let plane = Plane::start(&Setup { registries: 1, ..Setup::default() });
    let of = |desk: usize| plane.root.at(&format!("http://{}", plane.desks[desk].link.address()));
    let (frozen, other) = (of(0), of(1));
    plane.desks[0].stops_at(Point::Written);
    let held = plane.runtime().spawn(async move { frozen.post("held", JOBS, &job("held")).await });
    eventually(PATIENCE, "it stands still within the change", || plane.desks[0].has_come());

    // For ever, if it waited for the frozen one.
    let _made = plane.wait(other.post("free", JOBS, &job("free"))).is(201);
    plane.desks[0].node.signal(Signal::CONT);
    // Whoever asked the frozen one asks again, with the same key.
    let made = plane.wait(held).unwrap().is(201);
    assert_eq!(made["name"], "held");
    assert_eq!(plane.number("SELECT COUNT(*) FROM CLOCKWRIGHT_JOB WHERE name = 'held'"), 1);
    let verified = plane.wait(plane.root.get("/journal/verify")).is(200);
    assert_eq!(verified["holds"], true, "{verified:#}");
}
