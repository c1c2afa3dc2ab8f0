//! `clockwright job …`: see and steer jobs.

use super::jobs;
use super::options::Settings;
use super::{Global, Sure, confirm};
use crate::output::{Failure, Format, fields, instant, now, one_line, or_dash, print, show, table, talk};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::{Admin, AdminError, Answer, Done, Triggered};
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::view::{self, ItemView, JobView};
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
    /// Keep a job off a server, or off all of them; the items move to the others
    Disable(TargetArgs),
    /// Let a job onto a server again, or onto all of them
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
        /// Only this instance, or the instances on the server with this IP address
        #[arg(long)]
        target: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Remove a job that no instance serves any more, with everything below it in the registry
    Remove(NameArgs),
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
    /// The job's name; without it, all jobs of the server
    #[arg(required_unless_present = "server")]
    name: Option<String>,
    /// Only on the server with this IP address
    #[arg(long)]
    server: Option<String>,
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
    /// The job that it changes, or `None` for those of a server, what it does to it, and whether the user is sure; `None` when it
    /// only looks.
    fn change(&self) -> Option<(Option<&str>, String, Sure)> {
        let (job, what, sure) = match self {
            JobCommand::List | JobCommand::Get { .. } | JobCommand::History(_) | JobCommand::Dump { .. } => {
                return None;
            }
            JobCommand::Trigger { name, sure, .. } => (name, "trigger", *sure),
            JobCommand::Pause(args) => (&args.name, "pause (which they do not know)", args.sure),
            JobCommand::Resume(args) => (&args.name, "resume", args.sure),
            JobCommand::Drain { note, .. } => (&note.name, "pause (which they do not know)", note.sure),
            JobCommand::Set(args) => (&args.name, "change the settings of", args.sure),
            JobCommand::Shutdown { name, sure, .. } => (name, "shut down", *sure),
            JobCommand::Remove(args) => (&args.name, "remove", args.sure),
            JobCommand::Disable(args) | JobCommand::Enable(args) => {
                let word = if matches!(self, JobCommand::Disable(_)) { "disable" } else { "enable" };
                let target = args.name.as_ref().or(args.server.as_ref());
                return Some((args.name.as_deref(), format!("{word} `{}`", or_dash(target)), args.sure));
            }
        };
        Some((Some(job), format!("{what} `{job}`"), sure))
    }
}

pub(crate) async fn run(global: &Global, command: JobCommand) -> Result<(), Failure> {
    if let JobCommand::History(args) = &command {
        // What is on record needs no registry.
        return super::changes::run(global, args).await;
    }
    let (registry, session) = global.session().await?;
    let keys = registry.keys();
    let actor = actor();
    let admin = Admin::new(&*session, keys).by(&actor);
    if let Some((job, what, sure)) = command.change() {
        confirm(sure, &*session, keys, job, &what).await?;
    }
    let result = match command {
        JobCommand::History(_) => Ok(()),
        JobCommand::List => jobs::list(global, &*session, keys).await,
        JobCommand::Get { name } => {
            let job = view::job(&*session, keys, &name, now()).await?;
            show(global.output, &job, get)
        }
        JobCommand::Dump { name, show_ips } => {
            let dump = view::dump(&*session, keys, &name, !show_ips).await?;
            show(global.output, &Dump { job_name: name, dump }, |dump| dump.dump.clone())
        }
        JobCommand::Trigger { name, id, .. } => {
            let triggered = admin.trigger(&name, id.as_deref()).await?;
            show(global.output, &triggered, |triggered| foretell(&name, triggered))?;
            if triggered.items.iter().any(|item| item.answer.runs()) {
                Ok(())
            } else {
                Err(Failure::Failed(format!("nothing of `{name}` will run")))
            }
        }
        JobCommand::Pause(args) => {
            let done = admin.pause(&args.name, &args.reason).await?;
            let what = if done.changed == 1 { "paused" } else { "was paused already:" };
            report(global, &format!("{what} `{}`", args.name), done)
        }
        JobCommand::Resume(NameArgs { name, .. }) => {
            let done = admin.resume(&name).await?;
            let what = if done.changed == 1 { "resumed" } else { "was not paused:" };
            report(global, &format!("{what} `{name}`"), done)
        }
        JobCommand::Set(args) => {
            let done = admin.set(&args.name, None, &args.settings.0).await?;
            let what = if done.changed == 1 { "changed the settings of" } else { "already as asked:" };
            report(global, &format!("{what} `{}`", args.name), done)
        }
        JobCommand::Shutdown { name, target, .. } => {
            let done = admin.shutdown(Some(&name), target.as_deref()).await?;
            report(
                global,
                &format!("told {} instance(s) of `{name}` to serve it no more", done.changed),
                done,
            )
        }
        JobCommand::Remove(NameArgs { name, .. }) => {
            let done = admin.remove(&name).await?;
            report(global, &format!("removed `{name}`, {} node(s)", done.changed), done)
        }
        JobCommand::Disable(args) => set_disabled(global, &admin, args, true).await,
        JobCommand::Enable(args) => set_disabled(global, &admin, args, false).await,
        JobCommand::Drain { note, timeout } => {
            talk(&format!(
                "pausing `{}` and waiting for what runs, at most {} s",
                note.name,
                timeout.as_secs()
            ));
            let done = admin.drain(&note.name, &note.reason, timeout).await?;
            report(global, &format!("drained `{}`: nothing of it runs, and it stays paused", note.name), done)
        }
    };
    // A clean end frees the session at once; the answer does not depend on it.
    let _late = session.close().await;
    result
}

async fn set_disabled(
    global: &Global,
    admin: &Admin<'_>,
    args: TargetArgs,
    disabled: bool,
) -> Result<(), Failure> {
    let word = if disabled { "disabled" } else { "enabled" };
    let done: Result<Done, AdminError> = match (&args.name, &args.server) {
        (Some(name), server) => admin.set_job_disabled(name, server.as_deref(), disabled).await,
        (None, Some(server)) => admin.set_server_disabled(server, disabled).await,
        (None, None) => return Err(Failure::Usage("name a job, a --server, or both".into())),
    };
    let done = done?;
    let text = match (&args.name, &args.server) {
        (Some(name), None) => format!("{word} `{name}` on {} server(s)", done.changed),
        (Some(name), Some(server)) => format!("{word} `{name}` on {server}"),
        (None, server) => format!("{word} {} for {} job(s)", or_dash(server.as_ref()), done.changed),
    };
    report(global, &text, done)
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
        (Answer::KeptOff, "does not run: the job is disabled on its server"),
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
