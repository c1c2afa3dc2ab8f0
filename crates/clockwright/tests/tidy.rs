//! What holds for the repository as a whole: which crate may use which, documents that name what exists, nothing unfinished.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arrows: what each crate may use besides crates from elsewhere. `ARCHITECTURE.md` says why.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("planner", &["model"]),
    ("registry", &[]),
    ("sql", &[]),
    ("tls", &[]),
    ("registry-zookeeper", &["registry", "tls"]),
    ("events", &["model", "sql"]),
    ("settings", &["model", "planner"]),
    ("runtime", &["model", "settings", "tls"]),
    ("fleet", &["model", "planner", "settings", "registry"]),
    ("engine", &["model", "planner", "settings", "fleet", "registry", "events", "runtime"]),
    ("api", &["model", "settings"]),
    ("server", &["model", "planner", "settings", "fleet", "registry", "sql", "events", "api"]),
    (
        "clockwright",
        &[
            "model",
            "planner",
            "settings",
            "fleet",
            "registry",
            "registry-zookeeper",
            "sql",
            "events",
            "runtime",
            "engine",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "planner",
            "settings",
            "fleet",
            "registry",
            "events",
            "runtime",
            "engine",
            "clockwright",
            "server",
            "api",
        ],
    ),
];

/// Crates that only serve development; they may use any, and only `[dev-dependencies]` may use them.
const DEVELOPMENT: &[&str] = &["testkit", "e2e", "benches", "verify-packages"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn short(name: &str) -> &str {
    name.strip_prefix("clockwright-").unwrap_or(name)
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(metadata).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut seen = BTreeSet::new();
    for package in packages {
        let name = short(package["name"].as_str().unwrap());
        seen.insert(name);
        if DEVELOPMENT.contains(&name) {
            continue;
        }
        let (_, allowed) =
            ARROWS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no arrows"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let is_development = dependency["kind"] == "dev";
            if ours.contains(used) && !is_development {
                assert!(allowed.contains(&short(used)), "{name} must not use {used}");
            }
        }
    }
    let known: BTreeSet<&str> =
        ARROWS.iter().map(|(name, _)| *name).chain(DEVELOPMENT.iter().copied()).collect();
    assert_eq!(seen, known, "the table names exactly the crates of the workspace");
}

/// What a program that uses the library must not pay for unless it asks: a command line's crates, drivers of databases, clients.
const NOT_IN_THE_LIBRARY: &[&str] = &[
    "clap",
    "comfy-table",
    "tracing-subscriber",
    "sqlx-mysql",
    "sqlx-postgres",
    "clockwright-registry-zookeeper",
];

#[test]
fn the_library_without_features_brings_no_command_line_no_drivers_and_no_clients() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = |features: &[&str]| {
        let args = [
            "tree",
            "-p",
            "clockwright",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--offline",
            "--no-default-features",
        ];
        let output = Command::new(&cargo).args(args).args(features).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).unwrap();
        names
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(ToOwned::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let (plain, all) = (tree(&[]), tree(&["--all-features"]));
    for name in NOT_IN_THE_LIBRARY {
        assert!(!plain.contains(*name), "the library brings {name}");
    }
    for name in ["reqwest", "sqlx-mysql", "sqlx-postgres", "clockwright-registry-zookeeper"] {
        assert!(all.contains(name), "the features of the library do not bring {name}");
    }
}

/// `make lint` asks cargo-deny where that is installed; what it would refuse is refused here as well.
#[test]
fn s39_nothing_comes_in_that_is_banned_or_from_elsewhere_than_the_registry_and_the_linter_asks() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let (gate, lock, make) = (read("deny.toml"), read("Cargo.lock"), read("Makefile"));
    assert!(make.contains("cargo deny check bans licenses sources"));
    for rule in ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "wildcards = \"deny\""] {
        assert!(gate.contains(rule), "{rule}");
    }
    let banned: Vec<(&str, bool)> = gate
        .lines()
        .filter_map(|line| {
            Some((line.trim().strip_prefix("{ name = \"")?.split_once('"')?.0, line.contains("wrappers")))
        })
        .collect();
    assert!(banned.len() >= 5, "{banned:?}");
    for (name, has_exceptions) in banned {
        let is_there = lock.lines().any(|line| line == format!("name = \"{name}\""));
        assert!(!is_there || has_exceptions, "{name} is banned by deny.toml");
    }
    for source in lock.lines().filter(|line| line.starts_with("source = ")) {
        assert_eq!(source, "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
    }
}

