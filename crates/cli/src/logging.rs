//! The log of `dev` and `node`, on stderr: which events, and in which form.

use clap::{Args, ValueEnum};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// The options of what logs.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// What is logged on stderr: error, warn, info, debug or trace, or a list such as info,clockwright_engine=debug
    #[arg(
        long,
        env = "CLOCKWRIGHT_LOG",
        value_name = "LEVEL",
        value_parser = level,
        help_heading = LOG
    )]
    log_level: Option<String>,
    /// The form of the log: lines for people, or a JSON object a line for collectors
    #[arg(
        long,
        env = "CLOCKWRIGHT_LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = LOG
    )]
    log_format: LogFormat,
}

const LOG: &str = "Log";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Takes levels, and targets with levels: a word that is neither would be a target that logs nothing.
fn level(text: &str) -> Result<String, String> {
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "`{level}` is no level; it is one of {}, or a list such as info,clockwright_engine=debug",
                LEVELS.join(", ")
            ));
        }
    }
    let tidy: String = text.split_whitespace().collect();
    EnvFilter::try_new(&tidy).map_err(|error| error.to_string())?;
    Ok(tidy)
}

impl LogArgs {
    /// Begins to log; `usual` is what is logged unless told otherwise.
    pub(crate) fn start(&self, usual: &str) {
        let filter = EnvFilter::new(self.log_level.as_deref().unwrap_or(usual));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => log.json().init(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_known_or_refused() {
        for good in ["info", "WARN", "off", "info,clockwright_engine=debug"] {
            assert_eq!(level(good).as_deref(), Ok(good));
        }
        assert_eq!(level("error, a::b=trace").as_deref(), Ok("error,a::b=trace"));
        for bad in ["", "loud", "info,verbose", "clockwright_engine=very", "info,"] {
            let refused = level(bad).expect_err(bad);
            assert!(refused.contains("info,clockwright_engine=debug"), "{refused}");
        }
    }
}
