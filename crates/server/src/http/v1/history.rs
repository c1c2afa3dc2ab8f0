//! What happened, from the event stores. A store may have the history of several projects: each row's project is found by its namespace, and
//! its reader is asked for their right on it before the row leaves.

use super::{lists, paging};
use crate::app::App;
use crate::decide::permit::{self, Answer, Place, Principal};
use crate::decide::query::{RunQuery, RunSubject};
use crate::histories::{History, NoHistory};
use crate::http::answer::Found;
use crate::http::grant::{Asking, Granted};
use crate::http::parts::{Named, Query, TheJob};
use crate::http::refusal::{Answered, Refusal};
use crate::http::v1::TheId;
use crate::store::ProjectRow;
use clockwright_api::history::{
    Attempt, Attempts, AttemptsAsk, Counts, Lost, Run, RunPage, RunState, RunsAsk, SpanAsk, StatsAsk,
};
use clockwright_api::page::{LONGEST, Page};
use clockwright_api::permission::kinds::HistoryRead;
use clockwright_api::{At, Code, List, Permission, Problem};
use clockwright_events::answers::run_details;
use clockwright_events::{
    Cursor, Durations, ExecutionFilter, ExecutionRow, ExecutionState, Page as Part, RunFilter, RunRow, Width,
};
use clockwright_model::{ExecutionSource, Item, Millis, OutcomeKind, RunId, Source};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(super) const DAY: Millis = 24 * 3_600_000;
/// How often a page of a shared store is filled up with rows that its reader may see.
const REFILLS: usize = 10;

/// A store did not answer. What stands against it is in the log: it may name addresses.
pub(super) fn away(error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, "an event store is away");
    Problem::new(Code::DatabaseAway, "the event store cannot be read now").retry(5).into()
}

pub(super) async fn store_of(app: &App, name: &str) -> Answered<History> {
    app.histories.of(name).await.map_err(|error: NoHistory| away(&error))
}

/// Somebody who reads history, and what they may see of it.
struct Reader<'a> {
    app: &'a App,
    principal: &'a Principal,
    projects: Vec<Arc<ProjectRow>>,
}

impl<'a> Reader<'a> {
    fn new(app: &'a App, principal: &'a Principal) -> Self {
        Self { app, principal, projects: app.catalogue.projects() }
    }

    fn may(&self, place: Place) -> bool {
        permit::permit(self.principal, Permission::HistoryRead, place) == Answer::Allowed
    }

    fn may_on(&self, project: &ProjectRow) -> bool {
        self.may(Place::Project(project.id))
    }

    /// The projects whose rows of a store have this namespace. What versions recorded that kept none may be of any.
    fn owners(&self, store: &str, namespace: &str) -> Vec<&Arc<ProjectRow>> {
        let of_store = self.projects.iter().filter(|project| project.store == store);
        of_store.filter(|project| namespace.is_empty() || project.namespace == namespace).collect()
    }

    /// May they see a row? One that may be of several projects only if they may on each; one of none only if they may everywhere.
    fn sees(&self, store: &str, namespace: &str) -> bool {
        let owners = self.owners(store, namespace);
        if owners.is_empty() {
            return self.may(Place::Everywhere);
        }
        owners.iter().all(|project| self.may_on(project))
    }

    /// The project of a row, where it can be told.
    fn project(&self, store: &str, row: &RunRow) -> Option<&Arc<ProjectRow>> {
        let owners = self.owners(store, &row.namespace);
        match owners[..] {
            [only] => Some(only),
            _ => owners.into_iter().find(|project| self.app.catalogue.job(project.id, &row.job).is_some()),
        }
    }

    fn view(&self, store: &str, row: RunRow) -> Run {
        let project = self.project(store, &row).map(|project| project.name.clone());
        view(row, project)
    }
}

