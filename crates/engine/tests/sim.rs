//! The seeded simulation of elastic jobs: three to five engines on a simulated registry, with everything that goes wrong.
//!
//! One number decides a whole history. `SIM_SEEDS=20000` runs more of them, `SIM_SEED=17` replays one and prints what
//! happened. A seed that fails names the invariant, and shows the last events before.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "one test, several files")]
#![allow(clippy::print_stdout, reason = "the trace of a replay is for people")]

#[path = "sim/check.rs"]
mod check;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/liveness.rs"]
mod liveness;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/roster.rs"]
mod roster;
#[path = "sim/scenario.rs"]
mod scenario;
#[path = "sim/shell.rs"]
mod shell;
#[path = "sim/world.rs"]
mod world;

use clockwright_engine::core::Mutation;
use clockwright_fleet::Layout;
use clockwright_testkit::sim::Rng;
use scenario::{Scenario, Seam};
use world::{Sim, Verdict};

/// How many of the last events a failure shows.
const SHOWN: usize = 60;

/// A defect that is put back.
#[derive(Debug, Clone, Copy)]
enum Defect {
    /// Inside the core.
    Core(Mutation),
    /// Around it.
    Seam(Seam),
}

impl From<Mutation> for Defect {
    fn from(mutation: Mutation) -> Self {
        Self::Core(mutation)
    }
}

impl From<Seam> for Defect {
    fn from(seam: Seam) -> Self {
        Self::Seam(seam)
    }
}

fn run(seed: u64, layout: Option<Layout>, defect: Option<Defect>, trace: usize) -> Verdict {
    let mut rng = Rng::new(seed);
    let mut scenario = Scenario::of(&mut rng);
    match defect {
        Some(Defect::Core(mutation)) => scenario.mutation = Some(mutation),
        Some(Defect::Seam(seam)) => scenario.seam = Some(seam),
        None => {}
    }
    scenario.layout = layout;
    Sim::new(rng, scenario, trace).run()
}

fn explain(what: &str, verdict: &Verdict) -> String {
    let trace: Vec<&str> = verdict.trace.iter().map(String::as_str).collect();
    let words = verdict.violation.as_deref().unwrap_or("nothing wrong");
    format!("{what}: {words}\n{}", trace.join("\n"))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn calm(engines: usize, jobs: usize, items: u32) {
    let go = |trace| Sim::new(Rng::new(1), Scenario::calm(engines, jobs, items), trace).run();
    let verdict = go(0);
    if verdict.violation.is_some() {
        panic!("{}", explain("a calm world", &go(400)));
    }
    let fires = 20 / 2 * jobs as u64 * u64::from(items);
    assert!(
        verdict.completions >= fires / 2 && verdict.completions <= fires,
        "{} completions",
        verdict.completions
    );
}

#[test]
fn one_engine_fires_one_job_in_a_calm_world() {
    calm(1, 1, 1);
}

#[test]
fn three_engines_share_two_jobs_in_a_calm_world() {
    calm(3, 2, 5);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 4] {
        let (first, second) = (run(seed, None, None, 0), run(seed, None, None, 1_000));
        assert_eq!((first.hash, first.events), (second.hash, second.events), "seed {seed}");
    }
}

#[test]
fn every_invariant_holds_in_every_seed() {
    holds(None, 500);
}

#[test]
fn every_invariant_holds_in_every_seed_in_the_layout_of_3x() {
    holds(Some(Layout::V3), 300);
}

