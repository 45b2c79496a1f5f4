//! One attempt from claim to record: steps 4 to 10 of a message's way, top to bottom.

use std::sync::Arc;

use tokio::time::Instant;

use super::Core;
use super::departure::{Departure, failed_by_source};
use super::dispatcher::STORE_PAUSE;
use super::lending::Sender;
use super::roster::{ReadyIntegration, RosterError, Version};
use super::route::{Choice, choose};
use super::schedule::{Situation, schedule};
use super::verdict::verdict;
use crate::attempt::{Attempt, AttemptStart, Outcome, Transition, Via};
use crate::connector::{Call, CallReport, GuestClock};
use crate::egress::{Arm, EgressScope, Record, Transport};
use crate::fault;
use crate::id::SourceName;
use crate::limits::Limits;
use crate::message::OutgoingMessage;
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::settings::Placeholders;
use crate::store::{Claim, StoreError};

/// What the route and the roster decided for one attempt.
struct Plan {
    choice: Choice,
    sender: Sender,
    departure: Option<Departure>,
}

/// Why an attempt has no plan, and how far the planning came.
struct Unplanned {
    error: RosterError,
    via: Option<Via>,
    choice: Option<Choice>,
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

/// One send's way out, with the settings whose secrets it fills in.
pub(super) struct Exit {
    settings: String,
    placeholders: Placeholders,
    scope: Arc<EgressScope>,
    deadline: Instant,
}

/// How an attempt ended, for whoever waits for it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What came of it.
    pub outcome: Outcome,
    /// What happens to the message.
    pub next: Transition,
}

impl Core {
    /// Makes the attempt that `claim` stands for and records it.
    ///
    /// # Errors
    /// Those of the store: the message stays claimed and is found again when its lease lapses.
    pub(super) async fn attempt(&self, claim: Claim) -> Result<Ended, StoreError> {
        if let Some(start) = claim
            .interrupted
            .as_ref()
            .and_then(|interrupted| interrupted.start.clone())
        {
            return self.conclude_interrupted(claim, start).await;
        }
        let plan = match self.plan(&claim).await {
            Ok(plan) => plan,
            Err(Unplanned {
                error: RosterError::Store(error),
                ..
            }) => return Err(error),
            Err(unplanned) => return self.conclude_unplanned(claim, unplanned).await,
        };
        let mut start = self.start(&claim, &plan);
        if start.started_at >= claim.message.expires_at {
            return self.conclude_late(claim, start).await;
        }
        let arm = self.arm(&claim, &start);
        let ready = plan.sender.ready();
        let message = self
            .outgoing(ready, &claim.message, start.started_at)
            .await?;
        fault::pass("call.prepared");
        let report = self
            .run(&plan.sender, plan.departure, message, Some(arm))
            .await?;
        fault::pass("call.answered");
        // A mail may have named another source of the pool.
        start.source = report.source.or(start.source);
        let outcome = verdict(report.result, report.trapped, &report.wire);
        let now = self.clock.now();
        let next = schedule(
            &self.retry,
            &Situation {
                outcome: &outcome,
                attempt: start.number,
                channel: claim.message.channel,
                possible_duplicate: start.possible_duplicate,
                fallback: plan.choice.fallback,
                tries: plan.choice.tries,
                trapped: report.trapped,
                now,
                expires_at: claim.message.expires_at,
                dice: dice(),
            },
        );
        let attempt = Attempt {
            start,
            ended_at: now,
            outcome,
            earlier_secrets: report.earlier_secrets,
            exchanges: report.wire,
            log: report.log,
        };
        self.record(claim, attempt, next).await
    }

    async fn plan(&self, claim: &Claim) -> Result<Plan, Unplanned> {
        let message = &claim.message;
        let route = self.roster.route(&message.tenant, message.channel).await?;
        let attempts = match claim.attempt {
            0 | 1 => Vec::new(),
            _ => self
                .store
                .attempts(message.id)
                .await
                .map_err(RosterError::from)?,
        };
        let choice = choose(&route, &attempts).ok_or(RosterError::Missing)?;
        let ready = self
            .roster
            .active(&message.tenant, &choice.integration)
            .await?;
        let sender = self.sender(ready).await?;
        let last = attempts
            .last()
            .filter(|last| failed_by_source(&last.exchanges));
        let failed = last.and_then(|last| last.start.source.as_ref());
        match self.departure(&sender, failed).await {
            Ok(departure) => Ok(Plan {
                choice,
                sender,
                departure,
            }),
            // The route goes on to its next integration, which may leave by another pool.
            Err(error) => Err(Unplanned {
                error,
                via: Some(via(&choice, sender.ready())),
                choice: Some(choice),
            }),
        }
    }

