//! Instances announce where they keep history, and a command that looks back says whose runs it does not see.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{Node, Scene, Servers, eventually};
use rustix::process::Signal;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_look_back_names_the_instances_that_keep_history_elsewhere_and_is_silent_when_all_keep_it_here() {
    let servers = Servers::start(1);
    let scene = Scene::new("elsewhere", &servers.hosts());
    let jobs = scene.file(
        "jobs.yaml",
        &format!(
            "jobs:\n  report:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: 2\n    props:\n      \
             script.command.line: {}\n",
            scene.command_line("--run-ms 5")
        ),
    );
    let mut here = scene.node("here", &jobs, &[]);
    let data = here.data().display().to_string();
    let look = |words: &[&str]| {
        let answer = scene.ask(&[words, &["--data", &data]].concat());
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stderr).unwrap()
    };
    let name = |node: &Node| {
        let suffix = format!("@-@{}", node.pid());
        servers.list("/elsewhere-clockwright/leases").into_iter().find(|id| id.ends_with(&suffix))
    };
    eventually(PATIENCE, "the first instance announces itself", || name(&here).is_some());
    for words in [&["run", "list"][..], &["stats"], &["ledger", "report"], &["job", "history", "report"]] {
        let talk = look(words);
        assert!(!talk.contains("elsewhere") && !talk.contains("record of this machine"), "{words:?}: {talk}");
    }

    let mut there = scene.node("there", &jobs, &[]);
    eventually(PATIENCE, "the second instance announces itself", || name(&there).is_some());
    let other = name(&there).unwrap();
    for words in [&["run", "list"][..], &["stats"], &["ledger", "report"], &["job", "history", "report"]] {
        let talk = look(words);
        assert!(talk.contains(&format!("keep history elsewhere: {other};")), "{words:?}: {talk}");
    }

    for node in [&mut here, &mut there] {
        node.signal(Signal::TERM);
        assert!(node.wait(PATIENCE).success(), "{}", node.talk());
    }
    // Nobody is there to ask: what other machines ran before is not known.
    assert!(look(&["stats"]).contains("record of this machine"));
}
