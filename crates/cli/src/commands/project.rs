//! `clockwright project …`: projects of a server and who belongs to them.

use super::Global;
use super::login::proved;
use crate::fleet::word;
use crate::output::{Failure, fields, instant, or_dash, show, table, talk};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use clockwright_api::client::Client;
use clockwright_api::jobs::SyncView;
use clockwright_api::projects::{Holds, Member, NewProject, Outside, Policy, Project, ProjectChange};
use clockwright_api::text::{Name, Namespace, ProjectName, Title};
use clockwright_api::{Etag, Role};
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// List the projects that you may see
    List,
    /// Show a project: where its jobs are, and how its registry is followed
    Get {
        /// Its name
        name: String,
    },
    /// Make a project: a namespace of a registry, whose jobs the server looks after from now on
    Create(CreateArgs),
    /// Change a project
    Set(SetArgs),
    /// End a project; its registry stays as it is
    Remove {
        /// Its name
        name: String,
        /// Also where it has jobs, which stay in the registry
        #[arg(long)]
        detach: bool,
    },
    /// List who belongs to a project
    Members {
        /// Its name
        name: String,
    },
    /// Give somebody a role on a project
    Grant(GrantArgs),
    /// Take somebody's role on a project away
    Revoke {
        /// The project's name
        name: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its name, for good: letters a to z, digits and -
    name: String,
    /// A title for people
    #[arg(long)]
    title: Option<String>,
    /// Which of the server's registries. Default: home
    #[arg(long = "in", value_name = "REGISTRY")]
    registry: Option<String>,
    /// The namespace there, for good. Default: the project's name
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name
    name: String,
    /// A title for people
    #[arg(long)]
    title: Option<String>,
    /// Whether its developers may change what a job runs
    #[arg(long, value_name = "true|false")]
    code_edit: Option<bool>,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// What is done about what others change in its registry.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// What is done about settings that somebody else writes into the registry: they are overwritten, left and told, or taken over. Default: repair
    #[arg(long, value_parser = PossibleValuesParser::new(["repair", "report", "adopt"]))]
    outside: Option<String>,
    /// What is done about pauses and disables that somebody else makes or lifts: others may stop and never start, or both are taken over. Default:
    /// keep
    #[arg(long, value_parser = PossibleValuesParser::new(["keep", "follow"]))]
    holds: Option<String>,
}

impl PolicyArgs {
    /// The policy, where one of the two is said; the other one is as before.
    fn over(&self, before: Policy) -> Option<Policy> {
        if self.outside.is_none() && self.holds.is_none() {
            return None;
        }
        let settings: Option<Outside> = self.outside.as_deref().and_then(word);
        let holds: Option<Holds> = self.holds.as_deref().and_then(word);
        Some(Policy { settings: settings.unwrap_or(before.settings), holds: holds.unwrap_or(before.holds) })
    }
}

/// A person, or a group of the identity provider.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The login of a person, or the name of a group
    who: String,
    /// It is a group of the identity provider
    #[arg(long)]
    group: bool,
}

impl Who {
    pub(crate) fn kind(&self) -> &'static str {
        if self.group { "group" } else { "user" }
    }

    pub(crate) fn who(&self) -> &str {
        &self.who
    }
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The project's name
    name: String,
    #[command(flatten)]
    who: Who,
    /// The role: viewer, operator, developer or projectAdmin
    #[arg(long, value_parser = role)]
    role: Role,
}

/// A role by its name.
pub(crate) fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| "it is viewer, operator, developer, projectAdmin or admin".to_owned())
}

/// A text of the interface, or what is wrong with the option that it is from.
pub(crate) fn checked<T>(option: &str, text: Result<T, String>) -> Result<T, Failure> {
    text.map_err(|why| Failure::Usage(format!("{option} {why}")))
}

pub(crate) fn optional<T>(
    option: &str,
    text: Option<&String>,
    read: impl FnOnce(String) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    text.map(|text| checked(option, read(text.clone()))).transpose()
}

pub(crate) async fn run(global: &Global, command: ProjectCommand) -> Result<(), Failure> {
    let client = global.client()?.client;
    proved(&client, async |client| act(global, client, &command).await).await
}

