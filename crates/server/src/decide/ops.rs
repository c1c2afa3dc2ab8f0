//! Operations, the decision: what an operator asks for, when it is refused, which wishes it makes and lifts.
//!
//! | act | refused when | makes | lifts |
//! |---|---|---|---|
//! | disable | the host is not known | disable of the job, of a host in it, of a host | – |
//! | enable | – | – | the same; of a job also what others disabled on its hosts |
//! | pause · resume | – | pause of the job · – | – · pause and drain |
//! | drain · resume of a host | the host is not known | drain | – · drain of the host |
//! | offline · online | – | disable of origin offline · – | – · the same |
//! | item disabled · enabled | there is no such item | disable of the item · – | – · the same |
//! | item resumed | there is no such item | – | – |
//! | trigger | anything runs; a person paused it; it is offline; nobody is there | – | drains, once it is carried out |
//! | shut down | there is no such target | – | – |
//! | rebalance | its sharding is static; nobody is there | – | – |
//! | remove | files own it; mode *stop* and anything runs | pause and disable of origin removal | – |
//!
//! Each is refused while the job is being removed. What nobody knows, because the registry is away, refuses a wish for nothing: it is carried out
//! when the registry is back. An act on instances that nobody can see is refused.

use crate::decide::hold::{Found, Hold, Key, Kind, Origin, Scope};
use crate::store::{JobRow, JobState, Managed};
use clockwright_api::{Code, Problem};
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_model::{Item, Millis, nearest};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Act {
    /// Takes no part: the job, the job on a host, or a host in all jobs.
    Disable {
        /// The host; none for the whole job.
        host: Option<String>,
    },
    /// The reverse.
    Enable {
        /// The host; none for the whole job.
        host: Option<String>,
    },
    /// Nothing begins.
    Pause,
    /// Pause and drain are over.
    Resume {
        /// Of this host alone.
        host: Option<String>,
    },
    /// Nothing begins, and what runs is waited for.
    Drain {
        /// Of this host alone.
        host: Option<String>,
        /// How long it is waited for, milliseconds.
        wait: Millis,
    },
    /// The job may not run until it is online again.
    Offline,
    /// The reverse.
    Online,
    /// An item is left out.
    DisableItem {
        /// Its number.
        item: Item,
    },
    /// The reverse.
    EnableItem {
        /// Its number.
        item: Item,
    },
    /// An item goes on that is held because its cursor is not to be believed.
    ResumeItem {
        /// Its number.
        item: Item,
        /// From where.
        from: Start,
    },
    /// Fires now.
    Trigger,
    /// Instances give the job up.
    Shutdown {
        /// The id of an instance or the address of a host; none for all.
        target: Option<String>,
    },
    /// The items are shared out anew.
    Rebalance,
    /// The job goes for good.
    Remove {
        /// What becomes of what runs.
        mode: Mode,
        /// How long it is waited for, milliseconds.
        wait: Millis,
        /// Though files define it.
        take_over: bool,
    },
}

/// From where a held item goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Start {
    /// From when it was asked for: what was due before is skipped.
    Now,
    /// After the last instant that is known: the misfire policy decides about what was due since.
    Last,
    /// After this instant, epoch milliseconds.
    At(Millis),
}

/// What becomes of what runs when a job is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// If anything runs, it is not removed.
    Stop,
    /// What runs is waited for.
    Drain,
    /// What runs is stopped; what Java runs is waited for.
    Kill,
}

