//! Conformance suites, private servers and fixtures. For development only.

mod private;
pub mod registry_suite;
#[cfg(feature = "sql")]
pub mod sql;
pub mod zookeeper;
