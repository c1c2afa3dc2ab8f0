//! What an instance of Elastic-Job-Lite 2.1.5 does, step by step, in the order and with the requests of its own threads.
//!
//! It is told as straight code that waits for each answer, since that is what makes Java's races: between looking and writing, anybody
//! may have written. No write has a condition, and an error that says "there is one", "there is none" or "not connected" is
//! swallowed. There are two threads: [`Code::work`] starts the instance and then fires, one firing at a time; [`Code::listen`] sees what
//! changed and acts on it, one event at a time, however long that takes.
//!
//! Left out is what the simulation's operators never do: switching `failover` and `monitorExecution` over; and what comes later than a
//! simulation ends: the look of every ten minutes at whether all items have an owner.

use super::jvm::{Answer, Call, Change, Jvm, Kind, Line};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{InstanceId, Item, JobSettings, Millis, Misfire};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::{Strategy, descending};
use clockwright_registry::{Conflict, Error, Mode, Node, Op, OpResult, Path};
use std::rc::Rc;

/// How long a thread sleeps that waits for something to become true, milliseconds.
const POLL: Millis = 100;
/// How long an idle thread sleeps at most, milliseconds.
const IDLE: Millis = 25;

/// One thread of an instance.
pub struct Code {
    pub jvm: Rc<Jvm>,
    pub line: Rc<Line>,
}

impl Code {
    /// The scheduler's only worker: starts the instance, then fires until it is shut down.
    pub async fn work(self) {
        self.start().await;
        let mut acquired = false;
        while !self.jvm.shut.get() && !self.jvm.leaving.get() {
            match self.next_firing(acquired).await {
                Some(instant) => {
                    self.jvm.fired.set(true);
                    self.execute(instant).await;
                    acquired = false;
                }
                None => {
                    // A trigger that was waited for fires however late its thread goes on; one that came while it was busy is missed.
                    acquired = !self.jvm.suspended.get();
                    let wait = self.jvm.next.get().map_or(IDLE, |next| next - self.jvm.now.get());
                    self.sleep(wait.clamp(1, IDLE)).await;
                }
            }
        }
        self.jvm.idle.set(true);
    }

    /// Takes what changed below the job, in order.
    pub async fn listen(self) {
        loop {
            let change = self.jvm.changes.borrow_mut().pop_front();
            match change {
                Some(change) if !self.jvm.shut.get() => self.heard(&change).await,
                Some(_) => {}
                None => self.sleep(IDLE).await,
            }
        }
    }

    /// The connection is back, in the same session or in a new one.
    pub async fn reconnected(self) {
        if !self.jvm.shut.get() {
            let server = if self.is_enabled(self.jvm.id.ip()).await { "" } else { "DISABLED" };
            self.register(server).await;
            for item in self.local_items().await {
                self.remove(&Key::Running(item)).await;
            }
        }
        self.jvm.suspended.set(false);
    }

    /// The process was asked to end: it waits for the firing that goes on.
    pub async fn leave(self) {
        self.jvm.leaving.set(true);
        while !self.jvm.idle.get() {
            self.sleep(IDLE).await;
        }
        if self.is_leader().await {
            self.remove(&Key::ElectionInstance).await;
        }
        self.remove(&Key::Instance(self.jvm.id.clone())).await;
        self.line.ask(Call::Left).await;
    }

    async fn start(&self) {
        let known = self.get(&Key::Config).await.filter(|node| !node.data.is_empty());
        if known.is_none() {
            self.persist(&Key::Config, Layout::V2.write(&self.jvm.local)).await;
        }
        let mut settings = self.get(&Key::Config).await.and_then(|node| self.read(&node));
        while settings.is_none() {
            self.sleep(POLL).await;
            settings = self.get(&Key::Config).await.and_then(|node| self.read(&node));
        }
        let settings = settings.expect("it was waited for");
        self.jvm.count.set(settings.sharding_total_count);
        self.line.ask(Call::Watch).await;
        self.elect().await;
        // Also where an operator has disabled the server.
        self.register("").await;
        self.ask_for_sharding().await;
        self.reschedule(&settings);
    }

    async fn register(&self, server: &'static str) {
        self.persist(&Key::Server(self.jvm.id.ip().to_owned()), server).await;
        self.persist_ephemeral(&Key::Instance(self.jvm.id.clone()), "").await;
    }

