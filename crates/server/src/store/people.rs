//! People and service accounts, their sessions and tokens, and the links that let somebody in once.
//!
//! Of every secret only the SHA-256 is here: 256 random bits need no salt and no slow hash. A password is an Argon2id text.

use super::jobs::unknown;
use super::{Change, Store, StoreError};
use crate::decide::chain::words;
use clockwright_model::Millis;
use clockwright_sql::{Row, Sql, Tx, Value};

const USERS: &str = "SELECT id, login, name, mail, kind, issuer, subject, password, password_at, state, failed, locked_until, seen, \
                     version, created FROM CLOCKWRIGHT_USER";
const SESSIONS: &str =
    "SELECT hash, who, at, seen, ends, auth_at, via, ip, agent, roles, ended FROM CLOCKWRIGHT_SESSION";
const TOKENS: &str = "SELECT id, hash, who, name, tail, scopes, projects, at, expires, used, used_ip, ended FROM CLOCKWRIGHT_TOKEN";

words! {
    /// How somebody proves who they are.
    UserKind {
        /// By a password.
        Local "local",
        /// By an identity provider.
        Oidc "oidc",
        /// By tokens alone: a program.
        Service "service",
    }
}

words! {
    /// Whether somebody may come in.
    UserState {
        /// Their link was not used yet.
        Invited "invited",
        /// They may.
        Active "active",
        /// They may not, until an administrator lets them.
        Disabled "disabled",
    }
}

words! {
    /// What a link is for.
    LinkKind {
        /// To become the first administrator.
        Setup "setup",
        /// To choose a first password.
        Invite "invite",
        /// To choose another one.
        Reset "reset",
        /// To come in as an administrator for an hour, when nothing else lets anybody in.
        Rescue "rescue",
    }
}

/// A person or a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is told where it is shown; the rest is below")]
pub struct UserRow {
    pub id: String,
    pub login: String,
    pub name: String,
    pub mail: String,
    pub kind: UserKind,
    /// Of the identity provider; empty without one.
    pub issuer: String,
    /// The provider's name for them; their own id without one, so that it is unique.
    pub subject: String,
    /// Argon2id; empty when they have none.
    pub password: String,
    pub password_at: Option<Millis>,
    pub state: UserState,
    /// Failed sign-ins in a row.
    pub failed: i64,
    pub locked_until: Option<Millis>,
    pub seen: Option<Millis>,
    pub version: i64,
    pub created: Millis,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is told where it is shown; the rest is below")]
pub struct SessionRow {
    /// SHA-256 of its secret.
    pub hash: String,
    pub who: String,
    pub at: Millis,
    pub seen: Millis,
    /// At the latest.
    pub ends: Millis,
    /// When they last proved who they are.
    pub auth_at: Millis,
    pub via: String,
    pub ip: String,
    pub agent: String,
    /// The groups that the identity provider named, as a JSON list.
    pub groups: Vec<String>,
    pub ended: Option<Millis>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is told where it is shown; the rest is below")]
pub struct TokenRow {
    pub id: String,
    /// SHA-256 of its secret.
    pub hash: String,
    pub who: String,
    pub name: String,
    /// The last letters of its secret, so that people tell it apart.
    pub tail: String,
    /// Names of permissions.
    pub scopes: Vec<String>,
    /// Ids of projects; none for all that its owner may see.
    pub projects: Vec<i64>,
    pub at: Millis,
    pub expires: Millis,
    pub used: Option<Millis>,
    pub used_ip: String,
    pub ended: Option<Millis>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is told where it is used")]
pub struct LinkRow {
    pub hash: String,
    pub kind: LinkKind,
    /// Whose password it sets. Of the first administrator, whom nobody knows yet: the server that made it.
    pub who: String,
    pub at: Millis,
    pub expires: Millis,
    pub used: Option<Millis>,
}

const LINKS: &str = "SELECT hash, purpose, who, at, expires, used FROM CLOCKWRIGHT_LINK";

const ANYBODY: &str = "SELECT id FROM CLOCKWRIGHT_USER LIMIT 1";

impl Store {
    /// True while nobody was ever made.
    ///
    /// # Errors
    /// The database is away.
    pub async fn nobody_exists(&self) -> Result<bool, StoreError> {
        Ok(self.fetch(self.sql(ANYBODY)).await?.is_empty())
    }

    /// Somebody, by id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn user(&self, id: &str) -> Result<Option<UserRow>, StoreError> {
        let mut sql = self.sql(USERS);
        sql.is("id = ", id.to_owned());
        sql.must("alive = ''");
        self.fetch(sql).await?.first().map(user).transpose()
    }

