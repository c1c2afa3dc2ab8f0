//! What is asked of all jobs of a namespace together: which servers there are, and whether instances of Java are among those that
//! serve a job.

use super::{ViewError, all};
use crate::keys::{Key, Keys};
use crate::leases::Leases;
use clockwright_model::JobName;
use clockwright_registry::{Path, Registry};
use serde::Serialize;
use std::collections::BTreeMap;

/// One server, over all jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerBrief {
    /// Its address.
    pub ip: String,
    /// How many instances are on it, each counted once for every job that it serves.
    pub instance_count: usize,
    /// How many jobs know it.
    pub job_count: usize,
    /// In how many of them it is disabled.
    pub disabled_job_count: usize,
}

/// A line about every server of the namespace, by address.
///
/// # Errors
/// The registry did not answer.
pub async fn servers(registry: &dyn Registry, keys: &Keys) -> Result<Vec<ServerBrief>, ViewError> {
    let mut servers = BTreeMap::<&str, ServerBrief>::new();
    let jobs = all::read_briefly(registry, keys).await?;
    for mirror in jobs.values() {
        for ip in mirror.servers.keys() {
            let server =
                servers.entry(ip).or_insert_with(|| ServerBrief { ip: ip.clone(), ..Default::default() });
            server.instance_count += mirror.members().filter(|(.., address)| address == ip).count();
            server.job_count += 1;
            server.disabled_job_count += usize::from(mirror.is_kept_off(ip));
        }
    }
    Ok(servers.into_values().collect())
}

/// How many instances of Elastic-Job serve a job, or with `None` any job of the namespace; one counts once for every job that it serves.
/// A name that is no job's has none.
///
/// # Errors
/// The registry did not answer.
pub async fn java_instances(
    registry: &dyn Registry,
    keys: &Keys,
    job: Option<&str>,
) -> Result<usize, ViewError> {
    let leases = Leases::read(registry, keys).await?;
    let names = match job {
        Some(job) => vec![job.to_owned()],
        None => registry.list(keys.root()).await?,
    };
    let jobs = names.iter().filter_map(|name| JobName::new(name).ok());
    let parents: Vec<Path> = jobs.map(|job| keys.of(&job, &Key::Instances)).collect();
    let instances = registry.lists(&parents).await?;
    let is_java = |id: &&String| !leases.holds(id.as_str());
    Ok(instances.iter().flatten().filter(is_java).count())
}