pub(super) fn view(row: RunRow, project: Option<String>) -> Run {
    Run {
        project,
        fire_at: At(row.fire_time),
        from: row.range_from.map(At),
        count: row.range_count,
        outcome: row.outcome.as_str().to_owned(),
        failure: row.failure_kind,
        reason: row.reason,
        code: row.reason_code,
        params: row.reason_params,
        into: row.coalesced_into,
        attempt: row.attempt,
        run: row.run_id,
        token: row.token,
        source: row.source,
        instance: row.instance,
        started_at: row.start.map(At),
        decided_at: At(row.decided),
        job: row.job,
        item: row.item,
        fire: row.fire,
    }
}

pub(in crate::http) async fn all(
    app: Arc<App>,
    who: Asking<HistoryRead>,
    Query(ask): Query<RunsAsk>,
) -> Answered<Found<Page<Run>>> {
    let reader = Reader::new(&app, &who.asker().principal);
    let projects: Vec<_> = reader.projects.iter().filter(|project| reader.may_on(project)).cloned().collect();
    runs(&reader, &projects, ask).await
}

pub(in crate::http) async fn of_project(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    Query(ask): Query<RunsAsk>,
) -> Answered<Found<Page<Run>>> {
    let reader = Reader::new(&app, &who.asker().principal);
    runs(&reader, &[Arc::clone(who.project()?)], ask).await
}

pub(in crate::http) async fn of_job(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Query(ask): Query<RunsAsk>,
) -> Answered<Found<Page<Run>>> {
    if ask.job.is_some() {
        return Err(Problem::new(Code::UnknownParameter, "the address names the job already").into());
    }
    let reader = Reader::new(&app, &who.asker().principal);
    let ask = RunsAsk { job: Some(job.name.clone()), ..ask };
    runs(&reader, &[Arc::clone(who.project()?)], ask).await
}

/// A page of several stores' rows, by the instant that they are for, the newest first.
async fn runs(reader: &Reader<'_>, projects: &[Arc<ProjectRow>], ask: RunsAsk) -> Answered<Found<Page<Run>>> {
    let limit = paging::limit(ask.limit)?;
    let mut places = Places::read(ask.after.as_deref())?;
    let search = RunQuery::parse(ask.q.as_deref().unwrap_or_default());
    let search = search.map_err(|bad| lists::unreadable("/q", bad))?;
    let mut stores: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for project in projects {
        stores.entry(&project.store).or_default().push(project.namespace.clone());
    }
    let mut found: Vec<(RunRow, &str)> = Vec::new();
    for (store, namespaces) in stores {
        let Some(place) = places.of(store) else { continue };
        let mut filter = RunFilter { namespaces, ..filter(&ask)? };
        search.narrow(&mut filter);
        let visible = Looking { reader, store, search: &search, filter: &filter }.page(limit, place).await?;
        places.set(store, visible.next);
        found.extend(visible.rows.into_iter().map(|row| (row, store)));
    }
    found.sort_by(|(one, _), (other, _)| (other.fire_time, &other.key).cmp(&(one.fire_time, &one.key)));
    let (shown, rest) = found.split_at(found.len().min(limit as usize));
    for store in rest.iter().map(|(_, store)| *store).collect::<BTreeSet<_>>() {
        // What is left for the next page is asked for again, from behind the last row of its store that is on this one.
        places.back(store, shown.iter().rfind(|(_, of)| *of == store).map(|(row, _)| row.cursor()));
    }
    found.truncate(limit as usize);
    let next = places.text();
    let items = found.into_iter().map(|(row, store)| reader.view(store, row)).collect();
    Ok(Found::new(Page { items, next, count: None, seq: reader.app.catalogue.seq() }))
}

/// Rows that their reader may see, and where the rest begins.
struct Visible {
    rows: Vec<RunRow>,
    next: Option<Cursor>,
}

/// Who looks for what in which store.
struct Looking<'a> {
    reader: &'a Reader<'a>,
    store: &'a str,
    search: &'a RunQuery,
    filter: &'a RunFilter,
}

