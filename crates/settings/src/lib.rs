//! A job's settings as text, and back.
//!
//! [`jobs_file`] reads a file of jobs whole or refuses it with everything that is wrong; [`ScriptSettings`] and [`HttpSettings`] are
//! what the properties of SCRIPT and HTTP jobs mean. Nothing here starts anything, and nothing here asks a registry.

pub mod command;
pub mod http;
pub mod jobs_file;
pub mod script;

pub use command::{CommandError, CommandLine};
pub use http::HttpSettings;
pub use script::{ContextIn, ScriptSettings};
