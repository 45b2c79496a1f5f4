//! The end of an attempt: what is recorded of it, and what follows from that.

use std::sync::Arc;

use super::Core;
use super::attempt::dice;
use super::circuit::{Change, CircuitView, answers};
use super::dispatcher::STORE_PAUSE;
use super::plan::{Keeper, Unplanned};
use super::roster::RosterError;
use super::route::{Standing, standing};
use super::schedule::{Situation, schedule};
use crate::attempt::{Attempt, AttemptStart, MessageState, Outcome, Transition, Via};
use crate::id::{IntegrationId, TenantId};
use crate::message::{Channel, Origin};
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::store::{Claim, INTERRUPTED, Queue, Settled, StoreError};
use crate::time::Timestamp;

/// How the guest's call of an attempt went, where there was one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Called {
    /// The guest was ended by the host, for what it did itself.
    pub(super) trapped: bool,
    /// Its integration's secrets are being replaced.
    pub(super) rotating: bool,
}

impl Core {
    /// What follows from the outcome of an attempt, of whichever kind.
    pub(super) fn follow(
        &self,
        claim: &Claim,
        (outcome, now): (&Outcome, Timestamp),
        standing: &Standing,
        Called { trapped, rotating }: Called,
    ) -> Transition {
        let message = &claim.message;
        let situation = Situation {
            outcome,
            attempt: claim.attempt,
            channel: message.channel,
            possible_duplicate: claim.possible_duplicate,
            standing,
            trapped,
            rotating,
            created_at: message.created_at,
            now,
            expires_at: message.expires_at,
            once: message.origin == Origin::Test,
            dice: dice(),
        };
        schedule(&self.retry, &situation)
    }

    /// A process ended after this attempt was armed: nobody can tell whether the provider accepted. Its route may go
    /// on all the same.
    pub(super) async fn conclude_interrupted(
        self: &Arc<Self>,
        claim: Claim,
        start: AttemptStart,
    ) -> Result<Attempt, StoreError> {
        let interrupted = Failure::host(FailureKind::Unknown, "interrupted", INTERRUPTED);
        let outcome = Outcome::Failure(interrupted);
        let (route, attempts) = match self.history(&claim).await {
            Ok(found) => found,
            Err(RosterError::Store(error @ StoreError::Unavailable(_))) => return Err(error),
            // Without a route nothing stands in for the integration.
            Err(_) => Default::default(),
        };
        let tried = start.via.as_ref().map(|via| &via.integration);
        let open = self
            .circuits
            .open(&claim.message.tenant, &route, self.clock.now());
        let standing = standing(&route, &attempts, &open, tried);
        self.conclude(claim, start, outcome, &standing).await
    }

    /// A test has no second attempt: with its process went the settings that it tried.
    pub(super) async fn conclude_abandoned(
        self: &Arc<Self>,
        claim: Claim,
    ) -> Result<Attempt, StoreError> {
        let lost = "the server ended before the test was sent";
        let outcome =
            Outcome::Failure(Failure::host(FailureKind::Unavailable, "interrupted", lost));
        let start = self.unplanned_start(&claim, None);
        let once = Standing::default();
        self.conclude(claim, start, outcome, &once).await
    }

    /// Its time was over before the attempt could begin: not even a connection is made.
    pub(super) async fn conclude_late(
        self: &Arc<Self>,
        claim: Claim,
        start: AttemptStart,
    ) -> Result<Attempt, StoreError> {
        let late = "the message expired before the attempt began";
        let outcome = Outcome::Failure(Failure::host(FailureKind::Unavailable, "expired", late));
        let over = Standing::default();
        self.conclude(claim, start, outcome, &over).await
    }

    /// No integration could be tried: the next look at the route may find one.
    pub(super) async fn conclude_unplanned(
        self: &Arc<Self>,
        claim: Claim,
        unplanned: Unplanned,
    ) -> Result<Attempt, StoreError> {
        let outcome = Outcome::Failure(unplanned.error.failure());
        let start = self.unplanned_start(&claim, unplanned.via);
        let standing = unplanned.choice.map(|choice| choice.standing);
        let standing = standing.unwrap_or_default();
        self.conclude(claim, start, outcome, &standing).await
    }

    fn unplanned_start(&self, claim: &Claim, via: Option<Via>) -> AttemptStart {
        AttemptStart {
            number: claim.attempt,
            via,
            source: None,
            started_at: self.clock.now(),
            possible_duplicate: claim.possible_duplicate,
            passed_by: None,
        }
    }

    async fn conclude(
        self: &Arc<Self>,
        claim: Claim,
        start: AttemptStart,
        outcome: Outcome,
        standing: &Standing,
    ) -> Result<Attempt, StoreError> {
        let now = self.clock.now();
        let next = self.follow(&claim, (&outcome, now), standing, Called::default());
        let attempt = Attempt {
            start,
            ended_at: now,
            outcome,
            earlier_secrets: false,
            exchanges: WireRecord::default(),
            log: Vec::new(),
        };
        self.record(claim, attempt, next).await
    }

