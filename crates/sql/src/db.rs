//! The three databases behind one face: pools, transactions and rows. Statements become safe to send here and nowhere else.

use crate::faults::{Faults, Point};
use crate::statement::{Dialect, Sql, Value};
use crate::{Millis, text};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::Transaction;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Executor, Row as _, Sqlite, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An open database.
pub struct Db {
    pools: Pools,
    faults: Faults,
}

pub(crate) enum Pools {
    Sqlite {
        /// `None` for a file that is open for reading only.
        writer: Option<SqlitePool>,
        readers: SqlitePool,
        /// True from the beginning of a transaction to its end. SQLite ends a transaction by itself when the disk is full, which
        /// the driver's own count of transactions does not survive: so this one is kept here, and what cannot be rolled back
        /// when a transaction is dropped is so before the next one.
        open: Arc<AtomicBool>,
    },
    #[cfg(feature = "postgres")]
    Postgres { pool: sqlx::PgPool, read_only: bool },
    #[cfg(feature = "mysql")]
    MySql { pool: sqlx::MySqlPool, read_only: bool },
}

/// A transaction; dropped without a commit it changes nothing.
pub struct Tx {
    inner: Inner,
    faults: Faults,
}

enum Inner {
    Sqlite(SqliteTx),
    #[cfg(feature = "postgres")]
    Postgres(Transaction<'static, sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    MySql(Transaction<'static, sqlx::MySql>),
}

/// A transaction in a file. It is rolled back when it is dropped, at once: its lock keeps everybody else from writing there.
struct SqliteTx {
    connection: Option<PoolConnection<Sqlite>>,
    /// See [`Pools::Sqlite`]; false again once it is committed.
    open: Arc<AtomicBool>,
}

impl SqliteTx {
    async fn begin(writer: &SqlitePool, open: &Arc<AtomicBool>) -> Result<Self, sqlx::Error> {
        let connection = Some(writer.acquire().await?);
        // From here on it is dropped if need be, also while it waits for the lock.
        let was_open = open.swap(true, Ordering::SeqCst);
        let mut tx = Self { connection, open: Arc::clone(open) };
        if was_open {
            // It fails where SQLite has done so already.
            let _ = tx.connection().execute("ROLLBACK").await;
        }
        tx.connection().execute("BEGIN IMMEDIATE").await?;
        Ok(tx)
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("it is there until it is dropped")
    }

    /// Reads beside whoever writes: what is asked in it is as it was at its first question.
    async fn snapshot(readers: &SqlitePool) -> Result<Self, sqlx::Error> {
        let connection = Some(readers.acquire().await?);
        let mut tx = Self { connection, open: Arc::new(AtomicBool::new(true)) };
        tx.connection().execute("BEGIN").await?;
        Ok(tx)
    }

    async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.connection().execute("COMMIT").await?;
        self.open.store(false, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && self.open.load(Ordering::SeqCst)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let open = Arc::clone(&self.open);
            runtime.spawn(async move {
                if connection.execute("ROLLBACK").await.is_ok() {
                    open.store(false, Ordering::SeqCst);
                }
            });
        }
    }
}

/// A row of an answer.
pub struct Row(AnyRow);

enum AnyRow {
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlRow),
}

/// Runs the query of `$sql` on one connection or pool, and wraps each row.
///
/// Each connection keeps the statements that it prepared last. To throw one away after each question would cost another round trip, and on MySQL
/// far more: nothing answers the word that throws it away, so the kernel holds back what is sent next until the server's own kernel has
/// confirmed that word, which it delays by 40 ms. The driver does not switch that off.
macro_rules! rows {
    ($variant:ident, $arguments:expr, $sql:ident, $on:expr) => {{
        let arguments = $arguments(&$sql.values).map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe($sql.text), arguments);
        Ok(query.fetch_all($on).await?.into_iter().map(|row| Row(AnyRow::$variant(row))).collect())
    }};
}

/// A statement with its values in the form in which its database takes them: all that is left is to send it.
pub struct Ready {
    text: String,
    values: Encoded,
}

enum Encoded {
    Sqlite(SqliteArguments),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgArguments),
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlArguments),
}

impl Sql<'_> {
    /// Encodes the values.
    ///
    /// # Errors
    /// A value that the driver does not take.
    pub fn ready(self) -> Result<Ready, sqlx::Error> {
        let values = match self.dialect {
            Dialect::Sqlite => sqlite(&self.values).map(Encoded::Sqlite),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => postgres(&self.values).map(Encoded::Postgres),
            #[cfg(feature = "mysql")]
            Dialect::MySql => mysql(&self.values).map(Encoded::MySql),
        };
        Ok(Ready { text: self.text, values: values.map_err(sqlx::Error::Encode)? })
    }
}

