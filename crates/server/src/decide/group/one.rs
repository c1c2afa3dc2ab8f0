//! One job of a group: what was found of it, what is to be done, and what of that is written, recorded and noted.

use super::super::pace::{FIGHT, Repeats};
use super::super::sync::{
    Access, Base, Conflict, Copy, Drift, DriftKind, Verdict, Wish, decide, digest, unnoted, without_overwrite,
};
use super::{Adoption, BYTES, Finding, Frame, Looked, Word};
use crate::store::{JobState, Managed, ProjectRow, SyncRow, SyncState, Wished};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_model::{JobName, Millis};
use clockwright_registry::{Op, Path};
use clockwright_settings::Change;
use serde_json::Value;
use std::collections::BTreeMap;

/// One job, decided.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) wished: Wished,
    paths: (Path, Path),
    pub(super) looked: Looked,
    pub(super) verdict: Verdict,
    repeats: Repeats,
    /// Something of it is on record that is not dealt with.
    pub(super) stands: bool,
    /// What is written, where the verdict writes.
    pub(super) text: Option<Text>,
}

/// A job's two nodes, as they are written.
#[derive(Debug)]
pub(super) struct Text {
    layout: Layout,
    root: String,
    config: String,
}

/// What a person's word makes of a verdict.
fn by_word(word: Word, verdict: Verdict) -> Verdict {
    let overwrite = |changes| Verdict::Overwrite(Drift { kind: DriftKind::Both, changes, unreadable: None });
    match (word, verdict) {
        (Word::Policy, verdict) => verdict,
        (Word::Database, Verdict::Conflict(Conflict::FirstContact(changes) | Conflict::Both(changes))) => {
            overwrite(changes)
        }
        (Word::Database, Verdict::Adopt { changes, .. }) => overwrite(changes),
        (Word::Database, Verdict::Report(drift)) => Verdict::Overwrite(drift),
        (Word::Database, Verdict::Missing) => Verdict::Recreate,
        (Word::Database, verdict) => verdict,
    }
}

pub(super) fn judge(frame: &Frame, name: &JobName, wished: Wished, looked: Looked, now: Millis) -> Decided {
    let paths = (frame.keys.job(name), frame.keys.of(name, &Key::Config));
    let sync = wished.sync.as_ref();
    let before = sync.map(|sync| sync.over.clone()).unwrap_or_default();
    let settings = if is_as_written(&wished, &looked) { None } else { wished.version.read(name).ok() };
    let Some(settings) = settings else {
        return Decided {
            wished,
            paths,
            looked,
            verdict: Verdict::Nothing,
            repeats: before,
            stands: false,
            text: None,
        };
    };
    let wish = Wish {
        settings: without_overwrite(settings),
        removed: wished.job.state == JobState::Removed,
        by_files: wished.job.managed == Managed::Files,
    };
    let copy = match &looked.config {
        // What may not be read is there all the same.
        None if looked.access == Access::Denied => Copy::There {
            config: Vec::new(),
            digest: String::new(),
            root: Vec::new(),
            access: Access::Denied,
        },
        None => Copy::None,
        Some(node) => Copy::There {
            config: node.data.to_vec(),
            digest: looked.digest(),
            root: looked.root_data().to_vec(),
            access: looked.access,
        },
    };
    let base = base(&wished, name, &copy);
    let verdict = by_word(frame.word, decide(frame.project.policy.settings, base.as_ref(), &wish, &copy));
    let (verdict, repeats) = match verdict {
        Verdict::Overwrite(drift) if frame.word == Word::Policy => {
            match before.again(&looked.digest(), now) {
                Some(repeats) => (Verdict::Overwrite(drift), repeats),
                None => (Verdict::Wait(drift), before),
            }
        }
        verdict => (verdict, before),
    };
    let text = verdict.writes().then(|| {
        let layout = layout_of(&frame.project, &wished, &looked);
        let config = match &looked.config {
            None => layout.write(&wish.settings),
            // What others added stays, unless nobody could write it any more.
            Some(node) => Some(layout.rewrite(&node.data, looked.root_data(), &wish.settings))
                .filter(|text| text.len() <= BYTES)
                .unwrap_or_else(|| layout.write(&wish.settings)),
        };
        Text { layout, root: layout.root(&wish.settings).to_owned(), config }
    });
    Decided { wished, paths, looked, verdict, repeats, stands: false, text }
}

