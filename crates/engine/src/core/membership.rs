//! Membership: the job's config node, joining a job, leaving it, and who the others are.

use super::group::{Builder, Step};
use super::job::{Latch, LatchKind, Phase};
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::InstanceNode;
use clockwright_fleet::write::Write;
use clockwright_model::{InstanceId, JobSettings, Millis};
use clockwright_registry::Node;
use std::collections::BTreeSet;

/// How long a deletion of a whole job, node by node, may take between our instance node and its config, milliseconds.
const DELETING: Millis = 500;

impl Turn<'_> {
    /// Writes the config node if it is missing or empty, or is to be overwritten; true when it did. It is overwritten once in this
    /// engine's life, as Elastic-Job does at its start: what an operator changes later stays, and two versions of a program that
    /// roll over each other do not fight. Where a control server manages the namespace it is not overwritten at all: two truths would fight.
    pub(super) fn configure(&mut self) -> bool {
        self.pass_over_overwrite();
        let job = &*self.job;
        let registered = job.mirror.config.as_ref().filter(|(data, _)| !data.is_empty());
        let Some(local) = job.given.settings() else {
            let waits = registered.is_none();
            if waits {
                self.wait_for_settings();
            }
            return waits;
        };
        let wanted = match registered {
            None => Some((**local).clone()),
            Some(_)
                if local.overwrite
                    && (!job.has_configured || self.us.mutated(Mutation::OverwritesAtEachLook)) =>
            {
                let class = job.effective.as_ref().map(|effective| effective.settings.class.clone());
                Some(with_class(local, class))
            }
            Some(_) => None,
        };
        let Some(wanted) = wanted else { return false };
        let layout = job.mirror.layout;
        if let Err(error) = layout.check(&wanted) {
            let reason = format!("it cannot be in the layout of Elastic-Job {layout}: {error}");
            if job.degraded.as_ref() != Some(&reason) {
                self.job.degraded = Some(reason.clone());
                self.tell(true, reason);
            }
            return true;
        }
        let mut builder = Builder::new(self.us, self.job);
        let old = job.mirror.config.as_ref().map_or(&[][..], |(data, _)| data);
        let text = layout.rewrite(old, job.mirror.root.as_deref().unwrap_or_default(), &wanted);
        builder.root(layout.root(&wanted));
        match &job.mirror.config {
            None => builder.create(Key::Config, text),
            Some((data, _)) if data[..] == *text.as_bytes() => {
                self.job.has_configured = true;
                return false;
            }
            Some((_, stat)) => builder.push(Write::set_if(Key::Config, text, stat.version)),
        }
        let group = builder.build();
        self.coordinate_with(Step::Configure, group);
        true
    }

    /// Says once that the registry's settings count, where the job's own word is that they do not.
    fn pass_over_overwrite(&mut self) {
        let is_there = self.job.mirror.config.as_ref().is_some_and(|(data, _)| !data.is_empty());
        if is_there
            && self.us.managed
            && self.job.given.settings().is_some_and(|local| local.overwrite)
            && !self.job.has_configured
        {
            self.job.has_configured = true;
            self.tell(
                true,
                "its `overwrite` is passed over: a server manages the settings of this namespace, and those count".into(),
            );
        }
    }

    /// A job of which only its name was given has no settings in the registry: it is served once it has, and nothing of it is made
    /// before that.
    fn wait_for_settings(&mut self) {
        let reason =
            "the registry has no settings of it, and this instance none of its own: it waits for them";
        if self.job.degraded.as_deref() != Some(reason) {
            self.job.degraded = Some(reason.to_owned());
            self.tell(true, reason.to_owned());
        }
    }

    pub(super) fn join_and_lead(&mut self) {
        let job = &*self.job;
        let enabled = job.mirror.server_enabled(self.us.me.ip());
        let latched = matches!(job.latch, Some(Latch { kind: LatchKind::Election, .. }));
        if latched || (job.mirror.leader.is_none() && enabled && job.latch.is_none()) {
            self.elect();
        } else if !job.registered {
            let mut builder = Builder::new(self.us, self.job);
            register(&mut builder);
            if job.mirror.epoch.is_none() {
                // Under a Java leader there is none yet, and claims that cannot check it would prove nothing of our next leader's plan.
                builder.create(Key::Epoch, Bytes::new());
            }
            let group = builder.build();
            if group.writes.is_empty() {
                self.job.registered = true;
                self.touch();
            } else {
                self.coordinate_with(Step::Join, group);
            }
        } else if self.us.leads(job) {
            if enabled { self.lead() } else { self.abdicate() }
        } else {
            self.follow();
        }
    }

    /// Gives the job up: leadership and membership. Items that run go on and are completed; their next owners wait for them.
    pub(super) fn leave(&mut self) {
        if self.job.leaving.is_some() && !self.job.is_clear() {
            // The session lives on, and so would what an unclear commit left behind.
            return self.load();
        }
        if self.job.latch.as_ref().is_some_and(|latch| latch.name.is_none()) {
            // It is not known whether our place is there: where it is, it is a stray one now.
            self.job.latch = None;
            return self.touch();
        }
        let job = &*self.job;
        let ours = |node: &&InstanceNode| self.us.is_our_session(node.stat.owner);
        let node = job.mirror.instances.get(&self.us.me).filter(ours);
        let mut builder = Builder::new(self.us, self.job);
        if let Some(Latch { name: Some(name), kind, .. }) = &job.latch {
            builder.delete(match kind {
                LatchKind::Election => Key::ElectionLatchNode(name.clone()),
                LatchKind::Failover(_) => Key::FailoverLatchNode(name.clone()),
            });
        }
        if job.phase == Phase::ShutDown && self.us.leads(job) && !job.mirror.necessary {
            builder.create(Key::Necessary, Bytes::new());
        }
        if self.us.leads(job) {
            builder.delete(Key::ElectionInstance);
        }
        if let Some(node) = node {
            // Not if a trigger came meanwhile: it would go with the node.
            builder.push(Write::delete_if(Key::Instance(self.us.me.clone()), node.stat.version));
        }
        if job.mirror.triggers.contains_key(&self.us.me) {
            builder.delete(Key::Trigger(self.us.me.clone()));
        }
        let group = builder.build();
        if group.writes.is_empty() {
            if self.is_leaving() {
                self.job.phase = Phase::Left;
            }
        } else {
            self.coordinate_with(Step::Leave, group);
        }
    }

    /// Elastic-Job's shutdown command: somebody deleted our instance node while our session was unbroken. Where the job's config went
    /// too, somebody deleted the job by hand, though it is served; that takes a moment, node by node.
    pub(super) fn notice_shutdown_command(&mut self) {
        let job = &mut *self.job;
        let node = job.mirror.instances.get(&self.us.me);
        let present = node.is_some_and(|node| self.us.is_our_session(node.stat.owner));
        let config = job.mirror.config.as_ref().map(|(_, stat)| stat.created);
        if present && config.is_some() && job.vanished.is_none() {
            (job.registered, job.served) = (true, config);
        } else if job.registered
            && job.phase == Phase::Active
            && job.op.is_none()
            && job.command.is_none()
            && job.leaving.is_none()
            && !self.us.leaving
        {
            let since = *job.vanished.get_or_insert(self.now.mono);
            if self.now.mono < since + DELETING {
                self.wake_at_mono(since + DELETING);
                return;
            }
            // Or our session has ended, and we see its nodes go before we hear so: then our lease is gone with them.
            let lease = self.us.keys.lease(&self.us.me);
            let id = self.us.next();
            self.job.command = Some(id);
            self.us.out.push(super::Effect::Read { id, paths: vec![lease, self.path(&Key::Config)] });
        }
    }

    /// Takes in whether our lease and the job's config were still there when our instance node was gone.
    pub(super) fn know_command(&mut self, id: u64, lease: Option<&Node>, config: Option<&Node>) {
        let job = &mut *self.job;
        if job.command != Some(id) {
            return;
        }
        (job.command, job.vanished) = (None, None);
        if !lease.is_some_and(|lease| self.us.is_our_session(lease.stat.owner)) {
            // What is to be done is done when the session's end is heard of.
            return;
        }
        job.registered = false;
        let text = if config.map(|config| config.stat.created) == job.served {
            job.phase = Phase::ShutDown;
            "its instance node was deleted: shut down by command, it starts nothing more here"
        } else if job.given.settings().is_none() {
            "its nodes were deleted though it is served here; it is served again when the registry has settings of it"
        } else {
            "its nodes were deleted though it is served here; they are made again, with this instance's settings where nobody was \
             faster. To end a job, shut it down first, then remove it"
        };
        self.tell(true, text.into());
        self.load();
        self.touch();
    }

    /// Asks about instances that seem to hold no lease. Instance and lease nodes are read at different times, so one of ours
    /// that comes or goes looks foreign for a moment. It is foreign when its lease is not there while the instance that was
    /// seen before still is.
    pub(super) fn look_for_foreign_peers(&mut self) {
        let job = &mut *self.job;
        if job.mirror.instances.keys().all(|id| self.us.leases.contains_key(id)) {
            return;
        }
        let present: BTreeSet<i64> = job.mirror.instances.values().map(|node| node.stat.created).collect();
        job.foreign.retain(|created, _| present.contains(created));
        let mut asked = Vec::new();
        for (id, node) in job.mirror.instances.iter() {
            if !self.us.leases.contains_key(id) && !job.foreign.contains_key(&node.stat.created) {
                asked.push((id.clone(), node.stat.created));
            }
        }
        for (id, created) in asked {
            self.job.foreign.insert(created, false);
            let paths = vec![self.us.keys.lease(&id), self.path(&Key::Instance(id))];
            self.us.read(paths);
        }
    }

    /// Tells once when a job is not of the layout that was asked for, or is to be made beside jobs of the other one.
    pub(super) fn tell_layout(&mut self) {
        let job = &mut *self.job;
        let (Some(asked), false) = (self.us.options.layout, job.layout_told) else { return };
        let found = job.mirror.config.as_ref().and_then(|(data, _)| Layout::of(data));
        if let Some(found) = found.filter(|found| *found != asked) {
            job.layout_told = true;
            let text = format!(
                "its nodes are in the layout of Elastic-Job {found}, and stay so; {asked} was asked for. A job changes its layout only by being removed, while no instance serves it"
            );
            self.tell(true, text);
        } else if let Some(others) = self.us.others.filter(|others| *others != asked && found.is_none()) {
            job.layout_told = true;
            let text = format!(
                "it is new, and made in the layout of Elastic-Job {asked} as asked, though others of the namespace are in that of {others}: Java consoles of either can read only their own"
            );
            self.tell(true, text);
        }
    }
}