macro_rules! send {
    ($text:expr, $values:expr, $on:expr) => {
        Ok(sqlx::query_with(AssertSqlSafe($text), $values).execute($on).await?.rows_affected())
    };
}

impl Db {
    pub(crate) fn new(pools: Pools) -> Self {
        Self { pools, faults: Faults::default() }
    }

    /// From now on transactions fail where it says.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Whose SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Pools::Postgres { .. } => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Pools::MySql { .. } => Dialect::MySql,
        }
    }

    /// Begins to write; `None` for a store that is open for reading only. In a file it waits for whoever writes there.
    ///
    /// # Errors
    /// The database is away, or its lock was not to be had.
    pub async fn begin(&self) -> Result<Option<Tx>, sqlx::Error> {
        self.faults.pass(Point::Begin)?;
        let inner = match &self.pools {
            Pools::Sqlite { writer: Some(writer), open, .. } => {
                Inner::Sqlite(SqliteTx::begin(writer, open).await?)
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres { pool, read_only: false } => Inner::Postgres(pool.begin().await?),
            #[cfg(feature = "mysql")]
            Pools::MySql { pool, read_only: false } => Inner::MySql(pool.begin().await?),
            _ => return Ok(None),
        };
        Ok(Some(Tx { inner, faults: self.faults.clone() }))
    }

    /// Begins to read what was committed by now, and nothing that comes after it; nobody waits for it. It is dropped at the end.
    ///
    /// # Errors
    /// The database is away.
    pub async fn snapshot(&self) -> Result<Tx, sqlx::Error> {
        let inner = match &self.pools {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(SqliteTx::snapshot(readers).await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres { pool, .. } => {
                Inner::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
            // The first of the two counts for the next transaction only.
            #[cfg(feature = "mysql")]
            Pools::MySql { pool, .. } => Inner::MySql(
                pool.begin_with(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                )
                .await?,
            ),
        };
        Ok(Tx { inner, faults: self.faults.clone() })
    }

    /// Asks.
    ///
    /// # Errors
    /// The database is away, or refuses.
    pub async fn fetch(&self, sql: Sql<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => rows!(Sqlite, sqlite, sql, readers),
            #[cfg(feature = "postgres")]
            Pools::Postgres { pool, .. } => rows!(Postgres, postgres, sql, pool),
            #[cfg(feature = "mysql")]
            Pools::MySql { pool, .. } => rows!(MySql, mysql, sql, pool),
        }
    }

    /// As [`fetch`](Self::fetch), under settings that hold for this one question; they are PostgreSQL's, and the others do without.
    ///
    /// # Errors
    /// As `fetch`.
    pub async fn fetch_with(&self, settings: &'static str, sql: Sql<'_>) -> Result<Vec<Row>, sqlx::Error> {
        #[cfg(feature = "postgres")]
        if let Pools::Postgres { pool, .. } = &self.pools {
            let mut tx = pool.begin().await?;
            tx.execute(settings).await?;
            return rows!(Postgres, postgres, sql, &mut *tx);
        }
        let _ = settings;
        self.fetch(sql).await
    }

    /// What SQLite would do for a question, line by line; for tests that no page reads a whole table. Nothing on the others.
    ///
    /// # Errors
    /// The statement is wrong.
    pub async fn explain(&self, sql: &Sql<'_>) -> Result<Vec<String>, sqlx::Error> {
        #[cfg_attr(
            not(any(feature = "postgres", feature = "mysql")),
            expect(irrefutable_let_patterns, reason = "there is no other kind then")
        )]
        let Pools::Sqlite { readers, .. } = &self.pools else { return Ok(Vec::new()) };
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.text));
        let rows = sqlx::query(explain).fetch_all(readers).await?;
        rows.iter().map(|row| row.try_get("detail")).collect()
    }

    /// How many connections are open, and how many of them do nothing now.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        match &self.pools {
            Pools::Sqlite { writer, readers, .. } => {
                let (open, idle) = (readers.size() as usize, readers.num_idle());
                let writer =
                    writer.as_ref().map_or((0, 0), |writer| (writer.size() as usize, writer.num_idle()));
                (open + writer.0, idle + writer.1)
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres { pool, .. } => (pool.size() as usize, pool.num_idle()),
            #[cfg(feature = "mysql")]
            Pools::MySql { pool, .. } => (pool.size() as usize, pool.num_idle()),
        }
    }

    /// Closes all connections, after what they are doing now; a file's writer moves its log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                if let Some(writer) = writer {
                    writer.close().await;
                }
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres { pool, .. } => pool.close().await,
            #[cfg(feature = "mysql")]
            Pools::MySql { pool, .. } => pool.close().await,
        }
    }
}

