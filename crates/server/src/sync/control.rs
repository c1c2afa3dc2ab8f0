//! `/{ns}-clockwright/control`: the node by which the settings writes of a namespace are numbered.
//!
//! It is made once and never deleted, so its version only grows, and every write of settings carries the version that its writer read: of
//! two writers who read the same, one is refused. It says whose namespace it is: `plane` is an id that was made with the database, so two databases
//! never fight over one namespace; `url` tells people where the other one is found.
//!
//! | found | meaning |
//! |---|---|
//! | none | nobody manages the namespace yet: it is made |
//! | our plane, version as remembered or greater | as it should be |
//! | our plane, a greater number of the journal | the database lost what it had, or is an older copy: nothing is written until a person confirms |
//! | our plane, a smaller version | the registry lost what it had, or is an older copy: nothing is written until a person confirms |
//! | another plane | another database manages it: nothing is written |
//! | text that is none of ours | somebody else's node: nothing is written |

use crate::store::ProjectRow;
use clockwright_fleet::keys::Keys;
use clockwright_registry::{Conflict, Error, Node, Op, Path, Registry};
use serde::{Deserialize, Serialize};

/// What the node says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The database's own id.
    pub plane: String,
    /// Where its servers are found.
    pub url: String,
    /// The term of whoever wrote last.
    pub term: i64,
    /// The journal's number when it was written.
    pub seq: i64,
    /// What others write in the namespace is taken over, settings and holds: they need not ask its servers first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
}

impl Control {
    /// What this project's node is to say.
    #[must_use]
    pub fn new((plane, url): (String, String), project: &ProjectRow, term: i64, seq: i64) -> Self {
        Self { plane, url, term, seq, follows: project.follows() }
    }

    /// As it is stored.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The node of our own database, as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    /// Its version: the number of the last write.
    pub version: i32,
    /// The term of whoever wrote last.
    pub term: i64,
}

/// What is said of a node that is none of ours.
pub(super) const NOBODYS: &str = "a node that no database of Clockwright wrote";

/// The node's path.
#[must_use]
pub fn path(keys: &Keys) -> Path {
    keys.control()
}

/// How the node stands to this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is ours.
    Ours(Ours),
    /// There is none.
    None,
    /// It is another database's, whose servers are found there.
    Another(String),
    /// It is ours, and a later state of this database wrote it.
    Behind {
        /// The journal's number that it says.
        seq: i64,
        /// The journal's number.
        head: i64,
    },
    /// It is ours, and older than what was written.
    Older {
        /// Its version.
        found: i32,
        /// The version that is remembered.
        known: i64,
    },
}

/// How the node stands to the database with this id, which has seen this version, and whose journal ends at this number.
#[must_use]
pub fn standing(node: Option<&Node>, plane: &str, mark: i64, head: i64) -> Standing {
    let Some(node) = node else {
        return if mark > 0 { Standing::Older { found: -1, known: mark } } else { Standing::None };
    };
    match serde_json::from_slice::<Control>(&node.data) {
        Ok(control) if control.plane != plane => Standing::Another(control.url),
        Ok(_) if i64::from(node.stat.version) < mark => {
            Standing::Older { found: node.stat.version, known: mark }
        }
        Ok(control) if control.seq > head => Standing::Behind { seq: control.seq, head },
        Ok(control) => Standing::Ours(Ours { version: node.stat.version, term: control.term }),
        Err(_) => Standing::Another(NOBODYS.to_owned()),
    }
}

/// Makes the namespace, our root beside it, and the node, as far as they are missing.
///
/// # Errors
/// The registry is away, or refuses.
pub async fn make(registry: &dyn Registry, keys: &Keys, control: &Control) -> Result<(), Error> {
    for root in [keys.root(), keys.own_root()] {
        for path in ancestors(root) {
            create(registry, path, Vec::new()).await?;
        }
    }
    create(registry, path(keys), control.bytes()).await
}

/// A path and what is above it, the uppermost first.
fn ancestors(path: &Path) -> Vec<Path> {
    let text = path.as_str();
    let ends = text.char_indices().skip(1).filter(|(_, letter)| *letter == '/').map(|(place, _)| place);
    ends.chain(std::iter::once(text.len())).filter_map(|end| Path::new(&text[..end]).ok()).collect()
}

async fn create(registry: &dyn Registry, path: Path, data: Vec<u8>) -> Result<(), Error> {
    match registry.commit(vec![Op::create(path, data)]).await {
        Ok(_) | Err(Error::Conflict { conflict: Conflict::Exists, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clockwright_registry::Stat;

    fn node(plane: &str, version: i32) -> Node {
        let control =
            Control { plane: plane.into(), url: "https://there".into(), term: 1, seq: 1, follows: false };
        let stat = Stat { version, ..Stat::default() };
        Node { data: serde_json::to_vec(&control).expect("plain data").into(), stat }
    }

    #[test]
    fn a_node_of_another_database_or_an_older_one_is_told_from_ours() {
        let ours = |version| Standing::Ours(Ours { version, term: 1 });
        assert_eq!(standing(None, "a", 0, 1), Standing::None);
        assert_eq!(standing(Some(&node("a", 3)), "a", 3, 1), ours(3));
        assert_eq!(standing(Some(&node("a", 2)), "a", 3, 1), Standing::Older { found: 2, known: 3 });
        assert_eq!(standing(None, "a", 3, 1), Standing::Older { found: -1, known: 3 });
        assert_eq!(standing(Some(&node("a", 3)), "a", 3, 0), Standing::Behind { seq: 1, head: 0 });
        let another = Standing::Another("https://there".into());
        assert_eq!(standing(Some(&node("b", 9)), "a", 3, 1), another);
        let rubbish = Node { data: "x".into(), stat: Stat::default() };
        assert!(matches!(standing(Some(&rubbish), "a", 0, 1), Standing::Another(_)));
    }
}
