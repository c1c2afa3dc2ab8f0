//! Holds follow the database as settings do, with one asymmetry: somebody else may stop something, never start it.
//!
//! # When
//! Half a second after a hint that a node of a hold has changed, and with every sweep of settings.
//!
//! # The order, and why it is safe
//! 1. The journal's number, the operations that are not over, and the holds are read from the database.
//! 2. **Then** the nodes are read from the registry. A job of which an operation is under way is left to that.
//! 3. Each job is decided, purely ([`decide::hold`](crate::decide::hold)).
//! 4. What others stopped becomes a wish: in a transaction that takes the journal's head first, and only if nothing was recorded of the
//!    project since 1. So no operation was under way while the nodes were read, and what stood still was none of ours.
//! 5. What others started is on record and is stopped again, each node if it has the version that was read.
//!
//! | what happens | effect |
//! |---|---|
//! | an operation begins between 1 and 4 | its record is seen in 4, and nothing is taken over: the next look finds what is left |
//! | an operation lifts a wish between 1 and 5 | the node was stopped for a wish that is gone: step 6 looks again, and starts what it stopped itself |
//! | a crash between 4 and 5 | the wishes stand, and the next look stops the rest |
//! | two control servers look at once | one wish is made, by its key; a node that is stopped twice is stopped |

use super::Place;
use super::look::{Site, failed};
use super::view;
use crate::app::App;
use crate::decide::chain::{Actor, Outcome, Record, Target};
use crate::decide::hold::{Found, Hold, Key, Outside, outside, starts};
use crate::store::{JobRow, JobState, OperationRow, ProjectRow, StoreError};
use crate::sync::Failed;
use clockwright_fleet::admin::{Admin, Hold as Node};
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_model::JobName;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many jobs are read at once.
const GROUP: usize = 64;
/// How often one job is looked at again in one go.
const ROUNDS: usize = 3;

/// Looks at the holds of these jobs of a project, and puts right what is to be.
///
/// # Errors
/// The registry or the database is away; what was done stays done.
pub async fn sweep(app: &App, project: &ProjectRow, jobs: &[Arc<JobRow>]) -> Result<(), Failed> {
    let site = Site::open(app, project).await?;
    for group in jobs.chunks(GROUP) {
        let before = Before::read(app, project).await?;
        let names: Vec<JobName> = group.iter().filter_map(|job| JobName::new(&job.name).ok()).collect();
        let (mirrors, leases) = site.holds(&names).await?;
        for (name, mirror) in names.iter().zip(&mirrors) {
            let Some(job) = group.iter().find(|job| job.name == name.as_str()) else { continue };
            let decided = before.decide(project, job, mirror, &leases);
            if decided == Outside::default() {
                continue;
            }
            let look = Look { app, project, site: &site, job, name };
            look.settle(&before, decided, mirror).await?;
        }
    }
    Ok(())
}

/// Step 1.
struct Before {
    seq: i64,
    open: Vec<OperationRow>,
    holds: Vec<Hold>,
}

impl Before {
    async fn read(app: &App, project: &ProjectRow) -> Result<Self, Failed> {
        let (seq, _) = app.store.head().await?;
        let open = app.store.open_operations().await?;
        let open = open.into_iter().filter(|row| row.project == project.id).collect();
        Ok(Self { seq, open, holds: app.store.holds(project.id, None).await? })
    }

    /// Step 3.
    fn decide(&self, project: &ProjectRow, job: &JobRow, mirror: &Mirror, leases: &Leases) -> Outside {
        let under_way = self.open.iter().any(|row| row.job == job.id || row.job == 0);
        if under_way || job.state == JobState::Removing || mirror.config.is_none() {
            return Outside::default();
        }
        outside(project.policy.holds, job.id, &self.of(job.id), &Found::of(mirror, leases))
    }

    fn of(&self, job: i64) -> Vec<Hold> {
        self.holds.iter().filter(|hold| hold.key.job == 0 || hold.key.job == job).cloned().collect()
    }
}

/// One job that is not as it shall be.
struct Look<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    site: &'a Site,
    job: &'a JobRow,
    name: &'a JobName,
}

