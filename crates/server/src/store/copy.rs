//! The rows of all tables as they are, for backups: read in one snapshot by the keys of their tables, and put into an empty store.
//!
//! Which tables there are, their columns and their keys is read from the schema's own text. What ends with a moment is no part of a copy:
//! who is signed in, links, guesses, requests under way, which servers there are.

use super::schema::SCHEMA;
use super::{Change, Store, StoreError};
use clockwright_model::Millis;
use clockwright_sql::{Row, Sql, Tx, Value};
use serde_json::Value as Json;

/// What a copy leaves out.
const PASSING: [&str; 5] = [
    "CLOCKWRIGHT_CONTROL_SERVER",
    "CLOCKWRIGHT_GUESS",
    "CLOCKWRIGHT_LINK",
    "CLOCKWRIGHT_REQUEST",
    "CLOCKWRIGHT_SESSION",
];

/// How many terms a restored store is ahead of its copy: as many servers cannot have led since that was made.
const TERMS_AHEAD: i64 = 1 << 20;

/// The number of `control` that a project is said to have seen when it comes from a copy. None is as great, so its registry is held to be an
/// older one until a person confirms.
pub(crate) const RESTORED: i64 = i64::MAX;

/// How many bytes of rows one statement takes; what databases accept begins at 16 MiB.
const BYTES: usize = 1 << 20;

/// How many values one statement takes: SQLite binds at most 32,766.
const VALUES: usize = 30_000;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// The places of the columns of its primary key.
    pub key: Vec<usize>,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Text, or a whole number.
    pub is_text: bool,
}

/// The tables of a copy, in the order of the schema.
#[must_use]
pub fn tables() -> Vec<Table> {
    let all = SCHEMA.sqlite.iter().flat_map(|step| step.split(";\n")).filter_map(table);
    all.filter(|table| !PASSING.contains(&table.name)).collect()
}

/// Reads `CREATE TABLE IF NOT EXISTS name (column TYPE …, PRIMARY KEY (column, …))`.
fn table(statement: &'static str) -> Option<Table> {
    let (name, rest) = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?.split_once(" (")?;
    let (columns, key) = rest.split_once(", PRIMARY KEY (")?;
    let columns: Vec<Column> = columns.split(", ").filter_map(column).collect();
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    let key = key.split_once(')')?.0.split(", ").filter_map(place).collect();
    Some(Table { name, columns, key })
}

fn column(text: &'static str) -> Option<Column> {
    let (name, kind) = text.split_once(' ')?;
    Some(Column { name, is_text: !kind.starts_with("BIGINT") })
}

/// A store as it was at one moment, whatever is done to it meanwhile.
pub struct Snapshot {
    tx: Tx,
}

impl Store {
    /// The store as it is now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot { tx: self.db.snapshot().await? })
    }
}

impl Snapshot {
    /// The number of the last record of the journal, and its hash.
    ///
    /// # Errors
    /// The database is away.
    pub async fn head(&mut self) -> Result<(i64, String), StoreError> {
        let sql = Sql::new(self.tx.dialect(), "SELECT seq, hash FROM CLOCKWRIGHT_HEAD WHERE id = 1");
        super::head_of(&self.tx.fetch(sql).await?)
    }

    /// At most so many rows of a table behind this one, in the order of its key.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rows(
        &mut self,
        table: &Table,
        after: Option<&[Json]>,
        limit: u32,
    ) -> Result<Vec<Vec<Json>>, StoreError> {
        let mut sql = Sql::new(self.tx.dialect(), "SELECT ");
        list(&mut sql, table.columns.iter());
        sql.text(" FROM ");
        sql.text(table.name);
        if let Some(after) = after {
            // The first condition is what an index begins at; the database need not find that out from the others.
            sql.text(" WHERE ");
            sql.text(table.columns[table.key[0]].name);
            sql.text(" >= ");
            sql.bind(value(&after[table.key[0]])?);
            sql.text(" AND ");
            behind(&mut sql, table, &table.key, after)?;
        }
        sql.text(" ORDER BY ");
        list(&mut sql, table.key.iter().map(|place| &table.columns[*place]));
        sql.text(" LIMIT ");
        sql.bind(limit);
        self.tx.fetch(sql).await?.iter().map(|row| cells(row, table)).collect()
    }
}

/// `(a > ? OR (a = ? AND (b > ? …)))`.
fn behind<'a>(sql: &mut Sql<'a>, table: &Table, key: &[usize], after: &'a [Json]) -> Result<(), StoreError> {
    let Some((first, rest)) = key.split_first() else { return Ok(()) };
    sql.text("(");
    sql.text(table.columns[*first].name);
    sql.text(" > ");
    sql.bind(value(&after[*first])?);
    if !rest.is_empty() {
        sql.text(" OR (");
        sql.text(table.columns[*first].name);
        sql.text(" = ");
        sql.bind(value(&after[*first])?);
        sql.text(" AND ");
        behind(sql, table, rest, after)?;
        sql.text(")");
    }
    sql.text(")");
    Ok(())
}

fn list<'a>(sql: &mut Sql<'_>, columns: impl Iterator<Item = &'a Column>) {
    for (place, column) in columns.enumerate() {
        sql.text(if place == 0 { "" } else { ", " });
        sql.text(column.name);
    }
}

fn cells(row: &Row, table: &Table) -> Result<Vec<Json>, StoreError> {
    let cell = |(place, column): (usize, &Column)| {
        Ok(match column.is_text {
            true => row.maybe_text(place)?.map_or(Json::Null, Json::String),
            false => row.maybe_int(place)?.map_or(Json::Null, Json::from),
        })
    };
    table.columns.iter().enumerate().map(cell).collect()
}