    /// Somebody, by what they sign in with.
    ///
    /// # Errors
    /// The database is away.
    pub async fn user_of_login(&self, login: &str) -> Result<Option<UserRow>, StoreError> {
        let mut sql = self.sql(USERS);
        sql.is("login = ", login.to_owned());
        sql.must("alive = ''");
        self.fetch(sql).await?.first().map(user).transpose()
    }

    /// Somebody, by what an identity provider calls them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn user_of_subject(&self, issuer: &str, subject: &str) -> Result<Option<UserRow>, StoreError> {
        let mut sql = self.sql(USERS);
        sql.is("issuer = ", issuer.to_owned());
        sql.is("subject = ", subject.to_owned());
        sql.must("alive = ''");
        self.fetch(sql).await?.first().map(user).transpose()
    }

    /// People or service accounts behind this login, in the order of logins.
    ///
    /// # Errors
    /// The database is away.
    pub async fn users(&self, services: bool, after: &str, limit: u32) -> Result<Vec<UserRow>, StoreError> {
        let mut sql = self.sql(USERS);
        sql.must(if services { "kind = 'service'" } else { "kind <> 'service'" });
        sql.is("login > ", after.to_owned());
        sql.must("alive = ''");
        sql.text(" ORDER BY login LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(user).collect()
    }

    /// A session that has not been ended, by the hash of its secret.
    ///
    /// # Errors
    /// The database is away.
    pub async fn session(&self, hash: &str) -> Result<Option<SessionRow>, StoreError> {
        let mut sql = self.sql(SESSIONS);
        sql.is("hash = ", hash.to_owned());
        self.fetch(sql).await?.first().map(session).transpose()
    }

    /// Somebody's sessions that have not been ended and are not over, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sessions(&self, who: &str, now: Millis) -> Result<Vec<SessionRow>, StoreError> {
        self.fetch(sessions_of(self.sql(SESSIONS), who, now)).await?.iter().map(session).collect()
    }

    /// A token, by the hash of its secret.
    ///
    /// # Errors
    /// The database is away.
    pub async fn token_of(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        let mut sql = self.sql(TOKENS);
        sql.is("hash = ", hash.to_owned());
        self.fetch(sql).await?.first().map(token).transpose()
    }

    /// Somebody's tokens, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tokens(&self, who: &str) -> Result<Vec<TokenRow>, StoreError> {
        let mut sql = self.sql(TOKENS);
        sql.is("who = ", who.to_owned());
        sql.must("ended IS NULL");
        sql.text(" ORDER BY at, id");
        self.fetch(sql).await?.iter().map(token).collect()
    }

    /// Tokens that end within these instants, each with the login of its owner.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tokens_ending(
        &self,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<(TokenRow, String)>, StoreError> {
        let mut sql = self.sql(
            "SELECT t.id, t.hash, t.who, t.name, t.tail, t.scopes, t.projects, t.at, t.expires, t.used, t.used_ip, t.ended, u.login \
             FROM CLOCKWRIGHT_TOKEN t INNER JOIN CLOCKWRIGHT_USER u ON u.id = t.who",
        );
        sql.must("t.ended IS NULL");
        sql.is("t.expires >= ", from);
        sql.is("t.expires < ", to);
        sql.must("u.alive = ''");
        sql.text(" ORDER BY t.expires LIMIT 1000");
        self.fetch(sql).await?.iter().map(|row| Ok((token(row)?, row.text(12)?))).collect()
    }

    /// A link, by the hash of its secret.
    ///
    /// # Errors
    /// The database is away.
    pub async fn link(&self, hash: &str) -> Result<Option<LinkRow>, StoreError> {
        let mut sql = self.sql(LINKS);
        sql.is("hash = ", hash.to_owned());
        self.fetch(sql).await?.first().map(link).transpose()
    }

    /// Notes that a session was used, without a record.
    ///
    /// # Errors
    /// The database is away.
    pub async fn session_seen(&self, hash: &str, now: Millis) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SESSION SET seen = ");
        sql.bind(now);
        sql.is("hash = ", hash.to_owned());
        self.note(sql).await
    }

    /// Notes that a token was used, without a record.
    ///
    /// # Errors
    /// The database is away.
    pub async fn token_used(&self, id: &str, ip: &str, now: Millis) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TOKEN SET used = ");
        sql.bind(now);
        sql.text(", used_ip = ");
        sql.bind(ip.to_owned());
        sql.is("id = ", id.to_owned());
        self.note(sql).await
    }

    async fn note(&self, sql: Sql<'_>) -> Result<(), StoreError> {
        let mut tx: Tx = self.write().await?;
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }
}

fn sessions_of<'a>(mut sql: Sql<'a>, who: &str, now: Millis) -> Sql<'a> {
    sql.is("who = ", who.to_owned());
    sql.must("ended IS NULL");
    sql.is("ends > ", now);
    sql.text(" ORDER BY at");
    sql
}

