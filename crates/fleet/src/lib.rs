//! Elastic jobs as data in a registry: what is where, in whose layout, how it is looked at and steered. No loop, and nothing that runs
//! a job: tools and servers use this alone.
//!
//! Start at [`keys`] for what is where in the registry, [`layout`] for what differs between Elastic-Job 2.x and 3.x, [`cursor`] for what
//! a claim is. [`mirror`] is what is known about one job's nodes, [`write`](mod@write) a change of one, [`view`] the picture that people
//! see of them, [`admin`] what operators do to them.

pub mod admin;
pub mod config;
pub mod cursor;
pub mod held;
pub mod keys;
pub mod layout;
pub mod leases;
pub mod mirror;
pub mod pause;
pub mod sorted;
pub mod view;
pub mod write;

pub use layout::Layout;
#[cfg(test)]
mod testing;
