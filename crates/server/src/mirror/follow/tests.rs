#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn path(number: usize) -> Path {
    Path::root().join("ns").join(&format!("job{number}"))
}

/// A session that has read everything; what it does next.
fn following() -> Follow {
    let mut follow = Follow::new(0, 6_000, true);
    assert_eq!(follow.step(Input::Wake, 0), [Effect::Load]);
    assert_eq!(follow.step(Input::Loaded(1_000), 10), [Effect::Prove]);
    assert_eq!((follow.phase(), follow.as_of()), (Phase::Following, Some(1_000)));
    follow
}

#[test]
fn hints_of_a_tenth_of_a_second_are_one_batch_and_the_next_waits_for_its_answer() {
    let mut follow = following();
    assert_eq!(follow.step(Input::Hint(vec![path(1)]), 20), []);
    assert_eq!(follow.step(Input::Hint(vec![path(2), path(1)]), 110), []);
    assert_eq!(follow.wakes(), 120);
    assert_eq!(follow.step(Input::Wake, 120), [Effect::Read(vec![path(1), path(2)])]);
    assert_eq!(follow.step(Input::Hint(vec![path(3)]), 130), []);
    assert_eq!(follow.step(Input::Wake, 500), [], "one batch at a time");
    assert_eq!(follow.step(Input::Read, 510), [Effect::Read(vec![path(3)])]);
}

#[test]
fn a_read_that_fails_is_tried_again_and_proves_nothing() {
    let mut follow = following();
    follow.step(Input::Hint(vec![path(1)]), 20);
    follow.step(Input::Wake, 120);
    follow.step(Input::Answered(2_000), 130);
    assert_eq!(follow.step(Input::ReadFailed(vec![path(1)]), 140), []);
    assert_eq!(follow.as_of(), Some(1_000));
    assert_eq!(follow.wakes(), 1_010, "the next proof is due first");
    assert_eq!(follow.step(Input::Wake, 1_010), [Effect::Prove]);
    assert_eq!(follow.step(Input::Wake, 1_140), [Effect::Read(vec![path(1)])]);
}

#[test]
fn proofs_come_every_sixth_of_the_timeout_and_one_at_a_time() {
    let mut follow = following();
    assert_eq!(follow.step(Input::Wake, 5_000), [], "the first one is not answered");
    assert_eq!(follow.step(Input::Answered(2_000), 5_010), [Effect::Prove]);
    assert_eq!(follow.as_of(), Some(2_000));
    assert_eq!(follow.step(Input::NotAnswered, 5_020), []);
    assert_eq!(follow.wakes(), 6_010);
}

#[test]
fn everything_is_read_after_a_reconnect_and_every_half_hour() {
    let mut follow = following();
    assert_eq!(follow.step(Input::Everything, 20), [Effect::Load]);
    assert_eq!(follow.phase(), Phase::CatchingUp);
    follow.step(Input::Loaded(3_000), 30);
    assert_eq!((follow.phase(), follow.as_of()), (Phase::Following, Some(3_000)));
    assert!(follow.step(Input::Wake, 30 + 1_800_000).contains(&Effect::Load));
}

#[test]
fn what_changes_anew_while_everything_is_read_is_read_once_more() {
    let mut follow = following();
    follow.step(Input::Everything, 20);
    follow.step(Input::Hint(vec![path(7)]), 30);
    assert_eq!(follow.step(Input::Wake, 130), [Effect::Read(vec![path(7)])], "nobody waits for the rest");
    follow.step(Input::Read, 140);
    follow.step(Input::Loaded(3_000), 200);
    assert_eq!(follow.as_of(), Some(1_000));
    assert_eq!(follow.step(Input::Wake, 300), [Effect::Read(vec![path(7)])]);
    follow.step(Input::Read, 310);
    assert_eq!(follow.as_of(), Some(3_000));
}

#[test]
fn what_is_too_much_to_follow_is_caught_up_with() {
    let mut follow = following();
    let many = (0..=MOST_DIRTY).map(path).collect();
    assert_eq!(follow.step(Input::Hint(many), 20), [Effect::Load]);
    assert_eq!(follow.phase(), Phase::CatchingUp);
    follow.step(Input::Everything, 30);
    assert_eq!(follow.step(Input::Loaded(3_000), 40), []);
    assert_eq!((follow.phase(), follow.as_of()), (Phase::CatchingUp, Some(1_000)), "it went on meanwhile");
    assert_eq!(follow.step(Input::Wake, 1_040), [Effect::Load]);
    follow.step(Input::Loaded(4_000), 1_050);
    assert_eq!((follow.phase(), follow.as_of()), (Phase::Following, Some(4_000)));

    for _ in 0..=MOST_HINTS {
        follow.step(Input::Hint(vec![path(1)]), 2_000);
    }
    assert_eq!(follow.phase(), Phase::CatchingUp, "one node that changes all the time is too much as well");
}

