//! How each item stands, kept as outcomes are stored, so that a list of jobs never looks for the last outcome of each.
//!
//! A row is set forward in fire time only: what a spool delivers late changes nothing newer; but its token is the greatest one that any outcome of
//! the item had, in whatever order they came: an instance whose registry lost its data begins above it. *Streak* is how often an item failed in a row; a
//! success ends it, and fires that did not run leave it as it is. A batch that holds no success of an item adds to what is stored, which one
//! statement for many rows can only be told by the number itself: -1 adds nothing, -2 adds one, and so on; and so it stays where there was nothing to add to.
//!
//! Only outcomes that are newly stored come here, so storing a batch again adds nothing.

use super::EventStore;
use super::write::template;
use crate::query::{StateRow, StoreError};
use clockwright_model::{FailureKind, Millis, Outcome, OutcomeKind, Settlement, Token};
use clockwright_sql::text::fit;
use clockwright_sql::{Error, Row, Sql, Tx, Value};
use std::collections::BTreeMap;

/// How many rows one statement takes at most.
const ROWS: usize = 256;

/// What a batch says about an item.
struct Standing<'a> {
    newest: &'a Settlement,
    /// Below 0: so many and one more than are stored.
    streak: i64,
    good: Option<Millis>,
    /// The greatest one.
    token: Token,
}

pub(super) async fn set(tx: &mut Tx, new: &[&Settlement]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let standings: Vec<_> = standings(new).into_iter().collect();
    let changed = clock(tx).await?;
    for group in standings.chunks(ROWS) {
        let mut sql = Sql::new(
            tx.dialect(),
            "INSERT INTO CLOCKWRIGHT_ITEM_STATE (job_name, namespace, sharding_item, fire_time, outcome, failure_kind, \
             reason_code, run_id, start_ms, decided_ms, took_ms, streak, good_ms, changed_ms, token)",
        );
        sql.rows(group.iter().map(|((job, namespace, item), standing)| {
            let Standing { newest, streak, good, token } = standing;
            [
                job.as_str().into(),
                namespace.as_str().into(),
                (*item).into(),
                newest.fire.time().into(),
                newest.outcome.word().into(),
                Value::Text(failure_kind(newest).map(|kind| kind.as_str().into())),
                Value::Text(newest.outcome.why().map(|reason| reason.code().into())),
                Value::Text(newest.run_id.map(|id| id.to_string().into())),
                newest.start.into(),
                newest.at.into(),
                took(newest).into(),
                (*streak).into(),
                (*good).into(),
                changed.into(),
                (*token).into(),
            ]
        }));
        forward(&mut sql);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// What a newer fire sets, or one as new.
const SET_FORWARD: [&str; 8] =
    ["outcome", "failure_kind", "reason_code", "run_id", "start_ms", "decided_ms", "took_ms", "changed_ms"];

/// What a row that is there becomes; `{column}` is what came. MySQL makes assignments from left to right, so the time that the others look
/// at comes last.
const REST: &str = "streak = CASE WHEN {fire_time} < CLOCKWRIGHT_ITEM_STATE.fire_time THEN CLOCKWRIGHT_ITEM_STATE.streak \
     WHEN {streak} >= 0 THEN {streak} WHEN CLOCKWRIGHT_ITEM_STATE.streak < 0 THEN CLOCKWRIGHT_ITEM_STATE.streak + {streak} + 1 \
     ELSE CLOCKWRIGHT_ITEM_STATE.streak - {streak} - 1 END, \
     good_ms = CASE WHEN {fire_time} >= CLOCKWRIGHT_ITEM_STATE.fire_time AND {good_ms} IS NOT NULL THEN {good_ms} \
     ELSE CLOCKWRIGHT_ITEM_STATE.good_ms END, \
     token = CASE WHEN {token} > CLOCKWRIGHT_ITEM_STATE.token THEN {token} ELSE CLOCKWRIGHT_ITEM_STATE.token END, \
     fire_time = CASE WHEN {fire_time} > CLOCKWRIGHT_ITEM_STATE.fire_time THEN {fire_time} ELSE CLOCKWRIGHT_ITEM_STATE.fire_time END";

/// Says what becomes of rows that are there.
fn forward(sql: &mut Sql<'_>) {
    sql.text(if sql.dialect.is_mysql() {
        " ON DUPLICATE KEY UPDATE "
    } else {
        " ON CONFLICT (job_name, namespace, sharding_item) DO UPDATE SET "
    });
    for column in SET_FORWARD {
        sql.text(column);
        let newer = " = CASE WHEN {fire_time} >= CLOCKWRIGHT_ITEM_STATE.fire_time THEN {";
        template(sql, &[newer, column, "} ELSE CLOCKWRIGHT_ITEM_STATE.", column, " END, "]);
    }
    template(sql, &[REST]);
}

/// The database's clock, so that those who ask what has changed need not trust the clocks of all who write. A file's is ours.
async fn clock(tx: &mut Tx) -> Result<Millis, Error> {
    let Some(question) = tx.dialect().clock() else { return Ok(jiff::Timestamp::now().as_millisecond()) };
    let rows = tx.fetch(Sql::new(tx.dialect(), question)).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn failure_kind(settlement: &Settlement) -> Option<FailureKind> {
    match settlement.outcome {
        Outcome::Failed { kind, .. } => Some(kind),
        _ => None,
    }
}

/// How long a success took.
pub(super) fn took(settlement: &Settlement) -> Option<Millis> {
    let succeeded = settlement.outcome == Outcome::Succeeded;
    settlement.start.filter(|_| succeeded).map(|start| settlement.at.saturating_sub(start).max(0))
}

/// Whose row it is: job, namespace, item. In this order, so that transactions which take the same rows take them in one order.
pub(super) type ItemKey = (String, String, u32);

pub(super) fn item_key(settlement: &Settlement) -> ItemKey {
    let Settlement { job, namespace, item, .. } = settlement;
    (fit(job.as_str(), 100).into_owned(), fit(namespace, 200).into_owned(), *item)
}

fn standings<'a>(new: &[&'a Settlement]) -> BTreeMap<ItemKey, Standing<'a>> {
    let mut ordered = new.to_vec();
    ordered.sort_by_key(|settlement| (settlement.fire.time(), settlement.at));
    let mut standings: BTreeMap<ItemKey, Standing<'a>> = BTreeMap::new();
    for newest in ordered {
        let before = standings.remove(&item_key(newest));
        let (streak, good, token) =
            before.map_or((-1, None, 0), |before| (before.streak, before.good, before.token));
        let (streak, good) = match newest.outcome.kind() {
            OutcomeKind::Succeeded => (0, Some(newest.at)),
            OutcomeKind::Failed if good.is_some() => (streak + 1, good),
            OutcomeKind::Failed => (streak - 1, good),
            _ => (streak, good),
        };
        let token = token.max(newest.token);
        standings.insert(item_key(newest), Standing { newest, streak, good, token });
    }
    standings
}

