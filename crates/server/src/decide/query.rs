//! Words of a search: bare ones are contained somewhere in what people call a job, qualifiers narrow.
//!
//! `nightly state:offline tag:"month end" -kind:script`: each word must hold; one with `-` before it must not. A word with spaces stands in
//! quotes. Letters are compared without their case. `next:<1h` is due within an hour, `next:>1h` is not.

use crate::store::JobRow;
use clockwright_model::Millis;

/// A search, understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    not: bool,
    what: What,
    text: String,
    /// Of a word about a time.
    within: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Anything,
    State,
    Kind,
    Tag,
    Owner,
    Managed,
    Cron,
    Zone,
    Project,
    Status,
    Host,
    Outcome,
    Sync,
    Next,
}

const QUALIFIERS: [(&str, What); 14] = [
    ("state", What::State),
    ("kind", What::Kind),
    ("tag", What::Tag),
    ("owner", What::Owner),
    ("managed", What::Managed),
    ("cron", What::Cron),
    ("zone", What::Zone),
    ("project", What::Project),
    ("status", What::Status),
    ("host", What::Host),
    // Elastic-Job's word for the same.
    ("server", What::Host),
    ("outcome", What::Outcome),
    ("sync", What::Sync),
    ("next", What::Next),
];

/// What stands between the texts of a job that are searched together. No word has it.
const BETWEEN: char = '\u{1}';

/// A job that may be looked for.
pub struct Subject<'a> {
    /// The job, as the database has it.
    pub job: &'a JobRow,
    /// Its project's name.
    pub project: &'a str,
    /// Its [text](text_of).
    pub text: &'a str,
    /// What the time is.
    pub now: Millis,
    /// What else may be asked of it.
    pub live: &'a dyn Live,
}

/// What a search may ask of a job that the database does not have.
pub trait Live {
    /// What the registry says of it.
    fn status(&self) -> Option<&'static str>;
    /// Does it know this host?
    fn is_on(&self, host: &str) -> bool;
    /// How it last ended.
    fn outcome(&self) -> Option<&'static str>;
    /// How far the registry has followed.
    fn sync(&self) -> &'static str;
    /// When it fires next.
    fn fires_next(&self) -> Option<Millis>;
}

/// The texts of a job that bare words are looked for in, in small letters.
#[must_use]
pub fn text_of(job: &JobRow) -> String {
    let between = BETWEEN.to_string();
    [&job.name, &job.title, &job.owner, &job.tags].map(|text| text.to_lowercase()).join(&between)
}

/// A word that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}`: {why}")]
pub struct BadWord {
    /// The word at fault.
    pub word: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl Query {
    /// Understands a search.
    ///
    /// # Errors
    /// The first word at fault.
    pub fn parse(text: &str) -> Result<Self, BadWord> {
        let mut words = Vec::new();
        for raw in split(text)? {
            let (not, rest) = match raw.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => (true, rest),
                _ => (false, raw.as_str()),
            };
            let (what, value) = match rest.split_once(':') {
                // A cron, a time or an address has colons too: only a word that could be a qualifier is taken for one.
                Some((name, value))
                    if !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase()) =>
                {
                    (qualifier(&raw, name)?, value)
                }
                _ => (What::Anything, rest),
            };
            if value.is_empty() {
                return Err(BadWord { word: raw, why: "nothing stands behind the colon".to_owned() });
            }
            let text = value.to_lowercase();
            let within = if what == What::Next { within(&raw, &text)? } else { 0 };
            words.push(Word { not, what, text, within });
        }
        Ok(Self { words })
    }

    /// True when nothing is said: all are looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// True when only the database can change what is found, and neither the registry, nor the event store, nor the time.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.words.iter().all(|word| !word.is_about_now())
    }

    /// Is it one of those that are looked for?
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        self.words.iter().all(|word| word.holds(subject) != word.not)
    }

    /// What each of those that are looked for contains in its [text](text_of).
    pub fn contained(&self) -> impl Iterator<Item = &str> {
        self.words
            .iter()
            .filter(|word| word.what == What::Anything && !word.not)
            .map(|word| word.text.as_str())
    }
}

