//! Sends over loopback: sandboxed, the same request by the egress floor alone, and by hyper alone,
//! in turns, so that whatever else the machine does falls on all three.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sendbox::egress::{
    Answer, Capture, CapturedRequest, Credential, Egress, HttpRequest, Transport,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fixture::{self, Component, Ready, Setting};
use super::load::{Client, Figures, drive, median};
use super::provider::Address;
use super::report::{Bound, Report, Table};

pub(crate) const ROUND: Duration = Duration::from_millis(500);
pub(crate) const WARM_UP: Duration = Duration::from_millis(150);
pub(crate) const ROUNDS: usize = 5;
const AT_ONCE: [usize; 3] = [1, 32, 256];

/// This process's role when a profiler looks at it.
pub(crate) const ROLE: &str = "profile";

/// One worker, on which all clients run.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// Sandboxed sends over HTTP for a while, 32 at once.
pub(crate) fn profile(setting: &Setting) -> Result<()> {
    runtime()?.block_on(async {
        let sends = Sends::new(setting, Scheme::Plain).await?;
        let mut clients: Vec<_> = (0..32).map(|_| sends.sandboxed()).collect();
        for _ in 0..20 {
            println!("{:?}", drive(&mut clients, ROUND).await?);
        }
        Ok(())
    })
}

pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    runtime()?.block_on(async {
        for scheme in [Scheme::Plain, Scheme::Tls] {
            let sends = Sends::new(setting, scheme).await?;
            compare(&sends, report).await?;
        }
        Ok(())
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Plain,
    Tls,
}

impl Scheme {
    const fn title(self) -> &'static str {
        match self {
            Self::Plain => "Sends over HTTP on kept connections, one core",
            Self::Tls => "Sends over HTTPS on kept connections, one core",
        }
    }

    fn endpoint(self, address: &Address) -> (SocketAddr, String) {
        match self {
            Self::Plain => (address.plain, format!("http://{}/send", address.plain)),
            Self::Tls => (address.tls, format!("https://{}/send", address.tls)),
        }
    }
}

/// One request in three ways.
struct Sends {
    scheme: Scheme,
    address: SocketAddr,
    tls: TlsConnector,
    ready: Arc<Ready>,
    egress: Arc<Egress>,
    request: CapturedRequest,
}

impl Sends {
    async fn new(setting: &Setting, scheme: Scheme) -> Result<Self> {
        let (runtime, egress) = (setting.engine()?, setting.egress()?);
        let (address, endpoint) = scheme.endpoint(&setting.provider);
        let settings = fixture::http_email(&endpoint);
        let component = Component::bundled("http-email")?;
        let ready = Ready::new(&runtime, &egress, &component, settings).await?;
        Ok(Self {
            scheme,
            address,
            tls: trusting(&setting.provider.root)?,
            request: captured(&ready).await?,
            ready: Arc::new(ready),
            egress,
        })
    }

    fn sandboxed(&self) -> Sandboxed {
        Sandboxed::new(&self.ready, &self.egress)
    }

    fn native(&self) -> Native {
        Native {
            ready: self.ready.clone(),
            egress: self.egress.clone(),
            url: self.request.url.clone(),
            body: self.request.body.clone(),
        }
    }

    async fn bare(&self) -> Result<Bare> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let sender = match self.scheme {
            Scheme::Plain => connected(stream).await?,
            Scheme::Tls => {
                let name = ServerName::from(self.address.ip());
                connected(self.tls.connect(name, stream).await?).await?
            }
        };
        Ok(Bare {
            sender,
            request: self.request.clone(),
        })
    }
}

