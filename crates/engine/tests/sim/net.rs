//! The network between clients and the registry: requests that take their time, get lost, or outlive their client's patience.
//!
//! A client talks to one server. Its answers come in order; its reads show any prefix of the log that is not older than
//! what the session saw before. A server that was cut off from its leader goes on answering reads from what it has. When
//! the connection breaks, everything on its way is unclear.

use super::scenario::Seam;
use super::shell::Message;
use super::world::{Event, Sim};
use bytes::Bytes;
use clockwright_engine::core::Input;
use clockwright_fleet::keys::Key;
use clockwright_model::Millis;
use clockwright_registry::{Conflict, Error, Hint, Node, Op, Path};
use clockwright_testkit::sim::{Replica, subtree};
use std::rc::Rc;

/// What is asked of the registry.
#[derive(Debug)]
pub enum Ask {
    Commit { groups: Vec<(u64, Vec<Op>)> },
    Renew { sent: Millis },
    Read { id: u64, paths: Vec<Path> },
    Tree { id: u64, root: Path, first: Vec<(Path, Node)> },
}

/// A request under way.
pub struct Request {
    pub engine: usize,
    pub connection: u64,
    session: i64,
    ask: Ask,
    answer: Option<Message>,
}

/// A session's connection to a server.
pub struct Connection {
    pub number: u64,
    pub session: i64,
    /// The network between client and server works.
    pub up: bool,
    /// The client has noticed that it does not.
    pub noticed: bool,
    /// The server was cut off from its leader.
    pub cut: bool,
    replica: Replica,
    /// The session has seen this much of the log.
    seen: usize,
    last_arrival: Millis,
    last_answer: Millis,
    last_hint: Millis,
    /// Commits that wait for a quorum.
    held: Vec<u64>,
}

/// The operations of a commit in words.
pub fn words(ops: &[Op]) -> String {
    let word = |op: &Op| match op {
        Op::Create { path, .. } => format!("+{path}"),
        Op::Set { path, version, .. } => format!("={path}@{}", version.unwrap_or(-1)),
        Op::Delete { path, .. } => format!("-{path}"),
        Op::Check { path, version } => format!("?{path}@{}", version.unwrap_or(-1)),
    };
    ops.iter().map(word).collect::<Vec<_>>().join(" ")
}

impl Sim {
    /// Sends what waits: group by group, or several groups in one transaction while no other is on its way.
    pub fn send_waiting(&mut self, engine: usize) {
        if self.engines[engine].connection.is_none() {
            self.engines[engine].waiting.clear();
            return;
        }
        if !self.scenario.shared {
            while let Some(group) = self.engines[engine].waiting.pop_front() {
                self.ask(engine, Ask::Commit { groups: vec![group] });
            }
            return;
        }
        if self.engines[engine].flying || self.engines[engine].waiting.is_empty() {
            return;
        }
        let most = self.engines[engine].waiting.len().min(8);
        let count = self.world.rng.range(1, most as i64 + 1) as usize;
        let groups = self.engines[engine].waiting.drain(..count).collect();
        self.engines[engine].flying = true;
        self.ask(engine, Ask::Commit { groups });
    }

    /// Sends a request over the engine's connection.
    pub fn ask(&mut self, engine: usize, ask: Ask) {
        let latency = self.world.latency();
        let id = self.world.number();
        let Some(connection) = &mut self.engines[engine].connection else { return };
        let arrival = (self.world.now + latency).max(connection.last_arrival);
        connection.last_arrival = arrival;
        let (number, session, noticed) = (connection.number, connection.session, connection.noticed);
        self.requests.insert(id, Request { engine, connection: number, session, ask, answer: None });
        if noticed {
            self.give_up(id, false);
        } else {
            self.at(arrival, Event::Arrive { request: id });
        }
    }

    fn current(&self, request: &Request) -> Option<&Connection> {
        self.engines[request.engine]
            .connection
            .as_ref()
            .filter(|connection| connection.number == request.connection)
    }

