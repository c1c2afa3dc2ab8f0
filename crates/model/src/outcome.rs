//! How a fire of an item ended. Every fire of every item gets exactly one of these.

use crate::{Fire, Reason};

/// The one recorded end of a fire of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and said so.
    Succeeded,
    /// It ran, or began to, and did not succeed.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// Why.
        reason: Reason,
    },
    /// It was deliberately not run: the item was disabled, the job paused, or the previous run still went on.
    Skipped {
        /// Why.
        reason: Reason,
    },
    /// Another fire ran in its stead.
    Coalesced {
        /// The fire that ran.
        into: Fire,
    },
    /// Nobody could run it in time.
    Missed {
        /// Why.
        reason: Reason,
    },
    /// It was stopped by hand or by a shutdown.
    Cancelled {
        /// Why.
        reason: Reason,
    },
}

/// What kind of failure a run had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The job's own code reported an error (or a process exited with a code other than 0, or HTTP said ≥ 400).
    Job,
    /// The job's own code panicked.
    Panic,
    /// It ran longer than its policy allows.
    Timeout,
    /// The process that ran it died, or lost its lease, and failover was off or attempts were used up.
    OwnerLost,
    /// It could not be started: no such program, no permission, bad parameters.
    Start,
}

impl FailureKind {
    /// The word used in stored records and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Job => "job",
            FailureKind::Panic => "panic",
            FailureKind::Timeout => "timeout",
            FailureKind::OwnerLost => "owner_lost",
            FailureKind::Start => "start",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            FailureKind::Job,
            FailureKind::Panic,
            FailureKind::Timeout,
            FailureKind::OwnerLost,
            FailureKind::Start,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// An [`Outcome`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is told at Outcome")]
pub enum OutcomeKind {
    Succeeded,
    Failed,
    Skipped,
    Coalesced,
    Missed,
    Cancelled,
}

impl OutcomeKind {
    /// All of them.
    pub const ALL: [OutcomeKind; 6] = [
        OutcomeKind::Succeeded,
        OutcomeKind::Failed,
        OutcomeKind::Skipped,
        OutcomeKind::Coalesced,
        OutcomeKind::Missed,
        OutcomeKind::Cancelled,
    ];

    /// The word used in stored records and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeKind::Succeeded => "succeeded",
            OutcomeKind::Failed => "failed",
            OutcomeKind::Skipped => "skipped",
            OutcomeKind::Coalesced => "coalesced",
            OutcomeKind::Missed => "missed",
            OutcomeKind::Cancelled => "cancelled",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl std::fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for OutcomeKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Outcome {
    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Succeeded => OutcomeKind::Succeeded,
            Outcome::Failed { .. } => OutcomeKind::Failed,
            Outcome::Skipped { .. } => OutcomeKind::Skipped,
            Outcome::Coalesced { .. } => OutcomeKind::Coalesced,
            Outcome::Missed { .. } => OutcomeKind::Missed,
            Outcome::Cancelled { .. } => OutcomeKind::Cancelled,
        }
    }

    /// The word used in stored records and output.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Why it ended so; a success needs no reason, and what was coalesced names the other fire.
    #[must_use]
    pub fn why(&self) -> Option<&Reason> {
        match self {
            Outcome::Succeeded | Outcome::Coalesced { .. } => None,
            Outcome::Failed { reason, .. }
            | Outcome::Skipped { reason }
            | Outcome::Missed { reason }
            | Outcome::Cancelled { reason } => Some(reason),
        }
    }

    /// The reason in English, empty for a success.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Outcome::Coalesced { into } => format!("ran as part of fire {into}"),
            _ => self.why().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// True when the owner of the last attempt was lost.
    #[must_use]
    pub fn is_owner_lost(&self) -> bool {
        matches!(self, Outcome::Failed { kind: FailureKind::OwnerLost, .. })
    }

    /// True when the job's own code was run to an end, good or bad.
    #[must_use]
    pub fn ran(&self) -> bool {
        matches!(self, Outcome::Succeeded | Outcome::Failed { .. } | Outcome::Cancelled { .. })
    }
}
