#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use proptest::prelude::*;

fn both(cron: &str) -> (String, String) {
    let schedule = Schedule::parse(cron, None).unwrap_or_else(|error| panic!("{cron}: {error}"));
    (schedule.sentence(Language::English), schedule.sentence(Language::Chinese))
}

fn says(rows: &[(&str, &str, &str)]) {
    for (cron, english, chinese) in rows {
        assert_eq!(both(cron), ((*english).to_owned(), (*chinese).to_owned()), "{cron}");
    }
}

#[test]
fn ordinary_schedules_sound_ordinary() {
    says(&[
        ("0 30 2 * * ?", "Every day at 02:30", "每天 02:30"),
        ("30 0 9,18 * * ?", "Every day at 09:00:30 and 18:00:30", "每天 09:00:30、18:00:30"),
        ("0 0 9 ? * MON-FRI", "Monday to Friday at 09:00", "周一至周五 09:00"),
        ("0 0 9 ? * 2", "Every Monday at 09:00", "每周一 09:00"),
        ("0 0 9 ? * SUN,WED", "On Wednesday and Sunday at 09:00", "周三、周日 09:00"),
        ("0 0 9 ? * SAT-MON", "Saturday to Monday at 09:00", "周六至周一 09:00"),
        ("* * * * * ?", "Every second", "每秒"),
        ("0/10 * * * * ?", "Every 10 seconds", "每10秒"),
        ("0 * * * * ?", "Every minute", "每分钟"),
        ("0 */5 * * * ?", "Every 5 minutes", "每5分钟"),
        ("0 0/30 * * * ?", "Every 30 minutes", "每30分钟"),
        ("0 0 * * * ?", "Every hour", "每小时"),
        ("0 15 * * * ?", "Every hour at minute 15", "每小时的第15分钟"),
        ("0 0 */2 * * ?", "Every 2 hours", "每2小时"),
        ("@every 1m", "Every minute", "每分钟"),
        ("@every 90s", "Every 1 minute and 30 seconds", "每1分钟30秒"),
        (
            "@once 2026-01-01T08:00:00+08:00",
            "Once, at 2026-01-01 00:00:00 UTC",
            "仅一次：2026-01-01 00:00:00 UTC",
        ),
        ("", "Only when it is triggered", "仅在触发时"),
    ]);
}

#[test]
fn windows_lists_steps_and_ranges_are_said_exactly() {
    says(&[
        (
            "0 0/5 9-17 ? * MON-FRI",
            "Every 5 minutes from 09:00 to 17:59, Monday to Friday",
            "周一至周五 09:00 至 17:59，每5分钟",
        ),
        ("0 15 9-17 * * ?", "Every hour from 09:15 to 17:15", "09:15 至 17:15，每小时"),
        ("0 0 22-4 * * ?", "Every hour from 22:00 to 04:00", "22:00 至 04:00，每小时"),
        ("0 2/5 * * * ?", "Every 5 minutes from minute 2 on", "每小时从第2分钟起每5分钟"),
        ("0 */7 * * * ?", "Every 7 minutes from minute 0 on", "每小时从第0分钟起每7分钟"),
        ("30 * * * * ?", "Every minute at second 30", "每分钟的第30秒"),
        ("0 1,2,3,10 * * * ?", "At minutes 1 to 3 and 10", "每小时的第1至3、10分钟"),
        (
            "5-10 7 * * * ?",
            "Every second from second 5 to 10 in minute 7 of every hour",
            "每小时的第7分钟，每分钟从第5至第10秒，每秒",
        ),
        ("0 0 1/3 * * ?", "Every 3 hours from 01:00 on", "每天从01:00起每3小时"),
        (
            "0 0/15 0/2 * * ?",
            "Every 15 minutes in every 2nd hour",
            "0、2、4、6、8、10、12、14、16、18、20、22点内，每15分钟",
        ),
        (
            "0 0 1,2,3,5,7,9,20 * * ?",
            "At minute 0 of the hours 1 to 3, 5, 7, 9 and 20",
            "1至3、5、7、9、20点整",
        ),
    ]);
}

