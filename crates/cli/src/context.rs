//! Which server is asked, and by what it lets in: what is named, or what `clockwright login` kept.
//!
//! What login keeps is one file, `clockwright/login.json` in the user's folder of configurations (`XDG_CONFIG_HOME`, else `~/.config`). It has a token, so
//! nobody else may read it: it is made with mode 0600, and one that others can read is not used. A token is never an option: options are seen by everybody on
//! a machine. It is in a file that is named, in the variable `CLOCKWRIGHT_TOKEN`, or in that file.

use crate::commands::Global;
use crate::output::Failure;
use clockwright_api::client::{Client, Credential};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What login keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) server: String,
    /// The project that is meant unless another one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    /// As whom.
    pub(crate) login: String,
    pub(crate) token: String,
    /// True when login made the token, so that logout ends it.
    pub(crate) made: bool,
}

fn file() -> Result<PathBuf, Failure> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let none =
        || Failure::Failed("there is no folder for configurations: set HOME or XDG_CONFIG_HOME".into());
    Ok(base.ok_or_else(none)?.join("clockwright").join("login.json"))
}

impl Context {
    /// What login kept, if it did.
    pub(crate) fn load() -> Result<Option<Self>, Failure> {
        // Without a home there is nothing to be found, and what asks no server needs none.
        let Ok(path) = file() else { return Ok(None) };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error.to_string())),
        };
        let mode = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            let why =
                "others can read it, and it has a token; `chmod 600` it, and make the token anew if they did";
            return Err(unreadable(&path, why));
        }
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|_| unreadable(&path, "it is not what login writes; sign in anew"))
    }

    /// Keeps it, in the place of what was there.
    pub(crate) fn save(&self) -> Result<PathBuf, Failure> {
        let path = file()?;
        let written = (|| {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let new = path.with_extension(format!("json.{}", std::process::id()));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        })();
        written.map_err(|error: std::io::Error| {
            Failure::Failed(format!("cannot write {}: {error}", path.display()))
        })?;
        Ok(path)
    }

    /// Forgets it.
    pub(crate) fn forget() -> Result<(), Failure> {
        let path = file()?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::Failed(format!("cannot remove {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::Denied(format!("cannot use {}: {why}", path.display()))
}

/// A server that is asked.
pub(crate) struct Target {
    pub(crate) client: Client,
    project: Option<String>,
}

impl Target {
    /// The server at this address, by a token that is given, or by what login keeps of it.
    pub(crate) fn at(global: &Global, server: &str) -> Result<Self, Failure> {
        let bare = Client::new(server, Credential::None)?;
        let (token, project) = match given(global)? {
            // What login keeps does not matter then, readable or not.
            Some(token) => (Some(token), None),
            None => match Context::load()?.filter(|context| bare.is_of(&context.server)) {
                Some(context) => (Some(context.token), context.project),
                None => (None, None),
            },
        };
        let client = bare.with(token.map_or(Credential::None, Credential::Token));
        Ok(Self { client, project: global.project.clone().or(project) })
    }

    /// The server where login signed in.
    pub(crate) fn of(global: &Global, context: Context) -> Result<Self, Failure> {
        let token = given(global)?.unwrap_or(context.token);
        let client = Client::new(&context.server, Credential::Token(token))?;
        Ok(Self { client, project: global.project.clone().or(context.project) })
    }

    /// The project that is meant.
    pub(crate) async fn project(&self) -> Result<String, Failure> {
        if let Some(project) = &self.project {
            return Ok(project.clone());
        }
        let names: Vec<String> =
            self.client.projects().await?.value.0.into_iter().map(|project| project.name).collect();
        match &names[..] {
            [one] => Ok(one.clone()),
            [] => Err(Failure::Failed(
                "you may see no project of this server; `project create` makes one".into(),
            )),
            many => Err(Failure::Usage(format!("say which project with --project: {}", many.join(", ")))),
        }
    }
}

/// The token that is given: in a file, or in the environment.
pub(crate) fn given(global: &Global) -> Result<Option<String>, Failure> {
    let token = match &global.token_file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            Failure::Usage(format!("--token-file: cannot read {}: {error}", path.display()))
        })?),
        None => std::env::var("CLOCKWRIGHT_TOKEN").ok(),
    };
    Ok(token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()))
}
