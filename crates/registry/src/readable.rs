//! Reading many nodes of which some may be closed to us.
//!
//! A question about a node that this session's user may not read fails, and with it all that was asked together. Whoever looks after many things
//! of others asks by [`read_each`]: one that is closed is told as such, and the rest is read.

use crate::{Error, Node, Path, Registry};
use futures::FutureExt;
use futures::future::BoxFuture;

/// What came of reading one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// The node, or that there is none.
    Found(Option<Node>),
    /// It is closed to this session's user.
    Denied,
}

impl Readable {
    /// The node, where there is one that may be read.
    #[must_use]
    pub fn found(self) -> Option<Node> {
        match self {
            Readable::Found(node) => node,
            Readable::Denied => None,
        }
    }
}

/// Reads nodes as [`Registry::read`], each for itself as far as permission is concerned. It costs one request, and for each node that is closed
/// some more: what was asked together is asked again by halves.
///
/// # Errors
/// As `Registry::read`, but for [`Error::Denied`].
pub async fn read_each(registry: &dyn Registry, paths: &[Path]) -> Result<Vec<Readable>, Error> {
    match registry.read(paths).await {
        Ok(nodes) => Ok(nodes.into_iter().map(Readable::Found).collect()),
        Err(Error::Denied(_)) if paths.len() == 1 => Ok(vec![Readable::Denied]),
        Err(Error::Denied(_)) => {
            let (one, other) = paths.split_at(paths.len() / 2);
            let mut all = halves(registry, one).await?;
            all.extend(halves(registry, other).await?);
            Ok(all)
        }
        Err(error) => Err(error),
    }
}

fn halves<'a>(registry: &'a dyn Registry, paths: &'a [Path]) -> BoxFuture<'a, Result<Vec<Readable>, Error>> {
    read_each(registry, paths).boxed()
}
