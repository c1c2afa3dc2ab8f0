//! Elastic jobs: instances that share a job's items among themselves through the registry, with no central scheduler.
//!
//! Start at [`node`] for the loop and [`core`] for how it decides. What is where in the registry, and what a claim is, tells
//! [`clockwright_fleet`].

mod apply;
mod clock;
pub mod core;
mod departure;
pub mod listeners;
mod message;
pub mod node;
mod options;
mod session;

pub use clockwright_registry::Connect;
pub use departure::{Departure, NotGivenBack};
pub use listeners::{
    Failure, FailureHandler, JobListener, ListenerError, OnceListener, RunReport, SharedListener,
};
pub use node::{Engine, EngineHandle};
pub use options::{AddError, Code, EngineOptions, JobDefinition, RemoveError, StartError};
