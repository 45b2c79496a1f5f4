//! Acts that ask for more than there is, and one that holds on to what it has.

use std::hint::black_box;
use std::time::Duration;

use sendbox_guest::wasm::sendbox::connector::http::{Credential, Request, send};
use wasip2::http::types::Fields;

/// Keeps a host resource for every turn.
pub(crate) fn resources() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(Fields::new()));
    }
}

/// Writes blank lines to standard error, as many at once as it may.
pub(crate) fn blank_lines() -> ! {
    let (stream, lines) = (wasip2::cli::stderr::get_stderr(), [b'\n'; 64 << 10]);
    loop {
        drop(stream.write(&lines));
    }
}

/// Asks for requests whose credential is its secret again and again.
pub(crate) fn placeholders(settings: &str, url: &str) -> ! {
    let secret = crate::sign::setting(settings, "secret").repeat(20_000);
    loop {
        drop(send(&Request {
            method: "POST".into(),
            url: url.into(),
            headers: vec![],
            body: vec![],
            credential: Credential::Bearer(secret.clone()),
            timeout: None,
        }));
    }
}

/// Asks for requests that are none, as many as it can.
pub(crate) fn tiny_requests() -> ! {
    loop {
        drop(send(&Request {
            method: "GET".into(),
            url: "x".into(),
            headers: vec![],
            body: vec![],
            credential: Credential::None,
            timeout: None,
        }));
    }
}

/// Begins requests by wasi:http and forgets them, as many as it can.
pub(crate) fn forgotten_requests(url: &str) -> ! {
    loop {
        drop(crate::fetch::begin(url));
    }
}

/// Asks for a terabyte of random bytes in one call.
pub(crate) fn random() -> String {
    let bytes = wasip2::random::random::get_random_bytes(1 << 40);
    bytes.len().to_string()
}

/// Waits in the host for longer than any send lasts.
pub(crate) fn sleep() {
    std::thread::sleep(Duration::from_secs(3_600));
}

/// Sends a request whose answer it never looks for, and sleeps.
pub(crate) fn held(settings: &str) -> String {
    let start = settings.find("http://").unwrap_or_default();
    let url = settings[start..].split('"').next().unwrap_or_default();
    let _held = crate::fetch::begin(url);
    sleep();
    "woke".to_owned()
}

/// Sends the secret to where it belongs, and traps with everything it holds.
pub(crate) fn trap_with_secret(settings: &str, url: &str) -> ! {
    let secret = crate::sign::setting(settings, "secret");
    let answer = send(&Request {
        method: "POST".into(),
        url: url.into(),
        headers: vec![],
        body: vec![],
        credential: Credential::Bearer(secret.into()),
        timeout: None,
    });
    panic!("{settings} {secret} {answer:?}");
}
