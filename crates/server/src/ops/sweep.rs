//! Holds follow the database as settings do, with one asymmetry: somebody else may stop something, never start it.
//!
//! # When
//! Half a second after a hint that a node of a hold has changed, with every sweep of settings, and when somebody asks.
//!
//! # The order, and why it is safe
//! 1. The journal's number, the operations that are not over, and the holds are read from the database.
//! 2. **Then** the nodes are read from the registry. A job of which an operation is under way is left to that.
//! 3. Each job is decided, purely ([`decide::hold`](crate::decide::hold)). Where anything is to be done, its nodes are read once more after a
//!    commit that changes nothing: a session may lag behind, and what an operation started must not be taken for stopped.
//! 4. What others stopped becomes a wish: in a transaction that takes the journal's head first, and only if nothing was recorded of the
//!    project since 1. So no operation was under way while the nodes were read, and what stood still was none of ours.
//! 5. What others started is on record, as begun, and is stopped again, each node if it has the version that was read, and if the namespace's
//!    `control` has the one that it had before 1. So nothing comes of it once a later term has begun there.
//! 6. It is looked again, what was stopped for a wish that is gone by now is started, and the end is on record. Between the two records another
//!    look takes nothing over: it could not tell this stop from somebody else's.
//!
//! | what happens | effect |
//! |---|---|
//! | an operation begins between 1 and 4 | its record is seen in 4, and nothing is taken over: the job is looked at anew, and left to the operation while that is under way |
//! | an operation lifts a wish between 1 and 5 | the node was stopped for a wish that is gone: step 6 looks again, and starts what it stopped itself |
//! | a crash between 4 and 5 | the wishes stand, and the next look stops the rest |
//! | two control servers look at once | one wish is made, by its key; a node that is stopped twice is stopped; what the one has stopped is not taken over by the other |
//! | a look dies between its two records | for [`UNDER_WAY`] nothing of the job is taken over; after that what it stopped for a wish that went counts as stopped by somebody else |
//! | somebody saves settings between 1 and 5 | `control` is another one: the jobs are looked at anew |
//! | the config cannot be read, or is of another layout than the job was written in | what the wishes stop is stopped again; what else stands still is nobody's wish, since only the config tells how the layout says that |

use super::Place;
use super::look::{ATTEMPTS, Site, failed};
use super::view;
use crate::app::App;
use crate::chores::{self, Term};
use crate::decide::chain::{Actor, Outcome, Record, done, target};
use crate::decide::hold::{Found, Hold, Key, Outside, outside, starts, stopped_by};
use crate::store::{JobRow, JobState, OperationRow, ProjectRow, StoreError};
use crate::sync::{Failed, prove};
use clockwright_fleet::Layout;
use clockwright_fleet::leases::Leases;
use clockwright_fleet::mirror::Mirror;
use clockwright_model::{JobName, Millis};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many jobs are read at once.
const GROUP: usize = 256;
/// How often one job is looked at again in one go.
const ROUNDS: usize = 5;
/// How long a look that has begun to stop something counts as under way, milliseconds.
const UNDER_WAY: Millis = 60_000;
/// The record of it.
const RESTORE: &str = "hold.restore";

/// What was done about the holds of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The job.
    pub job: i64,
    /// In the journal's words: `hold.restore`, `hold.outside` or `hold.follow`.
    pub action: &'static str,
    /// Which nodes were stopped again, or which wishes were made or given up.
    pub what: Vec<String>,
}

/// Looks at the holds of these jobs of a project, and puts right what is to be: for a request, or within a term.
///
/// # Errors
/// The registry or the database is away, or the term is over; what was done stays done.
pub async fn sweep(
    app: &App,
    project: &ProjectRow,
    jobs: &[Arc<JobRow>],
    term: Option<&Term>,
) -> Result<Vec<Mended>, Failed> {
    let mut mended = Vec::new();
    for group in jobs.chunks(GROUP) {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match look_at(app, project, group, term, &mut mended).await {
                Err(Failed::Fenced) if attempts < ATTEMPTS => {}
                done => break done?,
            }
        }
    }
    Ok(mended)
}

