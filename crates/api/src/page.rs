//! One page of a list, and how the next one is asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many rows a page has at most.
pub const LONGEST: u32 = 1_000;
/// How many rows a page has unless told.
pub const USUAL: u32 = 50;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The rows, in the order that was asked for.
    pub items: Vec<T>,
    /// What to send as `after` for the next page, unchanged; absent on the last one. It names a place in the order, so it never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many rows there are on all pages; exact. Absent where counting would read history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The journal number up to which the answer is true.
    pub seq: i64,
}

impl<T> Page<T> {
    /// The same page of other rows.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(each).collect(),
            next: self.next,
            count: self.count,
            seq: self.seq,
        }
    }
}
