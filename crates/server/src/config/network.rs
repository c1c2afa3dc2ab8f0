//! Addresses of the network: one, or all that begin alike.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// How many bits of an address count.
    bits: u32,
}

impl Network {
    /// Is this address one of it? An IPv4 address that came over IPv6 is that IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (first, first_width) = number(self.first);
        let (given, width) = number(address.to_canonical());
        // A shift by the whole width would leave it as it is.
        width == first_width && first.checked_shr(width - self.bits) == given.checked_shr(width - self.bits)
    }
}

/// An address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self { first, bits: number(first).1 }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no address; write `10.0.0.7`, or `10.0.0.0/8` for all that begin alike");
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let whole = Self::from(address.parse::<IpAddr>().map_err(|_| wrong())?);
        let Some(bits) = bits else { return Ok(whole) };
        let bits = bits.parse().ok().filter(|bits| *bits <= whole.bits).ok_or_else(wrong)?;
        Ok(Self { bits, ..whole })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_alike_and_no_others() {
        for (network, address, holds) in [
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.8", false),
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "10.0.0.1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let network: Network = network.parse().expect("it is one");
            assert_eq!(network.holds(address.parse().expect("it is one")), holds, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/x", "proxy.example.com", "::/129"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
