//! The stage of the interop scenarios: one job, instances of both kinds, and questions about what they did.

#![allow(dead_code, reason = "each file of scenarios uses its part")]

use clockwright_e2e::harness::{Link, Node, Scene, Servers, env_number, now, pass_time};
use clockwright_e2e::java::{Generation, JavaPeer, Namespace, console};
use clockwright_e2e::record::{Kind, Record};
use clockwright_testkit::patience::eventually_or;
use clockwright_testkit::zookeeper::LoggedOp;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How many items the job has unless told.
pub(crate) const ITEMS: u32 = 10;
/// The job.
pub(crate) const JOB: &str = "mixed";
/// Milliseconds between fires unless told.
pub(crate) const PERIOD: i64 = 2_000;
/// Both kinds' session timeout, milliseconds.
pub(crate) const SESSION: i64 = 4_000;

/// How the job is set up; both kinds are started with the same settings.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) items: u32,
    pub(crate) period: i64,
    pub(crate) run_ms: u32,
    pub(crate) failover: bool,
    pub(crate) misfire: bool,
    pub(crate) monitor: bool,
    pub(crate) digest: Option<&'static str>,
    pub(crate) strategy: &'static str,
    pub(crate) work: Work,
    /// Milliseconds that once-per-fire listeners wait for each other, on both kinds; 0 is none.
    pub(crate) once: u32,
    /// The address of the Clockwright instances' server; empty is this machine's, which the Java instances have.
    pub(crate) address: &'static str,
    /// The database for the events of Clockwright's nodes; empty is each one's own folder.
    pub(crate) events: String,
    /// Which Elastic-Job the Java instances are of, and so in which layout the job is.
    pub(crate) generation: Generation,
    /// The job has no cron: only triggers fire it.
    pub(crate) one_off: bool,
}

/// What the job's items do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A program that both kinds start.
    Script,
    /// Code of each kind's own program, which runs once.
    Simple,
    /// Code of each kind's own program that fetches and processes; -1 batches never end.
    Stream { batches: i32 },
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            items: ITEMS,
            period: PERIOD,
            run_ms: 50,
            failover: false,
            misfire: true,
            monitor: true,
            digest: None,
            strategy: "",
            work: Work::Script,
            once: 0,
            address: "",
            events: String::new(),
            generation: Generation::Two,
            one_off: false,
        }
    }
}

/// One scenario: a namespace of its own on a server of its own.
pub(crate) struct Stage {
    pub(crate) servers: Servers,
    pub(crate) scene: Scene,
    pub(crate) namespace: Namespace,
    pub(crate) setup: Setup,
    jobs: PathBuf,
}

/// An instance of either kind.
pub(crate) enum Instance {
    Java(JavaPeer),
    Clockwright(Node),
}

impl Stage {
    pub(crate) fn new(name: &str, setup: Setup) -> Self {
        let mut servers = Servers::start(1);
        if let Some(digest) = setup.digest {
            servers.log_in(digest);
        }
        let hosts = match setup.digest {
            Some(digest) => format!("{digest}@{}", servers.hosts()),
            None => servers.hosts(),
        };
        let scene = Scene::new(name, &hosts);
        let namespace = Namespace {
            hosts: servers.hosts(),
            name: name.to_owned(),
            digest: setup.digest.map(ToOwned::to_owned),
            generation: setup.generation,
        };
        let mut text = format!(
            "jobs:\n  {JOB}:\n    elasticJobType: SCRIPT\n    cron: '{}'\n    shardingTotalCount: {}\n    \
             failover: {}\n    misfire: {}\n    monitorExecution: {}\n    props:\n      script.command.line: {}\n",
            if setup.one_off { String::new() } else { cron(setup.period) },
            setup.items,
            setup.failover,
            setup.misfire,
            setup.monitor,
            command(&scene, &setup),
        );
        if !setup.strategy.is_empty() {
            text.push_str(&format!("    jobShardingStrategyType: {}\n", setup.strategy));
        }
        let jobs = scene.file("jobs.yaml", &text);
        Self { servers, scene, namespace, setup, jobs }
    }

    /// Starts an instance of Elastic-Job and waits until it is registered.
    #[track_caller]
    pub(crate) fn java(&self, name: &str) -> Instance {
        self.java_with(name, &[])
    }

