//! Alibaba Cloud's RPC signature, version 1.0: HMAC-SHA-1 over the sorted parameters of a form.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>, read 2026-11-21.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{AccessKey, Algorithm};
use crate::date::Utc;
use crate::failure::Failure;
use crate::http::{Request, unreserved};
use crate::message::Message;

/// The request that posts `parameters` to `url`, with a nonce, the time and the signature behind them.
/// `SignatureMethod` and `SignatureVersion` are the caller's to send: their place differs.
///
/// # Errors
/// `invalid-settings` where the host does not sign with the secret.
pub fn rpc(
    url: &str,
    parameters: &[(&str, &str)],
    access_key: AccessKey<'_>,
    message: &Message,
) -> Result<Request, Failure> {
    let nonce = message.uuid();
    let time = Utc::of_millis(message.now_ms).extended();
    let mut parameters = parameters.to_vec();
    parameters.push(("SignatureNonce", &nonce));
    parameters.push(("Timestamp", &time));

    let pairs = parameters.iter();
    let mut pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{}={}", unreserved(name), unreserved(value)))
        .collect();
    pairs.sort_unstable();
    let to_sign = format!("POST&%2F&{}", unreserved(&pairs.join("&")));
    let signature = access_key
        .key("", "&")?
        .sign(Algorithm::HmacSha1, to_sign.as_bytes())?;
    let signature = STANDARD.encode(signature);
    parameters.push(("Signature", &signature));
    Ok(Request::post(url).form(&parameters))
}
