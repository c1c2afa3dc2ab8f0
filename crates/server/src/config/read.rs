//! Reads what was said from all places into one configuration, or says everything that is wrong.

use super::table::{Form, KEYS, Key};
use super::{Config, check};
use crate::sealing::{self, Keyring, Place};
use clockwright_api::system::Setting;
use clockwright_settings::yaml::{self, Value as Node, Yaml};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Where values come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file's name and text.
    pub file: Option<(String, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// What the command line says: the option, the key that it means, and its value.
    pub options: Vec<(&'static str, &'static str, String)>,
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The table.
    Default,
    /// A line of the file.
    File(String, usize),
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => out.write_str("default"),
            Origin::File(name, line) => write!(out, "{name}:{line}"),
            Origin::Environment(name) => out.write_str(name),
            Origin::Option(name) => out.write_str(name),
        }
    }
}

/// A value as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The key.
    pub key: String,
    /// The value; without passwords.
    pub value: String,
    /// Where it is from.
    pub origin: Origin,
}

impl From<&Said> for Setting {
    fn from(said: &Said) -> Self {
        Self { key: said.key.clone(), value: said.value.clone(), origin: said.origin.to_string() }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was said; `None` for what was not said anywhere.
    pub origin: Option<Origin>,
    /// The key; empty for the file as a whole.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    pub(super) fn of(key: &str, message: impl Into<String>) -> Self {
        Self { origin: None, key: key.to_owned(), message: message.into() }
    }

