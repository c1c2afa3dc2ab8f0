//! Jobs files: YAML with Elastic-Job 3.x's keys and ours, read whole or refused with everything that is wrong.
//!
//! A jobs file is `jobs: {NAME: {…}}`, alone or under `elasticjob:` as in a Spring Boot `application.yml`. Every problem is reported
//! at once, with the line, the job and the key; one problem is enough for the whole file to be refused, before anything is
//! started or written. What can be used and is likely not meant so is noted ([`JobsFile::notes`]), and so is every reason for which a
//! job of the file does not run here: whoever starts the file and whoever only checks it read it through this one door.
//!
//! # As Spring reads it
//! In a file with `elasticjob` or `spring` at the top ([`spring`]), other keys are none of our business; several documents are one file in
//! which later ones win key by key; a document for a profile counts when the profile is on; keys may be dotted, nested, and spelt
//! with dashes; jobs with a class are left to those who have the class.
//!
//! # Placeholders
//! `${NAME}` and `${key:default}` are refused by name, unless the environment is given to expand them from ([`placeholders`]): a job that
//! runs with the text `${HOST}` in its address helps nobody.
//!
//! A file is at most [`MAX_BYTES`] long. Relative paths in it, and programs without a path that its folder has, are meant from the
//! folder it is in ([`JobsFile::folder`]).

mod notes;
mod placeholders;
mod spring;
mod write;

pub use crate::reference::reference;
pub use crate::units::{duration, say};
pub use write::{excerpts, write};

use crate::table::{SCHEDULES, SETTINGS, find, unknown};
use crate::value::Value;
use crate::yaml::{self, Entry, Yaml};
use crate::{canonical, usable};
use clockwright_model::{JobKind, JobName, JobSettings, Millis};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest jobs file that is read: 4 MiB, some ten thousand jobs.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What a jobs file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsFile {
    /// The jobs that can be run from it, in its order.
    pub jobs: Vec<JobSettings>,
    /// What is likely not meant as it is written, and which jobs do not run and why, in the order of the file.
    pub notes: Vec<Problem>,
    /// False when `elasticjob.enabled` is: then nothing of the file is to run.
    pub enabled: bool,
    /// The folder it is in, from which its relative paths are meant; the current one for a text from a pipe.
    pub folder: PathBuf,
    /// On which line each of its jobs begins, from 1.
    pub lines: BTreeMap<String, usize>,
}

/// Answers with the value of a variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How a jobs file is read.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Where placeholders are looked up; `None` refuses them.
    pub environment: Option<Environment<'a>>,
    /// The Spring profiles that are on. When there are none, those that the file itself turns on.
    pub profiles: &'a [String],
    /// The time, for the note that a schedule is over; epoch milliseconds. `None` notes nothing.
    pub now: Option<Millis>,
    /// Jobs that are a program's own code are taken too: whoever reads the file starts nothing, and only says what the jobs are.
    pub code: bool,
}

/// A jobs file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JobsFileError {
    /// The file, as it was named.
    pub file: String,
    /// Everything that is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a jobs file, or noted about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// On which line, from 1, if it is about one.
    pub line: Option<usize>,
    /// In which job, if it is about one.
    pub job: Option<String>,
    /// About which key, if it is about one.
    pub field: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Without the file: `:6: job `a`: cron: …`, to be put after its name.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(job) = self.job.as_ref().filter(|job| !job.is_empty()) {
            write!(f, ": job `{job}`")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for JobsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}{problem}", self.file)?;
        }
        Ok(())
    }
}

/// Reads a jobs file, once, so that a pipe will do; `-` is the standard input. Programs and folders that its jobs need are looked
/// for on this machine and noted when they are missing.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path, options: &Options<'_>) -> Result<JobsFile, JobsFileError> {
    let file = path.display().to_string();
    let refuse =
        |message: String| JobsFileError { file: file.clone(), problems: vec![Problem::of_file(message)] };
    let mut text = Vec::new();
    let open: std::io::Result<Box<dyn Read>> = match path.to_str() {
        Some("-") => Ok(Box::new(std::io::stdin())),
        _ => std::fs::File::open(path).map(|file| Box::new(file) as _),
    };
    open.and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(refuse(format!(
            "is longer than {} MiB, the most that a jobs file may have",
            MAX_BYTES >> 20
        )));
    }
    let text = String::from_utf8(text).map_err(|_| refuse("is not UTF-8 text".into()))?;
    let mut jobs = parse(&file, &text, options)?;
    jobs.folder = folder(path);
    notes::machine(&mut jobs);
    Ok(jobs)
}

