//! The laws of the registry port, one function each, run by every backend through [`crate::registry_suite!`].

use async_trait::async_trait;
use clockwright_registry::{Path, SharedRegistry};

/// What a backend gives the suite: sessions on one registry, and a place in it for one test.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens another session on the same registry. Panics when it cannot.
    async fn connect(&self) -> SharedRegistry;

    /// A persistent node that exists, is empty and is used by this test alone.
    fn root(&self) -> Path;

    /// Ends a session as its timeout would; false when this backend cannot be told to. Need not wait for the effects.
    async fn expire(&self, session: &SharedRegistry) -> bool;
}
