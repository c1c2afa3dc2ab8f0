//! What is written to ZooKeeper, compared with transcripts of Java Elastic-Job 2.1.5 (Appendix A of its specification).
//!
//! The server's transaction log is the witness. For each node below the job the order of its creations, sets and
//! deletions must be Java's, with Java's data; where Java's order between nodes means something, it is compared too.
//! Checks, repeated firings, and what Clockwright adds of its own are left aside: `sharding/{i}/cursor`,
//! `leader/sharding/epoch`, `paused`, and all of `/{ns}-clockwright`. So are Java's flags about a plan, `leader/sharding/necessary` and
//! `processing`: among instances of ours alone a plan is one transaction that nobody sees a part of, and owners that stay are not written
//! again. And so are places at the election's latch: where nobody queues, whoever leads proves just that. What Java peers are shown instead
//! is tested beside them, in `interop.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{Node, Scene, Servers, eventually};
use clockwright_testkit::zookeeper::{LoggedOp, Transaction};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
const JOB: &str = "/transcripts/myJob";

/// A start: one job of 3 items as in transcript A1, firing every two seconds.
struct Stage {
    node: Node,
    scene: Scene,
    servers: Servers,
    jobs: std::path::PathBuf,
    id: String,
}

fn stage(run_ms: u32, cron: &str) -> Stage {
    let servers = Servers::start(1);
    let scene = Scene::new("transcripts", &servers.hosts());
    let text = format!(
        "jobs:\n  myJob:\n    elasticJobType: SCRIPT\n    cron: '{cron}'\n    shardingTotalCount: 3\n    \
         shardingItemParameters: '0=A,1=B,2=C'\n    failover: true\n    monitorExecution: true\n    maxTimeDiffSeconds: 60\n    \
         props:\n      script.command.line: {}\n",
        scene.command_line(&format!("--run-ms {run_ms}"))
    );
    let jobs = scene.file("jobs.yaml", &text);
    let node = scene.node("first", &jobs, &["--session-timeout", "4s"]);
    let instances = || servers.list(&format!("{JOB}/instances"));
    eventually(PATIENCE, "the instance registers", || instances().len() == 1);
    let id = instances().remove(0);
    Stage { node, scene, servers, jobs, id }
}

/// One node's history, each step as `C data`, `E data` (ephemeral), `S data` or `D`.
type Story = BTreeMap<String, Vec<String>>;

impl Stage {
    /// The number of the last transaction so far.
    fn mark(&self) -> i64 {
        self.servers.transactions().last().map_or(0, |transaction| transaction.number)
    }

    fn since(&self, mark: i64) -> Vec<Transaction> {
        self.servers.transactions().into_iter().filter(|transaction| transaction.number > mark).collect()
    }

    /// What happened below the job since a mark.
    fn story(&self, mark: i64) -> Story {
        let mut story = Story::new();
        for op in self.since(mark).iter().flat_map(|transaction| &transaction.ops) {
            if let Some((path, step)) = self.step(op) {
                story.entry(path).or_default().push(step);
            }
        }
        story.values_mut().for_each(fold);
        story
    }

    /// The relative path and the step of an operation that Java would have made too.
    fn step(&self, op: &LoggedOp) -> Option<(String, String)> {
        let (path, data, kind) = match op {
            LoggedOp::Create { path, data, ephemeral: true } => (path, &data[..], "E"),
            LoggedOp::Create { path, data, .. } => (path, &data[..], "C"),
            LoggedOp::Set { path, data, .. } => (path, &data[..], "S"),
            LoggedOp::Delete { path } => (path, &[][..], "D"),
            _ => return None,
        };
        let relative = path.strip_prefix(JOB)?.trim_start_matches('/');
        let aside =
            ["leader/sharding/epoch", "leader/sharding/necessary", "leader/sharding/processing", "paused"];
        let own = relative.ends_with("/cursor") || aside.contains(&relative);
        if own || (!relative.is_empty() && !path.starts_with(&format!("{JOB}/"))) {
            return None;
        }
        let data = if relative == "config" { "{json}".into() } else { String::from_utf8_lossy(data) };
        let step = if kind == "D" { "D".to_owned() } else { format!("{kind} {data}").trim_end().to_owned() };
        Some((self.plain(relative), self.plain(&step)))
    }

