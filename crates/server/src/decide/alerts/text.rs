//! What a message says, in English or Chinese.

use super::notify::Kind;
use clockwright_api::At;
use clockwright_api::alerts::{Condition, Severity, Tongue};
use clockwright_model::Language;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write;

/// How many alerts a message names; of further ones it says how many.
const NAMED: usize = 20;

/// What is told of one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// `opened`, `again` or `ended`.
    pub event: String,
    /// The alert's id.
    pub alert: String,
    /// What is the matter.
    pub condition: Condition,
    /// How bad it is.
    pub severity: Severity,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// When it opened.
    pub at: At,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<At>,
    /// How often it happened.
    pub count: i64,
    /// What the sentence is made of.
    pub params: Value,
}

/// A message as text: its line, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it is about, in one line.
    pub title: String,
    /// A line for each alert, and where to look.
    pub body: String,
}

impl Text {
    /// Both, one after the other.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}\n{}", self.title, self.body)
    }
}

/// Which language that is.
#[must_use]
pub fn language(tongue: Tongue) -> Language {
    match tongue {
        Tongue::En => Language::English,
        Tongue::Zh => Language::Chinese,
    }
}

/// The text of a message. `place` is where the server is found.
#[must_use]
pub fn write(notices: &[Notice], tongue: Tongue, place: &str) -> Text {
    let is_chinese = tongue == Tongue::Zh;
    let open = notices.iter().filter(|notice| notice.event != Kind::Ended.word());
    let worst = open.clone().map(|notice| notice.severity).max();
    let (open, over) =
        (open.count(), notices.iter().filter(|notice| notice.event == Kind::Ended.word()).count());
    let about = notices.first().and_then(|notice| notice.project.as_deref()).unwrap_or("clockwright");
    let worst = worst.map(|severity| word(severity, is_chinese)).unwrap_or_default();
    let title = match (is_chinese, open, over) {
        (false, 0, over) => format!("[resolved] {about}: {over} over"),
        (false, open, 0) => format!("[{worst}] {about}: {open} open"),
        (false, open, over) => format!("[{worst}] {about}: {open} open, {over} over"),
        (true, 0, over) => format!("[已恢复] {about}：{over} 条告警已恢复"),
        (true, open, 0) => format!("[{worst}] {about}：{open} 条告警"),
        (true, open, over) => format!("[{worst}] {about}：{open} 条告警，{over} 条已恢复"),
    };
    let mut body = String::new();
    for notice in notices.iter().take(NAMED) {
        // Writing into a text cannot fail.
        let _ = writeln!(body, "{}", line(notice, tongue));
    }
    if notices.len() > NAMED {
        let more = notices.len() - NAMED;
        let _ =
            if is_chinese { writeln!(body, "另有 {more} 条") } else { writeln!(body, "and {more} more") };
    }
    body.push_str(place);
    Text { title, body }
}

/// The text of a message that only tries a channel.
#[must_use]
pub fn trial(tongue: Tongue, place: &str) -> Text {
    let (title, body) = match tongue {
        Tongue::En => ("[test] clockwright", "This message only tries the channel: nothing is the matter."),
        Tongue::Zh => ("[测试] clockwright", "这条消息仅用于测试渠道，一切正常。"),
    };
    Text { title: title.to_owned(), body: format!("{body}\n{place}") }
}

fn line(notice: &Notice, tongue: Tongue) -> String {
    let is_chinese = tongue == Tongue::Zh;
    let said = notice.condition.say(&notice.params, language(tongue));
    let what = match (Kind::of(&notice.event), is_chinese) {
        (Some(Kind::Ended), false) => "resolved".to_owned(),
        (Some(Kind::Ended), true) => "已恢复".to_owned(),
        (Some(Kind::Again), false) => format!("{}, still open", word(notice.severity, false)),
        (Some(Kind::Again), true) => format!("{}，仍未恢复", word(notice.severity, true)),
        _ => word(notice.severity, is_chinese).to_owned(),
    };
    let at = String::from(notice.ended_at.unwrap_or(notice.at));
    if is_chinese { format!("{what}：{said}（{at}）") } else { format!("{what}: {said} ({at})") }
}

fn word(severity: Severity, is_chinese: bool) -> &'static str {
    match severity {
        _ if !is_chinese => severity.word(),
        Severity::Info => "提示",
        Severity::Warning => "警告",
        Severity::Critical => "严重",
    }
}

/// The first so many bytes of a text, whole letters, with dots where something was cut off.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(3)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notice(event: &str, severity: Severity) -> Notice {
        Notice {
            event: event.into(),
            alert: "a".into(),
            condition: Condition::Failing,
            severity,
            project: Some("billing".into()),
            job: Some("report".into()),
            item: Some(2),
            at: At(1_769_846_400_000),
            ended_at: (event == "ended").then_some(At(1_769_846_460_000)),
            count: 1,
            params: json!({ "job": "report", "item": 2, "streak": 3 }),
        }
    }

    #[test]
    fn a_message_says_how_bad_it_is_what_is_the_matter_and_where_to_look() {
        let notices = [notice("opened", Severity::Critical), notice("ended", Severity::Warning)];
        let text = write(&notices, Tongue::En, "https://jobs.example.com");
        assert_eq!(text.title, "[critical] billing: 1 open, 1 over");
        assert_eq!(
            text.body,
            "critical: item 2 of report failed 3 times in a row (2026-01-31T08:00:00.000Z)\n\
             resolved: item 2 of report failed 3 times in a row (2026-01-31T08:01:00.000Z)\n\
             https://jobs.example.com"
        );
        let text = write(&notices, Tongue::Zh, "https://jobs.example.com");
        assert_eq!(text.title, "[严重] billing：1 条告警，1 条已恢复");
        assert!(text.body.starts_with("严重：report 的分片 2 连续失败 3 次（"), "{}", text.body);
    }

    #[test]
    fn a_storm_is_counted_and_not_listed() {
        let notices = vec![notice("opened", Severity::Info); 25];
        let text = write(&notices, Tongue::En, "x");
        assert_eq!(text.body.lines().count(), NAMED + 2);
        assert!(text.body.contains("and 5 more"));
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!(cut("日报日报", 9), "日报…");
        assert_eq!(cut("日报", 6), "日报");
        assert!(cut(&"日".repeat(100), 50).len() <= 50);
    }
}
