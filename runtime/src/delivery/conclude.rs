//! The end of an attempt: what is recorded of it, and what follows from that.

use super::Core;
use super::attempt::{Unplanned, dice};
use super::dispatcher::STORE_PAUSE;
use super::route::Choice;
use super::schedule::{Situation, schedule};
use crate::attempt::{Attempt, AttemptStart, Outcome, Transition, Via};
use crate::message::Origin;
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::store::{Claim, Settled, StoreError};

impl Core {
    /// A process ended after this attempt was armed: nobody can tell whether the provider accepted.
    pub(super) async fn conclude_interrupted(
        &self,
        claim: Claim,
        start: AttemptStart,
    ) -> Result<Attempt, StoreError> {
        let lost =
            "the server ended while the attempt was under way: the provider may have accepted";
        let outcome = Outcome::Failure(Failure::host(FailureKind::Unknown, "interrupted", lost));
        self.conclude(claim, start, outcome, None).await
    }

    /// A test has no second attempt: with its process went the settings that it tried.
    pub(super) async fn conclude_abandoned(&self, claim: Claim) -> Result<Attempt, StoreError> {
        let lost = "the server ended before the test was sent";
        let outcome =
            Outcome::Failure(Failure::host(FailureKind::Unavailable, "interrupted", lost));
        let start = self.unplanned_start(&claim, None);
        self.conclude(claim, start, outcome, None).await
    }

    /// Its time was over before the attempt could begin: not even a connection is made.
    pub(super) async fn conclude_late(
        &self,
        claim: Claim,
        start: AttemptStart,
    ) -> Result<Attempt, StoreError> {
        let late = "the message expired before the attempt began";
        let outcome = Outcome::Failure(Failure::host(FailureKind::Unavailable, "expired", late));
        self.conclude(claim, start, outcome, None).await
    }

    /// No integration could be tried: the next look at the route may find one.
    pub(super) async fn conclude_unplanned(
        &self,
        claim: Claim,
        unplanned: Unplanned,
    ) -> Result<Attempt, StoreError> {
        let outcome = Outcome::Failure(unplanned.error.failure());
        let start = self.unplanned_start(&claim, unplanned.via);
        self.conclude(claim, start, outcome, unplanned.choice).await
    }

    fn unplanned_start(&self, claim: &Claim, via: Option<Via>) -> AttemptStart {
        AttemptStart {
            number: claim.attempt,
            via,
            source: None,
            started_at: self.clock.now(),
            possible_duplicate: claim.possible_duplicate,
        }
    }

    async fn conclude(
        &self,
        claim: Claim,
        start: AttemptStart,
        outcome: Outcome,
        choice: Option<Choice>,
    ) -> Result<Attempt, StoreError> {
        let now = self.clock.now();
        let next = schedule(
            &self.retry,
            &Situation {
                outcome: &outcome,
                attempt: start.number,
                channel: claim.message.channel,
                possible_duplicate: start.possible_duplicate,
                fallback: choice.as_ref().is_some_and(|choice| choice.fallback),
                tries: choice.map_or(1, |choice| choice.tries),
                trapped: false,
                now,
                expires_at: claim.message.expires_at,
                once: claim.message.origin == Origin::Test,
                dice: dice(),
            },
        );
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

    /// Tries again while the store is away and the claim is ours: what the provider said is not to be
    /// lost to a disk that is full for a while.
    pub(super) async fn record(
        &self,
        claim: Claim,
        attempt: Attempt,
        next: Transition,
    ) -> Result<Attempt, StoreError> {
        while let Err(error) = self.store.record(&claim, &attempt, &next).await {
            let away = matches!(error, StoreError::Unavailable(_));
            if !away || self.clock.now() >= claim.lease_until || self.stopping.is_cancelled() {
                return Err(error);
            }
            tracing::warn!(message.id = %claim.message.id, %error, "an attempt is not recorded yet");
            let _ = tokio::time::timeout(STORE_PAUSE, self.stopping.cancelled()).await;
        }
        self.counts.attempt(claim.message.channel, &attempt.outcome);
        self.report(&claim, &attempt, &next);
        let settled = Settled {
            id: claim.message.id,
            channel: claim.message.channel,
            state: next.state(),
        };
        self.settled(settled, Some(&attempt.outcome));
        if let Transition::Wait { until, .. } = next {
            self.due_at(until);
        }
        Ok(attempt)
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
