//! Ids as people type them: the first characters of a run's id are enough where one run has them.

use super::EventStore;
use crate::query::StoreError;
use clockwright_model::RunId;
use clockwright_sql::{Row, Sql};

/// The form of an id, for what is not given of it.
const LOWEST: &str = "00000000-0000-0000-0000-000000000000";
const GREATEST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

impl EventStore {
    /// The runs on record whose ids begin so, at most `limit` of them. Ids are found by their order, so this is as quick as
    /// finding one.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the database does not answer.
    pub async fn runs_beginning(&self, beginning: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let Some((first, last)) = bounds(beginning) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (head, column) in [
            ("SELECT id FROM JOB_EXECUTION_LOG", ["id >= ", "id <= "]),
            ("SELECT run_id FROM CLOCKWRIGHT_RUN", ["run_id >= ", "run_id <= "]),
        ] {
            let mut sql = Sql::new(self.db.dialect(), head);
            sql.is(column[0], first.clone());
            sql.is(column[1], last.clone());
            sql.text(" LIMIT ");
            sql.bind(i64::from(limit));
            let text: fn(&Row) -> Result<String, clockwright_sql::Error> = |row| row.text(0);
            for id in self.all(sql, text).await?.iter().filter_map(|id| RunId::parse(id)) {
                if !found.contains(&id) && found.len() < limit as usize {
                    found.push(id);
                }
            }
        }
        Ok(found)
    }
}

/// The least and the greatest id that begin so; `None` if no id does.
fn bounds(beginning: &str) -> Option<(String, String)> {
    let beginning = beginning.to_ascii_lowercase();
    let fits = |(c, form): (char, char)| if form == '-' { c == '-' } else { c.is_ascii_hexdigit() };
    let is_beginning = beginning.len() <= LOWEST.len() && beginning.chars().zip(LOWEST.chars()).all(fits);
    let with = |rest: &str| format!("{beginning}{}", &rest[beginning.len()..]);
    is_beginning.then(|| (with(LOWEST), with(GREATEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_begin_so_lie_between_two() {
        let (first, last) = bounds("0196A1B2-c3").unwrap_or_default();
        assert_eq!(first, "0196a1b2-c300-0000-0000-000000000000");
        assert_eq!(last, "0196a1b2-c3ff-ffff-ffff-ffffffffffff");
        for bad in ["x", "0196a1b2c", "0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b0", "é"] {
            assert_eq!(bounds(bad), None, "{bad}");
        }
    }
}
