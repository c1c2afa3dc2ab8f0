//! The seeded simulations of settings sync and of holds ([`holds`]). Of the first: three servers that save, two that lead one after the other, somebody who edits the registry, and answers
//! that get lost, on a simulated registry and a database of values.
//!
//! One number decides a whole history. `SIM_SEEDS=20000` runs more of them, `SIM_SEED=17` replays one and prints what happened. A
//! seed that fails names the invariant.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "one test, several files")]
#![allow(clippy::print_stdout, reason = "the trace of a replay is for people")]

#[path = "sync_sim/check.rs"]
mod check;
#[path = "sync_sim/database.rs"]
mod database;
#[path = "sync_sim/holds.rs"]
mod holds;
#[path = "sync_sim/world.rs"]
mod world;

use clockwright_server::decide::group::Mutation;
use holds::Defect;
use world::{Sim, Verdict};

/// How many of the last events a failure shows.
const SHOWN: usize = 80;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(seed: u64, mutation: Option<Mutation>, trace: usize) -> Verdict {
    Sim::new(seed, mutation, trace).run()
}

fn explain(seed: u64, trace: usize) -> String {
    let verdict = run(seed, None, trace);
    let words = verdict.violation.unwrap_or_else(|| "nothing wrong".to_owned());
    format!("seed {seed}: {words}\n{}", Vec::from(verdict.trace).join("\n"))
}

#[test]
fn every_invariant_holds_in_every_seed() {
    if let Some(seed) = number("SIM_SEED") {
        println!("{}", explain(seed, usize::MAX));
        assert_eq!(run(seed, None, 0).violation, None);
        return;
    }
    let (mut commits, mut repairs, mut adoptions) = (0, 0, 0);
    for seed in 0..number("SIM_SEEDS").unwrap_or(2_000) {
        let verdict = run(seed, None, 0);
        assert_eq!(verdict.violation, None, "{}", explain(seed, SHOWN));
        commits += verdict.commits;
        repairs += verdict.repairs;
        adoptions += verdict.adoptions;
    }
    println!("{commits} commits, {repairs} repairs, {adoptions} adoptions");
    assert!(commits > 0 && repairs > 0 && adoptions > 0, "the simulation reaches what it is for");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 4] {
        assert_eq!(run(seed, None, 0).hash, run(seed, None, 1_000).hash, "seed {seed}");
    }
}

/// With the defect put back, some seed must fail by this invariant.
fn is_caught(mutation: Mutation, invariant: &str) {
    for seed in 0..number("SIM_MUTATION_SEEDS").unwrap_or(2_000) {
        let Some(words) = run(seed, Some(mutation), 0).violation else { continue };
        if words.starts_with(invariant) {
            return println!("{mutation:?}: seed {seed}: {words}");
        }
    }
    panic!("no seed finds {mutation:?}");
}

#[test]
fn finds_a_writer_that_asks_the_database_before_it_looks_at_control() {
    // Of two fences the nearer one: `control` knows a later record of the journal than the one that was asked for.
    is_caught(Mutation::AsksBeforeItLooks, "I7");
}

#[test]
fn finds_a_writer_that_leaves_control_as_it_is() {
    is_caught(Mutation::LeavesControl, "I1");
}

#[test]
fn finds_a_repair_of_what_is_not_on_record() {
    is_caught(Mutation::RepairsWithoutRecord, "I3");
}

#[test]
fn finds_a_chore_that_does_not_mind_its_term() {
    is_caught(Mutation::ChoresWithoutTerm, "I6");
}

fn run_holds(seed: u64, defect: Option<Defect>, trace: usize) -> holds::Verdict {
    holds::Sim::new(seed, defect, trace).run()
}

#[test]
fn every_invariant_of_holds_holds_in_every_seed() {
    let explain = |seed, trace| {
        let verdict = run_holds(seed, None, trace);
        format!("seed {seed}: {:?}\n{}", verdict.violation, Vec::from(verdict.trace).join("\n"))
    };
    if let Some(seed) = number("SIM_SEED") {
        println!("{}", explain(seed, usize::MAX));
        assert_eq!(run_holds(seed, None, 0).violation, None);
        return;
    }
    let (mut restored, mut taken) = (0, 0);
    for seed in 0..number("SIM_SEEDS").unwrap_or(2_000) {
        let verdict = run_holds(seed, None, 0);
        assert_eq!(verdict.violation, None, "{}", explain(seed, SHOWN));
        restored += verdict.restored;
        taken += verdict.taken;
    }
    println!("{restored} nodes stopped again, {taken} wishes of others");
    assert!(restored > 0 && taken > 0, "the simulation reaches what it is for");
}

/// With the defect put back, some seed must fail by this invariant.
fn is_caught_in_holds(defect: Defect, invariant: &str) {
    for seed in 0..number("SIM_MUTATION_SEEDS").unwrap_or(2_000) {
        let Some(words) = run_holds(seed, Some(defect), 0).violation else { continue };
        if words.starts_with(invariant) {
            return println!("{defect:?}: seed {seed}: {words}");
        }
    }
    panic!("no seed finds {defect:?}");
}

#[test]
fn finds_an_enable_of_somebody_else_that_is_adopted() {
    is_caught_in_holds(Defect::AdoptsEnables, "I8");
}

#[test]
fn finds_a_write_of_a_hold_that_does_not_mind_control() {
    is_caught_in_holds(Defect::NoFence, "I6");
}

#[test]
fn finds_a_wish_that_is_made_of_what_an_old_session_shows() {
    is_caught_in_holds(Defect::BelievesTheSession, "I8");
}

#[test]
fn a_look_that_takes_over_what_another_one_has_stopped_is_caught() {
    is_caught_in_holds(Defect::TakesFromOthers, "I8");
}
