//! The text of a short message, for providers that take it as it is.

use serde::Deserialize;

use crate::failure::Failure;
use crate::message::Message;
use crate::usage::Template;

/// An entry of a template list that holds the text itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextTemplate {
    /// What the message is for.
    pub usage_type: String,
    /// The text, with variables such as `{{code}}`.
    pub content: String,
}

impl Template for TextTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

/// The message's own text, else that of the template which `choose` finds for its usage type; with
/// variables filled in.
///
/// # Errors
/// Those of `choose`.
pub fn text<'a>(
    message: &Message,
    choose: impl FnOnce(&str) -> Result<&'a TextTemplate, Failure>,
) -> Result<String, Failure> {
    match &message.content {
        Some(content) => Ok(message.render(&content.body)),
        None => Ok(message.render(&choose(&message.usage_type)?.content)),
    }
}
