//! What is to be sent: parsed once, valid ever after.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{MessageId, TenantId};
use crate::time::Timestamp;

/// Bytes of JSON that a payload may have.
pub const PAYLOAD_MAX: usize = 64 * 1024;
/// How deep a payload may nest.
pub const PAYLOAD_DEPTH_MAX: usize = 32;

/// Why a text is no part of a message. Never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct MessageError {
    /// The field in the caller's words, such as `to`.
    pub field: &'static str,
    /// What is wrong with it and what was expected.
    pub problem: String,
}

impl MessageError {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}

/// What a message travels by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
}

impl Channel {
    /// The word in API, database and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The channel of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "email" => Some(Self::Email),
            "sms" => Some(Self::Sms),
            _ => None,
        }
    }
}

/// What a message is for: the nine template types of Logto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum UsageType {
    SignIn,
    Register,
    ForgotPassword,
    OrganizationInvitation,
    Generic,
    UserPermissionValidation,
    BindNewIdentifier,
    MfaVerification,
    BindMfa,
}

impl UsageType {
    const ALL: [(Self, &'static str); 9] = [
        (Self::SignIn, "SignIn"),
        (Self::Register, "Register"),
        (Self::ForgotPassword, "ForgotPassword"),
        (Self::OrganizationInvitation, "OrganizationInvitation"),
        (Self::Generic, "Generic"),
        (Self::UserPermissionValidation, "UserPermissionValidation"),
        (Self::BindNewIdentifier, "BindNewIdentifier"),
        (Self::MfaVerification, "MfaVerification"),
        (Self::BindMfa, "BindMfa"),
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(usage, _)| *usage == self)
            .map_or("Generic", |(_, word)| word)
    }

    /// The usage type of a word.
    ///
    /// # Errors
    /// Names the nine words for any other.
    pub fn parse(word: &str) -> Result<Self, MessageError> {
        Self::ALL
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(usage, _)| usage)
            .ok_or_else(|| {
                let words: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
                MessageError::new("type", format!("must be one of {}", words.join(", ")))
            })
    }
}

/// An e-mail address or phone number, checked for its channel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(String);

impl Recipient {
    /// Checks a recipient. An e-mail address has one mailbox and at most 254 bytes (RFC 5321); a phone
    /// number has 3 to 20 digits, with `+`, blanks, dots, hyphens and parentheses between.
    ///
    /// # Errors
    /// Says what was expected, without the text.
    pub fn parse(channel: Channel, text: &str) -> Result<Self, MessageError> {
        if text.chars().any(char::is_control) {
            return Err(MessageError::new(
                "to",
                "must not contain control characters",
            ));
        }
        match channel {
            Channel::Email => check_mailbox(text)?,
            Channel::Sms => check_phone(text)?,
        }
        Ok(Self(text.to_owned()))
    }

    /// The recipient whole: only for the connector and the store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The recipient for eyes that need not know it: `f…@logto.io`, `…2671`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

fn mask(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local, domain)) => format!("{}…@{domain}", local.chars().take(1).collect::<String>()),
        None => {
            let digits = text.chars().count();
            let tail: String = text
                .chars()
                .skip(digits.saturating_sub(if digits > 8 { 4 } else { 2 }))
                .collect();
            format!("…{tail}")
        }
    }
}

fn check_mailbox(text: &str) -> Result<(), MessageError> {
    let wrong = |problem: &str| Err(MessageError::new("to", problem));
    if text.len() > 254 {
        return wrong("must be an e-mail address of at most 254 bytes");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return wrong("must be an e-mail address, such as name@example.com");
    };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let special = |c: char| c.is_whitespace() || "<>(),;:[]\\\"@".contains(c);
    if local.is_empty() || local.len() > 64 || (!quoted && local.contains(special)) {
        return wrong(
            "must be one e-mail address, such as name@example.com, without a display name",
        );
    }
    if domain.is_empty()
        || domain.starts_with('.')
        || domain.ends_with('.')
        || domain.contains(special)
    {
        return wrong("must be an e-mail address with a domain, such as name@example.com");
    }
    Ok(())
}

fn check_phone(text: &str) -> Result<(), MessageError> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let allowed = text
        .char_indices()
        .all(|(at, c)| c.is_ascii_digit() || " .-()".contains(c) || (c == '+' && at == 0));
    if allowed && (3..=20).contains(&digits) && text.len() <= 32 {
        Ok(())
    } else {
        Err(MessageError::new(
            "to",
            "must be a phone number of 3 to 20 digits, such as 14155552671",
        ))
    }
}

