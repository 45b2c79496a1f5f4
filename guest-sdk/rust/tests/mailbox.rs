//! The recorded mailbox functions of the peer's connector kit.

use sendbox_guest::Mailbox;
use sendbox_guest::mailbox::without_controls;
use sendbox_guest::testing::golden_rows;
use serde_json::{Value, json};

fn parsed(args: &Value) -> Value {
    let argument = |index: usize| args[index].as_str().unwrap_or_default();
    let mailbox = Mailbox::parse(argument(0), argument(1), argument(2));
    if mailbox.name.is_empty() {
        json!({"email": mailbox.address})
    } else {
        json!({"email": mailbox.address, "name": mailbox.name})
    }
}

#[test]
fn mailboxes_are_read_and_written_as_the_peer_does() {
    for row in golden_rows("kit/kit-mailbox.jsonl").unwrap_or_default() {
        let args = &row["args"];
        let text = args[0].as_str().unwrap();
        let seen = match row["fn"].as_str().unwrap() {
            "parseSendFrom" => parsed(args),
            "formatMailbox" => {
                let mailbox = Mailbox::new(text, args[1].as_str().unwrap_or_default());
                json!(mailbox.to_string())
            }
            "sanitizeMailboxDisplayName" => json!(Mailbox::new("", text).name),
            "stripHeaderControlChars" => json!(without_controls(text)),
            other => json!(format!("unknown function {other}")),
        };
        assert_eq!(seen, row["expect"], "{}", row["id"]);
    }
}

#[test]
fn a_line_break_cannot_leave_the_sender() {
    let mailbox = Mailbox::parse(
        "Evil\r\nBcc: x@y.example <a\n@b.example>",
        "c@d.example",
        "",
    );
    assert_eq!(mailbox.to_string(), "EvilBcc: x@y.example <a@b.example>");
}