/// Adds what makes this instance a member: its server, its instance node, the flag that asks a Java leader for a plan.
pub(super) fn register(builder: &mut Builder<'_>) {
    let (us, job) = (builder.us, builder.job);
    let (ip, layout) = (us.me.ip().to_owned(), job.mirror.layout);
    let disabled = job.effective.as_ref().is_some_and(|effective| effective.settings.disabled);
    // A server node that is there keeps what an operator wrote into it; Java would enable it again at every start.
    match job.mirror.servers.get(&ip) {
        None => builder.create(Key::Server(ip), layout.server(disabled)),
        // A blank one says nothing in 3.x, and Java polls it until it does.
        Some(server) if layout == Layout::V3 && server.data.is_empty() => {
            builder.push(Write::set(Key::Server(ip), layout.server(disabled)));
        }
        Some(_) => {}
    }
    let instance = layout.instance(&us.me);
    match job.mirror.instances.get(&us.me) {
        Some(node) if us.is_our_session(node.stat.owner) => {}
        Some(_) => {
            builder.delete(Key::Instance(us.me.clone()));
            builder.create_ephemeral(Key::Instance(us.me.clone()), instance);
        }
        None => builder.create_ephemeral(Key::Instance(us.me.clone()), instance),
    }
    let stays = job.effective.as_ref().is_some_and(|effective| effective.settings.static_sharding)
        && !job.mirror.items.is_empty();
    // One of ours plans when it sees the instance come; in 3.x Java's leader sees it, and raises the flag itself.
    let ours = |id: &InstanceId| *id == us.me || us.leases.contains_key(id);
    let java =
        !job.mirror.instances.keys().chain(job.mirror.leader.iter().map(|leader| &leader.id)).all(ours);
    if java && layout == Layout::V2 && !stays && !job.mirror.necessary {
        builder.create(Key::Necessary, Bytes::new());
    }
}

/// Local settings with the class that is registered, when the local ones name none.
fn with_class(local: &JobSettings, registered: Option<String>) -> JobSettings {
    let mut settings = local.clone();
    if settings.class == settings.name.as_str()
        && let Some(class) = registered
    {
        settings.class = class;
    }
    settings
}
