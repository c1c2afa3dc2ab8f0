//! The program on a small system of its own.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use md5::{Digest as _, Md5};
use std::fs;
use std::path::Path;
use std::process::Command;

struct System(tempfile::TempDir);

impl System {
    /// Two packages with one program each, and a configuration file.
    fn new() -> Self {
        let system = Self(tempfile::tempdir().unwrap());
        for (package, file) in [("alpha", "usr/bin/alpha"), ("beta", "usr/bin/beta")] {
            system.write(file, &format!("the program {package}"));
            system.write(
                &format!("var/lib/dpkg/info/{package}.md5sums"),
                &line(&format!("the program {package}"), file),
            );
        }
        system.write("etc/alpha.conf", "as shipped");
        let status =
            "Package: alpha\nStatus: install ok installed\nConffiles:\n /etc/alpha.conf 0123\nVersion: 1\n";
        system.write("var/lib/dpkg/status", status);
        system
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn append(&self, list: &str, text: &str) {
        let path = self.root().join(list);
        let old = fs::read_to_string(&path).unwrap_or_default();
        self.write(list, &(old + text));
    }

    fn verify(&self, more: &[&str]) -> (i32, String) {
        run(&[&["--root", self.root().to_str().unwrap()], more].concat())
    }
}

fn line(content: &str, file: &str) -> String {
    let sum: String = Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{sum}  {file}\n")
}

fn run(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_verify-packages")).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_untouched_system_is_as_recorded() {
    let (code, text) = System::new().verify(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("2 packages: 2 files checked, ") && text.contains("all as recorded"), "{text}");
}

#[test]
fn a_file_that_was_changed_on_purpose_is_found_by_exactly_one_item() {
    let system = System::new();
    system.write("usr/bin/beta", "the program beta, and something more");
    let mut found = 0;
    for item in 0..4 {
        let context = format!(
            r#"{{"jobName":"v","taskId":"t","shardingTotalCount":4,"jobParameter":"","shardingItem":{item}}}"#
        );
        let (code, text) = system.verify(&[&context]);
        let changed = text.contains("changed /usr/bin/beta (beta)");
        assert_eq!(code, i32::from(changed), "{text}");
        found += i32::from(changed);
    }
    assert_eq!(found, 1);
}

#[test]
fn a_missing_file_is_found_unless_the_system_was_told_to_leave_it_out() {
    let system = System::new();
    fs::remove_file(system.root().join("usr/bin/alpha")).unwrap();
    system.append("var/lib/dpkg/info/beta.md5sums", &line("gone", "usr/share/doc/beta/README"));
    let (code, text) = system.verify(&[]);
    assert_eq!(code, 1);
    assert!(
        text.contains("missing /usr/bin/alpha (alpha)")
            && text.contains("missing /usr/share/doc/beta/README"),
        "{text}"
    );
    system.write("etc/dpkg/dpkg.cfg.d/small", "path-exclude=/usr/share/doc/*\n");
    let (_, text) = system.verify(&[]);
    assert!(!text.contains("README") && text.contains("1 files left out"), "{text}");
}

#[test]
fn configuration_files_are_the_administrators_to_change() {
    let system = System::new();
    system.append("var/lib/dpkg/info/alpha.md5sums", &line("as shipped", "etc/alpha.conf"));
    system.write("etc/alpha.conf", "as wanted");
    let (code, text) = system.verify(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 configuration files changed"), "{text}");
}

#[test]
fn a_diverted_file_is_checked_where_it_went() {
    let system = System::new();
    fs::rename(system.root().join("usr/bin/alpha"), system.root().join("usr/bin/alpha.distrib")).unwrap();
    system.write("usr/bin/alpha", "another package's program");
    system.write("var/lib/dpkg/diversions", "/usr/bin/alpha\n/usr/bin/alpha.distrib\ngamma\n");
    let (code, text) = system.verify(&[]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_run_whose_time_is_up_is_continued_by_the_next_one() {
    let system = System::new();
    system.write("usr/bin/beta", "changed");
    let state = tempfile::tempdir().unwrap();
    let args = ["--seconds", "0", "--state", state.path().to_str().unwrap()];
    let runs = [system.verify(&args), system.verify(&args), system.verify(&args)];
    assert!(
        runs.iter().all(|(_, text)| text.starts_with("1 of 2 packages, the next run goes on")),
        "{runs:?}"
    );
    assert_eq!(runs.map(|(code, _)| code), [0, 1, 0], "alpha, beta, and alpha again");
}

#[test]
fn something_unreadable_is_reported_and_the_rest_is_checked() {
    let system = System::new();
    fs::remove_file(system.root().join("usr/bin/alpha")).unwrap();
    fs::create_dir(system.root().join("usr/bin/alpha")).unwrap();
    let (code, text) = system.verify(&[]);
    assert_eq!(code, 1);
    assert!(text.contains("unreadable /usr/bin/alpha (alpha: is not a regular file)"), "{text}");
    assert!(text.contains("1 files checked"), "{text}");
}

#[test]
fn a_system_without_dpkg_says_so_and_checks_a_folder_instead() {
    let empty = tempfile::tempdir().unwrap();
    let (code, text) = run(&["--root", empty.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(text.contains("has no dpkg") && text.contains("--folder DIR"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for file in ["a", "b", "sub/c"] {
        fs::write(folder.path().join(file), file).unwrap();
    }
    let args = ["--folder", folder.path().to_str().unwrap(), "--state", state.path().to_str().unwrap()];
    let (code, text) = run(&args);
    assert!(code == 0 && text.contains("sums recorded") && text.contains("3 files checked"), "{text}");
    assert_eq!(run(&args).0, 0);
    fs::write(folder.path().join("b"), "changed").unwrap();
    fs::remove_file(folder.path().join("sub/c")).unwrap();
    fs::write(folder.path().join("d"), "new").unwrap();
    let (code, text) = run(&args);
    assert_eq!(code, 1);
    for expected in ["changed b", "missing sub/c", "new d"] {
        assert!(text.contains(expected), "{text}");
    }
}
