//! The rows of the table.

use super::access::*;
use super::{JavaKey, Kept, Setting};
use crate::value::{Form, Value};
use clockwright_model::job::MAX_ITEMS;

/// Makes of the rows the table, and the macro that has their texts for the documentation of Rust code.
macro_rules! settings {
    ($($key:tt {
        form: $form:expr,
        default: $default:tt,
        $(example: $example:expr,)?
        $(option: $option:expr,)?
        kept: $kept:expr,
        access: $access:expr,
        help: $help:tt,
    })*) => {
        /// All settings: first what is run and when, then in the order in which Elastic-Job 2.x writes them. It is the order of the
        /// reference page, and that in which they are set.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            form: $form,
            default: $default,
            example: concat!($($example)?),
            word: concat!($($option)?),
            help: $help,
            kept: $kept,
            access: $access,
        }),*];

        /// What the table of settings says about one, for the documentation of Rust code:
        /// `#[doc = clockwright_settings::docs!("failover")]`.
        #[macro_export]
        macro_rules! docs {
            $(($key) => {
                concat!($help, "\n\nIn a jobs file: `", $key, "`.", $crate::__default!($default))
            };)*
        }
    };
}

/// What documentation says about a default.
#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    ("") => {
        ""
    };
    ($default:tt) => {
        concat!(" Default: `", $default, "`.")
    };
}

const INT32: Form = Form::Number(i32::MIN as i64, i32::MAX as i64);

/// Java's key, and what a config without it means.
const fn java(name: &'static str, missing: &'static str) -> JavaKey {
    JavaKey::new(name, missing)
}

/// The same key in both layouts.
const fn both(name: &'static str, missing: &'static str) -> Kept {
    Kept { v2: Some(java(name, missing)), v3: Some(java(name, missing)), own: None }
}

/// Ours: under a key of our own in 2.x, nowhere in 3.x, whose Java instances refuse keys that they do not know.
const fn ours(key: &'static str) -> Kept {
    Kept { v2: None, v3: None, own: Some(key) }
}

/// Of 3.x: under a key of our own in 2.x.
const fn of_3x(key: &'static str, java: JavaKey) -> Kept {
    Kept { v2: None, v3: Some(java), own: Some(key) }
}

/// Part of what another row, or a config's own code, writes: the type of a job, the ways to say when.
const ELSEWHERE: Kept =
    Kept { v2: Some(java("", "").elsewhere()), v3: Some(java("", "").elsewhere()), own: None };

const NOWHERE: Kept = Kept { v2: None, v3: None, own: None };

