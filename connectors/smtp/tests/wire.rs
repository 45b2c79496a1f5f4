//! What the settings mean for a session, and the recorded peer's envelopes.

use super::Smtp;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mail_parser::{MessageParser, MimeHeaders};
use sendbox_guest::smtp::{self, Auth, Reply, Security, SmtpError, Submission, Submitter};
use sendbox_guest::testing::{self, golden_rows, message, message_of, response};
use sendbox_guest::{Failure, FailureKind, HttpError, Message, Receipt, Request, Response};
use serde_json::{Value, json};

const NOW: u64 = 1_767_323_045;

fn settings(more: &Value) -> Value {
    let mut settings = json!({
        "host": "smtp.example.com",
        "port": 587,
        "auth": {"user": "u", "pass": "p"},
        "fromEmail": "Example <noreply@example.com>",
        "templates": testing::templates(&json!({"contentType": "text/plain", "subject": "Code", "content": "{{code}}",
        })),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    settings
}

fn alice() -> Message {
    message("alice@example.net", "SignIn", &json!({"code": "123456"}))
}

/// A send with its token request and submission, if they were made.
fn send(
    settings: &Value,
    message: &Message,
    token: Result<Response, HttpError>,
    answer: Result<Reply, SmtpError>,
) -> (
    Result<Receipt, Failure>,
    Option<Request>,
    Option<Submission>,
) {
    let (mut asked, mut submitted) = (None, None);
    let result = smtp::send::<Smtp>(
        &settings.to_string(),
        message,
        message.now_ms / 1000,
        |request| {
            asked = Some(request);
            token
        },
        |submission| {
            submitted = Some(submission);
            answer
        },
    );
    (result, asked, submitted)
}

fn taken() -> Result<Reply, SmtpError> {
    Ok(Reply {
        code: 250,
        enhanced: Some("2.0.0".into()),
        text: "2.0.0 queued as 1".into(),
    })
}

fn submission(more: &Value) -> Result<Submission, Failure> {
    let (result, _, submission) = send(&settings(more), &alice(), Err(HttpError::Dns), taken());
    result?;
    Ok(submission.unwrap())
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check(&Smtp::ABOUT);
    assert!(testing::accepts(&Smtp::ABOUT, &settings(&json!({}))));
}

/// A recorded mail, decoded as it is.
fn mail_of(recorded: &Value) -> Vec<u8> {
    let headers = recorded["headers"].as_array().unwrap().iter();
    let headers = headers.filter(|header| header[0] != "Content-Transfer-Encoding");
    let mut mail: String = headers
        .map(|header| {
            format!(
                "{}: {}\r\n",
                header[0].as_str().unwrap(),
                header[1].as_str().unwrap()
            )
        })
        .collect();
    mail.push_str("Content-Transfer-Encoding: 8bit\r\n\r\n");
    mail.push_str(recorded["text"].as_str().unwrap_or_default());
    mail.into_bytes()
}

/// What a reader sees of a mail: subject, sender, reply address, date, kind and body.
fn read(mail: &[u8]) -> Value {
    let mail = MessageParser::default().parse(mail).unwrap();
    let address = |address: Option<&mail_parser::Address<'_>>| {
        let first = address.and_then(mail_parser::Address::first);
        json!(first.map(|first| (first.name().unwrap_or_default(), first.address())))
    };
    let body = mail.parts[0].text_contents().unwrap_or_default();
    json!({
        "subject": mail.subject().unwrap_or_default().trim(),
        "from": address(mail.from()),
        "replyTo": address(mail.reply_to()),
        "date": mail.date().map(mail_parser::DateTime::to_timestamp),
        "html": !mail.parts[0].is_content_type("text", "plain"),
        "body": body.replace("\r\n", "\n").trim_end(),
    })
}

#[test]
fn mails_envelopes_and_refused_settings_are_those_of_the_peer() {
    // Each is a row of docs/compatibility.md.
    let ours = [
        "to-unicode_local",
        "to-comma_injection",
        "to-crlf_injection",
        "from-crlf",
        "i18n-sendfrom-crlf",
        "i18n-sendfrom-quotes-brackets",
        "i18n-sendfrom-variable-unicode",
        "i18n-replyto-variable",
        "render-quirk_prototype_keys",
    ];
    for case in golden_rows("smtp.jsonl") {
        let id = case["id"].as_str().unwrap();
        let expected = &case["expect"];
        if expected["outcome"]["peer_code"] == "invalid_config" {
            assert!(!testing::accepts(&Smtp::ABOUT, &case["settings"]), "{id}");
            continue;
        }
        assert!(testing::accepts(&Smtp::ABOUT, &case["settings"]), "{id}");
        let envelope = &expected["smtp"][0]["envelope"];
        if ours.iter().any(|ours| id.ends_with(ours)) || envelope["rcpt_to"].get(0).is_none() {
            continue;
        }
        let token = Err(HttpError::Dns);
        let (_, _, submission) = send(&case["settings"], &message_of(&case), token, taken());
        let submission = submission.unwrap_or_else(|| panic!("{id}: nothing submitted"));
        let from = envelope["mail_from"].as_str().unwrap_or_default();
        let from = from.split(' ').next().unwrap_or_default();
        assert_eq!(from, format!("<{}>", submission.mail_from), "{id}");
        assert_eq!(
            envelope["rcpt_to"],
            json!([format!("<{}>", submission.rcpt_to)]),
            "{id}"
        );
        let recorded = &expected["smtp"][0]["mime"];
        if recorded.is_object() {
            let mut expected = read(&mail_of(recorded));
            let mut headers = recorded["headers"].as_array().unwrap().iter();
            let subject = headers.find(|header| header[0] == "Subject");
            expected["subject"] = subject.map_or(json!(""), |header| {
                json!(header[1].as_str().unwrap().trim())
            });
            assert_eq!(read(&submission.data), expected, "{id}");
        }
    }
}

#[test]
fn port_and_flags_decide_on_tls() {
    for (more, security) in [
        (json!({}), Security::Opportunistic),
        (json!({"port": 465}), Security::Tls),
        (json!({"port": 465, "secure": true}), Security::Tls),
        (json!({"secure": true}), Security::Tls),
        (json!({"requireTLS": true}), Security::StartTls),
        (
            json!({"requireTLS": true, "ignoreTLS": true}),
            Security::StartTls,
        ),
        (json!({"ignoreTLS": true}), Security::None),
    ] {
        assert_eq!(
            submission(&more).unwrap().server.security,
            security,
            "{more}"
        );
    }
}

#[test]
fn a_port_that_does_not_fit_its_security_is_named_instead_of_a_timeout() {
    let failure = submission(&json!({"port": 465, "secure": false}))
        .err()
        .unwrap();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.starts_with("secure: port 465 speaks TLS"));
    let token = Err(HttpError::Dns);
    let answer = Err(SmtpError::Tls("the peer broke the protocol".into()));
    let (result, _, _) = send(&settings(&json!({"secure": true})), &alice(), token, answer);
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(
        failure.message.contains("set secure to false"),
        "{}",
        failure.message
    );
}

