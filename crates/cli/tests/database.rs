//! Outcomes in a database that the team already has, from the command line.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use clockwright_testkit::sql::{Kind, PASSWORD, SqlServer};
use common::{Place, ticks};

/// Jobs run while their database is away, even from the start, and nothing is missing once it is there.
fn outcomes_reach(kind: Kind) {
    let server = SqlServer::start(kind).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(server.database()).unwrap();
    server.kill();
    let place = Place::new();
    place.write("jobs.yaml", &ticks(1));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1", "--events", &address]);
    eventually(PATIENCE, "events wait on disk", || {
        let spool = std::fs::read_dir(place.path().join(".clockwright/spool"));
        spool
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().ends_with(".events"))
    });
    let away = place.run(&["run", "list", "--events", &address]);
    assert_eq!(away.code, 3, "{away:?}");
    server.restart().unwrap();
    let rows = place.until(&["run", "list", "tick", "--events", &address], |json| {
        json.as_array().is_some_and(|rows| rows.len() > 3)
    });
    // One outcome for each second since the first one, on time or late.
    let mut times: Vec<i64> =
        rows.as_array().unwrap().iter().map(|row| row["fireTime"].as_i64().unwrap()).collect();
    times.reverse();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1000), "{times:?}");
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    let missing = "0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let none = place.run(&["run", "get", missing, "--events", &address]);
    assert_eq!(none.code, 1, "{none:?}");
    for said in [&place.talk(), &away.talk, &none.talk] {
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn outcomes_reach_a_postgres_that_was_away() {
    outcomes_reach(Kind::Postgres);
}

#[test]
fn outcomes_reach_a_mariadb_that_was_away() {
    outcomes_reach(Kind::MariaDb);
}