impl Tx {
    /// Whose SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::Sqlite(..) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Inner::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Inner::MySql(_) => Dialect::MySql,
        }
    }

    /// Returns the number of rows that were made, changed or deleted. For MySQL's `ON DUPLICATE KEY UPDATE` it says
    /// nothing of use.
    ///
    /// # Errors
    /// The database is away, or refuses.
    pub async fn execute(&mut self, sql: Sql<'_>) -> Result<u64, sqlx::Error> {
        self.send(sql.ready()?).await
    }

    /// As [`execute`](Self::execute), with what was made ready for this database.
    ///
    /// # Errors
    /// As `execute`; and a statement that is another database's.
    pub async fn send(&mut self, statement: Ready) -> Result<u64, sqlx::Error> {
        let Ready { text, values } = statement;
        match (&mut self.inner, values) {
            (Inner::Sqlite(tx), Encoded::Sqlite(values)) => send!(text, values, tx.connection()),
            #[cfg(feature = "postgres")]
            (Inner::Postgres(tx), Encoded::Postgres(values)) => send!(text, values, &mut **tx),
            #[cfg(feature = "mysql")]
            (Inner::MySql(tx), Encoded::MySql(values)) => send!(text, values, &mut **tx),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => Err(sqlx::Error::Encode("a statement for another database".into())),
        }
    }

    /// Asks, and sees what this transaction has changed.
    ///
    /// # Errors
    /// The database is away, or refuses.
    pub async fn fetch(&mut self, sql: Sql<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(tx) => rows!(Sqlite, sqlite, sql, tx.connection()),
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => rows!(Postgres, postgres, sql, &mut **tx),
            #[cfg(feature = "mysql")]
            Inner::MySql(tx) => rows!(MySql, mysql, sql, &mut **tx),
        }
    }

    /// Makes what was written true for everybody.
    ///
    /// # Errors
    /// The database is away, or refuses. Whether it is committed is not known then: only a look tells.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.faults.pass(Point::Commit)?;
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            #[cfg(feature = "postgres")]
            Inner::Postgres(tx) => tx.commit().await?,
            #[cfg(feature = "mysql")]
            Inner::MySql(tx) => tx.commit().await?,
        }
        self.faults.pass(Point::Answer)
    }
}

fn sqlite(values: &[Value<'_>]) -> Result<SqliteArguments, BoxDynError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Text(text) => Arguments::add(&mut arguments, text.as_deref())?,
            Value::Int(number) => Arguments::add(&mut arguments, *number)?,
            Value::Time(at) => Arguments::add(&mut arguments, at.map(text::timestamp))?,
            Value::Flag(flag) => Arguments::add(&mut arguments, i64::from(*flag))?,
        }
    }
    Ok(arguments)
}

