//! Databases that the team already has, from the command line: of outcomes, and of a server.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use clockwright_testkit::sql::{Kind, PASSWORD, Session, SqlServer, shared};
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

#[test]
fn a_server_whose_database_a_later_one_migrates_beyond_it_ends_and_says_why() {
    let place = Place::new();
    // A server on a file makes the key that one on a database has to be given.
    drop(place.serve());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(shared(Kind::Postgres).database()).unwrap();
    let mut server = place.start(&["server", "--listen", "127.0.0.1:0", "--database", &address]);
    eventually(PATIENCE, "it serves", || place.talk().matches("serving at").count() == 2);
    let note = |numbers: &str| {
        let statement = format!("UPDATE CLOCKWRIGHT_CONTROL_SCHEMA SET {numbers}");
        let noted = async { Session::open(&address).await.unwrap().run(&statement).await.unwrap() };
        runtime.block_on(noted);
    };
    note("version = 2, min_version = 1");
    let check = place.run(&["server", "--check", "--database", &address]);
    assert!(check.code == 0 && check.talk.contains("tables of this version"), "{check:?}");
    note("min_version = 2");
    assert_eq!(server.wait(), 1);
    assert!(place.talk().contains("migrated by a later version"), "{}", place.talk());
    let check = place.run(&["server", "--check", "--database", &address]);
    assert!(check.code == 1 && check.talk.contains("has version 2"), "{check:?}");
    place.write("clockwright.yaml", &format!("database: {address}\n"));
    for way in ["rescue", "setup-link"] {
        let refused = place.run(&["user", way]);
        assert!(refused.code == 1 && refused.talk.contains("start the later program again"), "{refused:?}");
    }
    assert!(!place.talk().contains(PASSWORD));
}