    #[track_caller]
    pub(crate) fn java_with(&self, name: &str, more: &[&str]) -> Instance {
        self.java_by(&self.namespace, name, more)
    }

    /// Starts an instance of Elastic-Job on a way of its own to the registry.
    #[track_caller]
    pub(crate) fn java_by(&self, namespace: &Namespace, name: &str, more: &[&str]) -> Instance {
        let mut options = self.options();
        match self.setup.work {
            Work::Script => options.extend(words(&["--type", "script", "--command", &self.command()])),
            Work::Simple => options.extend(words(&["--type", "simple"])),
            Work::Stream { .. } => options.extend(words(&["--type", "dataflow"])),
        }
        if !self.setup.strategy.is_empty() {
            options.extend(words(&["--strategy", self.setup.strategy]));
        }
        let period = self.setup.period.to_string();
        options.extend(words(&["--period-ms", &period]));
        options.extend(words(more));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Instance::Java(JavaPeer::start(&self.scene, namespace, name, &options))
    }

    /// Starts an instance of Clockwright and waits until it is registered: `clockwright node` for a script, else a program
    /// of its own.
    #[track_caller]
    pub(crate) fn clockwright(&self, name: &str) -> Instance {
        self.clockwright_by(self.scene.registry(), name)
    }

    /// As [`clockwright`](Self::clockwright), on another way to the registry.
    #[track_caller]
    pub(crate) fn clockwright_by(&self, registry: &str, name: &str) -> Instance {
        let mut more = Vec::new();
        if !self.setup.address.is_empty() {
            more.extend(words(&["--instance-ip", self.setup.address]));
        }
        let class = match self.setup.work {
            Work::Script => "",
            Work::Simple => "peer.Jobs$Simple",
            Work::Stream { .. } => "peer.Jobs$Dataflow",
        };
        let mut node = if class.is_empty() {
            more.extend(words(&["--session-timeout", &format!("{SESSION}ms")]));
            if self.setup.generation == Generation::Three {
                more.extend(words(&["--layout", "3"]));
            }
            if !self.setup.events.is_empty() {
                more.extend(words(&["--events", &self.setup.events]));
            }
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            self.scene.node_by(registry, name, &self.jobs, &more)
        } else {
            let kind = if self.setup.work == Work::Simple { "simple" } else { "dataflow" };
            more.extend(words(&["--class", class, "--type", kind]));
            more.extend(self.options());
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            self.scene.peer(registry, name, &more)
        };
        let id = process(node.pid());
        node.until(PATIENCE, "it registers", |_| self.instances().iter().any(|other| other.ends_with(&id)));
        Instance::Clockwright(node)
    }

    /// The options that the programs of both kinds have in common.
    fn options(&self) -> Vec<String> {
        let setup = &self.setup;
        let (items, session, run) = (setup.items.to_string(), SESSION.to_string(), setup.run_ms.to_string());
        let mut options = words(&["--job", JOB, "--items", &items]);
        if !setup.one_off {
            options.extend(words(&["--cron", &cron(setup.period)]));
        }
        options.extend(words(&["--session-ms", &session, "--run-ms", &run]));
        options.extend(setup.failover.then(|| "--failover".to_owned()));
        options.extend((!setup.misfire).then(|| "--no-misfire".to_owned()));
        options.extend((!setup.monitor).then(|| "--no-monitor".to_owned()));
        if let Work::Stream { batches } = setup.work {
            // A number that begins with a dash would be taken for an option.
            let batches = if batches < 0 { i32::MAX } else { batches };
            options.extend(words(&["--streaming", "--batches", &batches.to_string()]));
        }
        if setup.once > 0 {
            let notes = self.notes().display().to_string();
            options.extend(words(&["--once", &notes, "--once-timeout-ms", &setup.once.to_string()]));
        }
        options
    }

    /// Where once-per-fire listeners of both kinds note that they were called.
    pub(crate) fn notes(&self) -> PathBuf {
        self.scene.dir().join("once.jsonl")
    }

    fn command(&self) -> String {
        command(&self.scene, &self.setup)
    }

    /// A way to the registry that can be broken, for one instance: a namespace for Java and an address for Clockwright.
    pub(crate) fn link(&self) -> (Link, Namespace, String) {
        let link = Link::to(&self.namespace.hosts);
        let namespace = Namespace { hosts: link.address(), ..self.namespace.clone() };
        let address = format!("zookeeper://{}/{}", link.address(), self.namespace.name);
        (link, namespace, address)
    }