impl Looking<'_> {
    async fn page(&self, limit: u32, place: Option<Cursor>) -> Answered<Visible> {
        let history = store_of(self.reader.app, self.store).await?;
        let mut rows = Vec::new();
        // What a store cannot look up by itself is looked for among many of its rows.
        let at_once = if self.search.is_empty() { limit } else { LONGEST };
        let mut part = Part { limit: at_once, cursor: place };
        for _ in 0..REFILLS {
            let page = history.runs(self.filter, &part).await.map_err(|error| away(&error))?;
            let seen = page.rows.into_iter().filter(|row| self.reader.sees(self.store, &row.namespace));
            rows.extend(self.found(&history, seen.collect()).await?);
            part.cursor = page.next;
            if part.cursor.is_none() || rows.len() >= limit as usize {
                break;
            }
        }
        Ok(Visible { rows, next: part.cursor })
    }

    /// Those that the search finds.
    async fn found(&self, history: &History, rows: Vec<RunRow>) -> Answered<Vec<RunRow>> {
        if self.search.is_empty() {
            return Ok(rows);
        }
        let (plain, by_usual) = self.search.parts();
        let mut found: Vec<RunRow> = rows.into_iter().filter(|row| self.holds(&plain, row, None)).collect();
        if by_usual.is_empty() {
            return Ok(found);
        }
        let mut usual: HashMap<(String, String, Item), Durations> = HashMap::new();
        for row in &found {
            let key = (row.namespace.clone(), row.job.clone(), row.item);
            if let Entry::Vacant(place) = usual.entry(key) {
                let durations = history.durations(Some(&row.namespace), &row.job, Some(row.item)).await;
                place.insert(durations.map_err(|error| away(&error))?);
            }
        }
        found.retain(|row| {
            let key = (row.namespace.clone(), row.job.clone(), row.item);
            self.holds(&by_usual, row, usual.get(&key).copied().filter(|usual| usual.count > 0))
        });
        Ok(found)
    }

    fn holds(&self, search: &RunQuery, row: &RunRow, usual: Option<Durations>) -> bool {
        let app = self.reader.app;
        let project = self.reader.project(self.store, row);
        let job = project.and_then(|project| app.catalogue.job(project.id, &row.job));
        let text = job.as_ref().and_then(|job| app.catalogue.text(job.id)).unwrap_or_default();
        search.holds(&RunSubject {
            row,
            project: project.map_or("", |project| &project.name),
            job: job.as_deref(),
            text: &text,
            usual,
            now: app.now(),
        })
    }
}

/// Where the next page begins in each store: behind a row, at the beginning (an empty text), or nowhere, since it has no more.
#[derive(Default)]
struct Places {
    before: BTreeMap<String, Option<String>>,
    after: BTreeMap<String, Option<String>>,
}

impl Places {
    fn read(after: Option<&str>) -> Answered<Self> {
        use base64::Engine;
        let Some(text) = after else { return Ok(Self::default()) };
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let wrong = || Problem::new(Code::BadCursor, "`after` is no place in a list of runs");
        let before: BTreeMap<String, Option<String>> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let is_place = |text: &String| text.is_empty() || text.parse::<Cursor>().is_ok();
        if !before.values().flatten().all(is_place) {
            return Err(wrong().into());
        }
        // A store that was at its end stays there.
        let after =
            before.iter().filter(|(_, place)| place.is_none()).map(|(store, _)| (store.clone(), None));
        Ok(Self { after: after.collect(), before })
    }

    /// Where this page begins in a store; `None` where that has no more.
    fn of(&self, store: &str) -> Option<Option<Cursor>> {
        match self.before.get(store) {
            None => Some(None),
            Some(place) => place.as_ref().map(|text| text.parse().ok()),
        }
    }

    /// The next page begins here.
    fn set(&mut self, store: &str, next: Option<Cursor>) {
        self.after.insert(store.to_owned(), next.map(|cursor| cursor.to_string()));
    }

