//! One parse of a URL into the one object that is matched, resolved, dialled, named in SNI and in `Host`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::PathAndQuery;

use super::EgressError;

/// The longest host name (RFC 1035, 2.3.4, without the root's dot).
const HOST_MAX: usize = 253;

/// What is spoken to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
    /// Mail submission; whether with TLS is the submission's word.
    Smtp,
}

impl Scheme {
    pub(super) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Smtp => 587,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Smtp => "smtp",
        }
    }
}

/// A host as it stands in a URL or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Host {
    /// Lower-case A-labels, without a final dot.
    Name(String),
    /// A literal.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) path_and_query: PathAndQuery,
}

impl Target {
    /// Parses an absolute URL. Nothing is repaired: what could be read in two ways is refused.
    pub(super) fn parse(url: &str) -> Result<Self, EgressError> {
        let outside = || {
            EgressError::Invalid(
                "the URL holds a space, a control character, or a character outside ASCII behind its host"
                    .to_owned(),
            )
        };
        if !url.chars().all(|c| c.is_ascii_graphic() || !c.is_ascii()) {
            return Err(outside());
        }
        let (scheme, host, port, rest) = origin(url)?;
        if !rest.is_ascii() {
            return Err(outside());
        }
        let path_and_query = check_path(rest)?;
        Ok(Self {
            scheme,
            host,
            port,
            path_and_query,
        })
    }

    /// A mail server. The host is a name or an address as it stands in a URL.
    pub(super) fn mail_server(host: &str, port: u16) -> Result<Self, EgressError> {
        let host = parse_host(host).map_err(|rule| EgressError::Denied { rule })?;
        if port == 0 {
            return Err(EgressError::Denied { rule: "url.port" });
        }
        Ok(Self {
            scheme: Scheme::Smtp,
            host,
            port,
            path_and_query: PathAndQuery::from_static("/"),
        })
    }

    /// Host and port, as in the wire record.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The value of `Host`: the port only where it is not the scheme's own.
    pub(super) fn host_header(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            self.authority()
        }
    }
}

/// Scheme, host, port and the rest of an absolute URL.
pub(super) fn origin(url: &str) -> Result<(Scheme, Host, u16, &str), EgressError> {
    let denied = |rule| Err(EgressError::Denied { rule });
    let Some((scheme, rest)) = url.split_once("://") else {
        return denied("url.not-absolute");
    };
    let scheme = if scheme.eq_ignore_ascii_case("https") {
        Scheme::Https
    } else if scheme.eq_ignore_ascii_case("http") {
        Scheme::Http
    } else {
        return denied("scheme.not-allowed");
    };
    if rest.contains('#') {
        return denied("url.fragment");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.contains('@') {
        return denied("url.userinfo");
    }
    let (host, port) = split_port(authority).ok_or(EgressError::Denied { rule: "url.port" })?;
    let host = parse_host(host).map_err(|rule| EgressError::Denied { rule })?;
    Ok((scheme, host, port.unwrap_or(scheme.default_port()), rest))
}

/// Parts `host:port`; a port is one to five digits and not zero.
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_literal = authority.rfind(']').map_or(0, |at| at + 1);
    let tail = authority.get(after_literal..)?;
    let Some(colon) = tail.find(':') else {
        return Some((authority, None));
    };
    let (host, port) = authority.split_at(after_literal + colon);
    let digits = port.get(1..)?;
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port = digits.parse().ok().filter(|port| *port != 0)?;
    Some((host, Some(port)))
}

/// A host in lower case, or the rule that refuses it. A name may be written in Unicode and with the root's dot: here
/// both are taken away, so that what is matched is what is resolved.
pub(super) fn parse_host(text: &str) -> Result<Host, &'static str> {
    // A guest writes what it likes: nothing of that length is looked at.
    if text.len() > 4 * HOST_MAX {
        return Err("host.syntax");
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("host.syntax")?;
        let address: Ipv6Addr = inner.parse().map_err(|_| "host.syntax")?;
        return Ok(Host::Address(address.into()));
    }
    let name = in_ascii(text.strip_suffix('.').unwrap_or(text)).ok_or("host.syntax")?;
    if !is_host_name(&name) {
        return Err("host.syntax");
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || is_hexadecimal(last) {
        // What ends in a number is an address to some parser (WHATWG URL, 3.5): only the one
        // unambiguous way to write it counts.
        return name
            .parse::<Ipv4Addr>()
            .map(|address| Host::Address(address.into()))
            .map_err(|_| "host.numeric");
    }
    Ok(Host::Name(name))
}

/// A name in lower case and A-labels (UTS #46, without its transitional rules). None where a label outside ASCII would
/// turn into one inside, such as `ⓔxample` or `127。0。0。1`: that is a disguise.
fn in_ascii(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(name).ok()?;
    let plain = |(written, read): (&str, &str)| written.is_ascii() || read.starts_with("xn--");
    let alike = name.split('.').count() == ascii.split('.').count()
        && name.split('.').zip(ascii.split('.')).all(plain);
    alike.then_some(ascii)
}

