//! What of a job needs somebody: kinds of trouble, worst first, each as a sentence. What explains itself is no trouble: a job that is offline, or
//! that somebody stopped, is not told to have no instances.

use super::query::FAILING;
use clockwright_api::At;
use clockwright_api::find::Attention;
use clockwright_api::jobs::Sentence;
use clockwright_fleet::view::JobStatus;
use clockwright_model::Millis;

/// What is known of a job.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the registry says of it.
    pub status: Option<JobStatus>,
    /// Why, where that is not plain.
    pub why: Option<String>,
    /// It may run, and nobody stopped it.
    pub is_meant_to_run: bool,
    /// It differs from the files that define it.
    pub is_diverged: bool,
    /// How often it failed in a row.
    pub streak: u32,
    /// Since when it did not succeed.
    pub good: Option<Millis>,
    /// Its newest fire was missed: when that was due.
    pub missed: Option<Millis>,
    /// How many due instants of its items nothing accounts for.
    pub unaccounted: u64,
    /// When it fires next.
    pub next: Option<Millis>,
}

const HOUR: Millis = 3_600_000;

/// The kinds of trouble that a job has, each with its rank: the least one is worst.
#[must_use]
pub fn attention(project: &str, job: &str, facts: &Facts, now: Millis) -> Vec<(u8, Attention)> {
    let mut found = Vec::new();
    let mut add = |rank: u8, kind: &str, count: u64, since: Option<Millis>, en: String, zh: String| {
        found.push((
            rank,
            Attention {
                kind: kind.to_owned(),
                project: project.to_owned(),
                job: job.to_owned(),
                count,
                since: since.map(At),
                sentence: Sentence { en, zh },
            },
        ));
    };
    if facts.unaccounted > 0 {
        let count = facts.unaccounted;
        let en = format!("{count} due instants of its items have no outcome");
        add(0, "unaccounted", count, None, en, format!("{count} 个应触发的分片项时刻没有结果"));
    }
    if facts.status == Some(JobStatus::Crashed) && facts.is_meant_to_run {
        let is_soon = facts.next.is_some_and(|at| at - now <= HOUR);
        let (en, zh) = if is_soon {
            ("no instance serves it, and it fires within an hour", "没有实例，一小时内将触发")
        } else {
            ("no instance serves it", "没有实例")
        };
        add(if is_soon { 1 } else { 4 }, "noInstance", 1, None, en.to_owned(), zh.to_owned());
    }
    if facts.streak >= FAILING {
        let count = facts.streak;
        let (en, zh) = (format!("it failed {count} times in a row"), format!("连续失败 {count} 次"));
        add(2, "failing", count.into(), facts.good, en, zh);
    }
    if let Some(at) = facts.missed {
        let (en, zh) = ("nobody could run its last fire", "上次触发错过");
        add(3, "missed", 1, Some(at), en.to_owned(), zh.to_owned());
    }
    if facts.status == Some(JobStatus::Degraded) {
        let why = facts.why.as_deref().unwrap_or_default();
        let (en, zh) = (format!("its settings cannot be used: {why}"), format!("配置无法使用：{why}"));
        add(5, "degraded", 1, None, en, zh);
    }
    if facts.is_diverged {
        let (en, zh) = ("it differs from the files that define it", "与定义它的文件不一致");
        add(6, "diverged", 1, None, en.to_owned(), zh.to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(facts: &Facts) -> Vec<(u8, String)> {
        attention("p", "j", facts, 0).into_iter().map(|(rank, one)| (rank, one.kind)).collect()
    }

    #[test]
    fn trouble_is_told_worst_first_and_what_is_well_is_not() {
        assert_eq!(kinds(&Facts::default()), []);
        let all = Facts {
            status: Some(JobStatus::Crashed),
            is_meant_to_run: true,
            is_diverged: true,
            streak: 3,
            missed: Some(7),
            unaccounted: 2,
            next: Some(HOUR),
            ..Facts::default()
        };
        let told = kinds(&all);
        let names: Vec<&str> = told.iter().map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(names, ["unaccounted", "noInstance", "failing", "missed", "diverged"]);
        assert!(told.is_sorted(), "{told:?}");
        let later = Facts { next: Some(HOUR + 1), ..all.clone() };
        assert!(kinds(&later).contains(&(4, "noInstance".to_owned())), "it can wait");
        let stopped = Facts { is_meant_to_run: false, streak: 2, ..all };
        assert!(!kinds(&stopped).iter().any(|(_, kind)| kind == "noInstance" || kind == "failing"));
    }

    #[test]
    fn each_kind_is_a_sentence_in_both_languages() {
        let facts =
            Facts { status: Some(JobStatus::Degraded), why: Some("cron: x".into()), ..Facts::default() };
        let told = attention("p", "j", &facts, 0).remove(0).1;
        assert_eq!(told.sentence.en, "its settings cannot be used: cron: x");
        assert_eq!(told.sentence.zh, "配置无法使用：cron: x");
    }
}