    /// With the changing parts replaced: the first instance is `ID`, its server `IP`, each latch node `N`.
    fn plain(&self, text: &str) -> String {
        let ip = self.id.split("@-@").next().unwrap();
        let text = text.replace(&self.id, "ID").replace(ip, "IP");
        let Some((parent, name)) = text.split_once("latch/") else { return text };
        let curator = |name: &str| {
            let rest = name.strip_prefix("_c_").and_then(|rest| rest.split_once("-latch-"));
            rest.is_some_and(|(id, number)| id.len() == 36 && number.len() == 10)
        };
        assert!(curator(name), "Curator would not know `{name}` as a node of a latch");
        format!("{parent}latch/N")
    }

    fn eventually(&self, mark: i64, what: &str, condition: impl Fn(&Story) -> bool) -> Story {
        eventually(PATIENCE, what, || condition(&self.story(mark)));
        self.story(mark)
    }

    /// The position of the first transaction since a mark with such a step.
    fn position(&self, mark: i64, path: &str, step: &str) -> (i64, usize) {
        let all = self.since(mark);
        let found = all.iter().find_map(|transaction| {
            let wanted = Some((path.to_owned(), step.to_owned()));
            let at = transaction.ops.iter().position(|op| self.step(op) == wanted)?;
            Some((transaction.number, at))
        });
        found.unwrap_or_else(|| panic!("no `{step}` of {path}: {:#?}", self.story(mark)))
    }

    /// Each step comes after the one before it.
    fn in_order(&self, mark: i64, steps: &[(&str, &str)]) {
        for pair in steps.windows(2) {
            let [before, after] = [pair[0], pair[1]].map(|(path, step)| self.position(mark, path, step));
            assert!(before < after, "{:?} comes after {:?}: {:#?}", pair[0], pair[1], self.story(mark));
        }
    }
}

/// Drops repetitions: a set that is repeated, and the marks of further runs.
fn fold(steps: &mut Vec<String>) {
    steps.dedup_by(|later, before| later == before && later.starts_with('S'));
    while steps.len() >= 4 && steps[..2] == steps[2..4] && steps[0] == "E" {
        steps.drain(..2);
    }
    // A run that is under way just now.
    if steps.len() == 3 && steps[0] == steps[2] && steps[0] == "E" {
        steps.pop();
    }
}

/// Compares the whole story with Java's.
#[track_caller]
fn same(story: &Story, expected: &[(&str, &[&str])]) {
    let expected: Story = expected
        .iter()
        .map(|(path, steps)| ((*path).into(), steps.iter().map(|s| (*s).into()).collect()))
        .collect();
    let paths: BTreeSet<_> = story.keys().chain(expected.keys()).collect();
    let different: Vec<_> = paths
        .into_iter()
        .filter(|path| story.get(*path) != expected.get(*path))
        .map(|path| format!("{path:?}: Java {:?}, here {:?}", expected.get(path), story.get(path)))
        .collect();
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}

/// A story without the marks of running items and the touched clock, which each firing leaves, and without owners that stay and are written
/// once more.
fn between_firings(mut story: Story) -> Story {
    for (path, steps) in &mut story {
        if path.starts_with("sharding/") && path.ends_with("/instance") {
            steps.retain(|step| step != "S ID");
        }
    }
    story.retain(|_, steps| !steps.is_empty());
    story.retain(|path, _| !path.ends_with("/running") && path != "systemTime/current");
    story
}

/// Whether each of these items has been run from its start to its end.
fn ran(story: &Story, items: &[u32]) -> bool {
    let whole = |steps: &Vec<String>| steps.windows(2).any(|pair| pair == ["E", "D"]);
    items.iter().all(|item| story.get(&format!("sharding/{item}/running")).is_some_and(whole))
}

#[test]
fn start_firing_and_the_operations_of_a_console_leave_the_znodes_that_java_leaves() {
    let mut stage = stage(50, "0/2 * * * * ?");
    first_start(&stage);
    trigger(&stage);
    disable_and_enable_the_server(&stage);
    edit_the_count(&stage);
    disable_and_enable_an_item(&stage);
    shutdown(&mut stage);
}

