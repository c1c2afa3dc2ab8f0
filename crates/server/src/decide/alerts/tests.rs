#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use serde_json::json;

const WAIT: Millis = 60_000;

fn finding(condition: Condition, job: i64, mark: &str) -> Finding {
    let subject =
        Subject { rule: condition.word().to_owned(), project: 1, job, item: None, thing: String::new() };
    Finding {
        subject,
        condition,
        severity: Severity::Warning,
        wait: WAIT,
        mark: mark.to_owned(),
        params: json!({}),
    }
}

fn look(findings: &[Finding]) -> Look {
    Look { findings: findings.to_vec(), ..Look::default() }
}

/// Steps, and notes what follows as the database would.
fn step(memory: &mut Memory, look: Look, now: Millis) -> Vec<&'static str> {
    let changes = memory.step(look, now);
    changes
        .into_iter()
        .map(|change| match change {
            Change::Open(finding) => {
                memory.opened(&finding.subject, "id", &finding.mark);
                "open"
            }
            Change::Again { finding, .. } => {
                memory.opened(&finding.subject, "id", &finding.mark);
                "again"
            }
            Change::Resolve(open) => {
                memory.ended(&open.subject);
                "resolve"
            }
        })
        .collect()
}

#[test]
fn it_opens_after_its_wait_counts_what_is_new_and_is_over_after_the_wait_of_the_opposite() {
    let mut memory = Memory::default();
    let there = |mark| look(&[finding(Condition::Stuck, 7, mark)]);
    assert!(step(&mut memory, there("1"), 0).is_empty());
    assert!(step(&mut memory, there("1"), WAIT - 1).is_empty());
    assert_eq!(step(&mut memory, there("1"), WAIT), ["open"]);
    assert!(step(&mut memory, there("1"), WAIT + 1).is_empty());
    assert_eq!(step(&mut memory, there("2"), WAIT + 2), ["again"]);
    assert!(step(&mut memory, look(&[]), 2 * WAIT).is_empty());
    assert!(step(&mut memory, there("2"), 2 * WAIT + 1).is_empty(), "it came back before it was over");
    assert!(step(&mut memory, look(&[]), 3 * WAIT).is_empty());
    assert!(step(&mut memory, look(&[]), 4 * WAIT - 1).is_empty());
    assert_eq!(step(&mut memory, look(&[]), 4 * WAIT), ["resolve"]);
    assert!(step(&mut memory, look(&[]), 5 * WAIT).is_empty());
}

#[test]
fn what_goes_before_its_wait_is_over_never_opens() {
    let mut memory = Memory::default();
    let there = || look(&[finding(Condition::Stuck, 7, "")]);
    step(&mut memory, there(), 0);
    step(&mut memory, look(&[]), WAIT / 2);
    assert!(step(&mut memory, there(), WAIT).is_empty());
    assert_eq!(step(&mut memory, there(), 2 * WAIT), ["open"]);
}

#[test]
fn a_source_that_is_away_freezes_its_alerts_and_no_others() {
    let mut memory = Memory::default();
    let both = [finding(Condition::Stuck, 7, ""), finding(Condition::Diverged, 8, "")];
    step(&mut memory, look(&both), 0);
    assert_eq!(step(&mut memory, look(&both), WAIT), ["open", "open"]);
    let away = || Look { away: [(1, Source::Mirror)].into(), ..Look::default() };
    assert!(step(&mut memory, away(), 2 * WAIT).is_empty());
    assert_eq!(step(&mut memory, away(), 9 * WAIT), ["resolve"], "the database said that it is over");
    let has =
        |condition| memory.watches.values().any(|watch| watch.condition == condition && watch.open.is_some());
    assert!(has(Condition::Stuck) && !has(Condition::Diverged));
    // The opposite has to last from when it can be seen again.
    assert!(step(&mut memory, look(&[]), 10 * WAIT).is_empty());
    assert_eq!(step(&mut memory, look(&[]), 11 * WAIT), ["resolve"]);
}

#[test]
fn nothing_opens_by_a_source_that_is_away_and_the_wait_begins_anew() {
    let mut memory = Memory::default();
    let there = || vec![finding(Condition::NoInstance, 7, "")];
    step(&mut memory, look(&there()), 0);
    let away = Look { findings: there(), away: [(1, Source::Mirror)].into(), ..Look::default() };
    assert!(step(&mut memory, away, 5 * WAIT).is_empty());
    assert!(step(&mut memory, look(&there()), 6 * WAIT).is_empty());
    assert_eq!(step(&mut memory, look(&there()), 7 * WAIT), ["open"]);
}

