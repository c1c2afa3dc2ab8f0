//! `clockwright token …`: tokens of service accounts, by which programs are let in, and one's own. A token makes no token of its owner's: those are made by
//! `clockwright login` and in a browser.

use super::login::proved;
use super::project::checked;
use super::user::walk;
use super::{Global, valid_until};
use crate::output::{Failure, instant, or_dash, show, table, talk};
use clap::{Args, Subcommand};
use clockwright_api::client::Client;
use clockwright_api::page::Paging;
use clockwright_api::people::{MadeToken, NewPerson, NewToken, Person, TokenView};
use clockwright_api::text::{Login, Name, Title};
use clockwright_api::{Code, Etag};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List your own tokens, or those of a service account
    List {
        /// Of this service account
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
    },
    /// Make a token of a service account, and the account where there is none: its secret is shown once
    Create(CreateArgs),
    /// End a token of a service account
    Remove {
        /// The token's id, as the list shows it
        id: String,
        /// The service account
        #[arg(long, value_name = "NAME")]
        service: String,
    },
    /// List service accounts
    Services,
    /// Remove a service account, with its tokens and roles
    RemoveService {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// What it is for
    name: String,
    /// The service account, which is made if there is none; give it a role with `project grant`
    #[arg(long, value_name = "NAME")]
    service: String,
    /// What it may do, of what the account may: read, operate, write, or a permission; may be given several times
    #[arg(long, required = true, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Only in this project; may be given several times
    #[arg(long, value_name = "PROJECT")]
    only: Vec<String>,
    /// How long it is valid, for example 30d. Default: as the server says, 90 days
    #[arg(long = "for", value_name = "DURATION", value_parser = super::duration)]
    valid: Option<Duration>,
}

pub(crate) async fn run(global: &Global, command: TokenCommand) -> Result<(), Failure> {
    let client = global.client()?.client;
    proved(&client, async |client| act(global, client, &command).await).await
}

async fn act(global: &Global, client: &Client, command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::List { service: None } => {
            show(global.output, &client.account().tokens().await?.value.0, |all| list(all))
        }
        TokenCommand::List { service: Some(name) } => {
            let id = must_find(client, name).await?.id;
            show(global.output, &client.services().tokens(&id).await?.value.0, |all| list(all))
        }
        TokenCommand::Create(args) => create(global, client, args).await,
        TokenCommand::Remove { id, service } => {
            let account = must_find(client, service).await?.id;
            client.services().end_token(&account, id).await?;
            talk("the token is ended");
            Ok(())
        }
        TokenCommand::Services => {
            let mut all = Vec::new();
            let list = async |paging: &Paging| client.services().list(paging).await;
            let none = walk(list, |account| {
                all.push(account);
                None::<()>
            });
            none.await?;
            show(global.output, &all, |all| services(all))
        }
        TokenCommand::RemoveService { name } => {
            let found = must_find(client, name).await?;
            client.services().remove(&found.id, Etag(found.version)).await?;
            talk(&format!("the service account {name} is removed; its tokens ended"));
            Ok(())
        }
    }
}

async fn create(global: &Global, client: &Client, args: &CreateArgs) -> Result<(), Failure> {
    let account = match find(client, &args.service).await? {
        Some(account) => account,
        None => {
            let empty = || checked("the name", Title::new(""));
            let login = checked("--service", Login::new(args.service.as_str()))?;
            let new = NewPerson { login, name: empty()?, mail: empty()?, role: None };
            match client.services().make(&new).await {
                Ok(made) => made.value,
                // Somebody was faster.
                Err(error) if error.code() == Some(Code::NameTaken) => {
                    must_find(client, &args.service).await?
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let new = NewToken {
        name: checked("the name", Name::new(args.name.as_str()))?,
        scopes: args.scope.clone(),
        projects: args.only.clone(),
        expires_at: args.valid.map(valid_until),
    };
    let made = client.services().make_token(&account.id, &new).await?.value;
    show(global.output, &made, |made: &MadeToken| {
        let until = instant(made.token.expires_at.0);
        format!("{}\n\nIt is valid until {until}, and is shown this once.\n", made.secret)
    })
}

async fn find(client: &Client, login: &str) -> Result<Option<Person>, Failure> {
    let list = async |paging: &Paging| client.services().list(paging).await;
    walk(list, |account| Some(account).filter(|account| account.login == login)).await
}

async fn must_find(client: &Client, login: &str) -> Result<Person, Failure> {
    let missing = || Failure::Failed(format!("there is no service account `{login}`"));
    find(client, login).await?.ok_or_else(missing)
}

fn list(all: &[TokenView]) -> String {
    if all.is_empty() {
        return "no tokens\n".into();
    }
    table(
        ["NAME", "ENDS WITH", "VALID UNTIL", "LAST USED", "FROM", "PROJECTS", "ID"],
        all.iter().map(|token| {
            let projects =
                if token.projects.is_empty() { "all".to_owned() } else { token.projects.join(", ") };
            let (until, used) = (instant(token.expires_at.0), or_dash(token.used_at.map(|at| instant(at.0))));
            [
                token.name.clone(),
                token.tail.clone(),
                until,
                used,
                or_dash(Some(&token.used_from).filter(|from| !from.is_empty())),
                projects,
                token.id.clone(),
            ]
        }),
    )
}

fn services(all: &[Person]) -> String {
    if all.is_empty() {
        return "no service accounts\n".into();
    }
    table(
        ["NAME", "STATE", "LAST SEEN"],
        all.iter()
            .map(|one| [one.login.clone(), one.state.clone(), or_dash(one.seen_at.map(|at| instant(at.0)))]),
    )
}