async fn compare(sends: &Sends, report: &mut Report) -> Result<()> {
    const COLUMNS: &[&str] = &["sends/s", "CPU µs", "p50 µs", "p99 µs"];
    let mut table = Table::new(sends.scheme.title(), COLUMNS);
    for at_once in AT_ONCE {
        let mut sandboxed: Vec<_> = (0..at_once).map(|_| sends.sandboxed()).collect();
        let mut native: Vec<_> = (0..at_once).map(|_| sends.native()).collect();
        let mut bare = Vec::new();
        for _ in 0..at_once {
            bare.push(sends.bare().await?);
        }
        drive(&mut sandboxed, WARM_UP).await?;
        drive(&mut native, WARM_UP).await?;
        drive(&mut bare, WARM_UP).await?;
        let mut rounds: [Vec<Figures>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let [of_sandboxed, of_native, of_bare] = &mut rounds;
            of_sandboxed.push(drive(&mut sandboxed, ROUND).await?);
            of_native.push(drive(&mut native, ROUND).await?);
            of_bare.push(drive(&mut bare, ROUND).await?);
        }
        let figures = rounds.map(|rounds| median(&rounds));
        for (name, of) in ["sandboxed", "egress alone", "hyper alone"]
            .iter()
            .zip(&figures)
        {
            let row = vec![of.per_second, of.cpu, of.p50, of.p99];
            table.row(format!("{at_once:>3} at once: {name}"), row);
        }
        goals(sends.scheme, at_once, figures, report);
    }
    report.add(table);
    Ok(())
}

fn goals(
    scheme: Scheme,
    at_once: usize,
    [sandboxed, native, bare]: [Figures; 3],
    report: &mut Report,
) {
    match (scheme, at_once) {
        (Scheme::Plain, 1) => report.goal(
            "HTTP, 1 at once: median over the egress floor alone (µs)",
            sandboxed.p50 - native.p50,
            Bound::AtMost(60.0),
        ),
        (Scheme::Plain, 32) => {
            report.goal(
                "HTTP, 32 at once: CPU, times the egress floor alone",
                sandboxed.cpu / native.cpu,
                Bound::AtMost(3.0),
            );
            report.goal(
                "HTTP, 32 at once: CPU, times hyper alone",
                sandboxed.cpu / bare.cpu,
                Bound::AtMost(4.0),
            );
        }
        _ => {}
    }
}

/// The request that the connector makes, with all that the host adds to it.
async fn captured(ready: &Ready) -> Result<CapturedRequest> {
    let capture = Arc::new(Capture::new(vec![Answer::Response {
        status: 200,
        headers: Vec::new(),
        body: Bytes::new(),
    }]));
    let call = ready.call(ready.open(Transport::Capture(capture.clone())));
    ready.send(call).await?;
    let request = capture.requests().pop();
    request.context("the connector made no request")
}

fn trusting(root: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connected<S>(stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// As delivery sends: new placeholders, a new way out, a new sandbox.
pub(crate) struct Sandboxed {
    ready: Arc<Ready>,
    egress: Arc<Egress>,
}

impl Sandboxed {
    pub(crate) fn new(ready: &Arc<Ready>, egress: &Arc<Egress>) -> Self {
        Self {
            ready: ready.clone(),
            egress: egress.clone(),
        }
    }
}

impl Client for Sandboxed {
    async fn once(&mut self) -> Result<()> {
        let exit = self.ready.open(Transport::Live(self.egress.clone()));
        self.ready.send(self.ready.call(exit)).await
    }
}

/// As [`Sandboxed`], with the request at hand in place of a guest that makes it.
struct Native {
    ready: Arc<Ready>,
    egress: Arc<Egress>,
    url: String,
    body: Bytes,
}

impl Client for Native {
    async fn once(&mut self) -> Result<()> {
        let exit = self.ready.open(Transport::Live(self.egress.clone()));
        let mut texts = exit.settings.split('"');
        let secret = texts.find(|text| text.starts_with("sbx-"));
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: self.body.clone(),
            credential: Credential::Header(
                "authorization".to_owned(),
                secret.context("no placeholder")?.to_owned(),
            ),
            timeout: None,
        };
        let response = exit.scope.http(request).await?;
        ensure!(response.status == 200, "status {}", response.status);
        Ok(())
    }
}

/// One connection and the request as it stands on the wire.
struct Bare {
    sender: SendRequest<Full<Bytes>>,
    request: CapturedRequest,
}

impl Client for Bare {
    async fn once(&mut self) -> Result<()> {
        let mut request = hyper::Request::builder().method("POST").uri("/send");
        for (name, value) in &self.request.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.request.body.clone()))?;
        let response = self.sender.send_request(request).await?;
        ensure!(response.status() == 200, "status {}", response.status());
        response.into_body().collect().await?;
        Ok(())
    }
}
