//! One process on the stage, and what can be done to it.

use super::stage::{Desk, REFRESH, SESSION, Who};
use clockwright_engine::core::{Core, Input, Now, ServedJob};
use clockwright_model::{Event, InstanceId, Item, JobSettings, Millis};
use clockwright_registry::{Hint, Node, Op, Path};
use clockwright_testkit::sim::EPOCH;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What the monotonic clock shows at the first instant: another number than the calendar, so that nobody mixes them up unseen.
pub(super) const MONO: Millis = 1_000_000;

/// See the module.
pub struct Instance {
    pub(super) id: InstanceId,
    /// `None` once the process is gone.
    pub(super) core: Option<Core>,
    /// The names of its jobs, by their numbers.
    pub(super) jobs: Vec<Option<String>>,
    offset: Millis,
    pub(super) session: Option<i64>,
    /// Nothing is heard of it since then, though its session lives.
    pub(super) silent_since: Option<Millis>,
    /// It does not reach the registry.
    pub(super) cut: bool,
    frozen: bool,
    pub(super) inbox: VecDeque<Input>,
    /// Answers that are on their way.
    pub(super) unanswered: VecDeque<Input>,
    /// Hints that are on their way.
    pub(super) late: Vec<Path>,
    pub(super) wake_at: Millis,
    pub(super) run_hints: bool,
    /// Until when the session's lease reaches (mono).
    pub(super) lease: Rc<Cell<Millis>>,
    /// What is recorded and not yet stored, and when it will be.
    pub(super) bus: VecDeque<(Millis, Event)>,
    /// How many outcomes are stored.
    settlements: u64,
    pub(super) told: Vec<(Millis, String)>,
    pub(super) loses_answer: bool,
    pub(super) refreshed: Millis,
    next_refresh: usize,
}

impl Instance {
    pub(super) fn new(
        id: InstanceId,
        core: Core,
        jobs: Vec<Option<String>>,
        offset: Millis,
        now: Millis,
    ) -> Self {
        Self {
            id,
            core: Some(core),
            jobs,
            offset,
            session: None,
            silent_since: None,
            cut: false,
            frozen: false,
            inbox: VecDeque::new(),
            unanswered: VecDeque::new(),
            late: Vec::new(),
            wake_at: now,
            run_hints: true,
            lease: Rc::default(),
            bus: VecDeque::new(),
            settlements: 0,
            told: Vec::new(),
            loses_answer: false,
            refreshed: now,
            next_refresh: 0,
        }
    }

    pub(super) fn clock(&self, now: Millis) -> Now {
        Now { wall: EPOCH + now + self.offset, mono: MONO + now }
    }

    /// It decides.
    pub(super) fn works(&self) -> bool {
        self.core.is_some() && !self.frozen
    }

    /// It is told of changes.
    pub(super) fn hears(&self) -> bool {
        self.core.is_some() && !self.cut && self.session.is_some()
    }

    pub(super) fn is_quiet(&self) -> bool {
        !self.works() || self.inbox.is_empty()
    }

    /// When something happens with it by itself.
    pub(super) fn next(&self) -> Option<Millis> {
        let works = self.works();
        let wake = works.then_some(self.wake_at);
        let refresh = works.then(|| self.refreshed + self.pause());
        let stored = self.bus.front().filter(|_| works).map(|(at, _)| *at);
        let expiry = self.session.and(self.silent_since).map(|since| since + SESSION);
        [wake, refresh, stored, expiry].into_iter().flatten().min()
    }

    fn pause(&self) -> Millis {
        REFRESH / self.jobs.len().max(1) as Millis
    }

    /// Reads the next job anew when it is time, as the shell does.
    pub(super) fn refresh(&mut self, now: Millis) -> bool {
        if now < self.refreshed + self.pause() {
            return false;
        }
        self.refreshed = now;
        self.inbox.push_back(Input::Refresh(self.next_refresh));
        self.next_refresh = (self.next_refresh + 1) % self.jobs.len().max(1);
        true
    }

    /// What was recorded long enough ago is safe.
    pub(super) fn store(&mut self, now: Millis, stored: &mut Vec<Event>) {
        let before = self.settlements;
        while self.works() && self.bus.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, event)) = self.bus.pop_front() else { break };
            self.settlements += u64::from(matches!(event, Event::Settlement(_)));
            stored.push(event);
        }
        if self.settlements > before {
            self.inbox.push_back(Input::Stored { settlements: self.settlements });
        }
    }
}

impl Desk {
    /// `kill -9`: all that it knew, ran and had not stored is gone. Its session ends by its timeout.
    pub fn kill(&mut self, who: Who) {
        let instance = self.unheard(who);
        instance.core = None;
        instance.inbox.clear();
        instance.bus.clear();
        self.bury(who);
        self.quiesce();
    }

    /// It stands still: it does nothing and is not heard of; its runs go on under their supervisors.
    pub fn freeze(&mut self, who: Who) {
        self.unheard(who).frozen = true;
    }

    /// It goes on.
    pub fn thaw(&mut self, who: Who) {
        self.instances[who.0].frozen = false;
        self.hear_again(who);
    }

    /// The network between it and the registry is gone.
    pub fn cut(&mut self, who: Who) {
        self.unheard(who).cut = true;
    }

    /// The network works again.
    pub fn mend(&mut self, who: Who) {
        self.instances[who.0].cut = false;
        self.hear_again(who);
    }

