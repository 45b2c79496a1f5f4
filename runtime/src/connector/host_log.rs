//! The `log` import and the standard streams: words for the tenant's timeline, capped and redacted.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::bindings::log;
use super::state::State;
use crate::limits::{Limit, Limits};
use crate::redaction::Redaction;

/// One call's log. Copies share it, so that it survives the store.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    lines: Vec<String>,
    bytes: usize,
    cut: bool,
    /// The last lines of standard error, as they were written: kept even where the log is cut.
    last: VecDeque<String>,
    met: Vec<Limit>,
    limits: Arc<Limits>,
    redaction: Redaction,
}

/// The label of standard error.
pub(super) const STDERR: &str = "stderr";

/// Bytes of standard error that are kept to explain an end, and how many of them are told.
const LAST_KEPT: usize = 16 << 10;
const LAST_TOLD: usize = 2 << 10;

impl Log {
    pub(super) fn new(limits: Arc<Limits>, redaction: Redaction) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            lines: Vec::new(),
            bytes: 0,
            cut: false,
            last: VecDeque::new(),
            met: Vec::new(),
            limits,
            redaction,
        })))
    }

    /// Adds the lines of `text`, each marked with `label`.
    pub(super) fn add(&self, label: &str, text: &str) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            if label == STDERR {
                inner.keep_last(line);
            } else if inner.cut {
                return;
            }
            inner.add(label, line);
        }
    }

    /// What was written to standard error last, redacted and cut at its beginning; none if nothing was.
    pub(super) fn last_words(&self) -> Option<String> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = inner.last.iter().map(String::as_str).collect();
        let text = inner.redaction.text(&lines.join(" | "));
        let text: String = text.trim().chars().map(shown).collect();
        let text = tail(&text, LAST_TOLD);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The send met a limit that does not end it.
    pub(super) fn met(&self, limit: Limit) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.met(limit);
    }

    /// The lines so far, and the limits that the send met.
    pub(super) fn take(&self) -> (Vec<String>, Vec<Limit>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (
            std::mem::take(&mut inner.lines),
            std::mem::take(&mut inner.met),
        )
    }
}

impl Inner {
    fn keep_last(&mut self, line: &str) {
        self.last.push_back(head(line, LINE_MAX).to_owned());
        let mut bytes: usize = self.last.iter().map(String::len).sum();
        while bytes > LAST_KEPT {
            bytes -= self.last.pop_front().map_or(bytes, |line| line.len());
        }
    }

    fn met(&mut self, limit: Limit) {
        if !self.met.contains(&limit) {
            self.met.push(limit);
        }
    }

    fn add(&mut self, label: &str, line: &str) {
        if self.cut {
            return;
        }
        // A margin beyond the cut: a secret that the cut goes through must be found.
        let margin = self.limits.log_line_bytes.saturating_add(LINE_MAX);
        let text = self.redaction.text(head(line, margin));
        let text = head(&text, self.limits.log_line_bytes);
        let line: String = format!("{label}: {text}").chars().map(shown).collect();
        let full = self.bytes + line.len() > self.limits.log_bytes
            || self.lines.len() >= self.limits.log_lines;
        if full {
            self.cut = true;
            self.met(Limit::Log);
            self.lines.push("… the log is cut here".to_owned());
            return;
        }
        self.bytes += line.len();
        self.lines.push(line);
    }
}

/// The first `max` bytes of `text`, cut between characters.
pub(super) fn head(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A character as a log may hold it.
fn shown(c: char) -> char {
    match c.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    }
}

/// The last `max` bytes of `text`, cut between characters.
fn tail(text: &str, max: usize) -> &str {
    let mut start = text.len().saturating_sub(max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        self.granted("sendbox:connector/log")?;
        let label = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.log.add(label, &text);
        Ok(())
    }
}

/// A standard stream that ends in the log. Lines are gathered before they are added, because a
/// secret must not slip through in two writes.
#[derive(Clone)]
pub(super) struct LineStream {
    label: &'static str,
    log: Log,
    open: Arc<Mutex<Vec<u8>>>,
}

impl LineStream {
    pub(super) fn new(label: &'static str, log: Log) -> Self {
        Self {
            label,
            log,
            open: Arc::default(),
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || open.len() >= LINE_MAX {
                self.log.add(self.label, &String::from_utf8_lossy(&open));
                open.clear();
            }
        }
    }
}

/// A line without an end is added when it is this long.
const LINE_MAX: usize = 16 << 10;

impl Drop for LineStream {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        let rest: Cow<'_, str> = String::from_utf8_lossy(&rest);
        self.log.add(self.label, &rest);
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
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
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
        self.push(bytes);
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

    fn small() -> Log {
        let limits = Limits {
            log_lines: 3,
            log_line_bytes: 8,
            ..Limits::default()
        };
        Log::new(Arc::new(limits), Redaction::none())
    }

    #[test]
    fn a_log_is_cut_by_line_length_and_by_number_of_lines() {
        let log = small();
        log.add("info", "grüße aus der Ferne\n\u{1b}[31mred");
        log.add("info", "3\n4\n5");
        assert_eq!(
            log.take().0,
            [
                "info: grüße ",
                "info: \u{fffd}[31mred",
                "info: 3",
                "… the log is cut here"
            ]
        );
    }

    #[test]
    fn the_last_words_of_standard_error_outlive_a_cut_log() {
        let log = small();
        log.add("info", "1\n2\n3\n4");
        log.add(STDERR, "Traceback\n\u{7}ValueError: no such thing");
        let words = "Traceback | \u{fffd}ValueError: no such thing";
        assert_eq!(log.last_words().as_deref(), Some(words));
        for _ in 0..100 {
            log.add(STDERR, &"x".repeat(1_000));
        }
        assert_eq!(log.last_words().map(|words| words.len()), Some(LAST_TOLD));
        assert_eq!(small().last_words(), None);
    }

    #[test]
    fn what_is_written_in_pieces_becomes_one_line() {
        let log = small();
        let stream = LineStream::new("stderr", log.clone());
        stream.push(b"one ");
        stream.push(b"line\nrest");
        drop(stream);
        assert_eq!(log.take().0, ["stderr: one line", "stderr: rest"]);
    }
}
