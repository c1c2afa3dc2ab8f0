//! What a process may run of what only the registry says.
//!
//! A job that is given by its name alone ([`Job::registered`](crate::Job::registered)) runs what the registry's settings say, and whoever may write
//! there may write anything. So nothing of it runs but what the operator of this process has allowed beforehand, by the folders of programs
//! and the beginnings of addresses:
//!
//! | asked for | allowed when |
//! |---|---|
//! | a program | its path is absolute and, with every link followed, lies below an allowed folder, or is an allowed file |
//! | `script.shell: true`, or a program that is a shell | never: a shell runs whatever its arguments say |
//! | `script.directory` | it lies below an allowed folder |
//! | `script.env.…` | never: `LD_PRELOAD` and its like make any program run other code |
//! | a request | its address begins with an allowed one: same scheme, same host, same port, and whole parts of the path |
//! | a redirect of its answer | never: it leads elsewhere |
//!
//! Arguments are passed on as they are: an allowed program must be one that can bear any.

use clockwright_model::{JobSettings, SettingsError};
use clockwright_settings::http::Redirect;
use clockwright_settings::script::COMMAND_LINE;
use clockwright_settings::{Code, HttpSettings, ScriptSettings};
use std::path::{Path, PathBuf};
use url::Url;

/// What may be run of what only the registry says; see the [module](self). Nothing, until something is added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    commands: Vec<PathBuf>,
    urls: Vec<Url>,
}

/// Programs that run what their arguments say, by their file names.
const SHELLS: [&str; 17] = [
    "sh", "ash", "bash", "busybox", "csh", "dash", "env", "fish", "ksh", "ksh93", "mksh", "pwsh", "rbash",
    "tcsh", "toybox", "xargs", "zsh",
];

impl Allow {
    /// Nothing is allowed.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Allows the programs below a folder, or one program by its file.
    ///
    /// # Errors
    /// The path is relative or is not there, or is the root of all.
    pub fn command(mut self, path: impl AsRef<Path>) -> Result<Self, String> {
        let path = path.as_ref();
        if !path.is_absolute() {
            return Err("it is an absolute path of a folder or a program, such as /opt/jobs/".into());
        }
        let real =
            path.canonicalize().map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
        if real.parent().is_none() {
            return Err("/ would allow every program there is; name the folder of the jobs".into());
        }
        self.commands.push(real);
        Ok(self)
    }

