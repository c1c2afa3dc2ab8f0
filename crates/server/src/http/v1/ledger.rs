//! One job's record: its ledger with the balance, one fire with its items and their attempts, and who came, went or held it.

use super::history::{DAY, away, is_shared, span, store_of, view};
use super::paging;
use crate::app::App;
use crate::histories::History;
use crate::http::answer::Found;
use crate::http::grant::Granted;
use crate::http::parts::{Named, Query, TheJob};
use crate::http::refusal::Answered;
use crate::ledger::{Due, Ledger as Part, Now, Open, UnderWay, Wanted, trigger};
use crate::store::{JobRow, JobState, ProjectRow, VersionRow};
use crate::sync::registry_of;
use clockwright_api::history::{
    Balance, ChangesAsk, FireAsk, FireAttempt, FireItem, FirePage, HistoryChange, HistoryChanges, Ledger,
    LedgerAsk, Unsettled, Usual,
};
use clockwright_api::jobs::Sentence;
use clockwright_api::permission::kinds::HistoryRead;
use clockwright_api::{At, Code, Problem};
use clockwright_events::answers::JobRecord;
use clockwright_events::{ChangeFilter, ChangeRow, ExecutionFilter, ExecutionRow, Page, RunRow, StoreError};
use clockwright_fleet::view::{self, ViewError};
use clockwright_model::{Item, JobName, Language, Millis, OutcomeKind, RunId};
use clockwright_planner::ledger;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::IntoParams;

/// How many items of a fire a page has unless told, and at most: each asks several questions.
const ITEMS: u32 = 50;
const MOST_ITEMS: u32 = 200;
/// How many of them are asked about at once.
const AT_ONCE: usize = 8;
/// How many versions are looked back on for the last change of a schedule.
const VERSIONS: u32 = 20;
/// How many successes tell how long an item usually takes.
const ENOUGH: u64 = 5;
/// How many rows of a fire are read at most: an outcome for each item, and more than any job has.
const MOST_ROWS: usize = 100_000;

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Query(ask): Query<LedgerAsk>,
) -> Answered<Found<Ledger>> {
    let project = who.project()?;
    let now = app.now();
    let (from, to) = span(ask.from, ask.to, DAY, now)?;
    let limit = paging::up_to("limit", ask.limit, 1_000, 10_000)? as usize;
    if let Some(item) = ask.item.filter(|item| i64::from(*item) >= job.items) {
        let detail = format!("`{}` has no item {item}: it has 0 to {}", job.name, job.items - 1);
        return Err(Problem::new(Code::NoSuchItem, detail).into());
    }
    let history = store_of(&app, &project.store).await?;
    let wanted = Wanted { item: ask.item, from, to, limit, now };
    let part = read(&app, project, &job, &history, &wanted).await?;
    Ok(Found::new(Ledger {
        settled: part.rows.into_iter().map(|row| view(row, Some(project.name.clone()))).collect(),
        open: part.open.into_iter().map(unsettled).collect(),
        balance: part.balance.map(balance),
        begins_at: part.begins.map(At),
        to: At(part.to),
    }))
}

async fn read(
    app: &App,
    project: &ProjectRow,
    job: &JobRow,
    history: &History,
    wanted: &Wanted,
) -> Answered<Part> {
    let record = JobRecord { store: &**history, namespace: Some(&project.namespace), job: &job.name };
    let due = Due {
        // Of a job that is offline none is due.
        schedule: job.schedule().filter(|_| job.state == JobState::Online).cloned(),
        items: Item::try_from(job.items).unwrap_or(0),
        since: since(app, job).await,
    };
    let part = Part::read(&record, Some(&due), wanted, now_of(app, project, job)).await;
    part.map_err(|error| away(&error))
}

/// What the registry says of a job now; nothing while it is away.
async fn now_of(app: &App, project: &ProjectRow, job: &JobRow) -> Option<Now> {
    let (registry, keys) = registry_of(app, project).await.ok()?;
    match view::job(&*registry, &keys, &job.name, app.now()).await {
        Ok(view) => Some(Now::of(&view)),
        Err(ViewError::Registry(error)) => {
            tracing::debug!(%error, job = job.name, "what runs is not known");
            None
        }
        // What is not there does not run.
        Err(ViewError::NoSuchJob { .. } | ViewError::Degraded { .. }) => Some(Now::default()),
    }
}

/// Since when a job is due as it is now: the oldest of its last versions with this schedule and so many items.
async fn since(app: &App, job: &JobRow) -> Millis {
    let Ok(name) = JobName::new(&job.name) else { return job.changed };
    // While the database is away, what is sure is when the job last changed.
    let versions = app.store.versions(job.id, Millis::MAX, VERSIONS).await.unwrap_or_default();
    let is_due_so = |version: &&VersionRow| {
        version.read(&name).is_ok_and(|settings| {
            settings.cron == job.timing.cron()
                && settings.time_zone.as_deref().unwrap_or_default() == job.timing.zone()
                && i64::from(settings.sharding_total_count) == job.items
        })
    };
    versions.iter().take_while(is_due_so).last().map_or(job.changed, |version| version.at)
}

