#![allow(clippy::unwrap_used, reason = "tests")]

use super::remove::batches;
use super::*;
use crate::config::{v2, v3};
use crate::cursor::{Claim, Cursor};
use crate::testing;
use crate::view::InstanceKind;
use clockwright_model::{Fire, JobKind, RunId, Source};
use clockwright_registry::{
    Commit, CommitFuture, ConnectOptions, Embedded, EmbeddedSession, Op, SharedRegistry,
};
use clockwright_testkit::faulty::{Fault, Faulty};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const A: &str = "10.0.0.1@-@7";
const B: &str = "10.0.0.2@-@8";

struct Stage {
    session: Arc<EmbeddedSession>,
    keys: Keys,
    job: JobName,
}

impl Stage {
    async fn new() -> Self {
        let session = Embedded::in_memory().connect(ConnectOptions::default()).unwrap();
        let stage = Self { session, keys: Keys::new("ns").unwrap(), job: JobName::new("myJob").unwrap() };
        let settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
        testing::register(&*stage.session, &stage.keys, &settings).await;
        for (key, data) in [
            (Key::Leader, ""),
            (Key::Sharding, ""),
            (Key::Epoch, "the leader"),
            (Key::Items, ""),
            (Key::Item(0), ""),
            (Key::Owner(0), A),
            (Key::Item(1), ""),
            (Key::Owner(1), B),
            (Key::Item(2), ""),
            (Key::Owner(2), A),
        ] {
            stage.put(Op::create(stage.path(&key), data)).await;
        }
        for parent in [stage.keys.own_root().clone(), stage.keys.leases()] {
            stage.put(Op::create(parent, "")).await;
        }
        for id in [A, B].map(InstanceId::from_wire) {
            stage.put(Op::create_ephemeral(stage.path(&Key::Instance(id.clone())), "")).await;
            stage.put(Op::create_ephemeral(stage.keys.lease(&id), "")).await;
        }
        stage
    }

    async fn put(&self, op: Op) {
        self.session.commit(vec![op]).await.unwrap();
    }

    async fn epoch(&self) -> i32 {
        self.session.read(&[self.path(&Key::Epoch)]).await.unwrap().remove(0).unwrap().stat.version
    }

    /// The cursor of an item that its owner runs.
    async fn claim(&self, item: Item, owner: &str) {
        let claim = Claim {
            fire: Fire::Scheduled(1_000),
            attempt: 1,
            run_id: RunId::new(1_000, 1),
            owner: InstanceId::from_wire(owner),
            session: self.session.terms().session,
            source: Source::Schedule,
            at: 1_000,
            token: 0,
            outcome: None,
        };
        let cursor = Cursor { run: Some(Box::new(claim)), ..Cursor::starting(1_000, 0, None) };
        self.put(Op::create(self.path(&Key::Cursor(item)), cursor.to_bytes())).await;
    }

    fn path(&self, key: &Key) -> Path {
        self.keys.of(&self.job, key)
    }

    fn admin(&self) -> Admin<'_> {
        Admin::new(&*self.session, &self.keys)
    }

    async fn data(&self, key: &Key) -> Option<String> {
        let node = self.session.read(&[self.path(key)]).await.unwrap().remove(0)?;
        Some(String::from_utf8(node.data.to_vec()).unwrap())
    }

    async fn instance(&self, id: &str) -> Option<String> {
        self.data(&Key::Instance(InstanceId::from_wire(id))).await
    }
}

const fn did(changed: usize, unchanged: usize) -> Done {
    Done { changed, unchanged }
}

fn answers(triggered: &Triggered) -> Vec<Answer> {
    triggered.items.iter().map(|item| item.answer).collect()
}

#[tokio::test]
async fn a_trigger_reaches_each_live_instance_once() {
    let stage = Stage::new().await;
    let first = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(stage.instance(A).await.as_deref(), Some("TRIGGER"));
    assert_eq!(stage.instance(B).await.as_deref(), Some("TRIGGER"));
    assert_eq!(answers(&first), [Answer::Starts; 3]);
    let second = stage.admin().trigger("myJob", None).await.unwrap();
    assert!(second.instances.iter().all(|instance| instance.asked == Asked::Before));
    assert_eq!(second.fire, first.fire, "what was asked before and has not begun is one fire");
    let third = stage.admin().trigger("myJob", Some("x")).await.unwrap();
    assert_eq!(third.fire, first.fire);
    assert_eq!(stage.admin().trigger("myJob", Some("x")).await.unwrap().fire, first.fire);
}

