//! What the commands print: data on stdout, as a table for people or as JSON for programs; and how they fail.

use clap::ValueEnum;
use clockwright::registry::ConnectError;
use clockwright_api::client::Error as ClientError;
use clockwright_api::{Code, Problem};
use clockwright_events::StoreError;
use clockwright_fleet::admin::AdminError;
use clockwright_fleet::view::ViewError;
use clockwright_model::Millis;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::io::{self, IsTerminal as _, Write};

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
    /// The server wants to know anew who asks: 4.
    Unproved(String),
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
            Failure::Denied(message) | Failure::Unproved(message) => (4, Some(message)),
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
            error => Failure::Unreachable(with_causes(&error)),
        }
    }
}

/// An error and what caused it, in one line; a cause that is told already is not told twice.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
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

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Address(text) => Failure::Usage(text),
            ClientError::Unreachable(text) => Failure::Unreachable(text),
            ClientError::Problem(problem) => problem.into(),
            ClientError::Strange { status, text } => match status {
                401 | 403 => Failure::Denied(text),
                502..=504 => Failure::Unreachable(text),
                _ => Failure::Failed(text),
            },
            other => Failure::Failed(other.to_string()),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let signs_in =
            matches!(problem.kind(), Some(Code::NotSignedIn | Code::TokenExpired | Code::SessionOver));
        let problem =
            if signs_in { problem.fix("sign in with `clockwright login`, or give a token") } else { problem };
        let text = problem.to_string();
        match problem.status {
            _ if problem.kind() == Some(Code::StepUpNeeded) => Failure::Unproved(text),
            401 | 403 => Failure::Denied(text),
            400 | 422 => Failure::Usage(text),
            503 => Failure::Unreachable(text),
            _ => Failure::Failed(text),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Unreachable(error.to_string())
    }
}

/// Writes text for people to stdout; what would move a terminal's cursor is shown as text. A closed pipe is an error here, never
/// a panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write_out(&visible(text))
}

/// Writes to stdout what is known to be safe there.
pub(crate) fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes talk to stderr, where nobody parses it; when that is closed, nobody wants it.
pub(crate) fn talk(text: &str) {
    let _closed = writeln!(io::stderr(), "{}", visible(text));
}

/// A text as it may go to a terminal: control characters, and those that change the direction of what follows, as `\x1b` or
/// `\u{202e}`. What jobs, servers and the registry say is not ours, and must not clear a screen, forge a line or set a title.
/// Ends of lines and tabs stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| acts(c) && !matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let shown =
        text.chars().map(|c| if acts(c) && !matches!(c, '\n' | '\t') { spelt(c) } else { c.to_string() });
    Cow::Owned(shown.collect())
}

/// As [`visible`], for what must stay one line: ends of lines and tabs are `\n` and `\t`.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if acts(c) { spelt(c) } else { c.to_string() }).collect())
}

/// Whether a character does something to a terminal instead of being shown.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn spelt(c: char) -> String {
    match c {
        '\n' => "\\n".into(),
        '\t' => "\\t".into(),
        '\r' => "\\r".into(),
        c if (c as u32) < 0x100 => format!("\\x{:02x}", c as u32),
        c => format!("\\u{{{:x}}}", c as u32),
    }
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
            write_out(&plain_json(&json))
        }
    }
}

/// JSON escapes ASCII's control characters only; the others can stand in strings alone, and there `\u` means the same.
fn plain_json(json: &str) -> Cow<'_, str> {
    let risky = |c: char| acts(c) && !matches!(c, '\n' | '\t');
    if !json.contains(risky) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(
        json.chars().map(|c| if risky(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() }).collect(),
    )
}

/// An event of the log, which has one line end: its last letter. Whatever acts is spelt; of colours, those that the log itself sets stay.
pub(crate) fn log_line(event: &str, is_json: bool, colours: bool) -> String {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    let mut line = String::with_capacity(event.len());
    let mut rest = text;
    while let Some(place) = rest.find(acts) {
        line.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some(length) = colour(rest).filter(|_| colours) {
            line.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let mut letters = rest.chars();
        if let Some(letter) = letters.next() {
            let spelt = if is_json { format!("\\u{:04x}", letter as u32) } else { spelt(letter) };
            line.push_str(&spelt);
        }
        rest = letters.as_str();
    }
    line.push_str(rest);
    line.push_str(end);
    line
}

/// How long the sequence at the beginning is that sets a colour, if it is one.
fn colour(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\x1b[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then_some(end + 3)
}

/// A table without lines, as columns, as wide as the terminal at most: what is longer goes on in the next line of its cell.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    table_within(width(), header, rows)
}

fn table_within<const N: usize>(
    width: Option<u16>,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(width) = width {
        // The blank before the first column is taken off below.
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.saturating_add(1));
    }
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell).into_owned()));
    }
    // Every cell is padded; the first column need not be.
    table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned() + "\n").collect()
}

/// How many columns a line may have: those of the terminal, or of `COLUMNS`; no bound for a file or a pipe.
fn width() -> Option<u16> {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = asked.or_else(|| {
        let terminal = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
        terminal.map(|(terminal_size::Width(columns), _)| columns)
    });
    columns.filter(|columns| *columns >= 20)
}

