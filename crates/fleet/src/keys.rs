//! Every registry path of elastic jobs, in one place: who writes it, who reads it, when it dies.
//!
//! `/{ns}/{job}` is Elastic-Job 2.1.5's layout, or 3.x's ([`crate::layout`]), shared with Java peers. What Clockwright adds below a job
//! ([`Key::Cursor`], [`Key::Epoch`], [`Key::Paused`]) lies where Java neither lists nor parses. Process leases lie under a root of their
//! own, `/{ns}-clockwright`, because every child of `/{ns}` is a job to Java.

use clockwright_model::{InstanceId, Item, JobName};
use clockwright_registry::{Path, PathError};
use std::fmt;

/// The paths of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    root: Path,
    own: Path,
}

/// A node below a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `/{job}`: persistent; made with `config`, deleted when the job is removed. Empty; in 3.x the job's class, `SCRIPT` or `HTTP`.
    Job,
    /// `config`: persistent; the settings. Written by a starting instance and by consoles.
    Config,
    /// `servers`: persistent parent.
    Servers,
    /// `servers/{ip}`: persistent; `DISABLED` or empty, in 3.x `DISABLED` or `ENABLED`. Written by each instance at start and by
    /// operators.
    Server(String),
    /// `servers/{ip}/smoothstop`: ours; persistent flag of operators: instances there finish what they run and begin nothing.
    SmoothStop(String),
    /// `instances`: persistent parent.
    Instances,
    /// `instances/{id}`: ephemeral of the instance; deleting it is the shutdown command. Empty, and `TRIGGER` asks it to fire now;
    /// in 3.x YAML with its id and address.
    Instance(InstanceId),
    /// `trigger`: 3.x; persistent parent.
    Triggers,
    /// `trigger/{id}`: 3.x; persistent, empty: asks the instance to fire now. Written by whoever triggers, deleted by the instance, or
    /// by our leader when there is no such instance.
    Trigger(InstanceId),
    /// `leader`: persistent parent.
    Leader,
    /// `leader/election`: persistent parent.
    Election,
    /// `leader/election/latch`: persistent parent of latch nodes.
    ElectionLatch,
    /// `leader/election/latch/{name}`: ephemeral sequential; lives for one election.
    ElectionLatchNode(String),
    /// `leader/election/instance`: ephemeral of the leader; its data is the leader's id.
    ElectionInstance,
    /// `leader/sharding`: persistent parent.
    Sharding,
    /// `leader/sharding/necessary`: persistent flag; set by whoever sees a reason to reshard (in 3.x by the leader, or by one of ours
    /// whose Java leader has missed one), deleted by the leader with the plan.
    Necessary,
    /// `leader/sharding/processing`: ephemeral of the leader while it writes a plan in steps; nobody claims meanwhile.
    Processing,
    /// `leader/sharding/epoch`: ours; persistent. Set with each plan, and with whatever stops items from firing, so its version is the
    /// number of the last such change; every claim checks it.
    Epoch,
    /// `leader/failover`: persistent parent.
    Failover,
    /// `leader/failover/items`: persistent parent.
    FailoverItems,
    /// `leader/failover/items/{item}`: persistent; an orphaned item that waits for a taker.
    FailoverItem(Item),
    /// `leader/failover/latch`: persistent parent of latch nodes.
    FailoverLatch,
    /// `leader/failover/latch/{name}`: ephemeral sequential; lives while an item is taken.
    FailoverLatchNode(String),
    /// `sharding`: persistent parent of items; every child is a number.
    Items,
    /// `sharding/{item}`: persistent parent; made and deleted by the leader.
    Item(Item),
    /// `sharding/{item}/instance`: persistent; the id of the owner. Written by the leader with each plan that changes it.
    Owner(Item),
    /// `sharding/{item}/running`: ephemeral of the runner, only with `monitorExecution`. In 3.x its data is the runner's id, and with
    /// `failover` it is persistent; one of ours clears what the dead left.
    Running(Item),
    /// `sharding/{item}/misfire`: persistent flag; an instant passed while the item ran.
    Misfire(Item),
    /// `sharding/{item}/disabled`: persistent flag of operators.
    Disabled(Item),
    /// `sharding/{item}/failover`: ephemeral of the instance that took the item over; its data is the taker's id.
    Taken(Item),
    /// `sharding/{item}/failovering`: 3.x; persistent; the id of the taker. Lives as long as `failover`, or until the next taker or one
    /// of ours clears it after a dead one.
    Failovering(Item),
    /// `sharding/{item}/cursor`: ours; persistent. The claim cursor: who runs which fire, and how the last one ended.
    Cursor(Item),
    /// `guarantee`: persistent parent.
    Guarantee,
    /// `guarantee/started`: persistent parent of the marks of once-per-fire listeners.
    Started,
    /// `guarantee/started/{item}`: persistent; the item is ready to start. The last one deletes the parent.
    StartedItem(Item),
    /// `guarantee/completed`: persistent parent.
    Completed,
    /// `guarantee/completed/{item}`: persistent; the item has ended.
    CompletedItem(Item),
    /// `systemTime`: persistent parent.
    SystemTime,
    /// `systemTime/current`: persistent; what Java touches to read the registry's clock, only with `maxTimeDiffSeconds`.
    CurrentTime,
    /// `paused`: ours; persistent flag of operators: the job does not fire. Its data says who and why.
    Paused,
    /// Anything else that somebody put there.
    Other,
}

