//! A picture of elastic jobs: what operators, consoles and the command line see.
//!
//! Nothing here writes. A picture is made of one reading of nodes ([`Mirror`]) and of who is there ([`Leases`]), by the same code that
//! tells an instance what to do, so what is shown is what they act on. It is no snapshot: nodes that change while they are read may be
//! seen before or after. Whoever acts on a picture of settings says its [`settings_version`](JobView::settings_version) when it writes
//! (see [`crate::admin`]); all else that is written states what it expects of the nodes at that moment, not of the picture.

mod all;
mod condition;
mod dump;
mod hosts;
mod picture;
mod shapes;

pub use condition::Condition;
pub use dump::dump;
pub use hosts::{ServerBrief, java_instances, servers};
pub(crate) use picture::Look;
pub use picture::{brief, picture};
pub use shapes::{
    Facts, HeldView, InstanceKind, InstanceView, ItemStatus, ItemView, JobBrief, JobStatus, JobView, LastRun,
    ServerView,
};

use crate::keys::{Key, Keys};
use crate::leases::Leases;
use crate::mirror::Mirror;
use clockwright_model::{Item, JobName, JobSettings, Millis, nearest};
use clockwright_planner::Schedule;
use clockwright_registry::Registry;

/// Why a picture could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// There is no such job in the namespace.
    #[error("there is no job `{name}` in {namespace}{}", hint(.nearest.as_deref()))]
    NoSuchJob {
        /// The name that was asked for.
        name: String,
        /// The namespace that was searched, as a path.
        namespace: String,
        /// The existing name that comes nearest, if one comes near.
        nearest: Option<String>,
    },
    /// The job's settings in the registry cannot be used.
    #[error("job `{name}` is degraded: {reason}")]
    Degraded {
        /// Its name.
        name: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The registry did not answer.
    #[error(transparent)]
    Registry(#[from] clockwright_registry::Error),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// A line about every job of the namespace, by name. A child of the namespace without a `config` is no job.
///
/// # Errors
/// The registry did not answer.
pub async fn jobs(registry: &dyn Registry, keys: &Keys) -> Result<Vec<JobBrief>, ViewError> {
    let mirrors = all::read_briefly(registry, keys).await?;
    Ok(mirrors.iter().map(|(job, mirror)| brief(job, mirror)).collect())
}

/// Everything about one job; `now` is the instant after which the next fire is looked for.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn job(
    registry: &dyn Registry,
    keys: &Keys,
    name: &str,
    now: Millis,
) -> Result<JobView, ViewError> {
    let (read, leases) = tokio::join!(read(registry, keys, name), Leases::read(registry, keys));
    let (job, mirror) = read?;
    Ok(picture(&job, &mirror, &leases?, now))
}

/// All nodes of one job.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn read(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<(JobName, Mirror), ViewError> {
    if let Ok(job) = JobName::new(name) {
        let nodes = registry.tree(&keys.job(&job)).await?;
        let mirror = Mirror::of(keys, nodes.iter().map(|(path, node)| (path, node)));
        if mirror.config.is_some() {
            return Ok((job, mirror));
        }
    }
    Err(no_such_job(registry, keys, name).await)
}

/// When a job is due and in how many parts, as the registry has it now.
pub struct Timetable {
    /// When it is due.
    pub schedule: Schedule,
    /// How many items it has.
    pub items: Item,
    /// When its settings last changed, epoch milliseconds by the registry's clock.
    pub changed: Millis,
}

/// The timetable of one job.
///
/// # Errors
/// There is no such job, its settings cannot be used, or the registry did not answer.
pub async fn timetable(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<Timetable, ViewError> {
    let (settings, schedule, changed) = read_settings(registry, keys, name).await?;
    Ok(Timetable { schedule, items: settings.sharding_total_count, changed })
}

/// The settings of one job, as the registry alone has them.
///
/// # Errors
/// There is no such job, its settings cannot be used, or the registry did not answer.
pub async fn settings(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<JobSettings, ViewError> {
    Ok(read_settings(registry, keys, name).await?.0)
}

/// The settings of one job, when they are due, and when they last changed.
async fn read_settings(
    registry: &dyn Registry,
    keys: &Keys,
    name: &str,
) -> Result<(JobSettings, Schedule, Millis), ViewError> {
    let job = find(registry, keys, name).await?;
    let paths = [keys.job(&job), keys.of(&job, &Key::Config)];
    let nodes = registry.read(&paths).await?;
    let found = paths.iter().zip(&nodes).filter_map(|(path, node)| Some((path, node.as_ref()?)));
    let mirror = Mirror::of(keys, found);
    let changed = mirror.config.as_ref().map_or(Millis::MIN, |(_, stat)| stat.modified_at);
    let (settings, schedule) = picture::settings(&job, &mirror)
        .map_err(|reason| ViewError::Degraded { name: name.to_owned(), reason })?;
    Ok((settings, schedule, changed))
}

/// The name, if the namespace has a job of that name.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn find(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<JobName, ViewError> {
    if let Ok(job) = JobName::new(name)
        && let [Some(_)] = registry.read(&[keys.of(&job, &Key::Config)]).await?[..]
    {
        return Ok(job);
    }
    Err(no_such_job(registry, keys, name).await)
}

pub(crate) async fn no_such_job(registry: &dyn Registry, keys: &Keys, name: &str) -> ViewError {
    let names = registry.list(keys.root()).await.unwrap_or_default();
    ViewError::NoSuchJob {
        name: name.to_owned(),
        namespace: keys.root().to_string(),
        nearest: nearest(name, names.iter().map(String::as_str)).map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests;
