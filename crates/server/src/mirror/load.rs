//! Reading all jobs of a namespace: groups of jobs, each by two questions to the registry, a few groups under way at once. What was read is
//! handed over group by group, so that a large namespace can be used while the rest of it comes.

use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::leases::Leases;
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Error, Node, Path, Readable, Registry, read_each};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;

/// How many jobs are read together.
const GROUP: usize = 256;
/// How many groups are under way.
const UNDER_WAY: usize = 4;

/// A job with its nodes, in an order in which each can be understood by those before it.
pub type Nodes = (JobName, Vec<(Key, Node)>);

/// Reads all jobs and hands them to `put`; the processes that are there, and the names of all jobs that are.
///
/// # Errors
/// The registry did not answer. What was handed over is true all the same.
pub async fn load(
    registry: &dyn Registry,
    keys: &Keys,
    mut put: impl FnMut(Vec<Nodes>) + Send,
) -> Result<(Leases, BTreeSet<JobName>), Error> {
    let leases = Leases::read(registry, keys).await?;
    let names = registry.list(keys.root()).await?;
    let jobs: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
    let mut waiting = jobs.chunks(GROUP);
    let mut under_way: FuturesUnordered<BoxFuture<'_, _>> = FuturesUnordered::new();
    loop {
        while under_way.len() < UNDER_WAY
            && let Some(jobs) = waiting.next()
        {
            under_way.push(Box::pin(group(registry, keys, jobs)));
        }
        let Some(nodes) = under_way.try_next().await? else { break };
        put(nodes);
    }
    drop(under_way);
    Ok((leases, jobs.into_iter().collect()))
}

/// Reads a group of jobs.
async fn group(registry: &dyn Registry, keys: &Keys, jobs: &[JobName]) -> Result<Vec<Nodes>, Error> {
    const PARENTS: [Key; 4] = [Key::Instances, Key::Servers, Key::FailoverItems, Key::Items];
    let listed: Vec<Path> =
        jobs.iter().flat_map(|job| PARENTS.iter().map(|parent| keys.of(job, parent))).collect();
    let children = registry.lists(&listed).await?;
    let mut wanted: Vec<Vec<Key>> = Vec::with_capacity(jobs.len());
    for children in children.chunks(PARENTS.len()) {
        let below = PARENTS.iter().zip(children).flat_map(|(parent, names)| {
            names.iter().flat_map(|name| below(parent, name)).collect::<Vec<_>>()
        });
        let alone = [Key::Job, Key::Config, Key::Paused, Key::ElectionInstance];
        wanted.push(alone.into_iter().chain(below).collect());
    }
    let paths: Vec<Path> = jobs
        .iter()
        .zip(&wanted)
        .flat_map(|(job, wanted)| wanted.iter().map(|key| keys.of(job, key)))
        .collect();
    // What we may not read is as if it were not there.
    let mut nodes = read_each(registry, &paths).await?.into_iter().map(Readable::found);
    Ok(jobs
        .iter()
        .cloned()
        .zip(wanted.into_iter().map(|wanted| {
            wanted.into_iter().zip(nodes.by_ref()).filter_map(|(key, node)| Some((key, node?))).collect()
        }))
        .collect())
}

/// What is read of one child.
fn below(parent: &Key, name: &str) -> Vec<Key> {
    match (parent, name.parse()) {
        (Key::Instances, _) => vec![Key::Instance(InstanceId::from_wire(name))],
        (Key::Servers, _) => vec![Key::Server(name.to_owned())],
        (Key::FailoverItems, Ok(item)) => vec![Key::FailoverItem(item)],
        (Key::Items, Ok(item)) => {
            [Key::Item, Key::Owner, Key::Taken, Key::Running, Key::Disabled].map(|key| key(item)).into()
        }
        _ => Vec::new(),
    }
}

/// The nodes to be read after a hint about one: none where no list shows it.
#[must_use]
pub fn concerned(keys: &Keys, path: &Path) -> Vec<Path> {
    let Some((name, key)) = keys.parse(path) else {
        return if path.below(&keys.leases()).is_some_and(|id| !id.is_empty()) {
            vec![path.clone()]
        } else {
            Vec::new()
        };
    };
    match key {
        // Whether a config of 3.x can be used depends on what the root says.
        Key::Job => match JobName::new(name) {
            Ok(job) => vec![path.clone(), keys.of(&job, &Key::Config)],
            Err(_) => Vec::new(),
        },
        Key::Config
        | Key::Paused
        | Key::Server(_)
        | Key::Instance(_)
        | Key::ElectionInstance
        | Key::FailoverItem(_)
        | Key::Item(_)
        | Key::Owner(_)
        | Key::Running(_)
        | Key::Disabled(_)
        | Key::Taken(_) => vec![path.clone()],
        _ => Vec::new(),
    }
}
