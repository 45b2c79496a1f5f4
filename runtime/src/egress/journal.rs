//! What the host saw on the wire: one entry for each exchange, right at any moment, also while its
//! request is under way or after its future was dropped.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::meter::Meter;
use crate::outcome::{Exchange, Progress, WireRecord};

/// The code of an exchange whose guest did not live to see its end.
const ABANDONED: &str = "egress.abandoned";

/// The exchanges of one send.
#[derive(Debug, Default)]
pub(super) struct Journal {
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    all: Vec<Slot>,
    /// The first request over the limit: those after it are counted there.
    over: Option<usize>,
}

#[derive(Debug)]
struct Slot {
    exchange: Exchange,
    started: Instant,
    /// Of the connection, while the exchange has it to itself.
    meter: Option<Arc<Meter>>,
}

impl Slot {
    /// One of which no byte has left.
    fn new(method: &str, error: &str) -> Self {
        Self {
            exchange: Exchange {
                method: recordable(method).to_owned(),
                authority: String::new(),
                source_ip: None,
                peer: None,
                progress: Progress::Refused,
                status: None,
                error: Some(error.to_owned()),
                bytes_sent: 0,
                bytes_received: 0,
                duration_ms: 0,
                more: 0,
            },
            started: Instant::now(),
            meter: None,
        }
    }

    /// The exchange with its counters as of now.
    fn now(&self) -> Exchange {
        let mut exchange = self.exchange.clone();
        if let Some(meter) = &self.meter {
            exchange.bytes_sent = meter.written();
            exchange.bytes_received = meter.read();
            if exchange.progress < Progress::Answered {
                exchange.progress = match (meter.complete(), exchange.bytes_sent) {
                    (true, _) => Progress::Complete,
                    (false, 0) => Progress::NotConnected,
                    (false, _) => Progress::Incomplete,
                };
            }
        }
        exchange
    }
}

impl Journal {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an entry, refused until it is said otherwise.
    pub(super) fn begin(&self, method: &str) -> Entry<'_> {
        let mut slots = self.slots();
        slots.all.push(Slot::new(method, ABANDONED));
        Entry {
            journal: self,
            index: slots.all.len() - 1,
        }
    }

    /// Notes a request over the limit of `code`. A guest asks for as many as it can: one entry counts them all.
    pub(super) fn refuse(&self, method: &str, code: &str) {
        let mut slots = self.slots();
        let Slots { all, over } = &mut *slots;
        match over.and_then(|index| all.get_mut(index)) {
            Some(slot) => slot.exchange.more += 1,
            None => {
                *over = Some(all.len());
                all.push(Slot::new(method, code));
            }
        }
    }

    /// What was seen up to now.
    pub(super) fn record(&self) -> WireRecord {
        WireRecord {
            exchanges: self.slots().all.iter().map(Slot::now).collect(),
        }
    }
}

/// A method as recorded: the guest chooses the text.
fn recordable(method: &str) -> &str {
    if method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        method
    } else {
        ""
    }
}

/// One exchange under way. Dropping it ends the exchange.
#[derive(Debug)]
pub(super) struct Entry<'j> {
    journal: &'j Journal,
    index: usize,
}

impl Entry<'_> {
    fn update(&self, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.journal.slots().all.get_mut(self.index) {
            change(slot);
        }
    }

    pub(super) fn set_authority(&self, authority: String) {
        self.update(|slot| slot.exchange.authority = authority);
    }

    /// What was recorded as the authority, for the log.
    pub(super) fn authority(&self) -> String {
        let slots = self.journal.slots();
        let slot = slots.all.get(self.index);
        slot.map(|slot| slot.exchange.authority.clone())
            .unwrap_or_default()
    }

    /// How far the exchange came, where no connection says it better.
    pub(super) fn set_progress(&self, progress: Progress) {
        self.update(|slot| slot.exchange.progress = progress);
    }

    /// The address that is dialled.
    pub(super) fn set_peer(&self, peer: SocketAddr) {
        self.update(|slot| slot.exchange.peer = Some(peer));
    }

    /// The exchange has a connection to itself from now on, and the connection's meter starts at zero.
    pub(super) fn set_connection(&self, local: SocketAddr, peer: SocketAddr, meter: &Arc<Meter>) {
        self.update(|slot| {
            slot.exchange.source_ip = Some(local.ip());
            slot.exchange.peer = Some(peer);
            slot.meter = Some(Arc::clone(meter));
        });
    }

    /// Forgets an exchange of which the peer saw nothing that counts: another connection may try.
    pub(super) fn begin_again(&self) {
        self.update(|slot| {
            slot.exchange.status = None;
            slot.exchange.progress = Progress::NotConnected;
        });
    }

    /// Keeps what was counted and lets go of the connection, which may then serve another exchange.
    pub(super) fn release(&self) {
        self.update(|slot| {
            slot.exchange = slot.now();
            slot.meter = None;
        });
    }

    /// A final status was read.
    pub(super) fn set_status(&self, status: u16) {
        self.update(|slot| {
            slot.exchange.status = Some(status);
            slot.exchange.progress = Progress::Answered;
        });
    }

    /// Bytes of an exchange that had no connection.
    pub(super) fn set_bytes(&self, sent: usize, received: usize) {
        self.update(|slot| {
            slot.exchange.bytes_sent = sent as u64;
            slot.exchange.bytes_received = received as u64;
        });
    }

    /// Ends the exchange, with the code of its error if there was one.
    pub(super) fn finish(self, error: Option<&'static str>) {
        self.update(|slot| slot.exchange.error = error.map(str::to_owned));
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.release();
        self.update(|slot| {
            let elapsed = slot.started.elapsed().as_millis();
            slot.exchange.duration_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        });
    }
}
