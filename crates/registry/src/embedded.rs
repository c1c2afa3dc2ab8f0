//! The embedded backend: a tree in this process, kept in memory or in a file.

/// A registry inside this process. Cheap to clone; [`Embedded::connect`] opens sessions on it.
#[derive(Clone)]
pub struct Embedded;
