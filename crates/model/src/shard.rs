//! What one run of one item is told, and the task id that names a firing.

use crate::ids::DELIMITER;
use crate::{Fire, InstanceId, Item, JobName, RunId, Source, Token};
use std::sync::Arc;

/// Everything that the code of a job is told about one run of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardContext {
    /// The job.
    pub job: JobName,
    /// Elastic-Job's task id of the firing this run belongs to.
    pub task_id: Arc<str>,
    /// How many items the job has.
    pub sharding_total_count: u32,
    /// The job's parameter, empty when it has none.
    pub job_parameter: Arc<str>,
    /// Which item this run is for.
    pub item: Item,
    /// The item's own parameter, if it has one.
    pub sharding_parameter: Option<Arc<str>>,
    /// The fire this run is for.
    pub fire: Fire,
    /// Why it was started.
    pub source: Source,
    /// Which attempt at this fire of this item it is, from 1.
    pub attempt: u32,
    /// The identity of this attempt.
    pub run_id: RunId,
    /// The fencing token: greater than that of every earlier claim of the item.
    pub token: Token,
}

impl ShardContext {
    /// A context to try a job's code with: the only item of a first run, due at 1970-01-01, without parameters. Set what matters:
    /// `ShardContext { item: 2, ..ShardContext::example(job) }`.
    #[must_use]
    pub fn example(job: JobName) -> Self {
        Self {
            task_id: format!("{job}{DELIMITER}0{DELIMITER}READY{DELIMITER}127.0.0.1{DELIMITER}1").into(),
            job,
            sharding_total_count: 1,
            job_parameter: "".into(),
            item: 0,
            sharding_parameter: None,
            fire: Fire::Scheduled(0),
            source: Source::Schedule,
            attempt: 1,
            run_id: RunId(0),
            token: 1,
        }
    }

    /// The JSON that scripts and HTTP endpoints get: Elastic-Job's six keys in its order, HTML-safe as Gson writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = format!(
            "{{\"jobName\":{},\"taskId\":{},\"shardingTotalCount\":{},\"jobParameter\":{},\"shardingItem\":{}",
            json_string(self.job.as_str()),
            json_string(&self.task_id),
            self.sharding_total_count,
            json_string(&self.job_parameter),
            self.item
        );
        if let Some(parameter) = &self.sharding_parameter {
            text.push_str(",\"shardingParameter\":");
            text.push_str(&json_string(parameter));
        }
        text.push('}');
        text
    }
}

/// A JSON string literal escaped as Gson does by default: `<`, `>`, `&`, `=` and `'` as `\u00xx` too.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '=' | '\'' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Elastic-Job's task id of one firing: `{job}@-@{items}@-@READY@-@{ip}@-@{pid}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskId;

impl TaskId {
    /// The id of a firing of these items on this instance.
    #[must_use]
    pub fn of(job: &JobName, items: &[Item], instance: &InstanceId) -> String {
        let list = items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!(
            "{job}{DELIMITER}{list}{DELIMITER}READY{DELIMITER}{}{DELIMITER}{}",
            instance.ip(),
            instance.process()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_has_five_parts_even_without_items() {
        let job = JobName::new("myJob").expect("valid");
        let id = InstanceId::of_process("192.0.2.2", 24167, 0);
        assert_eq!(TaskId::of(&job, &[0, 1, 2], &id), "myJob@-@0,1,2@-@READY@-@192.0.2.2@-@24167");
        assert_eq!(TaskId::of(&job, &[], &id), "myJob@-@@-@READY@-@192.0.2.2@-@24167");
    }

    #[test]
    fn the_context_json_is_what_gson_writes() {
        let context = ShardContext {
            task_id: "scriptJob@-@0,1@-@READY@-@10.0.0.1@-@10657".into(),
            sharding_total_count: 2,
            job_parameter: "k=v&x".into(),
            sharding_parameter: Some("A".into()),
            ..ShardContext::example(JobName::new("scriptJob").expect("valid"))
        };
        assert_eq!(
            context.to_json(),
            r#"{"jobName":"scriptJob","taskId":"scriptJob@-@0,1@-@READY@-@10.0.0.1@-@10657","shardingTotalCount":2,"jobParameter":"k\u003dv\u0026x","shardingItem":0,"shardingParameter":"A"}"#
        );
    }
}
