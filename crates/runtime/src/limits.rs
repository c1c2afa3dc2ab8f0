//! How many files this process may have open.
//!
//! Each run holds some descriptors: two pipes and a log for a script, a connection for a request. Systems give a process 1,024 of them unless
//! it asks for more, which it may do up to a hard limit; a few hundred items at once reach that. So a process that serves jobs asks for all
//! that it may have. What it starts gets the limit that was there before: old programs rely on small descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::OnceLock;

/// The limit that was there before, once it was raised.
static BEFORE: OnceLock<u64> = OnceLock::new();

/// The most that is asked for, where the hard limit is none.
const MOST: u64 = 1 << 20;

/// Lets this process have as many files open as it may ask for. Call it once, before anything is started; returns how many that are, or
/// `None` where they are not limited.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    let wanted = maximum.unwrap_or(MOST).min(MOST);
    if wanted <= current || setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_err() {
        return Some(current);
    }
    let _ = BEFORE.set(current);
    Some(wanted)
}

/// What a program is to get that this process starts, if that is another limit than its own.
pub(crate) fn of_programs() -> Option<u64> {
    BEFORE.get().copied()
}

/// Takes a limit for this process and all that it starts.
pub(crate) fn lower_open_files(current: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // It may be lower already: then there is nothing to lower.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum });
}
