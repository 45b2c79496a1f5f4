//! The memory of all guests: so much and no more, whatever they do, and no tenant's guests take what others need.
//!
//! A quarter of the budget belongs to the slots of each class: what a slot keeps resident between sends. The other
//! half is taken by guests that need more than their slot has, and given back at their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use wasmtime::component::Component;

use super::class::{ConnectorClass, PAGE};
use super::engine::{EngineConfig, MEMORIES, TABLES, WASM_STACK};
use super::error::ConnectorError;
use super::fair::{Fair, Share};
use crate::id::TenantId;
use crate::limits::{Limit, machine_memory};

/// The budget of a machine whose memory is not known.
const UNKNOWN: u64 = 2 << 30;
/// What a tenant's guests may take whatever they leave to others: two or three sends of small connectors.
const MODEST: u64 = 4 << 20;
/// What a slot's memory keeps at least, before there are fewer slots.
const RESIDENT_LEAST: usize = 64 << 10;
/// Bytes of a request that are kept without more ado.
const FEW: usize = 64 << 10;
/// What one element of a table takes.
const ELEMENT: u64 = 8;

/// The share of the machine's memory that guests may take unless it is set: one of so many.
const PART: u64 = 2;

/// What calls of one connector need of it.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// Memories that an instance has.
    pub(super) memories: u32,
    /// Bytes that they begin with.
    initial: u64,
    /// Bytes that calls took of late.
    taken: AtomicU64,
}

impl Need {
    /// That of a compiled component.
    pub(super) fn of(component: &Component) -> Self {
        let required = component.resources_required();
        // Of one that instantiates what it imports nothing is known.
        let memories = required
            .as_ref()
            .map_or(MEMORIES, |required| required.num_memories);
        let pages = required.and_then(|required| required.max_initial_memory_size);
        Self {
            memories,
            initial: u64::from(memories) * pages.unwrap_or_default().saturating_mul(PAGE),
            taken: AtomicU64::new(0),
        }
    }

    /// A call took `bytes`. One that took far more than the others is forgotten after some.
    pub(super) fn took(&self, bytes: u64) {
        let known = self.taken.load(Ordering::Relaxed);
        let now = bytes.max(known - known.saturating_sub(bytes) / 8);
        if now != known {
            self.taken.store(now, Ordering::Relaxed);
        }
    }

    fn expected(&self) -> u64 {
        self.initial.max(self.taken.load(Ordering::Relaxed))
    }
}

/// How many slots a class has, and what each keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) count: u32,
    /// Bytes of each memory that stay resident.
    pub(super) resident: usize,
}

/// The budget.
#[derive(Debug)]
pub(super) struct Memory {
    shared: Arc<Fair>,
    small: Slots,
    large: Slots,
}

/// What one call may use: what its slot has, and its share of what all may take. The stack is of its share.
#[derive(Debug)]
pub(super) struct Lease {
    share: Share,
    of_slot: u64,
    used: u64,
}

impl Memory {
    /// Parts the budget of `config`.
    pub(super) fn new(config: &EngineConfig) -> Self {
        let machine = || machine_memory().map_or(UNKNOWN, |bytes| bytes / PART);
        let budget = config.guest_memory.unwrap_or_else(machine);
        let part = |class| slots(config, class, budget / 4);
        let (small, large) = (part(ConnectorClass::Small), part(ConnectorClass::Large));
        for (class, slots) in [
            (ConnectorClass::Small, small),
            (ConnectorClass::Large, large),
        ] {
            let asked = config.slots(class);
            if slots.count < asked {
                tracing::warn!(
                    ?class,
                    asked,
                    slots = slots.count,
                    budget,
                    "fewer slots than asked for: the guests' memory has no room for more (engine.guest_memory)"
                );
            }
        }
        Self {
            shared: Fair::new(budget / 2, MODEST),
            small,
            large,
        }
    }

    pub(super) const fn slots(&self, class: ConnectorClass) -> Slots {
        match class {
            ConnectorClass::Small => self.small,
            ConnectorClass::Large => self.large,
        }
    }

    /// Room for a call of a guest that needs about as much. Waits until there is.
    pub(super) async fn lease(
        &self,
        tenant: Option<&TenantId>,
        class: ConnectorClass,
        need: &Need,
        deadline: Instant,
    ) -> Result<Lease, ConnectorError> {
        let resident = self.slots(class).resident as u64;
        let of_slot = resident.saturating_mul(u64::from(need.memories));
        let wanted = need.expected().saturating_sub(of_slot) + WASM_STACK as u64;
        let share = self.shared.take(tenant, wanted, deadline).await;
        let share = share.ok_or_else(|| self.none_left())?;
        Ok(Lease {
            share,
            of_slot,
            used: 0,
        })
    }

    /// Bytes that guests may take beside what their slots have, and how many they hold.
    pub(super) fn shared(&self) -> (u64, u64) {
        (self.shared.all(), self.shared.held())
    }

    fn none_left(&self) -> ConnectorError {
        ConnectorError::Limit {
            limit: Limit::GuestMemory,
            detail: format!(
                "no room for the connector came free in the {} bytes of memory that connectors share (engine.guest_memory)",
                self.shared.all()
            ),
        }
    }
}

