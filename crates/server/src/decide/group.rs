//! One group of jobs of one project, looked at, decided and written: the protocol, a step at a time. What a step asks for is carried out in
//! [`sync::write`](crate::sync::write); nothing here waits for anything.
//!
//! # The order, and why it is safe
//! 1. [`Look`](Step::Look): `control`, and the root and config of each job, are read from the registry.
//! 2. **Then** [`Ask`](Step::Ask): what is wished and what was last written are read from the database. Whoever wrote a newer version to the
//!    registry had committed it to the database before. So a writer that has seen their `control` also sees their wish; one that has not is
//!    refused by its version in step 5.
//! 3. Each job is decided, purely ([`decide::sync`](super::sync)).
//! 4. [`Record`](Step::Record): what will be overwritten is put on record, with the journal.
//! 5. [`Commit`](Step::Commit): `control` is set if it has the version of step 1, each config is set if it has the version of step 1, or made.
//! 6. [`Note`](Step::Note): how far the registry has followed is noted.
//!
//! | what happens | effect |
//! |---|---|
//! | a crash before 4 | nothing |
//! | a crash between 4 and 5 | a record of something that still stands; the next look decides anew and closes it |
//! | a crash between 5 and 6, or the answer of 5 is lost | the next look finds copy and wish equal, and notes it |
//! | the same, and the job is saved anew before the next look | the copy is one of the versions since what was noted: it is what was last written |
//! | two servers write two jobs | `control` orders them; the loser begins again at 1 |
//! | somebody else writes between 1 and 5 | the config's version is another one; the loser begins again at 1 and finds it |
//! | somebody else deletes a config and makes it again between 1 and 5 | its version may be the same: what they wrote is lost unseen. Nobody of Elastic-Job does that but to an empty config |
//! | somebody has given a config an access list that does not let us read it | the others are written; that job is `denied`, and said so |
//! | the registry is away | nothing; the jobs are `pending` |
//! | the database is away | nothing is written: a copy of the wish is no wish |
//! | what is read is older than what another server wrote and noted | it is looked again after a write, before the registry is said to have gone back |
//! | a server of an older term wakes up | it finds a greater term in `control`, or its version is another one |
//!
//! # What always holds
//! The version of a job that is written never falls (I1). Two commits never carry the same version of `control` (I5). A chore's commit of
//! one term never follows one of a greater term (I6). The rest is of the decision.

mod one;

use super::sync::{Access, Verdict, digest};
use crate::store::{JobRow, ProjectRow, SyncRow, SyncState, Wished};
use crate::sync::control::{self, Control, Ours, Standing};
use clockwright_fleet::keys::Keys;
use clockwright_model::{JobName, JobSettings, Millis};
use clockwright_registry::{Node, Op};
use clockwright_settings::Change;
use one::{Decided, judge};
use std::collections::BTreeMap;

/// How often a group begins again after somebody else was faster.
const ATTEMPTS: usize = 10;
/// After so many it is halved: of fewer jobs fewer are written by others meanwhile.
const PATIENCE: usize = 3;
/// Most bytes that one commit writes.
const BYTES: usize = 256 << 10;

/// Whose word counts where a person has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nobody has decided: what is told to a person stays.
    Policy,
    /// A person has said that the database is right.
    Database,
}

/// A defect put back on purpose, to prove that the simulation finds it.
#[doc(hidden)]
#[allow(missing_docs, reason = "each name says what it breaks")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    AsksBeforeItLooks,
    LeavesControl,
    RepairsWithoutRecord,
    ChoresWithoutTerm,
}

/// What stays as it is while a group is written.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The project.
    pub project: ProjectRow,
    /// Its paths.
    pub keys: Keys,
    /// The database's own id, and where its servers are found.
    pub plane: (String, String),
    /// The jobs. Names never change, so they may be older than all that is read later.
    pub names: Vec<(i64, JobName)>,
    /// Whose word counts.
    pub word: Word,
    /// The term of whoever leads; `None` for a request.
    pub term: Option<i64>,
    /// Nothing is written.
    pub looks_only: bool,
    /// A defect put back on purpose.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

