//! The way between the contract's `handover` interface and this crate's types.

use super::bindings::sendbox::connector::{handover, types};
use super::{kind_of, message_of, result};
use crate::failure::Failure;
use crate::handover::Composer;
use crate::message::{Content, ContentType};

/// The answer to `send`: one text handed over to the host.
///
/// # Errors
/// The connector's failure.
pub fn compose<C: Composer>(
    settings: &str,
    message: types::Message,
) -> Result<types::Receipt, types::Failure> {
    let answer = message_of(settings, message)
        .and_then(|message| crate::handover::send::<C>(settings, &message, submit));
    result(answer)
}

fn submit(content: Content) -> Result<(), Failure> {
    let content = types::Content {
        subject: content.subject,
        body: content.body,
        content_type: match content.content_type {
            ContentType::Html => types::ContentType::TextHtml,
            ContentType::Plain => types::ContentType::TextPlain,
        },
        text: content.text,
        reply_to: content.reply_to,
        send_from: content.send_from,
    };
    handover::submit(&content).map_err(|failure| Failure {
        kind: kind_of(failure.kind),
        code: failure.code,
        message: failure.message,
        retry_after: failure.retry_after,
    })
}
