//! Jobs files that cannot be used: the message names file, job and field, the exit code is 2, the registry is untouched.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{Scene, Servers};
use std::time::Duration;

/// A job that can be used, but for one line.
fn job(name: &str, line: &str) -> String {
    let mut fields = vec![
        "elasticJobType: SCRIPT",
        "cron: '0/1 * * * * ?'",
        "shardingTotalCount: 2",
        "props: {script.command.line: /bin/true}",
    ];
    let key = line.split(':').next().unwrap_or_default();
    fields.retain(|field| !field.starts_with(key) || key.is_empty());
    fields.push(line);
    let fields: Vec<_> = fields.iter().map(|field| format!("    {field}\n")).collect();
    format!("  {name}:\n{}", fields.concat())
}

/// What is wrong, the jobs below `jobs:`, and what the message must name besides the file.
fn cases() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let one = |what, line: &str, named| (what, job("daily", line), named);
    let name = |what, name: &str, named| (what, job(name, "description: x"), named);
    vec![
        one(
            "an unknown key",
            "shardingTotalCont: 3",
            vec!["daily", "shardingTotalCont", "`shardingTotalCount`"],
        ),
        one("a bad cron", "cron: '0/1 * * *'", vec!["daily", "cron"]),
        one("a cron that Quartz refuses", "cron: '0 0 25 * * ?'", vec!["daily", "cron"]),
        one("an unknown zone", "timeZone: Mars/Olympus", vec!["daily", "timeZone", "Mars/Olympus"]),
        one("no items", "shardingTotalCount: 0", vec!["daily", "shardingTotalCount"]),
        one(
            "bad item parameters",
            "shardingItemParameters: '0=a,b'",
            vec!["daily", "shardingItemParameters"],
        ),
        one("no program", "props: {script.command.line: ''}", vec!["daily", "script.command.line"]),
        one("an unknown kind", "elasticJobType: SCRYPT", vec!["daily", "elasticJobType", "SCRIPT"]),
        (
            "two jobs of one name",
            job("daily", "description: x") + &job("daily", "description: y"),
            vec!["daily", "line"],
        ),
        name("a name with a slash", "'a/b'", vec!["a/b", "`/`"]),
        name("a name with the delimiter", "'a@-@b'", vec!["a@-@b", "`@-@`"]),
        (
            "a good job beside a bad one",
            job("good", "description: x") + &job("daily", "cron: x"),
            vec!["daily", "cron"],
        ),
        ("ten megabytes", job("daily", &format!("description: '{}'", "x".repeat(10 << 20))), vec!["MiB"]),
        ("no job at all", "  {}\n".into(), vec!["jobs"]),
        ("broken YAML", "  daily: [\n".into(), vec![]),
    ]
}

#[test]
fn each_bad_jobs_file_is_refused_with_its_place_and_leaves_the_registry_untouched() {
    let servers = Servers::start(1);
    let scene = Scene::new("bad-input", &servers.hosts());
    // Somebody else's namespace is in the registry, so that "untouched" is not just "empty".
    servers.create("/bad-input", b"");
    servers.create("/bad-input/theirs", b"x");
    let before = servers.changes();
    assert!(!before.is_empty());
    for (what, jobs, named) in cases() {
        let file = scene.file("bad jobs.yaml", &format!("jobs:\n{jobs}"));
        let mut node = scene.node("bad", &file, &[]);
        let status = node.wait(Duration::from_secs(20));
        let talk = node.talk();
        assert_eq!(status.code(), Some(2), "{what}: {talk}");
        for word in ["bad jobs.yaml"].into_iter().chain(named) {
            assert!(talk.contains(word), "{what}: `{word}` is not named:\n{talk}");
        }
        assert!(talk.len() < 4_000, "{what}: {} bytes of message", talk.len());
        std::fs::remove_file(scene.dir().join("bad.log")).unwrap();
    }
    let missing = scene.dir().join("missing.yaml");
    let status = scene.node("bad", &missing, &[]).wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(2));
    assert_eq!(servers.changes(), before);
}
