//! The `config` node of ElasticJob 3.x: YAML as its own writer makes it, read with whatever Java put into it.
//!
//! Java refuses a key that it does not know, and versions differ in what they know: the pool of executors is
//! `jobExecutorServiceHandlerType` up to 3.0.4 and `jobExecutorThreadPoolSizeProviderType` after. So no key is written that a job
//! needs not have, and [`rewrite`] changes the lines of what changed and leaves all others as they are, with their tags and quotes.
//!
//! What the type of a job is, the config does not say: the job's root node has its class, or `SCRIPT`, or `HTTP`.

use clockwright_model::{ErrorHandler, InstanceId, JobKind, JobName, JobSettings, Misfire, SettingsError};
use clockwright_planner::sharding::Strategy;
use clockwright_settings::own;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeMap;
use std::fmt::Write;

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
        let known = before.contains_key(entry.key.as_str()) || KEYS.contains(&entry.key.as_str());
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
    let count = document.int("shardingTotalCount", 0)?;
    let count = u32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        SettingsError::new("shardingTotalCount", format!("is {count}; a job has 1 item or more"))
    })?;
    let cron = document.text("cron")?.unwrap_or_default();
    let mut settings = JobSettings::new(name, kind, &cron, count);
    if !matches!(settings.kind, JobKind::Script { .. } | JobKind::Http) {
        match (root.is_empty(), local) {
            (false, _) => settings.class = root,
            (true, Some(local)) => settings.class.clone_from(&local.class),
            (true, None) => {}
        }
    }
    settings.sharding_item_parameters = document.text("shardingItemParameters")?.unwrap_or_default();
    settings.job_parameter = document.text("jobParameter")?.unwrap_or_default();
    settings.description = document.text("description")?.unwrap_or_default();
    settings.failover = document.flag("failover")?;
    settings.misfire = if document.flag("misfire")? { Misfire::FireOnce } else { Misfire::Skip };
    settings.monitor_execution = document.flag("monitorExecution")?;
    settings.max_time_diff_seconds = document.int("maxTimeDiffSeconds", -1)?.max(-1);
    settings.reconcile_interval_minutes = document.int("reconcileIntervalMinutes", 0)?;
    settings.sharding_strategy = document.text("jobShardingStrategyType")?.unwrap_or_default();
    settings.static_sharding = document.flag("staticSharding")?;
    settings.disabled = document.flag("disabled")?;
    settings.overwrite = document.flag("overwrite")?;
    settings.error_handler = match document.text("jobErrorHandlerType")?.as_deref() {
        Some("THROW") => ErrorHandler::Throw,
        Some("IGNORE") => ErrorHandler::Ignore,
        _ => ErrorHandler::Log,
    };
    settings.time_zone = document.text("timeZone")?.filter(|zone| !zone.is_empty());
    settings.props = props;
    if let Some(local) = local {
        if settings.time_zone.is_none() {
            settings.time_zone = local.time_zone.clone().filter(|zone| !is_for_java(zone));
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
    let mut out = String::new();
    put(&mut out, "jobInstanceId", id.as_str(), 0);
    put(&mut out, "serverIp", id.ip(), 0);
    out
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

/// Whether Java takes a zone: it knows only offsets from Greenwich here.
fn is_for_java(zone: &str) -> bool {
    zone.starts_with("GMT")
}

/// Every key that [`entries`] may write.
const KEYS: [&str; 18] = [
    "cron",
    "description",
    "disabled",
    "failover",
    "jobErrorHandlerType",
    "jobName",
    "jobParameter",
    "jobShardingStrategyType",
    "maxTimeDiffSeconds",
    "misfire",
    "monitorExecution",
    "overwrite",
    "props",
    "reconcileIntervalMinutes",
    "shardingItemParameters",
    "shardingTotalCount",
    "staticSharding",
    "timeZone",
];

/// The lines of a config, by key.
fn entries(settings: &JobSettings) -> BTreeMap<&'static str, String> {
    let mut entries = BTreeMap::new();
    let mut text = |key: &'static str, value: &str| {
        let mut line = String::new();
        put(&mut line, key, value, 0);
        entries.insert(key, line);
    };
    if !settings.cron.is_empty() {
        text("cron", &settings.cron);
    }
    text("description", &settings.description);
    match settings.error_handler {
        ErrorHandler::Log => {}
        ErrorHandler::Throw => text("jobErrorHandlerType", "THROW"),
        ErrorHandler::Ignore => text("jobErrorHandlerType", "IGNORE"),
    }
    text("jobName", settings.name.as_str());
    text("jobParameter", &settings.job_parameter);
    match Strategy::parse(&settings.sharding_strategy) {
        Ok(Strategy::Average) => {}
        Ok(strategy) => text("jobShardingStrategyType", strategy.word()),
        Err(_) => text("jobShardingStrategyType", &settings.sharding_strategy),
    }
    text("shardingItemParameters", &settings.sharding_item_parameters);
    if let Some(zone) = settings.time_zone.as_deref().filter(|zone| is_for_java(zone)) {
        text("timeZone", zone);
    }
    for (key, value) in [
        ("disabled", settings.disabled.to_string()),
        ("failover", settings.failover.to_string()),
        ("maxTimeDiffSeconds", settings.max_time_diff_seconds.to_string()),
        ("misfire", settings.misfire.as_wire().to_string()),
        ("monitorExecution", settings.monitor_execution.to_string()),
        ("overwrite", settings.overwrite.to_string()),
        ("reconcileIntervalMinutes", settings.reconcile_interval_minutes.to_string()),
        ("shardingTotalCount", settings.sharding_total_count.to_string()),
        ("staticSharding", settings.static_sharding.to_string()),
    ] {
        entries.insert(key, format!("{key}: {value}\n"));
    }
    let mut props = settings.props.clone();
    match &settings.kind {
        JobKind::Script { command_line } => drop(props.insert(COMMAND_LINE.into(), command_line.clone())),
        JobKind::Dataflow { streaming: true } => drop(props.insert(STREAMING.into(), "true".into())),
        JobKind::Dataflow { streaming: false } | JobKind::Simple | JobKind::Http => {}
    }
    if !props.is_empty() {
        let mut lines = "props:\n".to_owned();
        for (key, value) in &props {
            put(&mut lines, key, value, 2);
        }
        entries.insert("props", lines);
    }
    entries
}

