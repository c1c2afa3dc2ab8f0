//! The claim cursor: one persistent node per item that says who runs which fire, and how the last one ended.
//!
//! # Why a cursor
//! An ephemeral mark is no lock: it can vanish while its owner still runs, and a mark that is deleted and made again has
//! the same version as before. The cursor is never deleted while the item exists, so its version only grows; a claim, a
//! retry, a takeover and a completion are each one conditional set of it. Whoever sets it with the version it read owns what
//! it wrote; everybody else gets a conflict and reads again. The registry's transaction number of the claim is the run's
//! fencing token.
//!
//! # States
//! ```text
//!            claim                    complete
//! (absent) ───────► Running{owner} ───────────► Ended{outcome} ──┐ claim of the next fire
//!                    │   ▲                                       │
//!      owner's session   └───────────────────────────────────────┘
//!      is gone:      │   ▲ takeover, or retry: attempt + 1
//!                    └───┘
//! ```
//! `settled` is the schedule's part: every scheduled instant up to and including it has an outcome or is the fire in `run`.
//! A claim moves it forward and names in `gap` what became of the instants in between, so that even a crash right after the
//! claim loses no outcome: the next owner finds them here and records them again under the same key.
//!
//! # Outcomes on their way
//! An outcome is on record a moment after it is in the cursor, and the next claim overwrites the cursor at once. So each change of
//! a cursor carries the item's earlier outcomes that were not yet known to be stored, in `kept`. Whoever finds them there
//! records them again, and keeps them until they are stored: an instance that is killed between a run's end and the record
//! of it loses nothing. As a rule there is none, since a record takes less time than the wait for the next fire.
//!
//! # It never goes back
//! Of two cursors of one item the later one has the greater `resumed`, or the same and the greater `settled`. One that is older than
//! another that was seen before, or that is gone, was changed by hand or lost with its registry, and nobody may go on from it as if
//! nothing had happened: the item is held ([`crate::held`]).

use crate::held::{Held, HeldWire};
use clockwright_model::{
    FailureKind, Fire, InstanceId, Item, JobName, Millis, Outcome, Reason, RunId, Settlement, Source, Token,
};
use clockwright_planner::Range;
use clockwright_planner::invariants::{ClaimObserved, CursorObserved};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// What a cursor node says. An engine keeps one for each of its items: what most of them lack has a place of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Every scheduled instant up to and including this has an outcome, or is the fire of `run`.
    pub settled: Millis,
    /// Which schedule `settled` is about: a hash of its text and zone. Under another schedule `settled` says nothing about
    /// instants before the settings changed.
    pub schedule: u32,
    /// That schedule itself, so that instants which passed under it get their outcomes when it was replaced meanwhile. `None`: the
    /// cursor was written by a version that did not say.
    pub rule: Option<Arc<Rule>>,
    /// The last claim, if there was one.
    pub run: Option<Box<Claim>>,
    /// A manual trigger that waits for the item to become free.
    pub pending: Option<Fire>,
    /// Ranges of instants that the last change of `settled` passed over, and what became of them.
    pub gap: Vec<Range>,
    /// Earlier outcomes of the item that may not be on record yet, oldest first; see the module.
    pub kept: Vec<Kept>,
    /// Nothing is claimed, since it is not certain from where the item is to go on.
    pub held: Option<Box<Held>>,
    /// When somebody said last from where a held item goes on, epoch milliseconds; 0: never.
    pub resumed: Millis,
    /// The registry's generation ([`clockwright_registry::generation`]) that somebody vouched for this cursor in.
    pub generation: i64,
}

/// When a job is due, as its settings say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// See [`JobSettings::cron`](clockwright_model::JobSettings).
    pub cron: String,
    /// See [`JobSettings::time_zone`](clockwright_model::JobSettings).
    pub zone: Option<String>,
}