#[test]
fn where_nothing_can_be_watched_everything_is_read_every_half_minute() {
    let mut follow = Follow::new(0, 6_000, false);
    assert_eq!(follow.step(Input::Wake, 0), [Effect::Load]);
    assert_eq!(follow.step(Input::Loaded(1_000), 10), []);
    assert_eq!(follow.as_of(), Some(1_000));
    assert_eq!(follow.wakes(), 30_010);
    assert_eq!(follow.step(Input::Wake, 30_010), [Effect::Load]);
    assert_eq!(follow.step(Input::LoadFailed, 30_020), []);
    assert_eq!(follow.wakes(), 31_020);
}

/// A registry with some nodes, of which only versions count, and the way of its hints and answers to the mirror.
struct World {
    clock: Millis,
    nodes: Vec<u64>,
    /// What was written when, for the check.
    written: Vec<(Millis, usize, u64)>,
    hints: Vec<usize>,
    mirror: Vec<u64>,
    /// Batches under way, each with what its answer will say once it is read.
    reads: Vec<(Vec<Path>, Option<Vec<u64>>)>,
    load: Option<Load>,
    proof: Option<Millis>,
}

struct Load {
    sent: Millis,
    /// Groups that were read and not put in yet, and how far it is.
    read: Vec<(usize, u64)>,
    next: usize,
}

const NODES: usize = 6;

impl World {
    fn number(path: &Path) -> usize {
        (0..NODES).find(|number| self::path(*number) == *path).unwrap()
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Load => self.load = Some(Load { sent: self.clock, read: Vec::new(), next: 0 }),
                Effect::Read(paths) => self.reads.push((paths, None)),
                Effect::Prove => self.proof = Some(self.clock),
            }
        }
    }

    /// One step of the world, chosen by a number.
    fn turn(&mut self, follow: &mut Follow, choice: u64) {
        self.clock += 1;
        let now = self.clock * 40;
        let effects = match choice % 12 {
            0..=2 => {
                let node = (choice / 12) as usize % NODES;
                self.nodes[node] += 1;
                self.written.push((self.clock, node, self.nodes[node]));
                self.hints.push(node);
                Vec::new()
            }
            3 | 4 if !self.hints.is_empty() => {
                let node = self.hints.remove(0);
                follow.step(Input::Hint(vec![path(node)]), now)
            }
            5 => {
                // The registry reads a batch.
                if let Some((paths, answer @ None)) = self.reads.first_mut() {
                    *answer = Some(paths.iter().map(|path| self.nodes[Self::number(path)]).collect());
                }
                Vec::new()
            }
            6 if self.reads.first().is_some_and(|(_, answer)| answer.is_some()) => {
                let (paths, answer) = self.reads.remove(0);
                for (path, version) in paths.iter().zip(answer.unwrap()) {
                    self.mirror[Self::number(path)] = version;
                }
                follow.step(Input::Read, now)
            }
            7 => {
                if let Some(load) = self.load.as_mut().filter(|load| load.next < NODES) {
                    load.read.push((load.next, self.nodes[load.next]));
                    load.next += 1;
                }
                Vec::new()
            }
            8 => {
                if let Some(load) = self.load.as_mut() {
                    load.read.drain(..).for_each(|(node, version)| self.mirror[node] = version);
                }
                Vec::new()
            }
            9 => match self.load.take_if(|load| load.next == NODES && load.read.is_empty()) {
                Some(load) => follow.step(Input::Loaded(load.sent), now),
                None => Vec::new(),
            },
            10 => match self.proof.take() {
                Some(sent) => {
                    // Law 9: all hints are there before the answer.
                    let mut effects = Vec::new();
                    for node in std::mem::take(&mut self.hints) {
                        effects.extend(follow.step(Input::Hint(vec![path(node)]), now));
                    }
                    effects.extend(follow.step(Input::Answered(sent), now));
                    effects
                }
                None => Vec::new(),
            },
            _ if choice.is_multiple_of(97) => follow.step(Input::Everything, now),
            _ => follow.step(Input::Wake, now),
        };
        self.begin(effects);
    }

    /// What is said to be seen is seen.
    fn check(&self, follow: &Follow, seed: u64) {
        let Some(as_of) = follow.as_of() else { return };
        for (at, node, version) in &self.written {
            let shown = self.mirror[*node];
            assert!(
                *at > as_of || shown >= *version,
                "seed {seed}: node {node} had version {version} at {at}; the mirror, as of {as_of}, has {shown}"
            );
        }
    }
}

#[test]
fn whatever_comes_in_whatever_order_what_is_said_to_be_seen_is_seen() {
    let mut proved = 0;
    for seed in 1..=400_u64 {
        let mut world = World {
            clock: 0,
            nodes: vec![0; NODES],
            written: Vec::new(),
            hints: Vec::new(),
            mirror: vec![0; NODES],
            reads: Vec::new(),
            load: None,
            proof: None,
        };
        let mut follow = Follow::new(0, 600, true);
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for _ in 0..600 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            world.turn(&mut follow, random >> 8);
            world.check(&follow, seed);
        }
        proved += u64::from(follow.as_of() > Some(300));
    }
    assert!(proved > 300, "most of them came as far as to prove something late: {proved}");
}
