//! What goes wrong, what operators do meanwhile, and the healing.

use super::net::words;
use super::scenario::{Fault, Loss, java_cron, random_cron};
use super::shell::Message;
use super::world::{Event, Sim, Undo};
use bytes::Bytes;
use clockwright_engine::core::Input;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Op, Path};

impl Sim {
    pub fn fault(&mut self) {
        if self.healed {
            return;
        }
        let kinds = self.scenario.faults.clone();
        let kind = self.world.rng.pick(&kinds);
        if self.peers.is_empty() || !self.world.rng.chance(400) || !self.inflict_java(kind) {
            self.inflict(kind);
        }
        let every = self.scenario.fault_every;
        let wait = self.world.rng.range(every / 4, every * 7 / 4);
        self.after(wait, Event::Fault);
    }

    fn inflict(&mut self, kind: Fault) {
        let engine = self.world.rng.below(self.engines.len());
        let timeout = self.scenario.timeout;
        if self.engines[engine].expired_at.is_some_and(|at| self.world.now < at + 1_000) {
            // Nobody can end the runs of a process that stands still, or hears nothing, while its session ends before its time.
            return;
        }
        self.note(|| format!("FAULT {kind:?} (engine {engine})"));
        match kind {
            Fault::Crash => self.crash(engine),
            Fault::Pause => {
                if self.engines[engine].core.is_some() && !self.engines[engine].paused {
                    self.engines[engine].paused = true;
                    let wait = self.world.rng.range(timeout / 4, timeout * 5 / 2);
                    self.after(wait, Event::Undo { what: Undo::Resume(engine) });
                }
            }
            Fault::Partition => {
                if !self.engines[engine].partitioned {
                    self.engines[engine].partitioned = true;
                    self.break_link(engine);
                    let wait = self.world.rng.range(timeout / 5, timeout * 5 / 2);
                    self.after(wait, Event::Undo { what: Undo::Link(engine) });
                }
            }
            Fault::FollowerCut => {
                if let Some(connection) = &mut self.engines[engine].connection
                    && connection.up
                    && !connection.cut
                {
                    connection.cut = true;
                    let number = connection.number;
                    let wait = self.world.rng.range(timeout / 2, timeout * 2);
                    self.after(wait, Event::Undo { what: Undo::Cut(engine, number) });
                }
            }
            Fault::Outage => {
                if !self.outage {
                    self.outage = true;
                    self.java_loses_quorum();
                    let wait = self.world.rng.range(timeout / 4, timeout * 2);
                    self.after(wait, Event::Undo { what: Undo::Outage });
                }
            }
            Fault::Blip => {
                if let Some(connection) = &mut self.engines[engine].connection {
                    connection.up = false;
                    let number = connection.number;
                    self.notice(engine, number);
                }
            }
            Fault::ClockStep => {
                let step = self.world.rng.range(-3_000, 3_001);
                self.engines[engine].offset += step;
                if self.engines[engine].core.is_some() && !self.engines[engine].paused {
                    self.settle_soon(engine);
                }
            }
            Fault::Expiry => self.expire_early(engine),
            Fault::RemoveJob => self.remove_job(engine),
            Fault::Leave => {
                let each = &mut self.engines[engine];
                if each.core.is_some() && !each.leaving {
                    each.leaving = true;
                    let life = each.life;
                    self.deliver(engine, life, Message::Input(Input::Shutdown));
                    if self.world.rng.chance(500) {
                        let wait = self.world.rng.range(100, 4_000);
                        self.after(
                            wait,
                            Event::Deliver { engine, life, message: Message::Input(Input::ShutdownNow) },
                        );
                    }
                }
            }
            Fault::Denied => {
                if !self.engines[engine].denied {
                    self.engines[engine].denied = true;
                    let wait = self.world.rng.range(1_000, 5_000);
                    self.after(wait, Event::Undo { what: Undo::Denied(engine) });
                }
            }
            Fault::Renegotiate => {
                // The servers' new limit; clients hear of it when they are connected again.
                self.scenario.timeout = (self.scenario.timeout / 2).max(1_500);
                for engine in 0..self.engines.len() {
                    if let Some(connection) = &mut self.engines[engine].connection {
                        connection.up = false;
                        let number = connection.number;
                        self.notice(engine, number);
                    }
                }
            }
            _ => self.interfere(kind, engine),
        }
    }

