//! A Spring Boot `application.yml` as Spring reads it: documents, profiles, dotted keys.
//!
//! Documents are one file, in which later ones win key by key. A document with `spring.config.activate.on-profile` (before Spring Boot
//! 2.4: `spring.profiles`) counts only when one of its profiles is on: those that the caller names, else `SPRING_PROFILES_ACTIVE` where
//! the environment is given, else `spring.profiles.active` of the file.

use super::{Environment, Problem};
use crate::table::{find, relaxed};
use crate::value::text;
use crate::yaml::{Entry, Value, Yaml};
use std::collections::BTreeMap;

/// Whether a key at the top makes the file Spring's.
pub(super) fn is_springs(key: &str) -> bool {
    let head = relaxed(key.split('.').next().unwrap_or(key));
    head == "elasticjob" || head == "spring"
}

/// The documents that count as one map, and a note about each that does not and has jobs.
pub(super) fn one(
    documents: Vec<Vec<Entry>>,
    profiles: &[String],
    environment: Option<Environment<'_>>,
) -> (Vec<Entry>, Vec<Problem>) {
    let documents: Vec<(Vec<Entry>, BTreeMap<String, String>)> = documents
        .into_iter()
        .map(|entries| {
            let entries = unfold(entries);
            let keys = flat(&entries);
            (entries, keys)
        })
        .collect();
    let on = active(&documents, profiles, environment);
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    for (entries, keys) in documents {
        match condition(&keys) {
            Some(wanted) if !is_met(&wanted, &on) => {
                let jobs =
                    keys.keys().any(|key| key.starts_with("elasticjob.jobs.") || key.starts_with("jobs."));
                if let Some(line) = entries.first().map(|entry| entry.line).filter(|_| jobs) {
                    let message = format!(
                        "this document is for the profile `{wanted}`, which is not on: its jobs are left out; --profile turns profiles on"
                    );
                    notes.push(Problem { line: Some(line), ..Problem::of_file(message) });
                }
            }
            _ => merge(&mut out, entries),
        }
    }
    (out, notes)
}

/// All texts of a document by their dotted keys; of a list, its items as `key[0]`.
pub(super) fn flat(entries: &[Entry]) -> BTreeMap<String, String> {
    fn walk(key: &str, value: &Yaml, out: &mut BTreeMap<String, String>) {
        match &value.value {
            Value::Map(entries) => {
                for entry in entries {
                    let key = if key.is_empty() { entry.key.clone() } else { format!("{key}.{}", entry.key) };
                    walk(&key, &entry.value, out);
                }
            }
            Value::List(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(index, value)| walk(&format!("{key}[{index}]"), value, out));
            }
            Value::Scalar { .. } => drop(out.insert(key.to_owned(), text(value).unwrap_or_default())),
        }
    }
    let mut out = BTreeMap::new();
    for entry in entries {
        walk(&entry.key, &entry.value, &mut out);
    }
    out
}

/// What a job of a class is, in words; `None` for one that a file can run.
pub(super) fn code(fields: &[Entry]) -> Option<String> {
    let given = |key: &str| {
        let field = fields.iter().find(|field| find(&field.key).is_some_and(|setting| setting.key == key))?;
        text(&field.value).ok().filter(|text| !text.is_empty())
    };
    match (given("elasticJobType").map(|word| word.to_uppercase()), given("elasticJobClass")) {
        (Some(word), _) if word == "SCRIPT" || word == "HTTP" => None,
        (_, Some(class)) => Some(format!("of the class {class}")),
        (Some(word), None) if word == "SIMPLE" || word == "DATAFLOW" => Some(format!("a {word} job")),
        _ => None,
    }
}

/// Gives dotted keys at the top, and below `elasticjob`, the nesting that they mean; names of jobs may have dots, and stand in `[…]`.
fn unfold(entries: Vec<Entry>) -> Vec<Entry> {
    let mut out = Vec::new();
    for mut entry in entries.into_iter().map(|entry| nest(entry, is_springs)) {
        if relaxed(&entry.key) == "elasticjob" {
            entry.key = "elasticjob".into();
            if let Value::Map(inner) = &mut entry.value.value {
                let mut below = Vec::new();
                for mut entry in std::mem::take(inner).into_iter().map(|entry| nest(entry, |_| true)) {
                    if relaxed(&entry.key) == "jobs"
                        && let Value::Map(jobs) = &mut entry.value.value
                    {
                        *jobs = named(std::mem::take(jobs));
                    }
                    join(&mut below, entry);
                }
                *inner = below;
            }
        }
        join(&mut out, entry);
    }
    out
}

