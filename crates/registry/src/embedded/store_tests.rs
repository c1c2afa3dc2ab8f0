//! The writer on disks that work, are full, or hold something else.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{ConnectOptions, Embedded, Error, Op, SharedRegistry};
use std::sync::atomic::{AtomicU32, Ordering};

/// Lets the database grow to so many pages; 0 is as it likes.
pub(super) async fn limit(connection: &mut SqliteConnection, pages: &AtomicU32) -> Result<(), sqlx::Error> {
    let pages = match pages.load(Ordering::SeqCst) {
        0 => u32::MAX - 1,
        pages => pages,
    };
    sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(connection).await?;
    Ok(())
}

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn session(registry: &Embedded) -> SharedRegistry {
    registry.connect(ConnectOptions::default()).unwrap()
}

/// Opens a registry whose disk can be made full.
async fn open(dir: &FilePath) -> (Embedded, Arc<AtomicU32>) {
    let (store, contents) = Store::open(dir).await.unwrap();
    let limit = Arc::clone(&store.page_limit);
    (Embedded::kept(store, contents), limit)
}

/// The folder of a registry that has ended, with one node that says this.
async fn left_with(data: &'static str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _) = open(dir.path()).await;
    session(&registry).commit(vec![Op::create(path("/a"), data)]).await.unwrap();
    registry.close().await.unwrap();
    dir
}

/// A registry with one node and no room for more.
async fn full(dir: &FilePath, data: &'static str) -> (Embedded, Arc<AtomicU32>, SharedRegistry) {
    let (registry, disk) = open(dir).await;
    let one = session(&registry);
    one.commit(vec![Op::create(path("/a"), data)]).await.unwrap();
    disk.store(1, Ordering::SeqCst);
    (registry, disk, one)
}

#[tokio::test]
async fn a_full_disk_leaves_commits_unknown_refuses_later_ones_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, disk, one) = full(dir.path(), "small").await;
    let large = vec![7_u8; 400_000];
    let error = one.commit(vec![Op::create(path("/b"), large.clone())]).await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    let error = one.commit(vec![Op::set(path("/a"), "more")]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(why) if why.contains("full") && why.contains("registry.db")),
        "{error}"
    );
    let error = one.read(&[path("/b")]).await.unwrap_err();
    assert!(error.is_retryable(), "what may yet be lost must not be seen: {error}");
    assert_eq!(one.read(&[path("/a")]).await.unwrap()[0].as_ref().unwrap().data, "small");

    disk.store(0, Ordering::SeqCst);
    let mut saved = registry.shared.saved.subscribe();
    saved.wait_for(|saved| saved.trouble.is_none()).await.unwrap();
    assert_eq!(one.read(&[path("/b")]).await.unwrap()[0].as_ref().unwrap().data, large);
    one.commit(vec![Op::set(path("/a"), "more")]).await.unwrap();
    drop(saved);
    registry.close().await.unwrap();
    let (registry, _) = open(dir.path()).await;
    let nodes = session(&registry).read(&[path("/a"), path("/b")]).await.unwrap();
    assert_eq!(nodes[0].as_ref().unwrap().data, "more");
    assert_eq!(nodes[1].as_ref().unwrap().data, large);
}

#[tokio::test]
async fn closing_on_a_full_disk_says_that_something_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _, one) = full(dir.path(), "").await;
    let error = one.commit(vec![Op::create(path("/b"), vec![7_u8; 400_000])]).await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    let error = registry.close().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let (registry, _) = open(dir.path()).await;
    assert_eq!(session(&registry).list(&Path::root()).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn what_was_saved_is_there_again_with_its_numbers_and_ephemerals_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _) = open(dir.path()).await;
    let one = session(&registry);
    let sequential =
        || Op::Create { path: path("/a/n-"), data: "".into(), mode: crate::Mode::EphemeralSequential };
    one.commit(vec![Op::create(path("/a"), "1"), Op::set(path("/a"), "2"), Op::create(path("/gone"), "")])
        .await
        .unwrap();
    one.commit(vec![sequential(), sequential(), Op::delete(path("/gone")), Op::set(path("/"), "root")])
        .await
        .unwrap();
    let before = one.read(&[path("/a"), path("/")]).await.unwrap();
    let (session_before, transaction) =
        (one.terms().session, one.commit(vec![Op::check(path("/a"))]).await.unwrap());
    registry.close().await.unwrap();

    let (registry, _) = open(dir.path()).await;
    let one = session(&registry);
    let mut after = one.read(&[path("/a"), path("/")]).await.unwrap();
    assert_eq!(after[0].as_ref().unwrap().stat.children, 0);
    after[0].as_mut().unwrap().stat.children = 2;
    for (after, before) in after.iter_mut().flatten().zip(before.iter().flatten()) {
        assert_eq!(after.stat.children_changed, 0, "when children changed is not saved");
        after.stat.children_changed = before.stat.children_changed;
    }
    assert_eq!(after, before);
    assert_eq!(one.list(&Path::root()).await.unwrap(), ["a"]);
    let commit = one.commit(vec![sequential()]).await.unwrap();
    assert!(commit.transaction > transaction.transaction);
    assert_eq!(commit.results, [crate::OpResult::Created(path("/a/n-0000000002"))]);
    assert!(one.terms().session > session_before);
}

