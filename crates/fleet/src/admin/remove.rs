//! Removing a job with everything below it.

use super::{ATTEMPTS, Admin, AdminError, Done, Serving};
use crate::cursor::Cursor;
use crate::keys::{Key, Keys};
use crate::leases::Leases;
use crate::mirror::Mirror;
use crate::view::{self, InstanceKind};
use clockwright_model::{InstanceId, Item, JobName};
use clockwright_registry::{Op, Path};
use std::collections::BTreeMap;

impl Admin<'_> {
    /// Removes a job and everything below it, leaves first, in batches that the registry takes. When it is interrupted, the
    /// rest is still a job and can be removed again.
    ///
    /// Who serves it is decided by leases, not by instance nodes alone: a process whose instance node an operator deleted may run items
    /// for hours, and the claims of those runs are what keeps others from running them too.
    ///
    /// # Errors
    /// There is no such job, processes still serve it, the registry did not answer, or others keep adding nodes.
    pub async fn remove(&self, job: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let root = self.keys.job(&job);
        let mut done = Done::default();
        for _ in 0..ATTEMPTS {
            let nodes = self.registry.tree(&root).await?;
            if nodes.is_empty() {
                return Ok(done);
            }
            let leases = Leases::read(self.registry, self.keys).await?;
            let mirror = Mirror::of(self.keys, nodes.iter().map(|(path, node)| (path, node)));
            let by = served_by(&mirror, &leases);
            if !by.is_empty() {
                return Err(AdminError::StillServed { job, by });
            }
            done.changed +=
                self.delete_all(order(self.keys, &job, nodes.into_iter().map(|(path, _)| path))).await?;
        }
        Err(AdminError::Contended(root))
    }
}

/// Children before parents; `config` goes last but for the root, because a job without it is not found again.
fn order(keys: &Keys, job: &JobName, paths: impl DoubleEndedIterator<Item = Path>) -> Vec<Path> {
    let last = [keys.of(job, &Key::Config), keys.job(job)];
    let mut paths: Vec<Path> = paths.rev().filter(|path| !last.contains(path)).collect();
    paths.extend(last);
    paths
}

/// Whoever serves a job: its members, and the processes that are there and have not ended what they claimed.
fn served_by(mirror: &Mirror, leases: &Leases) -> Vec<Serving> {
    let mut serving: BTreeMap<&InstanceId, Vec<Item>> =
        mirror.members().map(|(id, ..)| (id, Vec::new())).collect();
    for (item, nodes) in (0..).zip(&mirror.items) {
        if let Some(claim) = nodes.cursor.cursor().and_then(Cursor::running)
            && leases.holds(&claim.owner)
        {
            serving.entry(&claim.owner).or_default().push(item);
        }
    }
    let kind = |id| if leases.holds(id) { InstanceKind::Clockwright } else { InstanceKind::Java };
    serving.into_iter().map(|(id, items)| Serving { instance: id.clone(), kind: kind(id), items }).collect()
}

/// Deletes that go into one commit with the others, as far as the registry's limits allow.
pub(super) fn batches(paths: Vec<Path>, max_ops: usize, max_bytes: usize) -> Vec<Vec<Op>> {
    let mut batches: Vec<Vec<Op>> = Vec::new();
    let mut bytes = 0;
    for op in paths.into_iter().map(Op::delete) {
        let weight = op.weight();
        match batches.last_mut() {
            Some(batch) if batch.len() < max_ops && bytes + weight <= max_bytes => {
                bytes += weight;
                batch.push(op);
            }
            _ => {
                bytes = weight;
                batches.push(vec![op]);
            }
        }
    }
    batches
}
