//! `${NAME}` and `${key:default}` in the values of a jobs file.
//!
//! Without an environment they are refused by name. With one, each is the variable of that name (or, as for Spring, of the name in
//! capitals with `_` for `.` and without `-`: `${jobs.report.host}` is `JOBS_REPORT_HOST`), else the file's own key of that name, else
//! the default behind the first `:`, in which placeholders may stand again. `$${NAME}` is the text `${NAME}`. Spring's expressions, `#{…}`,
//! are refused; `##{…}` is the text `#{…}`. So every text can be written ([`escaped`]), and is read back as itself.
//!
//! A command line that a shell reads keeps those of the shell: `sh -c 'echo ${HOME}'`, and any line with `script.shell: true`.

use super::Environment;
use crate::CommandLine;
use crate::script::{COMMAND_LINE, is_shell};
use crate::yaml::{Value, Yaml};
use std::collections::BTreeMap;

/// How deep placeholders may stand in what placeholders bring.
const DEPTH: usize = 16;

/// Expands the placeholders of all texts below `value`. Answers with what cannot be expanded: the line, the keys that lead there, and
/// what is wrong.
pub(super) fn expand(
    value: &mut Yaml,
    path: &mut Vec<String>,
    keys: &BTreeMap<String, String>,
    environment: Option<Environment<'_>>,
) -> Vec<(usize, String, String)> {
    let shell = path.is_empty() && asks_for_shell(value);
    walk(value, path, shell, &Lookup { keys, environment })
}

fn walk(
    value: &mut Yaml,
    path: &mut Vec<String>,
    shell: bool,
    lookup: &Lookup<'_>,
) -> Vec<(usize, String, String)> {
    match &mut value.value {
        Value::Scalar { text, .. } => {
            let key = path.join(".");
            if key.split_once('.').is_some_and(|(_, key)| is_left_alone(key, text, shell)) {
                return Vec::new();
            }
            match lookup.text(text, 0) {
                Ok(expanded) => {
                    *text = expanded;
                    Vec::new()
                }
                Err(message) => vec![(value.line, key, message)],
            }
        }
        Value::List(list) => list.iter_mut().flat_map(|value| walk(value, path, shell, lookup)).collect(),
        Value::Map(entries) => {
            let mut found = Vec::new();
            for entry in entries {
                path.push(entry.key.clone());
                found.extend(walk(&mut entry.value, path, shell, lookup));
                path.pop();
            }
            found
        }
    }
}

struct Lookup<'a> {
    keys: &'a BTreeMap<String, String>,
    environment: Option<Environment<'a>>,
}

impl Lookup<'_> {
    fn text(&self, text: &str, depth: usize) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = opening(rest) {
            let (before, sign, inner) = (&rest[..at], &rest[at..=at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix(sign) {
                out.extend([before, sign, "{"]);
                rest = inner;
                continue;
            }
            if sign == "#" {
                return Err(format!(
                    "`{text}` has an expression `#{{…}}`, which only Spring can evaluate; write what it means, or `##{{` for the text `#{{`"
                ));
            }
            out.push_str(before);
            let end = end_of(inner)
                .ok_or_else(|| format!("`{text}` has a placeholder `${{` that is never closed by `}}`"))?;
            out.push_str(&self.placeholder(&inner[..end], depth)?);
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn placeholder(&self, inner: &str, depth: usize) -> Result<String, String> {
        let Some(environment) = self.environment else {
            return Err(format!(
                "`${{{inner}}}` is a placeholder; --expand takes it from the environment, and `$${{{inner}}}` is that text itself"
            ));
        };
        if depth == DEPTH {
            return Err(format!("`${{{inner}}}` stands in itself"));
        }
        let (name, default) = match inner.split_once(':') {
            Some((name, default)) => (name.trim(), Some(default)),
            None => (inner.trim(), None),
        };
        if let Some(value) = names(name).iter().find_map(|name| environment(name)) {
            return Ok(value);
        }
        match self.keys.get(name).map(String::as_str).or(default) {
            Some(text) => self.text(text, depth + 1),
            None => {
                let wanted = names(name).join("` or `");
                Err(format!(
                    "`${{{inner}}}`: the environment has no `{wanted}`, and there is no default: `${{{name}:…}}`"
                ))
            }
        }
    }
}

/// A text as it is written where placeholders are expanded.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("#{", "##{")
}

/// Whether a property's text is left as it stands: the command line of a job whose lines a shell reads, or one that starts a shell.
pub(super) fn is_left_alone(property: &str, text: &str, shell: bool) -> bool {
    property == COMMAND_LINE && (shell || is_shells(text))
}

/// Where the first placeholder or expression opens.
fn opening(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"${" | b"#{"))
}

/// The variables that may hold a name.
fn names(name: &str) -> Vec<String> {
    let capitals = |dash: &str| name.replace('-', dash).replace('.', "_").to_uppercase();
    let mut names = vec![name.to_owned(), capitals(""), capitals("_")];
    names.dedup();
    names
}

/// Where the `}` is that closes a placeholder, with those in its default closed before.
fn end_of(inner: &str) -> Option<usize> {
    let mut open = 0;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a job's properties give its command line to a shell.
fn asks_for_shell(job: &Yaml) -> bool {
    fn search(value: &Yaml, path: &str) -> bool {
        match &value.value {
            Value::Map(entries) => entries.iter().any(|entry| {
                let key = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                search(&entry.value, &key)
            }),
            Value::Scalar { text, .. } => path == "props.script.shell" && is_shell(text),
            Value::List(_) => false,
        }
    }
    search(job, "")
}

/// Whether a command line starts a shell.
pub(super) fn is_shells(line: &str) -> bool {
    let Ok(command) = CommandLine::parse(line) else { return false };
    let name = command.program.rsplit('/').next().unwrap_or_default();
    ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox"].contains(&name)
}