    /// An instance of which nothing is heard from now on.
    fn unheard(&mut self, who: Who) -> &mut Instance {
        let now = self.now;
        let instance = &mut self.instances[who.0];
        instance.silent_since.get_or_insert(now);
        instance
    }

    fn hear_again(&mut self, who: Who) {
        let lives =
            self.instances[who.0].session.is_some_and(|session| self.registry.lock().leader.lives(session));
        let instance = &mut self.instances[who.0];
        instance.silent_since = None;
        instance.wake_at = self.now;
        instance.inbox.push_back(if lives { Input::Hint(Hint::Everything) } else { Input::SessionLost });
        self.quiesce();
    }

    /// Its client has found another server, so that it reads everything anew.
    pub fn hear_everything(&mut self, who: Who) {
        self.instances[who.0].inbox.push_back(Input::Hint(Hint::Everything));
        self.quiesce();
    }

    /// Its session ends before its time, by an operator or a registry that forgot it, and it hears so at once.
    pub fn expire(&mut self, who: Who) {
        let session = self.instances[who.0].session.take().expect("it has a session");
        self.registry.lock().leader.end_session(session);
        self.instances[who.0].inbox.push_back(Input::SessionLost);
        self.quiesce();
    }

    /// The registry comes back with what it had then, or with nothing, and without the sessions that it had. Whoever is not cut off is
    /// back at once.
    pub fn lose_registry(&mut self, backup: BTreeMap<Path, Node>) {
        for number in 0..self.instances.len() {
            let Some(session) = self.instances[number].session.take() else { continue };
            self.registry.lock().leader.end_session(session);
            self.instances[number].inbox.push_back(Input::SessionLost);
        }
        self.generation += 1 << 48;
        let persistent = backup.into_iter().filter(|(_, node)| node.stat.owner == 0);
        self.registry.lock().leader.tree = persistent.collect();
        self.quiesce();
    }

    /// What the registry has now.
    pub fn backup(&self) -> BTreeMap<Path, Node> {
        self.registry.lock().leader.tree.clone()
    }

    /// Its session ends before its time, and it sees its nodes go before it hears so, this much later.
    pub fn expire_unheard(&mut self, who: Who, wait: Millis) {
        let session = self.instances[who.0].session.expect("it has a session");
        self.registry.lock().leader.end_session(session);
        self.pass(wait);
        self.instances[who.0].session = None;
        self.instances[who.0].inbox.push_back(Input::SessionLost);
        self.quiesce();
    }

    /// It does not reach the registry, and hears that its session has ended meanwhile.
    pub fn hear_of_loss(&mut self, who: Who) {
        self.instances[who.0].session = None;
        self.instances[who.0].inbox.push_back(Input::SessionLost);
        self.quiesce();
    }

    /// The answer to its next commit gets lost, after the commit was carried out.
    pub fn lose_answer(&mut self, who: Who) {
        self.instances[who.0].loses_answer = true;
    }

    /// It is asked to leave.
    pub fn leave(&mut self, who: Who) {
        self.instances[who.0].inbox.push_back(Input::Shutdown);
        self.quiesce();
    }

    /// It is to serve one more job.
    pub fn add(&mut self, who: Who, settings: &JobSettings) {
        let instance = &mut self.instances[who.0];
        let job = instance.jobs.iter().position(Option::is_none).unwrap_or(instance.jobs.len());
        instance.jobs.resize(instance.jobs.len().max(job + 1), None);
        instance.jobs[job] = Some(settings.name.as_str().to_owned());
        instance.inbox.push_back(Input::Add { job, given: settings.clone().into() });
        self.quiesce();
    }

    /// It is to leave a job, in which what runs may go on for so long.
    pub fn remove(&mut self, who: Who, job: &str, grace: Millis) {
        let until = self.instances[who.0].clock(self.now).mono + grace;
        let job = self.number(who, job).expect("it serves the job");
        self.instances[who.0].inbox.push_back(Input::Remove { job, until });
        self.quiesce();
    }

    /// Whether it has a job, be it that it is still leaving it.
    pub fn has(&self, who: Who, job: &str) -> bool {
        self.number(who, job).is_some()
    }

    fn number(&self, who: Who, job: &str) -> Option<usize> {
        self.instances[who.0].jobs.iter().position(|name| name.as_deref() == Some(job))
    }

    /// It left, or died.
    pub fn is_gone(&self, who: Who) -> bool {
        self.instances[who.0].core.is_none()
    }

    /// What an instance, or all of them, said to operators.
    pub fn told(&self) -> String {
        let lines = |(number, instance): (usize, &Instance)| {
            instance
                .told
                .iter()
                .map(move |(at, text)| format!("{at:>8} {number}: {text}"))
                .collect::<Vec<_>>()
        };
        self.instances.iter().enumerate().flat_map(lines).collect::<Vec<_>>().join("\n")
    }

    /// What it says of a job.
    pub fn status(&self, who: Who, job: &str) -> ServedJob {
        let core = self.instances[who.0].core.as_ref().expect("the process is there");
        core.status().into_iter().find(|status| status.job.as_str() == job).expect("it serves the job")
    }

    /// The items that it owns.
    pub fn owns(&self, who: Who, job: &str) -> Vec<Item> {
        self.status(who, job).items
    }

    /// Deletes its lease node by hand, as an operator might.
    pub fn delete_lease(&mut self, who: Who) {
        let path = self.keys.lease(&self.instances[who.0].id);
        self.registry.commit(0, &[Op::delete(path)]).unwrap();
        self.quiesce();
    }
}
