//! All texts in all languages, what values cannot do to them, and what a tenant cannot set.

use super::texts::LANGUAGES;
use super::*;
use html::visible;
use sendbox_guest::handover;
use sendbox_guest::testing::{self, golden_rows, message, message_of};
use serde_json::{Value, json};

#[path = "html.rs"]
mod html;

const CODE: &str = "271828";
const LINK: &str = "https://app.example.com/join?a=1&b=%20";

fn send(settings: &Value, message: &Message) -> Result<Content, Failure> {
    let mut content = None;
    handover::send::<BuiltinEmail>(&settings.to_string(), message, |handed_over| {
        content = Some(handed_over);
        Ok(())
    })?;
    Ok(content.unwrap())
}

fn composed(usage_type: &str, payload: &Value) -> Content {
    let message = Message {
        locale: payload["locale"].as_str().map(str::to_owned),
        ..message("alice@example.net", usage_type, payload)
    };
    send(&json!({}), &message).unwrap()
}

/// A message with all names, in a language.
fn full(locale: &str) -> Value {
    json!({
        "code": CODE, "link": LINK, "locale": locale,
        "application": {"name": "other", "displayName": "R&D <App>"},
        "organization": {"name": "Org \"1\""},
        "inviter": {"name": null, "username": "bob"},
        "user": {"name": "O'Hara"},
    })
}

/// A message without any name.
fn bare(locale: &str) -> Value {
    json!({"code": CODE, "link": LINK, "locale": locale})
}

fn text(content: &Content) -> &str {
    content.text.as_deref().unwrap()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check(&BuiltinEmail::ABOUT);
}

#[test]
fn it_composes_what_is_recorded() {
    for line in include_str!("cases.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let expected = &case["expect"];
        let made = send(&case["settings"], &message_of(&case));
        assert_eq!(expected["outcome"]["ok"], made.is_ok(), "{}", case["id"]);
        let content = made.map_or(Value::Null, |content| {
            json!({
                "subject": content.subject, "content": content.body, "contentType": "text/html",
                "text": content.text, "sendFrom": content.send_from,
            })
        });
        let mut expected = expected["content"].clone();
        if expected.is_object() && expected["sendFrom"].is_null() {
            expected["sendFrom"] = Value::Null;
        }
        assert_eq!(expected, content, "{}", case["id"]);
    }
}

#[test]
fn each_of_ninety_mails_is_whole_with_all_names_and_without_any() {
    let mut subjects = std::collections::BTreeSet::new();
    for (language, _) in LANGUAGES {
        for usage_type in usage::ALL {
            for (payload, names) in [(full(language), true), (bare(language), false)] {
                let mail = composed(usage_type, &payload);
                let context = format!("{language} {usage_type} {mail}", mail = mail.body);
                let link = usage_type == "OrganizationInvitation";
                let (action, other) = if link { (LINK, CODE) } else { (CODE, LINK) };
                let (text, seen) = (text(&mail), visible(&mail.body));
                for part in [text, &seen] {
                    assert_eq!(part.matches(action).count(), 1, "{context}");
                    assert!(
                        !part.contains(other) && !part.contains(['{', '}']),
                        "{context}"
                    );
                }
                // The same content, line by line.
                for line in text.lines().filter(|line| !line.is_empty()) {
                    assert!(
                        seen.lines().any(|seen| seen.trim() == line),
                        "{line}: {context}"
                    );
                }
                let name = if link { "Org \"1\"" } else { "R&D <App>" };
                assert_eq!(mail.subject.contains(name), names, "{context}");
                assert!(!mail.subject.contains(CODE) && !mail.subject.contains(char::is_control));
                assert!(
                    (4..=78).contains(&mail.subject.chars().count()),
                    "{context}"
                );
                assert!(
                    seen.contains(&mail.subject) && mail.body.len() < 8 * 1024,
                    "{context}"
                );
                let tag = format!("<html lang=\"{language}\" dir=\"ltr\">");
                assert!(mail.body.contains(&tag), "{context}");
                assert!(subjects.insert(mail.subject), "{context}");
            }
        }
    }
}

