//! How many bytes of answers are held at once: a peer that asks for much and takes it slowly fills no memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Admission, OverLimit};
use crate::counts::Seldom;
use crate::limits::Limit;

/// What is counted as one.
const UNIT: usize = 1024;
/// How long an answer waits for room.
const WAIT: Duration = Duration::from_secs(2);

/// Room for an answer, until it is dropped.
#[derive(Debug)]
pub struct AnswerRoom {
    _permit: OwnedSemaphorePermit,
}

/// The room for all answers.
pub(super) struct Answers {
    units: Arc<Semaphore>,
    all: u32,
    bytes: u64,
    told: Seldom,
}

impl Answers {
    pub(super) fn new(bytes: u64) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let all = u32::try_from(bytes / UNIT as u64)
            .unwrap_or(most)
            .clamp(1, most);
        Self {
            units: Arc::new(Semaphore::new(all as usize)),
            all,
            bytes,
            told: Seldom::new(),
        }
    }
}

impl Admission {
    /// Room for an answer of so many bytes. One that is larger than all there is has it alone.
    ///
    /// # Errors
    /// [`OverLimit`] where there was none within two seconds.
    pub async fn answer(&self, bytes: usize) -> Result<AnswerRoom, OverLimit> {
        let answers = &self.answers;
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = answers
            .units
            .clone()
            .acquire_many_owned(units.min(answers.all));
        if let Ok(Ok(permit)) = tokio::time::timeout(WAIT, room).await {
            return Ok(AnswerRoom { _permit: permit });
        }
        self.hits.add([Limit::Answers.code()]);
        let bytes = answers.bytes;
        if answers.told.now() {
            tracing::warn!(
                limit = Limit::Answers.code(),
                "lists are refused: their callers do not take {bytes} bytes of earlier ones (node_limits.answer_bytes)"
            );
        }
        Err(OverLimit {
            limit: Limit::Answers,
            detail: format!(
                "answers that are not taken yet have {bytes} bytes (node_limits.answer_bytes): ask for less, or later"
            ),
            wait: Some(Duration::from_secs(1)),
        })
    }
}