    /// The registry comes back without what it knew, or with what it knew some time ago, and knows no session. Everybody hears so
    /// at once: nobody could end the runs of a process that does not.
    pub fn lose_data(&mut self, loss: Loss) {
        let hears = |engine: &super::shell::Engine| {
            engine
                .connection
                .as_ref()
                .is_none_or(|connection| connection.up && !connection.noticed && !connection.cut)
                && !engine.paused
                && !engine.partitioned
        };
        if self.outage || !self.engines.iter().all(hears) {
            if !self.healed {
                self.after(200, Event::Loss(loss));
            }
            return;
        }
        self.note(|| format!("the registry loses {loss:?}"));
        let before = match loss {
            Loss::Everything => 0,
            Loss::TheLatest => self.leader.log.len() * 7 / 10,
        };
        self.lost_in = Some(self.leader.log.len());
        self.leader.go_back_to(before);
        for engine in 0..self.engines.len() {
            let each = &mut self.engines[engine];
            each.expired_at = Some(self.world.now);
            each.unsteady_at = self.world.now;
            if let Some(connection) = &each.connection {
                let (life, connection) = (each.life, connection.number);
                let wait = self.world.rng.range(1, 12);
                self.after(wait, Event::Deliver { engine, life, message: Message::Lost { connection } });
            }
        }
    }

    fn crash(&mut self, engine: usize) {
        if self.engines[engine].core.is_none() {
            return;
        }
        self.kill(engine);
        if self.world.rng.chance(700) {
            self.engines[engine].rename();
        }
        let wait = self.world.rng.range(300, 8_000);
        self.after(wait, Event::Boot { engine });
    }

    /// Its session ends though nobody was silent, and it hears so at once.
    fn expire_early(&mut self, engine: usize) {
        let each = &self.engines[engine];
        let Some(connection) = &each.connection else { return };
        if each.paused || self.outage || !connection.up || connection.noticed || connection.cut {
            return;
        }
        let (session, life, number) = (connection.session, each.life, connection.number);
        self.engines[engine].expired_at = Some(self.world.now);
        self.leader.end_session(session);
        let wait = self.world.rng.range(1, 12);
        self.after(wait, Event::Deliver { engine, life, message: Message::Lost { connection: number } });
    }

    /// What operators do.
    fn interfere(&mut self, kind: Fault, engine: usize) {
        let job = self.world.rng.below(self.scenario.jobs.len());
        let job = self.scenario.jobs[job].name.clone();
        let item = self.world.rng.range(0, 6) as u32;
        let instance = self.engines[engine].id.clone();
        let wait = self.world.rng.range(1_000, 12_000);
        match kind {
            Fault::EditCount | Fault::EditCron => self.edit(kind, &job),
            Fault::DisableServer => {
                let path = self.keys.of(&job, &Key::Server(instance.ip().to_owned()));
                self.disable_server(path);
            }
            Fault::DisableItem => {
                let path = self.keys.of(&job, &Key::Disabled(item));
                if self.operator_does(vec![Op::create(path.clone(), Bytes::new())]) {
                    self.after(wait, Event::Undo { what: Undo::Node(path) });
                }
            }
            Fault::PauseJob => {
                let path = self.keys.of(&job, &Key::Paused);
                if self.operator_does(vec![Op::create(path.clone(), Bytes::new())]) {
                    self.after(wait, Event::Undo { what: Undo::Node(path) });
                }
            }
            Fault::Trigger => {
                for instance in self.members(&job) {
                    let path = |key: &Key| self.keys.of(&job, key);
                    let ops = match self.layout() {
                        Layout::V2 => vec![Op::set(path(&Key::Instance(instance)), "TRIGGER")],
                        Layout::V3 if self.leader.tree.contains_key(&path(&Key::Triggers)) => {
                            vec![Op::create(path(&Key::Trigger(instance)), "")]
                        }
                        Layout::V3 => vec![
                            Op::create(path(&Key::Triggers), ""),
                            Op::create(path(&Key::Trigger(instance)), ""),
                        ],
                    };
                    self.operator_does(ops);
                }
            }
            Fault::ConsoleShutdown => {
                let path = self.keys.of(&job, &Key::Instance(instance));
                if self.operator_does(vec![Op::delete(path)]) {
                    self.engines[engine].shut = true;
                }
            }
            _ => unreachable!("not an operator's doing"),
        }
    }

    pub fn disable_server(&mut self, path: Path) {
        if self.operator_does(vec![Op::set(path.clone(), "DISABLED")]) {
            let wait = self.world.rng.range(1_000, 12_000);
            self.after(wait, Event::Undo { what: Undo::Server(path) });
        }
    }

    /// What the jobs are made in.
    fn layout(&self) -> Layout {
        self.scenario.layout.unwrap_or_default()
    }

    pub fn operator_does(&mut self, ops: Vec<Op>) -> bool {
        let text = words(&ops);
        let done = self.operate(&ops);
        self.note(|| format!("operator: {text}: {done}"));
        done
    }

    pub fn members(&self, job: &JobName) -> Vec<InstanceId> {
        let root = self.keys.of(job, &Key::Instances);
        let nodes = clockwright_testkit::sim::subtree(&self.leader.tree, &root);
        nodes
            .iter()
            .filter(|(path, _)| *path != root)
            .map(|(path, _)| InstanceId::from_wire(path.name()))
            .collect()
    }

