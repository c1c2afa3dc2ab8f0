//! What keeps a program from starting itself again without end.
//!
//! Each script is held by a supervisor, usually this very program started once more with [`EXEC_TASK`]. That works if `main` begins
//! by asking [`if_asked`]. In a program that forgets to, the process that should have become a supervisor would become
//! the program instead, start its own jobs, and with each run of theirs another such process: a chain that outlives even the
//! SIGKILL of its first member. Two things make that impossible, each without the other:
//!
//! * **Nobody starts this program as a supervisor before it has asked.** [`Supervisor::problem`](crate::Supervisor::problem)
//!   says so, a scheduler refuses to start with such a job, and [`ProcessRuntime`](crate::ProcessRuntime) fails its runs.
//! * **A process that was started as a supervisor never runs jobs.** It carries [`MARK`] in its environment (its program does not), and
//!   [`end_if_supervisor`] ends it. This is for a supervisor named by its path, which may be a program that does not ask.

use crate::supervisor;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The subcommand that makes a program a supervisor.
pub const EXEC_TASK: &str = "exec-task";

/// The variable that a supervisor has in its environment, and nothing that it starts.
pub(crate) const MARK: &str = "CLOCKWRIGHT_EXEC_TASK";

/// The exit code of a supervisor that became something else.
pub(crate) const NOT_ONE: i32 = 2;

/// What is wrong with a program whose `main` does not ask, and what mends it.
pub(crate) const MEND: &str = "scripts are held by this program, started once more as a supervisor, and its `main` does not become one: begin \
     it with `if let Some(code) = clockwright::exec_task_if_asked() { return code; }`, or name the `clockwright` binary with \
     `Job::supervisor`";

static ASKED: AtomicBool = AtomicBool::new(false);

/// Becomes a supervisor, if this process was started to be one, and returns how it ended. The first thing in a `main`, before any
/// thread is started.
#[must_use]
pub fn if_asked() -> Option<ExitCode> {
    ASKED.store(true, Ordering::Relaxed);
    is_asked(std::env::args_os().nth(1).as_deref()).then(supervisor::main)
}

fn is_asked(word: Option<&OsStr>) -> bool {
    word.is_some_and(|word| word == EXEC_TASK)
}

/// True once this program has asked: started again as a supervisor, it becomes one.
pub(crate) fn has_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Ends this process if it was started as a supervisor and became something else. What is about to run jobs calls it first.
///
/// A library has no business ending its process, but this one was started by us, for nothing else, and every
/// moment that it lives is one in which it does a second time what the program does.
pub fn end_if_supervisor() {
    if std::env::var_os(MARK).is_some() {
        // The usual printing macros panic when nobody reads any more.
        let _ = writeln!(io::stderr(), "clockwright: {MEND}");
        std::process::exit(NOT_ONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_makes_a_supervisor() {
        assert!(is_asked(Some(OsStr::new("exec-task"))));
        assert!(!is_asked(Some(OsStr::new("exec-tasks"))) && !is_asked(None));
    }
}
