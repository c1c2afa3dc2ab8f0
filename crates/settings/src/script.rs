//! The settings of SCRIPT jobs: the command line and the `script.*` properties, read and checked.
//!
//! A script is a program and its arguments; there is no shell unless `script.shell` asks for one. Each run tells the program its
//! context, as JSON: in one last argument as Elastic-Job does, or, for programs that take no such argument (`date`, `sleep 20`), in
//! the environment variable [`CONTEXT_VARIABLE`] only.

use crate::{CommandError, CommandLine};
use clockwright_model::{SettingsError, nearest};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The environment variable that holds the context of a run as JSON.
pub const CONTEXT_VARIABLE: &str = "CLOCKWRIGHT_CONTEXT";

/// The property that holds the command line.
pub const COMMAND_LINE: &str = "script.command.line";
const CONTEXT: &str = "script.context";
/// The property that says whether the command line is a shell's.
pub(crate) const SHELL: &str = "script.shell";
const DIRECTORY: &str = "script.directory";
/// Before the name of a variable.
const ENV: &str = "script.env.";

/// Whether this value of `script.shell` asks for a shell.
pub(crate) fn is_shell(value: &str) -> bool {
    value.trim() == "true"
}

/// The shell that `script.shell: true` means.
const SH: &str = "/bin/sh";

/// What a SCRIPT job starts, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptSettings {
    /// The program and its arguments. With a shell: `/bin/sh -c LINE sh`, so that a context that is appended is `$1` in the line.
    pub command: CommandLine,
    /// `script.shell`: the command line is a shell's, with pipes, `&&` and variables. Default: no.
    pub shell: bool,
    /// `script.context`: how the program is told the context.
    pub context: ContextIn,
    /// `script.directory`: where the program runs, as it was written. A relative one is meant from the base that the job has: the
    /// jobs file's folder. Default: that base itself.
    pub directory: Option<PathBuf>,
    /// `script.env.NAME`: variables on top of the inherited ones.
    pub env: BTreeMap<String, String>,
}

/// How a program is told its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContextIn {
    /// As JSON in one more argument, the last, as Elastic-Job does; and in [`CONTEXT_VARIABLE`].
    #[default]
    Argument,
    /// Only in [`CONTEXT_VARIABLE`]: the arguments are exactly those of the command line.
    Environment,
}

impl ScriptSettings {
    /// Reads the settings of a script from its command line and its job's properties; those that do not begin with `script.` are
    /// somebody else's.
    ///
    /// # Errors
    /// Names the first property that is unknown or cannot be used.
    pub fn parse(command_line: &str, props: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        const KNOWN: [&str; 5] = [COMMAND_LINE, CONTEXT, SHELL, DIRECTORY, "script.env.NAME"];
        let mine = || props.iter().filter(|(key, _)| key.starts_with("script."));
        if let Some((unknown, _)) =
            mine().find(|(key, _)| !key.starts_with(ENV) && !KNOWN.contains(&key.as_str()))
        {
            let hint =
                nearest(unknown, KNOWN).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            let message = format!("is not known; a SCRIPT job has {}{hint}", KNOWN.join(", "));
            return Err(SettingsError::new(unknown, message));
        }
        let given = |key: &str| props.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let shell = match given(SHELL) {
            None | Some("false") => false,
            Some(value) if is_shell(value) => true,
            Some(other) => {
                return Err(SettingsError::new(SHELL, format!("is `{other}`; it is true or false")));
            }
        };
        let context = match given(CONTEXT) {
            None | Some("argument") => ContextIn::Argument,
            Some("env") => ContextIn::Environment,
            Some(other) => {
                let message = format!(
                    "is `{other}`; it is argument (JSON in the last argument) or env (only in ${CONTEXT_VARIABLE})"
                );
                return Err(SettingsError::new(CONTEXT, message));
            }
        };
        let directory = given(DIRECTORY).map(PathBuf::from);
        if directory.as_ref().is_some_and(|path| path.as_os_str().as_encoded_bytes().contains(&0)) {
            return Err(SettingsError::new(DIRECTORY, "contains a NUL character"));
        }
        let mut env = BTreeMap::new();
        for (key, value) in mine() {
            if let Some(name) = key.strip_prefix(ENV) {
                check_variable(key, name, value)?;
                env.insert(name.to_owned(), value.clone());
            }
        }
        let command = if shell { shell_line(command_line) } else { CommandLine::parse(command_line) }
            .map_err(|error| SettingsError::new(COMMAND_LINE, error.to_string()))?;
        Ok(Self { command, shell, context, directory, env })
    }
}

