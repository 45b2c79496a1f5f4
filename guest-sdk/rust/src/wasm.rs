//! The contract's bindings, and the way between its types and this crate's. Only in a component.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::connector::{self, About, Channel, Connector, Receipt};
use crate::failure::{Failure, FailureKind};
use crate::http::{Credential, HttpError, Request, Response};
use crate::message::{Content, ContentType, Message};
use crate::payload::Payload;
use crate::settings;

#[expect(
    missing_docs,
    clippy::all,
    clippy::restriction,
    reason = "generated from wit/"
)]
mod bindings {
    wit_bindgen::generate!({
        world: "connector",
        path: "../../wit",
        pub_export_macro: true,
        default_bindings_module: "sendbox_guest::wasm",
        generate_all,
    });
}

pub use bindings::exports::sendbox::connector::send_message as guest;
#[doc(hidden)]
pub use bindings::*;

use bindings::sendbox::connector::{http, types};

pub mod handover;
#[cfg(feature = "smtp")]
pub mod smtp;

/// The answer to `describe`.
#[must_use]
pub fn describe(about: &About) -> types::ConnectorInfo {
    let by_tag = |texts: &[(&str, &str)]| {
        let texts = texts.iter();
        texts
            .map(|(tag, text)| ((*tag).into(), (*text).into()))
            .collect()
    };
    types::ConnectorInfo {
        id: about.id.into(),
        channel: match about.channel {
            Channel::Email => types::Channel::Email,
            Channel::Sms => types::Channel::Sms,
        },
        version: about.version.into(),
        titles: by_tag(about.titles),
        descriptions: by_tag(about.descriptions),
        settings_schema: about.settings_schema.into(),
        hosts: about.hosts.iter().map(|host| (*host).into()).collect(),
        secret_grants: about.secret_grants.iter().map(grant).collect(),
        readme: about.readme.into(),
    }
}

/// The answer to `send`: one HTTP exchange through the host.
///
/// # Errors
/// The connector's failure.
pub fn send<C: Connector>(
    settings: &str,
    message: types::Message,
) -> Result<types::Receipt, types::Failure> {
    let answer = message_of(settings, message)
        .and_then(|message| connector::send::<C>(settings, &message, exchange));
    result(answer)
}

fn result(answer: Result<Receipt, Failure>) -> Result<types::Receipt, types::Failure> {
    let receipt = answer.map_err(failure)?;
    Ok(types::Receipt {
        provider_message_id: receipt.provider_message_id,
        detail: receipt.detail,
    })
}

fn exchange(request: Request) -> Result<Response, HttpError> {
    let response = http::send(&http::Request {
        method: request.method.into(),
        url: request.url,
        headers: request.headers,
        body: request.body,
        credential: match request.credential {
            Credential::None => http::Credential::None,
            Credential::Basic(user, password) => http::Credential::Basic((user, password)),
            Credential::Bearer(token) => http::Credential::Bearer(token),
            Credential::Header(name, value) => http::Credential::Header((name, value)),
        },
        timeout: request.timeout,
    })
    .map_err(|error| match error {
        http::HttpError::Denied => HttpError::Denied,
        http::HttpError::InvalidRequest(words) => HttpError::InvalidRequest(words),
        http::HttpError::Dns => HttpError::Dns,
        http::HttpError::Connect => HttpError::Connect,
        http::HttpError::Tls => HttpError::Tls,
        http::HttpError::Timeout => HttpError::Timeout,
        http::HttpError::Interrupted => HttpError::Interrupted,
        http::HttpError::ResponseTooLarge => HttpError::ResponseTooLarge,
    })?;
    Ok(Response {
        status: response.status,
        headers: response.headers,
        body: response.body,
        received_at: since_epoch().as_secs(),
    })
}

fn since_epoch() -> Duration {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.unwrap_or_default()
}

fn message_of(settings: &str, message: types::Message) -> Result<Message, Failure> {
    // The first draw of the send, before anything else can take from the random source.
    let random = wasip2::random::random::get_random_bytes(16);
    let nonce = random.try_into().unwrap_or_default();
    Ok(Message {
        now_ms: u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX),
        nonce,
        unescaped_html: settings::unescaped_html(settings),
        payload: Payload::parse(&message.payload)?,
        recipient: message.recipient,
        usage_type: message.usage_type,
        locale: message.locale,
        client_ip: message.client_ip,
        content: message.content.map(|content| Content {
            subject: content.subject,
            body: content.body,
            content_type: match content.content_type {
                types::ContentType::TextHtml => ContentType::Html,
                types::ContentType::TextPlain => ContentType::Plain,
            },
            text: content.text,
            reply_to: content.reply_to,
            send_from: content.send_from,
        }),
        idempotency_key: message.idempotency_key,
        expires_in: message.expires_in,
    })
}

fn grant(grant: &connector::SecretGrant) -> types::SecretGrant {
    types::SecretGrant {
        setting: grant.setting.into(),
        query: grant.query,
        body: grant.body,
        signing: grant.signing,
    }
}

const fn kind_of(kind: types::FailureKind) -> FailureKind {
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

fn failure(failure: Failure) -> types::Failure {
    types::Failure {
        kind: match failure.kind {
            FailureKind::InvalidSettings => types::FailureKind::InvalidSettings,
            FailureKind::TemplateNotFound => types::FailureKind::TemplateNotFound,
            FailureKind::Rejected => types::FailureKind::Rejected,
            FailureKind::Unauthorized => types::FailureKind::Unauthorized,
            FailureKind::Throttled => types::FailureKind::Throttled,
            FailureKind::Unavailable => types::FailureKind::Unavailable,
            FailureKind::Unknown => types::FailureKind::Unknown,
        },
        code: failure.code,
        message: failure.message,
        retry_after: failure.retry_after,
    }
}
