//! `shardingItemParameters`: `0=a,1=b`.

use crate::{Item, SettingsError};
use std::collections::BTreeMap;

/// The parsed parameters of a job's items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemParameters(BTreeMap<Item, String>);

impl ItemParameters {
    /// Reads Elastic-Job's text form: pieces separated by `,`, each `item=value`, blanks around both ignored, a later
    /// item wins over an earlier one, trailing commas ignored. Items outside the job's count are kept and never used.
    ///
    /// # Errors
    /// Names the piece that is not `int=text` with exactly one `=` and a non-empty value.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let mut items = BTreeMap::new();
        let bad = |piece: &str, why: &str| {
            SettingsError::new(
                "shardingItemParameters",
                format!(
                    "`{piece}` {why}; the format is `0=a,1=b`: an item number, `=`, a value without `=` or `,`"
                ),
            )
        };
        for piece in text.trim().trim_end_matches(',').split(',') {
            if text.trim().trim_end_matches(',').is_empty() {
                break;
            }
            let parts: Vec<&str> = piece.split('=').collect();
            let [key, value] = parts[..] else {
                return Err(bad(piece.trim(), "is not one `item=value` pair"));
            };
            if value.trim().is_empty() {
                return Err(bad(piece.trim(), "has no value"));
            }
            let item =
                key.trim().parse().map_err(|_| bad(piece.trim(), "does not start with an item number"))?;
            items.insert(item, value.trim().to_owned());
        }
        Ok(Self(items))
    }

    /// The parameter of an item, if it has one.
    #[must_use]
    pub fn get(&self, item: Item) -> Option<&str> {
        self.0.get(&item).map(String::as_str)
    }

    /// The items that have one, ascending; those outside of the job's count too.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_trimmed_and_the_last_of_two_wins() {
        let parsed = ItemParameters::parse(" 0=A, 1 = B ,0=C,").expect("valid");
        assert_eq!((parsed.get(0), parsed.get(1), parsed.get(2)), (Some("C"), Some("B"), None));
        assert_eq!(ItemParameters::parse(""), Ok(ItemParameters::default()));
    }

    #[test]
    fn a_piece_that_is_no_pair_is_named() {
        for bad in ["0", "0=", "0=a=b", "x=y", "0=a,,1=b"] {
            assert!(ItemParameters::parse(bad).is_err(), "{bad}");
        }
        let message = ItemParameters::parse("0=a,x=y").expect_err("x is no number").to_string();
        assert!(message.contains("x=y"), "{message}");
    }
}
