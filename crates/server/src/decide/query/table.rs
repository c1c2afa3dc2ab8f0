//! The qualifiers: their names in both languages, the words of before, what each takes and where it is of use.

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Jobs.
    Jobs,
    /// Outcomes of fires.
    Runs,
}

/// What a qualifier, or a bare text, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the qualifiers by their names")]
pub enum What {
    Text,
    Project,
    Job,
    Tag,
    Mode,
    Type,
    Owner,
    State,
    Status,
    Problem,
    Managed,
    Sync,
    Next,
    Due,
    Cron,
    Zone,
    Streak,
    Late,
    Took,
    Items,
    Outcome,
    Kind,
    Source,
    Item,
    Attempt,
    Instance,
    Host,
    By,
    Changed,
    Version,
}

/// What a qualifier takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Letters that are contained.
    Letters,
    /// A name as a whole, or how it begins, with a `*` behind that.
    Name,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number, one with what it is compared by, or two with `..` between them.
    Number,
    /// A length of time with what it is compared by, or two with `..` between them.
    Time,
    /// The same, or `p50` or `p95`: how long the item usually takes.
    Usual,
}

/// A qualifier.
#[derive(Debug, Clone, Copy)]
pub struct Qualifier {
    /// What it is about.
    pub what: What,
    /// Its name.
    pub name: &'static str,
    /// Its name in Chinese, and words that stood for it before.
    pub also: &'static [&'static str],
    /// What it takes.
    pub takes: Takes,
    /// Where it is of use.
    pub of: &'static [Of],
}

const JOBS: &[Of] = &[Of::Jobs];
const RUNS: &[Of] = &[Of::Runs];
const BOTH: &[Of] = &[Of::Jobs, Of::Runs];

const OUTCOMES: &[&str] = &["succeeded", "failed", "skipped", "coalesced", "missed", "cancelled"];
const STATUSES: &[&str] = &["ok", "paused", "disabled", "crashed", "sharding_flag", "degraded"];
const STATES: &[&str] =
    &["online", "offline", "removing", "ok", "paused", "disabled", "crashed", "sharding_flag", "degraded"];
const PROBLEMS: &[&str] = &["crashed", "degraded", "diverged", "failing"];
const MANAGED: &[&str] = &["console", "files"];
const FAILURES: &[&str] = &["job", "panic", "timeout", "owner_lost", "start"];
const SOURCES: &[&str] = &["schedule", "misfire", "failover", "trigger", "retry"];

const fn row(
    what: What,
    name: &'static str,
    also: &'static [&'static str],
    takes: Takes,
    of: &'static [Of],
) -> Qualifier {
    Qualifier { what, name, also, takes, of }
}

/// All of them. Of two with one name the one that is of use counts.
pub const QUALIFIERS: &[Qualifier] = &[
    row(What::Project, "project", &["项目", "namespace", "app"], Takes::Name, BOTH),
    row(What::Job, "job", &["作业"], Takes::Name, BOTH),
    row(What::Tag, "tag", &["标签"], Takes::Name, BOTH),
    row(What::Mode, "mode", &["模式"], Takes::Name, BOTH),
    row(What::Type, "type", &["类型"], Takes::Name, BOTH),
    row(What::Owner, "owner", &["负责人"], Takes::Letters, BOTH),
    row(What::State, "state", &["状态"], Takes::Word(STATES), JOBS),
    row(What::Status, "status", &[], Takes::Word(STATUSES), JOBS),
    row(What::Problem, "problem", &["问题"], Takes::Word(PROBLEMS), JOBS),
    row(What::Managed, "managed", &["托管"], Takes::Word(MANAGED), JOBS),
    row(What::Sync, "sync", &[], Takes::Name, JOBS),
    row(What::Next, "next", &["下次"], Takes::Time, JOBS),
    row(What::Due, "due", &["应触发"], Takes::Time, RUNS),
    row(What::Cron, "cron", &[], Takes::Letters, JOBS),
    row(What::Zone, "zone", &["时区"], Takes::Letters, JOBS),
    row(What::Streak, "streak", &["连败"], Takes::Number, JOBS),
    row(What::Late, "late", &["延迟"], Takes::Time, RUNS),
    row(What::Took, "took", &["用时"], Takes::Usual, RUNS),
    row(What::Took, "took", &["用时"], Takes::Time, JOBS),
    row(What::Items, "items", &["项数"], Takes::Number, JOBS),
    row(What::Outcome, "outcome", &["结果"], Takes::Word(OUTCOMES), BOTH),
    row(What::Kind, "kind", &["失败类型"], Takes::Word(FAILURES), RUNS),
    // What a job runs was asked for by this word first.
    row(What::Type, "kind", &[], Takes::Name, JOBS),
    row(What::Source, "source", &["来源"], Takes::Word(SOURCES), RUNS),
    row(What::Item, "item", &["分片项", "shard"], Takes::Number, RUNS),
    row(What::Attempt, "attempt", &["尝试"], Takes::Number, RUNS),
    row(What::Instance, "instance", &["实例", "executor"], Takes::Name, BOTH),
    row(What::Host, "host", &["服务器", "server"], Takes::Name, BOTH),
    row(What::By, "by", &["操作者"], Takes::Name, JOBS),
    row(What::Changed, "changed", &["改动"], Takes::Time, JOBS),
    row(What::Version, "version", &["版本"], Takes::Number, JOBS),
];

impl Qualifier {
    /// The one of this name; where there are two, the one that is of use.
    #[must_use]
    pub fn named(name: &str, of: Of) -> Option<&'static Self> {
        let named = |row: &&Self| row.name == name || row.also.contains(&name);
        let useful = QUALIFIERS.iter().find(|row| named(row) && row.of.contains(&of));
        useful.or_else(|| QUALIFIERS.iter().find(named))
    }

    /// What it takes, in words.
    #[must_use]
    pub fn wants(&self) -> String {
        match self.takes {
            Takes::Letters => "letters".to_owned(),
            Takes::Name => format!("a name, or how one begins, such as `{}:a*`", self.name),
            Takes::Word(words) => format!("one of {}", words.join(", ")),
            Takes::Number => "a number, such as `3`, `>=3` or `1..3`".to_owned(),
            Takes::Time => "a time such as `<1h`, or `1m..1h`, in ms, s, m, h, d or w".to_owned(),
            Takes::Usual => "a time such as `>5s`, in ms, s, m, h, d or w, or `>p50` or `>p95`".to_owned(),
        }
    }
}
