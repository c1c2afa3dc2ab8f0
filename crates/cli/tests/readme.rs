//! The README's commands, carried out as a reader would.
//!
//! In a block marked `console`, each line that begins with `$ ` is a command. A `yaml` block is the `jobs.yaml` of the commands
//! below it. `clockwright dev` goes on in the background. What needs a ZooKeeper is only parsed here (the end-to-end tests run
//! it), and of `make` it is only looked at whether there is such a target.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Answer, Place};
use std::path::Path;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");

enum Block {
    Yaml(String),
    Command(String),
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match kind {
            "yaml" => blocks.push(Block::Yaml(body.join("\n"))),
            "console" => {
                let commands = body.iter().filter_map(|line| line.strip_prefix("$ "));
                blocks.extend(commands.map(|command| Block::Command(command.to_owned())));
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn every_command_of_the_readme_works() {
    let binary = Path::new(env!("CARGO_BIN_EXE_clockwright")).parent().unwrap().display().to_string();
    let path = format!("{binary}:{}", std::env::var("PATH").unwrap());
    let makefile = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Makefile")).unwrap();
    let place = Place::new();
    let (mut running, mut done) = (Vec::new(), 0);
    for block in blocks(&std::fs::read_to_string(README).unwrap()) {
        let command = match block {
            Block::Yaml(text) => {
                place.write("jobs.yaml", &text);
                continue;
            }
            Block::Command(command) => command,
        };
        done += 1;
        if let Some(target) = command.strip_prefix("make ") {
            assert!(makefile.contains(&format!("\n{target}: ")), "the Makefile has no target {target}");
        } else if let Some(args) = command.strip_prefix("clockwright dev ") {
            let args: Vec<&str> = ["dev"].into_iter().chain(args.split_whitespace()).collect();
            running.push(place.start(&args));
            place.until(&["job", "list"], |jobs| jobs[0]["status"] == "OK" && jobs[0]["instanceCount"] == 3);
        } else {
            // What needs other machines, or a port that may be taken here, is only read.
            let is_only_read = command.contains("zookeeper://") || command == "clockwright server";
            let parsed_only = if is_only_read { " --help" } else { "" };
            let mut shell = place.command("sh");
            let output =
                shell.arg("-c").arg(format!("{command}{parsed_only}")).env("PATH", &path).output().unwrap();
            let answer = Answer::of(&output);
            assert_eq!(answer.code, 0, "`{command}`: {answer:?}\n{}", place.talk());
            assert!(!answer.out.is_empty(), "`{command}` said nothing");
        }
    }
    assert!(done > 15, "only {done} commands were found");
    assert!(running.len() == 1 && running[0].terminate() == 0, "{}", place.talk());
}
