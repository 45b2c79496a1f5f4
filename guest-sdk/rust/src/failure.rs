//! What went wrong, in the contract's seven kinds; the one place that reads status codes.
//!
//! A connector classifies and never retries: the host decides.

use crate::date;
use crate::http::{HttpError, Response};

/// The kinds of failure that the host knows how to treat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The settings cannot work; the message names the field.
    InvalidSettings,
    /// No template for the usage type, here or at the provider.
    TemplateNotFound,
    /// This recipient or this content is refused for good, by whichever provider. What is said of the
    /// sender, the account or its quota is one of the other kinds.
    Rejected,
    /// The credentials are refused.
    Unauthorized,
    /// Refused until later, because of a rate or quota.
    Throttled,
    /// Not accepted, and a later attempt may succeed.
    Unavailable,
    /// The provider may have accepted.
    Unknown,
}

impl FailureKind {
    /// What an HTTP status code outside 2xx says (RFC 9110, 15; 425 of RFC 8470, 429 of RFC 6585).
    ///
    /// 400 and 422 alone speak of the message; every other 4xx of the address, the method or the form of
    /// the request. Of the 5xx only 503 says that the request was not processed; after any other one the
    /// provider may have accepted.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 | 407 => Self::Unauthorized,
            402 | 408 | 425 | 429 => Self::Throttled,
            400 | 422 => Self::Rejected,
            503 => Self::Unavailable,
            // The host follows no redirect, so the address is wrong. 303 is the exception: the
            // request was processed, and its outcome lies elsewhere.
            300..=302 | 304..500 => Self::InvalidSettings,
            _ => Self::Unknown,
        }
    }

    /// The kind of that name in the contract.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "invalid-settings" => Self::InvalidSettings,
            "template-not-found" => Self::TemplateNotFound,
            "rejected" => Self::Rejected,
            "unauthorized" => Self::Unauthorized,
            "throttled" => Self::Throttled,
            "unavailable" => Self::Unavailable,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the message.
    pub kind: FailureKind,
    /// The provider's code, or the status code; at most 64 bytes are kept.
    pub code: Option<String>,
    /// In words, without secrets; at most 4 KiB are kept.
    pub message: String,
    /// Milliseconds that the provider asks to wait.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A failure in words.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            retry_after: None,
        }
    }

    /// The settings' field cannot work, and why.
    #[must_use]
    pub fn invalid_settings(field: &str, words: &str) -> Self {
        Self::new(FailureKind::InvalidSettings, format!("{field}: {words}"))
    }

    /// Neither the usage type nor `Generic` has a template.
    #[must_use]
    pub fn template_not_found(usage_type: &str) -> Self {
        let words = format!("no template for the usage type {usage_type}");
        Self::new(FailureKind::TemplateNotFound, words)
    }

    /// What a response outside 2xx says by its status code, its `Retry-After` and the start of
    /// its body.
    #[must_use]
    pub fn from_response(response: &Response) -> Self {
        let kind = match FailureKind::of_status(response.status) {
            // A page of a proxy or a web server says nothing of the message.
            FailureKind::Rejected if is_markup(&response.text()) => FailureKind::InvalidSettings,
            kind => kind,
        };
        let mut message = format!("HTTP status {}", response.status);
        if (300..400).contains(&response.status) {
            message.push_str(": redirects are not followed, the address must be the final one");
        } else if let Some(excerpt) = excerpt(response) {
            message.push_str(": ");
            message.push_str(&excerpt);
        }
        Self {
            kind,
            code: Some(response.status.to_string()),
            message,
            retry_after: retry_after(response),
        }
    }

    /// A 2xx without the answer that the provider's documents promise: it may have accepted.
    #[must_use]
    pub fn unreadable(response: &Response) -> Self {
        let words = format!(
            "HTTP status {} without the provider's answer",
            response.status
        );
        Self::new(FailureKind::Unknown, words).with_code(response.status)
    }

    /// The same failure with the provider's own code.
    #[must_use]
    pub fn with_code(mut self, code: impl ToString) -> Self {
        self.code = Some(code.to_string());
        self
    }

    /// The same failure in the provider's own words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same failure, to be tried again when a provider says so in words: seconds, or a date, as
    /// in a `Retry-After` header. What cannot be read changes nothing.
    #[must_use]
    pub fn with_delay(mut self, value: &str, response: &Response) -> Self {
        self.retry_after = delay(value, response).or(self.retry_after);
        self
    }

    /// The same failure as another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: FailureKind) -> Self {
        self.kind = kind;
        self
    }

    /// What the provider's own code and words stand for, inside whichever response; its
    /// `Retry-After` is kept.
    #[must_use]
    pub fn of_provider(
        response: &Response,
        kind: FailureKind,
        code: impl ToString,
        words: Option<String>,
    ) -> Self {
        let failure = Self::from_response(response)
            .with_kind(kind)
            .with_code(code);
        match words.filter(|words| !words.is_empty()) {
            Some(words) => failure.with_message(words),
            None => failure,
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        use FailureKind::{InvalidSettings, Unavailable, Unknown};
        let (kind, code, words) = match &error {
            HttpError::Denied => (
                InvalidSettings,
                "denied",
                "the egress policy does not allow this address",
            ),
            HttpError::InvalidRequest(words) => {
                (InvalidSettings, "invalid-request", words.as_str())
            }
            HttpError::Dns => (Unavailable, "dns", "the host name could not be resolved"),
            HttpError::Connect => (Unavailable, "connect", "no connection"),
            HttpError::Tls => (Unavailable, "tls", "no trusted TLS session"),
            HttpError::Timeout => (Unknown, "timeout", "no whole response in time"),
            HttpError::Interrupted => (
                Unknown,
                "interrupted",
                "the connection ended before a whole response",
            ),
            HttpError::ResponseTooLarge => (
                Unknown,
                "response-too-large",
                "the response is over the limit",
            ),
        };
        Self::new(kind, words).with_code(code)
    }
}

