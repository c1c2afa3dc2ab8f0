//! What Java's keys in a job's config say: the same settings as a jobs file's, by the names of each layout, in its forms.
//!
//! Here is what each key says; how a text or a number stands in JSON or in YAML is the business of `config` in `fleet`, which
//! writes and reads, and so is what no setting is: the job's name, its type, its class and the properties of that.

use crate::table::{JavaKey, Kept, SETTINGS, Said, Setting};
use crate::value::{Form, Value};
use clockwright_model::{JobSettings, SettingsError};

/// A layout of configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Elastic-Job 2.x.
    V2,
    /// ElasticJob 3.x.
    V3,
}

impl Layout {
    /// Java's key of a setting.
    fn key(self, kept: Kept) -> Option<JavaKey> {
        match self {
            Layout::V2 => kept.v2,
            Layout::V3 => kept.v3,
        }
    }
}

/// The keys of all settings, in the order in which Elastic-Job 2.x writes them.
pub fn keys(layout: Layout) -> impl Iterator<Item = &'static str> {
    rows(layout).map(|(_, key)| key.name)
}

/// What a config says under Java's keys, in the order in which Elastic-Job 2.x writes them. Texts, numbers and flags only.
pub fn write(settings: &JobSettings, layout: Layout) -> impl Iterator<Item = (&'static str, Value)> {
    rows(layout).filter_map(move |(setting, key)| {
        let value = match key.said {
            Said::Otherwise(_, (get, _)) => get(settings),
            Said::AsHere | Said::Elsewhere => setting.get(settings),
        }?;
        let says_nothing =
            key.sparse && setting.form.parse(setting.default).is_ok_and(|plain| plain == value);
        (!says_nothing).then_some((key.name, value))
    })
}

/// Reads settings from a config. `value` has what the config says under a key, in this form, or nothing. Limits are not looked
/// at: whoever uses the settings does.
///
/// # Errors
/// Those of `value`, and numbers that no setting can be.
pub fn read(
    settings: &mut JobSettings,
    layout: Layout,
    value: impl Fn(&str, Form) -> Result<Option<Value>, SettingsError>,
) -> Result<(), SettingsError> {
    for (setting, key) in rows(layout) {
        let (form, set) = match key.said {
            Said::Otherwise(form, (_, set)) => (form, Some(set)),
            Said::AsHere | Said::Elsewhere => (setting.form, None),
        };
        let said = match value(key.name, form)? {
            Some(said) => Ok(said),
            None => form.parse(key.missing),
        };
        let done = said.and_then(|said| match set {
            Some(set) => set(settings, said),
            None => setting.set_any(settings, said),
        });
        done.map_err(|message| SettingsError::new(key.name, message))?;
    }
    Ok(())
}

fn rows(layout: Layout) -> impl Iterator<Item = (&'static Setting, JavaKey)> {
    let with_key = move |setting: &'static Setting| Some((setting, layout.key(setting.kept)?));
    SETTINGS.iter().filter_map(with_key).filter(|(_, key)| !matches!(key.said, Said::Elsewhere))
}
