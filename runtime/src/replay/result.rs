//! What a replayed case did, as one line of JSON.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::mail::ReplayedMail;
use crate::connector::{CallReport, Used};
use crate::egress::{Capture, CapturedRequest};
use crate::message::Content;
use crate::outcome::{Failure, FailureKind, Receipt};

/// What a replayed case did.
#[derive(Debug, Serialize)]
pub struct ReplayResult {
    /// The case's id.
    pub id: String,
    /// The HTTP requests that would have left, in order.
    pub requests: Vec<ReplayedRequest>,
    /// The SMTP sessions with a recorded server, in order.
    pub smtp: Vec<ReplayedMail>,
    /// What was handed over for the operator's integration to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// What came of it.
    pub outcome: ReplayedOutcome,
    /// The guest's own lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// From the call to its end, in microseconds.
    pub duration_us: u64,
    /// Whether the guest was ended against its will.
    #[serde(skip)]
    pub trapped: bool,
    /// What the guest used of its limits.
    #[serde(skip)]
    pub used: Used,
}

/// A request that would have left, secrets filled in.
#[derive(Clone, Serialize)]
pub struct ReplayedRequest {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// Names in lower case, and values, the host's own included.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    #[serde(rename = "body_base64", serialize_with = "base64")]
    pub body: Bytes,
}

impl fmt::Debug for ReplayedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Holds secrets in the clear.
        f.debug_struct("ReplayedRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// A receipt or a failure.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ReplayedOutcome {
    /// The provider accepted.
    Receipt {
        /// True.
        ok: bool,
        /// The receipt.
        receipt: Receipt,
    },
    /// It did not.
    Failure {
        /// False.
        ok: bool,
        /// The failure's kind.
        kind: FailureKind,
        /// The provider's code, or the host's.
        code: Option<String>,
        /// In words.
        message: String,
    },
}

impl ReplayResult {
    pub(super) fn new(id: &str, outcome: Result<Receipt, Failure>, duration: Duration) -> Self {
        Self {
            id: id.to_owned(),
            requests: Vec::new(),
            smtp: Vec::new(),
            content: None,
            outcome: match outcome {
                Ok(receipt) => ReplayedOutcome::Receipt { ok: true, receipt },
                Err(failure) => ReplayedOutcome::Failure {
                    ok: false,
                    kind: failure.kind,
                    code: failure.code,
                    message: failure.message,
                },
            },
            log: Vec::new(),
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            trapped: false,
            used: Used::default(),
        }
    }

    /// What came of a call, and what would have left.
    #[must_use]
    pub fn of(id: &str, report: CallReport, capture: &Capture) -> Self {
        let requests = capture.requests();
        Self {
            requests: requests.into_iter().map(ReplayedRequest::from).collect(),
            smtp: capture.mails().iter().map(ReplayedMail::from).collect(),
            content: report.handover,
            log: report.log,
            trapped: report.trapped,
            used: report.used,
            ..Self::new(id, report.result, report.duration)
        }
    }
}

impl From<CapturedRequest> for ReplayedRequest {
    fn from(request: CapturedRequest) -> Self {
        Self {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
        }
    }
}

fn base64<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}