/// A config, cut into its keys.
struct Document<'a> {
    /// What comes before the first key.
    head: &'a str,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    key: String,
    /// Its lines, with those of its value.
    raw: &'a str,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Scalar { text: String, plain: bool },
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

/// Deepest nesting of a config. Java's own have four levels.
const DEPTH: usize = 32;

impl<'a> Document<'a> {
    fn parse(text: &'a str) -> Result<Self, SettingsError> {
        let bad = |message: String| SettingsError::new("config", message);
        let mut open: Vec<(Value, Option<String>)> = Vec::new();
        let mut keys: Vec<(String, usize)> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                bad(format!("is not YAML: {} in line {}", error.info(), error.marker().line()))
            })?;
            let value = match event {
                Event::Scalar(text, style, ..) => {
                    Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
                }
                Event::Alias(_) => return Err(bad("has an alias, which Java does not write".into())),
                Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH => {
                    return Err(bad(format!("is nested deeper than {DEPTH} levels")));
                }
                Event::SequenceStart(..) => {
                    open.push((Value::List(Vec::new()), None));
                    continue;
                }
                Event::MappingStart(..) => {
                    open.push((Value::Map(Vec::new()), None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some((value, _)) => value,
                    None => continue,
                },
                _ => continue,
            };
            let top = open.len() == 1;
            match open.last_mut() {
                None => root = Some(value),
                Some((Value::List(list), _)) => list.push(value),
                Some((Value::Map(map), key)) => match (key.take(), value) {
                    (Some(key), value) => map.push((key, value)),
                    (None, Value::Scalar { text, .. }) => {
                        if top {
                            keys.push((text.clone(), span.start.line()));
                        }
                        *key = Some(text);
                    }
                    (None, _) => return Err(bad("has a key that is not a text".into())),
                },
                Some((Value::Scalar { .. }, _)) => {}
            }
        }
        let Some(Value::Map(values)) = root else {
            return Err(bad("is neither JSON (2.x) nor a YAML map (3.x)".into()));
        };
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let offset = |line: usize| starts.get(line - 1).copied().unwrap_or(text.len());
        let head = keys.first().map_or("", |(_, line)| &text[..offset(*line)]);
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(keys.len());
        for (index, ((key, line), (_, value))) in keys.iter().zip(values).enumerate() {
            let end = keys.get(index + 1).map_or(text.len(), |(_, line)| offset(*line));
            if entries.iter().any(|other| other.key == *key) {
                return Err(SettingsError::new(key.as_str(), "is given twice"));
            }
            let raw = text.get(offset(*line)..end).unwrap_or_default();
            entries.push(Entry { key: key.clone(), raw, value });
        }
        Ok(Self { head, entries })
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    fn text(&self, key: &str) -> Result<Option<String>, SettingsError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) if value.is_null() => Ok(None),
            Some(Value::Scalar { text, .. }) => Ok(Some(text.clone())),
            Some(_) => Err(SettingsError::new(key, "is not a text")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, SettingsError> {
        let text = self.text(key)?.unwrap_or_else(|| "false".to_owned());
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(SettingsError::new(key, format!("`{text}` is neither true nor false"))),
        }
    }

    fn int(&self, key: &str, default: i32) -> Result<i32, SettingsError> {
        let Some(text) = self.text(key)? else { return Ok(default) };
        text.parse().map_err(|_| SettingsError::new(key, format!("`{text}` is not a whole number")))
    }

    fn props(&self) -> Result<BTreeMap<String, String>, SettingsError> {
        match self.value("props") {
            None => Ok(BTreeMap::new()),
            Some(value) if value.is_null() => Ok(BTreeMap::new()),
            Some(Value::Map(map)) => map
                .iter()
                .map(|(key, value)| match value {
                    Value::Scalar { text, .. } => Ok((key.clone(), text.clone())),
                    _ => Err(SettingsError::new("props", format!("`{key}` is not a text"))),
                })
                .collect(),
            Some(_) => Err(SettingsError::new("props", "is not a map")),
        }
    }
}

