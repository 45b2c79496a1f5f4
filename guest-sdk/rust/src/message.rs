//! What is to be sent, as the host hands it over.

use serde::{Deserialize, Serialize};

use crate::escape::escape;
use crate::failure::{Failure, FailureKind, one_line};
use crate::payload::Payload;
use crate::template::{render, render_with};

/// How a body is to be read. In JSON, the media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// HTML.
    #[serde(rename = "text/html")]
    Html,
    /// Plain text.
    #[serde(rename = "text/plain")]
    Plain,
}

/// A text in place of the settings' templates.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Subject, one line.
    pub subject: String,
    /// Body.
    pub body: String,
    /// How to read the body.
    pub content_type: ContentType,
    /// Plain text of the same beside an HTML body.
    pub text: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// A display name, a mailbox, or `Name <mailbox>`.
    pub send_from: Option<String>,
}

impl Content {
    /// The body as HTML, and as plain text: what a mail has of each.
    #[must_use]
    pub fn parts(&self) -> (Option<&str>, Option<&str>) {
        match self.content_type {
            ContentType::Html => (Some(&self.body), self.text.as_deref()),
            ContentType::Plain => (None, Some(&self.body)),
        }
    }
}

/// One message for one recipient.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// E-mail address, or phone number as the caller gave it.
    pub recipient: String,
    /// One of the nine usage types, or a name that a connector treats as `Generic`.
    pub usage_type: String,
    /// Template variables.
    pub payload: Payload,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// Address of the person that asked for the message.
    pub client_ip: Option<String>,
    /// Overrides the settings' templates.
    pub content: Option<Content>,
    /// The same over all attempts of one message.
    pub idempotency_key: String,
    /// Milliseconds until the message expires.
    pub expires_in: u64,
    /// When this attempt began: milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Random, new for each attempt.
    pub nonce: [u8; 16],
    /// The settings' `unescapedHtml`: values stand in HTML as they are, markup included, as in Logto's own
    /// connectors. Whoever can choose a name writes the mail then.
    pub unescaped_html: bool,
}

impl Message {
    /// The template, plain text, with this message's variables filled in as they are. For HTML there is
    /// [`render_html`](Self::render_html).
    #[must_use]
    pub fn render(&self, template: &str) -> String {
        render(template, &self.payload)
    }

    /// [`render`](Self::render), on one line: for subjects and names.
    #[must_use]
    pub fn render_line(&self, template: &str) -> String {
        one_line(&self.render(template))
    }

    /// The template, HTML, with this message's variables filled in: a value is text there and never markup,
    /// unless the settings say otherwise.
    #[must_use]
    pub fn render_html(&self, template: &str) -> String {
        match self.unescaped_html {
            true => self.render(template),
            false => render_with(template, &self.payload, |value| escape(&value)),
        }
    }

    /// The template with this message's variables filled in for a body of a type.
    #[must_use]
    pub fn render_as(&self, content_type: ContentType, template: &str) -> String {
        match content_type {
            ContentType::Html => self.render_html(template),
            ContentType::Plain => self.render(template),
        }
    }

    /// The overriding content with its variables filled in; subject and addresses on one line. No value becomes
    /// markup or an address.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        self.content_as(self.content.as_ref()?.content_type)
    }

    /// [`content`](Self::content) with its body as one of this type, for providers that take no other.
    #[must_use]
    pub fn content_as(&self, content_type: ContentType) -> Option<Content> {
        self.content.as_ref().map(|content| Content {
            subject: self.render_line(&content.subject),
            body: self.render_as(content_type, &content.body),
            content_type,
            text: content.text.as_deref().map(|t| self.render(t)),
            reply_to: self.reply_to(),
            send_from: self.send_from(),
        })
    }

    /// The nonce as a random UUID (RFC 9562, 5.4).
    #[must_use]
    pub fn uuid(&self) -> String {
        let bits = u128::from_be_bytes(self.nonce);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xfff,
            bits >> 48 & 0x3fff | 0x8000,
            bits & 0xffff_ffff_ffff
        )
    }

    /// Refuses a recipient that could end a line of a protocol, before any request.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.recipient.contains(char::is_control) {
            return Err(Failure::new(
                FailureKind::Rejected,
                "the recipient contains control characters",
            ));
        }
        Ok(())
    }

    /// The failure without what its reader must not learn: a provider likes to repeat the
    /// recipient, and an echoing one the code.
    pub(crate) fn conceal(&self, mut failure: Failure) -> Failure {
        const SHORTEST: usize = 4;
        // Rendered, because a code may be a number; a missing one renders as itself.
        let variables = ["{{code}}", "{{link}}"].map(|variable| self.render(variable));
        let values = variables.iter().map(String::as_str).chain([
            self.recipient.as_str(),
            self.recipient.trim_start_matches('+'),
        ]);
        let mut values: Vec<_> = values.filter(|value| value.len() >= SHORTEST).collect();
        // A code may be a part of the number: it must not cut it in two that stay readable.
        while let Some((at, _)) = values.iter().enumerate().max_by_key(|(_, v)| v.len()) {
            let value = values.swap_remove(at);
            if failure.message.contains(value) {
                failure.message = failure.message.replace(value, "…");
            }
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_number_nor_a_code_inside_it_stays_readable() {
        let payload = serde_json::json!({"code": 123_456});
        let message = crate::testing::message("+4915112345678", "SignIn", &payload);
        let words = "no 123456 to +4915112345678 or 4915112345678";
        let failure = message.conceal(Failure::new(FailureKind::Rejected, words));
        assert_eq!(failure.message, "no … to … or …");
    }
}
