//! Holds, the decision: what the nodes of a job shall say, from the wishes that stand, and what is to be done about what they say.
//!
//! # Identities
//! A **hold** is a wish that something stands still: (project, job, scope, target, kind). Job 0 stands for all jobs of the project, also for
//! those that meet a host later. The holds of a job that is offline or being removed have a target of their own, so that they
//! come and go without those that people made.
//!
//! # What stops what
//! | hold | nodes |
//! |---|---|
//! | pause or drain of a job | `paused`; its note says that it is a drain, if no pause stands beside it |
//! | drain of a job | and each host with Java instances is disabled, since Java knows no pause |
//! | disable of a job | each host of the job is disabled |
//! | disable of a host | that one |
//! | drain of a host | its `smoothstop`; and it is disabled, if it has Java instances |
//! | disable of an item | its `disabled` |
//!
//! # The asymmetry
//! Somebody else may stop something, never start it ([`outside`]): what stands still without a wish becomes a wish of origin
//! `outside`; what moves against a wish, because somebody enabled it or a Java instance wrote its host's node anew at its
//! start, is stopped again. With the policy *follow* both are taken over: a wish that names just that node, and that
//! somebody lifted, goes.
//!
//! What a drain may have disabled is seen as ours for as long as the drain stands, whether or not Java is still there.
//!
//! # What always holds
//! Nothing is written where nodes and wishes agree (H1). No step of [`outside`] starts anything (H2), unless the project follows. An operation
//! lifts only what a wish that it lifted had stopped, and nothing that another wish stops (H3).

use crate::decide::chain::words;
use clockwright_api::projects::Holds as Policy;
use clockwright_fleet::admin::Hold as Node;
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_fleet::pause::PauseNote;
use clockwright_model::{Item, Millis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What a hold is about.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    Scope {
        /// All jobs of a project.
        Project "project",
        /// A job.
        Job "job",
        /// A host, in a job or in all of them.
        Host "host",
        /// An item of a job.
        Item "item",
    }
}

words! {
    /// How something stands still.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    Kind {
        /// Nothing begins.
        Pause "pause",
        /// Nothing begins, until a trigger or until that is lifted.
        Drain "drain",
        /// It takes no part.
        Disable "disable",
    }
}

words! {
    /// Where a hold came from.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    Origin {
        /// Somebody asked here.
        Operator "operator",
        /// Somebody wrote it into the registry.
        Outside "outside",
        /// The job is offline.
        Offline "offline",
        /// The job is being removed.
        Removal "removal",
    }
}

/// What a hold is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The job; 0 for all of the project.
    pub job: i64,
    /// What it is about.
    pub scope: Scope,
    /// Which host or item; for a job empty, or the origin of a hold that is not people's.
    pub target: String,
    /// How it stands still.
    pub kind: Kind,
}

impl Key {
    /// The hold of a job.
    #[must_use]
    pub fn of_job(job: i64, kind: Kind, origin: Origin) -> Self {
        let target = match origin {
            Origin::Operator | Origin::Outside => "",
            Origin::Offline | Origin::Removal => origin.word(),
        };
        Self { job, scope: Scope::Job, target: target.to_owned(), kind }
    }

    /// The hold of a host, in one job or in all.
    #[must_use]
    pub fn of_host(job: i64, ip: &str, kind: Kind) -> Self {
        Self { job, scope: Scope::Host, target: ip.to_owned(), kind }
    }

    /// The hold of an item.
    #[must_use]
    pub fn of_item(job: i64, item: Item) -> Self {
        Self { job, scope: Scope::Item, target: item.to_string(), kind: Kind::Disable }
    }

    fn is_of_whole_job(&self) -> bool {
        matches!(self.scope, Scope::Project | Scope::Job)
    }

    /// Whether it keeps the job off a host: certainly, or only if Java instances are there.
    fn disables(&self, ip: &str) -> Option<Java> {
        let is_here = self.is_of_whole_job() || (self.scope == Scope::Host && self.target == ip);
        match self.kind {
            Kind::Disable if is_here => Some(Java::Whoever),
            Kind::Drain if is_here => Some(Java::Only),
            _ => None,
        }
    }

    fn pauses(&self) -> bool {
        self.is_of_whole_job() && matches!(self.kind, Kind::Pause | Kind::Drain)
    }

    fn drains(&self, ip: &str) -> bool {
        self.scope == Scope::Host && self.kind == Kind::Drain && self.target == ip
    }

    /// Jobs that never knew a host are not told of it: a wish for all jobs meets them when they do.
    fn keeps_off_a_host_of_one_job(&self) -> bool {
        self.job != 0 && self.scope == Scope::Host && self.kind == Kind::Disable
    }

    fn leaves_out(&self, item: Item) -> bool {
        self.scope == Scope::Item && self.kind == Kind::Disable && self.target == item.to_string()
    }
}

/// Whom a hold keeps off a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Java {
    /// Everybody.
    Whoever,
    /// Java instances.
    Only,
}

