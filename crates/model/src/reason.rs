//! Why a fire ended as it did: a code with parameters, told in English or Chinese.
//!
//! A reason is decided in one process, kept in a registry and in a database, and read by programs, by alerts and by people who speak different
//! languages. So it is not a sentence but a code with typed parameters, and its sentences are made here, from the one table below, for all who
//! show it. What others wrote (an exception's text, a server's answer, the note of whoever paused a job) is the parameter `text`, and stays as
//! it came.
//!
//! Codes are kept for ever: one may be added, none may get another meaning or other parameters. A reader that does not know a code shows the
//! English sentence that was stored beside it, as [`Reason::Other`].
//!
//! In a sentence `{name}` is a parameter, and `[…]` is left out if a parameter in it is empty.

use serde_json::{Map, Value};
use std::fmt;

/// What people read a reason in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English: what is stored, too.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// A value that a reason may have.
trait Parameter: Sized {
    const KIND: &'static str;
    fn to_json(&self) -> Value;
    fn from_json(value: &Value) -> Option<Self>;
    /// How much memory it has besides its own size.
    fn bytes(&self) -> usize {
        0
    }
}

impl Parameter for String {
    const KIND: &'static str = "text";
    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(ToOwned::to_owned)
    }
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Parameter for i64 {
    const KIND: &'static str = "number";
    fn to_json(&self) -> Value {
        (*self).into()
    }
    fn from_json(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

/// A row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: &'static str,
    /// When it is given, in English.
    pub when: &'static str,
    /// The parameters: name, and `text` or `number`.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The sentence in English.
    pub english: &'static str,
    /// The sentence in Chinese.
    pub chinese: &'static str,
}

macro_rules! reasons {
    ($(#[doc = $when:literal] $variant:ident $code:literal { $($field:ident: $kind:ty),* } $english:literal $chinese:literal;)*) => {
        /// See the module.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the catalogue names the parameters in its sentences")]
        pub enum Reason {
            $(#[doc = $when] $variant { $($field: $kind),* },)*
        }

        /// All reasons there are, in the order of the reference.
        pub const CATALOGUE: &[Entry] = &[$(Entry {
            code: $code,
            when: $when.trim_ascii(),
            parameters: &[$((stringify!($field), <$kind as Parameter>::KIND)),*],
            english: $english,
            chinese: $chinese,
        }),*];

        impl Reason {
            fn entry(&self) -> &'static Entry {
                let code = match self { $(Reason::$variant { .. } => $code,)* };
                CATALOGUE.iter().find(|entry| entry.code == code).expect("the table has made both")
            }

            fn parameters(&self) -> Map<String, Value> {
                #[allow(unused_mut, reason = "some have none")]
                let mut map = Map::new();
                match self {
                    $(Reason::$variant { $($field),* } => {
                        $(map.insert(stringify!($field).to_owned(), $field.to_json());)*
                    })*
                }
                map
            }

            /// How many bytes its texts have.
            #[must_use]
            pub fn bytes(&self) -> usize {
                match self {
                    $(Reason::$variant { $($field),* } => 0 $(+ $field.bytes())*,)*
                }
            }

            #[allow(unused_variables, reason = "some have no parameters")]
            fn read(code: &str, parameters: &Map<String, Value>) -> Option<Self> {
                Some(match code {
                    $($code => Reason::$variant {
                        $($field: Parameter::from_json(parameters.get(stringify!($field))?)?),*
                    },)*
                    _ => return None,
                })
            }
        }
    };
}

reasons! {
    #[doc = " What others wrote, and no code says better: also the reasons of versions that had no codes."]
    Other "other" { text: String } "{text}" "{text}";

    #[doc = " Skipped: the item still worked on an earlier fire, and its misfire policy is `skip`."]
    PreviousRunning "previous_running" {} "the previous run still went on" "上一次运行仍在进行";
    #[doc = " Skipped: the job was paused."]
    Paused "paused" { by: String, text: String } "the job was paused[ by {by}][: {text}]" "作业已暂停[，操作人：{by}][，原因：{text}]";
    #[doc = " Skipped: the item was disabled, or all instances that may run it."]
    ItemDisabled "item_disabled" {} "the item was disabled" "该分片已被禁用";
    #[doc = " Skipped: a trigger waited for the item, and the job has fewer items by now."]
    ItemGone "item_gone" {} "the job has no such item any more" "作业已没有该分片";
    #[doc = " Skipped: an operator disabled the host that the instance is on."]
    HostDisabled "host_disabled" {} "the server was disabled" "该主机已被禁用";
    #[doc = " Skipped: an operator drains the host that the instance is on."]
    HostDrained "host_drained" {} "the server was drained" "该主机正在排空";
    #[doc = " Missed: no instance was there, or none owned the item."]
    NoInstance "no_instance" {} "no instance could run it" "没有可运行的实例";
    #[doc = " Missed: the instant was noticed too late, and the misfire policy is `skip`. In milliseconds."]
    Late "late" { tolerance: i64 } "late by more than {tolerance} ms" "延迟超过 {tolerance} 毫秒";
    #[doc = " Missed: the instant is older than what `fire_all` catches up. In milliseconds."]
    TooOld "too_old" { window: i64 } "older than the catch-up window of {window} ms" "早于 {window} 毫秒的补跑窗口";
    #[doc = " Missed: `fire_all` catches up a bounded number of instants, and newer ones took them all."]
    TooMany "too_many" { cap: i64 } "more than {cap} later instants had to be caught up" "之后需补跑的次数已超过 {cap} 次";
    #[doc = " Skipped: the item is held, since somebody wrote into its cursor what makes no sense, until an operator says from where it goes on."]
    CursorUnreadable "cursor_unreadable" { text: String }
        "its cursor in the registry cannot be read: {text}" "注册中心中的游标无法读取：{text}";
    #[doc = " Skipped: the item is held, since its cursor was deleted, until an operator says from where it goes on."]
    CursorGone "cursor_gone" {} "its cursor in the registry was deleted" "注册中心中的游标已被删除";
    #[doc = " Skipped: the item is held, since its cursor was set back, until an operator says from where it goes on."]
    CursorWentBack "cursor_went_back" {}
        "its cursor in the registry is older than what was decided already" "注册中心中的游标早于已作出的决定";
    #[doc = " Skipped: the registry lost what it had, or was restored from a backup; whether the instant ran is not known."]
    RegistryLost "registry_lost" {}
        "the registry lost what it knew of the item; whether it ran is not known" "注册中心丢失了该分片的数据，是否运行过未知";

    #[doc = " Cancelled: somebody stopped the run."]
    StoppedByHand "stopped_by_hand" {} "stopped by hand" "被手动停止";
    #[doc = " Cancelled: its instance shut down, and the run did not end within the grace."]
    InstanceShutDown "instance_shut_down" {} "its instance shut down before it ended" "运行结束前实例已关闭";

    #[doc = " Cancelled: its instance left the job, and the run did not end within the grace, or had not begun."]
    JobLeft "job_left" {} "its instance left the job before it ended" "运行结束前实例已退出该作业";
    #[doc = " Failed, `owner_lost`: the instance could not renew its lease, so the run was stopped before another instance could take it."]
    LeaseLost "lease_lost" {} "its instance lost the lease" "实例失去租约";
    #[doc = " Failed, `owner_lost`: as `lease_lost`, told by the same instance once it was back."]
    OwnLeaseLost "own_lease_lost" {} "this instance lost its lease while the run went on" "运行期间本实例失去租约";
    #[doc = " Failed, `owner_lost`: as `own_lease_lost`, and the fire was tried as often as it may be."]
    OwnLeaseLostForGood "own_lease_lost_for_good" {}
        "this instance lost its lease while the run went on; attempts are used up" "运行期间本实例失去租约，且重试次数已用尽";
    #[doc = " Failed, `owner_lost`: the process that ran it is gone, and failover is off."]
    OwnerDied "owner_died" { owner: String } "its instance {owner} died while it ran" "运行期间实例 {owner} 已失联";
    #[doc = " Failed, `owner_lost`: as `owner_died`, and the fire was tried as often as it may be."]
    OwnerDiedForGood "owner_died_for_good" { owner: String }
        "its instance {owner} died while it ran; attempts are used up" "运行期间实例 {owner} 已失联，且重试次数已用尽";
    #[doc = " Failed, `owner_lost`: as `owner_died` or `own_lease_lost`, and the job, the item or the host was off before it could run again."]
    InterruptedWhileOff "interrupted_while_off" {}
        "it was interrupted, and nothing was to begin any more" "运行被中断，且已不允许再次启动";
    #[doc = " Failed, `owner_lost`: as `owner_died`, and the job has fewer items by now."]
    OwnerDiedItemGone "owner_died_item_gone" { owner: String }
        "its instance {owner} died while it ran, and the job has no such item any more" "运行期间实例 {owner} 已失联，且作业已没有该分片";
    #[doc = " Failed, `owner_lost`: as `owner_died`, and an instance of Java Elastic-Job took the item over."]
    TakenByJava "taken_by_java" { owner: String, taker: String }
        "its instance {owner} died while it ran; {taker}, a Java instance, runs it again" "运行期间实例 {owner} 已失联，由 Java 实例 {taker} 重新运行";
    #[doc = " Failed, `job`: it failed, and the instance that would have tried again left."]
    LeftBeforeRetry "left_before_retry" {}
        "it failed, and its instance left before the next attempt" "运行失败，实例在下一次尝试前已退出";
    #[doc = " Failed, `job`: it failed, and the job was paused or drained while it waited for the next attempt."]
    PausedBeforeRetry "paused_before_retry" { by: String, text: String }
        "it failed, and the job was paused before the next attempt[, by {by}][: {text}]" "运行失败，作业在下一次尝试前已暂停[，操作人：{by}][，原因：{text}]";
    #[doc = " Failed, `job`: it failed, and the item or its host was disabled while it waited for the next attempt."]
    DisabledBeforeRetry "disabled_before_retry" {}
        "it failed, and was disabled before the next attempt" "运行失败，在下一次尝试前已被禁用";
    #[doc = " Failed, `owner_lost`: the process between the instance and the run ended first."]
    SupervisorDied "supervisor_died" { how: String }
        "the supervisor of the run died before it ({how}); the run was killed" "运行的监管进程先行终止（{how}），运行已被杀死";

    #[doc = " Failed, `job`: what the job's own code said."]
    JobSaid "job_said" { text: String } "{text}" "{text}";
    #[doc = " Failed, `panic`: the job's own code panicked."]
    Panicked "panicked" { text: String } "panicked: {text}" "发生 panic：{text}";
    #[doc = " Failed, `panic`: the code that runs jobs panicked; a defect of Clockwright."]
    RuntimePanicked "runtime_panicked" {} "the runtime panicked" "运行时发生 panic";
    #[doc = " Failed, `timeout`: in milliseconds."]
    TimedOut "timed_out" { limit: i64 } "took longer than its limit of {limit} ms" "超过 {limit} 毫秒的时限";
    #[doc = " Failed, `job`: the program ended with a code other than 0."]
    ExitCode "exit_code" { code: i64 } "exit code {code}" "退出码 {code}";
    #[doc = " Failed, `job`: a signal ended the program."]
    KilledBySignal "killed_by_signal" { signal: i64 } "killed by signal {signal}" "被信号 {signal} 终止";
    #[doc = " Failed, `start`: there is no such program, it may not be run, or the system has no room."]
    NotStarted "not_started" { text: String } "{text}" "{text}";
    #[doc = " Failed, `start`: what the registry says is to be run was not allowed to the instance when it was started."]
    NotAllowed "not_allowed" { text: String } "its instance may not run it: {text}" "实例不允许运行：{text}";

    #[doc = " Failed, `job`: the server answered with a status that is no success; with the first line of the answer."]
    HttpStatus "http_status" { place: String, status: String, text: String } "{place} answered {status}[: {text}]" "{place} 返回 {status}[：{text}]";
    #[doc = " Failed, `job`: the server sent on to another place, which was not called; only GET and HEAD are, unless `http.redirect` says otherwise."]
    HttpSentOn "http_sent_on" { place: String, status: String, to: String }
        "{place} answered {status} and sends on to {to}, which was not called: http.uri may name that address, or http.redirect: always follow it"
        "{place} 返回 {status} 并转向 {to}，该地址未被调用：可将 http.uri 改为该地址，或设置 http.redirect: always 以跟随";
    #[doc = " Failed, `start`: no connection within the limit, in milliseconds."]
    HttpConnectTimeout "http_connect_timeout" { place: String, limit: i64 }
        "{place}: no connection within {limit} ms (http.connect.timeout.milliseconds)" "{place}：{limit} 毫秒内未能建立连接（http.connect.timeout.milliseconds）";
    #[doc = " Failed, `start`: no connection."]
    HttpNoConnection "http_no_connection" { place: String, text: String } "{place}: cannot connect: {text}" "{place}：无法连接：{text}";
    #[doc = " Failed, `timeout`: the server said nothing for so long, in milliseconds."]
    HttpReadTimeout "http_read_timeout" { place: String, limit: i64 }
        "{place}: nothing was answered for {limit} ms (http.read.timeout.milliseconds)" "{place}：{limit} 毫秒内没有响应（http.read.timeout.milliseconds）";
    #[doc = " Failed, `job`: the connection broke, or the answer was none."]
    HttpBroken "http_broken" { place: String, text: String } "{place}: {text}" "{place}：{text}";
}

impl Reason {
    /// The stored word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.entry().code
    }

    /// The sentence.
    #[must_use]
    pub fn in_language(&self, language: Language) -> String {
        let entry = self.entry();
        let template = match language {
            Language::English => entry.english,
            Language::Chinese => entry.chinese,
        };
        if template == "{text}"
            && let Some(text) = self.text()
        {
            return text.to_owned();
        }
        fill(template, &self.parameters())
    }

    /// What others wrote, if the sentence is that and nothing else.
    fn text(&self) -> Option<&str> {
        match self {
            Reason::Other { text } | Reason::JobSaid { text } | Reason::NotStarted { text } => Some(text),
            _ => None,
        }
    }

    /// The parameters as a JSON object, each text of at most `most` characters; `None` if there are none, or if the sentence says them all
    /// because it is `text` and nothing else.
    #[must_use]
    pub fn stored_parameters(&self, most: usize) -> Option<Value> {
        let mut parameters = self.parameters();
        if parameters.is_empty() || self.text().is_some() {
            return None;
        }
        for value in parameters.values_mut() {
            if let Value::String(text) = value
                && let Some((end, _)) = text.char_indices().nth(most)
            {
                text.truncate(end);
            }
        }
        Some(Value::Object(parameters))
    }

    /// Reads back what was stored: the code and its parameters, and the English sentence beside them. What has no code, or one that this version
    /// does not know, is the sentence.
    #[must_use]
    pub fn stored(code: Option<&str>, parameters: Option<&Value>, sentence: &str) -> Self {
        let other = || Reason::Other { text: sentence.to_owned() };
        let Some(code) = code else { return other() };
        let mut parameters = parameters.and_then(Value::as_object).cloned().unwrap_or_default();
        parameters.entry("text").or_insert_with(|| sentence.into());
        Self::read(code, &parameters).unwrap_or_else(other)
    }
}

/// The sentence that a template makes of parameters.
fn fill(template: &str, parameters: &Map<String, Value>) -> String {
    let mut sentence = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['[', '{']) {
        let (before, marked) = rest.split_at(at);
        sentence.push_str(before);
        let end = marked.find(if marked.starts_with('[') { ']' } else { '}' }).expect("a mark is closed");
        let inner = &marked[1..end];
        if marked.starts_with('[') {
            let empty = parameters
                .iter()
                .any(|(name, value)| inner.contains(&format!("{{{name}}}")) && value.as_str() == Some(""));
            if !empty {
                sentence.push_str(&fill(inner, parameters));
            }
        } else {
            match &parameters[inner] {
                Value::String(text) => sentence.push_str(text),
                number => sentence.push_str(&number.to_string()),
            }
        }
        rest = &marked[end + 1..];
    }
    sentence + rest
}