/// Transcript A1.
fn first_start(stage: &Stage) {
    let story = stage.eventually(0, "the items have run twice", |story| {
        ran(story, &[0, 1, 2]) && story.get("systemTime/current").is_some_and(|steps| steps.len() > 1)
    });
    let once = "leader leader/election leader/election/latch servers servers/IP instances leader/sharding systemTime sharding \
                sharding/0 sharding/1 sharding/2";
    let mut expected: Vec<(&str, &[&str])> = vec![("", &["C"]), ("config", &["C {json}"])];
    expected.extend(once.split(' ').map(|path| (path, &["C"][..])));
    expected.extend([("leader/election/instance", &["E ID"][..]), ("instances/ID", &["E"])]);
    expected.push(("systemTime/current", &["C", "S"]));
    let passing = "sharding/0/running sharding/1/running sharding/2/running";
    expected.extend(passing.split(' ').map(|path| (path, &["E", "D"][..])));
    let owned = ["sharding/0/instance", "sharding/1/instance", "sharding/2/instance"];
    expected.extend(owned.map(|path| (path, &["C ID"][..])));
    same(&story, &expected);
    stage.in_order(
        0,
        &[("config", "C {json}"), ("leader/election/instance", "E ID"), ("leader/election/latch", "C")],
    );
    stage.in_order(
        0,
        &[
            ("servers/IP", "C"),
            ("instances/ID", "E"),
            ("sharding/0/instance", "C ID"),
            ("sharding/0/running", "E"),
        ],
    );
    // A plan is whole or not there: its owners are one transaction.
    let plan = stage.position(0, "sharding/0/instance", "C ID").0;
    for path in ["sharding/1/instance", "sharding/2/instance"] {
        assert_eq!(stage.position(0, path, "C ID").0, plan, "{path} is not part of the plan's transaction");
    }
    let config: serde_json::Value =
        serde_json::from_slice(&stage.servers.get(&format!("{JOB}/config")).unwrap()).unwrap();
    let keys: Vec<_> = config.as_object().unwrap().keys().map(String::as_str).collect();
    let java = [
        "jobName",
        "jobClass",
        "jobType",
        "cron",
        "shardingTotalCount",
        "shardingItemParameters",
        "jobParameter",
        "failover",
        "misfire",
        "description",
        "jobProperties",
        "scriptCommandLine",
        "monitorExecution",
        "maxTimeDiffSeconds",
        "monitorPort",
        "jobShardingStrategyClass",
        "reconcileIntervalMinutes",
        "disabled",
        "overwrite",
    ];
    assert_eq!(
        keys[..java.len().min(keys.len())],
        java,
        "the keys that Java writes come first, in its order"
    );
}

/// Transcript A3, trigger.
fn trigger(stage: &Stage) {
    let mark = stage.mark();
    stage.scene.tell(&["job", "trigger", "myJob"]);
    let story = stage.eventually(mark, "the request is taken and the items run", |story| {
        story.get("instances/ID").is_some_and(|steps| steps.len() == 2) && ran(story, &[0, 1, 2])
    });
    same(&between_firings(story), &[("instances/ID", &["S TRIGGER", "S"])]);
}

/// Transcript A3, disable and enable.
fn disable_and_enable_the_server(stage: &Stage) {
    let mark = stage.mark();
    stage.scene.tell(&["job", "disable", "myJob"]);
    let story = stage
        .eventually(mark, "the leader steps down", |story| story.contains_key("leader/election/instance"));
    same(&between_firings(story), &[("servers/IP", &["S DISABLED"]), ("leader/election/instance", &["D"])]);
    let mark = stage.mark();
    stage.scene.tell(&["job", "enable", "myJob"]);
    let story = stage.eventually(mark, "the items run again", |story| ran(story, &[0, 1, 2]));
    same(
        &between_firings(story),
        &[
            ("servers/IP", &["S"]),
            ("leader/election/latch", &["D", "C"]),
            ("leader/election/instance", &["E ID"]),
        ],
    );
}

/// Transcript A3, edit of the count from 3 to 4, as a console does it.
fn edit_the_count(stage: &Stage) {
    let path = format!("{JOB}/config");
    let config = String::from_utf8(stage.servers.get(&path).unwrap()).unwrap();
    let edited = config.replace("\"shardingTotalCount\":3", "\"shardingTotalCount\":4");
    assert_ne!(edited, config);
    let mark = stage.mark();
    stage.servers.set(&path, edited.as_bytes());
    let story = stage.eventually(mark, "the new item runs", |story| ran(story, &[0, 1, 2, 3]));
    same(
        &between_firings(story),
        &[("config", &["S {json}"]), ("sharding/3", &["C"]), ("sharding/3/instance", &["C ID"])],
    );
}