    /// Some rows of a store were not shown: it goes on behind this row, or where this page began.
    fn back(&mut self, store: &str, shown: Option<Cursor>) {
        let began = || self.before.get(store).cloned().flatten().unwrap_or_default();
        let place = shown.map_or_else(began, |cursor| cursor.to_string());
        self.after.insert(store.to_owned(), Some(place));
    }

    /// What asks for the next page, if there is one.
    fn text(&self) -> Option<String> {
        use base64::Engine;
        self.after.values().any(Option::is_some).then(|| {
            let json = serde_json::to_string(&self.after).unwrap_or_default();
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
        })
    }
}

fn filter(ask: &RunsAsk) -> Answered<RunFilter> {
    let invalid = |key: &str, value: &str, words: Vec<&str>| {
        Problem::new(Code::Invalid, format!("`{value}` is no {key}"))
            .at(format!("/{key}"), format!("is to be one of {}", words.join(", ")))
    };
    let outcome = |text: &str| {
        OutcomeKind::parse(text).ok_or_else(|| {
            invalid("outcome", text, OutcomeKind::ALL.iter().map(|kind| kind.as_str()).collect())
        })
    };
    let outcomes =
        ask.outcome.iter().flat_map(|text| text.split(',')).map(outcome).collect::<Result<_, _>>()?;
    let source = ask.source.as_deref().map(|text| {
        let words = vec!["schedule", "misfire", "failover", "trigger", "retry"];
        Source::parse(text).ok_or_else(|| invalid("source", text, words))
    });
    Ok(RunFilter {
        jobs: ask.job.iter().cloned().collect(),
        item: ask.item,
        outcomes,
        instance: ask.instance.clone(),
        source: source.transpose()?,
        from: ask.from.map(|at| at.0),
        to: ask.to.map(|at| at.0),
        text: ask.text.clone(),
        ..RunFilter::default()
    })
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Asking<HistoryRead>,
    Named(named): Named<TheId>,
) -> Answered<Found<RunPage>> {
    let reader = Reader::new(&app, &who.asker().principal);
    let missing =
        || Problem::new(Code::NotFound, format!("there is no run `{}`, or you may not see it", named.id));
    let id = RunId::parse(&named.id).ok_or_else(missing)?;
    let seen = reader.projects.iter().filter(|project| reader.may_on(project));
    let stores: BTreeSet<&str> = seen.map(|project| project.store.as_str()).collect();
    for store in stores {
        let history = store_of(&app, store).await?;
        let Some(details) = run_details(&*history, id).await.map_err(|error| away(&error))? else { continue };
        let allowed = match (&details.outcome, &details.execution) {
            (Some(outcome), _) => reader.sees(store, &outcome.namespace),
            // A record of an attempt knows no project: it is for whoever may see a job of that name.
            (None, Some(attempt)) => reader.owners(store, "").iter().any(|project| {
                reader.may_on(project) && app.catalogue.job(project.id, &attempt.job).is_some()
            }),
            (None, None) => false,
        };
        if allowed {
            let states = details.states.into_iter();
            return Ok(Found::new(RunPage {
                outcome: details.outcome.map(|row| reader.view(store, row)),
                attempt: details.execution.map(attempt),
                states: states
                    .map(|row| RunState { state: row.state, message: row.message, at: row.at.map(At) })
                    .collect(),
            }));
        }
    }
    Err(missing().into())
}

fn attempt(row: ExecutionRow) -> Attempt {
    let state = match (row.complete, row.success) {
        (None, _) => "running",
        (Some(_), true) => "succeeded",
        (Some(_), false) => "failed",
    };
    Attempt {
        run: row.id,
        job: row.job,
        item: row.item,
        task: row.task_id,
        hostname: row.hostname,
        ip: row.ip,
        source: row.source,
        state: state.to_owned(),
        started_at: row.start.map(At),
        ended_at: row.complete.map(At),
        cause: row.failure_cause,
    }
}

