//! Elastic jobs: instances that share a job's items among themselves through the registry, with no central scheduler.
//!
//! Start at [`node`] for the loop, [`core`] for how it decides, [`cursor`] for what a claim is, [`keys`] for what is where in
//! the registry. [`view`] and [`admin`] are for tools that look at, and steer, a whole fleet.

pub mod admin;
mod apply;
mod clock;
pub mod core;
pub mod cursor;
pub mod keys;
pub mod layout;
pub mod listeners;
pub mod node;
mod session;
pub mod view;
pub mod wire;
pub mod wire3;

pub use layout::Layout;
pub use listeners::{JobListener, OnceListener};
pub use node::{Connect, Engine, EngineHandle, EngineOptions, JobDefinition, StartError};
