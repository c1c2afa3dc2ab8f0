//! What must be true some time after everything was healed.

use super::shell::Message;
use super::world::Sim;
use clockwright_engine::core::Input;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Item, JobName};
use clockwright_planner::invariants::m_s5_plan_total;
use clockwright_planner::sharding::{Strategy, descending};
use clockwright_registry::Path;
use clockwright_testkit::sim::subtree;

/// Of the calm at the end, how long a part is looked at beside Java peers, and how much before its end, milliseconds.
const CALM: (i64, i64) = (6_000, 2_500);

impl Sim {
    /// L1 to L6, and that every outcome is on record.
    pub fn converged(&mut self) {
        for job in self.scenario.jobs.clone() {
            self.job_converged(&job.name);
        }
        let alive = self.engines.iter().filter(|engine| engine.serves());
        let lives: Vec<_> = alive.map(|engine| (engine.number, engine.life)).collect();
        let wall = self.world.wall();
        self.check.records_are_complete(&lives, wall);
    }

    /// Asks everybody to leave, now that all is calm.
    pub fn close(&mut self) {
        self.note(|| "ALL LEAVE".to_owned());
        self.closing = true;
        for engine in 0..self.engines.len() {
            let life = self.engines[engine].life;
            self.engines[engine].leaving = true;
            self.deliver(engine, life, Message::Input(Input::Shutdown));
        }
        (0..self.peers.len()).for_each(|peer| self.java_leaves(peer));
    }

    /// Whoever was asked to leave has left, and nothing is there that makes sense only while somebody is.
    pub fn all_have_left(&mut self) {
        let stay = self.engines.iter().filter(|engine| engine.core.is_some());
        let stay: Vec<String> = stay.map(|engine| engine.id.to_string()).collect();
        if !stay.is_empty() {
            self.check.fail("L12", format!("{} do not leave", stay.join(", ")));
        }
        let of_the_living = |key: &Key| {
            matches!(
                key,
                Key::Instance(_)
                    | Key::ElectionInstance
                    | Key::Running(_)
                    | Key::Taken(_)
                    | Key::FailoverItem(_)
            )
        };
        let stay = self.peers.iter().filter(|peer| peer.is_there()).count();
        if stay > 0 {
            self.check.fail("L12", format!("{stay} Java peers do not leave"));
        }
        // Java marks what those had who leave before it does, and takes it down no more.
        let mark_of_java = |job: &str, key: &Key| {
            matches!(key, Key::FailoverItem(_)) && JobName::new(job).is_ok_and(|job| self.has_java(&job))
        };
        let wrong = |(job, key): (&str, Key)| of_the_living(&key) && !mark_of_java(job, &key);
        let left = self.leader.tree.keys().find(|path| self.keys.parse(path).is_some_and(wrong));
        if let Some(path) = left {
            self.check.fail("L12", format!("all have left, and {path} is still there"));
        }
    }

    /// In a job that is paused for a while no claim stays open without a run: the wait for a next attempt has ended.
    pub fn nothing_waits_in_a_pause(&mut self, path: &Path) {
        let Some((job, Key::Paused)) = self.keys.parse(path) else { return };
        let job = JobName::new(job).expect("the name of a job");
        let (now, wall) = (self.world.now, self.world.wall());
        let since = self.leader.tree.get(path).map_or(wall, |node| node.stat.modified_at);
        if wall - since < 4_000 || self.outage || now - self.back_at < 3_000 || self.scenario.lost_hints > 0 {
            return;
        }
        let open = self.check.witness.history.cursors().filter(|((of, _), _)| *of == job);
        let open: Vec<_> =
            open.filter_map(|((_, item), cursor)| Some((*item, cursor.running()?.clone()))).collect();
        for (item, claim) in open {
            let owner = self.engines.iter().find(|engine| engine.id == claim.owner && engine.is_steady(now));
            if owner.is_some_and(|owner| owner.holds(claim.session))
                && self.check.rests(&job, item, claim.run, wall, 2_500)
            {
                let words = format!(
                    "{} of {job}/{item} waits for another attempt though the job is paused",
                    claim.fire
                );
                self.check.fail("L10", words);
            }
        }
    }

    /// L4: nothing that an instance left unfinished waits for somebody to notice.
    pub fn nothing_is_orphaned(&mut self, dead: &InstanceId) {
        self.javas_work_ran_again(dead);
        for job in self.scenario.jobs.clone() {
            for (path, node) in subtree(&self.leader.tree, &self.keys.job(&job.name)) {
                let Some((_, Key::Cursor(item))) = self.keys.parse(&path) else { continue };
                let cursor = Cursor::from_bytes(&node.data).unwrap();
                if let Some(claim) = cursor.running().filter(|claim| claim.owner == *dead) {
                    let words = format!(
                        "{} of {}/{item} is still claimed by {dead}, whose session has ended long ago",
                        claim.fire, job.name
                    );
                    self.check.fail("L4", words);
                }
            }
        }
    }

