//! A mail that is composed, read back by a parser that is not ours.

use mail_parser::{MessageParser, MimeHeaders};
use sendbox_guest::mime::{Mail, address, sender};
use sendbox_guest::{Mailbox, one_line};

use crate::fields::Fields;

/// Holds a mail to what is promised of it.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let own = Mailbox::new("noreply@mail.example.com", "Example");
    let (from, to) = (sender(&fields.text(), &own), address(&fields.text()));
    let reply_to = fields.maybe().and_then(|text| sender(&text, &own));
    let (Some(from), Some(to)) = (from, to) else {
        return;
    };
    assert_eq!(address(&to).as_ref(), Some(&to), "an address is one");
    let subject = fields.text();
    let (text, html) = (fields.maybe(), fields.maybe());
    let headers = fields.pairs();
    let id = fields.text();
    let mail = Mail {
        from: &from,
        to: &to,
        reply_to: reply_to.as_ref(),
        subject: &subject,
        text: text.as_deref(),
        html: html.as_deref(),
        headers: &headers,
        id: &id,
        date: 1_767_323_045,
    };
    match mail.compose() {
        Ok(data) => composed(&mail, &String::from_utf8(data).unwrap()),
        Err(failure) => assert!(
            failure.message.starts_with("customHeaders: "),
            "{}",
            failure.message
        ),
    }
}

/// The names of the head's fields, in order.
fn names(head: &str) -> Vec<String> {
    let lines = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']));
    lines
        .map(|line| line.split_once(':').expect("a field").0.to_owned())
        .collect()
}

fn expected(mail: &Mail<'_>) -> Vec<String> {
    let mut names = vec!["From", "To"];
    names.extend(mail.reply_to.map(|_| "Reply-To"));
    names.extend(["Subject", "Message-ID", "Date"]);
    names.extend(mail.headers.iter().map(|(name, _)| name.as_str()));
    names.extend(["MIME-Version", "Content-Type"]);
    if mail.text.is_none() || mail.html.is_none() {
        names.push("Content-Transfer-Encoding");
    }
    names.into_iter().map(str::to_owned).collect()
}

fn composed(mail: &Mail<'_>, data: &str) {
    let (head, _) = data.split_once("\r\n\r\n").expect("a head and a body");
    assert!(data.ends_with("\r\n"));
    for line in data.split("\r\n") {
        assert!(line.len() <= 998, "a line of {} bytes", line.len());
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    assert!(
        head.split("\r\n").all(|line| !line.trim().is_empty()),
        "{head:?}"
    );
    assert_eq!(names(head), expected(mail));

    let read = MessageParser::default().parse(data).expect("a mail");
    // Encoded words in a subject stay what they are.
    if !mail.subject.contains("=?") {
        assert_eq!(
            read.subject().unwrap_or_default(),
            one_line(mail.subject),
            "{data}"
        );
    }
    let to = read.to().and_then(|to| to.as_list()).expect("a recipient");
    let [to] = to else {
        panic!("{} recipients: {data}", to.len())
    };
    assert_eq!(to.address(), Some(mail.to), "{data}");
    for (header, mailbox) in [
        (read.from(), Some(mail.from)),
        (read.reply_to(), mail.reply_to),
    ] {
        let Some(mailbox) = mailbox else { continue };
        let header = header
            .and_then(|header| header.as_list())
            .expect("a mailbox");
        let [one] = header else {
            panic!("{} mailboxes: {data}", header.len())
        };
        assert_eq!(one.address(), Some(mailbox.address.as_str()), "{data}");
        assert_eq!(
            one.name().unwrap_or_default(),
            one_line(&mailbox.name),
            "{data}"
        );
    }
    bodies(mail, &read, data);
}

fn bodies(mail: &Mail<'_>, read: &mail_parser::Message<'_>, data: &str) {
    let lines = |text: &str| {
        text.replace("\r\n", "\n")
            .replace('\r', "\n")
            .trim_end_matches('\n')
            .to_owned()
    };
    let part = |at: usize| lines(read.parts[at].text_contents().expect("a text"));
    match (mail.text, mail.html) {
        (Some(text), Some(html)) => {
            assert_eq!(read.parts.len(), 3, "{data}");
            assert!(read.parts[1].is_content_type("text", "plain"));
            assert!(read.parts[2].is_content_type("text", "html"));
            assert_eq!((part(1), part(2)), (lines(text), lines(html)), "{data}");
        }
        (text, html) => {
            assert_eq!(read.parts.len(), 1, "{data}");
            assert_eq!(part(0), lines(html.or(text).unwrap_or_default()), "{data}");
        }
    }
}
