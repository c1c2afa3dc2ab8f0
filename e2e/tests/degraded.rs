//! A config node that somebody else broke: only its job is degraded, and it heals when the node is mended.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{Scene, Servers, eventually, now};
use clockwright_e2e::record::Kind;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_broken_config_node_degrades_its_job_alone_until_it_is_mended() {
    let servers = Servers::start(1);
    let scene = Scene::new("degraded", &servers.hosts());
    let job = |name: &str| {
        format!(
            "  {name}:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: 2\n    props:\n      \
             script.command.line: {}\n",
            scene.command_line("--run-ms 20")
        )
    };
    let jobs = scene.file("jobs.yaml", &format!("jobs:\n{}{}", job("sick"), job("well")));
    let mut node = scene.node("node", &jobs, &[]);
    let runs_after = |job: &str, at: i64| {
        let ended =
            |r: &&clockwright_e2e::record::Record| r.job == job && r.kind == Kind::End && r.wall_ms > at;
        scene.records().iter().filter(ended).count()
    };
    eventually(PATIENCE, "both jobs run", || runs_after("sick", 0) > 0 && runs_after("well", 0) > 0);

    let config = "/degraded/sick/config";
    let good = servers.get(config).unwrap();
    for broken in [&b"{\"jobName\": \"sick\", \"cron\""[..], b"[]", b"\xff\xfe", &vec![b'x'; 100_000]] {
        servers.set(config, broken);
        eventually(PATIENCE, "the job is marked degraded", || degraded(&scene, "sick"));
        let from = now();
        // Whatever was due before the break may still be ending; four instants later nothing of it is left.
        eventually(PATIENCE, "the other job goes on", || runs_after("well", from) >= 8);
        assert_eq!(runs_after("sick", from + 2_000), 0, "a degraded job ran");
        assert!(!degraded(&scene, "well"), "the other job is degraded too");
        assert!(node.status().is_none(), "{}", node.talk());

        servers.set(config, &good);
        let mended = now();
        eventually(PATIENCE, "the job runs again", || runs_after("sick", mended) >= 4);
        eventually(PATIENCE, "the mark is gone", || !degraded(&scene, "sick"));
    }
    // A node that starts while the node is broken degrades the job too, and neither mends nor destroys what it finds.
    servers.set(config, b"{");
    let mut second = scene.node("second", &jobs, &[]);
    let from = now();
    eventually(PATIENCE, "the second node runs the other job", || {
        let pid = format!("@-@{}", second.pid());
        let mine = |id: &Option<String>| id.as_ref().is_some_and(|id| id.ends_with(&pid));
        scene.records().iter().any(|r| r.job == "well" && r.wall_ms > from && mine(&r.instance))
    });
    assert_eq!(servers.get(config).unwrap(), b"{");
    servers.set(config, &good);
    let mended = now();
    eventually(PATIENCE, "the job runs again", || runs_after("sick", mended) >= 4);
    for node in [&mut node, &mut second] {
        node.signal(rustix::process::Signal::TERM);
        assert!(node.wait(PATIENCE).success(), "{}", node.talk());
    }
}

/// Whether `job get` says that a job is degraded.
fn degraded(scene: &Scene, job: &str) -> bool {
    let answer = scene.tell(&["job", "get", job, "--output", "json"]);
    let parsed: serde_json::Value = serde_json::from_str(&answer).expect("stdout is JSON");
    match parsed["status"].as_str() {
        Some("DEGRADED") => {
            assert!(
                parsed["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                "no reason: {answer}"
            );
            true
        }
        Some(_) => false,
        None => panic!("no status: {answer}"),
    }
}
