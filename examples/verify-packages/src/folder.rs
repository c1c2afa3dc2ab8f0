//! A folder instead of packages, for systems without dpkg: the first run records its sums, later runs compare.

use crate::Part;
use crate::check::{Report, Sum, sum};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Checks the files of this part of the work. Each part keeps its sums in a file of its own, so that parts never wait for
/// each other.
pub(crate) fn verify(folder: &Path, state: &Path, part: Part) -> Result<Report> {
    let state = state.join(format!("sums-{}-of-{}.json", part.item, part.count));
    let recorded: Option<BTreeMap<String, String>> = match fs::read(&state) {
        Ok(text) => {
            Some(serde_json::from_slice(&text).with_context(|| format!("{} is damaged", state.display()))?)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", state.display())),
    };
    let mut report = Report::default();
    let mut found = BTreeMap::new();
    let mut files = Vec::new();
    walk(folder, &mut files, &mut report)
        .with_context(|| format!("{} cannot be listed", folder.display()))?;
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        if !part.has(&name) {
            continue;
        }
        match sum(&path) {
            Sum::Is(sum, bytes) => {
                report.files += 1;
                report.bytes += bytes;
                found.insert(name, sum);
            }
            // It vanished between the listing and the reading.
            Sum::Missing => {}
            Sum::Unreadable(error) => report.problem("unreadable", name, error.to_string()),
        }
    }
    match recorded {
        None => {
            store(&state, &found)?;
            report.scope = format!("folder {}, sums recorded for later runs", folder.display());
        }
        Some(recorded) => {
            compare(&mut report, &recorded, &found);
            report.scope = format!("folder {}", folder.display());
        }
    }
    Ok(report)
}

fn compare(report: &mut Report, recorded: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
    let unreadable: Vec<String> = report.problems.iter().map(|problem| problem.path.clone()).collect();
    for (name, sum) in recorded {
        match found.get(name) {
            Some(now) if now == sum => {}
            Some(_) => report.problem("changed", name, "since its sum was recorded"),
            None if unreadable.contains(name) => {}
            None => report.problem("missing", name, "since its sum was recorded"),
        }
    }
    for name in found.keys().filter(|name| !recorded.contains_key(*name)) {
        report.problem("new", name, "since the sums were recorded");
    }
}

/// Whole or not at all: a run that is killed here leaves the old state or none.
fn store(state: &Path, sums: &BTreeMap<String, String>) -> Result<()> {
    let fail = || format!("{} cannot be written", state.display());
    if let Some(folder) = state.parent() {
        fs::create_dir_all(folder).with_context(fail)?;
    }
    let half = state.with_extension("new");
    fs::write(&half, serde_json::to_vec_pretty(sums)?).with_context(fail)?;
    fs::rename(&half, state).with_context(fail)
}

/// The regular files below a folder; links are not followed, so that a loop of them has an end.
fn walk(folder: &Path, files: &mut Vec<PathBuf>, report: &mut Report) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir()
            && let Err(error) = walk(&entry.path(), files, report)
        {
            report.problem("unreadable", entry.path().display().to_string(), error.to_string());
        }
    }
    Ok(())
}
