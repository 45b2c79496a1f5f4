//! Replies of a mail server in whatever bytes, without a session around them: for fuzzing.

pub use super::smtp::replies;
