//! The rules that need no memory.

use super::{ClaimObserved, CursorObserved, ObservedRun, Policy, Violation, hold};
use crate::lifecycle::{Event, State};
use crate::{RANGE_COUNT_CAP, Schedule};
use clockwright_model::{Fire, InstanceId, Item, Millis, Misfire, Outcome, Source};
use std::collections::{HashMap, HashSet};

/// M-S2: a value that only ever grows; `what` names it.
///
/// # Errors
/// Names both values.
pub fn m_s2_grows(what: &str, before: Option<i64>, after: i64) -> Result<(), Violation> {
    hold(before.is_none_or(|before| before < after), "M-S2", || {
        format!("{what} went from {} to {after}", before.unwrap_or_default())
    })
}

/// M-S4: runs of one item do not overlap while both count.
///
/// # Errors
/// Names each run that began while another one still counted.
pub fn m_s4_one_unfenced_run(runs: &[ObservedRun]) -> Vec<Violation> {
    let mut runs: Vec<&ObservedRun> = runs.iter().collect();
    runs.sort_by_key(|run| (run.start, run.token));
    let mut found = Vec::new();
    // The one that goes on longest is the one to compare with: a short run in between hides nothing.
    let mut longest: Option<&ObservedRun> = None;
    for run in runs {
        if let Some(other) = longest {
            found.extend(
                hold(run.start >= other.end, "M-S4", || {
                    format!("{} began {} before the end of {}", run.name, other.end - run.start, other.name)
                })
                .err(),
            );
        }
        longest = longest.filter(|other| other.end >= run.end).or(Some(run));
    }
    found
}

/// M-S2 and M-S6: in the order of their starts, the tokens of an item's runs grow, and so do the attempts at each fire.
///
/// # Errors
/// Names each run whose token or attempt is none that may follow.
pub fn m_s6_attempts_grow(runs: &[ObservedRun]) -> Vec<Violation> {
    let mut runs: Vec<&ObservedRun> = runs.iter().collect();
    runs.sort_by_key(|run| run.start);
    let mut found = Vec::new();
    let mut attempts = HashMap::<&Fire, &ObservedRun>::new();
    let mut greatest: Option<&ObservedRun> = None;
    for run in runs {
        let what = || match greatest {
            Some(before) => format!("the token of {} is not above that of {}: it", run.name, before.name),
            None => String::new(),
        };
        match m_s2_grows(&what(), greatest.map(|before| before.token), run.token) {
            Err(violation) => found.push(violation),
            Ok(()) => greatest = Some(run),
        }
        if let Some(before) = attempts.insert(&run.fire, run) {
            found.extend(
                hold(before.attempt < run.attempt, "M-S6", || {
                    format!(
                        "{} is attempt {} after {} was {}",
                        run.name, run.attempt, before.name, before.attempt
                    )
                })
                .err(),
            );
        }
    }
    found
}

/// M-S5: with at least one member every item has an owner, and every owner is a member.
///
/// # Errors
/// Names the item.
pub fn m_s5_plan_total(owners: &[Option<InstanceId>], members: &[InstanceId]) -> Result<(), Violation> {
    for (item, owner) in owners.iter().enumerate() {
        match owner {
            None => hold(members.is_empty(), "M-S5", || {
                format!("item {item} has no owner among {} members", members.len())
            })?,
            Some(owner) => hold(members.contains(owner), "M-S5", || {
                format!("item {item} was given to {owner}, which is no member")
            })?,
        }
    }
    Ok(())
}

/// M-S7: each instant of these stretches of schedules, `(after, until]` one behind the other, lies in exactly one gap of the
/// cursor, or is the fire of its run.
///
/// # Errors
/// Names the instants between which something is missing, or told twice.
pub fn m_s7_each_instant_once(
    stretches: &[(&Schedule, Millis, Millis)],
    cursor: &CursorObserved,
) -> Result<(), Violation> {
    let Some(begin) = stretches.first().map(|(_, after, _)| *after) else { return Ok(()) };
    let mut told: Vec<_> = cursor.gap.iter().map(|gap| (gap.from, gap.to, gap.count)).collect();
    told.retain(|(_, to, _)| *to > begin);
    if let Some(Fire::Scheduled(at)) = cursor.run.as_ref().map(|run| &run.fire)
        && *at == cursor.settled
        && *at > begin
    {
        told.push((*at, *at, 1));
    }
    told.sort_unstable();
    let mut told = told.into_iter().peekable();
    for (schedule, after, until) in stretches {
        let mut reached = *after;
        while let Some((from, to, count)) = told.next_if(|(_, to, _)| to <= until) {
            let expected = schedule.next_after(reached);
            hold(expected == Some(from), "M-S7", || {
                format!(
                    "after {reached} the next instant is {expected:?}, but {from} has the next disposition"
                )
            })?;
            hold(schedule.latest_until(to) == Some(to), "M-S7", || {
                format!("a disposition ends at {to}, which is no instant")
            })?;
            let instants = schedule.count(reached, to, RANGE_COUNT_CAP);
            hold(instants == count, "M-S7", || {
                format!("{instants} instants in ({reached}, {to}] are told as {count}")
            })?;
            reached = to;
        }
        let missed = schedule.next_after(reached).filter(|at| at <= until);
        hold(missed.is_none(), "M-S7", || format!("nothing says what became of {missed:?}"))?;
    }
    let more = told.next();
    hold(more.is_none(), "M-S7", || {
        format!("{more:?} lie beyond {}, up to which the cursor is settled", cursor.settled)
    })
}

