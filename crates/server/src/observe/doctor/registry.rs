//! The registries, and in each the namespaces of projects.
//!
//! The clock is asked by a node that is made and deleted again; nothing else is written.

use super::{Looked, PATIENCE_WITH_ONE, Patient, fact, finding, skew, undone, within};
use crate::config::HOME;
use crate::mirror::load::{Nodes, load};
use crate::store::{ProjectRow, Store};
use crate::sync::control::{self, Standing};
use clockwright_api::system::{Finding, Gravity};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::layout::Layout;
use clockwright_fleet::leases::{Lease, Leases};
use clockwright_model::{InstanceId, Item};
use clockwright_registry::{Access, Error, Op, Path, Release, SharedRegistry};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// A session that lasts longer than this keeps the jobs of a dead instance waiting for so long, milliseconds.
const LONG_SESSION: i64 = 60_000;
/// How many jobs' access is looked at.
const SAMPLE: usize = 20;
/// So many hosts without an instance are told: consoles become slow by them.
const FORGOTTEN_HOSTS: usize = 50;
/// More nodes than these are told: a ZooKeeper server takes some 500 bytes of memory for each, and a minute to start from ten millions.
const MANY_NODES: usize = 2_000_000;
/// A longer list is told, bytes; ZooKeeper's bound is 1 MiB for an answer.
const LONG_LIST: usize = 768 << 10;
/// What each name takes besides its letters.
const LISTED_WITH: usize = 4;

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
    found.extend(of_releases(name, registry.releases().await));
    found.extend(of_clock(patient, name, &registry).await?);
    for project in projects {
        match of_project(patient, project, &registry).await {
            Ok(more) => found.extend(more),
            Err(why) => found.push(undone(&project.name, &why.to_string())),
        }
    }
    Ok(found)
}

/// Of which releases the servers are.
fn of_releases(name: &str, releases: Vec<Release>) -> Vec<Finding> {
    let (mut found, mut known) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for Release { server, said } in releases {
        match said {
            Ok(release) => known.entry(release).or_default().push(server),
            Err(why) => found.push(finding(
                Gravity::Note,
                "registry-version-unknown",
                name,
                format!("{server} does not say of which release it is: {why}"),
                "let it answer `srvr` (`4lw.commands.whitelist` in its configuration), and see whether it can be reached",
            )),
        }
    }
    let each: Vec<String> = known
        .iter()
        .map(|(release, servers)| format!("ZooKeeper {release} at {}", servers.join(", ")))
        .collect();
    match each.len() {
        0 => {}
        1 => found.push(fact("registry-version", name, each.concat())),
        _ => found.push(finding(
            Gravity::Note,
            "registry-versions-differ",
            name,
            format!("its servers are of different releases: {}", each.join("; ")),
            "bring all to one release; two that follow each other go on together meanwhile",
        )),
    }
    found
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
    let listed = names.iter().map(|name| name.as_str().len() + LISTED_WITH).sum();
    let nodes = all.iter().map(|(_, nodes)| nodes.len()).sum();
    found.extend(of_counts(&project.name, all.len(), nodes, listed));
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

/// How much there is: so many jobs, of which so many nodes were read, and whose names are a list of so many bytes.
fn of_counts(project: &str, jobs: usize, nodes: usize, listed: usize) -> Vec<Finding> {
    let mut found =
        vec![fact("nodes", project, format!("{jobs} jobs, with {nodes} nodes that tell how they stand"))];
    if nodes > MANY_NODES {
        found.push(finding(
            Gravity::Warning,
            "nodes-many",
            project,
            format!("its {jobs} jobs have {nodes} nodes: each server of the registry holds all of them in memory, and reads them when it starts"),
            "remove jobs and hosts that nobody needs, or give some of them a project in another registry",
        ));
    }
    if listed > LONG_LIST {
        found.push(finding(
            Gravity::Warning,
            "list-long",
            project,
            format!("the names of its {jobs} jobs are a list of {listed} bytes, and whoever asks for more than 1 MiB is cut off"),
            "raise `jute.maxbuffer` of servers and Java's clients, or spread the jobs over several projects",
        ));
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(found: &[Finding]) -> Vec<&str> {
        found.iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn counts_are_told_and_too_much_is_told_as_such() {
        assert_eq!(codes(&of_counts("billing", 10, 100, 1_000)), ["nodes"]);
        assert_eq!(codes(&of_counts("billing", 10, MANY_NODES + 1, 1_000)), ["nodes", "nodes-many"]);
        let told = of_counts("billing", 60_000, 100, LONG_LIST + 1);
        assert_eq!(codes(&told), ["nodes", "list-long"]);
        assert!(told[1].what.contains("60000 jobs") && told[1].fix.contains("jute.maxbuffer"), "{told:?}");
    }

    #[test]
    fn releases_are_told_together_and_each_server_that_does_not_say_its_own_by_itself() {
        let release = |server: &str, said: Result<&str, &str>| Release {
            server: server.to_owned(),
            said: said.map(str::to_owned).map_err(str::to_owned),
        };
        assert!(of_releases("home", Vec::new()).is_empty(), "it has no servers");
        let same = of_releases("home", vec![release("a:1", Ok("3.8.0")), release("b:1", Ok("3.8.0"))]);
        assert_eq!(
            (codes(&same), same[0].what.as_str()),
            (vec!["registry-version"], "ZooKeeper 3.8.0 at a:1, b:1")
        );
        let mixed =
            vec![release("a:1", Ok("3.8.0")), release("b:1", Ok("3.9.1")), release("c:1", Err("it is away"))];
        let mixed = of_releases("home", mixed);
        assert_eq!(codes(&mixed), ["registry-version-unknown", "registry-versions-differ"]);
        assert!(mixed[0].what.contains("c:1") && mixed[0].what.ends_with("it is away"), "{mixed:?}");
    }
}
