//! Lists of jobs: filtered, ordered, in pages or as lines, counted exactly. All of it is answered from memory.
//!
//! An order is made when it is asked for, and kept until a job changes, or for a second where it depends on the time or on what the registry
//! says. A page is a place in it, so it never expires: it neither repeats nor skips a row that stays where it was. What a search found in an
//! order is kept with it, unless it asks what changes without a record; so of a hundred thousand jobs only those that are shown are looked at
//! again when somebody turns the page, or when somebody else asks the same.

use super::{aside, paging, rows};
use crate::app::App;
use crate::decide::query::{BadSearch, Ended, Live, Query as Search, Subject, text_of};
use crate::http::answer::{Found, Reply, lines};
use crate::http::ask::Ask;
use crate::http::grant::{Asking, Granted};
use crate::http::openapi::Operation;
use crate::http::parts::{Part, Query};
use crate::http::refusal::Answered;
use crate::store::{JobRow, ProjectRow};
use axum::body::{Body, Bytes};
use clockwright_api::jobs::{Anchors, AnchorsAsk, JobRow as Row, JobsAsk};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{Code, Problem};
use clockwright_events::{Page as Leaf, RunFilter};
use clockwright_fleet::view::JobStatus;
use clockwright_model::Millis;
use futures::{StreamExt, stream};
use http::Response;
use serde_json::json;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long an order is kept that depends on more than the database.
const KEPT: Duration = Duration::from_secs(1);
/// What is kept of searches in an order: so many, and together no more rows than so many times as it has.
const SEARCHES: usize = 256;
const FINDS: usize = 4;
/// How many rows are written at once where they are lines.
const AT_ONCE: usize = 256;

/// Every how many rows there is an anchor unless told, and at most.
const EVERY: u32 = 500;
const MOST_EVERY: u32 = 10_000;

/// How many of its newest outcomes a row has.
const NEWEST: u32 = 20;
/// How many jobs' outcomes are asked for at once.
const UNDER_WAY: usize = 8;

/// What jobs are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Name,
    Changed,
    Next,
    Status,
    Last,
}

const SORTS: [(&str, Sort); 5] = [
    ("name", Sort::Name),
    ("changed", Sort::Changed),
    ("next", Sort::Next),
    ("status", Sort::Status),
    ("last", Sort::Last),
];

impl Sort {
    fn name(self) -> &'static str {
        SORTS.iter().find(|(_, sort)| *sort == self).map_or("", |(name, _)| name)
    }
}

/// Orders that are kept.
#[derive(Debug, Default)]
pub struct Lists(Mutex<HashMap<Sort, Arc<Order>>>);

#[derive(Debug)]
struct Order {
    seq: i64,
    made: Instant,
    rows: Vec<Entry>,
    /// The projects that have rows.
    projects: BTreeSet<i64>,
    /// Where each job stands; made when it is first asked for.
    places: OnceLock<HashMap<i64, u32>>,
    found: Mutex<Finds>,
}

/// What searches found in an order lately.
#[derive(Debug, Default)]
struct Finds {
    each: VecDeque<(Asked, Arc<[u32]>)>,
    /// How many places those are together.
    places: usize,
}

/// Who looks for what.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    search: Search,
    /// The projects that are looked through.
    projects: BTreeSet<i64>,
}

impl Asked {
    fn new(projects: &[Arc<ProjectRow>], search: Search) -> Self {
        Self { search, projects: projects.iter().map(|project| project.id).collect() }
    }
}

/// A job in its place.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    value: i64,
    pub(super) job: Arc<JobRow>,
    pub(super) project: Arc<ProjectRow>,
    text: Arc<str>,
}

/// Where a job stands: what it is ordered by, then its name and its project.
type Place = (i64, String, String);

impl Entry {
    fn key(&self) -> (i64, &str, &str) {
        (self.value, &self.job.name, &self.project.name)
    }
}

impl Lists {
    /// An order that was made before and still holds, if nobody makes one just now.
    fn at_hand(&self, app: &App, sort: Sort) -> Option<Arc<Order>> {
        let kept = self.0.try_lock().ok()?;
        kept.get(&sort).filter(|order| order.holds(app, sort)).cloned()
    }