/// Transcript A3, disable shard 1.
fn disable_and_enable_an_item(stage: &Stage) {
    let mark = stage.mark();
    stage.scene.tell(&["shard", "disable", "myJob", "1"]);
    let disabled = stage.mark();
    let story = stage.eventually(disabled, "the other items run", |story| ran(story, &[0, 2, 3]));
    assert!(
        !story.get("sharding/1/running").unwrap_or(&Vec::new()).contains(&"E".into()),
        "a disabled item ran"
    );
    same(&between_firings(stage.story(mark)), &[("sharding/1/disabled", &["C"])]);
    let mark = stage.mark();
    stage.scene.tell(&["shard", "enable", "myJob", "1"]);
    let story = stage.eventually(mark, "the item runs again", |story| ran(story, &[1]));
    same(&between_firings(story), &[("sharding/1/disabled", &["D"])]);
}

/// Transcript A1, process exit.
fn shutdown(stage: &mut Stage) {
    let mark = stage.mark();
    stage.node.signal(Signal::TERM);
    let status = stage.node.wait(PATIENCE);
    assert!(status.success(), "{}", stage.node.talk());
    let story = between_firings(stage.story(mark));
    same(&story, &[("leader/election/instance", &["D"]), ("instances/ID", &["D"])]);
    stage.in_order(mark, &[("leader/election/instance", "D"), ("instances/ID", "D")]);
}

/// Transcript A2: two processes on one IP, one is killed while it runs, the other is idle.
#[test]
fn the_takeover_of_a_killed_instance_leaves_the_znodes_that_java_leaves() {
    let mut stage = stage(4_000, "0/20 * * * * ?");
    let survivor = stage.scene.node("second", &stage.jobs, &["--session-timeout", "4s"]);
    let instances = || stage.servers.list(&format!("{JOB}/instances"));
    eventually(PATIENCE, "both are there", || instances().len() == 2);
    let other = instances().into_iter().find(|id| *id != stage.id).unwrap();
    assert!(other.ends_with(&format!("@-@{}", survivor.pid())));
    let owned = |id: &str| -> Vec<u32> {
        let owner = |item: &u32| stage.servers.get(&format!("{JOB}/sharding/{item}/instance"));
        (0..3).filter(|item| owner(item).is_some_and(|owner| owner == id.as_bytes())).collect()
    };
    let running = |item: &u32| stage.servers.get(&format!("{JOB}/sharding/{item}/running")).is_some();
    eventually(PATIENCE, "the first runs items of its own beside the second", || {
        let (mine, theirs) = (owned(&stage.id), owned(&other));
        !mine.is_empty() && !theirs.is_empty() && mine.iter().all(running)
    });
    let lost = owned(&stage.id);
    let mark = stage.mark();
    stage.node.kill();
    let item_ran = |story: &Story, item: &u32| {
        story.get(&format!("sharding/{item}/failover")).is_some_and(|steps| steps.len() == 2)
    };
    let story = stage.eventually(mark, "the lost items are taken over and run", |story| {
        lost.iter().all(|item| item_ran(story, item))
    });
    let other = stage.plain(&other);
    let taken = format!("E {other}");
    for item in &lost {
        let steps = |path: String| story.get(&path).cloned().unwrap_or_default();
        assert_eq!(steps(format!("leader/failover/items/{item}")), ["C", "D"], "{story:#?}");
        assert_eq!(steps(format!("sharding/{item}/failover")), [taken.as_str(), "D"], "{story:#?}");
        assert_eq!(steps(format!("sharding/{item}/running")), ["E", "D"], "{story:#?}");
        let [mark_path, failover, run] = [
            format!("leader/failover/items/{item}"),
            format!("sharding/{item}/failover"),
            format!("sharding/{item}/running"),
        ];
        stage.in_order(
            mark,
            &[(&mark_path, "C"), (&failover, &taken), (&run, "E"), (&run, "D"), (&failover, "D")],
        );
        // The mark goes with the takeover, and both lie within the latch.
        stage.in_order(mark, &[("leader/failover/latch/N", "E"), (&failover, &taken)]);
        stage.in_order(mark, &[(&failover, &taken), (&mark_path, "D")]);
    }
    for parent in ["leader/failover", "leader/failover/items", "leader/failover/latch"] {
        assert_eq!(story.get(parent).cloned().unwrap_or_default(), ["C"], "{parent}: {story:#?}");
    }
    let latch = story.get("leader/failover/latch/N").cloned().unwrap_or_default();
    assert_eq!(
        latch.iter().filter(|step| *step == "E").count(),
        latch.iter().filter(|step| *step == "D").count()
    );
    drop(survivor);
}