impl Frame {
    #[cfg(feature = "mutations")]
    fn mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    #[cfg(not(feature = "mutations"))]
    #[allow(clippy::unused_self, reason = "the simulation's build has a state to ask")]
    const fn mutated(&self, _: Mutation) -> bool {
        false
    }
}

/// One job's nodes, as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The job's root.
    pub root: Option<Node>,
    /// Its config; `None` also where we may not read it.
    pub config: Option<Node>,
    /// Who may write the config.
    pub access: Access,
}

impl Looked {
    fn root_data(&self) -> &[u8] {
        self.root.as_ref().map_or(&[], |root| &root.data)
    }

    /// The digest of what is there; empty for nothing.
    fn digest(&self) -> String {
        self.config.as_ref().map(|node| digest(&node.data, self.root_data())).unwrap_or_default()
    }
}

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The jobs, in the order of their ids.
    pub wished: Vec<Wished>,
    /// Those of which something is on record that is not dealt with.
    pub standing: Vec<i64>,
    /// The number of the journal's last record.
    pub head: i64,
    /// The greatest version of `control` that was seen.
    pub mark: i64,
}

/// What is to be done.
#[derive(Debug)]
pub enum Step {
    /// Read `control`, and each job's root and config.
    Look,
    /// Read what is wished, the journal's number and the mark.
    Ask,
    /// Commit something that changes nothing: what is read after its answer is no older than what was known before.
    Prove,
    /// Make `control` and the namespace.
    Make(Control),
    /// What the registry has becomes the next version of these jobs.
    Adopt(Vec<Adoption>),
    /// Put on record what will be overwritten, and what is reported.
    Record(Vec<Finding>),
    /// Commit this.
    Commit(Vec<Op>),
    /// Note how far the registry has followed.
    Note(Notes),
    /// Nothing more; this is what became of each job.
    Done(Vec<Synced>),
    /// Nothing was written, and why.
    Stop(Stop),
}

/// What came of a step.
#[derive(Debug)]
pub enum News {
    /// Of [`Step::Look`]: `control`, and each job in the order of the frame.
    Looked(Option<Node>, Vec<Looked>),
    /// Of [`Step::Ask`].
    Asked(Known),
    /// [`Step::Prove`], [`Step::Make`] or [`Step::Adopt`] is over: it is looked again.
    Again,
    /// Of [`Step::Record`].
    Recorded,
    /// Of [`Step::Commit`].
    Committed(Committed),
    /// Of [`Step::Note`].
    Noted,
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is done.
    Done,
    /// Something is not as it was.
    Conflict,
    /// Nobody knows.
    Unclear,
    /// We may not write there.
    Denied,
}

/// Why a group was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Another database manages the namespace; where its servers are found.
    AnotherPlane(String),
    /// The registry is older than what was written there.
    Older {
        /// The version of `control` that it has.
        found: i32,
        /// The version that was seen there once.
        known: i64,
    },
    /// The database is older than what was written to the registry.
    Behind {
        /// The journal's number that the registry remembers.
        seq: i64,
        /// The journal's number.
        head: i64,
    },
    /// A greater term wrote there.
    TermOver,
    /// Others were faster, again and again.
    Contended,
    /// It is to be done in two halves.
    Split,
}

/// A job whose next version comes from the registry.
#[derive(Debug)]
pub struct Adoption {
    /// The job.
    pub job: JobRow,
    /// The settings.
    pub settings: JobSettings,
    /// What they change.
    pub changes: Vec<Change>,
}

/// What was found of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The job, and its name.
    pub job: (i64, String),
    /// What kind it is of.
    pub kind: &'static str,
    /// True when it is put right now; else it is only told.
    pub repaired: bool,
    /// False for what no person has to know: a key of ours that a console dropped.
    pub is_drift: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// What cannot be said so.
    pub why: String,
    /// The config that was there.
    pub had: Option<Node>,
    /// The job's root node that was there.
    pub root: Option<Node>,
    /// The settings that were wished, as JSON.
    pub wanted: String,
    /// The same thing came back so often that repairs wait from now on.
    pub fight: bool,
}

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// How far the registry has followed, with the version that was wished.
    pub rows: Vec<(SyncRow, i64)>,
    /// The greatest version of `control` that was seen.
    pub mark: i64,
}

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The job.
    pub job: i64,
    /// How far the registry has followed.
    pub state: SyncState,
    /// The verdict, for reports.
    pub verdict: Verdict,
    /// What was put right, where anything was: the kind of what was found.
    pub mended: Option<&'static str>,
    /// True when all is as it should be and was noted so before: there is nothing to do.
    pub settled: bool,
}