#[test]
fn a_job_without_an_instance_is_not_told_to_be_overdue_as_well() {
    let mut memory = Memory::default();
    let overdue = Finding { wait: 0, ..finding(Condition::Overdue, 7, "1") };
    let other = Finding { wait: 0, ..finding(Condition::Overdue, 8, "1") };
    let both = [overdue.clone(), other, finding(Condition::NoInstance, 7, "")];
    let changes = memory.step(look(&both), 0);
    assert_eq!(changes.len(), 1);
    assert!(matches!(&changes[0], Change::Open(finding) if finding.subject.job == 8));
    assert_eq!(step(&mut memory, look(&[overdue]), 1), ["open", "resolve"][..1]);
}

#[test]
fn another_leader_goes_on_with_what_is_open_and_opens_it_no_second_time() {
    let there = finding(Condition::Stuck, 7, "1");
    let open = Open {
        id: "id".into(),
        subject: there.subject.clone(),
        condition: there.condition,
        mark: "1".into(),
    };
    let mut memory = Memory::of(vec![open], |_| WAIT, 0);
    assert!(step(&mut memory, look(&[there]), WAIT).is_empty());
    step(&mut memory, look(&[]), 2 * WAIT);
    assert_eq!(step(&mut memory, look(&[]), 3 * WAIT), ["resolve"]);
}

#[test]
fn what_is_open_and_of_which_nothing_is_known_stays_open() {
    let there = finding(Condition::Failing, 7, "1");
    let subject = there.subject.clone();
    let open =
        Open { id: "id".into(), subject: subject.clone(), condition: there.condition, mark: "1".into() };
    let mut memory = Memory::of(vec![open], |_| WAIT, 0);
    assert!(memory.open().eq([(&subject, Condition::Failing)]));
    let unknown = || Look { unknown: [subject.clone()].into(), ..Look::default() };
    assert!(step(&mut memory, unknown(), 5 * WAIT).is_empty());
    assert!(step(&mut memory, unknown(), 9 * WAIT).is_empty());
    // The opposite has to last from when it is known.
    assert!(step(&mut memory, look(&[]), 10 * WAIT).is_empty());
    assert_eq!(step(&mut memory, look(&[]), 11 * WAIT), ["resolve"]);
}

#[test]
fn what_the_database_did_not_take_follows_again() {
    let mut memory = Memory::default();
    let there = Finding { wait: 0, ..finding(Condition::Stuck, 7, "") };
    assert_eq!(memory.step(look(std::slice::from_ref(&there)), 0).len(), 1);
    assert_eq!(memory.step(look(&[there]), 1).len(), 1);
}

#[test]
fn a_print_tells_every_two_subjects_apart() {
    let base = finding(Condition::Stuck, 7, "").subject;
    let prints: BTreeSet<String> = [
        base.clone(),
        Subject { rule: "other".into(), ..base.clone() },
        Subject { project: 2, ..base.clone() },
        Subject { job: 8, ..base.clone() },
        Subject { item: Some(0), ..base.clone() },
        Subject { thing: "home".into(), ..base.clone() },
    ]
    .iter()
    .map(Subject::print)
    .collect();
    assert_eq!(prints.len(), 6);
    assert_eq!(base.print(), base.clone().print());
}

#[test]
fn a_project_with_a_rule_of_its_own_is_not_judged_by_that_of_all() {
    let rule = |id: &str, project, condition, enabled| Rule {
        id: id.into(),
        project,
        condition,
        jobs: String::new(),
        threshold: 1,
        wait: 0,
        severity: Severity::Info,
        enabled,
    };
    let rules = [
        rule("all-failing", 0, Condition::Failing, true),
        rule("all-missed", 0, Condition::Missed, true),
        rule("all-off", 0, Condition::Stuck, false),
        rule("own-failing", 1, Condition::Failing, false),
        rule("own-second", 1, Condition::Failing, true),
    ];
    let ids = |project| rules_of(&rules, project).iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids(1), ["all-missed", "own-second"]);
    assert_eq!(ids(2), ["all-failing", "all-missed"]);
}

#[test]
fn a_pattern_fits_by_its_stars() {
    for (pattern, name, fit) in [
        ("", "report", true),
        ("report", "report", true),
        ("report", "report2", false),
        ("re*", "report", true),
        ("*ort", "report", true),
        ("*po*", "report", true),
        ("r*o*t", "report", true),
        ("r*x*t", "report", false),
        ("*rt*rt", "report", false),
        ("日*", "日报", true),
        ("*", "", true),
    ] {
        assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
    }
}
