//! Secrets in two versions: the newest is tried, and the one before it where a provider refuses that.

use tokio::time::Instant;

use super::Core;
use super::departure::Departure;
use super::roster::ReadyIntegration;
use super::verdict::verdict;
use crate::attempt::Outcome;
use crate::connector::CallReport;
use crate::egress::Arm;
use crate::message::OutgoingMessage;
use crate::outcome::FailureKind;

/// What the calls of one attempt share.
pub(super) struct Out {
    pub(super) departure: Option<Departure>,
    pub(super) arm: Option<Arm>,
    pub(super) deadline: Instant,
    /// What the message was before a connector composed it: what is private is looked for in that.
    pub(super) original: Option<OutgoingMessage>,
}

impl Core {
    /// Runs an integration's guest and, where its secrets are refused and those before the last rotation
    /// are kept, once more with these: one attempt, one deadline, one record of the wire.
    pub(super) async fn call_by_version(
        &self,
        ready: &ReadyIntegration,
        message: OutgoingMessage,
        out: Out,
    ) -> CallReport {
        let Out {
            departure,
            arm,
            deadline,
            original,
        } = out;
        let Some(earlier) = &ready.earlier else {
            let exit = self.open(ready, &ready.newest, departure, arm, deadline);
            return self.call(ready, message, original, exit).await;
        };
        let exit = self.open(
            ready,
            &ready.newest,
            departure.clone(),
            arm.clone(),
            deadline,
        );
        let newest = self
            .call(ready, message.clone(), original.clone(), exit)
            .await;
        if !is_refused(&newest) {
            return newest;
        }
        let integration = &ready.integration;
        tracing::warn!(
            tenant = %integration.tenant, integration = %integration.id,
            "the newest secrets are refused: trying those before the rotation"
        );
        let exit = self.open(ready, earlier, departure, arm, deadline);
        joined(newest, self.call(ready, message, original, exit).await)
    }
}

/// Whether the provider refused the credentials, so that it surely took no message.
fn is_refused(report: &CallReport) -> bool {
    let outcome = verdict(report.result.clone(), report.trapped, &report.wire);
    matches!(outcome, Outcome::Failure(failure) if failure.kind == FailureKind::Unauthorized)
}

/// Both calls as one: the second decides.
fn joined(mut newest: CallReport, earlier: CallReport) -> CallReport {
    newest.wire.exchanges.extend(earlier.wire.exchanges);
    newest.log.extend(earlier.log);
    CallReport {
        earlier_secrets: true,
        wire: newest.wire,
        log: newest.log,
        source: earlier.source.or(newest.source),
        duration: newest.duration + earlier.duration,
        ..earlier
    }
}
