//! PostgreSQL, MySQL and MariaDB: connecting, and making or migrating the tables.
//!
//! One process migrates at a time, under a lock of the database. On PostgreSQL all steps are one transaction. MySQL commits each
//! statement by itself, so its steps are written to be run again, and an index that is there already is passed over.
//!
//! An [`Opening`] is the one connection with which a store is opened: its owner may look at what is there before and after it is migrated,
//! and then has the pool.

use crate::RetryClass;
use crate::db::{Db, Pools};
use crate::schema::{Noted, OpenError, Schema, readable};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::time::Duration;

/// How long a question or a batch waits for a free connection or a server that is away.
const ACQUIRE: Duration = Duration::from_secs(5);

/// One writes, the others read.
const CONNECTIONS: u32 = 5;

/// How many statements each connection keeps prepared: more than a program has, but for the filters of lists, of which it keeps the last ones.
const STATEMENTS: usize = 256;

/// A connection with a server's database before there is a pool.
pub struct Opening {
    place: String,
    schema: &'static Schema,
    read_only: bool,
    inner: Inner,
}

enum Inner {
    #[cfg(feature = "postgres")]
    Postgres(Box<pg::Opening>),
    #[cfg(feature = "mysql")]
    MySql(Box<my::Opening>),
}

impl Opening {
    /// Connects to `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `mysql://…` (`mariadb://…` is the same). The database itself must exist.
    /// With `?sslmode=…` (PostgreSQL) or `?ssl-mode=…` (MySQL) TLS can be demanded; without, it is used where the server offers it.
    ///
    /// # Errors
    /// [`OpenError::Address`] or [`OpenError::Failed`]; none of them shows the password.
    pub async fn connect(address: &str, schema: &'static Schema, read_only: bool) -> Result<Self, OpenError> {
        let (place, inner) = match address.split_once(':').map_or("", |(scheme, _)| scheme) {
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => pg::Opening::connect(address).await?,
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => my::Opening::connect(address, schema).await?,
            // The rest of the address may hold a password.
            scheme
                if !scheme.is_empty()
                    && scheme.len() < 20
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric()) =>
            {
                return Err(OpenError::Address(format!(
                    "`{scheme}:` is no database that this program knows"
                )));
            }
            _ => {
                let reason = "an address begins with the kind of database and a colon";
                return Err(OpenError::Address(reason.into()));
            }
        };
        Ok(Self { place, schema, read_only, inner })
    }

    /// Where it is, without the password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// True for PostgreSQL, false for MySQL and MariaDB.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        match &self.inner {
            #[cfg(feature = "postgres")]
            Inner::Postgres(_) => true,
            #[cfg(feature = "mysql")]
            Inner::MySql(_) => false,
        }
    }

    /// The one number that is the answer.
    ///
    /// # Errors
    /// [`OpenError::Failed`].
    pub async fn number(&mut self, question: &'static str) -> Result<i64, OpenError> {
        let answer = match &mut self.inner {
            #[cfg(feature = "postgres")]
            Inner::Postgres(it) => sqlx::query_scalar(question).fetch_one(&mut it.connection).await,
            #[cfg(feature = "mysql")]
            Inner::MySql(it) => sqlx::query_scalar(question).fetch_one(&mut it.connection).await,
        };
        answer.map_err(|error| failed(&self.place, &error))
    }

    /// Runs statements in a transaction, under the lock of the schema. On MySQL each is committed by itself, and what is there already is
    /// passed over.
    ///
    /// # Errors
    /// [`OpenError::Failed`]: nothing has changed, except on MySQL.
    pub async fn run(&mut self, statements: &'static str) -> Result<(), OpenError> {
        let answer = match &mut self.inner {
            #[cfg(feature = "postgres")]
            Inner::Postgres(it) => pg::run(&mut it.connection, self.schema, statements).await,
            #[cfg(feature = "mysql")]
            Inner::MySql(it) => my::run(&mut it.connection, self.schema, statements).await,
        };
        answer.map_err(|error| failed(&self.place, &error))
    }

    /// Takes the steps that are lacking. A reader only looks whether any are.
    ///
    /// # Errors
    /// [`OpenError::Newer`], [`OpenError::Failed`]; for a reader [`OpenError::Missing`] or [`OpenError::Behind`].
    pub async fn migrate(&mut self) -> Result<(), OpenError> {
        match &mut self.inner {
            #[cfg(feature = "postgres")]
            Inner::Postgres(it) => {
                pg::migrate(&self.place, &mut it.connection, self.schema, self.read_only).await
            }
            #[cfg(feature = "mysql")]
            Inner::MySql(it) => {
                my::migrate(&self.place, &mut it.connection, self.schema, self.read_only).await
            }
        }
    }

    /// Ends this connection; the pool makes its own when they are needed.
    pub async fn pool(self) -> Db {
        let read_only = self.read_only;
        Db::new(match self.inner {
            #[cfg(feature = "postgres")]
            Inner::Postgres(it) => Pools::Postgres { pool: it.pool(self.schema).await, read_only },
            #[cfg(feature = "mysql")]
            Inner::MySql(it) => Pools::MySql { pool: it.pool().await, read_only },
        })
    }
}

