#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use clockwright_model::{ErrorHandler, Exclusive, Misfire, Retry};

/// What ElasticJob 3.0.4 wrote for a script job.
const SCRIPT: &str = "cron: 0/5 * * * * ?
description: ''
disabled: false
failover: false
jobName: plain
jobParameter: ''
maxTimeDiffSeconds: -1
misfire: true
monitorExecution: true
overwrite: false
props:
  script.command.line: echo hello
reconcileIntervalMinutes: 10
shardingItemParameters: 0=A,1=B,2=C
shardingTotalCount: 3
staticSharding: false
";

/// What it wrote for a streaming dataflow with everything set.
const DATAFLOW: &str = "cron: 0/5 * * * * ?
description: ''
disabled: false
failover: true
jobErrorHandlerType: IGNORE
jobExecutorServiceHandlerType: SINGLE_THREAD
jobName: rich
jobParameter: '* it''s: a #text, with <everything> & more, long enough to be folded
  because it has more than eighty columns of words in it: yes'
jobShardingStrategyType: ODEVITY
label: 'true'
maxTimeDiffSeconds: 60
misfire: true
monitorExecution: true
overwrite: false
props:
  streaming.process: 'true'
reconcileIntervalMinutes: 10
shardingItemParameters: ''
shardingTotalCount: 2
staticSharding: false
timeZone: GMT+8:00
";

/// What it wrote for a one-off job.
const ONE_OFF: &str = "description: ''
disabled: false
failover: false
jobName: once
jobParameter: a long plain text without anything special that goes on and on until
  it is well over the eighty columns that are the limit
maxTimeDiffSeconds: -1
misfire: true
monitorExecution: false
overwrite: false
props:
  script.command.line: /opt/x --flag \"with quotes\" tail
reconcileIntervalMinutes: 10
shardingItemParameters: ''
shardingTotalCount: 2
staticSharding: true
";

/// An extra configuration in the form that Java's event trace has, put together by hand: keys of 3.0.5 beside it.
const TRACED: &str = "cron: 0/5 * * * * ?
failover: true
jobExecutorThreadPoolSizeProviderType: CPU
jobExtraConfigurations:
- !!org.apache.shardingsphere.elasticjob.tracing.yaml.YamlTracingConfiguration
  tracingStorageConfiguration: !!org.apache.shardingsphere.elasticjob.tracing.rdb.yaml.YamlDataSourceConfiguration
    dataSourceClassName: org.h2.jdbcx.JdbcDataSource
    props: {url: 'jdbc:h2:mem:x', user: sa}
  type: RDB
jobListenerTypes:
- audit
jobName: traced
label: x
monitorExecution: true
shardingTotalCount: 4
";

fn of(text: &str, root: &str) -> JobSettings {
    read(text.as_bytes(), root.as_bytes(), None).unwrap()
}

#[test]
fn what_java_wrote_is_written_back_byte_for_byte() {
    assert_eq!(write(&of(SCRIPT, "SCRIPT")), SCRIPT);
    assert_eq!(write(&of(ONE_OFF, "peer.Jobs$Simple")), ONE_OFF);
    // A job of ours has no label and no thread pool; the rest is the same.
    let mine: String = DATAFLOW
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("label") && !line.starts_with("jobExecutor"))
        .collect();
    assert_eq!(write(&of(DATAFLOW, "peer.Jobs$Dataflow")), mine);
}

#[test]
fn what_java_wrote_is_understood() {
    let script = of(SCRIPT, "SCRIPT");
    assert_eq!(script.kind, JobKind::Script { command_line: "echo hello".into() });
    assert_eq!((script.sharding_total_count, script.misfire), (3, Misfire::FireOnce));
    let rich = of(DATAFLOW, "peer.Jobs$Dataflow");
    assert_eq!(
        (rich.kind, rich.class.as_str()),
        (JobKind::Dataflow { streaming: true }, "peer.Jobs$Dataflow")
    );
    assert_eq!(
        rich.job_parameter,
        "* it's: a #text, with <everything> & more, long enough to be folded because it has more than eighty \
         columns of words in it: yes"
    );
    assert_eq!((rich.failover, rich.error_handler), (true, ErrorHandler::Ignore));
    assert_eq!((rich.time_zone.as_deref(), rich.sharding_strategy.as_str()), (Some("GMT+8:00"), "ODEVITY"));
    let once = of(ONE_OFF, "peer.Jobs$Simple");
    assert_eq!((once.cron.as_str(), once.static_sharding, once.monitor_execution), ("", true, false));
}