async fn look_at(
    app: &App,
    project: &ProjectRow,
    group: &[Arc<JobRow>],
    term: Option<&Term>,
    mended: &mut Vec<Mended>,
) -> Result<(), Failed> {
    let site = Site::to_write(app, project, term).await?;
    let mut before = Before::read(app, project).await?;
    let names: Vec<JobName> = group.iter().filter_map(|job| JobName::new(&job.name).ok()).collect();
    let (mirrors, leases) = site.holds(&names).await?;
    for (name, mirror) in names.iter().zip(&mirrors) {
        let Some(job) = group.iter().find(|job| job.name == name.as_str()) else { continue };
        if before.decide(project, job, mirror, &leases) != Outside::default() {
            let id = uuid::Uuid::now_v7().to_string();
            let look = Look { app, project, term, site: &site, job, name, id };
            look.settle(&mut before, mended).await?;
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
        let decided = outside(project.policy.holds, job.id, &self.of(job.id), &Found::of(mirror, leases));
        match mirror.settings(None) {
            Some(Ok(_)) => decided,
            _ => Outside { back: decided.back, ..Outside::default() },
        }
    }

    fn of(&self, job: i64) -> Vec<Hold> {
        self.holds.iter().filter(|hold| hold.key.job == 0 || hold.key.job == job).cloned().collect()
    }
}

/// One job that is not as it shall be.
struct Look<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    term: Option<&'a Term>,
    site: &'a Site,
    job: &'a JobRow,
    name: &'a JobName,
    /// By which its records are known.
    id: String,
}

