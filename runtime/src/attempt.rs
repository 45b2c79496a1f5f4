//! A message's way through its states, and one try of it.

use serde::{Deserialize, Serialize};

use crate::id::{ConnectorId, Digest, IntegrationId, SourceName};
use crate::outcome::{Failure, Receipt, WireRecord};
use crate::time::Timestamp;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageState {
    /// Durable, not yet tried.
    Accepted,
    /// Claimed: an attempt is under way, or was when a process ended.
    Sending,
    /// Not sent yet; tried again later.
    Waiting,
    /// A provider accepted it. Final.
    Sent,
    /// It will not be tried again. Final.
    Failed,
    /// Its time ran out before a provider accepted it. Final.
    Expired,
    /// Withdrawn by its tenant. Final.
    Cancelled,
    /// A provider may have accepted it, and the policy forbids a repeat. Final.
    Unknown,
}

impl MessageState {
    /// Every state, in the order of a message's life.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Sending,
        Self::Waiting,
        Self::Sent,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The word in API, database and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sending => "sending",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether a message in this state stays in it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Accepted | Self::Sending | Self::Waiting)
    }
}

/// What an attempt goes through; fixed before its first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStart {
    /// 1 for a message's first attempt.
    pub number: u32,
    /// The integration that is tried; none where the tenant has none that can be.
    #[serde(flatten)]
    pub via: Option<Via>,
    /// The egress source it leaves by, if the tenant has a pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether an earlier attempt may have been accepted already.
    pub possible_duplicate: bool,
    /// The integration whose turn it was, and which was left out because its provider is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_by: Option<IntegrationId>,
}

/// The integration of an attempt, with its connector as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// The integration.
    pub integration: IntegrationId,
    /// Its connector.
    pub connector: ConnectorId,
    /// The connector's component.
    pub digest: Digest,
}

/// A finished attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it went through.
    #[serde(flatten)]
    pub start: AttemptStart,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the newest secrets were refused and the outcome is that of the earlier ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier_secrets: bool,
    /// What the host saw on the wire.
    pub exchanges: WireRecord,
    /// The guest's log lines, capped and redacted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// What ends a log of which more was said than is kept.
pub const LOG_CUT: &str = "… the log is cut here";

/// Bytes that an exchange takes at most in JSON, beside its authority.
const EXCHANGE_BYTES: usize = 512;

impl Attempt {
    /// The same with no more of its exchanges and its log than `most` bytes hold. The wire comes first; of either
    /// the end is left out.
    #[must_use]
    pub fn within(mut self, most: usize) -> Self {
        let (mut used, exchanges) = (0_usize, &mut self.exchanges.exchanges);
        let fits = |bytes: usize, used: &mut usize| {
            *used = used.saturating_add(bytes);
            *used <= most
        };
        let kept = exchanges
            .iter()
            .take_while(|exchange| fits(EXCHANGE_BYTES + 2 * exchange.authority.len(), &mut used));
        let kept = kept.count();
        exchanges.truncate(kept);
        // JSON writes a character of a log, which has no control characters, in two bytes more at most.
        let kept = self.log.iter();
        let kept = kept.take_while(|line| fits(2 * line.len() + 3, &mut used));
        let kept = kept.count();
        if kept < self.log.len() {
            self.log.truncate(kept);
            self.log.push(LOG_CUT.to_owned());
        }
        self
    }
}

/// What came of an attempt, after the host compared the guest's word with the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The provider accepted.
    Receipt(Receipt),
    /// It did not, or nobody can tell.
    Failure(Failure),
}

/// What happens to a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// To `sent`.
    Sent,
    /// To `waiting`: tried again at or after `until`.
    Wait {
        /// The earliest start of the next attempt.
        until: Timestamp,
        /// Whether that attempt may repeat a message that was accepted already.
        possible_duplicate: bool,
    },
    /// To `failed`.
    Failed,
    /// To `expired`.
    Expired,
    /// To `unknown`.
    Unknown,
}

impl Transition {
    /// The state that the message is in afterwards.
    #[must_use]
    pub const fn state(&self) -> MessageState {
        match self {
            Self::Sent => MessageState::Sent,
            Self::Wait { .. } => MessageState::Waiting,
            Self::Failed => MessageState::Failed,
            Self::Expired => MessageState::Expired,
            Self::Unknown => MessageState::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Exchange, Progress};

    fn exchange() -> Exchange {
        Exchange {
            method: "POST".to_owned(),
            authority: "a".repeat(253),
            source_ip: Some("2001:db8::ffff:ffff:ffff:ffff".parse().unwrap()),
            peer: Some("[2001:db8::ffff:ffff:ffff:ffff]:65535".parse().unwrap()),
            progress: Progress::NotConnected,
            status: Some(599),
            error: Some("egress.response-too-large".to_owned()),
            bytes_sent: u64::MAX,
            bytes_received: u64::MAX,
            duration_ms: u64::MAX,
            more: u64::MAX,
        }
    }

    fn attempt(exchanges: usize, log: Vec<String>) -> Attempt {
        Attempt {
            start: AttemptStart {
                number: 1,
                via: None,
                source: None,
                started_at: Timestamp::from_millis(0),
                possible_duplicate: false,
                passed_by: None,
            },
            ended_at: Timestamp::from_millis(0),
            outcome: Outcome::Receipt(Receipt::default()),
            earlier_secrets: false,
            exchanges: WireRecord {
                exchanges: vec![exchange(); exchanges],
            },
            log,
        }
    }

    #[test]
    fn what_is_kept_of_an_attempt_has_a_largest_size() {
        const MOST: usize = 16 << 10;
        let quotes = "\"".repeat(1_000);
        for (exchanges, lines) in [(0, 100), (5, 100), (1_000, 100), (1_000, 0), (5, 2)] {
            let kept = attempt(exchanges, vec![quotes.clone(); lines]).within(MOST);
            let wire = serde_json::to_string(&kept.exchanges).unwrap();
            let log = serde_json::to_string(&kept.log).unwrap();
            assert!(wire.len() + log.len() <= MOST + 100, "{exchanges} {lines}");
            let is_cut = kept.log.last().is_some_and(|line| line == LOG_CUT);
            assert_eq!(is_cut, lines == 100, "{exchanges} {lines}");
        }
        let whole = attempt(5, vec![quotes; 2]);
        assert_eq!(whole.clone().within(MOST), whole);
    }
}
