//! `clockwright login` and `logout`: which server is asked from now on, and as whom.
//!
//! Login signs in, has a token made by which the commands after it are let in, and ends the session again. The password is used once and kept nowhere.

use super::{Global, valid_until};
use crate::context::{self, Context};
use crate::output::{Failure, fields, instant, show, talk};
use clap::Args;
use clockwright_api::Permission;
use clockwright_api::client::{Client, Credential, SignedIn};
use clockwright_api::people::{NewToken, Password, SignIn, UseLink};
use clockwright_api::text::{Login, Name};
use clockwright_model::Millis;
use serde::Serialize;
use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// As whom; asked for unless given. The password is always asked for: on the terminal, or as the next line of the standard input
    #[arg(value_name = "LOGIN")]
    login: Option<String>,
    /// Come by a link, as the first administrator, by an invitation or with a new password: it is asked for first
    #[arg(long)]
    link: bool,
    /// What the token may do, of what you may: read, operate, write, or a permission; may be given several times. Default: all that you may
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How long the token is valid, for example 30d. Default: as the server says, 90 days
    #[arg(long = "for", value_name = "DURATION", value_parser = super::duration)]
    valid: Option<Duration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    server: String,
    login: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    /// Until when its token is valid, epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Millis>,
}

pub(crate) async fn login(global: &Global, args: LoginArgs) -> Result<(), Failure> {
    let mut lines = Lines::new();
    let (context, expires) = match context::given(global)? {
        Some(token) => (by_token(global, token).await?, None),
        None if args.link => {
            let link = lines.secret("Link")?;
            let (server, page, secret) = parts(&link)?;
            let client = Client::new(server, Credential::None)?;
            let ask = UseLink {
                login: if page == "setup" { Some(name(&args, &mut lines)?) } else { None },
                password: Some(Password::new(lines.secret("Password from now on")?)),
            };
            by_session(client.account().use_link(secret, &ask).await?, global, &args).await?
        }
        None => {
            let client = Client::new(&server(global)?, Credential::None)?;
            warn_of_plain(client.server());
            let login = name(&args, &mut lines)?;
            let ask = SignIn { login, password: Password::new(lines.secret("Password")?) };
            by_session(client.account().sign_in(&ask).await?, global, &args).await?
        }
    };
    let path = context.save()?;
    talk(&format!("signed in; the token is in {}", path.display()));
    let report = Report { server: context.server, login: context.login, project: context.project, expires };
    show(global.output, &report, text)
}