/// M-S9: whoever's session has ended runs nothing exclusive of it; `running` names what still runs.
///
/// # Errors
/// Names what runs.
pub fn m_s9_no_work_without_lease(owner: &InstanceId, running: &[String]) -> Result<(), Violation> {
    hold(running.is_empty(), "M-S9", || {
        format!("the session of {owner} has ended, and it still runs {}", running.join(", "))
    })
}

/// M-S12: an item that the job has.
///
/// # Errors
/// Says how many the job has.
pub fn m_s12_within_the_count(item: Item, items: Item) -> Result<(), Violation> {
    hold(item < items, "M-S12", || format!("item {item} was claimed, and the job has {items}"))
}

/// M-S13: a run that catches up is one that the policy allows at that time. `until`: when the schedule was replaced.
///
/// # Errors
/// Says which bound of the policy it breaks.
pub fn m_s13_catch_up_within_policy(
    policy: &Policy,
    claim: &ClaimObserved,
    until: Millis,
) -> Result<(), Violation> {
    let Fire::Scheduled(at) = claim.fire else { return Ok(()) };
    if claim.source != Source::Misfire || claim.attempt != 1 {
        return Ok(());
    }
    let broken =
        |why: String| hold(false, "M-S13", || format!("{at} was caught up at {}: {why}", claim.decided_at));
    // All instants up to here were late when the claim was decided; later ones may or may not have been.
    let surely_late = claim.decided_at.saturating_sub(policy.tolerance).saturating_sub(1).min(until);
    match policy.misfire {
        Misfire::Skip => broken("the policy is to skip".to_owned()),
        Misfire::FireOnce if policy.schedule.count(at, surely_late, 1) > 0 => {
            broken("it was not the latest".to_owned())
        }
        Misfire::FireAll { cap, .. }
            if policy.schedule.count(at - 1, surely_late, u64::from(cap) + 1) > u64::from(cap) =>
        {
            broken(format!("more than {cap} instants back"))
        }
        Misfire::FireAll { window, .. } if claim.decided_at - at > window => {
            broken(format!("older than the window of {window} ms"))
        }
        Misfire::FireOnce | Misfire::FireAll { .. } => Ok(()),
    }
}

/// M-S13: what is coalesced is coalesced into the fire that is claimed with it, and only under the policy that runs once; under
/// that, nothing is missed.
///
/// # Errors
/// Names the range.
pub fn m_s13_coalesced_into_what_runs(policy: &Policy, cursor: &CursorObserved) -> Result<(), Violation> {
    for gap in &cursor.gap {
        match (&gap.outcome, policy.misfire) {
            (Outcome::Coalesced { into }, Misfire::FireOnce) => {
                let runs = cursor.run.as_ref().is_some_and(|run| run.fire == *into);
                hold(runs, "M-S13", || {
                    format!("{}..{} was coalesced into {into}, which was not claimed", gap.from, gap.to)
                })?;
            }
            (Outcome::Coalesced { .. }, _) | (Outcome::Missed { .. }, Misfire::FireOnce) => {
                hold(false, "M-S13", || {
                    format!("{}..{} is {} under {:?}", gap.from, gap.to, gap.outcome.word(), policy.misfire)
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// M-S15: a firing that is called whole consists of first attempts at one fire, none of them a takeover.
///
/// # Errors
/// Names the run that does not belong.
pub fn m_s15_whole_first_attempts(runs: &[(Item, &Fire, u32, Source)]) -> Result<(), Violation> {
    let fires: HashSet<&Fire> = runs.iter().map(|(_, fire, ..)| *fire).collect();
    hold(fires.len() <= 1, "M-S15", || format!("a whole firing is of {} fires", fires.len()))?;
    let odd = runs.iter().find(|(_, _, attempt, source)| *attempt != 1 || *source == Source::Failover);
    hold(odd.is_none(), "M-S15", || {
        format!("others would wait for {odd:?}, which is no first attempt, as for a whole firing")
    })
}

/// M-S16: after a lost answer an attempt is in a state that reads back, and leaves it only by what the reading says.
///
/// # Errors
/// Names the step.
pub fn m_s16_unknown_is_read_back(before: State, event: Event, after: State) -> Result<(), Violation> {
    let concluded = before.is_unclear() && !after.is_unclear() && !event.is_reading();
    let ignored = event == Event::WriteUnknown && !after.is_unclear();
    hold(!concluded && !ignored, "M-S16", || {
        format!("{before:?} became {after:?} by {event:?} without reading back")
    })
}
