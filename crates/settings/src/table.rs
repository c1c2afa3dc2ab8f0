//! The one table of a job's settings: how each is called, what it may be, what it is unless set, what it means, where a registry
//! keeps it, and how it is got from and put into [`JobSettings`].
//!
//! Everything that is about *all* settings is made from it: reading jobs files and JSON, the limits that a setting must keep, the
//! canonical form, differences, our own keys in the configs of 2.x, and the reference page. A new setting is a field of
//! [`JobSettings`] and a row here; `CONTRIBUTING.md` has the list.

use crate::units::{duration, quartz_from_unix};
use crate::value::{Form, Value};
use clockwright_model::job::{MAX_ITEMS, SCRIPT_CLASS};
use clockwright_model::{ErrorHandler, Exclusive, JobKind, JobSettings, Misfire, nearest};
use clockwright_planner::schedule::java_offset;
use clockwright_planner::sharding::Strategy;

/// One setting.
pub struct Setting {
    /// Its key in a jobs file. A dot is one level of nesting: `retry.maxAttempts` is `retry: {maxAttempts: …}`.
    pub key: &'static str,
    /// What it may be set to.
    pub form: Form,
    /// What it is unless it is set, as one would write it; empty when there is no default.
    pub default: &'static str,
    /// What it means, as Markdown.
    pub help: &'static str,
    /// Where the registry keeps it.
    pub kept: Kept,
    get: fn(&JobSettings) -> Option<Value>,
    set: fn(&mut JobSettings, Value) -> Result<(), String>,
}

/// Where the registry keeps a setting, by the layout of a job's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Elastic-Job 2.x.
    pub v2: Place,
    /// ElasticJob 3.x.
    pub v3: Place,
}

/// Where a config has a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under a key that Java knows.
    Java,
    /// Under this key of `clockwright`, which Java skips.
    Own(&'static str),
    /// Nowhere: each instance has it from its own file.
    Nowhere,
}

const JAVA: Kept = Kept { v2: Place::Java, v3: Place::Java };

/// Ours: under a key of our own in 2.x, nowhere in 3.x, whose Java instances refuse keys that they do not know.
const fn ours(key: &'static str) -> Kept {
    Kept { v2: Place::Own(key), v3: Place::Nowhere }
}

/// Of 3.x: under a key of our own in 2.x.
const fn of_3x(key: &'static str) -> Kept {
    Kept { v2: Place::Own(key), v3: Place::Java }
}

/// The keys that say when; a job has exactly one of them.
pub const SCHEDULES: [&str; 4] = ["cron", "every", "once", "unixCron"];

impl Setting {
    /// What it is set to; `None` when there is nothing: no time zone, no timeout, a cap without `fire_all`.
    #[must_use]
    pub fn get(&self, settings: &JobSettings) -> Option<Value> {
        (self.get)(settings)
    }

    /// Sets it.
    ///
    /// # Errors
    /// The value breaks a limit or does not fit the settings that are there; it says what would be right.
    pub fn set(&self, settings: &mut JobSettings, value: Value) -> Result<(), String> {
        self.form.check(&value)?;
        (self.set)(settings, value)
    }

    /// Sets it without a look at its limits, which whoever uses the settings checks.
    pub(crate) fn set_any(&self, settings: &mut JobSettings, value: Value) -> Result<(), String> {
        (self.set)(settings, value)
    }

    /// Makes it what another job has, also where that has nothing.
    pub(crate) fn copy(&self, from: &JobSettings, to: &mut JobSettings) {
        // What does not fit there (a cap where nothing is made up for) has no meaning there either.
        let _ = (self.set)(to, self.get(from).unwrap_or_else(nothing));
    }
}

/// The setting with this key; `sharding-total-count` and `SHARDING_TOTAL_COUNT` are `shardingTotalCount`, as for Spring.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key).or_else(|| {
        let relaxed = relaxed(key);
        SETTINGS.iter().find(|setting| self::relaxed(setting.key) == relaxed)
    })
}

/// A key without what Spring does not look at.
pub(crate) fn relaxed(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// What to say about a key that is none of the known ones.
pub(crate) fn unknown<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let hint = nearest(key, known).map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
    format!("`{key}` is not a known key{hint}")
}

/// What is set where there is nothing.
pub(crate) fn nothing() -> Value {
    Value::Text(String::new())
}

fn of_text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => other.to_string(),
    }
}

fn of_flag(value: &Value) -> bool {
    matches!(value, Value::Flag(true))
}

