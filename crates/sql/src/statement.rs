//! One statement in the making: text that is always our own, values that are always bound, for three databases.

use crate::Millis;
use std::borrow::Cow;
use std::fmt::Write;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    #[cfg(feature = "postgres")]
    Postgres,
    /// MySQL's and MariaDB's.
    #[cfg(feature = "mysql")]
    MySql,
}

impl Dialect {
    /// True for PostgreSQL.
    #[must_use]
    pub fn is_postgres(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => true,
            _ => false,
        }
    }

    /// The question for the database's clock, epoch milliseconds; none for a file, which has ours.
    #[must_use]
    pub fn clock(self) -> Option<&'static str> {
        match self {
            Dialect::Sqlite => None,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"),
            #[cfg(feature = "mysql")]
            Dialect::MySql => Some("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"),
        }
    }

    /// True for MySQL and MariaDB.
    #[must_use]
    pub fn is_mysql(self) -> bool {
        match self {
            #[cfg(feature = "mysql")]
            Dialect::MySql => true,
            _ => false,
        }
    }
}

/// A value on its way to the database.
#[derive(Debug)]
pub enum Value<'a> {
    /// Text.
    Text(Option<Cow<'a, str>>),
    /// A whole number.
    Int(Option<i64>),
    /// An instant for a column of timestamps, which hold UTC.
    Time(Option<Millis>),
    /// A truth value: PostgreSQL's `BOOLEAN`, a 0 or 1 of the others.
    Flag(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}
impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Some(Cow::Owned(text)))
    }
}
impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(Some(text))
    }
}
impl<'a> From<Option<Cow<'a, str>>> for Value<'a> {
    fn from(text: Option<Cow<'a, str>>) -> Self {
        Value::Text(text)
    }
}
impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(Some(number))
    }
}
impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Int(Some(number.into()))
    }
}
impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Value::Int(number)
    }
}

/// A statement. Its text only takes `&'static str`, so no word of a user can become a part of it.
#[derive(Debug)]
pub struct Sql<'a> {
    /// Whose it is.
    pub dialect: Dialect,
    pub(crate) text: String,
    pub(crate) values: Vec<Value<'a>>,
    has_condition: bool,
}

impl<'a> Sql<'a> {
    /// A statement that begins with these words.
    #[must_use]
    pub fn new(dialect: Dialect, head: &'static str) -> Self {
        Self { dialect, text: head.to_owned(), values: Vec::new(), has_condition: false }
    }

    /// More text.
    pub fn text(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// The place of a value, and the value.
    pub fn bind(&mut self, value: impl Into<Value<'a>>) {
        self.values.push(value.into());
        if self.dialect.is_postgres() {
            write!(self.text, "${}", self.values.len()).expect("a string takes everything");
        } else {
            self.text.push('?');
        }
    }

    /// `(?, ?), (?, ?)`: rows of values.
    pub fn rows<const N: usize>(&mut self, rows: impl Iterator<Item = [Value<'a>; N]>) {
        // A value takes about five characters, and the whole is the most of what a batch costs us: so it grows once.
        self.values.reserve(rows.size_hint().0 * N);
        self.text.reserve(rows.size_hint().0 * N * 8);
        for (place, row) in rows.enumerate() {
            self.text(if place == 0 { " VALUES (" } else { ", (" });
            self.list(row);
        }
    }

    /// `?, ?, ?)`: closes the parenthesis that the text before has opened.
    pub fn list(&mut self, values: impl IntoIterator<Item = impl Into<Value<'a>>>) {
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                self.text(", ");
            }
            self.bind(value);
        }
        self.text(")");
    }

    /// Makes what was said so far the inside of a parenthesis, which `text` closes; conditions that follow are those of the outside.
    pub fn around(&mut self, text: &'static str) {
        self.text(text);
        self.has_condition = false;
    }

    /// One more condition, without a value.
    pub fn must(&mut self, condition: &'static str) {
        let another = std::mem::replace(&mut self.has_condition, true);
        self.text(if another { " AND " } else { " WHERE " });
        self.text(condition);
    }

    /// One more condition that ends with a value.
    pub fn is(&mut self, condition: &'static str, value: impl Into<Value<'a>>) {
        self.must(condition);
        self.bind(value);
    }

    /// One more condition that ends with a value, if there is one.
    pub fn may(&mut self, condition: &'static str, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.is(condition, value);
        }
    }
}
