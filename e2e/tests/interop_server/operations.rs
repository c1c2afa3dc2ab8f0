//! Every operation on a job that Java instances alone serve: it is done, it is on record, and Java's own lifecycle API says the same.

use crate::plane::{PROJECT, Plane};
use crate::stage as set_up;
use crate::stage::{Instance, JOB, PATIENCE, Stage, all};
use crate::steps::{ask_port, lasting};
use clockwright_e2e::harness::{eventually, now};
use clockwright_e2e::java::Generation;
use serde_json::{Value, json};
use std::net::TcpListener;

const ITEMS: u32 = 4;
/// It fires by triggers alone.
const NEVER: &str = "0 0 1 1 1 ? 2099";

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn every_operation_on_a_job_of_java_2x_alone_is_done_and_told_and_java_agrees() {
    every_operation(Generation::Two);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn every_operation_on_a_job_of_java_3x_alone_is_done_and_told_and_java_agrees() {
    every_operation(Generation::Three);
}

struct Site {
    stage: Stage,
    plane: Plane,
    ip: String,
}

fn every_operation(generation: Generation) {
    let stage = set_up("operations", generation);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let monitored = stage.java_with("J0", &["--cron", NEVER, "--monitor-port", &port.to_string()]);
    let other = stage.java_with("J1", &["--cron", NEVER]);
    let plane = Plane::attach(&stage);
    let ip = stage.host();
    let site = Site { stage, plane, ip };
    site.fires(&all(ITEMS));
    site.is_dumped(port);
    site.stops_and_starts_by_holds();
    site.leaves_an_item_out();
    site.goes_offline_and_online();
    site.follows_settings();
    site.is_planned_anew();
    site.gives_up_and_is_removed(&other);
    drop(monitored);
}

impl Site {
    /// An operation on the job, which is done and on record.
    #[track_caller]
    fn job(&self, kind: &str, verb: &str, body: Value) -> Value {
        let done = self.plane.operate(JOB, verb, body);
        self.is_on_record(&format!("job.{kind}"), &done);
        done["result"].clone()
    }

    /// An operation on the host in all jobs, which is done and on record.
    #[track_caller]
    fn host(&self, verb: &str) {
        let reply = self.plane.post(&format!("{PROJECT}/hosts/{}/{verb}", self.ip), json!({}));
        let done = self.plane.ended(reply);
        self.is_on_record(&format!("host.{verb}"), &done);
    }

    #[track_caller]
    fn is_on_record(&self, action: &str, operation: &Value) {
        assert_eq!(operation["state"], "done", "{operation:#}");
        let told: Vec<Value> =
            self.plane.told(action).iter().map(|record| record["outcome"].clone()).collect();
        assert_eq!(told[..2], ["done", "begun"], "{action}");
    }

    /// What Java says of the job's only host: whether the job is off there.
    #[track_caller]
    fn java_says_off(&self, is_off: bool) {
        let servers = self.stage.console("servers", &[]);
        assert_eq!(servers[0]["disabledJobsNum"], u32::from(is_off), "{servers:#}");
        let status = &self.stage.console("jobs", &[])[0]["status"];
        assert_eq!(status == "DISABLED", is_off, "{status}");
    }

    /// A trigger lets these items run once, and no others.
    #[track_caller]
    fn fires(&self, items: &[u32]) {
        let since = now();
        let asked = self.job("trigger", "trigger", json!({ "reason": "by hand" }));
        let answers: Vec<&Value> = asked["instances"].as_array().unwrap().iter().collect();
        assert_eq!(answers.len(), self.stage.instances().len(), "{asked:#}");
        assert!(answers.iter().all(|asked| asked["answer"] == "accepted"), "{asked:#}");
        let expected: Vec<usize> = (0..ITEMS).map(|item| usize::from(items.contains(&item))).collect();
        eventually(PATIENCE, "it has fired", || {
            let marks = all(ITEMS).iter().any(|item| {
                let mark = self.stage.at(&format!("sharding/{item}/running"));
                self.stage.servers.get(&mark).is_some()
            });
            !marks && self.stage.starts_since(since, ITEMS) == expected
        });
        let shards = self.stage.console("shards", &["--job", JOB]);
        let off = |item: &u32| shards[*item as usize]["status"] == "DISABLED";
        assert!(all(ITEMS).iter().all(|item| off(item) != items.contains(item)), "{shards:#}");
    }

    /// The dump is what Java's own port says, in its format.
    fn is_dumped(&self, port: u16) {
        let question = match self.stage.setup.generation {
            Generation::Two => "dump".to_owned(),
            Generation::Three => format!("dump@{JOB}"),
        };
        let dump = |more| self.plane.get(&format!("{PROJECT}/jobs/{JOB}/dump{more}"))["text"].clone();
        let (masked, java) = (dump(""), ask_port(port, &question));
        let ours = masked.as_str().unwrap();
        assert_eq!(lasting(ours), lasting(&java), "ours:\n{ours}\nJava's:\n{java}");
        assert!(!ours.contains(&self.ip) && dump("?unmasked=true").as_str().unwrap().contains(&self.ip));
        assert_eq!(self.plane.told("job.dumped").len(), 1, "what shows addresses is on record");
    }

    fn stops_and_starts_by_holds(&self) {
        for body in [json!({}), json!({ "host": self.ip })] {
            self.job("disable", "disable", body.clone());
            self.java_says_off(true);
            self.job("enable", "enable", body);
            self.java_says_off(false);
            self.fires(&all(ITEMS));
        }
        // Java knows no pause, and whoever asks for one is told so.
        let paused = self.job("pause", "pause", json!({ "reason": "audit" }));
        assert!(paused["warnings"][0].as_str().unwrap().contains("2 Java instances"), "{paused:#}");
        self.java_says_off(false);
        self.job("resume", "resume", json!({}));
        for body in [json!({}), json!({ "host": self.ip })] {
            self.job("drain", "drain", body.clone());
            self.java_says_off(true);
            self.job("resume", "resume", body);
            self.java_says_off(false);
        }
        // A trigger ends a drain, and Java gets its hosts back for it.
        self.job("drain", "drain", json!({}));
        self.fires(&all(ITEMS));
        self.java_says_off(false);
        for (stop, start) in [("disable", "enable"), ("drain", "resume")] {
            self.host(stop);
            self.java_says_off(true);
            self.host(start);
            self.java_says_off(false);
        }
        let select = json!({ "jobs": [{ "project": "attached", "name": JOB }] });
        let bulk = json!({ "action": "disable", "select": select, "reason": "audit" });
        let done = self.plane.ended(self.plane.post("/bulk", bulk));
        assert_eq!(done["result"]["bulk"]["done"], 1, "{done:#}");
        self.java_says_off(true);
        let mut undo = done["result"]["bulk"]["undo"].clone();
        undo["reason"] = json!("over");
        self.plane.ended(self.plane.post("/bulk", undo));
        self.java_says_off(false);
        assert_eq!(self.plane.holds(), [""; 0]);
        self.fires(&all(ITEMS));
    }

    fn leaves_an_item_out(&self) {
        self.job("item-disable", "items/1/disable", json!({}));
        self.fires(&[0, 2, 3]);
        self.job("item-enable", "items/1/enable", json!({}));
        self.fires(&all(ITEMS));
    }

    fn goes_offline_and_online(&self) {
        let off = self.job("offline", "offline", json!({ "reason": "retired" }));
        assert_eq!((&off["version"], &off["sync"]["state"]), (&json!(2), &json!("written")), "{off:#}");
        self.java_says_off(true);
        let refused = self.plane.post(&format!("{PROJECT}/jobs/{JOB}/trigger"), json!({})).is(409);
        assert_eq!(refused["code"], "job-offline");
        let on = self.job("online", "online", json!({}));
        assert_eq!((&on["version"], &on["sync"]["state"]), (&json!(3), &json!("written")), "{on:#}");
        self.java_says_off(false);
        self.fires(&all(ITEMS));
    }

    /// A save and a rollback reach Java; how it agrees is looked at and told.
    fn follows_settings(&self) {
        let parameter = || self.stage.console("get", &["--job", JOB])["jobParameter"].clone();
        let patch = json!({ "settings": { "jobParameter": "ours" } });
        let saved = self.plane.patch(&format!("{PROJECT}/jobs/{JOB}"), 3, patch);
        assert_eq!((&saved["version"], &saved["sync"]["state"]), (&json!(4), &json!("written")), "{saved:#}");
        assert_eq!(parameter(), "ours");
        let back = json!({ "version": 3, "reason": "too late" });
        let saved = self.plane.post_at(&format!("{PROJECT}/jobs/{JOB}/rollback"), 4, back);
        assert_eq!((&saved["version"], &saved["sync"]["state"]), (&json!(5), &json!("written")), "{saved:#}");
        assert_eq!(parameter(), "");
        for action in ["job.update", "job.rollback"] {
            assert_eq!(self.plane.told(action)[0]["outcome"], "done");
        }
        let looked = self.plane.post(&format!("{PROJECT}/jobs/{JOB}/sync"), json!({})).is(200);
        assert_eq!((&looked["state"], &looked["differences"]), (&json!("written"), &json!([])), "{looked:#}");
        assert_eq!(self.plane.told("sync.repair"), [json!(null); 0], "what Java wrote was right as it was");
    }

    /// Java's leader makes the new plan when the job fires next.
    fn is_planned_anew(&self) {
        let done = self.job("rebalance", "rebalance", json!({}));
        assert_eq!(done["plan"]["after"], json!(null), "{done:#}");
        let flag = self.stage.at("leader/sharding/necessary");
        assert!(self.stage.servers.get(&flag).is_some());
        self.fires(&all(ITEMS));
        assert!(self.stage.servers.get(&flag).is_none());
    }

    fn gives_up_and_is_removed(&self, other: &Instance) {
        let counted = || self.stage.console("servers", &[])[0]["instancesNum"].clone();
        let id = self.stage.instances().into_iter().find(|id| other.is(id)).unwrap();
        self.job("shutdown", "shutdown", json!({ "target": id }));
        assert_eq!(counted(), 1);
        self.host("shutdown");
        assert_eq!(self.stage.console("jobs", &[])[0]["status"], "CRASHED");
        let served = self.stage.java_with("J2", &["--cron", NEVER]);
        self.fires(&all(ITEMS));
        let path = format!("{PROJECT}/jobs/{JOB}?mode=drain&reason=old");
        let removed = self.plane.ended(self.plane.delete(&path));
        self.is_on_record("job.remove", &removed);
        assert_eq!(self.stage.console("jobs", &[]), json!([]));
        assert!(self.stage.servers.get(self.stage.at("").trim_end_matches('/')).is_none());
        served.stop();
    }
}