impl Keys {
    /// The paths of a namespace such as `jobs` or `team/jobs`.
    ///
    /// # Errors
    /// The namespace is not usable as a path.
    pub fn new(namespace: &str) -> Result<Self, PathError> {
        let trimmed = namespace.trim_matches('/');
        let root = Path::new(&format!("/{trimmed}"))?;
        let own = Path::new(&format!("/{trimmed}-clockwright"))?;
        Ok(Self { root, own })
    }

    /// The namespace, without slashes at its ends.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.root.as_str().trim_start_matches('/')
    }

    /// `/{ns}`: its children are the jobs.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `/{ns}-clockwright`.
    #[must_use]
    pub fn own_root(&self) -> &Path {
        &self.own
    }

    /// `/{ns}-clockwright/generation`: persistent; a number that is added to the registry's transactions, so that tokens grow even
    /// where the registry lost what it had. Made by the first session, set by whoever sees that the registry went back; every
    /// commit checks it.
    #[must_use]
    pub fn generation(&self) -> Path {
        self.own.join("generation")
    }

    /// `/{ns}-clockwright/control`: persistent; whose database manages the settings of the namespace, and the number of its last write
    /// there. Made and set by control servers, never deleted. Instances look whether it is there when they open a session.
    #[must_use]
    pub fn control(&self) -> Path {
        self.own.join("control")
    }

    /// `/{ns}-clockwright/leases`: persistent parent.
    #[must_use]
    pub fn leases(&self) -> Path {
        self.own.join("leases")
    }

    /// `/{ns}-clockwright/leases/{id}`: ephemeral of the process; as long as it is there, so is its session. Everybody watches it.
    #[must_use]
    pub fn lease(&self, instance: &InstanceId) -> Path {
        self.leases().join(instance.as_str())
    }

    /// `/{ns}-clockwright/beats`: persistent parent.
    #[must_use]
    pub fn beats(&self) -> Path {
        self.own.join("beats")
    }

    /// `/{ns}-clockwright/beats/{id}`: ephemeral of the process, set again and again to renew its lease. Nobody watches it, so
    /// that a renewal costs one write and no reading, however many processes there are.
    #[must_use]
    pub fn beat(&self, instance: &InstanceId) -> Path {
        self.beats().join(instance.as_str())
    }

    /// `/{ns}-clockwright/requests`: persistent parent.
    #[must_use]
    pub fn requests(&self) -> Path {
        self.own.join("requests")
    }

    /// `/{ns}-clockwright/requests/{id}`: persistent; a request to fire that was carried out, so that one with the same id is not carried
    /// out again. Written by whoever triggers, in the commit that asks the instances; deleted by a later trigger when it is a day old.
    #[must_use]
    pub fn request(&self, id: &str) -> Path {
        self.requests().join(id)
    }

    /// `/{ns}/{job}`.
    #[must_use]
    pub fn job(&self, job: &JobName) -> Path {
        self.root.join(job.as_str())
    }

    /// A node below a job.
    #[must_use]
    pub fn of(&self, job: &JobName, key: &Key) -> Path {
        match key {
            Key::Job | Key::Other => self.job(job),
            key => self.root.join_shown(format_args!("{job}/{key}")),
        }
    }

    /// The job's name and the key of a path below the namespace, or `None` for paths elsewhere and for the namespace itself.
    #[must_use]
    pub fn parse<'a>(&self, path: &'a Path) -> Option<(&'a str, Key)> {
        let rest = path.below(&self.root)?;
        if rest.is_empty() {
            return None;
        }
        Some(rest.split_once('/').map_or((rest, Key::Job), |(job, rest)| (job, Key::parse(rest))))
    }
}