#[test]
fn days_of_the_month_months_and_years_are_said() {
    says(&[
        ("0 0 3 1 * ?", "On the 1st of the month at 03:00", "每月1日 03:00"),
        (
            "0 0 3 1,15,22-24 * ?",
            "On the 1st, the 15th and the 22nd to the 24th of the month at 03:00",
            "每月1日、15日、22日至24日 03:00",
        ),
        ("0 0 3 1-7 * ?", "From the 1st to the 7th of the month at 03:00", "每月1日至7日 03:00"),
        ("0 0 3 1/2 * ?", "On every 2nd day from the 1st on of the month at 03:00", "每月自1日起每2天 03:00"),
        ("0 0 3 L * ?", "On the last day of the month at 03:00", "每月最后一天 03:00"),
        ("0 0 3 L-1 * ?", "On the day before the last of the month at 03:00", "每月最后一天之前1天 03:00"),
        (
            "0 0 3 LW * ?",
            "On the last day from Monday to Friday of the month at 03:00",
            "每月最后一个周一至周五的日子 03:00",
        ),
        (
            "0 0 3 L-3W * ?",
            "On the day from Monday to Friday nearest to the day 3 days before the last of the month at 03:00",
            "每月离最后一天之前3天最近的周一至周五的日子 03:00",
        ),
        (
            "0 0 3 15W * ?",
            "On the day from Monday to Friday nearest to the 15th of the month at 03:00",
            "每月离15日最近的周一至周五的日子 03:00",
        ),
        ("0 0 3 ? * 6L", "On the last Friday of the month at 03:00", "每月最后一个周五 03:00"),
        ("0 0 3 ? * FRI#3", "On the third Friday of the month at 03:00", "每月第3个周五 03:00"),
        (
            "0 0 3 L 1,7 ?",
            "On the last day of the month at 03:00, in January and July",
            "1月、7月最后一天 03:00",
        ),
        ("0 0 3 * 6-8 ?", "Every day at 03:00, from June to August", "6月至8月每天 03:00"),
        (
            "0 0 3 ? NOV-FEB SUN",
            "Every Sunday at 03:00, from November to February",
            "11月至2月的每周日 03:00",
        ),
        ("0 0 3 1 1 ? 2027", "On the 1st of the month at 03:00, in January, in 2027", "2027年1月1日 03:00"),
        ("0 0 3 * * ? 2027-2029", "Every day at 03:00, from 2027 to 2029", "2027年至2029年每天 03:00"),
        (
            "0 0/5 * * * ? 2030/2",
            "Every 5 minutes, in every 2nd year from 2030 on",
            "自2030年起每2年每天，每5分钟",
        ),
    ]);
}

#[test]
fn either_day_of_unix_cron_is_said() {
    let unix = Schedule::parse_unix("0 9 13 * 5", None).unwrap();
    assert_eq!(unix.sentence(Language::English), "On the 13th of the month or every Friday at 09:00");
    assert_eq!(unix.sentence(Language::Chinese), "每月13日或每周五 09:00");
    let unix = Schedule::parse_unix("0 9 */2 * 5", None).unwrap();
    assert!(unix.sentence(Language::English).starts_with("Every Friday that is on every 2nd day"));
}

/// A field of cron between two numbers.
fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let value = low..=high;
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => value.clone().prop_map(|value| value.to_string()),
        2 => (low..=high, 1..=(high - low)).prop_map(|(from, by)| format!("{from}/{by}")),
        2 => (low..=high, low..=high).prop_map(|(from, to)| format!("{from}-{to}")),
        2 => prop::collection::vec(value, 2..5).prop_map(|values| {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }),
    ]
}

fn days() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        3 => field(1, 31).prop_map(|day| (day, "?".to_owned())),
        3 => field(1, 7).prop_map(|week| ("?".to_owned(), week)),
        1 => (0..30u32).prop_map(|days| (format!("L-{days}"), "?".to_owned())),
        1 => (0..30u32).prop_map(|days| (format!("L-{days}W"), "?".to_owned())),
        1 => (1..=31u32).prop_map(|day| (format!("{day}W"), "?".to_owned())),
        1 => (1..=7u32).prop_map(|week| ("?".to_owned(), format!("{week}L"))),
        1 => (1..=7u32, 1..=5u32).prop_map(|(week, nth)| ("?".to_owned(), format!("{week}#{nth}"))),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let year = prop_oneof![
        3 => Just("*".to_owned()),
        1 => (2020..2040u32, 2020..2040u32).prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other))),
        1 => (2020..2190u32, 1..9u32).prop_map(|(from, by)| format!("{from}/{by}")),
    ];
    (field(0, 59), field(0, 59), field(0, 23), days(), field(1, 12), year).prop_map(
        |(second, minute, hour, (day, week), month, year)| {
            format!("{second} {minute} {hour} {day} {month} {week} {year}")
        },
    )
}

/// One field of an expression after another is put into the place of the same one of another, so that sentences differ in one part at most.
fn mixed(one: &str, other: &str) -> Vec<String> {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
    [[0, 0], [1, 1], [2, 2], [3, 5], [4, 4], [6, 6]]
        .into_iter()
        .map(|places| {
            let mut mixed = one.clone();
            places.iter().for_each(|place| mixed[*place] = other[*place]);
            mixed.join(" ")
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn schedules_that_say_the_same_are_the_same(one in expression(), other in expression()) {
        let first = Schedule::parse(&one, Some("UTC")).unwrap();
        for changed in mixed(&one, &other) {
            let second = Schedule::parse(&changed, Some("UTC")).unwrap();
            for language in [Language::English, Language::Chinese] {
                let (this, that) = (first.sentence(language), second.sentence(language));
                prop_assert!(this != that || calendars(&first) == calendars(&second), "`{one}` and `{changed}` both say {this}");
            }
        }
    }
}

/// The fields of a schedule as they are said; all years that there are and no year are the same.
fn calendars(schedule: &Schedule) -> (Time, Day, Shape, Shape) {
    let Kind::Cron(zoned) = &schedule.0 else { panic!("it is cron") };
    let Calendar { time, day, months, years } = Calendar::of(zoned.cron());
    (time, day, months, years)
}