/// One claim of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The fire.
    pub fire: Fire,
    /// From 1.
    pub attempt: u32,
    /// The attempt's identity.
    pub run_id: RunId,
    /// The claimer.
    pub owner: InstanceId,
    /// The claimer's registry session; with `owner` it is the claimer's incarnation.
    pub session: i64,
    /// Why.
    pub source: Source,
    /// When, by the claimer's clock.
    pub at: Millis,
    /// The fencing token. It is the transaction of the claim itself, so the claim's own node cannot say it: whoever reads an open
    /// claim takes it from the node, and every later change of the cursor writes it down.
    pub token: Token,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
}

/// An outcome that may not be on record yet: a settlement without what its cursor's place says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// See [`Settlement`].
    pub fire: Fire,
    /// See [`Settlement`].
    pub range: Option<(Millis, u64)>,
    /// See [`Settlement`].
    pub outcome: Outcome,
    /// See [`Settlement`].
    pub attempt: u32,
    /// See [`Settlement`].
    pub run_id: Option<RunId>,
    /// See [`Settlement`].
    pub token: Token,
    /// See [`Settlement`].
    pub source: Source,
    /// See [`Settlement`].
    pub instance: InstanceId,
    /// See [`Settlement`].
    pub claimed: Option<Millis>,
    /// See [`Settlement`].
    pub start: Option<Millis>,
    /// See [`Settlement`].
    pub at: Millis,
    /// See [`Settlement`].
    pub log: Option<Arc<str>>,
}

impl Kept {
    /// What is to be kept of a settlement.
    #[must_use]
    pub fn of(settlement: &Settlement) -> Self {
        let Settlement {
            fire,
            range,
            outcome,
            attempt,
            run_id,
            token,
            source,
            instance,
            claimed,
            start,
            at,
            log,
            ..
        } = settlement.clone();
        Self { fire, range, outcome, attempt, run_id, token, source, instance, claimed, start, at, log }
    }

    /// The settlement again.
    #[must_use]
    pub fn settlement(self, namespace: &str, job: JobName, item: Item) -> Settlement {
        let Self { fire, range, outcome, attempt, run_id, token, source, instance, claimed, start, at, log } =
            self;
        Settlement {
            namespace: namespace.into(),
            job,
            item,
            fire,
            range,
            outcome,
            attempt,
            run_id,
            token,
            source,
            instance,
            claimed,
            start,
            at,
            log,
        }
    }
}

impl Cursor {
    /// A cursor of an item that never ran: its schedule counts from `since`.
    #[must_use]
    pub fn starting(since: Millis, schedule: u32, rule: Option<Arc<Rule>>) -> Self {
        Self {
            settled: since,
            schedule,
            rule,
            run: None,
            pending: None,
            gap: Vec::new(),
            kept: Vec::new(),
            held: None,
            resumed: 0,
            generation: 0,
        }
    }

    /// The claim that has no outcome yet.
    #[must_use]
    pub fn running(&self) -> Option<&Claim> {
        self.run.as_deref().filter(|claim| claim.outcome.is_none())
    }

    /// What the [invariants](clockwright_planner::invariants) see of it, without the outcomes on their way: those are of an item, which
    /// is not known here.
    #[must_use]
    pub fn observed(&self) -> CursorObserved {
        CursorObserved {
            settled: self.settled,
            schedule: self.schedule,
            run: self.run.as_ref().map(|claim| ClaimObserved {
                fire: claim.fire.clone(),
                attempt: claim.attempt,
                run: claim.run_id,
                owner: claim.owner.clone(),
                session: claim.session,
                source: claim.source,
                decided_at: claim.at,
                outcome: claim.outcome.clone(),
            }),
            pending: self.pending.clone(),
            gap: self.gap.clone(),
            kept: Vec::new(),
        }
    }

