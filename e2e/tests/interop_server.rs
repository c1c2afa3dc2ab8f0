//! A control server attached to a namespace that Java instances serve: what it holds stays held whatever they do, and what they or Java's own
//! console write is seen and put right.
//!
//! As `interop`, these run by `make test-interop` only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop_server/drift.rs"]
mod drift;
#[path = "interop_server/operations.rs"]
mod operations;
#[path = "interop_server/plane.rs"]
mod plane;
#[path = "interop/stage.rs"]
mod stage;
#[path = "interop/steps.rs"]
mod steps;

use clockwright_e2e::harness::{eventually, now, pass_time};
use clockwright_e2e::java::Generation;
use clockwright_testkit::zookeeper::LoggedOp;
use plane::{PROJECT, Plane};
use serde_json::json;
use stage::{JOB, PATIENCE, Setup, Stage};

/// A host on which no instance is.
const ELSEWHERE: &str = "10.0.0.1";

fn stage(name: &str, generation: Generation) -> Stage {
    let name = format!("server-{name}-{generation:?}").to_lowercase();
    Stage::new(&name, Setup { generation, items: 4, ..Setup::default() })
}

fn says(stage: &Stage, node: &str) -> Option<String> {
    stage.servers.get(&stage.at(node)).map(|data| String::from_utf8(data).unwrap())
}

fn enabled(stage: &Stage) -> &'static str {
    if stage.setup.generation == Generation::Two { "" } else { "ENABLED" }
}

/// How often a node was written with this text.
fn written(stage: &Stage, node: &str, text: &str) -> usize {
    let at = stage.at(node);
    let is = |op: &LoggedOp| match op {
        LoggedOp::Create { path, data, .. } | LoggedOp::Set { path, data, .. } => {
            *path == at && data[..] == *text.as_bytes()
        }
        _ => false,
    };
    stage.servers.changes().iter().filter(|op| is(op)).count()
}

/// Java writes its host's node anew at each start.
fn a_disable_outlives_a_restart(generation: Generation) {
    let stage = stage("restart", generation);
    let java = stage.java("J0");
    let plane = Plane::attach(&stage);
    let ip = stage.host();
    let at = format!("servers/{ip}");
    stage.servers.create(&stage.at(&format!("servers/{ELSEWHERE}")), enabled(&stage).as_bytes());
    for ip in [&ip, ELSEWHERE] {
        assert_eq!(plane.operate(JOB, "disable", json!({ "host": ip }))["state"], "done");
    }
    assert_eq!(says(&stage, &at).as_deref(), Some("DISABLED"));
    java.stop();
    let before = written(&stage, &at, enabled(&stage));
    let java = stage.java("J1");
    eventually(PATIENCE, "Java has enabled its host", || written(&stage, &at, enabled(&stage)) > before);
    for (ip, at) in [(ip.as_str(), at.clone()), (ELSEWHERE, format!("servers/{ELSEWHERE}"))] {
        eventually(PATIENCE, "it is disabled again", || says(&stage, &at).as_deref() == Some("DISABLED"));
        assert!(plane.holds().contains(&format!("{JOB} disable host {ip} operator")), "{:?}", plane.holds());
    }
    let since = now();
    pass_time(since + 3 * stage.setup.period);
    assert_eq!(stage.starts_since(since + stage.setup.period, 4), [0; 4], "{}", java.talk());
    assert!(!plane.told("hold.restore").is_empty());
    assert_eq!(stage.console("jobs", &[])[0]["status"], "DISABLED");
    assert_eq!(plane.operate(JOB, "enable", json!({ "host": ip }))["state"], "done");
    let since = now();
    eventually(PATIENCE, "it runs again", || stage.starts_since(since, 4).iter().all(|starts| *starts > 0));
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_host_that_is_disabled_stays_so_though_java_2x_restarts() {
    a_disable_outlives_a_restart(Generation::Two);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_host_that_is_disabled_stays_so_though_java_3x_restarts() {
    a_disable_outlives_a_restart(Generation::Three);
}

/// An instance whose program overwrites is restarted three times.
fn a_write_war(generation: Generation) {
    let stage = stage("war", generation);
    let _java = stage.java("J0");
    let plane = Plane::attach(&stage);
    let shown = || plane.get(&format!("{PROJECT}/jobs/{JOB}/sync"));
    let parameter = || stage.console("get", &["--job", JOB])["jobParameter"].clone();
    let mut last = String::new();
    for number in 1..=3 {
        let writer = stage.java_with(&format!("W{number}"), &["--overwrite", "--job-parameter", "theirs"]);
        last = stage.instances().into_iter().find(|id| writer.is(id)).unwrap();
        eventually(PATIENCE, "it is put right", || {
            let (repairs, parameter) = (plane.told("sync.repair"), parameter());
            repairs.len() == number && parameter == ""
        });
        writer.stop();
    }
    assert_eq!(shown()["state"], "contended", "{:#}", shown());
    let told = plane.told("sync.contended");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["changes"]["author"], json!({ "guess": "instance", "instance": last }), "{told:#?}");
    assert!(told[0]["reason"].as_str().unwrap().contains(&last));
    // The fourth time waits, and is told.
    let writer = stage.java_with("W4", &["--overwrite", "--job-parameter", "theirs"]);
    eventually(PATIENCE, "it is seen", || shown()["differences"][0]["key"] == "jobParameter");
    assert_eq!((parameter(), &shown()["state"]), (json!("theirs"), &json!("contended")));
    writer.stop();
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_java_2x_instance_that_overwrites_three_times_is_contended_with_and_named() {
    a_write_war(Generation::Two);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_java_3x_instance_that_overwrites_three_times_is_contended_with_and_named() {
    a_write_war(Generation::Three);
}