#[tokio::test]
async fn a_trigger_never_makes_an_instance() {
    let stage = Stage::new().await;
    stage.put(Op::delete(stage.path(&Key::Instance(InstanceId::from_wire(B))))).await;
    let triggered = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(triggered.instances.len(), 1);
    assert_eq!(answers(&triggered), [Answer::Starts, Answer::NoOwner, Answer::Starts]);
    assert_eq!(stage.instance(B).await, None);
    stage.put(Op::delete(stage.path(&Key::Instance(InstanceId::from_wire(A))))).await;
    let error = stage.admin().trigger("myJob", None).await.unwrap_err();
    assert_eq!(error.to_string(), "job `myJob` has no instance that could fire; start one");
}

#[tokio::test]
async fn a_trigger_whose_id_was_given_before_fires_nothing_and_names_the_first_fire() {
    let stage = Stage::new().await;
    let first = stage.admin().by("ann").trigger("myJob", Some("nightly-1")).await.unwrap();
    let reset = Op::set(stage.path(&Key::Instance(InstanceId::from_wire(A))), "");
    stage.put(reset).await;
    let second = stage.admin().by("bob").trigger("myJob", Some("nightly-1")).await.unwrap();
    assert_eq!((first.repeated, second.repeated), (false, true));
    assert_eq!(second.fire, first.fire);
    assert_eq!(stage.instance(A).await.as_deref(), Some(""), "it was not asked again");
    let error = stage.admin().trigger("myJob", Some("a/b")).await.unwrap_err();
    assert!(matches!(error, AdminError::BadId(_)), "{error}");
    let other = JobName::new("other").unwrap();
    let settings = JobSettings::new(other.clone(), JobKind::Simple, "0 0 12 * * ?", 1);
    stage.put(Op::create(stage.keys.job(&other), "")).await;
    stage.put(Op::create(stage.keys.of(&other, &Key::Config), v2::write(&settings))).await;
    let error = stage.admin().trigger("other", Some("nightly-1")).await.unwrap_err();
    assert_eq!(error.to_string(), "the id `nightly-1` was used before, for job `myJob`, by ann");
}

#[tokio::test]
async fn a_trigger_tells_of_each_item_what_it_will_do() {
    let stage = Stage::new().await;
    stage.claim(0, A).await;
    stage.put(Op::create(stage.path(&Key::Disabled(1)), "")).await;
    let triggered = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(answers(&triggered), [Answer::WhenFree, Answer::Disabled, Answer::Starts]);

    stage.admin().set_job_disabled("myJob", Some("10.0.0.1"), true).await.unwrap();
    let triggered = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(answers(&triggered), [Answer::KeptOff, Answer::Disabled, Answer::KeptOff]);

    stage.admin().by("ann").pause("myJob", "audit").await.unwrap();
    let triggered = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(answers(&triggered), [Answer::Paused; 3]);
    assert_eq!(triggered.paused.unwrap().describe(), "paused by ann: audit");
}

#[tokio::test]
async fn a_busy_java_instance_drops_a_trigger_and_knows_no_pause() {
    let stage = Stage::new().await;
    let java = InstanceId::from_wire("10.0.0.3@-@9");
    stage.put(Op::create_ephemeral(stage.path(&Key::Instance(java.clone())), "")).await;
    stage.put(Op::set(stage.path(&Key::Owner(1)), java.as_str().to_owned())).await;
    stage.put(Op::create_ephemeral(stage.path(&Key::Running(1)), "")).await;
    stage.admin().pause("myJob", "").await.unwrap();
    let triggered = stage.admin().trigger("myJob", None).await.unwrap();
    assert_eq!(answers(&triggered), [Answer::Paused, Answer::Dropped, Answer::Paused]);
}

#[tokio::test]
async fn whatever_stops_items_from_firing_bumps_the_plans_epoch_with_it() {
    let stage = Stage::new().await;
    let admin = stage.admin();
    admin.pause("myJob", "").await.unwrap();
    assert_eq!(stage.epoch().await, 1);
    admin.pause("myJob", "").await.unwrap();
    assert_eq!(stage.epoch().await, 1, "it was paused already");
    admin.set_item_disabled("myJob", 2, true).await.unwrap();
    assert_eq!(stage.epoch().await, 2);
    admin.set_job_disabled("myJob", Some("10.0.0.1"), true).await.unwrap();
    assert_eq!(stage.epoch().await, 3);
    assert_eq!(stage.data(&Key::Epoch).await.as_deref(), Some("the leader"), "what it says stays");
}

