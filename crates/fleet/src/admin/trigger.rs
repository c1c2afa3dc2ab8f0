//! Asking a job to fire now, and saying what will come of it.

use super::{ATTEMPTS, Admin, AdminError, now};
use crate::admin::write::Sent;
use crate::keys::Key;
use crate::layout::Layout;
use crate::leases::Leases;
use crate::mirror::{CursorNode, ItemNodes, Mirror};
use crate::pause::PauseNote;
use crate::view::{self, InstanceKind, Look};
use clockwright_model::{InstanceId, Item, JobName, Millis};
use clockwright_registry::{Node, Op, Path};
use serde::{Deserialize, Serialize};

/// What was asked for, and what will come of it as far as can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Triggered {
    /// The id of the fire, by which the outcomes of all items are found.
    pub fire: String,
    /// A trigger with the same id was carried out before; nothing was asked again.
    pub repeated: bool,
    /// That nothing ran was proved by the commit itself.
    #[serde(skip)]
    pub proved: bool,
    /// Who paused the job, when and why: nothing of it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseNote>,
    /// Who was asked, by id.
    pub instances: Vec<AskedInstance>,
    /// What the items will do, ascending.
    pub items: Vec<AskedItem>,
}

/// An instance that was asked to fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedInstance {
    /// Its id.
    pub id: String,
    /// What it is a process of.
    pub kind: InstanceKind,
    /// Whether that was news to it.
    pub asked: Asked,
}

/// When an instance was asked to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// By this trigger.
    Now,
    /// By one before, which it has not answered yet; both are one fire.
    Before,
}

/// An item of a job that was triggered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedItem {
    /// Its number.
    pub item: Item,
    /// What it will do.
    pub answer: Answer,
}

/// What an item will do after a trigger, as far as can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It runs at once.
    Starts,
    /// It runs as soon as what it runs now has ended.
    WhenFree,
    /// Its owner is a Java instance that is busy: Java does not answer a trigger then.
    Dropped,
    /// It does not run: the job is paused.
    Paused,
    /// It does not run: an operator disabled it.
    Disabled,
    /// It does not run: the job is disabled on its owner's server.
    KeptOff,
    /// It does not run: its owner is gone, or it has none.
    NoOwner,
}

impl Answer {
    /// Whether it runs.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(self, Answer::Starts | Answer::WhenFree)
    }
}

/// What becomes of a trigger of a job of which something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Busy {
    /// It waits until the item is free.
    Waits,
    /// It is refused.
    Refuses,
}

/// Most items that are proved to be idle.
const PROVED: usize = 1_000;
/// Most requests that are remembered before old ones are looked for.
const REQUESTS: usize = 1_000;
/// How long a request is remembered at least, milliseconds.
const REMEMBERED: i64 = 24 * 3_600_000;

