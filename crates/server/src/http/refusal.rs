//! Why a handler gives no answer of its own: a problem, or an answer that was given before.

use crate::http::answer::Rendered;
use crate::store::StoreError;
use clockwright_api::{Code, Problem};

/// Not an answer of the handler's own.
#[derive(Debug)]
pub enum Refusal {
    /// The request is refused.
    Problem(Problem),
    /// The request was carried out before, under the same key: this is what was answered then.
    Replay(Box<Rendered>),
}

impl Refusal {
    /// The code of a problem.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => problem.kind(),
            Self::Replay(_) => None,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let problem = match error {
            StoreError::Away(why) => {
                tracing::warn!(why, "the database is away");
                Problem::new(Code::DatabaseAway, "the database cannot be reached now").retry(5)
            }
            StoreError::Unclear(why) => {
                tracing::warn!(why, "the answer of a commit was lost");
                Problem::new(Code::UnknownOutcome, "the database's answer was lost: it may have been done")
            }
            // A handler that expects it says what it means; nobody else may meet it.
            StoreError::Taken => Problem::new(Code::NameTaken, "there is one of that name already"),
            StoreError::TermOver => {
                Problem::new(Code::Internal, "the server did what only the one that leads may do")
            }
            StoreError::Refused(why) => {
                tracing::error!(why, "the database refuses a statement");
                Problem::new(Code::Internal, "the database refused what the server asked of it")
            }
        };
        problem.into()
    }
}

/// What a handler returns.
pub type Answered<T> = Result<T, Refusal>;
