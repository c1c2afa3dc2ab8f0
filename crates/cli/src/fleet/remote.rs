//! A fleet through a server: a project of it.

use super::outcome::{WAIT, ended};
use super::shapes::{line, server, triggered, view};
use super::{Act, Fleet, Line};
use crate::output::Failure;
use async_trait::async_trait;
use clockwright_api::client::{Answered, Client, Job};
use clockwright_api::jobs::{JobChange, JobsAsk};
use clockwright_api::live::DumpAsk;
use clockwright_api::operations::{Drain, Operate, OperateHost, Operation, Removal, ResumeItem, Shutdown};
use clockwright_api::text::Reason;
use clockwright_api::{At, Etag};
use clockwright_fleet::admin::{self, Done, Triggered};
use clockwright_fleet::view::{JobView, ServerBrief};
use clockwright_model::JobName;
use clockwright_settings::canonical;
use clockwright_settings::table::Setting;
use clockwright_settings::value::Value;
use futures::TryStreamExt as _;
use serde_json::{Map, Value as Json};

/// See [`Fleet`].
pub(crate) struct Remote {
    client: Client,
    project: String,
}

impl Remote {
    pub(crate) fn new(client: &Client, project: String) -> Self {
        Self { client: client.waiting(WAIT), project }
    }

    fn named<'a>(&'a self, client: &'a Client, name: &'a str) -> Job<'a> {
        client.project(&self.project).job(name)
    }

    async fn done(&self, answer: Answered<Operation>) -> Result<Done, Failure> {
        let result = ended(&self.client, answer?).await?.result;
        let changed = usize::try_from(result.changed).unwrap_or(usize::MAX);
        Ok(Done { changed, unchanged: usize::from(changed == 0 && !result.news) })
    }

    /// Sets settings of the version that is there now.
    async fn set(&self, name: &str, values: &[(&'static Setting, Value)]) -> Result<Done, Failure> {
        let job = self.named(&self.client, name);
        let before = job.definition().await?;
        let version = Etag(before.version);
        let settings = changed(&before.settings, name, values)?;
        if settings.is_empty() {
            return Ok(Done { changed: 0, unchanged: 1 });
        }
        let change = JobChange { settings: Some(Json::Object(settings)), ..JobChange::default() };
        let after = job.change(version, &change).await?;
        crate::commands::project::tell_sync(&after.sync);
        Ok(Done { changed: 1, unchanged: 0 })
    }

    async fn on_host(&self, act: &Act) -> Result<Done, Failure> {
        let client = self.client.clone();
        let project = client.project(&self.project);
        let ask = Operate::default();
        let answer = match act {
            Act::Disable { host: Some(host) } => project.operate(host).disable(&ask).await,
            Act::Enable { host: Some(host) } => project.operate(host).enable(&ask).await,
            Act::Shutdown { target: Some(host) } => project.operate(host).shutdown(&ask).await,
            _ => return Err(Failure::Usage("name a job".into())),
        };
        self.done(answer).await
    }
}

/// The settings that differ after some were set, each as a change says it: `null` for one that is at its default.
fn changed(
    before: &Json,
    name: &str,
    values: &[(&'static Setting, Value)],
) -> Result<Map<String, Json>, Failure> {
    let name = JobName::new(name).map_err(|error| Failure::Usage(error.to_string()))?;
    let wrong = |problems: Vec<clockwright_model::SettingsError>| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::Failed(format!("the settings of `{name}` cannot be used: {}", texts.join("; ")))
    };
    let mut settings = canonical::from_json(name.clone(), before).map_err(wrong)?;
    for (setting, value) in values {
        let set = setting.set(&mut settings, value.clone());
        set.map_err(|why| Failure::Usage(format!("{}: {why}", setting.key)))?;
    }
    let (before, after) = (before.as_object().cloned().unwrap_or_default(), canonical::to_json(&settings));
    let after = after.as_object().cloned().unwrap_or_default();
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Json::Null));
    let news = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    Ok(news.map(|(key, value)| (key.clone(), value.clone())).chain(gone).collect())
}

/// A reason, if there is one.
pub(crate) fn reason(text: &str) -> Result<Option<Reason>, Failure> {
    let read = |text: &str| Reason::new(text).map_err(|why| Failure::Usage(format!("--reason {why}")));
    (!text.is_empty()).then(|| read(text)).transpose()
}

