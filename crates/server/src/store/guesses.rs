//! Counters of sign-ins, shared by all control servers: they are charged before a password is looked at, and given back when it was right.
//!
//! Charged first, a hundred guesses at once count as a hundred. Whether a login is somebody's changes nothing of what the database is asked: the same
//! statements are sent, and for nobody they change no row.

use super::{Store, StoreError};
use clockwright_model::Millis;
use clockwright_sql::{Sql, Tx};

pub(super) const MINUTE: Millis = 60_000;
/// How often a charge begins anew, when another one makes the same counter at the same time.
const ATTEMPTS: usize = 5;

/// A sign-in to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Guess<'a> {
    /// Whose password it is, if the login is anybody's; else empty.
    pub user: &'a str,
    /// The login's counter.
    pub login: &'a str,
    /// The counter of where it comes from.
    pub place: &'a str,
    /// When.
    pub now: Millis,
}

/// What the counters say of it, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// How many of this login failed in this minute.
    pub of_login: i64,
    /// How many from this place failed in this minute.
    pub of_place: i64,
    /// The login waits after failures in a row.
    pub waits: bool,
}

impl Store {
    /// Counts a sign-in as failed. `wait` says until when a login waits after so many failures in a row.
    ///
    /// # Errors
    /// The database is away.
    pub async fn charge(
        &self,
        guess: Guess<'_>,
        patient: i64,
        wait: impl Fn(i64) -> Millis,
    ) -> Result<Charged, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.try_charge(guess, patient, &wait).await {
                Err(StoreError::Taken) => {}
                done => return done,
            }
        }
        self.try_charge(guess, patient, &wait).await
    }

    async fn try_charge(
        &self,
        guess: Guess<'_>,
        patient: i64,
        wait: impl Fn(i64) -> Millis,
    ) -> Result<Charged, StoreError> {
        let mut tx = self.write().await?;
        let of_place = count(&mut tx, "place", guess.place, guess.now).await?;
        let of_login = count(&mut tx, "login", guess.login, guess.now).await?;
        let mut sql = Sql::new(tx.dialect(), "UPDATE CLOCKWRIGHT_USER SET failed = failed + 1");
        sql.is("id = ", guess.user);
        sql.is("COALESCE(locked_until, 0) <= ", guess.now);
        let is_charged = tx.execute(sql).await? == 1;
        let mut sql = Sql::new(tx.dialect(), "SELECT failed FROM CLOCKWRIGHT_USER");
        sql.is("id = ", guess.user);
        let failed = tx.fetch(sql).await?.first().map(|row| row.int(0)).transpose()?;
        if is_charged {
            let mut sql = Sql::new(tx.dialect(), "UPDATE CLOCKWRIGHT_USER SET locked_until = ");
            sql.bind(guess.now + wait(failed.unwrap_or_default()));
            sql.is("id = ", guess.user);
            sql.is("failed >= ", patient);
            tx.execute(sql).await?;
        }
        tx.commit().await?;
        Ok(Charged { of_login, of_place, waits: failed.is_some() && !is_charged })
    }

    /// The password was right: what was charged for it is given back, and the login begins anew.
    ///
    /// # Errors
    /// The database is away.
    pub async fn give_back(&self, guess: Guess<'_>) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for (kind, who) in [("place", guess.place), ("login", guess.login)] {
            let mut sql = Sql::new(tx.dialect(), "UPDATE CLOCKWRIGHT_GUESS SET tries = tries - 1");
            sql.is("kind = ", kind);
            sql.is("who = ", who);
            sql.is("slot = ", guess.now / MINUTE);
            sql.must("tries > 0");
            tx.execute(sql).await?;
        }
        let mut sql = Sql::new(tx.dialect(), "UPDATE CLOCKWRIGHT_USER SET failed = 0, locked_until = NULL");
        sql.is("id = ", guess.user);
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }
}

/// Adds one to a counter of this minute.
async fn count(tx: &mut Tx, kind: &'static str, who: &str, now: Millis) -> Result<i64, StoreError> {
    let slot = now / MINUTE;
    // The counter before the minute: MySQL looks at what it has set already.
    let mut sql = Sql::new(tx.dialect(), "UPDATE CLOCKWRIGHT_GUESS SET tries = CASE WHEN slot = ");
    sql.bind(slot);
    sql.text(" THEN tries + 1 ELSE 1 END, slot = ");
    sql.bind(slot);
    sql.is("kind = ", kind);
    sql.is("who = ", who);
    if tx.execute(sql).await? == 0 {
        let mut sql = Sql::new(tx.dialect(), "INSERT INTO CLOCKWRIGHT_GUESS (kind, who, slot, tries)");
        sql.rows(std::iter::once([kind.into(), who.into(), slot.into(), 1i64.into()]));
        tx.execute(sql).await?;
        return Ok(1);
    }
    let mut sql = Sql::new(tx.dialect(), "SELECT tries FROM CLOCKWRIGHT_GUESS");
    sql.is("kind = ", kind);
    sql.is("who = ", who);
    let rows = tx.fetch(sql).await?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(1))
}
