//! What must be true some time after everything was healed.

use super::world::Sim;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Item, JobName};
use clockwright_planner::sharding::{Strategy, descending};
use clockwright_testkit::sim::subtree;
use std::collections::BTreeMap;

impl Sim {
    /// L1 to L6, and that every outcome is on record.
    pub fn converged(&mut self) {
        let mut cursors = BTreeMap::new();
        for job in self.scenario.jobs.clone() {
            self.job_converged(&job.name, &mut cursors);
        }
        self.check.records_are_complete(&cursors);
    }

    /// L4: nothing that an instance left unfinished waits for somebody to notice.
    pub fn nothing_is_orphaned(&mut self, dead: &InstanceId) {
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

    fn job_converged(&mut self, job: &JobName, cursors: &mut BTreeMap<(String, Item), Cursor>) {
        let alive: Vec<InstanceId> =
            self.engines.iter().filter(|engine| engine.serves()).map(|engine| engine.id.clone()).collect();
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
        let Some((settings, schedule)) = self.check.settings(job.as_str()) else {
            self.check.fail("L1", format!("{job} has no settings"));
            return;
        };
        let (count, schedule) = (settings.sharding_total_count, schedule.clone());
        let owners: Vec<Option<InstanceId>> = (0..count)
            .map(|item| self.leader.tree.get(&self.keys.of(job, &Key::Owner(item))))
            .map(|node| node.map(|node| InstanceId::from_wire(&String::from_utf8_lossy(&node.data))))
            .collect();
        let target = Strategy::Average.assign(job.as_str(), &members, count, &owners);
        let target: Vec<Option<InstanceId>> =
            target.iter().map(|place| place.map(|place| members[place].clone())).collect();
        if owners != target {
            self.check
                .fail("L2/M-S5", format!("the owners of {job} are {owners:?}, and should be {target:?}"));
        }
        for item in 0..count {
            let cursor = self.leader.tree.get(&self.keys.of(job, &Key::Cursor(item)));
            let cursor = cursor.map(|node| Cursor::from_bytes(&node.data).unwrap());
            let since = self.world.wall() - 5_000;
            let due = schedule.latest_until(since).unwrap_or(0);
            match cursor {
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
                        let live = self.check.live_runs(job.as_str(), item);
                        let words = format!(
                            "{} of {job}/{item} is claimed by {} since {}; {live} run",
                            run.fire, run.owner, run.at
                        );
                        self.check.fail("L4", words);
                    }
                    cursors.insert((job.as_str().to_owned(), item), cursor);
                }
                None => self.check.fail("L3", format!("{job}/{item} never ran")),
            }
        }
        self.nothing_is_left_over(job, count);
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
