//! What one seed is about: how many engines, which jobs, which faults.

use clockwright_engine::core::Mutation;
use clockwright_fleet::Layout;
use clockwright_model::{Exclusive, JobKind, JobName, JobSettings, Millis, Misfire, Retry};
use clockwright_testkit::sim::Rng;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Crash,
    Pause,
    Partition,
    FollowerCut,
    Outage,
    Blip,
    ClockStep,
    EditCount,
    EditCron,
    DisableServer,
    DisableItem,
    PauseJob,
    Trigger,
    ConsoleShutdown,
    Leave,
    /// A session ends before its time: an operator ended it, or the registry forgot it.
    Expiry,
    /// An engine leaves a job, and serves it again later.
    RemoveJob,
    /// An access list keeps an engine from writing.
    Denied,
    /// The servers start again and grant sessions less time than before.
    Renegotiate,
}

/// A defect that is put back around the core: in the shell, or in what reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seam {
    /// All sessions of a process share one lease, which the end of a session does not shorten.
    OneLeaseForAllSessions,
    /// Outcomes are said to be stored before they are.
    StoredBeforeItIs,
    /// The registry's time is never seen.
    ClockIsTrusted,
    /// M7: a process with our id is taken for an earlier one of ours.
    TwinIsOurselves,
    /// M8: whatever begins is called a whole firing, for which others wait.
    EveryFiringIsWhole,
    /// M35: that the session is granted less time is not told.
    TimeoutIsForgotten,
}

/// What a registry knows that has lost its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    Everything,
    /// What it knew earlier.
    TheLatest,
}

pub const ALL_FAULTS: [Fault; 19] = [
    Fault::Crash,
    Fault::Pause,
    Fault::Partition,
    Fault::FollowerCut,
    Fault::Outage,
    Fault::Blip,
    Fault::ClockStep,
    Fault::EditCount,
    Fault::EditCron,
    Fault::DisableServer,
    Fault::DisableItem,
    Fault::PauseJob,
    Fault::Trigger,
    Fault::ConsoleShutdown,
    Fault::Leave,
    Fault::Expiry,
    Fault::RemoveJob,
    Fault::Denied,
    Fault::Renegotiate,
];

/// One seed's setting.
pub struct Scenario {
    pub engines: usize,
    /// How many Java peers the first job has.
    pub java: usize,
    pub jobs: Vec<JobSettings>,
    /// How many items operators give a job, and take away from it.
    pub counts: [u32; 4],
    /// Session timeout.
    pub timeout: Millis,
    pub faults: Vec<Fault>,
    /// Mean time between faults.
    pub fault_every: Millis,
    /// When everything is healed.
    pub heal_at: Millis,
    pub end_at: Millis,
    /// In a thousand.
    pub lost_hints: u64,
    pub lost_answers: u64,
    pub lag: u64,
    /// Commits share transactions, one at a time; otherwise each travels by itself, many at a time.
    pub shared: bool,
    pub clock_offset: Millis,
    /// The first engine's clock is ahead by this much from its start on.
    pub clock_ahead: Millis,
    /// How long runs may take that are asked to stop.
    pub longest_stop: Millis,
    pub longest_run: Millis,
    /// One more engine dies once all is healed, in the middle of runs, and another comes before its session has ended.
    pub last_crash: bool,
    pub failures: u64,
    /// The first two engines are processes of one address and one number, as in containers.
    pub twins: bool,
    /// The registry loses data while all are connected.
    pub loss: Option<Loss>,
    pub mutation: Option<Mutation>,
    pub seam: Option<Seam>,
    /// What jobs are made in.
    pub layout: Option<Layout>,
}

impl Scenario {
    /// A quiet world: nothing is lost, nobody dies.
    pub fn calm(engines: usize, jobs: usize, items: u32) -> Self {
        let jobs = (0..jobs).map(|n| settings(&format!("job{n}"), "0/2 * * * * ?", items)).collect();
        Self {
            engines,
            java: 0,
            jobs,
            counts: COUNTS,
            timeout: 6_000,
            faults: Vec::new(),
            fault_every: 1_000_000,
            heal_at: 10_000,
            end_at: 20_000,
            lost_hints: 0,
            lost_answers: 0,
            lag: 0,
            shared: false,
            clock_offset: 0,
            clock_ahead: 0,
            longest_stop: 100,
            longest_run: 300,
            last_crash: false,
            failures: 0,
            twins: false,
            loss: None,
            mutation: None,
            seam: None,
            layout: None,
        }
    }

