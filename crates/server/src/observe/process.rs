//! This process, as the system sees it.

use super::Metrics;
use super::names::{
    PROCESS_CPU, PROCESS_FILES, PROCESS_MEMORY, PROCESS_MOST_FILES, PROCESS_START, PROCESS_THREADS,
};
use std::fs;

/// Tells what `/proc` says; what cannot be read is left out.
pub(super) fn tell(sheet: &Metrics) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        sheet.total(&PROCESS_CPU, &[], stat.cpu / ticks);
        sheet.set(&PROCESS_THREADS, &[], stat.threads as f64);
        sheet.set(&PROCESS_MEMORY, &[], (stat.pages * rustix::param::page_size() as u64) as f64);
        if let Some(boot) = boot_time() {
            sheet.set(&PROCESS_START, &[], boot + stat.start as f64 / ticks as f64);
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        sheet.set(&PROCESS_FILES, &[], files.count() as f64);
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        sheet.set(&PROCESS_MOST_FILES, &[], most as f64);
    }
}

/// What is used of `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Ticks in user and system mode.
    cpu: u64,
    threads: u64,
    /// Ticks after the machine's start.
    start: u64,
    /// Pages in memory.
    pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name of the program stands in brackets, and may hold brackets and blanks itself.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu: field(14)? + field(15)?, threads: field(20)?, start: field(22)?, pages: field(24)? })
    }
}

/// When the machine started, seconds since the epoch.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_brackets() {
        let text = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 70 30 0 0 20 0 9 0 5000 1000000 250 18446744073709551615 1";
        assert_eq!(Stat::parse(text), Some(Stat { cpu: 100, threads: 9, start: 5_000, pages: 250 }));
        assert_eq!(Stat::parse("rubbish"), None);
    }
}