/// Nobody wrote there since, and nothing else is wished: so much is known by digests alone.
fn is_as_written(wished: &Wished, looked: &Looked) -> bool {
    let is_there = looked.access == Access::Ours && wished.job.state != JobState::Removed;
    wished.sync.as_ref().is_some_and(|sync| {
        is_there
            && looked.config.is_some()
            && sync.base.as_deref() == Some(wished.version.settings.as_str())
            && sync.wire_digest == looked.digest()
    })
}

/// What was last written, by what was noted or by the copy itself.
fn base(wished: &Wished, name: &JobName, copy: &Copy) -> Option<Base> {
    let noted = noted(wished, name);
    let since: Vec<_> = wished.since.iter().filter_map(|version| version.read(name).ok()).collect();
    let is_of_one_layout = |found: &Base| noted.as_ref().is_none_or(|noted| noted.layout == found.layout);
    unnoted(&since, copy).filter(is_of_one_layout).or(noted)
}

fn noted(wished: &Wished, name: &JobName) -> Option<Base> {
    let sync = wished.sync.as_ref()?;
    let json: Value = serde_json::from_str(sync.base.as_deref()?).ok()?;
    let settings = clockwright_settings::canonical::from_json(name.clone(), &json).ok()?;
    let layout = Layout::numbered(&sync.layout).unwrap_or_default();
    Some(Base { settings, wire_digest: sync.wire_digest.clone(), layout })
}

/// The layout that a job is written in: the one that it was written in before, the one that it has, the project's, 2.x.
fn layout_of(project: &ProjectRow, wished: &Wished, looked: &Looked) -> Layout {
    let before = wished.sync.as_ref().filter(|sync| sync.base.is_some());
    let before = before.and_then(|sync| Layout::numbered(&sync.layout));
    before
        .or_else(|| looked.config.as_ref().and_then(|node| Layout::of(&node.data)))
        .or_else(|| Layout::numbered(&project.layout))
        .unwrap_or_default()
}

impl Decided {
    pub(super) fn state(&self, now: Millis) -> SyncState {
        match &self.verdict {
            Verdict::Report(_) | Verdict::Missing | Verdict::CameBack => SyncState::Reported,
            Verdict::Conflict(_) => SyncState::Conflict,
            Verdict::Protect(_) => SyncState::Denied,
            Verdict::Adopt { .. } => SyncState::Pending,
            Verdict::Wait(_) => SyncState::Contended,
            _ if self.repeats.is_fight(now) => SyncState::Contended,
            _ => SyncState::Written,
        }
    }

    /// All is as it should be, and was noted so before.
    pub(super) fn is_settled(&self, now: Millis) -> bool {
        let Some(sync) = &self.wished.sync else { return false };
        let waits = matches!(self.verdict, Verdict::Wait(_));
        let is_done = self.verdict == Verdict::Nothing && !self.stands;
        let stays = is_done && sync.next_try == 0 || waits && sync.next_try > 0;
        stays && sync.state == self.state(now)
    }

    pub(super) fn adoption(&self) -> Option<Adoption> {
        let Verdict::Adopt { settings, changes } = &self.verdict else { return None };
        let job = self.wished.job.clone();
        Some(Adoption { job, settings: settings.as_ref().clone(), changes: changes.clone() })
    }

