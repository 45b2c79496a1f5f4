//! Tencent Cloud's API signature, version 3.
//!
//! <https://www.tencentcloud.com/document/product/382/33413>, read 2026-11-21.

use super::{AccessKey, Algorithm, canonical, hex, sha256_hex};
use crate::date::Utc;
use crate::failure::Failure;
use crate::http::Request;
use crate::message::Message;

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// Signs body, host and content type, and adds `x-tc-timestamp` and `authorization`. The request has a
/// `content-type`, and its URL no query.
///
/// # Errors
/// `invalid-settings` where the host does not sign with the secret.
pub fn tc3(
    request: Request,
    access_key: AccessKey<'_>,
    service: &str,
    message: &Message,
) -> Result<Request, Failure> {
    let now = Utc::of_millis(message.now_ms);
    let (seconds, day) = (message.now_ms / 1000, now.day());
    let (canonical, signed) = canonical(&request, &["content-type", "host"]);
    let scope = format!("{day}/{service}/tc3_request");
    let to_sign = format!(
        "{ALGORITHM}\n{seconds}\n{scope}\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let signature = access_key
        .key("TC3", "")?
        .derive(day.as_bytes())?
        .derive(service.as_bytes())?
        .derive(b"tc3_request")?
        .sign(Algorithm::HmacSha256, to_sign.as_bytes())?;
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
        access_key.id,
        hex(&signature)
    );
    Ok(request
        .header("x-tc-timestamp", seconds.to_string())
        .header("authorization", authorization))
}
