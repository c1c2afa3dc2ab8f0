//! The records of dpkg: which package has which file with which sum.
//!
//! Three things make an honest check more than a comparison of sums:
//! - **conffiles**: configuration files are the administrator's to change or remove. Their original sums are in dpkg's
//!   status file, mostly not in the lists; a changed one is counted, never a problem;
//! - **diversions**: another package may have moved a file aside. The sum is then compared where the file went;
//! - **excluded paths**: a small system (a container image) is told not to install documentation. A file that such a rule
//!   covers may be missing.

use crate::Part;
use crate::check::{Report, Sum, sum};
use anyhow::{Context as _, Result};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Checks the packages of this part of the work: all of them, or as many as are begun within `time`, after the one at which
/// the run before stopped.
pub(crate) fn verify(root: &Path, part: Part, time: Option<Duration>, state: &Path) -> Result<Report> {
    let begun = Instant::now();
    let dpkg = root.join("var/lib/dpkg");
    let records = Records {
        root,
        conffiles: conffiles(&dpkg)?,
        diversions: diversions(&dpkg)?,
        excluded: Excluded::read(root),
    };
    let mut packages = packages(&dpkg.join("info"), part)?;
    let total = packages.len();
    let place = state.join(format!("last-{}-of-{}", part.item, part.count));
    if time.is_some() {
        // Without a readable place the first package is as good as any.
        let last = fs::read_to_string(&place).unwrap_or_default();
        let next = packages.partition_point(|(package, _)| *package <= last);
        packages.rotate_left(next % total.max(1));
    }
    let mut report = Report::default();
    let mut checked = 0;
    for (package, list) in &packages {
        records.check(&mut report, package, list);
        checked += 1;
        if time.is_some_and(|time| begun.elapsed() >= time) {
            break;
        }
    }
    report.scope = format!("{total} packages");
    if checked < total {
        report.scope = format!("{checked} of {total} packages, the next run goes on");
        let (last, _) = &packages[checked - 1];
        fs::create_dir_all(state)
            .and_then(|()| fs::write(&place, last))
            .with_context(|| format!("{} cannot be written", place.display()))?;
    }
    Ok(report)
}

/// The packages of this part, by name, and their lists of sums.
fn packages(info: &Path, part: Part) -> Result<Vec<(String, PathBuf)>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(info).context("dpkg's records cannot be listed")? {
        let path = entry.context("dpkg's records cannot be listed")?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".md5sums"));
        if let Some(package) = name
            && part.has(package)
        {
            packages.push((package.to_owned(), path));
        }
    }
    packages.sort();
    Ok(packages)
}

/// What is known besides the lists.
struct Records<'a> {
    root: &'a Path,
    conffiles: HashSet<String>,
    diversions: HashMap<String, (String, String)>,
    excluded: Excluded,
}

impl Records<'_> {
    /// Checks one package.
    fn check(&self, report: &mut Report, package: &str, list: &Path) {
        let text = match fs::read(list) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => return report.problem("unreadable", list.display().to_string(), error.to_string()),
        };
        for line in text.lines() {
            // `<sum>  <path without the first slash>`
            let Some((recorded, file)) = line.split_once("  ") else { continue };
            let file = format!("/{file}");
            let diverted = self.diversions.get(&file).filter(|(_, by)| by != plain(package));
            let place = diverted.map_or(&file, |(to, _)| to);
            let conffile = self.conffiles.contains(&file);
            match sum(&self.root.join(&place[1..])) {
                Sum::Is(found, bytes) => {
                    report.files += 1;
                    report.bytes += bytes;
                    match (found == recorded, conffile) {
                        (true, _) => {}
                        (false, true) => report.own_configuration += 1,
                        (false, false) => report.problem("changed", place, package),
                    }
                }
                Sum::Missing if conffile => report.own_configuration += 1,
                Sum::Missing if self.excluded.covers(place) => report.left_out += 1,
                Sum::Missing => report.problem("missing", place, package),
                Sum::Unreadable(error) => report.problem("unreadable", place, format!("{package}: {error}")),
            }
        }
    }
}

/// `libc6:amd64` is the package `libc6`.
fn plain(package: &str) -> &str {
    package.split(':').next().unwrap_or(package)
}

/// The configuration files of all packages, from the `Conffiles:` fields of the status file.
fn conffiles(dpkg: &Path) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    let mut inside = false;
    for line in read_or_empty(&dpkg.join("status"))?.lines() {
        if line.starts_with("Conffiles:") {
            inside = true;
        } else if !line.starts_with(' ') {
            inside = false;
        } else if inside && let Some(path) = line.split_whitespace().next() {
            found.insert(path.to_owned());
        }
    }
    Ok(found)
}

/// Where diverted files are, and which package moved them: groups of three lines, from, to, by.
fn diversions(dpkg: &Path) -> Result<HashMap<String, (String, String)>> {
    let text = read_or_empty(&dpkg.join("diversions"))?;
    let lines: Vec<&str> = text.lines().collect();
    let group = |lines: &[&str]| (lines[0].to_owned(), (lines[1].to_owned(), lines[2].to_owned()));
    Ok(lines.chunks_exact(3).map(group).collect())
}

fn read_or_empty(path: &Path) -> Result<String> {
    match fs::read(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// The `path-exclude` and `path-include` rules of dpkg's configuration; the last rule that matches decides.
struct Excluded(Vec<(bool, String)>);

impl Excluded {
    fn read(root: &Path) -> Self {
        let folder = root.join("etc/dpkg/dpkg.cfg.d");
        let mut files: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        files.insert(0, root.join("etc/dpkg/dpkg.cfg"));
        let mut rules = Vec::new();
        for text in files.iter().filter_map(|file| fs::read_to_string(file).ok()) {
            for line in text.lines() {
                if let Some((key, pattern)) = line.trim().split_once(['=', ' ']) {
                    match key {
                        "path-exclude" => rules.push((true, pattern.trim().to_owned())),
                        "path-include" => rules.push((false, pattern.trim().to_owned())),
                        _ => {}
                    }
                }
            }
        }
        Self(rules)
    }

    fn covers(&self, file: &str) -> bool {
        self.0.iter().rev().find(|(_, pattern)| matches(pattern, file)).is_some_and(|(excluded, _)| *excluded)
    }
}

/// Shell patterns as dpkg reads them: `*` is any text, slashes included, and `?` any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star is, and how much it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_dpkg() {
        assert!(matches("/usr/share/doc/*", "/usr/share/doc/a/b.gz"));
        assert!(matches("/usr/share/doc/*/copyright", "/usr/share/doc/a/copyright"));
        assert!(matches("/usr/share/locale/??/*", "/usr/share/locale/de/x"));
        assert!(!matches("/usr/share/doc/*", "/usr/share/docs"));
        assert!(matches("*", ""));
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules =
            Excluded(vec![(true, "/usr/share/doc/*".into()), (false, "/usr/share/doc/*/copyright".into())]);
        assert!(rules.covers("/usr/share/doc/a/README"));
        assert!(!rules.covers("/usr/share/doc/a/copyright"));
        assert!(!rules.covers("/usr/bin/a"));
    }
}
