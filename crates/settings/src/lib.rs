//! A job's settings as text, and back.
//!
//! [`table`] has each setting once; [`jobs_file`] reads a file of jobs whole or refuses it with everything that is wrong;
//! [`canonical`](mod@canonical) has the one form in which settings are written and compared, [`java`] what of them a
//! registry keeps under Java's keys and [`own`] what under ours; [`Usable`] is the one check whether they can be used; [`ScriptSettings`] and [`HttpSettings`] are what the properties of SCRIPT
//! and HTTP jobs mean; [`yaml`] reads documents with their lines. Nothing here starts anything, and nothing here asks a registry.

pub mod canonical;
pub mod command;
pub mod http;
pub mod java;
pub mod jobs_file;
pub mod own;
mod reference;
pub mod script;
pub mod table;
mod units;
pub mod usable;
pub mod value;
pub mod yaml;

pub use canonical::{Change, canonical, diff};
pub use command::{CommandError, CommandLine};
pub use http::HttpSettings;
pub use script::{ContextIn, ScriptSettings};
pub use usable::{Code, Usable, check};
