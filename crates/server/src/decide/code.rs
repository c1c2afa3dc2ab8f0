//! Which settings decide what a job runs: they are for those who have `job.code`, whichever way they come in.

use clockwright_model::JobSettings;
use clockwright_settings::canonical;
use std::collections::BTreeMap;

/// The keys of a change that need `job.code`; `before` is absent for a job that is made. A job of a program's own code names only a class, which
/// nobody can make a machine run that does not have it; so it takes none to make one.
#[must_use]
pub fn touched(before: Option<&JobSettings>, after: &JobSettings) -> Vec<&'static str> {
    match before {
        None if matches!(after.kind.word(), "SIMPLE" | "DATAFLOW") => Vec::new(),
        None => vec!["elasticJobType", "props"],
        Some(before) => {
            let keys = canonical::diff(before, after).into_iter().map(|change| change.key);
            keys.filter(|key| decides(key, before, after)).collect()
        }
    }
}

/// What people are told of keys that need `job.code`, where there are any.
#[must_use]
pub fn warning(keys: &[&str]) -> Option<String> {
    let told = || format!("`{}` decide what it runs, which needs job.code", keys.join("`, `"));
    (!keys.is_empty()).then(told)
}

fn decides(key: &str, before: &JobSettings, after: &JobSettings) -> bool {
    match key {
        "elasticJobType"
        | "elasticJobClass"
        | "jobExceptionHandler"
        | "executorServiceHandler"
        | "jobExecutorServiceHandlerType"
        | "jobErrorHandlerType" => true,
        "props" => runs(before) != runs(after),
        _ => false,
    }
}

/// The properties that say what is run.
fn runs(settings: &JobSettings) -> BTreeMap<&String, &String> {
    let of_code = |key: &str| key.starts_with("script.") || key.starts_with("http.");
    settings.props.iter().filter(|(key, _)| of_code(key)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{JobKind, JobName};

    fn job(kind: JobKind) -> JobSettings {
        JobSettings::new(JobName::new("a").unwrap(), kind, "0 0 1 * * ?", 1)
    }

    #[test]
    fn what_is_run_needs_it_and_when_it_is_run_does_not() {
        let script = || job(JobKind::Script { command_line: "true".into() });
        assert_eq!(touched(None, &script()), ["elasticJobType", "props"]);
        assert!(touched(None, &job(JobKind::Simple)).is_empty());
        let mut later = script();
        later.cron = "0 0 2 * * ?".into();
        later.props.insert("note".into(), "x".into());
        assert!(touched(Some(&script()), &later).is_empty());
        later.props.insert("script.shell".into(), "true".into());
        assert_eq!(touched(Some(&script()), &later), ["props"]);
        assert!(touched(Some(&script()), &job(JobKind::Http)).contains(&"elasticJobType"));
    }
}
