//! What the registry has of jobs that may be none of the database's.

use super::{Failed, registry_of};
use crate::app::App;
use crate::decide::sync::without_overwrite;
use crate::store::ProjectRow;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{JobName, JobSettings};
use clockwright_registry::{Path, Readable, read_each};

/// A config in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The job.
    pub name: JobName,
    /// The layout of its nodes; the default where it cannot be told.
    pub layout: Layout,
    /// Its settings, or why they cannot be used.
    pub settings: Result<JobSettings, String>,
}

/// The configs of these jobs, as far as there are any.
///
/// # Errors
/// The registry is away.
pub async fn found(app: &App, project: &ProjectRow, names: &[JobName]) -> Result<Vec<Found>, Failed> {
    let (registry, keys) = registry_of(app, project).await?;
    let paths: Vec<Path> =
        names.iter().flat_map(|name| [keys.job(name), keys.of(name, &Key::Config)]).collect();
    let mut nodes = read_each(&*registry, &paths).await?.into_iter();
    let mut all = Vec::new();
    for name in names {
        let (root, config) = (nodes.next().and_then(Readable::found), nodes.next());
        let config = match config {
            Some(Readable::Found(Some(config))) => config,
            Some(Readable::Found(None)) | None => continue,
            Some(Readable::Denied) => {
                let settings = Err("it may not be read".to_owned());
                all.push(Found { name: name.clone(), layout: Layout::default(), settings });
                continue;
            }
        };
        let root = root.map(|root| root.data).unwrap_or_default();
        let layout = Layout::of(&config.data).unwrap_or_default();
        let settings = layout
            .read(&config.data, &root, None)
            .map_err(|error| error.to_string())
            .and_then(|settings| {
                clockwright_fleet::config::usable(&settings, name)
                    .map(|_| settings)
                    .map_err(|error| error.to_string())
            })
            .map(without_overwrite);
        all.push(Found { name: name.clone(), layout, settings });
    }
    Ok(all)
}