/// `<90m` and the like, milliseconds.
fn within(word: &str, text: &str) -> Result<Millis, BadWord> {
    let read = || {
        let rest = text.strip_prefix(['<', '>'])?;
        let unit = match rest.chars().last()? {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        rest.get(..rest.len() - 1)?.parse::<u32>().ok().map(|count| Millis::from(count) * unit)
    };
    read().ok_or_else(|| BadWord {
        word: word.to_owned(),
        why: "is to be `next:<1h` or `next:>1h`, with s, m, h or d".to_owned(),
    })
}

fn qualifier(word: &str, name: &str) -> Result<What, BadWord> {
    if let Some((_, what)) = QUALIFIERS.iter().find(|(known, _)| *known == name) {
        return Ok(*what);
    }
    let known = QUALIFIERS.map(|(known, _)| known);
    let why = match clockwright_model::nearest(name, known) {
        Some(near) => format!("`{name}:` is none of the qualifiers; did you mean `{near}:`?"),
        None => format!("`{name}:` is none of the qualifiers: {}", known.join(", ")),
    };
    Err(BadWord { word: word.to_owned(), why })
}

/// Words between spaces; what stands in quotes is one word.
fn split(text: &str) -> Result<Vec<String>, BadWord> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if quoted {
        return Err(BadWord { word, why: "the quote is not closed".to_owned() });
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

impl Word {
    fn is_about_now(&self) -> bool {
        matches!(self.what, What::Status | What::Host | What::Outcome | What::Sync | What::Next)
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        let Subject { job, project, live, .. } = subject;
        let text = self.text.as_str();
        let contains = |field: &str| field.to_lowercase().contains(text);
        // Most words are ASCII, of which no other text need be made.
        let is = |field: &str| {
            if field.is_ascii() { field.eq_ignore_ascii_case(text) } else { field.to_lowercase() == text }
        };
        match self.what {
            What::Anything => !text.contains(BETWEEN) && subject.text.contains(text),
            What::State => is(job.state.word()),
            What::Kind => is(&job.kind),
            What::Tag => job.tags.split_whitespace().any(is),
            What::Owner => contains(&job.owner),
            What::Managed => is(job.managed.word()),
            What::Cron => contains(&job.cron),
            What::Zone => contains(&job.zone),
            What::Project => is(project),
            What::Status => live.status().is_some_and(is),
            What::Host => live.is_on(text),
            What::Outcome => live.outcome().is_some_and(is),
            What::Sync => is(live.sync()),
            What::Next => {
                let soon = live.fires_next().is_some_and(|at| at - subject.now <= self.within);
                soon == text.starts_with('<')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::{JobState, Managed};

    fn job() -> JobRow {
        JobRow {
            id: 1,
            project: 1,
            mode: "elastic".into(),
            name: "billing-日报".into(),
            version: 1,
            state: JobState::Offline,
            managed: Managed::Console,
            source: String::new(),
            diverged: false,
            kind: "SCRIPT".into(),
            cron: "0 0 1 * * ?".into(),
            zone: "Asia/Shanghai".into(),
            items: 1,
            title: "The daily bill".into(),
            tags: "nightly money".into(),
            owner: "Li Na".into(),
            digest: String::new(),
            run_min: 0,
            run_max: 0,
            changed: 0,
            changed_by: String::new(),
        }
    }

    struct Crashed;

    impl Live for Crashed {
        fn status(&self) -> Option<&'static str> {
            Some("CRASHED")
        }

        fn is_on(&self, host: &str) -> bool {
            host == "10.0.0.1"
        }

        fn outcome(&self) -> Option<&'static str> {
            Some("failed")
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
            "next:<1h -next:>1h next:>30m",
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
            "state:online kind:script tag:x owner:x managed:files cron:x zone:x project:x",
        ] {
            assert!(lasts(yes), "{yes}");
        }
        for no in ["status:ok", "host:h", "-server:h", "bill outcome:failed", "sync:held", "next:<1h"] {
            assert!(!lasts(no), "{no}");
        }
    }

    #[test]
    fn searches_are_read_as_the_console_reads_them() {
        let corpus: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/corpus/searches.json")).unwrap();
        let names: Vec<&str> =
            corpus["qualifiers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names, QUALIFIERS.map(|(name, _)| name));
        for example in corpus["examples"].as_array().unwrap() {
            let text = example["text"].as_str().unwrap();
            match Query::parse(text) {
                Err(bad) => assert_eq!(Some(bad.word.as_str()), example["fault"].as_str(), "{text}"),
                Ok(query) => {
                    let read: Vec<String> = query.words.iter().map(told).collect();
                    assert_eq!(serde_json::json!(read), example["words"], "{text}");
                }
            }
        }
    }

    /// A word as the corpus has it; `server` and `host` are one.
    fn told(word: &Word) -> String {
        let of = QUALIFIERS.iter().find(|(_, what)| *what == word.what).map_or("", |(name, _)| name);
        format!("{}{of}|{}", if word.not { "-" } else { "" }, word.text)
    }

    #[test]
    fn a_word_that_cannot_be_understood_is_named_with_what_would_be_right() {
        assert_eq!(
            Query::parse("stat:x").unwrap_err().why,
            "`stat:` is none of the qualifiers; did you mean `state:`?"
        );
        assert_eq!(Query::parse("tag:").unwrap_err().word, "tag:");
        for wrong in ["next:1h", "next:<1", "next:<h", "next:<日"] {
            assert!(Query::parse(wrong).unwrap_err().why.contains("next:<1h"), "{wrong}");
        }
        assert!(Query::parse("\"a b").unwrap_err().why.contains("not closed"));
        assert_eq!(Query::parse("12:30").unwrap().words.len(), 1);
    }
}
