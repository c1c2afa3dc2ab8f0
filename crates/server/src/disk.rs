//! Files that are there whole or not at all, also after a crash of the machine.

use std::fs::File;
use std::io;
use std::path::Path;

/// Gives a file that is complete and on the disk its name, in the place of what has it. A reader finds the file of before, or this one.
///
/// # Errors
/// What the system says. The name may have either file then.
pub(crate) fn put_in_place(part: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(part, path)?;
    sync_folder(path)
}

/// Writes to the disk which files the folder of this path has.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
