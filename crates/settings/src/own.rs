//! What no Java instance knows: settings under keys of ours in a config of 2.x, and settings that a config cannot hold.
//!
//! In 2.x they stand in one extra key, `clockwright`, one by one: a key that is there says what it says, a default too; a key that
//! is not there was never set in the registry, or a Java console dropped it with its edit, and each instance has that setting from its
//! own file. So an edit that takes a setting back to its default writes that default: left out, it would mean "as each file says".
//!
//! A config of 3.x can hold none of them, since Java refuses keys that it does not know: see [`take_local`].

use crate::table::{SETTINGS, Setting, kept_by_type, nothing};
use crate::value::{Form, Value};
use clockwright_model::{JobKind, JobSettings, Misfire, SettingsError};
use serde_json::{Map, Value as Json};

/// The block for these settings: what is not the default, and each key that `before` has already, whatever it is now.
#[must_use]
pub fn write(settings: &JobSettings, before: Option<&Map<String, Json>>) -> Map<String, Json> {
    let plain = JobSettings::new(settings.name.clone(), settings.kind.clone(), &settings.cron, 1);
    let mut own = Map::new();
    let had = |key: &str| before.is_some_and(|before| before.contains_key(key));
    if settings.kind == JobKind::Http || had("type") {
        own.insert("type".into(), settings.kind.word().into());
    }
    for (setting, key) in keys() {
        let value = raw(setting, settings);
        if value == raw(setting, &plain) && !had(key) {
            continue;
        }
        // Java's own key says whether passed instants are made up for; ours only how.
        let java_says = key == "misfire" && !had(key) && !matches!(settings.misfire, Misfire::FireAll { .. });
        if let Some(value) =
            value.filter(|_| !java_says).or_else(|| had(key).then(|| none(setting)).flatten())
        {
            own.insert(key.into(), to_json(&value));
        }
    }
    own
}

/// Reads the block into settings that were read from the rest of the config. What it does not say comes from `local`, the job as
/// its own process defines it.
///
/// # Errors
/// Names the key that cannot be used.
pub fn read(
    settings: &mut JobSettings,
    own: Option<&Map<String, Json>>,
    local: Option<&JobSettings>,
) -> Result<(), SettingsError> {
    let skips = settings.misfire == Misfire::Skip;
    for (setting, key) in keys() {
        if skips && key.starts_with("misfire") {
            continue;
        }
        match (own.and_then(|own| own.get(key)), local) {
            (Some(json), _) => {
                let value = of_json(setting, json).map_err(|message| SettingsError::new(key, message))?;
                match setting.key {
                    "props" => set_props(settings, value),
                    // That passed instants are made up for is Java's to say, and was said.
                    "misfire" if value != Value::Text("fire_all".into()) => {}
                    // Caps and windows of what is not made up for mean nothing.
                    _ => drop(setting.set_any(settings, value)),
                }
            }
            (None, Some(local)) => take(settings, setting, local),
            (None, None) => {}
        }
    }
    Ok(())
}

/// Takes from the local job what a config of 3.x cannot hold.
pub fn take_local(settings: &mut JobSettings, local: &JobSettings) {
    for setting in SETTINGS.iter().filter(|setting| !setting.kept.fits_3x()) {
        if setting.key.starts_with("misfire") && settings.misfire == Misfire::Skip {
            continue;
        }
        take(settings, setting, local);
    }
}

/// The settings that a config of 3.x cannot hold and that are not at their defaults, by key: every instance has them from its own
/// file, and an edit in the registry does not reach them.
#[must_use]
pub fn only_local(settings: &JobSettings) -> Vec<&'static str> {
    let canonical = crate::canonical(settings);
    let mut keys: Vec<&str> = canonical
        .iter()
        .filter(|(setting, value)| match setting.key {
            "misfire" => *value == Value::Text("fire_all".into()),
            _ => !setting.kept.fits_3x(),
        })
        .map(|(setting, _)| setting.key)
        .collect();
    if settings.time_zone.as_deref().is_some_and(|zone| !zone.starts_with("GMT")) {
        keys.push("timeZone");
    }
    keys
}

/// Whether a key of the block is one of these settings.
#[must_use]
pub fn knows(key: &str) -> bool {
    key == "type" || keys().any(|(_, known)| known == key)
}

/// Every key that the block may have.
pub fn keys_of_block() -> impl Iterator<Item = &'static str> {
    std::iter::once("type").chain(keys().map(|(_, key)| key))
}

fn keys() -> impl Iterator<Item = (&'static Setting, &'static str)> {
    SETTINGS.iter().filter_map(|setting| Some((setting, setting.kept.own?)))
}

fn take(settings: &mut JobSettings, setting: &Setting, local: &JobSettings) {
    match setting.key {
        "props" => settings.props.clone_from(&local.props),
        "misfire" if !matches!(local.misfire, Misfire::FireAll { .. }) => {}
        _ => setting.copy(local, settings),
    }
}