fn holds(layout: Option<Layout>, seeds: u64) {
    if let Some(seed) = number("SIM_SEED") {
        let verdict = run(seed, layout, None, usize::MAX);
        println!("{}", explain(&format!("seed {seed}"), &verdict));
        assert_eq!(verdict.violation, None);
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(seeds);
    let first = number("SIM_FIRST").unwrap_or(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let part = |worker: u64| {
        (first + worker..first + seeds)
            .step_by(workers as usize)
            .map(|seed| (seed, run(seed, layout, None, 0)))
            .collect::<Vec<_>>()
    };
    let verdicts: Vec<(u64, Verdict)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let events: u64 = verdicts.iter().map(|(_, verdict)| verdict.events).sum();
    let starts: u64 = verdicts.iter().map(|(_, verdict)| verdict.starts).sum();
    let mut failed: Vec<(u64, String)> =
        verdicts.into_iter().filter_map(|(seed, verdict)| Some((seed, verdict.violation?))).collect();
    failed.sort();
    println!("{seeds} seeds, {events} events, {starts} runs");
    if let Some((seed, _)) = failed.first() {
        let list: Vec<String> =
            failed.iter().take(40).map(|(seed, words)| format!("  {seed}: {words}")).collect();
        let replay = explain(&format!("seed {seed}"), &run(*seed, layout, None, SHOWN));
        panic!("{} of {seeds} seeds failed:\n{}\n{replay}", failed.len(), list.join("\n"));
    }
}

/// With the defect put back, some seed must fail; returns what was violated.
fn is_caught(defect: Defect) {
    for seed in 0..number("SIM_MUTATION_SEEDS").unwrap_or(300) {
        if let Some(words) = run(seed, None, Some(defect), 0).violation {
            println!("{defect:?}: seed {seed}: {words}");
            return;
        }
    }
    panic!("no seed finds {defect:?}");
}

macro_rules! mutations {
    ($($name:ident: $kind:ident $defect:ident,)*) => {
        $(#[test]
        fn $name() {
            is_caught(Defect::from($kind::$defect));
        })*
    };
}

mutations! {
    finds_e1_that_members_wait_for_ever_for_a_plan: Mutation NonLeaderWaitsForever,
    finds_e2_that_a_new_leader_trusts_the_old_plan: Mutation NewLeaderTrustsOldPlan,
    finds_e3_that_a_stale_mark_blocks_resharding: Mutation StaleRunningBlocksReshard,
    finds_e4_that_a_failed_item_never_runs_again: Mutation FailedItemStaysRunning,
    finds_e5_that_a_latch_is_never_released: Mutation LatchNeverReleased,
    finds_e6_that_hints_are_trusted: Mutation HintsAreTrusted,
    finds_e7_that_a_reconnect_is_a_shutdown: Mutation ReconnectIsShutdown,
    finds_e8_that_a_reconnect_clears_what_runs: Mutation ReconnectClearsRunning,
    finds_e9_that_an_unclear_write_is_ignored: Mutation UnknownIsIgnored,
    finds_e10_that_a_claim_ignores_the_plan: Mutation ClaimIgnoresPlan,
    finds_e11_that_fires_have_no_identity: Mutation NoFireIdentity,
    finds_e12_that_failover_needs_the_owner_alive: Mutation FailoverNeedsOwnerAlive,
    finds_e13_that_finished_work_fails_over: Mutation FailoverOfFinishedWork,
    finds_e16_that_a_misfire_runs_twice: Mutation MisfireRunsTwice,
    finds_e17_that_misfires_are_forgotten_at_a_takeover: Mutation MisfireForgottenOnTakeover,
    finds_a_lease_that_is_counted_from_its_answer: Mutation LeaseFromNow,
    finds_a_completion_without_its_token: Mutation CompletionIgnoresToken,
    finds_that_only_items_of_dead_owners_are_suspected: Mutation OrphansOfDeadOwnersOnly,
    finds_that_a_dying_taker_of_ours_is_taken_for_java: Mutation DyingTakerIsJava,
    finds_that_a_job_is_left_with_claims_open: Mutation RemovedJobKeepsClaims,
    finds_that_the_end_of_a_session_leaves_runs_their_lease: Seam OneLeaseForAllSessions,
    finds_that_an_outcome_leaves_the_cursor_before_it_is_stored: Seam StoredBeforeItIs,
    finds_that_a_clock_which_is_ahead_is_trusted: Seam ClockIsTrusted,
}
