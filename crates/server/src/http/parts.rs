//! The parts of a request that handlers name in their signatures, each read and checked in one place, each saying in the document what it
//! takes.

use crate::http::ask::Ask;
use crate::http::json;
use crate::http::openapi::Operation;
use crate::http::refusal::Answered;
use crate::identity;
use crate::store::JobRow;
use clockwright_api::{Code, Etag, Problem};
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// A part of a request.
pub trait Part: Sized + Send {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    fn read(ask: &Ask) -> Answered<Self>;
    /// What the document says of it.
    fn describe(operation: &mut Operation);
}

/// A body of JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + ToSchema + Send> Part for Body<T> {
    fn read(ask: &Ask) -> Answered<Self> {
        let kind = ask.content_type();
        if kind != "application/json" {
            let detail = if kind.is_empty() {
                "the body has no content type".to_owned()
            } else {
                format!("the body is `{kind}`")
            };
            let problem = Problem::new(Code::UnsupportedType, detail).with("takes", ["application/json"]);
            return Err(problem.fix("send application/json").into());
        }
        Ok(Self(json::read(&ask.body)?))
    }

    fn describe(operation: &mut Operation) {
        operation.takes::<T>("application/json");
    }
}

/// The parameters behind the `?`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + IntoParams + Send> Part for Query<T> {
    fn read(ask: &Ask) -> Answered<Self> {
        Ok(Self(json::parameters(&ask.query)?))
    }

    fn describe(operation: &mut Operation) {
        operation.parameters::<T>();
        // What has the right form and is out of range, or is missing.
        operation.refuses(&[Code::Invalid]);
    }
}

/// What stands in the address.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + IntoParams + Send> Part for Named<T> {
    fn read(ask: &Ask) -> Answered<Self> {
        let names: Vec<_> = ask.names.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let value = json::parameters(&names).map_err(|_| {
            // What cannot be a name or a number of that kind is not there.
            Problem::new(Code::NotFound, format!("there is no `{}`", ask.uri.path()))
        })?;
        Ok(Self(value))
    }

    fn describe(_: &mut Operation) {
        // The names of the pattern are described with it.
    }
}

/// The job that the address names, as the catalogue has it.
#[derive(Debug)]
pub struct TheJob(pub Arc<JobRow>);

impl Part for TheJob {
    fn read(ask: &Ask) -> Answered<Self> {
        let (project, name) = (ask.path("project").unwrap_or_default(), ask.path("job").unwrap_or_default());
        // Whether they may know of the project was asked before this is read.
        let row =
            ask.app.catalogue.project(project).and_then(|project| ask.app.catalogue.job(project.id, name));
        if let Some(job) = row {
            return Ok(Self(job));
        }
        let names = ask.app.catalogue.job_names(project);
        let problem = Problem::new(Code::NotFound, format!("the project `{project}` has no job `{name}`"));
        Err(problem.near(name, names.iter().map(String::as_str)).into())
    }

    fn describe(_: &mut Operation) {}
}

/// The version that a change changes: `If-Match` with the ETag that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matches(pub i64);

impl Part for Matches {
    fn read(ask: &Ask) -> Answered<Self> {
        let Some(header) = ask.header(http::header::IF_MATCH) else {
            return Err(Problem::new(Code::PreconditionRequired, "the change says no version").into());
        };
        let Etag(version) =
            header.parse().map_err(|why| Problem::new(Code::BadRequest, format!("If-Match: {why}")))?;
        Ok(Self(version))
    }

    fn describe(operation: &mut Operation) {
        operation.header("If-Match", "the ETag that was read", true);
    }
}

/// How long an operation's end is waited for: `Prefer: wait=N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Option<Duration>);

/// The longest of them; a request does not take longer.
const LONGEST_WAIT: u64 = 25;

impl Part for Wait {
    fn read(ask: &Ask) -> Answered<Self> {
        // What is preferred and not known is passed over, as RFC 7240 has it.
        let parts = ask.header("prefer").unwrap_or_default().split(',');
        let wait = parts.filter_map(|part| part.trim().strip_prefix("wait=")?.parse::<u64>().ok()).next();
        Ok(Self(wait.map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT)))))
    }

    fn describe(operation: &mut Operation) {
        operation.header("Prefer", "`wait=N`: how many seconds its end is waited for", false);
    }
}

/// What the browser kept while it was at the identity provider.
#[derive(Debug, Clone)]
pub struct Kept(pub Option<String>);

impl Part for Kept {
    fn read(ask: &Ask) -> Answered<Self> {
        Ok(Self(ask.app.cookie_of(&ask.headers, ask.app.config.errand_name())))
    }

    fn describe(_: &mut Operation) {}
}

/// The whole request, for the few handlers that need a header of their own.
#[derive(Debug, Clone)]
pub struct Client {
    /// From where.
    pub ip: IpAddr,
    /// What the client calls itself.
    pub agent: String,
    /// The secret of the session, if the request came by one.
    pub session: Option<String>,
    /// The secret of the token, if the request came by one.
    pub token: Option<String>,
}

impl Part for Client {
    fn read(ask: &Ask) -> Answered<Self> {
        Ok(Self {
            ip: ask.ip,
            agent: ask.header(http::header::USER_AGENT).unwrap_or_default().chars().take(200).collect(),
            session: ask.app.cookie(&ask.headers),
            token: identity::bearer(&ask.headers),
        })
    }

    fn describe(_: &mut Operation) {}
}
