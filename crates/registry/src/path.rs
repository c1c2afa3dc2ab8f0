//! Absolute paths of nodes.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// An absolute path: `/`, or `/name/name…` with no empty, `.` or `..` name and no control character.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Arc<str>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a registry path: {why}")]
pub struct PathError {
    path: String,
    why: &'static str,
}

impl Path {
    /// Checks and takes a path.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let bad = |why| Err(PathError { path: text.to_owned(), why });
        if !text.starts_with('/') {
            return bad("it must start with `/`");
        }
        if text != "/" {
            for name in text[1..].split('/') {
                match name {
                    "" => return bad("it has an empty name"),
                    "." | ".." => return bad("it has a relative name"),
                    name if name.chars().any(char::is_control) => return bad("it has a control character"),
                    _ => {}
                }
            }
        }
        Ok(Self(text.into()))
    }

    /// Takes a path as a registry tells it, without looking at it again.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        debug_assert!(text.starts_with('/'), "bad path {text:?}");
        Self(text.into())
    }

    /// The root, `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// A path below this one. `names` is one name, or several separated by `/`, already known to be valid: a checked name,
    /// or one that the registry itself listed.
    #[must_use]
    pub fn join(&self, names: &str) -> Self {
        debug_assert!(
            !names.is_empty() && !names.starts_with('/') && !names.ends_with('/'),
            "bad name {names:?}"
        );
        Self([self.begin(), "/", names].concat().into())
    }

    /// As [`join`](Self::join), of what `names` shows.
    #[must_use]
    pub fn join_shown(&self, names: impl fmt::Display) -> Self {
        let mut text = String::with_capacity(self.0.len() + 64);
        let shown = write!(text, "{}/{names}", self.begin());
        debug_assert!(shown.is_ok(), "a string takes everything");
        Self(text.into())
    }

    /// What a path below this one begins with, up to its `/`.
    fn begin(&self) -> &str {
        if &*self.0 == "/" { "" } else { &self.0 }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of the parent; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.parent_text().map(|parent| Self(parent.into()))
    }

    /// The text of the parent's path.
    pub(crate) fn parent_text(&self) -> Option<&str> {
        match self.0.rsplit_once('/')? {
            ("", "") => None,
            ("", _) => Some("/"),
            (parent, _) => Some(parent),
        }
    }

    /// The last name; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The part after `root/`, `""` for `root` itself, `None` for a path elsewhere.
    #[must_use]
    pub fn below(&self, root: &Path) -> Option<&str> {
        if &*root.0 == "/" {
            return Some(&self.0[1..]);
        }
        match self.0.strip_prefix(&*root.0)? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_without_odd_names_are_taken() {
        for bad in ["", "a", "/a/", "//a", "/a//b", "/.", "/a/..", "/a\nb"] {
            assert!(Path::new(bad).is_err(), "{bad:?}");
        }
        for good in ["/", "/a", "/a/b@-@c"] {
            assert!(Path::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_path_knows_its_parent_its_name_and_what_it_is_below() {
        let path = Path::root().join("a").join("b");
        assert_eq!((path.as_str(), path.name()), ("/a/b", "b"));
        assert_eq!(path.parent(), Path::new("/a").ok());
        assert_eq!(Path::root().parent(), None);
        let a = Path::root().join("a");
        assert_eq!(
            (path.below(&a), a.below(&a), path.below(&Path::root())),
            (Some("b"), Some(""), Some("a/b"))
        );
        assert_eq!(Path::root().join("ab").below(&a), None);
    }
}
