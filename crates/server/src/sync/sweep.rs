//! All jobs of a project: looked at together, and written within bounds.
//!
//! **When.** At the start of a server, every half hour, after a session with the registry begins anew, when somebody asks, and, for one job, half a
//! second after a hint that its config or its root node changed.
//!
//! **The guard.** A registry that was wiped, replaced by an older copy, or is the wrong one makes nearly every job look changed. So before
//! anything is written the whole project is looked at, and where more than [`GUARD_JOBS`] jobs *and* more than [`GUARD_SHARE`] of the project would be
//! made again or overwritten, none of them is: they are `held` until somebody confirms. What people saved themselves is written all the
//! same.

use super::held;
use super::write::{By, Failed, GROUP, look_only, write_by};
use crate::app::App;
use crate::decide::group::Synced;
use crate::decide::sync::Verdict;
use crate::observe::names::SYNC_SWEEP;
use crate::store::{ProjectRow, SyncState};
use std::time::Instant;

/// More jobs than these, …
pub const GUARD_JOBS: usize = 50;
/// … and more than this share of a project's, are not written over without a person's word.
pub const GUARD_SHARE: f64 = 0.2;

/// How many jobs are looked at together. Most are as they should be, and nothing is written of them.
const LOOKED_AT: usize = 256;

/// What a sweep found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Each job's state, in the order of ids.
    pub jobs: Vec<Synced>,
    /// True when the guard held what others changed.
    pub held: bool,
}

/// Looks at all jobs of a project and writes what is to be written. `confirmed`: a person has said that the guard is to let it pass.
///
/// # Errors
/// Nothing more was written; what was, is noted.
pub async fn sweep(app: &App, project: &ProjectRow, confirmed: bool, by: By<'_>) -> Result<Swept, Failed> {
    let began = Instant::now();
    let swept = look_at_all(app, project, confirmed, by).await;
    app.metrics.took(&SYNC_SWEEP, &[], began.elapsed());
    swept
}

async fn look_at_all(app: &App, project: &ProjectRow, confirmed: bool, by: By<'_>) -> Result<Swept, Failed> {
    let mut ids: Vec<i64> = app.catalogue.jobs(project.id).iter().map(|job| job.id).collect();
    ids.sort_unstable();
    let mut foreseen = Vec::with_capacity(ids.len());
    for group in ids.chunks(LOOKED_AT) {
        match look_only(app, project, group).await {
            Ok(looked) => foreseen.extend(looked),
            Err(failed) if failed.holds() => {
                held::hold(app, project, &ids, &failed.to_string(), by).await?;
                return Err(failed);
            }
            Err(failed) => return Err(failed),
        }
    }
    let over = foreseen.iter().filter(|synced| is_over_others(&synced.verdict)).count();
    let held = !confirmed && exceeds(over, ids.len());
    let (mut todo, mut jobs, mut holds) = (Vec::new(), Vec::with_capacity(ids.len()), Vec::new());
    for synced in foreseen {
        if held && is_over_others(&synced.verdict) {
            holds.push(synced.job);
            jobs.push(Synced { state: SyncState::Held, ..synced });
        } else if synced.settled {
            jobs.push(synced);
        } else {
            todo.push(synced.job);
        }
    }
    for group in todo.chunks(GROUP) {
        jobs.extend(write_by(app, project, group, by).await?);
    }
    if held {
        held::hold(app, project, &holds, "more would be written over than the guard allows", by).await?;
    }
    jobs.sort_by_key(|synced| synced.job);
    Ok(Swept { jobs, held })
}

/// What takes away what somebody else did there.
fn is_over_others(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Overwrite(_) | Verdict::Recreate)
}

fn exceeds(jobs: usize, all: usize) -> bool {
    jobs > GUARD_JOBS && jobs as f64 > all as f64 * GUARD_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_needs_many_jobs_and_a_great_share() {
        assert!(!exceeds(50, 50), "a small project is put right whole");
        assert!(exceeds(51, 60));
        assert!(!exceeds(51, 1_000), "a few of many are put right");
        assert!(exceeds(201, 1_000));
    }
}
