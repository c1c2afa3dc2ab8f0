//! Splitting a script job's command line into arguments, as Elastic-Job does.
//!
//! There is no shell: nothing is expanded, piped or substituted. Arguments are separated by spaces; `'…'` and `"…"` group
//! and are removed, also in the middle of an argument (`--name='a b'` is one argument, `--name=a b`). A backslash has no
//! meaning. Who wants a shell says so: `sh -c 'a | b'`.

use std::fmt;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// What is run: a path, or a name looked up in `PATH`.
    pub program: String,
    /// Its arguments; the context JSON comes after the last of them.
    pub arguments: Vec<String>,
}

/// Why a command line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to run.
    #[error("the command line is empty; it must name a program")]
    Empty,
    /// A quote is opened and never closed.
    #[error("the {quote} quote opened at character {at} of `{line}` is never closed")]
    Unbalanced {
        /// `'` or `"`.
        quote: char,
        /// Which character of the line opens it, from 1.
        at: usize,
        /// The whole line.
        line: String,
    },
    /// Programs cannot be given a NUL character.
    #[error("the command line contains a NUL character")]
    Nul,
}

impl CommandLine {
    /// Splits a command line. Spaces and line ends around it do not count.
    ///
    /// # Errors
    /// [`CommandError`] says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, CommandError> {
        if line.contains('\0') {
            return Err(CommandError::Nul);
        }
        let mut words = Vec::new();
        // `Some` while inside a word, which `''` starts too: it is an empty argument.
        let mut word: Option<String> = None;
        let mut open: Option<(char, usize)> = None;
        for (at, c) in line.trim().chars().enumerate() {
            match (open, c) {
                (Some((quote, _)), c) if c == quote => open = None,
                (Some(_), c) => word.get_or_insert_default().push(c),
                (None, '\'' | '"') => {
                    open = Some((c, at + 1));
                    word.get_or_insert_default();
                }
                (None, ' ') => words.extend(word.take()),
                (None, c) => word.get_or_insert_default().push(c),
            }
        }
        if let Some((quote, at)) = open {
            return Err(CommandError::Unbalanced { quote, at, line: line.trim().to_owned() });
        }
        words.extend(word);
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self { program, arguments: words.collect() }),
            _ => Err(CommandError::Empty),
        }
    }
}

/// The arguments separated by spaces, for people; quotes are not put back.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn split(line: &str) -> Vec<String> {
        let command = CommandLine::parse(line).unwrap();
        [vec![command.program], command.arguments].concat()
    }

    #[test]
    fn words_are_separated_by_spaces_and_grouped_by_either_quote() {
        assert_eq!(split("echo a  b"), ["echo", "a", "b"]);
        assert_eq!(split("echo 'a b' \"c 'd' e\""), ["echo", "a b", "c 'd' e"]);
        assert_eq!(split("x --name='a b'c \"\""), ["x", "--name=a bc", ""]);
    }

    #[test]
    fn nothing_is_expanded_and_a_backslash_is_itself() {
        assert_eq!(split(r"echo $HOME * a\ b ; | >"), ["echo", "$HOME", "*", r"a\", "b", ";", "|", ">"]);
    }

    #[test]
    fn the_line_end_that_yaml_leaves_behind_is_no_part_of_the_last_argument() {
        assert_eq!(split(" echo a\n"), ["echo", "a"]);
    }

    #[test]
    fn an_unclosed_quote_is_an_error_that_says_where() {
        let error = CommandLine::parse("echo \"a 'b'").unwrap_err();
        assert_eq!(error.to_string(), "the \" quote opened at character 6 of `echo \"a 'b'` is never closed");
    }

    #[test]
    fn a_line_without_a_program_is_refused() {
        for line in ["", "   ", "''", "'' a"] {
            assert_eq!(CommandLine::parse(line), Err(CommandError::Empty), "{line:?}");
        }
        assert_eq!(CommandLine::parse("a\0b"), Err(CommandError::Nul));
    }
}
