//! The rules that need no memory.

use super::{ClaimObserved, CursorObserved};
use super::{ObservedRun, PlanObserved, Violation, hold};
use crate::lifecycle::{Event, State};
use crate::{RANGE_COUNT_CAP, Schedule};
use clockwright_model::{Fire, InstanceId, Millis, Misfire, Source};
use std::collections::{HashMap, HashSet};

/// M-S1: all plans of one job and epoch have one leader.
///
/// # Errors
/// Names the two leaders.
pub fn m_s1_one_leader_per_epoch(plans: &[PlanObserved]) -> Result<(), Violation> {
    let mut leaders = HashMap::new();
    for plan in plans {
        let first = *leaders.entry((&plan.job, plan.epoch)).or_insert(&plan.leader);
        hold(*first == plan.leader, "M-S1", || {
            format!("{} and {} both planned {} in epoch {}", first, plan.leader, plan.job, plan.epoch)
        })?;
    }
    Ok(())
}

/// M-S2: a value that only ever grows; `what` names it.
///
/// # Errors
/// Names both values.
pub fn m_s2_grows(what: &str, before: Option<i64>, after: i64) -> Result<(), Violation> {
    hold(before.is_none_or(|before| before < after), "M-S2", || {
        format!("{what} went from {} to {after}", before.unwrap_or_default())
    })
}

/// M-S4: runs of one item do not overlap while both count. A run counts from its start to its end or its fencing.
///
/// # Errors
/// Names the two runs.
pub fn m_s4_one_unfenced_run(runs: &[ObservedRun]) -> Result<(), Violation> {
    let mut by_item: HashMap<_, Vec<&ObservedRun>> = HashMap::new();
    for run in runs {
        by_item.entry((&run.job, run.item)).or_default().push(run);
    }
    for runs in by_item.values_mut() {
        runs.sort_by_key(|run| (run.start, run.token));
        let mut longest: Option<(&ObservedRun, Millis)> = None;
        for run in runs.iter().copied() {
            let until = run.end.unwrap_or(Millis::MAX).min(run.fenced.unwrap_or(Millis::MAX));
            if let Some((other, other_until)) = longest {
                hold(run.start >= other_until, "M-S4", || {
                    format!(
                        "item {} of {} ran fire {} on {} (token {}) from {} while fire {} on {} (token {}) still went on",
                        run.item,
                        run.job,
                        run.fire,
                        run.instance,
                        run.token,
                        run.start,
                        other.fire,
                        other.instance,
                        other.token
                    )
                })?;
            }
            if longest.is_none_or(|(_, other_until)| until > other_until) {
                longest = Some((run, until));
            }
        }
    }
    Ok(())
}

/// M-S5: with at least one member every item has an owner, and every owner is a member.
///
/// # Errors
/// Names the item.
pub fn m_s5_plan_total(plan: &PlanObserved) -> Result<(), Violation> {
    let members: HashSet<&InstanceId> = plan.members.iter().collect();
    for (item, owner) in plan.assignment.iter().enumerate() {
        match owner {
            None => hold(members.is_empty(), "M-S5", || {
                format!(
                    "item {item} of {} has no owner in epoch {} with {} members",
                    plan.job,
                    plan.epoch,
                    members.len()
                )
            })?,
            Some(owner) => hold(members.contains(owner), "M-S5", || {
                format!(
                    "item {item} of {} was given to {owner} in epoch {}, which is no member",
                    plan.job, plan.epoch
                )
            })?,
        }
    }
    Ok(())
}

/// M-S7: the instants in `(before, cursor.settled]` are each in exactly one gap, or are the fire of the run.
///
/// # Errors
/// Names the instants between which something is missing, or told twice.
pub fn m_s7_each_instant_once(
    schedule: &Schedule,
    before: Millis,
    cursor: &CursorObserved,
) -> Result<(), Violation> {
    let run = match cursor.run {
        Some(Fire::Scheduled(at)) if before < at && at <= cursor.settled => Some((at, at, 1)),
        _ => None,
    };
    let mut told: Vec<_> = cursor.gap.iter().map(|gap| (gap.from, gap.to, gap.count)).collect();
    told.retain(|(_, to, _)| *to > before);
    told.extend(run);
    told.sort_unstable();
    let place = || format!("item {} of {}", cursor.item, cursor.job);
    let mut reached = before;
    for (from, to, count) in told {
        let expected = schedule.next_after(reached);
        hold(expected == Some(from), "M-S7", || {
            format!(
                "{}: after {reached} the next instant is {expected:?}, but {from} has the next disposition",
                place()
            )
        })?;
        hold(schedule.latest_until(to) == Some(to) && to <= cursor.settled, "M-S7", || {
            format!(
                "{}: a disposition ends at {to}, which is no instant up to the cursor {}",
                place(),
                cursor.settled
            )
        })?;
        let instants = schedule.count(reached, to, RANGE_COUNT_CAP);
        hold(instants == count, "M-S7", || {
            format!("{}: {instants} instants in ({reached}, {to}] are told as {count}", place())
        })?;
        reached = to;
    }
    hold(schedule.count(reached, cursor.settled, 1) == 0, "M-S7", || {
        format!(
            "{}: the cursor moved to {} past {:?}, which has no disposition",
            place(),
            cursor.settled,
            schedule.next_after(reached)
        )
    })
}

