//! What others get: the archive, the package, the unit, the manual, the completions, and crates that can be published.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Answer, Place};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A folder that stands for the root of a machine with our package.
fn installed(unit: &str) -> Place {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("lib/systemd/system")).unwrap();
    std::fs::create_dir_all(place.path().join("usr/bin")).unwrap();
    place.write("lib/systemd/system/clockwright.service", unit);
    place.write(
        "lib/systemd/system/clockwright-server.service",
        &read("packaging/clockwright-server.service"),
    );
    place.write("usr/bin/clockwright", "#!/bin/sh\n");
    let program = place.path().join("usr/bin/clockwright");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    place
}

#[test]
fn systemd_has_nothing_to_say_of_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        // Checked where there is a systemd; what the unit starts is checked everywhere, below.
        return;
    }
    let verify = |unit: &str| {
        let place = installed(unit);
        Answer::of(&Command::new(root().join("scripts/verify-unit.sh")).arg(place.path()).output().unwrap())
    };
    let unit = read("packaging/clockwright.service");
    let answer = verify(&unit);
    assert_eq!((answer.code, answer.talk.as_str()), (0, ""));
    let answer = verify(&unit.replace("KillMode=mixed", "KillMode=some"));
    assert_ne!(answer.code, 0, "the check finds what is wrong");
}

#[test]
fn the_unit_and_the_image_start_the_program_with_options_that_it_knows() {
    let unit = read("packaging/clockwright.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/clockwright ")).unwrap();
    let image = read("packaging/Containerfile");
    let cmd = image.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let cmd: Vec<String> = serde_json::from_str(cmd).unwrap();
    let place = Place::new();
    for args in [start.split(' ').map(ToOwned::to_owned).collect(), cmd] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        // It is refused for its file alone, which is not there, and with the code that the unit does not restart on.
        let answer = place.run(&args);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.talk.contains("/etc/clockwright/jobs.yaml: cannot be read"), "{answer:?}");
    }
    let help = place.run(&["node", "--help"]).out;
    for name in read("packaging/clockwright.default").lines().filter_map(|line| line.split_once('=')) {
        let name = name.0.trim_start_matches('#');
        assert!(help.contains(name), "{name} is no option of `node`");
    }
    let copied = image.lines().find_map(|line| line.strip_prefix("COPY ")).unwrap();
    assert_eq!(copied, "target/dist/clockwright /usr/bin/clockwright", "what `make dist` makes");
}

#[test]
fn the_units_of_the_package_say_what_keeps_a_server_from_the_rest_of_its_machine() {
    let unit = read("packaging/clockwright-server.service");
    for line in [
        "Type=notify",
        "DynamicUser=yes",
        "StateDirectory=clockwright-server",
        "LoadCredential=clockwright.yaml:/etc/clockwright/clockwright.yaml",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryMax=512M",
        "LimitCORE=0",
    ] {
        assert!(unit.lines().any(|there| there == line), "{line}");
    }
    assert!(read("packaging/clockwright.service").contains("\nType=notify\n"), "`node` tells systemd too");
}

#[test]
fn the_servers_unit_starts_with_the_configuration_that_is_installed() {
    let unit = read("packaging/clockwright-server.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/clockwright ")).unwrap();
    let place = Place::new();
    place.write("clockwright.yaml", &read("packaging/clockwright.yaml"));
    let here = place.path().display().to_string();
    let start =
        start.replace("${CREDENTIALS_DIRECTORY}", &here).replace("/var/lib/clockwright-server", "data");
    let args: Vec<&str> = start.split(' ').chain(["--listen", "127.0.0.1:0"]).collect();
    let mut server = place.start(&args);
    place.until_talk("serving at");
    assert_eq!(server.terminate(), 0);
    assert!(place.path().join("data/control.db").exists());
    // What stands there as an example can be used as it is.
    let examples: Vec<String> = read("packaging/clockwright.yaml")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.trim_start_matches('#').to_owned())
        .collect();
    assert!(examples.iter().any(|line| line.starts_with("database: ")), "{examples:?}");
    place.write("clockwright.yaml", &examples.join("\n"));
    let shown = place.run(&["config", "show", "--config", "clockwright.yaml"]);
    assert_eq!(shown.code, 0, "{shown:?}");
}

#[test]
fn every_command_has_a_page_of_the_manual_and_every_shell_its_completions() {
    let place = Place::new();
    let made = place.run(&["reference", "man", "man"]);
    assert_eq!(made.code, 0, "{made:?}");
    for (page, words) in [
        ("clockwright.1", "Exit codes"),
        ("clockwright-node.1", "\\-\\-session\\-timeout"),
        ("clockwright-job-drain.1", "nothing"),
        ("clockwright-run-logs.1", "printed"),
    ] {
        let text = std::fs::read_to_string(place.path().join("man").join(page)).unwrap();
        assert!(
            text.contains(words) || page.contains("drain") && text.contains("Pause a job"),
            "{page}: {text}"
        );
        assert!(!text.contains("exec-task"), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let answer = place.run(&["completion", shell]);
        assert!(answer.code == 0 && answer.out.contains("shutdown-grace"), "{shell}: {}", answer.talk);
    }
    let unknown = place.run(&["completion", "tcsh"]);
    assert_eq!(unknown.code, 2);
}

#[test]
fn make_run_says_what_it_does_before_it_compiles_and_lets_cargo_show_its_progress() {
    let output = Command::new("make").args(["-n", "run"]).current_dir(root()).output().unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    let said = plan.find("building the program").unwrap();
    let build = plan.find("cargo build").unwrap();
    assert!(said < build, "{plan}");
    assert!(!plan[build..].lines().next().unwrap().contains("quiet"), "{plan}");
    assert!(plan.contains("debug/clockwright\""), "it says where the program is: {plan}");
}

#[test]
fn every_public_crate_has_what_a_registry_of_crates_asks_for() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(args).current_dir(root()).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    // An empty list is `publish = false`.
    let private = |package: &serde_json::Value| package["publish"].as_array().is_some_and(Vec::is_empty);
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let (hidden, public): (Vec<_>, Vec<_>) = packages.iter().partition(|package| private(package));
    let hidden: Vec<String> = hidden.into_iter().map(name).collect();
    assert!(public.len() >= 10, "{} crates are public", public.len());
    for package in public {
        for key in ["description", "license"] {
            assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{}: {key}", name(package));
        }
        for used in package["dependencies"].as_array().unwrap().iter().filter(|used| used["kind"] != "dev") {
            let (user, used, version) = (name(package), name(used), used["req"].as_str().unwrap());
            assert!(!hidden.contains(&used), "{user} is public and uses {used}, which is not");
            assert_ne!(version, "*", "{user} uses {used} in no version");
        }
    }
}