#[test]
fn credentials_are_those_of_the_settings() {
    let auth = |auth: Value| submission(&json!({"auth": auth})).map(|s| s.server.auth);
    let login = |mechanism: Option<&str>| Auth::Login {
        user: "u".into(),
        password: "p".into(),
        mechanism: mechanism.map(str::to_owned),
    };
    assert!(auth(json!({})).unwrap() == Auth::None);
    assert!(auth(json!({"type": "LOGIN", "user": "u", "pass": "p"})).unwrap() == login(None));
    let with_method = submission(&json!({"authMethod": "CRAM-MD5"})).unwrap();
    assert!(with_method.server.auth == login(Some("CRAM-MD5")));
    let token = auth(json!({"type": "OAuth2", "user": "u", "accessToken": "t"})).unwrap();
    assert!(
        token
            == Auth::OAuth2 {
                user: "u".into(),
                token: "t".into()
            }
    );
    for (wrong, field) in [
        (json!({"user": "u"}), "auth.pass"),
        (json!({"type": "login"}), "auth.user"),
        (json!({"type": "oauth2", "user": "u"}), "auth.accessToken"),
        (
            json!({"type": "oauth2", "user": "u", "refreshToken": "r"}),
            "auth.clientId",
        ),
        (
            json!({"user": "u", "serviceClient": "c"}),
            "auth.privateKey",
        ),
        (
            json!({"user": "u", "privateKey": "k"}),
            "auth.serviceClient",
        ),
        (
            json!({"user": "u", "serviceClient": "c", "privateKey": "no PEM"}),
            "auth.privateKey",
        ),
    ] {
        let failure = auth(wrong).err().unwrap();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.starts_with(field), "{}", failure.message);
    }
}

