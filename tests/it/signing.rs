//! Keys in the host's hands: what a guest gets of them, and what it never sees.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use sendbox::limits::{Limit, Limits};

use crate::sandbox::{SECRET, Sandbox};

fn mac(algorithm: hmac::Algorithm, key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, key);
    hmac::sign(&key, data).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_guest_signs_with_a_secret_that_is_nowhere_in_its_memory() {
    let sandbox = Sandbox::with_slots(1).await;
    let unhurried = Limits {
        cpu_ms: 5_000,
        ..Limits::default()
    };
    let signed = sandbox.perform_under("sign", unhurried).await;
    let key = format!("pre{SECRET}suf");
    let derived = mac(HMAC_SHA256, key.as_bytes(), b"day");
    let sha1 = mac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &derived, b"data");
    let sha256 = mac(HMAC_SHA256, &derived, b"data");
    let words: Vec<_> = signed.detail().split(' ').collect();
    let [first, second, rsa, found] = words[..] else {
        panic!("{words:?}");
    };
    assert_eq!(
        (first, second),
        (hex(&sha1).as_str(), hex(&sha256).as_str())
    );
    assert!(rsa.contains("PEM"), "{rsa}");
    assert_eq!(
        found, "0",
        "places in the guest's memory that hold the secret"
    );
    let seen = format!("{:?} {:?}", signed.report.log, signed.report.result);
    assert!(!seen.contains(SECRET));
}

#[tokio::test]
async fn only_a_secret_that_may_sign_becomes_a_key() {
    let sandbox = Sandbox::with_slots(1).await;
    let refused = sandbox.perform("sign-ungranted").await;
    assert_eq!(refused.detail(), "[true, true, true, true]");
}

#[tokio::test]
async fn a_key_signs_only_where_its_secret_is_declared_to() {
    let sandbox = Sandbox::with_slots(1).await;
    let refused = sandbox.perform("sign-and-derive").await;
    assert_eq!(refused.detail(), "[true, true, true]");
    let log = refused.report.log.join("\n");
    assert!(log.contains("x-derivations"), "{log}");
}

#[tokio::test]
async fn signatures_and_keys_are_limited() {
    let sandbox = Sandbox::with_slots(1).await;
    let flood = sandbox.perform("sign-flood").await;
    assert_eq!(flood.detail(), "16 over the limit of signatures");
    assert_eq!(flood.report.met, [Limit::Signatures]);
    let few = Limits {
        signatures: 3,
        ..Limits::default()
    };
    let flood = sandbox.perform_under("sign-flood", few).await;
    assert_eq!(flood.detail(), "3 over the limit of signatures");
    let keys = sandbox.perform("key-flood").await;
    assert_eq!(keys.failure().0, "limit.resources");
}
