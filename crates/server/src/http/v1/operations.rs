//! What operators do to jobs and hosts, operations that go on, and holds.

use super::paging::{self, Paging};
use super::{TheId, done, target};
use crate::app::{App, Told};
use crate::decide::ops::{Act, Mode, Start};
use crate::http::answer::Found;
use crate::http::grant::{Asking, Granted};
use crate::http::parts::{Body, Named, Query, TheJob, Wait};
use crate::http::refusal::Answered;
use crate::ops::{Asked, Operated, carry_out, hold_view, view};
use crate::store::{JobRow, OperationRow};
use clockwright_api::operations::{
    Bulk, Drain, DrainHost, HoldView, Operate, OperateHost, Operation, Removal, ResumeItem, Shutdown,
};
use clockwright_api::page::Page;
use clockwright_api::permission::Kind;
use clockwright_api::permission::kinds::{JobOperate, JobRead, JobRemove};
use clockwright_api::text::Reason;
use clockwright_api::{At, Code, List, Problem};
use clockwright_model::{Item, Millis};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use utoipa::IntoParams;

/// How long what runs is waited for, unless told, and at most.
const USUAL: Millis = 600_000;
const LONGEST: Millis = 24 * 3_600_000;

/// What all operations have in common besides what they do.
struct Manner {
    reason: Option<Reason>,
    dry_run: bool,
    wait: Wait,
}

async fn operate<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    job: Option<Arc<JobRow>>,
    act: Act,
    manner: Manner,
) -> Answered<Operated> {
    let Manner { reason, dry_run, wait: Wait(wait) } = manner;
    let reason = reason.map(Into::into).unwrap_or_default();
    let project = Arc::clone(who.project()?);
    carry_out(&app, who.asker(), Asked { project, job, act, reason, dry_run, wait }).await
}

macro_rules! on_a_job {
    ($($name:ident: $body:ident { $($field:ident),* } => $act:expr;)*) => { $(
        pub(in crate::http) async fn $name(
            app: Arc<App>,
            who: Granted<JobOperate>,
            TheJob(job): TheJob,
            wait: Wait,
            Body(ask): Body<$body>,
        ) -> Answered<Operated> {
            let $body { reason, dry_run, $($field),* } = ask;
            operate(app, who, Some(job), $act, Manner { reason, dry_run, wait }).await
        }
    )* };
}

on_a_job! {
    trigger: Operate {} => Act::Trigger;
    offline: Operate {} => Act::Offline;
    online: Operate {} => Act::Online;
    pause: Operate {} => Act::Pause;
    rebalance: Operate {} => Act::Rebalance;
    disable: OperateHost { host } => Act::Disable { host };
    enable: OperateHost { host } => Act::Enable { host };
    resume: OperateHost { host } => Act::Resume { host };
    drain: Drain { host, timeout } => Act::Drain { host, wait: patience(timeout)? };
    shutdown: Shutdown { target } => Act::Shutdown { target };
}

