//! JSON Web Tokens (RFC 7519) in their compact form, signed with RS256 (RFC 7515, 3.1; RFC 7518, 3.3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{Algorithm, Key, SignError};

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// A token with these claims, signed with a private key in PEM: a setting of the connector's, as it is.
///
/// # Errors
/// Those of [`Key`]; claims without a JSON form are an [`SignError::InvalidKey`] in words.
pub fn jwt(private_key: &str, claims: &impl Serialize) -> Result<String, SignError> {
    let claims = serde_json::to_vec(claims);
    let claims = claims.map_err(|error| SignError::InvalidKey(error.to_string()))?;
    let mut token = URL_SAFE_NO_PAD.encode(HEADER) + "." + &URL_SAFE_NO_PAD.encode(claims);
    let key = Key::from_secret("", private_key, "")?;
    let signature = key.sign(Algorithm::RsaSha256, token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
