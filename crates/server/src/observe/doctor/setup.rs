//! What the configuration lets happen.

use super::finding;
use crate::config::{Config, HOME, Local};
use clockwright_api::system::{Finding, Gravity};
use std::net::IpAddr;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let warn =
        |code: &str, place: &str, what: &str, fix: &str| finding(Gravity::Warning, code, place, what, fix);
    if config.insecure_http && config.tls_cert.is_none() {
        found.push(warn(
            "passwords-in-plain",
            "insecure_http",
            "passwords and sessions cross the network as they are",
            "set tls.cert and tls.key, or a proxy that speaks TLS as trusted_proxies, and leave insecure_http away",
        ));
    }
    // Addresses that have nothing in common but a network of nearly everybody.
    let anybody: [[IpAddr; 2]; 2] = [
        [[8, 8, 8, 8].into(), [192, 0, 2, 1].into()],
        [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 1].into()],
    ];
    if anybody.iter().any(|pair| pair.iter().all(|address| config.trusts(*address))) {
        found.push(warn(
            "trusts-everybody",
            "trusted_proxies",
            "whoever sends X-Forwarded-For is believed to come from there, so no limit by address holds",
            "name the addresses of the proxies",
        ));
    }
    if config.oidc.is_some() && config.local == Local::Always {
        found.push(warn(
            "local-beside-oidc",
            "auth.local",
            "people sign in by a password although there is an identity provider: whoever it shuts out may still come in",
            "set auth.local to until_oidc; `clockwright user rescue` lets somebody in when the provider is away",
        ));
    }
    if config.metrics_listen.is_some_and(|address| !address.ip().is_loopback()) {
        found.push(warn(
            "metrics-open",
            "metrics.listen",
            "other machines read the metrics, with the names of projects, without a sign-in",
            "listen on 127.0.0.1, or say `off` and give the collector a token with metrics.read",
        ));
    }
    // Servers that ask for a certificate let in nobody else.
    let is_bare = |address: &str| {
        ["zookeeper:", "zookeepers:"].iter().any(|scheme| address.starts_with(scheme))
            && !["@", "cert="].iter().any(|proof| address.contains(proof))
    };
    for (name, _) in config.all_registries().filter(|(_, address)| is_bare(address.reveal())) {
        found.push(warn(
            "registry-without-credential",
            if name == HOME { "registry" } else { name },
            "whoever reaches the registry can change every job, past this server's rights and journal",
            "give it a user and a password: zookeeper://USER:PASSWORD@…",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, read};

    fn codes(text: &str) -> Vec<String> {
        let file = Some(("clockwright.yaml".into(), text.into()));
        let config = read(&Sources { file, ..Sources::default() }).expect("it is right");
        look(&config).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_lets_others_in_is_told() {
        assert!(codes("").is_empty());
        for (text, code) in [
            ("insecure_http: true\n", "passwords-in-plain"),
            ("trusted_proxies: [0.0.0.0/0]\npublic_url: https://a.example.com\n", "trusts-everybody"),
            ("trusted_proxies: ['::/0']\npublic_url: https://a.example.com\n", "trusts-everybody"),
            ("metrics: {listen: '192.0.2.1:8898'}\n", "metrics-open"),
            ("registry: zookeeper://zk:2181/jobs\n", "registry-without-credential"),
            ("registry: zookeepers://zk:2281/jobs?ca=ca.pem\n", "registry-without-credential"),
            (
                "auth: {local: always}\noidc: {issuer: 'https://id.example.com', client: a, secret: b}\n",
                "local-beside-oidc",
            ),
        ] {
            assert_eq!(codes(text), [code], "{text}");
        }
        for registry in ["zookeeper://u:p@zk:2181/jobs", "zookeepers://zk:2281/jobs?cert=us.pem"] {
            assert!(codes(&format!("registry: {registry}\n")).is_empty(), "{registry}");
        }
        assert!(codes("trusted_proxies: [10.0.0.0/8]\npublic_url: https://a.example.com\n").is_empty());
    }
}