    /// Where the next send leaves by; none where no pool is set. `failed` did not serve the attempt before.
    pub(super) async fn departure(
        &self,
        sender: &Sender,
        failed: Option<&SourceName>,
    ) -> Result<Option<Departure>, RosterError> {
        let Some(pool) = &sender.outward().pool else {
            return Ok(None);
        };
        let departure = self.roster.departure(pool, failed, self.clock.now());
        let departure = departure.await;
        if let Some(reason) = departure.as_ref().err().and_then(RosterError::pool_refusal) {
            self.counts.pools.add([reason]);
        }
        departure.map(Some)
    }

    fn start(&self, claim: &Claim, plan: &Plan) -> AttemptStart {
        AttemptStart {
            number: claim.attempt,
            via: Some(via(&plan.choice, plan.sender.ready())),
            source: plan.departure.as_ref().map(|by| by.source.name.clone()),
            started_at: self.clock.now(),
            possible_duplicate: claim.possible_duplicate,
        }
    }

    /// What makes the attempt durable before its first byte leaves, and how long it may.
    fn arm(&self, claim: &Claim, start: &AttemptStart) -> Arm {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let end = claim.message.expires_at.min(claim.lease_until);
        let until = Some(Instant::now() + clock.now().until(end));
        let armed = (claim.clone(), start.clone());
        let record: Record = Arc::new(move |source| {
            let (store, now, (claim, mut start)) = (store.clone(), clock.now(), armed.clone());
            start.source = source;
            Box::pin(async move {
                now < claim.message.expires_at && store.arm(&claim, &start, now).await.is_ok()
            })
        });
        Arm { record, until }
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

    /// Runs a guest once.
    pub(super) async fn call(
        &self,
        ready: &ReadyIntegration,
        message: OutgoingMessage,
        exit: Exit,
    ) -> CallReport {
        let call = Call {
            settings: exit.settings,
            message,
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

    /// A process ended after this attempt was armed: nobody can tell whether the provider accepted.
    async fn conclude_interrupted(
        &self,
        claim: Claim,
        start: AttemptStart,
    ) -> Result<Ended, StoreError> {
        let lost =
            "the server ended while the attempt was under way: the provider may have accepted";
        let outcome = Outcome::Failure(Failure::host(FailureKind::Unknown, "interrupted", lost));
        self.conclude(claim, start, outcome, None).await
    }

    /// Its time was over before the attempt could begin: not even a connection is made.
    async fn conclude_late(&self, claim: Claim, start: AttemptStart) -> Result<Ended, StoreError> {
        let late = "the message expired before the attempt began";
        let outcome = Outcome::Failure(Failure::host(FailureKind::Unavailable, "expired", late));
        self.conclude(claim, start, outcome, None).await
    }

    /// No integration could be tried: the next look at the route may find one.
    async fn conclude_unplanned(
        &self,
        claim: Claim,
        unplanned: Unplanned,
    ) -> Result<Ended, StoreError> {
        let outcome = Outcome::Failure(unplanned.error.failure());
        let start = AttemptStart {
            number: claim.attempt,
            via: unplanned.via,
            source: None,
            started_at: self.clock.now(),
            possible_duplicate: claim.possible_duplicate,
        };
        self.conclude(claim, start, outcome, unplanned.choice).await
    }

    async fn conclude(
        &self,
        claim: Claim,
        start: AttemptStart,
        outcome: Outcome,
        choice: Option<Choice>,
    ) -> Result<Ended, StoreError> {
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
    async fn record(
        &self,
        claim: Claim,
        attempt: Attempt,
        next: Transition,
    ) -> Result<Ended, StoreError> {
        while let Err(error) = self.store.record(&claim, &attempt, &next).await {
            let away = matches!(error, StoreError::Unavailable(_));
            if !away || self.clock.now() >= claim.lease_until || self.stopping.is_cancelled() {
                return Err(error);
            }
            tracing::warn!(message.id = %claim.message.id, %error, "an attempt is not recorded yet");
            let _ = tokio::time::timeout(STORE_PAUSE, self.stopping.cancelled()).await;
        }
        let channel = claim.message.channel;
        self.counts.attempt(channel, &attempt.outcome);
        self.counts.state(channel, next.state());
        self.report(&claim, &attempt, &next);
        Ok(Ended {
            outcome: attempt.outcome,
            next,
        })
    }
}

fn via(choice: &Choice, ready: &ReadyIntegration) -> Via {
    Via {
        integration: choice.integration.clone(),
        connector: ready.integration.connector.clone(),
        digest: ready.integration.digest,
    }
}

fn dice() -> u64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes
        .iter()
        .take(6)
        .fold(0, |dice, byte| dice << 8 | u64::from(*byte))
}
