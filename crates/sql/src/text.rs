//! Text and times in the form that every database takes.

use crate::Millis;
use jiff::Timestamp;
use std::borrow::Cow;

/// The width of a wide column, in characters.
pub const WIDE: usize = 4000;

/// Ends a text that was cut.
pub const CUT_MARK: &str = " … [cut]";

/// U+0000 ends a string for some databases and tools and is refused by others, so it is stored as its visible picture `␀`.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { Cow::Owned(text.replace('\0', "␀")) } else { Cow::Borrowed(text) }
}

/// Like [`clean`], and cut at a character boundary to [`WIDE`] characters, the mark included.
#[must_use]
pub fn wide(text: &str) -> Cow<'_, str> {
    if text.len() <= WIDE || text.char_indices().nth(WIDE).is_none() {
        return clean(text);
    }
    let kept = WIDE - CUT_MARK.chars().count();
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    Cow::Owned(clean(&text[..end]).into_owned() + CUT_MARK)
}

/// Like [`clean`], for a column of `width` characters whose text is compared: a name or an identity. A longer text is cut
/// and ends in a hash of the whole, so that different texts stay different; one that ends in a space gets a hash too,
/// because MySQL takes `a` and `a ` for the same. Texts that are searched for go through this as well.
#[must_use]
pub fn fit(text: &str, width: usize) -> Cow<'_, str> {
    let fits = text.len() <= width || text.char_indices().nth(width).is_none();
    if fits && !text.ends_with(' ') {
        return clean(text);
    }
    let hash = format!("#{:032x}", hash(text));
    let kept = width - hash.len();
    let end = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    Cow::Owned(clean(&text[..end]).into_owned() + &hash)
}

/// Fowler, Noll and Vo's 128-bit hash 1a. It stays the same for ever, which the hashes of the standard library do not
/// promise.
fn hash(text: &str) -> u128 {
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

/// The first and last millisecond of the years that every database takes.
pub const MILLIS_RANGE: (Millis, Millis) = (-62_167_219_200_000, 253_402_207_199_999);

/// `YYYY-MM-DD HH:MM:SS.mmm` in UTC, which sorts as the times do. Times outside the years 0000 to 9999 become the
/// nearest one inside.
#[must_use]
pub fn timestamp(at: Millis) -> String {
    let at = at.clamp(MILLIS_RANGE.0, MILLIS_RANGE.1);
    let at = Timestamp::from_millisecond(at).expect("clamped to the range that it takes");
    let at = jiff::tz::Offset::UTC.to_datetime(at);
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second, milli) = (at.hour(), at.minute(), at.second(), at.millisecond());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// Reads [`timestamp`] back; `None` if somebody else wrote something else there.
#[must_use]
pub fn millis(text: &str) -> Option<Millis> {
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
    fn names_that_are_too_long_or_end_in_a_space_stay_apart() {
        assert_eq!(fit("a", 40), "a");
        let long = "日".repeat(50);
        let (one, two) = (fit(&long, 40), long.clone() + "x");
        assert_eq!(one.chars().count(), 40);
        assert_ne!(one, fit(&two, 40));
        assert_eq!(fit(&two, 51), two);
        assert!(fit("a ", 40).starts_with("a #") && fit("a ", 40) != fit("a  ", 40));
        assert!(fit("", 40).is_empty());
        assert_eq!(format!("{:032x}", hash("")), "6c62272e07bb014262b821756295c58d");
        assert_eq!(format!("{:032x}", hash("a")), "d228cb696f1a8caf78912b704e4a8964");
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