fn unsettled(open: Open) -> Unsettled {
    Unsettled {
        item: open.item,
        from: At(open.from),
        to: At(open.to),
        count: open.count,
        gap: open.gap.word().to_owned(),
        trigger: open.trigger,
    }
}

pub(super) fn balance(balance: ledger::Balance) -> Balance {
    Balance {
        due: balance.due(),
        succeeded: balance.succeeded,
        failed: balance.failed,
        skipped: balance.skipped,
        coalesced: balance.coalesced,
        missed: balance.missed,
        cancelled: balance.cancelled,
        running: balance.running,
        unaccounted: balance.unaccounted,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheFire {
    /// The instant that it is for, milliseconds since 1970.
    at: Millis,
}

pub(in crate::http) async fn fire(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Named(TheFire { at }): Named<TheFire>,
    Query(ask): Query<FireAsk>,
) -> Answered<Found<FirePage>> {
    let project = who.project()?;
    let limit = paging::up_to("limit", ask.limit, ITEMS, MOST_ITEMS)? as usize;
    let history = store_of(&app, &project.store).await?;
    let wanted = Wanted { item: None, from: at, to: at.saturating_add(1), limit: MOST_ROWS, now: app.now() };
    let part = read(&app, project, &job, &history, &wanted).await?;
    let desk = Desk { project, job: &job, history: &history, at, trigger: ask.trigger.as_deref() };
    let (items, sum) = desk.parts(part);
    if items.is_empty() {
        let what = match &ask.trigger {
            Some(id) => format!("no trigger `{id}` at {}", String::from(At(at))),
            None => format!("no fire at {}", String::from(At(at))),
        };
        return Err(Problem::new(
            Code::NotFound,
            format!("`{}` has {what} that is due or on record", job.name),
        )
        .into());
    }
    let mut rest = items.into_iter().filter(|part| ask.after.is_none_or(|after| part.item > after));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last()).map(|last| last.item);
    let items = stream::iter(page).map(|part| desk.item(part)).buffered(AT_ONCE).try_collect().await;
    Ok(Found::new(FirePage {
        project: project.name.clone(),
        job: job.name.clone(),
        fire_at: At(at),
        shared: is_shared(&app, project, &job.name),
        balance: sum.map(balance),
        items: items.map_err(|error: StoreError| away(&error))?,
        next,
        trigger: ask.trigger,
    }))
}

/// What is known of one item of a fire before its attempts are looked for.
#[derive(Default)]
struct OfItem {
    item: Item,
    row: Option<RunRow>,
    gap: Option<&'static str>,
    claim: Option<UnderWay>,
}

/// Who looks a fire up.
struct Desk<'a> {
    project: &'a ProjectRow,
    job: &'a JobRow,
    history: &'a History,
    at: Millis,
    trigger: Option<&'a str>,
}

