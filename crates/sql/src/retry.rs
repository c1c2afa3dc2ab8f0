//! Whether what a database refused may work when it is tried again.

use crate::Error;

/// What an error says about the same statement later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// The database is away, busy, full or read-only, or two transactions stood in each other's way: try again. An error of a commit is of this
    /// kind too, and what it was to change may have changed.
    Later,
    /// The statement or its values are what is wrong: it fails for ever.
    Never,
}

impl RetryClass {
    /// Of an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Database(error) if is_about_content(error.code().as_deref().unwrap_or_default()) => {
                RetryClass::Never
            }
            Error::Encode(_)
            | Error::Decode(_)
            | Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::TypeNotFound { .. }
            | Error::RowNotFound
            | Error::Configuration(_) => RetryClass::Never,
            _ => RetryClass::Later,
        }
    }
}

/// Classes 21 to 23 (data and integrity) and 42 (syntax, names, rights) of SQLSTATE, which PostgreSQL and MySQL speak; and of SQLite's codes 1
/// (the statement), 12 (unknown), 18 to 20 (too large, constraint, mismatch), 25 (range).
fn is_about_content(code: &str) -> bool {
    if code.len() == 5 {
        return ["21", "22", "23", "42"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 1 | 12 | 18..=20 | 25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_itself_is_told_from_what_may_pass() {
        // Syntax, a value too long, a key that is there; SQLite's constraint on a primary key, which is 19 with more above it.
        for code in ["42601", "22001", "23505", "42S02", "1", "19", "1555"] {
            assert!(is_about_content(code), "{code}");
        }
        // Deadlock, serialization, disk full, read-only, shutting down, MySQL's general error; SQLite's busy, I/O, full.
        for code in ["40P01", "40001", "53100", "25006", "57P01", "HY000", "5", "261", "10", "13", ""] {
            assert!(!is_about_content(code), "{code}");
        }
        assert_eq!(RetryClass::of(&Error::PoolTimedOut), RetryClass::Later);
        assert_eq!(RetryClass::of(&Error::RowNotFound), RetryClass::Never);
    }
}
