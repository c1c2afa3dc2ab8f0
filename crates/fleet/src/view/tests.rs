#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::{v2, v3};
use crate::cursor::{Claim, Cursor};
use crate::layout::Layout;
use clockwright_model::{FailureKind, Fire, InstanceId, JobKind, JobSettings, Outcome, RunId, Source};
use clockwright_registry::{ConnectOptions, Embedded, EmbeddedSession, Op};
use std::sync::Arc;

/// A job in a registry in memory, as two instances on two servers leave it.
struct Stage {
    registry: Embedded,
    session: Arc<EmbeddedSession>,
    keys: Keys,
    job: JobName,
}

const A: &str = "10.0.0.1@-@7";
const B: &str = "10.0.0.2@-@8";

impl Stage {
    async fn new() -> Self {
        let registry = Embedded::in_memory();
        let session = registry.connect(ConnectOptions::default()).unwrap();
        let stage =
            Self { registry, session, keys: Keys::new("ns").unwrap(), job: JobName::new("myJob").unwrap() };
        let mut settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
        settings.time_zone = Some("UTC".into());
        settings.description = "for tests".into();
        crate::testing::register(&*stage.session, &stage.keys, &settings).await;
        for key in [Key::Leader, Key::Election, Key::Items] {
            stage.put(&key, "").await;
        }
        stage
            .commit(vec![Op::create(stage.keys.own_root().clone(), ""), Op::create(stage.keys.leases(), "")])
            .await;
        for id in [A, B].map(InstanceId::from_wire) {
            stage.ephemeral(&Key::Instance(id.clone()), "").await;
            stage.commit(vec![Op::create_ephemeral(stage.keys.lease(&id), "")]).await;
        }
        for (item, owner) in [(0, A), (1, B), (2, A)] {
            stage.put(&Key::Item(item), "").await;
            stage.put(&Key::Owner(item), owner).await;
        }
        stage.ephemeral(&Key::ElectionInstance, A).await;
        stage
    }

    async fn commit(&self, ops: Vec<Op>) {
        self.session.commit(ops).await.unwrap();
    }

    async fn put(&self, key: &Key, data: &str) {
        self.commit(vec![Op::create(self.keys.of(&self.job, key), data.to_owned())]).await;
    }

    async fn set(&self, key: &Key, data: &str) {
        self.commit(vec![Op::set(self.keys.of(&self.job, key), data.to_owned())]).await;
    }

    async fn ephemeral(&self, key: &Key, data: &str) {
        self.commit(vec![Op::create_ephemeral(self.keys.of(&self.job, key), data.to_owned())]).await;
    }

    async fn delete(&self, key: &Key) {
        self.commit(vec![Op::delete(self.keys.of(&self.job, key))]).await;
    }

    /// The process is gone: its lease and its instance node with it.
    async fn die(&self, id: &str) {
        let id = InstanceId::from_wire(id);
        self.commit(vec![Op::delete(self.keys.lease(&id))]).await;
        self.delete(&Key::Instance(id)).await;
    }

    async fn brief(&self) -> JobBrief {
        let mut briefs = jobs(&*self.session, &self.keys).await.unwrap();
        assert_eq!(briefs.len(), 1);
        briefs.remove(0)
    }

    async fn view(&self) -> JobView {
        job(&*self.session, &self.keys, "myJob", 0).await.unwrap()
    }
}

fn claim(fire: Millis, outcome: Option<Outcome>) -> Cursor {
    let claim = Claim {
        fire: Fire::Scheduled(fire),
        attempt: 2,
        run_id: RunId::new(fire, 1),
        owner: InstanceId::from_wire(B),
        session: 1,
        source: Source::Schedule,
        at: fire + 1,
        token: 0,
        outcome,
    };
    Cursor { run: Some(Box::new(claim)), ..Cursor::starting(fire, 0, None) }
}

#[tokio::test]
async fn a_job_whose_items_are_all_owned_is_ok() {
    let stage = Stage::new().await;
    let brief = stage.brief().await;
    assert_eq!((brief.status, brief.instance_count, brief.sharding_total_count), (JobStatus::Ok, 2, 3));
    assert_eq!(
        (brief.cron.as_str(), brief.description.as_str(), brief.reason),
        ("0 0 12 * * ?", "for tests", None)
    );
}