impl EventStore {
    pub(super) async fn state_rows(&self, since: Millis, most: usize) -> Result<Vec<StateRow>, StoreError> {
        let mut sql = Sql::new(
            self.db.dialect(),
            "SELECT namespace, job_name, sharding_item, fire_time, outcome, failure_kind, reason_code, run_id, start_ms, \
             decided_ms, took_ms, streak, good_ms, changed_ms FROM CLOCKWRIGHT_ITEM_STATE",
        );
        sql.is("changed_ms >= ", since);
        sql.text(" ORDER BY changed_ms, job_name, namespace, sharding_item LIMIT ");
        sql.bind(i64::try_from(most).unwrap_or(i64::MAX));
        self.all(sql, state_row).await
    }

    pub(super) async fn token_row(&self, namespace: &str) -> Result<Token, StoreError> {
        let mut sql =
            Sql::new(self.db.dialect(), "SELECT COALESCE(MAX(token), 0) FROM CLOCKWRIGHT_ITEM_STATE");
        super::read::in_namespace(&mut sql, Some(namespace));
        let rows = self.all(sql, |row| row.int(0)).await?;
        Ok(rows.first().copied().unwrap_or(0))
    }
}

fn state_row(row: &Row) -> Result<StateRow, Error> {
    Ok(StateRow {
        namespace: row.text(0)?,
        job: row.text(1)?,
        item: row.id(2)?,
        fire_time: row.int(3)?,
        outcome: super::read::outcome_kind(&row.text(4)?)?,
        failure_kind: row.maybe_text(5)?,
        reason_code: row.maybe_text(6)?,
        run_id: row.maybe_text(7)?,
        start: row.maybe_int(8)?,
        decided: row.int(9)?,
        took: row.maybe_int(10)?,
        streak: match row.int(11)? {
            added if added < 0 => (-1 - added).unsigned_abs(),
            streak => streak.unsigned_abs(),
        },
        good: row.maybe_int(12)?,
        changed: row.int(13)?,
    })
}
