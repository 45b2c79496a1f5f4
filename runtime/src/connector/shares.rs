//! What each tenant's guests have computed of late, so that one that takes more than its share of a busy
//! machine takes it from itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::TenantId;

/// After so long half of it is forgotten, in seconds.
const HALF_LIFE: f64 = 1.0;
/// Seconds of computing that nobody is blamed for.
const FREE: f64 = 0.02;
/// How far over the average of all tenants a share may be.
const ABOVE: f64 = 1.2;
/// Seconds of computing that are as good as none.
const FORGOTTEN: f64 = 1e-6;
/// How often those are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The shares of all tenants that computed of late.
#[derive(Debug)]
pub(super) struct Shares(Mutex<Book>);

#[derive(Debug)]
struct Book {
    all: Share,
    of: HashMap<TenantId, Share>,
    swept: Instant,
}

/// Seconds of computing, as they stood at a time.
#[derive(Clone, Copy, Debug)]
struct Share {
    seconds: f64,
    at: Instant,
}

impl Share {
    const fn none(at: Instant) -> Self {
        Self { seconds: 0.0, at }
    }

    fn now(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-age / HALF_LIFE).exp2()
    }

    fn add(&mut self, spent: Duration, now: Instant) {
        *self = Self {
            seconds: self.now(now) + spent.as_secs_f64(),
            at: now,
        };
    }
}

impl Shares {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Book {
            all: Share::none(now),
            of: HashMap::new(),
            swept: now,
        }))
    }

    /// Counts what a guest of `tenant` has computed.
    pub(super) fn charge(&self, tenant: &TenantId, spent: Duration, now: Instant) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.all.add(spent, now);
        match book.of.get_mut(tenant) {
            Some(share) => share.add(spent, now),
            None => {
                let mut share = Share::none(now);
                share.add(spent, now);
                book.of.insert(tenant.clone(), share);
            }
        }
        if now.saturating_duration_since(book.swept) >= SWEEP {
            book.of.retain(|_, share| share.now(now) > FORGOTTEN);
            book.swept = now;
        }
    }

    /// Whether `tenant` has computed clearly more than the average of those that did. A tenant alone never has.
    pub(super) fn is_over(&self, tenant: &TenantId, now: Instant) -> bool {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = book.of.get(tenant).map_or(0.0, |share| share.now(now));
        own > FREE && own * book.of.len() as f64 > ABOVE * book.all.now(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_more_than_the_others_is_over_until_it_is_forgotten() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs_f64(seconds);
        let tenant = |name: &str| -> TenantId { name.parse().unwrap() };
        let (greedy, modest) = (tenant("greedy"), tenant("modest"));
        let shares = Shares::new(start);
        shares.charge(&greedy, Duration::from_secs(2), start);
        assert!(!shares.is_over(&greedy, start), "nobody else is there");
        shares.charge(&modest, Duration::from_millis(1), start);
        assert!(shares.is_over(&greedy, start));
        assert!(!shares.is_over(&modest, start));
        // Two that compute alike are both within.
        shares.charge(&modest, Duration::from_secs(2), start);
        assert!(!shares.is_over(&greedy, start) && !shares.is_over(&modest, start));
        shares.charge(&greedy, Duration::from_secs(2), after(1.0));
        assert!(shares.is_over(&greedy, after(1.0)));
        assert!(
            !shares.is_over(&greedy, after(9.0)),
            "what it did is long ago"
        );
        shares.charge(&tenant("third"), Duration::from_millis(1), after(60.0));
        assert_eq!(
            shares.0.lock().unwrap().of.len(),
            1,
            "the others are forgotten"
        );
    }
}
