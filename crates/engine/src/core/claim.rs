//! Claims: the transactions that give an item to this instance, and what becomes of them.
//!
//! Why a claim has the operations it has is told in [`firing`](super::firing); here they are built, sent and answered. A change
//! of a cursor without a run ([`Core::send_settles`]) goes the same way.

use super::group::Builder;
use super::job::{Active, Effective, Local};
use super::trouble::Doing;
use super::{Effect, Firing, Mutation, Purpose, RunStart, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::{Claim, Cursor};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::{CursorNode, Mark};
use clockwright_model::{
    Exclusive, Fire, Item, Millis, Outcome, Reason, RunId, Settlement, ShardContext, Source, TaskId,
};
use clockwright_registry::{Commit, Error, Op};
use std::sync::Arc;

/// Items claimed in one group at most.
pub(super) const CLAIM_BATCH: usize = 100;
/// How long an item rests after a claim that failed, milliseconds.
const REST: Millis = 20;

/// One item's part of a claim, or of a cursor change without a run.
pub(super) struct ItemClaim {
    pub(super) item: Item,
    /// The cursor to be written.
    pub(super) cursor: Cursor,
    /// The version it replaces; `None`: there is none yet.
    pub(super) version: Option<i32>,
    /// What is on record once it is written.
    pub(super) settlements: Vec<Settlement>,
    /// The dead process whose lease must be gone.
    pub(super) dead: Option<clockwright_model::InstanceId>,
    /// The item is taken over: `sharding/{i}/failover` is made, its mark is deleted. The text is the latch node to be left,
    /// empty where another claim of the same group leaves it.
    pub(super) takeover: Option<String>,
}

impl ItemClaim {
    /// The version of the cursor once this is carried out.
    pub(super) fn next_version(&self) -> i32 {
        self.version.map_or(0, |version| version + 1)
    }
}

impl Turn<'_> {
    /// A new claim of this instance.
    pub(super) fn new_claim(&mut self, fire: Fire, attempt: u32, source: Source) -> Claim {
        Claim {
            fire,
            attempt,
            run_id: RunId::new(self.now.wall, self.us.random()),
            owner: self.us.me.clone(),
            session: self.us.session_id(),
            source,
            at: self.now.wall,
            token: 0,
            outcome: None,
        }
    }

    /// Sends claims, in groups.
    pub(super) fn send_claims(&mut self, effective: &Effective, claims: Vec<ItemClaim>) {
        let mut claims = claims.into_iter().peekable();
        while claims.peek().is_some() {
            let mut group: Vec<ItemClaim> = claims.by_ref().take(CLAIM_BATCH).collect();
            for claim in &mut group {
                self.carry(claim);
                self.job.item_mut(claim.item).local = Local::Claiming;
            }
            let ops = self.claim_ops(effective, &group);
            self.commit(Purpose::Claim(group), ops);
        }
    }

    fn claim_ops(&self, effective: &Effective, group: &[ItemClaim]) -> Vec<Op> {
        let job = &*self.job;
        let session = self.us.session_id();
        let mut builder = Builder::new(self.us, self.job);
        let takeover = group.iter().any(|claim| claim.takeover.is_some());
        if let (Some(epoch), false) = (job.epoch, takeover || self.us.mutated(Mutation::ClaimIgnoresPlan)) {
            let path = builder.path(&Key::Epoch);
            builder.ops.push(Op::check_if(path, epoch));
        }
        if effective.settings.max_time_diff_seconds >= 0 {
            if job.mirror.current_time.is_some() {
                let path = builder.path(&Key::CurrentTime);
                builder.ops.push(Op::set(path, Bytes::new()));
            } else {
                builder.create(&Key::CurrentTime, Bytes::new());
            }
        }
        let mut buried = Vec::new();
        for claim in group {
            let Some(nodes) = job.mirror.item(claim.item) else { continue };
            if let Some(dead) = &claim.dead
                && !buried.contains(dead)
            {
                builder.ops.extend(self.us.proof_of_death(dead));
                buried.push(dead.clone());
            }
            self.item_ops(&mut builder, claim, nodes, session, effective);
        }
        builder.ops
    }

    fn item_ops(
        &self,
        builder: &mut Builder<'_>,
        claim: &ItemClaim,
        nodes: &clockwright_fleet::mirror::ItemNodes,
        session: i64,
        effective: &Effective,
    ) {
        let item = claim.item;
        let layout = self.job.mirror.layout;
        if let Some(latch) = &claim.takeover
            && nodes.taken.is_none()
        {
            builder.create_ephemeral(&Key::Taken(item), self.us.me.as_str().to_owned());
            let path = builder.path(&Key::Failovering(item));
            match (layout, &nodes.failovering) {
                (Layout::V2, _) => {}
                (Layout::V3, None) => builder.ops.push(Op::create(path, self.us.me.as_str().to_owned())),
                (Layout::V3, Some(_)) => builder.ops.push(Op::set(path, self.us.me.as_str().to_owned())),
            }
            builder.delete(&Key::FailoverItem(item));
            if !latch.is_empty() {
                builder.delete(&Key::FailoverLatchNode(latch.clone()));
            }
        }
        if nodes.misfire {
            builder.delete(&Key::Misfire(item));
        }
        let path = builder.path(&Key::Cursor(item));
        builder.ops.push(cursor_op(path, claim));
        let marked = nodes.running.as_ref().is_some_and(|mark| mark.is_of(&self.us.me, session));
        if !effective.settings.monitor_execution || claim.cursor.running().is_none() || marked {
            return;
        }
        if nodes.running.as_ref().is_some_and(|mark| mark.session == 0) {
            // Of the dead owner that this claim passes over.
            builder.delete(&Key::Running(item));
        }
        match layout {
            Layout::V2 => builder.create_ephemeral(&Key::Running(item), Bytes::new()),
            Layout::V3 if effective.settings.failover => {
                builder.create(&Key::Running(item), self.us.me.as_str().to_owned());
            }
            Layout::V3 => builder.create_ephemeral(&Key::Running(item), self.us.me.as_str().to_owned()),
        }
    }

    /// What became of a group of claims.
    pub(super) fn claimed(&mut self, claims: Vec<ItemClaim>, result: Result<Commit, Error>) {
        let commit = match result {
            Ok(commit) => commit,
            Err(Error::Unknown(_)) if self.us.mutated(Mutation::UnknownIsIgnored) => {
                Commit { transaction: 0, results: Vec::new() }
            }
            Err(error) => return self.claim_failed(&claims, &error),
        };
        self.accepted(Doing::Claim);
        let Some(effective) = self.job.effective.clone() else { return };
        let touched = self.us.next();
        let session = self.us.session_id();
        let firing = self.us.next();
        let items: Vec<Item> = claims.iter().map(|claim| claim.item).collect();
        let task_id: Arc<str> = TaskId::of(&self.job.name, &items, &self.us.me).into();
        let mut runs = Vec::with_capacity(claims.len());
        let strict = effective.settings.exclusive == Exclusive::Strict;
        let takeover = claims.iter().any(|claim| claim.takeover.is_some());
        for claim in claims {
            let version = claim.next_version();
            let Some(mut active_claim) = claim.cursor.running().cloned() else { continue };
            if let Some(lost) = self.open_claim_of_another(claim.item) {
                let reason = Reason::OwnerDied { owner: lost.owner.to_string() };
                self.record_lost(claim.item, &lost, &reason);
            }
            active_claim.token = commit.transaction;
            self.note_claim(&claim, version, &commit, touched, session, &effective);
            for settlement in claim.settlements {
                self.settle(settlement);
            }
            let run = self.us.next();
            let active = Active {
                run,
                version,
                task_id: task_id.clone(),
                start: self.now.wall,
                taken: claim.takeover.is_some(),
                firing,
                log: None,
                claim: active_claim,
            };
            if strict && !self.us.may_claim(self.now) {
                // The answer came after the lease's end, to a process that stood still: it must not start what others may
                // take over.
                self.lost_run(claim.item, &active);
                continue;
            }
            self.us.runs.insert(run, (self.job.number, claim.item));
            runs.push(RunStart { run, context: self.context(claim.item, &active, &effective) });
            self.record_start(claim.item, &active);
            self.job.item_mut(claim.item).local = Local::Running(Box::new(active));
        }
        if takeover {
            self.job.latch = None;
        }
        if effective.settings.max_time_diff_seconds >= 0 {
            self.read_clock();
        }
        let items: Vec<Item> = runs.iter().map(|run: &RunStart| run.context.item).collect();
        if items.is_empty() {
            return;
        }
        self.open_firing(firing, &task_id, items, takeover);
        let whole = self.is_whole(&runs);
        self.us.out.push(Effect::Start(Box::new(Firing {
            job: self.job.number,
            runs,
            strict,
            timeout: effective.settings.timeout,
            whole,
        })));
    }

    /// Whether all items of ours begin their first attempt at one fire; see [`Firing::whole`].
    fn is_whole(&self, runs: &[RunStart]) -> bool {
        let Some(first) = runs.first().map(|run| &run.context) else { return false };
        let begins = |fire: &Fire, attempt: u32, source: Source| {
            *fire == first.fire && attempt == 1 && source != Source::Failover
        };
        let same = |run: &RunStart| begins(&run.context.fire, run.context.attempt, run.context.source);
        let comes = |item: Item| match self.job.items.get(item as usize).map(|state| &state.local) {
            // Claimed in the same instant, in a group of its own.
            Some(Local::Claiming) => true,
            Some(Local::Running(active)) => {
                begins(&active.claim.fire, active.claim.attempt, active.claim.source)
            }
            _ => false,
        };
        runs.iter().all(same)
            && (0..self.job.count()).filter(|item| self.job.owns(*item, &self.us.me)).all(comes)
    }

    /// Takes an own claim into the mirror.
    #[allow(clippy::too_many_arguments, reason = "everything that a claim changed, in one place")]
    fn note_claim(
        &mut self,
        claim: &ItemClaim,
        version: i32,
        commit: &Commit,
        touched: u64,
        session: i64,
        effective: &Effective,
    ) {
        let me = self.us.me.clone();
        let job = &mut *self.job;
        let named = job.mirror.layout == Layout::V3;
        let state = job.item_mut(claim.item);
        state.touched = touched;
        state.cursor_sequence = touched;
        state.recorded = commit.transaction;
        state.loose = false;
        state.orphan_since = None;
        let nodes = job.mirror.item_mut(claim.item);
        nodes.misfire = false;
        if claim.takeover.is_some() {
            nodes.taken = Some(me.clone());
            nodes.failovering = named.then(|| me.clone());
        }
        let marked = nodes.running.as_ref().is_some_and(|mark| mark.is_of(&me, session));
        if effective.settings.monitor_execution && claim.cursor.running().is_some() && !marked {
            let session = if named && effective.settings.failover { 0 } else { session };
            nodes.running = Some(Mark { session, id: named.then_some(me) });
        }
        nodes.cursor = CursorNode::known(claim.cursor.clone(), version, commit.transaction);
        if claim.takeover.is_some() {
            job.mirror.failover_items.remove(&claim.item);
            job.marks_seen.retain(|(item, _)| *item != claim.item);
            if let Some(latch) = &claim.takeover {
                job.mirror.failover_latch.remove(latch);
            }
            job.touched = touched;
        }
    }

    fn context(&self, item: Item, active: &Active, effective: &Effective) -> ShardContext {
        ShardContext {
            job: self.job.name.clone(),
            task_id: active.task_id.clone(),
            sharding_total_count: effective.settings.sharding_total_count,
            job_parameter: effective.job_parameter.clone(),
            item,
            sharding_parameter: effective.item_parameters.get(item as usize).cloned().flatten(),
            fire: active.claim.fire.clone(),
            source: active.claim.source,
            attempt: active.claim.attempt,
            run_id: active.claim.run_id,
            token: active.claim.token,
        }
    }

    /// Claims that were not carried out, or of which that is not known: the items are read anew and decided anew.
    fn claim_failed(&mut self, claims: &[ItemClaim], error: &Error) {
        let mut items = Vec::with_capacity(claims.len());
        let job = &mut *self.job;
        for claim in claims {
            let state = job.item_mut(claim.item);
            state.local = Local::Idle;
            state.claim_after = self.now.mono + REST;
            // An unclear claim may have been carried out; a retry leaves the attempt before it open.
            state.loose = true;
            items.push(claim.item);
            job.mirror.item_mut(claim.item).cursor = CursorNode::Unread;
            if claim.takeover.is_some() {
                job.latch = None;
            }
        }
        self.wake_at_mono(self.now.mono + REST);
        match error {
            Error::Conflict { path, .. }
                if self.us.keys.parse(path).is_some_and(|(_, key)| is_run_node(&key)) =>
            {
                self.read_items(&items);
            }
            Error::Conflict { .. } => self.load(),
            _ => {
                self.read_items(&items);
                if !error.is_unknown() {
                    self.refused(Doing::Claim, error);
                }
            }
        }
    }

    /// Sees to it that a change of a cursor loses no outcome that the cursor before it told.
    pub(super) fn carry(&mut self, claim: &mut ItemClaim) {
        self.record_inherited(claim.item);
        self.job.item_mut(claim.item).keep(self.us.stored, &mut claim.cursor, &claim.settlements);
    }

    pub(super) fn send_settles(&mut self, settles: Vec<ItemClaim>) {
        for mut claim in settles {
            self.carry(&mut claim);
            let path = self.path(&Key::Cursor(claim.item));
            let mut ops = Vec::new();
            if let Some(epoch) = self.job.epoch {
                ops.push(Op::check_if(self.path(&Key::Epoch), epoch));
            }
            if let Some(dead) = &claim.dead {
                ops.extend(self.us.proof_of_death(dead));
            }
            ops.push(cursor_op(path, &claim));
            ops.extend(self.marks_to_lower(&claim));
            self.job.item_mut(claim.item).local = Local::Claiming;
            self.commit(Purpose::Settle(vec![claim]), ops);
        }
    }

    /// The marks of a run of ours that is given up with this change of the cursor: others would wait for them.
    fn marks_to_lower(&self, claim: &ItemClaim) -> Vec<Op> {
        let session = self.us.session_id();
        let mut ops = Vec::new();
        // A trigger changes the cursor of an item that runs; its marks are its own.
        if claim.settlements.is_empty() || claim.cursor.running().is_some() {
            return ops;
        }
        let Some(nodes) = self.job.mirror.item(claim.item) else { return ops };
        let over = |mark: &Mark| mark.is_of(&self.us.me, session) || self.is_left(mark);
        if nodes.running.as_ref().is_some_and(over) {
            ops.push(Op::delete(self.path(&Key::Running(claim.item))));
        }
        if nodes.taken.as_ref() == Some(&self.us.me) {
            ops.push(Op::delete(self.path(&Key::Taken(claim.item))));
        }
        if nodes.failovering.as_ref() == Some(&self.us.me) {
            ops.push(Op::delete(self.path(&Key::Failovering(claim.item))));
        }
        ops
    }

    /// What became of cursor changes without a run.
    pub(super) fn settled(&mut self, claims: Vec<ItemClaim>, result: Result<Commit, Error>) {
        let commit = match result {
            Ok(commit) => commit,
            Err(error) => {
                let (idle, busy): (Vec<ItemClaim>, Vec<ItemClaim>) = claims
                    .into_iter()
                    .partition(|claim| matches!(self.job.items[claim.item as usize].local, Local::Claiming));
                let job = &mut *self.job;
                for claim in idle.iter().chain(&busy) {
                    job.triggered.1.retain(|item| *item != claim.item);
                    job.mirror.item_mut(claim.item).cursor = CursorNode::Unread;
                }
                let reads: Vec<Item> = busy.iter().map(|claim| claim.item).collect();
                self.read_items(&reads);
                return self.claim_failed(&idle, &error);
            }
        };
        self.accepted(Doing::Claim);
        let touched = self.us.next();
        for claim in claims {
            let version = claim.next_version();
            let lowered = self.marks_to_lower(&claim);
            for op in lowered {
                if let Some((_, key)) = self.us.keys.parse(op.path()) {
                    self.job.mirror.put(&key, None);
                }
            }
            if let Some(lost) = self.open_claim_of_another(claim.item)
                && let Some(Outcome::Failed { reason, .. }) =
                    claim.cursor.run.as_ref().and_then(|run| run.outcome.as_ref())
            {
                self.record_lost(claim.item, &lost, reason);
            }
            let cursor = Box::new(claim.cursor);
            let job = &mut *self.job;
            job.mirror.item_mut(claim.item).cursor =
                CursorNode::Known { version, modified: commit.transaction, cursor };
            let state = job.item_mut(claim.item);
            state.touched = touched;
            state.cursor_sequence = touched;
            state.recorded = commit.transaction;
            match &mut state.local {
                local @ Local::Claiming => *local = Local::Idle,
                Local::Running(active) | Local::Backoff { active, .. } | Local::Ended { active, .. } => {
                    active.version = version;
                }
                Local::Idle => {}
            }
            for settlement in claim.settlements {
                self.settle(settlement);
            }
        }
    }
}

pub(super) fn cursor_op(path: clockwright_registry::Path, claim: &ItemClaim) -> Op {
    match claim.version {
        Some(version) => Op::set_if(path, claim.cursor.to_bytes(), version),
        None => Op::create(path, claim.cursor.to_bytes()),
    }
}

fn is_run_node(key: &Key) -> bool {
    matches!(key, Key::Cursor(_) | Key::Running(_))
}
