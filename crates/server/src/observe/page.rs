//! The page of metrics: what was counted as it happened, and what is looked at now. The second part is made anew each time, so that nothing is told of what
//! is gone.

use super::counts::Counts;
use super::metrics::Metrics;
use super::names::*;
use super::process;
use crate::app::App;
use crate::mirror::State;
use crate::registries::Standing;
use clockwright_model::Millis;
use std::collections::BTreeMap;

/// The content type of the page.
pub const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page.
pub async fn page(app: &App) -> String {
    let counts = app.counted.get(app).await;
    let mut page = app.metrics.render();
    page += &looked_at(app, &counts).render();
    page
}

fn looked_at(app: &App, counts: &Counts) -> Metrics {
    let sheet = Metrics::default();
    sheet.set(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    sheet.set(&HTTP_STREAMS, &[], app.streams() as f64);
    sheet.set(&JOURNAL_SEQ, &[], app.catalogue.seq() as f64);
    sheet.set(&CATALOGUE_LAG, &[], app.followed().as_secs_f64());
    for (state, count) in app.catalogue.states() {
        sheet.set(&CATALOGUE_JOBS, &[state], count as f64);
    }
    let term = app.term();
    sheet.set(&TERM, &[], term as f64);
    sheet.set(&LEADER, &[], f64::from(u8::from(term != 0)));
    if let Some((seq, hash)) = app.metrics.head() {
        sheet.set(&AUDIT_HEAD, &[&seq.to_string(), &hash], 1.0);
    }
    of_mirrors(app, &sheet);
    of_registries(app, &sheet);
    of_database(app, &sheet);
    counted(app, counts, &sheet);
    process::tell(&sheet);
    sheet
}

fn of_mirrors(app: &App, sheet: &Metrics) {
    let projects = app.catalogue.projects();
    let mut ages: BTreeMap<&str, Millis> = BTreeMap::new();
    for project in &projects {
        let label = sheet.project(&project.name, projects.len());
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        sheet.raise(&MIRROR_JOBS, &[label], picture.all().count() as f64);
        sheet.raise(&MIRROR_STATE, &[label, picture.state.word()], 1.0);
        if let Some(as_of) = picture.as_of {
            let age = ages.entry(label).or_default();
            *age = (app.now() - as_of).max(*age);
        }
    }
    for (label, age) in ages {
        sheet.set(&MIRROR_AGE, &[label], age as f64 / 1_000.0);
    }
    let (hints, reads) = app.mirrors.traffic();
    sheet.total(&MIRROR_HINTS, &[], hints);
    sheet.total(&MIRROR_READS, &[], reads);
}

fn of_registries(app: &App, sheet: &Metrics) {
    for (name, standing, counts) in app.registries.standing() {
        let state = match standing {
            Standing::Open => "open",
            Standing::Unasked => "unasked",
            Standing::Away(_) => "away",
        };
        sheet.set(&REGISTRY_SESSION, &[&name, state], 1.0);
        let refused = counts.conflicts + counts.unknown + counts.failed;
        for (result, count) in [
            ("ok", counts.requests.saturating_sub(refused)),
            ("conflict", counts.conflicts),
            ("unknown", counts.unknown),
            ("failed", counts.failed),
        ] {
            sheet.total(&REGISTRY_REQUESTS, &[&name, result], count);
        }
    }
}

fn of_database(app: &App, sheet: &Metrics) {
    let (open, idle) = app.store.connections();
    sheet.set(&DATABASE_CONNECTIONS, &["control", "idle"], idle as f64);
    sheet.set(&DATABASE_CONNECTIONS, &["control", "busy"], open.saturating_sub(idle) as f64);
}

fn counted(app: &App, counts: &Counts, sheet: &Metrics) {
    let projects = app.catalogue.count_projects();
    for ((project, state), count) in &counts.sync {
        let Some(project) = app.catalogue.project_of(*project) else { continue };
        let label = sheet.project(&project.name, projects);
        sheet.raise(&SYNC_JOBS, &[label, state], *count as f64);
    }
    for ((kind, origin), count) in &counts.holds {
        sheet.set(&HOLDS, &[kind, origin], *count as f64);
    }
    for ((kind, state), count) in &counts.operations {
        sheet.set(&OPERATIONS, &[kind, state], *count as f64);
    }
    for ((condition, state), count) in &counts.alerts {
        sheet.set(&ALERTS, &[condition, state], *count as f64);
    }
    sheet.set(&DELIVERIES_WAITING, &[], counts.waiting as f64);
    for (store, count) in &counts.lost {
        sheet.total(&EVENTS_LOST, &[store], *count);
    }
}

/// How old a mirror is at the most that is said to follow, milliseconds: where nothing can be watched it is read every half minute.
const OLD: Millis = 60_000;

/// How many projects' live state is away, or older than it should be.
pub(super) fn old_mirrors(app: &App) -> u64 {
    let is_old = |project: i64| {
        let mirror = app.mirrors.of(project);
        let picture = mirror.read();
        matches!(picture.state, State::Away(_)) || picture.as_of.is_some_and(|as_of| app.now() - as_of > OLD)
    };
    app.catalogue.projects().iter().filter(|project| is_old(project.id)).count() as u64
}
