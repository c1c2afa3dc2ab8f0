//! A job's settings as they count here: what its config node says, checked and parsed.

use super::Given;
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::Rule;
use clockwright_model::{JobSettings, Millis};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::Strategy;
use clockwright_registry::Stat;
use clockwright_settings::Usable;
use std::sync::Arc;

/// Settings as the registry has them, parsed.
pub(crate) struct Effective {
    /// The local ones themselves where they say the same.
    pub(crate) settings: Arc<JobSettings>,
    pub(crate) schedule: Schedule,
    pub(crate) schedule_hash: u32,
    pub(crate) rule: Arc<Rule>,
    /// Since when the job has this schedule, by the registry's clock, as far as is known here.
    pub(crate) schedule_since: Millis,
    pub(crate) strategy: Strategy,
    pub(crate) job_parameter: Arc<str>,
    pub(crate) item_parameters: Vec<Option<Arc<str>>>,
    /// When the settings were last written, by the registry's clock.
    pub(crate) changed_at: Millis,
    /// The config node's last transaction.
    pub(crate) modified: i64,
    /// What the job's root node said.
    pub(crate) root: Bytes,
}

impl Effective {
    /// Reads and checks a config node, with what this process has of the job.
    pub(super) fn read(
        layout: Layout,
        data: &[u8],
        stat: Stat,
        root: Bytes,
        given: &Given,
    ) -> Result<Self, String> {
        let settings = layout
            .read(data, &root, given.settings().map(|local| &**local))
            .map_err(|error| format!("the config node is not usable: {error}"))?;
        if settings.name != *given.name() {
            return Err(format!("the config node is about another job, `{}`", settings.name));
        }
        let Usable { schedule, strategy, item_parameters } =
            Usable::parse(&settings).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                format!("the config node is not usable: {}", problems.join("; "))
            })?;
        let item_parameters =
            (0..settings.sharding_total_count).map(|item| item_parameters.get(item).map(Arc::from)).collect();
        let settings = match given.settings() {
            Some(local) if settings == **local => Arc::clone(local),
            _ => Arc::new(settings),
        };
        let zone = settings.time_zone.as_deref().unwrap_or("");
        Ok(Self {
            rule: Arc::new(Rule { cron: settings.cron.clone(), zone: settings.time_zone.clone() }),
            schedule_since: stat.modified_at,
            schedule_hash: fnv(&[settings.cron.as_bytes(), zone.as_bytes()]),
            schedule,
            strategy,
            job_parameter: settings.job_parameter.as_str().into(),
            item_parameters,
            changed_at: stat.modified_at,
            modified: stat.modified,
            root,
            settings,
        })
    }
}

fn fnv(parts: &[&[u8]]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in parts.iter().flat_map(|part| part.iter().chain(&[0xff])) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}
