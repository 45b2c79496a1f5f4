//! What really came of an attempt: the guest's word against the host's own record of the wire.

use crate::attempt::Outcome;
use crate::egress::MALFORMED;
use crate::outcome::{Failure, FailureKind, Receipt, WireRecord};

/// Compares what the guest returned with what the host saw leave and come back.
///
/// `trapped` says that the guest was ended (trap, limit) and `result` is the host's word for it.
#[must_use]
pub(super) fn verdict(
    result: Result<Receipt, Failure>,
    trapped: bool,
    wire: &WireRecord,
) -> Outcome {
    match result {
        Ok(receipt) if wire.ends_accepted() => Outcome::Receipt(receipt),
        // An earlier yes may be a token's, or the message's own.
        Ok(_) if wire.ambiguous() || wire.accepted() => Outcome::Failure(Failure::host(
            FailureKind::Unknown,
            "no-evidence",
            "the connector reports success, but no provider's answer says so",
        )),
        Ok(_) => Outcome::Failure(Failure::host(
            // The connector is at fault, and nothing is said of the recipient.
            FailureKind::InvalidSettings,
            "no-evidence",
            "the connector reports success, but no provider was reached with it",
        )),
        Err(mut failure) => {
            let may_be_sent = wire.ambiguous() || (trapped && wire.accepted());
            if may_be_sent {
                failure.kind = FailureKind::Unknown;
            } else if failure.kind == FailureKind::Unknown && !wire.completed() {
                failure.kind = FailureKind::Unavailable;
            }
            let last = wire.exchanges.last();
            let is_malformed = last.is_some_and(|last| last.error.as_deref() == Some(MALFORMED));
            if failure.kind == FailureKind::Unknown && is_malformed && !trapped {
                failure.code = Some("malformed-response".to_owned());
                "the provider's answer cannot be read".clone_into(&mut failure.message);
            }
            Outcome::Failure(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Exchange, Progress};

    fn wire(exchanges: &[(Progress, Option<u16>)]) -> WireRecord {
        let exchange = |&(progress, status): &(Progress, Option<u16>)| Exchange {
            more: 0,
            method: "POST".into(),
            authority: "api.example.com:443".into(),
            source_ip: None,
            peer: None,
            progress,
            status,
            error: None,
            bytes_sent: 0,
            bytes_received: 0,
            duration_ms: 0,
        };
        WireRecord {
            exchanges: exchanges.iter().map(exchange).collect(),
        }
    }

    fn kind(
        result: Result<Receipt, FailureKind>,
        trapped: bool,
        wire: &WireRecord,
    ) -> Option<FailureKind> {
        let result = result.map_err(|kind| Failure {
            kind,
            code: None,
            message: String::new(),
            retry_after: None,
        });
        match verdict(result, trapped, wire) {
            Outcome::Receipt(_) => None,
            Outcome::Failure(failure) => Some(failure.kind),
        }
    }

    #[test]
    fn success_needs_a_providers_yes_on_the_wire() {
        let ok = || Ok(Receipt::default());
        assert_eq!(
            kind(ok(), false, &wire(&[(Progress::Answered, Some(202))])),
            None
        );
        assert_eq!(
            kind(ok(), false, &wire(&[])),
            Some(FailureKind::InvalidSettings)
        );
        assert_eq!(
            kind(ok(), false, &wire(&[(Progress::Answered, Some(500))])),
            Some(FailureKind::InvalidSettings)
        );
        assert_eq!(
            kind(ok(), false, &wire(&[(Progress::Complete, None)])),
            Some(FailureKind::Unknown)
        );
    }

    #[test]
    fn a_request_without_an_answer_makes_every_failure_unknown() {
        let wire = wire(&[(Progress::Answered, Some(200)), (Progress::Complete, None)]);
        assert_eq!(
            kind(Err(FailureKind::Unavailable), false, &wire),
            Some(FailureKind::Unknown)
        );
        assert_eq!(
            kind(Err(FailureKind::Rejected), false, &wire),
            Some(FailureKind::Unknown)
        );
    }

    #[test]
    fn a_yes_that_broke_off_is_unknown_whatever_the_guest_says() {
        let mut wire = wire(&[(Progress::Answered, Some(200))]);
        for exchange in &mut wire.exchanges {
            exchange.error = Some("egress.interrupted".to_owned());
        }
        for said in [FailureKind::Unavailable, FailureKind::InvalidSettings] {
            assert_eq!(kind(Err(said), false, &wire), Some(FailureKind::Unknown));
        }
    }

    #[test]
    fn a_yes_before_the_last_request_is_no_evidence_of_that_one() {
        let ok = || Ok(Receipt::default());
        let token = (Progress::Answered, Some(200));
        let refused = wire(&[token, (Progress::Answered, Some(550))]);
        assert_eq!(kind(ok(), false, &refused), Some(FailureKind::Unknown));
        let taken = wire(&[token, (Progress::Answered, Some(250))]);
        assert_eq!(kind(ok(), false, &taken), None);
        let second_try = wire(&[(Progress::Answered, Some(503)), token]);
        assert_eq!(kind(ok(), false, &second_try), None);
    }

    #[test]
    fn a_trap_after_a_yes_is_unknown_and_an_error_in_a_200_is_what_the_guest_says() {
        let wire = wire(&[(Progress::Answered, Some(200))]);
        assert_eq!(
            kind(Err(FailureKind::Unavailable), true, &wire),
            Some(FailureKind::Unknown)
        );
        assert_eq!(
            kind(Err(FailureKind::Rejected), false, &wire),
            Some(FailureKind::Rejected)
        );
    }

    #[test]
    fn unknown_without_a_whole_request_on_the_wire_is_merely_unavailable() {
        let partial = wire(&[(Progress::Incomplete, None)]);
        assert_eq!(
            kind(Err(FailureKind::Unknown), false, &partial),
            Some(FailureKind::Unavailable)
        );
        let answered = wire(&[(Progress::Answered, Some(500))]);
        assert_eq!(
            kind(Err(FailureKind::Unknown), false, &answered),
            Some(FailureKind::Unknown)
        );
        // A connector that knows its provider's errors may say that it took nothing.
        assert_eq!(
            kind(Err(FailureKind::Unavailable), false, &answered),
            Some(FailureKind::Unavailable)
        );
    }

    #[test]
    fn an_answer_that_cannot_be_read_has_a_code_of_its_own() {
        let mut wire = wire(&[(Progress::Complete, None)]);
        for (error, trapped, code) in [
            (MALFORMED, false, "malformed-response"),
            (MALFORMED, true, "interrupted"),
            ("egress.interrupted", false, "interrupted"),
        ] {
            wire.exchanges[0].error = Some(error.to_owned());
            let said = Failure::host(FailureKind::Unknown, "interrupted", "the connection ended");
            let Outcome::Failure(failure) = verdict(Err(said), trapped, &wire) else {
                panic!("{error}");
            };
            assert_eq!(failure.code.as_deref(), Some(code), "{error} {trapped}");
            assert_eq!(failure.kind, FailureKind::Unknown);
        }
    }
}
