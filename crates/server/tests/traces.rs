//! What a request became, as a collector is told it.
//!
//! `tracing` keeps with each callsite whether anybody wants it, and while there is one subscriber it asks the one of the thread that comes by first. So
//! the subscriber here is the process's, as a program's is, and set before there is a second thread: one that a test had for itself would miss, from
//! then on, each kind of span that a thread without it met first.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    unused_macros,
    missing_docs,
    reason = "tests, with the stage of others"
)]

#[path = "suite/fleet.rs"]
mod fleet;
#[path = "suite/stage.rs"]
mod stage;

use axum::body::Bytes;
use axum::http::HeaderMap;
use clockwright_fleet::Layout;
use clockwright_registry::Registry;
use clockwright_server::observe::trace::begin;
use clockwright_testkit::patience::PATIENCE;
use fleet::{Fleet, HERE, JOB};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use stage::{On, Stage};
use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Takes spans as a collector does.
struct Collector {
    url: String,
    taken: watch::Receiver<Vec<(HeaderMap, ExportTraceServiceRequest)>>,
}

impl Collector {
    async fn start() -> Self {
        let (tell, taken) = watch::channel(Vec::new());
        let take = async move |headers: HeaderMap, body: Bytes| {
            let sent = ExportTraceServiceRequest::decode(body).unwrap();
            tell.send_modify(|taken| taken.push((headers, sent)));
        };
        let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", door.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(door, router).await });
        Self { url, taken }
    }

    /// The spans of a trace that were sent so far.
    fn spans(&self, trace: &str) -> Vec<Span> {
        let taken = self.taken.borrow();
        let resources = taken.iter().flat_map(|(_, sent)| &sent.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        spans.filter(|span| hex(&span.trace_id) == trace).cloned().collect()
    }

    /// The spans of a trace, once these are among them: whatever ended before them was sent before them.
    async fn with(&mut self, trace: &str, names: &[&str]) -> Vec<Span> {
        loop {
            let spans = self.spans(trace);
            if names.iter().all(|name| spans.iter().any(|span| span.name == *name)) {
                return spans;
            }
            let sent = tokio::time::timeout(PATIENCE, self.taken.changed()).await;
            sent.unwrap_or_else(|_| panic!("no {names:?} in {spans:#?}")).unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn says(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Said::StringValue(text) => Some(text.clone()),
        Said::IntValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trigger_is_one_trace_from_its_request_to_its_commit_and_its_mark_names_it() {
    let mut collector = Collector::start().await;
    let (layer, export) = begin(Some(&format!("{}/", collector.url))).unwrap().unwrap();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();

    let stage = Stage::new(On::Sqlite).await;
    let fleet = Fleet::new(&stage, Layout::V2).await;
    fleet.java(HERE, 0).await;
    let asks = fleet.root.with("traceparent", &format!("00-{TRACE}-{SPAN}-01"));
    let fired = stage.post(&asks, &format!("{JOB}/trigger"), json!({})).await.is(200);

    let spans = collector.with(TRACE, &["http", "operation"]).await;
    let one = |name: &str| -> &Span {
        let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name} in {spans:#?}");
        found[0]
    };
    let (http, permit, operation) = (one("http"), one("permit"), one("operation"));
    assert_eq!(hex(&http.parent_span_id), SPAN);
    assert_eq!(says(http, "http.route").unwrap(), "/api/v1/projects/{project}/jobs/{job}/trigger");
    assert_eq!(says(http, "http.response.status_code").unwrap(), "200");
    assert_eq!(permit.parent_span_id, http.span_id);
    assert_eq!(says(permit, "permission").unwrap(), "job.operate");
    assert_eq!(operation.parent_span_id, http.span_id);
    let below = |name: &str| {
        spans.iter().filter(|span| span.name == name && span.parent_span_id == operation.span_id).count()
    };
    assert!(below("registry.commit") > 0 && below("sql") > 0, "{spans:#?}");

    // Whoever looks at the run's fire finds who asked.
    let fire = fired["result"]["fire"].as_str().unwrap();
    assert_eq!(says(operation, "clockwright.fire").as_deref(), Some(fire));
    let (made, mark) = fleet.mark().await;
    assert_eq!(mark["traceparent"], format!("00-{TRACE}-{}-01", hex(&operation.span_id)));
    assert_eq!(fire, made);

    // Who ends sends what waits.
    let other = TRACE.replace('4', "5");
    let asks = fleet.root.with("traceparent", &format!("00-{other}-{SPAN}-01"));
    stage.get(&asks, JOB).await.is(200);
    export.end().await;
    assert!(collector.spans(&other).iter().any(|span| span.name == "http"));

    let taken = collector.taken.borrow();
    let (headers, sent) = &taken[0];
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let about = &sent.resource_spans[0].resource.as_ref().unwrap().attributes;
    let name = about.iter().find(|about| about.key == "service.name").unwrap();
    let name = name.value.as_ref().unwrap().value.clone().unwrap();
    assert_eq!(name, Said::StringValue("clockwright-server".to_owned()));
}
