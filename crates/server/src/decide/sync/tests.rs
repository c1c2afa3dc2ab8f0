#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use clockwright_model::{JobKind, JobName, Retry};

fn settings(cron: &str) -> JobSettings {
    let mut settings = JobSettings::new(JobName::new("report").unwrap(), JobKind::Simple, cron, 2);
    settings.class = "com.example.Report".into();
    settings
}

const A: &str = "0 0 1 * * ?";
const B: &str = "0 0 2 * * ?";
const C: &str = "0 0 3 * * ?";
const D: &str = "0 0 4 * * ?";

fn wish(cron: &str) -> Wish {
    Wish { settings: settings(cron), removed: false, by_files: false }
}

fn copy_of(layout: Layout, settings: &JobSettings) -> Copy {
    there(layout.write(settings).into_bytes(), layout.root(settings).as_bytes().to_vec())
}

fn there(config: Vec<u8>, root: Vec<u8>) -> Copy {
    Copy::There { digest: digest(&config, &root), config, root, access: Access::Ours }
}

fn base_of(layout: Layout, settings: &JobSettings) -> Base {
    let wire_digest = digest(layout.write(settings).as_bytes(), layout.root(settings).as_bytes());
    Base { settings: settings.clone(), wire_digest, layout }
}

const POLICIES: [Outside; 3] = [Outside::Repair, Outside::Report, Outside::Adopt];
const LAYOUTS: [Layout; 2] = [Layout::V2, Layout::V3];