pub(in crate::http) async fn attempts(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Query(ask): Query<AttemptsAsk>,
) -> Answered<Found<Attempts>> {
    let project = who.project()?;
    let shared = is_shared(&app, project, &job.name);
    let filter = ExecutionFilter { jobs: vec![job.name.clone()], ..attempt_filter(&ask)? };
    Ok(Found::new(Attempts { shared, ..found_attempts(&app, project, &filter, &ask).await? }))
}

pub(in crate::http) async fn project_attempts(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    Query(ask): Query<AttemptsAsk>,
) -> Answered<Found<Attempts>> {
    Ok(Found::new(found_attempts(&app, who.project()?, &attempt_filter(&ask)?, &ask).await?))
}

fn attempt_filter(ask: &AttemptsAsk) -> Answered<ExecutionFilter> {
    let state = match ask.state.as_deref() {
        None => None,
        Some("running") => Some(ExecutionState::Running),
        Some("succeeded") => Some(ExecutionState::Succeeded),
        Some("failed") => Some(ExecutionState::Failed),
        Some(other) => {
            let problem = Problem::new(Code::Invalid, format!("`{other}` is no state of an attempt"));
            return Err(problem.at("/state", "is to be `running`, `succeeded` or `failed`").into());
        }
    };
    let source = ask.source.as_deref().map(|word| {
        let words = ExecutionSource::ALL.map(ExecutionSource::as_str).join(", ");
        let problem = || Problem::new(Code::Invalid, format!("`{word}` is no cause of an attempt"));
        ExecutionSource::parse(word)
            .ok_or_else(|| problem().at("/source", format!("is to be one of {words}")))
    });
    Ok(ExecutionFilter {
        item: ask.item,
        ip: ask.ip.clone(),
        instance: ask.instance.clone(),
        source: source.transpose()?,
        state,
        from: ask.from.map(|at| at.0),
        to: ask.to.map(|at| at.0),
        text: ask.text.clone(),
        ..ExecutionFilter::default()
    })
}

/// A page of attempts at jobs that the project has; of others of the store nothing is told.
async fn found_attempts(
    app: &App,
    project: &ProjectRow,
    filter: &ExecutionFilter,
    ask: &AttemptsAsk,
) -> Answered<Attempts> {
    let cursor = paging::cursor(ask.after.as_deref())?;
    let limit = paging::limit(ask.limit)?;
    let history = store_of(app, &project.store).await?;
    let (mut rows, mut part) = (Vec::new(), Part { limit, cursor });
    let mut shared = false;
    for _ in 0..REFILLS {
        let page = history.executions(filter, &part).await.map_err(|error| away(&error))?;
        rows.extend(page.rows.into_iter().filter(|row| app.catalogue.job(project.id, &row.job).is_some()));
        part.cursor = page.next;
        if part.cursor.is_none() || rows.len() >= limit as usize {
            break;
        }
    }
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = if more { rows.last().map(ExecutionRow::cursor) } else { part.cursor };
    for job in rows.iter().map(|row| row.job.as_str()).collect::<BTreeSet<_>>() {
        shared = shared || is_shared(app, project, job);
    }
    let items = rows.into_iter().map(attempt).collect();
    Ok(Attempts { items, next: next.map(|cursor| cursor.to_string()), shared })
}

/// Are attempts of jobs of this name in other projects kept in the same tables, which know no project?
pub(super) fn is_shared(app: &App, project: &ProjectRow, job: &str) -> bool {
    let others = app.catalogue.projects().into_iter().filter(|other| other.id != project.id);
    others
        .filter(|other| other.store == project.store)
        .any(|other| app.catalogue.job(other.id, job).is_some())
}

