//! Composing mail (RFC 5322, MIME). A header cannot be injected: no control character reaches one,
//! and header names and addresses are checked.
//!
//! Ours instead of mail-builder's, which made the smallest connector with it 408 KiB large: its
//! coders are for every alphabet and charset, and a mail needs two.

mod encode;
mod head;

use crate::date::Utc;
use crate::endpoint;
use crate::failure::Failure;
use crate::mailbox::Mailbox;

use head::Head;

/// Headers that a mail has from its fields or from servers on its way, and `Bcc`: recipients come from
/// the envelope.
const RESERVED: [&str; 14] = [
    "bcc",
    "cc",
    "date",
    "dkim-signature",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "x-bcc",
];

/// One mail. Text and HTML together become alternatives of one another.
#[derive(Clone)]
pub struct Mail<'a> {
    /// Who sends. The address must be an [`address`].
    pub from: &'a Mailbox,
    /// To whom. Must be an [`address`].
    pub to: &'a str,
    /// Where answers go.
    pub reply_to: Option<&'a Mailbox>,
    /// Subject.
    pub subject: &'a str,
    /// The body in plain text.
    pub text: Option<&'a str>,
    /// The body in HTML.
    pub html: Option<&'a str>,
    /// More headers; one name may come more than once.
    pub headers: &'a [(String, String)],
    /// What makes the `Message-ID` its own: the same text gives the same one, on the sender's domain.
    pub id: &'a str,
    /// `Date`, in seconds since the Unix epoch.
    pub date: u64,
}

impl Mail<'_> {
    /// The mail's text, with CRLF at the ends of its lines, none of them longer than 998 bytes.
    ///
    /// # Errors
    /// `invalid-settings` for a header that a mail cannot have.
    pub fn compose(&self) -> Result<Vec<u8>, Failure> {
        let mut head = Head::default();
        head.mailbox("From", self.from);
        head.address("To", self.to);
        if let Some(reply_to) = self.reply_to {
            head.mailbox("Reply-To", reply_to);
        }
        head.text("Subject", self.subject);
        head.ready("Message-ID", &self.message_id());
        head.ready(
            "Date",
            &Utc::of_millis(self.date.saturating_mul(1000)).mail(),
        );
        for (name, value) in self.headers {
            check_header(name)?;
            head.text(name, value);
        }
        head.ready("MIME-Version", "1.0");
        let mail = match (self.text, self.html) {
            (Some(text), Some(html)) => {
                let boundary = format!("=_{}", self.token());
                let kind = format!("multipart/alternative; boundary=\"{boundary}\"");
                head.ready("Content-Type", &kind);
                let (text, html) = (
                    part(Head::default(), PLAIN, text),
                    part(Head::default(), HTML, html),
                );
                let head = head.finish();
                format!("{head}\r\n--{boundary}\r\n{text}--{boundary}\r\n{html}--{boundary}--\r\n")
            }
            (_, Some(html)) => part(head, HTML, html),
            (text, None) => part(head, PLAIN, text.unwrap_or_default()),
        };
        Ok(mail.into_bytes())
    }

    fn message_id(&self) -> String {
        let domain = self.from.address.rsplit('@').next().unwrap_or_default();
        format!("<{}@{domain}>", self.token())
    }

    /// The id in letters that a `Message-ID` and a boundary take.
    fn token(&self) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let letters = self.id.chars().map(|c| if allowed(c) { c } else { '-' });
        letters.take(64).collect()
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// A part of one body, or a whole mail of one, behind what its head has already.
fn part(mut head: Head, content_type: &str, body: &str) -> String {
    let body = encode::body(body);
    head.ready("Content-Type", content_type);
    head.ready("Content-Transfer-Encoding", body.encoding);
    format!("{}\r\n{}", head.finish(), body.text)
}

fn check_header(name: &str) -> Result<(), Failure> {
    // `ftext` of RFC 5322, 3.6.8.
    let is_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > 76 || !name.bytes().all(is_name) {
        return Err(Failure::invalid_settings(
            "customHeaders",
            "a header's name holds other than printable ASCII",
        ));
    }
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("content-") {
        let words = format!("{name} is set by the connector");
        return Err(Failure::invalid_settings("customHeaders", &words));
    }
    Ok(())
}

/// One mail address with its domain in lower-case A-labels; none where the text is no address, more
/// than one, or could end an envelope command or a header.
#[must_use]
pub fn address(text: &str) -> Option<String> {
    let (local, domain) = text.trim_matches(' ').rsplit_once('@')?;
    let quoted = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    let is_local = match quoted {
        // Some readers end an address at a bracket or begin a comment at one, in quotes or not.
        Some(inner) => {
            let special = |c: char| c.is_control() || "\"\\<>()[]".contains(c);
            !inner.contains(special)
        }
        None => {
            let special =
                |c: char| c.is_control() || c.is_whitespace() || "()<>[]:;@\\,\"".contains(c);
            !local.is_empty() && !local.contains(special)
        }
    };
    let domain = endpoint::domain(domain)?;
    // Some readers decode encoded words wherever they stand (RFC 2047, 5 forbids them here).
    let is_local = is_local && !local.contains("=?");
    (is_local && local.len() <= 64).then(|| format!("{local}@{domain}"))
}

