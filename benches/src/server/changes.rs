//! Changes with their record in the journal, by 16 clients at once, beside the same transaction by 16 bare connections: the head's row locked and
//! numbered, a record, the head's hash.

use super::stage::{SESSION, Stage};
use crate::Scale;
use crate::events::Database;
use crate::report::{Row, tell};
use crate::stats::median;
use anyhow::ensure;
use clockwright_testkit::sql::Session;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CLIENTS: usize = 16;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (pairs, time) = (scale.pick(5, 2, 1), Duration::from_secs_f64(scale.pick(3.0, 2.0, 0.3)));
    let mut rows = Vec::new();
    for database in scale.databases() {
        let aim = match database {
            Database::Sqlite => 1_000.0,
            Database::Postgres => 500.0,
            Database::MariaDb => 300.0,
        };
        let stage = Stage::open(database, "changes", SESSION).await?;
        let mut versions = Vec::new();
        for client in 0..CLIENTS {
            stage.post("/api/v1/projects", &json!({ "name": format!("of-{client}") })).await?;
            versions.push(1);
        }
        prepare(&stage).await?;
        let (mut rates, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let rate = product(&stage, &mut versions, time).await?;
            let bare = floor(&stage, database, time).await?;
            rates.push(rate);
            bares.push(bare);
            ratios.push(rate / bare);
        }
        let rate = median(rates);
        let row = Row::new(format!("changes/s with journal, {CLIENTS} clients"), database.name(), "/s")
            .product([rate])
            .floor([median(bares)])
            .ratio(median(ratios))
            .aim(format!("≥ {aim}"), rate >= aim)
            .note(format!("floor: the bare transaction; {pairs} pairs"));
        tell(&mut rows, vec![row]);
        stage.close().await?;
    }
    Ok(rows)
}

/// Each client changes a project of its own, naming the version that it changes.
async fn product(stage: &Stage, versions: &mut [i64], time: Duration) -> anyhow::Result<f64> {
    let mut tasks: JoinSet<anyhow::Result<(usize, i64)>> = JoinSet::new();
    let begun = Instant::now();
    for (client, first) in versions.iter().copied().enumerate() {
        let door = stage.door();
        tasks.spawn(async move {
            let (mut connection, mut version) = (door.enter().await?, first);
            let path = format!("/api/v1/projects/of-{client}");
            while begun.elapsed() < time {
                let tag = format!("if-match: \"v{version}\"\r\n");
                let ask = json!({ "title": format!("the title of {version}") });
                let answer = connection.ask("PATCH", &path, &tag, &ask).await?;
                ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
                version += 1;
            }
            Ok((client, version))
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        let (client, version) = ended??;
        done += version - versions[client];
        versions[client] = version;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Tables as those of the journal, for the bare transactions.
async fn prepare(stage: &Stage) -> anyhow::Result<()> {
    let mut sql = stage.sql().await?;
    for statement in [
        "CREATE TABLE BARE_HEAD AS SELECT * FROM CLOCKWRIGHT_HEAD",
        "CREATE TABLE BARE_JOURNAL AS SELECT * FROM CLOCKWRIGHT_JOURNAL WHERE seq = 1",
        "CREATE UNIQUE INDEX BARE_JOURNAL_SEQ ON BARE_JOURNAL (seq)",
        "CREATE INDEX BARE_JOURNAL_PROJECT ON BARE_JOURNAL (project, seq)",
        "CREATE INDEX BARE_JOURNAL_TARGET ON BARE_JOURNAL (target, seq)",
        "CREATE INDEX BARE_JOURNAL_ACTOR ON BARE_JOURNAL (actor, seq)",
        "CREATE INDEX BARE_JOURNAL_ACTION ON BARE_JOURNAL (action, seq)",
        "CREATE INDEX BARE_JOURNAL_AT ON BARE_JOURNAL (at)",
    ] {
        sql.run(statement).await?;
    }
    Ok(())
}

/// What the server asks for in its own sessions.
fn as_the_server(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "PRAGMA synchronous = FULL",
        Database::Postgres => "SET default_transaction_isolation = 'read committed'",
        Database::MariaDb => "SET SESSION tx_isolation = 'READ-COMMITTED'",
    }
}

async fn floor(stage: &Stage, database: Database, time: Duration) -> anyhow::Result<f64> {
    // Only one writes a file at a time; others would wait for nothing.
    let clients = if database == Database::Sqlite { 1 } else { CLIENTS };
    let begin = match database {
        Database::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    };
    let transaction = [
        begin,
        "UPDATE BARE_HEAD SET seq = seq + 1 WHERE id = 1",
        "INSERT INTO BARE_JOURNAL SELECT h.seq, j.at, j.actor_kind, j.actor, j.actor_name, j.via, j.ip, j.request, j.action, j.project, \
         j.target_kind, j.target, j.target_name, j.outcome, j.code, j.changes, j.reason, j.prev, j.hash \
         FROM BARE_HEAD h, CLOCKWRIGHT_JOURNAL j WHERE j.seq = 1",
        "UPDATE BARE_HEAD SET hash = 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff' WHERE id = 1",
        "COMMIT",
    ];
    let mut tasks: JoinSet<anyhow::Result<u64>> = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..clients {
        let address = stage.control().to_owned();
        tasks.spawn(async move {
            let mut session = Session::open(&address).await?;
            session.run(as_the_server(database)).await?;
            let mut done = 0;
            while begun.elapsed() < time {
                for statement in transaction {
                    session.run(statement).await?;
                }
                done += 1;
            }
            Ok(done)
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended??;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}
