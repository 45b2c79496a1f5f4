//! A tenant's share of the outbox.

use std::time::Duration;

use super::{Admission, AdmissionError, OverLimit};
use crate::limits::Limit;
use crate::message::Message;
use crate::time::Timestamp;

/// What a row holds beside payload and recipient, about.
const ROW: u64 = 256;
/// How long a full outbox is taken to be full.
const PAUSE: Duration = Duration::from_secs(1);

/// What a tenant has in the outbox, at most: what ended, or was refused for
/// another reason, since it was counted is still in it.
#[derive(Default)]
pub(super) struct Queue {
    messages: u64,
    bytes: u64,
    counted: bool,
    full: Option<(Timestamp, OverLimit)>,
}

impl Queue {
    /// A place for `message`. The outbox is counted at the first and whenever it may be full.
    pub(super) async fn take(
        &mut self,
        admission: &Admission,
        message: &Message,
    ) -> Result<(), AdmissionError> {
        let now = message.created_at;
        if let Some((until, over)) = &self.full
            && now < *until
        {
            return Err(over.clone().into());
        }
        let size = (message.payload.expose().len() + message.recipient.expose().len()) as u64 + ROW;
        if !self.counted || self.over(admission, size).is_some() {
            (self.messages, self.bytes) = admission.store.queued(&message.tenant).await?;
            self.counted = true;
        }
        if let Some(over) = self.over(admission, size) {
            self.full = Some((now.after(PAUSE), over.clone()));
            return Err(over.into());
        }
        self.full = None;
        self.messages += 1;
        self.bytes += size;
        Ok(())
    }

    /// The limit that `size` bytes more would go beyond.
    fn over(&self, admission: &Admission, size: u64) -> Option<OverLimit> {
        let limits = &admission.limits;
        let (messages, bytes) = (limits.queued_messages, limits.queued_bytes);
        let (limit, detail) = if self.messages >= messages {
            let words = format!("{messages} messages wait already (tenant_limits.queued_messages)");
            (Limit::QueuedMessages, words)
        } else if self.bytes.saturating_add(size) > bytes {
            let words = format!(
                "the messages that wait have {bytes} bytes already (tenant_limits.queued_bytes)"
            );
            (Limit::QueuedBytes, words)
        } else {
            return None;
        };
        Some(OverLimit {
            limit,
            detail,
            wait: Some(PAUSE),
        })
    }
}