impl Act {
    /// As the journal and answers name it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Act::Disable { .. } => "disable",
            Act::Enable { .. } => "enable",
            Act::Pause => "pause",
            Act::Resume { .. } => "resume",
            Act::Drain { .. } => "drain",
            Act::Offline => "offline",
            Act::Online => "online",
            Act::DisableItem { .. } => "item-disable",
            Act::EnableItem { .. } => "item-enable",
            Act::ResumeItem { .. } => "item-resume",
            Act::Trigger => "trigger",
            Act::Shutdown { .. } => "shutdown",
            Act::Rebalance => "rebalance",
            Act::Remove { .. } => "remove",
        }
    }

    /// A wish is carried out later when the registry is away; the rest is not.
    #[must_use]
    pub fn is_wish(&self) -> bool {
        !matches!(self, Act::Trigger | Act::Shutdown { .. } | Act::Rebalance | Act::ResumeItem { .. })
    }

    /// Whether its end is usually not worth waiting for.
    #[must_use]
    pub fn is_long(&self) -> bool {
        matches!(self, Act::Drain { .. } | Act::Remove { .. })
    }

    /// The host that it names.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Act::Disable { host }
            | Act::Enable { host }
            | Act::Resume { host }
            | Act::Drain { host, .. }
            | Act::Shutdown { target: host } => host.as_deref(),
            _ => None,
        }
    }
}

/// What a look at one job, or at a host in all of them, has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The nodes that hold something.
    pub found: Found,
    /// Who is there: id, address, and whether it is Java's.
    pub instances: Vec<Instance>,
    /// What runs.
    pub running: Vec<Running>,
}

/// An instance that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each says itself")]
pub struct Instance {
    pub id: String,
    pub ip: String,
    pub java: bool,
}

/// An item that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its number.
    pub item: Item,
    /// The instance that runs it; empty when nobody knows.
    pub instance: String,
    /// Since when, epoch milliseconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
}

impl Seen {
    /// What one look at a job's nodes tells.
    #[must_use]
    pub fn of(mirror: &Mirror, leases: &Leases) -> Self {
        let instance = |(id, _, ip): (&clockwright_model::InstanceId, _, String)| Instance {
            id: id.as_str().to_owned(),
            ip,
            java: !leases.holds(id),
        };
        Self {
            found: Found::of(mirror, leases),
            instances: mirror.members().map(instance).collect(),
            running: running(mirror, leases),
        }
    }

    /// How many of those that are there are Java's.
    #[must_use]
    pub fn java(&self) -> usize {
        self.instances.iter().filter(|instance| instance.java).count()
    }
}

/// What runs, by claims and marks of those who are there.
fn running(mirror: &Mirror, leases: &Leases) -> Vec<Running> {
    let is_there = |id: &clockwright_model::InstanceId| {
        leases.holds(id) || mirror.members().any(|(member, ..)| member == id)
    };
    let of = |(item, nodes): (u32, &clockwright_fleet::mirror::ItemNodes)| {
        let claim = nodes.cursor.cursor().and_then(clockwright_fleet::cursor::Cursor::running);
        if let Some(claim) = claim.filter(|claim| leases.holds(&claim.owner)) {
            return Some(Running { item, instance: claim.owner.as_str().to_owned(), since: Some(claim.at) });
        }
        let mark = nodes.running.as_ref()?;
        if mark.session == 0 && !mark.id.as_ref().is_some_and(is_there) {
            return None;
        }
        let runner = mark.id.as_ref().or(nodes.owner.as_ref().map(|owner| &owner.id));
        let instance = runner.map(|id| id.as_str().to_owned()).unwrap_or_default();
        Some(Running { item, instance, since: None })
    };
    (0..).zip(&mirror.items).filter_map(of).collect()
}

/// What an operation is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The job; `None` for a host in all jobs.
    pub job: Option<&'a JobRow>,
    /// The holds that concern it.
    pub holds: &'a [Hold],
    /// What a look has found; `None` when the registry is away.
    pub seen: Option<&'a Seen>,
    /// The job's items are given to fixed instances.
    pub is_static: bool,
}

