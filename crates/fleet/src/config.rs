//! The `config` node of a job: its settings on the wire, as each layout has them.

pub mod v2;
pub mod v3;

use clockwright_model::{ItemParameters, JobName, JobSettings, SettingsError};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::Strategy;

/// The schedule of settings of which an instance can make use; an error names the key at fault as a jobs file spells it.
///
/// # Errors
/// The settings are another job's, or no instance could run by them.
pub fn usable(settings: &JobSettings, job: &JobName) -> Result<Schedule, SettingsError> {
    if settings.name != *job {
        let message = format!("is `{}`, but this is job `{job}`, and a job cannot be renamed", settings.name);
        return Err(SettingsError::new("jobName", message));
    }
    settings.validate()?;
    Strategy::parse(&settings.sharding_strategy)
        .map_err(|error| SettingsError::new("jobShardingStrategyType", error.to_string()))?;
    ItemParameters::parse(&settings.sharding_item_parameters)
        .map_err(|error| SettingsError::new("shardingItemParameters", error.to_string()))?;
    Schedule::parse(&settings.cron, settings.time_zone.as_deref()).map_err(|error| {
        let field = if error.field == "time zone" { "timeZone" } else { "cron" };
        SettingsError::new(field, error.to_string())
    })
}
