//! Traces: what a request became, as spans that a collector is sent by OTLP, in a program that is built with the feature `otel`.
//!
//! ```text
//! http ─┬─ permit
//!       ├─ sql
//!       └─ operation ─┬─ sql
//!                     └─ registry.commit
//! ```
//!
//! - **Spans** are those of `tracing`, of the target [`TARGET`] and of the registry's face. Where nothing is exported nobody asks for them, and each costs a
//!   comparison; the log has none of them.
//! - **A request** goes on with the trace that its `traceparent` names. An operation goes on with its request's, whichever server carries it out: the text
//!   stands with the operation, and a trigger's in its mark in the registry, whose transaction is the fire's id. So what became of a run leads to who
//!   asked for it, also where nothing is exported.
//! - **A collector** that is away costs what it is not sent: spans wait in a queue of a fixed length, and no request waits for them.

#[cfg(feature = "otel")]
mod export;

#[cfg(feature = "otel")]
pub use export::{Export, NoExport, begin};

use http::HeaderMap;
use tracing::Span;

/// The target of the spans that only a collector is sent.
pub const TARGET: &str = "clockwright::trace";

/// The trace that a request belongs to, as its `traceparent` says; what is none by the standard counts as nothing.
#[must_use]
pub fn said(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok().filter(|text| is_trace(text))
}

/// `00-{trace}-{span}-{flags}`, neither of the two zero.
fn is_trace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2]
        && parts[0] == "00"
        && parts.iter().all(|part| is_hex(part))
        && parts[1..3].iter().all(|part| part.bytes().any(|byte| byte != b'0'))
}

/// The span goes on with this trace. Before it is entered.
pub(crate) fn follow(span: &Span, trace: Option<&str>) {
    #[cfg(feature = "otel")]
    export::follow(span, trace);
    #[cfg(not(feature = "otel"))]
    let _ = (span, trace);
}

/// What goes on from here names this as its trace: the current span's where it is exported, what the request said otherwise.
pub(crate) fn here(said: Option<&str>) -> Option<String> {
    #[cfg(feature = "otel")]
    if let Some(here) = export::here() {
        return Some(here);
    }
    said.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_by_the_standard_counts_as_nothing() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().expect("a header"));
            said(&headers).map(str::to_owned)
        };
        assert_eq!(said(good).as_deref(), Some(good));
        for bad in [
            "",
            "00",
            &good[..54],
            &good.replace("00-4b", "ff-4b"),
            &good.to_uppercase(),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &format!("{good}-more"),
        ] {
            assert_eq!(said(bad), None, "{bad}");
        }
    }
}
