//! One usage type's mail: a text kept here, or a template kept at Mailgun.

use sendbox_guest::Payload;
use sendbox_guest::settings::present;
use serde::Deserialize;

/// One usage type's mail: a template wins over a text, as in the peer.
#[derive(Deserialize)]
#[serde(try_from = "Entry")]
pub(crate) struct Delivery {
    pub(crate) subject: Option<String>,
    pub(crate) reply_to: Option<String>,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Stored {
        template: String,
        variables: Payload,
    },
    Raw {
        html: String,
        text: Option<String>,
    },
}

/// A delivery as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "present")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "present")]
    reply_to: Option<String>,
    #[serde(default, deserialize_with = "present")]
    template: Option<String>,
    #[serde(default)]
    variables: Payload,
    #[serde(default, deserialize_with = "present")]
    html: Option<String>,
    #[serde(default, deserialize_with = "present")]
    text: Option<String>,
}

impl TryFrom<Entry> for Delivery {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        let variables = entry.variables;
        let text = entry.text;
        let body = match (entry.template, entry.html) {
            (Some(template), _) => Body::Stored {
                template,
                variables,
            },
            (None, Some(html)) => Body::Raw { html, text },
            (None, None) => return Err("a delivery needs html or template"),
        };
        Ok(Self {
            subject: entry.subject,
            reply_to: entry.reply_to,
            body,
        })
    }
}
