//! The live stream: one answer that goes on, of small events (`text/event-stream`).
//!
//! ```text
//! hello ─▶ what was missed since Last-Event-ID ─▶ live rows as they are ─▶ journal · live · asof … ─▶ bye
//! ```
//!
//! - **It is pulled.** Nothing is made ready for a reader who does not read: each time the connection has room, what has happened since is
//!   written. So a slow reader costs its place in two bounded channels ([`FEED`](crate::catalogue::FEED) records, and the jobs that moved), and no one else waits.
//! - **Journal.** The catalogue hands each record on once it is followed. The event's id is the record's number; who comes back with it is told
//!   what they missed, from the database, up to [`REPLAY`] records. More, or a number that this journal never had: `resync`.
//! - **Alert.** A record about an alert that opened, changed or was resolved is told as such, to those who may see alerts.
//! - **Live.** Jobs that moved are gathered for a second, and each is told once as it is then: the latest wins. More than [`CROWD`] at once are
//!   `resync` too.
//! - **Rights** are asked before each event leaves, of the session or token as it is at that moment, on the project of what is told. A stream is
//!   no use of a session: it does not keep one alive. It ends with it, within [`ASOF`] and what the identity keeps.
//! - **Ends.** The server leaves: `bye` with `shutdown`. The session or token is over: `signedOut`. The project that was asked for may not be
//!   seen any more: `notAllowed`. The reader is gone: the place is free at once.

use super::{lists, rows};
use crate::alerts;
use crate::app::{App, Slot};
use crate::decide::chain::Link;
use crate::decide::permit::{self, Answer, Place, Principal};
use crate::decide::query::Query as Search;
use crate::http::answer::{Reply, events};
use crate::http::ask::Ask;
use crate::http::grant::Asking;
use crate::http::openapi::Operation;
use crate::http::parts::{Part, Query};
use crate::http::refusal::Answered;
use crate::identity::Door;
use crate::mirror::Moved;
use crate::store::{JournalFilter, ProjectRow};
use axum::body::{Body, Bytes};
use clockwright_api::alerts::AlertEvent;
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::stream::{Age, Bye, Changed, Crowd, Hello, Resync, StreamAsk};
use clockwright_api::{At, Code, Permission, Problem};
use clockwright_fleet::view::JobStatus;
use http::{HeaderMap, Response};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many missed records are told.
const REPLAY: i64 = 10_000;
/// How many of them are read at once.
const BATCH: u32 = 500;
/// How many jobs are told one by one at the beginning, and at most at once.
const CROWD: usize = 1_000;
/// How long jobs that moved are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How often ages are told.
const ASOF: Duration = Duration::from_secs(5);

/// What a listener sends besides what they listen to: what lets them in, and where they go on.
#[derive(Debug)]
pub(in crate::http) struct Listener {
    headers: HeaderMap,
    last: Option<String>,
}

impl Part for Listener {
    fn read(ask: &Ask) -> Answered<Self> {
        let mut headers = HeaderMap::new();
        for name in [http::header::COOKIE, http::header::AUTHORIZATION] {
            for value in ask.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Ok(Self { headers, last: ask.header("last-event-id").map(str::to_owned) })
    }

    fn describe(operation: &mut Operation) {
        operation.header("Last-Event-ID", "the id of the last event that was received", false);
    }
}

/// An answer that goes on.
pub(in crate::http) struct Stream(Body);

impl Reply for Stream {
    fn respond(self) -> Response<Body> {
        events(self.0)
    }

