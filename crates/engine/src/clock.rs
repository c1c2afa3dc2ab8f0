//! The two clocks of an engine.

use crate::core::Now;
use clockwright_model::Millis;
use std::time::{SystemTime, UNIX_EPOCH};

/// What both clocks say now.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis);
    Now { wall, mono: mono() }
}

/// Milliseconds of `CLOCK_BOOTTIME`, which counts the time that the machine was suspended.
pub(crate) fn mono() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}