    fn at(origin: Origin, key: &str, message: impl Into<String>) -> Self {
        Self { origin: Some(origin), ..Self::of(key, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(out, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(out, "{} ", self.key)?;
        }
        out.write_str(&self.message)
    }
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// A value on its way: the key it is for, the name in the key, the text, and where it is from.
struct Given {
    key: &'static Key,
    name: String,
    text: String,
    origin: Origin,
}

/// Reads a configuration; [`Config::said`] says where each of its values is from.
///
/// # Errors
/// Everything that is wrong, in the order of the places.
pub fn read(sources: &Sources) -> Result<Config, Problems> {
    let mut wrong = Vec::new();
    let mut given = of_file(sources, &mut wrong);
    of_environment(sources, &mut given);
    of_options(sources, &mut given);
    let mut config = Config::blank();
    let mut said = Vec::new();
    let data = given.get("data").map_or_else(|| default_of("data"), |given| given.text.clone());
    let key_file = given.get("key_file").map_or_else(|| default_of("key_file"), |given| given.text.clone());
    let keys = Keys { path: key_file.replace("{data}", &data), ring: OnceCell::new() };
    for key in KEYS.iter().filter(|key| !key.name.ends_with(".NAME") && !given.contains_key(key.name)) {
        let text = key.default.replace("{data}", &data);
        take(
            &mut config,
            Given { key, name: String::new(), text, origin: Origin::Default },
            &keys,
            &mut said,
            &mut wrong,
        );
    }
    for (_, value) in given {
        take(&mut config, value, &keys, &mut said, &mut wrong);
    }
    if wrong.is_empty() {
        wrong = check::finish(&mut config);
        for problem in &mut wrong {
            let origin = said.iter().find(|said| said.key == problem.key).map(|said| said.origin.clone());
            problem.origin = origin.filter(|origin| *origin != Origin::Default);
        }
    }
    if !wrong.is_empty() {
        return Err(Problems(wrong));
    }
    for said in said.iter_mut().filter(|said| said.key == "public_url") {
        said.value.clone_from(&config.public_url);
    }
    let place = |key: &str| KEYS.iter().position(|row| row.fits(key).is_some());
    said.sort_by(|a, b| (place(&a.key), &a.key).cmp(&(place(&b.key), &b.key)));
    config.said = said;
    Ok(config)
}

fn default_of(name: &str) -> String {
    KEYS.iter().find(|key| key.name == name).map_or("", |key| key.default).to_owned()
}

fn take(config: &mut Config, given: Given, keys: &Keys, said: &mut Vec<Said>, wrong: &mut Vec<Problem>) {
    let Given { key, name, text, origin } = given;
    let full = key.name.replace("NAME", &name);
    let is_covered = matches!(key.form, Form::Address | Form::Secret);
    let plain = if is_covered { unfolded(&text, keys) } else { Ok(text.clone()) };
    let taken = plain
        .and_then(|text| {
            key.form.read(&text).map_err(|message| if is_covered { message } else { shown(&text, &message) })
        })
        .and_then(|value| (key.take)(config, &name, value));
    if let Err(message) = taken {
        wrong.push(Problem::at(origin, &full, message));
        return;
    }
    let value = match key.form {
        Form::Address => without_password(&text),
        Form::Secret if !text.is_empty() && !names_place(&text) => "(set)".to_owned(),
        _ => text,
    };
    said.push(Said { key: full, value, origin });
}

/// A message that says what the value is to be, with what it is.
fn shown(text: &str, message: &str) -> String {
    if message.starts_with('`') { message.to_owned() } else { format!("{message}, not `{text}`") }
}

/// The key file, which is read when something sealed is met.
struct Keys {
    path: String,
    ring: OnceCell<Result<Keyring, String>>,
}

impl Keys {
    fn open(&self, sealed: &str) -> Result<String, String> {
        let read = || sealing::read(Path::new(&self.path)).map_err(|error| error.to_string());
        let ring = self.ring.get_or_init(read).as_ref().map_err(|error| format!("is sealed: {error}"))?;
        let opened = ring.open(Place::CONFIG, sealed).map_err(|error| format!("does not open: {error}"))?;
        Ok(opened.reveal().to_owned())
    }
}

/// What is meant by `file:PATH`: what stands in that file, without the end of its last line; and by `sealed:…`: what was sealed.
fn unfolded(text: &str, keys: &Keys) -> Result<String, String> {
    let text = match text.strip_prefix("file:") {
        None => text.to_owned(),
        Some(path) => {
            let read = std::fs::read_to_string(path)
                .map_err(|error| format!("is in `{path}`, which cannot be read: {error}"))?;
            read.trim_end_matches(['\n', '\r']).to_owned()
        }
    };
    text.strip_prefix("sealed:").map_or(Ok(text.clone()), |sealed| keys.open(sealed))
}

/// Whether this names where a secret is.
fn names_place(text: &str) -> bool {
    ["file:", "sealed:"].iter().any(|place| text.starts_with(place))
}

/// An address with its password covered, be it before the `@` or behind the `?`.
fn without_password(text: &str) -> String {
    // First that before the last `@`: it may have a `?` in it, behind which there are no parameters.
    let text = without_user_password(text);
    let Some((address, parameters)) = text.split_once('?') else { return text };
    let covered = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=(set)"),
        _ => pair.to_owned(),
    };
    let parameters: Vec<String> = parameters.split('&').map(covered).collect();
    format!("{address}?{}", parameters.join("&"))
}

fn without_user_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let Some((user, place)) = rest.rsplit_once('@') else { return text.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:(set)@{place}"),
        None => text.to_owned(),
    }
}

fn of_environment(sources: &Sources, given: &mut BTreeMap<String, Given>) {
    for key in KEYS {
        let Some(variable) = key.variable() else { continue };
        // As everywhere, a variable that is empty was not set.
        let Some(text) = sources.environment.get(&variable).filter(|text| !text.is_empty()) else { continue };
        let value =
            Given { key, name: String::new(), text: text.clone(), origin: Origin::Environment(variable) };
        given.insert(key.name.to_owned(), value);
    }
}

fn of_options(sources: &Sources, given: &mut BTreeMap<String, Given>) {
    for (option, name, text) in &sources.options {
        let Some(key) = KEYS.iter().find(|key| key.name == *name) else { continue };
        let value = Given { key, name: String::new(), text: text.clone(), origin: Origin::Option(option) };
        given.insert(key.name.to_owned(), value);
    }
}

fn of_file(sources: &Sources, wrong: &mut Vec<Problem>) -> BTreeMap<String, Given> {
    let mut given = BTreeMap::new();
    let Some((file, text)) = &sources.file else { return given };
    let at = |line| Origin::File(file.clone(), line);
    let mut documents = match yaml::documents(text) {
        Ok(documents) => documents,
        Err(broken) => {
            wrong.push(Problem::at(at(broken.line), "", broken.message));
            return given;
        }
    };
    if let Some(second) = documents.get(1) {
        wrong.push(Problem::at(at(second.line), "", "begins a second document; there is to be one"));
    }
    documents.truncate(1);
    let mut leaves = Vec::new();
    if let Some(root) = documents.pop().filter(|root| !root.is_null()) {
        flatten(String::new(), root, &mut leaves);
    }
    for Leaf { name, line, text } in leaves {
        let known = KEYS.iter().find_map(|key| Some((key, key.fits(&name)?.to_owned())));
        match (known, text) {
            (None, _) => wrong.push(Problem::at(at(line), &name, unknown(&name))),
            (_, Err(message)) => wrong.push(Problem::at(at(line), &name, message)),
            (Some((key, part)), Ok(text)) => {
                let before = given.insert(name.clone(), Given { key, name: part, text, origin: at(line) });
                if let Some(before) = before {
                    wrong.push(Problem::at(
                        at(line),
                        &name,
                        format!("stands twice; first at {}", before.origin),
                    ));
                }
            }
        }
    }
    given
}

/// A value of the file, under its whole name.
struct Leaf {
    name: String,
    line: usize,
    text: Result<String, String>,
}

fn flatten(name: String, node: Yaml, leaves: &mut Vec<Leaf>) {
    let line = node.line;
    let is_null = node.is_null();
    let text = match node.value {
        Node::Map(entries) => {
            for entry in entries {
                let inner = if name.is_empty() { entry.key } else { format!("{name}.{}", entry.key) };
                let value = Yaml { line: entry.line, ..entry.value };
                flatten(inner, value, leaves);
            }
            return;
        }
        Node::Scalar { .. } if is_null => Err("has no value; leave the key away, or give it one".to_owned()),
        Node::Scalar { text, .. } => Ok(text),
        Node::List(items) => {
            let texts = items.into_iter().map(|item| match item.value {
                Node::Scalar { text, .. } if !text.contains(',') => Ok(text),
                _ => Err("is a list of plain texts".to_owned()),
            });
            texts.collect::<Result<Vec<_>, _>>().map(|texts| texts.join(","))
        }
    };
    leaves.push(Leaf { name, line, text });
}

fn unknown(name: &str) -> String {
    if name.is_empty() {
        return "is to be a map of keys".to_owned();
    }
    let within: Vec<&str> =
        KEYS.iter().map(|key| key.name).filter(|key| key.starts_with(&format!("{name}."))).collect();
    if !within.is_empty() {
        return format!("is a group of keys: {}", within.join(", "));
    }
    match clockwright_model::nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(near) => format!("is not known; did you mean `{near}`?"),
        None => "is not known; docs/reference/server-config.md lists the keys".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> Sources {
        Sources { file: Some(("clockwright.yaml".into(), text.into())), ..Sources::default() }
    }

    fn wrong(sources: &Sources) -> Vec<String> {
        let Err(Problems(problems)) = read(sources) else { panic!("it is right") };
        problems.iter().map(ToString::to_string).collect()
    }

    fn said<'a>(config: &'a Config, key: &str) -> &'a Said {
        config.said.iter().find(|said| said.key == key).expect("it is there")
    }

    #[test]
    fn a_collector_is_named_by_an_address_where_traces_can_be_sent() {
        let named = |address: &str| read(&of_text(&format!("otel: {{endpoint: '{address}'}}\n")));
        let config = named("http://127.0.0.1:4318").map(|config| config.otel_endpoint);
        let sends = cfg!(feature = "otel");
        assert_eq!(config.ok().flatten().as_deref(), sends.then_some("http://127.0.0.1:4318"));
        assert!(named("127.0.0.1:4318").is_err());
    }

    #[test]
    fn a_server_needs_no_file() {
        let config = read(&Sources::default()).expect("the table is right");
        assert_eq!(config.public_url, "http://127.0.0.1:8899");
        assert_eq!(config.database.reveal(), "sqlite:.clockwright/control.db");
        assert_eq!(config.session_idle, 30 * 60_000);
        assert!(config.said.iter().all(|said| said.origin == Origin::Default));
    }

    #[test]
    fn the_command_line_counts_before_the_environment_and_that_before_the_file() {
        let mut sources = of_text("auth:\n  idle: 10m\n  sessions: 3\nlisten: 127.0.0.1:1\ndata: x\n");
        sources.environment = [
            ("CLOCKWRIGHT_LISTEN", "127.0.0.1:2"),
            ("CLOCKWRIGHT_AUTH_SESSIONS", "4"),
            ("CLOCKWRIGHT_TOKEN_LONGEST", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        sources.options = vec![("--listen", "listen", "127.0.0.1:3".to_owned())];
        let config = read(&sources).expect("all is right");
        let origin = |key: &str| {
            let said = said(&config, key);
            (said.value.clone(), said.origin.to_string())
        };
        assert_eq!(origin("listen"), ("127.0.0.1:3".into(), "--listen".into()));
        assert_eq!(origin("auth.sessions"), ("4".into(), "CLOCKWRIGHT_AUTH_SESSIONS".into()));
        assert_eq!(origin("auth.idle"), ("10m".into(), "clockwright.yaml:2".into()));
        assert_eq!(origin("token.longest"), ("365d".into(), "default".into()));
        assert_eq!(origin("database"), ("sqlite:x/control.db".into(), "default".into()));
        assert_eq!((config.sessions, config.session_idle), (4, 600_000));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line_and_the_nearest_key() {
        let text = "lisen: 127.0.0.1:1\nauth: {idle: soon, sessions: 0}\ntls: here\npublic_url:\ntoken:\n  default: 1d\n  default: 2d\n\
                    insecure_http: yes\npublic_url: ftp://x\n";
        assert_eq!(
            wrong(&of_text(text)),
            [
                "clockwright.yaml:1: lisen is not known; did you mean `listen`?",
                "clockwright.yaml:3: tls is a group of keys: tls.cert, tls.key",
                "clockwright.yaml:4: public_url has no value; leave the key away, or give it one",
                "clockwright.yaml:7: token.default stands twice; first at clockwright.yaml:6",
                "clockwright.yaml:2: auth.idle `soon` is not a duration; write a number with a unit (ms, s, m, h, d), for example `30s` or `1h30m`",
                "clockwright.yaml:2: auth.sessions is a number from 1 to 1000, not `0`",
                "clockwright.yaml:8: insecure_http is `true` or `false`, not `yes`",
                "clockwright.yaml:9: public_url is an address such as `https://jobs.example.com` or `https://example.com/jobs`",
            ]
        );
        assert_eq!(wrong(&of_text("[1, 2]")), ["clockwright.yaml:1: is to be a map of keys"]);
        assert!(wrong(&of_text("a: [1"))[0].contains("is not YAML"));
    }

    #[test]
    fn s31_an_address_that_other_machines_reach_needs_tls_a_proxy_or_a_word_and_all_three_are_named() {
        let refused = wrong(&of_text("listen: 192.0.2.1:8899\n"));
        assert_eq!(refused.len(), 1);
        for named in ["tls.cert", "trusted_proxies", "insecure_http: true", "clockwright.yaml:1: listen"] {
            assert!(refused[0].contains(named), "{named} is not in {}", refused[0]);
        }
        for right in [
            "listen: 192.0.2.1:8899\ntls: {cert: a, key: b}\n",
            "listen: 192.0.2.1:8899\ntrusted_proxies: [10.0.0.0/8]\npublic_url: https://jobs.example.com\n",
            "listen: 192.0.2.1:8899\ninsecure_http: true\n",
        ] {
            assert!(read(&of_text(right)).is_ok(), "{right}");
        }
        assert!(wrong(&of_text("tls: {cert: a}\n"))[0].contains("tls.key is missing"));
        assert!(
            wrong(&of_text("listen: 0.0.0.0:1\ninsecure_http: true\n"))[0].contains("public_url is missing")
        );
    }

    #[test]
    fn a_password_is_read_from_a_file_and_never_shown() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("database");
        std::fs::write(&path, "postgres://cw:open-sesame@db/control\n").expect("it is written");
        let text = format!(
            "database: file:{}\nregistries:\n  dr: zookeeper://u:open-sesame@zk:2181/jobs\n",
            path.display()
        );
        let config = read(&of_text(&text)).expect("all is right");
        assert_eq!(config.database.reveal(), "postgres://cw:open-sesame@db/control");
        assert_eq!(config.registries["dr"].reveal(), "zookeeper://u:open-sesame@zk:2181/jobs");
        assert!(!format!("{config:?}").contains("sesame"), "{config:?}");
        assert_eq!(said(&config, "registries.dr").value, "zookeeper://u:(set)@zk:2181/jobs");
        assert!(wrong(&of_text("database: file:/nowhere/at/all\n"))[0].contains("cannot be read"));
        let text = "database: postgres://db/control?password=open-sesame&sslmode=require\n\
                    oidc: {issuer: 'https://id.example.com', client: a, secret: open-sesame}\n";
        let config = read(&of_text(text)).expect("all is right");
        assert!(!format!("{:?}", config.said).contains("sesame"), "{:?}", config.said);
        assert_eq!(said(&config, "database").value, "postgres://db/control?password=(set)&sslmode=require");
        assert_eq!(said(&config, "oidc.secret").value, "(set)");
    }

    #[test]
    fn a_password_is_covered_whatever_letters_it_has_and_wherever_it_stands() {
        for (address, shown) in [
            ("zookeeper://u:open?sesame@zk:2181/jobs", "zookeeper://u:(set)@zk:2181/jobs"),
            ("zookeeper://u:op@en?sesame@zk/jobs?auth=sasl", "zookeeper://u:(set)@zk/jobs?auth=sasl"),
            ("zookeeper://u:open/sesame@zk/jobs", "zookeeper://u:(set)@zk/jobs"),
            ("zookeeper://u:open/se?same@zk/jobs", "zookeeper://u:(set)@zk/jobs"),
            ("postgres://u:open@db/control?password=sesame", "postgres://u:(set)@db/control?password=(set)"),
            ("postgres://db/control?password=se:s@me", "postgres://db/control?password=(set)"),
            (
                "postgres://db/control?sslPassword=a&sslmode=require",
                "postgres://db/control?sslPassword=(set)&sslmode=require",
            ),
            ("zookeeper://zk1:2181,zk2:2181/jobs", "zookeeper://zk1:2181,zk2:2181/jobs"),
            ("sqlite:a?b@c", "sqlite:a?b@c"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_key_file_and_a_secret_is_not_shown() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("control.key");
        sealing::make(&path).expect("it is made");
        let sealed = sealing::read(&path).expect("it is one").seal(Place::CONFIG, "open-sesame");
        let oidc = "oidc: {issuer: 'https://id.example.com', client: clockwright, secret: SECRET}\n";
        let text = format!("data: {}\n{oidc}", folder.path().display());
        let config =
            read(&of_text(&text.replace("SECRET", &format!("'sealed:{sealed}'")))).expect("all is right");
        assert_eq!(config.oidc.expect("it is there").secret.reveal(), "open-sesame");
        let plain = read(&of_text(&text.replace("SECRET", "open-sesame"))).expect("all is right");
        assert_eq!(said(&plain, "oidc.secret").value, "(set)");
        let missing = oidc.replace("SECRET", &format!("'sealed:{sealed}'"));
        let refused = wrong(&of_text(&format!("key_file: /nowhere/control.key\n{missing}")));
        assert!(refused[0].contains("oidc.secret is sealed: there is no key file"), "{refused:?}");
        sealing::put_first(&path).expect("it is written");
        let other = Keyring::random().seal(Place::CONFIG, "x");
        let refused = wrong(&of_text(&text.replace("SECRET", &format!("'sealed:{other}'"))));
        assert!(refused[0].contains("oidc.secret does not open"), "{refused:?}");
    }

    #[test]
    fn a_secret_that_is_no_address_is_not_shown_either() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("secret");
        std::fs::write(&path, "open-sesame\n").expect("it is written");
        let file = format!("file:{}", path.display());
        for (secret, shown) in [
            ("open-sesame", "(set)"),
            ("open://sesame", "(set)"),
            ("open://sesame@there", "(set)"),
            (&file, &file),
        ] {
            let text = format!(
                "oidc: {{issuer: 'https://id.example.com', client: clockwright, secret: '{secret}'}}\n"
            );
            let config = read(&of_text(&text)).expect("all is right");
            assert!(!format!("{config:?}").contains("sesame"), "{config:?}");
            assert_eq!(said(&config, "oidc.secret").value, shown);
        }
        let config = read(&Sources::default()).expect("the table is right");
        assert_eq!(said(&config, "oidc.secret").value, "", "there is none");
    }

    #[test]
    fn the_public_address_is_as_browsers_say_it() {
        let config = read(&of_text("public_url: HTTPS://Jobs.Example.com:443/\n")).expect("it is right");
        assert_eq!(config.public_url, "https://jobs.example.com");
        assert_eq!((config.origin(), config.prefix()), ("https://jobs.example.com", ""));
    }

    #[test]
    fn the_public_address_may_have_a_path_of_plain_words() {
        let config = read(&of_text("public_url: https://Example.com/tools/jobs/\n")).expect("it is right");
        assert_eq!(config.public_url, "https://example.com/tools/jobs");
        assert_eq!((config.origin(), config.prefix()), ("https://example.com", "/tools/jobs"));
        for wrong_one in ["https://a/%22", "https://a/b//c", "https://a/{x}", "https://a/b?c", "https://a/日"]
        {
            assert!(
                wrong(&of_text(&format!("public_url: '{wrong_one}'\n")))[0]
                    .contains("public_url is an address"),
                "{wrong_one}"
            );
        }
    }

    #[test]
    fn each_key_has_a_variable_of_its_own() {
        let all: std::collections::BTreeSet<_> = KEYS.iter().filter_map(Key::variable).collect();
        assert_eq!(all.len(), KEYS.iter().filter(|key| !key.name.ends_with(".NAME")).count());
    }
}
