//! Which way an attempt goes: an integration of the route, made ready, with its source; or that there is none for now.

use std::sync::Arc;

use super::Core;
use super::departure::{Departure, failed_by_source};
use super::lending::Sender;
use super::roster::RosterError;
use super::route::{Choice, asked_for, choose};
use super::schedule::latest;
use crate::attempt::{Attempt, Via};
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::store::Claim;
use crate::tenant::Integration;
use crate::time::Timestamp;

/// What the route and the roster decided for one attempt.
pub(super) struct Plan {
    pub(super) choice: Choice,
    pub(super) sender: Sender,
    pub(super) departure: Option<Departure>,
    /// The integration whose turn it would have been, were its circuit not open.
    pub(super) passed_by: Option<IntegrationId>,
}

/// Why there is no plan for an attempt.
pub(super) enum NoPlan {
    /// None can be made, which is an attempt that failed.
    Unplanned(Unplanned),
    /// There is no attempt by the integration before `until`.
    Held {
        integration: IntegrationId,
        until: Timestamp,
        by: Keeper,
    },
}

/// What keeps a message from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The provider is down.
    Circuit,
    /// It asked for so much time.
    Provider,
}

impl<E: Into<Unplanned>> From<E> for NoPlan {
    fn from(error: E) -> Self {
        Self::Unplanned(error.into())
    }
}

/// Why an attempt has no plan, and how far the planning came.
pub(super) struct Unplanned {
    pub(super) error: RosterError,
    pub(super) via: Option<Via>,
    pub(super) choice: Option<Choice>,
}

impl Unplanned {
    pub(super) fn at(choice: Choice, via: Option<Via>, error: RosterError) -> Self {
        Self {
            error,
            via,
            choice: Some(choice),
        }
    }
}

impl From<RosterError> for Unplanned {
    fn from(error: RosterError) -> Self {
        Self {
            error,
            via: None,
            choice: None,
        }
    }
}

/// The integration that would have been tried, had no circuit been open.
fn passed_by(
    choice: &Choice,
    route: &[IntegrationId],
    attempts: &[Attempt],
    open: &[IntegrationId],
) -> Option<IntegrationId> {
    if open.is_empty() {
        return None;
    }
    let first = choose(route, attempts, &[])?.integration;
    (first != choice.integration).then_some(first)
}

impl Core {
    /// The route of a message, and its attempts so far.
    pub(super) async fn history(
        &self,
        claim: &Claim,
    ) -> Result<(Arc<[IntegrationId]>, Vec<Attempt>), RosterError> {
        let message = &claim.message;
        let route = self.roster.route(&message.tenant, message.channel).await?;
        let attempts = match claim.attempt {
            0 | 1 => Vec::new(),
            _ => self.store.attempts(message.id).await?,
        };
        Ok((route, attempts))
    }

    /// Which way the attempt goes that `claim` stands for.
    pub(super) async fn plan(&self, claim: &Claim) -> Result<Plan, NoPlan> {
        let (route, attempts) = self.history(claim).await?;
        let (tenant, now) = (&claim.message.tenant, self.clock.now());
        let latest = latest(claim.message.created_at, claim.message.expires_at);
        let asked = |id: &IntegrationId| {
            let until = asked_for(id, &attempts)?.min(latest);
            (now < until).then_some(until)
        };
        let mut open = self.circuits.open(tenant, &route, now);
        open.extend(route.iter().filter(|id| asked(id).is_some()).cloned());
        let choice = choose(&route, &attempts, &open).ok_or(RosterError::Missing)?;
        let passed_by = passed_by(&choice, &route, &attempts, &open);
        let chosen = &choice.integration;
        if let Some(until) = asked(chosen) {
            return Err(NoPlan::Held {
                integration: choice.integration,
                until,
                by: Keeper::Provider,
            });
        }
        let ready = match self.roster.active(tenant, chosen).await {
            Ok(ready) => ready,
            Err(error) => return Err(self.unready(tenant, choice, error).await.into()),
        };
        let chosen = via(&choice, &ready.integration);
        let sender = match self.sender(ready).await {
            Ok(sender) => sender,
            Err(error) => return Err(Unplanned::at(choice, Some(chosen), error).into()),
        };
        let last = attempts
            .last()
            .filter(|last| failed_by_source(&last.exchanges));
        let failed = last.and_then(|last| last.start.source.as_ref());
        let departure = match self.departure(&sender, failed).await {
            Ok(departure) => departure,
            // The route goes on to its next integration, which may leave by another pool.
            Err(error) => return Err(Unplanned::at(choice, Some(chosen), error).into()),
        };
        let (integration, now) = (&choice.integration, self.clock.now());
        match self.circuits.enter(tenant, integration, now, latest) {
            None => Ok(Plan {
                choice,
                sender,
                departure,
                passed_by,
            }),
            Some(until) => Err(NoPlan::Held {
                integration: choice.integration,
                until,
                by: Keeper::Circuit,
            }),
        }
    }

    /// The route goes on from an integration that cannot be made ready: its record says what was tried.
    async fn unready(&self, tenant: &TenantId, choice: Choice, error: RosterError) -> Unplanned {
        match self.store.integration(tenant, &choice.integration).await {
            Ok(known) => {
                let chosen = known.map(|known| via(&choice, &known));
                Unplanned::at(choice, chosen, error)
            }
            Err(error) => Unplanned::from(RosterError::Store(error)),
        }
    }

    /// Where the next send leaves by; none where no pool is set. `failed` did not serve the attempt before.
    pub(super) async fn departure(
        &self,
        sender: &Sender,
        failed: Option<&SourceName>,
    ) -> Result<Option<Departure>, RosterError> {
        let outward = sender.outward();
        let Some(pool) = &outward.pool else {
            return Ok(None);
        };
        let (tenant, now) = (&outward.integration.tenant, self.clock.now());
        let departure = self.roster.departure(pool, tenant, failed, now).await;
        if let Some(reason) = departure.as_ref().err().and_then(RosterError::pool_refusal) {
            self.counts.pools.add([reason]);
        }
        departure.map(Some)
    }
}

pub(super) fn via(choice: &Choice, integration: &Integration) -> Via {
    Via {
        integration: choice.integration.clone(),
        connector: integration.connector.clone(),
        digest: integration.digest,
    }
}
