//! All nodes of a job as text, in the format of Elastic-Job's monitor port, so that existing tools read it.

use super::{ViewError, find};
use crate::keys::Keys;
use clockwright_registry::Registry;
use std::collections::BTreeMap;

/// The listing of a job: one `path | value` per line, depth first, children in descending order, the namespace left out.
/// With `mask`, the first IPv4 address found becomes `ip1`, the next `ip2`, and so on, so that it can be shown around.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn dump(registry: &dyn Registry, keys: &Keys, name: &str, mask: bool) -> Result<String, ViewError> {
    let job = find(registry, keys, name).await?;
    let root = keys.job(&job);
    let mut listing = Tree::default();
    for (path, node) in registry.tree(&root).await? {
        if let Some(rest) = path.below(&root).filter(|rest| !rest.is_empty()) {
            listing.insert(rest, String::from_utf8_lossy(&node.data).into_owned());
        }
    }
    let mut text = String::new();
    listing.write(&format!("/{job}"), &mut text);
    Ok(if mask { mask_addresses(&text) } else { text })
}

#[derive(Default)]
struct Tree {
    value: String,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, path: &str, value: String) {
        let node = path.split('/').fold(self, |node, name| node.children.entry(name.to_owned()).or_default());
        node.value = value;
    }

    fn write(&self, path: &str, out: &mut String) {
        for (name, child) in self.children.iter().rev() {
            let path = format!("{path}/{name}");
            out.push_str(&path);
            out.push_str(" | ");
            out.push_str(&child.value);
            out.push('\n');
            child.write(&path, out);
        }
    }
}

/// Replaces every IPv4 address by `ip{n}`, numbered by first appearance.
fn mask_addresses(text: &str) -> String {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_digit = false;
    while let Some(c) = rest.chars().next() {
        if !after_digit && let Some(length) = address_at(rest) {
            let next = known.len() + 1;
            let number = *known.entry(&rest[..length]).or_insert(next);
            out.push_str(&format!("ip{number}"));
            rest = &rest[length..];
            after_digit = true;
            continue;
        }
        after_digit = c.is_ascii_digit();
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The length of the IPv4 address that the text begins with.
fn address_at(text: &str) -> Option<usize> {
    let mut length = 0;
    for octet in 0..4 {
        if octet > 0 {
            text[length..].starts_with('.').then_some(())?;
            length += 1;
        }
        let digits = text[length..].bytes().take_while(u8::is_ascii_digit).count();
        text[length..length + digits].parse::<u8>().ok()?;
        length += digits;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_by_first_appearance_and_nothing_else_is() {
        let text = "/j/servers/10.0.0.12 | \n/j/servers/10.0.0.1 | 10.0.0.12@-@7\n1.2.3 300.1.1.1 v1.2.3.4";
        let masked = "/j/servers/ip1 | \n/j/servers/ip2 | ip1@-@7\n1.2.3 300.1.1.1 vip3";
        assert_eq!(mask_addresses(text), masked);
    }
}
