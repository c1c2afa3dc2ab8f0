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

#[cfg(test)]
mod tests {
    use crate::decide::chain::{Actor, done, target};
    use crate::store::{MemberKind, MemberRow, Store, StoreError};
    use clockwright_api::Role;
    use serde_json::Value;

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("there is room");
        let address = format!("sqlite:{}", folder.path().join("control.db").display());
        (folder, Store::open(&address).await.expect("it opens"))
    }

    async fn give_role(store: &Store, who: &str) -> Result<i64, StoreError> {
        let mut change = store.begin(Actor::server("test"), 1).await?;
        let (kind, by) = (MemberKind::User, String::new());
        change
            .put_member(&MemberRow { project: 0, kind, who: who.into(), role: Role::Admin, by, at: 1 })
            .await?;
        change.record(done("member.set", 0, target("member", who, who), Value::Null, ""));
        change.commit().await
    }

    async fn run(store: &Store, statement: &'static str) {
        let mut tx = store.write().await.expect("it is there");
        tx.execute(store.sql(statement)).await.expect("it is a statement");
        tx.commit().await.expect("it is there");
    }

    #[tokio::test]
    async fn s35_what_cannot_be_recorded_is_not_done() {
        let (_folder, store) = store().await;
        give_role(&store, "one").await.expect("it is recorded");
        run(&store, "ALTER TABLE CLOCKWRIGHT_JOURNAL RENAME TO GONE").await;
        assert!(matches!(give_role(&store, "two").await, Err(StoreError::Refused(_))));
        run(&store, "ALTER TABLE GONE RENAME TO CLOCKWRIGHT_JOURNAL").await;
        let members: Vec<String> =
            store.members().await.expect("it is there").into_iter().map(|row| row.who).collect();
        assert_eq!(members, ["one"]);
        assert_eq!(give_role(&store, "three").await, Ok(2), "and no number was lost");
    }

    #[tokio::test]
    async fn s35_a_record_that_was_changed_is_found_by_the_doctor() {
        let (_folder, store) = store().await;
        for who in ["one", "two", "three"] {
            give_role(&store, who).await.expect("it is recorded");
        }
        let found = async |store: &Store| -> Vec<String> {
            let (config, registries) =
                (crate::config::Config::default(), crate::registries::Registries::default());
            let histories = crate::histories::Histories::default();
            let patient = crate::observe::doctor::Patient {
                config: &config,
                store: Ok(store),
                registries: &registries,
                histories: &histories,
                clock: std::sync::Arc::new(|| 1),
            };
            let found = crate::observe::doctor::examine(&patient).await;
            found.into_iter().map(|finding| finding.code).filter(|code| code.starts_with("journal")).collect()
        };
        assert!(found(&store).await.is_empty());
        run(&store, "UPDATE CLOCKWRIGHT_JOURNAL SET reason = 'because' WHERE seq = 2").await;
        assert_eq!(found(&store).await, ["journal-broken"]);
        run(&store, "UPDATE CLOCKWRIGHT_JOURNAL SET reason = '' WHERE seq = 2").await;
        run(&store, "DELETE FROM CLOCKWRIGHT_JOURNAL WHERE seq = 3").await;
        assert_eq!(found(&store).await, ["journal-broken"], "the end was cut off");
    }
}
