//! What values must be together, once each is right by itself.

use super::Config;
use super::read::Problem;

/// Sets what follows from others, and says what does not fit together.
pub(super) fn finish(config: &mut Config) -> Vec<Problem> {
    let mut wrong = Vec::new();
    let mut refuse = |key: &str, message: &str| wrong.push(Problem::of(key, message));
    match (&config.tls_cert, &config.tls_key) {
        (Some(_), None) => refuse("tls.key", "is missing: `tls.cert` is there"),
        (None, Some(_)) => refuse("tls.cert", "is missing: `tls.key` is there"),
        _ => {}
    }
    if !config.listen.ip().is_loopback()
        && config.tls_cert.is_none()
        && config.trusted_proxies.is_empty()
        && !config.insecure_http
    {
        refuse(
            "listen",
            "is reached from other machines, and passwords would cross the network as they are. Set one of `tls.cert` and `tls.key` \
             (it speaks TLS itself), `trusted_proxies` (a proxy there speaks TLS), or `insecure_http: true` (they may)",
        );
    }
    if config.public_url.is_empty() {
        if !config.trusted_proxies.is_empty() {
            refuse("public_url", "is missing: behind a proxy only you know the address that browsers use");
        } else if config.listen.ip().is_unspecified() {
            refuse(
                "public_url",
                "is missing: `listen` names all addresses of this machine, and no browser can open that",
            );
        } else {
            let scheme = if config.tls_cert.is_some() { "https" } else { "http" };
            config.public_url = format!("{scheme}://{}", config.listen);
        }
    } else if config.tls_cert.is_some() && !config.is_secure() {
        refuse("public_url", "begins with `https://` where `tls` is set");
    }
    if let Some(oidc) = &config.oidc {
        for (key, given) in [
            ("oidc.issuer", oidc.issuer.as_str()),
            ("oidc.client", &oidc.client),
            ("oidc.secret", oidc.secret.reveal()),
        ] {
            if given.is_empty() {
                refuse(key, "is missing: other keys of `oidc` are there");
            }
        }
        if !config.oidc_scopes.split(' ').any(|scope| scope == "openid") {
            refuse("oidc.scopes", "has to have `openid` in it");
        }
    }
    if let Some(smtp) = &config.smtp {
        if smtp.host.is_empty() {
            refuse("smtp.server", "is missing: other keys of `smtp` are there");
        }
        if smtp.from.is_empty() {
            refuse("smtp.from", "is missing: mail is from somebody");
        }
        if smtp.user.is_empty() != smtp.password.reveal().is_empty() {
            refuse("smtp.password", "goes with `smtp.user`");
        }
    }
    if config.session_idle > config.session_longest {
        refuse("auth.idle", "is longer than `auth.longest`");
    }
    if config.token_usual > config.token_longest {
        refuse("token.default", "is longer than `token.longest`");
    }
    wrong
}
