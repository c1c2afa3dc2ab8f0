//! The reference page of jobs files, made from the table that reads them.

use crate::jobs_file::MAX_BYTES;
use crate::table::SETTINGS;
use std::fmt::Write;

/// The page as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Jobs file\n\n\
         <!-- Made by `clockwright reference jobs-file`; a test compares it with the code. -->\n\n\
         A jobs file is YAML: `jobs: {NAME: {…}}`, alone or under `elasticjob:` as in a Spring Boot `application.yml`.\n\
         Keys are Elastic-Job 3.x's, and some of ours; `sharding-total-count` is read as `shardingTotalCount`.\n",
    );
    let _ = writeln!(
        page,
        "A file is at most {} MiB long and is read whole or refused: every problem is reported at once, with its line, job and\n\
         key, and exit code 2.\n",
        MAX_BYTES >> 20
    );
    page.push_str(
        "The command line of a SCRIPT job and the address of an HTTP job are taken from the file that the operator of the\n\
         machine gave to `clockwright`, never from the registry: who may write the registry still cannot make a machine run\n\
         another program.\n\n\
         ```yaml\n\
         jobs:\n  \
           report:\n    \
             elasticJobType: SCRIPT\n    \
             cron: 0 0/5 * * * ?\n    \
             timeZone: Europe/Berlin\n    \
             shardingTotalCount: 3\n    \
             shardingItemParameters: 0=north,1=south,2=rest\n    \
             props:\n      \
               script.command.line: /opt/report/run --quiet\n\
         ```\n\n\
         | key | default | meaning |\n|---|---|---|\n",
    );
    for field in SETTINGS {
        let default = if field.default.is_empty() { String::new() } else { format!("`{}`", field.default) };
        let _ = writeln!(page, "| `{}` | {default} | {} |", field.key, field.help);
    }
    page
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs_file::{self, JobsFile, JobsFileError, Options};

    fn parse(file: &str, text: &str) -> Result<JobsFile, JobsFileError> {
        jobs_file::parse(file, text, &Options::default())
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/jobs-file.md");
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            stored == reference(),
            "run `clockwright reference jobs-file > docs/reference/jobs-file.md`, or this test with WRITE_REFERENCE=1"
        );
    }

    #[test]
    fn every_default_of_the_table_is_what_a_job_without_the_key_has() {
        let base = "elasticJobType: SCRIPT, cron: 0 0 12 * * ?, props: {script.command.line: echo}";
        let plain = parse("f", &format!("jobs: {{a: {{{base}}}}}")).unwrap();
        for field in SETTINGS.iter().filter(|field| !field.default.is_empty()) {
            let extra = match field.key {
                "props" => continue,
                "misfireCap" | "misfireWindow" => "misfire: fire_all, ",
                _ => "",
            };
            let given =
                parse("f", &format!("jobs: {{a: {{{base}, {extra}{}: {}}}}}", field.key, field.default))
                    .unwrap();
            let expected = if extra.is_empty() {
                plain.clone()
            } else {
                parse("f", &format!("jobs: {{a: {{{base}, misfire: fire_all}}}}")).unwrap()
            };
            assert_eq!(given, expected, "{}", field.key);
        }
    }
}