    fn order(&self, app: &App, sort: Sort) -> Arc<Order> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = app.catalogue.seq();
        if let Some(order) = kept.get(&sort).filter(|order| order.holds(app, sort)) {
            return Arc::clone(order);
        }
        let (mut rows, mut projects) = (Vec::new(), BTreeSet::new());
        let before = kept.get(&sort);
        let now = app.now();
        for project in app.catalogue.projects() {
            for (job, text) in app.catalogue.jobs_with_texts(project.id) {
                let known = before.filter(|_| sort == Sort::Next).and_then(|order| order.due(&job, now));
                let value = known.unwrap_or_else(|| value(app, sort, &project, &job, now));
                rows.push(Entry { value, job, project: Arc::clone(&project), text });
                projects.insert(project.id);
            }
        }
        rows.sort_by(|one, other| one.key().cmp(&other.key()));
        let (places, found) = (OnceLock::new(), Mutex::default());
        let order = Arc::new(Order { seq, made: Instant::now(), rows, projects, places, found });
        kept.insert(sort, Arc::clone(&order));
        order
    }
}

impl Order {
    /// Is it still as it would be made now?
    fn holds(&self, app: &App, sort: Sort) -> bool {
        let is_lasting = matches!(sort, Sort::Name | Sort::Changed);
        self.seq == app.catalogue.seq() && (is_lasting || self.made.elapsed() < KEPT)
    }

    /// Where a job stands.
    fn place(&self, job: i64) -> Option<u32> {
        let make = || (0_u32..).zip(&self.rows).map(|(place, entry)| (entry.job.id, place)).collect();
        self.places.get_or_init(make).get(&job).copied()
    }

    /// When a job fires next by an order of a moment ago, if it has neither fired nor changed since.
    fn due(&self, job: &Arc<JobRow>, now: Millis) -> Option<i64> {
        let entry = self.rows.get(self.place(job.id)? as usize)?;
        (Arc::ptr_eq(&entry.job, job) && entry.value > now).then_some(entry.value)
    }

    /// Does a search find all rows?
    fn is_whole(&self, asked: &Asked) -> bool {
        asked.search.is_empty() && self.projects.is_subset(&asked.projects)
    }

    /// The rows that a search finds, if that is known without a look at each.
    fn known(&self, asked: &Asked) -> Option<Chosen> {
        if self.is_whole(asked) {
            return Some(Chosen::All(self.rows.len()));
        }
        let finds = self.found.try_lock().ok()?;
        finds
            .each
            .iter()
            .find(|(before, _)| before == asked)
            .map(|(_, found)| Chosen::These(Arc::clone(found)))
    }

    /// The rows that a search finds.
    fn chosen(&self, app: &App, asked: Asked) -> Chosen {
        if self.is_whole(&asked) {
            return Chosen::All(self.rows.len());
        }
        if !asked.search.is_lasting() {
            return Chosen::These(self.look(app, &asked).into());
        }
        // Whoever asks the same meanwhile waits, and need not look too.
        let mut finds = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = finds.each.iter().find(|(before, _)| *before == asked) {
            return Chosen::These(Arc::clone(found));
        }
        let found: Arc<[u32]> = self.look(app, &asked).into();
        finds.keep(asked, Arc::clone(&found), self.rows.len() * FINDS);
        Chosen::These(found)
    }

    /// Looks through all rows, or those that can contain all words.
    fn look(&self, app: &App, asked: &Asked) -> Vec<u32> {
        let shows = |place: &u32| {
            self.rows.get(*place as usize).is_some_and(|entry| {
                asked.projects.contains(&entry.project.id)
                    && holds(app, &asked.search, &entry.project, &entry.job, &entry.text)
            })
        };
        let each = asked.search.contained().filter_map(|word| app.catalogue.may_contain(word));
        match each.reduce(|one, other| one.intersection(&other).copied().collect()) {
            Some(jobs) => {
                let places = jobs.into_iter().filter_map(|job| self.place(job));
                let mut found: Vec<u32> = places.filter(shows).collect();
                found.sort_unstable();
                found
            }
            None => (0_u32..).take(self.rows.len()).filter(shows).collect(),
        }
    }
}

impl Finds {
    /// Keeps what was found, and lets go of the oldest beyond so many places and [`SEARCHES`].
    fn keep(&mut self, asked: Asked, found: Arc<[u32]>, most: usize) {
        self.places += found.len();
        self.each.push_back((asked, found));
        while self.places > most || self.each.len() > SEARCHES {
            let Some((_, oldest)) = self.each.pop_front() else { break };
            self.places -= oldest.len();
        }
    }
}

