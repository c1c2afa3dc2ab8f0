//! A sink of one's own: events as lines of JSON, in a file that other tools follow.
//!
//! ```text
//! cargo run -p clockwright-events --example json_lines -- events.jsonl
//! ```

use async_trait::async_trait;
use clockwright_events::{Bus, BusOptions, Sink, SinkError, testing, to_json};
use clockwright_model::{Event, Fire, Settlement};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// Appends each event as a line. A batch that failed is tried again whole, so after a full disk some lines may be there
/// twice; readers tell them apart by `id`, and settlements by job, item and fire.
struct JsonLines {
    file: Mutex<File>,
}

impl JsonLines {
    async fn open(path: &Path) -> std::io::Result<Arc<Self>> {
        let file = OpenOptions::new().create(true).append(true).open(path).await?;
        Ok(Arc::new(Self { file: Mutex::new(file) }))
    }
}

#[async_trait]
impl Sink for JsonLines {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let text: String = batch.iter().map(|event| to_json(event) + "\n").collect();
        let mut file = self.file.lock().await;
        let written = async {
            file.write_all(text.as_bytes()).await?;
            file.flush().await
        };
        written.await.map_err(|error| SinkError(error.to_string()))
    }

    fn name(&self) -> &str {
        "json lines"
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to append to")?;
    let bus = Bus::start(vec![JsonLines::open(path.as_ref()).await?], BusOptions::default());
    for item in 0..3 {
        let fire = Fire::Scheduled(1_700_000_000_000);
        bus.publish(Event::Settlement(Settlement { item, fire, ..testing::settlement(item.into()) }));
    }
    if bus.close(Duration::from_secs(10)).await { Ok(()) } else { Err(format!("{bus:?}").into()) }
}