/// Template variables: the text of a JSON object, its keys in the caller's order.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    /// Checks that `raw` is an object within [`PAYLOAD_MAX`] and [`PAYLOAD_DEPTH_MAX`].
    ///
    /// # Errors
    /// Names the limit or the shape that was expected.
    pub fn parse(raw: &RawValue) -> Result<Self, MessageError> {
        let text = raw.get();
        if !text.starts_with('{') {
            return Err(MessageError::new("payload", "must be a JSON object"));
        }
        if text.len() > PAYLOAD_MAX {
            return Err(MessageError::new(
                "payload",
                format!("must be at most {PAYLOAD_MAX} bytes of JSON"),
            ));
        }
        if depth(text) > PAYLOAD_DEPTH_MAX {
            return Err(MessageError::new(
                "payload",
                format!("must nest at most {PAYLOAD_DEPTH_MAX} deep"),
            ));
        }
        Ok(Self(text.into()))
    }

    /// A payload that the store gives back.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The JSON text: holds codes and links.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of a top-level text field.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.0).ok()?;
        object.get(key)?.as_str().map(str::to_owned)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload(…)")
    }
}

/// Nesting of well-formed JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A message as accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identifier.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it travels by.
    pub channel: Channel,
    /// Whom it is for.
    pub recipient: Recipient,
    /// What it is for.
    pub usage_type: UsageType,
    /// Template variables.
    pub payload: Payload,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// Address of the person that asked for it.
    pub client_ip: Option<IpAddr>,
    /// The caller's key against double submission: 1 to 256 printable ASCII characters.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it must not be sent any more.
    pub expires_at: Timestamp,
}

impl Message {
    /// What a connector is given at `now`.
    #[must_use]
    pub fn outgoing(&self, now: Timestamp) -> OutgoingMessage {
        OutgoingMessage {
            recipient: self.recipient.expose().to_owned(),
            usage_type: self.usage_type.as_str().to_owned(),
            payload: self.payload.expose().to_owned(),
            locale: self.locale.clone(),
            client_ip: self.client_ip.map(|ip| ip.to_string()),
            content: None,
            idempotency_key: self.id.to_string(),
            expires_in: now.until(self.expires_at),
        }
    }
}

/// A message as a connector is given it. Texts, because a replayed case may hold any.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// E-mail address or phone number.
    pub recipient: String,
    /// One of the nine usage types.
    pub usage_type: String,
    /// Text of a JSON object.
    pub payload: String,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// IP address of the person that asked for the message.
    pub client_ip: Option<String>,
    /// A text that is rendered already.
    pub content: Option<Content>,
    /// The same over all attempts.
    pub idempotency_key: String,
    /// Time left.
    pub expires_in: Duration,
}

/// A text that overrides the settings' templates.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Subject line.
    pub subject: String,
    /// Body, in `content_type`.
    #[serde(rename = "content")]
    pub body: String,
    /// `text/html` unless it says otherwise.
    #[serde(default)]
    pub content_type: ContentType,
    /// Mailbox for replies.
    pub reply_to: Option<String>,
    /// Display name, mailbox, or both.
    pub send_from: Option<String>,
}

/// The media type of a rendered body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// HTML.
    #[default]
    #[serde(rename = "text/html")]
    Html,
    /// Plain text.
    #[serde(rename = "text/plain")]
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_checked_for_their_channel() {
        for good in [
            "foo@logto.io",
            "\"a b\"@example.com",
            "jörg@exämple.com",
            "A.B+c@X.org",
        ] {
            assert!(Recipient::parse(Channel::Email, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "foo",
            "@x.org",
            "a@",
            "a@b\r\nBcc: c@d",
            "a@b,c@d",
            "Foo <a@b.c>",
            "a b@c.d",
            "a\u{0}@b.c",
        ] {
            assert!(Recipient::parse(Channel::Email, bad).is_err(), "{bad}");
        }
        for good in ["14155552671", "+49 151 12345678", "(415) 555-2671"] {
            assert!(Recipient::parse(Channel::Sms, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "12",
            "1415555+2671",
            "abc",
            "1415\n5552671",
            "123456789012345678901",
        ] {
            assert!(Recipient::parse(Channel::Sms, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_masked_recipient_keeps_too_little_to_send_to() {
        assert_eq!(mask("foo@logto.io"), "f…@logto.io");
        assert_eq!(mask("14155552671"), "…2671");
        assert_eq!(mask("12345"), "…45");
    }

    #[test]
    fn payloads_are_objects_within_their_limits() {
        let parse =
            |text: &str| Payload::parse(&serde_json::from_str::<Box<RawValue>>(text).unwrap());
        assert_eq!(
            parse(r#"{"b":1,"a":"[[["}"#).unwrap().expose(),
            r#"{"b":1,"a":"[[["}"#
        );
        assert!(parse("[1]").is_err());
        assert!(parse(&format!("{{\"a\":{}1{}}}", "[".repeat(31), "]".repeat(31))).is_ok());
        assert!(parse(&format!("{{\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32))).is_err());
        assert!(parse(&format!("{{\"a\":\"{}\"}}", "x".repeat(PAYLOAD_MAX))).is_err());
    }
}