    fn describe(operation: &mut Operation) {
        for schema in [Operation::knows::<Hello>, Operation::knows::<Changed>, Operation::knows::<Crowd>] {
            schema(operation);
        }
        for schema in [Operation::knows::<Age>, Operation::knows::<Resync>, Operation::knows::<Bye>] {
            schema(operation);
        }
        Operation::knows::<AlertEvent>(operation);
        operation.answers_events("events: `hello`, `journal`, `live`, `alert`, `asof`, `resync`, `bye`");
    }
}

pub(in crate::http) async fn listen(
    app: Arc<App>,
    who: Asking<JobRead>,
    listener: Listener,
    Query(ask): Query<StreamAsk>,
) -> Answered<Stream> {
    let search = lists::search(ask.q.as_deref())?;
    let kinds = Kinds::parse(ask.kinds.as_deref())?;
    let principal = Arc::clone(&who.asker().principal);
    let project = match &ask.project {
        None => None,
        Some(name) => Some(who.on_project(&app, name)?.project()?.id),
    };
    let last = match listener.last.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            text.parse::<i64>()
                .map_err(|_| Problem::new(Code::BadCursor, "Last-Event-ID is no number of the journal"))?,
        ),
    };
    let slot = app.stream_slot(&principal.id)?;
    let flow = Flow::begin(app, listener.headers, principal, slot, Wanted { project, search, kinds }, last);
    let chunks = futures::stream::unfold(Some(flow), |flow| async move {
        let mut flow = flow?;
        let (text, more) = flow.next().await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), more.then_some(flow)))
    });
    Ok(Stream(Body::from_stream(chunks)))
}

/// What somebody listens to.
struct Wanted {
    project: Option<i64>,
    search: Search,
    kinds: Kinds,
}

#[derive(Clone, Copy)]
struct Kinds {
    journal: bool,
    live: bool,
    alert: bool,
}

impl Kinds {
    fn parse(text: Option<&str>) -> Answered<Self> {
        let Some(text) = text else { return Ok(Self { journal: true, live: true, alert: true }) };
        let mut kinds = Self { journal: false, live: false, alert: false };
        for word in text.split(',') {
            match word.trim() {
                "journal" => kinds.journal = true,
                "live" => kinds.live = true,
                "alert" => kinds.alert = true,
                other => {
                    let problem = Problem::new(Code::Invalid, format!("`{other}` is no kind of event"));
                    return Err(problem
                        .at("/kinds", "is to be `journal`, `live` and `alert`, with commas")
                        .into());
                }
            }
        }
        Ok(kinds)
    }
}

/// One stream, as far as it has come.
struct Flow {
    app: Arc<App>,
    headers: HeaderMap,
    principal: Arc<Principal>,
    _slot: Slot,
    wanted: Wanted,
    records: Receiver<Arc<Link>>,
    moves: Receiver<Moved>,
    /// The last record that was told or passed over.
    seq: i64,
    /// What is to be told before anything else: records up to this number.
    until: i64,
    /// Jobs that moved.
    moved: BTreeSet<(i64, String)>,
    greeted: bool,
    /// The first rows are told.
    shown: bool,
    restart: Option<&'static str>,
    gathered: tokio::time::Interval,
    aged: tokio::time::Interval,
    leaving: tokio::sync::watch::Receiver<bool>,
}

/// Something to be told.
enum Next {
    Record(Arc<Link>),
    Slow,
    Gathered,
    Aged,
    Leaving,
}

impl Flow {
    fn begin(
        app: Arc<App>,
        headers: HeaderMap,
        principal: Arc<Principal>,
        slot: Slot,
        wanted: Wanted,
        last: Option<i64>,
    ) -> Self {
        // First the channels, then the number: what comes between is in both, and told once.
        let (records, moves) = (app.catalogue.records(), app.mirrors.changes());
        let head = app.catalogue.seq();
        let (seq, restart) = match last {
            None => (head, None),
            Some(last) if last > head => (head, Some("restart")),
            Some(last) if head - last > REPLAY => (head, Some("tooOld")),
            Some(last) => (last, None),
        };
        let every = |period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let leaving = app.leaving();
        Self {
            app,
            headers,
            principal,
            _slot: slot,
            wanted,
            records,
            moves,
            seq,
            until: head,
            moved: BTreeSet::new(),
            greeted: false,
            shown: false,
            restart,
            gathered: every(GATHER),
            aged: every(ASOF),
            leaving,
        }
    }

