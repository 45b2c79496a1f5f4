//! The provider: an HTTP server on loopback in a process of its own, in clear and with TLS.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio_rustls::TlsAcceptor;

use super::{fixture, sink, usage};

/// This process's role when it is the provider.
pub(crate) const ROLE: &str = "provider";

/// Argument of a provider that never sleeps.
const AWAKE: &str = "awake";

/// Requests to this path are answered when there are [`HELD`] of them and one more.
pub(crate) const HOLD_PATH: &str = "/hold";

/// Requests that wait for one more.
pub(crate) const HELD: u16 = 256;

/// As [`HOLD_PATH`], with [`FEW`] requests.
pub(crate) const FEW_PATH: &str = "/hold-few";

/// Requests that wait for one more.
pub(crate) const FEW: u16 = 32;

/// Where requests wait for each other, by path.
type Gates = [(&'static str, Barrier); 2];

/// Where the provider listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// TLS on the standard port, where this process may have it.
    pub(crate) standard: Option<SocketAddr>,
    /// SMTP in clear.
    pub(crate) mail: SocketAddr,
    /// PEM certificate of the TLS side, its own issuer.
    pub(crate) root: String,
}

/// The provider's process. Ends with this value.
pub(crate) struct Provider {
    child: Child,
    pub(crate) address: Address,
}

impl Provider {
    /// One that never sleeps, on a core of its own, or one that shares all cores.
    pub(crate) fn start(awake: bool) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--role", ROLE])
            .args(awake.then_some(AWAKE))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("the provider has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = serde_json::from_str(&line).context("the provider did not start")?;
        Ok(Self { child, address })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until standard input ends.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let awake = arguments.iter().any(|argument| argument == AWAKE);
    if awake {
        usage::pin(1)?;
    }
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(8)
        .build()?;
    runtime.block_on(async {
        // A provider that sleeps between two requests must be woken by whoever sends the next, and a
        // sender that is slower wakes it more often: on a virtual machine that costs the sender more
        // than the request does. No provider across a network is woken on its client's account.
        if awake {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        listen().await
    })
}

async fn listen() -> Result<()> {
    let certified =
        rcgen::generate_simple_self_signed(["127.0.0.1", fixture::SIGNED_HOST].map(str::to_owned))?;
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())
        .map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let (plain, secure) = (
        TcpListener::bind(("127.0.0.1", 0)).await?,
        TcpListener::bind(("127.0.0.1", 0)).await?,
    );
    let standard = TcpListener::bind(("127.0.0.1", 443)).await.ok();
    let address = Address {
        plain: plain.local_addr()?,
        tls: secure.local_addr()?,
        standard: standard.as_ref().and_then(|own| own.local_addr().ok()),
        mail: sink::start().await?,
        root: certified.cert.pem(),
    };
    println!("{}", serde_json::to_string(&address)?);
    let gate = |path, held| (path, Barrier::new(usize::from(held) + 1));
    let gates: Arc<Gates> = Arc::new([gate(HOLD_PATH, HELD), gate(FEW_PATH, FEW)]);
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let stream = accepted?.0;
                stream.set_nodelay(true)?;
                tokio::spawn(answer(stream, gates.clone()));
            }
            accepted = secure.accept() => {
                answer_under_tls(accepted?.0, &acceptor, &gates)?;
            }
            Some(accepted) = accept(standard.as_ref()) => {
                answer_under_tls(accepted?.0, &acceptor, &gates)?;
            }
        }
    }
}

/// The next connection, where there is a listener.
async fn accept(
    listener: Option<&TcpListener>,
) -> Option<std::io::Result<(TcpStream, SocketAddr)>> {
    Some(listener?.accept().await)
}

fn answer_under_tls(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    gates: &Arc<Gates>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (acceptor, gates) = (acceptor.clone(), gates.clone());
    tokio::spawn(async move {
        if let Ok(stream) = acceptor.accept(stream).await {
            answer(stream, gates).await;
        }
    });
    Ok(())
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, gates: Arc<Gates>) {
    let service = service_fn(async |request: Request<Incoming>| {
        let path = request.uri().path();
        if let Some((_, gate)) = gates.iter().find(|(own, _)| *own == path) {
            gate.wait().await;
        }
        let _ = request.into_body().collect().await;
        let body = Full::new(Bytes::from_static(
            br#"{"accepted":true,"MessageId":"0100018b7bc2f4a"}"#,
        ));
        let mut response = Response::new(body);
        let json = hyper::header::HeaderValue::from_static("application/json");
        response
            .headers_mut()
            .insert(hyper::header::CONTENT_TYPE, json);
        Ok::<_, Infallible>(response)
    });
    // A client that goes away is no failure of the measurement.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
