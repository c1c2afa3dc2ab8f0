//! Secrets at rest: what is sealed in the database and in the configuration opens only with a key of the key file.
//!
//! # What there is
//! - **key file**: lines `id base64(32 bytes)`. The first key seals, every one opens; nobody but its owner may read it. It is the one thing
//!   that is in no database: who has a backup and not this file has no secret of ours.
//! - **sealed text**: `v1.{key}.{nonce}.{ciphertext}`, AES-256-GCM with 96 random bits of nonce. Table, column and row are bound to it, so a
//!   text that is moved to another row does not open.
//! - **proof**: a known text in the table of keys, sealed with each key. A file with another key of the same name is found at the start and
//!   not at the first alert that cannot be sent.
//!
//! # How it goes
//! | when | what |
//! |---|---|
//! | the first start on SQLite | the file is made with one key |
//! | any start on a database of a server | the file is there, the same one on each machine, or the start is refused |
//! | a start whose file lacks a key that the database knows, or has another one of its name | refused: something might not open |
//! | a key is put in front of the others | running servers read the file again before they seal or open the next time |
//! | `clockwright secret rotate` | everything in the database is sealed anew with the first key, and the others are forgotten there |

mod file;
mod unlock;

pub use file::{KeyFileError, make, put_first, read};
pub(crate) use unlock::of_channel;
pub use unlock::{Rotated, UnlockError, rotate, unlock};

use crate::config::Secret;
use crate::decide::chain::hex;
use aws_lc_rs::aead::{Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// What every sealed text begins with.
const FORM: &str = "v1";

/// Where a sealed text stands. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub row: &'a str,
}

impl Place<'static> {
    /// A value of `clockwright.yaml`: whoever may write that file may write each of its lines.
    pub const CONFIG: Self = Self { table: "clockwright.yaml", column: "", row: "" };
}

/// Why a sealed text does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no sealed text.
    #[error("it is no sealed text of this program")]
    Form,
    /// Its key is missing.
    #[error("it is sealed with the key `{0}`, which the key file does not have")]
    NoKey(String),
    /// Somebody changed it, or moved it.
    #[error("it was changed, or sealed for another place")]
    Broken,
}

/// The keys of a key file.
pub struct Keyring {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    aead: RandomizedNonceKey,
    /// By which values are told from each other without being told.
    marks: hmac::Key,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// One key, made now.
    #[must_use]
    pub fn random() -> Self {
        Self::parse(&file::line()).expect("a line that was made is one")
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.keys[0].id
    }

    /// The ids of all keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals a text with the first key.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, text: &str) -> String {
        self.keys[0].seal(place, text)
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// Those of [`SealError`].
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Secret, SealError> {
        let [form, id, nonce, text] = sealed.split('.').collect::<Vec<_>>()[..] else {
            return Err(SealError::Form);
        };
        if form != FORM {
            return Err(SealError::Form);
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Form);
        let nonce = Nonce::try_assume_unique_for_key(&bytes(nonce)?).map_err(|_| SealError::Form)?;
        let mut text = bytes(text)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(|| SealError::NoKey(id.to_owned()))?;
        let opened = key.aead.open_in_place(nonce, bound(place), &mut text);
        let opened = opened.map_err(|_| SealError::Broken)?;
        Ok(String::from_utf8(opened.to_vec()).map_err(|_| SealError::Broken)?.into())
    }

    /// `sealed:` and eight letters that change with the text: what the journal says of a secret.
    #[must_use]
    pub fn mark(&self, text: &str) -> String {
        let tag = hmac::sign(&self.keys[0].marks, text.as_bytes());
        format!("sealed:{}", hex(&tag.as_ref()[..4]))
    }
}

impl Key {
    fn seal(&self, place: Place<'_>, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let sealed = self.aead.seal_in_place_append_tag(bound(place), &mut bytes);
        // It fails for texts of gigabytes alone.
        let nonce = sealed.expect("a text of a few letters is sealed");
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{FORM}.{}.{}.{}", self.id, text(nonce.as_ref()), text(&bytes))
    }
}

/// What a sealed text is bound to. No name has a zero in it.
fn bound(place: Place<'_>) -> Aad<Vec<u8>> {
    Aad::from([place.table, place.column, place.row].join("\0").into_bytes())
}

/// The key file of a running server: read again when it was changed.
pub struct Vault {
    path: PathBuf,
    current: RwLock<(Option<SystemTime>, Arc<Keyring>)>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Vault {
    /// The file at this path.
    ///
    /// # Errors
    /// Those of [`KeyFileError`].
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let changed = changed(path);
        let current = RwLock::new((changed, Arc::new(read(path)?)));
        Ok(Self { path: path.to_owned(), current })
    }

    /// The keys of now. A file that cannot be read any more leaves them as they were.
    #[must_use]
    pub fn ring(&self) -> Arc<Keyring> {
        let now = changed(&self.path);
        let (known, ring) = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if now == known || now.is_none() {
            return ring;
        }
        match read(&self.path) {
            Ok(ring) => {
                let ring = Arc::new(ring);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = (now, Arc::clone(&ring));
                ring
            }
            Err(error) => {
                tracing::warn!(%error, "the key file was changed and cannot be used: its keys of before are");
                ring
            }
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests;
