#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use clockwright_api::text::Name;
use clockwright_model::{JobKind, JobName};
use clockwright_settings::jobs_file::{Options, parse, write};

fn ask(flags: &str) -> PlanAsk {
    let has = |flag: &str| flags.split(' ').any(|given| given == flag);
    PlanAsk {
        source: Name::new("git").unwrap(),
        prune: has("prune"),
        force: has("force"),
        take_over: has("takeOver"),
        adopt: has("adopt"),
    }
}

fn settings(cron: &str) -> JobSettings {
    let mut job = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, cron, 2);
    job.class = "com.example.Job".into();
    job
}

const OLD: &str = "0 0 1 * * ?";
const NEW: &str = "0 0 2 * * ?";

fn row(managed: Managed, source: &str) -> JobRow {
    JobRow {
        id: 1,
        project: 1,
        mode: "elastic".into(),
        name: "a".into(),
        version: 4,
        state: JobState::Online,
        managed,
        source: source.into(),
        diverged: false,
        kind: "SIMPLE".into(),
        timing: crate::store::Timing::new(OLD, ""),
        items: 2,
        title: String::new(),
        tags: "".into(),
        owner: "".into(),
        digest: String::new(),
        run_min: 0,
        run_max: 0,
        changed: 0,
        changed_by: "".into(),
    }
}

/// What is to be done with these flags, and the code of what stands against it.
fn done(flags: &str, job: &JobRow, is: &str, file: &str) -> (Do, Option<&'static str>) {
    let there = settings(is);
    let here = Here::Managed { job, settings: &there };
    told(&with_file(&ask(flags), here, Layout::V2, &settings(file)))
}

fn told(decision: &Decision) -> (Do, Option<&'static str>) {
    (decision.what, decision.conflict.as_ref().map(|conflict| conflict.code().name()))
}

#[test]
fn a_job_that_is_nowhere_is_made() {
    let decision = with_file(&ask(""), Here::Nowhere, Layout::V2, &settings(OLD));
    assert_eq!(told(&decision), (Do::Create, None));
    assert!(decision.writes());
}

#[test]
fn a_job_of_this_source_is_brought_up_to_date() {
    let job = row(Managed::Files, "git");
    assert_eq!(done("", &job, OLD, NEW), (Do::Update, None));
    assert_eq!(done("", &job, OLD, OLD), (Do::Unchanged, None));
    assert_eq!(done("takeOver", &job, OLD, OLD), (Do::Unchanged, None), "it is taken over already");
}

#[test]
fn what_was_changed_by_hand_is_replaced_by_force_alone() {
    let job = JobRow { diverged: true, ..row(Managed::Files, "git") };
    assert_eq!(done("", &job, OLD, NEW), (Do::Conflict, Some("diverged")));
    assert_eq!(done("takeOver adopt prune", &job, OLD, NEW), (Do::Conflict, Some("diverged")));
    assert_eq!(done("force", &job, OLD, NEW), (Do::Update, None));
}

#[test]
fn a_file_that_says_what_was_done_by_hand_agrees_with_it_again() {
    let job = JobRow { diverged: true, ..row(Managed::Files, "git") };
    let there = settings(OLD);
    let here = Here::Managed { job: &job, settings: &there };
    let decision = with_file(&ask(""), here, Layout::V2, &settings(OLD));
    assert_eq!(told(&decision), (Do::Unchanged, None));
    assert!(decision.agrees && decision.writes());
    let plain = with_file(
        &ask(""),
        Here::Managed { job: &row(Managed::Files, "git"), settings: &there },
        Layout::V2,
        &settings(OLD),
    );
    assert!(!plain.agrees && !plain.writes());
}

#[test]
fn a_job_of_this_source_that_no_file_has_is_orphaned_and_removed_with_prune_alone() {
    let job = row(Managed::Files, "git");
    let what = |flags: &str, job: &JobRow| without_file(&ask(flags), job).map(|decision| decision.what);
    assert_eq!(what("", &job), Some(Do::Orphaned));
    assert_eq!(what("force takeOver adopt", &job), Some(Do::Orphaned));
    assert_eq!(what("prune", &job), Some(Do::Remove));
    assert_eq!(what("prune", &JobRow { state: JobState::Removing, ..job }), None, "it goes already");
}

#[test]
fn a_job_of_another_source_is_taken_over_or_left() {
    let job = row(Managed::Files, "other");
    assert_eq!(done("force adopt", &job, OLD, NEW), (Do::Conflict, Some("owned-by")));
    assert_eq!(done("takeOver", &job, OLD, NEW), (Do::Update, None));
    assert_eq!(done("takeOver", &job, OLD, OLD), (Do::Update, None), "whose it is changes");
    assert_eq!(done("", &job, OLD, OLD), (Do::Unchanged, None));
    assert_eq!(without_file(&ask("prune"), &job), None);
}

