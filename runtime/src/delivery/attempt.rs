//! One attempt from claim to record: steps 4 to 10 of a message's way, top to bottom.

use std::sync::Arc;

use tokio::time::Instant;

use super::Core;
use super::conclude::Called;
use super::departure::Departure;
use super::plan::{NoPlan, Plan, Unplanned, via};
use super::roster::{ReadyIntegration, RosterError, Version};
use super::verdict::verdict;
use crate::attempt::{Attempt, AttemptStart, Outcome};
use crate::connector::{Call, CallReport, GuestClock};
use crate::egress::{Arm, EgressScope, Transport};
use crate::fault;
use crate::limits::{Limit, Limits};
use crate::message::{Origin, OutgoingMessage};
use crate::settings::Placeholders;
use crate::store::{Claim, Lease, StoreError};

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
            Err(NoPlan::Held {
                integration,
                until,
                by,
            }) => return self.hold(&claim, &integration, until, by).await,
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

pub(super) fn dice() -> u64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes
        .iter()
        .take(6)
        .fold(0, |dice, byte| dice << 8 | u64::from(*byte))
}
