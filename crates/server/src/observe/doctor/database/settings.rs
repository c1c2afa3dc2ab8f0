//! Whether a database keeps what it was given, and takes no more than fits: by how it says that it is set up.
//!
//! Sessions ask for their isolation and strictness as they are opened. Where they have another one all the same, something stands between that shares
//! sessions among others, and what is written there is not safe.

use super::super::{fact, finding};
use crate::store::{DatabaseKind, Settings};
use clockwright_api::system::{Finding, Gravity};

const PLACE: &str = "database";
/// What says that something between shares sessions.
const SHARED: &str = "connect to the database itself, or let what stands between give each connection a session of its own \
                      (PgBouncer: `pool_mode = session`)";

/// What is to be told of it; what it is, last.
pub(super) fn judge(settings: &Settings) -> Vec<Finding> {
    let said = |name: &str| settings.said.get(name).map(String::as_str);
    let (name, oldest) = match settings.kind {
        DatabaseKind::Sqlite => ("SQLite", (3, 35)),
        DatabaseKind::Postgres => ("PostgreSQL", (13, 0)),
        DatabaseKind::MySql => ("MySQL", (8, 0)),
        DatabaseKind::MariaDb => ("MariaDB", (10, 6)),
    };
    let mut found = Vec::new();
    let version = said("server_version").or_else(|| said("version"));
    if version.and_then(number).is_some_and(|version| version < oldest) {
        found.push(finding(
            Gravity::Warning,
            "database-old",
            PLACE,
            format!("it is {name} {}, older than what servers are tried with", version.unwrap_or_default()),
            "move to a release that its makers keep up",
        ));
    }
    found.extend(lenient(settings.kind, said("sql_mode")));
    let isolation = said("transaction_isolation").or_else(|| said("tx_isolation"));
    found.extend(isolation.and_then(isolated));
    found.extend(settings.said.iter().filter_map(|(name, value)| forgets(name, value)));
    let told = settings.said.iter().filter(|(name, _)| !name.ends_with("version"));
    let told: Vec<String> = told.map(|(name, value)| format!("{name} {value}")).collect();
    found.push(fact(
        "database-version",
        PLACE,
        format!("{name} {}: {}", version.unwrap_or("of an unknown release"), told.join(", ")),
    ));
    found
}

/// The first two numbers of a version; one that has only one counts as its first.
fn number(version: &str) -> Option<(u32, u32)> {
    let digits = |text: &str| text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok();
    let mut parts = version.split('.');
    let first = parts.next().and_then(digits)?;
    Some((first, parts.next().and_then(digits).unwrap_or(0)))
}

/// MySQL and MariaDB bend what does not fit, unless they are told not to.
fn lenient(kind: DatabaseKind, mode: Option<&str>) -> Option<Finding> {
    let mode = mode.filter(|_| matches!(kind, DatabaseKind::MySql | DatabaseKind::MariaDb))?;
    let is_strict = mode.split(',').any(|word| word == "STRICT_ALL_TABLES");
    let what = format!(
        "its sessions are not strict, though they ask for it: what does not fit is cut, not refused (sql_mode {mode})"
    );
    (!is_strict).then(|| finding(Gravity::Error, "database-lenient", PLACE, what, SHARED))
}

fn isolated(isolation: &str) -> Option<Finding> {
    let is_asked_for = isolation.replace('-', " ").eq_ignore_ascii_case("read committed");
    let what =
        format!("its sessions are of the isolation `{isolation}`, though they ask for `read committed`");
    (!is_asked_for).then(|| finding(Gravity::Error, "database-isolation", PLACE, what, SHARED))
}

/// A setting by which a crash of the machine takes what was acknowledged, or all of it.
fn forgets(name: &str, value: &str) -> Option<Finding> {
    let (severity, what) = match (name, value) {
        ("fsync" | "full_page_writes", "off") => {
            (Gravity::Error, "a crash of its machine can spoil all of it")
        }
        ("synchronous_commit", "off")
        | ("innodb_flush_log_at_trx_commit", "0" | "2")
        | ("synchronous", "0" | "1") => {
            (Gravity::Warning, "a crash of its machine takes the last changes, though they were acknowledged")
        }
        ("journal_mode", mode) if mode != "wal" => {
            (Gravity::Warning, "whoever reads waits for whoever writes")
        }
        _ => return None,
    };
    let fix = match name {
        "fsync" | "full_page_writes" | "synchronous_commit" => {
            "set it to `on` in postgresql.conf, or for this database"
        }
        "innodb_flush_log_at_trx_commit" => "set it to 1 in the server's configuration",
        _ => "let no other program change how the file is kept; the next start of a server sets it again",
    };
    Some(finding(severity, "database-forgets", PLACE, format!("{name} is {value}: {what}"), fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: DatabaseKind, said: &[(&str, &str)]) -> Vec<String> {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        judge(&Settings { kind, said }).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_database_as_it_should_be_only_says_what_it_is() {
        let only = ["database-version"];
        let postgres = [
            ("server_version", "15.8 (Debian 15.8-0)"),
            ("transaction_isolation", "read committed"),
            ("fsync", "on"),
        ];
        assert_eq!(told(DatabaseKind::Postgres, &postgres), only);
        let strict = ("sql_mode", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION");
        let mysql = [("version", "8.0.36"), ("transaction_isolation", "READ-COMMITTED"), strict];
        assert_eq!(told(DatabaseKind::MySql, &mysql), only);
        let maria = [("version", "10.11.6-MariaDB-0"), ("tx_isolation", "READ-COMMITTED"), strict];
        assert_eq!(told(DatabaseKind::MariaDb, &maria), only);
        let sqlite = [("version", "3.46.0"), ("journal_mode", "wal"), ("synchronous", "2")];
        assert_eq!(told(DatabaseKind::Sqlite, &sqlite), only);
        assert_eq!(
            told(DatabaseKind::Sqlite, &sqlite[..2]),
            only,
            "whoever reads is not told how it is written"
        );
    }

    #[test]
    fn what_is_wrong_with_a_database_is_told_one_by_one() {
        let of = |kind, said: &[(&str, &str)]| {
            let mut told = told(kind, said);
            assert_eq!(told.pop().as_deref(), Some("database-version"));
            told.join(" ")
        };
        assert_eq!(of(DatabaseKind::Postgres, &[("server_version", "12.19")]), "database-old");
        assert_eq!(of(DatabaseKind::MariaDb, &[("version", "10.5.9-MariaDB")]), "database-old");
        assert_eq!(of(DatabaseKind::MySql, &[("version", "5.7.44")]), "database-old");
        assert_eq!(of(DatabaseKind::MySql, &[("sql_mode", "STRICT_TRANS_TABLES")]), "database-lenient");
        assert_eq!(of(DatabaseKind::MySql, &[("sql_mode", "")]), "database-lenient");
        assert_eq!(
            of(DatabaseKind::Postgres, &[("transaction_isolation", "repeatable read")]),
            "database-isolation"
        );
        assert_eq!(of(DatabaseKind::MariaDb, &[("tx_isolation", "SERIALIZABLE")]), "database-isolation");
        let forgets = [("fsync", "off"), ("synchronous_commit", "off")];
        assert_eq!(of(DatabaseKind::Postgres, &forgets), "database-forgets database-forgets");
        assert_eq!(of(DatabaseKind::MySql, &[("innodb_flush_log_at_trx_commit", "2")]), "database-forgets");
        let sqlite = [("journal_mode", "delete"), ("synchronous", "1")];
        assert_eq!(of(DatabaseKind::Sqlite, &sqlite), "database-forgets database-forgets");
    }
}
