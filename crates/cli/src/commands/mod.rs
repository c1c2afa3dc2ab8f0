//! The commands, one file per group.

pub(crate) mod alert;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod backup;
mod beside;
mod changes;
pub(crate) mod config;
mod crew;
pub(crate) mod cron;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod file;
mod follow;
pub(crate) mod history;
pub(crate) mod hold;
pub(crate) mod host;
pub(crate) mod job;
mod jobs;
pub(crate) mod ledger;
mod live;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod node;
pub(crate) mod operation;
mod options;
pub(crate) mod project;
pub(crate) mod reference;
mod rescue;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod shard;
pub(crate) mod silence;
pub(crate) mod stats;
pub(crate) mod sync;
pub(crate) mod token;
pub(crate) mod user;
mod versions;

use crate::context::{Context, Target};
use crate::fleet::{self, Fleet};
use crate::notify;
use crate::output::{Failure, Format, now, talk, with_causes};
use crate::record::{self, Record};
use clap::{Args, ValueEnum};
use clockwright::registry::{Address, DEFAULT_NAMESPACE};
use clockwright::{Registry, Scheduler, SchedulerError, ShutdownReport, jobs_file};
use clockwright_api::At;
use clockwright_api::client::Client;
use clockwright_engine::StartError;
use clockwright_fleet::keys::Keys;
use clockwright_model::{Language, Millis, nearest};
use clockwright_registry::SharedRegistry;
use history::Store;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use clockwright::scheduler::{EVENTS_FILE, LOGS_FOLDER};

/// Where `dev` and `node` keep their files unless told otherwise.
pub(crate) const DEFAULT_DATA: &str = ".clockwright";

/// The options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The data folder of the `dev` or `node` on this machine that is meant: its registry, its outcomes and what its runs printed. `dev`
    /// and `node` keep theirs there, and make it when it is missing. Default: .clockwright
    #[arg(
        id = "data",
        long,
        global = true,
        env = "CLOCKWRIGHT_DATA",
        value_name = "FOLDER",
        help_heading = WHERE
    )]
    data_folder: Option<PathBuf>,
    /// Where jobs are coordinated: zookeeper://[user:password@]host:2181,host:2181/namespace (zookeepers: with TLS), or
    /// embedded:FOLDER/namespace. Default: the namespace `jobs` of the registry in the data folder
    #[arg(
        long,
        global = true,
        env = "CLOCKWRIGHT_REGISTRY",
        hide_env_values = true,
        value_name = "ADDRESS",
        help_heading = WHERE
    )]
    registry: Option<String>,
    /// Where outcomes and traces are: postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://… or sqlite:FILE. Default: events.db in the
    /// data folder. While a database is away, what `dev` and `node` have to tell it waits in their data folder
    #[arg(
        long,
        global = true,
        env = "CLOCKWRIGHT_EVENTS",
        hide_env_values = true,
        value_name = "ADDRESS",
        help_heading = WHERE
    )]
    pub(crate) events: Option<String>,
    /// The server that is asked, and no registry and no event store: https://jobs.example.com. Default: that of `clockwright login`, unless a
    /// registry, a data folder or events are named
    #[arg(long, global = true, env = "CLOCKWRIGHT_SERVER", value_name = "URL", help_heading = WHERE)]
    server: Option<String>,
    /// The project of the server that is meant. Default: that of `clockwright login`, or the only one that you may see
    #[arg(long, global = true, env = "CLOCKWRIGHT_PROJECT", value_name = "NAME", help_heading = WHERE)]
    pub(crate) project: Option<String>,
    /// A file with the token by which the server lets you in. Default: the token in the variable CLOCKWRIGHT_TOKEN, or that of
    /// `clockwright login`
    #[arg(long, global = true, env = "CLOCKWRIGHT_TOKEN_FILE", value_name = "FILE", help_heading = WHERE)]
    pub(crate) token_file: Option<PathBuf>,
    /// The form of the data on stdout
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// The language in which tables say why. Default: that of this terminal (LC_ALL, LC_MESSAGES, LANG), if it is one of these
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
}

/// A language that reasons can be told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

/// Whose history is asked, where several namespaces share a database.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Within {
    /// Only what is on record of this namespace, where several share a database. Default: that of --registry, if it is given
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

impl Within {
    /// The namespace that is meant; `None` is any.
    pub(crate) fn namespace(&self, global: &Global) -> Result<Option<String>, Failure> {
        match (&self.namespace, &global.registry) {
            (Some(name), _) => Ok(Some(name.trim_matches('/').to_owned())),
            (None, Some(_)) => Ok(Some(global.address()?.namespace().to_owned())),
            (None, None) => Ok(None),
        }
    }
}