#[test]
fn a_refresh_token_is_exchanged_before_the_message() {
    let settings = settings(&json!({"auth": {
        "type": "OAuth2", "user": "u", "clientId": "c", "clientSecret": "s", "refreshToken": "r",
        "accessToken": "old", "expires": NOW * 1000, "accessUrl": "https://id.example.com/token",
    }}));
    let granted = response(200, &[], r#"{"access_token":"new","expires_in":3600}"#);
    let (result, asked, submission) = send(&settings, &alice(), Ok(granted), taken());
    assert_eq!(result.unwrap().detail.as_deref(), Some("2.0.0 queued as 1"));
    let asked = asked.unwrap();
    assert_eq!(asked.url, "https://id.example.com/token");
    assert_eq!(
        asked.body,
        b"client_id=c&client_secret=s&refresh_token=r&grant_type=refresh_token"
    );
    assert!(
        submission.unwrap().server.auth
            == Auth::OAuth2 {
                user: "u".into(),
                token: "new".into()
            }
    );

    let denied = response(400, &[], r#"{"error":"invalid_grant"}"#);
    let (result, _, submission) = send(&settings, &alice(), Ok(denied), taken());
    assert!(submission.is_none());
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert_eq!(failure.message, "no access token: invalid_grant");
    // Without an answer the message was not sent either.
    let (result, _, _) = send(&settings, &alice(), Err(HttpError::Timeout), taken());
    assert_eq!(result.unwrap_err().kind, FailureKind::Unavailable);
}

#[test]
fn a_recipient_that_is_no_address_is_rejected_before_any_session() {
    for to in [
        "a@x.test, b@x.test",
        "a@x.test\r\nBcc: b@x.test",
        "alice",
        "a@[127.0.0.1]",
    ] {
        let message = message(to, "SignIn", &json!({"code": "1"}));
        let (result, _, submission) = send(
            &settings(&json!({})),
            &message,
            Err(HttpError::Dns),
            taken(),
        );
        assert_eq!(result.unwrap_err().kind, FailureKind::Rejected, "{to}");
        assert!(submission.is_none());
    }
}

#[test]
fn a_variable_begins_no_header_and_no_line_is_too_long() {
    let settings = settings(
        &json!({"templates": testing::templates(&json!({"contentType": "text/html",
            "subject": "Code {{code}}", "content": "{{code}}",
        }))}),
    );
    for code in [
        "1\r\nBcc: v@evil.test".to_owned(),
        "a".repeat(4000),
        "ü".repeat(4000),
    ] {
        let message = message("alice@example.net", "SignIn", &json!({"code": code}));
        let (_, _, submission) = send(&settings, &message, Err(HttpError::Dns), taken());
        let data = String::from_utf8(submission.unwrap().data).unwrap();
        let (head, body) = data.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_lowercase().contains("\r\nbcc:"), "{head}");
        let lines = head.split("\r\n").chain(body.split("\r\n"));
        let longest = lines.map(str::len).max().unwrap();
        assert!(longest <= 998, "{longest}");
    }
}

#[test]
fn the_servers_words_are_kept_without_the_recipient() {
    let answer = Err(SmtpError::Rejected(Reply {
        code: 550,
        enhanced: Some("5.1.1".into()),
        text: "5.1.1 <alice@example.net> unknown".into(),
    }));
    let (result, _, _) = send(&settings(&json!({})), &alice(), Err(HttpError::Dns), answer);
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.code.as_deref(), Some("5.1.1"));
    assert_eq!(failure.message, "550 5.1.1 <…> unknown");
}

/// The claims of a token, if this key signed it with RS256: read as RFC 7515 and RFC 7519 say.
fn claims(token: &str, key: &KeyPair) -> Value {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key())
        .verify(signed.as_bytes(), &signature)
        .unwrap();
    let parts = signed.split('.').map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice::<Value>(&json).unwrap()
    });
    let parts: Vec<_> = parts.collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!(parts.len(), 2);
    parts[1].clone()
}

#[test]
fn a_service_account_signs_for_its_access_token() {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    for (url, more) in [
        ("https://oauth2.googleapis.com/token", json!({})),
        (
            "https://id.example.com/token",
            json!({"accessUrl": "https://id.example.com/token", "accessToken": "old", "expires": 1}),
        ),
    ] {
        let mut auth = json!({
            "type": "OAuth2", "user": "team@example.com", "serviceClient": "113", "privateKey": pem,
        });
        for (name, value) in more.as_object().unwrap() {
            auth[name] = value.clone();
        }
        let settings = settings(&json!({"auth": auth}));
        assert!(testing::accepts(&Smtp::ABOUT, &settings));
        let granted = response(200, &[], r#"{"access_token":"new","expires_in":3600}"#);
        let (result, asked, submission) = send(&settings, &alice(), Ok(granted), taken());
        result.unwrap();
        let asked = asked.unwrap();
        assert_eq!(asked.url, url);
        let body = String::from_utf8(asked.body).unwrap();
        let token = body.strip_prefix(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=",
        );
        let expected = json!({
            "iss": "113", "scope": "https://mail.google.com/", "sub": "team@example.com",
            "aud": url, "iat": NOW, "exp": NOW + 300,
        });
        assert_eq!(claims(token.unwrap(), &key), expected);
        let auth = Auth::OAuth2 {
            user: "team@example.com".into(),
            token: "new".into(),
        };
        assert!(submission.unwrap().server.auth == auth);
    }
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let message = testing::mail_in_both_forms();
    let token = Err(HttpError::Dns);
    let (_, _, submission) = send(&settings(&json!({})), &message, token, taken());
    let data = String::from_utf8(submission.unwrap().data).unwrap();
    let (text, html) = (data.find("\r\n\r\n123456!\r\n"), data.find("<p>123456</p>"));
    assert!(data.contains("multipart/alternative") && text.unwrap() < html.unwrap());
}