async fn act(global: &Global, client: &Client, command: &ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::List => show(global.output, &client.projects().await?.value.0, |all| list(all)),
        ProjectCommand::Get { name } => show(global.output, &client.project(name).show().await?.value, one),
        ProjectCommand::Create(args) => {
            let new = NewProject {
                name: checked("the name", ProjectName::new(args.name.as_str()))?,
                title: optional("--title", args.title.as_ref(), Title::new)?,
                note: None,
                registry: optional("--in", args.registry.as_ref(), Name::new)?,
                namespace: optional("--namespace", args.namespace.as_ref(), Namespace::new)?,
                store: None,
                layout: None,
                policy: args.policy.over(Policy::default()).unwrap_or_default(),
                code_edit: false,
            };
            show(global.output, &client.make_project(&new).await?.value, one)
        }
        ProjectCommand::Set(args) => {
            let project = client.project(&args.name);
            let before = project.show().await?.value;
            let change = ProjectChange {
                title: optional("--title", args.title.as_ref(), Title::new)?,
                policy: args.policy.over(before.policy),
                code_edit: args.code_edit,
                ..ProjectChange::default()
            };
            show(global.output, &project.change(Etag(before.version), &change).await?.value, one)
        }
        ProjectCommand::Remove { name, detach } => {
            let project = client.project(name);
            let version = Etag(project.show().await?.version);
            project.remove(version, *detach).await?;
            talk(&format!("ended the project `{name}`; its registry is as it was"));
            Ok(())
        }
        ProjectCommand::Members { name } => {
            show(global.output, &client.project(name).members().await?.value.0, |all| members(all))
        }
        ProjectCommand::Grant(GrantArgs { name, who, role }) => {
            let member = client.project(name).set_member(who.kind(), &who.who, *role).await?.value;
            show(global.output, &member, |member| members(std::slice::from_ref(member)))
        }
        ProjectCommand::Revoke { name, who } => {
            client.project(name).drop_member(who.kind(), &who.who).await?;
            talk(&format!("{} has no role on `{name}` of their own any more", who.who));
            Ok(())
        }
    }
}

fn list(all: &[Project]) -> String {
    if all.is_empty() {
        return "no projects\n".into();
    }
    table(
        ["PROJECT", "JOBS", "REGISTRY", "NAMESPACE", "YOUR ROLE", "TITLE"],
        all.iter().map(|project| {
            let (jobs, role) = (project.jobs.to_string(), project.role.name().to_owned());
            [
                project.name.clone(),
                jobs,
                project.registry.clone(),
                project.namespace.clone(),
                role,
                project.title.clone(),
            ]
        }),
    )
}

fn one(project: &Project) -> String {
    let live = project.live.as_ref();
    let as_json = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let policy = serde_json::to_value(project.policy).unwrap_or_default();
    fields([
        ("project", project.name.clone()),
        ("title", project.title.clone()),
        ("registry", project.registry.clone()),
        ("namespace", project.namespace.clone()),
        ("jobs", project.jobs.to_string()),
        ("outside", as_json(policy["settings"].clone())),
        ("holds", as_json(policy["holds"].clone())),
        ("code edit", project.code_edit.to_string()),
        ("followed", or_dash(live.map(|live| live.state.clone()))),
        ("instances", or_dash(live.map(|live| live.instances))),
        ("running", or_dash(live.map(|live| live.running))),
        ("made", instant(project.created_at.0)),
        ("version", project.version.to_string()),
    ])
}

pub(crate) fn members(all: &[Member]) -> String {
    if all.is_empty() {
        return "nobody\n".into();
    }
    table(
        ["KIND", "WHO", "ROLE", "SINCE"],
        all.iter().map(|member| {
            let (role, at) = (member.role.name().to_owned(), instant(member.at.0));
            [member.kind.clone(), member.who.clone(), role, at]
        }),
    )
}

/// Says when the registry does not say yet what was just saved.
pub(crate) fn tell_sync(sync: &SyncView) {
    if sync.state != "written" {
        let why = if sync.why.is_empty() { String::new() } else { format!(": {}", sync.why) };
        talk(&format!("saved; the registry does not say so yet ({}{why})", sync.state));
    }
}
