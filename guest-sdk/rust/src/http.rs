//! Requests that a connector describes, and the responses that it reads.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, FailureKind};
use crate::payload;

/// A credential that the host encodes after it has filled in the secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credential {
    /// No credential.
    #[default]
    None,
    /// User and password (RFC 7617).
    Basic(String, String),
    /// Token (RFC 6750).
    Bearer(String),
    /// Header name and value.
    Header(String, String),
}

/// One HTTP request. Its `Debug` shows neither query, nor headers, nor body.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` or another method of the contract.
    pub method: &'static str,
    /// Absolute and ASCII.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
    /// Where the secret goes, if in no other place.
    pub credential: Credential,
    /// Milliseconds for the whole exchange; the send's deadline by default.
    pub timeout: Option<u32>,
}

impl Request {
    /// A POST without headers or body.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A GET of `url` with the pairs as its query (WHATWG URL, `application/x-www-form-urlencoded`).
    #[must_use]
    pub fn get(url: &str, query: &[(&str, &str)]) -> Self {
        Self::new("GET", format!("{url}?{}", form_pairs(query)))
    }

    fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            credential: Credential::None,
            timeout: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends user and password in `authorization`.
    #[must_use]
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.credential = Credential::Basic(user.to_owned(), password.to_owned());
        self
    }

    /// Sends a token in `authorization`.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.credential = Credential::Bearer(token.to_owned());
        self
    }

    /// Sends a secret in a header of its own.
    #[must_use]
    pub fn secret_header(mut self, name: &str, value: &str) -> Self {
        self.credential = Credential::Header(name.to_owned(), value.to_owned());
        self
    }

    /// The value as JSON, printed as JavaScript's `JSON.stringify` prints it.
    ///
    /// # Errors
    /// `rejected` where the value has no JSON form.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, Failure> {
        self.body = payload::stringify(value)
            .map_err(|error| Failure::new(FailureKind::Rejected, error.to_string()))?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Sets a header that is there already, such as a content type with a character set.
    #[must_use]
    pub fn replace_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.header(name, value)
    }

    /// The pairs as a form (WHATWG URL, `application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.body = form_pairs(pairs).into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Refuses what would end a header line: the settings' field is wrong, not the message.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let secret = match &self.credential {
            Credential::Header(name, value) => Some((name, value)),
            _ => None,
        };
        for (name, value) in self.headers.iter().map(|(n, v)| (n, v)).chain(secret) {
            if value.contains(|c: char| c.is_ascii_control() && c != '\t') {
                return Err(Failure::invalid_settings(
                    name,
                    "a header value must not contain control characters",
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {url}", self.method)
    }
}

/// One buffered HTTP response.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
    /// When the response arrived, in seconds since the Unix epoch.
    pub received_at: u64,
}

impl Response {
    /// Whether the status code is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, without a byte order mark; what is no UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(
            self.body
                .strip_prefix(b"\xEF\xBB\xBF")
                .unwrap_or(&self.body),
        )
    }

    /// The body as JSON of a known shape, if it has it.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.text()).ok()
    }
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// By policy; nothing was sent.
    Denied,
    /// Malformed or over a limit, in words; nothing was sent.
    InvalidRequest(String),
    /// The name could not be resolved; nothing was sent.
    Dns,
    /// No connection; nothing was sent.
    Connect,
    /// No trusted TLS session; nothing was sent.
    Tls,
    /// No whole response in time; the request may have been received.
    Timeout,
    /// The connection ended, or broke the protocol, before a whole response.
    Interrupted,
    /// The response is over a limit.
    ResponseTooLarge,
}

/// Form fields in the order in which they are put.
#[derive(Default)]
pub struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Adds a field where there is one: an empty one is sent.
    pub fn put(&mut self, name: &'static str, value: impl Into<Option<String>>) {
        self.0.extend(value.into().map(|value| (name, value)));
    }

    /// The fields for [`Request::form`].
    #[must_use]
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// A value of the settings as one segment of a URL's path.
///
/// # Errors
/// `invalid-settings` with the field's name where the segment would climb the path.
pub fn setting_segment(field: &str, value: &str) -> Result<String, Failure> {
    let segment = path_segment(value);
    if matches!(segment.as_str(), "." | "..") {
        return Err(Failure::invalid_settings(field, "is not an id"));
    }
    Ok(segment)
}

/// Percent-encodes one segment of a URL's path, as JavaScript's `encodeURIComponent` does.
#[must_use]
pub fn path_segment(text: &str) -> String {
    encoded(text, b"-_.!~*'()", false)
}

/// Percent-encodes all but the unreserved characters of RFC 3986, 2.3.
pub(crate) fn unreserved(text: &str) -> String {
    encoded(text, b"-_.~", false)
}

fn form_encoded(text: &str) -> String {
    encoded(text, b"*-._", true)
}

fn form_pairs(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but ASCII letters, digits and `literal`.
fn encoded(text: &str, literal: &[u8], plus_for_space: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || literal.contains(&byte) {
            encoded.push(char::from(byte));
        } else if byte == b' ' && plus_for_space {
            encoded.push('+');
        } else {
            push_percent(&mut encoded, byte);
        }
    }
    encoded
}

/// Appends `%XX`.
pub(crate) fn push_percent(text: &mut String, byte: u8) {
    text.push('%');
    push_hex(text, byte);
}

/// Appends `XX`.
pub(crate) fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.extend(char::from_digit(u32::from(digit), 16).map(|d| d.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_as_a_browser_encodes_them() {
        let request =
            Request::post("https://x.example").form(&[("a b", "ü+~*-._"), ("c", "&=\u{1F510}")]);
        assert_eq!(
            String::from_utf8(request.body).unwrap(),
            "a+b=%C3%BC%2B%7E*-._&c=%26%3D%F0%9F%94%90"
        );
    }

    #[test]
    fn a_query_is_encoded_like_a_form() {
        let request = Request::get("https://x.example/a", &[("u", "a&b"), ("c", "\u{e9} ")]);
        assert_eq!(request.method, "GET");
        assert_eq!(request.url, "https://x.example/a?u=a%26b&c=%C3%A9+");
    }

    #[test]
    fn a_path_segment_cannot_leave_its_place() {
        assert_eq!(path_segment("AC/../x?y#z%"), "AC%2F..%2Fx%3Fy%23z%25");
    }

    #[test]
    fn a_header_value_with_a_line_break_names_its_header() {
        let request =
            Request::post("https://x.example").secret_header("authorization", "a\r\nb: c");
        let failure = request.check().unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.starts_with("authorization: "));
    }

    #[test]
    fn debug_shows_no_credential() {
        let request = Request::post("https://x.example?key=s3cret").bearer("s3cret");
        assert_eq!(format!("{request:?}"), "POST https://x.example");
    }

    #[test]
    fn json_is_read_behind_a_byte_order_mark() {
        let response = Response {
            body: b"\xEF\xBB\xBF[1]".to_vec(),
            ..Response::default()
        };
        assert_eq!(response.json::<Vec<u8>>(), Some(vec![1]));
    }
}