    /// The node's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = CursorWire {
            settled: self.settled,
            schedule: self.schedule,
            cron: self.rule.as_ref().map(|rule| rule.cron.as_str().into()),
            zone: self.rule.as_ref().and_then(|rule| Some(rule.zone.as_deref()?.into())),
            run: self.run.as_ref().map(|claim| ClaimWire {
                fire: claim.fire.to_string(),
                attempt: claim.attempt,
                run: claim.run_id.to_string(),
                owner: claim.owner.as_str().into(),
                session: claim.session,
                source: claim.source.as_str().into(),
                at: claim.at,
                token: claim.token,
                outcome: claim.outcome.as_ref().map(OutcomeWire::of),
            }),
            pending: self.pending.as_ref().map(ToString::to_string),
            gap: self
                .gap
                .iter()
                .map(|gap| GapWire {
                    from: gap.from,
                    to: gap.to,
                    count: gap.count,
                    outcome: OutcomeWire::of(&gap.outcome),
                })
                .collect(),
            kept: self.kept.iter().map(KeptWire::of).collect(),
            held: self.held.as_deref().map(HeldWire::of),
            resumed: self.resumed,
            generation: self.generation,
        };
        serde_json::to_vec(&wire).expect("a cursor has only strings and numbers")
    }

    /// Reads a node's data.
    ///
    /// # Errors
    /// The data was not written by Clockwright, or is damaged; says where.
    pub fn from_bytes(data: &[u8]) -> Result<Self, CursorError> {
        let wire: CursorWire =
            serde_json::from_slice(data).map_err(|error| CursorError(error.to_string()))?;
        let bad = |what: &str| CursorError(format!("bad {what}"));
        let run = match wire.run {
            None => None,
            Some(claim) => Some(Box::new(Claim {
                fire: claim.fire.parse().map_err(|_| bad("fire"))?,
                attempt: claim.attempt,
                run_id: RunId::parse(&claim.run).ok_or_else(|| bad("run id"))?,
                owner: InstanceId::from_wire(&claim.owner),
                session: claim.session,
                source: Source::parse(&claim.source).ok_or_else(|| bad("source"))?,
                at: claim.at,
                token: claim.token,
                outcome: claim.outcome.map(OutcomeWire::read).transpose()?,
            })),
        };
        let pending =
            wire.pending.map(|text| text.parse()).transpose().map_err(|_| bad("pending trigger"))?;
        let gap = wire
            .gap
            .into_iter()
            .map(|gap| {
                Ok(Range { from: gap.from, to: gap.to, count: gap.count, outcome: gap.outcome.read()? })
            })
            .collect::<Result<_, CursorError>>()?;
        let kept = wire.kept.into_iter().map(KeptWire::read).collect::<Result<_, CursorError>>()?;
        let zone = wire.zone.map(Cow::into_owned);
        let rule = wire.cron.map(|cron| Arc::new(Rule { cron: cron.into_owned(), zone }));
        Ok(Self {
            settled: wire.settled,
            schedule: wire.schedule,
            rule,
            run,
            pending,
            gap,
            kept,
            held: wire.held.map(|held| Box::new(held.read())),
            resumed: wire.resumed,
            generation: wire.generation,
        })
    }
}

/// A cursor node that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CursorError(String);

/// Longest reason kept in a cursor, in characters; the full text is in the events.
const MAX_REASON: usize = 200;

#[derive(Serialize, Deserialize)]
struct CursorWire<'a> {
    settled: Millis,
    schedule: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cron: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    zone: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    run: Option<ClaimWire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pending: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    gap: Vec<GapWire>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    kept: Vec<KeptWire>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    held: Option<HeldWire>,
    #[serde(skip_serializing_if = "is_unknown", default)]
    resumed: Millis,
    #[serde(skip_serializing_if = "is_unknown", default)]
    generation: i64,
}

#[derive(Serialize, Deserialize)]
struct ClaimWire<'a> {
    fire: String,
    attempt: u32,
    run: String,
    owner: Cow<'a, str>,
    session: i64,
    source: Cow<'a, str>,
    at: Millis,
    #[serde(skip_serializing_if = "is_unknown", default)]
    token: Token,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    outcome: Option<OutcomeWire>,
}

