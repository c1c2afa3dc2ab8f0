//! Outcomes: what the nodes recorded, beside what was due and what ran.

use super::runs::{Run, name};
use super::{Check, History, Plan, Report};
use clockwright_model::{FailureKind, Fire, Item, Millis, Misfire, Outcome, Settlement};
use clockwright_planner::invariants::{Dispositions, describe, span};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Sorts settlements by item. The same one from several stores is one; two that cannot both be true are violations.
pub(super) fn by_item(
    history: &History,
    known: &BTreeMap<&str, &Plan>,
    report: &mut Report,
) -> BTreeMap<(String, Item), Dispositions> {
    let mut settled = BTreeMap::<(String, Item), Dispositions>::new();
    for settlement in &history.settlements {
        let (job, item) = (settlement.job.as_str(), settlement.item);
        if known.get(job).is_none_or(|plan| item >= plan.items) {
            let text = format!("{} settles an unknown item", describe(settlement));
            report.violation(Check::Phantom, job, item, text);
        } else if let Err(violation) = settled.entry((job.to_owned(), item)).or_default().add(settlement) {
            report.violation(Check::Disposition, job, item, violation.message);
        }
    }
    settled
}

/// C1, C2, C4 and C7 of one item.
pub(super) fn check(
    report: &mut Report,
    history: &History,
    plan: &Plan,
    item: Item,
    runs: &[Run],
    settled: &Dispositions,
) {
    let mut by_fire = HashMap::<&Fire, Vec<&Run>>::new();
    for run in runs {
        by_fire.entry(&run.fire).or_default().push(run);
    }
    let mut item = ItemCheck { report, history, plan, item, by_fire };
    item.phantoms(runs);
    item.twice();
    for settlement in settled.scheduled().chain(settled.triggers()) {
        item.truth(settlement);
    }
    item.dispositions(&settled.scheduled().collect::<Vec<_>>());
    item.triggers(&settled.triggers().collect::<Vec<_>>());
}

/// C9: the item completes a run that began after healing, and in time.
pub(super) fn check_convergence(
    report: &mut Report,
    history: &History,
    plan: &Plan,
    item: Item,
    runs: &[Run],
) {
    let Some((healed, allowed)) = history.healed else { return };
    let again = runs.iter().find(|run| run.start >= healed && run.fire.time() >= healed && run.succeeded());
    match again {
        Some(run) if run.start <= healed + allowed => {}
        Some(run) => {
            let text =
                format!("fired again only {} ms after healing, with {}", run.start - healed, name(run));
            report.violation(Check::Convergence, &plan.job, item, text);
        }
        None => {
            report.violation(Check::Convergence, &plan.job, item, "never fired again after healing".into());
        }
    }
}

/// What is looked at while one item is judged.
struct ItemCheck<'a> {
    report: &'a mut Report,
    history: &'a History,
    plan: &'a Plan,
    item: Item,
    by_fire: HashMap<&'a Fire, Vec<&'a Run>>,
}