fn unreadable(kind: &str, error: &sqlx::Error) -> OpenError {
    let reason = match error {
        // Parsers of addresses name what is wrong, never what is there.
        sqlx::Error::Configuration(reason) => reason.to_string(),
        _ => "it has the wrong form".into(),
    };
    OpenError::Address(format!("cannot read the address of the {kind} database: {reason}"))
}

fn failed(place: &str, error: &sqlx::Error) -> OpenError {
    OpenError::Failed { path: place.to_owned(), reason: error.to_string(), retry: RetryClass::Later }
}

/// True if steps are still to be done, and may be.
fn is_behind(
    place: &str,
    found: Option<Noted>,
    (known, least): (usize, u16),
    read_only: bool,
) -> Result<bool, OpenError> {
    let done = found.unwrap_or_default().done(place, known)?;
    if read_only {
        readable(place, done, known, least)?;
    }
    Ok(done < known)
}

/// Names and numbers of a schema are our own, so these texts are safe.
fn version_table(schema: &Schema) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("CREATE TABLE IF NOT EXISTS {} (version BIGINT NOT NULL)", schema.version_table))
}

/// Programs of before made that table without it.
fn least_column(schema: &Schema) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "ALTER TABLE {} ADD COLUMN min_version BIGINT NOT NULL DEFAULT 0",
        schema.version_table
    ))
}

fn version_question(schema: &Schema) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT version, min_version FROM {}", schema.version_table))
}

/// The same of a table that programs of before made.
fn old_question(schema: &Schema) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT version FROM {}", schema.version_table))
}

fn noted((version, least): (i64, i64)) -> Noted {
    Noted { version, least }
}

/// The statement that notes that all `known` steps are done.
fn note_done(schema: &Schema, found: Option<Noted>, known: usize, least: u16) -> AssertSqlSafe<String> {
    let table = schema.version_table;
    AssertSqlSafe(match found {
        None => format!("INSERT INTO {table} (version, min_version) VALUES ({known}, {least})"),
        Some(_) => format!("UPDATE {table} SET version = {known}, min_version = {least}"),
    })
}

#[cfg(feature = "postgres")]
mod pg {
    use super::*;
    use sqlx::PgConnection;
    use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

    /// A statement that is kept is planned anew for the values of each question: the plan that fits one job with ten runs does not fit one with
    /// ten million.
    const KEPT: &str = "SET plan_cache_mode = force_custom_plan";

    pub(super) struct Opening {
        options: PgConnectOptions,
        pub(super) connection: PgConnection,
    }

    impl Opening {
        pub(super) async fn connect(address: &str) -> Result<(String, Inner), OpenError> {
            let options: PgConnectOptions =
                address.parse().map_err(|error| unreadable("PostgreSQL", &error))?;
            let options = options
                .application_name("clockwright")
                .statement_cache_capacity(STATEMENTS)
                .disable_statement_logging();
            let database = options.get_database().unwrap_or(options.get_username()).to_owned();
            let place = format!(
                "postgres://{}@{}:{}/{database}",
                options.get_username(),
                options.get_host(),
                options.get_port()
            );
            let connecting = tokio::time::timeout(ACQUIRE * 2, PgConnection::connect_with(&options));
            let connection = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            let connection = connection.map_err(|error| failed(&place, &error))?;
            Ok((place, Inner::Postgres(Box::new(Self { options, connection }))))
        }

