//! Servers of neighbouring versions on one database.

use crate::stage::{Stage, on_each_database};
use clockwright_server::store::{OpenError, Store};
use clockwright_testkit::sql::Session;

on_each_database! {
    a_server_of_before_goes_on_beside_a_later_one_and_not_beside_one_that_took_something_away
}

impl Stage {
    /// What a program notes that knows `version` steps, the last of which programs of `least` and later can do without.
    async fn note(&self, version: u32, least: u32) {
        let statement = if self.address().starts_with("sqlite:") {
            format!("PRAGMA user_version = {}", least << 16 | version)
        } else {
            format!("UPDATE CLOCKWRIGHT_CONTROL_SCHEMA SET version = {version}, min_version = {least}")
        };
        Session::open(self.address()).await.unwrap().run(&statement).await.unwrap();
    }
}

async fn a_server_of_before_goes_on_beside_a_later_one_and_not_beside_one_that_took_something_away(
    stage: &Stage,
) {
    stage.note(2, 1).await;
    assert!(!stage.app.store.is_outgrown().await.unwrap());
    Store::look(stage.address()).await.unwrap();
    let beside = stage.another().await;
    assert!(!beside.store.is_outgrown().await.unwrap(), "and it left the note as it was");
    stage.admin().await;
    stage.note(3, 2).await;
    let is_file = stage.address().starts_with("sqlite:");
    assert_eq!(stage.app.store.is_outgrown().await.unwrap(), !is_file, "a file has one server at a time");
    for refused in [Store::look(stage.address()).await.err(), Store::open(stage.address()).await.err()] {
        assert!(matches!(refused, Some(OpenError::Newer { found: 3, known: 1, .. })), "{refused:?}");
    }
    // Programs of before this was noted made the table without it.
    if !is_file {
        let mut session = Session::open(stage.address()).await.unwrap();
        session.run("ALTER TABLE CLOCKWRIGHT_CONTROL_SCHEMA DROP COLUMN min_version").await.unwrap();
        assert!(matches!(Store::look(stage.address()).await, Err(OpenError::Newer { found: 3, .. })));
        session.run("UPDATE CLOCKWRIGHT_CONTROL_SCHEMA SET version = 1").await.unwrap();
        Store::open(stage.address()).await.unwrap();
    }
}
