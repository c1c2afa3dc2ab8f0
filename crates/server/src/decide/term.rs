//! Terms, the decision: what a server that would lead does next.
//!
//! The protocol and its failures are told where it is carried out, in [`chores::lead`](crate::chores::lead). Here is one server's part of it as a
//! state with two questions: [`Candidate::next`] says what is to be done, [`Candidate::told`] takes in what came of it.
//!
//! # What always holds
//! - **L1** A server believes in its term only before half the session's timeout has passed since a write that was acknowledged was *sent*.
//!   Nobody else can have the seat by then.
//! - **L2** A term is begun by one server only, and is greater than every term before it.
//! - **L3** A server that was told of a greater term does not believe in its own any more.
//! - **L4** The seat is written only by whoever has it: by the version that was last seen as its own.

use clockwright_model::Millis;
use clockwright_planner::Lease;

/// How often whoever follows looks at the seat, in case that a hint of its end was lost.
pub const LOOK: Millis = 2_000;
/// How long until it is tried again when something did not answer.
pub const AGAIN: Millis = 1_000;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing until this instant, if there is one, or until something happens.
    Wait(Option<Millis>),
    /// Look at the seat.
    Look,
    /// Make the seat's node.
    Sit,
    /// Begin the next term in the database.
    Take,
    /// Set the seat's node, which has this version: that it can be set proves that the session lives.
    Prove(i32),
    /// Delete the seat's node, if it still has this version.
    Rise(i32),
}

/// Who has the seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Nobody.
    Empty,
    /// This server, by its last [`Step::Sit`]; the node's version.
    Ours(i32),
    /// Somebody else.
    Others,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// It is done.
    Done,
    /// The node is not as it was to be; nothing was done.
    Conflict,
    /// Nobody knows.
    Unclear,
    /// It was not done.
    Failed,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A session with the registry is open.
    Opened {
        /// Its timeout, milliseconds.
        timeout: Millis,
    },
    /// The session is over.
    Closed,
    /// The seat may have changed.
    Hint,
    /// What a look found; `None` when it failed.
    Looked(Option<Seat>),
    /// What came of [`Step::Sit`].
    Sat {
        /// When it was sent.
        sent: Millis,
        /// What came of it.
        wrote: Wrote,
    },
    /// The number of the term that was begun; `None` when none was.
    Took(Option<i64>),
    /// What came of [`Step::Prove`].
    Proved {
        /// When it was sent.
        sent: Millis,
        /// What came of it.
        wrote: Wrote,
    },
    /// Somewhere a greater term was met.
    Superseded,
    /// What came of [`Step::Rise`].
    Rose(Wrote),
}

/// One server's part in the election.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    state: State,
    lease: Lease,
    timeout: Millis,
    /// While it leads: when the seat is looked at again after a look that failed.
    look: Millis,
    /// When the last `Sit` whose end is unclear was sent.
    unclear: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// There is no session.
    #[default]
    Away,
    /// Somebody else leads, or nobody knows; to be looked at then.
    Following(Millis),
    /// The seat is empty.
    Free,
    /// The seat is ours; there is no term yet.
    Seated(i32),
    /// We lead. `None`: the seat's version is not known since a write of it is unclear.
    Leading(i64, Option<i32>),
    /// The seat is to be given up.
    Rising(i32),
}

impl Candidate {
    /// What is to be done next. It is asked again when what it said is done and told.
    pub fn next(&mut self, now: Millis) -> Step {
        if let State::Leading(_, version) = self.state
            && !self.lease.is_valid(now)
        {
            self.give_up(version, now);
        }
        match self.state {
            State::Away => Step::Wait(None),
            State::Following(at) if now < at => Step::Wait(Some(at)),
            State::Leading(_, None) if now < self.look => {
                Step::Wait(Some(self.look.min(self.lease.valid_until())))
            }
            State::Following(_) | State::Leading(_, None) => Step::Look,
            State::Free => Step::Sit,
            State::Seated(_) => Step::Take,
            State::Leading(_, Some(version)) if self.lease.renew(now) => Step::Prove(version),
            State::Leading(..) => Step::Wait(self.lease.next_wake()),
            State::Rising(version) => Step::Rise(version),
        }
    }