impl ItemCheck<'_> {
    fn wrong(&mut self, check: Check, text: String) {
        self.report.violation(check, &self.plan.job, self.item, text);
    }

    /// C7: each run is for a due instant (or a trigger, counted below), and not before it.
    fn phantoms(&mut self, runs: &[Run]) {
        // The two clocks are the same; a millisecond may go to rounding.
        for run in runs {
            match &run.fire {
                Fire::Scheduled(at) if self.plan.due.binary_search(at).is_err() => {
                    self.wrong(Check::Phantom, format!("{} was not due", name(run)));
                }
                Fire::Trigger { .. } if !self.history.triggers.iter().any(|t| t.job == self.plan.job) => {
                    self.wrong(Check::Phantom, format!("{}: nobody triggered the job", name(run)));
                }
                _ => {}
            }
            if run.start + 1 < run.fire.time() {
                let early = run.fire.time() - run.start;
                self.wrong(Check::Phantom, format!("{} started {early} ms early", name(run)));
            }
        }
    }

    /// C4: a fire succeeds once. A success whose report was lost to a fault is tried again, by design.
    fn twice(&mut self) {
        let mut found = Vec::new();
        for runs in self.by_fire.values() {
            let good: Vec<_> = runs.iter().filter(|run| run.succeeded()).collect();
            for pair in good.windows(2) {
                let (from, to) = (pair[0].start, pair[1].start);
                if !self.history.nemesis.iter().any(|n| n.from <= to && from <= n.to) {
                    found.push(format!("{} and {} both succeeded", name(pair[0]), name(pair[1])));
                }
            }
        }
        found.into_iter().for_each(|text| self.wrong(Check::Twice, text));
    }

    /// C1: walks the due instants beside the settlements, both ascending.
    fn dispositions(&mut self, settled: &[&Settlement]) {
        let plan = self.plan;
        for settlement in settled {
            let (from, to) = span(settlement);
            let inside = plan.due.partition_point(|at| *at <= to) - plan.due.partition_point(|at| *at < from);
            let (said, ends) = (settlement.range.map_or(1, |(_, count)| count), [from, to]);
            if ends.iter().any(|at| plan.due.binary_search(at).is_err()) {
                self.wrong(
                    Check::Phantom,
                    format!("{} settles an instant that was not due", describe(settlement)),
                );
            } else if inside as u64 != said {
                let text = format!("{} settles {said} fires where {inside} were due", describe(settlement));
                self.wrong(Check::Disposition, text);
            }
        }
        // Whoever settles a later fire has found, and put on record, what the cursor said of the earlier ones.
        let last = settled.last().map_or(Millis::MIN, |settlement| span(settlement).1);
        let mut settled = settled.iter().peekable();
        for &at in plan.due.iter().filter(|at| (plan.required.0..=plan.required.1).contains(*at)) {
            self.report.fires += 1;
            while settled.peek().is_some_and(|settlement| span(settlement).1 < at) {
                settled.next();
            }
            let covered = settled.peek().filter(|settlement| span(settlement).0 <= at);
            let word = match (covered, self.by_fire.get(&Fire::Scheduled(at))) {
                (Some(settlement), _) => settlement.outcome.word(),
                (None, Some(runs)) if at > last && runs.iter().any(|run| run.code.is_some()) => "unrecorded",
                (None, runs) => {
                    let runs =
                        runs.map(|runs| runs.iter().map(|run| name(run)).collect::<Vec<_>>().join(", "));
                    let ran =
                        runs.map_or("it never ran".into(), |runs| format!("begun, never ended: {runs}"));
                    self.wrong(Check::Disposition, format!("fire {at} has no outcome; {ran}"));
                    "none"
                }
            };
            *self.report.outcomes.entry(word).or_default() += 1;
        }
    }

    /// C2: a settlement agrees with the runs of its fire and with the job's policy.
    fn truth(&mut self, settlement: &Settlement) {
        let (from, to) = span(settlement);
        let what = describe(settlement);
        let decided = settlement.run_id.and_then(|id| {
            self.by_fire.get(&settlement.fire)?.iter().copied().find(|run| run.is(id)).cloned()
        });
        if let Some(run) = &decided {
            let (token, attempt) = (settlement.token, settlement.attempt);
            let owner_lost = settlement.outcome.is_owner_lost();
            // Who settles for a dead owner need not know the owner's token.
            if attempt != run.attempt || (token != run.token && !(owner_lost && token == 0)) {
                let text =
                    format!("{what} says token {token}, attempt {attempt}; {} had {}", name(run), run.token);
                self.wrong(Check::Token, text);
            }
        }
        match &settlement.outcome {
            Outcome::Succeeded => {
                if !decided.as_ref().is_some_and(Run::succeeded) {
                    self.wrong(Check::Truth, format!("{what}, but no such run came to a good end"));
                }
            }
            Outcome::Failed { kind, .. } => self.failure(*kind, decided.as_ref(), &what),
            Outcome::Cancelled { .. } => {}
            Outcome::Coalesced { .. } | Outcome::Skipped { .. } | Outcome::Missed { .. } => {
                let ran = self.completed_between(&settlement.fire, from, to);
                if let Some(run) = ran {
                    self.wrong(Check::Disposition, format!("{what}, but {run} came to its end"));
                }
                self.policy(settlement, from, &what);
            }
        }
    }

    fn failure(&mut self, kind: FailureKind, decided: Option<&Run>, what: &str) {
        match (kind, decided) {
            // Its owner may have died between the claim and the start, or between the end and the report.
            (FailureKind::OwnerLost | FailureKind::Start, _) => {}
            (_, None) => self.wrong(Check::Truth, format!("{what}, but no such run began")),
            (_, Some(run)) if run.succeeded() => {
                self.wrong(Check::Truth, format!("{what}, but {} came to a good end", name(run)));
            }
            _ => {}
        }
    }

    /// The first completed run of the fires of a settlement that says that nothing ran.
    fn completed_between(&self, fire: &Fire, from: Millis, to: Millis) -> Option<String> {
        let of_fire = |fire: &Fire| {
            self.by_fire
                .get(fire)
                .and_then(|runs| runs.iter().find(|run| run.code.is_some()))
                .map(|run| name(run))
        };
        match fire {
            Fire::Trigger { .. } => of_fire(fire),
            Fire::Scheduled(_) => {
                let first = self.plan.due.partition_point(|at| *at < from);
                let due = self.plan.due[first..].iter().take_while(|at| **at <= to);
                due.filter_map(|at| of_fire(&Fire::Scheduled(*at))).next()
            }
        }
    }

    fn policy(&mut self, settlement: &Settlement, from: Millis, what: &str) {
        let due = &self.plan.due;
        match (&settlement.outcome, self.plan.misfire) {
            (Outcome::Coalesced { .. }, Misfire::FireAll { .. } | Misfire::Skip) => {
                self.wrong(Check::Truth, format!("{what}, against the policy {:?}", self.plan.misfire));
            }
            (Outcome::Coalesced { into }, Misfire::FireOnce) => {
                let exists = match into {
                    Fire::Scheduled(at) => due.binary_search(at).is_ok(),
                    Fire::Trigger { .. } => self.by_fire.contains_key(into),
                };
                if !exists || into.time() <= settlement.fire.time() {
                    self.wrong(Check::Truth, format!("{what}: into fire {into}, which cannot stand for it"));
                }
            }
            (Outcome::Missed { .. }, Misfire::FireAll { cap, window }) => {
                let behind =
                    due.partition_point(|at| *at <= settlement.at) - due.partition_point(|at| *at < from);
                if behind <= cap as usize && settlement.at - from <= window {
                    let text =
                        format!("{what}, but only {behind} fires were late and all of them have to run");
                    self.wrong(Check::Truth, text);
                }
            }
            _ => {}
        }
    }

    /// C7 and C1 of triggers: each acknowledged one has one outcome on this item, and nothing else has.
    fn triggers(&mut self, settled: &[&Settlement]) {
        let Some(asked) = self.history.triggers.iter().find(|t| t.job == self.plan.job) else { return };
        let ended = self.by_fire.iter().filter(|(_, runs)| runs.iter().any(|run| run.code.is_some()));
        let fires = ended.map(|(fire, _)| *fire).chain(settled.iter().map(|settlement| &settlement.fire));
        let fires: HashSet<_> = fires.filter(|fire| matches!(fire, Fire::Trigger { .. })).collect();
        let (least, most) = (asked.acknowledged, asked.acknowledged + asked.unclear);
        if fires.len() < least {
            let text = format!("{} of {least} acknowledged triggers have an outcome", fires.len());
            self.wrong(Check::Disposition, text);
        }
        if fires.len() > most {
            self.wrong(Check::Phantom, format!("{} triggers ran where {most} were asked for", fires.len()));
        }
    }
}
