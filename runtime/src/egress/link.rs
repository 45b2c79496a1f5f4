//! One HTTP/1.1 connection that has one exchange at a time, driven by the task that waits for it: no task
//! of its own, and nobody else retries.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::client::TlsStream;

use super::EgressError;
use super::dial::Ends;
use super::meter::{Meter, Metered, Payload};
use super::pool::Kept;
use crate::limits::Limits;

/// Interim responses (1xx) that one request may get.
const INTERIM_MAX: u32 = 8;
/// The header count that the HTTP library reads without allocating for it.
const LIBRARY_HEADERS: usize = 100;
/// The least read buffer that the HTTP library takes.
const LIBRARY_BUFFER: usize = 8 << 10;

/// A stream with or without TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// To a recorded server in this process.
    Memory(DuplexStream),
}

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain(tcp) => {
                let $stream = Pin::new(tcp);
                $call
            }
            Stream::Tls(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $call
            }
            Stream::Memory(memory) => {
                let $stream = Pin::new(memory);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Memory(memory) => memory.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}

/// A kept-alive connection. After an error it must be dropped.
pub(super) struct Link {
    sender: SendRequest<Payload>,
    connection: Pin<Box<Connection<TokioIo<Metered<Stream>>, Payload>>>,
    /// The connection's future has ended and must not be polled again.
    ended: bool,
    pub(super) meter: Arc<Meter>,
    pub(super) ends: Ends,
}

impl Link {
    /// Prepares a stream for HTTP. No byte is sent.
    pub(super) async fn open(
        stream: Stream,
        ends: Ends,
        limits: &Limits,
    ) -> Result<Self, EgressError> {
        let meter = Arc::new(Meter::default());
        let mut builder = http1::Builder::new();
        if limits.headers != LIBRARY_HEADERS {
            builder.max_headers(limits.headers);
        }
        builder.max_buf_size(limits.response_headers_bytes.max(LIBRARY_BUFFER));
        let io = TokioIo::new(Metered::new(stream, Arc::clone(&meter)));
        let (sender, connection) = builder
            .handshake(io)
            .await
            .map_err(|_| EgressError::Connect("the connection closed".to_owned()))?;
        Ok(Self {
            sender,
            connection: Box::pin(connection),
            ended: false,
            meter,
            ends,
        })
    }

    /// Lets the connection make progress. Ready when it has ended.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            self.ended = self.connection.as_mut().poll(cx).is_ready();
        }
        if self.ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Sends a request and reads the head of its response. A request of which no byte was written comes back.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Payload>,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Response<Incoming>, SendError> {
        let interim = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&interim);
        hyper::ext::on_informational(&mut request, move |_| {
            counter.fetch_add(1, Relaxed);
        });
        let mut response = pin!(self.sender.try_send_request(request));
        let mut timer = pin!(sleep_until(deadline));
        let mut waits_for_head = false;
        poll_fn(|cx| {
            let ended = self.drive(cx).is_ready();
            if interim.load(Relaxed) > INTERIM_MAX {
                return Poll::Ready(Err(EgressError::Malformed.into()));
            }
            if let Poll::Ready(result) = response.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(|mut error| {
                    let unsent = error.take_message().filter(|_| self.meter.written() == 0);
                    SendError {
                        error: classify(error.error()),
                        unsent: unsent.map(Box::new),
                    }
                }));
            }
            if ended {
                return Poll::Ready(Err(EgressError::Interrupted.into()));
            }
            if !waits_for_head && self.meter.complete() {
                waits_for_head = true;
                let head = Instant::now() + Duration::from_millis(limits.first_byte_ms);
                timer.as_mut().reset(deadline.min(head));
            }
            timer
                .as_mut()
                .poll(cx)
                .map(|()| Err(EgressError::Timeout.into()))
        })
        .await
    }

    /// Reads a response's whole body, at most the limit.
    pub(super) async fn read(
        &mut self,
        mut body: Incoming,
        limit: usize,
        deadline: Instant,
    ) -> Result<Bytes, EgressError> {
        if body.size_hint().lower() > limit as u64 {
            return Err(EgressError::ResponseTooLarge);
        }
        let mut whole = Whole::default();
        let mut timer = pin!(sleep_until(deadline));
        poll_fn(|cx| {
            loop {
                let frame = match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => {
                        // Progress of the connection wakes this task: the body is asked again then.
                        let ended = self.drive(cx).is_ready();
                        match Pin::new(&mut body).poll_frame(cx) {
                            Poll::Ready(frame) => frame,
                            Poll::Pending if ended => {
                                return Poll::Ready(Err(EgressError::Interrupted));
                            }
                            Poll::Pending => {
                                return timer.as_mut().poll(cx).map(|()| Err(EgressError::Timeout));
                            }
                        }
                    }
                };
                match frame {
                    None => return Poll::Ready(Ok(())),
                    Some(Err(error)) => return Poll::Ready(Err(classify(&error))),
                    // Trailers are read and left.
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            whole.push(data);
                        }
                    }
                }
                if whole.len() > limit {
                    return Poll::Ready(Err(EgressError::ResponseTooLarge));
                }
            }
        })
        .await?;
        Ok(whole.into_bytes())
    }
}

impl Kept for Link {
    fn opened(&self) -> std::time::Instant {
        self.ends.opened.into_std()
    }

    fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.drive(&mut cx).is_pending() && self.sender.is_ready()
    }

    fn close(self) {}
}

/// Why no head of a response came.
pub(super) struct SendError {
    pub(super) error: EgressError,
    /// The request, where no byte of it was written.
    pub(super) unsent: Option<Box<Request<Payload>>>,
}

impl From<EgressError> for SendError {
    fn from(error: EgressError) -> Self {
        Self {
            error,
            unsent: None,
        }
    }
}

/// A response's head that is over a limit, or that two parsers could frame differently.
pub(super) fn check_head(
    status: u16,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<(), EgressError> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if headers.len() > limits.headers || bytes > limits.response_headers_bytes {
        return Err(EgressError::ResponseTooLarge);
    }
    let two_lengths =
        headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING);
    if status < 200 || two_lengths {
        return Err(EgressError::Malformed);
    }
    Ok(())
}

fn classify(error: &hyper::Error) -> EgressError {
    if error.is_parse_too_large() {
        EgressError::ResponseTooLarge
    } else if error.is_parse() {
        EgressError::Malformed
    } else {
        EgressError::Interrupted
    }
}

/// A body in one piece; most come in one frame and are not copied.
#[derive(Default)]
struct Whole {
    first: Bytes,
    rest: Option<BytesMut>,
}

impl Whole {
    fn len(&self) -> usize {
        self.rest.as_ref().map_or(self.first.len(), BytesMut::len)
    }

    fn push(&mut self, data: Bytes) {
        if let Some(rest) = &mut self.rest {
            rest.extend_from_slice(&data);
        } else if self.first.is_empty() {
            self.first = data;
        } else {
            let mut joined = BytesMut::from(self.first.as_ref());
            joined.extend_from_slice(&data);
            self.rest = Some(joined);
        }
    }

    fn into_bytes(self) -> Bytes {
        self.rest.map_or(self.first, BytesMut::freeze)
    }
}