    pub fn arrive(&mut self, id: u64) {
        let Some(request) = self.requests.get(&id) else { return };
        let engine = request.engine;
        let Some(connection) = self.current(request) else {
            // Its process has died meanwhile; the request is carried out all the same.
            if let Some(Request { ask: Ask::Commit { groups }, session, .. }) = self.requests.remove(&id) {
                let ops: Vec<Op> = groups.into_iter().flat_map(|(_, ops)| ops).collect();
                let wall = self.world.wall();
                if !self.outage {
                    let _ = self.leader.commit(session, &ops, wall);
                }
            }
            return;
        };
        let (up, cut) = (connection.up, connection.cut);
        if !up {
            return;
        }
        let is_commit = matches!(request.ask, Ask::Commit { .. } | Ask::Renew { .. });
        if is_commit && (cut || self.outage) {
            let connection = self.engines[engine].connection.as_mut().expect("it is current");
            connection.held.push(id);
            return;
        }
        if is_commit { self.commit(id) } else { self.serve(id) }
    }

    fn commit(&mut self, id: u64) {
        let request = &self.requests[&id];
        let engine = request.engine;
        let session = request.session;
        let ops: Vec<Op> = match &request.ask {
            Ask::Commit { groups } => groups.iter().flat_map(|(_, ops)| ops.clone()).collect(),
            _ => {
                let id = &self.engines[engine].id;
                vec![Op::check(self.keys.lease(id)), Op::set(self.keys.beat(id), Bytes::new())]
            }
        };
        let lost = self.world.rng.chance(self.scenario.lost_answers) && !self.healed;
        let wall = self.world.wall();
        let denied = self.engines[engine].denied && !matches!(request.ask, Ask::Renew { .. });
        let result = if denied {
            let life = (engine, self.engines[engine].life);
            self.check.denied(life, self.scenario.jobs.len());
            Err(Error::Denied("an access list keeps it from writing".to_owned()))
        } else if lost && self.world.rng.chance(500) {
            Err(Error::Unknown("the request was lost".to_owned()))
        } else {
            let result = self.leader.commit(session, &ops, wall);
            if let Err(error) = &result {
                self.knows_what_it_wrote(id, error);
                self.note(|| format!("engine {engine}: refused: {error}"));
            }
            self.leader.touch(session, self.world.now);
            let result = if lost { Err(Error::Unknown("the answer was lost".to_owned())) } else { result };
            let seen = self.leader.log.len();
            if let Some(connection) = &mut self.engines[engine].connection {
                connection.seen = seen;
            }
            result
        };
        let request = self.requests.get_mut(&id).expect("it was just there");
        request.answer = Some(match &mut request.ask {
            Ask::Commit { groups } => Message::Batch { groups: std::mem::take(groups), result },
            Ask::Renew { sent } => Message::Input(Input::Renewed { sent: *sent, result: result.map(drop) }),
            _ => unreachable!("only commits are committed"),
        });
        self.send_answer(id);
    }

    /// Nobody is refused for the version of a cursor that it wrote itself, and knows to have written.
    fn knows_what_it_wrote(&mut self, id: u64, error: &Error) {
        let Error::Conflict { index, path, conflict: Conflict::Version } = error else { return };
        if self.lost_in.is_some() {
            // A next attempt is asked for with the version of before the loss; that is refused once, and read.
            return;
        }
        let Request { engine, session, ask: Ask::Commit { groups }, .. } = &self.requests[&id] else {
            return;
        };
        let Some((_, Key::Cursor(_))) = self.keys.parse(path) else { return };
        let mut last = 0;
        let group = groups.iter().find(|(_, ops)| {
            last += ops.len();
            *index < last
        });
        let earlier = groups.iter().flat_map(|(_, ops)| ops).take(*index);
        if earlier.filter(|op| !matches!(op, Op::Check { .. })).any(|op| op.path() == path) {
            // An earlier group of the same transaction was in its way.
            return;
        }
        let knew = group.and_then(|(id, _)| self.engines[*engine].knew.get(id)).copied().unwrap_or(0);
        let Some(node) = self.leader.tree.get(path) else { return };
        let by = self.leader.log[node.stat.modified as usize - 1].session;
        if by == *session && node.stat.modified <= knew && self.check.was_heard(node.stat.modified) {
            let words = format!(
                "engine {engine} is refused at {path}, which it wrote itself in {}",
                node.stat.modified
            );
            self.check.fail("L11", words);
        }
    }

    /// Brings the engine's server to some point between what the session saw and the truth, and returns its tree.
    fn server(&mut self, engine: usize) -> &Replica {
        let truth = self.leader.log.len();
        let lag = if self.healed { 0 } else { self.scenario.lag };
        let stale = self.world.rng.chance(lag);
        let place = self.world.rng.next();
        let connection = self.engines[engine].connection.as_mut().expect("it is connected");
        if !connection.cut {
            let least = connection.seen.max(connection.replica.applied);
            let to =
                if stale && least < truth { least + (place as usize) % (truth - least + 1) } else { truth };
            connection.replica.advance(&self.leader.log, to.max(least));
            connection.seen = connection.replica.applied;
        }
        &connection.replica
    }

