//! What is told: each condition with its usual rule and its words, in one table. Rules, alerts, messages and the interface's description of
//! it are made from it.

use clockwright_model::Language;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use utoipa::ToSchema;

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// As it is stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One item of a job.
    Item,
    /// A job.
    Job,
    /// A project.
    Project,
    /// The servers themselves: no project.
    System,
}

/// The rule that a condition has unless people say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// How bad it is.
    pub severity: Severity,
    /// How long it must last, and how long its opposite, seconds.
    pub wait: u32,
    /// From which number on; `None` where there is none to choose.
    pub threshold: Option<i64>,
}

macro_rules! conditions {
    // The name is a `tt`, which the derive of the schema can read; a `literal` it passes over.
    ($( $variant:ident $name:tt $scope:ident $severity:ident $wait:literal $threshold:expr =>
        $means:literal, $english:literal, $chinese:literal; )*) => {
        /// What can be told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Condition {
            $( #[doc = $means] #[serde(rename = $name)] $variant, )*
        }

        impl Condition {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Condition] = &[ $( Condition::$variant, )* ];

            /// As it is stored and shown.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $( Condition::$variant => $name, )* }
            }

            /// When it is true, in words.
            #[must_use]
            pub fn means(self) -> &'static str {
                match self { $( Condition::$variant => $means, )* }
            }

            /// What an alert of it is about.
            #[must_use]
            pub fn scope(self) -> Scope {
                match self { $( Condition::$variant => Scope::$scope, )* }
            }

            /// Its usual rule.
            #[must_use]
            pub fn usual(self) -> Usual {
                match self {
                    $( Condition::$variant => Usual { severity: Severity::$severity, wait: $wait, threshold: $threshold }, )*
                }
            }

            fn template(self, language: Language) -> &'static str {
                match (self, language) {
                    $( (Condition::$variant, Language::English) => $english,
                       (Condition::$variant, Language::Chinese) => $chinese, )*
                }
            }
        }
    };
}

