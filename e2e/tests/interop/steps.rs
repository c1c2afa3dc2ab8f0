//! What operators do to a job, and what its instances go through, whatever the layout: the steps that scenarios of 2.x and 3.x share.

#![allow(dead_code, reason = "each file of scenarios uses its part")]

use super::stage::{ITEMS, Instance, JOB, PATIENCE, SESSION, Stage, all, fires};
use clockwright_e2e::harness::{eventually, now, pass_time};
use clockwright_testkit::zookeeper::LoggedOp;
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

pub(crate) fn refs(instances: &[Instance]) -> Vec<&Instance> {
    instances.iter().collect()
}

impl Stage {
    /// Nothing ran twice at once, nothing is left behind, and Java's own status API is content.
    #[track_caller]
    pub(crate) fn all_is_well(&self, items: u32) {
        self.never_overlapped();
        self.left_nothing(items);
        self.java_says_ok();
    }

    /// The job as our own command shows it.
    pub(crate) fn get(&self) -> Value {
        serde_json::from_str(&self.tell(&["job", "get", JOB, "--output", "json"])).unwrap()
    }

    /// The only host of the job's instances.
    pub(crate) fn host(&self) -> String {
        self.instances()[0].split("@-@").next().unwrap().to_owned()
    }

    /// A server is disabled or enabled by one kind of console.
    pub(crate) fn switch_server(&self, by_java: bool, word: &str, ip: &str) {
        if by_java {
            self.console(word, &["--job", JOB, "--ip", ip]);
        } else {
            self.tell_yes(&["job", word, JOB, "--host", ip]);
        }
    }

    /// The only server is switched off and on, by each kind of console in turn.
    pub(crate) fn switch_the_only_server(&self, instances: &[Instance], items: u32) {
        let ip = self.host();
        for by_java in [true, false] {
            self.switch_server(by_java, "disable", &ip);
            let span = self.fires(fires());
            self.ran_once(span, &[], &refs(instances));
            assert!(self.tell(&["job", "list"]).contains("DISABLED"));
            if by_java {
                self.tell_yes(&["job", "enable", JOB]);
            } else {
                self.switch_server(true, "enable", &ip);
            }
            self.goes_on(instances, items, &all(items));
        }
    }

    /// Each kind of console triggers both kinds of instances: every item runs once more.
    pub(crate) fn trigger_by_each(&self, one_off: bool) {
        for by_java in [true, false] {
            if !one_off {
                self.past_an_instant(3_000);
            }
            let since = now();
            if by_java {
                self.console("trigger", &["--job", JOB]);
            } else {
                self.tell_yes(&["job", "trigger", JOB]);
            }
            eventually(PATIENCE, "every item runs for the trigger", || {
                self.starts_since(since, ITEMS).iter().all(|starts| *starts >= 1)
            });
            pass_time(since + 8_000);
            assert_eq!(self.starts_since(since, ITEMS), [1; ITEMS as usize], "by Java: {by_java}");
        }
    }

    /// Runs of 7 seconds on a cron of 5 never overlap, and are made up for.
    pub(crate) fn misfires_for_a_minute(&self, items: u32) {
        let since = now();
        // Long enough for three rounds of a regular run and the one that makes up for what passed meanwhile.
        pass_time(since + 60_000);
        let starts = self.starts_since(since, items);
        assert!(
            starts.iter().all(|starts| *starts >= 5),
            "{starts:?}: without making up they are 6 at most, every 10 s"
        );
        self.never_overlapped();
        let marked =
            |op: &LoggedOp| matches!(op, LoggedOp::Create { path, .. } if path.ends_with("/misfire"));
        assert!(self.servers.changes().iter().any(marked), "Java's mark is made");
    }

