//! How each setting is got from a job and put into it, where that is more than one field.

use super::nothing;
use crate::units::{duration, quartz_from_unix};
use crate::value::Value;
use clockwright_model::job::SCRIPT_CLASS;
use clockwright_model::{ErrorHandler, Exclusive, JobKind, JobSettings, Misfire};
use clockwright_planner::schedule::java_offset;
use clockwright_planner::sharding::Strategy;

/// How a setting is got, and how it is set; the error of that says what would be right.
pub(super) type Access =
    (fn(&JobSettings) -> Option<Value>, fn(&mut JobSettings, Value) -> Result<(), String>);

pub(super) fn of_text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => other.to_string(),
    }
}

pub(super) fn of_flag(value: &Value) -> bool {
    matches!(value, Value::Flag(true))
}

pub(super) fn of_number<N: TryFrom<i64>>(value: &Value) -> Result<N, String> {
    let number = match value {
        Value::Number(number) => *number,
        _ => 0,
    };
    N::try_from(number).map_err(|_| format!("is {number}, which is out of range"))
}

pub(super) fn of_duration(value: &Value) -> i64 {
    match value {
        Value::Duration(duration) | Value::Number(duration) => *duration,
        _ => 0,
    }
}

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

pub(super) use plain;

pub(super) fn job_type(job: &JobSettings) -> Option<Value> {
    Some(Value::Text(job.kind.word().to_owned()))
}

pub(super) fn set_job_type(job: &mut JobSettings, value: Value) -> Result<(), String> {
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

pub(super) fn class(job: &JobSettings) -> Option<Value> {
    let own = !matches!(job.kind, JobKind::Script { .. }) && job.class != job.name.as_str();
    own.then(|| Value::Text(job.class.clone()))
}

pub(super) fn set_class(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let class = of_text(value);
    if !class.is_empty() && !matches!(job.kind, JobKind::Script { .. }) {
        job.class = class;
    }
    Ok(())
}

pub(super) fn cron(job: &JobSettings) -> Option<Value> {
    let other = every(job).is_some() || once(job).is_some();
    (!other).then(|| Value::Text(job.cron.clone()))
}

pub(super) fn set_cron(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.cron = of_text(value);
    Ok(())
}

/// As a config has it: whatever says when is there.
pub(super) const RAW_CRON: Access = plain!(text cron);

pub(super) fn every(job: &JobSettings) -> Option<Value> {
    job.cron.trim().strip_prefix("@every").map(|text| Value::Text(text.trim().to_owned()))
}

pub(super) fn set_every(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let text = of_text(value);
    if duration(&text)? == 0 {
        return Err("must be longer than 0".into());
    }
    job.cron = format!("@every {text}");
    Ok(())
}

pub(super) fn once(job: &JobSettings) -> Option<Value> {
    job.cron.trim().strip_prefix("@once").map(|text| Value::Text(text.trim().to_owned()))
}

pub(super) fn set_once(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let instant = of_text(value);
    if instant.trim().is_empty() {
        return Err("has no instant".into());
    }
    job.cron = format!("@once {}", instant.trim());
    Ok(())
}

pub(super) fn set_unix_cron(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.cron = quartz_from_unix(&of_text(value))?;
    Ok(())
}

pub(super) fn time_zone(job: &JobSettings) -> Option<Value> {
    job.time_zone.clone().map(Value::Text)
}

pub(super) fn set_time_zone(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let zone = of_text(value).trim().to_owned();
    // Java takes an offset that it cannot read for Greenwich, without a word.
    let zone = java_offset(&zone).unwrap_or(zone);
    job.time_zone = Some(zone).filter(|zone| !zone.is_empty());
    Ok(())
}

/// As a config of 3.x has it: Java knows only offsets from Greenwich.
pub(super) const JAVAS_ZONE: Access = (
    |job| job.time_zone.clone().filter(|zone| zone.starts_with("GMT")).map(Value::Text),
    |job, value| {
        job.time_zone = Some(of_text(value)).filter(|zone| !zone.is_empty());
        Ok(())
    },
);

/// The property that makes a dataflow stream.
const STREAMING: &str = "streaming.process";

/// The property that a type of jobs keeps for itself: what it says is a part of the type.
pub(crate) fn kept_by_type(kind: &JobKind) -> Option<&'static str> {
    match kind {
        JobKind::Script { .. } => Some(crate::script::COMMAND_LINE),
        JobKind::Dataflow { .. } => Some(STREAMING),
        JobKind::Simple | JobKind::Http => None,
    }
}