fn value(cell: &Json) -> Result<Value<'_>, StoreError> {
    match cell {
        Json::String(text) => Ok(text.as_str().into()),
        Json::Number(number) if number.is_i64() => Ok(number.as_i64().into()),
        // Which of the two it is does not matter to any of the databases, as long as it is nothing.
        Json::Null => Ok(Value::Int(None)),
        _ => Err(StoreError::Refused("a value that no column holds".into())),
    }
}

impl Change {
    /// The number of the last record of the journal. Nobody else writes one before this change is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lock_head(&mut self) -> Result<i64, StoreError> {
        self.execute(self.sql("UPDATE CLOCKWRIGHT_HEAD SET seq = seq WHERE id = 1")).await?;
        let rows = self.fetch(self.sql("SELECT seq, hash FROM CLOCKWRIGHT_HEAD WHERE id = 1")).await?;
        Ok(super::head_of(&rows)?.0)
    }

    /// Takes out the rows that every store has from its beginning.
    ///
    /// # Errors
    /// The database is away.
    pub async fn clear_roots(&mut self) -> Result<(), StoreError> {
        for delete in ["DELETE FROM CLOCKWRIGHT_HEAD", "DELETE FROM CLOCKWRIGHT_TERM"] {
            self.execute(self.sql(delete)).await?;
        }
        Ok(())
    }

    /// Puts rows into a table, which have values for these columns of it.
    ///
    /// # Errors
    /// The database is away, or does not take them.
    pub async fn put_rows(
        &mut self,
        table: &Table,
        columns: &[Column],
        rows: &[Vec<Json>],
    ) -> Result<(), StoreError> {
        let most = (VALUES / columns.len().max(1)).max(1);
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(most).take_while(|row| {
                bytes += row.iter().map(|cell| cell.as_str().map_or(8, str::len)).sum::<usize>();
                bytes < BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            let mut sql = self.sql("INSERT INTO ");
            sql.text(table.name);
            sql.text(" (");
            list(&mut sql, columns.iter());
            for (place, row) in now.iter().enumerate() {
                sql.text(if place == 0 { ") VALUES (" } else { ", (" });
                sql.list(
                    row.iter()
                        .zip(columns)
                        .map(|(cell, column)| typed(cell, *column))
                        .collect::<Result<Vec<_>, _>>()?,
                );
            }
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Makes of rows of a copy a store that can be worked with: a term that nobody had, no leader, nothing under way that would be done or sent
    /// once more long after it was asked for, and every project held until a person says that its registry belongs to it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn settle_copy(&mut self, now: Millis) -> Result<(), StoreError> {
        let mut term = self.sql("UPDATE CLOCKWRIGHT_TERM SET holder = '', home = '', term = term + ");
        term.bind(TERMS_AHEAD);
        let mut operations =
            self.sql("UPDATE CLOCKWRIGHT_OPERATION SET state = 'cancelled', control_server = '', ended = ");
        operations.bind(now);
        operations.must("state IN ('running', 'pending')");
        let deliveries = self.sql(
            "UPDATE CLOCKWRIGHT_DELIVERY SET state = 'dead', error = 'the store was restored from a copy' \
             WHERE state = 'waiting'",
        );
        let mut projects = self.sql("UPDATE CLOCKWRIGHT_PROJECT SET control_mark = ");
        projects.bind(RESTORED);
        projects.must("alive = ''");
        for sql in [term, operations, deliveries, projects] {
            self.execute(sql).await?;
        }
        Ok(())
    }
}

/// A value for a column: what is nothing has the column's type too, which PostgreSQL asks for.
fn typed(cell: &Json, column: Column) -> Result<Value<'_>, StoreError> {
    match (cell, column.is_text) {
        (Json::Null, true) => Ok(Value::Text(None)),
        (Json::Null, false) | (Json::Number(_), false) | (Json::String(_), true) => value(cell),
        _ => Err(StoreError::Refused(format!("a value of another type than column {} has", column.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_schema_is_read_with_its_columns_and_its_key() {
        let all: Vec<Table> =
            SCHEMA.sqlite.iter().flat_map(|step| step.split(";\n")).filter_map(table).collect();
        let created = SCHEMA.sqlite.iter().map(|step| step.matches("CREATE TABLE").count()).sum::<usize>();
        assert_eq!(all.len(), created);
        for statement in
            SCHEMA.sqlite.iter().flat_map(|step| step.split(";\n")).filter(|text| !text.is_empty())
        {
            let is_known = ["CREATE TABLE IF NOT EXISTS ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];
            assert!(
                is_known.iter().any(|known| statement.starts_with(known)),
                "copies do not know: {statement}"
            );
        }
        for table in &all {
            assert!(!table.columns.is_empty() && !table.key.is_empty(), "{table:?}");
        }
        for passing in PASSING {
            assert!(all.iter().any(|table| table.name == passing), "{passing}");
        }
        let hold = all.iter().find(|table| table.name == "CLOCKWRIGHT_HOLD").expect("it is there");
        let names: Vec<&str> = hold.key.iter().map(|place| hold.columns[*place].name).collect();
        assert_eq!(names, ["project", "job", "scope", "target", "kind"]);
        assert_eq!(hold.columns[0], Column { name: "project", is_text: false });
        assert_eq!(hold.columns[2], Column { name: "scope", is_text: true });
    }
}
