//! What a look at the registry tells of a job, or of a host in all jobs.

use super::Place;
use crate::app::App;
use crate::chores::Term;
use crate::decide::ops::Seen;
use crate::store::ProjectRow;
use crate::sync::control::{self, Control, Ours, Standing};
use crate::sync::{Failed, prove, registry_of};
use clockwright_fleet::admin::{Admin, AdminError};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_fleet::view::{self, ViewError};
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Error, Op, Path, Readable, SharedRegistry, read_each};
use std::time::Duration;

/// How long a look may take before the registry counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often something is done anew because the namespace's `control` changed meanwhile.
pub(super) const ATTEMPTS: usize = 20;

/// A project's registry, whose namespace this database may write.
pub(super) struct Site {
    pub(super) registry: SharedRegistry,
    pub(super) keys: Keys,
    /// Demands that `control` is as it was found.
    fence: Option<Op>,
}

impl Site {
    /// Opens it, to look at it.
    ///
    /// # Errors
    /// The registry is away, another database manages the namespace, or it is older than what was written there.
    pub(super) async fn open(app: &App, project: &ProjectRow) -> Result<Self, Failed> {
        patiently(async { Ok(look(app, project).await?.site) }).await
    }

    /// Opens it, to write there: for a request, or within a term. What is written by [`admin`](Self::admin) demands that `control` is as it
    /// is now, and leaves it so. A term that has not written there before writes itself into it, so that what an older one is about to write
    /// comes to nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open); a greater term wrote there.
    pub(super) async fn to_write(
        app: &App,
        project: &ProjectRow,
        term: Option<&Term>,
    ) -> Result<Self, Failed> {
        patiently(async {
            for _ in 0..ATTEMPTS {
                let Look { site, ours, head } = look(app, project).await?;
                let found = ours.map_or(0, |ours| ours.term);
                let plane = (app.store.plane().to_owned(), app.config.public_url.clone());
                let mine = Control::new(plane, project, term.map_or(found, Term::number), head);
                let Some(ours) = ours else {
                    control::make(site.registry.as_ref(), &site.keys, &mine).await?;
                    continue;
                };
                if mine.term < found {
                    if let Some(term) = term {
                        term.end();
                    }
                    return Err(Failed::TermOver);
                }
                if mine.term == found {
                    return Ok(site);
                }
                let set = Op::set_if(control::path(&site.keys), mine.bytes(), ours.version);
                match site.registry.commit(vec![set]).await {
                    // What came of it is looked at.
                    Ok(_) | Err(Error::Conflict { .. } | Error::Unknown(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Failed::Contended)
        })
        .await
    }

    /// Operations there, in somebody's name.
    pub(super) fn admin<'a>(&'a self, actor: &'a str) -> Admin<'a> {
        let admin = Admin::new(&*self.registry, &self.keys).by(actor);
        match &self.fence {
            Some(fence) => admin.fenced(fence),
            None => admin,
        }
    }

    /// All nodes of a job; `None` when the registry has no such job.
    ///
    /// # Errors
    /// The registry is away.
    pub(super) async fn job(&self, name: &JobName) -> Result<Option<(Mirror, Leases)>, Failed> {
        let mirror = match view::read(&*self.registry, &self.keys, name.as_str()).await {
            Ok((_, mirror)) => mirror,
            Err(ViewError::Registry(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        Ok(Some((mirror, Leases::read(&*self.registry, &self.keys).await?)))
    }

    /// The nodes by which these jobs are held, and who is there.
    ///
    /// # Errors
    /// The registry is away.
    pub(super) async fn holds(&self, names: &[JobName]) -> Result<(Vec<Mirror>, Leases), Failed> {
        const PARENTS: [Key; 3] = [Key::Servers, Key::Instances, Key::Items];
        let parents: Vec<Path> =
            names.iter().flat_map(|name| PARENTS.iter().map(|parent| self.keys.of(name, parent))).collect();
        let children = self.registry.lists(&parents).await?;
        let mut wanted = Vec::new();
        for (place, lists) in children.chunks(PARENTS.len()).enumerate() {
            wanted.extend([Key::Job, Key::Config, Key::Paused].map(|key| (place, key)));
            let [hosts, instances, items] = lists else { continue };
            for ip in hosts {
                wanted.extend([Key::Server(ip.clone()), Key::SmoothStop(ip.clone())].map(|key| (place, key)));
            }
            let instances = instances.iter().map(|id| Key::Instance(InstanceId::from_wire(id)));
            let items = items.iter().filter_map(|item| item.parse().ok()).map(Key::Disabled);
            wanted.extend(instances.chain(items).map(|key| (place, key)));
        }
        let paths: Vec<Path> = wanted.iter().map(|(place, key)| self.keys.of(&names[*place], key)).collect();
        let nodes = read_each(&*self.registry, &paths).await?;
        let mut mirrors: Vec<Mirror> = names.iter().map(|_| Mirror::default()).collect();
        for ((place, key), node) in wanted.iter().zip(&nodes) {
            if let Readable::Found(Some(node)) = node {
                mirrors[*place].put(key, Some(node));
            }
        }
        Ok((mirrors, Leases::read(&*self.registry, &self.keys).await?))
    }

    /// The jobs that know a host, also those that only the registry has.
    ///
    /// # Errors
    /// The registry is away.
    pub(super) async fn jobs_of(&self, app: &App, project: i64, ip: &str) -> Result<Vec<Place>, Failed> {
        let names = self.registry.list(self.keys.root()).await?;
        let names: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
        let paths: Vec<Path> =
            names.iter().map(|name| self.keys.of(name, &Key::Server(ip.to_owned()))).collect();
        let nodes = self.registry.read(&paths).await?;
        let known = names.into_iter().zip(nodes).filter_map(|(name, node)| node.map(|_| name));
        let place = |name: JobName| {
            let id = app.catalogue.job(project, name.as_str()).map_or(0, |job| job.id);
            Place { name, id }
        };
        Ok(known.map(place).collect())
    }

    /// What concerns a host, over all jobs that know it: its instances, and what they run.
    ///
    /// # Errors
    /// The registry is away.
    pub(super) async fn host(&self, places: &[Place], ip: &str) -> Result<Seen, Failed> {
        let mut seen = Seen::default();
        for place in places {
            let Some((mirror, leases)) = self.job(&place.name).await? else { continue };
            let here = Seen::of(&mirror, &leases);
            let hosts = here.found.hosts.into_iter().filter(|(host, _)| host == ip);
            seen.found.hosts.extend(hosts);
            seen.instances.extend(here.instances.into_iter().filter(|instance| instance.ip == ip));
            seen.running.extend(here.running.into_iter().filter(|running| is_on(&running.instance, ip)));
        }
        if places.is_empty() {
            // The nearest that is known is named by whoever refuses.
            for host in view::servers(&*self.registry, &self.keys).await.unwrap_or_default() {
                seen.found.hosts.insert(host.ip, Default::default());
            }
        }
        Ok(seen)
    }
}

/// A look at a namespace.
struct Look {
    site: Site,
    /// Its `control`, where there is one.
    ours: Option<Ours>,
    /// The journal's number, read after it.
    head: i64,
}

async fn look(app: &App, project: &ProjectRow) -> Result<Look, Failed> {
    let (registry, keys) = registry_of(app, project).await?;
    let path = control::path(&keys);
    let mark = app.store.control_mark(project.id).await?;
    let mut is_proven = false;
    loop {
        let node = registry.read(std::slice::from_ref(&path)).await?.pop().flatten();
        // What was written there is in the database by now.
        let (head, _) = app.store.head().await?;
        let ours = match control::standing(node.as_ref(), app.store.plane(), mark, head) {
            Standing::Ours(ours) => Some(ours),
            Standing::None => None,
            Standing::Behind { seq, head } => return Err(Failed::Behind { seq, head }),
            Standing::Another(url) => return Err(Failed::AnotherPlane(url)),
            Standing::Older { .. } if !is_proven => {
                // The session may lag behind: what is read after a write does not.
                is_proven = true;
                prove(&*registry).await?;
                continue;
            }
            Standing::Older { found, known } => return Err(Failed::older(found, known)),
        };
        let fence = ours.map(|ours| Op::check_if(path, ours.version));
        return Ok(Look { site: Site { registry, keys, fence }, ours, head });
    }
}

/// A registry that does not answer for too long counts as away.
async fn patiently<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Unavailable("it does not answer".into()).into()),
    }
}

/// Whether an instance is on a host, by its id.
pub(super) fn is_on(instance: &str, ip: &str) -> bool {
    InstanceId::from_wire(instance).ip() == ip
}

/// Why a write failed: the registry, or what stands against it.
pub(super) fn failed(error: AdminError) -> Failed {
    match error {
        AdminError::View(ViewError::Registry(error)) => error.into(),
        AdminError::Fenced(_) => Failed::Fenced,
        _ => Failed::Contended,
    }
}

/// Whether the registry may do it later.
pub(super) fn is_away(failed: &Failed) -> bool {
    match failed {
        Failed::NoSession(_) | Failed::Contended | Failed::Fenced => true,
        Failed::Registry(error) => !matches!(error, Error::Denied { .. }),
        _ => false,
    }
}
