//! All jobs of a namespace at once: three rounds of questions, however many jobs there are.

use crate::keys::{Key, Keys};
use crate::mirror::Mirror;
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Error, Path, Registry};
use std::collections::BTreeMap;

/// Every job of a namespace, as far as the line about it needs.
///
/// # Errors
/// The registry did not answer.
pub(super) async fn read_briefly(
    registry: &dyn Registry,
    keys: &Keys,
) -> Result<BTreeMap<JobName, Mirror>, Error> {
    const PARENTS: [Key; 3] = [Key::Instances, Key::Servers, Key::Items];
    let names = registry.list(keys.root()).await?;
    let jobs: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
    let listed: Vec<Path> =
        jobs.iter().flat_map(|job| PARENTS.iter().map(|parent| keys.of(job, parent))).collect();
    let children = registry.lists(&listed).await?;
    let mut paths = Vec::new();
    for (job, children) in jobs.iter().zip(children.chunks(PARENTS.len())) {
        let mut wanted = vec![Key::Job, Key::Config, Key::Paused];
        for (parent, names) in PARENTS.iter().zip(children) {
            wanted.extend(names.iter().filter_map(|name| below(parent, name)));
        }
        paths.extend(wanted.iter().map(|key| keys.of(job, key)));
    }
    let nodes = registry.read(&paths).await?;
    let mut mirrors: BTreeMap<JobName, Mirror> = BTreeMap::new();
    for (path, node) in paths.iter().zip(&nodes) {
        let Some((name, key)) = keys.parse(path) else { continue };
        if let (Ok(job), Some(node)) = (JobName::new(name), node) {
            mirrors.entry(job).or_default().put(&key, Some(node));
        }
    }
    mirrors.retain(|_, mirror| mirror.config.is_some());
    Ok(mirrors)
}

/// What is read of one child.
fn below(parent: &Key, name: &str) -> Option<Key> {
    match parent {
        Key::Instances => Some(Key::Instance(InstanceId::from_wire(name))),
        Key::Servers => Some(Key::Server(name.to_owned())),
        _ => name.parse().ok().map(Key::Owner),
    }
}