/// All 4³ states of base, wish and copy, in both layouts and by each policy: what always holds, and the row of the table.
#[test]
fn every_state_has_the_verdict_of_its_row() {
    let crons = [None, Some(A), Some(B), Some(C)];
    for layout in LAYOUTS {
        for policy in POLICIES {
            for base in crons {
                for desired in [A, B, C, D] {
                    for found in crons {
                        let (b, r) = (base.map(|cron| base_of(layout, &settings(cron))), found.map(settings));
                        let copy = r.as_ref().map_or(Copy::None, |settings| copy_of(layout, settings));
                        let verdict = decide(policy, b.as_ref(), &wish(desired), &copy);
                        let told =
                            format!("{layout} {policy:?} B {base:?} D {desired} R {found:?}: {verdict:?}");
                        if found == Some(desired) {
                            assert!(!verdict.writes(), "I2: {told}");
                        }
                        if verdict.writes() && found.is_some() && found != base && found != Some(desired) {
                            assert!(verdict.overwrites(), "I3: {told}");
                        }
                        if matches!(verdict, Verdict::Adopt { .. }) {
                            assert_eq!(policy, Outside::Adopt, "I4: {told}");
                        }
                        let right = match (base, found) {
                            (None, None) => matches!(verdict, Verdict::Create),
                            (Some(_), None) if policy == Outside::Report => {
                                matches!(verdict, Verdict::Missing)
                            }
                            (Some(_), None) => matches!(verdict, Verdict::Recreate),
                            (Some(b), Some(r)) if b == desired && r == b => {
                                matches!(verdict, Verdict::Nothing)
                            }
                            (_, Some(r)) if r == desired => matches!(verdict, Verdict::Record),
                            (None, Some(_)) => {
                                matches!(verdict, Verdict::Conflict(Conflict::FirstContact(_)))
                            }
                            (Some(b), Some(r)) if r == b => matches!(verdict, Verdict::Write),
                            (Some(b), Some(_)) => match (policy, b == desired) {
                                (Outside::Repair, _) => matches!(verdict, Verdict::Overwrite(_)),
                                (_, false) => matches!(verdict, Verdict::Conflict(Conflict::Both(_))),
                                (Outside::Report, true) => matches!(verdict, Verdict::Report(_)),
                                (Outside::Adopt, true) => matches!(verdict, Verdict::Adopt { .. }),
                            },
                        };
                        assert!(right, "{told}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_java_writes_differently_without_changing_anything_is_no_difference() {
    let wish = wish(A);
    let text = Layout::V2.write(&wish.settings);
    let mut json: Value = serde_json::from_str(&text).unwrap();
    // Java's console writes its own order and `streamingProcess` on every job.
    json.as_object_mut().unwrap().insert("streamingProcess".into(), false.into());
    let mut keys: Vec<_> =
        json.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    keys.reverse();
    let turned: Map<String, Value> = keys.into_iter().collect();
    let copy = there(serde_json::to_vec_pretty(&turned).unwrap(), Vec::new());
    let base = base_of(Layout::V2, &wish.settings);
    assert_eq!(decide(Outside::Repair, Some(&base), &wish, &copy), Verdict::Record);
}

#[test]
fn overwrite_is_an_instances_own_word_and_no_difference() {
    let wish = wish(A);
    let copy = copy_of(Layout::V2, &JobSettings { overwrite: true, ..settings(A) });
    let base = base_of(Layout::V2, &wish.settings);
    assert_eq!(decide(Outside::Repair, Some(&base), &wish, &copy), Verdict::Record);
}

#[test]
fn what_only_we_know_is_restored_when_java_dropped_it_and_is_no_drift() {
    let mut wish = wish(A);
    wish.settings.retry = Retry { max_attempts: 3, ..wish.settings.retry };
    let base = base_of(Layout::V2, &wish.settings);
    let copy = copy_of(Layout::V2, &settings(A));
    let verdict = decide(Outside::Report, Some(&base), &wish, &copy);
    assert_eq!(verdict, Verdict::Restore { lost: vec!["retryMaxAttempts"] });
    // 3.x has no place for it: it is nobody's loss.
    let base = base_of(Layout::V3, &wish.settings);
    let verdict = decide(Outside::Report, Some(&base), &wish, &copy_of(Layout::V3, &settings(A)));
    assert!(!verdict.writes(), "{verdict:?}");
}

#[test]
fn the_copy_of_a_script_of_javas_that_was_adopted_has_lost_nothing() {
    let kind = JobKind::Script { command_line: "echo a".into() };
    let script = JobSettings::new(JobName::new("report").unwrap(), kind, A, 2);
    for layout in LAYOUTS {
        let copy = copy_of(layout, &script);
        let adopted = canonical::from_json(script.name.clone(), &canonical::to_json(&script)).unwrap();
        let wish = Wish { settings: adopted, removed: false, by_files: false };
        assert_eq!(decide(Outside::Repair, None, &wish, &copy), Verdict::Record, "{layout}");
    }
}

#[test]
fn text_that_is_no_config_and_other_jobs_configs_are_kept_and_overwritten() {
    let wish = wish(A);
    let other = JobSettings { name: JobName::new("other").unwrap(), ..settings(A) };
    for layout in LAYOUTS {
        let base = base_of(layout, &wish.settings);
        let whole = layout.write(&wish.settings);
        let cut = &whole[..whole.len() / 2];
        let broken: &[&[u8]] = &[b"\x00\xff\x00", cut.as_bytes(), b"[]"];
        let broken: &[&[u8]] = if layout == Layout::V2 { broken } else { &broken[..1] };
        for text in broken {
            let copy = there(text.to_vec(), layout.root(&wish.settings).as_bytes().to_vec());
            match decide(Outside::Repair, Some(&base), &wish, &copy) {
                Verdict::Overwrite(drift) => assert_eq!(drift.kind, DriftKind::Broken, "{layout} {text:?}"),
                other => panic!("{layout} {text:?}: {other:?}"),
            }
            assert!(matches!(decide(Outside::Report, Some(&base), &wish, &copy), Verdict::Report(_)));
        }
        match decide(Outside::Repair, Some(&base), &wish, &copy_of(layout, &other)) {
            Verdict::Overwrite(drift) => assert_eq!(drift.kind, DriftKind::Foreign),
            other => panic!("{layout}: {other:?}"),
        }
    }
}

#[test]
fn a_config_of_the_other_layout_is_never_converted() {
    let wish = wish(A);
    for (ours, theirs) in [(Layout::V2, Layout::V3), (Layout::V3, Layout::V2)] {
        let verdict = decide(
            Outside::Repair,
            Some(&base_of(ours, &wish.settings)),
            &wish,
            &copy_of(theirs, &settings(B)),
        );
        assert_eq!(verdict, Verdict::Conflict(Conflict::LayoutChanged(theirs)));
    }
}

#[test]
fn a_removed_job_is_forgotten_or_has_come_back() {
    let removed = Wish { removed: true, ..wish(A) };
    assert_eq!(decide(Outside::Repair, None, &removed, &Copy::None), Verdict::Forget);
    assert_eq!(
        decide(Outside::Repair, None, &removed, &copy_of(Layout::V2, &settings(A))),
        Verdict::CameBack
    );
}

#[test]
fn a_node_that_the_world_may_write_is_protected_whatever_it_says() {
    let wish = wish(A);
    for access in [Access::Open, Access::Denied] {
        let Copy::There { config, digest, root, .. } = copy_of(Layout::V2, &settings(B)) else {
            unreachable!()
        };
        let copy = Copy::There { config, digest, root, access };
        let verdict = decide(Outside::Repair, Some(&base_of(Layout::V2, &settings(A))), &wish, &copy);
        assert_eq!(verdict, Verdict::Protect(access));
    }
}

#[test]
fn what_files_define_is_never_adopted() {
    let wish = Wish { by_files: true, ..wish(A) };
    let verdict = decide(
        Outside::Adopt,
        Some(&base_of(Layout::V2, &settings(A))),
        &wish,
        &copy_of(Layout::V2, &settings(B)),
    );
    assert!(matches!(verdict, Verdict::Report(_)), "{verdict:?}");
}

#[test]
fn a_version_that_was_written_and_not_noted_is_what_was_last_written() {
    for layout in LAYOUTS {
        let (versions, copy) = ([settings(A), settings(B)], copy_of(layout, &settings(B)));
        let base = unnoted(&versions, &copy).unwrap();
        assert_eq!(base, base_of(layout, &settings(B)));
        for policy in POLICIES {
            assert_eq!(decide(policy, Some(&base), &wish(C), &copy), Verdict::Write);
        }
        // What somebody else wrote is none of the job's versions.
        assert_eq!(unnoted(&versions, &copy_of(layout, &settings(D))), None);
    }
    assert_eq!(unnoted(&[settings(A)], &Copy::None), None);
}