    /// An instance goes on after its session expired: everybody comes together again in time, and what runs then runs once.
    pub(crate) fn thaws(&self, instances: &mut Vec<Instance>, frozen: Instance) {
        frozen.signal(Signal::CONT);
        let thawed = now();
        instances.push(frozen);
        self.together_again(&refs(instances), thawed);
        // With its next two fires a Java instance makes up for what passed while it stood still.
        pass_time(now() + 2 * self.setup.period);
        let span = self.fires(fires());
        self.ran_once(span, &all(ITEMS), &refs(instances));
    }

    /// The items are shared among all of these in time, counted from when all of them could.
    pub(crate) fn together_again(&self, everybody: &[&Instance], since: i64) {
        self.planned(everybody, ITEMS);
        let took = now() - since;
        assert!(took < 2 * SESSION + self.setup.period, "together again only after {took} ms");
    }

    /// A fleet that is all Java is looked at, and nothing is done to it without a word.
    pub(crate) fn looks_at_a_java_fleet(&self, items: usize) {
        assert!(self.tell(&["job", "list"]).contains("OK"));
        let job = self.get();
        assert_eq!((&job["status"], job["items"].as_array().unwrap().len()), (&"OK".into(), items));
        assert!(job["items"].as_array().unwrap().iter().all(|item| item["owner"].is_string()));
        assert!(job["nextFire"].as_i64().is_some());
        assert!(self.tell(&["host", "list"]).lines().count() >= 2);
        let refused = self.scene.ask(&["job", "disable", JOB]);
        assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    }

    /// Its settings are changed by our command; what Java's console says of them then.
    pub(crate) fn sets_cron_and_items(&self, instances: &[Instance], items: u32) -> Value {
        let cron = "0/4 * * * * ?";
        self.tell_yes(&["job", "set", JOB, "--cron", cron, "--items", &items.to_string()]);
        let settings = self.console("get", &["--job", JOB]);
        assert_eq!((&settings["cron"], &settings["shardingTotalCount"]), (&cron.into(), &items.into()));
        self.planned(&refs(instances), items);
        settings
    }

    /// An item and the job are switched off and on, and the job is triggered.
    pub(crate) fn steers_a_java_fleet(&self, items: u32) {
        self.tell_yes(&["shard", "disable", JOB, "2"]);
        let shards = self.console("shards", &["--job", JOB]);
        let off = |item: &Value| item["item"] == 2 && item["status"] == "DISABLED";
        assert!(shards.as_array().unwrap().iter().any(off));
        self.tell_yes(&["shard", "enable", JOB, "2"]);
        self.tell_yes(&["job", "disable", JOB]);
        assert_eq!(self.console("jobs", &[])[0]["status"], "DISABLED");
        self.tell_yes(&["job", "enable", JOB]);
        let since = now();
        self.tell_yes(&["job", "trigger", JOB]);
        let fired = || self.starts_since(since, items).iter().all(|starts| *starts >= 1);
        eventually(PATIENCE, "they fire", fired);
    }

    /// It is shut down and removed.
    pub(crate) fn removes_a_java_fleet(&self, instances: Vec<Instance>) {
        let served = self.scene.ask(&["job", "remove", JOB, "--yes"]);
        assert_eq!(served.status.code(), Some(1), "a job that is served is not removed");
        self.tell_yes(&["job", "shutdown", JOB]);
        eventually(PATIENCE, "nobody serves the job", || self.instances().is_empty());
        instances.into_iter().for_each(Instance::stop);
        self.tell_yes(&["job", "remove", JOB]);
        assert!(self.servers.get(&format!("/{}/{JOB}", self.namespace.name)).is_none());
    }
}

/// What a port of Java's answers to a question.
pub(crate) fn ask_port(port: u16, question: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{question}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The lines of a dump without what changes between two looks at it.
pub(crate) fn lasting(dump: &str) -> Vec<&str> {
    let volatile = ["/running", "/latch/"];
    dump.lines().filter(|line| !line.is_empty() && !volatile.iter().any(|end| line.contains(end))).collect()
}
