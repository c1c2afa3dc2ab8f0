//! Who came and went, and who held jobs.
//!
//! A change is told by several, under one key. The first telling stays, until the instance that it is about tells it itself: that one knows.

use super::EventStore;
use super::read::{limit, split};
use super::write::{send, template};
use crate::query::{ChangeFilter, ChangePage, ChangeRow, Cursor, Page, StoreError};
use clockwright_model::{Change, ChangeKind, JobName};
use clockwright_sql::text::{clean, fit, wide};
use clockwright_sql::{Error, Row, Sql, Tx};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What an instance's own telling sets. MySQL makes assignments from left to right, so what the others look at comes last.
const OWN: [&str; 5] = ["kind", "at_ms", "by_name", "reason", "witness"];

pub(super) async fn put(tx: &mut Tx, changes: &[&Change]) -> Result<(), Error> {
    let dialect = tx.dialect();
    let told: Vec<(String, &Change)> = once_each(changes).into_iter().collect();
    let statement = |_, group: &[(String, &Change)]| {
        let mut sql = Sql::new(
            dialect,
            "INSERT INTO CLOCKWRIGHT_CHANGE (change_key, namespace, job_name, kind, subject, at_ms, by_name, reason, witness)",
        );
        let rows = group.iter().map(|(key, change)| {
            [
                key.clone().into(),
                fit(&change.namespace, 200).into_owned().into(),
                fit(change.job.as_ref().map_or("", JobName::as_str), 100).into_owned().into(),
                change.kind.as_str().into(),
                fit(&change.subject, 255).into_owned().into(),
                change.at.into(),
                fit(&change.by, 255).into_owned().into(),
                wide(&change.reason).into_owned().into(),
                fit(change.witness.as_str(), 255).into_owned().into(),
            ]
        });
        sql.rows(rows);
        sql.text(if dialect.is_mysql() {
            " ON DUPLICATE KEY UPDATE "
        } else {
            " ON CONFLICT (change_key) DO UPDATE SET "
        });
        for (place, column) in OWN.into_iter().enumerate() {
            let condition = " = CASE WHEN {witness} = CLOCKWRIGHT_CHANGE.subject \
                             AND CLOCKWRIGHT_CHANGE.witness <> CLOCKWRIGHT_CHANGE.subject THEN {";
            for text in [if place == 0 { "" } else { ", " }, column] {
                sql.text(text);
            }
            template(&mut sql, &[condition, column, "} ELSE CLOCKWRIGHT_CHANGE.", column, " END"]);
        }
        sql
    };
    send(tx, &told, statement).await.map(drop)
}

/// Each change of a batch once, by its key; what an instance tells of itself stands above what others tell.
fn once_each<'a>(changes: &[&'a Change]) -> BTreeMap<String, &'a Change> {
    let mut told: BTreeMap<String, &Change> = BTreeMap::new();
    for change in changes {
        let first = told.entry(fit(&change.key(), 255).into_owned()).or_insert(change);
        if change.is_own() && !first.is_own() {
            *first = change;
        }
    }
    told
}

impl EventStore {
    pub(super) async fn change_rows(
        &self,
        filter: &ChangeFilter,
        page: &Page,
    ) -> Result<ChangePage, StoreError> {
        let mut sql = Sql::new(
            self.db.dialect(),
            "SELECT change_key, namespace, job_name, kind, subject, at_ms, by_name, reason, witness FROM CLOCKWRIGHT_CHANGE",
        );
        if let Some(job) = &filter.job {
            sql.must("job_name IN (");
            sql.list([fit(job, 100), Cow::Borrowed("")]);
        }
        if !filter.namespaces.is_empty() {
            sql.must("namespace IN (");
            sql.list(filter.namespaces.iter().map(|namespace| fit(namespace, 200)));
        }
        sql.may("at_ms >= ", filter.from);
        sql.may("at_ms < ", filter.to);
        if let Some(Cursor { at, id }) = &page.cursor {
            sql.is("at_ms <= ", *at);
            sql.is("(at_ms < ", *at);
            sql.text(" OR change_key < ");
            sql.bind(clean(id));
            sql.text(")");
        }
        sql.text(" ORDER BY at_ms DESC, change_key DESC");
        limit(&mut sql, page);
        let (rows, next) = split(self.all(sql, change_row).await?, page, ChangeRow::cursor);
        Ok(ChangePage { rows, next })
    }
}

fn change_row(row: &Row) -> Result<ChangeRow, Error> {
    let kind = row.text(3)?;
    Ok(ChangeRow {
        key: row.text(0)?,
        namespace: row.text(1)?,
        job: row.text(2)?,
        kind: ChangeKind::parse(&kind)
            .ok_or_else(|| Error::Decode(format!("`{kind}` is no change").into()))?,
        subject: row.text(4)?,
        at: row.int(5)?,
        by: row.text(6)?,
        reason: row.text(7)?,
        witness: row.text(8)?,
    })
}