fn of_number<N: TryFrom<i64>>(value: &Value) -> Result<N, String> {
    let number = match value {
        Value::Number(number) => *number,
        _ => 0,
    };
    N::try_from(number).map_err(|_| format!("is {number}, which is too large"))
}

fn of_duration(value: &Value) -> i64 {
    match value {
        Value::Duration(duration) | Value::Number(duration) => *duration,
        _ => 0,
    }
}

const INT32: Form = Form::Number(i32::MIN as i64, i32::MAX as i64);

/// A setting that is one field of the job.
macro_rules! plain {
    (text $field:ident) => {
        (|job| Some(Value::Text(job.$field.clone())), |job, value| {
            job.$field = of_text(value);
            Ok(())
        })
    };
    (flag $field:ident) => {
        (|job| Some(Value::Flag(job.$field)), |job, value| {
            job.$field = of_flag(&value);
            Ok(())
        })
    };
    (number $($field:ident).+) => {
        (|job| Some(Value::Number(job.$($field).+.into())), |job, value| {
            job.$($field).+ = of_number(&value)?;
            Ok(())
        })
    };
    (duration $($field:ident).+) => {
        (|job| Some(Value::Duration(job.$($field).+)), |job, value| {
            job.$($field).+ = of_duration(&value);
            Ok(())
        })
    };
    (unused) => {
        (|_| None, |_, _| Ok(()))
    };
}

type Access = (fn(&JobSettings) -> Option<Value>, fn(&mut JobSettings, Value) -> Result<(), String>);

const fn row(
    key: &'static str,
    form: Form,
    default: &'static str,
    kept: Kept,
    (get, set): Access,
    help: &'static str,
) -> Setting {
    Setting { key, form, default, help, kept, get, set }
}

