//! The files beside the database: the lock, and the mark of what was acknowledged.

use super::store::OpenError;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::Path;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that has this name now; `None` when there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::symlink_metadata(path).ok().map(Self::from)
    }

    pub(super) fn of_open(file: &File) -> Option<Self> {
        file.metadata().ok().map(Self::from)
    }
}

impl From<std::fs::Metadata> for FileId {
    fn from(metadata: std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

const MARK: &str = "registry.mark";

/// The latest transaction that was acknowledged, as far as the mark says.
pub(super) fn read_mark(dir: &Path) -> Option<i64> {
    let text = std::fs::read_to_string(dir.join(MARK)).ok()?;
    let mark = text.trim().parse().ok();
    if mark.is_none() {
        tracing::warn!(dir = %dir.display(), "{MARK} is no number, so nobody can tell whether registry.db has lost something");
    }
    mark
}

/// Says that everything up to a transaction was acknowledged. It is not waited for the disk: the mark has to outlive the process,
/// and one that is behind does no harm.
pub(super) fn write_mark(mark: &mut Option<File>, dir: &Path, transaction: i64) {
    let written = match mark {
        Some(mark) => Ok(mark),
        None => File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(MARK))
            .map(|file| mark.insert(file)),
    }
    .and_then(|mark| mark.write_all_at(format!("{transaction:020}\n").as_bytes(), 0));
    if let Err(error) = written {
        tracing::debug!(dir = %dir.display(), %error, "the mark of the registry was not written");
    }
}

/// Takes the directory for this process.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let file = |source| OpenError::File { dir: dir.to_owned(), source };
    // What the tree holds may be private; a directory that exists keeps the mode that somebody chose.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file)?;
    let path = dir.join("registry.lock");
    let mut lock =
        File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { dir: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(file(source)),
    }
    lock.set_len(0).and_then(|()| lock.rewind()).map_err(file)?;
    writeln!(lock, "{}", std::process::id()).map_err(file)?;
    Ok(lock)
}
