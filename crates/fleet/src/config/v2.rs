//! The `config` node: Elastic-Job 2.1.5's JSON, read in either of its two orders and written as an instance writes it.
//!
//! Java skips unknown keys at the top level and chokes on them inside `jobProperties`, so everything of ours is in one extra
//! top-level key, `clockwright` ([`clockwright_settings::own`] has what is in it and what a missing key means). A Java console drops it
//! when it edits the node; the reader then takes those settings from the local job. Keys that neither Java nor we know stay where an
//! edit of ours finds them.

use clockwright_model::job::{DEFAULT_EXCEPTION_HANDLER, DEFAULT_EXECUTOR_HANDLER, SCRIPT_CLASS};
use clockwright_model::shard::json_string;
use clockwright_model::{JobKind, JobName, JobSettings, SettingsError};
use clockwright_settings::value::{Form, Value as Setting};
use clockwright_settings::{java, own};
use serde_json::{Map, Value};
use std::fmt::Write;

/// Writes the settings as an instance does: one line, keys in Elastic-Job's order, HTML-safe escapes.
#[must_use]
pub fn write(settings: &JobSettings) -> String {
    write_over(settings, &Map::new())
}

/// As [`write()`], in the place of another config: keys that only others know are kept, and so is each key of ours that was set there
/// once. A config that cannot be read is replaced.
#[must_use]
pub fn rewrite(old: &[u8], settings: &JobSettings) -> String {
    match serde_json::from_slice(old) {
        Ok(Value::Object(old)) => write_over(settings, &old),
        _ => write(settings),
    }
}

/// The keys of what is no setting of its own, and of what only some types of jobs have.
const OF_THE_JOB: [&str; 7] =
    ["jobName", "jobClass", "jobType", PROPERTIES, "streamingProcess", "scriptCommandLine", OWN];

/// The key with the handlers of Java peers; there is one more object in it.
const PROPERTIES: &str = "jobProperties";

/// The key with everything of ours.
const OWN: &str = "clockwright";

fn write_over(settings: &JobSettings, old: &Map<String, Value>) -> String {
    let text = |text: &str| json_string(text);
    let mut out = String::with_capacity(1_024);
    let wire_type = match settings.kind {
        JobKind::Simple | JobKind::Http => "SIMPLE",
        JobKind::Dataflow { .. } => "DATAFLOW",
        JobKind::Script { .. } => "SCRIPT",
    };
    let class = if matches!(settings.kind, JobKind::Script { .. }) { SCRIPT_CLASS } else { &settings.class };
    let name = text(settings.name.as_str());
    let _ = write!(out, "{{\"jobName\":{name},\"jobClass\":{},\"jobType\":\"{wire_type}\"", text(class));
    for (key, value) in java::write(settings, java::Layout::V2) {
        let value = match value {
            Setting::Text(value) => text(&value),
            other => other.to_string(),
        };
        let _ = write!(out, ",\"{key}\":{value}");
        if key == "description" {
            write_code(&mut out, settings, old);
        }
    }
    let before = old.get(OWN).and_then(Value::as_object);
    let mut own = own::write(settings, before);
    for (key, value) in before.into_iter().flatten().filter(|(key, _)| !own::knows(key)) {
        own.insert(key.clone(), value.clone());
    }
    if !own.is_empty() {
        let _ = write!(out, ",\"{OWN}\":{}", Value::Object(own));
    }
    let known =
        |key: &str| OF_THE_JOB.contains(&key) || java::keys(java::Layout::V2).any(|known| known == key);
    for (key, value) in old.iter().filter(|(key, _)| !known(key)) {
        let _ = write!(out, ",{}:{value}", text(key));
    }
    out.push('}');
    out
}

/// Writes what Java keeps of a job's code, where Java has it: after the description.
fn write_code(out: &mut String, settings: &JobSettings, old: &Map<String, Value>) {
    let handlers = [
        ("job_exception_handler", &settings.job_exception_handler),
        ("executor_service_handler", &settings.executor_service_handler),
    ];
    let mut properties: Vec<String> =
        handlers.iter().map(|(key, class)| format!("\"{key}\":{}", json_string(class))).collect();
    // A Java that chokes on another property has choked on it before.
    let others = old.get(PROPERTIES).and_then(Value::as_object).into_iter().flatten();
    let others = others.filter(|(key, _)| handlers.iter().all(|(known, _)| known != key));
    properties.extend(others.map(|(key, value)| format!("{}:{value}", json_string(key))));
    let _ = write!(out, ",\"{PROPERTIES}\":{{{}}}", properties.join(","));
    let _ = match &settings.kind {
        JobKind::Dataflow { streaming } => write!(out, ",\"streamingProcess\":{streaming}"),
        JobKind::Script { command_line } => {
            write!(out, ",\"scriptCommandLine\":{}", json_string(command_line))
        }
        JobKind::Simple | JobKind::Http => Ok(()),
    };
}