impl Change {
    /// As [`Store::sessions`], within this change.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sessions(&mut self, who: &str) -> Result<Vec<SessionRow>, StoreError> {
        let sql = sessions_of(self.sql(SESSIONS), who, self.now());
        self.fetch(sql).await?.iter().map(session).collect()
    }

    /// Ends all tokens of somebody; how many there were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_tokens(&mut self, who: &str) -> Result<u64, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TOKEN SET ended = ");
        sql.bind(self.now());
        sql.is("who = ", who);
        sql.must("ended IS NULL");
        self.execute(sql).await
    }

    /// Makes somebody.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: the login, or the provider's subject, is another's.
    pub async fn insert_user(&mut self, row: &UserRow) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_USER (id, login, alive, name, mail, kind, issuer, subject, password, password_at, state, failed, \
             locked_until, seen, version, created)",
        );
        let values: [Value<'_>; 16] = [
            row.id.as_str().into(),
            row.login.as_str().into(),
            "".into(),
            row.name.as_str().into(),
            row.mail.as_str().into(),
            row.kind.word().into(),
            row.issuer.as_str().into(),
            row.subject.as_str().into(),
            row.password.as_str().into(),
            row.password_at.into(),
            row.state.word().into(),
            row.failed.into(),
            row.locked_until.into(),
            row.seen.into(),
            row.version.into(),
            row.created.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Writes name, mail, password and state over those of the version that the row has; false when it has another one by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_user(&mut self, row: &UserRow) -> Result<bool, StoreError> {
        let mut sql = self.sql(
            "UPDATE CLOCKWRIGHT_USER SET version = version + 1, failed = 0, locked_until = NULL, name = ",
        );
        sql.bind(row.name.as_str());
        for (column, value) in [
            (", mail = ", Value::from(row.mail.as_str())),
            (", password = ", row.password.as_str().into()),
            (", password_at = ", row.password_at.into()),
            (", state = ", row.state.word().into()),
        ] {
            sql.text(column);
            sql.bind(value);
        }
        sql.is("id = ", row.id.as_str());
        sql.is("version = ", row.version);
        sql.must("alive = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Ends somebody; the login is free again, and their roles are gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_user(&mut self, row: &UserRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_MEMBER");
        sql.must("who_kind = 'user'");
        sql.is("who = ", row.id.as_str());
        self.execute(sql).await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_USER SET version = version + 1, password = '', alive = ");
        sql.bind(row.id.as_str());
        sql.is("id = ", row.id.as_str());
        sql.is("version = ", row.version);
        sql.must("alive = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Somebody has come in.
    ///
    /// # Errors
    /// The database is away.
    pub async fn user_seen(&mut self, id: &str) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_USER SET seen = ");
        sql.bind(self.now());
        sql.is("id = ", id);
        self.execute(sql).await?;
        Ok(())
    }

    /// Begins a session.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_session(&mut self, row: &SessionRow) -> Result<(), StoreError> {
        let mut sql =
            self.sql("INSERT INTO CLOCKWRIGHT_SESSION (hash, who, at, seen, ends, auth_at, via, ip, agent, roles, ended)");
        let values: [Value<'_>; 11] = [
            row.hash.as_str().into(),
            row.who.as_str().into(),
            row.at.into(),
            row.seen.into(),
            row.ends.into(),
            row.auth_at.into(),
            row.via.as_str().into(),
            row.ip.as_str().into(),
            row.agent.as_str().into(),
            serde_json::to_string(&row.groups).unwrap_or_default().into(),
            row.ended.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Ends somebody's sessions but this one; how many there were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_sessions(&mut self, who: &str, but: &str) -> Result<u64, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SESSION SET ended = ");
        sql.bind(self.now());
        sql.is("who = ", who);
        sql.is("hash <> ", but);
        sql.must("ended IS NULL");
        self.execute(sql).await
    }

    /// Ends one session; false when it was over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_session(&mut self, hash: &str) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SESSION SET ended = ");
        sql.bind(self.now());
        sql.is("hash = ", hash);
        sql.must("ended IS NULL");
        Ok(self.execute(sql).await? == 1)
    }

    /// Notes that somebody has proved again who they are.
    ///
    /// # Errors
    /// The database is away.
    pub async fn session_proved(&mut self, hash: &str) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SESSION SET auth_at = ");
        sql.bind(self.now());
        sql.is("hash = ", hash);
        self.execute(sql).await?;
        Ok(())
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_TOKEN (id, hash, who, name, tail, scopes, projects, at, expires, used, used_ip, ended)",
        );
        let values: [Value<'_>; 12] = [
            row.id.as_str().into(),
            row.hash.as_str().into(),
            row.who.as_str().into(),
            row.name.as_str().into(),
            row.tail.as_str().into(),
            serde_json::to_string(&row.scopes).unwrap_or_default().into(),
            serde_json::to_string(&row.projects).unwrap_or_default().into(),
            row.at.into(),
            row.expires.into(),
            row.used.into(),
            row.used_ip.as_str().into(),
            row.ended.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Ends a token of this owner; false when there was none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_token(&mut self, who: &str, id: &str) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TOKEN SET ended = ");
        sql.bind(self.now());
        sql.is("id = ", id);
        sql.is("who = ", who);
        sql.must("ended IS NULL");
        Ok(self.execute(sql).await? == 1)
    }

    /// True while nobody was ever made.
    ///
    /// # Errors
    /// The database is away.
    pub async fn nobody_exists(&mut self) -> Result<bool, StoreError> {
        let sql = self.sql(ANYBODY);
        Ok(self.fetch(sql).await?.is_empty())
    }

    /// The link of the first administrator, if there is one that can be used.
    ///
    /// # Errors
    /// The database is away.
    pub async fn setup_link(&mut self) -> Result<Option<LinkRow>, StoreError> {
        let mut sql = self.sql(LINKS);
        sql.is("purpose = ", LinkKind::Setup.word());
        sql.is("expires > ", self.now());
        sql.must("used IS NULL");
        self.fetch(sql).await?.first().map(link).transpose()
    }

    /// Makes a link. Those of the same kind for the same person are used up by it, and any other one of the first administrator.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_link(&mut self, row: &LinkRow) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_LINK SET used = ");
        sql.bind(self.now());
        sql.is("purpose = ", row.kind.word());
        if row.kind != LinkKind::Setup {
            sql.is("who = ", row.who.as_str());
        }
        sql.must("used IS NULL");
        self.execute(sql).await?;
        let mut sql = self.sql("INSERT INTO CLOCKWRIGHT_LINK (hash, purpose, who, role, at, expires, used)");
        let values: [Value<'_>; 7] = [
            row.hash.as_str().into(),
            row.kind.word().into(),
            row.who.as_str().into(),
            "".into(),
            row.at.into(),
            row.expires.into(),
            row.used.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Uses a link up; false when it was used before or is too old, and then nothing may be done by it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn use_link(&mut self, hash: &str) -> Result<bool, StoreError> {
        let now = self.now();
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_LINK SET used = ");
        sql.bind(now);
        sql.is("hash = ", hash);
        sql.must("used IS NULL");
        sql.is("expires > ", now);
        Ok(self.execute(sql).await? == 1)
    }
}

