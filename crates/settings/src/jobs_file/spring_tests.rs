#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const SCRIPT: &str = "elasticJobType: SCRIPT, props: {script.command.line: echo}";

fn with(text: &str, profiles: &[&str], environment: Option<Environment<'_>>) -> JobsFile {
    let profiles: Vec<String> = profiles.iter().map(|name| (*name).to_owned()).collect();
    parse("application.yml", text, &Options { environment, profiles: &profiles, ..Options::default() })
        .unwrap()
}

fn notes(file: &JobsFile) -> Vec<String> {
    file.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn documents_are_one_file_in_which_later_ones_win_key_by_key() {
    let text = format!(
        "elasticjob:\n  jobs:\n    a: {{{SCRIPT}, cron: 0 0 1 * * ?, shardingTotalCount: 2}}\n---\nelasticjob:\n  jobs:\n    a: {{cron: 0 0 2 * * ?}}\n    b: {{{SCRIPT}, every: 5s}}\n"
    );
    let file = with(&text, &[], None);
    assert_eq!((file.jobs[0].cron.as_str(), file.jobs[0].sharding_total_count), ("0 0 2 * * ?", 2));
    assert_eq!(file.jobs[1].name.as_str(), "b");
}

#[test]
fn a_document_for_a_profile_counts_when_the_profile_is_on() {
    let text = |head: &str| {
        format!(
            "{head}elasticjob:\n  jobs:\n    a: {{{SCRIPT}, every: 5s}}\n---\nspring:\n  config:\n    activate:\n      on-profile: prod\nelasticjob:\n  jobs:\n    a: {{every: 9s}}\n---\nspring.profiles: '!prod'\nelasticjob.jobs.a.jobParameter: test\n"
        )
    };
    let off = with(&text(""), &[], None);
    assert_eq!((off.jobs[0].cron.as_str(), off.jobs[0].job_parameter.as_str()), ("@every 5s", "test"));
    assert_eq!(
        notes(&off),
        [
            ":5: this document is for the profile `prod`, which is not on: its jobs are left out; --profile turns profiles on"
        ]
    );
    let on = with(&text(""), &["prod"], None);
    assert_eq!((on.jobs[0].cron.as_str(), on.jobs[0].job_parameter.as_str()), ("@every 9s", ""));
    let by_file = with(&text("spring: {profiles: {active: prod}}\n"), &[], None);
    assert_eq!(by_file.jobs[0].cron, "@every 9s");
    let of_environment = |name: &str| (name == "SPRING_PROFILES_ACTIVE").then(|| "eu,prod".to_owned());
    assert_eq!(with(&text(""), &[], Some(&of_environment)).jobs[0].cron, "@every 9s");
}

#[test]
fn keys_may_be_dotted_nested_and_spelt_as_spring_takes_them() {
    let text = "
elasticjob.reg-center.server-lists: localhost:2181
elasticjob:
  jobs:
    '[com.acme.report]':
      elastic-job-type: script
      CRON: 0 0 12 * * ?
      sharding_total_count: 3
      props: {script: {command: {line: echo x}, env: {A: 1}}}
    com.acme.other:
      elasticJobType: SCRIPT
      every: 5s
      retry: {max-attempts: 2}
      props.script.command.line: echo y
elasticjob.jobs.third.elasticJobType: HTTP
elasticjob.jobs.third.every: 5s
elasticjob.jobs.third.props.http.uri: http://localhost/
elasticjob.jobs.third.props.http.method: GET
";
    let file = with(text, &[], None);
    let names: Vec<&str> = file.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["com.acme.report", "com.acme.other", "third"]);
    assert_eq!(file.jobs[0].kind, JobKind::Script { command_line: "echo x".into() });
    assert_eq!((file.jobs[0].sharding_total_count, file.jobs[0].props["script.env.A"].as_str()), (3, "1"));
    assert_eq!(file.jobs[1].retry.max_attempts, 2);
    assert_eq!(file.jobs[2].props["http.uri"], "http://localhost/");
}