    fn edit(&mut self, kind: Fault, job: &JobName) {
        let path = self.keys.of(job, &Key::Config);
        let Some(node) = self.leader.tree.get(&path) else { return };
        let local = self.scenario.jobs.iter().find(|local| local.name == *job);
        let root =
            self.leader.tree.get(&self.keys.job(job)).map(|node| node.data.clone()).unwrap_or_default();
        let mut settings = self.layout().read(&node.data, &root, local).unwrap();
        if kind == Fault::EditCount {
            settings.sharding_total_count = self.world.rng.pick(&self.scenario.counts);
        } else {
            let of_java = self.has_java(job);
            settings.cron = if of_java { java_cron } else { random_cron }(&mut self.world.rng).to_owned();
        }
        let text = self.layout().rewrite(&node.data, &root, &settings);
        self.operator_does(vec![Op::set(path, text)]);
    }

    pub fn undo(&mut self, what: Undo) {
        match what {
            Undo::Resume(engine) => self.resume(engine),
            Undo::Link(engine) => {
                self.note(|| format!("engine {engine}'s network works again"));
                self.engines[engine].partitioned = false;
            }
            Undo::Cut(engine, number) => {
                self.note(|| format!("engine {engine}'s server gives up"));
                self.notice(engine, number);
            }
            Undo::Outage if self.outage => {
                self.note(|| "the quorum is back".to_owned());
                self.quorum_is_back();
            }
            // It was healed before its time.
            Undo::Outage => {}
            Undo::Server(path) => {
                let enabled = self.layout().server(false);
                self.retry_operation(vec![Op::set(path.clone(), enabled)], Undo::Server(path));
            }
            Undo::JavaResume(peer) => self.resume_java(peer),
            Undo::JavaLink(peer) => self.link_java(peer),
            Undo::Denied(engine) => {
                self.engines[engine].denied = false;
                self.engines[engine].unsteady_at = self.world.now;
            }
            Undo::Node(path) => self.retry_operation(vec![Op::delete(path.clone())], Undo::Node(path)),
        }
    }

    fn retry_operation(&mut self, ops: Vec<Op>, again: Undo) {
        if let Undo::Node(path) = &again {
            self.nothing_waits_in_a_pause(path);
        }
        if self.outage {
            self.after(500, Event::Undo { what: again });
        } else {
            self.operator_does(ops);
        }
    }

    /// An engine dies, and another one comes before its session has ended, so that a plan moves what it ran.
    pub fn last_crash(&mut self) {
        if !self.peers.is_empty() && self.world.rng.chance(500) {
            return self.last_java_crash();
        }
        let engine = self.world.rng.below(self.engines.len());
        let dead = self.engines[engine].id.clone();
        let session = self.engines[engine].connection.as_ref().map(|connection| connection.session);
        self.kill(engine);
        self.engines[engine].rename();
        let wait = self.world.rng.range(100, 800);
        self.after(wait, Event::Boot { engine });
        if let Some(session) = session {
            // The session ends by its timeout; then the orphans are noticed, marked and taken, or settled by their owners.
            let wait = self.scenario.timeout + 1_000;
            self.after(wait, Event::Bereaved { dead, session, lived: true });
        }
    }

    /// Ends every fault. Whoever was shut down by command is started again, and so is whoever is dead.
    pub fn heal(&mut self) {
        self.note(|| "HEAL".to_owned());
        self.healed = true;
        if self.outage {
            self.quorum_is_back();
        }
        for engine in 0..self.engines.len() {
            self.engines[engine].partitioned = false;
            self.engines[engine].denied = false;
            self.engines[engine].offset = self.engines[engine].offset.clamp(-500, 500);
            self.resume(engine);
            let cut = self.engines[engine]
                .connection
                .as_ref()
                .filter(|connection| connection.cut)
                .map(|c| c.number);
            if let Some(number) = cut {
                self.notice(engine, number);
            }
            if self.engines[engine].shut {
                self.kill(engine);
                self.engines[engine].rename();
            }
            if self.engines[engine].core.is_none() {
                self.after(1_000, Event::Boot { engine });
            }
        }
        self.heal_java();
        for job in self.scenario.jobs.clone() {
            let root = self.keys.job(&job.name);
            let nodes: Vec<Path> = clockwright_testkit::sim::subtree(&self.leader.tree, &root)
                .into_iter()
                .map(|(path, _)| path)
                .collect();
            for path in nodes {
                match self.keys.parse(&path).map(|(_, key)| key) {
                    Some(Key::Paused | Key::Disabled(_)) => {
                        self.operator_does(vec![Op::delete(path)]);
                    }
                    Some(Key::Server(_)) => {
                        let enabled = self.layout().server(false);
                        self.operator_does(vec![Op::set(path, enabled)]);
                    }
                    _ => {}
                }
            }
        }
    }
}