    /// What the seed says.
    pub fn of(rng: &mut Rng) -> Self {
        let mut faults = Vec::new();
        let many = rng.chance(500);
        for fault in ALL_FAULTS {
            if rng.chance(if many { 500 } else { 200 }) {
                faults.push(fault);
            }
        }
        let lost_hints = if rng.chance(500) { rng.pick(&[10, 50, 300]) } else { 0 };
        let heal_at = rng.range(20_000, 35_000);
        let count = rng.range(1, 4) as usize;
        let jobs: Vec<JobSettings> = (0..count).map(|n| random_job(rng, n)).collect();
        let loss = if rng.chance(60) { Some(rng.pick(&[Loss::Everything, Loss::TheLatest])) } else { None };
        let mut jobs = jobs;
        let is_large = rng.chance(15);
        if is_large {
            (jobs[0].sharding_total_count, jobs[0].cron) = (LARGE, "0/5 * * * * ?".to_owned());
        }
        let end_at = heal_at + converges_within(lost_hints > 0, faults.contains(&Fault::Denied));
        Self {
            engines: rng.range(3, 6) as usize,
            java: 0,
            jobs,
            counts: if is_large { [2, 7, LARGE - 20, LARGE] } else { COUNTS },
            timeout: rng.pick(&[3_000, 4_500, 6_000]),
            faults,
            fault_every: rng.pick(&[1_500, 3_000, 6_000]),
            heal_at,
            end_at,
            lost_hints,
            lost_answers: rng.pick(&[0, 0, 5, 30]),
            lag: rng.pick(&[0, 100, 500]),
            shared: rng.chance(500),
            clock_offset: rng.pick(&[0, 0, 20, 1_500]),
            longest_run: rng.pick(&[100, 800, 3_000, 9_000]),
            failures: rng.pick(&[0, 50, 300]),
            clock_ahead: if rng.chance(100) { 3_600_000 } else { 0 },
            longest_stop: rng.pick(&[100, 100, 5_000]),
            last_crash: rng.chance(500),
            twins: rng.chance(150),
            loss,
            mutation: None,
            seam: None,
            layout: None,
        }
    }

    /// Java peers take part in the first job. They share its clock and its zone, and know crons only; a registry that loses its data is
    /// nothing that Java outlives.
    pub fn beside_java(&mut self, rng: &mut Rng) {
        self.java = rng.range(1, 3) as usize;
        self.jobs[0].cron = java_cron(rng).to_owned();
        self.jobs[0].sharding_total_count = rng.range(2, 7) as u32;
        self.counts = COUNTS;
        self.faults.retain(|fault| *fault != Fault::ClockStep);
        (self.loss, self.twins, self.clock_ahead) = (None, false, 0);
        self.clock_offset = self.clock_offset.min(20);
        self.end_at = self.end_at.max(self.heal_at + BESIDE_JAVA);
    }

    /// Whether one of the jobs has more items than a plan in one commit.
    pub fn is_large(&self) -> bool {
        self.counts != COUNTS
    }

    /// These faults and no others, one soon after the other.
    pub fn suffers(&mut self, faults: &[Fault]) {
        self.faults = faults.to_vec();
        self.fault_every = self.fault_every.min(3_000);
    }
}

/// Items of jobs as most are.
const COUNTS: [u32; 4] = [1, 2, 4, 7];
/// So many items that a plan of them is more than one commit.
const LARGE: u32 = 250;

/// How long after the healing all is calm beside Java peers, milliseconds: a Java leader plans with its next fire only.
const BESIDE_JAVA: Millis = 32_000;

/// How long after the healing everything is as it should be, milliseconds.
fn converges_within(loses_hints: bool, denies: bool) -> Millis {
    match (loses_hints, denies) {
        // Lost hints are made up for by the next full reading, which may be 30 s away.
        (true, _) => 45_000,
        // What was denied often is tried again after up to 30 s.
        (false, true) => 37_000,
        (false, false) => 22_000,
    }
}

pub fn settings(name: &str, cron: &str, items: u32) -> JobSettings {
    let mut job = JobSettings::new(JobName::new(name).unwrap(), JobKind::Simple, cron, items);
    job.time_zone = Some("UTC".to_owned());
    job
}

fn random_job(rng: &mut Rng, number: usize) -> JobSettings {
    let mut job = settings(&format!("job{number}"), random_cron(rng), rng.range(2, 7) as u32);
    job.failover = rng.chance(500);
    job.misfire = rng.pick(&[
        Misfire::FireOnce,
        Misfire::FireOnce,
        Misfire::Skip,
        Misfire::FireAll { cap: 3, window: 20_000 },
    ]);
    job.monitor_execution = rng.chance(700);
    job.overwrite = rng.chance(200);
    job.exclusive = if rng.chance(800) { Exclusive::Strict } else { Exclusive::BestEffort };
    if rng.chance(300) {
        job.retry = Retry { max_attempts: 3, backoff: 300, max_backoff: 1_000 };
    }
    job
}

/// One that leaves Java the time for a firing.
pub fn java_cron(rng: &mut Rng) -> &'static str {
    rng.pick(&["0/2 * * * * ?", "0/3 * * * * ?", "0/5 * * * * ?"])
}

pub fn random_cron(rng: &mut Rng) -> &'static str {
    rng.pick(&["* * * * * ?", "0/2 * * * * ?", "0/3 * * * * ?", "0/5 * * * * ?", "@every 1500ms"])
}
