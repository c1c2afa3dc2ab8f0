//! The journal's chain: each record carries the hash of the one before, so that whoever changes, removes or inserts one breaks all that follow.
//!
//! **What is hashed.** `cw1`, the number, the time, then each field in the order of the columns, as its length in bytes (eight of them, big
//! end first) and its UTF-8: no two different records have the same bytes. `hash = SHA-256(prev ‖ bytes)`, both hashes in lower-case hex where
//! they are stored. The first record stands on [`NOTHING`].
//!
//! **What it shows.** A record that was changed, removed from the middle or put in. That the *end* was cut off is only seen by somebody
//! who remembers a number and its hash: each server logs them hourly and shows them as a metric, a backup keeps them.
//!
//! **Retention** removes a prefix. What stays still verifies, from the `prev` of its first record on, and the record `journal.cut` says what
//! that must be.

use aws_lc_rs::digest::{Context, SHA256};
use clockwright_model::Millis;
use clockwright_settings::Change;
use clockwright_settings::value::Value as Setting;
use serde_json::{Value, json};

/// What the first record stands on.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// Their id; empty for the server itself and for nobody.
    pub id: String,
    /// Their name at that time.
    pub name: String,
    /// How they came in.
    pub via: Via,
    /// From where; empty when nobody knows.
    pub ip: String,
    /// The request's id; empty for what no request asked for.
    pub request: String,
}

