//! One field of a cron expression: lists, ranges, steps and names, turned into a bit mask.

use super::ScheduleError;

/// What a field may hold.
pub(super) struct Field {
    /// In words, as error messages call it.
    pub(super) name: &'static str,
    pub(super) low: u32,
    pub(super) high: u32,
    /// Three-letter names of the values from `low` on; empty when the field has none.
    pub(super) names: &'static [&'static str],
    /// A range whose end is before its start wraps around.
    pub(super) wraps: bool,
}

/// A piece of a field with its place in the text, counted in characters from 1.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

pub(super) const SECOND: Field = Field { name: "second", low: 0, high: 59, names: &[], wraps: true };
pub(super) const MINUTE: Field = Field { name: "minute", ..SECOND };
pub(super) const HOUR: Field = Field { name: "hour", high: 23, ..SECOND };
pub(super) const DAY_OF_MONTH: Field =
    Field { name: "day of month", low: 1, high: 31, names: &[], wraps: true };
pub(super) const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    wraps: true,
};
/// Quartz counts weekdays from 1, Sunday.
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    low: 1,
    high: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    wraps: true,
};
pub(super) const YEAR: Field = Field { name: "year", low: 1970, high: 2199, names: &[], wraps: false };
/// Unix counts weekdays from 0, Sunday, and calls Sunday 7 as well.
pub(super) const UNIX_DAY_OF_WEEK: Field =
    Field { low: 0, names: DAY_OF_WEEK.names, wraps: false, ..DAY_OF_WEEK };

impl Field {
    /// The values of a list as a mask in which bit 0 is `low`. 256 bits hold all years.
    pub(super) fn mask(&self, field: Piece<'_>) -> Result<[u64; 4], ScheduleError> {
        let mut mask = [0u64; 4];
        let mut at = field.at;
        for text in field.text.split(',') {
            for value in self.values(Piece { text, at })? {
                let bit = (value - self.low) as usize;
                mask[bit / 64] |= 1 << (bit % 64);
            }
            at += text.chars().count() + 1;
        }
        Ok(mask)
    }

    /// The values of one entry of a list: `*`, `5`, `5-9`, each with an optional step `/2`.
    fn values(&self, entry: Piece<'_>) -> Result<Vec<u32>, ScheduleError> {
        if entry.text.is_empty() {
            return Err(self.error(entry, "an entry is empty; remove the superfluous comma"));
        }
        let (range, step) = match entry.text.split_once('/') {
            None => (entry.text, None),
            Some((range, step)) => {
                let at = entry.at + range.chars().count() + 1;
                (range, Some(self.step(Piece { text: step, at }, range)?))
            }
        };
        let range = Piece { text: range, at: entry.at };
        let (start, end) = match range.text.split_once('-') {
            // Quartz takes a bare `/5` for `*/5`.
            None if range.text == "*" || range.text.is_empty() => (self.low, self.high),
            None => {
                let value = self.value(range)?;
                (value, if step.is_some_and(|step| step > 0) { self.high } else { value })
            }
            Some((start, end)) => self.range(range, start, end)?,
        };
        let span = self.high - self.low + 1;
        let length = if end >= start { end - start } else { end + span - start };
        let step = step.unwrap_or(1).max(1);
        Ok((0..=length)
            .step_by(step as usize)
            .map(|ahead| self.low + (start - self.low + ahead) % span)
            .collect())
    }

    fn range(&self, range: Piece<'_>, start: &str, end: &str) -> Result<(u32, u32), ScheduleError> {
        let named = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        if named(start) != named(end) && !start.is_empty() && !end.is_empty() {
            let what = format!("`{}` mixes a number and a name; write two numbers or two names", range.text);
            return Err(self.error(range, what));
        }
        let first = self.value(Piece { text: start, at: range.at })?;
        let last = self.value(Piece { text: end, at: range.at + start.chars().count() + 1 })?;
        if last < first && !self.wraps {
            let what =
                format!("the range `{}` ends before it starts; write the lower value first", range.text);
            return Err(self.error(range, what));
        }
        Ok((first, last))
    }

    /// A step, 1 or more. `a/0` is the one exception: Quartz reads it as `a`, and existing settings have it.
    fn step(&self, step: Piece<'_>, range: &str) -> Result<u32, ScheduleError> {
        let single = !range.contains('-') && !range.contains('*') && !range.is_empty();
        let Some(value) = number(step.text) else {
            let what = format!("`/` must be followed by a number, not by `{}`", step.text);
            return Err(self.error(step, what));
        };
        let limit = if self.low == 0 { self.high } else { self.high - self.low + 1 };
        if value == 0 && !single {
            return Err(self.error(step, "a step of 0 never moves on; use 1 or more"));
        }
        // Quartz does not check the step of a range.
        if value > limit && !range.contains('-') {
            let what = format!("the step `{value}` is too large; it is at most {limit}");
            return Err(self.error(step, what));
        }
        Ok(value.min(self.high + 1))
    }

    /// One value: a number of the field, or one of its names.
    pub(super) fn value(&self, piece: Piece<'_>) -> Result<u32, ScheduleError> {
        if let Some(index) = self.names.iter().position(|name| *name == piece.text) {
            return Ok(index as u32 + self.low);
        }
        match number(piece.text) {
            Some(value) if (self.low..=self.high).contains(&value) => Ok(value),
            Some(_) => {
                Err(self.error(piece, format!("`{}` is out of range; {}", piece.text, self.allowed())))
            }
            None => Err(self.error(piece, format!("`{}` is not understood; {}", piece.text, self.allowed()))),
        }
    }

    /// What the field may hold, in words.
    pub(super) fn allowed(&self) -> String {
        let Field { low, high, names, .. } = self;
        match names {
            [] => format!("use numbers from {low} to {high}, `*`, and `,` `-` `/` between them"),
            [first, .., last] => format!("use numbers from {low} to {high} or the names {first} to {last}"),
            [only] => format!("use numbers from {low} to {high} or the name {only}"),
        }
    }

    pub(super) fn error(&self, piece: Piece<'_>, message: impl Into<String>) -> ScheduleError {
        ScheduleError::new(self.name, piece.at, message)
    }
}

/// Digits only, at most nine of them; `+5` is no cron.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