#[cfg(feature = "postgres")]
fn postgres(values: &[Value<'_>]) -> Result<sqlx::postgres::PgArguments, BoxDynError> {
    let mut arguments = sqlx::postgres::PgArguments::default();
    for value in values {
        match value {
            Value::Text(text) => arguments.add(text.as_deref())?,
            Value::Int(number) => arguments.add(*number)?,
            Value::Time(at) => arguments.add(at.map(PgTime))?,
            Value::Flag(flag) => arguments.add(*flag)?,
        }
    }
    Ok(arguments)
}

#[cfg(feature = "mysql")]
fn mysql(values: &[Value<'_>]) -> Result<sqlx::mysql::MySqlArguments, BoxDynError> {
    /// MySQL's TIMESTAMP ends on the 19th of January 2038, 03:14:07 UTC, and begins one second after the epoch.
    const RANGE: (Millis, Millis) = (1_000, 2_147_483_647_000);
    let mut arguments = sqlx::mysql::MySqlArguments::default();
    for value in values {
        match value {
            Value::Text(text) => arguments.add(text.as_deref())?,
            Value::Int(number) => arguments.add(*number)?,
            Value::Time(at) => {
                arguments.add(at.map(|at| text::timestamp(at.clamp(RANGE.0, RANGE.1))))?;
            }
            Value::Flag(flag) => arguments.add(i64::from(*flag))?,
        }
    }
    Ok(arguments)
}

/// PostgreSQL's TIMESTAMP: microseconds since the year 2000, in UTC.
#[cfg(feature = "postgres")]
struct PgTime(Millis);

#[cfg(feature = "postgres")]
mod pg_time {
    use super::{BoxDynError, PgTime};
    use crate::Millis;
    use crate::text::MILLIS_RANGE;
    use sqlx::encode::IsNull;
    use sqlx::postgres::types::Oid;
    use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueFormat, PgValueRef};
    use sqlx::{Decode, Encode, Postgres, Type, TypeInfo};

    const YEAR_2000: Millis = 946_684_800_000;

    impl Type<Postgres> for PgTime {
        fn type_info() -> PgTypeInfo {
            // The number of `timestamp` in every PostgreSQL.
            PgTypeInfo::with_oid(Oid(1114))
        }

        fn compatible(kind: &PgTypeInfo) -> bool {
            kind.name() == "TIMESTAMP"
        }
    }

    impl Encode<'_, Postgres> for PgTime {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            let at = self.0.clamp(MILLIS_RANGE.0, MILLIS_RANGE.1);
            Encode::<Postgres>::encode((at - YEAR_2000) * 1000, buffer)
        }
    }

    impl Decode<'_, Postgres> for PgTime {
        fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
            match value.format() {
                PgValueFormat::Binary => {
                    let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
                    Ok(PgTime((micros.div_euclid(1000)).saturating_add(YEAR_2000)))
                }
                PgValueFormat::Text => {
                    Ok(PgTime(crate::text::millis(value.as_str()?).ok_or("not a timestamp")?))
                }
            }
        }
    }
}

/// Reads column `$at` of whichever row it is as a `$kind`.
macro_rules! get {
    ($row:expr, $at:expr, $kind:ty) => {
        match &$row.0 {
            AnyRow::Sqlite(row) => row.try_get::<$kind, _>($at),
            #[cfg(feature = "postgres")]
            AnyRow::Postgres(row) => row.try_get::<$kind, _>($at),
            #[cfg(feature = "mysql")]
            AnyRow::MySql(row) => row.try_get::<$kind, _>($at),
        }
    };
}

impl Row {
    /// Text that is there.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn text(&self, at: usize) -> Result<String, sqlx::Error> {
        get!(self, at, String)
    }

    /// Text, if there is any.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn maybe_text(&self, at: usize) -> Result<Option<String>, sqlx::Error> {
        get!(self, at, Option<String>)
    }

    /// A whole number; 0 for none.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn int(&self, at: usize) -> Result<i64, sqlx::Error> {
        self.maybe_int(at).map(Option::unwrap_or_default)
    }

    /// Whole numbers of any width, and truth values as 0 and 1.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn maybe_int(&self, at: usize) -> Result<Option<i64>, sqlx::Error> {
        match &self.0 {
            AnyRow::Sqlite(row) => row.try_get(at),
            #[cfg(feature = "postgres")]
            AnyRow::Postgres(row) => {
                use sqlx::{Column, TypeInfo};
                match row.try_column(at)?.type_info().name() {
                    "BOOL" => Ok(row.try_get::<Option<bool>, _>(at)?.map(i64::from)),
                    "INT4" => Ok(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
                    _ => row.try_get(at),
                }
            }
            #[cfg(feature = "mysql")]
            AnyRow::MySql(row) => row.try_get(at),
        }
    }

    /// A whole number that fits 32 bits and is not below 0.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn id(&self, at: usize) -> Result<u32, sqlx::Error> {
        let number = self.int(at)?;
        u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// An instant; `None` too for what is no time.
    ///
    /// # Errors
    /// The column is none such, or holds something else.
    pub fn time(&self, at: usize) -> Result<Option<Millis>, sqlx::Error> {
        match &self.0 {
            // Somebody else may have written something else there.
            AnyRow::Sqlite(row) => Ok(row.try_get::<Option<&str>, _>(at)?.and_then(text::millis)),
            #[cfg(feature = "postgres")]
            AnyRow::Postgres(row) => Ok(row.try_get::<Option<PgTime>, _>(at)?.map(|at| at.0)),
            // Statements for MySQL ask for milliseconds.
            #[cfg(feature = "mysql")]
            AnyRow::MySql(row) => row.try_get(at),
        }
    }
}
