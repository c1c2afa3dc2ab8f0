//! Jobs files: YAML with Elastic-Job 3.x's keys and ours, read whole or refused with everything that is wrong.
//!
//! A jobs file is `jobs: {NAME: {…}}`, alone or under `elasticjob:` as in a Spring Boot `application.yml`; other top-level
//! keys of such a file are none of our business and are left alone. Every problem is reported at once, with the line, the job
//! and the key; one problem is enough for the whole file to be refused, before anything is started or written.
//!
//! A file is at most [`MAX_BYTES`] long.

mod reference;
mod table;
mod units;
mod yaml;

pub use reference::reference;
pub use units::duration;

use clockwright_model::{JobName, JobSettings, nearest};
use clockwright_planner::Schedule;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use table::{Draft, FIELDS, SCHEDULES};
use yaml::{Entry, Value, Yaml};

/// The longest jobs file that is read: 4 MiB, some ten thousand jobs.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A jobs file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JobsFileError {
    /// The file, as it was named.
    pub file: String,
    /// Everything that is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a jobs file.
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

impl fmt::Display for JobsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(&self.file)?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            if let Some(job) = &problem.job {
                write!(f, ": job `{job}`")?;
            }
            if let Some(field) = &problem.field {
                write!(f, ": {field}")?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

/// Reads a jobs file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path) -> Result<Vec<JobSettings>, JobsFileError> {
    let file = path.display().to_string();
    let refuse =
        |message: String| JobsFileError { file: file.clone(), problems: vec![Problem::of_file(message)] };
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(refuse(format!(
            "is longer than {} MiB, the most that a jobs file may have",
            MAX_BYTES >> 20
        )));
    }
    let text = String::from_utf8(text).map_err(|_| refuse("is not UTF-8 text".into()))?;
    parse(&file, &text)
}

/// Reads the text of a jobs file; `file` is what error messages call it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Vec<JobSettings>, JobsFileError> {
    let mut reader = Reader::default();
    match yaml::documents(text) {
        Ok(documents) => documents.iter().for_each(|document| reader.document(document)),
        Err(broken) => {
            reader.problems.push(Problem { line: Some(broken.line), ..Problem::of_file(broken.message) });
        }
    }
    if !reader.found && reader.problems.is_empty() {
        reader.problems.push(Problem::of_file("has no jobs; it is `jobs: {NAME: {…}}`".into()));
    }
    if reader.problems.is_empty() {
        return Ok(reader.jobs);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(JobsFileError { file: file.to_owned(), problems: reader.problems })
}

impl Problem {
    fn of_file(message: String) -> Self {
        Self { line: None, job: None, field: None, message }
    }
}

/// What to say about a key that is not known.
fn unknown<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let hint = nearest(key, known).map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
    format!("`{key}` is not a known key{hint}")
}

#[derive(Default)]
struct Reader {
    found: bool,
    jobs: Vec<JobSettings>,
    lines: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl Reader {
    fn document(&mut self, document: &Yaml) {
        if document.is_null() {
            return;
        }
        let Value::Map(entries) = &document.value else {
            return self.problem(
                document.line,
                None,
                None,
                format!("the file is {}; it is `jobs: {{NAME: {{…}}}}`", document.kind()),
            );
        };
        let spring = entries.iter().any(|entry| entry.key == "elasticjob");
        for entry in entries {
            match entry.key.as_str() {
                "jobs" => self.all(&entry.value),
                "elasticjob" => self.elasticjob(&entry.value),
                // A Spring Boot file has keys of others.
                _ if spring => {}
                key => self.problem(entry.line, None, None, unknown(key, ["jobs", "elasticjob"])),
            }
        }
    }

    fn elasticjob(&mut self, value: &Yaml) {
        let Value::Map(entries) = &value.value else {
            return self.problem(
                value.line,
                None,
                Some("elasticjob"),
                format!("is {}; it is a map with `jobs`", value.kind()),
            );
        };
        for entry in entries {
            match entry.key.as_str() {
                "jobs" => self.all(&entry.value),
                // The registry is named on the command line, and tracing and dumps are always there.
                "enabled" | "regCenter" | "reg-center" | "tracing" | "dump" => {}
                key => self.problem(
                    entry.line,
                    None,
                    Some("elasticjob"),
                    unknown(key, ["jobs", "regCenter", "tracing", "dump"]),
                ),
            }
        }
    }

    fn all(&mut self, value: &Yaml) {
        self.found = true;
        let Value::Map(entries) = &value.value else {
            return self.problem(
                value.line,
                None,
                Some("jobs"),
                format!("is {}; it is a map from names to jobs", value.kind()),
            );
        };
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
        let Value::Map(fields) = &entry.value.value else {
            return self.problem(
                entry.line,
                Some(name),
                None,
                format!("is {}; it is a map of settings", entry.value.kind()),
            );
        };
        let mut draft = Draft::default();
        let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
        for field in fields {
            let camel = camel_case(&field.key);
            let Some(known) = FIELDS.iter().find(|known| known.key == field.key || known.key == camel) else {
                self.problem(
                    field.line,
                    Some(name),
                    None,
                    unknown(&field.key, FIELDS.iter().map(|known| known.key)),
                );
                continue;
            };
            if let Some(first) = lines.insert(known.key, field.line) {
                self.problem(
                    field.line,
                    Some(name),
                    Some(known.key),
                    format!("is already given on line {first}"),
                );
            } else if let Err(message) = known.read(&mut draft, &field.value) {
                self.problem(field.line, Some(name), Some(known.key), message);
            }
        }
        let schedule_key = draft.schedule.first().map_or(SCHEDULES[0], |(key, _)| key);
        let line_of = |field: &str| {
            let key = field.split('.').next().unwrap_or(field);
            lines.get(key).copied().unwrap_or(entry.line)
        };
        let failed = self.problems.len() > before;
        let checked = checked.unwrap_or_else(|_| JobName::new("unnamed").expect("the word is a valid name"));
        match draft.finish(checked) {
            // What a failed key left out is no second problem.
            Err(_) if failed => {}
            Err((field, message)) => self.problem(line_of(field), Some(name), Some(field), message),
            Ok(settings) => {
                if let Err(error) = settings.validate() {
                    self.problem(line_of(&error.field), Some(name), Some(&error.field), error.message);
                }
                if let Err(error) = Schedule::parse(&settings.cron, settings.time_zone.as_deref()) {
                    let key = if error.field == "time zone" { "timeZone" } else { schedule_key };
                    self.problem(line_of(key), Some(name), Some(key), error.to_string());
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

/// `sharding-total-count` as `shardingTotalCount`: Spring Boot takes both.
fn camel_case(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut upper = false;
    for c in key.chars() {
        match c {
            '-' => upper = true,
            c if upper => {
                out.extend(c.to_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
