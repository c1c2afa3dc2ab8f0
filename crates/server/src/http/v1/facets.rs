//! How many jobs a search finds of each kind: what there is to choose from. Answered from memory, as lists are.

use super::{aside, lists};
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Asking;
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use clockwright_api::jobs::{Facets, FacetsAsk};
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{Code, Problem};
use clockwright_fleet::view::JobStatus;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many tags are told.
const TAGS: usize = 100;
/// What a job is called that the registry does not have.
const ABSENT: &str = "ABSENT";

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<FacetsAsk>,
) -> Answered<Found<Facets>> {
    let mut search = lists::search(ask.q.as_deref())?;
    if let Some(name) = &ask.without
        && !search.forget(name)
    {
        let problem = Problem::new(Code::Invalid, format!("`{name}` is no qualifier of jobs"));
        return Err(problem.at("/without", "is to be a qualifier, such as `state`").into());
    }
    let projects = who.projects(&app);
    Ok(Found::new(aside(move || count(&app, lists::found(&app, &projects, &search))).await?))
}

fn count(app: &App, found: Vec<lists::Entry>) -> Facets {
    let mut facets = Facets { seq: app.catalogue.seq(), ..Facets::default() };
    let mut tags = BTreeMap::new();
    for lists::Entry { job, project, .. } in found {
        facets.count += 1;
        let status = lists::status(app, &project, &job).map_or(ABSENT, JobStatus::as_str);
        one_more(&mut facets.statuses, status);
        one_more(&mut facets.states, job.state.word());
        one_more(&mut facets.modes, &job.mode);
        one_more(&mut facets.projects, &project.name);
        job.tags.split_whitespace().for_each(|tag| one_more(&mut tags, tag));
    }
    let mut tags: Vec<(String, u64)> = tags.into_iter().collect();
    tags.sort_unstable_by(|(one, these), (other, those)| (those, one).cmp(&(these, other)));
    facets.tags = tags.into_iter().take(TAGS).collect();
    facets
}

/// Counts a word.
pub(super) fn one_more(counts: &mut BTreeMap<String, u64>, word: &str) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}
