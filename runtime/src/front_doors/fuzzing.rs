//! A body on its way to a message, without a server around it: for fuzzing.

use std::time::Duration;

use super::logto::{Terms, posted, sentence};
use crate::api::Bounds;
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
    let life = Duration::from_secs(600);
    let bounds = Bounds {
        front_door_wait: life,
        time_to_live: life,
        invitation_time_to_live: life,
        upload: 0,
    };
    let terms = Terms {
        tenant,
        channel,
        bounds,
        now,
    };
    posted(body, terms).map_err(|error| {
        let told = sentence(&error);
        (error, told)
    })
}