    /// Starts an instance of the kind that a letter names, `J` or `C`.
    #[track_caller]
    pub(crate) fn start(&self, kind: char, name: &str) -> Instance {
        if kind == 'J' { self.java(name) } else { self.clockwright(name) }
    }

    /// A path below the job.
    pub(crate) fn at(&self, relative: &str) -> String {
        format!("/{}/{JOB}/{relative}", self.namespace.name)
    }

    /// The instances, in the descending order of the strategies.
    pub(crate) fn instances(&self) -> Vec<String> {
        let mut ids = self.servers.list(&self.at("instances"));
        ids.sort();
        ids.reverse();
        ids
    }

    pub(crate) fn leader(&self) -> Option<String> {
        self.servers.get(&self.at("leader/election/instance")).map(text)
    }

    /// Who owns each item.
    pub(crate) fn owners(&self, items: u32) -> Vec<Option<String>> {
        (0..items)
            .map(|item| self.servers.get(&self.at(&format!("sharding/{item}/instance"))).map(text))
            .collect()
    }

    /// Whether the plan is exactly what the average allocation says for these instances.
    pub(crate) fn is_planned(&self, instances: &[&Instance], items: u32) -> bool {
        let ids = self.instances();
        let known = ids.iter().all(|id| instances.iter().any(|instance| instance.is(id)));
        known && self.is_planned_beside(instances, items)
    }

    /// As [`is_planned`](Self::is_planned), while there may be others who are not available.
    fn is_planned_beside(&self, instances: &[&Instance], items: u32) -> bool {
        let mut ids = self.instances();
        ids.retain(|id| instances.iter().any(|instance| instance.is(id)));
        if ids.len() != instances.len() || self.servers.get(&self.at("leader/sharding/necessary")).is_some() {
            return false;
        }
        let beyond = self.servers.list(&self.at("sharding")).len() != items as usize;
        !beyond && self.owners(items) == average(&ids, items)
    }

    /// Waits until the plan is exactly what the average allocation says for these instances.
    #[track_caller]
    pub(crate) fn planned(&self, instances: &[&Instance], items: u32) {
        self.until_planned(instances, items, || self.is_planned(instances, items));
    }

    /// As [`planned`](Self::planned), while there may be others who are not available.
    #[track_caller]
    pub(crate) fn planned_beside(&self, instances: &[&Instance], items: u32) {
        self.until_planned(instances, items, || self.is_planned_beside(instances, items));
    }

    #[track_caller]
    fn until_planned(&self, instances: &[&Instance], items: u32, planned: impl FnMut() -> bool) {
        let begun = now();
        eventually_or(PATIENCE, planned, || {
            let talk: String = instances.iter().map(|instance| instance.talk()).collect();
            let (owners, ids) = (self.owners(items), self.instances());
            let story = self.story(begun - 5_000, now());
            format!("the plan is exact: {owners:?} for {ids:?}\n{story}{talk}")
        });
    }

    /// Starts instances of the kinds that the letters name, the first of which then leads, and waits for the exact plan.
    #[track_caller]
    pub(crate) fn all_of(&self, order: &str) -> Vec<Instance> {
        let instances: Vec<Instance> =
            order.chars().enumerate().map(|(at, kind)| self.start(kind, &format!("{kind}{at}"))).collect();
        self.planned(&instances.iter().collect::<Vec<_>>(), self.setup.items);
        assert!(instances[0].is(&self.leader().expect("somebody leads")), "the first instance leads");
        instances
    }

    /// How many starts of each item are on record since a time.
    pub(crate) fn starts_since(&self, since: i64, items: u32) -> Vec<usize> {
        self.count_starts(items, |record| record.wall_ms >= since)
    }

    /// As [`starts_since`](Self::starts_since), by Clockwright instances alone: only their runs have tokens.
    pub(crate) fn starts_of_ours_since(&self, since: i64, items: u32) -> Vec<usize> {
        self.count_starts(items, |record| record.wall_ms >= since && record.token > 0)
    }

    fn count_starts(&self, items: u32, which: impl Fn(&Record) -> bool) -> Vec<usize> {
        let records = self.scene.records();
        let starts: Vec<&Record> =
            records.iter().filter(|record| record.kind == Kind::Start && which(record)).collect();
        (0..items).map(|item| starts.iter().filter(|record| record.item == item).count()).collect()
    }

