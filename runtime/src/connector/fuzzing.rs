//! The checks of an upload that need neither compiler nor engine: for fuzzing.

use super::bindings::types;
use super::{UploadError, describe, inspect};
use crate::about::{ConnectorInfo, SecretGrant};
use crate::message::Channel;
use crate::settings::SettingsSchema;

/// What a component of at most `limit` bytes imports.
///
/// # Errors
/// Why it is refused before it is compiled.
pub fn imports(component: &[u8], limit: usize) -> Result<Vec<String>, UploadError> {
    inspect::shape(component, limit).map(|shape| shape.imports)
}

/// An answer to `describe`, as it comes from a guest.
#[derive(Debug)]
pub struct Answer {
    /// The connector's name.
    pub id: String,
    /// Its channel.
    pub channel: Channel,
    /// Its version.
    pub version: String,
    /// Names by language.
    pub titles: Vec<(String, String)>,
    /// Descriptions by language.
    pub descriptions: Vec<(String, String)>,
    /// Text of the settings schema.
    pub settings_schema: String,
    /// Patterns of hosts.
    pub hosts: Vec<String>,
    /// Grants, whose `derivations` count for nothing.
    pub secret_grants: Vec<SecretGrant>,
    /// Markdown.
    pub readme: String,
}

/// Checks the answer of a component that hands over or does not.
///
/// # Errors
/// Why it is refused.
pub fn describe(
    answer: Answer,
    hands_over: bool,
) -> Result<(ConnectorInfo, SettingsSchema), UploadError> {
    let grants = answer.secret_grants.into_iter();
    let grants = grants.map(|grant| types::SecretGrant {
        setting: grant.setting,
        query: grant.query,
        body: grant.body,
        signing: grant.signing,
    });
    let info = types::ConnectorInfo {
        id: answer.id,
        channel: match answer.channel {
            Channel::Email => types::Channel::Email,
            Channel::Sms => types::Channel::Sms,
        },
        version: answer.version,
        titles: answer.titles,
        descriptions: answer.descriptions,
        settings_schema: answer.settings_schema,
        hosts: answer.hosts,
        secret_grants: grants.collect(),
        readme: answer.readme,
    };
    describe::check(info, hands_over)
}
