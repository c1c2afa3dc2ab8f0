//! One job's live state, small: what lists and pages of many jobs show of its nodes. Hosts and instances are numbers into one table of names;
//! an item takes 24 bytes. Settings, cursors and parameters are not kept: whoever looks at one job reads its nodes.

use clockwright_fleet::Layout;
use clockwright_fleet::config::usable;
use clockwright_fleet::keys::Key;
use clockwright_fleet::leases::Leases;
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::view::{Facts, JobStatus};
use clockwright_model::{InstanceId, Item, JobName, Millis};
use clockwright_registry::Node;
use std::collections::HashMap;
use std::sync::Arc;

/// A number of a [`Names`] table; 0 is nobody.
pub type Number = u32;

/// Hosts and instances, each text once.
#[derive(Debug, Clone)]
pub struct Names {
    numbers: HashMap<Arc<str>, Number>,
    texts: Vec<Arc<str>>,
}

impl Default for Names {
    fn default() -> Self {
        let nobody: Arc<str> = "".into();
        Self { numbers: [(Arc::clone(&nobody), 0)].into(), texts: vec![nobody] }
    }
}

impl Names {
    /// The number of a text, which it is given if it has none.
    pub fn number(&mut self, text: &str) -> Number {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Number::try_from(self.texts.len()).unwrap_or(0);
        let text: Arc<str> = text.into();
        self.numbers.insert(Arc::clone(&text), number);
        self.texts.push(text);
        number
    }

    /// The number of a text, if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Number> {
        self.numbers.get(text).copied()
    }

    /// The text of a number.
    #[must_use]
    pub fn text(&self, number: Number) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    /// The table without what no row names any more; the rows are renumbered.
    pub fn swept<'a>(&self, rows: impl Iterator<Item = &'a mut Row>) -> Self {
        let mut kept = Self::default();
        rows.for_each(|row| row.each_number(|number| *number = kept.number(self.text(*number))));
        kept
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len() - 1
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One job.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What its config says; `None`: there is none, and so it is no job.
    pub config: Option<Config>,
    /// What its root node says, as a number.
    root: Number,
    /// Who paused it.
    pub paused: Option<Box<PauseNote>>,
    /// The leader.
    pub leader: Number,
    /// Its instances.
    pub instances: Vec<Instance>,
    /// Its hosts, and whether it is kept off each.
    pub hosts: Vec<(Number, bool)>,
    /// Its items, by number.
    pub items: Vec<ItemRow>,
}

/// What a config says, as far as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its layout.
    pub layout: Layout,
    /// How many items it says.
    pub items: u32,
    /// What runs is marked.
    pub marks: bool,
    /// Why it cannot be used.
    pub trouble: Option<Box<str>>,
}

/// One instance of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: Number,
    /// Its host; nobody for what the layout does not count as a member.
    pub host: Number,
    /// Since when it is there.
    pub since: Millis,
    /// Its session; 0: nobody is behind it.
    session: i64,
}

/// One item of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ItemRow {
    /// Since when it runs; of one that does not, when its mark was last seen, 0 for never.
    pub since: Millis,
    /// Whom the plan gives it to.
    pub owner: Number,
    /// Who runs it, as far as its mark tells.
    pub runner: Number,
    /// Who took it over.
    pub taken: Number,
    flags: u8,
}

const MARKED: u8 = 1;
const OUTLIVES: u8 = 2;
const DISABLED: u8 = 4;
const ORPHANED: u8 = 8;

impl ItemRow {
    /// An operator disabled it.
    #[must_use]
    pub fn is_disabled(self) -> bool {
        self.flags & DISABLED != 0
    }

    /// Whoever ran it is gone, and it waits for a taker.
    #[must_use]
    pub fn is_orphaned(self) -> bool {
        self.flags & ORPHANED != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }
}

/// How many items stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Items {
    /// By the config.
    pub total: u32,
    /// Running now, by their marks.
    pub running: u32,
    /// Disabled by an operator.
    pub disabled: u32,
    /// Without an owner that is there.
    pub unowned: u32,
}

