//! The `config` node of a job: its settings on the wire, as each layout has them.

pub mod v2;
pub mod v3;
