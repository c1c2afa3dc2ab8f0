//! The value of one setting, and the form that it must have.

use crate::units::{duration, say};
use crate::yaml::{self, Yaml};
use clockwright_model::Millis;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, or one of some words.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A duration, milliseconds.
    Duration(Millis),
    /// Texts by name.
    Texts(BTreeMap<String, String>),
}

/// What a setting may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number between these, both included.
    Number(i64, i64),
    /// A duration of at least so many milliseconds.
    Duration(Millis),
    /// One of these words, in upper or lower case.
    Word(&'static [&'static str]),
    /// A map of texts.
    Texts,
    /// A list that must be empty.
    NoList,
}

/// A text as a message shows it, which says of what is empty that it is.
pub(crate) fn said(text: &str) -> String {
    if text.trim().is_empty() { "empty".to_owned() } else { format!("`{text}`") }
}

impl Form {
    /// Reads a value of a file.
    pub(crate) fn read(self, value: &Yaml) -> Result<Value, String> {
        match self {
            Form::Texts => texts(value),
            Form::NoList => match &value.value {
                yaml::Value::List(list) if list.is_empty() => Ok(Value::Text(String::new())),
                _ if value.is_null() => Ok(Value::Text(String::new())),
                _ => Err("is not supported in a jobs file: listeners are code, use the library".into()),
            },
            _ => self.of_text(&text(value).map_err(|kind| format!("is {kind}; it is {}", self.wanted()))?),
        }
    }

    /// Reads a text, such as the value of an option.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn of_text(self, given: &str) -> Result<Value, String> {
        let value = self.parse(given)?;
        self.check(&value)?;
        Ok(value)
    }

    /// Reads a text without a look at its limits.
    pub(crate) fn parse(self, given: &str) -> Result<Value, String> {
        Ok(match self {
            Form::Text | Form::NoList => Value::Text(given.to_owned()),
            Form::Flag if given.eq_ignore_ascii_case("true") => Value::Flag(true),
            Form::Flag if given.eq_ignore_ascii_case("false") => Value::Flag(false),
            Form::Number(..) => Value::Number(
                given.parse().map_err(|_| format!("is {}; it is {}", said(given), self.wanted()))?,
            ),
            Form::Duration(_) => Value::Duration(duration(given)?),
            Form::Word(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(given));
                let word =
                    word.ok_or_else(|| format!("is {}; it is one of {}", said(given), words.join(", ")))?;
                Value::Text((*word).to_owned())
            }
            Form::Flag | Form::Texts => return Err(format!("is {}; it is {}", said(given), self.wanted())),
        })
    }

    /// Reads a value of a JSON document: as [`Value::to_json`] writes it, or as a text.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn of_json(self, json: &Json) -> Result<Value, String> {
        let value = match (self, json) {
            (Form::Flag, Json::Bool(flag)) => Value::Flag(*flag),
            (Form::Number(..), Json::Number(number)) => Value::Number(
                number.as_i64().ok_or_else(|| format!("is `{number}`; it is {}", self.wanted()))?,
            ),
            (Form::Texts, Json::Object(map)) => {
                let plain =
                    |value: &Json| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                Value::Texts(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
            }
            (Form::NoList, Json::Array(list)) if list.is_empty() => Value::Text(String::new()),
            (_, Json::String(text)) => return self.of_text(text),
            (Form::Text | Form::Word(_), Json::Bool(_) | Json::Number(_)) => {
                return self.of_text(&json.to_string());
            }
            _ => return Err(format!("is `{json}`; it is {}", self.wanted())),
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Whether a value keeps the limits.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Form::Number(least, most), Value::Number(number)) if !(least..=most).contains(number) => {
                Err(format!("is {number}; it is a number from {least} to {most}"))
            }
            (Form::Duration(least), Value::Duration(given)) if *given < least => {
                Err(format!("is {}; it must be longer than 0", say(*given)))
            }
            _ => Ok(()),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Form::Text => "a text",
            Form::Flag => "true or false",
            Form::Number(..) => "a whole number",
            Form::Duration(_) => "a duration such as `30s`",
            Form::Word(_) => "a word",
            Form::Texts => "a map such as `{script.command.line: echo hello}`",
            Form::NoList => "an empty list",
        }
    }
}

impl Value {
    /// As JSON: durations as texts with a unit, everything else as what it is.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Value::Text(text) => text.clone().into(),
            Value::Flag(flag) => (*flag).into(),
            Value::Number(number) => (*number).into(),
            Value::Duration(duration) => say(*duration).into(),
            Value::Texts(texts) => {
                Json::Object(texts.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect())
            }
        }
    }
}

/// For people, as a jobs file has it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) if text.is_empty() => f.write_str("''"),
            Value::Text(text) => f.write_str(text),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Duration(duration) => f.write_str(&say(*duration)),
            Value::Texts(texts) => {
                let list: Vec<String> = texts.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{{}}}", list.join(", "))
            }
        }
    }
}

/// A scalar's text, or what it is instead.
pub(crate) fn text(value: &Yaml) -> Result<String, &'static str> {
    match &value.value {
        yaml::Value::Scalar { .. } if value.is_null() => Ok(String::new()),
        yaml::Value::Scalar { text, .. } => Ok(text.clone()),
        _ => Err(value.kind()),
    }
}

/// A map of texts; maps in it are written out as Spring does: `{script: {shell: true}}` is `{script.shell: true}`.
fn texts(value: &Yaml) -> Result<Value, String> {
    fn walk(prefix: &str, entries: &[yaml::Entry], out: &mut BTreeMap<String, String>) -> Result<(), String> {
        for entry in entries {
            let key = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            match &entry.value.value {
                yaml::Value::Map(inner) => walk(&key, inner, out)?,
                _ => {
                    let text =
                        text(&entry.value).map_err(|kind| format!("`{key}` is {kind}; it is a text"))?;
                    if out.insert(key.clone(), text).is_some() {
                        return Err(format!("`{key}` is given twice"));
                    }
                }
            }
        }
        Ok(())
    }
    let mut out = BTreeMap::new();
    match &value.value {
        yaml::Value::Map(entries) => walk("", entries, &mut out)?,
        _ if value.is_null() => {}
        _ => return Err(format!("is {}; it is {}", value.kind(), Form::Texts.wanted())),
    }
    Ok(Value::Texts(out))
}