    /// Waits until the wall clock is `after` milliseconds past the next instant, and gives that instant.
    pub(crate) fn past_an_instant(&self, after: i64) -> i64 {
        let instant = (now() / self.setup.period + 1) * self.setup.period;
        pass_time(instant + after);
        instant
    }

    /// As [`tell`](Self::tell), for what is asked about while Java instances are there.
    #[track_caller]
    pub(crate) fn tell_yes(&self, words: &[&str]) -> String {
        self.scene.tell(&[words, &["--yes"]].concat())
    }

    /// Lets so many fires pass, and gives the first and the last instant of them.
    pub(crate) fn fires(&self, count: i64) -> (i64, i64) {
        let period = self.setup.period;
        // What was late in the change before is over then: the next fire, and what Java makes up for after it.
        let first = (now() / period + 3) * period;
        let last = first + (count - 1) * period;
        pass_time(last + period * 9 / 10);
        (first, last)
    }

    /// How often each item began at each of the instants from `first` to `last`, by who did it.
    pub(crate) fn starts(&self, (first, last): (i64, i64)) -> BTreeMap<(i64, u32), Vec<Record>> {
        let mut starts = BTreeMap::<_, Vec<Record>>::new();
        let period = self.setup.period;
        for record in self.scene.records().into_iter().filter(|record| record.kind == Kind::Start) {
            let instant = record.wall_ms - record.wall_ms % period;
            if (first..=last).contains(&instant) {
                starts.entry((instant, record.item)).or_default().push(record);
            }
        }
        starts
    }

    /// The job goes on: everybody has their part of the plan, and each of these items runs once a fire.
    #[track_caller]
    pub(crate) fn goes_on(&self, instances: &[Instance], items: u32, running: &[u32]) {
        let everybody: Vec<&Instance> = instances.iter().collect();
        self.planned(&everybody, items);
        let span = self.fires(fires());
        self.ran_once(span, running, &everybody);
    }

    /// What is wrong with these fires: items that ran not at all, or more than once.
    pub(crate) fn faults(&self, span: (i64, i64), items: &[u32]) -> Vec<String> {
        let starts = self.starts(span);
        let mut faults = Vec::new();
        for instant in (span.0..=span.1).step_by(usize::try_from(self.setup.period).expect("small")) {
            for item in items {
                let runs = starts.get(&(instant, *item)).map_or(&[][..], Vec::as_slice);
                if runs.len() != 1 {
                    let who: Vec<_> = runs.iter().map(|run| (run.wall_ms - instant, &run.instance)).collect();
                    faults.push(format!("instant {instant} item {item} ran {} times: {who:?}", runs.len()));
                }
            }
        }
        for (instant, item) in starts.keys().filter(|(_, item)| !items.contains(item)) {
            faults.push(format!("instant {instant}: item {item} should not run"));
        }
        faults
    }

    /// Every item ran exactly once at each of these instants.
    #[track_caller]
    pub(crate) fn ran_once(&self, span: (i64, i64), items: &[u32], instances: &[&Instance]) {
        let faults = self.faults(span, items);
        let talk: String = instances.iter().map(|instance| instance.talk()).collect();
        assert!(faults.is_empty(), "{}\n{talk}", faults.join("\n"));
    }

    /// As [`ran_once`](Self::ran_once), for the time in which something changed: says what is not so, and does not fail.
    pub(crate) fn note_faults(&self, what: &str, from: i64, to: i64, items: &[u32]) -> usize {
        let period = self.setup.period;
        let span = ((from / period + 1) * period, to - to % period - period);
        let faults = self.faults(span, items);
        if !faults.is_empty() {
            let mut lines = faults.join("\n  ");
            lines.truncate(4_000);
            println!("while {what}, {} of {} runs:\n  {lines}", faults.len(), (span.1 - span.0) / period + 1);
            println!("{}", self.story(from, to));
        }
        faults.len()
    }

