//! A sink of one's own: failures, posted as JSON to an address, for a chat or a pager.
//!
//! ```text
//! cargo run -p clockwright-events --example webhook -- http://127.0.0.1:9000/hook
//! ```

use async_trait::async_trait;
use clockwright_events::{Bus, BusOptions, Sink, SinkError, testing, to_json};
use clockwright_model::{Event, FailureKind, Fire, Outcome, Settlement};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Posts each failed fire by itself. An address that is away delays nothing but its own queue, which is bounded.
struct Webhook {
    client: reqwest::Client,
    url: String,
}

impl Webhook {
    fn new(url: String) -> reqwest::Result<Arc<Self>> {
        // Without a timeout one hanging answer would stop this sink for good.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Arc::new(Self { client, url }))
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let failed = |event: &&Event| {
            matches!(event, Event::Settlement(Settlement { outcome: Outcome::Failed { .. }, .. }))
        };
        for event in batch.iter().filter(failed) {
            let post =
                self.client.post(&self.url).header("content-type", "application/json").body(to_json(event));
            let answer = post.send().await.map_err(|error| SinkError(error.without_url().to_string()))?;
            // What the receiver does not like, it will not like the next time either: only its own trouble is a reason
            // to send the batch again.
            if answer.status().is_server_error() {
                return Err(SinkError(format!("the webhook answered {}", answer.status())));
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "webhook"
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("name the address to post to")?;
    let bus = Bus::start(vec![Webhook::new(url)?], BusOptions::default());
    let outcome = Outcome::Failed { kind: FailureKind::Job, reason: "exit status 1".into() };
    let fire = Fire::Scheduled(1_700_000_000_000);
    bus.publish(Event::Settlement(Settlement { fire, outcome, ..testing::settlement(1) }));
    if bus.close(Duration::from_secs(10)).await { Ok(()) } else { Err(format!("{bus:?}").into()) }
}
