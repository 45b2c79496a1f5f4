//! Counts what passes a connection, so that the host knows how far a request came.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One exchange's counters. On a TLS connection they count the plain text.
#[derive(Debug, Default)]
pub(super) struct Meter {
    written: AtomicU64,
    read: AtomicU64,
    /// The HTTP library has taken the whole body.
    body_taken: AtomicBool,
    /// The whole request was handed to the kernel.
    complete: AtomicBool,
}

impl Meter {
    /// Begins a new exchange on the same connection, with or without a body.
    pub(super) fn reset(&self, has_body: bool) {
        self.written.store(0, Relaxed);
        self.read.store(0, Relaxed);
        self.body_taken.store(!has_body, Relaxed);
        self.complete.store(false, Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(super) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    pub(super) fn complete(&self) -> bool {
        self.complete.load(Relaxed)
    }

    /// What is written from now on completes the exchange once it is flushed.
    pub(super) fn hand_over(&self) {
        self.body_taken.store(true, Relaxed);
    }

    /// The library flushes the stream only when its own buffer is empty: after the body was taken and
    /// something was written, a flush that succeeds means that the whole request has left.
    fn flushed(&self) {
        if self.body_taken.load(Relaxed) && self.written() > 0 {
            self.complete.store(true, Relaxed);
        }
    }
}

/// A stream under a [`Meter`].
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let count = buf.filled().len().saturating_sub(before);
        self.meter.read.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.meter.written.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.meter.written.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.meter.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's body that notes when it was taken.
pub(super) struct Payload {
    bytes: Option<Bytes>,
    meter: Arc<Meter>,
}

impl Payload {
    /// The body of the next exchange on the meter's connection: its counters start at zero.
    pub(super) fn new(bytes: Bytes, meter: Arc<Meter>) -> Self {
        meter.reset(!bytes.is_empty());
        Self {
            bytes: Some(bytes).filter(|bytes| !bytes.is_empty()),
            meter,
        }
    }

    /// The same body for another connection.
    pub(super) fn moved(mut self, meter: &Arc<Meter>) -> Self {
        Self::new(self.bytes.take().unwrap_or_default(), Arc::clone(meter))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.bytes.take();
        self.meter.body_taken.store(true, Relaxed);
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
