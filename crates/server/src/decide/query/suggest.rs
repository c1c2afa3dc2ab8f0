//! What a word of a search may become that somebody is typing.

use super::table::{Of, QUALIFIERS, Qualifier};
use clockwright_model::{InstanceId, RunId};

/// What is being typed.
#[derive(Debug)]
pub enum Typed<'a> {
    /// Letters, of which it is not known yet what they are to be.
    Letters(&'a str),
    /// A value of a qualifier.
    Value {
        /// The qualifier.
        row: &'static Qualifier,
        /// What stands before the value.
        before: &'a str,
        /// How the value begins.
        begun: &'a str,
    },
}

/// Which of the two a word is.
#[must_use]
pub fn typed(word: &str, of: Of) -> Typed<'_> {
    let bare = word.strip_prefix('-').unwrap_or(word);
    let named = |name: &str| Qualifier::named(name, of).filter(|row| row.of.contains(&of));
    match bare.split_once(':').map(|(name, rest)| (named(name), rest)) {
        Some((Some(row), rest)) => {
            let last = rest.rsplit(',').next().unwrap_or_default();
            let (before, begun) = word.split_at(word.len() - last.len());
            Typed::Value { row, before, begun: begun.trim_matches('"') }
        }
        _ => Typed::Letters(bare),
    }
}

/// The names of qualifiers that begin so.
pub fn qualifiers(begun: &str, of: Of) -> impl Iterator<Item = &'static str> {
    let useful = QUALIFIERS.iter().filter(move |row| row.of.contains(&of));
    let names = useful.flat_map(|row| std::iter::once(&row.name).chain(row.also)).copied();
    names.filter(move |name| name.starts_with(begun))
}

/// A value as a search has it: in quotes where it would be read as something else.
#[must_use]
pub fn quoted(value: &str) -> String {
    let is_plain = |letter: char| !letter.is_whitespace() && !matches!(letter, ',' | '"' | '*');
    if value.chars().all(is_plain) { value.to_owned() } else { format!("\"{}\"", value.replace('"', "")) }
}

/// What an id is of that somebody has pasted: a run, an instance, or an instant in milliseconds since 1970.
#[must_use]
pub fn recognised(text: &str) -> Option<&'static str> {
    let is_instance = || text.contains("@-@") && InstanceId::from_wire(text).ip() != text;
    let is_instant = || text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    if RunId::parse(text).is_some() {
        return Some("run");
    }
    if is_instance() {
        return Some("instance");
    }
    is_instant().then_some("instant")
}

/// How well a value fits what was begun, the best first: it is that, begins so, or contains it.
#[must_use]
pub fn fit(value: &str, begun: &str) -> Option<u8> {
    let value = value.to_lowercase();
    [value == begun, value.starts_with(begun), value.contains(begun)]
        .into_iter()
        .zip(0..)
        .find_map(|(fits, how)| fits.then_some(how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(word: &str, of: Of) -> Option<(&'static str, &str, &str)> {
        match typed(word, of) {
            Typed::Letters(_) => None,
            Typed::Value { row, before, begun } => Some((row.name, before, begun)),
        }
    }

    #[test]
    fn a_word_is_a_value_once_a_qualifier_stands_before_it() {
        assert_eq!(value("tag:", Of::Jobs), Some(("tag", "tag:", "")));
        assert_eq!(value("-tag:money,ni", Of::Jobs), Some(("tag", "-tag:money,", "ni")));
        assert_eq!(value("标签:月", Of::Jobs), Some(("tag", "标签:", "月")));
        assert_eq!(value("owner:\"Li N", Of::Jobs), Some(("owner", "owner:", "Li N")));
        for letters in ["tag", "12:30", "source:tri", ""] {
            assert_eq!(value(letters, Of::Jobs), None, "{letters}");
        }
        assert_eq!(value("source:tri", Of::Runs), Some(("source", "source:", "tri")));
    }

    #[test]
    fn qualifiers_are_found_by_how_any_of_their_names_begins() {
        assert_eq!(qualifiers("st", Of::Jobs).collect::<Vec<_>>(), ["state", "status", "streak"]);
        assert_eq!(qualifiers("标", Of::Jobs).collect::<Vec<_>>(), ["标签"]);
        assert!(qualifiers("at", Of::Jobs).next().is_none(), "that is of runs");
    }

    #[test]
    fn ids_are_recognised_and_values_are_quoted_where_they_must_be() {
        assert_eq!(recognised("0190b5a4-7c3e-7d1a-9f00-0123456789ab"), Some("run"));
        assert_eq!(recognised("10.0.0.1@-@4711"), Some("instance"));
        assert_eq!(recognised("1800000000000"), Some("instant"));
        for other in ["report", "180000", "@", ""] {
            assert_eq!(recognised(other), None, "{other}");
        }
        assert_eq!((quoted("nightly").as_str(), quoted("month end").as_str()), ("nightly", "\"month end\""));
        assert_eq!(quoted("a,b"), "\"a,b\"");
    }

    #[test]
    fn what_begins_so_fits_better_than_what_contains_it() {
        let fits = ["night", "Nightly", "tonight", "day"].map(|value| fit(value, "night"));
        assert_eq!(fits, [Some(0), Some(1), Some(2), None]);
    }
}
