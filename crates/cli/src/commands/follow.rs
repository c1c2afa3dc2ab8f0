//! A jobs file beside the registry, and beside itself as it was: what differs is said, and `dev`, whose registry is its own, follows
//! its file.
//!
//! `node` shares its registry, so there what the registry has wins, and each difference is named at start. In a `dev` the file
//! wins, at start and whenever it is edited: the file is looked at twice a second and read again when it changed. An edit with a mistake
//! is told and changes nothing. Settings that the registry holds are changed there, and every instance follows. What the registry does
//! not hold (the code of a job, which jobs there are) changes in the instances, job by job: see [`crew`](super::crew).

use super::file::ReadArgs;
use crate::output::{Failure, talk};
use clockwright::jobs_file::JobsFile;
use clockwright_fleet::admin::Admin;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::layout::Layout;
use clockwright_model::JobSettings;
use clockwright_registry::Registry;
use clockwright_settings::table::{Setting, find};
use clockwright_settings::{Change, diff};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Which settings of these jobs the registry has otherwise, by job: what the file says, and what the registry has. Jobs that are
/// not there yet differ in nothing, and neither does what no registry decides. What the registry never had is what the file says
/// `with_file`, and its default otherwise.
pub(crate) async fn differences<'a>(
    session: &dyn Registry,
    keys: &Keys,
    jobs: &'a [JobSettings],
    with_file: bool,
) -> Result<Vec<(&'a JobSettings, Vec<Change>)>, Failure> {
    let paths: Vec<_> =
        jobs.iter().flat_map(|job| [keys.of(&job.name, &Key::Config), keys.job(&job.name)]).collect();
    let nodes = session.read(&paths).await?;
    let mut found = Vec::new();
    for (job, nodes) in jobs.iter().zip(nodes.chunks(2)) {
        let Some(config) = &nodes[0] else { continue };
        let root = nodes[1].as_ref().map_or(&[][..], |root| &root.data);
        let Some(layout) = Layout::of(&config.data) else { continue };
        // The file's settings as this layout has them, so that what it cannot hold is no difference.
        let written = layout.write(job);
        let local = with_file.then_some(job);
        let ours = layout.read(written.as_bytes(), layout.root(job).as_bytes(), local);
        // A config that cannot be read is told by the instance that meets it.
        let (Ok(ours), Ok(theirs)) = (ours, layout.read(&config.data, root, local)) else { continue };
        let changes: Vec<Change> =
            diff(&ours, &theirs).into_iter().filter(|change| is_shared(change.key)).collect();
        if !changes.is_empty() {
            found.push((job, changes));
        }
    }
    Ok(found)
}

/// Whether the registry decides a setting once a job is there.
fn is_shared(key: &str) -> bool {
    find(key).is_some_and(Setting::is_shared)
}

/// Whether the registry holds a setting in either layout, so that an edit there reaches every instance.
fn is_held(key: &str) -> bool {
    is_shared(key) && key != "timeZone" && find(key).is_some_and(|setting| setting.kept.fits_3x())
}

/// Says which settings of a file do not count, since the registry has others, or are about to replace those of the registry.
pub(crate) async fn tell(session: &dyn Registry, keys: &Keys, file: &JobsFile) -> Result<(), Failure> {
    for (job, changes) in differences(session, keys, &file.jobs, true).await? {
        let list: Vec<String> = changes.iter().map(in_words).collect();
        let what = if job.overwrite {
            "the file's settings replace the registry's (overwrite: true)"
        } else {
            "the registry's settings win over the file's; `overwrite: true`, or `clockwright job set`, takes the file's over"
        };
        talk(&format!("note: job `{}`: {what}: {}", job.name, list.join("; ")));
    }
    Ok(())
}

fn in_words(change: &Change) -> String {
    let say = |value: &Option<_>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    format!(
        "{} is {} in the file and {} in the registry",
        change.key,
        say(&change.before),
        say(&change.after)
    )
}

/// Puts the file's settings into the registry where that has others, and says so. Nothing is started by it.
pub(crate) async fn bring_in(
    session: &dyn Registry,
    keys: &Keys,
    jobs: &[JobSettings],
) -> Result<(), Failure> {
    let admin = Admin::new(session, keys);
    for (job, changes) in differences(session, keys, jobs, false).await? {
        let edit = |settings: &mut JobSettings| {
            let disabled = settings.disabled;
            job.clone_into(settings);
            settings.disabled = disabled;
        };
        admin.update(job.name.as_str(), None, edit).await?;
        let list: Vec<String> = changes
            .into_iter()
            .map(|Change { key, before, after }| Change { key, before: after, after: before }.to_string())
            .collect();
        talk(&format!("job `{}`: {}", job.name, list.join("; ")));
    }
    Ok(())
}

/// A file that is looked at again and again.
pub(crate) struct Followed {
    path: PathBuf,
    read: ReadArgs,
    seen: Option<Seen>,
}

/// What tells one content of a file from another without reading it.
type Seen = (i64, i64, u64, u64);

impl Followed {
    /// Follows a file that was just read. What can be read only once does not change.
    pub(crate) fn new(path: &Path, read: &ReadArgs) -> Self {
        Self { path: path.to_owned(), read: read.clone(), seen: seen(path) }
    }

    /// Waits until the file can be used with another content, and reads it. What cannot be used is told.
    pub(crate) async fn changed(&mut self) -> JobsFile {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(now) = seen(&self.path).filter(|now| Some(*now) != self.seen && self.seen.is_some())
            else {
                continue;
            };
            self.seen = Some(now);
            match self.read.read(&self.path) {
                Ok(file) => return file,
                Err(error) => {
                    let message = error.code().1.unwrap_or_default();
                    talk(&format!(
                        "{} changed and cannot be used; the jobs go on as they were:\n{message}",
                        self.path.display()
                    ));
                }
            }
        }
    }
}

fn seen(path: &Path) -> Option<Seen> {
    let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

/// What differs in a job's settings that no registry holds.
pub(crate) fn beside_registry(before: &JobSettings, after: &JobSettings) -> Vec<Change> {
    diff(before, after).into_iter().filter(|change| !is_held(change.key)).collect()
}

/// In words, a line each: what differs between a file as it was and as it is, besides settings that the registry holds.
pub(crate) fn edit(before: &JobsFile, after: &JobsFile) -> Vec<String> {
    let mut said = Vec::new();
    for job in &after.jobs {
        let Some(known) = before.jobs.iter().find(|known| known.name == job.name) else {
            said.push(format!("job `{}` is new", job.name));
            continue;
        };
        let list: Vec<String> = beside_registry(known, job).iter().map(ToString::to_string).collect();
        if !list.is_empty() {
            said.push(format!("job `{}`: {}", job.name, list.join("; ")));
        }
    }
    for job in before.jobs.iter().filter(|job| after.jobs.iter().all(|kept| kept.name != job.name)) {
        said.push(format!(
            "job `{}` is no longer in the file and is served no more; `clockwright job remove {}` forgets it",
            job.name, job.name
        ));
    }
    if before.enabled != after.enabled {
        said.push(format!("elasticjob.enabled is {}", after.enabled));
    }
    said
}