/// `name  value` lines.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let line = |(name, value): (&str, String)| format!("{name:<12} {}\n", one_line(&value));
    fields.into_iter().map(line).collect()
}

/// An instant in the machine's zone.
pub(crate) fn instant(at: Millis) -> String {
    let Ok(at) = Timestamp::from_millisecond(at) else { return at.to_string() };
    let format =
        if at.subsec_millisecond() == 0 { "%Y-%m-%d %H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S%.3f %Z" };
    at.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// The time of day of an instant.
pub(crate) fn time(at: Millis) -> String {
    let zoned = Timestamp::from_millisecond(at).map(|at| at.to_zoned(TimeZone::system()));
    zoned.map_or_else(|_| at.to_string(), |at| at.strftime("%H:%M:%S").to_string())
}

/// An instant for a narrow column: its time if it is on the same day as `now`, else its day and time without seconds.
pub(crate) fn day_or_time(at: Millis, now: Millis) -> String {
    let zone = |at| Timestamp::from_millisecond(at).map(|at| at.to_zoned(TimeZone::system()));
    let (Ok(there), Ok(here)) = (zone(at), zone(now)) else { return at.to_string() };
    let format = if there.date() == here.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    there.strftime(format).to_string()
}

/// A value that may be missing.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Now, as epoch milliseconds.
pub(crate) fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

/// How long something took, in the unit that fits.
pub(crate) fn span(millis: Millis) -> String {
    match millis.max(0) {
        short @ 0..10_000 => format!("{short} ms"),
        some @ 10_000..600_000 => format!("{:.1} s", some as f64 / 1_000.0),
        long => format!("{} min", long / 60_000),
    }
}

/// The part of a run's id that people read and type; [`clockwright_model::RunId`]s of one machine differ in it.
pub(crate) fn short_id(id: &str) -> String {
    id.get(..SHORT_ID).unwrap_or(id).to_owned()
}

/// The time, the version, and twelve random bits.
pub(crate) const SHORT_ID: usize = 18;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_others_wrote_cannot_act_on_a_terminal() {
        let evil = "\u{1b}[2J\u{1b}]0;pwned\u{7}ok\u{9b}8m\u{202e}\r\u{7f}\nnext";
        let shown = "\\x1b[2J\\x1b]0;pwned\\x07ok\\x9b8m\\u{202e}\\r\\x7f";
        assert_eq!(visible(evil), format!("{shown}\nnext"));
        assert_eq!(one_line(evil), format!("{shown}\\nnext"));
        let table = table_within(None, ["A", "B"], [[evil.to_owned(), "x".into()]]);
        assert_eq!(table.lines().count(), 2, "a line cannot be forged: {table}");
        assert!(!table.contains(|c: char| acts(c) && c != '\n'), "{table:?}");
        assert_eq!(fields([("reason", evil.to_owned())]), format!("reason       {shown}\\nnext\n"));
        let json = serde_json::to_string(&[evil]).unwrap();
        let plain = plain_json(&json);
        assert!(!plain.contains(acts), "{plain:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&plain).unwrap(), [evil], "and it means the same");
        assert_eq!(visible("grüße 你好\tjob\n"), "grüße 你好\tjob\n", "what is harmless stays");
    }

    #[test]
    fn s27_what_others_say_forges_no_line_of_the_log_and_moves_no_cursor() {
        let evil = "INFO job=\"a\r\nERROR forged \u{1b}[2J\u{2028}\u{202e}\u{9b}31m\"\n";
        let line = log_line(evil, false, false);
        assert_eq!(line, "INFO job=\"a\\r\\nERROR forged \\x1b[2J\\u{2028}\\u{202e}\\x9b31m\"\n");
        let coloured = log_line("\u{1b}[32mINFO\u{1b}[0m a\u{1b}[2Jb\n", false, true);
        assert_eq!(coloured, "\u{1b}[32mINFO\u{1b}[0m a\\x1b[2Jb\n");
        let json = serde_json::json!({ "job": "a\r\n\u{1b}\u{2028}\u{202e}\u{9b}" });
        let line = log_line(&format!("{json}\n"), true, false);
        assert!(!line.trim_end_matches('\n').contains(acts), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), json, "and it means the same");
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_at_most() {
        let rows = || {
            let reason =
                "GET http://127.0.0.1:18087/ answered 500 Internal Server Error: the database is down";
            [["report".into(), "2026-01-31 12:00:00 CET".into(), reason.to_owned()]]
        };
        let header = ["JOB", "FIRE", "REASON"];
        for width in [40u16, 60, 80] {
            let table = table_within(Some(width), header, rows());
            assert!(table.lines().all(|line| line.chars().count() <= width.into()), "{width}:\n{table}");
        }
        assert_eq!(table_within(None, header, rows()).lines().count(), 2, "a pipe has no width");
    }

    #[test]
    fn causes_are_told_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open it")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(with_causes(&error), "cannot open it: permission denied");
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }
}
