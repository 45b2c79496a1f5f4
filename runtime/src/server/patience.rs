//! How long a connection waits for its peer: for a request to begin, for the rest of its head, and for the peer to take
//! what it asked for. hyper's own time for a head counts between two requests too, and it has none for answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// From a head's first byte to its last, and from a new connection to its first request: a peer that drips bytes holds
/// no connection for longer.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// In which a peer takes all that is offered at once, which is 64 KiB of a list at most.
const TAKE_TIME: Duration = Duration::from_secs(30);
/// The same once the server stops.
const LAST_TAKE_TIME: Duration = Duration::from_secs(2);

/// The requests of a connection that are being answered: while there is one, nothing is expected of the peer.
#[derive(Clone, Default)]
pub(super) struct Answering(Arc<AtomicU64>);

impl Answering {
    /// One more, until it is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// A request that is being answered.
pub(super) struct UnderWay(Answering);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A request, of which nothing has come.
    Request,
    /// The rest of a head.
    Head,
    /// A body, which has a time of its own.
    Body,
}

/// The times of one connection.
pub(super) struct Patience {
    answering: Answering,
    stopping: CancellationToken,
    keep_alive: Duration,
    reads: Wait<Reading>,
    /// For all that is offered, by whether the server stops.
    writes: Wait<bool>,
    /// Whether a head was read.
    used: bool,
    read_timer: Timer,
    write_timer: Timer,
}

impl Patience {
    /// Of a new connection, which may be idle for `keep_alive` between two requests.
    pub(super) fn new(keep_alive: Duration, stopping: CancellationToken) -> Self {
        Self {
            answering: Answering::default(),
            stopping,
            keep_alive,
            reads: Wait(None),
            writes: Wait(None),
            used: false,
            read_timer: Timer(None),
            write_timer: Timer(None),
        }
    }

    /// Where to say that a request is being answered.
    pub(super) fn answering(&self) -> Answering {
        self.answering.clone()
    }

    /// Nothing came. Ready, with an error, when it should have by now.
    pub(super) fn nothing_came(
        &mut self,
        reading: Reading,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.read_until(reading, Instant::now()) {
            Some(until) => self.read_timer.poll(until, context).map(Err),
            None => Poll::Pending,
        }
    }

    /// Until when a byte must come.
    fn read_until(&mut self, reading: Reading, now: Instant) -> Option<Instant> {
        let time = match reading {
            Reading::Body => return None,
            Reading::Request if self.used => self.keep_alive,
            Reading::Request | Reading::Head => HEAD_TIME,
        };
        if reading == Reading::Request && !self.answering.is_idle() {
            // It waits for us.
            self.reads.end();
            return Some(now + time);
        }
        Some(self.reads.since(reading, now) + time)
    }

    /// Bytes came, and `reading` is what comes next. A head's time goes on until it is whole, and that of a request
    /// does though empty lines come.
    pub(super) fn came(&mut self, reading: Reading) {
        if reading == Reading::Body {
            self.used = true;
            self.reads.end();
        }
    }

    /// What became of offering so many bytes; an error where the peer should have taken them by now.
    pub(super) fn offered(
        &mut self,
        offered: usize,
        taken: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match taken {
            Poll::Ready(Ok(taken)) => {
                self.taken(offered, taken);
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let until = self.take_until(Instant::now());
                self.write_timer.poll(until, context).map(Err)
            }
        }
    }

    fn taken(&mut self, offered: usize, taken: usize) {
        // Whoever takes an answer is not idle.
        self.reads.end();
        if taken >= offered {
            self.writes.end();
        }
    }

    /// Until when all that is offered must be taken.
    fn take_until(&mut self, now: Instant) -> Instant {
        let stopping = self.stopping.is_cancelled();
        let time = match stopping {
            true => LAST_TAKE_TIME,
            false => TAKE_TIME,
        };
        self.writes.since(stopping, now) + time
    }
}