    /// The instant of the cron that is due, or a trigger (`None` inside); nothing while there is neither.
    async fn next_firing(&self, acquired: bool) -> Option<Option<Millis>> {
        if self.jvm.suspended.get() {
            return None;
        }
        if self.jvm.triggers.get() > 0 {
            self.jvm.triggers.set(self.jvm.triggers.get() - 1);
            return Some(None);
        }
        let (next, now) = (self.jvm.next.get()?, self.jvm.now.get());
        if now < next {
            return None;
        }
        let schedule = self.jvm.schedule.borrow().clone()?;
        if !acquired && now > next + 1 {
            self.jvm.next.set(schedule.next_after(now));
            if self.jvm.fired.get() {
                let items = self.local_items().await;
                self.mark_misfire(&items).await;
            }
            return None;
        }
        self.jvm.next.set(schedule.next_after(next));
        Some(Some(next))
    }

    fn reschedule(&self, settings: &JobSettings) {
        let schedule = Schedule::parse(&settings.cron, settings.time_zone.as_deref()).ok();
        self.jvm.next.set(schedule.as_ref().and_then(|schedule| schedule.next_after(self.jvm.now.get())));
        self.jvm.cron.replace(settings.cron.clone());
        self.jvm.schedule.replace(schedule);
    }

    /// One firing. Settings are those of the cache throughout, as far as Java reads them there.
    async fn execute(&self, instant: Option<Millis>) {
        let Some(settings) = self.settings() else { return };
        let items = self.sharding_context(&settings).await;
        if settings.monitor_execution && self.any_runs(&items).await {
            self.mark_misfire(&items).await;
            return;
        }
        self.run(&settings, &items, instant).await;
        while self.is_to_make_up(&settings, &items).await {
            for item in &items {
                self.remove(&Key::Misfire(*item)).await;
            }
            self.run(&settings, &items, None).await;
        }
        if settings.failover {
            self.fail_over().await;
        }
    }

    async fn sharding_context(&self, settings: &JobSettings) -> Vec<Item> {
        let mut items = Vec::new();
        if settings.failover {
            for item in 0..settings.sharding_total_count {
                if self.says(&Key::Taken(item), &self.jvm.id).await {
                    items.push(item);
                }
            }
        }
        if items.is_empty() {
            self.shard_if_necessary().await;
            for item in self.local_items().await {
                let taken = settings.failover && self.exists(&Key::Taken(item)).await;
                if !taken && !self.exists(&Key::Disabled(item)).await {
                    items.push(item);
                }
            }
        }
        let mut idle = Vec::new();
        for item in items {
            if !settings.monitor_execution || !self.exists(&Key::Running(item)).await {
                idle.push(item);
            }
        }
        idle
    }

    async fn run(&self, settings: &JobSettings, items: &[Item], instant: Option<Millis>) {
        if items.is_empty() {
            return;
        }
        self.jvm.runs.set(true);
        if settings.monitor_execution {
            for item in items {
                self.persist_ephemeral(&Key::Running(*item), "").await;
            }
        }
        self.line.ask(Call::Run { items: items.to_vec(), instant }).await;
        self.jvm.runs.set(false);
        for item in items {
            if settings.monitor_execution {
                self.remove(&Key::Running(*item)).await;
            }
            if settings.failover {
                self.remove(&Key::Taken(*item)).await;
            }
        }
    }

    async fn is_to_make_up(&self, settings: &JobSettings, items: &[Item]) -> bool {
        if settings.misfire == Misfire::Skip || self.exists(&Key::Necessary).await {
            return false;
        }
        for item in items {
            if self.exists(&Key::Misfire(*item)).await {
                return true;
            }
        }
        false
    }

    async fn mark_misfire(&self, items: &[Item]) {
        for item in items {
            self.create_if_needed(&Key::Misfire(*item)).await;
        }
    }

    async fn any_runs(&self, items: &[Item]) -> bool {
        for item in items {
            if self.exists(&Key::Running(*item)).await {
                return true;
            }
        }
        false
    }

    /// Only the leader shards, and only while it fires; all others wait for it.
    async fn shard_if_necessary(&self) {
        let available = self.available_instances().await;
        if available.is_empty() || !self.exists(&Key::Necessary).await {
            return;
        }
        if !self.leads_at_last().await {
            while !self.is_leader().await
                && (self.exists(&Key::Necessary).await || self.exists(&Key::Processing).await)
            {
                self.sleep(POLL).await;
                if self.jvm.shut.get() {
                    return;
                }
            }
            return;
        }
        let Some(settings) = self.settings() else { return };
        let all: Vec<Item> = (0..settings.sharding_total_count).collect();
        while settings.monitor_execution && self.any_runs(&all).await {
            self.sleep(POLL).await;
        }
        let Some(settings) = self.get(&Key::Config).await.and_then(|node| self.read(&node)) else { return };
        self.persist_ephemeral(&Key::Processing, "").await;
        self.reset_items(settings.sharding_total_count).await;
        self.write_plan(&settings, &available).await;
    }

