//! The two layouts of a job's nodes: Elastic-Job 2.1.5's, and ElasticJob 3.x's. What differs between them is told here.
//!
//! # Which one a job has
//! Its `config` says so: JSON (it begins with `{`) is 2.x, anything else that is not empty is 3.x. The two cannot share a job, since
//! neither kind of Java instance can read the other's config. A job without a config gets the layout that other jobs of its
//! namespace have, and in a namespace without jobs that of 2.1.5, unless the operator asked for one.
//! A job that has a config keeps its layout whatever was asked for; that is told.
//!
//! The layout is part of what is believed about a job (the core's mirror), and every decision is taken by what was read last.
//!
//! # What differs
//! | node | 2.x | 3.x |
//! |---|---|---|
//! | `/{job}` | empty | the class of the job, `SCRIPT` or `HTTP` |
//! | `config` | JSON ([`crate::config::v2`]) | YAML ([`crate::config::v3`]) |
//! | `servers/{ip}` | `DISABLED` or enabled | exactly `ENABLED` is enabled |
//! | `instances/{id}` | empty, or `TRIGGER` | YAML with the id and the address; one that is empty is no member |
//! | `trigger/{id}` | – | persistent: fire now; the instance deletes it |
//! | `sharding/{i}/running` | ephemeral, empty | the runner's id; persistent with `failover` |
//! | `sharding/{i}/failovering` | – | persistent: the id of the taker |
//! | `leader/sharding/necessary` | raised by everybody | raised by the leader |
//!
//! Everything else is the same: election, latches, plans, marks of orphans, and all nodes of our own.
//!
//! # Persistent marks
//! `running` and `failovering` of 3.x outlive their owner, and a Java leader waits for ever for a `running` that nobody
//! deletes. `crates/engine/src/core/marks.rs` clears what the dead left.
//!
//! # What Java has no key for
//! A Java 3.x reader refuses a config with a key that it does not know, so nothing of ours can be in it. Retries, timeouts,
//! `exclusive`, `misfire: fire_all` and zones that are not `GMT±h` come from the local job of each instance, as they do in 2.x
//! after a Java console has edited the config. A node of our own for them would be a second truth beside the config, which Java's
//! console removes and edits without it. Whoever wants the same everywhere gives all instances the same file.

use crate::config::{v2, v3};
use clockwright_model::job::SCRIPT_CLASS;
use clockwright_model::{InstanceId, JobKind, JobSettings, SettingsError};
use clockwright_settings::own;
use clockwright_settings::table::find;
use std::fmt;

/// How a job's nodes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Elastic-Job 2.1.5's.
    #[default]
    V2,
    /// ElasticJob 3.x's, as of 3.0.2.
    V3,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::V2 => "2.x",
            Layout::V3 => "3.x",
        })
    }
}