impl Row {
    /// Takes in what a node is now. False when all of the job's nodes are to be read again, since its layout is another one.
    pub fn put(&mut self, job: &JobName, key: &Key, node: Option<&Node>, names: &mut Names) -> bool {
        match key {
            Key::Job => {
                self.root = node.map_or(0, |node| names.number(&String::from_utf8_lossy(&node.data)));
            }
            Key::Config => {
                let before = self.layout();
                self.config = node.map(|node| config(job, node, names.text(self.root)));
                return self.config.is_none()
                    || self.layout() == before
                    || self.hosts.is_empty() && self.instances.is_empty();
            }
            Key::Paused => self.paused = node.map(|node| Box::new(PauseNote::read(&node.data))),
            Key::ElectionInstance => self.leader = named(node, names),
            Key::Server(ip) => {
                let host = names.number(ip);
                self.hosts.retain(|(known, _)| *known != host);
                if let Some(node) = node {
                    let off = !self.layout().is_enabled(Some(&node.data));
                    push(&mut self.hosts, (host, off));
                }
            }
            Key::Instance(id) => self.put_instance(id, node, names),
            _ => self.put_item(key, node, names),
        }
        true
    }

    fn put_instance(&mut self, id: &InstanceId, node: Option<&Node>, names: &mut Names) {
        let number = names.number(id.as_str());
        self.instances.retain(|instance| instance.id != number);
        let Some(node) = node else { return };
        let host = self.layout().address(id, &node.data).map_or(0, |host| names.number(&host));
        let (since, session) = (node.stat.created_at, node.stat.owner);
        push(&mut self.instances, Instance { id: number, host, since, session });
    }

    fn put_item(&mut self, key: &Key, node: Option<&Node>, names: &mut Names) {
        let number = match key {
            Key::Item(item) if node.is_none() => {
                if let Some(row) = self.items.get_mut(*item as usize) {
                    *row = ItemRow::default();
                }
                return;
            }
            Key::Item(item)
            | Key::Owner(item)
            | Key::Taken(item)
            | Key::Running(item)
            | Key::Disabled(item)
            | Key::FailoverItem(item) => *item,
            _ => return,
        };
        let instances = &self.instances;
        let Some(row) = slot(&mut self.items, number) else { return };
        match key {
            Key::Owner(_) => row.owner = named(node, names),
            Key::Taken(_) => row.taken = named(node, names),
            Key::Disabled(_) => row.set(DISABLED, node.is_some()),
            Key::FailoverItem(_) => row.set(ORPHANED, node.is_some()),
            Key::Running(_) => {
                let session = node.map_or(0, |node| node.stat.owner);
                row.set(MARKED, node.is_some());
                row.set(OUTLIVES, node.is_some() && session == 0);
                row.since = node.map_or(row.since, |node| node.stat.created_at);
                // The mark of 3.x says who; one of 2.x is the session's.
                let said = named(node, names);
                let by_session = instances.iter().find(|one| session != 0 && one.session == session);
                row.runner = if said == 0 { by_session.map_or(0, |one| one.id) } else { said };
            }
            _ => {}
        }
    }

    /// A mark of this item was there until now, although nobody may have read it.
    pub fn ran(&mut self, item: Item, now: Millis) {
        if let Some(row) = slot(&mut self.items, item).filter(|row| row.flags & MARKED == 0) {
            row.since = now;
        }
    }

    /// When marks were last seen is in no node: whoever reads all of them anew has it from what was known.
    pub fn remember(&mut self, before: &Row) {
        for (row, before) in self.items.iter_mut().zip(&before.items) {
            if row.flags & MARKED == 0 {
                row.since = before.since;
            }
        }
    }

