//! Real nodes on a real ensemble, while instances join and die, a server restarts and a node freezes.
//!
//! `CLOCKWRIGHT_CHAOS_SECONDS` is how long instances come and go (60), `CLOCKWRIGHT_CHAOS_SEED` which ones.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use clockwright_e2e::checker::{History, Nemesis, Plan, check};
use clockwright_e2e::harness::{Node, Scene, Servers, env_number, eventually, now, pass_time};
use clockwright_e2e::ledger::settlements;
use clockwright_e2e::record::{Kind, Record};
use clockwright_model::{Millis, Misfire};
use rustix::process::Signal;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// The session timeout that the nodes ask for, milliseconds.
const SESSION: Millis = 4_000;
/// How long after a fault its effects may last: the session ends, somebody notices, and the items move, milliseconds.
const AFTERMATH: Millis = SESSION + 4_000;
/// Every so often an instance joins or is killed, milliseconds.
const CHURN: Millis = 5_000;
/// The nodes that are alive at once, at least and at most.
const NODES: (usize, usize) = (2, 4);
const ITEMS: u32 = 6;
/// The jobs: name, the `misfire` of its settings, what that means, failover, how long a run takes (milliseconds). The long
/// one is nearly always in the middle of a run when something happens to its instance.
const JOBS: [(&str, &str, Misfire, bool, u32); 5] = [
    ("all-over", "fire_all", Misfire::FIRE_ALL, true, 50),
    ("all-stay", "fire_all", Misfire::FIRE_ALL, false, 50),
    ("once-over", "true", Misfire::FireOnce, true, 2_300),
    ("once-stay", "true", Misfire::FireOnce, false, 50),
    ("skip-over", "false", Misfire::Skip, true, 50),
];

#[test]
fn nothing_is_lost_doubled_or_run_twice_at_once_while_instances_servers_and_clocks_misbehave() {
    let mut chaos = Chaos::start();
    chaos.churn(now() + env_number("CLOCKWRIGHT_CHAOS_SECONDS", 60) * 1_000);
    chaos.restart_a_server();
    chaos.freeze_a_node();
    // The scene stays until the verdict: a failure leaves its folder to whoever looks for the cause.
    let (history, _scene) = chaos.heal_and_stop();
    let report = check(&history);
    println!("{report}");
    for Nemesis { what, from, to } in &history.nemesis {
        println!("{from}..{to} {what}");
    }
    assert!(report.passed(), "{report}");
}

/// The scenario's state.
struct Chaos {
    // Dropped first to last: nodes end before what they talk to.
    nodes: Vec<Node>,
    scene: Scene,
    servers: Servers,
    jobs: PathBuf,
    begun: Millis,
    /// First instant that every item must account for.
    from: Millis,
    started: usize,
    random: u64,
    nemesis: Vec<Nemesis>,
}

impl Chaos {
    fn start() -> Self {
        let servers = Servers::start(3);
        let scene = Scene::new("chaos", &servers.hosts());
        let mut text = String::from("jobs:\n");
        for (name, misfire, _, failover, run_ms) in JOBS {
            let command = scene.command_line(&format!("--run-ms {run_ms} --spread-ms 100"));
            text.push_str(&format!(
                "  {name}:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: {ITEMS}\n    \
                 misfire: {misfire}\n    failover: {failover}\n    monitorExecution: true\n    props:\n      \
                 script.command.line: {command}\n"
            ));
        }
        let jobs = scene.file("jobs.yaml", &text);
        let random = env_number("CLOCKWRIGHT_CHAOS_SEED", 1).unsigned_abs();
        let (nodes, nemesis) = (Vec::new(), Vec::new());
        let mut chaos =
            Self { nodes, scene, servers, jobs, begun: now(), from: 0, started: 0, random, nemesis };
        for _ in 0..3 {
            chaos.join();
        }
        eventually(Duration::from_secs(60), "every item of every job has run", || {
            let records = chaos.scene.records();
            let ran: HashSet<_> = records.iter().map(|record| (record.job.clone(), record.item)).collect();
            chaos.all_alive();
            ran.len() == JOBS.len() * ITEMS as usize
        });
        chaos.from = (now() / 1_000 + 1) * 1_000;
        // Registering takes a moment and moves items; nothing is wrong with a fire that is late by it.
        chaos.nemesis.push(Nemesis { what: "three nodes join".into(), from: chaos.begun, to: chaos.from });
        chaos
    }

    /// A number below `limit`, the same ones for the same seed.
    fn below(&mut self, limit: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % limit
    }

    fn join(&mut self) {
        self.started += 1;
        let name = format!("node-{}", self.started);
        let timeout = format!("{SESSION}ms");
        self.nodes.push(self.scene.node(&name, &self.jobs, &["--session-timeout", &timeout]));
    }

    fn disturbed(&mut self, what: String, from: Millis) {
        self.nemesis.push(Nemesis { what, from, to: now() });
    }

    /// No node has ended that was not killed on purpose.
    fn all_alive(&mut self) {
        for node in &mut self.nodes {
            assert!(node.status().is_none(), "{} ended by itself:\n{}", node.name(), node.talk());
        }
    }