/// M-S9: an instance whose lease is over runs nothing. `lease_until` has the end of the lease of each instance; one that is
/// not in it has none.
///
/// # Errors
/// Names the run.
pub fn m_s9_no_work_without_lease(
    runs: &[ObservedRun],
    lease_until: &HashMap<InstanceId, Millis>,
    now: Millis,
) -> Result<(), Violation> {
    for run in runs.iter().filter(|run| run.start <= now && run.end.is_none_or(|end| end > now)) {
        let until = lease_until.get(&run.instance).copied().unwrap_or(Millis::MIN);
        hold(until >= now, "M-S9", || {
            format!(
                "{} still runs item {} of {} at {now}; its lease ended at {until}",
                run.instance, run.item, run.job
            )
        })?;
    }
    Ok(())
}

/// M-S13: a run that catches up is one that the policy allows at that time.
///
/// # Errors
/// Says which bound of the policy it breaks.
pub fn m_s13_catch_up_within_policy(
    schedule: &Schedule,
    misfire: Misfire,
    tolerance: Millis,
    claim: &ClaimObserved,
) -> Result<(), Violation> {
    let Fire::Scheduled(at) = claim.fire else { return Ok(()) };
    if claim.source != Source::Misfire || claim.attempt != 1 {
        return Ok(());
    }
    let broken = |why: String| {
        hold(false, "M-S13", || {
            format!("item {} of {} caught up {at} at {}: {why}", claim.item, claim.job, claim.decided_at)
        })
    };
    // All instants up to here were late when the claim was decided; later ones may or may not have been.
    let surely_late = claim.decided_at.saturating_sub(tolerance).saturating_sub(1);
    match misfire {
        Misfire::Skip => broken("the policy is to skip".to_owned()),
        Misfire::FireOnce if schedule.count(at, surely_late, 1) > 0 => {
            broken("it was not the latest".to_owned())
        }
        Misfire::FireAll { cap, .. }
            if schedule.count(at - 1, surely_late, u64::from(cap) + 1) > u64::from(cap) =>
        {
            broken(format!("more than {cap} instants back"))
        }
        Misfire::FireAll { window, .. } if claim.decided_at - at > window => {
            broken(format!("older than the window of {window} ms"))
        }
        Misfire::FireOnce | Misfire::FireAll { .. } => Ok(()),
    }
}

/// M-S14: the first attempts at triggers, each of which must be of another trigger or item.
///
/// # Errors
/// Names the trigger.
pub fn m_s14_triggers_once(claims: &[ClaimObserved]) -> Result<(), Violation> {
    let mut seen = HashSet::new();
    for claim in claims.iter().filter(|claim| claim.attempt == 1) {
        if let Fire::Trigger { id, .. } = &claim.fire {
            hold(seen.insert((&claim.job, claim.item, id)), "M-S14", || {
                format!("trigger {id} was run twice for item {} of {}", claim.item, claim.job)
            })?;
        }
    }
    Ok(())
}

/// M-S15: a once-listener's calls, as (fire, phase, items of the fire that had not reached the phase).
///
/// # Errors
/// Names the fire that was called twice or too early.
pub fn m_s15_once_per_fire(calls: &[(Fire, &str, usize)]) -> Result<(), Violation> {
    let mut seen = HashSet::new();
    for (fire, phase, open) in calls {
        hold(seen.insert((fire, phase)), "M-S15", || {
            format!("the {phase} listener of fire {fire} was called twice")
        })?;
        hold(*open == 0, "M-S15", || {
            format!("the {phase} listener of fire {fire} was called while {open} items had not reached it")
        })?;
    }
    Ok(())
}

/// M-S16: after a lost answer a run is in a state that reads back, and leaves it only by what the reading says.
///
/// # Errors
/// Names the step.
pub fn m_s16_unknown_is_read_back(before: State, event: Event, after: State) -> Result<(), Violation> {
    let unclear = |state| matches!(state, State::ClaimUnclear | State::CompletionUnclear);
    let reading = matches!(event, Event::ReadOurs | Event::ReadOther | Event::ReadUnchanged);
    let concluded = unclear(before) && !unclear(after) && !reading && after != State::Fenced;
    let ignored = event == Event::WriteUnknown && !unclear(after);
    hold(!concluded && !ignored, "M-S16", || {
        format!("{before:?} became {after:?} by {event:?} without reading back")
    })
}
