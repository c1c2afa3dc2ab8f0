//! A job's ledger, whoever shows it: every due instant of a span with its one outcome, those that have none and why, and the balance of it all.
//!
//! Outcomes are on record. What was due says the schedule, and it says so only for the time in which it was the job's: before its last change
//! another one may have been in force, so an instant of that time is listed and not counted. What runs says the registry, for nothing else
//! knows which fire a claim is of; without its answer nobody can tell a fire that runs from one that nothing accounts for, and there is no
//! balance. An instant that came due a moment ago counts as running: its claim or its outcome may be on the way.

use clockwright_events::answers::JobRecord;
use clockwright_events::{RunRow, StoreError};
use clockwright_fleet::view::{InstanceKind, JobView, LastRun};
use clockwright_model::{Fire, Item, Millis};
use clockwright_planner::Schedule;
use clockwright_planner::ledger::{Balance, Gap, unsettled};
use std::ops::Range;

/// How long an instant may be without an outcome before it counts as unaccounted for, milliseconds: longer than a claim, and than a takeover
/// from an instance that died, with the usual lease.
pub const SETTLE: Millis = 60_000;

/// When a job is due, and in how many parts.
#[derive(Debug, Clone)]
pub struct Due {
    /// When; `None`: never, or nobody lets it.
    pub schedule: Option<Schedule>,
    /// How many items it has.
    pub items: Item,
    /// Since when it is due so.
    pub since: Millis,
}

/// Which part of a ledger.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Of this item.
    pub item: Option<Item>,
    /// From this instant.
    pub from: Millis,
    /// To before this instant.
    pub to: Millis,
    /// About how many outcomes.
    pub limit: usize,
    /// What the time is.
    pub now: Millis,
}

/// A part of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Outcomes, oldest first.
    pub rows: Vec<RunRow>,
    /// Instants without one.
    pub open: Vec<Open>,
    /// Which fires are under way.
    pub under_way: Vec<UnderWay>,
    /// When the record of the job begins.
    pub begins: Option<Millis>,
    /// Before which instant the part ends.
    pub to: Millis,
    /// What became of what was due in it; `None` where that is not known.
    pub balance: Option<Balance>,
}

/// Due instants in a row without an outcome, or one trigger whose run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The item.
    pub item: Item,
    /// The first of them.
    pub from: Millis,
    /// The last of them.
    pub to: Millis,
    /// How many they are.
    pub count: u64,
    /// Why.
    pub gap: Gap,
    /// The id of a trigger by hand.
    pub trigger: Option<String>,
}

/// What the registry says of a job now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Now {
    /// Which fires are under way.
    pub under_way: Vec<UnderWay>,
    /// Instances serve it that put no outcomes on record.
    pub has_peers: bool,
}

/// A fire of an item that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// The item.
    pub item: Item,
    /// Its claim.
    pub claim: LastRun,
}

impl Now {
    /// By a picture of the job. A claim that waits for a takeover is under way.
    #[must_use]
    pub fn of(view: &JobView) -> Self {
        let claims = view.items.iter().filter(|item| item.running || item.orphaned);
        let open = claims.filter_map(|item| Some((item.item, item.last.clone()?)));
        let open = open.filter(|(_, claim)| claim.outcome.is_none());
        Self {
            under_way: open.map(|(item, claim)| UnderWay { item, claim }).collect(),
            has_peers: view.instances.iter().any(|one| one.kind == InstanceKind::Java),
        }
    }
}

impl UnderWay {
    fn open(&self) -> Open {
        let at = self.claim.fire;
        let (item, trigger) = (self.item, self.claim.trigger.clone());
        Open { item, from: at, to: at, count: 1, gap: Gap::Running, trigger }
    }
}

impl Ledger {
    /// Reads a part of a ledger. `due: None` is what is on record alone; `live` is asked for what runs, and answers nothing while the registry is
    /// away.
    ///
    /// # Errors
    /// The event store does not answer.
    pub async fn read(
        record: &JobRecord<'_>,
        due: Option<&Due>,
        wanted: &Wanted,
        live: impl Future<Output = Option<Now>>,
    ) -> Result<Self, StoreError> {
        // What runs is asked first: what ends meanwhile is on record then, and one that is there is nowhere else.
        let live = match due {
            Some(_) => live.await,
            None => None,
        };
        let span = record.span(wanted.item, wanted.from, wanted.to, wanted.limit).await?;
        let begins = record.begins(None).await?;
        let (rows, to) = (span.rows, span.to);
        let mut ledger = Self { rows, open: Vec::new(), under_way: Vec::new(), begins, to, balance: None };
        let Some(due) = due else { return Ok(ledger) };
        let (is_known, live) = (live.is_some(), live.unwrap_or_default());
        let span = wanted.from..to;
        let is_asked = |one: &UnderWay| wanted.item.is_none_or(|item| item == one.item);
        let under_way = live.under_way.into_iter().filter(|one| is_asked(one) && !ledger.has(one));
        ledger.under_way = under_way.collect();
        let gaps = Gaps { record, due, now: wanted.now, ledger: &ledger, has_peers: live.has_peers };
        let mut open = gaps.of(wanted.item, span.clone()).await?;
        let is_known = is_known || open.is_empty();
        let runs = ledger.under_way.iter().map(UnderWay::open);
        open.extend(runs.filter(|open| span.contains(&open.from)));
        open.sort_by_key(|open| (open.item, open.from));
        ledger.open = open;
        ledger.balance = is_known.then(|| ledger.balanced(due.schedule.as_ref(), &span));
        Ok(ledger)
    }

