//! Instants as the interface writes them.

use clockwright_model::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An instant: RFC 3339 in UTC with milliseconds, `2026-01-31T08:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = DateTime)]
pub struct At(pub Millis);

impl From<At> for String {
    fn from(at: At) -> Self {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(at) => format!("{at:.3}"),
            // Beyond what a calendar of four digits can say.
            Err(_) => at.0.to_string(),
        }
    }
}

impl TryFrom<String> for At {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let at: jiff::Timestamp =
            text.parse().map_err(|_| format!("`{text}` is no instant such as `2026-01-31T08:00:00Z`"))?;
        Ok(Self(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds_and_read_with_any_offset() {
        assert_eq!(String::from(At(1_769_846_400_007)), "2026-01-31T08:00:00.007Z");
        assert_eq!(At::try_from("2026-01-31T09:00:00+01:00".to_owned()), Ok(At(1_769_846_400_000)));
        assert!(At::try_from("tomorrow".to_owned()).is_err());
    }
}
