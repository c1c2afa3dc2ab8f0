//! Checks the installed files of this machine's Debian packages against their recorded MD5 sums: one item of a sharded job.
//!
//! Each run takes the packages whose name falls to its item, reads their files and reports how many files were checked, how
//! many bytes were read, and what differs. It fails when something differs, so that the scheduler records it.

mod check;
mod dpkg;
mod folder;

use anyhow::{Context as _, Result, bail};
use check::Report;
use serde::Deserialize;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
verify-packages [--root DIR] [--seconds N] [--folder DIR] [--state DIR] [CONTEXT]

Checks installed files against recorded MD5 sums. CONTEXT is the JSON that a scheduler adds as the last argument;
without it everything is checked at once.

  --root DIR     the system to check; default: / (dpkg's records are in DIR/var/lib/dpkg)
  --seconds N    begin no further package after so long; the next run goes on behind the last one. Default: check all
  --folder DIR   what to check on a system without dpkg: the first run records sums, later runs compare with them
  --state DIR    where sums, and where to go on, are kept; default: .verify-packages

Exit code 0: everything is as recorded. 1: something differs or could not be read. 2: usage, or nothing to check.
";

/// Which part of the work this run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    /// From 0.
    #[serde(rename = "shardingItem")]
    item: u32,
    /// 1 or more.
    #[serde(rename = "shardingTotalCount")]
    count: u32,
}

impl Part {
    const ALL: Part = Part { item: 0, count: 1 };

    /// Whether something of this name belongs to this part: by a hash that is the same on every machine and in every release.
    fn has(self, name: &str) -> bool {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // The low bits of this hash alone would follow the last letters of the name.
        (hash ^ (hash >> 32)) % u64::from(self.count) == u64::from(self.item)
    }
}

#[derive(Debug)]
struct Args {
    root: PathBuf,
    seconds: Option<u64>,
    folder: Option<PathBuf>,
    state: PathBuf,
    part: Part,
}

impl Args {
    fn parse(args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut parsed = Self {
            root: "/".into(),
            seconds: None,
            folder: None,
            state: ".verify-packages".into(),
            part: Part::ALL,
        };
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--root" => parsed.root = value()?.into(),
                "--seconds" => {
                    parsed.seconds = Some(value()?.parse().context("--seconds takes a whole number")?);
                }
                "--folder" => parsed.folder = Some(value()?.into()),
                "--state" => parsed.state = value()?.into(),
                "-h" | "--help" => return Ok(None),
                context if context.starts_with('{') && args.peek().is_none() => {
                    parsed.part = serde_json::from_str(context)
                        .context("the context is not what a scheduler writes")?;
                    if parsed.part.count == 0 || parsed.part.item >= parsed.part.count {
                        bail!("the context names item {} of {}", parsed.part.item, parsed.part.count);
                    }
                }
                other => bail!("{other} is no option"),
            }
        }
        Ok(Some(parsed))
    }
}

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let result = Args::parse(std::env::args().skip(1)).and_then(|args| match args {
        Some(args) => run(&args).map(|report| (report.to_string(), if report.is_clean() { 0 } else { 1 })),
        None => Ok((HELP.to_owned(), 0)),
    });
    let (text, code) = result.unwrap_or_else(|error| (format!("verify-packages: {error:#}\n"), 2));
    // Whoever does not read the report still gets the exit code.
    let _closed = out.write_all(text.as_bytes());
    ExitCode::from(code)
}

fn run(args: &Args) -> Result<Report> {
    let records = args.root.join("var/lib/dpkg/info");
    match (&args.folder, records.is_dir()) {
        (Some(folder), _) => folder::verify(folder, &args.state, args.part),
        (None, true) => {
            dpkg::verify(&args.root, args.part, args.seconds.map(Duration::from_secs), &args.state)
        }
        (None, false) => bail!(
            "this system has no dpkg ({} is missing): name a folder to check instead, with --folder DIR; the first run \
             records its sums, later runs compare with them",
            records.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_falls_to_exactly_one_part_and_no_part_is_idle() {
        let names: Vec<String> = (0..400).map(|n| format!("lib{n}-dev")).collect();
        let mut sizes = [0; 4];
        for name in &names {
            let parts: Vec<u32> = (0..4).filter(|item| Part { item: *item, count: 4 }.has(name)).collect();
            assert_eq!(parts.len(), 1, "{name}");
            sizes[parts[0] as usize] += 1;
        }
        assert!(sizes.iter().all(|size| (60..=140).contains(size)), "{sizes:?}");
    }

    #[test]
    fn the_context_is_the_last_argument() {
        let parse = |args: &[&str]| Args::parse(args.iter().map(ToString::to_string));
        let context = r#"{"jobName":"a","shardingTotalCount":4,"shardingItem":3}"#;
        let args = parse(&["--root", "/x", context]).expect("valid").expect("no help");
        assert_eq!((args.part, args.root), (Part { item: 3, count: 4 }, "/x".into()));
        assert!(parse(&["--wrong"]).is_err());
        assert!(parse(&["--root"]).is_err());
        assert!(parse(&[r#"{"shardingTotalCount":4,"shardingItem":4}"#]).is_err());
    }
}
