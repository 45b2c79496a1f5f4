//! An address that somebody typed, as the absolute URL that goes on the wire.
//!
//! The rules are the WHATWG URL Standard's for `http` and `https`, with what they would only
//! guess at refused: credentials, numbers written as an IPv4 address in another base, and Unix sockets.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::http::push_percent;

/// The URL in canonical form: lower-case scheme and host, host in A-labels, no default port, no
/// dot segments, no fragment, ASCII only.
///
/// # Errors
/// In words, without the address.
pub fn canonical(text: &str) -> Result<String, &'static str> {
    let text: String = text
        .trim_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .collect();
    let (scheme, rest) = text.split_once("://").ok_or("is not an absolute URL")?;
    let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "https" => ("https", 443),
        "http" => ("http", 80),
        _ => return Err("must begin with https:// or http://"),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));

    let mut url = format!("{scheme}://{}", self::authority(authority, default_port)?);
    push_path(&mut url, path);
    if let Some(query) = query {
        url.push('?');
        push_encoded(&mut url, query, b" \"#<>'");
    }
    Ok(url)
}

/// Whether the lower-case URL is a scheme and a host below `domain`, and nothing more.
#[must_use]
pub fn is_below(url: &str, domain: &str) -> bool {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let labels = host
        .and_then(|host| host.strip_suffix(domain))
        .and_then(|labels| labels.strip_suffix('.'));
    let plain = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    labels.is_some_and(|labels| labels.split('.').all(plain))
}

fn authority(text: &str, default_port: u16) -> Result<String, &'static str> {
    if text.contains('@') {
        return Err("must not contain a user or password");
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let mut authority = self::host(host)?;
    if !port.is_empty() {
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let port: u16 = port
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or("has an invalid port")?;
        if port != default_port {
            authority.push(':');
            authority.push_str(&port.to_string());
        }
    }
    Ok(authority)
}

fn host(text: &str) -> Result<String, &'static str> {
    const INVALID: &str = "has an invalid host";
    if let Some(address) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| INVALID)?;
        return Ok(format!("[{address}]"));
    }
    let labels: Result<Vec<_>, _> = lower_case(text)
        .split(['.', '\u{3002}'])
        .map(label)
        .collect();
    let host = labels.map_err(|()| INVALID)?.join(".");
    let name = host.strip_suffix('.').unwrap_or(&host);
    let numeric = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    if name.is_empty() || name.split('.').any(str::is_empty) || name.len() > 253 {
        Err(INVALID)
    } else if name == "unix" {
        Err("must not name a Unix socket")
    } else if numeric && name.parse::<Ipv4Addr>().is_err() {
        Err(INVALID)
    } else {
        Ok(host)
    }
}

/// A host name in lower-case A-labels, if it is one: for mail addresses.
#[cfg(feature = "mime")]
pub(crate) fn domain(text: &str) -> Option<String> {
    let labels = text.split('.').map(|text| match text {
        "" => Err(()),
        text => label(&lower_case(text)),
    });
    let labels = labels.collect::<Result<Vec<_>, ()>>().ok()?;
    Some(labels.join(".")).filter(|name| name.len() <= 253)
}

/// Letter by letter: the last sigma of a word is none of its own in a host name (UTS #46).
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// One label of a host name in ASCII (RFC 5890). A name that needs more of UTS #46 than lower
/// case never equals the host's own reading of it, and is refused there.
fn label(text: &str) -> Result<String, ()> {
    let letters = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if !text.chars().all(letters) || text.len() > 63 * 4 {
        return Err(());
    }
    let label = if text.is_ascii() {
        text.to_owned()
    } else {
        format!("xn--{}", punycode(text).ok_or(())?)
    };
    if label.len() > 63 { Err(()) } else { Ok(label) }
}

/// Encodes a label (RFC 3492, 6.3).
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    let mut output: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(output.len()).ok()?;
    if basic > 0 {
        output.push('-');
    }
    let (mut code, mut delta, mut bias, mut handled) = (128, 0_u32, 72, basic);
    let total = u32::try_from(label.chars().count()).ok()?;
    while handled < total {
        let next = label.chars().map(u32::from).filter(|c| *c >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for c in label.chars().map(u32::from) {
            if c < code {
                delta = delta.checked_add(1)?;
            }
            if c != code {
                continue;
            }
            let mut rest = delta;
            for k in (BASE..).step_by(BASE as usize) {
                let threshold = k.saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                output.push(digit(threshold + (rest - threshold) % (BASE - threshold))?);
                rest = (rest - threshold) / (BASE - threshold);
            }
            output.push(digit(rest)?);
            bias = adapted(delta, handled + 1, handled == basic);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        code += 1;
    }
    Some(output)
}

fn digit(value: u32) -> Option<char> {
    // Punycode counts a..z0..9 where `from_digit` counts 0..9a..z.
    char::from_digit((value + 10) % 36, 36)
}

fn adapted(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = delta / if first { 700 } else { 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

/// Appends the path without its dot segments, percent-encoded.
fn push_path(url: &mut String, path: &str) {
    let path = path.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        ends_open = matches!(plain.as_str(), "." | "..");
        match plain.as_str() {
            "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    if segments.is_empty() || ends_open {
        segments.push("");
    }
    for segment in segments {
        url.push('/');
        push_encoded(url, segment, b" \"#<>?^`{}");
    }
}

/// Appends the text with control characters, non-ASCII and `reserved` percent-encoded.
fn push_encoded(url: &mut String, text: &str, reserved: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !reserved.contains(&byte) {
            url.push(char::from(byte));
        } else {
            push_percent(url, byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn an_address_is_written_as_a_browser_writes_it() {
        for (typed, expected) in [
            (
                "HTTPS://HOOKS.Example.COM:443/Path/../X",
                "https://hooks.example.com/X",
            ),
            ("https://x.example", "https://x.example/"),
            (
                " https://x.example/a b?q='ü'&x=%41#frag\n",
                "https://x.example/a%20b?q=%27%C3%BC%27&x=%41",
            ),
            (
                "http://x.example:8080/./a/%2e%2E/b/..",
                "http://x.example:8080/",
            ),
            ("https://x.example?q", "https://x.example/?q"),
            ("https://x.example:/a//b/", "https://x.example/a//b/"),
            ("https://x.example\\a", "https://x.example/a"),
            (
                "https://[2001:DB8::0:1]:8443/",
                "https://[2001:db8::1]:8443/",
            ),
            ("https://192.0.2.1/{x}|y", "https://192.0.2.1/%7Bx%7D|y"),
            (
                "https://MÜNCHEN.example/",
                "https://xn--mnchen-3ya.example/",
            ),
            ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
            ("https://ΟΔΟΣ.example/", "https://xn--pxavbq.example/"),
        ] {
            assert_eq!(canonical(typed).as_deref(), Ok(expected), "{typed}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for typed in [
            "",
            "x.example/hook",
            "ftp://x.example/",
            "unix:/var/run/x.sock",
            "http://unix:/var/run/docker.sock:/x",
            "https://",
            "https:///path",
            "https://u:p@x.example/",
            "https://x..example/",
            "https://x.example:99999/",
            "https://x.example:+1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://x y/",
            "https://%65xample.com/",
            "https://[::1/",
        ] {
            assert!(canonical(typed).is_err(), "{typed}");
        }
    }
}