impl Actor {
    /// The server, doing what it does by itself.
    #[must_use]
    pub fn server(name: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::Server,
            id: String::new(),
            name: name.into(),
            via: Via::Itself,
            ip: String::new(),
            request: String::new(),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $( $(#[$what:meta])* $variant:ident $word:literal ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$what])* $variant, )* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// As it is stored and shown.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// The one of that word.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$variant), )* _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What somebody is.
    ActorKind {
        /// A person.
        Person "person",
        /// A service account.
        Service "service",
        /// The server itself.
        Server "server",
        /// Somebody who is not signed in.
        Nobody "nobody",
    }
}

words! {
    /// How somebody came in.
    Via {
        /// A session of the console.
        Session "session",
        /// A token.
        Token "token",
        /// A link that was given to them.
        Link "link",
        /// A command on the machine itself.
        Command "command",
        /// Nobody came in.
        Itself "itself",
    }
}

words! {
    /// What became of it.
    Outcome {
        /// It was done.
        Done "done",
        /// It has begun; another record tells its end.
        Begun "begun",
        /// A part of it was done.
        Partial "partial",
        /// It was refused, and nothing has changed.
        Refused "refused",
        /// It failed.
        Failed "failed",
    }
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `job`, `project`, `user`, ….
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// One record, without its place in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was done: `job.update`.
    pub action: &'static str,
    /// The project it concerns; 0 for none.
    pub project: i64,
    /// What it was done to.
    pub target: Target,
    /// What became of it.
    pub outcome: Outcome,
    /// The code of a refusal; empty otherwise.
    pub code: &'static str,
    /// What changed, from what to what. No secret is ever in it.
    pub changes: Value,
    /// Why, in the words of whoever did it.
    pub reason: String,
}

/// A record of something that was done.
pub(crate) fn done(
    action: &'static str,
    project: i64,
    target: Target,
    changes: Value,
    reason: &str,
) -> Record {
    Record { action, project, target, outcome: Outcome::Done, code: "", changes, reason: reason.to_owned() }
}

/// What a record is about.
pub(crate) fn target(kind: &'static str, id: impl ToString, name: impl Into<String>) -> Target {
    Target { kind, id: id.to_string(), name: name.into() }
}

/// Longer texts are cut in what a record tells of settings, to so many characters: they are in the versions, and in what is kept of drift.
const LONGEST_TOLD: usize = 2_000;

/// Settings that changed, as a record tells them: each key from what to what.
#[must_use]
pub fn told(changes: &[Change]) -> Value {
    let cut = |value: Value| match value {
        Value::String(text) if text.len() > LONGEST_TOLD => {
            let head: String = text.chars().take(LONGEST_TOLD).collect();
            Value::String(format!("{head}… ({} bytes)", text.len()))
        }
        value => value,
    };
    let value = |value: &Option<Setting>| value.as_ref().map_or(Value::Null, |value| cut(value.to_json()));
    let pair =
        |change: &Change| (change.key.to_owned(), json!([value(&change.before), value(&change.after)]));
    changes.iter().map(pair).collect()
}

/// A record in its place, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Millis,
    /// The fields between the time and the hashes, in the order of the columns.
    pub fields: Fields,
    /// The hash of the record before.
    pub prev: String,
    /// Its own hash.
    pub hash: String,
}

/// The fields of a record as text, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "each is a column, told where its value is made")]
pub struct Fields {
    pub actor_kind: String,
    pub actor: String,
    pub actor_name: String,
    pub via: String,
    pub ip: String,
    pub request: String,
    pub action: String,
    pub project: i64,
    pub target_kind: String,
    pub target: String,
    pub target_name: String,
    pub outcome: String,
    pub code: String,
    pub changes: String,
    pub reason: String,
}

impl Fields {
    /// A record of this actor.
    #[must_use]
    pub fn of(actor: &Actor, record: &Record) -> Self {
        let changes = if record.changes.is_null() { String::new() } else { record.changes.to_string() };
        Self {
            actor_kind: actor.kind.word().to_owned(),
            actor: actor.id.clone(),
            actor_name: fit(&actor.name, 100),
            via: actor.via.word().to_owned(),
            ip: fit(&actor.ip, 45),
            request: fit(&actor.request, 36),
            action: record.action.to_owned(),
            project: record.project,
            target_kind: record.target.kind.to_owned(),
            target: record.target.id.clone(),
            target_name: fit(&record.target.name, 255),
            outcome: record.outcome.word().to_owned(),
            code: record.code.to_owned(),
            changes,
            reason: fit(&record.reason, 1000),
        }
    }

    fn texts(&self) -> [&str; 15] {
        // The number of the project stands as text where its column is.
        [
            &self.actor_kind,
            &self.actor,
            &self.actor_name,
            &self.via,
            &self.ip,
            &self.request,
            &self.action,
            "",
            &self.target_kind,
            &self.target,
            &self.target_name,
            &self.outcome,
            &self.code,
            &self.changes,
            &self.reason,
        ]
    }
}

/// At most so many characters.
pub(crate) fn fit(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Puts records behind the one whose hash is `prev`, numbered from `first` on.
#[must_use]
pub fn append(prev: &str, first: i64, at: Millis, records: Vec<Fields>) -> Vec<Link> {
    let mut prev = prev.to_owned();
    let link = |(place, fields): (usize, Fields)| {
        let seq = first + place as i64;
        let hash = hash(&prev, seq, at, &fields);
        Link { seq, at, fields, prev: std::mem::replace(&mut prev, hash.clone()), hash }
    };
    records.into_iter().enumerate().map(link).collect()
}

fn hash(prev: &str, seq: i64, at: Millis, fields: &Fields) -> String {
    let mut context = Context::new(&SHA256);
    context.update(prev.as_bytes());
    context.update(b"cw1");
    context.update(&seq.to_be_bytes());
    context.update(&at.to_be_bytes());
    let project = fields.project.to_string();
    for (place, text) in fields.texts().into_iter().enumerate() {
        let text = if place == 7 { project.as_str() } else { text };
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    hex(context.finish().as_ref())
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of bytes, in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

/// A place where the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A record's bytes do not have its hash.
    #[error("record {seq} was changed: its bytes do not have its hash")]
    Changed {
        /// Which.
        seq: i64,
    },
    /// A record does not stand on the one before.
    #[error("record {seq} does not stand on the one before it")]
    Apart {
        /// Which.
        seq: i64,
    },
    /// Numbers are missing.
    #[error("records {from} to {to} are missing")]
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
}

/// Follows the chain through records that come in order, as many at a time as is convenient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    last: Option<(i64, String)>,
}

impl Walk {
    /// The next record.
    ///
    /// # Errors
    /// The first place where the chain does not hold.
    pub fn step(&mut self, link: &Link) -> Result<(), Broken> {
        if let Some((seq, hash)) = &self.last {
            if link.seq > seq + 1 {
                return Err(Broken::Missing { from: seq + 1, to: link.seq - 1 });
            }
            if link.seq != seq + 1 || link.prev != *hash {
                return Err(Broken::Apart { seq: link.seq });
            }
        }
        if hash(&link.prev, link.seq, link.at, &link.fields) != link.hash {
            return Err(Broken::Changed { seq: link.seq });
        }
        self.last = Some((link.seq, link.hash.clone()));
        Ok(())
    }

    /// The last record that was seen: its number and its hash.
    #[must_use]
    pub fn last(&self) -> Option<(i64, &str)> {
        self.last.as_ref().map(|(seq, hash)| (*seq, hash.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(action: &'static str, name: &str) -> Fields {
        let target = Target { kind: "job", id: "7".into(), name: name.into() };
        let record = Record {
            action,
            project: 3,
            target,
            outcome: Outcome::Done,
            code: "",
            changes: json!({"cron": ["a", "b"]}),
            reason: "because".into(),
        };
        Fields::of(&Actor::server("s1"), &record)
    }

    fn chain() -> Vec<Link> {
        append(
            NOTHING,
            1,
            1_000,
            ["a", "b", "c", "d"].into_iter().map(|name| record("job.update", name)).collect(),
        )
    }

    fn walk(links: &[Link]) -> Result<(), Broken> {
        let mut walk = Walk::default();
        links.iter().try_for_each(|link| walk.step(link))
    }

    #[test]
    fn a_chain_that_was_appended_in_parts_verifies() {
        let mut links = chain();
        let more = append(&links[3].hash, 5, 2_000, vec![record("job.remove", "e")]);
        links.extend(more);
        assert_eq!(walk(&links), Ok(()));
    }

    #[test]
    fn a_changed_field_of_any_record_is_found() {
        for place in 0..4 {
            let mut links = chain();
            links[place].fields.target_name.push('x');
            assert_eq!(walk(&links), Err(Broken::Changed { seq: place as i64 + 1 }));
        }
    }

    #[test]
    fn text_that_moves_from_one_field_to_the_next_is_found() {
        let mut links = chain();
        links[1].fields.target_name.clear();
        links[1].fields.target.push('b');
        assert_eq!(walk(&links), Err(Broken::Changed { seq: 2 }));
    }

    #[test]
    fn a_record_that_was_taken_out_or_made_anew_is_found() {
        let mut links = chain();
        links.remove(1);
        assert_eq!(walk(&links), Err(Broken::Missing { from: 2, to: 2 }));
        let mut links = chain();
        let forged = append(&links[0].hash, 2, 1_000, vec![record("job.remove", "b")]);
        links.splice(1..2, forged);
        assert_eq!(walk(&links), Err(Broken::Apart { seq: 3 }));
    }

    #[test]
    fn what_stays_after_a_prefix_was_removed_verifies() {
        assert_eq!(walk(&chain()[2..]), Ok(()));
    }
}
