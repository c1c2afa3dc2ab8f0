//! Every family of metrics: a name, what kind of number it is, its labels, what it means. Whoever counts something takes its family from here, so
//! none is counted that the page of reference does not have.
//!
//! Units are those of the base: seconds, bytes. No job, item or person is a label; a project is one only while there are few
//! ([`PROJECTS`]), so that the number of series does not grow with what people make.

use std::fmt::Write;

/// With more projects than these all are told together, as the project `other`.
pub const PROJECTS: usize = 100;

/// Time of a request or of a question to a database, seconds.
const SHORT: &[f64] = &[0.005, 0.02, 0.05, 0.2, 1.0, 5.0];
/// Time of a chore, an operation or a run, seconds.
const LONG: &[f64] = &[0.1, 0.5, 2.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0];

/// One family.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub form: Form,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// It only grows while the server runs.
    Counter,
    /// It is what it is when it is asked for.
    Gauge,
    /// How long things took, counted in these buckets.
    Seconds(&'static [f64]),
}

impl Form {
    /// As Prometheus says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Form::Counter => "counter",
            Form::Gauge => "gauge",
            Form::Seconds(_) => "histogram",
        }
    }
}

macro_rules! families {
    ($($id:ident $name:literal $form:ident $(($buckets:ident))? [$($label:literal)*] $help:literal)*) => {
        $(
            #[doc = $help]
            pub static $id: Family =
                Family { name: $name, form: Form::$form $(($buckets))?, labels: &[$($label),*], help: $help };
        )*

        /// All families, in the order of the page.
        pub static ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    HTTP_REQUESTS "clockwright_http_requests_total" Counter ["route" "method" "code"] "Requests that were answered, by the status of the answer."
    HTTP_SECONDS "clockwright_http_request_seconds" Seconds(SHORT) ["route"] "Time from a request's head to its answer; of a stream, to its beginning."
    HTTP_STREAMS "clockwright_http_streams" Gauge [] "Live streams that are open."
    SIGN_INS "clockwright_sign_ins_total" Counter ["way" "result"] "Sign-ins by `password`, `oidc`, `link` and `rescue` that were `done` or `refused`."
    RATE_LIMITED "clockwright_rate_limited_total" Counter ["kind"] "Requests that were refused because their sender, or all together, asked too often: `reads`, `changes`, `triggers`, `sign-ins`, `streams`, `large` (applies and bulk operations), `busy`."
    JOURNAL_SEQ "clockwright_journal_seq" Gauge [] "The number of the journal's last record that this server has seen."
    JOURNAL_APPEND "clockwright_journal_append_seconds" Seconds(SHORT) [] "Time from the lock of the journal's head to the end of the commit."
    CATALOGUE_JOBS "clockwright_catalogue_jobs" Gauge ["state"] "Jobs in memory."
    CATALOGUE_LAG "clockwright_catalogue_lag_seconds" Gauge [] "Time since the journal was last followed to its end. It grows while the database is away."
    MIRROR_JOBS "clockwright_mirror_jobs" Gauge ["project"] "Jobs that the registry has."
    MIRROR_AGE "clockwright_mirror_age_seconds" Gauge ["project"] "How old the live state is, proved by an answer of the registry; of several projects, the oldest."
    MIRROR_STATE "clockwright_mirror_state" Gauge ["project" "state"] "How many projects' live state is `loading`, `following`, `catchingUp` or `away`."
    MIRROR_HINTS "clockwright_mirror_hints_total" Counter [] "Changes that registries hinted at."
    MIRROR_READS "clockwright_mirror_reads_total" Counter [] "Nodes that were read after a hint."
    SYNC_JOBS "clockwright_sync_jobs" Gauge ["project" "state"] "Jobs by how the registry agrees with the database; counted every half minute at most."
    SYNC_WRITES "clockwright_sync_writes_total" Counter ["project" "verdict"] "Jobs that were written, taken over, reported or left to a person after a look at the registry, by what was decided."
    SYNC_SWEEP "clockwright_sync_sweep_seconds" Seconds(LONG) [] "Time of a look at all jobs of a project."
    DRIFT "clockwright_drift_total" Counter ["kind"] "Changes of settings in a registry that somebody else made."
    HOLDS "clockwright_holds" Gauge ["kind" "origin"] "What stands still by somebody's wish; counted every half minute at most."
    OPERATIONS "clockwright_operations" Gauge ["kind" "state"] "Operations that have not ended; counted every half minute at most."
    OPERATION_SECONDS "clockwright_operation_seconds" Seconds(LONG) ["kind"] "Time from an operation's beginning to its end."
    TERM "clockwright_term" Gauge [] "The term in which this server leads; 0 while it does not."
    LEADER "clockwright_leader" Gauge [] "1 while this server leads."
    CHORE_SECONDS "clockwright_chore_seconds" Seconds(LONG) ["chore"] "Time of a turn of a chore. That of `sync` lasts as long as the term."
    CHORE_FAILURES "clockwright_chore_failures_total" Counter ["chore"] "Turns of chores that failed; they are tried again."
    ALERTS "clockwright_alerts" Gauge ["condition" "state"] "Alerts that are open: `firing`, or `acked` by somebody; counted every half minute at most."
    DELIVERIES "clockwright_deliveries_total" Counter ["kind" "result"] "Messages of alerts by the kind of their channel: `sent`, not taken and tried again (`waiting`), not tried any more (`dead`)."
    DELIVERIES_WAITING "clockwright_deliveries_waiting" Gauge [] "Messages that are to be sent; counted every half minute at most."
    REGISTRY_SESSION "clockwright_registry_session" Gauge ["registry" "state"] "1 for the state that the session with a registry is in: `open`, `away`, `unasked`."
    REGISTRY_REQUESTS "clockwright_registry_requests_total" Counter ["registry" "result"] "Requests to a registry: `ok`, `conflict`, `unknown` (the answer was lost), `failed`."
    DATABASE_SECONDS "clockwright_database_seconds" Seconds(SHORT) ["store" "what"] "Time of a `read`, of the `begin` of a transaction with the wait for a connection, of a `commit`."
    DATABASE_CONNECTIONS "clockwright_database_connections" Gauge ["store" "state"] "Connections with the database: `busy`, `idle`."
    FIRES "clockwright_fires_total" Counter ["outcome"] "Items whose newest fire got an outcome since this server started; of several within five seconds the last counts."
    FIRE_LATENESS "clockwright_fire_lateness_seconds" Seconds(LONG) [] "Time from the due instant of such a fire to the beginning of its deciding run."
    RUN_SECONDS "clockwright_run_seconds" Seconds(LONG) [] "Time of the deciding run of such a fire that succeeded."
    EVENTS_LOST "clockwright_events_lost_total" Counter ["store"] "Events that instances could neither store nor keep; counted every half minute at most."
    AUDIT_HEAD "clockwright_audit_head_info" Gauge ["seq" "hash"] "The journal's head, noted once an hour: `audit verify --expect SEQ:HASH` finds what was cut off since."
    BUILD_INFO "clockwright_build_info" Gauge ["version"] "The program."
    PROCESS_CPU "process_cpu_seconds_total" Counter [] "Time that processors spent on this process."
    PROCESS_MEMORY "process_resident_memory_bytes" Gauge [] "Memory of this process that is in RAM."
    PROCESS_FILES "process_open_fds" Gauge [] "Open file descriptors."
    PROCESS_MOST_FILES "process_max_fds" Gauge [] "How many may be open."
    PROCESS_THREADS "process_threads" Gauge [] "Threads."
    PROCESS_START "process_start_time_seconds" Gauge [] "When the process started, seconds since the epoch."
}

/// The page of reference, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = format!(
        "# Metrics\n\n\
         <!-- Made by `clockwright reference metrics`; a test compares it with the code. -->\n\n\
         `GET /metrics` answers in the text format of Prometheus. It needs `metrics.read`: an administrator's session or a token with that scope. The same\n\
         page is open, without a sign-in, on `metrics.listen`, which is `127.0.0.1:8898` unless told.\n\n\
         No job, item or person is a label. A project is one while there are at most {PROJECTS}; with more, all are told together as `other`.\n\n\
         | family | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for family in ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            family.name,
            family.form.word(),
            labels.join(", "),
            family.help
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(path, reference()).expect("the page is written");
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == reference(),
            "run `clockwright reference metrics > docs/reference/metrics.md`, or this test with WRITE_REFERENCE=1"
        );
    }

    #[test]
    fn what_the_guide_says_to_watch_is_there() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/server-operations.md");
        let guide = std::fs::read_to_string(guide).expect("it is there");
        let is_word = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let words = guide.split(|letter| !is_word(letter)).filter(|word| word.starts_with("clockwright_"));
        let watched: Vec<&str> = words.collect();
        assert!(watched.len() > 10, "{watched:?}");
        for word in watched {
            let name = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(ALL.iter().any(|family| family.name == name), "{word}");
        }
    }

    #[test]
    fn names_say_what_they_count_and_in_which_unit() {
        let mut names: Vec<&str> = ALL.iter().map(|family| family.name).collect();
        for family in ALL {
            let is_total = family.name.ends_with("_total");
            assert_eq!(is_total, family.form == Form::Counter, "{}", family.name);
            if matches!(family.form, Form::Seconds(_)) {
                assert!(family.name.ends_with("_seconds"), "{}", family.name);
            }
            for label in family.labels {
                assert!(!["job", "item", "person", "user", "login"].contains(label), "{}", family.name);
            }
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
