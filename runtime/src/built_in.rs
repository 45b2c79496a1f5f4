//! What comes with the program: whoever puts it together says so, and nothing below knows of any connector.

use std::collections::BTreeSet;

use crate::id::{ConnectorId, Digest};

/// The connectors that come with the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltIn {
    /// Their components.
    pub connectors: BTreeSet<Digest>,
    /// The one that hands over to the operator's e-mail service, and its component.
    pub email_service: Option<(ConnectorId, Digest)>,
}

impl BuiltIn {
    /// The connectors of these ids; `email_service` is the one among them that hands over to the e-mail service.
    #[must_use]
    pub fn of(components: &[(&str, &[u8])], email_service: &str) -> Self {
        let digests = components.iter().map(|(id, bytes)| (id, Digest::of(bytes)));
        let digests: Vec<_> = digests.collect();
        let own = digests.iter().find(|(id, _)| **id == email_service);
        Self {
            connectors: digests.iter().map(|(_, digest)| *digest).collect(),
            email_service: own.and_then(|(id, digest)| Some((id.parse().ok()?, *digest))),
        }
    }

    /// The component that hands over to the operator's e-mail service, as a set.
    #[must_use]
    pub fn hands_over(&self) -> BTreeSet<Digest> {
        let own = self.email_service.as_ref();
        own.map(|(_, digest)| *digest).into_iter().collect()
    }
}
