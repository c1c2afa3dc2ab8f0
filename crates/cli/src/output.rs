//! What the commands print: data on stdout, as a table for people or as JSON for programs; and how they fail.

use clap::ValueEnum;
use clockwright::registry::ConnectError;
use clockwright_events::StoreError;
use clockwright_fleet::admin::AdminError;
use clockwright_fleet::view::ViewError;
use clockwright_model::Millis;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::io::{self, Write};

/// The form of the data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON document. Times are epoch milliseconds.
    Json,
}

/// Why a command failed; the kind is its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was understood and did not work: 1.
    Failed(String),
    /// It, or a file it was given, cannot be used: 2.
    Usage(String),
    /// The registry or the event store does not answer: 3.
    Unreachable(String),
    /// No permission: 4.
    Denied(String),
    /// Nobody reads what is printed any more: 0, as for any tool in a pipe.
    BrokenPipe,
}

impl Failure {
    /// The exit code and what is said on stderr.
    pub(crate) fn code(&self) -> (u8, Option<&str>) {
        match self {
            Failure::BrokenPipe => (0, None),
            Failure::Failed(message) => (1, Some(message)),
            Failure::Usage(message) => (2, Some(message)),
            Failure::Unreachable(message) => (3, Some(message)),
            Failure::Denied(message) => (4, Some(message)),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<clockwright_registry::Error> for Failure {
    fn from(error: clockwright_registry::Error) -> Self {
        use clockwright_registry::Error;
        match &error {
            Error::Denied(_) => Failure::Denied(error.to_string()),
            Error::Unavailable(_) | Error::SessionLost => Failure::Unreachable(error.to_string()),
            Error::Unknown(_) | Error::Conflict { .. } | Error::Refused(_) => {
                Failure::Failed(error.to_string())
            }
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Address(message) => Failure::Usage(message),
            ConnectError::Registry(error) => error.into(),
            ConnectError::Open(_) | ConnectError::Serve { .. } | ConnectError::Nothing(_) => {
                Failure::Unreachable(error.to_string())
            }
        }
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Registry(error) => error.into(),
            error @ (ViewError::NoSuchJob { .. } | ViewError::Degraded { .. }) => {
                Failure::Failed(error.to_string())
            }
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::View(error) => error.into(),
            error => Failure::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Unreachable(error.to_string())
    }
}

/// Writes to stdout. A closed pipe is an error here, never a panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes talk to stderr, where nobody parses it; when that is closed, nobody wants it.
pub(crate) fn talk(text: &str) {
    let _closed = writeln!(io::stderr(), "{text}");
}

/// Prints a value as JSON, or what `table` makes of it.
pub(crate) fn show<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    match format {
        Format::Table => print(&table(value)),
        Format::Json => {
            let json =
                serde_json::to_string_pretty(value).map_err(|error| Failure::Failed(error.to_string()))?;
            print(&json)
        }
    }
}

/// A table without lines, as columns.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    // Every cell is padded; the first column need not be.
    table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned() + "\n").collect()
}

/// An instant in the machine's zone.
pub(crate) fn instant(at: Millis) -> String {
    let Ok(at) = Timestamp::from_millisecond(at) else { return at.to_string() };
    let format =
        if at.subsec_millisecond() == 0 { "%Y-%m-%d %H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S%.3f %Z" };
    at.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// A value that may be missing.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Now, as epoch milliseconds.
pub(crate) fn now() -> Millis {
    Timestamp::now().as_millisecond()
}
