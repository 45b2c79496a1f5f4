//! Log lines on standard error, written by a thread that only waits for itself: a reader that is gone, stands
//! still or has no space left costs lines, never a task.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::counts::LOG_LINES_DROPPED;

/// What waits for the reader at most; lines past it are dropped and counted.
const WAITING_BYTES: usize = 1 << 20;
/// How long the end of the program waits for what is not written yet.
const END: Duration = Duration::from_secs(1);
/// When a pipe that its other holder made non-blocking is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// The log of this process. Dropped at the end, it waits up to a second for the lines that are left.
#[must_use = "the last lines are written when it is dropped"]
pub(super) struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// A line was taken and is not written yet.
    writing: bool,
}

impl Queue {
    fn drop_one(&mut self) {
        self.dropped += 1;
        LOG_LINES_DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

impl Log {
    /// Starts it; `SENDBOX_LOG` chooses the lines, such as `info,sendbox=debug`.
    ///
    /// # Errors
    /// Where the machine gives no descriptor or thread for it.
    pub(super) fn start(json: bool) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        // Not `io::stderr`: its lock, held by a write that waits, would hold every panic's message, too.
        let mut output = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || of_thread.write_all(&mut output, json))?;
        // Compose writes a variable that is not set as an empty one.
        let chosen = std::env::var("SENDBOX_LOG").unwrap_or_default();
        let chosen = Some(chosen.trim()).filter(|chosen| !chosen.is_empty());
        let filter = chosen.and_then(|chosen| EnvFilter::try_new(chosen).ok());
        let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
        let lines = Arc::clone(&shared);
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal())
            // What it would say of its own failures goes to standard error, and panics where that fails.
            .log_internal_errors(false)
            .with_writer(move || Line(Arc::clone(&lines)));
        if json {
            log.json().init()
        } else {
            log.init()
        }
        // The usual message waits for the reader of standard error, in the task that panics.
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a defect")));
        Ok(Self(shared))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let left = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        let _ = self.0.emptied.wait_timeout_while(self.0.queue(), END, left);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        if queue.bytes + line.len() > WAITING_BYTES {
            queue.drop_one();
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line.to_vec());
        self.filled.notify_one();
    }

    /// The next line, and how many were dropped by now.
    fn next(&self) -> (Vec<u8>, u64) {
        let mut queue = self.queue();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= line.len();
                queue.writing = true;
                return (line, std::mem::take(&mut queue.dropped));
            }
            queue = self
                .filled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes line by line for as long as the process lives.
    fn write_all(&self, output: &mut File, json: bool) {
        // The last line may have been cut off in its midst.
        let mut torn = false;
        loop {
            let (line, dropped) = self.next();
            let mut text = if torn { b"\n".to_vec() } else { Vec::new() };
            if dropped > 0 {
                text.extend(notice(dropped, json).into_bytes());
            }
            text.extend(line);
            torn = write(output, &text).is_err();
            let mut queue = self.queue();
            queue.writing = false;
            if torn {
                // The notice was not written either.
                queue.dropped += dropped;
                queue.drop_one();
            }
            if queue.lines.is_empty() {
                self.emptied.notify_all();
            }
        }
    }
}

/// What stands in the log for lines that do not.
fn notice(dropped: u64, json: bool) -> String {
    let message = "log lines were dropped: they could not be written in time";
    if json {
        let fields = serde_json::json!({ "message": message, "dropped": dropped });
        let line = serde_json::json!({
            "timestamp": crate::time::Clock::System.now(), "level": "WARN", "fields": fields,
            "target": "sendbox::log",
        });
        format!("{line}\n")
    } else {
        format!(" WARN sendbox::log: {message} dropped={dropped}\n")
    }
}

fn write(output: &mut File, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match output.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(AGAIN),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes a line: at once, and without an error.
struct Line(Arc<Shared>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_that_stands_still_costs_the_lines_past_the_bound_and_is_told_how_many() {
        let (mut reader, writer) = io::pipe().unwrap();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let mut output = File::from(std::os::fd::OwnedFd::from(writer));
        std::thread::spawn(move || of_thread.write_all(&mut output, true));
        let line = format!("{{\"n\":\"{}\"}}\n", "x".repeat(1_000));
        let pushed = 3 * WAITING_BYTES / line.len();
        let before = LOG_LINES_DROPPED.load(Ordering::Relaxed);
        for _ in 0..pushed {
            shared.push(line.as_bytes());
        }
        let dropped = LOG_LINES_DROPPED.load(Ordering::Relaxed) - before;
        assert!(dropped > 0 && shared.queue().bytes <= WAITING_BYTES);
        // What the pipe and the queue held comes, and first of all how many did not.
        let mut text = vec![0; (pushed - usize::try_from(dropped).unwrap()) * line.len()];
        reader.read_exact(&mut text).unwrap();
        let mut told = 0;
        for line in String::from_utf8_lossy(&text).lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            told += line
                .pointer("/fields/dropped")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0);
        }
        assert_eq!(told, dropped);
    }
}
