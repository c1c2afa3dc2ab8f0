//! The `config` node of a job: its settings on the wire, as each layout has them.

pub mod v2;
pub mod v3;
mod yaml;

use clockwright_model::{JobName, JobSettings, SettingsError};
use clockwright_planner::Schedule;
use clockwright_settings::Usable;

/// The schedule of settings of which an instance can make use; an error names the key at fault as a jobs file spells it.
///
/// # Errors
/// The settings are another job's, or no instance could run by them.
pub fn usable(settings: &JobSettings, job: &JobName) -> Result<Schedule, SettingsError> {
    if settings.name != *job {
        let message = format!("is `{}`, but this is job `{job}`, and a job cannot be renamed", settings.name);
        return Err(SettingsError::new("jobName", message));
    }
    Usable::parse(settings).map(|usable| usable.schedule).map_err(|mut problems| problems.swap_remove(0))
}

/// Refuses a config without items, in either layout.
fn has_items(settings: &JobSettings) -> Result<(), SettingsError> {
    match settings.sharding_total_count {
        0 => Err(SettingsError::new("shardingTotalCount", "is missing or 0; a job has 1 item or more")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::layout::Layout;
    use clockwright_model::JobKind;
    use clockwright_settings::table::{SETTINGS, Setting};
    use clockwright_settings::{diff, own};

    /// A job with one setting that is not the default, and one without.
    fn with(setting: &Setting) -> (JobSettings, JobSettings) {
        let mut plain = JobSettings::new(JobName::new("a").unwrap(), JobKind::Simple, "0 0 12 * * ?", 1);
        if matches!(setting.key, "misfireCap" | "misfireWindow") {
            plain.misfire = clockwright_model::Misfire::FIRE_ALL;
        }
        let mut job = plain.clone();
        setting.set(&mut job, setting.of_text(setting.example).unwrap()).unwrap();
        (job, plain)
    }

    #[test]
    fn an_edit_of_each_setting_of_the_table_reaches_the_instances_of_either_layout_or_is_known_to_be_local() {
        for setting in SETTINGS.iter().filter(|setting| setting.is_shared()) {
            let (edited, plain) = with(setting);
            assert_ne!(diff(&plain, &edited), [], "{}: the example is the default", setting.key);
            for layout in [Layout::V2, Layout::V3] {
                let before = layout.write(&plain);
                let after = layout.rewrite(before.as_bytes(), b"a", &edited);
                // Each instance has the default in its own file.
                let read = layout.read(after.as_bytes(), b"a", Some(&plain)).unwrap();
                let arrived = diff(&read, &edited).is_empty();
                let local = layout == Layout::V3 && own::only_local(&edited).contains(&setting.key);
                assert_eq!(arrived, !local, "{} in {layout}: {after}", setting.key);
                let back = layout.rewrite(after.as_bytes(), b"a", &plain);
                let read = layout.read(back.as_bytes(), b"a", Some(&plain)).unwrap();
                assert_eq!(diff(&read, &plain), [], "{} in {layout}, taken back: {back}", setting.key);
            }
        }
    }

    #[test]
    fn an_edit_keeps_what_only_others_know_in_either_layout_wherever_it_stands() {
        let job = with(SETTINGS.iter().find(|setting| setting.key == "failover").unwrap()).1;
        let v2 = Layout::V2.write(&job).replace(
            "\"jobProperties\":{",
            "\"owner\":{\"team\":[1,null]},\"jobProperties\":{\"a\\u003db\":\"c\",",
        );
        let v3 = format!("# by hand\n{}owner:\n  team: [1, null]\nlabel: x\n", Layout::V3.write(&job));
        let mut edited = job.clone();
        edited.job_parameter = "new".into();
        let v2_after = Layout::V2.rewrite(v2.as_bytes(), b"", &edited);
        let json: serde_json::Value = serde_json::from_str(&v2_after).unwrap();
        assert_eq!(json["owner"], serde_json::json!({"team": [1, null]}));
        assert_eq!(json["jobProperties"]["a=b"], "c", "{v2_after}");
        assert_eq!(json["jobParameter"], "new");
        let v3_after = Layout::V3.rewrite(v3.as_bytes(), b"a", &edited);
        assert!(v3_after.starts_with("# by hand\n"), "{v3_after}");
        assert!(v3_after.contains("owner:\n  team: [1, null]\nlabel: x\n"), "{v3_after}");
        assert!(v3_after.contains("jobParameter: new\n"), "{v3_after}");
        for (layout, text) in [(Layout::V2, v2_after), (Layout::V3, v3_after)] {
            assert_eq!(layout.rewrite(text.as_bytes(), b"a", &edited), text, "nothing more changes");
        }
    }
}
