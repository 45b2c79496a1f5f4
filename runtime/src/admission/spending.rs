//! What one message takes of the limits over a time: of all of them, or of none.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};

use super::rate::{Spent, after_one};
use super::{Admission, AdmissionError, Use, lock};
use crate::message::Message;
use crate::store::{RecipientName, Spending, StoreError};

/// What a recipient was sent, as the outbox knows it too.
pub(super) struct Sent {
    name: RecipientName,
    spent: Mutex<[Spent; 3]>,
}

impl Admission {
    /// One message of the tenant's and of the recipient's rates. What is not in memory is on disk: nobody's count is
    /// lost because another's came, or because the process is a new one.
    pub(super) async fn spend(
        &self,
        message: &Message,
        used: &Use,
    ) -> Result<Spending, AdmissionError> {
        let (rates, now) = (&self.rates, message.created_at);
        self.recall_day(message, used).await?;
        // Before the recipient is looked up: what is refused here leaves no trace.
        after_one(&rates.messages, &lock(&used.messages), now)?;
        let recipient = self.recipient(message).await?;
        let mut sent = recipient.as_ref().map(|sent| lock(&sent.spent));
        let mut messages = lock(&used.messages);
        let next = after_one(&rates.messages, &messages, now)?;
        if let Some(spent) = &mut sent {
            **spent = after_one(&rates.recipient, spent, now)?;
        }
        *messages = next;
        let [_, day] = next;
        Ok(Spending {
            messages_day: rates.messages[1].is_some().then_some(day),
            recipient: recipient
                .as_ref()
                .zip(sent)
                .map(|(sent, spent)| (sent.name, *spent)),
        })
    }

    /// Reads what the tenant has spent of its day, once for each time that it is remembered.
    async fn recall_day(&self, message: &Message, used: &Use) -> Result<(), StoreError> {
        if self.rates.messages[1].is_none() {
            return Ok(());
        }
        let recall = async || {
            let day = self.store.tenant_spent(&message.tenant).await?;
            let mut messages = lock(&used.messages);
            let [_, of_day] = &mut *messages;
            *of_day = day.max(*of_day);
            Ok::<_, StoreError>(())
        };
        used.recalled.get_or_try_init(recall).await?;
        Ok(())
    }

    /// What a recipient was sent, if that is limited.
    async fn recipient(&self, message: &Message) -> Result<Option<Arc<Sent>>, StoreError> {
        if self.rates.recipient.iter().all(Option::is_none) {
            return Ok(None);
        }
        let (tenant, channel) = (&message.tenant, message.channel);
        // Whether a mailbox tells capitals from small letters is its own secret: nobody gets twice as much by them.
        let meant = message.recipient.canonical().to_lowercase();
        let key = self.names.hash_one((tenant, channel, &meant));
        if let Some(sent) = self.recipients.get(&key) {
            return Ok(Some(sent));
        }
        let (name, spent) = self.store.recipient_spent(tenant, channel, &meant).await?;
        let sent = Arc::new(Sent {
            name,
            spent: Mutex::new(spent),
        });
        Ok(Some(self.recipients.get_with(key, || sent)))
    }
}
