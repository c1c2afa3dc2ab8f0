//! Looking back from the command line: outcomes, attempts, ledgers and counts, with every filter, and page by page.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_events::{EventStore, Loss, Sink, testing};
use clockwright_model::{
    Event, Execution, ExecutionSource, FailureKind, Fire, InstanceId, JobName, Language, Outcome, Reason,
    RunId, Settlement, Source,
};
use clockwright_testkit::sql::{Kind, shared};
use common::{Place, ticks};
use serde_json::Value;

/// 2023-11-14 22:13:20 UTC.
const T: i64 = 1_700_000_000_000;

fn settled(job: &str, item: u32, second: i64, outcome: Outcome) -> Settlement {
    let time = T + second * 1_000;
    Settlement {
        job: JobName::new(job).unwrap(),
        item,
        fire: Fire::Scheduled(time),
        outcome,
        run_id: Some(RunId::new(time, u128::from(item))),
        start: Some(time + 1),
        at: time + 2,
        ..testing::settlement(0)
    }
}

fn failure(reason: &str) -> Outcome {
    Outcome::Failed { kind: FailureKind::Job, reason: reason.into() }
}

/// What the tests below look at.
fn events() -> Vec<Event> {
    let elsewhere = InstanceId::from_wire("10.0.0.2@-@9");
    let mut settlements: Vec<Settlement> =
        (0..25).map(|second| settled("many's", 0, second, Outcome::Succeeded)).collect();
    settlements.extend([
        settled("a", 0, 100, Outcome::Succeeded),
        Settlement {
            source: Source::Failover,
            instance: elsewhere,
            ..settled("a", 1, 110, Outcome::Succeeded)
        },
        settled("a", 0, 120, failure("Disk FULL: 100%_of it\nand more")),
        Settlement {
            range: Some((T + 130_000, 11)),
            run_id: None,
            start: None,
            attempt: 0,
            ..settled("a", 0, 140, Outcome::Missed { reason: "no instance was running".into() })
        },
    ]);
    let run = |n: u64, ip: &str| Execution {
        id: RunId::new(T + 1_000 * n as i64, u128::from(n)),
        ip: ip.into(),
        task_id: format!("j@-@0@-@READY@-@{ip}@-@7").into(),
        item: n as u32,
        start: T + 1_000 * n as i64,
        ..testing::execution(0)
    };
    let ended = |n, ip| Execution { complete: Some(T + 1_000 * n as i64 + 40), success: true, ..run(n, ip) };
    let failed =
        Execution { success: false, failure_cause: Some("exit code 3".into()), ..ended(2, "10.0.0.1") };
    let takeover = Execution { source: ExecutionSource::Failover, ..ended(3, "10.0.0.2") };
    settlements
        .into_iter()
        .map(Event::Settlement)
        .chain([ended(1, "10.0.0.1"), failed, takeover, run(4, "10.0.0.1")].map(Event::Execution))
        .collect()
}

async fn store(store: &EventStore) {
    store.store(&events()).await.unwrap();
    let loss = Loss {
        id: RunId::new(T, 1),
        from: T,
        to: T + 1,
        statuses: 4,
        executions: 3,
        settlements: 2,
        failures: 1,
        reason: "the spool was full".into(),
    };
    store.record_loss(&loss).await.unwrap();
    store.close().await;
}

/// A folder with the events in its `events.db`.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path().join(".clockwright")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        store(&EventStore::open(place.path().join(".clockwright/events.db")).await.unwrap()).await;
    });
    place
}

#[track_caller]
fn json(place: &Place, args: &[&str]) -> Vec<Value> {
    let answer = place.run(&[args, &["-o", "json"]].concat());
    assert_eq!(answer.code, 0, "{args:?}: {answer:?}");
    serde_json::from_str(&answer.out).unwrap()
}

/// The fire times of the rows in seconds after the first.
#[track_caller]
fn fires(place: &Place, args: &[&str]) -> Vec<i64> {
    let rows = json(place, &[&["run", "list", "-n", "1000"], args].concat());
    rows.iter().map(|row| (row["fireTime"].as_i64().unwrap() - T) / 1_000).collect()
}