impl Look<'_> {
    /// Steps 4 to 6.
    async fn settle(&self, before: &Before, decided: Outside, mirror: &Mirror) -> Result<(), Failed> {
        let mut decided = decided;
        let mut stopped: BTreeSet<Key> = BTreeSet::new();
        let (mut seq, mut note) = (before.seq, mirror.paused.clone());
        for _ in 0..ROUNDS {
            let (mine, theirs): (Vec<Key>, Vec<Key>) =
                decided.taken.iter().cloned().partition(|key| stopped.contains(key));
            if !mine.is_empty() {
                self.start(&mine).await?;
            }
            let outside = Outside { taken: theirs, ..decided };
            if outside != Outside::default() && !self.record(seq, &outside, note.as_ref()).await? {
                return Ok(());
            }
            if outside.back.is_empty() && mine.is_empty() {
                return Ok(());
            }
            let admin = Admin::new(&*self.site.registry, &self.site.keys);
            for step in &outside.back {
                admin.hold(self.name, step).await.map_err(failed)?;
                stopped.insert(self.key(step));
            }
            let again = Before::read(self.app, self.project).await?;
            let (mirrors, leases) = self.site.holds(std::slice::from_ref(self.name)).await?;
            let Some(now) = mirrors.first() else { return Ok(()) };
            (seq, note) = (again.seq, now.paused.clone());
            decided = again.decide(self.project, self.job, now, &leases);
        }
        Ok(())
    }

    /// The wish that somebody else would have had who stopped this node.
    fn key(&self, step: &Node) -> Key {
        use crate::decide::hold::{Kind, Origin};
        let job = self.job.id;
        match step {
            Node::Paused(note) => {
                let drain = note.as_ref().is_some_and(|note| note.drain);
                Key::of_job(job, if drain { Kind::Drain } else { Kind::Pause }, Origin::Outside)
            }
            Node::Host { ip, .. } => Key::of_host(job, ip, Kind::Disable),
            Node::Drained { ip, .. } => Key::of_host(job, ip, Kind::Drain),
            Node::Item { item, .. } => Key::of_item(job, *item),
        }
    }

    /// What was stopped here for a wish that went meanwhile is started again.
    async fn start(&self, mine: &[Key]) -> Result<(), Failed> {
        let holds = self.app.store.holds(self.project.id, Some(self.job.id)).await?;
        let (mirrors, leases) = self.site.holds(std::slice::from_ref(self.name)).await?;
        let Some(mirror) = mirrors.first() else { return Ok(()) };
        let admin = Admin::new(&*self.site.registry, &self.site.keys);
        for step in starts(&holds, mine, &Found::of(mirror, &leases)) {
            admin.hold(self.name, &step).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Step 4, and what is told of step 5; false when something else happened in the project meanwhile.
    async fn record(
        &self,
        seq: i64,
        outside: &Outside,
        note: Option<&clockwright_fleet::pause::PauseNote>,
    ) -> Result<bool, Failed> {
        let mut change = self.app.store.begin(Actor::server("holds"), self.app.now()).await?;
        change.number().await?;
        let open = change.open_operations(self.project.id).await?;
        let busy = open.iter().any(|row| row.job == self.job.id || row.job == 0);
        if busy || !change.is_quiet_since(self.project.id, seq).await? {
            return Ok(false);
        }
        let (by, why) =
            note.map_or((String::new(), String::new()), |note| (note.by.clone(), note.reason.clone()));
        for key in &outside.taken {
            let pauses = key.scope == crate::decide::hold::Scope::Job;
            let hold = Hold {
                project: self.project.id,
                key: key.clone(),
                origin: crate::decide::hold::Origin::Outside,
                by: String::new(),
                by_name: if pauses { by.chars().take(100).collect() } else { String::new() },
                at: self.app.now(),
                reason: if pauses { why.chars().take(1000).collect() } else { String::new() },
            };
            match change.insert_hold(&hold).await {
                Err(StoreError::Taken) => return Ok(false),
                other => other?,
            }
        }
        for key in &outside.lifted {
            change.delete_hold(self.project.id, key).await?;
        }
        let place = Place { name: self.name.clone(), id: self.job.id };
        let keys = |keys: &[Key]| keys.iter().map(view::key_text).collect::<Vec<_>>();
        for (action, told) in [
            ("hold.outside", keys(&outside.taken)),
            ("hold.follow", keys(&outside.lifted)),
            ("hold.restore", outside.back.iter().map(|step| view::node(&place, step)).collect()),
        ] {
            if told.is_empty() {
                continue;
            }
            change.record(Record {
                action,
                project: self.project.id,
                target: Target { kind: "job", id: self.job.id.to_string(), name: self.job.name.clone() },
                outcome: Outcome::Done,
                code: "",
                changes: json!({ "holds": told }),
                reason: String::new(),
            });
        }
        change.commit().await?;
        Ok(true)
    }
}
