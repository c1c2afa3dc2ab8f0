//! What a mirror does next: hints, answers and the time go in, readings come out. Pure; [`super::session`](mod@super::session) carries it out.
//!
//! ```text
//! begun ──▶ load ──loaded──▶ following ──hint──▶ dirty ──100 ms──▶ one batch of reads ──▶ following
//!            ▲                   │                                    (another one only when it is answered)
//!            └─ everything hinted, half an hour, too many hints: `catching up`
//! ```
//!
//! - Hints are gathered for [`GATHER`] and cost one batch of reads together, however many jobs changed.
//! - While everything is read, hints are followed all the same, and what they name is read once more at the end: a group that was read before
//!   a change may be put in after it.
//! - More than [`MOST_DIRTY`] nodes to be read, or more than [`MOST_HINTS`] hints in a second: reading everything costs less. What is known
//!   stays and is shown, as catching up; hints that come meanwhile count again once everything is read.
//! - Without a watch (ZooKeeper before 3.6) everything is read every [`SWEEP`].
//! - Reads that fail are tried again after [`AGAIN`]; the session's own end is not decided here.

use super::age::Age;
use clockwright_model::Millis;
use clockwright_registry::Path;
use std::collections::BTreeSet;

/// How long hints are gathered, milliseconds.
pub const GATHER: Millis = 100;
/// So many nodes to be read are too many.
pub const MOST_DIRTY: usize = 50_000;
/// So many hints in a second are too many.
pub const MOST_HINTS: usize = 20_000;
/// How often everything is read where hints come, milliseconds.
const WHOLE: Millis = 1_800_000;
/// How often everything is read where none come.
const SWEEP: Millis = 30_000;
/// How long until what failed is tried again.
const AGAIN: Millis = 1_000;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// These nodes may have changed; empty for a hint of no interest.
    Hint(Vec<Path>),
    /// Anything may have changed.
    Everything,
    /// A batch of reads was answered and is taken in.
    Read,
    /// A batch of reads was not answered: these.
    ReadFailed(Vec<Path>),
    /// Everything was read, after a commit that was sent then by the calendar.
    Loaded(Millis),
    /// Not everything could be read.
    LoadFailed,
    /// A commit that was sent then by the calendar was answered; all hints before it came in before this.
    Answered(Millis),
    /// A commit was not answered.
    NotAnswered,
    /// It is time.
    Wake,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read everything.
    Load,
    /// Read these.
    Read(Vec<Path>),
    /// Send a commit that changes nothing.
    Prove,
}

/// How far a mirror is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything is read for the first time in this session.
    Loading,
    /// Hints are followed.
    Following,
    /// There was too much to follow: everything is read.
    CatchingUp,
}

/// One session of a mirror. Times are milliseconds of any clock that only goes forward, but those of proofs.
#[derive(Debug, Clone)]
pub struct Follow {
    phase: Phase,
    age: Age,
    dirty: BTreeSet<Path>,
    dirty_since: Option<Millis>,
    /// The batch that is under way.
    reading: Option<Vec<Path>>,
    loading: bool,
    /// Nodes that were hinted at while everything was read.
    again: BTreeSet<Path>,
    /// Anything may have changed since everything began to be read.
    everything: bool,
    load_at: Millis,
    read_not_before: Millis,
    proving: bool,
    prove_at: Millis,
    prove_every: Millis,
    whole_every: Millis,
    /// The second, and how many hints came in it.
    second: (Millis, usize),
}

impl Follow {
    /// A session that begins now, of this timeout, with or without hints.
    #[must_use]
    pub fn new(now: Millis, timeout: Millis, hinted: bool) -> Self {
        Self {
            phase: Phase::Loading,
            age: Age::default(),
            dirty: BTreeSet::new(),
            dirty_since: None,
            reading: None,
            loading: false,
            again: BTreeSet::new(),
            everything: false,
            load_at: now,
            read_not_before: now,
            proving: false,
            prove_at: now,
            prove_every: (timeout / 6).max(GATHER),
            whole_every: if hinted { WHOLE } else { SWEEP },
            second: (now, 0),
        }
    }

    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Up to when all changes are seen.
    #[must_use]
    pub fn as_of(&self) -> Option<Millis> {
        self.age.as_of()
    }