#[test]
fn outcomes_are_filtered_by_everything_they_are_told_apart_by() {
    let place = place();
    for (args, expected) in [
        (vec!["a"], vec![140, 120, 110, 100]),
        (vec!["A"], vec![]),
        (vec!["a", "--item", "1"], vec![110]),
        (vec!["--instance", "10.0.0.2@-@9"], vec![110]),
        (vec!["--outcome", "failed", "--outcome", "missed"], vec![140, 120]),
        (vec!["--source", "failover"], vec![110]),
        (vec!["a", "--from", "2023-11-14T22:15:10Z", "--to", "2023-11-14T22:15:20.001Z"], vec![120, 110]),
        (vec!["--text", "disk full"], vec![120]),
        (vec!["--text", "100%_"], vec![120]),
        (vec!["--text", "NO INSTANCE", "--outcome", "missed"], vec![140]),
        (vec!["--text", "' OR 1=1 --"], vec![]),
        (vec!["x' OR 'a'='a"], vec![]),
        (vec!["--from", "1h"], vec![]),
    ] {
        assert_eq!(fires(&place, &args), expected, "{args:?}");
    }
    let table = place.run(&["run", "list", "a"]).out;
    assert!(table.contains("and 10 before") && table.contains("Disk FULL: 100%_of it"), "{table}");
    assert!(!table.contains("and more"), "a reason is one line in a table: {table}");
}

#[test]
fn pages_are_gone_through_by_the_cursor_that_each_ends_with() {
    let place = place();
    let whole = fires(&place, &[]);
    assert_eq!(whole.len(), 29);
    // From row to row as a program does, from page to page as a person does.
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["run", "list", "-n", "7"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let rows = json(&place, &args);
        seen.extend(rows.iter().map(|row| (row["fireTime"].as_i64().unwrap() - T) / 1_000));
        let talk = place.run(&args).talk;
        let Some(last) = rows.last().filter(|_| talk.contains("go on with --after")) else { break };
        after = Some(last["cursor"].as_str().unwrap().to_owned());
        // What is printed can be pasted into a shell, whatever the job's name.
        let quoted = talk.split("--after ").nth(1).unwrap().trim();
        let shell = place.command("sh").arg("-c").arg(format!("printf %s {quoted}")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), after.as_deref().unwrap());
    }
    assert_eq!(seen, whole);
    let bad = place.run(&["run", "list", "--after", "17"]);
    assert!(bad.code == 2 && bad.talk.contains("is not a page cursor"), "{bad:?}");
}

#[test]
fn attempts_are_listed_and_shown_whoever_ran_them() {
    let place = place();
    let items = |args: &[&str]| -> Vec<u64> {
        let rows = json(&place, &[&["run", "list", "--attempts"], args].concat());
        rows.iter().map(|row| row["item"].as_u64().unwrap()).collect()
    };
    for (args, expected) in [
        (vec![], vec![4, 3, 2, 1]),
        (vec!["--state", "running"], vec![4]),
        (vec!["--state", "succeeded"], vec![3, 1]),
        (vec!["--state", "failed"], vec![2]),
        (vec!["j", "--item", "2"], vec![2]),
        (vec!["--instance", "10.0.0.2@-@7"], vec![3]),
        (vec!["--source", "FAILOVER"], vec![3]),
        (vec!["--text", "EXIT code"], vec![2]),
        (vec!["--from", "2023-11-14T22:13:22Z", "--to", "2023-11-14T22:13:24Z"], vec![3, 2]),
    ] {
        assert_eq!(items(&args), expected, "{args:?}");
    }
    let table = place.run(&["run", "list", "--attempts"]).out;
    assert!(table.contains("running") && table.contains("exit code 3"), "{table}");
    let first = json(&place, &["run", "list", "--attempts", "-n", "2"]);
    let after = first[1]["cursor"].as_str().unwrap();
    assert_eq!(items(&["-n", "2", "--after", after]), [2, 1]);
    // An attempt that decided nothing has no outcome, and is there all the same.
    let run = place.run(&["run", "get", first[0]["id"].as_str().unwrap()]);
    assert!(run.code == 0 && run.out.contains("running") && run.out.contains("10.0.0.1"), "{run:?}");
    for args in [
        vec!["run", "list", "--state", "running"],
        vec!["run", "list", "--attempts", "--outcome", "failed"],
        vec!["run", "list", "--source", "FAILOVER"],
        vec!["run", "list", "--attempts", "--source", "failover"],
        vec!["run", "list", "--from", "soon"],
    ] {
        assert_eq!(place.run(&args).code, 2, "{args:?}");
    }
}

