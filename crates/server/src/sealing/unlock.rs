//! The key file beside the database: each knows the other, or nothing is started.

use super::{KeyFileError, Keyring, Place, SealError, Vault, make};
use crate::config::Config;
use crate::decide::chain::{Actor, done, target};
use crate::store::{KeyRow, Store, StoreError};
use serde_json::json;

/// What every proof says.
const PROOF: &str = "this key is of this database";

/// Why the two do not go together.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// There is none, and none is made.
    #[error("there is no key file `{0}`: {1}")]
    None(String, &'static str),
    /// The file lacks a key of the database.
    #[error(
        "the key file `{file}` has no key `{key}`, and the database has what is sealed with it; put that line back"
    )]
    Lacks {
        /// Which file.
        file: String,
        /// Which key.
        key: String,
    },
    /// A key has the name of one of the database, and is another one.
    #[error("the key `{key}` of the key file `{file}` is not the one that the database was sealed with")]
    Another {
        /// Which file.
        file: String,
        /// Which key.
        key: String,
    },
    /// Something in the database does not open.
    #[error("the channel `{0}` does not open: {1}")]
    Sealed(String, SealError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the key file that the configuration names, with the database that it seals. On SQLite one is made when there never was one.
///
/// # Errors
/// Those of [`UnlockError`].
pub async fn unlock(store: &Store, config: &Config) -> Result<Vault, UnlockError> {
    let path = &config.key_file;
    let file = path.display().to_string();
    let known = store.keys().await?;
    if !path.exists() {
        if !known.is_empty() {
            return Err(UnlockError::None(file, "the database has what is sealed with one; put it back"));
        }
        if !store.is_file() {
            let why = "servers that share a database share one, so none is made here; `clockwright secret seal` makes one, copy it to each";
            return Err(UnlockError::None(file, why));
        }
        make(path)?;
    }
    let vault = Vault::open(path)?;
    let ring = vault.ring();
    for row in &known {
        prove(&ring, row, &file)?;
    }
    note(store, &ring, &known).await?;
    Ok(vault)
}

fn prove(ring: &Keyring, row: &KeyRow, file: &str) -> Result<(), UnlockError> {
    let (file, key) = (file.to_owned(), row.id.clone());
    match ring.open(of_proof(&row.id), &row.proof) {
        Ok(text) if text.reveal() == PROOF => Ok(()),
        Err(SealError::NoKey(_)) => Err(UnlockError::Lacks { file, key }),
        _ => Err(UnlockError::Another { file, key }),
    }
}

fn of_proof(id: &str) -> Place<'_> {
    Place { table: "KEY", column: "proof", row: id }
}

/// Proves the keys that the database does not know yet.
async fn note(store: &Store, ring: &Keyring, known: &[KeyRow]) -> Result<(), UnlockError> {
    let is_new = |id: &&str| known.iter().all(|row| row.id != **id);
    let new: Vec<&str> = ring.ids().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut change = store.begin(Actor::server("setup"), now).await?;
    for key in ring.keys.iter().filter(|key| new.contains(&key.id.as_str())) {
        let proof = key.seal(of_proof(&key.id), PROOF);
        match change.insert_key(&KeyRow { id: key.id.clone(), at: now, proof }).await {
            // Another server has just proved it.
            Err(StoreError::Taken) => return Ok(()),
            other => other?,
        }
        change.record(done("key.add", 0, target("key", &key.id, &key.id), json!(null), ""));
    }
    change.commit().await?;
    Ok(())
}

/// What came of sealing anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key that everything is sealed with now.
    pub key: String,
    /// How many secrets were sealed anew.
    pub sealed: usize,
}

/// Seals everything in the database anew with the first key of the file, and forgets the other keys there: their lines can be taken
/// out of the file, unless the configuration has something that is sealed with them.
///
/// # Errors
/// Those of [`UnlockError`]; nothing has changed.
pub async fn rotate(store: &Store, config: &Config) -> Result<Rotated, UnlockError> {
    let ring = unlock(store, config).await?.ring();
    loop {
        if let Some(sealed) = seal_all(store, &ring).await? {
            return Ok(Rotated { key: ring.first().to_owned(), sealed });
        }
    }
}

/// Seals all channels anew in one change, and how many; `None` when somebody changed one meanwhile, and nothing was done.
async fn seal_all(store: &Store, ring: &Keyring) -> Result<Option<usize>, UnlockError> {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut change = store.begin(Actor::server("secret rotate"), now).await?;
    let rows = change.sealed_channels().await?;
    let mut sealed = 0;
    for (id, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        let place = of_channel(id);
        let opened = ring.open(place, text).map_err(|error| UnlockError::Sealed(id.clone(), error))?;
        if !change.seal_channel(id, text, &ring.seal(place, opened.reveal())).await? {
            return Ok(None);
        }
        sealed += 1;
    }
    change.forget_keys_but(ring.first()).await?;
    let facts = json!({ "sealed": sealed });
    change.record(done("key.rotate", 0, target("key", ring.first(), ring.first()), facts, ""));
    change.commit().await?;
    Ok(Some(sealed))
}

/// Where a channel's secrets stand.
pub(crate) fn of_channel(id: &str) -> Place<'_> {
    Place { table: "CHANNEL", column: "sealed", row: id }
}
