//! A stand-in for a provider: takes any request and prints it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use http_body_util::{BodyExt, Limited};
use tokio::net::TcpListener;

use crate::cli::output;

/// Bytes of a body that are read.
const BODY_MAX: usize = 1 << 20;

/// A stand-in that listens on loopback until the process ends.
pub(super) struct Provider {
    /// Where it listens.
    pub(super) address: SocketAddr,
    last_source: Arc<Mutex<Option<String>>>,
}

impl Provider {
    /// Starts to listen.
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let last_source = Arc::new(Mutex::new(None));
        let routes = Router::new().fallback(take).with_state(last_source.clone());
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Ok(Self {
            address,
            last_source,
        })
    }

    /// The address that the last request came from.
    pub(super) fn last_source(&self) -> Option<String> {
        self.last_source
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn take(
    State(last_source): State<Arc<Mutex<Option<String>>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, String::new());
    };
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    *last_source.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer.ip().to_string());
    output::line(&format!(
        "  provider got {} {} from {}: {}",
        parts.method,
        parts.uri,
        peer.ip(),
        masked(&text)
    ));
    (StatusCode::OK, r#"{"accepted":true}"#.to_owned())
}

/// The text with the digits of every code hidden: a run of four to eight digits within quotation marks.
pub(super) fn masked(text: &str) -> String {
    text.split('"')
        .map(|part| {
            let code =
                (4..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            if code {
                "*".repeat(part.len())
            } else {
                part.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\"")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn codes_are_masked_and_the_rest_is_kept() {
        assert_eq!(
            masked(r#"{"code":"123456","ip":"192.168.1.1"}"#),
            r#"{"code":"******","ip":"192.168.1.1"}"#
        );
    }
}
