//! What reaches the loop of an engine.

use crate::core::{Input, ServedJob};
use crate::options::{AddError, JobDefinition, RemoveError};
use clockwright_fleet::Layout;
use clockwright_model::{InstanceId, JobName, Millis};
use clockwright_registry::keeper::Opened;
use tokio::sync::oneshot;

/// What reaches the loop.
pub(crate) enum Message {
    /// Something happened in session number `session`.
    Session { session: u64, input: Input },
    /// Something happened that is no session's business.
    Input(Input),
    /// A new session is open.
    Opened(Box<Opened<Ready>>),
    /// One more job is to be served.
    Add { job: Box<JobDefinition>, answer: oneshot::Sender<Result<(), AddError>> },
    /// A job is to be left; the answer comes when it was.
    Remove { job: JobName, answer: Removed },
    /// The status is asked for.
    Status(oneshot::Sender<Vec<ServedJob>>),
    /// Another process has had this engine's id for longer than a dead one could.
    Taken,
    /// Leave. `now`: what runs is to end at once. `by`: all of it is to be over at that time (mono), whatever is not done yet.
    Shutdown { now: bool, by: Option<Millis> },
}

/// Waits for a job to be left.
pub(crate) type Removed = oneshot::Sender<Result<(), RemoveError>>;

/// What is known of a session when it is open.
pub(crate) struct Ready {
    /// Who this engine is.
    pub(crate) instance: InstanceId,
    /// When the request that wrote the lease was sent.
    pub(crate) lease_sent: Millis,
    /// The layout of the namespace's jobs, if it has any.
    pub(crate) layout: Option<Layout>,
    /// A control server manages the settings of the namespace.
    pub(crate) managed: bool,
}
