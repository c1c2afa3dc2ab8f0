//! Streams that are open, each on a connection of its own, and that nobody reads.

use super::http::{Connection, Door};
use super::stage::Stage;
use serde_json::json;

/// How many one person or program may have.
const EACH: usize = 10;

/// Opens so many, of as many programs as that takes.
pub(crate) async fn open(stage: &Stage, count: usize) -> anyhow::Result<Vec<Connection>> {
    stage.step_up().await?;
    let mut streams = Vec::with_capacity(count);
    for number in 0..count.div_ceil(EACH) {
        let ask = json!({ "login": format!("reader-{number}"), "role": "viewer" });
        let account = stage.post("/api/v1/services", &ask).await?;
        let path = format!("/api/v1/services/{}/tokens", account["id"].as_str().unwrap_or_default());
        let made = stage.post(&path, &json!({ "name": "bench", "scopes": ["read"] })).await?;
        let token = made["secret"].as_str().unwrap_or_default();
        let door = Door {
            address: stage.server.address,
            headers: format!("authorization: Bearer {token}\r\n").into(),
        };
        for _ in 0..EACH.min(count - streams.len()) {
            let mut connection = door.enter().await?;
            connection.begin("/api/v1/stream").await?;
            streams.push(connection);
        }
    }
    Ok(streams)
}
