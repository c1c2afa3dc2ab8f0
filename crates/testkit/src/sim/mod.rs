//! What a seeded simulation stands on, whatever it simulates.
//!
//! One number decides a whole history: every choice is asked of one [`Rng`], every event is taken from one queue
//! ([`World`]), and the registry is a [`Leader`] with its log, of which each server shows a prefix ([`Replica`]). What is
//! simulated on it (engines, schedulers, agents) brings its own events, faults and invariants.

mod direct;
mod quorum;
mod rng;
mod world;

pub use direct::{Direct, Inner, Shared};
pub use quorum::{Change, Leader, Replica, Tree, Txn, subtree};
pub use rng::Rng;
pub use world::{EPOCH, World};