        pub(super) async fn pool(self, schema: &'static Schema) -> PgPool {
            // Nothing is lost if it cannot say goodbye.
            let _ = self.connection.close().await;
            PgPoolOptions::new()
                .max_connections(CONNECTIONS)
                .acquire_timeout(ACQUIRE)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection.execute(KEPT).await?;
                        connection.execute(schema.sessions.postgres).await.map(drop)
                    })
                })
                .connect_lazy_with(self.options)
        }
    }

    fn lock(schema: &Schema) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("SELECT pg_advisory_xact_lock({})", schema.lock_number))
    }

    async fn version(connection: &mut PgConnection, schema: &Schema) -> Result<Option<Noted>, sqlx::Error> {
        let is = |error: &dyn sqlx::error::DatabaseError, code: &str| error.code().as_deref() == Some(code);
        let question = sqlx::query_as(version_question(schema)).persistent(false);
        match question.fetch_optional(&mut *connection).await {
            // There is no such table.
            Err(sqlx::Error::Database(error)) if is(&*error, "42P01") => Ok(None),
            // There is no such column.
            Err(sqlx::Error::Database(error)) if is(&*error, "42703") => {
                let question = sqlx::query_scalar(old_question(schema)).persistent(false);
                Ok(question.fetch_optional(connection).await?.map(|version| noted((version, 0))))
            }
            other => Ok(other?.map(noted)),
        }
    }

    pub(super) async fn migrate(
        place: &str,
        connection: &mut PgConnection,
        schema: &Schema,
        read_only: bool,
    ) -> Result<(), OpenError> {
        let failed = |error: sqlx::Error| failed(place, &error);
        let known = schema.postgres.len();
        let found = version(connection, schema).await.map_err(failed)?;
        if !is_behind(place, found, (known, schema.least.postgres), read_only)? {
            return Ok(());
        }
        let mut tx = connection.begin().await.map_err(failed)?;
        tx.execute(sqlx::raw_sql(lock(schema))).await.map_err(failed)?;
        tx.execute(sqlx::raw_sql(version_table(schema))).await.map_err(failed)?;
        let column = least_column(schema).0.replace("ADD COLUMN", "ADD COLUMN IF NOT EXISTS");
        tx.execute(sqlx::raw_sql(AssertSqlSafe(column))).await.map_err(failed)?;
        let found = version(&mut tx, schema).await.map_err(failed)?;
        let done = found.unwrap_or_default().done(place, known)?;
        // Another process may have done them by now, and more.
        if done < known {
            for step in schema.postgres.iter().skip(done) {
                sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed)?;
            }
            let note = note_done(schema, found, known, schema.least.postgres);
            tx.execute(sqlx::raw_sql(note)).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)
    }

    pub(super) async fn run(
        connection: &mut PgConnection,
        schema: &Schema,
        statements: &'static str,
    ) -> Result<(), sqlx::Error> {
        let mut tx = connection.begin().await?;
        tx.execute(sqlx::raw_sql(lock(schema))).await?;
        match tx.execute(sqlx::raw_sql(statements)).await {
            Ok(_) => tx.commit().await,
            Err(error) => tx.rollback().await.and(Err(error)),
        }
    }
}

#[cfg(feature = "mysql")]
mod my {
    use super::*;
    use crate::schema::Sessions;
    use sqlx::MySqlConnection;
    use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

    pub(super) struct Opening {
        options: MySqlConnectOptions,
        pub(super) connection: MySqlConnection,
        session: &'static str,
    }

    impl Opening {
        pub(super) async fn connect(
            address: &str,
            schema: &'static Schema,
        ) -> Result<(String, Inner), OpenError> {
            // The driver reads one of the two names of the scheme.
            let rest = address.strip_prefix("mariadb:");
            let address = rest.map_or(address.to_owned(), |rest| format!("mysql:{rest}"));
            let options: MySqlConnectOptions =
                address.parse().map_err(|error| unreadable("MySQL", &error))?;
            let options = options
                .pipes_as_concat(false)
                .no_engine_substitution(false)
                .statement_cache_capacity(STATEMENTS)
                .disable_statement_logging();
            let Some(database) = options.get_database() else {
                return Err(OpenError::Address(
                    "the address of a MySQL database ends in the name of the database".into(),
                ));
            };
            let place = format!(
                "mysql://{}@{}:{}/{database}",
                options.get_username(),
                options.get_host(),
                options.get_port()
            );
            let failed = |error: sqlx::Error| failed(&place, &error);
            let connecting = tokio::time::timeout(ACQUIRE * 2, MySqlConnection::connect_with(&options));
            let connection = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            let mut connection = connection.map_err(failed)?;
            let session = session(&mut connection, schema).await.map_err(failed)?;
            Ok((place, Inner::MySql(Box::new(Self { options, connection, session }))))
        }

