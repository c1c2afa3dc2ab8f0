//! The key file: lines `id base64(32 bytes)`, the key that seals first.

use super::{Key, Keyring};
use crate::decide::chain::hex;
use crate::disk::{put_in_place, sync_folder};
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How many bytes a key has.
const LENGTH: usize = 32;
/// Nobody but its owner may read it.
const OURS: u32 = 0o600;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error("there is no key file `{0}`")]
    Missing(String),
    /// It cannot be read or written.
    #[error("the key file `{path}`: {reason}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Others may read it.
    #[error("the key file `{path}` has mode {mode:o}: others may read it; `chmod 600` it")]
    Mode {
        /// Which.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A line is no key.
    #[error("the key file `{path}`, line {line}: {why}")]
    Line {
        /// Which.
        path: String,
        /// From 1.
        line: usize,
        /// What is wrong with it. It shows nothing of the key.
        why: &'static str,
    },
}

impl Keyring {
    /// Reads the lines of a key file; the number of the line at fault and what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut keys: Vec<Key> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = key(line).map_err(|why| (place + 1, why))?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err((place + 1, "another line has that id"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err((1, "there is no key in it")) } else { Ok(Self { keys }) }
    }
}

fn key(line: &str) -> Result<Key, &'static str> {
    let (id, secret) = line.split_once(char::is_whitespace).ok_or("a line is `id base64`")?;
    let is_id = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    if id.len() > 16 || !id.bytes().all(is_id) {
        return Err("an id has 1 to 16 letters, digits and `-`");
    }
    let secret = STANDARD.decode(secret.trim()).map_err(|_| "what follows the id is no base64")?;
    if secret.len() != LENGTH {
        return Err("a key has 32 bytes");
    }
    let aead = RandomizedNonceKey::new(&AES_256_GCM, &secret).map_err(|_| "a key has 32 bytes")?;
    // Another use of the same secret has a key of its own.
    let marks = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"clockwright marks");
    let marks = hmac::Key::new(hmac::HMAC_SHA256, marks.as_ref());
    Ok(Key { id: id.to_owned(), aead, marks })
}

/// A line with a new key.
pub(super) fn line() -> String {
    let (mut id, mut secret) = ([0u8; 4], [0u8; LENGTH]);
    // The system's generator does not fail once it has begun.
    rand::fill(&mut id).and_then(|()| rand::fill(&mut secret)).expect("the system gives random bytes");
    format!("{} {}\n", hex(&id), STANDARD.encode(secret))
}

/// Reads a key file.
///
/// # Errors
/// It is missing, others may read it, or a line of it is no key.
pub fn read(path: &Path) -> Result<Keyring, KeyFileError> {
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|reason| match reason.kind() {
        ErrorKind::NotFound => KeyFileError::Missing(named()),
        _ => KeyFileError::File { path: named(), reason },
    })?;
    let mode = std::fs::metadata(path).map_err(|reason| KeyFileError::File { path: named(), reason })?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode { path: named(), mode });
    }
    Keyring::parse(&text).map_err(|(line, why)| KeyFileError::Line { path: named(), line, why })
}

/// Makes a key file with one key. One that is there stays as it is.
///
/// # Errors
/// It is there, or cannot be written.
pub fn make(path: &Path) -> Result<(), KeyFileError> {
    write(path, &line())?;
    sync_folder(path).map_err(|reason| KeyFileError::File { path: path.display().to_string(), reason })
}

/// Puts a new key in front of the others; its id. It outlives a crash of the machine from now on, so that things may be sealed with it.
///
/// # Errors
/// The file cannot be used as it is, or cannot be written.
pub fn put_first(path: &Path) -> Result<String, KeyFileError> {
    read(path)?;
    let failed = |reason| KeyFileError::File { path: path.display().to_string(), reason };
    let line = line();
    let text = line.clone() + &std::fs::read_to_string(path).map_err(failed)?;
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&part);
    // In a container each process may have the number of one that crashed.
    match std::fs::remove_file(part) {
        Err(reason) if reason.kind() != ErrorKind::NotFound => return Err(failed(reason)),
        _ => {}
    }
    write(part, &text)?;
    put_in_place(part, path).map_err(failed)?;
    Ok(line.split(' ').next().unwrap_or_default().to_owned())
}

fn write(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let failed = |reason| KeyFileError::File { path: path.display().to_string(), reason };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OURS).open(path).map_err(failed)?;
    // What the process's mask took away is given back, so that the next start may read it.
    file.set_permissions(Permissions::from_mode(OURS)).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
