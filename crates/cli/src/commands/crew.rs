//! The instances of a `dev`: each serves what the file says.
//!
//! By level: whenever the file was edited or a job was left, what each instance serves is compared with what the file says. A job that
//! the file has no more is removed, a new one is added, and one whose code is another is removed, and added when it was left: an instance
//! of which nothing runs takes the new code at once, and its items with it. Nothing else is touched, and nothing has to be remembered of
//! the edits in between.

use super::{file, follow};
use crate::output::talk;
use clockwright::Scheduler;
use clockwright::jobs_file::JobsFile;
use clockwright_model::{JobName, JobSettings};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Crew<'a> {
    schedulers: &'a [Scheduler],
    /// What each serves.
    served: Vec<BTreeMap<JobName, Served>>,
    /// The jobs that are being left, each by which scheduler.
    leaving: FuturesUnordered<BoxFuture<'a, (usize, JobName)>>,
}

struct Served {
    settings: JobSettings,
    leaving: bool,
}

impl<'a> Crew<'a> {
    /// Schedulers that were started with the jobs of this file.
    pub(super) fn new(schedulers: &'a [Scheduler], file: &JobsFile) -> Self {
        let served = |job: &JobSettings| (job.name.clone(), Served { settings: job.clone(), leaving: false });
        Self {
            schedulers,
            served: schedulers.iter().map(|_| file.jobs.iter().map(served).collect()).collect(),
            leaving: FuturesUnordered::new(),
        }
    }

    /// Makes each instance serve what the file says, as far as that can be done now. What cannot be served is told.
    pub(super) async fn serve(&mut self, file: &JobsFile) {
        let wanted = if file.enabled { &file.jobs[..] } else { &[] };
        for (number, (scheduler, served)) in self.schedulers.iter().zip(&mut self.served).enumerate() {
            for (name, one) in served.iter_mut().filter(|(_, one)| !one.leaving) {
                let job = wanted.iter().find(|job| job.name == *name);
                if job.is_some_and(|job| follow::beside_registry(&one.settings, job).is_empty()) {
                    continue;
                }
                one.leaving = true;
                let name = name.clone();
                self.leaving.push(Box::pin(async move {
                    // It is also left when the instance itself leaves.
                    let _left = scheduler.remove(name.as_str()).await;
                    (number, name)
                }));
            }
            for settings in wanted {
                if served.contains_key(&settings.name) {
                    continue;
                }
                let added = match file::job(file, settings) {
                    Ok(job) => scheduler.add(job).await.map_err(|error| error.to_string()),
                    Err(failure) => Err(failure.code().1.unwrap_or_default().to_owned()),
                };
                match added {
                    Ok(()) => {
                        let one = Served { settings: settings.clone(), leaving: false };
                        served.insert(settings.name.clone(), one);
                    }
                    Err(error) => talk(&format!("job `{}` is not served: {error}", settings.name)),
                }
            }
        }
    }

    /// Waits until a job was left that was to be: then there may be something to [`serve`](Self::serve). Never ends by itself otherwise.
    pub(super) async fn left(&mut self) {
        match self.leaving.next().await {
            Some((number, name)) => drop(self.served[number].remove(&name)),
            None => std::future::pending().await,
        }
    }
}