impl Desk<'_> {
    /// The items of the fire, ascending, and its balance.
    fn parts(&self, ledger: Part) -> (Vec<OfItem>, Option<ledger::Balance>) {
        let mut items: BTreeMap<Item, OfItem> = BTreeMap::new();
        let mut sum = ledger::Balance::default();
        for row in ledger.rows.into_iter().filter(|row| trigger(row).as_deref() == self.trigger) {
            sum.settled(row.outcome, 1);
            let item = row.item;
            items.insert(item, OfItem { item, row: Some(row), ..OfItem::default() });
        }
        for open in ledger.open.into_iter().filter(|open| open.trigger.as_deref() == self.trigger) {
            sum.open(open.gap, 1);
            let (item, gap) = (open.item, Some(open.gap.word()));
            items.insert(item, OfItem { item, gap, ..OfItem::default() });
        }
        for under_way in ledger.under_way {
            let claim = &under_way.claim;
            if claim.fire == self.at
                && claim.trigger.as_deref() == self.trigger
                && let Some(part) = items.get_mut(&under_way.item)
            {
                part.claim = Some(under_way);
            }
        }
        (items.into_values().collect(), ledger.balance.map(|_| sum))
    }

    async fn item(&self, part: OfItem) -> Result<FireItem, StoreError> {
        let namespace = Some(self.project.namespace.as_str());
        let durations = self.history.durations(namespace, &self.job.name, Some(part.item)).await?;
        let last = match (&part.row, &part.claim) {
            (Some(row), _) => self.decider(row).await?,
            (None, Some(claim)) => Some(self.running(claim).await?),
            (None, None) => None,
        };
        let mut attempts = match &last {
            Some(last) if last.attempt > 1 => self.earlier(part.item, last).await?,
            _ => Vec::new(),
        };
        attempts.extend(last);
        Ok(FireItem {
            item: part.item,
            outcome: part.row.map(|row| view(row, Some(self.project.name.clone()))),
            gap: part.gap.map(str::to_owned),
            attempts,
            usual: (durations.count >= ENOUGH).then_some(Usual {
                count: durations.count,
                p50: durations.p50,
                p95: durations.p95,
                p99: durations.p99,
            }),
        })
    }

    /// The attempt that decided an outcome, if one did.
    async fn decider(&self, row: &RunRow) -> Result<Option<FireAttempt>, StoreError> {
        // What was coalesced names the run that it was coalesced into.
        let run = row.run_id.as_ref().filter(|_| row.outcome != OutcomeKind::Coalesced);
        let Some(run) = run else { return Ok(None) };
        let known = FireAttempt {
            run: run.clone(),
            attempt: row.attempt,
            state: if row.outcome == OutcomeKind::Succeeded { "succeeded" } else { "failed" }.to_owned(),
            instance: Some(row.instance.clone()),
            hostname: None,
            ip: None,
            claimed_at: row.claimed.map(At),
            started_at: row.start.map(At),
            ended_at: Some(At(row.decided)),
            cause: Some(row.reason.clone()).filter(|reason| !reason.is_empty()),
        };
        self.traced(known).await.map(Some)
    }

    async fn running(&self, UnderWay { claim, .. }: &UnderWay) -> Result<FireAttempt, StoreError> {
        let known = FireAttempt {
            run: claim.run_id.clone(),
            attempt: claim.attempt,
            state: "running".to_owned(),
            instance: Some(claim.instance.clone()),
            hostname: None,
            ip: None,
            claimed_at: Some(At(claim.claimed_at)),
            started_at: None,
            ended_at: None,
            cause: None,
        };
        self.traced(known).await
    }

    /// The same with what its traces add.
    async fn traced(&self, known: FireAttempt) -> Result<FireAttempt, StoreError> {
        let Some(id) = RunId::parse(&known.run) else { return Ok(known) };
        let Some(trace) = self.history.execution(id).await? else { return Ok(known) };
        Ok(FireAttempt {
            started_at: known.started_at.or(trace.start.map(At)),
            hostname: Some(trace.hostname),
            ip: Some(trace.ip),
            ..known
        })
    }

    /// The attempts of an item before the last one. Traces do not name the fire: an item runs one thing at a time, so they are those that began
    /// before the last one and since the fire was due, and that decided nothing themselves.
    async fn earlier(&self, item: Item, last: &FireAttempt) -> Result<Vec<FireAttempt>, StoreError> {
        let begins = last.started_at.or(last.claimed_at).map_or(Millis::MAX, |at| at.0);
        let filter = ExecutionFilter {
            jobs: vec![self.job.name.clone()],
            item: Some(item),
            from: Some(self.at),
            to: Some(begins),
            ..ExecutionFilter::default()
        };
        let before = last.attempt.saturating_sub(1);
        let mut found = Vec::new();
        for (row, attempt) in self
            .history
            .executions(&filter, &Page::first(before))
            .await?
            .rows
            .into_iter()
            .zip((1..=before).rev())
        {
            let decided = match RunId::parse(&row.id) {
                Some(id) => self.history.run(id).await?.is_some(),
                None => false,
            };
            if decided {
                break;
            }
            found.push(lost(row, attempt));
        }
        found.reverse();
        Ok(found)
    }
}

/// An attempt that another one followed.
fn lost(row: ExecutionRow, attempt: u32) -> FireAttempt {
    let instance = row.task_id.splitn(5, "@-@").skip(3).collect::<Vec<_>>().join("@-@");
    FireAttempt {
        run: row.id,
        attempt,
        state: if row.complete.is_none() && row.failure_cause.is_none() { "running" } else { "failed" }
            .to_owned(),
        instance: Some(instance).filter(|instance| !instance.is_empty()),
        hostname: Some(row.hostname),
        ip: Some(row.ip),
        claimed_at: None,
        started_at: row.start.map(At),
        ended_at: row.complete.map(At),
        cause: row.failure_cause,
    }
}

pub(in crate::http) async fn changes(
    app: Arc<App>,
    who: Granted<HistoryRead>,
    TheJob(job): TheJob,
    Query(ask): Query<ChangesAsk>,
) -> Answered<Found<HistoryChanges>> {
    let project = who.project()?;
    let cursor = paging::cursor(ask.after.as_deref())?;
    let filter = ChangeFilter {
        namespaces: vec![project.namespace.clone()],
        job: Some(job.name.clone()),
        from: ask.from.map(|at| at.0),
        to: ask.to.map(|at| at.0),
    };
    let page = Page { limit: paging::limit(ask.limit)?, cursor };
    let history = store_of(&app, &project.store).await?;
    let page = history.changes(&filter, &page).await.map_err(|error| away(&error))?;
    Ok(Found::new(HistoryChanges {
        items: page.rows.into_iter().map(changed).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

fn changed(row: ChangeRow) -> HistoryChange {
    let sentence = Sentence {
        en: row.kind.describe(&row.subject, Language::English),
        zh: row.kind.describe(&row.subject, Language::Chinese),
    };
    HistoryChange {
        key: row.key,
        job: row.job,
        kind: row.kind.as_str().to_owned(),
        sentence,
        subject: row.subject,
        at: At(row.at),
        by: row.by,
        reason: row.reason,
        witness: row.witness,
    }
}
