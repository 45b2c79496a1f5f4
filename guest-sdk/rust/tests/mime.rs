//! Composed mails, read back by a parser that is not ours.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use mail_parser::{MessageParser, MimeHeaders};
use sendbox_guest::Mailbox;
use sendbox_guest::mime::Mail;

const SUBJECTS: [&str; 13] = [
    "Your code is 123456",
    "",
    "Dein Code für die Anmeldung lautet 123456, gültig für zehn Minuten an diesem schönen Tag",
    "Ваш код подтверждения: 123456. Никому его не сообщайте, даже если вас об этом попросят",
    "验证码123456,十分钟内有效,请勿将验证码告知他人。如非本人操作,请忽略此邮件并检查您的账户安全设置。",
    "確認コードは123456です。このコードは10分間有効です。心当たりがない場合は無視してください。",
    "인증 코드는 123456입니다. 10분 안에 입력해 주세요. 요청하지 않았다면 이 메일을 무시하세요.",
    "رمز التحقق الخاص بك هو 123456 وهو صالح لمدة عشر دقائق",
    "รหัสยืนยันของคุณคือ 123456",
    "आपका सत्यापन कोड 123456 है",
    "🔐🔐🔐 123456 👩‍👩‍👧‍👦 👩‍👩‍👧‍👦 👩‍👩‍👧‍👦 👩‍👩‍👧‍👦",
    "a plain subject that is long enough to be folded at least once, and in truth twice, because it goes on and on, and on",
    "double  spaces   are kept, also where the line is folded:          behind ten of them",
];

const NAMES: [&str; 7] = [
    "Example",
    "Example, Inc.",
    "The \"Best\" \\ Team",
    "Müller & Söhne (Köln), Inhaber: \"M.\" <nobody@evil.test>",
    "株式会社サンプル・カスタマーサポートセンター東京本部",
    "=?utf-8?Q?evil?=",
    "A very long name of a company that nobody would ever want to read aloud, because it goes on and on",
];

fn mailbox(name: &str) -> Mailbox {
    Mailbox {
        address: "noreply@mail.example.com".into(),
        name: name.into(),
    }
}

fn mail<'a>(from: &'a Mailbox, subject: &'a str, text: Option<&'a str>) -> Mail<'a> {
    Mail {
        from,
        to: "alice@example.net",
        reply_to: Some(from),
        subject,
        text,
        html: None,
        headers: &[],
        id: "0199-a/b",
        date: 1_767_323_045,
    }
}

fn composed(mail: &Mail<'_>) -> String {
    let data = String::from_utf8(mail.compose().unwrap()).unwrap();
    assert!(data.ends_with("\r\n"));
    for line in data.split("\r\n") {
        assert!(line.len() <= 998 && line.is_ascii(), "{line}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    let (head, _) = data.split_once("\r\n\r\n").unwrap();
    for line in head.split("\r\n") {
        assert!(!line.trim().is_empty());
        assert!(line.len() <= 76, "{line}");
    }
    data
}

#[test]
fn subjects_and_names_in_many_scripts_are_read_back_as_they_were() {
    for name in NAMES {
        let from = mailbox(name);
        for subject in SUBJECTS {
            let data = composed(&mail(&from, subject, Some("Hello")));
            let read = MessageParser::default().parse(&data).unwrap();
            assert_eq!(read.subject().unwrap_or_default(), subject, "{data}");
            for header in [read.from(), read.reply_to()] {
                let sender = header.unwrap().first().unwrap();
                assert_eq!(sender.name().unwrap(), name, "{data}");
                assert_eq!(sender.address().unwrap(), "noreply@mail.example.com");
            }
            let to = read.to().unwrap().first().unwrap();
            assert_eq!((to.name(), to.address()), (None, Some("alice@example.net")));
            assert_eq!(read.message_id(), Some("0199-a-b@mail.example.com"));
            assert_eq!(read.date().unwrap().to_timestamp(), 1_767_323_045);
        }
    }
}

/// The bodies, with their encodings.
fn bodies() -> Vec<(&'static str, String)> {
    vec![
        ("7bit", String::new()),
        (
            "7bit",
            "Your code is 123456.\n\n.\n..\nFrom here on\tit is valid.".into(),
        ),
        ("quoted-printable", "a".repeat(2000)),
        (
            "quoted-printable",
            "ends with a space \nand a tab\t\nand = and =20".replace("=20", "=_"),
        ),
        (
            "quoted-printable",
            format!("Schöne Grüße aus München!\n{}", "word ".repeat(300)),
        ),
        ("base64", "验证码123456,十分钟内有效。\n".repeat(40)),
        ("base64", "ü".repeat(4000)),
        ("base64", "\u{0}\u{7f}\u{1b}".into()),
    ]
}

#[test]
fn bodies_are_read_back_as_they_were_in_lines_that_every_server_takes() {
    let from = mailbox("Example");
    for (encoding, body) in bodies() {
        let data = composed(&mail(&from, "Code", Some(&body)));
        let read = MessageParser::default().parse(&data).unwrap();
        assert_eq!(read.content_transfer_encoding(), Some(encoding), "{body}");
        let text = read.body_text(0).unwrap().replace("\r\n", "\n");
        assert_eq!(text.trim_end_matches('\n'), body.trim_end_matches('\n'));
        let of_crlf = body.replace('\n', "\r\n");
        assert_eq!(data, composed(&mail(&from, "Code", Some(&of_crlf))));
    }
}

#[test]
fn text_and_html_are_two_parts_whatever_they_contain() {
    let from = mailbox("Example");
    let boundary = "--=_0199-a-b--\r\n--=_0199-a-b\r\nContent-Type: text/html\r\n\r\nevil";
    for (_, html) in bodies().into_iter().chain([("", boundary.to_owned())]) {
        for text in ["Hello", boundary] {
            let mut mail = mail(&from, "Code", Some(text));
            mail.html = Some(&html);
            let data = composed(&mail);
            let read = MessageParser::default().parse(&data).unwrap();
            let kind = read.content_type().unwrap();
            assert_eq!(
                (kind.ctype(), kind.subtype()),
                ("multipart", Some("alternative"))
            );
            assert_eq!(read.parts.len(), 3, "{data}");
            let part = |at: usize| {
                read.parts[at]
                    .text_contents()
                    .unwrap()
                    .replace("\r\n", "\n")
            };
            assert_eq!(part(1).trim_end_matches('\n'), text.replace("\r\n", "\n"));
            assert_eq!(
                part(2).trim_end_matches('\n'),
                html.replace("\r\n", "\n").trim_end_matches('\n')
            );
            assert!(read.parts[1].is_content_type("text", "plain"));
            assert!(read.parts[2].is_content_type("text", "html"));
        }
    }
}

#[test]
fn headers_of_ones_own_are_read_back_and_folded() {
    let from = mailbox("");
    let link = format!(
        "<https://example.com/unsubscribe?token={}>",
        "t".repeat(300)
    );
    let headers = [
        ("Comments".to_owned(), "Grüße 🌍".to_owned()),
        ("List-Unsubscribe".to_owned(), link.clone()),
        ("Comments".to_owned(), "second".to_owned()),
    ];
    let mut mail = mail(&from, "Code", Some("Hello"));
    mail.headers = &headers;
    let data = mail.compose().unwrap();
    let read = MessageParser::default().parse(&data).unwrap();
    let values = read.header_values("Comments");
    let values: Vec<_> = values.map(|value| value.as_text().unwrap()).collect();
    assert_eq!(values, ["Grüße 🌍", "second"]);
    assert!(String::from_utf8(data.clone()).unwrap().contains(&link));
}
