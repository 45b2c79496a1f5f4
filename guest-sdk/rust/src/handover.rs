//! Connectors that compose a text and leave the sending to an integration that the operator lends.

use serde::de::DeserializeOwned;

use crate::connector::{About, Receipt};
use crate::failure::Failure;
use crate::message::{Content, Message};
use crate::settings;

/// A connector that composes: [`Connector`](crate::Connector)'s like without a provider of its own.
/// All of it is free of I/O; [`send`] does the rest.
pub trait Composer {
    /// What it is. It asks for no host.
    const ABOUT: About;

    /// Its settings, read from JSON.
    type Settings: DeserializeOwned;

    /// The finished text of a message: nothing in it is read as a template any more.
    ///
    /// # Errors
    /// Where there is none: nothing is sent.
    fn content(settings: &Self::Settings, message: &Message) -> Result<Content, Failure>;
}

/// Composes one message and hands it over through `submit`.
///
/// The receipt only says that it was handed over: what the operator's integration makes of it
/// replaces it.
///
/// # Errors
/// The connector's failure or that of `submit`, without the message's recipient, code and link.
pub fn send<C: Composer>(
    settings: &str,
    message: &Message,
    submit: impl FnOnce(Content) -> Result<(), Failure>,
) -> Result<Receipt, Failure> {
    let attempt = || {
        let settings = settings::parse::<C::Settings>(settings)?;
        message.check()?;
        submit(C::content(&settings, message)?)?;
        Ok(Receipt::default())
    };
    attempt().map_err(|failure| message.conceal(failure))
}
