#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::store::{JobState, Managed, Timing};
use clockwright_events::{Durations, RunFilter, RunRow};
use clockwright_model::{OutcomeKind, Source};
use serde::{Deserialize, Serialize};
use serde_json::json;

fn job() -> JobRow {
    JobRow {
        id: 1,
        project: 1,
        mode: "elastic".into(),
        name: "billing-日报".into(),
        version: 1,
        state: JobState::Offline,
        managed: Managed::Console,
        source: "".into(),
        diverged: false,
        kind: "SCRIPT".into(),
        timing: Timing::new("0 0 1 * * ?", "Asia/Shanghai"),
        items: 1,
        title: "The daily bill".into(),
        tags: "nightly money".into(),
        owner: "Li Na".into(),
        digest: String::new(),
        run_min: 0,
        run_max: 0,
        changed: 0,
        changed_by: "li".into(),
    }
}

struct Crashed;

impl Live for Crashed {
    fn status(&self) -> Option<&'static str> {
        Some("CRASHED")
    }

    fn is_on(&self, is_meant: &dyn Fn(&str) -> bool) -> bool {
        is_meant("10.0.0.1")
    }

    fn is_served_by(&self, is_meant: &dyn Fn(&str) -> bool) -> bool {
        is_meant("10.0.0.1@-@7")
    }

    fn last(&self) -> Option<Ended> {
        Some(Ended { outcome: "failed", took: Some(90_000), streak: 4 })
    }

    fn sync(&self) -> &'static str {
        "pending"
    }

    fn fires_next(&self) -> Option<Millis> {
        Some(1_000 + 3_600_000)
    }
}