    /// What the registry carried out between two times, cursors and running marks aside; for the reader of a failure.
    pub(crate) fn story(&self, from: i64, to: i64) -> String {
        let mut story = String::new();
        for transaction in self.servers.transactions() {
            if !(from..=to).contains(&transaction.at) {
                continue;
            }
            let ops: Vec<String> = transaction.ops.iter().filter_map(|op| self.brief(op)).collect();
            if !ops.is_empty() {
                let at = (transaction.at / 1_000 % 1_000, transaction.at % 1_000);
                story.push_str(&format!(
                    "  {:03}.{:03} {:x}: {}\n",
                    at.0,
                    at.1,
                    transaction.session,
                    ops.join(" ")
                ));
            }
        }
        story
    }

    fn brief(&self, op: &LoggedOp) -> Option<String> {
        let (word, path, data) = match op {
            LoggedOp::Create { path, data, .. } => ("+", path, data.clone()),
            LoggedOp::Set { path, data, .. } => ("=", path, data.clone()),
            LoggedOp::Delete { path } => ("-", path, Vec::new()),
            _ => return None,
        };
        let relative = path.strip_prefix(&self.at(""))?;
        let noise = ["/cursor", "/running", "config"];
        let data = String::from_utf8_lossy(&data).into_owned();
        (!noise.iter().any(|end| relative.ends_with(end))).then(|| {
            format!(
                "{word}{relative}{}{}",
                if data.is_empty() { "" } else { ":" },
                data.rsplit('@').next().unwrap_or("")
            )
        })
    }

    /// No two runs of one item were ever alive at once.
    #[track_caller]
    pub(crate) fn never_overlapped(&self) {
        let overlaps: Vec<_> =
            self.scene.records().into_iter().filter(|record| record.kind == Kind::Overlap).collect();
        assert!(overlaps.is_empty(), "{overlaps:?}");
    }

    /// As [`never_overlapped`](Self::never_overlapped), for jobs that are code and hold no locks: by the starts and ends that
    /// are on record. The runs of processes that were killed have no end of their own.
    #[track_caller]
    pub(crate) fn never_two_at_once(&self, killed: &[u32]) {
        let mut records = self.scene.records();
        records.sort_by_key(|record| record.mono_ns);
        let mut running = BTreeMap::<u32, Record>::new();
        for record in records {
            match record.kind {
                Kind::Start => {
                    let other = running.insert(record.item, record.clone());
                    if let Some(other) = other.filter(|other| !killed.contains(&other.pid)) {
                        panic!("two runs at once:\n{other:?}\n{record:?}");
                    }
                }
                Kind::End => drop(running.remove(&record.item)),
                _ => {}
            }
        }
    }

    /// Elastic-Job's console API.
    #[track_caller]
    pub(crate) fn console(&self, command: &str, options: &[&str]) -> Value {
        console(&self.namespace, command, options)
    }