/// A group on its way.
#[derive(Debug)]
pub struct Group {
    frame: Frame,
    attempts: usize,
    control: Option<Node>,
    looked: Vec<Looked>,
    known: Option<Known>,
    ours: Option<Ours>,
    decided: Vec<Decided>,
    /// Digest and kind of what is on record of each job.
    recorded: BTreeMap<i64, (String, &'static str)>,
    /// What was put right of each job.
    mended: BTreeMap<i64, &'static str>,
    mark: i64,
    /// The journal's number.
    head: i64,
    /// `control` had this version at least before it was looked at last.
    floor: i64,
    now: Millis,
}

impl Group {
    /// A group, and its first step.
    #[must_use]
    pub fn begin(frame: Frame) -> (Self, Step) {
        let first = if frame.mutated(Mutation::AsksBeforeItLooks) { Step::Ask } else { Step::Look };
        let group = Self {
            frame,
            attempts: 0,
            control: None,
            looked: Vec::new(),
            known: None,
            ours: None,
            decided: Vec::new(),
            recorded: BTreeMap::new(),
            mended: BTreeMap::new(),
            mark: 0,
            head: 0,
            floor: 0,
            now: 0,
        };
        (group, first)
    }

    /// Takes in what came of a step, and says the next one.
    pub fn told(&mut self, news: News, now: Millis) -> Step {
        self.now = now;
        match news {
            News::Looked(control, looked) => {
                (self.control, self.looked) = (control, looked);
                match self.known.take() {
                    Some(known) => self.decide(known),
                    None => Step::Ask,
                }
            }
            News::Asked(known) if self.frame.mutated(Mutation::AsksBeforeItLooks) => {
                self.known = Some(known);
                Step::Look
            }
            News::Asked(known) => self.decide(known),
            News::Again => self.again(),
            News::Recorded => self.commit(),
            News::Committed(committed) => self.committed(&committed),
            News::Noted => self.done(),
        }
    }

    fn again(&mut self) -> Step {
        self.attempts += 1;
        if self.attempts >= PATIENCE && self.frame.names.len() > 1 {
            return Step::Stop(Stop::Split);
        }
        if self.attempts >= ATTEMPTS {
            return Step::Stop(Stop::Contended);
        }
        if self.frame.mutated(Mutation::AsksBeforeItLooks) { Step::Ask } else { Step::Look }
    }

    /// Step 3, and what it leads to.
    fn decide(&mut self, known: Known) -> Step {
        let mark = if self.floor > 0 { self.floor } else { known.mark };
        let standing = control::standing(self.control.as_ref(), &self.frame.plane.0, mark, known.head);
        self.mark = known.mark;
        self.ours = match standing {
            Standing::Ours(ours) => Some(ours),
            Standing::None if self.frame.looks_only => None,
            Standing::None => return Step::Make(self.mine(0, known.head)),
            Standing::Another(url) => return Step::Stop(Stop::AnotherPlane(url)),
            Standing::Older { known, .. } if self.floor < known => {
                // Another server may have written since the look, or the session may lag behind.
                self.floor = known;
                return Step::Prove;
            }
            Standing::Older { found, known } => return Step::Stop(Stop::Older { found, known }),
            Standing::Behind { seq, head } => return Step::Stop(Stop::Behind { seq, head }),
        };
        let is_older = self.ours.zip(self.frame.term).is_some_and(|(ours, term)| term < ours.term);
        if is_older && !self.frame.mutated(Mutation::ChoresWithoutTerm) {
            return Step::Stop(Stop::TermOver);
        }
        self.decided = self.judge(known.wished, &known.standing);
        self.head = known.head;
        if self.frame.looks_only {
            return self.done();
        }
        let adoptions: Vec<Adoption> = self.decided.iter().filter_map(Decided::adoption).collect();
        if !adoptions.is_empty() {
            return Step::Adopt(adoptions);
        }
        let found: Vec<Finding> =
            self.decided.iter().filter_map(|decided| decided.finding(self.now, &self.recorded)).collect();
        if found.is_empty() || self.frame.mutated(Mutation::RepairsWithoutRecord) {
            return self.commit();
        }
        for decided in &self.decided {
            if let Some(finding) = found.iter().find(|finding| finding.job.0 == decided.wished.job.id) {
                self.recorded.insert(finding.job.0, (decided.looked.digest(), finding.kind));
            }
        }
        Step::Record(found)
    }

