//! Jobs as the text of a jobs file, and what of a file's text is about one job.

use super::placeholders::{escaped, is_left_alone};
use crate::canonical;
use crate::script::{SHELL, is_shell};
use clockwright_model::JobSettings;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Jobs as a jobs file that reads back as the same ones, whatever their texts are: defaults are left out, and what would be taken for a
/// placeholder or an expression is written so that it is not.
#[must_use]
pub fn write<'a>(jobs: impl IntoIterator<Item = &'a JobSettings>) -> String {
    let job = |job: &JobSettings| {
        let shell = job.props.get(SHELL).is_some_and(|value| is_shell(value));
        let mut json = canonical::to_json(job);
        escape(&mut json, "", shell);
        (job.name.as_str().to_owned(), json)
    };
    let jobs: Map<String, Json> = jobs.into_iter().map(job).collect();
    let file: Map<String, Json> = [("jobs".to_owned(), Json::Object(jobs))].into_iter().collect();
    // Texts, numbers and maps of them can always be written.
    serde_saphyr::to_string(&file).unwrap_or_default()
}

/// Each text as it is read back, but those that are read as they stand.
fn escape(json: &mut Json, key: &str, shell: bool) {
    match json {
        Json::String(text) if !is_left_alone(key, text, shell) => *text = escaped(text),
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| escape(value, key, shell)),
        _ => {}
    }
}

/// What of a file's text is about each of these jobs, with the comments above it, by the line on which each begins (from 1). A job that is not
/// written in lines of its own has none.
#[must_use]
pub fn excerpts(text: &str, begins: &BTreeMap<String, usize>) -> BTreeMap<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let of = |(name, line): (&String, &usize)| Some((name.clone(), excerpt(&lines, line.checked_sub(1)?)?));
    begins.iter().filter_map(of).collect()
}

fn excerpt(lines: &[&str], first: usize) -> Option<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines.get(first)?);
    let head = lines[first].split(" #").next().unwrap_or_default();
    if !head.trim_end().ends_with(':') {
        return None;
    }
    let is_above = |line: &&&str| line.trim_start().starts_with('#') && indent(line) == own;
    let above = lines[..first].iter().rev().take_while(is_above).count();
    let is_below = |line: &&&str| line.trim().is_empty() || indent(line) > own;
    let below = lines[first + 1..].iter().take_while(is_below).count();
    let cut = |line: &&str| line.get(own..).unwrap_or_default().trim_end().to_owned();
    let text: Vec<String> = lines[first - above..=first + below].iter().map(cut).collect();
    Some(text.join("\n").trim_end().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs_file::{Options, parse};
    use crate::script::COMMAND_LINE;
    use clockwright_model::{JobKind, JobName};
    use proptest::prelude::*;

    const HARD: [&str; 17] = [
        "plain",
        "null",
        "~",
        "true",
        "1.10",
        "0x1f",
        "- a",
        "a: b #c",
        "  space  ",
        "two\nlines\n",
        "'quoted' \"both\"",
        "日报 ✓",
        "${HOST} and $${HOST}",
        "#{1 + 1} and ##{x} and #${x}",
        "tab\there",
        "%@`!&*|>?",
        "a long text that goes on and on, so that whoever writes it may want to fold it into several lines of the file, which must not change it",
    ];

    fn read_back(job: &JobSettings) -> JobSettings {
        let text = write([job]);
        let options = Options { code: true, ..Options::default() };
        let file = parse("f", &text, &options).unwrap_or_else(|error| panic!("{error}\n{text}"));
        file.jobs.into_iter().next().unwrap()
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_whatever_its_texts_are() {
        for text in HARD {
            let mut job = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "0 0 1 * * ?", 3);
            job.class = "com.example.Job".into();
            job.description = text.into();
            job.job_parameter = text.into();
            job.props.insert("x.y".into(), text.into());
            assert_eq!(read_back(&job), job, "{text:?}");
        }
        for name in ["true", "1", "<<", "#{x}", "${x}", "a b", "日报", "#x", "- y", "a:b"] {
            let job = JobSettings::new(JobName::new(name).unwrap(), JobKind::Simple, "0 0 1 * * ?", 1);
            assert_eq!(read_back(&job), job, "{name}");
        }
    }

    #[test]
    fn a_shells_command_line_keeps_its_variables() {
        for (shell, line) in [
            ("true", "echo ${HOME}"),
            (" true ", "echo ${HOME}"),
            ("false", "sh -c 'echo ${HOME}'"),
            ("false", "run ${HOME}"),
        ] {
            let kind = JobKind::Script { command_line: line.into() };
            let mut job = JobSettings::new(JobName::new("a").unwrap(), kind, "", 1);
            job.cron = "0 0 1 * * ?".into();
            job.class = clockwright_model::job::SCRIPT_CLASS.into();
            job.props.insert(COMMAND_LINE.into(), line.into());
            job.props.insert(SHELL.into(), shell.into());
            assert_eq!(read_back(&job), job, "{line}");
        }
    }

    /// What is special to YAML, to placeholders, to command lines or to nobody, in any order.
    fn any_text() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "${", "#{", "$", "#", "{", "}", " ", "\n", "\r", "\t", "'", "\"", ": ", ":", "- ", "~", "<<",
            "\u{85}", "\u{2028}", "\u{feff}", "\u{0}", "\u{1b}", "\u{7f}", "日", "😀", "\\", "*a", "&a", "!",
            "%", "@", "|", ">", "---", "...", "?", "sh -c ", "null", "1e3", "a",
        ];
        let piece = prop_oneof![
            prop::sample::select(PIECES).prop_map(ToOwned::to_owned),
            any::<char>().prop_map(String::from)
        ];
        prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_usable_job_reads_back_as_itself(
            name in any_text(),
            texts in [any_text(), any_text(), any_text()],
            props in prop::collection::btree_map(any_text(), any_text(), 0..4),
            script in prop::option::of((any_text(), any::<bool>())),
        ) {
            let name = JobName::new(&name).unwrap_or_else(|_| JobName::new("a").unwrap());
            let mut job = JobSettings::new(name, JobKind::Simple, "0 0 1 * * ?", 3);
            let [class, description, parameter] = texts;
            (job.class, job.description, job.job_parameter, job.props) = (class, description, parameter, props);
            if let Some((line, shell)) = script {
                job.kind = JobKind::Script { command_line: line.clone() };
                job.class = clockwright_model::job::SCRIPT_CLASS.into();
                job.props.insert(COMMAND_LINE.into(), line);
                job.props.insert(SHELL.into(), shell.to_string());
            }
            prop_assume!(crate::check(&job).is_ok());
            prop_assert_eq!(read_back(&job), job);
        }
    }

    #[test]
    fn a_jobs_part_of_a_file_has_its_comments_and_ends_where_the_next_begins() {
        let text = "# all\njobs:\n  # the first\n  a: # daily\n    cron: 0 0 1 * * ?\n\n    # inside\n    elasticJobType: HTTP\n\n  # the second\n  b:\n    cron: x\n  c: {cron: y}\n";
        let begins = [("a".to_owned(), 4), ("b".to_owned(), 11), ("c".to_owned(), 13)].into();
        let parts = excerpts(text, &begins);
        assert_eq!(
            parts["a"],
            "# the first\na: # daily\n  cron: 0 0 1 * * ?\n\n  # inside\n  elasticJobType: HTTP\n"
        );
        assert_eq!(parts["b"], "# the second\nb:\n  cron: x\n");
        assert!(!parts.contains_key("c"), "it has no lines of its own");
    }
}
