//! The keys of `clockwright.yaml`: only those that something honours.

use super::take::{
    another, file, log_level, metrics_listen, number, of_part, parsed, public_url, secret, text,
};
use super::{Config, Local, LogFormat};
use clockwright_model::Millis;

/// One key.
pub struct Key {
    /// As it stands in the file, with a dot for each step in. A last part `NAME` stands for any name.
    pub name: &'static str,
    /// What it may be.
    pub form: Form,
    /// What it is unless told. `{data}` stands for the data folder; empty for nothing.
    pub default: &'static str,
    /// For the page of reference, where there is no default to be seen.
    pub example: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Puts it in its place.
    pub(super) take: fn(&mut Config, &str, Value) -> Result<(), String>,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// An address that may hold a password: it may stand in another file or be sealed, and is shown without the password.
    Address,
    /// A password: it may stand in another file or be sealed, and is not shown.
    Secret,
    /// Texts: a list, or with commas between them.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number between these, both included.
    Number(i64, i64),
    /// A duration between these, milliseconds.
    Duration(Millis, Millis),
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// Yes or no.
    Flag(bool),
    /// A number, or milliseconds.
    Number(i64),
}

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// All keys, in the order of the page of reference.
pub const KEYS: &[Key] = &[
    Key {
        name: "listen",
        form: Form::Text,
        default: "127.0.0.1:8899",
        example: "",
        help: "Where it listens. Beyond this machine only with `tls`, `trusted_proxies` or `insecure_http`.",
        take: |config, _, value| {
            parsed(&mut config.listen, value, "an address with a port such as `127.0.0.1:8899`")
        },
    },
    Key {
        name: "public_url",
        form: Form::Text,
        default: "",
        example: "https://jobs.example.com",
        help: "Its address as browsers know it, with a path where a proxy serves it below one, which the proxy may take away or pass on. Unless told, made \
               of `listen`. It must be told where `listen` names all addresses of the machine, or a proxy is in front.",
        take: |config, _, value| public_url(config, value.text()),
    },
    Key {
        name: "metrics.listen",
        form: Form::Text,
        default: "127.0.0.1:8898",
        example: "",
        help: "Where `GET /metrics` is open to whoever reaches it, without a sign-in; `off` for nowhere. When the address is not to be had, the server \
               starts all the same and says so in its log.",
        take: |config, _, value| metrics_listen(config, &value.text()),
    },
    Key {
        name: "data",
        form: Form::Text,
        default: ".clockwright",
        example: "",
        help: "The data folder, made when it is missing.",
        take: |config, _, value| parsed(&mut config.data, value, "a folder"),
    },
    Key {
        name: "key_file",
        form: Form::Text,
        default: "{data}/control.key",
        example: "",
        help: "The keys that secrets in the database are sealed with, and values of this file that begin with `sealed:`. Only its owner may \
               read it (mode 0600). On SQLite it is made when it is missing; servers that share a database have the same one each. Keep a copy \
               apart from backups of the database.",
        take: |config, _, value| parsed(&mut config.key_file, value, "a file"),
    },
    Key {
        name: "database",
        form: Form::Address,
        default: "sqlite:{data}/control.db",
        example: "",
        help: "Where projects, jobs, people and the journal are: `sqlite:FILE`, `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or \
               `mysql://…`. Several servers share a PostgreSQL, MySQL or MariaDB.",
        take: |config, _, value| secret(&mut config.database, value),
    },
    Key {
        name: "registry",
        form: Form::Address,
        default: "embedded:{data}/jobs",
        example: "",
        help: "The registry `home`, in which projects are unless they name another: `zookeeper://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAMESPACE`, \
               `zookeepers://…?ca=FILE` with TLS, or `embedded:FOLDER/NAMESPACE`. Projects have namespaces of their own in it.",
        take: |config, _, value| secret(&mut config.registry, value),
    },
    Key {
        name: "registries.NAME",
        form: Form::Address,
        default: "",
        example: "zookeeper://zk4:2181/jobs",
        help: "Another registry that projects may name.",
        take: |config, name, value| another(&mut config.registries, name, value, "registry"),
    },
    Key {
        name: "store",
        form: Form::Address,
        default: "sqlite:{data}/events.db",
        example: "",
        help: "The event store `home`, which has the history of projects unless they name another: `sqlite:FILE`, \
               `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `mysql://…`. It is the one that the instances write to.",
        take: |config, _, value| secret(&mut config.store, value),
    },
    Key {
        name: "stores.NAME",
        form: Form::Address,
        default: "",
        example: "postgres://clockwright:PASSWORD@db2/events",
        help: "Another event store that projects may name.",
        take: |config, name, value| another(&mut config.stores, name, value, "store"),
    },
    Key {
        name: "tls.cert",
        form: Form::Text,
        default: "",
        example: "/etc/clockwright/chain.pem",
        help: "The file with the certificate and those above it, PEM. It is read again on SIGHUP.",
        take: |config, _, value| file(&mut config.tls_cert, value),
    },
    Key {
        name: "tls.key",
        form: Form::Text,
        default: "",
        example: "/etc/clockwright/key.pem",
        help: "The file with the certificate's key, PEM.",
        take: |config, _, value| file(&mut config.tls_key, value),
    },
    Key {
        name: "trusted_proxies",
        form: Form::Texts,
        default: "",
        example: "[10.0.0.7, 10.1.0.0/16]",
        help: "Addresses and networks of proxies that speak TLS with browsers. Their `X-Forwarded-For` is believed, and nobody else's.",
        take: |config, _, value| {
            config.trusted_proxies =
                value.texts().iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Key {
        name: "insecure_http",
        form: Form::Flag,
        default: "false",
        example: "",
        help: "Lets passwords cross the network as they are. For tests only.",
        take: |config, _, value| {
            config.insecure_http = value == Value::Flag(true);
            Ok(())
        },
    },
    Key {
        name: "sync.wait",
        form: Form::Duration(0, MINUTE / 2),
        default: "2s",
        example: "",
        help: "How long a save waits for the registry before it says `pending`.",
        take: |config, _, value| number(&mut config.sync_wait, value),
    },
    Key {
        name: "auth.idle",
        form: Form::Duration(MINUTE, DAY),
        default: "30m",
        example: "",
        help: "How long a session lives without being used.",
        take: |config, _, value| number(&mut config.session_idle, value),
    },
    Key {
        name: "auth.longest",
        form: Form::Duration(MINUTE, 30 * DAY),
        default: "12h",
        example: "",
        help: "How long a session lives at most.",
        take: |config, _, value| number(&mut config.session_longest, value),
    },
    Key {
        name: "auth.sessions",
        form: Form::Number(1, 1_000),
        default: "10",
        example: "",
        help: "How many sessions somebody has at most; the oldest ends.",
        take: |config, _, value| number(&mut config.sessions, value),
    },
    Key {
        name: "auth.password_min",
        form: Form::Number(12, 64),
        default: "12",
        example: "",
        help: "The shortest password, characters.",
        take: |config, _, value| number(&mut config.password_min, value),
    },
    Key {
        name: "auth.per_login",
        form: Form::Number(1, 1_000),
        default: "5",
        example: "",
        help: "How many sign-ins of one login may fail in a minute.",
        take: |config, _, value| number(&mut config.per_login, value),
    },
    Key {
        name: "auth.per_address",
        form: Form::Number(1, 100_000),
        default: "20",
        example: "",
        help: "How many sign-ins from one address may fail in a minute.",
        take: |config, _, value| number(&mut config.per_address, value),
    },
    Key {
        name: "auth.lock_longest",
        form: Form::Duration(SECOND, DAY),
        default: "15m",
        example: "",
        help: "How long a login waits at most after failures in a row. Nobody waits for good.",
        take: |config, _, value| number(&mut config.lock_longest, value),
    },
    Key {
        name: "auth.local",
        form: Form::Word(&["until_oidc", "always"]),
        default: "until_oidc",
        example: "",
        help: "Who may sign in by a password: nobody once there is an identity provider, or whoever has one. The link of the \
               first administrator works either way.",
        take: |config, _, value| {
            config.local = if value.text() == "always" { Local::Always } else { Local::UntilOidc };
            Ok(())
        },
    },
    Key {
        name: "oidc.issuer",
        form: Form::Text,
        default: "",
        example: "https://id.example.com/realms/main",
        help: "The identity provider (OpenID Connect) that people sign in at. It sends them back to `{public_url}/api/v1/oidc/callback`.",
        take: |config, _, value| {
            let issuer = value.text();
            if issuer.is_empty() {
                return Ok(());
            }
            let url = url::Url::parse(&issuer).map_err(|error| format!("is no address: {error}"))?;
            let is_here = ["127.0.0.1", "[::1]", "localhost"].contains(&url.host_str().unwrap_or_default());
            if url.scheme() != "https" && !is_here {
                return Err("begins with `https://`".to_owned());
            }
            config.oidc.get_or_insert_default().issuer = issuer;
            Ok(())
        },
    },
    Key {
        name: "oidc.client",
        form: Form::Text,
        default: "",
        example: "clockwright",
        help: "What this server is called there.",
        take: |config, _, value| of_part(&mut config.oidc, value, |oidc| &mut oidc.client),
    },
    Key {
        name: "oidc.secret",
        form: Form::Secret,
        default: "",
        example: "file:/etc/clockwright/oidc-secret",
        help: "What it proves that by.",
        take: |config, _, value| of_part(&mut config.oidc, value, |oidc| &mut oidc.secret),
    },
    Key {
        name: "oidc.scopes",
        form: Form::Text,
        default: "openid profile email",
        example: "",
        help: "What is asked for there, with spaces. Some providers tell groups only when they are asked for `groups`.",
        take: |config, _, value| text(&mut config.oidc_scopes, value),
    },
    Key {
        name: "oidc.groups",
        form: Form::Text,
        default: "groups",
        example: "",
        help: "The claim that names somebody's groups. Roles are given to groups like to people: `PUT …/members/group/{name}`.",
        take: |config, _, value| text(&mut config.oidc_groups, value),
    },
    Key {
        name: "oidc.require_acr",
        form: Form::Text,
        default: "",
        example: "mfa",
        help: "How people must have proved who they are there (`acr`), for example by a second factor.",
        take: |config, _, value| of_part(&mut config.oidc, value, |oidc| &mut oidc.require_acr),
    },
    Key {
        name: "alerts.hosts",
        form: Form::Texts,
        default: "",
        example: "[hooks.internal, 10.1.0.0/16]",
        help: "Hosts, addresses and networks that channels may name besides public ones. Without it a channel reaches nothing of your own network.",
        take: |config, _, value| {
            config.alert_hosts = value.texts();
            Ok(())
        },
    },
    Key {
        name: "alerts.first",
        form: Form::Duration(0, HOUR),
        default: "30s",
        example: "",
        help: "How long the first message about a project waits for what breaks with it.",
        take: |config, _, value| number(&mut config.alert_first, value),
    },
    Key {
        name: "alerts.every",
        form: Form::Duration(0, DAY),
        default: "5m",
        example: "",
        help: "How long between two messages about a project on one channel.",
        take: |config, _, value| number(&mut config.alert_every, value),
    },
    Key {
        name: "alerts.repeat",
        form: Form::Duration(MINUTE, 30 * DAY),
        default: "4h",
        example: "",
        help: "How long until what is open, and nobody has taken up, is told again.",
        take: |config, _, value| number(&mut config.alert_repeat, value),
    },
    Key {
        name: "smtp.server",
        form: Form::Text,
        default: "",
        example: "mail.example.com:587",
        help: "The server that sends mail, with its port. Nothing is sent without TLS.",
        take: |config, _, value| {
            let text = value.text();
            if text.is_empty() {
                return Ok(());
            }
            let wrong = || "is a host with a port such as `mail.example.com:587`".to_owned();
            let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
            let smtp = config.smtp.get_or_insert_default();
            smtp.port = port.parse().map_err(|_| wrong())?;
            host.clone_into(&mut smtp.host);
            Ok(())
        },
    },
    Key {
        name: "smtp.tls",
        form: Form::Word(&["starttls", "at_once"]),
        default: "starttls",
        example: "",
        help: "Whether TLS begins after STARTTLS (mostly port 587) or with the first byte (mostly port 465).",
        take: |config, _, value| {
            if value.text() == "at_once" {
                config.smtp.get_or_insert_default().at_once = true;
            }
            Ok(())
        },
    },
    Key {
        name: "smtp.ca",
        form: Form::Text,
        default: "",
        example: "/etc/clockwright/ca.pem",
        help: "The file with the certificate that the server's one is signed by, PEM, where the machine does not trust it by itself.",
        take: |config, _, value| of_part(&mut config.smtp, value, |smtp| &mut smtp.ca),
    },
    Key {
        name: "smtp.from",
        form: Form::Text,
        default: "",
        example: "clockwright@example.com",
        help: "From whom mail is.",
        take: |config, _, value| of_part(&mut config.smtp, value, |smtp| &mut smtp.from),
    },
    Key {
        name: "smtp.user",
        form: Form::Text,
        default: "",
        example: "clockwright",
        help: "Who signs in at the server; nobody unless told.",
        take: |config, _, value| of_part(&mut config.smtp, value, |smtp| &mut smtp.user),
    },
    Key {
        name: "smtp.password",
        form: Form::Secret,
        default: "",
        example: "file:/etc/clockwright/smtp-password",
        help: "By which password.",
        take: |config, _, value| of_part(&mut config.smtp, value, |smtp| &mut smtp.password),
    },
    Key {
        name: "token.default",
        form: Form::Duration(HOUR, 365 * DAY),
        default: "90d",
        example: "",
        help: "How long a token lives unless told.",
        take: |config, _, value| number(&mut config.token_usual, value),
    },
    Key {
        name: "token.longest",
        form: Form::Duration(HOUR, 365 * DAY),
        default: "365d",
        example: "",
        help: "How long a token lives at most.",
        take: |config, _, value| number(&mut config.token_longest, value),
    },
    Key {
        name: "limits.connections",
        form: Form::Number(10, 100_000),
        default: "10000",
        example: "",
        help: "How many connections are open at most.",
        take: |config, _, value| number(&mut config.connections, value),
    },
    Key {
        name: "limits.connections_per_address",
        form: Form::Number(1, 100_000),
        default: "1000",
        example: "",
        help: "How many connections of one address are open at most. Trusted proxies have no such limit.",
        take: |config, _, value| number(&mut config.connections_per_address, value),
    },
    Key {
        name: "limits.head",
        form: Form::Duration(SECOND / 10, MINUTE),
        default: "10s",
        example: "",
        help: "How long a TLS handshake, or the head of a request, may take.",
        take: |config, _, value| number(&mut config.head, value),
    },
    Key {
        name: "limits.requests",
        form: Form::Number(1, 10_000),
        default: "512",
        example: "",
        help: "How many requests are under way at most; further ones are told to come again.",
        take: |config, _, value| number(&mut config.requests, value),
    },
    Key {
        name: "limits.reads",
        form: Form::Number(1, 100_000),
        default: "50",
        example: "",
        help: "How many reads a second one person or program is answered.",
        take: |config, _, value| number(&mut config.reads.a_second, value),
    },
    Key {
        name: "limits.reads_at_once",
        form: Form::Number(1, 100_000),
        default: "200",
        example: "",
        help: "How many of them at once after a rest.",
        take: |config, _, value| number(&mut config.reads.at_once, value),
    },
    Key {
        name: "limits.changes",
        form: Form::Number(1, 100_000),
        default: "10",
        example: "",
        help: "How many changes a second one person or program is answered.",
        take: |config, _, value| number(&mut config.changes.a_second, value),
    },
    Key {
        name: "limits.changes_at_once",
        form: Form::Number(1, 100_000),
        default: "50",
        example: "",
        help: "How many of them at once after a rest.",
        take: |config, _, value| number(&mut config.changes.at_once, value),
    },
    Key {
        name: "log.level",
        form: Form::Text,
        default: "info",
        example: "",
        help: "What is logged on stderr: `off`, `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,clockwright_server=debug`. \
               `--log-level` and `CLOCKWRIGHT_LOG` say the same.",
        take: |config, _, value| {
            config.log_level = log_level(&value.text())?;
            Ok(())
        },
    },
    Key {
        name: "log.format",
        form: Form::Word(&["text", "json"]),
        default: "text",
        example: "",
        help: "Lines for people, or a JSON object a line for collectors.",
        take: |config, _, value| {
            config.log_format = if value.text() == "json" { LogFormat::Json } else { LogFormat::Text };
            Ok(())
        },
    },
    Key {
        name: "otel.endpoint",
        form: Form::Text,
        default: "",
        example: "http://127.0.0.1:4318",
        help: "The collector that is sent traces by OTLP over HTTP, in a program built with the feature `otel`; `/v1/traces` is put behind it. \
               `OTEL_EXPORTER_OTLP_ENDPOINT` names one too.",
        take: |config, _, value| {
            let text = value.text();
            if text.is_empty() {
                return Ok(());
            }
            if !cfg!(feature = "otel") {
                return Err(
                    "this program was built without the feature `otel`, and sends no traces".to_owned()
                );
            }
            let is_http = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_http {
                return Err(format!("`{text}` is no address such as `http://127.0.0.1:4318`"));
            }
            config.otel_endpoint = Some(text);
            Ok(())
        },
    },
];

impl Key {
    /// The variable of the environment that says it; none for keys with a name in them.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        let named = self.name.ends_with(".NAME");
        (!named).then(|| format!("CLOCKWRIGHT_{}", self.name.replace('.', "_").to_ascii_uppercase()))
    }

    /// The name in a key that has one: `dr` in `registries.dr`, empty in one that has none; `None` for a key of another kind.
    pub(super) fn fits<'a>(&self, name: &'a str) -> Option<&'a str> {
        let Some(head) = self.name.strip_suffix("NAME") else { return (self.name == name).then_some("") };
        let part = name.strip_prefix(head)?;
        let is_name = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        (!part.is_empty() && part.len() <= 50 && part.bytes().all(is_name)).then_some(part)
    }
}

