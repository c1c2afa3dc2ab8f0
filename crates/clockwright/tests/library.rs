//! The library as a program uses it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright::model::JobName;
use clockwright::{AddError, Events, Job, Registry, RemoveError, Scheduler, SchedulerOptions, Supervisor};
use clockwright_events::{Page, Query as _, Retention, RunFilter, SqliteStore};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::view;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_triggered_job_runs_each_item_once_and_leaves_its_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory("jobs").unwrap();
    let (ran, mut items) = mpsc::unbounded_channel();
    let job = Job::simple("parts", "0 0 0 1 1 ? 2099", move |context| {
        ran.send((context.item, context.sharding_parameter.clone())).unwrap();
        async { Ok::<(), String>(()) }
    });
    let job = job.sharding(3).item_parameters("0=a,1=b,2=c");
    let options = SchedulerOptions::default().events(Events::Folder(folder.path().into()));
    let scheduler = Scheduler::start_with(&registry, vec![job], options).await.unwrap();
    let session = registry.session().await.unwrap();
    let mut hints = session.watch(registry.keys().root()).await.unwrap();
    while view::jobs(&*session, registry.keys()).await.unwrap().iter().all(|job| job.instance_count == 0) {
        tokio::time::timeout(PATIENCE, hints.recv()).await.unwrap().unwrap();
    }
    assert!(!Admin::new(&*session, registry.keys()).trigger("parts", None).await.unwrap().repeated);
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let (item, parameter) = tokio::time::timeout(PATIENCE, items.recv()).await.unwrap().unwrap();
        seen.insert((item, parameter.unwrap().to_string()));
    }
    assert_eq!(seen, [(0, "a".into()), (1, "b".into()), (2, "c".into())].into());
    scheduler.shutdown().await;
    let store = SqliteStore::open_read_only(folder.path().join("events.db")).await.unwrap();
    let runs = store.runs(&RunFilter::default(), &Page::first(100)).await.unwrap();
    let outcomes: BTreeSet<_> =
        runs.rows.iter().map(|row| (row.item, row.outcome.as_str(), row.attempt)).collect();
    assert_eq!(outcomes, (0..3).map(|item| (item, "succeeded", 1)).collect());
    assert!(items.recv().await.is_none(), "nothing ran twice, and the job's code is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sees_and_steers_jobs() {
    use clockwright::fleet::admin::{AdminError, Answer};
    use clockwright::fleet::view::JobStatus;
    let registry = Registry::in_memory("jobs").unwrap();
    let (ran, mut items) = mpsc::unbounded_channel();
    let job = Job::simple("parts", "0 0 0 1 1 ? 2099", move |context| {
        ran.send(context.item).unwrap();
        async { Ok::<(), String>(()) }
    });
    let scheduler = Scheduler::start(&registry, vec![job.sharding(2)]).await.unwrap();
    while !scheduler.status().await.iter().all(|job| job.items == [0, 1]) {
        tokio::task::yield_now().await;
    }
    let parts = registry.job("parts").by("ann");
    assert_eq!(registry.jobs().await.unwrap()[0].status, JobStatus::Ok);

    parts.drain("the warehouse is closed", PATIENCE).await.unwrap();
    let note = parts.get().await.unwrap().paused.unwrap();
    assert_eq!(note.describe(), "paused by ann: the warehouse is closed");
    let told = parts.trigger().await.unwrap();
    assert!(told.items.iter().all(|item| item.answer == Answer::Paused));
    while parts.get().await.unwrap().instances.iter().any(|instance| instance.triggered) {
        tokio::task::yield_now().await;
    }
    parts.resume().await.unwrap();

    let seen = parts.get().await.unwrap().settings_version;
    parts.update(Some(seen), |settings| settings.description = "in two".into()).await.unwrap();
    let late = parts.update(Some(seen), |settings| settings.description = "late".into()).await;
    assert!(matches!(late, Err(AdminError::Changed { .. })), "{late:?}");

    parts.set(&[("retry.maxAttempts", "3"), ("failover", "true")]).await.unwrap();
    let settings = parts.get().await.unwrap().settings;
    assert_eq!(
        (&settings["failover"], &settings["clockwright"]["retryMaxAttempts"]),
        (&true.into(), &3.into())
    );
    let error = parts.set(&[("description", "kept"), ("failvoer", "true")]).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `failover`?"), "{error}");

    let first = parts.trigger_once("nightly").await.unwrap();
    let again = parts.trigger_once("nightly").await.unwrap();
    assert_eq!((first.repeated, again.repeated, &again.fire), (false, true, &first.fire));
    let mut fired = BTreeSet::new();
    while fired.len() < 2 {
        fired.insert(tokio::time::timeout(PATIENCE, items.recv()).await.unwrap().unwrap());
    }
    let served = parts.remove().await.unwrap_err();
    assert!(matches!(served, AdminError::StillServed { .. }), "{served}");
    let error = registry.job("part").get().await.unwrap_err().to_string();
    assert!(error.contains("did you mean `parts`?"), "{error}");
    scheduler.shutdown().await;
    parts.remove().await.unwrap();
    assert_eq!(registry.jobs().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_tells_when_its_jobs_are_registered_and_which_items_it_owns() {
    let registry = Registry::in_memory("jobs").unwrap();
    let job = |name| Job::simple(name, "0 0 0 1 1 ? 2099", |_| async { Ok::<(), String>(()) }).sharding(3);
    let scheduler = Scheduler::start(&registry, vec![job("second"), job("first")]).await.unwrap();
    let complete = async {
        loop {
            let status = scheduler.status().await;
            if status.iter().all(|job| job.registered && job.items == [0, 1, 2]) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    let status = tokio::time::timeout(PATIENCE, complete).await.unwrap();
    assert_eq!(status.iter().map(|job| job.job.as_str()).collect::<Vec<_>>(), ["second", "first"]);
    assert!(status.iter().all(|job| job.leader && job.degraded.is_none() && job.running.is_empty()));
    scheduler.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_come_and_go_while_a_scheduler_runs() {
    let registry = Registry::in_memory("jobs").unwrap();
    let (ran, mut runs) = mpsc::unbounded_channel();
    let end = Arc::new(Notify::new());
    let job = |name: &'static str, words: &'static str| {
        let (ran, end) = (ran.clone(), end.clone());
        Job::cancellable(name, "0 0 0 1 1 ? 2099", move |_, cancel| {
            ran.send(words).unwrap();
            let end = end.clone();
            async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = end.notified() => {}
                }
                Ok::<(), String>(())
            }
        })
    };
    let scheduler = Scheduler::start(&registry, vec![job("first", "one")]).await.unwrap();
    let served = async |name: &str| {
        let all = async {
            loop {
                if let Some(job) = scheduler.status().await.into_iter().find(|job| job.job.as_str() == name)
                    && (job.registered && job.items == [0] || job.leaving)
                {
                    return job;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap()
    };
    served("first").await;
    scheduler.add(job("second", "two")).await.unwrap();
    served("second").await;
    registry.job("second").trigger().await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, runs.recv()).await.unwrap(), Some("two"));

    assert_eq!(
        scheduler.add(job("first", "other")).await,
        Err(AddError::Taken(JobName::new("first").unwrap()))
    );
    let unusable = job("bad", "").sharding(0).time_zone("Nowhere/Else");
    let Err(AddError::Settings { problems, .. }) = scheduler.add(unusable).await else { panic!("taken") };
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["shardingTotalCount", "timeZone"], "all that is wrong is said");
    assert_eq!(scheduler.remove("third").await, Err(RemoveError::NotServed("third".into())));

    // Its run may go on; meanwhile its name is taken, and whoever else removes it waits too.
    let (removed, again, ()) = tokio::join!(scheduler.remove("second"), scheduler.remove("second"), async {
        assert!(served("second").await.leaving);
        let early = scheduler.add(job("second", "early")).await;
        assert_eq!(early, Err(AddError::Leaving(JobName::new("second").unwrap())));
        end.notify_one();
    });
    assert_eq!((removed, again), (Ok(()), Ok(())));
    let seen = registry.job("second").get().await.unwrap();
    assert!(seen.instances.is_empty(), "it was left, and is there all the same: {seen:?}");
    assert_eq!(scheduler.status().await.len(), 1);

    scheduler.add(job("second", "anew")).await.unwrap();
    served("second").await;
    registry.job("second").trigger().await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, runs.recv()).await.unwrap(), Some("anew"));
    scheduler.hurry()();
    assert_eq!(scheduler.add(job("late", "")).await, Err(AddError::ShuttingDown));
}

#[tokio::test]
async fn a_job_that_cannot_be_used_is_named_and_nothing_starts() {
    let registry = Registry::in_memory("jobs").unwrap();
    let good = || Job::simple("good", "0 0 0 1 1 ? 2099", |_| async { Ok::<(), String>(()) });
    for (jobs, words) in [
        (vec![good(), Job::script("bad/name", "0 0 12 * * ?", "true")], "bad/name"),
        (vec![good().sharding(0)], "shardingTotalCount"),
        (vec![good(), good()], "good"),
        (vec![Job::script("empty", "0 0 12 * * ?", " ")], "script.command.line"),
        (vec![Job::simple("odd", "every day", |_| async { Ok::<(), String>(()) })], "odd"),
        #[cfg(feature = "http")]
        (vec![Job::http("web", "0 0 12 * * ?", "GET", "not an address")], "web"),
    ] {
        let Err(error) = Scheduler::start(&registry, jobs).await else { panic!("{words} was taken") };
        assert!(error.to_string().contains(words), "{error}");
    }
    let session = registry.session().await.unwrap();
    assert_eq!(session.list(registry.keys().root()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_program_that_does_not_become_a_supervisor_when_asked_is_refused_its_script_jobs() {
    // The `main` of a test is no `main` of ours, so it stands for one that does not begin as it should.
    let registry = Registry::in_memory("jobs").unwrap();
    let own = std::env::current_exe().unwrap();
    let by_path = Supervisor { program: own, args: vec!["exec-task".into()] };
    for job in [
        Job::script("s", "0 0 12 * * ?", "true"),
        Job::script("s", "0 0 12 * * ?", "true").supervisor(by_path),
    ] {
        let Err(error) = Scheduler::start(&registry, vec![job]).await else { panic!("it was taken") };
        assert!(error.to_string().contains("clockwright::exec_task_if_asked()"), "{error}");
    }
    let other = Supervisor { program: "/usr/bin/clockwright".into(), args: vec!["exec-task".into()] };
    let job = Job::script("s", "0 0 0 1 1 ? 2099", "true").supervisor(other);
    Scheduler::start(&registry, vec![job]).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn what_can_be_neither_stored_nor_kept_is_counted_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory("jobs").unwrap();
    let (ran, mut runs) = tokio::sync::mpsc::unbounded_channel();
    let job = Job::simple("often", "* * * * * ?", move |_| {
        let _ = ran.send(());
        async { Ok::<(), String>(()) }
    });
    let options = SchedulerOptions::default().events(Events::Folder(folder.path().into()));
    let scheduler = Scheduler::start_with(&registry, vec![job], options).await.unwrap();
    // Neither the file nor the spool can be written from here on.
    std::fs::remove_dir_all(folder.path().join("spool")).unwrap();
    std::fs::remove_file(folder.path().join("events.db")).unwrap();
    std::fs::create_dir(folder.path().join("events.db")).unwrap();
    tokio::time::timeout(PATIENCE, runs.recv()).await.unwrap().unwrap();
    assert!(scheduler.shutdown().await.events_lost > 0);
}

#[tokio::test]
async fn tokens_go_on_growing_when_only_the_history_remembers_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let mut greatest = 0;
    for _ in 0..2 {
        // Each time a registry that counts from the beginning.
        let registry = Registry::in_memory("jobs").unwrap();
        let (ran, mut runs) = tokio::sync::mpsc::unbounded_channel();
        let job = Job::simple("often", "* * * * * ?", move |context| {
            let _ = ran.send(context.token);
            async { Ok::<(), String>(()) }
        });
        let options = SchedulerOptions::default().events(Events::Folder(folder.path().into()));
        let scheduler = Scheduler::start_with(&registry, vec![job], options).await.unwrap();
        let token = tokio::time::timeout(PATIENCE, runs.recv()).await.unwrap().unwrap();
        assert!(token > greatest, "{token} after {greatest}");
        assert_eq!(scheduler.shutdown().await.events_lost, 0);
        greatest = token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_waits_for_a_command_that_just_looks_into_an_embedded_registry_which_nobody_serves() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("registry")).unwrap();
    let address =
        clockwright::registry::Address::parse(&format!("embedded:{}/jobs", folder.path().display())).unwrap();
    let looks = Registry::open(&address, None).await.unwrap();
    let starts = tokio::spawn(async move { Registry::open_or_serve(&address, None).await });
    assert!(tokio::time::timeout(Duration::from_millis(200), looks.session()).await.unwrap().is_ok());
    assert!(!starts.is_finished());
    drop(looks);
    tokio::time::timeout(PATIENCE, starts).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_is_refused_to_a_second_process_and_free_as_soon_as_the_first_has_closed_it() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there, which is no reason not to start.
    let address = "postgres://nobody@127.0.0.1:1/nothing";
    let open = || clockwright::scheduler::database(address, folder.path(), Retention::default());
    let held = open().await.unwrap();
    let error = open().await.err().unwrap().to_string();
    assert!(error.contains("another process uses it"), "{error}");
    held.close().await;
    open().await.unwrap();
}
