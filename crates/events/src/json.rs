//! Events as JSON, one object each: for the spool's file, and for sinks that write or post them.
//!
//! `kind` is `execution`, `status`, `settlement` or `change`; times are epoch milliseconds; the words are those of the tables.

use clockwright_model::{
    Change, ChangeKind, Event, Execution, ExecutionSource, FailureKind, Fire, InstanceId, Item, JobName,
    Millis, Outcome, Reason, RunId, Settlement, Source, StatusTrace, TaskState, TraceSource,
};
use clockwright_sql::text::{WIDE, wide};
use serde::{Deserialize, Serialize};

/// The event as one line of JSON, without a line break.
#[must_use]
pub fn to_json(event: &Event) -> String {
    serde_json::to_string(&Wire::from(event)).expect("strings and numbers always become JSON")
}

/// Reads [`to_json`] back; `None` for anything else.
#[must_use]
pub fn from_json(text: &str) -> Option<Event> {
    serde_json::from_str::<Wire>(text).ok()?.event()
}

/// As [`to_json`], with texts cut as a store would cut them.
pub(crate) fn to_short_json(event: &Event) -> String {
    let mut wire = Wire::from(event);
    let text = match &mut wire {
        Wire::Execution { failure_cause, .. } => failure_cause.as_mut(),
        Wire::Status { message, .. } => Some(message),
        Wire::Settlement { reason, .. } | Wire::Change { reason, .. } => Some(reason),
    };
    if let Some(text) = text
        && text.len() > WIDE
        && let std::borrow::Cow::Owned(cut) = wide(text)
    {
        *text = cut;
    }
    serde_json::to_string(&wire).expect("strings and numbers always become JSON")
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one at a time, on its way to text")]
enum Wire {
    Execution {
        id: String,
        job: String,
        task_id: String,
        hostname: String,
        ip: String,
        item: Item,
        source: String,
        start: Millis,
        complete: Option<Millis>,
        success: bool,
        failure_cause: Option<String>,
    },
    Status {
        id: String,
        job: String,
        original_task_id: String,
        task_id: String,
        slave_id: String,
        source: String,
        items: Vec<Item>,
        failover: bool,
        state: String,
        message: String,
        at: Millis,
    },
    Settlement {
        /// Spools of versions that kept no namespace have none.
        #[serde(default)]
        namespace: String,
        job: String,
        item: Item,
        fire: String,
        range: Option<(Millis, u64)>,
        outcome: String,
        failure_kind: Option<String>,
        reason: String,
        /// Spools of versions that knew no codes have none.
        reason_code: Option<String>,
        reason_params: Option<serde_json::Value>,
        coalesced_into: Option<String>,
        attempt: u32,
        run_id: Option<String>,
        token: i64,
        source: String,
        instance: String,
        claimed: Option<Millis>,
        start: Option<Millis>,
        at: Millis,
        /// Spools of versions that kept no logs have none.
        log: Option<String>,
    },
    Change {
        namespace: String,
        job: Option<String>,
        change: String,
        subject: String,
        transaction: i64,
        by: String,
        reason: String,
        at: Millis,
        witness: String,
    },
}

impl From<&Event> for Wire {
    fn from(event: &Event) -> Self {
        match event {
            Event::Execution(e) => Wire::Execution {
                id: e.id.to_string(),
                job: e.job.to_string(),
                task_id: e.task_id.to_string(),
                hostname: e.hostname.to_string(),
                ip: e.ip.to_string(),
                item: e.item,
                source: e.source.as_str().to_owned(),
                start: e.start,
                complete: e.complete,
                success: e.success,
                failure_cause: e.failure_cause.clone(),
            },
            Event::Status(s) => Wire::Status {
                id: s.id.to_string(),
                job: s.job.to_string(),
                original_task_id: s.original_task_id.to_string(),
                task_id: s.task_id.to_string(),
                slave_id: s.slave_id.to_string(),
                source: s.source.as_str().to_owned(),
                items: s.items.clone(),
                failover: s.failover,
                state: s.state.as_str().to_owned(),
                message: s.message.clone(),
                at: s.at,
            },
            Event::Settlement(s) => {
                let (failure_kind, coalesced_into) = match &s.outcome {
                    Outcome::Failed { kind, .. } => (Some(kind.as_str().to_owned()), None),
                    Outcome::Coalesced { into } => (None, Some(into.to_string())),
                    _ => (None, None),
                };
                Wire::Settlement {
                    namespace: s.namespace.to_string(),
                    job: s.job.to_string(),
                    item: s.item,
                    fire: s.fire.to_string(),
                    range: s.range,
                    outcome: s.outcome.word().to_owned(),
                    failure_kind,
                    reason: s.outcome.reason(),
                    reason_code: s.outcome.why().map(|reason| reason.code().to_owned()),
                    reason_params: s.outcome.why().and_then(|reason| reason.stored_parameters(WIDE)),
                    coalesced_into,
                    attempt: s.attempt,
                    run_id: s.run_id.map(|id| id.to_string()),
                    token: s.token,
                    source: s.source.as_str().to_owned(),
                    instance: s.instance.to_string(),
                    claimed: s.claimed,
                    start: s.start,
                    at: s.at,
                    log: s.log.as_deref().map(str::to_owned),
                }
            }
            Event::Change(c) => Wire::Change {
                namespace: c.namespace.to_string(),
                job: c.job.as_ref().map(ToString::to_string),
                change: c.kind.as_str().to_owned(),
                subject: c.subject.to_string(),
                transaction: c.transaction,
                by: c.by.to_string(),
                reason: c.reason.to_string(),
                at: c.at,
                witness: c.witness.to_string(),
            },
        }
    }
}

impl Wire {
    fn event(self) -> Option<Event> {
        Some(match self {
            Wire::Execution {
                id,
                job,
                task_id,
                hostname,
                ip,
                item,
                source,
                start,
                complete,
                success,
                failure_cause,
            } => Event::Execution(Execution {
                id: RunId::parse(&id)?,
                job: JobName::new(&job).ok()?,
                task_id: task_id.into(),
                hostname: hostname.into(),
                ip: ip.into(),
                item,
                source: ExecutionSource::parse(&source)?,
                start,
                complete,
                success,
                failure_cause,
            }),
            Wire::Status {
                id,
                job,
                original_task_id,
                task_id,
                slave_id,
                source,
                items,
                failover,
                state,
                message,
                at,
            } => Event::Status(StatusTrace {
                id: RunId::parse(&id)?,
                job: JobName::new(&job).ok()?,
                original_task_id: original_task_id.into(),
                task_id: task_id.into(),
                slave_id: slave_id.into(),
                source: TraceSource::parse(&source)?,
                items,
                failover,
                state: TaskState::parse(&state)?,
                message,
                at,
            }),
            Wire::Settlement {
                namespace,
                job,
                item,
                fire,
                range,
                outcome,
                failure_kind,
                reason,
                reason_code,
                reason_params,
                coalesced_into,
                attempt,
                run_id,
                token,
                source,
                instance,
                claimed,
                start,
                at,
                log,
            } => Event::Settlement(Settlement {
                namespace: namespace.into(),
                job: JobName::new(&job).ok()?,
                item,
                fire: fire.parse().ok()?,
                range,
                outcome: {
                    let reason = Reason::stored(reason_code.as_deref(), reason_params.as_ref(), &reason);
                    read_outcome(&outcome, reason, failure_kind.as_deref(), coalesced_into.as_deref())?
                },
                attempt,
                run_id: run_id.map(|id| RunId::parse(&id).ok_or(())).transpose().ok()?,
                token,
                source: Source::parse(&source)?,
                instance: InstanceId::from_wire(&instance),
                claimed,
                start,
                at,
                log: log.map(Into::into),
            }),
            Wire::Change { namespace, job, change, subject, transaction, by, reason, at, witness } => {
                Event::Change(Change {
                    namespace: namespace.into(),
                    job: job.map(|job| JobName::new(&job)).transpose().ok()?,
                    kind: ChangeKind::parse(&change)?,
                    subject: subject.into(),
                    transaction,
                    by: by.into(),
                    reason: reason.into(),
                    at,
                    witness: InstanceId::from_wire(&witness),
                })
            }
        })
    }
}

fn read_outcome(word: &str, reason: Reason, kind: Option<&str>, into: Option<&str>) -> Option<Outcome> {
    Some(match word {
        "succeeded" => Outcome::Succeeded,
        "failed" => Outcome::Failed { kind: FailureKind::parse(kind?)?, reason },
        "skipped" => Outcome::Skipped { reason },
        "coalesced" => Outcome::Coalesced { into: into?.parse::<Fire>().ok()? },
        "missed" => Outcome::Missed { reason },
        "cancelled" => Outcome::Cancelled { reason },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn settlement(outcome: Outcome) -> Event {
        Event::Settlement(Settlement {
            namespace: "team/日".into(),
            job: JobName::new("日报 \"x\"").unwrap(),
            item: 3,
            fire: Fire::Trigger { at: -5, id: "a/b\n\0".into() },
            range: Some((-9, 2)),
            outcome,
            attempt: 2,
            run_id: Some(RunId::new(7, 8)),
            token: i64::MAX,
            source: Source::Failover,
            instance: InstanceId::from_wire("10.0.0.1@-@7"),
            claimed: Some(3),
            start: None,
            at: i64::MIN,
            log: Some("2023-11-15/12.log:0+9".into()),
        })
    }

    #[test]
    fn every_event_reads_back_as_it_was() {
        let text = || "because\n😀\0\"".to_owned();
        let reason = || Reason::Panicked { text: text() };
        let mut events: Vec<Event> = [
            Outcome::Succeeded,
            Outcome::Skipped { reason: reason() },
            Outcome::Coalesced { into: Fire::Scheduled(1) },
            Outcome::Missed { reason: reason() },
            Outcome::Cancelled { reason: text().into() },
        ]
        .into_iter()
        .chain(
            [
                FailureKind::Job,
                FailureKind::Panic,
                FailureKind::Timeout,
                FailureKind::OwnerLost,
                FailureKind::Start,
            ]
            .map(|kind| Outcome::Failed { kind, reason: reason() }),
        )
        .map(settlement)
        .collect();
        for source in ExecutionSource::ALL {
            events.push(Event::Execution(Execution {
                id: RunId::new(1, 2),
                job: JobName::new("j").unwrap(),
                task_id: "t".into(),
                hostname: "h".into(),
                ip: "i".into(),
                item: 0,
                source,
                start: 5,
                complete: Some(6),
                success: true,
                failure_cause: Some(text()),
            }));
        }
        for (n, state) in TaskState::ALL.into_iter().enumerate() {
            events.push(Event::Status(StatusTrace {
                id: RunId::new(1, 2),
                job: JobName::new("j").unwrap(),
                original_task_id: "o".into(),
                task_id: "t".into(),
                slave_id: "s".into(),
                source: TraceSource::ALL[n % 3],
                items: vec![0, 7],
                failover: true,
                state,
                message: text(),
                at: 9,
            }));
        }
        for kind in ChangeKind::all() {
            events.push(Event::Change(Change { kind, ..crate::testing::change(kind.as_str().len() as i64) }));
        }
        for event in events {
            let text = to_json(&event);
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(from_json(&text), Some(event));
        }
        assert_eq!(from_json("{\"kind\":\"execution\"}"), None);
        assert_eq!(from_json("nonsense"), None);
    }

    #[test]
    fn an_outcome_that_an_earlier_version_spooled_reads_back_without_what_it_did_not_keep() {
        let text = to_json(&settlement(Outcome::Succeeded));
        let mut old: serde_json::Map<_, _> = serde_json::from_str(&text).unwrap();
        for later in ["log", "namespace", "reason_code", "reason_params", "claimed"] {
            assert!(old.remove(later).is_some(), "{later}");
        }
        let old = serde_json::to_string(&old).unwrap();
        let Some(Event::Settlement(read)) = from_json(&old) else { panic!("{old}") };
        assert_eq!((read.log, &*read.namespace, read.claimed), (None, "", None));
    }

    #[test]
    fn a_short_form_is_cut_as_a_store_would() {
        let event = settlement(Outcome::Missed { reason: "x".repeat(1 << 20).into() });
        let text = to_short_json(&event);
        assert!(text.len() < 5000);
        let Some(Event::Settlement(read)) = from_json(&text) else { panic!("{text}") };
        assert_eq!(read.outcome.reason().chars().count(), 4000);
    }
}
