//! The server of one process that runs jobs from a file: what `clockwright dev` is looked at through.
//!
//! There the file is the truth, and the registry is written by whoever reads the file; so the project takes over what it finds instead of putting
//! it right ([`Outside::Adopt`], [`Holds::Follow`]), and `control` says that nobody has to ask here before they write. What somebody changes over
//! REST is written to the registry as ever, and holds until the file is edited.

use crate::app::App;
use crate::decide::chain::{Actor, done, target};
use crate::http::refusal::Refusal;
use crate::http::v1::sync::take_all;
use crate::store::ProjectRow;
use clockwright_api::projects::{Holds, Outside, Policy};
use serde_json::Value;
use std::sync::Arc;

/// The name of the project where the namespace cannot be one.
const USUAL: &str = "dev";

/// Takes over the jobs that the namespace of the registry `home` has and the database has not, into the namespace's project, which is made if need
/// be; the names of the jobs that the project has then.
///
/// # Errors
/// The registry or the database is away, in words.
pub async fn take_in(app: &Arc<App>, namespace: &str) -> Result<Vec<String>, String> {
    let taken = async {
        let project = match project(app, namespace) {
            Some(project) => project,
            None => make(app, namespace).await?,
        };
        take_all(app, &project, actor()).await?;
        Ok(app.catalogue.jobs(project.id).iter().map(|job| job.name.clone()).collect())
    };
    taken.await.map_err(|refusal: Refusal| match refusal {
        Refusal::Problem(problem) => problem.detail.clone(),
        Refusal::Replay(_) => "a request was repeated that nobody sent".to_owned(),
    })
}

fn actor() -> Actor {
    Actor::server("dev")
}

fn project(app: &App, namespace: &str) -> Option<Arc<ProjectRow>> {
    let here = |project: &Arc<ProjectRow>| project.registry == "home" && project.namespace == namespace;
    app.catalogue.projects().into_iter().find(here)
}

async fn make(app: &Arc<App>, namespace: &str) -> Result<Arc<ProjectRow>, Refusal> {
    let is_name = (1..=50).contains(&namespace.len())
        && namespace.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let mut change = app.begin_as(actor()).await?;
    let row = ProjectRow {
        id: 0,
        name: if is_name { namespace } else { USUAL }.to_owned(),
        title: String::new(),
        note: String::new(),
        registry: "home".to_owned(),
        namespace: namespace.to_owned(),
        store: "home".to_owned(),
        layout: String::new(),
        policy: Policy { settings: Outside::Adopt, holds: Holds::Follow },
        code_edit: true,
        control_mark: 0,
        version: 1,
        created: app.now(),
    };
    let row = change.insert_project(row).await?;
    change.record(done("project.create", row.id, target("project", row.id, &row.name), Value::Null, ""));
    app.commit(change).await?;
    Ok(Arc::new(row))
}