/// The span that was asked for.
pub(super) fn span(
    from: Option<At>,
    to: Option<At>,
    usual: Millis,
    now: Millis,
) -> Answered<(Millis, Millis)> {
    let to = to.map_or(now, |at| at.0);
    let from = from.map_or_else(|| to.saturating_sub(usual), |at| at.0);
    if from >= to {
        let problem = Problem::new(Code::Invalid, "the span is empty");
        return Err(problem.at("/from", "is to be before `to`").into());
    }
    Ok((from, to))
}

pub(in crate::http) async fn project_stats(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    Query(ask): Query<StatsAsk>,
) -> Answered<Found<List<Counts>>> {
    stats(&app, who.project()?, None, &ask).await
}

pub(in crate::http) async fn job_stats(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Query(ask): Query<StatsAsk>,
) -> Answered<Found<List<Counts>>> {
    stats(&app, who.project()?, Some(&job.name), &ask).await
}

async fn stats(
    app: &App,
    project: &ProjectRow,
    job: Option<&str>,
    ask: &StatsAsk,
) -> Answered<Found<List<Counts>>> {
    // Minutes are counted for all namespaces of a store together, and would tell of others.
    let (width, usual) = match ask.width.as_deref().unwrap_or("hour") {
        "hour" => (Width::Hour, DAY),
        "day" => (Width::Day, 30 * DAY),
        other => {
            let problem = Problem::new(Code::Invalid, format!("nothing is counted by the {other}"));
            return Err(problem.at("/width", "is to be `hour` or `day`").into());
        }
    };
    let (from, to) = span(ask.from, ask.to, usual, app.now())?;
    let history = store_of(app, &project.store).await?;
    let rows = history
        .statistics(Some(&project.namespace), job, width, width.start_of(from), to)
        .await
        .map_err(|error| away(&error))?;
    let counts = rows.into_iter().map(|row| Counts {
        at: At(row.at),
        succeeded: row.succeeded,
        failed: row.failed,
        skipped: row.skipped,
        coalesced: row.coalesced,
        missed: row.missed,
        cancelled: row.cancelled,
    });
    Ok(Found::new(counts.collect()))
}

pub(in crate::http) async fn losses(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    Query(ask): Query<SpanAsk>,
) -> Answered<Found<List<Lost>>> {
    let (from, to) = span(ask.from, ask.to, 30 * DAY, app.now())?;
    let history = store_of(&app, &who.project()?.store).await?;
    let rows = history.losses(from, to).await.map_err(|error| away(&error))?;
    let lost = rows.into_iter().map(|row| Lost {
        from: At(row.from),
        to: At(row.to),
        statuses: row.statuses,
        executions: row.executions,
        settlements: row.settlements,
        failures: row.failures,
        reason: row.reason,
    });
    Ok(Found::new(lost.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn cursor(text: &str) -> Cursor {
        text.parse().unwrap()
    }

    #[test]
    fn a_page_of_several_stores_goes_on_in_each_where_it_stopped() {
        let mut places = Places::read(None).unwrap();
        assert_eq!(places.of("a"), Some(None));
        // All of a's rows were shown, some of b's, none of c's; d has no more.
        places.set("a", Some(cursor("5~x")));
        places.set("b", None);
        places.set("c", None);
        places.set("d", None);
        places.back("b", Some(cursor("9~y")));
        places.back("c", None);
        let text = places.text().unwrap();
        let mut next = Places::read(Some(&text)).unwrap();
        assert_eq!(next.of("a"), Some(Some(cursor("5~x"))));
        assert_eq!(next.of("b"), Some(Some(cursor("9~y"))));
        assert_eq!(next.of("c"), Some(None), "from its beginning");
        assert_eq!(next.of("d"), None, "it has no more");
        for store in ["a", "b", "c"] {
            next.set(store, None);
        }
        assert_eq!(next.text(), None);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["x", "bnVsbA", "eyJhIjoieCJ9"] {
            assert!(Places::read(Some(text)).is_err(), "{text}");
        }
    }
}
