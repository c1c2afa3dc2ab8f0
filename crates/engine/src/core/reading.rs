//! Taking in what the registry says: hints, answers to readings of single nodes, whole subtrees, leases.
//!
//! An answer is as old as its question. Each question has a number, and so has each commit of ours whose answer came; an answer
//! that is older than what a commit did meanwhile is asked again instead of believed.

use super::trouble::Doing;
use super::{Core, Effect, LOADS_AT_ONCE, Mutation, Now, Turn};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Item};
use clockwright_registry::{Error, Hint, Node, Path};

impl Core {
    pub(super) fn hint(&mut self, hint: Hint, now: Now) {
        let path = match hint {
            Hint::Everything if self.us.mutated(Mutation::HintsAreTrusted) => return,
            Hint::Everything => {
                self.us.load_leases();
                self.each(now, |turn| {
                    if turn.us.mutated(Mutation::ReconnectClearsRunning) {
                        turn.forget_runs();
                    }
                    turn.load();
                });
                return;
            }
            Hint::Path(path) => path,
        };
        if let Some((job, key)) = self.us.keys.parse(&path) {
            let Some(&number) = self.by_name.get(job) else { return };
            if self.jobs[number].as_ref().is_some_and(|job| job.wants(&key)) {
                self.us.read(vec![path]);
            }
        } else if path.below(&self.us.keys.leases()).is_some_and(|name| !name.is_empty()) {
            // A hint about this process's own lease is its own renewal; only the others' coming and going matters, which
            // shows in whether the node exists. A renewal of a lease that is known needs no reading.
            if path.name() != self.us.me.as_str() {
                self.us.read(vec![path]);
            }
        }
    }

    pub(super) fn nodes(
        &mut self,
        id: u64,
        nodes: Result<Vec<(Path, Option<Node>)>, Error>,
        paths: &[Path],
        now: Now,
    ) {
        let own_lease = self.us.keys.lease(&self.us.me);
        let Ok(nodes) = nodes else {
            if paths.first() == Some(&own_lease) {
                self.each(now, |turn| turn.job.command = turn.job.command.filter(|read| *read != id));
            }
            for path in paths {
                self.us.lease_asked.remove(&InstanceId::from_wire(path.name()));
                if let Some(mut turn) = self.turn_at(path, now) {
                    turn.not_read(id);
                }
            }
            return;
        };
        if let Some((first, _)) = nodes.first()
            && let Some(mut turn) = self.turn_at(first, now)
        {
            turn.plan_was_read(id, &nodes);
            turn.numbers_were_read(id, &nodes);
        }
        if let [lease, instance] = &nodes[..]
            && lease.0.below(&self.us.keys.leases()).is_some()
            && let Some(mut turn) = self.turn_at(&instance.0, now)
        {
            turn.know_foreign_peer(lease, instance);
        }
        if let [(path, lease), (_, config)] = &nodes[..]
            && *path == own_lease
        {
            self.each(now, |turn| turn.know_command(id, lease.as_ref(), config.as_ref()));
        }
        for (path, node) in nodes {
            if let Some((job, key)) = self.us.keys.parse(&path) {
                let Some(&number) = self.by_name.get(job) else { continue };
                let Some(mut turn) = self.turn(number, now) else { continue };
                if turn.job.put(id, &key, node.as_ref()) {
                    if key == Key::ElectionInstance {
                        turn.job.led |= turn.is_led_by_another();
                    }
                    turn.touch();
                } else {
                    self.us.read(vec![path]);
                }
            } else if path.below(&self.us.keys.leases()).is_some() {
                self.put_lease(id, &path, node.as_ref(), now);
            } else if path == self.us.keys.beat(&self.us.me)
                && let Some(node) = node
            {
                self.beat_was_read(&node, now);
            }
        }
    }

    pub(super) fn tree(&mut self, id: u64, root: &Path, nodes: Result<Vec<(Path, Node)>, Error>, now: Now) {
        if *root == self.us.keys.leases() {
            if let Ok(nodes) = nodes {
                self.put_leases(id, &nodes, now);
            }
            return;
        }
        let keys = self.us.keys.clone();
        let Some((job, key)) = keys.parse(root) else { return };
        let Some(mut turn) = self.turn_named(job, now) else { return };
        if turn.job.loading == Some(id) {
            turn.us.loads -= 1;
        }
        let taken_in = match nodes {
            Err(error) => {
                let again = turn.refused(Doing::Read, &error);
                turn.job.load_failed(id, again);
                // A part that was not read comes with the whole.
                key == Key::Job
            }
            Ok(nodes) => {
                turn.accepted(Doing::Read);
                let parsed = nodes.iter().filter_map(|(path, node)| Some((keys.parse(path)?.1, node)));
                let taken_in = turn.job.loaded(id, &key, parsed);
                if taken_in && key == Key::Job {
                    turn.job.led = turn.is_led_by_another();
                }
                taken_in
            }
        };
        if taken_in {
            turn.touch();
        } else {
            turn.load();
        }
    }

    /// Asks for the full readings whose turn has come.
    pub(super) fn start_loads(&mut self) {
        while self.us.loads < LOADS_AT_ONCE
            && let Some(number) = self.us.waiting_loads.pop_front()
        {
            let Some(job) = self.jobs[number].as_mut() else { continue };
            self.us.loads += 1;
            let id = self.us.next();
            job.load_waits = false;
            job.loading = Some(id);
            job.losses = self.us.lease_losses;
            let root = self.us.keys.job(&job.name);
            self.us.out.push(Effect::Tree { id, root });
        }
    }

