//! What laws are written with: each step waits for its answer, but not for ever.

use super::PATIENCE;
use clockwright_registry::{Commit, Conflict, Error, Hint, Node, Op, Path, Session, SharedRegistry};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("an answer comes in time")
}

pub(super) async fn commit(registry: &SharedRegistry, ops: Vec<Op>) -> Commit {
    within(registry.commit(ops)).await.expect("every condition holds")
}

pub(super) async fn conflict(registry: &SharedRegistry, ops: Vec<Op>, index: usize, conflict: Conflict) {
    let path = ops[index].path().clone();
    let error = within(registry.commit(ops)).await.expect_err("a condition does not hold");
    assert_eq!(error, Error::Conflict { index, path, conflict });
}

pub(super) async fn read(registry: &SharedRegistry, paths: &[Path]) -> Vec<Option<Node>> {
    within(registry.read(paths)).await.expect("read")
}

pub(super) async fn get(registry: &SharedRegistry, path: &Path) -> Option<Node> {
    read(registry, std::slice::from_ref(path)).await.remove(0)
}

/// Waits until a session sees a node as expected.
pub(super) async fn until(
    registry: &SharedRegistry,
    path: &Path,
    expected: impl Fn(&Option<Node>) -> bool,
) -> Option<Node> {
    let mut hints = within(registry.watch(path)).await.expect("watch");
    let seen = async {
        loop {
            let node = get(registry, path).await;
            if expected(&node) {
                return node;
            }
            hints.recv().await.expect("hints come as long as the session lives");
        }
    };
    timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("{path} was not seen as expected in time"))
}

/// Waits for a hint that covers a node; takes those of other nodes on the way.
pub(super) async fn hinted(hints: &mut UnboundedReceiver<Hint>, path: &Path) {
    let found = async {
        loop {
            match hints.recv().await.expect("hints come as long as the session lives") {
                Hint::Everything => return,
                Hint::Path(hint) if hint == *path => return,
                Hint::Path(_) => {}
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no hint of {path} in time"));
}

pub(super) async fn lost(registry: &SharedRegistry) {
    let mut session = registry.session();
    within(session.wait_for(|session| *session == Session::Lost)).await.map(|_| ()).unwrap_or_default();
    assert_eq!(*session.borrow(), Session::Lost);
}
