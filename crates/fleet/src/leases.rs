//! Which processes of ours are there: the nodes below `/{ns}-clockwright/leases`.
//!
//! An instance node says less. It may be deleted by an operator while its process still runs items, and it may be left behind by one
//! that is long gone. The lease ends with the session of its process, and nothing else takes it away; whoever has one is an instance of
//! Clockwright, and whoever has none is not, or is gone.

use crate::keys::Keys;
use bytes::Bytes;
use clockwright_model::InstanceId;
use clockwright_registry::{Error, Node, Path, Registry};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// What a process writes into its lease node, once, when it starts: the same in each of its sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// Tells it from other processes that have the same id.
    pub mark: String,
    /// Which event stores it keeps history in; empty when it keeps none. `None` when it did not know as it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<String>>,
    /// The release of its program; `None` of one that did not say so yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Lease {
    /// What stands in the node.
    #[must_use]
    pub fn data(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads those of the processes that are there; what cannot be read is left out.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn read_all(registry: &dyn Registry, keys: &Keys) -> Result<BTreeMap<InstanceId, Self>, Error> {
        let nodes = registry.tree(&keys.leases()).await?;
        let lease = |(path, node): (Path, Node)| {
            let name = path.below(&keys.leases()).filter(|name| !name.is_empty())?;
            Some((InstanceId::from_wire(name), serde_json::from_slice(&node.data).ok()?))
        };
        Ok(nodes.into_iter().filter_map(lease).collect())
    }
}

/// The processes that are there, each with the session that its lease belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leases(BTreeMap<InstanceId, i64>);

impl Leases {
    /// Reads them.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn read(registry: &dyn Registry, keys: &Keys) -> Result<Self, Error> {
        let mut leases = Self::default();
        for (path, node) in registry.tree(&keys.leases()).await? {
            leases.put(keys, &path, Some(&node));
        }
        Ok(leases)
    }

    /// Takes in what a node is now; nodes elsewhere are none of its business.
    pub fn put(&mut self, keys: &Keys, path: &Path, node: Option<&Node>) {
        let Some(name) = path.below(&keys.leases()).filter(|name| !name.is_empty()) else { return };
        let id = InstanceId::from_wire(name);
        match node {
            Some(node) => drop(self.0.insert(id, node.stat.owner)),
            None => drop(self.0.remove(&id)),
        }
    }

    /// Whether a process of ours with this id is there.
    #[must_use]
    pub fn holds<Q: Ord + ?Sized>(&self, id: &Q) -> bool
    where
        InstanceId: Borrow<Q>,
    {
        self.0.contains_key(id)
    }
}