    fn serve(&mut self, id: u64) {
        let engine = self.requests[&id].engine;
        let root =
            if let Ask::Tree { root, .. } = &self.requests[&id].ask { Some(root.clone()) } else { None };
        if let Some(root) = root {
            let found = subtree(&self.server(engine).tree, &root);
            if let Some(Request { ask: Ask::Tree { first, .. }, .. }) = self.requests.get_mut(&id) {
                *first = found;
            }
            let wait = self.world.rng.range(0, 10);
            self.after(wait, Event::Continue { request: id });
            return;
        }
        let Ask::Read { id: number, paths } = &self.requests[&id].ask else { return };
        let (number, paths) = (*number, paths.clone());
        let hidden = (self.scenario.seam == Some(Seam::ClockIsTrusted))
            .then(|| self.keys.beat(&self.engines[engine].id));
        let tree = &self.server(engine).tree;
        let see = |path: &Path| tree.get(path).filter(|_| Some(path) != hidden.as_ref()).cloned();
        let nodes = paths.iter().map(|path| (path.clone(), see(path))).collect();
        let message = Message::Input(Input::Nodes { id: number, nodes: Ok(nodes), paths });
        self.requests.get_mut(&id).expect("it is there").answer = Some(message);
        self.send_answer(id);
    }

