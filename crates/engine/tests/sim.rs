//! The seeded simulation of elastic jobs: three to five engines on a simulated registry, with everything that goes wrong.
//!
//! One number decides a whole history. `SIM_SEEDS=20000` runs more of them, `SIM_SEED=17` replays one and prints what
//! happened. A seed that fails names the invariant, and shows the last events before.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "one test, several files")]
#![allow(clippy::print_stdout, reason = "the trace of a replay is for people")]

#[path = "sim/beside.rs"]
mod beside;
#[path = "sim/check.rs"]
mod check;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/java.rs"]
mod java;
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
#[path = "sim/witness.rs"]
mod witness;
#[path = "sim/world.rs"]
mod world;

use clockwright_engine::core::Mutation;
use clockwright_fleet::Layout;
use clockwright_testkit::sim::Rng;
use scenario::{Fault, Scenario, Seam};
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

/// What one run of a seed is about.
#[derive(Debug, Clone, Copy, Default)]
struct Trial {
    layout: Option<Layout>,
    /// Java peers take part.
    java: bool,
    defect: Option<Defect>,
    /// What goes wrong, instead of what the seed says: without it this defect would come to light in few seeds. None: as the seed says.
    faults: &'static [Fault],
}

fn run(seed: u64, trial: Trial, trace: usize) -> Verdict {
    let mut rng = Rng::new(seed);
    let mut scenario = Scenario::of(&mut rng);
    match trial.defect {
        Some(Defect::Core(mutation)) => scenario.mutation = Some(mutation),
        Some(Defect::Seam(seam)) => scenario.seam = Some(seam),
        None => {}
    }
    if !trial.faults.is_empty() {
        scenario.suffers(trial.faults);
    }
    scenario.layout = trial.layout;
    if trial.java {
        scenario.beside_java(&mut rng);
    }
    Sim::new(rng, scenario, trace).run()
}

/// Runs a seed to its end; the error says what was violated, be it seen from around the cores or by a check of their own.
fn judge(seed: u64, trial: Trial) -> Result<Verdict, String> {
    let verdict = std::panic::catch_unwind(|| run(seed, trial, 0)).map_err(|panic| {
        panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a core panics".to_owned())
    })?;
    verdict.violation.clone().map_or(Ok(verdict), Err)
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
        let (first, second) = (run(seed, Trial::default(), 0), run(seed, Trial::default(), 1_000));
        assert_eq!((first.hash, first.events), (second.hash, second.events), "seed {seed}");
    }
}

#[test]
fn every_invariant_holds_in_every_seed() {
    holds(Trial::default(), 500);
}

#[test]
fn every_invariant_holds_in_every_seed_in_the_layout_of_3x() {
    holds(Trial { layout: Some(Layout::V3), ..Trial::default() }, 300);
}

#[test]
fn what_is_promised_beside_java_holds_in_every_seed() {
    holds(Trial { java: true, ..Trial::default() }, 200);
}

fn holds(trial: Trial, seeds: u64) {
    if let Some(seed) = number("SIM_SEED") {
        let verdict = run(seed, trial, usize::MAX);
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
            .map(|seed| (seed, judge(seed, trial)))
            .collect::<Vec<_>>()
    };
    let verdicts: Vec<(u64, Result<Verdict, String>)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let good = || verdicts.iter().filter_map(|(_, verdict)| verdict.as_ref().ok());
    let events: u64 = good().map(|verdict| verdict.events).sum();
    let starts: u64 = good().map(|verdict| verdict.starts).sum();
    let mut failed: Vec<(u64, String)> =
        verdicts.into_iter().filter_map(|(seed, verdict)| Some((seed, verdict.err()?))).collect();
    failed.sort();
    println!("{seeds} seeds, {events} events, {starts} runs");
    if let Some((seed, _)) = failed.first() {
        let list: Vec<String> =
            failed.iter().take(40).map(|(seed, words)| format!("  {seed}: {words}")).collect();
        let replay = std::panic::catch_unwind(|| explain(&format!("seed {seed}"), &run(*seed, trial, SHOWN)));
        let replay = replay.unwrap_or_else(|_| format!("seed {seed} ends in a check of a core's own"));
        panic!("{} of {seeds} seeds failed:\n{}\n{replay}", failed.len(), list.join("\n"));
    }
}

