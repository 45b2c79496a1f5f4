//! The address layer: which resolved addresses may be dialled.
//!
//! The refused ranges are those of the IANA special-purpose registries (RFC 6890 and successors,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>), and one cloud's metadata address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Refused IPv4 ranges: network, prefix length, rule.
const V4_REFUSED: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "address.this-host"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "address.private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "address.shared"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "address.loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "address.metadata"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "address.link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "address.private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "address.special"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "address.documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "address.special"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "address.private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "address.benchmark"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "address.documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "address.documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "address.multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "address.reserved"),
];

/// Refused ranges inside `2000::/3`, the only IPv6 space that is ever allowed.
const V6_REFUSED: &[(Ipv6Addr, u8, &str)] = &[
    // Holds Teredo (2001::/32), ORCHID and benchmarking.
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "address.special",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "address.documentation",
    ),
    (
        Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),
        16,
        "address.embedded-v4",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "address.documentation",
    ),
];

const V6_GLOBAL: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// A range of addresses, in text `10.0.0.0/8` or one bare address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// A text is no address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address range such as 10.0.0.0/8 (no bit may be set after the prefix)")]
pub struct CidrError(String);

impl Cidr {
    pub(super) const LOOPBACK_V4: Self = Self {
        network: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
        prefix: 8,
    };
    pub(super) const LOOPBACK_V6: Self = Self {
        network: IpAddr::V6(Ipv6Addr::LOCALHOST),
        prefix: 128,
    };
    pub(super) const ALL_V4: Self = Self {
        network: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix: 0,
    };
    pub(super) const ALL_V6: Self = Self {
        network: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        prefix: 0,
    };

    /// Whether `address` lies in the range. IPv4-mapped addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => in_v4(address, network, self.prefix),
            (IpAddr::V6(network), IpAddr::V6(address)) => in_v6(address, network, self.prefix),
            _ => false,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    /// Whether any address in the range is refused by default.
    #[must_use]
    pub fn touches_refused(&self) -> bool {
        let v4 = V4_REFUSED
            .iter()
            .map(|(network, prefix, _)| (IpAddr::V4(*network), *prefix));
        let v6 = V6_REFUSED
            .iter()
            .map(|(network, prefix, _)| (IpAddr::V6(*network), *prefix));
        let global = Self {
            network: IpAddr::V6(V6_GLOBAL.0),
            prefix: V6_GLOBAL.1,
        };
        let outside_global = self.network.is_ipv6()
            && !(global.contains(self.network) && self.prefix >= V6_GLOBAL.1);
        outside_global
            || v4
                .chain(v6)
                .any(|(network, prefix)| self.overlaps(&Self { network, prefix }))
    }
}

impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        let network = address.to_canonical();
        Self {
            network,
            prefix: if network.is_ipv4() { 32 } else { 128 },
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let error = || CidrError(text.to_owned());
        let Some((network, prefix)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| error());
        };
        let network: IpAddr = network.parse().map_err(|_| error())?;
        let prefix: u8 = prefix.parse().map_err(|_| error())?;
        let exact = match network {
            IpAddr::V4(v4) => prefix <= 32 && v4.to_bits() & !mask_v4(prefix) == 0,
            IpAddr::V6(v6) => prefix <= 128 && v6.to_bits() & !mask_v6(prefix) == 0,
        };
        exact.then_some(Self { network, prefix }).ok_or_else(error)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;
    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(range: Cidr) -> Self {
        range.to_string()
    }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32_u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128_u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    (address.to_bits() ^ network.to_bits()) & mask_v4(prefix) == 0
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    (address.to_bits() ^ network.to_bits()) & mask_v6(prefix) == 0
}

/// Judges every resolved address before it is dialled.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    allowed: Vec<Cidr>,
    own: Vec<IpAddr>,
    nat64: Vec<Cidr>,
}

impl AddressPolicy {
    /// `allowed` are refused ranges that the operator opens, `own` this host's public addresses,
    /// `nat64` the prefixes under which the network embeds IPv4 addresses.
    #[must_use]
    pub fn new(allowed: Vec<Cidr>, own: Vec<IpAddr>, nat64: Vec<Cidr>) -> Self {
        let own = own.iter().map(IpAddr::to_canonical).collect();
        Self {
            allowed,
            own,
            nat64,
        }
    }