    /// The next events, and whether there will be others. An empty text is never written.
    async fn next(&mut self) -> (String, bool) {
        loop {
            if let Some(why) = self.over().await {
                return (event("bye", None, &Bye { why: why.to_owned() }), false);
            }
            let text = if !self.greeted {
                self.greeted = true;
                self.hello()
            } else if self.seq < self.until {
                self.missed().await
            } else if !self.shown {
                self.shown = true;
                self.snapshot()
            } else {
                match self.wait().await {
                    Next::Leaving => return (event("bye", None, &Bye { why: "shutdown".to_owned() }), false),
                    next => {
                        // Time has passed: what they may is asked again before they are told.
                        if let Some(why) = self.over().await {
                            return (event("bye", None, &Bye { why: why.to_owned() }), false);
                        }
                        self.tell(next)
                    }
                }
            };
            if !text.is_empty() {
                return (text, true);
            }
        }
    }

    /// Waits for something to be told, and gathers jobs that move meanwhile.
    async fn wait(&mut self) -> Next {
        loop {
            let moved = tokio::select! {
                biased;
                _ = self.leaving.wait_for(|leaving| *leaving) => return Next::Leaving,
                record = self.records.recv() => return match record {
                    Ok(record) => Next::Record(record),
                    // The catalogue lives as long as the server.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => Next::Slow,
                },
                moved = self.moves.recv() => moved,
                _ = self.gathered.tick(), if !self.moved.is_empty() => return Next::Gathered,
                _ = self.aged.tick() => return Next::Aged,
            };
            let Ok(moved) = moved else { return Next::Slow };
            self.gather(&moved);
            if self.moved.len() > CROWD {
                return Next::Slow;
            }
        }
    }

    /// Notes jobs that moved, if they are listened to.
    fn gather(&mut self, moved: &Moved) {
        let project = moved.project;
        if self.wanted.kinds.live && self.wanted.project.is_none_or(|asked| asked == project) {
            self.moved.extend(moved.jobs.iter().map(|job| (project, job.as_str().to_owned())));
        }
    }

