//! {{title}}: posts every e-mail as JSON to an address that the operator chooses.

use sendbox_guest::{
    About, Channel, Connector, Failure, MailTemplate, Message, Receipt, Request, Response,
    Templates, endpoint,
};
use serde::{Deserialize, Serialize};

/// The connector.
pub struct Mailer;

/// What an operator fills in; `settings.schema.json` makes the form and checks it.
#[derive(Deserialize)]
pub struct Settings {
    endpoint: String,
    /// Only a placeholder is seen here: the host puts the secret into the request on its way out.
    token: String,
    templates: Templates<MailTemplate>,
}

#[derive(Serialize)]
struct Mail<'a> {
    to: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
}

impl Connector for Mailer {
    const ABOUT: About = About {
        id: "{{name}}",
        channel: Channel::Email,
        titles: &[("en", "{{title}}")],
        descriptions: &[("en", "Posts every e-mail as JSON to an address of yours.")],
        hosts: &["{settings:/endpoint}"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let url = endpoint::canonical(&settings.endpoint)
            .map_err(|words| Failure::invalid_settings("endpoint", words))?;
        // The template of the usage type with its variables filled in, or the tenant's own text.
        let content = settings.templates.text(message)?;
        let (html, text) = content.parts();
        Request::post(url).bearer(&settings.token).json(&Mail {
            to: &message.recipient,
            subject: &content.subject,
            html,
            text,
        })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let answer = response.json::<Answer>();
        Ok(Receipt::of(answer.and_then(|answer| answer.id)))
    }

    // What is no 2xx becomes a failure by its status code. Where the provider says more than that,
    // implement `failure` as well.
}

sendbox_guest::connector!(Mailer);

#[cfg(test)]
mod tests {
    use super::Mailer;
    use sendbox_guest::testing;

    #[test]
    fn it_does_what_its_cases_say() {
        testing::replay_own::<Mailer>(include_str!("../cases/sign-in.jsonl"));
    }
}
