//! The rules that need memory: everything seen so far, one observation after the other.

use super::dispositions::describe;
use super::rules::{
    m_s2_grows, m_s7_each_instant_once, m_s9_no_work_without_lease, m_s12_within_the_count,
    m_s13_catch_up_within_policy, m_s13_coalesced_into_what_runs, m_s15_whole_first_attempts,
};
use super::{ClaimObserved, CursorObserved, Dispositions, Policy, Scope, Violation, Write, hold};
use clockwright_model::{
    Fire, InstanceId, Item, JobName, Millis, Outcome, Reason, RunId, Settlement, Source, Token,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How far a claim may be ahead of the registry's time, milliseconds: clocks differ, and are set.
const MOST_AHEAD: Millis = 10_000;

/// What has been seen, in the order in which the registry took it.
///
/// Show it every accepted write and the beginning and end of every run; each call checks what it adds. The first error is
/// the earliest broken rule; what is shown after an error is checked against whatever was kept before it.
#[derive(Debug, Default)]
pub struct History {
    leases: HashMap<InstanceId, i64>,
    leaders: HashMap<JobName, i64>,
    policies: HashMap<JobName, Vec<Policy>>,
    owners: HashMap<(JobName, Item), InstanceId>,
    off: HashMap<Scope, Millis>,
    /// Jobs in which instances take part that keep no cursors.
    shared: HashSet<JobName>,
    items: BTreeMap<(JobName, Item), ItemHistory>,
    /// All runs ever claimed.
    claims: HashMap<RunId, Claimed>,
    started: HashSet<RunId>,
}

/// What has been seen of one item.
#[derive(Debug, Default)]
struct ItemHistory {
    /// When the item first had an owner, epoch milliseconds.
    born: Option<Millis>,
    cursor: Option<CursorObserved>,
    /// The token of the last claim.
    token: Option<Token>,
    /// The last attempt at each fire.
    attempts: HashMap<Fire, u32>,
    running: Vec<Running>,
    /// What cursors said, and what became durable.
    said: Dispositions,
    recorded: Dispositions,
    /// Triggers that were ever in the cursor, by id.
    triggers: BTreeMap<String, Fire>,
}

/// A claim's token, owner and session.
type Claimed = (Token, InstanceId, i64);

/// A run whose code goes on.
#[derive(Debug)]
struct Running {
    run: RunId,
    owner: InstanceId,
    session: i64,
}

impl History {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A process holds its lease in this session, or holds none any more.
    pub fn lease(&mut self, instance: &InstanceId, session: Option<i64>) {
        match session {
            Some(session) => drop(self.leases.insert(instance.clone(), session)),
            None => drop(self.leases.remove(instance)),
        }
    }

    /// A session leads a job, or none does.
    pub fn leader(&mut self, job: &JobName, session: Option<i64>) {
        match session {
            Some(session) => drop(self.leaders.insert(job.clone(), session)),
            None => drop(self.leaders.remove(job)),
        }
    }

    /// A job has these settings from now on.
    pub fn policy(&mut self, job: &JobName, policy: Policy) {
        self.policies.entry(job.clone()).or_default().push(policy);
    }

    /// Instances take part in a job that claim nothing and keep no cursors: what the cursors pass over may be theirs, and is not asked
    /// about any more.
    pub fn shared(&mut self, job: &JobName) {
        self.shared.insert(job.clone());
    }

    /// Whether such instances take part in a job.
    #[must_use]
    pub fn is_shared(&self, job: &JobName) -> bool {
        self.shared.contains(job)
    }

    /// An item has this owner from now on, or none.
    pub fn owner(&mut self, job: &JobName, item: Item, owner: Option<InstanceId>, wall: Millis) {
        let place = (job.clone(), item);
        if let Some(owner) = owner {
            self.items.entry(place.clone()).or_default().born.get_or_insert(wall);
            self.owners.insert(place, owner);
        } else {
            self.owners.remove(&place);
        }
    }

    /// Something was switched off at this time (epoch milliseconds), or on again.
    pub fn switched(&mut self, scope: Scope, off: Option<Millis>) {
        match off {
            Some(since) => drop(self.off.entry(scope).or_insert(since)),
            None => drop(self.off.remove(&scope)),
        }
    }

    /// An item and its cursor were removed; its outcomes remain.
    pub fn removed(&mut self, job: &JobName, item: Item) {
        let place = (job.clone(), item);
        self.owners.remove(&place);
        if let Some(seen) = self.items.get_mut(&place) {
            seen.born = None;
            seen.cursor = None;
            seen.attempts.clear();
        }
    }

    /// The number of a job's plan was written. Operators may raise it too: that voids claims and plans nothing.
    ///
    /// # Errors
    /// M-S1, M-S2.
    pub fn epoch(
        &mut self,
        job: &JobName,
        write: Write,
        before: i64,
        after: Option<i64>,
    ) -> Result<(), Violation> {
        let grows = after.is_some_and(|after| after == before + 1);
        hold(grows, "M-S2", || format!("the plan's epoch of {job} went from {before} to {after:?}"))?;
        hold(write.session == 0 || self.leaders.get(job) == Some(&write.session), "M-S1", || {
            format!("session {:x} wrote a plan of {job} without leading it", write.session)
        })
    }

    /// An item's cursor was written.
    ///
    /// # Errors
    /// M-S2, M-S3, M-S6, M-S7, M-S8, M-S10, M-S12, M-S13, M-S14.
    pub fn cursor(
        &mut self,
        job: &JobName,
        item: Item,
        write: Write,
        after: Option<CursorObserved>,
    ) -> Result<(), Violation> {
        let place = (job.clone(), item);
        let before = self.items.entry(place.clone()).or_default().cursor.take();
        let result = match &after {
            Some(after) => self.changed(&place, write, before.as_ref(), after),
            None => Self::deleted(before.as_ref()),
        };
        if let Some(seen) = self.items.get_mut(&place) {
            seen.cursor = after;
        }
        result.map_err(|Violation { id, message }| Violation {
            id,
            message: format!("{job}/{item}: {message}"),
        })
    }

    fn deleted(before: Option<&CursorObserved>) -> Result<(), Violation> {
        let open = before.and_then(CursorObserved::running);
        hold(open.is_none(), "M-S7", || {
            format!(
                "the cursor was deleted while {} had no outcome",
                open.map(|open| open.fire.to_string()).unwrap_or_default()
            )
        })
    }

    fn changed(
        &mut self,
        place: &(JobName, Item),
        write: Write,
        before: Option<&CursorObserved>,
        after: &CursorObserved,
    ) -> Result<(), Violation> {
        if let Some(before) = before {
            hold(before.settled <= after.settled, "M-S2", || {
                format!("the cursor went back from {} to {}", before.settled, after.settled)
            })?;
        }
        let old = before.and_then(|before| before.run.as_ref());
        match (old, &after.run) {
            (Some(old), Some(new)) if old.run == new.run => self.ended(place, write, old, new)?,
            (Some(old), None) => {
                hold(false, "M-S7", || format!("the cursor forgot the claim of {}", old.fire))?;
            }
            (old, Some(new)) => self.claimed(place, write, old, new)?,
            (None, None) => {}
        }
        self.passed(place, before, after)?;
        self.carried(place, before, after)
    }

    /// The claim is the same as before; it may have its outcome now.
    fn ended(
        &mut self,
        place: &(JobName, Item),
        write: Write,
        old: &ClaimObserved,
        new: &ClaimObserved,
    ) -> Result<(), Violation> {
        let fire = &new.fire;
        let Some(outcome) = &new.outcome else {
            return hold(old.outcome.is_none(), "M-S7", || format!("the outcome of {fire} was forgotten"));
        };
        if let Some(first) = &old.outcome {
            return hold(first.kind() == outcome.kind(), "M-S7", || {
                format!("the outcome of {fire} changed from {first:?} to {outcome:?}")
            });
        }
        let by_rule = outcome.is_owner_lost();
        hold(by_rule || self.leases.get(&old.owner) == Some(&write.session), "M-S8", || {
            format!("session {:x} completed {fire}, which {} runs", write.session, old.owner)
        })?;
        if let Some(policy) = self.settings(&place.0).filter(|_| by_rule) {
            // What was switched off begins nothing any more, and whoever drains waits for its end.
            let off = outcome.why() == Some(&Reason::InterruptedWhileOff {});
            let theirs =
                self.is_shared(&place.0) && matches!(outcome.why(), Some(Reason::TakenByJava { .. }));
            let again = policy.failover
                && place.1 < policy.items
                && old.attempt < policy.lost_attempts
                && !off
                && !theirs;
            hold(!again, "M-S6", || {
                format!("{fire} was given up after attempt {}, though failover is on", old.attempt)
            })?;
        }
        self.disposed(place, &settled(place, new, outcome.clone()))
    }

    /// There is another claim than before.
    fn claimed(
        &mut self,
        place: &(JobName, Item),
        write: Write,
        old: Option<&ClaimObserved>,
        new: &ClaimObserved,
    ) -> Result<(), Violation> {
        let (fire, owner) = (&new.fire, &new.owner);
        hold(!matches!(fire, Fire::Scheduled(at) if *at > write.wall + MOST_AHEAD), "M-S13", || {
            format!("{owner} claimed {fire}, {} ms before its time", fire.time() - write.wall)
        })?;
        let claimed = (write.transaction, owner.clone(), new.session);
        hold(self.claims.insert(new.run, claimed).is_none(), "M-S2", || {
            format!("run {} was claimed twice", new.run)
        })?;
        let holds = self.leases.get(owner) == Some(&write.session) && new.session == write.session;
        hold(holds, "M-S3", || {
            format!(
                "session {:x} claimed {fire} in the name of {owner}, whose lease it does not hold",
                write.session
            )
        })?;
        let first = new.attempt == 1 && new.source != Source::Failover;
        hold(!first || self.owners.get(place) == Some(owner), "M-S3", || {
            format!("{owner} claimed {fire}, and owns the item no more than {:?}", self.owners.get(place))
        })?;
        if first {
            self.is_on(place, write, new)?;
            let items = self.policies.get(&place.0).into_iter().flatten().map(|policy| policy.items).max();
            m_s12_within_the_count(place.1, items.unwrap_or_default())?;
        }
        let strict = self.is_strict(&place.0);
        let seen = self.items.entry(place.clone()).or_default();
        m_s2_grows("the token", seen.token.replace(write.transaction), write.transaction)?;
        let last = seen.attempts.insert(fire.clone(), new.attempt).unwrap_or(0);
        if let (Fire::Trigger { id, .. }, 1) = (fire, new.attempt) {
            hold(last == 0, "M-S14", || format!("trigger {id} was executed twice"))?;
        }
        hold(new.attempt == last + 1, "M-S6", || {
            format!("attempt {} at {fire} follows attempt {last}", new.attempt)
        })?;
        let Some(old) = old.filter(|old| old.outcome.is_none()) else { return Ok(()) };
        let lives = self.leases.get(&old.owner) == Some(&old.session);
        hold(!strict || old.owner == *owner || !lives, "M-S6", || {
            format!("{owner} passed over {}, whose owner {} lives", old.fire, old.owner)
        })?;
        hold(old.fire == *fire, "M-S7", || {
            format!("{owner} claimed {fire} while {} has no outcome", old.fire)
        })
    }

    /// M-S10.
    fn is_on(
        &self,
        (job, item): &(JobName, Item),
        write: Write,
        claim: &ClaimObserved,
    ) -> Result<(), Violation> {
        let Some(hears) = write.hears else { return Ok(()) };
        let scopes = [
            Scope::Job(job.clone()),
            Scope::Item(job.clone(), *item),
            Scope::Host(job.clone(), claim.owner.ip().to_owned()),
        ];
        let off =
            scopes.iter().find(|scope| self.off.get(scope).is_some_and(|since| write.wall - since > hears));
        hold(off.is_none(), "M-S10", || {
            format!("{} claimed {} though {off:?} is off", claim.owner, claim.fire)
        })
    }

    /// M-S7, M-S13: from the old cursor to the new one every instant has exactly one disposition.
    fn passed(
        &mut self,
        place: &(JobName, Item),
        before: Option<&CursorObserved>,
        after: &CursorObserved,
    ) -> Result<(), Violation> {
        let same =
            |before: &CursorObserved| (before.settled, before.schedule) == (after.settled, after.schedule);
        if before.is_some_and(same) || (before.is_none() && after.run.is_none() && after.gap.is_empty()) {
            return Ok(());
        }
        if after.gap.iter().any(|gap| is_held(&gap.outcome)) {
            // Nobody knows what became of the instants of an item that was held; they are told as such, by the schedule of now.
            return Ok(());
        }
        let born = self.items.get(place).and_then(|seen| seen.born).unwrap_or(0);
        let policies = self.policies.get(&place.0).map_or(&[][..], Vec::as_slice);
        let of = |id: u32| policies.iter().filter(move |policy| policy.id == id);
        let mut all = of(after.schedule).map(|policy| {
            let stretches = match before {
                Some(before) if before.schedule == after.schedule => {
                    vec![(&policy.schedule, before.settled, after.settled)]
                }
                // What was due under the schedule before is placed first, up to when it was replaced.
                Some(before) => {
                    let replaced = policy.since.min(after.settled).max(before.settled);
                    let former =
                        of(before.schedule).next().map(|former| (&former.schedule, before.settled, replaced));
                    former.into_iter().chain([(&policy.schedule, replaced, after.settled)]).collect()
                }
                None => vec![(&policy.schedule, born.max(policy.since), after.settled)],
            };
            if self.is_shared(&place.0) { Ok(()) } else { m_s7_each_instant_once(&stretches, after) }
        });
        let first = all.next().unwrap_or_else(|| {
            hold(false, "M-S7", || format!("its schedule {} is none of the job's", after.schedule))
        });
        // Settings that are right for it will do; if there are none, the first say what is wrong.
        let checked = first.or_else(|first| all.find(Result::is_ok).unwrap_or(Err(first)));
        checked.map_err(|Violation { id, message }| Violation {
            id,
            message: format!(
                "the cursor moved from {:?} to {}: {message}",
                before.map(|before| before.settled),
                after.settled
            ),
        })?;
        self.policy_kept(place, before, after)?;
        let known = before.map_or(&[][..], |before| &before.gap);
        let fresh: Vec<_> = after.gap.iter().filter(|gap| !known.contains(gap)).cloned().collect();
        for gap in fresh {
            let range = (gap.count > 1).then_some((gap.from, gap.count));
            let fire = Fire::Scheduled(gap.to);
            self.disposed(place, &Settlement { fire, range, ..nothing(place, gap.outcome) })?;
        }
        Ok(())
    }

    /// M-S13.
    fn policy_kept(
        &self,
        place: &(JobName, Item),
        before: Option<&CursorObserved>,
        after: &CursorObserved,
    ) -> Result<(), Violation> {
        let policies = self.policies.get(&place.0).map_or(&[][..], Vec::as_slice);
        let Some(policy) = policies.iter().rfind(|policy| policy.id == after.schedule) else { return Ok(()) };
        m_s13_coalesced_into_what_runs(policy, after)?;
        let replaced = policies.iter().map(|other| other.since).filter(|since| *since > policy.since).min();
        let old = before.and_then(|before| before.run.as_ref()).map(|claim| claim.run);
        match after.run.as_ref().filter(|claim| Some(claim.run) != old) {
            Some(claim) => m_s13_catch_up_within_policy(policy, claim, replaced.unwrap_or(Millis::MAX)),
            None => Ok(()),
        }
    }

    /// M-S14: a waiting trigger leaves the cursor only for its run, or with its outcome; the outcomes on their way say what the
    /// others said.
    fn carried(
        &mut self,
        place: &(JobName, Item),
        before: Option<&CursorObserved>,
        after: &CursorObserved,
    ) -> Result<(), Violation> {
        for kept in after.kept.iter().filter(|kept| !is_held(&kept.outcome)) {
            let known = self.items.get(place).is_some_and(|seen| seen.said.of(&kept.fire).is_some());
            if !known {
                self.disposed(place, kept)?;
            }
        }
        let seen = self.items.entry(place.clone()).or_default();
        if let Some(fire @ Fire::Trigger { id, .. }) = &after.pending {
            seen.triggers.entry(id.clone()).or_insert_with(|| fire.clone());
        }
        let Some(waited) = before.and_then(|before| before.pending.as_ref()) else { return Ok(()) };
        let waits = after.pending.as_ref() == Some(waited);
        let runs = after.run.as_ref().is_some_and(|run| run.fire == *waited);
        hold(waits || runs || seen.said.of(waited).is_some(), "M-S14", || {
            format!("trigger {waited} left the cursor without a run and without an outcome")
        })
    }

    fn disposed(&mut self, place: &(JobName, Item), settlement: &Settlement) -> Result<(), Violation> {
        let seen = self.items.entry(place.clone()).or_default();
        if let Some(known) = seen.said.of(&settlement.fire) {
            return hold(false, "M-S7", || format!("{}, and was: {}", describe(settlement), describe(known)));
        }
        seen.said.add(settlement)
    }

    /// A trigger's node was taken away by the instance that it was for: each of the items that it owns has the trigger by now.
    ///
    /// # Errors
    /// M-S14.
    pub fn trigger_taken(&self, job: &JobName, id: &str, by: &InstanceId) -> Result<(), Violation> {
        let items = self.settings(job).map_or(0, |policy| policy.items);
        let owned =
            self.owners.iter().filter(|((of, item), owner)| of == job && *item < items && *owner == by);
        for (place, _) in owned {
            let seen = self.items.get(place);
            let fire = Fire::Trigger { at: 0, id: id.to_owned() };
            let has = seen.is_some_and(|seen| {
                seen.triggers.contains_key(id)
                    || seen.said.of(&fire).is_some()
                    || seen.recorded.of(&fire).is_some()
            });
            hold(has, "M-S14", || {
                format!("{by} took trigger {id} of {job}, and item {} never got it", place.1)
            })?;
        }
        Ok(())
    }

    /// The job's code begins to run.
    ///
    /// # Errors
    /// M-S4, and M-S16 when the token is not that of the claim.
    pub fn started(&mut self, job: &JobName, item: Item, run: RunId, token: Token) -> Result<(), Violation> {
        let claimed = self.claims.get(&run).filter(|(claimed, ..)| *claimed == token).cloned();
        let Some((_, owner, session)) = claimed else {
            return hold(false, "M-S16", || {
                let claimed = self.claims.get(&run);
                format!("run {run} of {job}/{item} starts with token {token}; its claim is {claimed:?}")
            });
        };
        hold(self.started.insert(run), "M-S4", || format!("run {run} of {job}/{item} starts twice"))?;
        let strict = self.is_strict(job);
        let seen = self.items.entry((job.clone(), item)).or_default();
        let other = seen.running.first().map(|other| (other.owner.clone(), other.run));
        seen.running.push(Running { run, owner: owner.clone(), session });
        hold(other.is_none() || !strict, "M-S4", || {
            format!("{owner} starts run {run} of {job}/{item} while {other:?} still goes on")
        })
    }

    /// The job's code has ended.
    pub fn stopped(&mut self, job: &JobName, item: Item, run: RunId) {
        if let Some(seen) = self.items.get_mut(&(job.clone(), item)) {
            seen.running.retain(|running| running.run != run);
        }
    }

    /// The runs of a firing that others may wait for begin together.
    ///
    /// # Errors
    /// M-S15.
    pub fn begun(&self, whole: bool, runs: &[(Item, &Fire, u32, Source)]) -> Result<(), Violation> {
        if whole { m_s15_whole_first_attempts(runs) } else { Ok(()) }
    }

    /// A session has ended because nothing was heard of it for its timeout.
    ///
    /// # Errors
    /// M-S9.
    pub fn expired(&self, session: i64) -> Result<(), Violation> {
        let mut running: BTreeMap<&str, (&InstanceId, Vec<String>)> = BTreeMap::new();
        for ((job, item), seen) in self.items.iter().filter(|((job, _), _)| self.is_strict(job)) {
            for run in seen.running.iter().filter(|run| run.session == session) {
                let of = running.entry(run.owner.as_str()).or_insert((&run.owner, Vec::new()));
                of.1.push(format!("{job}/{item}"));
            }
        }
        running.values().try_for_each(|(owner, runs)| m_s9_no_work_without_lease(owner, runs))
    }

    /// An outcome became durable. The same may come again.
    ///
    /// # Errors
    /// M-S7 when the fire has another one already.
    pub fn recorded(&mut self, settlement: &Settlement) -> Result<(), Violation> {
        if is_held(&settlement.outcome) {
            // It says that nobody knows whether these instants ran; some may have.
            return Ok(());
        }
        let place = (settlement.job.clone(), settlement.item);
        self.items.entry(place).or_default().recorded.add(settlement)
    }

    /// At the end, when everything is calm: what cursors said is on record, or still in the cursor, and so is the end of each
    /// trigger.
    ///
    /// # Errors
    /// M-S7, M-S14.
    pub fn complete(&self) -> Result<(), Violation> {
        for ((job, item), seen) in &self.items {
            let cursor = seen.cursor.as_ref();
            let run = cursor.and_then(|cursor| cursor.run.as_ref());
            for said in seen.said.scheduled().chain(seen.said.triggers()) {
                let in_cursor = run.is_some_and(|run| run.fire == said.fire)
                    || cursor.is_some_and(|cursor| {
                        cursor.gap.iter().any(|gap| Fire::Scheduled(gap.to) == said.fire)
                            || cursor.kept.iter().any(|kept| kept.fire == said.fire)
                    });
                let recorded = seen.recorded.of(&said.fire);
                let same = recorded.is_some_and(|recorded| recorded.outcome.kind() == said.outcome.kind());
                hold(same || (recorded.is_none() && in_cursor), "M-S7", || {
                    format!("{}, and that is on record as {:?}", describe(said), recorded.map(describe))
                })?;
            }
            for (id, fire) in &seen.triggers {
                let waits = cursor.is_some_and(|cursor| cursor.pending.as_ref() == Some(fire));
                let runs = run.is_some_and(|run| run.fire == *fire);
                let ended = seen.said.of(fire).is_some() || seen.recorded.of(fire).is_some();
                hold(waits || runs || ended, "M-S14", || {
                    format!("trigger {id} of {job}/{item} has no outcome")
                })?;
            }
        }
        Ok(())
    }

    /// The registry lost what it knew, or went back to what it knew before: outcomes of that time may come again. Tokens grow on,
    /// and what runs must not run twice.
    pub fn forgotten(&mut self) {
        self.leases.clear();
        self.leaders.clear();
        self.owners.clear();
        self.off.clear();
        self.policies.clear();
        for seen in self.items.values_mut() {
            let (token, running) = (seen.token, std::mem::take(&mut seen.running));
            *seen = ItemHistory { token, running, ..ItemHistory::default() };
        }
    }

    /// The settings of a job now.
    #[must_use]
    pub fn settings(&self, job: &JobName) -> Option<&Policy> {
        self.policies.get(job)?.last()
    }

    /// What the cursor of an item says now.
    #[must_use]
    pub fn cursor_of(&self, job: &JobName, item: Item) -> Option<&CursorObserved> {
        self.items.get(&(job.clone(), item))?.cursor.as_ref()
    }

    /// The items that have a cursor now, and what it says.
    pub fn cursors(&self) -> impl Iterator<Item = (&(JobName, Item), &CursorObserved)> {
        self.items.iter().filter_map(|(place, seen)| Some((place, seen.cursor.as_ref()?)))
    }

    /// How many runs of an item go on.
    #[must_use]
    pub fn running(&self, job: &JobName, item: Item) -> usize {
        self.items.get(&(job.clone(), item)).map_or(0, |seen| seen.running.len())
    }

    fn is_strict(&self, job: &JobName) -> bool {
        self.settings(job).is_some_and(|policy| policy.strict)
    }
}

/// Whether an outcome is that of instants which passed while an item was held: nobody knows what became of them.
fn is_held(outcome: &Outcome) -> bool {
    matches!(
        outcome.why(),
        Some(
            Reason::RegistryLost {}
                | Reason::CursorGone {}
                | Reason::CursorWentBack {}
                | Reason::CursorUnreadable { .. }
        )
    )
}

/// A claim's outcome as a settlement, as far as a cursor tells it.
fn settled(place: &(JobName, Item), claim: &ClaimObserved, outcome: Outcome) -> Settlement {
    Settlement {
        fire: claim.fire.clone(),
        attempt: claim.attempt,
        run_id: Some(claim.run),
        source: claim.source,
        instance: claim.owner.clone(),
        claimed: Some(claim.decided_at),
        ..nothing(place, outcome)
    }
}

/// An outcome that no run led to; its fire is to be filled in.
fn nothing((job, item): &(JobName, Item), outcome: Outcome) -> Settlement {
    Settlement {
        namespace: "".into(),
        job: job.clone(),
        item: *item,
        fire: Fire::Scheduled(0),
        range: None,
        outcome,
        attempt: 0,
        run_id: None,
        token: 0,
        source: Source::Schedule,
        instance: InstanceId::from_wire("a cursor"),
        claimed: None,
        start: None,
        at: 0,
        log: None,
    }
}
