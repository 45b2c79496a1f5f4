//! The `handover` import: a composing guest's text, kept until the guest has returned.

use super::bindings::{handover, types};
use super::convert;
use super::state::State;
use crate::message::Content;

/// Bytes of a subject: one line of mail (RFC 5322, 2.1.1).
const SUBJECT_MAX: usize = 998;
/// Bytes of HTML and plain text together.
const BODY_MAX: usize = 512 << 10;

/// What a guest has handed over.
#[derive(Default)]
pub(super) struct Handover(Option<Content>);

impl Handover {
    /// What was handed over, if anything was.
    pub(super) fn take(&mut self) -> Option<Content> {
        self.0.take()
    }

    fn put(&mut self, content: types::Content) -> Result<(), String> {
        if self.0.is_some() {
            return Err("a send hands over once".to_owned());
        }
        let subject = &content.subject;
        if subject.len() > SUBJECT_MAX || subject.contains(char::is_control) {
            return Err(format!(
                "subject: one line of at most {SUBJECT_MAX} bytes is expected"
            ));
        }
        // Of it a name is left, which stands in one line too.
        if content.send_from.as_ref().map_or(0, String::len) > SUBJECT_MAX {
            return Err(format!(
                "send-from: at most {SUBJECT_MAX} bytes are expected"
            ));
        }
        let size = content.body.len() + content.text.as_ref().map_or(0, String::len);
        if size > BODY_MAX {
            return Err(format!(
                "body: {size} bytes, and {BODY_MAX} are allowed with the plain text"
            ));
        }
        self.0 = Some(convert::handed_over(content));
        Ok(())
    }
}

impl handover::Host for State {
    fn submit(&mut self, content: types::Content) -> wasmtime::Result<Result<(), types::Failure>> {
        let refused = |message: String| types::Failure {
            kind: types::FailureKind::Rejected,
            code: Some("handover".to_owned()),
            message,
            retry_after: None,
        };
        self.granted("sendbox:connector/handover")?;
        Ok(self.handover.put(content).map_err(refused))
    }
}