    /// Tries again until it is written, however long the store is away: what the provider said is not to be lost.
    /// Only another holder of the message ends that, or the process.
    pub(super) async fn record(
        self: &Arc<Self>,
        claim: Claim,
        attempt: Attempt,
        next: Transition,
    ) -> Result<Attempt, StoreError> {
        let pending = self.unrecorded.add(claim.message.id);
        while let Err(error) = self.store.record(&claim, &attempt, &next).await {
            if !matches!(error, StoreError::Unavailable(_)) {
                return Err(error);
            }
            tracing::warn!(message.id = %claim.message.id, %error, "an attempt is not recorded yet");
            tokio::time::sleep(STORE_PAUSE).await;
        }
        drop(pending);
        self.counts.attempt(claim.message.channel, &attempt.outcome);
        // A test may have settings that no route knows.
        if claim.message.origin != Origin::Test {
            self.noted(&claim.message.tenant, &attempt);
            if let Some(answers) = answers(&attempt) {
                self.places.told(&Queue::of(&claim.message), answers);
            }
        }
        self.report(&claim, &attempt, &next);
        let settled = Settled {
            id: claim.message.id,
            channel: claim.message.channel,
            state: next.state(),
        };
        self.settled(settled, Some(&attempt.outcome));
        if let Transition::Wait { until, .. } = next {
            self.places.due_at(until);
        }
        Ok(attempt)
    }

    /// What an attempt says of its integration's provider.
    fn noted(self: &Arc<Self>, tenant: &TenantId, attempt: &Attempt) {
        let Some((change, via)) = self
            .circuits
            .note(tenant, attempt)
            .zip(attempt.start.via.as_ref())
        else {
            return;
        };
        self.counts.circuits.add([change.as_str()]);
        let integration = &via.integration;
        match change {
            Change::Opened => tracing::warn!(
                %tenant, %integration,
                "the circuit is open: its provider is down; messages go by another integration of their route, or wait"
            ),
            Change::Closed => {
                tracing::info!(%tenant, %integration, "the circuit is closed: its provider answers");
                self.let_go(tenant, integration);
            }
        }
    }

    /// The message waits without an attempt. Who waits for its first one is told so.
    pub(super) async fn hold(
        self: &Arc<Self>,
        claim: &Claim,
        integration: &IntegrationId,
        until: Timestamp,
        by: Keeper,
    ) -> Result<(), StoreError> {
        let message = &claim.message;
        self.store.hold(&claim.hold(), integration, until).await?;
        self.waiters.answer(message.id, MessageState::Waiting, None);
        self.places.due_at(until);
        // Closed since it was looked at: what was let go then did not have this one.
        let (tenant, now) = (&message.tenant, self.clock.now());
        if by == Keeper::Circuit
            && self.circuits.view(tenant, integration, now) == CircuitView::Closed
        {
            self.let_go(tenant, integration);
        }
        Ok(())
    }

    /// Makes due what waits for an integration.
    pub(super) fn let_go(self: &Arc<Self>, tenant: &TenantId, integration: &IntegrationId) {
        let (core, tenant, integration) = (self.clone(), tenant.clone(), integration.clone());
        self.tasks.spawn(async move {
            for channel in [Channel::Email, Channel::Sms] {
                let queue = Queue {
                    tenant: tenant.clone(),
                    channel,
                };
                let go = async || {
                    core.store
                        .let_go(&queue, &integration, core.clock.now())
                        .await
                };
                // What stays behind for want of a store is due by itself before long.
                while go().await.unwrap_or(false) {}
            }
            core.places.due_at(Timestamp::default());
        });
    }

    fn report(&self, claim: &Claim, attempt: &Attempt, next: &Transition) {
        let duration_ms = attempt.start.started_at.until(attempt.ended_at).as_millis();
        let (message, via) = (&claim.message, attempt.start.via.as_ref());
        let integration = via.map_or("", |via| via.integration.as_str());
        let source = attempt
            .start
            .source
            .as_ref()
            .map_or("", |source| source.as_str());
        match &attempt.outcome {
            Outcome::Receipt(_) => tracing::info!(
                message.id = %message.id, tenant = %message.tenant, integration, source,
                attempt = attempt.start.number, duration_ms, "sent"
            ),
            Outcome::Failure(failure) => tracing::warn!(
                message.id = %message.id, tenant = %message.tenant, integration, source,
                attempt = attempt.start.number, duration_ms,
                kind = failure.kind.as_str(), code = failure.code.as_deref().unwrap_or(""), ?next, "not sent"
            ),
        }
    }
}
