//! Answers that go on: rows as lines, and the live stream.
//!
//! The live stream ends when the server says [`Event::Bye`], or with an error when the connection breaks. Whoever listens goes on with
//! [`Client::listen`] after the last [`Told::id`] that came: what was missed meanwhile is told then, or [`Event::Resync`] that it was too much.

use super::call::{Call, broke};
use super::{Client, Error};
use crate::jobs::JobRow;
use crate::paths;
use crate::stream::{Age, Bye, Changed, Crowd, Hello, Resync, StreamAsk};
use futures::Stream;
use reqwest::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest line that is taken, bytes.
const LONGEST: usize = 4 << 20;

/// Something that the live stream told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The number from which a stream goes on, where it has one.
    pub id: Option<i64>,
    /// What it is.
    pub event: Event,
}

/// What the live stream tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first event.
    Hello(Hello),
    /// Something was changed.
    Journal(Changed),
    /// A job's row as it is now.
    Live(Box<JobRow>),
    /// How many jobs there are, where they are too many to be told one by one.
    Crowd(Crowd),
    /// How old what lives in each project is.
    AsOf(BTreeMap<String, Age>),
    /// What was shown is to be loaded anew.
    Resync(Resync),
    /// The stream ends.
    Bye(Bye),
    /// Something that this client does not know.
    Other {
        /// Its name.
        name: String,
        /// What it says.
        data: Value,
    },
}

impl Client {
    /// Listens to what changes; after an event of before, to all that came since.
    ///
    /// # Errors
    /// `bad-filter`, `too-many-streams`, `not-found`; later, that the connection broke.
    pub async fn listen(
        &self,
        ask: &StreamAsk,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<Told, Error>> + use<>, Error> {
        let mut call = self.get(paths::STREAM, &[]).query(ask).accepts("text/event-stream");
        if let Some(after) = after {
            call = call.header(reqwest::header::HeaderName::from_static("last-event-id"), after.to_string());
        }
        let lines = Lines { response: call.send().await?, rest: Vec::new(), ended: false };
        Ok(futures::stream::try_unfold(lines, |mut lines| async move {
            let mut block = Vec::new();
            while let Some(line) = lines.next().await? {
                match line.is_empty() {
                    false => block.push(line),
                    true if block.is_empty() => {}
                    true => return Ok(Some((told(&block)?, lines))),
                }
            }
            Ok(None)
        }))
    }
}

impl Call<'_> {
    /// Sends it; the answer is a row a line.
    pub(super) async fn lines<T: DeserializeOwned>(
        self,
    ) -> Result<impl Stream<Item = Result<T, Error>> + use<T>, Error> {
        let response = self.accepts("application/x-ndjson").send().await?;
        let lines = Lines { response, rest: Vec::new(), ended: false };
        Ok(futures::stream::try_unfold(lines, |mut lines| async move {
            while let Some(line) = lines.next().await? {
                if !line.is_empty() {
                    return Ok(Some((read(&line)?, lines)));
                }
            }
            Ok(None)
        }))
    }
}

/// The lines of an answer, as they come.
struct Lines {
    response: Response,
    rest: Vec<u8>,
    ended: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<String>, Error> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.rest[looked..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=looked + at).collect();
                line.pop();
                return Ok(Some(text(line)));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.rest);
                return Ok((!rest.is_empty()).then(|| text(rest)));
            }
            looked = self.rest.len();
            if looked > LONGEST {
                return Err(strange("a line of the answer has no end"));
            }
            match self.response.chunk().await.map_err(|error| broke(&error))? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap_or_default()
}

fn strange(text: &str) -> Error {
    Error::Strange { status: 200, text: text.to_owned() }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| strange(&format!("a line of the answer is not as expected: {error}")))
}

/// The event of a block of lines.
fn told(block: &[String]) -> Result<Told, Error> {
    let field = |key: &str| {
        block.iter().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim_start_matches(' ')))
    };
    let (name, data) = (field("event").unwrap_or_default(), field("data").unwrap_or("null"));
    let event = match name {
        "hello" => Event::Hello(read(data)?),
        "journal" => Event::Journal(read(data)?),
        "asof" => Event::AsOf(read(data)?),
        "resync" => Event::Resync(read(data)?),
        "bye" => Event::Bye(read(data)?),
        "live" => {
            let value: Value = read(data)?;
            match value.get("counts") {
                Some(_) => Event::Crowd(read(data)?),
                None => Event::Live(read(data)?),
            }
        }
        other => Event::Other { name: other.to_owned(), data: read(data)? },
    };
    Ok(Told { id: field("id").and_then(|id| id.parse().ok()), event })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn an_event_is_read_with_its_number_and_one_that_is_not_known_is_kept() {
        let journal =
            block(&["event: journal", "id: 7", r#"data: {"seq":7,"action":"job.update","by":"lina"}"#]);
        let told_now = told(&journal).expect("an event");
        assert_eq!(told_now.id, Some(7));
        assert!(matches!(told_now.event, Event::Journal(changed) if changed.action == "job.update"));
        let crowd = told(&block(&["event: live", r#"data: {"counts":{"a":{"OK":3}}}"#])).expect("an event");
        assert!(matches!(crowd.event, Event::Crowd(crowd) if crowd.counts["a"]["OK"] == 3));
        let other = told(&block(&["event: alert", r#"data: {"id":"x"}"#])).expect("an event");
        assert!(matches!(other.event, Event::Other { name, .. } if name == "alert"));
        assert!(told(&block(&["event: bye", "data: rubbish"])).is_err());
    }
}