/// A file's keys, and of each text the names in it.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), shape(v))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        value => {
            let parts = value.as_str().unwrap().split('{').skip(1);
            let mut names: Vec<_> = parts.map(|part| part.split_once('}').unwrap().0).collect();
            names.sort_unstable();
            json!(names.join(","))
        }
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => map.values().flat_map(texts).collect(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        value => vec![value.as_str().unwrap()],
    }
}

#[test]
fn every_language_has_every_text_with_the_same_names_and_none_is_left_in_english() {
    let files = LANGUAGES.map(|(tag, file)| (tag, serde_json::from_str::<Value>(file).unwrap()));
    let (_, english) = &files[0];
    for (language, file) in &files {
        assert_eq!(shape(file), shape(english), "{language}");
        let messages = file["messages"].as_array().unwrap();
        let types = messages.iter().map(|m| m["usageType"].as_str().unwrap());
        assert_eq!(types.collect::<Vec<_>>(), usage::ALL, "{language}");
        let texts = texts(file);
        for text in &texts {
            let own = *language == "en" || usage::ALL.contains(text);
            assert!(
                own || !self::texts(english).contains(text),
                "{language}: {text}"
            );
            assert!(!text.is_empty() && text.trim() == *text && text.chars().count() < 200);
            assert!(!text.contains(['<', '>', '&', '\n']), "{language}: {text}");
        }
    }
    // The last wording needs no name.
    let last = |wordings: &Value| wordings.as_array().unwrap().last().unwrap().clone();
    for message in english["messages"].as_array().unwrap() {
        assert_eq!(shape(&last(&message["subject"])), "");
        assert_eq!(shape(&last(&message["lead"])), "");
    }
    assert_eq!(shape(&last(&english["greeting"])), "");
}

#[test]
fn no_value_becomes_markup_a_line_or_a_template() {
    let hostile = "<b>{code}</b>\r\nBcc: \"x\"' {{link}} &amp;";
    let mail = composed(
        "UserPermissionValidation",
        &json!({"code": "<i>\r\n&\"'{user}", "user": {"name": hostile},
            "application": {"name": "</td>\u{85}</table>"}}),
    );
    let name = "<b>{code}</b> Bcc: \"x\"' {{link}} &amp;";
    let (text, seen) = (text(&mail), visible(&mail.body));
    assert_eq!(mail.subject, "Confirm that it is you at </td> </table>");
    assert!(text.contains(&format!("Hello {name},")), "{text}");
    assert!(text.contains("\n<i> &\"'{user}\n"), "{text}");
    assert!(
        seen.contains(name) && seen.contains("<i> &\"'{user}"),
        "{seen}"
    );

    let settings = json!({"senderName": "A\r\n\"B\" <c>", "companyInformation": "1 <b>\n\n2\t'&'"});
    let payload = json!({"link": "https://a.example/\"'><script>x</script>&amp;", "code": 1});
    let message = message("a@b.example", "OrganizationInvitation", &payload);
    let mail = send(&settings, &message).unwrap();
    assert_eq!(mail.send_from.as_deref(), Some("A \"B\" <c>"));
    assert!(
        visible(&mail.body).contains("1 <b>\n2\n'&'"),
        "{}",
        mail.body
    );
    assert!(!mail.body.contains("<script"), "{}", mail.body);
    assert!(mail.text.unwrap().ends_with("\n-- \n1 <b>\n2\n'&'\n"));
}

