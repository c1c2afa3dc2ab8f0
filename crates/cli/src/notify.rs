//! What systemd is told of a unit of `Type=notify`: that its start is complete, and that it ends. Nobody is told where nobody asked.

use sd_notify::NotifyState;

/// How far the process is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    /// It does its work.
    Ready,
    /// It was asked to end.
    Stopping,
}

pub(crate) fn tell(state: State) {
    let state = match state {
        State::Ready => NotifyState::Ready,
        State::Stopping => NotifyState::Stopping,
    };
    // It finds `NOTIFY_SOCKET` by itself, and has nothing to do without.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
