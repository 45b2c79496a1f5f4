//! Certificates of a private authority, and the ways in which they can be wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// A private authority, its certificate in a file.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority that nobody trusts yet.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("root.pem"), certificate.pem()).expect("written");
        Self {
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    /// The PEM file to trust.
    #[must_use]
    pub fn file(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("root.pem")
    }

    /// A server of this name with a good certificate.
    #[must_use]
    pub fn server(&self, name: &str) -> TlsAcceptor {
        self.issue(params(name))
    }

    /// Certificate and key of a server of this name as PEM files, in that order.
    #[must_use]
    pub fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name).signed_by(&key, &self.issuer).expect("signed");
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        std::fs::write(file("pem"), certificate.pem()).expect("written");
        std::fs::write(file("key"), key.serialize_pem()).expect("written");
        (file("pem"), file("key"))
    }

    /// A server whose certificate is over.
    #[must_use]
    pub fn expired(&self, name: &str) -> TlsAcceptor {
        let mut params = params(name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.issue(params)
    }

    fn issue(&self, params: CertificateParams) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        acceptor(certificate.der().clone(), &key)
    }
}

/// A server that vouches for itself.
#[must_use]
pub fn self_signed(name: &str) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(name).self_signed(&key).expect("signed");
    acceptor(certificate.der().clone(), &key)
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key of the certificate");
    TlsAcceptor::from(Arc::new(config))
}
