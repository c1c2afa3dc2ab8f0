//! Words of a search: bare ones are contained somewhere in what people call a job, qualifiers narrow.
//!
//! `nightly state:offline tag:"month end" -kind:script`: each word must hold; one with `-` before it must not. A word with spaces stands in
//! quotes. Letters are compared without their case.

use crate::store::JobRow;

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
}

const QUALIFIERS: [(&str, What); 8] = [
    ("state", What::State),
    ("kind", What::Kind),
    ("tag", What::Tag),
    ("owner", What::Owner),
    ("managed", What::Managed),
    ("cron", What::Cron),
    ("zone", What::Zone),
    ("project", What::Project),
];

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
            words.push(Word { not, what, text: value.to_lowercase() });
        }
        Ok(Self { words })
    }

    /// Is it one of those that are looked for?
    #[must_use]
    pub fn holds(&self, job: &JobRow, project: &str) -> bool {
        self.words.iter().all(|word| word.holds(job, project) != word.not)
    }
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
    fn holds(&self, job: &JobRow, project: &str) -> bool {
        let text = self.text.as_str();
        let contains = |field: &str| field.to_lowercase().contains(text);
        let is = |field: &str| field.to_lowercase() == text;
        match self.what {
            What::Anything => {
                contains(&job.name) || contains(&job.title) || contains(&job.owner) || contains(&job.tags)
            }
            What::State => is(job.state.word()),
            What::Kind => is(&job.kind),
            What::Tag => job.tags.split_whitespace().any(is),
            What::Owner => contains(&job.owner),
            What::Managed => is(job.managed.word()),
            What::Cron => contains(&job.cron),
            What::Zone => contains(&job.zone),
            What::Project => is(project),
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
        }
    }

    #[test]
    fn words_are_contained_and_qualifiers_narrow() {
        let holds = |text: &str| Query::parse(text).unwrap().holds(&job(), "money");
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
            "cron:\"0 0 1\"",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in ["weekly", "state:online", "-bill", "tag:mon", "project:x"] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn a_word_that_cannot_be_understood_is_named_with_what_would_be_right() {
        assert_eq!(
            Query::parse("stat:x").unwrap_err().why,
            "`stat:` is none of the qualifiers; did you mean `state:`?"
        );
        assert_eq!(Query::parse("tag:").unwrap_err().word, "tag:");
        assert!(Query::parse("\"a b").unwrap_err().why.contains("not closed"));
        assert_eq!(Query::parse("12:30").unwrap().words.len(), 1);
    }
}
