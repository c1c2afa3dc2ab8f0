//! Elastic jobs: the loop of one instance.

pub mod cursor;
pub mod keys;
pub mod wire;
