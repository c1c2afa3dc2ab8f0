//! Reading files and comparing sums.

use md5::{Digest as _, Md5};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What one run found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was looked at: `312 packages`, `folder /srv`.
    pub(crate) scope: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Configuration files that the administrator has changed or removed, which is allowed.
    pub(crate) own_configuration: u64,
    /// Documentation that this system was told not to install.
    pub(crate) left_out: u64,
    pub(crate) problems: Vec<Problem>,
}

/// A file that is not as recorded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `changed`, `missing`, `unreadable` or `new`.
    pub(crate) what: &'static str,
    pub(crate) path: String,
    /// The package, or the system's error.
    pub(crate) detail: String,
}

/// What reading a file gave.
pub(crate) enum Sum {
    /// Its MD5 sum, in lower-case hexadecimal, and its length.
    Is(String, u64),
    Missing,
    Unreadable(io::Error),
}

/// How much is read at a time: no file is ever in memory whole.
const CHUNK: usize = 256 * 1024;

/// Reads a file and computes its sum. A symbolic link is followed, as whoever uses the file does.
pub(crate) fn sum(path: &Path) -> Sum {
    match try_sum(path) {
        Ok((sum, bytes)) => Sum::Is(sum, bytes),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Sum::Missing
        }
        Err(error) => Sum::Unreadable(error),
    }
}

fn try_sum(path: &Path) -> io::Result<(String, u64)> {
    // A pipe or a device in a file's place would be read for ever.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut file = File::open(path)?;
    let (mut hash, mut chunk, mut bytes) = (Md5::new(), vec![0; CHUNK], 0);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&chunk[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), bytes))
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn problem(&mut self, what: &'static str, path: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem { what, path: path.into(), detail: detail.into() });
    }
}

/// How many problems are listed; the rest is counted.
const LISTED: usize = 10;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.bytes as f64 / f64::from(1 << 20);
        write!(f, "{}: {} files checked, {mib:.1} MiB read", self.scope, self.files)?;
        match self.problems.len() {
            0 => write!(f, ", all as recorded")?,
            count => write!(f, ", {count} NOT as recorded")?,
        }
        if self.own_configuration > 0 {
            write!(f, "; {} configuration files changed by the administrator", self.own_configuration)?;
        }
        if self.left_out > 0 {
            write!(f, "; {} files left out by dpkg's configuration", self.left_out)?;
        }
        writeln!(f)?;
        for problem in self.problems.iter().take(LISTED) {
            writeln!(f, "  {} {} ({})", problem.what, problem.path, problem.detail)?;
        }
        if self.problems.len() > LISTED {
            writeln!(f, "  … and {} more", self.problems.len() - LISTED)?;
        }
        Ok(())
    }
}