#[tokio::test]
async fn an_edit_of_settings_that_changed_since_they_were_seen_is_refused() {
    let stage = Stage::new().await;
    let admin = stage.admin();
    let seen = view::job(&*stage.session, &stage.keys, "myJob", 0).await.unwrap().settings_version;
    admin.update("myJob", None, |settings| settings.job_parameter = "theirs".into()).await.unwrap();
    let ours = |settings: &mut JobSettings| settings.job_parameter = "ours".into();
    let error = admin.update("myJob", Some(seen), ours).await.unwrap_err();
    assert_eq!(error, AdminError::Changed { job: stage.job.clone(), expected: 0, found: 1 });
    assert_eq!(admin.update("myJob", Some(1), ours).await, Ok(did(1, 0)));
}

#[tokio::test]
async fn a_job_is_disabled_on_one_server_or_on_all() {
    let stage = Stage::new().await;
    let server = |ip: &str| Key::Server(ip.into());
    assert_eq!(stage.admin().set_job_disabled("myJob", Some("10.0.0.1"), true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server("10.0.0.1")).await.as_deref(), Some("DISABLED"));
    assert_eq!(stage.data(&server("10.0.0.2")).await.as_deref(), Some(""));
    assert_eq!(stage.admin().set_job_disabled("myJob", None, true).await, Ok(did(1, 1)));
    assert_eq!(stage.admin().set_server_disabled("10.0.0.2", false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server("10.0.0.2")).await.as_deref(), Some(""));
    let error = stage.admin().set_job_disabled("myJob", Some("10.0.0.3"), true).await.unwrap_err();
    assert_eq!(error.to_string(), "job `myJob` has no server `10.0.0.3`; did you mean `10.0.0.1`?");
}

#[tokio::test]
async fn an_item_is_disabled_before_the_first_plan_too_and_enabled_again() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&Key::Disabled(2)).await.as_deref(), Some(""));
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, true).await, Ok(did(0, 1)));
    assert_eq!(stage.admin().set_item_disabled("myJob", 2, false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&Key::Disabled(2)).await, None);
    let error = stage.admin().set_item_disabled("myJob", 3, true).await.unwrap_err();
    assert_eq!(error.to_string(), "job `myJob` has no item 3; its items are 0 to 2");
}