/// Since when one thing is waited for.
struct Wait<W>(Option<(W, Instant)>);

impl<W: Copy + PartialEq> Wait<W> {
    fn since(&mut self, what: W, now: Instant) -> Instant {
        match self.0 {
            Some((before, since)) if before == what => since,
            _ => {
                self.0 = Some((what, now));
                now
            }
        }
    }

    fn end(&mut self) {
        self.0 = None;
    }
}

/// Wakes a task.
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<io::Error> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        let over = timer.as_mut().poll(context);
        over.map(|()| io::ErrorKind::TimedOut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    fn patience() -> Patience {
        Patience::new(KEEP_ALIVE, CancellationToken::new())
    }

    fn after(began: Instant, seconds: u64) -> Instant {
        began + Duration::from_secs(seconds)
    }

    #[test]
    fn a_head_has_ten_seconds_and_a_pause_between_requests_its_own_time() {
        let (mut patience, t) = (patience(), Instant::now());
        let mut until = |reading, seconds| patience.read_until(reading, after(t, seconds));
        assert_eq!(until(Reading::Request, 0), Some(after(t, 10)));
        assert_eq!(until(Reading::Request, 9), Some(after(t, 10)));
        assert_eq!(until(Reading::Head, 9), Some(after(t, 19)));
        assert_eq!(until(Reading::Head, 18), Some(after(t, 19)));
        patience.came(Reading::Head);
        assert_eq!(
            patience.read_until(Reading::Head, after(t, 19)),
            Some(after(t, 19))
        );
        patience.came(Reading::Body);
        assert_eq!(patience.read_until(Reading::Body, after(t, 20)), None);
        let mut until = |reading, seconds| patience.read_until(reading, after(t, seconds));
        assert_eq!(until(Reading::Request, 20), Some(after(t, 95)));
        assert_eq!(until(Reading::Request, 94), Some(after(t, 95)));
        assert_eq!(until(Reading::Head, 94), Some(after(t, 104)));
    }

    #[test]
    fn empty_lines_gain_no_time() {
        let (mut patience, t) = (patience(), Instant::now());
        let until = patience.read_until(Reading::Request, t);
        patience.came(Reading::Request);
        assert_eq!(patience.read_until(Reading::Request, after(t, 5)), until);
    }

    #[test]
    fn who_waits_for_an_answer_is_not_idle() {
        let (mut patience, t) = (patience(), Instant::now());
        patience.came(Reading::Body);
        let answering = patience.answering();
        let under_way = answering.begin();
        for seconds in [0, 60, 200] {
            let now = after(t, seconds);
            assert_eq!(
                patience.read_until(Reading::Request, now),
                Some(now + KEEP_ALIVE)
            );
        }
        drop(under_way);
        patience.taken(100, 100);
        let now = after(t, 201);
        assert_eq!(
            patience.read_until(Reading::Request, now),
            Some(now + KEEP_ALIVE)
        );
        let later = after(t, 210);
        assert_eq!(
            patience.read_until(Reading::Request, later),
            Some(now + KEEP_ALIVE)
        );
    }

    #[test]
    fn an_answer_is_taken_as_a_whole_in_thirty_seconds() {
        let (mut patience, t) = (patience(), Instant::now());
        assert_eq!(patience.take_until(t), after(t, 30));
        patience.taken(9, 1);
        assert_eq!(patience.take_until(after(t, 29)), after(t, 30));
        patience.taken(8, 8);
        assert_eq!(patience.take_until(after(t, 29)), after(t, 59));
    }

    #[test]
    fn a_server_that_stops_waits_for_two_seconds_more() {
        let (mut patience, t) = (patience(), Instant::now());
        patience.take_until(t);
        patience.stopping.cancel();
        assert_eq!(patience.take_until(after(t, 5)), after(t, 7));
        assert_eq!(patience.take_until(after(t, 6)), after(t, 7));
    }
}
