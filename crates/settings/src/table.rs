//! The one table of a job's settings: how each is called, what it may be, what it is unless set, what it means, where a registry
//! keeps it, and how it is got from and put into [`JobSettings`].
//!
//! Everything that is about *all* settings is made from it: reading jobs files and JSON, the limits that a setting must keep, the
//! canonical form, differences, the keys of both layouts' configs ([`crate::java`] Java's, [`crate::own`] ours), the options of
//! `clockwright job set`, what the library's builder says of its methods ([`docs!`](crate::docs)), and the reference page. A new setting
//! is a field of [`JobSettings`] and a row in `table/rows.rs`; `CONTRIBUTING.md` has the list.

mod access;
mod rows;

use crate::value::{Form, Value};
use access::Access;
use clockwright_model::{JobSettings, SettingsError, nearest};

pub(crate) use access::kept_by_type;
pub use rows::SETTINGS;

/// One setting.
pub struct Setting {
    /// Its key in a jobs file. A dot is one level of nesting: `retry.maxAttempts` is `retry: {maxAttempts: …}`.
    pub key: &'static str,
    /// What it may be set to.
    pub form: Form,
    /// What it is unless it is set, as one would write it; empty when there is no default.
    pub default: &'static str,
    /// Something else that it may be; empty where it cannot be said in one text, or is not used.
    pub example: &'static str,
    /// What it means, as Markdown.
    pub help: &'static str,
    /// Where the registry keeps it.
    pub kept: Kept,
    /// The word of [`option`](Self::option), where that is shorter than the key.
    word: &'static str,
    access: Access,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

/// Where the registry keeps a setting.
#[derive(Clone, Copy)]
pub struct Kept {
    /// Java's key in a config of Elastic-Job 2.x.
    pub v2: Option<JavaKey>,
    /// Java's key in a config of ElasticJob 3.x.
    pub v3: Option<JavaKey>,
    /// The key in our block of a config of 2.x, which Java skips: where Java has no key, or one that says a part of it only.
    pub own: Option<&'static str>,
}

impl Kept {
    /// Whether a config of 3.x has room for all of it. Otherwise each instance has it from its own file.
    #[must_use]
    pub fn fits_3x(self) -> bool {
        self.v3.is_some() && !(self.v2.is_some() && self.own.is_some())
    }

    /// Whether a config of either layout has it.
    fn anywhere(self) -> bool {
        self.v2.is_some() || self.v3.is_some() || self.own.is_some()
    }

    /// Java says it so, in both layouts.
    const fn said(self, form: Form, access: Access) -> Self {
        let (Some(v2), Some(v3)) = (self.v2, self.v3) else { return self };
        Self { v2: Some(v2.said(form, access)), v3: Some(v3.said(form, access)), own: self.own }
    }
}

/// A key that Java knows: see [`java`](crate::java).
#[derive(Clone, Copy)]
pub struct JavaKey {
    pub(crate) name: &'static str,
    /// What a config without it means.
    pub(crate) missing: &'static str,
    /// It is left out where it says no more than the default.
    pub(crate) sparse: bool,
    pub(crate) said: Said,
}

/// How Java says a setting.
#[derive(Clone, Copy)]
pub(crate) enum Said {
    /// As a jobs file does.
    AsHere,
    /// In another form.
    Otherwise(Form, Access),
    /// With another setting, or with what a job runs.
    Elsewhere,
}

impl JavaKey {
    const fn new(name: &'static str, missing: &'static str) -> Self {
        Self { name, missing, sparse: false, said: Said::AsHere }
    }

    const fn sparse(self) -> Self {
        Self { sparse: true, ..self }
    }

    const fn said(self, form: Form, access: Access) -> Self {
        Self { said: Said::Otherwise(form, access), ..self }
    }

    const fn elsewhere(self) -> Self {
        Self { said: Said::Elsewhere, ..self }
    }
}

/// The keys that say when; a job has exactly one of them.
pub const SCHEDULES: [&str; 4] = ["cron", "every", "once", "unixCron"];

impl Setting {
    /// What it is set to; `None` when there is nothing: no time zone, no timeout, a cap without `fire_all`.
    #[must_use]
    pub fn get(&self, settings: &JobSettings) -> Option<Value> {
        (self.access.0)(settings)
    }

    /// Sets it.
    ///
    /// # Errors
    /// The value breaks a limit or does not fit the settings that are there; it says what would be right.
    pub fn set(&self, settings: &mut JobSettings, value: Value) -> Result<(), String> {
        self.form.check(&value)?;
        (self.access.1)(settings, value)
    }

    /// Sets it without a look at its limits, which whoever uses the settings checks.
    pub(crate) fn set_any(&self, settings: &mut JobSettings, value: Value) -> Result<(), String> {
        (self.access.1)(settings, value)
    }

    /// Reads it from a text such as the value of an option. An empty text takes away what may be absent.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right.
    pub fn of_text(&self, text: &str) -> Result<Value, String> {
        if text.is_empty() && self.default.is_empty() { Ok(nothing()) } else { self.form.of_text(text) }
    }

    /// Whether the registry decides it once a job is there. What is run is the business of each instance's file; how a server starts
    /// and whether a file overwrites is read at start only; some keys of 3.x are not used at all.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        const AT_START: [&str; 2] = ["disabled", "overwrite"];
        const WHAT_IS_RUN: [&str; 3] = ["elasticJobType", "elasticJobClass", "props"];
        self.kept.anywhere() && !AT_START.contains(&self.key) && !WHAT_IS_RUN.contains(&self.key)
    }

