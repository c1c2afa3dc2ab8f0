//! The settings of HTTP jobs: the `http.*` properties, read and checked.

use crate::value::said;
use ::http::{HeaderValue, Method};
use clockwright_model::{Millis, SettingsError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

/// Where a request goes and what it carries; the `http.*` properties of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// `http.uri`: `http://…` or `https://…`.
    pub uri: Url,
    /// `http.method`.
    pub method: Method,
    /// `http.data`: the body; sent with POST, PUT, DELETE and PATCH only.
    pub data: Option<String>,
    /// `http.content.type` of the body.
    pub content_type: Option<HeaderValue>,
    /// `http.redirect`: whether a redirect is followed; `safe` unless set.
    pub redirect: Redirect,
    /// `http.tls.ca`: a PEM file of the certificates that are trusted instead of the system's: of authorities, or of the server itself.
    pub tls_ca: Option<PathBuf>,
    /// `http.connect.timeout.milliseconds`: the longest wait for a connection; 3,000 unless set.
    pub connect_timeout: Millis,
    /// `http.read.timeout.milliseconds`: the longest wait for the next piece of the answer; 5,000 unless set.
    pub read_timeout: Millis,
}

/// Whether a redirect is followed. One that is not is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// `safe`: for GET and HEAD, which only ask.
    #[default]
    Safe,
    /// `always`: as a browser does, which makes a GET of a POST unless the server says otherwise (307, 308).
    Always,
    /// `never`.
    Never,
}

impl HttpSettings {
    /// Reads the settings from a job's properties; those that do not begin with `http.` are somebody else's.
    ///
    /// # Errors
    /// Names the first property that is missing, unknown or cannot be used.
    pub fn parse(props: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        const KNOWN: [&str; 8] = [
            "http.uri",
            "http.method",
            "http.data",
            "http.content.type",
            "http.redirect",
            "http.tls.ca",
            "http.connect.timeout.milliseconds",
            "http.read.timeout.milliseconds",
        ];
        let mine = props.keys().filter(|key| key.starts_with("http."));
        if let Some(unknown) = mine.into_iter().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(error(unknown, format!("is not known; an HTTP job has {}", KNOWN.join(", "))));
        }
        let given = |key: &str| props.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let required = |key| given(key).ok_or_else(|| error(key, "must be given for an HTTP job"));
        let content_type = given("http.content.type")
            .map(|value| {
                HeaderValue::from_str(value)
                    .map_err(|_| error("http.content.type", format!("`{value}` cannot be sent in a header")))
            })
            .transpose()?;
        Ok(Self {
            uri: uri(required("http.uri")?)?,
            method: method(required("http.method")?)?,
            data: props.get("http.data").filter(|data| !data.is_empty()).cloned(),
            content_type,
            redirect: given("http.redirect").map_or(Ok(Redirect::default()), redirect)?,
            tls_ca: given("http.tls.ca").map(certificates).transpose()?,
            connect_timeout: wait("http.connect.timeout.milliseconds", &given, 3_000)?,
            read_timeout: wait("http.read.timeout.milliseconds", &given, 5_000)?,
        })
    }

    /// Whether requests of this method carry [`data`](Self::data).
    #[must_use]
    pub fn sends_data(&self) -> bool {
        [Method::POST, Method::PUT, Method::DELETE, Method::PATCH].contains(&self.method)
    }
}

fn error(field: &str, message: impl Into<String>) -> SettingsError {
    SettingsError::new(field, message)
}

fn uri(text: &str) -> Result<Url, SettingsError> {
    let uri = Url::parse(text).map_err(|why| error("http.uri", format!("`{text}` is no URI: {why}")))?;
    match uri.scheme() {
        "http" | "https" => Ok(uri),
        scheme => Err(error("http.uri", format!("has the scheme `{scheme}`; it must be http or https"))),
    }
}

fn method(text: &str) -> Result<Method, SettingsError> {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let found = known.iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.cloned().ok_or_else(|| {
        let list = known.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        error("http.method", format!("is {}; it must be one of {list}", said(text)))
    })
}

fn certificates(text: &str) -> Result<PathBuf, SettingsError> {
    let file = PathBuf::from(text);
    if file.is_absolute() {
        return Ok(file);
    }
    Err(error("http.tls.ca", format!("is {}; it must be the absolute path of a PEM file", said(text))))
}

fn redirect(text: &str) -> Result<Redirect, SettingsError> {
    match text {
        "safe" => Ok(Redirect::Safe),
        "always" => Ok(Redirect::Always),
        "never" => Ok(Redirect::Never),
        _ => Err(error(
            "http.redirect",
            format!("is {}; it must be safe (followed for GET and HEAD), always or never", said(text)),
        )),
    }
}

fn wait<'a>(
    key: &str,
    given: &impl Fn(&str) -> Option<&'a str>,
    default: Millis,
) -> Result<Millis, SettingsError> {
    let Some(text) = given(key) else { return Ok(default) };
    let wait = text.parse().ok().filter(|wait| (1..=86_400_000).contains(wait));
    wait.ok_or_else(|| {
        error(key, format!("is {}; it must be a number of milliseconds from 1 to 86400000", said(text)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(props: &[(&str, &str)]) -> Result<HttpSettings, SettingsError> {
        HttpSettings::parse(&props.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn what_is_not_given_has_elastic_jobs_defaults() {
        let settings =
            parse(&[("http.uri", "http://a/b"), ("http.method", "post"), ("script.command.line", "x")])
                .unwrap();
        assert_eq!((settings.connect_timeout, settings.read_timeout), (3_000, 5_000));
        assert_eq!((settings.method, settings.data), (Method::POST, None));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_would_be_right() {
        let ok = [("http.uri", "http://a/b"), ("http.method", "GET")];
        let cases = [
            (("http.uri", ""), "http.uri: must be given for an HTTP job"),
            (("http.uri", "ftp://a"), "http.uri: has the scheme `ftp`; it must be http or https"),
            (("http.uri", "localhost"), "http.uri: `localhost` is no URI: relative URL without a base"),
            (("http.method", ""), "http.method: must be given for an HTTP job"),
            (
                ("http.method", "FETCH"),
                "http.method: is `FETCH`; it must be one of GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS",
            ),
            (
                ("http.read.timeout.milliseconds", "5s"),
                "http.read.timeout.milliseconds: is `5s`; it must be a number of milliseconds from 1 to 86400000",
            ),
            (
                ("http.redirect", "no"),
                "http.redirect: is `no`; it must be safe (followed for GET and HEAD), always or never",
            ),
            (
                ("http.tls.ca", "ca.pem"),
                "http.tls.ca: is `ca.pem`; it must be the absolute path of a PEM file",
            ),
            (("http.content.type", "a\nb"), "http.content.type: `a\nb` cannot be sent in a header"),
        ];
        for (wrong, message) in cases {
            assert_eq!(parse(&[ok[0], ok[1], wrong]).unwrap_err().to_string(), message);
        }
        let error = parse(&[ok[0], ok[1], ("http.url", "x")]).unwrap_err();
        assert!(
            error.to_string().starts_with("http.url: is not known; an HTTP job has http.uri, "),
            "{error}"
        );
    }
}
