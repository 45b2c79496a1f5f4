//! Every connector of this repository as a built component, embedded.

/// Connector ids and their components, in the ids' order.
pub static BUNDLED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The connector that hands over to the operator's e-mail service with texts of this project.
pub const EMAIL_SERVICE: &str = "builtin-email";

/// The component of a connector.
#[must_use]
pub fn component(id: &str) -> Option<&'static [u8]> {
    let mut bundled = BUNDLED.iter();
    bundled
        .find(|(known, _)| *known == id)
        .map(|(_, bytes)| *bytes)
}