fn retry_after(response: &Response) -> Option<u64> {
    delay(response.header("retry-after")?.trim(), response)
}

/// Milliseconds of a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date that counts from
/// the response's own `Date`, else from the moment it arrived.
fn delay(value: &str, response: &Response) -> Option<u64> {
    if let Ok(seconds) = value.parse::<u64>() {
        return seconds.checked_mul(1000);
    }
    let until = date::parse(value)?;
    let now = response
        .header("date")
        .and_then(date::parse)
        .unwrap_or(response.received_at);
    until.saturating_sub(now).checked_mul(1000)
}

/// The first words of a plain or JSON body, on one line. A page of markup explains nothing.
fn excerpt(response: &Response) -> Option<String> {
    const CHARACTERS: usize = 200;
    let text = response.text();
    let text = text.trim();
    if text.is_empty() || is_markup(text) {
        return None;
    }
    Some(one_line(text).chars().take(CHARACTERS).collect())
}

fn is_markup(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// The text with every run of control characters and spaces around it as one space, so that it
/// fits a header, a subject or a line of a log.
#[must_use]
pub fn one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let words = text.split(char::is_control);
    let words: Vec<_> = words
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: body.into(),
            received_at: 784_111_777,
        }
    }

    #[test]
    fn every_status_code_has_its_kind() {
        use FailureKind::*;
        for (status, kind) in [
            (301, InvalidSettings),
            (303, Unknown),
            (307, InvalidSettings),
            (400, Rejected),
            (401, Unauthorized),
            (402, Throttled),
            (403, Unauthorized),
            (404, InvalidSettings),
            (405, InvalidSettings),
            (408, Throttled),
            (413, InvalidSettings),
            (415, InvalidSettings),
            (422, Rejected),
            (425, Throttled),
            (429, Throttled),
            (500, Unknown),
            (502, Unknown),
            (503, Unavailable),
            (504, Unknown),
            (599, Unknown),
            (100, Unknown),
        ] {
            assert_eq!(FailureKind::of_status(status), kind, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        for (headers, expected) in [
            (vec![("retry-after", "120")], Some(120_000)),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")],
                Some(60_000),
            ),
            (
                vec![
                    ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"),
                    ("date", "Sun, 06 Nov 1994 08:50:07 GMT"),
                ],
                Some(30_000),
            ),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")],
                Some(0),
            ),
            (vec![("retry-after", "soon")], None),
            (vec![("retry-after", "-1")], None),
            (vec![], None),
        ] {
            let failure = Failure::from_response(&response(429, &headers, ""));
            assert_eq!(failure.retry_after, expected, "{headers:?}");
        }
    }

    #[test]
    fn the_message_quotes_text_on_one_line_and_never_markup() {
        let text = Failure::from_response(&response(413, &[], "too\r\nlarge\n"));
        assert_eq!(text.message, "HTTP status 413: too large");
        let page = Failure::from_response(&response(502, &[], "<html>oops</html>"));
        assert_eq!(page.message, "HTTP status 502");
        let page = Failure::from_response(&response(400, &[], " <html>nginx</html>"));
        assert_eq!(page.kind, FailureKind::InvalidSettings);
    }

    #[test]
    fn what_surely_did_not_arrive_is_told_from_what_may_have() {
        for error in [HttpError::Dns, HttpError::Connect, HttpError::Tls] {
            assert_eq!(Failure::from(error).kind, FailureKind::Unavailable);
        }
        for error in [
            HttpError::Timeout,
            HttpError::Interrupted,
            HttpError::ResponseTooLarge,
        ] {
            assert_eq!(Failure::from(error).kind, FailureKind::Unknown);
        }
    }
}