/// Which rows of an order are shown: all so many, or those in these places.
#[derive(Debug)]
enum Chosen {
    All(usize),
    These(Arc<[u32]>),
}

/// What a job is ordered by. What needs somebody comes first.
fn value(app: &App, sort: Sort, project: &ProjectRow, job: &JobRow, now: Millis) -> i64 {
    match sort {
        Sort::Name => 0,
        Sort::Changed => job.changed,
        Sort::Next => rows::next_fire(job, now).unwrap_or(i64::MAX),
        Sort::Status => match status(app, project, job) {
            Some(JobStatus::Degraded) => 0,
            Some(JobStatus::Crashed) => 1,
            Some(JobStatus::ShardingFlag) => 2,
            None => 3,
            Some(JobStatus::Disabled) => 4,
            Some(JobStatus::Paused) => 5,
            Some(JobStatus::Ok) => 6,
        },
        Sort::Last => app.outcomes.last(project, &job.name).map_or(i64::MIN, |last| last.at.0),
    }
}

/// How a job stands, as the mirror has it; `None` where the registry has no such job.
pub(super) fn status(app: &App, project: &ProjectRow, job: &JobRow) -> Option<JobStatus> {
    app.mirrors.of(project.id).read().job(&job.name).map(|row| row.status().0)
}

/// What else a search may ask of a job; looked up only when it does.
struct Facts<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    job: &'a JobRow,
}

impl Live for Facts<'_> {
    fn status(&self) -> Option<&'static str> {
        status(self.app, self.project, self.job).map(JobStatus::as_str)
    }

    fn is_on(&self, is_meant: &dyn Fn(&str) -> bool) -> bool {
        let mirror = self.app.mirrors.of(self.project.id);
        let picture = mirror.read();
        let Some(row) = picture.job(&self.job.name) else { return false };
        let known = row.hosts.iter().map(|(host, _)| *host);
        known.chain(row.members().map(|one| one.host)).any(|host| is_meant(picture.names.text(host)))
    }

    fn is_served_by(&self, is_meant: &dyn Fn(&str) -> bool) -> bool {
        let mirror = self.app.mirrors.of(self.project.id);
        let picture = mirror.read();
        let Some(row) = picture.job(&self.job.name) else { return false };
        row.members().any(|one| is_meant(picture.names.text(one.id)))
    }

    fn last(&self) -> Option<Ended> {
        let last = self.app.outcomes.last(self.project, &self.job.name)?;
        Some(Ended { outcome: last.outcome, took: last.took, streak: last.streak.into() })
    }

    fn sync(&self) -> &'static str {
        self.app.catalogue.sync(self.job.id).word()
    }

    fn fires_next(&self) -> Option<Millis> {
        rows::next_fire(self.job, self.app.now())
    }
}

/// Is it one of those that are looked for?
pub(crate) fn finds(app: &App, search: &Search, project: &ProjectRow, job: &JobRow) -> bool {
    holds(app, search, project, job, &text_of(job))
}

fn holds(app: &App, search: &Search, project: &ProjectRow, job: &JobRow, text: &str) -> bool {
    let facts = Facts { app, project, job };
    search.holds(&Subject { job, project: &project.name, text, now: app.now(), live: &facts })
}

/// The jobs of these projects that a search finds, by name.
pub(super) fn found(app: &App, projects: &[Arc<ProjectRow>], search: &Search) -> Vec<Entry> {
    let shown = Shown::new(app, projects, search.clone(), Way { sort: Sort::Name, backwards: false });
    (0..shown.count()).filter_map(|n| shown.row(n)).cloned().collect()
}

/// The rows that are shown, in the order that was asked for.
#[derive(Debug)]
struct Shown {
    order: Arc<Order>,
    chosen: Chosen,
    way: Way,
}

impl Shown {
    fn new(app: &App, projects: &[Arc<ProjectRow>], search: Search, way: Way) -> Self {
        Self::of(app, Asked::new(projects, search), way)
    }

    fn of(app: &App, asked: Asked, way: Way) -> Self {
        let order = app.lists.order(app, way.sort);
        let chosen = order.chosen(app, asked);
        Self { order, chosen, way }
    }

