//! Settings sync, the decision: what is to be done about one job, from what the database wishes, what was last written, and what the
//! registry has.
//!
//! # The three
//! - **Wish** D: the job's version in the database. **Base** B: what was last written to the registry, or adopted from it. **Copy** R: what
//!   the registry has now.
//! - Two of them are *equal* when an instance would do the same by both: by the settings that the layout can carry, read back by the
//!   code that instances read them with. Order of keys, white space, defaults that are written out or left out are no difference.
//!   What the layout has no place for is read as the wish has it, so a copy without it is not changed.
//!
//! # The table
//! | B | D | R | verdict |
//! |---|---|---|---|
//! | any | = B | bytes as last written | [`Nothing`](Verdict::Nothing) |
//! | any | D | another layout | [`LayoutChanged`](Conflict::LayoutChanged), never written |
//! | any | D | unreadable, or another job's | [`Overwrite`](Verdict::Overwrite) when the project repairs, else reported |
//! | any | D | somebody else's alone, or open to the world | [`Protect`](Verdict::Protect) |
//! | any | D | = D | [`Record`](Verdict::Record): a lost answer, a crash, or both did the same |
//! | any | D | = D but what only we know was lost | [`Restore`](Verdict::Restore) |
//! | any | ≠ B | = a version since B | [`Write`](Verdict::Write): a server wrote that one, and died before it was noted ([`unnoted`]) |
//! | – | D | none | [`Create`](Verdict::Create) |
//! | – | D | ≠ D | [`FirstContact`](Conflict::FirstContact): a person writes or adopts |
//! | B | ≠ B | = B | [`Write`](Verdict::Write) |
//! | B | = B | ≠ B | drift: overwritten, reported or adopted, as the project's policy says |
//! | B | ≠ B | ≠ B | conflict: overwritten when the project repairs, else a person decides |
//! | B | D | none | [`Recreate`](Verdict::Recreate) when the project repairs, else reported |
//! | any | removed | none · there | [`Forget`](Verdict::Forget) · [`CameBack`](Verdict::CameBack) |
//!
//! # What always holds
//! A verdict that writes is never given where copy and wish are equal and nothing is lost (I2). Every verdict that takes something
//! away that somebody else wrote is one that is recorded before ([`Verdict::overwrites`], I3). Only [`Verdict::Adopt`] changes
//! the database (I4). No verdict writes settings of another name or layout (I10).

use super::chain::sha256;
use clockwright_api::projects::Outside;
use clockwright_fleet::{Layout, config};
use clockwright_model::JobSettings;
use clockwright_settings::{Change, canonical, own};
use serde_json::{Map, Value};

/// What the database wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The settings of the job's version.
    pub settings: JobSettings,
    /// True when the job was removed.
    pub removed: bool,
    /// True when files define it: what others wrote is never adopted then.
    pub by_files: bool,
}

/// What was last written to the registry, or adopted from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The settings.
    pub settings: JobSettings,
    /// The digest of the exact bytes.
    pub wire_digest: String,
    /// The layout that they were written in.
    pub layout: Layout,
}

/// What the registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copy {
    /// No config.
    None,
    /// A config.
    There {
        /// Its bytes.
        config: Vec<u8>,
        /// Their digest.
        digest: String,
        /// The bytes of the job's root node.
        root: Vec<u8>,
        /// Who may write it.
        access: Access,
    },
}

/// Who may read and write a node, as far as it concerns us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As it should be.
    Ours,
    /// Everybody, although the registry's entry has a credential.
    Open,
    /// We may not write it.
    Denied,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// The copy is as wished: the base becomes the wish.
    Record,
    /// Make the config, and the root node.
    Create,
    /// Write the wish in the place of what was last written.
    Write,
    /// Write the wish again: a console of Java's has dropped what only we know. Nobody changed anything, so it is not told as drift.
    Restore {
        /// The keys that were lost.
        lost: Vec<&'static str>,
    },
    /// Keep what is there on record, then write the wish over it.
    Overwrite(Drift),
    /// It was overwritten so often that it waits: see [`pace`](super::pace).
    Wait(Drift),
    /// Keep what is there on record, and leave it.
    Report(Drift),
    /// What is there becomes the job's next version.
    Adopt {
        /// It.
        settings: Box<JobSettings>,
        /// What it changes.
        changes: Vec<Change>,
    },
    /// Somebody deleted the config: make it again.
    Recreate,
    /// Somebody deleted the config, and the project only reports.
    Missing,
    /// Delete the node and make it again with our access list, or say that we may not.
    Protect(Access),
    /// A person decides.
    Conflict(Conflict),
    /// The job is removed, here and there.
    Forget,
    /// The job is removed here, and somebody has made it again there.
    CameBack,
}

