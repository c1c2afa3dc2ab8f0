//! A text in the reasons of all jobs, on PostgreSQL, where ten million rows of history may hold a hundred thousand reasons.
//!
//! A page of 20 rows is found in one of two ways. *In order*: from the newest reason on, by the index of what did not
//! succeed, each is looked at until the page is full: quick when the text is frequent, a second when it is nowhere. *By trigrams*:
//! the index on the reasons' groups of three letters names all rows that may hold it, which are sorted: at once when it is nowhere,
//! seconds when it is everywhere. Which of them is the quicker one only the rows can tell; what PostgreSQL expects of a text that it has no
//! statistics of is a guess. So both are begun, and neither takes long:
//!
//! 1. In order through the newest [`WINDOW`] reasons. A full page is the answer.
//! 2. By trigrams, if they name no more than [`MOST`] rows; then these are all there are.
//! 3. In order through all. As more than [`MOST`] rows hold it, the page is full before long.
//!
//! The index has the reasons of what did not succeed, so it costs a success nothing. Inserting a failure took a third longer with a reason
//! of 60 characters, and half a millisecond with a stack trace of 4,000 (PostgreSQL 15, 2 virtual cores, 5,120 rows in batches of
//! 256).
//!
//! The index of trigrams needs PostgreSQL's own extension `pg_trgm`, which the owner of a database may add where it is installed. Where
//! it cannot be had, all is searched in order, as it is on the other databases.

use super::EventStore;
use super::read::{NEWEST_FIRST, RUN, RUN_COLUMNS, contains, limit, run_conditions, run_row};
use crate::query::{Page, RunFilter, RunRow, StoreError};
use clockwright_sql::text::clean;
use clockwright_sql::{Dialect, Sql};

/// How many of the newest reasons are looked at before the index of trigrams is asked.
const WINDOW: i64 = 100;

/// How many rows are sorted at most.
const MOST: i64 = 2_000;

/// With these only the index of trigrams is left to begin with.
const BY_TRIGRAMS: &str =
    "SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off";

impl EventStore {
    /// A page of what has a text in its reason, and one row more if there is one; `None` where only a search in order through all is left
    /// to do.
    pub(super) async fn search(
        &self,
        filter: &RunFilter,
        page: &Page,
    ) -> Result<Option<Vec<RunRow>>, StoreError> {
        let Some(text) = filter.text.as_deref().filter(|text| has_trigram(text)) else { return Ok(None) };
        // The rows of one job, or of one run, are few enough.
        if !self.has_trigrams || filter.jobs.len() == 1 || filter.run_id.is_some() {
            return Ok(None);
        }
        let newest = self.all(newest_sql(filter, page, text), run_row).await?;
        if newest.len() > page.rows() {
            return Ok(Some(newest));
        }
        let rows = self.db.fetch_with(BY_TRIGRAMS, trigrams_sql(filter, page, text)).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(RUN_COLUMNS))?;
        if count > MOST {
            return Ok(None);
        }
        Ok(Some(rows.iter().map(run_row).collect::<Result<_, _>>()?))
    }
}

/// Only letters and digits are in the index, and three of them in a row at least.
fn has_trigram(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word.chars().count() >= 3)
}

fn newest_sql<'a>(filter: &'a RunFilter, page: &'a Page, text: &'a str) -> Sql<'a> {
    let mut sql = Sql::new(Dialect::Postgres, "SELECT * FROM (");
    sql.text(RUN);
    run_conditions(&mut sql, filter, page);
    sql.text(NEWEST_FIRST);
    sql.text(" LIMIT ");
    sql.bind(WINDOW);
    sql.around(") AS newest");
    contains(&mut sql, "reason", Some(text));
    sql.text(NEWEST_FIRST);
    limit(&mut sql, page);
    sql
}

/// With the number of all rows, up to one more than [`MOST`], behind each row's columns.
fn trigrams_sql<'a>(filter: &'a RunFilter, page: &'a Page, text: &'a str) -> Sql<'a> {
    let mut sql = Sql::new(Dialect::Postgres, "SELECT *, COUNT(*) OVER () FROM (");
    sql.text(RUN);
    run_conditions(&mut sql, filter, page);
    sql.must("LOWER(reason) LIKE '%' || LOWER(");
    sql.bind(pattern(text));
    sql.text(") || '%' LIMIT ");
    sql.bind(MOST + 1);
    sql.around(") AS found");
    sql.text(NEWEST_FIRST);
    limit(&mut sql, page);
    sql
}

/// The text as it stands for itself in a pattern.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in clean(text).chars() {
        if matches!(c, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_would_read_as_a_wildcard_stands_for_itself() {
        assert_eq!(pattern("100% of a_b\\c\0"), "100\\% of a\\_b\\\\c␀");
    }

    #[test]
    fn a_text_without_three_letters_in_a_row_is_not_looked_for_by_trigrams() {
        for text in ["", "ab", "a b-c_d", "::: ..."] {
            assert!(!has_trigram(text), "{text}");
        }
        for text in ["abc", "exit code 1", "12345", "日本語"] {
            assert!(has_trigram(text), "{text}");
        }
    }
}
