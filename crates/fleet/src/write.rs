//! What one operation of a commit does to a job's nodes, in the fleet's own terms.
//!
//! Whoever changes a job says which nodes change, and how. [`Write::encode`] makes the registry's operation of it, and once the commit
//! was carried out, [`Mirror::take_in`](crate::mirror::Mirror::take_in) makes the mirror show it: nothing is told twice, and what is
//! believed of an own commit is exactly what was sent.

use crate::cursor::Cursor;
use crate::keys::{Key, Keys};
use bytes::Bytes;
use clockwright_model::JobName;
use clockwright_registry::{Mode, Op};

/// One change of a job's nodes, or one condition on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The node; for [`Mode::EphemeralSequential`] the one with the prefix of its name.
    pub key: Key,
    /// What becomes of it.
    pub change: Change,
}

/// What a [`Write`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is made; there must be none.
    Create(Value, Mode),
    /// It is set, if it has this version; `None` is any.
    Set(Value, Option<i32>),
    /// It goes, if it has this version; `None` is any.
    Delete(Option<i32>),
    /// It stays as it is, and must have this version.
    Check(i32),
}

/// What a node is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// These bytes.
    Data(Bytes),
    /// An item's cursor. Taken in as it is: nobody has to read what was just written.
    Cursor(Box<Cursor>),
}

impl<T: Into<Bytes>> From<T> for Value {
    fn from(data: T) -> Self {
        Value::Data(data.into())
    }
}

impl Value {
    /// The node's data.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Value::Data(data) => data.clone(),
            Value::Cursor(cursor) => cursor.to_bytes().into(),
        }
    }
}

impl Write {
    /// Makes a persistent node.
    pub fn create(key: Key, value: impl Into<Value>) -> Self {
        Self { key, change: Change::Create(value.into(), Mode::Persistent) }
    }

    /// Makes a node that lives as long as this session.
    pub fn create_ephemeral(key: Key, value: impl Into<Value>) -> Self {
        Self { key, change: Change::Create(value.into(), Mode::Ephemeral) }
    }

    /// Sets a node whatever its version.
    pub fn set(key: Key, value: impl Into<Value>) -> Self {
        Self { key, change: Change::Set(value.into(), None) }
    }

    /// Sets a node that still has this version.
    pub fn set_if(key: Key, value: impl Into<Value>, version: i32) -> Self {
        Self { key, change: Change::Set(value.into(), Some(version)) }
    }

    /// Makes a cursor where there is none (`None`), or sets the one of this version.
    #[must_use]
    pub fn cursor(item: clockwright_model::Item, cursor: Box<Cursor>, version: Option<i32>) -> Self {
        let value = Value::Cursor(cursor);
        let change = match version {
            None => Change::Create(value, Mode::Persistent),
            Some(version) => Change::Set(value, Some(version)),
        };
        Self { key: Key::Cursor(item), change }
    }

    /// Deletes a node whatever its version.
    #[must_use]
    pub fn delete(key: Key) -> Self {
        Self { key, change: Change::Delete(None) }
    }

    /// Deletes a node that still has this version.
    #[must_use]
    pub fn delete_if(key: Key, version: i32) -> Self {
        Self { key, change: Change::Delete(Some(version)) }
    }

    /// Requires that a node has this version.
    #[must_use]
    pub fn check(key: Key, version: i32) -> Self {
        Self { key, change: Change::Check(version) }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_check(&self) -> bool {
        matches!(self.change, Change::Check(_))
    }

    /// The registry's operation.
    #[must_use]
    pub fn encode(&self, keys: &Keys, job: &JobName) -> Op {
        let path = keys.of(job, &self.key);
        match &self.change {
            Change::Create(value, mode) => Op::Create { path, data: value.encode(), mode: *mode },
            Change::Set(value, version) => Op::Set { path, data: value.encode(), version: *version },
            Change::Delete(version) => Op::Delete { path, version: *version },
            Change::Check(version) => Op::check_if(path, *version),
        }
    }
}