#[tokio::test]
async fn a_pause_keeps_its_first_note_until_it_is_resumed() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().by("ann").pause("myJob", "why").await, Ok(did(1, 0)));
    assert_eq!(stage.admin().by("bob").pause("myJob", "why not").await, Ok(did(0, 1)));
    let note = PauseNote::read(stage.data(&Key::Paused).await.unwrap().as_bytes());
    assert_eq!((note.by.as_str(), note.reason.as_str(), note.at > 0), ("ann", "why", true));
    assert_eq!(stage.admin().resume("myJob").await, Ok(did(1, 0)));
    assert_eq!(stage.admin().resume("myJob").await, Ok(did(0, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_runs_and_says_what_still_does() {
    let stage = Stage::new().await;
    let running = stage.path(&Key::Running(1));
    stage.put(Op::create_ephemeral(running.clone(), "")).await;
    let error = stage.admin().drain("myJob", "", Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.to_string(), "after 3 s, item(s) 1 of job `myJob` still run; the job stays paused");
    assert!(stage.data(&Key::Paused).await.is_some());
    let session = Arc::clone(&stage.session);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        session.commit(vec![Op::delete(running)]).await.unwrap();
    });
    let started = Instant::now();
    assert_eq!(stage.admin().drain("myJob", "", Duration::from_secs(600)).await, Ok(did(0, 1)));
    assert!(started.elapsed() >= Duration::from_secs(60));
}

#[tokio::test]
async fn a_shutdown_deletes_the_nodes_of_the_instances_it_names() {
    let stage = Stage::new().await;
    assert_eq!(stage.admin().shutdown(Some("myJob"), Some("10.0.0.2")).await, Ok(did(1, 0)));
    assert_eq!((stage.instance(A).await.as_deref(), stage.instance(B).await), (Some(""), None));
    assert_eq!(stage.admin().shutdown(None, Some(A)).await, Ok(did(1, 0)));
    assert_eq!(stage.instance(A).await, None);
}

#[tokio::test]
async fn a_job_is_removed_whole_but_not_under_a_live_instance() {
    let stage = Stage::new().await;
    let error = stage.admin().remove("myJob").await.unwrap_err();
    assert!(matches!(&error, AdminError::StillServed { by, .. } if by.len() == 2), "{error}");
    stage.admin().shutdown(Some("myJob"), None).await.unwrap();
    assert_eq!(stage.admin().remove("myJob").await, Ok(did(16, 0)));
    assert_eq!(stage.session.list(stage.keys.root()).await, Ok(vec![]));
}

#[tokio::test]
async fn a_job_is_not_removed_under_a_run_whose_process_has_no_instance_node_any_more() {
    let stage = Stage::new().await;
    stage.claim(1, B).await;
    stage.admin().shutdown(Some("myJob"), None).await.unwrap();
    let error = stage.admin().remove("myJob").await.unwrap_err();
    let serving =
        Serving { instance: InstanceId::from_wire(B), kind: InstanceKind::Clockwright, items: vec![1] };
    assert_eq!(error, AdminError::StillServed { job: stage.job.clone(), by: vec![serving] });
    assert_eq!(
        error.to_string(),
        "job `myJob` is still served: 10.0.0.2@-@8 (Clockwright) runs item(s) 1; stop it first"
    );
    assert!(stage.data(&Key::Cursor(1)).await.is_some(), "its claim is still there");
    stage.put(Op::delete(stage.keys.lease(&InstanceId::from_wire(B)))).await;
    stage.admin().remove("myJob").await.unwrap();
}

#[test]
fn a_removal_is_cut_into_batches_within_the_limits() {
    let paths: Vec<Path> = (0..10).map(|i| Path::new(&format!("/a/{i}")).unwrap()).collect();
    let weight = Op::delete(paths[0].clone()).weight();
    assert_eq!(batches(paths.clone(), 4, 1_000_000).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(
        batches(paths.clone(), 100, 3 * weight).iter().map(Vec::len).collect::<Vec<_>>(),
        [3, 3, 3, 1]
    );
    let all: Vec<Path> = batches(paths.clone(), 3, 1).iter().flatten().map(|op| op.path().clone()).collect();
    assert_eq!(all, paths);
}

#[tokio::test]
async fn an_edit_is_checked_before_it_is_written() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.admin().update("myJob", None, |settings| settings.sharding_total_count = 5).await,
        Ok(did(1, 0))
    );
    let stored = v2::read(stage.data(&Key::Config).await.unwrap().as_bytes(), None).unwrap();
    assert_eq!(stored.sharding_total_count, 5);
    assert_eq!(
        stage.admin().update("myJob", None, |settings| settings.sharding_total_count = 5).await,
        Ok(did(0, 1))
    );
    let error =
        stage.admin().update("myJob", None, |settings| settings.cron = "nonsense".into()).await.unwrap_err();
    assert!(error.to_string().starts_with("the settings of job `myJob` cannot be used: cron: "), "{error}");
    let stored = v2::read(stage.data(&Key::Config).await.unwrap().as_bytes(), None).unwrap();
    assert_eq!(stored.cron, "0 0 12 * * ?");
}

/// The next commits lose their answers, after or before they took effect.
struct Lossy(Mutex<VecDeque<Loss>>);

#[derive(Clone, Copy)]
enum Loss {
    AfterEffect,
    BeforeEffect,
}

