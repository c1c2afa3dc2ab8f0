//! `clockwright job …`: see and steer jobs.

use super::jobs;
use super::options::Settings;
use super::versions::{CreateArgs, EditArgs, RollbackArgs, VersionsArgs};
use super::{Global, Sure, confirm};
use crate::fleet::{Act, Fleet};
use crate::output::{Failure, Format, fields, instant, one_line, or_dash, print, show, table, talk};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use clockwright_fleet::admin::{Answer, Done, Triggered};
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::view::{ItemView, JobView};
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List the jobs of the namespace: state, schedule, instances, items
    List,
    /// Show one job: each item's owner, whether it runs, its last fire and outcome, and its next fire
    Get {
        /// The job's name
        name: String,
    },
    /// Fire a job now, on every instance; an item that runs is not started a second time
    Trigger {
        /// The job's name
        name: String,
        /// A name for this request: given again within a day, it fires nothing and shows the fire of the first time
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Stop a job from firing until it is resumed; what runs, goes on
    Pause(NoteArgs),
    /// Let a paused job fire again
    Resume(NameArgs),
    /// Keep a job off a host, or off all of them; the items move to the others
    Disable(TargetArgs),
    /// Let a job onto a host again, or onto all of them
    Enable(TargetArgs),
    /// Pause a job and wait until none of its items runs
    Drain {
        #[command(flatten)]
        note: NoteArgs,
        /// Longest to wait, for example 90s or 10m; then the command fails and the job stays paused
        #[arg(long, default_value = "10m", value_parser = super::duration)]
        timeout: Duration,
    },
    /// Change a job's settings in the registry; every instance follows without a restart
    Set(SetArgs),
    /// Tell the instances of a job to serve it no more, as Elastic-Job's shutdown does; their processes go on
    Shutdown {
        /// The job's name
        name: String,
        /// Only this instance, or the instances on the host with this IP address
        #[arg(long)]
        target: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Remove a job that no instance serves any more, with everything below it in the registry; a server keeps its versions and its history
    Remove {
        /// The job's name
        name: String,
        /// Of a server: what becomes of what runs. It is not removed while something runs; what runs is waited for; or it is ended. Default: stop
        #[arg(long, value_parser = PossibleValuesParser::new(["stop", "drain", "kill"]))]
        mode: Option<String>,
        /// Why, for those who wonder later; a server wants to know it
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        sure: Sure,
    },
    /// Make a job of a project, as a jobs file says it
    Create(CreateArgs),
    /// Say anew what a job of a project is, as a whole, as a jobs file says it
    Edit(EditArgs),
    /// Show what a job of a project was: its versions, one of them, or what differs between two
    Versions(VersionsArgs),
    /// Go back to the settings of an earlier version, as the next one
    Rollback(RollbackArgs),
    /// Show who came and went, and who paused, disabled or resumed the job, when and why, newest first
    History(super::changes::ChangesArgs),
    /// Print every registry node of a job, in the format of Elastic-Job's monitor port
    Dump {
        /// The job's name
        name: String,
        /// Show IP addresses; they are replaced by ip1, ip2, … otherwise
        #[arg(long)]
        show_ips: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// The job's name
    name: String,
    /// Why, for those who wonder later
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    sure: Sure,
}

/// A job that is changed.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The job's name
    name: String,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The job's name; without it, all jobs of the host
    #[arg(required_unless_present = "host")]
    name: Option<String>,
    /// Only on the host with this IP address
    #[arg(long, value_name = "IP")]
    host: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The job's name
    name: String,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    sure: Sure,
}

/// Who operates.
pub(super) fn actor() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    user.unwrap_or_default()
}

/// Every registry node of a job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dump {
    job_name: String,
    /// A line for each node: its path and its data, as Elastic-Job's monitor port writes them.
    dump: String,
}

impl JobCommand {
    /// The job that it changes, or `None` for those of a host, what it does, in words as well, and whether the user is sure; `None` when it
    /// only looks or asks something else.
    fn change(&self) -> Option<(Option<&str>, String, Act, Sure)> {
        let (job, what, act, sure) = match self {
            JobCommand::Pause(args) => {
                let act = Act::Pause { reason: args.reason.clone() };
                (&args.name, "pause (which they do not know)", act, args.sure)
            }
            JobCommand::Resume(args) => (&args.name, "resume", Act::Resume, args.sure),
            JobCommand::Drain { note, timeout } => {
                let act = Act::Drain { reason: note.reason.clone(), timeout: *timeout };
                (&note.name, "pause (which they do not know)", act, note.sure)
            }
            JobCommand::Set(args) => {
                (&args.name, "change the settings of", Act::Set(args.settings.0.clone()), args.sure)
            }
            JobCommand::Shutdown { name, target, sure } => {
                (name, "shut down", Act::Shutdown { target: target.clone() }, *sure)
            }
            JobCommand::Remove { name, mode, reason, sure } => {
                let act = Act::Remove { mode: mode.clone(), reason: reason.clone() };
                (name, "remove", act, *sure)
            }
            JobCommand::Disable(args) => {
                let act = Act::Disable { host: args.host.clone() };
                return Some((args.name.as_deref(), args.what("disable"), act, args.sure));
            }
            JobCommand::Enable(args) => {
                let act = Act::Enable { host: args.host.clone() };
                return Some((args.name.as_deref(), args.what("enable"), act, args.sure));
            }
            _ => return None,
        };
        Some((Some(job), format!("{what} `{job}`"), act, sure))
    }

