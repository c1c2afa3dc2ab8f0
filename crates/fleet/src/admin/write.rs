//! Conditional writes that are certain: see the essay in [`super`].

use super::{ATTEMPTS, Admin, AdminError, batches};
use clockwright_registry::{Conflict, Error, Node, Op, Path};
use std::time::Duration;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was made.
    Changed,
    /// The node was so already.
    AsAsked,
    /// The node to set is not there any more.
    Gone,
}

impl Admin<'_> {
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Node>, AdminError> {
        Ok(self.registry.read(std::slice::from_ref(path)).await?.pop().flatten())
    }

    /// Sets an existing node; never creates one.
    pub(super) async fn set(&self, path: &Path, data: &[u8]) -> Result<Written, AdminError> {
        for _ in 0..ATTEMPTS {
            let Some(node) = self.read(path).await? else { return Ok(Written::Gone) };
            if &node.data[..] == data {
                return Ok(Written::AsAsked);
            }
            if let Some(written) = self.set_version(path, data, node.stat.version).await? {
                return Ok(written);
            }
        }
        Err(AdminError::Contended(path.clone()))
    }

    /// Sets a node that still has this version; `None` when somebody else was faster.
    pub(super) async fn set_version(
        &self,
        path: &Path,
        data: &[u8],
        version: i32,
    ) -> Result<Option<Written>, AdminError> {
        let op = Op::set_if(path.clone(), data.to_vec(), version);
        match self.certain(op).await? {
            Certain::Done => Ok(Some(Written::Changed)),
            Certain::Conflict(Conflict::Missing) => Ok(Some(Written::Gone)),
            Certain::Conflict(_) => Ok(None),
        }
    }

    /// Creates a persistent node, if it is absent.
    pub(super) async fn create(&self, path: &Path, data: &[u8]) -> Result<Written, AdminError> {
        match self.certain(Op::create(path.clone(), data.to_vec())).await? {
            Certain::Done => Ok(Written::Changed),
            Certain::Conflict(Conflict::Exists) => Ok(Written::AsAsked),
            Certain::Conflict(_) => Ok(Written::Gone),
        }
    }

    /// Deletes a node, if it is there.
    pub(super) async fn delete(&self, path: &Path) -> Result<Written, AdminError> {
        match self.certain(Op::delete(path.clone())).await? {
            Certain::Done => Ok(Written::Changed),
            Certain::Conflict(_) => Ok(Written::AsAsked),
        }
    }

    /// Deletes nodes, children given before parents, in as few commits as the limits allow. Stops at the first batch that
    /// meets a change by somebody else; returns how many nodes were surely deleted.
    pub(super) async fn delete_all(&self, paths: Vec<Path>) -> Result<usize, AdminError> {
        let terms = self.registry.terms();
        let mut deleted = 0;
        for batch in batches(paths, terms.max_ops, terms.max_bytes) {
            let count = batch.len();
            match self.registry.commit(batch).await {
                Ok(_) => deleted += count,
                // The caller reads again what is left, which settles an unknown outcome too.
                Err(Error::Conflict { .. } | Error::Unknown(_)) => return Ok(deleted),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(deleted)
    }

    /// Carries out one conditional operation until its outcome is known. After a lost answer the same operation is sent again;
    /// its condition admits only one of the two, so a conflict that the first one would have caused means that it was done.
    async fn certain(&self, op: Op) -> Result<Certain, AdminError> {
        let mut lost_answer = false;
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            match self.registry.commit(vec![op.clone()]).await {
                Ok(_) => return Ok(Certain::Done),
                Err(Error::Conflict { conflict, .. }) if lost_answer && own_conflict(&op, conflict) => {
                    return Ok(Certain::Done);
                }
                Err(Error::Conflict { conflict, .. }) => return Ok(Certain::Conflict(conflict)),
                Err(error @ Error::Unknown(_)) => {
                    lost_answer = true;
                    last = Some(error);
                }
                Err(error @ Error::Unavailable(_)) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or(AdminError::Contended(op.path().clone()), AdminError::from))
    }
}

/// Pause before an operation is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

enum Certain {
    Done,
    Conflict(Conflict),
}

/// Whether an earlier success of the same operation leads to this conflict.
fn own_conflict(op: &Op, conflict: Conflict) -> bool {
    matches!(
        (op, conflict),
        (Op::Create { .. }, Conflict::Exists)
            | (Op::Set { .. }, Conflict::Version)
            | (Op::Delete { .. }, Conflict::Missing)
    )
}
