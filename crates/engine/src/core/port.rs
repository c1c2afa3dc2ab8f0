//! What goes in and out of the core: inputs, effects, and what they carry.

use clockwright_fleet::Layout;
use clockwright_fleet::keys::Keys;
use clockwright_model::{Event, InstanceId, JobName, JobSettings, Millis, ShardContext};
use clockwright_registry::{Commit, Error, Hint, Node, Op, Path};
use clockwright_runtime::{RunEnd, StopReason};
use std::sync::Arc;

/// What the clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Calendar time.
    pub wall: Millis,
    /// Milliseconds of a clock that only goes forward and counts suspended time too.
    pub mono: Millis,
}

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A new session is there, its lease node was written with a request sent at `lease_sent` (mono), and hints flow.
    Connected {
        /// The session's id.
        session: i64,
        /// Its negotiated timeout, milliseconds.
        timeout: Millis,
        /// The generation of the registry's data, 0 at first; it grows each time that the registry lost some.
        generation: i64,
        /// When the request that wrote the lease was sent (mono).
        lease_sent: Millis,
        /// The layout of the namespace's jobs, if it has any.
        layout: Option<Layout>,
        /// A control server manages the settings of the namespace.
        managed: bool,
    },
    /// The session is over.
    SessionLost,
    /// Something may have changed.
    Hint(Hint),
    /// The answer to [`Effect::Read`].
    Nodes {
        /// Its id.
        id: u64,
        /// What was read, or why nothing was.
        nodes: Result<Vec<(Path, Option<Node>)>, Error>,
        /// What was asked for.
        paths: Vec<Path>,
    },
    /// The answer to [`Effect::Tree`].
    Tree {
        /// Its id.
        id: u64,
        /// The root that was asked for.
        root: Path,
        /// What was read, or why nothing was.
        nodes: Result<Vec<(Path, Node)>, Error>,
    },
    /// The answer to [`Effect::Commit`].
    Committed {
        /// Its id.
        id: u64,
        /// What became of it.
        result: Result<Commit, Error>,
    },
    /// The answer to [`Effect::Renew`].
    Renewed {
        /// When the request was sent (mono).
        sent: Millis,
        /// What became of it.
        result: Result<(), Error>,
    },
    /// The session goes on with this timeout, in milliseconds.
    Timeout(Millis),
    /// A run ended; nothing of it is left.
    RunEnded {
        /// Its number.
        run: u64,
        /// How.
        end: RunEnd,
    },
    /// The first so many of the outcomes ([`Event::Settlement`]) that this engine put on record are stored, or never will be.
    Stored {
        /// How many, since the engine's start.
        settlements: u64,
    },
    /// Read this job anew, whatever the hints say; job 0 stands for the leases too.
    Refresh(usize),
    /// Serve this job too. No job here has its name or its number, and the engine is not shutting down.
    Add {
        /// Its number: the place of one that was [`Removed`](Effect::Removed), or a new one.
        job: usize,
        /// What this process has of it.
        given: Given,
    },
    /// Leave this job; [`Effect::Removed`] tells when that is done.
    Remove {
        /// Its number.
        job: usize,
        /// Until when what it runs may go on (mono); it is stopped then.
        until: Millis,
    },
    /// Finish what runs, start nothing more, and leave.
    Shutdown,
    /// Runs that still go on are to be stopped.
    ShutdownNow,
}

/// What a process has of a job that it serves.
#[derive(Debug, Clone)]
pub enum Given {
    /// Settings of its own: they are written where the registry has none, and say what Java's keys cannot.
    Settings(Arc<JobSettings>),
    /// The name alone: its settings are the registry's, and none are ever made.
    Name(JobName),
}

impl Given {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &JobName {
        match self {
            Self::Settings(settings) => &settings.name,
            Self::Name(name) => name,
        }
    }

    /// The settings, if it has some.
    #[must_use]
    pub fn settings(&self) -> Option<&Arc<JobSettings>> {
        match self {
            Self::Settings(settings) => Some(settings),
            Self::Name(_) => None,
        }
    }
}

impl From<JobSettings> for Given {
    fn from(settings: JobSettings) -> Self {
        Self::Settings(Arc::new(settings))
    }
}

/// Something to do.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "records are a great part of them, and are moved twice")]
pub enum Effect {
    /// Read these nodes.
    Read {
        /// Comes back with the answer.
        id: u64,
        /// Which nodes.
        paths: Vec<Path>,
    },
    /// Read a subtree.
    Tree {
        /// Comes back with the answer.
        id: u64,
        /// Its root.
        root: Path,
    },
    /// Carry out these operations, all or none; they may share a transaction with others.
    Commit {
        /// Comes back with the answer.
        id: u64,
        /// What to do.
        ops: Vec<Op>,
    },
    /// Write the lease node, apart from other commits.
    Renew,
    /// The lease now reaches until this (mono); exclusive runs must be gone by then.
    LeaseUntil(Millis),
    /// Start the runs of one firing.
    Start(Box<Firing>),
    /// Stop a run.
    Stop {
        /// Its number.
        run: u64,
        /// Why.
        reason: StopReason,
    },
    /// Streams of this job should, or need not, come to an end by themselves.
    WindDown {
        /// The job's number.
        job: usize,
        /// True: they should.
        on: bool,
    },
    /// Put this on record: it happened here, or was decided here.
    Record(Event),
    /// Put this on record once more: whoever decided it may not have been able to.
    RecordAgain(Event),
    /// Tell the operator.
    Tell(Notice),
    /// A job that was to be removed has ended here and was left: its code is needed no more, its name and its number are free.
    Removed {
        /// The job's number.
        job: usize,
    },
    /// Everything has ended and was left; the session can be closed.
    Left,
}