    /// The second half of a tree's reading: a tree is no snapshot.
    pub fn go_on(&mut self, id: u64) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        let engine = request.engine;
        let Ask::Tree { id: number, root, first } = &mut request.ask else { return };
        let (number, root, first) = (*number, root.clone(), std::mem::take(first));
        if self.current(&self.requests[&id]).is_none_or(|connection| !connection.up) {
            return;
        }
        let again: Vec<bool> = first.iter().map(|_| self.world.rng.chance(500)).collect();
        let fresh = &self.server(engine).tree;
        let mut nodes = Vec::with_capacity(first.len());
        for ((path, node), again) in first.into_iter().zip(again) {
            if !again {
                nodes.push((path, node));
            } else if let Some(node) = fresh.get(&path) {
                nodes.push((path, node.clone()));
            }
        }
        let message = Message::Input(Input::Tree { id: number, root, nodes: Ok(nodes) });
        self.requests.get_mut(&id).expect("it is there").answer = Some(message);
        self.send_answer(id);
    }

    fn send_answer(&mut self, id: u64) {
        let latency = self.world.latency();
        let engine = self.requests[&id].engine;
        let Some(connection) = &mut self.engines[engine].connection else { return };
        let at = (self.world.now + latency).max(connection.last_answer);
        connection.last_answer = at;
        self.at(at, Event::Answer { request: id });
    }

    pub fn answer(&mut self, id: u64) {
        let Some(request) = self.requests.get(&id) else { return };
        let engine = request.engine;
        if self.current(request).is_none_or(|connection| !connection.up) {
            return;
        }
        let Some(Request { answer: Some(message), connection, .. }) = self.requests.remove(&id) else {
            return;
        };
        let life = self.engines[engine].life;
        let over = matches!(&message, Message::Batch { result: Err(Error::SessionLost), .. })
            || matches!(&message, Message::Input(Input::Renewed { result: Err(Error::SessionLost), .. }));
        self.deliver(engine, life, message);
        if over {
            self.deliver(engine, life, Message::Lost { connection });
        }
    }

    /// Nobody will answer any more.
    fn give_up(&mut self, id: u64, was_sent: bool) {
        let Some(request) = self.requests.remove(&id) else { return };
        let lost = || {
            if was_sent {
                Error::Unknown("the connection broke".to_owned())
            } else {
                Error::Unavailable("not connected".to_owned())
            }
        };
        let done = request.answer.is_some();
        let message = match request.ask {
            Ask::Commit { groups } => {
                let groups = match request.answer {
                    Some(Message::Batch { groups, .. }) => groups,
                    _ => groups,
                };
                if was_sent && !done && self.world.rng.chance(300) {
                    let ops = groups.iter().flat_map(|(_, ops)| ops.clone()).collect();
                    let instance = self.engines[request.engine].id.to_string();
                    self.after(1, Event::Straggler { session: request.session, ops, instance });
                }
                Message::Batch { groups, result: Err(lost()) }
            }
            Ask::Renew { sent } => Message::Input(Input::Renewed { sent, result: Err(lost()) }),
            Ask::Read { id, paths } => Message::Input(Input::Nodes {
                id,
                nodes: Err(Error::Unavailable("not connected".to_owned())),
                paths,
            }),
            Ask::Tree { id, root, .. } => Message::Input(Input::Tree {
                id,
                root,
                nodes: Err(Error::Unavailable("not connected".to_owned())),
            }),
        };
        let life = self.engines[request.engine].life;
        let wait = if was_sent { 0 } else { 5 };
        self.after(wait, Event::Deliver { engine: request.engine, life, message });
    }

    /// The network between an engine and its server fails.
    pub fn break_link(&mut self, engine: usize) {
        let Some(connection) = &mut self.engines[engine].connection else { return };
        connection.up = false;
        let number = connection.number;
        let longest = self.scenario.timeout * 2 / 5;
        let wait = self.world.rng.range(1, longest);
        self.after(wait, Event::Notice { engine, connection: number });
    }

    pub fn notice(&mut self, engine: usize, number: u64) {
        let Some(connection) = &mut self.engines[engine].connection else { return };
        if connection.number != number || connection.noticed || (connection.up && !connection.cut) {
            return;
        }
        connection.noticed = true;
        connection.up = false;
        connection.held.clear();
        self.note(|| format!("engine {engine} notices that it is disconnected"));
        let pending: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| request.engine == engine && request.connection == number)
            .map(|(id, _)| *id)
            .collect();
        for id in pending {
            self.give_up(id, true);
        }
        self.after(100, Event::Reconnect { engine, connection: number });
    }

    /// The client looks for a server that answers, and asks about its session.
    pub fn reconnect(&mut self, engine: usize, number: u64) {
        let blocked = self.outage || self.engines[engine].partitioned || self.engines[engine].paused;
        let Some(connection) = &mut self.engines[engine].connection else { return };
        if connection.number != number || connection.up {
            return;
        }
        if blocked {
            let wait = self.world.rng.range(50, 400);
            self.after(wait, Event::Reconnect { engine, connection: number });
            return;
        }
        let life = self.engines[engine].life;
        let connection = self.engines[engine].connection.as_mut().expect("it was just there");
        if !self.leader.lives(connection.session) {
            self.deliver(engine, life, Message::Lost { connection: number });
            return;
        }
        connection.up = true;
        connection.noticed = false;
        connection.cut = false;
        let session = connection.session;
        self.leader.touch(session, self.world.now);
        self.engines[engine].unsteady_at = self.world.now;
        self.note(|| format!("engine {engine} is connected again"));
        let granted = self.scenario.timeout;
        if self.leader.grant(session, granted) && self.scenario.seam != Some(Seam::TimeoutIsForgotten) {
            self.deliver(engine, life, Message::Input(Input::Timeout(granted)));
        }
        self.deliver(engine, life, Message::Input(Input::Hint(Hint::Everything)));
        self.send_waiting(engine);
    }

    pub fn ping(&mut self, engine: usize, number: u64) {
        let outage = self.outage;
        let paused = self.engines[engine].paused;
        let Some(connection) = &self.engines[engine].connection else { return };
        if connection.number != number {
            return;
        }
        if connection.up && !connection.cut && !paused && !outage {
            let session = connection.session;
            self.leader.touch(session, self.world.now);
        }
        let wait = self.scenario.timeout / 6;
        self.after(wait, Event::Ping { engine, connection: number });
    }

    /// The server tells its client that the session is over, if it can.
    pub fn session_expired(&mut self, session: i64) {
        for engine in 0..self.engines.len() {
            let life = self.engines[engine].life;
            let Some(connection) = &self.engines[engine].connection else { continue };
            if connection.session == session && connection.up && !connection.cut {
                let number = connection.number;
                let wait = self.world.latency();
                self.after(
                    wait,
                    Event::Deliver { engine, life, message: Message::Lost { connection: number } },
                );
            }
        }
    }

    /// A new session is asked for.
    pub fn dial(&mut self, engine: usize, life: u64) {
        if self.engines[engine].life != life || self.engines[engine].connection.is_some() {
            return;
        }
        if self.outage || self.engines[engine].partitioned || self.engines[engine].paused {
            let wait = self.world.rng.range(50, 400);
            self.after(wait, Event::Dial { engine, life });
            return;
        }
        if !self.has_an_id_of_its_own(engine) {
            let wait = self.world.rng.range(100, 300);
            self.after(wait, Event::Dial { engine, life });
            return;
        }
        let session = self.leader.open_session(self.scenario.timeout, self.world.now);
        let id = self.engines[engine].id.clone();
        let mark = self.engines[engine].mark();
        self.engines[engine].sessions.insert(session, id.clone());
        let sent = self.engines[engine].now(self.world.now).mono;
        let wall = self.world.wall();
        let keys = self.keys.clone();
        for path in [keys.root().clone(), keys.own_root().clone(), keys.leases(), keys.beats()] {
            // It may be there already.
            let _ = self.leader.commit(session, &[Op::create(path, Bytes::new())], wall);
        }
        let mut ops = Vec::new();
        for path in [keys.lease(&id), keys.beat(&id)] {
            if self.leader.tree.contains_key(&path) {
                ops.push(Op::delete(path.clone()));
            }
            ops.push(Op::create_ephemeral(path, mark.clone()));
        }
        self.leader.commit(session, &ops, wall).expect("a lease can be written");
        self.note(|| format!("engine {engine} gets session {session:x}"));
        let wait = self.world.latency();
        self.after(wait, Event::Greet { engine, life, session, sent });
    }

    pub fn greet(&mut self, engine: usize, life: u64, session: i64, sent: Millis) {
        if self.engines[engine].life != life {
            return;
        }
        if self.outage
            || self.engines[engine].partitioned
            || self.engines[engine].paused
            || !self.leader.lives(session)
        {
            // The answer got lost; the session will expire by itself.
            let wait = self.world.rng.range(50, 400);
            self.after(wait, Event::Dial { engine, life });
            return;
        }
        let number = self.world.number();
        let applied = self.leader.log.len();
        let replica = Replica { tree: self.leader.tree.clone(), applied };
        let now = self.world.now;
        self.engines[engine].connection = Some(Connection {
            number,
            session,
            up: true,
            noticed: false,
            cut: false,
            replica,
            seen: applied,
            last_arrival: now,
            last_answer: now,
            last_hint: now,
            held: Vec::new(),
        });
        self.engines[engine].dialing = false;
        self.engines[engine].named = true;
        self.engines[engine].unsteady_at = now;
        if self.scenario.seam != Some(Seam::OneLeaseForAllSessions) {
            self.engines[engine].lease = Rc::default();
        }
        let timeout = self.scenario.timeout;
        self.ping(engine, number);
        self.deliver(
            engine,
            life,
            Message::Input(Input::Connected {
                session,
                timeout,
                generation: i64::from(self.lost_in.is_some()),
                lease_sent: sent,
                layout: None,
                managed: false,
            }),
        );
    }

    /// The quorum is back: what waited for it goes on, and each session has its whole timeout again.
    pub fn quorum_is_back(&mut self) {
        self.outage = false;
        self.back_at = self.world.now;
        self.leader.touch_all(self.world.now);
        for engine in 0..self.engines.len() {
            let Some(connection) = &mut self.engines[engine].connection else { continue };
            if connection.cut {
                continue;
            }
            for id in std::mem::take(&mut connection.held) {
                if self.requests.contains_key(&id) {
                    self.commit(id);
                }
            }
        }
    }

    /// Tells each connected engine about a transaction, some day, perhaps.
    pub fn send_hints(&mut self, index: usize) {
        let watched =
            |path: &Path| path.below(self.keys.root()).is_some() || path.below(&self.keys.leases()).is_some();
        let paths: Vec<Path> =
            self.leader.log[index].changes.iter().map(|change| change.path.clone()).filter(watched).collect();
        if paths.is_empty() {
            return;
        }
        for engine in 0..self.engines.len() {
            let latency = self.world.latency();
            let lost = !self.healed && self.world.rng.chance(self.scenario.lost_hints);
            let everything = self.world.rng.chance(2);
            let life = self.engines[engine].life;
            let Some(connection) = &mut self.engines[engine].connection else { continue };
            if lost || !connection.up || connection.cut {
                continue;
            }
            connection.last_hint = connection.last_hint.max(self.world.now + latency);
            let at = connection.last_hint;
            // The server that tells of a change has applied it.
            connection.replica.advance(&self.leader.log, index + 1);
            connection.seen = connection.seen.max(index + 1);
            let message = if everything {
                Message::Input(Input::Hint(Hint::Everything))
            } else {
                Message::Hints { paths: paths.clone() }
            };
            self.at(at, Event::Deliver { engine, life, message });
        }
    }
}
