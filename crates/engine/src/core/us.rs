//! This process among the others: what all jobs of an engine share.

use super::time::Clocks;
use super::{CoreOptions, Effect, Event, Mutation, Notice, Now, Pending, records};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Keys;
use clockwright_model::{InstanceId, Item, JobName, Millis};
use clockwright_planner::Lease;
use clockwright_registry::{Op, Path};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

/// Everything of an engine but its jobs.
pub(super) struct Us {
    pub(crate) options: CoreOptions,
    pub(crate) keys: Keys,
    pub(crate) me: InstanceId,
    pub(crate) session: Option<Terms>,
    /// Sessions of the processes that hold a lease.
    pub(crate) leases: BTreeMap<InstanceId, i64>,
    /// When a lease was last read, and those that are being read for [`Turn::lease_is_known`](super::Turn).
    pub(crate) lease_read: BTreeMap<InstanceId, u64>,
    pub(crate) lease_asked: BTreeSet<InstanceId>,
    /// How often a lease came or went, and how often one went.
    pub(crate) lease_changes: u64,
    pub(crate) lease_losses: u64,
    /// The layout of the namespace's jobs when the session began.
    pub(crate) others: Option<Layout>,
    /// A control server manages the settings of the namespace: what the registry says of them counts, whatever a job's file says.
    pub(crate) managed: bool,
    pub(crate) lease: Lease,
    pub(super) clocks: Clocks,
    /// Grows with every effect that gets an answer and with every answer that changes a mirror.
    pub(crate) sequence: u64,
    pub(super) commits: HashMap<u64, Pending>,
    /// Whose run each run is: the job's number, and the item.
    pub(crate) runs: HashMap<u64, (usize, Item)>,
    pub(super) firings: HashMap<u64, records::OpenFiring>,
    /// How many outcomes were put on record, and how many of those, from the first on, are stored.
    settlements: u64,
    pub(crate) stored: u64,
    pub(crate) hostname: Arc<str>,
    pub(crate) ip: Arc<str>,
    pub(crate) wall_timers: Timers,
    pub(crate) mono_timers: Timers,
    /// Jobs to be looked at by the next decision.
    pub(crate) dirty: Vec<usize>,
    /// Full readings of jobs under way, and the jobs that wait for theirs.
    pub(crate) loads: usize,
    pub(crate) waiting_loads: VecDeque<usize>,
    /// How many jobs wait for somebody else's runs.
    pub(crate) watching_jobs: usize,
    random: u64,
    pub(crate) leaving: bool,
    pub(crate) out: Vec<Effect>,
}

/// The registry session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) session: i64,
    pub(crate) timeout: Millis,
    pub(crate) generation: i64,
}

/// Jobs by when they want to be looked at again. An entry may be outdated; looking at a job too early does no harm.
pub(crate) type Timers = BinaryHeap<Reverse<(Millis, u32)>>;

impl Us {
    pub(crate) fn new(options: CoreOptions) -> Self {
        Self {
            keys: options.keys.clone(),
            me: options.instance.clone(),
            random: options.seed ^ 0x9e37_79b9_7f4a_7c15,
            hostname: options.hostname.as_str().into(),
            ip: options.instance.ip().into(),
            options,
            session: None,
            leases: BTreeMap::new(),
            lease_read: BTreeMap::new(),
            lease_asked: BTreeSet::new(),
            lease_changes: 0,
            lease_losses: 0,
            others: None,
            managed: false,
            lease: Lease::default(),
            clocks: Clocks::default(),
            sequence: 0,
            commits: HashMap::new(),
            runs: HashMap::new(),
            firings: HashMap::new(),
            settlements: 0,
            stored: 0,
            wall_timers: Timers::new(),
            mono_timers: Timers::new(),
            dirty: Vec::new(),
            loads: 0,
            waiting_loads: VecDeque::new(),
            watching_jobs: 0,
            leaving: false,
            out: Vec::new(),
        }
    }

    /// The id of the current session; 0 when there is none.
    pub(crate) fn session_id(&self) -> i64 {
        self.session.map_or(0, |terms| terms.session)
    }

    /// The generation of the registry's data that the current session is in; 0 when there is none.
    pub(crate) fn generation(&self) -> i64 {
        self.session.map_or(0, |terms| terms.generation)
    }

    /// Whether something belongs to the current session.
    pub(crate) fn is_our_session(&self, session: i64) -> bool {
        self.session.is_some_and(|terms| terms.session == session)
    }

    /// Whether this incarnation of a process still holds its lease, as far as is known.
    pub(crate) fn alive(&self, owner: &InstanceId, session: i64) -> bool {
        self.leases.get(owner) == Some(&session)
    }

    /// Whether claims may be made now.
    pub(crate) fn may_claim(&self, now: Now) -> bool {
        self.session.is_some() && self.lease.is_valid(now.mono)
    }

    /// Operations that fail as long as a process holds its lease: making its node, and taking it away again.
    pub(crate) fn proof_of_death(&self, dead: &InstanceId) -> [Op; 2] {
        let lease = self.keys.lease(dead);
        [Op::create_ephemeral(lease.clone(), Bytes::new()), Op::delete(lease)]
    }

    pub(crate) fn load_leases(&mut self) {
        let id = self.next();
        self.out.push(Effect::Tree { id, root: self.keys.leases() });
    }

    pub(crate) fn read(&mut self, paths: Vec<Path>) {
        if self.session.is_some() && !paths.is_empty() {
            let id = self.next();
            self.out.push(Effect::Read { id, paths });
        }
    }

    /// The number of the next outcome that is put on record.
    pub(crate) fn settled(&mut self) -> u64 {
        self.settlements += 1;
        self.settlements
    }

    pub(crate) fn record(&mut self, event: Event) {
        self.out.push(Effect::Record(event));
    }

    pub(crate) fn tell(&mut self, job: Option<JobName>, warning: bool, text: String) {
        self.out.push(Effect::Tell(Notice { job, warning, text }));
    }

    /// The next sequence number.
    pub(crate) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// The next 128 pseudo-random bits (splitmix64): ids must be unique, not secret, and a seed must replay.
    pub(crate) fn random(&mut self) -> u128 {
        let mut half = || {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        u128::from(half()) << 64 | u128::from(half())
    }

    /// Whether any defect is put back.
    pub(crate) fn is_mutated(&self) -> bool {
        #[cfg(feature = "mutations")]
        return self.options.mutation.is_some();
        #[cfg(not(feature = "mutations"))]
        false
    }

    /// Whether a defect is put back; never outside the simulation's own build.
    #[cfg(feature = "mutations")]
    pub(crate) fn mutated(&self, mutation: Mutation) -> bool {
        self.options.mutation == Some(mutation)
    }

    /// Whether a defect is put back; never outside the simulation's own build.
    #[cfg(not(feature = "mutations"))]
    #[allow(clippy::unused_self, reason = "the simulation's build has a state to ask")]
    pub(crate) const fn mutated(&self, _: Mutation) -> bool {
        false
    }
}
