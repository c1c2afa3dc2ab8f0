//! What the tests on real servers share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use clockwright_registry::{Hint, Path, Registry, Session};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Milliseconds. Long enough that a busy machine does not lose sessions by chance.
pub const SESSION_TIMEOUT: i64 = 10_000;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A path that no other test of this process uses.
pub fn fresh_root() -> Path {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Path::root().join(&format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Waits for a state of the session.
pub async fn wait_for(registry: &dyn Registry, state: Session) {
    let mut session = registry.session();
    let seen = tokio::time::timeout(PATIENCE, session.wait_for(|now| *now == state)).await;
    seen.unwrap_or_else(|_| panic!("the session is not {state:?} in time"))
        .expect("the session tells its states");
}

/// Waits for a hint, skipping others.
pub async fn wait_for_hint(hints: &mut UnboundedReceiver<Hint>, wanted: &Hint) {
    let found = async {
        loop {
            let hint = hints.recv().await.expect("the session lives");
            if hint == *wanted {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no hint {wanted:?} in time"));
}
