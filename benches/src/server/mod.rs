//! The control plane: what its interface answers, how fast it keeps a registry equal to the database, and how soon another server leads.
//!
//! The server is a process of its own, as are its database and its ZooKeeper; whoever asks it is this process, on the same cores. Beside each row
//! stands what it stands on: a program of the same stack that answers two words, the same page asked of the store itself, the same nodes read or
//! written without the server, the same transaction without it.

pub(crate) mod changes;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod lists;
pub(crate) mod mirror;
pub(crate) mod stage;
mod streams;
pub(crate) mod sync;
pub(crate) mod takeover;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;

/// Does all of it, so many at once.
async fn all(work: Vec<BoxFuture<'_, anyhow::Result<()>>>, at_once: usize) -> anyhow::Result<()> {
    futures::stream::iter(work).buffer_unordered(at_once).try_collect().await
}