#[async_trait(?Send)]
impl Fleet for Remote {
    async fn managed_by(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    async fn java_instances(&self, job: Option<&str>) -> Result<usize, Failure> {
        let java = match job {
            None => {
                let hosts = self.client.project(&self.project).hosts().await?;
                hosts.items.iter().map(|host| host.java).sum()
            }
            // A job that the registry does not have yet is served by nobody.
            Some(name) => match self.named(&self.client, name).instances().await {
                Ok(instances) => instances.items.iter().filter(|one| one.kind == "java").count() as u64,
                Err(error) if error.code() == Some(clockwright_api::Code::NotFound) => 0,
                Err(error) => return Err(error.into()),
            },
        };
        Ok(usize::try_from(java).unwrap_or(usize::MAX))
    }

    async fn jobs(&self) -> Result<Vec<Line>, Failure> {
        let rows = self.client.project(&self.project).every_job(&JobsAsk::default()).await?;
        Ok(rows.map_ok(line).try_collect().await?)
    }

    async fn job(&self, name: &str) -> Result<JobView, Failure> {
        Ok(view(self.named(&self.client, name).live().await?.value))
    }

    async fn dump(&self, name: &str, mask: bool) -> Result<String, Failure> {
        let ask = DumpAsk { unmasked: !mask };
        Ok(self.named(&self.client, name).dump(&ask).await?.value.text)
    }

    async fn hosts(&self) -> Result<Vec<ServerBrief>, Failure> {
        let hosts = self.client.project(&self.project).hosts().await?.value;
        Ok(hosts.items.into_iter().map(server).collect())
    }

    async fn trigger(&self, job: &str, id: Option<&str>) -> Result<Triggered, Failure> {
        let client = id.map_or_else(|| self.client.clone(), |id| self.client.keyed(id));
        let before = self.job(job).await?;
        let answer = self.named(&client, job).operate().trigger(&Operate::default()).await?;
        let repeated = answer.is_replayed();
        let operation = ended(&self.client, answer).await?;
        Ok(triggered(&operation.result, repeated, &before))
    }

    async fn carry_out(&self, job: Option<&str>, act: &Act) -> Result<Done, Failure> {
        let Some(name) = job else { return self.on_host(act).await };
        let job = self.named(&self.client, name);
        let (operate, ask) = (job.operate(), Operate::default());
        let on = |host: &Option<String>| OperateHost { host: host.clone(), ..OperateHost::default() };
        let answer = match act {
            Act::Pause { reason: text } => operate.pause(&Operate { reason: reason(text)?, ..ask }).await,
            Act::Resume => operate.resume(&OperateHost::default()).await,
            Act::Drain { reason: text, timeout } => {
                let timeout = u64::try_from(timeout.as_millis()).ok();
                operate.drain(&Drain { timeout, reason: reason(text)?, ..Drain::default() }).await
            }
            Act::Disable { host } => operate.disable(&on(host)).await,
            Act::Enable { host } => operate.enable(&on(host)).await,
            Act::DisableItem(item) => operate.disable_item(*item, &ask).await,
            Act::EnableItem(item) => operate.enable_item(*item, &ask).await,
            Act::ResumeItem { item, from } => {
                let from = match from {
                    admin::From::Now => "now".to_owned(),
                    admin::From::Last => "last".to_owned(),
                    admin::From::Instant(at) => String::from(At(*at)),
                };
                operate.resume_item(*item, &ResumeItem { from, reason: None, dry_run: false }).await
            }
            Act::Set(values) => return self.set(name, values).await,
            Act::Shutdown { target } => {
                operate.shutdown(&Shutdown { target: target.clone(), ..Shutdown::default() }).await
            }
            Act::Remove { mode, reason } => {
                let mode = Some(mode.clone().unwrap_or_else(|| "stop".to_owned()));
                let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
                job.remove(&Removal { mode, reason, ..Removal::default() }).await
            }
        };
        self.done(answer).await
    }

    async fn close(&self) {}
}

/// What a server is not asked.
pub(crate) fn only_direct(what: &str) -> Failure {
    Failure::Usage(format!("{what} is a matter of the registry; name it with --registry, without --server"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_settings::table::find;
    use serde_json::json;

    #[test]
    fn a_change_says_what_differs_and_no_more_and_a_default_is_null() {
        let before = json!({ "elasticJobType": "SCRIPT", "cron": "0 0 3 * * ?", "shardingTotalCount": 4,
            "description": "tests", "props": { "script.command.line": "true" } });
        let set = |key: &str, text: &str| {
            let setting = find(key).unwrap();
            (setting, setting.of_text(text).unwrap())
        };
        let values = [set("cron", "0 0 4 * * ?"), set("description", ""), set("shardingTotalCount", "4")];
        let found = changed(&before, "report", &values).unwrap();
        assert_eq!(Json::Object(found), json!({ "cron": "0 0 4 * * ?", "description": null }));
        assert!(changed(&before, "report", &[set("shardingTotalCount", "4")]).unwrap().is_empty());
    }
}
