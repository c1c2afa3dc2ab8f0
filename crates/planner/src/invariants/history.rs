//! The rules that need memory: everything seen so far, one observation after the other.

use super::rules::{m_s2_grows, m_s5_plan_total, m_s7_each_instant_once, m_s13_catch_up_within_policy};
use super::{ClaimObserved, CompletionObserved, CursorObserved, PlanObserved, Scope, Violation, hold};
use crate::{RANGE_COUNT_CAP, Schedule};
use clockwright_model::{
    Fire, InstanceId, Item, JobName, Millis, Misfire, Outcome, Settlement, Source, Token,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What has been seen, in the order in which the registry took it.
///
/// Feed it every accepted write and the beginning and end of every run; each call checks what it adds. The first error is
/// the earliest broken rule; what is fed after an error is checked against whatever was recorded before it.
#[derive(Debug, Default)]
pub struct History {
    plans: HashMap<JobName, PlanObserved>,
    policies: HashMap<(JobName, u32), Policy>,
    current: HashMap<JobName, u32>,
    items: HashMap<(JobName, Item), ItemHistory>,
    departed: HashSet<InstanceId>,
    off: HashSet<Scope>,
}

#[derive(Debug, Clone)]
struct Policy {
    schedule: Schedule,
    misfire: Misfire,
    tolerance: Millis,
}

/// What has been seen of one item.
#[derive(Debug, Default)]
struct ItemHistory {
    claim: Option<ClaimObserved>,
    /// The last claim has a completion, or its attempt is known to have failed.
    attempt_over: bool,
    cursor: Option<CursorObserved>,
    /// Runs whose code goes on and still counts, by token.
    running: BTreeMap<Token, InstanceId>,
    /// Fires with their accepted, deciding completion.
    completed: HashSet<Fire>,
    triggers: HashSet<String>,
    /// Recorded outcomes of due instants: first instant to (last instant, count, outcome).
    settled: BTreeMap<Millis, (Millis, u64, Outcome)>,
    settled_triggers: HashMap<String, Outcome>,
    /// Fires that others were coalesced into.
    stands_for_others: HashSet<Millis>,
}

impl History {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A job's schedule and policy from now on, under the number that its cursors give the schedule.
    pub fn schedule(
        &mut self,
        job: &JobName,
        id: u32,
        schedule: Schedule,
        misfire: Misfire,
        tolerance: Millis,
    ) {
        self.policies.insert((job.clone(), id), Policy { schedule, misfire, tolerance });
        self.current.insert(job.clone(), id);
    }

    /// An instance's registration is gone from the registry: its process or its session ended.
    pub fn departed(&mut self, instance: &InstanceId) {
        self.departed.insert(instance.clone());
    }

    /// An instance is registered (again).
    pub fn arrived(&mut self, instance: &InstanceId) {
        self.departed.remove(instance);
    }

    /// Something was disabled, or enabled again.
    pub fn switched(&mut self, scope: Scope, on: bool) {
        if on {
            self.off.remove(&scope);
        } else {
            self.off.insert(scope);
        }
    }

    /// A plan was written.
    ///
    /// # Errors
    /// M-S1, M-S2, M-S5.
    pub fn plan(&mut self, plan: PlanObserved) -> Result<(), Violation> {
        m_s5_plan_total(&plan)?;
        if let Some(before) = self.plans.get(&plan.job) {
            hold(before.epoch != plan.epoch || before.leader == plan.leader, "M-S1", || {
                format!(
                    "{} and {} both planned {} in epoch {}",
                    before.leader, plan.leader, plan.job, plan.epoch
                )
            })?;
            m_s2_grows(&format!("the plan epoch of {}", plan.job), Some(before.epoch), plan.epoch)?;
        }
        self.plans.insert(plan.job.clone(), plan);
        Ok(())
    }

    /// A claim was accepted.
    ///
    /// # Errors
    /// M-S2, M-S3, M-S6, M-S10, M-S12, M-S13, M-S14.
    pub fn claim(&mut self, claim: ClaimObserved) -> Result<(), Violation> {
        let place = format!("item {} of {}", claim.item, claim.job);
        self.enabled(&claim, &place)?;
        self.owner(&claim, &place)?;
        if let Some(policy) =
            self.current.get(&claim.job).and_then(|id| self.policies.get(&(claim.job.clone(), *id)))
        {
            m_s13_catch_up_within_policy(&policy.schedule, policy.misfire, policy.tolerance, &claim)?;
        }
        let departed = &self.departed;
        let item = self.items.entry((claim.job.clone(), claim.item)).or_default();
        m_s2_grows(
            &format!("the token of {place}"),
            item.claim.as_ref().map(|before| before.token),
            claim.token,
        )?;
        let before = item.claim.as_ref().filter(|before| before.fire == claim.fire);
        let expected = before.map_or(1, |before| before.attempt + 1);
        if let (Fire::Trigger { id, .. }, 1) = (&claim.fire, claim.attempt) {
            hold(item.triggers.insert(id.clone()), "M-S14", || {
                format!("trigger {id} was run twice for {place}")
            })?;
        }
        hold(claim.attempt == expected, "M-S6", || {
            format!(
                "{place}: attempt {} of fire {} was claimed, {expected} is next",
                claim.attempt, claim.fire
            )
        })?;
        hold(!item.completed.contains(&claim.fire), "M-S6", || {
            format!("{place}: fire {} was claimed again after its outcome was accepted", claim.fire)
        })?;
        if let Some(before) = &item.claim {
            let over = item.attempt_over
                || departed.contains(&before.instance)
                || !item.running.contains_key(&before.token);
            let decided = item.completed.contains(&before.fire) || before.fire == claim.fire;
            hold(over && decided, "M-S6", || {
                format!(
                    "{place}: fire {} was claimed while attempt {} of fire {} on {} was neither over nor fenced",
                    claim.fire, before.attempt, before.fire, before.instance
                )
            })?;
        }
        item.attempt_over = false;
        item.claim = Some(claim);
        Ok(())
    }

    fn enabled(&self, claim: &ClaimObserved, place: &str) -> Result<(), Violation> {
        let scopes = [
            Scope::Job(claim.job.clone()),
            Scope::Item(claim.job.clone(), claim.item),
            Scope::Server(claim.job.clone(), claim.instance.ip().to_owned()),
        ];
        let off = scopes.iter().find(|scope| self.off.contains(scope));
        hold(off.is_none(), "M-S10", || {
            format!("{place} was claimed by {} though {off:?} is disabled", claim.instance)
        })
    }

    fn owner(&self, claim: &ClaimObserved, place: &str) -> Result<(), Violation> {
        let Some(plan) = self.plans.get(&claim.job) else {
            return hold(false, "M-S3", || {
                format!("{place} was claimed by {} before there was a plan", claim.instance)
            });
        };
        hold((claim.item as usize) < plan.assignment.len(), "M-S12", || {
            format!(
                "{place} was claimed, but the plan of epoch {} has {} items",
                plan.epoch,
                plan.assignment.len()
            )
        })?;
        let owner = plan.assignment[claim.item as usize].as_ref();
        let before = self.items.get(&(claim.job.clone(), claim.item)).and_then(|item| item.claim.as_ref());
        let same_fire = before.filter(|before| before.fire == claim.fire);
        let goes_on = claim.source == Source::Retry
            && same_fire.is_some_and(|before| before.instance == claim.instance);
        let rescues = claim.source == Source::Failover
            && (owner.is_none_or(|owner| self.departed.contains(owner))
                || same_fire.is_some_and(|before| self.departed.contains(&before.instance)));
        hold(owner == Some(&claim.instance) || goes_on || rescues, "M-S3", || {
            format!(
                "{place} was claimed by {}, but belongs to {owner:?} in epoch {}",
                claim.instance, plan.epoch
            )
        })
    }

    /// The job's code begins to run under a token.
    ///
    /// # Errors
    /// M-S4, and M-S8 when the token is not that of the current claim.
    pub fn started(
        &mut self,
        job: &JobName,
        item: Item,
        token: Token,
        instance: &InstanceId,
    ) -> Result<(), Violation> {
        let seen = self.items.entry((job.clone(), item)).or_default();
        let current = seen.claim.as_ref().map(|claim| claim.token);
        if let Some((other, owner)) = seen.running.iter().next() {
            return hold(false, "M-S4", || {
                format!(
                    "item {item} of {job} began on {instance} (token {token}) while {owner} (token {other}) still ran it"
                )
            });
        }
        hold(current == Some(token), "M-S8", || {
            format!(
                "item {item} of {job} began on {instance} with token {token}; the current one is {current:?}"
            )
        })?;
        seen.running.insert(token, instance.clone());
        Ok(())
    }

    /// The job's code under a token has ended, or counts for nothing any more because its lease is over.
    pub fn ended(&mut self, job: &JobName, item: Item, token: Token) {
        if let Some(seen) = self.items.get_mut(&(job.clone(), item)) {
            seen.running.remove(&token);
        }
    }

    /// Somebody tried to write a completion.
    ///
    /// # Errors
    /// M-S6, M-S8.
    pub fn completion(&mut self, completion: &CompletionObserved) -> Result<(), Violation> {
        if !completion.accepted {
            return Ok(());
        }
        let CompletionObserved { job, item, fire, attempt, token, .. } = completion;
        let seen = self.items.entry((job.clone(), *item)).or_default();
        let current = seen.claim.as_ref();
        hold(
            current.is_some_and(|claim| {
                claim.token == *token && claim.attempt == *attempt && claim.fire == *fire
            }),
            "M-S8",
            || {
                format!(
                    "item {item} of {job}: the completion of attempt {attempt} of fire {fire} (token {token}) was accepted, but {current:?} is current"
                )
            },
        )?;
        seen.attempt_over = true;
        if completion.last {
            hold(seen.completed.insert(fire.clone()), "M-S6", || {
                format!("item {item} of {job}: fire {fire} was completed twice")
            })?;
        }
        Ok(())
    }

    /// A cursor was written.
    ///
    /// # Errors
    /// M-S2, M-S7.
    pub fn cursor(&mut self, cursor: CursorObserved) -> Result<(), Violation> {
        let place = format!("item {} of {}", cursor.item, cursor.job);
        let seen = self.items.entry((cursor.job.clone(), cursor.item)).or_default();
        if let Some(before) = &seen.cursor {
            m_s2_grows(&format!("the cursor's version of {place}"), Some(before.version), cursor.version)?;
            if before.schedule == cursor.schedule {
                hold(before.settled <= cursor.settled, "M-S2", || {
                    format!("the cursor of {place} went back from {} to {}", before.settled, cursor.settled)
                })?;
                if let Some(policy) = self.policies.get(&(cursor.job.clone(), cursor.schedule)) {
                    m_s7_each_instant_once(&policy.schedule, before.settled, &cursor)?;
                }
            }
        }
        seen.cursor = Some(cursor);
        Ok(())
    }

    /// An outcome was recorded. The same outcome of the same fire or range may be recorded again.
    ///
    /// # Errors
    /// M-S7 when a fire gets a second disposition.
    pub fn settlement(&mut self, settlement: &Settlement) -> Result<(), Violation> {
        let Settlement { job, item, fire, outcome, .. } = settlement;
        let seen = self.items.entry((job.clone(), *item)).or_default();
        let twice = |other: &Outcome| {
            hold(other == outcome, "M-S7", || {
                format!("item {item} of {job}: fire {fire} is {} and {}", other.word(), outcome.word())
            })
        };
        let (from, to, count) = match (fire, settlement.range) {
            (Fire::Trigger { id, .. }, _) => {
                return match seen.settled_triggers.insert(id.clone(), outcome.clone()) {
                    Some(other) => twice(&other),
                    None => Ok(()),
                };
            }
            (Fire::Scheduled(at), None) => (*at, *at, 1),
            (Fire::Scheduled(to), Some((from, count))) => (from, *to, count),
        };
        let before = seen.settled.range(..=to).next_back();
        if let Some((other_from, (other_to, other_count, other))) = before
            && *other_to >= from
        {
            let same = (*other_from, *other_to, *other_count) == (from, to, count);
            hold(same, "M-S7", || {
                format!(
                    "item {item} of {job}: the outcomes of {other_from}..{other_to} and {from}..{to} overlap"
                )
            })?;
            return twice(other);
        }
        if let Outcome::Coalesced { into: Fire::Scheduled(into) } = outcome {
            seen.stands_for_others.insert(*into);
        }
        seen.settled.insert(from, (to, count, outcome.clone()));
        Ok(())
    }

    /// At the end of an observation: every instant in `(after, until]` of the job's schedule has an outcome for this item,
    /// and every fire that stands for others was really run.
    ///
    /// # Errors
    /// M-S7, M-S13.
    pub fn all_settled(
        &self,
        job: &JobName,
        item: Item,
        after: Millis,
        until: Millis,
    ) -> Result<(), Violation> {
        let empty = ItemHistory::default();
        let seen = self.items.get(&(job.clone(), item)).unwrap_or(&empty);
        let policy = self.current.get(job).and_then(|id| self.policies.get(&(job.clone(), *id)));
        let Some(Policy { schedule, .. }) = policy else {
            return hold(false, "M-S7", || format!("the schedule of {job} was never told"));
        };
        let mut reached = after;
        for (from, (to, count, _)) in seen.settled.range(after.saturating_add(1)..) {
            if *from > until {
                break;
            }
            let missing = schedule.next_after(reached);
            hold(missing.is_none_or(|at| at >= *from), "M-S7", || {
                format!("item {item} of {job}: {missing:?} has no outcome")
            })?;
            let instants = schedule.count(from - 1, *to, RANGE_COUNT_CAP);
            hold(instants == *count, "M-S7", || {
                format!("item {item} of {job}: {instants} instants in {from}..{to} are told as {count}")
            })?;
            reached = *to;
        }
        let missing = schedule.next_after(reached).filter(|at| *at <= until);
        hold(missing.is_none(), "M-S7", || format!("item {item} of {job}: {missing:?} has no outcome"))?;
        for at in seen.stands_for_others.iter().filter(|at| **at <= until) {
            let ran = seen.settled.get(at).is_some_and(|(to, _, outcome)| to == at && outcome.ran());
            hold(ran, "M-S13", || {
                format!("item {item} of {job}: others were coalesced into {at}, which did not run")
            })?;
        }
        Ok(())
    }
}