/// Whether it may be done now.
///
/// # Errors
/// Why not, with what stands against it.
pub fn refuse(act: &Act, about: About<'_>) -> Result<(), Problem> {
    if let Some(job) = about.job.filter(|job| job.state == JobState::Removing) {
        return Err(Problem::new(Code::JobRemoving, format!("`{}` is being removed", job.name)));
    }
    let Some(seen) = about.seen else {
        return about_job(act, about);
    };
    match act {
        Act::Disable { host: Some(ip) }
        | Act::Enable { host: Some(ip) }
        | Act::Drain { host: Some(ip), .. } => {
            known_host(ip, about, seen)?;
        }
        Act::Trigger => may_fire(about, seen)?,
        Act::Shutdown { target } => known_target(target.as_deref(), about, seen)?,
        Act::Rebalance => someone(about, seen)?,
        Act::Remove { mode: Mode::Stop, .. } => idle(about, seen)?,
        _ => {}
    }
    about_job(act, about)
}

/// What stands against it by what is known of the job alone.
fn about_job(act: &Act, about: About<'_>) -> Result<(), Problem> {
    let Some(job) = about.job else { return Ok(()) };
    match act {
        Act::DisableItem { item } | Act::EnableItem { item } | Act::ResumeItem { item, .. }
            if i64::from(*item) >= job.items =>
        {
            let last = job.items - 1;
            let detail = format!("`{}` has no item {item}; its items are 0 to {last}", job.name);
            Err(Problem::new(Code::NoSuchItem, detail).with("items", job.items))
        }
        Act::Rebalance if about.is_static => {
            let detail = format!("the items of `{}` are given to fixed instances", job.name);
            Err(Problem::new(Code::StaticSharding, detail).with("key", "staticSharding"))
        }
        Act::Remove { take_over: false, .. } if job.managed == Managed::Files => {
            let detail = format!("`{}` is defined by files of `{}`", job.name, job.source);
            let fix = "take it out of the files, or send `takeOver=true`";
            Err(Problem::new(Code::ManagedByFiles, detail).with("source", &*job.source).fix(fix))
        }
        _ => Ok(()),
    }
}

fn named(about: About<'_>) -> &str {
    about.job.map_or("", |job| &job.name)
}

fn known_host(ip: &str, about: About<'_>, seen: &Seen) -> Result<(), Problem> {
    if seen.found.hosts.contains_key(ip) {
        return Ok(());
    }
    let detail = match about.job {
        Some(job) => format!("`{}` knows no host `{ip}`", job.name),
        None => format!("no job knows a host `{ip}`"),
    };
    let known = seen.found.hosts.keys().map(String::as_str);
    Err(Problem::new(Code::NoSuchHost, detail).near(ip, known))
}

fn known_target(target: Option<&str>, about: About<'_>, seen: &Seen) -> Result<(), Problem> {
    let Some(target) = target else { return Ok(()) };
    if seen.instances.iter().any(|instance| instance.id == target || instance.ip == target) {
        return Ok(());
    }
    let detail = match about.job {
        Some(job) => format!("no instance of `{}` is `{target}` or on it", job.name),
        None => format!("no instance is on `{target}`"),
    };
    let known = seen.instances.iter().flat_map(|instance| [instance.id.as_str(), instance.ip.as_str()]);
    let problem = Problem::new(Code::NoSuchHost, detail);
    Err(match nearest(target, known) {
        Some(near) => problem.fix(format!("did you mean `{near}`?")),
        None => problem,
    })
}

fn someone(about: About<'_>, seen: &Seen) -> Result<(), Problem> {
    if seen.instances.is_empty() {
        let detail = format!("no instance of `{}` is there", named(about));
        return Err(Problem::new(Code::NoLiveInstance, detail));
    }
    Ok(())
}

/// Nothing of it runs.
///
/// # Errors
/// What runs, where, and since when.
pub fn idle(about: About<'_>, seen: &Seen) -> Result<(), Problem> {
    if seen.running.is_empty() { Ok(()) } else { Err(runs(named(about), &seen.running)) }
}

