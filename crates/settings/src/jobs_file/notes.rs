//! What can be used and is likely not meant as it is written, and why a job does not run although its settings can be used.

use super::{JobsFile, Problem};
use crate::jobs_file::placeholders::is_shells;
use crate::script::{COMMAND_LINE, ScriptSettings};
use crate::{Code, Usable};
use clockwright_model::{JobKind, JobSettings, Millis};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The notes about a job, each with its key.
pub(super) fn of(
    settings: &JobSettings,
    usable: &Usable,
    code: &Code,
    now: Option<Millis>,
) -> Vec<(String, String)> {
    let mut notes: Vec<(String, String)> = Vec::new();
    let mut note = |field: &str, message: String| notes.push((field.to_owned(), message));
    if settings.disabled {
        let message = format!(
            "is true: the job does not run here until it is enabled: `clockwright job enable {}`",
            settings.name
        );
        note("disabled", message);
    }
    if let Some(now) = now
        && !settings.cron.trim().is_empty()
        && usable.schedule.next_after(now).is_none()
    {
        note(
            "cron",
            format!("`{}` is over and fires no more; only a trigger runs the job", settings.cron.trim()),
        );
    }
    let count = settings.sharding_total_count;
    let beyond: Vec<String> =
        usable.item_parameters.items().filter(|item| *item >= count).map(|item| item.to_string()).collect();
    if !beyond.is_empty() {
        let items = if count == 1 { "only item 0".to_owned() } else { format!("items 0 to {}", count - 1) };
        let message = format!(
            "names item {}, but the job has {items} (shardingTotalCount: {count}); nobody gets that parameter",
            beyond.join(", ")
        );
        note("shardingItemParameters", message);
    }
    match code {
        Code::Script(script) => {
            if let JobKind::Script { command_line } = &settings.kind
                && let Some(found) = shell_syntax(command_line, script)
            {
                let message = format!(
                    "`{found}` reaches the program as it is, since there is no shell; `script.shell: true` gives the line to /bin/sh"
                );
                note(COMMAND_LINE, message);
            }
        }
        Code::Http(http) => {
            if http.data.is_some() && !http.sends_data() {
                let message = format!(
                    "is not sent: a {} request has no body; use POST, PUT, PATCH or DELETE",
                    http.method
                );
                note("http.data", message);
            }
        }
        Code::InProcess => {}
    }
    let mine = match code {
        Code::Script(_) => "script.",
        Code::Http(_) => "http.",
        Code::InProcess => "",
    };
    for key in settings.props.keys().filter(|key| !key.starts_with(mine)) {
        let message =
            format!("`{key}` is no property of a {} job; it is kept and not used", settings.kind.word());
        note("props", message);
    }
    notes
}

/// The first piece of a command line that only a shell would understand.
fn shell_syntax(line: &str, script: &ScriptSettings) -> Option<String> {
    if script.shell || is_shells(line) {
        return None;
    }
    let is_variable = |word: &str| {
        word.match_indices('$').any(|(at, _)| {
            word[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '('))
        })
    };
    let only_shells = |word: &&String| {
        let word = word.as_str();
        matches!(word, "|" | "||" | "&&" | "&" | ";" | "<" | ">" | ">>" | "2>&1")
            || word.starts_with(['>', '<'])
            || word.starts_with("2>")
            || word.ends_with(';')
            || word.starts_with("~/")
            || word.contains('`')
            || is_variable(word)
    };
    let words = std::iter::once(&script.command.program).chain(&script.command.arguments);
    words.filter(only_shells).map(Clone::clone).next()
}

/// Notes which programs and folders this machine does not have.
pub(super) fn machine(file: &mut JobsFile) {
    let mut found = Vec::new();
    for job in &file.jobs {
        if let Ok(Code::Script(script)) = Code::parse(job)
            && let Some((field, message)) = missing(&script, &file.folder)
        {
            let (job, field) = (Some(job.name.as_str().to_owned()), Some(format!("props.{field}")));
            found.push(Problem { line: None, job, field, message });
        }
    }
    file.notes.extend(found);
}

fn missing(script: &ScriptSettings, folder: &Path) -> Option<(&'static str, String)> {
    let directory = script.directory.as_ref().map_or_else(|| folder.to_owned(), |given| folder.join(given));
    if !directory.is_dir() {
        let message = format!("{} is no folder on this machine", directory.display());
        return Some(("script.directory", message));
    }
    let program = &script.command.program;
    if program.contains('/') {
        let path = directory.join(program);
        return match std::fs::metadata(&path) {
            Err(error) => {
                Some((COMMAND_LINE, format!("the program {} is not there: {error}", path.display())))
            }
            Ok(found) if found.is_dir() => {
                Some((COMMAND_LINE, format!("{} is a folder, no program", path.display())))
            }
            Ok(found) if found.permissions().mode() & 0o111 == 0 => {
                Some((COMMAND_LINE, format!("{} may not be executed; `chmod +x` allows it", path.display())))
            }
            Ok(_) => None,
        };
    }
    let path =
        script.env.get("PATH").map_or_else(|| std::env::var_os("PATH").unwrap_or_default(), Into::into);
    let has = |folder: PathBuf| {
        std::fs::metadata(folder.join(program))
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if std::env::split_paths(&path).any(has) {
        return None;
    }
    let hint = if directory.join(program).is_file() {
        format!("; `./{program}` is the one in {}", directory.display())
    } else {
        String::new()
    };
    Some((COMMAND_LINE, format!("there is no program `{program}` in the PATH{hint}")))
}