/// All settings, in the order of the reference page, which is also the order in which they are set.
pub const SETTINGS: &[Setting] = &[
    row(
        "elasticJobType",
        Form::Word(&["SCRIPT", "HTTP", "SIMPLE", "DATAFLOW"]),
        "",
        JAVA,
        (job_type, set_job_type),
        "What is run: `SCRIPT` (a program) or `HTTP` (a request). `SIMPLE` and `DATAFLOW` jobs are code: the library runs them, not a jobs file.",
    ),
    row(
        "elasticJobClass",
        Form::Text,
        "",
        JAVA,
        (class, set_class),
        "The class of a `SIMPLE` or `DATAFLOW` job, as Java peers know it.",
    ),
    row(
        "cron",
        Form::Text,
        "",
        JAVA,
        (cron, |job, value| {
            job.cron = of_text(value);
            Ok(())
        }),
        "When: Quartz cron, `second minute hour day-of-month month day-of-week [year]`, for example `0 0/5 * * * ?`. Exactly one of `cron`, `every`, `once` and `unixCron` is given. An empty cron, `''`, is a one-off job of Elastic-Job 3.x, which fires only when it is triggered; the layout of 2.x has none.",
    ),
    row(
        "every",
        Form::Text,
        "",
        JAVA,
        (every, |job, value| {
            let text = of_text(value);
            if duration(&text)? == 0 {
                return Err("must be longer than 0".into());
            }
            job.cron = format!("@every {text}");
            Ok(())
        }),
        "When: a fixed interval such as `30s` or `1h30m` (units ms, s, m, h, d), counted from the epoch, so that all instances agree.",
    ),
    row(
        "once",
        Form::Text,
        "",
        JAVA,
        (once, |job, value| {
            let instant = of_text(value);
            if instant.trim().is_empty() {
                return Err("has no instant".into());
            }
            job.cron = format!("@once {}", instant.trim());
            Ok(())
        }),
        "When: one instant, RFC 3339, for example `2026-01-01T08:00:00+08:00`.",
    ),
    row(
        "unixCron",
        Form::Text,
        "",
        JAVA,
        (
            |_| None,
            |job, value| {
                job.cron = quartz_from_unix(&of_text(value))?;
                Ok(())
            },
        ),
        "When: five-field Unix cron, `minute hour day-of-month month day-of-week` (0 and 7 are Sunday), for example `*/5 * * * 1-5`. It is stored in the Quartz dialect.",
    ),
    row(
        "timeZone",
        Form::Text,
        "",
        of_3x("timeZone"),
        (
            |job| job.time_zone.clone().map(Value::Text),
            |job, value| {
                let zone = of_text(value).trim().to_owned();
                // Java takes an offset that it cannot read for Greenwich, without a word.
                let zone = java_offset(&zone).unwrap_or(zone);
                job.time_zone = Some(zone).filter(|zone| !zone.is_empty());
                Ok(())
            },
        ),
        "The zone of `cron` and `unixCron`: an IANA name such as `Asia/Shanghai`, or an offset such as `GMT+8`. Without it, the zone of the machine.",
    ),
    row(
        "shardingTotalCount",
        Form::Number(1, MAX_ITEMS as i64),
        "1",
        JAVA,
        plain!(number sharding_total_count),
        "How many items the job is cut into, 1 to 100000.",
    ),
    row(
        "shardingItemParameters",
        Form::Text,
        "",
        JAVA,
        plain!(text sharding_item_parameters),
        "A parameter for each item: `0=a,1=b`.",
    ),
    row("jobParameter", Form::Text, "", JAVA, plain!(text job_parameter), "A text that every run gets."),
    row(
        "props",
        Form::Texts,
        "{}",
        of_3x("props"),
        (props, set_props),
        "Properties of the job's type. SCRIPT: `script.command.line` (required; a program and its arguments), `script.shell` (`true`: the line is for `/bin/sh -c`, with pipes and variables; `false`), `script.context` (`argument`: the context as JSON in one last argument, with a shell `$1`; `env`: only in the variable `CLOCKWRIGHT_CONTEXT`), `script.directory` (where it runs; a relative one is one of the jobs file's folder, which is also where scripts run without it), `script.env.NAME` (a variable). HTTP: `http.uri` and `http.method` (required), `http.data`, `http.content.type`, `http.redirect` (`safe`: followed for GET and HEAD, a failure otherwise; `always`; `never`), `http.connect.timeout.milliseconds` (3000), `http.read.timeout.milliseconds` (5000). DATAFLOW: `streaming.process`. Maps in it are written out: `{script: {shell: true}}` is `{script.shell: true}`.",
    ),
    row(
        "failover",
        Form::Flag,
        "false",
        JAVA,
        plain!(flag failover),
        "Run what a dead instance left unfinished on another instance at once.",
    ),
    row(
        "misfire",
        Form::Word(&["true", "false", "fire_once", "skip", "fire_all"]),
        "true",
        Kept { v2: Place::Own("misfire"), v3: Place::Nowhere },
        (misfire, set_misfire),
        "What happens to instants that passed while an item was busy or unowned: `true` or `fire_once` (one run makes up for all of them), `false` or `skip` (they are recorded as missed), `fire_all` (each of them runs).",
    ),
    row(
        "misfireCap",
        Form::Number(1, 1_000_000),
        "100",
        ours("misfireCap"),
        (
            |job| match job.misfire {
                Misfire::FireAll { cap, .. } => Some(Value::Number(cap.into())),
                _ => None,
            },
            |job, value| match &mut job.misfire {
                Misfire::FireAll { cap, .. } if value != nothing() => of_number(&value).map(|new| *cap = new),
                _ => Err(ONLY_FIRE_ALL.into()),
            },
        ),
        "With `misfire: fire_all`: how many instants run late at most; older ones are missed.",
    ),
    row(
        "misfireWindow",
        Form::Duration(1),
        "1d",
        ours("misfireWindowMillis"),
        (
            |job| match job.misfire {
                Misfire::FireAll { window, .. } => Some(Value::Duration(window)),
                _ => None,
            },
            |job, value| match &mut job.misfire {
                Misfire::FireAll { window, .. } if value != nothing() => {
                    *window = of_duration(&value);
                    Ok(())
                }
                _ => Err(ONLY_FIRE_ALL.into()),
            },
        ),
        "With `misfire: fire_all`: instants older than this are missed.",
    ),
    row(
        "retry.maxAttempts",
        Form::Number(1, 1_000),
        "1",
        ours("retryMaxAttempts"),
        plain!(number retry.max_attempts),
        "All attempts together when some fail; 1 is no retry.",
    ),
    row(
        "retry.backoff",
        Form::Duration(0),
        "1s",
        ours("retryBackoffMillis"),
        plain!(duration retry.backoff),
        "The wait before the second attempt, doubled for each further one.",
    ),
    row(
        "retry.maxBackoff",
        Form::Duration(0),
        "1m",
        ours("retryMaxBackoffMillis"),
        plain!(duration retry.max_backoff),
        "The longest wait before an attempt.",
    ),
    row(
        "timeout",
        Form::Duration(1),
        "",
        ours("timeoutMillis"),
        (
            |job| job.timeout.map(Value::Duration),
            |job, value| {
                job.timeout = Some(of_duration(&value)).filter(|timeout| *timeout != 0);
                Ok(())
            },
        ),
        "The longest that one attempt may take, for example `10m`; then it is ended. Without it there is no limit.",
    ),
    row(
        "exclusive",
        Form::Word(&["strict", "best_effort"]),
        "strict",
        ours("exclusive"),
        (
            |job| {
                Some(Value::Text(
                    if job.exclusive == Exclusive::Strict { "strict" } else { "best_effort" }.into(),
                ))
            },
            |job, value| {
                let strict = of_text(value) != "best_effort";
                job.exclusive = if strict { Exclusive::Strict } else { Exclusive::BestEffort };
                Ok(())
            },
        ),
        "When an instance can no longer prove that it owns an item: `strict` ends the run before anybody else can start it, `best_effort` lets it go on.",
    ),
    row(
        "jobErrorHandlerType",
        Form::Word(&["LOG", "THROW", "IGNORE"]),
        "LOG",
        of_3x("errorHandler"),
        (error_handler, |job, value| {
            job.error_handler = match of_text(value).as_str() {
                "THROW" => ErrorHandler::Throw,
                "IGNORE" => ErrorHandler::Ignore,
                _ => ErrorHandler::Log,
            };
            Ok(())
        }),
        "What is done with a failure besides recording it: `LOG`, `THROW` (no retry, no after-listeners) or `IGNORE`.",
    ),
    row(
        "monitorExecution",
        Form::Flag,
        "true",
        JAVA,
        plain!(flag monitor_execution),
        "Mark running items in the registry, so that peers and consoles see them. Jobs that run every few seconds may turn it off.",
    ),
    row(
        "maxTimeDiffSeconds",
        Form::Number(-1, i32::MAX as i64),
        "-1",
        JAVA,
        plain!(number max_time_diff_seconds),
        "The greatest difference to the registry's clock, in seconds; -1 checks nothing.",
    ),
    row(
        "reconcileIntervalMinutes",
        INT32,
        "10",
        JAVA,
        plain!(number reconcile_interval_minutes),
        "How often Java instances compare the plan with who is there, in minutes; 0 is never. Instances of Clockwright do so at each change, and once a minute whatever is said here.",
    ),
    row(
        "jobShardingStrategyType",
        Form::Text,
        "AVG_ALLOCATION",
        JAVA,
        (strategy, |job, value| {
            let strategy = Strategy::parse(&of_text(value)).map_err(|error| error.to_string())?;
            job.sharding_strategy = strategy.wire_class().to_owned();
            Ok(())
        }),
        "How items are shared out: `AVG_ALLOCATION`, `ODEVITY`, `ROUND_ROBIN`, or `MINIMAL_MOVES` (moves as few items as possible; Java peers do not have it).",
    ),
    row("description", Form::Text, "", JAVA, plain!(text description), "For people."),
    row(
        "disabled",
        Form::Flag,
        "false",
        JAVA,
        plain!(flag disabled),
        "Start with this server disabled for the job.",
    ),
    row(
        "overwrite",
        Form::Flag,
        "false",
        JAVA,
        plain!(flag overwrite),
        "At start, these settings replace those in the registry. Otherwise what the registry has, wins.",
    ),
    row(
        "monitorPort",
        INT32,
        "-1",
        JAVA,
        plain!(number monitor_port),
        "The dump port of Java peers; kept in the registry for them. Clockwright opens no such port.",
    ),
    row("label", Form::Text, "", JAVA, plain!(unused), "Of Elastic-Job 3.x; accepted and not used."),
    row(
        "jobBootstrapBeanName",
        Form::Text,
        "",
        JAVA,
        plain!(unused),
        "Of Elastic-Job 3.x's Spring Boot starter, the bean of a one-off job; accepted and not used.",
    ),
    row(
        "jobExecutorServiceHandlerType",
        Form::Text,
        "",
        JAVA,
        plain!(unused),
        "Of Elastic-Job 3.0; accepted and not used: there are no thread pools to size.",
    ),
    row(
        "jobExecutorThreadPoolSizeProviderType",
        Form::Text,
        "",
        JAVA,
        plain!(unused),
        "Of Elastic-Job 3.0.5; accepted and not used: there are no thread pools to size.",
    ),
    row(
        "staticSharding",
        Form::Flag,
        "false",
        of_3x("staticSharding"),
        plain!(flag static_sharding),
        "Leave items with their owners when instances come and go, even with owners that are gone; only another number of items makes a new plan. Java instances of 2.x do not know it.",
    ),
    row(
        "jobListenerTypes",
        Form::NoList,
        "[]",
        JAVA,
        plain!(unused),
        "Of Elastic-Job 3.x; only an empty list can be used, since listeners are code. The library has them.",
    ),
];

