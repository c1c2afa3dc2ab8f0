//! Jobs that come and go: an engine leaves a job at any moment, and serves it again some time after it was left.

use super::shell::Message;
use super::world::{Event, Sim};
use clockwright_engine::core::Input;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_model::JobName;
use clockwright_registry::Node;
use clockwright_testkit::sim::subtree;

impl Sim {
    /// An engine is to leave one of the jobs that it has.
    pub fn remove_job(&mut self, engine: usize) {
        let each = &self.engines[engine];
        let had: Vec<usize> = (0..each.jobs.len()).filter(|job| each.jobs[*job].is_some()).collect();
        if each.core.is_none() || had.is_empty() {
            return;
        }
        let job = self.world.rng.pick(&had);
        let grace = self.world.rng.range(0, 4_000);
        let each = &self.engines[engine];
        let (life, until) = (each.life, each.now(self.world.now).mono + grace);
        self.deliver(engine, life, Message::Input(Input::Remove { job, until }));
    }

    /// An engine says that it left a job: nothing that ends with its session, and nothing that only it may end, is there any more.
    pub fn removed(&mut self, engine: usize, number: usize) {
        let Some(job) = self.engines[engine].jobs[number].take() else {
            self.check.fail("R1", format!("engine {engine} left job {number} twice"));
            return;
        };
        self.note(|| format!("engine {engine} has left {job}"));
        if let Some(connection) = &self.engines[engine].connection
            && self.leader.lives(connection.session)
        {
            let session = connection.session;
            let claimed = |node: &Node| {
                Cursor::from_bytes(&node.data)
                    .unwrap()
                    .running()
                    .is_some_and(|claim| claim.session == session)
            };
            for (path, node) in subtree(&self.leader.tree, &self.keys.job(&job)) {
                let key = self.keys.parse(&path).map(|(_, key)| key);
                if node.stat.owner == session || (matches!(key, Some(Key::Cursor(_))) && claimed(&node)) {
                    self.check.fail("R1", format!("engine {engine} left {job}, and its {path} is there"));
                }
            }
        }
        let life = self.engines[engine].life;
        let wait = self.world.rng.range(1, 6_000);
        self.after(wait, Event::Rejoin { engine, life, job });
    }

    /// An engine serves a job again.
    pub fn rejoin(&mut self, engine: usize, life: u64, job: &JobName) {
        let each = &mut self.engines[engine];
        let settings = self.scenario.jobs.iter().find(|settings| settings.name == *job);
        let (Some(settings), true) = (settings, each.life == life && each.serves()) else { return };
        let number = each.jobs.iter().position(Option::is_none).expect("the place that it had");
        each.jobs[number] = Some(job.clone());
        let given = settings.clone().into();
        self.check.adds((engine, life), job);
        self.deliver(engine, life, Message::Input(Input::Add { job: number, given }));
    }
}