    async fn reset_items(&self, count: Item) {
        for item in 0..count {
            self.remove(&Key::Owner(item)).await;
            self.create_if_needed(&Key::Item(item)).await;
        }
        let actual = self.children(&Key::Items).await.len() as Item;
        for item in count..actual {
            self.remove(&Key::Item(item)).await;
        }
    }

    async fn write_plan(&self, settings: &JobSettings, available: &[InstanceId]) {
        let count = settings.sharding_total_count;
        let owners = Strategy::Average.assign(self.jvm.job.as_str(), available, count, &[]);
        let mut ops = vec![Op::check(self.jvm.keys.root().clone())];
        for (item, owner) in (0..count).zip(owners) {
            if let Some(owner) = owner {
                let id = available[owner].as_str().to_owned();
                ops.push(Op::create(self.path(&Key::Owner(item)), id));
            }
        }
        ops.push(Op::delete(self.path(&Key::Necessary)));
        ops.push(Op::delete(self.path(&Key::Processing)));
        // What goes wrong is left to the next firing.
        let _ = self.commit(ops).await;
    }

    async fn elect(&self) {
        let place = self.queue(Key::ElectionLatchNode, &Key::ElectionLatch).await;
        if !self.exists(&Key::ElectionInstance).await {
            self.persist_ephemeral(&Key::ElectionInstance, self.jvm.id.as_str()).await;
        }
        self.release(place).await;
    }

    async fn leads_at_last(&self) -> bool {
        while !self.exists(&Key::ElectionInstance).await && self.some_server_is_available().await {
            self.sleep(POLL).await;
            if self.jvm.shut.get() {
                return false;
            }
            if self.is_available(self.jvm.id.ip()).await {
                self.elect().await;
            }
        }
        self.is_leader().await
    }

    async fn is_leader(&self) -> bool {
        !self.jvm.shut.get() && self.says(&Key::ElectionInstance, &self.jvm.id).await
    }

    /// An instance is gone: whoever sees it marks what it had, if anybody is at its address.
    async fn crashed(&self, dead: &InstanceId) {
        let Some(settings) = self.settings().filter(|settings| settings.failover) else { return };
        let (mut taken, mut owned) = (Vec::new(), Vec::new());
        for item in 0..settings.sharding_total_count {
            if self.says(&Key::Taken(item), dead).await {
                taken.push(item);
            }
            if self.says(&Key::Owner(item), dead).await {
                owned.push(item);
            }
        }
        let marks = match taken.is_empty() {
            true if self.is_available(dead.ip()).await => owned,
            true => Vec::new(),
            false => taken,
        };
        for item in marks {
            if !self.exists(&Key::Taken(item)).await {
                self.create_if_needed(&Key::FailoverItem(item)).await;
            }
            self.fail_over().await;
        }
    }

    /// Takes one marked item, if it has nothing else to do.
    async fn fail_over(&self) {
        if self.jvm.runs.get() || self.children(&Key::FailoverItems).await.is_empty() {
            return;
        }
        let place = self.queue(Key::FailoverLatchNode, &Key::FailoverLatch).await;
        let first = self.children(&Key::FailoverItems).await.into_iter().next();
        let first = first.and_then(|item| item.parse().ok());
        if let Some(item) = first.filter(|_| !self.jvm.shut.get() && !self.jvm.runs.get()) {
            self.persist_ephemeral(&Key::Taken(item), self.jvm.id.as_str()).await;
            self.remove(&Key::FailoverItem(item)).await;
            self.jvm.triggers.set(self.jvm.triggers.get() + 1);
        }
        self.release(place).await;
    }

