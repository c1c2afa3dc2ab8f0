//! The instants at which a job is due: Quartz cron, a fixed interval, or one instant.
//!
//! A schedule is a *set of instants*, the same for everybody who reads the same text in the same zone. Every question is
//! answered from that set alone, by arithmetic and not by walking: the next instant, the latest one, how many lie between
//! two times. So all instances of a job agree on its fires, whenever they started and however long they slept.
//!
//! **Daylight saving time** (what Quartz does): a local time that the spring gap leaves out does not exist and is no
//! instant; a local time that the autumn overlap has twice is one instant, at its second occurrence.

mod calendar;
mod cron;
mod field;
mod parse;
mod sentence;
mod zone;
mod zoned;

pub use zone::{java_offset, zone};

use clockwright_model::Millis;
use std::fmt;
use zoned::ZonedCron;

/// When a job is due.
///
/// Small (bit masks and a shared zone) and cheap to clone; a process keeps one for each of its thousands of jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// Local times in a zone.
    Cron(ZonedCron),
    /// Each multiple of so many milliseconds since the epoch.
    Every(Millis),
    /// One instant.
    Once(Millis),
    /// Never: only triggers fire it.
    Never,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// - Quartz cron: six or seven fields, `second minute hour day-of-month month day-of-week [year]`, with
    ///   `* , - /`, `?`, `L`, `L-3`, `W`, `LW`, `6L`, `6#3`, names, ranges that wrap around, and 1 = Sunday. Exactly one of
    ///   the two day fields is `?`. Years are 1970 to 2199.
    /// - `@every 30s`, units `ms`, `s`, `m`, `h`, `d`, combinable as in `1h30m`, 1 ms to 3650 days: the multiples of that interval since the
    ///   epoch, so that all instances agree without having started together.
    /// - `@once 2026-01-01T00:00:00Z`: that instant (RFC 3339), and never again.
    /// - nothing: never. The job is a *one-off* job, which only triggers fire.
    ///
    /// `zone` is an IANA name such as `Europe/Berlin`, or an offset such as `GMT+8`, `UTC-03:30`, `+08:00`; `None` is the machine's
    /// own zone. It matters only to cron.
    ///
    /// # Errors
    /// [`ScheduleError`] names the field, the piece that cannot be used and what would be right.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Schedule, ScheduleError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            zone::zone(zone)?;
            return Ok(Schedule(Kind::Never));
        }
        if let Some(rest) = trimmed.strip_prefix('@') {
            zone::zone(zone)?;
            return parse::special(rest);
        }
        let cron = parse::quartz(text)?;
        Ok(Schedule(Kind::Cron(ZonedCron::new(cron, zone::zone(zone)?))))
    }

    /// Reads five-field Unix cron, `minute hour day-of-month month day-of-week`, where 0 and 7 are Sunday, and where two
    /// restricted day fields mean *either*. It is never guessed: the same text means other days in the Quartz dialect.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_unix(text: &str, zone: Option<&str>) -> Result<Schedule, ScheduleError> {
        let cron = parse::unix(text)?;
        Ok(Schedule(Kind::Cron(ZonedCron::new(cron, zone::zone(zone)?))))
    }

    /// The first instant strictly after `after`; `None` when there is none any more.
    #[must_use]
    pub fn next_after(&self, after: Millis) -> Option<Millis> {
        match &self.0 {
            Kind::Cron(cron) => cron.next_after(after),
            Kind::Every(interval) => after.div_euclid(*interval).checked_add(1)?.checked_mul(*interval),
            Kind::Once(at) => (*at > after).then_some(*at),
            Kind::Never => None,
        }
    }

    /// The greatest instant that is not after `until`; `None` when the schedule begins later. Cron begins in 1970.
    #[must_use]
    pub fn latest_until(&self, until: Millis) -> Option<Millis> {
        match &self.0 {
            Kind::Cron(cron) => cron.latest_until(until),
            Kind::Every(interval) => until.div_euclid(*interval).checked_mul(*interval),
            Kind::Once(at) => (*at <= until).then_some(*at),
            Kind::Never => None,
        }
    }

    /// The next changes of the zone's offset after an instant, at most so many. An interval and a single instant know no zone.
    #[must_use]
    pub fn clock_changes(&self, after: Millis, most: usize) -> Vec<ClockChange> {
        match &self.0 {
            Kind::Cron(cron) => cron.clock_changes(after, most),
            Kind::Every(_) | Kind::Once(_) | Kind::Never => Vec::new(),
        }
    }

    /// How many instants lie in `(after, until]`, but at most `cap`.
    #[must_use]
    pub fn count(&self, after: Millis, until: Millis, cap: u64) -> u64 {
        if until <= after {
            return 0;
        }
        let count = match &self.0 {
            Kind::Cron(cron) => cron.count(after, until),
            Kind::Every(interval) => until.div_euclid(*interval).abs_diff(after.div_euclid(*interval)),
            Kind::Once(at) => u64::from(after < *at && *at <= until),
            Kind::Never => 0,
        };
        count.min(cap)
    }
}

/// A change of a zone's offset from UTC, and what it does to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// When, epoch milliseconds.
    pub at: Millis,
    /// The offset before it, seconds.
    pub before: i32,
    /// The offset after it, seconds.
    pub after: i32,
    /// How many of the schedule's local times it leaves out, where clocks go forward; or has twice, where they go back, and of which the second
    /// one counts.
    pub affected: u64,
    /// The first of those: seconds of the clock on the wall since it showed the beginning of 1970.
    pub first: Option<i64>,
}

/// Why a schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ScheduleError {
    /// What part of the schedule it is about, in words: `minute`, `day of week`, `time zone`, `cron`.
    pub field: &'static str,
    /// Where the offending piece begins: its character in the text, from 1; 0 where no one place is at fault.
    pub position: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)?;
        if self.position > 0 {
            write!(f, " (at character {})", self.position)?;
        }
        Ok(())
    }
}

impl ScheduleError {
    fn new(field: &'static str, position: usize, message: impl Into<String>) -> Self {
        Self { field, position, message: message.into() }
    }
}
