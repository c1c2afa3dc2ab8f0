//! The facts by which a server's health is judged. None costs a question to the database that is not asked anyway.

use super::page::old_mirrors;
use crate::app::App;
use crate::decide::health::{Facts, Judged, judge};
use crate::registries::Standing;
use std::time::{Duration, Instant};

/// The journal is asked every half second: when it was not answered for so long, the database is away.
const AWAY: Duration = Duration::from_secs(10);

/// How the server is now.
#[must_use]
pub fn health(app: &App) -> Judged {
    let counts = app.counted.last();
    let away = |(_, standing, _): &(String, Standing, _)| matches!(standing, Standing::Away(_));
    judge(&Facts {
        leaving: *app.leaving().borrow(),
        still: app.pulses.still(Instant::now()),
        database_away: app.database_away() || app.followed() > AWAY,
        registries_away: app.registries.standing().iter().filter(|one| away(one)).count() as u64,
        stores_away: app.outcomes.away(),
        mirrors_old: old_mirrors(app),
        jobs_held: counts.in_state("held"),
        channels_dead: counts.dead,
    })
}

/// Whether the server is alive: only what a new start would mend counts.
#[must_use]
pub fn life(app: &App) -> Judged {
    let still = app.pulses.still(Instant::now());
    if !still.is_empty() {
        tracing::error!(
            loops = still.join(", "),
            "loops do not turn any more: the server is to be started anew"
        );
    }
    judge(&Facts { still, ..Facts::default() })
}
