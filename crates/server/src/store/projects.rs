//! Projects, and who belongs to them.

use super::jobs::unknown;
use super::{Change, Store, StoreError};
use crate::decide::chain::words;
use clockwright_api::Role;
use clockwright_api::projects::{Holds, Outside, Policy};
use clockwright_model::Millis;
use clockwright_sql::{Row, Value};

const COLUMNS: &str = "SELECT id, name, title, note, registry, namespace, store, layout, policy, code_edit, control_mark, version, \
                       created FROM CLOCKWRIGHT_PROJECT WHERE alive = ''";

/// A project that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id: the number of the record that made it.
    pub id: i64,
    /// Its name, unique among those that live.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people, at length.
    pub note: String,
    /// Which of the operator's registries its elastic jobs are in.
    pub registry: String,
    /// Their namespace there.
    pub namespace: String,
    /// Which of the operator's event stores has its history.
    pub store: String,
    /// The layout of jobs that are made in it, `2` or `3`; empty: what the namespace has.
    pub layout: String,
    /// What is done about what others change.
    pub policy: Policy,
    /// True when its developers may change what a job runs.
    pub code_edit: bool,
    /// The greatest version of the namespace's `control` node that was seen.
    pub control_mark: i64,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created: Millis,
}

words! {
    /// What a member is.
    MemberKind {
        /// A person or a service account.
        User "user",
        /// All whose identity provider says that they are in this group.
        Group "group",
    }
}

impl ProjectRow {
    /// Whether what others write in its namespace is taken over, settings and holds.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.policy == Policy { settings: Outside::Adopt, holds: Holds::Follow }
    }
}

/// Somebody's role on a project, or on all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The project; 0 for all.
    pub project: i64,
    /// What the member is.
    pub kind: MemberKind,
    /// The id of a user, or the name of a group.
    pub who: String,
    /// The role.
    pub role: Role,
    /// Who gave it, by id.
    pub by: String,
    /// When.
    pub at: Millis,
}

impl Store {
    /// All projects that live, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.text(" ORDER BY name");
        self.fetch(sql).await?.iter().map(project).collect()
    }

    /// All members of all projects: they are few, and each server keeps them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        let sql = self.sql("SELECT project, who_kind, who, role, by_id, at FROM CLOCKWRIGHT_MEMBER ORDER BY project, who_kind, who");
        self.fetch(sql).await?.iter().map(member).collect()
    }
}

impl Change {
    /// Makes a project; its id is the number of the record that comes next, whatever the row says.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: its name, or its place in the registry, is another's.
    pub async fn insert_project(&mut self, row: ProjectRow) -> Result<ProjectRow, StoreError> {
        let row = ProjectRow { id: self.number().await?, ..row };
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_PROJECT (id, name, alive, title, note, registry, namespace, store, layout, policy, code_edit, \
             control_mark, version, created)",
        );
        let values: [Value<'_>; 14] = [
            row.id.into(),
            row.name.as_str().into(),
            "".into(),
            row.title.as_str().into(),
            row.note.as_str().into(),
            row.registry.as_str().into(),
            row.namespace.as_str().into(),
            row.store.as_str().into(),
            row.layout.as_str().into(),
            policy_text(row.policy).into(),
            i64::from(row.code_edit).into(),
            row.control_mark.into(),
            row.version.into(),
            row.created.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(row)
    }

    /// Writes a project's title, note, store, layout, policy and `code_edit` over those of the version that it has; false when it has another
    /// one by now. The version grows by one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_project(&mut self, row: &ProjectRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_PROJECT SET version = version + 1, title = ");
        sql.bind(row.title.as_str());
        sql.text(", note = ");
        sql.bind(row.note.as_str());
        sql.text(", store = ");
        sql.bind(row.store.as_str());
        sql.text(", layout = ");
        sql.bind(row.layout.as_str());
        sql.text(", policy = ");
        sql.bind(policy_text(row.policy));
        sql.text(", code_edit = ");
        sql.bind(i64::from(row.code_edit));
        sql.is("id = ", row.id);
        sql.is("version = ", row.version);
        sql.must("alive = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Ends a project; its name and its place are free again. False when it has another version by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_project(&mut self, row: &ProjectRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_PROJECT SET version = version + 1, alive = ");
        sql.bind(row.id.to_string());
        sql.is("id = ", row.id);
        sql.is("version = ", row.version);
        sql.must("alive = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Gives a role, over the one that there may be.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_member(&mut self, row: &MemberRow) -> Result<(), StoreError> {
        self.drop_member(row.project, row.kind, &row.who).await?;
        let mut sql = self.sql("INSERT INTO CLOCKWRIGHT_MEMBER (project, who_kind, who, role, by_id, at)");
        let values: [Value<'_>; 6] = [
            row.project.into(),
            row.kind.word().into(),
            row.who.as_str().into(),
            row.role.name().into(),
            row.by.as_str().into(),
            row.at.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Takes a role away; false when there was none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_member(
        &mut self,
        project: i64,
        kind: MemberKind,
        who: &str,
    ) -> Result<bool, StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_MEMBER");
        sql.is("project = ", project);
        sql.is("who_kind = ", kind.word());
        sql.is("who = ", who);
        Ok(self.execute(sql).await? == 1)
    }
}

fn policy_text(policy: Policy) -> String {
    serde_json::to_string(&policy).unwrap_or_default()
}

fn project(row: &Row) -> Result<ProjectRow, StoreError> {
    Ok(ProjectRow {
        id: row.int(0)?,
        name: row.text(1)?,
        title: row.text(2)?,
        note: row.text(3)?,
        registry: row.text(4)?,
        namespace: row.text(5)?,
        store: row.text(6)?,
        layout: row.text(7)?,
        policy: read(&row.text(8)?)?,
        code_edit: row.int(9)? != 0,
        control_mark: row.int(10)?,
        version: row.int(11)?,
        created: row.int(12)?,
    })
}

fn member(row: &Row) -> Result<MemberRow, StoreError> {
    let (kind, role) = (row.text(1)?, row.text(3)?);
    Ok(MemberRow {
        project: row.int(0)?,
        kind: MemberKind::of(&kind).ok_or_else(|| unknown("kind of member", &kind))?,
        who: row.text(2)?,
        role: Role::named(&role).ok_or_else(|| unknown("role", &role))?,
        by: row.text(4)?,
        at: row.int(5)?,
    })
}

/// JSON of a column.
pub(super) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Refused(format!("a column holds no JSON of its kind: {error}")))
}