    /// Is the fire of a claim on record by now?
    fn has(&self, UnderWay { item, claim }: &UnderWay) -> bool {
        self.rows.iter().any(|row| {
            let is_within = (row.begins()..=row.fire_time).contains(&claim.fire);
            row.item == *item && is_within && trigger(row) == claim.trigger
        })
    }

    fn balanced(&self, schedule: Option<&Schedule>, span: &Range<Millis>) -> Balance {
        let mut balance = Balance::default();
        self.rows.iter().for_each(|row| balance.settled(row.outcome, within(row, schedule, span)));
        self.open.iter().for_each(|open| balance.open(open.gap, open.count));
        balance
    }
}

/// The id of the trigger by hand that an outcome is of.
#[must_use]
pub fn trigger(row: &RunRow) -> Option<String> {
    match row.fire.parse() {
        Ok(Fire::Trigger { id, .. }) => Some(id),
        Ok(Fire::Scheduled(_)) | Err(_) => None,
    }
}

/// How many fires of a row lie in a span: those of a range that reaches over its ends are counted by the schedule.
fn within(row: &RunRow, schedule: Option<&Schedule>, span: &Range<Millis>) -> u64 {
    let (first, last) = (row.begins(), row.fire_time);
    match schedule {
        Some(schedule) if !(span.contains(&first) && span.contains(&last)) => {
            let (before, until) =
                (first.max(span.start).saturating_sub(1), last.min(span.end.saturating_sub(1)));
            schedule.count(before, until, row.range_count)
        }
        _ => row.range_count,
    }
}

/// What is known when instants without an outcome are looked for.
struct Gaps<'a> {
    record: &'a JobRecord<'a>,
    due: &'a Due,
    now: Millis,
    ledger: &'a Ledger,
    has_peers: bool,
}

impl Gaps<'_> {
    async fn of(&self, item: Option<Item>, span: Range<Millis>) -> Result<Vec<Open>, StoreError> {
        let Some(schedule) = &self.due.schedule else { return Ok(Vec::new()) };
        let from = self.ledger.begins.map_or(span.start, |begins| begins.max(span.start));
        let to = span.end.min(self.now);
        if from >= to {
            return Ok(Vec::new());
        }
        let count = self.due.items;
        let mut found = Vec::new();
        for item in item.map_or(0..count, |item| item..(item + 1).min(count)) {
            found.extend(self.of_item(schedule, item, from..to).await?);
        }
        Ok(found)
    }

    async fn of_item(
        &self,
        schedule: &Schedule,
        item: Item,
        span: Range<Millis>,
    ) -> Result<Vec<Open>, StoreError> {
        let is_scheduled = |row: &&RunRow| row.item == item && trigger(row).is_none();
        let settled = self.ledger.rows.iter().filter(is_scheduled).map(|row| (row.begins(), row.fire_time));
        let runs = self.ledger.under_way.iter().filter(|one| one.item == item && one.claim.trigger.is_none());
        let dealt_with: Vec<_> = settled.chain(runs.map(|one| (one.claim.fire, one.claim.fire))).collect();
        let since = self.due.since.clamp(span.start, span.end);
        let fresh = self.now.saturating_sub(SETTLE).clamp(since, span.end);
        let mut begins = None;
        let mut found = Vec::new();
        for (from, to, gap) in
            [(span.start, since, Gap::BeforeChange), (since, fresh, Gap::Open), (fresh, span.end, Gap::Due)]
        {
            for open in unsettled(schedule, from, to, dealt_with.iter().copied()) {
                let begins = match begins {
                    Some(known) => known,
                    None => *begins.insert(self.record.begins(Some(item)).await?),
                };
                let gap = self.told(gap, Gap::of(open.to, begins));
                found.push(Open {
                    item,
                    from: open.from,
                    to: open.to,
                    count: open.count,
                    gap,
                    trigger: None,
                });
            }
        }
        Ok(found)
    }

    /// Why instants of a part of the span have no outcome, by what the record says.
    fn told(&self, part: Gap, by_record: Gap) -> Gap {
        match (part, by_record) {
            (_, Gap::BeforeRecord) => Gap::BeforeRecord,
            (Gap::BeforeChange, _) => Gap::BeforeChange,
            _ if self.has_peers => Gap::Peers,
            (Gap::Due, _) => Gap::Due,
            (_, by_record) => by_record,
        }
    }
}

#[cfg(test)]
mod tests;
