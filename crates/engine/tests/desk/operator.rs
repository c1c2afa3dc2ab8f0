//! What operators do to jobs, by the operations that they have.

use super::stage::Desk;
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::admin::{Admin, AdminError, From, Hold};
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_model::{Event, Execution, InstanceId, Item, JobName, JobSettings};
use clockwright_registry::Op;
use futures::FutureExt as _;

impl Desk {
    /// One operation; nothing of it waits, since this registry answers at once.
    fn operate<T>(&mut self, what: impl AsyncFnOnce(Admin<'_>) -> Result<T, AdminError>) -> T {
        let session = self.registry.session(0);
        let keys = self.keys.clone();
        let done = what(Admin::new(&session, &keys)).now_or_never().expect("it waits for nothing").unwrap();
        self.quiesce();
        done
    }

    pub fn pause(&mut self, job: &str) {
        self.operate(async |admin| admin.by("ops").pause(job, "audit").await);
    }

    pub fn resume(&mut self, job: &str) {
        self.operate(async |admin| admin.resume(job).await);
    }

    pub fn trigger(&mut self, job: &str) {
        self.operate(async |admin| admin.trigger(job, None).await);
    }

    /// Triggers a job of which nothing runs.
    pub fn trigger_idle(&mut self, job: &str, id: &str) {
        self.operate(async |admin| admin.trigger_idle(job, id).await);
    }

    pub fn edit(&mut self, job: &str, edit: impl Fn(&mut JobSettings)) {
        self.operate(async |admin| admin.update(job, None, edit).await);
    }

    /// What is on record of the attempts of a job, oldest first; each is there when it begins and when it ends.
    pub fn executions(&self, job: &str) -> Vec<Execution> {
        let of = |event: &Event| match event {
            Event::Execution(execution) if execution.job.as_str() == job => Some(execution.clone()),
            _ => None,
        };
        self.stored.iter().filter_map(of).collect()
    }

    pub fn disable_item(&mut self, job: &str, item: Item, disabled: bool) {
        self.operate(async |admin| admin.set_item_disabled(job, item, disabled).await);
    }

    /// Makes one thing that operators hold as it shall be.
    pub fn hold(&mut self, job: &str, hold: &Hold) {
        let job = JobName::new(job).unwrap();
        self.operate(async |admin| admin.hold(&job, hold).await);
    }

    pub fn drain_host(&mut self, job: &str, ip: &str, drained: bool) {
        self.hold(job, &Hold::Drained { ip: ip.to_owned(), drained });
    }

    /// Says from where a held item goes on.
    pub fn resume_item(&mut self, job: &str, item: Item, from: From) {
        self.operate(async |admin| admin.by("ops").resume_item(job, item, from, None).await);
    }

    pub fn disable(&mut self, job: &str, disabled: bool) {
        self.operate(async |admin| admin.set_job_disabled(job, None, disabled).await);
    }

    pub fn shut_down(&mut self, job: &str, instance: &InstanceId) {
        self.operate(async |admin| admin.shutdown(Some(job), Some(instance.as_str())).await);
    }

    /// Deletes a node by hand.
    pub fn delete(&mut self, job: &str, key: &Key) {
        self.by_hand(Op::delete(self.keys.of(&JobName::new(job).unwrap(), key)));
    }

    /// Deletes a whole job by hand.
    pub fn delete_job(&mut self, job: &str) {
        let root = self.keys.job(&JobName::new(job).unwrap());
        let mut paths: Vec<_> =
            self.backup().into_keys().filter(|path| path.below(&root).is_some()).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.as_str().len()));
        let ops: Vec<Op> = paths.into_iter().map(Op::delete).collect();
        self.registry.commit(0, &ops).unwrap();
        self.quiesce();
    }

    /// Writes a node by hand.
    pub fn write(&mut self, job: &str, key: &Key, data: &str) {
        let path = self.keys.of(&JobName::new(job).unwrap(), key);
        let data = Bytes::from(data.to_owned());
        let there = self.registry.node(&path).is_some();
        self.by_hand(if there { Op::set(path, data) } else { Op::create(path, data) });
    }

    /// A control server begins to manage the namespace. Instances see it with their next session.
    pub fn manage(&mut self) {
        if self.registry.node(self.keys.own_root()).is_none() {
            self.by_hand(Op::create(self.keys.own_root().clone(), ""));
        }
        self.by_hand(Op::create(self.keys.control(), "{}"));
    }

    fn by_hand(&mut self, op: Op) {
        self.registry.commit(0, &[op]).unwrap();
        self.quiesce();
    }

    /// A node's text.
    pub fn text(&self, job: &str, key: &Key) -> Option<String> {
        let node = self.registry.node(&self.keys.of(&JobName::new(job).unwrap(), key))?;
        Some(String::from_utf8(node.data.to_vec()).unwrap())
    }

    /// What an item's cursor says; `None` when there is none.
    /// A job's settings as the registry has them.
    pub fn settings(&self, job: &str) -> JobSettings {
        let job = JobName::new(job).unwrap();
        let node = self.registry.node(&self.keys.of(&job, &Key::Config)).unwrap();
        Layout::V2.read(&node.data, &[], None).unwrap()
    }

    pub fn cursor(&self, job: &str, item: Item) -> Option<Cursor> {
        let node = self.registry.node(&self.keys.of(&JobName::new(job).unwrap(), &Key::Cursor(item)))?;
        Some(Cursor::from_bytes(&node.data).unwrap())
    }

    /// Whether an item has a claim that is not settled, which is what a drain waits for.
    pub fn is_claimed(&self, job: &str, item: Item) -> bool {
        self.cursor(job, item).is_some_and(|cursor| cursor.running().is_some())
    }

    /// An instance of Elastic-Job as its nodes show it: it is there, and holds no lease. Returns its session.
    pub fn java_joins(&mut self, job: &str, id: &str) -> i64 {
        let session = {
            let mut inner = self.registry.lock();
            let now = self.now;
            inner.leader.open_session(super::stage::SESSION, now)
        };
        let instance = Key::Instance(InstanceId::from_wire(id));
        self.java_does(
            session,
            vec![Op::create_ephemeral(self.keys.of(&JobName::new(job).unwrap(), &instance), "")],
        );
        session
    }

    pub fn java_does(&mut self, session: i64, ops: Vec<Op>) {
        self.registry.commit(session, &ops).unwrap();
        self.quiesce();
    }

    pub fn java_dies(&mut self, session: i64) {
        self.registry.lock().leader.end_session(session);
        self.quiesce();
    }
}
