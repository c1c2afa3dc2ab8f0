//! A YAML document as a tree that remembers lines and the text of scalars.
//!
//! Scalars keep their text (`1.10` stays `1.10`), keys may repeat (the reader above says what that means), anchors, aliases
//! and merge keys work as in any YAML. What a small file could blow up into is bounded: see [`MAX_NODES`] and [`MAX_DEPTH`].

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// Most nodes of a file, with every alias written out.
pub const MAX_NODES: usize = 400_000;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;

/// One value of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    /// Where it begins, from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, a number, a truth value or nothing.
    Scalar {
        /// As it was written.
        text: String,
        /// Without quotes: this tells `true` from `"true"`.
        plain: bool,
    },
    /// A list.
    List(Vec<Yaml>),
    /// A map. A key may stand in it twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The value.
    pub value: Yaml,
}

/// What is wrong with a text that is no usable YAML, and on which line.
#[derive(Debug, PartialEq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads all documents of a text.
///
/// # Errors
/// It is no YAML, or has more than its bounds.
pub fn documents(text: &str) -> Result<Vec<Yaml>, Broken> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken {
            line: error.marker().line(),
            message: format!("is not YAML: {}", error.info()),
        })?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.documents)
}

impl Yaml {
    /// `null`, `~` or nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for error messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// An open collection.
struct Open {
    line: usize,
    anchor: usize,
    /// How many nodes were built when it was opened.
    nodes_before: usize,
    children: Children,
}

enum Children {
    List(Vec<Yaml>),
    Map { entries: Vec<Entry>, merges: Vec<Yaml>, key: Option<Key> },
}

/// A key whose value is still to come.
struct Key {
    text: String,
    line: usize,
    /// It is `<<`, without quotes.
    merges: bool,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Yaml>,
    open: Vec<Open>,
    /// Anchored nodes, with the number of nodes in each.
    anchors: HashMap<usize, (Yaml, usize)>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Broken> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let node = Yaml { line, value: Value::Scalar { text: text.into_owned(), plain } };
                self.count(1, line)?;
                self.add(node, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.open(line, anchor, Children::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(line, anchor, Children::Map { entries: Vec::new(), merges: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(Broken {
                        line,
                        message: "an alias refers to a value that contains it".into(),
                    });
                };
                let size = *size;
                // Counted before it is copied, so that aliases of aliases cannot fill the memory.
                let over = self.nodes + size > MAX_NODES;
                let node = if over { None } else { Some(node.clone()) };
                self.count(size, line)?;
                node.map_or(Ok(()), |node| self.add(node, 0, size))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Broken> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("has more than {MAX_NODES} values, with its aliases written out");
            return Err(Broken { line, message });
        }
        Ok(())
    }

    fn open(&mut self, line: usize, anchor: usize, children: Children) -> Result<(), Broken> {
        if self.open.len() == MAX_DEPTH {
            return Err(Broken { line, message: format!("is nested deeper than {MAX_DEPTH} levels") });
        }
        let nodes_before = self.nodes;
        self.count(1, line)?;
        self.open.push(Open { line, anchor, nodes_before, children });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Broken> {
        let Some(Open { line, anchor, nodes_before, children }) = self.open.pop() else { return Ok(()) };
        let value = match children {
            Children::List(list) => Value::List(list),
            Children::Map { entries, merges, .. } => Value::Map(merge(entries, merges)),
        };
        self.add(Yaml { line, value }, anchor, self.nodes - nodes_before)
    }

    fn add(&mut self, node: Yaml, anchor: usize, size: usize) -> Result<(), Broken> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.children) {
            None => self.documents.push(node),
            Some(Children::List(list)) => list.push(node),
            Some(Children::Map { entries, merges, key }) => match key.take() {
                Some(Key { merges: true, .. }) => merges.push(node),
                Some(Key { text, line, .. }) => entries.push(Entry { key: text, line, value: node }),
                None => {
                    let Value::Scalar { text, plain } = node.value else {
                        return Err(Broken {
                            line: node.line,
                            message: "has a key that is not a text".into(),
                        });
                    };
                    *key = Some(Key { merges: plain && text == "<<", text, line: node.line });
                }
            },
        }
        Ok(())
    }
}

/// Carries out the merge keys (`<<: *defaults`): what they bring gives way to the map's own keys.
fn merge(mut own: Vec<Entry>, merges: Vec<Yaml>) -> Vec<Entry> {
    for merged in merges {
        let maps = match merged.value {
            Value::List(maps) => maps,
            _ => vec![merged],
        };
        for map in maps {
            let Value::Map(entries) = map.value else { continue };
            for entry in entries {
                if own.iter().all(|own| own.key != entry.key) {
                    own.push(entry);
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn only(text: &str) -> Yaml {
        let mut documents = documents(text).unwrap();
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    #[test]
    fn scalars_keep_their_text_and_their_line() {
        let Value::Map(entries) = only("a: 1.10\nb:\n  - 'true'\n").value else { panic!("a map") };
        assert_eq!(
            entries[0].value,
            Yaml { line: 1, value: Value::Scalar { text: "1.10".into(), plain: true } }
        );
        let Value::List(list) = &entries[1].value.value else { panic!("a list") };
        assert_eq!(list[0], Yaml { line: 3, value: Value::Scalar { text: "true".into(), plain: false } });
    }

    #[test]
    fn merge_keys_give_way_to_own_keys() {
        let text = "base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n";
        let Value::Map(entries) = only(text).value else { panic!("a map") };
        let Value::Map(used) = &entries[1].value.value else { panic!("a map") };
        let keys: Vec<_> = used.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["y", "x"]);
    }

    #[test]
    fn a_quoted_merge_key_is_a_key_like_any_other() {
        let Value::Map(entries) = only("'<<': {x: 1}\n").value else { panic!("a map") };
        assert_eq!(entries[0].key, "<<");
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_grows() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let alias = format!("*a{}", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", [alias.as_str(); 10].join(", ")));
        }
        assert!(documents(&text).unwrap_err().message.contains("aliases written out"));
    }

    #[test]
    fn endless_nesting_is_refused() {
        assert!(documents(&("[".repeat(40) + &"]".repeat(40))).unwrap_err().message.contains("deeper"));
        assert!(documents(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn broken_yaml_is_named_with_its_line() {
        let broken = documents("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(broken.line >= 2, "{broken:?}");
    }
}
