//! The `config` node of a job: its settings on the wire, as each layout has them.

pub mod v2;
pub mod v3;

use clockwright_model::{JobName, JobSettings, SettingsError};
use clockwright_planner::Schedule;
use clockwright_settings::Usable;

/// The schedule of settings of which an instance can make use; an error names the key at fault as a jobs file spells it.
///
/// # Errors
/// The settings are another job's, or no instance could run by them.
pub fn usable(settings: &JobSettings, job: &JobName) -> Result<Schedule, SettingsError> {
    if settings.name != *job {
        let message = format!("is `{}`, but this is job `{job}`, and a job cannot be renamed", settings.name);
        return Err(SettingsError::new("jobName", message));
    }
    Usable::parse(settings).map(|usable| usable.schedule).map_err(|mut problems| problems.swap_remove(0))
}
