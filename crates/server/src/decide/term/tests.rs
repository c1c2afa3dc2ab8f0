#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use clockwright_testkit::sim::{Rng, World};
use std::collections::BTreeSet;

const TIMEOUT: Millis = 6_000;

/// A candidate whose session has just been opened and who found the seat empty.
fn sitting() -> Candidate {
    let mut one = Candidate::default();
    one.told(News::Opened { timeout: TIMEOUT }, 0);
    assert_eq!(one.next(0), Step::Look);
    one.told(News::Looked(Some(Seat::Empty)), 0);
    assert_eq!(one.next(0), Step::Sit);
    one
}

/// The same, who took the seat at 0 and began term 7.
fn leading() -> Candidate {
    let mut one = sitting();
    one.told(News::Sat { sent: 0, wrote: Wrote::Done }, 10);
    assert_eq!(one.next(10), Step::Take);
    one.told(News::Took(Some(7)), 20);
    assert_eq!((one.term(20), one.until()), (Some(7), TIMEOUT / 2));
    one
}

#[test]
fn a_term_is_believed_until_half_the_timeout_after_the_sending_of_what_was_acknowledged() {
    let mut one = leading();
    assert_eq!(one.next(20), Step::Wait(Some(1_000)));
    assert_eq!(one.next(1_000), Step::Prove(0));
    one.told(News::Proved { sent: 1_000, wrote: Wrote::Done }, 1_900);
    assert_eq!((one.term(3_999), one.term(4_000)), (Some(7), None), "L1");
    assert_eq!(one.next(4_000), Step::Rise(1), "what is not proven in time is given up");
    one.told(News::Rose(Wrote::Done), 4_010);
    assert_eq!(one.next(4_010), Step::Wait(Some(4_010 + AGAIN)));
}

#[test]
fn a_seat_that_a_proof_of_before_reached_meanwhile_is_left_all_the_same() {
    let mut one = leading();
    assert_eq!(one.next(1_000), Step::Prove(0));
    one.told(News::Proved { sent: 1_000, wrote: Wrote::Unclear }, 1_500);
    one.resign(1_600);
    assert_eq!(one.next(1_600), Step::Look);
    one.told(News::Looked(Some(Seat::Ours(0))), 1_610);
    assert_eq!(one.next(1_610), Step::Rise(0));
    one.told(News::Rose(Wrote::Conflict), 1_620);
    assert_eq!(one.next(1_620), Step::Look);
    one.told(News::Looked(Some(Seat::Ours(1))), 1_630);
    assert_eq!(one.next(1_630), Step::Rise(1));
}

#[test]
fn a_greater_term_ends_ours_at_once() {
    let mut one = leading();
    one.told(News::Superseded, 100);
    assert_eq!((one.term(100), one.next(100)), (None, Step::Rise(0)), "L3");
}

#[test]
fn a_seat_that_was_taken_away_is_not_written_again() {
    let mut one = leading();
    assert_eq!(one.next(1_000), Step::Prove(0));
    one.told(News::Proved { sent: 1_000, wrote: Wrote::Conflict }, 1_010);
    assert_eq!((one.term(1_010), one.next(1_010)), (None, Step::Wait(Some(1_010 + AGAIN))), "L4");
}

#[test]
fn after_an_unclear_write_the_seat_is_looked_at_and_proves_nothing() {
    let mut one = leading();
    assert_eq!(one.next(1_000), Step::Prove(0));
    one.told(News::Proved { sent: 1_000, wrote: Wrote::Unclear }, 1_500);
    assert_eq!(one.next(1_500), Step::Look);
    one.told(News::Looked(Some(Seat::Ours(1))), 1_510);
    assert_eq!(one.until(), TIMEOUT / 2, "a read proves nothing");
    assert_eq!(one.next(2_000), Step::Prove(1));
}

#[test]
fn a_seat_whose_taking_was_unclear_counts_from_when_it_was_sent() {
    let mut one = sitting();
    one.told(News::Sat { sent: 0, wrote: Wrote::Unclear }, 500);
    assert_eq!(one.next(500), Step::Look);
    one.told(News::Looked(Some(Seat::Ours(0))), 510);
    one.told(News::Took(Some(1)), 520);
    assert_eq!((one.term(520), one.until()), (Some(1), TIMEOUT / 2));
}

#[test]
fn whoever_has_the_seat_and_gets_no_term_leaves_it_to_others() {
    let mut one = sitting();
    one.told(News::Sat { sent: 0, wrote: Wrote::Done }, 10);
    one.told(News::Took(None), 20);
    assert_eq!(one.next(20), Step::Rise(0));
}

/// Something on its way to one server's candidate or from it.
enum Event {
    /// The candidate is asked what to do.
    Turn(usize),
    /// A request arrives where it goes; when it was sent, in which session.
    Arrive(usize, Step, Millis, u64),
    /// An answer arrives.
    Answer(usize, News, u64),
    /// The server stands still for a while.
    Freeze(usize),
}

#[derive(Default)]
struct Server {
    candidate: Candidate,
    session: u64,
    frozen_until: Millis,
    /// When the registry heard of the session last.
    heard: Millis,
    /// Something is on its way: it is not asked again before.
    busy: bool,
}

/// Who has the seat: a server, its session, and the node's version.
#[derive(Clone, Copy)]
struct Sitting {
    server: usize,
    session: u64,
    version: i32,
}