/// The properties, with what the type of the job keeps for itself.
pub(super) fn props(job: &JobSettings) -> Option<Value> {
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

pub(super) fn set_props(job: &mut JobSettings, value: Value) -> Result<(), String> {
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

pub(super) fn misfire(job: &JobSettings) -> Option<Value> {
    let word = match job.misfire {
        Misfire::FireOnce => "true",
        Misfire::Skip => "false",
        Misfire::FireAll { .. } => "fire_all",
    };
    Some(Value::Text(word.into()))
}

pub(super) fn set_misfire(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.misfire = match (of_text(value).as_str(), job.misfire) {
        ("true" | "fire_once", _) => Misfire::FireOnce,
        ("fire_all", all @ Misfire::FireAll { .. }) => all,
        ("fire_all", _) => Misfire::FIRE_ALL,
        _ => Misfire::Skip,
    };
    Ok(())
}

/// As Java has it: whether passed instants are made up for, not how.
pub(super) const WHETHER_MISFIRED: Access = (
    |job| Some(Value::Flag(job.misfire.as_wire())),
    |job, value| {
        job.misfire = if of_flag(&value) { Misfire::FireOnce } else { Misfire::Skip };
        Ok(())
    },
);

pub(super) fn misfire_cap(job: &JobSettings) -> Option<Value> {
    match job.misfire {
        Misfire::FireAll { cap, .. } => Some(Value::Number(cap.into())),
        _ => None,
    }
}

pub(super) fn set_misfire_cap(job: &mut JobSettings, value: Value) -> Result<(), String> {
    match &mut job.misfire {
        Misfire::FireAll { cap, .. } if value != nothing() => of_number(&value).map(|new| *cap = new),
        _ => Err(ONLY_FIRE_ALL.into()),
    }
}

pub(super) fn misfire_window(job: &JobSettings) -> Option<Value> {
    match job.misfire {
        Misfire::FireAll { window, .. } => Some(Value::Duration(window)),
        _ => None,
    }
}

pub(super) fn set_misfire_window(job: &mut JobSettings, value: Value) -> Result<(), String> {
    match &mut job.misfire {
        Misfire::FireAll { window, .. } if value != nothing() => {
            *window = of_duration(&value);
            Ok(())
        }
        _ => Err(ONLY_FIRE_ALL.into()),
    }
}

const ONLY_FIRE_ALL: &str = "only means something with `misfire: fire_all`";

pub(super) fn timeout(job: &JobSettings) -> Option<Value> {
    job.timeout.map(Value::Duration)
}

pub(super) fn set_timeout(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.timeout = Some(of_duration(&value)).filter(|timeout| *timeout != 0);
    Ok(())
}

pub(super) fn exclusive(job: &JobSettings) -> Option<Value> {
    let strict = job.exclusive == Exclusive::Strict;
    Some(Value::Text(if strict { "strict" } else { "best_effort" }.into()))
}

pub(super) fn set_exclusive(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let strict = of_text(value) != "best_effort";
    job.exclusive = if strict { Exclusive::Strict } else { Exclusive::BestEffort };
    Ok(())
}

pub(super) fn error_handler(job: &JobSettings) -> Option<Value> {
    let word = match job.error_handler {
        ErrorHandler::Log => "LOG",
        ErrorHandler::Throw => "THROW",
        ErrorHandler::Ignore => "IGNORE",
    };
    Some(Value::Text(word.into()))
}

pub(super) fn set_error_handler(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.error_handler = match of_text(value).as_str() {
        "THROW" => ErrorHandler::Throw,
        "IGNORE" => ErrorHandler::Ignore,
        _ => ErrorHandler::Log,
    };
    Ok(())
}

/// Instances of 3.x take every number below 0 for none.
pub(super) const DIFF_OF_3X: Access = (
    |job| Some(Value::Number(job.max_time_diff_seconds.into())),
    |job, value| {
        job.max_time_diff_seconds = of_number::<i32>(&value)?.max(-1);
        Ok(())
    },
);

pub(super) fn strategy(job: &JobSettings) -> Option<Value> {
    let word =
        Strategy::parse(&job.sharding_strategy).map_or(job.sharding_strategy.as_str(), |known| known.word());
    Some(Value::Text(word.to_owned()))
}

pub(super) fn set_strategy(job: &mut JobSettings, value: Value) -> Result<(), String> {
    let strategy = Strategy::parse(&of_text(value)).map_err(|error| error.to_string())?;
    job.sharding_strategy = strategy.wire_class().to_owned();
    Ok(())
}

fn keep_strategy(job: &mut JobSettings, value: Value) -> Result<(), String> {
    job.sharding_strategy = of_text(value);
    Ok(())
}

/// As a config of 2.x has it: a class, which need not be one that we know.
pub(super) const RAW_STRATEGY: Access = plain!(text sharding_strategy);

/// As a config of 3.x has it: a word, which need not be one that we know.
pub(super) const STRATEGY_WORD: Access = (strategy, keep_strategy);
