//! Waiting for the outside to end a run: a stop request, or a lease that passes.

use crate::{Control, Output, Stop, StopReason, boottime};
use clockwright_model::Millis;
use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;

impl Control {
    /// Nobody stops the run and no lease guards it.
    #[must_use]
    pub fn unattended() -> Self {
        Self {
            stop: watch::channel(Stop::No).1,
            lease: None,
            wind_down: watch::channel(false).1,
            output: Output::default(),
        }
    }

    /// Why the run must not go on at this moment, if so.
    #[must_use]
    pub fn verdict(&self) -> Option<StopReason> {
        if let Stop::Now(reason) = *self.stop.borrow() {
            return Some(reason);
        }
        let until = *self.lease.as_ref()?.borrow();
        (until <= boottime()).then_some(StopReason::LeaseLost)
    }
}

/// Waits for a stop request; for ever when nobody is left who could make one.
pub(crate) async fn stop_request(stop: &mut watch::Receiver<Stop>) -> StopReason {
    let reason = match stop.wait_for(|stop| *stop != Stop::No).await.as_deref() {
        Ok(Stop::Now(reason)) => Some(*reason),
        _ => None,
    };
    match reason {
        Some(reason) => reason,
        None => pending().await,
    }
}

/// Waits until the lease has passed without being renewed. A lease whose keeper is gone is not renewed any more.
pub(crate) async fn lease_end(lease: Option<&mut watch::Receiver<Millis>>) {
    let Some(lease) = lease else { return pending().await };
    let mut kept = true;
    loop {
        let left = *lease.borrow_and_update() - boottime();
        if left <= 0 {
            return;
        }
        // The runtime's timers stand still while the machine sleeps and boot time does not, so long waits are cut.
        let pause = Duration::from_millis(left.unsigned_abs().min(1_000));
        tokio::select! {
            changed = lease.changed(), if kept => kept = changed.is_ok(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