impl Verdict {
    /// What it is counted as, where something is written, taken over, or left to a person.
    #[must_use]
    pub fn counts_as(&self) -> Option<&'static str> {
        match self {
            Verdict::Nothing | Verdict::Record | Verdict::Wait(_) | Verdict::Forget | Verdict::CameBack => {
                None
            }
            Verdict::Create => Some("create"),
            Verdict::Write => Some("write"),
            Verdict::Restore { .. } => Some("restore"),
            Verdict::Overwrite(_) => Some("overwrite"),
            Verdict::Recreate => Some("recreate"),
            Verdict::Protect(_) => Some("protect"),
            Verdict::Adopt { .. } => Some("adopt"),
            Verdict::Report(_) | Verdict::Missing => Some("report"),
            Verdict::Conflict(_) => Some("conflict"),
        }
    }
}

/// What somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What kind it is of.
    pub kind: DriftKind,
    /// The settings that differ, from what is wished to what is there. None where they cannot be read.
    pub changes: Vec<Change>,
    /// Why they cannot be read.
    pub unreadable: Option<String>,
}

/// Kinds of what somebody else wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftKind {
    /// Other settings, while the wish stayed.
    Changed,
    /// Other settings, while the wish changed too.
    Both,
    /// Text that is no config.
    Broken,
    /// Another job's config.
    Foreign,
}

impl DriftKind {
    /// As it is stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            DriftKind::Changed => "changed",
            DriftKind::Both => "both",
            DriftKind::Broken => "broken",
            DriftKind::Foreign => "foreign",
        }
    }
}

/// Why a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// The registry has other settings of a job that was never written there.
    FirstContact(Vec<Change>),
    /// The config is of the other layout, whose instances cannot run it together with ours.
    LayoutChanged(Layout),
    /// Both have changed, and the project does not repair.
    Both(Vec<Change>),
}

impl Verdict {
    /// True when it takes something away that somebody else wrote: that is recorded before.
    #[must_use]
    pub fn overwrites(&self) -> bool {
        matches!(self, Verdict::Overwrite(_))
    }

    /// True when it writes settings.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Verdict::Create
                | Verdict::Write
                | Verdict::Restore { .. }
                | Verdict::Overwrite(_)
                | Verdict::Recreate
        )
    }
}

/// What is to be done about one job.
#[must_use]
pub fn decide(policy: Outside, base: Option<&Base>, wish: &Wish, copy: &Copy) -> Verdict {
    if wish.removed {
        return if *copy == Copy::None { Verdict::Forget } else { Verdict::CameBack };
    }
    let Copy::There { config, digest, root, access } = copy else {
        return match base {
            None => Verdict::Create,
            Some(_) if policy == Outside::Report => Verdict::Missing,
            Some(_) => Verdict::Recreate,
        };
    };
    let desired = &wish.settings;
    let at_base = base.is_some_and(|base| same(&base.settings, desired));
    if *access == Access::Ours && at_base && base.is_some_and(|base| base.wire_digest == *digest) {
        return Verdict::Nothing;
    }
    if let Some(found) = another_layout(base, config) {
        return Verdict::Conflict(Conflict::LayoutChanged(found));
    }
    if *access != Access::Ours {
        return Verdict::Protect(*access);
    }
    let layout = Layout::of(config).unwrap_or_default();
    let found = match read(layout, config, root, desired) {
        Ok(found) => found,
        Err(drift) if policy == Outside::Report => return Verdict::Report(drift),
        Err(drift) => return Verdict::Overwrite(drift),
    };
    let changes = canonical::diff(&normal(layout, desired), &found);
    if changes.is_empty() {
        let lost = lost(layout, config, desired);
        return if lost.is_empty() { Verdict::Record } else { Verdict::Restore { lost } };
    }
    let Some(base) = base else { return Verdict::Conflict(Conflict::FirstContact(changes)) };
    // Against the base, what the layout cannot carry reads as the base had it.
    if says(layout, config, root, &base.settings) {
        return Verdict::Write;
    }
    let kind = if at_base { DriftKind::Changed } else { DriftKind::Both };
    match policy {
        Outside::Repair => Verdict::Overwrite(Drift { kind, changes, unreadable: None }),
        _ if kind == DriftKind::Both => Verdict::Conflict(Conflict::Both(changes)),
        Outside::Adopt if !wish.by_files => Verdict::Adopt { settings: Box::new(found), changes },
        _ => Verdict::Report(Drift { kind, changes, unreadable: None }),
    }
}

