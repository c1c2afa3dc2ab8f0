//! Pages of rows that a database gives in an order: one row more than a page has is asked for, and tells whether there is another page.

use crate::http::refusal::Answered;
use clockwright_api::page::{LONGEST, USUAL};
use clockwright_api::{Code, Problem};
use clockwright_events::{BadCursor, Cursor};

pub(super) use clockwright_api::page::Paging;

/// How many rows the page has.
pub(super) fn limit(asked: Option<u32>) -> Answered<u32> {
    up_to("limit", asked, USUAL, LONGEST)
}

/// How many a list has that is not like the others: `usual` ones unless the parameter `name` says it, and at most so many.
pub(super) fn up_to(name: &str, asked: Option<u32>, usual: u32, most: u32) -> Answered<u32> {
    let count = asked.unwrap_or(usual);
    if (1..=most).contains(&count) {
        return Ok(count);
    }
    let problem = Problem::new(Code::Invalid, format!("`{name}` is {count}"));
    Err(problem.at(format!("/{name}"), format!("is to be 1 to {most}")).into())
}

/// Behind which row of an event store the page begins.
pub(super) fn cursor(after: Option<&str>) -> Answered<Option<Cursor>> {
    let wrong = |error: BadCursor| Problem::new(Code::BadCursor, error.to_string());
    Ok(after.map(|text| text.parse().map_err(wrong)).transpose()?)
}

/// The number behind which the page begins; `what` it should be is named when it is none.
pub(super) fn number(after: Option<&str>, what: &str) -> Answered<Option<i64>> {
    let wrong = |_| Problem::new(Code::BadCursor, format!("`after` is no {what}"));
    Ok(after.map(|text| text.parse().map_err(wrong)).transpose()?)
}

/// Takes the row away that is one too many; what to send as `after` for the next page, if there is one.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: u32, place: impl Fn(&T) -> String) -> Option<String> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(place)
}
