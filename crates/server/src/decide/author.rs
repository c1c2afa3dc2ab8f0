//! Who may have written a config: always a guess, and said so.
//!
//! Each program has a hand of its own. Elastic-Job 2.x's console writes its own order of keys and `streamingProcess` on every job. An instance
//! writes another order, and only when it starts with `overwrite`: then its node appears a moment later. Our own commands write an
//! instance's order too, but are no instance. ElasticJob 3.0.5 has keys that earlier ones have not.

use clockwright_fleet::Layout;
use clockwright_model::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An instance that appears so soon after a write may have written.
const SOON: Millis = 5_000;

/// Who may have written a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "guess", rename_all = "kebab-case")]
pub enum Author {
    /// Elastic-Job 2.x's console, or a program that uses its interface.
    Console,
    /// An instance at its start, with `overwrite`.
    Instance {
        /// Its id.
        instance: String,
    },
    /// A command of ours.
    Command,
    /// ElasticJob 3.0.5.
    ElasticJob305,
    /// Nobody knows.
    Unknown,
}

/// What was written, and when. Of a job of 3.x the root node is a part of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The config.
    pub config: &'a [u8],
    /// When the config was written last.
    pub config_at: Millis,
    /// When the job's root node was written last; 0 if there is none.
    pub root_at: Millis,
}

impl Author {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Author::Console => "Elastic-Job's console".to_owned(),
            Author::Instance { instance } => {
                format!("the instance {instance}, which starts with `overwrite: true`")
            }
            Author::Command => "a command of Clockwright".to_owned(),
            Author::ElasticJob305 => "ElasticJob 3.0.5".to_owned(),
            Author::Unknown => "somebody".to_owned(),
        }
    }
}

/// Who may have written these settings; the job's instances, each with the time when it appeared.
#[must_use]
pub fn guess(written: &Written, instances: &[(String, Millis)]) -> Author {
    let instance = |at: Millis| {
        let appeared_soon = |(_, appeared): &&(String, Millis)| (at..=at + SOON).contains(appeared);
        let starter = instances.iter().filter(appeared_soon).min_by_key(|(_, appeared)| *appeared);
        starter.map(|(id, _)| Author::Instance { instance: id.clone() })
    };
    match Layout::of(written.config) {
        Some(Layout::V2) => {
            let Ok(Value::Object(json)) = serde_json::from_slice(written.config) else {
                return Author::Unknown;
            };
            if is_of_console(&json) {
                Author::Console
            } else if is_of_instance(&json) {
                instance(written.config_at).unwrap_or(Author::Command)
            } else {
                Author::Unknown
            }
        }
        Some(Layout::V3) => {
            // ElasticJob writes the config and then the root. A root of much later was written by somebody whom the config does not show.
            let is_of_one_hand = written.root_at <= written.config_at + SOON;
            if is_of_one_hand && has_key_of_305(written.config) {
                return Author::ElasticJob305;
            }
            instance(written.config_at.max(written.root_at)).unwrap_or(Author::Unknown)
        }
        None => Author::Unknown,
    }
}

/// Whether whoever wrote this config replaces what it finds: such an instance appears a moment after it wrote.
#[must_use]
pub fn overwrites(config: &[u8]) -> bool {
    match Layout::of(config) {
        Some(Layout::V2) => serde_json::from_slice::<Value>(config)
            .is_ok_and(|json| json.get("overwrite") == Some(&true.into())),
        Some(Layout::V3) => {
            config.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == b"overwrite: true")
        }
        None => false,
    }
}

/// The console writes the type before the class, and `streamingProcess` on every job.
fn is_of_console(json: &Map<String, Value>) -> bool {
    starts_with(json, &["jobName", "jobType", "jobClass", "cron"])
        && json.contains_key("streamingProcess")
        && !json.contains_key("overwrite")
}

/// Instances and our own commands write the class before the type, and end with what the console does not know.
fn is_of_instance(json: &Map<String, Value>) -> bool {
    starts_with(json, &["jobName", "jobClass", "jobType", "cron"])
        && json.contains_key("overwrite")
        && (json.get("jobType").and_then(Value::as_str) == Some("DATAFLOW")
            || !json.contains_key("streamingProcess"))
}

fn starts_with(json: &Map<String, Value>, keys: &[&str]) -> bool {
    json.len() >= keys.len() && json.keys().zip(keys).all(|(there, key)| there == key)
}

