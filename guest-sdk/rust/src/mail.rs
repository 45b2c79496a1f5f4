//! E-mail texts: the settings' templates, and the host's own text that overrides them.

use serde::Deserialize;

use crate::failure::Failure;
use crate::message::{Content, ContentType, Message};
use crate::usage::{Template, Templates};

/// One entry of a list of e-mail templates.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailTemplate {
    usage_type: String,
    /// HTML where it is absent; most connectors' schemas require it.
    #[serde(rename = "type", alias = "contentType", default = "html")]
    content_type: ContentType,
    subject: String,
    content: String,
}

fn html() -> ContentType {
    ContentType::Html
}

impl Template for MailTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Templates<MailTemplate> {
    /// The message's text with its variables filled in: the overriding one, else the template's.
    ///
    /// # Errors
    /// `template-not-found` where there is neither.
    pub fn text(&self, message: &Message) -> Result<Content, Failure> {
        self.filled(message, |declared| declared)
    }

    /// [`text`](Self::text), its body as HTML whatever it is declared to be, for providers that take no other.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn html(&self, message: &Message) -> Result<Content, Failure> {
        self.filled(message, |_| ContentType::Html)
    }

    fn filled(
        &self,
        message: &Message,
        sent_as: fn(ContentType) -> ContentType,
    ) -> Result<Content, Failure> {
        if let Some(content) = &message.content {
            let content = message.content_as(sent_as(content.content_type));
            return content.ok_or_else(|| Failure::template_not_found(&message.usage_type));
        }
        let template = self.choose(&message.usage_type)?;
        let content_type = sent_as(template.content_type);
        Ok(Content {
            subject: message.render_line(&template.subject),
            body: message.render_as(content_type, &template.content),
            content_type,
            text: None,
            reply_to: None,
            send_from: None,
        })
    }
}