/// The folder that a file is in, as an absolute path; that of this process for what is no file.
fn folder(path: &Path) -> PathBuf {
    let here = || std::env::current_dir().unwrap_or_default();
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let parent = path.parent().filter(|_| is_file && path.as_os_str() != "-");
    parent.map_or_else(here, |parent| here().join(parent).components().collect())
}

/// Reads the text of a jobs file; `file` is what error messages call it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str, options: &Options<'_>) -> Result<JobsFile, JobsFileError> {
    let mut reader = Reader::new(options);
    match yaml::documents(text.trim_start_matches('\u{feff}')) {
        Ok(documents) => reader.file(documents),
        Err(broken) => {
            reader.problems.push(Problem { line: Some(broken.line), ..Problem::of_file(broken.message) });
        }
    }
    if !reader.found && reader.problems.is_empty() {
        reader.problems.push(Problem::of_file("has no jobs; it is `jobs: {NAME: {…}}`".into()));
    }
    reader.notes.sort_by_key(|note| note.line);
    if reader.jobs.is_empty() && reader.problems.is_empty() {
        let why: Vec<String> = reader
            .notes
            .iter()
            .map(|note| note.to_string().trim_start_matches(':').trim().to_owned())
            .collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
        reader.problems.push(Problem::of_file(format!("has no job that can be run from a file{why}")));
    }
    if reader.problems.is_empty() {
        return Ok(JobsFile {
            jobs: reader.jobs,
            notes: reader.notes,
            enabled: reader.enabled,
            folder: std::env::current_dir().unwrap_or_default(),
            lines: reader.lines,
        });
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(JobsFileError { file: file.to_owned(), problems: reader.problems })
}

impl Problem {
    fn of_file(message: String) -> Self {
        Self { line: None, job: None, field: None, message }
    }

    fn of_job(line: usize, job: &str, field: Option<&str>, message: String) -> Self {
        Self { line: Some(line), job: Some(job.to_owned()), field: field.map(Into::into), message }
    }
}

