//! Time zones by the names that people write.
//!
//! An IANA name, or an offset in any of its usual spellings: `GMT+8`, `UTC+08:00`, `+0800`, `GMT -03:30`, `Z`. Abbreviations such as
//! `CST` are refused, since they mean different zones to different people (and to Java); the answer names the zones that they may mean.

use super::ScheduleError;
use jiff::tz::{Offset, TimeZone};

/// The zone with this name; `None` is the machine's own.
///
/// # Errors
/// There is none; it says which zone was likely meant.
pub fn zone(name: Option<&str>) -> Result<TimeZone, ScheduleError> {
    let Some(name) = name.map(str::trim) else {
        return Ok(TimeZone::system());
    };
    if let Some(seconds) = offset(name) {
        return Ok(Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed));
    }
    TimeZone::get(name).map_err(|_| {
        let what = match meant(name) {
            _ if name.is_empty() => "is empty; leave it away for this machine's zone".to_owned(),
            Some(meant) => format!("`{name}` is unknown; {meant}"),
            None => format!(
                "`{name}` is unknown; use an IANA name such as `Europe/Berlin`, or an offset such as `GMT+8`"
            ),
        };
        ScheduleError::new("time zone", 0, what)
    })
}

/// The name under which Java knows an offset that is spelt in another way: `GMT+08:00` for `UTC+8`. `None` for what is no offset, or is
/// spelt as Java reads it.
#[must_use]
pub fn java_offset(name: &str) -> Option<String> {
    let seconds = offset(name.trim())?;
    let java =
        name.strip_prefix("GMT").is_some_and(|rest| rest.starts_with(['+', '-']) && !rest.contains(' '));
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    (!java).then(|| format!("GMT{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

/// Seconds east of Greenwich of `GMT+8`, `UTC+0800`, `-03:30`, `Z`: hours to 23, minutes to 59, as `java.util.TimeZone` reads them.
fn offset(name: &str) -> Option<i32> {
    let upper = name.to_ascii_uppercase();
    if upper == "Z" {
        return Some(0);
    }
    let rest = ["GMT", "UTC", "UT"].iter().find_map(|prefix| upper.strip_prefix(prefix)).unwrap_or(&upper);
    let rest = rest.trim_start().replace('\u{2212}', "-");
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let rest = rest[1..].trim_start();
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if matches!(rest.len(), 3 | 4) && rest.is_ascii() => rest.split_at(rest.len() - 2),
        None => (rest, "0"),
    };
    let number = |text: &str| super::field::number(text).filter(|_| matches!(text.len(), 1 | 2));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then(|| sign * (hours * 3600 + minutes * 60) as i32)
}

/// What abbreviations and cities without a zone of their own may mean.
const MEANT: &[(&str, &[&str])] = &[
    ("ACST", &["Australia/Adelaide"]),
    ("AEDT", &["Australia/Sydney"]),
    ("AEST", &["Australia/Sydney", "Australia/Brisbane"]),
    ("AKST", &["America/Anchorage"]),
    ("AST", &["America/Halifax", "Asia/Riyadh"]),
    ("AWST", &["Australia/Perth"]),
    ("BRT", &["America/Sao_Paulo"]),
    ("BST", &["Europe/London", "Asia/Dhaka"]),
    ("CDT", &["America/Chicago", "America/Havana"]),
    ("CEST", &["Europe/Berlin", "Europe/Paris"]),
    ("CST", &["Asia/Shanghai", "America/Chicago", "America/Havana"]),
    ("EAT", &["Africa/Nairobi"]),
    ("EDT", &["America/New_York"]),
    ("EEST", &["Europe/Athens", "Europe/Kyiv"]),
    ("HKT", &["Asia/Hong_Kong"]),
    ("ICT", &["Asia/Bangkok", "Asia/Ho_Chi_Minh"]),
    ("IST", &["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"]),
    ("JST", &["Asia/Tokyo"]),
    ("KST", &["Asia/Seoul"]),
    ("MDT", &["America/Denver"]),
    ("MSK", &["Europe/Moscow"]),
    ("MYT", &["Asia/Kuala_Lumpur"]),
    ("NZDT", &["Pacific/Auckland"]),
    ("NZST", &["Pacific/Auckland"]),
    ("PDT", &["America/Los_Angeles"]),
    ("PHT", &["Asia/Manila"]),
    ("PKT", &["Asia/Karachi"]),
    ("PST", &["America/Los_Angeles", "Asia/Manila"]),
    ("SAST", &["Africa/Johannesburg"]),
    ("SGT", &["Asia/Singapore"]),
    ("WEST", &["Europe/Lisbon"]),
    ("WIB", &["Asia/Jakarta"]),
    ("BEIJING", &["Asia/Shanghai"]),
    ("PEKING", &["Asia/Shanghai"]),
    ("SHENZHEN", &["Asia/Shanghai"]),
    ("DELHI", &["Asia/Kolkata"]),
    ("MUMBAI", &["Asia/Kolkata"]),
    ("BANGALORE", &["Asia/Kolkata"]),
    ("MUNICH", &["Europe/Berlin"]),
    ("GENEVA", &["Europe/Zurich"]),
    ("MILAN", &["Europe/Rome"]),
    ("BARCELONA", &["Europe/Madrid"]),
    ("SAN_FRANCISCO", &["America/Los_Angeles"]),
    ("SEATTLE", &["America/Los_Angeles"]),
    ("WASHINGTON", &["America/New_York"]),
    ("BOSTON", &["America/New_York"]),
];

/// Which zones were likely meant, in words.
fn meant(name: &str) -> Option<String> {
    let plain = name.to_ascii_uppercase().replace(' ', "_");
    let city = plain.rsplit('/').next().unwrap_or(&plain);
    if let Some((_, zones)) = MEANT.iter().find(|(known, _)| *known == plain || *known == city) {
        let list: Vec<String> = zones.iter().map(|zone| format!("`{zone}`")).collect();
        return Some(match &list[..] {
            [one] => format!("did you mean {one}?"),
            many => format!("it may mean {}; write the one that is meant", many.join(" or ")),
        });
    }
    let same_city =
        |known: &str| known.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(city));
    let known: Vec<_> = jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
    let found = known.iter().find(|known| same_city(known)).map(String::as_str);
    // Of short names everything is near.
    let near =
        || clockwright_model::nearest(name, known.iter().map(String::as_str)).filter(|_| name.len() > 4);
    found.or_else(near).map(|zone| format!("did you mean `{zone}`?"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use jiff::Timestamp;

    fn seconds(name: &str) -> i32 {
        zone(Some(name)).unwrap().to_offset(Timestamp::UNIX_EPOCH).seconds()
    }

    #[test]
    fn offsets_are_read_in_their_usual_spellings() {
        for name in [
            "GMT+8",
            "GMT+08:00",
            "UTC+8",
            "UTC+08:00",
            "+08:00",
            "+8",
            "+0800",
            "GMT +8",
            "gmt+8",
            "utc + 8",
            "UT+8",
        ] {
            assert_eq!(seconds(name), 8 * 3600, "{name}");
        }
        for name in ["GMT-03:30", "UTC-0330", "-03:30", "\u{2212}3:30"] {
            assert_eq!(seconds(name), -(3 * 3600 + 1800), "{name}");
        }
        for name in ["Z", "UTC", "GMT", "utc", "GMT+0"] {
            assert_eq!(seconds(name), 0, "{name}");
        }
        for bad in ["GMT+24", "GMT+8:5", "+", "UTC+8h", "GMT+08:60", "+123456", "+٣"] {
            assert!(zone(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hint_names_the_zone_that_was_meant() {
        for (name, hint) in [
            (
                "CST",
                "it may mean `Asia/Shanghai` or `America/Chicago` or `America/Havana`; write the one that is meant",
            ),
            ("BST", "it may mean `Europe/London` or `Asia/Dhaka`; write the one that is meant"),
            ("JST", "did you mean `Asia/Tokyo`?"),
            ("Asia/Beijing", "did you mean `Asia/Shanghai`?"),
            ("Shanghai", "did you mean `Asia/Shanghai`?"),
            ("europe/berlni", "did you mean `Europe/Berlin`?"),
            ("Atlantis", "use an IANA name such as `Europe/Berlin`, or an offset such as `GMT+8`"),
            ("XY", "use an IANA name such as `Europe/Berlin`, or an offset such as `GMT+8`"),
        ] {
            assert_eq!(zone(Some(name)).unwrap_err().message, format!("`{name}` is unknown; {hint}"));
        }
    }

    #[test]
    fn an_offset_that_java_would_take_for_greenwich_gets_javas_spelling() {
        for (name, java) in
            [("UTC+8", "GMT+08:00"), ("GMT +8", "GMT+08:00"), ("-3:30", "GMT-03:30"), ("Z", "GMT+00:00")]
        {
            assert_eq!(java_offset(name).as_deref(), Some(java), "{name}");
        }
        for name in ["GMT+8", "GMT-03:30", "Asia/Shanghai", "UTC"] {
            assert_eq!(java_offset(name), None, "{name}");
        }
    }
}