const WHERE: &str = "Where things are";

/// How long a registry may keep us waiting before we say what we wait for.
const SILENCE: Duration = Duration::from_millis(700);

impl Global {
    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data_folder.as_deref().unwrap_or(Path::new(DEFAULT_DATA))
    }

    pub(crate) fn address(&self) -> Result<Address, Failure> {
        match &self.registry {
            Some(address) => Ok(Address::parse(address)?),
            None => Ok(Address::embedded(self.data(), DEFAULT_NAMESPACE)?),
        }
    }

    async fn connect(&self) -> Result<Registry, Failure> {
        let address = self.address()?;
        Ok(saying(&format!("connecting to {address} …"), Registry::open(&address, None)).await?)
    }

    /// The registry and a session in it. A namespace that is not there is an error that names those that are.
    pub(crate) async fn session(&self) -> Result<(Registry, SharedRegistry), Failure> {
        let registry = self.connect().await?;
        let session = registry.session().await?;
        must_exist(&*session, registry.keys(), &self.address()?).await?;
        Ok((registry, session))
    }

    /// The server that is asked, if one is. To name two places is a mistake.
    pub(crate) fn target(&self) -> Result<Option<Target>, Failure> {
        let direct = [
            ("--registry", self.registry.is_some()),
            ("--events", self.events.is_some()),
            ("--data", self.data_folder.is_some()),
        ];
        let direct = direct.into_iter().find_map(|(option, given)| given.then_some(option));
        match (&self.server, direct) {
            (Some(_), Some(option)) => Err(Failure::Usage(format!(
                "--server and {option} name two places; what the one says is not what the other says (CLOCKWRIGHT_SERVER and \
                 CLOCKWRIGHT_{} count as well)",
                option.trim_start_matches('-').to_uppercase()
            ))),
            (None, Some(_)) => Ok(None),
            (Some(server), None) => Target::at(self, server).map(Some),
            (None, None) => Ok(Context::load()?.map(|context| Target::of(self, context)).transpose()?),
        }
    }

    /// The server that is named, other than by having signed in there.
    pub(crate) fn server_named(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// A client of the server, for what only a server knows.
    pub(crate) fn client(&self) -> Result<Target, Failure> {
        self.target()?.ok_or_else(|| {
            Failure::Usage(
                "this is asked of a server: name it with --server, or sign in with `clockwright login`"
                    .into(),
            )
        })
    }

    /// The client, and the project that is meant.
    pub(crate) async fn within(&self) -> Result<(Client, String), Failure> {
        let target = self.client()?;
        let project = target.project().await?;
        Ok((target.client, project))
    }

    /// The fleet that is meant.
    pub(crate) async fn fleet(&self) -> Result<Box<dyn Fleet>, Failure> {
        match self.target()? {
            Some(target) => {
                let project = target.project().await?;
                Ok(Box::new(fleet::Remote::new(&target.client, project)))
            }
            None => {
                let (registry, session) = self.session().await?;
                Ok(Box::new(fleet::Direct::new(registry, session, job::actor())))
            }
        }
    }

    /// What happened in it.
    pub(crate) async fn record(&self, within: &Within) -> Result<Box<dyn Record + '_>, Failure> {
        match self.target()? {
            Some(_) if within.namespace.is_some() => {
                Err(Failure::Usage("a server is asked by --project; --namespace is of an event store".into()))
            }
            Some(target) => {
                let project = target.project().await?;
                Ok(Box::new(record::Remote::new(target.client, project)))
            }
            None => {
                let namespace = within.namespace(self)?;
                Ok(Box::new(record::Direct::new(self, self.store().open().await?, namespace)))
            }
        }
    }

    /// Where history is.
    pub(crate) fn store(&self) -> Store<'_> {
        Store { data: self.data(), events: self.events.as_deref() }
    }

    /// The language of sentences for people; programs get English, which is what is stored.
    pub(crate) fn language(&self) -> Language {
        let terminal = || {
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        match (self.output, self.lang) {
            (Format::Json, _) | (_, Some(Lang::En)) => Language::English,
            (_, Some(Lang::Zh)) => Language::Chinese,
            (_, None) if terminal().is_some_and(|name| name.starts_with("zh")) => Language::Chinese,
            (_, None) => Language::English,
        }
    }

    /// The registry, where one was named that other machines use too.
    pub(crate) fn shared_registry(&self) -> Option<Address> {
        self.registry.as_ref().filter(|address| !address.starts_with("embedded:"))?;
        self.address().ok()
    }

    /// Whether history is where other machines can write it too.
    pub(crate) fn has_shared_store(&self) -> bool {
        matches!(&self.events, Some(address) if !address.starts_with("sqlite:"))
    }
}

