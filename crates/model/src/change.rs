//! What changed around a job: who came and went, and who held it. With the outcomes of fires it answers why nothing ran.
//!
//! A change is told by whoever saw it, so it may be told several times; its key is the same each time. How an instance ended is known best
//! by itself, so what it says of itself stands above what others guess.

use crate::{InstanceId, JobName, Language, Millis};
use std::sync::Arc;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The registry's namespace.
    pub namespace: Arc<str>,
    /// The job; `None` for what concerns all jobs of an instance.
    pub job: Option<JobName>,
    /// What changed.
    pub kind: ChangeKind,
    /// Whose state it is: an instance's id, a host's address, an item's number, or nothing for the job's own.
    pub subject: Arc<str>,
    /// The registry's transaction with which the state began, or that it ended; it tells two of the same kind apart.
    pub transaction: i64,
    /// Who did it; empty where nobody said so.
    pub by: Arc<str>,
    /// Why, in their words, or by how much; may be empty.
    pub reason: Arc<str>,
    /// When: by the registry's clock where a node says so, else when it was noticed.
    pub at: Millis,
    /// The instance that tells it.
    pub witness: InstanceId,
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// An instance came.
    Joined,
    /// It left by itself: its process was shut down, or no longer has the job.
    Left,
    /// It was told to leave: its instance node was deleted, Elastic-Job's shutdown command.
    ShutDown,
    /// Its session ended though its process went on.
    CutOff,
    /// Its session ended: it was killed, or cut off.
    Lost,
    /// A Java instance is gone; whether it left or was killed, nobody knows.
    Gone,
    /// The job was paused or drained.
    Paused,
    /// It was resumed.
    Resumed,
    /// The job was disabled on a host.
    HostDisabled,
    /// It was enabled there.
    HostEnabled,
    /// A host was drained: what runs there goes on, and nothing begins.
    HostDrained,
    /// That is over.
    HostUndrained,
    /// An item was disabled.
    ItemDisabled,
    /// It was enabled.
    ItemEnabled,
    /// An instance's clock is ahead of the registry's: it goes by the registry's.
    ClockAhead,
    /// Its clock is right again.
    ClockRight,
    /// An item stands still, because its cursor lies in the future.
    CursorAhead,
}

/// Kind, its stored word, and its sentences; `{}` is the subject.
const KINDS: [(ChangeKind, &str, &str, &str); 17] = {
    use ChangeKind::*;
    [
        (Joined, "joined", "instance {} joined", "实例 {} 加入"),
        (Left, "left", "instance {} left", "实例 {} 离开"),
        (
            ShutDown,
            "shut_down",
            "instance {} was shut down by command: its instance node was deleted",
            "实例 {} 被命令下线：其实例节点被删除",
        ),
        (
            CutOff,
            "cut_off",
            "instance {} was cut off from the registry longer than its session lasts",
            "实例 {} 与注册中心断开的时间超过会话时长",
        ),
        (
            Lost,
            "lost",
            "instance {} is gone without a word: it was killed, or cut off from the registry",
            "实例 {} 意外消失：被终止，或与注册中心断开",
        ),
        (Gone, "gone", "Java instance {} is gone", "Java 实例 {} 已消失"),
        (Paused, "paused", "the job was paused", "作业被暂停"),
        (Resumed, "resumed", "the job was resumed", "作业恢复"),
        (HostDisabled, "host_disabled", "the job was disabled on {}", "作业在 {} 上被禁用"),
        (HostEnabled, "host_enabled", "the job was enabled on {}", "作业在 {} 上启用"),
        (
            HostDrained,
            "host_drained",
            "{} was drained: it begins nothing more",
            "{} 正在排空：不再开始新的运行",
        ),
        (HostUndrained, "host_undrained", "the drain of {} is over", "{} 的排空结束"),
        (ItemDisabled, "item_disabled", "item {} was disabled", "分片 {} 被禁用"),
        (ItemEnabled, "item_enabled", "item {} was enabled", "分片 {} 启用"),
        (
            ClockAhead,
            "clock_ahead",
            "the clock of {} is ahead; it goes by the registry's time",
            "{} 的时钟超前；改按注册中心的时间运行",
        ),
        (ClockRight, "clock_right", "the clock of {} is right again", "{} 的时钟恢复正常"),
        (
            CursorAhead,
            "cursor_ahead",
            "item {} stands still: its cursor lies in the future",
            "分片 {} 停止：其游标位于将来",
        ),
    ]
};

impl ChangeKind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| row.0)
    }

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == text).map(|row| row.0)
    }

    /// The sentence about a subject.
    #[must_use]
    pub fn describe(self, subject: &str, language: Language) -> String {
        let (_, _, english, chinese) = self.row();
        match language {
            Language::English => english.replace("{}", subject),
            Language::Chinese => chinese.replace("{}", subject),
        }
    }

    /// What two tellings of one change have in common though they name it otherwise.
    fn family(self) -> &'static str {
        match self {
            ChangeKind::Left
            | ChangeKind::ShutDown
            | ChangeKind::CutOff
            | ChangeKind::Lost
            | ChangeKind::Gone => "ended",
            kind => kind.as_str(),
        }
    }

    fn row(self) -> &'static (ChangeKind, &'static str, &'static str, &'static str) {
        KINDS.iter().find(|row| row.0 == self).expect("the table has every kind, as a test shows")
    }
}

impl Change {
    /// The identity of the change. Telling it again changes nothing, except that what an instance says of itself replaces what others said.
    ///
    /// A job's name holds no `/` and a namespace no `//`, so keys of different things differ.
    #[must_use]
    pub fn key(&self) -> String {
        let Change { namespace, kind, subject, transaction, .. } = self;
        let job = self.job.as_ref().map_or("", JobName::as_str);
        format!("/{namespace}//{job}/{}/{transaction}/{subject}", kind.family())
    }

    /// Whether an instance tells it of itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        *self.subject == *self.witness.as_str()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own_and_sentences() {
        let mut words = std::collections::HashSet::new();
        for kind in ChangeKind::all() {
            assert!(words.insert(kind.as_str()) && ChangeKind::parse(kind.as_str()) == Some(kind));
            let (english, chinese) =
                (kind.describe("x7", Language::English), kind.describe("x7", Language::Chinese));
            assert_eq!(english.contains("x7"), chinese.contains("x7"));
            assert!(!english.contains("{}") && !chinese.contains("{}"));
        }
        assert_eq!(words.len(), 17);
        assert_eq!(ChangeKind::parse("no"), None);
    }

    #[test]
    fn how_an_instance_ended_is_one_change_whoever_tells_it() {
        let told = |kind, transaction, witness: &str| Change {
            namespace: "n".into(),
            job: Some(JobName::new("j").unwrap()),
            kind,
            subject: "10.0.0.1@-@7".into(),
            transaction,
            by: "".into(),
            reason: "".into(),
            at: 0,
            witness: InstanceId::from_wire(witness),
        };
        let (own, others) =
            (told(ChangeKind::Left, 5, "10.0.0.1@-@7"), told(ChangeKind::Lost, 5, "10.0.0.2@-@7"));
        assert_eq!(own.key(), others.key());
        assert!(own.is_own() && !others.is_own());
        assert_ne!(own.key(), told(ChangeKind::Left, 6, "10.0.0.1@-@7").key());
        assert_ne!(own.key(), told(ChangeKind::Joined, 5, "10.0.0.1@-@7").key());
    }
}