    /// Looks who they are at this moment; why the stream is over, if it is.
    async fn over(&mut self) -> Option<&'static str> {
        match self.app.identity.look(&self.app, &self.headers).await {
            Ok(Door::In(visitor)) => self.principal = visitor.principal,
            // The database is away: what they were is what they are, until it is back.
            Err(_) => {}
            Ok(Door::Nobody | Door::Over(_)) => return Some("signedOut"),
        }
        let gone = self.wanted.project.is_some_and(|project| !self.may(Permission::JobRead, project));
        gone.then_some("notAllowed")
    }

    /// May they, on this project? 0 for what belongs to none.
    fn may(&self, permission: Permission, project: i64) -> bool {
        let place = if project == 0 { Place::Everywhere } else { Place::Project(project) };
        permit::permit(&self.principal, permission, place) == Answer::Allowed
    }

    /// The projects that are listened to.
    fn projects(&self) -> Vec<Arc<ProjectRow>> {
        let asked = |row: &Arc<ProjectRow>| self.wanted.project.is_none_or(|project| project == row.id);
        let all = self.app.catalogue.projects().into_iter();
        all.filter(asked).filter(|row| self.may(Permission::JobRead, row.id)).collect()
    }

    fn ages(&self) -> BTreeMap<String, Age> {
        let age = |row: Arc<ProjectRow>| {
            let mirror = self.app.mirrors.of(row.id);
            let picture = mirror.read();
            let age = Age { as_of: picture.as_of.map(At), state: picture.state.word().to_owned() };
            (row.name.clone(), age)
        };
        self.projects().into_iter().map(age).collect()
    }

    fn hello(&mut self) -> String {
        let mut text = event("hello", None, &Hello { seq: self.seq, as_of: self.ages() });
        if let Some(why) = self.restart.take() {
            text += &self.resync(why);
        }
        text
    }

    /// What was shown is of no worth any more; it goes on from here.
    fn resync(&mut self, why: &'static str) -> String {
        self.moved.clear();
        (self.records, self.moves) = (self.app.catalogue.records(), self.app.mirrors.changes());
        self.seq = self.app.catalogue.seq();
        self.until = self.seq;
        event("resync", None, &Resync { why: why.to_owned(), seq: self.seq })
    }

    /// A batch of what was missed.
    async fn missed(&mut self) -> String {
        let filter = JournalFilter { after: Some(self.seq), limit: BATCH, ..JournalFilter::default() };
        let Ok(links) = self.app.store.journal(&filter).await else { return self.resync("tooOld") };
        match links.first() {
            // Retention took what lies between.
            Some(first) if first.seq == self.seq + 1 => {}
            _ => return self.resync("tooOld"),
        }
        links.iter().map(|link| self.record(link)).collect()
    }

    fn tell(&mut self, next: Next) -> String {
        match next {
            Next::Record(link) if link.seq <= self.seq => String::new(),
            Next::Record(link) if link.seq == self.seq + 1 => self.record(&link),
            // Some never came this way: they are read, and this one with them.
            Next::Record(link) => {
                self.until = link.seq;
                String::new()
            }
            Next::Slow => self.resync("overflow"),
            Next::Gathered => self.live(),
            Next::Aged => event("asof", None, &self.ages()),
            Next::Leaving => String::new(),
        }
    }

    /// A record, if they may know of it. What a job is has changed with it, so its row is told too.
    fn record(&mut self, link: &Link) -> String {
        self.seq = self.seq.max(link.seq);
        let fields = &link.fields;
        let of_job = fields.target_kind == "job";
        let needs = match fields.target_kind.as_str() {
            "job" => Permission::JobRead,
            "project" => Permission::ProjectRead,
            "alert" => Permission::AlertRead,
            _ if fields.project == 0 => Permission::AuditAll,
            _ => Permission::AuditRead,
        };
        if self.wanted.project.is_some_and(|project| project != fields.project)
            || !self.may(needs, fields.project)
        {
            return String::new();
        }
        let project = self.app.catalogue.project_of(fields.project);
        let job = of_job.then(|| self.app.catalogue.job(fields.project, &fields.target_name)).flatten();
        if let (Some(project), Some(job)) = (&project, &job) {
            if !lists::finds(&self.app, &self.wanted.search, project, job) {
                return String::new();
            }
            if self.wanted.kinds.live && self.shown {
                self.moved.insert((fields.project, job.name.clone()));
            }
        }
        if let Some(told) = alerts::event(&self.app, link) {
            return if self.wanted.kinds.alert { event("alert", None, &told) } else { String::new() };
        }
        if !self.wanted.kinds.journal {
            return String::new();
        }
        let told = Changed {
            seq: link.seq,
            action: fields.action.clone(),
            project: project.map(|project| project.name.clone()),
            job: of_job.then(|| fields.target_name.clone()),
            version: job.map(|job| job.version),
            by: fields.actor_name.clone(),
        };
        event("journal", Some(link.seq), &told)
    }

    /// Jobs of the search, as they are.
    fn snapshot(&self) -> String {
        if !self.wanted.kinds.live {
            return String::new();
        }
        let projects = self.projects();
        let found = lists::found(&self.app, &projects, &self.wanted.search);
        if found.len() <= CROWD {
            return found
                .into_iter()
                .map(|entry| event("live", None, &rows::row(&self.app, &entry.project, &entry.job)))
                .collect();
        }
        let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for entry in found {
            let status = lists::status(&self.app, &entry.project, &entry.job).map_or("", JobStatus::as_str);
            let of_project = counts.entry(entry.project.name.clone()).or_default();
            *of_project.entry(status.to_owned()).or_default() += 1;
        }
        event("live", None, &Crowd { counts })
    }

    /// The jobs that moved, as they are now.
    fn live(&mut self) -> String {
        let mut text = String::new();
        for (project, name) in std::mem::take(&mut self.moved) {
            let Some(row) = self.app.catalogue.project_of(project) else { continue };
            let Some(job) = self.app.catalogue.job(project, &name) else { continue };
            if self.may(Permission::JobRead, project)
                && lists::finds(&self.app, &self.wanted.search, &row, &job)
            {
                text += &event("live", None, &rows::row(&self.app, &row, &job));
            }
        }
        text
    }
}

/// An event as it is written.
fn event(name: &str, id: Option<i64>, data: &impl Serialize) -> String {
    let mut text = format!("event: {name}\n");
    if let Some(id) = id {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "id: {id}");
    }
    // Text of JSON has no line ends of its own.
    let _ = write!(text, "data: {}\n\n", serde_json::to_string(data).unwrap_or_default());
    text
}