/// With the defect put back, some seed must fail.
fn is_caught(defect: Defect, faults: &'static [Fault]) {
    is_found(Trial { defect: Some(defect), faults, ..Trial::default() });
}

/// As [`is_caught`], beside Java peers.
fn is_caught_beside_java(defect: Mutation, faults: &'static [Fault]) {
    is_found(Trial { defect: Some(defect.into()), faults, java: true, ..Trial::default() });
}

fn is_found(trial: Trial) {
    let defect = trial.defect;
    for seed in 0..number("SIM_MUTATION_SEEDS").unwrap_or(300) {
        if let Err(words) = judge(seed, trial) {
            println!("{defect:?}: seed {seed}: {words}");
            return;
        }
    }
    panic!("no seed finds {defect:?}");
}

macro_rules! mutations {
    ($($name:ident: $kind:ident $defect:ident $([$($fault:ident)*])?,)*) => {
        $(#[test]
        fn $name() {
            is_caught(Defect::from($kind::$defect), &[$($(Fault::$fault,)*)?]);
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
    finds_a_lease_that_is_counted_from_its_answer: Mutation LeaseFromNow [Partition Outage Pause],
    finds_a_completion_without_its_token: Mutation CompletionIgnoresToken,
    finds_that_only_items_of_dead_owners_are_suspected: Mutation OrphansOfDeadOwnersOnly,
    finds_that_a_dying_taker_of_ours_is_taken_for_java: Mutation DyingTakerIsJava,
    finds_that_a_job_is_left_with_claims_open: Mutation RemovedJobKeepsClaims [RemoveJob Denied Partition],
    finds_that_the_end_of_a_session_leaves_runs_their_lease: Seam OneLeaseForAllSessions [Expiry],
    finds_that_an_outcome_leaves_the_cursor_before_it_is_stored: Seam StoredBeforeItIs [Crash],
    finds_that_a_clock_which_is_ahead_is_trusted: Seam ClockIsTrusted,
    finds_that_settings_are_overwritten_at_each_look: Mutation OverwritesAtEachLook,
    finds_that_a_retry_waits_through_a_pause: Mutation RetryOutlivesPause [PauseJob],
    finds_that_a_process_with_the_same_id_is_taken_for_an_earlier_one: Seam TwinIsOurselves,
    finds_that_every_firing_is_called_whole: Seam EveryFiringIsWhole,
    finds_that_a_waiting_trigger_is_dropped_for_another: Mutation WaitingTriggerIsDropped [Trigger],
    finds_that_a_firing_with_a_retry_stays_open: Mutation RetriedFiringStaysOpen,
    finds_that_what_is_denied_is_asked_again_at_once: Mutation RefusalIsRepeated,
    finds_that_a_lost_attempt_stays_running_on_record: Mutation LostAttemptStaysRunning,
    finds_that_a_replaced_schedule_is_forgotten: Mutation ReplacedScheduleIsForgotten,
    finds_that_a_takeover_miscounts_versions: Mutation TakeoverMiscountsVersions [Crash],
    finds_that_an_outcome_waits_for_an_item_that_is_gone: Mutation RemovedItemIsWaitedFor [EditCount Partition],
    finds_that_a_shorter_timeout_is_not_told: Seam TimeoutIsForgotten [Renegotiate Partition],
}

#[test]
fn finds_beside_java_that_a_plan_is_made_while_java_runs() {
    is_caught_beside_java(Mutation::PlansWhileJavaRuns, &[]);
}

#[test]
fn finds_beside_java_that_the_lead_is_taken_past_its_queue() {
    is_caught_beside_java(Mutation::LeadsPastTheQueue, &[Fault::Crash, Fault::DisableServer]);
}

#[test]
fn finds_beside_java_that_cursors_outlive_what_it_ran() {
    is_caught_beside_java(Mutation::CursorsOutliveJava, &[Fault::Leave, Fault::Crash]);
}

#[test]
fn finds_beside_java_that_what_it_left_running_is_nobodys() {
    is_caught_beside_java(Mutation::JavasRunsAreLeft, &[]);
}

#[test]
fn finds_beside_java_that_a_plan_and_a_retry_wait_for_each_other() {
    is_caught_beside_java(Mutation::RetryWaitsForPlan, &[]);
}
