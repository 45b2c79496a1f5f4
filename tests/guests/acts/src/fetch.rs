//! A request the way other languages' clients make it: by wasi:http.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};

/// Posts `hello` and returns status and body.
pub(crate) fn post(url: &str) -> Result<String, String> {
    request(url, None)
}

/// Announces more bytes than it sends.
pub(crate) fn post_wrong_length(url: &str) -> Result<String, String> {
    request(url, Some("50"))
}

/// Sends a request and leaves before its answer.
pub(crate) fn forget(url: &str) {
    let _ = handle(outgoing(url, Fields::new()), None);
}

/// Sends a request, whose answer stands behind what is returned.
pub(crate) fn begin(url: &str) -> Option<FutureIncomingResponse> {
    let request = outgoing(url, Fields::new());
    handle(request, None).ok()
}

/// Writes a body that nobody reads, because its request is never sent.
pub(crate) fn write_unsent(url: &str) {
    let request = outgoing(url, Fields::new());
    if let Ok(body) = request.body()
        && let Ok(stream) = body.write()
    {
        while stream.blocking_write_and_flush(b"more").is_ok() {}
    }
}

fn outgoing(url: &str, headers: Fields) -> OutgoingRequest {
    let (scheme, rest) = match url.strip_prefix("http://") {
        Some(rest) => (Scheme::Http, rest),
        None => (Scheme::Https, url.trim_start_matches("https://")),
    };
    let request = OutgoingRequest::new(headers);
    let _ = request.set_method(&Method::Post);
    let _ = request.set_scheme(Some(&scheme));
    let _ = request.set_authority(Some(rest.trim_end_matches('/')));
    let _ = request.set_path_with_query(Some("/"));
    request
}

fn request(url: &str, length: Option<&str>) -> Result<String, String> {
    let headers = Fields::new();
    if let Some(length) = length {
        let set = headers.append("content-length", length.as_bytes());
        set.map_err(|error| format!("{error:?}"))?;
    }
    let request = outgoing(url, headers);
    let body = request.body().map_err(|()| "no body")?;
    let answer = handle(request, None).map_err(|error| format!("{error:?}"))?;
    let stream = body.write().map_err(|()| "no stream")?;
    let written = stream.blocking_write_and_flush(b"hello");
    drop(stream);
    let finished = OutgoingBody::finish(body, None);
    let ready = answer.subscribe();
    ready.block();
    let response = answer.get().ok_or("not ready")?.map_err(|()| "taken")?;
    let response = response.map_err(|error| format!("{error:?} {written:?} {finished:?}"))?;
    let status = response.status();
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream")?;
    let mut bytes = Vec::new();
    while let Ok(chunk) = stream.blocking_read(4 << 10) {
        bytes.extend(chunk);
    }
    Ok(format!("{status} {}", String::from_utf8_lossy(&bytes)))
}