impl Fault for Lossy {
    fn commit(&self, inner: &SharedRegistry, ops: Vec<Op>) -> CommitFuture {
        let loss = self.0.lock().unwrap().pop_front();
        let lost = |_: Result<Commit, Error>| Err(Error::Unknown("the answer got lost".into()));
        match loss {
            None => inner.commit(ops),
            Some(Loss::BeforeEffect) => Box::pin(async move { lost(Err(Error::SessionLost)) }),
            Some(Loss::AfterEffect) => {
                let commit = inner.commit(ops);
                Box::pin(async move { lost(commit.await) })
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_and_nothing_is_done_twice() {
    use Loss::{AfterEffect, BeforeEffect};
    for losses in [
        vec![AfterEffect],
        vec![BeforeEffect],
        vec![BeforeEffect, AfterEffect],
        vec![AfterEffect, BeforeEffect],
    ] {
        let stage = Stage::new().await;
        let inner = Arc::clone(&stage.session) as SharedRegistry;
        let lossy: SharedRegistry = Arc::new(Faulty { inner, fault: Lossy(Mutex::new(losses.into())) });
        let admin = Admin::new(&*lossy, &stage.keys);
        assert!(!admin.trigger("myJob", None).await.unwrap().repeated);
        let node = stage
            .session
            .read(&[stage.path(&Key::Instance(InstanceId::from_wire(A)))])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(node.unwrap().stat.version, 1, "set once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_pause_or_a_resume_counts_once() {
    let stage = Stage::new().await;
    let losses = VecDeque::from([Loss::AfterEffect]);
    let inner = Arc::clone(&stage.session) as SharedRegistry;
    let lossy = Faulty { inner, fault: Lossy(Mutex::new(losses)) };
    let admin = Admin::new(&lossy, &stage.keys);
    assert_eq!(admin.pause("myJob", "").await, Ok(did(1, 0)));
    lossy.fault.0.lock().unwrap().push_back(Loss::AfterEffect);
    assert_eq!(admin.resume("myJob").await, Ok(did(1, 0)));
}

#[tokio::test]
async fn a_job_of_3x_is_steered_by_its_own_nodes() {
    let stage = Stage::new().await;
    let settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 12 * * ?", 3);
    let config = format!(
        "{}label: blue\n",
        v3::write(&settings).replace("jobName", "jobListenerTypes:\n- audit\njobName")
    );
    for (key, data) in
        [(Key::Job, "com.example.Job"), (Key::Config, &config), (Key::Server("10.0.0.2".into()), "ENABLED")]
    {
        stage.session.commit(vec![Op::set(stage.path(&key), data.to_owned())]).await.unwrap();
    }
    for id in [A, B].map(InstanceId::from_wire) {
        stage.put(Op::set(stage.path(&Key::Instance(id.clone())), Layout::V3.instance(&id))).await;
    }
    let asked = |triggered: Triggered| triggered.instances.iter().map(|one| one.asked).collect::<Vec<_>>();
    assert_eq!(asked(stage.admin().trigger("myJob", None).await.unwrap()), [Asked::Now; 2]);
    assert_eq!(asked(stage.admin().trigger("myJob", None).await.unwrap()), [Asked::Before; 2]);
    assert_eq!(stage.data(&Key::Trigger(InstanceId::from_wire(A))).await.as_deref(), Some(""));
    assert_ne!(stage.instance(A).await.as_deref(), Some("TRIGGER"), "the instance node is left alone");

    let server = Key::Server("10.0.0.1".into());
    assert_eq!(stage.admin().set_job_disabled("myJob", Some("10.0.0.1"), true).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server).await.as_deref(), Some("DISABLED"));
    assert_eq!(stage.admin().set_server_disabled("10.0.0.1", false).await, Ok(did(1, 0)));
    assert_eq!(stage.data(&server).await.as_deref(), Some("ENABLED"));

    assert_eq!(
        stage.admin().update("myJob", None, |settings| settings.cron = String::new()).await,
        Ok(did(1, 0))
    );
    let expected = config.replace("cron: 0 0 12 * * ?\n", "");
    assert_eq!(stage.data(&Key::Config).await, Some(expected), "only the changed key is touched");

    stage.admin().shutdown(Some("myJob"), None).await.unwrap();
    stage.admin().remove("myJob").await.unwrap();
    assert_eq!(stage.session.list(stage.keys.root()).await, Ok(vec![]));
}

#[tokio::test]
async fn a_job_of_2x_cannot_be_made_a_one_off_job() {
    let stage = Stage::new().await;
    let error =
        stage.admin().update("myJob", None, |settings| settings.cron = String::new()).await.unwrap_err();
    assert!(error.to_string().contains("cron: must not be empty"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_setting_is_set_by_its_key_and_one_that_the_layout_cannot_hold_is_refused_by_name() {
    let stage = Stage::new().await;
    let of = |key: &str, text: &str| {
        let setting = clockwright_settings::table::find(key).unwrap();
        (setting, setting.of_text(text).unwrap())
    };
    let attempts = [of("retry.maxAttempts", "3"), of("shardingTotalCount", "5")];
    assert_eq!(stage.admin().set("myJob", None, &attempts).await, Ok(did(1, 0)));
    assert_eq!(stage.admin().set("myJob", None, &attempts).await, Ok(did(0, 1)));
    let (settings, ..) = stage.admin().settings(&stage.job).await.unwrap();
    assert_eq!((settings.retry.max_attempts, settings.sharding_total_count), (3, 5));
    let capped = stage.admin().set("myJob", None, &[of("misfireCap", "7")]).await.unwrap_err();
    assert!(capped.to_string().contains("misfireCap: only means something with"), "{capped}");

    let config = v3::write(&settings);
    stage.put(Op::set_if(stage.path(&Key::Config), config, 1)).await;
    let kept = [of("misfire", "false"), of("timeZone", "GMT+8"), of("staticSharding", "true")];
    assert_eq!(stage.admin().set("myJob", None, &kept).await, Ok(did(1, 0)));
    for lost in [of("retry.maxAttempts", "1"), of("misfire", "fire_all"), of("timeZone", "Asia/Shanghai")] {
        let key = lost.0.key;
        let error = stage.admin().set("myJob", None, &[lost]).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{key}: has no place in a config of ElasticJob 3.x")), "{error}");
    }
}
