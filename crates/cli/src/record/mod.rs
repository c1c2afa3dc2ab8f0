//! What happened, as commands look back on it: in an event store, or through a server. Which of the two it is, is decided once, by
//! [`Global::record`](crate::commands::Global::record). The JSON of commands has the same members for both, but for what a server does not tell: where
//! the log of a run is, what its claim was, and where a page goes on behind each of its rows.

mod direct;
mod remote;

pub(crate) use direct::Direct;
pub(crate) use remote::Remote;

use crate::commands::history::PageArgs;
use crate::output::Failure;
use async_trait::async_trait;
use clockwright_events::answers::RunDetails;
use clockwright_events::{
    ChangeFilter, ChangeRow, ExecutionFilter, ExecutionRow, RunFilter, RunRow, StatisticsRow, Width,
};
use clockwright_model::{Item, Millis};
use clockwright_planner::ledger::Balance;
use clockwright_server::ledger::Open;
use serde::Serialize;

/// A page of rows.
pub(crate) struct Leaf<R> {
    pub(crate) rows: Vec<Listed<R>>,
    /// Where the next page goes on, if there is one.
    pub(crate) next: Option<String>,
}

/// A row, and where a page goes on behind it. A server says that of the last row of a page alone.
#[derive(Serialize)]
pub(crate) struct Listed<R> {
    #[serde(flatten)]
    pub(crate) row: R,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
}

/// Which part of a ledger.
pub(crate) struct Wanted<'a> {
    pub(crate) job: &'a str,
    pub(crate) item: Option<Item>,
    pub(crate) from: Millis,
    pub(crate) to: Millis,
    /// Only what is on record, whatever was due.
    pub(crate) recorded: bool,
    pub(crate) limit: u32,
}

/// A part of a ledger.
pub(crate) struct Span {
    /// Outcomes, oldest first.
    pub(crate) settled: Vec<RunRow>,
    /// Due instants without one, if it was asked for them.
    pub(crate) open: Vec<Open>,
    /// When the record begins.
    pub(crate) begins: Option<Millis>,
    /// Before which instant it ends.
    pub(crate) to: Millis,
    /// What became of what was due, where that was asked for and is known.
    pub(crate) balance: Option<Balance>,
}

/// See the module.
#[async_trait(?Send)]
pub(crate) trait Record {
    /// Outcomes, the newest first.
    async fn runs(&self, filter: RunFilter, page: &PageArgs) -> Result<Leaf<RunRow>, Failure>;
    /// Attempts, the newest first.
    async fn attempts(&self, filter: ExecutionFilter, page: &PageArgs)
    -> Result<Leaf<ExecutionRow>, Failure>;
    /// One run, by its id or its first characters.
    async fn run(&self, id: &str) -> Result<RunDetails, Failure>;
    /// A part of a job's ledger.
    async fn ledger(&self, wanted: Wanted<'_>) -> Result<Span, Failure>;
    /// How fires ended, counted.
    async fn stats(
        &self,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, Failure>;
    /// Who came and went, and who held jobs, the newest first.
    async fn changes(&self, filter: ChangeFilter, page: &PageArgs) -> Result<Leaf<ChangeRow>, Failure>;
    /// Says, when nothing of a job was found, which name is near.
    async fn tell_nearest(&self, job: &str) -> Result<(), Failure>;
    /// Says what an answer lacks: what is kept elsewhere, and what of this span could not be kept.
    async fn tell_missing(&self, span: Option<(Millis, Millis)>) -> Result<(), Failure>;
}
