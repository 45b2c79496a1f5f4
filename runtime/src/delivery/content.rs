//! A tenant's own text for a message: chosen for each send, handed to the connector as content.

use std::sync::Arc;

use super::Core;
use super::roster::ReadyIntegration;
use crate::message::{Message, OutgoingMessage};
use crate::store::StoreError;
use crate::template::{Languages, TemplateKey};
use crate::time::Timestamp;

/// What a tenant's templates of one channel are for, and how they stand in for each other.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) languages: Languages,
    pub(super) keys: Vec<TemplateKey>,
}

impl Core {
    /// What the connector is given at `now`: the message, and the tenant's template where one speaks
    /// for it. Its variables are not filled in: that is the connector's work, once. A connector that
    /// hands over gets none: what leaves through the lent integration is the operator's text.
    ///
    /// # Errors
    /// Those of the store: a template that cannot be read is not one that does not exist.
    pub(super) async fn outgoing(
        &self,
        ready: &ReadyIntegration,
        message: &Message,
        now: Timestamp,
    ) -> Result<OutgoingMessage, StoreError> {
        let mut outgoing = message.outgoing(now);
        if ready.connector.hands_over {
            return Ok(outgoing);
        }
        let (tenant, channel) = (&ready.integration.tenant, message.channel);
        let shelf: Arc<Shelf> = self.roster.shelf(tenant, channel).await?;
        if shelf.keys.is_empty() {
            return Ok(outgoing);
        }
        let locale = message.locale.as_ref().and_then(|tag| tag.parse().ok());
        let choices = shelf
            .languages
            .choose(&shelf.keys, locale.as_ref(), message.usage_type);
        for key in choices {
            // One that was deleted a moment ago leaves its place to the next.
            if let Some(details) = self.store.template_details(tenant, channel, key).await? {
                outgoing.content = Some(details.into_content());
                break;
            }
        }
        Ok(outgoing)
    }
}
