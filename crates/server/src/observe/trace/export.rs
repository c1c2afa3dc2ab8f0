//! Spans on their way to a collector, by OTLP over HTTP with protobuf.

use super::TARGET;
use async_trait::async_trait;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// How long one message to the collector may take, and how long the last ones are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the face of registries tells what it does.
const REGISTRY: &str = "clockwright_registry::facade";
/// Any of them names a collector.
const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub struct NoExport(String);

/// What is exported, until it ends.
#[derive(Debug)]
pub struct Export(SdkTracerProvider);

/// What a subscriber is given for spans to be exported; `None` where neither the configuration nor the environment names a collector. Within a runtime.
///
/// # Errors
/// The address of the collector, or another variable of the standard, cannot be used.
pub fn begin<S>(endpoint: Option<&str>) -> Result<Option<(impl Layer<S> + use<S>, Export)>, NoExport>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_named = VARIABLES.iter().any(|name| std::env::var(name).is_ok_and(|text| !text.is_empty()));
    if endpoint.is_none() && !is_named {
        return Ok(None);
    }
    let wrong = |error: &dyn std::error::Error| NoExport(error.to_string());
    let client = Client {
        client: reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(&error))?,
        runtime: Handle::current(),
    };
    let mut exporter =
        SpanExporter::builder().with_http().with_http_client(client).with_protocol(Protocol::HttpBinary);
    if let Some(endpoint) = endpoint {
        exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
    }
    let exporter = exporter.build().map_err(|error| wrong(&error))?;
    let mut resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var("OTEL_SERVICE_NAME").is_err() {
        resource = resource.with_service_name("clockwright-server");
    }
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let asked =
        Targets::new().with_target(TARGET, LevelFilter::TRACE).with_target(REGISTRY, LevelFilter::TRACE);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("clockwright"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(asked);
    Ok(Some((layer, Export(provider))))
}

impl Export {
    /// Sends what waits still, as far as the collector takes it in time.
    pub async fn end(self) {
        let work = tokio::task::spawn_blocking(move || self.0.shutdown());
        if let Ok(Ok(Err(error))) = tokio::time::timeout(PATIENCE, work).await {
            tracing::warn!(%error, "not all traces were sent");
        }
    }
}

pub(super) fn follow(span: &Span, trace: Option<&str>) {
    let Some(trace) = trace else { return };
    let carrier: HashMap<String, String> = [("traceparent".to_owned(), trace.to_owned())].into();
    // A span that nobody asked for has no parent either.
    let _ = span.set_parent(TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier));
}

pub(super) fn here() -> Option<String> {
    let context = Span::current().context();
    let here = context.span().span_context().clone();
    let flags = here.trace_flags().to_u8();
    here.is_valid().then(|| format!("00-{}-{}-{flags:02x}", here.trace_id(), here.span_id()))
}

/// Spans are sent by a thread of their own, which is none of the runtime's.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answered = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answered.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answered.headers());
            }
            Ok::<_, HttpError>(response.body(answered.bytes().await?)?)
        });
        sent.await?
    }
}