struct Reader<'a> {
    options: &'a Options<'a>,
    found: bool,
    enabled: bool,
    /// The file is Spring's: `elasticjob` or `spring` stand at its top.
    spring: bool,
    /// The file's own keys, for placeholders.
    keys: BTreeMap<String, String>,
    jobs: Vec<JobSettings>,
    lines: BTreeMap<String, usize>,
    problems: Vec<Problem>,
    notes: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(options: &'a Options<'a>) -> Self {
        Self {
            options,
            found: false,
            enabled: true,
            spring: false,
            keys: BTreeMap::new(),
            jobs: Vec::new(),
            lines: BTreeMap::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn file(&mut self, documents: Vec<Yaml>) {
        let mut maps = Vec::new();
        for document in documents.into_iter().filter(|document| !document.is_null()) {
            match document.value {
                yaml::Value::Map(entries) => maps.push(entries),
                _ => self.problem(
                    document.line,
                    None,
                    None,
                    format!("the file is {}; it is `jobs: {{NAME: {{…}}}}`", document.kind()),
                ),
            }
        }
        self.spring = maps.iter().flatten().any(|entry| spring::is_springs(&entry.key));
        if self.spring {
            let (entries, notes) = spring::one(maps, self.options.profiles, self.options.environment);
            self.notes.extend(notes);
            self.keys = spring::flat(&entries);
            self.document(&entries);
        } else {
            maps.iter().for_each(|entries| self.document(entries));
        }
    }

    fn document(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry.key.as_str() {
                "jobs" => self.all(&entry.value),
                "elasticjob" => self.elasticjob(&entry.value),
                // A Spring Boot file has keys of others; `x-` is for anchors that jobs share.
                _ if self.spring => {}
                key if key.starts_with("x-") => {}
                key => self.problem(entry.line, None, None, unknown(key, ["jobs", "elasticjob"])),
            }
        }
    }

    /// What is below a key that holds other keys.
    fn entries<'v>(&mut self, value: &'v Yaml, key: &str, wanted: &str) -> Option<&'v [Entry]> {
        if let yaml::Value::Map(entries) = &value.value {
            return Some(entries);
        }
        self.problem(value.line, None, Some(key), format!("is {}; it is {wanted}", value.kind()));
        None
    }

    fn elasticjob(&mut self, value: &Yaml) {
        let Some(entries) = self.entries(value, "elasticjob", "a map with `jobs`") else { return };
        for entry in entries {
            match crate::table::relaxed(&entry.key).as_str() {
                "jobs" => self.all(&entry.value),
                "enabled" => self.enabled(entry),
                // The registry is named on the command line, and tracing and dumps are always there.
                "regcenter" | "tracing" | "dump" => {}
                _ => self.problem(
                    entry.line,
                    None,
                    Some("elasticjob"),
                    unknown(&entry.key, ["jobs", "enabled", "regCenter", "tracing", "dump"]),
                ),
            }
        }
    }

    fn enabled(&mut self, entry: &Entry) {
        let mut value = entry.value.clone();
        let expanded =
            placeholders::expand(&mut value, &mut Vec::new(), &self.keys, self.options.environment);
        let read = match expanded.into_iter().next() {
            Some((_, _, message)) => Err(message),
            None => crate::value::Form::Flag.read(&value),
        };
        match read {
            Ok(Value::Flag(enabled)) => self.enabled = enabled,
            Ok(_) => {}
            Err(message) => self.problem(entry.line, None, Some("elasticjob.enabled"), message),
        }
    }

    fn all(&mut self, value: &Yaml) {
        self.found = true;
        let Some(entries) = self.entries(value, "jobs", "a map from names to jobs") else { return };
        if entries.is_empty() {
            self.problem(value.line, None, Some("jobs"), "has no job".into());
        }
        for entry in entries {
            if let Some(first) = self.lines.insert(entry.key.clone(), entry.line) {
                let message = format!("a job of this name is already on line {first}; names are unique");
                self.problem(entry.line, Some(&entry.key), None, message);
                continue;
            }
            self.job(entry);
        }
    }

    fn job(&mut self, entry: &Entry) {
        let name = &entry.key;
        let before = self.problems.len();
        let checked = JobName::new(name);
        if let Err(error) = &checked {
            self.problem(entry.line, Some(name), None, error.to_string());
        }
        if !matches!(entry.value.value, yaml::Value::Map(_)) {
            let message = format!("is {}; it is a map of settings", entry.value.kind());
            return self.problem(entry.line, Some(name), None, message);
        }
        let mut value = entry.value.clone();
        let yaml::Value::Map(given) = &value.value else { return };
        if self.spring
            && !self.options.code
            && let Some(code) = spring::code(given)
        {
            let message = format!("is {code}, which is code: it is left to the instances that have it");
            return self.notes.push(Problem::of_job(entry.line, name, None, message));
        }
        for (line, key, message) in
            placeholders::expand(&mut value, &mut Vec::new(), &self.keys, self.options.environment)
        {
            self.problem(line, Some(name), Some(&key), message);
        }
        let yaml::Value::Map(given) = value.value else { return };
        let mut lines: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut values = Vec::new();
        for field in flatten(given) {
            let Some(setting) = find(&field.key) else {
                self.problem(field.line, Some(name), None, unknown_setting(&field));
                continue;
            };
            if let Some(first) = lines.insert(setting.key, field.line) {
                let message = format!("is already given on line {first}");
                self.problem(field.line, Some(name), Some(setting.key), message);
                continue;
            }
            match setting.form.read(&field.value) {
                _ if setting.key == "cron" && field.value.is_null() => {
                    let message = "has no value; `''` makes a one-off job of Elastic-Job 3.x";
                    self.problem(field.line, Some(name), Some("cron"), message.into());
                }
                Ok(value) => values.push((setting, value)),
                Err(message) => self.problem(field.line, Some(name), Some(setting.key), message),
            }
        }
        let failed = self.problems.len() > before;
        let schedule_key = SCHEDULES.into_iter().find(|key| lines.contains_key(key)).unwrap_or(SCHEDULES[0]);
        let place = |field: &str| {
            let field = if field == "cron" { schedule_key } else { field };
            let of_props = field.starts_with("script.") || field.starts_with("http.");
            let key = if of_props { "props" } else { field };
            let field = if of_props { format!("props.{field}") } else { field.to_owned() };
            (lines.get(key).copied().unwrap_or(entry.line), field)
        };
        let checked = checked.unwrap_or_else(|_| JobName::new("unnamed").expect("the word is a valid name"));
        let settings = match canonical::assemble(checked, &values) {
            Ok(settings) => settings,
            // What a failed key left out is no second problem.
            Err(_) if failed => return,
            Err(problems) => {
                for error in problems {
                    let (line, field) = place(&error.field);
                    self.problem(line, Some(name), Some(&field), error.message);
                }
                return;
            }
        };
        match usable::check(&settings) {
            Err(_) if failed => {}
            Err(problems) => {
                for error in problems {
                    let (line, field) = place(&error.field);
                    self.problem(line, Some(name), Some(&field), error.message);
                }
            }
            Ok(_)
                if !self.options.code && !matches!(settings.kind, JobKind::Script { .. } | JobKind::Http) =>
            {
                let (line, field) = place("elasticJobType");
                let message = format!(
                    "{} jobs are code, which a jobs file does not have; use SCRIPT or HTTP here, or the Rust library",
                    settings.kind.word()
                );
                self.problem(line, Some(name), Some(&field), message);
            }
            Ok((usable, code)) => {
                for (field, message) in notes::of(&settings, &usable, &code, self.options.now) {
                    let (line, field) = place(&field);
                    self.notes.push(Problem::of_job(line, name, Some(&field), message));
                }
                self.jobs.push(settings);
            }
        }
    }

    fn problem(&mut self, line: usize, job: Option<&str>, field: Option<&str>, message: String) {
        self.problems.push(Problem {
            line: Some(line),
            job: job.map(Into::into),
            field: field.map(Into::into),
            message,
        });
    }
}

