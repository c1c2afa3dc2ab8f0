//! `clockwright user …`: the people of a server.

use super::Global;
use super::config::ConfigArgs;
use super::history::{PageArgs, tell_next};
use super::login::proved;
use super::project::{Who, checked, members, role};
use super::rescue::{self, RescueArgs};
use crate::output::{Failure, fields, instant, or_dash, show, table, talk};
use clap::{Args, Subcommand};
use clockwright_api::client::{Answered, Client};
use clockwright_api::page::{Page, Paging};
use clockwright_api::people::{Invited, NewLink, NewPerson, Person};
use clockwright_api::text::{Login, Title};
use clockwright_api::{Etag, Role};

/// How many people are looked through at once for one whose login is given.
const AT_ONCE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List people
    List(PageArgs),
    /// Show somebody
    Get(One),
    /// Invite somebody: the link by which they choose a password is shown once
    Invite(InviteArgs),
    /// Make a link by which somebody chooses a new password; it is shown once
    Link(One),
    /// Keep somebody out; their sessions and tokens end
    Disable(One),
    /// Let somebody in again
    Enable(One),
    /// End somebody's sessions
    EndSessions(One),
    /// Remove somebody, with their sessions, tokens and roles
    Remove(One),
    /// List who has a role on all projects
    Roles,
    /// Give somebody a role on all projects
    Grant {
        #[command(flatten)]
        who: Who,
        /// The role: viewer, operator, developer, projectAdmin or admin
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// Take somebody's role on all projects away
    Revoke {
        #[command(flatten)]
        who: Who,
    },
    /// Print a link that lets somebody in as an administrator for an hour, on the server's own machine, when nothing else lets anybody in: also
    /// while the identity provider is away, and passwords are closed. The journal tells of it
    Rescue(RescueArgs),
    /// Print a new link for the first administrator, on the server's own machine, while nobody exists; those before do not work any more
    SetupLink(ConfigArgs),
}

/// Somebody.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Their login
    login: String,
}

#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// What they will sign in with
    login: String,
    /// Their name
    #[arg(long, default_value = "")]
    name: String,
    /// Where mail reaches them
    #[arg(long, default_value = "")]
    mail: String,
    /// Their role on all projects
    #[arg(long, value_parser = role)]
    role: Option<Role>,
}

pub(crate) async fn run(global: &Global, command: UserCommand) -> Result<(), Failure> {
    match &command {
        UserCommand::Rescue(args) => return rescue::let_in(global, args).await,
        UserCommand::SetupLink(args) => return rescue::set_up(global, args).await,
        _ => {}
    }
    let client = global.client()?.client;
    proved(&client, async |client| act(global, client, &command).await).await
}

async fn act(global: &Global, client: &Client, command: &UserCommand) -> Result<(), Failure> {
    let people = client.people();
    match command {
        UserCommand::List(page) => {
            let page = people.list(&page.paging()).await?.value;
            show(global.output, &page.items, |all| list(all))?;
            tell_next(page.next.as_deref());
            Ok(())
        }
        UserCommand::Get(one) => show(global.output, &find(client, &one.login).await?, person),
        UserCommand::Invite(args) => {
            let new = NewPerson {
                login: checked("the login", Login::new(args.login.as_str()))?,
                name: checked("--name", Title::new(args.name.as_str()))?,
                mail: checked("--mail", Title::new(args.mail.as_str()))?,
                role: args.role,
            };
            show(global.output, &people.invite(&new).await?.value, |invited: &Invited| link(&invited.link))
        }
        UserCommand::Link(one) => {
            let id = find(client, &one.login).await?.id;
            show(global.output, &people.link(&id).await?.value, link)
        }
        UserCommand::Disable(one) => {
            people.disable(&find(client, &one.login).await?.id).await?;
            said(&format!("{} is kept out; their sessions and tokens ended", one.login))
        }
        UserCommand::Enable(one) => {
            people.enable(&find(client, &one.login).await?.id).await?;
            said(&format!("{} is let in again", one.login))
        }
        UserCommand::EndSessions(one) => {
            people.end_sessions(&find(client, &one.login).await?.id).await?;
            said(&format!("the sessions of {} ended", one.login))
        }
        UserCommand::Remove(one) => {
            let found = find(client, &one.login).await?;
            people.remove(&found.id, Etag(found.version)).await?;
            said(&format!("{} is removed", one.login))
        }
        UserCommand::Roles => show(global.output, &client.members().await?.value.0, |all| members(all)),
        UserCommand::Grant { who, role } => {
            let member = client.set_member(who.kind(), who.who(), *role).await?.value;
            show(global.output, &member, |member| members(std::slice::from_ref(member)))
        }
        UserCommand::Revoke { who } => {
            client.drop_member(who.kind(), who.who()).await?;
            said(&format!("{} has no role on all projects any more", who.who()))
        }
        // They ask no server.
        UserCommand::Rescue(_) | UserCommand::SetupLink(_) => Ok(()),
    }
}

fn said(text: &str) -> Result<(), Failure> {
    talk(text);
    Ok(())
}

/// Somebody by their login.
async fn find(client: &Client, login: &str) -> Result<Person, Failure> {
    let list = async |paging: &Paging| client.people().list(paging).await;
    let found = walk(list, |person| Some(person).filter(|person| person.login == login)).await?;
    found.ok_or_else(|| Failure::Failed(format!("nobody signs in as `{login}`")))
}

/// Looks through a list of people or accounts, page by page, until one gives what is looked for.
pub(super) async fn walk<T>(
    list: impl AsyncFn(&Paging) -> Answered<Page<Person>>,
    mut look: impl FnMut(Person) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let mut after = None;
    loop {
        let page = list(&Paging { limit: Some(AT_ONCE), after }).await?.value;
        if let Some(found) = page.items.into_iter().find_map(&mut look) {
            return Ok(Some(found));
        }
        after = page.next;
        if after.is_none() {
            return Ok(None);
        }
    }
}

fn link(link: &NewLink) -> String {
    let until = instant(link.expires_at.0);
    format!("{}\n\nWhoever opens it until {until} chooses the password. It is shown this once.\n", link.url)
}

fn list(all: &[Person]) -> String {
    table(
        ["LOGIN", "NAME", "STATE", "SIGNS IN BY", "LAST SEEN"],
        all.iter().map(|person| {
            let seen = or_dash(person.seen_at.map(|at| instant(at.0)));
            [person.login.clone(), person.name.clone(), person.state.clone(), person.kind.clone(), seen]
        }),
    )
}

fn person(person: &Person) -> String {
    fields([
        ("login", person.login.clone()),
        ("name", person.name.clone()),
        ("mail", person.mail.clone()),
        ("state", person.state.clone()),
        ("signs in by", person.kind.clone()),
        ("last seen", or_dash(person.seen_at.map(|at| instant(at.0)))),
        ("made", instant(person.created_at.0)),
    ])
}