    /// What is put right by the commit.
    pub(super) fn mends(&self) -> Option<&'static str> {
        match &self.verdict {
            Verdict::Overwrite(drift) => Some(drift.kind.word()),
            Verdict::Recreate => Some("missing"),
            Verdict::Restore { .. } => Some("lost"),
            Verdict::Protect(Access::Open) => Some("open"),
            Verdict::Protect(_) if self.protects() => Some("denied"),
            _ => None,
        }
    }

    /// The node is deleted and made again, as far as its parent lets us.
    pub(super) fn protects(&self) -> bool {
        matches!(self.verdict, Verdict::Protect(_)) && self.looked.config.is_some()
    }

    /// What is to be on record before the commit, unless it is.
    pub(super) fn finding(
        &self,
        now: Millis,
        recorded: &BTreeMap<i64, (String, &'static str)>,
    ) -> Option<Finding> {
        let id = self.wished.job.id;
        let sync = self.wished.sync.as_ref();
        let is_new = sync.is_none_or(|sync| sync.seen != self.looked.digest());
        let was_denied = sync.is_some_and(|sync| sync.state == SyncState::Denied);
        let (kind, changes, why) = match &self.verdict {
            Verdict::Overwrite(drift) => told(drift),
            Verdict::Report(drift) if is_new => told(drift),
            Verdict::Missing if is_new => ("missing", Vec::new(), String::new()),
            Verdict::Recreate => ("missing", Vec::new(), String::new()),
            Verdict::Restore { lost } => ("lost", Vec::new(), lost.join(", ")),
            Verdict::Protect(Access::Open) => ("open", Vec::new(), String::new()),
            Verdict::Protect(Access::Denied) if is_new || !was_denied => {
                ("denied", Vec::new(), String::new())
            }
            Verdict::Conflict(Conflict::Both(changes)) if is_new => ("both", changes.clone(), String::new()),
            Verdict::Conflict(Conflict::LayoutChanged(layout)) if is_new => {
                ("foreign", Vec::new(), format!("it is in the layout of {layout}"))
            }
            _ => return None,
        };
        if recorded.get(&id).is_some_and(|there| *there == (self.looked.digest(), kind)) {
            return None;
        }
        Some(Finding {
            job: (id, self.wished.job.name.clone()),
            kind,
            // Whether a node that we may not write can be made anew is known by trying.
            repaired: self.mends().is_some_and(|kind| kind != "denied"),
            is_drift: !matches!(self.verdict, Verdict::Restore { .. }),
            changes,
            why,
            had: self.looked.config.clone(),
            root: self.looked.root.clone(),
            wanted: self.wished.version.settings.clone(),
            fight: self.repeats.count == FIGHT && self.repeats.at == now,
        })
    }

    pub(super) fn operations(&self) -> Vec<Op> {
        let (root_path, config_path) = self.paths.clone();
        if let (Verdict::Protect(_), Some(node)) = (&self.verdict, &self.looked.config) {
            // What it says stays as it is: that is decided when it is ours again.
            let delete = Op::Delete { path: config_path.clone(), version: Some(node.stat.version) };
            return vec![delete, Op::create(config_path, node.data.clone())];
        }
        let Some(Text { layout, root, config }) = &self.text else { return Vec::new() };
        let mut ops = Vec::with_capacity(2);
        match &self.looked.root {
            None => ops.push(Op::create(root_path, root.clone())),
            Some(node) if node.data != *root && (*layout == Layout::V3 || self.looked.config.is_none()) => {
                ops.push(Op::set_if(root_path, root.clone(), node.stat.version));
            }
            Some(_) => {}
        }
        ops.push(match &self.looked.config {
            None => Op::create(config_path, config.clone()),
            Some(node) => Op::set_if(config_path, config.clone(), node.stat.version),
        });
        ops
    }

    pub(super) fn row(&self, frame: &Frame, now: Millis) -> SyncRow {
        let state = self.state(now);
        let seen = self.looked.digest();
        let before = self.wished.sync.clone().unwrap_or_else(|| SyncRow::first(self.wished.job.id, state));
        let next_try = if matches!(self.verdict, Verdict::Wait(_)) { self.repeats.next() } else { 0 };
        let before = SyncRow { over: self.repeats.clone(), next_try, state, error: String::new(), ..before };
        let (wire_digest, layout) = match &self.text {
            Some(text) => (digest(text.config.as_bytes(), text.root.as_bytes()), text.layout),
            None if self.verdict == Verdict::Record => {
                (seen, layout_of(&frame.project, &self.wished, &self.looked))
            }
            None => return SyncRow { seen, ..before },
        };
        SyncRow {
            base_version: self.wished.version.version,
            base: Some(self.wished.version.settings.clone()),
            seen: wire_digest.clone(),
            wire_digest,
            layout: layout.number().to_owned(),
            synced: now,
            ..before
        }
    }
}

fn told(drift: &Drift) -> (&'static str, Vec<Change>, String) {
    (drift.kind.word(), drift.changes.clone(), drift.unreadable.clone().unwrap_or_default())
}
