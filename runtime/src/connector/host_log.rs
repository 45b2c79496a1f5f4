//! The `log` import, and what the standard streams end in: words for the tenant's timeline, capped and redacted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bindings::log;
use super::state::State;
use crate::attempt::LOG_CUT;
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
    /// The end of standard error, as it was written: kept even where the log is cut.
    last: Vec<u8>,
    met: Vec<Limit>,
    limits: Arc<Limits>,
    redaction: Redaction,
}

/// The label of standard error.
pub(super) const STDERR: &str = "stderr";

/// Bytes of standard error that are kept to explain an end, and how many of them are told.
const LAST_KEPT: usize = 16 << 10;
const LAST_TOLD: usize = 2 << 10;

/// A margin beyond what is shown of a line: a secret that the cut goes through must be found. Longer forms of a
/// secret widen it.
const MARGIN: usize = 16 << 10;

impl Log {
    pub(super) fn new(limits: Arc<Limits>, redaction: Redaction) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            lines: Vec::new(),
            bytes: 0,
            cut: false,
            last: Vec::new(),
            met: Vec::new(),
            limits,
            redaction,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the lines of `text`, each marked with `label`. Whether more are taken: a guest writes as many as it
    /// can, and after the cut none is looked at.
    pub(super) fn add(&self, label: &str, text: &str) -> bool {
        let mut inner = self.inner();
        for line in text.lines() {
            if inner.cut {
                break;
            }
            inner.add(label, line);
        }
        !inner.cut
    }

    /// Keeps the end of what is written to standard error.
    pub(super) fn keep_last(&self, bytes: &[u8]) {
        self.inner().keep_last(bytes);
    }

    /// Whether no more lines are taken.
    pub(super) fn is_cut(&self) -> bool {
        self.inner().cut
    }

    /// Bytes of a line that are looked at; what comes after them is left out.
    pub(super) fn line_most(&self) -> usize {
        self.inner().line_most()
    }

    /// What was written to standard error last, redacted and cut at its beginning; none if nothing was.
    pub(super) fn last_words(&self) -> Option<String> {
        let inner = self.inner();
        let text = inner.redaction.text(&String::from_utf8_lossy(&inner.last));
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let text: String = lines.join(" | ").trim().chars().map(shown).collect();
        let text = tail(&text, LAST_TOLD);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The send met a limit that does not end it.
    pub(super) fn met(&self, limit: Limit) {
        self.inner().met(limit);
    }

    /// The lines so far, and the limits that the send met.
    pub(super) fn take(&self) -> (Vec<String>, Vec<Limit>) {
        let mut inner = self.inner();
        (
            std::mem::take(&mut inner.lines),
            std::mem::take(&mut inner.met),
        )
    }
}

impl Inner {
    fn keep_last(&mut self, bytes: &[u8]) {
        let kept = bytes.len().saturating_sub(2 * LAST_KEPT);
        self.last
            .extend_from_slice(bytes.get(kept..).unwrap_or_default());
        // Twice as much before the first half goes: no byte is moved more than once.
        if self.last.len() > 2 * LAST_KEPT {
            self.last.drain(..self.last.len() - LAST_KEPT);
        }
    }

    fn line_most(&self) -> usize {
        let margin = MARGIN.max(self.redaction.longest());
        self.limits.log_line_bytes.saturating_add(margin)
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
        let text = self.redaction.text(head(line, self.line_most()));
        let text = head(&text, self.limits.log_line_bytes);
        let line: String = format!("{label}: {text}").chars().map(shown).collect();
        let full = self.bytes + line.len() > self.limits.log_bytes
            || self.lines.len() >= self.limits.log_lines;
        if full {
            self.cut = true;
            self.met(Limit::Log);
            self.lines.push(LOG_CUT.to_owned());
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
        assert!(log.add("info", "3"));
        assert!(!log.add("info", "4\n5"));
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
        log.keep_last(b"Traceback\n\n\x07ValueError: no such ");
        log.keep_last(b"thing\n");
        let words = "Traceback | \u{fffd}ValueError: no such thing";
        assert_eq!(log.last_words().as_deref(), Some(words));
        for _ in 0..100 {
            log.keep_last(&[b'x'; 1_000]);
        }
        assert!(log.inner().last.len() <= 2 * LAST_KEPT);
        assert_eq!(log.last_words().map(|words| words.len()), Some(LAST_TOLD));
        assert_eq!(small().last_words(), None);
    }
}
