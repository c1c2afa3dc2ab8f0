//! A sink of one's own: failures, posted as JSON to an address, for a chat or a pager.
//!
//! ```text
//! cargo run -p clockwright-events --example webhook -- http://127.0.0.1:9000/hook
//! ```

use async_trait::async_trait;
use clockwright_events::{Bus, BusOptions, Sink, SinkError, to_json};
use clockwright_model::{Event, FailureKind, Fire, InstanceId, JobName, Outcome, RunId, Settlement, Source};
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
    bus.publish(Event::Settlement(Settlement {
        namespace: "".into(),
        job: JobName::new("example")?,
        item: 0,
        fire: Fire::Scheduled(1_700_000_000_000),
        range: None,
        outcome: Outcome::Failed { kind: FailureKind::Job, reason: "exit status 1".into() },
        attempt: 1,
        run_id: Some(RunId::new(1_700_000_000_000, 1)),
        token: 1,
        source: Source::Schedule,
        instance: InstanceId::of_process("127.0.0.1", std::process::id(), 0),
        claimed: None,
        start: Some(1_700_000_000_001),
        at: 1_700_000_000_002,
        log: None,
    }));
    if bus.close(Duration::from_secs(10)).await { Ok(()) } else { Err(format!("{bus:?}").into()) }
}