    /// A command of `clockwright`, which has to succeed.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) -> String {
        self.scene.tell(words)
    }

    /// Elastic-Job's own status API reports the job and each of its items as well.
    #[track_caller]
    pub(crate) fn java_says_ok(&self) {
        let patience = PATIENCE;
        let mut last = [Value::Null, Value::Null, Value::Null];
        let mut ok = || {
            let instances = self.instances();
            last = [
                self.console("jobs", &[]),
                self.console("shards", &["--job", JOB]),
                self.console("servers", &[]),
            ];
            let all = |answer: &Value, fine: &dyn Fn(&Value) -> bool| {
                answer.as_array().is_some_and(|rows| rows.iter().all(fine))
            };
            let of = |server: &Value| {
                let ip = server["serverIp"].as_str().unwrap_or_default().to_owned() + "@-@";
                instances.iter().filter(|id| id.starts_with(&ip)).count()
            };
            all(&last[0], &|job| job["status"] == "OK")
                && all(&last[1], &|item| {
                    matches!(item["status"].as_str(), Some("PENDING" | "RUNNING" | "COMPLETED"))
                })
                && all(&last[2], &|server| {
                    server["disabledJobsNum"] == 0 && server["instancesNum"] == of(server)
                })
        };
        let begun = std::time::Instant::now();
        while !ok() {
            assert!(begun.elapsed() < patience, "Elastic-Job says: {last:?}");
        }
    }

    /// Nothing is left behind: no marks, flags or latches; only what a job has at rest.
    #[track_caller]
    pub(crate) fn left_nothing(&self, items: u32) {
        self.left_only(items, &[]);
    }

    /// As [`left_nothing`](Self::left_nothing), but for the ends of these paths.
    #[track_caller]
    pub(crate) fn left_only(&self, items: u32, ends: &[&str]) {
        let mut found = Vec::new();
        let mut clean = || {
            let paths = self.servers.tree(self.at("").trim_end_matches('/'));
            let below = self.at("");
            found = paths.iter().filter_map(|path| path.strip_prefix(&below).map(str::to_owned)).collect();
            let serves = found.iter().any(|path| path.starts_with("instances/"));
            // The last Java instance to leave raises the flag for whoever comes next.
            let raised = |path: &str| !serves && path == "leader/sharding/necessary";
            let accepted = |path: &str| ends.iter().any(|end| path.ends_with(end));
            found.retain(|path| !is_at_rest(path, items) && !raised(path) && !accepted(path));
            found.is_empty()
        };
        let begun = std::time::Instant::now();
        while !clean() {
            assert!(begun.elapsed() < PATIENCE, "left behind: {found:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Instance {
    pub(crate) fn pid(&self) -> u32 {
        match self {
            Instance::Java(peer) => peer.pid(),
            Instance::Clockwright(node) => node.pid(),
        }
    }

    /// Whether an id is its.
    pub(crate) fn is(&self, id: &str) -> bool {
        id.ends_with(&process(self.pid()))
    }

    pub(crate) fn talk(&self) -> String {
        let (name, talk) = match self {
            Instance::Java(peer) => (format!("Java {}", peer.pid()), peer.talk()),
            Instance::Clockwright(node) => (format!("Clockwright {}", node.pid()), node.talk()),
        };
        format!("--- {name}\n{talk}\n")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        match self {
            Instance::Java(peer) => peer.signal(signal),
            Instance::Clockwright(node) => node.signal(signal),
        }
    }

    /// Ends it as an operator would.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        match &mut self {
            Instance::Java(peer) => peer.stop(),
            Instance::Clockwright(node) => {
                node.signal(Signal::TERM);
                node.wait(PATIENCE);
            }
        }
    }

    /// Ends it as a power failure would.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        match &mut self {
            Instance::Java(peer) => peer.kill(),
            Instance::Clockwright(node) => node.kill(),
        }
    }
}

/// The end of the id of an instance with this process.
fn process(pid: u32) -> String {
    format!("@-@{pid}")
}

/// Whether a path below a job is one that it has while nothing happens.
fn is_at_rest(path: &str, items: u32) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [
            "config" | "servers" | "instances" | "trigger" | "leader" | "sharding" | "guarantee"
            | "systemTime",
        ]
        | ["servers" | "instances", _]
        | ["leader", "election" | "sharding" | "failover"]
        | ["leader", "election", "latch" | "instance"]
        | ["leader", "failover", "latch" | "items"]
        | ["leader", "sharding", "epoch"]
        | ["systemTime", "current"] => true,
        ["sharding", item] | ["sharding", item, "instance" | "cursor"] => {
            item.parse().is_ok_and(|item: u32| item < items)
        }
        _ => false,
    }
}

/// How many fires a phase of a scenario lasts.
pub(crate) fn fires() -> i64 {
    env_number("CLOCKWRIGHT_INTEROP_FIRES", 5)
}

/// All items below a count.
pub(crate) fn all(items: u32) -> Vec<u32> {
    (0..items).collect()
}

/// The average allocation, by its definition: `ids` in descending order get equal blocks in turn, and the first ones one
/// of the items that are left over each.
fn average(ids: &[String], items: u32) -> Vec<Option<String>> {
    let (items, count) = (items as usize, ids.len().max(1));
    let each = items / count;
    (0..items)
        .map(|item| ids.get(if item < each * count { item / each } else { item - each * count }).cloned())
        .collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Every `period` milliseconds, whole seconds that divide a minute.
pub(crate) fn cron(period: i64) -> String {
    if period >= 60_000 {
        return format!("0 0/{} * * * ?", period / 60_000);
    }
    format!("0/{} * * * * ?", period / 1_000)
}

fn command(scene: &Scene, setup: &Setup) -> String {
    scene.command_line(&format!("--run-ms {} --beat-ms 500 --period-ms {}", setup.run_ms, setup.period))
}

fn text(data: Vec<u8>) -> String {
    String::from_utf8(data).expect("Elastic-Job writes UTF-8")
}