    /// The same, without a look at all jobs where that is needed no more, and aside where it is.
    async fn soon(app: &Arc<App>, projects: &[Arc<ProjectRow>], search: Search, way: Way) -> Answered<Self> {
        let asked = Asked::new(projects, search);
        if let Some(order) = app.lists.at_hand(app, way.sort)
            && let Some(chosen) = order.known(&asked)
        {
            return Ok(Self { order, chosen, way });
        }
        let app = Arc::clone(app);
        aside(move || Self::of(&app, asked, way)).await
    }

    fn count(&self) -> usize {
        match &self.chosen {
            Chosen::All(count) => *count,
            Chosen::These(places) => places.len(),
        }
    }

    /// The n-th.
    fn row(&self, n: usize) -> Option<&Entry> {
        let n = if self.way.backwards { self.count().checked_sub(n + 1)? } else { n };
        let place = match &self.chosen {
            Chosen::All(_) => n,
            Chosen::These(places) => *places.get(n)? as usize,
        };
        self.order.rows.get(place)
    }

    /// How many rows stand before those behind a place.
    fn until(&self, place: &Place) -> usize {
        let (mut from, mut to) = (0, self.count());
        while from < to {
            let middle = from + (to - from) / 2;
            if self.row(middle).is_some_and(|entry| self.way.is_behind(entry, place)) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        from
    }
}

/// Does whoever asks want all rows as lines, and no pages?
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct AsLines(bool);

impl Part for AsLines {
    fn read(ask: &Ask) -> Answered<Self> {
        let accept = ask.header(http::header::ACCEPT).unwrap_or_default();
        Ok(Self(accept.split(',').any(|kind| kind.trim().starts_with("application/x-ndjson"))))
    }

    fn describe(operation: &mut Operation) {
        operation.header("Accept", "`application/x-ndjson` for all rows as lines, without pages", false);
    }
}

/// A page, or all rows as lines.
pub(in crate::http) enum Listed {
    Page(Page<Row>),
    Lines(Body),
}

impl Reply for Listed {
    fn respond(self) -> Response<Body> {
        match self {
            Self::Page(page) => Found::new(page).respond(),
            Self::Lines(body) => lines(body),
        }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<Page<Row>>(200, "what was asked for");
    }
}

pub(in crate::http) async fn of_project(
    app: Arc<App>,
    who: Granted<JobRead>,
    Query(ask): Query<JobsAsk>,
    as_lines: AsLines,
) -> Answered<Listed> {
    let project = Arc::clone(who.project()?);
    list(&app, &[project], &ask, as_lines).await
}

pub(in crate::http) async fn all(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<JobsAsk>,
    as_lines: AsLines,
) -> Answered<Listed> {
    list(&app, &who.projects(&app), &ask, as_lines).await
}

async fn list(
    app: &Arc<App>,
    projects: &[Arc<ProjectRow>],
    ask: &JobsAsk,
    AsLines(as_lines): AsLines,
) -> Answered<Listed> {
    let limit = paging::limit(ask.limit)? as usize;
    let search = search(ask.q.as_deref())?;
    let with_outcomes = match ask.include.as_deref() {
        None => false,
        Some("outcomes") if !as_lines => true,
        Some(other) => {
            let problem = Problem::new(Code::Invalid, format!("`{other}` cannot be included"));
            return Err(problem.at("/include", "is to be `outcomes`, and not with lines").into());
        }
    };
    let way = Way::parse(ask.sort.as_deref().unwrap_or("name"))?;
    let after = ask.after.as_deref().map(|text| way.place(text)).transpose()?;
    let shown = Shown::soon(app, projects, search, way).await?;
    let start = after.map_or(0, |after| shown.until(&after));
    if as_lines {
        return Ok(Listed::Lines(written(Arc::clone(app), shown, start)));
    }
    let count = shown.count();
    let page: Vec<&Entry> = (start..count.min(start + limit)).filter_map(|n| shown.row(n)).collect();
    let next = page.last().filter(|_| start + page.len() < count).map(|entry| way.text(entry));
    let mut items: Vec<Row> = page.iter().map(|entry| rows::row(app, &entry.project, &entry.job)).collect();
    if with_outcomes {
        let page: Vec<Entry> = page.into_iter().cloned().collect();
        let newest = stream::iter(page).map(|entry| newest(app, entry)).buffered(UNDER_WAY);
        let newest: Vec<_> = newest.collect().await;
        items.iter_mut().zip(newest).for_each(|(row, newest)| row.outcomes = newest);
    }
    let seq = app.catalogue.seq();
    Ok(Listed::Page(Page { items, next, count: Some(count as u64), seq }))
}

/// Places in a list, at the same distances.
pub(in crate::http) async fn anchors(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<AnchorsAsk>,
) -> Answered<Found<Anchors>> {
    let every = paging::up_to("every", ask.every, EVERY, MOST_EVERY)?;
    let search = search(ask.q.as_deref())?;
    let way = Way::parse(ask.sort.as_deref().unwrap_or("name"))?;
    let shown = Shown::soon(&app, &who.projects(&app), search, way).await?;
    let (step, count) = (every as usize, shown.count());
    let before = (step..count).step_by(step).filter_map(|n| shown.row(n - 1));
    let after = before.map(|entry| way.text(entry)).collect();
    Ok(Found::new(Anchors { count: count as u64, every, after, seq: app.catalogue.seq() }))
}

pub(super) fn search(text: Option<&str>) -> Answered<Search> {
    Ok(Search::parse(text.unwrap_or_default()).map_err(|bad| unreadable("/q", bad))?)
}

/// Why a search cannot be read: each mistake with its place, so that whoever typed it sees where.
pub(crate) fn unreadable(pointer: &str, bad: BadSearch) -> Problem {
    let problem = Problem::new(Code::BadFilter, bad.to_string());
    let places: Vec<_> = bad
        .0
        .iter()
        .map(|one| json!({ "from": one.at.start, "to": one.at.end, "text": one.text, "message": one.why }))
        .collect();
    let whys = bad.0.into_iter().map(|mistake| mistake.why);
    whys.fold(problem.with("mistakes", places), |problem, why| problem.at(pointer, why))
}

/// How the newest fires of a job ended. A store that is away leaves the list without them.
async fn newest(app: &App, entry: Entry) -> Option<Vec<String>> {
    let history = app.histories.of(&entry.project.store).await.ok()?;
    let filter = RunFilter {
        namespaces: vec![entry.project.namespace.clone()],
        jobs: vec![entry.job.name.clone()],
        ..RunFilter::default()
    };
    let page = history.runs(&filter, &Leaf::first(NEWEST)).await.ok()?;
    let own = page.rows.into_iter().filter(|row| row.namespace == entry.project.namespace);
    Some(own.map(|row| row.outcome.as_str().to_owned()).collect())
}

/// Rows from this one on as lines, as quickly as they are read.
fn written(app: Arc<App>, shown: Shown, start: usize) -> Body {
    let chunks = stream::unfold((app, shown, start), |(app, shown, start)| async move {
        let mut text = String::new();
        for entry in (start..start + AT_ONCE).map_while(|n| shown.row(n)) {
            text += &serde_json::to_string(&rows::row(&app, &entry.project, &entry.job)).unwrap_or_default();
            text.push('\n');
        }
        let rest = (app, shown, start + AT_ONCE);
        (!text.is_empty()).then_some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), rest))
    });
    Body::from_stream(chunks)
}