#[tokio::test]
async fn each_status_is_told_from_the_nodes_in_elastic_jobs_order() {
    let stage = Stage::new().await;
    stage.set(&Key::Owner(1), "10.9.9.9@-@1").await;
    assert_eq!(stage.brief().await.status, JobStatus::ShardingFlag);
    stage.set(&Key::Server("10.0.0.1".into()), "DISABLED").await;
    assert_eq!(stage.brief().await.status, JobStatus::ShardingFlag, "one server is still enabled");
    stage.set(&Key::Server("10.0.0.2".into()), "DISABLED").await;
    assert_eq!(stage.brief().await.status, JobStatus::Disabled);
    stage.put(&Key::Paused, r#"{"at":5,"by":"ann","reason":"maintenance"}"#).await;
    let brief = stage.brief().await;
    assert_eq!(
        (brief.status, brief.reason.as_deref()),
        (JobStatus::Paused, Some("paused by ann: maintenance"))
    );
    stage.delete(&Key::Instance(InstanceId::from_wire(A))).await;
    stage.delete(&Key::Instance(InstanceId::from_wire(B))).await;
    assert_eq!(stage.brief().await.status, JobStatus::Crashed);
    stage.set(&Key::Config, "{broken").await;
    let brief = stage.brief().await;
    assert_eq!(brief.status, JobStatus::Degraded);
    assert!(brief.reason.unwrap().contains("not JSON"));
}

#[tokio::test]
async fn a_bad_schedule_degrades_only_its_own_job_until_it_is_mended() {
    let stage = Stage::new().await;
    let good = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
    let mut bad = good.clone();
    bad.cron = "every day".into();
    stage.set(&Key::Config, &v2::write(&bad)).await;
    let view = stage.view().await;
    assert_eq!((view.brief.status, view.next_fire, view.items.len()), (JobStatus::Degraded, None, 3));
    assert!(view.brief.reason.unwrap().starts_with("cron: "));
    stage.set(&Key::Config, &v2::write(&good)).await;
    assert_eq!(stage.brief().await.status, JobStatus::Ok);
}

#[tokio::test]
async fn an_instance_node_without_a_session_is_nobody() {
    let stage = Stage::new().await;
    stage.delete(&Key::Instance(InstanceId::from_wire(B))).await;
    stage.put(&Key::Instance(InstanceId::from_wire(B)), "TRIGGER").await;
    let view = stage.view().await;
    assert_eq!((view.brief.instance_count, view.instances.len()), (1, 1));
    assert_eq!(view.items[1].status, ItemStatus::ShardingFlag);
}

#[tokio::test]
async fn an_item_shows_its_owner_its_last_run_and_its_next_fire() {
    let stage = Stage::new().await;
    let failed = Outcome::Failed { kind: FailureKind::Job, reason: "exit code 3".into() };
    let cursor = String::from_utf8(claim(1_000, Some(failed)).to_bytes()).unwrap();
    stage.put(&Key::Cursor(1), &cursor).await;
    let view = stage.view().await;
    let item = &view.items[1];
    assert_eq!((item.owner.as_deref(), item.status, item.running), (Some(B), ItemStatus::Pending, false));
    let last = item.last.as_ref().unwrap();
    assert_eq!(
        (last.fire, last.attempt, last.outcome, last.reason.as_str()),
        (1_000, 2, Some("failed"), "exit code 3")
    );
    assert_eq!(item.next_fire, Some(12 * 3_600_000));
    assert_eq!(view.items[0].last, None);
    assert_eq!(view.leader.as_deref(), Some(A));
    let first = &view.instances[0];
    assert_eq!((first.id.as_str(), first.leader, first.item_count), (A, true, 2));
    assert_eq!(view.settings["shardingTotalCount"], 3);
}

#[tokio::test]
async fn disabled_hides_running_and_running_hides_a_missing_owner() {
    let stage = Stage::new().await;
    let cursor = String::from_utf8(claim(1_000, None).to_bytes()).unwrap();
    stage.put(&Key::Cursor(1), &cursor).await;
    stage.set(&Key::Owner(1), "10.9.9.9@-@1").await;
    assert_eq!(stage.view().await.items[1].status, ItemStatus::Running);
    stage.put(&Key::Disabled(1), "").await;
    let item = stage.view().await.items.remove(1);
    assert_eq!((item.status, item.running, item.next_fire), (ItemStatus::Disabled, true, None));
}

#[tokio::test]
async fn a_claim_of_a_dead_instance_does_not_run() {
    let stage = Stage::new().await;
    stage.put(&Key::Cursor(1), &String::from_utf8(claim(1_000, None).to_bytes()).unwrap()).await;
    stage.die(B).await;
    let item = stage.view().await.items.remove(1);
    assert_eq!((item.running, item.orphaned, item.status), (false, true, ItemStatus::ShardingFlag));
    for key in [Key::Failover, Key::FailoverItems, Key::FailoverItem(1)] {
        stage.put(&key, "").await;
    }
    let item = stage.view().await.items.remove(1);
    assert_eq!((item.running, item.orphaned, item.status), (false, true, ItemStatus::ShardingFlag));
}

#[tokio::test]
async fn a_run_goes_on_though_an_operator_deleted_the_instance_node_of_its_process() {
    let stage = Stage::new().await;
    stage.put(&Key::Cursor(1), &String::from_utf8(claim(1_000, None).to_bytes()).unwrap()).await;
    stage.delete(&Key::Instance(InstanceId::from_wire(B))).await;
    let view = stage.view().await;
    assert_eq!((view.instances.len(), view.items[1].running, view.items[1].orphaned), (1, true, false));
}

#[tokio::test]
async fn an_instance_without_a_lease_is_javas() {
    let stage = Stage::new().await;
    stage.ephemeral(&Key::Instance(InstanceId::from_wire("10.0.0.3@-@9")), "").await;
    let kinds: Vec<_> = stage.view().await.instances.iter().map(|instance| instance.kind).collect();
    assert_eq!(kinds, [InstanceKind::Clockwright, InstanceKind::Clockwright, InstanceKind::Java]);
}

#[tokio::test]
async fn a_job_whose_servers_were_deleted_is_not_disabled() {
    let stage = Stage::new().await;
    for key in [Key::Server("10.0.0.1".into()), Key::Server("10.0.0.2".into()), Key::Servers] {
        stage.delete(&key).await;
    }
    assert_eq!(stage.brief().await.status, JobStatus::Ok);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_shows_why_its_item_stands_still() {
    let stage = Stage::new().await;
    stage.put(&Key::Cursor(1), "{spoilt").await;
    let item = stage.view().await.items.remove(1);
    assert_eq!(item.held.as_ref().map(|held| &*held.code), Some("cursor_unreadable"), "{item:?}");
}

#[tokio::test]
async fn settings_by_which_no_instance_could_run_degrade_the_job() {
    let stage = Stage::new().await;
    let good = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
    for (strategy, parameters, field) in
        [("NO_SUCH", "", "jobShardingStrategyType"), ("", "x", "shardingItemParameters")]
    {
        let bad = JobSettings {
            sharding_strategy: strategy.into(),
            sharding_item_parameters: parameters.into(),
            ..good.clone()
        };
        stage.set(&Key::Config, &v2::write(&bad)).await;
        let brief = stage.brief().await;
        assert_eq!(brief.status, JobStatus::Degraded, "{field}");
        assert!(brief.reason.unwrap().starts_with(field));
    }
}

#[tokio::test]
async fn a_running_node_of_a_java_peer_counts_as_running() {
    let stage = Stage::new().await;
    stage.ephemeral(&Key::Running(0), "").await;
    stage.ephemeral(&Key::Taken(2), B).await;
    let view = stage.view().await;
    assert!(view.items[0].running);
    assert_eq!(view.items[2].taken_by.as_deref(), Some(B));
}

#[tokio::test]
async fn an_unknown_job_is_answered_with_the_nearest_name() {
    let stage = Stage::new().await;
    let error = job(&*stage.session, &stage.keys, "myJbo", 0).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no job `myJbo` in /ns; did you mean `myJob`?");
    let error = job(&*stage.session, &stage.keys, "a/b", 0).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no job `a/b` in /ns");
}

#[tokio::test]
async fn a_child_without_a_config_is_no_job_and_an_empty_namespace_has_none() {
    let stage = Stage::new().await;
    stage.commit(vec![Op::create(stage.keys.root().join("leftover"), "")]).await;
    assert_eq!(stage.brief().await.job_name, "myJob");
    let elsewhere = Keys::new("elsewhere").unwrap();
    assert_eq!(jobs(&*stage.session, &elsewhere).await.unwrap(), []);
}

#[tokio::test]
async fn the_dump_is_what_elastic_jobs_monitor_port_writes() {
    let stage = Stage::new().await;
    stage.set(&Key::Config, "{}").await;
    let expected = "\
/myJob/sharding | 
/myJob/sharding/2 | 
/myJob/sharding/2/instance | ip1@-@7
/myJob/sharding/1 | 
/myJob/sharding/1/instance | ip2@-@8
/myJob/sharding/0 | 
/myJob/sharding/0/instance | ip1@-@7
/myJob/servers | 
/myJob/servers/ip2 | 
/myJob/servers/ip1 | 
/myJob/leader | 
/myJob/leader/election | 
/myJob/leader/election/instance | ip1@-@7
/myJob/instances | 
/myJob/instances/ip2@-@8 | 
/myJob/instances/ip1@-@7 | 
/myJob/config | {}
";
    assert_eq!(dump(&*stage.session, &stage.keys, "myJob", true).await.unwrap(), expected);
    let plain = dump(&*stage.session, &stage.keys, "myJob", false).await.unwrap();
    assert!(plain.contains("/myJob/servers/10.0.0.2 | \n"));
}

#[tokio::test]
async fn a_picture_serializes_with_elastic_jobs_names() {
    let stage = Stage::new().await;
    let json = serde_json::to_value(stage.view().await).unwrap();
    assert_eq!((&json["jobName"], &json["status"]), (&"myJob".into(), &"OK".into()));
    assert_eq!(json["items"][0]["status"], "PENDING");
    stage.registry.expire(stage.session.terms().session);
}

#[tokio::test]
async fn a_job_of_3x_is_seen_like_any_other() {
    let stage = Stage::new().await;
    let mut settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "", 3);
    settings.description = "on demand".into();
    stage.set(&Key::Job, "com.example.OnDemand").await;
    stage.set(&Key::Config, &v3::write(&settings)).await;
    for id in [A, B].map(InstanceId::from_wire) {
        stage.set(&Key::Instance(id.clone()), &Layout::V3.instance(&id)).await;
    }
    for server in ["10.0.0.1", "10.0.0.2"] {
        stage.set(&Key::Server(server.into()), "ENABLED").await;
    }
    stage.put(&Key::Triggers, "").await;
    stage.put(&Key::Trigger(InstanceId::from_wire(B)), "").await;
    // One is behind its mark, the other one died.
    stage.put(&Key::Running(0), A).await;
    stage.put(&Key::Running(1), "10.0.0.3@-@9").await;
    let view = stage.view().await;
    assert_eq!((view.brief.status, view.layout.as_str(), view.next_fire), (JobStatus::Ok, "3.x", None));
    assert_eq!(view.settings["description"], "on demand");
    assert_eq!(view.instances.iter().map(|instance| instance.triggered).collect::<Vec<_>>(), [false, true]);
    assert_eq!(view.items.iter().map(|item| item.running).collect::<Vec<_>>(), [true, false, false]);
    stage.set(&Key::Server("10.0.0.2".into()), "").await;
    assert!(!stage.view().await.servers[1].enabled, "a blank server is not enabled in 3.x");
    stage.set(&Key::Server("10.0.0.1".into()), "DISABLED").await;
    assert_eq!(stage.brief().await.status, JobStatus::Disabled);
}

/// A picture whose items ended so at these instants; 0 is never.
fn ended(job: &JobView, outcomes: [(Millis, &'static str); 3]) -> JobView {
    let mut job = job.clone();
    for (item, (fire, outcome)) in job.items.iter_mut().zip(outcomes) {
        let last = LastRun {
            fire,
            trigger: None,
            source: "schedule",
            attempt: 1,
            run_id: String::new(),
            instance: A.into(),
            claimed_at: fire,
            outcome: Some(outcome),
            reason: String::new(),
        };
        item.last = (fire > 0).then_some(last);
    }
    job
}

#[tokio::test]
async fn a_job_is_failing_when_the_last_run_of_every_item_that_ever_ran_failed() {
    let job = Stage::new().await.view().await;
    let condition = |outcomes| ended(&job, outcomes).condition();
    assert_eq!(condition([(0, ""); 3]), Condition::Ok, "nothing has run");
    assert_eq!(condition([(5, "failed"), (5, "succeeded"), (0, "")]), Condition::Ok);
    let failing = ended(&job, [(5, "failed"), (4, "failed"), (0, "")]);
    assert_eq!(failing.condition(), Condition::Failing);
    assert_eq!(failing.fires_next(), failing.next_fire, "it goes on firing");
    let of = |status| {
        let mut job = failing.clone();
        job.brief.status = status;
        (job.condition().word(), job.fires_next().is_some())
    };
    assert_eq!(of(JobStatus::Crashed), ("no instances", false));
    assert_eq!(of(JobStatus::Disabled), ("DISABLED", false));
    assert_eq!(of(JobStatus::ShardingFlag), ("SHARDING_FLAG", true));
    let mut held = failing.clone();
    let why =
        HeldView { code: "".into(), reason: "its cursor was deleted".into(), settled: None, version: 0 };
    held.items[0].held = Some(why);
    assert_eq!(held.condition(), Condition::Held, "before what became of its other items");
}

#[tokio::test]
async fn the_last_outcome_of_a_job_is_that_of_its_newest_fire_and_a_failure_before_others() {
    let job = Stage::new().await.view().await;
    let last = |outcomes| {
        let job = ended(&job, outcomes);
        job.last_ended().map(|(item, last)| (item, last.outcome.unwrap()))
    };
    assert_eq!(last([(0, ""); 3]), None);
    assert_eq!(last([(5, "failed"), (6, "succeeded"), (0, "")]), Some((1, "succeeded")));
    assert_eq!(last([(6, "succeeded"), (6, "succeeded"), (6, "failed")]), Some((2, "failed")));
}

#[tokio::test]
async fn who_has_which_items_is_known_once_every_item_has_an_owner() {
    let stage = Stage::new().await;
    let job = stage.view().await;
    assert_eq!(job.sharing(), Some([(A, vec![0, 2]), (B, vec![1])].into()));
    stage.set(&Key::Owner(1), "").await;
    assert_eq!(stage.view().await.sharing(), None);
}

#[tokio::test]
async fn a_server_is_counted_over_all_jobs() {
    let stage = Stage::new().await;
    let other = Stage { job: JobName::new("other").unwrap(), ..stage };
    let settings = JobSettings::new(other.job.clone(), JobKind::Simple, "0 0 12 * * ?", 1);
    other.put(&Key::Job, "").await;
    other.put(&Key::Config, &v2::write(&settings)).await;
    other.put(&Key::Servers, "").await;
    other.put(&Key::Server("10.0.0.2".into()), "DISABLED").await;
    let server = |ip: &str, instance_count, job_count, disabled_job_count| ServerBrief {
        ip: ip.into(),
        instance_count,
        job_count,
        disabled_job_count,
    };
    assert_eq!(
        servers(&*other.session, &other.keys).await,
        Ok(vec![server("10.0.0.1", 1, 1, 0), server("10.0.0.2", 1, 2, 1)])
    );
}

#[tokio::test]
async fn an_instance_without_a_lease_is_javas_in_the_job_and_in_the_namespace() {
    let stage = Stage::new().await;
    let count = async |job| java_instances(&*stage.session, &stage.keys, job).await;
    assert_eq!(count(Some("myJob")).await, Ok(0));
    stage.commit(vec![Op::delete(stage.keys.lease(&InstanceId::from_wire(B)))]).await;
    assert_eq!((count(Some("myJob")).await, count(None).await), (Ok(1), Ok(1)));
    assert_eq!(count(Some("another")).await, Ok(0));
}
