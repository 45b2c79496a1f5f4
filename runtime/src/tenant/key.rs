//! API keys: whose they are, and what each may do.

use serde::{Deserialize, Serialize};

use crate::id::TenantId;
use crate::time::Timestamp;

/// What a key may do. It stands in the key's record: nothing follows from what a record lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, for every tenant.
    Operator,
    /// `GET /metrics`, and nothing else.
    Metrics,
    /// Everything that is its tenant's own.
    TenantAdmin,
    /// Hands its tenant's messages in, and reads the answer to that call alone.
    Sender,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Operator,
        Self::Metrics,
        Self::TenantAdmin,
        Self::Sender,
    ];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Metrics => "metrics",
            Self::TenantAdmin => "tenant-admin",
            Self::Sender => "sender",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether a key of this role belongs to a tenant.
    #[must_use]
    pub const fn is_tenants(self) -> bool {
        matches!(self, Self::TenantAdmin | Self::Sender)
    }
}

/// An API key as stored: only its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Public part, by which it is listed and revoked.
    pub id: String,
    /// What it may do.
    pub role: Role,
    /// Whose it is; none for the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// A title for people.
    pub title: String,
    /// SHA-256 of the whole key, which has 256 random bits.
    #[serde(skip)]
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped to work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_word_everywhere() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            let json = serde_json::to_value(role).unwrap();
            assert_eq!(json, role.as_str());
        }
        assert_eq!(Role::parse("admin"), None);
    }
}
