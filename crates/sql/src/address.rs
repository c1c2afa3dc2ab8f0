//! Where a store is, as operators write it.

use crate::{Db, OpenError, Schema, file};
use std::path::PathBuf;

/// The address of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `sqlite::memory:`: nothing stays.
    Memory,
    /// `sqlite:PATH` or `sqlite://PATH`.
    File(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `mysql://…`, as it was given.
    Server(String),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`OpenError::Address`]; it never shows a password. Databases that are not built in are named as such.
    pub fn parse(address: &str) -> Result<Self, OpenError> {
        let refuse = |reason: String| Err(OpenError::Address(reason));
        let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" if address == "sqlite::memory:" => Ok(Self::Memory),
            "sqlite" => {
                let path = &address["sqlite:".len()..];
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() {
                    return refuse("`sqlite:` names no file".into());
                }
                Ok(Self::File(path.into()))
            }
            "postgres" | "postgresql" if cfg!(feature = "postgres") => Ok(Self::Server(address.to_owned())),
            "mysql" | "mariadb" if cfg!(feature = "mysql") => Ok(Self::Server(address.to_owned())),
            "postgres" | "postgresql" => refuse(not_built_in("postgres")),
            "mysql" | "mariadb" => refuse(not_built_in("mysql")),
            // The rest of the address may hold a password.
            _ if (1..20).contains(&scheme.len()) && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                refuse(format!("`{scheme}:` is no store that this program knows"))
            }
            _ => refuse("an address begins with the kind of database and a colon".into()),
        }
    }
}

fn not_built_in(feature: &str) -> String {
    format!("this kind of database needs the feature `{feature}`, without which this program was built")
}

/// Opens a store of this schema for writing, and makes or migrates its tables if need be. The folder of a file must exist, and so must the
/// database on a server.
///
/// # Errors
/// Those of [`OpenError`].
pub async fn connect(address: &str, schema: &'static Schema) -> Result<Db, OpenError> {
    open(address, schema, false).await
}

/// Opens a store of this schema for reading. Nothing is made or changed.
///
/// # Errors
/// [`OpenError::Missing`], [`OpenError::Behind`], and those of [`connect`].
pub async fn connect_read_only(address: &str, schema: &'static Schema) -> Result<Db, OpenError> {
    open(address, schema, true).await
}

async fn open(address: &str, schema: &'static Schema, read_only: bool) -> Result<Db, OpenError> {
    match Address::parse(address)? {
        Address::Memory => file::in_memory(schema).await,
        Address::File(path) if read_only => file::open_read_only(&path, schema).await,
        Address::File(path) => file::open(&path, schema).await,
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        Address::Server(address) => {
            let mut opening = crate::server::Opening::connect(&address, schema, read_only).await?;
            opening.migrate().await?;
            Ok(opening.pool().await)
        }
        #[cfg(not(any(feature = "postgres", feature = "mysql")))]
        Address::Server(_) => unreachable!("no such address is read"),
    }
}

/// Whether a store at an address could be opened by this program, without a change there; [`OpenError::Missing`] and [`OpenError::Behind`] say that
/// [`connect`] would make its tables, or migrate them.
///
/// # Errors
/// Those of [`OpenError`].
pub async fn look(address: &str, schema: &'static Schema) -> Result<(), OpenError> {
    match Address::parse(address)? {
        Address::Memory => Err(OpenError::Missing(address.to_owned())),
        Address::File(path) => {
            file::open_read_only(&path, schema).await?.close().await;
            Ok(())
        }
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        Address::Server(address) => {
            let mut opening = crate::server::Opening::connect(&address, schema, true).await?;
            opening.migrate().await?;
            opening.pool().await.close().await;
            Ok(())
        }
        #[cfg(not(any(feature = "postgres", feature = "mysql")))]
        Address::Server(_) => unreachable!("no such address is read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_a_password() {
        for (given, told) in [
            ("sqlite:", "names no file"),
            ("oracle://me:pa55@host/db", "`oracle:` is no store"),
            ("pa55 word", "begins with the kind"),
        ] {
            let error = Address::parse(given).expect_err(given).to_string();
            assert!(error.contains(told) && !error.contains("pa55"), "{given}: {error}");
        }
        assert_eq!(Address::parse("sqlite:///a/b"), Ok(Address::File("/a/b".into())));
        assert_eq!(Address::parse("sqlite::memory:"), Ok(Address::Memory));
    }
}
