//! How a server is, by what it knows of itself.
//!
//! | state | alive | ready | healthy |
//! |---|---|---|---|
//! | it starts, or leaves | yes | no | no |
//! | all is well | yes | yes | yes |
//! | a registry or an event store is away, live state is old, jobs are held, messages were given up | yes | degraded | no |
//! | the database is away: lists and live state go on, changes do not | yes | degraded | no |
//! | a loop does not turn any more | no | no | no |
//!
//! *Alive* says whether a new start would help; *ready*, whether a balancer is to send requests here; *healthy*, whether somebody is to look.

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The server leaves.
    pub leaving: bool,
    /// Loops that do not turn any more.
    pub still: Vec<String>,
    /// The database does not answer.
    pub database_away: bool,
    /// How many registries are away that were asked for.
    pub registries_away: u64,
    /// How many event stores are away.
    pub stores_away: u64,
    /// How many projects' live state is older than it should be.
    pub mirrors_old: u64,
    /// How many jobs wait for a person before the registry is written.
    pub jobs_held: u64,
    /// How many channels have messages that are not tried any more.
    pub channels_dead: u64,
}

/// May requests be sent there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// No.
    No,
    /// Yes, though not all of it works.
    Degraded,
    /// Yes.
    Yes,
}

/// What is not well: its code, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What.
    pub code: &'static str,
    /// How many of it.
    pub count: u64,
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// False: a new start would help.
    pub alive: bool,
    /// May requests be sent there?
    pub ready: Ready,
    /// All that is not well; nothing where it is healthy.
    pub troubles: Vec<Trouble>,
}

/// Judges.
#[must_use]
pub fn judge(facts: &Facts) -> Judged {
    let troubles: Vec<Trouble> = [
        ("leaving", u64::from(facts.leaving)),
        ("loop-still", facts.still.len() as u64),
        ("database-away", u64::from(facts.database_away)),
        ("registry-away", facts.registries_away),
        ("store-away", facts.stores_away),
        ("live-old", facts.mirrors_old),
        ("sync-held", facts.jobs_held),
        ("deliveries-dead", facts.channels_dead),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(code, count)| Trouble { code, count })
    .collect();
    let alive = facts.still.is_empty();
    let ready = match (alive && !facts.leaving, troubles.is_empty()) {
        (false, _) => Ready::No,
        (true, false) => Ready::Degraded,
        (true, true) => Ready::Yes,
    };
    Judged { alive, ready, troubles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_the_table_is_judged_as_it_says() {
        let well = Facts::default();
        for (facts, alive, ready, code) in [
            (well.clone(), true, Ready::Yes, None),
            (Facts { leaving: true, ..well.clone() }, true, Ready::No, Some("leaving")),
            (Facts { registries_away: 2, ..well.clone() }, true, Ready::Degraded, Some("registry-away")),
            (Facts { stores_away: 1, ..well.clone() }, true, Ready::Degraded, Some("store-away")),
            (Facts { mirrors_old: 1, ..well.clone() }, true, Ready::Degraded, Some("live-old")),
            (Facts { jobs_held: 51, ..well.clone() }, true, Ready::Degraded, Some("sync-held")),
            (Facts { channels_dead: 1, ..well.clone() }, true, Ready::Degraded, Some("deliveries-dead")),
            (Facts { database_away: true, ..well.clone() }, true, Ready::Degraded, Some("database-away")),
            (Facts { still: vec!["mirror".into()], ..well }, false, Ready::No, Some("loop-still")),
        ] {
            let judged = judge(&facts);
            assert_eq!((judged.alive, judged.ready), (alive, ready), "{facts:?}");
            assert_eq!(judged.troubles.first().map(|trouble| trouble.code), code, "{facts:?}");
        }
    }
}