/// A way through an order.
#[derive(Debug, Clone, Copy)]
struct Way {
    sort: Sort,
    backwards: bool,
}

impl Way {
    fn parse(text: &str) -> Answered<Self> {
        let (backwards, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        if let Some((_, sort)) = SORTS.iter().find(|(known, _)| *known == name) {
            return Ok(Self { sort: *sort, backwards });
        }
        let names = SORTS.map(|(name, _)| name).join("`, `");
        let problem = Problem::new(Code::Invalid, format!("`{name}` is no order"));
        Err(problem
            .at("/sort", format!("is to be one of `{names}`, with `-` before it for backwards"))
            .into())
    }

    fn is_behind(self, entry: &Entry, (value, name, project): &Place) -> bool {
        let order = entry.key().cmp(&(*value, name.as_str(), project.as_str()));
        if self.backwards { order.is_lt() } else { order.is_gt() }
    }

    fn text(self, entry: &Entry) -> String {
        use base64::Engine;
        let (value, name, project) = entry.key();
        let json = json!([self.sort.name(), self.backwards, value, name, project]);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
    }

    fn place(self, text: &str) -> Answered<Place> {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match serde_json::from_slice::<(String, bool, i64, String, String)>(&bytes) {
            Ok((sort, backwards, value, name, project))
                if sort == self.sort.name() && backwards == self.backwards =>
            {
                Ok((value, name, project))
            }
            _ => Err(Problem::new(Code::BadCursor, "`after` is no place in this order").into()),
        }
    }
}