/// The runs of one firing, to be started together.
#[derive(Debug)]
pub struct Firing {
    /// The job's number.
    pub job: usize,
    /// The runs.
    pub runs: Vec<RunStart>,
    /// The job's settings as they count.
    pub settings: Arc<JobSettings>,
    /// True when the runs must be gone before the lease ends.
    pub strict: bool,
    /// Longest time of each, milliseconds.
    pub timeout: Option<Millis>,
    /// True when every item that this instance owns begins its first attempt at one fire, in this firing or in others that are
    /// started with it. A retry, a takeover and an item that comes late by itself are not whole: nobody comes with them.
    pub whole: bool,
}

/// One run to start.
#[derive(Debug)]
pub struct RunStart {
    /// Its number in this engine.
    pub run: u64,
    /// What its code is told.
    pub context: ShardContext,
}

/// Something an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The job it is about.
    pub job: Option<JobName>,
    /// True when somebody should look.
    pub warning: bool,
    /// In words.
    pub text: String,
}

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct CoreOptions {
    /// The namespace's paths.
    pub keys: Keys,
    /// Who this is.
    pub instance: InstanceId,
    /// The host's name, for records.
    pub hostname: String,
    /// Seed of run ids and latch names.
    pub seed: u64,
    /// An instant that is at most this late counts as on time, milliseconds.
    pub tolerance: Millis,
    /// The layout that a job without a config gets; `None`: that of the namespace's other jobs.
    pub layout: Option<Layout>,
    /// What becomes of items when the registry lost what it had.
    pub on_registry_loss: OnRegistryLoss,
    /// Defects put back on purpose, to prove that the simulation finds them.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

/// What becomes of items when the registry lost what it had: its disk, or what came after the backup that was restored. Who lives
/// remembers how far they had come, and adds that in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum OnRegistryLoss {
    /// They go on from now, once all who live have had the time to come back. What was due since the last instant that anybody
    /// remembers is on record as skipped.
    #[default]
    Continue,
    /// They are held until an operator says from where they go on.
    Hold,
}

/// A defect put back on purpose, where no wrapper around the core could carry it. Numbers with E are those of the project's list
/// of Elastic-Job defects, numbers with M those of faults of its own that it had.
#[doc(hidden)]
#[allow(missing_docs, reason = "each name says what it breaks")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    NonLeaderWaitsForever,       // E1
    NewLeaderTrustsOldPlan,      // E2
    StaleRunningBlocksReshard,   // E3
    FailedItemStaysRunning,      // E4
    LatchNeverReleased,          // E5
    HintsAreTrusted,             // E6
    ReconnectIsShutdown,         // E7
    ReconnectClearsRunning,      // E8
    UnknownIsIgnored,            // E9: what became of a write is not asked
    ClaimIgnoresPlan,            // E10
    NoFireIdentity,              // E11
    FailoverNeedsOwnerAlive,     // E12
    FailoverOfFinishedWork,      // E13
    MisfireRunsTwice,            // E16
    MisfireForgottenOnTakeover,  // E17
    LeaseFromNow,                // lease = answer + T instead of request + 2T/3
    CompletionIgnoresToken,      // a stale owner's completion counts
    OrphansOfDeadOwnersOnly,     // M33: a claim whose item has moved to a living owner is not suspected
    OverwritesAtEachLook,        // M2: settings are overwritten whenever they differ
    RetryOutlivesPause,          // M5: a pause does not end the wait for a retry
    WaitingTriggerIsDropped,     // M9: of two triggers of a busy item one has no outcome
    RetriedFiringStaysOpen,      // M10
    RefusalIsRepeated,           // M12: what is denied is asked again at once
    LostAttemptStaysRunning,     // M13
    ReplacedScheduleIsForgotten, // M14: what was due under it gets no outcome
    TakeoverMiscountsVersions,   // M16
    RemovedItemIsWaitedFor,      // M18: a run's outcome waits for an item that is gone
    DyingTakerIsJava,            // M34: whoever is listed without a lease is a Java peer
    RetryWaitsForPlan,           // beside a Java peer the plan waits for a retry, and the retry for the plan
    PlansWhileJavaRuns,          // a leader of ours waits for nothing of Java's
    LeadsPastTheQueue,           // the lead is taken while a Java peer queues for it
    CursorsOutliveJava,          // of items that Java runs: what it ran seems to be missed once it is gone
    JavasRunsAreLeft,            // what a dead Java peer left running is nobody's
    RemovedJobKeepsClaims,       // a job that is removed is forgotten though a claim of it may be open
}