/// What `requests/{id}` says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Request {
    /// The job.
    trigger: String,
    /// Who.
    by: String,
    /// When, epoch milliseconds by the clock of whoever triggered.
    at: Millis,
    /// The fire, if the instances had been asked for it before; otherwise it is the transaction that made this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fire: Option<String>,
    /// The trace of whoever asked.
    #[serde(rename = "traceparent", default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl Admin<'_> {
    /// Asks every instance of a job to fire now. With an `id`, at most once: a second trigger with that id within a day changes nothing
    /// and names the fire of the first. An instance that was asked before and has not begun yet is not asked twice.
    ///
    /// # Errors
    /// There is no such job, no instance of it is there, the id is of no use or was used for another job, or the registry did not answer.
    /// That nothing comes of it is no error: the answer says why.
    pub async fn trigger(&self, job: &str, id: Option<&str>) -> Result<Triggered, AdminError> {
        let id = match id {
            Some(id) if is_usable(id) => id.to_owned(),
            Some(id) => return Err(AdminError::BadId(id.to_owned())),
            None => uuid::Uuid::new_v4().to_string(),
        };
        self.ask(job, id, Busy::Waits).await
    }

    /// As [`trigger`](Self::trigger), but only of a job of which nothing runs and which nobody paused; drains of it end. That nothing runs is
    /// proved by the commit itself, if every item can be proved to be free ([`Triggered::proved`]).
    ///
    /// # Errors
    /// As `trigger`; something runs, or somebody has paused the job.
    pub async fn trigger_idle(&self, job: &str, id: &str) -> Result<Triggered, AdminError> {
        if !is_usable(id) {
            return Err(AdminError::BadId(id.to_owned()));
        }
        self.ask(job, id.to_owned(), Busy::Refuses).await
    }

    async fn ask(&self, job: &str, id: String, busy: Busy) -> Result<Triggered, AdminError> {
        let (job, mut mirror) = view::read(self.registry, self.keys, job).await?;
        for parent in [self.keys.own_root().clone(), self.keys.requests()] {
            self.make(&parent).await?;
        }
        if mirror.layout == Layout::V3 {
            self.make(&self.keys.of(&job, &Key::Triggers)).await?;
        }
        let request = self.keys.request(&id);
        let ours = Request {
            trigger: job.as_str().to_owned(),
            by: self.actor.to_owned(),
            at: now(),
            fire: None,
            trace: self.trace.map(str::to_owned),
        };
        let (mut sent, mut unclear) = (Vec::new(), None);
        for _ in 0..ATTEMPTS {
            let leases = Leases::read(self.registry, self.keys).await?;
            if let Some(node) = self.read(&request).await? {
                let made: Request = serde_json::from_slice(&node.data).unwrap_or_default();
                if made.trigger != job.as_str() {
                    return Err(AdminError::IdInUse { id, job: made.trigger, by: made.by });
                }
                // Ours, if its answer got lost; somebody else's otherwise.
                let repeated = sent != node.data;
                let fire = made.fire.unwrap_or_else(|| format!("{:x}", node.stat.created));
                return Ok(answer(fire, repeated, &mirror, &leases));
            }
            if mirror.members().next().is_none() {
                return Err(AdminError::NoInstance { job });
            }
            let made = Request { fire: fire_before(&mirror), ..ours.clone() };
            let data = serde_json::to_vec(&made).expect("a request has only texts and a number");
            let mut ops = vec![Op::create(request.clone(), data.clone())];
            ops.extend(mirror.members().filter_map(|(id, ..)| self.op(&job, &mirror, id)));
            let proof = match busy {
                Busy::Waits => None,
                Busy::Refuses => {
                    self.demand_idle(&job, &mirror, &leases)?;
                    let epoch = self.read(&self.keys.of(&job, &Key::Epoch)).await?;
                    ops.extend(self.end_drains(&job, &mut mirror, epoch));
                    self.proof(&job, &mirror, &leases, ops.len() + usize::from(self.fence.is_some()))
                }
            };
            let proved = proof.is_some();
            ops.extend(proof.into_iter().flatten());
            match self.send(ops).await? {
                Sent::Done(commit) => {
                    self.forget_old().await?;
                    let fire = made.fire.unwrap_or_else(|| format!("{:x}", commit.transaction));
                    return Ok(Triggered { proved, ..answer(fire, false, &mirror, &leases) });
                }
                Sent::Conflict => {}
                Sent::Unclear(error) => (unclear, sent) = (Some(error), data),
            }
            if self.read(&request).await?.is_none() {
                mirror = view::read(self.registry, self.keys, job.as_str()).await?.1;
            }
        }
        Err(unclear.map_or(AdminError::Contended(request), AdminError::from))
    }

    /// Nothing of it runs, and nobody has paused it.
    fn demand_idle(&self, job: &JobName, mirror: &Mirror, leases: &Leases) -> Result<(), AdminError> {
        if let Some(note) = mirror.paused.clone().filter(|note| !note.drain) {
            return Err(AdminError::Paused { job: job.clone(), note });
        }
        let look = Look::new(mirror, leases);
        let items: Vec<Item> = (0..)
            .zip(&mirror.items)
            .filter_map(|(item, nodes)| look.is_running(nodes).then_some(item))
            .collect();
        if items.is_empty() { Ok(()) } else { Err(AdminError::Busy { job: job.clone(), items }) }
    }

    /// What ends the drains of a job and of its hosts; afterwards the mirror has none. The plan's epoch is set with it, so that whoever has
    /// not heard of it yet reads anew before anything is decided.
    fn end_drains(&self, job: &JobName, mirror: &mut Mirror, epoch: Option<Node>) -> Vec<Op> {
        let mut keys: Vec<Key> = mirror.drained.iter().cloned().map(Key::SmoothStop).collect();
        keys.extend(mirror.paused.as_ref().map(|_| Key::Paused));
        let mut ops: Vec<Op> = keys
            .iter()
            .map(|key| Op::Delete {
                path: self.keys.of(job, key),
                version: mirror.operators.get(key).map(|stat| stat.version),
            })
            .collect();
        if let Some(node) = epoch.filter(|_| !ops.is_empty()) {
            ops.push(Op::set_if(self.keys.of(job, &Key::Epoch), node.data, node.stat.version));
        }
        (mirror.paused, mirror.drained) = (None, Default::default());
        ops
    }

    /// What demands that no item runs when the commit is carried out: that the cursor of an item of ours is the one that was read, and of
    /// any other that its mark can be made, which is deleted at once. `None` where that cannot be: a mark of the dead lies there, or there are
    /// too many items for one commit.
    fn proof(&self, job: &JobName, mirror: &Mirror, leases: &Leases, taken: usize) -> Option<Vec<Op>> {
        let room = self.registry.terms().max_ops.saturating_sub(taken) / 2;
        if mirror.items.len() > PROVED.min(room) {
            return None;
        }
        let mut ops = Vec::new();
        for (item, nodes) in (0..).zip(&mirror.items).filter(|(_, nodes)| nodes.exists) {
            let is_ours = owner_of(nodes).is_some_and(|owner| leases.holds(owner));
            match &nodes.cursor {
                CursorNode::Known { version, .. } | CursorNode::Damaged { version, .. } if is_ours => {
                    ops.push(Op::check_if(self.keys.of(job, &Key::Cursor(item)), *version));
                }
                _ if is_ours => ops.extend(absent(self.keys.of(job, &Key::Cursor(item)))),
                _ if nodes.running.is_some() => return None,
                _ => ops.extend(absent(self.keys.of(job, &Key::Running(item)))),
            }
        }
        Some(ops)
    }

    /// What asks one instance; `None` when it is asked already.
    fn op(&self, job: &JobName, mirror: &Mirror, id: &InstanceId) -> Option<Op> {
        let node = mirror.instances.get(id).filter(|_| mirror.trigger(id).is_none())?;
        Some(match mirror.layout {
            Layout::V2 => {
                Op::set_if(self.keys.of(job, &Key::Instance(id.clone())), "TRIGGER", node.stat.version)
            }
            Layout::V3 => Op::create(self.keys.of(job, &Key::Trigger(id.clone())), ""),
        })
    }

    /// Deletes requests that nobody will repeat any more, when there are many.
    async fn forget_old(&self) -> Result<(), AdminError> {
        let ids = self.registry.list(&self.keys.requests()).await?;
        if ids.len() <= REQUESTS {
            return Ok(());
        }
        let paths: Vec<Path> = ids.iter().map(|id| self.keys.request(id)).collect();
        let nodes = self.registry.read(&paths).await?;
        let newest = nodes.iter().flatten().map(|node| node.stat.created_at).max().unwrap_or_default();
        let is_old = |at: i64| at < newest - REMEMBERED;
        let old = paths.into_iter().zip(nodes);
        let old = old.filter(|(_, node)| node.as_ref().is_some_and(|node| is_old(node.stat.created_at)));
        self.delete_all(old.map(|(path, _)| path).collect()).await?;
        Ok(())
    }
}