/// A wish that something stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The project.
    pub project: i64,
    /// What it is known by.
    pub key: Key,
    /// Where it came from.
    pub origin: Origin,
    /// Who made it, by id.
    pub by: String,
    /// Who made it, by the name of that time.
    pub by_name: String,
    /// When.
    pub at: Millis,
    /// Why.
    pub reason: String,
}

/// What the nodes of a job say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The note of a pause.
    pub paused: Option<PauseNote>,
    /// Each host that the job knows.
    pub hosts: BTreeMap<String, Host>,
    /// Items that are left out.
    pub items: BTreeSet<Item>,
}

/// A host, as the nodes of a job say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Host {
    /// The job is kept off it.
    pub disabled: bool,
    /// Its instances begin nothing.
    pub drained: bool,
    /// Java instances of the job are there.
    pub java: bool,
}

impl Found {
    /// What a look has found.
    #[must_use]
    pub fn of(mirror: &Mirror, leases: &Leases) -> Self {
        let host = |ip: &String| Host {
            disabled: mirror.is_kept_off(ip),
            drained: mirror.drained.contains(ip),
            java: mirror.members().any(|(id, _, address)| address == *ip && !leases.holds(id)),
        };
        let disabled =
            |(item, nodes): (u32, &clockwright_fleet::mirror::ItemNodes)| nodes.disabled.then_some(item);
        Self {
            paused: mirror.paused.clone(),
            hosts: mirror.servers.keys().map(|ip| (ip.clone(), host(ip))).collect(),
            items: (0..).zip(&mirror.items).filter_map(disabled).collect(),
        }
    }
}

/// What the nodes shall say so that nothing moves against a wish.
#[must_use]
pub fn stops(holds: &[Hold], found: &Found) -> Vec<Node> {
    let mut steps: Vec<Node> = pause(holds, found).into_iter().collect();
    for (ip, host) in &found.hosts {
        let demands = |hold: &Hold| match hold.key.disables(ip) {
            Some(Java::Whoever) => true,
            Some(Java::Only) => host.java,
            None => false,
        };
        if !host.drained && holds.iter().any(|hold| hold.key.drains(ip)) {
            steps.push(Node::Drained { ip: ip.clone(), drained: true });
        }
        if !host.disabled && holds.iter().any(demands) {
            steps.push(Node::Host { ip: ip.clone(), disabled: true });
        }
    }
    // ElasticJob 3.0.4 removes the nodes of hosts without an instance, and what kept the job off them goes with those.
    let gone = holds.iter().map(|hold| &hold.key).filter(|key| key.keeps_off_a_host_of_one_job());
    let gone = gone.filter(|key| !found.hosts.contains_key(&key.target));
    steps.extend(gone.map(|key| Node::Host { ip: key.target.clone(), disabled: true }));
    let wished = holds.iter().filter(|hold| hold.key.scope == Scope::Item);
    let items = wished.filter_map(|hold| hold.key.target.parse::<Item>().ok());
    let missing = items.filter(|item| !found.items.contains(item));
    steps.extend(missing.map(|item| Node::Item { item, disabled: true }));
    steps
}

/// The pause's note, where there is to be one and it is missing, or says otherwise whether it is a drain.
fn pause(holds: &[Hold], found: &Found) -> Option<Node> {
    let mut wished: Vec<&Hold> = holds.iter().filter(|hold| hold.key.pauses()).collect();
    wished.sort_by_key(|hold| (hold.key.kind, hold.at));
    let first = wished.first()?;
    let drain = first.key.kind == Kind::Drain;
    if found.paused.as_ref().is_some_and(|note| note.drain == drain) {
        return None;
    }
    let kill = found.paused.as_ref().is_some_and(|note| note.kill);
    Some(Node::Paused(Some(PauseNote {
        at: first.at,
        by: first.by_name.clone(),
        reason: first.reason.clone(),
        drain,
        kill,
    })))
}

/// What is to be started again: what stands still, was stopped by one of the lifted wishes, and is not by any that stands.
#[must_use]
pub fn starts(holds: &[Hold], lifted: &[Key], found: &Found) -> Vec<Node> {
    let mut steps = Vec::new();
    let stands = |stops: &dyn Fn(&Key) -> bool| holds.iter().any(|hold| stops(&hold.key));
    let ends = |stops: &dyn Fn(&Key) -> bool| lifted.iter().any(stops) && !stands(stops);
    if found.paused.is_some() && ends(&Key::pauses) {
        steps.push(Node::Paused(None));
    }
    for (ip, host) in &found.hosts {
        if host.drained && ends(&|key| key.drains(ip)) {
            steps.push(Node::Drained { ip: ip.clone(), drained: false });
        }
        let keeps = |key: &Key| match key.disables(ip) {
            Some(Java::Whoever) => true,
            Some(Java::Only) => host.java,
            None => false,
        };
        let lifts = |key: &Key| key.disables(ip).is_some();
        if host.disabled && lifted.iter().any(lifts) && !stands(&keeps) {
            steps.push(Node::Host { ip: ip.clone(), disabled: false });
        }
    }
    for item in &found.items {
        if ends(&|key| key.leaves_out(*item)) {
            steps.push(Node::Item { item: *item, disabled: false });
        }
    }
    steps
}