/// Does something, and says what when it takes long.
pub(crate) async fn saying<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(SILENCE) => talk(what),
    }
    work.await
}

/// Refuses a namespace that nobody has written to: a mistyped one looks like one without jobs.
async fn must_exist(
    registry: &dyn clockwright_registry::Registry,
    keys: &Keys,
    address: &Address,
) -> Result<(), Failure> {
    let root = keys.root();
    if registry.read(std::slice::from_ref(root)).await?[0].is_some() {
        return Ok(());
    }
    let above = root.parent().unwrap_or_else(clockwright_registry::Path::root);
    // Who may not look there gets no hint.
    let beside = registry.list(&above).await.unwrap_or_default();
    let wanted = root.as_str().rsplit('/').next().unwrap_or_default();
    let others: Vec<&str> = beside
        .iter()
        .map(String::as_str)
        .filter(|name| !["zookeeper", "clockwright-server"].contains(name) && !name.ends_with("-clockwright"))
        .collect();
    let hint = match (nearest(wanted, others.iter().copied()), others.len()) {
        (Some(near), _) => format!("; did you mean `{near}`?"),
        (None, 0) => String::new(),
        (None, 1..=10) => format!("; there is {}", others.join(", ")),
        (None, count) => format!("; there are {count} others"),
    };
    Err(Failure::Failed(format!("no instance has ever written to the namespace of {address}{hint}")))
}

/// The answer to a question that is asked before a change.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Sure {
    /// Do it without being asked, also where Java instances are affected or a server manages the namespace
    #[arg(long, short)]
    yes: bool,
}

/// Asks before something is done to a job, or with `None` to any job: whoever attaches to somebody's production only looks, unless they say
/// otherwise. What a server manages that was not asked is not changed behind its back, and what instances of Elastic-Job serve not without a
/// word. Jobs that only Clockwright serves are not asked about.
pub(crate) async fn confirm(
    sure: Sure,
    fleet: &dyn Fleet,
    job: Option<&str>,
    what: &str,
    is_managed: bool,
) -> Result<(), Failure> {
    if is_managed && let Some(url) = fleet.managed_by().await? {
        if !sure.yes {
            return Err(Failure::Denied(format!(
                "the namespace is managed by {url}, which would set this back; ask it with --server {url}, or say --yes to {what} all the \
                 same. Nothing was changed"
            )));
        }
        talk(&format!("the namespace is managed by {url}: this is drift to it"));
    }
    if sure.yes {
        return Ok(());
    }
    let served = fleet.java_instances(job).await?;
    if served == 0 {
        return Ok(());
    }
    let affected = format!("{served} instance(s) of Elastic-Job are affected when you {what}");
    agreed(&format!("{affected}. Go on?"), &format!("{affected}; say --yes to do it"))
}

/// Asks whoever sits at a terminal; where nobody does, `unasked` says how to do it all the same.
fn agreed(question: &str, unasked: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::Denied(format!("{unasked}. Nothing was changed")));
    }
    talk(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Denied("nothing was changed".into())),
    }
}

/// An instant: RFC 3339, a date or a date and time in this machine's zone, `now`, or a duration such as `90m`, which is so long
/// ago.
pub(crate) fn moment(text: &str) -> Result<Millis, String> {
    if text == "now" {
        return Ok(now());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        let at = at.to_zoned(TimeZone::system()).map_err(|error| error.to_string())?;
        return Ok(at.timestamp().as_millisecond());
    }
    let ago = jobs_file::duration(text).map_err(|_| {
        "an instant is `2026-01-31T12:00:00Z`, `2026-01-31 12:00` or `2026-01-31` in this machine's zone, `now`, or how \
         long ago it was, such as `90m` or `2d`"
            .to_owned()
    })?;
    Ok(now().saturating_sub(ago))
}

/// A duration option such as `90s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let millis: Millis = jobs_file::duration(text)?;
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Until when something is valid that is so for this long from now on.
pub(crate) fn valid_until(long: Duration) -> At {
    At(now().saturating_add(Millis::try_from(long.as_millis()).unwrap_or(Millis::MAX)))
}

impl From<SchedulerError> for Failure {
    fn from(error: SchedulerError) -> Self {
        match error {
            error @ (SchedulerError::Job { .. } | SchedulerError::Twice(_)) => {
                Failure::Usage(error.to_string())
            }
            SchedulerError::Store(error) => error.into(),
            SchedulerError::Engine(StartError::Registry(error)) => error.into(),
            SchedulerError::Engine(error @ StartError::NoSettings { .. }) => {
                Failure::Failed(error.to_string())
            }
            error @ SchedulerError::NotAllowed { .. } => Failure::Denied(error.to_string()),
            SchedulerError::Engine(error) => Failure::Usage(error.to_string()),
            error => Failure::Failed(with_causes(&error)),
        }
    }
}