#[test]
fn a_name_that_is_an_address_or_a_text_is_left_out() {
    let long = "n".repeat(65);
    for name in ["Win at evil.com", "www.x", "\u{202e}moc.live", " ", &long] {
        let payload = json!({"code": CODE, "user": {"name": name}, "application": {"name": name}});
        let mail = composed("SignIn", &payload);
        assert_eq!(mail.subject, "Your sign-in code", "{name}");
        assert!(text(&mail).starts_with("Hello,\n"), "{name}");
    }
    // The sender's name stands in.
    let message = message("a@b.example", "SignIn", &json!({"code": 271_828}));
    let mail = send(&json!({"senderName": "Acme Inc."}), &message).unwrap();
    assert_eq!(mail.subject, "Your sign-in code for Acme Inc.");
    assert!(text(&mail).contains("sign in to Acme Inc.\n\n271828\n"));
}

#[test]
fn a_message_without_its_code_or_link_is_rejected() {
    let refused = |usage_type: &str, payload: &Value| {
        let message = message("a@b.example", usage_type, payload);
        send(&json!({}), &message).err().map(|failure| failure.kind)
    };
    let long = "1".repeat(65);
    for code in [
        json!(null),
        json!(""),
        json!("call me at a.b"),
        json!(long),
        json!("\n"),
    ] {
        let kind = refused("SignIn", &json!({"code": code, "link": LINK}));
        assert_eq!(kind, Some(FailureKind::Rejected), "{code}");
    }
    for link in [
        "",
        "javascript:alert(1)",
        "//a.example",
        "https://a.example/ x",
        "ftp://a.example",
        "https://u@a.example",
        "https://a.example\\@b.example",
    ] {
        let kind = refused(
            "OrganizationInvitation",
            &json!({"link": link, "code": "1"}),
        );
        assert_eq!(kind, Some(FailureKind::Rejected), "{link}");
    }
    assert_eq!(refused("SignIn", &json!({})), Some(FailureKind::Rejected));
    assert_eq!(refused("NoSuchType", &json!({"code": "1"})), None);
}

