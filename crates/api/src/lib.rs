//! What the REST interface says, for those who answer and those who ask: the server and its clients share these types.
//!
//! - [`problem`]: every way in which a request can be refused, with its code, status, meaning and remedy.
//! - [`permission`]: what a person may do, and which role brings which permission.
//! - [`text`]: names and texts that check themselves when they are read.
//! - [`page`]: one page of a list; [`At`]: an instant; [`Etag`]: the version of a stored thing.
//! - [`paths`]: the addresses of all routes.
//! - [`alerts`], [`people`], [`projects`], [`jobs`], [`plan`], [`live`], [`find`], [`history`], [`stream`], [`journal`], [`operations`], [`sync`], [`system`]: what requests and answers are made of, by resource.
//!
//! Keys are camelCase, times are RFC 3339 in UTC. Nothing here does any input or output but the feature `client`: the
//! client of all routes, [`client::Client`].

pub mod alerts;
mod at;
#[cfg(feature = "client")]
pub mod client;
mod etag;
pub mod find;
pub mod history;
pub mod jobs;
pub mod journal;
pub mod live;
pub mod operations;
pub mod page;
pub mod paths;
pub mod people;
pub mod permission;
pub mod plan;
pub mod problem;
pub mod projects;
pub mod stream;
pub mod sync;
pub mod system;
pub mod text;

pub use at::At;
pub use etag::Etag;
pub use page::{List, Page};
pub use permission::{Permission, Role};
pub use problem::{Code, Problem};
