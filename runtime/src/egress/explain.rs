//! Why a target would be let through or refused: words for the operator, never for a guest.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::EgressError;
use super::live::Egress;
use super::policy::{EgressPolicy, MAIL_PORTS};
use super::target::{Target, split_port};

/// How long an explanation waits for DNS.
const DNS_WAIT: Duration = Duration::from_secs(5);

/// Where a connector might want to go, parsed as its request would be.
#[derive(Clone, Debug)]
pub struct Destination(Target);

impl Destination {
    /// Reads `host`, `host:port` or a URL with `https`, `http` or `smtp`. Without a scheme a port of mail
    /// means mail, and any other HTTPS; without a port it is 443.
    ///
    /// # Errors
    /// [`EgressError`] with the rule that refuses every request of this shape.
    pub fn parse(text: &str) -> Result<Self, EgressError> {
        let denied = |rule| EgressError::Denied { rule };
        let mail = text.strip_prefix("smtp://");
        if mail.is_none() && text.contains("://") {
            return Target::parse(text).map(Self);
        }
        let (host, port) = split_port(mail.unwrap_or(text)).ok_or(denied("url.port"))?;
        match (mail, port) {
            (Some(_), port) => Target::mail_server(host, port.unwrap_or(587)),
            (None, Some(port)) if MAIL_PORTS.contains(&port) => Target::mail_server(host, port),
            (None, port) => Target::parse(&format!("https://{host}:{}/", port.unwrap_or(443))),
        }
        .map(Self)
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.0.scheme.as_str(), self.0.authority())
    }
}

/// A rule that refuses, with its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Such as `host.not-allowed-by-tenant`.
    pub rule: &'static str,
    /// What it means, and where it is set.
    pub why: &'static str,
}

impl From<&'static str> for Refusal {
    fn from(rule: &'static str) -> Self {
        Self {
            rule,
            why: words(rule),
        }
    }
}

/// One of the three host lists, and its first pattern that holds the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListVerdict {
    /// `operator`, `tenant` or `connector`.
    pub list: &'static str,
    /// None where no pattern holds it.
    pub pattern: Option<String>,
}

/// What the name layer says of a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameVerdict {
    /// None where it is let through.
    pub refused: Option<Refusal>,
    /// A tenant without a list of its own has no entry.
    pub lists: Vec<ListVerdict>,
}

/// An address that a name resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JudgedAddress {
    /// As DNS answered it.
    pub address: IpAddr,
    /// None where it may be dialled.
    pub refused: Option<Refusal>,
}

impl EgressPolicy {
    /// What the name layer says of a destination.
    #[must_use]
    pub fn explain(&self, destination: &Destination) -> NameVerdict {
        let lists = self.lists(&destination.0).into_iter();
        NameVerdict {
            refused: self.check(&destination.0).err().map(Refusal::from),
            lists: lists
                .map(|(list, pattern)| ListVerdict { list, pattern })
                .collect(),
        }
    }
}

impl Egress {
    /// What the destination's name resolves to now, each address judged. One refused address refuses the name.
    ///
    /// # Errors
    /// [`EgressError::Dns`].
    pub async fn addresses(
        &self,
        destination: &Destination,
    ) -> Result<Vec<JudgedAddress>, EgressError> {
        let deadline = Instant::now() + DNS_WAIT;
        let found = self
            .resolver()
            .judged(&destination.0.host, deadline)
            .await?;
        let judged = |(address, verdict): (IpAddr, Result<IpAddr, &'static str>)| JudgedAddress {
            address,
            refused: verdict.err().map(Refusal::from),
        };
        Ok(found.into_iter().map(judged).collect())
    }
}

fn words(rule: &str) -> &'static str {
    match rule {
        "host.not-allowed-by-operator" => "no pattern of [egress] allowed_hosts holds it",
        "host.not-allowed-by-tenant" => "no pattern of the tenant's allowed_hosts holds it",
        "host.not-asked-by-connector" => {
            "the connector does not declare it among its hosts, with the integration's settings filled in"
        }
        "host.address-literal" => {
            "an address instead of a name is let through only inside [egress] allow_addresses"
        }
        "host.single-label" => "a name without a dot must stand in [egress] special_names",
        "host.special-use" => "a special-use name must stand in [egress] special_names",
        "host.syntax" | "host.numeric" => "no host name that every parser reads alike",
        "scheme.plaintext" => "without TLS only hosts of [egress] plaintext_hosts are reached",
        "scheme.not-allowed" => "only https, http and smtp are spoken",
        "secret.other-host" => {
            "the secret was given for other hosts than this one: write it again for the settings as they are"
        }
        "port.mail" => "HTTP is not spoken to a port of mail",
        "port.web" => "mail is not spoken to a port of the web",
        "port.not-allowed" => "the port does not stand in [egress] ports",
        "egress.family" => "the destination has no address of the source's family",
        "address.self" => "the address stands in [egress] own_addresses",
        "address.too-many" => "a name may have 32 addresses",
        rule if rule.starts_with("address.") => {
            "a private, local or special address, outside [egress] allow_addresses"
        }
        _ => "the URL could be read in two ways",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_read_as_a_request_would_be() {
        for (text, read) in [
            ("api.example.com", "https://api.example.com:443"),
            ("API.example.com:8443", "https://api.example.com:8443"),
            ("smtp.example.com:587", "smtp://smtp.example.com:587"),
            (
                "smtp://smtp.example.com:2525",
                "smtp://smtp.example.com:2525",
            ),
            ("http://[::1]:81/x?y", "http://[::1]:81"),
        ] {
            assert_eq!(Destination::parse(text).unwrap().to_string(), read);
        }
        for text in [
            "",
            "a b",
            "user@example.com",
            "ftp://example.com",
            "example.com:0",
            "0x7f.1",
        ] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }
}
