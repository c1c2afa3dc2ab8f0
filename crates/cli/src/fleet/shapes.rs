//! What a server answers, in the shapes that are printed of a registry.

use super::{Last, Line};
use clockwright_api::jobs::JobRow;
use clockwright_api::live::{Host, JobHost, LiveInstance, LiveItem, LiveJob};
use clockwright_api::operations::Outcome;
use clockwright_fleet::admin::{Answer, Asked, AskedInstance, AskedItem, Triggered};
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::view::{
    Condition, HeldView, InstanceKind, InstanceView, ItemStatus, ItemView, JobBrief, JobStatus, JobView,
    LastRun, ServerBrief, ServerView,
};
use clockwright_model::{OutcomeKind, Source};
use serde_json::Value;

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A word of the interface as the value that it names.
pub(crate) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

/// A line of a list. How a job is in one word follows from what its row says: of held items a list knows nothing.
pub(super) fn line(row: JobRow) -> Line {
    let status = row.status.as_deref().and_then(word::<JobStatus>);
    let failed = row.last.as_ref().is_some_and(|last| last.outcome == "failed");
    let condition = match status {
        None | Some(JobStatus::Crashed) => Condition::NoInstances,
        Some(JobStatus::Ok) if failed => Condition::Failing,
        Some(JobStatus::Ok) => Condition::Ok,
        Some(JobStatus::Paused) => Condition::Paused,
        Some(JobStatus::Disabled) => Condition::Disabled,
        Some(JobStatus::ShardingFlag) => Condition::ShardingFlag,
        Some(JobStatus::Degraded) => Condition::Degraded,
    };
    let last = row.last.map(|last| Last {
        outcome: last.outcome,
        fire: last.fire_at.0,
        item: last.item,
        reason: String::new(),
    });
    let next_fire = row.schedule.next_fire_at.map(|at| at.0).filter(|_| condition.fires());
    let brief = JobBrief {
        job_name: row.name,
        status: status.unwrap_or(JobStatus::Crashed),
        reason: match status {
            None => Some("the registry does not have it now".to_owned()),
            Some(_) => row.reason,
        },
        description: row.title,
        cron: row.schedule.cron,
        instance_count: count(row.instances),
        sharding_total_count: u32::try_from(row.items.total).unwrap_or(u32::MAX),
    };
    Line { brief, condition, last, next_fire }
}

pub(super) fn view(live: LiveJob) -> JobView {
    let setting = |key: &str| live.settings[key].as_str().unwrap_or_default().to_owned();
    let (description, cron) = (setting("description"), setting("cron"));
    let items = live.settings["shardingTotalCount"].as_u64().and_then(|items| u32::try_from(items).ok());
    JobView {
        brief: JobBrief {
            job_name: live.name,
            status: word(&live.status).unwrap_or(JobStatus::Degraded),
            reason: live.reason,
            description,
            cron,
            instance_count: live.instances.len(),
            sharding_total_count: items.unwrap_or_default(),
        },
        layout: live.layout,
        settings: live.settings,
        settings_version: live.settings_version,
        paused: live.paused.map(|note| PauseNote {
            at: note.at.0,
            by: note.by,
            reason: note.reason,
            ..PauseNote::default()
        }),
        leader: live.leader,
        epoch: live.plan,
        resharding: live.resharding,
        next_fire: live.next_fire_at.map(|at| at.0),
        items: live.items.into_iter().map(item).collect(),
        servers: live.hosts.into_iter().map(host).collect(),
        instances: live.instances.into_iter().map(instance).collect(),
    }
}

fn item(item: LiveItem) -> ItemView {
    ItemView {
        item: item.item,
        owner: item.owner,
        status: word(&item.status).unwrap_or(ItemStatus::Pending),
        running: item.running,
        held: item.held.map(|held| HeldView {
            code: held.code.into(),
            reason: held.reason,
            settled: held.settled_at.map(|at| at.0),
            version: held.version,
        }),
        taken_by: item.taken_by,
        orphaned: item.orphaned,
        waiting_trigger: item.waiting_trigger,
        misfired: item.misfired,
        last: item.last.map(|last| LastRun {
            fire: last.fire_at.0,
            trigger: last.trigger,
            source: Source::parse(&last.source).map_or("", Source::as_str),
            attempt: last.attempt,
            run_id: last.run,
            instance: last.instance,
            claimed_at: last.claimed_at.0,
            outcome: last.outcome.as_deref().and_then(OutcomeKind::parse).map(OutcomeKind::as_str),
            reason: last.reason,
        }),
        next_fire: item.next_fire_at.map(|at| at.0),
    }
}

fn host(host: JobHost) -> ServerView {
    ServerView { ip: host.ip, enabled: host.enabled, instance_count: count(host.instances) }
}

fn kind(text: &str) -> InstanceKind {
    word(text).unwrap_or(InstanceKind::Java)
}

fn instance(one: LiveInstance) -> InstanceView {
    InstanceView {
        id: one.id,
        ip: one.ip,
        kind: kind(&one.kind),
        leader: one.leader,
        item_count: count(one.items),
        since: one.since.0,
        triggered: one.triggered.unwrap_or_default(),
    }
}

pub(super) fn server(host: Host) -> ServerBrief {
    ServerBrief {
        ip: host.ip,
        instance_count: count(host.instances),
        job_count: count(host.jobs),
        disabled_job_count: count(host.disabled_jobs),
    }
}

/// What came of a trigger, by what the job's items were just before it.
pub(super) fn triggered(outcome: &Outcome, repeated: bool, before: &JobView) -> Triggered {
    let answer = |id: &str| outcome.instances.iter().find(|one| one.id == id).map(|one| one.answer.as_str());
    let is_off = |ip: &str| before.servers.iter().any(|server| server.ip == ip && !server.enabled);
    let of = |item: &ItemView| match &item.owner {
        _ if item.status == ItemStatus::Disabled => Answer::Disabled,
        None => Answer::NoOwner,
        Some(owner) if before.instances.iter().any(|one| one.id == *owner && is_off(&one.ip)) => {
            Answer::KeptOff
        }
        Some(owner) => match answer(owner) {
            Some("dropped") => Answer::Dropped,
            Some(_) => Answer::Starts,
            None => Answer::NoOwner,
        },
    };
    let is_java =
        |id: &str| before.instances.iter().any(|one| one.id == id && one.kind == InstanceKind::Java);
    Triggered {
        fire: outcome.fire.clone().unwrap_or_default(),
        repeated,
        proved: outcome.proof.as_deref() == Some("commit"),
        paused: None,
        instances: outcome
            .instances
            .iter()
            .map(|one| AskedInstance {
                id: one.id.clone(),
                kind: if is_java(&one.id) { InstanceKind::Java } else { InstanceKind::Clockwright },
                asked: Asked::Now,
            })
            .collect(),
        items: before.items.iter().map(|item| AskedItem { item: item.item, answer: of(item) }).collect(),
    }
}