    /// Whose layout its nodes have.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.config.as_ref().map_or(Layout::default(), |config| config.layout)
    }

    /// Those of its instances whom a session stands for.
    pub fn members(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.session != 0 && instance.host != 0)
    }

    /// Is the job kept off this host?
    #[must_use]
    pub fn is_kept_off(&self, host: Number) -> bool {
        self.hosts.iter().any(|(known, off)| *known == host && *off)
    }

    /// Does this item run, as far as its mark tells?
    #[must_use]
    pub fn is_running(&self, item: ItemRow, names: &Names, leases: &Leases) -> bool {
        let is_there =
            || self.members().any(|member| member.id == item.runner) || leases.holds(names.text(item.runner));
        item.flags & MARKED != 0 && (item.flags & OUTLIVES == 0 || item.runner != 0 && is_there())
    }

    /// Is this item marked as running, although whoever ran it is gone?
    #[must_use]
    pub fn is_stranded(&self, item: ItemRow, names: &Names, leases: &Leases) -> bool {
        item.is_orphaned() || item.flags & MARKED != 0 && !self.is_running(item, names, leases)
    }

    /// Has this item an owner that is there?
    #[must_use]
    pub fn is_owned(&self, item: ItemRow) -> bool {
        item.owner != 0 && self.members().any(|member| member.id == item.owner)
    }

    /// The items that the config says, those without a node included.
    pub fn all_items(&self) -> impl Iterator<Item = (Item, ItemRow)> + '_ {
        let count = self.config.as_ref().map_or(0, |config| config.items);
        (0..count).map(|item| (item, self.items.get(item as usize).copied().unwrap_or_default()))
    }

    /// How many items stand how.
    #[must_use]
    pub fn items(&self, names: &Names, leases: &Leases) -> Items {
        self.all_items().fold(Items::default(), |sum, (_, item)| Items {
            total: sum.total + 1,
            running: sum.running + u32::from(self.is_running(item, names, leases)),
            disabled: sum.disabled + u32::from(item.is_disabled()),
            unowned: sum.unowned + u32::from(!self.is_owned(item)),
        })
    }

    /// Its state, and why where that is not plain.
    #[must_use]
    pub fn status(&self) -> (JobStatus, Option<String>) {
        let trouble = match &self.config {
            None => Some("config: there is none".to_owned()),
            Some(config) => config.trouble.as_deref().map(str::to_owned),
        };
        let status = JobStatus::of(Facts {
            is_usable: trouble.is_none(),
            has_members: self.members().next().is_some(),
            is_off: !self.hosts.is_empty() && self.hosts.iter().all(|(_, off)| *off),
            is_paused: self.paused.is_some(),
            is_owned: self.all_items().all(|(_, item)| self.is_owned(item)),
        });
        let reason = match status {
            JobStatus::Degraded => trouble,
            JobStatus::Paused => self.paused.as_ref().map(|note| note.describe()),
            _ => None,
        };
        (status, reason)
    }

    fn each_number(&mut self, mut renumber: impl FnMut(&mut Number)) {
        renumber(&mut self.root);
        renumber(&mut self.leader);
        self.instances.iter_mut().for_each(|one| {
            renumber(&mut one.id);
            renumber(&mut one.host);
        });
        self.hosts.iter_mut().for_each(|(host, _)| renumber(host));
        self.items.iter_mut().for_each(|item| {
            renumber(&mut item.owner);
            renumber(&mut item.runner);
            renumber(&mut item.taken);
        });
    }
}

/// More items than anybody's job has: a node with a greater number is nobody's item.
const MOST_ITEMS: Item = 100_000;

/// So many hosts or instances get no more room than they need: most jobs have one or two.
const FEW: usize = 8;

fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() < FEW {
        all.reserve_exact(1);
    }
    all.push(one);
}

fn slot(items: &mut Vec<ItemRow>, number: Item) -> Option<&mut ItemRow> {
    let index = number as usize;
    if index >= items.len() && number < MOST_ITEMS {
        items.reserve_exact(index + 1 - items.len());
        items.resize(index + 1, ItemRow::default());
    }
    items.get_mut(index)
}

fn named(node: Option<&Node>, names: &mut Names) -> Number {
    node.map_or(0, |node| names.number(&String::from_utf8_lossy(&node.data)))
}

fn config(job: &JobName, node: &Node, root: &str) -> Config {
    let layout = Layout::of(&node.data).unwrap_or_default();
    let settings = layout.read(&node.data, root.as_bytes(), None);
    let checked = settings.and_then(|settings| usable(&settings, job).map(|_| settings));
    Config {
        layout,
        items: checked.as_ref().map_or(0, |settings| settings.sharding_total_count),
        marks: checked.as_ref().is_ok_and(|settings| settings.monitor_execution),
        trouble: checked.err().map(|error| error.to_string().into()),
    }
}

#[cfg(test)]
mod tests;
