//! Every way in which a request can be refused: RFC 9457 problem details with a stable code.
//!
//! The table below is the only place where a code, its status, its meaning and its remedy are said; the pages of problems and the
//! document of the interface are made from it. A code is never given another meaning.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use utoipa::ToSchema;

macro_rules! codes {
    ($( $variant:ident $status:literal $name:literal: $means:literal => $fix:literal )*) => {
        /// Why a request was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $( #[doc = $means] $variant, )*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Code] = &[ $( Code::$variant, )* ];

            /// As it is written in answers: `version-conflict`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Code::$variant => $name, )* }
            }

            /// The status of the answer.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $( Code::$variant => $status, )* }
            }

            /// What it means, in one sentence without an end.
            #[must_use]
            pub fn means(self) -> &'static str {
                match self { $( Code::$variant => $means, )* }
            }

            /// What whoever asked can do about it.
            #[must_use]
            pub fn fix(self) -> &'static str {
                match self { $( Code::$variant => $fix, )* }
            }
        }
    };
}

codes! {
    // What was sent cannot be read.
    BadJson              400 "bad-json": "the body is not JSON" => "mend it at the line that is named"
    BadYaml              400 "bad-yaml": "the body is not YAML" => "mend it at the line that is named"
    UnknownField         400 "unknown-field": "the body has a key that is not known here" => "use the key that is named as the nearest"
    UnknownParameter     400 "unknown-parameter": "the address has a parameter that is not known here" => "use the parameter that is named as the nearest"
    BadCursor            400 "bad-cursor": "`after` is not what a page gave as `next`" => "send `next` of the page before, unchanged, with the same order"
    BadFilter            400 "bad-filter": "the search cannot be read" => "mend the word that is named"
    TooDeep              400 "too-deep": "the body is nested too deeply" => "flatten it: the limit is named"
    BadRequest           400 "bad-request": "the request cannot be read" => "mend what is named"
    TooLarge             413 "too-large": "the body is too large" => "split it: the limit is named"
    UnsupportedType      415 "unsupported-type": "the body's content type is not taken here" => "send one of those that are named"
    NotAcceptable        406 "not-acceptable": "none of the accepted content types can be given" => "accept one of those that are named"
    MethodNotAllowed     405 "method-not-allowed": "the method is not for this address" => "use one of those that the Allow header names"
    Invalid              422 "invalid": "what was sent cannot be used" => "mend each problem at its pointer"
    // Who asks.
    NotSignedIn          401 "not-signed-in": "nobody is signed in" => "sign in, or send a token"
    SignInFailed         401 "sign-in-failed": "login and password do not belong together" => "try again, or ask an administrator for a link"
    SessionOver          401 "session-over": "the session is over" => "sign in again"
    TokenExpired         401 "token-expired": "the token is not valid any more" => "make a new one"
    NotAllowed           403 "not-allowed": "this needs a permission that you do not have here" => "ask somebody who has the role that is named"
    StepUpNeeded         403 "step-up-needed": "this needs a sign-in of the last minutes" => "POST /api/v1/me/step-up, then send it again"
    CrossSite            403 "cross-site": "the request comes from a page of another site" => "call the interface itself, with a token"
    CodeNotAllowed       403 "code-not-allowed": "the keys that are named decide what a job runs" => "ask somebody who has job.code"
    // What it is about.
    NotFound             404 "not-found": "there is no such thing, or you may not see it" => "look at the nearest name, or ask for access"
    NoSuchItem           404 "no-such-item": "the job has no such item" => "use a number of the range that is named"
    NoSuchHost           404 "no-such-host": "no instance was ever seen on that host" => "use the name that is named as the nearest"
    // What it would change.
    PreconditionRequired 428 "precondition-required": "a change must say which version it changes" => "send If-Match with the ETag that you read"
    VersionConflict      412 "version-conflict": "somebody else changed it since you read it" => "look at the changes, merge yours, send it again"
    PlanStale            412 "plan-stale": "what the plan was made of has changed" => "look at the new plan, and apply that one"
    SelectionChanged     412 "selection-changed": "other jobs are selected than the dry run showed" => "look again, and send the new `expect`"
    NameTaken            409 "name-taken": "the name is in use" => "choose another one"
    JobExistsInRegistry  409 "job-exists-in-registry": "the registry has a job of that name that is not managed" => "adopt it"
    ManagedByFiles       409 "managed-by-files": "the job is defined by a file" => "change the file, or send `override: true` and a reason"
    ManagedByConsole     409 "managed-by-console": "the job is defined here and not by files" => "apply with `takeOver: true`"
    OwnedBy              409 "owned-by": "the job is defined by files of another source" => "apply from there, or with `takeOver: true`"
    Diverged             409 "diverged": "the job was changed by hand since its file was applied" => "change the file, or apply with `force: true`"
    ItemsRunning         409 "items-running": "items of the job run now" => "wait, or drain the job"
    JobPaused            409 "job-paused": "the job is paused" => "resume it"
    JobOffline           409 "job-offline": "the job is offline" => "put it online"
    JobRemoving          409 "job-removing": "the job is being removed" => "wait for the end of its removal"
    NoLiveInstance       409 "no-live-instance": "no instance of the job is there" => "start one"
    StillServed          409 "still-served": "instances still serve it" => "stop them, or choose drain or kill"
    StaticSharding       409 "static-sharding": "the job's items are given to fixed instances" => "take staticSharding away"
    LayoutCannot         409 "layout-cannot": "the registry's layout has no place for it" => "leave the key away that is named"
    LastAdmin            409 "last-admin": "nobody else could administer this" => "make somebody else an administrator first"
    ProjectInUse         409 "project-in-use": "the project has managed jobs" => "remove them, or detach the project"
    NamespaceTaken       409 "namespace-taken": "another project has that namespace of that registry" => "choose another namespace, or use that project"
    RegistryOfAnotherPlane 409 "registry-of-another-plane": "the namespace is managed by another Clockwright database" => "use the one whose address is named"
    RegistryRegressed    409 "registry-regressed": "the registry is older than what was written there" => "compare, then confirm"
    SyncHeld             409 "sync-held": "more would be written than the guard allows" => "compare, then confirm"
    IdempotencyMismatch  422 "idempotency-mismatch": "the key was used for another request" => "use another key"
    RequestInProgress    409 "request-in-progress": "the request of that key is still under way" => "ask again after Retry-After"
    Gone                 410 "gone": "it was there, and is not any more" => "make a new one"
    LinkUsed             410 "link-used": "the link was used, or is too old" => "ask for a new one"
    // How much, and when.
    RateLimited          429 "rate-limited": "too many requests" => "ask again after Retry-After"
    LockedOut            429 "locked-out": "too many failed sign-ins" => "try again after Retry-After"
    TooManyStreams       429 "too-many-streams": "too many live streams are open" => "close one"
    Internal             500 "internal": "the server failed at this request" => "give the request's id to whoever runs it: its log has the rest"
    RegistryDenied       502 "registry-denied": "the registry refuses the server" => "mend the credential, or the node's ACL that is named"
    RegistryAway         503 "registry-away": "the registry is away" => "ask again: reads go on meanwhile"
    DatabaseAway         503 "database-away": "the database is away" => "ask again: lists go on meanwhile"
    Behind               503 "behind": "this server has not seen yet what you ask about" => "ask again after Retry-After"
    Starting             503 "starting": "the server is starting" => "ask again after Retry-After"
    Busy                 503 "busy": "the server has too much to do" => "ask again after Retry-After"
    UnknownOutcome       504 "unknown-outcome": "nobody knows yet whether it was done" => "ask the operation; do not repeat it blindly"
}

