//! What somebody may mean who types a search: qualifiers, their values as there are any, jobs, and what an id is of.

use super::{aside, facets, lists};
use crate::app::App;
use crate::decide::query::suggest::{Typed, fit, qualifiers, quoted, recognised, typed};
use crate::decide::query::{Of, Query as Search, Takes, What};
use crate::http::answer::Found;
use crate::http::grant::Asking;
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use crate::mirror::Picture;
use crate::store::{JobRow, ProjectRow};
use clockwright_api::find::{SuggestAsk, Suggestion};
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{Code, List, Problem};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many are offered.
const MOST: usize = 20;
/// Times that are offered; what else there is can be typed.
const TIMES: &[&str] = &["<10m", "<1h", "<1d"];
const USUAL: &[&str] = &[">p50", ">p95", ">1m"];

pub(in crate::http) async fn suggest(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<SuggestAsk>,
) -> Answered<Found<List<Suggestion>>> {
    let of = match ask.of.as_deref().unwrap_or("jobs") {
        "jobs" => Of::Jobs,
        "runs" => Of::Runs,
        other => {
            let problem =
                Problem::new(Code::Invalid, format!("nothing is searched that is called `{other}`"));
            return Err(problem.at("/for", "is to be `jobs` or `runs`").into());
        }
    };
    let projects = who.projects(&app);
    let offered = move || match typed(&ask.text, of) {
        Typed::Letters(letters) => of_letters(&app, &projects, letters, of),
        Typed::Value { row, before, begun } => {
            let values = match row.takes {
                Takes::Word(words) => fixed(words),
                Takes::Time => fixed(TIMES),
                Takes::Usual => fixed(USUAL),
                Takes::Number => Counted::new(),
                Takes::Name | Takes::Letters => values(&app, &projects, row.what),
            };
            best(values, before, &begun.to_lowercase())
        }
    };
    Ok(Found::new(aside(offered).await?.into_iter().collect()))
}

fn offer(kind: &str, text: String) -> Suggestion {
    Suggestion { kind: kind.to_owned(), text, project: None, count: None }
}

fn of_letters(app: &App, projects: &[Arc<ProjectRow>], letters: &str, of: Of) -> Vec<Suggestion> {
    let begun = letters.to_lowercase();
    let mut offered: Vec<Suggestion> =
        recognised(letters).map(|kind| offer(kind, letters.to_owned())).into_iter().collect();
    offered.extend(qualifiers(&begun, of).map(|name| offer("qualifier", format!("{name}:"))));
    if let Ok(search) = Search::parse(&quoted(letters))
        && !begun.is_empty()
    {
        let mut jobs = lists::found(app, projects, &search);
        jobs.sort_by_key(|entry| fit(&entry.job.name, &begun).unwrap_or(u8::MAX));
        offered.extend(jobs.into_iter().take(MOST).map(|entry| Suggestion {
            project: Some(entry.project.name.clone()),
            ..offer("job", quoted(&entry.job.name))
        }));
    }
    offered.truncate(MOST);
    offered
}

/// Values, each with how many jobs have it.
type Counted = BTreeMap<String, u64>;

fn fixed(words: &[&str]) -> Counted {
    words.iter().map(|word| ((*word).to_owned(), 0)).collect()
}

/// Those that fit best; of those, what most jobs have.
fn best(values: Counted, before: &str, begun: &str) -> Vec<Suggestion> {
    let mut fitting: Vec<(u8, u64, String)> =
        values.into_iter().filter_map(|(value, count)| Some((fit(&value, begun)?, count, value))).collect();
    fitting.sort_unstable_by(|(one, these, this), (other, those, that)| {
        (one, those, this).cmp(&(other, these, that))
    });
    let offered = fitting.into_iter().take(MOST).map(|(_, count, value)| Suggestion {
        count: Some(count).filter(|count| *count > 0),
        ..offer("value", format!("{before}{}", quoted(&value)))
    });
    offered.collect()
}

/// What there is of a qualifier among the jobs that one may see.
fn values(app: &App, projects: &[Arc<ProjectRow>], what: What) -> Counted {
    let mut counted = Counted::new();
    let mut add = |value: &str| {
        if !value.is_empty() {
            facets::one_more(&mut counted, value);
        }
    };
    for project in projects {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        for job in app.catalogue.jobs(project.id) {
            match what {
                What::Project => add(&project.name),
                What::Sync => add(app.catalogue.sync(job.id).word()),
                What::Host | What::Instance => of_row(&picture, &job, what, &mut add),
                _ => of_job(&job, what, &mut add),
            }
        }
    }
    counted
}

fn of_job(job: &JobRow, what: What, add: &mut impl FnMut(&str)) {
    match what {
        What::Job => add(&job.name),
        What::Tag => job.tags.split_whitespace().for_each(add),
        What::Mode => add(&job.mode),
        What::Type => add(&job.kind),
        What::Owner => add(&job.owner),
        What::By => add(&job.changed_by),
        What::Cron => add(job.timing.cron()),
        What::Zone => add(job.timing.zone()),
        _ => {}
    }
}

fn of_row(picture: &Picture, job: &JobRow, what: What, add: &mut impl FnMut(&str)) {
    let Some(row) = picture.job(&job.name) else { return };
    let add = |number| add(picture.names.text(number));
    match what {
        What::Host => row.hosts.iter().map(|(host, _)| *host).for_each(add),
        _ => row.members().map(|member| member.id).for_each(add),
    }
}
