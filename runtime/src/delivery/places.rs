//! Places for sends under way: so many in all, so many for each queue. Whoever waits for one is woken by the first
//! that comes back.
//!
//! A send that waits for its provider holds its place. So a queue begins with few, and has more with each message that its
//! provider answers: one whose provider hangs keeps no others from theirs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::store::{Queue, Room};
use crate::time::Timestamp;

/// Places of a queue of whose provider nothing is known yet.
const FIRST: usize = 8;
/// The last part in so many of all places is for queues that hold few.
const SCARCE: usize = 4;
/// How long a queue that holds no place keeps what it may hold, and of how many such that is known.
const REMEMBERED: (Duration, usize) = (Duration::from_secs(1), 1_024);

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
    /// How many it may hold now.
    most: usize,
    /// When it gave its last place back.
    idle_since: Option<Instant>,
    /// The dispatcher found none for it.
    starved: bool,
}

impl Held {
    /// Whether what it may hold is to be found anew: it is new, or was idle for long.
    fn is_forgotten(&self) -> bool {
        let (long, _) = REMEMBERED;
        self.places == 0 && self.idle_since.is_none_or(|since| since.elapsed() >= long)
    }
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
        let taken = book.taken;
        let held = book.queues.entry(queue.clone()).or_default();
        if held.is_forgotten() {
            held.most = self.first(taken);
        }
        if held.places >= self.most(held, taken) {
            return None;
        }
        held.places += 1;
        held.idle_since = None;
        book.taken += 1;
        Some(Place {
            places: self.clone(),
            queue,
        })
    }

    fn is_scarce(&self, taken: usize) -> bool {
        let free = self.count.saturating_sub(taken);
        free.saturating_mul(SCARCE) < self.count
    }

    /// How many a queue may hold at first.
    fn first(&self, taken: usize) -> usize {
        let first = if self.is_scarce(taken) { 1 } else { FIRST };
        first.min(self.per_queue)
    }

    /// How many a queue may hold while so many places are taken.
    fn most(&self, held: &Held, taken: usize) -> usize {
        match self.is_scarce(taken) {
            true => held.most.min(FIRST),
            false => held.most,
        }
    }

    /// The provider of a queue that holds a place has answered, or has not: it may hold one more, or half as many.
    pub(super) fn told(&self, queue: &Queue, answers: bool) {
        let mut book = self.book();
        let Some(held) = book.queues.get_mut(queue) else {
            return;
        };
        held.most = match answers {
            true => (held.most + 1).min(self.per_queue),
            false => (held.most / 2).max(FIRST.min(held.most)),
        };
        let starved = answers && std::mem::take(&mut held.starved);
        drop(book);
        if starved {
            self.due_at(Timestamp::default());
        }
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
        let taken = book.taken;
        let each = self.first(taken);
        let mut of = HashMap::with_capacity(book.queues.len());
        book.queues.retain(|_, held| !held.is_forgotten());
        for (queue, held) in &mut book.queues {
            let waiting = waiting.remove(queue).unwrap_or_default();
            let room = self.most(held, taken).saturating_sub(held.places + waiting);
            held.starved |= room == 0;
            of.insert(queue.clone(), room);
        }
        of.extend(
            waiting
                .into_iter()
                .map(|(queue, waiting)| (queue, each.saturating_sub(waiting))),
        );
        Room {
            each,
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
                held.idle_since = Some(Instant::now());
            }
        }
        if book.queues.len() > book.taken + REMEMBERED.1 {
            book.queues.retain(|_, held| held.places > 0);
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
        assert!(places.book().queues.values().all(|held| held.places == 0));
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

    #[test]
    fn a_queue_begins_with_few_places_and_has_more_with_each_answer() {
        let places = Places::new(64, 16);
        let (good, other) = (queue("a", Channel::Email), queue("b", Channel::Email));
        let mut held: Vec<_> = (0..FIRST)
            .map(|_| places.take(good.clone()).unwrap())
            .collect();
        assert!(places.take(good.clone()).is_none());
        places.told(&good, true);
        held.push(places.take(good.clone()).unwrap());
        assert!(places.take(good.clone()).is_none());
        for _ in 0..20 {
            places.told(&good, true);
        }
        held.extend(std::iter::from_fn(|| places.take(good.clone())));
        assert_eq!(held.len(), 16, "no more than a queue may have");
        // What is under way stays; the next waits.
        places.told(&good, false);
        held.truncate(9);
        assert!(places.take(good.clone()).is_none());
        held.truncate(7);
        assert!(places.take(good.clone()).is_some());
        for _ in 0..9 {
            places.told(&good, false);
        }
        held.clear();
        held.extend(std::iter::from_fn(|| places.take(good.clone())));
        assert_eq!(held.len(), FIRST);
        // What it may hold outlives a moment without any, and no longer.
        places.told(&good, true);
        held.clear();
        held.extend(std::iter::from_fn(|| places.take(good.clone())));
        assert_eq!(held.len(), FIRST + 1);
        held.clear();
        if let Some(held) = places.book().queues.get_mut(&good) {
            held.idle_since = None;
        }
        held.extend(std::iter::from_fn(|| places.take(good.clone())));
        assert_eq!(held.len(), FIRST);
        assert!(places.take(other).is_some());
    }

    #[test]
    fn queues_that_nobody_answers_leave_places_to_others() {
        let places = Places::new(256, 64);
        let mut held = Vec::new();
        // Some were answered until a moment ago.
        for number in 0..8 {
            let good = queue(&format!("good{number}"), Channel::Email);
            held.extend(places.take(good.clone()));
            (0..64).for_each(|_| places.told(&good, true));
            held.extend(std::iter::from_fn(|| places.take(good.clone())));
        }
        assert!(held.len() < 256, "{}", held.len());
        held.truncate(100);
        for number in 0..50 {
            let dead = queue(&format!("dead{number}"), Channel::Email);
            held.extend(std::iter::from_fn(|| places.take(dead.clone())));
        }
        assert!(places.take(queue("good", Channel::Email)).is_some());
    }
}
