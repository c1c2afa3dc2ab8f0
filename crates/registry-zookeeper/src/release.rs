//! Of which release a server is: its answer to the four letters `srvr`, over a connection of its own. Since 3.5 a server answers only those words that its
//! `4lw.commands.whitelist` has; unless that is set it has this one.

use crate::connection::ConnectError;
use crate::options::{Checked, Server};
use crate::stream::dial;
use clockwright_registry::Release;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than any server says.
const MOST: u64 = 64 << 10;

pub(crate) async fn of(server: &Server, options: &Checked) -> Release {
    let asked = tokio::time::timeout(PATIENCE, ask(server, options)).await;
    let said = asked.unwrap_or(Err(ConnectError::Timeout(PATIENCE))).map_err(|error| error.to_string());
    Release { server: server.to_string(), said: said.and_then(|answer| read(&answer)) }
}

async fn ask(server: &Server, options: &Checked) -> Result<String, ConnectError> {
    let mut stream = dial(server, options).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The release that an answer names; why it names none.
fn read(answer: &str) -> Result<String, String> {
    let version = answer.lines().find_map(|line| line.strip_prefix("Zookeeper version: "));
    match version {
        // The commit that it was built of, and when, follow.
        Some(version) => Ok(version.split(['-', ',', ' ']).next().unwrap_or(version).to_owned()),
        None if answer.is_empty() => Err("it closed the connection without an answer".to_owned()),
        None => Err(answer.lines().next().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_what_stands_before_the_commit_and_a_refusal_says_why() {
        let old = "Zookeeper version: 3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf, built on 03/06/2019 16:18 GMT\nLatency\n";
        assert_eq!(read(old), Ok("3.4.14".to_owned()));
        assert_eq!(read("Zookeeper version: 3.9.3, built on 2024\n"), Ok("3.9.3".to_owned()));
        let refused = "srvr is not executed because it is not in the whitelist.\n";
        assert_eq!(read(refused), Err(refused.trim_end().to_owned()));
        assert!(read("").is_err());
    }
}
