//! Durations with units, and five-field Unix cron said in the Quartz dialect.

use clockwright_model::Millis;

/// Reads `90s`, `1h30m`, `250ms`: numbers with the units ms, s, m, h, d, largest first.
pub fn duration(text: &str) -> Result<Millis, String> {
    let bad = || {
        let what =
            if text.trim().is_empty() { "is empty".into() } else { format!("`{text}` is not a duration") };
        format!("{what}; write a number with a unit (ms, s, m, h, d), for example `30s` or `1h30m`")
    };
    let mut rest = text.trim();
    let (mut sum, mut previous): (Millis, Millis) = (0, Millis::MAX);
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[digits..digits + letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        if unit >= previous {
            return Err(bad());
        }
        let number: Millis = rest[..digits].parse().map_err(|_| bad())?;
        sum = number.checked_mul(unit).and_then(|part| sum.checked_add(part)).ok_or_else(bad)?;
        previous = unit;
        rest = &rest[digits + letters..];
    }
    Ok(sum)
}

/// Says a duration as [`duration`] reads it.
#[must_use]
pub fn say(duration: Millis) -> String {
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if duration > 0 && duration % unit == 0 {
            return format!("{}{name}", duration / unit);
        }
    }
    format!("{duration}ms")
}

const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The Quartz expression with the same instants as a five-field Unix one, which is what the registry and Java peers take.
///
/// # Errors
/// Both day fields are restricted: Unix then means "either", which Quartz cannot say.
pub(crate) fn quartz_from_unix(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, of_month, month, of_week] = fields[..] else {
        let form = "Unix cron is `minute hour day-of-month month day-of-week`, for example `*/5 * * * *`";
        return Err(format!("{} fields found; {form}", fields.len()));
    };
    // `*/2` in a field of 0 or 1 up means the same in both dialects, and so do numbers, lists, ranges and month names.
    match (of_month, of_week) {
        (of_month, "*") => Ok(format!("0 {minute} {hour} {of_month} {month} ?")),
        ("*", of_week) => Ok(format!("0 {minute} {hour} ? {month} {}", days_of_week(of_week)?)),
        _ => Err("it restricts the day of the month and the day of the week, which in Unix cron means either of them; \
                  write two jobs, one for each"
            .into()),
    }
}

/// A Unix day-of-week field as a list of names; numbers differ between the dialects, names do not.
fn days_of_week(field: &str) -> Result<String, String> {
    let bad = |piece: &str| {
        format!("day of week: `{piece}` is not a day; use 0 to 7 (0 and 7 are Sunday) or SUN to SAT")
    };
    let day = |text: &str| -> Option<usize> {
        let name = text.to_ascii_uppercase();
        DAYS.iter().position(|day| *day == name).or_else(|| text.parse().ok().filter(|day| *day <= 7))
    };
    let mut set = [false; 7];
    for piece in field.split(',') {
        let (range, step) =
            piece.split_once('/').map_or((piece, Some(1)), |(range, step)| (range, step.parse().ok()));
        let step: usize = step.filter(|step| *step > 0).ok_or_else(|| bad(piece))?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => {
                (day(first).ok_or_else(|| bad(piece))?, day(last).ok_or_else(|| bad(piece))?)
            }
            None => {
                let first = day(range).ok_or_else(|| bad(piece))?;
                (first, if piece.contains('/') { 7 } else { first })
            }
        };
        if first > last {
            return Err(bad(piece));
        }
        (first..=last).step_by(step).for_each(|day| set[day % 7] = true);
    }
    Ok((0..7).filter(|day| set[*day]).map(|day| DAYS[day]).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_planner::Schedule;

    #[test]
    fn durations_need_a_unit_and_read_back() {
        for (text, millis) in [("250ms", 250), ("30s", 30_000), ("1h30m", 5_400_000), ("2d", 172_800_000)] {
            assert_eq!(duration(text), Ok(millis), "{text}");
            assert_eq!(duration(&say(millis)), Ok(millis));
        }
        for bad in ["", "30", "s", "30m1h", "-1s", "1 s", "99999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unix_cron_keeps_its_instants_in_the_quartz_dialect() {
        for text in [
            "*/5 * * * *",
            "0 9 * * 1-5",
            "30 8 1,15 * *",
            "0 0 * * 0",
            "0 0 * * 7",
            "5 4 * JAN mon-fri/2",
            "0 12 * * */3",
        ] {
            let unix = Schedule::parse_unix(text, Some("Europe/Berlin")).unwrap();
            let quartz = Schedule::parse(&quartz_from_unix(text).unwrap(), Some("Europe/Berlin")).unwrap();
            let mut at = 1_700_000_000_000;
            for _ in 0..200 {
                let next = unix.next_after(at);
                assert_eq!(quartz.next_after(at), next, "{text}");
                at = next.unwrap();
            }
        }
        assert!(quartz_from_unix("0 0 1 * 1").unwrap_err().contains("two jobs"));
        assert!(quartz_from_unix("0 0 * * 8").unwrap_err().contains("`8`"));
    }
}