    /// The address to dial: `address` itself, or the IPv4 address that it maps.
    ///
    /// # Errors
    /// The rule that refuses it, such as `address.private`.
    pub fn judge(&self, address: IpAddr) -> Result<IpAddr, &'static str> {
        let address = address.to_canonical();
        if self.own.contains(&address) {
            return Err("address.self");
        }
        if self.allowed.iter().any(|range| range.contains(address)) {
            return Ok(address);
        }
        let refused = match address {
            IpAddr::V4(v4) => V4_REFUSED
                .iter()
                .find(|(network, prefix, _)| in_v4(v4, *network, *prefix))
                .map(|(_, _, rule)| *rule),
            IpAddr::V6(v6) => self.refused_v6(v6),
        };
        refused.map_or(Ok(address), Err)
    }

    fn refused_v6(&self, address: Ipv6Addr) -> Option<&'static str> {
        if !in_v6(address, V6_GLOBAL.0, V6_GLOBAL.1) {
            return Some("address.not-global");
        }
        if is_isatap(address)
            || self
                .nat64
                .iter()
                .any(|range| range.contains(IpAddr::V6(address)))
        {
            return Some("address.embedded-v4");
        }
        V6_REFUSED
            .iter()
            .find(|(network, prefix, _)| in_v6(address, *network, *prefix))
            .map(|(_, _, rule)| *rule)
    }
}

/// An interface identifier `0000:5efe` or `0200:5efe` followed by an IPv4 address (RFC 5214, 6.1).
fn is_isatap(address: Ipv6Addr) -> bool {
    let [.., high, low, _, _] = address.segments();
    (high & !0x0200) == 0 && low == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<IpAddr, &'static str> {
        AddressPolicy::default().judge(text.parse().unwrap())
    }

    #[test]
    fn each_refused_range_ends_where_the_registry_says() {
        for (first, last, before, after) in [
            ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            (
                "100.64.0.0",
                "100.127.255.255",
                "100.63.255.255",
                "100.128.0.0",
            ),
            (
                "127.0.0.0",
                "127.255.255.255",
                "126.255.255.255",
                "128.0.0.0",
            ),
            (
                "169.254.0.0",
                "169.254.255.255",
                "169.253.255.255",
                "169.255.0.0",
            ),
            (
                "172.16.0.0",
                "172.31.255.255",
                "172.15.255.255",
                "172.32.0.0",
            ),
            ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
            (
                "192.168.0.0",
                "192.168.255.255",
                "192.167.255.255",
                "192.169.0.0",
            ),
            (
                "198.18.0.0",
                "198.19.255.255",
                "198.17.255.255",
                "198.20.0.0",
            ),
            (
                "168.63.129.16",
                "168.63.129.16",
                "168.63.129.15",
                "168.63.129.17",
            ),
        ] {
            assert!(judge(first).is_err() && judge(last).is_err(), "{first}");
            assert!(judge(before).is_ok() && judge(after).is_ok(), "{first}");
        }
        assert!(judge("223.255.255.255").is_ok() && judge("224.0.0.0").is_err());
        assert!(judge("255.255.255.255").is_err());
    }

    #[test]
    fn only_plain_global_ipv6_is_allowed() {
        for address in [
            "::",
            "::1",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "2001::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "2606:4700::5efe:a00:1",
            "2606:4700::200:5efe:a00:1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(judge(address).is_err(), "{address}");
        }
        assert!(judge("2606:4700:4700::1111").is_ok());
        assert!(judge("2001:200::1").is_ok());
        assert_eq!(judge("::ffff:8.8.8.8"), Ok("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn the_operator_opens_ranges_names_itself_and_its_nat64_prefix() {
        let own: IpAddr = "8.8.4.4".parse().unwrap();
        let range = |text: &str| text.parse::<Cidr>().unwrap();
        let policy = AddressPolicy::new(
            vec![range("127.0.0.0/8")],
            vec![own],
            vec![range("2a00:64::/96")],
        );
        assert!(policy.judge("127.9.9.9".parse().unwrap()).is_ok());
        assert!(policy.judge("::ffff:127.0.0.1".parse().unwrap()).is_ok());
        assert_eq!(policy.judge(own), Err("address.self"));
        assert_eq!(
            policy.judge("::ffff:8.8.4.4".parse().unwrap()),
            Err("address.self")
        );
        assert_eq!(
            policy.judge("2a00:64::808:808".parse().unwrap()),
            Err("address.embedded-v4")
        );
    }

    #[test]
    fn a_range_is_read_and_written_exactly() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "192.0.2.1/32"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "::/129", "x"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().touches_refused());
        assert!(!"8.8.8.0/24".parse::<Cidr>().unwrap().touches_refused());
    }
}
