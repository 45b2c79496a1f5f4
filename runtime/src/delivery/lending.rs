//! Integrations whose connector only composes: what it hands over leaves through the integration that
//! the operator lends, from the operator's sources and counted against the tenant's cap.

use std::sync::Arc;

use tokio::time::Instant;

use super::Core;
use super::departure::{Departure, Warming};
use super::roster::{ReadyIntegration, RosterError};
use super::rotation::Out;
use crate::connector::CallReport;
use crate::egress::Arm;
use crate::email_service::{EmailService, Month};
use crate::id::{Digest, TenantId};
use crate::message::{Channel, OutgoingMessage};
use crate::outcome::{Failure, FailureKind};
use crate::store::StoreError;

mod nameless;

/// Template variables of a text in which nothing is left to fill in.
const NO_VARIABLES: &str = "{}";

/// An integration as it sends: itself, or with the one that sends for it.
pub(super) struct Sender {
    ready: Arc<ReadyIntegration>,
    lent: Option<Lent>,
}

struct Lent {
    ready: Arc<ReadyIntegration>,
    cap: u64,
}

impl Sender {
    /// The integration that the tenant configured.
    pub(super) fn ready(&self) -> &ReadyIntegration {
        &self.ready
    }

    /// The integration that the message leaves through.
    pub(super) fn outward(&self) -> &ReadyIntegration {
        self.lent.as_ref().map_or(&self.ready, |lent| &lent.ready)
    }
}

impl Core {
    /// Who sends for `ready`.
    ///
    /// # Errors
    /// [`RosterError::NotLent`] where its connector hands over and the operator lends nothing that can
    /// send, [`RosterError::NotLentTo`] where not to it; those of the store.
    pub(super) async fn sender(&self, ready: Arc<ReadyIntegration>) -> Result<Sender, RosterError> {
        if !ready.connector.hands_over {
            return Ok(Sender { ready, lent: None });
        }
        let (service, lent) = self.lent_to(ready.connector.digest).await?;
        let lent = Lent {
            ready: lent,
            cap: service.cap(&ready.integration.tenant),
        };
        Ok(Sender {
            ready,
            lent: Some(lent),
        })
    }

    /// What the operator lends to a component, and the integration ready to send.
    ///
    /// # Errors
    /// [`RosterError::NotLent`] where nothing is lent that can send, [`RosterError::NotLentTo`] where not to it;
    /// those of the store.
    pub(super) async fn lent_to(
        &self,
        digest: Digest,
    ) -> Result<(EmailService, Arc<ReadyIntegration>), RosterError> {
        let service = self.store.email_service().await?;
        let service = service.ok_or(RosterError::NotLent)?;
        if !service.admits(digest) {
            return Err(RosterError::NotLentTo(digest));
        }
        let lent = self.roster.active(&service.tenant, &service.integration);
        let lent = match lent.await {
            Err(RosterError::Store(error)) => return Err(error.into()),
            lent => lent.ok().filter(|lent| may_be_lent(lent)),
        };
        let lent = lent.ok_or(RosterError::NotLent)?;
        Ok((service, lent))
    }

    /// Runs the integration's guest, and the lent one's after it where there is one.
    ///
    /// # Errors
    /// Those of the store, before anything is sent.
    pub(super) async fn run(
        &self,
        sender: &Sender,
        departure: Option<Departure>,
        message: OutgoingMessage,
        arm: Arm,
    ) -> Result<CallReport, StoreError> {
        let warming = Warming::new(self, departure.as_ref());
        let report = self.run_guests(sender, departure, message, warming.before(arm));
        Ok(warming.told(report.await?))
    }

    async fn run_guests(
        &self,
        sender: &Sender,
        departure: Option<Departure>,
        message: OutgoingMessage,
        arm: Arm,
    ) -> Result<CallReport, StoreError> {
        let deadline = Instant::now() + self.limits(sender.outward()).wall();
        let ready = sender.ready();
        let Some(lent) = &sender.lent else {
            let out = Out {
                departure,
                arm: Some(arm),
                deadline,
                original: None,
            };
            return Ok(self.call_by_version(ready, message, out).await);
        };
        // It asks for no host, so its policy lets it reach none.
        let exit = self.open(ready, &ready.newest, None, None, deadline);
        let mut composed = self.call(ready, message.clone(), None, exit).await;
        let content = match (&composed.result, composed.handover.take()) {
            (Err(_), _) => return Ok(composed),
            (Ok(_), Some(content)) => content,
            (Ok(_), None) => {
                let words = "the connector reports success and handed nothing over";
                return Ok(failed(composed, FailureKind::Rejected, "handover", words));
            }
        };
        let (tenant, month) = (&ready.integration.tenant, Month::of(self.clock.now()));
        if !self.store.count_email(tenant, &month, lent.cap).await? {
            let words = format!(
                "the tenant's {} messages of {month} through the built-in e-mail service are used up",
                lent.cap
            );
            return Ok(failed(
                composed,
                FailureKind::Throttled,
                "email-cap",
                &words,
            ));
        }
        // The lent integration's call has the text, not which part of it is the code.
        let original = Some(message.clone());
        let message = OutgoingMessage {
            payload: NO_VARIABLES.to_owned(),
            content: Some(content),
            ..message
        };
        let out = Out {
            departure,
            arm: Some(arm),
            deadline,
            original,
        };
        let mut sent = self.call_by_version(&lent.ready, message, out).await;
        sent.log = composed.log;
        self.settle_use(tenant, &month, &sent).await;
        sent.result = sent.result.map_err(|failure| lenders(lent, failure));
        nameless::make(&mut sent);
        Ok(sent)
    }

    /// Gives back what was counted for a message that surely was not taken.
    async fn settle_use(&self, tenant: &TenantId, month: &Month, sent: &CallReport) {
        if sent.wire.accepted() || sent.wire.ambiguous() {
            return;
        }
        // What came of the attempt is worth more than a count that is one too high.
        if let Err(error) = self.store.discount_email(tenant, month).await {
            tracing::warn!(%error, %tenant, "an unsent message stays counted");
        }
    }
}

/// A loop of composers would never send.
fn may_be_lent(ready: &ReadyIntegration) -> bool {
    !ready.connector.hands_over && ready.connector.info.channel == Channel::Email
}

fn failed(report: CallReport, kind: FailureKind, code: &str, words: &str) -> CallReport {
    CallReport {
        result: Err(Failure::host(kind, code, words)),
        ..report
    }
}

/// What a tenant learns of the lent integration's failure: what is wrong with the operator's settings
/// is the operator's business, and a later attempt may succeed.
fn lenders(lent: &Lent, failure: Failure) -> Failure {
    use FailureKind::{InvalidSettings, TemplateNotFound, Unauthorized};
    if !matches!(
        failure.kind,
        InvalidSettings | TemplateNotFound | Unauthorized
    ) {
        return failure;
    }
    let integration = &lent.ready.integration;
    tracing::error!(
        tenant = %integration.tenant, integration = %integration.id, kind = failure.kind.as_str(),
        failure = failure.message, "the lent integration cannot send"
    );
    let words = "the operator's integration behind the built-in e-mail service cannot send";
    Failure::host(FailureKind::Unavailable, "email-service", words)
}