        pub(super) async fn pool(self) -> MySqlPool {
            // Nothing is lost if it cannot say goodbye.
            let _ = self.connection.close().await;
            let session = self.session;
            MySqlPoolOptions::new()
                .max_connections(CONNECTIONS)
                .acquire_timeout(ACQUIRE)
                .after_connect(move |connection, _| {
                    Box::pin(async move { connection.execute(session).await.map(drop) })
                })
                .connect_lazy_with(self.options)
        }
    }

    /// Says the first words, and which they are.
    async fn session(
        connection: &mut MySqlConnection,
        schema: &'static Schema,
    ) -> Result<&'static str, sqlx::Error> {
        let version: String =
            sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)").fetch_one(&mut *connection).await?;
        let Sessions { mysql, mariadb, .. } = schema.sessions;
        let session = if version.contains("MariaDB") { mariadb } else { mysql };
        connection.execute(session).await?;
        Ok(session)
    }

    fn number(error: &sqlx::Error) -> Option<u16> {
        let error = error.as_database_error()?;
        Some(error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
    }

    async fn version(
        connection: &mut MySqlConnection,
        schema: &Schema,
    ) -> Result<Option<Noted>, sqlx::Error> {
        let question = sqlx::query_as(version_question(schema)).persistent(false);
        match question.fetch_optional(&mut *connection).await {
            // There is no such table.
            Err(error) if number(&error) == Some(1146) => Ok(None),
            // There is no such column.
            Err(error) if number(&error) == Some(1054) => {
                let question = sqlx::query_scalar(old_question(schema)).persistent(false);
                Ok(question.fetch_optional(connection).await?.map(|version| noted((version, 0))))
            }
            other => Ok(other?.map(noted)),
        }
    }

    /// Takes the lock, which ends with the connection should what follows fail.
    async fn lock(connection: &mut MySqlConnection, schema: &Schema) -> Result<(), sqlx::Error> {
        let question = AssertSqlSafe(format!("SELECT GET_LOCK('{}', 600)", schema.lock_name));
        let locked: Option<i64> = sqlx::query_scalar(question).fetch_one(connection).await?;
        if locked == Some(1) {
            return Ok(());
        }
        Err(sqlx::Error::Protocol("another process has been migrating it for ten minutes; if that one hangs, end it and start again".into()))
    }

    async fn unlock(connection: &mut MySqlConnection, schema: &Schema) -> Result<(), sqlx::Error> {
        let release = AssertSqlSafe(format!("DO RELEASE_LOCK('{}')", schema.lock_name));
        connection.execute(sqlx::raw_sql(release)).await.map(drop)
    }

    pub(super) async fn migrate(
        place: &str,
        connection: &mut MySqlConnection,
        schema: &Schema,
        read_only: bool,
    ) -> Result<(), OpenError> {
        let failed = |error: sqlx::Error| failed(place, &error);
        let known = schema.mysql.len();
        let found = version(connection, schema).await.map_err(failed)?;
        if !is_behind(place, found, (known, schema.least.mysql), read_only)? {
            return Ok(());
        }
        lock(connection, schema).await.map_err(failed)?;
        connection.execute(sqlx::raw_sql(version_table(schema))).await.map_err(failed)?;
        match connection.execute(sqlx::raw_sql(least_column(schema))).await {
            // It is there.
            Err(error) if number(&error) == Some(1060) => {}
            other => {
                other.map_err(failed)?;
            }
        }
        let found = version(connection, schema).await.map_err(failed)?;
        let done = found.unwrap_or_default().done(place, known)?;
        // Another process may have done them by now, and more.
        if done < known {
            for step in schema.mysql.iter().skip(done) {
                statements(connection, step).await.map_err(failed)?;
            }
            let note = note_done(schema, found, known, schema.least.mysql);
            connection.execute(sqlx::raw_sql(note)).await.map_err(failed)?;
        }
        unlock(connection, schema).await.map_err(failed)
    }

    pub(super) async fn run(
        connection: &mut MySqlConnection,
        schema: &Schema,
        text: &'static str,
    ) -> Result<(), sqlx::Error> {
        lock(connection, schema).await?;
        let done = statements(connection, text).await;
        unlock(connection, schema).await.and(done)
    }

    async fn statements(connection: &mut MySqlConnection, text: &'static str) -> Result<(), sqlx::Error> {
        for statement in text.split(";\n") {
            if statement.lines().all(|line| line.is_empty() || line.starts_with("--")) {
                continue;
            }
            match connection.execute(statement).await {
                Ok(_) => {}
                // The column or the index is there, or gone; or rows stand against a unique one, and are left alone.
                Err(error) if matches!(number(&error), Some(1060..=1062 | 1091)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
