//! AWS Signature Version 4 in a header.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read
//! 2026-11-21.

use super::{AccessKey, Algorithm, canonical, hex, sha256_hex};
use crate::date::Utc;
use crate::failure::Failure;
use crate::http::Request;
use crate::message::Message;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is valid for, besides its day.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Such as `eu-central-1`.
    pub region: &'a str,
    /// Such as `ses`.
    pub service: &'a str,
}

/// Signs the whole request, its headers included, and adds `x-amz-date`, `x-amz-content-sha256` and
/// `authorization`. The URL has no query, and nothing in its path needs encoding.
///
/// # Errors
/// `invalid-settings` where the host does not sign with the secret.
pub fn sigv4(
    request: Request,
    access_key: AccessKey<'_>,
    scope: Scope<'_>,
    message: &Message,
) -> Result<Request, Failure> {
    let now = Utc::of_millis(message.now_ms);
    let (time, day) = (now.basic(), now.basic_day());
    let body = sha256_hex(&request.body);
    let request = request
        .header("x-amz-date", &time)
        .header("x-amz-content-sha256", body);
    let mut names = vec!["host"];
    names.extend(request.headers.iter().map(|(name, _)| name.as_str()));
    names.sort_unstable();
    let (canonical, signed) = canonical(&request, &names);

    let credential_scope = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!(
        "{ALGORITHM}\n{time}\n{credential_scope}\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let signature = access_key
        .key("AWS4", "")?
        .derive(day.as_bytes())?
        .derive(scope.region.as_bytes())?
        .derive(scope.service.as_bytes())?
        .derive(b"aws4_request")?
        .sign(Algorithm::HmacSha256, to_sign.as_bytes())?;
    let authorization = format!(
        "{ALGORITHM} Credential={}/{credential_scope}, SignedHeaders={signed}, Signature={}",
        access_key.id,
        hex(&signature)
    );
    Ok(request.header("authorization", authorization))
}
