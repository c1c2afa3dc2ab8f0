//! Conformance suites, private servers and fixtures. For development only.

pub mod registry_suite;
pub mod zookeeper;
