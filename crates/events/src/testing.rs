//! For tests: a sink that keeps what it is given and lets a test wait for it, and a sample of each kind of event.

use crate::{Sink, SinkError};
use async_trait::async_trait;
use clockwright_model::{
    Change, ChangeKind, Event, Execution, ExecutionSource, Fire, InstanceId, JobName, Millis, Outcome, RunId,
    Settlement, Source, StatusTrace, TaskState, TraceSource,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Keeps events in memory, in the order in which they came.
pub struct Recorder {
    events: watch::Sender<Vec<Event>>,
}

impl Recorder {
    /// An empty one, ready to be given to a bus.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { events: watch::Sender::new(Vec::new()) })
    }

    /// A copy of all events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    /// Waits until the events satisfy the predicate (which sees all of them, at once and after each batch), and returns
    /// a copy of them. It waits for ever: a test that must not hang puts a deadline around it.
    pub async fn wait_for(&self, mut predicate: impl FnMut(&[Event]) -> bool) -> Vec<Event> {
        let mut receiver = self.events.subscribe();
        let events = receiver.wait_for(|events| predicate(events)).await;
        events.expect("the sender is a part of self").clone()
    }

    /// Forgets the events so far.
    pub fn clear(&self) {
        self.events.send_modify(Vec::clear);
    }
}

#[async_trait]
impl Sink for Recorder {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.events.send_modify(|events| events.extend_from_slice(batch));
        Ok(())
    }

    fn name(&self) -> &str {
        "recorder"
    }
}

/// The start of run number `n` of item 0 of a job `j`.
#[must_use]
pub fn execution(n: u128) -> Execution {
    Execution {
        id: RunId(n),
        job: job(),
        task_id: "j@-@0@-@READY@-@10.0.0.1@-@7".into(),
        hostname: "host".into(),
        ip: "10.0.0.1".into(),
        item: 0,
        source: ExecutionSource::NormalTrigger,
        start: 0,
        complete: None,
        success: false,
        failure_cause: None,
    }
}

/// A firing of job `j` runs; the trace has number `n`.
#[must_use]
pub fn status(n: u128) -> StatusTrace {
    StatusTrace {
        id: RunId(n),
        job: job(),
        original_task_id: "".into(),
        task_id: "j@-@0@-@READY@-@10.0.0.1@-@7".into(),
        slave_id: "10.0.0.1".into(),
        source: TraceSource::LiteExecutor,
        items: vec![0],
        failover: false,
        state: TaskState::Running,
        message: String::new(),
        at: 0,
    }
}

/// The fire of item 0 of job `j` at `n` milliseconds of the epoch succeeded, by run number `n`.
#[must_use]
pub fn settlement(n: u128) -> Settlement {
    Settlement {
        namespace: "".into(),
        job: job(),
        item: 0,
        fire: Fire::Scheduled(n as Millis),
        range: None,
        outcome: Outcome::Succeeded,
        attempt: 1,
        run_id: Some(RunId(n)),
        token: 1,
        source: Source::Schedule,
        instance: InstanceId::from_wire("10.0.0.1@-@7"),
        claimed: Some(0),
        start: Some(0),
        at: 0,
        log: None,
    }
}

/// Instance `10.0.0.1@-@7` joined job `j` with transaction `n`, at `n` milliseconds of the epoch.
#[must_use]
pub fn change(n: i64) -> Change {
    Change {
        namespace: "n".into(),
        job: Some(job()),
        kind: ChangeKind::Joined,
        subject: "10.0.0.1@-@7".into(),
        transaction: n,
        by: "".into(),
        reason: "".into(),
        at: n,
        witness: InstanceId::from_wire("10.0.0.1@-@7"),
    }
}

fn job() -> JobName {
    JobName::new("j").expect("a letter is a name")
}
