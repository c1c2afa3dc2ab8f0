//! The names of log files, and where in them a run's record is.

use clockwright_model::Millis;
use std::fmt;

/// Where a run's record is: which file of a folder of logs, from which byte, how many bytes. Written `2026-11-27/13-1.log:4096+512`.
///
/// It may come from a database that others write to, so it can name nothing but a file that a folder of logs holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    pub(super) file: LogFile,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl LogPosition {
    /// Reads the written form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (file, place) = text.split_once(':')?;
        let (offset, length) = place.split_once('+')?;
        let position =
            Self { file: LogFile::parse(file)?, offset: offset.parse().ok()?, length: length.parse().ok()? };
        (position.to_string() == text).then_some(position)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{}", self.file, self.offset, self.length)
    }
}

/// A file: the hour in which its runs ended, and which one of that hour. Older ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// When its hour begins, epoch milliseconds.
    pub(super) begin: Millis,
    pub(super) number: u32,
}

pub(super) const HOUR: Millis = 3_600_000;

impl LogFile {
    pub(super) fn of(at: Millis, number: u32) -> Self {
        // What no calendar holds counts as its ends.
        let (min, max) = (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
        Self { begin: at.clamp(min + HOUR, max).div_euclid(HOUR) * HOUR, number }
    }

    pub(super) fn end(self) -> Millis {
        self.begin + HOUR
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (day, file) = text.split_once('/')?;
        let stem = file.strip_suffix(".log")?;
        let (hour, number) = stem.split_once('-').unwrap_or((stem, "0"));
        let begin: jiff::civil::DateTime = format!("{day}T{hour}:00:00").parse().ok()?;
        let begin = jiff::tz::Offset::UTC.to_timestamp(begin).ok()?.as_millisecond();
        let file = Self::of(begin, number.parse().ok()?);
        // What we would write otherwise is no name of ours.
        (file.to_string() == text).then_some(file)
    }

    fn time(self) -> jiff::civil::DateTime {
        let at = jiff::Timestamp::from_millisecond(self.begin).unwrap_or_default();
        jiff::tz::Offset::UTC.to_datetime(at)
    }

    pub(super) fn day(self) -> String {
        self.time().date().to_string()
    }
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:02}", self.day(), self.time().hour())?;
        if self.number > 0 {
            write!(f, "-{}", self.number)?;
        }
        f.write_str(".log")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_position_names_nothing_but_a_log_file() {
        let good = "2023-11-15/12-3.log:4096+512";
        assert_eq!(LogPosition::parse(good).unwrap().to_string(), good);
        for bad in [
            "",
            "../../etc/passwd:0+9",
            "/etc/passwd:0+9",
            "2023-11-15/../../x.log:0+9",
            "2023-11-15/12.log",
            "2023-11-15/12.log:0",
            "2023-11-15/12.log:-1+9",
            "2023-11-15/12.log:+1+9",
            "2023-11-15/12.log: 1+9",
            "2023-11-15/12.log:01+9",
            "2023-11-15/12-0.log:0+9",
            "2023-11-15/12-01.log:0+9",
            "2023-11-15/24.log:0+9",
            "2023-02-30/12.log:0+9",
            "2023-11-15/12.log\0:0+9",
            "2023-11-15/12.log:0+99999999999999999999",
        ] {
            assert_eq!(LogPosition::parse(bad), None, "{bad}");
        }
    }
}