fn is_hexadecimal(label: &str) -> bool {
    label
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Letters, digits and hyphens in labels of 1 to 63 (RFC 1123, 2.1), A-labels that decode and encode
/// to themselves (RFC 5891).
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    name.len() <= HOST_MAX && name.split('.').all(label) && round_trips(name)
}

fn round_trips(name: &str) -> bool {
    if !name.split('.').any(|label| label.starts_with("xn--")) {
        return true;
    }
    let (unicode, valid) = idna::domain_to_unicode(name);
    valid.is_ok() && idna::domain_to_ascii_strict(&unicode).is_ok_and(|ascii| ascii == name)
}

/// A path that every parser reads alike, with its query.
fn check_path(rest: &str) -> Result<PathAndQuery, EgressError> {
    let denied = |rule| Err(EgressError::Denied { rule });
    let path = rest.split('?').next().unwrap_or_default();
    if path.contains('\\') {
        return denied("path.backslash");
    }
    if path.starts_with("//") {
        return denied("path.double-slash");
    }
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    // An encoded slash or backslash would hide a segment.
    let hidden = |path: &str| {
        path.to_ascii_lowercase()
            .replace("%2f", "/")
            .replace("%5c", "/")
    };
    if path.contains(['.', '%']) && hidden(path).split('/').any(is_dots) {
        return denied("path.dot-segment");
    }
    let text = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    PathAndQuery::try_from(text)
        .map_err(|_| EgressError::Invalid("the URL's path or query is malformed".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_one_object() {
        let target = Target::parse("HTTPS://API.Example.COM/v1/x?q=a%20b&r=http://y").unwrap();
        assert_eq!(target.scheme, Scheme::Https);
        assert_eq!(target.host, Host::Name("api.example.com".into()));
        assert_eq!(target.port, 443);
        assert_eq!(target.path_and_query, "/v1/x?q=a%20b&r=http://y");
        assert_eq!(target.host_header(), "api.example.com");
        let target = Target::parse("http://[::1]:8080?x").unwrap();
        assert_eq!(target.path_and_query, "/?x");
        assert_eq!(target.host_header(), "[::1]:8080");
        assert_eq!(
            Target::parse("https://a.example:443/")
                .unwrap()
                .host_header(),
            "a.example"
        );
    }

    #[test]
    fn a_host_may_be_written_as_people_write_it() {
        for (written, read) in [
            ("b.example.", "b.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example.", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("пример.example", "xn--e1afmkfd.example"),
        ] {
            let target = Target::parse(&format!("https://{written}:8443/x?y")).unwrap();
            assert_eq!(target.authority(), format!("{read}:8443"));
            assert_eq!(parse_host(written), Ok(Host::Name(read.to_owned())));
            assert_eq!(parse_host(read), Ok(Host::Name(read.to_owned())));
        }
        assert_eq!(
            parse_host("127.0.0.1."),
            Ok(Host::Address(Ipv4Addr::LOCALHOST.into()))
        );
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for url in [
            "api.example.com/x",
            "//api.example.com/x",
            "https:/api.example.com/",
            "https://",
            "https:///x",
            "https://a@b.example/",
            "https://b.example:/",
            "https://b.example:0/",
            "https://b.example:+443/",
            "https://b.example:443:443/",
            "https://b.example../",
            "https://./",
            "https://.b.example/",
            "https://b..example/",
            "https://127。0。0。1/",
            "https://b。example/",
            "https://ｂ.example/",
            "https://ⓑ.example/",
            "https://b\u{ad}.example/",
            "https://b\u{200b}.example/",
            "https://\u{202e}b.example/",
            "https://b\u{a0}.example/",
            "https://b.example／x/",
            "https://ü_.example/",
            "https://-ü.example/",
            "https://b.example/ü",
            "https://b.example/?ü",
            "https://b.example:８/",
            "https://ü@b.example/",
            "https://-b.example/",
            "https://b_.example/",
            "https://[::1/",
            "https://[fe80::1%25eth0]/",
            "https://b.example\\@c.example/",
            "https://%62.example/",
            "https://b.example/\\x",
            "https://b.example/a/..",
            "https://b.example/.%2E/x",
            "https://b.example/a%2f..%2fb",
            "https://b.example/x#y",
            "https://1.2.3/",
            "https://x.0x7f/",
            "https://1.2.3.4.5/",
            "https://01.2.3.4/",
            "https://xn--a.example/",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        assert!(Target::parse("https://b.example/a.b/..c/v1...x/%2F").is_ok());
        assert!(Target::parse("https://xn--bcher-kva.example/").is_ok());
    }
}