const ONLY_FIRE_ALL: &str = "only means something with `misfire: fire_all`";

fn job_type(job: &JobSettings) -> Option<Value> {
    Some(Value::Text(job.kind.word().to_owned()))
}

fn set_job_type(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let class_is_default = job.class == SCRIPT_CLASS || job.class == job.name.as_str();
    job.kind = match of_text(value).as_str() {
        "SCRIPT" => JobKind::Script { command_line: String::new() },
        "HTTP" => JobKind::Http,
        "DATAFLOW" => JobKind::Dataflow { streaming: false },
        _ => JobKind::Simple,
    };
    let script = matches!(job.kind, JobKind::Script { .. });
    if script || class_is_default {
        job.class = if script { SCRIPT_CLASS } else { job.name.as_str() }.to_owned();
    }
    fit_kind(job);
    Ok(())
}

fn class(job: &JobSettings) -> Option<Value> {
    let own = !matches!(job.kind, JobKind::Script { .. }) && job.class != job.name.as_str();
    own.then(|| Value::Text(job.class.clone()))
}

fn set_class(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let class = of_text(value);
    if !class.is_empty() && !matches!(job.kind, JobKind::Script { .. }) {
        job.class = class;
    }
    Ok(())
}

fn cron(job: &JobSettings) -> Option<Value> {
    let other = every(job).is_some() || once(job).is_some();
    (!other).then(|| Value::Text(job.cron.clone()))
}

