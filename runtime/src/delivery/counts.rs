//! What delivery counts for whoever watches the server.

use std::sync::Arc;

use crate::attempt::{MessageState, Outcome};
use crate::connector::CallReport;
use crate::counts::Tally;
use crate::limits::Limit;
use crate::message::Channel;

/// Since the process started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that were accepted, by channel.
    pub accepted: Tally<1>,
    /// Messages that reached a final state, by channel and state.
    pub ended: Tally<2>,
    /// Attempts, by channel and outcome: `receipt` or a failure's kind.
    pub attempts: Tally<2>,
    /// Sends that their egress pool did not let go, by reason.
    pub pools: Tally<1>,
    /// Circuits that were `opened` and `closed`.
    pub circuits: Tally<1>,
    /// Limits that were met, by code.
    pub limits: Arc<Tally<1>>,
}

impl Counts {
    /// A message is in a state; one that is not final counts nothing.
    pub fn state(&self, channel: Channel, state: MessageState) {
        if state.is_final() {
            self.ended.add([channel.as_str(), state.as_str()]);
        }
    }

    pub(super) fn attempt(&self, channel: Channel, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Receipt(_) => "receipt",
            Outcome::Failure(failure) => failure.kind.as_str(),
        };
        self.attempts.add([channel.as_str(), outcome]);
    }

    /// The limits that a guest met: the one that ended it, those of its exchanges, and those that it lives
    /// with. A code that the guest wrote itself counts nothing.
    pub(super) fn limits_of(&self, report: &CallReport) {
        let ended_by = report.result.as_ref().err().filter(|_| report.trapped);
        let ended_by = ended_by.and_then(|failure| failure.code.as_deref());
        let exchanges = report.wire.exchanges.iter();
        let met = exchanges.filter_map(|exchange| exchange.error.as_deref());
        let coded = ended_by.into_iter().chain(met).filter_map(Limit::of_code);
        for limit in coded.chain(report.met.iter().copied()) {
            self.limits.add([limit.code()]);
        }
    }
}
