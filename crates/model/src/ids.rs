//! Names and identities.

use std::fmt;
use std::sync::Arc;

/// The number of one part of a job, from 0.
pub type Item = u32;

/// A fencing token: grows with every claim of an item, so a resource that remembers the greatest token it has seen can
/// refuse a stale owner. It is the registry's transaction number of the claim.
pub type Token = i64;

/// The delimiter inside instance ids and task ids.
pub const DELIMITER: &str = "@-@";

/// A job's name: 1 to 100 characters, unique in its namespace.
///
/// `/` would make it a path, `@-@` would break task ids, and control or invisible characters would let two names look
/// alike; all are refused. Letters of any script are welcome.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobName(Arc<str>);

/// Why a job name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a job name must not be empty")]
    Empty,
    /// More than 100 characters, the width of the trace tables' column.
    #[error("a job name has at most 100 characters, this one has {0}")]
    TooLong(usize),
    /// A character or sequence that would break paths or ids.
    #[error("a job name must not contain {0}")]
    Forbidden(String),
}

impl JobName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        let length = name.chars().count();
        if length > 100 {
            return Err(NameError::TooLong(length));
        }
        if name == "." || name == ".." {
            return Err(NameError::Forbidden(format!("only dots (`{name}`): it is a path")));
        }
        if name.contains(DELIMITER) {
            return Err(NameError::Forbidden("`@-@`: it separates the parts of task ids".into()));
        }
        for c in name.chars() {
            let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}');
            if c == '/' {
                return Err(NameError::Forbidden("`/`: it separates the parts of registry paths".into()));
            }
            if c.is_control() || invisible {
                return Err(NameError::Forbidden(format!("the invisible character U+{:04X}", c as u32)));
            }
        }
        if name.trim() != name {
            return Err(NameError::Forbidden("spaces at its ends".into()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for JobName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// One process that can run elastic jobs: `{ip}@-@{pid}`, or `{ip}@-@{pid}-{n}` where several engines share a process.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// Takes an id as found in the registry; it is not checked, since peers may write anything.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        Self(text.into())
    }

    /// The id of engine number `engine` of a process; engine 0 has the plain form that Java peers use too.
    #[must_use]
    pub fn of_process(ip: &str, pid: u32, engine: u32) -> Self {
        if engine == 0 {
            Self(format!("{ip}{DELIMITER}{pid}").into())
        } else {
            Self(format!("{ip}{DELIMITER}{pid}-{engine}").into())
        }
    }

    /// The id of an engine that was told what to write after its address instead of its process.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with the name: the rules are those of [`JobName`].
    pub fn named(ip: &str, name: &str, engine: u32) -> Result<Self, NameError> {
        let id = Self(format!("{ip}{DELIMITER}{}", JobName::new(name)?).into());
        Ok(if engine == 0 { id } else { id.with_suffix(&engine.to_string()) })
    }

    /// This id and `-{suffix}`.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self(format!("{}-{suffix}", self.0).into())
    }

    /// The server part: the text before the first `@-@`, or all of it.
    #[must_use]
    pub fn ip(&self) -> &str {
        self.0.split_once(DELIMITER).map_or(&*self.0, |(ip, _)| ip)
    }

    /// The text after the first `@-@`, empty when there is none.
    #[must_use]
    pub fn process(&self) -> &str {
        self.0.split_once(DELIMITER).map_or("", |(_, process)| process)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// The identity of one attempt at one item of one fire: a UUIDv7, kept as its 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u128);

impl RunId {
    /// Builds a version-7 UUID from a time and 74 random bits (the rest of `random` is ignored).
    #[must_use]
    pub fn new(at: crate::Millis, random: u128) -> Self {
        let time = (u128::from(at as u64) & 0xffff_ffff_ffff) << 80;
        let rand_a = (random >> 64 & 0xfff) << 64;
        let rand_b = random & 0x3fff_ffff_ffff_ffff;
        Self(time | 0x7 << 76 | rand_a | 0x2 << 62 | rand_b)
    }

    /// The time that it was built from.
    #[must_use]
    pub fn time(self) -> crate::Millis {
        (self.0 >> 80) as crate::Millis
    }

    /// Reads the canonical 36-character form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut bits = 0u128;
        for (at, c) in text.char_indices() {
            match (at, c) {
                (8 | 13 | 18 | 23, '-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                (_, c) => bits = bits << 4 | u128::from(c.to_digit(16)?),
            }
        }
        Some(Self(bits))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            v >> 80 & 0xffff,
            v >> 64 & 0xffff,
            v >> 48 & 0xffff,
            v & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_paths_or_task_ids_are_refused() {
        for bad in ["", "a/b", "a@-@b", "..", "a\u{200b}b", "a\nb", " a"] {
            assert!(JobName::new(bad).is_err(), "{bad:?}");
        }
        assert!(JobName::new(&"x".repeat(101)).is_err());
        for good in ["myJob", "com.example.Job-1", "日报", "a b"] {
            assert!(JobName::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn an_instance_id_names_its_server_and_process() {
        let id = InstanceId::of_process("10.0.0.1", 42, 2);
        assert_eq!((id.as_str(), id.ip(), id.process()), ("10.0.0.1@-@42-2", "10.0.0.1", "42-2"));
        assert_eq!(InstanceId::of_process("10.0.0.1", 42, 0).as_str(), "10.0.0.1@-@42");
    }

    #[test]
    fn run_ids_are_version_7_and_read_back() {
        let id = RunId::new(1_700_000_000_123, u128::MAX);
        let text = id.to_string();
        assert_eq!(&text[14..15], "7");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
        assert_eq!(RunId::parse(&text), Some(id));
        assert_eq!(RunId::parse("zz"), None);
    }
}
