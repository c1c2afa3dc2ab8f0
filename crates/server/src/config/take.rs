//! How values of the table get to their places, and what is wrong with those that do not.

use super::table::Value;
use super::{Config, HOME, Secret};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

pub(super) fn parsed<T: FromStr>(place: &mut T, value: Value, what: &str) -> Result<(), String> {
    *place = value.text().parse().map_err(|_| format!("is {what}"))?;
    Ok(())
}

pub(super) fn number<T: TryFrom<i64>>(place: &mut T, value: Value) -> Result<(), String>
where
    T::Error: Display,
{
    let Value::Number(number) = value else { return Err("is a number".to_owned()) };
    *place = number.try_into().map_err(|error: T::Error| error.to_string())?;
    Ok(())
}

pub(super) fn text(place: &mut String, value: Value) -> Result<(), String> {
    *place = value.text();
    Ok(())
}

pub(super) fn secret(place: &mut Secret, value: Value) -> Result<(), String> {
    *place = Secret::from(value.text());
    Ok(())
}

/// One more address beside that of `home`, which has a key of its own.
pub(super) fn another(
    all: &mut BTreeMap<String, Secret>,
    name: &str,
    value: Value,
    of_home: &str,
) -> Result<(), String> {
    if name == HOME {
        return Err(format!("is the key `{of_home}`"));
    }
    secret(all.entry(name.to_owned()).or_default(), value)
}

pub(super) fn file(place: &mut Option<std::path::PathBuf>, value: Value) -> Result<(), String> {
    *place = Some(value.text()).filter(|text| !text.is_empty()).map(Into::into);
    Ok(())
}

/// A text of a part, such as how mail is sent, that is there only where something of it is said.
pub(super) fn of_part<P: Default, T: From<String>>(
    part: &mut Option<P>,
    value: Value,
    place: fn(&mut P) -> &mut T,
) -> Result<(), String> {
    let text = value.text();
    if !text.is_empty() {
        *place(part.get_or_insert_default()) = text.into();
    }
    Ok(())
}

pub(super) fn public_url(config: &mut Config, text: String) -> Result<(), String> {
    let text = text.trim_end_matches('/');
    if text.is_empty() {
        config.public_url = String::new();
        return Ok(());
    }
    let wrong =
        || "is an address such as `https://jobs.example.com` or `https://example.com/jobs`".to_owned();
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let path = url.path().trim_end_matches('/');
    // It stands in the console's page and in routes: plain words alone.
    let is_plain = path.split('/').skip(1).all(|part| {
        !part.is_empty()
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.~".contains(letter))
    });
    if !["http", "https"].contains(&url.scheme()) || !is_bare || !is_plain || url.host_str().is_none() {
        return Err(wrong());
    }
    // As browsers say it in `Origin`: in small letters, without a port that goes without saying.
    config.public_url = url.origin().ascii_serialization() + path;
    Ok(())
}

/// Where metrics are open; nowhere for `off`.
pub(super) fn metrics_listen(config: &mut Config, text: &str) -> Result<(), String> {
    let wrong = || "is an address with a port such as `127.0.0.1:8898`, or `off`".to_owned();
    config.metrics_listen = if text == "off" { None } else { Some(text.parse().map_err(|_| wrong())?) };
    Ok(())
}

/// Levels of the log.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Takes levels, and targets with levels, without the blanks between them: a word that is neither would be a target that logs nothing.
///
/// # Errors
/// The word that is no level.
pub fn log_level(text: &str) -> Result<String, String> {
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "`{level}` is no level; it is one of {}, or a list such as info,clockwright_engine=debug",
                LEVELS.join(", ")
            ));
        }
    }
    Ok(text.split_whitespace().collect())
}
