//! The registries, and in each the namespaces of projects.
//!
//! The clock is asked by a node that is made and deleted again; nothing else is written.

use super::{Looked, PATIENCE_WITH_ONE, Patient, finding, skew, undone, within};
use crate::config::HOME;
use crate::mirror::load::{Nodes, load};
use crate::store::{ProjectRow, Store};
use crate::sync::control::{self, Standing};
use clockwright_api::system::{Finding, Gravity};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::layout::Layout;
use clockwright_fleet::leases::{Lease, Leases};
use clockwright_model::{InstanceId, Item};
use clockwright_registry::{Access, Error, Op, Path, SharedRegistry};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// A session that lasts longer than this keeps the jobs of a dead instance waiting for so long, milliseconds.
const LONG_SESSION: i64 = 60_000;
/// How many jobs' access is looked at.
const SAMPLE: usize = 20;
/// So many hosts without an instance are told: consoles become slow by them.
const FORGOTTEN_HOSTS: usize = 50;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let projects = match &patient.store {
        Ok(store) => store.projects().await?,
        Err(_) => Vec::new(),
    };
    let names = patient.registries.names();
    let looks = names.iter().filter_map(|name| {
        let ours: Vec<&ProjectRow> = projects.iter().filter(|project| project.registry == *name).collect();
        let is_used = name == HOME || !ours.is_empty();
        is_used.then(|| within(PATIENCE_WITH_ONE, name, one(patient, name, ours)))
    });
    Ok(join_all(looks).await.concat())
}

async fn one(patient: &Patient<'_>, name: &str, projects: Vec<&ProjectRow>) -> Looked {
    let registry = match patient.registries.session(name).await {
        Ok(registry) => registry,
        Err(error) => {
            let fix = "see whether it runs and can be reached, and whether the address and the credential are right";
            return Ok(vec![finding(Gravity::Error, "registry-away", name, error.to_string(), fix)]);
        }
    };
    let mut found = Vec::new();
    let terms = registry.terms();
    if !terms.recursive_watch {
        found.push(finding(
            Gravity::Note,
            "no-recursive-watch",
            name,
            "what changes there is found by a look every half minute",
            "ZooKeeper 3.6 and newer tell it at once",
        ));
    }
    if terms.timeout > LONG_SESSION {
        let what = format!(
            "the registry gave a session of {} s: so long nobody takes over from the dead",
            terms.timeout / 1_000
        );
        found.push(finding(Gravity::Warning, "session-long", name, what, "lower maxSessionTimeout there"));
    }
    found.extend(of_clock(patient, name, &registry).await?);
    for project in projects {
        match of_project(patient, project, &registry).await {
            Ok(more) => found.extend(more),
            Err(why) => found.push(undone(&project.name, &why.to_string())),
        }
    }
    Ok(found)
}

async fn of_project(patient: &Patient<'_>, project: &ProjectRow, registry: &SharedRegistry) -> Looked {
    let Ok(keys) = Keys::new(&project.namespace) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if let Ok(store) = &patient.store {
        found.extend(of_control(store, project, registry, &keys).await?);
    }
    found.extend(of_namespace(patient, project, registry, &keys).await?);
    Ok(found)
}