#[test]
fn the_language_is_the_first_that_is_asked_for_and_there() {
    let language = |locale: Option<&str>, wishes: &str| {
        let message = Message {
            locale: locale.map(str::to_owned),
            ..message(
                "a@b.example",
                "SignIn",
                &json!({"code": "1", "uiLocales": wishes}),
            )
        };
        Texts::of(&message)
            .map(|texts| texts.language)
            .ok()
            .unwrap()
    };
    for (tag, expected) in [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_at", "de"),
        ("fr-CA", "fr"),
        ("es-419", "es"),
        ("pt-PT", "pt"),
        ("pt-BR", "pt"),
        ("ja-JP", "ja"),
        ("ko", "ko"),
        ("tr-TR", "tr"),
        ("zh", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("zh-Hans-HK", "zh-CN"),
        ("zh-TW", "zh-TW"),
        ("zh-HK", "zh-TW"),
        ("zh-MO", "zh-TW"),
        ("zh-Hant", "zh-TW"),
        ("zh-Hant-CN", "zh-TW"),
        ("en-GB", "en"),
        ("it", "en"),
        ("", "en"),
        ("d", "en"),
    ] {
        assert_eq!(language(Some(tag), ""), expected, "{tag}");
        assert_eq!(language(None, tag), expected, "{tag}");
    }
    assert_eq!(language(Some("it"), "nl pt-BR de"), "pt");
    assert_eq!(language(Some("fr"), "de"), "fr");
    assert_eq!(language(None, ""), "en");
}

#[test]
fn a_setting_with_a_url_is_refused_by_connector_and_schema_alike() {
    let own = [
        ("S.A.", true),
        ("p.s.a.", true),
        ("u.s. x", true),
        ("Ges.m.b.H.", true),
        ("", true),
        ("foo.barbazqux", true),
        ("Müller & Söhne e.V.", true),
        ("株式会社", true),
        ("a .com", true),
        ("Acme.io", false),
        ("St.Paul", false),
        ("Foo.Bar GmbH", false),
        ("v1.0", false),
        ("a.b.c.com", false),
        ("(evil.com)", false),
        ("evil.com.", false),
        ("evil.comé", false),
        ("HTTPS://localhost", false),
        ("WWW.example", false),
        ("x@a.technology http://", false),
        ("one\nevil.com", false),
    ];
    let own = own.map(|(text, accepted)| (text.to_owned(), accepted));
    let golden = golden_rows("kit/branding-url.jsonl");
    let golden = golden.iter().map(|row| {
        let accepted = row["expect"]["accepted"] == true;
        (row["args"][0].as_str().unwrap().to_owned(), accepted)
    });
    let by_schema =
        |field: &str, text: &str| testing::accepts(&BuiltinEmail::ABOUT, &json!({field: text}));
    for (text, accepted) in own.into_iter().chain(golden) {
        assert_eq!(!has_link(&text), accepted, "{text}");
        for field in ["senderName", "companyInformation"] {
            assert_eq!(by_schema(field, &text), accepted, "{text}");
            let read = settings::parse::<Settings>(&json!({field: text}).to_string());
            let words = read.err().map(|failure| failure.message);
            let refused = format!("{field}: URL is not allowed");
            assert_eq!(words, (!accepted).then_some(refused));
        }
    }
    // Every text of up to five of these letters.
    let mut all = vec![String::new()];
    for _ in 0..5 {
        let longer = all
            .iter()
            .flat_map(|t| "aW1._ ".chars().map(move |c| format!("{t}{c}")));
        all = longer.collect();
        for text in all.iter().step_by(3) {
            assert_eq!(!has_link(text), by_schema("senderName", text), "{text}");
        }
    }
}

#[test]
fn a_logo_is_an_https_url_and_stands_for_itself_without_images() {
    let message = message("a@b.example", "Generic", &json!({"code": CODE}));
    for logo in [
        "http://a.example/l.png",
        "l.png",
        "data:image/png;base64,x",
        "https://",
        "https://u@a.example/",
    ] {
        let failure = send(&json!({"appLogo": logo}), &message).err().unwrap();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.starts_with("appLogo: "), "{failure:?}");
    }
    assert!(!testing::accepts(
        &BuiltinEmail::ABOUT,
        &json!({"appLogo": "http://a.example"})
    ));
    let settings = json!({"appLogo": "https://a.example/l.png?\"&x", "senderName": "Acme"});
    let html = send(&settings, &message).unwrap().body;
    assert!(
        html.contains(
            "<img src=\"https://a.example/l.png?&quot;&amp;x\" alt=\"Acme\" height=\"40\""
        )
    );
    assert!(visible(&html).contains("Acme"));
    assert!(
        !send(&json!({"appLogo": ""}), &message)
            .unwrap()
            .body
            .contains("<img")
    );
}

#[test]
fn nothing_else_can_be_set() {
    let payload = json!({"code": CODE, "senderName": "Eve", "appLogo": "https://a.example/l.png"});
    let plain = message("a@b.example", "SignIn", &json!({"code": CODE}));
    let plain = send(&json!({}), &plain).unwrap();
    let mut message = message("a@b.example", "SignIn", &payload);
    message.content = Some(Content {
        subject: "Mine".into(),
        body: "Mine".into(),
        content_type: ContentType::Plain,
        text: None,
        reply_to: Some("eve@example.com".into()),
        send_from: Some("Eve".into()),
    });
    let legacy = json!({
        "endpoint": "https://a.example", "tokenEndpoint": "x", "resource": "x", "appId": "x",
        "appSecret": "x", "senderName": "", "templates": [{"usageType": "SignIn", "subject": "Mine"}],
    });
    assert!(testing::accepts(&BuiltinEmail::ABOUT, &legacy));
    assert!(send(&legacy, &message).unwrap() == plain);
    for wrong in [
        json!({"senderName": null}),
        json!({"companyInformation": 1}),
    ] {
        let failure = send(&wrong, &message).err().unwrap();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
    }
}