/// Reads a `config` node. Settings that Java does not know come from the node's `clockwright` key, or else from `local`, the
/// job as its own process defines it.
///
/// # Errors
/// Names the key that cannot be used.
pub fn read(data: &[u8], local: Option<&JobSettings>) -> Result<JobSettings, SettingsError> {
    let root: Value = serde_json::from_slice(data)
        .map_err(|error| SettingsError::new("config", format!("is not JSON: {error}")))?;
    let Value::Object(root) = root else {
        return Err(SettingsError::new("config", "is not a JSON object"));
    };
    let fields = Fields(&root);
    let name = JobName::new(&fields.text("jobName", "")?)
        .map_err(|error| SettingsError::new("jobName", error.to_string()))?;
    let own = match root.get(OWN) {
        Some(Value::Object(own)) => Some(own),
        Some(_) => return Err(SettingsError::new(OWN, "is not a JSON object")),
        None => None,
    };
    let kind = match fields.text("jobType", "")?.as_str() {
        "DATAFLOW" => JobKind::Dataflow { streaming: fields.flag("streamingProcess", false)? },
        "SCRIPT" => JobKind::Script { command_line: fields.text("scriptCommandLine", "")? },
        "SIMPLE" => match (own, local) {
            (Some(own), _) if own.contains_key("type") => match Fields(own).text("type", "")?.as_str() {
                "HTTP" => JobKind::Http,
                _ => JobKind::Simple,
            },
            (_, Some(JobSettings { kind: JobKind::Http, .. })) => JobKind::Http,
            _ => JobKind::Simple,
        },
        "" => return Err(SettingsError::new("jobType", "is missing; it is SIMPLE, DATAFLOW or SCRIPT")),
        other => {
            return Err(SettingsError::new(
                "jobType",
                format!("`{other}` is none of SIMPLE, DATAFLOW, SCRIPT"),
            ));
        }
    };
    let mut settings = JobSettings::new(name, kind, "", 1);
    if !matches!(settings.kind, JobKind::Script { .. }) {
        settings.class = fields.text("jobClass", "")?;
    }
    java::read(&mut settings, java::Layout::V2, |key, form| fields.said(key, form))?;
    super::has_items(&settings)?;
    if let Some(Value::Object(properties)) = root.get(PROPERTIES) {
        let pick = |key: &str, default: &str| match properties.get(key) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            _ => default.to_owned(),
        };
        settings.job_exception_handler = pick("job_exception_handler", DEFAULT_EXCEPTION_HANDLER);
        settings.executor_service_handler = pick("executor_service_handler", DEFAULT_EXECUTOR_HANDLER);
    }
    own::read(&mut settings, own, local)?;
    check(&settings)?;
    Ok(settings)
}

/// Whether Elastic-Job 2.1.5 knows such a job.
pub(crate) fn check(settings: &JobSettings) -> Result<(), SettingsError> {
    if settings.cron.trim().is_empty() {
        let message = "must not be empty: the layout of Elastic-Job 2.x has no one-off jobs";
        return Err(SettingsError::new("cron", message));
    }
    Ok(())
}