conditions! {
    Failing "failing" Item Critical 0 Some(3) =>
        "an item failed so often in a row",
        "item {item} of {job} failed {streak} times in a row", "{job} 的分片 {item} 连续失败 {streak} 次";
    Missed "missed" Item Warning 0 None =>
        "the last fire of an item was missed: nobody could run it in time",
        "item {item} of {job} missed its fire of {fire}", "{job} 的分片 {item} 错过了 {fire} 的触发";
    Overdue "overdue" Job Critical 120 None =>
        "a due instant has passed for so long, and an item neither ran, nor runs, nor stands still by anybody's wish",
        "{job} was due at {fire} and did not run: {items} items have no outcome", "{job} 应于 {fire} 触发但没有运行：{items} 个分片没有结果";
    TooLong "too_long" Item Warning 0 None =>
        "an item runs for longer than `runTime.max` of its job",
        "item {item} of {job} runs since {since}, longer than usual", "{job} 的分片 {item} 自 {since} 起运行，超过正常时长";
    TooShort "too_short" Item Warning 0 None =>
        "the last success of an item took less than `runTime.min` of its job",
        "item {item} of {job} succeeded in {took} ms, faster than it should", "{job} 的分片 {item} 只用 {took} 毫秒就成功，快于正常时长";
    NoInstance "no_instance" Job Critical 300 None =>
        "a job that is online has no instance",
        "no instance serves {job}", "没有实例为 {job} 服务";
    Stuck "stuck" Item Critical 60 None =>
        "an item is marked as running, and whoever ran it is gone",
        "item {item} of {job} is marked as running, and its owner is gone", "{job} 的分片 {item} 标记为运行中，但执行者已消失";
    Drift "drift" Job Warning 0 None =>
        "somebody else wrote the settings of a job into the registry within the last hour",
        "somebody else changed {job} in the registry", "有人在注册中心修改了 {job}";
    Contended "contended" Job Warning 0 None =>
        "somebody else writes the same settings of a job again and again",
        "somebody writes {job} in the registry again and again: {why}", "有人在注册中心反复写入 {job}：{why}";
    SyncHeld "sync_held" Project Critical 0 None =>
        "more would be written into a registry than the guard allows: a person confirms",
        "{jobs} jobs of {project} are held until somebody confirms", "{project} 的 {jobs} 个作业被保留，等待确认";
    Diverged "diverged" Job Info 0 None =>
        "a job that files define was changed by hand",
        "{job} was changed by hand although files define it", "{job} 由文件定义，却被手工修改";
    CodeChanged "code_changed" Job Info 0 None =>
        "what a job runs was changed within the last hour",
        "{by} changed what {job} runs", "{by} 修改了 {job} 所运行的内容";
    RegistryAway "registry_away" System Critical 60 None =>
        "a registry cannot be reached",
        "the registry {thing} is away", "注册中心 {thing} 无法访问";
    StoreAway "store_away" System Critical 60 None =>
        "an event store cannot be reached",
        "the event store {thing} is away", "事件库 {thing} 无法访问";
    DatabaseAway "database_away" System Critical 60 None =>
        "the database of the servers cannot be reached",
        "the database is away", "数据库无法访问";
    ClockSkew "clock_skew" System Warning 60 Some(500) =>
        "the clocks of a server and of the database differ by so much",
        "the clocks of this server and of the database differ by {skew} ms", "服务器与数据库的时钟相差 {skew} 毫秒";
    EventsLost "events_lost" System Warning 0 None =>
        "something of the history could not be kept within the last hour",
        "the event store {thing} lost {events} events", "事件库 {thing} 丢失了 {events} 条事件";
    DeliveryDead "delivery_dead" System Warning 0 None =>
        "a message was not delivered and is not tried any more",
        "messages to the channel {thing} are not delivered: {why}", "发往渠道 {thing} 的消息无法送达：{why}";
    RescueMade "rescue_made" System Critical 0 None =>
        "a link was made on a machine of the servers, within the last hour, that lets somebody in as an administrator",
        "a link was made that lets {login} in as an administrator for an hour: record {thing} of the journal",
        "有人生成了让 {login} 以管理员身份登录一小时的链接：见日志记录 {thing}";
    RescueUsed "rescue_used" System Critical 0 None =>
        "somebody came in as an administrator by such a link within the last hour",
        "somebody came in as {login}, an administrator for an hour: record {thing} of the journal",
        "有人以 {login} 登录，成为一小时的管理员：见日志记录 {thing}";
    KeyOld "key_old" System Info 0 Some(400) =>
        "the key that seals secrets is so old",
        "the key {thing} seals secrets since {since}: rotate it", "密钥 {thing} 自 {since} 起使用，请轮换";
    Certificate "certificate" System Warning 0 Some(14) =>
        "the certificate that the server speaks TLS with ends within so many days",
        "the certificate of {thing} ends at {until}: put a new one in its place", "{thing} 的证书将于 {until} 到期，请更换";
}

impl Condition {
    /// True for what every channel is told at once, of whichever project it is, and no silence holds back: whoever has come in past everybody could
    /// turn the others off.
    #[must_use]
    pub fn is_for_all(self) -> bool {
        matches!(self, Condition::RescueMade | Condition::RescueUsed)
    }

    /// The one of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.word() == word)
    }

    /// The sentence about it. What `params` does not have stays away.
    #[must_use]
    pub fn say(self, params: &Value, language: Language) -> String {
        let mut text = String::new();
        let mut rest = self.template(language);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
            text.push_str(before);
            match &params[name] {
                Value::String(value) => text.push_str(value),
                Value::Null => text.push('–'),
                other => text.push_str(&other.to_string()),
            }
            rest = behind;
        }
        text + rest
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_languages_tell_the_same_facts() {
        let facts = |text: &str| {
            let mut names: Vec<String> =
                text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect();
            names.sort();
            names
        };
        for condition in Condition::ALL {
            let (english, chinese) =
                (condition.template(Language::English), condition.template(Language::Chinese));
            assert_eq!(facts(english), facts(chinese), "{condition}");
        }
    }

    #[test]
    fn words_are_found_again_and_fit_their_column() {
        for condition in Condition::ALL {
            assert_eq!(Condition::of(condition.word()), Some(*condition));
            assert_eq!(serde_json::to_value(condition).expect("a word"), condition.word());
            assert!(condition.word().len() <= 20);
        }
    }

    #[test]
    fn a_sentence_has_the_facts_and_a_dash_for_what_is_not_known() {
        let params = json!({ "job": "report", "item": 2 });
        let said = Condition::Failing.say(&params, Language::English);
        assert_eq!(said, "item 2 of report failed – times in a row");
        assert!(Condition::NoInstance.say(&params, Language::Chinese).contains("report"));
    }
}