#[test]
fn words_are_contained_and_qualifiers_narrow() {
    let (job, text) = (job(), text_of(&job()));
    let subject = Subject { job: &job, project: "money", text: &text, now: 1_000, live: &Crashed };
    let holds = |text: &str| Query::parse(text).unwrap().holds(&subject);
    for yes in [
        "",
        "BILL",
        "日报",
        "na nightly",
        "state:offline kind:script",
        "tag:money",
        "-tag:x",
        "\"daily bill\"",
        "project:money",
        "tag:NIGHTLY owner:\"LI na\"",
        "cron:\"0 0 1\"",
        "status:crashed outcome:failed",
        "host:10.0.0.1 server:10.0.0.1",
        "next:<=1h -next:>1h next:>30m",
        "state:paused,offline 状态:crashed 项目:money",
        "problem:failing,diverged streak:>=3 took:1m..2m items:1",
        "tag:night* instance:10.0.0.1@-@7 executor:10.* server:10.0.*",
        "job:\"billing-日报\" type:SCRIPT by:li changed:<1m version:<2",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "weekly",
        "state:online",
        "-bill",
        "tag:mon",
        "project:x",
        "status:ok",
        "host:10.0.0.2",
        "next:<30m",
        "next:<1h",
        "tag:\"night*\"",
        "problem:crashed",
        "streak:5",
        "-state:paused,offline",
        "took:>2m",
        "日报the",
        "\"日报\u{1}the\"",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn letters_are_compared_without_their_case_also_beyond_ascii() {
    let job = JobRow { tags: "ÄMTER \u{212a}elvin".into(), ..job() };
    let text = text_of(&job);
    let subject = Subject { job: &job, project: "money", text: &text, now: 1_000, live: &Crashed };
    let holds = |text: &str| Query::parse(text).unwrap().holds(&subject);
    assert!(holds("tag:ämter") && holds("tag:Ämter") && holds("tag:kelvin") && !holds("tag:amter"));
}

#[test]
fn a_search_lasts_that_only_the_database_can_change() {
    let lasts = |text: &str| Query::parse(text).unwrap().is_lasting();
    for yes in [
        "",
        "bill -weekly",
        "state:online,offline kind:script tag:x* owner:x managed:files cron:x zone:x project:x",
        "job:x mode:x by:x items:3 version:>1",
    ] {
        assert!(lasts(yes), "{yes}");
    }
    for no in [
        "status:ok",
        "state:online,paused",
        "host:h",
        "-server:h",
        "instance:i",
        "bill outcome:failed",
        "streak:3",
        "took:<1s",
        "problem:failing",
        "sync:held",
        "next:<1h",
        "changed:<1h",
    ] {
        assert!(!lasts(no), "{no}");
    }
}

fn mistake(text: &str, of: Of) -> Mistake {
    let mut parsed = parse(text, of);
    assert_eq!(parsed.mistakes.len(), 1, "{text}: {parsed:?}");
    parsed.mistakes.remove(0)
}

#[test]
fn a_mistake_is_named_where_it_stands_with_what_would_be_right_and_the_rest_counts() {
    let parsed = parse("nightly stat:x 日报 tag: next:1h", Of::Jobs);
    let places: Vec<_> =
        parsed.mistakes.iter().map(|mistake| (mistake.at.clone(), mistake.text.as_str())).collect();
    assert_eq!(places, [(8..12, "stat"), (18..22, "tag:"), (28..30, "1h")]);
    assert_eq!(parsed.mistakes[0].why, "`stat:` is none of the qualifiers; did you mean `state:`?");
    assert_eq!(parsed.terms.len(), 2, "what is right counts");
    for wrong in ["next:1h", "next:<1", "next:<h", "next:<日", "next:\"<1h\"", "next:<1h,x", "next:2h..1h"] {
        assert!(mistake(wrong, Of::Jobs).why.contains("<1h"), "{wrong}");
    }
    assert!(mistake("\"a b", Of::Jobs).why.contains("not closed"));
    assert!(mistake("state:pausd", Of::Jobs).why.contains("did you mean `paused`?"));
    assert!(mistake("item:3", Of::Jobs).why.contains("narrows runs"));
    assert!(mistake("next:<1h", Of::Runs).why.contains("narrows jobs"));
    assert!(mistake("tag:a,,b", Of::Jobs).why.contains("comma"));
    let whole = Query::parse("stat:x tag:").unwrap_err().to_string();
    assert!(whole.contains("`stat`: ") && whole.contains("; `tag:`: "), "{whole}");
    assert_eq!(Query::parse("12:30").unwrap().terms.len(), 1);
}

/// A search of the corpus, with what is read from it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Case {
    of: String,
    q: String,
    read: serde_json::Value,
}

/// A qualifier, for readers that are not written in Rust.
fn told_of(row: &Qualifier) -> serde_json::Value {
    let takes = match row.takes {
        Takes::Letters => json!("letters"),
        Takes::Name => json!("name"),
        Takes::Word(words) => json!(words),
        Takes::Number => json!("number"),
        Takes::Time => json!("time"),
        Takes::Usual => json!("usual"),
    };
    let of: Vec<&str> = row.of.iter().map(|of| if *of == Of::Jobs { "jobs" } else { "runs" }).collect();
    let what = QUALIFIERS.iter().find(|first| first.what == row.what).unwrap().name;
    json!({ "name": row.name, "also": row.also, "what": what, "takes": takes, "of": of })
}

#[test]
fn every_search_of_the_corpus_is_read_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/decide/query/corpus.json");
    let told = std::fs::read_to_string(path).unwrap();
    let corpus: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut cases: Vec<Case> = serde_json::from_value(corpus["searches"].clone()).unwrap();
    for case in &mut cases {
        let of = if case.of == "jobs" { Of::Jobs } else { Of::Runs };
        case.read = serde_json::to_value(parse(&case.q, of)).unwrap();
    }
    let qualifiers: Vec<String> = QUALIFIERS.iter().map(|row| told_of(row).to_string()).collect();
    let searches: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    let (qualifiers, searches) = (qualifiers.join(",\n"), searches.join(",\n"));
    let read = format!("{{\"qualifiers\":[\n{qualifiers}\n],\n\"searches\":[\n{searches}\n]}}\n");
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        std::fs::write(path, &read).unwrap();
    }
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or_default().to_owned();
    for at in 0..told.lines().count().max(read.lines().count()) {
        assert_eq!(
            line(&told, at),
            line(&read, at),
            "run this test with WRITE_REFERENCE=1, and look at what changes"
        );
    }
}

