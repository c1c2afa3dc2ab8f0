//! What Elastic-Job's instances ran, from the rows of their own history, in which nothing is settled.
//!
//! - A row begins with its run and is completed at its end. Rows come in any order and more than once; the newest few of an item are kept, and
//!   what is older has become numbers.
//! - No row says which fire a run was for. What began at a due instant or after it counts for it: Elastic-Job runs an item for the newest fire
//!   alone, by the clock that fires it.
//! - A run whose end nobody wrote adds nothing to a row of failures and does not end it.
//! - Without a history there are the marks of what runs: see [`Java`].

use super::judge::State;
use clockwright_model::{Item, Millis};
use std::collections::BTreeMap;

/// How many runs of an item are kept singly: what is written by several threads comes in another order than it happened.
const KEPT: usize = 4;

/// How a run stands by its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It has no end yet.
    None,
    /// It ended well, then.
    Succeeded(Millis),
    /// It ended badly, then.
    Failed(Millis),
}

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub start: Millis,
    /// Tells it from others of the same instant.
    pub id: u64,
    /// How it ended.
    pub end: End,
}

/// The runs of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The newest ones, the oldest first.
    newest: Vec<Run>,
    /// How often it had failed in a row before those.
    streak: u32,
    /// When it had last succeeded before those.
    good: Option<Millis>,
}

impl Runs {
    /// Takes in a row; true when it says something new.
    pub fn take(&mut self, run: Run) -> bool {
        match self.newest.binary_search_by_key(&(run.start, run.id), |run| (run.start, run.id)) {
            Ok(at) => {
                let Some(known) = self.newest.get_mut(at).filter(|known| known.end == End::None) else {
                    return false;
                };
                known.end = run.end;
                run.end != End::None
            }
            // It was before all that is kept: what it says is in the numbers, or has no place there.
            Err(0) if self.newest.len() == KEPT => false,
            Err(at) => {
                self.newest.insert(at, run);
                if self.newest.len() > KEPT {
                    let oldest = self.newest.remove(0);
                    (self.streak, self.good) = after((self.streak, self.good), &oldest);
                }
                true
            }
        }
    }

    /// When it last began.
    #[must_use]
    pub fn begun(&self) -> Option<Millis> {
        self.newest.last().map(|run| run.start)
    }

    /// When the newest run began, if nobody knows its end.
    #[must_use]
    pub fn open(&self) -> Option<Millis> {
        self.newest.last().filter(|run| run.end == End::None).map(|run| run.start)
    }

    /// How the item stands by its last run that ended.
    #[must_use]
    pub fn state(&self, item: Item) -> Option<State> {
        let ended = |run: &&Run| run.end != End::None;
        let last = self.newest.iter().rev().find(ended)?;
        let (streak, good) = self.newest.iter().fold((self.streak, self.good), after);
        let (outcome, decided, took) = match last.end {
            End::Succeeded(at) => ("succeeded", at, Some((at - last.start).max(0))),
            End::Failed(at) => ("failed", at, None),
            End::None => return None,
        };
        Some(State { item, outcome, fire: last.start, streak, decided, took, good })
    }
}

fn after((streak, good): (u32, Option<Millis>), run: &Run) -> (u32, Option<Millis>) {
    match run.end {
        End::None => (streak, good),
        End::Succeeded(at) => (0, Some(at)),
        End::Failed(_) => (streak.saturating_add(1), good),
    }
}

/// What shows whether the items of a job ran that Elastic-Job's instances serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Java {
    /// Their history has runs of the job.
    pub traced: bool,
    /// Since when each mark of a running item was seen; `None` where they make none, or not each is seen.
    pub marked: Option<Millis>,
    /// When each item was last seen to run.
    pub ran: BTreeMap<Item, Millis>,
}

impl Java {
    /// Would it be known if something had run for this instant?
    #[must_use]
    pub fn shows(&self, due: Millis) -> bool {
        self.traced || self.marked.is_some_and(|since| since <= due)
    }

    /// Did the item run for this instant?
    #[must_use]
    pub fn has_run(&self, item: Item, due: Millis) -> bool {
        self.ran.get(&item).is_some_and(|at| *at >= due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: Millis, end: End) -> Run {
        Run { start, id: 1, end }
    }

    fn failed(start: Millis) -> Run {
        run(start, End::Failed(start + 1))
    }

    fn succeeded(start: Millis) -> Run {
        run(start, End::Succeeded(start + 2))
    }

    fn streak(runs: &Runs) -> u32 {
        runs.state(0).map_or(0, |state| state.streak)
    }

    #[test]
    fn failures_count_until_a_success_however_long_ago_they_began_and_however_often_they_are_read() {
        let mut runs = Runs::default();
        let all: Vec<Run> =
            (1..=9).map(|at| if at == 2 { succeeded(at * 10) } else { failed(at * 10) }).collect();
        for _ in 0..2 {
            for run in &all {
                runs.take(*run);
            }
            let state = runs.state(3).expect("it ended");
            assert_eq!((state.item, state.outcome, state.fire, state.streak), (3, "failed", 90, 7));
            assert_eq!((state.good, state.took), (Some(22), None));
        }
        assert!(runs.take(succeeded(100)));
        let state = runs.state(3).expect("it ended");
        assert_eq!((state.outcome, state.streak, state.took, state.decided), ("succeeded", 0, Some(2), 102));
    }

    #[test]
    fn rows_say_the_same_in_whatever_order_they_come() {
        let mut runs = Runs::default();
        for run in [failed(30), succeeded(10), failed(20)] {
            assert!(runs.take(run));
        }
        assert_eq!(streak(&runs), 2);
        for at in [40, 50, 60, 70] {
            runs.take(failed(at));
        }
        assert!(!runs.take(succeeded(35)), "it is before all that is kept");
        assert_eq!(streak(&runs), 6);
    }

    #[test]
    fn a_run_counts_once_it_has_ended_and_its_end_stays() {
        let mut runs = Runs::default();
        assert!(runs.take(run(10, End::None)));
        assert_eq!((runs.state(0), runs.begun(), runs.open()), (None, Some(10), Some(10)));
        assert!(!runs.take(run(10, End::None)));
        assert!(runs.take(failed(10)));
        assert!(!runs.take(run(10, End::None)), "an older look at it");
        assert_eq!((streak(&runs), runs.open()), (1, None));
        // The next one, whose process died, adds nothing; the one after it does.
        runs.take(run(20, End::None));
        assert_eq!(streak(&runs), 1);
        runs.take(failed(30));
        assert_eq!((streak(&runs), runs.begun(), runs.open()), (2, Some(30), None));
    }

    #[test]
    fn two_runs_of_one_second_are_two() {
        let mut runs = Runs::default();
        runs.take(failed(10));
        runs.take(Run { id: 2, ..failed(10) });
        assert_eq!(streak(&runs), 2);
    }

    #[test]
    fn marks_show_what_ran_since_each_of_them_is_seen() {
        let marked = Java { marked: Some(50), ..Java::default() };
        assert!(marked.shows(50) && !marked.shows(49));
        assert!(Java { traced: true, ..Java::default() }.shows(49));
        let java = Java { ran: [(0, 60)].into(), ..marked };
        assert!(java.has_run(0, 60) && !java.has_run(0, 61) && !java.has_run(1, 60));
    }
}