/// Does something; where the server wants to know anew who asks, since what is done outlives a token that somebody may have found, the password is asked for, and
/// it is done within a session of that moment.
pub(crate) async fn proved(
    client: &Client,
    act: impl AsyncFn(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match act(client).await {
        Err(Failure::Unproved(_)) => {}
        other => return other,
    }
    let login = client.account().who().await?.value.person.login;
    let password = Lines::new().secret(&format!("Password of {login}")).map_err(|_| {
        Failure::Denied(format!(
            "this needs the password of {login}, on a terminal or as a line of the standard input"
        ))
    })?;
    let login = Login::new(login).map_err(Failure::Failed)?;
    let ask = SignIn { login, password: Password::new(password) };
    let session = client.with(Credential::None).account().sign_in(&ask).await?.client;
    let result = act(&session).await;
    let _over = session.account().sign_out().await;
    result
}

/// The server of a name that is given, or where one was signed in before.
fn server(global: &Global) -> Result<String, Failure> {
    match global.server_named() {
        Some(server) => Ok(server.to_owned()),
        None => Ok(Context::load()?
            .map(|context| context.server)
            .ok_or_else(|| Failure::Usage("say where: --server https://jobs.example.com".into()))?),
    }
}

fn warn_of_plain(server: &str) {
    let is_here =
        ["http://127.", "http://localhost", "http://[::1]"].iter().any(|here| server.starts_with(here));
    if server.starts_with("http://") && !is_here {
        talk(&format!("note: {server} speaks no TLS: whoever is on the way can read the password"));
    }
}

/// A link's server, page and secret.
fn parts(link: &str) -> Result<(&str, &str, &str), Failure> {
    let wrong = || Failure::Usage("that is no link such as https://jobs.example.com/setup#…".into());
    let (page, secret) = link.trim().split_once('#').ok_or_else(wrong)?;
    let (server, page) = page.rsplit_once('/').ok_or_else(wrong)?;
    if secret.is_empty() || !matches!(page, "setup" | "link") {
        return Err(wrong());
    }
    Ok((server, page, secret))
}

async fn by_token(global: &Global, token: String) -> Result<Context, Failure> {
    let client = Client::new(&server(global)?, Credential::Token(token.clone()))?;
    let session = client.account().who().await?.value;
    Ok(Context {
        server: client.server().to_owned(),
        project: global.project.clone(),
        login: session.person.login,
        token,
        made: false,
    })
}

/// Has a token made, and ends the session.
async fn by_session(
    signed_in: SignedIn,
    global: &Global,
    args: &LoginArgs,
) -> Result<(Context, Option<Millis>), Failure> {
    let SignedIn { session, client } = signed_in;
    let all = || Permission::ALL.iter().filter(|permission| **permission != Permission::TokenOwn);
    let scopes = match args.scope.is_empty() {
        true => all().map(|permission| permission.name().to_owned()).collect(),
        false => args.scope.clone(),
    };
    let new = NewToken {
        name: Name::new("clockwright login").map_err(Failure::Failed)?,
        scopes,
        projects: Vec::new(),
        expires_at: args.valid.map(valid_until),
    };
    let account = client.account();
    let made = account.make_token(&new).await;
    // Also when there is no token: nobody else needs the session.
    let _over = account.sign_out().await;
    let made = made?.value;
    let context = Context {
        server: client.server().to_owned(),
        project: global.project.clone(),
        login: session.person.login,
        token: made.secret,
        made: true,
    };
    Ok((context, Some(made.token.expires_at.0)))
}

fn name(args: &LoginArgs, lines: &mut Lines) -> Result<Login, Failure> {
    let text = match &args.login {
        Some(login) => login.clone(),
        None => lines.line("Login")?,
    };
    Login::new(text).map_err(|why| Failure::Usage(format!("the login {why}")))
}

fn text(report: &Report) -> String {
    let mut lines = vec![("server", report.server.clone()), ("login", report.login.clone())];
    lines.extend(report.project.clone().map(|project| ("project", project)));
    lines.extend(report.expires.map(|at| ("until", instant(at))));
    fields(lines)
}

/// What is asked: on the terminal, without showing what is secret, or line by line from the standard input.
struct Lines {
    terminal: bool,
}

impl Lines {
    fn new() -> Self {
        Self { terminal: std::io::stdin().is_terminal() }
    }

    fn line(&mut self, what: &str) -> Result<String, Failure> {
        if self.terminal {
            talk(&format!("{what}:"));
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line)?;
        if read == 0 {
            return Err(Failure::Usage(format!(
                "the standard input ended before the {}",
                what.to_lowercase()
            )));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn secret(&mut self, what: &str) -> Result<String, Failure> {
        if self.terminal {
            return Ok(rpassword::prompt_password(format!("{what}: "))?);
        }
        self.line(what)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    server: String,
    /// True when the token does not let in any more.
    ended: bool,
}

pub(crate) async fn logout(global: &Global) -> Result<(), Failure> {
    let Some(context) = Context::load()? else {
        return Err(Failure::Failed("nobody is signed in here".into()));
    };
    // Forgotten first: whatever becomes of the server, this machine has the token no more.
    Context::forget()?;
    let mut ended = false;
    if context.made {
        let client = Client::new(&context.server, Credential::Token(context.token.clone()))?;
        match client.account().sign_out().await {
            Ok(_) => ended = true,
            Err(error) => {
                talk(&format!("the token is forgotten here and was not ended at the server: {error}"));
            }
        }
    }
    show(global.output, &Left { server: context.server, ended }, |left| {
        let token = if left.ended { "; its token is ended" } else { "" };
        format!("signed out of {}{token}\n", left.server)
    })
}
