//! The address by which this machine's instances are known.

use std::net::{IpAddr, Ipv4Addr};

/// The address that Elastic-Job would choose for this machine, so that Java and Clockwright instances on one machine are one
/// *server*: the first public IPv4 address in the order of the interfaces, else the last private one (10/8, 172.16/12,
/// 192.168/16). A machine without either is `127.0.0.1`. IPv6 is not looked at, as in Elastic-Job.
#[must_use]
pub fn server_address() -> String {
    let addresses = if_addrs::get_if_addrs().unwrap_or_default().into_iter().filter_map(|interface| {
        match interface.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    });
    choose(addresses).unwrap_or(Ipv4Addr::LOCALHOST).to_string()
}

fn choose(addresses: impl Iterator<Item = Ipv4Addr>) -> Option<Ipv4Addr> {
    let mut private = None;
    for address in addresses.filter(|address| !address.is_loopback()) {
        if !address.is_private() {
            return Some(address);
        }
        private = Some(address);
    }
    private
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(addresses: &[[u8; 4]]) -> Option<Ipv4Addr> {
        choose(addresses.iter().map(|octets| Ipv4Addr::from(*octets)))
    }

    #[test]
    fn the_first_public_address_wins_else_the_last_private_one() {
        assert_eq!(
            chosen(&[[127, 0, 0, 1], [10, 0, 0, 1], [203, 0, 113, 9], [198, 51, 100, 1]]),
            Some([203, 0, 113, 9].into())
        );
        assert_eq!(chosen(&[[10, 0, 0, 1], [192, 168, 1, 1]]), Some([192, 168, 1, 1].into()));
        assert_eq!(
            chosen(&[[10, 0, 0, 1], [169, 254, 0, 1]]),
            Some([169, 254, 0, 1].into()),
            "as Elastic-Job does"
        );
        assert_eq!(chosen(&[[127, 0, 0, 1]]), None);
    }

    #[test]
    fn a_machine_always_has_an_address() {
        assert!(server_address().parse::<Ipv4Addr>().is_ok());
    }
}
