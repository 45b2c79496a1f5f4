//! Something of which a server has so much and no more, shared between its tenants: a tenant may hold three times
//! what it leaves to the others. One alone gets three quarters, four that take all they can get three thirteenths
//! each, and there is always something left for who comes next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::id::TenantId;

/// How many times what it leaves free a tenant may hold.
const GREED: u64 = 3;

/// So much of something.
#[derive(Debug)]
pub(super) struct Fair {
    all: u64,
    /// What a tenant may hold as long as there is as much, whatever it leaves.
    modest: u64,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    free: u64,
    held: HashMap<TenantId, u64>,
    /// Who waits, the first first. One whose tenant has its share lets others pass.
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    tenant: Option<TenantId>,
    amount: u64,
    granted: oneshot::Sender<Share>,
}

/// A part of it, which goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Fair>,
    tenant: Option<TenantId>,
    amount: u64,
}

impl Book {
    /// Takes `amount` for `tenant`; none of it where that is not fair. The host itself takes what is free.
    fn take(&mut self, fair: &Fair, tenant: Option<&TenantId>, amount: u64) -> bool {
        let Some(left) = self.free.checked_sub(amount) else {
            return false;
        };
        if let Some(tenant) = tenant {
            let held = self.held.get(tenant).copied().unwrap_or_default() + amount;
            let alone = self.free == fair.all;
            if held > fair.modest && held > left.saturating_mul(GREED) && !alone {
                return false;
            }
            match self.held.get_mut(tenant) {
                Some(of_tenant) => *of_tenant = held,
                None => drop(self.held.insert(tenant.clone(), held)),
            }
        }
        self.free = left;
        true
    }

    fn put_back(&mut self, tenant: Option<&TenantId>, amount: u64) {
        self.free += amount;
        if let Some(tenant) = tenant
            && let Some(held) = self.held.get_mut(tenant)
        {
            *held = held.saturating_sub(amount);
            if *held == 0 {
                self.held.remove(tenant);
            }
        }
    }
}

impl Fair {
    /// `all` of it. A tenant may hold `modest` of it whatever it leaves, as long as there is as much.
    pub(super) fn new(all: u64, modest: u64) -> Arc<Self> {
        Arc::new(Self {
            all,
            modest,
            book: Mutex::new(Book {
                free: all,
                held: HashMap::new(),
                waiting: VecDeque::new(),
            }),
        })
    }

    /// How much there is.
    pub(super) const fn all(&self) -> u64 {
        self.all
    }

    /// How much is held.
    pub(super) fn held(&self) -> u64 {
        self.all - self.book().free
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `amount` for `tenant`, or for the host itself, as soon as that is fair. None: not until `deadline`.
    pub(super) async fn take(
        self: &Arc<Self>,
        tenant: Option<&TenantId>,
        amount: u64,
        deadline: Instant,
    ) -> Option<Share> {
        let granted = {
            let mut book = self.book();
            if book.take(self, tenant, amount) {
                return Some(self.share(tenant.cloned(), amount));
            }
            if amount > self.all {
                return None;
            }
            let (sender, granted) = oneshot::channel();
            book.waiting.push_back(Waiter {
                tenant: tenant.cloned(),
                amount,
                granted: sender,
            });
            granted
        };
        timeout_at(deadline, granted).await.ok()?.ok()
    }

    /// The same at once or not at all.
    pub(super) fn take_now(self: &Arc<Self>, tenant: &TenantId, amount: u64) -> Option<Share> {
        let taken = self.book().take(self, Some(tenant), amount);
        taken.then(|| self.share(Some(tenant.clone()), amount))
    }

    fn share(self: &Arc<Self>, tenant: Option<TenantId>, amount: u64) -> Share {
        Share {
            of: Arc::clone(self),
            tenant,
            amount,
        }
    }

    /// Puts `amount` back, and gives to whoever waits what is fair now.
    fn put_back(self: &Arc<Self>, tenant: Option<&TenantId>, amount: u64) {
        let mut unwanted = Vec::new();
        let mut book = self.book();
        book.put_back(tenant, amount);
        let waiting = std::mem::take(&mut book.waiting);
        for waiter in waiting {
            if waiter.granted.is_closed() {
                continue;
            }
            if !book.take(self, waiter.tenant.as_ref(), waiter.amount) {
                book.waiting.push_back(waiter);
                continue;
            }
            let share = self.share(waiter.tenant, waiter.amount);
            unwanted.extend(waiter.granted.send(share).err());
        }
        drop(book);
        // Who waited for them is gone. Each drop comes back here, and the book is closed by then.
        drop(unwanted);
    }
}

impl Share {
    /// Takes `more` of it. Whether that is fair; it does not wait.
    pub(super) fn grow(&mut self, more: u64) -> bool {
        let taken = self.of.book().take(&self.of, self.tenant.as_ref(), more);
        if taken {
            self.amount += more;
        }
        taken
    }