    /// Its name for people who type: `retry-max-attempts`, or a shorter word.
    #[must_use]
    pub fn option(&self) -> String {
        if self.word.is_empty() { self.long_option() } else { self.word.to_owned() }
    }

    /// Its key as an option.
    #[must_use]
    pub fn long_option(&self) -> String {
        let mut option = String::with_capacity(self.key.len() + 4);
        for c in self.key.chars() {
            match c {
                '.' => option.push('-'),
                c if c.is_ascii_uppercase() => option.extend(['-', c.to_ascii_lowercase()]),
                c => option.push(c),
            }
        }
        option
    }

    /// Makes it what another job has, also where that has nothing.
    pub(crate) fn copy(&self, from: &JobSettings, to: &mut JobSettings) {
        // What does not fit there (a cap where nothing is made up for) has no meaning there either.
        let _ = (self.access.1)(to, self.get(from).unwrap_or_else(nothing));
    }
}

/// The setting with this key; `sharding-total-count` and `SHARDING_TOTAL_COUNT` are `shardingTotalCount`, as for Spring.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key).or_else(|| {
        let relaxed = relaxed(key);
        SETTINGS.iter().find(|setting| self::relaxed(setting.key) == relaxed)
    })
}

/// Sets a setting by its key and a text.
///
/// # Errors
/// As [`read`], and the value breaks a limit or does not fit the settings that are there.
pub fn set(settings: &mut JobSettings, key: &str, text: &str) -> Result<(), SettingsError> {
    let (setting, value) = read(key, text)?;
    setting.set(settings, value).map_err(|message| SettingsError::new(setting.key, message))
}

/// Reads a setting's key and its value as a text.
///
/// # Errors
/// There is no such key, or the text is not in the setting's form.
pub fn read(key: &str, text: &str) -> Result<(&'static Setting, Value), SettingsError> {
    let Some(setting) = find(key) else {
        return Err(SettingsError::new(key, unknown(key, SETTINGS.iter().map(|setting| setting.key))));
    };
    let value = setting.of_text(text).map_err(|message| SettingsError::new(setting.key, message))?;
    Ok((setting, value))
}

/// A key without what Spring does not look at.
pub(crate) fn relaxed(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// What to say about a key that is none of the known ones.
pub(crate) fn unknown<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let hint = nearest(key, known).map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
    format!("`{key}` is not a known key{hint}")
}

/// What is set where there is nothing.
pub(crate) fn nothing() -> Value {
    Value::Text(String::new())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::canonical::{from_json, to_json};
    use crate::jobs_file::{Options, parse};
    use crate::{canonical, diff};
    use clockwright_model::{JobKind, JobName};
    use std::collections::BTreeSet;

    #[test]
    fn each_setting_of_the_table_can_be_said_in_a_file_and_in_json_and_makes_the_only_difference() {
        for setting in SETTINGS.iter().filter(|setting| !setting.example.is_empty()) {
            let schedule = if SCHEDULES.contains(&setting.key) { "" } else { "cron: 0 0 12 * * ?, " };
            let kind = if setting.key == "elasticJobType" { "" } else { "elasticJobType: HTTP, " };
            let base = match setting.key {
                "misfireCap" | "misfireWindow" => format!("{schedule}{kind}misfire: fire_all, "),
                _ => format!("{schedule}{kind}"),
            };
            let props = "props: {http.uri: 'http://localhost/', http.method: GET}";
            let said = format!("{}: '{}'", setting.key, setting.example);
            let read = |said: &str| {
                let file = parse("f", &format!("jobs: {{a: {{{base}{said}{props}}}}}"), &Options::default());
                file.unwrap_or_else(|error| panic!("{}: {error}", setting.key)).jobs.remove(0)
            };
            let job = read(&format!("{said}, "));
            assert_eq!(from_json(job.name.clone(), &to_json(&job)).as_ref(), Ok(&job), "{}", setting.key);
            let stands = canonical(&job).iter().any(|(stands, _)| stands.key == setting.key);
            assert!(stands || setting.key == "unixCron", "{} is in no canonical form", setting.key);
            if !schedule.is_empty() && !kind.is_empty() {
                let changes = diff(&read(""), &job);
                let keys: Vec<&str> = changes.iter().map(|change| change.key).collect();
                assert_eq!(keys, [setting.key]);
            }
        }
    }

    #[test]
    fn a_setting_without_an_example_is_one_that_is_not_used() {
        let mut job = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "", 1);
        for setting in SETTINGS.iter().filter(|setting| setting.example.is_empty() && setting.key != "props")
        {
            let before = job.clone();
            setting.set_any(&mut job, Value::Text("x".into())).unwrap();
            assert_eq!(job, before, "{} has no example", setting.key);
        }
    }

    #[test]
    fn no_two_settings_have_one_name() {
        let names: Vec<String> =
            SETTINGS.iter().flat_map(|setting| [setting.option(), setting.long_option()]).collect();
        let different: BTreeSet<&String> = names.iter().collect();
        let shortened = SETTINGS.iter().filter(|setting| !setting.word.is_empty()).count();
        assert_eq!(different.len(), SETTINGS.len() + shortened, "{names:?}");
    }
}