    /// Takes in what happened.
    pub fn told(&mut self, news: News, now: Millis) {
        match (news, self.state) {
            (News::Opened { timeout }, _) => {
                self.timeout = timeout;
                self.unclear = None;
                self.state = State::Following(now);
            }
            (News::Closed, _) => {
                self.lease.end();
                self.state = State::Away;
            }
            (_, State::Away) => {}
            (News::Hint, State::Following(_)) => self.state = State::Following(now),
            (News::Looked(seat), state) => self.looked(seat, state, now),
            (News::Sat { sent, wrote }, State::Free) => self.sat(sent, wrote, now),
            (News::Took(term), State::Seated(version)) => match term {
                Some(term) if self.lease.is_valid(now) => self.state = State::Leading(term, Some(version)),
                _ => self.give_up(Some(version), now),
            },
            (News::Proved { sent, wrote }, State::Leading(term, Some(version))) => {
                self.proved(sent, wrote, (term, version), now);
            }
            (News::Superseded, State::Leading(_, version)) => self.give_up(version, now),
            // A proof of before, whose end was unclear, came in between: what version the seat has now is looked for at once.
            (News::Rose(Wrote::Conflict), State::Rising(_)) => self.state = State::Following(now),
            (News::Rose(_), State::Rising(_)) => self.state = State::Following(now + AGAIN),
            _ => {}
        }
    }

    /// The session has this timeout from now on.
    pub fn follow(&mut self, timeout: Millis) {
        self.timeout = timeout;
        self.lease.follow(timeout);
    }

    /// The seat is to be left at once: the server stops.
    pub fn resign(&mut self, now: Millis) {
        match self.state {
            State::Seated(version) => self.give_up(Some(version), now),
            State::Leading(_, version) => self.give_up(version, now),
            _ => {}
        }
    }

    /// The term that this server may act in now.
    #[must_use]
    pub fn term(&self, now: Millis) -> Option<i64> {
        match self.state {
            State::Leading(term, _) if self.lease.is_valid(now) => Some(term),
            _ => None,
        }
    }

    /// Until when it may, if nothing more is acknowledged.
    #[must_use]
    pub fn until(&self) -> Millis {
        self.lease.valid_until()
    }

    fn looked(&mut self, seat: Option<Seat>, state: State, now: Millis) {
        self.state = match (seat, state) {
            (Some(Seat::Ours(version)), State::Leading(term, None)) => State::Leading(term, Some(version)),
            (Some(Seat::Empty | Seat::Others), State::Leading(..)) => {
                self.lease.end();
                State::Following(now)
            }
            (None, State::Leading(..)) => {
                self.look = now + AGAIN;
                state
            }
            (Some(Seat::Empty), State::Following(_)) => State::Free,
            (Some(Seat::Ours(version)), State::Following(_)) => match self.unclear.take() {
                Some(sent) => {
                    self.lease.start(sent, self.timeout);
                    State::Seated(version)
                }
                // What is left of a term that was given up.
                None => State::Rising(version),
            },
            (Some(Seat::Others), State::Following(_)) => State::Following(now + LOOK),
            (None, State::Following(_)) => State::Following(now + AGAIN),
            (_, state) => state,
        };
    }

    fn sat(&mut self, sent: Millis, wrote: Wrote, now: Millis) {
        self.unclear = None;
        self.state = match wrote {
            Wrote::Done => {
                self.lease.start(sent, self.timeout);
                State::Seated(0)
            }
            Wrote::Conflict => State::Following(now + LOOK),
            Wrote::Unclear => {
                self.unclear = Some(sent);
                State::Following(now)
            }
            Wrote::Failed => State::Following(now + AGAIN),
        };
    }

    fn proved(&mut self, sent: Millis, wrote: Wrote, (term, version): (i64, i32), now: Millis) {
        match wrote {
            Wrote::Done => {
                self.lease.renewed(sent, now);
                self.state = State::Leading(term, Some(version + 1));
            }
            // Somebody took the seat away, although the session lives.
            Wrote::Conflict => {
                self.lease.end();
                self.state = State::Following(now + AGAIN);
            }
            Wrote::Unclear => {
                self.lease.unproven();
                self.state = State::Leading(term, None);
            }
            Wrote::Failed => {
                self.lease.unproven();
            }
        }
    }

    /// What was believed is believed no more; the seat is left, where its version is known, and found again by a look where not.
    fn give_up(&mut self, version: Option<i32>, now: Millis) {
        self.lease.end();
        self.state = version.map_or(State::Following(now), State::Rising);
    }
}

#[cfg(test)]
mod tests;
