//! wasi:http's way out: the same as the `http` import's, so that `fetch` and other languages'
//! own clients obey the same rules.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::sync::mpsc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::error::ConnectorError;
use super::fair::Share;
use super::memory::Kept;
use super::meter::Meter;
use crate::egress::{Credential, EgressError, EgressScope, HttpRequest, HttpResponse};
use crate::limits::{Limit, Limits};

/// The hooks of one call.
pub(super) struct Outgoing {
    /// None: every request is denied.
    pub(super) egress: Option<Arc<EgressScope>>,
    pub(super) limits: Arc<Limits>,
    pub(super) kept: Kept,
    pub(super) meter: Arc<Meter>,
    pub(super) in_flight: mpsc::Sender<()>,
    /// A request was made where nothing is granted.
    pub(super) refused: bool,
}

type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Box<dyn Future<Output = Result<(Response<WasiBody>, Ended), Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_sent: Ended,
    ) -> Answer {
        let egress = self.egress.clone();
        self.refused |= egress.is_none();
        let limits = Arc::clone(&self.limits);
        let (kept, in_flight) = (self.kept.clone(), self.in_flight.clone());
        let meter = Arc::clone(&self.meter);
        let exchange = async move {
            let _in_flight = in_flight;
            let egress = egress.ok_or(Error::HttpRequestDenied)?;
            // What is not counted is not read either.
            let admitted = egress.admit(request.method().as_str()).map_err(told)?;
            let room = |bytes| kept.keep(egress.tenant(), bytes).map_err(crowded);
            let (request, _kept) = match collect(request, options, &limits, room).await {
                Ok(collected) => collected,
                Err(error) => {
                    admitted.malformed();
                    return Err(error);
                }
            };
            let answer = admitted.http(request).await.map_err(told)?;
            Ok((response(answer)?, Box::new(async { Ok(()) }) as Ended))
        };
        Box::new(async move { meter.beside(exchange).await })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }
}

/// There is no room for a request's body.
fn crowded(error: ConnectorError) -> Error {
    Error::InternalError(Some(error.to_string()))
}

/// The whole request, its body within `limits` and where there is `room` for it. A guest's word on framing is checked and then dropped:
/// the host frames what it sends.
async fn collect(
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
    limits: &Limits,
    room: impl Fn(usize) -> Result<Option<Share>, Error>,
) -> Result<(HttpRequest, Option<Share>), Error> {
    let (parts, body) = request.into_parts();
    let announced = announced_length(&parts.headers)?;
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| **name != CONTENT_LENGTH)
        .map(|(name, value)| {
            let value = value.to_str().map_err(|_| Error::HttpRequestHeaderSize {
                field_name: Some(name.to_string()),
                field_size: None,
            })?;
            Ok((name.to_string(), value.to_owned()))
        })
        .collect::<Result<_, Error>>()?;
    let (body, kept) = read_body(body, limits.request_body, room).await?;
    if announced.is_some_and(|length| length != body.len() as u64) {
        return Err(Error::HttpRequestBodySize(Some(body.len() as u64)));
    }
    let request = HttpRequest {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers,
        body,
        credential: Credential::None,
        timeout: options.and_then(whole_timeout),
    };
    Ok((request, kept))
}

fn announced_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    if headers.contains_key(TRANSFER_ENCODING) || headers.contains_key(HOST) {
        return Err(Error::HttpProtocolError);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(None);
    };
    let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    match (digits, length, lengths.next()) {
        (true, Some(length), None) => Ok(Some(length)),
        _ => Err(Error::HttpProtocolError),
    }
}

async fn read_body(
    mut body: WasiBody,
    limit: usize,
    room: impl Fn(usize) -> Result<Option<Share>, Error>,
) -> Result<(Bytes, Option<Share>), Error> {
    let (mut out, mut kept) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) if out.len() + data.len() <= limit => {
                // Once it is no longer small it may become as large as any.
                if kept.is_none() && room(out.len() + data.len())?.is_some() {
                    kept = room(limit)?;
                }
                out.extend_from_slice(&data);
            }
            Ok(_) => return Err(Error::HttpRequestBodySize(Some(limit as u64))),
            Err(_) => return Err(Error::HttpRequestTrailerSectionSize(Some(0))),
        }
    }
    Ok((out.freeze(), kept))
}

/// A guest may ask for less time than the send has, never for more.
fn whole_timeout(options: RequestOptions) -> Option<Duration> {
    let parts = [options.connect_timeout, options.first_byte_timeout];
    parts
        .into_iter()
        .flatten()
        .reduce(Duration::saturating_add)
        .map(|timeout| timeout.max(Duration::from_millis(1)))
}

fn response(answer: HttpResponse) -> Result<Response<WasiBody>, Error> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(answer.body).map_err(Error::from).boxed_unsync();
    response.body(body).map_err(|_| Error::HttpProtocolError)
}

/// What a guest learns of an error; see the `http` import.
fn told(error: EgressError) -> Error {
    match error {
        // The scope remembers that it is not armed and refuses whatever comes next.
        EgressError::Denied { .. } | EgressError::NotArmed => Error::HttpRequestDenied,
        EgressError::Invalid(problem) => Error::InternalError(Some(problem)),
        EgressError::Limit { limit, detail } => match limit {
            Limit::Url => Error::HttpRequestUriTooLong,
            Limit::RequestBody => Error::HttpRequestBodySize(None),
            Limit::HeaderCount | Limit::HeaderSize => Error::HttpRequestHeaderSectionSize(None),
            _ => Error::InternalError(Some(detail)),
        },
        EgressError::Dns => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        EgressError::Connect(_)
        | EgressError::Family(_)
        | EgressError::SourceMissing
        | EgressError::Proxy(_) => Error::ConnectionRefused,
        EgressError::Tls(_) => Error::TlsProtocolError,
        EgressError::Timeout => Error::HttpResponseTimeout,
        EgressError::Malformed | EgressError::Interrupted => Error::ConnectionTerminated,
        EgressError::ResponseTooLarge => Error::HttpResponseBodySize(None),
    }
}
