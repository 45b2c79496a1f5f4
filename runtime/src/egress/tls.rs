//! TLS sessions: always verified, against the public roots and the operator's own.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::EgressError;
use super::config::EgressSetupError;
use super::target::Host;

/// The client side of TLS for one protocol.
pub(super) struct Tls {
    connector: TlsConnector,
}

impl Tls {
    /// Reads the roots. `alpn` names the one protocol that is spoken inside, where it has a name.
    pub(super) fn new(
        extra_roots: Option<&Path>,
        alpn: Option<&[u8]>,
    ) -> Result<Self, EgressSetupError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = extra_roots {
            add_roots(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.into_iter().map(<[u8]>::to_vec).collect();
        // A ticket would tie tenants and sources together that share nothing else.
        config.resumption = Resumption::disabled();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// A session with `host` over `stream` before `deadline`.
    pub(super) async fn connect(
        &self,
        host: &Host,
        stream: TcpStream,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, EgressError> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| EgressError::Tls("no name for a certificate".to_owned()))?,
        };
        timeout_at(deadline, self.connector.connect(name, stream))
            .await
            .map_err(|_| EgressError::Tls("no answer in time".to_owned()))?
            .map_err(|error| EgressError::Tls(reason(&error)))
    }
}

/// What went wrong, without the peer's own words.
fn reason(error: &std::io::Error) -> String {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(problem)) => match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate is expired".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another host".to_owned()
            }
            CertificateError::UnknownIssuer => "the certificate's issuer is not trusted".to_owned(),
            _ => "the certificate is not valid".to_owned(),
        },
        Some(rustls::Error::AlertReceived(alert)) => format!("the peer refused ({alert:?})"),
        Some(rustls::Error::PeerIncompatible(_)) => "no common version or suite".to_owned(),
        Some(_) => "the peer broke the protocol".to_owned(),
        None => error.kind().to_string(),
    }
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), EgressSetupError> {
    let error = |problem: String| EgressSetupError::Roots {
        path: path.to_owned(),
        problem,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|problem| error(problem.to_string()))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problem| error(problem.to_string()))?;
    if certificates.is_empty() {
        return Err(error("no PEM certificate in it".to_owned()));
    }
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|problem| error(problem.to_string()))?;
    }
    Ok(())
}