fn has_key_of_305(config: &[u8]) -> bool {
    let text = String::from_utf8_lossy(config);
    text.lines().any(|line| line.starts_with("jobExecutorThreadPoolSizeProviderType:"))
        || text.contains("elasticjob.kernel.tracing.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clockwright_model::{JobKind, JobName, JobSettings};

    /// Written by Elastic-Job 2.1.5's console.
    const CONSOLE: &str = r#"{"jobName":"myJob","jobType":"SIMPLE","jobClass":"lab.RunJob$MyJob","cron":"0/9 * * * * ?","shardingTotalCount":4,"shardingItemParameters":"","jobParameter":"","monitorExecution":true,"streamingProcess":false,"maxTimeDiffSeconds":-1,"monitorPort":-1,"failover":false,"misfire":true,"jobShardingStrategyClass":"","description":"","jobProperties":{"executor_service_handler":"a","job_exception_handler":"b"},"reconcileIntervalMinutes":10}"#;
    /// Written by an instance of Elastic-Job 2.1.5.
    const INSTANCE: &str = r#"{"jobName":"myJob","jobClass":"lab.RunJob$MyJob","jobType":"SIMPLE","cron":"0/5 * * * * ?","shardingTotalCount":3,"shardingItemParameters":"0\u003dA,1\u003dB,2\u003dC","jobParameter":"p","failover":true,"misfire":true,"description":"","jobProperties":{"job_exception_handler":"com.dangdang.ddframe.job.executor.handler.impl.DefaultJobExceptionHandler","executor_service_handler":"com.dangdang.ddframe.job.executor.handler.impl.DefaultExecutorServiceHandler"},"monitorExecution":true,"maxTimeDiffSeconds":60,"monitorPort":9888,"jobShardingStrategyClass":"","reconcileIntervalMinutes":10,"disabled":false,"overwrite":true}"#;
    /// Written by ElasticJob 3.0.4, and by 3.0.5.
    const YAML: [&str; 2] = [
        "cron: 0/5 * * * * ?\ndescription: ''\ndisabled: false\nfailover: false\njobName: plain\njobParameter: ''\nmaxTimeDiffSeconds: -1\n\
         misfire: true\nmonitorExecution: true\noverwrite: true\nshardingTotalCount: 3\nstaticSharding: false\n",
        "cron: 0/5 * * * * ?\nfailover: true\njobExecutorThreadPoolSizeProviderType: CPU\njobName: plain\nmonitorExecution: true\n\
         shardingTotalCount: 4\n",
    ];

    fn at(config: &str, config_at: Millis) -> Written<'_> {
        Written { config: config.as_bytes(), config_at, root_at: 0 }
    }

    #[test]
    fn each_program_is_known_by_its_hand() {
        let nobody: &[(String, Millis)] = &[];
        let one = [("10.0.0.1@-@7".to_owned(), 10_900)];
        let started = Author::Instance { instance: "10.0.0.1@-@7".into() };
        for (config, instances, author) in [
            (CONSOLE, nobody, Author::Console),
            (CONSOLE, &one[..], Author::Console),
            (INSTANCE, &one[..], started.clone()),
            (INSTANCE, nobody, Author::Command),
            (YAML[0], &one[..], started),
            (YAML[0], nobody, Author::Unknown),
            (YAML[1], nobody, Author::ElasticJob305),
            ("{\"jobName\":\"myJob\"}", nobody, Author::Unknown),
            ("{ cut off", nobody, Author::Unknown),
            ("", nobody, Author::Unknown),
        ] {
            assert_eq!(guess(&at(config, 10_000), instances), author, "{config}");
        }
    }

    #[test]
    fn a_config_says_whether_its_writer_replaces_what_it_finds() {
        let says = [INSTANCE, YAML[0], CONSOLE, YAML[1], "{ cut off", ""]
            .map(|config| overwrites(config.as_bytes()));
        assert_eq!(says, [true, true, false, false, false, false]);
    }

    #[test]
    fn what_we_write_ourselves_reads_as_a_command_of_ours() {
        let name = JobName::new("report").expect("it is a name");
        for kind in [JobKind::Simple, JobKind::Dataflow { streaming: true }] {
            let mut settings = JobSettings::new(name.clone(), kind, "0 0 1 * * ?", 2);
            settings.class = "com.example.Report".into();
            let config = Layout::V2.write(&settings);
            assert_eq!(guess(&at(&config, 0), &[]), Author::Command, "{config}");
        }
    }

    #[test]
    fn an_instance_that_was_there_before_or_came_much_later_has_not_written() {
        for appeared in [9_999, 15_001] {
            let there = [("10.0.0.1@-@7".to_owned(), appeared)];
            assert_eq!(guess(&at(INSTANCE, 10_000), &there), Author::Command);
        }
    }

    #[test]
    fn whoever_writes_the_root_of_a_3x_job_later_is_not_who_wrote_its_config() {
        let one = [("10.0.0.1@-@7".to_owned(), 10_900)];
        let started = Author::Instance { instance: "10.0.0.1@-@7".into() };
        for (config, root_at, author) in [
            (YAML[0], 10_010, started.clone()),
            (YAML[0], 60_000, Author::Unknown),
            (YAML[1], 10_010, Author::ElasticJob305),
            (YAML[1], 60_000, Author::Unknown),
            // In 2.x the root says nothing.
            (INSTANCE, 60_000, started),
        ] {
            assert_eq!(guess(&Written { root_at, ..at(config, 10_000) }, &one), author, "{root_at} {config}");
        }
    }
}
