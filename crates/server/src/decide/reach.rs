//! Which addresses the server may speak to because a person named them: public ones, and those of the operator's list.
//!
//! A person who may make a channel could otherwise let the server look around in its own network, or fetch what a cloud tells its machines
//! about themselves. What counts is the address that is spoken to, not the name: a name is resolved once, each address is judged, and the
//! connection goes to those.

use crate::config::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The operator's list: names of hosts, addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    names: Vec<String>,
    networks: Vec<Network>,
}

impl Allowed {
    /// Of these texts: what is no address and no network is a name.
    #[must_use]
    pub fn of(texts: &[String]) -> Self {
        let mut allowed = Self::default();
        for text in texts {
            match text.parse() {
                Ok(network) => allowed.networks.push(network),
                Err(_) => allowed.names.push(text.to_ascii_lowercase()),
            }
        }
        allowed
    }

    /// May a host of this name be spoken to, whatever its address?
    #[must_use]
    pub fn has_name(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// May this address be spoken to?
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        is_public(address) || self.networks.iter().any(|network| network.holds(address))
    }
}

/// Is this an address of the internet, and of nobody's own network?
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let within = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // An IPv4 address in the clothes of an IPv6 one: mapped, by a translator, by 6to4. Teredo hides its in another way.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        [0x2002, high, low, ..] => within(high, low),
        [0x2001, 0 | 0xdb8, ..] | [0x2001, 2, 0, ..] => false,
        // What is given out to the internet begins so.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s17_addresses_of_nobodys_internet_are_not_public() {
        for text in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().expect("it is one")), "{text}");
        }
        for text in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
        {
            assert!(is_public(text.parse().expect("it is one")), "{text}");
        }
    }

    #[test]
    fn the_operators_list_has_names_addresses_and_networks() {
        let allowed = Allowed::of(&["Hooks.Internal".into(), "10.1.0.0/16".into(), "127.0.0.1".into()]);
        assert!(allowed.has_name("hooks.internal") && allowed.has_name("hooks.internal."));
        assert!(!allowed.has_name("a.hooks.internal"));
        let has = |text: &str| allowed.has(text.parse().expect("it is one"));
        assert!(has("10.1.2.3") && has("127.0.0.1") && has("::ffff:10.1.2.3") && has("1.1.1.1"));
        assert!(!has("10.2.0.1") && !has("127.0.0.2") && !has("::1"));
    }
}