impl Look<'_> {
    /// Steps 4 to 6. What is on record of this look itself counts as seen before, for the jobs that come after.
    async fn settle(&self, before: &mut Before, mended: &mut Vec<Mended>) -> Result<(), Failed> {
        let mut begun = None;
        let settled = self.rounds(before, mended, &mut begun).await;
        match (begun, &settled) {
            (Some(begun), Ok(())) => {
                if let Some(last) = self.ended(begun).await?
                    && before.seq == begun
                {
                    before.seq = last;
                }
            }
            // It is begun anew. A later term may have begun as well: whoever looks next finds that out.
            (Some(begun), Err(Failed::Fenced)) => drop(self.ended(begun).await),
            // What a registry that went away made of it nobody knows.
            _ => {}
        }
        settled
    }

    async fn rounds(
        &self,
        before: &mut Before,
        mended: &mut Vec<Mended>,
        begun: &mut Option<i64>,
    ) -> Result<(), Failed> {
        prove(&*self.site.registry).await?;
        let (mirrors, leases) = self.site.holds(std::slice::from_ref(self.name)).await?;
        let Some(mirror) = mirrors.first() else { return Ok(()) };
        let mut decided = self.decide(before, mirror, &leases).await?;
        let mut stopped: BTreeSet<Key> = BTreeSet::new();
        let (mut seq, mut note) = (before.seq, mirror.paused.clone());
        for round in 0..ROUNDS {
            let (mine, theirs): (Vec<Key>, Vec<Key>) =
                decided.taken.iter().cloned().partition(|key| stopped.contains(key));
            if !mine.is_empty() {
                self.start(&mine).await?;
            }
            let outside = Outside { taken: theirs, ..decided };
            if outside == Outside::default() && mine.is_empty() {
                return Ok(());
            }
            if outside != Outside::default()
                && let Some(last) = self.record(seq, &outside, note.as_ref(), mended).await?
            {
                if round == 0 {
                    before.seq = last;
                }
                if !outside.back.is_empty() {
                    *begun = Some(last);
                }
                if outside.back.is_empty() && mine.is_empty() {
                    return Ok(());
                }
                let admin = self.site.admin("");
                for step in &outside.back {
                    admin.hold(self.name, step).await.map_err(failed)?;
                    stopped.insert(stopped_by(self.job.id, step));
                }
            }
            let again = Before::read(self.app, self.project).await?;
            prove(&*self.site.registry).await?;
            let (mirrors, leases) = self.site.holds(std::slice::from_ref(self.name)).await?;
            let Some(now) = mirrors.first() else { return Ok(()) };
            (seq, note) = (again.seq, now.paused.clone());
            decided = self.decide(&again, now, &leases).await?;
        }
        Ok(())
    }

    /// Step 3. Of a job whose config is of another layout than the one that it was written in nobody knows what stands still.
    async fn decide(&self, before: &Before, mirror: &Mirror, leases: &Leases) -> Result<Outside, Failed> {
        let decided = before.decide(self.project, self.job, mirror, leases);
        if decided.taken.is_empty() && decided.lifted.is_empty() {
            return Ok(decided);
        }
        let row = self.app.store.syncs(&[self.job.id]).await?.into_iter().next();
        let known = row.filter(|row| row.base.is_some()).and_then(|row| Layout::numbered(&row.layout));
        match known {
            Some(layout) if layout != mirror.layout => {
                Ok(Outside { back: decided.back, ..Outside::default() })
            }
            _ => Ok(decided),
        }
    }

    /// What was stopped here for a wish that went meanwhile is started again.
    async fn start(&self, mine: &[Key]) -> Result<(), Failed> {
        let holds = self.app.store.holds(self.project.id, Some(self.job.id)).await?;
        let (mirrors, leases) = self.site.holds(std::slice::from_ref(self.name)).await?;
        let Some(mirror) = mirrors.first() else { return Ok(()) };
        let admin = self.site.admin("");
        for step in starts(&holds, mine, &Found::of(mirror, &leases)) {
            admin.hold(self.name, &step).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The end of step 6: its number, where nothing else happened in the project since it had begun.
    async fn ended(&self, begun: i64) -> Result<Option<i64>, Failed> {
        let mut change = chores::begin(self.app, self.term, Actor::server("holds")).await?;
        change.number().await?;
        let quiet = change.is_quiet_since(self.project.id, begun).await?;
        change.record(self.told(RESTORE, Outcome::Done, json!({ "look": self.id })));
        Ok(Some(change.commit().await?).filter(|_| quiet))
    }

    fn told(&self, action: &'static str, outcome: Outcome, changes: serde_json::Value) -> Record {
        let about = target("job", self.job.id, &self.job.name);
        Record { outcome, ..done(action, self.project.id, about, changes, "") }
    }

    /// Step 4, and what is told of step 5: the number of the last record; `None` when something else happened in the project meanwhile.
    async fn record(
        &self,
        seq: i64,
        outside: &Outside,
        note: Option<&clockwright_fleet::pause::PauseNote>,
        mended: &mut Vec<Mended>,
    ) -> Result<Option<i64>, Failed> {
        let mut change = chores::begin(self.app, self.term, Actor::server("holds")).await?;
        change.number().await?;
        let open = change.open_operations(self.project.id).await?;
        let busy = open.iter().any(|row| row.job == self.job.id || row.job == 0);
        if busy || !change.is_quiet_since(self.project.id, seq).await? {
            return Ok(None);
        }
        let since = self.app.now() - UNDER_WAY;
        if !outside.taken.is_empty() && change.is_under_way(RESTORE, self.job.id, since, &self.id).await? {
            return Ok(None);
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
                Err(StoreError::Taken) => return Ok(None),
                other => other?,
            }
        }
        for key in &outside.lifted {
            change.delete_hold(self.project.id, key).await?;
        }
        let place = Place { name: self.name.clone(), id: self.job.id };
        let keys = |keys: &[Key]| keys.iter().map(view::key_text).collect::<Vec<_>>();
        let mut all: Vec<Mended> = [
            ("hold.outside", keys(&outside.taken)),
            ("hold.follow", keys(&outside.lifted)),
            (RESTORE, outside.back.iter().map(|step| view::node(&place, step)).collect()),
        ]
        .into_iter()
        .filter(|(_, what)| !what.is_empty())
        .map(|(action, what)| Mended { job: self.job.id, action, what })
        .collect();
        for one in &all {
            let (outcome, facts) = match one.action {
                RESTORE => (Outcome::Begun, json!({ "holds": one.what, "look": self.id })),
                _ => (Outcome::Done, json!({ "holds": one.what })),
            };
            change.record(self.told(one.action, outcome, facts));
        }
        let last = change.commit().await?;
        // One that was looked at anew is told once.
        all.retain(|one| !mended.contains(one));
        mended.append(&mut all);
        Ok(Some(last))
    }
}