/// The value as the block has it: what Java has a key of its own for, such as the command line of a script, is no part of the properties.
fn raw(setting: &Setting, settings: &JobSettings) -> Option<Value> {
    match setting.key {
        "props" => {
            let mut props = settings.props.clone();
            props.retain(|key, _| Some(key.as_str()) != kept_by_type(&settings.kind));
            Some(Value::Texts(props))
        }
        _ => setting.get(settings),
    }
}

fn set_props(settings: &mut JobSettings, value: Value) {
    if let Value::Texts(props) = value {
        settings.props = props;
    }
}

/// How "nothing" is written where something stood.
fn none(setting: &Setting) -> Option<Value> {
    match setting.form {
        _ if !setting.default.is_empty() => None,
        Form::Duration(_) => Some(Value::Number(0)),
        _ => Some(nothing()),
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Duration(millis) => (*millis).into(),
        Value::Text(word) if word == "true" => "fire_once".into(),
        Value::Text(word) if word == "false" => "skip".into(),
        other => other.to_json(),
    }
}

fn of_json(setting: &Setting, json: &Json) -> Result<Value, String> {
    match (setting.form, json) {
        (Form::Duration(_), Json::Number(_)) => {
            let millis = json.as_i64().filter(|millis| *millis >= 0);
            millis.map(Value::Duration).ok_or_else(|| format!("is `{json}`; it is a number of milliseconds"))
        }
        (Form::Duration(_), Json::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text
            .parse()
            .map(Value::Duration)
            .map_err(|_| format!("is `{text}`; it is a number of milliseconds")),
        _ => setting.form.of_json(json),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{Exclusive, JobName};

    fn job() -> JobSettings {
        JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "0 0 12 * * ?", 1)
    }

    fn back(own: &Map<String, Json>, local: &JobSettings) -> JobSettings {
        let mut read_back = job();
        read(&mut read_back, Some(own), Some(local)).unwrap();
        read_back
    }

    #[test]
    fn a_job_with_defaults_has_no_block() {
        assert_eq!(write(&job(), None), Map::new());
    }

    #[test]
    fn what_java_has_a_key_of_its_own_for_is_not_said_in_the_block() {
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut script = job();
        script.kind = JobKind::Script { command_line: "echo".into() };
        script.props = [text("script.command.line", "echo")].into();
        assert_eq!(write(&script, None), Map::new());
        script.props.extend([text("script.env.A", "1")]);
        assert_eq!(Json::from(write(&script, None)), serde_json::json!({ "props": { "script.env.A": "1" } }));
        let mut dataflow = job();
        dataflow.kind = JobKind::Dataflow { streaming: true };
        dataflow.props = [text("streaming.process", "true")].into();
        assert_eq!(write(&dataflow, None), Map::new());
    }

    #[test]
    fn an_edit_back_to_the_default_is_written_and_wins_over_the_file() {
        let mut local = job();
        local.retry.max_attempts = 3;
        local.timeout = Some(5_000);
        local.time_zone = Some("Asia/Shanghai".into());
        local.exclusive = Exclusive::BestEffort;
        let first = write(&local, None);
        assert_eq!(back(&first, &local), local);
        let edited = write(&job(), Some(&first));
        assert_eq!(back(&edited, &local), job());
        assert_eq!(edited["retryMaxAttempts"], 1);
    }

    #[test]
    fn a_key_that_was_never_set_is_what_each_file_says() {
        let mut local = job();
        local.retry.max_attempts = 3;
        let mut other = job();
        other.time_zone = Some("Asia/Shanghai".into());
        let read_back = back(&write(&other, None), &local);
        assert_eq!((read_back.retry.max_attempts, read_back.time_zone), (3, other.time_zone));
    }

    #[test]
    fn how_passed_instants_are_made_up_for_is_ours_and_whether_is_javas() {
        let mut local = job();
        local.misfire = Misfire::FireAll { cap: 7, window: 60_000 };
        let block = write(&local, None);
        assert_eq!(back(&block, &job()).misfire, local.misfire);
        let mut skip = job();
        skip.misfire = Misfire::Skip;
        read(&mut skip, Some(&block), Some(&local)).unwrap();
        assert_eq!(skip.misfire, Misfire::Skip);
        // Taken back to once by an operator: the file does not bring the rest back.
        let edited = write(&job(), Some(&block));
        assert_eq!(back(&edited, &local).misfire, Misfire::FireOnce);
    }

    #[test]
    fn what_a_config_of_3x_cannot_hold_is_the_local_jobs() {
        let mut local = job();
        local.retry.backoff = 250;
        local.timeout = Some(5_000);
        local.misfire = Misfire::FIRE_ALL;
        local.failover = true;
        let mut settings = job();
        take_local(&mut settings, &local);
        assert_eq!(
            (settings.retry, settings.timeout, settings.misfire),
            (local.retry, local.timeout, local.misfire)
        );
        assert!(!settings.failover);
        assert_eq!(only_local(&local), ["misfire", "retry.backoff", "timeout"]);
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        let own = serde_json::json!({"retryMaxAttempts": "many"});
        let error = read(&mut job(), own.as_object(), None).unwrap_err();
        assert_eq!(error.to_string(), "retryMaxAttempts: is `many`; it is a whole number");
    }
}
