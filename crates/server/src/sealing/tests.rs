#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::store::Store;
use std::os::unix::fs::PermissionsExt;

const HERE: Place<'static> = Place { table: "CHANNEL", column: "sealed", row: "a" };

#[test]
fn what_is_sealed_opens_in_its_place_and_in_no_other() {
    let ring = Keyring::random();
    let sealed = ring.seal(HERE, "open sesame");
    assert!(sealed.starts_with(&format!("v1.{}.", ring.first())), "{sealed}");
    assert_eq!(ring.open(HERE, &sealed).unwrap().reveal(), "open sesame");
    assert_ne!(sealed, ring.seal(HERE, "open sesame"), "each nonce is new");
    for elsewhere in
        [Place { row: "b", ..HERE }, Place { column: "what", ..HERE }, Place { table: "KEY", ..HERE }]
    {
        assert_eq!(ring.open(elsewhere, &sealed).unwrap_err(), SealError::Broken);
    }
}

#[test]
fn a_text_that_was_changed_or_is_of_another_key_does_not_open() {
    let ring = Keyring::random();
    let sealed = ring.seal(HERE, "open sesame");
    let at = sealed.len() - 3;
    let other = if &sealed[at..=at] == "A" { "B" } else { "A" };
    let mut changed = sealed.clone();
    changed.replace_range(at..=at, other);
    assert_eq!(ring.open(HERE, &changed).unwrap_err(), SealError::Broken);
    assert!(matches!(Keyring::random().open(HERE, &sealed), Err(SealError::NoKey(_))));
    for text in ["", "v1", "v2.a.b.c", "v1.a.b.c.d", "v1.a.!.c"] {
        assert!(matches!(ring.open(HERE, text), Err(SealError::Form | SealError::NoKey(_))), "{text}");
    }
}

#[test]
fn every_key_of_the_file_opens_and_the_first_one_seals() {
    let (old, new) = (file::line(), file::line());
    let before = Keyring::parse(&old).unwrap();
    let sealed = before.seal(HERE, "x");
    let after = Keyring::parse(&format!("# keys\n{new}\n{old}")).unwrap();
    assert_eq!(after.open(HERE, &sealed).unwrap().reveal(), "x");
    assert_ne!(after.first(), before.first());
    assert!(after.seal(HERE, "x").starts_with(&format!("v1.{}.", after.first())));
}

#[test]
fn a_line_that_is_no_key_is_named_and_not_shown() {
    let good = file::line();
    for (text, line) in [
        ("", 1),
        ("only-an-id", 1),
        ("id c2hvcnQ=", 1),
        (&format!("{good}id not-base64!"), 2),
        (&format!("{good}{good}"), 2),
        (&format!("a.b {}", &good[9..]), 1),
    ] {
        assert_eq!(Keyring::parse(text).unwrap_err().0, line, "{text}");
    }
    assert!(!format!("{:?}", Keyring::random()).contains('='));
}

#[test]
fn s30_a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.key");
    make(&path).unwrap();
    assert!(read(&path).is_ok());
    assert!(make(&path).is_err(), "a key file is never written over");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = read(&path).unwrap_err().to_string();
    assert!(refused.contains("chmod 600") && refused.contains("640"), "{refused}");
}

#[test]
fn a_running_server_has_a_key_that_was_put_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.key");
    make(&path).unwrap();
    let vault = Vault::open(&path).unwrap();
    let sealed = vault.ring().seal(HERE, "x");
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(earlier).unwrap();
    let _ = vault.ring();
    let new = put_first(&path).unwrap();
    assert_eq!(vault.ring().first(), new);
    assert_eq!(vault.ring().open(HERE, &sealed).unwrap().reveal(), "x");
    std::fs::write(&path, "rubbish").unwrap();
    assert_eq!(vault.ring().first(), new, "what cannot be used changes nothing");
}

#[test]
fn what_a_crash_left_of_a_key_file_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.key");
    make(&path).unwrap();
    for name in ["control.new", "control.key.part"] {
        std::fs::write(folder.path().join(name), "half a").unwrap();
    }
    let new = put_first(&path).unwrap();
    assert_eq!(read(&path).unwrap().first(), new);
}

async fn started(folder: &std::path::Path) -> (Store, Config) {
    let store = Store::open(&format!("sqlite:{}", folder.join("control.db").display())).await.unwrap();
    (store, Config { key_file: folder.join("control.key"), ..Config::default() })
}
use crate::config::Config;

#[tokio::test]
async fn a_database_and_a_key_file_that_do_not_belong_together_are_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let (store, config) = started(folder.path()).await;
    unlock(&store, &config).await.unwrap();
    unlock(&store, &config).await.unwrap();
    let kept = std::fs::read_to_string(&config.key_file).unwrap();
    std::fs::remove_file(&config.key_file).unwrap();
    assert!(matches!(unlock(&store, &config).await, Err(UnlockError::None(..))), "no other one is made");
    make(&config.key_file).unwrap();
    assert!(matches!(unlock(&store, &config).await, Err(UnlockError::Lacks { .. })));
    let other = file::line();
    let (id, secret) = (kept.split(' ').next().unwrap(), other.split(' ').next_back().unwrap());
    std::fs::write(&config.key_file, format!("{id} {secret}")).unwrap();
    assert!(matches!(unlock(&store, &config).await, Err(UnlockError::Another { .. })));
    std::fs::write(&config.key_file, kept).unwrap();
    unlock(&store, &config).await.unwrap();
}

#[tokio::test]
async fn after_a_rotation_the_old_key_can_be_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let (store, config) = started(folder.path()).await;
    let old = unlock(&store, &config).await.unwrap().ring();
    let new = put_first(&config.key_file).unwrap();
    let rotated = rotate(&store, &config).await.unwrap();
    assert_eq!(rotated.key, new);
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [new.as_str()]);
    let lines = std::fs::read_to_string(&config.key_file).unwrap();
    std::fs::write(&config.key_file, lines.lines().next().unwrap()).unwrap();
    assert!(!unlock(&store, &config).await.unwrap().ring().ids().any(|id| id == old.first()));
}