    fn turn_at(&mut self, path: &Path, now: Now) -> Option<Turn<'_>> {
        let number = *self.by_name.get(self.us.keys.parse(path)?.0)?;
        self.turn(number, now)
    }

    /// Takes in all leases that there are.
    fn put_leases(&mut self, id: u64, nodes: &[(Path, Node)], now: Now) {
        let root = self.us.keys.leases();
        let present = |instance: &InstanceId| nodes.iter().any(|(path, _)| path.name() == instance.as_str());
        let gone: Vec<_> = self.us.leases.keys().filter(|instance| !present(instance)).cloned().collect();
        for instance in gone {
            self.put_lease(id, &self.us.keys.lease(&instance), None, now);
        }
        for (path, node) in nodes.iter().filter(|(path, _)| *path != root) {
            self.put_lease(id, path, Some(node), now);
        }
    }

    fn put_lease(&mut self, id: u64, path: &Path, node: Option<&Node>, now: Now) {
        let instance = InstanceId::from_wire(path.name());
        let session = node.map(|node| node.stat.owner);
        self.us.lease_read.insert(instance.clone(), id);
        let asked = self.us.lease_asked.remove(&instance);
        if self.us.leases.get(&instance).copied() == session {
            if asked {
                self.each(now, |turn| {
                    turn.touch();
                });
            }
            return;
        }
        self.us.lease_changes += 1;
        let before = match session {
            Some(session) => self.us.leases.insert(instance, session),
            None => self.us.leases.remove(&instance),
        };
        self.us.lease_losses += u64::from(before.is_some());
        self.each(now, |turn| {
            turn.touch();
        });
    }
}

impl Turn<'_> {
    /// Whether another session leads the job, as far as the mirror shows.
    fn is_led_by_another(&self) -> bool {
        let session = self.us.session_id();
        self.job.mirror.leader.as_ref().is_some_and(|leader| leader.session != session)
    }

    /// A reading of one of the job's nodes failed.
    fn not_read(&mut self, id: u64) {
        self.job.plan_reading = self.job.plan_reading.filter(|reading| *reading != id);
        self.job.plans.not_read(id);
        self.job.foreign.retain(|_, foreign| *foreign);
        self.load();
    }

    /// Notes which plan the owners of this answer belong to.
    fn plan_was_read(&mut self, id: u64, nodes: &[(Path, Option<Node>)]) {
        let job = &mut *self.job;
        if job.plan_reading != Some(id) {
            return;
        }
        job.plan_reading = None;
        // An own plan that was written meanwhile is newer than this answer, and known.
        if id >= job.touched {
            job.epoch = nodes.first().and_then(|(_, epoch)| epoch.as_ref()).map(|node| node.stat.version);
            job.plan_read = id;
        }
        self.touch();
    }

    /// Takes in an answer to the question whether an instance is of another kind: its lease, then its instance node.
    fn know_foreign_peer(&mut self, lease: &(Path, Option<Node>), instance: &(Path, Option<Node>)) {
        let (None, Some(node)) = (&lease.1, &instance.1) else { return };
        let Some((_, Key::Instance(id))) = self.us.keys.parse(&instance.0) else { return };
        if let Some(foreign) = self.job.foreign.get_mut(&node.stat.created) {
            *foreign = true;
            self.job.plans.know_java(id);
        }
    }

    /// Reads epoch and owners together when the mirror's epoch is not the one that its owners belong to, and what else may keep an
    /// item from firing. The epoch is read first: what is read after it is not older, so a claim that checks it proves that they still
    /// are the owners, and that nobody has paused the job or disabled the server or an item of ours since.
    pub(super) fn read_plan(&mut self) {
        if self.job.plan_is_stale() && self.job.plan_reading.is_none() {
            self.read_plan_again();
        }
    }

    /// The same, whether or not it is known to be another one.
    pub(super) fn read_plan_again(&mut self) {
        let count = self.job.count().max(self.job.mirror.items.len() as Item);
        let ip = self.us.me.ip();
        let mut keys =
            vec![Key::Epoch, Key::Paused, Key::Server(ip.to_owned()), Key::SmoothStop(ip.to_owned())];
        keys.extend((0..count).map(Key::Owner));
        keys.extend((0..count).filter(|item| self.job.owns(*item, &self.us.me)).map(Key::Disabled));
        let paths = keys.iter().map(|key| self.path(key)).collect();
        let id = self.us.next();
        self.job.plan_reading = Some(id);
        self.us.out.push(Effect::Read { id, paths });
    }

    /// Reads the nodes of items that decide about a claim.
    pub(super) fn read_items(&mut self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let job = &*self.job;
        let monitored = job.effective.as_ref().is_none_or(|effective| effective.settings.monitor_execution);
        let mut paths = Vec::with_capacity(items.len() * 2);
        for item in items {
            paths.push(self.path(&Key::Cursor(*item)));
            if monitored {
                paths.push(self.path(&Key::Running(*item)));
            }
            if job.mirror.layout == Layout::V3 {
                paths.push(self.path(&Key::Failovering(*item)));
            }
        }
        let id = self.us.next();
        for item in items {
            self.job.item_mut(*item).reading = Some(id);
        }
        self.us.out.push(Effect::Read { id, paths });
    }
}
