//! One attempt from claim to record: steps 4 to 10 of a message's way, top to bottom.

use std::sync::Arc;

use tokio::time::Instant;

use super::Core;
use super::conclude::Called;
use super::departure::{Departure, failed_by_source};
use super::lending::Sender;
use super::roster::{ReadyIntegration, RosterError, Version};
use super::route::{Choice, choose};
use super::schedule::latest;
use super::verdict::verdict;
use crate::attempt::{Attempt, AttemptStart, Outcome, Via};
use crate::connector::{Call, CallReport, GuestClock};
use crate::egress::{Arm, EgressScope, Transport};
use crate::fault;
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::limits::{Limit, Limits};
use crate::message::{Origin, OutgoingMessage};
use crate::settings::Placeholders;
use crate::store::{Claim, Lease, StoreError};
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
enum NoPlan {
    /// None can be made, which is an attempt that failed.
    Unplanned(Unplanned),
    /// The integration's provider is down: there is no attempt before `until`.
    Held {
        integration: IntegrationId,
        until: Timestamp,
    },
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
    fn at(choice: Choice, via: Option<Via>, error: RosterError) -> Self {
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

/// One send's way out, with the settings whose secrets it fills in.
pub(super) struct Exit {
    settings: String,
    placeholders: Placeholders,
    scope: Arc<EgressScope>,
    deadline: Instant,
}

impl Core {
    /// Makes the attempt that `claim` stands for and records it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] where another holds the message now. [`StoreError::Unavailable`] where the store went
    /// away before anything was sent: the claim is to be given back.
    pub(super) async fn attempt(self: &Arc<Self>, claim: Claim) -> Result<(), StoreError> {
        if let Some(start) = claim
            .interrupted
            .as_ref()
            .and_then(|interrupted| interrupted.start.clone())
        {
            return self.conclude_interrupted(claim, start).await.map(drop);
        }
        if claim.message.origin == Origin::Test {
            return self.conclude_abandoned(claim).await.map(drop);
        }
        let plan = match self.plan(&claim).await {
            Ok(plan) => plan,
            Err(NoPlan::Held { integration, until }) => {
                return self.hold(&claim, &integration, until).await;
            }
            Err(NoPlan::Unplanned(Unplanned {
                error: RosterError::Store(error @ StoreError::Unavailable(_)),
                ..
            })) => return Err(error),
            Err(NoPlan::Unplanned(unplanned)) => {
                return self.conclude_unplanned(claim, unplanned).await.map(drop);
            }
        };
        self.attempt_by(claim, plan).await.map(drop)
    }

    /// Makes the attempt by a plan and records it.
    ///
    /// # Errors
    /// As [`Core::attempt`].
    pub(super) async fn attempt_by(
        self: &Arc<Self>,
        claim: Claim,
        plan: Plan,
    ) -> Result<Attempt, StoreError> {
        let mut start = self.start(&claim, &plan);
        if start.started_at >= claim.message.expires_at {
            return self.conclude_late(claim, start).await;
        }
        let arm = self.arm(&claim, &start);
        let ready = plan.sender.ready();
        let outgoing = self.outgoing(ready, &claim.message, start.started_at);
        let called = match outgoing.await {
            Ok(message) => {
                fault::pass("call.prepared");
                self.run(&plan.sender, plan.departure, message, arm).await
            }
            Err(error) => Err(error),
        };
        let report = match called {
            Ok(report) => report,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let unplanned = Unplanned::at(plan.choice, start.via, error.into());
                return self.conclude_unplanned(claim, unplanned).await;
            }
        };
        fault::pass("call.answered");
        // A mail may have named another source of the pool.
        start.source = report.source.or(start.source);
        let outcome = verdict(report.result, report.trapped, &report.wire);
        let now = self.clock.now();
        let called = Called {
            trapped: report.trapped && !is_for_others(&outcome),
            rotating: plan.sender.ready().earlier.is_some(),
        };
        let next = self.follow(&claim, (&outcome, now), &plan.choice.standing, called);
        let attempt = Attempt {
            start,
            ended_at: now,
            outcome,
            earlier_secrets: report.earlier_secrets,
            exchanges: report.wire,
            log: report.log,
        }
        .within(self.limits.attempt_bytes);
        self.record(claim, attempt, next).await
    }

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

    async fn plan(&self, claim: &Claim) -> Result<Plan, NoPlan> {
        let (route, attempts) = self.history(claim).await?;
        let (tenant, now) = (&claim.message.tenant, self.clock.now());
        let open = self.circuits.open(tenant, &route, now);
        let choice = choose(&route, &attempts, &open).ok_or(RosterError::Missing)?;
        let passed_by = passed_by(&choice, &route, &attempts, &open);
        let chosen = &choice.integration;
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
        let latest = latest(claim.message.created_at, claim.message.expires_at);
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

    fn start(&self, claim: &Claim, plan: &Plan) -> AttemptStart {
        AttemptStart {
            number: claim.attempt,
            via: Some(via(&plan.choice, &plan.sender.ready().integration)),
            source: plan.departure.as_ref().map(|by| by.source.name.clone()),
            started_at: self.clock.now(),
            possible_duplicate: claim.possible_duplicate,
            passed_by: plan.passed_by.clone(),
        }
    }

    /// What makes the attempt durable before its first byte leaves, and its lease as long as a send may take.
    fn arm(&self, claim: &Claim, start: &AttemptStart) -> Arm {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let (armed, lasts) = ((claim.clone(), start.clone()), self.lease_time());
        Arc::new(move |source| {
            let (store, (claim, mut start)) = (store.clone(), armed.clone());
            // What comes after is counted from here, by a clock that nobody sets.
            let (now, began) = (clock.now(), Instant::now());
            start.source = source;
            Box::pin(async move {
                let lease = Lease {
                    now,
                    until: now.after(lasts),
                };
                store.arm(&claim, &start, lease).await.ok()?;
                let end = claim.message.expires_at.min(lease.until);
                Some(began + now.until(end))
            })
        })
    }

    /// What a send of this integration may use.
    pub(super) fn limits(&self, ready: &ReadyIntegration) -> &Arc<Limits> {
        match ready.connector.speaks_smtp {
            true => &self.smtp_limits,
            false => &self.limits,
        }
    }

    /// Opens one send's way out, with new placeholders for its settings.
    pub(super) fn open(
        &self,
        ready: &ReadyIntegration,
        version: &Version,
        departure: Option<Departure>,
        arm: Option<Arm>,
        deadline: Instant,
    ) -> Exit {
        let (source, pool) = match departure {
            Some(Departure { source, pool }) => (Some(source), pool),
            None => (None, Arc::default()),
        };
        let (settings, placeholders) = version.settings.fill(uuid::Uuid::new_v4().into_bytes());
        let scope = EgressScope::new(
            Transport::Live(self.egress.clone()),
            ready.integration.tenant.clone(),
            ready.integration.id.clone(),
            ready.integration.revision,
            source,
            version.policy.clone(),
            placeholders.clone(),
            self.limits(ready).clone(),
            deadline,
            arm,
        )
        .among(pool);
        Exit {
            settings,
            placeholders,
            scope: Arc::new(scope),
            deadline,
        }
    }

    /// Runs a guest once. `original` is the message before it was composed, where that is another.
    pub(super) async fn call(
        &self,
        ready: &ReadyIntegration,
        message: OutgoingMessage,
        original: Option<OutgoingMessage>,
        exit: Exit,
    ) -> CallReport {
        let call = Call {
            settings: exit.settings,
            message,
            original,
            egress: exit.scope,
            placeholders: exit.placeholders,
            limits: self.limits(ready).clone(),
            deadline: exit.deadline,
            clock: GuestClock::System,
        };
        let report = self.runtime.call(&ready.connector, call).await;
        self.counts.limits_of(&report);
        report
    }
}

/// Whether a guest was ended, or did not begin, for what others take.
fn is_for_others(outcome: &Outcome) -> bool {
    let Outcome::Failure(failure) = outcome else {
        return false;
    };
    let limit = failure.code.as_deref().and_then(Limit::of_code);
    limit.is_some_and(Limit::is_shared)
}

fn via(choice: &Choice, integration: &Integration) -> Via {
    Via {
        integration: choice.integration.clone(),
        connector: integration.connector.clone(),
        digest: integration.digest,
    }
}

pub(super) fn dice() -> u64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes
        .iter()
        .take(6)
        .fold(0, |dice, byte| dice << 8 | u64::from(*byte))
}