    /// What it is a share of.
    pub(super) const fn of(&self) -> &Arc<Fair> {
        &self.of
    }

    /// How much it is.
    pub(super) const fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.put_back(self.tenant.as_ref(), self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// All that `tenant` gets in steps of one, at once.
    async fn all_of(fair: &Arc<Fair>, name: &str) -> Option<Share> {
        let mut share = fair.take(Some(&tenant(name)), 1, Instant::now()).await?;
        while share.grow(1) {}
        Some(share)
    }

    #[tokio::test]
    async fn a_tenant_alone_gets_three_quarters_and_others_find_room() {
        let fair = Fair::new(1_000, 1);
        let first = all_of(&fair, "a").await.unwrap();
        assert_eq!(first.amount(), 750);
        let second = all_of(&fair, "b").await.unwrap();
        assert_eq!(second.amount(), 187);
        let mut third = fair
            .take(Some(&tenant("c")), 10, Instant::now())
            .await
            .unwrap();
        assert!(third.grow(30) && !third.grow(30));
        drop(first);
        assert!(third.grow(30));
        assert_eq!(fair.held(), 187 + 70);
        drop((second, third));
        assert_eq!(fair.held(), 0);
        assert!(fair.book().held.is_empty());
    }

    #[tokio::test]
    async fn few_are_given_to_the_last_one() {
        let slots = Fair::new(2, 1);
        let (a, b) = (tenant("a"), tenant("b"));
        let first = slots.take(Some(&a), 1, Instant::now()).await.unwrap();
        assert!(slots.take(Some(&a), 1, Instant::now()).await.is_none());
        let second = slots.take(Some(&b), 1, Instant::now()).await.unwrap();
        assert!(slots.take(None, 1, Instant::now()).await.is_none());
        drop((first, second));
        // More than three quarters is had by who finds nobody.
        assert!(slots.take(Some(&a), 2, Instant::now()).await.is_some());
        assert!(slots.take(Some(&a), 3, soon()).await.is_none(), "at once");
    }

    #[tokio::test]
    async fn who_waits_is_served_in_order_but_a_tenant_at_its_share_lets_others_pass() {
        let fair = Fair::new(8, 1);
        let (a, b) = (tenant("a"), tenant("b"));
        let held = fair.take(Some(&a), 6, Instant::now()).await.unwrap();
        let host = fair.take(None, 2, Instant::now()).await.unwrap();
        let waiting = |name: &TenantId| {
            let (fair, name) = (fair.clone(), name.clone());
            tokio::spawn(async move { fair.take(Some(&name), 1, soon()).await })
        };
        let gone = waiting(&b);
        tokio::task::yield_now().await;
        gone.abort();
        let (of_a, of_b) = (waiting(&a), waiting(&b));
        tokio::task::yield_now().await;
        assert_eq!(fair.book().waiting.len(), 3);
        drop(host);
        let of_b = of_b.await.unwrap().unwrap();
        assert!(!of_a.is_finished());
        drop(held);
        let of_a = of_a.await.unwrap().unwrap();
        assert_eq!(fair.held(), 2);
        drop((of_a, of_b));
        assert_eq!(fair.held(), 0);
    }
}