/// English.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_language(Language::English))
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Reason::Other { text }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Reason::Other { text: text.to_owned() }
    }
}

/// The reference page of all reasons.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Reasons\n\n\
         <!-- Made by `clockwright reference reasons`; a test compares it with the code. -->\n\n\
         Why a fire ended as it did is a code with parameters: in `reason_code` and `reason_params` (JSON) of `CLOCKWRIGHT_RUN`, and in the\n\
         JSON of commands. The sentence beside it is English. Codes keep their meaning for ever; a later version may add some. What is in\n\
         brackets is left out where its parameter is empty. `text` is what others wrote, as it came.\n\n\
         | code | when | parameters | English | Chinese |\n|---|---|---|---|---|\n",
    );
    for entry in CATALOGUE {
        let parameters: Vec<String> =
            entry.parameters.iter().map(|(name, kind)| format!("`{name}` ({kind})")).collect();
        let Entry { code, when, english, chinese, .. } = entry;
        page += &format!("| `{code}` | {when} | {} | {english} | {chinese} |\n", parameters.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::collections::HashSet;

    /// One of each, with every parameter filled in as `fill_in` says.
    fn one_of_each(words: &str, number: i64) -> Vec<Reason> {
        let made = CATALOGUE.iter().map(|entry| {
            let value = |kind: &str| if kind == "number" { Value::from(number) } else { Value::from(words) };
            let parameters =
                entry.parameters.iter().map(|(name, kind)| ((*name).to_owned(), value(kind))).collect();
            Reason::read(entry.code, &parameters).unwrap()
        });
        made.collect()
    }

    #[test]
    fn every_reason_reads_back_from_what_is_stored_of_it() {
        for words in ["", "so", "[a] {b} \"c\"\n日"] {
            for reason in one_of_each(words, -7) {
                let stored = reason.stored_parameters(1000);
                let read = Reason::stored(Some(reason.code()), stored.as_ref(), &reason.to_string());
                assert_eq!(read, reason);
            }
        }
    }

    #[test]
    fn a_code_of_a_later_version_or_none_leaves_the_sentence() {
        let other = Reason::from("so it was");
        assert_eq!(Reason::stored(None, None, "so it was"), other);
        assert_eq!(Reason::stored(Some("later"), Some(&serde_json::json!({"n": 1})), "so it was"), other);
        // Parameters that are lacking or of another kind are no reason to lose the sentence.
        assert_eq!(Reason::stored(Some("exit_code"), None, "so it was"), other);
        assert_eq!(
            Reason::stored(Some("exit_code"), Some(&serde_json::json!({"code": "x"})), "so it was"),
            other
        );
    }

    #[test]
    fn every_sentence_names_all_parameters_in_both_languages_and_no_other() {
        let mut codes = HashSet::new();
        for (entry, reason) in CATALOGUE.iter().zip(one_of_each("wörter", 47)) {
            assert!(codes.insert(entry.code), "{} is there twice", entry.code);
            assert!(entry.code.len() <= 40 && entry.code.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            for (language, template) in
                [(Language::English, entry.english), (Language::Chinese, entry.chinese)]
            {
                for (name, _) in entry.parameters {
                    assert!(template.contains(&format!("{{{name}}}")), "{} lacks {name}", entry.code);
                }
                // A parameter that does not exist would panic here.
                let sentence = reason.in_language(language);
                assert!(!sentence.contains(['{', '}', '[', ']']), "{sentence}");
            }
        }
    }

    #[test]
    fn what_is_empty_leaves_no_trace_in_the_sentence() {
        let paused = |by: &str, text: &str| Reason::Paused { by: by.into(), text: text.into() }.to_string();
        assert_eq!(paused("", ""), "the job was paused");
        assert_eq!(paused("anna", ""), "the job was paused by anna");
        assert_eq!(paused("", "release"), "the job was paused: release");
        assert_eq!(paused("anna", "release {by}"), "the job was paused by anna: release {by}");
        let status =
            Reason::HttpStatus { place: "GET http://h/".into(), status: "500".into(), text: "".into() };
        assert_eq!(status.in_language(Language::Chinese), "GET http://h/ 返回 500");
    }

    #[test]
    fn a_long_text_is_cut_in_what_is_stored_beside_the_sentence() {
        let stored = Reason::Panicked { text: "é".repeat(5000) }.stored_parameters(100).unwrap();
        assert_eq!(stored["text"].as_str().unwrap().chars().count(), 100);
        // The sentence itself has it in full.
        assert_eq!(Reason::from("x".repeat(5000)).stored_parameters(100), None);
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/reasons.md");
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == reference(), "run `clockwright reference reasons > docs/reference/reasons.md`");
    }
}