#[test]
fn a_rewrite_changes_the_lines_of_what_changed_and_no_others() {
    for (text, root) in [(SCRIPT, "SCRIPT"), (DATAFLOW, "x.Y"), (ONE_OFF, "x.Y"), (TRACED, "x.Y")] {
        let settings = of(text, root);
        assert_eq!(rewrite(text.as_bytes(), root.as_bytes(), &settings), text);
    }
    let mut settings = of(TRACED, "x.Y");
    settings.sharding_total_count = 9;
    settings.job_parameter = "new".into();
    settings.failover = false;
    let expected = TRACED
        .replace("shardingTotalCount: 4", "shardingTotalCount: 9")
        .replace("failover: true", "failover: false")
        .replace("label: x", "jobParameter: new\nlabel: x");
    assert_eq!(rewrite(TRACED.as_bytes(), b"x.Y", &settings), expected);
    let mut settings = of(DATAFLOW, "x.Y");
    settings.cron = String::new();
    settings.error_handler = ErrorHandler::Log;
    let rewritten = rewrite(DATAFLOW.as_bytes(), b"x.Y", &settings);
    assert!(!rewritten.contains("cron") && !rewritten.contains("jobErrorHandlerType"), "{rewritten}");
    assert!(rewritten.contains("jobExecutorServiceHandlerType: SINGLE_THREAD\n"), "{rewritten}");
    assert_eq!(of(&rewritten, "x.Y"), settings);
}

#[test]
fn handlers_that_only_java_has_stay() {
    let text = SCRIPT.replace("jobName", "jobErrorHandlerType: EMAIL\njobName");
    let mut settings = of(&text, "SCRIPT");
    assert_eq!(settings.error_handler, ErrorHandler::Log);
    settings.sharding_total_count = 5;
    assert!(rewrite(text.as_bytes(), b"SCRIPT", &settings).contains("jobErrorHandlerType: EMAIL\n"));
}

#[test]
fn missing_keys_have_the_defaults_of_javas_reader() {
    let least = of("jobName: a\nshardingTotalCount: 1\n", "x.Y");
    assert_eq!((least.monitor_execution, least.misfire, least.failover), (false, Misfire::Skip, false));
    assert_eq!((least.max_time_diff_seconds, least.reconcile_interval_minutes), (-1, 0));
}

#[test]
fn what_java_has_no_key_for_comes_from_the_local_job() {
    let mut local = of(SCRIPT, "SCRIPT");
    local.time_zone = Some("Asia/Shanghai".into());
    local.misfire = Misfire::FIRE_ALL;
    local.retry = Retry { max_attempts: 3, ..Retry::default() };
    local.timeout = Some(5_000);
    local.exclusive = Exclusive::BestEffort;
    assert_eq!(write(&local), SCRIPT, "none of it is in the node");
    assert_eq!(read(SCRIPT.as_bytes(), b"SCRIPT", Some(&local)), Ok(local.clone()));
    let zoned = format!("{SCRIPT}timeZone: GMT+9:00\n");
    let zoned = read(zoned.as_bytes(), b"SCRIPT", Some(&local)).unwrap();
    assert_eq!(zoned.time_zone.as_deref(), Some("GMT+9:00"), "the registry wins");
}

#[test]
fn any_text_reads_back_as_itself() {
    for text in [
        "",
        " ",
        "a",
        "true",
        "No",
        "null",
        "~",
        "1",
        "-1",
        "1.5",
        "0x1F",
        "12:30:00",
        "2026-01-01",
        "* x",
        "- x",
        "-",
        "-x",
        "a: b",
        "a:b",
        "a:",
        "#a",
        "a #b",
        "a#b",
        "'",
        "it's",
        "\"q\"",
        "%p",
        "@x",
        "`x`",
        "[a]",
        "{a}",
        "&a",
        "!a",
        "|",
        ">",
        "? a",
        "?a",
        ": a",
        ":a",
        "---",
        "--- a",
        "...",
        " lead",
        "trail ",
        "two  spaces",
        "tab\there",
        "line\nbreak",
        "cr\r",
        "\u{7}bell",
        "é",
        "日本語",
        "😀",
        "\u{2028}",
        "\u{feff}",
        "<<",
        "=",
        ".inf",
        ".NaN",
        "0=A,1=B",
        "0/5 * * * * ?",
        "GMT+8:00",
        "C:\\x",
        "1e3",
        "1_000",
        "0o7",
        "2026-01-01 10:00:00",
        "y",
        "n",
        "many words that go on and on until the line is so long that it has to be folded somewhere near  a double space and on",
        "'quoted words that go on and on until the line is so long that it has to be folded somewhere: here' and there at the end ",
    ] {
        let mut settings = of(SCRIPT, "SCRIPT");
        settings.job_parameter = text.to_owned();
        settings.props.insert(format!("key {text}"), text.to_owned());
        let written = write(&settings);
        assert_eq!(read(written.as_bytes(), b"SCRIPT", None), Ok(settings), "{written}");
    }
}

#[test]
fn broken_nodes_are_named_not_fatal() {
    for (bad, field) in [
        ("", "config"),
        ("- a\n", "config"),
        ("just words", "config"),
        ("a: [1\n", "config"),
        ("jobName: a\n", "shardingTotalCount"),
        ("jobName: a\nshardingTotalCount: x\n", "shardingTotalCount"),
        ("jobName: a\nshardingTotalCount: 1\nfailover: maybe\n", "failover"),
        ("jobName: a\njobName: b\nshardingTotalCount: 1\n", "jobName"),
        ("jobName: a\nshardingTotalCount: 1\nprops: 3\n", "props"),
        ("shardingTotalCount: 1\n", "jobName"),
    ] {
        assert_eq!(read(bad.as_bytes(), b"", None).expect_err(bad).field, field, "{bad}");
    }
    assert!(Document::parse(&format!("a: {}{}", "[".repeat(40), "]".repeat(40))).is_err());
}
