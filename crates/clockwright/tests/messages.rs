//! What people are told: read here all together, so that no message is written that nobody has read.
//!
//! `cargo test -p clockwright --test messages -- --nocapture` prints every sentence of the sources, by file, for whoever reads them
//! once more. What can be judged without reading is judged: nothing is said twice in one breath, nothing is announced and left out,
//! and no package is recommended that Debian 12 does not have.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

use clockwright::events::EventStore;
use clockwright::jobs_file::{Options, parse};
use clockwright::{Address, JobName};
use clockwright_planner::Schedule;
use clockwright_settings::table;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The packages of Debian 12 that messages and pages say to install.
const DEBIAN_12: &[&str] = &["build-essential", "ca-certificates", "tini"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What is wrong with a message, whatever it is about.
fn fault(text: &str) -> Option<String> {
    let said_twice = text.split('\n').find_map(|line| {
        let parts: Vec<&str> = line.split(": ").collect();
        parts.windows(2).find(|pair| !pair[0].is_empty() && pair[0] == pair[1]).map(|pair| pair[0].to_owned())
    });
    if let Some(twice) = said_twice {
        return Some(format!("`{twice}: ` twice"));
    }
    let left_out = [
        (": :", "nothing between two colons"),
        ("``", "a name that is empty"),
        ("()", "brackets around nothing"),
        (" ,", "nothing before a comma"),
        (": ,", "nothing after a colon"),
        (": ;", "nothing after a colon"),
        ("by :", "by nobody"),
        ("Some(", "a word of the program's own"),
        ("Err(", "a word of the program's own"),
        ("None", "a word of the program's own"),
    ];
    let left_out = left_out.iter().find(|(sign, _)| text.contains(sign)).map(|(_, what)| (*what).to_owned());
    left_out.or_else(|| {
        let ends_openly = text.trim_end().ends_with([':', ',', '(']) || text.trim().is_empty();
        ends_openly.then(|| "something is announced at its end, and left out".to_owned())
    })
}

/// Fails with all of these messages that something is wrong with.
#[track_caller]
fn are_whole(texts: impl IntoIterator<Item = String>) {
    let faults: Vec<String> =
        texts.into_iter().filter_map(|text| Some(format!("{}: {text}", fault(&text)?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A text of the sources.
struct Sentence {
    line: usize,
    text: String,
}

/// The texts between quotes of a source, without those of its tests and comments.
fn texts(source: &str) -> Vec<(Sentence, &str)> {
    let (mut found, mut rest, mut line) = (Vec::new(), source, 1);
    let mut before = "";
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '\'' => character_length(rest),
            'r' if is_raw(rest, before) => {
                let hashes = rest[1..].find('"').unwrap();
                let end = format!("\"{}", "#".repeat(hashes));
                let inner = &rest[hashes + 2..];
                let length = inner.find(&end).unwrap_or(inner.len());
                found.push((Sentence { line, text: inner[..length].to_owned() }, before));
                hashes + 2 + length + end.len()
            }
            '"' => {
                let length = text_length(&rest[1..]);
                found.push((Sentence { line, text: joined(&rest[1..=length]) }, before));
                length + 2
            }
            other => other.len_utf8(),
        };
        let taken = taken.min(rest.len());
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
        let at = source.len() - rest.len();
        before = &source[source.floor_char_boundary(at.saturating_sub(60))..at];
    }
    found
}

fn is_raw(rest: &str, before: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// How long a character between quotes is, or the name of a lifetime.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, _))) => rest[at + 1..].find('\'').map_or(1, |end| at + 2 + end),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// Up to the quote that ends a text.
fn text_length(text: &str) -> usize {
    let mut escaped = false;
    text.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
    .unwrap_or(text.len())
}

/// A text whose lines are one.
fn joined(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| all + line.trim_start())
}

/// Whether a text is said to people: it is of some words, and no statement of a database, code of a test or word for engineers.
fn is_said(text: &str, before: &str) -> bool {
    const NOT_SAID: &[&str] = &["expect(", "reason = ", "panic!(", "unreachable!(", "assert!(", "concat!("];
    const OF_DATABASES: &[&str] = &[
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "DROP",
        " ON ",
        " ORDER BY",
        "WHERE",
        "SET ",
        "PRAGMA",
        " = ",
        " IS ",
        "IN (",
        " OR ",
        " IN ",
        "VARCHAR",
        "BIGINT",
        "PRIMARY",
        ", ",
        ") ",
    ];
    let last = before.trim_end();
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() >= 3
        && !NOT_SAID.iter().any(|sign| last.ends_with(sign.trim_end()))
        && !OF_DATABASES.iter().any(|sign| text.starts_with(sign))
        && !["VARCHAR", "BIGINT", " IS NULL", "SELECT ", " = '"].iter().any(|sign| text.contains(sign))
}

/// The sources of what is shipped.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![root().join("crates")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let unsaid = [
                "tests",
                "testkit",
                "examples",
                "benches",
                "migrations",
                "invariants",
                "faults.rs",
                "build.rs",
            ];
            if unsaid.contains(&name.as_str()) || name == "tests.rs" || name.ends_with("_tests.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_sentence_that_is_said_is_whole() {
    let mut faults = String::new();
    let mut count = 0;
    for path in sources() {
        let source = std::fs::read_to_string(&path).unwrap();
        let shipped = source.split("#[cfg(test)]\nmod").next().unwrap();
        let name = path.strip_prefix(root().join("crates")).unwrap().display().to_string();
        for (Sentence { line, text }, before) in texts(shipped) {
            if !is_said(&text, before) {
                continue;
            }
            count += 1;
            println!("{name}:{line}: {text}");
            // What goes on in another text may end openly; and a page, or code that is to be written, has signs of its own.
            let is_page = text.contains("\\n\\n") || text.contains("if let Some(");
            let fault = fault(&text).filter(|fault| !is_page && !fault.ends_with("left out"));
            if let Some(fault) = fault {
                writeln!(faults, "{name}:{line}: {fault}: {text}").unwrap();
            }
        }
    }
    assert!(count > 1_000, "{count} sentences were found: the reader of sources finds none any more");
    assert!(faults.is_empty(), "{faults}");
}

/// Values that no setting, or only some, can have.
const STRANGE: &[&str] = &[
    "''",
    "'  '",
    "~",
    "x",
    "'a b'",
    "-1",
    "0",
    "1.5",
    "99999999999999999999",
    "true",
    "[]",
    "[a, b]",
    "{}",
    "{a: b}",
    "'1h 30'",
    "'* * * * *'",
    "'0 0 25 * * ?'",
    "'0 0 0 30 2 ?'",
    "'${NOT_THERE}'",
    "'#{1+1}'",
    "'0=a,b'",
    "\"\\0\"",
];

#[test]
fn what_is_said_of_a_strange_value_of_any_setting_is_whole() {
    let keys: Vec<&str> = table::SETTINGS.iter().map(|setting| setting.key).collect();
    assert!(keys.len() > 20, "{keys:?}");
    let mut said = Vec::new();
    for key in keys {
        for value in STRANGE {
            let base = [("elasticJobType", "SCRIPT"), ("every", "5s"), ("props", "{script.command.line: x}")];
            let mut lines = String::new();
            for (other, text) in base.iter().filter(|(other, _)| *other != key) {
                writeln!(lines, "    {other}: {text}").unwrap();
            }
            let file = format!("jobs:\n  a:\n{lines}    {key}: {value}\n");
            if let Err(error) = parse("jobs.yaml", &file, &Options::default()) {
                said.extend(error.to_string().lines().map(ToOwned::to_owned));
            }
        }
    }
    assert!(said.len() > 200, "only {} were refused", said.len());
    are_whole(said);
}

#[test]
fn what_is_said_of_strange_jobs_files_is_whole() {
    let files = [
        "",
        "x",
        "[]",
        "jobs:",
        "jobs: {}",
        "jobs: []",
        "jobs: {a: }",
        "jobs: {a: {}}",
        "jobs: {'': {}}",
        "jobs: {'a/b': {}}",
        "jobs: {a: {elasticJobType: }}",
        "jobs: {a: {elasticJobType: SIMPLE}}",
        "jobs: {a: {elasticJobType: HTTP, every: 5s}}",
        "jobs: {a: {elasticJobType: SCRIPT, every: 5s, cron: '* * * * * ?'}}",
        "jobs: {a: {x: 1, x: 2}}",
        "jobs:\n  a: [\n",
        "jobs: {a: &a {b: *a}}",
        "a: 1\n---\nb: 2",
        "elasticjob: {enabled: maybe, jobs: {}}",
        "jobs: {a: {? [x] : y}}",
        "jobs: {a: {elasticJobType: SCRIPT, every: 5s, props: {script.shell: perhaps, script.context: x, script.env: 1}}}",
        "jobs: {a: {elasticJobType: HTTP, every: 5s, props: {http.uri: ':', http.method: x, http.redirect: x, http.tls.ca: x}}}",
    ];
    let said = files.map(|file| match parse("jobs.yaml", file, &Options::default()) {
        Ok(_) => panic!("it is taken: {file}"),
        Err(error) => error.to_string(),
    });
    assert!(said.iter().all(|said| said.starts_with("jobs.yaml")), "{said:?}");
    are_whole(said.iter().flat_map(|said| said.lines()).map(ToOwned::to_owned));
}

#[test]
fn what_is_said_of_strange_schedules_zones_and_names_is_whole() {
    let crons = [
        "",
        "x",
        "* * * * *",
        "* * * * * *",
        "* * * ? * ?",
        "60 * * * * ?",
        "0 0 0 L,1 * ?",
        "0 0 0 ? * 6#9",
        "@every",
        "@every 1",
        "@every 1s 2h",
        "@once",
        "@once tomorrow",
        "@never",
        "0/0 * * * * ?",
        "5-1 * * * * ?",
        "0 0 0 1 FOO ?",
        "0,,1 * * * * ?",
    ];
    let said = crons.into_iter().filter_map(|cron| Some(Schedule::parse(cron, None).err()?.to_string()));
    are_whole(said);
    let zones = ["x", "UTC+8", "CST", "Asia/Shanghi", "GMT+25", " "];
    let said = zones
        .into_iter()
        .filter_map(|zone| Some(Schedule::parse("0 0 0 * * ?", Some(zone)).err()?.to_string()));
    are_whole(said);
    let names = ["", "a/b", "a@-@b", ".", "..", " a", "a\u{200b}", &"x".repeat(101)];
    are_whole(names.map(|name| JobName::new(name).unwrap_err().to_string()));
}

#[tokio::test]
async fn what_is_said_of_strange_addresses_is_whole() {
    let registries = [
        "",
        "x",
        "x:",
        "embedded:",
        "embedded:/",
        "embedded:x",
        "http://h/ns",
        "zookeeper:",
        "zookeeper://",
        "zookeeper:///ns",
        "zookeeper://h",
        "zookeeper://h:0/ns",
        "zookeeper://h:2181/",
        "zookeeper://h;i/ns",
        "zookeeper://a@h/ns",
        "zookeeper://h/ns?x=y",
        "zookeeper://h/ns?auth=x",
        "zookeeper://h/ns?ca=",
        "zookeeper://h/ ns",
        "zookeeper://h/\"ns\"",
        "zookeeper://[::1/ns",
        "zookeeper://h/zookeeper://i/ns",
    ];
    are_whole(registries.into_iter().filter_map(|address| Some(Address::parse(address).err()?.to_string())));
    let missing = tempfile::tempdir().unwrap().path().join("no folder").join("events.db");
    let stores = [
        "",
        "x",
        "x:",
        "sqlite:",
        "oracle://h/d",
        "postgres://",
        "mysql://h",
        "mysql://u:p@h:x/d",
        &format!("sqlite:{}", missing.display()),
    ];
    let mut said = Vec::new();
    for address in stores {
        said.extend(EventStore::connect_read_only(address).await.err().map(|error| error.to_string()));
    }
    are_whole(said);
}

/// What to install on Debian, as messages, scripts and pages say it.
#[test]
fn only_packages_that_debian_12_has_are_recommended() {
    let mut pages = vec![root().join("Makefile"), root().join("README.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs/guides", "docs/reference", "packaging", "scripts"] {
        pages.extend(std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    pages.extend(sources());
    let mut recommended = 0;
    for page in pages.into_iter().filter(|page| page.is_file()) {
        let text = std::fs::read_to_string(&page).unwrap();
        for advice in text.split("apt-get install").skip(1).chain(text.split("apt install").skip(1)) {
            let ends = |c: char| matches!(c, '`' | '"' | ';' | '\n' | '>' | ')');
            for package in advice.split(ends).next().unwrap_or_default().split_whitespace() {
                let is_package = package.starts_with(|c: char| c.is_ascii_lowercase());
                if is_package {
                    recommended += 1;
                    assert!(DEBIAN_12.contains(&package), "{}: is `{package}` in Debian 12?", page.display());
                }
            }
        }
    }
    assert!(recommended > 0, "nothing is recommended any more: this test can go");
}

#[test]
fn a_message_with_something_left_out_is_found() {
    for text in [
        "cron: cron: is empty",
        "the job was paused by : x",
        "cannot open ``",
        "cannot read x: ",
        "a: : b",
        "no (), none",
        "  ",
        "found Some(3)",
    ] {
        assert!(fault(text).is_some(), "{text}");
    }
    let whole = "jobs.yaml:3: job `a`: cron: `x` is not understood; use `@every 30s`, for example";
    assert_eq!(fault(whole), None);
}
