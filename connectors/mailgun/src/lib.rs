//! Mailgun: one e-mail through the Messages API, with texts kept here or templates kept there.
//!
//! Protocol: <https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages>;
//! answers: <https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses>; both read
//! 2026-11-21.

mod delivery;

use std::collections::BTreeMap;

use sendbox_guest::http::{Fields, setting_segment};
use sendbox_guest::{
    About, Channel, Codes, Connector, ContentType, Failure, Mailbox, Message, Receipt, Request,
    Response, endpoint, one_line, usage,
};
use serde::Deserialize;

use delivery::{Body, Delivery};

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Mailgun;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    #[serde(default = "united_states")]
    endpoint: String,
    domain: String,
    api_key: String,
    from: String,
    deliveries: BTreeMap<String, Delivery>,
}

fn united_states() -> String {
    "https://api.mailgun.net".into()
}

impl Connector for Mailgun {
    const ABOUT: About = About {
        id: "mailgun",
        channel: Channel::Email,
        titles: &[("en", "Mailgun"), ("de", "Mailgun"), ("zh-CN", "Mailgun")],
        descriptions: &[
            (
                "en",
                "E-mail by Mailgun (US or EU), with texts of your own or templates that are kept there.",
            ),
            (
                "de",
                "E-Mails über Mailgun (USA oder EU), mit eigenen Texten oder dort gepflegten Vorlagen.",
            ),
            (
                "zh-CN",
                "通过 Mailgun(美国或欧盟区域)发送邮件,使用自定义内容或其平台上的模板。",
            ),
        ],
        hosts: &["*.mailgun.net"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let mut fields = Fields::default();
        let from = one_line(&settings.from);
        if let Some(content) = message.content() {
            let from = match filled(content.send_from) {
                None => from,
                // What values fill in is a name: the address is the settings' where the text has none.
                Some(_) if message.fills_sender() => {
                    let own = Mailbox::parse(&from, "", "");
                    message.sender(&own.address, &own.name).to_string()
                }
                Some(text) => text,
            };
            fields.put("from", from);
            fields.put("to", message.recipient.clone());
            fields.put("subject", content.subject);
            fields.put("h:Reply-To", filled(content.reply_to));
            let plain = content.content_type == ContentType::Plain;
            // A plain body stands beside itself as HTML, as in the peer.
            let html = message.content_as(ContentType::Html);
            let text = if plain {
                Some(content.body)
            } else {
                content.text
            };
            fields.put("html", html.map(|content| content.body));
            fields.put("text", text);
        } else {
            let delivery = settings.delivery(&message.usage_type)?;
            let subject = delivery.subject.as_deref();
            fields.put("from", from);
            fields.put("to", message.recipient.clone());
            fields.put("subject", subject.map(|text| message.render_line(text)));
            fields.put("h:Reply-To", delivery.reply_to.as_deref().map(one_line));
            match &delivery.body {
                Body::Stored {
                    template,
                    variables,
                } => {
                    let variables = message.payload.over(variables).to_json();
                    fields.put("template", template.clone());
                    fields.put("h:X-Mailgun-Variables", variables);
                }
                Body::Raw { html, text } => {
                    fields.put("html", message.render_html(html));
                    fields.put("text", text.as_deref().map(|text| message.render(text)));
                }
            }
        }
        let request = Request::post(settings.url()?).basic("api", &settings.api_key);
        Ok(request.form(&fields.pairs()))
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let answer = response.json::<Answer>().unwrap_or_default();
        Ok(Receipt {
            detail: answer.message,
            ..Receipt::of(answer.id)
        })
    }

    fn failure(response: &Response) -> Failure {
        let failure = Failure::from_response(response);
        let Some(words) = response.json::<Answer>().and_then(|answer| answer.message) else {
            return failure;
        };
        // A limit's end stands in the words alone.
        let again = words.split_once("ry again after ").unwrap_or_default().1;
        Failure::by_code(response, CODES, response.status, Some(words.clone()))
            .with_delay(again.trim_end_matches('.'), response)
    }
}

sendbox_guest::connector!(Mailgun);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

impl Settings {
    fn delivery(&self, usage_type: &str) -> Result<&Delivery, Failure> {
        let own = self.deliveries.get(usage_type);
        own.or_else(|| self.deliveries.get(usage::GENERIC))
            .ok_or_else(|| Failure::template_not_found(usage_type))
    }

    /// Where the domain's messages are posted, at one of Mailgun's own hosts.
    fn url(&self) -> Result<String, Failure> {
        let endpoint = self.endpoint.to_ascii_lowercase();
        // All of it counts: a text that only ends like Mailgun's could name another host.
        if !endpoint::is_below(&endpoint, "mailgun.net") {
            return Err(Failure::invalid_settings(
                "endpoint",
                "must be https:// and a name below mailgun.net",
            ));
        }
        let domain = setting_segment("domain", &self.domain)?;
        Ok(format!("{endpoint}/v3/{domain}/messages"))
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[derive(Deserialize, Default)]
struct Answer {
    id: Option<String>,
    message: Option<String>,
}
