//! Front doors: inbound adapters, each for one identity server's format.

use axum::Router;
use axum::routing::post;

use crate::api::App;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod logto;

/// The routes of all front doors.
pub fn router() -> Router<App> {
    Router::new().route("/front-doors/logto/{tenant}/{channel}", post(logto::post))
}
