//! Whether a job's settings can be used: the one check that files, programs, operators' edits and registry nodes all pass.

use crate::table::SETTINGS;
use crate::{HttpSettings, ScriptSettings};
use clockwright_model::{ItemParameters, JobKind, JobSettings, Millis, SettingsError};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::Strategy;

/// What the texts among a job's settings mean.
#[derive(Debug, Clone)]
pub struct Usable {
    /// When it is due.
    pub schedule: Schedule,
    /// How its items are shared out.
    pub strategy: Strategy,
    /// The parameters of its items.
    pub item_parameters: ItemParameters,
}

impl Usable {
    /// Checks all settings but those of the job's code, which no registry decides: see [`Code::parse`].
    ///
    /// # Errors
    /// Everything that cannot be used, by the keys of a jobs file.
    pub fn parse(settings: &JobSettings) -> Result<Self, Vec<SettingsError>> {
        let mut problems = Vec::new();
        for setting in SETTINGS {
            if let Some(Err(message)) = setting.get(settings).map(|value| setting.form.check(&value)) {
                problems.push(SettingsError::new(setting.key, message));
            }
        }
        if settings.class.is_empty() {
            problems.push(SettingsError::new("elasticJobClass", "must not be empty"));
        }
        let schedule = schedule(settings).map_err(|error| problems.push(error));
        let strategy = Strategy::parse(&settings.sharding_strategy)
            .map_err(|error| problems.push(SettingsError::new("jobShardingStrategyType", error.to_string())));
        let item_parameters =
            ItemParameters::parse(&settings.sharding_item_parameters).map_err(|error| problems.push(error));
        match (schedule, strategy, item_parameters) {
            (Ok(schedule), Ok(strategy), Ok(item_parameters)) if problems.is_empty() => {
                Ok(Self { schedule, strategy, item_parameters })
            }
            _ => Err(problems),
        }
    }
}

/// The schedule of a job.
///
/// # Errors
/// It cannot be read, or it has no instant at all: no 30 February ever comes.
pub fn schedule(settings: &JobSettings) -> Result<Schedule, SettingsError> {
    let schedule = Schedule::parse(&settings.cron, settings.time_zone.as_deref()).map_err(|error| {
        let key = if error.field == "time zone" { "timeZone" } else { "cron" };
        // The key says already that it is about the schedule or its zone.
        let said = error.to_string();
        let prefix = format!("{}: ", error.field);
        let said = match error.field {
            "cron" | "time zone" => said.strip_prefix(&prefix).unwrap_or(&said),
            _ => &said,
        };
        SettingsError::new(key, said)
    })?;
    if !settings.cron.trim().is_empty() && schedule.next_after(Millis::MIN / 4).is_none() {
        let message = format!("`{}` never fires: no calendar has such a day", settings.cron.trim());
        return Err(SettingsError::new("cron", message));
    }
    Ok(schedule)
}

/// What a job starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A function or a dataflow of a program.
    InProcess,
    /// A program.
    Script(ScriptSettings),
    /// A request.
    Http(HttpSettings),
}

impl Code {
    /// Reads what a job starts from its local settings.
    ///
    /// # Errors
    /// Names the property that cannot be used.
    pub fn parse(settings: &JobSettings) -> Result<Self, SettingsError> {
        match &settings.kind {
            JobKind::Simple | JobKind::Dataflow { .. } => Ok(Self::InProcess),
            JobKind::Script { command_line } => {
                ScriptSettings::parse(command_line, &settings.props).map(Self::Script)
            }
            JobKind::Http => HttpSettings::parse(&settings.props).map(Self::Http),
        }
    }
}

/// Checks everything about a job that its own process runs.
///
/// # Errors
/// Everything that cannot be used, by the keys of a jobs file.
pub fn check(settings: &JobSettings) -> Result<(Usable, Code), Vec<SettingsError>> {
    match (Usable::parse(settings), Code::parse(settings)) {
        (Ok(usable), Ok(code)) => Ok((usable, code)),
        (usable, code) => Err(usable.err().unwrap_or_default().into_iter().chain(code.err()).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::JobName;

    fn job(cron: &str) -> JobSettings {
        JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, cron, 1)
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut bad = job("0 61 * * * ?");
        bad.sharding_total_count = 0;
        bad.retry.max_attempts = 0;
        bad.time_zone = Some("Europe/Atlantis".into());
        bad.sharding_item_parameters = "x".into();
        bad.sharding_strategy = "BEST".into();
        bad.timeout = Some(-1);
        let found: Vec<String> =
            Usable::parse(&bad).unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(
            found,
            [
                "shardingTotalCount",
                "retry.maxAttempts",
                "timeout",
                "cron",
                "jobShardingStrategyType",
                "shardingItemParameters"
            ]
        );
    }

    #[test]
    fn a_day_that_no_calendar_has_is_refused_and_one_that_is_over_is_not() {
        let error = Usable::parse(&job("0 0 0 30 2 ?")).unwrap_err().remove(0);
        assert_eq!(error.to_string(), "cron: `0 0 0 30 2 ?` never fires: no calendar has such a day");
        for over in ["0 0 0 1 1 ? 2020", "@once 2020-01-01T00:00:00Z", "", "0 0 0 29 2 ?"] {
            assert!(Usable::parse(&job(over)).is_ok(), "{over}");
        }
    }

    #[test]
    fn what_a_job_starts_is_checked_where_it_is_started_only() {
        let mut script = job("0 0 12 * * ?");
        script.kind = JobKind::Script { command_line: "echo \"".into() };
        assert!(Usable::parse(&script).is_ok());
        assert_eq!(check(&script).unwrap_err()[0].field, "script.command.line");
        script.kind = JobKind::Http;
        assert_eq!(check(&script).unwrap_err()[0].field, "http.uri");
    }
}