#[test]
fn counts_come_by_minute_hour_and_day() {
    let place = place();
    let span = ["--from", "2023-11-14", "--to", "2023-11-16"];
    let rows = |args: &[&str]| json(&place, &[&["stats"], args, &span].concat());
    let day = rows(&["--by", "day"]);
    assert_eq!(day.len(), 1, "{day:?}");
    let counts = ["succeeded", "failed", "missed", "skipped"].map(|word| day[0][word].as_u64().unwrap());
    assert_eq!(counts, [27, 1, 11, 0]);
    assert_eq!(rows(&["a", "--by", "hour"])[0]["missed"], 11);
    let minutes = rows(&["--by", "minute"]);
    assert_eq!(minutes.iter().map(|row| row["succeeded"].as_u64().unwrap()).sum::<u64>(), 27);
    assert!(minutes.len() > 1);
    assert!(rows(&["' OR 1=1 --"]).is_empty());
    let table = place.run(&[&["stats", "--by", "day"], &span[..]].concat());
    assert!(table.out.contains("SUCCEEDED") && table.out.contains("all "), "{table:?}");
    assert!(table.talk.contains("not on record: 4 status traces"), "what was lost is said: {table:?}");
    assert_eq!(place.run(&["stats", "a", "--by", "minute"]).code, 2);
    assert_eq!(place.run(&["stats", "--from", "2023-11-16", "--to", "2023-11-14"]).code, 2);
}

#[test]
fn a_ledger_of_what_is_on_record_needs_no_registry_and_can_be_gone_through_in_parts() {
    let place = place();
    let ledger =
        ["ledger", "a", "--recorded", "--from", "2023-11-14T22:13:00Z", "--to", "2023-11-14T22:20:00Z"];
    let entries = json(&place, &ledger);
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["succeeded", "succeeded", "failed", "missed"]);
    assert_eq!((&entries[3]["count"], &entries[3]["from"]), (&11.into(), &(T + 130_000).into()));
    let table = place.run(&ledger).out;
    assert!(table.contains("(11 instants)") && table.contains("no instance was running"), "{table}");
    let part = place.run(&[&ledger[..], &["-n", "2"]].concat());
    assert!(part.talk.contains("go on with --from 2023-11-14T22:15:20Z"), "{part:?}");
    assert_eq!(part.out.lines().count(), 3, "{part:?}");
    // The registry, which would know what was due, is not there.
    assert_eq!(place.run(&["ledger", "a"]).code, 3);
}

#[test]
fn every_question_is_answered_from_a_database_too() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let address = runtime.block_on(async {
            let address = shared(kind).database().await.unwrap();
            store(&EventStore::connect(&address).await.unwrap()).await;
            address
        });
        let place = Place::new();
        let events = ["--events", &address];
        assert_eq!(fires(&place, &[&["a", "--text", "disk"], &events[..]].concat()), [120]);
        assert_eq!(json(&place, &[&["run", "list", "--attempts"], &events[..]].concat()).len(), 4);
        let span = ["--from", "2023-11-14", "--to", "2023-11-16"];
        assert_eq!(
            json(&place, &[&["stats", "--by", "day"], &events[..], &span[..]].concat())[0]["missed"],
            11
        );
        assert_eq!(json(&place, &[&["ledger", "a", "--recorded"], &events[..], &span[..]].concat()).len(), 4);
    }
}

