//! Operations: what operators do, carried out step by step so that a crash at any of them is made good.
//!
//! # Steps
//! | step | what | a crash after it |
//! |---|---|---|
//! | T1 | one transaction: the request's key, the operation, the wishes or the job's change, the journal's `begun`. Refusals end before, with a record | another control server finds the operation when this one has been silent ([`resume`]), and goes on |
//! | R | the registry is written, each write with what it expects | done again; what is so already counts as done |
//! | C | what was done is read back | done again |
//! | T2 | the operation's end, the answer of the request's key, the journal's `done`, `partial` or `failed` | the answer is made again from what is found |
//!
//! # Identities
//! An operation has an id, made with T1. It belongs to one control server at a time, which its row names; its end is written by that one
//! only. A request's key belongs to one operation, claimed by the first statement of T1. A trigger leaves a mark of the operation's id in
//! the registry with the commit that asks, so that it is carried out once, whoever repeats it.
//!
//! # Wishes and acts
//! A wish (a hold, offline, a removal) stands in the database from T1 on; when the registry is away the operation is `pending` and is carried out when
//! it is back. An act (trigger, rebalance, shutdown) is refused then, and never done later.
//!
//! # Two at once
//! T1 takes the journal's head before it reads wishes, so of two operations one sees what the other wished. R makes the nodes as all wishes
//! together want them, and starts only what a wish of its own had stopped, or what it stopped itself for a wish that went meanwhile: whichever
//! comes last leaves the nodes as they shall be.

mod acts;
mod bulk;
mod frame;
mod hold;
mod look;
mod remove;
pub mod resume;
mod run;
mod sweep;
mod trigger;
mod view;

pub use bulk::bulk;
pub use frame::{Asked, carry_out};
pub use sweep::{Mended, sweep};
pub use view::{Operated, hold_view, view};

use crate::decide::chain::{Actor, ActorKind, Via};
use crate::decide::hold::Key;
use crate::decide::ops::Act;
use crate::http::grant;
use crate::store::OperationState;
use clockwright_api::operations::Outcome;
use clockwright_model::JobName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What this control server needs to carry operations out.
#[derive(Debug, Default)]
pub struct Desk {
    /// The operations that are being carried out here.
    live: Arc<Mutex<BTreeSet<String>>>,
}

/// An operation is being carried out here, until this is dropped.
#[derive(Debug)]
struct Live {
    id: String,
    all: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Desk {
    /// Begins to carry an operation out here; `None` when that is done already.
    fn claim(&self, id: &str) -> Option<Live> {
        let is_new = self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        is_new.then(|| Live { id: id.to_owned(), all: Arc::clone(&self.live) })
    }
}

/// What was asked, as it is stored with the operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask {
    #[serde(flatten)]
    act: Act,
    reason: String,
    who: Who,
    /// The request's key, and whose it is.
    key: Option<(String, String)>,
    /// The job's name; empty for a host in all jobs.
    job: String,
    /// The trace that the request belongs to.
    #[serde(rename = "traceparent", default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// What is remembered of what was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// The wishes that were made.
    made: Vec<Key>,
    /// The wishes that were lifted, or are when it is done.
    lift: Vec<Key>,
    /// What stands still all the same, as it was told.
    still_held: Vec<clockwright_api::operations::HoldView>,
    warnings: Vec<String>,
    /// Whether a wish or the job was changed by it: it was not so already.
    news: bool,
    /// The job's version, where it was changed.
    version: Option<i64>,
    /// The job's state before a removal.
    state_before: Option<String>,
}

/// An actor, as they are stored with an operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Who {
    kind: String,
    id: String,
    name: String,
    via: String,
    ip: String,
    request: String,
}

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        Self {
            kind: actor.kind.word().to_owned(),
            id: actor.id.clone(),
            name: actor.name.clone(),
            via: actor.via.word().to_owned(),
            ip: actor.ip.clone(),
            request: actor.request.clone(),
        }
    }
}

impl Who {
    fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::of(&self.kind).unwrap_or(ActorKind::Server),
            id: self.id.clone(),
            name: self.name.clone(),
            via: Via::of(&self.via).unwrap_or(Via::Itself),
            ip: self.ip.clone(),
            request: self.request.clone(),
        }
    }
}

/// A job in the registry; one that only the registry has, has the id 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: JobName,
    id: i64,
}

/// How an operation ended.
#[derive(Debug, Clone)]
struct Ended {
    state: OperationState,
    outcome: Outcome,
    /// What becomes of the job with it.
    then: Then,
}

/// What becomes of the job with the end of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing.
    Nothing,
    /// The wishes that it was to lift go.
    Lift,
    /// It is gone.
    Gone,
    /// Its removal was given up: it is as it was before.
    Restore,
}

impl Ended {
    fn done(outcome: Outcome) -> Self {
        Self { state: OperationState::Done, outcome, then: Then::Nothing }
    }

    fn failed(problem: &clockwright_api::Problem, outcome: Outcome) -> Self {
        let outcome = Outcome { problem: Some((**problem).clone()), ..outcome };
        Self { state: OperationState::Failed, outcome, then: Then::Nothing }
    }
}

/// The journal's name of an act on a job, or on a host in all jobs.
fn action(act: &Act, is_host: bool) -> &'static str {
    match (act, is_host) {
        (Act::Disable { .. }, false) => "job.disable",
        (Act::Disable { .. }, true) => "host.disable",
        (Act::Enable { .. }, false) => "job.enable",
        (Act::Enable { .. }, true) => "host.enable",
        (Act::Drain { .. }, false) => "job.drain",
        (Act::Drain { .. }, true) => "host.drain",
        (Act::Resume { .. }, false) => "job.resume",
        (Act::Resume { .. }, true) => "host.resume",
        (Act::Shutdown { .. }, false) => "job.shutdown",
        (Act::Shutdown { .. }, true) => "host.shutdown",
        (Act::Pause, _) => "job.pause",
        (Act::Offline, _) => "job.offline",
        (Act::Online, _) => "job.online",
        (Act::DisableItem { .. }, _) => "job.item-disable",
        (Act::EnableItem { .. }, _) => "job.item-enable",
        (Act::ResumeItem { .. }, _) => "job.item-resume",
        (Act::Trigger, _) => "job.trigger",
        (Act::Rebalance, _) => "job.rebalance",
        (Act::Remove { .. }, _) => "job.remove",
    }
}

/// Whoever asked by a key, and the key.
fn key_of(asker: &grant::Asker) -> Option<(String, String)> {
    asker.key.as_ref().map(|key| (asker.principal.id.clone(), key.text.clone()))
}