impl Form {
    /// Reads a text of this form.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        Ok(match self {
            Form::Text | Form::Address | Form::Secret => Value::Text(text.to_owned()),
            Form::Texts => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Texts(parts.map(str::to_owned).collect())
            }
            Form::Word(words) if words.contains(&text) => Value::Text(text.to_owned()),
            Form::Word(words) => return Err(format!("is one of {}", words.join(", "))),
            Form::Flag if text == "true" || text == "false" => Value::Flag(text == "true"),
            Form::Flag => return Err("is `true` or `false`".to_owned()),
            Form::Number(least, most) => {
                let number = text.parse().ok().filter(|number| (least..=most).contains(number));
                Value::Number(number.ok_or_else(|| format!("is a number from {least} to {most}"))?)
            }
            Form::Duration(least, most) => {
                let duration = clockwright_settings::jobs_file::duration(text)?;
                if !(least..=most).contains(&duration) {
                    let say = clockwright_settings::jobs_file::say;
                    return Err(format!("is a duration from {} to {}", say(least), say(most)));
                }
                Value::Number(duration)
            }
        })
    }
}

impl Value {
    pub(super) fn text(self) -> String {
        match self {
            Value::Text(text) => text,
            _ => String::new(),
        }
    }

    fn texts(self) -> Vec<String> {
        match self {
            Value::Texts(texts) => texts,
            _ => Vec::new(),
        }
    }
}
