//! A job's settings in one form: assembled from keys and values, written with what is not the default, and compared.

use crate::table::{SCHEDULES, SETTINGS, Setting, find, unknown};
use crate::value::Value;
use clockwright_model::{JobKind, JobName, JobSettings, SettingsError};
use serde_json::{Map, Value as Json};
use std::fmt;

/// Makes settings of what was given, in any order.
///
/// # Errors
/// Everything that does not fit together: no schedule or two, no type, a value that breaks a limit.
pub fn assemble(
    name: JobName,
    given: &[(&'static Setting, Value)],
) -> Result<JobSettings, Vec<SettingsError>> {
    let (settings, problems) = as_far_as_it_goes(name, given);
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// What can be set is set, and everything that cannot is told.
fn as_far_as_it_goes(
    name: JobName,
    given: &[(&'static Setting, Value)],
) -> (JobSettings, Vec<SettingsError>) {
    let mut problems = Vec::new();
    let has = |key: &str| given.iter().any(|(setting, _)| setting.key == key);
    let schedules: Vec<&str> = SCHEDULES.into_iter().filter(|key| has(key)).collect();
    match schedules[..] {
        [_] => {}
        [] => problems
            .push(SettingsError::new("cron", format!("is missing; give one of {}", SCHEDULES.join(", ")))),
        [first, second, ..] => {
            problems.push(SettingsError::new(second, format!("cannot be used together with {first}")));
        }
    }
    if !has("elasticJobType") && !has("elasticJobClass") {
        problems.push(SettingsError::new("elasticJobType", "is missing; it is SCRIPT or HTTP"));
    }
    let mut settings = JobSettings::new(name, JobKind::Simple, "", 1);
    for setting in SETTINGS {
        for (_, value) in given.iter().filter(|(given, _)| given.key == setting.key) {
            if let Err(message) = setting.set(&mut settings, value.clone()) {
                problems.push(SettingsError::new(setting.key, message));
            }
        }
    }
    (settings, problems)
}

/// The settings that are not what they would be unless set, in the order of the table; schedule and type always.
#[must_use]
pub fn canonical(settings: &JobSettings) -> Vec<(&'static Setting, Value)> {
    let plain = JobSettings::new(settings.name.clone(), settings.kind.clone(), &settings.cron, 1);
    let always = |setting: &Setting| setting.key == "elasticJobType" || SCHEDULES.contains(&setting.key);
    let changed = |setting: &&'static Setting| {
        let value = setting.get(settings)?;
        let is_default = match setting.default {
            "" | "{}" => setting.get(&plain).as_ref() == Some(&value) && setting.key != "props",
            text => setting.form.of_text(text).is_ok_and(|default| default == value),
        };
        (always(setting) || !is_default && value != Value::Texts(Default::default())).then_some(value)
    };
    SETTINGS.iter().filter_map(|setting| changed(&setting).map(|value| (setting, value))).collect()
}

/// The canonical form as a JSON object: the keys of a jobs file, `retry` and the like nested.
#[must_use]
pub fn to_json(settings: &JobSettings) -> Json {
    let mut out = Map::new();
    for (setting, value) in canonical(settings) {
        match setting.key.split_once('.') {
            None => drop(out.insert(setting.key.to_owned(), value.to_json())),
            Some((outer, inner)) => {
                let map = out.entry(outer).or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(map) = map {
                    map.insert(inner.to_owned(), value.to_json());
                }
            }
        }
    }
    Json::Object(out)
}

/// Reads what [`to_json`] writes, or a job of a jobs file said in JSON.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_json(name: JobName, json: &Json) -> Result<JobSettings, Vec<SettingsError>> {
    let (given, mut problems) = read_json(json)?;
    match assemble(name, &given) {
        Ok(settings) if problems.is_empty() => Ok(settings),
        // What a failed key left out is no second problem.
        Err(more) if problems.is_empty() => {
            problems = more;
            Err(problems)
        }
        _ => Err(problems),
    }
}

/// As [`from_json`], and everything else that stands against the job's use ([`check`](crate::check)), all at once.
///
/// # Errors
/// Everything that is wrong with it, each key once.
pub fn usable_from_json(name: JobName, json: &Json) -> Result<JobSettings, Vec<SettingsError>> {
    let (given, mut problems) = read_json(json)?;
    let (settings, more) = as_far_as_it_goes(name, &given);
    if problems.is_empty() {
        problems = more;
    }
    let about_what_was_given =
        |error: &SettingsError| given.iter().any(|(setting, _)| error.field == setting.key);
    for error in crate::check(&settings).err().unwrap_or_default() {
        let told = problems.iter().any(|problem| problem.field == error.field);
        // What could not be read is at its default, which says nothing about what was meant.
        if !told && (problems.is_empty() || about_what_was_given(&error)) {
            problems.push(error);
        }
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// The settings that JSON names, and what is wrong with its keys and values.
type Given = (Vec<(&'static Setting, Value)>, Vec<SettingsError>);

fn read_json(json: &Json) -> Result<Given, Vec<SettingsError>> {
    let Json::Object(map) = json else {
        return Err(vec![SettingsError::new("", "is not a JSON object")]);
    };
    let mut flat: Vec<(String, &Json)> = Vec::new();
    for (key, value) in map {
        match value {
            Json::Object(inner) if find(key).is_none() => {
                flat.extend(inner.iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
            }
            _ => flat.push((key.clone(), value)),
        }
    }
    let (mut given, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in flat {
        match find(&key) {
            None => problems.push(SettingsError::new(
                key.as_str(),
                unknown(&key, SETTINGS.iter().map(|setting| setting.key)),
            )),
            Some(setting) => match setting.form.of_json(value) {
                Ok(value) => given.push((setting, value)),
                Err(message) => problems.push(SettingsError::new(setting.key, message)),
            },
        }
    }
    Ok((given, problems))
}

/// A setting that differs between two jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: &'static str,
    /// What it was; `None` when there was nothing.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

/// For people: `retry.maxAttempts: 3 → 1`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        write!(f, "{}: {} → {}", self.key, say(&self.before), say(&self.after))
    }
}

/// Which settings differ, in the order of the table. Names are not compared.
#[must_use]
pub fn diff(before: &JobSettings, after: &JobSettings) -> Vec<Change> {
    let mut changes = Vec::new();
    for setting in SETTINGS {
        let (before, after) = (setting.get(before), setting.get(after));
        if before != after {
            changes.push(Change { key: setting.key, before, after });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{ErrorHandler, Exclusive, Misfire, Retry};

    fn rich() -> JobSettings {
        let mut job = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "", 3);
        job.kind = JobKind::Script { command_line: "echo 'a b'".into() };
        job.class = clockwright_model::job::SCRIPT_CLASS.into();
        job.props.insert("script.command.line".into(), "echo 'a b'".into());
        job.props.insert("script.env.A".into(), "1".into());
        job.cron = "@every 90s".into();
        job.time_zone = Some("Asia/Shanghai".into());
        job.misfire = Misfire::FireAll { cap: 7, window: 60_000 };
        job.retry = Retry { max_attempts: 3, backoff: 250, max_backoff: 60_000 };
        job.timeout = Some(600_000);
        job.exclusive = Exclusive::BestEffort;
        job.error_handler = ErrorHandler::Ignore;
        job.failover = true;
        job.monitor_execution = false;
        job.sharding_item_parameters = "0=x".into();
        job
    }

    #[test]
    fn the_canonical_form_reads_back_as_the_same_settings() {
        let job = rich();
        let json = to_json(&job);
        assert_eq!(json["retry"], serde_json::json!({"maxAttempts": 3, "backoff": "250ms"}));
        assert_eq!(json.get("monitorPort"), None);
        assert_eq!(from_json(job.name.clone(), &json), Ok(job));
    }

    #[test]
    fn every_setting_that_is_got_can_be_set_and_makes_the_only_difference() {
        let plain = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "0 0 12 * * ?", 1);
        let mut copy = plain.clone();
        for setting in SETTINGS {
            setting.copy(&rich(), &mut copy);
        }
        assert_eq!(copy, rich());
        assert_eq!(diff(&copy, &rich()), []);
    }

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let (before, mut after) = (rich(), rich());
        after.retry.max_attempts = 1;
        after.timeout = None;
        let changes: Vec<String> = diff(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["retry.maxAttempts: 3 → 1", "timeout: 10m → nothing"]);
    }

    #[test]
    fn json_with_an_unknown_key_or_a_wrong_value_is_refused_with_all_that_is_wrong() {
        let json = serde_json::json!({"elasticJobType": "HTTP", "cron": "x", "shardingTotalCount": 0, "retry": {"maxAttempt": 1}});
        let problems = from_json(JobName::new("a").unwrap(), &json).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().any(|text| text.contains("did you mean `retry.maxAttempts`")), "{said:?}");
    }
}
