//! YAML as ElasticJob 3.x writes it, cut into keys so that an edit changes only the lines that it must; and how Java's writer says a
//! text: plain where that reads back as the same text, quoted otherwise, folded when it is long.

use clockwright_model::SettingsError;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A config, cut into its keys.
pub(super) struct Document<'a> {
    /// What comes before the first key.
    pub(super) head: &'a str,
    pub(super) entries: Vec<Entry<'a>>,
}

/// A key of a config.
pub(super) struct Entry<'a> {
    pub(super) key: String,
    /// Its lines, with those of its value.
    pub(super) raw: &'a str,
    pub(super) value: Value,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Scalar { text: String, plain: bool },
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

/// Deepest nesting of a config. Java's own have four levels.
const DEPTH: usize = 32;

impl<'a> Document<'a> {
    /// Cuts a text into its keys.
    ///
    /// # Errors
    /// It is no map in YAML as Java writes it, or has a key twice.
    pub(super) fn parse(text: &'a str) -> Result<Self, SettingsError> {
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

    /// The text under a key, if something is there.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, SettingsError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) if value.is_null() => Ok(None),
            Some(Value::Scalar { text, .. }) => Ok(Some(text.clone())),
            Some(_) => Err(SettingsError::new(key, "is not a text")),
        }
    }

    /// Yes or no, in any of YAML 1.1's words.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, SettingsError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(Some(true)),
            "false" | "no" | "off" => Ok(Some(false)),
            _ => Err(SettingsError::new(key, format!("`{text}` is neither true nor false"))),
        }
    }

    /// A whole number.
    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, SettingsError> {
        let bad = |text| SettingsError::new(key, format!("`{text}` is not a whole number"));
        self.text(key)?.map(|text| text.parse().map_err(|_| bad(text))).transpose()
    }

    /// The texts of the job's properties.
    pub(super) fn props(&self) -> Result<BTreeMap<String, String>, SettingsError> {
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

    /// As JSON: plain words and numbers as what they are.
    pub(super) fn json(self) -> serde_json::Value {
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

/// A key with its text.
pub(super) fn line(key: &str, text: &str) -> String {
    let mut line = String::new();
    put(&mut line, key, text, 0);
    line
}

/// A key with texts by name below it.
pub(super) fn map(key: &str, texts: &BTreeMap<String, String>) -> String {
    let mut lines = format!("{key}:\n");
    for (key, value) in texts {
        put(&mut lines, key, value, 2);
    }
    lines
}

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