impl Code {
    /// The code of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One thing that is wrong in a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Where, as a JSON pointer: `/settings/cron`. Empty for the whole.
    pub pointer: String,
    /// The line in a YAML body, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What is wrong there, and what would be right.
    pub message: String,
}

/// Why a request is refused, as the answer's `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemBody>);

impl std::ops::Deref for Problem {
    type Target = ProblemBody;

    fn deref(&self) -> &ProblemBody {
        &self.0
    }
}

impl std::ops::DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut ProblemBody {
        &mut self.0
    }
}

/// The members of a problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The page of this code: `/problems/{code}`.
    #[serde(rename = "type")]
    pub page: String,
    /// What the code means.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time: the thing, the place, the cause.
    pub detail: String,
    /// The request's id, which the server's log has too.
    pub instance: String,
    /// The code.
    pub code: String,
    /// What to do.
    pub fix: String,
    /// Each thing that is wrong in the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Detail>,
    /// After how many seconds to ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What belongs to this code alone: `current` and `changes` of a conflict, `items` that run.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind, and what happened. Whoever answers adds the request's id.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            page: format!("/problems/{code}"),
            title: code.means().to_owned(),
            status: code.status(),
            detail: detail.into(),
            instance: String::new(),
            code: code.name().to_owned(),
            fix: code.fix().to_owned(),
            errors: Vec::new(),
            retry_after: None,
            facts: Map::new(),
        }))
    }

    /// One that was kept.
    #[must_use]
    pub fn of(body: ProblemBody) -> Self {
        Self(Box::new(body))
    }

    /// With something that is wrong in the body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(Detail { pointer: pointer.into(), line: None, message: message.into() });
        self
    }

    /// With a fact of this code.
    #[must_use]
    pub fn with(mut self, key: &str, fact: impl Serialize) -> Self {
        self.facts.insert(key.to_owned(), serde_json::to_value(fact).unwrap_or_default());
        self
    }

    /// With a better remedy than the code's own.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// With the nearest of the words that are known as the remedy, if one is near.
    #[must_use]
    pub fn near<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match clockwright_model::nearest(word, known) {
            Some(near) => self.fix(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// To be asked again after so many seconds.
    #[must_use]
    pub fn retry(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, with another code.
    #[must_use]
    pub fn as_code(mut self, code: Code) -> Self {
        self.page = format!("/problems/{code}");
        self.title = code.means().to_owned();
        self.status = code.status();
        self.code = code.name().to_owned();
        self
    }

    /// Its code; `None` for one that a later server knows.
    #[must_use]
    pub fn kind(&self) -> Option<Code> {
        Code::named(&self.code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.detail)?;
        for error in &self.errors {
            write!(out, "\n  {}: {}", error.pointer, error.message)?;
        }
        write!(out, "\n  {}", self.fix)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_name_of_its_own_a_status_of_a_refusal_and_a_remedy() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(code.name().chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{code}");
            assert!(!code.fix().is_empty() && !code.means().ends_with('.'), "{code}");
            assert_eq!(Code::named(code.name()), Some(*code));
        }
    }

    #[test]
    fn facts_of_a_code_stand_beside_the_standard_members() {
        let problem = Problem::new(Code::ItemsRunning, "`report` runs").with("items", [3]).retry(2);
        let json = serde_json::to_value(&problem).expect("it is plain data");
        assert_eq!(json["type"], "/problems/items-running");
        assert_eq!(json["items"], serde_json::json!([3]));
        assert_eq!(json["retryAfter"], 2);
        assert!(json.get("errors").is_none());
        let back: Problem = serde_json::from_value(json).expect("it was one");
        assert_eq!(back, problem);
    }
}
