//! What would become of a job's items if instances left or came, if there were more or fewer items, or by another strategy; with none of that, what a
//! rebalance would do. Nothing is written; the strategies are those that leaders go by.

use super::effects::Seen;
use clockwright_api::plan::{Compared, Move, Share, WhatIf};
use clockwright_model::{InstanceId, Item, JobSettings};
use clockwright_planner::sharding::{Strategy, descending};
use std::collections::HashSet;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// These instances leave.
    pub leave: Vec<InstanceId>,
    /// So many come.
    pub join: u32,
    /// So many items there are.
    pub items: Option<Item>,
    /// This strategy.
    pub strategy: Option<Strategy>,
}

/// The strategies that are compared.
const ALL: [Strategy; 4] =
    [Strategy::Average, Strategy::OdevityByName, Strategy::RotateByName, Strategy::MinimalMoves];

/// How many moves are told.
const MOVES: usize = 1_000;

/// What would be.
#[must_use]
pub fn what_if(job: &JobSettings, seen: &Seen, change: &Change) -> WhatIf {
    let gone: HashSet<&InstanceId> = change.leave.iter().collect();
    let mut there: Vec<InstanceId> = seen.available.iter().filter(|id| !gone.contains(id)).cloned().collect();
    // Nobody knows their addresses yet; by these names they stand behind those that are there, or among them, as any new machine may.
    there.extend((1..=change.join).map(|number| InstanceId::from_wire(&format!("new-{number}@-@1"))));
    descending(&mut there);
    let count = change.items.unwrap_or(job.sharding_total_count);
    let now = Strategy::parse(&job.sharding_strategy).unwrap_or_default();
    let strategy = change.strategy.unwrap_or(now);
    let plan = |strategy: Strategy| strategy.assign(job.name.as_str(), &there, count, &seen.owners);
    let then = plan(strategy);
    let moves = moves(seen, &there, &then);
    let compared = ALL.map(|strategy| {
        let then = plan(strategy);
        Compared {
            strategy: strategy.word().to_owned(),
            moved: self::moves(seen, &there, &then).len() as u64,
            most: shares(&there, &then).iter().map(|share| share.items).max().unwrap_or(0),
        }
    });
    let is_moved = |item: &Item| moves.iter().any(|one| one.item == *item);
    let is_left = |item: &Item| {
        seen.owners.get(*item as usize).and_then(Option::as_ref).is_some_and(|owner| gone.contains(owner))
    };
    WhatIf {
        strategy: strategy.word().to_owned(),
        items: count,
        moved: moves.len() as u64,
        interrupted: seen.running.iter().filter(|item| is_left(item)).copied().collect(),
        // What runs ends where it runs, also of an item that there is not any more then.
        waiting: seen.running.iter().filter(|item| is_moved(item) && !is_left(item)).copied().collect(),
        shares: shares(&there, &then),
        moves: moves.into_iter().take(MOVES).collect(),
        compared: compared.into(),
    }
}

/// The items that somebody has and another one, or nobody, gets.
fn moves(seen: &Seen, there: &[InstanceId], then: &[Option<usize>]) -> Vec<Move> {
    let owned = seen.owners.iter().zip(0..).filter_map(|(owner, item)| Some((item, owner.as_ref()?)));
    owned
        .filter_map(|(item, from): (Item, _)| {
            let to = then.get(item as usize).copied().flatten().and_then(|place| there.get(place));
            let text = |id: &InstanceId| id.as_str().to_owned();
            (to != Some(from)).then(|| Move { item, from: text(from), to: to.map(text) })
        })
        .collect()
}

/// How many items each instance would have.
fn shares(there: &[InstanceId], then: &[Option<usize>]) -> Vec<Share> {
    let mut counts = vec![0_u64; there.len()];
    then.iter().flatten().for_each(|place| counts[*place] += 1);
    let each = there.iter().zip(counts);
    each.map(|(id, items)| Share { instance: id.as_str().to_owned(), items }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{JobKind, JobName};

    fn id(text: &str) -> InstanceId {
        InstanceId::from_wire(text)
    }

    /// Six items of three instances, two each.
    fn seen() -> Seen {
        let owner = |text: &str| Some(id(text));
        Seen {
            available: vec![id("c"), id("b"), id("a")],
            owners: ["c", "c", "b", "b", "a", "a"].map(owner).into(),
            running: vec![2, 5],
            ..Seen::default()
        }
    }

    fn told(change: &Change) -> WhatIf {
        let job = JobSettings::new(JobName::new("j").unwrap(), JobKind::Simple, "0 0 0 * * ?", 6);
        what_if(&job, &seen(), change)
    }

    fn moved(told: &WhatIf) -> Vec<Item> {
        told.moves.iter().map(|one| one.item).collect()
    }

    #[test]
    fn nothing_moves_where_nothing_changes() {
        let told = told(&Change::default());
        assert_eq!((told.moved, &told.interrupted[..], &told.waiting[..]), (0, &[][..], &[][..]));
        assert_eq!(told.shares.iter().map(|share| share.items).collect::<Vec<_>>(), [2, 2, 2]);
        assert_eq!(told.compared.iter().find(|one| one.strategy == "MINIMAL_MOVES").unwrap().moved, 0);
    }

    #[test]
    fn who_leaves_interrupts_what_runs_there_and_its_items_go_to_the_others() {
        let leave = Change { leave: vec![id("b")], ..Change::default() };
        let average = told(&leave);
        // Three each: 0 to 2 are c's, 3 to 5 are a's.
        assert_eq!((moved(&average), &average.interrupted[..]), (vec![2, 3], &[2][..]));
        assert_eq!(average.moves[0], Move { item: 2, from: "b".into(), to: Some("c".into()) });
        let all = told(&Change { leave: vec![id("a"), id("b"), id("c")], ..Change::default() });
        assert_eq!((all.moved, all.moves[0].to.clone(), &all.interrupted[..]), (6, None, &[2, 5][..]));
    }

    #[test]
    fn who_comes_and_another_number_or_strategy_move_items_that_run_on_where_they_are() {
        let minimal = Change { join: 1, strategy: Some(Strategy::MinimalMoves), ..Change::default() };
        let more = told(&minimal);
        assert_eq!((more.shares.len(), more.moved, more.interrupted.len()), (4, 1, 0));
        let fewer = told(&Change { items: Some(3), ..Change::default() });
        // One each: 0 stays, 1 is b's, 2 is a's; 3 to 5 are gone.
        assert_eq!(
            (moved(&fewer), &fewer.interrupted[..], &fewer.waiting[..]),
            (vec![1, 2, 3, 4, 5], &[][..], &[2, 5][..])
        );
    }
}
