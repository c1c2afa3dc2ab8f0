//! The journal's rows. Only [`Change::commit`](super::Change::commit) adds to them, only retention takes from them.

use super::{Store, StoreError};
use crate::decide::chain::{Fields, Link};
use clockwright_sql::{Row, Sql, Tx, Value};

const COLUMNS: &str = "SELECT seq, at, actor_kind, actor, actor_name, via, ip, request, action, project, target_kind, target, \
                       target_name, outcome, code, changes, reason, prev, hash FROM CLOCKWRIGHT_JOURNAL";

/// Which records are asked for. Each part that is there narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// Of this project.
    pub project: Option<i64>,
    /// About the thing of this id.
    pub target: Option<String>,
    /// By this actor's id.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Behind this number, oldest first.
    pub after: Option<i64>,
    /// Before this number, newest first. One of the two is used; without any, newest first.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Records of the journal.
    ///
    /// # Errors
    /// The database is away.
    pub async fn journal(&self, filter: &JournalFilter) -> Result<Vec<Link>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.may("project = ", filter.project);
        sql.may("target = ", filter.target.as_deref());
        sql.may("actor = ", filter.actor.as_deref());
        sql.may("action = ", filter.action.as_deref());
        sql.may("seq > ", filter.after);
        sql.may("seq < ", filter.before);
        sql.text(if filter.after.is_some() { " ORDER BY seq LIMIT " } else { " ORDER BY seq DESC LIMIT " });
        sql.bind(filter.limit);
        self.fetch(sql).await?.iter().map(link).collect()
    }
}

fn link(row: &Row) -> Result<Link, StoreError> {
    Ok(Link {
        seq: row.int(0)?,
        at: row.int(1)?,
        fields: Fields {
            actor_kind: row.text(2)?,
            actor: row.text(3)?,
            actor_name: row.text(4)?,
            via: row.text(5)?,
            ip: row.text(6)?,
            request: row.text(7)?,
            action: row.text(8)?,
            project: row.int(9)?,
            target_kind: row.text(10)?,
            target: row.text(11)?,
            target_name: row.text(12)?,
            outcome: row.text(13)?,
            code: row.text(14)?,
            changes: row.text(15)?,
            reason: row.text(16)?,
        },
        prev: row.text(17)?,
        hash: row.text(18)?,
    })
}

/// How many records one statement takes: SQLite binds at most 32,766 values.
const AT_ONCE: usize = 500;

pub(super) async fn insert(tx: &mut Tx, links: &[Link]) -> Result<(), StoreError> {
    for links in links.chunks(AT_ONCE) {
        let mut sql = Sql::new(
            tx.dialect(),
            "INSERT INTO CLOCKWRIGHT_JOURNAL (seq, at, actor_kind, actor, actor_name, via, ip, request, action, project, \
             target_kind, target, target_name, outcome, code, changes, reason, prev, hash)",
        );
        sql.rows(links.iter().map(row));
        tx.execute(sql).await?;
    }
    Ok(())
}

fn row(link: &Link) -> [Value<'_>; 19] {
    let Fields {
        actor_kind,
        actor,
        actor_name,
        via,
        ip,
        request,
        action,
        project,
        target_kind,
        target,
        target_name,
        outcome,
        code,
        changes,
        reason,
    } = &link.fields;
    [
        link.seq.into(),
        link.at.into(),
        actor_kind.as_str().into(),
        actor.as_str().into(),
        actor_name.as_str().into(),
        via.as_str().into(),
        ip.as_str().into(),
        request.as_str().into(),
        action.as_str().into(),
        (*project).into(),
        target_kind.as_str().into(),
        target.as_str().into(),
        target_name.as_str().into(),
        outcome.as_str().into(),
        code.as_str().into(),
        changes.as_str().into(),
        reason.as_str().into(),
        link.prev.as_str().into(),
        link.hash.as_str().into(),
    ]
}