    /// Allows requests whose address begins so: `https://hooks.example.com/nightly/`.
    ///
    /// # Errors
    /// It is no address of HTTP, or carries a login, a query or a fragment.
    pub fn url(mut self, prefix: &str) -> Result<Self, String> {
        let url = Url::parse(prefix).map_err(|error| format!("`{prefix}` is no address: {error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(format!("has the scheme `{}`; it must be http or https", url.scheme()));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err("it is a scheme, a host and the beginning of a path, and nothing else".into());
        }
        self.urls.push(url);
        Ok(self)
    }

    /// What a job with these settings runs here.
    ///
    /// # Errors
    /// It is not allowed, or cannot be used: the key that says so, and why.
    pub fn check(&self, settings: &JobSettings) -> Result<Code, SettingsError> {
        match Code::parse(settings)? {
            Code::InProcess => {
                let message = format!("is {}: code, which no registry has", settings.kind.word());
                Err(SettingsError::new("elasticJobType", message))
            }
            Code::Script(script) => self.script(script).map(Code::Script),
            Code::Http(http) => self.request(http).map(Code::Http),
        }
    }

    fn script(&self, script: ScriptSettings) -> Result<ScriptSettings, SettingsError> {
        if script.shell {
            return Err(SettingsError::new(
                "script.shell",
                "is true: what only the registry says gets no shell",
            ));
        }
        if let Some(name) = script.env.keys().next() {
            let message = "is not taken from the registry: a variable can make a program run other code";
            return Err(SettingsError::new(format!("script.env.{name}"), message));
        }
        let program = &script.command.program;
        self.place(Path::new(program))
            .map_err(|why| SettingsError::new(COMMAND_LINE, format!("`{program}` {why}")))?;
        if let Some(directory) = &script.directory {
            self.below(directory).map_err(|why| {
                SettingsError::new("script.directory", format!("`{}` {why}", directory.display()))
            })?;
        }
        Ok(script)
    }

    fn place(&self, program: &Path) -> Result<(), String> {
        let real = self.below(program)?;
        for path in [program, &real] {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if SHELLS.contains(&&*name) {
                return Err(format!("is a shell ({name}), which would run whatever the registry says"));
            }
        }
        Ok(())
    }

    /// Where a path leads, if that is allowed.
    fn below(&self, path: &Path) -> Result<PathBuf, String> {
        if !path.is_absolute() {
            return Err("is no absolute path, and only those can be allowed".into());
        }
        let real = path.canonicalize().map_err(|error| format!("cannot be used: {error}"))?;
        if self.commands.iter().any(|allowed| real.starts_with(allowed)) {
            return Ok(real);
        }
        let led = if real == path { String::new() } else { format!("is {}, and ", real.display()) };
        let allowed: Vec<String> = self.commands.iter().map(|path| path.display().to_string()).collect();
        Err(match allowed.is_empty() {
            true => format!("{led}is not allowed here: no program is (--allow-command)"),
            false => format!("{led}is not below {} (--allow-command)", allowed.join(" or ")),
        })
    }

    fn request(&self, http: HttpSettings) -> Result<HttpSettings, SettingsError> {
        if self.urls.iter().any(|allowed| begins_with(&http.uri, allowed)) {
            return Ok(HttpSettings { redirect: Redirect::Never, ..http });
        }
        let allowed: Vec<&str> = self.urls.iter().map(Url::as_str).collect();
        // The address may hold a password, which is nobody's business here.
        let place = http.uri.origin().ascii_serialization() + http.uri.path();
        let why = match allowed.is_empty() {
            true => "is not allowed here: no address is (--allow-url)".to_owned(),
            false => format!("does not begin with {} (--allow-url)", allowed.join(" or ")),
        };
        Err(SettingsError::new("http.uri", format!("`{place}` {why}")))
    }
}

/// Whether an address leads to the place of another one, or below it.
fn begins_with(url: &Url, allowed: &Url) -> bool {
    let rest = url.path().strip_prefix(allowed.path());
    url.origin() == allowed.origin()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || allowed.path().ends_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{JobKind, JobName};

    fn job(kind: JobKind, props: &[(&str, &str)]) -> JobSettings {
        let mut settings = JobSettings::new(JobName::new("a").unwrap(), kind, "0 0 6 * * ?", 1);
        settings.props = props.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        settings
    }

    fn script(line: &str, props: &[(&str, &str)]) -> JobSettings {
        job(JobKind::Script { command_line: line.to_owned() }, props)
    }

    fn request(uri: &str) -> JobSettings {
        job(JobKind::Http, &[("http.uri", uri), ("http.method", "GET"), ("http.redirect", "always")])
    }

    /// A folder with a program, a shell and links out of it.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for file in ["jobs/report", "jobs/sub/deep", "jobs/bash", "elsewhere"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("jobs/link")).unwrap();
        std::os::unix::fs::symlink(root.join("jobs/bash"), root.join("jobs/innocent")).unwrap();
        (folder, root)
    }