fn user(row: &Row) -> Result<UserRow, StoreError> {
    let (kind, state) = (row.text(4)?, row.text(9)?);
    Ok(UserRow {
        id: row.text(0)?,
        login: row.text(1)?,
        name: row.text(2)?,
        mail: row.text(3)?,
        kind: UserKind::of(&kind).ok_or_else(|| unknown("kind of user", &kind))?,
        issuer: row.text(5)?,
        subject: row.text(6)?,
        password: row.text(7)?,
        password_at: row.maybe_int(8)?,
        state: UserState::of(&state).ok_or_else(|| unknown("state of a user", &state))?,
        failed: row.int(10)?,
        locked_until: row.maybe_int(11)?,
        seen: row.maybe_int(12)?,
        version: row.int(13)?,
        created: row.int(14)?,
    })
}

fn session(row: &Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        hash: row.text(0)?,
        who: row.text(1)?,
        at: row.int(2)?,
        seen: row.int(3)?,
        ends: row.int(4)?,
        auth_at: row.int(5)?,
        via: row.text(6)?,
        ip: row.text(7)?,
        agent: row.text(8)?,
        groups: super::projects::read(&row.text(9)?)?,
        ended: row.maybe_int(10)?,
    })
}

fn token(row: &Row) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: row.text(0)?,
        hash: row.text(1)?,
        who: row.text(2)?,
        name: row.text(3)?,
        tail: row.text(4)?,
        scopes: super::projects::read(&row.text(5)?)?,
        projects: super::projects::read(&row.text(6)?)?,
        at: row.int(7)?,
        expires: row.int(8)?,
        used: row.maybe_int(9)?,
        used_ip: row.text(10)?,
        ended: row.maybe_int(11)?,
    })
}

fn link(row: &Row) -> Result<LinkRow, StoreError> {
    let kind = row.text(1)?;
    Ok(LinkRow {
        hash: row.text(0)?,
        kind: LinkKind::of(&kind).ok_or_else(|| unknown("kind of link", &kind))?,
        who: row.text(2)?,
        at: row.int(3)?,
        expires: row.int(4)?,
        used: row.maybe_int(5)?,
    })
}