/// What was written and not noted, as a base: the one of these versions of the job's own that the copy is.
#[must_use]
pub fn unnoted(versions: &[JobSettings], copy: &Copy) -> Option<Base> {
    let Copy::There { config, digest, root, .. } = copy else { return None };
    let layout = Layout::of(config).unwrap_or_default();
    let settings = versions.iter().find(|version| says(layout, config, root, version))?.clone();
    Some(Base { settings, wire_digest: digest.clone(), layout })
}

/// True when two settings are the same wish. `overwrite` is none of the database's: it is what an instance's own file says of itself.
fn same(one: &JobSettings, other: &JobSettings) -> bool {
    canonical::diff(&without_overwrite(one.clone()), &without_overwrite(other.clone())).is_empty()
}

/// Settings as the database wishes them: whether they replace those in the registry is each instance's own word.
#[must_use]
pub fn without_overwrite(settings: JobSettings) -> JobSettings {
    JobSettings { overwrite: false, ..settings }
}

/// The digest of what a job's nodes say, by which it is known that nobody wrote there since. In 3.x the root is a part of the settings.
#[must_use]
pub fn digest(config: &[u8], root: &[u8]) -> String {
    match Layout::of(config) {
        Some(Layout::V3) => sha256(&[config, b"\0", root].concat()),
        _ => sha256(config),
    }
}

/// The layout of the config, where it is not the one that was last written.
fn another_layout(base: Option<&Base>, config: &[u8]) -> Option<Layout> {
    let (base, found) = (base?, Layout::of(config)?);
    // Text that is no config at all does not tell a layout: only what reads as one does.
    let reads = match found {
        Layout::V2 => serde_json::from_slice::<Value>(config).is_ok_and(|json| json.is_object()),
        Layout::V3 => config
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"jobName:") || line.starts_with(b"cron:")),
    };
    (found != base.layout && reads).then_some(found)
}

/// The settings of a copy, read as an instance whose own are `local` reads them.
fn read(layout: Layout, config: &[u8], root: &[u8], local: &JobSettings) -> Result<JobSettings, Drift> {
    let drift = |kind, why: String| Drift { kind, changes: Vec::new(), unreadable: Some(why) };
    let found = layout
        .read(config, root, Some(local))
        .map_err(|error| drift(DriftKind::Broken, error.to_string()))?;
    if found.name != local.name {
        return Err(drift(DriftKind::Foreign, format!("it is the config of `{}`", found.name)));
    }
    config::usable(&found, &local.name).map_err(|error| drift(DriftKind::Broken, error.to_string()))?;
    Ok(without_overwrite(found))
}

/// True when a copy is what these settings are written as.
fn says(layout: Layout, config: &[u8], root: &[u8], settings: &JobSettings) -> bool {
    read(layout, config, root, settings)
        .is_ok_and(|found| canonical::diff(&normal(layout, settings), &found).is_empty())
}

/// Settings as the layout carries them: written, and read back.
fn normal(layout: Layout, settings: &JobSettings) -> JobSettings {
    let text = layout.write(settings);
    let root = layout.root(settings);
    without_overwrite(
        layout.read(text.as_bytes(), root.as_bytes(), Some(settings)).unwrap_or_else(|_| settings.clone()),
    )
}

/// The keys of ours that a config of 2.x has lost.
fn lost(layout: Layout, config: &[u8], desired: &JobSettings) -> Vec<&'static str> {
    if layout != Layout::V2 {
        return Vec::new();
    }
    let json: Value = serde_json::from_slice(config).unwrap_or_default();
    let empty = Map::new();
    let there = json.get("clockwright").and_then(Value::as_object).unwrap_or(&empty);
    let wanted = own::write(desired, None);
    own::keys_of_block().filter(|key| wanted.contains_key(*key) && !there.contains_key(*key)).collect()
}

#[cfg(test)]
mod tests;