    fn refused(allow: &Allow, settings: &JobSettings) -> String {
        allow.check(settings).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_allowed_unless_it_was_said() {
        let (_folder, root) = folder();
        let line = root.join("jobs/report").display().to_string();
        assert!(refused(&Allow::nothing(), &script(&line, &[])).contains("no program is (--allow-command)"));
        assert!(refused(&Allow::nothing(), &request("http://h/a")).contains("no address is (--allow-url)"));
        assert!(
            refused(&Allow::nothing(), &job(JobKind::Simple, &[])).contains("code, which no registry has")
        );
    }

    #[test]
    fn a_program_is_run_only_from_below_an_allowed_folder_wherever_its_path_seems_to_lead() {
        let (_folder, root) = folder();
        let allow = Allow::nothing().command(root.join("jobs")).unwrap();
        let at = |path: &str| format!("{}/{path}", root.display());
        for path in ["jobs/report", "jobs/sub/deep", "jobs/sub/../report"] {
            assert!(allow.check(&script(&format!("{} --all", at(path)), &[])).is_ok(), "{path}");
        }
        for (line, why) in [
            (at("elsewhere"), "is not below"),
            (at("jobs/../elsewhere"), "is not below"),
            (at("jobs/link"), "elsewhere, and is not below"),
            (at("jobs/missing"), "cannot be used"),
            (at("jobs/bash"), "is a shell"),
            (at("jobs/innocent"), "is a shell (bash)"),
            ("report".to_owned(), "is no absolute path"),
            ("jobs/report".to_owned(), "is no absolute path"),
        ] {
            let said = refused(&allow, &script(&line, &[]));
            assert!(said.contains(why), "{line}: {said}");
        }
        let beside = Allow::nothing().command(root.join("jobs/sub")).unwrap();
        assert!(beside.check(&script(&at("jobs/report"), &[])).is_err());
        let one = Allow::nothing().command(root.join("jobs/report")).unwrap();
        assert!(one.check(&script(&at("jobs/report"), &[])).is_ok());
    }

    #[test]
    fn what_lets_an_allowed_program_run_something_else_is_refused() {
        let (_folder, root) = folder();
        let allow = Allow::nothing().command(root.join("jobs")).unwrap();
        let line = root.join("jobs/report").display().to_string();
        assert!(refused(&allow, &script(&line, &[("script.shell", "true")])).contains("gets no shell"));
        let preloaded = script(&line, &[("script.env.LD_PRELOAD", "/tmp/x.so")]);
        assert!(refused(&allow, &preloaded).starts_with("script.env.LD_PRELOAD"));
        let outside = root.display().to_string();
        assert!(refused(&allow, &script(&line, &[("script.directory", &outside)])).contains("is not below"));
        let inside = root.join("jobs/sub").display().to_string();
        assert!(allow.check(&script(&line, &[("script.directory", &inside)])).is_ok());
    }

    #[test]
    fn a_request_goes_only_where_an_allowed_address_begins_and_is_sent_on_nowhere() {
        let allow = Allow::nothing().url("https://hooks.example.com/nightly").unwrap();
        for uri in ["https://hooks.example.com/nightly", "https://hooks.example.com:443/nightly/a?b=c"] {
            let Code::Http(http) = allow.check(&request(uri)).unwrap() else { panic!("{uri}") };
            assert_eq!(http.redirect, Redirect::Never);
        }
        for uri in [
            "http://hooks.example.com/nightly",
            "https://hooks.example.com:8443/nightly",
            "https://hooks.example.com.evil.net/nightly",
            "https://hooks.example.com@evil.net/nightly",
            "https://hooks.example.com/nightly-not",
            "https://hooks.example.com/nightly/../admin",
            "https://hooks.example.com/nightly/%2e%2e/admin",
        ] {
            let said = refused(&allow, &request(uri));
            assert!(said.contains("does not begin with https://hooks.example.com/nightly"), "{uri}: {said}");
        }
        assert!(!refused(&allow, &request("https://me:open-sesame@h/")).contains("open-sesame"));
    }

    #[test]
    fn what_would_allow_everything_or_nothing_is_refused_when_it_is_said() {
        assert!(Allow::nothing().command("/").unwrap_err().contains("every program"));
        assert!(Allow::nothing().command("jobs").unwrap_err().contains("absolute"));
        assert!(Allow::nothing().command("/no/such/folder").is_err());
        for wrong in ["hooks.example.com", "ftp://h/", "https://me@h/", "https://h/?a"] {
            assert!(Allow::nothing().url(wrong).is_err(), "{wrong}");
        }
    }
}
