//! What a test would send, with nothing sent: the connector runs as in a send, up to the socket, and with words in place
//! of its secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::roster::ReadyIntegration;
use super::test_sends::TestError;
use super::{Core, Delivery};
use crate::connector::{Call, CallReport, GuestClock};
use crate::egress::{Capture, EgressScope, Transport};
use crate::message::{Message, OutgoingMessage};
use crate::secret::Secret;
use crate::settings::PreparedSettings;
use crate::store::Queue;

/// What came of a dry run.
pub struct DryRun {
    /// What the connector made of it.
    pub report: CallReport,
    /// What would have left.
    pub capture: Arc<Capture>,
}

impl Delivery {
    /// The requests and mails that a message would become, through an integration as it stands, at a provider that
    /// accepts them. It takes a place like a send.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn dry_run(
        &self,
        ready: &ReadyIntegration,
        message: &Message,
    ) -> Result<DryRun, TestError> {
        let core = &self.core;
        let place = core.place(Queue::of(message)).ok_or(TestError::NoPlace)?;
        let outgoing = core.outgoing(ready, message, core.clock.now()).await?;
        let (call, capture) = core.rehearsed(ready, outgoing);
        let report = core.runtime.call(&ready.connector, call).await;
        drop(place);
        Ok(DryRun { report, capture })
    }
}

impl Core {
    /// The call of a dry run, and what will have captured its requests.
    fn rehearsed(
        &self,
        ready: &ReadyIntegration,
        message: OutgoingMessage,
    ) -> (Call, Arc<Capture>) {
        let integration = &ready.integration;
        let words = |pointer: &String| (pointer.clone(), Secret::new(format!("[{pointer}]")));
        let secrets: BTreeMap<_, _> = integration.secrets.keys().map(words).collect();
        let grants = &ready.connector.info.secret_grants;
        let prepared = PreparedSettings::new(integration.settings.clone(), &secrets, grants);
        let (settings, placeholders) = prepared.fill(uuid::Uuid::new_v4().into_bytes());
        let limits = self.limits(ready);
        let capture = Arc::new(Capture::accepting(limits.requests as usize));
        let deadline = Instant::now() + limits.wall();
        let scope = EgressScope::new(
            Transport::Capture(capture.clone()),
            integration.tenant.clone(),
            integration.id.clone(),
            integration.revision,
            None,
            ready.newest.policy.clone(),
            placeholders.clone(),
            limits.clone(),
            deadline,
            None,
        );
        let call = Call {
            settings,
            message,
            original: None,
            egress: Arc::new(scope),
            placeholders,
            limits: limits.clone(),
            deadline,
            clock: GuestClock::System,
        };
        (call, capture)
    }
}
