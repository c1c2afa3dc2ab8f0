//! The jobs that tests begin with.

use clockwright_model::{Exclusive, Item, JobKind, JobName, JobSettings};

/// A job that succeeds, with items that must not run twice.
pub fn job(name: &str, cron: &str, items: Item) -> JobSettings {
    let name = JobName::new(name).unwrap();
    let mut job = JobSettings::new(name, JobKind::Simple, cron, items);
    job.time_zone = Some("UTC".to_owned());
    job.exclusive = Exclusive::Strict;
    job
}

/// A schedule that no test lives to see.
pub const NEVER: &str = "0 0 0 1 1 ? 2099";
/// Each second.
pub const EACH_SECOND: &str = "* * * * * ?";
/// Every other minute.
pub const EVERY_TWO_MINUTES: &str = "0 0/2 * * * ?";
