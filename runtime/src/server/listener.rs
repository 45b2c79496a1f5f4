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
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::head::{Guarded, refusal};
use crate::api::error::ApiError;

/// Time for a request's head: a peer that drips bytes holds no connection for longer.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// Pause when no connection can be taken, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Serves at most `most` connections at once until `shutdown`, then finishes the requests that are under way.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    most: usize,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX);
    // A connection without a place waits in the system's queue.
    let next = async || {
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
        let (stream, framing) = Guarded::new(stream);
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |request| {
            let stays = framing.take(&request);
            let refused = refusal(&request);
            let answer = refused.is_none().then(|| routes.call(request));
            async move {
                let mut answer: Response = match (answer, refused) {
                    (Some(answer), _) => answer.await?,
                    (None, refused) => refused.unwrap_or(ApiError::Internal).into_response(),
                };
                if !stays {
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
