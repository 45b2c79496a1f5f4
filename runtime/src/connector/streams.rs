//! The guest's standard streams, which end in the log.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::host_log::{Log, STDERR};

/// Bytes of one write. A guest asks first how many it may write; one that writes more is ended.
const WRITE_MAX: usize = 64 << 10;

/// Bytes of an open line up to which nobody asks how long a line may be.
const SURELY: usize = 4 << 10;

/// A standard stream. Lines are gathered before they are added, because a secret must not slip through in two
/// writes. Copies share the line that is open.
#[derive(Clone)]
pub(super) struct LineStream(Arc<Line>);

struct Line {
    label: &'static str,
    log: Log,
    open: Mutex<Vec<u8>>,
}

impl LineStream {
    pub(super) fn new(label: &'static str, log: Log) -> Self {
        Self(Arc::new(Line {
            label,
            log,
            open: Mutex::default(),
        }))
    }
}

impl Line {
    fn push(&self, bytes: &[u8]) {
        if self.label == STDERR {
            self.log.keep_last(bytes);
        }
        if self.log.is_cut() {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = match open.len().saturating_add(text.len()) <= SURELY {
                true => text.len(),
                false => self.log.line_most().saturating_sub(open.len()),
            };
            open.extend_from_slice(text.get(..room).unwrap_or(text));
            if ends && !self.end(&mut open) {
                return;
            }
        }
    }

    /// Adds the open line, whether it is empty or not. Whether more are taken.
    fn end(&self, open: &mut Vec<u8>) -> bool {
        let mut line = String::from_utf8_lossy(open).into_owned();
        line.push('\n');
        open.clear();
        self.log.add(self.label, &line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut open =
            std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        if !open.is_empty() {
            self.end(&mut open);
        }
    }
}

impl IsTerminal for LineStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_MAX {
            return Err(StreamError::trap(
                "a write of more bytes than check-write allowed",
            ));
        }
        self.0.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LineStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let bytes = bytes.get(..WRITE_MAX).unwrap_or(bytes);
        self.0.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::message::OutgoingMessage;
    use crate::redaction::Redaction;
    use crate::settings::Placeholders;

    fn log(limits: Limits) -> Log {
        Log::new(Arc::new(limits), Redaction::none())
    }

    fn write(stream: &mut LineStream, bytes: &[u8]) {
        stream.write(Bytes::copy_from_slice(bytes)).unwrap();
    }

    #[test]
    fn what_is_written_in_pieces_becomes_one_line() {
        let log = log(Limits::default());
        let mut stream = LineStream::new(STDERR, log.clone());
        write(&mut stream, b"one ");
        // A copy that goes away ends no line.
        drop(stream.clone());
        write(&mut stream, b"line\n\nrest");
        drop(stream);
        let lines = ["stderr: one line", "stderr: ", "stderr: rest"];
        assert_eq!(log.take().0, lines);
    }

    #[test]
    fn blank_lines_without_end_cost_nothing_and_are_cut() {
        let log = log(Limits::default());
        let mut stream = LineStream::new(STDERR, log.clone());
        for _ in 0..100 {
            write(&mut stream, &[b'\n'; WRITE_MAX]);
        }
        write(&mut stream, b"the end\n");
        assert_eq!(log.last_words().as_deref(), Some("the end"));
        assert_eq!(log.take().0.len(), Limits::default().log_lines + 1);
    }

    #[test]
    fn more_than_was_allowed_is_no_write() {
        let mut stream = LineStream::new(STDERR, log(Limits::default()));
        assert_eq!(stream.check_write().unwrap(), WRITE_MAX);
        let over = stream.write(vec![b'x'; WRITE_MAX + 1].into());
        assert!(matches!(over, Err(StreamError::Trap(_))));
        let zeroes = stream.write_zeroes(usize::MAX);
        assert!(matches!(zeroes, Err(StreamError::Trap(_))));
    }

    #[test]
    fn what_is_kept_from_the_log_is_found_wherever_it_stands_in_a_long_line() {
        let link = format!("https://x.example/{}", "t".repeat(30_000));
        let message = OutgoingMessage {
            recipient: "someone@example.com".into(),
            usage_type: "SignIn".into(),
            payload: serde_json::json!({ "link": link }).to_string(),
            locale: None,
            client_ip: None,
            content: None,
            idempotency_key: "k".into(),
            expires_in: std::time::Duration::ZERO,
        };
        let redaction = Redaction::of(Placeholders::none(), &message);
        for before in [0, 3_000, (16 << 10) - 10, (20 << 10) - 10] {
            let limits = Arc::new(Limits::default());
            let log = Log::new(limits, redaction.clone());
            let mut stream = LineStream::new(STDERR, log.clone());
            let line = format!("{}{link} after\n", ".".repeat(before));
            for piece in line.as_bytes().chunks(1_000) {
                write(&mut stream, piece);
            }
            let (lines, _) = log.take();
            assert_eq!(lines.len(), 1, "{before}");
            assert!(!lines[0].contains("ttt"), "{before}: {}", lines[0]);
        }
    }
}
