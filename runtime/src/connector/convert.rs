//! Between the contract's types and the host's words: the one seam where the contract's version shows.

use std::time::Duration;

use super::bindings::types;
use super::error::ConnectorError;
use super::host_log::head;
use super::state::State;
use crate::limits::{Limit, Limits};
use crate::message::{Channel, Content, ContentType, OutgoingMessage, sender};
use crate::outcome::{Failure, FailureKind, Receipt};
use crate::redaction::Redaction;

const PROVIDER_MESSAGE_ID_MAX: usize = 256;
const CODE_MAX: usize = 64;
const TEXT_MAX: usize = 4 << 10;

/// A provider may ask to wait for a day, not for ever.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl types::Host for State {}

/// What the guest is given.
pub(super) fn message(message: OutgoingMessage) -> types::Message {
    types::Message {
        recipient: message.recipient,
        usage_type: message.usage_type,
        payload: message.payload,
        locale: message.locale,
        client_ip: message.client_ip,
        content: message.content.map(content),
        idempotency_key: message.idempotency_key,
        expires_in: u64::try_from(message.expires_in.as_millis()).unwrap_or(u64::MAX),
    }
}

fn content(content: Content) -> types::Content {
    types::Content {
        subject: content.subject,
        body: content.body,
        content_type: match content.content_type {
            ContentType::Html => types::ContentType::TextHtml,
            ContentType::Plain => types::ContentType::TextPlain,
        },
        text: content.text,
        reply_to: content.reply_to,
        send_from: content.send_from,
    }
}

/// What a guest hands over: address and domain are the operator's, so nothing but a display name is
/// left of the sender.
pub(super) fn handed_over(content: types::Content) -> Content {
    Content {
        subject: content.subject,
        body: content.body,
        content_type: match content.content_type {
            types::ContentType::TextHtml => ContentType::Html,
            types::ContentType::TextPlain => ContentType::Plain,
        },
        text: content.text,
        reply_to: None,
        send_from: content.send_from.as_deref().and_then(sender::display_name),
    }
}

/// What the guest answered, its texts redacted and cut.
pub(super) fn result(
    answer: Result<types::Receipt, types::Failure>,
    limits: &Limits,
    redaction: &Redaction,
) -> Result<Result<Receipt, Failure>, ConnectorError> {
    let size = match &answer {
        Ok(receipt) => {
            length(receipt.provider_message_id.as_deref()) + length(receipt.detail.as_deref())
        }
        Err(failure) => length(failure.code.as_deref()) + failure.message.len(),
    };
    if size > limits.result_bytes {
        let allowed = limits.result_bytes;
        let detail = format!("the connector's answer has {size} bytes, and {allowed} are allowed");
        return Err(ConnectorError::Limit {
            limit: Limit::Result,
            detail,
        });
    }
    let text = |text: String, max| clean(&text, max, redaction);
    Ok(match answer {
        Ok(receipt) => Ok(Receipt {
            provider_message_id: receipt
                .provider_message_id
                .map(|id| head(&redaction.name(&id), PROVIDER_MESSAGE_ID_MAX).to_owned()),
            detail: receipt.detail.map(|detail| text(detail, TEXT_MAX)),
        }),
        Err(failure) => Err(Failure {
            kind: kind(failure.kind),
            code: failure.code.map(|code| text(code, CODE_MAX)),
            message: text(failure.message, TEXT_MAX),
            retry_after: failure
                .retry_after
                .map(|millis| Duration::from_millis(millis).min(RETRY_AFTER_MAX)),
        }),
    })
}

fn length(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

/// Redacts before it cuts: a secret that the cut goes through would not be found.
fn clean(text: &str, max: usize, redaction: &Redaction) -> String {
    head(&redaction.text(text), max).to_owned()
}

const fn kind(kind: types::FailureKind) -> FailureKind {
    match kind {
        types::FailureKind::InvalidSettings => FailureKind::InvalidSettings,
        types::FailureKind::TemplateNotFound => FailureKind::TemplateNotFound,
        types::FailureKind::Rejected => FailureKind::Rejected,
        types::FailureKind::Unauthorized => FailureKind::Unauthorized,
        types::FailureKind::Throttled => FailureKind::Throttled,
        types::FailureKind::Unavailable => FailureKind::Unavailable,
        types::FailureKind::Unknown => FailureKind::Unknown,
    }
}

pub(super) const fn channel(channel: types::Channel) -> Channel {
    match channel {
        types::Channel::Email => Channel::Email,
        types::Channel::Sms => Channel::Sms,
    }
}