/// Items run, and that stands against it.
#[must_use]
pub fn runs(job: &str, running: &[Running]) -> Problem {
    let items: Vec<String> = running.iter().map(|one| one.item.to_string()).collect();
    let detail = format!("item {} of `{job}` runs now", items.join(", "));
    Problem::new(Code::ItemsRunning, detail).with("items", running)
}

/// Whether a trigger would be answered by runs.
///
/// # Errors
/// Why not.
pub fn may_fire(about: About<'_>, seen: &Seen) -> Result<(), Problem> {
    let name = named(about);
    if about.job.is_some_and(|job| job.state == JobState::Offline) {
        return Err(Problem::new(Code::JobOffline, format!("`{name}` is offline")));
    }
    let is_pause =
        |hold: &&Hold| hold.key.kind == Kind::Pause && matches!(hold.key.scope, Scope::Job | Scope::Project);
    if let Some(hold) = about.holds.iter().find(is_pause) {
        let detail = format!("`{name}` is paused by {}", hold.by_name);
        let hold = json!({ "by": hold.by_name, "reason": hold.reason, "origin": hold.origin });
        return Err(Problem::new(Code::JobPaused, detail).with("hold", hold));
    }
    if let Some(note) = seen.found.paused.as_ref().filter(|note| !note.drain) {
        let detail = format!("`{name}` is {}", note.describe());
        let hold = json!({ "by": note.by, "reason": note.reason, "origin": Origin::Outside });
        return Err(Problem::new(Code::JobPaused, detail).with("hold", hold));
    }
    someone(about, seen)?;
    idle(about, seen)
}

/// The wishes that an act makes and lifts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// Made, with their origin.
    pub make: Vec<(Key, Origin)>,
    /// Lifted, if they are there.
    pub lift: Vec<Key>,
}

/// The wishes that an act makes and lifts, of this job or with 0 of all jobs.
#[must_use]
pub fn wishes(act: &Act, job: i64, holds: &[Hold]) -> Wishes {
    let people = Origin::Operator;
    let whole = |kind| Key::of_job(job, kind, people);
    let make = |key, origin| Wishes { make: vec![(key, origin)], lift: Vec::new() };
    let lift = |lift| Wishes { make: Vec::new(), lift };
    match act {
        Act::Disable { host: None } => make(whole(Kind::Disable), people),
        Act::Disable { host: Some(ip) } => make(Key::of_host(job, ip, Kind::Disable), people),
        Act::Enable { host: Some(ip) } => lift(vec![Key::of_host(job, ip, Kind::Disable)]),
        Act::Enable { host: None } => {
            // Somebody who disabled a job elsewhere disabled each of its hosts.
            let others = holds.iter().filter(|hold| {
                hold.origin == Origin::Outside
                    && hold.key.job == job
                    && (hold.key.scope, hold.key.kind) == (Scope::Host, Kind::Disable)
            });
            lift(std::iter::once(whole(Kind::Disable)).chain(others.map(|hold| hold.key.clone())).collect())
        }
        Act::Pause => make(whole(Kind::Pause), people),
        Act::Resume { host: None } => lift(vec![whole(Kind::Pause), whole(Kind::Drain)]),
        Act::Resume { host: Some(ip) } => lift(vec![Key::of_host(job, ip, Kind::Drain)]),
        Act::Drain { host: None, .. } => make(whole(Kind::Drain), people),
        Act::Drain { host: Some(ip), .. } => make(Key::of_host(job, ip, Kind::Drain), people),
        Act::Offline => make(Key::of_job(job, Kind::Disable, Origin::Offline), Origin::Offline),
        Act::Online => lift(vec![Key::of_job(job, Kind::Disable, Origin::Offline)]),
        Act::DisableItem { item } => make(Key::of_item(job, *item), people),
        Act::EnableItem { item } => lift(vec![Key::of_item(job, *item)]),
        Act::Trigger => {
            let drains = holds.iter().filter(|hold| hold.key.kind == Kind::Drain && hold.key.job == job);
            lift(drains.map(|hold| hold.key.clone()).collect())
        }
        Act::Remove { .. } => {
            let of = |kind| (Key::of_job(job, kind, Origin::Removal), Origin::Removal);
            Wishes { make: vec![of(Kind::Pause), of(Kind::Disable)], lift: Vec::new() }
        }
        Act::Shutdown { .. } | Act::Rebalance | Act::ResumeItem { .. } => Wishes::default(),
    }
}