/// A number that is not written: a claim's own node does not know its token yet.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_unknown(token: &Token) -> bool {
    *token == 0
}

#[derive(Serialize, Deserialize)]
struct GapWire {
    from: Millis,
    to: Millis,
    count: u64,
    #[serde(flatten)]
    outcome: OutcomeWire,
}

#[derive(Serialize, Deserialize)]
struct KeptWire {
    fire: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    range: Option<(Millis, u64)>,
    #[serde(skip_serializing_if = "is_none_yet", default)]
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    run: Option<String>,
    #[serde(skip_serializing_if = "is_unknown", default)]
    token: Token,
    source: String,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    claimed: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    start: Option<Millis>,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    log: Option<String>,
    #[serde(flatten)]
    outcome: OutcomeWire,
}

/// Nothing ran.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none_yet(attempt: &u32) -> bool {
    *attempt == 0
}

impl KeptWire {
    fn of(kept: &Kept) -> Self {
        Self {
            fire: kept.fire.to_string(),
            range: kept.range,
            attempt: kept.attempt,
            run: kept.run_id.as_ref().map(ToString::to_string),
            token: kept.token,
            source: kept.source.as_str().to_owned(),
            by: kept.instance.as_str().to_owned(),
            claimed: kept.claimed,
            start: kept.start,
            at: kept.at,
            log: kept.log.as_ref().map(ToString::to_string),
            outcome: OutcomeWire::of(&kept.outcome),
        }
    }