    /// All listeners, in the order in which Java adds them.
    async fn heard(&self, change: &Change) {
        let Some((_, key)) = self.jvm.keys.parse(&change.path) else { return };
        let me = &self.jvm.id;
        let is_off = change.data[..] == *b"DISABLED";
        match &key {
            Key::Server(ip) if ip == me.ip() && !is_off && !self.exists(&Key::ElectionInstance).await => {
                self.elect().await;
            }
            Key::Server(ip) if ip == me.ip() && is_off && self.is_leader().await => {
                self.remove(&Key::ElectionInstance).await;
            }
            Key::ElectionInstance if change.kind == Kind::Removed && self.is_available(me.ip()).await => {
                self.elect().await;
            }
            _ => {}
        }
        let comes_or_goes = change.kind != Kind::Updated && matches!(key, Key::Instance(_));
        let counts = match (&key, self.settings()) {
            (Key::Config, Some(settings)) => {
                self.jvm.count.replace(settings.sharding_total_count) != settings.sharding_total_count
            }
            _ => false,
        };
        if counts || comes_or_goes || matches!(key, Key::Server(_)) {
            self.ask_for_sharding().await;
        }
        match &key {
            Key::Instance(id) if change.kind == Kind::Removed && id != me => self.crashed(id).await,
            Key::Instance(_)
                if change.kind == Kind::Removed && !self.jvm.suspended.get() && !self.exists(&key).await =>
            {
                self.shut_down().await;
            }
            Key::Instance(id)
                if id == me && change.kind == Kind::Updated && change.data[..] == *b"TRIGGER" =>
            {
                self.update(&key, "").await;
                if !self.jvm.runs.get() {
                    self.jvm.triggers.set(self.jvm.triggers.get() + 1);
                }
            }
            Key::Config => {
                let settings = self.settings();
                if let Some(settings) = settings.filter(|settings| settings.cron != *self.jvm.cron.borrow()) {
                    self.reschedule(&settings);
                }
            }
            _ => {}
        }
    }

    /// The node of this instance was deleted: that is the command to serve no more. The process stays.
    async fn shut_down(&self) {
        if self.is_leader().await {
            self.remove(&Key::ElectionInstance).await;
        }
        self.jvm.shut.set(true);
    }

    async fn ask_for_sharding(&self) {
        self.create_if_needed(&Key::Necessary).await;
    }

    async fn local_items(&self) -> Vec<Item> {
        let Some(settings) = self.settings() else { return Vec::new() };
        let mut items = Vec::new();
        if self.is_available(self.jvm.id.ip()).await {
            for item in 0..settings.sharding_total_count {
                if self.says(&Key::Owner(item), &self.jvm.id).await {
                    items.push(item);
                }
            }
        }
        items
    }

    async fn available_instances(&self) -> Vec<InstanceId> {
        let mut available = Vec::new();
        for name in self.children(&Key::Instances).await {
            let id = InstanceId::from_wire(&name);
            if self.is_enabled(id.ip()).await {
                available.push(id);
            }
        }
        descending(&mut available);
        available
    }

    async fn is_enabled(&self, ip: &str) -> bool {
        let node = self.known(&Key::Server(ip.to_owned())).await;
        node.is_none_or(|node| node.data[..] != *b"DISABLED")
    }

    /// Java compares the beginnings of ids, so that `10.0.0.1` is there when `10.0.0.10` is.
    async fn is_available(&self, ip: &str) -> bool {
        self.is_enabled(ip).await
            && self.children(&Key::Instances).await.iter().any(|name| name.starts_with(ip))
    }

    async fn some_server_is_available(&self) -> bool {
        for ip in self.children(&Key::Servers).await {
            if self.is_available(&ip).await {
                return true;
            }
        }
        false
    }

    /// A place in a queue is given back until that has surely been done.
    async fn release(&self, place: Path) {
        while let Err(error) = self.commit(vec![Op::delete(place.clone())]).await {
            if matches!(error, Error::Conflict { .. }) {
                return;
            }
            self.sleep(POLL).await;
        }
    }

    /// Curator's mutex: a place in the queue, and the wait until it is the first one.
    async fn queue(&self, place: fn(String) -> Key, latch: &Key) -> Path {
        let mut mine = None;
        loop {
            let names = self.children(latch).await;
            let number =
                |name: &str| name.rsplit_once("latch-").map_or(name, |(_, number)| number).to_owned();
            match &mine {
                Some((prefix, _)) if !names.iter().any(|name| name.starts_with(prefix)) => mine = None,
                Some((prefix, path)) => {
                    let first = names.iter().min_by_key(|name| number(name));
                    if first.is_some_and(|first| first.starts_with(prefix)) {
                        return Path::clone(path);
                    }
                    self.sleep(IDLE).await;
                }
                None => {
                    let prefix = self.jvm.latch_prefix();
                    let path = self.path(&place(prefix.clone()));
                    // An answer that got lost is looked for by its prefix.
                    let made = self.create(path, Bytes::new(), Mode::EphemeralSequential).await;
                    let names = self.children(latch).await;
                    let found = names.iter().find(|name| name.starts_with(&prefix));
                    let found = found.map(|name| self.path(&place(name.clone()))).or(made);
                    mine = found.map(|path| (prefix, path));
                    if mine.is_none() {
                        self.sleep(POLL).await;
                    }
                }
            }
        }
    }
}

/// The registry as Java uses it.
impl Code {
    fn path(&self, key: &Key) -> Path {
        self.jvm.keys.of(&self.jvm.job, key)
    }