    /// When it is to be woken at the latest.
    #[must_use]
    pub fn wakes(&self) -> Millis {
        let proof = if self.proves() { self.prove_at } else { Millis::MAX };
        let load = if self.loading { Millis::MAX } else { self.load_at };
        let read = match self.dirty_since {
            Some(since) if self.reading.is_none() => (since + GATHER).max(self.read_not_before),
            _ => Millis::MAX,
        };
        proof.min(load).min(read)
    }

    /// Takes in what happened, and says what is to be done.
    pub fn step(&mut self, input: Input, now: Millis) -> Vec<Effect> {
        match input {
            Input::Hint(paths) => self.hinted(paths, now),
            Input::Everything => self.overwhelmed(now),
            Input::Read => {
                self.reading = None;
                self.age.read_ends();
            }
            Input::ReadFailed(paths) => {
                // It ends without an answer: what it had is to be read as before, and no proof rests on it.
                self.reading = None;
                self.age.doubt();
                self.age.read_ends();
                self.mark(paths, now);
                self.read_not_before = now + AGAIN;
            }
            Input::Loaded(sent) => self.loaded(sent, now),
            Input::LoadFailed => {
                self.loading = false;
                self.load_at = now + AGAIN;
            }
            Input::Answered(sent) => {
                self.proving = false;
                if !self.loading && self.phase == Phase::Following {
                    self.age.acknowledged(sent, !self.dirty.is_empty());
                }
            }
            Input::NotAnswered => self.proving = false,
            Input::Wake => {}
        }
        self.due(now)
    }

    fn hinted(&mut self, paths: Vec<Path>, now: Millis) {
        let (second, count) = self.second;
        self.second = if now - second >= 1_000 { (now, 1) } else { (second, count + 1) };
        if self.second.1 > MOST_HINTS {
            self.overwhelmed(now);
            return;
        }
        if self.everything {
            return;
        }
        if self.loading {
            self.again.extend(paths.iter().cloned());
        }
        self.mark(paths, now);
        if self.dirty.len() > MOST_DIRTY || self.again.len() > MOST_DIRTY {
            self.overwhelmed(now);
        }
    }

    fn mark(&mut self, paths: Vec<Path>, now: Millis) {
        self.dirty.extend(paths);
        if !self.dirty.is_empty() {
            self.dirty_since.get_or_insert(now);
        }
    }

    /// Single nodes are not followed any more until everything is read. What is under way goes on, and is done once more.
    fn overwhelmed(&mut self, now: Millis) {
        if self.phase == Phase::Following {
            self.phase = Phase::CatchingUp;
        }
        self.dirty.clear();
        self.dirty_since = None;
        self.again.clear();
        self.age.doubt();
        if self.loading {
            self.everything = true;
        } else {
            self.load_at = self.load_at.min(now);
        }
    }

    fn loaded(&mut self, sent: Millis, now: Millis) {
        self.loading = false;
        let again = std::mem::take(&mut self.again);
        if std::mem::take(&mut self.everything) {
            // It is whole, though not of one moment; the next reading begins after a pause, so that a flood leaves room for it.
            self.load_at = now + AGAIN;
            return;
        }
        self.load_at = now + self.whole_every;
        self.phase = Phase::Following;
        self.mark(again.into_iter().collect(), now);
        if self.dirty.is_empty() {
            self.age.read_whole(sent);
        } else {
            self.age.acknowledged(sent, true);
        }
    }

    fn proves(&self) -> bool {
        !self.proving && !self.loading && self.phase == Phase::Following && self.whole_every == WHOLE
    }

    fn due(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.loading && now >= self.load_at {
            self.loading = true;
            self.everything = false;
            // Proofs that wait for a reading would rest on what an older group may take back.
            self.age.doubt();
            // What a batch read before may be taken in after a group that was read later.
            self.again = self.dirty.iter().chain(self.reading.iter().flatten()).cloned().collect();
            effects.push(Effect::Load);
        }
        let gathered =
            self.dirty_since.is_some_and(|since| now >= (since + GATHER).max(self.read_not_before));
        if self.reading.is_none() && gathered {
            let batch: Vec<Path> = std::mem::take(&mut self.dirty).into_iter().collect();
            self.reading = Some(batch.clone());
            self.dirty_since = None;
            self.age.read_begins();
            effects.push(Effect::Read(batch));
        }
        if self.proves() && now >= self.prove_at {
            self.proving = true;
            self.prove_at = now + self.prove_every;
            effects.push(Effect::Prove);
        }
        effects
    }
}

#[cfg(test)]
mod tests;