impl Key {
    /// The node of this name in the place of one whose name was not whole yet: the registry completes those of latches.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        match self {
            Key::ElectionLatchNode(_) => Key::ElectionLatchNode(name.to_owned()),
            Key::FailoverLatchNode(_) => Key::FailoverLatchNode(name.to_owned()),
            key => key,
        }
    }

    /// The key of a path relative to the job.
    #[must_use]
    pub fn parse(relative: &str) -> Key {
        let (first, rest) =
            relative.split_once('/').map_or((relative, None), |(first, rest)| (first, Some(rest)));
        match (first, rest) {
            ("", None) => Key::Job,
            ("config", None) => Key::Config,
            ("servers", None) => Key::Servers,
            ("servers", Some(rest)) => match rest.split_once('/') {
                None => Key::Server(rest.to_owned()),
                Some((ip, "smoothstop")) => Key::SmoothStop(ip.to_owned()),
                Some(_) => Key::Other,
            },
            ("instances", None) => Key::Instances,
            ("instances", Some(id)) if !id.contains('/') => Key::Instance(InstanceId::from_wire(id)),
            ("trigger", None) => Key::Triggers,
            ("trigger", Some(id)) if !id.contains('/') => Key::Trigger(InstanceId::from_wire(id)),
            ("paused", None) => Key::Paused,
            ("sharding", None) => Key::Items,
            ("sharding", Some(rest)) => Key::parse_item(rest).unwrap_or(Key::Other),
            ("leader", None) => Key::Leader,
            ("leader", Some(rest)) => Key::parse_leader(rest).unwrap_or(Key::Other),
            ("guarantee", None) => Key::Guarantee,
            ("guarantee", Some(rest)) => Key::parse_guarantee(rest).unwrap_or(Key::Other),
            ("systemTime", None) => Key::SystemTime,
            ("systemTime", Some("current")) => Key::CurrentTime,
            _ => Key::Other,
        }
    }

    fn parse_item(rest: &str) -> Option<Key> {
        let (item, leaf) = rest.split_once('/').map_or((rest, None), |(item, leaf)| (item, Some(leaf)));
        let item = item.parse().ok()?;
        Some(match leaf {
            None => Key::Item(item),
            Some("instance") => Key::Owner(item),
            Some("running") => Key::Running(item),
            Some("misfire") => Key::Misfire(item),
            Some("disabled") => Key::Disabled(item),
            Some("failover") => Key::Taken(item),
            Some("failovering") => Key::Failovering(item),
            Some("cursor") => Key::Cursor(item),
            Some(_) => return None,
        })
    }

    fn parse_leader(rest: &str) -> Option<Key> {
        Some(match rest {
            "election" => Key::Election,
            "election/latch" => Key::ElectionLatch,
            "election/instance" => Key::ElectionInstance,
            "sharding" => Key::Sharding,
            "sharding/necessary" => Key::Necessary,
            "sharding/processing" => Key::Processing,
            "sharding/epoch" => Key::Epoch,
            "failover" => Key::Failover,
            "failover/items" => Key::FailoverItems,
            "failover/latch" => Key::FailoverLatch,
            rest => {
                if let Some(name) = rest.strip_prefix("election/latch/") {
                    Key::ElectionLatchNode(name.to_owned())
                } else if let Some(name) = rest.strip_prefix("failover/latch/") {
                    Key::FailoverLatchNode(name.to_owned())
                } else {
                    Key::FailoverItem(rest.strip_prefix("failover/items/")?.parse().ok()?)
                }
            }
        })
    }

    fn parse_guarantee(rest: &str) -> Option<Key> {
        Some(match rest {
            "started" => Key::Started,
            "completed" => Key::Completed,
            rest => {
                if let Some(item) = rest.strip_prefix("started/") {
                    Key::StartedItem(item.parse().ok()?)
                } else {
                    Key::CompletedItem(rest.strip_prefix("completed/")?.parse().ok()?)
                }
            }
        })
    }
}

