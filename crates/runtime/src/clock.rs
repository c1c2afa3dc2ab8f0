//! The clock that leases are measured on.

use clockwright_model::Millis;
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of `CLOCK_BOOTTIME`: it never jumps, and unlike `std::time::Instant` it goes on while the machine sleeps,
/// so that a lease cannot outlive a suspend.
#[must_use]
pub fn boottime() -> Millis {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}
