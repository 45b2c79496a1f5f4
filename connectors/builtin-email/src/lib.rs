//! The operator's own e-mail service, lent to every tenant: texts in ten languages, composed here and
//! sent by an integration of the operator's.
//!
//! Settings: those of Logto's e-mail service, read 2026-11-21 in
//! <https://docs.logto.io/connectors/email-connectors/built-in-email-service>.

use sendbox_guest::handover::Composer;
use sendbox_guest::letter::{Action, Letter};
use sendbox_guest::names::{Names, display_name, has_link, is_url};
use sendbox_guest::{
    About, Channel, Content, ContentType, Failure, FailureKind, Message, one_line, settings,
    template, usage,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use texts::Texts;

mod texts;

/// The connector.
pub struct BuiltinEmail;

/// All that a tenant may set. Logto's `endpoint`, `tokenEndpoint`, `resource`, `appId` and `appSecret`
/// are accepted like every unknown field, and unused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    #[serde(default, deserialize_with = "without_link")]
    sender_name: Option<String>,
    #[serde(default, deserialize_with = "without_link")]
    company_information: Option<String>,
    #[serde(default, deserialize_with = "logo")]
    app_logo: Option<String>,
}

impl Composer for BuiltinEmail {
    const ABOUT: About = About {
        id: "builtin-email",
        channel: Channel::Email,
        version: env!("CARGO_PKG_VERSION"),
        titles: &[
            ("en", "Built-in e-mail"),
            ("de", "Eingebauter E-Mail-Dienst"),
            ("zh-CN", "内置邮件服务"),
        ],
        descriptions: &[
            (
                "en",
                "E-mail without a provider of your own: the operator of this server sends it, with ready texts in ten languages.",
            ),
            (
                "de",
                "E-Mails ohne eigenen Anbieter: Der Betreiber dieses Servers versendet sie, mit fertigen Texten in zehn Sprachen.",
            ),
            (
                "zh-CN",
                "无需自备邮件服务商：由本服务器的运营者发送，内置十种语言的邮件文本。",
            ),
        ],
        settings_schema: include_str!("../settings.schema.json"),
        hosts: &[],
        secret_grants: &[],
        readme: include_str!("../README.md"),
    };

    type Settings = Settings;

    /// A content of the tenant's own is passed over: the texts are the operator's.
    fn content(settings: &Settings, message: &Message) -> Result<Content, Failure> {
        let texts = Texts::of(message)?;
        let sender = settings.sender_name.as_deref().and_then(display_name);
        let names = Names::of(message, sender.as_deref());
        let text = usage::choose(&texts.messages, &message.usage_type)
            .ok_or_else(|| Failure::template_not_found(&message.usage_type))?;
        let letter = Letter {
            language: texts.language,
            brand: sender.as_deref().or(names.get("application")),
            logo: settings.app_logo.as_deref(),
            company: settings.company_information.as_deref().unwrap_or_default(),
            subject: names.first(&text.subject),
            greeting: names.first(&texts.greeting),
            lead: names.first(&text.lead),
            action: if text.usage_type == "OrganizationInvitation" {
                Action::Link {
                    url: link(message)?,
                    button: &texts.button,
                    hint: &texts.link,
                }
            } else {
                Action::Code {
                    code: code(message)?,
                    note: &texts.note,
                }
            },
            ignore: &text.ignore,
        };
        Ok(Content {
            body: letter.html(),
            content_type: ContentType::Html,
            text: Some(letter.text()),
            subject: letter.subject,
            reply_to: None,
            send_from: sender,
        })
    }
}

sendbox_guest::composer!(BuiltinEmail);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// A code: at most this many characters on one line.
const CODE_MAX: usize = 64;

fn code(message: &Message) -> Result<String, Failure> {
    let code = message.payload.get("code");
    let code = code.filter(|code| code.is_string() || code.is_number());
    let code = one_line(code.map(template::string).unwrap_or_default().trim());
    if !(1..=CODE_MAX).contains(&code.chars().count()) || has_link(&code) {
        return Err(refused(
            "the payload's code is missing, too long or an address",
        ));
    }
    Ok(code)
}

fn link(message: &Message) -> Result<String, Failure> {
    let link = message.payload.get("link").and_then(|link| link.as_str());
    let link = link.unwrap_or_default().trim();
    if is_url(link, "https") || is_url(link, "http") {
        return Ok(link.to_owned());
    }
    Err(refused("the payload's link is no http or https URL"))
}

fn refused(words: &str) -> Failure {
    Failure::new(FailureKind::Rejected, words)
}

/// A text in which no mail program will find an address to click on, or nothing for an empty one.
fn without_link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match settings::present::<String, D>(deserializer)? {
        Some(text) if has_link(&text) => Err(D::Error::custom("URL is not allowed")),
        text => Ok(text.filter(|text| !text.trim().is_empty())),
    }
}

/// An `https` URL, or nothing for an empty text.
fn logo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match settings::present::<String, D>(deserializer)? {
        Some(text) if !text.is_empty() && !is_url(&text, "https") => {
            Err(D::Error::custom("must be an https URL"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}