#[test]
fn jobs_that_are_code_are_left_to_those_who_have_it_and_said() {
    let text = format!(
        "elasticjob:\n  jobs:\n    code:\n      elasticJobClass: com.acme.Report\n      jobListenerTypes: [audit]\n      jobBootstrapBeanName: report\n      cron: ${{report.cron}}\n    script: {{{SCRIPT}, every: 5s}}\n"
    );
    let file = with(&text, &[], None);
    assert_eq!(file.jobs.len(), 1);
    assert_eq!(
        notes(&file),
        [
            ":3: job `code`: is of the class com.acme.Report, which is code: it is left to the instances that have it"
        ]
    );
    let only = "elasticjob: {jobs: {code: {elasticJobType: SIMPLE, cron: 0 0 1 * * ?}}}";
    let error = parse("a.yml", only, &Options::default()).unwrap_err().to_string();
    assert!(
        error.starts_with("a.yml: has no job that can be run from a file: 1: job `code`: is a SIMPLE job"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_turned_off_says_so() {
    let text = |enabled: &str| {
        format!("elasticjob:\n  enabled: {enabled}\n  jobs:\n    a: {{{SCRIPT}, every: 5s}}\n")
    };
    assert!(!with(&text("false"), &[], None).enabled);
    assert!(with(&text("true"), &[], None).enabled);
    assert!(!with(&text("${JOBS_ON:false}"), &[], Some(&|_| None)).enabled);
    let error = parse("a.yml", &text("perhaps"), &Options::default()).unwrap_err().to_string();
    assert_eq!(error, "a.yml:2: elasticjob.enabled: is `perhaps`; it is true or false");
}

#[test]
fn placeholders_are_refused_by_name_unless_they_are_expanded() {
    let text = "jobs:\n  a:\n    elasticJobType: HTTP\n    cron: ${a.cron:0 0 1 * * ?}\n    props: {http.uri: 'http://${API_HOST}/', http.method: GET}\n";
    let error = parse("j.yml", text, &Options::default()).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "j.yml:4: job `a`: cron: `${a.cron:0 0 1 * * ?}` is a placeholder; --expand takes it from the environment, and `$${a.cron:0 0 1 * * ?}` is that text itself",
            "j.yml:5: job `a`: props.http.uri: `${API_HOST}` is a placeholder; --expand takes it from the environment, and `$${API_HOST}` is that text itself",
        ]
    );
    let environment = |name: &str| match name {
        "API_HOST" => Some("api".to_owned()),
        "A_CRON" => Some("0 0 2 * * ?".to_owned()),
        _ => None,
    };
    let file = with(text, &[], Some(&environment));
    assert_eq!(
        (file.jobs[0].cron.as_str(), file.jobs[0].props["http.uri"].as_str()),
        ("0 0 2 * * ?", "http://api/")
    );
    let error =
        parse("j.yml", text, &Options { environment: Some(&|_| None), ..Options::default() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "j.yml:5: job `a`: props.http.uri: `${API_HOST}`: the environment has no `API_HOST`, and there is no default: `${API_HOST:…}`"
    );
}

#[test]
fn a_placeholder_finds_the_files_own_keys_and_a_default_in_a_default() {
    let text = "spring: {application: {name: 'shop-${STAGE:${FALLBACK:test}}'}}\nelasticjob:\n  jobs:\n    a: {elasticJobType: SCRIPT, every: 5s, jobParameter: '${spring.application.name}', description: '$${kept}', props: {script.command.line: x}}\n";
    let file = with(text, &[], Some(&|_| None));
    assert_eq!(
        (file.jobs[0].job_parameter.as_str(), file.jobs[0].description.as_str()),
        ("shop-test", "${kept}")
    );
    let circle = "spring: {a: '${spring.a}'}\nelasticjob: {jobs: {a: {elasticJobType: SCRIPT, every: 5s, jobParameter: '${spring.a}', props: {script.command.line: x}}}}\n";
    let error =
        parse("j.yml", circle, &Options { environment: Some(&|_| None), ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains("`${spring.a}` stands in itself"), "{error}");
}

#[test]
fn what_a_shell_expands_is_left_to_the_shell() {
    let text = "jobs:\n  a: {elasticJobType: SCRIPT, every: 5s, props: {script.command.line: \"sh -c 'echo ${HOME}'\"}}\n  b: {elasticJobType: SCRIPT, every: 5s, props: {script.command.line: 'echo ${HOME}', script.shell: true}}\n";
    let jobs = with(text, &[], None).jobs;
    assert_eq!(jobs[0].kind, JobKind::Script { command_line: "sh -c 'echo ${HOME}'".into() });
    assert_eq!(jobs[1].kind, JobKind::Script { command_line: "echo ${HOME}".into() });
    let expression = "jobs: {a: {elasticJobType: SCRIPT, every: 5s, jobParameter: '#{1 + 1}', props: {script.command.line: x}}}";
    assert!(
        parse("f", expression, &Options::default())
            .unwrap_err()
            .to_string()
            .contains("only Spring can evaluate")
    );
}

#[test]
fn what_is_likely_not_meant_is_noted_with_what_would_be_right() {
    let note = |settings: &str| {
        let text = format!("jobs:\n  a: {{elasticJobType: SCRIPT, {settings}}}\n");
        let options = Options { now: Some(1_700_000_000_000), ..Options::default() };
        let mut notes = parse("f", &text, &options).unwrap().notes;
        assert_eq!(notes.len(), 1, "{notes:?}");
        notes.remove(0).to_string()
    };
    let line = "props: {script.command.line: x}";
    for (settings, start) in [
        (
            format!("once: '2020-01-01T00:00:00Z', {line}"),
            ":2: job `a`: once: `@once 2020-01-01T00:00:00Z` is over",
        ),
        (
            format!("cron: 0 0 0 1 1 ? 2020, {line}"),
            ":2: job `a`: cron: `0 0 0 1 1 ? 2020` is over and fires no more",
        ),
        (
            format!("every: 5s, shardingItemParameters: '0=a,1=north', {line}"),
            ":2: job `a`: shardingItemParameters: names item 1, but the job has only item 0 (shardingTotalCount: 1)",
        ),
        (
            format!("every: 5s, disabled: true, {line}"),
            ":2: job `a`: disabled: is true: the job does not run here",
        ),
        (
            "every: 5s, props: {script.command.line: date > f && echo}".into(),
            ":2: job `a`: props.script.command.line: `>` reaches",
        ),
        (
            "every: 5s, props: {script.command.line: echo $HOME}".into(),
            ":2: job `a`: props.script.command.line: `$HOME` reaches",
        ),
        (
            "every: 5s, props: {script.command.line: x, nice: 5}".into(),
            ":2: job `a`: props: `nice` is no property of a SCRIPT job",
        ),
    ] {
        let found = note(&settings);
        assert!(found.starts_with(start), "{found}");
    }
    let get = "jobs: {a: {elasticJobType: HTTP, every: 5s, props: {http.uri: 'http://h/', http.method: GET, http.data: x}}}";
    let found = parse("f", get, &Options::default()).unwrap().notes;
    assert_eq!(
        found[0].to_string(),
        ":1: job `a`: props.http.data: is not sent: a GET request has no body; use POST, PUT, PATCH or DELETE"
    );
}

#[test]
fn a_program_that_this_machine_does_not_have_is_noted_with_the_folder_it_was_looked_for_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.yaml");
    let job = |name: &str, props: &str| {
        format!("  {name}: {{elasticJobType: SCRIPT, every: 5s, props: {{{props}}}}}\n")
    };
    let text = format!(
        "jobs:\n{}{}{}{}",
        job("a", "script.command.line: ./there.sh"),
        job("b", "script.command.line: ./missing.sh"),
        job("c", "script.command.line: no-such-program-anywhere"),
        job("d", "script.command.line: sh, script.directory: nowhere"),
    );
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("there.sh"), "").unwrap();
    let read = || read(&path, &Options::default()).unwrap();
    let found = notes(&read());
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].contains("/there.sh may not be executed; `chmod +x` allows it"), "{found:?}");
    assert!(found[1].starts_with(": job `b`: props.script.command.line: the program "), "{found:?}");
    assert!(found[2].contains("there is no program `no-such-program-anywhere` in the PATH"), "{found:?}");
    assert!(
        found[3].contains("script.directory: ") && found[3].contains("nowhere is no folder"),
        "{found:?}"
    );
    assert_eq!(read().folder, folder.path());
}

#[test]
fn a_file_that_can_be_read_only_once_is_read_once() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    writeln!(writer, "jobs: {{a: {{{SCRIPT}, every: 5s}}}}").unwrap();
    drop(writer);
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let file = read(&path, &Options::default()).unwrap();
    assert_eq!(file.jobs.len(), 1);
    assert_eq!(file.folder, std::env::current_dir().unwrap());
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text() {
    let text = format!("\u{feff}jobs:\r\n  a: {{{SCRIPT}, every: 5s, jobParameter: x}}\r\n");
    let file = parse("f", &text, &Options::default()).unwrap();
    assert_eq!(file.jobs[0].job_parameter, "x");
    let shared = format!("x-common: &c {{{SCRIPT}}}\njobs:\n  a: {{<<: *c, every: 5s}}\n");
    assert_eq!(parse("f", &shared, &Options::default()).unwrap().jobs.len(), 1);
}
