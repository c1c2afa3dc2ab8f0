//! The guide to the server, carried out as a newcomer would: each line of a `console` block that begins with `$ ` is typed, in order, and a `yaml` block is the
//! `jobs.yaml` of the commands below it. What goes on in the background is started; what becomes true in a moment is asked until it is.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Answer, Place};
use std::path::Path;
use std::time::{Duration, Instant};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/server.md");

/// What a command shows sooner or later, by how it begins.
const SHOWN: [(&str, &str); 6] = [
    ("run list", "succeeded"),
    ("ledger", "succeeded"),
    ("job versions report --diff", "0/10 * * * * ?"),
    ("hold list", "the printer is away"),
    ("drift list", "repaired"),
    ("sync status", "written"),
];

fn until(place: &Place, line: &str, path: &str, wanted: &str) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = place.command("sh").arg("-c").arg(line).env("PATH", path).output().unwrap();
        let answer = Answer::of(&output);
        if answer.code == 0 && answer.out.contains(wanted) {
            return answer;
        }
        assert!(Instant::now() < deadline, "`{line}` never showed `{wanted}`: {answer:?}\n{}", place.talk());
        // Polling, not waiting: other processes decide when it is so.
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn every_command_of_the_guide_to_the_server_works_in_its_order() {
    let binary = Path::new(env!("CARGO_BIN_EXE_clockwright")).parent().unwrap().display().to_string();
    let path = format!("{binary}:{}", std::env::var("PATH").unwrap());
    let place = Place::new();
    let text = std::fs::read_to_string(GUIDE).unwrap();
    let mut lines = text.lines();
    let (mut running, mut link, mut done) = (Vec::new(), String::new(), 0);
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "yaml" && body[0] == "jobs:" {
            place.write("jobs.yaml", &body.join("\n"));
        }
        for command in
            body.iter().filter_map(|line| line.strip_prefix("$ clockwright ")).filter(|_| kind == "console")
        {
            done += 1;
            if command == "server" {
                let (server, _, setup) = place.serve();
                running.push(server);
                link = setup;
            } else if command.starts_with("node ") {
                let words: Vec<&str> = command.split_whitespace().collect();
                running.push(place.start(&words));
            } else if command.starts_with("login ") {
                let words: Vec<&str> = command.split_whitespace().collect();
                let answer = place.type_in(&words, &[&link, "lina", "correct horse battery staple"]);
                assert_eq!(answer.code, 0, "{answer:?}");
            } else {
                let shown = SHOWN.iter().find(|(begins, _)| command.starts_with(begins));
                let wanted = shown.map_or("", |(_, wanted)| wanted);
                let answer = until(&place, &format!("clockwright {command}"), &path, wanted);
                assert!(!answer.out.is_empty(), "`{command}` said nothing");
            }
        }
    }
    assert!(done > 18, "only {done} commands were found");
    assert_eq!(running.len(), 2);
}
