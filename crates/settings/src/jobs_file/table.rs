//! Every key of a job in a jobs file, in one table: what it means, its default, and how it is read. The reference page is
//! generated from it.

use super::units::{duration, quartz_from_unix, say};
use super::yaml::{Value, Yaml};
use crate::{HttpSettings, ScriptSettings};
use clockwright_model::{ErrorHandler, Exclusive, JobKind, JobName, JobSettings, Millis, Misfire, Retry};
use clockwright_planner::sharding::Strategy;
use std::collections::BTreeMap;

/// One key.
pub(super) struct Field {
    pub(super) key: &'static str,
    /// The default, as one would write it; empty when there is none.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
    read: fn(&mut Draft, &Yaml) -> Result<(), String>,
}

impl Field {
    pub(super) fn read(&self, draft: &mut Draft, value: &Yaml) -> Result<(), String> {
        (self.read)(draft, value)
    }
}

/// The keys that say when; a job has exactly one of them.
pub(super) const SCHEDULES: [&str; 4] = ["cron", "every", "once", "unixCron"];

/// A job while its keys are read, in any order.
#[derive(Default)]
pub(super) struct Draft {
    kind: Option<String>,
    class: Option<String>,
    /// The schedule as the planner reads it, by the key that gave it.
    pub(super) schedule: Vec<(&'static str, String)>,
    time_zone: Option<String>,
    count: Option<u32>,
    item_parameters: String,
    job_parameter: String,
    failover: bool,
    misfire: Option<Misfire>,
    misfire_cap: Option<u32>,
    misfire_window: Option<Millis>,
    no_monitor: bool,
    max_time_diff: Option<i32>,
    monitor_port: Option<i32>,
    strategy: String,
    static_sharding: bool,
    reconcile: Option<i32>,
    description: String,
    disabled: bool,
    overwrite: bool,
    error_handler: ErrorHandler,
    retry: Retry,
    timeout: Option<Millis>,
    exclusive: Exclusive,
    props: BTreeMap<String, String>,
}

impl Draft {
    /// The settings, or the fields that do not fit together.
    pub(super) fn finish(self, name: JobName) -> Result<JobSettings, (&'static str, String)> {
        let cron = match &self.schedule[..] {
            [(_, text)] => text.clone(),
            [] => return Err(("cron", "is missing; give one of cron, every, once, unixCron".into())),
            [(first, _), (second, _), ..] => {
                return Err((second, format!("cannot be used together with {first}")));
            }
        };
        let streaming = self.props.get("streaming.process").is_some_and(|text| text == "true");
        let kind = match (self.kind.as_deref(), &self.class) {
            (Some("SCRIPT"), _) => {
                let command_line = self.props.get("script.command.line").cloned().unwrap_or_default();
                ScriptSettings::parse(&command_line, &self.props)
                    .map_err(|error| ("props", error.to_string()))?;
                JobKind::Script { command_line }
            }
            (Some("HTTP"), _) => {
                HttpSettings::parse(&self.props).map_err(|error| ("props", error.to_string()))?;
                JobKind::Http
            }
            (Some("DATAFLOW"), _) => JobKind::Dataflow { streaming },
            (Some(_), _) | (None, Some(_)) => JobKind::Simple,
            (None, None) => return Err(("elasticJobType", "is missing; it is SCRIPT or HTTP".into())),
        };
        let misfire = match (self.misfire.unwrap_or(Misfire::FireOnce), self.misfire_cap, self.misfire_window)
        {
            (Misfire::FireAll { cap, window }, new_cap, new_window) => {
                Misfire::FireAll { cap: new_cap.unwrap_or(cap), window: new_window.unwrap_or(window) }
            }
            (misfire, None, None) => misfire,
            (_, Some(_), _) => {
                return Err(("misfireCap", "only means something with `misfire: fire_all`".into()));
            }
            (_, _, Some(_)) => {
                return Err(("misfireWindow", "only means something with `misfire: fire_all`".into()));
            }
        };
        let mut settings = JobSettings::new(name, kind, &cron, self.count.unwrap_or(1));
        if let (Some(class), false) = (self.class, matches!(settings.kind, JobKind::Script { .. })) {
            settings.class = class;
        }
        settings.misfire = misfire;
        settings.time_zone = self.time_zone;
        settings.sharding_item_parameters = self.item_parameters;
        settings.job_parameter = self.job_parameter;
        settings.failover = self.failover;
        settings.monitor_execution = !self.no_monitor;
        settings.max_time_diff_seconds = self.max_time_diff.unwrap_or(settings.max_time_diff_seconds);
        settings.monitor_port = self.monitor_port.unwrap_or(settings.monitor_port);
        settings.sharding_strategy = self.strategy;
        settings.static_sharding = self.static_sharding;
        settings.reconcile_interval_minutes = self.reconcile.unwrap_or(settings.reconcile_interval_minutes);
        settings.description = self.description;
        settings.disabled = self.disabled;
        settings.overwrite = self.overwrite;
        settings.error_handler = self.error_handler;
        settings.retry = self.retry;
        settings.timeout = self.timeout;
        settings.exclusive = self.exclusive;
        settings.props = self.props;
        Ok(settings)
    }
}

/// The keys of a job, in the order of the reference page.
pub(super) const FIELDS: &[Field] = &[
    Field {
        key: "elasticJobType",
        default: "",
        help: "What is run: `SCRIPT` (a program) or `HTTP` (a request). `SIMPLE` and `DATAFLOW` jobs are code: the library runs them, not a jobs file.",
        read: |draft, value| {
            draft.kind = Some(word(value, &["SCRIPT", "HTTP", "SIMPLE", "DATAFLOW"])?.to_owned());
            Ok(())
        },
    },
    Field {
        key: "elasticJobClass",
        default: "",
        help: "The class of a `SIMPLE` or `DATAFLOW` job, as Java peers know it.",
        read: |draft, value| {
            draft.class = Some(text(value)?);
            Ok(())
        },
    },
    Field {
        key: "cron",
        default: "",
        help: "When: Quartz cron, `second minute hour day-of-month month day-of-week [year]`, for example `0 0/5 * * * ?`. Exactly one of `cron`, `every`, `once` and `unixCron` is given. An empty cron, `''`, is a one-off job of Elastic-Job 3.x, which fires only when it is triggered; the layout of 2.x has none.",
        read: |draft, value| {
            if value.is_null() {
                return Err("has no value; `''` makes a one-off job of Elastic-Job 3.x".into());
            }
            draft.schedule.push(("cron", text(value)?));
            Ok(())
        },
    },
    Field {
        key: "every",
        default: "",
        help: "When: a fixed interval such as `30s` or `1h30m` (units ms, s, m, h, d), counted from the epoch, so that all instances agree.",
        read: |draft, value| {
            let every = text(value)?;
            if duration(&every)? == 0 {
                return Err("must be longer than 0".into());
            }
            draft.schedule.push(("every", format!("@every {every}")));
            Ok(())
        },
    },
    Field {
        key: "once",
        default: "",
        help: "When: one instant, RFC 3339, for example `2026-01-01T08:00:00+08:00`.",
        read: |draft, value| {
            draft.schedule.push(("once", format!("@once {}", text(value)?)));
            Ok(())
        },
    },
    Field {
        key: "unixCron",
        default: "",
        help: "When: five-field Unix cron, `minute hour day-of-month month day-of-week` (0 and 7 are Sunday), for example `*/5 * * * 1-5`. It is stored in the Quartz dialect.",
        read: |draft, value| {
            draft.schedule.push(("unixCron", quartz_from_unix(&text(value)?)?));
            Ok(())
        },
    },
    Field {
        key: "timeZone",
        default: "",
        help: "The zone of `cron` and `unixCron`: an IANA name such as `Asia/Shanghai`, or `GMT+8`. Without it, the zone of the machine.",
        read: |draft, value| {
            draft.time_zone = Some(text(value)?).filter(|zone| !zone.is_empty());
            Ok(())
        },
    },
    Field {
        key: "shardingTotalCount",
        default: "1",
        help: "How many items the job is cut into, 1 to 100000.",
        read: |draft, value| {
            draft.count = Some(number(value, 1, clockwright_model::job::MAX_ITEMS)?);
            Ok(())
        },
    },
    Field {
        key: "shardingItemParameters",
        default: "",
        help: "A parameter for each item: `0=a,1=b`.",
        read: |draft, value| {
            draft.item_parameters = text(value)?;
            Ok(())
        },
    },
    Field {
        key: "jobParameter",
        default: "",
        help: "A text that every run gets.",
        read: |draft, value| {
            draft.job_parameter = text(value)?;
            Ok(())
        },
    },
    Field {
        key: "props",
        default: "{}",
        help: "Properties of the job's type. SCRIPT: `script.command.line` (required; a program and its arguments), `script.shell` (`true`: the line is for `/bin/sh -c`, with pipes and variables; `false`), `script.context` (`argument`: the context as JSON in one last argument, with a shell `$1`; `env`: only in the variable `CLOCKWRIGHT_CONTEXT`), `script.directory` (where it runs), `script.env.NAME` (a variable). HTTP: `http.uri` and `http.method` (required), `http.data`, `http.content.type`, `http.connect.timeout.milliseconds` (3000), `http.read.timeout.milliseconds` (5000). DATAFLOW: `streaming.process`.",
        read: |draft, value| {
            let Value::Map(entries) = &value.value else {
                return Err(format!(
                    "is {}; it is a map such as `{{script.command.line: echo hello}}`",
                    value.kind()
                ));
            };
            for entry in entries {
                let text = text(&entry.value).map_err(|error| format!("`{}` {error}", entry.key))?;
                if draft.props.insert(entry.key.clone(), text).is_some() {
                    return Err(format!("`{}` is given twice", entry.key));
                }
            }
            Ok(())
        },
    },
    Field {
        key: "failover",
        default: "false",
        help: "Run what a dead instance left unfinished on another instance at once.",
        read: |draft, value| {
            draft.failover = flag(value)?;
            Ok(())
        },
    },
    Field {
        key: "misfire",
        default: "true",
        help: "What happens to instants that passed while an item was busy or unowned: `true` or `fire_once` (one run makes up for all of them), `false` or `skip` (they are recorded as missed), `fire_all` (each of them runs).",
        read: |draft, value| {
            draft.misfire = Some(match word(value, &["true", "false", "fire_once", "skip", "fire_all"])? {
                "true" | "fire_once" => Misfire::FireOnce,
                "fire_all" => Misfire::FIRE_ALL,
                _ => Misfire::Skip,
            });
            Ok(())
        },
    },
    Field {
        key: "misfireCap",
        default: "100",
        help: "With `misfire: fire_all`: how many instants run late at most; older ones are missed.",
        read: |draft, value| {
            draft.misfire_cap = Some(number(value, 1, 1_000_000)?);
            Ok(())
        },
    },
    Field {
        key: "misfireWindow",
        default: "1d",
        help: "With `misfire: fire_all`: instants older than this are missed.",
        read: |draft, value| {
            draft.misfire_window = Some(positive(value)?);
            Ok(())
        },
    },
    Field {
        key: "retry",
        default: "{maxAttempts: 1, backoff: 1s, maxBackoff: 1m}",
        help: "More attempts after a failed one: all attempts together (1 is no retry), the wait before the second one (doubled for each further one), and the longest wait.",
        read: |draft, value| {
            let Value::Map(entries) = &value.value else {
                return Err(format!(
                    "is {}; it is a map such as `{{maxAttempts: 3, backoff: 1s}}`",
                    value.kind()
                ));
            };
            for entry in entries {
                let read = match entry.key.as_str() {
                    "maxAttempts" => number(&entry.value, 1, 1_000).map(|n| draft.retry.max_attempts = n),
                    "backoff" => positive(&entry.value).map(|wait| draft.retry.backoff = wait),
                    "maxBackoff" => positive(&entry.value).map(|wait| draft.retry.max_backoff = wait),
                    other => return Err(super::unknown(other, ["maxAttempts", "backoff", "maxBackoff"])),
                };
                read.map_err(|error| format!("`{}` {error}", entry.key))?;
            }
            Ok(())
        },
    },
    Field {
        key: "timeout",
        default: "",
        help: "The longest that one attempt may take, for example `10m`; then it is ended. Without it there is no limit.",
        read: |draft, value| {
            draft.timeout = Some(positive(value)?);
            Ok(())
        },
    },
    Field {
        key: "exclusive",
        default: "strict",
        help: "When an instance can no longer prove that it owns an item: `strict` ends the run before anybody else can start it, `best_effort` lets it go on.",
        read: |draft, value| {
            draft.exclusive = match word(value, &["strict", "best_effort"])? {
                "strict" => Exclusive::Strict,
                _ => Exclusive::BestEffort,
            };
            Ok(())
        },
    },
    Field {
        key: "jobErrorHandlerType",
        default: "LOG",
        help: "What is done with a failure besides recording it: `LOG`, `THROW` (no retry, no after-listeners) or `IGNORE`.",
        read: |draft, value| {
            draft.error_handler = match word(value, &["LOG", "THROW", "IGNORE"])? {
                "LOG" => ErrorHandler::Log,
                "THROW" => ErrorHandler::Throw,
                _ => ErrorHandler::Ignore,
            };
            Ok(())
        },
    },
    Field {
        key: "monitorExecution",
        default: "true",
        help: "Mark running items in the registry, so that peers and consoles see them. Jobs that run every few seconds may turn it off.",
        read: |draft, value| {
            draft.no_monitor = !flag(value)?;
            Ok(())
        },
    },
    Field {
        key: "maxTimeDiffSeconds",
        default: "-1",
        help: "The greatest difference to the registry's clock, in seconds; -1 checks nothing.",
        read: |draft, value| {
            draft.max_time_diff = Some(signed(value)?);
            Ok(())
        },
    },
    Field {
        key: "reconcileIntervalMinutes",
        default: "10",
        help: "How often the leader compares the plan with who is there, in minutes; 0 is never.",
        read: |draft, value| {
            draft.reconcile = Some(signed(value)?);
            Ok(())
        },
    },
    Field {
        key: "jobShardingStrategyType",
        default: "AVG_ALLOCATION",
        help: "How items are shared out: `AVG_ALLOCATION`, `ODEVITY`, `ROUND_ROBIN`, or `MINIMAL_MOVES` (moves as few items as possible; Java peers do not have it).",
        read: |draft, value| {
            draft.strategy =
                Strategy::parse(&text(value)?).map_err(|error| error.to_string())?.wire_class().to_owned();
            Ok(())
        },
    },
    Field {
        key: "description",
        default: "",
        help: "For people.",
        read: |draft, value| {
            draft.description = text(value)?;
            Ok(())
        },
    },
    Field {
        key: "disabled",
        default: "false",
        help: "Start with this server disabled for the job.",
        read: |draft, value| {
            draft.disabled = flag(value)?;
            Ok(())
        },
    },
    Field {
        key: "overwrite",
        default: "false",
        help: "At start, these settings replace those in the registry. Otherwise what the registry has, wins.",
        read: |draft, value| {
            draft.overwrite = flag(value)?;
            Ok(())
        },
    },
    Field {
        key: "monitorPort",
        default: "-1",
        help: "The dump port of Java peers; kept in the registry for them. Clockwright opens no such port.",
        read: |draft, value| {
            draft.monitor_port = Some(signed(value)?);
            Ok(())
        },
    },
    Field {
        key: "label",
        default: "",
        help: "Of Elastic-Job 3.x; accepted and not used.",
        read: |_, value| text(value).map(drop),
    },
    Field {
        key: "jobExecutorServiceHandlerType",
        default: "",
        help: "Of Elastic-Job 3.0; accepted and not used: there are no thread pools to size.",
        read: |_, value| text(value).map(drop),
    },
    Field {
        key: "jobExecutorThreadPoolSizeProviderType",
        default: "",
        help: "Of Elastic-Job 3.0.5; accepted and not used: there are no thread pools to size.",
        read: |_, value| text(value).map(drop),
    },
    Field {
        key: "staticSharding",
        default: "false",
        help: "Leave items with their owners when instances come and go, even with owners that are gone; only another number of items makes a new plan. Java instances of 2.x do not know it.",
        read: |draft, value| {
            draft.static_sharding = flag(value)?;
            Ok(())
        },
    },
    Field {
        key: "jobListenerTypes",
        default: "[]",
        help: "Of Elastic-Job 3.x; only an empty list can be used, since listeners are code. The library has them.",
        read: |_, value| match &value.value {
            Value::List(list) if list.is_empty() => Ok(()),
            _ => Err("is not supported in a jobs file: listeners are code, use the library".into()),
        },
    },
];

/// A scalar's text.
fn text(value: &Yaml) -> Result<String, String> {
    match &value.value {
        Value::Scalar { text, .. } if value.is_null() => Ok(text.replace("null", "").replace('~', "")),
        Value::Scalar { text, .. } => Ok(text.clone()),
        _ => Err(format!("is {}; it is a text", value.kind())),
    }
}

fn flag(value: &Yaml) -> Result<bool, String> {
    match &value.value {
        Value::Scalar { text, .. } if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::Scalar { text, .. } if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::Scalar { text, .. } => Err(format!("is `{text}`; it is true or false")),
        _ => Err(format!("is {}; it is true or false", value.kind())),
    }
}

fn number(value: &Yaml, least: u32, most: u32) -> Result<u32, String> {
    let given = text(value)?;
    let found: i64 = given.parse().map_err(|_| format!("is `{given}`; it is a whole number"))?;
    u32::try_from(found)
        .ok()
        .filter(|found| (least..=most).contains(found))
        .ok_or_else(|| format!("is {found}; it is a number from {least} to {most}"))
}

fn signed(value: &Yaml) -> Result<i32, String> {
    let given = text(value)?;
    given.parse().map_err(|_| format!("is `{given}`; it is a whole number"))
}

fn positive(value: &Yaml) -> Result<Millis, String> {
    match duration(&text(value)?)? {
        0 => Err(format!("is {}; it must be longer than 0", say(0))),
        duration => Ok(duration),
    }
}

/// One of the allowed words, however it is spelt in upper and lower case.
fn word(value: &Yaml, allowed: &[&'static str]) -> Result<&'static str, String> {
    let given = text(value)?;
    let list = allowed.join(", ");
    allowed
        .iter()
        .find(|word| word.eq_ignore_ascii_case(&given))
        .copied()
        .ok_or_else(|| format!("is `{given}`; it is one of {list}"))
}