/// Demands that a node is absent, and leaves it so.
fn absent(path: Path) -> [Op; 2] {
    [Op::create(path.clone(), ""), Op::delete(path)]
}

/// Whether an id can be the name of a node.
fn is_usable(id: &str) -> bool {
    id.len() <= 100
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// What will come of it. `mirror` is what was known when it was asked, by a commit that demanded that instances were so.
fn answer(fire: String, repeated: bool, mirror: &Mirror, leases: &Leases) -> Triggered {
    let look = Look::new(mirror, leases);
    let kind = |id: &InstanceId| {
        if leases.holds(id) { InstanceKind::Clockwright } else { InstanceKind::Java }
    };
    let instances = look.members.keys().map(|id| AskedInstance {
        id: id.as_str().to_owned(),
        kind: kind(id),
        asked: if repeated || mirror.trigger(id).is_some() { Asked::Before } else { Asked::Now },
    });
    let busy = |owner: &InstanceId| {
        mirror.items.iter().any(|nodes| owner_of(nodes) == Some(owner) && look.is_running(nodes))
    };
    let of_item = |nodes: &ItemNodes| {
        let owner = owner_of(nodes).and_then(|owner| Some((owner, &look.members.get(owner)?.1)));
        match owner {
            // Java does not know what a pause is.
            Some((owner, _)) if mirror.paused.is_some() && kind(owner) == InstanceKind::Clockwright => {
                Answer::Paused
            }
            _ if nodes.disabled => Answer::Disabled,
            None => Answer::NoOwner,
            Some((_, ip)) if mirror.is_kept_off(ip) => Answer::KeptOff,
            Some((owner, _)) if kind(owner) == InstanceKind::Java && busy(owner) => Answer::Dropped,
            Some(_) if look.is_running(nodes) => Answer::WhenFree,
            Some(_) => Answer::Starts,
        }
    };
    // Its items were never shared out: it was disabled from the beginning, or its instances have just begun.
    let unshared = if mirror.paused.is_some() {
        Answer::Paused
    } else if mirror.available().is_empty() {
        Answer::KeptOff
    } else {
        Answer::Starts
    };
    let there = |item: Item| mirror.item(item).filter(|nodes| nodes.exists);
    let settings = mirror.settings(None).and_then(Result::ok);
    let count = settings.map_or(0, |settings| settings.sharding_total_count);
    let items =
        (0..count.max(mirror.items.len() as Item)).filter(|item| *item < count || there(*item).is_some());
    let items = items.map(|item| AskedItem { item, answer: there(item).map_or(unshared, of_item) });
    Triggered {
        fire,
        repeated,
        proved: false,
        paused: mirror.paused.clone(),
        instances: instances.collect(),
        items: items.collect(),
    }
}

/// The fire that all instances were asked for before, when none is to be asked now.
fn fire_before(mirror: &Mirror) -> Option<String> {
    let mut before = mirror.members().map(|(id, ..)| mirror.trigger(id));
    let first = before.next().flatten()?;
    before.all(|trigger| trigger.is_some()).then(|| format!("{:x}", first.transaction))
}

fn owner_of(nodes: &ItemNodes) -> Option<&InstanceId> {
    nodes.owner.as_ref().map(|owner| &owner.id)
}
