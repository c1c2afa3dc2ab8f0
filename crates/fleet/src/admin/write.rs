//! Conditional writes that are certain: see the essay in [`super`].

use super::remove::batches;
use super::{ATTEMPTS, Admin, AdminError};
use crate::keys::Key;
use clockwright_model::JobName;
use clockwright_registry::{Commit, Conflict, Error, Node, Op, Path};
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

/// What a node shall be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want<'a> {
    /// There; made with this data when it is not, and left as it is otherwise.
    There(&'a [u8]),
    /// There, with this data.
    Is(&'a [u8]),
    /// With this data, if it is there.
    Says(&'a [u8]),
    /// Not there.
    Absent,
}

/// What became of a commit.
pub(super) enum Sent {
    /// It was carried out.
    Done(Commit),
    /// It was not: something was not as expected.
    Conflict,
    /// It may have been. Read before deciding anything.
    Unclear(Error),
}

impl Admin<'_> {
    /// Makes one node of a job as it shall be, and sets the plan's epoch with it, so that no claim is made in ignorance of it.
    pub(super) async fn change(
        &self,
        job: &JobName,
        key: &Key,
        want: Want<'_>,
    ) -> Result<Written, AdminError> {
        let path = self.keys.of(job, key);
        let paths = [path.clone(), self.keys.of(job, &Key::Epoch)];
        let mut unclear = None;
        for _ in 0..ATTEMPTS {
            let mut nodes = self.registry.read(&paths).await?.into_iter();
            let (node, epoch) = (nodes.next().flatten(), nodes.next().flatten());
            let as_asked = if unclear.is_some() { Written::Changed } else { Written::AsAsked };
            let op = match (want, node) {
                // Somebody else may have made it with other data, after an answer that got lost.
                (Want::There(data) | Want::Is(data) | Want::Says(data), Some(node))
                    if node.data[..] == *data =>
                {
                    return Ok(as_asked);
                }
                (Want::There(_), Some(_)) => return Ok(Written::AsAsked),
                (Want::There(data) | Want::Is(data), None) => Op::create(path.clone(), data.to_vec()),
                (Want::Says(_), None) => return Ok(Written::Gone),
                (Want::Says(data) | Want::Is(data), Some(node)) => {
                    Op::set_if(path.clone(), data.to_vec(), node.stat.version)
                }
                (Want::Absent, None) => return Ok(as_asked),
                (Want::Absent, Some(node)) => {
                    Op::Delete { path: path.clone(), version: Some(node.stat.version) }
                }
            };
            let epoch = epoch.map(|epoch| Op::set_if(paths[1].clone(), epoch.data, epoch.stat.version));
            match self.send(std::iter::once(op).chain(epoch).collect()).await? {
                Sent::Done(_) => return Ok(Written::Changed),
                Sent::Conflict => {}
                Sent::Unclear(error) => unclear = Some(error),
            }
        }
        Err(unclear.map_or(AdminError::Contended(path), AdminError::from))
    }

    pub(super) async fn read(&self, path: &Path) -> Result<Option<Node>, AdminError> {
        Ok(self.registry.read(std::slice::from_ref(path)).await?.pop().flatten())
    }

    /// Sets a node that still has this version; `false` when somebody else was faster.
    pub(super) async fn set_node(&self, path: &Path, data: &[u8], version: i32) -> Result<bool, AdminError> {
        let op = Op::set_if(path.clone(), data.to_vec(), version);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.send(vec![op.clone()]).await? {
                Sent::Done(_) => return Ok(true),
                // Only one of the two can have succeeded, so this may well be the first one's doing.
                Sent::Conflict if last.is_some() => {
                    return Ok(self.read(path).await?.is_some_and(|node| node.data[..] == *data));
                }
                Sent::Conflict => return Ok(false),
                Sent::Unclear(error) => last = Some(error),
            }
        }
        Err(last.map_or(AdminError::Contended(path.clone()), AdminError::from))
    }

    /// Makes an empty persistent node, if it is absent.
    pub(super) async fn make(&self, path: &Path) -> Result<(), AdminError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.commit(vec![Op::create(path.clone(), "")]).await? {
                Ok(_) | Err(Error::Conflict { conflict: Conflict::Exists, .. }) => return Ok(()),
                Err(error @ (Error::Unknown(_) | Error::Unavailable(_))) => {
                    last = Some(error);
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or(AdminError::Contended(path.clone()), AdminError::from))
    }

    /// Deletes nodes, children given before parents, in as few commits as the limits allow. Stops at the first batch that
    /// meets a change by somebody else; returns how many nodes were surely deleted.
    pub(super) async fn delete_all(&self, paths: Vec<Path>) -> Result<usize, AdminError> {
        let terms = self.registry.terms();
        let mut deleted = 0;
        let (ops, bytes) = self.fence.map_or((0, 0), |fence| (1, fence.weight()));
        for batch in batches(paths, terms.max_ops - ops, terms.max_bytes - bytes) {
            let count = batch.len();
            match self.commit(batch).await? {
                Ok(_) => deleted += count,
                // The caller reads again what is left, which settles an unknown outcome too.
                Err(Error::Conflict { .. } | Error::Unknown(_)) => return Ok(deleted),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(deleted)
    }

    /// Carries this out behind the fence, if there is one.
    async fn commit(&self, ops: Vec<Op>) -> Result<Result<Commit, Error>, AdminError> {
        let Some(fence) = self.fence else { return Ok(self.registry.commit(ops).await) };
        match self.registry.commit(std::iter::once(fence.clone()).chain(ops).collect()).await {
            Err(Error::Conflict { path, .. }) if path == *fence.path() => Err(AdminError::Fenced(path)),
            answer => Ok(answer),
        }
    }

    /// Sends a commit once, and waits a moment when the registry did not answer.
    pub(super) async fn send(&self, ops: Vec<Op>) -> Result<Sent, AdminError> {
        match self.commit(ops).await? {
            Ok(commit) => Ok(Sent::Done(commit)),
            Err(Error::Conflict { .. }) => Ok(Sent::Conflict),
            Err(error @ (Error::Unknown(_) | Error::Unavailable(_))) => {
                tokio::time::sleep(RETRY_PAUSE).await;
                Ok(Sent::Unclear(error))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Pause before an operation is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
