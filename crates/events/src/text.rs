//! Text and times in the form that every database takes.

use clockwright_model::Millis;
use jiff::Timestamp;
use std::borrow::Cow;

/// The width of the columns `failure_cause`, `message` and `reason`, in characters.
pub(crate) const WIDE: usize = 4000;

/// Ends a text that was cut.
pub(crate) const CUT_MARK: &str = " … [cut]";

/// U+0000 ends a string for some databases and tools and is refused by others, so it is stored as its visible picture `␀`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { Cow::Owned(text.replace('\0', "␀")) } else { Cow::Borrowed(text) }
}

/// Like [`clean`], and cut at a character boundary to [`WIDE`] characters, the mark included.
pub(crate) fn wide(text: &str) -> Cow<'_, str> {
    if text.len() <= WIDE || text.char_indices().nth(WIDE).is_none() {
        return clean(text);
    }
    let kept = WIDE - CUT_MARK.chars().count();
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    Cow::Owned(clean(&text[..end]).into_owned() + CUT_MARK)
}

/// `YYYY-MM-DD HH:MM:SS.mmm` in UTC, which sorts as the times do. Times outside the years 0000 to 9999 become the
/// nearest one inside.
pub(crate) fn timestamp(at: Millis) -> String {
    const FIRST: Millis = -62_167_219_200_000;
    const LAST: Millis = 253_402_207_199_999;
    let at = Timestamp::from_millisecond(at.clamp(FIRST, LAST)).expect("clamped to the range that it takes");
    let at = jiff::tz::Offset::UTC.to_datetime(at);
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second, milli) = (at.hour(), at.minute(), at.second(), at.millisecond());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// Reads [`timestamp`] back; `None` if somebody else wrote something else there.
pub(crate) fn millis(text: &str) -> Option<Millis> {
    let at: jiff::civil::DateTime = text.parse().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(at).ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_at_a_character_boundary_and_says_so() {
        let text = "😀".repeat(5000);
        let cut = wide(&text);
        assert_eq!(cut.chars().count(), WIDE);
        assert!(cut.ends_with(CUT_MARK));
        assert!(cut.starts_with("😀😀"));
    }

    #[test]
    fn text_of_exactly_the_width_is_kept() {
        for unit in ["x", "é", "😀"] {
            let text = unit.repeat(WIDE);
            assert_eq!(wide(&text), text);
        }
    }

    #[test]
    fn a_nul_becomes_visible() {
        assert_eq!(wide("a\0b"), "a␀b");
        assert_eq!(clean("\0"), "␀");
    }

    #[test]
    fn times_are_utc_text_that_sorts_and_reads_back() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00.000");
        assert_eq!(timestamp(1_700_000_000_123), "2023-11-14 22:13:20.123");
        assert_eq!(timestamp(-1), "1969-12-31 23:59:59.999");
        for at in [0, -1, 1_700_000_000_123, 253_402_207_199_999, -62_167_219_200_000] {
            assert_eq!(millis(&timestamp(at)), Some(at));
        }
        assert_eq!(millis("soon"), None);
    }

    #[test]
    fn times_that_no_calendar_holds_become_the_nearest_one() {
        assert_eq!(timestamp(i64::MIN), "0000-01-01 00:00:00.000");
        assert_eq!(timestamp(i64::MAX), "9999-12-30 21:59:59.999");
    }
}