    fn judge(&self, wished: Vec<Wished>, standing: &[i64]) -> Vec<Decided> {
        let mut looked = self.frame.names.iter().zip(&self.looked);
        // Both are in the order of ids, and a job that is wished was looked at.
        let pairs = wished.into_iter().filter_map(|wished| {
            let ((_, name), found) = looked.by_ref().find(|((id, _), _)| *id == wished.job.id)?;
            Some((name, wished, found.clone()))
        });
        let judged = pairs.map(|(name, wished, looked)| {
            let stands = standing.contains(&wished.job.id) || self.recorded.contains_key(&wished.job.id);
            let mut decided = judge(&self.frame, name, wished, looked, self.now);
            decided.stands = stands;
            decided
        });
        judged.collect()
    }

    /// What is written into `control` where `found` is the term that it says.
    fn mine(&self, found: i64, head: i64) -> Control {
        let Frame { plane, project, term, .. } = &self.frame;
        Control::new(plane.clone(), project, term.unwrap_or(found), head)
    }

    /// Step 5.
    fn commit(&mut self) -> Step {
        let ops: Vec<Op> = self.decided.iter().flat_map(Decided::operations).collect();
        let Some(ours) = self.ours.filter(|_| !ops.is_empty()) else { return self.note() };
        if self.frame.names.len() > 1 && ops.iter().map(Op::weight).sum::<usize>() > BYTES {
            return Step::Stop(Stop::Split);
        }
        let mine = self.mine(ours.term, self.head);
        let set = Op::set_if(control::path(&self.frame.keys), mine.bytes(), ours.version);
        let all = std::iter::once(set).filter(|_| !self.frame.mutated(Mutation::LeavesControl)).chain(ops);
        Step::Commit(all.collect())
    }

    fn committed(&mut self, committed: &Committed) -> Step {
        match committed {
            Committed::Done => {
                if !self.frame.mutated(Mutation::LeavesControl) {
                    self.mark = self.ours.map_or(self.mark, |ours| i64::from(ours.version) + 1);
                }
                for decided in &self.decided {
                    if let Some(kind) = decided.mends() {
                        self.mended.entry(decided.wished.job.id).or_insert(kind);
                    }
                }
                // What is ours again is looked at again: what it says has not been looked at yet.
                let protected = self.decided.iter().any(Decided::protects);
                if protected { self.again() } else { self.note() }
            }
            Committed::Conflict | Committed::Unclear => self.again(),
            Committed::Denied if self.frame.names.len() > 1 => Step::Stop(Stop::Split),
            Committed::Denied => {
                for decided in &mut self.decided {
                    decided.text = None;
                    decided.verdict = Verdict::Protect(Access::Denied);
                }
                self.note()
            }
        }
    }

    /// Step 6.
    fn note(&mut self) -> Step {
        let news = self.decided.iter().filter(|decided| !decided.is_settled(self.now));
        let rows: Vec<(SyncRow, i64)> = news
            .map(|decided| (decided.row(&self.frame, self.now), decided.wished.version.version))
            .collect();
        if rows.is_empty() { self.done() } else { Step::Note(Notes { rows, mark: self.mark }) }
    }

    fn done(&mut self) -> Step {
        let (now, mended) = (self.now, std::mem::take(&mut self.mended));
        let synced = std::mem::take(&mut self.decided).into_iter().map(|decided| Synced {
            job: decided.wished.job.id,
            state: decided.state(now),
            mended: mended.get(&decided.wished.job.id).copied(),
            settled: decided.is_settled(now),
            verdict: decided.verdict,
        });
        Step::Done(synced.collect())
    }
}
