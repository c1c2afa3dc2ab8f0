//! The database and the event stores.

mod settings;

use super::super::counts::events;
use super::{DAY, Looked, PATIENCE_WITH_ONE, Patient, finding, skew, within};
use clockwright_api::alerts::Condition;
use clockwright_api::system::Gravity;
use clockwright_model::Millis;
use clockwright_sql::OpenError;
use futures::future::join_all;
use std::collections::BTreeSet;

/// Losses of this time are told.
const RECENT: Millis = 7 * DAY;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let place = "database";
    let store = match &patient.store {
        Ok(store) => *store,
        Err(OpenError::Missing(_)) => {
            let what = "there is no database yet";
            return Ok(vec![finding(
                Gravity::Note,
                "database-missing",
                place,
                what,
                "the first start makes it",
            )]);
        }
        Err(OpenError::Behind { goes_on, .. }) => {
            let what = "the database was made by an earlier release";
            let fix = if *goes_on {
                "the next start of a server brings it up to date, and servers of before go on beside it; back it up before"
            } else {
                "the next start of a server brings it up to date, and servers of before end then; back it up before"
            };
            return Ok(vec![finding(Gravity::Note, "database-behind", place, what, fix)]);
        }
        Err(error) => {
            let fix = "see whether the database runs, and whether the address and the password are right";
            return Ok(vec![finding(Gravity::Error, "database-away", place, error.to_string(), fix)]);
        }
    };
    let mut found = Vec::new();
    let sent = patient.now();
    if let Some(theirs) = store.clock().await? {
        found.extend(skew(place, theirs, sent, patient.now()));
    }
    if store.is_replica().await? {
        found.push(finding(
            Gravity::Error,
            "database-is-replica",
            place,
            "it is a replica: what is read may be old, and nothing can be written",
            "name the primary",
        ));
    }
    if store.lock_holds().await? == Some(false) {
        found.push(finding(
            Gravity::Error,
            "lock-does-not-hold",
            place,
            "two connections had the lock of the journal's head at once, so two servers may do one thing twice",
            "use one primary; no proxy or cluster that spreads transactions over several",
        ));
    }
    found.extend(settings::judge(&store.settings().await?));
    Ok(found)
}

/// The key that seals from now on, and since when it does.
pub(super) async fn of_key(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    // A file that cannot be read is told among the files.
    let Ok(ring) = crate::sealing::read(&patient.config.key_file) else { return Ok(Vec::new()) };
    let keys = store.keys().await?;
    let most = Condition::KeyOld.usual().threshold.unwrap_or_default();
    let age = |at: Millis| (patient.now() - at) / DAY;
    let old = keys.into_iter().find(|key| key.id == ring.first() && age(key.at) > most);
    let told = old.map(|key| {
        finding(
            Gravity::Note,
            "key-old",
            "key_file",
            format!("the key `{}` seals secrets for {} days", key.id, age(key.at)),
            "`clockwright secret rotate` makes another one and seals everything anew",
        )
    });
    Ok(told.into_iter().collect())
}

pub(super) async fn of_stores(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    let used: BTreeSet<String> = store.projects().await?.into_iter().map(|project| project.store).collect();
    let looks = used.iter().map(|name| within(PATIENCE_WITH_ONE, name, of_store(patient, name)));
    Ok(join_all(looks).await.concat())
}

async fn of_store(patient: &Patient<'_>, name: &str) -> Looked {
    let history = match patient.histories.of(name).await {
        Ok(history) => history,
        Err(error) => {
            let fix = "see whether it runs, and whether `store` or `stores` names it rightly";
            return Ok(vec![finding(Gravity::Error, "store-away", name, error.to_string(), fix)]);
        }
    };
    let mut found = Vec::new();
    let events = events(&history.losses(patient.now() - RECENT, patient.now()).await?);
    if events > 0 {
        found.push(finding(
            Gravity::Warning,
            "events-lost",
            name,
            format!(
                "{events} events of the last seven days could neither be stored nor kept by their instances"
            ),
            "give the instances a data folder with room; GET …/losses says which and why",
        ));
    }
    if history.searches_slowly() {
        found.push(finding(
            Gravity::Note,
            "no-trigram-index",
            name,
            "a search for a text that few reasons have looks through all of them",
            "CREATE EXTENSION pg_trgm as the database's owner; the index is made at the next start",
        ));
    }
    Ok(found)
}
