//! A body on its way to a message, without a server around it: for fuzzing.

use std::time::Duration;

use super::logto::{Terms, posted, sentence};
use crate::api::error::ApiError;
use crate::id::TenantId;
use crate::message::{Channel, Message};
use crate::time::Timestamp;

/// The message that a body in Logto's format asks for.
///
/// # Errors
/// Why it is refused, and the sentence that Logto shows for it.
pub fn logto(
    body: &[u8],
    tenant: TenantId,
    channel: Channel,
    now: Timestamp,
) -> Result<Message, (ApiError, String)> {
    let terms = Terms {
        tenant,
        channel,
        expires_in: Duration::from_secs(600),
        now,
    };
    posted(body, terms).map_err(|error| {
        let told = sentence(&error);
        (error, told)
    })
}
