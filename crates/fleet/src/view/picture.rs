//! From what is known about a job's nodes to what people see of them. Pure: one mirror and the leases make one picture.

use super::shapes::{
    Facts, HeldView, InstanceKind, InstanceView, ItemStatus, ItemView, JobBrief, JobStatus, JobView, LastRun,
    ServerView,
};
use crate::config::{self, v2, v3};
use crate::cursor::{Claim, Cursor};
use crate::layout::Layout;
use crate::leases::Leases;
use crate::mirror::{InstanceNode, ItemNodes, Mirror};
use clockwright_model::{Fire, InstanceId, Item, JobName, JobSettings, Millis, Outcome};
use clockwright_planner::Schedule;
use std::collections::BTreeMap;

/// Settings that can be used, and when they fire; or why they cannot be used.
pub(crate) type Read = Result<(JobSettings, Schedule), String>;

/// The settings that the nodes of a job say.
pub(crate) fn settings(job: &JobName, mirror: &Mirror) -> Read {
    let Some(settings) = mirror.settings(None) else { return Err("config: there is none".to_owned()) };
    let settings = settings.map_err(|error| error.to_string())?;
    let schedule = config::usable(&settings, job).map_err(|error| error.to_string())?;
    Ok((settings, schedule))
}

/// The line about a job.
#[must_use]
pub fn brief(job: &JobName, mirror: &Mirror) -> JobBrief {
    Look::new(mirror, &Leases::default()).brief(job, &settings(job, mirror))
}

/// Everything about a job; `now` is the instant after which the next fire is looked for.
#[must_use]
pub fn picture(job: &JobName, mirror: &Mirror, leases: &Leases, now: Millis) -> JobView {
    Look::new(mirror, leases).picture(job, now)
}

/// One look at one job.
pub(crate) struct Look<'a> {
    mirror: &'a Mirror,
    leases: &'a Leases,
    /// Those whom a session stands for, with their addresses.
    pub(crate) members: BTreeMap<&'a InstanceId, (&'a InstanceNode, String)>,
}

impl<'a> Look<'a> {
    pub(crate) fn new(mirror: &'a Mirror, leases: &'a Leases) -> Self {
        let members = mirror.members().map(|(id, node, ip)| (id, (node, ip))).collect();
        Self { mirror, leases, members }
    }

    fn brief(&self, job: &JobName, settings: &Read) -> JobBrief {
        let status = JobStatus::of(self.facts(settings));
        let reason = match (status, settings, &self.mirror.paused) {
            (JobStatus::Degraded, Err(reason), _) => Some(reason.clone()),
            (JobStatus::Paused, _, Some(note)) => Some(note.describe()),
            _ => None,
        };
        let settings = settings.as_ref().ok().map(|(settings, _)| settings);
        JobBrief {
            job_name: job.as_str().to_owned(),
            status,
            reason,
            description: settings.map_or_else(String::new, |settings| settings.description.clone()),
            cron: settings.map_or_else(String::new, |settings| settings.cron.clone()),
            instance_count: self.members.len(),
            sharding_total_count: settings.map_or(0, |settings| settings.sharding_total_count),
        }
    }

    /// What the state is made of. A server without a node is kept off by nobody.
    fn facts(&self, settings: &Read) -> Facts {
        let mirror = self.mirror;
        let count = settings.as_ref().map_or(0, |(settings, _)| settings.sharding_total_count);
        let is_there = |item| mirror.owner(item).is_some_and(|owner| self.members.contains_key(owner));
        Facts {
            is_usable: settings.is_ok(),
            has_members: !self.members.is_empty(),
            is_off: !mirror.servers.is_empty() && mirror.servers.keys().all(|ip| mirror.is_kept_off(ip)),
            is_paused: mirror.paused.is_some(),
            is_owned: (0..count).all(is_there),
        }
    }

    fn picture(&self, job: &JobName, now: Millis) -> JobView {
        let mirror = self.mirror;
        let settings = settings(job, mirror);
        let usable = settings.as_ref().ok();
        let next_fire =
            usable.filter(|_| mirror.paused.is_none()).and_then(|(_, schedule)| schedule.next_after(now));
        let count = usable.map_or_else(|| items_found(mirror), |(settings, _)| settings.sharding_total_count);
        let items: Vec<ItemView> = (0..count).map(|number| self.item(number, next_fire)).collect();
        let leader = mirror.leader.as_ref().map(|leader| leader.id.as_str().to_owned());
        let instances = self.members.iter().map(|(id, (node, ip))| InstanceView {
            id: id.as_str().to_owned(),
            ip: ip.clone(),
            kind: if self.leases.holds(*id) { InstanceKind::Clockwright } else { InstanceKind::Java },
            leader: leader.as_deref() == Some(id.as_str()),
            item_count: items.iter().filter(|item| item.owner.as_deref() == Some(id.as_str())).count(),
            since: node.stat.created_at,
            triggered: mirror.trigger(id).is_some(),
        });
        let servers = mirror.servers.keys().map(|ip| ServerView {
            ip: ip.clone(),
            enabled: !mirror.is_kept_off(ip),
            instance_count: self.members.values().filter(|(_, address)| address == ip).count(),
        });
        let mut brief = self.brief(job, &settings);
        brief.reason = brief.reason.or_else(|| held(&items));
        JobView {
            brief,
            layout: mirror.layout.to_string(),
            settings: usable.and_then(|(settings, _)| as_json(mirror, settings)).unwrap_or_default(),
            settings_version: mirror.config.as_ref().map_or(0, |(_, stat)| stat.version),
            paused: mirror.paused.clone(),
            epoch: mirror.epoch,
            resharding: mirror.necessary || mirror.processing.is_some(),
            next_fire,
            servers: servers.collect(),
            instances: instances.collect(),
            leader,
            items,
        }
    }

