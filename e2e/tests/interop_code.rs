//! Jobs that are code of each kind's own program: dataflow jobs, and listeners that are called once for a fire of the whole
//! job, on Java Elastic-Job 2.1.5 and Clockwright together.
//!
//! As `interop`, these run by `make test-interop` only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;

use clockwright_e2e::harness::{eventually, now};
use clockwright_e2e::record::{Kind, Record};
use stage::{Instance, JOB, PATIENCE, Setup, Stage, Work, all};

const ITEMS: u32 = 6;

/// Streams go on until an instance comes or goes, then each item streams on with its new owner, one stream at a time.
fn stream(order: &str) {
    let name = format!("stream-{}", order.to_lowercase());
    let work = Work::Stream { batches: -1 };
    let stage = Stage::new(&name, Setup { items: ITEMS, run_ms: 100, work, ..Setup::default() });
    let mut instances = stage.all_of(order);
    streams_at_its_owner(&stage, &instances);
    for kind in ['C', 'J'] {
        instances.push(stage.start(kind, &format!("{kind}-late")));
        streams_at_its_owner(&stage, &instances);
    }
    // One of the other kind than the leader dies in the middle of its streams.
    let victim = instances.remove(1);
    let killed = victim.pid();
    victim.kill();
    streams_at_its_owner(&stage, &instances);

    stage.console("update", &["--job", JOB, "--streaming", "false"]);
    let everybody: Vec<&Instance> = instances.iter().collect();
    let span = stage.fires(5);
    stage.ran_once(span, &all(ITEMS), &everybody);
    stage.never_two_at_once(&[killed]);
    // Java looks at its misfire marks again only when the job streams again.
    stage.left_only(ITEMS, &["/misfire"]);
    stage.java_says_ok();
    instances.into_iter().for_each(Instance::stop);
    stage.left_only(ITEMS, &["/misfire"]);
}

/// The plan is exact, and each item is processed again and again by its owner.
#[track_caller]
fn streams_at_its_owner(stage: &Stage, instances: &[Instance]) {
    stage.planned(&instances.iter().collect::<Vec<_>>(), ITEMS);
    let since = now();
    let owners = stage.owners(ITEMS);
    let streams = |records: &[Record], item: u32| {
        let mine =
            |record: &&Record| record.kind == Kind::Start && record.item == item && record.wall_ms >= since;
        let starts: Vec<_> = records.iter().filter(mine).collect();
        let last: Vec<_> = starts.iter().rev().take(5).collect();
        // More of them than there are fires: the stream goes on within one.
        last.len() == 5
            && last.iter().all(|start| start.instance == owners[item as usize])
            && last[0].wall_ms - last[4].wall_ms < stage.setup.period
    };
    eventually(PATIENCE, &format!("every item streams at its owner: {owners:?}"), || {
        let records = stage.scene.records();
        (0..ITEMS).all(|item| streams(&records, item))
    });
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn streams_follow_the_plan_under_a_java_leader() {
    stream("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn streams_follow_the_plan_under_a_clockwright_leader() {
    stream("CJ");
}

/// What the listeners of both kinds noted: whether before or after, and when.
fn notes(stage: &Stage) -> Vec<(String, i64)> {
    let text = std::fs::read_to_string(stage.notes()).unwrap_or_default();
    let line = |line: &str| {
        let note: serde_json::Value = serde_json::from_str(line).unwrap();
        (note["kind"].as_str().unwrap().to_owned(), note["wall_ms"].as_i64().unwrap())
    };
    text.lines().map(line).collect()
}

/// Waits until a few fires in a row are whole. A fire that falls into the coming of the instances may have an item that comes by itself: whoever has
/// the others waits for it as long as the listeners' deadline says, before the runs or after them, and makes up for what passed meanwhile.
#[track_caller]
fn comes_to_rest(stage: &Stage) {
    let period = stage.setup.period;
    eventually(2 * PATIENCE, "what the coming of the instances upset is over", || {
        let last = now() / period * period - period;
        stage.faults((last - 2 * period, last), &all(ITEMS)).is_empty()
    });
}

/// A listener of both kinds is called once before all items of a fire, and once after all of them, by whichever comes last.
/// There is one Java instance: two that come last together may both call theirs, also without Clockwright.
fn once_a_fire(order: &str) {
    let name = format!("once-{}", order.to_lowercase());
    let setup = Setup { items: ITEMS, period: 3_000, once: 20_000, work: Work::Simple, ..Setup::default() };
    let stage = Stage::new(&name, setup);
    let instances = stage.all_of(order);
    let everybody: Vec<&Instance> = instances.iter().collect();
    comes_to_rest(&stage);
    let span = stage.fires(15);
    stage.ran_once(span, &all(ITEMS), &everybody);
    let (period, notes) = (stage.setup.period, notes(&stage));
    let records = stage.scene.records();
    for instant in (span.0..=span.1).step_by(usize::try_from(period).unwrap()) {
        let within = |at: i64| (instant..instant + period).contains(&at);
        let noted = |kind: &str| {
            let mine = notes.iter().filter(|(noted, at)| noted == kind && within(*at));
            mine.map(|(_, at)| *at).collect::<Vec<_>>()
        };
        let (before, after) = (noted("before"), noted("after"));
        assert_eq!((before.len(), after.len()), (1, 1), "at {instant}: {before:?} {after:?}");
        let times = |kind: Kind| {
            let mine = records.iter().filter(move |record| record.kind == kind && within(record.wall_ms));
            mine.map(|record| record.wall_ms)
        };
        assert!(before[0] <= times(Kind::Start).min().unwrap(), "at {instant}, before all starts");
        assert!(after[0] >= times(Kind::End).max().unwrap(), "at {instant}, after all ends");
    }
    stage.never_two_at_once(&[]);
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
    instances.into_iter().for_each(Instance::stop);
    stage.left_nothing(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn listeners_of_both_kinds_are_called_once_a_fire_under_a_java_leader() {
    once_a_fire("JCC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn listeners_of_both_kinds_are_called_once_a_fire_under_a_clockwright_leader() {
    once_a_fire("CJC");
}
