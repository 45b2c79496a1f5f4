//! A guest that calls each import with the worst that can be passed in one call, or keeps the most that can be
//! kept. Its settings name the call; without one it logs the names of all.

#[cfg(target_family = "wasm")]
mod contract;
#[cfg(target_family = "wasm")]
mod system;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the component's exports are C functions")]
mod component {
    use sendbox_guest::wasm::guest::{ConnectorInfo, Failure, Guest, Message, Receipt};
    use sendbox_guest::wasm::sendbox::connector::log::{Level, log};
    use sendbox_guest::wasm::sendbox::connector::types::{Channel, SecretGrant};

    /// What may cross to the host in one call, less what else there is to pass.
    pub(crate) const MOST: usize = (2 << 20) - (8 << 10);

    /// One call, by interface, function and a word for what is passed. It is given a placeholder.
    pub(crate) type Call = (&'static str, fn(&str));

    struct Worst;

    impl Guest for Worst {
        fn describe() -> ConnectorInfo {
            ConnectorInfo {
                id: "worst".into(),
                channel: Channel::Sms,
                version: "1.0.0".into(),
                titles: vec![("en".into(), "Worst".into())],
                descriptions: vec![],
                settings_schema: r#"{"type":"object","properties":{"act":{"type":"string"},"secret":{"type":"string","writeOnly":true},"ungranted":{"type":"string","writeOnly":true}}}"#.into(),
                hosts: vec!["echo.example.com".into()],
                secret_grants: vec![SecretGrant {
                    setting: "/secret".into(),
                    query: true,
                    body: true,
                    signing: true,
                }],
                readme: String::new(),
            }
        }

        fn send(settings: String, _message: Message) -> Result<Receipt, Failure> {
            let text = |name: &str| {
                let rest = settings
                    .split_once(&format!("\"{name}\":\""))
                    .unwrap_or_default()
                    .1;
                rest.split('"').next().unwrap_or_default()
            };
            let calls = [
                super::contract::CALLS,
                super::system::CALLS,
                super::web::CALLS,
            ]
            .concat();
            match calls.iter().find(|(name, _)| *name == text("act")) {
                Some((_, call)) => call(text("secret")),
                None => calls.iter().for_each(|(name, _)| log(Level::Info, name)),
            }
            Ok(Receipt {
                provider_message_id: None,
                detail: None,
            })
        }
    }

    sendbox_guest::wasm::export!(Worst with_types_in sendbox_guest::wasm);
}
