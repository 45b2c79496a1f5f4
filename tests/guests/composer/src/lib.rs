//! A guest that hands over what its settings say: once, twice, nothing, too much.

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the component's exports are C functions")]
mod component {
    use sendbox_guest::wasm::guest::{ConnectorInfo, Failure, Guest, Message, Receipt};
    use sendbox_guest::wasm::sendbox::connector::handover::submit;
    use sendbox_guest::wasm::sendbox::connector::http::{Credential, Request, send};
    use sendbox_guest::wasm::sendbox::connector::types::{Channel, Content, ContentType};

    struct Composer;

    impl Guest for Composer {
        fn describe() -> ConnectorInfo {
            ConnectorInfo {
                id: "composer".into(),
                channel: Channel::Email,
                version: "1.0.0".into(),
                titles: vec![("en".into(), "Composer".into())],
                descriptions: vec![],
                settings_schema: r#"{"type":"object","properties":{"act":{"type":"string"},"sender":{"type":"string"},"url":{"type":"string"}}}"#
                    .into(),
                hosts: vec![],
                secret_grants: vec![],
                readme: String::new(),
            }
        }

        fn send(settings: String, message: Message) -> Result<Receipt, Failure> {
            assert!(message.content.is_none(), "a composer got a tenant's text");
            let is = |act: &str| settings.contains(&format!("\"act\":\"{act}\""));
            if is("reach") {
                reach(&settings);
            }
            if !is("nothing") {
                let body = if is("flood") {
                    "x".repeat(1 << 20)
                } else {
                    "<p>{{code}}</p>".into()
                };
                let mut content = content(&message, body);
                if let Some((_, sender)) = settings.split_once("\"sender\":\"") {
                    content.send_from = sender.split('"').next().map(str::to_owned);
                }
                if is("long sender") {
                    content.send_from = Some("x".repeat(1 << 20));
                }
                submit(&content)?;
            }
            if is("twice") {
                submit(&content(&message, "again".into()))?;
            }
            Ok(Receipt {
                provider_message_id: Some("the composer's word".into()),
                detail: None,
            })
        }
    }

    /// The text of a composer that wants more than it may choose.
    fn content(message: &Message, body: String) -> Content {
        Content {
            subject: format!("For {}", message.usage_type),
            body,
            content_type: ContentType::TextHtml,
            text: Some("plain {{code}}".into()),
            reply_to: Some("thief@evil.test".into()),
            send_from: Some("Acme <thief@evil.test>".into()),
        }
    }

    /// Asks for the URL in the settings: no host is open to a composer.
    fn reach(settings: &str) {
        let url = settings.split('"').find(|text| text.starts_with("http"));
        let answer = send(&Request {
            method: "GET".into(),
            url: url.unwrap_or_default().into(),
            headers: vec![],
            body: vec![],
            credential: Credential::None,
            timeout: None,
        });
        assert!(answer.is_err(), "a composer reached a host");
    }

    sendbox_guest::wasm::export!(Composer with_types_in sendbox_guest::wasm);
}
