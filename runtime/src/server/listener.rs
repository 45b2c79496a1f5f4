//! Takes connections and speaks HTTP/1.1 on them, with bounds that a slow or greedy peer meets.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::head::{Guarded, HEAD_MAX};
use super::patience::Patience;
use crate::api::error::ApiError;
use crate::counts::Seldom;

/// Pause when no connection can be taken, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What connections may take.
pub(super) struct Terms {
    /// So many are open at once.
    pub(super) connections: usize,
    /// One may be idle for so long between two requests.
    pub(super) keep_alive: Duration,
}

/// Serves within `terms` until `shutdown`, then finishes the requests that are under way.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    terms: Terms,
    shutdown: CancellationToken,
) {
    let most = terms.connections.clamp(1, Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // A head over the limit is answered as long as it fits here; past that hyper ends it with a bare 431.
    http.header_read_timeout(None).max_buf_size(4 * HEAD_MAX);
    // A connection without a place waits in the system's queue.
    let told = Seldom::new();
    let next = async || {
        if places.available_permits() == 0 && told.now() {
            tracing::warn!(
                connections = most,
                "all connections are in use: callers wait for one (node_limits.connections)"
            );
        }
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, _) = listener.accept().await?;
        Ok::<_, std::io::Error>((stream, place))
    };
    loop {
        let accepted = tokio::select! {
            accepted = next() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let patience = Patience::new(terms.keep_alive, shutdown.clone());
        let answering = patience.answering();
        let (stream, framing) = Guarded::new(stream, patience);
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |request| {
            let stays = framing.take(&request);
            let refused = framing.refusal(&request);
            let is_refused = refused.is_some();
            let answer = (!is_refused).then(|| routes.call(request));
            let under_way = answering.begin();
            async move {
                let _under_way = under_way;
                let mut answer: Response = match (answer, refused) {
                    (Some(answer), _) => answer.await?,
                    (None, refused) => refused.unwrap_or(ApiError::Internal).into_response(),
                };
                // Whoever writes such a head is not trusted with another.
                if !stays || is_refused {
                    answer.headers_mut().insert(CONNECTION, CLOSE);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}
