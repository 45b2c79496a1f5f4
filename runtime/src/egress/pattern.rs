//! Host patterns: `api.example.com`, `*.example.com`, an address or a range, each with a port or without.

use std::fmt;

use super::address::Cidr;
use super::config::PortRange;
use super::target::{Host, origin, parse_host, split_port};

/// Second-level labels under which registries sell names (as in `co.uk`): with a country's two letters
/// after them they are public suffixes.
const REGISTRY_LABELS: &[&str] = &[
    "ac", "asso", "biz", "co", "com", "edu", "gob", "gov", "gouv", "gv", "info", "ltd", "me",
    "mil", "name", "ne", "net", "nom", "or", "org", "plc", "sch",
];

/// Suffixes under which anybody may have a name of their own.
const SHARED_SUFFIXES: &[&str] = &[
    "amazonaws.com",
    "appspot.com",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "firebaseapp.com",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "netlify.app",
    "ngrok.io",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "run.app",
    "sslip.io",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// Names that never lead outside (RFC 6761, RFC 6762, RFC 7686, RFC 9476 and ICANN's `internal`).
pub(super) const SPECIAL_NAMES: &[&str] = &[
    "alt",
    "arpa",
    "example",
    "internal",
    "invalid",
    "local",
    "localhost",
    "onion",
    "test",
];

/// Who writes a pattern decides how wide it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// May write `*` and private ranges.
    Operator,
    /// A tenant's list.
    Tenant,
    /// A connector's `describe`, settings filled in. An address literal is left to the operator's ceiling.
    Connector,
}

/// Why a text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `*` alone.
    #[error("only the operator may allow every host with '*'")]
    Everything,
    /// `*.com`, `*.co.uk`.
    #[error("'*.{0}' is too wide: anybody can register a name below '{0}'")]
    PublicSuffix(String),
    /// `api.*.example.com`.
    #[error("a wildcard may only be the whole first label, as in '*.example.com'")]
    MiddleWildcard,
    /// `192.168.1.*`.
    #[error("an address takes no wildcard; write a range such as 192.0.2.0/24")]
    AddressWildcard,
    /// A URL or path.
    #[error("a host is expected, not a URL or path; use '{0}'")]
    Url(String),
    /// A range with private or special addresses.
    #[error("only the operator may allow the private or special addresses in {0}")]
    Private(Cidr),
    /// A port of zero, over 65535, or no number.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Anything else.
    #[error("a host name, an address, or a range is expected")]
    Syntax,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Any,
    Exactly(Host),
    Below(String),
    Within(Cidr),
}

/// One pattern. A name's pattern never matches a literal, and `*.example.com` not `example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    shape: Shape,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] with the correction where there is one.
    pub fn parse(text: &str, author: Author) -> Result<Self, PatternError> {
        if text.contains("://") {
            return Err(without_url(text));
        }
        if text.contains('/') {
            return Self::range(text, author);
        }
        // A bare IPv6 address has colons of its own.
        let (host, port) = match text.parse::<std::net::Ipv6Addr>() {
            Ok(_) => (text, None),
            Err(_) => split_port(text).ok_or(PatternError::Port)?,
        };
        let shape = if host == "*" {
            if author != Author::Operator {
                return Err(PatternError::Everything);
            }
            Shape::Any
        } else if let Some(suffix) = host.strip_prefix("*.") {
            Shape::Below(below(suffix, author)?)
        } else if host.contains('*') {
            let address = host
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".*:[]".contains(&byte));
            return Err(if address {
                PatternError::AddressWildcard
            } else {
                PatternError::MiddleWildcard
            });
        } else {
            exactly(host, author)?
        };
        Ok(Self { shape, port })
    }

    fn range(text: &str, author: Author) -> Result<Self, PatternError> {
        let Ok(range) = text.parse::<Cidr>() else {
            let host = text.split('/').next().unwrap_or_default();
            return Err(if parse_host(host).is_ok() {
                PatternError::Url(host.to_owned())
            } else {
                PatternError::Syntax
            });
        };
        if author != Author::Operator && range.touches_refused() {
            return Err(PatternError::Private(range));
        }
        Ok(Self {
            shape: Shape::Within(range),
            port: None,
        })
    }

    pub(super) fn matches(&self, host: &Host, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && match (&self.shape, host) {
                (Shape::Any, _) => true,
                (Shape::Exactly(own), host) => own == host,
                (Shape::Below(suffix), Host::Name(name)) => name
                    .strip_suffix(suffix.as_str())
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
                (Shape::Within(range), Host::Address(address)) => range.contains(*address),
                _ => false,
            }
    }

    /// Whether the pattern itself names the port.
    pub(super) fn names_port(&self, port: u16) -> bool {
        self.port == Some(port)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Any => f.write_str("*"),
            Shape::Exactly(host) => host.fmt(f),
            Shape::Below(suffix) => write!(f, "*.{suffix}"),
            Shape::Within(range) => range.fmt(f),
        }?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn exactly(host: &str, author: Author) -> Result<Shape, PatternError> {
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => Host::Address(address.into()),
        Err(_) => parse_host(host).map_err(|_| PatternError::Syntax)?,
    };
    if let Host::Address(address) = host {
        let range = Cidr::from(address);
        if author == Author::Tenant && range.touches_refused() {
            return Err(PatternError::Private(range));
        }
    }
    Ok(Shape::Exactly(host))
}

