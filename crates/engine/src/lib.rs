//! Elastic jobs: the loop of one instance.

pub mod admin;
pub mod core;
pub mod cursor;
pub mod keys;
pub mod view;
pub mod wire;
