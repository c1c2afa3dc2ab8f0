//! Files that hold what others must not read, and the room that is left.

use super::{DAY, finding};
use crate::config::Config;
use crate::listen::tls::Tls;
use clockwright_api::At;
use clockwright_api::alerts::Condition;
use clockwright_api::system::{Finding, Gravity};
use clockwright_model::Millis;
use clockwright_sql::Address;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Less room than this is told, bytes, …
const LITTLE: u64 = 512 << 20;
/// … and less than this share of the disk.
const SHARE: u64 = 20;

pub(super) fn look(config: &Config, now: Millis) -> Vec<Finding> {
    let mut found = Vec::new();
    if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) {
        found.extend(of_certificate(cert, key, now));
    }
    if let Some(key) = &config.tls_key
        && is_open(key)
    {
        found.push(finding(
            Gravity::Error,
            "file-readable",
            "tls.key",
            "every user of this machine may read the certificate's key",
            "chmod 600, and have a new certificate made if others were there",
        ));
    }
    if config.key_file.exists()
        && let Err(error) = crate::sealing::read(&config.key_file)
    {
        found.push(finding(
            Gravity::Error,
            "key-file-unusable",
            "key_file",
            error.to_string(),
            "put the file back as it was: what is sealed opens by it alone",
        ));
    }
    // A folder that nobody else may enter keeps what is in it.
    let databases = [("database", &config.database), ("store", &config.store)];
    for (key, address) in databases {
        if let Ok(Address::File(path)) = Address::parse(address.reveal())
            && is_open(&path)
            && path.parent().is_none_or(may_be_entered)
        {
            found.push(finding(
                Gravity::Warning,
                "file-readable",
                key,
                "every user of this machine may read the database",
                "chmod 700 its folder",
            ));
        }
    }
    if let Ok(room) = rustix::fs::statvfs(&config.data) {
        let (free, all) = (room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize);
        if free < LITTLE || free < all / SHARE {
            found.push(finding(
                Gravity::Warning,
                "disk-nearly-full",
                "data",
                format!("{} MiB are left where the data folder is", free >> 20),
                "make room; without it nothing can be saved",
            ));
        }
    }
    found
}

fn of_certificate(cert: &Path, key: &Path, now: Millis) -> Option<Finding> {
    let tls = match Tls::read(cert, key) {
        Ok(tls) => tls,
        Err(error) => {
            let fix = "put the certificate, with those that vouch for it, and its key in their places as PEM";
            return Some(finding(Gravity::Error, "certificate-unusable", "tls.cert", error.to_string(), fix));
        }
    };
    let soon = Condition::Certificate.usual().threshold.unwrap_or_default() * DAY;
    let (ends, left) = (String::from(At(tls.ends())), tls.ends() - now);
    let (gravity, what) = if left <= 0 {
        (Gravity::Error, format!("the certificate has ended at {ends}"))
    } else {
        (Gravity::Warning, format!("the certificate ends at {ends}"))
    };
    let fix = "put a new one in its place, and send the server SIGHUP";
    (left < soon).then(|| finding(gravity, "certificate-ends", "tls.cert", what, fix))
}

fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.mode() & 0o004 != 0)
}

fn may_be_entered(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_every_user_may_read_is_told() {
        let folder = tempfile::tempdir().expect("there is room");
        let set =
            |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
        let (key, database) = (folder.path().join("key.pem"), folder.path().join("control.db"));
        for path in [&key, &database] {
            std::fs::write(path, "x").expect("it is written");
        }
        let config = Config {
            tls_key: Some(key.clone()),
            database: format!("sqlite:{}", database.display()).into(),
            data: folder.path().to_owned(),
            ..Config::default()
        };
        let places = || -> Vec<String> {
            let found = look(&config, 0).into_iter().filter(|finding| finding.code == "file-readable");
            found.map(|finding| finding.place).collect()
        };
        set(folder.path(), 0o755);
        set(&key, 0o644);
        set(&database, 0o644);
        assert_eq!(places(), ["tls.key", "database"]);
        let sealed = folder.path().join("control.key");
        std::fs::write(&sealed, "no key").expect("it is written");
        let with_key = Config { key_file: sealed, ..config.clone() };
        assert!(look(&with_key, 0).iter().any(|finding| finding.code == "key-file-unusable"));
        set(&key, 0o600);
        set(folder.path(), 0o700);
        assert!(places().is_empty(), "nobody else comes into the folder");
    }

    #[test]
    fn a_certificate_is_told_two_weeks_before_its_end() {
        let folder = tempfile::tempdir().expect("there is room");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["jobs.example.com".to_owned()]).expect("it is made");
        std::fs::write(&cert, made.cert.pem()).expect("it is written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("it is written");
        let ends = Tls::read(&cert, &key).expect("they belong together").ends();
        let told = |now| of_certificate(&cert, &key, now).map(|finding| (finding.severity, finding.code));
        assert_eq!(told(ends - 14 * DAY), None);
        assert_eq!(told(ends - 14 * DAY + 1), Some((Gravity::Warning, "certificate-ends".to_owned())));
        assert_eq!(told(ends), Some((Gravity::Error, "certificate-ends".to_owned())));
        std::fs::write(&key, "no key").expect("it is written");
        assert_eq!(told(0), Some((Gravity::Error, "certificate-unusable".to_owned())));
    }
}