    fn job_converged(&mut self, job: &JobName) {
        let ours = self.engines.iter().filter(|engine| engine.serves()).map(|engine| engine.id.clone());
        let javas = self.peers.iter().filter(|peer| peer.serves() && self.has_java(job));
        let javas: Vec<InstanceId> = javas.map(|peer| peer.id.clone()).collect();
        let alive: Vec<InstanceId> = ours.chain(javas.iter().cloned()).collect();
        let leader = self.leader.tree.get(&self.keys.of(job, &Key::ElectionInstance));
        let leads = leader.map(|node| InstanceId::from_wire(&String::from_utf8_lossy(&node.data)));
        if leads.as_ref().is_none_or(|id| !alive.contains(id)) {
            self.check.fail("L1", format!("{job} is led by {leads:?}; alive are {alive:?}"));
        }
        let mut members = self.members(job);
        descending(&mut members);
        let mut expected = alive.clone();
        descending(&mut expected);
        if members != expected {
            self.check.fail("L6", format!("members of {job} are {members:?}, alive are {expected:?}"));
        }
        let Some(policy) = self.check.witness.history.settings(job) else {
            self.check.fail("L1", format!("{job} has no settings"));
            return;
        };
        let (count, schedule) = (policy.items, policy.schedule.clone());
        let owners: Vec<Option<InstanceId>> = (0..count)
            .map(|item| self.leader.tree.get(&self.keys.of(job, &Key::Owner(item))))
            .map(|node| node.map(|node| InstanceId::from_wire(&String::from_utf8_lossy(&node.data))))
            .collect();
        let target = Strategy::Average.assign(job.as_str(), &members, count, &owners);
        let target: Vec<Option<InstanceId>> =
            target.iter().map(|place| place.map(|place| members[place].clone())).collect();
        if let Err(violation) = m_s5_plan_total(&owners, &alive) {
            self.check.fail(violation.id, format!("{job}: {}", violation.message));
        }
        if owners != target {
            self.check.fail("L2", format!("the owners of {job} are {owners:?}, and should be {target:?}"));
        }
        for item in 0..count {
            let cursor = self.leader.tree.get(&self.keys.of(job, &Key::Cursor(item)));
            let cursor = cursor.map(|node| Cursor::from_bytes(&node.data).unwrap());
            let since = self.world.wall() - 5_000;
            let due = schedule.latest_until(since).unwrap_or(0);
            let of_java = owners[item as usize].as_ref().is_some_and(|owner| javas.contains(owner));
            match cursor {
                // Java keeps none; whether it ran is for J2.
                _ if of_java => {}
                Some(cursor) => {
                    if cursor.settled < due {
                        let run = cursor.run.as_ref().map(|run| format!("{} by {}", run.fire, run.owner));
                        let words = format!(
                            "{job}/{item} is settled up to {}, due was {due}; last {run:?}",
                            cursor.settled
                        );
                        self.check.fail("L3", words);
                    }
                    let old = |at: i64| at < self.world.wall() - 8_000;
                    if let Some(run) = cursor.running().filter(|run| old(run.at)) {
                        let live = self.check.witness.history.running(job, item);
                        let words = format!(
                            "{} of {job}/{item} is claimed by {} since {}; {live} run",
                            run.fire, run.owner, run.at
                        );
                        self.check.fail("L4", words);
                    }
                }
                None => self.check.fail("L3", format!("{job}/{item} never ran")),
            }
        }
        self.nothing_is_left_over(job, count);
        if self.has_java(job) {
            let until = self.world.wall() - CALM.1;
            let seen = self.check.beside.each_instant_ran_once(&schedule, count, (until - CALM.0, until));
            seen.unwrap_or_else(|words| self.check.fail("J2", format!("{job}: {words}")));
        }
    }

    /// No mark, latch, flag or trigger stays behind.
    fn nothing_is_left_over(&mut self, job: &JobName, count: Item) {
        let old = self.world.wall() - 3_000;
        for (path, node) in subtree(&self.leader.tree, &self.keys.job(job)) {
            let Some((_, key)) = self.keys.parse(&path) else { continue };
            let stale = node.stat.modified_at < old;
            let wrong = match key {
                Key::Necessary
                | Key::Processing
                | Key::ElectionLatchNode(_)
                | Key::FailoverLatchNode(_)
                | Key::FailoverItem(_)
                | Key::Taken(_)
                | Key::Failovering(_)
                | Key::Trigger(_)
                | Key::Running(_) => stale,
                Key::Item(item) => item >= count && stale,
                Key::Instance(_) => stale && &node.data[..] == b"TRIGGER",
                _ => false,
            };
            if wrong {
                self.check.fail("L2", format!("{path} is left over since {}", node.stat.modified_at));
            }
        }
    }
}
