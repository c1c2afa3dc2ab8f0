//! Apply, the decision: what is to be done about one job, from what the files say, who defines it, and what is there.
//!
//! # The table
//! | the job is | a file has it | no file has it |
//! |---|---|---|
//! | nowhere | [`Create`](Do::Create) | – |
//! | of files of this source | [`Update`](Do::Update); changed by hand since: conflict, unless `force` | [`Orphaned`](Do::Orphaned); with `prune` [`Remove`](Do::Remove) |
//! | of files of another source | conflict `owned-by`, unless `takeOver` | untouched |
//! | defined here | conflict `managed-by-console`, unless `takeOver` | untouched |
//! | only in the registry | conflict `job-exists-in-registry`, unless `adopt`: then [`Adopt`](Do::Adopt) | untouched |
//! | being removed | conflict `job-removing` | untouched |
//!
//! A file that says what is there changes nothing ([`Unchanged`](Do::Unchanged)), whoever defines the job: so a project's own export, applied, is
//! all unchanged. Only `takeOver` makes the job one of the files then. A job that was changed by hand and whose file says the same by now
//! does not differ from it any more.
//!
//! A file is a job's whole definition: a key that it leaves out is its default. Whether a job is *offline* is no part of it: an operator's wish
//! that something stands still is not lifted by a file, which is why an offline job's `disabled` is not compared.

use crate::store::{JobRow, JobState, Managed};
use clockwright_api::Code;
use clockwright_api::plan::{Do, PlanAsk};
use clockwright_fleet::Layout;
use clockwright_model::JobSettings;
use clockwright_settings::{Change, canonical};

/// What is there of a job.
#[derive(Debug, Clone, Copy)]
pub enum Here<'a> {
    /// Nothing.
    Nowhere,
    /// The database has it, with these settings.
    Managed {
        /// It.
        job: &'a JobRow,
        /// The settings of its version.
        settings: &'a JobSettings,
    },
    /// Only the registry has it, with these settings, or with what cannot be used, for this reason.
    Registry(Result<&'a JobSettings, &'a str>),
}

/// What is to be done about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// It.
    pub what: Do,
    /// What stands against it.
    pub conflict: Option<Conflict>,
    /// What it is to be: the file's settings, and what is no part of a file.
    pub settings: Option<JobSettings>,
    /// What differs from what is there.
    pub diff: Vec<Change>,
    /// It was changed by hand, and its file says the same by now.
    pub agrees: bool,
}

/// What stands against an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// It was changed by hand since.
    Diverged,
    /// Files of this other source define it.
    OwnedBy(String),
    /// It is defined here.
    ByConsole,
    /// Only the registry has it.
    InRegistry,
    /// Only the registry has it, and it cannot be used there.
    Unusable(String),
    /// It is being removed.
    Removing,
    /// The layout has no such job, for this reason.
    Layout(String),
}

impl Conflict {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Conflict::Diverged => Code::Diverged,
            Conflict::OwnedBy(_) => Code::OwnedBy,
            Conflict::ByConsole => Code::ManagedByConsole,
            Conflict::InRegistry | Conflict::Unusable(_) => Code::JobExistsInRegistry,
            Conflict::Removing => Code::JobRemoving,
            Conflict::Layout(_) => Code::LayoutCannot,
        }
    }

    /// In words, of this job.
    #[must_use]
    pub fn why(&self, job: &str) -> String {
        match self {
            Conflict::Diverged => format!("`{job}` was changed by hand since its file was applied"),
            Conflict::OwnedBy(source) => format!("`{job}` is defined by files of `{source}`"),
            Conflict::ByConsole => format!("`{job}` is defined here and not by files"),
            Conflict::InRegistry => format!("the registry has `{job}`, which is not managed"),
            Conflict::Unusable(why) => format!("the registry has `{job}`, which cannot be used there: {why}"),
            Conflict::Removing => format!("`{job}` is being removed"),
            Conflict::Layout(why) => format!("`{job}`: {why}"),
        }
    }
}

impl Decision {
    fn of(what: Do, diff: Vec<Change>) -> Self {
        Self { what, conflict: None, settings: None, diff, agrees: false }
    }

    fn against(conflict: Conflict, diff: Vec<Change>) -> Self {
        Self { conflict: Some(conflict), ..Self::of(Do::Conflict, diff) }
    }

    /// True when the database is changed by it at once. A removal is an operation of its own.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.makes_version() || self.agrees
    }

    /// True when the job gets the file's settings.
    #[must_use]
    pub fn makes_version(&self) -> bool {
        matches!(self.what, Do::Create | Do::Update | Do::Adopt)
    }
}

/// What is to be done about a job that a file has, whose nodes have this layout or will.
#[must_use]
pub fn with_file(ask: &PlanAsk, here: Here<'_>, layout: Layout, file: &JobSettings) -> Decision {
    let mut file = file.clone();
    let decision = match here {
        Here::Nowhere => Decision::of(Do::Create, Vec::new()),
        Here::Registry(Err(why)) => Decision::against(Conflict::Unusable(why.to_owned()), Vec::new()),
        Here::Registry(Ok(found)) => {
            let diff = canonical::diff(found, &file);
            match ask.adopt {
                true => Decision::of(Do::Adopt, diff),
                false => Decision::against(Conflict::InRegistry, diff),
            }
        }
        Here::Managed { job, settings } => {
            if job.state == JobState::Offline {
                file.disabled = settings.disabled;
            }
            managed(ask, job, canonical::diff(settings, &file))
        }
    };
    let decision = match layout.check(&file) {
        Err(error) if decision.makes_version() => {
            Decision::against(Conflict::Layout(error.to_string()), decision.diff)
        }
        _ => decision,
    };
    Decision { settings: Some(file), ..decision }
}

fn managed(ask: &PlanAsk, job: &JobRow, diff: Vec<Change>) -> Decision {
    let is_own = job.is_of_files(ask.source.as_str());
    if job.state == JobState::Removing {
        return Decision::against(Conflict::Removing, diff);
    }
    if diff.is_empty() && (is_own || !ask.take_over) {
        let agrees = is_own && job.diverged;
        return Decision { agrees, ..Decision::of(Do::Unchanged, diff) };
    }
    let conflict = match job.managed {
        Managed::Files if is_own => (job.diverged && !ask.force).then_some(Conflict::Diverged),
        Managed::Files => (!ask.take_over).then(|| Conflict::OwnedBy(job.source.to_string())),
        Managed::Console => (!ask.take_over).then_some(Conflict::ByConsole),
    };
    match conflict {
        Some(conflict) => Decision::against(conflict, diff),
        None => Decision::of(Do::Update, diff),
    }
}

/// What is to be done about a job that no file has; `None`: it is none of theirs.
#[must_use]
pub fn without_file(ask: &PlanAsk, job: &JobRow) -> Option<Decision> {
    let is_own = job.is_of_files(ask.source.as_str());
    if !is_own || job.state == JobState::Removing {
        return None;
    }
    Some(Decision::of(if ask.prune { Do::Remove } else { Do::Orphaned }, Vec::new()))
}

#[cfg(test)]
mod tests;