impl Value {
    fn is_null(&self) -> bool {
        matches!(self, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn json(self) -> serde_json::Value {
        match self {
            value if value.is_null() => serde_json::Value::Null,
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                _ => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
            },
            Value::Scalar { text, plain: false } => text.into(),
            Value::List(list) => list.into_iter().map(Value::json).collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (key, value.json())).collect(),
        }
    }
}

/// Columns after which Java's writer breaks a line at the next single space.
const WIDTH: usize = 80;

/// Writes one key and its text as Java's writer does: plain if that reads back as the same text, else in single quotes, and in
/// double quotes what has characters that need them. Long texts are folded.
fn put(out: &mut String, key: &str, text: &str, indent: usize) {
    let begin = out.len();
    out.push_str(&" ".repeat(indent));
    if is_plain(key) {
        out.push_str(key);
    } else {
        quote(out, key);
    }
    out.push_str(": ");
    let column = out[begin..].chars().count();
    if is_plain(text) {
        fold(out, text, column, indent + 2, false);
    } else if text.chars().all(is_ordinary) {
        out.push('\'');
        fold(out, text, column + 1, indent + 2, true);
        out.push('\'');
    } else {
        quote(out, text);
    }
    out.push('\n');
}

/// Writes a text, breaking lines where a single space follows column [`WIDTH`].
fn fold(out: &mut String, text: &str, mut column: usize, indent: usize, quoted: bool) {
    let chars: Vec<char> = text.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let single =
            c == ' ' && at > 0 && at + 1 < chars.len() && chars[at - 1] != ' ' && chars[at + 1] != ' ';
        if single && column > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
            continue;
        }
        out.push(c);
        column += 1;
        if quoted && c == '\'' {
            out.push('\'');
            column += 1;
        }
    }
}

/// Double quotes, with escapes that YAML shares with JSON.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_ordinary(c) => out.push(c),
            c if u32::from(c) > 0xffff => drop(write!(out, "\\U{:08X}", u32::from(c))),
            c => drop(write!(out, "\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
}

/// Whether a character may stand for itself in a line.
fn is_ordinary(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a text without quotes reads back as itself.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let second = text.chars().nth(1);
    let indicator = match first {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
            true
        }
        '-' | '?' | ':' => second.is_none_or(|c| c == ' '),
        _ => false,
    };
    !indicator
        && text.chars().all(is_ordinary)
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !is_typed(text)
}

/// Whether YAML 1.1 would take a plain text for something else than a text.
fn is_typed(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let words =
        ["~", "null", "true", "false", "yes", "no", "on", "off", "<<", "=", ".nan", ".inf", "-.inf", "+.inf"];
    words.contains(&word.as_str()) || is_number(&word) || is_date(text)
}

/// Decimal, binary, octal, hexadecimal, with a fraction or an exponent, or in base 60 (`12:30`).
fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(rest) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0b")) {
        return !rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit() || c == '_');
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !text.contains(|c: char| c.is_ascii_digit())
    {
        return false;
    }
    if let Some((first, rest)) = text.split_once(':') {
        let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let parts = rest.split(':').all(|part| matches!(part.len(), 1 | 2) && digits(part));
        return digits(first) && parts && digits(fraction);
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole) && digits(fraction) && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

/// `2026-01-01`, with a time or without.
fn is_date(text: &str) -> bool {
    let year = text
        .get(..5)
        .is_some_and(|year| year.ends_with('-') && year[..4].bytes().all(|b| b.is_ascii_digit()));
    year && text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '+' | ' ' | 'T' | 't' | 'Z'))
}

#[cfg(test)]
mod tests;
