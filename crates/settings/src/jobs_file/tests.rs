#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn parse(file: &str, text: &str) -> Result<Vec<JobSettings>, JobsFileError> {
    super::parse(file, text, &Options::default()).map(|file| file.jobs)
}

fn read(path: &Path) -> Result<Vec<JobSettings>, JobsFileError> {
    super::read(path, &Options::default()).map(|file| file.jobs)
}
use clockwright_model::{ErrorHandler, JobKind, Misfire};

fn problems(text: &str) -> Vec<String> {
    parse("jobs.yaml", text).unwrap_err().to_string().lines().map(ToOwned::to_owned).collect()
}

fn only(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

/// A job with one more line of settings.
fn job(extra: &str) -> String {
    format!(
        "jobs:\n  a:\n    elasticJobType: SCRIPT\n    cron: 0 0 12 * * ?\n    props: {{script.command.line: echo}}\n    {extra}\n"
    )
}

#[test]
fn an_elastic_job_spring_boot_file_works() {
    let text = r"
spring: {application: {name: x}}
elasticjob:
  regCenter: {serverLists: localhost:2181, namespace: jobs}
  jobs:
    scriptJob:
      elasticJobType: SCRIPT
      cron: 0/10 * * * * ?
      timeZone: GMT+08:00
      sharding-total-count: 3
      shardingItemParameters: 0=Beijing,1=Shanghai,2=Guangzhou
      jobErrorHandlerType: IGNORE
      misfire: false
      props: {script.command.line: 'echo SCRIPT Job: '}
    httpJob:
      elasticJobType: HTTP
      cron: 0/5 * * * * ?
      props:
        http.uri: http://localhost:8080/execute
        http.method: POST
";
    let jobs = parse("application.yml", text).unwrap();
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[0].kind, JobKind::Script { command_line: "echo SCRIPT Job: ".into() });
    assert_eq!((jobs[0].sharding_total_count, jobs[0].misfire), (3, Misfire::Skip));
    assert_eq!(
        (jobs[0].time_zone.as_deref(), jobs[0].error_handler),
        (Some("GMT+08:00"), ErrorHandler::Ignore)
    );
    assert_eq!((&jobs[1].kind, jobs[1].sharding_total_count), (&JobKind::Http, 1));
}

#[test]
fn our_own_keys_are_read() {
    let text = "jobs: {a: {elasticJobType: SCRIPT, every: 1m30s, misfire: fire_all, misfireCap: 5, misfireWindow: 2h, \
                timeout: 10m, exclusive: best_effort, retry: {maxAttempts: 3, backoff: 2s}, props: {script.command.line: x}}}";
    let job = parse("f", text).unwrap().remove(0);
    assert_eq!(job.cron, "@every 1m30s");
    assert_eq!(job.misfire, Misfire::FireAll { cap: 5, window: 7_200_000 });
    assert_eq!((job.timeout, job.retry.max_attempts, job.retry.backoff), (Some(600_000), 3, 2_000));
}

#[test]
fn texts_keep_the_form_they_are_written_in() {
    let jobs = parse("f", &job("jobParameter: 007.10")).unwrap();
    assert_eq!(jobs[0].job_parameter, "007.10");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert_eq!(
        only(&job("shardingTotlaCount: 3")),
        "jobs.yaml:6: job `a`: `shardingTotlaCount` is not a known key; did you mean `shardingTotalCount`?"
    );
    assert!(only("job: {}").contains("did you mean `jobs`?"));
    assert!(only(&job("retry: {maxAttempt: 3}")).contains("did you mean `maxAttempts`?"));
}

