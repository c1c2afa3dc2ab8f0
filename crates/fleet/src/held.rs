//! Items that are held: nobody knows from where they are to go on.
//!
//! # Why
//! A cursor says up to where the schedule of its item is decided. When it is deleted, spoilt or set back, by hand or by a registry that
//! lost what it had, then whoever goes on from what is left decides again what was decided before: runs are repeated, and outcomes
//! contradict each other. So nobody goes on. The item is **held** until somebody says from where.
//!
//! # States
//! ```text
//!                   seen by who knows better
//! cursor is fine ─────────────────────────────► held ── somebody says from where ──► released: the cursor is fine again
//!                                                         (an operator; for a registry's loss also an instance, by policy)
//! ```
//! What is held says so in its cursor, with `settled` as far as anybody remembered it, and everybody who remembers more adds that. A cursor
//! that cannot be read is left as it is: it may be of a later version, and it is what an operator wants to look at.
//!
//! An answer ([`Resume`]) is written into the cursor too, and carried out by the item's owner, no sooner than all who live have had the
//! time to add what they remember: the instants between the last one that is known and the one that the answer names are put on record as
//! skipped, for the reason why the item was held. Then the item goes on after that instant, by its misfire policy.

use clockwright_model::{Millis, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why an item is held, and the answer to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub reason: Reason,
    /// Since when, epoch milliseconds.
    pub at: Millis,
    /// From where it goes on; `None`: nobody has said so yet.
    pub resume: Option<Resume>,
}

/// From where a held item goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Instants after this are due, epoch milliseconds.
    pub from: Millis,
    /// When that was said, epoch milliseconds.
    pub at: Millis,
    /// Who said so; empty: an instance, by its policy.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub by: String,
}

/// [`Held`] in a cursor.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeldWire {
    code: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    params: Option<Value>,
    /// In English, for people and for versions that do not know the code.
    why: String,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    resume: Option<Resume>,
}

/// Longest text of a parameter in a cursor, in characters.
const MAX_PARAMETER: usize = 200;

impl HeldWire {
    pub(crate) fn of(held: &Held) -> Self {
        Self {
            code: held.reason.code().to_owned(),
            params: held.reason.stored_parameters(MAX_PARAMETER),
            why: held.reason.to_string(),
            at: held.at,
            resume: held.resume.clone(),
        }
    }

    pub(crate) fn read(self) -> Held {
        let reason = Reason::stored(Some(&self.code), self.params.as_ref(), &self.why);
        Held { reason, at: self.at, resume: self.resume }
    }
}
