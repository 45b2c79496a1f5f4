//! Test sends: messages that go through one integration, with the settings that it is given here, once.

use std::sync::Arc;

use super::plan::Plan;
use super::roster::{ReadyIntegration, RosterError};
use super::route::Choice;
use super::{Core, Delivery};
use crate::attempt::Attempt;
use crate::message::Message;
use crate::store::{Accepted, Queue, Spending, StoreError};

/// Why a test was not sent. Nothing was accepted, unless it is the store that went away in between.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// Its tenant, or the server, has as many sends under way as may be.
    #[error("as many sends are under way as may be: try again in a moment")]
    NoPlace,
    /// The integration cannot send.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

impl From<StoreError> for TestError {
    fn from(error: StoreError) -> Self {
        Self::Roster(error.into())
    }
}

impl Delivery {
    /// Makes a test durable, with what it spends of limits, sends it through an integration as it stands, and answers its only attempt. It is
    /// never tried again: `ready` may hold settings that are nowhere but in this call. Runs to its end also when
    /// the caller goes away, and a server that stops waits for it.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn test(
        &self,
        ready: ReadyIntegration,
        message: Message,
        spending: Spending,
    ) -> Result<Attempt, TestError> {
        let core = self.core.clone();
        let test = self.core.tasks.spawn(core.test(ready, message, spending));
        test.await.unwrap_or_else(|error| {
            let words = format!("the test was interrupted: {error}");
            Err(StoreError::Unavailable(words).into())
        })
    }
}

impl Core {
    async fn test(
        self: Arc<Self>,
        ready: ReadyIntegration,
        message: Message,
        spending: Spending,
    ) -> Result<Attempt, TestError> {
        let sender = self.sender(Arc::new(ready)).await?;
        let departure = self.departure(&sender, None).await?;
        let place = self.place(Queue::of(&message)).ok_or(TestError::NoPlace)?;
        let lease = self.lease(message.created_at);
        let accepted = self.store.accept_counted(&message, Some(lease), spending);
        let Accepted::New(Some(claim)) = accepted.await? else {
            let words = "the test was late before it was accepted";
            return Err(StoreError::Unavailable(words.to_owned()).into());
        };
        self.counts.accepted.add([message.channel.as_str()]);
        let plan = Plan {
            choice: Choice::only(sender.ready().integration.id.clone()),
            sender,
            departure,
            passed_by: None,
        };
        let attempt = self.attempt_by(claim, plan).await?;
        drop(place);
        Ok(attempt)
    }
}