async fn of_clock(
    patient: &Patient<'_>,
    name: &str,
    registry: &SharedRegistry,
) -> Result<Option<Finding>, Error> {
    let path = Path::root().join(&format!("clockwright-doctor-{}", uuid::Uuid::new_v4()));
    let sent = patient.now();
    match registry.commit(vec![Op::create_ephemeral(path.clone(), "")]).await {
        Ok(_) => {}
        // Who may not write at the top has no clock to compare with.
        Err(Error::Denied(_) | Error::Conflict { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let answered = patient.now();
    let node = registry.read(std::slice::from_ref(&path)).await?.pop().flatten();
    registry.commit(vec![Op::delete(path)]).await?;
    Ok(node.and_then(|node| skew(name, node.stat.created_at, sent, answered)))
}

async fn of_control(
    store: &Store,
    project: &ProjectRow,
    registry: &SharedRegistry,
    keys: &Keys,
) -> Result<Option<Finding>, Box<dyn std::error::Error + Send + Sync>> {
    let node = registry.read(&[control::path(keys)]).await?.pop().flatten();
    // The node first: whoever wrote it had committed to the database before.
    let (head, _) = store.head().await?;
    let mark = store.control_mark(project.id).await?;
    Ok(match control::standing(node.as_ref(), store.plane(), mark, head) {
        Standing::Ours(_) | Standing::None => None,
        Standing::Another(url) => Some(finding(
            Gravity::Error,
            "registry-of-another-plane",
            &project.name,
            format!("another database manages the namespace, from {url}"),
            "give the project another namespace, or end it there; deleting `control` lets both write at once",
        )),
        Standing::Behind { .. } | Standing::Older { .. } => Some(finding(
            Gravity::Error,
            "registry-regressed",
            &project.name,
            "the registry or the database is older than what was written",
            "find out which was restored, and say that it is right by POST …/sync/confirm",
        )),
    })
}

async fn of_namespace(
    patient: &Patient<'_>,
    project: &ProjectRow,
    registry: &SharedRegistry,
    keys: &Keys,
) -> Looked {
    let mut all: Vec<Nodes> = Vec::new();
    let (leases, names) = load(registry.as_ref(), keys, |nodes| all.extend(nodes)).await?;
    let mut found = of_nodes(project, &leases, &all);
    found.extend(of_instances(project, Lease::read_all(registry.as_ref(), keys).await?.into_values()));
    if let Ok(store) = &patient.store {
        let managed = store.job_names(project.id).await?;
        found.extend(of_strangers(
            project,
            names.iter().filter(|name| !managed.contains(name.as_str())).count(),
        ));
    }
    if patient.registries.has_credential(&project.registry) {
        let mut paths = vec![keys.root().clone(), keys.own_root().clone()];
        paths.extend(names.iter().take(SAMPLE).map(|name| keys.job(name)));
        found.extend(of_access(project, &registry.access(&paths).await?));
    }
    Ok(found)
}

/// Processes of ours that are of different releases.
fn of_instances(project: &ProjectRow, leases: impl Iterator<Item = Lease>) -> Option<Finding> {
    let mut releases: BTreeMap<String, usize> = BTreeMap::new();
    for lease in leases {
        // Those of before did not say it.
        *releases.entry(lease.version.unwrap_or_else(|| "an earlier one".to_owned())).or_default() += 1;
    }
    let told: Vec<String> = releases.iter().map(|(version, count)| format!("{version} ({count})")).collect();
    let what = format!("instances of different releases are at work: {}", told.join(", "));
    let fix = "bring all to one release; two that follow each other go on together meanwhile";
    (told.len() > 1).then(|| finding(Gravity::Note, "instances-differ", &project.name, what, fix))
}

/// Jobs that only the registry has.
fn of_strangers(project: &ProjectRow, count: usize) -> Option<Finding> {
    let what =
        format!("{count} jobs in the registry are not managed: nobody keeps or repairs their settings");
    let fix = "adopt them by POST …/unmanaged/adopt, or remove what is left of them";
    (count > 0).then(|| finding(Gravity::Note, "jobs-unmanaged", &project.name, what, fix))
}

/// Whom nodes belong to, of which these were looked at.
fn of_access(project: &ProjectRow, looked_at: &[Access]) -> Vec<Finding> {
    let told = |(wanted, code, what, fix): (Access, &str, &str, &str)| {
        let count = looked_at.iter().filter(|access| **access == wanted).count();
        let what = format!("{count} of {} looked at: {what}", looked_at.len());
        (count > 0).then(|| finding(Gravity::Warning, code, &project.name, what, fix))
    };
    let wrong = [
        (
            Access::Open,
            "nodes-open",
            "nodes may be changed by whoever reaches the registry",
            "sync protects configs; let the others be made anew by instances with the credential",
        ),
        (
            Access::Foreign,
            "nodes-foreign",
            "nodes belong to another user of the registry",
            "use the credential that made them",
        ),
    ];
    wrong.into_iter().filter_map(told).collect()
}

/// What jobs have there, and what was left behind.
fn of_nodes(project: &ProjectRow, leases: &Leases, all: &[Nodes]) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut layouts, mut forgotten, mut marks) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (_, nodes) in all {
        let instances: BTreeSet<&InstanceId> = nodes
            .iter()
            .filter_map(|(key, _)| match key {
                Key::Instance(id) => Some(id),
                _ => None,
            })
            .collect();
        let hosts: BTreeSet<&str> = instances.iter().map(|id| id.ip()).collect();
        let owners: BTreeMap<Item, &[u8]> = nodes
            .iter()
            .filter_map(|(key, node)| match key {
                Key::Owner(item) => Some((*item, node.data.as_ref())),
                _ => None,
            })
            .collect();
        let live = |id: &InstanceId| leases.holds(id) || instances.contains(id);
        for (key, node) in nodes {
            match key {
                Key::Config => drop(Layout::of(&node.data).map(|layout| layouts.insert(layout.number()))),
                Key::Server(ip) if !hosts.contains(ip.as_str()) => drop(forgotten.insert(ip.clone())),
                Key::Running(item) => {
                    let owner = owners.get(item).map(|owner| String::from_utf8_lossy(owner));
                    // A mark that ends with its maker's session needs nobody to clear it.
                    let lasts = node.stat.owner == 0;
                    marks += usize::from(
                        lasts && owner.is_some_and(|owner| !live(&InstanceId::from_wire(&owner))),
                    );
                }
                _ => {}
            }
        }
    }
    if layouts.len() > 1 {
        found.push(finding(
            Gravity::Note,
            "layouts-mixed",
            &project.name,
            "jobs of Elastic-Job 2.x and 3.x are in one namespace: a job is served by instances of one of them only",
            "keep it so while you move, job by job",
        ));
    }
    if forgotten.len() > FORGOTTEN_HOSTS {
        found.push(finding(
            Gravity::Warning,
            "hosts-forgotten",
            &project.name,
            format!("{} hosts are remembered on which no instance is", forgotten.len()),
            "delete their `servers` nodes; consoles of Elastic-Job become slow by them",
        ));
    }
    if marks > 0 {
        found.push(finding(
            Gravity::Warning,
            "running-of-the-dead",
            &project.name,
            format!("{marks} items are marked as running whose owner is gone, so nobody runs them"),
            "an instance that starts with failover takes them; else delete `sharding/{item}/running`",
        ));
    }
    found
}