#[test]
fn a_job_that_is_defined_here_is_taken_over_or_left() {
    let job = row(Managed::Console, "");
    assert_eq!(done("force adopt", &job, OLD, NEW), (Do::Conflict, Some("managed-by-console")));
    assert_eq!(done("takeOver", &job, OLD, NEW), (Do::Update, None));
    assert_eq!(done("takeOver", &job, OLD, OLD), (Do::Update, None), "whose it is changes");
    assert_eq!(done("", &job, OLD, OLD), (Do::Unchanged, None));
    assert_eq!(without_file(&ask("prune"), &job), None);
}

#[test]
fn a_job_that_only_the_registry_has_is_adopted_when_that_is_asked() {
    let there = settings(OLD);
    let of = |flags: &str, here| told(&with_file(&ask(flags), here, Layout::V2, &settings(NEW)));
    assert_eq!(
        of("force takeOver", Here::Registry(Ok(&there))),
        (Do::Conflict, Some("job-exists-in-registry"))
    );
    assert_eq!(of("adopt", Here::Registry(Ok(&there))), (Do::Adopt, None));
    assert_eq!(of("adopt", Here::Registry(Err("cut"))), (Do::Conflict, Some("job-exists-in-registry")));
    let decision = with_file(&ask("adopt"), Here::Registry(Ok(&there)), Layout::V2, &settings(NEW));
    assert_eq!(decision.diff.len(), 1, "what is updated after it is adopted");
}

#[test]
fn a_job_that_is_being_removed_stands_against_its_file() {
    let job = JobRow { state: JobState::Removing, ..row(Managed::Files, "git") };
    assert_eq!(done("force takeOver", &job, OLD, NEW), (Do::Conflict, Some("job-removing")));
}

#[test]
fn a_file_puts_no_job_online() {
    let job = JobRow { state: JobState::Offline, ..row(Managed::Files, "git") };
    let mut there = settings(OLD);
    there.disabled = true;
    let here = Here::Managed { job: &job, settings: &there };
    assert_eq!(told(&with_file(&ask(""), here, Layout::V2, &settings(OLD))), (Do::Unchanged, None));
    let decision = with_file(&ask(""), here, Layout::V2, &settings(NEW));
    assert_eq!(decision.what, Do::Update);
    assert!(decision.settings.unwrap().disabled);
    let online = row(Managed::Files, "git");
    let here = Here::Managed { job: &online, settings: &there };
    let decision = with_file(&ask(""), here, Layout::V2, &settings(OLD));
    assert_eq!(decision.what, Do::Update, "of a job that is online it is a setting as any other");
}

#[test]
fn a_layout_that_has_no_such_job_stands_against_it() {
    let once = |layout| told(&with_file(&ask(""), Here::Nowhere, layout, &settings("")));
    assert_eq!(once(Layout::V2), (Do::Conflict, Some("layout-cannot")));
    assert_eq!(once(Layout::V3), (Do::Create, None));
}

#[test]
fn the_export_of_what_is_there_changes_nothing_whoever_defines_it_and_whatever_it_is() {
    let kinds = [
        (Managed::Files, "git", false),
        (Managed::Files, "git", true),
        (Managed::Files, "other", false),
        (Managed::Console, "", false),
    ];
    for seed in 0..400u32 {
        let there = any(seed);
        let text = write([&there]);
        let file = parse("f", &text, &Options { code: true, ..Options::default() }).unwrap();
        for (managed, source, diverged) in kinds {
            let state = if seed.is_multiple_of(3) { JobState::Offline } else { JobState::Online };
            let job = JobRow { diverged, state, ..row(managed, source) };
            let mut wished = there.clone();
            wished.disabled = state == JobState::Offline;
            let here = Here::Managed { job: &job, settings: &wished };
            let decision = with_file(&ask("prune force adopt"), here, Layout::V3, &file.jobs[0]);
            assert_eq!((decision.what, &decision.diff[..]), (Do::Unchanged, &[][..]), "{text}");
        }
    }
}

/// Settings made of a number, each one another way.
fn any(seed: u32) -> JobSettings {
    let bit = |place: u32| seed >> place & 1 == 1;
    let crons = [OLD, "@every 90s", "@once 2030-01-01T00:00:00Z", "0 0 3 L * ?", ""];
    let mut job = settings(crons[seed as usize % crons.len()]);
    job.kind = if bit(0) { JobKind::Simple } else { JobKind::Dataflow { streaming: bit(1) } };
    job.sharding_total_count = 1 + seed % 7;
    job.failover = bit(2);
    job.monitor_execution = bit(3);
    job.time_zone = bit(4).then(|| "Asia/Shanghai".to_owned());
    job.description = ["", "a: b", "null", "${x}", "日报\n"][seed as usize / 5 % 5].into();
    job.timeout = bit(5).then_some(90_000);
    job.retry.max_attempts = 1 + seed % 3;
    job.misfire = match seed % 3 {
        0 => clockwright_model::Misfire::Skip,
        1 => clockwright_model::Misfire::FireAll { cap: 5, window: 60_000 },
        _ => job.misfire,
    };
    if bit(6) {
        job.props.insert("key".into(), "$${value} 'x'".into());
    }
    job
}