fn below(suffix: &str, author: Author) -> Result<String, PatternError> {
    if suffix.contains('*') {
        return Err(PatternError::MiddleWildcard);
    }
    let Ok(Host::Name(name)) = parse_host(suffix) else {
        return Err(PatternError::Syntax);
    };
    // Below a name that never leads outside nobody can register one: the operator's network has them.
    let is_own = author == Author::Operator && SPECIAL_NAMES.contains(&name.as_str());
    if !is_own && is_public_suffix(&name) {
        return Err(PatternError::PublicSuffix(name));
    }
    Ok(name)
}

/// Single labels, registries' second-level labels under a country, and well-known shared hosting.
/// No copy of the Public Suffix List: it ages, and the operator's ceiling and the connector's manifest
/// stand beside a tenant's list.
fn is_public_suffix(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let (Some(top), second) = (labels.next(), labels.next()) else {
        return true;
    };
    let Some(second) = second else {
        return true;
    };
    let registry = labels.next().is_none() && top.len() == 2 && REGISTRY_LABELS.contains(&second);
    registry || SHARED_SUFFIXES.contains(&name)
}

fn without_url(text: &str) -> PatternError {
    match origin(text) {
        Ok((scheme, host, port, _)) if port == scheme.default_port() => {
            PatternError::Url(host.to_string())
        }
        Ok((_, host, port, _)) => PatternError::Url(format!("{host}:{port}")),
        Err(_) => PatternError::Syntax,
    }
}

/// Whether any of `ranges` holds `port`.
pub(super) fn any_port(ranges: &[PortRange], port: u16) -> bool {
    ranges.iter().any(|range| range.contains(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(text: &str) -> Result<HostPattern, PatternError> {
        HostPattern::parse(text, Author::Tenant)
    }

    fn matches(pattern: &str, host: &str, port: u16) -> bool {
        let pattern = HostPattern::parse(pattern, Author::Operator).unwrap();
        pattern.matches(&parse_host(host).unwrap(), port)
    }

    #[test]
    fn patterns_match_whole_labels_and_their_port() {
        assert!(matches("*.example.com", "a.example.com", 443));
        assert!(matches("*.example.com", "a.b.example.com", 443));
        assert!(!matches("*.example.com", "example.com", 443));
        assert!(!matches("*.example.com", "badexample.com", 443));
        assert!(matches("API.example.com", "api.example.com", 8443));
        assert!(!matches("api.example.com:443", "api.example.com", 8443));
        assert!(matches("10.0.0.0/8", "10.1.2.3", 443));
        assert!(matches("[::1]:8080", "[::1]", 8080));
        assert!(matches("*", "anything.example", 1));
        assert!(matches("api.example.com.", "api.example.com", 443));
        assert!(matches("api.example.com", "api.example.com.", 443));
        assert!(matches("bücher.example", "xn--bcher-kva.example", 443));
        assert!(matches(
            "xn--bcher-kva.example:8443",
            "BÜCHER.example.",
            8443
        ));
        assert!(matches("*.bücher.example.", "shop.bücher.example", 443));
        assert!(!matches("*.bücher.example", "bücher.example", 443));
    }

    #[test]
    fn too_wide_or_malformed_patterns_are_refused_with_a_correction() {
        assert_eq!(tenant("*"), Err(PatternError::Everything));
        assert_eq!(
            tenant("*.co.uk"),
            Err(PatternError::PublicSuffix("co.uk".into()))
        );
        assert_eq!(
            tenant("*.github.io"),
            Err(PatternError::PublicSuffix("github.io".into()))
        );
        assert!(tenant("*.bbc.co.uk").is_ok());
        let operator = |text| HostPattern::parse(text, Author::Operator);
        assert!(operator("*.internal").is_ok() && operator("*.test:8080").is_ok());
        assert!(tenant("*.internal").is_err());
        for wide in ["*.com", "*.co.uk", "*.github.io"] {
            assert!(operator(wide).is_err(), "{wide}");
        }
        assert_eq!(tenant("a*.example.com"), Err(PatternError::MiddleWildcard));
        assert_eq!(
            tenant("https://a.example:8443/x"),
            Err(PatternError::Url("a.example:8443".into()))
        );
        assert_eq!(
            tenant("a.example/x"),
            Err(PatternError::Url("a.example".into()))
        );
        assert_eq!(tenant("a.example:70000"), Err(PatternError::Port));
        assert_eq!(tenant("bü_cher.example"), Err(PatternError::Syntax));
        assert_eq!(tenant("a.example.."), Err(PatternError::Syntax));
        assert_eq!(
            tenant("*.co.uk."),
            Err(PatternError::PublicSuffix("co.uk".into()))
        );
        assert!(matches!(tenant("127.0.0.1"), Err(PatternError::Private(_))));
        assert!(matches!(tenant("::1"), Err(PatternError::Private(_))));
        assert!(tenant("8.8.8.8").is_ok());
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for text in [
            "*",
            "*.example.com:8443",
            "a.example",
            "10.0.0.0/8",
            "[::1]:25",
        ] {
            assert_eq!(
                HostPattern::parse(text, Author::Operator)
                    .unwrap()
                    .to_string(),
                text
            );
        }
    }
}