#[test]
fn no_search_whatever_is_in_it_does_more_than_be_read() {
    let pieces =
        ["a", ":", "\"", "-", ",", "<", ">=", "..", "*", " ", "next", "时区", "1h", "p95", "\u{1}", "😀"];
    let mut seed = 7_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..seed % 9 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(seed >> 33) as usize % pieces.len()];
        }
        seed = seed.wrapping_add(1);
        for of in [Of::Jobs, Of::Runs] {
            let parsed = parse(&text, of);
            let length = text.chars().count();
            let places =
                parsed.terms.iter().map(|term| &term.at).chain(parsed.mistakes.iter().map(|one| &one.at));
            for at in places {
                assert!(at.start < at.end && at.end <= length, "`{text}`: {parsed:?}");
            }
        }
    }
}

fn row() -> RunRow {
    RunRow {
        key: "k".into(),
        namespace: "n".into(),
        job: "report".into(),
        item: 7,
        fire: "1000000".into(),
        fire_time: 1_000_000,
        range_from: None,
        range_count: 1,
        outcome: OutcomeKind::Failed,
        failure_kind: Some("owner_lost".into()),
        reason: "No space left".into(),
        reason_code: None,
        reason_params: None,
        coalesced_into: None,
        attempt: 2,
        run_id: None,
        token: 1,
        source: "failover".into(),
        instance: "10.0.0.1@-@7".into(),
        claimed: None,
        start: Some(1_005_000),
        decided: 1_065_000,
        log: None,
    }
}

#[test]
fn outcomes_are_found_by_what_became_of_them() {
    let (row, job) = (row(), job());
    let text = text_of(&job);
    let usual = Some(Durations { count: 9, p50: 30_000, p95: 61_000, p99: 0 });
    let holds = |text_of_query: &str| {
        let subject =
            RunSubject { row: &row, project: "money", job: Some(&job), text: &text, usual, now: 4_600_000 };
        RunQuery::parse(text_of_query).unwrap().holds(&subject)
    };
    for yes in [
        "",
        "no space",
        "repo -rapport",
        "结果:missed,failed 失败类型:owner_lost",
        "item:7 shard:5..9 attempt:>1",
        "late:>=5s took:>p50 -took:>p95 due:<=1h",
        "instance:10.0.0.1@-@7 server:10.* source:failover,retry",
        "project:money job:rep* tag:nightly owner:li type:script",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in ["item:6", "took:>p95", "outcome:missed", "late:<5s", "no -no", "job:rep"] {
        assert!(!holds(no), "{no}");
    }
    let query = RunQuery::parse("outcome:failed,missed source:retry item:7 -kind:job took:>p95").unwrap();
    let (plain, usual) = query.parts();
    assert_eq!((plain.terms.len(), usual.terms.len()), (4, 1));
    let mut filter = RunFilter::default();
    query.narrow(&mut filter);
    assert_eq!(filter.outcomes, [OutcomeKind::Failed, OutcomeKind::Missed]);
    assert_eq!((filter.source, filter.item), (Some(Source::Retry), Some(7)));
    // What must not hold, or is one of several, leaves rows that are looked for.
    let mut filter = RunFilter::default();
    RunQuery::parse("-outcome:failed source:retry,misfire item:>3 -kind:job").unwrap().narrow(&mut filter);
    assert!(filter.outcomes.is_empty() && filter.source.is_none() && filter.item.is_none());
}
