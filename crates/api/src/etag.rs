//! Versions of stored things as headers say them.

use std::fmt;
use std::str::FromStr;

/// The version of a stored thing, as `ETag` gives it and `If-Match` takes it: `"v17"`, with the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(pub i64);

impl fmt::Display for Etag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"v{}\"", self.0)
    }
}

impl FromStr for Etag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("\"v").and_then(|rest| rest.strip_suffix('"'));
        let number = number.and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| format!("`{text}` is no ETag of this interface, such as `\"v17\"`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_written_and_nothing_else_is_one() {
        assert_eq!(Etag(17).to_string(), "\"v17\"");
        assert_eq!("\"v17\"".parse(), Ok(Etag(17)));
        for wrong in ["v17", "17", "*", "\"17\"", "W/\"v17\"", "\"v\""] {
            assert!(wrong.parse::<Etag>().is_err(), "{wrong}");
        }
    }
}
