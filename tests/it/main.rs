//! The integration tests, in one binary: linking is the slow part.

mod hostile;
mod sandbox;
mod uploads;
