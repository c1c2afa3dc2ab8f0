//! What the control plane decides: values in, values out.
//!
//! Nothing in this folder is asynchronous, reads a clock, a database or a registry; `now` is an argument. That is held by a test of the
//! repository.

pub mod alerts;
pub mod apply;
pub mod attention;
pub mod author;
pub mod chain;
pub mod claims;
pub mod code;
pub mod effects;
pub mod group;
pub mod health;
pub mod hold;
pub mod limits;
pub mod ops;
pub mod pace;
pub mod permit;
pub mod query;
pub mod reach;
pub mod sync;
pub mod term;
pub mod what_if;