#[test]
fn reasons_are_told_in_the_language_and_outcomes_of_the_namespace_that_are_asked_for() {
    let place = Place::new();
    std::fs::create_dir(place.path().join(".clockwright")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failed = |namespace: &str, second| Settlement {
        namespace: namespace.into(),
        ..settled(
            "a",
            0,
            second,
            Outcome::Failed { kind: FailureKind::Job, reason: Reason::ExitCode { code: 3 } },
        )
    };
    runtime.block_on(async {
        let store = EventStore::open(place.path().join(".clockwright/events.db")).await.unwrap();
        store.store(&[failed("n", 0), failed("m", 1)].map(Event::Settlement)).await.unwrap();
        store.close().await;
    });
    assert_eq!(fires(&place, &["a"]), [1, 0]);
    assert_eq!(fires(&place, &["a", "--namespace", "n"]), [0]);
    assert_eq!(fires(&place, &["a", "--registry", "embedded:x/m"]), [1]);
    let ledger = ["ledger", "a", "--recorded", "--from", "2023-11-14", "--to", "2023-11-16"];
    assert_eq!(json(&place, &[&ledger[..], &["--namespace", "m"]].concat()).len(), 1);
    let counted = json(&place, &["stats", "--namespace", "m", "--by", "day", "--from", "2023-11-14"]);
    assert_eq!(counted[0]["failed"], 1);
    let chinese = Reason::ExitCode { code: 3 }.in_language(Language::Chinese);
    for command in [&["run", "list"][..], &ledger] {
        let with = |lang: &str| place.run(&[command, &["--lang", lang]].concat()).out;
        assert!(with("zh").contains(&chinese), "{command:?}: {}", with("zh"));
        assert!(with("en").contains("exit code 3"), "{command:?}: {}", with("en"));
    }
    // Programs get what is stored.
    assert_eq!(json(&place, &["run", "list", "--lang", "zh"])[0]["reason"], "exit code 3");
}

#[test]
fn a_ledger_names_every_due_instant_and_those_without_an_outcome() {
    let place = Place::new();
    place.write("jobs.yaml", &ticks(2));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1"]);
    let ledger = ["ledger", "tick", "--from", "10m"];
    place.until(&["run", "list", "tick"], |rows| rows.as_array().unwrap().len() > 5);
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    // Nobody runs it any more, so soon there is an instant without an outcome, after those that have one.
    let open = |entries: &[Value], item: u64, reason: &str| {
        entries
            .iter()
            .any(|entry| entry["outcome"].is_null() && entry["item"] == item && entry["reason"] == reason)
    };
    let entries = place.until(&ledger, |entries| {
        (0..2).all(|item| open(entries.as_array().unwrap(), item, "no outcome yet"))
    });
    let entries = entries.as_array().unwrap();
    for item in 0..2 {
        let own: Vec<&Value> =
            entries.iter().filter(|entry| entry["item"] == item && entry["trigger"].is_null()).collect();
        // One after the other, each second once, without a hole and without an overlap.
        for pair in own.windows(2) {
            let (end, next) = (pair[0]["to"].as_i64().unwrap(), pair[1]["from"].as_i64().unwrap());
            assert_eq!(next - end, 1_000, "{pair:?}");
        }
        for entry in &own {
            let span = entry["to"].as_i64().unwrap() - entry["from"].as_i64().unwrap();
            assert_eq!(entry["count"].as_i64().unwrap(), span / 1_000 + 1, "{entry}");
        }
        assert!(own.iter().filter(|entry| entry["outcome"] == "succeeded").count() > 2);
    }
    let said = place.run(&ledger);
    assert!(said.out.contains("none yet"), "{said:?}");
    let (sum, terms) = said.talk.lines().find_map(|line| line.split_once(" due = ")).unwrap();
    let terms: Vec<(u64, &str)> = terms
        .split(" + ")
        .map(|term| term.split_once(' ').map(|(count, word)| (count.parse().unwrap(), word)).unwrap())
        .collect();
    assert_eq!(terms.iter().map(|(count, _)| count).sum::<u64>(), sum.parse::<u64>().unwrap(), "{said:?}");
    assert!(terms.iter().any(|(_, word)| *word == "succeeded"), "{said:?}");
    // The job is younger than the span: that is said, and no instant before its first one is called a gap.
    assert!(entries[0]["outcome"] == "succeeded", "{entries:?}");
    assert!(said.talk.contains("the record of `tick` begins at"), "{said:?}");
    let kinds = |rows: &[Value]| rows.iter().map(|row| row["kind"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&json(&place, &["job", "history", "tick"])), ["left", "joined"]);
    assert!(place.run(&["job", "history", "tick", "--lang", "zh"]).out.contains("离开"));
    let one = json(&place, &["ledger", "tick", "--from", "10m", "--item", "1"]);
    assert!(!one.is_empty() && one.iter().all(|entry| entry["item"] == 1));
    let unknown = place.run(&["ledger", "tock"]);
    assert!(unknown.code == 1 && unknown.talk.contains("did you mean `tick`?"), "{unknown:?}");
}

#[test]
fn what_is_sampled_leaves_its_outcomes_and_no_attempts() {
    let place = Place::new();
    place.write("jobs.yaml", &ticks(2));
    let options =
        ["--sample", "tick=4000000000", "--keep", "7d", "--keep-job", "tick=1d", "--keep-rows", "1000"];
    let mut dev = place.start(&[&["dev", "-f", "jobs.yaml", "--instances", "1"], &options[..]].concat());
    place.until(&["run", "list", "tick"], |rows| rows.as_array().unwrap().len() > 3);
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    assert!(json(&place, &["run", "list", "--attempts"]).is_empty());
    for bad in [["--sample", "tick=0"], ["--sample", "x"], ["--keep-job", "tick"], ["--keep", "long"]] {
        let answer = place.run(&[&["dev", "-f", "jobs.yaml"], &bad[..]].concat());
        assert_eq!(answer.code, 2, "{bad:?}: {answer:?}");
    }
}