    /// What was done, for people.
    fn told(&self, done: Done) -> String {
        let changed = done.changed;
        let or = |news: &'static str, old: &'static str| if changed > 0 { news } else { old };
        match self {
            JobCommand::Pause(args) => format!("{} `{}`", or("paused", "was paused already:"), args.name),
            JobCommand::Resume(args) => format!("{} `{}`", or("resumed", "was not paused:"), args.name),
            JobCommand::Drain { note, .. } => {
                format!("drained `{}`: nothing of it runs, and it stays paused", note.name)
            }
            JobCommand::Set(args) => {
                format!("{} `{}`", or("changed the settings of", "already as asked:"), args.name)
            }
            JobCommand::Shutdown { name, .. } => {
                format!("told {changed} instance(s) of `{name}` to serve it no more")
            }
            JobCommand::Remove { name, .. } => format!("removed `{name}`, {changed} node(s)"),
            JobCommand::Disable(args) => args.told("disabled", changed),
            JobCommand::Enable(args) => args.told("enabled", changed),
            _ => String::new(),
        }
    }
}

impl TargetArgs {
    fn what(&self, verb: &str) -> String {
        format!("{verb} `{}`", or_dash(self.name.as_ref().or(self.host.as_ref())))
    }

    fn told(&self, past: &str, changed: usize) -> String {
        match (&self.name, &self.host) {
            (Some(name), None) => format!("{past} `{name}` on {changed} host(s)"),
            (Some(name), Some(host)) => format!("{past} `{name}` on {host}"),
            (None, host) => format!("{past} {} for {changed} job(s)", or_dash(host.as_ref())),
        }
    }
}

pub(crate) async fn run(global: &Global, command: JobCommand) -> Result<(), Failure> {
    match command {
        // What is on record, and what only a server knows, needs no registry.
        JobCommand::History(args) => super::changes::run(global, &args).await,
        JobCommand::Create(args) => super::versions::create(global, &args).await,
        JobCommand::Edit(args) => super::versions::edit(global, &args).await,
        JobCommand::Versions(args) => super::versions::list(global, &args).await,
        JobCommand::Rollback(args) => super::versions::roll_back(global, &args).await,
        command => {
            let fleet = global.fleet().await?;
            let result = operate(global, &*fleet, command).await;
            fleet.close().await;
            result
        }
    }
}

async fn operate(global: &Global, fleet: &dyn Fleet, command: JobCommand) -> Result<(), Failure> {
    if let Some((job, what, act, sure)) = command.change() {
        confirm(sure, fleet, job, &what, act.is_managed()).await?;
        if let JobCommand::Drain { note, timeout } = &command {
            let longest = timeout.as_secs();
            talk(&format!("pausing `{}` and waiting for what runs, at most {longest} s", note.name));
        }
        let done = fleet.carry_out(job, &act).await?;
        return report(global, &command.told(done), done);
    }
    match command {
        JobCommand::List => jobs::list(global, fleet).await,
        JobCommand::Get { name } => show(global.output, &fleet.job(&name).await?, get),
        JobCommand::Dump { name, show_ips } => {
            let dump = fleet.dump(&name, !show_ips).await?;
            show(global.output, &Dump { job_name: name, dump }, |dump| dump.dump.clone())
        }
        JobCommand::Trigger { name, id, sure } => {
            confirm(sure, fleet, Some(&name), &format!("trigger `{name}`"), false).await?;
            let triggered = fleet.trigger(&name, id.as_deref()).await?;
            show(global.output, &triggered, |triggered| foretell(&name, triggered))?;
            if triggered.items.iter().any(|item| item.answer.runs()) {
                return Ok(());
            }
            Err(Failure::Failed(format!("nothing of `{name}` will run")))
        }
        _ => Ok(()),
    }
}

/// Says what was done: in words, or as counts for programs.
pub(super) fn report(global: &Global, text: &str, done: Done) -> Result<(), Failure> {
    match global.output {
        Format::Table => print(text),
        Format::Json => show(global.output, &done, |_| String::new()),
    }
}