struct Election {
    world: World<Event>,
    servers: Vec<Server>,
    seat: Option<Sitting>,
    term: i64,
    granted: BTreeSet<i64>,
}

impl Election {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Rng::new(seed), 0);
        for server in 0..3 {
            world.after(server as Millis, Event::Turn(server));
            let wait = world.rng.range(0, 40_000);
            world.after(wait, Event::Freeze(server));
        }
        let servers = (0..3).map(|_| Server::default()).collect();
        Self { world, servers, seat: None, term: 0, granted: BTreeSet::new() }
    }

    /// Who does not stand still gives a sign of life. The registry ends a session that it has not heard of for its timeout.
    fn sessions(&mut self) {
        let now = self.world.now;
        for server in self.servers.iter_mut().filter(|server| now >= server.frozen_until) {
            let is_over = server.session == 0 || server.heard + TIMEOUT <= now;
            server.heard = now;
            if is_over {
                server.session += 1;
                server.busy = false;
                server.candidate.told(News::Closed, now);
                server.candidate.told(News::Opened { timeout: TIMEOUT }, now);
            }
        }
        self.seat = self.seat.filter(|seat| self.lives(seat.server, seat.session));
    }

    fn lives(&self, place: usize, session: u64) -> bool {
        let server = &self.servers[place];
        server.session == session && self.world.now < server.heard + TIMEOUT
    }

    fn arrive(&mut self, place: usize, step: Step, sent: Millis, session: u64) {
        let lives = self.lives(place, session);
        let lost = self.world.rng.chance(80);
        let wrote = |done: bool| match (lives, lost, done) {
            (false, ..) => Wrote::Failed,
            (true, true, _) => Wrote::Unclear,
            (true, false, true) => Wrote::Done,
            (true, false, false) => Wrote::Conflict,
        };
        let is_ours = |seat: &Sitting| (seat.server, seat.session) == (place, session);
        let news = match step {
            Step::Wait(_) => return,
            Step::Look if !lives || lost => News::Looked(None),
            Step::Look => News::Looked(Some(match &self.seat {
                None => Seat::Empty,
                Some(seat) if is_ours(seat) => Seat::Ours(seat.version),
                Some(_) => Seat::Others,
            })),
            Step::Sit => {
                let is_free = lives && self.seat.is_none();
                if is_free {
                    self.seat = Some(Sitting { server: place, session, version: 0 });
                }
                News::Sat { sent, wrote: wrote(is_free) }
            }
            // The database knows nothing of sessions.
            Step::Take if self.world.rng.chance(50) => News::Took(None),
            Step::Take => {
                self.term += 1;
                assert!(self.granted.insert(self.term), "L2");
                News::Took(Some(self.term))
            }
            Step::Prove(version) => {
                let seat = self.seat.as_mut().filter(|seat| lives && seat.version == version);
                let fits = seat.is_some();
                if let Some(seat) = seat {
                    assert!(is_ours(seat), "L4");
                    seat.version += 1;
                }
                News::Proved { sent, wrote: wrote(fits) }
            }
            Step::Rise(version) => {
                let is_left =
                    lives && self.seat.as_ref().is_some_and(|seat| is_ours(seat) && seat.version == version);
                self.seat = self.seat.filter(|_| !is_left);
                News::Rose(wrote(is_left))
            }
        };
        let latency = self.world.latency() * 10;
        self.world.after(latency, Event::Answer(place, news, session));
    }

    fn step(&mut self, event: Event) {
        let now = self.world.now;
        match event {
            Event::Turn(place) => {
                self.world.after(50, Event::Turn(place));
                let server = &mut self.servers[place];
                if now < server.frozen_until || server.busy {
                    return;
                }
                let step = server.candidate.next(now);
                if matches!(step, Step::Wait(_)) {
                    return;
                }
                server.busy = true;
                let session = server.session;
                let latency = self.world.latency() * 10;
                self.world.after(latency, Event::Arrive(place, step, now, session));
            }
            Event::Arrive(place, step, sent, session) => self.arrive(place, step, sent, session),
            Event::Answer(place, news, session) => {
                let server = &mut self.servers[place];
                if now < server.frozen_until {
                    let until = server.frozen_until + 1;
                    self.world.at(until, Event::Answer(place, news, session));
                } else if server.session == session {
                    server.busy = false;
                    server.candidate.told(news, now);
                }
            }
            Event::Freeze(place) => {
                self.servers[place].frozen_until = now + self.world.rng.range(100, 3 * TIMEOUT);
                let wait = self.world.rng.range(10_000, 60_000);
                self.world.after(wait, Event::Freeze(place));
            }
        }
    }
}

#[test]
fn of_three_servers_that_freeze_and_lose_answers_one_leads_at_most_and_somebody_soon() {
    for seed in 0..60 {
        let mut election = Election::new(seed);
        let (mut led, mut looks) = (0, 0);
        while let Some(event) = election.world.take(300_000) {
            election.sessions();
            election.step(event);
            let now = election.world.now;
            let leads = election.servers.iter().filter(|server| server.candidate.term(now).is_some()).count();
            assert!(leads <= 1, "L1: seed {seed} at {now}");
            led += leads;
            looks += 1;
        }
        assert!(led * 2 > looks, "seed {seed}: somebody leads most of the time: {led} of {looks}");
        assert!(election.term >= 2, "seed {seed}: nobody took over");
    }
}