fn shell_line(line: &str) -> Result<CommandLine, CommandError> {
    match line.trim() {
        "" => Err(CommandError::Empty),
        line if line.contains('\0') => Err(CommandError::Nul),
        line => {
            Ok(CommandLine { program: SH.into(), arguments: vec!["-c".into(), line.into(), "sh".into()] })
        }
    }
}

fn check_variable(key: &str, name: &str, value: &str) -> Result<(), SettingsError> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        let message = format!(
            "`{name}` is no name of a variable; it has letters, digits and `_`, and begins with no digit"
        );
        return Err(SettingsError::new(key, message));
    }
    if name.starts_with("CLOCKWRIGHT_") {
        return Err(SettingsError::new(
            key,
            "begins with CLOCKWRIGHT_; those variables are given by Clockwright itself",
        ));
    }
    if value.contains('\0') {
        return Err(SettingsError::new(key, "contains a NUL character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(line: &str, props: &[(&str, &str)]) -> Result<ScriptSettings, SettingsError> {
        let props = props.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        ScriptSettings::parse(line, &props)
    }

    #[test]
    fn without_properties_a_script_is_run_as_elastic_job_runs_it() {
        let script = parse("echo 'a b'", &[("script.command.line", "x"), ("http.uri", "y")]).unwrap();
        assert_eq!(script.command, CommandLine { program: "echo".into(), arguments: vec!["a b".into()] });
        assert_eq!((script.context, script.shell, script.directory), (ContextIn::Argument, false, None));
        assert!(script.env.is_empty());
    }

    #[test]
    fn a_shell_gets_the_line_whole_and_the_context_as_its_first_argument() {
        let script = parse("date > 'x' && echo ok", &[("script.shell", "true")]).unwrap();
        assert_eq!(script.command.program, "/bin/sh");
        assert_eq!(script.command.arguments, ["-c", "date > 'x' && echo ok", "sh"]);
        assert!(parse(" ", &[("script.shell", "true")]).is_err());
    }

    #[test]
    fn the_other_properties_say_where_with_what_and_how_it_is_told() {
        let props = [
            ("script.context", "env"),
            ("script.directory", "work"),
            ("script.env.PATH", "/a:/b"),
            ("script.env.EMPTY", ""),
        ];
        let script = parse("date", &props).unwrap();
        assert_eq!((script.context, script.directory), (ContextIn::Environment, Some("work".into())));
        assert_eq!(script.env.get("PATH").unwrap(), "/a:/b");
        assert_eq!(script.env.get("EMPTY").unwrap(), "");
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_would_be_right() {
        for (key, value, said) in [
            ("script.context", "stdin", "is `stdin`; it is argument"),
            ("script.shell", "bash", "is `bash`; it is true or false"),
            ("script.env.1A", "x", "`1A` is no name of a variable"),
            ("script.env.CLOCKWRIGHT_X", "x", "begins with CLOCKWRIGHT_"),
            ("script.direktory", "x", "is not known; a SCRIPT job has script.command.line, "),
        ] {
            let error = parse("date", &[(key, value)]).unwrap_err();
            assert_eq!(error.field, key);
            assert!(error.message.starts_with(said), "{error}");
        }
        let near = parse("date", &[("script.direktory", "x")]).unwrap_err().to_string();
        assert!(near.ends_with("did you mean `script.directory`?"), "{near}");
    }
}
