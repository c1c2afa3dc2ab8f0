//! The `config` node of ElasticJob 3.x: YAML as its own writer makes it, read with whatever Java put into it.
//!
//! Java refuses a key that it does not know, and versions differ in what they know: the pool of executors is
//! `jobExecutorServiceHandlerType` up to 3.0.4 and `jobExecutorThreadPoolSizeProviderType` after. So no key is written that a job
//! needs not have, and [`rewrite`] changes the lines of what changed and leaves all others as they are, with their tags and quotes.
//!
//! What the type of a job is, the config does not say: the job's root node has its class, or `SCRIPT`, or `HTTP`.

use super::yaml::{self, Document, Entry};
use clockwright_model::{InstanceId, JobKind, JobName, JobSettings, SettingsError};
use clockwright_settings::value::{Form, Value as Setting};
use clockwright_settings::{java, own};
use std::collections::BTreeMap;

/// The property that has a script's command line.
const COMMAND_LINE: &str = "script.command.line";
/// The property that makes a dataflow stream.
const STREAMING: &str = "streaming.process";

/// Writes the settings as a Java instance does: one key a line, in alphabetical order, without those that say nothing.
#[must_use]
pub fn write(settings: &JobSettings) -> String {
    entries(settings).into_values().collect()
}

/// As [`write()`], in the place of another config: lines whose keys say the same as before stay as they are, and so do keys that only
/// Java knows. A config that cannot be read is replaced.
#[must_use]
pub fn rewrite(old: &[u8], root: &[u8], settings: &JobSettings) -> String {
    let (Ok(before), Ok(text)) = (read(old, root, None), std::str::from_utf8(old)) else {
        return write(settings);
    };
    let Ok(document) = Document::parse(text) else { return write(settings) };
    let (before, mut after) = (entries(&before), entries(settings));
    let mut lines: Vec<(&str, String)> = Vec::new();
    for entry in &document.entries {
        let new = after.remove(entry.key.as_str());
        let known = OF_THE_JOB.contains(&entry.key.as_str())
            || java::keys(java::Layout::V3).any(|known| known == entry.key);
        if !known || new.as_deref() == before.get(entry.key.as_str()).map(String::as_str) {
            lines.push((&entry.key, entry.raw.to_owned()));
        } else if let Some(new) = new {
            lines.push((&entry.key, new));
        }
    }
    for (key, line) in after {
        // What the old config left out and the new one says: only if that is more than the default of a missing key.
        if before.get(key) != Some(&line) {
            let place = lines.iter().position(|(other, _)| *other > key).unwrap_or(lines.len());
            lines.insert(place, (key, line));
        }
    }
    let mut out = document.head.to_owned();
    for (_, line) in lines {
        out.push_str(&line);
        if !line.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// Reads a `config` node and the job's root node. What Java has no key for comes from `local`.
///
/// # Errors
/// Names the key that cannot be used.
pub fn read(config: &[u8], root: &[u8], local: Option<&JobSettings>) -> Result<JobSettings, SettingsError> {
    let text = std::str::from_utf8(config).map_err(|_| SettingsError::new("config", "is not UTF-8 text"))?;
    let document = Document::parse(text)?;
    let name = document.text("jobName")?.unwrap_or_default();
    let name = JobName::new(&name).map_err(|error| SettingsError::new("jobName", error.to_string()))?;
    let props = document.props()?;
    let root = String::from_utf8_lossy(root).trim().to_owned();
    let kind = kind(&root, &props, local);
    let mut settings = JobSettings::new(name, kind, "", 1);
    if !matches!(settings.kind, JobKind::Script { .. } | JobKind::Http) {
        match (root.is_empty(), local) {
            (false, _) => settings.class = root,
            (true, Some(local)) => settings.class.clone_from(&local.class),
            (true, None) => {}
        }
    }
    java::read(&mut settings, java::Layout::V3, |key, form| {
        Ok(match form {
            Form::Flag => document.flag(key)?.map(Setting::Flag),
            Form::Number(..) => document.int(key)?.map(Setting::Number),
            _ => document.text(key)?.map(Setting::Text),
        })
    })?;
    super::has_items(&settings)?;
    settings.props = props;
    if let Some(local) = local {
        if settings.time_zone.is_none() {
            // A zone that Java has no word for stands in no config.
            settings.time_zone = local.time_zone.clone().filter(|zone| !zone.starts_with("GMT"));
        }
        own::take_local(&mut settings, local);
    }
    Ok(settings)
}

/// The `config` node as JSON, for people and programs that look at it.
///
/// # Errors
/// It is no usable YAML.
pub fn as_json(config: &[u8]) -> Result<serde_json::Value, SettingsError> {
    let text = std::str::from_utf8(config).map_err(|_| SettingsError::new("config", "is not UTF-8 text"))?;
    let mut json = serde_json::Map::new();
    for Entry { key, value, .. } in Document::parse(text)?.entries {
        json.insert(key, value.json());
    }
    Ok(serde_json::Value::Object(json))
}

/// What an instance node says.
#[must_use]
pub fn instance(id: &InstanceId) -> String {
    yaml::line("jobInstanceId", id.as_str()) + &yaml::line("serverIp", id.ip())
}

/// The address that an instance node says; that of its id when it says none, and `None` when it says nothing at all.
#[must_use]
pub fn address(id: &InstanceId, data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok().filter(|text| !text.trim().is_empty())?;
    let said = Document::parse(text).ok().and_then(|document| document.text("serverIp").ok().flatten());
    Some(said.unwrap_or_else(|| id.ip().to_owned()))
}

/// What is run: the root node says the class or the type, properties say the rest. A class may be a dataflow without saying so
/// anywhere; then the local job knows.
fn kind(root: &str, props: &BTreeMap<String, String>, local: Option<&JobSettings>) -> JobKind {
    let streaming = props.get(STREAMING).is_some_and(|text| text == "true");
    let command = || JobKind::Script { command_line: props.get(COMMAND_LINE).cloned().unwrap_or_default() };
    match (root, local.map(|local| &local.kind)) {
        ("SCRIPT", _) => command(),
        ("HTTP", _) => JobKind::Http,
        ("", Some(JobKind::Script { .. })) => command(),
        ("", Some(JobKind::Http)) => JobKind::Http,
        (_, Some(JobKind::Dataflow { .. })) => JobKind::Dataflow { streaming },
        (_, None) if props.contains_key(STREAMING) => JobKind::Dataflow { streaming },
        _ => JobKind::Simple,
    }
}

/// The keys of what is no setting of its own.
const OF_THE_JOB: [&str; 2] = ["jobName", "props"];

/// The lines of a config, by key.
fn entries(settings: &JobSettings) -> BTreeMap<&'static str, String> {
    let mut entries = BTreeMap::new();
    let mut add = |key: &'static str, value: &Setting| {
        let line = match value {
            Setting::Text(text) => yaml::line(key, text),
            other => format!("{key}: {other}\n"),
        };
        entries.insert(key, line);
    };
    add("jobName", &Setting::Text(settings.name.as_str().to_owned()));
    for (key, value) in java::write(settings, java::Layout::V3) {
        add(key, &value);
    }
    let mut props = settings.props.clone();
    match &settings.kind {
        JobKind::Script { command_line } => drop(props.insert(COMMAND_LINE.into(), command_line.clone())),
        JobKind::Dataflow { streaming: true } => drop(props.insert(STREAMING.into(), "true".into())),
        JobKind::Dataflow { streaming: false } | JobKind::Simple | JobKind::Http => {}
    }
    if !props.is_empty() {
        entries.insert("props", yaml::map("props", &props));
    }
    entries
}

#[cfg(test)]
mod tests;