/// What a trigger will do.
fn foretell(name: &str, triggered: &Triggered) -> String {
    let mut text = if triggered.repeated {
        format!("`{name}` was triggered before by that id: fire {}\n", triggered.fire)
    } else {
        format!("triggered `{name}`: fire {}\n", triggered.fire)
    };
    let why = triggered.paused.as_ref().map_or_else(String::new, PauseNote::describe);
    for (answer, what) in [
        (Answer::Starts, "starts now"),
        (Answer::WhenFree, "runs now, and once more as soon as that has ended"),
        (Answer::Dropped, "does not run: it is a busy Java instance's, which answers no trigger"),
        (Answer::Paused, &*format!("does not run: the job is {why}")),
        (Answer::Disabled, "does not run: it is disabled"),
        (Answer::KeptOff, "does not run: the job is disabled on its host"),
        (Answer::NoOwner, "does not run: no instance owns it yet"),
    ] {
        let items = triggered.items.iter().filter(|item| item.answer == answer);
        let items: Vec<String> = items.map(|item| item.item.to_string()).collect();
        if !items.is_empty() {
            text.push_str(&format!("item {}: {what}\n", items.join(", ")));
        }
    }
    text
}

fn get(job: &JobView) -> String {
    let brief = &job.brief;
    let mut text = format!("{}  {}", one_line(&brief.job_name), job.condition().word());
    if let Some(reason) = &brief.reason {
        text.push_str(&format!("  ({})", one_line(reason)));
    }
    text.push('\n');
    let zone = job.settings["timeZone"].as_str().or(job.settings["clockwright"]["timeZone"].as_str());
    let zone = zone.map_or(String::new(), |zone| format!(" {zone}"));
    let schedule = if brief.cron.is_empty() { "none: it fires when it is triggered" } else { &brief.cron };
    let lines = [
        ("description", brief.description.clone()),
        ("schedule", format!("{schedule}{zone}")),
        ("next fire", or_dash(job.fires_next().map(instant))),
        ("layout", format!("Elastic-Job {}", job.layout)),
        ("leader", or_dash(job.leader.as_ref())),
        ("plan", job.epoch.map_or_else(|| "-".into(), |epoch| format!("number {epoch}"))),
    ];
    text.push_str(&fields(lines.into_iter().filter(|(_, value)| !value.is_empty())));
    if job.resharding {
        text.push_str("the items will be shared out anew at the next fire\n");
    }
    text.push('\n');
    let header = ["ITEM", "STATUS", "OWNER", "LAST FIRE", "ATTEMPT", "OUTCOME", "NEXT FIRE"];
    let fires = job.condition().fires();
    text.push_str(&table(header, job.items.iter().map(|view| item(view, fires))));
    text.push('\n');
    let servers = job.servers.iter().map(|server| {
        let state = if server.enabled { "enabled" } else { "DISABLED" };
        [server.ip.clone(), state.into(), server.instance_count.to_string()]
    });
    text.push_str(&table(["SERVER", "STATUS", "INSTANCES"], servers));
    text.push('\n');
    let instances = job.instances.iter().map(|instance| {
        let role = if instance.leader { "leader" } else { "-" };
        let (kind, items) = (instance.kind.as_str(), instance.item_count.to_string());
        [instance.id.clone(), kind.into(), role.into(), items, instant(instance.since)]
    });
    text.push_str(&table(["INSTANCE", "KIND", "ROLE", "ITEMS", "SINCE"], instances));
    text
}

fn item(item: &ItemView, fires: bool) -> [String; 7] {
    let mut owner = or_dash(item.owner.as_ref());
    if let Some(taken_by) = &item.taken_by {
        owner.push_str(&format!(" (taken over by {taken_by})"));
    }
    let last = item.last.as_ref();
    let outcome = match last {
        _ if item.held.is_some() => {
            item.held.as_ref().map_or_else(String::new, |held| format!("{} [{}]", held.reason, held.code))
        }
        None => or_dash(None::<&str>),
        Some(last) => match (last.outcome, item.running) {
            (Some(outcome), _) if last.reason.is_empty() => outcome.to_owned(),
            (Some(outcome), _) => format!("{outcome}: {}", last.reason.lines().next().unwrap_or_default()),
            (None, true) => "running".into(),
            (None, false) => "unfinished".into(),
        },
    };
    [
        item.item.to_string(),
        if item.held.is_some() { "HELD".into() } else { item.status.as_str().into() },
        owner,
        or_dash(last.map(|last| instant(last.fire))),
        or_dash(last.map(|last| last.attempt)),
        outcome,
        or_dash(item.next_fire.filter(|_| fires).map(instant)),
    ]
}
