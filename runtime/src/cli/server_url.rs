//! Which server `--server` names, and where it is: by the system's own means, as any other program of its user finds it.

use std::net::IpAddr;

use anyhow::{Context, bail};
use url::{Host, Position, Url};

use crate::egress::system_addresses;

/// Where a command without `--server` finds its server.
pub(super) const DEFAULT: &str = "http://127.0.0.1:8080";

const SHAPE: &str = "--server must be a URL, such as https://sendbox.example.com";

/// A server's address.
#[derive(Debug)]
pub(super) struct ServerUrl {
    /// What the API's paths are put behind.
    pub(super) base: String,
    /// Its host, with the port where it names one.
    pub(super) authority: String,
    /// Its host, an IPv6 address without brackets.
    pub(super) host: String,
    /// What a name stands for.
    pub(super) addresses: Vec<IpAddr>,
}

impl ServerUrl {
    /// Reads a URL and looks its host up.
    ///
    /// # Errors
    /// What is no URL of a server, and a name that is not known.
    pub(super) async fn read(text: &str) -> anyhow::Result<Self> {
        let mut url = parse(text)?;
        let mut addresses = Vec::new();
        if let Some(Host::Domain(name)) = url.host() {
            let name = name.to_owned();
            let found = system_addresses(&name).await;
            addresses = found.with_context(|| format!("{name} could not be resolved"))?;
            if name.contains('_') {
                address_itself(&mut url, &name, &addresses)?;
            }
        }
        let host = match url.host().context(SHAPE)? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self {
            base: url[..Position::AfterPath].trim_end_matches('/').to_owned(),
            authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            host,
            addresses,
        })
    }
}

fn parse(text: &str) -> anyhow::Result<Url> {
    let text = match text.trim() {
        "" => DEFAULT,
        text => text,
    };
    let url = Url::parse(text).context(SHAPE)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
        bail!("{SHAPE}: without user, query and fragment");
    }
    Ok(url)
}

/// Compose and Docker give names with an underscore, which are no host names: the address says the same.
fn address_itself(url: &mut Url, name: &str, addresses: &[IpAddr]) -> anyhow::Result<()> {
    if url.scheme() == "https" {
        bail!("{name}: no certificate is for a name with an underscore; name the server otherwise");
    }
    let address = addresses.first().context("it has no address")?;
    url.set_ip_host(*address)
        .map_err(|()| anyhow::anyhow!(SHAPE))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> [String; 3] {
        let url = ServerUrl::read(text).await.unwrap();
        [url.base, url.authority, url.host]
    }

    #[tokio::test]
    async fn a_server_may_have_a_prefix_an_address_and_a_default() {
        for (text, expected) in [
            ("", ["http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1"]),
            (
                "https://192.0.2.1/send/box/",
                ["https://192.0.2.1/send/box", "192.0.2.1", "192.0.2.1"],
            ),
            ("http://[::1]", ["http://[::1]", "[::1]", "::1"]),
            ("http://[::1]:81/", ["http://[::1]:81", "[::1]:81", "::1"]),
            (
                " http://localhost:9\n",
                ["http://localhost:9", "localhost:9", "localhost"],
            ),
        ] {
            assert_eq!(read(text).await, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_server_is_refused() {
        for text in [
            "sendbox.example.com",
            "ftp://192.0.2.1",
            "http://",
            "http://me@192.0.2.1",
            "http://192.0.2.1/?a=b",
            "http://192.0.2.1:99999",
        ] {
            let refused = ServerUrl::read(text).await.unwrap_err();
            assert!(refused.to_string().contains("must be a URL"), "{text}");
        }
    }

    #[test]
    fn a_name_with_an_underscore_is_addressed_by_its_address() {
        let mut url = Url::parse("http://my_server:81/a").unwrap();
        let address = "192.0.2.7".parse().unwrap();
        address_itself(&mut url, "my_server", &[address]).unwrap();
        assert_eq!(url.as_str(), "http://192.0.2.7:81/a");
        let mut url = Url::parse("https://my_server").unwrap();
        assert!(address_itself(&mut url, "my_server", &[address]).is_err());
    }
}