/// What the host keeps for guests while their requests are under way: of the same memory as theirs.
#[derive(Clone, Debug)]
pub(super) struct Kept(Arc<Fair>);

impl Kept {
    /// Room for `bytes` that are kept for a guest of `tenant`; none is needed for the few of nearly every request.
    pub(super) fn keep(
        &self,
        tenant: &TenantId,
        bytes: usize,
    ) -> Result<Option<Share>, ConnectorError> {
        if bytes <= FEW {
            return Ok(None);
        }
        let share = self.0.take_now(tenant, bytes as u64);
        share.map(Some).ok_or_else(used_up)
    }
}

/// Others need what is left of the memory that guests share.
pub(super) fn used_up() -> ConnectorError {
    let detail = "the memory that connectors share has no more for this one: others need it (engine.guest_memory)";
    ConnectorError::Limit {
        limit: Limit::GuestMemory,
        detail: detail.to_owned(),
    }
}

impl Lease {
    /// What the host keeps for the guest beside that.
    pub(super) fn kept(&self) -> Kept {
        Kept(Arc::clone(self.share.of()))
    }

    /// Takes `bytes` more of memory. Whether the budget has them.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes as u64);
        let wanted = used.saturating_sub(self.of_slot) + WASM_STACK as u64;
        let more = wanted.saturating_sub(self.share.amount());
        let fits = more == 0 || self.share.grow(more);
        if fits {
            self.used = used;
        }
        fits
    }

    /// The same of a table's elements.
    pub(super) fn grow_table(&mut self, elements: usize) -> bool {
        let bytes = (elements as u64).saturating_mul(ELEMENT);
        self.grow(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

/// As many slots of a class as `config` asks for and `part` has room for, each keeping as much as it asks for and
/// there is room for.
fn slots(config: &EngineConfig, class: ConnectorClass, part: u64) -> Slots {
    let asked = config.slots(class).max(1);
    let other = config.stack_resident + config.table_resident * TABLES as usize;
    let each = usize::try_from(part / u64::from(asked)).unwrap_or(usize::MAX);
    let resident = each.saturating_sub(other).clamp(
        RESIDENT_LEAST.min(config.resident(class)),
        config.resident(class),
    );
    let fit = part / ((resident + other) as u64).max(1);
    Slots {
        count: u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, asked),
        resident,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(budget: u64) -> Memory {
        Memory::new(&EngineConfig {
            guest_memory: Some(budget),
            ..EngineConfig::default()
        })
    }

    #[test]
    fn slots_keep_no_more_than_their_part_of_the_budget() {
        let config = EngineConfig::default();
        let other = config.stack_resident + config.table_resident * TABLES as usize;
        for budget in [16 << 20, 128 << 20, 1 << 30, 3 << 30, 64_u64 << 30] {
            let memory = memory(budget);
            for class in [ConnectorClass::Small, ConnectorClass::Large] {
                let slots = memory.slots(class);
                let kept = u64::from(slots.count) * (slots.resident + other) as u64;
                assert!(kept <= budget / 4, "{budget} {class:?} {slots:?}");
                assert!(slots.count >= 4 && slots.resident >= RESIDENT_LEAST);
            }
            assert_eq!(memory.shared(), (budget / 2, 0));
        }
        let roomy = memory(64 << 30);
        let asked = |class| Slots {
            count: config.slots(class),
            resident: config.resident(class),
        };
        for class in [ConnectorClass::Small, ConnectorClass::Large] {
            assert_eq!(roomy.slots(class), asked(class));
        }
    }

    #[tokio::test]
    async fn what_a_slot_has_is_not_taken_from_the_others() {
        let memory = memory(64 << 20);
        let tenant = "a".parse().unwrap();
        let need = Need {
            memories: 1,
            ..Need::default()
        };
        let lease = memory.lease(Some(&tenant), ConnectorClass::Small, &need, Instant::now());
        let mut lease = lease.await.unwrap();
        let (_, stack) = memory.shared();
        let resident = memory.slots(ConnectorClass::Small).resident;
        assert!(lease.grow(resident));
        assert_eq!(memory.shared().1, stack);
        assert!(lease.grow(1 << 20) && lease.grow_table(1 << 17));
        assert_eq!(memory.shared().1, stack + (2 << 20));
        assert!(!lease.grow(64 << 20));
        // A request's bytes are kept in the same memory.
        let (kept, held) = (lease.kept(), memory.shared().1);
        assert!(kept.keep(&tenant, FEW).unwrap().is_none());
        let request = kept.keep(&tenant, 1 << 20).unwrap().unwrap();
        assert_eq!(memory.shared().1, held + (1 << 20));
        drop(request);
        let refused = kept.keep(&tenant, 24 << 20).unwrap_err();
        assert_eq!(refused.code(), "limit.guest-memory");
        drop(lease);
        assert_eq!(memory.shared().1, 0);
    }

    #[test]
    fn what_calls_took_is_expected_of_the_next() {
        let need = Need {
            memories: 1,
            initial: 1_000,
            ..Need::default()
        };
        assert_eq!(need.expected(), 1_000);
        need.took(9_000);
        assert_eq!(need.expected(), 9_000);
        for _ in 0..100 {
            need.took(2_000);
        }
        assert!(
            (2_000..2_010).contains(&need.expected()),
            "{}",
            need.expected()
        );
    }
}
