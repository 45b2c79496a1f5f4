//! Repeats all that it learns, in every way that a guest has, and looks for what it must not have learned.

use sendbox_guest::wasm::guest::{Failure, Message, Receipt};
use sendbox_guest::wasm::sendbox::connector::http::{Credential, Request, send};
use sendbox_guest::wasm::sendbox::connector::log::{Level, log};
use sendbox_guest::wasm::sendbox::connector::types::FailureKind;

use crate::acts::endless_loop;
use crate::sign::{occurrences, setting};

/// Sends its secret to its endpoint and says what came of it. `look_for` are texts backwards, parted by bars.
pub(crate) fn tell_all(settings: &str, message: &Message) -> Result<Receipt, Failure> {
    let answer = send(&Request {
        method: "POST".into(),
        url: setting(settings, "url").into(),
        headers: vec![],
        body: format!("{} {}", message.recipient, message.payload).into_bytes(),
        credential: Credential::Header(("x-canary".into(), setting(settings, "secret").into())),
        timeout: None,
    });
    let heard = answer.as_ref().map(|answer| {
        let body = String::from_utf8_lossy(&answer.body);
        format!("{} {:?} {body}", answer.status, answer.headers)
    });
    let found: Vec<_> = setting(settings, "look_for")
        .split('|')
        .map(|text| occurrences(text.as_bytes()).min(1).to_string())
        .collect();
    let words = format!(
        "found {} for {} {} of {settings}, heard {heard:?}",
        found.concat(),
        message.recipient,
        message.payload
    );
    log(Level::Debug, &words);
    println!("{words}");
    eprintln!("{words}");
    match setting(settings, "act") {
        "sweep-trap" => panic!("{words}"),
        "sweep-limit" => endless_loop(),
        _ => {}
    }
    if answer.is_ok_and(|answer| answer.status == 200) {
        return Ok(Receipt {
            provider_message_id: Some(format!("{} {}", message.recipient, message.payload)),
            detail: Some(words),
        });
    }
    Err(Failure {
        kind: FailureKind::Rejected,
        code: Some(message.recipient.clone()),
        message: words,
        retry_after: None,
    })
}