/// What whoever asks is to know of Java instances that serve the job.
#[must_use]
pub fn warning(act: &Act, java: usize) -> Option<String> {
    if java == 0 {
        return None;
    }
    let who = if java == 1 {
        "1 Java instance serves it".to_owned()
    } else {
        format!("{java} Java instances serve it")
    };
    let what = match act {
        Act::Pause => "and does not see a pause; disable the job to stop it too",
        Act::Drain { .. } => "and is disabled instead: it finishes what it runs",
        Act::Resume { .. } | Act::Enable { .. } | Act::Online => "and reshards at its next fire",
        Act::Offline | Act::Disable { .. } => "and finishes what it runs",
        Act::DisableItem { .. } | Act::EnableItem { .. } => "and sees that at its next fire",
        // An item that an instance of Elastic-Job owns is not held.
        Act::ResumeItem { .. } => return None,
        Act::Trigger => "and drops the trigger if it is busy",
        Act::Shutdown { .. } => "and gives the job up; its process goes on",
        Act::Rebalance => "and its leader, if it is Java, reshards at its next fire",
        Act::Remove { .. } => "and brings the job back if it starts again with the job in its files",
    };
    Some(format!("{who}, {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let instance = |id: &str, ip: &str, java| Instance { id: id.into(), ip: ip.into(), java };
        Seen {
            found: Found { hosts: [("10.0.0.1".to_owned(), Default::default())].into(), ..Found::default() },
            instances: vec![instance("10.0.0.1@-@7", "10.0.0.1", false)],
            running: Vec::new(),
        }
    }

    fn job(state: JobState) -> JobRow {
        JobRow {
            id: 7,
            project: 1,
            mode: "elastic".into(),
            name: "report".into(),
            version: 1,
            state,
            managed: Managed::Console,
            source: "".into(),
            diverged: false,
            kind: "SIMPLE".into(),
            timing: crate::store::Timing::new("", ""),
            items: 3,
            title: String::new(),
            tags: "".into(),
            owner: "".into(),
            digest: String::new(),
            run_min: 0,
            run_max: 0,
            changed: 0,
            changed_by: "".into(),
        }
    }

    fn code(act: &Act, job: &JobRow, holds: &[Hold], seen: &Seen) -> Option<Code> {
        let about = About { job: Some(job), holds, seen: Some(seen), is_static: false };
        refuse(act, about).err().and_then(|problem| problem.kind())
    }

    fn hold(key: Key) -> Hold {
        Hold {
            project: 1,
            key,
            origin: Origin::Operator,
            by: String::new(),
            by_name: "lina".into(),
            at: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn a_trigger_is_refused_for_what_would_make_nothing_of_it() {
        let online = job(JobState::Online);
        let of = |holds: &[Hold], seen: &Seen| code(&Act::Trigger, &online, holds, seen);
        assert_eq!(of(&[], &seen()), None);
        let running = vec![Running { item: 1, instance: "10.0.0.1@-@7".into(), since: Some(5) }];
        assert_eq!(of(&[], &Seen { running, ..seen() }), Some(Code::ItemsRunning));
        assert_eq!(of(&[], &Seen { instances: Vec::new(), ..seen() }), Some(Code::NoLiveInstance));
        let pause = hold(Key::of_job(7, Kind::Pause, Origin::Operator));
        assert_eq!(of(&[pause], &seen()), Some(Code::JobPaused));
        let drain = hold(Key::of_job(7, Kind::Drain, Origin::Operator));
        assert_eq!(of(std::slice::from_ref(&drain), &seen()), None, "a trigger ends a drain");
        assert_eq!(wishes(&Act::Trigger, 7, std::slice::from_ref(&drain)).lift, [drain.key]);
        let mut outside = seen();
        outside.found.paused = Some(clockwright_fleet::pause::PauseNote::default());
        assert_eq!(of(&[], &outside), Some(Code::JobPaused));
        assert_eq!(code(&Act::Trigger, &job(JobState::Offline), &[], &seen()), Some(Code::JobOffline));
    }

    #[test]
    fn what_is_named_has_to_be_there() {
        let online = job(JobState::Online);
        let host = |ip: &str| Act::Disable { host: Some(ip.to_owned()) };
        assert_eq!(code(&host("10.0.0.1"), &online, &[], &seen()), None);
        assert_eq!(code(&host("10.0.0.2"), &online, &[], &seen()), Some(Code::NoSuchHost));
        let target = |target: &str| Act::Shutdown { target: Some(target.to_owned()) };
        assert_eq!(code(&target("10.0.0.1@-@7"), &online, &[], &seen()), None);
        assert_eq!(code(&target("10.0.0.1"), &online, &[], &seen()), None);
        assert_eq!(code(&target("10.0.0.1@-@8"), &online, &[], &seen()), Some(Code::NoSuchHost));
        assert_eq!(code(&Act::DisableItem { item: 2 }, &online, &[], &seen()), None);
        assert_eq!(code(&Act::DisableItem { item: 3 }, &online, &[], &seen()), Some(Code::NoSuchItem));
    }

    #[test]
    fn a_job_that_is_being_removed_or_that_files_own_is_left_alone() {
        let removing = job(JobState::Removing);
        for act in [Act::Pause, Act::Trigger, Act::Online, Act::Enable { host: None }] {
            assert_eq!(code(&act, &removing, &[], &seen()), Some(Code::JobRemoving));
        }
        let remove = |take_over, mode| Act::Remove { mode, wait: 0, take_over };
        let files = JobRow { managed: Managed::Files, source: "ci".into(), ..job(JobState::Online) };
        assert_eq!(code(&remove(false, Mode::Drain), &files, &[], &seen()), Some(Code::ManagedByFiles));
        assert_eq!(code(&remove(true, Mode::Drain), &files, &[], &seen()), None);
        let running = vec![Running { item: 1, instance: String::new(), since: None }];
        let busy = Seen { running, ..seen() };
        assert_eq!(code(&remove(true, Mode::Stop), &files, &[], &busy), Some(Code::ItemsRunning));
        assert_eq!(code(&remove(true, Mode::Kill), &files, &[], &busy), None);
    }

    #[test]
    fn a_wish_needs_no_registry() {
        let online = job(JobState::Online);
        let about = About { job: Some(&online), holds: &[], seen: None, is_static: false };
        for act in [Act::Pause, Act::Disable { host: Some("10.0.0.9".into()) }, Act::Offline] {
            assert!(act.is_wish() && refuse(&act, about).is_ok());
        }
        assert!(!Act::Trigger.is_wish());
    }

    #[test]
    fn to_enable_a_job_lifts_what_others_disabled_on_its_hosts_and_not_what_people_did() {
        let host = |ip: &str, origin| Hold { origin, ..hold(Key::of_host(7, ip, Kind::Disable)) };
        let holds = [host("10.0.0.1", Origin::Outside), host("10.0.0.2", Origin::Operator)];
        let lift = wishes(&Act::Enable { host: None }, 7, &holds).lift;
        assert_eq!(lift, [Key::of_job(7, Kind::Disable, Origin::Operator), holds[0].key.clone()]);
    }
}