fn every(job: &JobSettings) -> Option<Value> {
    job.cron.trim().strip_prefix("@every").map(|text| Value::Text(text.trim().to_owned()))
}

fn once(job: &JobSettings) -> Option<Value> {
    job.cron.trim().strip_prefix("@once").map(|text| Value::Text(text.trim().to_owned()))
}

/// The property that makes a dataflow stream.
const STREAMING: &str = "streaming.process";

/// The properties, with what the type of the job keeps for itself.
fn props(job: &JobSettings) -> Option<Value> {
    let mut props = job.props.clone();
    match &job.kind {
        JobKind::Script { command_line } if !command_line.is_empty() => {
            props.insert(crate::script::COMMAND_LINE.into(), command_line.clone());
        }
        JobKind::Dataflow { streaming: true } => drop(props.insert(STREAMING.into(), "true".into())),
        _ => {}
    }
    Some(Value::Texts(props))
}

fn set_props(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.props = match value {
        Value::Texts(props) => props,
        _ => Default::default(),
    };
    fit_kind(job);
    Ok(())
}

/// Takes from the properties what the type of the job keeps for itself.
fn fit_kind(job: &mut JobSettings) {
    match &mut job.kind {
        JobKind::Script { command_line } => {
            *command_line = job.props.get(crate::script::COMMAND_LINE).cloned().unwrap_or_default();
        }
        JobKind::Dataflow { streaming } => {
            *streaming = job.props.get(STREAMING).is_some_and(|text| text == "true");
        }
        JobKind::Simple | JobKind::Http => {}
    }
}

fn misfire(job: &JobSettings) -> Option<Value> {
    let word = match job.misfire {
        Misfire::FireOnce => "true",
        Misfire::Skip => "false",
        Misfire::FireAll { .. } => "fire_all",
    };
    Some(Value::Text(word.into()))
}

fn set_misfire(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.misfire = match (of_text(value).as_str(), job.misfire) {
        ("true" | "fire_once", _) => Misfire::FireOnce,
        ("fire_all", all @ Misfire::FireAll { .. }) => all,
        ("fire_all", _) => Misfire::FIRE_ALL,
        _ => Misfire::Skip,
    };
    Ok(())
}

fn error_handler(job: &JobSettings) -> Option<Value> {
    let word = match job.error_handler {
        ErrorHandler::Log => "LOG",
        ErrorHandler::Throw => "THROW",
        ErrorHandler::Ignore => "IGNORE",
    };
    Some(Value::Text(word.into()))
}

fn strategy(job: &JobSettings) -> Option<Value> {
    let word =
        Strategy::parse(&job.sharding_strategy).map_or(job.sharding_strategy.as_str(), |known| known.word());
    Some(Value::Text(word.to_owned()))
}