/// Waits for a signal and shuts the instances down together; a second signal ends what still runs.
pub(crate) async fn until_signal(
    schedulers: Vec<Scheduler>,
    mut signals: Signals,
    grace: Duration,
) -> Result<(), Failure> {
    let ended = futures::future::select_all(schedulers.iter().map(|scheduler| Box::pin(scheduler.ended())));
    let which = tokio::select! {
        which = signals.next() => Some(which),
        _ = ended => None,
    };
    let Some(which) = which else {
        futures::future::join_all(schedulers.into_iter().map(Scheduler::shutdown)).await;
        return Err(Failure::Failed(
            "the instance has ended by itself; see above why, and start it again".into(),
        ));
    };
    shut_down(which, schedulers, signals, grace).await
}

/// Shuts the instances down together, because of this signal; a second one ends what still runs.
pub(crate) async fn shut_down(
    which: &str,
    schedulers: Vec<Scheduler>,
    mut signals: Signals,
    grace: Duration,
) -> Result<(), Failure> {
    notify::tell(notify::State::Stopping);
    talk(&format!("{which}: shutting down{}", awaited(&schedulers, grace).await));
    let hurry: Vec<_> = schedulers.iter().map(Scheduler::hurry).collect();
    let mut shutdown =
        std::pin::pin!(futures::future::join_all(schedulers.into_iter().map(Scheduler::shutdown)));
    tokio::select! {
        reports = &mut shutdown => return all_kept(lost(&reports)),
        which = signals.next() => talk(&format!("{which} again: ending what runs")),
    }
    hurry.iter().for_each(|hurry| hurry());
    match tokio::time::timeout(LAST_SECONDS, shutdown).await {
        Ok(reports) => all_kept(lost(&reports)),
        Err(_) => Err(Failure::Failed(
            "gave up waiting for the registry; its session timeout will tell the others".into(),
        )),
    }
}

fn lost(reports: &[ShutdownReport]) -> u64 {
    reports.iter().map(|report| report.events_lost).sum()
}

/// Says how many events nobody will find.
pub(crate) fn all_kept(lost: u64) -> Result<(), Failure> {
    match lost {
        0 => Ok(()),
        lost => Err(Failure::Failed(format!(
            "{lost} event(s) of what ran could be neither stored nor kept on disk, so the history lacks them; see why above, and free space or \
             name another folder with --data"
        ))),
    }
}

/// What a shutdown waits for: `, waiting up to 30 s for slow/0; a second signal ends it now`.
async fn awaited(schedulers: &[Scheduler], grace: Duration) -> String {
    let mut running = Vec::new();
    for scheduler in schedulers {
        for job in scheduler.status().await {
            running.extend(job.running.iter().map(|item| format!("{}/{item}", job.job)));
        }
    }
    if running.is_empty() {
        return String::new();
    }
    running.sort_unstable();
    let more = running.len().saturating_sub(NAMED);
    running.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        ", waiting up to {} s for {}{more}; a second signal ends them now",
        grace.as_secs(),
        running.join(", ")
    )
}

/// How many runs are named that a shutdown waits for.
const NAMED: usize = 10;

/// How long an instance that was told twice to end may take for it.
const LAST_SECONDS: Duration = Duration::from_secs(10);

/// The signals that ask a program to end, caught from when this is made: SIGTERM, SIGINT, SIGHUP (the terminal is gone) and SIGQUIT.
/// The last two stay ignored where whoever started the program ignores them, as `nohup` does.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    quit: Option<Signal>,
}

impl Signals {
    pub(crate) fn catch() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let unless_ignored = |kind: SignalKind| match is_ignored(&status, kind) {
            true => Ok(None),
            false => signal(kind).map(Some),
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: unless_ignored(SignalKind::hangup())?,
            quit: unless_ignored(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = received(&mut self.hangup) => "SIGHUP",
            () = received(&mut self.quit) => "SIGQUIT",
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started with a signal ignored, as `/proc/self/status` says.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(test)]
mod signal_tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t00000000ffffffff\nSigIgn:\t0000000000000001\n";
        assert!(is_ignored(status, SignalKind::hangup()));
        assert!(!is_ignored(status, SignalKind::quit()) && !is_ignored("", SignalKind::hangup()));
    }
}
