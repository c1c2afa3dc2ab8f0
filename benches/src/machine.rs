//! What the machine is and does: the facts without which a figure means nothing.

use anyhow::Context as _;
use serde::Serialize;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The facts at one moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    cores: usize,
    kernel: String,
    /// Over the last minute.
    load_average: f64,
    /// Share of CPU time that the host gave to others since boot, percent.
    steal_percent: f64,
    /// Median time of writing 512 bytes and `fdatasync`, milliseconds.
    fdatasync_p50_ms: f64,
    build: &'static str,
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cores, Linux {}, load {:.2}, steal {:.1} %, fdatasync p50 {:.3} ms, {} build",
            self.cores, self.kernel, self.load_average, self.steal_percent, self.fdatasync_p50_ms, self.build
        )
    }
}

pub(crate) fn facts() -> anyhow::Result<Facts> {
    let load = std::fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
    let stat = std::fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let ticks: Vec<f64> =
        stat.lines().next().unwrap_or("").split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let all: f64 = ticks.iter().take(8).sum();
    Ok(Facts {
        cores: std::thread::available_parallelism()?.get(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        load_average: load.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default(),
        steal_percent: ticks.get(7).map_or(0.0, |steal| 100.0 * steal / all),
        fdatasync_p50_ms: fdatasync()?,
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

fn fdatasync() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    file.write_all(&[0; 65_536])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[1; 512])?;
        file.sync_data()?;
        times.push(millis(start.elapsed()));
    }
    Ok(crate::stats::median(times))
}

/// CPU time that this process has used.
pub(crate) fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Microseconds since 1970.
pub(crate) fn wall_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// Milliseconds since 1970.
pub(crate) fn wall() -> i64 {
    wall_micros() / 1_000
}

/// Returns at this wall time, milliseconds since 1970.
pub(crate) async fn at_wall(at: i64) {
    tokio::time::sleep_until(instant_of(at)).await;
}

/// The instant of a wall time, milliseconds since 1970.
pub(crate) fn instant_of(at: i64) -> tokio::time::Instant {
    let wait = (at * 1_000 - wall_micros()).max(0) as u64;
    tokio::time::Instant::now() + Duration::from_micros(wait)
}

/// The next multiple of `period` (milliseconds) that is at least `margin` away.
pub(crate) fn next_multiple(period: i64, margin: i64) -> i64 {
    ((wall() + margin).div_euclid(period) + 1) * period
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// What a process uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory, bytes.
    pub(crate) resident: u64,
    pub(crate) threads: u64,
    /// CPU time since its start, of all its threads; to a hundredth of a second.
    pub(crate) cpu: Duration,
}

/// What a process uses now.
pub(crate) fn usage(pid: u32) -> anyhow::Result<Usage> {
    let read = |file: &str| {
        let file = format!("/proc/{pid}/{file}");
        std::fs::read_to_string(&file).context(file)
    };
    let status = read("status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.with_context(|| format!("no {name} in /proc/{pid}/status"))
    };
    // Behind the name in parentheses; user and system time are the 14th and 15th of all fields.
    let stat = read("stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let second = rustix::param::clock_ticks_per_second();
    Ok(Usage {
        resident: field("VmRSS:")? * 1_024,
        threads: field("Threads:")?,
        cpu: Duration::from_micros(ticks * 1_000_000 / second),
    })
}