impl Layout {
    /// Its number, as options and stored settings write it: `2` or `3`.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Layout::V2 => "2",
            Layout::V3 => "3",
        }
    }

    /// The layout of that number.
    #[must_use]
    pub fn numbered(text: &str) -> Option<Self> {
        [Layout::V2, Layout::V3].into_iter().find(|layout| layout.number() == text)
    }

    /// The layout that a `config` node is of; `None` when there is nothing in it.
    #[must_use]
    pub fn of(config: &[u8]) -> Option<Layout> {
        match config.trim_ascii_start().first()? {
            b'{' => Some(Layout::V2),
            _ => Some(Layout::V3),
        }
    }

    /// Reads a job's settings from its `config` and its root node; what Java has no key for comes from `local`.
    ///
    /// # Errors
    /// Names the key that cannot be used.
    pub fn read(
        self,
        config: &[u8],
        root: &[u8],
        local: Option<&JobSettings>,
    ) -> Result<JobSettings, SettingsError> {
        match self {
            Layout::V2 => v2::read(config, local),
            Layout::V3 => v3::read(config, root, local),
        }
    }

    /// A `config` node for these settings.
    #[must_use]
    pub fn write(self, settings: &JobSettings) -> String {
        match self {
            Layout::V2 => v2::write(settings),
            Layout::V3 => v3::write(settings),
        }
    }

    /// The `config` node for these settings in the place of another one. What only Java knows is kept.
    #[must_use]
    pub fn rewrite(self, config: &[u8], root: &[u8], settings: &JobSettings) -> String {
        match self {
            Layout::V2 => v2::rewrite(config, settings),
            Layout::V3 => v3::rewrite(config, root, settings),
        }
    }

    /// What the job's root node says beside such a config.
    #[must_use]
    pub fn root(self, settings: &JobSettings) -> &str {
        match (self, &settings.kind) {
            (Layout::V2, _) => "",
            (Layout::V3, JobKind::Script { .. }) => "SCRIPT",
            (Layout::V3, JobKind::Http) => "HTTP",
            (Layout::V3, _) if settings.class == SCRIPT_CLASS => settings.name.as_str(),
            (Layout::V3, _) => &settings.class,
        }
    }

    /// Whether the layout can have such a job.
    ///
    /// # Errors
    /// Names the key that it cannot.
    pub fn check(self, settings: &JobSettings) -> Result<(), SettingsError> {
        match self {
            Layout::V2 => v2::check(settings),
            Layout::V3 => Ok(()),
        }
    }

    /// Whether a config of the layout has room for what these keys of a jobs file are set to.
    ///
    /// # Errors
    /// Names the first key for which it has none.
    pub fn holds(
        self,
        settings: &JobSettings,
        keys: impl IntoIterator<Item = &'static str>,
    ) -> Result<(), SettingsError> {
        let only_local = match self {
            Layout::V2 => return Ok(()),
            Layout::V3 => own::only_local(settings),
        };
        let no_room = |key: &&str| {
            let whole = find(key).is_none_or(|setting| setting.kept.fits_3x() || setting.key == "misfire");
            !whole || only_local.contains(key)
        };
        match keys.into_iter().find(no_room) {
            None => Ok(()),
            Some(key) => Err(SettingsError::new(
                key,
                "has no place in a config of ElasticJob 3.x, which refuses keys that Java does not know; \
                 each instance has it from its own jobs file",
            )),
        }
    }

    /// What `servers/{ip}` says.
    #[must_use]
    pub fn server(self, disabled: bool) -> &'static str {
        match (self, disabled) {
            (_, true) => "DISABLED",
            (Layout::V2, false) => "",
            (Layout::V3, false) => "ENABLED",
        }
    }

    /// Whether a server with this node, or without one, takes part.
    #[must_use]
    pub fn is_enabled(self, server: Option<&[u8]>) -> bool {
        match self {
            Layout::V2 => server != Some(b"DISABLED"),
            Layout::V3 => server == Some(b"ENABLED"),
        }
    }

    /// What `instances/{id}` says while nothing is asked of the instance.
    #[must_use]
    pub fn instance(self, id: &InstanceId) -> String {
        match self {
            Layout::V2 => String::new(),
            Layout::V3 => v3::instance(id),
        }
    }

    /// The address of a member by its node; `None` when the layout does not count it as one.
    #[must_use]
    pub fn address(self, id: &InstanceId, data: &[u8]) -> Option<String> {
        match self {
            Layout::V2 => Some(id.ip().to_owned()),
            Layout::V3 => v3::address(id, data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_of_a_config_tells_its_layout() {
        assert_eq!(Layout::of(br#"{"jobName":"a"}"#), Some(Layout::V2));
        assert_eq!(Layout::of(b"cron: 0/5 * * * * ?\n"), Some(Layout::V3));
        assert_eq!(Layout::of(b"no config at all"), Some(Layout::V3));
        assert_eq!((Layout::of(b""), Layout::of(b" \n")), (None, None));
    }

    #[test]
    fn only_the_exact_word_enables_a_server_of_3x_and_only_the_other_one_disables_one_of_2x() {
        let enabled = |layout: Layout| {
            [None, Some(&b""[..]), Some(b"ENABLED"), Some(b"DISABLED"), Some(b"enabled")]
                .map(|data| layout.is_enabled(data))
        };
        assert_eq!(enabled(Layout::V2), [true, true, true, false, true]);
        assert_eq!(enabled(Layout::V3), [false, false, true, false, false]);
    }

    #[test]
    fn a_member_of_3x_says_its_address_and_an_empty_node_is_none() {
        let id = InstanceId::from_wire("10.0.0.1@-@7");
        let data = Layout::V3.instance(&id);
        assert_eq!(data, "jobInstanceId: 10.0.0.1@-@7\nserverIp: 10.0.0.1\n");
        assert_eq!(Layout::V3.address(&id, data.as_bytes()).as_deref(), Some("10.0.0.1"));
        let other = b"jobInstanceId: 10.0.0.1@-@7\nlabels: a\nserverIp: 10.9.9.9\n";
        assert_eq!(Layout::V3.address(&id, other).as_deref(), Some("10.9.9.9"));
        assert_eq!(Layout::V3.address(&id, b""), None);
        assert_eq!(Layout::V2.address(&id, b"").as_deref(), Some("10.0.0.1"));
    }
}
