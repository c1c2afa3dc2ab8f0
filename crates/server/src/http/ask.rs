//! A request as handlers see it: read whole, known by an id, with whoever sent it.

use crate::app::App;
use crate::decide::chain::{Actor, ActorKind, Via};
use crate::http::grant::{Asker, Key};
use crate::http::refusal::Answered;
use crate::identity::Door;
use crate::observe::trace;
use axum::body::Bytes;
use clockwright_api::{Code, Problem};
use http::{HeaderMap, Method, Uri};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A request that was read whole.
#[derive(Debug)]
pub struct Ask {
    /// The server.
    pub app: Arc<App>,
    /// Its id, in every answer and in the log.
    pub id: String,
    /// Its method.
    pub method: Method,
    /// Its address.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// What stands in the address where the pattern has names.
    pub names: BTreeMap<String, String>,
    /// The parameters behind the `?`, decoded.
    pub query: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// Who sent it: the peer, or what a trusted proxy says.
    pub ip: IpAddr,
    /// How they came in, or why not.
    pub door: Door,
    /// Its idempotency key, if it has one and they are in.
    pub key: Option<Key>,
}

impl Ask {
    /// What stands in the address under this name.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Who sent it.
    ///
    /// # Errors
    /// Nobody is signed in, and why.
    pub fn asker(&self) -> Answered<Asker> {
        let visitor = match &self.door {
            Door::In(visitor) => visitor,
            Door::Nobody => {
                return Err(
                    Problem::new(Code::NotSignedIn, "the request has neither a session nor a token").into()
                );
            }
            Door::Over(code) => {
                return Err(Problem::new(*code, "what was sent to sign in does not open any more").into());
            }
        };
        let actor = Actor {
            kind: if visitor.is_service { ActorKind::Service } else { ActorKind::Person },
            id: visitor.principal.id.clone(),
            name: visitor.principal.name.clone(),
            via: if visitor.principal.scope.is_some() { Via::Token } else { Via::Session },
            ip: self.ip.to_string(),
            request: self.id.clone(),
        };
        Ok(Asker {
            principal: Arc::clone(&visitor.principal),
            actor,
            key: self.key.clone(),
            proved_at: visitor.proved_at,
            trace: trace::here(trace::said(&self.headers)),
        })
    }

    /// The media type of the body, without its parameters, in lower case.
    #[must_use]
    pub fn content_type(&self) -> String {
        let whole = self.header(http::header::CONTENT_TYPE).unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// The media types that a header lists, without their parameters.
pub(in crate::http) fn kinds(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim())
}