    fn item(&self, number: Item, next_fire: Option<Millis>) -> ItemView {
        let none = ItemNodes::default();
        let nodes = self.mirror.item(number).unwrap_or(&none);
        let owner = nodes.owner.as_ref().map(|owner| &owner.id).filter(|owner| !owner.as_str().is_empty());
        let cursor = nodes.cursor.cursor();
        let running = self.is_running(nodes);
        let held = nodes.cursor.held().map(|reason| HeldView {
            code: reason.code().into(),
            reason: reason.to_string(),
            settled: cursor.map(|cursor| cursor.settled).filter(|settled| *settled > 0),
            version: nodes.cursor.version().unwrap_or_default(),
        });
        let is_held = held.is_some();
        let status = if nodes.disabled {
            ItemStatus::Disabled
        } else if running {
            ItemStatus::Running
        } else if owner.is_some_and(|owner| self.members.contains_key(owner)) {
            ItemStatus::Pending
        } else {
            ItemStatus::ShardingFlag
        };
        ItemView {
            item: number,
            owner: owner.map(|owner| owner.as_str().to_owned()),
            status,
            running,
            held,
            taken_by: nodes.taken.as_ref().map(|taker| taker.as_str().to_owned()),
            orphaned: self.mirror.failover_items.contains_key(&number)
                || cursor.and_then(Cursor::running).is_some_and(|claim| !self.leases.holds(&claim.owner)),
            waiting_trigger: cursor.and_then(|cursor| cursor.pending.as_ref()).and_then(trigger_id),
            misfired: nodes.misfire,
            last: cursor.and_then(|cursor| cursor.run.as_deref()).map(last_run),
            next_fire: next_fire.filter(|_| status != ItemStatus::Disabled && !is_held),
        }
    }

    /// Whether an item runs: the process that claimed it is there, or somebody who is there marks it.
    pub(crate) fn is_running(&self, nodes: &ItemNodes) -> bool {
        let claim = nodes.cursor.cursor().and_then(Cursor::running);
        // A mark of 3.x may outlive whoever ran the item.
        let is_there = |id: &InstanceId| self.leases.holds(id) || self.members.contains_key(id);
        claim.is_some_and(|claim| self.leases.holds(&claim.owner))
            || nodes
                .running
                .as_ref()
                .is_some_and(|mark| mark.session != 0 || mark.id.as_ref().is_some_and(is_there))
    }
}

/// Which items are held, and why the first of them is.
fn held(items: &[ItemView]) -> Option<String> {
    let held: Vec<(String, &HeldView)> =
        items.iter().filter_map(|item| Some((item.item.to_string(), item.held.as_ref()?))).collect();
    let (_, first) = held.first()?;
    let numbers: Vec<&str> = held.iter().map(|(item, _)| item.as_str()).collect();
    Some(format!("item {} is held: {} [{}]", numbers.join(", "), first.reason, first.code))
}

fn as_json(mirror: &Mirror, settings: &JobSettings) -> Option<serde_json::Value> {
    match mirror.layout {
        Layout::V2 => serde_json::from_str(&v2::write(settings)).ok(),
        Layout::V3 => v3::as_json(&mirror.config.as_ref()?.0).ok(),
    }
}

fn last_run(claim: &Claim) -> LastRun {
    LastRun {
        fire: claim.fire.time(),
        trigger: trigger_id(&claim.fire),
        source: claim.source.as_str(),
        attempt: claim.attempt,
        run_id: claim.run_id.to_string(),
        instance: claim.owner.as_str().to_owned(),
        claimed_at: claim.at,
        outcome: claim.outcome.as_ref().map(Outcome::word),
        reason: claim.outcome.as_ref().map(Outcome::reason).unwrap_or_default(),
    }
}

fn trigger_id(fire: &Fire) -> Option<String> {
    match fire {
        Fire::Scheduled(_) => None,
        Fire::Trigger { id, .. } => Some(id.clone()),
    }
}

/// How many items there are by the nodes alone.
fn items_found(mirror: &Mirror) -> u32 {
    let last = mirror.items.iter().rposition(|nodes| nodes.exists);
    last.and_then(|last| u32::try_from(last + 1).ok()).unwrap_or(0)
}