settings! {
    "elasticJobType" {
        form: Form::Word(&["SCRIPT", "HTTP", "SIMPLE", "DATAFLOW"]),
        default: "",
        example: "HTTP",
        kept: ELSEWHERE,
        access: (job_type, set_job_type),
        help: "What is run: `SCRIPT` (a program) or `HTTP` (a request). `SIMPLE` and `DATAFLOW` jobs are code: the library runs them, not a jobs file.",
    }
    "elasticJobClass" {
        form: Form::Text,
        default: "",
        example: "com.example.Report",
        kept: ELSEWHERE,
        access: (class, set_class),
        help: "The class of a `SIMPLE` or `DATAFLOW` job, as Java peers know it.",
    }
    "cron" {
        form: Form::Text,
        default: "",
        example: "0 0/5 * * * ?",
        kept: Kept { v3: Some(java("cron", "").sparse().said(Form::Text, RAW_CRON)), ..both("cron", "").said(Form::Text, RAW_CRON) },
        access: (cron, set_cron),
        help: "When: Quartz cron, `second minute hour day-of-month month day-of-week [year]`, for example `0 0/5 * * * ?`. Exactly one of `cron`, `every`, `once` and `unixCron` is given. An empty cron, `''`, is a one-off job of Elastic-Job 3.x, which fires only when it is triggered; the layout of 2.x has none.",
    }
    "every" {
        form: Form::Text,
        default: "",
        example: "90s",
        kept: ELSEWHERE,
        access: (every, set_every),
        help: "When: a fixed interval such as `30s` or `1h30m` (units ms, s, m, h, d), counted from the epoch, so that all instances agree.",
    }
    "once" {
        form: Form::Text,
        default: "",
        example: "2030-01-01T08:00:00+08:00",
        kept: ELSEWHERE,
        access: (once, set_once),
        help: "When: one instant, RFC 3339, for example `2026-01-01T08:00:00+08:00`.",
    }
    "unixCron" {
        form: Form::Text,
        default: "",
        example: "*/5 * * * 1-5",
        kept: ELSEWHERE,
        access: (|_| None, set_unix_cron),
        help: "When: five-field Unix cron, `minute hour day-of-month month day-of-week` (0 and 7 are Sunday), for example `*/5 * * * 1-5`. It is stored in the Quartz dialect.",
    }
    "timeZone" {
        form: Form::Text,
        default: "",
        example: "GMT+08:00",
        kept: of_3x("timeZone", java("timeZone", "").sparse().said(Form::Text, JAVAS_ZONE)),
        access: (time_zone, set_time_zone),
        help: "The zone of `cron` and `unixCron`: an IANA name such as `Asia/Shanghai`, or an offset such as `GMT+8`. Without it, the zone of the machine.",
    }
    "shardingTotalCount" {
        form: Form::Number(1, MAX_ITEMS as i64),
        default: "1",
        example: "12",
        option: "items",
        kept: both("shardingTotalCount", "0"),
        access: plain!(number sharding_total_count),
        help: "How many items the job is cut into, 1 to 100000.",
    }
    "shardingItemParameters" {
        form: Form::Text,
        default: "",
        example: "0=a,1=b",
        option: "item-parameters",
        kept: both("shardingItemParameters", ""),
        access: plain!(text sharding_item_parameters),
        help: "A parameter for each item: `0=a,1=b`.",
    }
    "jobParameter" {
        form: Form::Text,
        default: "",
        example: "north",
        option: "parameter",
        kept: both("jobParameter", ""),
        access: plain!(text job_parameter),
        help: "A text that every run gets.",
    }
    "props" {
        form: Form::Texts,
        default: "{}",
        kept: of_3x("props", java("props", "").elsewhere()),
        access: (props, set_props),
        help: "Properties of the job's type. SCRIPT: `script.command.line` (required; a program and its arguments), `script.shell` (`true`: the line is for `/bin/sh -c`, with pipes and variables; `false`), `script.context` (`argument`: the context as JSON in one last argument, with a shell `$1`; `env`: only in the variable `CLOCKWRIGHT_CONTEXT`), `script.directory` (where it runs; a relative one is one of the jobs file's folder, which is also where scripts run without it), `script.env.NAME` (a variable). HTTP: `http.uri` and `http.method` (required), `http.data`, `http.content.type`, `http.redirect` (`safe`: followed for GET and HEAD, a failure otherwise; `always`; `never`), `http.tls.ca` (a PEM file of the certificates that are trusted instead of the system's: of authorities, or of the server itself), `http.connect.timeout.milliseconds` (3000), `http.read.timeout.milliseconds` (5000). DATAFLOW: `streaming.process`. Maps in it are written out: `{script: {shell: true}}` is `{script.shell: true}`.",
    }
    "failover" {
        form: Form::Flag,
        default: "false",
        example: "true",
        kept: both("failover", "false"),
        access: plain!(flag failover),
        help: "Run what a dead instance left unfinished on another instance at once.",
    }
    "misfire" {
        form: Form::Word(&["true", "false", "fire_once", "skip", "fire_all"]),
        default: "true",
        example: "false",
        kept: Kept { own: Some("misfire"), ..both("misfire", "false").said(Form::Flag, WHETHER_MISFIRED) },
        access: (misfire, set_misfire),
        help: "What happens to instants that passed while an item was busy or unowned: `true` or `fire_once` (one run makes up for all of them), `false` or `skip` (they are recorded as missed), `fire_all` (each of them runs).",
    }
    "misfireCap" {
        form: Form::Number(1, 1_000_000),
        default: "100",
        example: "10",
        kept: ours("misfireCap"),
        access: (misfire_cap, set_misfire_cap),
        help: "With `misfire: fire_all`: how many instants run late at most; older ones are missed.",
    }
    "misfireWindow" {
        form: Form::Duration(1),
        default: "1d",
        example: "1h",
        kept: ours("misfireWindowMillis"),
        access: (misfire_window, set_misfire_window),
        help: "With `misfire: fire_all`: instants older than this are missed.",
    }
    "description" {
        form: Form::Text,
        default: "",
        example: "The morning report",
        kept: both("description", ""),
        access: plain!(text description),
        help: "For people.",
    }
    "retry.maxAttempts" {
        form: Form::Number(1, 1_000),
        default: "1",
        example: "3",
        kept: ours("retryMaxAttempts"),
        access: plain!(number retry.max_attempts),
        help: "All attempts together when some fail; 1 is no retry.",
    }
    "retry.backoff" {
        form: Form::Duration(0),
        default: "1s",
        example: "5s",
        kept: ours("retryBackoffMillis"),
        access: plain!(duration retry.backoff),
        help: "The wait before the second attempt, doubled for each further one.",
    }
    "retry.maxBackoff" {
        form: Form::Duration(0),
        default: "1m",
        example: "10m",
        kept: ours("retryMaxBackoffMillis"),
        access: plain!(duration retry.max_backoff),
        help: "The longest wait before an attempt.",
    }
    "timeout" {
        form: Form::Duration(1),
        default: "",
        example: "10m",
        kept: ours("timeoutMillis"),
        access: (timeout, set_timeout),
        help: "The longest that one attempt may take, for example `10m`; then it is ended. Without it there is no limit.",
    }
    "exclusive" {
        form: Form::Word(&["strict", "best_effort"]),
        default: "strict",
        example: "best_effort",
        kept: ours("exclusive"),
        access: (exclusive, set_exclusive),
        help: "When an instance can no longer prove that it owns an item: `strict` ends the run before anybody else can start it, `best_effort` lets it go on.",
    }
    "jobErrorHandlerType" {
        form: Form::Word(&["LOG", "THROW", "IGNORE"]),
        default: "LOG",
        example: "THROW",
        option: "error-handler",
        kept: of_3x("errorHandler", java("jobErrorHandlerType", "LOG").sparse()),
        access: (error_handler, set_error_handler),
        help: "What is done with a failure besides recording it: `LOG` writes it to the log, `THROW` does too and makes no further attempt, `IGNORE` does nothing.",
    }
    "monitorExecution" {
        form: Form::Flag,
        default: "true",
        example: "false",
        kept: Kept { v3: Some(java("monitorExecution", "false")), ..both("monitorExecution", "true") },
        access: plain!(flag monitor_execution),
        help: "Mark running items in the registry, so that peers and consoles see them. Jobs that run every few seconds may turn it off.",
    }
    "maxTimeDiffSeconds" {
        form: Form::Number(-1, i32::MAX as i64),
        default: "-1",
        example: "60",
        kept: Kept { v3: Some(java("maxTimeDiffSeconds", "-1").said(INT32, DIFF_OF_3X)), ..both("maxTimeDiffSeconds", "-1") },
        access: plain!(number max_time_diff_seconds),
        help: "The greatest difference to the registry's clock, in seconds; -1 checks nothing.",
    }
    "monitorPort" {
        form: INT32,
        default: "-1",
        example: "9888",
        kept: Kept { v3: None, ..both("monitorPort", "-1") },
        access: plain!(number monitor_port),
        help: "The dump port of Java peers; kept in the registry for them. Clockwright opens no such port.",
    }
    "jobShardingStrategyType" {
        form: Form::Text,
        default: "AVG_ALLOCATION",
        example: "ROUND_ROBIN",
        option: "strategy",
        kept: Kept {
            v2: Some(java("jobShardingStrategyClass", "").said(Form::Text, RAW_STRATEGY)),
            v3: Some(java("jobShardingStrategyType", "").sparse().said(Form::Text, STRATEGY_WORD)),
            own: None,
        },
        access: (strategy, set_strategy),
        help: "How items are shared out: `AVG_ALLOCATION`, `ODEVITY`, `ROUND_ROBIN`, or `MINIMAL_MOVES` (moves as few items as possible; Java peers do not have it).",
    }
    "reconcileIntervalMinutes" {
        form: INT32,
        default: "10",
        example: "5",
        kept: Kept { v3: Some(java("reconcileIntervalMinutes", "0")), ..both("reconcileIntervalMinutes", "10") },
        access: plain!(number reconcile_interval_minutes),
        help: "How often Java instances compare the plan with who is there, in minutes; 0 is never. Instances of Clockwright do so at each change, and once a minute whatever is said here.",
    }
    "disabled" {
        form: Form::Flag,
        default: "false",
        example: "true",
        kept: both("disabled", "false"),
        access: plain!(flag disabled),
        help: "Start with this server disabled for the job.",
    }
    "overwrite" {
        form: Form::Flag,
        default: "false",
        example: "true",
        kept: both("overwrite", "false"),
        access: plain!(flag overwrite),
        help: "At start, these settings replace those in the registry, unless a server manages the namespace. Otherwise what the registry has, wins.",
    }
    "staticSharding" {
        form: Form::Flag,
        default: "false",
        example: "true",
        kept: of_3x("staticSharding", java("staticSharding", "false")),
        access: plain!(flag static_sharding),
        help: "Leave items with their owners when instances come and go, even with owners that are gone; only another number of items makes a new plan. Java instances of 2.x do not know it.",
    }
    "label" {
        form: Form::Text,
        default: "",
        kept: NOWHERE,
        access: plain!(unused),
        help: "Of Elastic-Job 3.x; accepted and not used.",
    }
    "jobBootstrapBeanName" {
        form: Form::Text,
        default: "",
        kept: NOWHERE,
        access: plain!(unused),
        help: "Of Elastic-Job 3.x's Spring Boot starter, the bean of a one-off job; accepted and not used.",
    }
    "jobExecutorServiceHandlerType" {
        form: Form::Text,
        default: "",
        kept: NOWHERE,
        access: plain!(unused),
        help: "Of Elastic-Job 3.0; accepted and not used: there are no thread pools to size.",
    }
    "jobExecutorThreadPoolSizeProviderType" {
        form: Form::Text,
        default: "",
        kept: NOWHERE,
        access: plain!(unused),
        help: "Of Elastic-Job 3.0.5; accepted and not used: there are no thread pools to size.",
    }
    "jobListenerTypes" {
        form: Form::NoList,
        default: "[]",
        kept: NOWHERE,
        access: plain!(unused),
        help: "Of Elastic-Job 3.x; only an empty list can be used, since listeners are code. The library has them.",
    }
}
