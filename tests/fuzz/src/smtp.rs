//! A mail server's replies, and a submission to a server that says what it likes.

use std::sync::Arc;
use std::time::Duration;

use sendbox::egress::fuzzing::replies;
use sendbox::egress::{
    Capture, CapturedMail, EgressError, MailScript, SmtpAuth, SmtpEnvelope, SmtpError, SmtpReply,
    SmtpSecurity, SmtpServer, SmtpSubmission,
};
use serde_json::json;

use crate::egress::{block_on, placeholder, scope};
use crate::fields::Fields;
use crate::words::{Canary, one_line};

const HOST: &str = "mail.provider.test";
/// Two that wait for each other end soon.
const PATIENCE: Duration = Duration::from_millis(1);

/// Holds replies, and a submission, to what is promised of them. `{K}` in a server's words is a secret.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (told, error) = block_on(replies(fields.bytes()));
    told.iter().for_each(as_received);
    assert!(matches!(error, EgressError::Connect(_)), "{error:?}");

    let secret = fields.text();
    let (key, placeholders) = placeholder(&secret);
    let submission = SmtpSubmission {
        server: server(fields.choice(), &key),
        envelope: SmtpEnvelope {
            mail_from: fields.text(),
            rcpt_to: fields.texts(),
        },
        data: fields.bytes().to_vec().into(),
    };
    let mut said = || fields.maybe().map(|text| text.replace("{K}", &secret));
    let script = json!({
        "greeting": said(), "ehlo": said(), "auth": said(), "mail": said(),
        "rcpt": said(), "data": said(), "dot": said(),
    });
    let lines = script
        .as_object()
        .unwrap()
        .values()
        .filter_map(|text| text.as_str());
    let in_step = lines.clone().all(|text| !text.contains(['\r', '\n']));
    let script: MailScript = serde_json::from_value(script.clone()).unwrap();
    let capture = Arc::new(Capture::new(Vec::new()).with_server(script));
    let scope = scope(HOST, &capture, &placeholders).unwrap();
    let result = block_on(scope.smtp(submission.clone()));
    let seen = capture.mails();
    match seen.as_slice() {
        [] => assert!(matches!(result, Err(SmtpError::Egress(_)))),
        [mail] => heard(&submission, mail, in_step && result.is_ok()),
        more => panic!("{} sessions", more.len()),
    }
    ended(&result, &Canary::new(&secret), &key);
}

fn server(choice: u8, key: &str) -> SmtpServer {
    let login = |mechanism: Option<&str>| SmtpAuth::Login {
        user: "sender".to_owned(),
        password: key.to_owned(),
        mechanism: mechanism.map(str::to_owned),
    };
    let token = || SmtpAuth::OAuth2 {
        user: "sender".to_owned(),
        token: key.to_owned(),
    };
    SmtpServer {
        host: HOST.to_owned(),
        port: 587,
        security: SmtpSecurity::StartTls,
        server_name: None,
        auth: match choice % 6 {
            0 => SmtpAuth::None,
            1 => login(None),
            2 => login(Some("PLAIN")),
            3 => login(Some("LOGIN")),
            4 => login(Some("CRAM-MD5")),
            _ => token(),
        },
        name: None,
        local_address: None,
        connect_timeout: None,
        command_timeout: Some(PATIENCE),
    }
}

/// The enhanced code is what the text begins with, as long as no secret is taken out of that.
fn as_received(reply: &SmtpReply) {
    clean(reply);
    if let Some(enhanced) = &reply.enhanced {
        assert!(reply.text.starts_with(enhanced.as_str()));
    }
}

/// One line, with what the contract says of it.
fn clean(reply: &SmtpReply) {
    assert!((200..600).contains(&reply.code), "{}", reply.code);
    assert!(
        reply.text.len() <= 4096 && !reply.text.contains(char::is_control),
        "{:?}",
        reply.text
    );
    if let Some(enhanced) = &reply.enhanced {
        let class = (reply.code / 100).to_string();
        assert!(
            enhanced.starts_with(&class) && enhanced.len() <= 9,
            "{enhanced:?}"
        );
    }
}

/// The server was named one sender and the recipients of the envelope, and nothing that the guest wrote ended the
/// message before its end.
fn heard(submission: &SmtpSubmission, mail: &CapturedMail, whole: bool) {
    let local = |path: &str| path.rsplit_once('@').map(|(local, _)| local.to_owned());
    let envelope = &submission.envelope;
    for path in &mail.rcpt_to {
        let inner = path
            .strip_prefix('<')
            .and_then(|path| path.strip_suffix('>'));
        let inner = inner.expect("a path in brackets");
        assert!(!inner.contains(char::is_control));
        let meant = envelope
            .rcpt_to
            .iter()
            .any(|own| local(own) == local(inner));
        assert!(meant, "{inner:?} is no recipient");
    }
    if let Some(from) = &mail.mail_from {
        let path = from.split_once('>').expect("a path in brackets").0;
        let path = path.strip_prefix('<').unwrap();
        assert!(path.is_empty() == envelope.mail_from.is_empty(), "{from:?}");
    }
    if !whole {
        return;
    }
    assert_eq!(mail.rcpt_to.len(), envelope.rcpt_to.len());
    let taken = mail.data.as_deref().expect("what was accepted was whole");
    let text = String::from_utf8_lossy(&submission.data)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let taken = String::from_utf8_lossy(taken).into_owned();
    let lines = text
        .strip_suffix('\n')
        .unwrap_or(&text)
        .replace('\n', "\r\n");
    let lines = if text.is_empty() {
        String::new()
    } else {
        lines + "\r\n"
    };
    assert_eq!(taken, lines);
}

fn ended(result: &Result<SmtpReply, SmtpError>, canary: &Canary, key: &str) {
    let reply = match result {
        Ok(reply) => reply,
        Err(
            SmtpError::Unauthorized(reply)
            | SmtpError::Rejected(reply)
            | SmtpError::Deferred(reply),
        ) => reply,
        Err(SmtpError::Egress(error)) => return one_line(&error.to_string()),
    };
    clean(reply);
    canary.is_not_in(reply.text.as_bytes(), key.as_bytes());
}
