//! A template's text: its fields, and their checks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::message::{Channel, Content, ContentType};

/// Bytes of a text that becomes a header: RFC 5322's longest line.
pub const LINE_MAX: usize = 998;
/// Bytes of a body.
pub const CONTENT_MAX: usize = 64 * 1024;

/// A field of a template that is not what it must be. Never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldProblem {
    /// The field's name.
    pub field: String,
    /// What was expected.
    pub problem: String,
}

/// A template's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Details {
    /// Of an e-mail.
    Email(EmailText),
    /// Of a text message.
    Sms(SmsText),
}

/// What an e-mail says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailText {
    /// Subject, one line.
    pub subject: String,
    /// Body, in `content_type`.
    pub content: String,
    /// `text/html` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentType>,
    /// Mailbox for replies, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Display name, mailbox, or both, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_from: Option<String>,
    /// Plain text of the same, beside an HTML body. Not a field of Logto's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a text message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsText {
    /// The whole text.
    pub content: String,
}

impl Details {
    /// Checks a template's fields. One that is `null` counts as left out.
    ///
    /// # Errors
    /// Each field that is wrong, missing or unknown.
    pub fn parse(channel: Channel, fields: Map<String, Value>) -> Result<Self, Vec<FieldProblem>> {
        let mut form = Form::new(fields);
        let details = match channel {
            Channel::Email => Self::Email(EmailText {
                subject: form.required("subject", Shape::Line),
                content: form.required("content", Shape::Body),
                content_type: form.content_type(),
                reply_to: form.text("replyTo", Shape::Line),
                send_from: form.text("sendFrom", Shape::Line),
                text: form.text("text", Shape::Body),
            }),
            Channel::Sms => Self::Sms(SmsText {
                content: form.required("content", Shape::Body),
            }),
        };
        if let Self::Email(email) = &details
            && email.text.is_some()
            && email.content_type == Some(ContentType::Plain)
        {
            form.wrong("text", "goes beside an HTML body only: leave it out");
        }
        form.end().map(|()| details)
    }

    /// Details that the store gives back.
    ///
    /// # Errors
    /// Where the text is not what [`Details`] writes.
    pub fn from_stored(channel: Channel, json: &str) -> serde_json::Result<Self> {
        match channel {
            Channel::Email => serde_json::from_str(json).map(Self::Email),
            Channel::Sms => serde_json::from_str(json).map(Self::Sms),
        }
    }

    /// These fields with some of them replaced; `null` removes one.
    ///
    /// # Errors
    /// As [`Details::parse`].
    pub fn merged(&self, changes: Map<String, Value>) -> Result<Self, Vec<FieldProblem>> {
        let (channel, fields) = match self {
            Self::Email(text) => (Channel::Email, serde_json::to_value(text)),
            Self::Sms(text) => (Channel::Sms, serde_json::to_value(text)),
        };
        let mut fields = match fields {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.extend(changes);
        Self::parse(channel, fields)
    }

    /// What a connector is given.
    #[must_use]
    pub fn into_content(self) -> Content {
        match self {
            Self::Email(text) => Content {
                subject: text.subject,
                body: text.content,
                content_type: text.content_type.unwrap_or_default(),
                text: text.text,
                reply_to: text.reply_to,
                send_from: text.send_from,
            },
            Self::Sms(text) => Content {
                subject: String::new(),
                body: text.content,
                content_type: ContentType::Plain,
                text: None,
                reply_to: None,
                send_from: None,
            },
        }
    }
}

/// What a field's text may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One that becomes a header.
    Line,
    /// One with lines of its own.
    Body,
}

/// Fields on their way to a type, with all that was wrong among them.
struct Form {
    fields: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<FieldProblem>,
}

impl Form {
    fn new(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn wrong(&mut self, field: &str, problem: impl Into<String>) {
        self.problems.push(FieldProblem {
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.fields
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str, shape: Shape) -> Option<String> {
        let value = self.take(name)?;
        let max = match shape {
            Shape::Line => LINE_MAX,
            Shape::Body => CONTENT_MAX,
        };
        match value {
            Value::String(text) if text.len() > max => {
                self.wrong(name, format!("must be at most {max} bytes"));
            }
            Value::String(text) if shape == Shape::Line && text.contains(char::is_control) => {
                self.wrong(name, "must be one line without control characters");
            }
            Value::String(text) => return Some(text),
            _ => self.wrong(name, "must be a text"),
        }
        None
    }

    fn required(&mut self, name: &'static str, shape: Shape) -> String {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.wrong(name, "is missing");
        }
        self.text(name, shape).unwrap_or_default()
    }

    fn content_type(&mut self) -> Option<ContentType> {
        let value = self.take("contentType")?;
        match serde_json::from_value(value) {
            Ok(content_type) => return Some(content_type),
            Err(_) => self.wrong("contentType", "must be text/html or text/plain"),
        }
        None
    }

    /// Whether all fields were right, and none was left over.
    fn end(mut self) -> Result<(), Vec<FieldProblem>> {
        let known = self.known.join(", ");
        for (field, _) in std::mem::take(&mut self.fields) {
            self.wrong(&field, format!("unknown field, expected {known}"));
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self.problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn wrong(channel: Channel, value: Value) -> Vec<String> {
        let problems = Details::parse(channel, fields(value)).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_wrong_field_is_named_and_no_value_repeated() {
        let many = json!({ "subject": "a\r\nBcc: x", "contentType": "text/rtf", "body": "secret" });
        assert_eq!(
            wrong(Channel::Email, many),
            [
                "subject: must be one line without control characters",
                "content: is missing",
                "contentType: must be text/html or text/plain",
                "body: unknown field, expected subject, content, contentType, replyTo, sendFrom, text",
            ]
        );
        let long =
            json!({ "subject": "x".repeat(LINE_MAX + 1), "content": "x".repeat(CONTENT_MAX + 1) });
        assert_eq!(
            wrong(Channel::Email, long),
            [
                "subject: must be at most 998 bytes",
                "content: must be at most 65536 bytes"
            ]
        );
        assert_eq!(
            wrong(Channel::Sms, json!({ "content": 7, "subject": "" })),
            [
                "content: must be a text",
                "subject: unknown field, expected content"
            ]
        );
        let two = json!({ "subject": "", "content": "", "contentType": "text/plain", "text": "" });
        assert_eq!(
            wrong(Channel::Email, two),
            ["text: goes beside an HTML body only: leave it out"]
        );
    }

    #[test]
    fn a_change_replaces_fields_and_null_removes_one() {
        let whole = json!({ "subject": "S", "content": "C", "replyTo": "r@example.com" });
        let details = Details::parse(Channel::Email, fields(whole)).unwrap();
        let changes = json!({ "content": "D", "replyTo": null, "contentType": "text/plain" });
        let merged = details.merged(fields(changes)).unwrap();
        assert_eq!(
            serde_json::to_value(&merged).unwrap(),
            json!({ "subject": "S", "content": "D", "contentType": "text/plain" })
        );
        let gone = details
            .merged(fields(json!({ "subject": null })))
            .unwrap_err();
        assert_eq!(gone.first().unwrap().to_string(), "subject: is missing");
    }
}
