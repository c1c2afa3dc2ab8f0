//! A runtime for what is not to be run: every run fails at its start, and says why.

use crate::{Control, RunEnd, RunResult, RunSpec, Runtime};
use async_trait::async_trait;
use clockwright_model::{FailureKind, Reason};

/// See the module.
#[derive(Debug, Clone)]
pub struct Refused {
    reason: Reason,
}

impl Refused {
    /// Refuses every run for this reason.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self { reason }
    }
}

#[async_trait]
impl Runtime for Refused {
    async fn run(&self, _: RunSpec, _: Control) -> RunEnd {
        RunEnd::silent(RunResult::Failed { kind: FailureKind::Start, reason: self.reason.clone() })
    }
}