/// Typed access to the keys of an object, as lenient as Gson where Java peers rely on it.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    /// What a setting is, in its form.
    fn said(&self, key: &str, form: Form) -> Result<Option<Setting>, SettingsError> {
        if !self.0.contains_key(key) {
            return Ok(None);
        }
        Ok(Some(match form {
            Form::Flag => Setting::Flag(self.flag(key, false)?),
            Form::Number(..) => Setting::Number(self.int(key)?),
            _ => Setting::Text(self.text(key, "")?),
        }))
    }

    fn text(&self, key: &str, default: &str) -> Result<String, SettingsError> {
        match self.0.get(key) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(flag)) => Ok(flag.to_string()),
            Some(other) => Err(SettingsError::new(key, format!("`{other}` is not a text"))),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, SettingsError> {
        match self.0.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Err(SettingsError::new(key, format!("`{other}` is neither true nor false"))),
        }
    }

    fn int(&self, key: &str) -> Result<i64, SettingsError> {
        let value = &self.0[key];
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| SettingsError::new(key, format!("`{value}` is not a whole number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clockwright_model::{ErrorHandler, Exclusive, Misfire};

    const CAPTURED: &str = r#"{"jobName":"myJob","jobClass":"lab.RunJob$MyJob","jobType":"SIMPLE","cron":"0/5 * * * * ?","shardingTotalCount":3,"shardingItemParameters":"0\u003dA,1\u003dB,2\u003dC","jobParameter":"p\u003c1\u003e\u0026\u0027x\u0027","failover":true,"misfire":true,"description":"","jobProperties":{"job_exception_handler":"com.dangdang.ddframe.job.executor.handler.impl.DefaultJobExceptionHandler","executor_service_handler":"com.dangdang.ddframe.job.executor.handler.impl.DefaultExecutorServiceHandler"},"monitorExecution":true,"maxTimeDiffSeconds":60,"monitorPort":9888,"jobShardingStrategyClass":"","reconcileIntervalMinutes":10,"disabled":false,"overwrite":false}"#;

    #[test]
    fn what_java_wrote_is_written_back_byte_for_byte() {
        let settings = read(CAPTURED.as_bytes(), None).expect("valid");
        assert_eq!(settings.job_parameter, "p<1>&'x'");
        assert_eq!(write(&settings), CAPTURED);
    }

    #[test]
    fn a_console_edit_keeps_what_only_the_local_job_knows() {
        let mut local = read(CAPTURED.as_bytes(), None).expect("valid");
        local.time_zone = Some("Asia/Shanghai".into());
        local.misfire = Misfire::FIRE_ALL;
        local.retry.max_attempts = 3;
        let edited = r#"{"jobName":"myJob","jobType":"SIMPLE","jobClass":"lab.RunJob$MyJob","cron":"0/9 * * * * ?","shardingTotalCount":4,"shardingItemParameters":"","jobParameter":"","monitorExecution":true,"streamingProcess":false,"maxTimeDiffSeconds":-1,"monitorPort":-1,"failover":false,"misfire":true,"jobShardingStrategyClass":"","description":"","jobProperties":{"executor_service_handler":"a","job_exception_handler":"b"},"reconcileIntervalMinutes":10}"#;
        let read_back = read(edited.as_bytes(), Some(&local)).expect("valid");
        assert_eq!((read_back.cron.as_str(), read_back.sharding_total_count), ("0/9 * * * * ?", 4));
        assert_eq!(read_back.time_zone.as_deref(), Some("Asia/Shanghai"));
        assert_eq!((read_back.misfire, read_back.retry.max_attempts), (Misfire::FIRE_ALL, 3));
    }

    #[test]
    fn an_edit_back_to_a_default_reaches_instances_whose_file_says_otherwise() {
        let mut local = read(CAPTURED.as_bytes(), None).expect("valid");
        local.retry.max_attempts = 3;
        let stored = write(&local);
        let mut edited = read(stored.as_bytes(), None).expect("valid");
        edited.retry.max_attempts = 1;
        let stored = rewrite(stored.as_bytes(), &edited);
        assert_eq!(read(stored.as_bytes(), Some(&local)).expect("valid").retry.max_attempts, 1);
    }

    #[test]
    fn an_edit_keeps_the_keys_that_only_others_know() {
        let old =
            CAPTURED.replace('}', r#","owner":{"team":"a"},"clockwright":{"timeoutMillis":5,"later":[1]}}"#);
        // The object inside of the capture ends with a brace too.
        let old =
            old.replacen(r#","owner":{"team":"a"},"clockwright":{"timeoutMillis":5,"later":[1]}}"#, "}", 1);
        let mut settings = read(old.as_bytes(), None).expect("valid");
        assert_eq!(settings.timeout, Some(5));
        settings.timeout = None;
        let new = rewrite(old.as_bytes(), &settings);
        assert!(
            new.ends_with(r#","clockwright":{"timeoutMillis":0,"later":[1]},"owner":{"team":"a"}}"#),
            "{new}"
        );
        assert_eq!(rewrite(new.as_bytes(), &settings), new);
    }

    #[test]
    fn our_own_settings_survive_the_node() {
        let mut settings = read(CAPTURED.as_bytes(), None).expect("valid");
        settings.kind = JobKind::Http;
        settings.props.insert("http.uri".into(), "http://localhost/".into());
        settings.timeout = Some(5_000);
        settings.exclusive = Exclusive::BestEffort;
        settings.error_handler = ErrorHandler::Ignore;
        settings.misfire = Misfire::FireAll { cap: 7, window: 1_000 };
        assert_eq!(read(write(&settings).as_bytes(), None), Ok(settings));
    }

    #[test]
    fn broken_nodes_are_named_not_fatal() {
        for (bad, field) in [
            ("", "config"),
            (r#"{"jobName":"a","jobType":"SIMPLE","jobClass":"c","cron":"","shardingTotalCount":1}"#, "cron"),
            ("[]", "config"),
            (r#"{"jobName":"a"}"#, "jobType"),
            (
                r#"{"jobName":"a","jobType":"SIMPLE","jobClass":"c","cron":"* * * * * ?"}"#,
                "shardingTotalCount",
            ),
            (r#"{"jobName":null}"#, "jobName"),
            (r#"{"jobName":"a","jobType":"X"}"#, "jobType"),
        ] {
            assert_eq!(read(bad.as_bytes(), None).expect_err(bad).field, field, "{bad}");
        }
    }
}