/// Its path relative to the job; empty for the job itself.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Job | Key::Other => Ok(()),
            Key::Config => f.write_str("config"),
            Key::Servers => f.write_str("servers"),
            Key::Server(ip) => write!(f, "servers/{ip}"),
            Key::SmoothStop(ip) => write!(f, "servers/{ip}/smoothstop"),
            Key::Instances => f.write_str("instances"),
            Key::Instance(id) => write!(f, "instances/{id}"),
            Key::Triggers => f.write_str("trigger"),
            Key::Trigger(id) => write!(f, "trigger/{id}"),
            Key::Leader => f.write_str("leader"),
            Key::Election => f.write_str("leader/election"),
            Key::ElectionLatch => f.write_str("leader/election/latch"),
            Key::ElectionLatchNode(name) => write!(f, "leader/election/latch/{name}"),
            Key::ElectionInstance => f.write_str("leader/election/instance"),
            Key::Sharding => f.write_str("leader/sharding"),
            Key::Necessary => f.write_str("leader/sharding/necessary"),
            Key::Processing => f.write_str("leader/sharding/processing"),
            Key::Epoch => f.write_str("leader/sharding/epoch"),
            Key::Failover => f.write_str("leader/failover"),
            Key::FailoverItems => f.write_str("leader/failover/items"),
            Key::FailoverItem(item) => write!(f, "leader/failover/items/{item}"),
            Key::FailoverLatch => f.write_str("leader/failover/latch"),
            Key::FailoverLatchNode(name) => write!(f, "leader/failover/latch/{name}"),
            Key::Items => f.write_str("sharding"),
            Key::Item(item) => write!(f, "sharding/{item}"),
            Key::Owner(item) => write!(f, "sharding/{item}/instance"),
            Key::Running(item) => write!(f, "sharding/{item}/running"),
            Key::Misfire(item) => write!(f, "sharding/{item}/misfire"),
            Key::Disabled(item) => write!(f, "sharding/{item}/disabled"),
            Key::Taken(item) => write!(f, "sharding/{item}/failover"),
            Key::Failovering(item) => write!(f, "sharding/{item}/failovering"),
            Key::Cursor(item) => write!(f, "sharding/{item}/cursor"),
            Key::Guarantee => f.write_str("guarantee"),
            Key::Started => f.write_str("guarantee/started"),
            Key::StartedItem(item) => write!(f, "guarantee/started/{item}"),
            Key::Completed => f.write_str("guarantee/completed"),
            Key::CompletedItem(item) => write!(f, "guarantee/completed/{item}"),
            Key::SystemTime => f.write_str("systemTime"),
            Key::CurrentTime => f.write_str("systemTime/current"),
            Key::Paused => f.write_str("paused"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_from_its_path() {
        let keys = Keys::new("team/ns").expect("valid");
        let job = JobName::new("myJob").expect("valid");
        let name = "_c_936ce2d9-957f-4315-8cb9-abcd10086328-latch-0000000000".to_owned();
        for key in [
            Key::Job,
            Key::Config,
            Key::Servers,
            Key::Server("10.0.0.1".into()),
            Key::SmoothStop("10.0.0.1".into()),
            Key::Instances,
            Key::Instance(InstanceId::of_process("10.0.0.1", 7, 1)),
            Key::Triggers,
            Key::Trigger(InstanceId::of_process("10.0.0.1", 7, 1)),
            Key::Leader,
            Key::Election,
            Key::ElectionLatch,
            Key::ElectionLatchNode(name.clone()),
            Key::ElectionInstance,
            Key::Sharding,
            Key::Necessary,
            Key::Processing,
            Key::Epoch,
            Key::Failover,
            Key::FailoverItems,
            Key::FailoverItem(3),
            Key::FailoverLatch,
            Key::FailoverLatchNode(name),
            Key::Items,
            Key::Item(9),
            Key::Owner(9),
            Key::Running(9),
            Key::Misfire(9),
            Key::Disabled(9),
            Key::Taken(9),
            Key::Failovering(9),
            Key::Cursor(9),
            Key::Guarantee,
            Key::Started,
            Key::StartedItem(0),
            Key::Completed,
            Key::CompletedItem(0),
            Key::SystemTime,
            Key::CurrentTime,
            Key::Paused,
        ] {
            assert_eq!(keys.parse(&keys.of(&job, &key)), Some(("myJob", key.clone())), "{key:?}");
        }
        assert_eq!(keys.parse(&keys.of(&job, &Key::Item(1)).join("odd")), Some(("myJob", Key::Other)));
        assert_eq!(keys.parse(&keys.lease(&InstanceId::of_process("10.0.0.1", 7, 0))), None);
        assert_eq!(keys.parse(keys.root()), None);
    }
}
