//! What befalls the registry: a server of it, its quorum, all that it had, and the node that numbers what is written.

use super::PATIENCE;
use super::jobs::{JOBS, job};
use super::load::{Load, judge};
use clockwright_e2e::harness::{Plane, Setup, eventually, now, pass_time};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const COUNT: usize = 5;

fn with_jobs() -> Plane {
    let plane = Plane::start(&Setup { registries: 1, ..Setup::default() });
    for n in 0..COUNT {
        make(&plane, &format!("job-{n}"));
    }
    plane
}

fn make(plane: &Plane, name: &str) {
    let made = plane.wait(plane.root.post(name, JOBS, &job(name))).is(201);
    assert_eq!(made["sync"]["state"], "written", "{made:#}");
}

fn edit(plane: &Plane, name: &str) -> Value {
    let job = plane.wait(plane.root.get(&format!("{JOBS}/{name}"))).is(200);
    let tag = format!("\"v{}\"", job["version"]);
    let day = 1 + job["version"].as_i64().unwrap() % 28;
    let change = json!({ "settings": { "cron": format!("0 0 0 {day} 2 ? 2099") } });
    let path = format!("{JOBS}/{name}");
    let saved =
        plane.wait(plane.root.ask(reqwest::Method::PATCH, &path, &[("if-match", &tag)], Some(&change)));
    saved.unwrap().is(200)
}

/// Nothing is written there before somebody says that it may be; then everything is.
#[track_caller]
fn is_held_until_it_is_confirmed(plane: &Plane, jobs: usize) {
    let look = || plane.wait(plane.root.get("/projects/billing/sync")).is(200);
    // Until its sessions are made anew, a registry is away.
    eventually(PATIENCE, "a save is held", || edit(plane, "job-0")["sync"]["state"] == "held");
    eventually(PATIENCE, "the project is held", || look()["held"] == true);
    let there = plane.registry.get("/billing-clockwright/control");
    assert_eq!(edit(plane, "job-0")["sync"]["state"], "held");
    assert_eq!(plane.registry.get("/billing-clockwright/control"), there, "nothing was written");
    let confirmed = plane.wait(plane.root.post("confirm", "/projects/billing/sync/confirm", &json!({})));
    assert_eq!(confirmed.status, 200, "{:#}", confirmed.body);
    eventually(PATIENCE, "everything is written", || {
        let now = look();
        now["held"] == false && now["counts"]["written"] == jobs
    });
    for n in 0..jobs {
        assert!(plane.registry.get(&Plane::config_of(&format!("job-{n}"))).is_some());
    }
    let _leads = plane.leader();
    // And it goes on as ever.
    assert_eq!(edit(plane, "job-1")["sync"]["state"], "written");
}

#[test]
#[ignore = "part of make test-faults"]
fn a_control_node_that_somebody_deletes_is_not_made_again_before_somebody_confirms() {
    let plane = with_jobs();
    plane.registry.delete("/billing-clockwright/control");
    is_held_until_it_is_confirmed(&plane, COUNT);
}

#[test]
#[ignore = "part of make test-faults"]
fn a_registry_that_lost_all_is_not_written_before_somebody_confirms() {
    let plane = with_jobs();
    while_it_is_down(&plane, |data| std::fs::remove_dir_all(data).unwrap());
    is_held_until_it_is_confirmed(&plane, COUNT);
}

#[test]
#[ignore = "part of make test-faults"]
fn a_registry_that_went_back_to_an_older_state_is_not_written_before_somebody_confirms() {
    let plane = with_jobs();
    let older = plane.scene().dir().join("older");
    while_it_is_down(&plane, |data| copy_folder(data, &older));
    for n in 0..3 {
        eventually(PATIENCE, "it is written", || edit(&plane, "job-2")["sync"]["state"] == "written");
        make(&plane, &format!("job-{}", COUNT + n));
    }
    while_it_is_down(&plane, |data| {
        std::fs::remove_dir_all(data).unwrap();
        copy_folder(&older, data);
    });
    is_held_until_it_is_confirmed(&plane, COUNT + 3);
}

/// Something is done to all that the registry's only server has, while it does not run.
fn while_it_is_down(plane: &Plane, what: impl FnOnce(&Path)) {
    let server = plane.registry.server(0);
    server.kill();
    what(&server.data().join("version-2"));
    plane.registry.restart(0);
}

fn copy_folder(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "part of make test-faults"]
fn servers_of_the_registry_and_its_quorum_go_away_and_come_back_under_load() {
    let plane = Plane::start(&Setup { registries: 3, ..Setup::default() });
    let load = Load::start(&plane, false);
    for number in 0..plane.registry.count() {
        load.goes_on();
        plane.registry.restart(number);
    }
    // Longer than a session lasts.
    plane.registry.server(0).kill();
    plane.registry.server(1).kill();
    pass_time(now() + 8_000);
    plane.registry.restart_all(&[0, 1]);
    load.goes_on();
    let deeds = load.stop(&plane);
    judge(&plane, &deeds);
    let _leads = plane.leader();
}