    fn read(self) -> Result<Kept, CursorError> {
        let bad = |what: &str| CursorError(format!("bad {what} of an outcome on its way"));
        let run_id = self.run.map(|run| RunId::parse(&run).ok_or_else(|| bad("run id"))).transpose()?;
        Ok(Kept {
            fire: self.fire.parse().map_err(|_| bad("fire"))?,
            range: self.range,
            outcome: self.outcome.read()?,
            attempt: self.attempt,
            run_id,
            token: self.token,
            source: Source::parse(&self.source).ok_or_else(|| bad("source"))?,
            instance: InstanceId::from_wire(&self.by),
            claimed: self.claimed,
            start: self.start,
            at: self.at,
            log: self.log.map(Into::into),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct OutcomeWire {
    is: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    kind: Option<String>,
    /// In English, for people and for versions that know no codes; for what was coalesced the other fire.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    why: String,
    /// Versions that knew no codes wrote none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    params: Option<serde_json::Value>,
}

impl OutcomeWire {
    fn of(outcome: &Outcome) -> Self {
        let kind = match outcome {
            Outcome::Failed { kind, .. } => Some(kind.as_str().to_owned()),
            _ => None,
        };
        let why = match outcome {
            Outcome::Coalesced { into } => into.to_string(),
            _ => outcome.reason().chars().take(MAX_REASON).collect(),
        };
        let code = outcome.why().map(|reason| reason.code().to_owned());
        let params = outcome.why().and_then(|reason| reason.stored_parameters(MAX_REASON));
        Self { is: outcome.word().to_owned(), kind, why, code, params }
    }

    fn read(self) -> Result<Outcome, CursorError> {
        if self.is == "coalesced" {
            let into = self.why.parse().map_err(|_| CursorError("bad coalesced fire".into()))?;
            return Ok(Outcome::Coalesced { into });
        }
        let reason = Reason::stored(self.code.as_deref(), self.params.as_ref(), &self.why);
        Ok(match self.is.as_str() {
            "succeeded" => Outcome::Succeeded,
            "failed" => Outcome::Failed {
                kind: self.kind.as_deref().and_then(FailureKind::parse).unwrap_or(FailureKind::Job),
                reason,
            },
            "skipped" => Outcome::Skipped { reason },
            "missed" => Outcome::Missed { reason },
            "cancelled" => Outcome::Cancelled { reason },
            other => return Err(CursorError(format!("unknown outcome `{other}`"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::Resume;

    fn claim(outcome: Option<Outcome>) -> Claim {
        Claim {
            fire: Fire::Scheduled(5_000),
            attempt: 2,
            run_id: RunId::new(5_000, 7),
            owner: InstanceId::of_process("10.0.0.1", 9, 0),
            session: -3,
            source: Source::Misfire,
            at: 5_001,
            token: 77,
            outcome,
        }
    }

    fn kept(run_id: Option<RunId>, range: Option<(Millis, u64)>) -> Kept {
        Kept {
            fire: Fire::Scheduled(4_000),
            range,
            outcome: Outcome::Succeeded,
            attempt: u32::from(run_id.is_some()),
            token: run_id.map_or(0, |_| 71),
            claimed: run_id.map(|_| 4_000),
            start: run_id.map(|_| 4_001),
            log: run_id.map(|_| "2026-11-27/13-1.log:4096+512".into()),
            run_id,
            source: Source::Schedule,
            instance: InstanceId::of_process("10.0.0.2", 9, 0),
            at: 4_100,
        }
    }

    #[test]
    fn a_cursor_reads_back_what_it_wrote() {
        let failed = Outcome::Failed { kind: FailureKind::Timeout, reason: Reason::TimedOut { limit: 50 } };
        let gap = Range {
            from: 1,
            to: 4_000,
            count: 4,
            outcome: Outcome::Coalesced { into: Fire::Scheduled(5_000) },
        };
        for cursor in [
            Cursor::starting(9, 1, None),
            Cursor {
                settled: 5_000,
                schedule: 2,
                rule: Some(Arc::new(Rule { cron: "0 0 9 * * ?".into(), zone: Some("Europe/Berlin".into()) })),
                run: Some(Box::new(claim(None))),
                pending: None,
                gap: vec![gap],
                kept: vec![kept(Some(RunId::new(4_000, 6)), None), kept(None, Some((1_000, 3)))],
                held: Some(Box::new(Held {
                    reason: Reason::CursorUnreadable { text: "oops".into() },
                    at: 7,
                    resume: None,
                })),
                resumed: 0,
                generation: 1 << 48,
            },
            Cursor {
                settled: 5_000,
                schedule: u32::MAX,
                rule: Some(Arc::new(Rule { cron: String::new(), zone: None })),
                run: Some(Box::new(claim(Some(failed)))),
                pending: Some(Fire::Trigger { at: 6, id: "t7".into() }),
                gap: vec![],
                kept: vec![],
                held: Some(Box::new(Held {
                    reason: Reason::CursorGone {},
                    at: 7,
                    resume: Some(Resume { from: 5, at: 9, by: "anna".into() }),
                })),
                resumed: 3,
                generation: 0,
            },
        ] {
            assert_eq!(Cursor::from_bytes(&cursor.to_bytes()), Ok(cursor));
        }
    }

    #[test]
    fn an_outcome_of_a_version_without_codes_keeps_its_words() {
        let old =
            r#"{"settled":1,"schedule":1,"gap":[{"from":1,"to":1,"count":1,"is":"missed","why":"so"}]}"#;
        let cursor = Cursor::from_bytes(old.as_bytes()).expect("it was written so");
        assert_eq!(cursor.gap[0].outcome, Outcome::Missed { reason: Reason::Other { text: "so".into() } });
        // And such a version finds words in what this one writes.
        let late = Outcome::Missed { reason: Reason::Late { tolerance: 5 } };
        let new = Cursor { gap: vec![Range { outcome: late, ..cursor.gap[0].clone() }], ..cursor };
        let text = String::from_utf8(new.to_bytes().to_vec()).expect("JSON");
        assert!(
            text.contains(r#""why":"late by more than 5 ms","code":"late","params":{"tolerance":5}"#),
            "{text}"
        );
    }

    #[test]
    fn a_foreign_or_damaged_cursor_is_an_error_not_a_panic() {
        for bad in ["", "{}", "null", "[{}]", r#"{"settled":1,"run":{"fire":"x"}}"#] {
            assert!(Cursor::from_bytes(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