    fn read(&self, node: &Node) -> Option<JobSettings> {
        Layout::V2.read(&node.data, b"", Some(&self.jvm.local)).ok()
    }

    /// The settings of the cache.
    fn settings(&self) -> Option<JobSettings> {
        let cache = self.jvm.cache.borrow();
        cache.tree.get(&self.path(&Key::Config)).and_then(|node| self.read(node))
    }

    async fn sleep(&self, wait: Millis) {
        self.line.ask(Call::Sleep(wait)).await;
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, Error> {
        match self.line.ask(Call::Commit(ops)).await {
            Answer::Committed(result) => result.map(|commit| commit.results),
            _ => unreachable!("a commit is answered as one"),
        }
    }

    /// What the registry says.
    async fn get(&self, key: &Key) -> Option<Node> {
        self.get_path(self.path(key)).await
    }

    async fn get_path(&self, path: Path) -> Option<Node> {
        match self.line.ask(Call::Get(path)).await {
            Answer::Node(node) => node,
            _ => unreachable!("a reading is answered as one"),
        }
    }

    /// What the cache says, and the registry where that knows nothing.
    async fn known(&self, key: &Key) -> Option<Node> {
        let cached = self.jvm.cache.borrow().tree.get(&self.path(key)).cloned();
        match cached {
            Some(node) => Some(node),
            None => self.get(key).await,
        }
    }

    async fn says(&self, key: &Key, id: &InstanceId) -> bool {
        self.known(key).await.is_some_and(|node| node.data[..] == *id.as_str().as_bytes())
    }

    async fn exists(&self, key: &Key) -> bool {
        self.get(key).await.is_some()
    }

    /// The names of children, descending.
    async fn children(&self, key: &Key) -> Vec<String> {
        self.children_of(self.path(key)).await
    }

    async fn children_of(&self, path: Path) -> Vec<String> {
        match self.line.ask(Call::Children(path)).await {
            Answer::Names(names) => names,
            _ => unreachable!("a listing is answered as one"),
        }
    }

    /// Creates a node, and its parents where there are none.
    async fn create(&self, path: Path, data: Bytes, mode: Mode) -> Option<Path> {
        let op = Op::Create { path: path.clone(), data, mode };
        match self.commit(vec![op.clone()]).await {
            Err(Error::Conflict { conflict: Conflict::Missing, .. }) => {
                let mut above = Vec::new();
                let mut parent = path.parent();
                while let Some(path) = parent.filter(|path| *path != Path::root()) {
                    parent = path.parent();
                    above.push(path);
                }
                for path in above.into_iter().rev() {
                    let _ = self.commit(vec![Op::create(path, Bytes::new())]).await;
                }
                self.commit(vec![op]).await.ok().map(|results| created(&results, path))
            }
            result => result.ok().map(|results| created(&results, path)),
        }
    }

    async fn persist(&self, key: &Key, data: impl Into<Bytes>) {
        let data = data.into();
        if self.exists(key).await {
            self.update(key, data).await;
        } else {
            self.create(self.path(key), data, Mode::Persistent).await;
        }
    }

    async fn update(&self, key: &Key, data: impl Into<Bytes>) {
        let path = self.path(key);
        let _ = self.commit(vec![Op::check(path.clone()), Op::set(path, data.into())]).await;
    }

    async fn persist_ephemeral(&self, key: &Key, data: &str) {
        if self.exists(key).await {
            self.remove(key).await;
        }
        self.create(self.path(key), data.to_owned().into(), Mode::Ephemeral).await;
    }

    async fn create_if_needed(&self, key: &Key) {
        if self.exists(&Key::Job).await && !self.exists(key).await {
            self.persist(key, Bytes::new()).await;
        }
    }

    async fn remove(&self, key: &Key) {
        self.remove_path(&self.path(key)).await;
    }

    /// Children first, each by itself.
    async fn remove_path(&self, path: &Path) {
        if self.get_path(path.clone()).await.is_none() {
            return;
        }
        for name in self.children_of(path.clone()).await {
            let below = Path::new(&format!("{path}/{name}")).expect("a path below a path");
            for name in self.children_of(below.clone()).await {
                let leaf = Path::new(&format!("{below}/{name}")).expect("a path below a path");
                let _ = self.commit(vec![Op::delete(leaf)]).await;
            }
            let _ = self.commit(vec![Op::delete(below)]).await;
        }
        let _ = self.commit(vec![Op::delete(path.clone())]).await;
    }
}

fn created(results: &[OpResult], asked: Path) -> Path {
    match results.first() {
        Some(OpResult::Created(path)) => path.clone(),
        _ => asked,
    }
}