#[tokio::test]
async fn a_directory_is_open_in_one_place_only_and_free_after_close_or_drop() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Embedded::open(dir.path()).await.unwrap();
    let error = Embedded::open(dir.path()).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&dir.path().display().to_string()) && text.contains(&std::process::id().to_string()),
        "{text}"
    );
    let mut saved = registry.shared.saved.subscribe();
    let one = session(&registry);
    one.commit(vec![Op::create(path("/a"), "")]).await.unwrap();
    drop((registry, one));
    saved.wait_for(|saved| saved.ended).await.unwrap();
    let registry = Embedded::open(dir.path()).await.unwrap();
    assert_eq!(session(&registry).list(&Path::root()).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_database_of_a_later_layout_or_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Embedded::open(dir.path()).await.unwrap().close().await.unwrap();
    let mut connection = connect(dir.path()).await.unwrap();
    sqlx::query("PRAGMA user_version = 9").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = Embedded::open(dir.path()).await.err().unwrap();
    assert!(error.to_string().contains("layout is number 9"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("registry.db"),
        "this is no database, and it is long enough to be seen as none".repeat(40),
    )
    .unwrap();
    let error = Embedded::open(dir.path()).await.err().unwrap();
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
}

#[test]
fn a_list_is_cut_into_few_sizes_and_nothing_is_left_out() {
    let list: Vec<usize> = (0..1_273).collect();
    let sizes: Vec<usize> = chunks(&list).map(<[usize]>::len).collect();
    assert_eq!(sizes, [500, 500, 100, 100, 20, 20, 20, 5, 5, 1, 1, 1]);
    assert_eq!(chunks(&list).flatten().copied().collect::<Vec<_>>(), list);
}

/// A copy of the files of a registry that is in use, as a killed process would leave them.
fn snapshot(dir: &FilePath) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Registry files with twenty acknowledged transactions, and the number of the last.
async fn twenty() -> (tempfile::TempDir, i64) {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _) = open(dir.path()).await;
    let one = session(&registry);
    let mut last = 0;
    for n in 0..20 {
        last = one.commit(vec![Op::create(path(&format!("/n{n:02}")), "")]).await.unwrap().transaction;
    }
    (snapshot(dir.path()), last)
}

#[tokio::test]
async fn a_log_that_was_cut_or_damaged_is_noticed_and_no_number_comes_again() {
    for damage in ["none", "cut", "flipped"] {
        let (dir, last) = twenty().await;
        let log = dir.path().join("registry.db-wal");
        let mut bytes = std::fs::read(&log).unwrap();
        let middle = bytes.len() / 2;
        match damage {
            "cut" => bytes.truncate(middle),
            "flipped" => bytes[middle] ^= 1,
            _ => {}
        }
        std::fs::write(&log, bytes).unwrap();
        let (registry, _) = open(dir.path()).await;
        let one = session(&registry);
        let left = one.list(&Path::root()).await.unwrap().len();
        assert_eq!(left == 20, damage == "none", "{damage}: {left} nodes are left");
        let next = one.commit(vec![Op::create(path("/next"), "")]).await.unwrap().transaction;
        assert!(next > last, "{damage}: {next} after {last}");
        registry.close().await.unwrap();
        let (store, contents) = Store::open(dir.path()).await.unwrap();
        assert_eq!((contents.transaction >= next, store.dir.as_path()), (true, dir.path()));
    }
}

#[tokio::test]
async fn a_row_that_was_damaged_is_named_and_not_used() {
    let dir = left_with("precious").await;
    let file = dir.path().join(DATABASE);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(8).position(|window| window == b"precious").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let Err(error) = Store::open(dir.path()).await else { panic!("it was used") };
    let text = error.to_string();
    assert!(text.contains("holds of /a is damaged") && text.contains("copy of the whole folder"), "{text}");
}

#[tokio::test]
async fn a_database_of_the_first_layout_gets_its_checksums() {
    let dir = left_with("old").await;
    let mut connection = connect(dir.path()).await.unwrap();
    for sql in ["ALTER TABLE node DROP COLUMN checksum", "PRAGMA user_version = 1"] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let (registry, _) = open(dir.path()).await;
    session(&registry).commit(vec![Op::create(path("/b"), "new")]).await.unwrap();
    registry.close().await.unwrap();
    let (registry, _) = open(dir.path()).await;
    assert_eq!(session(&registry).list(&Path::root()).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_database_that_is_deleted_while_it_is_in_use_is_made_anew() {
    for whole in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("registry");
        let (registry, _) = open(&place).await;
        let one = session(&registry);
        one.commit(vec![Op::set(Path::root(), "root"), Op::create(path("/a"), "before")]).await.unwrap();
        if whole {
            std::fs::remove_dir_all(&place).unwrap();
        } else {
            for file in ["registry.db", "registry.db-wal", "registry.db-shm"] {
                std::fs::remove_file(place.join(file)).unwrap();
            }
        }
        let last = one.commit(vec![Op::create(path("/b"), "after")]).await.unwrap().transaction;
        assert!(matches!(Store::open(&place).await, Err(OpenError::InUse { .. })), "the folder is ours");
        registry.close().await.unwrap();
        let (registry, _) = open(&place).await;
        let one = session(&registry);
        let nodes = one.read(&[Path::root(), path("/a"), path("/b")]).await.unwrap();
        let data: Vec<_> = nodes.into_iter().map(|node| node.unwrap().data).collect();
        assert_eq!(data, ["root", "before", "after"], "whole folder: {whole}");
        assert!(one.commit(vec![Op::check(path("/a"))]).await.unwrap().transaction > last);
    }
}
