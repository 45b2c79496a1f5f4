//! The header model: which names a guest may set, and what every value must hold to.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::EgressError;
use crate::limits::{Limit, Limits};

/// Names that the host owns: routing, framing, hop-by-hop, provenance, and the opt-in headers of
/// clouds' metadata services. Wider than RFC 9110's connection-specific fields on purpose.
const OWNED: &[&str] = &[
    "alt-used",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "metadata",
    "metadata-flavor",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-google-metadata-request",
    "x-http-method",
    "x-real-ip",
    "x-rewrite-url",
];

const OWNED_PREFIXES: &[&str] = &[
    "proxy-",
    "x-aws-ec2-metadata-token",
    "x-forwarded-",
    "x-original-",
];

const OWNED_SUFFIX: &str = "-method-override";

/// A name in lower case as servers read it that make variables of headers, as CGI does (RFC 3875, 4.1.18): to them
/// `_` is `-`. What stands for neither letter nor digit is taken for the same.
pub(super) fn folded(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match name.chars().all(plain) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.replace(|c| !plain(c), "-")),
    }
}

/// Whether only the host may set a header; `name` in lower case.
pub(super) fn is_owned(name: &str) -> bool {
    let name = &*folded(name);
    OWNED.contains(&name)
        || OWNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with(OWNED_SUFFIX)
}

/// A guest's header name in lower case.
pub(super) fn name(text: &str) -> Result<HeaderName, EgressError> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| EgressError::Invalid("a header name is malformed".to_owned()))?;
    if is_owned(name.as_str()) {
        return Err(EgressError::Denied {
            rule: "header.host-owned",
        });
    }
    Ok(name)
}

/// A value with its secrets filled in. It never shows in a `Debug`.
pub(super) fn value(name: &HeaderName, text: &str) -> Result<HeaderValue, EgressError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        EgressError::Invalid(format!(
            "the value of the header {name} holds a control character"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// That one header, with its secrets filled in, is larger than it may be.
pub(super) fn too_large(limits: &Limits) -> String {
    format!("a header may have {} bytes", limits.header_bytes)
}

/// Counts a request's headers and their bytes against the limits.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: usize,
    bytes: usize,
}

impl Tally {
    pub(super) fn add(
        &mut self,
        name: &str,
        value: &str,
        limits: &Limits,
    ) -> Result<(), EgressError> {
        let size = name.len() + value.len();
        self.count += 1;
        self.bytes += size;
        let over = |limit, detail| Err(EgressError::Limit { limit, detail });
        if self.count > limits.headers {
            return over(
                Limit::HeaderCount,
                format!("a request may have {} headers", limits.headers),
            );
        }
        if size > limits.header_bytes {
            return over(Limit::HeaderSize, too_large(limits));
        }
        if self.bytes > limits.headers_bytes {
            return over(
                Limit::HeaderSize,
                format!(
                    "all headers may have {} bytes together",
                    limits.headers_bytes
                ),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_owns_routing_framing_provenance_and_metadata_headers() {
        for owned in [
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Proxy-Anything",
            "X-Forwarded-Host",
            "X-Original-URL",
            "X-HTTP-Method-Override",
            "X-Real-IP",
            "Metadata",
            "X-aws-ec2-metadata-token-ttl-seconds",
            "Content_Length",
            "Transfer_Encoding",
            "transfer-ENCODING",
            "Proxy_Authorization",
            "X_Forwarded-For",
            "x_forwarded_for",
            "X.Forwarded.Host",
            "X_HTTP_Method_Override",
            "Metadata_Flavor",
            "X~Real~IP",
        ] {
            assert!(
                matches!(name(owned), Err(EgressError::Denied { .. })),
                "{owned}"
            );
        }
        for free in [
            "Authorization",
            "X-Api-Key",
            "Content-Type",
            "X-Amz-Date",
            "Cookie",
            "X_Api_Key",
            "My_Host",
            "Hostname",
            "Content_Type",
        ] {
            assert!(name(free).is_ok(), "{free}");
        }
    }

    #[test]
    fn values_cannot_end_their_line() {
        let a = HeaderName::from_static("x-a");
        for bad in ["b\r\nx: y", "b\ny", "b\0", "b\x7f"] {
            assert!(matches!(value(&a, bad), Err(EgressError::Invalid(_))));
        }
        assert!(!format!("{:?}", value(&a, "secret").unwrap()).contains("secret"));
    }
}