/// The wish by which this node would have been stopped. Whoever stops a node and finds its wish gone afterwards lifts this one.
#[must_use]
pub fn stopped_by(job: i64, node: &Node) -> Key {
    match node {
        Node::Paused(note) => {
            let drain = note.as_ref().is_some_and(|note| note.drain);
            Key::of_job(job, if drain { Kind::Drain } else { Kind::Pause }, Origin::Outside)
        }
        Node::Host { ip, .. } => Key::of_host(job, ip, Kind::Disable),
        Node::Drained { ip, .. } => Key::of_host(job, ip, Kind::Drain),
        Node::Item { item, .. } => Key::of_item(job, *item),
    }
}

/// Wishes that stand and stop something that one of these would have stopped too: it stands still all the same.
#[must_use]
pub fn still_held<'a>(holds: &'a [Hold], lifted: &[Key]) -> Vec<&'a Hold> {
    let meets = |one: &Key, other: &Key| {
        let jobs = one.job == other.job || one.job == 0 || other.job == 0;
        let wide = one.is_of_whole_job() || other.is_of_whole_job();
        jobs && match (one.scope == Scope::Item, other.scope == Scope::Item) {
            (true, true) => one.target == other.target,
            (true, false) | (false, true) => false,
            (false, false) => wide || one.target == other.target,
        }
    };
    holds.iter().filter(|hold| lifted.iter().any(|key| meets(key, &hold.key))).collect()
}

/// What a look at what nobody here has written leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Nodes that somebody set against a wish: they are stopped again.
    pub back: Vec<Node>,
    /// What somebody stopped: it becomes a wish.
    pub taken: Vec<Key>,
    /// Wishes that somebody lifted, where the project follows.
    pub lifted: Vec<Key>,
}

/// What is to be done about what somebody else changed in the nodes of one job.
#[must_use]
pub fn outside(policy: Policy, job: i64, holds: &[Hold], found: &Found) -> Outside {
    let back = stops(holds, found);
    let taken = taken(job, holds, found);
    if policy == Policy::Keep {
        return Outside { back, taken, lifted: Vec::new() };
    }
    let (mut rest, mut lifted) = (Vec::new(), Vec::new());
    for node in back {
        match exactly(job, holds, &node, found) {
            Some(keys) => lifted.extend(keys),
            None => rest.push(node),
        }
    }
    lifted.sort();
    lifted.dedup();
    Outside { back: rest, taken, lifted }
}

/// What stands still without a wish.
fn taken(job: i64, holds: &[Hold], found: &Found) -> Vec<Key> {
    let mut taken = Vec::new();
    if let Some(note) = &found.paused
        && !holds.iter().any(|hold| hold.key.pauses())
    {
        let kind = if note.drain { Kind::Drain } else { Kind::Pause };
        taken.push(Key::of_job(job, kind, Origin::Outside));
    }
    for (ip, host) in &found.hosts {
        if host.disabled && !holds.iter().any(|hold| hold.key.disables(ip).is_some()) {
            taken.push(Key::of_host(job, ip, Kind::Disable));
        }
        if host.drained && !holds.iter().any(|hold| hold.key.drains(ip)) {
            taken.push(Key::of_host(job, ip, Kind::Drain));
        }
    }
    let left_out = |item: &&Item| !holds.iter().any(|hold| hold.key.leaves_out(**item));
    taken.extend(found.items.iter().filter(left_out).map(|item| Key::of_item(job, *item)));
    taken
}

/// The wishes that somebody lifted by starting a node, if they are of this job alone and people's own, and if they say nothing of nodes
/// that still stand still. A new pause note that says another kind of pause lifts nothing.
fn exactly(job: i64, holds: &[Hold], node: &Node, found: &Found) -> Option<Vec<Key>> {
    let stops = |key: &Key| match node {
        Node::Paused(_) => found.paused.is_none() && key.pauses(),
        Node::Host { ip, .. } => key.disables(ip).is_some(),
        Node::Drained { ip, .. } => key.drains(ip),
        Node::Item { item, .. } => key.leaves_out(*item),
    };
    let all: Vec<&Hold> = holds.iter().filter(|hold| stops(&hold.key)).collect();
    let is_whole = |key: &Key| {
        !key.is_of_whole_job() || key.kind != Kind::Disable || found.hosts.values().all(|host| !host.disabled)
    };
    let theirs = |hold: &&Hold| {
        hold.key.job == job
            && matches!(hold.origin, Origin::Operator | Origin::Outside)
            && is_whole(&hold.key)
    };
    (!all.is_empty() && all.iter().all(theirs)).then(|| all.iter().map(|hold| hold.key.clone()).collect())
}

#[cfg(test)]
mod tests;
