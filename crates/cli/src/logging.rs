//! The log of `dev`, `node` and `server`, on stderr: which events, and in which form.

use crate::output::{Failure, log_line};
use clap::{Args, ValueEnum};
use clockwright_server::config::{Config, LogFormat as Form, log_level};
use std::io::{self, IsTerminal as _, Write};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Something that is told what happens.
type Listener = Box<dyn Layer<Registry> + Send + Sync>;

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
    /// The form of the log: lines for people, which is the default, or a JSON object a line for collectors
    #[arg(
        long,
        env = "CLOCKWRIGHT_LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        help_heading = LOG
    )]
    log_format: Option<LogFormat>,
    /// The server's collector of traces.
    #[arg(skip)]
    collector: Collector,
}

/// Where traces go.
#[derive(Debug, Clone, Default)]
enum Collector {
    /// Nowhere: these are no servers' logs.
    #[default]
    None,
    /// As a server's configuration says, or else the environment.
    Of(Option<String>),
}

/// What goes on until the program ends.
#[derive(Default)]
pub(crate) struct Logging {
    #[cfg(feature = "otel")]
    traces: Option<clockwright_server::observe::trace::Export>,
}

impl Logging {
    /// Sends what waits still.
    pub(crate) async fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

const LOG: &str = "Log";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Takes levels, and targets with levels: a word that is neither would be a target that logs nothing.
fn level(text: &str) -> Result<String, String> {
    let tidy = log_level(text)?;
    EnvFilter::try_new(&tidy).map_err(|error| error.to_string())?;
    Ok(tidy)
}

impl LogArgs {
    /// What was said on the command line of keys of a server's configuration: each with what said it.
    pub(crate) fn said(&self) -> Vec<(&'static str, &'static str, String)> {
        let format = self.log_format.map(|format| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        let from = |variable: &'static str, option: &'static str, value: &str| {
            if std::env::var(variable).is_ok_and(|there| there == value) { variable } else { option }
        };
        let level = self.log_level.clone();
        let level = level.map(|level| (from("CLOCKWRIGHT_LOG", "--log-level", &level), "log.level", level));
        let format = format
            .map(|format| (from("CLOCKWRIGHT_LOG_FORMAT", "--log-format", &format), "log.format", format));
        level.into_iter().chain(format).collect()
    }

    /// As a server's configuration says, which has taken in what the command line says.
    pub(crate) fn of_config(config: &Config) -> Self {
        let format = if config.log_format == Form::Json { LogFormat::Json } else { LogFormat::Text };
        let collector = Collector::Of(config.otel_endpoint.clone());
        Self { log_level: Some(config.log_level.clone()), log_format: Some(format), collector }
    }

    /// Begins to log; `usual` is what is logged unless told otherwise. Within a runtime.
    pub(crate) fn start(&self, usual: &str) -> Result<Logging, Failure> {
        let filter = EnvFilter::new(self.log_level.as_deref().unwrap_or(usual));
        let is_json = self.log_format == Some(LogFormat::Json);
        let colours = !is_json && io::stderr().is_terminal();
        let lines = layer().with_writer(move || Lines { is_json, colours });
        let lines = match is_json {
            true => lines.json().with_filter(filter).boxed(),
            false => lines.with_ansi(colours).with_filter(filter).boxed(),
        };
        let mut layers = vec![lines];
        let logging = self.send_traces(&mut layers)?;
        tracing_subscriber::registry().with(layers).init();
        Ok(logging)
    }

    #[cfg(feature = "otel")]
    fn send_traces(&self, layers: &mut Vec<Listener>) -> Result<Logging, Failure> {
        let Collector::Of(endpoint) = &self.collector else { return Ok(Logging::default()) };
        let begun = clockwright_server::observe::trace::begin(endpoint.as_deref());
        let begun = begun.map_err(|error| Failure::Usage(error.to_string()))?;
        let traces = begun.map(|(layer, traces)| {
            layers.push(layer.boxed());
            traces
        });
        Ok(Logging { traces })
    }

    #[cfg(not(feature = "otel"))]
    fn send_traces(&self, _: &mut Vec<Listener>) -> Result<Logging, Failure> {
        if let Collector::Of(Some(_)) = &self.collector {
            return Err(Failure::Usage("this program sends no traces".to_owned()));
        }
        Ok(Logging::default())
    }
}

/// Writes each event as one line in which nothing acts: what jobs, people and registries say must not forge a line of the log or move a terminal's
/// cursor.
struct Lines {
    is_json: bool,
    colours: bool,
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        // When stderr is closed, nobody wants it.
        let _closed = io::stderr().lock().write_all(log_line(&text, self.is_json, self.colours).as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