    /// Every few seconds an instance joins or is killed.
    fn churn(&mut self, until: Millis) {
        while now() < until {
            let from = now();
            let join = match self.nodes.len() {
                n if n <= NODES.0 => true,
                n if n >= NODES.1 => false,
                _ => self.below(2) == 0,
            };
            if join {
                self.join();
                self.disturbed(format!("node-{} joins", self.started), from);
            } else {
                let victim = self.below(self.nodes.len());
                let mut node = self.nodes.remove(victim);
                // Before, in and just after the runs of an instant, where it hurts.
                let at = (from / 1_000 + 1) * 1_000 + i64::try_from(self.below(300)).unwrap() - 50;
                pass_time(at);
                node.kill();
                self.disturbed(format!("kill -9 of {}", node.name()), at);
            }
            pass_time(from + CHURN);
            self.all_alive();
        }
    }

    fn restart_a_server(&mut self) {
        let from = now();
        let server = self.below(3);
        self.servers.restart(server);
        self.disturbed(format!("ZooKeeper server {server} restarts"), from);
        pass_time(now() + 5_000);
        self.all_alive();
    }

    /// Stops a node for twice its session timeout. Its items move, its runs end, and it works again afterwards.
    fn freeze_a_node(&mut self) {
        let from = now();
        let victim = self.below(self.nodes.len());
        let node = &self.nodes[victim];
        node.signal(Signal::STOP);
        pass_time(from + 2 * SESSION);
        node.signal(Signal::CONT);
        let what = format!("{} is stopped", node.name());
        self.disturbed(what, from);
    }

    /// Waits until each live node works, lets some more fires go by, and stops everything in order.
    fn heal_and_stop(mut self) -> (History, Scene) {
        let healed = now();
        let works = |records: &[Record], node: &Node| {
            let pid = format!("@-@{}", node.pid());
            let mine = |record: &Record| record.instance.as_ref().is_some_and(|id| id.ends_with(&pid));
            records.iter().any(|record| record.kind == Kind::End && record.wall_ms > healed && mine(record))
        };
        eventually(
            Duration::from_millis(AFTERMATH.unsigned_abs() + 20_000),
            "each node runs something",
            || {
                self.all_alive();
                let records = self.scene.records();
                self.nodes.iter().all(|node| works(&records, node))
            },
        );
        self.one_leader_and_whole_plans();
        // What was late may still be made up for: a fire is only counted when its outcome has had its time.
        pass_time(now().max(healed + AFTERMATH + 3_000) + 5_000);
        let to = now() - 4_000;
        for (job, ..) in JOBS {
            self.scene.file(&format!("{job}.dump"), &self.scene.tell(&["job", "dump", job, "--show-ips"]));
        }
        let stopping = now();
        self.nodes.iter().for_each(|node| node.signal(Signal::TERM));
        for node in &mut self.nodes {
            let status = node.wait(Duration::from_secs(30));
            assert!(status.success(), "{} ended with {status}:\n{}", node.name(), node.talk());
        }
        assert_eq!(self.scene.job_processes(), []);
        self.disturbed("all nodes stop".into(), stopping);
        self.nothing_left();
        let due = Plan::every(1_000, self.begun - 1_000, now() + 1_000);
        let plan = |&(job, _, misfire, ..): &(&str, &str, Misfire, bool, u32)| Plan {
            job: job.into(),
            items: ITEMS,
            misfire,
            due: due.clone(),
            required: (self.from, to),
        };
        let history = History {
            plans: JOBS.iter().map(plan).collect(),
            records: self.scene.records(),
            settlements: settlements(&self.scene.stores()).unwrap(),
            nemesis: self.nemesis.clone(),
            healed: Some((healed, AFTERMATH + 3_000)),
            lateness_limit: None,
            aftermath: AFTERMATH,
            ..History::default()
        };
        (history, self.scene)
    }

    /// C9: each job has one leader, and each of its items an owner, among the instances that live.
    fn one_leader_and_whole_plans(&self) {
        let text = |path: &str| self.servers.get(path).map(|data| String::from_utf8(data).unwrap());
        for (job, ..) in JOBS {
            let root = format!("/chaos/{job}");
            eventually(Duration::from_secs(20), &format!("{job} has a leader and a whole plan"), || {
                let live = self.servers.list(&format!("{root}/instances"));
                let lives = |id: Option<String>| id.is_some_and(|id| live.contains(&id));
                live.len() == self.nodes.len()
                    && lives(text(&format!("{root}/leader/election/instance")))
                    && (0..ITEMS).all(|item| lives(text(&format!("{root}/sharding/{item}/instance"))))
                    && self.servers.list(&format!("{root}/leader/failover/items")).is_empty()
            });
        }
    }

    /// C10: nodes that have left in order leave nothing that only makes sense while they live.
    fn nothing_left(&self) {
        let mut left = self.servers.list("/chaos-clockwright/leases");
        for (job, ..) in JOBS {
            let mut paths = vec![format!("/chaos/{job}/leader/election/instance")];
            paths.extend((0..ITEMS).map(|item| format!("/chaos/{job}/sharding/{item}/running")));
            paths.extend((0..ITEMS).map(|item| format!("/chaos/{job}/sharding/{item}/failover")));
            left.extend(paths.into_iter().filter(|path| self.servers.get(path).is_some()));
            for parent in
                ["instances", "leader/election/latch", "leader/failover/latch", "leader/failover/items"]
            {
                let children = self.servers.list(&format!("/chaos/{job}/{parent}"));
                left.extend(children.into_iter().map(|child| format!("{job}/{parent}/{child}")));
            }
        }
        assert_eq!(left, Vec::<String>::new(), "left behind in the registry");
    }
}