fn patience(asked: Option<u64>) -> Answered<Millis> {
    match asked.map_or(Some(USUAL), |asked| Millis::try_from(asked).ok()) {
        Some(wait) if wait <= LONGEST => Ok(wait),
        _ => {
            let problem = Problem::new(Code::Invalid, "the timeout is too long");
            Err(problem.at("/timeout", format!("is to be 0 to {LONGEST}")).into())
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheItem {
    /// The item's number.
    i: Item,
}

macro_rules! on_an_item {
    ($($name:ident => $act:ident;)*) => { $(
        pub(in crate::http) async fn $name(
            app: Arc<App>,
            who: Granted<JobOperate>,
            TheJob(job): TheJob,
            Named(TheItem { i: item }): Named<TheItem>,
            wait: Wait,
            Body(Operate { reason, dry_run }): Body<Operate>,
        ) -> Answered<Operated> {
            operate(app, who, Some(job), Act::$act { item }, Manner { reason, dry_run, wait }).await
        }
    )* };
}

on_an_item! {
    disable_item => DisableItem;
    enable_item => EnableItem;
}

pub(in crate::http) async fn resume_item(
    app: Arc<App>,
    who: Granted<JobOperate>,
    TheJob(job): TheJob,
    Named(TheItem { i: item }): Named<TheItem>,
    wait: Wait,
    Body(ask): Body<ResumeItem>,
) -> Answered<Operated> {
    let invalid = |why: String| Problem::new(Code::Invalid, "nobody can go on from there").at("/from", why);
    let from = match ask.from.as_str() {
        "now" => Start::Now,
        "last" => Start::Last,
        text => {
            let At(at) = At::try_from(text.to_owned())
                .map_err(|why| invalid(format!("{why}; `now` and `last` are the other choices")))?;
            if at > app.now() {
                return Err(invalid("lies in the future".to_owned()).into());
            }
            Start::At(at)
        }
    };
    let manner = Manner { reason: ask.reason, dry_run: ask.dry_run, wait };
    operate(app, who, Some(job), Act::ResumeItem { item, from }, manner).await
}

pub(in crate::http) async fn remove(
    app: Arc<App>,
    who: Granted<JobRemove>,
    TheJob(job): TheJob,
    wait: Wait,
    Query(ask): Query<Removal>,
) -> Answered<Operated> {
    let invalid = |pointer: &str, why: &str| {
        Problem::new(Code::Invalid, "how the job is removed has to be said").at(pointer, why)
    };
    let mode = match ask.mode.as_deref() {
        Some("stop") => Mode::Stop,
        Some("drain") => Mode::Drain,
        Some("kill") => Mode::Kill,
        _ => return Err(invalid("/mode", "is to be `stop`, `drain` or `kill`").into()),
    };
    let reason = ask.reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| invalid("/reason", "is missing"))?;
    let reason = Some(Reason::new(reason).map_err(|why| invalid("/reason", &why))?);
    let act = Act::Remove { mode, wait: patience(ask.timeout)?, take_over: ask.take_over };
    operate(app, who, Some(job), act, Manner { reason, dry_run: ask.dry_run, wait }).await
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheHost {
    /// The host's address.
    ip: String,
}

macro_rules! on_a_host {
    ($($name:ident: $body:ident { $($field:ident),* } => $host:ident $act:expr;)*) => { $(
        pub(in crate::http) async fn $name(
            app: Arc<App>,
            who: Granted<JobOperate>,
            Named(TheHost { ip }): Named<TheHost>,
            wait: Wait,
            Body(ask): Body<$body>,
        ) -> Answered<Operated> {
            let $body { reason, dry_run, $($field),* } = ask;
            let $host = Some(ip);
            operate(app, who, None, $act, Manner { reason, dry_run, wait }).await
        }
    )* };
}

on_a_host! {
    disable_host: Operate {} => host Act::Disable { host };
    enable_host: Operate {} => host Act::Enable { host };
    resume_host: Operate {} => host Act::Resume { host };
    drain_host: DrainHost { timeout } => host Act::Drain { host, wait: patience(timeout)? };
    shutdown_host: Operate {} => target Act::Shutdown { target };
}

pub(in crate::http) async fn holds(app: Arc<App>, who: Granted<JobRead>) -> Answered<Found<List<HoldView>>> {
    let project = who.project()?.id;
    let holds = app.store.holds(project, None).await?;
    Ok(Found::new(holds.iter().map(|hold| hold_view(&app, hold)).collect()))
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<Paging>,
) -> Answered<Found<Page<Operation>>> {
    let limit = paging::limit(ask.limit)?;
    let projects: Vec<i64> = app
        .catalogue
        .projects()
        .into_iter()
        .map(|project| project.id)
        .filter(|project| who.may(*project))
        .collect();
    let mut rows =
        app.store.operations(&projects, &who.asker().principal.id, ask.after.as_deref(), limit + 1).await?;
    let next = paging::cut(&mut rows, limit, |row| row.id.clone());
    let items = rows.iter().map(|row| view(&app, row)).collect();
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Asking<JobRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Operated> {
    let missing = || Problem::new(Code::NotFound, format!("there is no operation `{id}`"));
    let mine = &who.asker().principal.id;
    let shown = |row: &crate::store::OperationRow| row.by == *mine || who.may(row.project);
    let row = app.store.operation(&id).await?.filter(shown).ok_or_else(missing)?;
    Ok(Operated::of(view(&app, &row)))
}

pub(in crate::http) async fn bulk(
    app: Arc<App>,
    who: Asking<JobOperate>,
    Wait(wait): Wait,
    Body(ask): Body<Bulk>,
) -> Answered<Operated> {
    crate::ops::bulk(&app, who.asker(), ask, wait).await
}

pub(in crate::http) async fn cancel(
    app: Arc<App>,
    who: Asking<JobOperate>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Told<Operated>> {
    let missing = || Problem::new(Code::NotFound, format!("there is no operation `{id}`"));
    let row = app.store.operation(&id).await?.ok_or_else(missing)?;
    let asker = who.asker().clone();
    if row.by != asker.principal.id {
        who.on(&app, row.project, &format!("operation `{id}`"))?;
    }
    let mut change = app.begin(&asker).await?;
    // One that is over by now stays as it was; the answer is kept by its key all the same.
    let cancelled = change.cancel_operation(&id).await?;
    let facts = json!({ "cancelled": cancelled });
    change.record(done("operation.cancel", row.project, target("operation", &id, &row.kind), facts, ""));
    let answer = Operated::of(view(&app, &OperationRow { cancelled: row.cancelled || cancelled, ..row }));
    let told = app.finish(change, &asker, answer).await?;
    let row = app.store.operation(&id).await?.ok_or_else(missing)?;
    Ok(told.now(Operated::of(view(&app, &row))))
}
