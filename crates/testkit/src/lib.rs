//! Conformance suites, private servers, the ground that simulations stand on, and fixtures. For development only.

pub mod faulty;
pub mod patience;
mod private;
pub mod registry_suite;
pub mod sim;
#[cfg(feature = "sql")]
pub mod sql;
pub mod zookeeper;