#[test]
fn a_bad_value_is_named_with_its_key_and_line() {
    for (extra, start) in [
        ("timeZone: Europe/Atlantis", "jobs.yaml:6: job `a`: timeZone: "),
        (
            "shardingTotalCount: 0",
            "jobs.yaml:6: job `a`: shardingTotalCount: is 0; it is a number from 1 to 100000",
        ),
        ("shardingTotalCount: many", "jobs.yaml:6: job `a`: shardingTotalCount: is `many`"),
        ("shardingTotalCount: [3]", "jobs.yaml:6: job `a`: shardingTotalCount: is a list"),
        ("shardingItemParameters: 0=a,x=b", "jobs.yaml:6: job `a`: shardingItemParameters: `x=b`"),
        ("failover: yes please", "jobs.yaml:6: job `a`: failover: is `yes please`; it is true or false"),
        ("misfire: perhaps", "jobs.yaml:6: job `a`: misfire: is `perhaps`; it is one of "),
        ("timeout: 30", "jobs.yaml:6: job `a`: timeout: `30` is not a duration"),
        ("misfireCap: 3", "jobs.yaml:6: job `a`: misfireCap: only means something"),
        ("jobShardingStrategyType: BEST", "jobs.yaml:6: job `a`: jobShardingStrategyType: `BEST`"),
        ("every: 5s", "jobs.yaml:6: job `a`: every: cannot be used together with cron"),
        ("failover: true\n    failover: false", "jobs.yaml:7: job `a`: failover: is already given on line 6"),
        ("staticSharding: perhaps", "jobs.yaml:6: job `a`: staticSharding: is `perhaps`"),
    ] {
        let found = only(&job(extra));
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn an_empty_cron_makes_a_one_off_job_and_a_missing_one_is_a_mistake() {
    let file = |cron: &str| {
        format!(
            "jobs:\n  a:\n    elasticJobType: SCRIPT\n    cron: {cron}\n    props: {{script.command.line: echo}}\n"
        )
    };
    assert_eq!(parse("jobs.yaml", &file("''")).unwrap()[0].cron, "");
    assert_eq!(
        only(&file("")),
        "jobs.yaml:4: job `a`: cron: has no value; `''` makes a one-off job of Elastic-Job 3.x"
    );
}

#[test]
fn a_bad_cron_is_named_by_the_key_that_holds_it() {
    let cron = "jobs: {a: {elasticJobType: HTTP, cron: 0 61 * * * ?, props: {http.uri: 'http://localhost/', http.method: GET}}}";
    assert!(only(cron).starts_with("jobs.yaml:1: job `a`: cron: "), "{}", only(cron));
    let unix = "jobs: {a: {elasticJobType: HTTP, unixCron: 0 0 1 * 1, props: {http.uri: 'http://localhost/', http.method: GET}}}";
    assert!(only(unix).contains("unixCron: it restricts"), "{}", only(unix));
    let once = "jobs: {a: {elasticJobType: HTTP, once: tomorrow, props: {http.uri: 'http://localhost/', http.method: GET}}}";
    assert!(only(once).contains("job `a`: once: "), "{}", only(once));
}

#[test]
fn what_is_missing_is_named() {
    assert!(only("jobs: {a: {elasticJobType: SCRIPT, cron: 0 0 12 * * ?}}").contains("script.command.line"));
    assert!(only("jobs: {a: {elasticJobType: HTTP, cron: 0 0 12 * * ?}}").contains("http.uri"));
    assert!(
        only("jobs: {a: {elasticJobType: HTTP, props: {http.uri: 'http://localhost/', http.method: GET}}}")
            .contains("cron: is missing")
    );
    assert!(only("jobs: {a: {cron: 0 0 12 * * ?}}").contains("elasticJobType: is missing"));
    assert!(only("jobs: {}").contains("has no job"));
    assert!(only("").contains("has no jobs"));
    assert!(only("- a").contains("the file is a list"));
}

#[test]
fn names_that_are_taken_or_would_break_paths_are_refused() {
    let body = "{elasticJobType: SCRIPT, every: 5s, props: {script.command.line: x}}";
    let twice = problems(&format!("jobs:\n  a: {body}\n  a: {body}\n"));
    assert_eq!(twice, ["jobs.yaml:3: job `a`: a job of this name is already on line 2; names are unique"]);
    assert!(only(&format!("jobs: {{a/b: {body}}}")).contains("must not contain `/`"));
    assert!(only(&format!("jobs: {{a@-@b: {body}}}")).contains("must not contain `@-@`"));
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    let text = "jobs:\n  a/b: {elasticJobType: SCRIPT, every: 5s, props: {script.command.line: x}}\n  b:\n    cron: nonsense\n    \
                elasticJobType: FOO\n    shardingTotalCount: 0\n  c: 5\n";
    let found = problems(text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("a/b") && found[1].contains("elasticJobType") && found[3].contains("job `c`"));
}

#[test]
fn a_file_that_is_too_long_is_refused_without_being_read_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(10 << 20).unwrap();
    let error = read(file.path()).unwrap_err().to_string();
    assert!(error.contains("longer than 4 MiB"), "{error}");
    let missing = read(Path::new("/no/such/jobs.yaml")).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/jobs.yaml: cannot be read: "), "{missing}");
}

#[test]
fn an_alias_bomb_is_a_problem_of_its_line() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for i in 1..10 {
        text.push_str(&format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(",")));
    }
    assert!(only(&text).contains("aliases written out"));
}

#[test]
fn defaults_can_be_shared_by_an_anchor() {
    let text = "
jobs:
  a: &defaults {elasticJobType: SCRIPT, every: 5s, shardingTotalCount: 4, props: {script.command.line: x}}
  b: {<<: *defaults, shardingTotalCount: 2}
";
    let jobs = parse("f", text).unwrap();
    assert_eq!((jobs[0].sharding_total_count, jobs[1].sharding_total_count), (4, 2));
}