/// Writes out the maps that are no setting by themselves: `retry: {maxAttempts: 3}` is `retry.maxAttempts: 3`. Properties, which are
/// one, may also be given dotted.
fn flatten(given: Vec<Entry>) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    for entry in given {
        match entry.value.value {
            yaml::Value::Map(inner) if find(&entry.key).is_none() => {
                out.extend(
                    inner
                        .into_iter()
                        .map(|inner| Entry { key: format!("{}.{}", entry.key, inner.key), ..inner }),
                );
            }
            value => out.push(Entry { value: Yaml { value, ..entry.value }, ..entry }),
        }
    }
    let (dotted, mut out): (Vec<Entry>, Vec<Entry>) =
        out.into_iter().partition(|entry| entry.key.starts_with("props."));
    for entry in dotted {
        let inner = Entry { key: entry.key["props.".len()..].to_owned(), ..entry };
        match out.iter_mut().find(|entry| entry.key == "props").map(|props| &mut props.value.value) {
            Some(yaml::Value::Map(entries)) => entries.push(inner),
            _ => {
                let (key, line) = ("props".to_owned(), inner.line);
                out.push(Entry { key, line, value: Yaml { line, value: yaml::Value::Map(vec![inner]) } });
            }
        }
    }
    out
}

/// What to say about a key that is no setting.
fn unknown_setting(field: &Entry) -> String {
    let inner = |head: &str| {
        let head = format!("{head}.");
        SETTINGS
            .iter()
            .filter_map(move |setting| setting.key.strip_prefix(&head).map(ToOwned::to_owned))
            .collect::<Vec<_>>()
    };
    let known = inner(&field.key);
    if !known.is_empty() {
        return format!("`{}` is {}; it is a map of {}", field.key, field.value.kind(), known.join(", "));
    }
    if let Some((head, rest)) = field.key.split_once('.') {
        let known = inner(head);
        if !known.is_empty() {
            return format!("{head}: {}", unknown(rest, known.iter().map(String::as_str)));
        }
    }
    unknown(&field.key, SETTINGS.iter().map(|setting| setting.key))
}

#[cfg(test)]
mod spring_tests;
#[cfg(test)]
mod tests;
