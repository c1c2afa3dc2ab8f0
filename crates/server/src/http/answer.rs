//! What handlers answer, how it is sent, and what the document of the interface says of it.

use crate::http::openapi::Operation;
use axum::body::Body;
use clockwright_api::Etag;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An answer of a known form.
pub trait Answer: Send + 'static {
    /// As it is sent.
    fn render(self) -> Rendered;
    /// What the document says of it.
    fn describe(operation: &mut Operation);
}

/// What a handler gives: an answer that is whole, or one that goes on.
pub trait Reply: Send + 'static {
    /// As a response.
    fn respond(self) -> Response<Body>;
    /// What the document says of it.
    fn describe(operation: &mut Operation);
}

/// An answer that its request's key keeps: the same request is carried out once however often it comes.
pub trait Kept: Reply {}

impl<T: Answer> Reply for T {
    fn respond(self) -> Response<Body> {
        self.render().response()
    }

    fn describe(operation: &mut Operation) {
        T::describe(operation);
    }
}

/// An answer of events, which nothing on its way is to keep or to hold back.
#[must_use]
pub fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Stands with a response that holds a secret.
#[derive(Debug, Clone, Copy)]
pub struct HoldsSecret;

/// An answer of lines of JSON, as they come.
#[must_use]
pub fn lines(body: Body) -> Response<Body> {
    flowing("application/x-ndjson", body)
}

/// An answer of this content type that is read as it comes.
#[must_use]
pub fn flowing(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer as it is sent, and as it is kept for who asks again with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The status.
    pub status: u16,
    /// The content type; empty for no body.
    pub kind: String,
    /// The body.
    pub body: String,
    /// The version of the thing, as an ETag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    /// Where the thing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// True when it holds a secret that must not be kept anywhere on its way.
    #[serde(skip)]
    pub secret: bool,
    /// A cookie to be set. It is never kept.
    #[serde(skip)]
    pub cookie: Option<String>,
    /// The number of the journal's record of the change, if it was one.
    #[serde(skip)]
    pub seq: Option<i64>,
}

impl Rendered {
    /// A body of JSON.
    #[must_use]
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Our own types are plain data.
        let body = serde_json::to_string(value).unwrap_or_default();
        Self { kind: "application/json".to_owned(), body, ..Self::empty(status) }
    }

    /// No body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            kind: String::new(),
            body: String::new(),
            etag: None,
            location: None,
            secret: false,
            cookie: None,
            seq: None,
        }
    }

    /// As a response.
    #[must_use]
    pub fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        if self.secret || self.cookie.is_some() {
            response.extensions_mut().insert(HoldsSecret);
        }
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().append(name, value);
            }
        };
        if !self.kind.is_empty() {
            set(CONTENT_TYPE, &self.kind);
        }
        if let Some(etag) = &self.etag {
            set(ETAG, etag);
        }
        if let Some(location) = &self.location {
            set(LOCATION, location);
        }
        if let Some(cookie) = &self.cookie {
            set(http::header::SET_COOKIE, cookie);
        }
        set(CACHE_CONTROL, "no-store");
        if let Some(seq) = self.seq {
            response.headers_mut().insert("clockwright-seq", seq.into());
        }
        response
    }
}

/// What was asked for.
#[derive(Debug)]
pub struct Found<T> {
    /// It.
    pub value: T,
    /// Its version, if it is a stored thing.
    pub version: Option<i64>,
}

impl<T> Found<T> {
    /// Something that has no version.
    pub fn new(value: T) -> Self {
        Self { value, version: None }
    }

    /// A stored thing of this version.
    pub fn at(value: T, version: i64) -> Self {
        Self { value, version: Some(version) }
    }
}

impl<T: Serialize + ToSchema + Send + 'static> Answer for Found<T> {
    fn render(self) -> Rendered {
        Rendered {
            etag: self.version.map(|version| Etag(version).to_string()),
            ..Rendered::json(StatusCode::OK, &self.value)
        }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<T>(200, "what was asked for");
    }
}

/// Something that was made.
#[derive(Debug)]
pub struct Created<T> {
    /// It.
    pub value: T,
    /// Where it is.
    pub location: String,
    /// Its version.
    pub version: Option<i64>,
}

impl<T: Serialize + ToSchema + Send + 'static> Answer for Created<T> {
    fn render(self) -> Rendered {
        Rendered {
            etag: self.version.map(|version| Etag(version).to_string()),
            location: Some(self.location),
            ..Rendered::json(StatusCode::CREATED, &self.value)
        }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<T>(201, "it was made; `Location` says where it is");
    }
}

/// Something that is shown once and never again.
#[derive(Debug)]
pub struct Secret<T>(pub T);

impl<T: Serialize + ToSchema + Send + 'static> Answer for Secret<T> {
    fn render(self) -> Rendered {
        Rendered { secret: true, ..Rendered::json(StatusCode::CREATED, &self.0) }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<T>(201, "it was made, and is shown this once");
    }
}

/// It was done, and there is nothing to say.
#[derive(Debug)]
pub struct Done;

impl Answer for Done {
    fn render(self) -> Rendered {
        Rendered::empty(StatusCode::NO_CONTENT)
    }

    fn describe(operation: &mut Operation) {
        operation.answers_nothing(204, "it was done");
    }
}

/// A jobs file.
#[derive(Debug)]
pub struct Yaml(pub String);

impl Answer for Yaml {
    fn render(self) -> Rendered {
        Rendered { kind: "application/yaml".to_owned(), body: self.0, ..Rendered::empty(StatusCode::OK) }
    }

    fn describe(operation: &mut Operation) {
        operation.answers_yaml("a jobs file; what is at its default is left out");
    }
}