/// [`Mailbox::parse`] for a mail's own headers: a quoted name loses its quotes, and the address must be
/// one.
#[must_use]
pub fn sender(text: &str, fallback: &Mailbox) -> Option<Mailbox> {
    let parsed = Mailbox::parse(text, &fallback.address, &fallback.name);
    let name = match parsed
        .name
        .strip_prefix('"')
        .and_then(|n| n.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => parsed.name,
    };
    Some(Mailbox {
        address: address(&parsed.address)?,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn mail<'a>(from: &'a Mailbox, subject: &'a str, headers: &'a [(String, String)]) -> Mail<'a> {
        Mail {
            from,
            to: "alice@example.net",
            reply_to: None,
            subject,
            text: Some("Hello"),
            html: None,
            headers,
            id: "0199-a/b",
            date: 1_767_323_045,
        }
    }

    fn composed(mail: &Mail<'_>) -> String {
        String::from_utf8(mail.compose().unwrap()).unwrap()
    }

    fn team(name: &str) -> Mailbox {
        Mailbox {
            address: "team@example.com".into(),
            name: name.into(),
        }
    }

    fn header_names(text: &str) -> Vec<&str> {
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let lines = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split_once(':').unwrap().0).collect()
    }

    #[test]
    fn a_mail_is_the_same_each_time_and_carries_its_id_on_the_senders_domain() {
        let from = team("Example, Inc.");
        let text = composed(&mail(&from, "Code 123456", &[]));
        assert_eq!(text, composed(&mail(&from, "Code 123456", &[])));
        for line in [
            "From: \"Example, Inc.\" <team@example.com>",
            "Subject: Code 123456",
            "Message-ID: <0199-a-b@example.com>",
            "Date: Fri, 02 Jan 2026 03:04:05 +0000",
        ] {
            assert!(text.split("\r\n").any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn no_text_begins_another_header() {
        for evil in [
            "Hi\r\nBcc: v@evil.test",
            "Hi\nBcc: v@evil.test",
            "Hi\rBcc: v",
            "A\"\r\nBcc: v",
        ] {
            let from = team(evil);
            let headers = [("X-A".to_owned(), evil.to_owned())];
            let mut mail = mail(&from, evil, &headers);
            mail.reply_to = Some(&from);
            let text = composed(&mail);
            assert!(!header_names(&text).contains(&"Bcc"), "{text}");
        }
        for name in [
            "X-A: b\r\nBcc",
            "Bcc",
            "bcc",
            "Content-Type",
            "",
            "X A",
            "To",
        ] {
            let headers = [(name.to_owned(), "v@evil.test".to_owned())];
            let failure = mail(&team(""), "x", &headers).compose().unwrap_err();
            assert_eq!(failure.kind, FailureKind::InvalidSettings, "{name}");
        }
    }

    #[test]
    fn no_line_is_too_long_and_text_outside_ascii_is_encoded() {
        let (long, from) = ("a".repeat(1001), team("Wörld 🌍"));
        let words = "ü".repeat(600);
        let mut mail = mail(&from, &words, &[]);
        for body in [long.as_str(), words.as_str()] {
            mail.text = Some(body);
            mail.html = Some(body);
            let text = composed(&mail);
            assert!(text.is_ascii());
            assert!(text.split("\r\n").all(|line| line.len() <= 998), "{text}");
        }
    }

    #[test]
    fn an_address_with_spaces_is_not_folded() {
        let from = team("");
        let to = format!("\"a {}\"@example.net", "]".repeat(60));
        let mut mail = mail(&from, "x", &[]);
        mail.to = &to;
        assert!(composed(&mail).contains(&format!("To: <{to}>\r\n")));
    }

    #[test]
    fn text_and_html_become_alternatives() {
        let from = team("");
        let mut mail = mail(&from, "x", &[]);
        mail.html = Some("<p>Hello</p>");
        let text = composed(&mail);
        assert!(text.contains("multipart/alternative"));
        assert_eq!(text.matches("--=_0199-a-b").count(), 3, "{text}");
        assert_eq!(text, composed(&mail));
    }

    #[test]
    fn an_address_is_one_address() {
        assert_eq!(address("Alice@EXAMPLE.Net").unwrap(), "Alice@example.net");
        assert_eq!(
            address("user@münchen.example").unwrap(),
            "user@xn--mnchen-3ya.example"
        );
        assert_eq!(address("\"a b\"@x.test").unwrap(), "\"a b\"@x.test");
        for bad in [
            "",
            "a",
            "a@",
            "@x.test",
            "a@b@c.test",
            "a@x.test, b@x.test",
            "a,b@x.test",
            "a@x.test\r\nBcc: b@x.test",
            "a@[127.0.0.1]",
            "a b@x.test",
            "<a@x.test>",
            "=?utf-8?Q?b?=@x.test",
            "\"a ](b\"@x.test",
            "\"a> <b\"@x.test",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn senders_are_read_with_and_without_quotes() {
        let own = team("Team");
        let read = |text| sender(text, &own).map(|m| (m.name, m.address));
        let pair = |name: &str, address: &str| Some((name.to_owned(), address.to_owned()));
        assert_eq!(read("\"A, B\" <x@Y.test>"), pair("A, B", "x@y.test"));
        assert_eq!(read("A, B <x@y.test>"), pair("A, B", "x@y.test"));
        assert_eq!(read("x@y.test"), pair("", "x@y.test"));
        assert_eq!(read("Only a name"), pair("Only a name", "team@example.com"));
        assert_eq!(read("A <x@y@z.test>"), None);
    }
}
