//! Places for sends under way: so many in all, so many for each queue. Whoever waits for one is woken by the first
//! that comes back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::{Queue, Room};
use crate::time::Timestamp;

/// All places of a process.
pub(super) struct Places {
    count: usize,
    per_queue: usize,
    book: Mutex<Book>,
    /// Milliseconds since the Unix epoch: nothing in the outbox can be begun before.
    due: AtomicI64,
    /// Wakes the dispatcher: something is due, or there is a place for what was.
    pub(super) wake: Notify,
}

#[derive(Default)]
struct Book {
    taken: usize,
    queues: HashMap<Queue, Held>,
    /// The dispatcher found no place at all.
    starved: bool,
}

/// What a queue holds.
#[derive(Default)]
struct Held {
    places: usize,
    /// The dispatcher found none for it.
    starved: bool,
}

impl Places {
    pub(super) fn new(count: usize, per_queue: usize) -> Arc<Self> {
        Arc::new(Self {
            count,
            per_queue,
            book: Mutex::default(),
            due: AtomicI64::new(0),
            wake: Notify::new(),
        })
    }

    /// A place for one more send of a queue, if there is one now.
    pub(super) fn take(self: &Arc<Self>, queue: Queue) -> Option<Place> {
        let mut book = self.book();
        if book.taken >= self.count {
            return None;
        }
        let held = book.queues.entry(queue.clone()).or_default();
        if held.places >= self.per_queue {
            return None;
        }
        held.places += 1;
        book.taken += 1;
        Some(Place {
            places: self.clone(),
            queue,
        })
    }

    /// Free places in all. Where there is none, the first that comes back wakes the dispatcher.
    pub(super) fn free(&self) -> usize {
        let mut book = self.book();
        let free = self.count.saturating_sub(book.taken);
        book.starved |= free == 0;
        free
    }

    /// Taken places in all.
    pub(super) fn taken(&self) -> usize {
        self.book().taken
    }

    /// How many sends each queue may begin, beside those that are `claimed` already. The first place that comes back
    /// to one that may begin none wakes the dispatcher.
    pub(super) fn room(&self, claimed: impl Iterator<Item = Queue>) -> Room {
        let mut waiting: HashMap<Queue, usize> = HashMap::new();
        for queue in claimed {
            *waiting.entry(queue).or_default() += 1;
        }
        let mut book = self.book();
        let mut of = HashMap::with_capacity(book.queues.len());
        for (queue, held) in &mut book.queues {
            let waiting = waiting.remove(queue).unwrap_or_default();
            let room = self.per_queue.saturating_sub(held.places + waiting);
            held.starved |= room == 0;
            of.insert(queue.clone(), room);
        }
        of.extend(
            waiting
                .into_iter()
                .map(|(queue, waiting)| (queue, self.per_queue.saturating_sub(waiting))),
        );
        Room {
            each: self.per_queue,
            of,
            kept: Vec::new(),
        }
    }

    /// When something in the outbox may be begun.
    pub(super) fn due(&self) -> Timestamp {
        Timestamp::from_millis(self.due.load(Ordering::SeqCst))
    }

    /// Nothing is, until it is said otherwise.
    pub(super) fn nothing_due(&self) {
        self.due.store(i64::MAX, Ordering::SeqCst);
    }

    /// Something is due at `time`, as the dispatcher itself found.
    pub(super) fn due_by(&self, time: Timestamp) {
        self.due.fetch_min(time.as_millis(), Ordering::SeqCst);
    }

    /// Something is due at `time`: the dispatcher looks up.
    pub(super) fn due_at(&self, time: Timestamp) {
        self.due_by(time);
        self.wake.notify_one();
    }

    fn put_back(&self, queue: &Queue) {
        let mut book = self.book();
        book.taken = book.taken.saturating_sub(1);
        let mut starved = std::mem::take(&mut book.starved);
        if let Some(held) = book.queues.get_mut(queue) {
            held.places = held.places.saturating_sub(1);
            starved |= std::mem::take(&mut held.starved);
            if held.places == 0 {
                book.queues.remove(queue);
            }
        }
        drop(book);
        if starved {
            self.due_at(Timestamp::default());
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one send. Given back on drop.
pub(super) struct Place {
    places: Arc<Places>,
    queue: Queue,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.put_back(&self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Channel;

    fn queue(tenant: &str, channel: Channel) -> Queue {
        Queue {
            tenant: tenant.parse().unwrap(),
            channel,
        }
    }

    #[test]
    fn no_queue_takes_more_than_its_share_and_places_come_back() {
        let places = Places::new(4, 2);
        let (mails, texts) = (queue("a", Channel::Email), queue("a", Channel::Sms));
        let other = queue("b", Channel::Email);
        let first = places.take(mails.clone()).unwrap();
        let second = places.take(mails.clone()).unwrap();
        assert!(places.take(mails.clone()).is_none());
        let room = places.room(std::iter::once(texts.clone()));
        assert_eq!(room.each, 2);
        assert_eq!(room.of, [(mails.clone(), 0), (texts.clone(), 1)].into());
        let third = places.take(texts).unwrap();
        let fourth = places.take(other.clone()).unwrap();
        assert!(places.take(other).is_none(), "four in all");
        assert_eq!((places.taken(), places.free()), (4, 0));
        drop(second);
        assert!(places.take(mails).is_some());
        drop((first, third, fourth));
        assert_eq!((places.taken(), places.free()), (0, 4));
        assert!(places.book().queues.is_empty());
    }

    #[test]
    fn the_first_place_that_comes_back_wakes_who_found_none_and_no_other_does() {
        let places = Places::new(3, 2);
        let (full, other) = (queue("a", Channel::Email), queue("b", Channel::Email));
        let woken = || {
            let was_due = places.due() == Timestamp::default();
            places.nothing_due();
            was_due
        };
        assert!(woken());
        let mut held = vec![places.take(full.clone()), places.take(full.clone())];
        drop(places.take(other.clone()));
        assert!(!woken(), "nobody waits");
        assert_eq!(places.room(std::iter::empty()).of[&full], 0);
        drop(places.take(other.clone()));
        assert!(!woken(), "it is another's");
        drop(held.pop());
        assert!(woken());
        drop(held.pop());
        assert!(!woken(), "once is enough");
        held.extend([places.take(full.clone()), places.take(full)]);
        held.push(places.take(other));
        assert_eq!(places.free(), 0);
        drop(held.pop());
        assert!(woken(), "any place will do");
    }
}