/// The files of the repository, without what git ignores.
fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().unwrap();
            let skipped = [".git", "target", "node_modules", ".clockwright", ".verify-packages"];
            if kind.is_dir() && !skipped.iter().any(|skipped| name == *skipped) {
                walk(&path, found);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found
}

/// Folders that decide: values in, values out.
const PURE: &[&str] = &["crates/planner/src", "crates/engine/src/core", "crates/server/src/decide"];

#[test]
fn what_decides_reads_no_clock_does_no_io_and_is_not_asynchronous() {
    let is_word = |line: &str, word: &str| {
        line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|part| part == word)
    };
    for folder in PURE {
        let folder = root().join(folder);
        let files: Vec<PathBuf> = files().into_iter().filter(|file| file.starts_with(&folder)).collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in
                text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                let words =
                    ["async", "await", "tokio", "sqlx", "axum"].iter().any(|word| is_word(line, word));
                let clocks = ["Instant::now", "SystemTime::now", "Timestamp::now"]
                    .iter()
                    .any(|call| line.contains(call));
                assert!(!words && !clocks, "{}:{}: {line}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn no_source_file_is_longer_than_700_lines() {
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
    {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 700, "{} has {lines} lines: what in it is a room of its own?", file.display());
    }
}

/// The texts between backticks, outside of blocks, and the targets of links.
fn named(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut ticked, mut linked, mut in_block) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            ticked.extend(line.split('`').skip(1).step_by(2).map(ToOwned::to_owned));
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
            linked.extend(
                targets.filter(|target| !target.is_empty() && !target.contains("://")).map(ToOwned::to_owned),
            );
        }
    }
    (ticked, linked)
}

/// Whether a text between backticks means a file or folder of this repository: it has the characters of a path, and begins
/// with a folder of the root or ends as our sources and documents do.
fn is_path(text: &str, root: &Path) -> bool {
    let plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c)) && !text.starts_with('/');
    let first = text.split('/').next().unwrap_or_default();
    let in_root =
        text.contains('/') && !first.is_empty() && !first.starts_with("..") && root.join(first).is_dir();
    // What is built is not there before it is.
    let in_root = in_root && first != "target";
    let endings = [".rs", ".md", ".toml", ".sh"];
    plain && (in_root || endings.iter().any(|ending| text.len() > ending.len() && text.ends_with(ending)))
}

#[test]
fn every_path_that_a_document_names_exists() {
    let root = root();
    let files = files();
    let mut wrong = Vec::new();
    for document in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        let folder = document.parent().unwrap();
        let (ticked, linked) = named(&std::fs::read_to_string(document).unwrap());
        let exists = |path: &str| {
            let places = [
                folder.join(path),
                root.join(path),
                root.join("crates").join(path),
                folder.join("src").join(path),
            ];
            let bare = !path.contains('/')
                && files.iter().any(|file| file.file_name().is_some_and(|name| name == path));
            bare || places.iter().any(|place| place.exists())
        };
        let paths = ticked.into_iter().filter(|text| is_path(text, &root)).filter(|path| !exists(path));
        let links = linked.into_iter().filter(|link| !folder.join(link).exists());
        wrong.extend(paths.chain(links).map(|path| format!("{}: {path}", document.display())));
    }
    assert!(wrong.is_empty(), "these do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn paths_are_told_from_other_words() {
    let root = root();
    for path in ["crates/fleet/src/keys.rs", "CONTRIBUTING.md", "docs/reference"] {
        assert!(is_path(path, &root), "{path}");
    }
    for word in ["sharding/{i}/cursor", "/healthz", "leader/election", "0 0/5 * * * ?", "jobs.yaml", "rs"] {
        assert!(!is_path(word, &root), "{word}");
    }
    let (ticked, linked) = named("see `a.rs` and [b](b.md#c), [d](https://d)\n```\n`no.rs`\n```\n");
    assert_eq!((ticked, linked), (vec!["a.rs".to_owned()], vec!["b.md".to_owned()]));
}

#[test]
fn nothing_is_left_unfinished() {
    // In two parts, so that this file does not find itself.
    let marks = [["//! Place", "holder"].concat(), ["todo", "!("].concat(), ["unimplemented", "!("].concat()];
    let sources = files().into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    for file in sources {
        let text = std::fs::read_to_string(&file).unwrap();
        for mark in &marks {
            assert!(!text.contains(mark), "{} has {mark}", file.display());
        }
    }
}