/// The jobs by their names: `report.cron: …` is a setting of `report`, `com.acme.report: {…}` and `"[com.acme.report]"` are names.
fn named(jobs: Vec<Entry>) -> Vec<Entry> {
    let mut out = Vec::new();
    for mut job in jobs {
        let bracketed =
            job.key.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(ToOwned::to_owned);
        if let Some(name) = bracketed {
            job.key = name;
        } else if !matches!(job.value.value, Value::Map(_)) || setting_below(&job.key) {
            job = nest(job, |_| true);
        }
        join(&mut out, job);
    }
    out
}

/// Whether what follows the first dot of a key begins with a setting's key: `report.props: {…}`.
fn setting_below(key: &str) -> bool {
    key.split_once('.').is_some_and(|(_, rest)| find(rest.split('.').next().unwrap_or(rest)).is_some())
}

/// `a.b: c` as `a: {b: c}`, one level, if the key is one to be nested.
fn nest(entry: Entry, wanted: impl Fn(&str) -> bool) -> Entry {
    match entry.key.split_once('.') {
        Some((head, rest)) if wanted(&entry.key) => {
            let inner = Entry { key: rest.to_owned(), line: entry.line, value: entry.value };
            let inner = nest_head(inner);
            Entry {
                key: head.to_owned(),
                line: entry.line,
                value: Yaml { line: entry.line, value: Value::Map(vec![inner]) },
            }
        }
        _ => entry,
    }
}

/// Nests `jobs.a.cron` once more, so that the names of jobs are keys of a map.
fn nest_head(entry: Entry) -> Entry {
    match entry.key.split_once('.') {
        Some((head, _)) if relaxed(head) == "jobs" => nest(entry, |_| true),
        _ => entry,
    }
}

/// Adds an entry of the same document: maps of one key are one map, anything else that is given twice stays so and is refused later.
fn join(out: &mut Vec<Entry>, entry: Entry) {
    let same = out.iter_mut().find(|known| known.key == entry.key);
    match (same.map(|known| &mut known.value.value), entry.value.value) {
        (Some(Value::Map(known)), Value::Map(more)) => more.into_iter().for_each(|entry| join(known, entry)),
        (_, value) => out.push(Entry { value: Yaml { line: entry.value.line, value }, ..entry }),
    }
}

/// Lays a later document over what came before.
fn merge(base: &mut Vec<Entry>, later: Vec<Entry>) {
    for entry in later {
        match base.iter_mut().find(|known| known.key == entry.key) {
            None => base.push(entry),
            Some(known) => match (&mut known.value.value, entry.value.value) {
                (Value::Map(known), Value::Map(more)) => merge(known, more),
                (_, value) => *known = Entry { value: Yaml { line: entry.value.line, value }, ..entry },
            },
        }
    }
}

/// The condition of a document, as it is written.
fn condition(keys: &BTreeMap<String, String>) -> Option<String> {
    let of = |wanted: &str| {
        let found: Vec<&str> = keys
            .iter()
            .filter(|(key, _)| relaxed(key.split('[').next().unwrap_or(key)) == wanted)
            .map(|(_, value)| value.as_str())
            .collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    of("spring.config.activate.onprofile").or_else(|| of("spring.profiles"))
}

fn active(
    documents: &[(Vec<Entry>, BTreeMap<String, String>)],
    profiles: &[String],
    environment: Option<Environment<'_>>,
) -> Vec<String> {
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
    };
    if !profiles.is_empty() {
        return profiles.iter().flat_map(|text| list(text)).collect();
    }
    if let Some(text) = environment.and_then(|environment| environment("SPRING_PROFILES_ACTIVE")) {
        return list(&text);
    }
    let of_file = |(_, keys): &(Vec<Entry>, BTreeMap<String, String>)| -> Vec<String> {
        if condition(keys).is_some() {
            return Vec::new();
        }
        let is_active = |key: &str| relaxed(key.split('[').next().unwrap_or(key)) == "spring.profiles.active";
        keys.iter().filter(|(key, _)| is_active(key)).flat_map(|(_, value)| list(value)).collect()
    };
    documents.iter().flat_map(of_file).collect()
}

/// `prod`, `!dev`, `prod & eu`, `prod | test`, and several with commas, of which one is enough.
fn is_met(condition: &str, on: &[String]) -> bool {
    let is_on = |name: &str| on.iter().any(|on| on == name) || on.is_empty() && name == "default";
    let term = |term: &str| match term.trim().strip_prefix('!') {
        Some(name) => !is_on(name.trim()),
        None => is_on(term.trim()),
    };
    condition.split([',', '|']).any(|all| all.split('&').all(term))
}
